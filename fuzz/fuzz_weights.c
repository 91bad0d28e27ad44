/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_weights.c - libFuzzer: any bytes as a weight file (safetensors or Flax). What opens must
 * hold together. */
#include <stdlib.h>
#include <string.h>

#include "tensor/weight_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  msk_weight_file *file = NULL;
  msk_error error;
  if (msk_weight_file_parse(&file, bytes, count, "input", NULL, &error) != MSK_OK) return 0;
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < msk_weight_file_count(file); i++) {
    const msk_tensor *tensor = msk_weight_file_at(file, i);
    if (tensor->bytes != tensor->elements * msk_dtype_bytes(tensor->dtype)) abort();
    if (msk_weight_file_find(file, tensor->name) != tensor) abort();
    for (size_t b = 0; b < tensor->bytes; b++) sum = (uint8_t)(sum + tensor->data[b]);
    (void)msk_tensor_check_finite(tensor, "input", &error);
  }
  const char *key, *value;
  for (size_t i = 0; (key = msk_weight_file_metadata_at(file, i, &value)) != NULL; i++) {
    if (msk_weight_file_metadata(file, key) != value) abort();
  }
  msk_weight_file_close(file);
  return 0;
}
