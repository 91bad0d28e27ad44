/* SPDX-License-Identifier: Apache-2.0
 * json.c - see json.h. */
#include "app/json.h"

#include <stdlib.h>
#include <string.h>

#include "app/report.h"

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

msk_status json_print(json_t *object, msk_error *error) {
  char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
  json_decref(object);
  if (text == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the JSON object");
  puts(text);
  free(text);
  return app_flush_stdout(error);
}
