/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_convert.c - libFuzzer: any bytes as both checkpoints of `convert` (the first four say
 * where the second begins); what is written opens again. */
#include "fuzz.h"
#include "masksketch_tools.h"

static char out[4096];

static void remove_output(void) { unlink(out); }

/* A name of its own: several of these may run at once. */
static void choose_output(void) {
  static const char suffix[] = ".safetensors";
  if (out[0] != 0) return;
  fuzz_template(out, suffix);
  int file = mkstemps(out, (int)strlen(suffix));
  if (file < 0 || atexit(remove_output) != 0) abort();
  close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  char tokenizer[64], transformer[64];
  msk_convert_options options;
  msk_error error;
  uint32_t split;
  if (count < 4) return 0;
  memcpy(&split, bytes, 4);
  bytes += 4, count -= 4;
  if (split > count) split = (uint32_t)count;
  int files[] = {fuzz_file(tokenizer, bytes, split),
                 fuzz_file(transformer, bytes + split, count - split)};
  choose_output();
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
  }
  for (int i = 0; i < 2; i++) close(files[i]);
  return 0;
}
