/* SPDX-License-Identifier: Apache-2.0
 *
 * masks.c - from boxes and pictures to maps over tokens, and the blend of an edit (authors'
 * inference.py). */
#include <string.h>

#include "api/session.h"
#include "image/filters.h"
#include "image/resize.h"

/* Coverage, in 1 / `cells` of a pixel, of pixel `index` by cell `cell` when `pixels` pixels are
 * cut into `cells` cells. */
static int64_t coverage(int64_t index, int64_t cell, int64_t pixels, int64_t cells) {
  int64_t from = index * cells, to = from + cells, first = cell * pixels, last = first + pixels;
  if (from < first) from = first;
  if (to > last) to = last;
  return to > from ? to - from : 0;
}

/* Exact: integer sums of channel values weighted by covered area; a cell's area is width *
 * height in these units. */
static float cell_mean(const msk_image *picture, int rows, int columns, int row, int column) {
  int64_t width = picture->width, height = picture->height;
  int64_t top = row * height / rows, bottom = ((row + 1) * height + rows - 1) / rows;
  int64_t left = column * width / columns, right = ((column + 1) * width + columns - 1) / columns;
  double sum = 0;
  for (int64_t y = top; y < bottom; y++) {
    int64_t line = 0;
    const uint8_t *pixel = picture->pixels + (y * width + left) * 3;
    for (int64_t x = left; x < right; x++, pixel += 3)
      line += coverage(x, column, width, columns) * (pixel[0] + pixel[1] + pixel[2]);
    sum += (double)line * (double)coverage(y, row, height, rows);
  }
  return (float)(sum / (765.0 * (double)width * (double)height));
}

void msk_grid_means(const msk_image *picture, int rows, int columns, float *means) {
  for (int row = 0; row < rows; row++) {
    for (int column = 0; column < columns; column++)
      means[row * columns + column] = cell_mean(picture, rows, columns, row, column);
  }
}

static int largest(int a, int b) { return a > b ? a : b; }
static int smallest(int a, int b) { return a < b ? a : b; }

/* The authors' rule: whole cells, one more on the near side, so that the box's border is redrawn
 * too. */
static void mark_box(const msk_box *box, int side, int patch, uint8_t *edit_mask) {
  int top = largest(0, box->top / patch - 1),
      bottom = smallest(side, box->height / patch + box->top / patch + 1);
  int left = largest(0, box->left / patch - 1),
      right = smallest(side, box->left / patch + box->width / patch + 1);
  memset(edit_mask, 0, (size_t)side * (size_t)side);
  for (int row = top; row < bottom; row++) {
    for (int column = left; column < right; column++) edit_mask[row * side + column] = 1;
  }
}

/* A token is repainted where the mask covers at least an eighth of its cell: a hand-drawn mask
 * means what it touches, not what it fills. */
static bool is_marked(float mean) { return mean >= 0.125f; }

bool msk_mask_latent(const msk_session *session, uint8_t *edit_mask) {
  const msk_request *request = &session->request;
  int side = session->model->latent_size;
  bool any = false;
  if (request->edit_mask == NULL) {
    mark_box(&request->edit_box, side, session->model->image_size / side, edit_mask);
  } else {
    for (int i = 0; i < side * side; i++)
      edit_mask[i] = is_marked(cell_mean(request->edit_mask, side, side, i / side, i % side));
  }
  for (int i = 0; i < side * side; i++) any = any || edit_mask[i];
  return any;
}

void msk_mask_blend(msk_session *session) {
  int side = session->model->latent_size, size = session->model->image_size;
  size_t mark = msk_arena_mark(&session->arena),
         resize = msk_resize_scratch(MSK_FILTER_BICUBIC, 1, side, side, size, size);
  uint8_t *small = msk_arena_take(&session->arena, (size_t)side * (size_t)side, 1);
  void *resizing = msk_arena_take(&session->arena, resize, 1);
  void *blurring = msk_arena_take(&session->arena, msk_blur_scratch(size, size), 1);
  if (!session->stream.measuring) {
    for (int i = 0; i < side * side; i++) small[i] = session->at.edit_mask[i] ? 255 : 0;
    const msk_pixels in = {small, side, side}, out = {session->at.blend, size, size};
    msk_resize(MSK_FILTER_BICUBIC, 1, &in, &out, resizing);
    msk_gaussian_blur(session->at.blend, size, size, (float)largest(size / 16 - 1, 0), blurring);
  }
  msk_arena_release(&session->arena, mark);
}

void msk_mask_composite(const msk_session *session, float *pixels) {
  size_t count = (size_t)session->model->image_size * (size_t)session->model->image_size;
  for (size_t i = 0; i < count; i++) {
    float share = (float)session->at.blend[i] / 255.0f;
    for (size_t c = 0; c < 3; c++)
      pixels[i * 3 + c] = pixels[i * 3 + c] * share + (1.0f - share) * session->at.photo[i * 3 + c];
  }
}
