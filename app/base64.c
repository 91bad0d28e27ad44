/* SPDX-License-Identifier: Apache-2.0
 * base64.c - see base64.h. */
#include "app/base64.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t byte_count) {
  /* so that four thirds of it cannot overflow */
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

/* A digit's value in either alphabet; -1: none. */
static int digit_value(char c) {
  if (c == '-') return 62;
  if (c == '_') return 63;
  const char *place = strchr(alphabet, c);
  return c == 0 || place == NULL ? -1 : (int)(place - alphabet);
}

void *base64_decode(const char *text, size_t *byte_count) {
  uint8_t *bytes = malloc(strlen(text) / 4 * 3 + 3), *out = bytes;
  uint32_t group = 0;
  int digits = 0, padding = 0;
  bool good = bytes != NULL;
  for (; good && *text != 0; text++) {
    if (strchr(" \t\r\n", *text) != NULL) continue;
    int value = digit_value(*text);
    if (*text == '=') {
      padding++;
      continue;
    }
    good = value >= 0 && padding == 0;
    group = group << 6 | (uint32_t)(value & 63);
    if (++digits % 4 != 0) continue;
    *out++ = (uint8_t)(group >> 16);
    *out++ = (uint8_t)(group >> 8);
    *out++ = (uint8_t)group;
    group = 0;
  }
  /* two or three digits are left over for one or two bytes, and the bits behind them are zero */
  int rest = digits % 4;
  if (rest == 1 || (padding > 0 && padding != (4 - rest) % 4)) good = false;
  if (rest >= 2) group <<= rest == 2 ? 12 : 6;
  if (good && rest >= 2) *out++ = (uint8_t)(group >> 16);
  if (good && rest == 3) *out++ = (uint8_t)(group >> 8);
  if (rest >= 2 && (group & (rest == 2 ? 0xFFFF : 0xFF)) != 0) good = false;
  if (!good) {
    free(bytes);
    return NULL;
  }
  *byte_count = (size_t)(out - bytes);
  return bytes;
}
