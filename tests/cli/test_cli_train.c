/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_train.c - from a folder of photos to a model with one spec, and from ten pictures to an
 * adapter, in miniature: every stage, going on from what is there, what a spec may not say. The
 * networks are the golden ones' sizes, far too small and too briefly trained to show anything. */
#include <jansson.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "cli_run.h"
#include "masksketch_tools.h"

enum { EACH = 6, SIDE = 96 };

static void save(const msk_image *image, const char *path) {
  void *bytes = NULL;
  size_t count = 0;
  assert_int_equal(msk_image_encode(image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &count, NULL, NULL),
                   MSK_OK);
  assert_int_equal(msk_file_write(path, bytes, count, NULL), MSK_OK);
  msk_free(NULL, bytes);
}

/* A disc or a bar, its outline beside it. */
static void make_pair(const char *folder, int i, bool disc) {
  msk_image photo, drawing;
  assert_int_equal(msk_image_create(&photo, SIDE + 8 * i, SIDE, NULL, NULL), MSK_OK);
  assert_int_equal(msk_image_create(&drawing, SIDE + 8 * i, SIDE, NULL, NULL), MSK_OK);
  for (int p = 0; p < photo.width * photo.height; p++) {
    int x = p % photo.width - photo.width / 2, y = p / photo.width - SIDE / 2,
        far = disc ? x * x + y * y : 9 * x * x, edge = 900;
    memset(photo.pixels + 3 * p, far < edge ? 60 + 20 * i : 240, 3);
    memset(drawing.pixels + 3 * p, far < edge && far > edge - 150 ? 0 : 255, 3);
  }
  save(&photo, in_folder("%s/%d.png", folder, i));
  save(&drawing, in_folder("%s/%d.sketch.png", folder, i));
  msk_image_free(&photo);
  msk_image_free(&drawing);
}

static void make_photos(void) {
  mkdir(in_folder("photos"), 0777);
  mkdir(in_folder("photos/disc"), 0777);
  mkdir(in_folder("photos/bar"), 0777);
  for (int i = 0; i < EACH; i++) {
    make_pair("photos/disc", i, true);
    make_pair("photos/bar", i, false);
  }
}

static const char *write_spec(const char *name, const char *format, ...) {
  static char path[4200];
  char text[2000];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  assert_int_equal(msk_file_write(in_folder("%s", name), text, strlen(text), NULL), MSK_OK);
  snprintf(path, sizeof path, "%s", in_folder("%s", name));
  return path;
}

#define COMMON                                                                     \
  "\"photos\": \"photos\", \"size\": 128, \"crops\": 2, \"warmup_sequences\": 2, " \
  "\"decay_sequences\": 2, \"first_objects\": 4, \"tokenizer\": \"%s\""
#define TRANSFORMER                                                                  \
  "\"stage\": \"transformer\", \"batch\": 2, \"pair_batch\": 1, \"pair_every\": 2, " \
  "\"layers\": 2, \"width\": 32, \"heads\": 2, \"structure_layers\": [1], \"sequences\": 4"

static void test_from_photos_to_a_model(void **state) {
  (void)state;
  make_photos();
  assert_int_equal(msk_file_write(in_folder("photos/bar/bad.png"), "no", 2, NULL), MSK_OK);
  const char *spec =
      write_spec("all.json",
                 "{" COMMON
                 ", \"work\": \"run\", \"output\": \"mine.safetensors\", \"stages\": ["
                 "{\"stage\": \"tokenizer\", \"batch\": 1, \"sequences\": 3},"
                 "{\"stage\": \"decoder\", \"batch\": 1, \"sequences\": 2}, {" TRANSFORMER "}]}",
                 model_of("tiny"));
  run_result result = RUN("train", spec, "--threads", "1");
  if (result.code != 0) fail_msg("%s", result.err);
  const char *warned = strstr(result.err, "bad.png");
  assert_non_null(warned);
  assert_null(strstr(warned + 40, "left out")); /* once for all stages */
  run_free(&result);
  static const char *const made[] = {"mine.safetensors",
                                     "run/tokenizer.safetensors",
                                     "run/decoder.safetensors",
                                     "run/tokenizer/samples.png",
                                     "run/decoder/tokenizer.checkpoint",
                                     "run/transformer/transformer.checkpoint",
                                     "run/transformer/curves.csv"};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++)
    assert_true(exists(in_folder("%s", made[i])));
  run_result classes = RUN("classes", "--model", in_folder("mine.safetensors"));
  assert_non_null(strstr(classes.out, "bar"));
  assert_non_null(strstr(classes.out, "disc"));
  assert_null(strstr(classes.out, "null"));
  run_free(&classes);
  EXPECT(0, "draw", in_folder("photos/disc/0.sketch.png"), "--model", in_folder("mine.safetensors"),
         "--class", "disc", "--steps", "2", "-o", in_folder("drawn.png"), "--quiet");
  /* what is finished is as it was */
  rename(in_folder("mine.safetensors"), in_folder("before.safetensors"));
  EXPECT(0, "train", spec, "--quiet");
  assert_true(same_bytes(in_folder("mine.safetensors"), in_folder("before.safetensors")));
}

