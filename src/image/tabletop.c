/* SPDX-License-Identifier: Apache-2.0
 *
 * tabletop.c - msk_table_remove(): what lies round a photographed sheet. Dark and wide, it comes in
 * from the picture's border and ends sharply, as a shadow does not: a soft shadow that lies across
 * both makes the sheet as dark as the table elsewhere, but the step between them stays. What the
 * table leaves is a sheet: light, large, with four corners. A light figure on a dark ground has
 * more of them, and stays as it is. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/filters.h"
#include "image/paper.h"
#include "image/pixel_group.h"

enum {
  LINE_WINDOW = 40,  /* a line is thinner than 2 / LINE_WINDOW of the longer side */
  DARK = 50,         /* percent of the sheet's light, where a table may begin */
  LIT = 67,          /* percent: what is lighter is no table, */
  MOST_LIT = 5,      /* if there is more of it than so many percent */
  LEAST_STEP = 10,   /* levels: less is grain in the dark */
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
  uint8_t *edge; /* 1: half as light again as something within the reach of an edge */
  uint8_t *mask; /* 1: table; 2: none, though the flood has reached it */
  uint32_t *stack;
  void *scratch;
  int reach; /* how wide an edge is */
  int light;
  size_t lit; /* pixels of the flood that are as light as the sheet */
} table;

static void find_wide(table *t) {
  uint32_t histogram[256] = {0};
  size_t below = 0;
  for (size_t i = 0; i < t->pixels; i++) t->wide[i] = msk_brightness(t->sketch->pixels + 3 * i);
  msk_close_dark(t->wide, t->width, t->height, t->longer / LINE_WINDOW, t->scratch);
  for (size_t i = 0; i < t->pixels; i++) histogram[t->wide[i]]++;
  while (t->light < 255 &&
         (below += histogram[t->light]) * 100 < t->pixels * (100 - LEAST_SHEET / 2))
    t->light++;
}

static void find_edges(table *t) {
  memcpy(t->edge, t->wide, t->pixels);
  msk_least_around(t->edge, t->width, t->height, t->reach, t->scratch);
  for (size_t i = 0; i < t->pixels; i++)
    t->edge[i] = 2 * t->wide[i] >= 3 * t->edge[i] + 2 * LEAST_STEP;
}

static bool take_dark(void *user, int x, int y) {
  table *t = user;
  size_t at = (size_t)y * (size_t)t->width + (size_t)x;
  if (t->mask[at] != 0 || t->edge[at] != 0) return false;
  t->mask[at] = 1;
  t->lit += t->wide[at] * 100 >= t->light * LIT;
  return true;
}

/* What is dark at (x, y) of the border, up to its edges; 0 where that is as light as the sheet. */
static size_t flood_from(table *t, int x, int y) {
  t->lit = 0;
  size_t pixels = msk_collect_group(t->width, t->height, x, y, t->stack, take_dark, t).pixels;
  bool is_table = t->lit * 100 <= pixels * MOST_LIT;
  for (size_t i = 0; !is_table && i < pixels; i++) t->mask[t->stack[i]] = 2;
  return is_table ? pixels : 0;
}

/* From the border inwards. Counts the table's pixels there and in all. */
static void flood(table *t, size_t *border, size_t *all) {
  *border = *all = 0;
  memset(t->mask, 0, t->pixels);
  for (int y = 0; y < t->height; y++) {
    bool inside = y > 0 && y + 1 < t->height;
    for (int x = 0; x < t->width; x += inside ? t->width - 1 : 1) { /* LEAST_SIDE: no step of 0 */
      size_t at = (size_t)y * (size_t)t->width + (size_t)x;
      if (t->mask[at] == 0 && t->wide[at] * 100 < t->light * DARK) *all += flood_from(t, x, y);
      *border += t->mask[at] == 1;
    }
  }
  for (size_t i = 0; i < t->pixels; i++) t->mask[i] = t->mask[i] == 1;
}

