/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_pictures.c - what the commands leave behind: names, bytes that do not depend on
 * threads or batch, replay, standard input and output, reports. */
#include <jansson.h>
#include <unistd.h>

#include "cli_run.h"
#include "masksketch_tools.h"

static const char *sketch(void) { return golden_path("tiny/input/sketch0.png"); }

static void is_picture(const char *path, int width, int height) {
  msk_image image = {0};
  msk_error error;
  if (msk_image_load(&image, path, MSK_ALPHA_WHITE, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  assert_int_equal(image.width, width);
  assert_int_equal(image.height, height);
  msk_image_free(&image);
}

static void test_names(void **state) {
  (void)state;
  char folder[4096], source[4096];
  assert_true(snprintf(folder, sizeof folder, "%s", in_folder("names")) > 0);
  assert_int_equal(mkdtemp(strcpy(folder, in_folder("names-XXXXXX"))) != NULL, 1);
  assert_non_null(realpath(sketch(), source));
  run_with.folder = folder;
  EXPECT(0, "draw", source, "--class", "3", "--seed", "7", "--steps", "2", "--quiet");
  run_with.folder = folder;
  EXPECT(0, "draw", source, "--class", "3", "--seed", "8", "--steps", "2", "--quiet", "--count",
         "2");
  run_with.folder = folder;
  EXPECT(0, "generate", "--class", "4", "--seed", "9", "--steps", "2", "--quiet");
  run_with.folder = folder;
  EXPECT(0, "draw", source, "--class", "3", "--steps", "2", "--count", "2", "-o", "a.b.jpg",
         "--quality", "80", "--quiet");
  run_with.folder = folder;
  EXPECT(0, "draw", source, "--class", "3", "--steps", "2", "-o", "x.WEBP", "--sheet", "s.png",
         "--quiet");
  static const char *const names[] = {"sketch0-3-7.png", "sketch0-3-8-1.png", "sketch0-3-8-2.png",
                                      "4-9.png",         "a.b-1.jpg",         "a.b-2.jpg",
                                      "x.WEBP"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    is_picture(path, 128, 128);
  }
  assert_int_equal(count_files(folder, ""), 8); /* these and the sheet: nothing else */
}

/* Picture i of a seed is the same bytes with any number of threads, alone or among others. */
static void test_same_bytes(void **state) {
  (void)state;
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "6", "--count", "3",
         "--threads", "1", "-o", in_folder("one.png"), "--quiet");
  for (int threads = 2; threads <= 4; threads++) {
    char text[8];
    snprintf(text, sizeof text, "%d", threads);
    EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "6", "--count", "3",
           "--threads", text, "-o", in_folder("many.png"), "--quiet");
    for (int i = 1; i <= 3; i++)
      assert_true(same_bytes(in_folder("one-%d.png", i), in_folder("many-%d.png", i)));
  }
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "6", "--first-item", "2",
         "-o", in_folder("third.png"), "--quiet");
  assert_true(same_bytes(in_folder("one-3.png"), in_folder("third.png")));
  assert_false(same_bytes(in_folder("one-1.png"), in_folder("one-2.png")));
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "6", "--steps", "6", "-o",
         in_folder("other.png"), "--quiet");
  assert_false(same_bytes(in_folder("one-1.png"), in_folder("other.png")));
}

/* ---- replay ---- */

static void replays(const char *picture) {
  char again[4096];
  snprintf(again, sizeof again, "%s", in_folder("again.png"));
  unlink(again);
  EXPECT(0, "replay", picture, "-o", again, "--quiet", "--threads", "2");
  if (!same_bytes(picture, again)) fail_msg("%s: replay gives other bytes", picture);
}

static void test_replay(void **state) {
  (void)state;
  const char *photo = golden_path("tiny/input/photo.png");
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "18446744073709551615", "--count", "2",
         "--steps", "5", "--set", "schedule=pow2.37", "--lambda", "0.123456789", "--guidance",
         "0.1", "-o", in_folder("r.png"), "--quiet");
  replays(in_folder("r-1.png"));
  replays(in_folder("r-2.png"));
  EXPECT(0, "draw", sketch(), "--class", "3", "--lambda-map", photo, "--steps", "5", "--fit", "pad",
         "--invert", "yes", "--rng", "partitionable", "-o", in_folder("map.png"), "--quiet");
  replays(in_folder("map.png"));
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "5", "--set", "guidance_schedule=linear",
         "--set", "guidance_skip=0.3", "--set", "unconditional_every=2", "--set",
         "structure_every=2", "--set", "order=halton", "--set", "remask=recorded", "--set",
         "sketch_share=0.4", "--set", "sketch_steps=3", "--trace", in_folder("sparing"), "-o",
         in_folder("k.png"), "--quiet");
  replays(in_folder("k.png"));
  EXPECT(0, "draw", sketch(), "--class", "3", "--recipe", "official", "--count", "3", "--steps",
         "5", "-o", in_folder("o.png"), "--quiet");
  for (int i = 1; i <= 3; i++) replays(in_folder("o-%d.png", i));
  EXPECT(0, "generate", "--class", "5", "--recipe", "official", "--count", "2", "--steps", "4",
         "-o", in_folder("g.png"), "--quiet");
  replays(in_folder("g-2.png"));
  EXPECT(0, "edit", photo, "--class", "5", "--box", "32,48,64,48", "--steps", "4", "-o",
         in_folder("e.png"), "--quiet");
  replays(in_folder("e.png"));
  EXPECT(0, "edit", photo, "--class", "5", "--mask", sketch(), "--steps", "4", "-o",
         in_folder("m.png"), "--quiet");
  replays(in_folder("m.png"));
  EXPECT(0, "edit", photo, "--class", "5", "--extend", "10,0,64,7", "--fit", "crop", "--steps", "4",
         "-o", in_folder("x.png"), "--quiet");
  replays(in_folder("x.png"));
}

