/* SPDX-License-Identifier: Apache-2.0
 *
 * Pictures from a hostile sender and memory that runs out: every golden picture cut off
 * everywhere and with bits turned over, scans without end, and every single allocation refused.
 * Run under the sanitizers, this is a small fuzzer. */
#include "masksketch_tools.h"
#include "support.h"

#include <dirent.h>
#include <stdbool.h>
#include <jpeglib.h>

static void each_picture(void (*check)(const uint8_t *file, size_t bytes, const char *name)) {
  static const char *const folders[] = {"png", "jpeg_webp", "bad"};
  int checked = 0;
  for (int f = 0; f < 3; f++) {
    DIR *directory = opendir(golden_path("image/%s", folders[f]));
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
      if (!strstr(entry->d_name, ".png") && !strstr(entry->d_name, ".jpg") &&
          !strstr(entry->d_name, ".webp"))
        continue;
      if (strstr(entry->d_name, ".npy")) continue;
      size_t bytes;
      uint8_t *file = test_read_file(golden_path("image/%s/%s", folders[f], entry->d_name), &bytes);
      check(file, bytes, entry->d_name);
      free(file);
      checked++;
    }
    closedir(directory);
  }
  assert_true(checked > 60);
}

/* Decodes from a block of exactly this size, so that a sanitizer sees any read beyond it; texts
 * are looked for as well. */
static msk_status try(const uint8_t *file, size_t bytes, msk_alpha alpha, const char *name) {
  uint8_t *exact = malloc(bytes > 0 ? bytes : 1);
  memcpy(exact, file, bytes);
  counting_allocator counting;
  counting_allocator_init(&counting);
  msk_image image = {.width = -1};
  msk_error error = {0};
  msk_status status =
      msk_image_decode(&image, exact, bytes, alpha, name, &counting.allocator, &error);
  if (status == MSK_OK)
    msk_image_free(&image);
  else if (status != MSK_ERROR_FILE || image.width != -1 || strlen(error.message) < 8)
    fail_msg("%s: status %d, \"%s\"", name, (int)status, error.message);
  char *text = NULL;
  msk_status text_status =
      msk_png_text(exact, bytes, "Comment", &text, &counting.allocator, &error);
  if (text_status == MSK_OK)
    msk_free(&counting.allocator, text);
  else
    assert_int_equal(text_status, MSK_ERROR_FILE);
  assert_int_equal(counting.live, 0);
  free(exact);
  return status;
}

/* A PNG that lacks something is taken only with all of its pixels, and not without a word. */
static void assert_whole(const uint8_t *changed, size_t changed_bytes, const uint8_t *file,
                         size_t bytes, msk_alpha alpha, const char *name) {
  msk_image got, expected;
  assert_int_equal(msk_image_decode(&got, changed, changed_bytes, alpha, name, NULL, NULL), MSK_OK);
  assert_int_equal(msk_image_decode(&expected, file, bytes, alpha, name, NULL, NULL), MSK_OK);
  if (got.warning == NULL)
    fail_msg("%s: %zu bytes of it are taken in silence", name, changed_bytes);
  assert_null(expected.warning);
  assert_int_equal(got.width, expected.width);
  assert_int_equal(got.height, expected.height);
  if (memcmp(got.pixels, expected.pixels, (size_t)got.width * (size_t)got.height * 3) != 0)
    fail_msg("%s: pixels differ", name);
  msk_image_free(&got);
  msk_image_free(&expected);
}

static void check_truncations(const uint8_t *file, size_t bytes, const char *name) {
  if (bytes > 30000) return;
  size_t step = bytes / 400 + 1;
  for (size_t length = 0; length < bytes; length += step) {
    msk_status status = try(file, length, MSK_ALPHA_WHITE, name);
    if (status == MSK_OK && strstr(name, ".png") != NULL) {
      assert_whole(file, length, file, bytes, MSK_ALPHA_WHITE, name);
      continue;
    }
    /* A WebP may lack a last byte of padding and be whole all the same. */
    if (status == MSK_OK && (strstr(name, ".webp") == NULL || length + 16 < bytes) &&
        strstr(name, "animated") == NULL) {
      fail_msg("%s cut off at %zu of %zu is accepted", name, length, bytes);
    }
  }
}

