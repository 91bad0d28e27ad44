/* SPDX-License-Identifier: Apache-2.0
 *
 * test_eval_mistakes.c - SPECs and folders that must be refused: the exit code, one line that
 * names what is valid, no folder left behind, and nothing of an earlier evaluation lost. */
#include <sys/stat.h>
#include <unistd.h>

#include "clip_files.h"
#include "eval_files.h"

/* Runs it and looks at code and message: one line with every part of `parts` (parted by |) in
 * it. */
static void mistake(int line, int code, const char *parts, const char *const *arguments) {
  run_result result = run_program(arguments);
  char copy[512], *save = NULL;
  if (result.code != code)
    fail_msg("line %d: exit code %d, expected %d: %s", line, result.code, code, result.err);
  const char *end = strchr(result.err, '\n');
  if (strncmp(result.err, "masksketch: ", 12) != 0 || end == NULL || end[1] != 0)
    fail_msg("line %d: the message is not one line: %s", line, result.err);
  snprintf(copy, sizeof copy, "%s", parts);
  for (char *part = strtok_r(copy, "|", &save); part != NULL; part = strtok_r(NULL, "|", &save)) {
    if (strstr(result.err, part) == NULL)
      fail_msg("line %d: '%s' is not in the message: %s", line, part, result.err);
  }
  run_free(&result);
}
#define MISTAKE(code, parts, ...) \
  mistake(__LINE__, (code), (parts), (const char *const[]){__VA_ARGS__, NULL})

/* A SPEC that is refused with exit code 3, before a folder is made. */
static void bad_spec(int line, const char *parts, const char *text) {
  const char *path = write_text("bad.json", "%s", text);
  mistake(line, 3, parts, (const char *const[]){"eval", path, "-o", in_folder("never"), NULL});
  assert_false(exists(in_folder("never")));
}
#define BAD(parts, text) bad_spec(__LINE__, (parts), (text))
#define SKETCH "\"sketches\": [{\"file\": \"a.png\", \"class\": \"ball\"}]"

static void test_json(void **state) {
  (void)state;
  BAD("bad.json|line 1|JSON", "");
  BAD("line 2|JSON", "{\n\"sketches\": [");
  BAD("no JSON object", "[1, 2]");
  BAD("JSON", "{\"title\": \"a\", \"title\": \"b\", " SKETCH "}");
  BAD("JSON", "{\"title\": \"a\\u0000b\", " SKETCH "}");
  BAD("JSON", "{\"title\": \"\xFF\xFE\", " SKETCH "}");
  BAD("JSON", "{\"seeds\": [1e999], " SKETCH "}");
  char *deep = calloc(1, 300001);
  assert_non_null(deep);
  memset(deep, '[', 300000);
  BAD("JSON", deep);
  char *large = malloc((1 << 20) + 2);
  assert_non_null(large);
  memset(large, ' ', (1 << 20) + 1);
  large[(1 << 20) + 1] = 0;
  BAD("1048577|1048576", large);
  free(deep);
  free(large);
  MISTAKE(3, "nowhere.json", "eval", in_folder("nowhere.json"));
}

static void test_keys(void **state) {
  (void)state;
  BAD("\"setting\"|\"settings\"", "{\"setting\": {}, " SKETCH "}");
  BAD("\"settings.lambda_struct\"|\"lambda_structure\"",
      "{\"settings\": {\"lambda_struct\": 1}, " SKETCH "}");
  BAD("\"settings.guidence\"|\"guidance\"", "{\"settings\": {\"guidence\": 1}, " SKETCH "}");
  BAD("\"sketches[1].clas\"|\"class\"",
      "{\"sketches\": [{\"file\": \"a.png\", \"class\": \"ball\"}, {\"file\": \"b.png\", \"clas\": "
      "\"x\"}]}");
  BAD("\"plots[0].z\"",
      "{\"plots\": [{\"x\": \"seed\", \"y\": \"structure\", \"z\": \"a\"}], " SKETCH "}");
  BAD("\"plots[0].y\"|missing", "{\"plots\": [{\"x\": \"seed\"}], " SKETCH "}");
  BAD("stucture|\"structure\"",
      "{\"plots\": [{\"x\": \"seed\", \"y\": \"stucture\"}], " SKETCH "}");
  BAD("\"sketches\"|\"sketch\"",
      "{\"plots\": [{\"x\": \"sketches\", \"y\": \"structure\"}], " SKETCH "}");
  BAD("along", "{\"plots\": [{\"x\": \"structure\", \"y\": \"judge_class\"}], " SKETCH "}");
  BAD("along|leave it out",
      "{\"plots\": [{\"x\": \"seed\", \"y\": \"judge_class\", \"along\": \"seed\"}], " SKETCH "}");
  BAD("\"lambda_structure\"",
      "{\"sheets\": [{\"rows\": \"sketch\", \"columns\": \"lambda_structure\"}], " SKETCH "}");
  BAD("judg|judge", "{\"scores\": [\"judg\"], " SKETCH "}");
}

