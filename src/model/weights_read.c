/* SPDX-License-Identifier: Apache-2.0
 *
 * weights_read.c - see weights.h: what a network's tensors take, and reading them. A tensor that
 * can be packed as it lies in the file is only looked through, so that the one copy made of it
 * is the packed one; others become float32 in scratch memory. Every value is looked at before
 * anything is made of it. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/codes.h"
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
static bool is_usable(const msk_weight_loader *loader, const msk_weight_row *row,
                      const msk_tensor *tensor) {
  if (!msk_weight_is_stored(row)) return false;
  if (tensor->dtype == MSK_DTYPE_I8) return loader->codes;
  return (tensor->dtype == MSK_DTYPE_F32 || tensor->dtype == MSK_DTYPE_F16) && lies_well(tensor);
}

static size_t columns_of(const msk_weight_row *row, const msk_tensor *tensor) {
  size_t columns = 1;
  for (int i = row->rank - msk_weight_outputs(row); i < row->rank; i++) columns *= tensor->shape[i];
  return columns;
}

/* Floats of scratch memory for a row: its scales, and itself unless it is used where it lies. */
static size_t scratch_floats(const msk_weight_loader *loader, const msk_weight_row *row,
                             const msk_tensor *tensor) {
  size_t scales = tensor->dtype == MSK_DTYPE_I8 ? padded(columns_of(row, tensor)) : 0;
  if (row->form == MSK_WEIGHT_KEPT) return 0;
  return scales + (is_usable(loader, row, tensor) ? 0 : padded(tensor->elements));
}

msk_weights_sizes msk_weights_measure(const msk_weight_loader *loader, msk_weight_groups *groups,
                                      const void *config) {
  size_t scratch = 0, kept = 0, mapped = 0;
  msk_weight_group group;
  for (size_t g = 0; groups(config, g, &group); g++) {
    size_t group_scratch = 0, group_mapped = 0;
    for (size_t r = 0; r < group.row_count; r++) {
      char name[MSK_WEIGHT_NAME];
      msk_tensor expected;
      msk_weight_expected(loader->prefix, &group, &group.rows[r], name, &expected);
      const msk_tensor *tensor = msk_weight_file_find(loader->file, name);
      group_scratch += scratch_floats(loader, &group.rows[r], tensor);
      group_mapped += tensor->bytes;
      if (group.rows[r].form == MSK_WEIGHT_KEPT) kept += padded(tensor->elements);
    }
    if (group_scratch > scratch) scratch = group_scratch;
    if (group_mapped > mapped) mapped = group_mapped;
  }
  return (msk_weights_sizes){scratch * sizeof(float), kept * sizeof(float), mapped};
}

bool msk_weights_halved(const msk_weight_loader *loader, const msk_weight_group *group) {
  for (size_t r = 0; r < group->row_count; r++) {
    char name[MSK_WEIGHT_NAME];
    msk_tensor expected;
    msk_weight_expected(loader->prefix, group, &group->rows[r], name, &expected);
    if (msk_weight_is_stored(&group->rows[r]) &&
        msk_weight_file_find(loader->file, name)->dtype != MSK_DTYPE_F16)
      return false;
  }
  return true;
}

