/* SPDX-License-Identifier: Apache-2.0
 * quality_report.c - see quality_report.h. */
#include "quality_report.h"

#include <math.h>
#include <string.h>

enum { TILE = 128, GAP = 4, JPEG_QUALITY = 88 };

void report_head(FILE *out, const char *title) {
  fprintf(out,
          "\n### %s\n\n| what | pictures | class | IoU | specificity | whole | Frechet | "
          "kernel x 1000 | seconds |\n|---|---|---|---|---|---|---|---|---|\n",
          title);
}

static void number(FILE *out, const char *format, double value) {
  fputs(" | ", out);
  if (isnan(value)) {
    fputs("-", out);
  } else {
    fprintf(out, format, value);
  }
}

void report_row(FILE *out, const struct row *row, const struct figures *figures) {
  fprintf(out, "| %s | %d", row->title, figures->count);
  number(out, "%.1f %%", 100 * figures->class_share);
  number(out, "%.3f", figures->iou);
  number(out, "%.3f", figures->specificity);
  number(out, "%.3f", figures->whole);
  number(out, "%.2f", figures->frechet);
  number(out, "%.1f", 1000 * figures->kernel);
  number(out, "%.2f", figures->seconds);
  fputs(" |\n", out);
  fflush(out);
}

void report_mistakes(FILE *out, const struct figures *figures) {
  for (int i = 0; i < figures->mistake_count; i++) {
    const struct mistake *mistake = &figures->mistakes[i];
    fprintf(out, "%s%s for %s", i == 0 ? "\nDrawn, and taken for another kind: " : ", ",
            mistake->wanted, mistake->found);
    if (mistake->count > 1) fprintf(out, " (%d)", mistake->count);
  }
  if (figures->mistake_count > 0) fputs(".\n", out);
}

static msk_status paste(const msk_image *sheet, int left, int top, const msk_image *picture,
                        msk_error *error) {
  msk_image tile = {0};
  msk_prepare_options options;
  msk_prepare_plain(&options);
  msk_status status = msk_image_prepare(&tile, picture, TILE, TILE, &options, NULL, error);
  for (int y = 0; status == MSK_OK && y < TILE; y++) {
    memcpy(sheet->pixels + ((size_t)(top + y) * (size_t)sheet->width + (size_t)left) * 3,
           tile.pixels + (size_t)y * TILE * 3, TILE * 3);
  }
  msk_image_free(&tile);
  return status;
}

static msk_status fill_cell(const msk_image *sheet, int left, int top,
                            const struct row *const *rows, int row_count, const char *folder,
                            int index, msk_error *error) {
  msk_status status = paste(sheet, left, top, &rows[0]->list->items[index].sketch, error);
  for (int r = 0; status == MSK_OK && r < row_count; r++) {
    msk_image picture = {0};
    left += TILE;
    status = row_picture(&picture, rows[r], folder, index, error);
    if (status == MSK_OK) status = paste(sheet, left, top, &picture, error);
    msk_image_free(&picture);
  }
  return status;
}

static msk_status save(const msk_image *sheet, const char *path, msk_error *error) {
  void *bytes = NULL;
  size_t byte_count;
  msk_status status = msk_image_encode(sheet, MSK_FORMAT_JPEG, JPEG_QUALITY, NULL, 0, &bytes,
                                       &byte_count, NULL, error);
  if (status == MSK_OK) status = msk_file_write(path, bytes, byte_count, error);
  msk_free(NULL, bytes);
  return status;
}

static msk_status new_sheet(msk_image *sheet, int cell, int columns, int lines, msk_error *error) {
  msk_status status =
      msk_image_create(sheet, columns * cell - GAP, lines * (TILE + GAP) - GAP, NULL, error);
  if (status == MSK_OK)
    memset(sheet->pixels, 255, (size_t)sheet->width * (size_t)sheet->height * 3);
  return status;
}

msk_status report_sheet(const char *path, const struct row *const *rows, int row_count,
                        const char *folder, int cells, int columns, msk_error *error) {
  msk_image sheet = {0};
  int count = rows[0]->list->count, shown = cells < count ? cells : count,
      cell = (row_count + 1) * TILE + GAP;
  msk_status status = new_sheet(&sheet, cell, columns, (shown + columns - 1) / columns, error);
  for (int k = 0; status == MSK_OK && k < shown; k++) {
    status = fill_cell(&sheet, k % columns * cell, k / columns * (TILE + GAP), rows, row_count,
                       folder, k * count / shown, error);
  }
  if (status == MSK_OK) status = save(&sheet, path, error);
  msk_image_free(&sheet);
  return status;
}

msk_status report_lines(const char *path, const struct row *const *rows, int row_count,
                        const char *folder, int columns, msk_error *error) {
  msk_image sheet = {0};
  int cell = 2 * TILE + GAP;
  msk_status status = new_sheet(&sheet, cell, columns, row_count, error);
  for (int k = 0; status == MSK_OK && k < row_count * columns; k++) {
    const struct row *row = rows[k / columns];
    if (row->list->count == 0) continue;
    status = fill_cell(&sheet, k % columns * cell, k / columns * (TILE + GAP), &row, 1, folder,
                       k % columns * row->list->count / columns, error);
  }
  if (status == MSK_OK) status = save(&sheet, path, error);
  msk_image_free(&sheet);
  return status;
}
