/* SPDX-License-Identifier: Apache-2.0
 * paper.c - see paper.h. The ruling is in ruling.c. */
#include "image/paper.h"

#include <stdlib.h>
#include <string.h>

#define CELLS (MSK_GROUND_CELLS * MSK_GROUND_CELLS)
#define WHITE 250        /* paper from here on is left as it is */
#define DARKEST_PAPER 64 /* what is darker is a fill */
#define SAME_PAPER 3     /* levels that cells of one flat colour may differ by */
#define LEAST_CHANNEL 64 /* a part of a colour that can be divided out */
#define STANDS_OUT 24    /* levels between a line and its ground */
#define SAME_LIGHT 88    /* percent that light and the edges of a shadow leave, to the next cell */
#define SOFT 60          /* percent: a step that is deeper is an edge */
#define DEEPEST 30     /* percent of the paper's brightness: what is darker is no paper in shadow */
#define DIMMED 92      /* percent: what is lighter lies in no shadow */
#define LEAST_SHADOW 4 /* percent of the cells */
#define LIT 160        /* brightness of paper where light falls on it; of a board it is less */

uint8_t msk_brightness(const uint8_t rgb[3]) {
  return (uint8_t)((299u * rgb[0] + 587u * rgb[1] + 114u * rgb[2] + 500) / 1000);
}

int msk_ground_cell(const msk_image *sketch, int x, int y) {
  return y * MSK_GROUND_CELLS / sketch->height * MSK_GROUND_CELLS +
         x * MSK_GROUND_CELLS / sketch->width;
}

uint8_t msk_histogram_median(const uint32_t histogram[256], uint64_t total) {
  uint64_t below = 0;
  int value = 0;
  while (value < 255 && (below += histogram[value]) * 2 <= total) value++;
  return (uint8_t)value;
}

/* Counts `count` pixels, by channel. Paper is mostly of one colour, which is seen at a glance. */
static void count_colours(uint32_t histogram[3][256], const uint8_t *pixel, size_t count) {
  if (memcmp(pixel, pixel + 3, 3 * (count - 1)) == 0) {
    for (int c = 0; c < 3; c++) histogram[c][pixel[c]] += (uint32_t)count;
    return;
  }
  for (size_t i = 0; i < count; i++, pixel += 3) {
    for (int c = 0; c < 3; c++) histogram[c][pixel[c]]++;
  }
}

/* Pixels of a cell: those whose msk_ground_cell() it is; at least one where a side is shorter than
 * the grid. */
static void find_cell(uint8_t colour[3], const msk_image *sketch, int column, int row) {
  int left = (column * sketch->width + MSK_GROUND_CELLS - 1) / MSK_GROUND_CELLS,
      right = ((column + 1) * sketch->width + MSK_GROUND_CELLS - 1) / MSK_GROUND_CELLS,
      top = (row * sketch->height + MSK_GROUND_CELLS - 1) / MSK_GROUND_CELLS,
      bottom = ((row + 1) * sketch->height + MSK_GROUND_CELLS - 1) / MSK_GROUND_CELLS;
  uint32_t histogram[3][256] = {{0}};
  if (left >= right) left = right - 1 > 0 ? right - 1 : 0, right = left + 1;
  if (top >= bottom) top = bottom - 1 > 0 ? bottom - 1 : 0, bottom = top + 1;
  for (int y = top; y < bottom; y++) {
    count_colours(histogram,
                  sketch->pixels + 3 * ((size_t)y * (size_t)sketch->width + (size_t)left),
                  (size_t)(right - left));
  }
  uint32_t total = (uint32_t)(right - left) * (uint32_t)(bottom - top);
  for (int c = 0; c < 3; c++) colour[c] = msk_histogram_median(histogram[c], total);
}

void msk_ground_find(msk_ground *ground, const msk_image *sketch) {
  for (int i = 0; i < CELLS; i++) {
    find_cell(ground->colours[i], sketch, i % MSK_GROUND_CELLS, i / MSK_GROUND_CELLS);
    ground->grey[i] = msk_brightness(ground->colours[i]);
  }
}

/* ---- What kind of paper ---- */

static bool is_near(const uint8_t a[3], const uint8_t b[3], int levels) {
  return abs(a[0] - b[0]) <= levels && abs(a[1] - b[1]) <= levels && abs(a[2] - b[2]) <= levels;
}

