/* SPDX-License-Identifier: Apache-2.0
 *
 * drawing.c - see drawing.h. A recipe that mends the authors' code draws each item from a stream
 * of its own, so items run one by one: each picture is written as soon as it is finished, and
 * Ctrl-C keeps it. The authors' own batch has to run together. */
#include "drawing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "app/cancel.h"
#include "app/input.h"
#include "app/json.h"
#include "app/progress.h"
#include "candidates.h"
#include "film.h"
#include "metadata.h"
#include "preview.h"
#include "sheet.h"
#include "trace.h"

/* What one run of an order needs while it lasts. */
typedef struct workshop {
  drawing *d;
  msk_session *session;
  progress line;
  preview picture;
  trace *steps;
  film *strip;
  sheet *contact;
  int32_t *tokens;    /* of all items, for --tokens-out */
  size_t tokens_each; /* of one item: N, or steps x N */
  double encode_seconds;
  const contender *chosen; /* the candidate whose picture is being finished, or NULL */
  int finished, wanted;    /* pictures */
} workshop;

void drawing_free(drawing *d) {
  msk_image_free(&d->picture);
  msk_image_free(&d->mask);
  msk_image_free(&d->lambda_map);
  free(d->sketch_tokens);
  msk_model_close(d->model);
}

/* ---- Callbacks ---- */

static int on_step(void *user, const msk_step_info *info) {
  workshop *w = user;
  if (info->preview != NULL) {
    progress_clear(&w->line);
    preview_draw(&w->picture, info->preview, w->d->info.image_size);
  }
  progress_step(&w->line, info, w->finished, info->item_count);
  return cancel_requested();
}

static int on_trace(void *user, const char *name, int step, const msk_array *array) {
  workshop *w = user;
  if (w->strip != NULL)
    film_take(w->strip, name, step, w->d->kept > 0 && drawing_is_batch(w->d) ? w->d->kept : 0,
              array);
  /* which knows the step: they come in order */
  return w->steps == NULL ? 0 : trace_take(w->steps, name, array);
}

/* ---- Setting up ---- */

/* The sketch is encoded once, whatever the number of pictures; its tokens are also what the PNG
 * keeps. */
static msk_status encode_sketch(workshop *w, msk_error *error) {
  drawing *d = w->d;
  if (d->request.job != MSK_JOB_DRAW || d->sketch_tokens != NULL) return MSK_OK;
  int32_t *tokens = NULL;
  int rows = 0, columns = 0;
  double before = progress_clock();
  msk_status status = msk_tokenize(w->session, &d->picture, &tokens, NULL, &rows, &columns, error);
  if (status != MSK_OK) return status;
  size_t count = (size_t)rows * (size_t)columns;
  if (count != (size_t)(d->info.tokens - 1)) {
    status = app_fail(error, MSK_ERROR_ARGUMENT, "the sketch has %zu tokens, the model expects %d",
                      count, d->info.tokens - 1);
  } else if ((d->sketch_tokens = malloc(count * sizeof *tokens)) == NULL) {
    status = app_fail(error, MSK_ERROR_MEMORY, "out of memory for the sketch's tokens");
  } else {
    memcpy(d->sketch_tokens, tokens, count * sizeof *tokens);
  }
  msk_free(NULL, tokens);
  w->encode_seconds = progress_clock() - before;
  return status;
}

static msk_status open_session(workshop *w, msk_error *error) {
  msk_session_options options;
  msk_session_options_init(&options);
  if (w->d->options->threads > 0) options.threads = w->d->options->threads;
  msk_request first = w->d->request;
  if (!drawing_is_batch(w->d) && first.guidance_count == 0) first.count = 1;
  if (w->d->options->memory) {
    size_t bytes = 0;
    msk_status status = msk_session_bytes(&bytes, w->d->model, &first, &options, error);
    if (status != MSK_OK) return status;
    fprintf(stderr, "memory: %.1f MB to work in\n", 1e-6 * (double)bytes);
  }
  return msk_session_open(&w->session, w->d->model, &first, &options, error);
}

/* Under the authors' recipe, `generate` tells the tokens of every step; all else those of the
 * result. */
static bool keeps_every_step(const drawing *d) {
  return d->request.job == MSK_JOB_GENERATE && drawing_is_batch(d);
}

