/* SPDX-License-Identifier: Apache-2.0
 *
 * tabletop.c - msk_table_remove(): what lies round a photographed sheet. Dark and wide, it comes in
 * from the picture's border, ends sharply, as a shadow does not, and what it leaves is a sheet:
 * light, large, with four corners. A light figure on a dark ground has more of them, and stays as
 * it is. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/filters.h"
#include "image/paper.h"
#include "image/pixel_group.h"

enum {
  LINE_WINDOW = 40,  /* a line is thinner than 2 / LINE_WINDOW of the longer side */
  DARK = 50,         /* percent of the sheet's light */
  LEAST_BORDER = 30, /* percent of the picture's border that are table */
  LEAST_TABLE = 5,   /* percent of the picture */
  LEAST_SHEET = 30,  /* the same */
  SHARP = 80,        /* percent of its edge */
  LEAST_SQUARE = 93, /* percent that the sheet's area is of its corners': more where the picture */
  MOST_SQUARE = 120, /* cuts corners off */
  LEAST_SIDE = 48,   /* smaller pictures have no room for a table */
  BLURRED = 200      /* the edge is as wide as the longer side / BLURRED, and two pixels */
};

typedef struct table {
  const msk_image *sketch;
  int width, height, longer;
  size_t pixels;
  uint8_t *wide; /* brightness without thin dark structures */
  uint8_t *mask; /* 1: table */
  uint32_t *stack;
  void *scratch;
  int dark;
} table;

static void find_wide(table *t) {
  uint32_t histogram[256] = {0};
  size_t below = 0;
  int light = 0;
  for (size_t i = 0; i < t->pixels; i++) t->wide[i] = msk_brightness(t->sketch->pixels + 3 * i);
  msk_close_dark(t->wide, t->width, t->height, t->longer / LINE_WINDOW, t->scratch);
  for (size_t i = 0; i < t->pixels; i++) histogram[t->wide[i]]++;
  while (light < 255 && (below += histogram[light]) * 100 < t->pixels * (100 - LEAST_SHEET / 2))
    light++;
  t->dark = light * DARK / 100;
}

static bool take_dark(void *user, int x, int y) {
  table *t = user;
  size_t at = (size_t)y * (size_t)t->width + (size_t)x;
  if (t->mask[at] != 0 || t->wide[at] >= t->dark) return false;
  t->mask[at] = 1;
  return true;
}

/* From the border inwards. Counts its pixels there and in all. */
static void flood(table *t, size_t *border, size_t *all) {
  *border = *all = 0;
  memset(t->mask, 0, t->pixels);
  for (int y = 0; y < t->height; y++) {
    bool inside = y > 0 && y + 1 < t->height;
    for (int x = 0; x < t->width; x += inside ? t->width - 1 : 1) { /* LEAST_SIDE: no step of 0 */
      if (t->wide[(size_t)y * (size_t)t->width + (size_t)x] >= t->dark) continue;
      (*border)++;
      if (t->mask[(size_t)y * (size_t)t->width + (size_t)x] == 0)
        *all += msk_collect_group(t->width, t->height, x, y, t->stack, take_dark, t).pixels;
    }
  }
}

static bool take_wedge(void *user, int x, int y) {
  table *t = user;
  int wide = 2 * t->longer / LINE_WINDOW;
  bool near_border = x < wide || y < wide || x >= t->width - wide || y >= t->height - wide;
  size_t at = (size_t)y * (size_t)t->width + (size_t)x;
  if (!near_border || t->mask[at] != 0 || msk_brightness(t->sketch->pixels + 3 * at) >= t->dark)
    return false;
  t->mask[at] = 1;
  return true;
}

/* Between a slanting sheet and the picture's border the table ends in wedges, thin as lines. */
static void flood_wedges(table *t) {
  for (int y = 0; y < t->height; y++) {
    bool inside = y > 0 && y + 1 < t->height;
    for (int x = 0; x < t->width; x += inside ? t->width - 1 : 1)
      msk_collect_group(t->width, t->height, x, y, t->stack, take_wedge, t);
  }
}

/* Twice the area between the four points that lie farthest out in the directions (1, turn),
 * (-turn, 1) and their opposites. */
static double corner_area(const table *t, int turn) {
  const int directions[4][2] = {{1, turn}, {-turn, 1}, {-1, -turn}, {turn, -1}};
  double corners[4][2] = {{0}}, farthest[4] = {-1e9, -1e9, -1e9, -1e9}, sum = 0;
  for (int y = 0; y < t->height; y++) {
    for (int x = 0; x < t->width; x++) {
      if (t->mask[(size_t)y * (size_t)t->width + (size_t)x] != 0) continue;
      for (int d = 0; d < 4; d++) {
        double far = directions[d][0] * x + directions[d][1] * y;
        if (far <= farthest[d]) continue;
        farthest[d] = far;
        corners[d][0] = x, corners[d][1] = y;
      }
    }
  }
  for (int d = 0; d < 4; d++) {
    const double *a = corners[d], *b = corners[(d + 1) % 4];
    sum += a[0] * b[1] - a[1] * b[0];
  }
  return sum < 0 ? -sum : sum;
}

