/* SPDX-License-Identifier: Apache-2.0
 * weights.c - see weights.h. Checking comes first and for the whole network, so that memory is only taken for files that fit. */
#include "model/weights.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

void msk_shape_text(char *text, size_t bytes, int rank, const size_t *shape) {
  size_t used = 0;
  if (rank == 0) snprintf(text, bytes, "scalar");
  for (int i = 0; i < rank && used < bytes; i++) {
    int written = snprintf(text + used, bytes - used, i == 0 ? "%zu" : "x%zu", shape[i]);
    if (written < 0) return;
    used += (size_t)written;
  }
}

static void full_name(const msk_weight_loader *loader, const char *name, int number, const char *rest, char text[MSK_WEIGHT_NAME]) {
  if (number < 0) {
    snprintf(text, MSK_WEIGHT_NAME, "%s%s%s", loader->prefix, name, rest);
  } else {
    snprintf(text, MSK_WEIGHT_NAME, "%s%s%d%s", loader->prefix, name, number, rest);
  }
}

const msk_tensor *msk_weight_find(const msk_weight_loader *loader, const char *name, int number, const char *rest) {
  char text[MSK_WEIGHT_NAME];
  full_name(loader, name, number, rest, text);
  return msk_weight_file_find(loader->file, text);
}

size_t msk_weight_count(const msk_weight_loader *loader, const char *name, const char *rest, const char *other, size_t limit) {
  size_t count = 0;
  for (size_t i = 0; i < limit; i++) {
    if (msk_weight_find(loader, name, (int)i, rest) != NULL || msk_weight_find(loader, name, (int)i, other) != NULL) count = i + 1;
  }
  return count;
}

msk_status msk_weight_fail_missing(const msk_weight_loader *loader, const char *name) {
  return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s is missing: %s", msk_weight_file_path(loader->file), name, loader->hint);
}

msk_status msk_weight_need(const msk_weight_loader *loader, const char *name, int number, const char *rest, int rank,
                           const msk_tensor **tensor) {
  char text[MSK_WEIGHT_NAME], shape[MSK_WEIGHT_NAME];
  full_name(loader, name, number, rest, text);
  const msk_tensor *found = msk_weight_file_find(loader->file, text);
  if (found == NULL) return msk_weight_fail_missing(loader, text);
  bool sane = found->rank == rank;
  for (int i = 0; i < found->rank; i++) sane = sane && found->shape[i] >= 1 && found->shape[i] <= MSK_WEIGHT_MAX_SIDE;
  if (!sane) {
    msk_shape_text(shape, sizeof shape, found->rank, found->shape);
    return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has shape %s, expected %d sides of 1 to %zu: %s",
                    msk_weight_file_path(loader->file), text, shape, rank, MSK_WEIGHT_MAX_SIDE, loader->hint);
  }
  *tensor = found;
  return MSK_OK;
}

static void expected_tensor(const char *prefix, const msk_weight_group *group, const msk_weight_row *row, char name[MSK_WEIGHT_NAME],
                            msk_tensor *tensor) {
  snprintf(name, MSK_WEIGHT_NAME, "%s%s%s", prefix, group->prefix, row->name);
  *tensor = (msk_tensor){.name = name, .dtype = MSK_DTYPE_F32, .rank = row->rank, .elements = 1};
  for (int i = 0; i < row->rank; i++) {
    tensor->shape[i] = group->sizes[row->sides[i]];
    tensor->elements *= tensor->shape[i];
  }
  tensor->bytes = tensor->elements * sizeof(float);
}

static msk_status check_tensor(const msk_weight_loader *loader, const msk_tensor *expected) {
  const char *path = msk_weight_file_path(loader->file);
  const msk_tensor *found = msk_weight_file_find(loader->file, expected->name);
  if (found == NULL) return msk_weight_fail_missing(loader, expected->name);
  if (found->rank != expected->rank || memcmp(found->shape, expected->shape, (size_t)expected->rank * sizeof *found->shape) != 0) {
    char shape[MSK_WEIGHT_NAME], wanted[MSK_WEIGHT_NAME];
    msk_shape_text(shape, sizeof shape, found->rank, found->shape);
    msk_shape_text(wanted, sizeof wanted, expected->rank, expected->shape);
    return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has shape %s, expected %s: %s", path, expected->name, shape, wanted,
                    loader->hint);
  }
  if (found->dtype != MSK_DTYPE_F32 && found->dtype != MSK_DTYPE_F16 && found->dtype != MSK_DTYPE_BF16 && found->dtype != MSK_DTYPE_F64) {
    return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has type %s, expected F32, F16 or BF16", path, expected->name,
                    msk_dtype_name(found->dtype));
  }
  return MSK_OK;
}

static bool has_prefix(const char *name, const char *prefix) { return strncmp(name, prefix, strlen(prefix)) == 0; }

static bool is_expected(const char *prefix, msk_weight_groups *groups, const void *config, const char *name) {
  msk_weight_group group;
  for (size_t g = 0; groups(config, g, &group); g++) {
    char start[MSK_WEIGHT_NAME];
    snprintf(start, sizeof start, "%s%s", prefix, group.prefix);
    if (!has_prefix(name, start)) continue;
    for (size_t r = 0; r < group.row_count; r++) {
      if (strcmp(name + strlen(start), group.rows[r].name) == 0) return true;
    }
  }
  return false;
}

