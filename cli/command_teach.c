/* SPDX-License-Identifier: Apache-2.0
 *
 * command_teach.c - teach: a class from pictures, as an adapter of a model or a model of its
 * own. */
#include "app/cancel.h"
#include "app/model_path.h"
#include "app/output.h"
#include "app/progress.h"
#include "commands.h"
#include "masksketch_tools.h"
#include "photo_list.h"
#include "shared_options.h"

typedef struct teach_options {
  const char *class_name, *output;
  int rank, layers, steps, batch, crops, replay, precision;
  double rate;
  uint64_t seed;
  bool full, memory, quiet;
  machine_options machine;
} teach_options;

/* ---- pictures ---- */

static msk_status list_pictures(photo_list *list, const cli_line *line, msk_error *error) {
  msk_status status = MSK_OK;
  for (int i = 1; status == MSK_OK && i < line->input_count; i++)
    status = photo_list_add(list, line->inputs[i], error);
  if (status == MSK_OK && list->count < MSK_LEAST_PHOTOS)
    return app_fail(error, MSK_ERROR_ARGUMENT, "%d pictures were given, expected %d at least",
                    list->count, MSK_LEAST_PHOTOS);
  return status;
}

/* ---- progress ---- */

struct show {
  bool quiet, drawn, begun;
  double last;
};

static int on_progress(void *user, const msk_teach_progress *p) {
  static const char *const phases[] = {"looking at picture",
                                       "the model draws what it knows:", "step"};
  struct show *show = user;
  double left = p->seconds_left;
  /* how long it will take is told once, wherever the text goes; a line that is drawn over, on
   * terminals */
  bool begins = p->phase == MSK_TEACH_TRAINING && !show->begun;
  if (!show->quiet && begins) {
    long steps = p->all - p->done;
    fprintf(stderr, "%s%ld steps%s, about %d:%02d minutes: %.2g s each\n",
            show->drawn ? "\r\033[K" : "", steps, p->done > 0 ? " are left" : "", (int)left / 60,
            (int)left % 60, left / (double)(steps > 0 ? steps : 1));
    show->drawn = false;
  } else if (!show->quiet && progress_is_terminal() && progress_clock() - show->last > 0.2) {
    fprintf(stderr, "\r\033[K%s %ld of %ld", phases[p->phase], p->done, p->all);
    if (p->phase == MSK_TEACH_TRAINING)
      fprintf(stderr, ", loss %.3f, %d:%02d left", p->loss, (int)left / 60, (int)left % 60);
    show->last = progress_clock();
    show->drawn = true;
  }
  show->begun |= begins;
  return cancel_requested();
}

static int on_memory(void *user, size_t bytes) {
  (void)user;
  fprintf(stderr, "memory: %.1f MB for training\n", 1e-6 * (double)bytes);
  return cancel_requested();
}

/* ---- the command ---- */

/* All weights are no adapter's. */
static msk_status check_full(const cli_line *line, msk_error *error) {
  static const char *const of_adapters[] = {"rank", "layers"};
  const teach_options *o = line->options;
  for (size_t i = 0; o->full && i < sizeof of_adapters / sizeof *of_adapters; i++) {
    if (cli_given(line, of_adapters[i]))
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--%s says what an adapter is like, but --full trains all weights",
                      of_adapters[i]);
  }
  return MSK_OK;
}

/* Beside the output. */
static msk_status name_checkpoint(char path[MAX_PATH_BYTES], const char *output, msk_error *error) {
  int length = snprintf(path, MAX_PATH_BYTES, "%s.checkpoint", output);
  if (length < MAX_PATH_BYTES) return MSK_OK;
  return app_fail(error, MSK_ERROR_ARGUMENT, "the output's name is too long");
}

static void tell_how(const teach_options *o) {
  fprintf(stderr, "%s is written; masksketch draw SKETCH --class \"%s\" --%s %s draws it\n",
          o->output, o->class_name, o->full ? "model" : "adapter", o->output);
}

