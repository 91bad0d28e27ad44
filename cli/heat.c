/* SPDX-License-Identifier: Apache-2.0
 * heat.c - see heat.h. */
#include "heat.h"

#include <math.h>
#include <string.h>

static uint8_t *pixel(msk_image *canvas, int x, int y) {
  return canvas->pixels + 3 * ((size_t)y * (size_t)canvas->width + (size_t)x);
}

msk_status heat_canvas(msk_image *canvas, int width, int height, msk_error *error) {
  msk_status status = msk_image_create(canvas, width, height, NULL, error);
  if (status == MSK_OK) memset(canvas->pixels, 255, 3 * (size_t)width * (size_t)height);
  return status;
}

msk_status heat_picture(msk_image *canvas, int left, int top, int tile, const msk_image *image,
                        int grey, msk_error *error) {
  msk_prepare_options options;
  msk_image small = {0};
  msk_prepare_plain(&options);
  msk_status status = msk_image_prepare(&small, image, tile, tile, &options, NULL, error);
  for (int y = 0; y < tile && status == MSK_OK; y++) {
    for (int x = 0; x < tile; x++) {
      const uint8_t *from = small.pixels + 3 * ((size_t)y * (size_t)tile + (size_t)x);
      uint8_t *to = pixel(canvas, left + x, top + y);
      memcpy(to, from, 3);
      if (grey) memset(to, 90 + (from[0] * 2 + from[1] * 5 + from[2]) / 8 * 165 / 255, 3);
    }
  }
  msk_image_free(&small);
  return status;
}

void heat_values(msk_image *canvas, int left, int top, int tile, const float *values, int cells,
                 float low, float high) {
  for (int y = 0; y < tile; y++) {
    for (int x = 0; x < tile; x++) {
      const float value = values[y * cells / tile * cells + x * cells / tile];
      float heat = high > low && isfinite(value) ? (value - low) / (high - low) : 0;
      heat = fminf(fmaxf(heat, 0), 1);
      const float colour[3] = {235, 200 * (1 - heat) * (1 - heat), 20}, share = sqrtf(heat) * 0.8f;
      uint8_t *to = pixel(canvas, left + x, top + y);
      for (int c = 0; c < 3; c++)
        to[c] = (uint8_t)lroundf((float)to[c] * (1 - share) + colour[c] * share);
    }
  }
}

void heat_frame_cell(msk_image *canvas, int left, int top, int tile, int cells, int x, int y) {
  static const uint8_t blue[3] = {30, 60, 230};
  const int x0 = x * tile / cells, x1 = (x + 1) * tile / cells, y0 = y * tile / cells,
            y1 = (y + 1) * tile / cells;
  for (int v = y0; v < y1; v++) {
    for (int u = x0; u < x1; u++) {
      if (u >= x0 + 2 && u < x1 - 2 && v >= y0 + 2 && v < y1 - 2) continue;
      memcpy(pixel(canvas, left + u, top + v), blue, 3);
    }
  }
}