static void test_values(void **state) {
  (void)state;
  BAD("steps|0|1..10000", "{\"settings\": {\"steps\": [2, 0]}, " SKETCH "}");
  BAD("lambda_structure|1.5", "{\"settings\": {\"lambda_structure\": 1.5}, " SKETCH "}");
  BAD("lambda_structure|twice", "{\"settings\": {\"lambda_structure\": [0.5, 0.50]}, " SKETCH "}");
  BAD("distance|official",
      "{\"recipes\": [\"balanced\", \"official\"], \"settings\": {\"distance\": "
      "\"jensen-shannon\"}, " SKETCH "}");
  BAD("steps", "{\"settings\": {\"steps\": {}}, " SKETCH "}");
  BAD("steps", "{\"settings\": {\"steps\": []}, " SKETCH "}");
  BAD("steps", "{\"settings\": {\"steps\": [null]}, " SKETCH "}");
  BAD("layers|twice", "{\"settings\": {\"layers\": [[0, 1], \"0,1\"]}, " SKETCH "}");
  BAD("layers", "{\"settings\": {\"layers\": [[0, 0.5]]}, " SKETCH "}");
  BAD("settings", "{\"settings\": [1], " SKETCH "}");
  BAD("recipes|best", "{\"recipes\": \"best\", " SKETCH "}");
  BAD("seeds", "{\"seeds\": [-1], " SKETCH "}");
  BAD("seeds|twice", "{\"seeds\": [1, 1], " SKETCH "}");
  BAD("seeds", "{\"seeds\": \"1\", " SKETCH "}");
  BAD("seeds", "{\"seeds\": [], " SKETCH "}");
  BAD("tile|32 to 512", "{\"tile\": 9999, " SKETCH "}");
  BAD("title", "{\"title\": 5, " SKETCH "}");
  BAD("title|control", "{\"title\": \"a\\u001b[31m\", " SKETCH "}");
  BAD("sketches|missing", "{}");
  BAD("sketches|missing|1 to 500", "{\"job\": \"draw\"}");
  BAD("sketches|0 entries", "{\"sketches\": []}");
  BAD("classes|missing", "{\"job\": \"generate\"}");
  BAD("sketches|generate|leave it out", "{\"job\": \"generate\", \"classes\": 1, " SKETCH "}");
  BAD("classes|draw|leave it out", "{\"classes\": [\"ball\"], " SKETCH "}");
  BAD("job|draw, generate", "{\"job\": \"edit\", " SKETCH "}");
  BAD("classes[1]|horse", "{\"job\": \"generate\", \"classes\": [\"ball\", \"horse\"]}");
  BAD("settings.lambda_structure",
      "{\"job\": \"generate\", \"classes\": [\"ball\"], "
      "\"settings\": {\"lambda_structure\": 1}}");
  BAD("nowhere.csv", "{\"sketches\": \"nowhere.csv\"}");
  BAD("a.png|line 2|file|missing", "{\"sketches\": \"a.png\"}");
  BAD("sketches[0]", "{\"sketches\": [\"a.png\"]}");
  BAD("class|missing", "{\"sketches\": [{\"file\": \"a.png\"}]}");
  BAD("name a|different",
      "{\"sketches\": [{\"file\": \"a.png\", \"class\": \"ball\"}, {\"file\": \"a.png\", "
      "\"class\": \"cube\"}]}");
  BAD("fit|stretch, pad, crop",
      "{\"sketches\": [{\"file\": \"a.png\", \"class\": \"ball\", \"fit\": \"squeeze\"}]}");
  BAD("photo_of_paper",
      "{\"sketches\": [{\"file\": \"a.png\", \"class\": \"ball\", \"photo_of_paper\": 1}]}");
}

