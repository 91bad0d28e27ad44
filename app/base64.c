/* SPDX-License-Identifier: Apache-2.0
 * base64.c - see base64.h. */
#include "app/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t byte_count) {
  if (byte_count > SIZE_MAX / 2) return NULL;
  const uint8_t *in = bytes;
  char *text = malloc((byte_count + 2) / 3 * 4 + 1), *out = text;
  if (text == NULL) return NULL;
  for (size_t i = 0; i < byte_count; i += 3) {
    size_t left = byte_count - i;
    uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                     (left > 2 ? in[i + 2] : 0);
    *out++ = alphabet[group >> 18];
    *out++ = alphabet[group >> 12 & 63];
    *out++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
    *out++ = left > 2 ? alphabet[group & 63] : '=';
  }
  *out = 0;
  return text;
}

void *base64_decode(const char *text, size_t *byte_count) {
  size_t length = strlen(text);
  if (length % 4 != 0) return NULL;
  size_t padding = length == 0 ? 0
                               : (size_t)(text[length - 1] == '=') +
                                     (size_t)(text[length - 1] == '=' && text[length - 2] == '=');
  uint8_t *bytes = malloc(length / 4 * 3 + 1), *out = bytes;
  if (bytes == NULL) return NULL;
  uint32_t group = 0;
  for (size_t i = 0; i < length; i++) {
    const char *place = i >= length - padding ? alphabet : memchr(alphabet, text[i], 64);
    if (place == NULL) {
      free(bytes);
      return NULL;
    }
    group = group << 6 | (uint32_t)(place - alphabet);
    if (i % 4 != 3) continue;
    *out++ = (uint8_t)(group >> 16);
    *out++ = (uint8_t)(group >> 8);
    *out++ = (uint8_t)group;
    group = 0;
  }
  for (size_t i = 0; i < padding; i++) {
    if (*--out != 0) {
      free(bytes);
      return NULL;
    }
  }
  *byte_count = (size_t)(out - bytes);
  return bytes;
}
