/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_body.c - libFuzzer: any bytes as the body of a request. The first one says what it is:
 * JSON, a form whose Content-Type is the first line, or base64. JSON that is read is written and
 * read again. */
#include <jansson.h>

#include "app/base64.h"
#include "app/json.h"
#include "fuzz.h"
#include "server/multipart.h"

static void read_json(const uint8_t *bytes, size_t count) {
  json_t *root = NULL, *again = NULL;
  msk_error error;
  char shown[81];
  if (msk_json_load(&root, "the body", bytes, count, 10000, &error) != MSK_OK) return;
  json_show(root, shown, sizeof shown);
  char *text = json_dump(root, JSON_COMPACT);
  if (text == NULL || msk_json_load(&again, "it", text, strlen(text), 10000, &error) != MSK_OK ||
      !json_equal(root, again))
    abort();
  free(text);
  json_decref(root);
  json_decref(again);
}

static void read_form(char *bytes, size_t count) {
  char *line = memchr(bytes, '\n', count);
  multipart m;
  multipart_part part;
  if (line == NULL) return;
  *line++ = 0;
  if (!multipart_open(&m, bytes, line, count - (size_t)(line - bytes))) return;
  while (multipart_next(&m, &part) == 1) {
    if (part.bytes < line || part.bytes + part.count > bytes + count) abort();
    if (strlen(part.name) >= MULTIPART_NAME_BYTES || strlen(part.bytes) > part.count) abort();
  }
}

static void read_base64(const char *text) {
  size_t count, again;
  void *bytes = base64_decode(text, &count);
  if (bytes == NULL) return;
  char *back = base64_encode(bytes, count);
  void *same = base64_decode(back, &again);
  if (same == NULL || again != count || memcmp(same, bytes, count) != 0) abort();
  free(bytes);
  free(back);
  free(same);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  if (count < 1) return 0;
  char *copy = malloc(count);
  memcpy(copy, bytes + 1, count - 1);
  copy[count - 1] = 0;
  if (bytes[0] % 3 == 0) read_json(bytes + 1, count - 1);
  if (bytes[0] % 3 == 1) read_form(copy, count - 1);
  if (bytes[0] % 3 == 2) read_base64(copy);
  free(copy);
  return 0;
}
