/* SPDX-License-Identifier: Apache-2.0
 *
 * test_pictures.c - training of the tokenizer: losses of pictures and of the quantiser against
 * central differences in float64, the moving codebook, and whole runs on small networks: the same
 * bytes for any number of threads and after a stop, a loss that falls. */
#include <unistd.h>

#include "slopes.h"
#include "small_plans.h"
#include "train/moving_codes.h"
#include "train/picture_trainer.h"

/* ---- the loss of pictures ---- */

static double at_of(const double *d, size_t width, size_t y, size_t x, size_t c) {
  return d[(y * width + x) * 3 + c];
}

/* Bilinear, twice as large: half a pixel's centres, edges repeated. */
static double enlarged(const double *low, size_t height, size_t width, size_t y, size_t x,
                       size_t c) {
  double sum = 0, py = fmax(0, ((double)y + 0.5) / 2 - 0.5),
         px = fmax(0, ((double)x + 0.5) / 2 - 0.5);
  size_t top = (size_t)py, left = (size_t)px, below = top + 1 < height ? top + 1 : top,
         right = left + 1 < width ? left + 1 : left;
  double down = py - (double)top, across = px - (double)left;
  sum += (1 - down) * (1 - across) * at_of(low, width, top, left, c);
  sum += (1 - down) * across * at_of(low, width, top, right, c);
  sum += down * (1 - across) * at_of(low, width, below, left, c);
  sum += down * across * at_of(low, width, below, right, c);
  return sum;
}

/* Sums over one picture of 2 |band| / all + |low| / 2 / all a level. */
static double naive_bands(const double *d, size_t batch, size_t height, size_t width) {
  double *level = malloc(height * width * 3 * sizeof *level), loss = 0;
  memcpy(level, d, height * width * 3 * sizeof *level);
  for (int i = 0; i < 4 && height % 2 == 0 && width % 2 == 0; i++) {
    size_t h = height / 2, w = width / 2;
    double *low = malloc(h * w * 3 * sizeof *low), band = 0, left = 0;
    for (size_t j = 0; j < h * w * 3; j++) {
      size_t c = j % 3, x = j / 3 % w, y = j / 3 / w;
      low[j] = (at_of(level, width, 2 * y, 2 * x, c) + at_of(level, width, 2 * y, 2 * x + 1, c) +
                at_of(level, width, 2 * y + 1, 2 * x, c) +
                at_of(level, width, 2 * y + 1, 2 * x + 1, c)) /
               4;
      left += fabs(low[j]);
    }
    for (size_t j = 0; j < height * width * 3; j++)
      band += fabs(level[j] - enlarged(low, h, w, j / 3 / width, j / 3 % width, j % 3));
    loss +=
        2 * band / (double)(batch * height * width * 3) + left / 2 / (double)(batch * h * w * 3);
    free(level);
    level = low, height = h, width = w;
  }
  free(level);
  return loss;
}

static double picture_loss(const problem *p) {
  size_t batch = p->sizes[0], height = p->sizes[1], width = p->sizes[2], count = height * width * 3;
  const double *w = p->weights, all = (double)(batch * count);
  double loss = 0, *d = malloc(count * sizeof *d);
  for (size_t b = 0; b < batch; b++) {
    for (size_t i = 0; i < count; i++) {
      d[i] = p->terms[0][b * count + i] - p->terms[1][b * count + i];
      loss += (w[0] * fabs(d[i]) + w[1] * d[i] * d[i]) / all;
    }
    for (size_t i = 0; i < count; i++) {
      size_t x = i / 3 % width, y = i / 3 / width;
      if (x + 1 < width)
        loss += w[2] * fabs(d[i + 3] - d[i]) / (double)(batch * height * (width - 1) * 3);
      if (y + 1 < height)
        loss += w[2] * fabs(d[i + width * 3] - d[i]) / (double)(batch * (height - 1) * width * 3);
    }
    for (size_t i = 0; i < count; i += 3)
      loss += w[3] * (fabs(d[i] - d[i + 1]) + fabs(d[i + 2] - (d[i] + d[i + 1]) / 2)) /
              (double)(batch * height * width * 2);
    loss += w[4] * naive_bands(d, batch, height, width);
  }
  free(d);
  return loss;
}

