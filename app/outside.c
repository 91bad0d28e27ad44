/* SPDX-License-Identifier: Apache-2.0
 * outside.c - see outside.h. */
#include "app/outside.h"

#include <stddef.h>
#include <string.h>

typedef struct flood {
  const uint8_t *lines;
  uint8_t *outside;
  int width, height;
  int *stack; /* places yet to look around from */
  size_t waiting;
} flood;

static void wet(flood *f, int x, int y) {
  if (x < 0 || y < 0 || x >= f->width || y >= f->height) return;
  size_t place = (size_t)y * (size_t)f->width + (size_t)x;
  if (f->lines[place] != 0 || f->outside[place] != 0) return;
  f->outside[place] = 1;
  f->stack[f->waiting++] = (int)place;
}

void find_outside(const uint8_t *lines, int width, int height, uint8_t *outside, int *stack) {
  flood f = {lines, outside, width, height, stack, 0};
  memset(outside, 0, (size_t)width * (size_t)height);
  for (int x = 0; x < width; x++) {
    wet(&f, x, 0);
    wet(&f, x, height - 1);
  }
  for (int y = 0; y < height; y++) {
    wet(&f, 0, y);
    wet(&f, width - 1, y);
  }
  while (f.waiting > 0) {
    int place = stack[--f.waiting], x = place % width, y = place / width;
    wet(&f, x - 1, y);
    wet(&f, x + 1, y);
    wet(&f, x, y - 1);
    wet(&f, x, y + 1);
  }
}
