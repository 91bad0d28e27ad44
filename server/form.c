/* SPDX-License-Identifier: Apache-2.0
 * form.c - see form.h. */
#include "form.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "app/base64.h"
#include "app/json.h"

/* ---- The body ---- */

static const multipart_part *find_part(const form *f, const char *name) {
  for (int i = 0; i < f->part_count; i++) {
    if (strcmp(f->parts[i].name, name) == 0) return &f->parts[i];
  }
  return NULL;
}

static bool read_json(form *f, exchange *e) {
  msk_error error = {0};
  msk_status status =
      msk_json_load(&f->values, "the body", e->body, e->body_count, FORM_MAX_VALUES, &error);
  exchange_drop_body(e); /* its texts are in the values */
  if (status != MSK_OK)
    return problem_set(f->problem, error.code == MSK_ERROR_MEMORY ? 503 : 400, NULL,
                       "%s, expected an object", error.message);
  if (json_is_object(f->values)) return true;
  return problem_set(
      f->problem, 422, NULL,
      "the body is JSON, but no object, expected one with the fields of docs/http.md");
}

/* "image[]" is how lists are named in forms: of the lists here one is taken. */
static void drop_brackets(char *name) {
  size_t length = strlen(name);
  if (length > 2 && strcmp(name + length - 2, "[]") == 0) name[length - 2] = 0;
}

static bool take_part(form *f, multipart_part *part) {
  drop_brackets(part->name);
  if (part->encoded)
    return problem_set(f->problem, 422, NULL,
                       "a part of the body has a transfer encoding, expected none");
  if (part->name[0] == 0)
    return problem_set(
        f->problem, 422, NULL,
        "a part of the body has no name, or one too long, expected one of the fields "
        "of docs/http.md");
  if (part->count == 0) return true; /* as forms send what nobody has filled in */
  if (f->part_count == FORM_MAX_PARTS || find_part(f, part->name) != NULL)
    return problem_set(f->problem, 422, part->name,
                       "the body has the part %s twice, or more than %d parts, expected each once",
                       part->name, FORM_MAX_PARTS);
  f->parts[f->part_count++] = *part;
  return true;
}

static bool read_multipart(form *f, exchange *e) {
  multipart reader;
  multipart_part part;
  int found;
  const char *type = MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "Content-Type");
  if (!multipart_open(&reader, type, (char *)e->body, e->body_count))
    return problem_set(f->problem, 400, NULL,
                       "the body's Content-Type names no boundary, or another than the body has, "
                       "expected multipart/form-data");
  while ((found = multipart_next(&reader, &part)) == 1) {
    if (!take_part(f, &part)) return false;
  }
  return found == 0 ||
         problem_set(f->problem, 400, NULL,
                     "the body is no multipart/form-data that can be read, or ends too early");
}

bool form_read(form *f, exchange *e, bool may_be_empty) {
  *f = (form){.server = e->server, .problem = &e->problem};
  if (e->body_count > FORM_LARGE && !(f->large = pictures_begin_large(f->server, f->problem)))
    return false;
  if (e->body_count == 0 && may_be_empty) {
    f->values = json_object();
    return f->values != NULL || problem_set(f->problem, 503, NULL, "out of memory");
  }
  return e->body_kind == BODY_MULTIPART ? read_multipart(f, e) : read_json(f, e);
}

void form_free(form *f) {
  json_decref(f->values);
  if (f->large) pictures_end_large(f->server);
  *f = (form){0};
}

/* ---- Fields ---- */

/* NULL where it is missing; what is null is, too. */
static json_t *find_value(const form *f, const char *name) {
  json_t *value = json_object_get(f->values, name);
  return json_is_null(value) ? NULL : value;
}

bool form_has(const form *f, const char *name) {
  return f->values != NULL ? find_value(f, name) != NULL : find_part(f, name) != NULL;
}

static bool check_name(form *f, const char *name, const char *const *names, const char *where) {
  char list[400] = "";
  for (int i = 0; names[i] != NULL; i++) {
    if (strcmp(names[i], name) == 0) return true;
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", used == 0 ? "" : " ", names[i]);
  }
  char shown[FORM_NAME_BYTES];
  snprintf(shown, sizeof shown, "%s", name);
  return problem_set(f->problem, 422, shown, "%s has no field %s; these are: %s", where, shown,
                     list);
}

bool form_check_names(form *f, const char *const *names, const char *where) {
  const char *name;
  json_t *value;
  json_object_foreach(f->values, name, value) {
    if (!json_is_null(value) && !check_name(f, name, names, where)) return false;
  }
  for (int i = 0; i < f->part_count; i++) {
    if (!check_name(f, f->parts[i].name, names, where)) return false;
  }
  return true;
}

