/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_text.c - libFuzzer: any bytes as the text of a PNG; settings that are taken draw a
 * picture, if they want few steps. */
#include "app/metadata.h"
#include "fuzz.h"

enum { FEW_STEPS = 2 };

static msk_model *model;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  msk_error error;
  order o;
  if (model == NULL && msk_model_open(&model, fuzz_model_path(), NULL, &error) != MSK_OK) exit(1);
  char *text = malloc(count + 1);
  memcpy(text, bytes, count);
  text[count] = 0;
  if (metadata_read(&o, model, text, "the PNG", NULL, &error) == MSK_OK &&
      o.request.recipe.steps + o.request.recipe.tail <= FEW_STEPS && o.request.count == 1) {
    msk_request request = order_request(&o);
    fuzz_run(model, &request);
  }
  order_free(&o);
  free(text);
  return 0;
}