/* How many cells have the colour of cell `of`. */
static int count_like(const msk_ground *ground, int of) {
  int count = 0;
  for (int i = 0; i < CELLS; i++)
    count += is_near(ground->colours[i], ground->colours[of], SAME_PAPER);
  return count;
}

/* Parts of red and blue in a colour, in 1/1000. */
static void find_tint(int tint[2], const uint8_t colour[3]) {
  int sum = colour[0] + colour[1] + colour[2] + 1;
  tint[0] = 1000 * colour[0] / sum;
  tint[1] = 1000 * colour[2] / sum;
}

int msk_compare_ints(const void *left, const void *right) {
  const int *a = left, *b = right;
  return (*a > *b) - (*a < *b);
}

/* Paper has one tint in light and in shadow; a scene has many. */
static bool has_one_tint(const msk_ground *ground) {
  int tints[2][CELLS], sorted[2][CELLS], alike = 0;
  for (int i = 0; i < CELLS; i++) {
    int tint[2];
    find_tint(tint, ground->colours[i]);
    for (int k = 0; k < 2; k++) tints[k][i] = sorted[k][i] = tint[k];
  }
  for (int k = 0; k < 2; k++) qsort(sorted[k], CELLS, sizeof sorted[k][0], msk_compare_ints);
  for (int i = 0; i < CELLS; i++) {
    alike += abs(tints[0][i] - sorted[0][CELLS / 2]) <= 30 &&
             abs(tints[1][i] - sorted[1][CELLS / 2]) <= 30;
  }
  return alike * 100 >= CELLS * 65;
}

/* Percent of the neighbouring cells of which the darker one is less than so many percent of the
 * lighter. */
static int roughness(const msk_ground *ground, int least) {
  int rough = 0, pairs = 0;
  for (int i = 0; i < CELLS; i++) {
    for (int step = 1; step <= MSK_GROUND_CELLS; step += MSK_GROUND_CELLS - 1) {
      bool last = step == 1 ? i % MSK_GROUND_CELLS == MSK_GROUND_CELLS - 1 : i + step >= CELLS;
      if (last) continue;
      int a = ground->grey[i], b = ground->grey[i + step], lighter = a > b ? a : b;
      rough += abs(a - b) * 100 > (100 - least) * lighter;
      pairs++;
    }
  }
  return 100 * rough / pairs;
}

/* Percent of the pixels that lie within `levels` of their ground. */
static int part_near_ground(const msk_image *sketch, const msk_ground *ground, int levels) {
  size_t near = 0, total = (size_t)sketch->width * (size_t)sketch->height;
  const uint8_t *pixel = sketch->pixels;
  for (int y = 0; y < sketch->height; y++) {
    for (int x = 0; x < sketch->width; x++, pixel += 3) {
      near += abs(msk_brightness(pixel) - ground->grey[msk_ground_cell(sketch, x, y)]) <= levels;
    }
  }
  return (int)(100 * near / total);
}

/* At the border of the grid, or with a neighbour that is. */
static bool is_beside(const bool reached[CELLS], int i) {
  int x = i % MSK_GROUND_CELLS, y = i / MSK_GROUND_CELLS, last = MSK_GROUND_CELLS - 1;
  return x == 0 || y == 0 || x == last || y == last || reached[i - 1] || reached[i + 1] ||
         reached[i - MSK_GROUND_CELLS] || reached[i + MSK_GROUND_CELLS];
}

/* Whether part of a sheet whose paper is mostly even lies in a shadow: cells as dim as a shadow
 * makes paper, of its tint, from a border on. A flat fill is all alike, a shadow is not. */
static bool is_part_in_shadow(const msk_ground *ground, int commonest) {
  bool dim[CELLS], reached[CELLS] = {false};
  int paper[2], brightness = ground->grey[commonest], count = 0, least = 255, most = 0;
  find_tint(paper, ground->colours[commonest]);
  for (int i = 0; i < CELLS; i++) {
    int tint[2], grey = ground->grey[i];
    find_tint(tint, ground->colours[i]);
    dim[i] = grey * 100 > brightness * DEEPEST && grey * 100 < brightness * DIMMED &&
             abs(tint[0] - paper[0]) <= 30 && abs(tint[1] - paper[1]) <= 30;
  }
  for (bool grows = true; grows;) {
    grows = false;
    for (int i = 0; i < CELLS; i++) {
      if (reached[i] || !dim[i] || !is_beside(reached, i)) continue;
      reached[i] = grows = true;
    }
  }
  for (int i = 0; i < CELLS; i++) {
    if (!reached[i]) continue;
    count++;
    least = ground->grey[i] < least ? ground->grey[i] : least;
    most = ground->grey[i] > most ? ground->grey[i] : most;
  }
  return count * 100 >= CELLS * LEAST_SHADOW && most - least > 2 * SAME_PAPER;
}

