/* SPDX-License-Identifier: Apache-2.0
 *
 * test_int8_models.c - model files with the transformer's layers in 8 bits: they are what opening
 * the same file without them would make, to the bit; which precision they open in; converting them
 * again; damaged ones; every allocation refused. */
#include <math.h>
#include <unistd.h>

#include "api.h"
#include "masksketch_tools.h"
#include "model/weights.h"
#include "tensor/weight_file.h"

static char *folder;
static char plain[600], halved[600], coded[600], coded_halves[600], opened[600];

static void convert(const char *from, const char *to, msk_dtype dtype, int int8) {
  msk_convert_options options;
  msk_error error = {0};
  msk_convert_options_init(&options);
  options.tokenizer_path = options.transformer_path = from;
  options.output_path = to;
  options.dtype = dtype;
  options.int8 = int8;
  api_ok(msk_convert(&options, &error), &error);
}

static int setup(void **state) {
  (void)state;
  folder = test_make_folder();
  snprintf(plain, sizeof plain, "%s", api_convert(folder, "odd", NULL));
  snprintf(halved, sizeof halved, "%s/halved", folder);
  snprintf(coded, sizeof coded, "%s/coded", folder);
  snprintf(coded_halves, sizeof coded_halves, "%s/coded-halves", folder);
  snprintf(opened, sizeof opened, "%s/opened", folder);
  convert(plain, halved, MSK_DTYPE_F16, 0);
  convert(plain, coded, MSK_DTYPE_F32, 1);
  convert(plain, coded_halves, MSK_DTYPE_F16, 1);
  convert(coded, opened, MSK_DTYPE_F32, 0);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  test_remove_folder(folder);
  return 0;
}

static msk_model *open_model(const char *path, const char *isa, msk_precision precision) {
  msk_model *model = NULL;
  msk_error error = {0};
  msk_model_options options;
  msk_model_options_init(&options);
  options.isa = isa;
  options.precision = precision;
  options.threads = 2;
  api_ok(msk_model_open(&model, path, &options, &error), &error);
  return model;
}

/* Of three steps (one of the slow reference): tokens, pixels and scores. */
static uint64_t digest(const char *path, const char *isa, msk_precision precision) {
  msk_model *model = open_model(path, isa, precision);
  msk_image sketch = api_load(golden_path("odd/input/sketch0.png"));
  msk_request request;
  msk_result result;
  msk_error error = {0};
  api_small_draw(&request, model, &sketch, strcmp(isa, "ref") == 0 ? 1 : 3, 1);
  msk_session *session = api_session(model, &request, 1);
  api_ok(msk_run(session, &request, &result, &error), &error);
  uint64_t found = api_digest(model, &result);
  msk_session_close(session);
  msk_image_free(&sketch);
  msk_model_close(model);
  return found;
}

/* ---- what is in a file ---- */

static msk_weight_file *open_file(const char *path) {
  msk_weight_file *file = NULL;
  msk_error error = {0};
  api_ok(msk_weight_file_open(&file, path, NULL, &error), &error);
  return file;
}

