/* SPDX-License-Identifier: Apache-2.0
 *
 * opencl_compare.h - one operation on a device of OpenCL and on the CPU's reference, with the same
 * numbers in. Header only, for one source a program; test code. */
#ifndef MSK_TEST_COMPUTE_OPENCL_COMPARE_H
#define MSK_TEST_COMPUTE_OPENCL_COMPARE_H

#include "opencl_support.h"

static msk_cl cl;
static msk_gpu_facts facts;

/* Memory in which a case lies: so many floats, the same numbers on both sides. Cases name places
 * in it from its beginning. */
typedef void run_case(msk_stream *stream, float *memory, const void *arguments);

/* Runs on a device over a copy of `start`, with exactly the scratch that it measures. */
static inline void run_on(const msk_device *device, run_case *run, const void *arguments,
                          const float *start, size_t count, float *end) {
  bool apart = msk_device_is_apart(device);
  msk_stream stream = {.device = device, .measuring = true};
  run(&stream, (float *)MSK_NOWHERE, arguments);
  stream.measuring = false;
  size_t floats = msk_scratch_floats(stream.scratch_bytes / sizeof(float)) / sizeof(float);
  float *memory = malloc((floats + count) * sizeof *memory);
  assert_non_null(memory);
  for (size_t i = 0; i < floats; i++) memory[i] = NAN;
  memcpy(memory + floats, start, count * sizeof *memory);
  float *at = memory;
  msk_error error;
  if (apart) {
    assert_int_equal(
        msk_workspace_create(&stream.workspace, device, (floats + count) * sizeof *memory, &error),
        MSK_OK);
    at = (float *)msk_workspace_base(stream.workspace);
    msk_gpu_write(stream.workspace, memory, (floats + count) * sizeof *memory, at);
  }
  stream.scratch = at;
  run(&stream, at + floats, arguments);
  if (apart) {
    msk_status status = msk_stream_read(&stream, at + floats, count, end, &error);
    if (status != MSK_OK) fail_msg("%s", error.message);
  } else {
    memcpy(end, at + floats, count * sizeof *end);
  }
  msk_workspace_destroy(stream.workspace, device);
  free(memory);
}

/* Both devices, and both of their objects: index 0 is the reference. */
static msk_device *devices[2];

static inline void compare(run_case *run, const void *const arguments[2], const float *start,
                           size_t count, double tolerance, const char *what) {
  float *ends[3];
  for (int i = 0; i < 3; i++) {
    ends[i] = malloc(count * sizeof(float));
    run_on(devices[i > 0], run, arguments[i > 0], start, count, ends[i]);
  }
  for (size_t i = 0; i < count; i++) check_value(ends[1][i], ends[0][i], tolerance, what, i);
  /* twice the same: to the byte */
  assert_memory_equal(ends[1], ends[2], count * sizeof(float));
  for (int i = 0; i < 3; i++) free(ends[i]);
}

/* Weights: floats that binary16 does not hold; that it does; given in it. */
enum storage { FLOATS, FP16_NUMBERS, GIVEN_FP16 };

static inline float *numbers(size_t count, uint64_t seed) {
  float *values = malloc(count * sizeof *values);
  assert_non_null(values);
  for (size_t i = 0; i < count; i++) values[i] = test_uniform(&seed, -1, 1);
  return values;
}

/* ---- the devices; the shapes of products ---- */

static const msk_gpu_shape *taken_shape; /* NULL: the device's own */

static inline int opencl_set_up(void **state) {
  (void)state;
  devices[0] = device_new("ref");
  devices[1] = opencl_device(&cl, &facts);
  if (taken_shape != NULL)
    assert_int_equal(msk_gpu_take_shape(msk_gpu_of(devices[1]), taken_shape, NULL, NULL), MSK_OK);
  return 0;
}

static inline int opencl_tear_down(void **state) {
  (void)state;
  msk_device_destroy(devices[0]);
  msk_device_destroy(devices[1]);
  return 0;
}

static inline void opencl_selfcheck(void **state) {
  const char *wrong = "not asked";
  (void)state;
  assert_int_equal(msk_gpu_selfcheck(devices[1], &wrong, NULL), MSK_OK);
  if (wrong != NULL) fail_msg("%s", wrong);
}

/* The tests in each shape that the device can have; those that failed. */
#define OPENCL_EACH_SHAPE(tests, failed)                                                        \
  for (size_t i = 0; (taken_shape = msk_gpu_shape_at(i)) != NULL; i++) {                        \
    if (!msk_gpu_shape_fits(&facts, taken_shape)) continue;                                     \
    (failed) +=                                                                                 \
        cmocka_run_group_tests_name(taken_shape->name, tests, opencl_set_up, opencl_tear_down); \
  }

/* The tests with what a GPU's kernels are compiled for (work groups, channels a work item, the
 * usual shape), whatever the device is. */
#define OPENCL_AS_GPU(tests, failed)                                                        \
  if (!facts.gpu && facts.largest_group >= MSK_TILE_GROUP * MSK_TILE_GROUP) {               \
    facts.gpu = true;                                                                       \
    taken_shape = NULL;                                                                     \
    (failed) +=                                                                             \
        cmocka_run_group_tests_name("as on a GPU", tests, opencl_set_up, opencl_tear_down); \
  }

/* What a run gives in the device's own shape it gives in each: to the byte. */
static inline void check_shapes(run_case *run, const void *arguments, const float *start,
                                size_t count) {
  msk_gpu *gpu = msk_gpu_of(devices[1]);
  const msk_gpu_shape *own = gpu->shape, *other;
  float *ends[2] = {malloc(count * sizeof(float)), malloc(count * sizeof(float))};
  run_on(devices[1], run, arguments, start, count, ends[0]);
  for (size_t i = 0; (other = msk_gpu_shape_at(i)) != NULL; i++) {
    if (!msk_gpu_shape_fits(&facts, other)) continue;
    assert_int_equal(msk_gpu_take_shape(gpu, other, NULL, NULL), MSK_OK);
    run_on(devices[1], run, arguments, start, count, ends[1]);
    assert_memory_equal(ends[0], ends[1], count * sizeof(float));
  }
  assert_int_equal(msk_gpu_take_shape(gpu, own, NULL, NULL), MSK_OK);
  free(ends[0]), free(ends[1]);
}

#endif
