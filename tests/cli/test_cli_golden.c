/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cli_golden.c - the authors' own results, token for token, through the command: `convert`
 * reads the checkpoints, `draw`, `generate` and `edit` under the recipe official give the tokens
 * of every case in decode/cases.json, and the trace of every step. */
#include <jansson.h>
#include <math.h>

#include <stdbool.h>

#include "cli_run.h"

enum { VALUE_BYTES = 64 };

typedef struct command_line {
  const char *words[MAX_ARGUMENTS];
  char values[MAX_ARGUMENTS][VALUE_BYTES];
  int count, value_count;
} command_line;

static void add(command_line *line, const char *word) { line->words[line->count++] = word; }

static void add_value(command_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_value(command_line *line, const char *format, ...) {
  char *value = line->values[line->value_count++];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(value, VALUE_BYTES, format, arguments);
  va_end(arguments);
  add(line, value);
}

/* --set KEY=VALUE from a field of the case, if it is there. */
static void add_setting(command_line *line, const json_t *test_case, const char *field,
                        const char *key) {
  const json_t *value = json_object_get(test_case, field);
  if (value == NULL) return;
  add(line, "--set");
  if (json_is_string(value)) {
    add_value(line, "%s=%s", key, json_string_value(value));
  } else {
    add_value(line, "%s=%.17g", key, json_number_value(value));
  }
}

static json_t *load_json(const char *path) {
  json_t *root = json_load_file(path, 0, NULL);
  assert_non_null(root);
  return root;
}

static long whole(const json_t *test_case, const char *field) {
  return (long)json_integer_value(json_object_get(test_case, field));
}

static void add_layers(command_line *line, const char *network) {
  json_t *config = load_json(golden_path("%s/config.json", network)),
         *layers = json_object_get(config, "structure_layers");
  char text[VALUE_BYTES] = "layers=";
  for (size_t i = 0; i < json_array_size(layers); i++) {
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%s%d", i == 0 ? "" : ",",
             (int)json_integer_value(json_array_get(layers, i)));
  }
  add(line, "--set");
  add_value(line, "%s", text);
  json_decref(config);
}

static void build(command_line *line, const char *network, const json_t *test_case) {
  static const char *const fields[] = {"steps",
                                       "schedule",
                                       "guidance",
                                       "lambda_structure",
                                       "min_mask_rate",
                                       "max_mask_rate",
                                       "temperature_structure",
                                       "temperature_confidence"};
  const char *kind = json_string_value(json_object_get(test_case, "kind"));
  *line = (command_line){.count = 0};
  if (strcmp(kind, "masksketch") == 0) {
    add(line, "draw");
    add(line,
        golden_path("%s/%s", network, json_string_value(json_object_get(test_case, "sketch"))));
    add_layers(line, network);
  } else if (strcmp(kind, "edit") == 0) {
    char box[VALUE_BYTES];
    snprintf(box, sizeof box, "%s",
             json_string_value(json_object_get(test_case, "box_top_left_height_width")));
    for (char *c = box; *c != 0; c++) *c = *c == '_' ? ',' : *c;
    add(line, "edit");
    add(line,
        golden_path("%s/%s", network, json_string_value(json_object_get(test_case, "image_in"))));
    add(line, "--box");
    add_value(line, "%s", box);
  } else {
    add(line, "generate");
  }
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    add_setting(line, test_case, fields[i], fields[i]);
  add_setting(line, test_case, "temperature", "choice_temperature");
  add_setting(line, test_case, "start_iter", "start_step");
  add(line, "--recipe");
  add(line, "official");
  add(line, "--model");
  add(line, model_of(network));
  add(line, "--class");
  add_value(line, "%ld", whole(test_case, "label"));
  add(line, "--seed");
  add_value(line, "%ld", whole(test_case, "seed"));
  add(line, "--count");
  add_value(line, "%ld", whole(test_case, "batch"));
  add(line, "--tokens-out");
  add(line, in_folder("tokens.npy"));
  add(line, "-o");
  add(line, in_folder("out.png"));
  add(line, "--quiet");
}

/* `edit` tells the tokens of the result, the golden data those of every step. */
static void compare_tokens(const char *network, const json_t *test_case) {
  const char *id = json_string_value(json_object_get(test_case, "id"));
  golden_array expected = golden_load(golden_path("%s/decode/%s/tokens.npy", network, id)),
               found = golden_load(in_folder("tokens.npy"));
  size_t n = expected.shape[expected.rank - 1], batch = expected.shape[0],
         steps = expected.rank == 3 ? expected.shape[1] : 1;
  bool edit = strcmp(json_string_value(json_object_get(test_case, "kind")), "edit") == 0;
  assert_int_equal(found.kind, 'i');
  assert_int_equal(found.rank, edit ? 2 : expected.rank);
  assert_int_equal(found.elements, edit ? batch * n : expected.elements);
  for (size_t i = 0; i < batch; i++) {
    const int32_t *want =
        (int32_t *)expected.data + (edit ? (i * steps + steps - 1) * n : i * steps * n);
    size_t each = edit ? n : steps * n;
    if (memcmp((int32_t *)found.data + i * each, want, each * sizeof *want) != 0)
      fail_msg("%s/%s: the tokens of row %zu differ", network, id, i);
  }
  golden_free(&expected);
  golden_free(&found);
}

