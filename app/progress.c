/* SPDX-License-Identifier: Apache-2.0
 * progress.c - see progress.h. */
#include "app/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

int progress_columns(int descriptor) {
  struct winsize size;
  if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_col > 80) return 80;
  return size.ws_col;
}

static void describe_time(char *text, size_t bytes, double seconds) {
  long whole = (long)(seconds + 0.5);
  if (whole >= 3600)
    snprintf(text, bytes, "%ld:%02ld:%02ld left", whole / 3600, whole / 60 % 60, whole % 60);
  else
    snprintf(text, bytes, "%ld:%02ld left", whole / 60, whole % 60);
}

static void describe(char text[160], const progress *p, const msk_step_info *info, int picture,
                     int pictures_together, double now) {
  int used = 0;
  if (p->pictures > 1 && pictures_together == 1)
    used = snprintf(text, 160, "picture %d of %d, ", picture + 1, p->pictures);
  if (pictures_together > 1) used = snprintf(text, 160, "%d pictures, ", pictures_together);
  used +=
      snprintf(text + used, 160 - (size_t)used, "step %d of %d", info->step + 1, info->step_count);
  /* the first step warms caches and tells nothing of the others */
  if (p->steps_done <= 1 || now <= p->first_step) return;
  double rate = (double)(p->steps_done - 1) / (now - p->first_step);
  long left = info->step_count - info->step - 1;
  if (pictures_together == 1) left += (long)(p->pictures - picture - 1) * info->step_count;
  used += snprintf(text + used, 160 - (size_t)used,
                   rate >= 1 ? ", %.1f steps/s, " : ", %.2f steps/s, ", rate);
  describe_time(text + used, 160 - (size_t)used, (double)left / rate);
}

void progress_step(progress *p, const msk_step_info *info, int picture, int pictures_together) {
  char text[160];
  double now = progress_clock();
  p->steps_done++;
  if (p->steps_done == 1) p->first_step = now;
  bool last = info->step + 1 == info->step_count;
  if (!p->shown || (now - p->last_drawn < 0.1 && !last)) return;
  p->last_drawn = now;
  describe(text, p, info, picture, pictures_together, now);
  /* a line that breaks would not be overwritten */
  fprintf(stderr, "\r\x1b[K%.*s", progress_columns(STDERR_FILENO) - 1, text);
  fflush(stderr);
  p->drawn = true;
}
