/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading pictures: every golden PNG, JPEG and WebP against Pillow's pixels, damaged files,
 * limits, EXIF. */
#include "support.h"

#include <dirent.h>
#include <stdbool.h>
#include <zlib.h>

#include "masksketch_tools.h"
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

/* ---- All eight ways to hold a camera, in every place where a file may tell ---- */

enum { SHORT = 3, LONG = 4, XMP, XMP_ELEMENT, PROFILE };

static void put_number(uint8_t *to, uint32_t value, int width, bool big) {
  for (int i = 0; i < width; i++) to[i] = (uint8_t)(value >> 8 * (big ? width - 1 - i : i));
}

/* An EXIF block, little- or big-endian, whose orientation has the type. */
static size_t exif_block(uint8_t *to, int orientation, int type) {
  bool big = orientation % 2 == 0;
  memset(to, 0, 26);
  memcpy(to, big ? "MM\0*" : "II*\0", 4);
  put_number(to + 4, 8, 4, big);
  put_number(to + 8, 1, 2, big);
  put_number(to + 10, 0x0112, 2, big);
  put_number(to + 12, (uint32_t)type, 2, big);
  put_number(to + 14, 1, 4, big);
  put_number(to + 18, (uint32_t)orientation, type == LONG ? 4 : 2, big);
  return 26;
}

static size_t xmp_block(uint8_t *to, int orientation, int place) {
  const char *format = place == XMP ? "<x tiff:OrientationX='9' tiff:Orientation=\"%d\"/>"
                                    : "<x><tiff:Orientation>%d</tiff:Orientation></x>";
  return (size_t)sprintf((char *)to, format, orientation);
}

/* EXIF or XMP, as the place says. */
static size_t block(uint8_t *to, int orientation, int place) {
  return place == XMP || place == XMP_ELEMENT ? xmp_block(to, orientation, place)
                                              : exif_block(to, orientation, place);
}

static uint8_t *jpeg_held(int orientation, int place, size_t *bytes) {
  static const char exif[] = "Exif\0", xmp[] = "http://ns.adobe.com/xap/1.0/";
  uint8_t *plain = test_read_file(golden_path("image/jpeg_webp/base_444.jpg"), bytes),
          *file = malloc(*bytes + 128), data[64];
  bool is_xmp = place == XMP || place == XMP_ELEMENT;
  size_t length = block(data, orientation, place), signature = is_xmp ? sizeof xmp : sizeof exif;
  const uint8_t head[6] = {0xff, 0xd8, 0xff, 0xe1, 0, (uint8_t)(length + signature + 2)};
  memcpy(file, head, 6);
  memcpy(file + 6, is_xmp ? xmp : exif, signature);
  memcpy(file + 6 + signature, data, length);
  memcpy(file + 6 + signature + length, plain + 2, *bytes - 2);
  *bytes += 4 + signature + length;
  free(plain);
  return file;
}

/* What stands in a chunk of the type: its length. */
static size_t chunk_body(uint8_t *to, int orientation, int place) {
  static const char xmp[] = "XML:com.adobe.xmp\0\0\0\0", profile[] = "Raw profile type exif";
  uint8_t data[64];
  if (place == SHORT || place == LONG) return exif_block(to, orientation, place);
  if (place != PROFILE) {
    memcpy(to, xmp, sizeof xmp);
    return sizeof xmp + xmp_block(to + sizeof xmp, orientation, place);
  }
  size_t length = exif_block(data, orientation, SHORT);
  memcpy(to, profile, sizeof profile);
  size_t used = sizeof profile + (size_t)sprintf((char *)to + sizeof profile, "\nexif\n  32\n");
  used += (size_t)sprintf((char *)to + used, "457869660000\n"); /* "Exif", two zeros */
  for (size_t i = 0; i < length; i++)
    used += (size_t)sprintf((char *)to + used, i % 10 == 9 ? "%02X\n" : "%02x", data[i]);
  return used;
}

static uint8_t *png_held(int orientation, int place, size_t *bytes) {
  uint8_t *plain = test_read_file(golden_path("image/png/rgb8.png"), bytes),
          *file = malloc(*bytes + 256);
  const char *type = place == PROFILE ? "tEXt" : place == SHORT || place == LONG ? "eXIf" : "iTXt";
  size_t length = chunk_body(file + 33 + 8, orientation, place);
  memcpy(file, plain, 33);
  put_big_endian(file + 33, (uint32_t)length);
  memcpy(file + 37, type, 4);
  put_big_endian(file + 41 + length, checksum(file + 37, length + 4));
  memcpy(file + 45 + length, plain + 33, *bytes - 33);
  *bytes += 12 + length;
  free(plain);
  return file;
}

