/* SPDX-License-Identifier: Apache-2.0
 *
 * test_npy.c - .npy files: NumPy's own (the golden data) are read, what is written reads back by
 * an independent parser, damaged ones are refused. */
#include <stdbool.h>

#include "masksketch_tools.h"
#include "support.h"

static void golden_files(void **state) {
  (void)state;
  static const char *const names[] = {
      "tiny/tokenizer/sketch0/tokens.npy", "tiny/transformer/full/logits.npy", "rng/index.json",
      "tiny/trace/masksketch/structure_mask.npy", "odd/transformer/structure_score.npy"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t bytes;
    uint8_t *file = test_read_file(golden_path("%s", names[i]), &bytes);
    msk_array array;
    msk_error error;
    msk_status status = msk_npy_decode(&array, file, bytes, names[i], NULL, &error);
    if (strstr(names[i], "json") != NULL) {
      assert_int_equal(status, MSK_ERROR_FILE);
    } else {
      assert_int_equal(status, MSK_OK);
      golden_array golden = golden_load(golden_path("%s", names[i]));
      assert_int_equal(array.rank, golden.rank);
      for (int d = 0; d < array.rank; d++) assert_int_equal(array.shape[d], golden.shape[d]);
      size_t element = array.dtype == MSK_DTYPE_BOOL || array.dtype == MSK_DTYPE_U8   ? 1
                       : array.dtype == MSK_DTYPE_I64 || array.dtype == MSK_DTYPE_F64 ? 8
                                                                                      : 4;
      assert_memory_equal(array.data, golden.data, golden.elements * element);
      msk_free(NULL, array.data);
      golden_free(&golden);
    }
    free(file);
  }
}

static void written_reads_back(void **state) {
  (void)state;
  static const struct {
    msk_dtype dtype;
    size_t bytes;
    bool readable;
  } types[] = {{MSK_DTYPE_F32, 4, true},  {MSK_DTYPE_F64, 8, true}, {MSK_DTYPE_I32, 4, true},
               {MSK_DTYPE_I64, 8, true},  {MSK_DTYPE_U32, 4, true}, {MSK_DTYPE_U8, 1, true},
               {MSK_DTYPE_BOOL, 1, true}, {MSK_DTYPE_I8, 1, false}, {MSK_DTYPE_F16, 2, false}};
  uint8_t data[8 * 24];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 37 % 251);
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    for (int rank = 0; rank <= 8; rank++) {
      msk_array array = {.dtype = types[t].dtype,
                         .rank = rank,
                         .shape = {1, 2, 3, 4, 1, 1, 1, 1},
                         .data = data},
                back;
      if (types[t].dtype == MSK_DTYPE_BOOL) memset(data, 1, sizeof data);
      void *bytes;
      size_t count, elements = rank == 0 || rank == 1 ? 1 : rank == 2 ? 2 : rank == 3 ? 6 : 24;
      msk_error error;
      assert_int_equal(msk_npy_encode(&array, &bytes, &count, NULL, &error), MSK_OK);
      assert_int_equal((count - elements * types[t].bytes) % 64, 0); /* NumPy aligns the data so */
      msk_status status = msk_npy_decode(&back, bytes, count, "x", NULL, &error);
      assert_int_equal(status, types[t].readable ? MSK_OK : MSK_ERROR_FILE);
      if (status == MSK_OK) {
        assert_int_equal(back.rank, rank);
        assert_memory_equal(back.shape, array.shape, (size_t)rank * sizeof(size_t));
        assert_memory_equal(back.data, data, elements * types[t].bytes);
        msk_free(NULL, back.data);
      }
      msk_free(NULL, bytes);
    }
  }
}

/* An independent parser (the tests' own) reads what is written. */
static void independent_reader_agrees(void **state) {
  (void)state;
  char *folder = test_make_folder(), path[700];
  float values[6] = {0, -1.5f, 3e38f, 1e-40f, 7, 8};
  msk_array array = {.dtype = MSK_DTYPE_F32, .rank = 2, .shape = {2, 3}, .data = values};
  void *bytes;
  size_t count;
  assert_int_equal(msk_npy_encode(&array, &bytes, &count, NULL, NULL), MSK_OK);
  snprintf(path, sizeof path, "%s/a.npy", folder);
  assert_int_equal(msk_file_write(path, bytes, count, NULL), MSK_OK);
  golden_array golden = golden_load(path);
  assert_int_equal(golden.rank, 2);
  assert_memory_equal(golden.data, values, sizeof values);
  golden_free(&golden);
  msk_free(NULL, bytes);
  test_remove_folder(folder);
}

