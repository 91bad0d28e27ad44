/* SPDX-License-Identifier: Apache-2.0
 *
 * passes.c - the networks' passes of a request (session.h). */
#include <string.h>

#include "api/session.h"
#include "compute/meter.h"

static size_t positions(const msk_session *session) { return (size_t)session->model->positions; }

int msk_session_group_items(const msk_request *request) {
  const int items = msk_request_items(request),
            most = request->recipe.refresh > 1 ? MSK_CACHED_ITEMS : MSK_GROUP_ITEMS;
  const bool whole = request->recipe.official || msk_request_has_candidates(request);
  return whole || items < most ? items : most;
}

bool msk_request_has_candidates(const msk_request *request) {
  return request->guidance_count > 0 || request->finish > 0;
}

int msk_request_items(const msk_request *request) {
  return request->guidance_count > 0 ? request->count * request->guidance_count : request->count;
}

bool msk_request_is_guided(const msk_request *request) {
  bool guided = request->recipe.guidance > 0;
  for (int i = 0; i < request->guidance_count; i++)
    guided = guided || request->guidance_scales[i] > 0;
  return guided;
}

int msk_session_rows(const msk_session *session) {
  const msk_request *request = &session->request;
  int items = msk_session_group_items(request);
  if (msk_request_is_guided(request) && items <= MSK_PASS_ROWS) items *= 2;
  return items < MSK_PASS_ROWS ? items : MSK_PASS_ROWS;
}

/* ---- the tokenizer ---- */

/* It works where the targets lie while there are none; returns the mark to go back to. */
static size_t take_targets_place(msk_session *session) {
  msk_arena *arena = msk_session_far_arena(session);
  size_t mark = msk_arena_mark(arena);
  if (!session->targets_live) msk_arena_release(arena, session->before_targets);
  return mark;
}

/* `count` floats at `from`, where the networks work, here: where they are, or in the session's own
 * arena, from which they are taken then. */
static msk_status read_here(msk_session *session, const float *from, size_t count,
                            const float **here, msk_error *error) {
  const msk_stream *stream = msk_session_far_stream(session);
  float *to = (float *)(uintptr_t)from;
  if (msk_device_is_apart(stream->device)) to = msk_arena_take(&session->arena, count, sizeof *to);
  *here = to;
  return stream->measuring ? MSK_OK : msk_stream_read(stream, from, count, to, error);
}

/* The request's picture as numbers, where the networks work; an edit keeps them here, to be laid
 * under what is painted. */
static const float *take_pixels(msk_session *session) {
  msk_stream *stream = msk_session_far_stream(session);
  size_t size = (size_t)session->model->image_size;
  const uint8_t *bytes = session->request.picture->pixels;
  float *photo = session->at.photo, *pixels = photo;
  if (photo != NULL) msk_op_pixels(&session->stream, bytes, msk_map_at(photo, 1, size, size, 3));
  if (photo == NULL || msk_device_is_apart(stream->device)) {
    pixels = msk_arena_take(msk_session_far_arena(session), size * size * 3, sizeof *pixels);
    msk_op_pixels(stream, bytes, msk_map_at(pixels, 1, size, size, 3));
  }
  return pixels;
}

msk_status msk_pass_encode(msk_session *session, msk_error *error) {
  msk_stream *stream = msk_session_far_stream(session);
  msk_arena *arena = msk_session_far_arena(session);
  const msk_vqgan *tokenizer = msk_model_tokenizer(session->model, stream->device);
  size_t mark = take_targets_place(session), host_mark = msk_arena_mark(&session->arena),
         size = (size_t)session->model->image_size, cells = positions(session) - 1,
         count = cells * msk_vqgan_get_config(tokenizer)->dim;
  const float *here = NULL;
  msk_meter_begin(stream, "encode");
  const float *pixels = take_pixels(session);
  float *latents = msk_arena_take(arena, count, sizeof *latents);
  msk_vqgan_encode(tokenizer, stream, arena, pixels, 1, size, size, latents, NULL);
  msk_vqgan_quantise(tokenizer, stream, latents, cells, session->at.picture_codes);
  msk_status status = read_here(session, latents, count, &here, error);
  if (status == MSK_OK && !stream->measuring) msk_pass_judge(session, here, count);
  msk_arena_release(&session->arena, host_mark);
  msk_arena_release(arena, mark);
  return status;
}

