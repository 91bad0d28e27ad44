/* SPDX-License-Identifier: Apache-2.0
 *
 * test_safetensors.c - the reader takes what the format allows and refuses everything else in
 * little memory; the writer's files are read back and are the same bytes each time. Hostile
 * files are made by maker.c, which shares nothing with the library. */
#include <unistd.h>

#include "maker.h"
#include "support.h"
#include "tensor/weight_file.h"

#define T(name, dtype, shape, begin, end)                                                          \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end \
  "]}"

/* Parses a header and data in a block of their exact size; checks the memory it takes and that
 * nothing is left. */
static msk_status parse(const char *header, size_t data_bytes, msk_error *error) {
  maker m = {0};
  peak_allocator peak;
  peak_allocator_init(&peak);
  make_safetensors(&m, header, data_bytes);
  uint8_t *exact = malloc(m.used);
  memcpy(exact, m.bytes, m.used);
  msk_weight_file *file = NULL;
  msk_status status = msk_weight_file_parse(&file, exact, m.used, "f", &peak.allocator, error);
  assert_true((status == MSK_OK) == (file != NULL));
  msk_weight_file_close(file);
  assert_int_equal(peak.blocks, 0);
  assert_true(peak.peak <= m.used + (66 << 10));
  free(exact);
  make_free(&m);
  return status;
}

static void what_the_format_allows(void **state) {
  (void)state;
  static const struct {
    const char *header;
    size_t data;
  } good[] = {
      {"{}", 0},
      {"{}      ", 0},
      {"{ \n\t\"__metadata__\" : { } \r}", 0},
      {"{\"__metadata__\":{\"a\":\"b\",\"c\":\"\"}," T("x", "F32", "2,3", 0, 24) "}", 24},
      /* any order */
      {"{" T("b", "F16", "2", 4, 8) "," T("a", "U8", "4", 0, 4) "}", 8},
      /* a scalar */
      {"{" T("s", "F32", "", 0, 4) "}", 4},
      /* empty ones */
      {"{" T("e", "F32", "0,7", 0, 0) "," T("x", "U8", "1", 0, 1) "," T("z", "F32", "0", 1, 1) "}",
       1},
      {"{" T("d", "BF16", "1,1,1,1,1,1,1,1", 0, 2) "}", 2},
      {"{\"x\":{\"data_offsets\":[0,8],\"shape\":[1],\"dtype\":\"I64\"}}", 8}};
  msk_error error;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    if (parse(good[i].header, good[i].data, &error) != MSK_OK)
      fail_msg("%s: %s", good[i].header, error.message);
  }
}

