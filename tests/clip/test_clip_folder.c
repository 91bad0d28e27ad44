/* SPDX-License-Identifier: Apache-2.0
 *
 * test_clip_folder.c - CLIP through the public functions: cosines against torch's, damaged and
 * contradicting folders, refused memory. */
#include "clip_files.h"
#include "masksketch_tools.h"
#include "tensor/weight_file.h"

enum { DIMENSIONS = 32, IMAGES = 6, PROMPTS = 10 };

static int setup(void **state) {
  int failed = set_up_folder(state);
  clip_write(test_folder, "config.json");
  return failed;
}

static const char *const images[] = {"pp0_gradient_256x256", "pp1_shapes_300x200",
                                     "pp2_noise_57x91",      "pp3_oddcrop_105x100",
                                     "pp4_same_64x64",       "pp5_small_40x30"};
static const char *const texts[] = {"a photo of a songbird",
                                    "a photo of a dog",
                                    "a red circle on a white background",
                                    "a drawing of a cat",
                                    "an oil painting of the sea at night",
                                    "Line drawing of a bicycle.",
                                    "a sketch of a house with 2 windows",
                                    "noise",
                                    "tall tower, black ink",
                                    "don't draw a bird!"};

static void check(const float *values, const char *name, size_t count, double tolerance) {
  golden_array golden = golden_load(golden_path("clip/embeddings/%s.npy", name));
  assert_int_equal(golden.elements, count);
  assert_close(values, (const float *)golden.data, count, tolerance);
  golden_free(&golden);
}

