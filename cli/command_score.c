/* SPDX-License-Identifier: Apache-2.0
 *
 * command_score.c - score: how well pictures fit a text and a sketch, as cosines of CLIP's
 * embeddings and their weighted sum, the best first; or which of a model's classes drawings
 * show. */
#include <stdlib.h>
#include <string.h>

#include "app/cancel.h"
#include "app/guess.h"
#include "app/input.h"
#include "app/json.h"
#include "app/likeness.h"
#include "app/model_path.h"
#include "app/order.h"
#include "commands.h"
#include "shared_options.h"

typedef struct score_options {
  const char *text, *class_text, *sketch, *clip;
  double weight_text, weight_sketch;
  bool classes;
  model_choice machine;
  bool json, quiet;
} score_options;

typedef struct row {
  const char *file;
  int place; /* on the command line: decides between equal scores */
  double text, sketch, score;
} row;

typedef struct scorer {
  const cli_line *line;
  const score_options *options;
  clip_likeness clip;
  bool with_text, with_sketch;
  char text[MAX_TEXT_BYTES + 1];
} scorer;

/* ---- what is asked ---- */

static msk_status check_class(const char *name, bool has_mark, msk_error *error) {
  if (name == NULL && has_mark)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--text holds {class}, expected --class with the word for it");
  if (name == NULL) return MSK_OK;
  if (!has_mark)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--class has no effect on a --text without {class}: leave one of them out");
  if (name[strspn(name, "0123456789")] == 0) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--class was given %s, expected a word: CLIP reads names, not numbers", name);
  }
  return MSK_OK;
}

static msk_status read_request(scorer *s, msk_error *error) {
  const score_options *options = s->options;
  const char *text = options->text;
  if (text == NULL && options->class_text != NULL) text = LIKENESS_TEXT;
  s->with_text = text != NULL;
  s->with_sketch = options->sketch != NULL;
  if (!s->with_text && !s->with_sketch)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "there is nothing to hold the pictures against, expected --text, --class or --sketch");
  if (!s->with_text && cli_given(s->line, "weight-text"))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--weight-text has no effect without --text or --class: leave it out");
  if (!s->with_sketch && cli_given(s->line, "weight-sketch"))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--weight-sketch has no effect without --sketch: leave it out");
  if (!s->with_text) return MSK_OK;
  msk_status status = check_class(options->class_text, strstr(text, "{class}") != NULL, error);
  return status == MSK_OK ? likeness_fill_text(s->text, text, options->class_text, error) : status;
}

/* ---- embeddings ---- */

static msk_status open_clip(scorer *s, msk_error *error) {
  char folder[MAX_PATH_BYTES];
  msk_status status = model_path_find_clip(folder, s->options->clip, error);
  return status == MSK_OK ? likeness_open(&s->clip, folder, &s->options->machine, NULL, error)
                          : status;
}

static msk_status set_text(scorer *s, msk_error *error) {
  int tokens = 0;
  msk_status status = likeness_set_text(&s->clip, s->text, &tokens, error);
  if (status == MSK_OK && tokens > s->clip.info.text_tokens && !s->options->quiet) {
    fprintf(stderr,
            "masksketch: the text takes %d tokens, of which CLIP reads %d: its end was cut off\n",
            tokens, s->clip.info.text_tokens);
  }
  return status;
}

static msk_status load(msk_image *image, const char *path, msk_error *error) {
  if (cancel_requested()) return app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
  return input_picture(image, path, MSK_ALPHA_WHITE, error);
}

static msk_status set_sketch(scorer *s, msk_error *error) {
  msk_image image = {0};
  msk_status status = load(&image, s->options->sketch, error);
  if (status == MSK_OK) status = likeness_set_sketch(&s->clip, &image, error);
  msk_image_free(&image);
  return status;
}

