/* SPDX-License-Identifier: Apache-2.0
 * session.c - opening and closing sessions, and the layout of their memory (session.h). */
#include "api/session.h"

#include <stdint.h>

#include "base/error.h"
#include "base/threads.h"

/* ---- layout ---- */

static msk_sampler_spec group_spec(const msk_session *session) {
  const msk_model *model = session->model;
  const msk_request *request = &session->request;
  return (msk_sampler_spec){
      .job = request->job,
      .recipe = request->recipe,
      .layout = request->rng_layout,
      .seed = request->seed,
      .first_item = request->first_item,
      .batch = msk_session_group_items(request),
      .tokens = model->positions,
      .codes = model->codes,
      .class_count = model->class_count - model->taught,
      .class_id = request->class_id,
      .null_class = model->defaults.recipe.null_class,
      .class_hidden = model->defaults.hidden,
      .input = session->at.picture_codes,
      .edit_mask = session->at.edit_mask,
      .lambda_map = session->at.lambda_map,
      .scales = request->guidance_scales,
      .scale_count = request->guidance_count,
      .compares = msk_request_has_candidates(request),
      .callbacks = {.user = request->callbacks.user, .on_trace = request->callbacks.on_trace},
  };
}

static void place_inputs(msk_session *session) {
  const msk_request *request = &session->request;
  msk_arena *arena = &session->arena;
  msk_buffers *at = &session->at;
  size_t cells = (size_t)session->model->positions - 1,
         pixels = (size_t)session->model->image_size * (size_t)session->model->image_size;
  /* what a job has no use for takes no memory */
  if (request->job == MSK_JOB_GENERATE) return;
  at->picture_codes = msk_arena_take(arena, cells, sizeof *at->picture_codes);
  if (request->lambda_map != NULL)
    at->lambda_map = msk_arena_take(arena, cells, sizeof *at->lambda_map);
  if (request->job != MSK_JOB_EDIT) return;
  at->edit_mask = msk_arena_take(arena, cells, 1);
  if (request->picture == NULL) return;
  at->photo = msk_arena_take(arena, pixels * 3, sizeof *at->photo);
  at->blend = msk_arena_take(arena, pixels, 1);
}

static void place_results(msk_session *session) {
  const msk_request *request = &session->request;
  msk_arena *arena = &session->arena;
  msk_buffers *at = &session->at;
  size_t n = (size_t)session->model->positions, count = (size_t)msk_request_items(request),
         pixels = (size_t)session->model->image_size;
  pixels *= pixels * 3;
  at->tokens = msk_arena_take(arena, count * n, sizeof *at->tokens);
  if (request->job == MSK_JOB_DRAW) {
    at->structure = msk_arena_take(arena, count, sizeof *at->structure);
  } else {
    at->step_tokens = msk_arena_take(
        arena, (size_t)msk_sampler_step_count(&session->spec) * count * n, sizeof *at->step_tokens);
  }
  /* decoding works in the arena too, but the pictures must outlive it */
  if (!request->no_pictures) at->pixels = msk_arena_take(arena, count * pixels, sizeof *at->pixels);
  if (msk_request_has_candidates(request)) {
    at->candidates = msk_arena_take(arena, count, sizeof *at->candidates);
    at->places = msk_arena_take(arena, count, sizeof *at->places);
    at->values = msk_arena_take(arena, count, sizeof *at->values);
    at->kept = msk_arena_take(arena, count, sizeof *at->kept);
  }
  if (request->preview_every > 0) at->preview = msk_arena_take(arena, pixels, sizeof *at->preview);
}

/* ---- what passes over rows find from earlier ones ---- */

/* Whether a kind's passes are ever made of some rows alone: not if all that are made are whole. */
static bool is_cached(const msk_recipe *recipe, int kind, msk_job job, bool guided) {
  if (recipe->refresh == 1) return false;
  if (kind == MSK_CONDITIONAL) return true;
  if (kind == MSK_UNCONDITIONAL)
    return guided && recipe->unconditional_every % recipe->refresh != 0;
  return job == MSK_JOB_DRAW && recipe->structure_every % recipe->refresh != 0;
}