static bool ends_with(const char *text, const char *end) {
  return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* By the definition (docs/precision.md), a column at a time. */
static void check_column(const float *values, const int8_t *codes, size_t rows, size_t columns,
                         size_t column, float scale) {
  float largest = 0;
  for (size_t r = 0; r < rows; r++) largest = fmaxf(largest, fabsf(values[r * columns + column]));
  assert_true(scale == largest / 127.0f);
  for (size_t r = 0; r < rows; r++) {
    assert_int_equal(codes[r * columns + column],
                     lrintf(values[r * columns + column] * (127.0f / largest)));
  }
}

static void check_codes(const char *path, const char *source_path, size_t expected) {
  msk_weight_file *file = open_file(path), *source = open_file(source_path);
  size_t found = 0;
  assert_string_equal(msk_weight_file_metadata(file, "format"), "masksketch 2");
  for (size_t i = 0; i < msk_weight_file_count(source); i++) {
    const msk_tensor *from = msk_weight_file_at(source, i),
                     *to = msk_weight_file_find(file, from->name);
    assert_non_null(to);
    assert_memory_equal(to->shape, from->shape, sizeof to->shape);
    bool layer =
        strstr(from->name, ".TransformerLayer_") != NULL && ends_with(from->name, ".kernel");
    if (!layer) {
      assert_int_equal(to->dtype, from->dtype);
      assert_memory_equal(to->data, from->data, from->bytes);
      continue;
    }
    char name[200];
    snprintf(name, sizeof name, "%s_scales", from->name);
    const msk_tensor *scales = msk_weight_file_find(file, name);
    assert_non_null(scales);
    assert_int_equal(to->dtype, MSK_DTYPE_I8);
    assert_int_equal(scales->dtype, MSK_DTYPE_F32);
    snprintf(name, sizeof name, "%.*sbias", (int)(strlen(from->name) - strlen("kernel")),
             from->name);
    const msk_tensor *bias = msk_weight_file_find(file, name); /* of the same columns */
    assert_int_equal(scales->rank, bias->rank);
    assert_memory_equal(scales->shape, bias->shape, (size_t)bias->rank * sizeof *bias->shape);
    float *values = malloc(from->elements * sizeof *values), *factors = malloc(scales->bytes);
    msk_tensor_to_f32(from, 0, from->elements, values);
    msk_tensor_to_f32(scales, 0, scales->elements, factors);
    for (size_t c = 0; c < scales->elements; c++)
      check_column(values, (const int8_t *)to->data, from->elements / scales->elements,
                   scales->elements, c, factors[c]);
    free(values), free(factors);
    found++;
  }
  assert_int_equal(found, expected);
  assert_int_equal(msk_weight_file_count(file), msk_weight_file_count(source) + expected);
  msk_weight_file_close(file);
  msk_weight_file_close(source);
}

static void test_contents(void **state) {
  (void)state;
  msk_model *model = open_model(plain, NULL, MSK_PRECISION_FP32),
            *smaller = open_model(coded, NULL, MSK_PRECISION_FP32);
  msk_model_info info, smaller_info;
  msk_model_get_info(model, &info);
  msk_model_get_info(smaller, &smaller_info);
  assert_int_equal(info.parameters, smaller_info.parameters);
  check_codes(coded, plain, 6 * (size_t)info.layers);
  check_codes(coded_halves, halved, 6 * (size_t)info.layers);
  msk_model_close(model);
  msk_model_close(smaller);
}

/* ---- the same bits ---- */

static int limit_of(const char *isa) {
  return strcmp(isa, "avx2") == 0 || strcmp(isa, "avx512") == 0 ? 63 : 127;
}

static void test_same_bits(void **state) {
  (void)state;
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    const char *isa = msk_isa_name(i);
    uint64_t of_codes = digest(coded, isa, MSK_PRECISION_INT8);
    if (limit_of(isa) == 127) {
      assert_true(of_codes == digest(plain, isa, MSK_PRECISION_INT8));
      assert_true(digest(coded_halves, isa, MSK_PRECISION_INT8) ==
                  digest(halved, isa, MSK_PRECISION_INT8));
    } else { /* made from the numbers that the codes stand for */
      assert_true(of_codes == digest(opened, isa, MSK_PRECISION_INT8));
    }
    assert_true(digest(coded, isa, MSK_PRECISION_FP32) == digest(opened, isa, MSK_PRECISION_FP32));
  }
}

