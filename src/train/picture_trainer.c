/* SPDX-License-Identifier: Apache-2.0
 * picture_trainer.c - see picture_trainer.h. */
#include "train/picture_trainer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "train/moving_codes.h"

#define DECAY 1e-4f
#define BETA_2 0.98f
#define COMMITMENT 0.25f
#define NOISE 0.1 /* on latents, before there are codes */

enum { STEP_STREAM = 31, CODES_STREAM, START_STREAM, CROPS = 4, EVALUATED = 24, MOST_SEEN = 64 };

static const msk_picture_weights picture_weights = {
    .absolute = 1, .square = 2, .gradient = 0.5f, .chroma = 1, .bands = 0.3f};

/* ---- creation ---- */

/* Of this rank's share of a batch. */
static msk_picture_shape whole_of(const msk_picture_plan *plan) {
  return (msk_picture_shape){msk_pace_share(&plan->pace), plan->side, plan->side};
}

/* As many pixels as whole pictures have. */
static msk_picture_shape crops_of(const msk_picture_plan *plan) {
  return (msk_picture_shape){CROPS * msk_pace_share(&plan->pace), plan->side / 2, plan->side / 2};
}

static msk_picture_shape whole_shape(const msk_picture_trainer *trainer) {
  return whole_of(&trainer->plan);
}
static msk_picture_shape crop_shape(const msk_picture_trainer *trainer) {
  return crops_of(&trainer->plan);
}

static size_t latent_rows(const msk_picture_trainer *trainer) {
  size_t side = trainer->plan.side / trainer->plan.config.patch;
  return msk_pace_share(&trainer->plan.pace) * side * side;
}

static size_t ranks_of(const msk_picture_trainer *trainer) {
  return msk_ranks_count(trainer->plan.pace.ranks);
}

