/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading pictures: every golden PNG, JPEG and WebP against Pillow's pixels, damaged files,
 * limits, EXIF. */
#include "support.h"

#include <dirent.h>
#include <stdbool.h>

#include "measuring.h"

static msk_image load(const char *path, msk_alpha alpha) {
  msk_image image;
  msk_error error = {0};
  if (msk_image_load(&image, path, alpha, NULL, &error) != MSK_OK)
    fail_msg("%s: %s", path, error.message);
  return image;
}

static void assert_pixels(const msk_image *image, const char *npy, int tolerance) {
  golden_array expected = golden_load(npy);
  assert_int_equal(expected.shape[0], image->height);
  assert_int_equal(expected.shape[1], image->width);
  const uint8_t *bytes = expected.data;
  for (size_t i = 0; i < expected.elements; i++) {
    if (abs(bytes[i] - image->pixels[i]) > tolerance)
      fail_msg("%s: sample %zu is %d, expected %d", npy, i, image->pixels[i], bytes[i]);
  }
  golden_free(&expected);
}

static int each_file(const char *folder, const char *suffix,
                     void (*check)(const char *path, const char *name)) {
  DIR *directory = opendir(golden_path("image/%s", folder));
  assert_non_null(directory);
  int checked = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    size_t length = strlen(entry->d_name), suffix_length = strlen(suffix);
    if (length < suffix_length || strcmp(entry->d_name + length - suffix_length, suffix) != 0)
      continue;
    check(golden_path("image/%s/%s", folder, entry->d_name), entry->d_name);
    checked++;
  }
  closedir(directory);
  return checked;
}

static void check_png(const char *path, const char *name) {
  int stem = (int)strlen(name) - 4;
  msk_image white = load(path, MSK_ALPHA_WHITE), dropped = load(path, MSK_ALPHA_DROP);
  assert_pixels(&white, golden_path("image/png/%.*s.white.npy", stem, name), 0);
  assert_pixels(&dropped, golden_path("image/png/%.*s.pillow_rgb.npy", stem, name), 0);
  msk_image_free(&white);
  msk_image_free(&dropped);
}

static void every_kind_of_png(void **state) {
  (void)state;
  assert_int_equal(each_file("png", ".png", check_png), 27);
}

/* Alpha alone: it is what makes the colours over white out of the colours without it. */
static void check_alpha(const char *path, const char *name) {
  msk_image white = load(path, MSK_ALPHA_WHITE), dropped = load(path, MSK_ALPHA_DROP),
            only = load(path, MSK_ALPHA_ONLY);
  size_t pixels = (size_t)only.width * (size_t)only.height;
  /* 16-bit grey is clipped where alpha is dropped */
  bool sixteen = strstr(name, "16") != NULL, some = false;
  for (size_t i = 0; i < pixels; i++) {
    const uint8_t *a = only.pixels + 3 * i, *w = white.pixels + 3 * i, *d = dropped.pixels + 3 * i;
    assert_true(a[0] == a[1] && a[1] == a[2]);
    some = some || a[0] < 255;
    for (int c = 0; c < 3 && !sixteen; c++)
      assert_int_equal(w[c], (d[c] * a[0] + 255 * (255 - a[0]) + 127) / 255);
  }
  bool has_alpha = strstr(name, "rgba") != NULL || strstr(name, "graya") != NULL ||
                   strstr(name, "trns") != NULL || strstr(name, "alpha") != NULL ||
                   strstr(name, "key") != NULL;
  if (!has_alpha && some) fail_msg("%s: alpha below 255", name);
  if (has_alpha && pixels > 1 && !some) fail_msg("%s: no alpha below 255", name);
  msk_image_free(&white);
  msk_image_free(&dropped);
  msk_image_free(&only);
}

static void alpha_alone(void **state) {
  (void)state;
  assert_int_equal(each_file("png", ".png", check_alpha), 27);
  check_alpha(golden_path("image/jpeg_webp/lossless_alpha.webp"), "lossless_alpha.webp");
  check_alpha(golden_path("image/jpeg_webp/lossless.webp"), "lossless.webp");
  check_alpha(golden_path("image/jpeg_webp/base_444.jpg"), "base_444.jpg");
}

static bool exists(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file != NULL) fclose(file);
  return file != NULL;
}

/* libjpeg-turbo and libwebp are what Pillow uses, so nothing may differ; another version of them
 * may round otherwise. */