static msk_status action(const cli_line *line, msk_error *error) {
  const teach_options *o = line->options;
  photo_list pictures = {0};
  struct show show = {.quiet = o->quiet};
  char model[MAX_PATH_BYTES], checkpoint[MAX_PATH_BYTES];
  msk_teach_options teach;
  msk_teach_options_init(&teach);
  msk_status status = cli_output_check(line, "output", o->output, 1, error);
  if (status == MSK_OK) status = check_full(line, error);
  if (status == MSK_OK) status = name_checkpoint(checkpoint, o->output, error);
  if (status == MSK_OK) status = list_pictures(&pictures, line, error);
  if (status == MSK_OK) status = model_path_find(model, line->inputs[0], error);
  if (status == MSK_OK) {
    teach.model_path = model;
    teach.output_path = o->output;
    teach.checkpoint_path = checkpoint;
    teach.class_name = o->class_name;
    teach.photos = (const char *const *)pictures.photos;
    teach.drawings = (const char *const *)pictures.drawings;
    teach.photo_count = pictures.count;
    teach.isa = o->machine.isa;
    teach.threads = o->machine.threads;
    teach.seed = o->seed;
    teach.full = o->full;
    teach.rank = o->rank, teach.layers = o->layers;
    teach.steps = o->steps, teach.batch = o->batch;
    teach.crops = o->crops, teach.replay = o->replay;
    teach.rate = o->rate;
    teach.precision = (msk_train_precision)o->precision;
    teach.user = &show;
    teach.on_progress = on_progress;
    teach.on_memory = o->memory ? on_memory : NULL;
    if (!o->quiet)
      fprintf(stderr, "%d pictures, %d of them with a drawing\n", pictures.count, pictures.drawn);
    status = msk_teach(&teach, error);
  }
  if (show.drawn) fputc('\n', stderr);
  if (status == MSK_OK && !o->quiet) tell_how(o);
  photo_list_free(&pictures);
  return status;
}

static const cli_option rows[] = {
    {"class", 'c', "NAME", CLI_A_TEXT(teach_options, class_name), .needed = "a name for the class",
     .help = "what the pictures show: the name of the new class"},
    {"output", 'o', "FILE", CLI_AN_OUTPUT(teach_options, output),
     .needed = "the name of an adapter file, or with --full of a model file",
     .help = "the adapter, or with --full the model"},
    {"full", .help = "train all weights, and write a model with one class more",
     CLI_A_FLAG(teach_options, full)},
    {"steps", 0, "N", CLI_AN_INT(teach_options, steps, 1, 1000000), .initial = "240",
     .help = "steps of training"},
    {"batch", 0, "N", CLI_AN_INT(teach_options, batch, 1, MSK_MAX_TRAIN_BATCH), .initial = "16",
     .help = "sequences of a step"},
    {"rate", 0, "F", CLI_A_REAL(teach_options, rate, 0, 1), .help = "how far a step goes",
     .otherwise = "0.001, with --full 0.0001"},
    {"rank", 0, "N", CLI_AN_INT(teach_options, rank, 1, 256), .initial = "8",
     .help = "of what is added to each matrix: the file's size grows with it"},
    {"layers", 0, "N", CLI_AN_INT(teach_options, layers, 1, 1000),
     .help = "add to the last so many layers alone", .otherwise = "all"},
    {"crops", 0, "N", CLI_AN_INT(teach_options, crops, 1, 1000), .initial = "8",
     .help = "random crops of each picture, half of them mirrored"},
    {"replay", 0, "N", CLI_AN_INT(teach_options, replay, 0, 100000), .initial = "96",
     .help = "samples of the old classes that the model draws first, to keep them"},
    {"seed", 0, "N", CLI_A_SEED(teach_options, seed), .initial = "1",
     .help = "of everything random"},
    {"precision", 0, "TYPE", CLI_A_NAME(teach_options, precision, msk_train_precision_name),
     .initial = "auto",
     .help = "arithmetic of training: all in fp32, or products of bf16 numbers, which auto takes "
             "where the machine has instructions for them"},
    {"memory", .help = "tell on standard error how much memory training takes, before it does",
     CLI_A_FLAG(teach_options, memory)},
    CLI_FORCE,
    CLI_QUIET(teach_options),
    CLI_TABLE(teach_options, machine, machine_table),
    {.type = CLI_END},
};

const cli_usage teach_usage = {"MODEL --class NAME PHOTOS... -o FILE",
                               2,
                               MOST_PHOTOS,
                               rows,
                               sizeof(teach_options),
                               .action = action};