/* In int8: another picture, the same on any number of threads, made again from its PNG alone. */
static void test_int8(void **state) {
  (void)state;
  const char *photo = golden_path("tiny/input/photo.png");
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "6", "-o",
         in_folder("fp32.png"), "--quiet");
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "6", "--precision", "int8",
         "--threads", "1", "-o", in_folder("i1.png"), "--quiet");
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "6", "--precision", "int8",
         "--threads", "3", "-o", in_folder("i3.png"), "--quiet");
  assert_true(same_bytes(in_folder("i1.png"), in_folder("i3.png")));
  assert_false(same_bytes(in_folder("i1.png"), in_folder("fp32.png")));
  replays(in_folder("i1.png"));
  EXPECT(0, "generate", "--class", "5", "--precision", "int8", "--steps", "4", "-o",
         in_folder("ig.png"), "--quiet");
  replays(in_folder("ig.png"));
  EXPECT(0, "edit", photo, "--class", "5", "--box", "32,48,64,48", "--steps", "4", "--precision",
         "int8", "-o", in_folder("ie.png"), "--quiet");
  replays(in_folder("ie.png"));
}

/* Decoding in int8: the same tokens, other pixels, and replay knows. */
static void test_decode_int8(void **state) {
  (void)state;
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "6", "-o",
         in_folder("fp32.png"), "--tokens-out", in_folder("fp32.npy"), "--isa", "ref", "--quiet");
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "6", "--decode-precision",
         "int8", "-o", in_folder("d8.png"), "--tokens-out", in_folder("d8.npy"), "--isa", "ref",
         "--quiet");
  assert_true(same_bytes(in_folder("d8.npy"), in_folder("fp32.npy")));
  assert_false(same_bytes(in_folder("d8.png"), in_folder("fp32.png")));
  replays(in_folder("d8.png"));
}

static json_t *parse_line(const char *line) {
  json_t *object = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
  assert_true(json_is_object(object));
  return object;
}

/* What --memory and info say of it: less to keep; `draw` says the same number. */
static void test_decode_memory(void **state) {
  (void)state;
  run_result result = RUN("info", model_of("tiny"), "--memory", "--json");
  assert_int_equal(result.code, 0);
  json_t *info = parse_line(result.out);
  const json_t *plan = json_object_get(json_object_get(info, "memory"), "fp32"),
               *decode = json_object_get(plan, "decode_int8");
  json_int_t weights = json_integer_value(json_object_get(decode, "weights"));
  assert_true(weights > 0 && weights <= json_integer_value(json_object_get(plan, "weights")));
  assert_true(json_integer_value(json_object_get(decode, "loading")) > 0);
  run_free(&result);
  json_decref(info);
  char expected[64];
  snprintf(expected, sizeof expected, "memory: %.1f MB for the weights", 1e-6 * (double)weights);
  result = RUN("draw", sketch(), "--class", "3", "--steps", "2", "--memory", "--decode-precision",
               "int8", "-o", in_folder("dm.png"));
  assert_int_equal(result.code, 0);
  assert_non_null(strstr(result.err, expected));
  run_free(&result);
}

/* AVX-512 without VNNI multiplies 8-bit numbers no faster than floats: the program says so, and
 * the picture is that of fp32, in its text too. */
static void test_decode_slower(void **state) {
  (void)state;
  run_result result = RUN("draw", sketch(), "--class", "3", "--steps", "2", "-o",
                          in_folder("s0.png"), "--isa", "avx512", "--quiet");
  int code = result.code;
  run_free(&result);
  if (code == 2) return; /* this machine has none */
  assert_int_equal(code, 0);
  result = RUN("draw", sketch(), "--class", "3", "--steps", "2", "--decode-precision", "int8", "-o",
               in_folder("s8.png"), "--isa", "avx512");
  assert_int_equal(result.code, 0);
  assert_non_null(strstr(result.err, "fp32 is used"));
  assert_true(same_bytes(in_folder("s0.png"), in_folder("s8.png")));
  run_free(&result);
}