/* Turned a little, a sheet's corners lie in the diagonals' directions; turned much, in the axes'. */
static bool is_sheet(const table *t, size_t area) {
  for (int turn = 0; turn < 2; turn++) {
    double part = 2.0 * (double)area / (corner_area(t, turn) + 1);
    if (part * 100 > LEAST_SQUARE && part * 100 < MOST_SQUARE) return true;
  }
  return false;
}

/* Whether most of the table's edge is one: half as light again on its other side. */
static bool ends_sharply(const table *t) {
  int k = t->longer / BLURRED + 2;
  size_t edges = 0, sharp = 0;
  for (int y = k; y + k < t->height; y++) {
    for (int x = k; x + k < t->width; x++) {
      const int steps[4] = {1, -1, t->width, -t->width};
      size_t at = (size_t)y * (size_t)t->width + (size_t)x;
      for (int d = 0; t->mask[at] != 0 && d < 4; d++) {
        if (t->mask[at + (size_t)steps[d]] != 0) continue;
        edges++;
        sharp +=
            2 * t->wide[at + (size_t)(k * steps[d])] >= 3 * t->wide[at - (size_t)(k * steps[d])];
      }
    }
  }
  return sharp * 100 >= edges * SHARP;
}

/* The sheet's own colour in the middle. */
static void find_colour(const table *t, uint8_t colour[3]) {
  uint32_t histogram[3][256] = {{0}}, total = 0;
  for (size_t i = 0; i < t->pixels; i++) {
    if (t->mask[i] != 0) continue;
    total++;
    for (size_t c = 0; c < 3; c++) histogram[c][t->sketch->pixels[3 * i + c]]++;
  }
  for (int c = 0; c < 3; c++) {
    uint32_t below = 0;
    int value = 0;
    while (value < 255 && (below += histogram[c][value]) * 2 <= total) value++;
    colour[c] = (uint8_t)value;
  }
}

/* The table, and the blurred edge of the sheet, become its colour. */
static void cover(const table *t, msk_image *sketch) {
  int reach = t->longer / BLURRED + 2;
  uint8_t colour[3];
  find_colour(t, colour);
  for (int y = 0; y < t->height; y++) {
    for (int x = 0; x < t->width; x++) {
      bool near = false;
      for (int dy = -reach; dy <= reach && !near; dy += reach) {
        for (int dx = -reach; dx <= reach && !near; dx += reach) {
          int u = x + dx, v = y + dy;
          if (u < 0 || v < 0 || u >= t->width || v >= t->height) continue;
          near = t->mask[(size_t)v * (size_t)t->width + (size_t)u] != 0;
        }
      }
      if (near) memcpy(sketch->pixels + 3 * ((size_t)y * (size_t)t->width + (size_t)x), colour, 3);
    }
  }
}

msk_status msk_table_remove(bool *found, msk_image *sketch, const msk_allocator *allocator,
                            msk_error *error) {
  int width = sketch->width, height = sketch->height, longer = width > height ? width : height;
  table t = {.sketch = sketch, .width = width, .height = height, .longer = longer};
  size_t border, all, round;
  *found = false;
  if (width < LEAST_SIDE || height < LEAST_SIDE) return MSK_OK;
  t.pixels = (size_t)width * (size_t)height;
  t.stack = msk_allocate(allocator, t.pixels, sizeof *t.stack);
  t.wide = msk_allocate(
      allocator, 2 * t.pixels + msk_morphology_scratch(width, height, longer / LINE_WINDOW), 1);
  if (t.stack == NULL || t.wide == NULL) {
    msk_free(allocator, t.stack);
    msk_free(allocator, t.wide);
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for looking at a sketch of %d x %d pixels",
                    width, height);
  }
  t.mask = t.wide + t.pixels;
  t.scratch = t.mask + t.pixels;
  find_wide(&t);
  flood(&t, &border, &all);
  round = 2 * ((size_t)width + (size_t)height);
  *found = border * 100 >= round * LEAST_BORDER && all * 100 >= t.pixels * LEAST_TABLE &&
           (t.pixels - all) * 100 >= t.pixels * LEAST_SHEET && is_sheet(&t, t.pixels - all) &&
           ends_sharply(&t);
  if (*found) flood_wedges(&t);
  if (*found) cover(&t, sketch);
  msk_free(allocator, t.stack);
  msk_free(allocator, t.wide);
  return MSK_OK;
}
