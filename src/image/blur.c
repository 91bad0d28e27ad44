/* SPDX-License-Identifier: Apache-2.0
 *
 * blur.c - see blur.h. After P. Gwosdek et al., "Theoretical Foundations of Gaussian Convolution
 * by Extended Box Filtering" (2011), in the arithmetic of Pillow's src/libImaging/BoxBlur.c: a
 * float32 box radius, 24-bit fixed-point weights, 8 bits between the passes. */
#include "image/blur.h"

#include <math.h>

#define PASSES 3

typedef struct box {
  int radius; /* whole part: these pixels have full weight on either side */
  /* of the full pixels and of the one beyond them, 24-bit fixed point */
  uint32_t weight, far_weight;
} box;

static box box_of_deviation(float deviation) {
  float variance = deviation * deviation / PASSES;
  float length = (float)sqrt(12.0 * (double)variance + 1.0);
  float whole = (float)floor(((double)length - 1.0) / 2.0);
  float part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  part /= 6 * (variance - (whole + 1) * (whole + 1));
  float radius = whole + part;
  box b = {.radius = (int)radius};
  b.weight = (uint32_t)((float)(1 << 24) / (radius * 2 + 1));
  b.far_weight = ((1u << 24) - (uint32_t)(b.radius * 2 + 1) * b.weight) / 2;
  return b;
}

static inline int clamp_index(int index, int count) {
  return index < 0 ? 0 : index >= count ? count - 1 : index;
}

static void blur_line(box b, const uint8_t *in, uint8_t *out, int count) {
  uint32_t sum = 0;
  for (int i = -b.radius; i <= b.radius; i++) sum += in[clamp_index(i, count)];
  for (int x = 0; x < count; x++) {
    uint32_t left = in[clamp_index(x - b.radius - 1, count)],
             right = in[clamp_index(x + b.radius + 1, count)];
    out[x] = (uint8_t)((sum * b.weight + (left + right) * b.far_weight + (1u << 23)) >> 24);
    sum += right - in[clamp_index(x - b.radius, count)];
  }
}

/* Three passes over the `count` bytes that stand `step` apart; `line` has room for 2 * count. */
static void blur_strided(box b, uint8_t *pixels, size_t step, int count, uint8_t *line) {
  uint8_t *other = line + count;
  for (int i = 0; i < count; i++) line[i] = pixels[(size_t)i * step];
  blur_line(b, line, other, count);
  blur_line(b, other, line, count);
  blur_line(b, line, other, count);
  for (int i = 0; i < count; i++) pixels[(size_t)i * step] = other[i];
}

size_t msk_blur_scratch(int width, int height) {
  return 2 * (size_t)(width > height ? width : height);
}

void msk_gaussian_blur(uint8_t *pixels, int width, int height, float radius, void *scratch) {
  if (radius <= 0) return;
  box b = box_of_deviation(radius);
  for (int y = 0; y < height; y++)
    blur_strided(b, pixels + (size_t)y * (size_t)width, 1, width, scratch);
  for (int x = 0; x < width; x++) blur_strided(b, pixels + x, (size_t)width, height, scratch);
}