/* The text of a picture that draw has written, and its pixels. */
static json_t *text_of(const char *picture, msk_image *image) {
  void *bytes = NULL;
  size_t byte_count = 0;
  char *text = NULL;
  msk_error error;
  assert_int_equal(msk_file_read(picture, 1 << 24, &bytes, &byte_count, NULL, &error), MSK_OK);
  assert_int_equal(msk_png_text(bytes, byte_count, "masksketch", &text, NULL, &error), MSK_OK);
  assert_int_equal(msk_image_load(image, picture, MSK_ALPHA_WHITE, NULL, &error), MSK_OK);
  json_t *object = json_loads(text, 0, NULL);
  assert_non_null(object);
  msk_free(NULL, bytes);
  msk_free(NULL, text);
  return object;
}

/* forged.png: the pixels with another text. */
static void forge(const msk_image *image, const char *text) {
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_text entry = {"masksketch", text};
  msk_error error;
  assert_int_equal(
      msk_image_encode(image, MSK_FORMAT_PNG, 0, &entry, 1, &bytes, &byte_count, NULL, &error),
      MSK_OK);
  assert_int_equal(msk_file_write(in_folder("forged.png"), bytes, byte_count, &error), MSK_OK);
  msk_free(NULL, bytes);
}

/* A text that is wrong, and a model that is another one, are refused. */
static void test_replay_refuses(void **state) {
  (void)state;
  static const char *const texts[] = {"", "{", "[]", "{\"program\":\"masksketch\"}",
                                      "{\"program\":1}"};
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "2", "-o", in_folder("p.png"), "--quiet");
  EXPECT(3, "replay", in_folder("p.png"), "--model", model_of("odd"), "-o", in_folder("q.png"));
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "2", "-o", in_folder("bare.png"),
         "--quiet", "--no-metadata");
  EXPECT(3, "replay", in_folder("bare.png"), "-o", in_folder("q.png"));
  msk_image image = {0};
  msk_error error;
  assert_int_equal(msk_image_load(&image, sketch(), MSK_ALPHA_WHITE, NULL, &error), MSK_OK);
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    forge(&image, texts[i]);
    EXPECT(3, "replay", in_folder("forged.png"), "-o", in_folder("q.png"));
  }
  msk_image_free(&image);
  assert_false(exists(in_folder("q.png")));
}

/* A picture from before some of the keys does not speak of them: it was made without what they
 * bring, whatever its model asks for now. */
static void test_replay_older(void **state) {
  (void)state;
  static const char defaults[] =
      "{\"recipe\": {\"refresh\": 3, \"anchor_steps\": 2, \"revise_steps\": 2, \"revise_below\": "
      "0.9, \"token_noise\": \"common\"}}";
  static const struct {
    const char *key, *set;
  } later[] = {{"refresh", "refresh=1"},
               {"anchor_steps", "anchor_steps=0"},
               {"revise_steps", "revise_steps=0"},
               {"token_noise", "token_noise=independent"}};
  msk_image image = {0};
  const char *model = model_with("newer", defaults);
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "9", "--model", model, "--set",
         later[0].set, "--set", later[1].set, "--set", later[2].set, "--set", later[3].set, "-o",
         in_folder("w.png"), "--quiet");
  json_t *object = text_of(in_folder("w.png"), &image), *recipe = json_object_get(object, "recipe");
  for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
    EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "9", "--model", model, "--set",
           later[i == 0].set, "--set", later[i < 2 ? 2 : 1].set, "--set", later[i < 3 ? 3 : 2].set,
           "-o", in_folder("l.png"), "--quiet");
    assert_false(same_bytes(in_folder("w.png"), in_folder("l.png")));
    assert_int_equal(json_object_del(recipe, later[i].key), 0);
  }
  char *text = json_dumps(object, 0);
  forge(&image, text);
  EXPECT(0, "replay", in_folder("forged.png"), "--model", model, "-o", in_folder("o.png"),
         "--quiet");
  msk_image again = {0};
  json_decref(text_of(in_folder("o.png"), &again));
  assert_int_equal(again.width * again.height, image.width * image.height);
  assert_memory_equal(again.pixels, image.pixels, 3 * (size_t)image.width * (size_t)image.height);
  free(text);
  json_decref(object);
  msk_image_free(&again);
  msk_image_free(&image);
}

/* Every value of a real text, one after the other, replaced by nonsense: refused or harmless,
 * never a crash. */
static void test_replay_survives(void **state) {
  (void)state;
  static const char *const nonsense[] = {"null", "-1", "1e300", "\"\"", "[]", "{}", "99999999999"};
  msk_image image = {0};
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "2", "-o", in_folder("p.png"), "--quiet");
  json_t *whole = text_of(in_folder("p.png"), &image);
  int index = 0;
  for (void *at = json_object_iter(whole); at != NULL;
       at = json_object_iter_next(whole, at), index++) {
    json_t *changed = json_deep_copy(whole);
    json_object_set_new(changed, json_object_iter_key(at),
                        json_loads(nonsense[index % 7], JSON_DECODE_ANY, NULL));
    char *dumped = json_dumps(changed, 0);
    forge(&image, dumped);
    run_result result = RUN("replay", in_folder("forged.png"), "-o", in_folder("q.png"), "--quiet");
    if (result.code != 3 && result.code != 0)
      fail_msg("%s as %s: exit code %d: %s", json_object_iter_key(at), nonsense[index % 7],
               result.code, result.err);
    run_free(&result);
    free(dumped);
    json_decref(changed);
  }
  assert_true(index >= 12);
  json_decref(whole);
  msk_image_free(&image);
}