static void cut_off_everywhere(void **state) {
  (void)state;
  each_picture(check_truncations);
}

static void check_flips(const uint8_t *file, size_t bytes, const char *name) {
  if (bytes == 0 || bytes > 30000) return;
  uint64_t random = bytes;
  uint8_t *flipped = malloc(bytes);
  for (int round = 0; round < 250; round++) {
    memcpy(flipped, file, bytes);
    size_t at = test_random(&random) % bytes;
    if (round % 2) at %= 128; /* headers get half of them */
    if (at >= bytes) continue;
    flipped[at] ^= (uint8_t)(1u << test_random(&random) % 8);
    msk_alpha alpha = round & 4 ? MSK_ALPHA_DROP : MSK_ALPHA_WHITE;
    msk_status status = try(flipped, bytes, alpha, name);
    /* every bit of a PNG stands under a checksum */
    if (status == MSK_OK && strstr(name, ".png") != NULL && strstr(name, "no_iend") == NULL)
      assert_whole(flipped, bytes, file, bytes, alpha, name);
  }
  free(flipped);
}

static void bits_turned_over(void **state) {
  (void)state;
  each_picture(check_flips);
}

static void check_overwrites(const uint8_t *file, size_t bytes, const char *name) {
  static const uint8_t values[] = {0, 0xff, 0x7f, 0x80, 0xd9, 0xda};
  if (bytes < 16 || bytes > 30000) return;
  uint64_t random = bytes + 1;
  uint8_t *changed = malloc(bytes);
  for (int round = 0; round < 120; round++) {
    memcpy(changed, file, bytes);
    size_t length = 1 + test_random(&random) % 8, at = test_random(&random) % (bytes - length);
    memset(changed + at, values[round % 6], length);
    try(changed, bytes, MSK_ALPHA_WHITE, name);
  }
  free(changed);
}

static void bytes_overwritten(void **state) {
  (void)state;
  each_picture(check_overwrites);
}

/* ---- A progressive JPEG with scans without end ---- */

