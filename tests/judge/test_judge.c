/* SPDX-License-Identifier: Apache-2.0
 *
 * test_judge.c - the judge against tests/golden/judge (training/judge_export.py golden: a small
 * random network, computed in float64 from the file's tensors with skips laid side by side), on
 * every instruction set; and what it must refuse. */
#include <math.h>

#include "image/filters.h"
#include "masksketch_tools.h"
#include "support.h"
#include "tensor/weight_file.h"

enum { SIDE = 32, CLASSES = 3, FEATURES = 24 };

static const char *const pictures[] = {"same", "double", "odd", "small"};

/* Twelve convolutions lie one behind the other, each with a relative error of at most 1.3e-6
 * (winograd.c), on values below 4. */
static const double TOLERANCE = 12 * 1.3e-6 * 4;

static msk_image load_picture(const char *name) {
  golden_array array = golden_load(golden_path("judge/%s_picture.npy", name));
  msk_image image;
  assert_true(array.kind == 'b' && array.rank == 3 && array.shape[2] == 3);
  assert_int_equal(msk_image_create(&image, (int)array.shape[1], (int)array.shape[0], NULL, NULL),
                   MSK_OK);
  memcpy(image.pixels, array.data, array.elements);
  golden_free(&array);
  return image;
}

static void check_golden(const float *found, size_t count, const char *name, const char *part,
                         double tolerance) {
  golden_array array = golden_load(golden_path("judge/%s_%s.npy", name, part));
  assert_int_equal(array.elements, count);
  assert_close(found, (const float *)array.data, count, tolerance);
  golden_free(&array);
}

static void test_area_mean(void **state) {
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    msk_image image = load_picture(pictures[i]);
    float area[SIDE * SIDE * 3];
    double *row = calloc((size_t)image.width * 3, sizeof *row);
    msk_area_mean(image.pixels, (size_t)image.width, (size_t)image.height, SIDE, row, area);
    check_golden(area, SIDE * SIDE * 3, pictures[i], "area", 255 * 1.2e-7);
    for (size_t k = 0; i == 0 && k < SIDE * SIDE * 3; k++)
      assert_true(area[k] == (float)image.pixels[k]);
    free(row);
    msk_image_free(&image);
  }
}

static msk_judge *judge_new(const char *isa, int threads) {
  msk_error error = {0};
  msk_judge *judge = NULL;
  msk_judge_options options;
  msk_judge_options_init(&options);
  options.isa = isa;
  options.threads = threads;
  if (msk_judge_open(&judge, golden_path("judge/judge.safetensors"), &options, &error) != MSK_OK)
    fail_msg("%s", error.message);
  return judge;
}

static void test_golden(void **state) {
  (void)state;
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    msk_judge *judge = judge_new(msk_isa_name(i), 1);
    for (size_t k = 0; k < 4; k++) {
      msk_image image = load_picture(pictures[k]);
      float classes[CLASSES], silhouette[SIDE * SIDE], whole, features[FEATURES];
      assert_int_equal(
          msk_judge_look(judge, &image, 1, classes, silhouette, &whole, features, NULL), MSK_OK);
      check_golden(features, FEATURES, pictures[k], "features", TOLERANCE);
      check_golden(silhouette, SIDE * SIDE, pictures[k], "silhouette", TOLERANCE);
      check_golden(&whole, 1, pictures[k], "whole", TOLERANCE);
      check_golden(classes, CLASSES, pictures[k], "classes", TOLERANCE);
      msk_image_free(&image);
    }
    msk_judge_close(judge);
  }
}

static void test_info(void **state) {
  (void)state;
  msk_judge *judge = judge_new(NULL, 0);
  msk_judge_info info;
  msk_judge_get_info(judge, &info);
  assert_int_equal(info.image_size, SIDE);
  assert_int_equal(info.class_count, CLASSES);
  assert_int_equal(info.feature_count, FEATURES);
  assert_non_null(info.isa);
  assert_string_equal(msk_judge_class_name(judge, 0), "ball");
  assert_string_equal(msk_judge_class_name(judge, 2), "cone");
  assert_null(msk_judge_class_name(judge, 3));
  assert_null(msk_judge_class_name(judge, -1));
  msk_judge_close(judge);
}

