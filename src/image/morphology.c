/* SPDX-License-Identifier: Apache-2.0
 *
 * morphology.c - see morphology.h. Each line by the running maximum of M. van Herk (1992) and J.
 * Gil & M. Werman (1993): maxima from the left and from the right within blocks of a window's
 * length; any window is the end of one block and the beginning of the next. */
#include "image/morphology.h"

#include <string.h>

/* Length of the line with `radius` zeros on either side, filled up to whole windows. */
static size_t padded_length(int count, int radius) {
  size_t window = 2 * (size_t)radius + 1;
  return ((size_t)count + 2 * (size_t)radius + window - 1) / window * window;
}

size_t msk_morphology_scratch(int width, int height, int radius) {
  return 3 * padded_length(width > height ? width : height, radius);
}

/* `flip` 255 turns the greatest into the least. */
static void line_extreme(uint8_t *pixels, size_t step, int count, int radius, uint8_t flip,
                         uint8_t *scratch) {
  size_t window = 2 * (size_t)radius + 1, length = padded_length(count, radius);
  uint8_t *line = scratch, *from_left = scratch + length, *from_right = scratch + 2 * length;
  memset(line, 0, length);
  for (int i = 0; i < count; i++) line[radius + i] = pixels[(size_t)i * step] ^ flip;
  for (size_t block = 0; block < length; block += window) {
    uint8_t left = 0, right = 0;
    for (size_t i = 0; i < window; i++) {
      if (line[block + i] > left) left = line[block + i];
      from_left[block + i] = left;
      if (line[block + window - 1 - i] > right) right = line[block + window - 1 - i];
      from_right[block + window - 1 - i] = right;
    }
  }
  for (size_t i = 0; i < (size_t)count; i++) {
    uint8_t a = from_right[i], b = from_left[i + window - 1];
    pixels[i * step] = (a > b ? a : b) ^ flip;
  }
}

static void extreme(uint8_t *pixels, int width, int height, int radius, uint8_t flip,
                    void *scratch) {
  for (int y = 0; y < height; y++)
    line_extreme(pixels + (size_t)y * (size_t)width, 1, width, radius, flip, scratch);
  for (int x = 0; x < width; x++)
    line_extreme(pixels + x, (size_t)width, height, radius, flip, scratch);
}

void msk_close_dark(uint8_t *pixels, int width, int height, int radius, void *scratch) {
  extreme(pixels, width, height, radius, 0, scratch);
  extreme(pixels, width, height, radius, 255, scratch);
}

void msk_open_light(uint8_t *pixels, int width, int height, int radius, void *scratch) {
  extreme(pixels, width, height, radius, 255, scratch);
  extreme(pixels, width, height, radius, 0, scratch);
}