/* A run of the rendered world, of which the tokens are looked at, without the header that names the
 * pictures. */
static uint8_t *train_on_world(const char *name, const char *kinds, size_t *bytes) {
  enum { HEADER = 256 };
  char output[64];
  snprintf(output, sizeof output, "%s.safetensors", name);
  const char *spec = write_spec("world.json",
                                "{\"tokenizer\": \"%s\", \"size\": 128, \"work\": \"%s\", "
                                "\"output\": \"%s\", \"objects\": 3, \"first_objects\": 3, "
                                "\"held_out_objects\": 1, %s" TRANSFORMER "}",
                                model_of("tiny"), name, output, kinds);
  run_result result = RUN("train", spec, "--threads", "1");
  if (result.code != 0) fail_msg("%s", result.err);
  run_free(&result);
  void *read = NULL;
  assert_int_equal(
      msk_file_read(in_folder("%s/train.tokens", name), 1 << 20, &read, bytes, NULL, NULL), MSK_OK);
  assert_true(*bytes > HEADER);
  *bytes -= HEADER;
  memmove(read, (uint8_t *)read + HEADER, *bytes);
  return read;
}

/* Objects stand in turn for the kinds: three of "apple, mug, house" are the first three of four.
 * The model's classes are those names; and other kinds are other pictures. */
static void test_kinds(void **state) {
  size_t bytes[3];
  (void)state;
  uint8_t *four = train_on_world("four", "\"kinds\": [\"apple\", \"mug\", \"house\", \"fish\"], ",
                                 &bytes[0]),
          *three =
              train_on_world("three", "\"kinds\": [\"apple\", \"mug\", \"house\"], ", &bytes[1]),
          *others = train_on_world("others", "\"kinds\": [\"umbrella\", \"mug\", \"house\"], ",
                                   &bytes[2]);
  assert_int_equal(bytes[0], bytes[1]);
  assert_int_equal(bytes[0], bytes[2]);
  assert_memory_equal(four, three, bytes[0]);
  assert_memory_not_equal(four, others, bytes[0]);
  run_result classes = RUN("classes", "--model", in_folder("others.safetensors"));
  const char *umbrella = strstr(classes.out, "umbrella");
  assert_true(umbrella != NULL && strstr(umbrella, "house") != NULL);
  assert_null(strstr(classes.out, "apple"));
  run_free(&classes);
  free(four), free(three), free(others);
}

static void refuse_kinds(const char *word, const char *kinds) {
  run_result result =
      RUN("train", write_spec("bad.json",
                              "{\"work\": \"bad\", \"output\": \"bad.safetensors\", "
                              "\"kinds\": %s}",
                              kinds));
  if (result.code != 2 || strstr(result.err, word) == NULL)
    fail_msg("exit code %d, '%s' for '%s'", result.code, result.err, kinds);
  run_free(&result);
}

static void refuse(int code, const char *word, const char *rest) {
  const char *spec = write_spec("bad.json", "{" COMMON "%s}", model_of("tiny"), rest);
  run_result result = RUN("train", spec);
  if (result.code != code || strstr(result.err, word) == NULL)
    fail_msg("exit code %d, '%s' for '%s'", result.code, result.err, rest);
  run_free(&result);
}

