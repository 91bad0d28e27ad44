/* SPDX-License-Identifier: Apache-2.0
 *
 * command_replay.c - replay: makes a picture again from the text of its PNG. The new PNG carries
 * the same text, so that the bytes are the same; the kernel set is the one of then, if this machine
 * has it (else it says so), and so is the precision. */
#include <string.h>

#include "app/input.h"
#include "app/metadata.h"
#include "picture_options.h"

typedef struct replay_options {
  const char *film;
  result_options results;
  model_choice model;
} replay_options;

static msk_status choose_output(drawing *d, msk_error *error) {
  const char *path = d->line->inputs[0], *slash = strrchr(path, '/'),
             *name = slash == NULL ? path : slash + 1, *dot = strrchr(name, '.');
  char chosen[MAX_PATH_BYTES];
  if (input_is_stream(path)) name = "picture";
  int length = dot == NULL || dot == name ? (int)strlen(name) : (int)(dot - name);
  snprintf(chosen, sizeof chosen, "%.*s-replay.png", length > 1000 ? 1000 : length, name);
  return drawing_choose_output(d, chosen, error);
}

static msk_status action(const cli_line *line, msk_error *error) {
  const replay_options *options = line->options;
  const char *path = line->inputs[0];
  model_choice choice = options->model;
  drawing d = {
      .line = line, .results = &options->results, .machine = &choice, .film = options->film};
  adapter_texts adapters;
  char *text = NULL;
  msk_status status = cli_exclude(line, "quiet", "preview", error);
  if (status == MSK_OK) status = metadata_load(&text, path, error);
  if (status == MSK_OK) status = metadata_choose(&choice, text, error);
  /* named ones take the place of those that the picture was made with, if their hashes are the
   * same */
  if (status == MSK_OK && !cli_given(line, "adapter"))
    status = metadata_find_adapters(&choice.adapters, &adapters, text, path, error);
  if (status == MSK_OK) status = model_path_open(&d.model, &choice, error);
  if (status == MSK_OK && !options->results.quiet) status = metadata_compare(d.model, text, error);
  if (status == MSK_OK) status = metadata_read(&d.order, d.model, text, path, NULL, error);
  if (status == MSK_OK) status = choose_output(&d, error);
  d.verbatim = text;
  if (status == MSK_OK) status = drawing_run(&d, error);
  drawing_free(&d);
  msk_free(NULL, text);
  return status;
}

static const cli_option rows[] = {
    CLI_FILM_ROW(replay_options),
    CLI_ADAPTER_ROW(replay_options, model.adapters),
    CLI_TABLE(replay_options, results, result_table),
    CLI_TABLE(replay_options, model, model_table),
    {.type = CLI_END},
};

const cli_usage replay_usage = {"PICTURE.png [-o OUT]", 1, 1, rows, sizeof(replay_options),
                                .action = action};