static msk_status score_picture(scorer *s, row *r, msk_error *error) {
  const score_options *options = s->options;
  msk_image image = {0};
  msk_status status = load(&image, r->file, error);
  if (status == MSK_OK) status = likeness_look(&s->clip, &image, &r->text, &r->sketch, error);
  msk_image_free(&image);
  r->score = options->weight_text * r->text + options->weight_sketch * r->sketch;
  return status;
}

/* ---- results ---- */

static int compare_rows(const void *left, const void *right) {
  const row *a = left, *b = right;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return a->place - b->place;
}

static msk_status print_rows(const scorer *s, const row *rows, int count, msk_error *error) {
  if (s->options->json) {
    json_t *array = json_array();
    for (int i = 0; i < count; i++) {
      json_array_append_new(
          array, json_pack("{s:o, s:o, s:o, s:f}", "file", json_text(rows[i].file), "text",
                           s->with_text ? json_real(rows[i].text) : json_null(), "sketch",
                           s->with_sketch ? json_real(rows[i].sketch) : json_null(), "score",
                           rows[i].score));
    }
    return json_print(array, error);
  }
  printf("%-8s%s%s  picture\n", "score", s->with_text ? "       text" : "",
         s->with_sketch ? "     sketch" : "");
  for (int i = 0; i < count; i++) {
    printf("%-8.4f", rows[i].score);
    if (s->with_text) printf(" %10.4f", rows[i].text);
    if (s->with_sketch) printf(" %10.4f", rows[i].sketch);
    printf("  ");
    app_print_safe(stdout, rows[i].file);
    putchar('\n');
  }
  return app_flush_stdout(error);
}

/* ---- the classes that drawings show ---- */

enum { BEST_CLASSES = 3 };

static msk_status check_guess(const cli_line *line, msk_error *error) {
  static const char *const others[] = {"text", "class", "sketch", "weight-text", "weight-sketch"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    if (cli_given(line, others[i]))
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--%s has no effect with --classes: leave one of them out", others[i]);
  }
  return MSK_OK;
}

/* As draw would take it: levelled, dark on light, square. */
static msk_status prepare_drawing(msk_image *prepared, const msk_model *model, const char *path,
                                  msk_error *error) {
  order o = {.kept = -1};
  msk_image source = {0};
  msk_status status = order_begin(&o, model, MSK_JOB_DRAW, NULL, error);
  const msk_prepare_options preparation = order_preparation(&o);
  if (status == MSK_OK) status = input_picture(&source, path, order_alpha(&o), error);
  if (status == MSK_OK) status = order_set_picture(&o, &source, &preparation, error);
  *prepared = o.picture;
  o.picture = (msk_image){0};
  msk_image_free(&source);
  order_free(&o);
  return status;
}

static void print_guesses(const char *file, const msk_model *model, const guess *guesses,
                          int count) {
  app_print_safe(stdout, file);
  for (int i = 0; i < count && i < BEST_CLASSES; i++) {
    fputs(i == 0 ? ": " : ", ", stdout);
    app_print_class(stdout, msk_model_class_name(model, guesses[i].class_id));
    printf(" %.0f %%", 100 * guesses[i].share);
  }
  putchar('\n');
}

static msk_status guess_drawings(const cli_line *line, const class_guesser *g,
                                 const msk_model *model, guess *guesses, msk_error *error) {
  const bool json = ((const score_options *)line->options)->json;
  json_t *all = json ? json_array() : NULL;
  msk_status status = MSK_OK;
  for (int i = 0; status == MSK_OK && i < line->input_count; i++) {
    const char *file = line->inputs[i];
    msk_image drawing = {0};
    status = cancel_requested() ? app_fail(error, MSK_ERROR_CANCELLED, "cancelled")
                                : prepare_drawing(&drawing, model, file, error);
    if (status == MSK_OK) status = guesser_look(g, &drawing, guesses, error);
    msk_image_free(&drawing);
    if (status != MSK_OK) break;
    if (json) {
      json_array_append_new(all, json_pack("{s:o, s:o}", "file", json_text(file), "classes",
                                           guesses_list(g, model, guesses)));
    } else {
      print_guesses(file, model, guesses, g->count);
    }
  }
  if (status == MSK_OK) return json ? json_print(all, error) : app_flush_stdout(error);
  json_decref(all);
  return status;
}