/* Counted before memory is taken: 250 x 250 x 20 seeds is a million and a quarter. */
static void test_sizes(void **state) {
  (void)state;
  char *text = malloc(200000);
  assert_non_null(text);
  char *at = text;
  at += sprintf(at, "{\"settings\": {\"steps\": [");
  for (int i = 1; i <= 250; i++) at += sprintf(at, "%s%d", i > 1 ? "," : "", i);
  at += sprintf(at, "], \"tail\": [");
  for (int i = 1; i <= 250; i++) at += sprintf(at, "%s%d", i > 1 ? "," : "", i);
  sprintf(at, "]}, \"seeds\": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19], " SKETCH "}");
  BAD("1000000 pictures", text);
  at = text + sprintf(text, "{\"settings\": {\"steps\": [");
  for (int i = 1; i <= 257; i++) at += sprintf(at, "%s%d", i > 1 ? "," : "", i);
  sprintf(at, "]}, " SKETCH "}");
  BAD("257 values|256", text);
  at = text + sprintf(text, "{\"seeds\": [");
  for (int i = 0; i <= 1000; i++) at += sprintf(at, "%s%d", i > 0 ? "," : "", i);
  sprintf(at, "], " SKETCH "}");
  BAD("1001 values|1000", text);
  free(text);
}

static void test_files(void **state) {
  (void)state;
  BAD("nowhere.png", "{\"sketches\": [{\"file\": \"nowhere.png\", \"class\": \"ball\"}]}");
  BAD("names.txt", "{\"sketches\": [{\"file\": \"names.txt\", \"class\": \"ball\"}]}");
  BAD("nowhere.png",
      "{\"sketches\": [{\"file\": \"a.png\", \"class\": \"ball\", \"mask\": \"nowhere.png\"}]}");
  BAD("sketches[0]|horse", "{\"sketches\": [{\"file\": \"a.png\", \"class\": \"horse\"}]}");
  BAD("./nowhere", "{\"models\": [\"./nowhere\"], " SKETCH "}");
  mkdir(in_folder("empty"), 0777);
  const char *reference = write_text("reference.json", "{\"reference\": \"empty\", " SKETCH "}");
  MISTAKE(3, "empty|0 pictures|at least 2", "eval", reference, "-o", in_folder("with-reference"),
          "--judge", golden_judge(), "--quiet");
  MISTAKE(3, "nowhere", "eval", reference, "-o", in_folder("never"), "--judge", "nowhere");
  MISTAKE(3, "nowhere", "eval", reference, "-o", in_folder("never"), "--clip", "nowhere");
  const char *models =
      write_text("models.json", "{\"models\": [\"./shapes.safetensors\"], " SKETCH "}");
  MISTAKE(2, "--model|models", "eval", models, "-o", in_folder("never"), "--model",
          model_of("tiny"));
  const char *layers =
      write_text("layers.json", "{\"settings\": {\"layers\": [[0], [40]]}, " SKETCH "}");
  MISTAKE(2, "setting 1|layer", "eval", layers, "-o", in_folder("never"), "--judge",
          golden_judge());
  const char *only = write_text("only.json", "{\"scores\": [\"structure\"], " SKETCH "}");
  MISTAKE(2, "--judge|scores", "eval", only, "-o", in_folder("never"), "--judge", golden_judge());
  MISTAKE(2, "standard output|-o", "eval", only, "-o", "-");
  assert_false(exists(in_folder("never")));
}

#define FOLDER_SPEC                                                                         \
  "{\"settings\": {\"steps\": %d, \"tail\": 0, \"lambda_structure\": [0, 1]}, \"scores\": " \
  "\"structure\", %s" SKETCH "}"

