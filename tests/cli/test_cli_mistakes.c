/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_mistakes.c - what people get wrong, from outside: the exit code, one line of message
 * that names what is valid, and no output left behind. */
#include <unistd.h>

#include "cli_run.h"

/* Runs it and looks at code and message: one line, "masksketch: ...", with every part of `parts`
 * in it. */
static void mistake(int line, int code, const char *parts, const char *const *arguments) {
  run_result result = run_program(arguments);
  char copy[512], *save = NULL;
  if (result.code != code)
    fail_msg("line %d: exit code %d, expected %d: %s", line, result.code, code, result.err);
  if (strncmp(result.err, "masksketch: ", 12) != 0)
    fail_msg("line %d: the message is %s", line, result.err);
  const char *end = strchr(result.err, '\n');
  if (end == NULL || end[1] != 0)
    fail_msg("line %d: the message is not one line: %s", line, result.err);
  snprintf(copy, sizeof copy, "%s", parts);
  for (char *part = strtok_r(copy, "|", &save); part != NULL; part = strtok_r(NULL, "|", &save)) {
    if (strstr(result.err, part) == NULL)
      fail_msg("line %d: '%s' is not in the message: %s", line, part, result.err);
  }
  assert_string_equal(result.out, "");
  run_free(&result);
}
#define MISTAKE(code, parts, ...) \
  mistake(__LINE__, (code), (parts), (const char *const[]){__VA_ARGS__, NULL})

static const char *sketch(void) { return golden_path("tiny/input/sketch0.png"); }

static void test_command_line(void **state) {
  (void)state;
  const char *out = in_folder("never.png");
  MISTAKE(2, "no command|--help", NULL);
  MISTAKE(2, "drew|draw", "drew");
  MISTAKE(2, "drew|draw", "help", "drew");
  MISTAKE(2, "csh|bash zsh fish", "completions", "csh");
  MISTAKE(2, "--page|draw", "help", "draw", "--page", "man");
  MISTAKE(2, "--help|given", "info", sketch(), "--help=yes");
  MISTAKE(2, "--lambada|--lambda", "draw", sketch(), "--class", "3", "--lambada", "1");
  MISTAKE(2, "--lambda|info|draw", "info", sketch(), "--lambda", "1");
  MISTAKE(2, "--box|draw|edit", "draw", sketch(), "--class", "3", "--box", "1,2,3,4");
  MISTAKE(2, "--seed|needs a value", "draw", sketch(), "--class", "3", "--seed");
  MISTAKE(2, "--class|needs a value|--seed", "draw", sketch(), "--class", "--seed", "3");
  MISTAKE(2, "--quiet|no value", "draw", sketch(), "--class", "3", "--quiet=yes");
  MISTAKE(2, "draw|SKETCH", "draw", "--class", "3");
  MISTAKE(2, "second.png", "draw", sketch(), "second.png", "--class", "3");
  MISTAKE(2, "--class", "draw", sketch(), "-o", out);
  MISTAKE(2, "--quiet|--preview", "draw", sketch(), "--class", "3", "--quiet", "--preview");
  MISTAKE(2, "--quiet|--memory", "draw", sketch(), "--class", "3", "--quiet", "--memory");
  MISTAKE(2, "--memory|picture", "info", sketch(), "--memory");
  MISTAKE(2, "-Z", "draw", sketch(), "-Z");
  assert_false(exists(out));
}