static bool wrong(form *f, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "NAME was given VALUE, expected ..." */
static bool wrong(form *f, const char *name, const char *format, ...) {
  char expected[300], shown[FORM_SHOWN] = "";
  const multipart_part *part = find_part(f, name);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(expected, sizeof expected, format, arguments);
  va_end(arguments);
  if (part == NULL) json_show(find_value(f, name), shown, sizeof shown);
  return problem_set(f->problem, 422, name, "%s was given %.80s, expected %s", name,
                     part != NULL ? part->bytes : shown, expected);
}

bool form_missing(form *f, const char *name, const char *expected) {
  return problem_set(f->problem, 422, name, "%s is missing, expected %s", name, expected);
}

/* A part of multipart as text: no NUL inside. */
static bool part_text(form *f, const char *name, const char **out) {
  const multipart_part *part = find_part(f, name);
  if (part == NULL) return true;
  if (strlen(part->bytes) != part->count) return wrong(f, name, "text without zero bytes");
  *out = part->bytes;
  return true;
}

bool form_text(form *f, const char *name, const char **out) {
  if (f->values == NULL) return part_text(f, name, out);
  const json_t *value = find_value(f, name);
  if (value == NULL) return true;
  if (!json_is_string(value)) return wrong(f, name, "a text");
  *out = json_string_value(value);
  return true;
}

bool form_number(form *f, const char *name, double minimum, double maximum, double *out) {
  double number = NAN;
  if (!form_has(f, name)) return true;
  if (f->values != NULL) {
    const json_t *value = find_value(f, name);
    if (json_is_number(value)) number = json_number_value(value);
  } else {
    const char *text = "";
    char *end = NULL;
    if (!part_text(f, name, &text)) return false;
    /* strtod() would take spaces, inf and nan as well */
    if (*text == '-' || *text == '.' || (*text >= '0' && *text <= '9')) number = strtod(text, &end);
    if (end == NULL || *end != 0) number = NAN;
  }
  if (!(number >= minimum && number <= maximum))
    return wrong(f, name, "a number from %.17g to %.17g", minimum, maximum);
  *out = number;
  return true;
}

bool form_integer(form *f, const char *name, long long minimum, long long maximum, long long *out) {
  double number = (double)*out;
  if (!form_has(f, name)) return true;
  if (!form_number(f, name, (double)minimum, (double)maximum, &number) || number != floor(number))
    return wrong(f, name, "a whole number from %lld to %lld", minimum, maximum);
  *out = (long long)number;
  return true;
}

bool form_boolean(form *f, const char *name, bool *out) {
  const char *text = NULL;
  if (!form_has(f, name)) return true;
  if (f->values != NULL) {
    const json_t *value = find_value(f, name);
    if (!json_is_boolean(value)) return wrong(f, name, "true or false");
    *out = json_is_true(value);
    return true;
  }
  if (!part_text(f, name, &text)) return false;
  *out = strcmp(text, "true") == 0;
  return *out || strcmp(text, "false") == 0 || wrong(f, name, "true or false");
}

bool form_seed(form *f, const char *name, uint64_t *out) {
  static const char expected[] =
      "a whole number from 0 to 18446744073709551615, as a number or as text; choose a random one "
      "yourself";
  const char *text = NULL;
  const json_t *value = f->values == NULL ? NULL : find_value(f, name);
  if (!form_has(f, name)) return true;
  if (json_is_integer(value) && json_integer_value(value) >= 0) {
    *out = (uint64_t)json_integer_value(value);
    return true;
  }
  if (json_is_number(value)) {
    double number = json_real_value(value);
    /* 2^53: beyond it a number with a point no longer says which whole number is meant */
    if (json_is_integer(value) ||
        !(number >= 0 && number <= 9007199254740992.0 && number == floor(number)))
      return wrong(f, name, expected);
    *out = (uint64_t)number;
    return true;
  }
  if (!form_text(f, name, &text)) return wrong(f, name, expected);
  bool digits = *text != 0 && text[strspn(text, "0123456789")] == 0;
  errno = 0;
  unsigned long long number = digits ? strtoull(text, NULL, 10) : 0;
  if (!digits || errno != 0) return wrong(f, name, expected);
  *out = number;
  return true;
}

bool form_choice(form *f, const char *name, const char *const *words, int *out) {
  const char *text = NULL;
  char list[200] = "";
  if (!form_has(f, name)) return true;
  const json_t *value = f->values != NULL ? find_value(f, name) : NULL;
  /* bare in JSON, words in a multipart form, which has no types */
  if (json_is_boolean(value)) text = json_is_true(value) ? "true" : "false";
  bool is_text = text != NULL || form_text(f, name, &text);
  for (int i = 0; words[i] != NULL; i++) {
    if (is_text && strcmp(text, words[i]) == 0) {
      *out = i;
      return true;
    }
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", used == 0 ? "" : " ", words[i]);
  }
  return wrong(f, name, "one of: %s", list);
}

bool form_json(form *f, const char *name, json_type type, json_t **out) {
  json_t *value = NULL;
  const char *text = NULL;
  if (!form_has(f, name)) return true;
  if (f->values != NULL) {
    value = json_incref(find_value(f, name));
    /* a multipart form has no types: its lists and objects are JSON text */
  } else if (part_text(f, name, &text)) {
    msk_error error = {0};
    if (msk_json_load(&value, name, text, strlen(text), FORM_MAX_VALUES, &error) ==
        MSK_ERROR_MEMORY)
      return problem_set(f->problem, 503, NULL, "%s", error.message);
  }
  if (value == NULL || json_typeof(value) != type) {
    json_decref(value);
    return wrong(f, name, type == JSON_OBJECT ? "an object" : "a list");
  }
  *out = value;
  return true;
}

bool form_take_numbers(const json_t *list, json_int_t most, int *numbers, size_t count) {
  if (json_array_size(list) != count) return false;
  for (size_t i = 0; i < count; i++) {
    const json_t *value = json_array_get(list, i);
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || number > most) return false;
    numbers[i] = (int)number;
  }
  return true;
}