static void test_picture_loss(void **state) {
  static const size_t sizes[][3] = {{1, 1, 1}, {2, 5, 7}, {1, 6, 10}, {3, 16, 8}, {2, 32, 48}};
  static const double weights[] = {1, 2, 0.5, 0.75, 0.3};
  (void)state;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    msk_picture_shape shape = {sizes[i][0], sizes[i][1], sizes[i][2]};
    const msk_picture_weights given = {1, 2, 0.5f, 0.75f, 0.3f};
    size_t count = shape.batch * shape.height * shape.width * 3,
           floats = msk_picture_loss_floats(shape);
    float *x = random_new(count, 1, 1), *y = random_new(count, 2, 1), *dy = guarded_new(count),
          *room = guarded_new(floats), *first = guarded_new(count);
    problem p = {.loss = picture_loss,
                 .terms = {doubles(y, count), doubles(x, count)},
                 .counts = {count, count},
                 .sizes = {shape.batch, shape.height, shape.width},
                 .weights = weights};
    double loss = msk_picture_loss(NULL, &given, shape, x, y, dy, room);
    guarded_check(dy, count), guarded_check(room, floats);
    check_value(loss, picture_loss(&p), 1e-5 * loss, "picture loss", i);
    check_slopes(&p, 0, dy, NULL, 2e-4, "picture loss, y");
    memcpy(first, dy, count * sizeof *first);
    for (int threads = 2; threads <= 3; threads++) {
      msk_pool *pool = NULL;
      assert_int_equal(msk_pool_create(&pool, threads, NULL, NULL), MSK_OK);
      assert_true(msk_picture_loss(pool, &given, shape, x, y, dy, room) == loss);
      assert_memory_equal(dy, first, count * sizeof *first);
      msk_pool_destroy(pool);
    }
    float *all[] = {x, y, dy, room, first};
    for (size_t j = 0; j < sizeof all / sizeof *all; j++) guarded_free(all[j]);
    free(p.terms[0]), free(p.terms[1]);
  }
}

/* ---- the quantiser ---- */

enum { ROWS = 37, CODES = 19, DIM = 5 };

static double entropy_of(const problem *p) {
  double mean[CODES] = {0}, loss = 0;
  for (size_t r = 0; r < ROWS; r++) {
    double s[CODES], sum = 0;
    for (size_t c = 0; c < CODES; c++) {
      s[c] = 0;
      for (size_t i = 0; i < DIM; i++)
        s[c] -= pow(p->terms[0][r * DIM + i] - p->terms[1][c * DIM + i], 2) / p->weights[0];
      sum += exp(s[c]);
    }
    for (size_t c = 0; c < CODES; c++) {
      double probability = exp(s[c]) / sum;
      mean[c] += probability / ROWS;
      loss -= probability * log(probability) / ROWS;
    }
  }
  for (size_t c = 0; c < CODES; c++) loss += mean[c] * log(mean[c] + 1e-5);
  return loss;
}

