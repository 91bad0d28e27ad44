/* SPDX-License-Identifier: Apache-2.0
 * start.c - see start.h. */
#include "train/start.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static void fill_normal(msk_random *random, double spread, size_t count, float *values) {
  for (size_t i = 0; i < count; i++) values[i] = (float)(spread * msk_random_normal(random));
}

static void fill(float value, size_t count, float *values) {
  for (size_t i = 0; i < count; i++) values[i] = value;
}

/* ---- layers ---- */

/* What is added to the residual stream begins smaller. */
static double gain_of(const char *name) {
  if (strstr(name, "self_attention.out") != NULL || strstr(name, "layer_output.kernel") != NULL)
    return 0.5;
  return strstr(name, "self_attention") != NULL ? 0.8 : 1.0;
}

static void start_tensor(const msk_params *params, const msk_param *param, msk_random *random,
                         float *values) {
  const char *name = param->tensor.name, *end = strrchr(name, '.');
  size_t count = param->tensor.elements, in = params->config.hidden;
  if (strstr(name, "layer_output.kernel") != NULL) in = params->config.intermediate;
  if (strcmp(end, ".kernel") == 0) {
    fill_normal(random, gain_of(name) / sqrt((double)in), count, values);
  } else if (strcmp(end, ".embedding") == 0) {
    fill_normal(random, 0.02, count, values);
  } else {
    fill(strcmp(end, ".scale") == 0 ? 1.0f : 0.0f, count, values);
  }
}

/* ---- words ---- */

/* The lower triangle L of a = L L' (dim x dim), in place; a little is added to the diagonal. */
static void decompose(double *a, size_t dim) {
  for (size_t i = 0; i < dim; i++) a[i * dim + i] += 1e-9;
  for (size_t j = 0; j < dim; j++) {
    for (size_t k = 0; k < j; k++) {
      for (size_t i = j; i < dim; i++) a[i * dim + j] -= a[i * dim + k] * a[j * dim + k];
    }
    double root = sqrt(a[j * dim + j]);
    for (size_t i = j; i < dim; i++) a[i * dim + j] /= root;
  }
}

/* x = L^-1 x */
static void solve(const double *l, size_t dim, double *x) {
  for (size_t i = 0; i < dim; i++) {
    for (size_t k = 0; k < i; k++) x[i] -= l[i * dim + k] * x[k];
    x[i] /= l[i * dim + i];
  }
}

static void covariance(const float *codebook, size_t codes, size_t dim, double *mean, double *a) {
  for (size_t i = 0; i < codes * dim; i++) mean[i % dim] += codebook[i] / (double)codes;
  for (size_t c = 0; c < codes; c++) {
    for (size_t i = 0; i < dim; i++) {
      for (size_t j = 0; j <= i; j++)
        a[i * dim + j] +=
            (codebook[c * dim + i] - mean[i]) * (codebook[c * dim + j] - mean[j]) / (double)codes;
    }
  }
}

/* Codes, made white, through a random matrix. memory: dim * (dim + 2 + hidden). */
static void start_words(const float *codebook, size_t codes, size_t dim, size_t hidden,
                        msk_random *random, double *memory, float *words) {
  double *mean = memory, *x = mean + dim, *a = x + dim, *mix = a + dim * dim;
  covariance(codebook, codes, dim, mean, a);
  decompose(a, dim);
  for (size_t i = 0; i < dim * hidden; i++) mix[i] = msk_random_normal(random) / sqrt((double)dim);
  for (size_t c = 0; c < codes; c++) {
    for (size_t i = 0; i < dim; i++) x[i] = codebook[c * dim + i] - mean[i];
    solve(a, dim, x);
    for (size_t d = 0; d < hidden; d++) {
      double sum = 0;
      for (size_t i = 0; i < dim; i++) sum += x[i] * mix[i * hidden + d];
      words[c * hidden + d] = (float)(0.02 * sum) + 0.3f * words[c * hidden + d];
    }
  }
}

/* ---- positions ---- */

/* Waves along the axis, and a bump at each of its places. */
static double feature(size_t index, size_t at, size_t side) {
  if (index < side) return cos(M_PI * (double)(index + 1) * ((double)at + 0.5) / (double)side);
  double distance = ((double)at - (double)(index - side)) / 0.8;
  return exp(-0.5 * distance * distance) * 1.5 - 0.4;
}

