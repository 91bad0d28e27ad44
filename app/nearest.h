/* SPDX-License-Identifier: Apache-2.0
 * nearest.h - how far apart two words are, to name what somebody may have meant. */
#ifndef APP_NEAREST_H
#define APP_NEAREST_H

#include <stddef.h>

/* Edits (insert, delete, replace) that turn `written` (`length` bytes) into `word`; 0 as well
 * where it is the word's beginning, of at least three letters. Of long words only the first 31
 * bytes count, which is enough for telling neighbours apart. */
int nearest_edits(const char *written, size_t length, const char *word);
#endif