static void test_precision(void **state) {
  (void)state;
  static const struct {
    const char *path;
    msk_precision asked, found;
  } cases[] = {{plain, MSK_PRECISION_OF_FILE, MSK_PRECISION_FP32},
               {halved, MSK_PRECISION_OF_FILE, MSK_PRECISION_FP32},
               {coded, MSK_PRECISION_OF_FILE, MSK_PRECISION_INT8},
               {coded, MSK_PRECISION_FP32, MSK_PRECISION_FP32},
               {plain, MSK_PRECISION_INT8, MSK_PRECISION_INT8},
               {opened, MSK_PRECISION_OF_FILE, MSK_PRECISION_FP32}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    msk_model_info info;
    msk_model *model = open_model(cases[i].path, NULL, cases[i].asked);
    msk_model_get_info(model, &info);
    assert_int_equal(info.precision, cases[i].found);
    msk_model_close(model);
  }
  msk_model *model = open_model(coded, NULL, MSK_PRECISION_OF_FILE), *none = NULL;
  msk_model_options options;
  msk_error error = {0};
  msk_model_close(model);
  msk_model_options_init(&options);
  assert_int_equal(options.precision, MSK_PRECISION_OF_FILE);
  options.precision = (msk_precision)3;
  assert_int_equal(msk_model_open(&none, coded, &options, &error), MSK_ERROR_ARGUMENT);
}

static void assert_same_file(const char *a, const char *b) {
  msk_weight_file *first = open_file(a), *second = open_file(b);
  assert_string_equal(msk_weight_file_metadata(first, "tensors_sha256"),
                      msk_weight_file_metadata(second, "tensors_sha256"));
  assert_string_equal(msk_weight_file_metadata(first, "format"),
                      msk_weight_file_metadata(second, "format"));
  assert_int_equal(msk_weight_file_count(first), msk_weight_file_count(second));
  msk_weight_file_close(first);
  msk_weight_file_close(second);
}

/* Codes are passed on as they are, also beside other types; what they stand for is their product
 * with the scales. */
static void test_converted_again(void **state) {
  (void)state;
  char again[600];
  snprintf(again, sizeof again, "%s/again", folder);
  convert(coded, again, MSK_DTYPE_F32, 1);
  assert_same_file(coded, again);
  convert(halved, again, MSK_DTYPE_F16, 1);
  assert_same_file(coded_halves, again);
  convert(coded_halves, again, MSK_DTYPE_F16, 1);
  assert_same_file(coded_halves, again);
  msk_weight_file *file = open_file(coded), *values = open_file(opened);
  const char *name = "transformer.TransformerLayer_0.Mlp_0.layer_output.kernel";
  const msk_tensor *codes = msk_weight_file_find(file, name),
                   *product = msk_weight_file_find(values, name);
  const float *scales = (const float *)(const void *)msk_weight_file_find(
                            file, "transformer.TransformerLayer_0.Mlp_0.layer_output.kernel_scales")
                            ->data;
  assert_int_equal(product->dtype, MSK_DTYPE_F32);
  for (size_t i = 0; i < codes->elements; i++) {
    assert_true(((const float *)(const void *)product->data)[i] ==
                (float)(int8_t)codes->data[i] * scales[i % codes->shape[1]]);
  }
  assert_string_equal(msk_weight_file_metadata(values, "format"), "masksketch 1");
  msk_weight_file_close(file);
  msk_weight_file_close(values);
}

/* ---- damaged files ---- */

#define VICTIM "transformer.TransformerLayer_1.Attention_0.self_attention.key.kernel"
#define HEAD "transformer.MlmLayer_0.mlm_dense.kernel"
#define FILTER "tokenizer.encoder.Conv_0.kernel"

typedef enum harm {
  UNHARMED,
  CODE_OUT,
  SCALE_NAN,
  SCALE_INFINITE,
  SCALE_NEGATIVE,
  SCALE_HUGE,
  NO_SCALES,
  LONG_SCALES,
  NARROW_SCALES,
  STRANGE_SCALES,
  UNSIGNED_CODES,
  HEAD_IN_CODES,
  FILTER_IN_CODES,
  OLD_FORMAT,
  NEXT_FORMAT,
  HARMS,
  TOO_LARGE /* for binary16; of a file without codes */
} harm;

