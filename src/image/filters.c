/* SPDX-License-Identifier: Apache-2.0
 *
 * filters.c - see filters.h. */
#include "image/filters.h"

#include <math.h>
#include <string.h>

/* ---- Gaussian blur ---- */

/* After P. Gwosdek et al., "Theoretical Foundations of Gaussian Convolution by Extended Box
 * Filtering" (2011), in the arithmetic of Pillow's src/libImaging/BoxBlur.c: a
 * float32 box radius, 24-bit fixed-point weights, 8 bits between the passes. */

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
  if (index < 0) return 0;
  return index >= count ? count - 1 : index;
}

/* Of the full pixels' sum, and that of the two beyond them. */
static inline uint8_t blurred(box b, uint32_t sum, uint32_t far_sum) {
  return (uint8_t)((sum * b.weight + far_sum * b.far_weight + (1u << 23)) >> 24);
}

/* Pixels [from, to), where the window may end beyond the line; sum: of the full pixels of the
 * first. Returns that of pixel `to`. */
static uint32_t blur_end(box b, const uint8_t *in, uint8_t *out, int count, int from, int to,
                         uint32_t sum) {
  for (int x = from; x < to; x++) {
    uint32_t left = in[clamp_index(x - b.radius - 1, count)],
             right = in[clamp_index(x + b.radius + 1, count)];
    out[x] = blurred(b, sum, left + right);
    sum += right - in[clamp_index(x - b.radius, count)];
  }
  return sum;
}

