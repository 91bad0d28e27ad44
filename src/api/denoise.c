/* SPDX-License-Identifier: Apache-2.0
 *
 * denoise.c - passes that survive a GPU, and the denoiser made of the transformer's (session.h). */
#include <string.h>

#include "api/session.h"

static size_t positions(const msk_session *session) { return (size_t)session->model->positions; }

/* ---- passes that the CPU takes over where the GPU fails ---- */

msk_status msk_steady_encode(msk_session *session, msk_error *error) {
  msk_status status = msk_pass_encode(session, error);
  return msk_session_falls_over(session, &status, error) ? msk_pass_encode(session, error) : status;
}

msk_status msk_steady_decode(msk_session *session, const int32_t *sequence, float *pixels,
                             msk_error *error) {
  msk_status status = msk_pass_decode(session, sequence, pixels, error);
  return msk_session_falls_over(session, &status, error)
             ? msk_pass_decode(session, sequence, pixels, error)
             : status;
}

msk_status msk_steady_target(msk_session *session, msk_error *error) {
  msk_status status = msk_pass_target(session, error);
  /* there are none yet to be found once more */
  if (status != MSK_OK) session->targets_live = false;
  return msk_session_falls_over(session, &status, error) ? msk_pass_target(session, error) : status;
}

static msk_status steady_logits(msk_session *session, const int32_t *sequences, size_t rows,
                                float *logits, msk_error *error) {
  msk_status status = msk_pass_logits(session, sequences, rows, logits, error);
  return msk_session_falls_over(session, &status, error)
             ? msk_pass_logits(session, sequences, rows, logits, error)
             : status;
}

msk_status msk_steady_score(msk_session *session, const int32_t *sequences, size_t rows,
                            float *score, msk_error *error) {
  msk_status status = msk_pass_score(session, sequences, rows, score, error);
  return msk_session_falls_over(session, &status, error)
             ? msk_pass_score(session, sequences, rows, score, error)
             : status;
}

/* ---- the denoiser ---- */

/* One network pass on its way: conditional rows and, behind each item's, its unconditional one
 * where it has one. */
struct guided_pass {
  msk_session *session;
  const int32_t *tokens, *unconditional;
  const float *guidance;
  float *logits, *difference;
  size_t first, items, rows;
};

static bool is_guided(const struct guided_pass *pass, size_t item) {
  return pass->unconditional != NULL && pass->unconditional[item] >= 0;
}

static void fill_rows(struct guided_pass *pass, size_t batch) {
  size_t n = positions(pass->session), room = (size_t)msk_session_rows(pass->session);
  pass->items = pass->rows = 0;
  while (pass->first + pass->items < batch) {
    size_t item = pass->first + pass->items, need = is_guided(pass, item) ? 2 : 1;
    /* both halves of a guided item go through together, so that they can be combined in place */
    if (pass->rows + need > room) break;
    int32_t *row = pass->session->at.sequences + pass->rows * n;
    memcpy(row, pass->tokens + item * n, n * sizeof *row);
    if (need == 2) {
      memcpy(row + n, row, n * sizeof *row);
      row[n] = pass->unconditional[item];
    }
    pass->items++;
    pass->rows += need;
  }
}

static void combine_rows(const struct guided_pass *pass) {
  size_t row_floats = positions(pass->session) * (size_t)pass->session->model->codes;
  const float *row = pass->session->at.row_logits;
  for (size_t i = 0; i < pass->items; i++, row += row_floats) {
    float *out = pass->logits + (pass->first + i) * row_floats;
    /* an item without guidance in this step has no second row */
    if (!is_guided(pass, pass->first + i)) {
      memcpy(out, row, row_floats * sizeof *out);
      continue;
    }
    const float *other = row + row_floats, guidance = pass->guidance[pass->first + i];
    for (size_t j = 0; j < row_floats; j++) out[j] = row[j] + guidance * (row[j] - other[j]);
    if (pass->difference != NULL) {
      float *apart = pass->difference + (pass->first + i) * row_floats;
      for (size_t j = 0; j < row_floats; j++) apart[j] = row[j] - other[j];
    }
    row = other;
  }
}

msk_status msk_denoise_logits(void *user, const int32_t *tokens, const int32_t *unconditional,
                              const float *guidance, float *logits, float *difference,
                              msk_error *error) {
  msk_session *session = user;
  double started = msk_clock();
  size_t batch = (size_t)session->group_count;
  struct guided_pass pass = {.session = session,
                             .tokens = tokens,
                             .unconditional = unconditional,
                             .guidance = guidance,
                             .logits = logits,
                             .difference = difference};
  for (; pass.first < batch; pass.first += pass.items) {
    fill_rows(&pass, batch);
    msk_status status =
        steady_logits(session, session->at.sequences, pass.rows, session->at.row_logits, error);
    if (status != MSK_OK) return status;
    msk_pass_judge(session, session->at.row_logits,
                   pass.rows * positions(session) * (size_t)session->model->codes);
    combine_rows(&pass);
  }
  session->times.conditional += msk_clock() - started;
  return MSK_OK;
}

msk_status msk_denoise_score(void *user, const int32_t *tokens, float *score, msk_error *error) {
  msk_session *session = user;
  double started = msk_clock();
  size_t batch = (size_t)session->group_count, n = positions(session),
         room = (size_t)msk_session_rows(session);
  for (size_t first = 0; first < batch; first += room) {
    size_t rows = batch - first < room ? batch - first : room;
    msk_status status =
        msk_steady_score(session, tokens + first * n, rows, score + first * n, error);
    if (status != MSK_OK) return status;
    msk_pass_judge(session, score + first * n, rows * n);
  }
  session->times.structure += msk_clock() - started;
  return MSK_OK;
}
