/* SPDX-License-Identifier: Apache-2.0
 *
 * far.c - where a session's networks work if that is not where the rest lies: on the model's GPU,
 * in a workspace there; and once the GPU has failed, on the CPU in memory of its own, from the very
 * pass that failed. That memory is the only one that is taken after a session has been opened. */
#include <string.h>

#include "api/session.h"

/* Host memory, where the GPU's had to do. */
static msk_status take_host_memory(msk_session *session, size_t bytes, msk_error *error) {
  if (bytes <= session->host_capacity) return MSK_OK;
  const msk_allocator *allocator = session->model->allocator;
  msk_free(allocator, session->host_memory);
  session->host_capacity = 0;
  session->host_memory = bytes == SIZE_MAX ? NULL : msk_allocate(allocator, bytes, 1);
  if (session->host_memory == NULL) return msk_session_fail_memory(bytes, error);
  session->host_capacity = bytes;
  return MSK_OK;
}

msk_status msk_session_place_far(msk_session *session, const msk_session_need *need,
                                 msk_error *error) {
  if (session->fallen) {
    msk_status status = take_host_memory(session, need->far_bytes, error);
    if (status != MSK_OK) return status;
  }
  char *base = session->fallen ? session->host_memory : msk_workspace_base(session->workspace);
  session->is_split = true;
  session->far_stream = (msk_stream){.device = msk_session_far_device(session),
                                     .workspace = session->fallen ? NULL : session->workspace,
                                     .pool = session->fallen ? session->pool : NULL,
                                     .meter = session->stream.meter,
                                     .scratch_bytes = need->far_scratch,
                                     .scratch = base};
  session->far_arena = msk_session_arena(
      base, need->far_scratch, session->fallen ? session->host_capacity : session->far_capacity);
  return MSK_OK;
}

/* The targets once more, where the passes from here on will look for them; what the pass that
 * failed has in `sequences` stays. */
static msk_status find_targets(msk_session *session, msk_error *error) {
  const msk_allocator *allocator = session->model->allocator;
  size_t bytes = (size_t)session->model->positions * sizeof(int32_t);
  int32_t *kept = msk_allocate(allocator, bytes, 1);
  if (kept == NULL) return msk_session_fail_memory(bytes, error);
  memcpy(kept, session->at.sequences, bytes);
  msk_status status = msk_pass_target(session, error);
  memcpy(session->at.sequences, kept, bytes);
  msk_free(allocator, kept);
  return status;
}

bool msk_session_falls_over(msk_session *session, msk_status *status, msk_error *error) {
  if (*status == MSK_OK || session->fallen || session->workspace == NULL) return false;
  *status = msk_spare_take_over(session->model, *status, session->pool, error);
  if (*status != MSK_OK) return false;
  session->fallen = true;
  session->untold = session->model->spare->line;
  const msk_session_need need =
      msk_session_measure(session->model, msk_session_threads(session), &session->request,
                          msk_session_far_device(session));
  *status = msk_session_place_far(session, &need, error);
  if (*status == MSK_OK) {
    session->at.far_logits = session->at.far_score = NULL;
    msk_session_place_kept(session);
    msk_session_forget(session);
    if (session->targets_live) *status = find_targets(session, error);
  }
  return *status == MSK_OK;
}
