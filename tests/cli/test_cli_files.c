/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_files.c - files as people have them: what cannot be written is told before the work
 * with the reason that the system gives, nothing that is there is replaced without --force, and
 * pipes are read like files. */
#include <sys/stat.h>
#include <unistd.h>

#include "cli_run.h"

static const char *sketch(void) { return golden_path("tiny/input/sketch0.png"); }

/* Runs it without --force, and looks for `part` in the message. */
static void refuse(int line, int code, const char *part, const char *const *arguments) {
  run_with.without_force = 1;
  run_result result = run_program(arguments);
  if (result.code != code || strstr(result.err, part) == NULL)
    fail_msg("line %d: exit code %d: %s", line, result.code, result.err);
  run_free(&result);
}
#define REFUSE(code, part, ...) \
  refuse(__LINE__, (code), (part), (const char *const[]){__VA_ARGS__, NULL})

static void put(const char *path, const char *text) {
  msk_error error;
  assert_int_equal(msk_file_write(path, text, strlen(text), &error), MSK_OK);
}

static void is_kept(const char *path) {
  size_t bytes = 0;
  uint8_t *data = test_read_file(path, &bytes);
  assert_int_equal(bytes, 4);
  assert_memory_equal(data, "mine", 4);
  free(data);
}

/* ---- What is there already ---- */

static void test_nothing_is_replaced(void **state) {
  (void)state;
  static const char *const names[] = {"m.png", "m-2.png", "m.npy", "m.safetensors"};
  char png[4096], numbered[4096], npy[4096], model[4096], fresh[4096], tokenizer[4096];
  for (int i = 0; i < 4; i++) put(in_folder("%s", names[i]), "mine");
  snprintf(png, sizeof png, "%s", in_folder("m.png"));
  snprintf(numbered, sizeof numbered, "%s", in_folder("m-2.png"));
  snprintf(npy, sizeof npy, "%s", in_folder("m.npy"));
  snprintf(model, sizeof model, "%s", in_folder("m.safetensors"));
  snprintf(fresh, sizeof fresh, "%s", in_folder("fresh.png"));
  snprintf(tokenizer, sizeof tokenizer, "%s", golden_path("tiny/tokenizer_imagenet128_checkpoint"));
  REFUSE(2, "--force", "draw", sketch(), "--class", "3", "-o", png);
  REFUSE(2, "m-2.png", "generate", "--class", "3", "--count", "2", "-o", png);
  REFUSE(2, "--force", "draw", sketch(), "--class", "3", "-o", fresh, "--sheet", png);
  REFUSE(2, "--force", "draw", sketch(), "--class", "3", "-o", fresh, "--film", png);
  REFUSE(2, "--force", "draw", sketch(), "--class", "3", "-o", fresh, "--tokens-out", npy);
  REFUSE(2, "--force", "tokenize", sketch(), "-o", npy);
  REFUSE(2, "--force", "tokenize", sketch(), "-o", in_folder("f.npy"), "--latents", npy);
  REFUSE(2, "--force", "attention", sketch(), "--class", "3", "-o", npy);
  REFUSE(2, "--force", "sheet", sketch(), "-o", png);
  REFUSE(2, "--force", "bench", "-o", model);
  REFUSE(2, "--force", "convert", "--tokenizer", tokenizer, "--transformer",
         golden_path("tiny/maskgit_imagenet128_checkpoint"), "-o", model);
  EXPECT(0, "tokenize", sketch(), "-o", in_folder("t.npy"), "--quiet");
  REFUSE(2, "--force", "detokenize", in_folder("t.npy"), "-o", png);
  for (int i = 0; i < 4; i++) is_kept(in_folder("%s", names[i]));
  assert_false(exists(fresh));
  run_with.without_force = 1;
  EXPECT(0, "generate", "--class", "3", "--steps", "1", "-o", png, "-f", "--quiet");
  run_with.without_force = 1;
  EXPECT(0, "tokenize", sketch(), "-o", npy, "--force", "--quiet");
  struct stat picture, tokens;
  assert_int_equal(stat(png, &picture) | stat(npy, &tokens), 0);
  assert_true(picture.st_size > 100 && tokens.st_size > 100);
}

