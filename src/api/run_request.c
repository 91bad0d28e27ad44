/* SPDX-License-Identifier: Apache-2.0
 *
 * run_request.c - a request from begin to end: prepare tokens and targets, draw group after group,
 * decode and composite. Nothing is allocated here.
 */
#include <string.h>

#include "api/session.h"
#include "base/error.h"

static const char overflow_warning[] =
    "the model gave numbers that are infinite or none at all, so this is no picture of what was "
    "asked for: its weights are too large for the network; was it trained, and converted whole?";

static size_t sequence_bytes(const msk_session *session, size_t items) {
  return items * (size_t)session->model->positions * sizeof(int32_t);
}

static size_t picture_floats(const msk_session *session) {
  return (size_t)session->model->image_size * (size_t)session->model->image_size * 3;
}

/* Any failure ends the request; the session can take the next. */
static msk_status ended(msk_session *session, msk_status status) {
  if (status != MSK_OK) session->phase = MSK_PHASE_IDLE;
  return status;
}

/* ---- begin ---- */

/* Another session has lost the GPU. */
static void follow(msk_session *session) {
  if (session->workspace == NULL || session->fallen ||
      msk_model_device(session->model) == session->model->gpu)
    return;
  session->fallen = true;
  session->untold = session->model->spare->line;
}

/* The session's memory, laid out for this request: the operations' scratch first, then the
 * arena. */
static msk_status place(msk_session *session, const msk_request *request, msk_error *error) {
  follow(session);
  const msk_session_need need = msk_session_measure(session->model, msk_session_threads(session),
                                                    request, msk_session_far_device(session));
  /* measured anew: two requests that fit one session may lie in it differently */
  if (need.bytes > session->capacity ||
      (!session->fallen && need.far_bytes > session->far_capacity)) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "this request needs %.1f MB, the session was opened for one of %.1f MB: open a "
                    "session for it",
                    ((double)need.bytes + (double)need.far_bytes) / 1e6,
                    ((double)session->capacity + (double)session->far_capacity) / 1e6);
  }
  session->request = *request;
  session->times = (msk_times){0};
  session->targets_live = false;
  session->meter =
      (msk_meter){.user = request->callbacks.user, .note = request->callbacks.on_operation};
  session->rows = 0;
  session->overflowed = false;
  session->finished = 0;
  session->stream = (msk_stream){.device = session->model->device,
                                 .pool = session->pool,
                                 .scratch_bytes = need.scratch,
                                 .scratch = session->memory};
  /* without a listener no clock is read */
  if (session->meter.note != NULL) session->stream.meter = &session->meter;
  session->arena = msk_session_arena(session->memory, need.scratch, session->capacity);
  msk_status status =
      session->workspace == NULL ? MSK_OK : msk_session_place_far(session, &need, error);
  if (status == MSK_OK) msk_session_place(session);
  return status;
}

static msk_status prepare_edit(msk_session *session, msk_error *error) {
  if (!msk_mask_latent(session, session->at.edit_mask)) {
    return msk_refuse(
        error, "edit_mask",
        "the mask marks nothing to repaint, expected white where the picture is to change");
  }
  if (session->request.picture != NULL) msk_mask_blend(session);
  return MSK_OK;
}

static msk_status prepare(msk_session *session, msk_error *error) {
  const msk_request *request = &session->request;
  double started = msk_clock();
  msk_status status = MSK_OK;
  if (request->picture != NULL) {
    status = msk_steady_encode(session, error);
  } else if (request->picture_tokens != NULL) {
    memcpy(session->at.picture_codes, request->picture_tokens,
           sequence_bytes(session, 1) - sizeof(int32_t));
  }
  /* tokens that were given spare the encoder, and are what it would have made */
  session->times.encode = msk_clock() - started;
  if (status != MSK_OK) return status;
  if (request->job == MSK_JOB_EDIT) return prepare_edit(session, error);
  if (request->job != MSK_JOB_DRAW) return MSK_OK;
  int side = session->model->latent_size;
  if (request->lambda_map != NULL)
    msk_grid_means(request->lambda_map, side, side, session->at.lambda_map);
  started = msk_clock();
  status = msk_steady_target(session, error);
  session->times.targets = msk_clock() - started;
  return status;
}

static void list_candidates(msk_session *session) {
  const msk_request *request = &session->request;
  const int scales = request->guidance_count > 0 ? request->guidance_count : 1;
  for (int i = 0; i < session->group_count; i++) {
    double guidance = request->guidance_count > 0 ? request->guidance_scales[i % scales]
                                                  : request->recipe.guidance;
    session->at.candidates[i] = (msk_candidate_info){
        .item = request->first_item + i / scales, .guidance = guidance, .result = -1};
    session->at.places[i] = i;
  }
}