msk_status msk_weights_reserve(msk_weight_loader *loader, msk_weight_groups *groups,
                               const void *config) {
  msk_weights_sizes sizes = msk_weights_measure(loader, groups, config);
  loader->kept_used = 0;
  loader->scratch = msk_allocate(loader->allocator, sizes.scratch, 1);
  loader->kept = msk_allocate(loader->allocator, sizes.kept, 1);
  if (loader->scratch == NULL || loader->kept == NULL) {
    return msk_fail(loader->error, MSK_ERROR_MEMORY, "not enough memory for the weights of %s",
                    msk_weight_file_path(loader->file));
  }
  return MSK_OK;
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

static bool all_finite_halves(const uint16_t *values, size_t count) {
  uint16_t found = 0;
  for (size_t i = 0; i < count; i++) found |= (uint16_t)((values[i] & 0x7C00) == 0x7C00);
  return found == 0;
}

/* ---- reading ---- */

enum { READING_TASK = 1 << 16 }; /* elements of a task */

struct reading {
  const msk_tensor *tensor;
  const float *scales; /* of codes */
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
  if (tensor->dtype == MSK_DTYPE_I8) {
    const int8_t *codes = (const int8_t *)tensor->data;
    good = msk_codes_valid(codes + first, count);
    if (reading->values != NULL)
      msk_codes_values(codes, reading->scales, reading->columns, first, count, reading->values);
  } else if (reading->values != NULL) {
    msk_tensor_to_f32(tensor, first, count, reading->values + first);
    good = all_finite(reading->values + first, count);
  } else {
    good = tensor->dtype == MSK_DTYPE_F16 ? all_finite_halves(at, count) : all_finite(at, count);
  }
  if (!good) reading->damaged = true;
}

static msk_status fail_damaged(const msk_weight_loader *loader, const char *name,
                               const char *what) {
  return msk_fail(loader->error, MSK_ERROR_FILE,
                  "%s: tensor %s holds values that are not %s: the file is damaged",
                  msk_weight_file_path(loader->file), name, what);
}

static msk_status read_scales(const msk_weight_loader *loader, const msk_weight_row *row,
                              const msk_tensor *tensor, float *scales) {
  char name[MSK_WEIGHT_NAME];
  msk_tensor expected;
  msk_weight_expected_scales(row, tensor, name, &expected);
  msk_tensor_to_f32(msk_weight_file_find(loader->file, name), 0, expected.elements, scales);
  return msk_scales_valid(scales, expected.elements)
             ? MSK_OK
             : fail_damaged(loader, name, "finite numbers from 0 up");
}

/* One row, into its field. `room`: scratch_floats(). Pages of the file that are not needed any
 * more are given back. */
static msk_status read_row(msk_weight_loader *loader, const msk_weight_row *row,
                           const msk_tensor *tensor, float *room, void *field) {
  struct reading reading = {.tensor = tensor};
  bool codes = tensor->dtype == MSK_DTYPE_I8, usable = is_usable(loader, row, tensor);
  if (codes) {
    reading.columns = columns_of(row, tensor);
    reading.scales = room;
    msk_status status = read_scales(loader, row, tensor, room);
    if (status != MSK_OK) return status;
    room += padded(reading.columns);
  }
  if (!usable) reading.values = room;
  msk_pool_run(loader->pool, (tensor->elements + READING_TASK - 1) / READING_TASK, read_task,
               &reading);
  if (!usable) msk_weight_file_forget(loader->file, tensor);
  if (reading.damaged)
    return fail_damaged(loader, tensor->name, codes ? "codes from -127 to 127" : "finite numbers");
  if (msk_weight_is_stored(row)) {
    msk_weight_stored stored = {.at = reading.values, .dtype = MSK_DTYPE_F32};
    if (usable)
      stored =
          (msk_weight_stored){.at = tensor->data, .dtype = tensor->dtype, .scales = reading.scales};
    memcpy(field, &stored, sizeof stored);
  } else {
    memcpy(field, &reading.values, sizeof reading.values);
  }
  return MSK_OK;
}

msk_status msk_weights_load(msk_weight_loader *loader, const msk_weight_group *group,
                            void *fields) {
  size_t scratch_used = 0;
  for (size_t r = 0; r < group->row_count; r++) {
    const msk_weight_row *row = &group->rows[r];
    char name[MSK_WEIGHT_NAME];
    msk_tensor expected;
    msk_weight_expected(loader->prefix, group, row, name, &expected);
    const msk_tensor *tensor = msk_weight_file_find(loader->file, name);
    bool kept = row->form == MSK_WEIGHT_KEPT;
    float *room = kept ? loader->kept + loader->kept_used : loader->scratch + scratch_used;
    if (kept) loader->kept_used += padded(tensor->elements);
    scratch_used += scratch_floats(loader, row, tensor);
    msk_status status = read_row(loader, row, tensor, room, (char *)fields + row->field);
    if (status != MSK_OK) return status;
  }
  return MSK_OK;
}

void msk_weights_done(const msk_weight_loader *loader, const msk_weight_group *group) {
  for (size_t r = 0; r < group->row_count; r++) {
    char name[MSK_WEIGHT_NAME];
    msk_tensor expected;
    msk_weight_expected(loader->prefix, group, &group->rows[r], name, &expected);
    if (msk_weight_is_stored(&group->rows[r]))
      msk_weight_file_forget(loader->file, msk_weight_file_find(loader->file, name));
  }
}