/* A name that nobody chose gets a number where it is taken. */
static void test_default_names(void **state) {
  (void)state;
  static const char *const names[] = {"3-8.png", "3-8-2.png", "3-8-3.png"};
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", in_folder("names"));
  assert_int_equal(mkdir(folder, 0755), 0);
  for (int i = 0; i < 3; i++) {
    if (i > 0) put(in_folder("names/%s", names[i - 1]), "mine");
    run_with.without_force = 1;
    run_with.folder = folder;
    EXPECT(0, "generate", "--class", "3", "--seed", "8", "--steps", "1", "--quiet");
    assert_true(exists(in_folder("names/%s", names[i])));
  }
  is_kept(in_folder("names/3-8.png"));
  is_kept(in_folder("names/3-8-2.png"));
}

/* A trace is not mixed into a folder that holds something. */
static void test_trace_folder(void **state) {
  (void)state;
  char out[4096];
  snprintf(out, sizeof out, "%s", in_folder("traced.png"));
  assert_int_equal(mkdir(in_folder("trace"), 0755), 0);
  run_with.without_force = 1;
  EXPECT(0, "generate", "--class", "3", "--steps", "1", "-o", out, "--trace", in_folder("trace"),
         "--quiet");
  assert_int_equal(unlink(out), 0);
  REFUSE(2, "not empty", "generate", "--class", "3", "-o", out, "--trace", in_folder("trace"));
  assert_false(exists(out));
}

/* ---- What cannot be written ---- */

static void test_reasons(void **state) {
  (void)state;
  char closed[4096], name[300];
  memset(name, 'n', sizeof name);
  snprintf(name + 290, 10, ".png");
  assert_int_equal(mkdir(in_folder("folder.png"), 0755), 0);
  assert_int_equal(mkdir(in_folder("closed"), 0755), 0);
  assert_int_equal(symlink("nowhere.png", in_folder("dangling.png")), 0);
  put(in_folder("file.png"), "mine");
  snprintf(closed, sizeof closed, "%s", in_folder("closed/out.png"));
  REFUSE(2, "is a folder", "generate", "--class", "3", "-o", in_folder("folder.png"));
  REFUSE(1, "make it first", "generate", "--class", "3", "-o", in_folder("none/out.png"));
  REFUSE(1, "Not a directory", "generate", "--class", "3", "-o", in_folder("file.png/out.png"));
  REFUSE(1, "File name too long", "generate", "--class", "3", "-o", in_folder("%s", name));
  REFUSE(1, "link", "generate", "--class", "3", "-o", in_folder("dangling.png"));
  REFUSE(1, "link", "tokenize", sketch(), "-o", in_folder("dangling.png"));
  assert_false(exists(in_folder("nowhere.png")));
  run_with.as_nobody = 1;
  REFUSE(1, "Permission denied", "generate", "--class", "3", "-o", closed);
  assert_int_equal(chmod(in_folder("closed"), 0700), 0);
  run_with.as_nobody = 1;
  REFUSE(1, "Permission denied", "generate", "--class", "3", "-o", closed);
}

static void test_terminal(void **state) {
  (void)state;
  static const char *const words[] = {"generate", "--class", "3", "--steps", "1", "-o", "-", NULL};
  int code = 0;
  char *text = run_on_terminal("xterm", &code, words);
  assert_int_equal(code, 2);
  assert_non_null(strstr(text, "terminal"));
  free(text);
}

/* ---- Pipes ---- */

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...) {
  char command[8192];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(command, sizeof command, format, arguments);
  va_end(arguments);
  if (system(command) != 0) fail_msg("this fails: %s", command);
}

