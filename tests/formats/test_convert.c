/* SPDX-License-Identifier: Apache-2.0
 *
 * test_convert.c - checkpoints of every kind become the same run-time file; types, names,
 * metadata; what does not belong together is refused, naming the tensor; no failure leaves a
 * file or memory behind. */
#include <jansson.h>
#include <math.h>
#include <unistd.h>

#include "base/sha256.h"
#include "maker.h"
#include "masksketch_tools.h"
#include "tensor/weight_file.h"

#define TOKENIZER "tests/golden/tiny/tokenizer_imagenet128_checkpoint"
#define TRANSFORMER "tests/golden/tiny/maskgit_imagenet128_checkpoint"

static const char *text_file(const char *name, const char *text) {
  const char *path = in_folder("%s", name);
  assert_int_equal(msk_file_write(path, text, strlen(text), NULL), MSK_OK);
  return path;
}

static msk_convert_options options_for(const char *tokenizer, const char *transformer,
                                       const char *output) {
  msk_convert_options options;
  msk_convert_options_init(&options);
  options.tokenizer_path = tokenizer;
  options.transformer_path = transformer;
  options.output_path = output;
  return options;
}

static void convert_well(const msk_convert_options *options) {
  msk_error error = {.message = ""};
  if (msk_convert(options, &error) != MSK_OK) fail_msg("%s", error.message);
}

/* Refused with MSK_ERROR_FILE, `word` in the message, and no output. */
static void convert_badly(const msk_convert_options *options, const char *word) {
  msk_error error = {.message = ""};
  msk_status status = msk_convert(options, &error);
  if (status != MSK_ERROR_FILE || strstr(error.message, word) == NULL)
    fail_msg("status %d, \"%s\", expected \"%s\" in it", status, error.message, word);
  assert_int_equal(access(options->output_path, F_OK), -1);
}

