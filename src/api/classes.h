/* SPDX-License-Identifier: Apache-2.0
 *
 * classes.h - comparing class names: letter case, accents and underscores aside. Allocates
 * nothing. */
#ifndef MSK_API_CLASSES_H
#define MSK_API_CLASSES_H

#include <stddef.h>

enum { MSK_FOLDED_NAME = 256 };

/* Lower case, accents of Latin letters taken off, underscores to spaces, outer spaces off; cut
 * at 255 bytes. `bytes` of text are read. */
void msk_fold_name(const char *text, size_t bytes, char folded[MSK_FOLDED_NAME]);
/* How well a folded word fits a class name with its comma-separated synonyms: 0 equals one, 1
 * begins one, 2 begins a word, 3 is inside, -1 not at all. */
int msk_class_rank(const char *names, const char *word);
/* Smallest edit distance between a folded word and a synonym. */
int msk_class_distance(const char *names, const char *word);

#endif
