/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_convert.c - libFuzzer: any bytes as both checkpoints of `convert` (the first four say
 * where the second begins); what is written opens again. */
#include "fuzz.h"
#include "masksketch_tools.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  char tokenizer[64], transformer[64], out[64];
  msk_convert_options options;
  msk_error error;
  uint32_t split;
  if (count < 4) return 0;
  memcpy(&split, bytes, 4);
  bytes += 4, count -= 4;
  if (split > count) split = (uint32_t)count;
  int files[] = {fuzz_file(tokenizer, bytes, split),
                 fuzz_file(transformer, bytes + split, count - split)};
  snprintf(out, sizeof out, "/tmp/fuzz-convert-%d.safetensors", (int)getpid());
  msk_convert_options_init(&options);
  options.tokenizer_path = tokenizer;
  options.transformer_path = transformer;
  options.output_path = out;
  if (msk_convert(&options, &error) == MSK_OK) {
    msk_model *model = NULL;
    if (msk_model_open(&model, out, NULL, &error) != MSK_OK) {
      fprintf(stderr, "what was written does not open: %s\n", error.message);
      abort();
    }
    msk_model_close(model);
    unlink(out);
  }
  for (int i = 0; i < 2; i++) close(files[i]);
  return 0;
}
