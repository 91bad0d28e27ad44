/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_measure.c - measuring one model in one precision (bench.h). A round is: a conditional
 * forward pass alone (a generated picture of one step without guidance), a drawing of a few
 * steps (encoding, guided steps, decoding), a whole picture by the recipe. Sessions are opened
 * once, and everything runs once before it counts. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cancel.h"
#include "app/progress.h"
#include "bench.h"

enum { SHORT_STEPS = 3 };

/* A request with a session of its own, and what its last run did. */
typedef struct job {
  msk_request request;
  msk_session *session;
  msk_result result;
  bench_result *rows; /* where its operations are noted, or NULL */
  double flop, step_flop, encode_flop, decode_flop;
  bool steps_only;
} job;

/* ---- operations ---- */

static bench_row *find_row(bench_result *result, const char *pass, const char *name) {
  for (int i = 0; i < result->row_count; i++) {
    if (strcmp(result->rows[i].pass, pass) == 0 && strcmp(result->rows[i].name, name) == 0)
      return &result->rows[i];
  }
  if (result->row_count == BENCH_MAX_ROWS) return NULL;
  bench_row *row = &result->rows[result->row_count++];
  *row = (bench_row){.calls = 0};
  snprintf(row->pass, sizeof row->pass, "%s", pass);
  snprintf(row->name, sizeof row->name, "%s", name);
  return row;
}

static void note_operation(void *user, const char *pass, const char *name, double seconds,
                           double flop) {
  job *j = user;
  bool step = strcmp(pass, "logits") == 0 || strcmp(pass, "score") == 0;
  j->flop += flop;
  if (step) j->step_flop += flop;
  if (strcmp(pass, "encode") == 0) j->encode_flop += flop;
  if (strcmp(pass, "decode") == 0) j->decode_flop += flop;
  if (j->rows == NULL) return;
  bench_row *row = find_row(j->rows, pass, name);
  if (row == NULL) return;
  row->round_seconds += step ? seconds / SHORT_STEPS : seconds;
  row->round_flop += step ? flop / SHORT_STEPS : flop;
  row->round_calls++;
}

/* The best round counts, row by row. */
static void close_round(bench_result *result) {
  for (int i = 0; i < result->row_count; i++) {
    bench_row *row = &result->rows[i];
    bool step = strcmp(row->pass, "logits") == 0 || strcmp(row->pass, "score") == 0;
    if (row->round_calls > 0 && (row->calls == 0 || row->round_seconds < row->seconds)) {
      row->seconds = row->round_seconds;
      row->flop = row->round_flop;
      row->calls = step ? row->round_calls / SHORT_STEPS : row->round_calls;
    }
    row->round_seconds = row->round_flop = 0;
    row->round_calls = 0;
  }
}

/* ---- requests ---- */

/* Something drawn: dark strokes on paper, the same every time. */
static msk_status make_sketch(msk_image *sketch, int side, msk_error *error) {
  msk_status status = msk_image_create(sketch, side, side, NULL, error);
  if (status != MSK_OK) return status;
  for (int y = 0; y < side; y++) {
    for (int x = 0; x < side; x++) {
      int dx = 2 * x - side, dy = 2 * y - side, distance = (dx * dx + dy * dy) / side;
      bool ink = (distance > side / 3 && distance < side / 3 + side / 16) ||
                 (y > 3 * side / 4 && y < 3 * side / 4 + side / 40);
      memset(sketch->pixels + 3 * (y * side + x), ink ? 20 : 245, 3);
    }
  }
  return MSK_OK;
}

static msk_status open_job(job *j, const msk_model *model, int threads, msk_error *error) {
  msk_session_options options;
  msk_session_options_init(&options);
  options.threads = threads;
  j->request.callbacks = (msk_callbacks){.user = j, .on_operation = note_operation};
  return msk_session_open(&j->session, model, &j->request, &options, error);
}

static int stop_when_cancelled(void *user, const msk_step_info *info) {
  (void)user;
  (void)info;
  return cancel_requested();
}

static msk_status run_job(job *j, msk_error *error) {
  j->flop = j->step_flop = j->encode_flop = j->decode_flop = 0;
  j->request.callbacks.on_step = stop_when_cancelled;
  return msk_run(j->session, &j->request, &j->result, error);
}