/* Headers, and how many bytes of data follow. */
static const struct {
  const char *header;
  size_t data;
} refused[] = {
    {"", 0},
    {" {}", 0},
    {"[]", 0},
    {"{", 0},
    {"{}}", 0},
    {"{}x", 0},
    {"{},", 0},
    {"{", 4},
    {"{\"a\":1}", 0},
    {"{\"a\":{}}", 0},
    {"{\"a\":[]}", 0},
    {"{\"a\":null}", 0},
    {"{" T("x", "F32", "2", 0, 8) "}", 7}, /* past the end */
    {"{" T("x", "F32", "2", 0, 8) "}", 9}, /* does not end where the file ends */
    {"{" T("x", "F32", "2", 0, 8) ",}", 8},
    {"{" T("x", "F32", "2", 0, 8) "", 8},
    {"{" T("x", "F32", "2,", 0, 8) "}", 8},
    {"{" T("x", "F32", ",2", 0, 8) "}", 8},
    {"{" T("x", "F32", "3", 0, 8) "}", 8},
    {"{" T("x", "F64", "2", 0, 8) "}", 8},
    {"{" T("x", "F32", "2", 8, 0) "}", 8},
    {"{" T("x", "F32", "2", 4, 12) "}", 8},
    /* a hole at the start */
    {"{" T("x", "F32", "2", 4, 12) "}", 12},
    /* in the middle */
    {"{" T("x", "F32", "2", 0, 8) "," T("y", "F32", "2", 12, 20) "}", 20},
    /* overlap */
    {"{" T("x", "F32", "2", 0, 8) "," T("y", "F32", "2", 4, 12) "}", 12},
    /* the same bytes twice */
    {"{" T("x", "F32", "2", 0, 8) "," T("y", "F32", "2", 0, 8) "}", 8},
    /* an empty one inside another */
    {"{" T("x", "U8", "8", 0, 8) "," T("y", "U8", "0", 3, 3) "}", 8},
    /* duplicate */
    {"{" T("x", "F32", "2", 0, 8) "," T("x", "F32", "2", 8, 16) "}", 16},
    /* duplicate behind an escape */
    {"{" T("x", "F32", "2", 0, 8) "," T("\\u0078", "F32", "2", 8, 16) "}", 16},
    {"{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":1}}", 8},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8},
    {"{\"x\":{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}}", 8},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8},
    {"{" T("x", "F31", "2", 0, 8) "}", 8},
    {"{" T("x", "f32", "2", 0, 8) "}", 8},
    {"{" T("x", "F32", "-2", 0, 8) "}", 8},
    {"{" T("x", "F32", "2.0", 0, 8) "}", 8},
    {"{" T("x", "F32", "2e0", 0, 8) "}", 8},
    {"{" T("x", "F32", "02", 0, 8) "}", 8},
    {"{" T("x", "F32", "\\\"2\\\"", 0, 8) "}", 8},
    /* 2^62 x 4 bytes wraps to 0 */
    {"{" T("x", "F32", "4611686018427387904", 0, 0) "}", 0},
    {"{" T("x", "F32", "4294967296,4294967296", 0, 0) "}", 0}, /* 2^64 elements */
    {"{" T("x", "F32", "0,4611686018427387904,4", 0, 0) "}", 0},
    {"{" T("x", "F32", "18446744073709551617", 0, 4) "}", 4}, /* 2^64 + 1 */
    {"{" T("x", "U8", "8", 18446744073709551612, 4) "}", 8},  /* the range wraps */
    {"{" T("x", "U8", "1,1,1,1,1,1,1,1,1", 0, 1) "}", 1},     /* nine dimensions */
    {"{\"__metadata__\":{\"a\":1}}", 0},
    {"{\"__metadata__\":{\"a\":{}}}", 0},
    {"{\"__metadata__\":[]}", 0},
    {"{\"__metadata__\":{\"a\":\"b\",}}", 0},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0},
    {"{\"__metadata__\":{\"\\ud800\":\"\"}}", 0},
    {"{\"__metadata__\":{\"\\udc00\":\"\"}}", 0},
    {"{\"__metadata__\":{\"\\u0000\":\"\"}}", 0},
    {"{\"__metadata__\":{\"\\x\":\"\"}}", 0},
    {"{\"__metadata__\":{\"\\u12g4\":\"\"}}", 0},
    {"{\"__metadata__\":{\"a\nb\":\"\"}}", 0},
    {"{\"__metadata__\":{\"\xC3\":\"\"}}", 0},
    {"{\"__metadata__\":{\"\xED\xA0\x80\":\"\"}}", 0},
    {"{\"__metadata__\":{\"a", 0},
    {"{\"__metadata__\":{\"a\\", 0}};

static void what_it_does_not(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    msk_error error = {.message = ""};
    if (parse(refused[i].header, refused[i].data, &error) != MSK_ERROR_FILE)
      fail_msg("taken: %s", refused[i].header);
    assert_true(strlen(error.message) > 5 && strchr(error.message, '\n') == NULL);
  }
}

static void escapes_are_decoded(void **state) {
  (void)state;
  maker m = {0};
  make_safetensors(&m,
                   "{\"__metadata__\":{\"k\\n\\\"\":\"\\u00e9\\u20ac\\ud83d\\ude00\\/\"}," T(
                       "a\\tb", "U8", "1", 0, 1) "}",
                   1);
  msk_weight_file *file = NULL;
  assert_int_equal(msk_weight_file_parse(&file, m.bytes, m.used, "f", NULL, NULL), MSK_OK);
  assert_string_equal(msk_weight_file_metadata(file, "k\n\""),
                      "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80/");
  assert_string_equal(msk_weight_file_at(file, 0)->name, "a\tb");
  assert_null(msk_weight_file_at(file, 1));
  assert_null(msk_weight_file_find(file, "a"));
  msk_weight_file_close(file);
  make_free(&m);
}