#define PLACES ", \"work\": \"bad\", \"output\": \"bad.safetensors\""
static void test_bad_specs(void **state) {
  (void)state;
  refuse(2, "work", ", \"output\": \"x.safetensors\"");
  refuse(2, "unknown key 'colour'", PLACES ", \"colour\": 1");
  refuse(2, "style", PLACES ", \"style\": \"wide\"");
  refuse(2, "expected auto, fp32 or bf16", PLACES ", \"precision\": \"int8\"");
  refuse(2, "no photos beside it", PLACES ", \"kinds\": [\"apple\", \"mug\"]");
  refuse_kinds("two kinds of objects or more", "[\"apple\"]");
  refuse_kinds("two kinds of objects or more", "\"apple\"");
  refuse_kinds("each kind once", "[\"apple\", \"mug\", \"apple\"]");
  refuse_kinds("'zebra' is none of the world's objects", "[\"apple\", \"zebra\"]");
  refuse_kinds("'' is none of the world's objects", "[\"apple\", 3]");
  refuse(2, "stages", PLACES ", \"stages\": []");
  refuse(2, "each stage once",
         PLACES ", \"stages\": [{\"stage\": \"decoder\"}, {\"stage\": \"decoder\"}]");
  refuse(2, "not in one of them",
         PLACES ", \"stages\": [{\"stage\": \"decoder\", \"work\": \"w\"}]");
  refuse(2, "stage", PLACES ", \"stages\": [{\"stage\": \"dreamer\"}]");
  assert_false(exists(in_folder("bad.safetensors")));
  for (int i = 3; i < EACH; i++) remove(in_folder("photos/bar/%d.png", i));
  refuse(2, "class bar has 3 pictures", PLACES);
  assert_int_equal(rename(in_folder("photos/bar"), in_folder("bar")), 0);
  refuse(2, "1 class,", PLACES);
}

static void test_teach(void **state) {
  (void)state;
  run_result result = RUN("teach", model_of("tiny"), in_folder("photos/disc"), "--class", "disc",
                          "-o", in_folder("disc.safetensors"), "--steps", "3", "--batch", "2",
                          "--crops", "1", "--replay", "1", "--precision", "bf16");
  if (result.code != 0) fail_msg("%s", result.err);
  assert_non_null(strstr(result.err, "6 pictures, 6 of them with a drawing"));
  assert_non_null(strstr(result.err, "3 steps, about "));
  run_free(&result);
  EXPECT(0, "generate", "--model", model_of("tiny"), "--adapter", in_folder("disc.safetensors"),
         "--class", "disc", "--steps", "2", "-o", in_folder("taught.png"), "--quiet");
}

#define TEACH_FULL(name, steps)                                                           \
  "teach", model_of("tiny"), in_folder("photos/disc"), "--class", "disc", "--full", "-o", \
      in_folder(name), "--steps", steps, "--batch", "2", "--crops", "1", "--replay", "1"

static void test_teach_full(void **state) {
  (void)state;
  run_result result = RUN(TEACH_FULL("whole.safetensors", "3"), "--memory");
  if (result.code != 0) fail_msg("%s", result.err);
  assert_non_null(strstr(result.err, "memory: "));
  assert_non_null(strstr(result.err, "3 steps, about "));
  assert_non_null(strstr(result.err, "--model "));
  run_free(&result);
  assert_false(exists(in_folder("whole.safetensors.checkpoint")));
  EXPECT(0, "generate", "--model", in_folder("whole.safetensors"), "--class", "disc", "--steps",
         "2", "-o", in_folder("whole.png"), "--quiet");
  run_result classes = RUN("classes", "--model", in_folder("whole.safetensors"), "disc");
  assert_non_null(strstr(classes.out, "disc"));
  run_free(&classes);
  /* what is there is replaced by those alone who say so */
  EXPECT(2, TEACH_FULL("whole.safetensors", "3"));
  EXPECT(2, TEACH_FULL("other.safetensors", "3"), "--rank", "4");
  EXPECT(2, TEACH_FULL("other.safetensors", "3"), "--layers", "1");
  assert_false(exists(in_folder("other.safetensors")));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_from_photos_to_a_model),
                                     cmocka_unit_test(test_kinds), cmocka_unit_test(test_teach),
                                     cmocka_unit_test(test_teach_full),
                                     cmocka_unit_test(test_bad_specs)};
  return cmocka_run_group_tests(tests, set_up_models, tear_down_folder);
}