/* ---- Streams and reports ---- */

static void test_streams(void **state) {
  (void)state;
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "4", "-o", in_folder("file.png"),
         "--quiet");
  run_with.input = sketch();
  run_result piped = RUN("draw", "-", "--class", "3", "--steps", "4", "-o", "-");
  assert_int_equal(piped.code, 0);
  size_t bytes = 0;
  uint8_t *file = test_read_file(in_folder("file.png"), &bytes);
  assert_int_equal(piped.out_bytes, bytes);
  assert_memory_equal(piped.out, file, bytes);
  assert_null(strchr(piped.err, '\x1b')); /* no terminal, no progress */
  free(file);
  run_free(&piped);
  run_with.input = "/dev/null";
  EXPECT(3, "draw", "-", "--class", "3", "-o", "-");
  /* written to, not replaced */
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "2", "-o", "/dev/null", "--quiet");
  assert_int_equal(access("/dev/null", W_OK), 0);
}

static void test_json(void **state) {
  (void)state;
  run_result result = RUN("draw", sketch(), "--class", "3", "--seed", "12", "--steps", "4",
                          "--count", "2", "-o", in_folder("j.png"), "--json", "--quiet");
  assert_int_equal(result.code, 0);
  const char *line = result.out;
  for (int i = 0; i < 2; i++) {
    json_t *object = parse_line(line);
    assert_string_equal(json_string_value(json_object_get(object, "file")),
                        in_folder("j-%d.png", i + 1));
    assert_int_equal(json_integer_value(json_object_get(object, "seed")), 12);
    assert_int_equal(json_integer_value(json_object_get(object, "class")), 3);
    assert_int_equal(json_integer_value(json_object_get(object, "item")), i);
    assert_true(json_integer_value(json_object_get(object, "steps")) >= 4);
    assert_true(json_real_value(json_object_get(json_object_get(object, "times"), "total")) > 0);
    assert_true(json_is_real(json_object_get(json_object_get(object, "scores"), "structure")));
    assert_true(json_integer_value(json_object_get(json_object_get(object, "memory"), "session")) >
                0);
    json_decref(object);
    line = strchr(line, '\n') + 1;
  }
  assert_string_equal(line, "");
  assert_string_equal(result.err, "");
  run_free(&result);
}

static void test_info(void **state) {
  (void)state;
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "12", "--steps", "4", "-o",
         in_folder("i.png"), "--quiet");
  const char *files[] = {in_folder("i.png"), model_of("tiny"),
                         golden_path("tiny/tokenizer_imagenet128_checkpoint"), sketch()};
  const char *const kinds[] = {"picture", "model", "checkpoint", "picture"};
  for (int i = 0; i < 4; i++) {
    run_result plain = RUN("info", files[i]), json = RUN("info", files[i], "--json");
    assert_int_equal(plain.code, 0);
    assert_int_equal(json.code, 0);
    json_t *object = parse_line(json.out);
    assert_string_equal(json_string_value(json_object_get(object, "kind")), kinds[i]);
    if (i == 0)
      assert_string_equal(
          json_string_value(json_object_get(json_object_get(object, "request"), "seed")), "12");
    if (i == 1)
      assert_int_equal(
          json_integer_value(json_object_get(json_object_get(object, "sizes"), "codebook_size")),
          64);
    if (i == 1)
      assert_int_equal(
          json_integer_value(json_object_get(json_object_get(object, "sizes"), "layers")), 4);
    json_decref(object);
    run_free(&plain);
    run_free(&json);
  }
  run_result tensors = RUN("info", model_of("tiny"), "--tensors");
  assert_int_equal(tensors.code, 0);
  assert_non_null(strstr(tensors.out, "quantizer.codebook"));
  run_free(&tensors);
  run_result classes = RUN("classes");
  int lines = 0;
  for (const char *p = classes.out; *p != 0; p++) lines += *p == '\n';
  assert_int_equal(lines, 10);
  run_free(&classes);
}

static void test_report(void **state) {
  (void)state;
  run_result result =
      RUN("draw", sketch(), "--class", "3", "--steps", "2", "-o", in_folder("z.png"));
  assert_int_equal(result.code, 0);
  assert_string_equal(result.out, "");
  assert_non_null(strstr(result.err, "z.png"));
  assert_int_equal(strlen(strchr(result.err, '\n')), 1);
  run_free(&result);
}

static void test_terminal(void **state) {
  (void)state;
  static const struct {
    const char *term, *expected;
  } kinds[] = {
      {"xterm-kitty", "\x1b_Ga=T"}, {"foot", "\x1bPq"}, {"xterm-256color", "\xE2\x96\x80"}};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    int code = -1;
    char *seen =
        run_on_terminal(kinds[i].term, &code,
                        (const char *const[]){"draw", sketch(), "--class", "3", "--steps", "8",
                                              "-o", in_folder("t.png"), "--preview", NULL});
    assert_int_equal(code, 0);
    if (strstr(seen, kinds[i].expected) == NULL) fail_msg("%s: no such preview", kinds[i].term);
    assert_non_null(strstr(seen, "step "));
    assert_non_null(strstr(seen, " left"));
    free(seen);
  }
  int code = -1;
  char *seen =
      run_on_terminal("xterm", &code,
                      (const char *const[]){"draw", sketch(), "--class", "3", "--steps", "8", "-o",
                                            in_folder("t.png"), "--quiet", NULL});
  assert_int_equal(code, 0);
  assert_string_equal(seen, "");
  free(seen);
}

