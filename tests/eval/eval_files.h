/* SPDX-License-Identifier: Apache-2.0
 *
 * eval_files.h - what the tests of eval share: a tiny model whose classes the golden judge
 * knows, drawings, SPECs as files. Test code only. */
#ifndef EVAL_FILES_H
#define EVAL_FILES_H

#include <jansson.h>

#include "cli_run.h"

/* Group fixtures: cli_run's, and MASKSKETCH_MODEL names a tiny model with the classes ball,
 * cube, cone, c3 ... c9. In the folder: a.png and b.png (drawings), mask-a.png and mask-b.png
 * (their shapes: a disc on the left, a square on the right). */
int set_up_eval(void **state);
int tear_down_eval(void **state);
const char *golden_judge(void);
/* Generates reference/r0.png, r1.png, ... in the folder: one of each seed. */
void make_reference(int count);

/* Writes a text as a file in the test's folder; returns its path (see in_folder). */
const char *write_text(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A SPEC of two lambdas, the two drawings and three seeds, 12 pictures of two steps; `more` is
 * added to its keys. */
const char *write_spec(const char *name, const char *more);
char *read_text_file(const char *path); /* free() it; fails the test if missing */
/* Column `name` of line `row` (0: the first picture) of a CSV without quoted fields, in a buffer
 * that the next call reuses. */
const char *csv_field(const char *csv, const char *name, int row);
int count_lines(const char *text);
#endif
