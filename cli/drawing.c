/* SPDX-License-Identifier: Apache-2.0
 *
 * drawing.c - see drawing.h. What app/run.h hands over goes to its file, the contact sheet, the
 * list of tokens and the reports. */
#include "drawing.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "app/cancel.h"
#include "app/json.h"
#include "app/metadata.h"
#include "film.h"
#include "preview.h"
#include "sheet.h"
#include "trace.h"

static const cli_option result_rows[] = {
    {"output", 'o', "FILE", CLI_AN_OUTPUT(result_options, output),
     .help = "where the result goes: .png, .jpg, .jpeg or .webp; - is standard output",
     .otherwise = "a name made of the input's, in the working directory"},
    CLI_FORCE,
    CLI_QUALITY(result_options),
    {"no-metadata", .help = "leave the request out of the PNG",
     CLI_A_FLAG(result_options, no_metadata)},
    {"tokens-out", 0, "FILE.npy", CLI_AN_OUTPUT(result_options, tokens_out),
     .help = "also write the tokens, class token first: int32 of count x N, or of generate under "
             "official count x steps x N"},
    {"trace", 0, "FOLDER", CLI_A_FOLDER(result_options, trace),
     .help = "also write every step's quantities as .npy"},
    {"preview", 'p', .help = "show the picture in the terminal as it comes",
     CLI_A_FLAG(result_options, preview)},
    CLI_JSON(result_options, "one JSON object a picture"),
    CLI_QUIET(result_options),
    {.type = CLI_END},
};
const cli_table result_table = {"Results", result_rows};

/* What one run of an order needs while it lasts. */
typedef struct workshop {
  drawing *d;
  rank_wishes wishes;
  clip_likeness clip;
  preview picture;
  trace *steps;
  film *strip;
  sheet *contact;
  int32_t *tokens;      /* of all items, for --tokens-out */
  size_t tokens_each;   /* of one item: N, or steps x N */
  double started;       /* the run that is drawn or handed over */
  int finished, wanted; /* pictures */
} workshop;

void drawing_free(drawing *d) {
  run_end(&d->run);
  order_free(&d->order);
  msk_model_close(d->model);
}

static bool is_batch(const drawing *d) { return d->order.request.recipe.official != 0; }

/* ---- Callbacks ---- */

static int on_step(void *user, const msk_step_info *info) {
  workshop *w = user;
  if (info->preview != NULL) {
    progress_clear(&w->d->progress);
    preview_draw(&w->picture, info->preview, w->d->order.info.image_size);
  }
  progress_step(&w->d->progress, info, w->d->before + w->finished, info->item_count);
  return cancel_requested();
}

static int on_trace(void *user, const char *name, int step, const msk_array *array) {
  workshop *w = user;
  const int kept = w->d->order.kept;
  if (w->strip != NULL)
    film_take(w->strip, name, step, kept > 0 && is_batch(w->d) ? kept : 0, array);
  /* which knows the step: they come in order */
  return w->steps == NULL ? 0 : trace_take(w->steps, name, array);
}

static bool cancelled(void *user) {
  (void)user;
  return cancel_requested();
}

/* ---- Setting up ---- */

static msk_status tell_memory(const drawing *d, msk_error *error) {
  const msk_request first = run_request(&d->order, 0);
  msk_session_options options;
  size_t bytes = 0;
  msk_session_options_init(&options);
  if (d->machine->threads > 0) options.threads = d->machine->threads;
  msk_status status = msk_session_bytes(&bytes, d->model, &first, &options, error);
  if (status != MSK_OK) return status;
  fprintf(stderr, "memory: %.1f MB to work in\n", 1e-6 * (double)bytes);
  status = msk_session_device_bytes(&bytes, d->model, &first, &options, error);
  if (status == MSK_OK && bytes > 0)
    fprintf(stderr, "memory: %.1f MB of the GPU's to work in\n", 1e-6 * (double)bytes);
  return status;
}

static msk_status start_sheet(workshop *w, msk_error *error) {
  const order *o = &w->d->order;
  const int finished = o->request.guidance_count > 0 ? candidates_finished(o) : w->wanted;
  if (w->d->sheet == NULL) return MSK_OK;
  msk_status status = sheet_create(&w->contact, o->info.image_size, finished + 1, error);
  if (status != MSK_OK || o->picture.pixels == NULL) return status;
  return sheet_add(w->contact, &o->picture, o->request.job == MSK_JOB_EDIT ? "photo" : "sketch",
                   error);
}