static void check_lossy(const char *path, const char *name) {
  assert_non_null(name);
  int tolerance = strstr(name, ".jpg") != NULL ? 2 : strstr(name, "lossless") != NULL ? 0 : 2;
  msk_image dropped = load(path, MSK_ALPHA_DROP), white = load(path, MSK_ALPHA_WHITE);
  assert_pixels(&dropped, golden_path("image/jpeg_webp/%s.pillow_rgb.npy", name), tolerance);
  const char *oriented = golden_path("image/jpeg_webp/%s.oriented.npy", name),
             *composited = golden_path("image/jpeg_webp/%s.white.npy", name);
  if (exists(oriented))
    assert_pixels(&white, oriented, tolerance);
  else if (exists(composited))
    assert_pixels(&white, composited, tolerance);
  else
    assert_pixels(&white, golden_path("image/jpeg_webp/%s.pillow_rgb.npy", name), tolerance);
  msk_image_free(&dropped);
  msk_image_free(&white);
}

static void every_kind_of_jpeg_and_webp(void **state) {
  (void)state;
  assert_int_equal(each_file("jpeg_webp", ".jpg", check_lossy), 13);
  assert_int_equal(each_file("jpeg_webp", ".webp", check_lossy), 5);
}

static void damaged_files_are_refused(void **state) {
  (void)state;
  FILE *list = fopen(golden_path("image/bad/expected.tsv"), "r");
  assert_non_null(list);
  char line[512], name[256], verdict[64];
  int refused = 0;
  while (fgets(line, sizeof line, list) != NULL) {
    if (line[0] == '#' || sscanf(line, "%255s %63s", name, verdict) != 2) continue;
    msk_image image = {.width = 77};
    msk_error error = {0};
    msk_status status =
        msk_image_load(&image, golden_path("image/bad/%s", name), MSK_ALPHA_WHITE, NULL, &error);
    if (strcmp(verdict, "refuse") != 0) {
      if (status == MSK_OK) msk_image_free(&image);
      continue;
    }
    if (status != MSK_ERROR_FILE) fail_msg("%s: status %d", name, (int)status);
    assert_non_null(strstr(error.message, name));
    assert_int_equal(error.code, MSK_ERROR_FILE);
    assert_int_equal(image.width, 77);
    refused++;
  }
  fclose(list);
  assert_int_equal(refused, 26);
}

/* ---- Limits ---- */

static void put_big_endian(uint8_t *to, uint32_t value) {
  for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A bitwise CRC-32, independent of the library's. */
static uint32_t checksum(const uint8_t *bytes, size_t count) {
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < count; i++) {
    crc ^= bytes[i];
    for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
  }
  return ~crc;
}

static void huge_sizes_take_no_memory(void **state) {
  (void)state;
  static const struct {
    uint32_t width, height;
  } sizes[] = {{100000, 100000},         {8000, 8001}, {64000001, 1}, {8000, 8000},
               {0x7fffffff, 0x7fffffff}, {1, 64000000}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t bytes;
    uint8_t *file = test_read_file(golden_path("image/png/rgb8.png"), &bytes);
    put_big_endian(file + 16, sizes[i].width);
    put_big_endian(file + 20, sizes[i].height);
    put_big_endian(file + 29, checksum(file + 12, 17));
    measuring m = {.allocator = {measure_take, measure_give_back, &m}};
    msk_image image;
    assert_int_equal(
        msk_image_decode(&image, file, bytes, MSK_ALPHA_WHITE, "huge", &m.allocator, NULL),
        MSK_ERROR_FILE);
    assert_true(m.peak < 2 * bytes);
    assert_int_equal(m.live, 0);
    free(file);
  }
}

static void a_jpeg_too_short_for_its_size_takes_no_memory(void **state) {
  (void)state;
  size_t bytes;
  uint8_t *file = test_read_file(golden_path("image/jpeg_webp/prog_444.jpg"), &bytes);
  size_t frame = 2;
  while (file[frame + 1] != 0xc2) frame += 2 + (size_t)(file[frame + 2] << 8 | file[frame + 3]);
  file[frame + 5] = file[frame + 7] = 7900 >> 8; /* within 64 megapixels */
  file[frame + 6] = file[frame + 8] = 7900 & 255;
  measuring m = {.allocator = {measure_take, measure_give_back, &m}};
  msk_image image;
  msk_error error;
  assert_int_equal(
      msk_image_decode(&image, file, bytes, MSK_ALPHA_WHITE, "huge", &m.allocator, &error),
      MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "too short"));
  assert_int_equal(m.peak, 0);
  free(file);
}

