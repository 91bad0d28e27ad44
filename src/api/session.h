/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h - a session's memory and its networks' passes. One block of memory, laid out by one
 * function that runs twice: measuring (no memory, every network operation only says what it
 * needs), then placing. Each pass below is such a function: while stream.measuring it computes
 * nothing.
 *
 * Memory bound: a request is drawn in groups of at most MSK_GROUP_ITEMS items (under `official`
 * the whole batch is one draw; with light passes, whose caches are large, MSK_CACHED_ITEMS), a
 * network pass takes at most MSK_PASS_ROWS sequences at once, pictures are encoded and decoded one
 * by one. What an item gets does not depend on its neighbours. */
#ifndef MSK_API_SESSION_H
#define MSK_API_SESSION_H

#include "api/spare.h"
#include "base/clock.h"
#include "base/pool.h"
#include "compute/meter.h"
#include "sampling/sampler.h"

enum { MSK_GROUP_ITEMS = 8, MSK_CACHED_ITEMS = 2, MSK_PASS_ROWS = 8 };

/* The three kinds of passes of a step. */
enum { MSK_CONDITIONAL, MSK_UNCONDITIONAL, MSK_STRUCTURE, MSK_CACHES };

/* What a kind's passes over rows find from earlier ones, of every item that is drawn together; NULL
 * where none is ever made. */
struct msk_session_cache {
  int32_t *seen; /* [items,N]: the token with which a row was last computed; MSK_NEVER: not yet */
  float *values; /* [items,layers,N,2,hidden], where the networks work */
  size_t floats; /* of an item */
};
enum { MSK_NEVER = -2 };

/* What lives as long as the request; NULL where the request has no use for it. S = latent_size,
 * P = image_size, N = S*S + 1. */
typedef struct msk_buffers {
  int32_t *picture_codes; /* [N-1]: of the sketch or photo */
  uint8_t *edit_mask;     /* [N-1] */
  float *lambda_map;      /* [N-1] */
  float *photo;           /* [P,P,3] in [0,1], to composite over */
  uint8_t *blend;         /* [P,P]: 255 = repainted */
  int32_t *sequences;     /* [rows,N]: input of a network pass, */
  int32_t *row_places;    /* and of one over rows, with those below: as many */
  msk_maskgit_part *parts;
  struct msk_session_cache caches[MSK_CACHES];
  int *slots;        /* [items]: where in the caches an item's are */
  float *row_logits; /* [rows,N,codes] */
  float *row_score;  /* [rows,N] */
  /* the same where the networks compute, if their memory is apart; else NULL */
  float *far_logits, *far_score;
  float *target, *log_target; /* [layers,heads,N,N]: the sketch's attention */
  int32_t *tokens;            /* [count,N]: finished items */
  int32_t *step_tokens;       /* [steps,count,N] */
  float *pixels;              /* [count,P,P,3] */
  float *preview;             /* [P,P,3] */
  float *structure;           /* [count] */
  /* [count]: where the request has candidates; and the candidate of each row still drawn */
  msk_candidate_info *candidates;
  int *places;
  double *values; /* [count] */
  int *kept;      /* [count] */
  msk_sampler *sampler;
} msk_buffers;

enum msk_phase { MSK_PHASE_IDLE, MSK_PHASE_STEPPING, MSK_PHASE_STEPPED };

struct msk_session {
  const msk_model *model;
  msk_pool *pool;
  char *memory;
  size_t capacity;
  /* of the model's GPU, where it has one: the networks work there, and the targets lie there */
  msk_workspace *workspace;
  size_t far_capacity;
  bool fallen; /* the GPU has failed: the networks work on the CPU, and the targets lie here */
  char *host_memory;
  size_t host_capacity;
  const char *untold; /* what is to be said of that with the next result, or NULL */
  /* the request that runs */
  enum msk_phase phase;
  msk_request request;
  msk_stream stream;
  msk_meter meter;
  msk_arena arena;
  bool is_split; /* the next two are the networks', which else have those before */
  msk_stream far_stream;
  msk_arena far_arena;
  msk_buffers at;
  /* mark of the networks' arena: what lies behind is the targets', and the tokenizer's before and
   * after them */
  size_t before_targets;
  /* between them: only a request with preview_every > 0 has memory for decoding then */
  bool targets_live;
  msk_sampler_spec spec;
  msk_denoiser denoiser;
  int finished;                 /* results: items drawn to the end */
  int group_first, group_count; /* items of the request that are drawn now */
  double started;
  size_t rows;     /* that went through the transformer */
  bool overflowed; /* a network gave numbers that are not finite */
  msk_times times;
};

/* session->model and request are set; everything else is placed, in arena or measured. After it,
 * session->arena holds the request's buffers. */
void msk_session_place(msk_session *session);
/* Bytes for a request on so many threads (SIZE_MAX: more than can be addressed), of which the
 * operations' scratch; and the same of the memory in which the networks work on the device `far`,
 * 0 where that is NULL: then they share the memory of the rest. */
