/* SPDX-License-Identifier: Apache-2.0
 *
 * test_flax.c - Flax checkpoints: the golden ones whole, the places where variables may lie,
 * every kind of value, chunked arrays, and files made to mislead. */
#include <jansson.h>
#include <math.h>

#include "maker.h"
#include "masksketch_tools.h"
#include "tensor/weight_file.h"

static const float numbers[6] = {1.5f, -2, 0.25f, 1e-30f, 5, 6};

/* ---- golden checkpoints ---- */

static long setting(const json_t *config, const char *key) {
  return (long)json_integer_value(json_object_get(config, key));
}

static void assert_shape(const msk_weight_file *file, const char *name, int rank,
                         const size_t *shape) {
  const msk_tensor *tensor = msk_weight_file_find(file, name);
  if (tensor == NULL) fail_msg("no tensor %s", name);
  assert_int_equal(tensor->dtype, MSK_DTYPE_F32);
  assert_int_equal(tensor->rank, rank);
  for (int d = 0; d < rank; d++) assert_int_equal(tensor->shape[d], shape[d]);
}

static void check_transformer(const char *path, const json_t *config) {
  msk_weight_file *file = NULL;
  msk_error error;
  if (msk_weight_file_open(&file, path, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  size_t hidden = (size_t)setting(config, "hidden_size"),
         layers = (size_t)setting(config, "num_layers"),
         heads = (size_t)setting(config, "num_heads");
  size_t vocabulary = (size_t)(setting(config, "codebook_size") + setting(config, "num_class") + 1),
         positions = (size_t)setting(config, "positions");
  assert_string_equal(msk_weight_file_kind(file), "flax");
  assert_string_equal(msk_weight_file_path(file), path);
  assert_int_equal(msk_weight_file_count(file), 4 + 5 + 16 * layers);
  assert_shape(file, "Embed_0.word_embeddings.embedding", 2, (size_t[]){vocabulary, hidden});
  assert_shape(file, "Embed_0.position_embeddings.embedding", 2, (size_t[]){positions, hidden});
  assert_shape(file, "MlmLayer_0.mlm_bias.bias", 1, (size_t[]){vocabulary});
  for (size_t l = 0; l < layers; l++) {
    char name[100];
    snprintf(name, sizeof name, "TransformerLayer_%zu.Attention_0.self_attention.query.kernel", l);
    assert_shape(file, name, 3, (size_t[]){hidden, heads, hidden / heads});
    snprintf(name, sizeof name, "TransformerLayer_%zu.Attention_0.self_attention.out.kernel", l);
    assert_shape(file, name, 3, (size_t[]){heads, hidden / heads, hidden});
    snprintf(name, sizeof name, "TransformerLayer_%zu.Mlp_0.intermediate_output.kernel", l);
    assert_shape(file, name, 2, (size_t[]){hidden, (size_t)setting(config, "intermediate_size")});
  }
  for (size_t i = 0; i < msk_weight_file_count(file); i++) {
    assert_int_equal(msk_tensor_check_finite(msk_weight_file_at(file, i), path, NULL), MSK_OK);
    if (i > 0)
      assert_true(strcmp(msk_weight_file_at(file, i - 1)->name, msk_weight_file_at(file, i)->name) <
                  0);
  }
  msk_weight_file_close(file);
}

static void golden_checkpoints(void **state) {
  (void)state;
  static const struct {
    const char *folder;
    int size;
  } models[] = {{"tiny", 128}, {"odd", 80}};
  for (size_t m = 0; m < 2; m++) {
    json_t *config = json_load_file(golden_path("%s/config.json", models[m].folder), 0, NULL);
    assert_non_null(config);
    check_transformer(
        golden_path("%s/maskgit_imagenet%d_checkpoint", models[m].folder, models[m].size), config);
    msk_weight_file *file = NULL;
    assert_int_equal(msk_weight_file_open(&file,
                                          golden_path("%s/tokenizer_imagenet%d_checkpoint",
                                                      models[m].folder, models[m].size),
                                          NULL, NULL),
                     MSK_OK);
    size_t filters = (size_t)setting(config, "filters"),
           dim = (size_t)setting(config, "embedding_dim");
    assert_shape(file, "encoder.Conv_0.kernel", 4, (size_t[]){3, 3, 3, filters});
    assert_shape(file, "quantizer.codebook", 2,
                 (size_t[]){(size_t)setting(config, "codebook_size"), dim});
    assert_null(msk_weight_file_find(file, "params.encoder.Conv_0.kernel"));
    msk_weight_file_close(file);
    json_decref(config);
  }
  msk_weight_file *file = NULL;
  assert_int_equal(msk_weight_file_open(
                       &file, golden_path("strided/tokenizer_imagenet48_checkpoint"), NULL, NULL),
                   MSK_OK);
  assert_shape(file, "encoder.Conv_1.kernel", 4, (size_t[]){4, 4, 32, 32});
  msk_weight_file_close(file);
}

/* ---- where variables lie ---- */

/* The smallest thing that looks like a tokenizer; `mark` stands in its weights. */
static void put_network(maker *m, float mark) {
  make_map(m, 2);
  make_string(m, "encoder");
  make_map(m, 1);
  make_string(m, "w");
  make_floats(m, 1, &mark);
  make_string(m, "decoder");
  make_map(m, 1);
  make_string(m, "w");
  make_floats(m, 6, numbers);
}

/* A document from a little script: a letter run is a key, '{' n ... a map of n pairs, '1'-'9'
 * after '*' the network with that mark, '#' a number. */
static void put_script(maker *m, const char *script) {
  while (*script != 0) {
    if (*script == '{') {
      make_map(m, (size_t)(script[1] - '0'));
      script += 2;
    } else if (*script == '*') {
      put_network(m, (float)(script[1] - '0'));
      script += 2;
    } else if (*script == '#') {
      make_number(m, 1234567);
      script++;
    } else {
      char key[64];
      size_t length = strcspn(script, "{*# ");
      memcpy(key, script, length);
      key[length] = 0;
      make_string(m, key);
      script += length;
    }
    while (*script == ' ') script++;
  }
}

static msk_status parse(const maker *m, msk_weight_file **file, msk_error *error) {
  peak_allocator peak;
  peak_allocator_init(&peak);
  uint8_t *exact = malloc(m->used == 0 ? 1 : m->used);
  if (m->used > 0) memcpy(exact, m->bytes, m->used);
  msk_weight_file *made = NULL;
  msk_status status = msk_weight_file_parse(&made, exact, m->used, "f", &peak.allocator, error);
  assert_true((status == MSK_OK) == (made != NULL));
  msk_weight_file_close(made);
  assert_int_equal(peak.blocks, 0);
  assert_true(peak.peak <= m->used + (66 << 10) || peak.peak <= 2 * m->used);
  free(exact);
  if (status == MSK_OK && file != NULL)
    assert_int_equal(msk_weight_file_parse(file, m->bytes, m->used, "f", NULL, error), MSK_OK);
  return status;
}

static void variables_are_found(void **state) {
  (void)state;
  static const char *const scripts[] = {
      "*1",
      "{1params *1",
      "{1params{1params *1",
      "{1target{1params *1",
      "{1target *1",
      "{1optimizer{1target{1params *1",
      "{1state{1params *1",
      "{3step # params *1 opt_state{1 0{3count # mu *2 nu *3",
      "{2optimizer{2target{1params *1 state{2step # param_states *2 model_state{0",
      "{2ema_params *2 params *1",
      "{2params *1 ema_params *2",
      "{2generator{1params *1 discriminator{1params{1Conv{0",
      "{2a{1b{1c{1d *1 opt_state{1mu *2",
      "{2params{1params *1 batch_stats{1encoder{0"};
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    maker m = {0};
    put_script(&m, scripts[i]);
    msk_weight_file *file = NULL;
    msk_error error;
    if (parse(&m, &file, &error) != MSK_OK) fail_msg("%s: %s", scripts[i], error.message);
    const msk_tensor *tensor = msk_weight_file_find(file, "encoder.w");
    if (tensor == NULL || msk_weight_file_count(file) != 2) fail_msg("not found in %s", scripts[i]);
    float mark;
    msk_tensor_to_f32(tensor, 0, 1, &mark);
    if (mark != 1) fail_msg("the wrong one in %s", scripts[i]);
    assert_memory_equal(msk_weight_file_find(file, "decoder.w")->data, numbers, sizeof numbers);
    msk_weight_file_close(file);
    make_free(&m);
  }
}

/* Which of several is meant must be plain; and what is no known network is still listed. */
static void ambiguous_and_unknown(void **state) {
  (void)state;
  maker m = {0};
  msk_error error;
  put_script(&m, "{2one *1 two *2");
  assert_int_equal(parse(&m, NULL, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "one"));
  assert_non_null(strstr(error.message, "two"));
  make_free(&m);
  make_map(&m, 2);
  make_string(&m, "step");
  make_number(&m, 3);
  make_string(&m, "params");
  make_map(&m, 1);
  make_string(&m, "other");
  make_floats(&m, 2, numbers);
  msk_weight_file *file = NULL;
  assert_int_equal(parse(&m, &file, &error), MSK_OK);
  assert_int_equal(msk_weight_file_count(file), 1);
  assert_string_equal(msk_weight_file_at(file, 0)->name, "other");
  msk_weight_file_close(file);
  make_free(&m);
}

/* ---- values ---- */

static void every_type(void **state) {
  (void)state;
  static const struct {
    const char *name;
    msk_dtype dtype;
    size_t bytes;
  } types[] = {{"float32", MSK_DTYPE_F32, 4},   {"float16", MSK_DTYPE_F16, 2},
               {"bfloat16", MSK_DTYPE_BF16, 2}, {"float64", MSK_DTYPE_F64, 8},
               {"int8", MSK_DTYPE_I8, 1},       {"int32", MSK_DTYPE_I32, 4},
               {"int64", MSK_DTYPE_I64, 8},     {"uint8", MSK_DTYPE_U8, 1},
               {"uint32", MSK_DTYPE_U32, 4},    {"bool", MSK_DTYPE_BOOL, 1}};
  enum { TYPES = sizeof types / sizeof *types };
  maker m = {0};
  make_map(&m, TYPES + 3);
  for (size_t i = 0; i < TYPES; i++) {
    make_string(&m, types[i].name);
    make_array(&m, 1, types[i].name, 2, (uint64_t[]){2, 3},
               "0123456789abcdef0123456789abcdef0123456789abcdef", 6 * types[i].bytes);
  }
  make_string(&m, "scalar");
  make_array(&m, 3, "float32", 0, NULL, numbers, 4);
  make_string(&m, "complex");
  make_extension(&m, 2, &(maker){.bytes = (uint8_t[]){0x92, 1, 2}, .used = 3});
  make_string(&m, "nothing");
  make_bytes(&m, "\xC0", 1);
  msk_weight_file *file = NULL;
  msk_error error;
  assert_int_equal(parse(&m, &file, &error), MSK_OK);
  assert_int_equal(msk_weight_file_count(file), TYPES + 1);
  for (size_t i = 0; i < TYPES; i++) {
    const msk_tensor *tensor = msk_weight_file_find(file, types[i].name);
    assert_non_null(tensor);
    assert_int_equal(tensor->dtype, types[i].dtype);
    assert_int_equal(tensor->bytes, 6 * types[i].bytes);
    assert_int_equal(tensor->elements, 6);
  }
  assert_int_equal(msk_weight_file_find(file, "scalar")->rank, 0);
  msk_weight_file_close(file);
  make_free(&m);
}

/* {"w": chunked array of 5 floats in pieces}; `script` breaks one thing. */
static void put_chunked(maker *m, char breakage, bool as_tuples) {
  make_map(m, 1);
  make_string(m, "w");
  make_map(m, breakage == 'k' ? 2 : 3);
  make_string(m, "__msgpack_chunked_array__");
  make_bytes(m, "\xC3", 1);
  make_string(m, "shape");
  if (as_tuples) {
    make_tuple(m, 2);
  } else {
    make_map(m, 2);
    make_string(m, "0");
  }
  make_number(m, 1);
  if (!as_tuples) make_string(m, breakage == 's' ? "2" : "1");
  make_number(m, breakage == 'n' ? 6 : breakage == 'o' ? (uint64_t)1 << 62 : 5);
  if (breakage == 'k') return;
  make_string(m, "chunks");
  if (as_tuples) {
    make_tuple(m, 3);
  } else {
    make_map(m, 3);
    make_string(m, "2"); /* any order */
    make_floats(m, 1, numbers + 4);
    make_string(m, "0");
  }
  make_floats(m, 2, numbers);
  if (!as_tuples) make_string(m, breakage == 'c' ? "3" : "1");
  if (breakage == 't') {
    make_array(m, 1, "int32", 1, (uint64_t[]){2}, numbers + 2, 8);
  } else if (breakage == 'a') {
    make_number(m, 7);
  } else {
    make_floats(m, 2, numbers + 2);
  }
  if (as_tuples) make_floats(m, 1, numbers + 4);
}

static void chunked_arrays(void **state) {
  (void)state;
  for (int tuples = 0; tuples < 2; tuples++) {
    maker m = {0};
    put_chunked(&m, 0, tuples != 0);
    msk_weight_file *file = NULL;
    msk_error error;
    if (parse(&m, &file, &error) != MSK_OK) fail_msg("%s", error.message);
    const msk_tensor *tensor = msk_weight_file_find(file, "w");
    assert_non_null(tensor);
    assert_int_equal(tensor->rank, 2);
    assert_int_equal(tensor->shape[1], 5);
    assert_memory_equal(tensor->data, numbers, 20);
    msk_weight_file_close(file);
    make_free(&m);
  }
  for (const char *breakage = "ksncota"; *breakage != 0; breakage++) {
    maker m = {0};
    put_chunked(&m, *breakage, false);
    if (parse(&m, NULL, NULL) != MSK_ERROR_FILE) fail_msg("breakage %c was taken", *breakage);
    make_free(&m);
  }
}

/* ---- files made to mislead ---- */

static void misleading_arrays(void **state) {
  (void)state;
  static const struct {
    const char *dtype;
    int rank;
    uint64_t shape[9];
    size_t bytes;
  } arrays[] = {{"float32", 1, {(uint64_t)1 << 60}, 4},
                {"float32", 2, {(uint64_t)1 << 32, (uint64_t)1 << 30}, 0},
                {"float32", 2, {(uint64_t)1 << 62, 4}, 0},
                {"float32", 3, {0, (uint64_t)1 << 62, 16}, 0},
                {"float32", 1, {3}, 11},
                {"float32", 1, {3}, 13},
                {"float32", 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, 4},
                {"float31", 1, {3}, 12},
                {"object", 1, {3}, 12},
                {"", 1, {3}, 12},
                {"float64", 1, {3}, 12}};
  static const uint8_t zeros[64] = {0};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    maker m = {0};
    msk_error error;
    make_map(&m, 1);
    make_string(&m, "some_kernel");
    make_array(&m, 1, arrays[i].dtype, arrays[i].rank, arrays[i].shape, zeros, arrays[i].bytes);
    assert_int_equal(parse(&m, NULL, &error), MSK_ERROR_FILE);
    assert_non_null(strstr(error.message, "some_kernel"));
    make_free(&m);
  }
  static const char *const payloads[] = {"",
                                         "\x93",
                                         "\x92\x91\x01\xA7"
                                         "float32",
                                         "\x93\x91\xFF\xA7"
                                         "float32\xC4\x04"
                                         "0123",
                                         "\x93\x91\x01\xA7"
                                         "float32\xA4"
                                         "0123",
                                         "\x93\x91\x01\xA7"
                                         "float32\xC4\x04"
                                         "0123x",
                                         "\x93\xC7\x01\x01\x01\xA7"
                                         "float32\xC4\x04"
                                         "0123",
                                         "\x93\xDD\xFF\xFF\xFF\xFF"};
  for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
    maker m = {0}, payload = {0};
    make_bytes(&payload, payloads[i], strlen(payloads[i]));
    make_map(&m, 1);
    make_string(&m, "w");
    make_extension(&m, 1, &payload);
    assert_int_equal(parse(&m, NULL, NULL), MSK_ERROR_FILE);
    make_free(&payload);
    make_free(&m);
  }
}

