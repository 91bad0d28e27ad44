/* SPDX-License-Identifier: Apache-2.0
 *
 * command_train.c - train: a model from a spec. The line that tells how far it is stands on the
 * terminal; off a terminal each log is a line. Logs also go to curves.csv in the work folder. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "app/cancel.h"
#include "app/progress.h"
#include "commands.h"
#include "masksketch_tools.h"
#include "shared_options.h"
#include "train_spec.h"

#define PEAK_SECONDS 0.3 /* for measuring what the machine can do, at every log */

typedef struct train_options {
  machine_options machine;
  bool quiet;
} train_options;

struct show {
  const train_options *options;
  const char *work;
  bool drawn; /* a line without an end stands on the terminal */
  double last;
};

static void put_time(char text[32], double seconds) {
  if (!isfinite(seconds)) {
    snprintf(text, 32, "-");
  } else {
    long minutes = (long)(seconds / 60);
    snprintf(text, 32, "%ld:%02ld h", minutes / 60, minutes % 60);
  }
}

static void show_line(struct show *show, const msk_train_progress *p, double peak) {
  char left[32], share[48] = "";
  put_time(left, p->seconds_left);
  if (peak > 0)
    snprintf(share, sizeof share, ", %.2f of the peak", p->flop_per_second / 1e9 / peak);
  fprintf(stderr,
          "%s%.1f of %.1f thousand sequences, loss %.3f, pairs %.3f, %.1f sequences/s%s, "
          "%zu objects, %s left%s",
          show->drawn ? "\r\033[K" : "", (double)p->sequences / 1e3, (double)p->all_sequences / 1e3,
          p->masked_loss, p->pair_loss, p->sequences_per_second, share, p->objects, left,
          p->waits ? ", waiting for objects" : "");
  if (p->logged) {
    fprintf(stderr, ", held out %.3f, with drawings %.3f, auc %.3f\n", p->held_out,
            p->held_out_hinted, p->held_out_auc);
    show->drawn = false;
  } else {
    show->drawn = true;
  }
}

/* A number, or nothing where there is none. */
static void put_cell(FILE *file, double value, const char *end) {
  if (isfinite(value)) fprintf(file, "%.6g", value);
  fputs(end, file);
}

static void write_curve(const struct show *show, const msk_train_progress *p, double peak) {
  char path[TRAIN_PATH + 16];
  snprintf(path, sizeof path, "%s/curves.csv", show->work);
  FILE *file = fopen(path, "a");
  if (file == NULL) return;
  if (ftell(file) == 0)
    fputs(
        "step,sequences,objects,masked,pairs,held_out,held_out_hinted,held_out_auc,gradient_norm,"
        "sequences_per_second,share_of_peak\n",
        file);
  fprintf(file, "%ld,%zu,%zu,", p->step, p->sequences, p->objects);
  put_cell(file, p->masked_loss, ",");
  put_cell(file, p->pair_loss, ",");
  put_cell(file, p->held_out, ",");
  put_cell(file, p->held_out_hinted, ",");
  put_cell(file, p->held_out_auc, ",");
  put_cell(file, p->gradient_norm, ",");
  put_cell(file, p->sequences_per_second, ",");
  put_cell(file, peak > 0 ? p->flop_per_second / 1e9 / peak : NAN, "\n");
  fclose(file);
}

static double measure_peak(const struct show *show) {
  msk_limits limits;
  const machine_options *machine = &show->options->machine;
  if (msk_limits_measure(&limits, machine->isa, machine->threads, PEAK_SECONDS, NULL, NULL) !=
      MSK_OK)
    return 0;
  return limits.fma_gflops;
}

static int on_progress(void *user, const msk_train_progress *p) {
  struct show *show = user;
  double peak = p->logged ? measure_peak(show) : 0;
  if (p->logged) write_curve(show, p, peak);
  bool due = p->logged || (progress_is_terminal() && progress_clock() - show->last > 1);
  if (due && !show->options->quiet) {
    show_line(show, p, peak);
    show->last = progress_clock();
  }
  return cancel_requested();
}

static msk_status action(const cli_line *line, msk_error *error) {
  static train_spec spec; /* paths make it large */
  struct show show = {.options = line->options, .work = spec.work};
  msk_status status = train_spec_read(&spec, line->inputs[0], error);
  if (status != MSK_OK) return status;
  if (mkdir(spec.work, 0777) != 0 && errno != EEXIST)
    return app_fail(error, MSK_ERROR_OUTPUT, "%s cannot be made: %s", spec.work, strerror(errno));
  spec.options.isa = show.options->machine.isa;
  spec.options.threads = show.options->machine.threads;
  spec.options.user = &show;
  spec.options.on_progress = on_progress;
  status = msk_train(&spec.options, error);
  if (show.drawn) fputc('\n', stderr);
  if (status == MSK_OK && !show.options->quiet)
    fprintf(stderr, "%s is written; masksketch info %s shows what is in it\n", spec.output,
            spec.output);
  return status;
}

static const cli_option rows[] = {
    CLI_TABLE(train_options, machine, machine_table),
    CLI_QUIET(train_options),
    {.type = CLI_END},
};

const cli_usage train_usage = {"SPEC.json", 1, 1, rows, sizeof(train_options), .action = action};
