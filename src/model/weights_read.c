/* SPDX-License-Identifier: Apache-2.0
 *
 * weights_read.c - see weights.h: what a network's tensors take, and reading them. A tensor that
 * can be packed as it lies in the file is only looked through, so that the one copy made of it
 * is the packed one; others become float32 in scratch memory. Every value is looked at before
 * anything is made of it. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/int8.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/weights.h"

/* ---- sizes ---- */

/* Every tensor starts at a multiple of 16 floats, so that kernels may load aligned. */
static size_t padded(size_t elements) { return (elements + 15) & ~(size_t)15; }

static bool lies_well(const msk_tensor *tensor) {
  bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  return (uintptr_t)tensor->data % msk_dtype_bytes(tensor->dtype) == 0 &&
         (little || msk_dtype_bytes(tensor->dtype) == 1);
}

/* It can be packed from where it lies. */
static bool is_usable(const msk_weight_loader *loader, const msk_weight_bound *bound) {
  const msk_tensor *tensor = bound->tensor;
  if (!msk_weight_is_stored(bound->row)) return false;
  if (tensor->dtype == MSK_DTYPE_I8) return loader->int8;
  return (tensor->dtype == MSK_DTYPE_F32 || tensor->dtype == MSK_DTYPE_F16) && lies_well(tensor);
}

/* Floats of scratch memory for a row: its scales, and itself unless it is used where it lies. */
static size_t scratch_floats(const msk_weight_loader *loader, const msk_weight_bound *bound) {
  size_t scales = bound->scales == NULL ? 0 : padded(bound->scales->elements);
  if (bound->row->form == MSK_WEIGHT_KEPT) return 0;
  return scales + (is_usable(loader, bound) ? 0 : padded(bound->tensor->elements));
}

/* Room for the largest group, and for all that is kept. */
static msk_status reserve(msk_weight_loader *loader) {
  const msk_device *device = loader->device;
  size_t group_floats = 0;
  for (size_t i = 0; i < loader->count; i++) {
    const msk_weight_bound *bound = &loader->bound[i];
    /* scratch is used anew for each group: its rows are packed before the next is read */
    if (i > 0 && bound->group != bound[-1].group) group_floats = 0;
    group_floats += scratch_floats(loader, bound);
    if (group_floats > loader->scratch_floats) loader->scratch_floats = group_floats;
    if (bound->row->form == MSK_WEIGHT_KEPT) loader->kept_floats += padded(bound->tensor->elements);
  }
  loader->scratch = msk_device_take(device, loader->scratch_floats, sizeof(float));
  loader->kept = msk_device_take(device, loader->kept_floats, sizeof(float));
  if (loader->scratch != NULL && loader->kept != NULL) return MSK_OK;
  return msk_fail(loader->error, MSK_ERROR_MEMORY, "not enough memory for the weights of %s",
                  msk_weight_file_path(loader->file));
}

/* ---- looking through ---- */

/* On the bits and without branches, so that it becomes vector code and keeps pace with reading
 * the file. */
static bool all_finite(const float *values, size_t count) {
  uint32_t found = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    found |= (bits & 0x7F800000) == 0x7F800000;
  }
  return found == 0;
}

static bool all_finite_fp16(const uint16_t *values, size_t count) {
  uint16_t found = 0;
  for (size_t i = 0; i < count; i++) found |= (uint16_t)((values[i] & 0x7C00) == 0x7C00);
  return found == 0;
}

/* ---- reading ---- */

enum { READING_TASK = 1 << 16 }; /* elements of a task */

struct reading {
  const msk_tensor *tensor;
  const float *scales; /* of int8 */
  size_t columns;
  float *values; /* NULL: it is used where it lies */
  _Atomic bool damaged;
};

