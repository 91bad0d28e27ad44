/* SPDX-License-Identifier: Apache-2.0
 * json_tree.c - see json_tree.h. */
#include "base/json_tree.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json_reader.h"
#include "base/memory.h"

enum { NUMBER_BYTES = 256 };

typedef struct tree {
  msk_reader reader;
  const uint8_t *begin;
  const char *name;
  size_t left; /* values that may still come */
  msk_error *error;
} tree;

static json_t *broken(tree *t, const char *what) {
  size_t line = 1;
  for (const uint8_t *c = t->begin; c < t->reader.at; c++) line += *c == '\n';
  msk_fail(t->error, MSK_ERROR_FILE, "%s is no JSON that can be read: line %zu: %s", t->name, line,
           what);
  return NULL;
}

static json_t *no_memory(tree *t) {
  msk_fail(t->error, MSK_ERROR_MEMORY, "out of memory for %s", t->name);
  return NULL;
}

static json_t *made(tree *t, json_t *value) { return value != NULL ? value : no_memory(t); }

/* ---- Numbers and words ---- */

static void copy_digits(msk_reader *r, char *text, size_t *used, size_t *digits) {
  for (*digits = 0; r->left > 0 && *r->at >= '0' && *r->at <= '9'; r->at++, r->left--, ++*digits) {
    if (*used + 1 < NUMBER_BYTES) text[(*used)++] = (char)*r->at;
  }
}

static bool copy_if(msk_reader *r, const char *any, char *text, size_t *used) {
  if (r->left == 0 || *r->at == 0 || strchr(any, *r->at) == NULL) return false;
  if (*used + 1 < NUMBER_BYTES) text[(*used)++] = (char)*r->at;
  r->at++, r->left--;
  return true;
}

/* The text of a number by JSON's grammar; false if it is none. The point is the locale's, as
 * strtod() wants it. */
static bool copy_number(msk_reader *r, char *text, bool *whole) {
  size_t used = 0, digits, first;
  copy_if(r, "-", text, &used);
  first = used;
  copy_digits(r, text, &used, &digits);
  if (digits == 0 || (digits > 1 && text[first] == '0')) return false;
  *whole = true;
  if (copy_if(r, ".", text, &used)) {
    /* strtod, which reads this text, knows the point of the program's locale alone */
    text[used - 1] = *localeconv()->decimal_point;
    copy_digits(r, text, &used, &digits);
    *whole = false;
    if (digits == 0) return false;
  }
  if (copy_if(r, "eE", text, &used)) {
    copy_if(r, "+-", text, &used);
    copy_digits(r, text, &used, &digits);
    *whole = false;
    if (digits == 0) return false;
  }
  text[used] = 0;
  /* where the room is full something was left out */
  return used + 1 < NUMBER_BYTES;
}

static json_t *take_number(tree *t) {
  char text[NUMBER_BYTES], back[24];
  bool whole;
  if (!copy_number(&t->reader, text, &whole))
    return broken(t, "a number that is none, or too long");
  if (!whole) {
    double value = strtod(text, NULL);
    return isfinite(value) ? made(t, json_real(value)) : broken(t, "a number that is too large");
  }
  long long value = strtoll(text, NULL, 10);
  snprintf(back, sizeof back, "%lld", value);
  bool fits = strcmp(back, text) == 0 || strcmp(text, "-0") == 0;
  return made(t, fits ? json_integer(value) : json_string_nocheck(text));
}

static json_t *take_word(tree *t) {
  static const char *const words[] = {"true", "false", "null"};
  msk_reader *r = &t->reader;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t length = strlen(words[i]);
    if (r->left < length || memcmp(r->at, words[i], length) != 0) continue;
    r->at += length, r->left -= length;
    return i == 2 ? json_null() : json_boolean(i == 0);
  }
  return broken(t, "neither a value nor the end of one");
}

/* ---- Texts ---- */

static json_t *take_text(tree *t) {
  msk_span inside;
  if (!msk_json_take_string(&t->reader, &inside)) return broken(t, "a text that is broken");
  if (memchr(inside.bytes, '\\', inside.length) == NULL)
    return made(t, json_stringn_nocheck((const char *)inside.bytes, inside.length));
  char *text = msk_allocate(NULL, inside.length + 1, 1);
  if (text == NULL) return no_memory(t);
  json_t *value = json_stringn_nocheck(text, msk_span_text(inside, text));
  msk_free(NULL, text);
  return made(t, value);
}

static bool take_key(tree *t, char key[MSK_JSON_KEY_BYTES]) {
  msk_span inside;
  if (!msk_json_take_string(&t->reader, &inside) || !msk_json_take(&t->reader, ':'))
    return broken(t, "a key in quotes and a colon are missing") != NULL;
  if (inside.length >= MSK_JSON_KEY_BYTES) return broken(t, "a key is too long") != NULL;
  key[msk_span_text(inside, key)] = 0;
  return true;
}

/* ---- Values in values ---- */

