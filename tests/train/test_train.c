/* SPDX-License-Identifier: Apache-2.0
 *
 * test_train.c - msk_train() from outside: a run that is stopped again and again, on other
 * numbers of threads, ends with the same model as one that is not; what is refused before the
 * first step. */
#include <math.h>
#include <stdbool.h>
#include <unistd.h>

#include "masksketch_tools.h"
#include "support.h"
#include "tensor/weight_file.h"

#define MODEL "models/default.safetensors"

/* Of the model, but for the pictures' hands */
enum { SIZE = 256, CLASSES = 24, HANDS = 5, CODES = 2048, WIDTH = 256, INTERMEDIATE = 1536 };

/* Pictures that need no renderer: a square of the class's colour, at a place of its own. */
static int render(void *user, int set, size_t index, uint8_t *photo, uint8_t *drawings,
                  uint8_t *parts) {
  size_t left = 16 + index * 24 % 100, label = index % CLASSES;
  (void)user, (void)set;
  for (size_t i = 0; i < (size_t)SIZE * SIZE; i++) {
    size_t y = i / SIZE, x = i % SIZE;
    bool inside = x >= left && x < left + 100 && y >= 40 && y < 180,
         inner = x >= left + 4 && x < left + 96 && y >= 44 && y < 176;
    for (size_t c = 0; c < 3; c++) photo[3 * i + c] = inside ? (uint8_t)(label * 10 + c * 10) : 220;
    parts[i] = inside ? 1 : 0;
    for (size_t h = 0; h < HANDS; h++)
      drawings[h * SIZE * SIZE + i] = inside && !inner ? (uint8_t)(h * 10) : 255;
  }
  return (int)label;
}

struct watch {
  int steps, stop_after; /* steps of this call; 0: never */
  long last;
  int logs;
  double held_out; /* at the last log */
  msk_train_precision precision;
};

static int on_progress(void *user, const msk_train_progress *progress) {
  struct watch *watch = user;
  watch->logs += progress->logged;
  if (progress->logged) watch->held_out = progress->held_out;
  if (progress->logged) assert_true(isfinite(progress->held_out) != isfinite(progress->decibels));
  if (progress->waits || progress->logged) return 0;
  assert_true(progress->step == watch->last + 1);
  watch->last = progress->step;
  watch->precision = progress->precision;
  return ++watch->steps == watch->stop_after;
}

static msk_train_options small_run(const char *folder, char output[4096]) {
  msk_train_options options;
  msk_train_options_init(&options);
  snprintf(output, 4096, "%s/model.safetensors", folder);
  options.tokenizer_path = MODEL;
  options.work_path = folder;
  options.output_path = output;
  options.source = (msk_train_source){.image_size = SIZE,
                                      .classes = CLASSES,
                                      .hands = HANDS,
                                      .description = {"squares", "squares"},
                                      .render = render};
  options.layers = 2, options.width = 32, options.heads = 2;
  options.structure_layers[0] = 1, options.structure_layer_count = 1;
  options.batch = 2, options.pair_batch = 1, options.pair_every = 2;
  options.sequences = 12, options.warmup_sequences = 4, options.decay_sequences = 6;
  options.objects = 3, options.first_objects = 1, options.sequences_per_object = 4;
  options.held_out_objects = 1;
  options.on_progress = on_progress;
  return options;
}

/* The same for a decoder alone: of the model's tensors nothing but the decoder's changes. */
static msk_train_options small_decoder(const char *folder, char output[4096]) {
  msk_train_options options = small_run(folder, output);
  msk_train_options_set_stage(&options, MSK_TRAIN_DECODER);
  options.sequences = 6, options.batch = 1, options.warmup_sequences = 2;
  options.decay_sequences = 2;
  options.objects = 3, options.held_out_objects = 1;
  return options;
}

