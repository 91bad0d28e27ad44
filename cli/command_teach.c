/* SPDX-License-Identifier: Apache-2.0
 *
 * command_teach.c - teach: a class from pictures, as an adapter of a model. A picture's drawing is
 * NAME.sketch.png beside it, or drawings/NAME.png. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cancel.h"
#include "app/model_path.h"
#include "app/output.h"
#include "app/progress.h"
#include "commands.h"
#include "masksketch_tools.h"
#include "shared_options.h"

enum { MOST_PHOTOS = 100000 };

typedef struct teach_options {
  const char *class_name, *output;
  int rank, layers, steps, batch, crops, replay;
  double rate;
  uint64_t seed;
  bool quiet;
  machine_options machine;
} teach_options;

/* ---- pictures ---- */

struct pictures {
  char **photos, **drawings; /* drawings: NULL where there is none */
  int count, drawn;
};

static bool ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool is_photo(const char *name) {
  return msk_format_of_path(name) != MSK_FORMAT_AUTO && !ends_with(name, ".sketch.png");
}

/* NULL: there is none. */
static char *find_drawing(const char *photo) {
  const char *slash = strrchr(photo, '/'), *name = slash == NULL ? photo : slash + 1,
             *dot = strrchr(name, '.');
  char path[MAX_PATH_BYTES];
  int folder = (int)(name - photo), stem = (int)(dot - name);
  for (int form = 0; form < 2; form++) {
    int length =
        snprintf(path, sizeof path, "%.*s%s%.*s%s", folder, photo, form == 0 ? "" : "drawings/",
                 stem, name, form == 0 ? ".sketch.png" : ".png");
    if (length < (int)sizeof path && access(path, R_OK) == 0) return strdup(path);
  }
  return NULL;
}

static msk_status add_photo(struct pictures *p, const char *path, msk_error *error) {
  if (p->count == MOST_PHOTOS)
    return app_fail(error, MSK_ERROR_ARGUMENT, "more than %d pictures were given", MOST_PHOTOS);
  p->photos[p->count] = strdup(path);
  p->drawings[p->count] = find_drawing(path);
  p->drawn += p->drawings[p->count] != NULL;
  return p->photos[p->count++] == NULL ? app_fail(error, MSK_ERROR_MEMORY, "out of memory")
                                       : MSK_OK;
}

/* In order of their names, so that the same folder teaches the same. */
static msk_status add_folder(struct pictures *p, const char *folder, msk_error *error) {
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, NULL, alphasort);
  msk_status status = MSK_OK;
  for (int i = 0; i < count; i++) {
    char path[MAX_PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
    if (status == MSK_OK && is_photo(entries[i]->d_name) && length < (int)sizeof path)
      status = add_photo(p, path, error);
    free(entries[i]);
  }
  free(entries);
  return status;
}

static msk_status add_input(struct pictures *p, const char *path, msk_error *error) {
  struct stat about;
  if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) return add_folder(p, path, error);
  if (is_photo(path)) return add_photo(p, path, error);
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "%s is neither a folder nor named like a PNG, JPEG or WebP", path);
}