static void test_sheet(void **state) {
  (void)state;
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "2", "--count", "2", "-o",
         in_folder("s.png"), "--sheet", in_folder("sheet.png"), "--quiet");
  msk_image image = {0};
  msk_error error;
  assert_int_equal(msk_image_load(&image, in_folder("sheet.png"), MSK_ALPHA_WHITE, NULL, &error),
                   MSK_OK);
  assert_true(image.width >= 3 * 128 && image.width < 4 * 128 && image.height > 128);
  int width = image.width, height = image.height;
  msk_image_free(&image);
  EXPECT(0, "sheet", in_folder("sheet.png"), in_folder("s-1.png"), in_folder("sheet.png"), "-o",
         in_folder("all.jpg"), "--quiet");
  is_picture(in_folder("all.jpg"), width, 2 * height + 128);
  EXPECT(0, "sheet", in_folder("s-1.png"), in_folder("s-2.png"), "--columns", "2", "-o",
         in_folder("two.png"), "--quiet");
  is_picture(in_folder("two.png"), 256, 128);
  /* scaled one by one, each with its own aspect ratio */
  EXPECT(0, "sheet", in_folder("two.png"), in_folder("s-1.png"), "--columns", "2", "--tile", "50",
         "-o", in_folder("tiles.png"), "--quiet");
  is_picture(in_folder("tiles.png"), 100, 50);
  EXPECT(0, "sheet", in_folder("two.png"), "--tile", "50", "-o", in_folder("tile.png"), "--quiet");
  is_picture(in_folder("tile.png"), 50, 25);
}

/* ---- Candidates ---- */

/* The best come first, each is the picture that its item and guidance make alone, and every
 * candidate is told of. */
static void check_candidates(const char *finish, int finished) {
  run_result result =
      RUN("draw", sketch(), "--class", "3", "--seed", "5", "--steps", "5", "--candidates", "3",
          "--guidance", "0,1.5", "--keep", "2", "--finish", finish, "-o", in_folder("c.png"),
          "--sheet", in_folder("c-sheet.png"), "--json", "--quiet");
  assert_int_equal(result.code, 0);
  int lines = 0, with_score = 0;
  double last = 1e9;
  for (char *line = strtok(result.out, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
    json_t *object = json_loads(line, 0, NULL);
    const json_t *scores = json_object_get(object, "scores"),
                 *score = json_object_get(scores, "score");
    assert_true(json_is_real(json_object_get(scores, "structure")));
    assert_true(json_is_string(json_object_get(object, "file")) == (lines < 2));
    if (score != NULL) {
      assert_true(json_real_value(score) <= last);
      last = json_real_value(score);
      with_score++;
    }
    if (lines < 2) {
      char item[16], guidance[32];
      snprintf(item, sizeof item, "%d", (int)json_integer_value(json_object_get(object, "item")));
      snprintf(guidance, sizeof guidance, "%.1f",
               json_real_value(json_object_get(object, "guidance")));
      EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "5", "--first-item",
             item, "--guidance", guidance, "-o", in_folder("alone.png"), "--quiet");
      assert_true(
          same_bytes(in_folder("alone.png"), json_string_value(json_object_get(object, "file"))));
      replays(json_string_value(json_object_get(object, "file")));
    }
    json_decref(object);
  }
  assert_int_equal(lines, 6);
  assert_int_equal(with_score, finished);
  assert_true(exists(in_folder("c-sheet.png")));
  run_free(&result);
}

static void test_candidates(void **state) {
  (void)state;
  check_candidates("6", 6);
  check_candidates("3", 3);
}

/* ---- Films and attention ---- */

static void test_film(void **state) {
  (void)state;
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "7", "--set", "tail=3", "-o",
         in_folder("d.png"), "--film", in_folder("film.png"), "--quiet");
  /* ten steps, eight in a row, tokens of 8 pixels */
  is_picture(in_folder("film.png"), 6 + 8 * (64 + 6), 2 * (13 + 2 * 64 + 2 + 6));
  EXPECT(0, "replay", in_folder("d.png"), "-o", in_folder("e.png"), "--film",
         in_folder("again.png"), "--quiet");
  assert_true(same_bytes(in_folder("film.png"), in_folder("again.png")));
  assert_true(same_bytes(in_folder("d.png"), in_folder("e.png"))); /* a film changes nothing */
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "2", "--set", "tail=0", "--count", "2",
         "-o", in_folder("n.png"), "--film", in_folder("nf.jpg"), "--quiet");
  is_picture(in_folder("nf-2.jpg"), 6 + 2 * (64 + 6), 13 + 2 * 64 + 2 + 6);
}