/* This side's share of it: what is asked of a pass over rows, and which tokens a cache is of. */
static void place_seen(msk_session *session) {
  const msk_request *request = &session->request;
  msk_arena *arena = &session->arena;
  msk_buffers *at = &session->at;
  size_t n = (size_t)session->model->positions, rows = (size_t)msk_session_rows(session),
         items = (size_t)msk_session_group_items(request);
  if (request->recipe.refresh == 1) return;
  at->row_places = msk_arena_take(arena, rows * n, sizeof *at->row_places);
  at->parts = msk_arena_take(arena, rows, sizeof *at->parts);
  at->slots = msk_arena_take(arena, items, sizeof *at->slots);
  for (int kind = 0; kind < MSK_CACHES; kind++) {
    if (is_cached(&request->recipe, kind, request->job, msk_request_is_guided(request)))
      at->caches[kind].seen = msk_arena_take(arena, items * n, sizeof(int32_t));
  }
}

/* Where the networks work: keys and values, of structure passes as far as they go. */
static void place_caches(msk_session *session) {
  const msk_recipe *recipe = &session->request.recipe;
  const msk_maskgit_config *config = msk_maskgit_get_config(session->model->transformer);
  for (int kind = 0; kind < MSK_CACHES; kind++) {
    struct msk_session_cache *cache = &session->at.caches[kind];
    size_t layers = kind == MSK_STRUCTURE ? (size_t)recipe->layers[recipe->layer_count - 1] + 1
                                          : config->layers;
    if (cache->seen == NULL) continue;
    cache->floats = layers * config->positions * 2 * config->hidden;
    cache->values = msk_arena_take(
        msk_session_far_arena(session),
        (size_t)msk_session_group_items(&session->request) * cache->floats, sizeof *cache->values);
  }
}

void msk_session_forget(msk_session *session) {
  const size_t items = (size_t)msk_session_group_items(&session->request),
               count = items * (size_t)session->model->positions;
  for (size_t i = 0; session->at.slots != NULL && i < items; i++) session->at.slots[i] = (int)i;
  for (int kind = 0; kind < MSK_CACHES; kind++) {
    int32_t *seen = session->at.caches[kind].seen;
    for (size_t i = 0; seen != NULL && i < count; i++) seen[i] = MSK_NEVER;
  }
}

static void place_passes(msk_session *session) {
  const msk_request *request = &session->request;
  msk_arena *arena = &session->arena;
  msk_buffers *at = &session->at;
  size_t n = (size_t)session->model->positions, rows = (size_t)msk_session_rows(session);
  at->sequences = msk_arena_take(arena, rows * n, sizeof *at->sequences);
  at->row_logits =
      msk_arena_take(arena, rows * n, (size_t)session->model->codes * sizeof *at->row_logits);
  if (request->job == MSK_JOB_DRAW)
    at->row_score = msk_arena_take(arena, rows * n, sizeof *at->row_score);
  place_seen(session);
  if (!session->is_split || !msk_device_is_apart(session->far_stream.device)) return;
  at->far_logits = msk_arena_take(&session->far_arena, rows * n,
                                  (size_t)session->model->codes * sizeof *at->far_logits);
  if (request->job == MSK_JOB_DRAW)
    at->far_score = msk_arena_take(&session->far_arena, rows * n, sizeof *at->far_score);
}

/* Last, so that encoding and decoding can have the same memory: one is over before the targets
 * are made, the other begins after their last use. */
static void place_targets(msk_session *session) {
  const msk_recipe *recipe = &session->request.recipe;
  msk_buffers *at = &session->at;
  size_t n = (size_t)session->model->positions,
         heads = msk_maskgit_get_config(session->model->transformer)->heads;
  msk_arena *arena = msk_session_far_arena(session);
  session->before_targets = msk_arena_mark(arena);
  if (session->request.job != MSK_JOB_DRAW) return;
  at->target =
      msk_arena_take(arena, (size_t)recipe->layer_count * heads * n, n * sizeof *at->target);
  at->log_target =
      msk_arena_take(arena, (size_t)recipe->layer_count * heads * n, n * sizeof *at->log_target);
}

void msk_session_place_kept(msk_session *session) {
  place_caches(session);
  place_targets(session);
}

void msk_session_place(msk_session *session) {
  session->at = (msk_buffers){0};
  place_inputs(session);
  session->spec = group_spec(session);
  place_results(session);
  place_passes(session);
  session->at.sampler = msk_sampler_place(&session->arena, &session->spec);
  msk_session_place_kept(session);
}