static void test_numbers(void **state) {
  (void)state;
  MISTAKE(2, "--threads|0|from 1", "draw", sketch(), "--class", "3", "--threads", "0");
  MISTAKE(2, "--count|-1|from 1 to 1000", "draw", sketch(), "--class", "3", "--count", "-1");
  MISTAKE(2, "--count|0", "draw", sketch(), "--class", "3", "--count=0");
  MISTAKE(2, "--count|3x", "draw", sketch(), "--class", "3", "--count", "3x");
  MISTAKE(2, "--count|0x3", "draw", sketch(), "--class", "3", "--count", "0x3");
  MISTAKE(2, "--count| 3", "draw", sketch(), "--class", "3", "--count", " 3");
  MISTAKE(2, "--count|99999999999999999999", "draw", sketch(), "--class", "3", "--count",
          "99999999999999999999");
  MISTAKE(2, "--seed|-1|random", "draw", sketch(), "--class", "3", "--seed", "-1");
  MISTAKE(2, "--seed|18446744073709551616", "draw", sketch(), "--class", "3", "--seed",
          "18446744073709551616");
  MISTAKE(2, "--seed|4294967295|official", "draw", sketch(), "--class", "3", "--seed", "4294967296",
          "--recipe", "official");
  MISTAKE(2, "lambda|2|0..1", "draw", sketch(), "--class", "3", "--lambda", "2");
  MISTAKE(2, "lambda|nan", "draw", sketch(), "--class", "3", "--lambda", "nan");
  MISTAKE(2, "guidance|-0.5", "draw", sketch(), "--class", "3", "--guidance", "-0.5");
  MISTAKE(2, "steps|0|1..10000", "draw", sketch(), "--class", "3", "--steps", "0");
  MISTAKE(2, "--quality|101|100", "draw", sketch(), "--class", "3", "-o", in_folder("never.jpg"),
          "--quality", "101");
  MISTAKE(2, "--quality|PNG", "draw", sketch(), "--class", "3", "-o", in_folder("never.png"),
          "--quality", "90");
}

static void test_words(void **state) {
  (void)state;
  MISTAKE(2, "ludicrous|balanced|official", "draw", sketch(), "--class", "3", "--recipe",
          "ludicrous");
  MISTAKE(2, "stepps|the nearest is steps", "draw", sketch(), "--class", "3", "--set", "stepps=3");
  MISTAKE(2, "--guidance_scale=3|the nearest is --guidance:", "draw", sketch(), "--class", "3",
          "--guidance_scale=3");
  MISTAKE(2, "--host|the nearest is --listen:", "serve", "--host", "0.0.0.0");
  MISTAKE(2, "--hots|the nearest is --", "draw", sketch(), "--class", "3", "--hots", "1");
  MISTAKE(2, "steps|KEY=VALUE", "draw", sketch(), "--class", "3", "--set", "steps");
  MISTAKE(2, "lambda_structure", "generate", "--class", "3", "--set", "lambda_structure=0.5");
  MISTAKE(2, "schedule|linear|cosine", "draw", sketch(), "--class", "3", "--set",
          "schedule=linear");
  MISTAKE(2, "layer", "draw", sketch(), "--class", "3", "--set", "layers=0,99");
  MISTAKE(2, "--fit|tile|stretch pad crop", "draw", sketch(), "--class", "3", "--fit", "tile");
  MISTAKE(2, "--precision|int4|fp32 int8", "draw", sketch(), "--class", "3", "--precision", "int4");
  MISTAKE(2, "--decode-precision|bf16|fp32 int8", "draw", sketch(), "--class", "3",
          "--decode-precision", "bf16");
  MISTAKE(2, "--decode-precision", "sheet", sketch(), "-o", in_folder("never.png"),
          "--decode-precision", "int8");
  MISTAKE(2, "--isa|z80|ref", "draw", sketch(), "--class", "3", "--isa", "z80");
  MISTAKE(2, "--rng|mt19937|partitionable", "draw", sketch(), "--class", "3", "--rng", "mt19937");
  MISTAKE(2, "--first-item|official", "draw", sketch(), "--class", "3", "--first-item", "1",
          "--recipe", "official");
  MISTAKE(2, "--keep|--candidates", "draw", sketch(), "--class", "3", "--keep", "2");
  MISTAKE(2, "--weight-text|--candidates", "draw", sketch(), "--class", "3", "--weight-text", "2");
  MISTAKE(2, "--count|--keep", "draw", sketch(), "--class", "3", "--candidates", "2", "--count",
          "2");
  MISTAKE(2, "official", "draw", sketch(), "--class", "3", "--candidates", "2", "--recipe",
          "official");
  MISTAKE(2, "--trace", "draw", sketch(), "--class", "3", "--candidates", "2", "--trace",
          in_folder("t"));
  MISTAKE(2, "80|64", "draw", sketch(), "--class", "3", "--candidates", "40", "--guidance", "1,2");
  MISTAKE(2, "--guidance|1,x", "draw", sketch(), "--class", "3", "--candidates", "2", "--guidance",
          "1,x");
  MISTAKE(2, "guidance|1,2", "draw", sketch(), "--class", "3", "--guidance", "1,2");
  MISTAKE(2, "--keep|3", "draw", sketch(), "--class", "3", "--candidates", "4", "--finish", "2",
          "--keep", "3");
  MISTAKE(2, "--finish|5", "draw", sketch(), "--class", "3", "--candidates", "4", "--finish", "5");
  MISTAKE(2, "--weight-confidence|--finish", "draw", sketch(), "--class", "3", "--candidates", "4",
          "--weight-confidence", "1");
  MISTAKE(2, "--drop-from|--finish", "draw", sketch(), "--class", "3", "--candidates", "4",
          "--drop-from", "0.5");
  MISTAKE(3, "nowhere", "draw", sketch(), "--class", "3", "--candidates", "2", "--clip",
          in_folder("nowhere"));
  MISTAKE(2, "--film|replay", "draw", sketch(), "--class", "3", "--candidates", "2", "--film",
          in_folder("f.png"));
  MISTAKE(2, "--film|official", "draw", sketch(), "--class", "3", "--recipe", "official", "--count",
          "2", "--film", in_folder("f.png"));
  MISTAKE(2, "--film|256", "draw", sketch(), "--class", "3", "--steps", "300", "--film",
          in_folder("f.png"));
  MISTAKE(2, "same name", "draw", sketch(), "--class", "3", "-o", in_folder("f.png"), "--film",
          in_folder("f.png"));
  MISTAKE(2, "--at", "attention", sketch(), sketch(), "--class", "3", "-o", in_folder("f.png"));
  MISTAKE(2, "--at|npy", "attention", sketch(), "--class", "3", "--at", "1,1", "-o",
          in_folder("f.npy"));
  MISTAKE(2, "--at|127", "attention", sketch(), "--class", "3", "--at", "128,1", "-o",
          in_folder("f.png"));
  MISTAKE(2, "--at|X,Y", "attention", sketch(), "--class", "3", "--at", "12", "-o",
          in_folder("f.png"));
  MISTAKE(2, "99", "draw", sketch(), "--class", "99");
  MISTAKE(2, "-1", "draw", sketch(), "--class", "-1");
  MISTAKE(2, "unicorn", "draw", sketch(), "--class", "unicorn");
  MISTAKE(2, "unicorn", "classes", "unicorn");
}