static const struct {
  const char *word;
  bool plain_to_see; /* in the table of tensors or the metadata */
} expected[HARMS] = {[CODE_OUT] = {VICTIM, false},
                     [SCALE_NAN] = {VICTIM "_scales", false},
                     [SCALE_INFINITE] = {VICTIM "_scales", false},
                     [SCALE_NEGATIVE] = {VICTIM "_scales", false},
                     [SCALE_HUGE] = {VICTIM "_scales", false},
                     [NO_SCALES] = {VICTIM "_scales is missing", true},
                     [LONG_SCALES] = {VICTIM "_scales has shape", true},
                     [NARROW_SCALES] = {VICTIM "_scales has type F16", true},
                     [STRANGE_SCALES] = {HEAD "_scales has no place", true},
                     [UNSIGNED_CODES] = {VICTIM " has type U8", true},
                     [HEAD_IN_CODES] = {HEAD " has type I8", true},
                     [FILTER_IN_CODES] = {FILTER " has type I8", true},
                     [OLD_FORMAT] = {"I8", true},
                     [NEXT_FORMAT] = {"masksketch 3", true}};

typedef struct rewriting {
  const msk_weight_file *file;
  harm harm;
  size_t count;
  msk_tensor tensors[400];
} rewriting;

static msk_status fill(void *user, size_t index, void *out, msk_error *error) {
  const rewriting *r = user;
  const msk_tensor *tensor = &r->tensors[index],
                   *from = msk_weight_file_find(r->file, tensor->name);
  (void)error;
  memset(out, 0, tensor->bytes);
  if (from != NULL && from->bytes <= tensor->bytes) memcpy(out, from->data, from->bytes);
  bool scales = strcmp(tensor->name, VICTIM "_scales") == 0;
  float odd = r->harm == SCALE_NAN        ? NAN
              : r->harm == SCALE_INFINITE ? INFINITY
              : r->harm == SCALE_NEGATIVE ? -1e-3f
                                          : 3e37f;
  if (scales && r->harm >= SCALE_NAN && r->harm <= SCALE_HUGE)
    memcpy((char *)out + tensor->bytes - sizeof odd, &odd, sizeof odd);
  float large = 1e5f;
  if (r->harm == TOO_LARGE && strcmp(tensor->name, VICTIM) == 0)
    memcpy((char *)out + tensor->bytes - sizeof large, &large, sizeof large);
  if (r->harm == CODE_OUT && strcmp(tensor->name, VICTIM) == 0)
    ((int8_t *)out)[tensor->bytes / 2] = -128;
  return MSK_OK;
}

static void alter(msk_tensor *tensor, harm kind) {
  bool victim = strcmp(tensor->name, VICTIM) == 0,
       scales = strcmp(tensor->name, VICTIM "_scales") == 0;
  if (scales && kind == LONG_SCALES) tensor->shape[1]++;
  if (scales && kind == NARROW_SCALES) tensor->dtype = MSK_DTYPE_F16;
  if (victim && kind == UNSIGNED_CODES) tensor->dtype = MSK_DTYPE_U8;
  if (kind == HEAD_IN_CODES && strcmp(tensor->name, HEAD) == 0) tensor->dtype = MSK_DTYPE_I8;
  if (kind == FILTER_IN_CODES && strcmp(tensor->name, FILTER) == 0) tensor->dtype = MSK_DTYPE_I8;
  tensor->elements = 1;
  for (int i = 0; i < tensor->rank; i++) tensor->elements *= tensor->shape[i];
  tensor->bytes = tensor->elements * msk_dtype_bytes(tensor->dtype);
}