msk_status msk_pass_decode(msk_session *session, const int32_t *sequence, float *pixels,
                           msk_error *error) {
  msk_stream *stream = msk_session_far_stream(session);
  msk_arena *arena = msk_session_far_arena(session);
  size_t side = (size_t)session->model->latent_size, mark = take_targets_place(session),
         count = (size_t)session->model->image_size * (size_t)session->model->image_size * 3;
  float *at = pixels;
  msk_meter_begin(stream, "decode");
  if (msk_device_is_apart(stream->device)) at = msk_arena_take(arena, count, sizeof *at);
  msk_vqgan_decode(msk_model_tokenizer(session->model, stream->device), stream, arena, sequence + 1,
                   1, side, side, at, NULL);
  msk_status status =
      stream->measuring ? MSK_OK : msk_stream_read(stream, at, count, pixels, error);
  msk_arena_release(arena, mark);
  return status;
}

/* ---- the transformer ---- */

/* `pass` through the transformer; of each row `floats` that it leaves at `from` are brought to
 * `to`. */
static msk_status run_transformer(msk_session *session, const char *name,
                                  const msk_maskgit_pass *pass, const float *from, size_t floats,
                                  float *to, msk_error *error) {
  msk_stream *stream = msk_session_far_stream(session);
  const msk_maskgit *transformer = msk_model_transformer(session->model, stream->device);
  const size_t rows = msk_maskgit_pass_rows(transformer, pass);
  msk_meter_begin(stream, name);
  session->rows += rows;
  msk_maskgit_forward(transformer, stream, msk_session_far_arena(session), pass);
  return stream->measuring || floats == 0 ? MSK_OK
                                          : msk_stream_read(stream, from, rows * floats, to, error);
}

msk_status msk_pass_target(msk_session *session, msk_error *error) {
  int32_t *sequence = session->at.sequences;
  if (!session->stream.measuring) {
    sequence[0] = session->model->codes + session->request.class_id;
    memcpy(sequence + 1, session->at.picture_codes, (positions(session) - 1) * sizeof *sequence);
  }
  const msk_recipe *recipe = &session->request.recipe;
  /* one sequence whatever the batch: the drawing is the same for all items. The maps stay where
   * they are: of what is compared with them, nothing else is wanted */
  msk_status status =
      run_transformer(session, "target",
                      &(msk_maskgit_pass){.tokens = sequence,
                                          .batch = 1,
                                          .layers = recipe->layers,
                                          .layer_count = (size_t)recipe->layer_count,
                                          .maps = session->at.target,
                                          .log_maps = session->at.log_target},
                      NULL, 0, NULL, error);
  session->targets_live = !session->stream.measuring;
  return status;
}

msk_status msk_pass_logits(msk_session *session, const int32_t *sequences,
                           const msk_maskgit_part *parts, size_t rows, float *logits,
                           msk_error *error) {
  size_t codes = (size_t)session->model->codes;
  float *from = session->at.far_logits != NULL ? session->at.far_logits : logits;
  return run_transformer(
      session, "logits",
      &(msk_maskgit_pass){
          .tokens = sequences, .batch = rows, .parts = parts, .logits = from, .columns = codes},
      from, codes, logits, error);
}

msk_status msk_pass_score(msk_session *session, const int32_t *sequences,
                          const msk_maskgit_part *parts, size_t rows, float *score,
                          msk_error *error) {
  const msk_recipe *recipe = &session->request.recipe;
  float *from = session->at.far_score != NULL ? session->at.far_score : score;
  return run_transformer(session, "score",
                         &(msk_maskgit_pass){.tokens = sequences,
                                             .batch = rows,
                                             .parts = parts,
                                             .layers = recipe->layers,
                                             .layer_count = (size_t)recipe->layer_count,
                                             .target = session->at.target,
                                             .log_target = session->at.log_target,
                                             .distance = recipe->distance,
                                             .score = from},
                         from, 1, score, error);
}

void msk_pass_judge(msk_session *session, const float *values, size_t count) {
  const uint32_t infinite = 0x7F800000u;
  uint32_t largest = 0; /* by bits and not by isfinite: an integer maximum is vector code */
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, values + i, sizeof bits);
    bits &= infinite;
    largest = bits > largest ? bits : largest;
  }
  session->overflowed = session->overflowed || largest == infinite;
}
