/* SPDX-License-Identifier: Apache-2.0
 * report.c - see report.h. */
#include "app/report.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

msk_status app_fail(msk_error *error, msk_status code, const char *format, ...) {
  error->code = code;
  error->field = NULL;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  return code;
}

int app_exit_code(msk_status status) {
  switch (status) {
    case MSK_OK: return EXIT_DONE;
    case MSK_ERROR_ARGUMENT: return EXIT_USAGE;
    case MSK_ERROR_FILE: return EXIT_INPUT;
    case MSK_ERROR_DEVICE: return EXIT_DEVICE;
    case MSK_ERROR_CANCELLED: return EXIT_CANCELLED;
    case MSK_ERROR_OUTPUT:
    case MSK_ERROR_MEMORY:
    case MSK_ERROR_UNSUPPORTED: break;
  }
  return EXIT_FAILED;
}

static void print_bytes(FILE *file, const char *text, size_t bytes) {
  const unsigned char *end = (const unsigned char *)text + bytes;
  for (const unsigned char *c = (const unsigned char *)text; c < end; c++) {
    /* C1 controls arrive as the two bytes C2 80 .. C2 9F */
    if (c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0) {
      fputc('?', file);
      c++;
    } else {
      fputc(*c < 0x20 || *c == 0x7F ? '?' : *c, file);
    }
  }
}

void app_print_safe(FILE *file, const char *text) { print_bytes(file, text, strlen(text)); }

void app_print_class(FILE *file, const char *name) {
  if (name == NULL) name = "?";
  print_bytes(file, name, strcspn(name, ","));
}

void app_report(const msk_error *error) {
  fputs("masksketch: ", stderr);
  app_print_safe(stderr, error->message);
  fputc('\n', stderr);
}

void app_warn(const char *text) {
  fputs("masksketch: warning: ", stderr);
  app_print_safe(stderr, text);
  fputc('\n', stderr);
}

void app_warn_once(const char **told, const char *text) {
  if (text != NULL && text != *told) app_warn(text);
  *told = text;
}

msk_status app_flush_stdout(msk_error *error) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return MSK_OK;
  return app_fail(error, MSK_ERROR_OUTPUT, "cannot write to standard output: %s", strerror(errno));
}