static void test_cosines(void **state) {
  (void)state;
  msk_error error = {0};
  msk_clip *clip = NULL;
  msk_clip_info info;
  float pictures[IMAGES * DIMENSIONS], words[PROMPTS * DIMENSIONS], cosines[IMAGES * PROMPTS];
  msk_image loaded[IMAGES];
  int counts[PROMPTS];
  if (msk_clip_open(&clip, test_folder, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  msk_clip_get_info(clip, &info);
  assert_int_equal(info.dimensions, DIMENSIONS);
  assert_int_equal(info.text_tokens, CONTEXT);
  for (size_t i = 0; i < IMAGES; i++)
    assert_int_equal(msk_image_load(&loaded[i], golden_path("clip/preprocess/%s.png", images[i]),
                                    MSK_ALPHA_DROP, NULL, &error),
                     MSK_OK);
  assert_int_equal(msk_clip_embed_images(clip, loaded, IMAGES, pictures, &error), MSK_OK);
  assert_int_equal(msk_clip_embed_texts(clip, texts, PROMPTS, words, counts, &error), MSK_OK);
  check(pictures, "image_embeds", IMAGES * DIMENSIONS, 2e-5);
  check(words, "text_embeds", PROMPTS * DIMENSIONS, 2e-5);
  for (size_t i = 0; i < IMAGES * PROMPTS; i++)
    cosines[i] = (float)msk_clip_cosine(pictures + i / PROMPTS * DIMENSIONS,
                                        words + i % PROMPTS * DIMENSIONS, DIMENSIONS);
  check(cosines, "cosine", IMAGES * PROMPTS, 2e-5);
  for (size_t i = 0; i < IMAGES * PROMPTS; i++) cosines[i] *= info.logit_scale;
  check(cosines, "logits_per_image", IMAGES * PROMPTS, 2e-3);
  assert_int_equal(counts[0], 8);
  static char many[1000];
  for (size_t i = 0; i < 200; i++) memcpy(many + 2 * i, "a ", 2);
  const char *long_text = many, *ill = "\xFF";
  assert_int_equal(msk_clip_embed_texts(clip, &long_text, 1, words, counts, &error), MSK_OK);
  assert_int_equal(counts[0], 202);
  assert_int_equal(msk_clip_embed_texts(clip, &ill, 1, words, NULL, &error), MSK_ERROR_ARGUMENT);
  for (size_t i = 0; i < IMAGES; i++) msk_image_free(&loaded[i]);
  msk_clip_close(clip);
}

static void refuse(const char *said) {
  msk_error error = {0};
  msk_clip *clip = NULL;
  assert_int_equal(msk_clip_open(&clip, test_folder, NULL, &error), MSK_ERROR_FILE);
  assert_null(clip);
  if (strstr(error.message, said) == NULL) fail_msg("%s, expected: %s", error.message, said);
}

/* Each file missing, empty, cut; a config that contradicts the tensors. */
static void test_damage(void **state) {
  (void)state;
  static const char *const names[] = {"config.json", "vocab.json", "merges.txt",
                                      "model.safetensors"};
  for (size_t i = 0; i < 4; i++) {
    size_t bytes;
    uint8_t *whole = test_read_file(clip_path(test_folder, names[i]), &bytes);
    remove(clip_path(test_folder, names[i]));
    refuse(names[i]);
    clip_write_text(test_folder, names[i], "");
    refuse(names[i]);
    assert_int_equal(msk_file_write(clip_path(test_folder, names[i]), whole, bytes / 2, NULL),
                     MSK_OK);
    refuse(names[i]);
    assert_int_equal(msk_file_write(clip_path(test_folder, names[i]), whole, bytes, NULL), MSK_OK);
    free(whole);
  }
  clip_write_text(test_folder, "config.json", "{\"text_config\": {}}");
  refuse("text_model.embeddings.token_embedding.weight has shape 49408x64, expected 49408x512");
  clip_write(test_folder, "config.json");
}

/* The last bytes of the file hold a half float: as NaN it is refused, and its tensor named. */
static void test_not_finite(void **state) {
  (void)state;
  size_t bytes;
  uint8_t *whole = test_read_file(clip_path(test_folder, "model.safetensors"), &bytes);
  msk_weight_file *file = NULL;
  assert_int_equal(msk_weight_file_parse(&file, whole, bytes, "M", NULL, NULL), MSK_OK);
  const char *last = NULL;
  for (size_t i = 0; i < msk_weight_file_count(file); i++) {
    const msk_tensor *tensor = msk_weight_file_at(file, i);
    if (tensor->data + tensor->bytes == whole + bytes) last = tensor->name;
  }
  assert_non_null(last);
  whole[bytes - 1] = 0x7E;
  assert_int_equal(msk_file_write(clip_path(test_folder, "model.safetensors"), whole, bytes, NULL),
                   MSK_OK);
  refuse(last);
  refuse("not finite");
  msk_weight_file_close(file);
  free(whole);
  clip_write(test_folder, "config.json");
}

static msk_status open_and_use(const msk_allocator *allocator) {
  msk_clip *clip = NULL;
  msk_clip_options options;
  const char *text = "a photo of a dog";
  float vector[DIMENSIONS];
  uint8_t pixels[5 * 7 * 3] = {0};
  msk_image image = {.width = 5, .height = 7, .pixels = pixels};
  msk_clip_options_init(&options);
  options.allocator = allocator;
  options.threads = 2;
  msk_status status = msk_clip_open(&clip, test_folder, &options, NULL);
  if (status == MSK_OK) status = msk_clip_embed_texts(clip, &text, 1, vector, NULL, NULL);
  if (status == MSK_OK) status = msk_clip_embed_images(clip, &image, 1, vector, NULL);
  msk_clip_close(clip);
  return status;
}

/* Every allocation refused once. */
static void test_memory(void **state) {
  (void)state;
  counting_allocator counting;
  counting_allocator_init(&counting);
  clip_write_small(test_folder);
  msk_status status = MSK_ERROR_MEMORY;
  for (long k = 1; status != MSK_OK; k++) {
    counting.calls = 0, counting.fail_at = k;
    status = open_and_use(&counting.allocator);
    assert_int_equal(counting.live, 0);
    assert_true(status == MSK_OK || status == MSK_ERROR_MEMORY);
    assert_true(status != MSK_OK || k > 20);
  }
  clip_write(test_folder, "config.json");
}

static void test_arguments(void **state) {
  (void)state;
  msk_clip *clip = NULL;
  msk_clip_options options = {0};
  msk_error error = {0};
  assert_int_equal(msk_clip_open(&clip, test_folder, &options, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_clip_open(&clip, NULL, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_clip_embed_texts(NULL, NULL, 0, NULL, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_clip_embed_images(NULL, NULL, 0, NULL, &error), MSK_ERROR_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cosines), cmocka_unit_test(test_damage),
                                     cmocka_unit_test(test_not_finite),
                                     cmocka_unit_test(test_memory),
                                     cmocka_unit_test(test_arguments)};
  return cmocka_run_group_tests(tests, setup, tear_down_folder);
}