/* Claims about the header's own length. */
static void header_lengths(void **state) {
  (void)state;
  static const uint64_t lengths[] = {
      3, 1, 0, 100, 100000001, (uint64_t)1 << 32, (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 7};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    uint8_t bytes[10] = {0, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    for (int b = 0; b < 8; b++) bytes[b] = (uint8_t)(lengths[i] >> 8 * b);
    msk_weight_file *file = NULL;
    for (size_t length = 0; length <= 10; length++) {
      assert_int_equal(msk_weight_file_parse(&file, bytes, length, "f", NULL, NULL),
                       MSK_ERROR_FILE);
      assert_null(file);
    }
  }
}

/* Very many tiny things: refused, or in proportion to the file. */
static void swarms(void **state) {
  (void)state;
  static const char *const units[] = {"\"%x\":\"\"", T("%x", "U8", "0", 0, 0), "{\"%x\":", "[%x,"};
  for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
    enum { COUNT = 50000 };
    char *text = malloc(COUNT * 70 + 100);
    size_t used = (size_t)sprintf(text, u == 0 ? "{\"__metadata__\":{" : "{");
    for (unsigned i = 0; i < COUNT; i++) {
      if (i > 0) text[used++] = ',';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
      used += (size_t)sprintf(text + used, units[u], i);
#pragma GCC diagnostic pop
    }
    strcpy(text + used, u == 0 ? "}}" : "}");
    msk_status status = parse(text, 0, NULL); /* looks at the memory */
    if (u >= 2) assert_int_equal(status, MSK_ERROR_FILE);
    free(text);
  }
}

static msk_status fill_numbers(void *user, size_t index, void *out, msk_error *error) {
  const msk_tensor *tensors = user;
  if (tensors[index].bytes == 13) return (void)(error->code = MSK_ERROR_FILE), MSK_ERROR_FILE;
  memset(out, (int)(index + 1), tensors[index].bytes);
  return MSK_OK;
}

static const msk_tensor written[] = {
    {.name = "z.bias", .dtype = MSK_DTYPE_F32, .rank = 1, .shape = {3}, .bytes = 12},
    {.name = "a \"q\"\\ \xC3\xA9\n",
     .dtype = MSK_DTYPE_BF16,
     .rank = 2,
     .shape = {3, 1},
     .bytes = 6},
    {.name = "m", .dtype = MSK_DTYPE_I8, .rank = 0, .bytes = 1},
    {.name = "b", .dtype = MSK_DTYPE_F32, .rank = 3, .shape = {2, 2, 1}, .bytes = 16},
    {.name = "none", .dtype = MSK_DTYPE_F32, .rank = 1, .shape = {0}, .bytes = 0},
    {.name = "h", .dtype = MSK_DTYPE_F16, .rank = 1, .shape = {1}, .bytes = 2}};
enum { WRITTEN = sizeof written / sizeof *written };

static void written_reads_back(void **state) {
  (void)state;
  char *folder = test_make_folder(), path[700];
  snprintf(path, sizeof path, "%s/a.safetensors", folder);
  const msk_metadata_entry metadata[] = {{"zeta", "\x01 tab\t end"}, {"alpha", "{\"json\":[1,2]}"}},
                           turned[] = {metadata[1], metadata[0]};
  msk_error error;
  assert_int_equal(msk_safetensors_write(path, written, WRITTEN, metadata, 2, fill_numbers,
                                         (void *)written, NULL, &error),
                   MSK_OK);
  size_t count, again_count;
  uint8_t *bytes = test_read_file(path, &count);
  uint64_t header;
  memcpy(&header, bytes, 8);
  assert_int_equal((8 + header) % 64, 0);
  msk_weight_file *file = NULL;
  assert_int_equal(msk_weight_file_open(&file, path, NULL, &error), MSK_OK);
  assert_string_equal(msk_weight_file_kind(file), "safetensors");
  assert_int_equal(msk_weight_file_count(file), WRITTEN);
  for (size_t i = 0; i < WRITTEN; i++) {
    const msk_tensor *found = msk_weight_file_find(file, written[i].name);
    assert_non_null(found);
    assert_int_equal(found->dtype, written[i].dtype);
    assert_int_equal(found->rank, written[i].rank);
    assert_memory_equal(found->shape, written[i].shape, sizeof found->shape);
    assert_int_equal(found->bytes, written[i].bytes);
    for (size_t b = 0; b < found->bytes; b++) assert_int_equal(found->data[b], i + 1);
    if (found->bytes > 0)
      assert_int_equal((uintptr_t)found->data % msk_dtype_bytes(found->dtype), 0);
  }
  assert_string_equal(msk_weight_file_metadata(file, "zeta"), metadata[0].value);
  assert_string_equal(msk_weight_file_metadata(file, "alpha"), metadata[1].value);
  assert_null(msk_weight_file_metadata(file, "beta"));
  msk_weight_file_close(file);
  assert_int_equal(msk_safetensors_write(path, written, WRITTEN, turned, 2, fill_numbers,
                                         (void *)written, NULL, &error),
                   MSK_OK);
  uint8_t *again = test_read_file(path, &again_count);
  assert_int_equal(count, again_count);
  assert_memory_equal(bytes, again, count); /* whatever the order of the metadata */
  free(bytes);
  free(again);
  test_remove_folder(folder);
}

