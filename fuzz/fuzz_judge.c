/* SPDX-License-Identifier: Apache-2.0
 * fuzz_judge.c - libFuzzer: any bytes as the judge's file; one that opens looks at a picture. */
#include "fuzz.h"
#include "masksketch_tools.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  char path[64];
  msk_judge *judge = NULL;
  msk_error error;
  msk_judge_options options;
  msk_judge_options_init(&options);
  options.threads = 1;
  int file = fuzz_file(path, bytes, count);
  if (msk_judge_open(&judge, path, &options, &error) == MSK_OK) {
    msk_judge_info info;
    msk_image image;
    msk_judge_get_info(judge, &info);
    for (int i = 0; i < info.class_count; i++) (void)msk_judge_class_name(judge, i);
    if (info.image_size <= 256 &&
        msk_image_create(&image, info.image_size, info.image_size, NULL, &error) == MSK_OK) {
      float whole, *classes = calloc((size_t)info.class_count, sizeof *classes);
      memset(image.pixels, 100, (size_t)info.image_size * (size_t)info.image_size * 3);
      (void)msk_judge_look(judge, &image, 1, classes, NULL, &whole, NULL, &error);
      free(classes);
      msk_image_free(&image);
    }
    msk_judge_close(judge);
  }
  close(file);
  return 0;
}