static void begin_group(msk_session *session, int first) {
  int room = msk_session_group_items(&session->request),
      left = msk_request_items(&session->request) - first;
  session->group_first = first;
  session->group_count = left < room ? left : room;
  session->spec.first_item = session->request.first_item + first;
  session->spec.batch = session->group_count;
  if (session->at.candidates != NULL) list_candidates(session);
  msk_session_forget(session);
  session->denoiser = (msk_denoiser){session, msk_denoise_logits, msk_denoise_score};
  msk_sampler_begin(session->at.sampler, &session->spec, &session->denoiser);
}

msk_status msk_begin(msk_session *session, const msk_request *request, msk_error *error) {
  if (session == NULL) return msk_fail(error, MSK_ERROR_ARGUMENT, "no session given");
  msk_status status = msk_request_check(request, session->model, error);
  if (status != MSK_OK) return status;
  session->phase = MSK_PHASE_IDLE;
  status = place(session, request, error);
  if (status != MSK_OK) return status;
  session->started = msk_clock();
  status = prepare(session, error);
  if (status != MSK_OK) return status;
  begin_group(session, 0);
  session->phase = MSK_PHASE_STEPPING;
  return MSK_OK;
}

/* ---- step ---- */

static void keep_step(msk_session *session, int step) {
  if (session->at.step_tokens == NULL) return;
  size_t n = (size_t)session->model->positions,
         row = (size_t)step * (size_t)session->request.count + (size_t)session->group_first;
  memcpy(session->at.step_tokens + row * n, msk_sampler_completed(session->at.sampler),
         sequence_bytes(session, (size_t)session->group_count));
}

static msk_status report_step(msk_session *session, int step, msk_error *error) {
  const msk_request *request = &session->request;
  msk_sampler *sampler = session->at.sampler;
  if (request->callbacks.on_step == NULL) return MSK_OK;
  msk_step_info info = {.step = step,
                        .step_count = msk_sampler_step_count(&session->spec),
                        .item = session->group_first,
                        .item_count = session->group_count,
                        .masked = msk_sampler_masked(sampler, 0),
                        .tokens = msk_sampler_completed(sampler)};
  /* the tokenizer's time, not the step's */
  if (request->preview_every > 0 && (step + 1) % request->preview_every == 0) {
    double started = msk_clock();
    msk_status status = msk_steady_decode(session, info.tokens, session->at.preview, error);
    session->times.decode += msk_clock() - started;
    if (status != MSK_OK) return status;
    info.preview = session->at.preview;
  }
  info.seconds = msk_clock() - session->started;
  if (request->callbacks.on_step(request->callbacks.user, &info) == 0) return MSK_OK;
  return msk_fail(error, MSK_ERROR_CANCELLED, "cancelled at step %d of %d", step + 1,
                  info.step_count);
}

/* Notes how the candidates stand, and drops the weak ones where it is time to. */
static void compare_candidates(msk_session *session, bool last) {
  const msk_request *request = &session->request;
  const msk_standing *standings = msk_sampler_standings(session->at.sampler);
  const int taken = msk_sampler_step_index(session->at.sampler);
  for (int i = 0; i < session->group_count; i++) {
    msk_candidate_info *info = &session->at.candidates[session->at.places[i]];
    info->steps = taken;
    info->structure = standings[i].structure;
    info->confidence = standings[i].confidence;
    if (last) info->result = i;
  }
  const int alive =
      msk_select_alive(msk_request_items(request), request->finish, request->drop_from, taken,
                       msk_sampler_step_count(&session->spec));
  /* after the last step nobody is dropped: who comes so far has been paid for */
  if (last || alive >= session->group_count) return;
  msk_select_best(standings, session->group_count, request->confidence_weight, alive,
                  session->at.values, session->at.kept);
  msk_sampler_keep(session->at.sampler, session->at.kept, alive);
  for (int i = 0; i < alive; i++) {
    session->at.places[i] = session->at.places[session->at.kept[i]];
    if (session->at.slots != NULL) session->at.slots[i] = session->at.slots[session->at.kept[i]];
  }
  session->group_count = alive;
}

/* A finished group's tokens are kept; the next group begins, or all steps are done. */
static void finish_group(msk_session *session, int *done) {
  size_t n = (size_t)session->model->positions;
  memcpy(session->at.tokens + (size_t)session->group_first * n,
         msk_sampler_completed(session->at.sampler),
         sequence_bytes(session, (size_t)session->group_count));
  int next = session->group_first + session->group_count;
  session->finished = next;
  *done = session->at.candidates != NULL || next == session->request.count;
  if (*done) {
    session->phase = MSK_PHASE_STEPPED;
  } else {
    begin_group(session, next);
  }
}

