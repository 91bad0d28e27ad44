/* SPDX-License-Identifier: Apache-2.0
 *
 * contact.c - see contact.h. A row whose pictures come from one drawing begins with it;
 * otherwise each cell shows its own above the picture. */
#include "eval/contact.h"

#include <stdlib.h>
#include <string.h>

#include "app/base64.h"
#include "app/cancel.h"
#include "app/input.h"

enum { JPEG_QUALITY = 85 };

typedef struct contact {
  eval_text *html;
  const eval_table *table;
  int tiles, cells;
} contact;

/* ---- one picture ---- */

static msk_status add_image(contact *c, const msk_image *image, const char *name,
                            msk_error *error) {
  int side = c->table->e->spec.tile;
  msk_prepare_options options;
  msk_image small = {0};
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_prepare_init(&options);
  options.invert = MSK_INVERT_NO;
  msk_status status = msk_image_prepare(&small, image, side, side, &options, NULL, error);
  if (status == MSK_OK)
    status = msk_image_encode(&small, MSK_FORMAT_JPEG, JPEG_QUALITY, NULL, 0, &bytes, &byte_count,
                              NULL, error);
  msk_image_free(&small);
  if (status != MSK_OK) return status;
  char *coded = base64_encode(bytes, byte_count);
  msk_free(NULL, bytes);
  if (coded == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for a picture of the report");
  eval_text_add(c->html, "<img width=\"%d\" height=\"%d\" alt=\"", side, side);
  eval_text_html(c->html, name);
  eval_text_add(c->html, "\" title=\"");
  eval_text_html(c->html, name);
  eval_text_add(c->html, "\" src=\"data:image/jpeg;base64,");
  eval_text_raw(c->html, coded, strlen(coded));
  eval_text_add(c->html, "\">");
  free(coded);
  c->tiles++;
  return MSK_OK;
}

static msk_status add_drawing(contact *c, int sketch, msk_error *error) {
  const char *name = eval_spec_sketch(&c->table->e->spec, (size_t)sketch, "name");
  return add_image(c, &c->table->e->sketches.views[sketch], name, error);
}

static msk_status add_picture(contact *c, int point, msk_error *error) {
  char path[MAX_PATH_BYTES];
  msk_image image = {0};
  if (cancel_requested())
    return app_fail(error, MSK_ERROR_CANCELLED, "cancelled; all pictures are finished and kept");
  msk_status status = eval_results_picture(path, &c->table->e->results, point, error);
  if (status == MSK_OK) status = input_picture(&image, path, MSK_ALPHA_WHITE, error);
  if (status == MSK_OK)
    status = add_image(c, &image, path + strlen(c->table->e->results.folder) + 1, error);
  msk_image_free(&image);
  return status;
}

/* ---- rows and cells ---- */

/* What the pictures of a row or of a cell have in common; -1: anything. */
typedef struct selection {
  const eval_sheet_view *view;
  int each, row, column;
} selection;

static bool belongs(const eval_grid *grid, const selection *s, int point) {
  return (s->each < 0 || eval_grid_value(grid, s->view->each, point) == s->each) &&
         (s->row < 0 || eval_grid_value(grid, s->view->rows, point) == s->row) &&
         (s->column < 0 || eval_grid_value(grid, s->view->columns, point) == s->column);
}

/* The one drawing of all pictures in a selection, or -1. */
static int common_sketch(const eval_grid *grid, const selection *s) {
  int sketch = -1;
  for (int point = 0; point < grid->points; point++) {
    if (!belongs(grid, s, point)) continue;
    if (sketch >= 0 && eval_grid_sketch(grid, point) != sketch) return -1;
    sketch = eval_grid_sketch(grid, point);
  }
  return sketch;
}

static msk_status write_cell(contact *c, const selection *s, bool with_drawing, msk_error *error) {
  const eval_grid *grid = &c->table->e->grid;
  int shown = 0, sketch = with_drawing ? common_sketch(grid, s) : -1;
  msk_status status = MSK_OK;
  c->cells++;
  eval_text_add(c->html, "<td>");
  if (sketch >= 0) status = add_drawing(c, sketch, error);
  if (sketch >= 0) eval_text_add(c->html, "<br>");
  for (int point = 0; point < grid->points && status == MSK_OK && shown < MAX_TILES_IN_CELL &&
                      c->tiles < MAX_TILES;
       point++) {
    if (!belongs(grid, s, point)) continue;
    status = add_picture(c, point, error);
    shown++;
  }
  eval_text_add(c->html, "</td>");
  return status;
}

static msk_status write_row(contact *c, const selection *row, msk_error *error) {
  const eval_sheet_view *view = row->view;
  int sketch = common_sketch(&c->table->e->grid, row);
  msk_status status = MSK_OK;
  eval_text_add(c->html, "<tr><th>");
  eval_text_html(c->html, view->rows->values[row->row]);
  eval_text_add(c->html, "</th><td>");
  if (sketch >= 0) status = add_drawing(c, sketch, error);
  eval_text_add(c->html, "</td>");
  for (int column = 0; column < view->columns->count && status == MSK_OK && c->cells < MAX_TILES;
       column++) {
    selection cell = *row;
    cell.column = column;
    status = write_cell(c, &cell, sketch < 0, error);
  }
  eval_text_add(c->html, "</tr>\n");
  return status;
}

static msk_status write_sheet(contact *c, const eval_sheet_view *view, int each, msk_error *error) {
  eval_text_add(c->html, "<h3>");
  if (view->title != NULL) {
    eval_text_html(c->html, view->title);
  } else {
    eval_text_add(c->html, "%s across, %s down", view->columns->name, view->rows->name);
  }
  if (each >= 0) {
    eval_text_add(c->html, ": %s ", view->each->name);
    eval_text_html(c->html, view->each->values[each]);
  }
  eval_text_add(c->html,
                "</h3>\n<div class=\"wide\"><table class=\"sheet\">\n<tr><th></th><th></th>");
  for (int i = 0; i < view->columns->count; i++) {
    eval_text_add(c->html, "<th>");
    eval_text_html(c->html, view->columns->values[i]);
    eval_text_add(c->html, "</th>");
  }
  eval_text_add(c->html, "</tr>\n");
  msk_status status = MSK_OK;
  for (int row = 0;
       row < view->rows->count && status == MSK_OK && c->tiles < MAX_TILES && c->cells < MAX_TILES;
       row++) {
    const selection s = {view, each, row, -1};
    status = write_row(c, &s, error);
  }
  eval_text_add(c->html, "</table></div>\n");
  return status;
}

msk_status contact_write(eval_text *html, const eval_table *table, const eval_views *views,
                         msk_error *error) {
  contact c = {.html = html, .table = table};
  msk_status status = MSK_OK;
  if (views->sheet_count == 0) return MSK_OK;
  eval_text_add(html,
                "<h2>Pictures</h2>\n<p class=\"small\">At most %d pictures a cell; all of them "
                "stand in the folder pictures.</p>\n",
                MAX_TILES_IN_CELL);
  for (int i = 0; i < views->sheet_count && status == MSK_OK; i++) {
    const eval_sheet_view *view = &views->sheets[i];
    if (view->each == NULL) status = write_sheet(&c, view, -1, error);
    for (int each = 0;
         view->each != NULL && each < view->each->count && status == MSK_OK && c.tiles < MAX_TILES;
         each++)
      status = write_sheet(&c, view, each, error);
  }
  if (c.tiles >= MAX_TILES || c.cells >= MAX_TILES)
    eval_text_add(html, "<p class=\"small\">The report stops at %d pictures.</p>\n", MAX_TILES);
  return status;
}