static void run_case(const char *network, const json_t *test_case) {
  command_line line;
  build(&line, network, test_case);
  run_result result = run_program(line.words);
  if (result.code != 0)
    fail_msg("%s/%s: exit code %d: %s", network,
             json_string_value(json_object_get(test_case, "id")), result.code, result.err);
  run_free(&result);
  compare_tokens(network, test_case);
}

static void all_cases(const char *network, size_t least) {
  json_t *cases = load_json(golden_path("%s/decode/cases.json", network)), *test_case = NULL;
  size_t index = 0;
  assert_true(json_array_size(cases) >= least);
  json_array_foreach(cases, index, test_case) run_case(network, test_case);
  json_decref(cases);
}

static void test_tiny(void **state) {
  (void)state;
  all_cases("tiny", 15);
}

static void test_odd(void **state) {
  (void)state;
  all_cases("odd", 14);
}

/* ---- Pictures and traces ---- */

static json_t *find_case(const char *network, const char *id, json_t **cases) {
  *cases = load_json(golden_path("%s/decode/cases.json", network));
  json_t *test_case = NULL;
  size_t index = 0;
  json_array_foreach(*cases, index, test_case) {
    if (strcmp(json_string_value(json_object_get(test_case, "id")), id) == 0) return test_case;
  }
  fail_msg("no case %s", id);
  return NULL;
}

/* The PNGs against the golden float16 pictures: rounding may turn by one level. */
static void compare_pictures(const char *path, int batch) {
  golden_array expected = golden_load(path);
  size_t side = expected.shape[1];
  for (int i = 0; i < batch; i++) {
    msk_image image = {0};
    msk_error error;
    assert_int_equal(
        msk_image_load(&image, in_folder("out-%d.png", i + 1), MSK_ALPHA_DROP, NULL, &error),
        MSK_OK);
    assert_int_equal(image.width, side);
    const float *want = (float *)expected.data + (size_t)i * side * side * 3;
    for (size_t k = 0; k < side * side * 3; k++) {
      float value = want[k] < 0 ? 0 : want[k] > 1 ? 1 : want[k];
      if (fabsf((float)image.pixels[k] - 255 * value) > 0.75f)
        fail_msg("%s: picture %d, sample %zu: %d, expected %g", path, i, k, image.pixels[k],
                 (double)(255 * value));
    }
    msk_image_free(&image);
  }
  golden_free(&expected);
}

static void picture_of(const char *id, const char *file) {
  json_t *cases = NULL, *test_case = find_case("tiny", id, &cases);
  run_case("tiny", test_case);
  compare_pictures(golden_path("tiny/decode/%s/%s", id, file), (int)whole(test_case, "batch"));
  json_decref(cases);
}

static void test_pictures(void **state) {
  (void)state;
  picture_of("masksketch_main", "image.npy");
  picture_of("maskgit_main", "image.npy");
  picture_of("edit_main", "composite.npy");
}

static bool close_enough(double a, double b, double tolerance) {
  if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
  return a == b || fabs(a - b) <= tolerance; /* a == b: infinities */
}

static double number_at(const golden_array *array, size_t i) {
  switch (array->kind) {
    case 'f': return (double)((float *)array->data)[i];
    case 'i': return ((int32_t *)array->data)[i];
    case 'u': return ((uint32_t *)array->data)[i];
    case 'b': return ((uint8_t *)array->data)[i];
    default: fail_msg("unexpected type %c", array->kind); return 0;
  }
}

static void compare_trace(const char *network, const char *kind, const char *name) {
  golden_array expected = golden_load(golden_path("%s/trace/%s/%s.npy", network, kind, name)),
               found = golden_load(in_folder("trace/%s.npy", name));
  double tolerance = strcmp(name, "logits") == 0 ? 5e-5 : 2e-5;
  if (found.rank != expected.rank ||
      memcmp(found.shape, expected.shape, (size_t)expected.rank * sizeof expected.shape[0]) != 0 ||
      found.kind != expected.kind) {
    fail_msg("%s/%s: another shape or type than the golden trace: rank %d, expected %d", kind, name,
             found.rank, expected.rank);
  }
  for (size_t i = 0; i < expected.elements; i++) {
    if (!close_enough(number_at(&found, i), number_at(&expected, i), tolerance)) {
      fail_msg("%s/%s: element %zu is %g, expected %g", kind, name, i, number_at(&found, i),
               number_at(&expected, i));
    }
  }
  golden_free(&expected);
  golden_free(&found);
}

