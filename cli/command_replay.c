/* SPDX-License-Identifier: Apache-2.0
 *
 * command_replay.c - replay: makes a picture again from the text of its PNG. The new PNG carries the same text,
 * so that the bytes are the same; the kernel set is the one of then, if this machine has it, and
 * so is the precision. */
#include <string.h>

#include "app/metadata.h"
#include "drawing.h"
#include "pictures.h"

typedef struct replay_options {
  const char *film;
  result_options results;
  model_choice model;
} replay_options;

static msk_status choose_name(drawing *d, msk_error *error) {
  const char *path = d->options->inputs[0], *slash = strrchr(path, '/'),
             *name = slash == NULL ? path : slash + 1;
  if (d->options->output != NULL)
    return output_numbered(d->output, d->options->output, 0, 1, error);
  const char *dot = strrchr(name, '.');
  if (strcmp(path, "-") == 0) name = "picture";
  int length = dot == NULL || dot == name ? (int)strlen(name) : (int)(dot - name);
  snprintf(d->output, sizeof d->output, "%.*s-replay.png", length > 1000 ? 1000 : length, name);
  return MSK_OK;
}

static msk_status action(const cli_line *line, msk_error *error) {
  const replay_options *own = line->options;
  cli_options options = pictures_results(line, &own->results, &own->model);
  options.film = own->film;
  drawing d = {.options = &options};
  char *text = NULL;
  model_choice choice = own->model;
  msk_status status = cli_exclude(line, "quiet", "preview", error);
  if (status == MSK_OK) status = metadata_load(&text, line->inputs[0], error);
  if (status == MSK_OK) status = choose_name(&d, error);
  if (status == MSK_OK) metadata_choose(&choice, text);
  if (status == MSK_OK) status = model_path_open(&d.model, &choice, error);
  if (status == MSK_OK)
    status = metadata_read(&d.order, d.model, text, line->inputs[0], NULL, error);
  d.verbatim = text;
  if (status == MSK_OK) status = drawing_run(&d, error);
  drawing_free(&d);
  msk_free(NULL, text);
  return status;
}

static const cli_option rows[] = {
    CLI_FILM_ROW(replay_options),
    CLI_TABLE(replay_options, results, result_table),
    CLI_TABLE(replay_options, model, model_table),
    {.type = CLI_END},
};
static const cli_table table = {NULL, rows};

const cli_usage replay_usage = {.arguments = "PICTURE.png [-o OUT]",
                                .least_inputs = 1,
                                .most_inputs = 1,
                                .options = &table,
                                .bytes = sizeof(replay_options),
                                .action = action};