typedef struct msk_session_need {
  size_t bytes, scratch, far_bytes, far_scratch;
} msk_session_need;
msk_session_need msk_session_measure(const msk_model *model, int threads,
                                     const msk_request *request, const msk_device *far);
msk_status msk_session_fail_memory(size_t bytes, msk_error *error);
/* An arena of the `capacity` bytes at base, behind the operations' scratch. */
msk_arena msk_session_arena(char *base, size_t scratch, size_t capacity);
/* Where the arenas hold the request's buffers, and nothing more: what the networks keep between
 * their passes, caches and targets. */
void msk_session_place_kept(msk_session *session);
/* The caches hold nothing of use: what is computed next is computed whole. */
void msk_session_forget(msk_session *session);
static inline int msk_session_threads(const msk_session *session) {
  return session->pool == NULL ? 1 : msk_pool_threads(session->pool);
}

/* ---- where the networks work (far.c) ---- */

/* NULL: where the rest does. */
static inline const msk_device *msk_session_far_device(const msk_session *session) {
  if (session->workspace == NULL) return NULL;
  return session->fallen ? session->model->device : session->model->gpu;
}
static inline msk_stream *msk_session_far_stream(msk_session *session) {
  return session->is_split ? &session->far_stream : &session->stream;
}
/* The arena from which what the networks read and write is taken. */
static inline msk_arena *msk_session_far_arena(msk_session *session) {
  return session->is_split ? &session->far_arena : &session->arena;
}
/* far_stream and far_arena, for a session that has a workspace. */
msk_status msk_session_place_far(msk_session *session, const msk_session_need *need,
                                 msk_error *error);
/* To be asked where a pass gave *status: true if the GPU has failed and the CPU is there in its
 * place, with the targets: the pass is to be run again. Else *status tells how it ended. */
bool msk_session_falls_over(msk_session *session, msk_status *status, msk_error *error);

/* ---- passes (passes.c) ---- */

/* sequences in one network pass at most */
int msk_session_rows(const msk_session *session);
int msk_request_items(const msk_request *request); /* count, times the guidance scales */
/* any of its items, in any step */
bool msk_request_is_guided(const msk_request *request);
/* they are drawn in lock step, in one group */
bool msk_request_has_candidates(const msk_request *request);
/* items that are drawn together at most */
int msk_session_group_items(const msk_request *request);
/* The passes fail where a GPU does. request.picture -> picture_codes (and photo) */
msk_status msk_pass_encode(msk_session *session, msk_error *error);
/* picture_codes, class -> target, log_target */
msk_status msk_pass_target(msk_session *session, msk_error *error);
/* logits of `rows` sequences (at most msk_session_rows); parts: NULL, or what of them */
msk_status msk_pass_logits(msk_session *session, const int32_t *sequences,
                           const msk_maskgit_part *parts, size_t rows, float *logits,
                           msk_error *error);
msk_status msk_pass_score(msk_session *session, const int32_t *sequences,
                          const msk_maskgit_part *parts, size_t rows, float *score,
                          msk_error *error);
msk_status msk_pass_decode(msk_session *session, const int32_t *sequence, float *pixels,
                           msk_error *error);
/* To be told of what a network gave: whether all of it is finite. */
void msk_pass_judge(msk_session *session, const float *values, size_t count);

/* ---- denoise.c ---- */

/* The same, of which the CPU takes over where a GPU fails. */
msk_status msk_steady_encode(msk_session *session, msk_error *error);
msk_status msk_steady_decode(msk_session *session, const int32_t *sequence, float *pixels,
                             msk_error *error);
msk_status msk_steady_target(msk_session *session, msk_error *error);
msk_status msk_steady_score(msk_session *session, const int32_t *sequences, size_t rows,
                            float *score, msk_error *error);
/* The denoiser that src/sampling asks; batches of any size, in passes of msk_session_rows()
 * sequences. */
msk_status msk_denoise_logits(void *user, const int32_t *tokens, const int32_t *behind,
                              const int32_t *unconditional, const float *guidance, uint8_t *rows,
                              float *logits, float *difference, msk_error *error);
msk_status msk_denoise_score(void *user, const int32_t *tokens, uint8_t *rows, float *score,
                             msk_error *error);

/* ---- masks (masks.c) ---- */

/* Mean brightness in [0,1] of the part of a picture that each cell of a rows x columns grid
 * covers. */
void msk_grid_means(const msk_image *picture, int rows, int columns, float *means);
/* request.edit_box or edit_mask -> edit_mask; false if it marks no token. */
bool msk_mask_latent(const msk_session *session, uint8_t *edit_mask);
/* edit_mask -> blend, as the authors blend: resized to the picture (bicubic), blurred by
 * image_size / 16 - 1. */
void msk_mask_blend(msk_session *session);
/* pixels = pixels * blend + photo * (1 - blend) */
void msk_mask_composite(const msk_session *session, float *pixels);

#endif
