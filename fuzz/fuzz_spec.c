/* SPDX-License-Identifier: Apache-2.0
 * fuzz_spec.c - libFuzzer: any bytes as the SPEC of an evaluation, and its grid. */
#include "eval/spec.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  char path[64];
  eval_spec spec;
  eval_grid grid;
  msk_error error;
  int file = fuzz_file(path, bytes, count);
  if (eval_spec_load(&spec, path, &error) == MSK_OK) {
    if (eval_grid_create(&grid, &spec, &error) == MSK_OK) {
      if (grid.points < 1) abort();
      eval_grid_free(&grid);
    }
  }
  eval_spec_free(&spec);
  close(file);
  return 0;
}
