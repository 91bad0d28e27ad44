/* SPDX-License-Identifier: Apache-2.0
 * sheet.c - see sheet.h. */
#include "sheet.h"

#include <stdlib.h>
#include <string.h>

#include "app/output.h"
#include "font.h"
#include "heat.h"

enum { TILES_IN_A_ROW = 8, GAP = 8 };

struct sheet {
  msk_image canvas;
  int side, scale, columns, rows, added;
};

void sheet_paste(msk_image *canvas, const msk_image *image, int left, int top) {
  int width = left + image->width > canvas->width ? canvas->width - left : image->width;
  for (int y = 0; y < image->height && top + y < canvas->height && width > 0; y++) {
    memcpy(canvas->pixels + 3 * ((size_t)(top + y) * (size_t)canvas->width + (size_t)left),
           image->pixels + 3 * (size_t)y * (size_t)image->width, 3 * (size_t)width);
  }
}

static int tile_height(const sheet *s) { return s->side + GAP + FONT_HEIGHT * s->scale; }

msk_status sheet_create(sheet **out, int side, int count, msk_error *error) {
  sheet *s = calloc(1, sizeof *s);
  if (s == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the contact sheet");
  s->side = side;
  s->scale = 1 + (side >= 200) + (side >= 400);
  s->columns = count < TILES_IN_A_ROW ? count : TILES_IN_A_ROW;
  s->rows = (count + s->columns - 1) / s->columns;
  int width = s->columns * (side + GAP) + GAP, height = s->rows * (tile_height(s) + GAP) + GAP;
  msk_status status = MSK_OK;
  if ((size_t)width * (size_t)height > MSK_MAX_PIXELS) {
    status = app_fail(error, MSK_ERROR_ARGUMENT,
                      "the contact sheet would have %d x %d pixels, expected at most %zu in all: "
                      "ask for fewer pictures",
                      width, height, MSK_MAX_PIXELS);
  } else {
    status = heat_canvas(&s->canvas, width, height, error);
  }
  if (status != MSK_OK) {
    free(s);
    return status;
  }
  *out = s;
  return MSK_OK;
}

msk_status sheet_add(sheet *s, const msk_image *image, const char *label, msk_error *error) {
  if (s->added == s->columns * s->rows)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the contact sheet is full: it has %d tiles",
                    s->added);
  int left = GAP + s->added % s->columns * (s->side + GAP),
      top = GAP + s->added / s->columns * (tile_height(s) + GAP);
  sheet_paste(&s->canvas, image, left, top);
  font_draw(&s->canvas, left, top + s->side + GAP / 2, s->side, s->scale, label);
  s->added++;
  return MSK_OK;
}

msk_status sheet_write(const sheet *s, const char *path, msk_error *error) {
  /* a run that was stopped has fewer pictures than there is room for */
  int columns = s->added < s->columns ? s->added : s->columns,
      rows = (s->added + s->columns - 1) / s->columns;
  msk_image used = {0};
  msk_status status = msk_image_create(&used, columns * (s->side + GAP) + GAP,
                                       rows * (tile_height(s) + GAP) + GAP, NULL, error);
  if (status != MSK_OK) return status;
  for (int y = 0; y < used.height; y++) {
    memcpy(used.pixels + 3 * (size_t)y * (size_t)used.width,
           s->canvas.pixels + 3 * (size_t)y * (size_t)s->canvas.width, 3 * (size_t)used.width);
  }
  status = output_picture(path, &used, 0, NULL, error);
  msk_image_free(&used);
  return status;
}

void sheet_free(sheet *s) {
  if (s == NULL) return;
  msk_image_free(&s->canvas);
  free(s);
}
