/* SPDX-License-Identifier: Apache-2.0
 *
 * precision.c - what int8 costs in quality: fp32 and int8 side by side on one model, through the
 * public header alone. Usage:
 *
 *     bench_precision MODEL PICTURES SKETCH CLASS [SKETCH CLASS]...
 *
 * PICTURES pictures are drawn by the model's own recipe in each precision, the sketches in turn,
 * seeds counted up. From the same state, every fp32 step that is a multiple of STEP_STRIDE, both
 * precisions give logits: how often is the likeliest token of a masked position the same, how
 * far apart are the distributions (Kullback-Leibler, in nats), how often is fp32's likeliest
 * among int8's five likeliest. Of the finished pictures: the structure score, both measured by
 * the fp32 network on the finished tokens (mean over layers, heads, rows of sum T log P + P log
 * T, the recipe's cross-entropy). Of the maps themselves: how far int8's rows are from fp32's of
 * the same finished tokens (Kullback-Leibler, in nats), and what that makes of a place's structure
 * score, beside how much places differ in it. And what decoding in int8 does to pixels: fp32's
 * tokens made into a picture by either, as bytes; the mean over pictures and the largest of the
 * differences. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "masksketch_tools.h"

enum { STEP_STRIDE = 4, MAX_STEPS = 256, THIRDS = 3 };

typedef struct side {
  msk_model *model;
  msk_session *session;
  double structure, structure_squared;
} side;

/* Sequences of the steps that are looked at, as fp32 met them. */
typedef struct record {
  int32_t *sequences;
  size_t tokens, count;
} record;

/* Sums over masked positions, by thirds of the picture's steps. */
typedef struct agreement {
  double positions, same, among_five, divergence;
} agreement;

static void check(msk_status status, const msk_error *error) {
  if (status == MSK_OK) return;
  fprintf(stderr, "bench_precision: %s\n", error->message);
  exit(1);
}

static void open_side(side *s, const char *path, msk_precision precision, const msk_image *sketch) {
  msk_error error;
  msk_model_options options;
  msk_request request;
  msk_model_options_init(&options);
  options.precision = options.decode_precision = precision;
  check(msk_model_open(&s->model, path, &options, &error), &error);
  check(msk_request_init(&request, s->model, MSK_JOB_DRAW, NULL, &error), &error);
  request.picture = sketch;
  request.no_pictures = 1;
  check(msk_session_open(&s->session, s->model, &request, NULL, &error), &error);
}

static int note(void *user, const char *name, int step, const msk_array *array) {
  record *r = user;
  if (strcmp(name, "sequence") != 0 || step % STEP_STRIDE != 0 || r->count == MAX_STEPS) return 0;
  memcpy(r->sequences + r->count++ * r->tokens, array->data, r->tokens * sizeof(int32_t));
  return 0;
}

/* Draws one picture; copies its tokens. */
static void draw(side *s, const msk_image *sketch, int class_id, uint64_t seed, record *r,
                 int32_t *tokens, size_t count) {
  msk_error error;
  msk_request request;
  msk_result result;
  check(msk_request_init(&request, s->model, MSK_JOB_DRAW, NULL, &error), &error);
  request.picture = sketch;
  request.no_pictures = 1;
  request.class_id = class_id;
  request.seed = seed;
  if (r != NULL) request.callbacks = (msk_callbacks){.user = r, .on_trace = note};
  check(msk_run(s->session, &request, &result, &error), &error);
  memcpy(tokens, result.tokens, count * sizeof *tokens);
}

static double log_sum(const float *logits, int count, float largest) {
  double sum = 0;
  for (int i = 0; i < count; i++) sum += exp((double)logits[i] - largest);
  return log(sum) + largest;
}

