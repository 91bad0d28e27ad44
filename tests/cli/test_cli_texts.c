/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_texts.c - what the program says of itself: every promised option is in the help of its
 * command, help fits a terminal of 80 columns, the pages have the program's own words, and the
 * completions offer what the help names. */
#include <ctype.h>
#include <stdbool.h>
#include <unistd.h>

#include "cli_run.h"

static const char *const promised[][20] = {
    {"draw",
     "--class",
     "--output",
     "--model",
     "--recipe",
     "--set",
     "--seed",
     "--count",
     "--threads",
     "--precision",
     "--decode-precision",
     "--isa",
     "--rng",
     "--tokens-out",
     "--trace",
     "--json",
     "--quiet",
     "--no-metadata",
     "--help",
     "--version"},
    {"draw", "--lambda", "--guidance", "--steps", "--lambda-map", "--fit", "--invert",
     "--photo-of-paper", "--sheet", "--preview"},
    {"generate",
     "--class",
     "--output",
     "--model",
     "--recipe",
     "--set",
     "--seed",
     "--count",
     "--threads",
     "--precision",
     "--decode-precision",
     "--isa",
     "--rng",
     "--tokens-out",
     "--trace",
     "--json",
     "--quiet",
     "--no-metadata",
     "--steps",
     "--help"},
    {"edit", "--class", "--box", "--mask", "--output", "--model", "--recipe", "--set", "--seed",
     "--count", "--threads", "--isa", "--rng", "--tokens-out", "--json", "--quiet", "--steps",
     "--help"},
    {"replay", "--output", "--model", "--threads", "--json", "--quiet", "--help"},
    {"convert", "--tokenizer", "--transformer", "--classes", "--defaults", "--name", "--dtype",
     "--int8", "--flax", "--output", "--help"},
    {"info", "--tensors", "--json", "--help"},
    {"classes", "--model", "--json", "--help"},
    {"tokenize", "--output", "--latents", "--model", "--help"},
    {"detokenize", "--output", "--model", "--help"},
    {"attention", "--class", "--layers", "--output", "--model", "--help"},
    {"sheet", "--output", "--columns", "--help"},
    {"score", "--text", "--class", "--sketch", "--clip", "--weight-text", "--weight-sketch",
     "--threads", "--isa", "--json", "--quiet", "--help"},
    {"eval", "--output", "--model", "--judge", "--clip", "--threads", "--precision",
     "--decode-precision", "--isa", "--quiet", "--help"},
    {"distance", "--features", "--judge", "--clip", "--threads", "--isa", "--json", "--quiet",
     "--help"},
};

/* The word stands there as a whole: "--class" does not count for "--classes". */
static int has_word(const char *text, const char *word) {
  size_t length = strlen(word);
  for (const char *p = text; (p = strstr(p, word)) != NULL; p++) {
    if (!isalnum((unsigned char)p[length]) && p[length] != '-') return 1;
  }
  return 0;
}

static void test_help_has_promised(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++) {
    run_result help = RUN(promised[i][0], "--help");
    assert_int_equal(help.code, 0);
    for (size_t k = 1; k < 20 && promised[i][k] != NULL; k++) {
      if (!has_word(help.out, promised[i][k]))
        fail_msg("the help of %s lacks %s", promised[i][0], promised[i][k]);
    }
    run_free(&help);
  }
}

static const char *of_root(const char *name) {
  static char path[4096];
  const char *root = getenv("MSK_TEST_ROOT");
  snprintf(path, sizeof path, "%s/%s", root == NULL ? "." : root, name);
  return path;
}

/* What stands in a page between the two lines that mark the options. */
static char *options_of(const char *page) {
  size_t bytes = 0;
  char *text = (char *)test_read_file(of_root(page), &bytes);
  text = realloc(text, bytes + 1);
  assert_non_null(text);
  text[bytes] = 0;
  char *from = strstr(text, "options: from here"), *to = strstr(text, "options: to here");
  if (from == NULL || to == NULL) fail_msg("%s has no marks for the options", page);
  from = strchr(from, '\n') + 1;
  while (to > from && to[-1] != '\n') to--;
  char *part = strndup(from, (size_t)(to - from));
  free(text);
  return part;
}