/* Both halves of the distance are one sum, of which z and the codes each hold the other still. */
static void test_quantiser(void **state) {
  static const double temperature = 0.5;
  const msk_codebook_shape shape = {CODES, DIM};
  const msk_quantiser_weights entropy = {.entropy = 2, .temperature = 0.5f},
                              distance = {.commitment = 0.25f, .codebook = 1};
  float *z = random_new(ROWS * DIM, 1, 1), *codebook = random_new(CODES * DIM, 2, 1),
        *dz = random_new(ROWS * DIM, 3, 1), *before = random_new(ROWS * DIM, 3, 1),
        *dcodes = random_new(CODES * DIM, 4, 1), *codes_before = random_new(CODES * DIM, 4, 1);
  int32_t codes[ROWS];
  double *room = malloc(msk_quantiser_room(shape, ROWS) * sizeof *room), square = 0;
  problem p = {.loss = entropy_of,
               .terms = {doubles(z, ROWS * DIM), doubles(codebook, CODES * DIM)},
               .counts = {ROWS * DIM, CODES * DIM},
               .weights = &temperature};
  (void)state;
  msk_quantise(NULL, shape, codebook, ROWS, z, codes);
  msk_quantiser_losses losses =
      msk_quantiser_loss(NULL, &entropy, shape, codebook, ROWS, z, codes, room, dz, dcodes);
  guarded_check(dz, ROWS * DIM), guarded_check(dcodes, CODES * DIM);
  check_value(losses.entropy, 2 * entropy_of(&p), 1e-9, "entropy", 0);
  for (size_t i = 0; i < ROWS * DIM; i++) dz[i] = (dz[i] - before[i]) / 2;
  for (size_t i = 0; i < CODES * DIM; i++) dcodes[i] = (dcodes[i] - codes_before[i]) / 2;
  check_slopes(&p, 0, dz, NULL, 2e-5, "entropy, z");
  check_slopes(&p, 1, dcodes, NULL, 2e-5, "entropy, codes");
  memset(dz, 0, ROWS * DIM * sizeof *dz), memset(dcodes, 0, CODES * DIM * sizeof *dcodes);
  losses = msk_quantiser_loss(NULL, &distance, shape, codebook, ROWS, z, codes, NULL, dz, dcodes);
  for (size_t r = 0; r < ROWS; r++) {
    double nearest = INFINITY, own = 0;
    for (size_t c = 0; c < CODES; c++) {
      double here = 0;
      for (size_t i = 0; i < DIM; i++)
        here += pow((double)z[r * DIM + i] - (double)codebook[c * DIM + i], 2);
      nearest = fmin(nearest, here);
      if ((int32_t)c == codes[r]) own = here;
    }
    assert_true(own == nearest);
    square += own / (ROWS * DIM);
    for (size_t i = 0; i < DIM; i++) {
      double apart = (double)z[r * DIM + i] - (double)codebook[(size_t)codes[r] * DIM + i];
      check_value(dz[r * DIM + i], 0.5 * apart / (ROWS * DIM), 1e-7, "commitment", r);
    }
  }
  check_value(losses.commitment, 0.25 * square, 1e-9, "commitment", 0);
  check_value(losses.codebook, square, 1e-9, "codebook", 0);
  for (size_t i = 0; i < DIM; i++) { /* what pulls z pushes its code, four times as hard */
    double sums[2] = {0};
    for (size_t r = 0; r < ROWS; r++) sums[0] += (double)dz[r * DIM + i];
    for (size_t c = 0; c < CODES; c++) sums[1] += (double)dcodes[c * DIM + i];
    check_value(sums[1], -4 * sums[0], 1e-6, "codes", i);
  }
  float *all[] = {z, codebook, dz, before, dcodes, codes_before};
  for (size_t j = 0; j < sizeof all / sizeof *all; j++) guarded_free(all[j]);
  free(room), free(p.terms[0]), free(p.terms[1]);
}

static double length_of(const float *x) {
  double sum = 0;
  for (size_t i = 0; i < DIM; i++) sum += (double)x[i] * (double)x[i];
  return sqrt(sum);
}

/* Rows in three heaps and few codes: k-means finds the heaps; a code that nobody chooses begins
 * anew; all codes stay on the sphere. */
static void test_moving_codes(void **state) {
  enum { HEAPS = 3, SEEN = 120, FEW = 6 };
  float z[SEEN * DIM], codebook[FEW * DIM], counts[FEW], sums[FEW * DIM], radius = 2;
  int32_t chosen[SEEN];
  msk_random random = msk_random_stream(1, 2, 3);
  (void)state;
  for (size_t r = 0; r < SEEN; r++) {
    float *row = z + r * DIM;
    for (size_t i = 0; i < DIM; i++)
      row[i] = (i == r % HEAPS ? 1.0f : 0.0f) + 0.02f * (float)msk_random_normal(&random);
    float factor = radius / (float)length_of(row);
    for (size_t i = 0; i < DIM; i++) row[i] *= factor;
  }
  const msk_moving_codes moving = {{FEW, DIM}, codebook, counts, sums, radius};
  msk_moving_codes_begin(&moving, NULL, SEEN, z, chosen, &random);
  msk_quantise(NULL, moving.shape, codebook, SEEN, z, chosen);
  for (size_t r = 0; r < SEEN; r++) {
    const float *code = codebook + (size_t)chosen[r] * DIM;
    assert_true(code[r % HEAPS] > 1.9f);
  }
  for (size_t i = 0; i < DIM; i++) codebook[i] = i == 4 ? radius : 0, sums[i] = codebook[i];
  size_t revived = 0;
  for (int step = 0; step < 200; step++) {
    msk_quantise(NULL, moving.shape, codebook, SEEN, z, chosen);
    revived += msk_moving_codes_follow(&moving, SEEN, z, chosen, &random);
  }
  assert_true(revived >= 1 && codebook[4] < 1); /* nobody was near the first code */
  for (size_t c = 0; c < FEW; c++)
    check_value(length_of(codebook + c * DIM), radius, 1e-5, "length", c);
}