static void compare_position(const float *exact, const float *found, int count, agreement *a) {
  int best = 0, other = 0, above = 0;
  for (int i = 1; i < count; i++) {
    if (exact[i] > exact[best]) best = i;
    if (found[i] > found[other]) other = i;
  }
  for (int i = 0; i < count; i++) above += found[i] > found[best];
  double exact_sum = log_sum(exact, count, exact[best]),
         found_sum = log_sum(found, count, found[other]);
  for (int i = 0; i < count; i++)
    a->divergence += exp(exact[i] - exact_sum) * ((exact[i] - exact_sum) - (found[i] - found_sum));
  a->positions++;
  a->same += best == other;
  a->among_five += above < 5;
}

static void compare_steps(const side sides[2], const record *r, int codes,
                          agreement thirds[THIRDS]) {
  for (size_t step = 0; step < r->count; step++) {
    const int32_t *sequence = r->sequences + step * r->tokens;
    float *logits[2];
    msk_error error;
    for (int i = 0; i < 2; i++)
      check(msk_logits(sides[i].session, sequence, &logits[i], &error), &error);
    for (size_t n = 1; n < r->tokens; n++) {
      if (sequence[n] != MSK_MASK_TOKEN) continue;
      compare_position(logits[0] + n * (size_t)codes, logits[1] + n * (size_t)codes, codes,
                       &thirds[step * THIRDS / r->count]);
    }
    for (int i = 0; i < 2; i++) msk_free(NULL, logits[i]);
  }
}

/* The maps of the recipe's layers; free with msk_free(). */
static float *maps_of(const side *s, const msk_recipe *recipe, const int32_t *tokens) {
  msk_error error;
  float *maps;
  check(msk_attention(s->session, tokens, recipe->layers, recipe->layer_count, &maps, &error),
        &error);
  return maps;
}

/* Likeness of the finished tokens' attention to the sketch's, by the fp32 network. */
static double structure_of(const side *exact, const msk_recipe *recipe, const float *target,
                           const int32_t *tokens, size_t count) {
  float *maps = maps_of(exact, recipe, tokens);
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    double p = fmax(maps[i], 1e-30), t = fmax(target[i], 1e-30);
    sum += t * log(p) + p * log(t);
  }
  msk_free(NULL, maps);
  return sum;
}

static void prepare(msk_image *sketch, const char *path, int side_pixels) {
  msk_error error;
  msk_image loaded = {0};
  msk_prepare_options options;
  msk_prepare_init(&options);
  check(msk_image_load(&loaded, path, MSK_ALPHA_WHITE, NULL, &error), &error);
  check(msk_image_prepare(sketch, &loaded, side_pixels, side_pixels, &options, NULL, &error),
        &error);
  msk_image_free(&loaded);
}

static void print_agreement(const agreement thirds[THIRDS]) {
  static const char *const names[THIRDS] = {"first third of the steps", "second", "last"};
  for (int i = 0; i < THIRDS; i++) {
    const agreement *a = &thirds[i];
    printf(
        "%-25s %8.0f masked positions: same likeliest token %.4f, among the five likeliest %.4f, "
        "divergence %.5f nats\n",
        names[i], a->positions, a->same / a->positions, a->among_five / a->positions,
        a->divergence / a->positions);
  }
}

/* Everything that is being found out. */
typedef struct study {
  side sides[2];
  msk_model_info info;
  msk_recipe recipe;
  size_t tokens, map_floats;
  record record;
  int32_t *finished[2], *drawn; /* of the picture at hand; the sketch's own sequence */
  agreement thirds[THIRDS];
  double difference, difference_squared, same_tokens;
  /* of the differences of a picture's bytes: summed over pictures, the largest of one */
  double pixel_mean, worst_mean;
  int pixel_most;
  /* sums over rows of maps, and over places: of int8's score minus fp32's, of fp32's */
  double map_rows, map_divergence, places, score_error, score, score_squared;
} study;