static void test_pipes(void **state) {
  (void)state;
  char plain[4096], piped[4096];
  snprintf(plain, sizeof plain, "%s", in_folder("plain.npy"));
  snprintf(piped, sizeof piped, "%s", in_folder("piped.npy"));
  EXPECT(0, "tokenize", sketch(), "-o", plain, "--quiet");
  shell("cat '%s' | \"$MASKSKETCH_PROGRAM\" tokenize /dev/stdin -o '%s' -q", sketch(), piped);
  assert_true(same_bytes(plain, piped));
  assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
  shell("cat '%s' >'%s' & \"$MASKSKETCH_PROGRAM\" tokenize '%s' -o '%s' -q -f", sketch(),
        in_folder("fifo"), in_folder("fifo"), piped);
  assert_true(same_bytes(plain, piped));
  shell("cat '%s' | \"$MASKSKETCH_PROGRAM\" info - >'%s'", sketch(), in_folder("info.txt"));
  shell("grep -q '128 x 128' '%s'", in_folder("info.txt"));
  /* a number is no name */
  assert_int_equal(mkdir(in_folder("named"), 0755), 0);
  shell("cat '%s' | (cd '%s' && \"$MASKSKETCH_PROGRAM\" draw /dev/fd/0 --class 3 --steps 1 -q)",
        sketch(), in_folder("named"));
  assert_int_equal(count_files(in_folder("named"), "sketch-"), 1);
}

/* ---- Damage ---- */

/* The sketch without its last `lost` bytes. */
static void cut_off(const char *path, size_t lost) {
  size_t bytes = 0;
  msk_error error;
  uint8_t *data = test_read_file(sketch(), &bytes);
  assert_int_equal(msk_file_write(path, data, bytes - lost, &error), MSK_OK);
  free(data);
}

/* A PNG whose end is missing is read, and not without a word; one without its last rows is not. */
static void test_cut_off(void **state) {
  (void)state;
  cut_off(in_folder("endless.png"), 12);
  cut_off(in_folder("short.png"), 40);
  EXPECT(0, "tokenize", sketch(), "-o", in_folder("whole.npy"), "--quiet");
  run_result result =
      RUN("tokenize", in_folder("endless.png"), "-o", in_folder("endless.npy"), "--quiet");
  assert_int_equal(result.code, 0);
  assert_non_null(strstr(result.err, "endless.png: the PNG's pixels are whole"));
  run_free(&result);
  assert_true(same_bytes(in_folder("whole.npy"), in_folder("endless.npy")));
  REFUSE(3, "damaged PNG", "tokenize", in_folder("short.png"), "-o", in_folder("short.npy"));
}

/* ---- Models and classes ---- */

/* An installed model is found by its file's name and by what it calls itself. */
static void test_model_names(void **state) {
  (void)state;
  char folder[4096], tokenizer[4096];
  snprintf(folder, sizeof folder, "%s", in_folder("here"));
  snprintf(tokenizer, sizeof tokenizer, "%s", golden_path("tiny/tokenizer_imagenet128_checkpoint"));
  assert_int_equal(mkdir(folder, 0755), 0);
  assert_int_equal(mkdir(in_folder("here/models"), 0755), 0);
  EXPECT(0, "convert", "--tokenizer", tokenizer, "--transformer",
         golden_path("tiny/maskgit_imagenet128_checkpoint"), "--name", "Tiny Studio", "-o",
         in_folder("here/models/small.safetensors"), "--quiet");
  static const char *const names[] = {"small", "Tiny Studio", "tiny studio"};
  for (int i = 0; i < 3; i++) {
    run_with.folder = folder;
    EXPECT(0, "classes", "--model", names[i]);
  }
  run_with.folder = folder;
  EXPECT(3, "classes", "--model", "Tiny");
}

/* A label that is no class of pictures is not drawn by its number either. */
static void test_hidden_labels(void **state) {
  (void)state;
  static const char defaults[] = "{\"hidden_classes\": [4]}";
  char tokenizer[4096], model[4096];
  snprintf(tokenizer, sizeof tokenizer, "%s", golden_path("tiny/tokenizer_imagenet128_checkpoint"));
  snprintf(model, sizeof model, "%s", in_folder("hidden.safetensors"));
  put(in_folder("defaults.json"), defaults);
  EXPECT(0, "convert", "--tokenizer", tokenizer, "--transformer",
         golden_path("tiny/maskgit_imagenet128_checkpoint"), "--defaults",
         in_folder("defaults.json"), "-o", model, "--quiet");
  REFUSE(2, "taught", "generate", "--class", "4", "--model", model);
  REFUSE(2, "taught", "attention", sketch(), "--class", "4", "--model", model, "-o",
         in_folder("a.npy"));
  EXPECT(0, "generate", "--class", "3", "--steps", "1", "--model", model, "-o",
         in_folder("shown.png"), "--quiet");
}