static void write_harmed(const char *path, const msk_weight_file *file, harm kind) {
  rewriting *r = calloc(1, sizeof *r);
  msk_error error = {0};
  r->file = file;
  r->harm = kind;
  for (size_t i = 0; i < msk_weight_file_count(file); i++) {
    msk_tensor tensor = *msk_weight_file_at(file, i);
    if (kind == NO_SCALES && strcmp(tensor.name, VICTIM "_scales") == 0) continue;
    alter(&tensor, kind);
    r->tensors[r->count++] = tensor;
  }
  if (kind == STRANGE_SCALES) {
    r->tensors[r->count++] = (msk_tensor){
        .name = HEAD "_scales", .rank = 1, .shape = {1}, .elements = 1, .bytes = sizeof(float)};
  }
  const char *format = kind == OLD_FORMAT    ? "masksketch 1"
                       : kind == NEXT_FORMAT ? "masksketch 3"
                                             : "masksketch 2";
  const msk_metadata_entry metadata[] = {{"format", format},
                                         {"classes", msk_weight_file_metadata(file, "classes")}};
  api_ok(msk_safetensors_write(path, r->tensors, r->count, metadata, 2, fill, r, NULL, &error),
         &error);
  free(r);
}

static void check_refused(msk_status status, harm kind, const char *doing, const msk_error *error) {
  if (status != MSK_ERROR_FILE || strstr(error->message, expected[kind].word) == NULL)
    fail_msg("harm %d, %s: status %d, \"%s\", expected \"%s\" in it", (int)kind, doing, (int)status,
             error->message, expected[kind].word);
}

static void try_harmed(const char *path, harm kind, const char *isa, msk_precision precision) {
  msk_model_options options;
  msk_memory_plan plan;
  msk_model *model = NULL;
  msk_error error = {.message = ""};
  msk_model_options_init(&options);
  options.isa = isa;
  options.precision = precision;
  check_refused(msk_model_open(&model, path, &options, &error), kind, "opening", &error);
  assert_null(model);
  if (expected[kind].plain_to_see)
    check_refused(msk_model_plan(&plan, path, &options, &error), kind, "planning", &error);
}

static void test_damages(void **state) {
  (void)state;
  char path[600], output[600];
  msk_weight_file *file = open_file(coded);
  snprintf(path, sizeof path, "%s/harmed", folder);
  snprintf(output, sizeof output, "%s/not-written", folder);
  write_harmed(path, file, UNHARMED);
  msk_model_close(open_model(path, NULL, MSK_PRECISION_OF_FILE));
  for (harm kind = UNHARMED + 1; kind < HARMS; kind++) {
    write_harmed(path, file, kind);
    for (int i = 0; msk_isa_name(i) != NULL; i++) {
      for (int precision = MSK_PRECISION_FP32; precision <= MSK_PRECISION_OF_FILE; precision++)
        try_harmed(path, kind, msk_isa_name(i), (msk_precision)precision);
    }
    msk_convert_options options;
    msk_error error = {.message = ""};
    msk_convert_options_init(&options);
    options.tokenizer_path = options.transformer_path = path;
    options.output_path = output;
    options.int8 = kind % 2;
    /* a source's format is not looked at */
    if (kind == OLD_FORMAT || kind == NEXT_FORMAT) continue;
    if (msk_convert(&options, &error) != MSK_ERROR_FILE) fail_msg("harm %d: converted", (int)kind);
    assert_int_equal(access(output, F_OK), -1);
  }
  msk_weight_file_close(file);
}

/* Codes are made of numbers of the type that is asked for: what that type cannot hold is
 * refused, although codes could. */
static void test_too_large(void **state) {
  (void)state;
  char path[600], output[600];
  msk_weight_file *file = open_file(plain);
  msk_convert_options options;
  msk_error error = {.message = ""};
  snprintf(path, sizeof path, "%s/large", folder);
  snprintf(output, sizeof output, "%s/not-written", folder);
  write_harmed(path, file, TOO_LARGE);
  msk_weight_file_close(file);
  msk_convert_options_init(&options);
  options.tokenizer_path = options.transformer_path = path;
  options.output_path = output;
  options.dtype = MSK_DTYPE_F16;
  options.int8 = 1;
  assert_int_equal(msk_convert(&options, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, strchr(VICTIM, '.') + 1));
  assert_non_null(strstr(error.message, "F16"));
  assert_int_equal(access(output, F_OK), -1);
  convert(path, output, MSK_DTYPE_F32, 1);
  msk_model_close(open_model(output, NULL, MSK_PRECISION_OF_FILE));
}

