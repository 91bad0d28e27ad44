/* SPDX-License-Identifier: Apache-2.0
 *
 * ink.c - groups of connected ink: the box around a drawing, and msk_sketch_judge(), which says
 * whether a prepared sketch is a drawing at all. */
#include "image/ink.h"

#include "base/error.h"
#include "base/memory.h"
#include "image/paper.h"
#include "image/pixel_group.h"
#include "image/sketch.h"
#include "masksketch_tools.h"

enum {
  INK_CONTRAST = 40, /* levels below the paper */
  SPECK_PART = 1000  /* the part of the picture that a speck's bounding square stays below */
};

typedef struct search {
  const msk_image *sketch;
  uint8_t *ink; /* 1 where there is some that has not been collected yet */
  uint32_t *stack;
  size_t next; /* where the search goes on */
} search;

static bool take_ink(void *user, int x, int y) {
  search *s = user;
  uint8_t *ink = &s->ink[(size_t)y * (size_t)s->sketch->width + (size_t)x];
  bool there = *ink != 0;
  *ink = 0;
  return there;
}

/* The next group of ink; false at the end. */
static bool next_group(search *s, msk_pixel_group *group) {
  size_t width = (size_t)s->sketch->width, total = width * (size_t)s->sketch->height;
  while (s->next < total && !s->ink[s->next]) s->next++;
  if (s->next == total) return false;
  *group = msk_collect_group(s->sketch->width, s->sketch->height, (int)(s->next % width),
                             (int)(s->next / width), s->stack, take_ink, s);
  return true;
}

static msk_status open_search(search *s, const msk_image *sketch, const msk_allocator *allocator,
                              msk_error *error) {
  size_t pixels = (size_t)sketch->width * (size_t)sketch->height;
  uint8_t paper[3];
  *s = (search){.sketch = sketch};
  s->stack = msk_allocate(allocator, pixels, sizeof *s->stack + 1);
  if (s->stack == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for looking at a sketch of %d x %d pixels",
                    sketch->width, sketch->height);
  s->ink = (uint8_t *)(s->stack + pixels);
  msk_sketch_paper(paper, sketch);
  int least = msk_brightness(paper) - INK_CONTRAST;
  for (size_t i = 0; i < pixels; i++) s->ink[i] = msk_brightness(sketch->pixels + 3 * i) < least;
  return MSK_OK;
}

msk_status msk_ink_find(msk_ink_box *box, const msk_image *sketch, const msk_allocator *allocator,
                        msk_error *error) {
  search s;
  msk_pixel_group g,
      all = {.left = sketch->width, .top = sketch->height, .right = -1, .bottom = -1};
  msk_status status = open_search(&s, sketch, allocator, error);
  if (status != MSK_OK) return status;
  while (next_group(&s, &g)) {
    uint64_t side = (uint64_t)msk_group_side(&g);
    if (side * side * SPECK_PART < (uint64_t)sketch->width * (uint64_t)sketch->height) continue;
    all.left = g.left < all.left ? g.left : all.left;
    all.top = g.top < all.top ? g.top : all.top;
    all.right = g.right > all.right ? g.right : all.right;
    all.bottom = g.bottom > all.bottom ? g.bottom : all.bottom;
  }
  msk_free(allocator, s.stack);
  *box = (msk_ink_box){0};
  if (all.right >= 0)
    *box = (msk_ink_box){all.left, all.top, all.right - all.left + 1, all.bottom - all.top + 1};
  return MSK_OK;
}

/* ---- Whether it is a drawing ---- */

/* Writing: most of the ink is in groups no higher than a line of text, and these stand all over
 * the sheet. */
static msk_status is_writing(bool *writing, const msk_image *sketch, const msk_allocator *allocator,
                             msk_error *error) {
  search s;
  msk_pixel_group g;
  size_t ink = 0, low_ink = 0;
  int low = 0, rows[MSK_GROUND_CELLS] = {0}, used_rows = 0;
  msk_status status = open_search(&s, sketch, allocator, error);
  if (status != MSK_OK) return status;
  while (next_group(&s, &g)) {
    ink += g.pixels;
    if ((g.bottom - g.top + 1) * 16 > sketch->height) continue;
    low_ink += g.pixels;
    low++;
    rows[(g.top + g.bottom) / 2 * MSK_GROUND_CELLS / sketch->height]++;
  }
  msk_free(allocator, s.stack);
  for (int i = 0; i < MSK_GROUND_CELLS; i++) used_rows += rows[i] > 0;
  *writing = low >= 16 && used_rows >= 6 && low_ink * 10 >= ink * 6 &&
             ink * 100 >= (size_t)sketch->width * (size_t)sketch->height * 2;
  return MSK_OK;
}

/* What the whole picture is made of, in thousandths of its pixels. */
typedef struct shares {
  int ink, middle, coloured; /* darker than paper; neither paper nor black; with a hue */
} shares;

static shares find_shares(const msk_image *sketch, int paper) {
  size_t total = (size_t)sketch->width * (size_t)sketch->height, ink = 0, middle = 0, coloured = 0;
  const uint8_t *p = sketch->pixels;
  for (size_t i = 0; i < total; i++, p += 3) {
    int grey = msk_brightness(p), most = p[0] > p[1] ? p[0] : p[1],
        least = p[0] < p[1] ? p[0] : p[1];
    most = p[2] > most ? p[2] : most;
    least = p[2] < least ? p[2] : least;
    ink += grey < paper - INK_CONTRAST;
    middle += grey > 64 && grey < 224;
    coloured += most - least > 48;
  }
  return (shares){(int)(1000 * ink / total), (int)(1000 * middle / total),
                  (int)(1000 * coloured / total)};
}

msk_status msk_sketch_judge(msk_sketch_kind *kind, const msk_image *sketch,
                            const msk_allocator *allocator, msk_error *error) {
  uint8_t border[3];
  bool writing = false;
  if (kind == NULL || sketch == NULL || sketch->pixels == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "there is no sketch to judge");
  msk_sketch_paper(border, sketch);
  int paper = msk_brightness(border);
  shares s = find_shares(sketch, paper);
  msk_status status = MSK_OK;
  *kind = MSK_SKETCH_DRAWING;
  if (s.middle > 400 || (s.coloured > 300 && s.middle > 200)) {
    *kind = MSK_SKETCH_PHOTO;
  } else if (paper < 128 || s.ink > 600) {
    *kind = MSK_SKETCH_DARK;
  } else if (s.ink == 0) {
    *kind = MSK_SKETCH_EMPTY;
  } else {
    status = is_writing(&writing, sketch, allocator, error);
    if (writing) *kind = MSK_SKETCH_WRITING;
  }
  return status;
}

const char *msk_sketch_kind_warning(msk_sketch_kind kind) {
  switch (kind) {
    case MSK_SKETCH_DRAWING: return NULL;
    case MSK_SKETCH_EMPTY:
      return "the sketch is empty: nothing is drawn on it that could be seen; draw dark lines on a "
             "light ground, or light ones on a dark ground";
    case MSK_SKETCH_DARK:
      return "the sketch is dark nearly everywhere: no lines can be told apart; draw dark lines on "
             "a light ground";
    case MSK_SKETCH_PHOTO:
      return "the sketch looks like a photo or a painting: lines are what is followed; trace its "
             "outlines, or repaint a part of the photo with edit";
    case MSK_SKETCH_WRITING:
      return "the sketch looks like a page of writing: one object drawn with lines is what is "
             "followed; cut the picture to the drawing";
  }
  return NULL;
}