/* ---- Training ---- */

static const char *write_spec(const char *layer, const char *objects, const char *width) {
  const char *path = in_folder("spec.json");
  char text[2048];
  snprintf(text, sizeof text,
           "{\"tokenizer\": \"%s/models/default.safetensors\", \"work\": \"training\", "
           "\"output\": \"trained\", \"layers\": 1, \"heads\": 1, \"batch\": 1, \"pair_every\": 0, "
           "\"sequences\": 1, \"held_out_objects\": 1, \"structure_layers\": [%s], "
           "\"objects\": %s, \"width\": %s}",
           getenv("MSK_TEST_ROOT"), layer, objects, width);
  put(path, text);
  return path;
}

/* Numbers that would wrap or be cut; then a row that cannot be written, which is told and stops
 * nothing. */
static void test_training(void **state) {
  (void)state;
  assert_int_equal(mkdir(in_folder("training"), 0777), 0);
  REFUSE(2, "structure_layers", "train", write_spec("4294967296", "1", "8"));
  REFUSE(2, "structure_layers", "train", write_spec("-4294967296", "1", "8"));
  REFUSE(2, "objects", "train", write_spec("0", "9223372036854775807", "8"));
  REFUSE(2, "width", "train", write_spec("0", "1", "1000000000"));
  assert_int_equal(mkdir(in_folder("training/curves.csv"), 0777), 0);
  run_result result = RUN("train", write_spec("0", "1", "8"));
  if (result.code != 0 || strstr(result.err, "a row of") == NULL ||
      strstr(result.err, "curves.csv is lost: Is a directory") == NULL)
    fail_msg("%d: %s", result.code, result.err);
  run_free(&result);
  assert_true(exists(in_folder("trained")));
}

/* ---- Krita's plug-in ---- */

/* In place, older files replaced; without --install nothing is written. */
static void test_krita(void **state) {
  (void)state;
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", in_folder("krita/pykrita"));
  run_result shown = RUN("krita", folder);
  assert_int_equal(shown.code, 0);
  assert_non_null(strstr(shown.out, folder));
  assert_false(exists(in_folder("krita")));
  run_free(&shown);
  EXPECT(0, "krita", "--install", folder);
  put(in_folder("krita/pykrita/masksketch/client.py"), "mine");
  EXPECT(0, "krita", "--install", folder);
  size_t bytes = 0;
  char *client = (char *)test_read_file(in_folder("krita/pykrita/masksketch/client.py"), &bytes);
  assert_true(bytes > 1000);
  assert_memory_equal(client, "# SPDX", 6);
  free(client);
  assert_true(exists(in_folder("krita/pykrita/masksketch.desktop")));
  assert_true(exists(in_folder("krita/pykrita/masksketch/__init__.py")));
  put(in_folder("file"), "mine");
  char closed[4096];
  snprintf(closed, sizeof closed, "%s", in_folder("file/pykrita"));
  REFUSE(1, "Not a directory", "krita", "--install", closed);
}

/* ---- The way back to checkpoints ---- */

static void take_identity(char text[80], const char *model) {
  run_result shown = RUN("info", model);
  assert_int_equal(shown.code, 0);
  const char *found = strstr(shown.out, "tensors_sha256");
  assert_non_null(found);
  snprintf(text, 80, "%.79s", found + strlen("tensors_sha256"));
  run_free(&shown);
}

static size_t size_of(const char *path) {
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  return (size_t)info.st_size;
}

/* What convert makes of a folder's checkpoints has the same tensors as the model they were made
 * from. */
