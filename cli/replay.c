/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.c - makes a picture again from the text of its PNG. The new PNG carries the same text,
 * so that the bytes are the same; the kernel set is the one of then, if this machine has it, and
 * so is the precision. */
#include <string.h>

#include "actions.h"
#include "app/model_path.h"
#include "drawing.h"
#include "metadata.h"

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

msk_status action_replay(const cli_options *options, msk_error *error) {
  drawing d = {.options = options, .kept = -1};
  char *text = NULL;
  model_choice choice = cli_model_choice(options);
  msk_status status = metadata_load(&text, options->inputs[0], error);
  if (status == MSK_OK) status = choose_name(&d, error);
  if (status == MSK_OK) {
    if (choice.isa == NULL) choice.isa = metadata_isa(text);
    if (choice.precision < 0) choice.precision = (int)metadata_precision(text, "precision");
    if (choice.decode_precision < 0)
      choice.decode_precision = (int)metadata_precision(text, "decode_precision");
  }
  if (status == MSK_OK) status = model_path_open(&d.model, &choice, error);
  if (status == MSK_OK) {
    msk_model_get_info(d.model, &d.info);
    status = metadata_read(&d, text, options->inputs[0], error);
  }
  d.verbatim = text;
  if (status == MSK_OK) status = drawing_run(&d, error);
  drawing_free(&d);
  msk_free(NULL, text);
  return status;
}