static msk_status set_up(workshop *w, msk_error *error) {
  drawing *d = w->d;
  const cli_options *options = d->options;
  progress_start(&w->line, options->quiet != 0, w->wanted);
  if (options->preview) {
    preview_start(&w->picture, preview_detect(), d->info.image_size);
    if (w->picture.kind != PREVIEW_NONE)
      d->request.preview_every = d->request.recipe.steps / 8 > 1 ? d->request.recipe.steps / 8 : 1;
  }
  d->request.callbacks = (msk_callbacks){
      .user = w,
      .on_step = on_step,
      .on_trace = options->trace != NULL || options->film != NULL ? on_trace : NULL};
  msk_status status = open_session(w, error);
  if (status == MSK_OK && options->film != NULL)
    status =
        film_create(&w->strip, &d->info, d->request.recipe.steps + d->request.recipe.tail, error);
  if (status == MSK_OK) status = encode_sketch(w, error);
  if (status != MSK_OK || options->sheet == NULL) return status;
  status = sheet_create(&w->contact, d->info.image_size,
                        (options->candidates > 0 ? candidates_finished(d) : w->wanted) + 1, error);
  if (status == MSK_OK && d->picture.pixels != NULL) {
    status = sheet_add(w->contact, &d->picture, d->request.job == MSK_JOB_EDIT ? "photo" : "sketch",
                       error);
  }
  return status;
}

/* ---- One run ---- */

static msk_status open_trace(workshop *w, int item, msk_error *error) {
  const char *folder = w->d->options->trace;
  if (folder == NULL) return MSK_OK;
  char name[MAX_PATH_BYTES];
  msk_status status = MSK_OK;
  if (w->wanted > 1 && !drawing_is_batch(w->d)) {
    trace *parent = NULL;
    status = trace_open(&parent, folder, error); /* makes the folder */
    trace_free(parent);
    if (status != MSK_OK) return status;
    if (snprintf(name, sizeof name, "%s/item-%d", folder, item) >= (int)sizeof name) {
      return app_fail(error, MSK_ERROR_ARGUMENT, "the trace folder's name is too long: %.80s...",
                      folder);
    }
    folder = name;
  }
  return trace_open(&w->steps, folder, error);
}

static msk_status keep_tokens(workshop *w, const msk_result *result, int index, msk_error *error) {
  bool every_step = keeps_every_step(w->d) && result->step_tokens != NULL;
  size_t n = (size_t)result->tokens_per_item, steps = every_step ? (size_t)result->step_count : 1;
  if (w->tokens == NULL) {
    w->tokens_each = steps * n;
    w->tokens = calloc((size_t)w->wanted, w->tokens_each * sizeof *w->tokens);
    if (w->tokens == NULL)
      return app_fail(error, MSK_ERROR_MEMORY, "out of memory for --tokens-out");
  }
  int32_t *out = w->tokens + (size_t)w->finished * w->tokens_each;
  for (size_t step = 0; step < steps; step++) {
    const int32_t *in =
        every_step ? result->step_tokens + (step * (size_t)result->count + (size_t)index) * n
                   : result->tokens + (size_t)index * n;
    memcpy(out + step * n, in, n * sizeof *in);
  }
  return MSK_OK;
}

static void report_picture(workshop *w, const char *file, int item, double seconds) {
  progress_clear(&w->line);
  if (w->d->options->quiet) return;
  const char *class_name = msk_model_class_name(w->d->model, w->d->request.class_id);
  app_print_safe(stderr, output_is_stdout(file) ? "standard output" : file);
  fputs(": ", stderr);
  app_print_safe(stderr, class_name == NULL ? "?" : class_name);
  fprintf(stderr, ", seed %llu", (unsigned long long)w->d->request.seed);
  if (w->wanted > 1 || item > 0) fprintf(stderr, ", item %d", item);
  if (w->chosen != NULL) {
    char text[160];
    candidates_describe(text, sizeof text, w->chosen);
    fprintf(stderr, ", %s", text);
  }
  fprintf(stderr, ", %.1f s\n", seconds);
}

