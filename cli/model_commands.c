/* SPDX-License-Identifier: Apache-2.0
 *
 * model_commands.c - convert: checkpoints to one model file; classes: the class names of a
 * model, searched. */
#include <jansson.h>
#include <stdlib.h>

#include "actions.h"
#include "app/json.h"
#include "app/model_path.h"
#include "app/output.h"

/* ---- convert ---- */

msk_status action_convert(const cli_options *options, msk_error *error) {
  msk_convert_options convert;
  msk_convert_options_init(&convert);
  if (options->tokenizer == NULL || options->transformer == NULL || options->output == NULL) {
    return app_fail(error, MSK_ERROR_ARGUMENT, "--%s was not given: masksketch convert %s",
                    options->tokenizer == NULL     ? "tokenizer"
                    : options->transformer == NULL ? "transformer"
                                                   : "output",
                    options->command->arguments);
  }
  if (output_is_stdout(options->output))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "a model is not written to standard output, expected -o MODEL.safetensors");
  msk_status status = cli_check_output(options->output, options, error);
  if (status != MSK_OK) return status;
  convert.tokenizer_path = options->tokenizer;
  convert.transformer_path = options->transformer;
  convert.classes_path = options->classes;
  convert.defaults_path = options->defaults;
  convert.name = options->name;
  convert.output_path = options->output;
  if (options->dtype >= 0)
    convert.dtype = (msk_dtype[]){MSK_DTYPE_F32, MSK_DTYPE_F16, MSK_DTYPE_BF16}[options->dtype];
  convert.int8 = options->int8;
  status = msk_convert(&convert, error);
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s is written; masksketch info %s shows what is in it\n", options->output,
            options->output);
  return status;
}

/* ---- classes ---- */

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

msk_status action_classes(const cli_options *options, msk_error *error) {
  msk_model *model = NULL;
  msk_model_info info;
  const char *word = options->input_count > 0 ? options->inputs[0] : NULL;
  const model_choice choice = cli_model_choice(options);
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
                             options->json != 0, error);
    } else if (word != NULL && msk_model_class_find(model, word, &id, error) == MSK_OK) {
      status = print_classes(model, &id, 1, options->json != 0, error); /* a number */
    } else {
      status = word == NULL ? MSK_OK : error->code;
    }
  }
  free(ids);
  msk_model_close(model);
  return status;
}
