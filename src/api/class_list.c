/* SPDX-License-Identifier: Apache-2.0
 *
 * class_list.c - see class_list.h. The ImageNet names are data/imagenet_classes.txt, turned into
 * a C array by the build. */
#include "api/class_list.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/json_tree.h"
#include "base/memory.h"
#include "masksketch_tools.h"

extern const char *const msk_imagenet_classes[];
extern const int msk_imagenet_classes_count;

enum { LARGEST_LIST = 1 << 20 };

/* Lines of a text, without their line ends and a byte order mark. The text is changed: each line
 * end becomes a NUL. */
static msk_status read_lines(json_t *names, char *text, size_t length, const char *path,
                             msk_error *error) {
  size_t line = 0, start = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  while (start < length) {
    char *end = memchr(text + start, '\n', length - start);
    size_t bytes = end == NULL ? length - start : (size_t)(end - text) - start,
           next = start + bytes + 1;
    while (bytes > 0 && (text[start + bytes - 1] == '\r' || text[start + bytes - 1] == ' '))
      bytes--;
    line++;
    if (bytes == 0 || memchr(text + start, 0, bytes) != NULL ||
        !msk_utf8_valid((const uint8_t *)text + start, bytes)) {
      return msk_fail(error, MSK_ERROR_FILE,
                      "%s: line %zu is empty or no UTF-8 text, expected a class name", path, line);
    }
    if (json_array_append_new(names, json_stringn(text + start, bytes)) != 0)
      return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for class names");
    start = next;
  }
  return MSK_OK;
}

static msk_status read_file(json_t *names, const char *path, const msk_allocator *allocator,
                            msk_error *error) {
  void *text;
  size_t length;
  msk_status status = msk_file_read(path, LARGEST_LIST, &text, &length, allocator, error);
  if (status != MSK_OK) return status;
  status = read_lines(names, text, length, path, error);
  msk_free(allocator, text);
  return status;
}

static msk_status read_kept(json_t *names, const msk_class_source *source, msk_error *error) {
  char what[600];
  json_t *kept = NULL;
  snprintf(what, sizeof what, "%s: the list of class names", source->kept_path);
  msk_status status =
      msk_json_load(&kept, what, source->kept, strlen(source->kept), MSK_JSON_MANY, error);
  bool sound = json_is_array(kept);
  for (size_t i = 0; sound && i < json_array_size(kept); i++)
    sound = json_is_string(json_array_get(kept, i));
  if (status == MSK_OK && !sound)
    status = msk_fail(error, MSK_ERROR_FILE, "%s: its class names are no JSON array of texts",
                      source->kept_path);
  if (status == MSK_OK && json_array_extend(names, kept) != 0)
    status = msk_fail(error, MSK_ERROR_MEMORY, "out of memory for class names");
  json_decref(kept);
  return status;
}

static msk_status make_names(json_t *names, size_t count, msk_error *error) {
  bool imagenet = count == (size_t)msk_imagenet_classes_count;
  for (size_t i = 0; i < count; i++) {
    char number[24];
    snprintf(number, sizeof number, "%zu", i);
    if (json_array_append_new(names, json_string(imagenet ? msk_imagenet_classes[i] : number)) !=
        0) {
      return msk_fail(error, MSK_ERROR_MEMORY, "out of memory for class names");
    }
  }
  return MSK_OK;
}

msk_status msk_class_list_json(char **json, const msk_class_source *source, size_t count,
                               const msk_allocator *allocator, msk_error *error) {
  json_t *names = json_array();
  const char *path = source->path != NULL ? source->path : source->kept_path;
  msk_status status;
  if (source->path != NULL) {
    status = read_file(names, source->path, allocator, error);
  } else if (source->kept != NULL) {
    status = read_kept(names, source, error);
  } else {
    status = make_names(names, count, error);
  }
  if (status == MSK_OK && json_array_size(names) != count) {
    status = msk_fail(error, MSK_ERROR_FILE,
                      "%s: %zu class names, but the transformer has %zu classes (rows of tensor "
                      "Embed_0.word_embeddings.embedding "
                      "less the codes and the mask)",
                      path, json_array_size(names), count);
  }
  char *text = status == MSK_OK ? msk_json_text(names, JSON_COMPACT, allocator) : NULL;
  if (status == MSK_OK && text == NULL)
    status = msk_fail(error, MSK_ERROR_MEMORY, "out of memory for class names");
  json_decref(names);
  if (status == MSK_OK) *json = text;
  return status;
}