static msk_status guess_action(scorer *s, msk_error *error) {
  /* of the model only classes are wanted */
  model_choice choice = s->options->machine;
  choice.device = "cpu";
  choice.precision = choice.decode_precision = -1;
  msk_model *model = NULL;
  class_guesser g = {0};
  guess *guesses = NULL;
  msk_status status = check_guess(s->line, error);
  if (status == MSK_OK) status = model_path_open(&model, &choice, error);
  if (status == MSK_OK) status = open_clip(s, error);
  if (status == MSK_OK) status = guesser_open(&g, &s->clip, model, error);
  if (status == MSK_OK) guesses = calloc((size_t)g.count, sizeof *guesses);
  if (status == MSK_OK && guesses == NULL)
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for %d classes", g.count);
  if (status == MSK_OK) status = guess_drawings(s->line, &g, model, guesses, error);
  free(guesses);
  guesser_close(&g);
  likeness_close(&s->clip);
  msk_model_close(model);
  return status;
}

static msk_status action(const cli_line *line, msk_error *error) {
  const score_options *options = line->options;
  scorer s = {.line = line, .options = options};
  if (options->classes) return guess_action(&s, error);
  if (options->machine.name != NULL)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--model has no effect without --classes: leave it out");
  row *rows = calloc((size_t)line->input_count, sizeof *rows);
  msk_status status = rows == NULL
                          ? app_fail(error, MSK_ERROR_MEMORY, "out of memory for the scores")
                          : read_request(&s, error);
  if (status == MSK_OK) status = open_clip(&s, error);
  if (status == MSK_OK && s.with_text) status = set_text(&s, error);
  if (status == MSK_OK && s.with_sketch) status = set_sketch(&s, error);
  for (int i = 0; status == MSK_OK && i < line->input_count; i++) {
    rows[i] = (row){.file = line->inputs[i], .place = i};
    status = score_picture(&s, &rows[i], error);
  }
  if (status == MSK_OK) {
    qsort(rows, (size_t)line->input_count, sizeof *rows, compare_rows);
    status = print_rows(&s, rows, line->input_count, error);
  }
  likeness_close(&s.clip);
  free(rows);
  return status;
}

static const cli_option option_rows[] = {
    {"text", 0, "TEXT", CLI_A_TEXT(score_options, text), .otherwise = "a photo of a {class}",
     .help = "what the pictures should show; {class} stands for --class"},
    {"class", 'c', "CLASS", CLI_A_TEXT(score_options, class_text),
     .help = "the word that stands for {class}"},
    {"sketch", 0, "SKETCH", CLI_AN_INPUT(score_options, sketch),
     .help = "the drawing that the pictures should be like"},
    {"weight-text", 0, "F", CLI_A_REAL(score_options, weight_text, 0, 100), .initial = "1",
     .help = "weight of the text in the score"},
    {"weight-sketch", 0, "F", CLI_A_REAL(score_options, weight_sketch, 0, 100), .initial = "1",
     .help = "weight of the sketch in the score"},
    {"classes", 0, NULL, CLI_A_FLAG(score_options, classes),
     .help = "tells instead which of the model's classes each drawing shows, the likeliest first"},
    CLI_MODEL_ROW(score_options, machine.name),
    CLI_CLIP_ROW(score_options, clip),
    CLI_JSON(score_options, "one JSON array"),
    CLI_QUIET(score_options),
    CLI_MACHINE_ROWS(score_options, machine.),
    CLI_DEVICE_ROW(score_options, machine.device, CLI_DEVICE_OTHERWISE),
    {.type = CLI_END},
};

const cli_usage score_usage = {
    "PICTURE... [--text TEXT] [--class CLASS] [--sketch SKETCH] | --classes [--clip DIR]",
    1,
    1000,
    option_rows,
    sizeof(score_options),
    .action = action};