static msk_weight_file *open_file(const char *path) {
  msk_weight_file *file = NULL;
  msk_error error;
  if (msk_weight_file_open(&file, path, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  return file;
}

static float *values_of(const msk_tensor *tensor) {
  float *values = malloc(tensor->elements * sizeof *values);
  msk_tensor_to_f32(tensor, 0, tensor->elements, values);
  return values;
}

static bool is_matrix(const char *name) {
  const char *last = strrchr(name, '.');
  return strcmp(last, ".kernel") == 0 || strcmp(last, ".embedding") == 0;
}

/* Every tensor of a checkpoint is in the run-time file: type as asked for, values within that
 * type's rounding. */
static void assert_carries(const msk_weight_file *output, const char *prefix,
                           const msk_weight_file *source, msk_dtype dtype) {
  for (size_t i = 0; i < msk_weight_file_count(source); i++) {
    const msk_tensor *from = msk_weight_file_at(source, i);
    char name[300];
    snprintf(name, sizeof name, "%s%s", prefix, from->name);
    const msk_tensor *to = msk_weight_file_find(output, name);
    if (to == NULL) fail_msg("no tensor %s", name);
    msk_dtype expected = is_matrix(name) ? dtype : MSK_DTYPE_F32;
    assert_int_equal(to->dtype, expected);
    assert_int_equal(to->rank, from->rank);
    assert_memory_equal(to->shape, from->shape, sizeof to->shape);
    float *a = values_of(from), *b = values_of(to),
          relative = expected == MSK_DTYPE_F32   ? 0
                     : expected == MSK_DTYPE_F16 ? 0x1p-11f
                                                 : 0x1p-8f;
    for (size_t e = 0; e < from->elements; e++)
      assert_true(fabsf(a[e] - b[e]) <=
                  relative * fabsf(a[e]) + (expected == MSK_DTYPE_F16 ? 0x1p-25f : 0));
    free(a);
    free(b);
  }
}

static void assert_hash(const msk_weight_file *file) {
  size_t count;
  const uint8_t *bytes = msk_weight_file_bytes(file, &count);
  uint64_t header;
  memcpy(&header, bytes, 8);
  msk_sha256 hash;
  char text[65];
  msk_sha256_begin(&hash);
  msk_sha256_add(&hash, bytes + 8 + header, count - 8 - (size_t)header);
  msk_sha256_end(&hash, text);
  assert_string_equal(msk_weight_file_metadata(file, "tensors_sha256"), text);
}

static void golden_checkpoints(void **state) {
  (void)state;
  static const struct {
    const char *folder;
    int size;
  } models[] = {{"tiny", 128}, {"odd", 80}};
  for (size_t m = 0; m < 2; m++) {
    char tokenizer[300], transformer[300];
    snprintf(tokenizer, sizeof tokenizer, "%s",
             golden_path("%s/tokenizer_imagenet%d_checkpoint", models[m].folder, models[m].size));
    snprintf(transformer, sizeof transformer, "%s",
             golden_path("%s/maskgit_imagenet%d_checkpoint", models[m].folder, models[m].size));
    for (msk_dtype dtype = MSK_DTYPE_F32; dtype <= MSK_DTYPE_BF16; dtype++) {
      msk_convert_options options =
          options_for(tokenizer, transformer, in_folder("golden.safetensors"));
      options.dtype = dtype;
      convert_well(&options);
      msk_weight_file *a = open_file(tokenizer), *b = open_file(transformer),
                      *output = open_file(options.output_path);
      assert_int_equal(msk_weight_file_count(output),
                       msk_weight_file_count(a) + msk_weight_file_count(b));
      assert_carries(output, "tokenizer.", a, dtype);
      assert_carries(output, "transformer.", b, dtype);
      assert_hash(output);
      assert_string_equal(msk_weight_file_metadata(output, "format"), "masksketch 1");
      assert_string_equal(msk_weight_file_metadata(output, "name"), "golden");
      assert_non_null(strstr(msk_weight_file_metadata(output, "provenance"), "maskgit_imagenet"));
      assert_null(msk_weight_file_metadata(output, "defaults"));
      assert_null(msk_weight_file_metadata(output, "licence"));
      msk_weight_file_close(a);
      msk_weight_file_close(b);
      msk_weight_file_close(output);
    }
  }
}

/* The bytes behind the header. */
static uint8_t *data_of(const char *path, size_t *count) {
  uint8_t *bytes = test_read_file(path, count);
  uint64_t header;
  memcpy(&header, bytes, 8);
  *count -= 8 + (size_t)header;
  memmove(bytes, bytes + 8 + header, *count);
  return bytes;
}

static void assert_same_data(const char *a, const char *b) {
  size_t count_a, count_b;
  uint8_t *data_a = data_of(a, &count_a), *data_b = data_of(b, &count_b);
  assert_int_equal(count_a, count_b);
  assert_memory_equal(data_a, data_b, count_a);
  free(data_a);
  free(data_b);
}

/* ---- other files with the same weights ---- */

typedef struct copy {
  const msk_weight_file *source;
  msk_tensor tensors[600];
  char names[600][160];
  size_t sources[600], count;
  bool turned[600]; /* height x width x in x out becomes out x in x height x width */
} copy;

static msk_status fill_copy(void *user, size_t index, void *out, msk_error *error) {
  const copy *c = user;
  (void)error;
  const msk_tensor *from = msk_weight_file_at(c->source, c->sources[index]);
  if (!c->turned[index]) {
    memcpy(out, from->data, from->bytes);
    return MSK_OK;
  }
  const size_t *s = from->shape;
  for (size_t y = 0; y < s[0]; y++)
    for (size_t x = 0; x < s[1]; x++)
      for (size_t i = 0; i < s[2]; i++)
        for (size_t o = 0; o < s[3]; o++)
          memcpy((float *)out + ((o * s[2] + i) * s[0] + y) * s[1] + x,
                 from->data + 4 * (((y * s[1] + x) * s[2] + i) * s[3] + o), 4);
  return MSK_OK;
}

static void add_copy(copy *c, size_t source, const char *name, bool turned) {
  const msk_tensor *from = msk_weight_file_at(c->source, source);
  size_t n = c->count++;
  snprintf(c->names[n], sizeof c->names[n], "%s", name);
  c->tensors[n] = *from;
  c->tensors[n].name = c->names[n];
  c->sources[n] = source;
  c->turned[n] = turned && from->rank == 4;
  if (c->turned[n])
    memcpy(c->tensors[n].shape,
           (size_t[]){from->shape[3], from->shape[2], from->shape[0], from->shape[1]},
           4 * sizeof(size_t));
}

static void write_copy(copy *c, const char *path) {
  msk_error error;
  if (msk_safetensors_write(path, c->tensors, c->count, NULL, 0, fill_copy, c, NULL, &error) !=
      MSK_OK)
    fail_msg("%s", error.message);
}

/* The authors' name as open-muse has it: written from open-muse's module tree, independently of
 * the library's table. */
static void muse_name(const char *name, int levels, int blocks, char *out) {
  char half[16], module[64] = "", field[32];
  int n = 0, sub = 0;
  if (strcmp(name, "quantizer.codebook") == 0) {
    strcpy(out, "quantize.embedding.weight");
    return;
  }
  bool encoder = name[0] == 'e';
  if (sscanf(name, "%15[a-z].ResBlock_%d.%63[A-Za-z]_%d.%31s", half, &n, module, &sub, field) ==
      5) {
    const char *part = strcmp(module, "GroupNorm") == 0 ? (sub == 0 ? "norm1" : "norm2")
                       : sub == 0                       ? "conv1"
                       : sub == 1                       ? "conv2"
                                                        : "nin_shortcut";
    const char *weight = strcmp(field, "bias") == 0 ? "bias" : "weight";
    int in_levels = encoder ? n : n - blocks, level = in_levels / blocks,
        mid = encoder ? n - levels * blocks : n;
    if (mid >= 0 && (encoder || n < blocks)) {
      sprintf(out, "%s.mid.%d.%s.%s", half, mid, part, weight);
    } else {
      sprintf(out, "%s.%s.%d.block.%d.%s.%s", half, encoder ? "down" : "up",
              encoder ? level : levels - 1 - level, in_levels % blocks, part, weight);
    }
  } else if (sscanf(name, "%15[a-z].GroupNorm_0.%31s", half, field) == 2) {
    sprintf(out, "%s.norm_out.%s", half, strcmp(field, "bias") == 0 ? "bias" : "weight");
  } else if (sscanf(name, "%15[a-z].Conv_%d.%31s", half, &n, field) == 3) {
    const char *weight = strcmp(field, "bias") == 0 ? "bias" : "weight";
    if (n == 0)
      sprintf(out, "%s.conv_in.%s", half, weight);
    else if (n == (encoder ? 1 : levels))
      sprintf(out, "%s.conv_out.%s", half, weight);
    else
      sprintf(out, "%s.up.%d.upsample_conv.%s", half, levels - n, weight);
  } else {
    fail_msg("no open-muse name for %s", name);
  }
}

static void open_muse_tokenizers(void **state) {
  (void)state;
  static const struct {
    const char *folder;
    int size, levels, blocks;
  } models[] = {{"tiny", 128, 5, 1}, {"odd", 80, 4, 2}};
  for (size_t m = 0; m < 2; m++) {
    copy *c = calloc(1, sizeof *c);
    msk_weight_file *source = open_file(
        golden_path("%s/tokenizer_imagenet%d_checkpoint", models[m].folder, models[m].size));
    c->source = source;
    for (size_t i = 0; i < msk_weight_file_count(source); i++) {
      char name[200];
      muse_name(msk_weight_file_at(source, i)->name, models[m].levels, models[m].blocks, name);
      add_copy(c, i, name, true);
    }
    write_copy(c, in_folder("muse.safetensors"));
    const char *transformer =
        golden_path("%s/maskgit_imagenet%d_checkpoint", models[m].folder, models[m].size);
    msk_convert_options direct = options_for(
        golden_path("%s/tokenizer_imagenet%d_checkpoint", models[m].folder, models[m].size),
        transformer, in_folder("direct.safetensors"));
    msk_convert_options muse =
        options_for(in_folder("muse.safetensors"), transformer, in_folder("from-muse.safetensors"));
    convert_well(&direct);
    convert_well(&muse);
    assert_same_data(direct.output_path, muse.output_path);
    /* a module that open-muse's layout of this size does not have */
    strcpy(c->names[0], "decoder.up.99.block.0.conv1.weight");
    write_copy(c, in_folder("strange.safetensors"));
    muse =
        options_for(in_folder("strange.safetensors"), transformer, in_folder("none.safetensors"));
    convert_badly(&muse, "decoder.up.99.block.0.conv1.weight");
    msk_weight_file_close(source);
    free(c);
  }
}

/* Run-time file -> run-time file, to another type and back; the networks alone under bare names. */
static void run_time_files_again(void **state) {
  (void)state;
  const char *classes =
      text_file("classes.txt",
                "\xEF\xBB\xBFone\r\ntwo, "
                "deux\nthree\nfour\nfive\nsix\nseven\neight\nnine\nl'\xC3\xA9t\xC3\xA9 \"10\"");
  msk_convert_options first = options_for(TOKENIZER, TRANSFORMER, in_folder("first.safetensors"));
  first.classes_path = classes;
  first.defaults_path =
      text_file("d.json", "{\"licence\":\"MIT\",\"null_class\":3,\"recipe\":{\"steps\":7}}");
  convert_well(&first);
  msk_convert_options half = options_for(TOKENIZER, TRANSFORMER, in_folder("half.safetensors")),
                      again = options_for(first.output_path, first.output_path,
                                          in_folder("again.safetensors"));
  half.dtype = again.dtype = MSK_DTYPE_F16;
  convert_well(&half);
  convert_well(&again);
  assert_same_data(half.output_path, again.output_path);
  msk_weight_file *file = open_file(again.output_path), *source = open_file(first.output_path);
  static const char *const kept[] = {"classes", "defaults", "licence"};
  for (size_t i = 0; i < 3; i++)
    assert_string_equal(msk_weight_file_metadata(file, kept[i]),
                        msk_weight_file_metadata(source, kept[i]));
  assert_non_null(strstr(msk_weight_file_metadata(file, "classes"), "\"two, deux\""));
  /* no byte order mark, no carriage return */
  assert_non_null(strstr(msk_weight_file_metadata(file, "classes"), "\"one\""));
  assert_string_equal(msk_weight_file_metadata(file, "licence"), "MIT");
  copy *bare[2] = {calloc(1, sizeof(copy)), calloc(1, sizeof(copy))};
  for (int n = 0; n < 2; n++) {
    const char *prefix = n == 0 ? "tokenizer." : "transformer.";
    bare[n]->source = source;
    for (size_t i = 0; i < msk_weight_file_count(source); i++) {
      const char *name = msk_weight_file_at(source, i)->name;
      if (strncmp(name, prefix, strlen(prefix)) == 0)
        add_copy(bare[n], i, name + strlen(prefix), false);
    }
    write_copy(bare[n], in_folder("%s", n == 0 ? "t0.safetensors" : "t1.safetensors"));
    free(bare[n]);
  }
  msk_weight_file_close(file);
  msk_convert_options parts = options_for(in_folder("t0.safetensors"), in_folder("t1.safetensors"),
                                          in_folder("parts.safetensors"));
  convert_well(&parts);
  assert_same_data(first.output_path, parts.output_path);
  msk_weight_file_close(source);
}

/* ---- names and defaults ---- */

static void class_lists(void **state) {
  (void)state;
  static const char *const bad[] = {"a\nb\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n",
                                    "1\n2\n3\n4\n\n6\n7\n8\n9\n10\n",
                                    "1\n2\n3\n4\n\xFF\n6\n7\n8\n9\n10\n", ""};
  msk_convert_options options =
      options_for(TOKENIZER, TRANSFORMER, in_folder("classes.safetensors"));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    options.classes_path = text_file("bad.txt", bad[i]);
    convert_badly(&options, "bad.txt");
  }
  options.classes_path = in_folder("missing.txt");
  convert_badly(&options, "missing.txt");
  options.classes_path = NULL;
  convert_well(&options);
  msk_weight_file *file = open_file(options.output_path);
  assert_string_equal(msk_weight_file_metadata(file, "classes"),
                      "[\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]");
  msk_weight_file_close(file);
}

static msk_status fill_thousand(void *user, size_t index, void *out, msk_error *error) {
  copy *c = user;
  const msk_tensor *from = msk_weight_file_at(c->source, c->sources[index]);
  if (from->bytes == c->tensors[index].bytes) return fill_copy(user, index, out, error);
  memset(out, 0, c->tensors[index].bytes);
  return MSK_OK;
}

/* A transformer of 1000 classes gets the ImageNet names. Known indices: the authors' demo. */
static void imagenet_names(void **state) {
  (void)state;
  copy *c = calloc(1, sizeof *c);
  msk_weight_file *source = open_file(TRANSFORMER);
  c->source = source;
  for (size_t i = 0; i < msk_weight_file_count(source); i++) {
    add_copy(c, i, msk_weight_file_at(source, i)->name, false);
    msk_tensor *tensor = &c->tensors[i];
    if (tensor->shape[0] == 75)
      tensor->shape[0] = 64 + 1000 + 1, tensor->bytes = tensor->bytes / 75 * 1065;
  }
  assert_int_equal(msk_safetensors_write(in_folder("thousand.safetensors"), c->tensors, c->count,
                                         NULL, 0, fill_thousand, c, NULL, NULL),
                   MSK_OK);
  msk_weight_file_close(source);
  free(c);
  msk_convert_options options =
      options_for(TOKENIZER, in_folder("thousand.safetensors"), in_folder("imagenet.safetensors"));
  convert_well(&options);
  msk_weight_file *file = open_file(options.output_path);
  json_t *names = json_loads(msk_weight_file_metadata(file, "classes"), 0, NULL);
  static const struct {
    size_t index;
    const char *name;
  } known[] = {{0, "tench, Tinca tinca"},
               {207, "golden retriever"},
               {281, "tabby, tabby cat"},
               {340, "zebra"},
               {817, "sports car, sport car"},
               {999, "toilet tissue, toilet paper, bathroom tissue"},
               {134, "crane"},
               {517, "crane"},
               {35, "mud turtle"},
               {90, "lorikeet"},
               {345, "ox"}};
  assert_int_equal(json_array_size(names), 1000);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    assert_string_equal(json_string_value(json_array_get(names, known[i].index)), known[i].name);
  json_decref(names);
  msk_weight_file_close(file);
}

static void defaults(void **state) {
  (void)state;
  static const char *const good[] = {
      "{}",
      "{\"structure_layers\":[0,3],\"null_class\":9,\"hidden_classes\":[8,9],\"start_from_sketch\":"
      "false,\"image_size\":128,\"groups\":32,\"fit\":\"ink\","
      "\"licence\":\"CC0\",\"recipe\":{\"steps\":16,\"guidance\":0.5,\"lambda_structure\":1.0}}"};
  static const char *const bad[] = {"",
                                    "[]",
                                    "{",
                                    "{\"a\":1}",
                                    "{\"null_class\":1,\"null_class\":2}",
                                    "{\"null_class\":10}",
                                    "{\"structure_layers\":[4]}",
                                    "{\"structure_layers\":[1,1]}",
                                    "{\"hidden_classes\":[10]}",
                                    "{\"image_size\":127}",
                                    "{\"recipe\":{\"stepz\":1}}",
                                    "{\"recipe\":{\"steps\":0}}",
                                    "{\"recipe\":{\"official.steps\":3}}",
                                    "{\"groups\":0}",
                                    "{\"fit\":\"inc\"}",
                                    "{\"fit\":3}",
                                    "{\"start_from_sketch\":3}"};
  msk_convert_options options =
      options_for(TOKENIZER, TRANSFORMER, in_folder("defaults.safetensors"));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    options.defaults_path = text_file("bad.json", bad[i]);
    msk_error error = {.message = ""};
    if (msk_convert(&options, &error) != MSK_ERROR_FILE) fail_msg("taken: %s", bad[i]);
    assert_non_null(strstr(error.message, "bad.json"));
    assert_int_equal(access(options.output_path, F_OK), -1);
  }
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    options.defaults_path = text_file("good.json", good[i]);
    options.name = "a name";
    convert_well(&options);
    msk_weight_file *file = open_file(options.output_path);
    assert_string_equal(msk_weight_file_metadata(file, "defaults"), good[i]);
    assert_string_equal(msk_weight_file_metadata(file, "name"), "a name");
    if (i == 1) assert_string_equal(msk_weight_file_metadata(file, "licence"), "CC0");
    msk_weight_file_close(file);
  }
}

