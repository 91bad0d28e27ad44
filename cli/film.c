/* SPDX-License-Identifier: Apache-2.0
 * film.c - see film.h. */
#include "film.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "app/output.h"
#include "font.h"
#include "heat.h"
#include "masksketch_tools.h"

enum { TILES_IN_A_ROW = 8, MAX_STEPS = 256, GAP = 6, LINE = FONT_HEIGHT + 4 };

struct film {
  msk_model_info info;
  int room, steps;  /* steps seen */
  int32_t *tokens;  /* [room, N-1]: completed */
  float *structure; /* [room, N-1] */
  uint8_t *masked;  /* [room, N-1]: masked again */
  bool *scored;     /* [room] */
};

static size_t cells_of(const film *f) { return (size_t)f->info.tokens - 1; }

msk_status film_create(film **out, const msk_model_info *info, int steps, msk_error *error) {
  if (steps > MAX_STEPS)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--film would show %d steps, expected at most %d: set fewer --steps", steps,
                    MAX_STEPS);
  film *f = calloc(1, sizeof *f);
  if (f == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the film");
  f->info = *info;
  f->room = steps;
  const size_t cells = (size_t)steps * cells_of(f);
  f->tokens = calloc(cells, sizeof *f->tokens);
  f->structure = calloc(cells, sizeof *f->structure);
  f->masked = calloc(cells, 1);
  f->scored = calloc((size_t)steps, sizeof *f->scored);
  if (f->tokens == NULL || f->structure == NULL || f->masked == NULL || f->scored == NULL) {
    film_free(f);
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the film");
  }
  *out = f;
  return MSK_OK;
}

void film_take(film *f, const char *name, int step, int item, const msk_array *array) {
  /* other arrays have no number a token */
  if (step >= f->room || array->rank != 2 || array->shape[1] != cells_of(f) + 1 ||
      (size_t)item >= array->shape[0])
    return;
  const size_t cells = cells_of(f), first = (size_t)step * cells,
               from = (size_t)item * (cells + 1) + 1;
  if (strcmp(name, "sampled") == 0) {
    memcpy(f->tokens + first, (const int32_t *)array->data + from, cells * sizeof *f->tokens);
    f->steps = step + 1;
  } else if (strcmp(name, "structure_score") == 0) {
    memcpy(f->structure + first, (const float *)array->data + from, cells * sizeof *f->structure);
    f->scored[step] = true;
  } else if (strcmp(name, "revision_mask") == 0 && step > 0) { /* of what the step before left */
    memcpy(f->masked + first - cells, (const uint8_t *)array->data + from, cells);
  } else if (strcmp(name, "structure_mask") == 0 || strcmp(name, "confidence_mask") == 0 ||
             strcmp(name, "masking") == 0) {
    for (size_t i = 0; i < cells; i++)
      f->masked[first + i] |= ((const uint8_t *)array->data)[from + i];
  }
}

static int compare_floats(const void *left, const void *right) {
  const float a = *(const float *)left, b = *(const float *)right;
  return (a > b) - (a < b);
}