static msk_status set_up(workshop *w, msk_error *error) {
  drawing *d = w->d;
  msk_request *request = &d->order.request;
  const result_options *results = d->results;
  const int steps = request->recipe.steps;
  if (d->before == 0) progress_start(&d->progress, results->quiet, d->all);
  if (results->preview) {
    preview_start(&w->picture, preview_detect(), d->order.info.image_size);
    /* eight pictures are seen as movement, and decoding them costs little beside the steps */
    if (w->picture.kind != PREVIEW_NONE) request->preview_every = steps / 8 > 1 ? steps / 8 : 1;
  }
  /* a trace callback makes the sampler measure what nobody else needs: set for who asks alone */
  const bool traced = results->trace != NULL || d->film != NULL;
  request->callbacks =
      (msk_callbacks){.user = w, .on_step = on_step, .on_trace = traced ? on_trace : NULL};
  d->run.threads = d->machine->threads;
  d->run.cancelled = cancelled;
  msk_status status = d->machine->tell_memory ? tell_memory(d, error) : MSK_OK;
  if (status == MSK_OK) status = run_start(&d->run, &d->order, &w->wishes, error);
  if (status == MSK_OK && request->guidance_count > 0)
    status = candidates_wishes(&w->wishes, &w->clip, d->line, d->candidates, d->machine, d->model,
                               error);
  if (status == MSK_OK && d->film != NULL)
    status = film_create(&w->strip, &d->order.info, recipe_steps(&request->recipe), error);
  return status == MSK_OK ? start_sheet(w, error) : status;
}

/* ---- One picture ---- */

/* Under the authors' recipe, `generate` tells the tokens of every step; all else those of the
 * result. */
static msk_status keep_tokens(workshop *w, const order_picture *p, msk_error *error) {
  const msk_result *result = p->result;
  bool every_step = w->d->order.request.job == MSK_JOB_GENERATE && is_batch(w->d);
  size_t n = (size_t)result->tokens_per_item, steps = every_step ? (size_t)result->step_count : 1;
  if (w->tokens == NULL) {
    w->tokens_each = steps * n;
    w->tokens = calloc((size_t)w->wanted, w->tokens_each * sizeof *w->tokens);
    if (w->tokens == NULL)
      return app_fail(error, MSK_ERROR_MEMORY, "out of memory for --tokens-out");
  }
  const int32_t *from = every_step ? result->step_tokens + (size_t)p->place * n : p->tokens;
  for (size_t step = 0; step < steps; step++)
    memcpy(w->tokens + (size_t)w->finished * w->tokens_each + step * n,
           from + step * (size_t)result->count * n, n * sizeof *from);
  return MSK_OK;
}

static msk_status write_tokens(workshop *w, msk_error *error) {
  size_t n = (size_t)w->d->order.info.tokens;
  msk_array array = {
      .dtype = MSK_DTYPE_I32, .rank = 2, .shape = {(size_t)w->finished, n}, .data = w->tokens};
  if (w->d->order.request.job == MSK_JOB_GENERATE && is_batch(w->d)) {
    array.rank = 3;
    array.shape[1] = w->tokens_each / n;
    array.shape[2] = n;
  }
  return output_array(w->d->results->tokens_out, &array, error);
}

/* People count from 1, as the names of files do; --first-item and JSON from 0. */
static void report_picture(workshop *w, const char *file, const order_picture *p) {
  const order *o = &w->d->order;
  if (w->d->results->quiet) return;
  app_print_safe(stderr, output_is_stdout(file) ? "standard output" : file);
  fputs(": ", stderr);
  app_print_class(stderr, msk_model_class_name(o->model, o->request.class_id));
  fprintf(stderr, ", seed %llu", (unsigned long long)o->request.seed);
  if (w->wanted > 1 || p->item > 0) fprintf(stderr, ", picture %d", p->item + 1);
  if (p->chosen != NULL) {
    char text[160];
    candidates_describe(text, sizeof text, p->chosen);
    fprintf(stderr, ", %s", text);
  }
  fprintf(stderr, ", %.1f s\n", progress_clock() - w->started);
}

/* Once: all pictures of a command come from the same weights. */
static void warn_of(workshop *w, const msk_result *result) {
  if (result->warning == NULL || w->d->warned || w->d->results->quiet) return;
  app_warn(result->warning);
  w->d->warned = true;
}