static json_t *take_value(tree *t, int depth);

static bool take_entry(tree *t, json_t *object, int depth) {
  char key[MSK_JSON_KEY_BYTES];
  if (!take_key(t, key)) return false;
  if (json_object_get(object, key) != NULL) return broken(t, "a key stands there twice") != NULL;
  json_t *value = take_value(t, depth);
  if (value == NULL) return false;
  return json_object_set_new_nocheck(object, key, value) == 0 || no_memory(t) != NULL;
}

static bool take_item(tree *t, json_t *list, int depth) {
  json_t *value = take_value(t, depth);
  if (value == NULL) return false;
  return json_array_append_new(list, value) == 0 || no_memory(t) != NULL;
}

static json_t *take_nest(tree *t, int depth, bool is_object) {
  const char close = is_object ? '}' : ']';
  json_t *nest = made(t, is_object ? json_object() : json_array());
  bool good = nest != NULL;
  if (good && msk_json_take(&t->reader, close)) return nest;
  while (good) {
    good = is_object ? take_entry(t, nest, depth) : take_item(t, nest, depth);
    if (good && msk_json_take(&t->reader, close)) return nest;
    if (good && !msk_json_take(&t->reader, ',')) {
      broken(t, "a comma or the end is missing");
      good = false;
    }
  }
  json_decref(nest);
  return NULL;
}

static json_t *take_value(tree *t, int depth) {
  if (depth > MSK_JSON_DEPTH) return broken(t, "values nested too deep");
  if (t->left == 0) return broken(t, "more values than are read here");
  t->left--;
  if (msk_json_take(&t->reader, '{')) return take_nest(t, depth + 1, true);
  if (msk_json_take(&t->reader, '[')) return take_nest(t, depth + 1, false);
  uint8_t first = t->reader.left > 0 ? *t->reader.at : 0;
  if (first == '"') return take_text(t);
  return first == '-' || (first >= '0' && first <= '9') ? take_number(t) : take_word(t);
}

msk_status msk_json_load(json_t **root, const char *name, const void *text, size_t byte_count,
                         size_t most, msk_error *error) {
  const uint8_t *bytes = text;
  size_t mark = byte_count >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  msk_error reason = {0};
  tree t = {{bytes + mark, byte_count - mark}, bytes, name, most, &reason};
  json_t *value = NULL;
  if (!msk_utf8_valid(bytes + mark, byte_count - mark)) {
    broken(&t, "it is no valid UTF-8");
  } else {
    value = take_value(&t, 0);
  }
  msk_json_skip_space(&t.reader);
  if (value != NULL && t.reader.left > 0) broken(&t, "something follows its end");
  if (value != NULL && !json_is_object(value) && !json_is_array(value))
    broken(&t, "no object and no list");
  if (reason.code == MSK_OK) {
    *root = value;
    return MSK_OK;
  }
  json_decref(value);
  return msk_fail(error, reason.code, "%s", reason.message);
}

char *msk_json_text(const json_t *value, size_t flags, const msk_allocator *allocator) {
  size_t bytes = value == NULL ? 0 : json_dumpb(value, NULL, 0, flags);
  char *text = bytes == 0 ? NULL : msk_allocate(allocator, bytes + 1, 1);
  if (text == NULL) return NULL;
  if (json_dumpb(value, text, bytes, flags) != bytes) {
    msk_free(allocator, text);
    return NULL;
  }
  text[bytes] = 0;
  return text;
}

/* The shortest text that reads back as the same number. */
static size_t put_real(double value, char *text, size_t bytes) {
  int length = 0;
  for (int digits = 15; digits <= 17; digits++) {
    length = snprintf(text, bytes, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  char *point = strchr(text, *localeconv()->decimal_point);
  if (point != NULL) *point = '.';
  return (size_t)length;
}

static bool put_list(const json_t *list, char *text, size_t bytes) {
  size_t used = 0;
  text[0] = 0;
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *number = json_array_get(list, i);
    if (!json_is_integer(number) || json_integer_value(number) < 0) return false;
    used += (size_t)snprintf(text + used, bytes - used, "%s%" JSON_INTEGER_FORMAT,
                             i == 0 ? "" : ",", json_integer_value(number));
    if (used >= bytes) return false;
  }
  return true;
}

bool msk_json_setting(const json_t *value, char *text, size_t bytes) {
  size_t length = 0;
  switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_STRING: length = (size_t)snprintf(text, bytes, "%s", json_string_value(value)); break;
    case JSON_INTEGER:
      length = (size_t)snprintf(text, bytes, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
      break;
    case JSON_REAL: length = put_real(json_real_value(value), text, bytes); break;
    case JSON_TRUE:
    case JSON_FALSE: length = (size_t)snprintf(text, bytes, "%d", json_is_true(value)); break;
    case JSON_ARRAY: return put_list(value, text, bytes);
    case JSON_OBJECT:
    case JSON_NULL: return false;
  }
  return length < bytes;
}
