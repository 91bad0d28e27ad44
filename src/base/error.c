/* SPDX-License-Identifier: Apache-2.0
 *
 * error.c - see error.h. Control characters that foreign file names or keys carry are replaced,
 * so that a message stays one line. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

msk_status msk_fail(msk_error *error, msk_status code, const char *format, ...) {
  if (error == NULL) return code;
  char message[sizeof error->message];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  error->code = code;
  for (size_t i = 0; i < sizeof message; i++) {
    unsigned char c = (unsigned char)message[i];
    error->message[i] = (char)(c != 0 && (c < 0x20 || c == 0x7f) ? '?' : c);
    if (c == 0) break;
  }
  return code;
}

const char *msk_version(void) { return MSK_VERSION; }

const char *msk_status_name(msk_status status) {
  switch (status) {
    case MSK_OK: return "ok";
    case MSK_ERROR_ARGUMENT: return "argument";
    case MSK_ERROR_FILE: return "file";
    case MSK_ERROR_OUTPUT: return "output";
    case MSK_ERROR_MEMORY: return "memory";
    case MSK_ERROR_CANCELLED: return "cancelled";
    case MSK_ERROR_UNSUPPORTED: return "unsupported";
  }
  return "unknown";
}