static void open_study(study *s, const char *path, const char *sketch) {
  msk_error error;
  msk_request request;
  msk_image blank = {0};
  prepare(&blank, sketch, 256);
  for (int i = 0; i < 2; i++) open_side(&s->sides[i], path, (msk_precision)i, &blank);
  msk_image_free(&blank);
  msk_model_get_info(s->sides[0].model, &s->info);
  check(msk_request_init(&request, s->sides[0].model, MSK_JOB_DRAW, NULL, &error), &error);
  s->recipe = request.recipe;
  s->tokens = (size_t)s->info.tokens;
  s->map_floats = (size_t)s->recipe.layer_count * (size_t)s->info.heads * s->tokens * s->tokens;
  s->record =
      (record){.sequences = malloc(MAX_STEPS * s->tokens * sizeof(int32_t)), .tokens = s->tokens};
  s->drawn = malloc(s->tokens * sizeof(int32_t));
  for (int i = 0; i < 2; i++) s->finished[i] = malloc(s->tokens * sizeof(int32_t));
  if (s->record.sequences == NULL || s->drawn == NULL || s->finished[0] == NULL ||
      s->finished[1] == NULL)
    exit(1);
}

static void close_study(study *s) {
  for (int i = 0; i < 2; i++) {
    msk_session_close(s->sides[i].session);
    msk_model_close(s->sides[i].model);
    free(s->finished[i]);
  }
  free(s->drawn);
  free(s->record.sequences);
}

/* The attention of the sketch's own tokens, which the pictures are held against; free with
 * msk_free(). */
static float *target_of(study *s, const msk_image *sketch, int class_id) {
  msk_error error;
  int rows, columns;
  int32_t *codes;
  check(msk_tokenize(s->sides[0].session, sketch, &codes, NULL, &rows, &columns, &error), &error);
  s->drawn[0] = s->info.codebook_size + class_id;
  memcpy(s->drawn + 1, codes, (s->tokens - 1) * sizeof *codes);
  msk_free(NULL, codes);
  return maps_of(&s->sides[0], &s->recipe, s->drawn);
}

static void decode(const side *s, const int32_t *tokens, int rows, msk_image *image) {
  msk_error error;
  float *pixels;
  int width, height;
  check(msk_detokenize(s->session, tokens, rows, rows, &pixels, &width, &height, &error), &error);
  check(msk_image_from_float(image, pixels, width, height, NULL, &error), &error);
  msk_free(NULL, pixels);
}

/* fp32's picture, decoded by both. */
static void compare_pixels(study *s) {
  msk_image images[2] = {{0}, {0}};
  double sum = 0;
  for (int i = 0; i < 2; i++)
    decode(&s->sides[i], s->finished[0] + 1, s->info.latent_size, &images[i]);
  size_t count = (size_t)images[0].width * (size_t)images[0].height * 3;
  for (size_t i = 0; i < count; i++) {
    int difference = abs(images[0].pixels[i] - images[1].pixels[i]);
    sum += difference;
    if (difference > s->pixel_most) s->pixel_most = difference;
  }
  s->pixel_mean += sum / (double)count;
  s->worst_mean = fmax(s->worst_mean, sum / (double)count);
  for (int i = 0; i < 2; i++) msk_image_free(&images[i]);
}

/* Structure scores of places by either precision, each against its own target, as a step has them;
 * and the rows of maps that they come from. */
static void compare_maps(study *s) {
  float *maps[2], *targets[2];
  size_t n = s->tokens, rows = s->map_floats / n;
  for (int i = 0; i < 2; i++) {
    maps[i] = maps_of(&s->sides[i], &s->recipe, s->finished[0]);
    targets[i] = maps_of(&s->sides[i], &s->recipe, s->drawn);
  }
  for (size_t place = 0; place < n; place++) {
    double scores[2] = {0, 0};
    for (size_t row = place; row < rows; row += n) {
      for (size_t j = row * n; j < (row + 1) * n; j++) {
        double p[2], t;
        for (int i = 0; i < 2; i++) {
          p[i] = fmax(maps[i][j], 1e-30), t = fmax(targets[i][j], 1e-30);
          scores[i] += (t * log(p[i]) + p[i] * log(t)) * (double)n / (double)rows;
        }
        s->map_divergence += p[0] * log(p[0] / p[1]);
      }
    }
    s->score_error += (scores[1] - scores[0]) * (scores[1] - scores[0]);
    s->score += scores[0];
    s->score_squared += scores[0] * scores[0];
  }
  s->places += (double)n, s->map_rows += (double)rows;
  for (int i = 0; i < 2; i++) msk_free(NULL, maps[i]), msk_free(NULL, targets[i]);
}