/* Several pictures are what they are alone, with any number of threads, whatever is asked for. */
static void test_several(void **state) {
  (void)state;
  msk_judge *one = judge_new(NULL, 1), *three = judge_new(NULL, 3);
  msk_image images[4];
  float classes[4 * CLASSES], silhouettes[4 * SIDE * SIDE], wholes[4], features[4 * FEATURES];
  for (size_t k = 0; k < 4; k++) images[k] = load_picture(pictures[k]);
  assert_int_equal(msk_judge_look(three, images, 4, classes, silhouettes, wholes, features, NULL),
                   MSK_OK);
  for (size_t k = 0; k < 4; k++) {
    float c[CLASSES], s[SIDE * SIDE], w, f[FEATURES];
    assert_int_equal(msk_judge_look(one, &images[k], 1, c, NULL, NULL, NULL, NULL), MSK_OK);
    assert_int_equal(msk_judge_look(one, &images[k], 1, NULL, s, NULL, NULL, NULL), MSK_OK);
    assert_int_equal(msk_judge_look(one, &images[k], 1, NULL, NULL, &w, NULL, NULL), MSK_OK);
    assert_int_equal(msk_judge_look(one, &images[k], 1, NULL, NULL, NULL, f, NULL), MSK_OK);
    assert_memory_equal(c, classes + k * CLASSES, sizeof c);
    assert_memory_equal(s, silhouettes + k * SIDE * SIDE, sizeof s);
    assert_memory_equal(&w, wholes + k, sizeof w);
    assert_memory_equal(f, features + k * FEATURES, sizeof f);
    msk_image_free(&images[k]);
  }
  assert_int_equal(msk_judge_look(one, images, 0, classes, silhouettes, wholes, features, NULL),
                   MSK_OK);
  msk_judge_close(one);
  msk_judge_close(three);
}

/* ---- what must fail ---- */

struct spoilt {
  msk_tensor tensors[48];
  size_t count;
};

static msk_status fill(void *user, size_t index, void *out, msk_error *error) {
  const msk_tensor *tensor = &((const struct spoilt *)user)->tensors[index];
  (void)error;
  memcpy(out, tensor->data, tensor->bytes);
  return MSK_OK;
}

/* The golden judge with other metadata, without a tensor, or with a tensor's sides swapped;
 * opening it must fail with these words. */
static void check_refused(const char *format, const char *size, const char *classes,
                          const char *missing, const char *turned, const char *words) {
  struct spoilt spoilt = {.count = 0};
  msk_weight_file *file = NULL;
  msk_error error = {0};
  msk_judge *judge = NULL;
  char *folder = test_make_folder(), path[600];
  snprintf(path, sizeof path, "%s/judge.safetensors", folder);
  assert_int_equal(msk_weight_file_open(&file, golden_path("judge/judge.safetensors"), NULL, NULL),
                   MSK_OK);
  for (size_t i = 0; i < msk_weight_file_count(file); i++) {
    msk_tensor tensor = *msk_weight_file_at(file, i);
    if (missing != NULL && strcmp(tensor.name, missing) == 0) continue;
    if (turned != NULL && strcmp(tensor.name, turned) == 0) {
      size_t side = tensor.shape[0];
      tensor.shape[0] = tensor.shape[tensor.rank - 1];
      tensor.shape[tensor.rank - 1] = side;
    }
    spoilt.tensors[spoilt.count++] = tensor;
  }
  const msk_metadata_entry metadata[] = {{"format", format}, {"size", size}, {"classes", classes}};
  assert_int_equal(msk_safetensors_write(path, spoilt.tensors, spoilt.count, metadata, 3, fill,
                                         &spoilt, NULL, NULL),
                   MSK_OK);
  msk_status status = msk_judge_open(&judge, path, NULL, &error);
  if (words == NULL) {
    assert_int_equal(status, MSK_OK);
    msk_judge_close(judge);
  } else {
    assert_int_equal(status, MSK_ERROR_FILE);
    assert_null(judge);
    if (strstr(error.message, words) == NULL)
      fail_msg("\"%s\" does not say \"%s\"", error.message, words);
  }
  msk_weight_file_close(file);
  test_remove_folder(folder);
}

