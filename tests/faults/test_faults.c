/* SPDX-License-Identifier: Apache-2.0
 *
 * test_faults.c - whole commands in which one call for memory, or one of a file, fails, at each
 * place in turn: the program ends with an error in one line and no half file, or everything is
 * there. All places of all commands take minutes: MSK_TEST_FAULTS=full (./run test-faults), or all
 * of one command, by its name; else every so many-th call. */
#include <dirent.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cli/cli_run.h"

enum {
  PLACES = 12, /* tried of each, unless all are */
  PHOTOS = 5,  /* that a class is trained from */
  ENOUGH = 2,  /* calls from one place */
  MOST_PLACES = 1 << 15
};

typedef struct command {
  const char *name, *output; /* the file that it makes, or NULL */
  const char *const *arguments;
} command;

static char picture[4096], tokens[4096], made[4096], made_model[4096], made_npy[4096], spec[4096],
    photos[4096];

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void set_fault(const char *call, long at) {
  char text[24];
  snprintf(text, sizeof text, "%ld", at);
  setenv("FAULT_CALL", call, 1);
  setenv("FAULT_AT", text, 1);
  setenv("FAULT_PLACES", in_folder("places"), 1);
  setenv("LD_PRELOAD", getenv("MSK_TEST_FAULT"), 1);
}

/* Of an earlier run of training nothing is left to go on from. */
static void clear_training(void) {
  DIR *folder = opendir(in_folder("work"));
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      unlink(in_folder("work/%s", entry->d_name));
  }
  if (folder != NULL) closedir(folder);
}

static run_result run_faulty(const command *c, const char *call, long at) {
  if (c->output != NULL) {
    char checkpoint[4200];
    snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", c->output);
    unlink(c->output);
    unlink(checkpoint);
  }
  clear_training();
  set_fault(call, at);
  run_result r = run_program(c->arguments);
  unsetenv("LD_PRELOAD");
  return r;
}

/* Numbers in --json (times, memory) differ from run to run; what is there does not. */
static bool same_members(json_t *a, json_t *b) {
  const char *key;
  json_t *value;
  size_t index;
  if (json_is_number(a) && json_is_number(b)) return true;
  if (json_typeof(a) != json_typeof(b)) return false;
  if (json_is_object(a)) {
    if (json_object_size(a) != json_object_size(b)) return false;
    json_object_foreach(a, key, value) {
      json_t *other = json_object_get(b, key);
      if (other == NULL || !same_members(value, other)) return false;
    }
    return true;
  }
  if (!json_is_array(a)) return json_equal(a, b);
  if (json_array_size(a) != json_array_size(b)) return false;
  json_array_foreach(a, index, value) {
    if (!same_members(value, json_array_get(b, index))) return false;
  }
  return true;
}

static bool same_output(const char *a, const char *b) {
  if (strcmp(a, b) == 0) return true;
  json_t *one = json_loads(a, 0, NULL), *other = json_loads(b, 0, NULL);
  bool same = one != NULL && other != NULL && same_members(one, other);
  json_decref(one);
  json_decref(other);
  return same;
}

/* NULL, or what is wrong with how it ended. */
static const char *judge(const command *c, const run_result *r, const run_result *whole) {
  if (r->code < 0) return "it was ended by a signal";
  if (count_files(in_folder("."), ".masksketch") + count_files(in_folder("work"), ".masksketch") !=
      0)
    return "a temporary file is left";
  if (r->code == 0) {
    if (c->output != NULL && !exists(c->output)) return "exit 0 without its file";
    if (c->output != NULL && !same_bytes(c->output, in_folder("whole")))
      return "exit 0 with another file";
    return same_output(r->out, whole->out) ? NULL : "exit 0 with something missing";
  }
  if (r->code > 3) return "an exit code that is none of its own";
  if (strstr(r->err, "masksketch: ") == NULL) return "no error is told";
  /* the last call, for the folder, comes after the file has its name */
  bool half = c->output != NULL && exists(c->output) && !same_bytes(c->output, in_folder("whole"));
  return half ? "an error, and half a file" : NULL;
}

/* A call's place: numbers of the innermost and of the outermost functions that led to it. */
typedef struct place {
  uint64_t inner, outer;
} place;