static msk_status add_to_sheet(workshop *w, const order_picture *p, msk_error *error) {
  const order *o = &w->d->order;
  if (w->contact == NULL) return MSK_OK;
  const char *class_name = msk_model_class_name(o->model, o->request.class_id);
  char label[160];
  if (p->chosen != NULL) {
    snprintf(label, sizeof label, "%d g%g %+.2f", p->item + 1, p->guidance, p->chosen->score);
  } else {
    if (class_name == NULL) class_name = "?";
    snprintf(label, sizeof label, "%.*s  %llu/%d", (int)strcspn(class_name, ","), class_name,
             (unsigned long long)o->request.seed, p->item + 1);
  }
  return sheet_add(w->contact, &p->image, label, error);
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

static msk_status print_picture(const order *o, const char *file, const order_picture *p,
                                msk_error *error) {
  const msk_result *result = p->result;
  const char *class_name = msk_model_class_name(o->model, o->request.class_id);
  json_t *scores = p->chosen != NULL ? candidates_scores(p->chosen) : json_object();
  if (p->chosen == NULL && p->structure != NULL)
    json_set_finite(scores, "structure", (double)*p->structure);
  json_t *object = json_pack(
      "{s:o, s:s, s:i, s:s?, s:o, s:i, s:i, s:s, s:i, s:I, s:o, s:o, s:{s:I, s:I}, s:s?}", "file",
      json_text(file), "job", msk_job_name((int)o->request.job), "class", o->request.class_id,
      "class_name", class_name, "seed", json_seed(o->request.seed), "item", p->item, "batch",
      result->count, "recipe", o->request.recipe.name, "steps", result->step_count, "passes",
      (json_int_t)result->passes, "times", times_object(&result->times), "scores", scores, "memory",
      "session", (json_int_t)result->memory, "peak", peak_memory(), "model", o->info.name);
  if (p->chosen != NULL) json_object_set_new(object, "guidance", json_real(p->guidance));
  if (result->warning != NULL)
    json_object_set_new(object, "warnings", json_pack("[s]", result->warning));
  return json_print(object, error);
}

static msk_status write_picture(const drawing *d, const char *file, const order_picture *p,
                                msk_error *error) {
  char *text = NULL;
  const bool anew = !d->results->no_metadata && d->verbatim == NULL;
  msk_status status = anew ? metadata_write(&text, &d->order, p, error) : MSK_OK;
  const char *metadata = d->verbatim != NULL && !d->results->no_metadata ? d->verbatim : text;
  if (status == MSK_OK)
    status = output_picture(file, &p->image, d->results->quality, metadata, error);
  msk_free(NULL, text);
  return status;
}

/* To its file, the sheet, the token list, and the reports. */
static msk_status finish_picture(workshop *w, const order_picture *p, msk_error *error) {
  drawing *d = w->d;
  char file[MAX_PATH_BYTES];
  msk_status status = output_numbered(file, d->output, w->finished, w->wanted, error);
  if (status == MSK_OK) status = write_picture(d, file, p, error);
  if (status == MSK_OK) status = add_to_sheet(w, p, error);
  if (status == MSK_OK && d->results->tokens_out != NULL) status = keep_tokens(w, p, error);
  if (status == MSK_OK) report_picture(w, file, p);
  if (status == MSK_OK) warn_of(w, p->result);
  if (status == MSK_OK && d->results->json) status = print_picture(&d->order, file, p, error);
  w->finished++;
  return status;
}

/* A finished candidate that is not wanted is on the sheet, and told; after the last come those
 * that were dropped. */
static msk_status show_rest(workshop *w, const order_picture *p, msk_error *error) {
  const bool json = w->d->results->json;
  msk_status status = MSK_OK;
  if (p->number >= w->wanted) {
    status = add_to_sheet(w, p, error);
    if (status == MSK_OK && json) status = candidates_print(&w->d->order, p->chosen, error);
  }
  if (status == MSK_OK && json && p->last && p->chosen != NULL)
    status = candidates_print_dropped(&w->d->order, p->result, error);
  return status;
}

/* ---- One run ---- */

static msk_status open_trace(workshop *w, msk_error *error) {
  const char *folder = w->d->results->trace;
  if (folder == NULL) return MSK_OK;
  char name[MAX_PATH_BYTES];
  msk_status status = MSK_OK;
  if (w->wanted > 1 && !is_batch(w->d)) {
    const int item = w->d->order.request.first_item + w->d->run.begun;
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

/* A trace that could not be written stopped the run: its reason is the one that counts. */
static msk_status close_trace(workshop *w, msk_status status, msk_error *error) {
  msk_error failure = {0};
  if (w->steps == NULL) return status;
  if (status == MSK_OK) {
    status = trace_finish(w->steps, error);
  } else if (trace_failure(w->steps, &failure) != MSK_OK) {
    *error = failure;
    status = failure.code;
  }
  trace_free(w->steps);
  w->steps = NULL;
  return status;
}

/* The next picture; NULL after the last. */
static msk_status next_picture(workshop *w, const order_picture **p, msk_error *error) {
  msk_status status = MSK_OK;
  if (run_is_due(&w->d->run)) {
    w->started = progress_clock();
    status = open_trace(w, error);
  }
  if (status == MSK_OK) status = run_next(&w->d->run, p, error);
  status = close_trace(w, status, error);
  progress_clear(&w->d->progress);
  return status;
}

static msk_status write_film(workshop *w, msk_error *error) {
  char name[MAX_PATH_BYTES];
  msk_status status = output_numbered(name, w->d->film, w->finished - 1, w->wanted, error);
  if (status != MSK_OK) return status;
  return film_write(w->strip, w->d->run.session, name, w->d->results->quality, error);
}

static msk_status make_pictures(workshop *w, msk_error *error) {
  const order_picture *p = NULL;
  msk_status status = next_picture(w, &p, error);
  while (status == MSK_OK && p != NULL) {
    if (w->picture.kind != PREVIEW_NONE && p->first)
      preview_draw(&w->picture, p->pixels, w->d->order.info.image_size);
    if (p->number < w->wanted) status = finish_picture(w, p, error);
    if (status == MSK_OK) status = show_rest(w, p, error);
    if (status == MSK_OK && w->strip != NULL && p->last) status = write_film(w, error);
    if (status == MSK_OK) status = next_picture(w, &p, error);
  }
  return status;
}

/* ---- The order ---- */

msk_status drawing_choose_output(drawing *d, const char *name, msk_error *error) {
  const bool given = d->results->output != NULL;
  msk_status status = output_numbered(d->output, given ? d->results->output : name, 0, 1, error);
  if (status != MSK_OK || given || cli_given(d->line, "force")) return status;
  return output_free_name(d->output, order_pictures(&d->order), error);
}

static msk_status check_film(const drawing *d, int wanted, msk_error *error) {
  if (d->film == NULL) return MSK_OK;
  if (d->order.request.job != MSK_JOB_DRAW)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--film has no effect here: only draw has structure scores to show");
  if (is_batch(d) && wanted > 1)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--film shows one picture, but the recipe official draws %d together: replay the one",
        wanted);
  /* its format is told by its suffix */
  if (output_is_stdout(d->film))
    return app_fail(error, MSK_ERROR_ARGUMENT, "--film was given -, expected the name of a file");
  msk_format format;
  return output_format(d->film, 0, &format, error);
}

/* A folder that holds something would get the trace mixed in. */
static msk_status check_trace(const drawing *d, msk_error *error) {
  const char *path = d->results->trace;
  DIR *folder = path == NULL || cli_given(d->line, "force") ? NULL : opendir(path);
  int entries = 0;
  if (folder == NULL) return MSK_OK;
  while (readdir(folder) != NULL) entries++;
  closedir(folder);
  if (entries <= 2) return MSK_OK; /* . and .. */
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "the folder %s is not empty, expected a new one for --trace, or --force", path);
}

/* Every name that will be written, before the work begins. */
static msk_status check_outputs(const drawing *d, int wanted, msk_error *error) {
  const cli_line *line = d->line;
  msk_format format;
  msk_status status = check_film(d, wanted, error);
  if (status == MSK_OK) status = output_format(d->output, d->results->quality, &format, error);
  if (status == MSK_OK && d->sheet != NULL) status = output_format(d->sheet, 0, &format, error);
  if (status == MSK_OK && !d->goes_on)
    status = cli_output_check(line, "output", d->output, wanted, error);
  if (status == MSK_OK) status = cli_output_check(line, "film", d->film, wanted, error);
  if (status == MSK_OK) status = cli_output_check(line, "sheet", d->sheet, 1, error);
  if (status == MSK_OK)
    status = cli_output_check(line, "tokens-out", d->results->tokens_out, 1, error);
  return status == MSK_OK ? check_trace(d, error) : status;
}

msk_status drawing_run(drawing *d, msk_error *error) {
  workshop w = {.d = d, .wanted = order_pictures(&d->order)};
  if (d->all == 0) d->all = w.wanted;
  msk_status status = check_outputs(d, w.wanted, error);
  if (status == MSK_OK) status = set_up(&w, error);
  if (status == MSK_OK) status = make_pictures(&w, error);
  progress_clear(&d->progress);
  if (status == MSK_OK && w.tokens != NULL) status = write_tokens(&w, error);
  if (status == MSK_OK && w.contact != NULL) status = sheet_write(w.contact, d->sheet, error);
  /* what is finished is written, whatever came after it */
  d->before += w.finished;
  if (status == MSK_ERROR_CANCELLED) {
    app_fail(error, status, "cancelled; %d of %d pictures %s finished and kept", d->before, d->all,
             d->before == 1 ? "is" : "are");
  }
  sheet_free(w.contact);
  film_free(w.strip);
  free(w.tokens);
  likeness_close(&w.clip);
  return status;
}