static void test_explorer(void **state) {
  (void)state;
  EXPECT(0, "attention", sketch(), "--class", "3", "--layers", "0,2", "--at", "5,5", "-o",
         in_folder("a.png"), "--quiet");
  is_picture(in_folder("a.png"), 6 + 3 * (64 + 6), 13 + 64 + 6);
  EXPECT(0, "attention", sketch(), golden_path("tiny/input/photo.png"), "--class", "3", "--layers",
         "0,2", "--at", "5,5", "--at", "127,127", "-o", in_folder("b.png"), "--quiet");
  is_picture(in_folder("b.png"), 6 + 6 * (64 + 6), 13 + 2 * (64 + 6));
}

/* ---- Areas and maps ---- */

/* A picture of width x height that shows the golden photo, each pixel twice as large, from
 * column `left` of the frame on. */
static void write_enlarged(const char *path, int width, int height, int left) {
  msk_image photo = {0}, large = {0};
  msk_error error;
  void *bytes = NULL;
  size_t byte_count = 0;
  assert_int_equal(
      msk_image_load(&photo, golden_path("tiny/input/photo.png"), MSK_ALPHA_DROP, NULL, &error),
      MSK_OK);
  assert_int_equal(msk_image_create(&large, width, height, NULL, &error), MSK_OK);
  memset(large.pixels, 90, (size_t)width * (size_t)height * 3);
  for (int y = 0; y < 256; y++) {
    for (int x = 0; x < 256; x++)
      memcpy(large.pixels + 3 * (y * width + x + left), photo.pixels + 3 * (y / 2 * 128 + x / 2),
             3);
  }
  assert_int_equal(
      msk_image_encode(&large, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &byte_count, NULL, &error),
      MSK_OK);
  assert_int_equal(msk_file_write(path, bytes, byte_count, &error), MSK_OK);
  msk_free(NULL, bytes);
  msk_image_free(&photo);
  msk_image_free(&large);
}

static void box_is(const char *picture, int top, int left, int height, int width) {
  run_result result = RUN("info", picture, "--json");
  json_t *object = json_loads(result.out, JSON_DISABLE_EOF_CHECK, NULL),
         *box = json_object_get(json_object_get(object, "request"), "box");
  const int expected[] = {top, left, height, width};
  assert_int_equal(json_array_size(box), 4);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(json_integer_value(json_array_get(box, i)), expected[i]);
  json_decref(object);
  run_free(&result);
}

/* A box is in pixels of the photo, whatever its size, and moves with it when it is cut. */
static void test_box(void **state) {
  (void)state;
  write_enlarged(in_folder("large.png"), 256, 256, 0);
  EXPECT(0, "edit", in_folder("large.png"), "--box", "64,96,128,95", "--class", "3", "--steps", "3",
         "-o", in_folder("b.png"), "--quiet");
  box_is(in_folder("b.png"), 32, 48, 64, 48);
  write_enlarged(in_folder("wide.png"), 400, 256, 72);
  EXPECT(0, "edit", in_folder("wide.png"), "--box", "64,168,128,96", "--class", "3", "--steps", "3",
         "--fit", "crop", "-o", in_folder("c.png"), "--quiet");
  box_is(in_folder("c.png"), 32, 48, 64, 48);
  EXPECT(0, "edit", in_folder("wide.png"), "--box", "0,0,256,200", "--class", "3", "--steps", "3",
         "--fit", "crop", "-o", in_folder("c.png"), "--quiet");
  box_is(in_folder("c.png"), 0, 0, 128, 64);
  EXPECT(2, "edit", in_folder("wide.png"), "--box", "0,0,256,72", "--class", "3", "--fit", "crop",
         "-o", in_folder("d.png"), "--quiet");
}

/* Tokens of a draw with one more option. */
static void draw_tokens(const char *name, const char *option, const char *value) {
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "5", "--tokens-out",
         in_folder("%s.npy", name), "-o", in_folder("%s.png", name), "--quiet", option, value);
}

/* A white map is no map; a black one is lambda 0. */
static void test_lambda_map(void **state) {
  (void)state;
  for (int shade = 0; shade < 2; shade++) {
    msk_image image = {0};
    msk_error error;
    void *bytes = NULL;
    size_t byte_count = 0;
    assert_int_equal(msk_image_create(&image, 50, 70, NULL, &error), MSK_OK);
    memset(image.pixels, shade * 255, 50 * 70 * 3);
    assert_int_equal(
        msk_image_encode(&image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &byte_count, NULL, &error),
        MSK_OK);
    assert_int_equal(msk_file_write(in_folder("shade-%d.png", shade), bytes, byte_count, &error),
                     MSK_OK);
    msk_free(NULL, bytes);
    msk_image_free(&image);
  }
  draw_tokens("plain", "--seed", "0");
  draw_tokens("zero", "--lambda", "0");
  draw_tokens("white", "--lambda-map", in_folder("shade-1.png"));
  draw_tokens("black", "--lambda-map", in_folder("shade-0.png"));
  assert_true(same_bytes(in_folder("plain.npy"), in_folder("white.npy")));
  assert_true(same_bytes(in_folder("zero.npy"), in_folder("black.npy")));
  assert_false(same_bytes(in_folder("plain.npy"), in_folder("zero.npy")));
}

