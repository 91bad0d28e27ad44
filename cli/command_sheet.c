/* SPDX-License-Identifier: Apache-2.0
 * command_sheet.c - sheet: pictures of any size, joined into one. */
#include <stdlib.h>

#include "app/input.h"
#include "app/output.h"
#include "commands.h"
#include "heat.h"
#include "sheet.h"

typedef struct sheet_options {
  const char *output;
  int columns, tile, quality;
  bool quiet;
} sheet_options;

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

static msk_status join(const msk_image *images, int count, const sheet_options *options,
                       msk_error *error) {
  grid g = {.columns = options->columns < count ? options->columns : count};
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
  if (status == MSK_OK) status = heat_canvas(&canvas, (int)width, (int)height, error);
  if (status == MSK_OK) {
    for (int i = 0, top = 0, left = 0; i < count; i++) {
      sheet_paste(&canvas, &images[i], left, top);
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

/* Scales a picture to `width`, its aspect ratio kept: read and scaled one by one, so that large
 * pictures are never held side by side. */
static msk_status scale(msk_image *image, int width, msk_error *error) {
  msk_prepare_options plain;
  msk_prepare_plain(&plain);
  double height = (double)image->height * width / image->width;
  msk_image scaled = {0};
  msk_status status = msk_image_prepare(&scaled, image, width, height < 1 ? 1 : (int)(height + 0.5),
                                        &plain, NULL, error);
  if (status != MSK_OK) return status;
  msk_image_free(image);
  *image = scaled;
  return MSK_OK;
}

static msk_status action(const cli_line *line, msk_error *error) {
  const sheet_options *options = line->options;
  const int count = line->input_count;
  msk_format format;
  msk_status status = output_format(options->output, options->quality, &format, error);
  if (status == MSK_OK) status = cli_output_check(line, "output", options->output, 1, error);
  msk_image *images = calloc((size_t)count, sizeof *images);
  if (status == MSK_OK && images == NULL)
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for the sheet");
  for (int i = 0; i < count && status == MSK_OK; i++) {
    status = input_picture(&images[i], line->inputs[i], MSK_ALPHA_WHITE, error);
    if (status == MSK_OK && options->tile > 0) status = scale(&images[i], options->tile, error);
  }
  if (status == MSK_OK) status = join(images, count, options, error);
  for (int i = 0; images != NULL && i < count; i++) msk_image_free(&images[i]);
  free(images);
  return status;
}

static const cli_option rows[] = {
    {"output", 'o', "FILE", CLI_AN_OUTPUT(sheet_options, output), .needed = "the name of a picture",
     .help = "the picture of all; - is standard output"},
    {"columns", 0, "N", CLI_AN_INT(sheet_options, columns, 1, 64), .initial = "1",
     .help = "pictures beside each other"},
    {"tile", 0, "N", CLI_AN_INT(sheet_options, tile, 0, 4096), .initial = "0",
     .help = "width of each picture in pixels, to which it is scaled; 0: its own"},
    CLI_QUALITY(sheet_options),
    CLI_FORCE,
    CLI_QUIET(sheet_options),
    {.type = CLI_END},
};

const cli_usage sheet_usage = {"PICTURE... -o OUT", 1, 1000, rows, sizeof(sheet_options),
                               .action = action};
