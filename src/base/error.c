/* SPDX-License-Identifier: Apache-2.0
 *
 * error.c - see error.h. Control characters that foreign file names or keys carry are replaced,
 * so that a message stays one line. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

/* The arguments may point into *error: it is written when they have been read. */
static void fill(msk_error *error, msk_status code, const char *field, const char *format,
                 va_list arguments) {
  char message[sizeof error->message];
  vsnprintf(message, sizeof message, format, arguments);
  error->code = code;
  error->field = field;
  for (size_t i = 0; i < sizeof message; i++) {
    unsigned char c = (unsigned char)message[i];
    error->message[i] = (char)(c != 0 && (c < 0x20 || c == 0x7f) ? '?' : c);
    if (c == 0) break;
  }
}

msk_status msk_fail(msk_error *error, msk_status code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (error != NULL) fill(error, code, NULL, format, arguments);
  va_end(arguments);
  return code;
}

msk_status msk_refuse(msk_error *error, const char *field, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (error != NULL) fill(error, MSK_ERROR_ARGUMENT, field, format, arguments);
  va_end(arguments);
  return MSK_ERROR_ARGUMENT;
}

const char *msk_version(void) { return MSK_VERSION; }
