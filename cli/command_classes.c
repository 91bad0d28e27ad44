/* SPDX-License-Identifier: Apache-2.0
 * command_classes.c - classes: the class names of a model, searched. */
#include <jansson.h>
#include <stdlib.h>

#include "app/json.h"
#include "app/model_path.h"
#include "commands.h"
#include "shared_options.h"

typedef struct classes_options {
  const char *model;
  bool json;
} classes_options;

static msk_status print_classes(const msk_model *model, const int *ids, int count, bool as_json,
                                msk_error *error) {
  for (int i = 0; i < count; i++) {
    const char *name = msk_model_class_name(model, ids[i]);
    if (as_json) {
      msk_status status = json_print(json_pack("{s:i, s:s?}", "id", ids[i], "name", name), error);
      if (status != MSK_OK) return status;
    } else {
      printf("%d\t", ids[i]);
      app_print_safe(stdout, name == NULL ? "" : name);
      putchar('\n');
    }
  }
  return app_flush_stdout(error);
}

static msk_status action(const cli_line *line, msk_error *error) {
  const classes_options *options = line->options;
  msk_model *model = NULL;
  msk_model_info info;
  const char *word = line->input_count > 0 ? line->inputs[0] : NULL;
  const model_choice choice = {.name = options->model, .precision = -1, .decode_precision = -1};
  msk_status status = model_path_open(&model, &choice, error);
  if (status != MSK_OK) return status;
  msk_model_get_info(model, &info);
  int *ids = calloc((size_t)info.class_count + 1, sizeof *ids), id = 0;
  if (ids == NULL) {
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for the class names");
  } else {
    int count = msk_model_class_search(model, word, ids, info.class_count);
    if (count > 0) {
      status = print_classes(model, ids, count < info.class_count ? count : info.class_count,
                             options->json, error);
    } else if (word != NULL && msk_model_class_find(model, word, &id, error) == MSK_OK) {
      status = print_classes(model, &id, 1, options->json, error); /* a number */
    } else {
      status = word == NULL ? MSK_OK : error->code;
    }
  }
  free(ids);
  msk_model_close(model);
  return status;
}

static const cli_option rows[] = {
    CLI_MODEL_ROW(classes_options, model),
    CLI_JSON(classes_options, "one JSON object a class"),
    {.type = CLI_END},
};

const cli_usage classes_usage = {"[WORD]", 0, 1, rows, sizeof(classes_options), .action = action};
