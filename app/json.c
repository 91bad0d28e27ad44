/* SPDX-License-Identifier: Apache-2.0
 * json.c - see json.h. */
#include "app/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "app/report.h"

/* ---- Nothing is lost in silence ---- */

static _Thread_local bool lost;

static void *watched_allocate(size_t bytes) {
  void *memory = malloc(bytes);
  if (memory == NULL) lost = true;
  return memory;
}

void json_watch(void) { json_set_alloc_funcs(watched_allocate, free); }
void json_lose(void) { lost = true; }

char *json_dump(const json_t *value, size_t flags) {
  char *text = value == NULL || lost ? NULL : json_dumps(value, flags);
  if (lost) {
    free(text);
    text = NULL;
  }
  lost = false;
  return text;
}

typedef struct beginning {
  char *text;
  size_t bytes, used;
} beginning;

static int add_beginning(const char *piece, size_t count, void *user) {
  beginning *b = user;
  size_t left = b->bytes - 1 - b->used, taken = count < left ? count : left;
  memcpy(b->text + b->used, piece, taken);
  b->used += taken;
  return taken < count ? -1 : 0; /* that is enough */
}

void json_show(const json_t *value, char *text, size_t bytes) {
  beginning b = {text, bytes, 0};
  json_dump_callback(value, add_beginning, &b, JSON_ENCODE_ANY | JSON_COMPACT);
  text[b.used] = 0;
}

/* ---- Values ---- */

json_t *json_seed(uint64_t seed) {
  if (seed < (uint64_t)1 << 53) return json_integer((json_int_t)seed);
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
  return json_string(text);
}

json_t *json_text(const char *text) {
  json_t *string = json_string(text);
  if (string != NULL || text == NULL) return string;
  char *copy = strdup(text);
  for (char *c = copy; c != NULL && *c != 0; c++) {
    if ((unsigned char)*c >= 0x80) *c = '?';
  }
  string = json_string(copy);
  free(copy);
  return string;
}

void json_set_finite(json_t *object, const char *key, double value) {
  if (isfinite(value)) json_object_set_new(object, key, json_real(value));
}

msk_status json_print(json_t *object, msk_error *error) {
  char *text = json_dump(object, JSON_COMPACT);
  json_decref(object);
  if (text == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the JSON object");
  puts(text);
  free(text);
  return app_flush_stdout(error);
}