/* ---- both halves ---- */

/* Mean squared error of what the halves make of pictures, and its gradients unless NULL. */
static double halves_loss(msk_autoencoder *net, msk_picture_shape shape, float *block,
                          const float *x, float *dy, float *room, float *gradients) {
  const msk_picture_weights weights = {.square = 1};
  msk_autoencoder_set(net, block);
  const float *z = msk_autoencoder_encode(net, shape, x);
  const float *y = msk_autoencoder_decode(net, shape, z);
  double loss = msk_picture_loss(NULL, &weights, shape, x, y, dy, room);
  if (gradients == NULL) return loss;
  const float *dz = msk_autoencoder_decode_backward(net, dy, true, gradients);
  msk_autoencoder_encode_backward(net, dz, gradients);
  return loss;
}

/* Each tensor moved a little along its own gradient: the loss moves by the gradient's length. */
static void check_halves(const msk_vqgan_config *config, msk_picture_shape shape) {
  msk_device *device = device_new(NULL);
  msk_params *params = NULL;
  msk_autoencoder *net = NULL;
  assert_int_equal(msk_params_create_tokenizer(&params, config, false, false, NULL, NULL), MSK_OK);
  assert_int_equal(
      msk_autoencoder_create(&net, params, config, device, NULL, &shape, 1, false, NULL), MSK_OK);
  size_t values = shape.batch * shape.height * shape.width * 3;
  float *block = random_new(params->floats, 1, 0.15f), *slopes = guarded_new(params->floats),
        *moved = guarded_new(params->floats), *x = random_new(values, 2, 0.5f),
        *dy = guarded_new(values), *room = guarded_new(msk_picture_loss_floats(shape));
  memset(slopes, 0, params->floats * sizeof *slopes);
  for (size_t i = 0; i < params->count; i++) { /* scales around 1 */
    const msk_param *param = &params->list[i];
    bool scale = strstr(param->tensor.name, ".scale") != NULL;
    for (size_t j = 0; scale && j < param->tensor.elements; j++) block[param->offset + j] += 1;
  }
  double loss = halves_loss(net, shape, block, x, dy, room, slopes);
  guarded_check(slopes, params->floats);
  for (size_t i = 0; i < params->count; i++) {
    const msk_param *param = &params->list[i];
    double square = 0, at[2];
    for (size_t j = 0; j < param->tensor.elements; j++)
      square += pow((double)slopes[param->offset + j], 2);
    if (param->rule == MSK_RULE_FIXED) {
      assert_true(square == 0);
      continue;
    }
    double step = 1e-3 * loss / square;
    for (int side = 0; side < 2; side++) {
      memcpy(moved, block, params->floats * sizeof *moved);
      for (size_t j = 0; j < param->tensor.elements; j++)
        moved[param->offset + j] +=
            (float)((side == 0 ? step : -step) * (double)slopes[param->offset + j]);
      at[side] = halves_loss(net, shape, moved, x, dy, room, NULL);
    }
    check_value((at[0] - at[1]) / (2 * step), square, 0.03 * square, param->tensor.name, i);
  }
  float *all[] = {block, slopes, moved, x, dy, room};
  for (size_t j = 0; j < sizeof all / sizeof *all; j++) guarded_free(all[j]);
  msk_autoencoder_destroy(net);
  msk_params_destroy(params);
  msk_device_destroy(device);
}

/* Channels that rise and fall, with and without a stem, pooled and strided. */
static void test_halves(void **state) {
  msk_vqgan_config config = {.stem = 1,
                             .filters = 6,
                             .levels = 3,
                             .channels = {6, 12, 9},
                             .blocks = 2,
                             .decoder_blocks = 2,
                             .groups = 3,
                             .codes = 5,
                             .dim = 4,
                             .patch = 4};
  (void)state;
  check_halves(&config, (msk_picture_shape){2, 12, 20});
  config.strided = true;
  check_halves(&config, (msk_picture_shape){1, 8, 12});
  config.strided = false, config.stem = 2, config.patch = 8, config.blocks = 1;
  config.decoder_blocks = 3;
  check_halves(&config, (msk_picture_shape){1, 16, 24});
}

