/* SPDX-License-Identifier: Apache-2.0
 *
 * api.h - what the tests of the public functions share: a model file made from golden
 * checkpoints, requests made from golden cases. */
#ifndef MSK_TEST_API_H
#define MSK_TEST_API_H

#include <jansson.h>

#include "support.h"

/* msk_model_options.device of what is opened; NULL: the CPU. */
extern const char *api_device;

/* Converts the checkpoints of a golden set ("tiny", "odd") into folder/SET.safetensors; returns
 * the path, in a buffer of its own for each set. */
const char *api_convert(const char *folder, const char *set, const char *defaults_json);
msk_model *api_open(const char *path, const char *isa, const msk_allocator *allocator);
msk_session *api_session(const msk_model *model, const msk_request *request, int threads);
/* Fails the test with the error's message where the status is not MSK_OK. */
void api_ok(msk_status status, const msk_error *error);
msk_image api_load(const char *path);

/* A case of decode/cases.json as a request; the picture is kept in *picture. */
void api_case_request(msk_request *request, const msk_model *model, const char *set,
                      const json_t *golden_case, msk_image *picture);
json_t *api_cases(const char *set);
/* A small draw of a set's sketch0 with a mended recipe. */
void api_small_draw(msk_request *request, const msk_model *model, const msk_image *sketch,
                    int steps, int count);
/* What fixtures do: the test's folder (support.h) and in it the tiny model with these defaults,
 * opened, and its sketch0; and all of that given back. */
int api_set_up(msk_model **model, msk_image *sketch, const char *defaults_json,
               const msk_allocator *allocator);
int api_tear_down(msk_model *model, msk_image *sketch);
/* FNV-1a of a result's tokens, pixels and scores. */
uint64_t api_digest(const msk_model *model, const msk_result *result);

#endif
