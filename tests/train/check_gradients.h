/* SPDX-License-Identifier: Apache-2.0
 *
 * check_gradients.h - what the two halves of check_gradients share: files of a folder, and how a
 * figure is judged. */
#ifndef MSK_TEST_CHECK_GRADIENTS_H
#define MSK_TEST_CHECK_GRADIENTS_H

#include <jansson.h>

#include "masksketch_tools.h"
#include "train/params.h"

#define TOLERANCE 2e-4      /* of a tensor's largest gradient, */
#define LEAST 1e-7          /* or absolute */
#define LOSS_TOLERANCE 1e-5 /* relative */

extern int failures, checked;

_Noreturn void stop(const char *what);
const char *path_of(const char *folder, const char *name);
/* The file in the folder whose name begins so. */
const char *find_file(const char *folder, const char *start);
msk_array read_array(const char *path);
msk_weight_file *open_weights(const char *path);
void judge(const char *loss, const char *what, double error, double allowed);
/* nudged: gradients after inputs were moved by as much as float32 leaves open, or NULL; what they
 * differ by is allowed besides. */
void compare_gradients(const char *loss, const msk_params *params, const float *gradients,
                       const float *nudged, const msk_weight_file *expected);

/* check_tokenizer.c */
void check_tokenizer(const char *folder, const json_t *losses, const msk_device *device,
                     msk_pool *pool);

#endif
