/* SPDX-License-Identifier: Apache-2.0
 *
 * input.h - files that the commands read: whole files and pictures, from a path, which may
 * be a pipe, or from standard input (`-`). */
#ifndef APP_INPUT_H
#define APP_INPUT_H

#include <stdbool.h>

#include "masksketch.h"

bool input_is_stdin(const char *path);
/* True if it can be read but once: standard input, a pipe, a device. */
bool input_is_stream(const char *path);
/* Reads a whole file of at most `limit` bytes; free with msk_free(NULL, ...). */
msk_status input_read(const char *path, size_t limit, void **bytes, size_t *byte_count,
                      msk_error *error);
/* What is odd about the file is told on standard error, and is not in image->warning any more. */
msk_status input_picture(msk_image *image, const char *path, msk_alpha alpha, msk_error *error);
/* True if both paths lead to one existing file. */
bool input_same_file(const char *a, const char *b);
#endif
