/* SPDX-License-Identifier: Apache-2.0
 *
 * command_train.c - train: a model from a spec. The line that tells how far it is stands on the
 * terminal; off a terminal each log is a line. Logs also go to curves.csv in the work folder. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cancel.h"
#include "app/progress.h"
#include "app/report.h"
#include "commands.h"
#include "masksketch_tools.h"
#include "shared_options.h"
#include "train_ranks.h"
#include "train_spec.h"

#define PEAK_SECONDS 0.3 /* for measuring what the machine can do, at every log */

typedef struct train_options {
  machine_options machine;
  bool memory, quiet;
} train_options;

struct show {
  const train_options *options;
  const char *work;
  msk_train_stage stage;
  const msk_train_ranks *ranks; /* NULL: this process alone */
  bool stopped;                 /* together with all ranks */
  bool warned;                  /* that this machine has no instructions for the run's precision */
  bool drawn;                   /* a line without an end stands on the terminal */
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

/* What a log says besides, by stage. */
static void show_figures(const struct show *show, const msk_train_progress *p) {
  if (show->stage == MSK_TRAIN_TRANSFORMER) {
    fprintf(stderr, ", held out %.3f, with drawings %.3f, auc %.3f\n", p->held_out,
            p->held_out_hinted, p->held_out_auc);
  } else {
    fprintf(stderr, ", unseen photos %.2f dB, sharpness %.3f, colour error %.2f\n", p->decibels,
            p->sharpness, p->colour);
  }
}

static void show_line(struct show *show, const msk_train_progress *p, double peak) {
  char left[32], share[48] = "", second[48] = "";
  bool sequences = show->stage == MSK_TRAIN_TRANSFORMER;
  const char *examples = sequences ? "sequences" : "pictures";
  put_time(left, p->seconds_left);
  if (peak > 0)
    snprintf(share, sizeof share, ", %.2f of the %speak", p->flop_per_second / 1e9 / peak,
             p->precision == MSK_TRAIN_BF16 ? "bf16 " : "");
  if (isfinite(p->second_loss))
    snprintf(second, sizeof second, ", %s %.3f", sequences ? "pairs" : "commitment",
             p->second_loss);
  fprintf(stderr,
          "%s%.1f of %.1f thousand %s, loss %.3f%s, %.1f %s/s%s, "
          "%zu objects, %s left%s",
          show->drawn ? "\r\033[K" : "", (double)p->sequences / 1e3, (double)p->all_sequences / 1e3,
          examples, p->loss, second, p->sequences_per_second, examples, share, p->objects, left,
          p->waits ? ", waiting for objects" : "");
  if (p->logged) show_figures(show, p);
  show->drawn = !p->logged;
}

/* ---- curves ---- */

#define FIGURE(field) offsetof(msk_train_progress, field)
struct column {
  const char *name;
  size_t offset;
};
static const struct column sequence_columns[] = {
    {"masked", FIGURE(loss)},
    {"pairs", FIGURE(second_loss)},
    {"held_out", FIGURE(held_out)},
    {"held_out_hinted", FIGURE(held_out_hinted)},
    {"held_out_auc", FIGURE(held_out_auc)},
    {"gradient_norm", FIGURE(gradient_norm)},
    {"sequences_per_second", FIGURE(sequences_per_second)},
    {NULL, 0}};
static const struct column picture_columns[] = {
    {"picture", FIGURE(loss)},
    {"commitment", FIGURE(second_loss)},
    {"decibels", FIGURE(decibels)},
    {"sharpness", FIGURE(sharpness)},
    {"colour", FIGURE(colour)},
    {"gradient_norm", FIGURE(gradient_norm)},
    {"pictures_per_second", FIGURE(sequences_per_second)},
    {NULL, 0}};

/* A number, or nothing where there is none. */
static void put_cell(FILE *file, double value, const char *end) {
  if (isfinite(value)) fprintf(file, "%.6g", value);
  fputs(end, file);
}

static void put_row(FILE *file, const struct show *show, const msk_train_progress *p, double peak,
                    bool titled) {
  bool sequences = show->stage == MSK_TRAIN_TRANSFORMER;
  const struct column *columns = sequences ? sequence_columns : picture_columns;
  if (titled) {
    fprintf(file, "step,%s,objects,", sequences ? "sequences" : "pictures");
    for (const struct column *c = columns; c->name != NULL; c++) fprintf(file, "%s,", c->name);
    fputs("share_of_peak\n", file);
  }
  fprintf(file, "%ld,%zu,%zu,", p->step, p->sequences, p->objects);
  for (const struct column *c = columns; c->name != NULL; c++)
    put_cell(file, *(const double *)(const void *)((const char *)p + c->offset), ",");
  put_cell(file, peak > 0 ? p->flop_per_second / 1e9 / peak : NAN, "\n");
}

/* A whole row or none: half of one would spoil the next. Hours of training are not given up for a
 * row, but its loss is told. */
static void write_curve(const struct show *show, const msk_train_progress *p, double peak) {
  char path[TRAIN_PATH + 16], text[TRAIN_PATH + 128];
  long before = -1;
  snprintf(path, sizeof path, "%s/curves.csv", show->work);
  FILE *file = fopen(path, "a");
  bool good = file != NULL && (before = ftell(file)) >= 0;
  if (good) put_row(file, show, p, peak, before == 0);
  good = good && !ferror(file);
  if (file != NULL && fclose(file) != 0) good = false;
  if (good) return;
  snprintf(text, sizeof text, "a row of %s is lost: %s", path, strerror(errno));
  bool cut = before >= 0 && truncate(path, before) == 0;
  if (before >= 0 && !cut) strcat(text, ", and a part of it stays there");
  if (show->drawn) fputc('\n', stderr);
  app_warn(text);
}

/* Of the precision that the run has; one begun on another machine may be slow on this one. */
static double measure_peak(struct show *show, msk_train_precision precision) {
  msk_limits limits;
  const machine_options *machine = &show->options->machine;
  if (msk_limits_measure(&limits, machine->isa, machine->threads, PEAK_SECONDS, NULL, NULL) !=
      MSK_OK)
    return 0;
  if (precision != MSK_TRAIN_BF16) return limits.fma_gflops;
  if (limits.bf16_gflops == 0 && !show->warned && !show->options->quiet)
    app_warn(
        "the run goes on in bf16, for which these kernels have no instructions: "
        "\"precision\": \"fp32\" in the spec is faster here, from this step on");
  show->warned = true;
  return limits.bf16_gflops;
}

static int on_progress(void *user, const msk_train_progress *p) {
  struct show *show = user;
  double peak = p->logged ? measure_peak(show, p->precision) : 0;
  if (p->logged) write_curve(show, p, peak);
  bool due = p->logged || (progress_is_terminal() && progress_clock() - show->last > 1);
  if (due && !show->options->quiet) {
    show_line(show, p, peak);
    show->last = progress_clock();
  }
  return cancel_requested();
}

static int on_memory(void *user, size_t bytes) {
  (void)user;
  fprintf(stderr, "memory: %.1f MB for training\n", 1e-6 * (double)bytes);
  return cancel_requested();
}

/* Of a rank that does not lead. */
static int look_for_cancel(void *user, const msk_train_progress *p) {
  (void)user, (void)p;
  return cancel_requested();
}

static msk_status run_stage(train_spec *spec, struct show *show, msk_error *error) {
  show->stage = spec->options.stage;
  show->work = spec->work;
  spec->options.isa = show->options->machine.isa;
  spec->options.threads = show->options->machine.threads;
  spec->options.ranks = show->ranks;
  spec->options.user = show;
  bool leads = show->ranks == NULL || show->ranks->rank == 0;
  spec->options.on_progress = leads ? on_progress : look_for_cancel;
  spec->options.on_memory = leads && show->options->memory ? on_memory : NULL;
  msk_status status = msk_train(&spec->options, error);
  show->stopped = status == MSK_ERROR_CANCELLED;
  if (show->drawn) fputc('\n', stderr);
  show->drawn = false;
  if (status == MSK_OK && leads && !show->options->quiet)
    fprintf(stderr, "%s is written; masksketch info %s shows what is in it\n", spec->output,
            spec->output);
  return status;
}

static msk_status run_stages(const char *path, struct show *show, msk_error *error) {
  static train_spec spec; /* paths make it large */
  msk_status status =
      train_spec_open(&spec, path, show->ranks != NULL && show->ranks->rank > 0, error);
  for (int i = 0; status == MSK_OK && i < spec.stage_count; i++) {
    status = train_spec_stage(&spec, i, error);
    if (status == MSK_OK) status = run_stage(&spec, show, error);
  }
  train_spec_close(&spec);
  return status;
}

/* Several processes that know nothing of each other would each train the whole. */
static msk_status check_alone(const ranks *joined, msk_error *error) {
  const char *processes = getenv("OMPI_COMM_WORLD_SIZE");
  if (MASKSKETCH_MPI || joined != NULL || processes == NULL || atoi(processes) < 2) return MSK_OK;
  return app_fail(
      error, MSK_ERROR_UNSUPPORTED,
      "mpirun has started %s processes, but this program was built without MPI, and they "
      "cannot train together",
      processes);
}

static msk_status action(const cli_line *line, msk_error *error) {
  struct show show = {.options = line->options};
  msk_train_ranks together;
  ranks *joined = NULL;
  msk_status status = ranks_join(&joined, error);
  if (status == MSK_OK) status = check_alone(joined, error);
  if (joined != NULL) {
    together = train_ranks_of(joined);
    show.ranks = &together;
  }
  if (status == MSK_OK) status = run_stages(line->inputs[0], &show, error);
  /* The others would wait for one that fails for ever. */
  if (joined != NULL && (status == MSK_OK || show.stopped)) {
    ranks_leave(joined);
  } else if (joined != NULL) {
    app_report(error);
    ranks_end_all(app_exit_code(status));
  }
  return status;
}

static const cli_option rows[] = {
    CLI_TABLE(train_options, machine, machine_table),
    {"memory", .help = "tell on standard error how much memory a stage takes, before it does",
     CLI_A_FLAG(train_options, memory)},
    CLI_QUIET(train_options),
    {.type = CLI_END},
};

const cli_usage train_usage = {"SPEC.json", 1, 1, rows, sizeof(train_options), .action = action};