static msk_status add_to_sheet(workshop *w, const msk_image *image, int item, msk_error *error) {
  if (w->contact == NULL) return MSK_OK;
  const char *class_name = msk_model_class_name(w->d->model, w->d->request.class_id);
  char label[160];
  snprintf(label, sizeof label, "%.*s  %llu/%d",
           class_name == NULL ? 1 : (int)strcspn(class_name, ","),
           class_name == NULL ? "?" : class_name, (unsigned long long)w->d->request.seed, item);
  if (w->chosen != NULL)
    snprintf(label, sizeof label, "%d g%g %+.2f", item, w->chosen->guidance, w->chosen->score);
  return sheet_add(w->contact, image, label, error);
}

static json_t *times_object(const msk_times *times) {
  return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "encode", times->encode, "targets",
                   times->targets, "conditional", times->conditional, "structure", times->structure,
                   "sampling", times->sampling, "decode", times->decode, "total", times->total);
}

/* Bytes of physical memory that the process has held at most. */
static json_int_t peak_memory(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (json_int_t)usage.ru_maxrss * 1024 : 0;
}

static msk_status print_picture(const drawing *d, const char *file, int item,
                                const msk_result *result, int index, const contender *chosen,
                                msk_error *error) {
  static const char *const jobs[] = {"draw", "generate", "edit"};
  const char *class_name = msk_model_class_name(d->model, d->request.class_id);
  json_t *scores = chosen != NULL ? candidates_scores(chosen) : json_object();
  if (chosen == NULL && result->structure != NULL && isfinite(result->structure[index]))
    json_object_set_new(scores, "structure", json_real((double)result->structure[index]));
  json_t *object = json_pack(
      "{s:o, s:s, s:i, s:s?, s:o, s:i, s:i, s:s, s:i, s:I, s:o, s:o, s:{s:I, s:I}, s:s?}", "file",
      json_text(file), "job", jobs[d->request.job], "class", d->request.class_id, "class_name",
      class_name, "seed", json_seed(d->request.seed), "item", item, "batch", result->count,
      "recipe", d->request.recipe.name, "steps", result->step_count, "passes",
      (json_int_t)result->passes, "times", times_object(&result->times), "scores", scores, "memory",
      "session", (json_int_t)result->memory, "peak", peak_memory(), "model", d->info.name);
  if (chosen != NULL) json_object_set_new(object, "guidance", json_real(chosen->guidance));
  return json_print(object, error);
}

/* Picture `index` of a result: to its file, the sheet, the token list, and the reports. */
static msk_status finish_picture(workshop *w, const msk_result *result, int index, int item,
                                 double started, msk_error *error) {
  drawing *d = w->d;
  char file[MAX_PATH_BYTES];
  char *text = NULL;
  msk_image image = {0};
  size_t side = (size_t)d->info.image_size;
  msk_status status = output_numbered(file, d->output, w->finished, w->wanted, error);
  if (status == MSK_OK)
    status = msk_image_from_float(&image, result->pixels + (size_t)index * side * side * 3,
                                  d->info.image_size, d->info.image_size, NULL, error);
  if (status == MSK_OK && !d->options->no_metadata && d->verbatim == NULL)
    status = metadata_write(&text, d, item, error);
  const char *metadata = d->options->no_metadata ? NULL : d->verbatim != NULL ? d->verbatim : text;
  if (status == MSK_OK) status = output_picture(file, &image, d->options->quality, metadata, error);
  if (status == MSK_OK) status = add_to_sheet(w, &image, item, error);
  if (status == MSK_OK && d->options->tokens_out != NULL)
    status = keep_tokens(w, result, index, error);
  if (status == MSK_OK) report_picture(w, file, item, progress_clock() - started);
  if (status == MSK_OK && d->options->json)
    status = print_picture(d, file, item, result, index, w->chosen, error);
  free(text);
  msk_image_free(&image);
  w->finished++;
  return status;
}

