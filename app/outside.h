/* SPDX-License-Identifier: Apache-2.0
 * outside.h - what of a drawing is outside of its lines. */
#ifndef APP_OUTSIDE_H
#define APP_OUTSIDE_H

#include <stdint.h>

/* lines: width x height, not 0 where a line is. Of outside, as large and not the same memory, what
 * can be reached from the border without crossing a line (4-connected) becomes 1, all else 0.
 * stack: room for width x height. */
void find_outside(const uint8_t *lines, int width, int height, uint8_t *outside, int *stack);
#endif
