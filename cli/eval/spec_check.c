/* SPDX-License-Identifier: Apache-2.0
 * spec_check.c - see spec_check.h. */
#include "eval/spec_check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "app/nearest.h"
#include "eval/spec.h"

msk_status spec_refuse(const spec_checker *check, const char *format, ...) {
  char reason[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(reason, sizeof reason, format, arguments);
  va_end(arguments);
  return app_fail(check->error, MSK_ERROR_FILE, "%.100s: %s", check->path, reason);
}

static msk_status no_memory(const spec_checker *check) {
  return app_fail(check->error, MSK_ERROR_MEMORY, "out of memory for the SPEC");
}

/* ---- keys ---- */

const char *spec_nearest(const char *const *keys, const char *word) {
  const char *best = keys[0];
  int least = 1000;
  for (int i = 0; keys[i] != NULL; i++) {
    int edits = nearest_edits(word, strlen(word), keys[i]);
    if (edits < least) {
      least = edits;
      best = keys[i];
    }
  }
  return best;
}

msk_status spec_check_keys(const spec_checker *check, const json_t *object, const char *where,
                           const char *const *keys) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    bool known = false;
    for (int i = 0; keys[i] != NULL && !known; i++) known = strcmp(keys[i], key) == 0;
    if (!known)
      return spec_refuse(check, "there is no key \"%s%.60s\", the nearest is \"%s\"", where, key,
                         spec_nearest(keys, key));
  }
  return MSK_OK;
}

/* ---- texts ---- */

static bool is_plain(const char *text) {
  for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++) {
    if (*c < 0x20 || *c == 0x7F) return false;
  }
  return true;
}

msk_status spec_take_text(const spec_checker *check, json_t *out, const json_t *in,
                          const char *where, const char *key, bool needed) {
  json_t *value = json_object_get(in, key);
  if (value == NULL && !needed) return MSK_OK;
  const char *text = json_string_value(value);
  if (text == NULL || *text == 0 || strlen(text) > MAX_SPEC_TEXT || !is_plain(text)) {
    return spec_refuse(
        check, "\"%s%s\" %s, expected a text of 1 to %d bytes without control characters", where,
        key, value == NULL ? "is missing" : "is something else", MAX_SPEC_TEXT);
  }
  return json_object_set(out, key, value) == 0 ? MSK_OK : no_memory(check);
}

msk_status spec_take_word(const spec_checker *check, json_t *out, const json_t *in,
                          const char *where, const char *key, const char *const *words) {
  json_t *value = json_object_get(in, key);
  const char *text = value == NULL ? words[0] : json_string_value(value);
  char list[200] = "";
  for (int i = 0; words[i] != NULL; i++) {
    if (text != NULL && strcmp(text, words[i]) == 0) {
      return json_object_set_new(out, key, json_string(text)) == 0 ? MSK_OK : no_memory(check);
    }
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", words[i]);
  }
  return spec_refuse(check, "\"%s%s\" is not among what is valid: %s", where, key, list);
}

/* ---- settings ---- */

/* The shortest text that reads back as the same number. */
static void print_number(char text[40], double value) {
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, 40, "%.*g", digits, value);
    if (strtod(text, NULL) == value) return;
  }
}

/* [1, 3, 16] -> "1,3,16" */
static bool join_numbers(char *text, size_t size, const json_t *list) {
  size_t used = 0;
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *number = json_array_get(list, i);
    if (!json_is_integer(number) || used + 24 > size) return false;
    used += (size_t)snprintf(text + used, size - used, "%s%lld", i == 0 ? "" : ",",
                             (long long)json_integer_value(number));
  }
  return used > 0;
}

msk_status spec_value_text(const spec_checker *check, json_t **text, const json_t *value,
                           const char *where) {
  char buffer[MAX_SPEC_TEXT + 1] = "";
  bool good = true;
  if (json_is_integer(value)) {
    snprintf(buffer, sizeof buffer, "%lld", (long long)json_integer_value(value));
  } else if (json_is_real(value)) {
    print_number(buffer, json_real_value(value));
  } else if (json_is_boolean(value)) {
    strcpy(buffer, json_is_true(value) ? "1" : "0");
  } else if (json_is_string(value)) {
    const char *string = json_string_value(value);
    good = *string != 0 && strlen(string) <= MAX_SPEC_TEXT && is_plain(string);
    if (good) strcpy(buffer, string);
  } else {
    good = join_numbers(buffer, sizeof buffer, value);
  }
  if (!good)
    return spec_refuse(
        check, "\"%s\" holds something that is no number, text or list of whole numbers", where);
  *text = json_string(buffer);
  return *text != NULL ? MSK_OK : no_memory(check);
}

static bool holds(const json_t *list, const json_t *text) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    if (json_equal(json_array_get(list, i), text)) return true;
  }
  return false;
}

static msk_status append_value(const spec_checker *check, json_t *list, const json_t *value,
                               const char *name) {
  json_t *text = NULL;
  msk_status status = spec_value_text(check, &text, value, name);
  if (status != MSK_OK) return status;
  if (holds(list, text)) {
    status = spec_refuse(check, "\"%s\" holds %.60s twice, expected each value once", name,
                         json_string_value(text));
    json_decref(text);
    return status;
  }
  return json_array_append_new(list, text) == 0 ? MSK_OK : no_memory(check);
}

msk_status spec_take_values(const spec_checker *check, json_t *out, const json_t *in,
                            const char *where, const char *key, size_t limit) {
  char name[MAX_SPEC_TEXT];
  const json_t *given = json_object_get(in, key);
  size_t count = json_is_array(given) ? json_array_size(given) : 1;
  snprintf(name, sizeof name, "%s%.100s", where, key);
  if (count < 1 || count > limit)
    return spec_refuse(check, "\"%s\" has %zu values, expected 1 to %zu", name, count, limit);
  json_t *list = json_array();
  if (list == NULL || json_object_set_new(out, key, list) != 0) return no_memory(check);
  msk_status status = MSK_OK;
  for (size_t i = 0; i < count && status == MSK_OK; i++) {
    status =
        append_value(check, list, json_is_array(given) ? json_array_get(given, i) : given, name);
  }
  return status;
}
