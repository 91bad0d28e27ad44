/* SPDX-License-Identifier: Apache-2.0
 *
 * weights.c - see weights.h: names, sizes, checking; weights_read.c reads. Checking comes first
 * and for the whole network, so that memory is only taken for files that fit. */
#include "model/weights.h"

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

static void full_name(const msk_weight_loader *loader, const char *name, int number,
                      const char *rest, char text[MSK_WEIGHT_NAME]) {
  if (number < 0) {
    snprintf(text, MSK_WEIGHT_NAME, "%s%s%s", loader->prefix, name, rest);
  } else {
    snprintf(text, MSK_WEIGHT_NAME, "%s%s%d%s", loader->prefix, name, number, rest);
  }
}

const msk_tensor *msk_weight_find(const msk_weight_loader *loader, const char *name, int number,
                                  const char *rest) {
  char text[MSK_WEIGHT_NAME];
  full_name(loader, name, number, rest, text);
  return msk_weight_file_find(loader->file, text);
}

size_t msk_weight_count(const msk_weight_loader *loader, const char *name, const char *rest,
                        const char *other, size_t limit) {
  size_t count = 0;
  for (size_t i = 0; i < limit; i++) {
    if (msk_weight_find(loader, name, (int)i, rest) != NULL ||
        msk_weight_find(loader, name, (int)i, other) != NULL)
      count = i + 1;
  }
  return count;
}

msk_status msk_weight_fail_missing(const msk_weight_loader *loader, const char *name) {
  return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s is missing: %s",
                  msk_weight_file_path(loader->file), name, loader->hint);
}

msk_status msk_weight_need(const msk_weight_loader *loader, const char *name, int number,
                           const char *rest, int rank, const msk_tensor **tensor) {
  char text[MSK_WEIGHT_NAME], shape[MSK_WEIGHT_NAME];
  full_name(loader, name, number, rest, text);
  const msk_tensor *found = msk_weight_file_find(loader->file, text);
  if (found == NULL) return msk_weight_fail_missing(loader, text);
  bool sane = found->rank == rank;
  for (int i = 0; i < found->rank; i++)
    sane = sane && found->shape[i] >= 1 && found->shape[i] <= MSK_WEIGHT_MAX_SIDE;
  if (!sane) {
    msk_shape_text(shape, sizeof shape, found->rank, found->shape);
    return msk_fail(loader->error, MSK_ERROR_FILE,
                    "%s: tensor %s has shape %s, expected %d sides of 1 to %zu: %s",
                    msk_weight_file_path(loader->file), text, shape, rank, MSK_WEIGHT_MAX_SIDE,
                    loader->hint);
  }
  *tensor = found;
  return MSK_OK;
}

void msk_weight_expected(const char *prefix, const msk_weight_group *group,
                         const msk_weight_row *row, char name[MSK_WEIGHT_NAME],
                         msk_tensor *tensor) {
  snprintf(name, MSK_WEIGHT_NAME, "%s%s%s", prefix, group->prefix, row->name);
  *tensor = (msk_tensor){.name = name, .dtype = MSK_DTYPE_F32, .rank = row->rank, .elements = 1};
  for (int i = 0; i < row->rank; i++) {
    tensor->shape[i] = group->sizes[row->sides[i]];
    tensor->elements *= tensor->shape[i];
  }
  tensor->bytes = tensor->elements * sizeof(float);
}

void msk_weight_expected_scales(const msk_weight_row *row, const msk_tensor *codes,
                                char name[MSK_WEIGHT_NAME], msk_tensor *scales) {
  int inputs = row->rank - msk_weight_outputs(row);
  snprintf(name, MSK_WEIGHT_NAME, "%.*s%s", (int)(MSK_WEIGHT_NAME - sizeof MSK_WEIGHT_SCALES),
           codes->name, MSK_WEIGHT_SCALES);
  *scales = (msk_tensor){
      .name = name, .dtype = MSK_DTYPE_F32, .rank = msk_weight_outputs(row), .elements = 1};
  for (int i = 0; i < msk_weight_outputs(row); i++) {
    scales->shape[i] = codes->shape[inputs + i];
    scales->elements *= scales->shape[i];
  }
  scales->bytes = scales->elements * sizeof(float);
}

bool msk_weight_is_scales(const char *name) {
  size_t length = strlen(name), end = strlen(MSK_WEIGHT_SCALES);
  return length > end && strcmp(name + length - end, MSK_WEIGHT_SCALES) == 0;
}

/* codes: a tensor of codes may stand there too. */
static msk_status check_tensor(const msk_weight_loader *loader, const msk_tensor *expected,
                               bool codes) {
  const char *path = msk_weight_file_path(loader->file);
  const msk_tensor *found = msk_weight_file_find(loader->file, expected->name);
  if (found == NULL) return msk_weight_fail_missing(loader, expected->name);
  if (found->rank != expected->rank ||
      memcmp(found->shape, expected->shape, (size_t)expected->rank * sizeof *found->shape) != 0) {
    char shape[MSK_WEIGHT_NAME], wanted[MSK_WEIGHT_NAME];
    msk_shape_text(shape, sizeof shape, found->rank, found->shape);
    msk_shape_text(wanted, sizeof wanted, expected->rank, expected->shape);
    return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has shape %s, expected %s: %s",
                    path, expected->name, shape, wanted, loader->hint);
  }
  if (!msk_dtype_is_float(found->dtype) && !(codes && found->dtype == MSK_DTYPE_I8)) {
    return msk_fail(loader->error, MSK_ERROR_FILE,
                    "%s: tensor %s has type %s, expected F32, F16 or BF16%s", path, expected->name,
                    msk_dtype_name((int)found->dtype), codes ? ", or I8" : "");
  }
  return MSK_OK;
}