static void study_picture(study *s, const char *path, const char *class_name, uint64_t seed) {
  msk_error error;
  msk_image sketch = {0};
  int class_id;
  double scores[2];
  prepare(&sketch, path, s->info.image_size);
  check(msk_model_class_find(s->sides[0].model, class_name, &class_id, &error), &error);
  float *target = target_of(s, &sketch, class_id);
  s->record.count = 0;
  for (int i = 0; i < 2; i++) {
    side *one = &s->sides[i];
    draw(one, &sketch, class_id, seed, i == 0 ? &s->record : NULL, s->finished[i], s->tokens);
    scores[i] = structure_of(&s->sides[0], &s->recipe, target, s->finished[i], s->map_floats) *
                (double)s->tokens / (double)s->map_floats;
    one->structure += scores[i];
    one->structure_squared += scores[i] * scores[i];
  }
  for (size_t n = 1; n < s->tokens; n++) s->same_tokens += s->finished[0][n] == s->finished[1][n];
  s->difference += scores[1] - scores[0];
  s->difference_squared += (scores[1] - scores[0]) * (scores[1] - scores[0]);
  msk_free(NULL, target);
  compare_pixels(s);
  compare_maps(s);
  compare_steps(s->sides, &s->record, s->info.codebook_size, s->thirds);
  msk_image_free(&sketch);
}

static void print_study(const study *s, double n) {
  double mean = s->difference / n;
  printf("%s, hash %.12s, kernels %s, %.0f pictures\n", s->info.name, s->info.hash, s->info.isa, n);
  print_agreement(s->thirds);
  for (int i = 0; i < 2; i++) {
    double average = s->sides[i].structure / n;
    printf("structure score, %s: mean %.5f, standard deviation %.5f\n", msk_precision_name(i),
           average, sqrt(fmax(0, s->sides[i].structure_squared / n - average * average)));
  }
  double average = s->score / s->places;
  printf(
      "maps: divergence %.6f nats; a place's structure score off by %.5f (RMS), places differ by "
      "%.5f (standard deviation)\n",
      s->map_divergence / s->map_rows, sqrt(s->score_error / s->places),
      sqrt(fmax(0, s->score_squared / s->places - average * average)));
  printf(
      "pixels decoded in int8: off by %.3f of 255 on average, by %.3f in the worst picture, a "
      "value by %d at most\n",
      s->pixel_mean / n, s->worst_mean, s->pixel_most);
  printf("int8 minus fp32: %+.5f, standard error %.5f; tokens that are the same in the end: %.3f\n",
         mean, sqrt(fmax(0, s->difference_squared / n - mean * mean) / n),
         s->same_tokens / (n * (double)(s->tokens - 1)));
}

int main(int argc, char **argv) {
  int pictures = argc > 2 ? atoi(argv[2]) : 0, sketches = (argc - 3) / 2;
  if (argc < 5 || (argc - 3) % 2 != 0 || pictures < 1) {
    fprintf(stderr, "usage: %s MODEL PICTURES SKETCH CLASS [SKETCH CLASS]...\n", argv[0]);
    return 2;
  }
  study s = {0};
  open_study(&s, argv[1], argv[3]);
  for (int p = 0; p < pictures; p++) {
    study_picture(&s, argv[3 + p % sketches * 2], argv[4 + p % sketches * 2], (uint64_t)p);
    fprintf(stderr, "\r%d of %d ", p + 1, pictures);
  }
  print_study(&s, pictures);
  close_study(&s);
  return 0;
}
