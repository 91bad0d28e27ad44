/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.h - the line on standard error that tells how far the work is: picture, step, rate,
 * time left. On a terminal only. */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>

#include "masksketch.h"

typedef struct progress {
  bool shown;                 /* standard error is a terminal, and --quiet was not given */
  bool drawn;                 /* the line stands there now */
  int pictures;               /* of the whole command */
  double started, last_drawn; /* seconds of the monotonic clock */
  long steps_done;            /* of the whole command */
  double first_step;          /* when the first step was over: rates are taken from there */
} progress;

double progress_clock(void);
bool progress_is_terminal(void); /* standard error is a terminal that understands escapes */
/* Columns of a terminal, at most 80; 80 where it is none or does not tell. */
int progress_columns(int descriptor);
void progress_start(progress *p, bool quiet, int pictures);
void progress_step(progress *p, const msk_step_info *info, int picture, int pictures_together);
/* Takes the line away, before anything else is printed. */
void progress_clear(progress *p);
#endif