/* ---- whole runs ---- */

enum { SIDE = 32, OBJECTS = 8, DRAWINGS = 2, CELLS = 16, PICTURE_CODES = 24 };

static const msk_picture_plan small_plan = SMALL_TOKENIZER(6, OBJECTS, 2, 2e-3, 0.05, 0.1);

static msk_pictures_shape small_shape(bool decoder) {
  return (msk_pictures_shape){.side = SIDE,
                              .drawings = decoder ? 0 : DRAWINGS,
                              .cells = decoder ? CELLS : 0,
                              .codes = PICTURE_CODES,
                              .records = OBJECTS,
                              .fingerprint = "a"};
}

/* Squares of one colour on another. */
static msk_pictures *small_pictures(const char *folder, bool decoder) {
  char path[4096];
  uint8_t photo[SIDE * SIDE * 3], drawings[DRAWINGS * SIDE * SIDE];
  uint16_t codes[2 * CELLS];
  uint64_t seed = 3;
  msk_pictures *pictures = NULL;
  msk_pictures_shape shape = small_shape(decoder);
  snprintf(path, sizeof path, "%s/%s.pictures", folder, decoder ? "decoder" : "tokenizer");
  assert_int_equal(msk_pictures_open(&pictures, path, &shape, NULL), MSK_OK);
  while (msk_pictures_count(pictures) < OBJECTS) {
    size_t left = test_random(&seed) % (SIDE / 2), top = test_random(&seed) % (SIDE / 2);
    uint8_t colour[3];
    for (size_t c = 0; c < 3; c++) colour[c] = (uint8_t)(test_random(&seed) % 256);
    for (size_t i = 0; i < SIDE * SIDE * 3; i++) {
      size_t x = i / 3 % SIDE, y = i / 3 / SIDE;
      bool inside = x >= left && x < left + 12 && y >= top && y < top + 12;
      photo[i] = inside ? colour[i % 3] : 200;
      drawings[i / 3] = drawings[SIDE * SIDE + i / 3] = inside ? 30 : 255;
    }
    for (size_t i = 0; i < 2 * CELLS; i++)
      codes[i] = (uint16_t)(test_random(&seed) % PICTURE_CODES);
    const msk_picture_record record = {photo, drawings, codes};
    assert_int_equal(msk_pictures_append(pictures, &record, NULL), MSK_OK);
  }
  return pictures;
}

struct run {
  msk_device *device;
  msk_pool *pool;
  msk_picture_trainer *trainer;
};

static struct run start_with(const msk_picture_plan *given, int threads, const char *isa) {
  struct run run = {0};
  msk_picture_plan plan = *given;
  bool decoder = plan.decoder_alone;
  assert_int_equal(msk_device_create(&run.device, isa, MSK_PRECISION_FP32, NULL, NULL), MSK_OK);
  assert_int_equal(msk_pool_create(&run.pool, threads, NULL, NULL), MSK_OK);
  assert_int_equal(msk_picture_trainer_create(&run.trainer, &plan, run.device, run.pool, NULL),
                   MSK_OK);
  msk_picture_trainer_start(run.trainer);
  if (!decoder) return run;
  msk_course *course = &run.trainer->course;
  float *codebook = msk_params_find(course->params, course->block, "quantizer.codebook");
  uint64_t seed = 7;
  for (size_t i = 0; i < 24 * 6; i++) codebook[i] = test_uniform(&seed, -1, 1);
  msk_course_begin(course);
  return run;
}

static struct run start_run(bool decoder, int threads, const char *isa) {
  msk_picture_plan plan = small_plan;
  plan.decoder_alone = decoder;
  return start_with(&plan, threads, isa);
}

static void end_run(struct run *run) {
  msk_picture_trainer_destroy(run->trainer);
  msk_pool_destroy(run->pool);
  msk_device_destroy(run->device);
}

static msk_picture_step take_step(struct run *run, const msk_pictures *pictures) {
  msk_picture_step step;
  assert_int_equal(msk_picture_trainer_step(run->trainer, pictures, &step, NULL), MSK_OK);
  assert_true(isfinite(step.loss) && step.norm > 0);
  return step;
}