static void a_file_beyond_the_limit_is_refused(void **state) {
  (void)state;
  uint8_t byte = 0;
  msk_image image;
  msk_error error;
  assert_int_equal(
      msk_image_decode(&image, &byte, MSK_MAX_FILE_BYTES + 1, MSK_ALPHA_WHITE, "big", NULL, &error),
      MSK_ERROR_FILE);
  assert_int_equal(msk_image_decode(&image, "GIF89a", 6, MSK_ALPHA_WHITE, "a.gif", NULL, &error),
                   MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "GIF"));
  assert_int_equal(msk_image_decode(NULL, &byte, 1, MSK_ALPHA_WHITE, NULL, NULL, &error),
                   MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_load(&image, "no/such/picture.png", MSK_ALPHA_WHITE, NULL, &error),
                   MSK_ERROR_FILE);
}

/* ---- EXIF: all eight ways to hold a camera, in all three formats ---- */

/* The EXIF block, little- or big-endian. */
static size_t exif_block(uint8_t *to, int orientation, bool big) {
  static const uint8_t little_endian[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3,
                                          0,   1,   0,  0, 0, 0, 0, 0, 0, 0, 0,    0, 0};
  static const uint8_t big_endian[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0,
                                       3,   0,   0, 0,  1, 0, 0, 0, 0, 0, 0, 0,    0};
  memcpy(to, big ? big_endian : little_endian, sizeof big_endian);
  to[big ? 19 : 18] = (uint8_t)orientation;
  return sizeof big_endian;
}

static uint8_t *jpeg_with_exif(int orientation, size_t *bytes) {
  uint8_t *plain = test_read_file(golden_path("image/jpeg_webp/base_444.jpg"), bytes),
          *file = malloc(*bytes + 64), block[32];
  size_t length = exif_block(block, orientation, orientation % 2 == 0);
  const uint8_t head[12] = {0xff, 0xd8, 0xff, 0xe1, 0, (uint8_t)(length + 8),
                            'E',  'x',  'i',  'f',  0, 0};
  memcpy(file, head, 12);
  memcpy(file + 12, block, length);
  memcpy(file + 12 + length, plain + 2, *bytes - 2);
  *bytes += 10 + length;
  free(plain);
  return file;
}

static uint8_t *png_with_exif(int orientation, size_t *bytes) {
  uint8_t *plain = test_read_file(golden_path("image/png/rgb8.png"), bytes),
          *file = malloc(*bytes + 64);
  size_t length = exif_block(file + 33 + 8, orientation, orientation % 2 == 0);
  memcpy(file, plain, 33);
  put_big_endian(file + 33, (uint32_t)length);
  memcpy(file + 37, "eXIf", 4);
  put_big_endian(file + 41 + length, checksum(file + 37, length + 4));
  memcpy(file + 45 + length, plain + 33, *bytes - 33);
  *bytes += 12 + length;
  free(plain);
  return file;
}

/* A lossless file in the extended container: VP8X with the EXIF flag, the picture, EXIF. */
static uint8_t *webp_with_exif(int orientation, size_t *bytes) {
  uint8_t *plain = test_read_file(golden_path("image/jpeg_webp/lossless.webp"), bytes),
          *file = malloc(*bytes + 128);
  static const uint8_t extended[18] = {'V', 'P', '8', 'X', 10, 0, 0,  0, 8,
                                       0,   0,   0,   60,  0,  0, 46, 0, 0};
  assert_memory_equal(plain + 12, "VP8L", 4);
  memcpy(file, plain, 12);
  memcpy(file + 12, extended, 18);
  memcpy(file + 30, plain + 12, *bytes - 12);
  size_t end = *bytes + 18;
  memcpy(file + end, "EXIF", 4);
  size_t length = exif_block(file + end + 8, orientation, orientation % 2 == 0);
  const uint8_t size[4] = {(uint8_t)length, 0, 0, 0};
  memcpy(file + end + 4, size, 4);
  *bytes = end + 8 + length;
  for (int i = 0; i < 4; i++) file[4 + i] = (uint8_t)((*bytes - 8) >> 8 * i);
  free(plain);
  return file;
}

/* The upright pixel at (x, y), by the definition of the tag: where its row 0 and column 0 stand
 * in the scene. */