static msk_status prepare_forward(job *j, const msk_model *model, int threads, msk_error *error) {
  msk_status status = msk_request_init(&j->request, model, MSK_JOB_GENERATE, "official", error);
  if (status != MSK_OK) return status;
  j->request.recipe.steps = 1;
  j->request.recipe.guidance = 0;
  j->request.no_pictures = 1;
  return open_job(j, model, threads, error);
}

static msk_status prepare_short(const bench *b, job *j, const msk_model *model,
                                const msk_image *sketch, const int32_t *tokens, msk_error *error) {
  msk_status status = msk_request_init(&j->request, model, MSK_JOB_DRAW, "official", error);
  if (status != MSK_OK) return status;
  /* What is not asked for is not run, unless the rows of --kernels are. */
  bool steps = b->wanted[BENCH_STEP] || b->options->kernels;
  j->request.recipe.steps = steps ? SHORT_STEPS : 1;
  j->request.recipe.guidance = steps ? 1 : 0;
  if (b->wanted[BENCH_ENCODE] || b->options->kernels) {
    j->request.picture = sketch;
  } else {
    j->request.picture_tokens = tokens;
  }
  j->request.no_pictures = !b->wanted[BENCH_DECODE] && !b->options->kernels;
  return open_job(j, model, b->all.threads, error);
}

static msk_status prepare_whole(job *j, const msk_model *model, const msk_image *sketch,
                                const char *recipe, int threads, msk_error *error) {
  msk_status status = msk_request_init(&j->request, model, MSK_JOB_DRAW, recipe, error);
  if (status != MSK_OK) return status;
  j->request.picture = sketch;
  return open_job(j, model, threads, error);
}

/* ---- rounds ---- */

static void keep(bench_series *series, double seconds, double flop) {
  if (series->count < BENCH_MAX_ROUNDS) series->seconds[series->count++] = seconds;
  series->flop = flop;
}

static void keep_short(const bench *b, bench_result *result, const job *j) {
  const msk_times *times = &j->result.times;
  if (b->wanted[BENCH_STEP])
    keep(&result->items[BENCH_STEP],
         (times->conditional + times->structure + times->sampling) / SHORT_STEPS,
         j->step_flop / SHORT_STEPS);
  if (b->wanted[BENCH_ENCODE]) keep(&result->items[BENCH_ENCODE], times->encode, j->encode_flop);
  if (b->wanted[BENCH_DECODE]) keep(&result->items[BENCH_DECODE], times->decode, j->decode_flop);
}

static void tell_progress(const bench *b, const char *precision, int round) {
  if (b->options->quiet || !isatty(STDERR_FILENO)) return;
  fprintf(stderr, "\r%s: round %d of at most %d ", precision, round + 1, b->options->rounds);
  fflush(stderr);
}

/* A kind of job runs again while rounds and its part of the time are left; the first run is not
 * counted unless it is all there is. */
static bool again(const bench *b, double spent, int kinds, int round) {
  return round == 0 || spent < b->options->seconds / kinds;
}