/* ---- what must fail ---- */

static void strangers(void **state) {
  (void)state;
  const char *odd_tokenizer = "tests/golden/odd/tokenizer_imagenet80_checkpoint",
             *odd_transformer = "tests/golden/odd/maskgit_imagenet80_checkpoint";
  const char *strided = "tests/golden/strided/tokenizer_imagenet48_checkpoint";
  msk_convert_options options = options_for(TRANSFORMER, TOKENIZER, in_folder("none.safetensors"));
  convert_badly(&options, "exchanged");
  options = options_for(TOKENIZER, TOKENIZER, in_folder("none.safetensors"));
  convert_badly(&options, "is a tokenizer");
  options = options_for(TRANSFORMER, TRANSFORMER, in_folder("none.safetensors"));
  convert_badly(&options, "is a transformer");
  options = options_for(odd_tokenizer, TRANSFORMER, in_folder("none.safetensors"));
  convert_badly(&options, "Embed_0.word_embeddings.embedding");
  options = options_for(TOKENIZER, odd_transformer, in_folder("none.safetensors"));
  convert_badly(&options, "do not belong together");
  options = options_for(strided, odd_transformer, in_folder("none.safetensors"));
  convert_badly(&options, "do not belong together");
  options = options_for(golden_path("MANIFEST.md"), TRANSFORMER, in_folder("none.safetensors"));
  convert_badly(&options, "MANIFEST.md");
  options = options_for(TOKENIZER, in_folder("missing"), in_folder("none.safetensors"));
  convert_badly(&options, "missing");
}