static const uint8_t *upright_pixel(const msk_image *stored, int orientation, int x, int y) {
  int w = stored->width, h = stored->height, sx = x, sy = y;
  switch (orientation) {
    case 2: sx = w - 1 - x; break; /* row 0 top, column 0 right */
    case 3:
      sx = w - 1 - x;
      sy = h - 1 - y;
      break;                       /* bottom, right */
    case 4: sy = h - 1 - y; break; /* bottom, left */
    case 5:
      sx = y;
      sy = x;
      break; /* left, top */
    case 6:
      sx = y;
      sy = h - 1 - x;
      break; /* right, top */
    case 7:
      sx = w - 1 - y;
      sy = h - 1 - x;
      break; /* right, bottom */
    case 8:
      sx = w - 1 - y;
      sy = x;
      break; /* left, bottom */
    default: break;
  }
  return stored->pixels + 3 * ((size_t)sy * (size_t)w + (size_t)sx);
}

static void every_orientation_in_every_format(void **state) {
  (void)state;
  uint8_t *(*const makers[])(int, size_t *) = {jpeg_with_exif, png_with_exif, webp_with_exif};
  for (size_t f = 0; f < 3; f++) {
    for (int orientation = 0; orientation <= 9; orientation++) {
      size_t bytes;
      uint8_t *file = makers[f](orientation, &bytes);
      msk_image stored, upright;
      msk_error error = {0};
      if (msk_image_decode(&stored, file, bytes, MSK_ALPHA_DROP, "exif", NULL, &error) != MSK_OK)
        fail_msg("%s", error.message);
      assert_int_equal(
          msk_image_decode(&upright, file, bytes, MSK_ALPHA_WHITE, "exif", NULL, &error), MSK_OK);
      bool swapped = orientation >= 5 && orientation <= 8;
      assert_int_equal(upright.width, swapped ? stored.height : stored.width);
      for (int y = 0; y < upright.height; y++) {
        for (int x = 0; x < upright.width; x++) {
          assert_memory_equal(upright.pixels + 3 * ((size_t)y * (size_t)upright.width + (size_t)x),
                              upright_pixel(&stored, orientation, x, y), 3);
        }
      }
      msk_image_free(&stored);
      msk_image_free(&upright);
      free(file);
    }
  }
}

static void formats_of_paths(void **state) {
  (void)state;
  assert_int_equal(msk_format_of_path("a/b.png"), MSK_FORMAT_PNG);
  assert_int_equal(msk_format_of_path("B.JpG"), MSK_FORMAT_JPEG);
  assert_int_equal(msk_format_of_path("x.tar.jpeg"), MSK_FORMAT_JPEG);
  assert_int_equal(msk_format_of_path("x.WEBP"), MSK_FORMAT_WEBP);
  assert_int_equal(msk_format_of_path(".png"), MSK_FORMAT_AUTO);
  assert_int_equal(msk_format_of_path("png"), MSK_FORMAT_AUTO);
  assert_int_equal(msk_format_of_path("x.png.txt"), MSK_FORMAT_AUTO);
  assert_int_equal(msk_format_of_path(NULL), MSK_FORMAT_AUTO);
}

static void creating_checks_sizes(void **state) {
  (void)state;
  msk_image image = {.width = 5};
  msk_error error;
  assert_int_equal(msk_image_create(&image, 0, 4, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_create(&image, 4, -1, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_create(&image, 8001, 8000, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_create(&image, 2147483647, 2147483647, NULL, &error),
                   MSK_ERROR_ARGUMENT);
  assert_int_equal(image.width, 5);
  assert_int_equal(msk_image_create(&image, 3, 2, NULL, &error), MSK_OK);
  for (int i = 0; i < 18; i++) assert_int_equal(image.pixels[i], 255);
  msk_image_free(&image);
  assert_null(image.pixels);
  msk_image_free(&image);
  msk_image_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_of_png),
      cmocka_unit_test(alpha_alone),
      cmocka_unit_test(every_kind_of_jpeg_and_webp),
      cmocka_unit_test(damaged_files_are_refused),
      cmocka_unit_test(huge_sizes_take_no_memory),
      cmocka_unit_test(a_jpeg_too_short_for_its_size_takes_no_memory),
      cmocka_unit_test(a_file_beyond_the_limit_is_refused),
      cmocka_unit_test(every_orientation_in_every_format),
      cmocka_unit_test(formats_of_paths),
      cmocka_unit_test(creating_checks_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