/* ---- Tokens and names ---- */

/* What draw shows is its tokens, decoded. */
static void test_tokens_are_the_picture(void **state) {
  (void)state;
  EXPECT(0, "draw", sketch(), "--class", "3", "--steps", "4", "--count", "2", "--tokens-out",
         in_folder("both.npy"), "-o", in_folder("p.png"), "--no-metadata", "--quiet");
  EXPECT(0, "detokenize", in_folder("both.npy"), "-o", in_folder("d.png"), "--quiet");
  for (int i = 1; i <= 2; i++)
    assert_true(same_bytes(in_folder("p-%d.png", i), in_folder("d-%d.png", i)));
}

/* A model stored in 8 bits: what info says of it, which precision it draws with, and that
 * pictures are those of the model that it was made of. */
static void test_stored_in_codes(void **state) {
  (void)state;
  char tokenizer[4096], transformer[4096];
  static const char *const files[] = {"whole.safetensors", "codes.safetensors"};
  snprintf(tokenizer, sizeof tokenizer, "%s", golden_path("tiny/tokenizer_imagenet128_checkpoint"));
  snprintf(transformer, sizeof transformer, "%s",
           golden_path("tiny/maskgit_imagenet128_checkpoint"));
  EXPECT(0, "convert", "--tokenizer", tokenizer, "--transformer", transformer, "-o",
         in_folder(files[0]), "--quiet");
  EXPECT(0, "convert", "--tokenizer", tokenizer, "--transformer", transformer, "--int8", "-o",
         in_folder(files[1]), "--quiet");
  for (int i = 0; i < 2; i++) {
    run_result info = RUN("info", in_folder(files[i]), "--json", "--memory");
    assert_int_equal(info.code, 0);
    json_t *object = parse_line(info.out);
    assert_string_equal(json_string_value(json_object_get(object, "precision")),
                        i == 0 ? "fp32" : "int8");
    assert_true(json_integer_value(json_object_get(object, "parameters")) > 100000);
    json_decref(object);
    run_free(&info);
  }
  run_result info = RUN("info", in_folder(files[1]));
  assert_non_null(strstr(info.out, " I8"));
  assert_non_null(strstr(info.out, "int8, as its layers are stored"));
  run_free(&info);
  EXPECT(0, "generate", "--class", "3", "--steps", "2", "--isa", "ref", "--precision", "int8",
         "--model", in_folder(files[0]), "--tokens-out", in_folder("whole.npy"), "-o",
         in_folder("whole.png"), "--quiet");
  EXPECT(0, "generate", "--class", "3", "--steps", "2", "--isa", "ref", "--model",
         in_folder(files[1]), "--tokens-out", in_folder("codes.npy"), "-o", in_folder("codes.png"),
         "--quiet");
  size_t whole_bytes, codes_bytes;
  uint8_t *whole = test_read_file(in_folder("whole.npy"), &whole_bytes),
          *codes = test_read_file(in_folder("codes.npy"), &codes_bytes);
  assert_int_equal(whole_bytes, codes_bytes);
  assert_memory_equal(whole, codes, whole_bytes);
  free(whole), free(codes);
  run_result picture = RUN("info", in_folder("codes.png"));
  assert_non_null(strstr(picture.out, "int8"));
  run_free(&picture);
  EXPECT(0, "generate", "--class", "3", "--steps", "1", "--precision", "fp32", "--model",
         in_folder(files[1]), "-o", in_folder("codes.png"), "--quiet");
  picture = RUN("info", in_folder("codes.png"));
  assert_non_null(strstr(picture.out, "fp32"));
  run_free(&picture);
}

/* Class names come into the model with convert, and are found by their beginning. */
static void test_class_names(void **state) {
  (void)state;
  static const char names[] = "apple\nbird\ntabby, tabby cat\ntable\ncaf\xC3\xA9\nf\ng\nh\ni\nj\n";
  char tokenizer[4096];
  msk_error error;
  assert_int_equal(msk_file_write(in_folder("names.txt"), names, sizeof names - 1, &error), MSK_OK);
  snprintf(tokenizer, sizeof tokenizer, "%s", golden_path("tiny/tokenizer_imagenet128_checkpoint"));
  EXPECT(0, "convert", "--tokenizer", tokenizer, "--transformer",
         golden_path("tiny/maskgit_imagenet128_checkpoint"), "--classes", in_folder("names.txt"),
         "--name", "named", "--dtype", "f16", "-o", in_folder("named.safetensors"), "--quiet");
  run_result info = RUN("info", in_folder("named.safetensors"));
  assert_non_null(strstr(info.out, " F16"));
  assert_non_null(strstr(info.out, "named"));
  run_free(&info);
  run_result ambiguous =
      RUN("draw", sketch(), "--class", "tab", "--model", in_folder("named.safetensors"));
  assert_int_equal(ambiguous.code, 2);
  assert_non_null(strstr(ambiguous.err, "table"));
  assert_non_null(strstr(ambiguous.err, "tabby"));
  run_free(&ambiguous);
  static const struct {
    const char *given;
    int id;
  } found[] = {{"tabb", 2}, {"Tabby Cat", 2}, {"cafe", 4}, {"3", 3}, {"app", 0}};
  for (size_t i = 0; i < sizeof found / sizeof found[0]; i++) {
    run_result drawn =
        RUN("generate", "--class", found[i].given, "--model", in_folder("named.safetensors"),
            "--steps", "1", "-o", in_folder("n.png"), "--json");
    assert_int_equal(drawn.code, 0);
    json_t *object = parse_line(drawn.out);
    assert_int_equal(json_integer_value(json_object_get(object, "class")), found[i].id);
    json_decref(object);
    run_free(&drawn);
  }
  run_result classes = RUN("classes", "tab", "--model", in_folder("named.safetensors"));
  assert_non_null(strstr(classes.out, "2\ttabby"));
  assert_non_null(strstr(classes.out, "3\ttable"));
  assert_null(strstr(classes.out, "apple"));
  run_free(&classes);
}

