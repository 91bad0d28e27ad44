/* SPDX-License-Identifier: Apache-2.0
 *
 * Pillow's resampling and blur: every golden output bit for bit, and properties that need no
 * golden data. */
#include "support.h"

#include <dirent.h>
#include <math.h>

#include "image/filters.h"
#include "image/resize.h"

static const char *const filter_names[] = {"bicubic", "lanczos", "box"};

static msk_image load(const char *path) {
  msk_image image;
  msk_error error = {0};
  if (msk_image_load(&image, path, MSK_ALPHA_WHITE, NULL, &error) != MSK_OK)
    fail_msg("%s: %s", path, error.message);
  return image;
}

/* The first channel of a grey picture. */
static uint8_t *load_grey(const char *path, int *width, int *height) {
  msk_image image = load(path);
  size_t pixels = (size_t)image.width * (size_t)image.height;
  uint8_t *grey = malloc(pixels);
  for (size_t i = 0; i < pixels; i++) grey[i] = image.pixels[3 * i];
  *width = image.width;
  *height = image.height;
  msk_image_free(&image);
  return grey;
}

static uint8_t *resized(msk_filter filter, int channels, const uint8_t *data, int width, int height,
                        int out_width, int out_height) {
  uint8_t *out = malloc((size_t)out_width * (size_t)out_height * (size_t)channels);
  size_t bytes = msk_resize_scratch(filter, channels, width, height, out_width, out_height);
  void *scratch = aligned_alloc(64, (bytes + 64) / 64 * 64);
  msk_pixels to = {out, out_width, out_height};
  msk_resize(filter, channels, &(msk_pixels){(uint8_t *)(uintptr_t)data, width, height}, &to,
             scratch);
  free(scratch);
  return out;
}

/* Calls `check` with the path of each input "NAME.png" and each output "NAME.X.out.png" of a
 * golden folder; returns how many. */
static int each_output(const char *folder,
                       void (*check)(const char *input, const char *output, const char *variant)) {
  DIR *directory = opendir(golden_path("image/%s", folder));
  assert_non_null(directory);
  int checked = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    char *dot = strchr(entry->d_name, '.');
    if (strstr(entry->d_name, ".out.png") == NULL || strstr(entry->d_name, ".p13.") != NULL ||
        dot == NULL || entry->d_name[0] == 'c')
      continue;
    char variant[64];
    size_t length = strlen(dot + 1) - strlen(".out.png");
    memcpy(variant, dot + 1, length);
    variant[length] = 0;
    check(golden_path("image/%s/%.*s.png", folder, (int)(dot - entry->d_name), entry->d_name),
          golden_path("image/%s/%s", folder, entry->d_name), variant);
    checked++;
  }
  closedir(directory);
  return checked;
}

static void check_rgb(const char *input, const char *output, const char *variant) {
  msk_image in = load(input), expected = load(output);
  for (int filter = 0; filter < 3; filter++) {
    if (strcmp(variant, filter_names[filter]) != 0) continue;
    uint8_t *out = resized((msk_filter)filter, 3, in.pixels, in.width, in.height, expected.width,
                           expected.height);
    assert_memory_equal(out, expected.pixels, (size_t)expected.width * (size_t)expected.height * 3);
    free(out);
  }
  msk_image_free(&in);
  msk_image_free(&expected);
}

static void check_grey(const char *input, const char *output, const char *variant) {
  int width, height, out_width, out_height, named_width, named_height;
  uint8_t *in = load_grey(input, &width, &height),
          *expected = load_grey(output, &out_width, &out_height);
  assert_int_equal(sscanf(variant, "default_%dx%d", &named_width, &named_height), 2);
  assert_int_equal(named_width, out_width);
  uint8_t *out = resized(MSK_FILTER_BICUBIC, 1, in, width, height, out_width, out_height);
  assert_memory_equal(out, expected, (size_t)out_width * (size_t)out_height);
  free(out);
  free(in);
  free(expected);
}

static void check_blur(const char *input, const char *output, const char *variant) {
  int width, height, out_width, out_height;
  float radius = strtof(variant + strlen("gauss_"), NULL);
  uint8_t *pixels = load_grey(input, &width, &height),
          *expected = load_grey(output, &out_width, &out_height);
  void *scratch = malloc(msk_blur_scratch(width, height));
  msk_gaussian_blur(pixels, width, height, radius, scratch);
  assert_memory_equal(pixels, expected, (size_t)width * (size_t)height);
  free(scratch);
  free(pixels);
  free(expected);
}

static void resize_rgb_is_pillows(void **state) {
  (void)state;
  assert_int_equal(each_output("resize", check_rgb), 45);
}