static void trace_of(const char *network, const char *kind, const char *id,
                     const char *const *names) {
  json_t *cases = NULL, *test_case = find_case(network, id, &cases);
  command_line line;
  build(&line, network, test_case);
  add(&line, "--trace");
  add(&line, in_folder("trace"));
  run_expect(__FILE__, __LINE__, 0, line.words);
  for (; *names != NULL; names++) compare_trace(network, kind, *names);
  assert_int_equal(count_files(in_folder("trace"), "XXX"), 0);
  json_decref(cases);
}

static void test_traces(void **state) {
  static const char *const masksketch[] = {"sequence",
                                           "logits",
                                           "sampled",
                                           "structure_score",
                                           "structure_scaled",
                                           "confidence_scaled",
                                           "structure_k",
                                           "confidence_k",
                                           "structure_mask",
                                           "confidence_mask",
                                           "sample_key",
                                           "unconditional_class_tokens",
                                           NULL};
  static const char *const maskgit[] = {
      "sequence",    "logits",  "choice_key", "mask_len", "selected_probability",
      "temperature", "masking", NULL};
  (void)state;
  trace_of("tiny", "masksketch", "masksketch_main", masksketch);
  trace_of("tiny", "maskgit", "maskgit_main", maskgit);
}

/* ---- The tokenizer and the attention alone ---- */

static void test_tokenizer(void **state) {
  (void)state;
  EXPECT(0, "tokenize", golden_path("tiny/input/photo.png"), "-o", in_folder("t.npy"), "--latents",
         in_folder("l.npy"), "--quiet");
  golden_array expected = golden_load(golden_path("tiny/tokenizer/photo/tokens.npy")),
               found = golden_load(in_folder("t.npy"));
  assert_int_equal(found.rank, 2);
  assert_memory_equal(found.data, expected.data, expected.elements * sizeof(int32_t));
  golden_free(&expected);
  golden_free(&found);
  expected = golden_load(golden_path("tiny/tokenizer/photo/encoder_out.npy"));
  found = golden_load(in_folder("l.npy"));
  assert_int_equal(found.elements, expected.elements);
  assert_close(found.data, expected.data, expected.elements, 2e-4);
  golden_free(&expected);
  golden_free(&found);
  EXPECT(0, "detokenize", in_folder("t.npy"), "-o", in_folder("d.npy"), "--quiet");
  expected = golden_load(golden_path("tiny/tokenizer/photo/decoded.npy"));
  found = golden_load(in_folder("d.npy"));
  assert_int_equal(found.elements, expected.elements);
  assert_close(found.data, expected.data, expected.elements, 2e-4);
  golden_free(&expected);
  golden_free(&found);
}

static void test_any_size(void **state) {
  (void)state;
  EXPECT(0, "tokenize", golden_path("tiny/tokenizer/any_size/image.npy"), "-o", in_folder("t.npy"),
         "--quiet");
  golden_array expected = golden_load(golden_path("tiny/tokenizer/any_size/tokens.npy")),
               found = golden_load(in_folder("t.npy"));
  assert_int_equal(found.shape[0], expected.shape[0]);
  assert_int_equal(found.shape[1], expected.shape[1]);
  assert_memory_equal(found.data, expected.data, expected.elements * sizeof(int32_t));
  golden_free(&expected);
  golden_free(&found);
}

/* Rows of attention are distributions, and layers can be asked for one by one. */
static void test_attention(void **state) {
  (void)state;
  const char *sketch = golden_path("tiny/input/sketch0.png");
  EXPECT(0, "attention", sketch, "--class", "3", "--layers", "0,2,3", "-o", in_folder("all.npy"),
         "--quiet");
  EXPECT(0, "attention", sketch, "--class", "3", "--layers", "2", "-o", in_folder("one.npy"),
         "--quiet");
  EXPECT(0, "attention", sketch, "--class", "3", "-o", in_folder("maps.png"), "--quiet");
  golden_array all = golden_load(in_folder("all.npy")), one = golden_load(in_folder("one.npy"));
  assert_int_equal(all.rank, 4);
  assert_int_equal(all.shape[0], 3);
  assert_int_equal(all.shape[3], 65);
  assert_int_equal(one.elements * 3, all.elements);
  assert_memory_equal(one.data, (float *)all.data + one.elements, one.elements * sizeof(float));
  for (size_t row = 0; row < all.elements / 65; row++) {
    double sum = 0;
    for (size_t i = 0; i < 65; i++) sum += (double)((float *)all.data)[row * 65 + i];
    assert_true(fabs(sum - 1) < 1e-5);
  }
  golden_free(&all);
  golden_free(&one);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tiny),      cmocka_unit_test(test_odd),
      cmocka_unit_test(test_pictures),  cmocka_unit_test(test_traces),
      cmocka_unit_test(test_tokenizer), cmocka_unit_test(test_any_size),
      cmocka_unit_test(test_attention)};
  return cmocka_run_group_tests(tests, set_up_models, tear_down_folder);
}
