/* SPDX-License-Identifier: Apache-2.0
 * runner.c - see runner.h. */
#include "api/runner.h"

#include <stdio.h>

#include "base/error.h"
#include "base/threads.h"
#include "compute/stream.h"

/* ---- opening ---- */

static void drop_memory(msk_runner *runner) {
  msk_workspace_destroy(runner->workspace, runner->place);
  msk_free(runner->allocator, runner->memory);
  runner->workspace = NULL;
  runner->memory = NULL;
  runner->bytes = 0;
}

static void tell(msk_runner *runner, const char *text, const char *end) {
  snprintf(runner->line, sizeof runner->line, "%s: %s%s", runner->name, text, end);
}

static msk_status load_on(msk_runner *runner, const msk_device *device, msk_error *error) {
  drop_memory(runner);
  msk_status status = runner->load(runner->owner, device, runner->pool, error);
  if (status == MSK_OK) runner->place = device;
  return status;
}

/* After `status`, and its message in error: MSK_OK if the CPU goes on now. */
static msk_status take_over(msk_runner *runner, msk_status status, msk_error *error) {
  if (status != MSK_ERROR_DEVICE || !msk_runner_may_load(runner)) return status;
  tell(runner, error->message, "; the CPU goes on");
  return load_on(runner, runner->cpu, error);
}

msk_status msk_runner_open(msk_runner *runner, const msk_device_wish *wish,
                           const msk_product_size *size, msk_tally *tally, const char *name,
                           msk_runner_load *load, void *owner, msk_error *error) {
  msk_error own;
  char line[600] = "";
  int threads = wish->threads == 0 ? msk_default_threads() : wish->threads;
  if (error == NULL) error = &own;
  *runner = (msk_runner){.load = load,
                         .owner = owner,
                         .name = name,
                         .allocator = wish->allocator,
                         .threads = threads,
                         .may_fall = msk_device_is_auto(wish->device)};
  msk_status status = msk_choose_device(&runner->gpu, wish, MSK_PRECISION_FP32, size, line, error);
  if (line[0] != 0) tell(runner, line, "");
  if (status == MSK_OK)
    status = msk_device_create(&runner->cpu, wish->isa, MSK_PRECISION_FP32, wish->allocator, error);
  if (status == MSK_OK && threads > 1 && tally == NULL)
    status = msk_pool_create(&runner->pool, threads, wish->allocator, error);
  if (status != MSK_OK) return status;
  if (tally != NULL) msk_device_measure(runner->cpu, tally);
  if (tally != NULL && runner->gpu != NULL) msk_device_measure(runner->gpu, tally);
  status = load_on(runner, runner->gpu != NULL ? runner->gpu : runner->cpu, error);
  return take_over(runner, status, error);
}

void msk_runner_close(msk_runner *runner) {
  drop_memory(runner);
  msk_pool_destroy(runner->pool);
  msk_device_destroy(runner->gpu);
  msk_device_destroy(runner->cpu);
}

const char *msk_runner_warning(const msk_runner *runner) {
  return runner->line[0] != 0 ? runner->line : msk_device_warning(runner->cpu);
}

/* ---- a pass ---- */

static msk_stream start_stream(const msk_runner *runner) {
  const bool apart = msk_device_is_apart(runner->place);
  return (msk_stream){
      .device = runner->place, .pool = apart ? NULL : runner->pool, .threads = runner->threads};
}

/* The pass on a stream that measures or runs; where memory is the device's own, its floats go there
 * and come back. */
static msk_status pass_through(const msk_runner_pass *pass, msk_stream *stream, msk_arena *arena,
                               msk_error *error) {
  if (!msk_device_is_apart(stream->device)) {
    pass->run(pass->user, stream, arena, pass->from, pass->to);
    return MSK_OK;
  }
  float *from = msk_arena_take(arena, pass->from_count, sizeof *from),
        *to = msk_arena_take(arena, pass->to_count, sizeof *to);
  if (pass->from_count > 0) msk_stream_write(stream, pass->from, pass->from_count, from);
  pass->run(pass->user, stream, arena, from, to);
  return stream->measuring ? MSK_OK : msk_stream_read(stream, to, pass->to_count, pass->to, error);
}

static msk_status take_memory(msk_runner *runner, size_t bytes, msk_error *error) {
  if (bytes <= runner->bytes) return MSK_OK;
  drop_memory(runner);
  msk_status status = MSK_OK;
  if (msk_device_is_apart(runner->place)) {
    status = msk_workspace_create(&runner->workspace, runner->place, bytes, error);
  } else {
    runner->memory = msk_allocate(runner->allocator, bytes, 1);
    if (runner->memory == NULL)
      status =
          msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a pass of %zu bytes", bytes);
  }
  if (status == MSK_OK) runner->bytes = bytes;
  return status;
}

/* Scratch memory that the pass takes, and its arena's, behind it. */
static msk_status measure(const msk_runner *runner, const msk_runner_pass *pass, size_t *scratch,
                          size_t *bytes, msk_error *error) {
  msk_stream stream = start_stream(runner);
  msk_arena arena = {0};
  stream.measuring = true;
  pass_through(pass, &stream, &arena, error);
  *scratch = msk_round_up(stream.scratch_bytes, MSK_ALIGNMENT);
  return !arena.overflow && msk_add(*scratch, arena.peak, bytes)
             ? MSK_OK
             : msk_fail(error, MSK_ERROR_MEMORY, "a pass takes more memory than there can be");
}

msk_status msk_runner_measure(const msk_runner *runner, const msk_runner_pass *pass, size_t *bytes,
                              msk_error *error) {
  size_t scratch;
  return measure(runner, pass, &scratch, bytes, error);
}

/* Runs the pass twice, measuring and for real. */
static msk_status try_pass(msk_runner *runner, const msk_runner_pass *pass, msk_error *error) {
  size_t scratch = 0, bytes = 0;
  msk_status status = measure(runner, pass, &scratch, &bytes, error);
  if (status == MSK_OK) status = take_memory(runner, bytes, error);
  if (status != MSK_OK) return status;
  msk_stream stream = start_stream(runner);
  stream.workspace = runner->workspace;
  stream.scratch_bytes = scratch;
  stream.scratch = stream.workspace != NULL ? msk_workspace_base(stream.workspace) : runner->memory;
  msk_arena arena = {.base = (char *)stream.scratch + scratch, .capacity = bytes - scratch};
  status = pass_through(pass, &stream, &arena, error);
  /* of no use after a failure */
  if (status != MSK_OK) drop_memory(runner);
  return status;
}

msk_status msk_runner_run(msk_runner *runner, const msk_runner_pass *pass, msk_error *error) {
  msk_error own;
  if (error == NULL) error = &own;
  const msk_device *place = runner->place;
  msk_status status = take_over(runner, try_pass(runner, pass, error), error);
  return status == MSK_OK && runner->place != place ? try_pass(runner, pass, error) : status;
}
