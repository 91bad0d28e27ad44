/* SPDX-License-Identifier: Apache-2.0
 *
 * open.c - the models of an evaluation: names in the SPEC are of installed models, paths start
 * from the SPEC's folder. */
#include <string.h>

#include "app/model_path.h"
#include "eval/run.h"

msk_status evaluation_open_model(msk_model **model, const evaluation *e, int index,
                                 msk_error *error) {
  model_choice choice = cli_model_choice(e->options);
  char path[MAX_PATH_BYTES];
  const char *given = e->spec.models == NULL ? NULL : eval_spec_text(e->spec.models, (size_t)index);
  if (given != NULL && strchr(given, '/') != NULL) {
    msk_status status = eval_spec_path(path, &e->spec, given, error);
    if (status != MSK_OK) return status;
    given = path;
  }
  if (given != NULL) choice.name = given;
  return model_path_open(model, &choice, error);
}