/* Runs items first .. first+count-1 together, and finishes their pictures. */
static msk_status run_items(workshop *w, int first, int count, msk_error *error) {
  drawing *d = w->d;
  msk_request request = d->request;
  msk_result result;
  double started = progress_clock();
  request.first_item = first;
  request.count = count;
  if (d->sketch_tokens != NULL) {
    request.picture = NULL;
    request.picture_tokens = d->sketch_tokens;
  }
  msk_status status = open_trace(w, first, error);
  if (status == MSK_OK) status = msk_run(w->session, &request, &result, error);
  if (w->steps != NULL) {
    msk_error failure = {0};
    if (status == MSK_OK) {
      status = trace_finish(w->steps, error);
    } else if (trace_failure(w->steps, &failure) != MSK_OK) {
      *error = failure;
      status = failure.code;
    }
    trace_free(w->steps);
    w->steps = NULL;
  }
  progress_clear(&w->line);
  if (status != MSK_OK) return status;
  result.times.encode += w->encode_seconds;
  result.times.total += w->encode_seconds;
  w->encode_seconds = 0;
  if (w->picture.kind != PREVIEW_NONE)
    preview_draw(&w->picture,
                 result.pixels + (size_t)(d->kept > 0 ? d->kept : 0) * (size_t)d->info.image_size *
                                     (size_t)d->info.image_size * 3,
                 d->info.image_size);
  for (int i = 0; i < count && status == MSK_OK; i++) {
    if (d->kept < 0 || d->kept == i)
      status = finish_picture(w, &result, i, first + i, started, error);
  }
  char name[MAX_PATH_BYTES];
  if (status == MSK_OK && w->strip != NULL)
    status = output_numbered(name, d->options->film, w->finished - 1, w->wanted, error);
  if (status == MSK_OK && w->strip != NULL)
    status = film_write(w->strip, w->session, name, d->options->quality, error);
  return status;
}

/* A finished candidate that is not written is shown on the sheet. */
static msk_status show_candidate(workshop *w, const msk_result *result, msk_error *error) {
  if (w->contact == NULL) return MSK_OK;
  msk_image image = {0};
  const size_t side = (size_t)w->d->info.image_size;
  msk_status status =
      msk_image_from_float(&image, result->pixels + (size_t)w->chosen->result * side * side * 3,
                           (int)side, (int)side, NULL, error);
  if (status == MSK_OK) status = add_to_sheet(w, &image, w->chosen->item, error);
  msk_image_free(&image);
  return status;
}

/* All candidates together; the best are finished like any other picture, each with its own
 * guidance in the recipe. */
static msk_status run_candidates(workshop *w, msk_error *error) {
  drawing *d = w->d;
  msk_result result = {0};
  contender *contenders = NULL;
  msk_clip *clip = NULL;
  const double started = progress_clock(), guidance = d->request.recipe.guidance;
  d->request.picture = NULL;
  d->request.picture_tokens = d->sketch_tokens;
  msk_status status = candidates_open_clip(&clip, d, error);
  if (status == MSK_OK) status = msk_run(w->session, &d->request, &result, error);
  progress_clear(&w->line);
  if (status == MSK_OK) status = candidates_judge(d, clip, &result, &contenders, error);
  msk_clip_close(clip);
  result.times.encode += w->encode_seconds;
  result.times.total += w->encode_seconds;
  for (int i = 0; status == MSK_OK && i < result.count; i++) {
    w->chosen = &contenders[i];
    d->request.recipe.guidance = w->chosen->guidance;
    status = i < w->wanted
                 ? finish_picture(w, &result, w->chosen->result, w->chosen->item, started, error)
                 : show_candidate(w, &result, error);
  }
  d->request.recipe.guidance = guidance;
  w->chosen = NULL;
  if (status == MSK_OK && d->options->json)
    status = candidates_print_rest(d, &result, contenders, w->wanted, error);
  free(contenders);
  return status;
}

static msk_status write_tokens(workshop *w, msk_error *error) {
  size_t n = (size_t)w->d->info.tokens;
  msk_array array = {
      .dtype = MSK_DTYPE_I32, .rank = 2, .shape = {(size_t)w->finished, n}, .data = w->tokens};
  if (keeps_every_step(w->d)) {
    array.rank = 3;
    array.shape[1] = w->tokens_each / n;
    array.shape[2] = n;
  }
  return output_array(w->d->options->tokens_out, &array, error);
}

/* ---- The order ---- */

