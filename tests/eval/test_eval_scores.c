/* SPDX-License-Identifier: Apache-2.0
 *
 * test_eval_scores.c - what eval and distance print, against other ways to the same numbers: the
 * judge through the library and overlaps counted here, CLIP through `masksketch score`,
 * distances through the library from features gathered here, means by hand. */
#include <math.h>
#include <sys/stat.h>

#include "clip_files.h"
#include "eval_files.h"
#include "masksketch_tools.h"

static char *clip_folder, *csv, *summary;

static int set_up_scores(void **state) {
  clip_folder = test_make_folder();
  clip_write(clip_folder, "config.json");
  if (set_up_eval(state) != 0) return -1;
  make_reference(5);
  write_text("reference/notes.txt", "no picture");
  write_spec("scored.json",
             ", \"reference\": \"reference\", \"text\": \"a {class} and a {class}\"");
  EXPECT(0, "eval", in_folder("scored.json"), "-o", in_folder("scored"), "--judge", golden_judge(),
         "--clip", clip_folder, "--quiet");
  csv = read_text_file(in_folder("scored/results.csv"));
  summary = read_text_file(in_folder("scored/summary.csv"));
  return 0;
}

static int tear_down_scores(void **state) {
  free(csv);
  free(summary);
  test_remove_folder(clip_folder);
  return tear_down_eval(state);
}

static double value_of(const char *table, const char *name, int row) {
  const char *field = csv_field(table, name, row);
  return *field == 0 ? NAN : strtod(field, NULL);
}

static double overlap(const msk_image *mask, const float *inside, int side) {
  int both = 0, either = 0;
  for (int y = 0; y < side; y++) {
    for (int x = 0; x < side; x++) {
      int from = (y * mask->height / side + mask->height / side / 2) * mask->width +
                 x * mask->width / side + mask->width / side / 2;
      int drawn = mask->pixels[3 * from] > 127, seen = inside[y * side + x] >= 0.5f;
      both += drawn && seen;
      either += drawn || seen;
    }
  }
  return (double)both / either;
}

static void test_judge(void **state) {
  (void)state;
  msk_judge *judge = NULL;
  msk_judge_info info;
  msk_image masks[2];
  assert_int_equal(msk_judge_open(&judge, golden_judge(), NULL, NULL), MSK_OK);
  msk_judge_get_info(judge, &info);
  for (int i = 0; i < 2; i++)
    assert_int_equal(
        msk_image_load(&masks[i], in_folder("mask-%c.png", "ab"[i]), MSK_ALPHA_WHITE, NULL, NULL),
        MSK_OK);
  for (int row = 0; row < 12; row++) {
    float classes[3], inside[32 * 32], whole;
    msk_image picture = {0};
    assert_true(info.class_count == 3 && info.image_size == 32);
    assert_int_equal(msk_image_load(&picture, in_folder("scored/pictures/%06d.png", row),
                                    MSK_ALPHA_WHITE, NULL, NULL),
                     MSK_OK);
    assert_int_equal(msk_judge_look(judge, &picture, 1, classes, inside, &whole, NULL, NULL),
                     MSK_OK);
    int own = row / 3 % 2;
    double mine = overlap(&masks[own], inside, 32), other = overlap(&masks[1 - own], inside, 32);
    assert_true(fabs(value_of(csv, "judge_class", row) - (double)classes[0]) < 1e-6);
    assert_true(value_of(csv, "judge_correct", row) ==
                (classes[0] > classes[1] && classes[0] > classes[2]));
    /* the mask's edge is resampled there */
    assert_true(fabs(value_of(csv, "judge_iou", row) - mine) < 0.03);
    assert_true(fabs(value_of(csv, "judge_specificity", row) - (mine - other)) < 0.06);
    assert_true(fabs(value_of(csv, "judge_whole", row) - (double)whole) < 1e-6);
    msk_image_free(&picture);
  }
  msk_image_free(&masks[0]);
  msk_image_free(&masks[1]);
  msk_judge_close(judge);
}