static msk_status take_arrays(msk_picture_trainer *trainer, msk_error *error) {
  const msk_vqgan_config *config = &trainer->plan.config;
  msk_picture_shape shapes[] = {whole_shape(trainer), crop_shape(trainer)};
  size_t pixels = trainer->plan.side * trainer->plan.side,
         values = msk_pace_share(&trainer->plan.pace) * pixels * 3, rows = latent_rows(trainer),
         all_rows = rows * ranks_of(trainer), room = 0;
  for (size_t i = 0; i < 2; i++)
    room = msk_picture_loss_floats(shapes[i]) > room ? msk_picture_loss_floats(shapes[i]) : room;
  trainer->pictures = msk_allocate_zeroed(NULL, values, sizeof(float));
  trainer->dpictures = msk_allocate_zeroed(NULL, values, sizeof(float));
  trainer->loss_room = msk_allocate_zeroed(NULL, room, sizeof(float));
  trainer->latents = msk_allocate_zeroed(NULL, rows * config->dim, sizeof(float));
  trainer->through = msk_allocate_zeroed(NULL, rows * config->dim, sizeof(float));
  trainer->slopes = msk_allocate_zeroed(NULL, rows * config->dim, sizeof(float));
  trainer->lengths = msk_allocate_zeroed(NULL, rows, sizeof(float));
  trainer->codes = msk_allocate_zeroed(NULL, rows, sizeof(int32_t));
  trainer->all_latents = msk_allocate_zeroed(NULL, all_rows * config->dim, sizeof(float));
  trainer->all_codes = msk_allocate_zeroed(NULL, all_rows, sizeof(int32_t));
  trainer->code_counts = msk_allocate_zeroed(NULL, config->codes, sizeof(float));
  trainer->code_sums = msk_allocate_zeroed(NULL, config->codes * config->dim, sizeof(float));
  if (trainer->pictures == NULL || trainer->dpictures == NULL || trainer->loss_room == NULL ||
      trainer->latents == NULL || trainer->through == NULL || trainer->slopes == NULL ||
      trainer->lengths == NULL || trainer->codes == NULL || trainer->code_counts == NULL ||
      trainer->code_sums == NULL || trainer->all_latents == NULL || trainer->all_codes == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a batch of pictures");
  return MSK_OK;
}

/* The decoder alone has no numbers of its own. */
static void name_numbers(msk_picture_trainer *trainer) {
  const msk_vqgan_config *config = &trainer->plan.config;
  msk_course *course = &trainer->course;
  if (trainer->plan.decoder_alone) return;
  course->numbers[0] = (msk_course_numbers){"code_counts", trainer->code_counts, config->codes};
  course->numbers[1] =
      (msk_course_numbers){"code_sums", trainer->code_sums, config->codes * config->dim};
  course->numbers_count = 2;
  course->counts[0] = (msk_state_count){"quantising", &trainer->quantising};
  course->counts_count = 1;
}

size_t msk_picture_trainer_bytes(const msk_picture_plan *plan, const msk_device *device,
                                 msk_pool *pool) {
  const msk_picture_shape shapes[] = {whole_of(plan), crops_of(plan)};
  bool alone = plan->decoder_alone;
  msk_params *params = NULL;
  if (msk_params_create_tokenizer(&params, &plan->config, alone, plan->muon_rate > 0, NULL, NULL) !=
      MSK_OK)
    return 0;
  size_t bytes =
      msk_autoencoder_bytes(params, &plan->config, device, pool, shapes, alone ? 1 : 2, alone);
  if (bytes > 0) bytes += msk_course_bytes(&plan->pace, params, device, pool);
  msk_params_destroy(params);
  return bytes;
}

static msk_status create_parts(msk_picture_trainer *trainer, const msk_device *device,
                               msk_error *error) {
  const msk_picture_plan *plan = &trainer->plan;
  const msk_picture_shape shapes[] = {whole_shape(trainer), crop_shape(trainer)};
  msk_params *params = NULL;
  msk_status status = msk_params_create_tokenizer(&params, &plan->config, plan->decoder_alone,
                                                  plan->muon_rate > 0, NULL, error);
  if (status == MSK_OK)
    status = msk_course_open(&trainer->course, &plan->pace, params, device, trainer->pool, error);
  if (status == MSK_OK)
    status =
        msk_autoencoder_create(&trainer->net, params, &plan->config, device, trainer->pool, shapes,
                               plan->decoder_alone ? 1 : 2, plan->decoder_alone, error);
  if (status == MSK_OK) status = take_arrays(trainer, error);
  if (status == MSK_OK) name_numbers(trainer);
  return status;
}

msk_status msk_picture_trainer_create(msk_picture_trainer **trainer, const msk_picture_plan *plan,
                                      const msk_device *device, msk_pool *pool, msk_error *error) {
  msk_picture_trainer *made = msk_allocate_zeroed(NULL, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for training");
  made->plan = *plan;
  made->pool = pool;
  made->codebook = (msk_codebook_shape){plan->config.codes, plan->config.dim};
  msk_status status = create_parts(made, device, error);
  if (status != MSK_OK) {
    msk_picture_trainer_destroy(made);
    return status;
  }
  *trainer = made;
  return MSK_OK;
}

void msk_picture_trainer_destroy(msk_picture_trainer *trainer) {
  if (trainer == NULL) return;
  void *const parts[] = {trainer->pictures, trainer->dpictures,   trainer->loss_room,
                         trainer->latents,  trainer->through,     trainer->slopes,
                         trainer->lengths,  trainer->code_counts, trainer->code_sums,
                         trainer->codes,    trainer->all_latents, trainer->all_codes};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) msk_free(NULL, parts[i]);
  msk_autoencoder_destroy(trainer->net);
  msk_course_close(&trainer->course);
  msk_free(NULL, trainer);
}

static float *codebook_of(const msk_picture_trainer *trainer, float *block) {
  return msk_params_find(trainer->course.params, block, "quantizer.codebook");
}

/* A block's branch adds less than it is given. */
static double gain_of(const char *name) {
  if (strstr(name, "ResBlock") == NULL) return 1;
  if (strstr(name, "Conv_0") != NULL) return 1.3;
  return strstr(name, "Conv_1") != NULL ? 0.5 : 0.3;
}

static void start_tensor(const msk_param *param, msk_random *random, float *values) {
  const char *end = strrchr(param->tensor.name, '.');
  const size_t *shape = param->tensor.shape;
  bool kernel = strcmp(end, ".kernel") == 0, scale = strcmp(end, ".scale") == 0;
  double spread = gain_of(param->tensor.name) / sqrt((double)(shape[0] * shape[1] * shape[2]));
  for (size_t i = 0; i < param->tensor.elements; i++)
    values[i] = kernel ? (float)(spread * msk_random_normal(random)) : (float)scale;
}

void msk_picture_trainer_start(msk_picture_trainer *trainer) {
  const msk_params *params = trainer->course.params;
  msk_random random = msk_random_stream(trainer->plan.pace.seed, START_STREAM, 0);
  for (size_t i = 0; i < params->count; i++)
    start_tensor(&params->list[i], &random, trainer->course.block + params->list[i].offset);
  msk_course_begin(&trainer->course);
}

/* ---- batches ---- */

/* Where picture `index` of a batch of all ranks, which each take as many in turn, stands in this
 * rank's; false: it is another's. Lots are drawn for all, so that they do not depend on the
 * ranks. */
static bool is_mine(const msk_picture_trainer *trainer, msk_picture_shape shape, size_t index,
                    size_t *place) {
  size_t first = msk_rank_of(trainer->plan.pace.ranks) * shape.batch;
  *place = index - first;
  return index >= first && *place < shape.batch;
}

/* A place of a record, mirrored or not, as floats. */
static void take_picture(const msk_picture_trainer *trainer, const uint8_t *from, size_t channels,
                         msk_picture_shape shape, size_t top, size_t left, bool mirrored,
                         float *to) {
  size_t side = trainer->plan.side;
  for (size_t i = 0; i < shape.height * shape.width; i++) {
    size_t x = i % shape.width,
           at = (top + i / shape.width) * side + left + (mirrored ? shape.width - 1 - x : x);
    for (size_t c = 0; c < 3; c++)
      to[3 * i + c] = (float)from[at * channels + (channels == 3 ? c : 0)] / 255.0f;
  }
}

static void take_batch(msk_picture_trainer *trainer, const msk_pictures *pictures, size_t usable,
                       msk_random *random, msk_picture_shape shape) {
  const msk_pictures_shape *stored = msk_pictures_get_shape(pictures);
  size_t side = trainer->plan.side, pixels = side * side;
  for (size_t i = 0, place; i < shape.batch * ranks_of(trainer); i++) {
    msk_picture_record record = msk_pictures_at(pictures, msk_random_below(random, usable));
    bool photo = stored->drawings == 0 || msk_random_unit(random) < trainer->plan.photo_share;
    size_t drawing = photo ? 0 : msk_random_below(random, stored->drawings),
           top = msk_random_below(random, side - shape.height + 1),
           left = msk_random_below(random, side - shape.width + 1);
    bool mirrored = msk_random_unit(random) < 0.5;
    if (!is_mine(trainer, shape, i, &place)) continue;
    photo = photo || msk_picture_is_blank(record.drawings + drawing * pixels, pixels);
    take_picture(trainer, photo ? record.photo : record.drawings + drawing * pixels, photo ? 3 : 1,
                 shape, top, left, mirrored,
                 trainer->pictures + place * shape.height * shape.width * 3);
  }
}

/* Codes as what the decoder reads. */
static void look_up(msk_picture_trainer *trainer, const float *codebook, size_t rows) {
  size_t dim = trainer->codebook.dim;
  for (size_t i = 0; i < rows; i++)
    memcpy(trainer->through + i * dim, codebook + (size_t)trainer->codes[i] * dim,
           dim * sizeof(float));
}

/* ---- the sphere ---- */

static float radius_of(const msk_picture_trainer *trainer) {
  return sqrtf((float)trainer->codebook.dim);
}

/* trainer->latents = z brought to the sphere; lengths as they were. */
static void bring_to_sphere(msk_picture_trainer *trainer, const float *z, size_t rows) {
  size_t dim = trainer->codebook.dim;
  for (size_t r = 0; r < rows; r++) {
    double sum = 0;
    for (size_t i = 0; i < dim; i++) sum += (double)z[r * dim + i] * z[r * dim + i];
    trainer->lengths[r] = fmaxf((float)sqrt(sum), 1e-12f);
    for (size_t i = 0; i < dim; i++)
      trainer->latents[r * dim + i] = z[r * dim + i] * (radius_of(trainer) / trainer->lengths[r]);
  }
}

/* trainer->slopes, by latents on the sphere, become those by the raw ones. */
static void leave_sphere(msk_picture_trainer *trainer, const float *z, size_t rows) {
  size_t dim = trainer->codebook.dim;
  for (size_t r = 0; r < rows; r++) {
    float *slope = trainer->slopes + r * dim, length = trainer->lengths[r], along = 0;
    const float *row = z + r * dim;
    for (size_t i = 0; i < dim; i++) along += slope[i] * row[i];
    for (size_t i = 0; i < dim; i++)
      slope[i] = radius_of(trainer) / length * (slope[i] - row[i] * (along / (length * length)));
  }
}

/* ---- a step ---- */

static double share_done(const msk_picture_trainer *trainer) {
  return (double)msk_course_examples(&trainer->course) / (double)trainer->plan.pace.examples;
}

static void update(msk_picture_trainer *trainer, msk_picture_step *step) {
  msk_course *course = &trainer->course;
  double share = msk_course_rate(course);
  msk_rates rates = {.adam = (float)(trainer->plan.rate * share),
                     .muon = (float)(trainer->plan.muon_rate * share),
                     .average = 1,
                     .decay = DECAY,
                     .beta_2 = BETA_2,
                     .step = course->step + 1};
  /* a codebook that moves belongs to the encoder of that step alone */
  if (trainer->plan.decoder_alone) rates.average = msk_course_average(course);
  step->norm = msk_optimiser_step(course->optimiser, &rates, course->gradients, course->block);
  course->step++;
}

/* Forward from trainer->through, and back: the loss, and its gradient by them if wanted. */
static double reconstruct(msk_picture_trainer *trainer, msk_picture_shape shape,
                          const float **slope) {
  const float *y = msk_autoencoder_decode(trainer->net, shape, trainer->through);
  double loss = msk_picture_loss(trainer->pool, &picture_weights, shape, trainer->pictures, y,
                                 trainer->dpictures, trainer->loss_room);
  const float *found = msk_autoencoder_decode_backward(trainer->net, trainer->dpictures,
                                                       slope != NULL, trainer->course.gradients);
  if (slope != NULL) *slope = found;
  return loss;
}

static msk_picture_step decoder_step(msk_picture_trainer *trainer, const msk_pictures *pictures,
                                     size_t usable, msk_random *random) {
  msk_picture_shape shape = whole_shape(trainer);
  size_t cells = latent_rows(trainer) / shape.batch;
  for (size_t i = 0, place; i < shape.batch * ranks_of(trainer); i++) {
    msk_picture_record record = msk_pictures_at(pictures, msk_random_below(random, usable));
    bool mirrored = msk_random_unit(random) < 0.5;
    if (!is_mine(trainer, shape, i, &place)) continue;
    const uint16_t *codes = record.codes + (mirrored ? cells : 0);
    take_picture(trainer, record.photo, 3, shape, 0, 0, mirrored,
                 trainer->pictures + place * shape.height * shape.width * 3);
    for (size_t j = 0; j < cells; j++) trainer->codes[place * cells + j] = codes[j];
  }
  look_up(trainer, codebook_of(trainer, trainer->course.block), shape.batch * cells);
  return (msk_picture_step){.loss = reconstruct(trainer, shape, NULL)};
}

/* Those of all ranks. */
static void gather_latents(const msk_picture_trainer *trainer, size_t rows, float *all) {
  msk_ranks_gather(trainer->plan.pace.ranks, trainer->latents,
                   rows * trainer->codebook.dim * sizeof(float), all);
}

static msk_moving_codes moving_codes(const msk_picture_trainer *trainer) {
  return (msk_moving_codes){.shape = trainer->codebook,
                            .codebook = codebook_of(trainer, trainer->course.block),
                            .counts = trainer->code_counts,
                            .sums = trainer->code_sums,
                            .radius = radius_of(trainer)};
}

/* From latents on the sphere to codes, and to what the decoder reads; slopes begin as the
 * commitment's. */
static void quantise(msk_picture_trainer *trainer, msk_random *random, size_t rows,
                     msk_picture_step *step) {
  const msk_quantiser_weights weights = {.commitment = COMMITMENT};
  float *codebook = codebook_of(trainer, trainer->course.block);
  msk_quantise(trainer->pool, trainer->codebook, codebook, rows, trainer->latents, trainer->codes);
  step->commitment =
      msk_quantiser_loss(trainer->pool, &weights, trainer->codebook, codebook, rows,
                         trainer->latents, trainer->codes, NULL, trainer->slopes, NULL)
          .commitment;
  look_up(trainer, codebook, rows);
  /* The codes follow what all ranks' latents chose, in the same way on each. */
  gather_latents(trainer, rows, trainer->all_latents);
  msk_ranks_gather(trainer->plan.pace.ranks, trainer->codes, rows * sizeof *trainer->codes,
                   trainer->all_codes);
  const msk_moving_codes moving = moving_codes(trainer);
  step->revived = msk_moving_codes_follow(&moving, rows * ranks_of(trainer), trainer->all_latents,
                                          trainer->all_codes, random);
}

/* The codebook begins on what the encoder makes of some batches of whole pictures. */
static msk_status begin_codes(msk_picture_trainer *trainer, const msk_pictures *pictures,
                              size_t usable, msk_error *error) {
  size_t rows = latent_rows(trainer), all_rows = rows * ranks_of(trainer),
         dim = trainer->codebook.dim;
  msk_random random = msk_random_stream(trainer->plan.pace.seed, CODES_STREAM, 0);
  float *z = msk_allocate(NULL, MOST_SEEN * all_rows, dim * sizeof *z);
  int32_t *chosen = msk_allocate(NULL, MOST_SEEN * all_rows, sizeof *chosen);
  if (z != NULL && chosen != NULL) {
    for (size_t i = 0; i < MOST_SEEN; i++) {
      take_batch(trainer, pictures, usable, &random, whole_shape(trainer));
      bring_to_sphere(trainer,
                      msk_autoencoder_encode(trainer->net, whole_shape(trainer), trainer->pictures),
                      rows);
      gather_latents(trainer, rows, z + i * all_rows * dim);
    }
    const msk_moving_codes moving = moving_codes(trainer);
    msk_moving_codes_begin(&moving, trainer->pool, MOST_SEEN * all_rows, z, chosen, &random);
    trainer->quantising = 1;
  }
  msk_free(NULL, z), msk_free(NULL, chosen);
  return trainer->quantising ? MSK_OK
                             : msk_fail(error, MSK_ERROR_MEMORY, "no memory for the first codes");
}

/* To latents, for what the decoder reads: before there are codes. */
static void add_noise(msk_picture_trainer *trainer, msk_random *random, size_t values) {
  size_t before = msk_rank_of(trainer->plan.pace.ranks) * values;
  for (size_t i = 0; i < before; i++) msk_random_normal(random); /* other ranks' */
  for (size_t i = 0; i < values; i++)
    trainer->through[i] = trainer->latents[i] + (float)(NOISE * msk_random_normal(random));
}

/* Means over this rank's part of the batch become those over all of it; ranks have equal parts. */
static void join_ranks(msk_picture_trainer *trainer, msk_picture_step *step) {
  msk_course *course = &trainer->course;
  double sums[] = {step->loss, step->commitment};
  float share = 1.0f / (float)ranks_of(trainer);
  if (course->pace.ranks == NULL) return;
  msk_course_add_gradients(course);
  for (size_t i = 0; i < course->params->floats; i++) course->gradients[i] *= share;
  msk_ranks_add_few(course->pace.ranks, sums, 2);
  step->loss = sums[0] / (double)ranks_of(trainer);
  step->commitment = sums[1] / (double)ranks_of(trainer);
}

static msk_picture_step tokenizer_step(msk_picture_trainer *trainer, const msk_pictures *pictures,
                                       size_t usable, msk_random *random) {
  bool crops = share_done(trainer) < trainer->plan.crops_share;
  msk_picture_shape shape = crops ? crop_shape(trainer) : whole_shape(trainer);
  size_t rows = latent_rows(trainer), values = rows * trainer->codebook.dim;
  msk_picture_step step = {0};
  const float *slope;
  take_batch(trainer, pictures, usable, random, shape);
  const float *z = msk_autoencoder_encode(trainer->net, shape, trainer->pictures);
  bring_to_sphere(trainer, z, rows);
  memset(trainer->slopes, 0, values * sizeof(float));
  if (trainer->quantising) {
    quantise(trainer, random, rows, &step);
  } else {
    add_noise(trainer, random, values);
  }
  step.loss = reconstruct(trainer, shape, &slope);
  for (size_t i = 0; i < values; i++) trainer->slopes[i] += slope[i];
  leave_sphere(trainer, z, rows);
  msk_autoencoder_encode_backward(trainer->net, trainer->slopes, trainer->course.gradients);
  return step;
}

msk_status msk_picture_trainer_step(msk_picture_trainer *trainer, const msk_pictures *pictures,
                                    msk_picture_step *step, msk_error *error) {
  msk_course *course = &trainer->course;
  size_t usable = msk_course_needs(course);
  msk_random random =
      msk_random_stream(trainer->plan.pace.seed, STEP_STREAM, (uint64_t)course->step);
  memset(course->gradients, 0, course->params->floats * sizeof(float));
  msk_autoencoder_set(trainer->net, course->block);
  if (trainer->plan.decoder_alone) {
    *step = decoder_step(trainer, pictures, usable, &random);
  } else {
    bool due = !trainer->quantising && share_done(trainer) >= trainer->plan.autoencoder_share;
    msk_status status = due ? begin_codes(trainer, pictures, usable, error) : MSK_OK;
    if (status != MSK_OK) return status;
    *step = tokenizer_step(trainer, pictures, usable, &random);
  }
  join_ranks(trainer, step);
  update(trainer, step);
  return MSK_OK;
}

/* ---- what is held out ---- */

/* Codes of the photos in trainer->pictures, or before there are any, latents: to what the decoder
 * reads. */
static void encode_photos(msk_picture_trainer *trainer, float *average, size_t rows) {
  const float *z = msk_autoencoder_encode(trainer->net, whole_shape(trainer), trainer->pictures);
  bring_to_sphere(trainer, z, rows);
  if (!trainer->quantising) {
    memcpy(trainer->through, trainer->latents, rows * trainer->codebook.dim * sizeof(float));
    return;
  }
  msk_quantise(trainer->pool, trainer->codebook, codebook_of(trainer, average), rows,
               trainer->latents, trainer->codes);
  look_up(trainer, codebook_of(trainer, average), rows);
}

struct sums {
  double square, values, here, there, colour;
};

static double clamp(float x) { return fmin(1, fmax(0, (double)x)); }

/* One photo and what became of it. */
static void add_figures(struct sums *sums, size_t side, const float *x, const float *y) {
  for (size_t i = 0; i < side * side; i++) {
    double d[3];
    for (size_t c = 0; c < 3; c++) {
      size_t at = 3 * i + c;
      d[c] = clamp(y[at]) - (double)x[at];
      sums->square += d[c] * d[c];
      if (i % side == 0) continue; /* no neighbour to its left */
      sums->here += fabs(clamp(y[at]) - clamp(y[at - 3]));
      sums->there += fabs((double)x[at] - (double)x[at - 3]);
    }
    sums->values += 3;
    /* Red against green, blue against both: an error that all three share is one of brightness. */
    sums->colour += fabs(d[0] - d[1]) + fabs(d[2] - 0.5 * (d[0] + d[1]));
  }
}

static void put_on_sheet(size_t side, size_t column, size_t row, const float *picture,
                         uint8_t *sheet) {
  for (size_t i = 0; i < side * side * 3; i++) {
    size_t y = i / (3 * side), x = i % (3 * side);
    sheet[((row * side + y) * MSK_SHEET_COLUMNS + column) * side * 3 + x] =
        (uint8_t)lrint(255 * clamp(picture[i]));
  }
}

/* Photos [first, first + count), or their first drawings, into trainer->pictures. */
static void take_held(msk_picture_trainer *trainer, const msk_pictures *pictures, size_t first,
                      size_t count, bool drawn) {
  msk_picture_shape shape = whole_shape(trainer);
  for (size_t i = 0; i < count; i++) {
    msk_picture_record record = msk_pictures_at(pictures, first + i);
    take_picture(trainer, drawn ? record.drawings : record.photo, drawn ? 1 : 3, shape, 0, 0, false,
                 trainer->pictures + i * shape.height * shape.width * 3);
  }
}

/* Photos [first, first + count) into trainer->pictures; returns what the average makes of them. */
static const float *reconstruct_photos(msk_picture_trainer *trainer, const msk_pictures *pictures,
                                       size_t first, size_t count) {
  msk_picture_shape shape = whole_shape(trainer);
  size_t rows = latent_rows(trainer), cells = rows / shape.batch;
  float *average = trainer->course.optimiser->average;
  take_held(trainer, pictures, first, count, false);
  for (size_t i = 0; trainer->plan.decoder_alone && i < count * cells; i++)
    trainer->codes[i] = msk_pictures_at(pictures, first + i / cells).codes[i % cells];
  if (trainer->plan.decoder_alone) {
    look_up(trainer, codebook_of(trainer, average), rows);
  } else {
    encode_photos(trainer, average, rows);
  }
  return msk_autoencoder_decode(trainer->net, shape, trainer->through);
}

msk_picture_figures msk_picture_trainer_evaluate(msk_picture_trainer *trainer,
                                                 const msk_pictures *pictures, uint8_t *sheet) {
  size_t side = trainer->plan.side, batch = msk_pace_share(&trainer->plan.pace),
         count = msk_pictures_count(pictures);
  struct sums sums = {0};
  if (count > EVALUATED) count = EVALUATED;
  msk_autoencoder_set(trainer->net, trainer->course.optimiser->average);
  for (size_t first = 0; first < count; first += batch) {
    size_t here = count - first < batch ? count - first : batch;
    const float *y = reconstruct_photos(trainer, pictures, first, here);
    for (size_t i = 0; i < here; i++) {
      const float *x = trainer->pictures + i * side * side * 3, *made = y + i * side * side * 3;
      add_figures(&sums, side, x, made);
      if (first + i >= MSK_SHEET_COLUMNS) continue;
      put_on_sheet(side, first + i, 0, x, sheet);
      put_on_sheet(side, first + i, 1, made, sheet);
    }
  }
  return (msk_picture_figures){.decibels = -10 * log10(sums.square / sums.values),
                               .sharpness = sums.here / sums.there,
                               .colour = 255 * sums.colour / (sums.values / 3 * 2)};
}

void msk_picture_trainer_encode(msk_picture_trainer *trainer, const msk_pictures *pictures,
                                size_t first, size_t count, bool drawn) {
  float *average = trainer->course.optimiser->average;
  assert(trainer->quantising && count <= whole_shape(trainer).batch);
  take_held(trainer, pictures, first, count, drawn);
  msk_autoencoder_set(trainer->net, average);
  encode_photos(trainer, average, latent_rows(trainer));
}

double msk_picture_trainer_flop(const msk_picture_trainer *trainer) {
  msk_picture_shape shape = whole_shape(trainer);
  double flop = msk_autoencoder_flop(trainer->net, shape, true);
  if (!trainer->plan.decoder_alone) flop += msk_autoencoder_flop(trainer->net, shape, false);
  return 3 * flop;
}
