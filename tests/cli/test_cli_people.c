/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_people.c - what people do and machines do not: narrow windows, names in other
 * encodings, seeds as other programs have them, pictures of other machines, and whether a recipe
 * is what its name says. */
#include <jansson.h>

#include "cli_run.h"
#include "masksketch_tools.h"

static const char *sketch(void) { return golden_path("tiny/input/sketch0.png"); }

/* ---- Recipes ---- */

/* Passes that a picture takes: its cost on any machine. */
static double passes(const char *job, const char *recipe, const char *model, const char *picture,
                     const char *class_text) {
  const char *arguments[24] = {job};
  int count = 1;
  if (picture != NULL) arguments[count++] = picture;
  const char *const rest[] = {"--class", class_text, "--model", model,      "--recipe",
                              recipe,    "--json",   "--quiet", "--output", NULL};
  for (int i = 0; rest[i] != NULL; i++) arguments[count++] = rest[i];
  arguments[count++] = in_folder("passes.png");
  if (strcmp(job, "edit") == 0) {
    arguments[count++] = "--box";
    arguments[count++] = "16,16,64,64";
  }
  run_result result = run_program(arguments);
  if (result.code != 0) fail_msg("%s %s: %s", job, recipe, result.err);
  json_t *object = json_loads(result.out, 0, NULL);
  double number = json_number_value(json_object_get(object, "passes"));
  json_decref(object);
  run_free(&result);
  assert_true(number > 0);
  return number;
}

/* `fast` says: at most 0.7 of balanced's passes. */
static void check_recipes(const char *job, const char *model, const char *picture,
                          const char *class_text) {
  double balanced = passes(job, "balanced", model, picture, class_text),
         fast = passes(job, "fast", model, picture, class_text);
  if (fast > 0.71 * balanced) fail_msg("%s: %g passes of %g", job, fast, balanced);
  assert_true(passes(job, "thorough", model, picture, class_text) >= 2 * balanced);
}

static void test_recipes(void **state) {
  (void)state;
  char shipped[4096];
  snprintf(shipped, sizeof shipped, "%s/models/default.safetensors", getenv("MSK_TEST_ROOT"));
  check_recipes("draw", model_of("tiny"), sketch(), "3");
  check_recipes("generate", model_of("tiny"), NULL, "3");
  check_recipes("edit", model_of("tiny"), golden_path("tiny/input/photo.png"), "3");
  if (exists(shipped))
    check_recipes("draw", shipped, sketch(), "0");
  else
    print_message("no default model: skipped\n");
}

/* ---- Pictures of other machines ---- */

/* The kernels of then are taken; where they are not, a line says so. */
static void test_other_kernels(void **state) {
  (void)state;
  char picture[4096];
  snprintf(picture, sizeof picture, "%s", in_folder("then.png"));
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "2", "--isa", "ref", "-o", picture, "-q");
  run_result same = RUN("replay", picture, "-o", in_folder("now.png"));
  assert_int_equal(same.code, 0);
  assert_null(strstr(same.err, "kernels"));
  assert_true(same_bytes(picture, in_folder("now.png")));
  run_free(&same);
  const char *best = "ref";
  for (int i = 0; msk_isa_name(i) != NULL; i++) best = msk_isa_name(i);
  if (strcmp(best, "ref") == 0) skip();
  run_result other = RUN("replay", picture, "--isa", best, "-o", in_folder("other.png"));
  assert_int_equal(other.code, 0);
  assert_non_null(strstr(other.err, "made by the kernels ref"));
  assert_non_null(strstr(other.err, best));
  run_free(&other);
}

/* ---- Numbers ---- */

/* ---- Small drawings ---- */

/* A box in a corner of a large sheet. */
static void draw_small(const char *path) {
  msk_image image = {0};
  msk_error error;
  void *bytes = NULL;
  size_t count = 0;
  assert_int_equal(msk_image_create(&image, 300, 300, NULL, &error), MSK_OK);
  memset(image.pixels, 255, (size_t)300 * 300 * 3);
  for (int y = 30; y < 110; y++) {
    for (int x = 40; x < 120; x++) {
      if (y < 35 || y >= 105 || x < 45 || x >= 115) memset(image.pixels + 3 * (y * 300 + x), 0, 3);
    }
  }
  assert_int_equal(
      msk_image_encode(&image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &count, NULL, &error), MSK_OK);
  assert_int_equal(msk_file_write(path, bytes, count, &error), MSK_OK);
  msk_free(NULL, bytes);
  msk_image_free(&image);
}

static const char *drawn_with(const char *model, const char *name, const char *option,
                              const char *value) {
  static char paths[8][256];
  static int next;
  char *path = paths[next++ % 8], small[256];
  snprintf(small, sizeof small, "%s", in_folder("small.png"));
  snprintf(path, sizeof paths[0], "%s", in_folder("%s", name));
  EXPECT(0, "draw", small, "--class", "3", "--model", model, "--steps", "2", "--quiet", option,
         value, "-o", path);
  return path;
}

/* A model's own fit is taken where the user does not say: not under `official`, nor where a map
 * lies on the drawing. The picture tells, so that it can be made again. */
