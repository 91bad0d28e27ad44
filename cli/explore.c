/* SPDX-License-Identifier: Apache-2.0
 *
 * explore.c - see explore.h. A row is the mean over the heads. The likeness of sketch and photo
 * is what the structure score measures. Colour is what a token gets beyond an even share; a map
 * with nothing above four times that is not stretched to full colour. */
#include "explore.h"

#include <math.h>
#include <stdlib.h>

#include "app/report.h"
#include "font.h"
#include "heat.h"

enum { GAP = 6, LINE = FONT_HEIGHT + 4 };

typedef struct explorer {
  const attention_maps *maps;
  int tile;   /* pixels of a side */
  float *row; /* [latent_size * latent_size] */
} explorer;

/* The mean over heads of what a token gives to the image's tokens (the class token's share is
 * left out). */
static float mean_row(explorer *e, int picture, int layer, cell at) {
  const int n = e->maps->info.tokens, heads = e->maps->info.heads,
            query = 1 + at.y * e->maps->info.latent_size + at.x;
  float most = 0;
  for (int i = 0; i < n - 1; i++) {
    double sum = 0;
    for (int head = 0; head < heads; head++)
      sum +=
          (double)
              e->maps->maps[picture][(((size_t)layer * (size_t)heads + (size_t)head) * (size_t)n +
                                      (size_t)query) *
                                         (size_t)n +
                                     1 + (size_t)i];
    e->row[i] = (float)(sum / heads);
    most = fmaxf(most, e->row[i]);
  }
  return most;
}

static msk_status paint_point(explorer *e, msk_image *canvas, cell at, int index,
                              msk_error *error) {
  const int top = LINE + index * (e->tile + GAP);
  msk_status status = MSK_OK;
  for (int p = 0; p < e->maps->pictures && status == MSK_OK; p++) {
    status =
        heat_picture(canvas, GAP + p * (e->tile + GAP), top, e->tile, &e->maps->image[p], 0, error);
    if (status == MSK_OK)
      heat_frame_cell(canvas, GAP + p * (e->tile + GAP), top, e->tile, e->maps->info.latent_size,
                      at.x, at.y);
  }
  for (int column = 0; column < e->maps->layer_count * e->maps->pictures && status == MSK_OK;
       column++) {
    const int layer = column / e->maps->pictures, picture = column % e->maps->pictures,
              left = GAP + (e->maps->pictures + column) * (e->tile + GAP);
    status = heat_picture(canvas, left, top, e->tile, &e->maps->image[picture], 1, error);
    if (status != MSK_OK) break;
    const float even = 1.0f / (float)e->maps->info.tokens, most = mean_row(e, picture, layer, at);
    heat_values(canvas, left, top, e->tile, e->row, e->maps->info.latent_size, even,
                fmaxf(most, 4 * even));
    heat_frame_cell(canvas, left, top, e->tile, e->maps->info.latent_size, at.x, at.y);
  }
  return status;
}

static void label_columns(const explorer *e, msk_image *canvas) {
  static const char *const names[] = {"sketch", "photo"};
  for (int p = 0; p < e->maps->pictures; p++)
    font_draw(canvas, GAP + p * (e->tile + GAP), 3, e->tile, 1, names[p]);
  for (int column = 0; column < e->maps->layer_count * e->maps->pictures; column++) {
    char label[48];
    snprintf(label, sizeof label, "layer %d, %s", e->maps->layers[column / e->maps->pictures],
             names[column % e->maps->pictures]);
    font_draw(canvas, GAP + (e->maps->pictures + column) * (e->tile + GAP), 3, e->tile, 1, label);
  }
}

msk_status explore_paint(msk_image *canvas, const attention_maps *maps, const cell *cells,
                         int count, msk_error *error) {
  const int side = maps->info.latent_size;
  explorer e = {.maps = maps, .tile = 8 * side};
  const int columns = maps->pictures * (1 + maps->layer_count),
            width = GAP + columns * (e.tile + GAP), height = LINE + count * (e.tile + GAP);
  if ((size_t)width * (size_t)height > MSK_MAX_PIXELS)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "the picture would have %d x %d pixels, expected fewer: ask for fewer --layers",
                    width, height);
  e.row = malloc((size_t)side * (size_t)side * sizeof *e.row);
  if (e.row == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for a map");
  msk_status status = heat_canvas(canvas, width, height, error);
  if (status == MSK_OK) label_columns(&e, canvas);
  for (int i = 0; i < count && status == MSK_OK; i++)
    status = paint_point(&e, canvas, cells[i], i, error);
  free(e.row);
  return status;
}