static void misleading_documents(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t count;
  } documents[] = {
#define D(text) {text, sizeof text - 1}
      D("\x81"), D("\x81\xA1"),
      D("\x81\xA1"
        "a"),
      D("\x80\x80"), D("\x80x"),
      D("\x81\xA1"
        "a\xC1"),
      D("\x81\x01\x01"),
      D("\x81\xC4\x01"
        "a\x01"),
      D("\x81\xA0\x01"),
      D("\x81\xA2"
        "a\0\x01"),
      D("\x81\xA1\xFF\x01"),
      D("\x82\xA1"
        "a\x01\xA1"
        "a\x02"),
      D("\xDF\xFF\xFF\xFF\xFF"),
      D("\xDE\xFF\xFF\xA1"
        "a\x01"),
      D("\x81\xA1"
        "a\xDD\xFF\xFF\xFF\xFF"),
      D("\x81\xA1"
        "a\xC9\xFF\xFF\xFF\xFF\x01"),
      D("\x81\xA1"
        "a\xC6\xFF\xFF\xFF\xFF"),
      D("\x81\xDB\xFF\xFF\xFF\xFF"
        "a"),
      D("\x81\xA1"
        "a\xC7\x00"),
      D("\x81\xA1"
        "a\xD4\x01"),
      D("\x81\xA1"
        "a\xCF\x01"),
      D("\x81\xA1"
        "a\xCA\x01"),
      D("\x93\x01\x02\x03"), D("PK\x03\x04zip"), D("\x80\x04\x95pickle"), D("\x80\x02}q"),
      D("<!DOCTYPE html>"), D("version https://git-lfs.github.com/spec/v1"), D(""),
      D("\0\0\0\0\0\0\0\0"), D("hello"),
      /* one key twice, with different leaves below: the two must not be merged */
      D("\x82\xA1"
        "a\x81\xA1"
        "x\x01\xA1"
        "a\x81\xA1"
        "y\x01")};
  for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
    maker m = {0};
    msk_error error = {.message = ""};
    make_bytes(&m, documents[i].bytes, documents[i].count);
    if (parse(&m, NULL, &error) != MSK_ERROR_FILE) fail_msg("document %zu was taken", i);
    assert_true(strlen(error.message) > 5);
    make_free(&m);
  }
}

