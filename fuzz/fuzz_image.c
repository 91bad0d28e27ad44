/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_image.c - libFuzzer: any bytes as a picture (PNG, JPEG, WebP), and as a PNG with a
 * request in its text. */
#include <stdlib.h>

#include "masksketch_tools.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  msk_image image;
  for (msk_alpha alpha = MSK_ALPHA_WHITE; alpha <= MSK_ALPHA_DROP; alpha++) {
    if (msk_image_decode(&image, bytes, count, alpha, "input", NULL, NULL) != MSK_OK) continue;
    if (image.width < 1 || image.height < 1 || image.pixels == NULL) abort();
    volatile uint8_t last = image.pixels[(size_t)image.width * (size_t)image.height * 3 - 1];
    (void)last;
    msk_image_free(&image);
  }
  char *value = NULL;
  if (msk_png_text(bytes, count, "masksketch", &value, NULL, NULL) == MSK_OK) msk_free(NULL, value);
  return 0;
}