static void test_clip(void **state) {
  (void)state;
  const char *pictures[] = {in_folder("scored/pictures/000000.png"),
                            in_folder("scored/pictures/000011.png")};
  const int rows_of[] = {0, 11};
  run_result result = RUN("score", pictures[0], pictures[1], "--text", "a {class} and a {class}",
                          "--class", "ball", "--clip", clip_folder, "--json");
  assert_int_equal(result.code, 0);
  json_t *rows = json_loads(result.out, 0, NULL);
  for (int i = 0; i < 2; i++) {
    const json_t *row = json_array_get(rows, (size_t)i);
    int picture = strcmp(json_string_value(json_object_get(row, "file")), pictures[0]) == 0 ? 0 : 1;
    assert_true(fabs(json_number_value(json_object_get(row, "text")) -
                     value_of(csv, "clip_text", rows_of[picture])) < 1e-6);
  }
  json_decref(rows);
  run_free(&result);
  msk_clip *clip = NULL; /* the drawing, as it is brought to 256 pixels */
  msk_image drawing = {0}, view = {0}, picture = {0};
  msk_clip_info info;
  assert_int_equal(msk_clip_open(&clip, clip_folder, NULL, NULL), MSK_OK);
  msk_clip_get_info(clip, &info);
  assert_int_equal(msk_image_load(&drawing, in_folder("b.png"), MSK_ALPHA_WHITE, NULL, NULL),
                   MSK_OK);
  assert_int_equal(msk_image_prepare(&view, &drawing, 256, 256, NULL, NULL, NULL), MSK_OK);
  assert_int_equal(msk_image_load(&picture, pictures[1], MSK_ALPHA_WHITE, NULL, NULL), MSK_OK);
  float *vectors = calloc(2 * (size_t)info.dimensions, sizeof *vectors);
  assert_int_equal(msk_clip_embed_images(clip, &view, 1, vectors, NULL), MSK_OK);
  assert_int_equal(msk_clip_embed_images(clip, &picture, 1, vectors + info.dimensions, NULL),
                   MSK_OK);
  assert_true(fabs(msk_clip_cosine(vectors, vectors + info.dimensions, info.dimensions) -
                   value_of(csv, "clip_sketch", 11)) < 1e-6);
  free(vectors);
  msk_image_free(&drawing);
  msk_image_free(&view);
  msk_image_free(&picture);
  msk_clip_close(clip);
}

static void test_means(void **state) {
  (void)state;
  for (int setting = 0; setting < 2; setting++) {
    double sum = 0, squares = 0;
    for (int i = 0; i < 6; i++) sum += value_of(csv, "structure", 6 * setting + i);
    for (int i = 0; i < 6; i++)
      squares += pow(value_of(csv, "structure", 6 * setting + i) - sum / 6, 2);
    assert_true(fabs(value_of(summary, "structure", setting) - sum / 6) < 1e-7);
    assert_true(fabs(value_of(summary, "structure_error", setting) - sqrt(squares / 5 / 6)) < 1e-7);
    assert_true(value_of(summary, "pictures", setting) == 6);
  }
}

static json_t *distance_of(const char *a, const char *b, const char *features, const char *option,
                           const char *network) {
  run_result result = RUN("distance", a, b, "--features", features, option, network, "--json");
  if (result.code != 0) fail_msg("%s", result.err);
  json_t *object = json_loads(result.out, 0, NULL);
  assert_non_null(object);
  run_free(&result);
  return object;
}

/* The pictures of a setting, copied into a folder of their own, are as far from the reference as
 * the summary says. */
