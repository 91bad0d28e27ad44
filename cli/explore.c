/* SPDX-License-Identifier: Apache-2.0
 *
 * explore.c - attention with --at: a picture of what chosen tokens of the sketch attend to in
 * each layer (mean over the heads), and beside it what the photo's token at the same place
 * attends to. The likeness of the two is what the structure score measures. Colour is what a
 * token gets beyond an even share; a map with nothing above four times that is not stretched to
 * full colour. */
#include <math.h>
#include <stdlib.h>

#include "app/output.h"
#include "font.h"
#include "heat.h"
#include "parts.h"

enum { GAP = 6, LINE = FONT_HEIGHT + 4 };

typedef struct point {
  int x, y; /* a cell */
} point;

typedef struct explorer {
  bench *b;
  const cli_options *options;
  const int *layers;
  int layer_count, pictures, cells, tile;
  msk_image image[2]; /* sketch, photo */
  float *maps[2];     /* layers x heads x N x N */
  float *row;         /* [cells * cells] */
  point at[MAX_POINTS];
} explorer;

/* "X,Y" in pixels of the model's square -> its token. */
static msk_status read_points(explorer *e, msk_error *error) {
  const int side = e->b->info.image_size;
  for (int i = 0; i < e->options->at_count; i++) {
    int n[2], count = 0;
    msk_status status = cli_parse_list(e->options->at[i], "--at", 0, side - 1, n, 2, &count, error);
    if (status != MSK_OK) return status;
    if (count != 2)
      return app_fail(error, MSK_ERROR_ARGUMENT, "--at was given %s, expected two numbers: X,Y",
                      e->options->at[i]);
    e->at[i] = (point){n[0] * e->cells / side, n[1] * e->cells / side};
  }
  return MSK_OK;
}

static msk_status read_pictures(explorer *e, msk_error *error) {
  int32_t *sequence = malloc((size_t)e->b->info.tokens * sizeof *sequence);
  e->row = malloc((size_t)e->cells * (size_t)e->cells * sizeof *e->row);
  msk_status status =
      sequence == NULL || e->row == NULL
          ? app_fail(error, MSK_ERROR_MEMORY, "out of memory for a sequence of tokens")
          : MSK_OK;
  for (int p = 0; p < e->pictures && status == MSK_OK; p++) {
    status = parts_load(&e->image[p], e->options->inputs[p], e->options, e->b, true, error);
    if (status == MSK_OK) status = parts_sequence(e->b, e->options, &e->image[p], sequence, error);
    if (status == MSK_OK)
      status =
          msk_attention(e->b->session, sequence, e->layers, e->layer_count, &e->maps[p], error);
  }
  free(sequence);
  return status;
}

/* The mean over heads of what a token gives to the image's tokens (the class token's share is
 * left out). */
static float mean_row(explorer *e, int picture, int layer, point at) {
  const int n = e->b->info.tokens, heads = e->b->info.heads, query = 1 + at.y * e->cells + at.x;
  float most = 0;
  for (int i = 0; i < n - 1; i++) {
    double sum = 0;
    for (int head = 0; head < heads; head++)
      sum += (double)e->maps[picture][(((size_t)layer * (size_t)heads + (size_t)head) * (size_t)n +
                                       (size_t)query) *
                                          (size_t)n +
                                      1 + (size_t)i];
    e->row[i] = (float)(sum / heads);
    most = fmaxf(most, e->row[i]);
  }
  return most;
}

static msk_status paint_point(explorer *e, msk_image *canvas, int index, msk_error *error) {
  const int top = LINE + index * (e->tile + GAP);
  const point at = e->at[index];
  msk_status status = MSK_OK;
  for (int p = 0; p < e->pictures && status == MSK_OK; p++) {
    status = heat_picture(canvas, GAP + p * (e->tile + GAP), top, e->tile, &e->image[p], 0, error);
    if (status == MSK_OK)
      heat_frame_cell(canvas, GAP + p * (e->tile + GAP), top, e->tile, e->cells, at.x, at.y);
  }
  for (int column = 0; column < e->layer_count * e->pictures && status == MSK_OK; column++) {
    const int layer = column / e->pictures, picture = column % e->pictures,
              left = GAP + (e->pictures + column) * (e->tile + GAP);
    status = heat_picture(canvas, left, top, e->tile, &e->image[picture], 1, error);
    if (status != MSK_OK) break;
    const float even = 1.0f / (float)e->b->info.tokens, most = mean_row(e, picture, layer, at);
    heat_values(canvas, left, top, e->tile, e->row, e->cells, even, fmaxf(most, 4 * even));
    heat_frame_cell(canvas, left, top, e->tile, e->cells, at.x, at.y);
  }
  return status;
}

static void label_columns(const explorer *e, msk_image *canvas) {
  static const char *const names[] = {"sketch", "photo"};
  for (int p = 0; p < e->pictures; p++)
    font_draw(canvas, GAP + p * (e->tile + GAP), 3, e->tile, 1, names[p]);
  for (int column = 0; column < e->layer_count * e->pictures; column++) {
    char label[48];
    snprintf(label, sizeof label, "layer %d, %s", e->layers[column / e->pictures],
             names[column % e->pictures]);
    font_draw(canvas, GAP + (e->pictures + column) * (e->tile + GAP), 3, e->tile, 1, label);
  }
}

msk_status explore_attention(bench *b, const cli_options *options, const int *layers,
                             int layer_count, msk_error *error) {
  explorer e = {.b = b,
                .options = options,
                .layers = layers,
                .layer_count = layer_count,
                .pictures = options->input_count};
  msk_image canvas = {0};
  e.cells = b->info.latent_size;
  e.tile = 8 * e.cells;
  const int columns = e.pictures * (1 + layer_count), width = GAP + columns * (e.tile + GAP),
            height = LINE + options->at_count * (e.tile + GAP);
  msk_status status = read_points(&e, error);
  if (status == MSK_OK && (size_t)width * (size_t)height > MSK_MAX_PIXELS)
    status =
        app_fail(error, MSK_ERROR_ARGUMENT,
                 "the picture would have %d x %d pixels, expected fewer: ask for fewer --layers",
                 width, height);
  if (status == MSK_OK) status = read_pictures(&e, error);
  if (status == MSK_OK) status = heat_canvas(&canvas, width, height, error);
  if (status == MSK_OK) label_columns(&e, &canvas);
  for (int i = 0; i < options->at_count && status == MSK_OK; i++)
    status = paint_point(&e, &canvas, i, error);
  if (status == MSK_OK)
    status = output_picture(options->output, &canvas, options->quality, NULL, error);
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s: %d tokens in %d layers\n", options->output, options->at_count,
            layer_count);
  for (int p = 0; p < 2; p++) {
    msk_image_free(&e.image[p]);
    msk_free(NULL, e.maps[p]);
  }
  msk_image_free(&canvas);
  free(e.row);
  return status;
}
