/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.h - what the commands that run the networks one by one share: a model with a session,
 * the arrays and pictures that go in. */
#ifndef CLI_PARTS_H
#define CLI_PARTS_H

#include "app/model_path.h"

typedef struct parts {
  msk_model *model;
  msk_model_info info;
  msk_session *session;
} parts;

msk_status parts_open(parts *p, const model_choice *choice, msk_error *error);
void parts_close(parts *p);

bool parts_is_array(const char *path); /* its name ends in .npy */
msk_status parts_load_array(msk_array *array, const char *path, msk_error *error);
/* The picture at `path` as it is (fit -1), or brought to the model's square by a msk_fit. */
msk_status parts_load(msk_image *image, const char *path, const parts *p, int fit,
                      msk_error *error);
#endif
