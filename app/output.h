/* SPDX-License-Identifier: Apache-2.0
 *
 * output.h - where results go: names of pictures, refusals before the work begins, and writing:
 * whole or not at all for files, straight through for standard output and devices. */
#ifndef APP_OUTPUT_H
#define APP_OUTPUT_H

#include <stdbool.h>

#include "app/report.h"

enum { MAX_PATH_BYTES = 4096 };

bool output_is_stdout(const char *path);
/* Format by suffix; PNG for standard output. MSK_ERROR_ARGUMENT for another suffix, or --quality
 * with PNG. */
msk_status output_format(const char *path, int quality, msk_format *format, msk_error *error);
/* "sketches/cat.png", "tabby cat", 7 -> "cat-tabby_cat-7.png"; without a source (NULL)
 * "tabby_cat-7.png". */
msk_status output_default_name(char name[MAX_PATH_BYTES], const char *source,
                               const char *class_text, uint64_t seed, msk_error *error);
/* Name of picture `index` of `count`: the path itself if count is 1, else OUT-1.png, OUT-2.png,
 * ... */
msk_status output_numbered(char name[MAX_PATH_BYTES], const char *path, int index, int count,
                           msk_error *error);
/* Refuses what could not be written, with the reason that writing would give: before the work,
 * not after. */
msk_status output_check(const char *path, msk_error *error);
/* Makes the folders of "a/b/c/" or "a/b/file" that are missing, with all above them. */
msk_status output_make_folders(const char *path, msk_error *error);
/* Adds -2, -3, ... to a name that nobody chose, until none of its `count` numbered files is
 * there. */
msk_status output_free_name(char name[MAX_PATH_BYTES], int count, msk_error *error);
/* Encodes a picture; `metadata` goes into a PNG under the key "masksketch" (NULL: none). *bytes
 * are freed with msk_free(NULL, ...). quality: as msk_image_encode() takes it. */
msk_status output_encode(const msk_image *image, msk_format format, int quality,
                         const char *metadata, void **bytes, size_t *byte_count, msk_error *error);
/* The same, into a file. */
msk_status output_picture(const char *path, const msk_image *image, int quality,
                          const char *metadata, msk_error *error);
/* Encodes and writes an array as .npy. */
msk_status output_array(const char *path, const msk_array *array, msk_error *error);
#endif
