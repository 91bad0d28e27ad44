/* SPDX-License-Identifier: Apache-2.0
 *
 * test_eval_lists.c - drawings listed beside the SPEC, in a folder of classes or a CSV: the same
 * pictures and measures as of those listed inside; classes without drawings: the pictures of
 * `masksketch generate`; and what is refused of them. */
#include <sys/stat.h>

#include "eval_files.h"

#define SETTINGS "\"settings\": {\"steps\": 2, \"tail\": 0}, \"seeds\": [0, 3]"

static void copy_file(const char *from, const char *to) {
  size_t bytes = 0;
  uint8_t *data = test_read_file(from, &bytes);
  assert_int_equal(msk_file_write(to, data, bytes, NULL), MSK_OK);
  free(data);
}

/* A drawing of the test's folder in a place of its own; in_folder() has few buffers. */
static void put_drawing(const char *name, const char *place) {
  char from[4096];
  strcpy(from, in_folder("%s", name));
  copy_file(from, in_folder("%s", place));
}

static void run_eval(int code, const char *spec, const char *folder) {
  EXPECT(code, "eval", in_folder("%s", spec), "-o", in_folder("%s", folder), "--judge",
         golden_judge(), "--quiet");
}

static int set_up_lists(void **state) {
  if (set_up_eval(state) != 0) return -1;
  mkdir(in_folder("drawn"), 0777);
  mkdir(in_folder("drawn/ball"), 0777);
  mkdir(in_folder("drawn/cube"), 0777);
  put_drawing("a.png", "drawn/ball/one.png");
  put_drawing("b.png", "drawn/ball/two.png");
  put_drawing("a.png", "drawn/cube/one.png");
  write_text("drawn/notes.txt", "no class");
  write_text("drawn/cube/notes.txt", "no picture");
  write_text("inside.json", "{" SETTINGS
                            ", \"sketches\": ["
                            "{\"file\": \"a.png\", \"class\": \"ball\", \"name\": \"ball/one\"},"
                            "{\"file\": \"b.png\", \"class\": \"ball\", \"name\": \"ball/two\"},"
                            "{\"file\": \"a.png\", \"class\": \"cube\", \"name\": \"cube/one\"}]}");
  run_eval(0, "inside.json", "inside");
  return 0;
}

static void expect_like_inside(const char *folder) {
  static const char *const names[] = {"results.csv", "summary.csv", "pictures/000005.png"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char other[4096];
    strcpy(other, in_folder("%s/%s", folder, names[i]));
    if (!same_bytes(other, in_folder("inside/%s", names[i]))) fail_msg("%s differs", other);
  }
}

static void test_folder_of_classes(void **state) {
  (void)state;
  write_text("folder.json", "{" SETTINGS ", \"sketches\": \"drawn\"}");
  run_eval(0, "folder.json", "by-folder");
  expect_like_inside("by-folder");
  /* the folder with a slash is the same, another size of a drawing is another evaluation */
  write_text("folder.json", "{" SETTINGS ", \"sketches\": \"drawn/\"}");
  run_eval(0, "folder.json", "by-folder");
  put_drawing("b.png", "drawn/cube/one.png");
  run_eval(2, "folder.json", "by-folder");
  put_drawing("a.png", "drawn/cube/one.png");
}

/* With the mark, line ends and quotes of spreadsheets; files lie where the CSV does. */
static void test_csv(void **state) {
  (void)state;
  write_text("drawn/list.csv",
             "\xEF\xBB\xBF"
             "class,file,fit,name,mask\r\n"
             "ball,ball/one.png,stretch,\"ball/one\",\r\n"
             "\"ball\",ball/two.png,,,\r\n"
             "\r\n"
             "cube,\"cube/one.png\",,,");
  write_text("csv.json", "{" SETTINGS ", \"sketches\": \"drawn/list.csv\"}");
  run_eval(0, "csv.json", "by-csv");
  expect_like_inside("by-csv");
}

static void bad_list(const char *parts, const char *csv) {
  char copy[200], *save = NULL;
  write_text("bad.csv", "%s", csv);
  write_text("bad.json", "{\"sketches\": \"bad.csv\"}");
  run_result result = RUN("eval", in_folder("bad.json"), "-o", in_folder("never"));
  assert_int_equal(result.code, 3);
  snprintf(copy, sizeof copy, "%s", parts);
  for (char *part = strtok_r(copy, "|", &save); part != NULL; part = strtok_r(NULL, "|", &save)) {
    if (strstr(result.err, part) == NULL) fail_msg("no '%s' in: %s", part, result.err);
  }
  run_free(&result);
  assert_false(exists(in_folder("never")));
}

static void test_bad_lists(void **state) {
  (void)state;
  bad_list("line 1|missing|file,class", "");
  bad_list("lists no drawings", "file,class\n");
  bad_list("line 3|number of fields", "file,class\na.png,ball\nb.png\n");
  bad_list("line 2: clas|\"class\"", "file,clas\na.png,ball\n");
  bad_list("line 2: class|missing", "file,class\na.png,\n");
  bad_list("line 3|never closed", "file,class\na.png,ball\n\"b.png,ball\n");
  bad_list("line 2|behind a closing quote", "file,class\n\"a.png\"x,ball\n");
  bad_list("line 2: fit|stretch, pad, crop", "file,class,fit\na.png,ball,wide\n");
  bad_list("name a,|different", "file,class\na.png,ball\na.png,cube\n");
  bad_list("sketches[1]|horse", "file,class\na.png,ball\nb.png,horse\n");
  bad_list("nowhere.png", "file,class\nnowhere.png,ball\n");
}

/* Pictures of classes, with nothing measured that needs a drawing. */
static void test_generate(void **state) {
  (void)state;
  write_text("generate.json",
             "{\"job\": \"generate\", \"classes\": [\"ball\", 1], "
             "\"settings\": {\"steps\": [2, 3]}, \"seeds\": [4, 5]}");
  run_eval(0, "generate.json", "generated");
  EXPECT(0, "generate", "--class", "1", "--steps", "3", "--seed", "4", "-o", in_folder("alone.png"),
         "--quiet");
  assert_true(same_bytes(in_folder("alone.png"), in_folder("generated/pictures/000006.png")));
  char *csv = read_text_file(in_folder("generated/results.csv"));
  assert_int_equal(count_lines(csv), 9);
  assert_string_equal(csv_field(csv, "class", 6), "1");
  assert_string_equal(csv_field(csv, "seed", 6), "4");
  assert_true(strlen(csv_field(csv, "judge_class", 6)) > 0);
  assert_null(strstr(csv, "structure"));
  assert_null(strstr(csv, "judge_iou"));
  free(csv);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_folder_of_classes),
                                     cmocka_unit_test(test_csv), cmocka_unit_test(test_bad_lists),
                                     cmocka_unit_test(test_generate)};
  return cmocka_run_group_tests(tests, set_up_lists, tear_down_eval);
}