/* An empty sketch is drawn like any other. */
static void test_white(void **state) {
  (void)state;
  msk_image image = {0};
  msk_error error;
  void *bytes = NULL;
  size_t byte_count = 0;
  assert_int_equal(msk_image_create(&image, 300, 200, NULL, &error), MSK_OK);
  memset(image.pixels, 255, 300 * 200 * 3);
  assert_int_equal(
      msk_image_encode(&image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &byte_count, NULL, &error),
      MSK_OK);
  assert_int_equal(msk_file_write(in_folder("white.png"), bytes, byte_count, &error), MSK_OK);
  EXPECT(0, "draw", in_folder("white.png"), "--class", "3", "--steps", "3", "-o",
         in_folder("from-white.png"), "--quiet");
  EXPECT(0, "draw", in_folder("white.png"), "--class", "3", "--steps", "3", "-o",
         in_folder("from-paper.png"), "--photo-of-paper", "--fit", "pad", "--quiet");
  is_picture(in_folder("from-white.png"), 128, 128);
  msk_free(NULL, bytes);
  msk_image_free(&image);
}

/* Finite weights that lead to infinite numbers: a warning, once, and in each picture's object. */
static void test_overflow(void **state) {
  (void)state;
  const char *model = in_folder("large.safetensors");
  test_write_filled(model_of("tiny"), model, "transformer.MlmLayer_0.mlm_dense.kernel", 3e38f);
  run_result r = RUN("generate", "--class", "3", "--steps", "2", "--count", "2", "--model", model,
                     "--json", "-o", in_folder("large.png"));
  assert_int_equal(r.code, 0);
  const char *told = strstr(r.err, "masksketch: warning: the model gave numbers");
  assert_non_null(told);
  assert_null(strstr(told + 20, "warning: the model gave numbers"));
  json_t *object = json_loads(r.out, JSON_DISABLE_EOF_CHECK, NULL);
  assert_int_equal(json_array_size(json_object_get(object, "warnings")), 1);
  json_decref(object);
  run_free(&r);
  /* candidates have scores that are none */
  r = RUN("draw", golden_path("tiny/input/sketch0.png"), "--class", "3", "--steps", "4",
          "--candidates", "4", "--model", model, "--json", "-o", in_folder("large.png"));
  if (r.code != 0) fail_msg("%s", r.err);
  assert_non_null(strstr(r.err, "warning"));
  run_free(&r);
  r = RUN("generate", "--class", "3", "--steps", "2", "--model", model, "--quiet", "-o",
          in_folder("large.png"));
  assert_int_equal(r.code, 0);
  assert_string_equal(r.err, "");
  run_free(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),
                                     cmocka_unit_test(test_same_bytes),
                                     cmocka_unit_test(test_replay),
                                     cmocka_unit_test(test_int8),
                                     cmocka_unit_test(test_decode_int8),
                                     cmocka_unit_test(test_decode_memory),
                                     cmocka_unit_test(test_decode_slower),
                                     cmocka_unit_test(test_replay_refuses),
                                     cmocka_unit_test(test_replay_older),
                                     cmocka_unit_test(test_replay_survives),
                                     cmocka_unit_test(test_streams),
                                     cmocka_unit_test(test_json),
                                     cmocka_unit_test(test_info),
                                     cmocka_unit_test(test_report),
                                     cmocka_unit_test(test_terminal),
                                     cmocka_unit_test(test_film),
                                     cmocka_unit_test(test_explorer),
                                     cmocka_unit_test(test_candidates),
                                     cmocka_unit_test(test_sheet),
                                     cmocka_unit_test(test_box),
                                     cmocka_unit_test(test_lambda_map),
                                     cmocka_unit_test(test_tokens_are_the_picture),
                                     cmocka_unit_test(test_stored_in_codes),
                                     cmocka_unit_test(test_class_names),
                                     cmocka_unit_test(test_white),
                                     cmocka_unit_test(test_overflow)};
  return cmocka_run_group_tests(tests, set_up_models, tear_down_folder);
}