static void failed_writing_leaves_nothing(void **state) {
  (void)state;
  char *folder = test_make_folder(), path[700];
  snprintf(path, sizeof path, "%s/a.safetensors", folder);
  msk_error error;
  const msk_tensor failing[] = {
      written[0], {.name = "x", .dtype = MSK_DTYPE_U8, .rank = 1, .shape = {13}, .bytes = 13}};
  const msk_tensor lying[] = {
      {.name = "x", .dtype = MSK_DTYPE_F32, .rank = 1, .shape = {3}, .bytes = 11}};
  const msk_tensor twice[] = {written[0], written[0]};
  const msk_metadata_entry broken[] = {{"a", "\xFF"}};
  assert_int_equal(
      msk_safetensors_write(path, failing, 2, NULL, 0, fill_numbers, (void *)failing, NULL, &error),
      MSK_ERROR_FILE);
  assert_int_equal(
      msk_safetensors_write(path, lying, 1, NULL, 0, fill_numbers, (void *)lying, NULL, &error),
      MSK_ERROR_ARGUMENT);
  assert_int_equal(
      msk_safetensors_write(path, twice, 2, NULL, 0, fill_numbers, (void *)twice, NULL, &error),
      MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_safetensors_write(path, written, 1, broken, 1, fill_numbers, (void *)written,
                                         NULL, &error),
                   MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_safetensors_write(folder, written, 1, NULL, 0, fill_numbers, (void *)written,
                                         NULL, &error),
                   MSK_ERROR_OUTPUT);
  assert_int_equal(rmdir(folder), 0); /* only an empty folder can be removed so */
  free(folder);
}

/* A small sound file cut off at every byte, and with every bit turned. */
static void damaged(void **state) {
  (void)state;
  maker m = {0};
  make_safetensors(&m,
                   "{\"__metadata__\":{\"a\":\"b\"}," T("x", "F32", "2,1", 0, 8) "," T(
                       "y", "I8", "3", 8, 11) "}",
                   11);
  msk_weight_file *file = NULL;
  for (size_t length = 0; length < m.used; length++) {
    uint8_t *exact = malloc(length == 0 ? 1 : length);
    memcpy(exact, m.bytes, length);
    assert_int_equal(msk_weight_file_parse(&file, exact, length, "f", NULL, NULL), MSK_ERROR_FILE);
    free(exact);
  }
  for (size_t bit = 0; bit < m.used * 8; bit++) {
    uint8_t *changed = malloc(m.used);
    memcpy(changed, m.bytes, m.used);
    changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    if (msk_weight_file_parse(&file, changed, m.used, "f", NULL, NULL) == MSK_OK) {
      size_t total = 0;
      for (size_t i = 0; i < msk_weight_file_count(file); i++)
        total += msk_weight_file_at(file, i)->bytes;
      assert_int_equal(total, 11); /* whatever it says now, it covers the data once */
      msk_weight_file_close(file);
    }
    free(changed);
  }
  for (long k = 1;; k++) {
    counting_allocator counting;
    counting_allocator_init(&counting);
    counting.fail_at = k;
    msk_status status =
        msk_weight_file_parse(&file, m.bytes, m.used, "f", &counting.allocator, NULL);
    if (status == MSK_OK) msk_weight_file_close(file);
    assert_int_equal(counting.live, 0);
    if (status == MSK_OK) break;
    assert_int_equal(status, MSK_ERROR_MEMORY);
  }
  make_free(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_the_format_allows),
      cmocka_unit_test(what_it_does_not),
      cmocka_unit_test(escapes_are_decoded),
      cmocka_unit_test(header_lengths),
      cmocka_unit_test(swarms),
      cmocka_unit_test(written_reads_back),
      cmocka_unit_test(failed_writing_leaves_nothing),
      cmocka_unit_test(damaged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