static void deep_and_wide(void **state) {
  (void)state;
  maker m = {0};
  for (int i = 0; i < 300000; i++)
    make_bytes(&m,
               "\x81\xA1"
               "a",
               3);
  make_number(&m, 1);
  assert_int_equal(parse(&m, NULL, NULL), MSK_ERROR_FILE); /* maps in maps */
  make_free(&m);
  make_map(&m, 1);
  make_string(&m, "a");
  for (int i = 0; i < 300000; i++) make_bytes(&m, "\x91", 1);
  make_number(&m, 1);
  /* arrays in arrays hold no tensor: passed over, whatever their depth */
  assert_int_equal(parse(&m, NULL, NULL), MSK_OK);
  make_free(&m);
  make_map(&m, 1);
  char key[40000];
  memset(key, 'k', sizeof key - 1);
  key[sizeof key - 1] = 0;
  make_string(&m, key);
  make_number(&m, 1);
  assert_int_equal(parse(&m, NULL, NULL), MSK_ERROR_FILE); /* a name of 40000 bytes */
  make_free(&m);
  for (int wide = 0; wide < 2; wide++) { /* a swarm of tiny tensors below long names */
    memset(key, 'k', 200);
    key[200] = 0;
    make_map(&m, 1);
    make_string(&m, key);
    make_map(&m, wide ? 20000 : 10000);
    for (int i = 0; i < (wide ? 20000 : 10000); i++) {
      char name[16];
      snprintf(name, sizeof name, "%d", i);
      make_string(&m, name);
      make_array(&m, 1, "int8", 1, (uint64_t[]){0}, NULL, 0);
    }
    assert_int_equal(parse(&m, NULL, NULL), MSK_ERROR_FILE);
    make_free(&m);
  }
}