static msk_status check_scales(const msk_weight_loader *loader, const msk_weight_row *row,
                               const msk_tensor *codes) {
  char name[MSK_WEIGHT_NAME];
  msk_tensor expected;
  msk_weight_expected_scales(row, codes, name, &expected);
  msk_status status = check_tensor(loader, &expected, false);
  if (status != MSK_OK) return status;
  const msk_tensor *found = msk_weight_file_find(loader->file, name);
  if (found->dtype == MSK_DTYPE_F32) return MSK_OK;
  return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has type %s, expected F32",
                  msk_weight_file_path(loader->file), name, msk_dtype_name((int)found->dtype));
}

static bool has_prefix(const char *name, const char *prefix) {
  return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* The name is the row's, or that of the scales of its codes. */
static bool is_row(const msk_weight_loader *loader, const msk_weight_group *group,
                   const msk_weight_row *row, const char *name) {
  char text[MSK_WEIGHT_NAME], scales_text[MSK_WEIGHT_NAME];
  msk_tensor expected, scales;
  msk_weight_expected(loader->prefix, group, row, text, &expected);
  if (strcmp(name, text) == 0) return true;
  const msk_tensor *found = msk_weight_file_find(loader->file, text);
  if (msk_weight_outputs(row) == 0 || found == NULL || found->dtype != MSK_DTYPE_I8) return false;
  msk_weight_expected_scales(row, &expected, scales_text, &scales);
  return strcmp(name, scales_text) == 0;
}

static bool is_expected(const msk_weight_loader *loader, msk_weight_groups *groups,
                        const void *config, const char *name) {
  msk_weight_group group;
  for (size_t g = 0; groups(config, g, &group); g++) {
    for (size_t r = 0; r < group.row_count; r++) {
      if (is_row(loader, &group, &group.rows[r], name)) return true;
    }
  }
  return false;
}

/* Run only when the file holds more tensors than the network: names the first that does not
 * belong. */
static msk_status fail_stranger(const msk_weight_loader *loader, msk_weight_groups *groups,
                                const void *config) {
  for (size_t i = 0; i < msk_weight_file_count(loader->file); i++) {
    const msk_tensor *tensor = msk_weight_file_at(loader->file, i);
    if (!has_prefix(tensor->name, loader->prefix) ||
        is_expected(loader, groups, config, tensor->name))
      continue;
    return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has no place in this network: %s",
                    msk_weight_file_path(loader->file), tensor->name, loader->hint);
  }
  return MSK_OK;
}

msk_status msk_weights_check(const msk_weight_loader *loader, msk_weight_groups *groups,
                             const void *config) {
  size_t expected_count = 0, found_count = 0;
  msk_weight_group group;
  for (size_t g = 0; groups(config, g, &group); g++) {
    for (size_t r = 0; r < group.row_count; r++, expected_count++) {
      char name[MSK_WEIGHT_NAME];
      msk_tensor expected;
      msk_weight_expected(loader->prefix, &group, &group.rows[r], name, &expected);
      msk_status status = check_tensor(loader, &expected, msk_weight_outputs(&group.rows[r]) > 0);
      if (status == MSK_OK && msk_weight_file_find(loader->file, name)->dtype == MSK_DTYPE_I8) {
        status = check_scales(loader, &group.rows[r], &expected);
        expected_count++;
      }
      if (status != MSK_OK) return status;
    }
  }
  for (size_t i = 0; i < msk_weight_file_count(loader->file); i++) {
    found_count += has_prefix(msk_weight_file_at(loader->file, i)->name, loader->prefix);
  }
  return found_count > expected_count ? fail_stranger(loader, groups, config) : MSK_OK;
}

int msk_weights_outputs(msk_weight_groups *groups, const void *config, const char *name) {
  msk_weight_group group;
  for (size_t g = 0; groups(config, g, &group); g++) {
    size_t start = strlen(group.prefix);
    if (strncmp(name, group.prefix, start) != 0) continue;
    for (size_t r = 0; r < group.row_count; r++) {
      if (strcmp(name + start, group.rows[r].name) == 0) return msk_weight_outputs(&group.rows[r]);
    }
  }
  return 0;
}

msk_status msk_weights_each(msk_weight_groups *groups, const void *config, msk_weight_visit *visit,
                            void *user) {
  msk_weight_group group;
  for (size_t g = 0; groups(config, g, &group); g++) {
    for (size_t r = 0; r < group.row_count; r++) {
      char name[MSK_WEIGHT_NAME];
      msk_tensor tensor;
      msk_weight_expected("", &group, &group.rows[r], name, &tensor);
      msk_status status = visit(user, &tensor);
      if (status != MSK_OK) return status;
    }
  }
  return MSK_OK;
}