static void test_fit_of_the_model(void **state) {
  (void)state;
  const char *own = model_with("own", "{\"fit\": \"ink\"}"), *none = model_with("none", "{}");
  char map[256];
  snprintf(map, sizeof map, "%s", golden_path("tiny/input/photo.png"));
  draw_small(in_folder("small.png"));
  const char *usual = drawn_with(own, "usual.png", "--seed", "0"),
             *plain = drawn_with(none, "plain.png", "--seed", "0");
  assert_false(same_bytes(usual, plain));
  assert_true(same_bytes(usual, drawn_with(none, "asked.png", "--fit", "ink")));
  assert_true(same_bytes(plain, drawn_with(own, "refused.png", "--fit", "stretch")));
  assert_true(same_bytes(drawn_with(own, "a.png", "--recipe", "official"),
                         drawn_with(none, "b.png", "--recipe", "official")));
  assert_true(same_bytes(drawn_with(own, "c.png", "--lambda-map", map),
                         drawn_with(none, "d.png", "--lambda-map", map)));
  EXPECT(0, "replay", usual, "--model", own, "--quiet", "-o", in_folder("again.png"));
  assert_true(same_bytes(usual, in_folder("again.png")));
  run_result told = RUN("info", usual);
  assert_non_null(strstr(told.out, "ink"));
  run_free(&told);
}

static void test_random_seed(void **state) {
  (void)state;
  static const char *const seeds[] = {"-1", "random", "-7"};
  for (int i = 0; i < 3; i++) {
    run_result result = RUN("generate", "--class", "3", "--seed", seeds[i]);
    assert_int_equal(result.code, 2);
    assert_non_null(strstr(result.err, "--seed $RANDOM"));
    run_free(&result);
  }
}

/* The second file is the second picture. */
static void test_counted_alike(void **state) {
  (void)state;
  char second[4096];
  snprintf(second, sizeof second, "%s", in_folder("many-2.png"));
  run_result result = RUN("draw", sketch(), "--class", "3", "--steps", "1", "--count", "2", "-o",
                          in_folder("many.png"));
  assert_int_equal(result.code, 0);
  const char *line = strstr(result.err, "many-2.png");
  assert_non_null(line);
  assert_non_null(strstr(line, "picture 2"));
  run_free(&result);
  result = RUN("info", second);
  assert_non_null(strstr(result.out, "1 (picture 2 of its seed)"));
  run_free(&result);
}

/* ---- Terminals and names ---- */

static void test_narrow_help(void **state) {
  (void)state;
  static const char *const words[] = {"draw", "--help", NULL};
  int code = 0;
  run_with.columns = 50;
  char *text = run_on_terminal("xterm", &code, words);
  assert_int_equal(code, 0);
  for (const char *line = text; *line != 0; line += strcspn(line, "\n") + 1) {
    if (strcspn(line, "\r\n") > 50) fail_msg("%.*s", (int)strcspn(line, "\r\n"), line);
    if (line[strcspn(line, "\n")] == 0) break;
  }
  free(text);
}

static void test_narrow_progress(void **state) {
  (void)state;
  const char *const words[] = {"generate", "--class",  "3",
                               "--count",  "2",        "--steps",
                               "40",       "--output", in_folder("narrow.png"),
                               NULL};
  int code = 0, drawn = 0;
  run_with.columns = 24;
  char *text = run_on_terminal("xterm", &code, words);
  assert_int_equal(code, 0);
  for (const char *at = text; (at = strstr(at, "\r\x1b[K")) != NULL; drawn++) {
    at += 4;
    if (strncmp(at, "picture", 7) == 0 && strcspn(at, "\r\n") > 23)
      fail_msg("%.*s", (int)strcspn(at, "\r\n"), at);
  }
  assert_true(drawn > 0);
  free(text);
}

static void test_other_encodings(void **state) {
  (void)state;
  size_t bytes;
  msk_error error;
  char path[4096];
  uint8_t *data = test_read_file(sketch(), &bytes);
  snprintf(path, sizeof path, "%s", in_folder("\xe4pfel\xff.png"));
  assert_int_equal(msk_file_write(path, data, bytes, &error), MSK_OK);
  free(data);
  run_with.folder = in_folder(".");
  run_result result = RUN("draw", path, "--class", "3", "--steps", "1", "--json");
  assert_int_equal(result.code, 0);
  json_t *object = json_loads(result.out, 0, NULL);
  assert_non_null(object);
  assert_string_equal(json_string_value(json_object_get(object, "file")), "?pfel?-3-0.png");
  json_decref(object);
  run_free(&result);
  assert_true(exists(in_folder("\xe4pfel\xff-3-0.png")));
  result = RUN("info", "--json", path);
  object = json_loads(result.out, 0, NULL);
  assert_non_null(object);
  json_decref(object);
  run_free(&result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_recipes),          cmocka_unit_test(test_other_kernels),
      cmocka_unit_test(test_fit_of_the_model), cmocka_unit_test(test_random_seed),
      cmocka_unit_test(test_counted_alike),    cmocka_unit_test(test_narrow_help),
      cmocka_unit_test(test_narrow_progress),  cmocka_unit_test(test_other_encodings),
  };
  return cmocka_run_group_tests(tests, set_up_models, tear_down_folder);
}