/* A lossless file in the extended container: VP8X with the flag, the picture, EXIF or XMP. */
static uint8_t *webp_held(int orientation, int place, size_t *bytes) {
  bool is_xmp = place == XMP || place == XMP_ELEMENT;
  uint8_t *plain = test_read_file(golden_path("image/jpeg_webp/lossless.webp"), bytes),
          *file = malloc(*bytes + 128);
  static const uint8_t extended[18] = {'V', 'P', '8', 'X', 10, 0, 0,  0, 8,
                                       0,   0,   0,   60,  0,  0, 46, 0, 0};
  assert_memory_equal(plain + 12, "VP8L", 4);
  memcpy(file, plain, 12);
  memcpy(file + 12, extended, 18);
  if (is_xmp) file[20] = 4;
  memcpy(file + 30, plain + 12, *bytes - 12);
  size_t end = *bytes + 18;
  memcpy(file + end, is_xmp ? "XMP " : "EXIF", 4);
  size_t length = block(file + end + 8, orientation, place);
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

static void check_orientation(const uint8_t *file, size_t bytes, int orientation) {
  msk_image stored, upright;
  msk_error error = {0};
  if (msk_image_decode(&stored, file, bytes, MSK_ALPHA_DROP, "exif", NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  assert_int_equal(msk_image_decode(&upright, file, bytes, MSK_ALPHA_WHITE, "exif", NULL, &error),
                   MSK_OK);
  bool swapped = orientation >= 5 && orientation <= 8;
  assert_int_equal(upright.width, swapped ? stored.height : stored.width);
  assert_null(upright.warning);
  for (int y = 0; y < upright.height; y++) {
    for (int x = 0; x < upright.width; x++) {
      assert_memory_equal(upright.pixels + 3 * ((size_t)y * (size_t)upright.width + (size_t)x),
                          upright_pixel(&stored, orientation, x, y), 3);
    }
  }
  msk_image_free(&stored);
  msk_image_free(&upright);
}

static void every_orientation_in_every_format(void **state) {
  (void)state;
  uint8_t *(*const makers[])(int, int, size_t *) = {jpeg_held, png_held, webp_held};
  for (size_t f = 0; f < 3; f++) {
    for (int place = SHORT; place <= PROFILE; place++) {
      if (place == PROFILE && makers[f] != png_held) continue;
      for (int orientation = 0; orientation <= 9; orientation++) {
        size_t bytes;
        uint8_t *file = makers[f](orientation, place, &bytes);
        check_orientation(file, bytes, orientation);
        free(file);
      }
    }
  }
}

/* As Pillow has it: a byte is no orientation, and XMP is asked only where EXIF has none. */
static void exif_decides_before_xmp(void **state) {
  (void)state;
  size_t plain_bytes, bytes;
  uint8_t *file = jpeg_held(6, XMP, &plain_bytes), *both = malloc(plain_bytes + 64), data[64];
  static const int told[][3] = {{SHORT, 8, 8}, {SHORT, 1, 1}, {1, 8, 1}, {LONG, 3, 3}};
  for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
    size_t length = exif_block(data, told[i][1], told[i][0]);
    const uint8_t head[12] = {0xff, 0xd8, 0xff, 0xe1, 0, (uint8_t)(length + 8),
                              'E',  'x',  'i',  'f',  0, 0};
    memcpy(both, head, 12);
    memcpy(both + 12, data, length);
    memcpy(both + 12 + length, file + 2, plain_bytes - 2);
    bytes = plain_bytes + 10 + length;
    check_orientation(both, bytes, told[i][2]);
    both[12 + 10] = 0; /* another tag: EXIF says nothing */
    both[12 + 11] = 0;
    check_orientation(both, bytes, 6);
  }
  free(file);
  free(both);
}

/* ---- Damage beside the pixels ---- */

/* The chunk of that type: where its length stands. */
static size_t chunk_at(const uint8_t *file, const char *type) {
  size_t at = 8;
  while (memcmp(file + at + 4, type, 4) != 0) at += 12 + ((size_t)file[at + 2] << 8) + file[at + 3];
  return at;
}

static msk_status decode_changed(const char *name, const char *type, int offset, const char *word) {
  size_t bytes;
  uint8_t *file = test_read_file(golden_path("image/png/%s", name), &bytes);
  size_t at = chunk_at(file, type);
  if (offset < 0)
    bytes = at + (size_t)(-offset - 1); /* cut off there */
  else
    file[at + (size_t)offset] ^= 1;
  msk_image image = {0}, whole = load(golden_path("image/png/%s", name), MSK_ALPHA_WHITE);
  msk_error error = {0};
  msk_status status = msk_image_decode(&image, file, bytes, MSK_ALPHA_WHITE, name, NULL, &error);
  if (status == MSK_OK) {
    assert_non_null(image.warning);
    assert_non_null(strstr(image.warning, "damaged"));
    assert_memory_equal(image.pixels, whole.pixels, (size_t)whole.width * (size_t)whole.height * 3);
  } else {
    assert_non_null(strstr(error.message, word));
  }
  msk_image_free(&image);
  msk_image_free(&whole);
  free(file);
  return status;
}

static void pixels_that_are_whole_are_read(void **state) {
  (void)state;
  assert_int_equal(decode_changed("rgb8_chunks.png", "tEXt", 9, ""), MSK_OK);  /* a text */
  assert_int_equal(decode_changed("rgb8.png", "IEND", 8, ""), MSK_OK);         /* its checksum */
  assert_int_equal(decode_changed("rgb8.png", "IEND", -1, ""), MSK_OK);        /* no end */
  assert_int_equal(decode_changed("rgba8_adam7.png", "IEND", -5, ""), MSK_OK); /* half an end */
  assert_int_equal(decode_changed("rgb8.png", "IDAT", 12, "PNG"), MSK_ERROR_FILE);
  assert_int_equal(decode_changed("rgb8.png", "IDAT", -40, "early"), MSK_ERROR_FILE);
  /* what is transparent is part of the pixels, and so is the palette */
  assert_int_equal(decode_changed("pal8_trns.png", "tRNS", 9, "CRC"), MSK_ERROR_FILE);
  assert_int_equal(decode_changed("pal8.png", "PLTE", 9, "CRC"), MSK_ERROR_FILE);
}

static size_t put_chunk(uint8_t *at, const char *type, const uint8_t *data, size_t count) {
  put_big_endian(at, (uint32_t)count);
  memcpy(at + 4, type, 4);
  if (count > 0) memcpy(at + 8, data, count);
  put_big_endian(at + 8 + count, checksum(at + 4, count + 4));
  return count + 12;
}

/* A grey PNG of noise, `behind` more bytes of zeros after its pixels in the same stream; and what
 * becomes of it. */
static msk_status decode_with_more(int width, int height, size_t behind, msk_error *error) {
  uint8_t header[13] = {[8] = 8};
  size_t pixels = ((size_t)width + 1) * (size_t)height, count = 8;
  uint8_t *raw = calloc(pixels + behind, 1);
  uLongf packed_count = compressBound((uLong)(pixels + behind));
  uint8_t *packed = malloc(packed_count), *file = malloc(packed_count + 100);
  uint32_t noise = 1;
  for (size_t i = 0; i < pixels; i++) {
    noise = noise * 1664525 + 1013904223; /* Knuth's and Lewis's generator */
    if (i % ((size_t)width + 1) != 0) raw[i] = (uint8_t)(noise >> 24);
  }
  assert_int_equal(compress2(packed, &packed_count, raw, (uLong)(pixels + behind), 9), Z_OK);
  put_big_endian(header, (uint32_t)width);
  put_big_endian(header + 4, (uint32_t)height);
  memcpy(file, "\x89PNG\r\n\x1a\n", 8);
  count += put_chunk(file + count, "IHDR", header, sizeof header);
  count += put_chunk(file + count, "IDAT", packed, packed_count);
  count += put_chunk(file + count, "IEND", NULL, 0);
  msk_image image = {0};
  msk_status status = msk_image_decode(&image, file, count, MSK_ALPHA_WHITE, "more", NULL, error);
  if (status == MSK_OK) {
    assert_null(image.warning);
    for (int i = 0; i < width; i++) assert_int_equal(image.pixels[3 * i], raw[i + 1]);
  }
  msk_image_free(&image);
  free(file);
  free(packed);
  free(raw);
  return status;
}

/* A stream that goes on behind the last pixel: a little is nobody's harm, much is not inflated. */
static void what_follows_the_last_pixel_is_bounded(void **state) {
  (void)state;
  msk_error error;
  assert_int_equal(decode_with_more(64, 64, 0, &error), MSK_OK);
  assert_int_equal(decode_with_more(64, 64, 3 * 65, &error), MSK_OK);
  assert_int_equal(decode_with_more(64, 64, (size_t)20 << 20, &error), MSK_OK);
  assert_int_equal(decode_with_more(64, 64, (size_t)120 << 20, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "follows the last pixel"));
  assert_int_equal(decode_with_more(65535, 1, 0, &error), MSK_OK);
  assert_int_equal(decode_with_more(65536, 1, 0, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "65535 pixels a side"));
}

/* ---- What is no picture of ours ---- */

static void foreign_files_are_named(void **state) {
  (void)state;
#define FILE_OF(bytes, kind) \
  { bytes, sizeof(bytes) - 1, kind }
  static const struct {
    const char *bytes;
    size_t count;
    const char *kind;
  } files[] = {
      FILE_OF("GIF89a\1\0", "a GIF; save it as PNG"),
      FILE_OF("BM\x36\0\0\0", "a BMP; save it as PNG"),
      FILE_OF("II*\0\x08\0\0\0", "a TIFF"),
      FILE_OF("MM\0*\0\0\0\x08", "a TIFF"),
      FILE_OF("\0\0\0\x1c"
              "ftypavif\0\0\0\0",
              "an AVIF; save it as PNG"),
      FILE_OF("\0\0\0\x18"
              "ftypheic\0\0\0\0",
              "a HEIC; save it as PNG"),
      FILE_OF("\0\0\0\x18"
              "ftypmif1\0\0\0\0",
              "a HEIC; save it as PNG"),
      FILE_OF("\0\0\0\x20"
              "ftypisom\0\0\2\0",
              "a video; save one frame"),
      FILE_OF("\0\0\0\x14"
              "ftypqt  \0\0\2\0",
              "a video; save one frame"),
      FILE_OF("\x1a\x45\xdf\xa3\x9f", "a video; save one frame"),
      FILE_OF("RIFF\x10\0\0\0AVI LIST", "a video; save one frame"),
      FILE_OF("\xff\x0a\x10\x20", "a JPEG XL; save it as PNG"),
      FILE_OF("\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL; save it as PNG"),
      FILE_OF("\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000; save it as PNG"),
      FILE_OF("8BPS\0\1\0\0", "a Photoshop file; export it as PNG"),
      FILE_OF("gimp xcf v011", "a GIMP file; export it as PNG"),
      FILE_OF("PK\3\4..............\0\0\0\0\0\0\0\0\0\0\0\0mimetypeapplication/x-kritaPK",
              "a Krita file; export it as PNG"),
      FILE_OF("PK\3\4..............\0\0\0\0\0\0\0\0\0\0\0\0word/document.xml", "an archive"),
      FILE_OF("%PDF-1.7\n", "a PDF; save the page"),
      FILE_OF("\x1f\x8b\x08\0", "SVGZ"),
      FILE_OF("<svg xmlns='http://www.w3.org/2000/svg'>", "an SVG; export it as PNG"),
      FILE_OF(
          "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- Created with Inkscape -->\n\n<svg\n  id='a'>",
          "an SVG; export it as PNG"),
      FILE_OF(
          "\n<?xml version=\"1.0\"?><!DOCTYPE svg PUBLIC \"-//W3C\" \"x\" [ <!ENTITY ns \"u\"> ]>",
          "an SVG; export it as PNG"),
      FILE_OF("<?xml version=\"1.0\"?><svg:svg xmlns:svg='u'/>", "an SVG; export it as PNG"),
      FILE_OF("\xff\xfe<\0?\0x\0m\0l\0?\0>\0<\0s\0v\0g\0 \0", "an SVG; export it as PNG"),
      FILE_OF("<!DOCTYPE html><html><svg></svg>", "a web page; the picture itself did not come"),
      FILE_OF("{\"error\": \"not found\"}", "JSON; the picture itself did not come"),
      FILE_OF("P6\n2 2\n255\n............", "a PBM, PGM or PPM; save it as PNG"),
      FILE_OF("\0\5\x16\7\0\2\0\0", "a Mac's side file"),
      FILE_OF("\0\0\1\0\1\0", "an icon"),
      FILE_OF("qoif\0\0\0\2", "a QOI; save it as PNG"),
  };
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    char expected[200];
    const char *semicolon = strchr(files[i].kind, ';');
    int length = semicolon == NULL ? (int)strlen(files[i].kind) : (int)(semicolon - files[i].kind);
    snprintf(expected, sizeof expected, "%.*s", length, files[i].kind);
    msk_image image;
    msk_error error = {0};
    assert_int_equal(msk_image_decode(&image, files[i].bytes, files[i].count, MSK_ALPHA_WHITE, "f",
                                      NULL, &error),
                     MSK_ERROR_FILE);
    if (strstr(error.message, expected) == NULL ||
        (semicolon != NULL && strstr(error.message, semicolon) == NULL))
      fail_msg("\"%s\", expected %s", error.message, files[i].kind);
  }
  msk_error error = {0};
  msk_image image;
  assert_int_equal(msk_image_decode(&image, "hello", 5, MSK_ALPHA_WHITE, "f", NULL, &error),
                   MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "not a picture"));
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
      cmocka_unit_test(exif_decides_before_xmp),
      cmocka_unit_test(pixels_that_are_whole_are_read),
      cmocka_unit_test(what_follows_the_last_pixel_is_bounded),
      cmocka_unit_test(foreign_files_are_named),
      cmocka_unit_test(formats_of_paths),
      cmocka_unit_test(creating_checks_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