static void read_task(void *user, size_t index, int worker) {
  struct reading *reading = user;
  const msk_tensor *tensor = reading->tensor;
  (void)worker;
  size_t first = index * READING_TASK, left = tensor->elements - first,
         count = left < READING_TASK ? left : READING_TASK;
  const void *at = tensor->data + first * msk_dtype_bytes(tensor->dtype);
  bool good;
  /* -128 has no opposite, and no writer of ours makes it */
  if (tensor->dtype == MSK_DTYPE_I8) {
    const int8_t *weights = (const int8_t *)tensor->data;
    good = msk_int8_valid(weights + first, count);
    if (reading->values != NULL)
      msk_int8_values(weights, reading->scales, reading->columns, first, count, reading->values);
  } else if (reading->values != NULL) {
    msk_tensor_to_f32(tensor, first, count, reading->values + first);
    good = all_finite(reading->values + first, count);
  } else {
    good = tensor->dtype == MSK_DTYPE_F16 ? all_finite_fp16(at, count) : all_finite(at, count);
  }
  if (!good) reading->damaged = true;
}

static msk_status fail_damaged(const msk_weight_loader *loader, const char *name,
                               const char *what) {
  return msk_fail(loader->error, MSK_ERROR_FILE,
                  "%s: tensor %s holds values that are not %s: the file is damaged",
                  msk_weight_file_path(loader->file), name, what);
}

static msk_status read_scales(const msk_weight_loader *loader, const msk_tensor *scales,
                              float *values) {
  msk_tensor_to_f32(scales, 0, scales->elements, values);
  return msk_int8_scales_valid(values, scales->elements)
             ? MSK_OK
             : fail_damaged(loader, scales->name, "finite numbers from 0 up");
}

/* The values of a tensor into reading->values, or a look through them where they lie. Pages of
 * the file that are not needed any more are given back. */
static msk_status read_tensor(const msk_weight_loader *loader, const msk_weight_bound *bound,
                              struct reading *reading, float *scales) {
  const msk_tensor *tensor = bound->tensor;
  if (msk_device_measures(loader->device)) return MSK_OK;
  if (bound->scales != NULL) {
    msk_status status = read_scales(loader, bound->scales, scales);
    if (status != MSK_OK) return status;
  }
  msk_pool_run(loader->pool, (tensor->elements + READING_TASK - 1) / READING_TASK, read_task,
               reading);
  /* what is packed from where it lies is read once more: its pages stay */
  if (reading->values != NULL) msk_weight_file_forget(loader->file, tensor);
  if (!reading->damaged) return MSK_OK;
  return fail_damaged(loader, tensor->name,
                      bound->scales != NULL ? "8-bit weights from -127 to 127" : "finite numbers");
}

/* One row, into its field. room: scratch_floats(), or the place of what is kept. */
static msk_status load_row(const msk_weight_loader *loader, const msk_weight_bound *bound,
                           float *room, void *field) {
  struct reading reading = {.tensor = bound->tensor};
  bool usable = is_usable(loader, bound);
  if (bound->scales != NULL) {
    reading.columns = bound->scales->elements;
    reading.scales = room;
  }
  if (!usable) reading.values = room + padded(reading.columns);
  msk_status status = read_tensor(loader, bound, &reading, room);
  if (status != MSK_OK) return status;
  if (msk_weight_is_stored(bound->row)) {
    msk_weight_stored stored = {.at = reading.values, .dtype = MSK_DTYPE_F32};
    /* no copy: packing reads the file's own numbers */
    if (usable)
      stored = (msk_weight_stored){bound->tensor->data, bound->tensor->dtype, reading.scales};
    memcpy(field, &stored, sizeof stored);
  } else {
    memcpy(field, &reading.values, sizeof reading.values);
  }
  return MSK_OK;
}

/* ---- a tensor by itself ---- */

/* One for each element of its last side, or of its last two. */
static bool scales_fit(const msk_tensor *tensor, const msk_tensor *scales) {
  if (scales == NULL || scales->dtype != MSK_DTYPE_F32) return false;
  if (scales->rank < 1 || scales->rank > 2 || scales->rank > tensor->rank) return false;
  return memcmp(scales->shape, tensor->shape + tensor->rank - scales->rank,
                (size_t)scales->rank * sizeof *scales->shape) == 0;
}