static struct {
  uint64_t inner[MOST_PLACES], outer[MOST_PLACES];
  int inner_count, outer_count;
} tried;

static bool note(uint64_t *list, int *count, uint64_t number) {
  int before = 0;
  for (int i = 0; i < *count; i++) before += list[i] == number;
  if (before >= ENOUGH) return false;
  assert_true(*count < MOST_PLACES);
  list[(*count)++] = number;
  return true;
}

/* Where all are tried: a call is left out if others from the same innermost functions have failed,
 * in this command or in one before (from there it fails the same way: a loop over tensors, the
 * members of an object, a model that every command opens), and if others from the same outermost
 * ones have failed in this command (which makes of it the same). */
static bool is_new(const place *p) {
  bool inner = note(tried.inner, &tried.inner_count, p->inner);
  return note(tried.outer, &tried.outer_count, p->outer) || inner;
}

/* Has the call number `at` (from 0) fail; returns whether that went wrong. */
static bool try_place(const command *c, const char *call, size_t at, const run_result *whole) {
  run_result r = run_faulty(c, call, (long)at + 1);
  const char *fault = judge(c, &r, whole);
  if (fault != NULL)
    print_error("%s, %s %zu: %s (exit code %d): %.200s\n", c->name, call, at + 1, fault, r.code,
                r.err);
  run_free(&r);
  return fault != NULL;
}

static int sweep(const command *c, const char *call, bool full) {
  int wrong = 0, failed = 0;
  size_t bytes;
  run_result whole = run_faulty(c, call, 0);
  if (whole.code != 0) fail_msg("%s: exit code %d: %s", c->name, whole.code, whole.err);
  if (c->output != NULL) assert_int_equal(rename(c->output, in_folder("whole")), 0);
  place *places = (place *)(void *)test_read_file(in_folder("places"), &bytes);
  size_t count = bytes / sizeof *places, stride = full || count < PLACES ? 1 : count / PLACES;
  tried.outer_count = 0;
  for (size_t at = full ? 0 : count % stride; at < count; at += stride) {
    if (full && !is_new(&places[at])) continue;
    wrong += try_place(c, call, at, &whole);
    failed++;
  }
  if (full) print_message("  %s: %d of %zu calls, %s\n", c->name, failed, count, call);
  free(places);
  run_free(&whole);
  return wrong;
}

static void sweep_all(const char *call) {
  const char *wish = getenv("MSK_TEST_FAULTS"), *sanitizer = getenv("MSK_TEST_SANITIZER");
  char sketch[256], photo[256], tokenizer[256], transformer[256];
  if (sanitizer != NULL && *sanitizer != 0) {
    print_message("a sanitizer has its own calls for memory: skipped\n");
    skip();
  }
  snprintf(sketch, sizeof sketch, "%s", golden_path("tiny/input/sketch0.png"));
  snprintf(photo, sizeof photo, "%s", golden_path("tiny/input/photo.png"));
  snprintf(tokenizer, sizeof tokenizer, "%s", golden_path("tiny/tokenizer_imagenet128_checkpoint"));
  snprintf(transformer, sizeof transformer, "%s",
           golden_path("tiny/maskgit_imagenet128_checkpoint"));
  const command commands[] = {
      {"draw", made,
       WORDS("draw", sketch, "--class", "3", "--steps", "2", "--lambda-map", photo, "--json",
             "--threads", "1", "-o", made)},
      {"generate", made,
       WORDS("generate", "--class", "3", "--steps", "2", "--quiet", "--threads", "1", "-o", made)},
      {"edit", made,
       WORDS("edit", photo, "--box", "0,0,64,64", "--class", "3", "--steps", "2", "--quiet",
             "--threads", "1", "-o", made)},
      {"replay", made, WORDS("replay", picture, "--quiet", "--threads", "1", "-o", made)},
      {"convert", made_model,
       WORDS("convert", "--tokenizer", tokenizer, "--transformer", transformer, "--quiet", "-o",
             made_model)},
      {"info of a model", NULL, WORDS("info", getenv("MASKSKETCH_MODEL"), "--json")},
      {"info of a picture", NULL, WORDS("info", picture, "--json")},
      {"classes", NULL, WORDS("classes", "1")},
      {"tokenize", made_npy, WORDS("tokenize", photo, "--quiet", "--threads", "1", "-o", made_npy)},
      {"detokenize", made, WORDS("detokenize", tokens, "--quiet", "--threads", "1", "-o", made)},
      {"attention", made_npy,
       WORDS("attention", photo, "--class", "3", "--layers", "0", "--quiet", "--threads", "1", "-o",
             made_npy)},
      {"train", made_model, WORDS("train", spec, "--quiet", "--threads", "1")},
      {"teach", made_model,
       WORDS("teach", getenv("MASKSKETCH_MODEL"), photos, "--class", "umbrella", "--crops", "1",
             "--replay", "1", "--steps", "1", "--batch", "2", "--quiet", "--threads", "1", "-o",
             made_model)},
  };
  int wrong = 0, swept = 0;
  tried.inner_count = 0;
  bool full = wish != NULL && strcmp(wish, "full") == 0, any = full || wish == NULL || *wish == 0;
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    if (!any && strcmp(wish, commands[i].name) != 0) continue;
    wrong += sweep(&commands[i], call, full || !any);
    swept++;
  }
  assert_true(swept > 0);
  assert_int_equal(wrong, 0);
}

