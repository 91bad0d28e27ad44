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

msk_status msk_steady_score(msk_session *session, const int32_t *sequences, size_t rows,
                            float *score, msk_error *error) {
  msk_status status = msk_pass_score(session, sequences, NULL, rows, score, error);
  return msk_session_falls_over(session, &status, error)
             ? msk_pass_score(session, sequences, NULL, rows, score, error)
             : status;
}

/* ---- the denoiser ---- */

/* One network pass on its way: the flagged rows of some items' sequences. Of logits, conditional
 * ones and, behind each item's, its unconditional ones where it has some. */
struct row_pass {
  msk_session *session;
  const int32_t *tokens, *behind, *unconditional; /* as msk_denoiser has them */
  uint8_t *rows;
  size_t first, items, sequences, count; /* count: rows */
};

static bool is_guided(const struct row_pass *pass, size_t item) {
  return pass->unconditional != NULL && pass->unconditional[item] >= 0;
}

/* The token of an item's row, as passes of a kind see it. */
static int32_t token_at(const struct row_pass *pass, size_t item, size_t row, int kind) {
  const size_t at = item * positions(pass->session) + row;
  if (kind != MSK_UNCONDITIONAL) return pass->tokens[at];
  return row == 0 ? pass->unconditional[item] : pass->behind[at];
}

/* What the kind's cache has of an item; NULL: there is no cache. */
static int32_t *seen_of(const struct row_pass *pass, size_t item, int kind) {
  const msk_buffers *at = &pass->session->at;
  if (at->caches[kind].seen == NULL) return NULL;
  return at->caches[kind].seen + (size_t)at->slots[item] * positions(pass->session);
}

/* Flags what the kind has not computed as it is now; all, where nothing is kept of it. */
static void flag_changed(const struct row_pass *pass, size_t item, int kind) {
  const size_t n = positions(pass->session);
  const int32_t *seen = seen_of(pass, item, kind);
  uint8_t *rows = pass->rows + item * n;
  for (size_t i = 0; i < n; i++)
    rows[i] = rows[i] || seen == NULL || seen[i] != token_at(pass, item, i, kind);
}

static void add_sequence(struct row_pass *pass, size_t item, int kind) {
  msk_buffers *at = &pass->session->at;
  const size_t n = positions(pass->session), first = pass->count;
  const uint8_t *rows = pass->rows + item * n;
  for (size_t i = 0; i < n; i++) {
    if (!rows[i]) continue;
    if (at->parts != NULL) at->row_places[pass->count] = (int32_t)i;
    at->sequences[pass->count++] = token_at(pass, item, i, kind);
  }
  if (at->parts != NULL) {
    const struct msk_session_cache *cache = &at->caches[kind];
    float *values =
        cache->values == NULL ? NULL : cache->values + (size_t)at->slots[item] * cache->floats;
    at->parts[pass->sequences] =
        (msk_maskgit_part){at->row_places + first, pass->count - first, values};
  }
  pass->sequences++;
}

/* Takes items from pass->first on as long as there is room. kind: MSK_STRUCTURE, or the one of
 * logits. */
static void fill_rows(struct row_pass *pass, int kind) {
  size_t batch = (size_t)pass->session->group_count, room = (size_t)msk_session_rows(pass->session);
  pass->items = pass->sequences = pass->count = 0;
  while (pass->first + pass->items < batch) {
    size_t item = pass->first + pass->items;
    const bool guided = is_guided(pass, item);
    /* both halves of a guided item go through together, so that they can be combined in place */
    if (pass->sequences + 1 + guided > room) break;
    flag_changed(pass, item, kind);
    if (guided) flag_changed(pass, item, MSK_UNCONDITIONAL);
    add_sequence(pass, item, kind);
    if (guided) add_sequence(pass, item, MSK_UNCONDITIONAL);
    pass->items++;
  }
}

static void remember(const struct row_pass *pass, size_t item, int kind) {
  const size_t n = positions(pass->session);
  int32_t *seen = seen_of(pass, item, kind);
  for (size_t i = 0; seen != NULL && i < n; i++) {
    if (pass->rows[item * n + i]) seen[i] = token_at(pass, item, i, kind);
  }
}

