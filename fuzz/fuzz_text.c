/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_text.c - libFuzzer: any bytes as the text of a PNG; settings that are taken draw a
 * picture, if they want few steps. */
#include "cli/metadata.h"
#include "fuzz.h"

enum { FEW_STEPS = 2 };

static msk_model *model;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  msk_error error;
  if (model == NULL && msk_model_open(&model, fuzz_model_path(), NULL, &error) != MSK_OK) exit(1);
  char *text = malloc(count + 1);
  memcpy(text, bytes, count);
  text[count] = 0;
  drawing d = {.model = model, .kept = -1};
  msk_model_get_info(model, &d.info);
  metadata_isa(text);
  metadata_precision(text, "precision");
  if (metadata_read(&d, text, "the PNG", NULL, &error) == MSK_OK &&
      d.request.recipe.steps + d.request.recipe.tail <= FEW_STEPS && d.request.count == 1)
    fuzz_run(model, &d.request);
  msk_image_free(&d.picture);
  msk_image_free(&d.mask);
  msk_image_free(&d.lambda_map);
  free(d.sketch_tokens);
  free(text);
  return 0;
}