static void resize_grey_is_pillows(void **state) {
  (void)state;
  assert_int_equal(each_output("resize_l", check_grey), 16);
}

static void blur_is_pillows(void **state) {
  (void)state;
  assert_int_equal(each_output("blur", check_blur), 28);
}

static void the_edit_mask_is_pillows(void **state) {
  (void)state;
  int width, height;
  uint8_t *mask = load_grey(golden_path("image/resize_l/m0_grid_16x16.png"), &width, &height);
  uint8_t *out = resized(MSK_FILTER_BICUBIC, 1, mask, width, height, 256, 256);
  void *scratch = malloc(msk_blur_scratch(256, 256));
  msk_gaussian_blur(out, 256, 256, 15, scratch);
  uint8_t *expected =
      load_grey(golden_path("image/blur/chain_m0_resize256_gauss15.out.png"), &width, &height);
  assert_memory_equal(out, expected, 256 * 256);
  free(expected);
  free(scratch);
  free(out);
  free(mask);
}

/* A flat picture stays flat at every size and filter; a blur keeps it too. */
static void flat_stays_flat(void **state) {
  (void)state;
  static const int sides[] = {1, 2, 3, 7, 64, 257};
  uint8_t flat[257 * 3];
  memset(flat, 137, sizeof flat);
  for (int filter = 0; filter < 3; filter++) {
    for (size_t a = 0; a < 6; a++) {
      for (size_t b = 0; b < 6; b++) {
        uint8_t *out = resized((msk_filter)filter, 3, flat, sides[a], 1, sides[b], 3);
        for (int i = 0; i < sides[b] * 9; i++) assert_int_equal(out[i], 137);
        free(out);
      }
    }
  }
  uint8_t scratch[2 * 257];
  msk_gaussian_blur(flat, 257, 3, 40, scratch);
  for (size_t i = 0; i < sizeof flat; i++) assert_int_equal(flat[i], 137);
}

/* The scratch is as large as announced and not larger: the bytes around it stay. */
static void scratch_is_exact(void **state) {
  (void)state;
  uint64_t random = 5;
  for (int round = 0; round < 200; round++) {
    int width = 1 + (int)(test_random(&random) % 40), height = 1 + (int)(test_random(&random) % 40);
    int out_width = 1 + (int)(test_random(&random) % 40),
        out_height = 1 + (int)(test_random(&random) % 40), channels = round % 2 ? 1 : 3;
    uint8_t *in = malloc((size_t)(width * height * channels)),
            *out = malloc((size_t)(out_width * out_height * channels));
    memset(in, round, (size_t)(width * height * channels));
    size_t bytes =
        msk_resize_scratch(MSK_FILTER_BICUBIC, channels, width, height, out_width, out_height);
    uint8_t *scratch = aligned_alloc(64, (bytes + 127) / 64 * 64);
    memset(scratch, 0xEE, (bytes + 127) / 64 * 64);
    msk_resize(MSK_FILTER_BICUBIC, channels, &(msk_pixels){in, width, height},
               &(msk_pixels){out, out_width, out_height}, scratch);
    for (size_t i = bytes; i < (bytes + 127) / 64 * 64; i++) assert_int_equal(scratch[i], 0xEE);
    free(scratch);
    free(in);
    free(out);
  }
  assert_int_equal(msk_resize_scratch(MSK_FILTER_BICUBIC, 3, 9, 7, 9, 7), 0);
}

static void floats_become_bytes(void **state) {
  (void)state;
  float pixels[3 * 258];
  for (int i = 0; i < 256; i++) {
    for (int c = 0; c < 3; c++) pixels[3 * i + c] = ((float)i + 0.45f * (float)(c - 1)) / 255.0f;
  }
  const float special[6] = {-INFINITY, INFINITY, NAN, -0.25f, 1.5f, 0.5f / 255.0f + 1e-6f};
  memcpy(pixels + 3 * 256, special, sizeof special);
  msk_image image;
  assert_int_equal(msk_image_from_float(&image, pixels, 258, 1, NULL, NULL), MSK_OK);
  for (int i = 0; i < 3 * 256; i++) assert_int_equal(image.pixels[i], i / 3);
  static const uint8_t expected[6] = {0, 255, 0, 0, 255, 1};
  assert_memory_equal(image.pixels + 3 * 256, expected, 6);
  msk_image_free(&image);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resize_rgb_is_pillows), cmocka_unit_test(resize_grey_is_pillows),
      cmocka_unit_test(blur_is_pillows),       cmocka_unit_test(the_edit_mask_is_pillows),
      cmocka_unit_test(flat_stays_flat),       cmocka_unit_test(scratch_is_exact),
      cmocka_unit_test(floats_become_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
