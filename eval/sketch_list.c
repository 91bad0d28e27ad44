/* SPDX-License-Identifier: Apache-2.0
 * sketch_list.c - see sketch_list.h. */
#include "eval/sketch_list.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/cancel.h"
#include "app/json.h"
#include "app/output.h"
#include "eval/picture_names.h"
#include "masksketch_tools.h"

/* ---- rows ---- */

static msk_status no_memory(msk_error *error) {
  return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the list of drawings");
}

/* A place for one more row. */
static bool make_room(sketch_list *list) {
  if (list->count < list->room) return true;
  int room = list->room == 0 ? 64 : 2 * list->room;
  char **rows = realloc(list->rows, (size_t)room * sizeof *rows);
  if (rows == NULL) return false;
  list->rows = rows;
  list->room = room;
  return true;
}

static const char *text_of(const json_t *object, const char *name) {
  const char *text = json_string_value(json_object_get(object, name));
  return text == NULL ? "" : text;
}

msk_status sketch_list_add(sketch_list *list, const json_t *object, const char *const *names,
                           msk_error *error) {
  size_t bytes = 0;
  if (list->count == MAX_LISTED_SKETCHES)
    return app_fail(error, MSK_ERROR_FILE,
                    "more than %d drawings are listed, expected at most as "
                    "many: divide the list",
                    MAX_LISTED_SKETCHES);
  for (int i = 0; names[i] != NULL; i++) bytes += strlen(text_of(object, names[i])) + 1;
  char *row = make_room(list) ? malloc(bytes) : NULL;
  if (row == NULL) return no_memory(error);
  list->rows[list->count++] = row;
  for (int i = 0; names[i] != NULL; i++) row = stpcpy(row, text_of(object, names[i])) + 1;
  return MSK_OK;
}

void sketch_list_free(sketch_list *list) {
  for (int i = 0; i < list->count; i++) free(list->rows[i]);
  free(list->rows);
  *list = (sketch_list){0};
}

const char *sketch_list_field(const sketch_list *list, size_t row, int field) {
  const char *text = list->rows[row];
  for (; field > 0; field--) text += strlen(text) + 1;
  return *text == 0 ? NULL : text;
}

/* ---- a folder ---- */

static msk_status read_class(const char *path, const char *class_name, sketch_list_take *take,
                             void *user, msk_error *error) {
  char file[MAX_PATH_BYTES];
  picture_names names;
  msk_status status = picture_names_read(&names, path, true, error);
  for (int i = 0; i < names.count && status == MSK_OK; i++) {
    snprintf(file, sizeof file, "%s/%s", class_name, names.entries[i]->d_name);
    json_t *object =
        json_pack("{s:o, s:o}", "file", json_text(file), "class", json_text(class_name));
    status = object == NULL ? no_memory(error) : take(user, object, 0, error);
    json_decref(object);
    if (status == MSK_OK && cancel_requested())
      status = app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
  }
  picture_names_free(&names);
  return status;
}

msk_status sketch_list_read_folder(const char *path, sketch_list_take *take, void *user,
                                   msk_error *error) {
  char folder[MAX_PATH_BYTES];
  picture_names names;
  struct stat info;
  msk_status status = picture_names_read(&names, path, false, error);
  for (int i = 0; i < names.count && status == MSK_OK; i++) {
    const char *name = names.entries[i]->d_name;
    if (snprintf(folder, sizeof folder, "%s/%s", path, name) >= (int)sizeof folder)
      status = app_fail(error, MSK_ERROR_FILE, "a name in %.80s... is too long", path);
    if (status == MSK_OK && stat(folder, &info) == 0 && S_ISDIR(info.st_mode))
      status = read_class(folder, name, take, user, error);
  }
  picture_names_free(&names);
  return status;
}

/* ---- a CSV ---- */

/* A file that is read once, its fields cut out where they lie. */
typedef struct csv {
  const char *path;
  char *at, *end;
  int line; /* where the next record begins */
} csv;

static msk_status bad_line(const csv *c, const char *what, msk_error *error) {
  return app_fail(error, MSK_ERROR_FILE, "line %d of %.200s %s", c->line, c->path, what);
}

/* Takes the quotes off a field and ends it; NULL where the closing one is missing. *next: what
 * stands behind it. */
static char *cut_quoted(csv *c, char **next) {
  char *field = c->at + 1, *to = field, *from = field;
  for (; from < c->end; from++) {
    if (*from == '"' && from + 1 < c->end && from[1] == '"') {
      from++;
    } else if (*from == '"') {
      *next = from + 1;
      *to = 0;
      return field;
    }
    *to++ = *from;
  }
  return NULL;
}

/* The next record's fields; *count is 0 at the end of the file. */
static msk_status read_record(csv *c, char *fields[MAX_LIST_COLUMNS], int *count,
                              msk_error *error) {
  bool more = c->at < c->end;
  for (*count = 0; more; (*count)++) {
    if (*count == MAX_LIST_COLUMNS) return bad_line(c, "has too many fields", error);
    char *field = c->at, *next = c->at;
    if (c->at < c->end && *c->at == '"') {
      field = cut_quoted(c, &next);
      if (field == NULL) return bad_line(c, "opens a quote that is never closed", error);
    } else {
      while (next < c->end && *next != ',' && *next != '\n') next++;
    }
    char *stop = next;
    if (next < c->end && *next == '\r') next++;
    if (next < c->end && *next != ',' && *next != '\n')
      return bad_line(c, "has something behind a closing quote, expected a comma", error);
    more = next < c->end && *next == ',';
    c->at = next < c->end ? next + 1 : next;
    *stop = 0; /* the buffer has one byte more than the file */
    if (stop > field && stop[-1] == '\r') stop[-1] = 0;
    fields[*count] = field;
  }
  return MSK_OK;
}

static msk_status read_records(csv *c, sketch_list_take *take, void *user, msk_error *error) {
  char *columns[MAX_LIST_COLUMNS], *fields[MAX_LIST_COLUMNS];
  int column_count = 0, count = 0;
  c->line = 1;
  msk_status status = read_record(c, columns, &column_count, error);
  if (status == MSK_OK && column_count == 0)
    status = bad_line(c, "is missing, expected the names of the columns, as in file,class", error);
  while (status == MSK_OK) {
    c->line++;
    status = read_record(c, fields, &count, error);
    if (status != MSK_OK || count == 0) break;
    if (count == 1 && fields[0][0] == 0) continue; /* an empty line */
    if (count != column_count)
      return bad_line(c, "has another number of fields than the first line", error);
    json_t *object = json_object();
    for (int i = 0; i < count; i++) {
      if (fields[i][0] != 0) json_object_set_new(object, columns[i], json_text(fields[i]));
    }
    status = object == NULL ? no_memory(error) : take(user, object, c->line, error);
    json_decref(object);
  }
  return status;
}

msk_status sketch_list_read_csv(const char *path, sketch_list_take *take, void *user,
                                msk_error *error) {
  static const char mark[] = "\xEF\xBB\xBF"; /* that spreadsheets write */
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_status status = msk_file_read(path, MAX_LIST_BYTES, &bytes, &byte_count, NULL, error);
  if (status != MSK_OK) return status;
  csv c = {path, bytes, (char *)bytes + byte_count, 0};
  if (byte_count >= 3 && memcmp(bytes, mark, 3) == 0) c.at += 3;
  status = read_records(&c, take, user, error);
  msk_free(NULL, bytes);
  return status;
}
