/* SPDX-License-Identifier: Apache-2.0
 * photo_list.c - see photo_list.h. */
#include "photo_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/model_path.h"
#include "app/report.h"

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool is_photo(const char *name) {
  return msk_format_of_path(name) != MSK_FORMAT_AUTO && !ends_with(name, ".sketch.png");
}

static bool is_folder(const char *path) {
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* NULL: there is none. */
static char *find_drawing(const char *photo) {
  const char *slash = strrchr(photo, '/'), *name = slash == NULL ? photo : slash + 1,
             *dot = strrchr(name, '.');
  char path[MAX_PATH_BYTES];
  int folder = (int)(name - photo), stem = (int)(dot - name);
  for (int form = 0; form < 2; form++) {
    int length =
        snprintf(path, sizeof path, "%.*s%s%.*s%s", folder, photo, form == 0 ? "" : "drawings/",
                 stem, name, form == 0 ? ".sketch.png" : ".png");
    if (length < (int)sizeof path && access(path, R_OK) == 0) return strdup(path);
  }
  return NULL;
}

static msk_status out_of_memory(msk_error *error) {
  return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the list of pictures");
}

/* Arrays that become larger stay where they were if there is no memory. */
static bool grow(photo_list *list) {
  size_t room = list->room == 0 ? 64 : 2 * (size_t)list->room;
  if (list->count < list->room) return true;
  char **photos = realloc(list->photos, room * sizeof *photos);
  if (photos != NULL) list->photos = photos;
  char **drawings = realloc(list->drawings, room * sizeof *drawings);
  if (drawings != NULL) list->drawings = drawings;
  int *classes = realloc(list->classes, room * sizeof *classes);
  if (classes != NULL) list->classes = classes;
  if (photos == NULL || drawings == NULL || classes == NULL) return false;
  list->room = (int)room;
  return true;
}

static msk_status add_photo(photo_list *list, const char *path, msk_error *error) {
  if (list->count == MOST_PHOTOS)
    return app_fail(error, MSK_ERROR_ARGUMENT, "more than %d pictures were given", MOST_PHOTOS);
  if (!grow(list)) return out_of_memory(error);
  list->photos[list->count] = strdup(path);
  list->drawings[list->count] = find_drawing(path);
  list->classes[list->count] = list->class_count > 0 ? list->class_count - 1 : 0;
  list->drawn += list->drawings[list->count] != NULL;
  return list->photos[list->count++] == NULL ? out_of_memory(error) : MSK_OK;
}

/* What of a folder is wanted: its pictures, or its folders. */
typedef msk_status (*add_entry)(photo_list *list, const char *path, const char *name,
                                msk_error *error);

static msk_status add_entries(photo_list *list, const char *folder, add_entry add,
                              msk_error *error) {
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, NULL, alphasort);
  if (count < 0)
    return app_fail(error, MSK_ERROR_FILE, "%s cannot be read as a folder: %s", folder,
                    strerror(errno));
  msk_status status = MSK_OK;
  for (int i = 0; i < count; i++) {
    char path[MAX_PATH_BYTES];
    const char *name = entries[i]->d_name;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (status == MSK_OK && name[0] != '.' && length < (int)sizeof path)
      status = add(list, path, name, error);
    free(entries[i]);
  }
  free(entries);
  return status;
}

static msk_status add_if_photo(photo_list *list, const char *path, const char *name,
                               msk_error *error) {
  return is_photo(name) ? add_photo(list, path, error) : MSK_OK;
}

msk_status photo_list_add(photo_list *list, const char *path, msk_error *error) {
  if (is_folder(path)) return add_entries(list, path, add_if_photo, error);
  if (is_photo(path)) return add_photo(list, path, error);
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "%s is neither a folder nor named like a PNG, JPEG or WebP", path);
}

static msk_status add_class(photo_list *list, const char *path, const char *name,
                            msk_error *error) {
  if (!is_folder(path)) return MSK_OK;
  char **names = realloc(list->names, ((size_t)list->class_count + 1) * sizeof *names);
  if (names == NULL) return out_of_memory(error);
  list->names = names;
  names[list->class_count] = strdup(name);
  if (names[list->class_count] == NULL) return out_of_memory(error);
  list->class_count++;
  return add_entries(list, path, add_if_photo, error);
}

msk_status photo_list_add_classes(photo_list *list, const char *folder, msk_error *error) {
  return add_entries(list, folder, add_class, error);
}

void photo_list_free(photo_list *list) {
  for (int i = 0; i < list->count; i++) {
    free(list->photos[i]);
    free(list->drawings[i]);
  }
  for (int i = 0; i < list->class_count; i++) free(list->names[i]);
  free(list->photos);
  free(list->drawings);
  free(list->classes);
  free(list->names);
  *list = (photo_list){0};
}
