/* SPDX-License-Identifier: Apache-2.0
 * progress.c - see progress.h. */
#include "app/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double progress_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool progress_is_terminal(void) {
  const char *kind = getenv("TERM");
  return isatty(STDERR_FILENO) && kind != NULL && strcmp(kind, "dumb") != 0;
}

void progress_start(progress *p, bool quiet, int pictures) {
  *p = (progress){
      .shown = !quiet && progress_is_terminal(), .pictures = pictures, .started = progress_clock()};
}

void progress_clear(progress *p) {
  if (!p->drawn) return;
  fputs("\r\x1b[K", stderr);
  fflush(stderr);
  p->drawn = false;
}

static void print_time(double seconds) {
  long whole = (long)(seconds + 0.5);
  if (whole >= 3600) {
    fprintf(stderr, "%ld:%02ld:%02ld left", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    fprintf(stderr, "%ld:%02ld left", whole / 60, whole % 60);
  }
}

void progress_step(progress *p, const msk_step_info *info, int picture, int pictures_together) {
  double now = progress_clock();
  p->steps_done++;
  if (p->steps_done == 1) p->first_step = now;
  bool last = info->step + 1 == info->step_count;
  if (!p->shown || (now - p->last_drawn < 0.1 && !last)) return;
  p->last_drawn = now;
  fputs("\r\x1b[K", stderr);
  if (p->pictures > 1 && pictures_together == 1)
    fprintf(stderr, "picture %d of %d, ", picture + 1, p->pictures);
  if (pictures_together > 1) fprintf(stderr, "%d pictures, ", pictures_together);
  fprintf(stderr, "step %d of %d", info->step + 1, info->step_count);
  if (p->steps_done > 1 && now > p->first_step) {
    double rate = (double)(p->steps_done - 1) / (now - p->first_step);
    long left = info->step_count - info->step - 1;
    if (pictures_together == 1) left += (long)(p->pictures - picture - 1) * info->step_count;
    fprintf(stderr, rate >= 1 ? ", %.1f steps/s, " : ", %.2f steps/s, ", rate);
    print_time((double)left / rate);
  }
  fflush(stderr);
  p->drawn = true;
}