bool form_loose_text(form *f, const char *name, char *out, size_t bytes) {
  const char *text = NULL;
  int length = 0;
  if (!form_has(f, name)) return true;
  const json_t *value = f->values == NULL ? NULL : find_value(f, name);
  if (json_is_integer(value)) {
    length = snprintf(out, bytes, "%lld", (long long)json_integer_value(value));
  } else if (json_is_real(value)) {
    length = snprintf(out, bytes, "%.17g", json_real_value(value));
  } else {
    if (!form_text(f, name, &text)) return wrong(f, name, "a number or a text");
    length = snprintf(out, bytes, "%s", text);
  }
  return (length >= 0 && (size_t)length < bytes) ||
         wrong(f, name, "less than %zu characters", bytes);
}

/* ---- Pictures ---- */

static const char *skip_data_head(const char *text) {
  if (strncmp(text, "data:", 5) != 0) return text;
  const char *comma = memchr(text, ',', strnlen(text, 100));
  return comma != NULL && comma - text >= 7 && memcmp(comma - 7, ";base64", 7) == 0 ? comma + 1
                                                                                    : NULL;
}

static bool read_base64(form *f, const char *name, const char *text, void **bytes, size_t *count) {
  if (text != NULL && (strncmp(text, "https:", 6) == 0 || strncmp(text, "http:", 5) == 0))
    return problem_set(f->problem, 422, name,
                       "%s is an address, which is not fetched; expected the picture itself: PNG, "
                       "JPEG or WebP in base64, bare or as a data: URI",
                       name);
  if (text != NULL) text = skip_data_head(text);
  if (text != NULL && (*bytes = base64_decode(text, count)) != NULL) return true;
  return problem_set(
      f->problem, 422, name,
      "%s is no picture in base64, expected PNG, JPEG or WebP, bare or as a data: URI", name);
}

bool form_file(form *f, const char *name, void **bytes, size_t *count) {
  if (!form_has(f, name)) return true;
  if (f->values != NULL)
    return read_base64(f, name, json_string_value(find_value(f, name)), bytes, count);
  /* a copy, since base64 makes new bytes too, and the caller frees either */
  const multipart_part *part = find_part(f, name);
  if ((*bytes = malloc(part->count + 1)) == NULL)
    return problem_set(f->problem, 503, NULL, "out of memory for %s", name);
  memcpy(*bytes, part->bytes, part->count);
  *count = part->count;
  return true;
}

static bool decode(form *f, const char *name, const void *bytes, size_t count, msk_alpha alpha,
                   msk_image *out) {
  return pictures_decode(f->server, &f->large, name, bytes, count, alpha, out, f->problem);
}

bool form_picture(form *f, const char *name, msk_alpha alpha, msk_image *out) {
  void *bytes = NULL;
  size_t count = 0;
  if (!form_has(f, name)) return true;
  bool good = form_file(f, name, &bytes, &count) && decode(f, name, bytes, count, alpha, out);
  free(bytes);
  return good;
}

bool form_picture_text(form *f, const char *name, const char *text, msk_alpha alpha,
                       msk_image *out) {
  void *bytes = NULL;
  size_t count = 0;
  bool good =
      read_base64(f, name, text, &bytes, &count) && decode(f, name, bytes, count, alpha, out);
  free(bytes);
  return good;
}