static void check_way_back(const char *model, const char *folder) {
  char tokenizer[4096], transformer[4096], classes[4096], back[4096], was[80], is[80];
  snprintf(tokenizer, sizeof tokenizer, "%s/tokenizer_checkpoint", folder);
  snprintf(transformer, sizeof transformer, "%s/transformer_checkpoint", folder);
  snprintf(classes, sizeof classes, "%s/classes.txt", folder);
  snprintf(back, sizeof back, "%s/back.safetensors", folder);
  EXPECT(0, "convert", "--tokenizer", tokenizer, "--transformer", transformer, "--classes", classes,
         "-o", back, "-q");
  take_identity(was, model);
  take_identity(is, back);
  assert_string_equal(was, is);
}

/* The authors' files again: their tree in another order, so to the byte as long. */
static void test_flax(void **state) {
  (void)state;
  char model[4096], folder[4096], file[4096], int8[4096];
  snprintf(model, sizeof model, "%s", model_of("tiny"));
  snprintf(folder, sizeof folder, "%s", in_folder("flax/a"));
  snprintf(int8, sizeof int8, "%s", in_folder("int8.safetensors"));
  EXPECT(0, "convert", "--flax", model, "-o", folder, "-q");
  assert_int_equal(size_of(in_folder("flax/a/tokenizer_checkpoint")),
                   size_of(golden_path("tiny/tokenizer_imagenet128_checkpoint")));
  assert_int_equal(size_of(in_folder("flax/a/transformer_checkpoint")),
                   size_of(golden_path("tiny/maskgit_imagenet128_checkpoint")));
  check_way_back(model, folder);
  snprintf(model, sizeof model, "%s", model_of("odd"));
  snprintf(folder, sizeof folder, "%s", in_folder("flax/odd"));
  EXPECT(0, "convert", "--flax", model, "-o", folder, "-q");
  check_way_back(model, folder);

  /* 8-bit weights become the numbers that they stand for */
  snprintf(file, sizeof file, "%s", golden_path("tiny/tokenizer_imagenet128_checkpoint"));
  EXPECT(0, "convert", "--tokenizer", file, "--transformer",
         golden_path("tiny/maskgit_imagenet128_checkpoint"), "--int8", "-o", int8, "-q");
  EXPECT(0, "convert", "--flax", int8, "-o", in_folder("flax/int8"), "-q");
  assert_int_equal(size_of(in_folder("flax/int8/transformer_checkpoint")),
                   size_of(golden_path("tiny/maskgit_imagenet128_checkpoint")));
  assert_false(same_bytes(in_folder("flax/int8/transformer_checkpoint"),
                          in_folder("flax/a/transformer_checkpoint")));
}

static void test_flax_mistakes(void **state) {
  (void)state;
  char model[4096], folder[4096];
  snprintf(model, sizeof model, "%s", model_of("tiny"));
  snprintf(folder, sizeof folder, "%s", in_folder("refused"));
  REFUSE(2, "--flax", "convert", "--flax", model, "--dtype", "f16", "-o", folder);
  REFUSE(2, "--flax", "convert", "--flax", model, "--merge", model, "-o", folder);
  REFUSE(3, "expected a tokenizer", "convert", "--flax",
         golden_path("tiny/maskgit_imagenet128_checkpoint"), "-o", folder);
  EXPECT(0, "convert", "--flax", model, "-o", folder, "-q");
  put(in_folder("refused/classes.txt"), "mine");
  REFUSE(2, "--force", "convert", "--flax", model, "-o", folder);
  is_kept(in_folder("refused/classes.txt"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_is_replaced),
                                     cmocka_unit_test(test_default_names),
                                     cmocka_unit_test(test_trace_folder),
                                     cmocka_unit_test(test_model_names),
                                     cmocka_unit_test(test_reasons),
                                     cmocka_unit_test(test_terminal),
                                     cmocka_unit_test(test_pipes),
                                     cmocka_unit_test(test_cut_off),
                                     cmocka_unit_test(test_hidden_labels),
                                     cmocka_unit_test(test_training),
                                     cmocka_unit_test(test_krita),
                                     cmocka_unit_test(test_flax),
                                     cmocka_unit_test(test_flax_mistakes)};
  return cmocka_run_group_tests(tests, set_up_models, tear_down_folder);
}