static void test_distances(void **state) {
  (void)state;
  mkdir(in_folder("setting"), 0777);
  for (int i = 6; i < 12; i++) {
    size_t bytes = 0;
    uint8_t *data = test_read_file(in_folder("scored/pictures/%06d.png", i), &bytes);
    assert_int_equal(msk_file_write(in_folder("setting/%d.png", i), data, bytes, NULL), MSK_OK);
    free(data);
  }
  static const char *const kinds[] = {"judge", "clip"};
  for (int kind = 0; kind < 2; kind++) {
    char frechet[40], kernel[40];
    snprintf(frechet, sizeof frechet, "frechet_%s", kinds[kind]);
    snprintf(kernel, sizeof kernel, "kernel_%s", kinds[kind]);
    json_t *object =
        distance_of(in_folder("setting"), in_folder("reference"), kinds[kind],
                    kind == 0 ? "--judge" : "--clip", kind == 0 ? golden_judge() : clip_folder);
    double a = json_number_value(json_object_get(object, "frechet")),
           b = json_number_value(json_object_get(object, "kernel"));
    assert_true(fabs(a - value_of(summary, frechet, 1)) <= 1e-6 * (fabs(a) + 1e-3));
    assert_true(fabs(b - value_of(summary, kernel, 1)) <= 1e-6 * (fabs(b) + 1e-3));
    assert_true(a > 0);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(object, "pictures"), 0)), 6);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(object, "pictures"), 1)), 5);
    json_decref(object);
    object =
        distance_of(in_folder("reference"), in_folder("reference"), kinds[kind],
                    kind == 0 ? "--judge" : "--clip", kind == 0 ? golden_judge() : clip_folder);
    assert_true(json_number_value(json_object_get(object, "frechet")) < 1e-6);
    assert_true(json_number_value(json_object_get(object, "kernel")) <= 0);
    json_decref(object);
  }
}

/* The judge's features by the library, the distance by the library: the same as the command. */
static void test_distance_features(void **state) {
  (void)state;
  msk_judge *judge = NULL;
  msk_judge_info info;
  assert_int_equal(msk_judge_open(&judge, golden_judge(), NULL, NULL), MSK_OK);
  msk_judge_get_info(judge, &info);
  float *values = calloc(2 * 5 * (size_t)info.feature_count, sizeof *values);
  for (int i = 0; i < 10; i++) {
    msk_image picture = {0};
    const char *path =
        i < 5 ? in_folder("reference/r%d.png", i) : in_folder("scored/pictures/%06d.png", i - 5);
    assert_int_equal(msk_image_load(&picture, path, MSK_ALPHA_WHITE, NULL, NULL), MSK_OK);
    assert_int_equal(
        msk_judge_look(judge, &picture, 1, NULL, NULL, NULL, values + i * info.feature_count, NULL),
        MSK_OK);
    msk_image_free(&picture);
  }
  msk_features a = {values, 5, info.feature_count},
               b = {values + 5 * info.feature_count, 5, info.feature_count};
  double frechet = 0, kernel = 0;
  assert_int_equal(msk_features_frechet(&a, &b, &frechet, NULL, NULL), MSK_OK);
  assert_int_equal(msk_features_kernel(&a, &b, &kernel, NULL), MSK_OK);
  mkdir(in_folder("five"), 0777);
  for (int i = 0; i < 5; i++) {
    size_t bytes = 0;
    uint8_t *data = test_read_file(in_folder("scored/pictures/%06d.png", i), &bytes);
    assert_int_equal(msk_file_write(in_folder("five/%d.png", i), data, bytes, NULL), MSK_OK);
    free(data);
  }
  json_t *object =
      distance_of(in_folder("reference"), in_folder("five"), "judge", "--judge", golden_judge());
  assert_true(fabs(json_number_value(json_object_get(object, "frechet")) - frechet) <=
              1e-9 * (1 + frechet));
  assert_true(fabs(json_number_value(json_object_get(object, "kernel")) - kernel) <=
              1e-9 * (1 + fabs(kernel)));
  json_decref(object);
  free(values);
  msk_judge_close(judge);
}

static void write_array(const char *name, msk_dtype dtype, int rows, int columns, void *data) {
  const msk_array array = {
      .dtype = dtype, .rank = 2, .shape = {(size_t)rows, (size_t)columns}, .data = data};
  void *bytes = NULL;
  size_t byte_count = 0;
  assert_int_equal(msk_npy_encode(&array, &bytes, &byte_count, NULL, NULL), MSK_OK);
  assert_int_equal(msk_file_write(in_folder("%s", name), bytes, byte_count, NULL), MSK_OK);
  msk_free(NULL, bytes);
}

/* Features of one's own: two points at a distance of 2 on the first axis, three on the second.
 * Means (1, 0) and (0, 2), covariances diag(2, 0) and diag(0, 1): |m - w|^2 + 2 + 1 - 0. */