static bool take_wedge(void *user, int x, int y) {
  table *t = user;
  int wide = 2 * t->longer / LINE_WINDOW;
  bool near_border = x < wide || y < wide || x >= t->width - wide || y >= t->height - wide;
  size_t at = (size_t)y * (size_t)t->width + (size_t)x;
  if (!near_border || t->mask[at] != 0 ||
      msk_brightness(t->sketch->pixels + 3 * at) * 100 >= t->wide[at] * DARK)
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

/* Turned a little, a sheet's corners lie in the diagonals' directions; turned much, in the
 * axes'. */
static bool is_sheet(const table *t, size_t area) {
  for (int turn = 0; turn < 2; turn++) {
    double part = 2.0 * (double)area / (corner_area(t, turn) + 1);
    if (part * 100 > LEAST_SQUARE && part * 100 < MOST_SQUARE) return true;
  }
  return false;
}

/* Whether most of the table's edge is one: half as light again on its other side. */
static bool ends_sharply(const table *t) {
  int k = t->reach;
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

/* The sheet's own colour in the middle; returns its brightness without thin dark structures. */
static int find_colour(const table *t, uint8_t colour[3]) {
  uint32_t histogram[4][256] = {{0}}, total = 0;
  for (size_t i = 0; i < t->pixels; i++) {
    if (t->mask[i] != 0) continue;
    total++;
    for (size_t c = 0; c < 3; c++) histogram[c][t->sketch->pixels[3 * i + c]]++;
    histogram[3][t->wide[i]]++;
  }
  for (int c = 0; c < 3; c++) colour[c] = (uint8_t)msk_histogram_median(histogram[c], total);
  int usual = msk_histogram_median(histogram[3], total);
  return usual > 0 ? usual : 1;
}

static bool is_near_table(const table *t, int x, int y) {
  for (int dy = -t->reach; dy <= t->reach; dy += t->reach) {
    for (int dx = -t->reach; dx <= t->reach; dx += t->reach) {
      int u = x + dx, v = y + dy;
      if (u < 0 || v < 0 || u >= t->width || v >= t->height) continue;
      if (t->mask[(size_t)v * (size_t)t->width + (size_t)u] != 0) return true;
    }
  }
  return false;
}

#define NOWHERE UINT32_MAX

static int64_t distance(const table *t, size_t a, size_t b) {
  int64_t width = t->width, x = (int64_t)a % width - (int64_t)b % width,
          y = (int64_t)a / width - (int64_t)b / width;
  return x * x + y * y;
}

/* Takes over what is nearest to a neighbour, if there is one, where that is nearer. */
static void ask_neighbour(table *t, int x, int y, int dx, int dy) {
  size_t width = (size_t)t->width, at = (size_t)y * width + (size_t)x;
  if (x + dx < 0 || x + dx >= t->width || y + dy < 0 || y + dy >= t->height) return;
  uint32_t theirs = t->stack[(size_t)(y + dy) * width + (size_t)(x + dx)], own = t->stack[at];
  if (theirs == NOWHERE) return;
  if (own == NOWHERE || distance(t, at, theirs) < distance(t, at, own)) t->stack[at] = theirs;
}

/* The stack becomes, for each pixel, the nearest one of the sheet that the table's blurred edge
 * does not reach; in two passes, so that now and then it is one a little further off. */
static void find_nearest(table *t) {
  for (int y = 0; y < t->height; y++) {
    for (int x = 0; x < t->width; x++) {
      size_t at = (size_t)y * (size_t)t->width + (size_t)x;
      t->stack[at] = is_near_table(t, x, y) ? NOWHERE : (uint32_t)at;
      for (int dx = -1; dx <= 1; dx++) ask_neighbour(t, x, y, dx, -1);
      ask_neighbour(t, x, y, -1, 0);
    }
  }
  for (int y = t->height - 1; y >= 0; y--) {
    for (int x = t->width - 1; x >= 0; x--) {
      for (int dx = -1; dx <= 1; dx++) ask_neighbour(t, x, y, dx, 1);
      ask_neighbour(t, x, y, 1, 0);
    }
  }
}

/* The table, and the blurred edge of the sheet, become its colour, in the light that falls on it
 * there. */
static void cover(table *t, msk_image *sketch) {
  uint8_t colour[3];
  int usual = find_colour(t, colour);
  find_nearest(t);
  for (size_t i = 0; i < t->pixels; i++) {
    if (t->stack[i] == i || t->stack[i] == NOWHERE) continue;
    for (size_t c = 0; c < 3; c++) {
      int value = colour[c] * t->wide[t->stack[i]] / usual;
      sketch->pixels[3 * i + c] = (uint8_t)(value > 255 ? 255 : value);
    }
  }
}

static bool is_table(const table *t, size_t border, size_t all) {
  size_t round = 2 * ((size_t)t->width + (size_t)t->height);
  return border * 100 >= round * LEAST_BORDER && all * 100 >= t->pixels * LEAST_TABLE &&
         (t->pixels - all) * 100 >= t->pixels * LEAST_SHEET && is_sheet(t, t->pixels - all) &&
         ends_sharply(t);
}

/* Of the two windows either may be the larger one, in small pictures. */
static size_t scratch_of(const table *t) {
  size_t wide = msk_morphology_scratch(t->width, t->height, t->longer / LINE_WINDOW),
         edge = msk_morphology_scratch(t->width, t->height, t->reach);
  return wide > edge ? wide : edge;
}

msk_status msk_table_remove(bool *found, msk_image *sketch, const msk_allocator *allocator,
                            msk_error *error) {
  int width = sketch->width, height = sketch->height, longer = width > height ? width : height;
  table t = {.sketch = sketch, .width = width, .height = height, .longer = longer};
  size_t border, all;
  *found = false;
  if (width < LEAST_SIDE || height < LEAST_SIDE) return MSK_OK;
  t.pixels = (size_t)width * (size_t)height;
  t.reach = longer / BLURRED + 2;
  t.stack = msk_allocate(allocator, t.pixels, sizeof *t.stack);
  t.wide = msk_allocate(allocator, 3 * t.pixels + scratch_of(&t), 1);
  if (t.stack == NULL || t.wide == NULL) {
    msk_free(allocator, t.stack);
    msk_free(allocator, t.wide);
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for looking at a sketch of %d x %d pixels",
                    width, height);
  }
  t.edge = t.wide + t.pixels;
  t.mask = t.edge + t.pixels;
  t.scratch = t.mask + t.pixels;
  find_wide(&t);
  find_edges(&t);
  flood(&t, &border, &all);
  *found = is_table(&t, border, all);
  if (*found) {
    flood_wedges(&t);
    cover(&t, sketch);
  }
  msk_free(allocator, t.stack);
  msk_free(allocator, t.wide);
  return MSK_OK;
}