static void assert_same_state(const msk_picture_trainer *one, const msk_picture_trainer *other) {
  const msk_course *a = &one->course, *b = &other->course;
  size_t bytes = a->params->floats * sizeof(float);
  assert_memory_equal(a->block, b->block, bytes);
  assert_memory_equal(a->optimiser->average, b->optimiser->average, bytes);
  assert_memory_equal(a->optimiser->first, b->optimiser->first, bytes);
  assert_memory_equal(a->optimiser->second, b->optimiser->second, bytes);
  assert_memory_equal(one->code_counts, other->code_counts, 24 * sizeof(float));
  assert_memory_equal(one->code_sums, other->code_sums, 24 * 6 * sizeof(float));
  assert_int_equal(one->quantising, other->quantising);
  assert_int_equal(a->step, b->step);
}

/* 120 steps: the quantiser begins in the 7th, whole pictures in the 13th. */
static void test_it_learns(void **state) {
  char *folder = test_make_folder();
  (void)state;
  for (int decoder = 0; decoder < 2; decoder++) {
    msk_pictures *pictures = small_pictures(folder, decoder);
    struct run run = start_run(decoder, 2, NULL);
    uint8_t *sheet = malloc(2 * SIDE * MSK_SHEET_COLUMNS * SIDE * 3);
    const msk_params *params = run.trainer->course.params;
    float *before = malloc(params->floats * sizeof *before), *block = run.trainer->course.block;
    memcpy(before, block, params->floats * sizeof *before);
    msk_picture_figures start = msk_picture_trainer_evaluate(run.trainer, pictures, sheet);
    for (int step = 0; !msk_course_is_done(&run.trainer->course); step++) {
      msk_picture_step losses = take_step(&run, pictures);
      assert_true((losses.commitment > 0) == (!decoder && step >= 6));
    }
    msk_picture_figures end = msk_picture_trainer_evaluate(run.trainer, pictures, sheet);
    assert_true(end.decibels > start.decibels + (decoder ? 3 : 6));
    for (size_t i = 0; i < SIDE * 3; i++) { /* the sheet's first photo */
      msk_picture_record record = msk_pictures_at(pictures, 0);
      assert_int_equal(sheet[i], record.photo[i]);
    }
    for (size_t i = 0; i < params->count; i++) {
      const msk_param *param = &params->list[i];
      bool same = memcmp(block + param->offset, before + param->offset,
                         param->tensor.elements * sizeof *block) == 0;
      bool fixed = decoder && strncmp(param->tensor.name, "decoder.", 8) != 0;
      assert_true(same == fixed);
    }
    free(before), free(sheet);
    end_run(&run);
    msk_pictures_close(pictures);
  }
  test_remove_folder(folder);
}

/* Kernels between many channels are Muon's, as matrices of nine times the inputs to the outputs;
 * the rest, and all that the decoder alone does not train, is as it was. It learns, and to the same
 * bytes with any number of threads. */
static void test_muon(void **state) {
  static const char *const muon[] = {"encoder.ResBlock_0.Conv_0.kernel", "decoder.Conv_1.kernel",
                                     "decoder.ResBlock_1.Conv_2.kernel"};
  static const char *const adam[] = {"encoder.Conv_0.kernel", "encoder.Conv_1.kernel",
                                     "decoder.Conv_0.kernel", "decoder.Conv_3.kernel",
                                     "decoder.Conv_1.bias"};
  char *folder = test_make_folder();
  (void)state;
  for (int decoder = 0; decoder < 2; decoder++) {
    msk_pictures *pictures = small_pictures(folder, decoder);
    msk_picture_plan plan = small_plan;
    plan.decoder_alone = decoder, plan.muon_rate = 2e-3;
    struct run one = start_with(&plan, 1, NULL), more = start_with(&plan, 3, NULL);
    const msk_params *params = one.trainer->course.params;
    for (size_t i = 0; i < params->count; i++) {
      const msk_param *param = &params->list[i];
      msk_param_rule rule = MSK_RULE_ADAM_DECAY;
      for (size_t j = 0; j < 3; j++)
        rule = strcmp(param->tensor.name, muon[j]) == 0 ? MSK_RULE_MUON : rule;
      if (decoder && strncmp(param->tensor.name, "decoder.", 8) != 0) rule = MSK_RULE_FIXED;
      bool known = rule != MSK_RULE_ADAM_DECAY;
      for (size_t j = 0; j < 5; j++) known = known || strcmp(param->tensor.name, adam[j]) == 0;
      if (known) assert_int_equal(param->rule, rule);
      if (param->rule == MSK_RULE_MUON)
        assert_int_equal(param->in * param->out, param->tensor.elements);
      if (param->rule == MSK_RULE_MUON) assert_int_equal(param->out, param->tensor.shape[3]);
    }
    uint8_t *sheet = malloc(2 * SIDE * MSK_SHEET_COLUMNS * SIDE * 3);
    double start = msk_picture_trainer_evaluate(one.trainer, pictures, sheet).decibels;
    for (int step = 0; !msk_course_is_done(&one.trainer->course); step++) {
      take_step(&one, pictures);
      if (step < 15) take_step(&more, pictures);
      if (step == 14) assert_same_state(one.trainer, more.trainer);
    }
    double end = msk_picture_trainer_evaluate(one.trainer, pictures, sheet).decibels;
    assert_true(end > start + (decoder ? 3 : 6));
    free(sheet);
    end_run(&one), end_run(&more);
    msk_pictures_close(pictures);
  }
  test_remove_folder(folder);
}