msk_paper msk_paper_judge(uint8_t colour[3], const msk_image *sketch) {
  msk_ground ground;
  int commonest = 0, count = 0;
  msk_ground_find(&ground, sketch);
  for (int i = 0; i < CELLS; i++) {
    int alike = count_like(&ground, i);
    if (alike > count) commonest = i, count = alike;
  }
  const uint8_t *paper = ground.colours[commonest];
  bool flat = 2 * count >= CELLS && !is_part_in_shadow(&ground, commonest);
  if (flat && (msk_brightness(paper) < DARKEST_PAPER ||
               (paper[0] >= WHITE && paper[1] >= WHITE && paper[2] >= WHITE)))
    return MSK_PAPER_AS_IS;
  /* grain is the camera's, even where the light is even */
  if (flat && part_near_ground(sketch, &ground, 1) >= 60) {
    memcpy(colour, paper, 3);
    return MSK_PAPER_TINTED;
  }
  bool drawn = has_one_tint(&ground) && roughness(&ground, SAME_LIGHT) < 27 &&
               part_near_ground(sketch, &ground, STANDS_OUT) >= 70;
  return drawn ? MSK_PAPER_PHOTOGRAPHED : MSK_PAPER_AS_IS;
}

static int middle_grey(const msk_ground *ground) {
  uint32_t histogram[256] = {0};
  for (int i = 0; i < CELLS; i++) histogram[ground->grey[i]]++;
  return msk_histogram_median(histogram, CELLS);
}

bool msk_paper_is_in_shadow(const msk_image *sketch) {
  msk_ground ground;
  int lit = 0;
  msk_ground_find(&ground, sketch);
  for (int i = 0; i < CELLS; i++) lit += ground.grey[i] >= LIT;
  return lit * 10 >= CELLS && has_one_tint(&ground) && roughness(&ground, SOFT) < 1 &&
         part_near_ground(sketch, &ground, STANDS_OUT) >= 60;
}

bool msk_paper_is_written_light(const msk_image *sketch) {
  msk_ground ground;
  uint64_t light = 0, dark = 0;
  const uint8_t *pixel = sketch->pixels;
  msk_ground_find(&ground, sketch);
  int paper = middle_grey(&ground);
  if (paper > 255 - STANDS_OUT) return false;
  for (int y = 0; y < sketch->height; y++) {
    for (int x = 0; x < sketch->width; x++, pixel += 3) {
      /* what is lighter than a filled area is paper */
      if (2 * ground.grey[msk_ground_cell(sketch, x, y)] < paper) continue;
      int over = msk_brightness(pixel) - ground.grey[msk_ground_cell(sketch, x, y)];
      if (over > STANDS_OUT) light += (unsigned)over;
      if (over < -STANDS_OUT) dark += (unsigned)-over;
    }
  }
  return light > 2 * dark && part_near_ground(sketch, &ground, STANDS_OUT) >= 60;
}

static uint8_t level(unsigned value, unsigned white) {
  if (white == 0) white = 1;
  value = (value * 255 + white / 2) / white;
  return (uint8_t)(value > 255 ? 255 : value);
}

void msk_paper_level(msk_image *sketch, const uint8_t colour[3]) {
  size_t pixels = (size_t)sketch->width * (size_t)sketch->height;
  bool saturated = false;
  for (int c = 0; c < 3; c++)
    saturated = saturated || (colour[c] < LEAST_CHANNEL && 2 * colour[c] < msk_brightness(colour));
  for (uint8_t *p = sketch->pixels; pixels > 0; pixels--, p += 3) {
    if (saturated) memset(p, msk_brightness(p), 3);
    for (int c = 0; c < 3; c++) p[c] = level(p[c], saturated ? msk_brightness(colour) : colour[c]);
  }
}