static msk_status run_rounds(const bench *b, bench_result *result, job *forward, job *some,
                             job *whole, const char *precision, msk_error *error) {
  double spent[3] = {0, 0, 0};
  job *jobs[3] = {forward, some, whole};
  int kinds = 0;
  msk_status status = MSK_OK;
  for (int k = 0; k < 3; k++) kinds += jobs[k]->session != NULL;
  /* warming up; the whole picture is long enough by itself */
  for (int k = 0; k < 2 && status == MSK_OK; k++) {
    if (jobs[k]->session != NULL) status = run_job(jobs[k], error);
  }
  some->rows = result;
  for (int round = 0; round < b->options->rounds && status == MSK_OK; round++) {
    tell_progress(b, precision, round);
    for (int k = 0; k < 3 && status == MSK_OK; k++) {
      if (jobs[k]->session == NULL || !again(b, spent[k], kinds, round)) continue;
      double started = progress_clock();
      status = run_job(jobs[k], error);
      spent[k] += progress_clock() - started;
      if (status != MSK_OK) break;
      if (k == 0)
        keep(&result->items[BENCH_FORWARD], forward->result.times.conditional, forward->flop);
      if (k == 1) keep_short(b, result, some);
      if (k == 2) keep(&result->items[BENCH_DRAW], whole->result.times.total, whole->flop);
    }
    close_round(result);
  }
  if (!b->options->quiet && isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
  return status;
}

static msk_status measure_model(const bench *b, const msk_model *model, bench_result *result,
                                const char *precision, msk_error *error) {
  job forward = {.rows = NULL}, some = {.rows = NULL}, whole = {.rows = NULL};
  msk_image sketch = {0};
  int threads = b->all.threads;
  bool parts = b->wanted[BENCH_STEP] || b->wanted[BENCH_ENCODE] || b->wanted[BENCH_DECODE] ||
               (b->options->kernels && bench_wants_pictures(b));
  int32_t *tokens = calloc((size_t)b->info.tokens, sizeof *tokens);
  if (tokens == NULL)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the tokens of a picture");
  msk_status status = make_sketch(&sketch, b->info.image_size, error);
  if (status == MSK_OK && b->wanted[BENCH_FORWARD])
    status = prepare_forward(&forward, model, threads, error);
  if (status == MSK_OK && parts) status = prepare_short(b, &some, model, &sketch, tokens, error);
  if (status == MSK_OK && b->wanted[BENCH_DRAW])
    status = prepare_whole(&whole, model, &sketch, b->options->recipe, threads, error);
  if (status == MSK_OK) status = run_rounds(b, result, &forward, &some, &whole, precision, error);
  if (whole.session != NULL) {
    result->recipe = whole.request.recipe;
    result->session_bytes = whole.result.memory;
  }
  msk_session_close(forward.session);
  msk_session_close(some.session);
  msk_session_close(whole.session);
  msk_image_free(&sketch);
  free(tokens);
  return status;
}

/* ---- training ---- */

typedef struct training {
  const bench *b;
  bench_result *result;
  job noted;
  double spent;
} training;

static void note_training(void *user, const char *pass, const char *name, double seconds,
                          double flop) {
  training *t = user;
  if (t->noted.rows != NULL) note_operation(&t->noted, pass, name, seconds, flop);
}

static int keep_training(void *user, double seconds, double flop) {
  training *t = user;
  keep(&t->result->items[BENCH_TRAIN], seconds, flop);
  close_round(t->result);
  t->spent += seconds;
  return t->spent > t->b->options->seconds || cancel_requested();
}

static msk_status measure_training(const bench *b, bench_result *result,
                                   msk_train_precision precision, msk_error *error) {
  training t = {.b = b, .result = result, .noted.rows = b->options->kernels ? result : NULL};
  msk_train_measure_options options;
  msk_train_measure_options_init(&options);
  options.model_path = b->path;
  options.isa = b->options->isa;
  options.threads = b->all.threads;
  options.precision = precision;
  options.batch = b->options->batch;
  options.steps = b->options->rounds;
  options.user = &t;
  options.on_step = keep_training;
  options.on_operation = note_training;
  return msk_train_measure(&options, error);
}

bool bench_wants_pictures(const bench *b) {
  bool wanted = false;
  for (int item = 0; item < BENCH_TRAIN; item++) wanted |= b->wanted[item];
  return wanted;
}

msk_status bench_measure(bench *b, msk_precision precision, msk_error *error) {
  bench_result *result = &b->results[precision];
  msk_model *model = NULL;
  msk_model_options options;
  msk_model_options_init(&options);
  options.isa = b->options->isa;
  options.precision = precision;
  options.decode_precision =
      b->options->decode_precision >= 0 ? (msk_precision)b->options->decode_precision : precision;
  options.threads = b->all.threads;
  options.device = b->options->device;
  double started = progress_clock();
  msk_status status = msk_model_open(&model, b->path, &options, error);
  if (status != MSK_OK) return status;
  result->load_seconds = progress_clock() - started;
  msk_model_get_info(model, &b->info);
  snprintf(b->isa, sizeof b->isa, "%s", b->info.isa);
  snprintf(b->device, sizeof b->device, "%s", b->info.device);
  status = measure_model(b, model, result, msk_precision_name(precision), error);
  msk_model_close(model);
  /* after the model is closed: training has a network of its own */
  if (status == MSK_OK && precision == MSK_PRECISION_FP32 && b->wanted[BENCH_TRAIN])
    status = measure_training(b, result, MSK_TRAIN_FP32, error);
  /* these lay in the model */
  b->info.name = b->info.hash = b->info.isa = NULL;
  result->measured = status == MSK_OK;
  return status;
}

msk_status bench_measure_bf16(bench *b, msk_error *error) {
  bench_result *result = &b->results[BENCH_BF16];
  msk_status status = measure_training(b, result, MSK_TRAIN_BF16, error);
  result->measured = status == MSK_OK;
  return status;
}
