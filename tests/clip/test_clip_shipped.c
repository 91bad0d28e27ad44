/* SPDX-License-Identifier: Apache-2.0
 *
 * test_clip_shipped.c - the small CLIP in models/clip: its cosines are PyTorch's
 * (tests/golden/clip_shipped, written by training/clip.py golden), and it tells classes, colours
 * and shapes of pictures that it never saw. */
#include <jansson.h>
#include <math.h>

#include "../cli/cli_run.h"
#include "clip_files.h"
#include "masksketch_tools.h"

#define SHIPPED "models/clip"
enum {
  MAX_DIMENSIONS = 1024,
  CLASSES = 24,
  TEAPOTS = 6,
  RIGHT_CLASSES = 22,
  RIGHT_SHAPES = 5,
  GUESSED = 19
};

static const char *const names[CLASSES] = {
    "apple",    "mug",    "house",  "fish", "tree",    "car",       "teapot",    "sailboat",
    "mushroom", "bird",   "chair",  "lamp", "cat",     "dog",       "butterfly", "shoe",
    "hat",      "guitar", "flower", "sun",  "bicycle", "aeroplane", "cactus",    "bottle"};
static msk_clip *clip;
static msk_clip_info info;

static int setup(void **state) {
  msk_error error = {0};
  if (msk_clip_open(&clip, SHIPPED, NULL, &error) != MSK_OK) {
    print_error("%s\n", error.message);
    return -1;
  }
  msk_clip_get_info(clip, &info);
  return info.dimensions <= MAX_DIMENSIONS ? set_up_models(state) : -1;
}

static int teardown(void **state) {
  msk_clip_close(clip);
  return tear_down_folder(state);
}

static void embed_picture(const char *name, float *vector) {
  msk_image image;
  msk_error error = {0};
  if (msk_image_load(&image, golden_path("clip_shipped/%s", name), MSK_ALPHA_WHITE, NULL, &error) !=
      MSK_OK)
    fail_msg("%s", error.message);
  assert_int_equal(msk_clip_embed_images(clip, &image, 1, vector, &error), MSK_OK);
  msk_image_free(&image);
}