/* With OpenCL or without it, there is no such device. */
static void test_devices(void **state) {
  (void)state;
  const char *out = in_folder("never.png");
  setenv("XDG_CACHE_HOME", test_folder, 1);
  MISTAKE(4, "OpenCL|expected", "draw", sketch(), "--class", "3", "--device", "no such", "-o", out);
  assert_false(exists(out));
  /* with auto one line tells what there is not, and the CPU draws */
  EXPECT(0, "draw", sketch(), "--class", "3", "--device", "cpu", "-o", in_folder("cpu.png"));
  run_result result =
      RUN("draw", sketch(), "--class", "3", "--device", "auto", "-o", in_folder("auto.png"));
  assert_int_equal(result.code, 0);
  assert_true(same_bytes(in_folder("cpu.png"), in_folder("auto.png")) ||
              strstr(result.err, "warning") == NULL);
  run_free(&result);
  result = RUN("draw", "--device", "list");
  assert_int_equal(result.code, 0);
  assert_int_equal(strncmp(result.out, "cpu ", 4), 0);
  run_free(&result);
}

static void test_areas(void **state) {
  (void)state;
  const char *photo = golden_path("tiny/input/photo.png");
  MISTAKE(2, "--box|--mask", "edit", photo, "--class", "3");
  MISTAKE(2, "--box|--mask", "edit", photo, "--class", "3", "--box", "0,0,8,8", "--extend",
          "1,1,1,1");
  MISTAKE(2, "--box|four", "edit", photo, "--class", "3", "--box", "0,0,8");
  MISTAKE(2, "--box|128 high", "edit", photo, "--class", "3", "--box", "0,0,8,129");
  MISTAKE(2, "--box", "edit", photo, "--class", "3", "--box", "0,0,0,8");
  MISTAKE(2, "--box", "edit", photo, "--class", "3", "--box", "0,0,-8,8");
  MISTAKE(2, "--extend", "edit", photo, "--class", "3", "--extend", "0,0,0,0");
  MISTAKE(2, "--layers|3", "attention", photo, "--class", "3", "--layers", "0,4", "-o",
          in_folder("never.npy"));
}