static void test_pages(void **state) {
  (void)state;
  static const char *const pages[][2] = {{"docs/commands.md", "markdown"},
                                         {"docs/masksketch.1", "man"}};
  for (int i = 0; i < 2; i++) {
    run_result printed = RUN("help", "--page", pages[i][1]);
    char *written = options_of(pages[i][0]);
    assert_int_equal(printed.code, 0);
    if (strcmp(printed.out, written) != 0)
      fail_msg("the options in %s are not what the program prints: ./run pages", pages[i][0]);
    free(written);
    run_free(&printed);
  }
}

/* Every command of a list like that of `masksketch --help`: words after two spaces. */
static const char *next_command(const char **at, char name[32]) {
  while ((*at = strstr(*at, "\n  ")) != NULL) {
    *at += 3;
    if (islower((unsigned char)**at) && sscanf(*at, "%31[a-z]", name) == 1) return name;
  }
  return NULL;
}

static void test_help_fits(void **state) {
  (void)state;
  run_result list = RUN("--help");
  char name[32];
  int commands = 0;
  for (const char *at = list.out; next_command(&at, name) != NULL; commands++) {
    run_result help = RUN("help", name), same = RUN(name, "--help");
    assert_int_equal(help.code, 0);
    assert_string_equal(help.out, same.out);
    for (const char *line = help.out; *line != 0; line = strchr(line, '\n') + 1) {
      if (strcspn(line, "\n") > 80) fail_msg("help %s: %.*s", name, (int)strcspn(line, "\n"), line);
    }
    run_free(&help);
    run_free(&same);
  }
  assert_true(commands >= 18);
  run_free(&list);
}

/* ---- Completions ---- */

static bool have_shell(const char *name) {
  char command[64];
  snprintf(command, sizeof command, "command -v %s >/dev/null", name);
  if (system(command) == 0) return true;
  print_message("%s is not installed: its completions are not tried\n", name);
  return false;
}

/* What a command with the script of a shell in `file` prints. */
static char *told_by(const char *shell, const char *file, const char *command) {
  static char told[4096];
  char line[8192];
  snprintf(line, sizeof line, "\"$MASKSKETCH_PROGRAM\" completions %s >'%s' && %s", shell, file,
           command);
  FILE *pipe = popen(line, "r");
  assert_non_null(pipe);
  told[fread(told, 1, sizeof told - 1, pipe)] = 0;
  assert_int_equal(pclose(pipe), 0);
  return told;
}

/* What bash offers after these words, the last of which is being typed; one a line. */
static char *completed(const char *words) {
  char command[4096];
  snprintf(command, sizeof command,
           "bash -c '. \"%s\"; "
           "COMP_WORDS=(masksketch %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _masksketch; "
           "printf \"%%s\\n\" \"${COMPREPLY[@]}\"'",
           in_folder("completions"), words);
  return told_by("bash", in_folder("completions"), command);
}

/* What zsh makes of a line when Tab is pressed. */
static char *completed_by_zsh(const char *line) {
  char command[4096];
  snprintf(command, sizeof command, "zsh -f tests/cli/complete.zsh '%s' '%s'", in_folder("."),
           line);
  return told_by("zsh", in_folder("_masksketch"), command);
}

/* What fish offers at the end of a line, each without its help. */
static char *completed_by_fish(const char *line) {
  char command[4096];
  snprintf(command, sizeof command,
           "fish --no-config -c 'source \"%s\"; complete -C \"%s\"' | cut -f 1",
           in_folder("m.fish"), line);
  return told_by("fish", in_folder("m.fish"), command);
}

static void test_bash(void **state) {
  (void)state;
  if (!have_shell("bash")) skip();
  assert_string_equal(completed("dr"), "draw\n");
  assert_string_equal(completed("help gen"), "generate\n");
  assert_string_equal(completed("draw a.png --lam"), "--lambda\n--lambda-map\n");
  assert_string_equal(completed("draw a.png --fit \"\""), "stretch\npad\ncrop\nink\n");
  assert_string_equal(completed("draw --fit = p"), "pad\n");
  assert_string_equal(completed("generate --recipe bal"), "balanced\n");
  assert_string_equal(completed("generate --lam"), "\n");
  assert_string_equal(completed("draw --seed \"\""), "\n");
  assert_string_equal(completed("draw --device \"\""), "cpu\ngpu\nauto\nlist\n");
  assert_string_equal(completed("eval --sh"), "--shard\n");
  assert_string_equal(completed("eval --me"), "--merge\n");
  assert_string_equal(completed("score a.png --classe"), "--classes\n");
  assert_string_equal(completed("draw LICEN"), "LICENSE\n");
}