static void test_decoder(void **state) {
  char *folders[] = {test_make_folder(), test_make_folder()}, output[2][4096], sheet[4200];
  struct watch watch = {0};
  size_t bytes[2];
  msk_error error = {0};
  (void)state;
  msk_train_options whole = small_decoder(folders[0], output[0]),
                    parts = small_decoder(folders[1], output[1]);
  whole.user = parts.user = &watch;
  if (msk_train(&whole, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_int_equal(watch.steps, 6);
  watch = (struct watch){.stop_after = 4};
  assert_int_equal(msk_train(&parts, NULL), MSK_ERROR_CANCELLED);
  watch.steps = 0, parts.threads = 3;
  assert_int_equal(msk_train(&parts, NULL), MSK_OK);
  uint8_t *models[] = {test_read_file(output[0], &bytes[0]), test_read_file(output[1], &bytes[1])};
  assert_int_equal(bytes[0], bytes[1]);
  assert_memory_equal(models[0], models[1], bytes[0]);
  snprintf(sheet, sizeof sheet, "%s/samples.png", folders[0]);
  msk_image picture = {0};
  assert_int_equal(msk_image_load(&picture, sheet, MSK_ALPHA_WHITE, NULL, NULL), MSK_OK);
  assert_int_equal(picture.width, 8 * SIZE);
  assert_int_equal(picture.height, 2 * SIZE);
  msk_image_free(&picture);
  msk_weight_file *before = NULL, *after = NULL;
  assert_int_equal(msk_weight_file_open(&before, MODEL, NULL, NULL), MSK_OK);
  assert_int_equal(msk_weight_file_open(&after, output[0], NULL, NULL), MSK_OK);
  for (size_t i = 0; i < msk_weight_file_count(before); i++) {
    const msk_tensor *old = msk_weight_file_at(before, i),
                     *new = msk_weight_file_find(after, old->name);
    assert_true(new != NULL &&new->bytes == old->bytes);
    bool changes = strncmp(old->name, "tokenizer.decoder.", 18) == 0;
    if (!changes) assert_memory_equal(old->data, new->data, old->bytes);
  }
  msk_weight_file_close(before), msk_weight_file_close(after);
  for (size_t i = 0; i < 2; i++) free(models[i]), test_remove_folder(folders[i]);
}

static void test_stopped_and_whole(void **state) {
  char *folders[] = {test_make_folder(), test_make_folder()}, output[2][4096];
  struct watch watch = {0};
  size_t bytes[2];
  (void)state;
  msk_train_options whole = small_run(folders[0], output[0]);
  whole.user = &watch;
  whole.threads = 2;
  msk_error error = {0};
  if (msk_train(&whole, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_int_equal(watch.steps, 6);
  assert_int_equal(watch.logs, 1);
  msk_train_options parts = small_run(folders[1], output[1]);
  watch = (struct watch){.stop_after = 2};
  parts.user = &watch;
  for (int run = 0; run < 3; run++) {
    watch.steps = 0;
    parts.threads = 1 + run;
    assert_int_equal(msk_train(&parts, NULL), run < 2 ? MSK_ERROR_CANCELLED : MSK_OK);
  }
  uint8_t *models[] = {test_read_file(output[0], &bytes[0]), test_read_file(output[1], &bytes[1])};
  assert_int_equal(bytes[0], bytes[1]);
  assert_memory_equal(models[0], models[1], bytes[0]);
  msk_model *model = NULL;
  assert_int_equal(msk_model_open(&model, output[0], NULL, NULL), MSK_OK);
  msk_model_info info;
  msk_model_get_info(model, &info);
  assert_int_equal(info.class_count, CLASSES + 1 + HANDS);
  msk_model_close(model);
  for (size_t i = 0; i < 2; i++) free(models[i]), test_remove_folder(folders[i]);
}

/* A run goes on in its precision until it is told another one, and then in that. */
static void test_precisions(void **state) {
  static const struct {
    msk_train_precision asked, expected;
  } parts[] = {{MSK_TRAIN_FP32, MSK_TRAIN_FP32},
               {MSK_TRAIN_AUTO, MSK_TRAIN_FP32},
               {MSK_TRAIN_BF16, MSK_TRAIN_BF16},
               {MSK_TRAIN_AUTO, MSK_TRAIN_BF16}};
  char *folder = test_make_folder(), output[4096];
  msk_train_options options = small_run(folder, output);
  struct watch watch = {.stop_after = 1};
  (void)state;
  options.user = &watch;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    watch.steps = 0;
    options.precision = parts[i].asked;
    assert_int_equal(msk_train(&options, NULL), MSK_ERROR_CANCELLED);
    assert_int_equal(watch.precision, parts[i].expected);
  }
  test_remove_folder(folder);
}

static void convert(const char *from, const char *to, int int8) {
  msk_convert_options options;
  msk_error error = {0};
  msk_convert_options_init(&options);
  options.tokenizer_path = options.transformer_path = from;
  options.output_path = to;
  options.int8 = int8;
  if (msk_convert(&options, &error) != MSK_OK) fail_msg("%s", error.message);
}

/* The values of a tensor, to free(). */
static float *read_values(const char *path, const char *name, size_t expected) {
  msk_weight_file *file = NULL;
  assert_int_equal(msk_weight_file_open(&file, path, NULL, NULL), MSK_OK);
  const msk_tensor *tensor = msk_weight_file_find(file, name);
  assert_true(tensor != NULL && tensor->elements == expected);
  float *values = malloc(expected * sizeof *values);
  msk_tensor_to_f32(tensor, 0, expected, values);
  msk_weight_file_close(file);
  return values;
}

/* New units are not like one another: they would learn the same. */
static void check_units(const char *path, size_t units) {
  float sum = 0,
        *values = read_values(
            path, "transformer.TransformerLayer_1.Mlp_0.intermediate_output.kernel", 32 * units);
  for (size_t i = 0; i < 32; i++) {
    assert_true(values[i * units + 200] != values[i * units + 199]);
    sum += fabsf(values[i * units + 200]);
  }
  assert_true(sum > 1);
  free(values);
}

/* A run without a rate ends where it begins: at the weights of the model that it starts from, which
 * may be stored in 8 bits, or have fewer units in its MLPs. */
static void test_from_a_model(void **state) {
  enum { RUNS = 6 };
  char *folders[RUNS], output[RUNS][4096], small[4096], opened[4096];
  struct watch watch[RUNS] = {{0}};
  (void)state;
  for (int run = 0; run < RUNS; run++) {
    msk_error error = {0};
    folders[run] = test_make_folder();
    msk_train_options options = small_run(folders[run], output[run]);
    const char *const start[RUNS] = {NULL, output[0], NULL, small, opened, output[0]};
    options.user = &watch[run];
    options.start_path = start[run];
    if (run > 0) options.sequences = 2, options.muon_rate = options.adam_rate = 0;
    if (run == 5) options.intermediate = 201;
    if (msk_train(&options, &error) != MSK_OK) fail_msg("%s", error.message);
    if (run > 0) continue;
    snprintf(small, sizeof small, "%s/small.safetensors", folders[0]);
    snprintf(opened, sizeof opened, "%s/opened.safetensors", folders[0]);
    convert(output[0], small, 1);
    convert(small, opened, 0);
  }
  assert_true(watch[1].held_out == watch[0].held_out);
  assert_true(watch[2].held_out != watch[0].held_out);
  assert_true(watch[3].held_out == watch[4].held_out);
  assert_true(fabs(watch[3].held_out - watch[0].held_out) < 0.05);
  assert_true(fabs(watch[5].held_out - watch[0].held_out) < 1e-5);
  check_units(output[5], 201);
  for (int run = 0; run < RUNS; run++) test_remove_folder(folders[run]);
}

/* Classes keep what a model knows of those of their names; the one without a name, hands and mask
 * keep theirs; one that the model does not know begins between all. */
static void test_other_classes(void **state) {
  enum { NARROW = 32, OLD = CLASSES + 1 + HANDS, NEW = 3 + 1 + HANDS };
  static const char *const names[] = {"fish, goldfish", "newt", "apple"};
  static const int same[] = {3,           -1,          0,           CLASSES,     CLASSES + 1,
                             CLASSES + 2, CLASSES + 3, CLASSES + 4, CLASSES + 5, OLD};
  static const char *const tensors[] = {"transformer.Embed_0.word_embeddings.embedding",
                                        "transformer.MlmLayer_0.mlm_bias.bias"};
  char *folders[] = {test_make_folder(), test_make_folder()}, output[2][4096];
  struct watch watch = {0};
  (void)state;
  msk_train_options old = small_run(folders[0], output[0]), new = small_run(folders[1], output[1]);
  old.user = new.user = &watch;
  old.adam_rate = 0.1;
  assert_int_equal(msk_train(&old, NULL), MSK_OK);
  watch = (struct watch){0};
  new.source.class_names = names, new.source.classes = 3;
  new.start_path = output[0], new.sequences = 2, new.muon_rate = new.adam_rate = 0;
  assert_int_equal(msk_train(&new, NULL), MSK_OK);
  for (size_t t = 0; t < 2; t++) {
    size_t width = t == 0 ? NARROW : 1;
    float *from = read_values(output[0], tensors[t], (CODES + OLD + 1) * width),
          *to = read_values(output[1], tensors[t], (CODES + NEW + 1) * width);
    assert_memory_equal(from, to, CODES * width * sizeof *to);
    const float *labels = from + CODES * width;
    for (size_t i = 0; i < (NEW + 1) * width; i++) {
      double expected = 0;
      for (size_t l = 0; l < OLD; l++) expected += labels[l * width + i % width] / OLD;
      if (same[i / width] >= 0) expected = labels[(size_t)same[i / width] * width + i % width];
      assert_true(fabs(to[CODES * width + i] - expected) < 1e-6);
    }
    free(from), free(to);
  }
  for (int i = 0; i < 2; i++) test_remove_folder(folders[i]);
}

static bool same_values(const char *one, const char *other, const char *name, size_t elements) {
  float *a = read_values(one, name, elements), *b = read_values(other, name, elements);
  bool same = memcmp(a, b, elements * sizeof *a) == 0;
  free(a), free(b);
  return same;
}

/* Of what is held out, for the codes of `tokenizer`, at the start from another model. */
static double first_loss(const char *tokenizer, const char *start) {
  char *folder = test_make_folder(), output[4096];
  struct watch watch = {0};
  msk_error error = {0};
  msk_train_options options = small_run(folder, output);
  options.tokenizer_path = tokenizer, options.start_path = start, options.user = &watch;
  options.layers = 6, options.width = WIDTH, options.heads = 8;
  options.intermediate = INTERMEDIATE;
  options.structure_layers[0] = 2, options.batch = 1, options.sequences = 1;
  options.muon_rate = options.adam_rate = 0, options.pair_every = 0;
  if (msk_train(&options, &error) != MSK_OK) fail_msg("%s", error.message);
  test_remove_folder(folder);
  return watch.held_out;
}

/* A tokenizer of fewer, as many or more codes that goes on from a model's: what is written opens, its
 * encoder is the model's, where there is no rate, and a transformer for its codes begins from one for others: all
 * but the codes' rows is that one's. */
static void check_other_codes(size_t codes) {
  enum { LABELS = CLASSES + 1 + HANDS, NARROW = 32 };
  static const char *const of_layer =
      "transformer.TransformerLayer_1.Attention_0.self_attention.query.kernel";
  static const char *const words = "transformer.Embed_0.word_embeddings.embedding";
  char *folders[3], output[3][4096];
  struct watch watch = {0};
  msk_error error = {0};
  for (int i = 0; i < 3; i++) folders[i] = test_make_folder();
  msk_train_options tokenizer = small_decoder(folders[0], output[0]);
  msk_train_options_set_stage(&tokenizer, MSK_TRAIN_TOKENIZER);
  tokenizer.sequences = 2, tokenizer.batch = 1, tokenizer.objects = 3;
  tokenizer.held_out_objects = 1, tokenizer.adam_rate = tokenizer.muon_rate = 0;
  tokenizer.autoencoder_share = 0;
  tokenizer.codes = (int)codes, tokenizer.start_path = MODEL, tokenizer.user = &watch;
  if (msk_train(&tokenizer, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_true(same_values(output[0], MODEL, "tokenizer.encoder.Conv_0.kernel", 3 * 3 * 48 * 96));
  free(read_values(output[0], "tokenizer.quantizer.codebook", codes * 16));
  free(read_values(output[0], words, (codes + LABELS + 1) * WIDTH));
  assert_true(same_values(output[0], MODEL, of_layer, WIDTH * WIDTH));
  /* its transformer has words for other codes that mean what the model's did; many codes, of the
   * few that these pictures need, would hide it */
  if (codes < CODES) {
    double anew = first_loss(output[0], MODEL), mixed = first_loss(output[0], output[0]);
    if (!(mixed < anew - 0.25)) fail_msg("words that were mixed: %g, anew: %g", mixed, anew);
  }

  msk_train_options old = small_run(folders[1], output[1]), new = small_run(folders[2], output[2]);
  watch = (struct watch){0};
  old.user = new.user = &watch;
  if (msk_train(&old, &error) != MSK_OK) fail_msg("%s", error.message);
  watch = (struct watch){0};
  new.tokenizer_path = output[0], new.start_path = output[1];
  new.sequences = 2, new.muon_rate = new.adam_rate = 0;
  if (msk_train(&new, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_true(same_values(output[1], output[2], of_layer, NARROW * NARROW));
  float *from = read_values(output[1], words, (size_t)(CODES + LABELS + 1) * NARROW),
        *to = read_values(output[2], words, (codes + LABELS + 1) * NARROW);
  assert_memory_equal(from + CODES * NARROW, to + codes * NARROW,
                      (LABELS + 1) * NARROW * sizeof *to);
  assert_memory_not_equal(from, to, WIDTH * sizeof *to);
  for (size_t c = 0; c < codes; c++) assert_true(to[c * NARROW] != 0);
  free(from), free(to);
  for (int i = 0; i < 3; i++) test_remove_folder(folders[i]);
}

static void test_other_codes(void **state) {
  (void)state;
  check_other_codes(64);
  check_other_codes(CODES + 88);
  check_other_codes(CODES);
}

/* The picture of a few tokens; free it with msk_free(). */
static float *picture_of(const char *model_path, size_t *count) {
  msk_model *model = NULL;
  msk_session *session = NULL;
  msk_request request;
  msk_error error = {0};
  float *picture = NULL;
  int height, width;
  int32_t tokens[256];
  for (int i = 0; i < 256; i++) tokens[i] = (i * 37 + i / 16) % CODES;
  if (msk_model_open(&model, model_path, NULL, &error) != MSK_OK ||
      msk_request_init(&request, model, MSK_JOB_GENERATE, NULL, &error) != MSK_OK ||
      msk_session_open(&session, model, &request, NULL, &error) != MSK_OK ||
      msk_detokenize(session, tokens, 16, 16, &picture, &height, &width, &error) != MSK_OK)
    fail_msg("%s", error.message);
  *count = (size_t)height * (size_t)width * 3;
  msk_session_close(session);
  msk_model_close(model);
  return picture;
}

/* A decoder with more residual blocks than the model's begins as the model's; with a rate, the new
 * ones learn too. Fewer are refused. */
static void test_more_blocks(void **state) {
  enum { CHANNELS = 96, KERNEL = 9 * CHANNELS * CHANNELS };
  char *folders[3], output[3][4096];
  struct watch watch = {0};
  msk_error error = {0};
  (void)state;
  for (int i = 0; i < 3; i++) folders[i] = test_make_folder();
  for (int i = 0; i < 2; i++) {
    msk_train_options options = small_decoder(folders[i], output[i]);
    options.user = &watch, options.decoder_blocks = 2;
    if (i == 0) options.adam_rate = options.muon_rate = 0;
    watch = (struct watch){0};
    if (msk_train(&options, &error) != MSK_OK) fail_msg("%s", error.message);
    /* the middle's second block, and the first of the coarsest level behind it */
    float *new = read_values(output[i], "tokenizer.decoder.ResBlock_1.Conv_1.kernel", KERNEL);
    double sum = 0;
    for (size_t k = 0; k < KERNEL; k++) sum += fabsf(new[k]);
    assert_true(i == 0 ? sum == 0 : sum > 0);
    free(new);
  }
  float *moved = read_values(output[0], "tokenizer.decoder.ResBlock_2.Conv_0.kernel", KERNEL),
        *old = read_values(MODEL, "tokenizer.decoder.ResBlock_1.Conv_0.kernel", KERNEL);
  for (size_t k = 0; k < KERNEL; k++) assert_true(moved[k] == old[k]); /* -0 may be 0 now */
  size_t count;
  float *before = picture_of(MODEL, &count), *after = picture_of(output[0], &count),
        *other = picture_of(output[1], &count);
  assert_memory_equal(before, after, count * sizeof *after);
  assert_memory_not_equal(before, other, count * sizeof *other);
  msk_free(NULL, before), msk_free(NULL, after), msk_free(NULL, other);
  free(moved), free(old);
  msk_train_options fewer = small_decoder(folders[2], output[2]);
  fewer.tokenizer_path = output[0], fewer.decoder_blocks = 1;
  assert_int_equal(msk_train(&fewer, &error), MSK_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "decoder_blocks is 1, expected at least the 2"));
  for (int i = 0; i < 3; i++) test_remove_folder(folders[i]);
}

static void refuse(msk_train_options options, const char *word) {
  msk_error error = {0};
  assert_true(msk_train(&options, &error) != MSK_OK);
  if (strstr(error.message, word) == NULL) fail_msg("'%s' does not say '%s'", error.message, word);
}

static void test_refusals(void **state) {
  char *folder = test_make_folder(), output[4096];
  msk_train_options good = small_run(folder, output), bad = good;
  (void)state;
  bad.size = 3, refuse(bad, "unknown size"), bad = good;
  bad.output_path = NULL, refuse(bad, "an output"), bad = good;
  bad.batch = 0, refuse(bad, "batch is 0"), bad = good;
  bad.hint_share = 1.5, refuse(bad, "hint_share is 1.5"), bad = good;
  bad.heads = 3, refuse(bad, "multiple of the 3 heads"), bad = good;
  bad.hands_each = 6, refuse(bad, "5 hands"), bad = good;
  bad.structure_layers[0] = 2, refuse(bad, "structure layer 2"), bad = good;
  bad.source.classes = 11, refuse(bad, "expected 17"), bad = good;
  bad.source.image_size = 128, refuse(bad, "256 pixels"), bad = good;
  bad.start_path = MODEL, refuse(bad, "elements, expected"), bad = good;
  bad.start_path = MODEL, bad.intermediate = 4096, refuse(bad, "elements, expected"), bad = good;
  bad.codes = 100, refuse(bad, "no tokenizer is trained"), bad = good;
  bad.decoder_blocks = 2, refuse(bad, "a transformer is trained"), bad = good;
  bad.decoder_blocks = 9, refuse(bad, "decoder_blocks is 9"), bad = good;
  bad.start_path = "README.md", refuse(bad, "README.md"), bad = good;
  bad.stage = (msk_train_stage)3, refuse(bad, "stage 3"), bad = good;
  bad.precision = (msk_train_precision)3, refuse(bad, "precision 3"), bad = good;
  bad.precision = MSK_TRAIN_BF16, bad.stage = MSK_TRAIN_DECODER;
  refuse(bad, "convolutions are trained in fp32"), bad = good;
  bad.width = 1 << 20, refuse(bad, "width is 1048576, expected 8 to 65536"), bad = good;
  bad.batch = 5000, refuse(bad, "batch is 5000, expected 1 to 4096"), bad = good;
  bad.layers = 300, refuse(bad, "layers is 300"), bad = good;
  bad.objects = SIZE_MAX / 2, refuse(bad, "objects is 9.22337203685e+18"), bad = good;
  bad.objects = 100000000000, refuse(bad, "cannot be mapped"), bad = good;
  bad.sequences = SIZE_MAX, refuse(bad, "sequences is"), bad = good;
  bad.structure_layer_count = 65, refuse(bad, "structure_layer_count is 65"), bad = good;
  bad.source.hands = 33, refuse(bad, "hands is 33"), bad = good;
  bad.adam_rate = NAN, refuse(bad, "adam_rate is nan"), bad = good;
  bad.save_seconds = NAN, refuse(bad, "save_seconds is nan"), bad = good;
  bad.tokenizer_path = "nothing", refuse(bad, "nothing");
  test_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_stopped_and_whole), cmocka_unit_test(test_decoder),
      cmocka_unit_test(test_precisions),        cmocka_unit_test(test_from_a_model),
      cmocka_unit_test(test_other_classes),     cmocka_unit_test(test_other_codes),
      cmocka_unit_test(test_more_blocks),       cmocka_unit_test(test_refusals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