/* ---- a tensor by itself ---- */

static void test_values(void **state) {
  (void)state;
  msk_weight_file *file = open_file(coded), *source = open_file(opened);
  for (size_t i = 0; i < msk_weight_file_count(source); i++) {
    const msk_tensor *from = msk_weight_file_at(source, i);
    float *values = malloc(from->elements * sizeof *values);
    msk_error error = {0};
    api_ok(msk_weight_values(file, msk_weight_file_find(file, from->name), values, &error), &error);
    assert_int_equal(from->dtype, MSK_DTYPE_F32);
    assert_memory_equal(values, from->data, from->bytes);
    free(values);
  }
  char path[600];
  snprintf(path, sizeof path, "%s/harmed-value", folder);
  for (harm kind = CODE_OUT; kind <= UNSIGNED_CODES; kind++) {
    if (kind == STRANGE_SCALES) continue;
    write_harmed(path, file, kind);
    msk_weight_file *harmed = open_file(path);
    const msk_tensor *victim = msk_weight_file_find(harmed, VICTIM);
    float *values = malloc(victim->elements * sizeof *values);
    msk_error error = {.message = ""};
    if (msk_weight_values(harmed, victim, values, &error) != MSK_ERROR_FILE ||
        strstr(error.message, VICTIM) == NULL)
      fail_msg("harm %d: \"%s\"", (int)kind, error.message);
    free(values);
    msk_weight_file_close(harmed);
  }
  msk_weight_file_close(file);
  msk_weight_file_close(source);
}

/* ---- memory ---- */

static void test_no_memory(void **state) {
  (void)state;
  char output[600];
  snprintf(output, sizeof output, "%s/scarce", folder);
  for (long k = 1;; k += 1 + k / 10) {
    counting_allocator counting;
    msk_convert_options options;
    msk_error error = {.message = ""};
    counting_allocator_init(&counting);
    counting.fail_at = k;
    msk_convert_options_init(&options);
    options.tokenizer_path = options.transformer_path = k % 2 ? coded : halved;
    options.output_path = output;
    options.int8 = 1;
    options.allocator = &counting.allocator;
    msk_status status = msk_convert(&options, &error);
    assert_int_equal(counting.live, 0);
    if (status == MSK_OK) {
      assert_true(k > 10);
      break;
    }
    assert_int_equal(status, MSK_ERROR_MEMORY);
    assert_int_equal(access(output, F_OK), -1);
  }
}

/* Opening one: the first allocations all, then ever fewer. */
static void test_no_memory_to_open(void **state) {
  (void)state;
  for (long k = 1;; k += 1 + k / 20) {
    counting_allocator counting;
    msk_model_options options;
    msk_model *model = NULL;
    msk_error error = {.message = ""};
    counting_allocator_init(&counting);
    counting.fail_at = k;
    msk_model_options_init(&options);
    options.precision = k % 2 ? MSK_PRECISION_INT8 : MSK_PRECISION_FP32;
    options.threads = 1;
    options.allocator = &counting.allocator;
    msk_status status = msk_model_open(&model, coded, &options, &error);
    msk_model_close(model);
    assert_int_equal(counting.live, 0);
    if (status == MSK_OK) {
      assert_true(k > 50);
      break;
    }
    assert_int_equal(status, MSK_ERROR_MEMORY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_contents),         cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_precision),        cmocka_unit_test(test_converted_again),
      cmocka_unit_test(test_damages),          cmocka_unit_test(test_too_large),
      cmocka_unit_test(test_values),           cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_no_memory_to_open)};
  return cmocka_run_group_tests_name("codes", tests, setup, teardown);
}