static void test_zsh(void **state) {
  (void)state;
  if (!have_shell("zsh")) skip();
  assert_string_equal(completed_by_zsh("masksketch dr"), "masksketch draw \n");
  assert_string_equal(completed_by_zsh("masksketch help gen"), "masksketch help generate \n");
  assert_string_equal(completed_by_zsh("masksketch draw a.png --lambda-m"),
                      "masksketch draw a.png --lambda-map=\n");
  assert_string_equal(completed_by_zsh("masksketch draw --fit cr"),
                      "masksketch draw --fit crop \n");
  assert_string_equal(completed_by_zsh("masksketch draw --fit=cr"),
                      "masksketch draw --fit=crop \n");
  assert_string_equal(completed_by_zsh("masksketch generate --lam"), "masksketch generate --lam\n");
  assert_string_equal(completed_by_zsh("masksketch draw --device au"),
                      "masksketch draw --device auto \n");
  assert_string_equal(completed_by_zsh("masksketch eval --mer"), "masksketch eval --merge \n");
}

static void test_fish(void **state) {
  (void)state;
  if (!have_shell("fish")) skip();
  assert_string_equal(completed_by_fish("masksketch dr"), "draw\n");
  assert_string_equal(completed_by_fish("masksketch help gen"), "generate\n");
  assert_string_equal(completed_by_fish("masksketch draw a.png --lambda-m"), "--lambda-map\n");
  assert_string_equal(completed_by_fish("masksketch draw --fit cr"), "crop\n");
  assert_string_equal(completed_by_fish("masksketch draw --fit=cr"), "--fit=crop\n");
  assert_string_equal(completed_by_fish("masksketch draw --device au"), "auto\n");
  assert_string_equal(completed_by_fish("masksketch eval --mer"), "--merge\n");
  assert_string_equal(completed_by_fish("masksketch score --classe"), "--classes\n");
  assert_string_equal(completed_by_fish("masksketch generate --lam"), "");
}

/* Each option of draw is in all scripts; shells that are here take them. */
static void test_scripts(void **state) {
  (void)state;
  static const char *const shells[] = {"bash", "zsh", "fish"};
  for (int i = 0; i < 3; i++) {
    run_result script = RUN("completions", shells[i]), help = RUN("draw", "--help");
    char command[8192];
    msk_error error;
    assert_int_equal(script.code, 0);
    for (const char *p = help.out; (p = strstr(p, " --")) != NULL; p += 3) {
      char word[64];
      assert_int_equal(sscanf(p + 3, "%63[a-z0-9-]", word), 1);
      if (!has_word(script.out, word)) fail_msg("completions %s lack %s", shells[i], word);
    }
    assert_int_equal(msk_file_write(in_folder("script"), script.out, script.out_bytes, &error),
                     MSK_OK);
    snprintf(command, sizeof command, "if command -v %s >/dev/null; then %s -n '%s'; fi", shells[i],
             shells[i], in_folder("script"));
    assert_int_equal(system(command), 0);
    run_free(&script);
    run_free(&help);
  }
}

static void test_version(void **state) {
  (void)state;
  run_result result = RUN("--version");
  assert_int_equal(result.code, 0);
  assert_string_equal(result.out, "masksketch " MSK_VERSION "\n");
  assert_string_equal(result.err, "");
  run_free(&result);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_help_has_promised),
                                     cmocka_unit_test(test_help_fits),
                                     cmocka_unit_test(test_pages),
                                     cmocka_unit_test(test_bash),
                                     cmocka_unit_test(test_zsh),
                                     cmocka_unit_test(test_fish),
                                     cmocka_unit_test(test_scripts),
                                     cmocka_unit_test(test_version)};
  return cmocka_run_group_tests(tests, set_up_models, tear_down_folder);
}