static void test_refused_files(void **state) {
  (void)state;
  const char *format = "masksketch judge 2", *size = "32", *names = "ball,cube,cone";
  check_refused(format, size, names, NULL, NULL, NULL);
  check_refused("masksketch 1", size, names, NULL, NULL, "is this a judge of this version?");
  check_refused("masksketch judge 1", size, names, NULL, NULL, "expected \"masksketch judge 2\"");
  check_refused(format, "12", names, NULL, NULL, "\"size\" is \"12\"");
  check_refused(format, "24", names, NULL, NULL, "\"size\" is \"24\"");
  check_refused(format, "8", names, NULL, NULL, "\"size\" is \"8\"");
  check_refused(format, "99999999999999999999", names, NULL, NULL,
                "expected a power of two from 16 to 1024");
  check_refused(format, "-32", names, NULL, NULL, "\"size\" is \"-32\"");
  check_refused(format, "32x", names, NULL, NULL, "\"size\" is \"32x\"");
  check_refused(format, size, "ball,cube", NULL, NULL, "has 2 names, expected 3");
  check_refused(format, size, "ball,,cube", NULL, NULL, "class 1 is empty");
  check_refused(format, size, names, "level_1.same.bias", NULL, "level_1.same.bias is missing");
  check_refused(format, size, names, "level_2.down.kernel", NULL, "level_2.down.kernel is missing");
  check_refused(format, size, names, "damage.kernel", NULL, "damage.kernel is missing");
  check_refused(format, size, names, "label.kernel", NULL, "label.kernel is missing");
  check_refused(format, size, names, NULL, "label.kernel", "label.kernel has shape 3x24");
  check_refused(format, size, names, NULL, "rise_0.below.kernel", "rise_0.below.kernel has shape");
}

static void test_refused_arguments(void **state) {
  (void)state;
  msk_error error = {0};
  msk_judge *judge = NULL;
  const char *path = golden_path("judge/judge.safetensors");
  msk_judge_options options;
  msk_judge_options_init(&options);
  options.threads = -1;
  assert_int_equal(msk_judge_open(&judge, path, &options, &error), MSK_ERROR_ARGUMENT);
  options = (msk_judge_options){.size = 3};
  assert_int_equal(msk_judge_open(&judge, path, &options, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_judge_open(&judge, "no such file", NULL, &error), MSK_ERROR_FILE);
  assert_null(judge);
  judge = judge_new(NULL, 1);
  msk_image empty = {0};
  assert_int_equal(msk_judge_look(judge, &empty, 1, NULL, NULL, NULL, NULL, &error),
                   MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "picture 0 is empty"));
  assert_int_equal(msk_judge_look(judge, NULL, 1, NULL, NULL, NULL, NULL, &error),
                   MSK_ERROR_ARGUMENT);
  msk_judge_close(judge);
  msk_judge_close(NULL);
}

/* Every allocation fails once: an error, and nothing is left behind. */
static void test_memory(void **state) {
  (void)state;
  counting_allocator counting;
  counting_allocator_init(&counting);
  msk_judge_options options;
  msk_judge_options_init(&options);
  options.allocator = &counting.allocator;
  options.threads = 2;
  msk_image image = load_picture("odd");
  msk_status status = MSK_ERROR_MEMORY;
  for (long k = 1; status != MSK_OK; k++) {
    msk_judge *judge = NULL;
    float features[FEATURES];
    assert_true(k < 1000);
    counting.calls = 0;
    counting.fail_at = k;
    status = msk_judge_open(&judge, golden_path("judge/judge.safetensors"), &options, NULL);
    if (status == MSK_OK)
      status = msk_judge_look(judge, &image, 1, NULL, NULL, NULL, features, NULL);
    assert_true(status == MSK_OK || status == MSK_ERROR_MEMORY);
    msk_judge_close(judge);
    assert_int_equal(counting.live, 0);
  }
  msk_image_free(&image);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_area_mean),     cmocka_unit_test(test_golden),
      cmocka_unit_test(test_info),          cmocka_unit_test(test_several),
      cmocka_unit_test(test_refused_files), cmocka_unit_test(test_refused_arguments),
      cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