msk_status msk_step(msk_session *session, int *done, msk_error *error) {
  if (session == NULL || session->phase != MSK_PHASE_STEPPING) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "no request is being drawn: msk_begin() comes first, msk_end() after the last step");
  }
  bool group_done = false;
  int finished = 0, step = msk_sampler_step_index(session->at.sampler);
  double started = msk_clock(), networks = session->times.conditional + session->times.structure;
  msk_status status = msk_sampler_step(session->at.sampler, &group_done, error);
  /* the passes time themselves inside the step; what is left is the sampler's own */
  networks = session->times.conditional + session->times.structure - networks;
  session->times.sampling += msk_clock() - started - networks;
  if (status == MSK_OK) keep_step(session, step);
  if (status == MSK_OK) status = report_step(session, step, error);
  /* reported first: a listener sees the step as it was, with those that it drops */
  if (status == MSK_OK && session->at.candidates != NULL) compare_candidates(session, group_done);
  if (status == MSK_OK && group_done) finish_group(session, &finished);
  if (status == MSK_OK) *done = finished;
  return ended(session, status);
}

/* ---- end ---- */

/* The structure score of the finished items: the mean over their image tokens. */
static msk_status score_items(msk_session *session, msk_error *error) {
  size_t n = (size_t)session->model->positions, count = (size_t)session->finished,
         room = (size_t)msk_session_rows(session);
  double started = msk_clock();
  /* as many rows at once as a step has: the session's arrays hold no more */
  for (size_t first = 0; first < count; first += room) {
    size_t rows = count - first < room ? count - first : room;
    msk_status status = msk_steady_score(session, session->at.tokens + first * n, rows,
                                         session->at.row_score, error);
    if (status != MSK_OK) return status;
    msk_pass_judge(session, session->at.row_score, rows * n);
    for (size_t r = 0; r < rows; r++) {
      double sum = 0;
      for (size_t i = 1; i < n; i++) sum += (double)session->at.row_score[r * n + i];
      session->at.structure[first + r] = (float)(sum / (double)(n - 1));
    }
  }
  session->times.structure += msk_clock() - started;
  return MSK_OK;
}

/* Scores were the last use of the targets. */
static msk_status decode_items(msk_session *session, msk_error *error) {
  size_t n = (size_t)session->model->positions;
  double started = msk_clock();
  msk_status status = MSK_OK;
  session->targets_live = false;
  for (size_t i = 0; i < (size_t)session->finished; i++) {
    float *pixels = session->at.pixels + i * picture_floats(session);
    status = msk_steady_decode(session, session->at.tokens + i * n, pixels, error);
    if (status != MSK_OK) break;
    msk_pass_judge(session, pixels, picture_floats(session));
    if (session->at.blend != NULL) msk_mask_composite(session, pixels);
  }
  session->times.decode += msk_clock() - started;
  return status;
}

msk_status msk_end(msk_session *session, msk_result *result, msk_error *error) {
  if (session == NULL || session->phase != MSK_PHASE_STEPPED) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "there is no finished request to end: call msk_step() until it is done");
  }
  /* the last step measures nothing, since its masks would serve nobody: results are scored here */
  session->phase = MSK_PHASE_IDLE;
  msk_status status = session->at.structure == NULL ? MSK_OK : score_items(session, error);
  if (status != MSK_OK) return status;
  if (session->at.pixels != NULL) status = decode_items(session, error);
  if (status != MSK_OK) return status;
  session->times.total = msk_clock() - session->started;
  *result = (msk_result){
      .count = session->finished,
      .tokens_per_item = session->model->positions,
      .step_count = msk_sampler_step_count(&session->spec),
      .tokens = session->at.tokens,
      .step_tokens = session->at.step_tokens,
      .picture_tokens = session->at.picture_codes,
      .pixels = session->at.pixels,
      .structure = session->at.structure,
      .times = session->times,
      .passes = (session->rows + (size_t)session->model->positions - 1) /
                (size_t)session->model->positions,
      .memory = session->capacity + sizeof *session,
      .warning = session->overflowed ? overflow_warning : session->untold,
  };
  session->untold = NULL;
  result->candidates = msk_session_candidates(session, &result->candidate_count);
  return MSK_OK;
}

const msk_candidate_info *msk_session_candidates(const msk_session *session, int *count) {
  const bool any = session != NULL && session->at.candidates != NULL;
  *count = any ? msk_request_items(&session->request) : 0;
  return any ? session->at.candidates : NULL;
}

msk_status msk_run(msk_session *session, const msk_request *request, msk_result *result,
                   msk_error *error) {
  int done = 0;
  msk_status status = msk_begin(session, request, error);
  while (status == MSK_OK && !done) status = msk_step(session, &done, error);
  return status == MSK_OK ? msk_end(session, result, error) : status;
}