static void bad_options(void **state) {
  (void)state;
  msk_convert_options options = options_for(TOKENIZER, TRANSFORMER, in_folder("none.safetensors")),
                      broken;
  msk_error error;
  assert_int_equal(msk_convert(NULL, &error), MSK_ERROR_ARGUMENT);
  broken = options, broken.size = 3;
  assert_int_equal(msk_convert(&broken, &error), MSK_ERROR_ARGUMENT);
  broken = options, broken.tokenizer_path = NULL;
  assert_int_equal(msk_convert(&broken, &error), MSK_ERROR_ARGUMENT);
  broken = options, broken.dtype = MSK_DTYPE_I8;
  assert_int_equal(msk_convert(&broken, &error), MSK_ERROR_ARGUMENT);
  broken = options, broken.output_path = in_folder("no/such/folder.safetensors");
  assert_int_equal(msk_convert(&broken, &error), MSK_ERROR_OUTPUT);
  broken = options, broken.output_path = test_folder;
  assert_int_equal(msk_convert(&broken, &error), MSK_ERROR_OUTPUT);
}

/* The golden transformer with one number or name changed. */
static void altered(const char *path, size_t tensor, float value, const char *name,
                    bool leave_out) {
  copy *c = calloc(1, sizeof *c);
  msk_weight_file *source = open_file(TRANSFORMER);
  c->source = source;
  for (size_t i = 0; i < msk_weight_file_count(source); i++) {
    if (i != tensor || !leave_out)
      add_copy(c, i, i == tensor && name != NULL ? name : msk_weight_file_at(source, i)->name,
               false);
  }
  write_copy(c, path);
  if (name == NULL && !leave_out) { /* find the tensor's place in the new file */
    msk_weight_file *made = open_file(path);
    size_t count;
    const uint8_t *bytes = msk_weight_file_bytes(made, &count);
    const msk_tensor *place = msk_weight_file_find(made, msk_weight_file_at(source, tensor)->name);
    uint8_t *changed = malloc(count);
    memcpy(changed, bytes, count);
    memcpy(changed + (place->data - bytes) + place->bytes - 4, &value, 4);
    msk_weight_file_close(made);
    assert_int_equal(msk_file_write(path, changed, count, NULL), MSK_OK);
    free(changed);
  }
  msk_weight_file_close(source);
  free(c);
}

