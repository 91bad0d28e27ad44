/* SPDX-License-Identifier: Apache-2.0
 * sketches.c - see sketches.h. */
#include "eval/sketches.h"

#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/input.h"
#include "app/outside.h"

/* ---- the shape that lines enclose ---- */

/* Lines are thickened until their gaps close, the ground is flooded from the border, and what
 * stays dry is thinned by as much again. */
typedef struct sheet_of_paper {
  int width, height;
  uint8_t *ink;  /* 1: a line */
  uint8_t *work; /* thickened lines, then the sea, then the dry land */
  uint8_t *sea;
  uint8_t *row; /* scratch of the longer side */
  int *stack;   /* flooding: places yet to look at */
} sheet_of_paper;

static int grey(const uint8_t *rgb) { return (299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2]) / 1000; }

/* Ink is darker than half way between the paper (the median) and the darkest hundredth. */
static void find_ink(sheet_of_paper *s, const msk_image *drawing) {
  size_t pixels = (size_t)s->width * (size_t)s->height, counts[256] = {0}, seen = 0;
  int darkest = 0, paper = 0;
  for (size_t i = 0; i < pixels; i++) counts[grey(drawing->pixels + 3 * i)]++;
  for (int level = 0; level < 256; level++) {
    if (100 * seen < pixels) darkest = level;
    if (2 * seen < pixels) paper = level;
    seen += counts[level];
  }
  for (size_t i = 0; i < pixels; i++)
    s->ink[i] = 2 * grey(drawing->pixels + 3 * i) < darkest + paper && paper - darkest > 16;
}

/* Along one line of pixels: 1 where a 1 lies within `reach`. */
static void widen_line(uint8_t *line, size_t step, int length, int reach, uint8_t *copy) {
  for (int i = 0; i < length; i++) copy[i] = line[(size_t)i * step];
  int last = -reach - 1; /* place of the last 1 at or before i + reach */
  for (int i = -reach; i < length; i++) {
    if (i + reach < length && copy[i + reach] != 0) last = i + reach;
    if (i >= 0) line[(size_t)i * step] = last >= i - reach;
  }
}

static void widen(sheet_of_paper *s, uint8_t *pixels, int reach) {
  for (int y = 0; y < s->height; y++)
    widen_line(pixels + (size_t)y * (size_t)s->width, 1, s->width, reach, s->row);
  for (int x = 0; x < s->width; x++)
    widen_line(pixels + x, (size_t)s->width, s->height, reach, s->row);
}

/* Half the width of the lines, in pixels: a line of width w and length l has w l pixels, and
 * about 2 l of them at its edge. */
static int half_width(const sheet_of_paper *s) {
  size_t area = 0, edge = 0;
  for (int y = 1; y + 1 < s->height; y++) {
    for (int x = 1; x + 1 < s->width; x++) {
      const uint8_t *at = s->ink + (size_t)y * (size_t)s->width + (size_t)x;
      if (*at == 0) continue;
      area++;
      edge += at[-1] == 0 || at[1] == 0 || at[-s->width] == 0 || at[s->width] == 0;
    }
  }
  return edge == 0 ? 0 : (int)((double)area / (double)edge + 0.5);
}

/* Fills in work with the shape under gaps of up to twice `reach`; returns how many times the
 * ink's area it has. */
static double enclose(sheet_of_paper *s, int reach) {
  size_t pixels = (size_t)s->width * (size_t)s->height, ink = 0, inside = 0;
  memcpy(s->work, s->ink, pixels);
  widen(s, s->work, reach);
  find_outside(s->work, s->width, s->height, s->sea, s->stack);
  memcpy(s->work, s->sea, pixels);
  /* takes back what the lines were thickened by, and their outer half */
  widen(s, s->work, reach + half_width(s));
  for (size_t i = 0; i < pixels; i++) {
    s->work[i] = s->work[i] == 0;
    ink += s->ink[i];
    inside += s->work[i];
  }
  return ink == 0 ? 0 : (double)inside / (double)ink;
}

msk_status shape_of_drawing(uint8_t **shape, const msk_image *drawing, msk_error *error) {
  size_t pixels = (size_t)drawing->width * (size_t)drawing->height;
  int longer = drawing->width > drawing->height ? drawing->width : drawing->height;
  sheet_of_paper s = {.width = drawing->width,
                      .height = drawing->height,
                      .ink = malloc(pixels),
                      .work = malloc(pixels),
                      .sea = malloc(pixels),
                      .row = malloc((size_t)longer),
                      .stack = malloc(pixels * sizeof(int))};
  msk_status status = MSK_OK;
  if (s.ink == NULL || s.work == NULL || s.sea == NULL || s.row == NULL || s.stack == NULL) {
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for the shape of a drawing");
    free(s.work);
  } else {
    find_ink(&s, drawing);
    if (enclose(&s, (longer + 79) / 80) < 1.5) enclose(&s, (longer + 31) / 32);
    *shape = s.work;
  }
  free(s.ink);
  free(s.sea);
  free(s.row);
  free(s.stack);
  return status;
}

