/* SPDX-License-Identifier: Apache-2.0
 * sheet.c - see sheet.h. */
#include "sheet.h"

#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "app/input.h"
#include "app/output.h"
#include "font.h"

enum { TILES_IN_A_ROW = 8, GAP = 8 };

struct sheet {
  msk_image canvas;
  int side, scale, columns, rows, added;
};

static void whiten(msk_image *image) {
  memset(image->pixels, 255, 3 * (size_t)image->width * (size_t)image->height);
}

static void paste(msk_image *canvas, const msk_image *image, int left, int top) {
  int width = left + image->width > canvas->width ? canvas->width - left : image->width;
  for (int y = 0; y < image->height && top + y < canvas->height && width > 0; y++) {
    memcpy(canvas->pixels + 3 * ((size_t)(top + y) * (size_t)canvas->width + (size_t)left),
           image->pixels + 3 * (size_t)y * (size_t)image->width, 3 * (size_t)width);
  }
}

/* ---- --sheet ---- */

static int tile_height(const sheet *s) { return s->side + GAP + FONT_HEIGHT * s->scale; }

msk_status sheet_create(sheet **out, int side, int count, msk_error *error) {
  sheet *s = calloc(1, sizeof *s);
  if (s == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the contact sheet");
  s->side = side;
  s->scale = side >= 400 ? 3 : side >= 200 ? 2 : 1;
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
    status = msk_image_create(&s->canvas, width, height, NULL, error);
  }
  if (status != MSK_OK) {
    free(s);
    return status;
  }
  whiten(&s->canvas);
  *out = s;
  return MSK_OK;
}

msk_status sheet_add(sheet *s, const msk_image *image, const char *label, msk_error *error) {
  if (s->added == s->columns * s->rows)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the contact sheet is full: it has %d tiles",
                    s->added);
  int left = GAP + s->added % s->columns * (s->side + GAP),
      top = GAP + s->added / s->columns * (tile_height(s) + GAP);
  paste(&s->canvas, image, left, top);
  font_draw(&s->canvas, left, top + s->side + GAP / 2, s->side, s->scale, label);
  s->added++;
  return MSK_OK;
}

msk_status sheet_write(const sheet *s, const char *path, msk_error *error) {
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

/* ---- The command ---- */

/* Widths of the columns and heights of the rows that the pictures need. */
typedef struct grid {
  int columns, rows;
  int *widths, *heights;
} grid;

static msk_status measure(grid *g, const msk_image *images, int count, msk_error *error) {
  g->rows = (count + g->columns - 1) / g->columns;
  g->widths = calloc((size_t)g->columns, sizeof(int));
  g->heights = calloc((size_t)g->rows, sizeof(int));
  if (g->widths == NULL || g->heights == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the sheet");
  for (int i = 0; i < count; i++) {
    int column = i % g->columns, row = i / g->columns;
    if (images[i].width > g->widths[column]) g->widths[column] = images[i].width;
    if (images[i].height > g->heights[row]) g->heights[row] = images[i].height;
  }
  return MSK_OK;
}

static msk_status join(const msk_image *images, int count, int columns, const cli_options *options,
                       msk_error *error) {
  grid g = {.columns = columns < count ? columns : count};
  msk_image canvas = {0};
  size_t width = 0, height = 0;
  msk_status status = measure(&g, images, count, error);
  for (int i = 0; status == MSK_OK && i < g.columns; i++) width += (size_t)g.widths[i];
  for (int i = 0; status == MSK_OK && i < g.rows; i++) height += (size_t)g.heights[i];
  if (status == MSK_OK &&
      (width > MSK_MAX_PIXELS || height > MSK_MAX_PIXELS || width * height > MSK_MAX_PIXELS)) {
    status = app_fail(
        error, MSK_ERROR_ARGUMENT,
        "the sheet would have %zu x %zu pixels, expected at most %zu in all: join fewer pictures",
        width, height, MSK_MAX_PIXELS);
  }
  if (status == MSK_OK) status = msk_image_create(&canvas, (int)width, (int)height, NULL, error);
  if (status == MSK_OK) {
    whiten(&canvas);
    for (int i = 0, top = 0, left = 0; i < count; i++) {
      paste(&canvas, &images[i], left, top);
      left += g.widths[i % g.columns];
      if ((i + 1) % g.columns == 0) {
        left = 0;
        top += g.heights[i / g.columns];
      }
    }
    status = output_picture(options->output, &canvas, options->quality, NULL, error);
  }
  msk_image_free(&canvas);
  free(g.widths);
  free(g.heights);
  return status;
}

msk_status action_sheet(const cli_options *options, msk_error *error) {
  msk_format format;
  if (options->output == NULL)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "no output was given, expected -o with the name of a picture");
  msk_status status = output_format(options->output, options->quality, &format, error);
  if (status == MSK_OK) status = cli_check_output(options->output, options, error);
  msk_image *images = calloc((size_t)options->input_count, sizeof *images);
  if (status == MSK_OK && images == NULL)
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for the sheet");
  for (int i = 0; i < options->input_count && status == MSK_OK; i++)
    status = input_picture(&images[i], options->inputs[i], MSK_ALPHA_WHITE, error);
  if (status == MSK_OK)
    status = join(images, options->input_count, options->columns > 0 ? options->columns : 1,
                  options, error);
  for (int i = 0; images != NULL && i < options->input_count; i++) msk_image_free(&images[i]);
  free(images);
  return status;
}
