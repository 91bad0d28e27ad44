/* SPDX-License-Identifier: Apache-2.0
 *
 * edge.c - what lies along one border of a sheet and is not drawn: the soft dark edge of a scan or
 * of a book's fold, the holes of a binding, and those of a punch. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/paper.h"
#include "image/pixel_group.h"

enum {
  LEAST_SIDE = 96,   /* smaller pictures show no binding */
  STRIP = 10,        /* an edge takes less than one part in so many of the side across, */
  MOST_ROWS = 512,   /* and fewer pixels */
  LIGHT_PAPER = 128, /* brightness: a board has no such edges */
  LIT = 97,          /* percent of the paper's brightness: as light as the paper */
  DARK = 88,         /* percent: an edge is darker than this at the border */
  STEEPEST = 45,     /* percent of the rise in one pixel: more is the edge of a line, not a shade */
  INK = 70,          /* percent of the paper's brightness: a hole is darker */
  LEAST_HOLES = 7,   /* along a border */
  MOST_HOLES = 128,
  SPECK = 200, /* what is shorter than one part in so many of the border is dust */
  SPAN = 60,   /* percent of the border that they reach over */
  EVEN = 80,   /* percent of the gaps that are alike */
  ROUND = 65,  /* percent of a gap that a hole takes at most, along the border */
  MOST_PUNCHED = 4,
  LEAST_DISC = 12, /* thousandths of the longer side: 6 mm of A4 are 20 */
  MOST_DISC = 50,
  LEAST_FILL = 70, /* percent of its box that a disc takes: 79 */
  MOST_FILL = 88,
  APART = 22,    /* percent of the border from the first to the last: 80 mm of A4 are 27 */
  OFF_CENTRE = 5 /* percent of the border that the middle of all may lie off its middle */
};

/* A border of a picture: pixel (along, inwards) from it. */
typedef struct border {
  msk_image *image;
  int side; /* top, bottom, left, right */
} border;

static int border_length(border b) { return b.side < 2 ? b.image->width : b.image->height; }
static int border_strip(border b) {
  int strip = (b.side < 2 ? b.image->height : b.image->width) / STRIP;
  return strip < MOST_ROWS ? strip : MOST_ROWS - 1;
}

static void border_place(border b, int along, int inwards, int *x, int *y) {
  int across = b.side < 2 ? b.image->height : b.image->width,
      far = b.side % 2 == 0 ? inwards : across - 1 - inwards;
  *x = b.side < 2 ? along : far;
  *y = b.side < 2 ? far : along;
}

static int border_distance(border b, int x, int y) {
  const int distances[] = {y, b.image->height - 1 - y, x, b.image->width - 1 - x};
  return distances[b.side];
}

static uint8_t *border_pixel(border b, int along, int inwards) {
  int x, y;
  border_place(b, along, inwards, &x, &y);
  return b.image->pixels + 3 * ((size_t)y * (size_t)b.image->width + (size_t)x);
}

/* Median brightness of the row so far from the border: lines across it do not count. */
static int row_brightness(border b, int inwards) {
  uint32_t histogram[256] = {0};
  int length = border_length(b);
  for (int i = 0; i < length; i++) histogram[msk_brightness(border_pixel(b, i, inwards))]++;
  return msk_histogram_median(histogram, (uint32_t)length);
}

/* How many rows the dark edge has; 0 where there is none: rows grow lighter without a step until
 * they are as light as the paper. */
static int edge_rows(border b, int paper, int *rows) {
  int count = 0, strip = border_strip(b), steepest = 0;
  while (count < strip && rows[count] * 100 < paper * LIT) count++;
  if (count == 0 || count == strip || rows[0] * 100 >= paper * DARK) return 0;
  for (int i = 0; i < count; i++) {
    int rise = rows[i + 1] - rows[i];
    if (rise * 50 < -paper) return 0; /* darker again: something drawn, or another sheet */
    steepest = rise > steepest ? rise : steepest;
  }
  return steepest * 100 > (paper - rows[0]) * STEEPEST ? 0 : count;
}