static void wrong_tensors(void **state) {
  (void)state;
  msk_convert_options options =
      options_for(TOKENIZER, in_folder("altered.safetensors"), in_folder("none.safetensors"));
  msk_weight_file *source = open_file(TRANSFORMER);
  size_t query = 0;
  while (strcmp(msk_weight_file_at(source, query)->name,
                "TransformerLayer_1.Attention_0.self_attention.query.kernel") != 0)
    query++;
  msk_weight_file_close(source);
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  for (size_t i = 0; i < 3; i++) {
    altered(options.transformer_path, query, bad[i], NULL, false);
    convert_badly(&options, "TransformerLayer_1.Attention_0.self_attention.query.kernel");
  }
  altered(options.transformer_path, query, 0,
          "TransformerLayer_1.Attention_0.self_attention.question.kernel", false);
  convert_badly(&options, "TransformerLayer_1.Attention_0.self_attention.quer");
  altered(options.transformer_path, query, 0, NULL, true);
  convert_badly(&options, "TransformerLayer_1.Attention_0.self_attention.query.kernel");
  altered(options.transformer_path, query, 70000, NULL, false);
  options.dtype = MSK_DTYPE_F16;
  convert_badly(&options, "too large for F16");
  options.dtype = MSK_DTYPE_BF16;
  convert_well(&options);
}