/* Every name that will be written, before the work begins. */
static msk_status check_film(const drawing *d, int wanted, msk_error *error) {
  const char *path = d->options->film;
  msk_format format;
  char name[MAX_PATH_BYTES];
  if (path == NULL) return MSK_OK;
  if (d->request.job != MSK_JOB_DRAW)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--film has no effect here: only draw has structure scores to show");
  if (drawing_is_batch(d) && wanted > 1)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--film shows one picture, but the recipe official draws %d together: replay the one",
        wanted);
  if (output_is_stdout(path))
    return app_fail(error, MSK_ERROR_ARGUMENT, "--film was given -, expected the name of a file");
  msk_status status = output_format(path, 0, &format, error);
  for (int i = 0; i < wanted && status == MSK_OK; i++) {
    char picture[MAX_PATH_BYTES];
    status = output_numbered(name, path, i, wanted, error);
    if (status == MSK_OK) status = cli_check_output(name, d->options, error);
    if (status == MSK_OK) status = output_numbered(picture, d->output, i, wanted, error);
    if (status == MSK_OK && strcmp(name, picture) == 0)
      status = app_fail(error, MSK_ERROR_ARGUMENT,
                        "two outputs have the same name %s, expected different ones", name);
  }
  return status;
}

static msk_status check_outputs(const drawing *d, int wanted, msk_error *error) {
  const cli_options *options = d->options;
  msk_format format;
  msk_status status = check_film(d, wanted, error);
  if (status == MSK_OK) status = output_format(d->output, options->quality, &format, error);
  if (status == MSK_OK && options->sheet != NULL)
    status = output_format(options->sheet, 0, &format, error);
  for (int i = 0; i < wanted && status == MSK_OK; i++) {
    char name[MAX_PATH_BYTES];
    status = output_numbered(name, d->output, i, wanted, error);
    if (status == MSK_OK) status = cli_check_output(name, options, error);
    const char *others[] = {options->sheet, options->tokens_out};
    for (int k = 0; k < 2 && status == MSK_OK; k++) {
      if (others[k] != NULL && !output_is_stdout(name) && strcmp(others[k], name) == 0) {
        status = app_fail(error, MSK_ERROR_ARGUMENT,
                          "two outputs have the same name %s, expected different ones", name);
      }
    }
  }
  if (status == MSK_OK && options->sheet != NULL)
    status = cli_check_output(options->sheet, options, error);
  if (status == MSK_OK && options->tokens_out != NULL)
    status = cli_check_output(options->tokens_out, options, error);
  if (status != MSK_OK) return status;
  int users = output_is_stdout(d->output) ? wanted : 0;
  users += (options->sheet != NULL && output_is_stdout(options->sheet)) +
           (options->tokens_out != NULL && output_is_stdout(options->tokens_out));
  if (users + (options->json != 0) > 1) {
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "several results were sent to standard output, expected one: give the others names");
  }
  return MSK_OK;
}

static msk_status run_all(workshop *w, msk_error *error) {
  drawing *d = w->d;
  if (d->request.guidance_count > 0) return run_candidates(w, error);
  if (drawing_is_batch(d)) return run_items(w, 0, d->request.count, error);
  msk_status status = MSK_OK;
  for (int i = 0; i < d->request.count && status == MSK_OK; i++) {
    status = cancel_requested() ? app_fail(error, MSK_ERROR_CANCELLED, "cancelled")
                                : run_items(w, d->request.first_item + i, 1, error);
  }
  return status;
}

msk_status drawing_run(drawing *d, msk_error *error) {
  workshop w = {.d = d, .wanted = d->kept >= 0 ? 1 : d->request.count};
  if (d->request.guidance_count > 0) w.wanted = d->options->keep > 0 ? d->options->keep : 1;
  msk_status status = check_outputs(d, w.wanted, error);
  if (status == MSK_OK) status = set_up(&w, error);
  if (status == MSK_OK) status = run_all(&w, error);
  progress_clear(&w.line);
  if (status == MSK_OK && w.tokens != NULL) status = write_tokens(&w, error);
  if (status == MSK_OK && w.contact != NULL)
    status = sheet_write(w.contact, d->options->sheet, error);
  if (status == MSK_ERROR_CANCELLED) {
    app_fail(error, status, "cancelled; %d of %d pictures %s finished and kept", w.finished,
             w.wanted, w.finished == 1 ? "is" : "are");
  }
  sheet_free(w.contact);
  film_free(w.strip);
  free(w.tokens);
  msk_session_close(w.session);
  return status;
}