static void test_inputs(void **state) {
  (void)state;
  char path[4096];
  MISTAKE(3, "nowhere.png", "draw", in_folder("nowhere.png"), "--class", "3");
  MISTAKE(2, "folder|-o", "draw", in_folder("."), "--class", "3");
  MISTAKE(3, "text.png", "draw", golden_path("image/bad/text.png"), "--class", "3");
  MISTAKE(3, "truncated_idat.png", "draw", golden_path("image/bad/truncated_idat.png"), "--class",
          "3");
  MISTAKE(3, "huge_100000x100000.png", "draw", golden_path("image/bad/huge_100000x100000.png"),
          "--class", "3");
  MISTAKE(3, "sketch0.png", "draw", sketch(), "--class", "3", "--model", sketch());
  MISTAKE(3, "nowhere|convert", "draw", sketch(), "--class", "3", "--model", "nowhere");
  MISTAKE(3, "photo.png", "replay", golden_path("tiny/input/photo.png"));
  MISTAKE(3, "odd.safetensors", "detokenize", model_of("odd"), "-o", in_folder("never.png"));
  MISTAKE(3, "tokens", "detokenize", golden_path("tiny/tokenizer/photo/decoded.npy"), "-o",
          in_folder("never.png"));
  snprintf(path, sizeof path, "%s", golden_path("tiny/tokenizer_imagenet128_checkpoint"));
  MISTAKE(3, "", "convert", "--tokenizer", path, "--transformer", path, "-o",
          in_folder("never.safetensors"));
  MISTAKE(3, "", "convert", "--tokenizer", path, "--transformer",
          golden_path("odd/maskgit_imagenet80_checkpoint"), "-o", in_folder("never.safetensors"));
  MISTAKE(2, "--transformer", "convert", "--tokenizer", path, "-o", in_folder("never.safetensors"));
  assert_int_equal(count_files(in_folder("."), "never"), 0);
}

static void test_outputs(void **state) {
  (void)state;
  MISTAKE(2, "out.bmp|.png", "draw", sketch(), "--class", "3", "-o", "out.bmp");
  MISTAKE(1, "missing/out.png", "draw", sketch(), "--class", "3", "-o",
          in_folder("missing/out.png"));
  MISTAKE(2, "folder", "convert", "--tokenizer", sketch(), "--transformer", sketch(), "-o",
          in_folder("."));
  MISTAKE(2, "standard output", "draw", sketch(), "--class", "3", "-o", "-", "--json");
  MISTAKE(2, "standard output", "draw", sketch(), "--class", "3", "-o", "-", "--count", "2");
  MISTAKE(2, "standard output", "draw", sketch(), "--class", "3", "-o", "-", "--tokens-out", "-");
  MISTAKE(2, "standard input", "draw", "-", "--class", "3", "--lambda-map", "-");
  MISTAKE(2, "standard input", "sheet", "-", "-", "-o", in_folder("never.png"));
  MISTAKE(2, "standard output", "tokenize", sketch(), "-o", "-", "--latents", "-");
  MISTAKE(2, "same name", "tokenize", sketch(), "-o", in_folder("never.npy"), "--latents",
          in_folder("never.npy"));
  MISTAKE(2, "same name", "draw", sketch(), "--class", "3", "-o", in_folder("never.png"), "--sheet",
          in_folder("never.png"));
  MISTAKE(2, "--no-metadata", "info", sketch(), "--no-metadata");
}

/* The input must not be replaced by what is made of it. */
static void test_input_is_kept(void **state) {
  (void)state;
  size_t bytes = 0;
  uint8_t *data = test_read_file(sketch(), &bytes);
  msk_error error;
  char copy[4096];
  snprintf(copy, sizeof copy, "%s", in_folder("mine.png"));
  assert_int_equal(msk_file_write(copy, data, bytes, &error), MSK_OK);
  MISTAKE(2, "mine.png|input", "draw", copy, "--class", "3", "-o", copy);
  assert_int_equal(symlink("mine.png", in_folder("other.png")), 0);
  MISTAKE(2, "other.png|input", "draw", copy, "--class", "3", "-o", in_folder("other.png"));
  MISTAKE(2, "read by this command", "draw", sketch(), "--class", "3", "--lambda-map", copy, "-o",
          copy);
  assert_true(same_bytes(copy, sketch()));
  free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_command_line),  cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_words),         cmocka_unit_test(test_areas),
      cmocka_unit_test(test_inputs),        cmocka_unit_test(test_outputs),
      cmocka_unit_test(test_input_is_kept), cmocka_unit_test(test_devices)};
  return cmocka_run_group_tests(tests, set_up_models, tear_down_folder);
}