/* Run only when the file holds more tensors than the network: names the first that does not belong. */
static msk_status fail_stranger(const msk_weight_loader *loader, msk_weight_groups *groups, const void *config) {
  for (size_t i = 0; i < msk_weight_file_count(loader->file); i++) {
    const msk_tensor *tensor = msk_weight_file_at(loader->file, i);
    if (!has_prefix(tensor->name, loader->prefix) || is_expected(loader->prefix, groups, config, tensor->name)) continue;
    return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has no place in this network: %s", msk_weight_file_path(loader->file),
                    tensor->name, loader->hint);
  }
  return MSK_OK;
}

msk_status msk_weights_check(const msk_weight_loader *loader, msk_weight_groups *groups, const void *config) {
  size_t expected_count = 0, found_count = 0;
  msk_weight_group group;
  for (size_t g = 0; groups(config, g, &group); g++) {
    for (size_t r = 0; r < group.row_count; r++, expected_count++) {
      char name[MSK_WEIGHT_NAME];
      msk_tensor expected;
      expected_tensor(loader->prefix, &group, &group.rows[r], name, &expected);
      msk_status status = check_tensor(loader, &expected);
      if (status != MSK_OK) return status;
    }
  }
  for (size_t i = 0; i < msk_weight_file_count(loader->file); i++) {
    found_count += has_prefix(msk_weight_file_at(loader->file, i)->name, loader->prefix);
  }
  return found_count > expected_count ? fail_stranger(loader, groups, config) : MSK_OK;
}

/* Every tensor starts at a multiple of 16 floats, so that kernels may load aligned. */
static size_t padded_elements(const msk_weight_group *group, const msk_weight_row *row) {
  size_t elements = 1;
  for (int i = 0; i < row->rank; i++) elements *= group->sizes[row->sides[i]];
  return (elements + 15) & ~(size_t)15;
}

void msk_weights_measure(msk_weight_groups *groups, const void *config, size_t *scratch_bytes, size_t *kept_bytes) {
  size_t scratch = 0, kept = 0;
  msk_weight_group group;
  for (size_t g = 0; groups(config, g, &group); g++) {
    size_t group_scratch = 0;
    for (size_t r = 0; r < group.row_count; r++) {
      *(group.rows[r].keep ? &kept : &group_scratch) += padded_elements(&group, &group.rows[r]);
    }
    if (group_scratch > scratch) scratch = group_scratch;
  }
  *scratch_bytes = scratch * sizeof(float);
  *kept_bytes = kept * sizeof(float);
}

msk_status msk_weights_reserve(msk_weight_loader *loader, msk_weight_groups *groups, const void *config) {
  size_t scratch, kept;
  msk_weights_measure(groups, config, &scratch, &kept);
  loader->kept_used = 0;
  loader->scratch = msk_allocate(loader->allocator, scratch, 1);
  loader->kept = msk_allocate(loader->allocator, kept, 1);
  if (loader->scratch == NULL || loader->kept == NULL) {
    return msk_fail(loader->error, MSK_ERROR_MEMORY, "not enough memory for the weights of %s", msk_weight_file_path(loader->file));
  }
  return MSK_OK;
}

/* On the bits and without branches, so that it becomes vector code and keeps pace with reading the file. */
static bool all_finite(const float *values, size_t count) {
  uint32_t found = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    found |= (bits & 0x7F800000) == 0x7F800000;
  }
  return found == 0;
}

enum { READING_TASK = 1 << 16 }; /* elements of a task */

struct reading {
  const msk_tensor *tensor;
  float *values;
  _Atomic bool damaged;
};

static void read_task(void *user, size_t index, int worker) {
  struct reading *reading = user;
  (void)worker;
  size_t first = index * READING_TASK, left = reading->tensor->elements - first, count = left < READING_TASK ? left : READING_TASK;
  msk_tensor_to_f32(reading->tensor, first, count, reading->values + first);
  if (!all_finite(reading->values + first, count)) reading->damaged = true;
}

/* False: a value is no finite number. The file's pages are given back: what is kept, is kept in memory of our own. */
static bool read_tensor(const msk_weight_loader *loader, const msk_tensor *tensor, float *values) {
  struct reading reading = {.tensor = tensor, .values = values};
  msk_pool_run(loader->pool, (tensor->elements + READING_TASK - 1) / READING_TASK, read_task, &reading);
  msk_weight_file_forget(loader->file, tensor);
  return !reading.damaged;
}

msk_status msk_weights_load(msk_weight_loader *loader, const msk_weight_group *group, void *fields) {
  size_t scratch_used = 0;
  for (size_t r = 0; r < group->row_count; r++) {
    const msk_weight_row *row = &group->rows[r];
    char name[MSK_WEIGHT_NAME];
    msk_tensor expected;
    expected_tensor(loader->prefix, group, row, name, &expected);
    size_t *used = row->keep ? &loader->kept_used : &scratch_used;
    float *values = (row->keep ? loader->kept : loader->scratch) + *used;
    *used += padded_elements(group, row);
    if (!read_tensor(loader, msk_weight_file_find(loader->file, name), values)) {
      return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s holds values that are not finite numbers: the file is damaged",
                      msk_weight_file_path(loader->file), name);
    }
    memcpy((char *)fields + row->field, &values, sizeof values);
  }
  return MSK_OK;
}

msk_status msk_weights_each(msk_weight_groups *groups, const void *config, msk_weight_visit *visit, void *user) {
  msk_weight_group group;
  for (size_t g = 0; groups(config, g, &group); g++) {
    for (size_t r = 0; r < group.row_count; r++) {
      char name[MSK_WEIGHT_NAME];
      msk_tensor tensor;
      expected_tensor("", &group, &group.rows[r], name, &tensor);
      msk_status status = visit(user, &tensor);
      if (status != MSK_OK) return status;
    }
  }
  return MSK_OK;
}
