/* SPDX-License-Identifier: Apache-2.0
 *
 * listing.c - msk_weights_* of the public header: a weight file of any kind, listed. A listing
 * is the opened file itself. */
#include <string.h>

#include "masksketch_tools.h"
#include "tensor/weight_file.h"

/* The public handle is only ever a msk_weight_file. */
static const msk_weight_file *file_of(const msk_weight_listing *listing) {
  return (const msk_weight_file *)listing;
}

msk_status msk_weights_open(msk_weight_listing **listing, const char *path,
                            const msk_allocator *allocator, msk_error *error) {
  msk_weight_file *file;
  msk_status status = msk_weight_file_open(&file, path, allocator, error);
  if (status == MSK_OK) *listing = (msk_weight_listing *)file;
  return status;
}

int msk_weights_count(const msk_weight_listing *listing) {
  return (int)msk_weight_file_count(file_of(listing));
}

void msk_weights_get(const msk_weight_listing *listing, int index, msk_tensor_info *info) {
  const msk_tensor *tensor = index < 0 ? NULL : msk_weight_file_at(file_of(listing), (size_t)index);
  *info = (msk_tensor_info){.name = NULL};
  if (tensor == NULL) return;
  *info = (msk_tensor_info){
      .name = tensor->name, .dtype = tensor->dtype, .rank = tensor->rank, .bytes = tensor->bytes};
  memcpy(info->shape, tensor->shape, sizeof info->shape);
}

const char *msk_weights_metadata(const msk_weight_listing *listing, int index, const char **value) {
  return index < 0 ? NULL : msk_weight_file_metadata_at(file_of(listing), (size_t)index, value);
}

const char *msk_weights_kind(const msk_weight_listing *listing) {
  return msk_weight_file_kind(file_of(listing));
}

void msk_weights_close(msk_weight_listing *listing) {
  msk_weight_file_close((msk_weight_file *)listing);
}