msk_status shape_of_mask(uint8_t **shape, const msk_image *mask, msk_error *error) {
  size_t pixels = (size_t)mask->width * (size_t)mask->height;
  uint8_t *made = malloc(pixels);
  if (made == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the shape of a drawing");
  for (size_t i = 0; i < pixels; i++) made[i] = grey(mask->pixels + 3 * i) >= 128;
  *shape = made;
  return MSK_OK;
}

double shape_overlap(const uint8_t *shape, int width, int height, const float *inside, int side) {
  size_t both = 0, either = 0;
  for (int y = 0; y < side; y++) {
    const uint8_t *row = shape + (size_t)((2 * y + 1) * height / (2 * side)) * (size_t)width;
    for (int x = 0; x < side; x++) {
      bool drawn = row[(2 * x + 1) * width / (2 * side)] != 0,
           seen = inside[(size_t)y * (size_t)side + (size_t)x] >= 0.5f;
      both += drawn && seen;
      either += drawn || seen;
    }
  }
  return either == 0 ? 1 : (double)both / (double)either;
}

/* ---- the drawings of a SPEC ---- */

_Static_assert(MSK_FIT_STRETCH == 0 && MSK_FIT_PAD == 1 && MSK_FIT_CROP == 2 && MSK_FIT_INK == 3,
               "the words of the key fit stand in this order");
_Static_assert(MSK_INVERT_AUTO == 0 && MSK_INVERT_YES == 1 && MSK_INVERT_NO == 2,
               "the words of the key invert stand in this order");
_Static_assert(MSK_PHOTO_AUTO == 0 && MSK_PHOTO_YES == 1 && MSK_PHOTO_NO == 2,
               "the words of the key photo_of_paper stand in this order");

/* As `draw` would prepare it with the same words. */
static msk_prepare_options choose_preparation(const eval_spec *spec, int index, bool official) {
  msk_prepare_options options;
  msk_prepare_init(&options);
  options.fit = (msk_fit)eval_spec_word(spec, (size_t)index, "fit");
  options.invert = (msk_invert)eval_spec_word(spec, (size_t)index, "invert");
  /* the authors' code takes a drawing as it is, unless it is told */
  if (official && options.invert == MSK_INVERT_AUTO) options.invert = MSK_INVERT_NO;
  options.photo_of_paper = (msk_photo)eval_spec_word(spec, (size_t)index, "photo_of_paper");
  if (official && options.photo_of_paper == MSK_PHOTO_AUTO) options.photo_of_paper = MSK_PHOTO_NO;
  return options;
}

static msk_status prepare_file(msk_image *out, const eval_spec *spec, int index, const char *field,
                               int side, msk_alpha alpha, const msk_prepare_options *options,
                               msk_error *error) {
  char path[MAX_PATH_BYTES];
  msk_image source = {0};
  msk_status status = eval_spec_drawing(path, spec, (size_t)index, field, error);
  if (status == MSK_OK) status = input_picture(&source, path, alpha, error);
  if (status == MSK_OK) status = msk_image_prepare(out, &source, side, side, options, NULL, error);
  msk_image_free(&source);
  return status;
}

msk_status eval_sketches_prepare(msk_image *out, const eval_spec *spec, int index, int side,
                                 bool official, msk_error *error) {
  msk_prepare_options options = choose_preparation(spec, index, official);
  return prepare_file(out, spec, index, "file", side, official ? MSK_ALPHA_DROP : MSK_ALPHA_SKETCH,
                      &options, error);
}

/* From the mask, where the SPEC names one, else from the lines. */
static msk_status find_shape(eval_sketch *sketch, const eval_spec *spec, int index,
                             msk_error *error) {
  if (eval_spec_sketch(spec, (size_t)index, "mask") == NULL)
    return shape_of_drawing(&sketch->shape, &sketch->view, error);
  msk_image mask = {0};
  msk_prepare_options options = choose_preparation(spec, index, false);
  options.invert = MSK_INVERT_NO;
  options.photo_of_paper = MSK_PHOTO_NO;
  if (options.fit == MSK_FIT_INK)
    return app_fail(
        error, MSK_ERROR_FILE,
        "\"sketches[%d]\" has a mask and the fit ink, expected stretch, pad or crop: the "
        "mask cannot be cut as the drawing is",
        index);
  msk_status status =
      prepare_file(&mask, spec, index, "mask", VIEW_SIDE, MSK_ALPHA_WHITE, &options, error);
  if (status == MSK_OK) status = shape_of_mask(&sketch->shape, &mask, error);
  msk_image_free(&mask);
  return status;
}

static void forget(eval_sketch *sketch) {
  msk_image_free(&sketch->view);
  free(sketch->shape);
  *sketch = (eval_sketch){.index = -1};
}

msk_status eval_sketches_look(const eval_sketch **sketch, eval_sketches *sketches, int index,
                              msk_error *error) {
  eval_sketch *place = &sketches->kept[index % KEPT_SKETCHES];
  *sketch = place;
  if (place->index == index) return MSK_OK;
  forget(place);
  msk_status status =
      eval_sketches_prepare(&place->view, sketches->spec, index, VIEW_SIDE, false, error);
  if (status == MSK_OK) status = find_shape(place, sketches->spec, index, error);
  if (status == MSK_OK) place->index = index;
  return status;
}

msk_status eval_sketches_open(eval_sketches *sketches, const eval_spec *spec, msk_error *error) {
  *sketches = (eval_sketches){.spec = spec, .count = spec->sketches.count};
  for (int i = 0; i < KEPT_SKETCHES; i++) sketches->kept[i].index = -1;
  if (spec->job != MSK_JOB_DRAW || sketches->count > KEPT_SKETCHES) return MSK_OK;
  msk_status status = MSK_OK;
  for (int i = 0; i < sketches->count && status == MSK_OK; i++) {
    const eval_sketch *sketch;
    if (cancel_requested()) return app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
    status = eval_sketches_look(&sketch, sketches, i, error);
  }
  return status;
}

void eval_sketches_free(eval_sketches *sketches) {
  for (int i = 0; i < KEPT_SKETCHES; i++) forget(&sketches->kept[i]);
  *sketches = (eval_sketches){0};
}