static void embed_text(const char *text, float *vector) {
  msk_error error = {0};
  if (msk_clip_embed_texts(clip, &text, 1, vector, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
}

static double of_text(const float *picture, const char *text) {
  float vector[MAX_DIMENSIONS];
  embed_text(text, vector);
  return msk_clip_cosine(picture, vector, info.dimensions);
}

/* Each line: a picture, a text or a picture, their cosine in PyTorch. */
static void test_cosines(void **state) {
  (void)state;
  char line[512], picture[100], other[300];
  float a[MAX_DIMENSIONS], b[MAX_DIMENSIONS];
  double expected;
  int count = 0;
  FILE *file = fopen(golden_path("clip_shipped/cosines.tsv"), "r");
  assert_non_null(file);
  for (; fgets(line, sizeof line, file) != NULL; count++) {
    assert_int_equal(sscanf(line, "%99[^\t]\t%299[^\t]\t%lf", picture, other, &expected), 3);
    embed_picture(picture, a);
    if (strstr(other, ".png") != NULL) {
      embed_picture(other, b);
    } else {
      embed_text(other, b);
    }
    double found = msk_clip_cosine(a, b, info.dimensions);
    if (!(fabs(found - expected) < 2e-5))
      fail_msg("%s, %s: %.6f, expected %.6f", picture, other, found, expected);
  }
  fclose(file);
  assert_true(count > 50);
}

/* Which of the texts "a photo of a ...", "a sketch of a ..." fits best. */
static size_t best_class(const char *picture, const char *kind) {
  float vector[MAX_DIMENSIONS];
  size_t best = 0;
  double highest = -2;
  embed_picture(picture, vector);
  for (size_t k = 0; k < CLASSES; k++) {
    char text[64];
    snprintf(text, sizeof text, "a %s of a%s %s", kind, names[k][0] == 'a' ? "n" : "", names[k]);
    double cosine = of_text(vector, text);
    if (cosine > highest) highest = cosine, best = k;
  }
  return best;
}

/* By chance one photo of all. It is a small network and not always right: the card says
 * how often. */
static void test_classes(void **state) {
  (void)state;
  int right = 0;
  for (size_t i = 0; i < CLASSES; i++) {
    char name[64];
    snprintf(name, sizeof name, "photo-%s.png", names[i]);
    size_t found = best_class(name, "photo");
    if (found != i)
      print_message("the photo of the %s is taken for a %s\n", names[i], names[found]);
    right += found == i;
  }
  assert_true(right >= RIGHT_CLASSES);
}

/* photo-apple.png is a red one. */
static void test_colour(void **state) {
  (void)state;
  static const char *const others[] = {"a photo of a green apple", "a photo of a blue apple",
                                       "a photo of a white apple", "a photo of a red car",
                                       "a sketch of an apple"};
  float picture[MAX_DIMENSIONS];
  embed_picture("photo-apple.png", picture);
  double red = of_text(picture, "a photo of a red apple");
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    double other = of_text(picture, others[i]);
    if (!(red > other)) fail_msg("a photo of a red apple %.4f, %s %.4f", red, others[i], other);
  }
}

/* Six teapots and their drawings: which photo is nearest to each drawing. By chance one. */
static void test_shape(void **state) {
  (void)state;
  float photos[TEAPOTS][MAX_DIMENSIONS], drawing[MAX_DIMENSIONS];
  char name[64];
  int right = 0;
  for (size_t i = 0; i < TEAPOTS; i++) {
    snprintf(name, sizeof name, "photo-teapot%zu.png", i);
    embed_picture(name, photos[i]);
  }
  for (size_t i = 0; i < TEAPOTS; i++) {
    size_t best = 0;
    snprintf(name, sizeof name, "sketch-teapot%zu.png", i);
    embed_picture(name, drawing);
    for (size_t k = 1; k < TEAPOTS; k++) {
      if (msk_clip_cosine(drawing, photos[k], info.dimensions) >
          msk_clip_cosine(drawing, photos[best], info.dimensions))
        best = k;
    }
    right += best == i;
  }
  assert_true(right >= RIGHT_SHAPES);
}

/* Words outside its small vocabulary are spelled in bytes, and a text in another script is no
 * error. */
static void test_any_text(void **state) {
  (void)state;
  const char *const texts[] = {"a photo of a zebra", "\xE4\xBD\xA0\xE5\xA5\xBD", "",
                               "Caf\xC3\xA9 & <b>12%</b>"};
  float vectors[4 * MAX_DIMENSIONS];
  int counts[4];
  assert_int_equal(msk_clip_embed_texts(clip, texts, 4, vectors, counts, NULL), MSK_OK);
  assert_true(counts[0] > 7);
  assert_int_equal(counts[2], 2);
  for (int i = 0; i < 4 * info.dimensions; i++) assert_true(isfinite(vectors[i]));
}

/* Without --clip the command finds it. */
static void test_out_of_the_box(void **state) {
  (void)state;
  run_result result = RUN("score", "tests/golden/clip_shipped/photo-mug.png",
                          "tests/golden/clip_shipped/photo-car.png", "--class", "car", "--sketch",
                          "tests/golden/clip_shipped/sketch-car.png", "--json");
  if (result.code != 0) fail_msg("exit %d: %s", result.code, result.err);
  json_t *rows = json_loads(result.out, 0, NULL);
  assert_int_equal(json_array_size(rows), 2);
  assert_non_null(
      strstr(json_string_value(json_object_get(json_array_get(rows, 0), "file")), "photo-car.png"));
  json_decref(rows);
  run_free(&result);
}

/* The cosine of a text and a drawing as the default model takes it, cut to its ink. */
static double of_drawing(const char *file, const char *text) {
  enum { SIDE = 256 };
  float picture[MAX_DIMENSIONS];
  msk_prepare_options options;
  msk_image source, drawing;
  msk_error error = {0};
  msk_prepare_init(&options);
  options.fit = MSK_FIT_INK;
  assert_int_equal(msk_image_load(&source, file, MSK_ALPHA_SKETCH, NULL, &error), MSK_OK);
  assert_int_equal(msk_image_prepare(&drawing, &source, SIDE, SIDE, &options, NULL, &error),
                   MSK_OK);
  assert_int_equal(msk_clip_embed_images(clip, &drawing, 1, picture, &error), MSK_OK);
  msk_image_free(&source);
  msk_image_free(&drawing);
  return of_text(picture, text);
}

/* Drawings that come with the program, by their names: the class is among the first three of most;
 * cosines are those of the plain text, shares sum to 1. */
static void test_guesses(void **state) {
  (void)state;
  static const char *const drawings[] = {
      "aeroplane-pencil", "apple-pen",      "bicycle-pen", "bird-marker",  "butterfly-thin",
      "cactus-chalk",     "car-pencil",     "cat-pen",     "chair-pencil", "dog-marker",
      "fish-thin",        "flower-marker",  "guitar-pen",  "hat-chalk",    "lamp-thin",
      "mug-marker",       "mushroom-chalk", "shoe-pencil", "sun-thin",     "teapot-pen",
      "tree-chalk"};
  enum { DRAWINGS = sizeof drawings / sizeof *drawings };
  int among_three = 0;
  for (size_t d = 0; d < DRAWINGS; d++) {
    char file[100], text[100];
    snprintf(file, sizeof file, "demo/sketches/%s.png", drawings[d]);
    run_result result =
        RUN("score", file, "--classes", "--model", "models/default.safetensors", "--json");
    if (result.code != 0) fail_msg("exit %d: %s", result.code, result.err);
    json_t *rows = json_loads(result.out, 0, NULL), *guess;
    const json_t *classes = json_object_get(json_array_get(rows, 0), "classes");
    size_t place, length = strcspn(drawings[d], "-");
    double last = 1, sum = 0;
    assert_int_equal(json_array_size(classes), CLASSES);
    json_array_foreach(classes, place, guess) {
      const char *name = json_string_value(json_object_get(guess, "name"));
      double score = json_real_value(json_object_get(guess, "score"));
      among_three +=
          place < 3 && strcspn(name, ",") == length && strncmp(name, drawings[d], length) == 0;
      assert_true(score <= last);
      last = score;
      sum += json_real_value(json_object_get(guess, "share"));
    }
    assert_true(fabs(sum - 1) < 1e-9);
    const char *best = json_string_value(json_object_get(json_array_get(classes, 0), "name"));
    snprintf(text, sizeof text, "a sketch of a %.*s", (int)strcspn(best, ","), best);
    double first = json_real_value(json_object_get(json_array_get(classes, 0), "score"));
    assert_true(fabs(first - of_drawing(file, text)) < 1e-6);
    json_decref(rows);
    run_free(&result);
  }
  assert_true(among_three >= GUESSED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_guesses),       cmocka_unit_test(test_cosines),
      cmocka_unit_test(test_classes),       cmocka_unit_test(test_colour),
      cmocka_unit_test(test_shape),         cmocka_unit_test(test_any_text),
      cmocka_unit_test(test_out_of_the_box)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
