/* SPDX-License-Identifier: Apache-2.0
 *
 * report.h - errors of the program: filling a msk_error, one line on standard error, the exit
 * code. */
#ifndef APP_REPORT_H
#define APP_REPORT_H

#include <stdio.h>

#include "masksketch.h"

enum {
  EXIT_DONE = 0,
  EXIT_FAILED = 1,
  EXIT_USAGE = 2,
  EXIT_INPUT = 3,
  EXIT_DEVICE = 4,
  EXIT_CANCELLED = 130
};

/* Fills `error` and returns `code`. */
msk_status app_fail(msk_error *error, msk_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The exit code that stands for a status. */
int app_exit_code(msk_status status);
/* `masksketch: MESSAGE` on standard error, as one line. */
void app_report(const msk_error *error);
/* `masksketch: warning: TEXT` on standard error. */
void app_warn(const char *text);
/* The same for a text that may be there (else NULL) and stays where it is: once, however often it
 * is asked about; *told, NULL at first, is the one that was told last. */
void app_warn_once(const char **told, const char *text);
/* Prints text of foreign origin: control characters, which could steer a terminal, become '?'. */
void app_print_safe(FILE *file, const char *text);
/* So, a class's name up to its first comma: the first synonym. NULL: a question mark. */
void app_print_class(FILE *file, const char *name);
/* Flushes standard output; MSK_ERROR_OUTPUT if anything written to it got lost. */
msk_status app_flush_stdout(msk_error *error);
#endif