static void test_threads(void **state) {
  static const int threads[] = {2, 3, 8};
  char *folder = test_make_folder();
  (void)state;
  for (int at = 0; at < 2 || msk_isa_name(at / 2) != NULL; at++) {
    bool decoder = at % 2 == 1;
    msk_pictures *pictures = small_pictures(folder, decoder);
    struct run one = start_run(decoder, 1, msk_isa_name(at / 2));
    for (int step = 0; step < 9; step++) take_step(&one, pictures);
    for (size_t j = 0; j < 3; j++) {
      struct run more = start_run(decoder, threads[j], msk_isa_name(at / 2));
      for (int step = 0; step < 9; step++) take_step(&more, pictures);
      assert_same_state(one.trainer, more.trainer);
      end_run(&more);
    }
    end_run(&one);
    msk_pictures_close(pictures);
  }
  test_remove_folder(folder);
}

static void test_resume(void **state) {
  char *folder = test_make_folder(), path[4096];
  (void)state;
  snprintf(path, sizeof path, "%s/checkpoint", folder);
  for (int decoder = 0; decoder < 2; decoder++) {
    msk_pictures *pictures = small_pictures(folder, decoder);
    struct run whole = start_run(decoder, 2, NULL), first = start_run(decoder, 2, NULL),
               second = start_run(decoder, 1, NULL);
    uint8_t *sheet = malloc(2 * SIDE * MSK_SHEET_COLUMNS * SIDE * 3);
    for (int step = 0; step < 12; step++) {
      take_step(&whole, pictures);
      if (step < 8) take_step(&first, pictures);
      /* looking at what is held out leaves no trace */
      if (step == 3) msk_picture_trainer_evaluate(first.trainer, pictures, sheet);
    }
    assert_int_equal(msk_course_save(&first.trainer->course, path, NULL), MSK_OK);
    take_step(&first, pictures); /* lost, as what is done between a save and a kill */
    assert_int_equal(msk_course_load(&second.trainer->course, path, NULL), MSK_OK);
    for (int step = 8; step < 12; step++) take_step(&second, pictures);
    assert_same_state(whole.trainer, second.trainer);
    free(sheet);
    end_run(&whole), end_run(&first), end_run(&second);
    msk_pictures_close(pictures);
  }
  test_remove_folder(folder);
}

/* A code that the codebook has not, in a file that is whole in itself. */
static void test_foreign_codes(void **state) {
  char *folder = test_make_folder(), path[4096];
  msk_pictures_shape shape = small_shape(true);
  msk_pictures *pictures = NULL;
  msk_error error = {.message = ""};
  (void)state;
  msk_pictures_close(small_pictures(folder, true));
  snprintf(path, sizeof path, "%s/decoder.pictures", folder);
  shape.codes--;
  assert_int_equal(msk_pictures_open(&pictures, path, &shape, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "below 23"));
  test_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_picture_loss),  cmocka_unit_test(test_quantiser),
      cmocka_unit_test(test_halves),        cmocka_unit_test(test_moving_codes),
      cmocka_unit_test(test_it_learns),     cmocka_unit_test(test_muon),
      cmocka_unit_test(test_threads),       cmocka_unit_test(test_resume),
      cmocka_unit_test(test_foreign_codes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
