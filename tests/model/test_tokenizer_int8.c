/* SPDX-License-Identifier: Apache-2.0
 *
 * test_tokenizer_int8.c - a tokenizer in int8 beside the same in float32, on the default model
 * and whatever the instruction set. Decoded pictures differ by at most 2/255 on average; the bits
 * do not depend on threads nor on the other pictures of a batch; the encoder is the same to the
 * bit. With the transformer's precision int8 the encoder's 16 bits change next to no token. */
#include <math.h>

#include "networks.h"

enum { SIDE = 16, PIXELS = 256 * 256 * 3, TOKENS = SIDE * SIDE, MOST_DIM = 64 };

static void open_model(struct rig *rig, msk_vqgan **vqgan, const char *isa, int threads,
                       msk_precision decoding) {
  rig_open(rig, isa, threads);
  rig->decoding = decoding;
  *vqgan = vqgan_open(rig, "models/default.safetensors", "tokenizer.", 0);
  bool slower = !msk_conv_int8_pays(rig->device, 3, 1, 2, 128, 128);
  assert_int_equal(msk_vqgan_decode_precision(*vqgan), slower ? MSK_PRECISION_FP32 : decoding);
}

static void close_model(struct rig *rig, msk_vqgan *vqgan) {
  msk_vqgan_destroy(vqgan);
  rig_close(rig);
}

static float *decode(const char *isa, int threads, msk_precision decoding, const int32_t *codes,
                     size_t batch) {
  struct rig rig;
  msk_vqgan *vqgan;
  float *pixels = malloc(batch * PIXELS * sizeof *pixels);
  open_model(&rig, &vqgan, isa, threads, decoding);
  rig_decode(&rig, vqgan, codes, batch, SIDE, SIDE, pixels, NULL);
  close_model(&rig, vqgan);
  return pixels;
}

/* A corner of a drawing; free with free(). */
static float *load_square(const char *path) {
  size_t height, width;
  float *sketch = load_pixels(path, &height, &width), *square = malloc(PIXELS * sizeof *square);
  assert_true(height >= 256 && width >= 256);
  for (size_t y = 0; y < 256; y++)
    memcpy(square + y * 256 * 3, sketch + y * width * 3, 256 * 3 * sizeof *square);
  free(sketch);
  return square;
}

/* latents: room for TOKENS * MOST_DIM floats. */
static void encode(struct rig *rig, const msk_vqgan *vqgan, const float *square, float *latents,
                   int32_t *codes) {
  assert_true(msk_vqgan_get_config(vqgan)->dim <= MOST_DIM);
  rig_encode(rig, vqgan, square, 1, 256, 256, latents, NULL);
  rig_quantise(rig, vqgan, latents, TOKENS, codes);
}

/* The tokens of a drawing, and random ones, which are worse than any picture. */
static void make_codes(int32_t codes[2 * TOKENS]) {
  struct rig rig;
  msk_vqgan *vqgan;
  float *square = load_square("demo/sketches/apple-pen.png"),
        *latents = malloc(TOKENS * MOST_DIM * sizeof *latents);
  open_model(&rig, &vqgan, NULL, 2, MSK_PRECISION_INT8);
  encode(&rig, vqgan, square, latents, codes);
  uint64_t seed = 7;
  for (size_t i = TOKENS; i < 2 * TOKENS; i++)
    codes[i] = (int32_t)(test_random(&seed) % msk_vqgan_get_config(vqgan)->codes);
  close_model(&rig, vqgan);
  free(square), free(latents);
}

static void test_distance(void **state) {
  (void)state;
  int32_t codes[2 * TOKENS];
  make_codes(codes);
  float *exact = decode("ref", 2, MSK_PRECISION_FP32, codes, 2);
  for (int set = 0; msk_isa_name(set) != NULL; set++) {
    float *pixels = decode(msk_isa_name(set), 2, MSK_PRECISION_INT8, codes, 2);
    double sum = 0, largest = 0;
    for (size_t i = 0; i < 2 * PIXELS; i++) {
      double difference =
          255 * fabs((double)fminf(fmaxf(pixels[i], 0), 1) - (double)fminf(fmaxf(exact[i], 0), 1));
      sum += difference;
      largest = fmax(largest, difference);
    }
    print_message("%s: mean difference %.3f / 255, largest %.1f\n", msk_isa_name(set),
                  sum / (2 * PIXELS), largest);
    assert_true(sum / (2 * PIXELS) <= 2);
    /* it is another arithmetic */
    bool always = strstr(msk_isa_name(set), "vnni") || strcmp(msk_isa_name(set), "amx") == 0;
    assert_true(!always || largest > 0.5);
    free(pixels);
  }
  free(exact);
}