/* Fills and makes the pass; once more, where the CPU takes over, since the caches are empty
 * then. */
static msk_status run_rows(struct row_pass *pass, int kind, msk_error *error) {
  msk_session *session = pass->session;
  msk_buffers *at = &session->at;
  msk_status status;
  do {
    fill_rows(pass, kind);
    if (pass->count == 0) return MSK_OK;
    status = kind == MSK_STRUCTURE ? msk_pass_score(session, at->sequences, at->parts,
                                                    pass->sequences, at->row_score, error)
                                   : msk_pass_logits(session, at->sequences, at->parts,
                                                     pass->sequences, at->row_logits, error);
  } while (msk_session_falls_over(session, &status, error));
  for (size_t i = pass->first; status == MSK_OK && i < pass->first + pass->items; i++) {
    remember(pass, i, kind);
    if (is_guided(pass, i)) remember(pass, i, MSK_UNCONDITIONAL);
  }
  return status;
}

/* out = c + guidance (c - u); difference, if not NULL: c - u. */
static void combine(const float *c, const float *u, size_t codes, float guidance, float *out,
                    float *difference) {
  for (size_t j = 0; j < codes; j++) out[j] = c[j] + guidance * (c[j] - u[j]);
  for (size_t j = 0; difference != NULL && j < codes; j++) difference[j] = c[j] - u[j];
}

/* From one behind the other to where they belong. */
static void spread_logits(const struct row_pass *pass, const float *guidance, float *logits,
                          float *difference) {
  const size_t codes = (size_t)pass->session->model->codes, n = positions(pass->session);
  const float *c = pass->session->at.row_logits;
  for (size_t item = pass->first; item < pass->first + pass->items; item++) {
    const bool guided = is_guided(pass, item);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += pass->rows[item * n + i] != 0;
    for (size_t at = item * n; at < (item + 1) * n; at++) {
      if (!pass->rows[at]) continue;
      if (guided) {
        combine(c, c + count * codes, codes, guidance[item], logits + at * codes,
                difference == NULL ? NULL : difference + at * codes);
      } else {
        memcpy(logits + at * codes, c, codes * sizeof *c);
      }
      c += codes;
    }
    if (guided) c += count * codes;
  }
}

msk_status msk_denoise_logits(void *user, const int32_t *tokens, const int32_t *behind,
                              const int32_t *unconditional, const float *guidance, uint8_t *rows,
                              float *logits, float *difference, msk_error *error) {
  msk_session *session = user;
  double started = msk_clock();
  struct row_pass pass = {.session = session,
                          .tokens = tokens,
                          .behind = behind,
                          .unconditional = unconditional,
                          .rows = rows};
  for (; pass.first < (size_t)session->group_count; pass.first += pass.items) {
    msk_status status = run_rows(&pass, MSK_CONDITIONAL, error);
    if (status != MSK_OK) return status;
    msk_pass_judge(session, session->at.row_logits, pass.count * (size_t)session->model->codes);
    spread_logits(&pass, guidance, logits, difference);
  }
  session->times.conditional += msk_clock() - started;
  return MSK_OK;
}

msk_status msk_denoise_score(void *user, const int32_t *tokens, uint8_t *rows, float *score,
                             msk_error *error) {
  msk_session *session = user;
  double started = msk_clock();
  const size_t n = positions(session);
  struct row_pass pass = {.session = session, .tokens = tokens, .rows = rows};
  for (; pass.first < (size_t)session->group_count; pass.first += pass.items) {
    msk_status status = run_rows(&pass, MSK_STRUCTURE, error);
    if (status != MSK_OK) return status;
    msk_pass_judge(session, session->at.row_score, pass.count);
    const float *from = session->at.row_score;
    for (size_t at = pass.first * n; at < (pass.first + pass.items) * n; at++) {
      if (rows[at]) score[at] = *from++;
    }
  }
  session->times.structure += msk_clock() - started;
  return MSK_OK;
}