msk_arena msk_session_arena(char *base, size_t scratch, size_t capacity) {
  scratch = (scratch + MSK_ALIGNMENT - 1) & ~(MSK_ALIGNMENT - 1);
  return (msk_arena){.base = base + scratch, .capacity = capacity - scratch};
}

/* A pass over rows may have any number of them. */
static void measure_parts(msk_session *session) {
  msk_buffers *at = &session->at;
  size_t rows = (size_t)msk_session_rows(session) * (size_t)session->model->positions;
  for (size_t count = 1; count <= rows; count++) {
    const msk_maskgit_part part = {
        .places = at->row_places, .count = count, .cache = at->caches[MSK_CONDITIONAL].values};
    msk_pass_logits(session, at->sequences, &part, 1, at->row_logits, NULL);
    if (session->request.job == MSK_JOB_DRAW)
      msk_pass_score(session, at->sequences, &part, 1, at->row_score, NULL);
  }
}

/* Runs every pass that the request can need, so that arenas and streams note the most that any of
 * them takes. */
static void measure_passes(msk_session *session) {
  const msk_request *request = &session->request;
  size_t rows = (size_t)msk_session_rows(session);
  if (request->picture != NULL) msk_pass_encode(session, NULL);
  if (request->picture != NULL && request->job == MSK_JOB_EDIT) msk_mask_blend(session);
  if (request->job == MSK_JOB_DRAW) msk_pass_target(session, NULL);
  /* fewer rows may be cut into other pieces, and then need more scratch */
  for (size_t r = 1; r <= rows; r++) {
    msk_pass_logits(session, session->at.sequences, NULL, r, session->at.row_logits, NULL);
    if (request->job == MSK_JOB_DRAW)
      msk_pass_score(session, session->at.sequences, NULL, r, session->at.row_score, NULL);
  }
  if (request->recipe.refresh > 1) measure_parts(session);
  session->targets_live = request->preview_every > 0;
  float *pixels = request->no_pictures ? session->at.preview : session->at.pixels;
  if (pixels != NULL) msk_pass_decode(session, session->at.tokens, pixels, NULL);
}

/* Of a stream that has measured, and its arena. */
static size_t sum_bytes(const msk_stream *stream, const msk_arena *arena) {
  size_t bytes;
  bool fits = !arena->overflow && msk_add(arena->peak, stream->scratch_bytes, &bytes) &&
              msk_add(bytes, MSK_ALIGNMENT, &bytes);
  return fits ? bytes : SIZE_MAX;
}

msk_session_need msk_session_measure(const msk_model *model, int threads,
                                     const msk_request *request, const msk_device *far) {
  const msk_stream stream = {.device = model->device, .measuring = true, .threads = threads};
  msk_session probe = {.model = model,
                       .request = *request,
                       .is_split = far != NULL,
                       .stream = stream,
                       .far_stream = stream};
  probe.far_stream.device = far;
  msk_session_place(&probe);
  measure_passes(&probe);
  msk_session_need need = {.bytes = sum_bytes(&probe.stream, &probe.arena),
                           .scratch = probe.stream.scratch_bytes,
                           .far_scratch = probe.far_stream.scratch_bytes};
  if (probe.is_split) need.far_bytes = sum_bytes(&probe.far_stream, &probe.far_arena);
  return need;
}

/* ---- opening ---- */

void msk_session_options_init(msk_session_options *options) {
  *options = (msk_session_options){.size = sizeof *options};
}

static msk_status choose_threads(const msk_session_options *options, int *threads,
                                 msk_error *error) {
  if (options != NULL && options->size != sizeof *options) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "session options of %zu bytes, expected %zu: call msk_session_options_init() first",
        options->size, sizeof *options);
  }
  const int wanted = options == NULL ? 0 : options->threads;
  *threads = wanted == 0 ? msk_default_threads() : wanted;
  return msk_threads_check(wanted, error);
}

msk_status msk_session_fail_memory(size_t bytes, msk_error *error) {
  return msk_fail(
      error, MSK_ERROR_MEMORY,
      "this request needs %.1f MB of working memory, more than there is: ask for fewer items",
      (double)bytes / 1e6);
}

/* Of a new session: the model's GPU, or NULL. */
static const msk_device *choose_far(const msk_model *model) {
  const msk_device *device = msk_model_device(model);
  return device == model->device ? NULL : device;
}