static void test_same_bits(void **state) {
  (void)state;
  int32_t codes[2 * TOKENS];
  make_codes(codes);
  float *both = decode(NULL, 1, MSK_PRECISION_INT8, codes, 2);
  for (int threads = 2; threads <= 4; threads++) {
    float *again = decode(NULL, threads, MSK_PRECISION_INT8, codes, 2),
          *alone = decode(NULL, threads, MSK_PRECISION_INT8, codes + TOKENS, 1);
    assert_memory_equal(again, both, 2 * PIXELS * sizeof *both);
    assert_memory_equal(alone, both + PIXELS, PIXELS * sizeof *both);
    free(again), free(alone);
  }
  free(both);
}

static void test_encoder(void **state) {
  (void)state;
  float *latents[2], *picture = malloc(PIXELS * sizeof *picture);
  uint64_t seed = 3;
  for (size_t i = 0; i < PIXELS; i++) picture[i] = test_uniform(&seed, 0, 1);
  size_t count = 0;
  for (int p = 0; p < 2; p++) {
    struct rig rig;
    msk_vqgan *vqgan;
    open_model(&rig, &vqgan, NULL, 2, (msk_precision)p);
    count = TOKENS * msk_vqgan_get_config(vqgan)->dim;
    latents[p] = malloc(count * sizeof(float));
    rig_encode(&rig, vqgan, picture, 1, 256, 256, latents[p], NULL);
    close_model(&rig, vqgan);
  }
  assert_memory_equal(latents[0], latents[1], count * sizeof(float));
  free(latents[0]), free(latents[1]), free(picture);
}

/* Where 16 bits are no faster, the bits are float32's. */
static void test_tokens(void **state) {
  (void)state;
  static const char *const drawings[] = {"demo/sketches/apple-pen.png",
                                         "demo/sketches/bird-marker.png"};
  float *latents[2] = {malloc(TOKENS * MOST_DIM * sizeof(float)),
                       malloc(TOKENS * MOST_DIM * sizeof(float))};
  for (int set = 0; msk_isa_name(set) != NULL; set++) {
    size_t changed = 0;
    double error = 0, size = 0;
    bool faster = false;
    for (size_t i = 0; i < 2; i++) {
      float *square = load_square(drawings[i]);
      int32_t codes[2][TOKENS];
      size_t count = 0;
      for (int p = 0; p < 2; p++) {
        struct rig rig;
        rig_open_in(&rig, msk_isa_name(set), 2, (msk_precision)p);
        msk_vqgan *vqgan = vqgan_open(&rig, "models/default.safetensors", "tokenizer.", 0);
        encode(&rig, vqgan, square, latents[p], codes[p]);
        faster = msk_conv_int16_pays(rig.device, 3, 1, 64, 64);
        count = TOKENS * msk_vqgan_get_config(vqgan)->dim;
        assert_int_equal(msk_vqgan_decode_precision(vqgan), MSK_PRECISION_FP32);
        close_model(&rig, vqgan);
      }
      for (size_t j = 0; j < TOKENS; j++) changed += codes[0][j] != codes[1][j];
      for (size_t j = 0; j < count; j++) {
        error += pow((double)latents[0][j] - latents[1][j], 2);
        size += pow(latents[0][j], 2);
      }
      free(square);
    }
    print_message("%s: %zu of %d tokens, latents off by %.2g\n", msk_isa_name(set), changed,
                  2 * TOKENS, sqrt(error / size));
    assert_true(faster ? error > 0 : error == 0);
    assert_true(sqrt(error / size) < 0.001 && changed <= 2 * TOKENS / 50);
  }
  free(latents[0]), free(latents[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_distance),
                                     cmocka_unit_test(test_same_bits),
                                     cmocka_unit_test(test_encoder), cmocka_unit_test(test_tokens)};
  return cmocka_run_group_tests_name("tokenizer int8", tests, NULL, NULL);
}