static msk_status list_pictures(struct pictures *p, const cli_line *line, msk_error *error) {
  p->photos = calloc(MOST_PHOTOS, sizeof *p->photos);
  p->drawings = calloc(MOST_PHOTOS, sizeof *p->drawings);
  if (p->photos == NULL || p->drawings == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the list of pictures");
  msk_status status = MSK_OK;
  for (int i = 1; status == MSK_OK && i < line->input_count; i++)
    status = add_input(p, line->inputs[i], error);
  if (status == MSK_OK && p->count < MSK_LEAST_PHOTOS)
    return app_fail(error, MSK_ERROR_ARGUMENT, "%d pictures were given, expected %d at least",
                    p->count, MSK_LEAST_PHOTOS);
  return status;
}

static void free_pictures(struct pictures *p) {
  for (int i = 0; i < p->count; i++) {
    free(p->photos[i]);
    free(p->drawings[i]);
  }
  free(p->photos);
  free(p->drawings);
}

/* ---- progress ---- */

struct show {
  bool quiet, drawn;
  double last;
};

static int on_progress(void *user, const msk_teach_progress *p) {
  static const char *const phases[] = {"looking at picture",
                                       "the model draws what it knows:", "step"};
  struct show *show = user;
  double left = p->seconds_left;
  bool begins = p->phase == MSK_TEACH_TRAINING && p->done == 0;
  if (!show->quiet && begins) {
    fprintf(stderr, "%s%ld steps, about %d:%02d minutes\n", show->drawn ? "\r\033[K" : "", p->all,
            (int)left / 60, (int)left % 60);
    show->drawn = false;
  } else if (!show->quiet && progress_is_terminal() && progress_clock() - show->last > 0.2) {
    fprintf(stderr, "\r\033[K%s %ld of %ld", phases[p->phase], p->done, p->all);
    if (p->phase == MSK_TEACH_TRAINING)
      fprintf(stderr, ", loss %.3f, %d:%02d left", p->loss, (int)left / 60, (int)left % 60);
    show->last = progress_clock();
    show->drawn = true;
  }
  return cancel_requested();
}

static msk_status action(const cli_line *line, msk_error *error) {
  const teach_options *o = line->options;
  struct pictures pictures = {0};
  struct show show = {.quiet = o->quiet};
  char model[MAX_PATH_BYTES];
  msk_teach_options teach;
  msk_teach_options_init(&teach);
  msk_status status = cli_output_check(line, "output", o->output, 1, error);
  if (status == MSK_OK) status = list_pictures(&pictures, line, error);
  if (status == MSK_OK) status = model_path_find(model, line->inputs[0], error);
  if (status == MSK_OK) {
    teach.model_path = model;
    teach.output_path = o->output;
    teach.class_name = o->class_name;
    teach.photos = (const char *const *)pictures.photos;
    teach.drawings = (const char *const *)pictures.drawings;
    teach.photo_count = pictures.count;
    teach.isa = o->machine.isa;
    teach.threads = o->machine.threads;
    teach.seed = o->seed;
    teach.rank = o->rank, teach.layers = o->layers;
    teach.steps = o->steps, teach.batch = o->batch;
    teach.crops = o->crops, teach.replay = o->replay;
    teach.rate = o->rate;
    teach.user = &show;
    teach.on_progress = on_progress;
    if (!o->quiet)
      fprintf(stderr, "%d pictures, %d of them with a drawing\n", pictures.count, pictures.drawn);
    status = msk_teach(&teach, error);
  }
  if (show.drawn) fputc('\n', stderr);
  if (status == MSK_OK && !o->quiet)
    fprintf(stderr, "%s is written; masksketch draw SKETCH --class \"%s\" --adapter %s draws it\n",
            o->output, o->class_name, o->output);
  free_pictures(&pictures);
  return status;
}

static const cli_option rows[] = {
    {"class", 'c', "NAME", CLI_A_TEXT(teach_options, class_name), .needed = "a name for the class",
     .help = "what the pictures show: the name of the new class"},
    {"output", 'o', "FILE", CLI_AN_OUTPUT(teach_options, output),
     .needed = "the name of an adapter file", .help = "the adapter"},
    {"steps", 0, "N", CLI_AN_INT(teach_options, steps, 1, 1000000), .initial = "300",
     .help = "steps of training"},
    {"batch", 0, "N", CLI_AN_INT(teach_options, batch, 1, MSK_MAX_TRAIN_BATCH), .initial = "16",
     .help = "sequences of a step"},
    {"rate", 0, "F", CLI_A_REAL(teach_options, rate, 0, 1), .initial = "0.002",
     .help = "how far a step goes"},
    {"rank", 0, "N", CLI_AN_INT(teach_options, rank, 1, 256), .initial = "8",
     .help = "of what is added to each matrix: the file's size grows with it"},
    {"layers", 0, "N", CLI_AN_INT(teach_options, layers, 1, 1000),
     .help = "add to the last so many layers alone", .otherwise = "all"},
    {"crops", 0, "N", CLI_AN_INT(teach_options, crops, 1, 1000), .initial = "8",
     .help = "random crops of each picture, half of them mirrored"},
    {"replay", 0, "N", CLI_AN_INT(teach_options, replay, 0, 100000), .initial = "48",
     .help = "samples of the old classes that the model draws first, to keep them"},
    {"seed", 0, "N", CLI_A_SEED(teach_options, seed), .initial = "1",
     .help = "of everything random"},
    CLI_FORCE,
    CLI_QUIET(teach_options),
    CLI_TABLE(teach_options, machine, machine_table),
    {.type = CLI_END},
};

const cli_usage teach_usage = {"MODEL --class NAME PHOTOS... -o ADAPTER",
                               2,
                               MOST_PHOTOS,
                               rows,
                               sizeof(teach_options),
                               .action = action};