static void test_memory(void **state) {
  (void)state;
  sweep_all("memory");
}

static void test_files(void **state) {
  (void)state;
  static const char *const calls[] = {"open", "read", "write", "fsync", "rename", "mmap", "fstat"};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) sweep_all(calls[i]);
}

/* Two classes, and what a model is trained with on them: one step. */
static void set_up_training(void) {
  char text[2048];
  size_t bytes;
  void *photo = test_read_file(golden_path("tiny/input/photo.png"), &bytes);
  snprintf(spec, sizeof spec, "%s", in_folder("spec.json"));
  snprintf(photos, sizeof photos, "%s", in_folder("photos/b"));
  mkdir(in_folder("photos"), 0777);
  mkdir(in_folder("work"), 0777);
  for (int label = 0; label < 2; label++) {
    mkdir(in_folder("photos/%c", 'a' + label), 0777);
    for (int i = 0; i < PHOTOS; i++)
      assert_int_equal(
          msk_file_write(in_folder("photos/%c/%d.png", 'a' + label, i), photo, bytes, NULL),
          MSK_OK);
  }
  free(photo);
  snprintf(
      text, sizeof text,
      "{\"stage\": \"transformer\", \"photos\": \"photos\", \"work\": \"work\", \"output\": "
      "\"made.safetensors\", \"tokenizer\": \"%s\", \"size\": 128, \"crops\": 1, \"layers\": 2, "
      "\"width\": 32, \"heads\": 2, \"structure_layers\": [1], \"batch\": 2, \"pair_batch\": 1, "
      "\"sequences\": 2, \"warmup_sequences\": 2, \"decay_sequences\": 2, "
      "\"first_objects\": 4}",
      getenv("MASKSKETCH_MODEL"));
  assert_int_equal(msk_file_write(spec, text, strlen(text), NULL), MSK_OK);
}

static int set_up(void **state) {
  if (set_up_models(state) != 0) return -1;
  set_up_training();
  personality(ADDR_NO_RANDOMIZE); /* places are addresses, and compared between runs */
  snprintf(picture, sizeof picture, "%s", in_folder("picture.png"));
  snprintf(tokens, sizeof tokens, "%s", in_folder("tokens.npy"));
  snprintf(made, sizeof made, "%s", in_folder("made.png"));
  snprintf(made_model, sizeof made_model, "%s", in_folder("made.safetensors"));
  snprintf(made_npy, sizeof made_npy, "%s", in_folder("made.npy"));
  /* by kernels and in a precision that replay would not choose by itself */
  EXPECT(0, "draw", golden_path("tiny/input/sketch0.png"), "--class", "3", "--steps", "2",
         "--quiet", "--isa", "ref", "--precision", "int8", "-o", picture);
  EXPECT(0, "tokenize", golden_path("tiny/input/photo.png"), "--quiet", "-o", tokens);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory), cmocka_unit_test(test_files)};
  return cmocka_run_group_tests_name("faults", tests, set_up, tear_down_folder);
}
