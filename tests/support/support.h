/* SPDX-License-Identifier: Apache-2.0
 *
 * support.h - what tests share: cmocka with its includes, paths, golden arrays, comparisons, a
 * counting allocator. Test code only. */
#ifndef MSK_TEST_SUPPORT_H
#define MSK_TEST_SUPPORT_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "masksketch.h"

/* "tests/golden/" + name, in a buffer that the next 8 calls leave alone. */
const char *golden_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Reads a .npy of the golden data by its own small parser (independent of the library). float16
 * becomes F32. Fails the test if missing. */
typedef struct golden_array {
  int rank;
  size_t shape[8], elements;
  char kind;  /* 'f' float32, 'd' float64, 'i' int32, 'q' int64, 'u' uint32, 'b' uint8 or bool */
  void *data; /* free with golden_free */
} golden_array;
golden_array golden_load(const char *path);
void golden_free(golden_array *array);
/* Whole file; fails the test if missing. */
uint8_t *test_read_file(const char *path, size_t *bytes);

/* Largest |a - b|; NaN against anything but NaN counts as infinity. */
double largest_difference(const float *a, const float *b, size_t count);
#define assert_close(a, b, count, tolerance) \
  assert_close_at((a), (b), (count), (tolerance), #a, __FILE__, __LINE__)
void assert_close_at(const float *a, const float *b, size_t count, double tolerance,
                     const char *what, const char *file, int line);

/* Writes a model file (safetensors, F32) once more with all numbers of one tensor set to `value`.
 * The two may be one file. */
void test_write_filled(const char *from, const char *to, const char *tensor, float value);

/* Counts live blocks and fails the k-th allocation (1-based; 0: none); a block that was written
 * past its end fails the test when it is freed. */
typedef struct counting_allocator {
  msk_allocator allocator; /* pass &c.allocator */
  long calls, live, fail_at;
} counting_allocator;
void counting_allocator_init(counting_allocator *counting);

/* splitmix64: test data from a seed. */
uint64_t test_random(uint64_t *state);
float test_uniform(uint64_t *state, float minimum, float maximum);

/* A fresh folder under TMPDIR, removed by test_remove_folder(). */
char *test_make_folder(void);
void test_remove_folder(char *path);

/* The folder of a program's tests, with cmocka's fixtures for it. */
extern char *test_folder;
int set_up_folder(void **state);
int tear_down_folder(void **state);
/* A path inside it, in a buffer that the next 64 calls leave alone. */
const char *in_folder(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
