/* SPDX-License-Identifier: Apache-2.0
 * fuzz_adapter.c - libFuzzer: any bytes as an adapter of a small model. */
#include "fuzz.h"
#include "masksketch_tools.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  char path[64];
  msk_model *model = NULL;
  msk_model_options options;
  msk_error error;
  int file = fuzz_file(path, bytes, count);
  const msk_adapter_choice adapter = {path, 1};
  msk_model_options_init(&options);
  options.adapters = &adapter;
  options.adapter_count = 1;
  if (msk_model_open(&model, fuzz_model_path(), &options, &error) == MSK_OK) msk_model_close(model);
  close(file);
  return 0;
}