/* One scale for the whole film: from the best score to that of the worst fiftieth. */
static msk_status find_scale(const film *f, float *best, float *worst, msk_error *error) {
  const size_t cells = cells_of(f);
  size_t count = 0;
  float *sorted = malloc((size_t)f->room * cells * sizeof *sorted);
  if (sorted == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the film");
  for (size_t i = 0; i < (size_t)f->steps * cells; i++) {
    if (f->scored[i / cells] && isfinite(f->structure[i])) sorted[count++] = f->structure[i];
  }
  qsort(sorted, count, sizeof *sorted, compare_floats);
  *best = count > 0 ? sorted[count - 1] : 0;
  *worst = count > 0 ? sorted[count / 50] : 0;
  free(sorted);
  return MSK_OK;
}

static msk_status paint_picture(const film *f, msk_session *session, msk_image *canvas, int step,
                                int left, int top, int tile, msk_error *error) {
  float *pixels = NULL;
  int width = 0, height = 0;
  msk_image image = {0};
  msk_status status =
      msk_detokenize(session, f->tokens + (size_t)step * cells_of(f), f->info.latent_size,
                     f->info.latent_size, &pixels, &width, &height, error);
  if (status == MSK_OK) status = msk_image_from_float(&image, pixels, width, height, NULL, error);
  if (status == MSK_OK) status = heat_picture(canvas, left, top, tile, &image, 0, error);
  if (status == MSK_OK) status = heat_picture(canvas, left, top + tile + 2, tile, &image, 1, error);
  msk_free(NULL, pixels);
  msk_image_free(&image);
  return status;
}

/* Tokens that are masked again lose their colour. */
static void whiten_masked(const film *f, msk_image *canvas, int step, int left, int top, int tile) {
  const int cells = f->info.latent_size;
  for (int y = 0; y < tile; y++) {
    for (int x = 0; x < tile; x++) {
      if (!f->masked[(size_t)step * cells_of(f) +
                     (size_t)(y * cells / tile * cells + x * cells / tile)])
        continue;
      uint8_t *pixel =
          canvas->pixels + 3 * ((size_t)(top + y) * (size_t)canvas->width + (size_t)(left + x));
      if ((x + y) % 4 == 0) memset(pixel, 255, 3);
    }
  }
}

static msk_status paint_step(const film *f, msk_session *session, msk_image *canvas, int step,
                             int tile, float best, float worst, msk_error *error) {
  const int left = GAP + step % TILES_IN_A_ROW * (tile + GAP),
            top = step / TILES_IN_A_ROW * (LINE + 2 * tile + 2 + GAP) + LINE;
  const size_t cells = cells_of(f), first = (size_t)step * cells;
  char label[64];
  double sum = 0;
  msk_status status = paint_picture(f, session, canvas, step, left, top, tile, error);
  if (status != MSK_OK) return status;
  for (size_t i = 0; i < cells; i++) {
    sum += (double)f->structure[first + i];
    f->structure[first + i] = -f->structure[first + i]; /* heat is what lacks */
  }
  if (f->scored[step])
    heat_values(canvas, left, top + tile + 2, tile, f->structure + first, f->info.latent_size,
                -best, -worst);
  whiten_masked(f, canvas, step, left, top + tile + 2, tile);
  snprintf(label, sizeof label, f->scored[step] ? "step %d  %.3f" : "step %d", step + 1,
           sum / (double)cells);
  font_draw(canvas, left, top - LINE + 3, tile, 1, label);
  return MSK_OK;
}

msk_status film_write(film *f, msk_session *session, const char *path, int quality,
                      msk_error *error) {
  const int tile = 8 * f->info.latent_size,
            columns = f->steps < TILES_IN_A_ROW ? f->steps : TILES_IN_A_ROW;
  const int rows = (f->steps + TILES_IN_A_ROW - 1) / TILES_IN_A_ROW;
  msk_image canvas = {0};
  float best = 0, worst = 0;
  msk_status status = find_scale(f, &best, &worst, error);
  if (status == MSK_OK)
    status = heat_canvas(&canvas, GAP + columns * (tile + GAP), rows * (LINE + 2 * tile + 2 + GAP),
                         error);
  for (int step = 0; step < f->steps && status == MSK_OK; step++)
    status = paint_step(f, session, &canvas, step, tile, best, worst, error);
  if (status == MSK_OK) status = output_picture(path, &canvas, quality, NULL, error);
  msk_image_free(&canvas);
  memset(f->masked, 0, (size_t)f->room * cells_of(f));
  memset(f->scored, 0, (size_t)f->room * sizeof *f->scored);
  f->steps = 0;
  return status;
}

void film_free(film *f) {
  if (f == NULL) return;
  free(f->tokens);
  free(f->structure);
  free(f->masked);
  free(f->scored);
  free(f);
}