static void test_arrays(void **state) {
  (void)state;
  float a[] = {0, 0, 2, 0};
  double b[] = {0, 1, 0, 2, 0, 3};
  write_array("a.npy", MSK_DTYPE_F32, 2, 2, a);
  write_array("b.npy", MSK_DTYPE_F64, 3, 2, b);
  write_array("wide.npy", MSK_DTYPE_F32, 1, 4, a);
  run_result result = RUN("distance", in_folder("a.npy"), in_folder("b.npy"), "--json");
  assert_int_equal(result.code, 0);
  json_t *object = json_loads(result.out, 0, NULL);
  assert_true(fabs(json_number_value(json_object_get(object, "frechet")) - 8) < 1e-9);
  /* one pair in a: 1; three in b: (1 + 1)^3, (3/2 + 1)^3, (3 + 1)^3; all between: 1 */
  assert_true(fabs(json_number_value(json_object_get(object, "kernel")) -
                   (1 + (8 + 15.625 + 64) / 3 - 2)) < 1e-9);
  assert_string_equal(json_string_value(json_object_get(object, "features")), "as given");
  assert_int_equal(json_integer_value(json_object_get(object, "dimensions")), 2);
  json_decref(object);
  run_free(&result);
  EXPECT(2, "distance", in_folder("a.npy"), in_folder("b.npy"), "--judge", golden_judge());
  EXPECT(2, "distance", in_folder("a.npy"), in_folder("wide.npy"));
  EXPECT(3, "distance", in_folder("a.npy"), in_folder("nowhere.npy"));
  write_text("bad.npy", "no array");
  EXPECT(3, "distance", in_folder("bad.npy"), in_folder("a.npy"));
  /* what an evaluation has kept, against a folder: as in its summary */
  result = RUN("distance", in_folder("scored/features-judge.npy"), in_folder("reference"), "--json",
               "--judge", golden_judge());
  assert_int_equal(result.code, 0);
  object = json_loads(result.out, 0, NULL);
  assert_int_equal(json_integer_value(json_array_get(json_object_get(object, "pictures"), 0)), 12);
  assert_true(json_number_value(json_object_get(object, "frechet")) > 0);
  json_decref(object);
  run_free(&result);
}

/* What the SPEC asks to be shown is shown; what was not measured is said. */
static void test_views(void **state) {
  (void)state;
  write_spec("views.json",
             ", \"scores\": [\"structure\"], \"title\": \"<Views>\", \"plots\": [{\"x\": "
             "\"structure\", \"y\": \"structure\", \"along\": "
             "\"lambda_structure\", \"by\": \"sketch\", \"title\": \"one & two\"}, {\"x\": "
             "\"sketch\", \"y\": \"judge_iou\"}], "
             "\"sheets\": [{\"rows\": \"seed\", \"columns\": \"sketch\", \"each\": "
             "\"lambda_structure\"}], \"tile\": 32");
  EXPECT(0, "eval", in_folder("views.json"), "-o", in_folder("views"), "--quiet");
  char *page = read_text_file(in_folder("views/report.html"));
  assert_non_null(strstr(page, "<h1>&lt;Views&gt;</h1>"));
  assert_non_null(strstr(page, "one &amp; two"));
  assert_non_null(strstr(page, "No plot of judge_iou"));
  int pictures = 0, plots = 0;
  for (const char *p = page; (p = strstr(p, "<img ")) != NULL; p++) pictures++;
  for (const char *p = page; (p = strstr(p, "<svg ")) != NULL; p++) plots++;
  assert_int_equal(plots, 1);
  /* rows of seeds have no common drawing: each cell shows its own */
  assert_int_equal(pictures, 12 + 12);
  free(page);
  char *table = read_text_file(in_folder("views/results.csv"));
  assert_null(strstr(table, "judge"));
  free(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge),
                                     cmocka_unit_test(test_clip),
                                     cmocka_unit_test(test_means),
                                     cmocka_unit_test(test_arrays),
                                     cmocka_unit_test(test_distances),
                                     cmocka_unit_test(test_views),
                                     cmocka_unit_test(test_distance_features)};
  return cmocka_run_group_tests(tests, set_up_scores, tear_down_scores);
}