static void blur_line(box b, const uint8_t *in, uint8_t *out, int count) {
  int reach = b.radius + 1, first = reach < count ? reach : count,
      last = count - reach > first ? count - reach : first;
  uint32_t sum = 0;
  for (int i = -b.radius; i <= b.radius; i++) sum += in[clamp_index(i, count)];
  sum = blur_end(b, in, out, count, 0, first, sum);
  for (int x = first; x < last; x++) {
    out[x] = blurred(b, sum, (uint32_t)in[x - reach] + in[x + reach]);
    sum += (uint32_t)in[x + reach] - in[x - b.radius];
  }
  blur_end(b, in, out, count, last, count, sum);
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

/* ---- Greatest and least ---- */

/* Each line by the running maximum of M. van Herk (1992) and J. Gil & M. Werman (1993): maxima from
 * the left and from the right within blocks of a window's length; any window is the end of one
 * block and the beginning of the next. Lines go LANES at a time, side by side. */
enum { LANES = 32 };

/* Length of the line with `radius` zeros on either side, filled up to whole windows. */
static size_t padded_length(int count, int radius) {
  size_t window = 2 * (size_t)radius + 1;
  return ((size_t)count + 2 * (size_t)radius + window - 1) / window * window;
}

size_t msk_morphology_scratch(int width, int height, int radius) {
  return 3 * LANES * padded_length(width > height ? width : height, radius);
}

/* What lines are worked on in: themselves with zeros around them, and the running maxima. */
typedef struct running {
  uint8_t *line, *from_left, *from_right;
  size_t window, length;
} running;

static running place_running(int count, int radius, uint8_t *scratch) {
  running r = {.line = scratch, .window = 2 * (size_t)radius + 1};
  r.length = padded_length(count, radius);
  r.from_left = r.line + r.length * LANES;
  r.from_right = r.from_left + r.length * LANES;
  return r;
}

/* to[] = the greater of a[] and b[], of LANES lines. */
static void greater(uint8_t *to, const uint8_t *a, const uint8_t *b) {
  for (int k = 0; k < LANES; k++) to[k] = a[k] > b[k] ? a[k] : b[k];
}

static void run_lanes(const running *r) {
  for (size_t block = 0; block < r->length; block += r->window) {
    size_t first = block * LANES, last = (block + r->window - 1) * LANES;
    memcpy(r->from_left + first, r->line + first, LANES);
    memcpy(r->from_right + last, r->line + last, LANES);
    for (size_t at = first + LANES; at <= last; at += LANES)
      greater(r->from_left + at, r->from_left + at - LANES, r->line + at);
    for (size_t at = last; at > first; at -= LANES)
      greater(r->from_right + at - LANES, r->from_right + at, r->line + at - LANES);
  }
}

/* `lanes` lines, at most LANES, that stand `across` apart, of `count` pixels that stand `along`
 * apart. `flip` 255 turns the greatest into the least. */
static void lines_extreme(uint8_t *pixels, size_t along, size_t across, size_t lanes, int count,
                          int radius, uint8_t flip, uint8_t *scratch) {
  const running r = place_running(count, radius, scratch);
  memset(r.line, 0, r.length * LANES);
  for (size_t i = 0; i < (size_t)count; i++) {
    uint8_t *to = r.line + ((size_t)radius + i) * LANES;
    for (size_t k = 0; k < lanes; k++) to[k] = pixels[i * along + k * across] ^ flip;
  }
  run_lanes(&r);
  for (size_t i = 0; i < (size_t)count; i++) {
    uint8_t both[LANES];
    greater(both, r.from_right + i * LANES, r.from_left + (i + r.window - 1) * LANES);
    for (size_t k = 0; k < lanes; k++) pixels[i * along + k * across] = both[k] ^ flip;
  }
}

static void extreme(uint8_t *pixels, int width, int height, int radius, uint8_t flip,
                    void *scratch) {
  size_t row = (size_t)width, rows = (size_t)height;
  for (size_t y = 0; y < rows; y += LANES)
    lines_extreme(pixels + y * row, 1, row, rows - y < LANES ? rows - y : LANES, width, radius,
                  flip, scratch);
  for (size_t x = 0; x < row; x += LANES)
    lines_extreme(pixels + x, row, 1, row - x < LANES ? row - x : LANES, height, radius, flip,
                  scratch);
}

void msk_close_dark(uint8_t *pixels, int width, int height, int radius, void *scratch) {
  extreme(pixels, width, height, radius, 0, scratch);
  extreme(pixels, width, height, radius, 255, scratch);
}

void msk_open_light(uint8_t *pixels, int width, int height, int radius, void *scratch) {
  extreme(pixels, width, height, radius, 255, scratch);
  extreme(pixels, width, height, radius, 0, scratch);
}

void msk_least_around(uint8_t *pixels, int width, int height, int radius, void *scratch) {
  extreme(pixels, width, height, radius, 255, scratch);
}

/* ---- Area mean ---- */

/* Rows first: the pixels under an output row are added up column by column, then along the
 * row. */

/* Source cells under output cell i, in units of 1/size of a source cell: cell j covers j * size
 * .. (j + 1) * size, the output cell i * side .. (i + 1) * side. All whole numbers, so the parts
 * are exact. */
static size_t first_cell(size_t i, size_t side, size_t size) { return i * side / size; }
static size_t end_cell(size_t i, size_t side, size_t size) {
  return ((i + 1) * side + size - 1) / size;
}

static double overlap(size_t i, size_t j, size_t side, size_t size) {
  size_t from = i * side > j * size ? i * side : j * size;
  size_t to = (i + 1) * side < (j + 1) * size ? (i + 1) * side : (j + 1) * size;
  return (double)(to - from);
}

void msk_area_mean(const uint8_t *in, size_t width, size_t height, size_t size, double *row,
                   float *out) {
  double whole = (double)width * (double)height;
  for (size_t y = 0; y < size; y++) {
    memset(row, 0, width * 3 * sizeof *row);
    for (size_t j = first_cell(y, height, size); j < end_cell(y, height, size); j++) {
      double part = overlap(y, j, height, size);
      for (size_t k = 0; k < width * 3; k++) row[k] += part * in[j * width * 3 + k];
    }
    for (size_t x = 0; x < size; x++, out += 3) {
      double sum[3] = {0, 0, 0};
      for (size_t j = first_cell(x, width, size); j < end_cell(x, width, size); j++) {
        double part = overlap(x, j, width, size);
        for (size_t c = 0; c < 3; c++) sum[c] += part * row[j * 3 + c];
      }
      for (size_t c = 0; c < 3; c++) out[c] = (float)(sum[c] / whole);
    }
  }
}