/* What a session of these options would take. */
static msk_status find_need(msk_session_need *need, const msk_model *model,
                            const msk_request *request, const msk_session_options *options,
                            msk_error *error) {
  int threads = 1;
  msk_status status = choose_threads(options, &threads, error);
  if (status == MSK_OK) status = msk_request_check(request, model, error);
  if (status != MSK_OK) return status;
  *need = msk_session_measure(model, threads, request, choose_far(model));
  return need->bytes == SIZE_MAX || need->far_bytes == SIZE_MAX
             ? msk_session_fail_memory(SIZE_MAX, error)
             : MSK_OK;
}

msk_status msk_session_bytes(size_t *bytes, const msk_model *model, const msk_request *request,
                             const msk_session_options *options, msk_error *error) {
  msk_session_need need;
  msk_status status = find_need(&need, model, request, options, error);
  if (status == MSK_OK) *bytes = need.bytes + sizeof(msk_session);
  return status;
}

msk_status msk_session_device_bytes(size_t *bytes, const msk_model *model,
                                    const msk_request *request, const msk_session_options *options,
                                    msk_error *error) {
  msk_session_need need;
  msk_status status = find_need(&need, model, request, options, error);
  if (status == MSK_OK) *bytes = need.far_bytes;
  return status;
}

/* The session's memory, on this side and, where the networks are there, on the other. */
static msk_status take_memory(msk_session *session, int threads, const msk_request *request,
                              const msk_device *far, msk_error *error) {
  const msk_model *model = session->model;
  msk_session_need need = msk_session_measure(model, threads, request, far);
  session->capacity = need.bytes;
  session->far_capacity = need.far_bytes;
  if (need.bytes == SIZE_MAX || need.far_bytes == SIZE_MAX)
    return msk_session_fail_memory(SIZE_MAX, error);
  session->memory = msk_allocate(model->allocator, need.bytes, 1);
  if (session->memory == NULL) return msk_session_fail_memory(need.bytes, error);
  return far == NULL ? MSK_OK
                     : msk_workspace_create(&session->workspace, far, need.far_bytes, error);
}

/* The same, on the CPU alone where the GPU has no memory for it or fails, and the CPU may go on. */
static msk_status take_memory_somewhere(msk_session *session, int threads,
                                        const msk_request *request, msk_error *error) {
  const msk_model *model = session->model;
  const msk_device *far = choose_far(model);
  msk_status status = take_memory(session, threads, request, far, error);
  if (status != MSK_ERROR_DEVICE) return status;
  status = msk_spare_take_over(model, status, session->pool, error);
  if (status != MSK_OK) return status;
  msk_free(model->allocator, session->memory);
  session->untold = model->spare->line;
  return take_memory(session, threads, request, NULL, error);
}

msk_status msk_session_open(msk_session **session, const msk_model *model,
                            const msk_request *request, const msk_session_options *options,
                            msk_error *error) {
  int threads = 1;
  msk_status status = choose_threads(options, &threads, error);
  if (status == MSK_OK) status = msk_request_check(request, model, error);
  if (status != MSK_OK) return status;
  msk_session *made = msk_allocate_zeroed(model->allocator, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a session");
  made->model = model;
  /* one thread is the caller's own */
  if (threads > 1) status = msk_pool_create(&made->pool, threads, model->allocator, error);
  if (status == MSK_OK) status = take_memory_somewhere(made, threads, request, error);
  if (status == MSK_OK) {
    *session = made;
  } else {
    msk_session_close(made);
  }
  return status;
}

msk_status msk_session_fits(int *fits, const msk_session *session, const msk_request *request,
                            msk_error *error) {
  msk_status status = msk_request_check(request, session->model, error);
  if (status != MSK_OK) return status;
  const msk_session_need need = msk_session_measure(session->model, msk_session_threads(session),
                                                    request, msk_session_far_device(session));
  *fits = need.bytes <= session->capacity &&
          (session->fallen || need.far_bytes <= session->far_capacity);
  return MSK_OK;
}

void msk_session_close(msk_session *session) {
  if (session == NULL) return;
  const msk_allocator *allocator = session->model->allocator;
  msk_pool_destroy(session->pool);
  msk_workspace_destroy(session->workspace, session->model->gpu);
  msk_free(allocator, session->host_memory);
  msk_free(allocator, session->memory);
  msk_free(allocator, session);
}