/* A small training state with all kinds of values, cut off at every byte, every bit turned,
 * every allocation refused. */
static void damaged(void **state) {
  (void)state;
  maker m = {0};
  make_map(&m, 3);
  make_string(&m, "step");
  make_number(&m, 70000);
  make_string(&m, "params");
  make_map(&m, 3);
  make_string(&m, "encoder");
  put_chunked(&m, 0, false);
  make_string(&m, "decoder");
  make_map(&m, 1);
  make_string(&m, "w");
  make_floats(&m, 6, numbers);
  make_string(&m, "scalar");
  make_array(&m, 3, "float64", 0, NULL, "01234567", 8);
  make_string(&m, "opt_state");
  put_script(&m, "{1 0{1mu *2");
  msk_weight_file *file = NULL;
  assert_int_equal(parse(&m, &file, NULL), MSK_OK);
  assert_int_equal(msk_weight_file_count(file), 3);
  msk_weight_file_close(file);
  for (size_t length = 0; length < m.used; length++) {
    maker part = {m.bytes, length, length};
    assert_int_equal(parse(&part, NULL, NULL), MSK_ERROR_FILE);
  }
  for (size_t bit = 0; bit < m.used * 8; bit++) {
    m.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    parse(&m, NULL, NULL);
    m.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  for (long k = 1;; k++) {
    counting_allocator counting;
    counting_allocator_init(&counting);
    counting.fail_at = k;
    msk_status status =
        msk_weight_file_parse(&file, m.bytes, m.used, "f", &counting.allocator, NULL);
    if (status == MSK_OK) msk_weight_file_close(file);
    assert_int_equal(counting.live, 0);
    if (status == MSK_OK) break;
    assert_int_equal(status, MSK_ERROR_MEMORY);
  }
  make_free(&m);
}

/* The public listing shows the same. */
static void listing(void **state) {
  (void)state;
  msk_weight_listing *list = NULL;
  assert_int_equal(
      msk_weights_open(&list, golden_path("tiny/maskgit_imagenet128_checkpoint"), NULL, NULL),
      MSK_OK);
  assert_int_equal(msk_weights_count(list), 9 + 16 * 4);
  assert_string_equal(msk_weights_kind(list), "flax");
  msk_tensor_info info;
  msk_weights_get(list, 3, &info);
  assert_string_equal(info.name, "Embed_0.word_embeddings.embedding");
  assert_int_equal(info.shape[0], 75);
  assert_int_equal(info.bytes, 75 * 64 * 4);
  msk_weights_get(list, -1, &info);
  assert_null(info.name);
  msk_weights_get(list, 10000, &info);
  assert_null(info.name);
  assert_null(msk_weights_metadata(list, 0, NULL));
  msk_weights_close(list);
  msk_error error;
  assert_int_equal(msk_weights_open(&list, golden_path("MANIFEST.md"), NULL, &error),
                   MSK_ERROR_FILE);
  assert_int_equal(msk_weights_open(&list, golden_path("missing"), NULL, &error), MSK_ERROR_FILE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(golden_checkpoints),
      cmocka_unit_test(variables_are_found),
      cmocka_unit_test(ambiguous_and_unknown),
      cmocka_unit_test(every_type),
      cmocka_unit_test(chunked_arrays),
      cmocka_unit_test(misleading_arrays),
      cmocka_unit_test(misleading_documents),
      cmocka_unit_test(deep_and_wide),
      cmocka_unit_test(damaged),
      cmocka_unit_test(listing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
