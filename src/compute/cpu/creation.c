/* SPDX-License-Identifier: Apache-2.0
 *
 * creation.c - memory of what is created on a device: taken, or, on a device that measures, only
 * counted. So a model is planned by the code that makes it. */
#include <string.h>

#include "compute/cpu/cpu.h"

void msk_device_measure(msk_device *device, msk_tally *tally) { device->tally = tally; }

bool msk_device_measures(const msk_device *device) { return device->tally != NULL; }

static void count_up(const msk_device *device, size_t bytes) {
  msk_tally *tally = device->tally;
  if (tally == NULL) return;
  /* a file can ask for more than there are addresses; it has failed elsewhere then */
  if (!msk_add(tally->held, bytes, &tally->held)) tally->held = SIZE_MAX;
  if (tally->held > tally->most) tally->most = tally->held;
}

static void count_down(const msk_device *device, size_t bytes) {
  if (device->tally != NULL) device->tally->held -= bytes;
}

void *msk_device_make(const msk_device *device, size_t count, size_t bytes) {
  void *object = msk_allocate_zeroed(device->allocator, count, bytes);
  if (object != NULL) count_up(device, count * bytes);
  return object;
}

void msk_device_unmake(const msk_device *device, void *object, size_t count, size_t bytes) {
  if (object == NULL) return;
  msk_free(device->allocator, object);
  count_down(device, count * bytes);
}

void *msk_device_take(const msk_device *device, size_t count, size_t bytes) {
  size_t total;
  if (device->tally == NULL) return msk_allocate(device->allocator, count, bytes);
  if (!msk_multiply(count, bytes, &total)) return NULL;
  count_up(device, total);
  return MSK_NOWHERE;
}

void msk_device_give(const msk_device *device, void *memory, size_t count, size_t bytes) {
  if (memory == NULL) return;
  if (device->tally == NULL) msk_free(device->allocator, memory);
  count_down(device, count * bytes);
}

void msk_device_hold(const msk_device *device, size_t bytes) { count_up(device, bytes); }

void msk_device_hold_apart(const msk_device *device, size_t bytes) {
  msk_tally *tally = device->tally;
  if (tally != NULL && !msk_add(tally->apart, bytes, &tally->apart)) tally->apart = SIZE_MAX;
}

void msk_device_drop(const msk_device *device, size_t bytes) { count_down(device, bytes); }

void msk_creation_run(const msk_device *device, msk_pool *pool, size_t count, msk_task *task,
                      void *user) {
  if (device->tally == NULL) msk_pool_run(pool, count, task, user);
}
