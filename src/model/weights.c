/* SPDX-License-Identifier: Apache-2.0
 *
 * weights.c - see weights.h: walking through tables, and binding; weights_read.c reads. Binding
 * comes first and for the whole network, so that memory is only taken for files that fit. */
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
  /* sides are multiplied before anything is compared: they must be bounded first */
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

/* ---- walking through a table ---- */

/* One row of a table, with the name and shape that its tensor should have. */
typedef msk_status row_visit(void *user, size_t group, const msk_weight_row *row,
                             const msk_tensor *expected);

static msk_status walk(msk_weight_groups *groups, const void *config, const char *prefix,
                       row_visit *visit, void *user) {
  msk_weight_group group;
  char name[MSK_WEIGHT_NAME];
  for (size_t g = 0; groups(config, g, &group); g++) {
    for (size_t r = 0; r < group.row_count; r++) {
      const msk_weight_row *row = &group.rows[r];
      msk_tensor expected = {
          .name = name, .dtype = MSK_DTYPE_F32, .rank = row->rank, .elements = 1};
      snprintf(name, sizeof name, "%s%s%s", prefix, group.prefix, row->name);
      for (int i = 0; i < row->rank; i++) {
        expected.shape[i] = group.sizes[row->sides[i]];
        expected.elements *= expected.shape[i];
      }
      expected.bytes = expected.elements * sizeof(float);
      msk_status status = visit(user, g, row, &expected);
      if (status != MSK_OK) return status;
    }
  }
  return MSK_OK;
}

struct listing {
  msk_weight_visit *visit;
  void *user;
};

static msk_status list_row(void *user, size_t group, const msk_weight_row *row,
                           const msk_tensor *expected) {
  const struct listing *listing = user;
  (void)group, (void)row;
  return listing->visit(listing->user, expected);
}

msk_status msk_weights_each(msk_weight_groups *groups, const void *config, msk_weight_visit *visit,
                            void *user) {
  return walk(groups, config, "", list_row, &(struct listing){visit, user});
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

bool msk_weight_is_scales(const char *name) {
  size_t length = strlen(name), end = strlen(MSK_WEIGHT_SCALES);
  return length > end && strcmp(name + length - end, MSK_WEIGHT_SCALES) == 0;
}

/* ---- binding ---- */

static msk_status fail_type(const msk_weight_loader *loader, const msk_tensor *found,
                            const char *expected) {
  return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has type %s, expected %s",
                  msk_weight_file_path(loader->file), found->name,
                  msk_dtype_name((int)found->dtype), expected);
}

/* The tensor of that name and shape; int8: it may be stored so too. */
static msk_status find_tensor(const msk_weight_loader *loader, const msk_tensor *expected,
                              bool int8, const msk_tensor **tensor) {
  const msk_tensor *found = msk_weight_file_find(loader->file, expected->name);
  if (found == NULL) return msk_weight_fail_missing(loader, expected->name);
  if (found->rank != expected->rank ||
      memcmp(found->shape, expected->shape, (size_t)expected->rank * sizeof *found->shape) != 0) {
    char shape[MSK_WEIGHT_NAME], wanted[MSK_WEIGHT_NAME];
    msk_shape_text(shape, sizeof shape, found->rank, found->shape);
    msk_shape_text(wanted, sizeof wanted, expected->rank, expected->shape);
    return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has shape %s, expected %s: %s",
                    msk_weight_file_path(loader->file), expected->name, shape, wanted,
                    loader->hint);
  }
  if (!msk_dtype_is_float(found->dtype) && !(int8 && found->dtype == MSK_DTYPE_I8))
    return fail_type(loader, found, int8 ? "F32, F16 or BF16, or I8" : "F32, F16 or BF16");
  *tensor = found;
  return MSK_OK;
}

/* The scales of an int8 tensor: one for each element of its last sides. */
static msk_status find_scales(const msk_weight_loader *loader, const msk_weight_row *row,
                              const msk_tensor *tensor, const msk_tensor **scales) {
  char name[MSK_WEIGHT_NAME];
  int outputs = msk_weight_outputs(row), inputs = row->rank - outputs;
  msk_tensor expected = {.name = name, .rank = outputs};
  snprintf(name, sizeof name, "%.*s%s", (int)(sizeof name - sizeof MSK_WEIGHT_SCALES), tensor->name,
           MSK_WEIGHT_SCALES);
  memcpy(expected.shape, tensor->shape + inputs, (size_t)outputs * sizeof *expected.shape);
  msk_status status = find_tensor(loader, &expected, false, scales);
  if (status != MSK_OK || (*scales)->dtype == MSK_DTYPE_F32) return status;
  return fail_type(loader, *scales, "F32");
}

static msk_status count_row(void *user, size_t group, const msk_weight_row *row,
                            const msk_tensor *expected) {
  (void)group, (void)row, (void)expected;
  ++*(size_t *)user;
  return MSK_OK;
}

static msk_status bind_row(void *user, size_t group, const msk_weight_row *row,
                           const msk_tensor *expected) {
  msk_weight_loader *loader = user;
  msk_weight_bound *bound = &loader->bound[loader->count++];
  *bound = (msk_weight_bound){.row = row, .group = group};
  msk_status status = find_tensor(loader, expected, msk_weight_outputs(row) > 0, &bound->tensor);
  if (status != MSK_OK || bound->tensor->dtype != MSK_DTYPE_I8) return status;
  return find_scales(loader, row, bound->tensor, &bound->scales);
}

static bool is_bound(const msk_weight_loader *loader, const msk_tensor *tensor) {
  for (size_t i = 0; i < loader->count; i++) {
    if (loader->bound[i].tensor == tensor || loader->bound[i].scales == tensor) return true;
  }
  return false;
}

/* Names the first tensor under the prefix that has no row. */
static msk_status refuse_strangers(const msk_weight_loader *loader) {
  size_t length = strlen(loader->prefix), expected = loader->count, found = 0;
  for (size_t i = 0; i < loader->count; i++) expected += loader->bound[i].scales != NULL;
  for (size_t i = 0; i < msk_weight_file_count(loader->file); i++)
    found += strncmp(msk_weight_file_at(loader->file, i)->name, loader->prefix, length) == 0;
  for (size_t i = 0; found > expected && i < msk_weight_file_count(loader->file); i++) {
    const msk_tensor *tensor = msk_weight_file_at(loader->file, i);
    if (strncmp(tensor->name, loader->prefix, length) != 0 || is_bound(loader, tensor)) continue;
    return msk_fail(loader->error, MSK_ERROR_FILE, "%s: tensor %s has no place in this network: %s",
                    msk_weight_file_path(loader->file), tensor->name, loader->hint);
  }
  return MSK_OK;
}

static const msk_allocator *allocator_of(const msk_weight_loader *loader) {
  return loader->device == NULL ? NULL : msk_device_allocator(loader->device);
}

msk_status msk_weights_bind(msk_weight_loader *loader, msk_weight_groups *groups,
                            const void *config) {
  size_t count = 0;
  walk(groups, config, "", count_row, &count);
  loader->bound = msk_allocate(allocator_of(loader), count, sizeof *loader->bound);
  if (loader->bound == NULL)
    return msk_fail(loader->error, MSK_ERROR_MEMORY, "not enough memory for the tensors of %s",
                    msk_weight_file_path(loader->file));
  msk_status status = walk(groups, config, loader->prefix, bind_row, loader);
  return status == MSK_OK ? refuse_strangers(loader) : status;
}