static void start_positions(size_t side, size_t hidden, msk_random *random, float *positions) {
  size_t features = 4 * side;
  for (size_t d = 0; d < hidden; d++) {
    /* A column has the same weights at every cell: its stream begins again there, none is kept. */
    msk_random column = *random;
    column.state += d * 0x632BE59BD9B4E019u;
    for (size_t cell = 0; cell < side * side; cell++) {
      msk_random weights = column;
      double sum = 0;
      for (size_t f = 0; f < features; f++) {
        size_t at = f < 2 * side ? cell / side : cell % side; /* half of them for each axis */
        sum += feature(f % (2 * side), at, side) * msk_random_normal(&weights);
      }
      positions[(1 + cell) * hidden + d] = (float)(0.028 * sum / sqrt((double)features));
    }
  }
}

msk_status msk_params_start(const msk_params *params, const float *codebook, size_t codes,
                            size_t dim, uint64_t seed, float *block, msk_error *error) {
  size_t hidden = params->config.hidden, side = 1;
  while (side * side + 1 < params->config.positions) side++;
  double *memory = msk_allocate_zeroed(params->allocator, dim * (dim + 2 + hidden), sizeof *memory);
  if (memory == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the first weights");
  msk_random random = msk_random_stream(seed, 1, 0);
  for (size_t i = 0; i < params->count; i++)
    start_tensor(params, &params->list[i], &random, block + params->list[i].offset);
  msk_outer_params outer = msk_params_outer(params, block);
  start_words(codebook, codes, dim, hidden, &random, memory, outer.words);
  start_positions(side, hidden, &random, outer.positions);
  msk_free(params->allocator, memory);
  return MSK_OK;
}

/* ---- from another network ---- */

/* The units that are there, and behind them new ones of random inputs whose outputs are zero. */
static void widen_layer(const msk_layer_params *from, const msk_layer_params *to, size_t hidden,
                        size_t units, size_t all_units, msk_random *random) {
  for (size_t i = 0; i < hidden; i++) {
    float *row = to->up + i * all_units;
    memcpy(row, from->up + i * units, units * sizeof *row);
    fill_normal(random, 1 / sqrt((double)hidden), all_units - units, row + units);
  }
  memcpy(to->up_bias, from->up_bias, units * sizeof *to->up_bias);
  fill(0, all_units - units, to->up_bias + units);
  memcpy(to->down, from->down, units * hidden * sizeof *to->down);
  fill(0, (all_units - units) * hidden, to->down + units * hidden);
}

static double row_sum(const float *row, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += (double)row[i];
  return sum;
}

/* Rows of codes as means of the file's, by who stands where they do. */
static void mix_codes(const msk_start_vocabulary *v, size_t width, const float *from, float *to) {
  for (size_t c = 0; c < v->codes; c++) {
    const float *together = v->together + c * v->file_codes;
    double all = row_sum(together, v->file_codes);
    for (size_t d = 0; all > 0 && d < width; d++) {
      double sum = 0;
      for (size_t k = 0; k < v->file_codes; k++)
        sum += (double)together[k] * (double)from[k * width + d];
      to[c * width + d] = (float)(sum / all);
    }
  }
}

/* What a code of the file's was likely to be is shared by those that stand where it does: to each
 * bias the mean logarithm of its share. */
static void share_biases(const msk_start_vocabulary *v, float *biases) {
  for (size_t k = 0; k < v->file_codes; k++) {
    double all = 0;
    for (size_t c = 0; c < v->codes; c++) all += (double)v->together[c * v->file_codes + k];
    for (size_t c = 0; c < v->codes; c++) {
      const float *together = v->together + c * v->file_codes;
      double here = (double)together[k];
      if (here > 0) biases[c] += (float)(here / row_sum(together, v->file_codes) * log(here / all));
    }
  }
}

/* Rows of `width` values for each code, each label and the mask. */
static void translate(const msk_start_vocabulary *v, size_t width, const float *from, float *to) {
  const float *old = from + v->file_codes * width;
  float *new = to + v->codes *width;
  if (v->same_codes) memcpy(to, from, v->codes * width * sizeof *to);
  if (!v->same_codes && v->together != NULL) mix_codes(v, width, from, to);
  for (size_t i = 0; i < v->labels; i++, new += width) {
    int same = v->of == NULL ? (int)i : v->of[i];
    for (size_t d = 0; d < width; d++) {
      double sum = 0;
      for (size_t l = 0; same < 0 && l < v->file_labels; l++) sum += old[l * width + d];
      new[d] = same < 0 ? (float)(sum / (double)v->file_labels) : old[(size_t)same * width + d];
    }
  }
  memcpy(new, old + v->file_labels * width, width * sizeof *new);
}

/* What is of one size in both is the same. */
static void take_over(const msk_params *from, float *values, const msk_params *params,
                      const msk_start_vocabulary *vocabulary, msk_random *random, float *block) {
  msk_outer_params old = msk_params_outer(from, values), new = msk_params_outer(params, block);
  for (size_t i = 0; i < params->count; i++) {
    size_t elements = params->list[i].tensor.elements;
    float *to = block + params->list[i].offset;
    bool of_vocabulary = to == new.words || to == new.columns_bias;
    if (elements == from->list[i].tensor.elements && (vocabulary == NULL || !of_vocabulary))
      memcpy(to, values + from->list[i].offset, elements * sizeof *to);
  }
  for (size_t i = 0; i < params->config.layers; i++) {
    msk_layer_params narrow = msk_params_layer(from, values, i),
                     wide = msk_params_layer(params, block, i);
    widen_layer(&narrow, &wide, params->config.hidden, from->config.intermediate,
                params->config.intermediate, random);
  }
  if (vocabulary == NULL) return;
  translate(vocabulary, params->config.hidden, old.words, new.words);
  translate(vocabulary, 1, old.columns_bias, new.columns_bias);
  if (!vocabulary->same_codes && vocabulary->together != NULL)
    share_biases(vocabulary, new.columns_bias);
}

/* 0: it is no transformer's. */
static size_t units_of(const msk_weight_file *file, const char *prefix) {
  char name[MSK_WEIGHT_NAME];
  snprintf(name, sizeof name, "%sTransformerLayer_0.Mlp_0.intermediate_output.bias", prefix);
  const msk_tensor *bias = msk_weight_file_find(file, name);
  return bias == NULL ? 0 : bias->elements;
}

msk_status msk_params_start_from(const msk_params *params, const msk_weight_file *file,
                                 const char *prefix, const msk_start_vocabulary *vocabulary,
                                 uint64_t seed, float *block, msk_error *error) {
  size_t units = units_of(file, prefix);
  if (units == 0 || units > params->config.intermediate)
    return msk_params_read(params, file, prefix, block, error);
  msk_maskgit_config config = params->config;
  config.intermediate = units;
  if (vocabulary != NULL) config.vocabulary = vocabulary->file_codes + vocabulary->file_labels + 1;
  msk_params *from;
  msk_status status = msk_params_create(&from, &config, params->allocator, error);
  if (status != MSK_OK) return status;
  float *values = msk_allocate(params->allocator, from->floats, sizeof *values);
  if (values == NULL)
    status = msk_fail(error, MSK_ERROR_MEMORY, "no memory for the weights to begin from");
  if (status == MSK_OK) status = msk_params_read(from, file, prefix, values, error);
  msk_random random = msk_random_stream(seed, 1, 1);
  if (status == MSK_OK) take_over(from, values, params, vocabulary, &random, block);
  msk_free(params->allocator, values);
  msk_params_destroy(from);
  return status;
}

/* ---- a tokenizer from another ---- */

/* Whether a tensor belongs to one of the decoder's residual blocks: its number, and what follows
 * it in the name. */
static bool is_decoder_block(const char *name, size_t *number, const char **rest) {
  static const char stem[] = "decoder.ResBlock_";
  if (strncmp(name, stem, sizeof stem - 1) != 0) return false;
  char *end;
  *number = strtoul(name + sizeof stem - 1, &end, 10);
  *rest = end;
  return true;
}

msk_status msk_params_start_from_tokenizer(const msk_params *params, size_t blocks,
                                           const msk_weight_file *file, const char *prefix,
                                           size_t file_blocks, const char *except, float *block,
                                           msk_error *error) {
  msk_status status = MSK_OK;
  for (size_t i = 0; status == MSK_OK && i < params->count; i++) {
    const msk_param *param = &params->list[i];
    const char *rest;
    char name[2 * MSK_WEIGHT_NAME];
    size_t number;
    if (except != NULL && strcmp(param->tensor.name, except) == 0) continue;
    snprintf(name, sizeof name, "%s%s", prefix, param->tensor.name);
    if (is_decoder_block(param->tensor.name, &number, &rest)) {
      if (number % blocks >= file_blocks) {
        if (strcmp(rest, ".Conv_1.kernel") == 0)
          fill(0, param->tensor.elements, block + param->offset);
        continue;
      }
      snprintf(name, sizeof name, "%sdecoder.ResBlock_%zu%s", prefix,
               number / blocks * file_blocks + number % blocks, rest);
    }
    status = msk_param_read(param, file, name, block, error);
  }
  return status;
}