/* Lines that reach the border stay, as on any shaded paper. */
static bool lighten_edge(border b) {
  int strip = border_strip(b), paper = row_brightness(b, strip), rows[MOST_ROWS];
  if (paper < LIGHT_PAPER) return false;
  for (int i = 0; i <= strip; i++) rows[i] = row_brightness(b, i);
  int count = edge_rows(b, paper, rows);
  for (int row = 0; row < count; row++) {
    int light = rows[row] > 0 ? rows[row] : 1;
    for (int i = 0; i < border_length(b); i++) {
      uint8_t *p = border_pixel(b, i, row);
      for (int c = 0; c < 3; c++) {
        int value = p[c] * paper / light;
        p[c] = (uint8_t)(value > 255 ? 255 : value);
      }
    }
  }
  return count > 0;
}

/* ---- holes ---- */

struct hole {
  int from, to;  /* along the border */
  int near, far; /* from it */
  bool is_disc;  /* as a punch makes them */
};

struct binding {
  border border;
  msk_ground ground;
  uint8_t *marks;
  uint32_t *stack;
  struct hole holes[MOST_HOLES];
  int count;
  bool discs; /* nothing else is filled */
};

/* The lightest of the cell and the two inwards: a large hole is most of a cell. */
static int paper_cell(const struct binding *b, int x, int y) {
  static const int inwards[] = {MSK_GROUND_CELLS, -MSK_GROUND_CELLS, 1, -1};
  int cell = msk_ground_cell(b->border.image, x, y), best = cell;
  for (int i = 0; i < 2; i++) {
    cell += inwards[b->border.side];
    if (b->ground.grey[cell] > b->ground.grey[best]) best = cell;
  }
  return best;
}

static bool take_dark(void *user, int x, int y) {
  struct binding *b = user;
  const msk_image *image = b->border.image;
  size_t at = (size_t)y * (size_t)image->width + (size_t)x;
  /* far enough in to see that a stroke leaves the strip */
  if (border_distance(b->border, x, y) > 2 * border_strip(b->border)) return false;
  int ground = b->ground.grey[paper_cell(b, x, y)];
  if (b->marks[at] || msk_brightness(image->pixels + 3 * at) * 100 >= ground * INK) return false;
  b->marks[at] = 1;
  return true;
}

static bool is_disc(const msk_image *image, const msk_pixel_group *group) {
  int width = group->right - group->left + 1, height = group->bottom - group->top + 1,
      side = msk_group_side(group),
      longer = image->width > image->height ? image->width : image->height;
  size_t box = (size_t)width * (size_t)height;
  return abs(width - height) * 8 <= side && side * 1000 >= longer * LEAST_DISC &&
         side * 1000 <= longer * MOST_DISC && group->pixels * 100 >= box * LEAST_FILL &&
         group->pixels * 100 <= box * MOST_FILL;
}

/* Whether a group lies within the strip, and how. */
static bool is_in_strip(border b, const msk_pixel_group *group, struct hole *hole) {
  bool lies = b.side < 2;
  int across = lies ? b.image->height : b.image->width, low = lies ? group->top : group->left,
      high = lies ? group->bottom : group->right;
  *hole = (struct hole){.from = lies ? group->left : group->top,
                        .to = lies ? group->right : group->bottom,
                        .near = b.side % 2 == 0 ? low : across - 1 - high,
                        .far = b.side % 2 == 0 ? high : across - 1 - low,
                        .is_disc = is_disc(b.image, group)};
  return hole->far < border_strip(b);
}

/* A hole's pixels and those round it, which are half in it, become the cell's paper. */
static void fill_hole(struct binding *b, const msk_pixel_group *group) {
  msk_image *image = b->border.image;
  for (size_t i = 0; i < group->pixels; i++) {
    int x = (int)(b->stack[i] % (uint32_t)image->width),
        y = (int)(b->stack[i] / (uint32_t)image->width);
    const uint8_t *paper = b->ground.colours[paper_cell(b, x, y)];
    for (int ny = y > 1 ? y - 2 : 0; ny <= y + 2 && ny < image->height; ny++) {
      for (int nx = x > 1 ? x - 2 : 0; nx <= x + 2 && nx < image->width; nx++) {
        size_t at = (size_t)ny * (size_t)image->width + (size_t)nx;
        memcpy(image->pixels + 3 * at, paper, 3);
      }
    }
  }
}

