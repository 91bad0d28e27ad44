/* SPDX-License-Identifier: Apache-2.0
 * fuzz_npy.c - libFuzzer: any bytes as .npy. What is read is written and read again. */
#include <stdlib.h>
#include <string.h>

#include "masksketch_tools.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  msk_array array, again;
  void *written;
  size_t written_count;
  if (msk_npy_decode(&array, bytes, count, "input", NULL, NULL) != MSK_OK) return 0;
  if (msk_npy_encode(&array, &written, &written_count, NULL, NULL) != MSK_OK) abort();
  if (msk_npy_decode(&again, written, written_count, "written", NULL, NULL) != MSK_OK) abort();
  if (again.rank != array.rank || memcmp(again.shape, array.shape, sizeof again.shape) != 0)
    abort();
  msk_free(NULL, array.data);
  msk_free(NULL, again.data);
  msk_free(NULL, written);
  return 0;
}