/* Every allocation refused in turn: a clean error, nothing left in memory or on disk. */
static void no_memory(void **state) {
  (void)state;
  msk_convert_options options =
      options_for(TOKENIZER, TRANSFORMER, in_folder("memory.safetensors"));
  options.classes_path = text_file("ten.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
  options.defaults_path = text_file("six.json", "{\"recipe\":{\"steps\":6}}");
  for (long k = 1;; k++) {
    counting_allocator counting;
    counting_allocator_init(&counting);
    counting.fail_at = k;
    options.allocator = &counting.allocator;
    msk_error error = {.message = ""};
    msk_status status = msk_convert(&options, &error);
    assert_int_equal(counting.live, 0);
    if (status == MSK_OK) {
      assert_true(k > 20);
      break;
    }
    assert_int_equal(status, MSK_ERROR_MEMORY);
    assert_int_equal(access(options.output_path, F_OK), -1);
  }
  assert_int_equal(access(options.output_path, F_OK), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(golden_checkpoints, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(open_muse_tokenizers, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(run_time_files_again, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(class_lists, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(imagenet_names, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(defaults, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(strangers, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(bad_options, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(wrong_tensors, set_up_folder, tear_down_folder),
      cmocka_unit_test_setup_teardown(no_memory, set_up_folder, tear_down_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
