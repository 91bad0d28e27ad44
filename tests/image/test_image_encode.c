/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing pictures: round trips through every encoder, the same bytes again, texts in PNGs and
 * what must not be taken for one. */
#include "support.h"

#include <math.h>
#include <stdbool.h>
#include <zlib.h>

#include "masksketch_tools.h"
#include "measuring.h"

/* Smooth colours with lines across, so that lossy formats have something to lose. */
static msk_image picture(int width, int height, uint64_t seed) {
  msk_image image;
  assert_int_equal(msk_image_create(&image, width, height, NULL, NULL), MSK_OK);
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      uint8_t *pixel = image.pixels + 3 * ((size_t)y * (size_t)width + (size_t)x);
      bool line = (x + 2 * y) % 37 < 2;
      pixel[0] = (uint8_t)(line ? 20 : 255 * x / width);
      pixel[1] = (uint8_t)(line ? 20 : 255 * y / height);
      pixel[2] = (uint8_t)(line ? 20 : 128 + test_random(&seed) % 8);
    }
  }
  return image;
}

static void *encode(const msk_image *image, msk_format format, int quality, const msk_text *texts,
                    size_t count, size_t *bytes) {
  void *file;
  msk_error error = {0};
  if (msk_image_encode(image, format, quality, texts, count, &file, bytes, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  return file;
}

/* Mean squared error of an encoded picture; -1 where it cannot be read. */
static double loss(const msk_image *image, const void *file, size_t bytes) {
  msk_image back;
  if (msk_image_decode(&back, file, bytes, MSK_ALPHA_WHITE, "back", NULL, NULL) != MSK_OK)
    return -1;
  assert_int_equal(back.width, image->width);
  assert_int_equal(back.height, image->height);
  size_t samples = (size_t)image->width * (size_t)image->height * 3;
  double sum = 0;
  for (size_t i = 0; i < samples; i++)
    sum += (image->pixels[i] - back.pixels[i]) * (image->pixels[i] - back.pixels[i]);
  msk_image_free(&back);
  return sum / (double)samples;
}

static void every_format_gives_the_picture_back(void **state) {
  (void)state;
  static const struct {
    msk_format format;
    int quality;
    double low, high;
  } cases[] = {{MSK_FORMAT_PNG, 0, 0, 0},       {MSK_FORMAT_WEBP, 0, 0, 0},
               {MSK_FORMAT_JPEG, 0, 1e-3, 25},  {MSK_FORMAT_JPEG, 100, 1e-3, 2},
               {MSK_FORMAT_JPEG, 20, 25, 1000}, {MSK_FORMAT_WEBP, 100, 1e-3, 60},
               {MSK_FORMAT_WEBP, 20, 25, 1500}};
  static const struct { int width, height; } sizes[] = {{1, 1}, {3, 200}, {257, 129}, {256, 256}};
  for (size_t s = 0; s < 4; s++) {
    msk_image image = picture(sizes[s].width, sizes[s].height, s);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
      size_t bytes, again_bytes;
      void *file = encode(&image, cases[c].format, cases[c].quality, NULL, 0, &bytes);
      void *again = encode(&image, cases[c].format, cases[c].quality, NULL, 0, &again_bytes);
      assert_int_equal(bytes, again_bytes);
      assert_memory_equal(file, again, bytes);
      double error = loss(&image, file, bytes);
      if (error < 0 || (cases[c].high == 0 && error != 0))
        fail_msg("format %d loses %g", (int)cases[c].format, error);
      if (s >= 2 && (error < cases[c].low || error > cases[c].high))
        fail_msg("format %d at %d loses %g", (int)cases[c].format, cases[c].quality, error);
      msk_free(NULL, file);
      msk_free(NULL, again);
    }
    msk_image_free(&image);
  }
}

static void jpeg_keeps_all_colour(void **state) {
  (void)state;
  msk_image image = picture(64, 64, 1);
  size_t bytes, at = 2;
  uint8_t *file = encode(&image, MSK_FORMAT_JPEG, 0, NULL, 0, &bytes);
  while (file[at + 1] != 0xc0) at += 2 + (size_t)(file[at + 2] << 8 | file[at + 3]);
  assert_int_equal(file[at + 9], 3);
  /* 1 x 1 sampling of every component */
  for (int c = 0; c < 3; c++) assert_int_equal(file[at + 11 + 3 * (size_t)c], 0x11);
  msk_free(NULL, file);
  msk_image_free(&image);
}

static void wrong_requests_are_refused(void **state) {
  (void)state;
  msk_image image = picture(8, 8, 1), wide = {.width = 70000, .height = 1, .pixels = image.pixels},
            none = {0};
  void *file = &image;
  size_t bytes = 99;
  msk_error error;
  msk_text text = {"k", "v"};
  const struct {
    const msk_image *image;
    msk_format format;
    int quality;
    const msk_text *texts;
    size_t count;
  } cases[] = {{NULL, MSK_FORMAT_PNG, 0, NULL, 0},      {&none, MSK_FORMAT_PNG, 0, NULL, 0},
               {&image, MSK_FORMAT_AUTO, 0, NULL, 0},   {&image, (msk_format)9, 0, NULL, 0},
               {&image, MSK_FORMAT_JPEG, 101, NULL, 0}, {&image, MSK_FORMAT_JPEG, -1, NULL, 0},
               {&wide, MSK_FORMAT_JPEG, 0, NULL, 0},    {&wide, MSK_FORMAT_WEBP, 0, NULL, 0},
               {&image, MSK_FORMAT_PNG, 0, NULL, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(msk_image_encode(cases[i].image, cases[i].format, cases[i].quality,
                                      cases[i].texts, cases[i].count, &file, &bytes, NULL, &error),
                     MSK_ERROR_ARGUMENT);
    assert_true(strlen(error.message) > 10);
  }
  assert_int_equal(
      msk_image_encode(&image, MSK_FORMAT_PNG, 0, &text, 1, NULL, &bytes, NULL, &error),
      MSK_ERROR_ARGUMENT);
  static const char *const bad_keys[] = {
      "",     " k",
      "k ",   "a  b",
      "a\nb", "sn\xe2\x98\x83w",
      "\xff", "0123456789012345678901234567890123456789012345678901234567890123456789012345678X"};
  for (size_t i = 0; i < sizeof bad_keys / sizeof *bad_keys; i++) {
    text = (msk_text){bad_keys[i], "v"};
    assert_int_equal(
        msk_image_encode(&image, MSK_FORMAT_PNG, 0, &text, 1, &file, &bytes, NULL, &error),
        MSK_ERROR_ARGUMENT);
  }
  static const char *const bad_values[] = {
      "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xe2\x82", NULL};
  for (size_t i = 0; i < sizeof bad_values / sizeof *bad_values; i++) {
    text = (msk_text){"k", bad_values[i]};
    assert_int_equal(
        msk_image_encode(&image, MSK_FORMAT_PNG, 0, &text, 1, &file, &bytes, NULL, &error),
        MSK_ERROR_ARGUMENT);
  }
  assert_ptr_equal(file, &image);
  assert_int_equal(bytes, 99);
  msk_image_free(&image);
}

/* Whether the file has a chunk of this type that begins with the key. */
static bool has_chunk(const uint8_t *file, size_t bytes, const char *type, const char *key) {
  for (size_t at = 8; at + 12 <= bytes;
       at += 12 + ((size_t)file[at] << 24 | (size_t)file[at + 1] << 16 | (size_t)file[at + 2] << 8 |
                   file[at + 3])) {
    if (memcmp(file + at + 4, type, 4) == 0 && memcmp(file + at + 8, key, strlen(key) + 1) == 0)
      return true;
  }
  return false;
}

static char *long_text(const char *unit, size_t bytes) {
  char *text = malloc(bytes + 1);
  size_t length = strlen(unit);
  for (size_t i = 0; i + length <= bytes; i += length) memcpy(text + i, unit, length);
  text[bytes / length * length] = 0;
  return text;
}

static void texts_come_back(void **state) {
  (void)state;
  char *ascii = long_text("masksketch ", 5000),
       *unicode = long_text("na\xc3\xafve \xe2\x98\x83 \xf0\x9f\x96\x8c ", 9000),
       *mega = long_text("x", 1 << 20);
  const struct {
    msk_text text;
    const char *chunk;
  } cases[] = {{{"Software", "MaskSketch 0.1.0"}, "tEXt"},
               {{"empty", ""}, "tEXt"},
               {{"lines", "a\nb\n{\"c\": [1, 2]}"}, "tEXt"},
               {{"latin", "caf\xc3\xa9 \xc2\xbf\xc3\xbf"}, "tEXt"},
               {{"cl\xc3\xa9", "cl\xc3\xa9 value"}, NULL},
               {{"tab", "a\tb"}, "iTXt"},
               {{"snow", "\xe2\x98\x83 \xf0\x9f\x96\x8c \xe6\x97\xa5\xe6\x9c\xac"}, "iTXt"},
               {{"long", ascii}, "zTXt"},
               {{"long unicode", unicode}, "iTXt"},
               {{"megabyte", mega}, "zTXt"}};
  enum { COUNT = sizeof cases / sizeof *cases };
  msk_text texts[COUNT];
  for (size_t i = 0; i < COUNT; i++) texts[i] = cases[i].text;
  msk_image image = picture(16, 9, 3);
  size_t bytes;
  uint8_t *file = encode(&image, MSK_FORMAT_PNG, 0, texts, COUNT, &bytes);
  assert_true(bytes < 20000);
  for (size_t i = 0; i < COUNT; i++) {
    char *value = NULL;
    msk_error error = {0};
    if (msk_png_text(file, bytes, texts[i].key, &value, NULL, &error) != MSK_OK)
      fail_msg("%s: %s", texts[i].key, error.message);
    assert_non_null(value);
    assert_string_equal(value, texts[i].value);
    if (cases[i].chunk != NULL) assert_true(has_chunk(file, bytes, cases[i].chunk, texts[i].key));
    msk_free(NULL, value);
  }
  char *value = ascii;
  assert_int_equal(msk_png_text(file, bytes, "softwar", &value, NULL, NULL), MSK_OK);
  assert_null(value);
  assert_true(loss(&image, file, bytes) == 0);
  msk_free(NULL, file);
  msk_image_free(&image);
  free(ascii);
  free(unicode);
  free(mega);
}

static void texts_of_others_are_read(void **state) {
  (void)state;
  size_t bytes;
  uint8_t *file = test_read_file(golden_path("image/png/rgb8_chunks.png"), &bytes);
  size_t at = 8;
  while (memcmp(file + at + 4, "tEXt", 4) != 0)
    at += 12 + ((size_t)file[at + 2] << 8 | file[at + 3]);
  const char *key = (const char *)file + at + 8;
  size_t length = (size_t)file[at + 3] - strlen(key) - 1;
  char *value = NULL;
  assert_int_equal(msk_png_text(file, bytes, key, &value, NULL, NULL), MSK_OK);
  assert_int_equal(strlen(value), length);
  assert_memory_equal(value, key + strlen(key) + 1, length);
  msk_free(NULL, value);
  free(file);
}

/* ---- Hostile texts ---- */

static size_t put_chunk(uint8_t *to, const char *type, const uint8_t *data, size_t length) {
  for (int i = 0; i < 4; i++) to[i] = (uint8_t)(length >> (24 - 8 * i));
  memcpy(to + 4, type, 4);
  if (length > 0) memcpy(to + 8, data, length);
  uint32_t crc = (uint32_t)crc32(0, to + 4, (uInt)length + 4);
  for (int i = 0; i < 4; i++) to[8 + length + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
  return 12 + length;
}

/* A file of the signature, one chunk and the end; msk_png_text() on key "k". */
static msk_status text_of_chunk(const char *type, const void *data, size_t length, char **value,
                                const msk_allocator *allocator) {
  uint8_t *file = malloc(length + 64);
  memcpy(file, "\x89PNG\r\n\x1a\n", 8);
  size_t bytes = 8 + put_chunk(file + 8, type, data, length);
  bytes += put_chunk(file + bytes, "IEND", NULL, 0);
  msk_status status = msk_png_text(file, bytes, "k", value, allocator, NULL);
  free(file);
  return status;
}

static void a_zip_bomb_takes_no_memory(void **state) {
  (void)state;
  static const size_t sizes[] = {1 << 20, (1 << 20) + 1, 200 << 20};
  for (size_t i = 0; i < 3; i++) {
    uint8_t *packed = malloc(1 << 20), block[4096];
    memset(block, 'a', sizeof block);
    memcpy(packed, "k\0", 3);
    z_stream stream = {.next_out = packed + 3, .avail_out = (1 << 20) - 3};
    assert_int_equal(deflateInit(&stream, 9), Z_OK);
    for (size_t left = sizes[i]; left > 0;) {
      uInt now = left < sizeof block ? (uInt)left : sizeof block;
      stream.next_in = block;
      stream.avail_in = now;
      assert_int_equal(deflate(&stream, Z_NO_FLUSH), Z_OK);
      left -= now;
    }
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t length = 3 + stream.total_out;
    deflateEnd(&stream);
    measuring m = {.allocator = {measure_take, measure_give_back, &m}};
    char *value = NULL;
    msk_status status = text_of_chunk("zTXt", packed, length, &value, &m.allocator);
    if (i == 0) {
      assert_int_equal(status, MSK_OK);
      assert_int_equal(strlen(value), sizes[i]);
      msk_free(&m.allocator, value);
    } else {
      assert_int_equal(status, MSK_ERROR_FILE);
      assert_true(m.peak < 100000); /* zlib's window and tables */
    }
    assert_int_equal(m.live, 0);
    free(packed);
  }
}

static void broken_texts_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *type, *data;
    size_t length;
    msk_status status;
  } cases[] = {{"tEXt", "k\0ok", 4, MSK_OK},
               {"tEXt", "k\0", 2, MSK_OK},
               {"tEXt", "k\0a\0b", 5, MSK_ERROR_FILE},
               {"zTXt", "k\0", 2, MSK_ERROR_FILE},
               {"zTXt", "k\0\1x", 4, MSK_ERROR_FILE},
               {"zTXt", "k\0\0garbage", 10, MSK_ERROR_FILE},
               {"zTXt", "k\0\0", 3, MSK_ERROR_FILE},
               {"iTXt", "k\0\0\0\0\0ok", 8, MSK_OK},
               {"iTXt", "k\0", 2, MSK_ERROR_FILE},
               {"iTXt", "k\0\0\0", 4, MSK_ERROR_FILE},
               {"iTXt", "k\0\0\0en", 6, MSK_ERROR_FILE},
               {"iTXt", "k\0\0\0\0x", 6, MSK_ERROR_FILE},
               {"iTXt", "k\0\2\0\0\0x", 7, MSK_ERROR_FILE},
               {"iTXt", "k\0\1\1\0\0x", 7, MSK_ERROR_FILE},
               {"iTXt", "k\0\0\0\0\0\xff", 7, MSK_ERROR_FILE},
               {"iTXt", "k\0\1\0\0\0x", 7, MSK_ERROR_FILE},
               {"tEXt", "k", 1, MSK_OK},
               {"tEXt", "", 0, MSK_OK}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *value = NULL;
    msk_status status = text_of_chunk(cases[i].type, cases[i].data, cases[i].length, &value, NULL);
    if (status != cases[i].status) fail_msg("case %zu: status %d", i, (int)status);
    msk_free(NULL, value);
  }
  char *value = NULL;
  assert_int_equal(msk_png_text("\x89PNG\r\n\x1a\n", 8, "k", &value, NULL, NULL), MSK_ERROR_FILE);
  assert_int_equal(msk_png_text("\xff\xd8\xff", 3, "k", &value, NULL, NULL), MSK_ERROR_FILE);
  assert_int_equal(msk_png_text(NULL, 0, "k", &value, NULL, NULL), MSK_ERROR_ARGUMENT);
  assert_null(value);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_format_gives_the_picture_back),
      cmocka_unit_test(jpeg_keeps_all_colour),
      cmocka_unit_test(wrong_requests_are_refused),
      cmocka_unit_test(texts_come_back),
      cmocka_unit_test(texts_of_others_are_read),
      cmocka_unit_test(a_zip_bomb_takes_no_memory),
      cmocka_unit_test(broken_texts_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