static uint8_t *progressive_jpeg(size_t *bytes) {
  static const jpeg_scan_info scans[] = {{3, {0, 1, 2}, 0, 0, 0, 0},
                                         {1, {0}, 1, 63, 0, 0},
                                         {1, {1}, 1, 63, 0, 0},
                                         {1, {2}, 1, 63, 0, 0}};
  struct jpeg_compress_struct info;
  struct jpeg_error_mgr errors;
  unsigned char *file = NULL;
  unsigned long length = 0;
  uint8_t row[64 * 3];
  JSAMPROW rows[1] = {row};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &file, &length);
  info.image_width = info.image_height = 64;
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  info.scan_info = scans;
  info.num_scans = 4;
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < 64; y++) {
    for (int i = 0; i < 192; i++) row[i] = (uint8_t)(y * i);
    jpeg_write_scanlines(&info, rows, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  *bytes = length;
  return file;
}

static void scans_without_end_are_refused(void **state) {
  (void)state;
  size_t bytes, last = 0;
  uint8_t *file = progressive_jpeg(&bytes);
  assert_int_equal(try(file, bytes, MSK_ALPHA_WHITE, "four scans"), MSK_OK);
  for (size_t at = 2; at + 1 < bytes; at++) {
    if (file[at] == 0xff && file[at + 1] == 0xda) last = at;
  }
  for (int repeats = 20; repeats <= 2000; repeats *= 100) {
    size_t scan = bytes - 2 - last, total = last + scan * (size_t)repeats + 2;
    uint8_t *bomb = malloc(total);
    memcpy(bomb, file, last);
    for (int i = 0; i < repeats; i++) memcpy(bomb + last + scan * (size_t)i, file + last, scan);
    memcpy(bomb + total - 2, "\xff\xd9", 2);
    msk_image image;
    msk_error error = {0};
    msk_status status =
        msk_image_decode(&image, bomb, total, MSK_ALPHA_WHITE, "bomb", NULL, &error);
    if (repeats == 20) {
      assert_int_equal(status, MSK_OK);
      msk_image_free(&image);
    } else {
      assert_int_equal(status, MSK_ERROR_FILE);
      assert_non_null(strstr(error.message, "scans"));
    }
    free(bomb);
  }
  free(file);
}

/* ---- EXIF that lies ---- */

static void lying_exif_is_ignored(void **state) {
  (void)state;
  size_t bytes;
  uint8_t *plain = test_read_file(golden_path("image/jpeg_webp/base_444.jpg"), &bytes);
  uint64_t random = 9;
  for (int round = 0; round < 3000; round++) {
    uint8_t exif[40] = {'E', 'x', 'i', 'f',  0, 0, 'I', 'I', 42, 0, 8, 0, 0,
                        0,   1,   0,   0x12, 1, 3, 0,   1,   0,  0, 0, 6};
    size_t length = 6 + test_random(&random) % 34;
    for (int k = 0; k < 3; k++)
      exif[10 + test_random(&random) % 22] =
          (uint8_t)(test_random(&random) % 2 ? 0xff : test_random(&random));
    uint8_t *file = malloc(bytes + length + 4);
    const uint8_t head[6] = {0xff, 0xd8, 0xff, 0xe1, 0, (uint8_t)(length + 2)};
    memcpy(file, head, 6);
    memcpy(file + 6, exif, length);
    memcpy(file + 6 + length, plain + 2, bytes - 2);
    assert_int_equal(try(file, bytes + length + 4, MSK_ALPHA_WHITE, "exif"), MSK_OK);
    free(file);
  }
  free(plain);
}

/* ---- Memory that runs out ---- */

typedef msk_status job(const msk_allocator *allocator, const void *user);

/* Runs the job with the k-th allocation failing, for every k until it succeeds. */
static void fail_every_allocation(job *run, const void *user, const char *name) {
  for (long k = 1;; k++) {
    counting_allocator counting;
    counting_allocator_init(&counting);
    counting.fail_at = k;
    msk_status status = run(&counting.allocator, user);
    if (counting.live != 0)
      fail_msg("%s: %ld blocks leak when allocation %ld fails", name, counting.live, k);
    if (counting.calls < k) {
      assert_int_equal(status, MSK_OK);
      assert_true(k > 1);
      return;
    }
    if (status != MSK_ERROR_MEMORY)
      fail_msg("%s: status %d when allocation %ld fails", name, (int)status, k);
  }
}

static msk_status decode_job(const msk_allocator *allocator, const void *user) {
  size_t bytes;
  uint8_t *file = test_read_file(user, &bytes);
  msk_image image;
  msk_status status = msk_image_decode(&image, file, bytes, MSK_ALPHA_WHITE, user, allocator, NULL);
  free(file);
  if (status == MSK_OK) msk_image_free(&image);
  return status;
}

static msk_status load_job(const msk_allocator *allocator, const void *user) {
  msk_image image;
  msk_status status = msk_image_load(&image, user, MSK_ALPHA_DROP, allocator, NULL);
  if (status == MSK_OK) msk_image_free(&image);
  return status;
}

static void reading_without_memory(void **state) {
  (void)state;
  static const char *const names[] = {"png/rgb8.png",
                                      "png/rgba16.png",
                                      "png/rgba8_adam7.png",
                                      "png/gray16_adam7.png",
                                      "png/pal4_trns.png",
                                      "png/rgb8_chunks.png",
                                      "jpeg_webp/base_420.jpg",
                                      "jpeg_webp/cmyk_k.jpg",
                                      "jpeg_webp/exif_orient6.jpg",
                                      "jpeg_webp/lossless.webp",
                                      "jpeg_webp/lossy_alpha.webp",
                                      "jpeg_webp/animated.webp"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    fail_every_allocation(decode_job, golden_path("image/%s", names[i]), names[i]);
    fail_every_allocation(load_job, golden_path("image/%s", names[i]), names[i]);
  }
}

static msk_image noisy(int width, int height) {
  msk_image image;
  uint64_t random = 1;
  assert_int_equal(msk_image_create(&image, width, height, NULL, NULL), MSK_OK);
  for (size_t i = 0; i < (size_t)(width * height) * 3; i++)
    image.pixels[i] = (uint8_t)(test_random(&random) % 100);
  return image;
}

static msk_status prepare_job(const msk_allocator *allocator, const void *user) {
  int choice = *(const int *)user;
  msk_image in = noisy(60, 41), out;
  msk_prepare_options o;
  msk_prepare_init(&o);
  o.fit = (msk_fit)(choice % 3);
  o.invert = (msk_invert)(choice / 3 % 3);
  o.photo_of_paper = choice / 9;
  msk_status status = msk_image_prepare(&out, &in, 32, 24, &o, allocator, NULL);
  msk_image_free(&in);
  if (status == MSK_OK) msk_image_free(&out);
  return status;
}

static void preparing_without_memory(void **state) {
  (void)state;
  for (int choice = 0; choice < 18; choice++)
    fail_every_allocation(prepare_job, &choice, "prepare");
}

static msk_status encode_job(const msk_allocator *allocator, const void *user) {
  static const struct {
    msk_format format;
    int quality;
  } kinds[] = {
      {MSK_FORMAT_PNG, 0}, {MSK_FORMAT_JPEG, 0}, {MSK_FORMAT_WEBP, 0}, {MSK_FORMAT_WEBP, 80}};
  int kind = *(const int *)user;
  static char long_value[3000];
  memset(long_value, 'x', sizeof long_value - 1);
  const msk_text texts[] = {{"a", "short"}, {"b", long_value}, {"c", "\xe2\x98\x83"}};
  msk_image image = noisy(90, 80);
  void *file;
  size_t bytes;
  msk_status status = msk_image_encode(&image, kinds[kind].format, kinds[kind].quality, texts,
                                       kind == 0 ? 3 : 0, &file, &bytes, allocator, NULL);
  if (status == MSK_OK && kind == 0) {
    char *value = NULL;
    static const char *const keys[] = {"a", "b", "c"};
    for (int i = 0; i < 3 && status == MSK_OK; i++) {
      status = msk_png_text(file, bytes, keys[i], &value, allocator, NULL);
      if (status == MSK_OK) assert_string_equal(value, texts[i].value);
      if (status == MSK_OK) msk_free(allocator, value);
    }
    msk_free(allocator, file);
  } else if (status == MSK_OK) {
    msk_free(allocator, file);
  }
  msk_image_free(&image);
  return status;
}

static void writing_without_memory(void **state) {
  (void)state;
  for (int kind = 0; kind < 4; kind++) fail_every_allocation(encode_job, &kind, "encode");
}

static msk_status float_job(const msk_allocator *allocator, const void *user) {
  msk_image image;
  msk_status status = msk_image_from_float(&image, user, 1, 1, allocator, NULL);
  if (status == MSK_OK) msk_image_free(&image);
  return status;
}

static void floats_without_memory(void **state) {
  (void)state;
  static const float grey[3] = {0.5f, 0.5f, 0.5f};
  fail_every_allocation(float_job, grey, "from_float");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cut_off_everywhere),       cmocka_unit_test(bits_turned_over),
      cmocka_unit_test(bytes_overwritten),        cmocka_unit_test(scans_without_end_are_refused),
      cmocka_unit_test(lying_exif_is_ignored),    cmocka_unit_test(reading_without_memory),
      cmocka_unit_test(preparing_without_memory), cmocka_unit_test(writing_without_memory),
      cmocka_unit_test(floats_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