static size_t make_npy(uint8_t *file, const char *header, size_t data_bytes) {
  size_t length = strlen(header);
  memcpy(file, "\x93NUMPY\x01\x00", 8);
  file[8] = (uint8_t)length;
  file[9] = (uint8_t)(length >> 8);
  memcpy(file + 10, header, length);
  memset(file + 10 + length, 0, data_bytes);
  return 10 + length + data_bytes;
}

static void refused(void **state) {
  (void)state;
  static const struct {
    const char *header;
    size_t data;
    bool good;
  } cases[] = {
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", 8, true},
      {"{\"shape\": (2,), \"descr\": \"<f4\", \"fortran_order\": False}", 8, true},
      {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8, true},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4, true},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 5), }", 0, true},
      {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }", 8, false},
      {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, false},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 16, false},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7, false},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, false},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2), }", 8, false},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8, false},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 0, false},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616,), }", 0, false},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4, false},
      {"{'descr': '<f4', 'fortran_order': False, }", 4, false},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 4, false},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", 4, false},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", 4, false},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 4, false},
      {"{'descr': '<f4", 4, false},
      {"", 4, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t file[512];
    size_t bytes = make_npy(file, cases[i].header, cases[i].data);
    msk_array array = {.data = NULL};
    msk_error error;
    assert_int_equal(msk_npy_decode(&array, file, bytes, "x", NULL, &error),
                     cases[i].good ? MSK_OK : MSK_ERROR_FILE);
    msk_free(NULL, array.data);
  }
}

/* Cut off anywhere, any bit turned: never a crash, a success only with data that fits the bytes,
 * never much memory. */
static void damaged(void **state) {
  (void)state;
  uint8_t file[512], changed[512];
  size_t bytes =
      make_npy(file, "{'descr': '<i4', 'fortran_order': False, 'shape': (3, 2), }\n", 24);
  msk_array array;
  for (size_t length = 0; length < bytes; length++) {
    /* its own block, so that a read past the end is seen */
    uint8_t *exact = malloc(length == 0 ? 1 : length);
    memcpy(exact, file, length);
    assert_int_equal(msk_npy_decode(&array, exact, length, "x", NULL, NULL), MSK_ERROR_FILE);
    free(exact);
  }
  for (size_t bit = 0; bit < bytes * 8; bit++) {
    memcpy(changed, file, bytes);
    changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    if (msk_npy_decode(&array, changed, bytes, "x", NULL, NULL) == MSK_OK)
      msk_free(NULL, array.data);
  }
  counting_allocator counting;
  counting_allocator_init(&counting);
  counting.fail_at = 1;
  assert_int_equal(msk_npy_decode(&array, file, bytes, "x", &counting.allocator, NULL),
                   MSK_ERROR_MEMORY);
}

static void header_alone(void **state) {
  (void)state;
  const float data[] = {1, 2, 3, 4, 5, 6};
  const msk_array array = {.dtype = MSK_DTYPE_F32, .rank = 2, .shape = {2, 3}};
  uint8_t file[MSK_NPY_HEADER + sizeof data];
  size_t bytes;
  msk_array back;
  msk_error error;
  assert_int_equal(msk_npy_header(file, &bytes, &array, &error), MSK_OK);
  assert_int_equal(bytes, sizeof data);
  memcpy(file + MSK_NPY_HEADER, data, sizeof data);
  assert_int_equal(msk_npy_decode(&back, file, sizeof file, "x", NULL, &error), MSK_OK);
  assert_memory_equal(back.shape, array.shape, 2 * sizeof(size_t));
  assert_memory_equal(back.data, data, sizeof data);
  msk_free(NULL, back.data);
  msk_array longest = {.dtype = MSK_DTYPE_F32, .rank = MSK_MAX_RANK};
  for (int d = 1; d < MSK_MAX_RANK; d++) longest.shape[d] = SIZE_MAX;
  assert_int_equal(msk_npy_header(file, &bytes, &longest, &error), MSK_ERROR_ARGUMENT);
  for (int d = 1; d < MSK_MAX_RANK; d++) longest.shape[d] = 1;
  longest.shape[0] = 10000000000000000000u;
  longest.dtype = MSK_DTYPE_U8;
  assert_int_equal(msk_npy_header(file, &bytes, &longest, &error), MSK_OK);
  assert_int_equal(bytes, 10000000000000000000u);
  longest.dtype = MSK_DTYPE_BF16;
  assert_int_equal(msk_npy_header(file, &bytes, &longest, &error), MSK_ERROR_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(golden_files),
      cmocka_unit_test(written_reads_back),
      cmocka_unit_test(independent_reader_agrees),
      cmocka_unit_test(header_alone),
      cmocka_unit_test(refused),
      cmocka_unit_test(damaged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