/* Visits the groups that lie within the strip: counts them, or fills them. */
static void visit_holes(struct binding *b, bool fill) {
  const msk_image *image = b->border.image;
  b->count = 0;
  memset(b->marks, 0, (size_t)image->width * (size_t)image->height);
  for (int along = 0; along < border_length(b->border); along++) {
    for (int inwards = 0; inwards < border_strip(b->border); inwards++) {
      int x, y;
      struct hole hole;
      border_place(b->border, along, inwards, &x, &y);
      msk_pixel_group group =
          msk_collect_group(image->width, image->height, x, y, b->stack, take_dark, b);
      if (group.pixels == 0 || !is_in_strip(b->border, &group, &hole)) continue;
      if (msk_group_side(&group) * SPECK < border_length(b->border)) continue;
      if (fill && (hole.is_disc || !b->discs)) fill_hole(b, &group);
      if (b->count < MOST_HOLES) b->holes[b->count] = hole;
      b->count++;
    }
  }
}

static int compare_holes(const void *left, const void *right) {
  const struct hole *a = left, *b = right;
  return (a->from > b->from) - (a->from < b->from);
}

/* Many, of one distance, over most of the border, and each shorter than the way to the next. */
static bool are_a_binding(struct binding *b) {
  int gaps[MOST_HOLES], sorted[MOST_HOLES], alike = 0, count = b->count - 1;
  if (b->count < LEAST_HOLES || b->count > MOST_HOLES) return false;
  qsort(b->holes, (size_t)b->count, sizeof *b->holes, compare_holes);
  for (int i = 0; i < count; i++) gaps[i] = sorted[i] = b->holes[i + 1].from - b->holes[i].from;
  qsort(sorted, (size_t)count, sizeof *sorted, msk_compare_ints);
  int middle = sorted[count / 2];
  for (int i = 0; i < count; i++) {
    alike += abs(gaps[i] - middle) * 8 <= middle + 8 &&
             (b->holes[i].to - b->holes[i].from + 1) * 100 <= middle * ROUND;
  }
  return alike * 100 >= count * EVEN &&
         (b->holes[count].to - b->holes[0].from) * 100 >= border_length(b->border) * SPAN;
}

static bool are_alike(const struct hole *a, const struct hole *b) {
  int side = a->to - a->from + 1;
  return abs(b->to - b->from + 1 - side) * 5 <= side + 5 && abs(a->near - b->near) * 4 <= side + 4;
}

/* Two to four discs of one size and one distance from the border, the same from its middle to both
 * sides, and nothing of the kind between. Not below, where wheels and feet are drawn. */
static bool are_punched(struct binding *b) {
  int count = 0, length = border_length(b->border);
  if (b->border.side == 1 || b->count > MOST_HOLES) return false;
  for (int i = 0; i < b->count; i++) {
    if (b->holes[i].is_disc) b->holes[count++] = b->holes[i];
  }
  if (count < 2 || count > MOST_PUNCHED) return false;
  qsort(b->holes, (size_t)count, sizeof *b->holes, compare_holes);
  for (int i = 0; i < count; i++) {
    int off = b->holes[i].from + b->holes[count - 1 - i].to + 1 - length; /* twice */
    if (!are_alike(&b->holes[0], &b->holes[i]) || abs(off) * 100 > 2 * length * OFF_CENTRE)
      return false;
  }
  return (b->holes[count - 1].to - b->holes[0].from) * 100 >= length * APART;
}

static msk_status remove_holes(bool *found, msk_image *image, const msk_allocator *allocator,
                               msk_error *error) {
  const size_t pixels = (size_t)image->width * (size_t)image->height;
  struct binding *b = msk_allocate(allocator, 1, sizeof *b);
  uint8_t *marks = msk_allocate(allocator, pixels, 1);
  uint32_t *stack = msk_allocate(allocator, pixels, sizeof *stack);
  bool room = b != NULL && marks != NULL && stack != NULL;
  if (room) {
    *b = (struct binding){.marks = marks, .stack = stack};
    msk_ground_find(&b->ground, image);
  }
  for (int side = 0; room && side < 4; side++) {
    b->border = (border){image, side};
    visit_holes(b, false);
    b->discs = !are_a_binding(b);
    if (b->discs && !are_punched(b)) continue;
    visit_holes(b, true);
    *found = true;
  }
  msk_free(allocator, stack);
  msk_free(allocator, marks);
  msk_free(allocator, b);
  return room ? MSK_OK : msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a sheet's edges");
}

msk_status msk_edges_clear(bool *found, msk_image *sketch, const msk_allocator *allocator,
                           msk_error *error) {
  *found = false;
  if (sketch->width < LEAST_SIDE || sketch->height < LEAST_SIDE) return MSK_OK;
  for (int side = 0; side < 4; side++) *found |= lighten_edge((border){sketch, side});
  return remove_holes(found, sketch, allocator, error);
}