/* Some columns at a time, so that no memory is taken for their scales. */
static bool multiply_out(const msk_tensor *tensor, const msk_tensor *scales, float *values) {
  enum { BLOCK = 512 };
  const int8_t *weights = (const int8_t *)tensor->data;
  size_t columns = scales->elements;
  bool good = msk_int8_valid(weights, tensor->elements);
  for (size_t first = 0; good && first < columns; first += BLOCK) {
    float of_block[BLOCK];
    size_t count = columns - first < BLOCK ? columns - first : BLOCK;
    msk_tensor_to_f32(scales, first, count, of_block);
    good = msk_int8_scales_valid(of_block, count);
    for (size_t at = first; at < tensor->elements; at += columns)
      msk_int8_values(weights + at, of_block, count, 0, count, values + at);
  }
  return good;
}

msk_status msk_weight_values(const msk_weight_file *file, const msk_tensor *tensor, float *values,
                             msk_error *error) {
  const char *path = msk_weight_file_path(file);
  if (tensor->dtype != MSK_DTYPE_I8) {
    msk_status status = msk_tensor_check_finite(tensor, path, error);
    if (status == MSK_OK) msk_tensor_to_f32(tensor, 0, tensor->elements, values);
    return status;
  }
  char name[2 * MSK_WEIGHT_NAME];
  snprintf(name, sizeof name, "%.*s%s", MSK_WEIGHT_NAME, tensor->name, MSK_WEIGHT_SCALES);
  const msk_tensor *scales = msk_weight_file_find(file, name);
  if (!scales_fit(tensor, scales))
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: tensor %s is in int8, and %s is missing or does not fit it", path,
                    tensor->name, name);
  if (multiply_out(tensor, scales, values)) return MSK_OK;
  return msk_fail(error, MSK_ERROR_FILE,
                  "%s: tensor %s holds 8-bit weights or scales that are out of range: is the file "
                  "damaged?",
                  path, tensor->name);
}

/* ---- a group after the other ---- */

/* What was STORED has been packed: the file's pages are given back. */
static void leave_group(const msk_weight_loader *loader) {
  for (size_t i = loader->next; i-- > 0;) {
    const msk_weight_bound *bound = &loader->bound[i];
    if (bound->group != loader->bound[loader->next - 1].group) return;
    if (msk_weight_is_stored(bound->row)) msk_weight_file_forget(loader->file, bound->tensor);
    msk_device_drop(loader->device, bound->tensor->bytes);
  }
}

msk_status msk_weights_next(msk_weight_loader *loader, void *fields) {
  msk_status status = loader->next == 0 ? reserve(loader) : MSK_OK;
  size_t scratch_used = 0, group = loader->bound[loader->next].group;
  leave_group(loader);
  while (status == MSK_OK && loader->next < loader->count) {
    const msk_weight_bound *bound = &loader->bound[loader->next];
    if (bound->group != group) break;
    bool kept = bound->row->form == MSK_WEIGHT_KEPT;
    float *room = kept ? loader->kept + loader->kept_used : loader->scratch + scratch_used;
    if (kept) loader->kept_used += padded(bound->tensor->elements);
    scratch_used += scratch_floats(loader, bound);
    msk_device_hold(loader->device, bound->tensor->bytes);
    loader->next++; /* also if loading it fails: leave_group() drops what is held */
    status = load_row(loader, bound, room, (char *)fields + bound->row->field);
  }
  return status;
}

void msk_weights_end(msk_weight_loader *loader) {
  const msk_device *device = loader->device;
  leave_group(loader);
  if (device != NULL)
    msk_device_give(device, loader->scratch, loader->scratch_floats, sizeof(float));
  msk_free(device == NULL ? NULL : msk_device_allocator(device), loader->bound);
  loader->bound = NULL;
  loader->scratch = NULL;
}