static void test_folders(void **state) {
  (void)state;
  char first[4096], other[4096], title[4096];
  strcpy(first, write_text("first.json", FOLDER_SPEC, 1, ""));
  strcpy(other, write_text("other.json", FOLDER_SPEC, 2, ""));
  strcpy(title, write_text("title.json", FOLDER_SPEC, 1, "\"title\": \"t\", "));
  char folder[4096];
  strcpy(folder, in_folder("kept"));
  EXPECT(0, "eval", first, "-o", folder, "--quiet");
  char *before = read_text_file(in_folder("kept/records.jsonl"));
  MISTAKE(2, "another SPEC|settings.steps|-o", "eval", other, "-o", folder);
  EXPECT(0, "convert", "--tokenizer", golden_path("tiny/tokenizer_imagenet128_checkpoint"),
         "--transformer", golden_path("tiny/maskgit_imagenet128_checkpoint"), "--classes",
         in_folder("names.txt"), "--dtype", "f16", "-o", in_folder("half.safetensors"), "--quiet");
  MISTAKE(2, "another SPEC|models", "eval", first, "-o", folder, "--model",
          in_folder("half.safetensors"));
  MISTAKE(2, "another SPEC|models", "eval", first, "-o", folder, "--precision", "int8");
  if (has_gpu()) MISTAKE(2, "another SPEC|models", "eval", first, "-o", folder, "--device", "1");
  EXPECT(0, "eval", title, "-o", folder, "--quiet"); /* only the report differs */
  write_text("kept/records.jsonl", "{\"point\": 1\n%s", before);
  MISTAKE(3, "line 1|records.jsonl|delete that line", "eval", first, "-o", folder);
  write_text("kept/records.jsonl", "{\"point\": 2}\n%s", before);
  MISTAKE(3, "line 1", "eval", first, "-o", folder);
  write_text("kept/records.jsonl", "%s", before);
  EXPECT(0, "eval", first, "-o", folder, "--quiet");
  char *after = read_text_file(in_folder("kept/records.jsonl"));
  assert_string_equal(before, after);
  write_text("kept/identity.json", "{");
  MISTAKE(3, "identity.json|damaged", "eval", first, "-o", folder);
  mkdir(in_folder("strange"), 0777);
  write_text("strange/thesis.txt", "mine");
  MISTAKE(2, "strange|other files", "eval", first, "-o", in_folder("strange"));
  assert_int_equal(count_files(in_folder("strange"), ""), 1);
  MISTAKE(1, "cannot make|nowhere", "eval", first, "-o", in_folder("nowhere/deep"));
  free(before);
  free(after);
}

static void test_distance(void **state) {
  (void)state;
  mkdir(in_folder("one"), 0777);
  MISTAKE(2, "no input|A B", "distance", in_folder("one"));
  MISTAKE(3, "one|0 pictures", "distance", in_folder("one"), in_folder("one"), "--judge",
          golden_judge());
  MISTAKE(3, "nowhere", "distance", in_folder("nowhere"), in_folder("one"), "--judge",
          golden_judge());
  MISTAKE(2, "--clip|--features judge", "distance", in_folder("one"), in_folder("one"), "--clip",
          "x");
  MISTAKE(2, "--judge|--features clip", "distance", in_folder("one"), in_folder("one"), "--judge",
          "x", "--features", "clip");
  MISTAKE(2, "--features|inception|judge clip", "distance", in_folder("one"), in_folder("one"),
          "--features", "inception");
  write_text("one/a.png", "no picture");
  write_text("one/b.png", "no picture");
  MISTAKE(3, "a.png", "distance", in_folder("one"), in_folder("one"), "--judge", golden_judge());
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_json),    cmocka_unit_test(test_keys),
                                     cmocka_unit_test(test_values),  cmocka_unit_test(test_sizes),
                                     cmocka_unit_test(test_files),   cmocka_unit_test(test_folders),
                                     cmocka_unit_test(test_distance)};
  return cmocka_run_group_tests(tests, set_up_eval, tear_down_eval);
}
