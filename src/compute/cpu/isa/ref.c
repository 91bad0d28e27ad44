/* SPDX-License-Identifier: Apache-2.0
 *
 * ref.c - the kernels in plain C: the definition of the arithmetic (kernels.h). Products are
 * summed in float, statistics in double. */
#include <math.h>
#include <string.h>

#include "base/int8.h"
#include "compute/cpu/kernels.h"

enum { PANEL = 16 };

static void gemm_panel(size_t rows, size_t width, size_t depth, const float *a, size_t a_stride,
                       const float *b, float *c, size_t c_stride, bool add, const float *next) {
  (void)width; /* lanes == panel: every panel is full */
  (void)next;
  for (size_t i = 0; i < rows; i++) {
    float sums[PANEL] = {0};
    for (size_t k = 0; k < depth; k++) {
      float x = a[i * a_stride + k];
      for (size_t j = 0; j < PANEL; j++) sums[j] += x * b[k * PANEL + j];
    }
    for (size_t j = 0; j < PANEL; j++)
      c[i * c_stride + j] = add ? c[i * c_stride + j] + sums[j] : sums[j];
  }
}

static float activate(float x, msk_activation activation) {
  switch (activation) {
    case MSK_ACT_NONE: return x;
    case MSK_ACT_GELU_TANH:
      return 0.5f * x * (1.0f + tanhf(0.7978845608f * (x + 0.044715f * (x * x * x))));
    case MSK_ACT_GELU_ERF: return 0.5f * x * (1.0f + erff(x * 0.7071067812f));
    case MSK_ACT_QUICK_GELU: return x / (1.0f + expf(-1.702f * x));
  }
  return x;
}

static void finish_row(size_t count, const float *c, const float *bias, const float *residual,
                       msk_activation activation, float *y) {
  for (size_t j = 0; j < count; j++) {
    float value = activate(bias == NULL ? c[j] : c[j] + bias[j], activation);
    y[j] = residual == NULL ? value : value + residual[j];
  }
}

static void int8_panel(size_t rows, size_t width, size_t depth, const uint8_t *a, size_t a_stride,
                       const int8_t *b, int32_t *c, size_t c_stride, bool add, const int8_t *next) {
  (void)next;
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < width; j++) {
      int32_t sum = 0;
      for (size_t k = 0; k < depth; k++)
        sum += a[i * a_stride + k] * b[k / 4 * width * 4 + j * 4 + k % 4];
      c[i * c_stride + j] = add ? c[i * c_stride + j] + sum : sum;
    }
  }
}

static void quantise_row(size_t count, const float *x, uint8_t *q, msk_quantised *row) {
  float lowest = 0, highest = 0, inverse; /* 0 in any case: it has a byte of its own, exactly */
  bool finite = true;
  for (size_t j = 0; j < count; j++) {
    lowest = x[j] < lowest ? x[j] : lowest;
    highest = x[j] > highest ? x[j] : highest;
    finite = finite && isfinite(x[j]);
  }
  *row = msk_quantised_range(lowest, highest, finite, &inverse);
  for (size_t j = 0; j < count; j++) {
    int32_t value = inverse == 0 ? 0 : (int32_t)rintf(x[j] * inverse) + row->zero;
    if (value < 0) value = 0;
    if (value > 255) value = 255;
    q[j] = (uint8_t)value;
  }
}

static void quantise_column(size_t depth, size_t width, const float *x, size_t x_stride,
                            float limit, int8_t *panel, int32_t *sum, float *scale) {
  float largest = 0, inverse;
  bool finite = true;
  for (size_t k = 0; k < depth; k++) {
    largest = fmaxf(largest, fabsf(x[k * x_stride]));
    finite = finite && isfinite(x[k * x_stride]);
  }
  *scale = msk_int8_scale(largest, limit, &inverse);
  if (!finite) *scale = NAN;
  for (size_t k = 0; finite && k < depth; k++) {
    int32_t value = msk_int8_round(x[k * x_stride], inverse);
    panel[k / 4 * width * 4 + k % 4] = (int8_t)value;
    *sum += value;
  }
}

static void quantise_panel(size_t depth, size_t count, size_t width, const float *x,
                           size_t x_stride, float limit, int8_t *panel, int32_t *sums,
                           float *scales) {
  memset(panel, 0, (depth + 3) / 4 * 4 * width);
  for (size_t j = 0; j < width; j++) {
    sums[j] = 0, scales[j] = 0;
    if (j < count)
      quantise_column(depth, width, x + j, x_stride, limit, panel + j * 4, &sums[j], &scales[j]);
  }
}

static void finish_int8_row(size_t count, const int32_t *c, msk_quantised row,
                            const int32_t *column_sums, const float *column_scales,
                            const float *bias, const float *residual, msk_activation activation,
                            float *y) {
  for (size_t j = 0; j < count; j++) {
    float value = (float)(c[j] - row.zero * column_sums[j]) * (row.scale * column_scales[j]);
    value = activate(bias == NULL ? value : value + bias[j], activation);
    y[j] = residual == NULL ? value : value + residual[j];
  }
}

static void finish_int8_taps(size_t count, size_t taps, const int32_t *c, size_t plane,
                             const msk_quantised *rows, const int32_t *column_sums,
                             size_t sums_plane, const float *column_scales, const float *bias,
                             const float *residual, float *y) {
  for (size_t j = 0; j < count; j++) {
    float value = (float)(c[j] - rows[0].zero * column_sums[j]) * rows[0].scale;
    for (size_t t = 1; t < taps; t++) {
      value += (float)(c[t * plane + j] - rows[t].zero * column_sums[t * sums_plane + j]) *
               rows[t].scale;
    }
    value = value * column_scales[j] + bias[j];
    y[j] = residual == NULL ? value : value + residual[j];
  }
}

static void transpose_rows(size_t rows, size_t width, size_t count, const float *x, size_t x_stride,
                           float factor, float *y) {
  for (size_t k = 0; k < count; k++) {
    for (size_t i = 0; i < width; i++)
      y[k * width + i] = i < rows ? x[i * x_stride + k] * factor : 0.0f;
  }
}

static void scale_row(size_t count, const float *x, float factor, float *y) {
  for (size_t j = 0; j < count; j++) y[j] = x[j] * factor;
}

static void layer_norm_row(size_t count, const float *x, const float *gamma, const float *beta,
                           float epsilon, float *y) {
  double sum = 0, deviation = 0;
  for (size_t j = 0; j < count; j++) sum += x[j];
  double mean = sum / (double)count;
  for (size_t j = 0; j < count; j++) deviation += (x[j] - mean) * (x[j] - mean);
  double scale = 1.0 / sqrt(deviation / (double)count + epsilon);
  for (size_t j = 0; j < count; j++) y[j] = (float)((x[j] - mean) * scale) * gamma[j] + beta[j];
}

static void channel_sums(size_t pixels, size_t channels, const float *x, float *sums) {
  for (size_t c = 0; c < channels; c++) sums[c] = 0;
  for (size_t i = 0; i < pixels; i++) {
    for (size_t c = 0; c < channels; c++) sums[c] += x[i * channels + c];
  }
}

static void channel_squares(size_t pixels, size_t channels, const float *x, const float *mean,
                            float *squares) {
  for (size_t c = 0; c < channels; c++) squares[c] = 0;
  for (size_t i = 0; i < pixels; i++) {
    for (size_t c = 0; c < channels; c++) {
      float difference = x[i * channels + c] - mean[c];
      squares[c] += difference * difference;
    }
  }
}

static void normalise_pixels(size_t pixels, size_t channels, const float *x, const float *mean,
                             const float *scale, const float *shift, bool swish, float *y) {
  for (size_t i = 0; i < pixels * channels; i++) {
    size_t c = i % channels;
    float value = (x[i] - mean[c]) * scale[c] + shift[c];
    y[i] = swish ? value / (1.0f + expf(-value)) : value;
  }
}

static float softmax_with(size_t count, const float *s, float *e, uint8_t *q, float *maximum) {
  float largest = s[0], sum = 0;
  for (size_t j = 1; j < count; j++) largest = s[j] > largest || isnan(s[j]) ? s[j] : largest;
  for (size_t j = 0; j < count; j++) {
    float value = expf(s[j] - largest);
    sum += value;
    if (e != NULL) e[j] = value;
    if (q != NULL) q[j] = value >= 0 ? (uint8_t)rintf(value * 255.0f) : 0;
  }
  *maximum = largest;
  return sum;
}

static float softmax_row(size_t count, const float *s, float *e, float *maximum) {
  return softmax_with(count, s, e, NULL, maximum);
}

static float softmax_int8_row(size_t count, const float *s, float *e, uint8_t *q, float *maximum) {
  return softmax_with(count, s, e, q, maximum);
}

/* One summand of the likeness: t, p probabilities, lt, lp their logarithms. */
static float likeness(msk_distance distance, float t, float p, float lt, float lp) {
  switch (distance) {
    case MSK_DISTANCE_CROSS_ENTROPY: return t * lp + p * lt;
    case MSK_DISTANCE_SYMMETRIC_KL: return -(t - p) * (lt - lp);
    case MSK_DISTANCE_JENSEN_SHANNON: {
      float middle = fmaxf(lt, lp) + log1pf(expf(-fabsf(lt - lp))) - 0.6931471806f;
      return -0.5f * (t * (lt - middle) + p * (lp - middle));
    }
  }
  return NAN;
}

static float score_row(msk_distance distance, size_t count, const float *s, const float *e,
                       float maximum, float sum, const float *target, const float *log_target) {
  float log_sum = logf(sum);
  double total = 0;
  for (size_t j = 0; j < count; j++)
    total += likeness(distance, target[j], e[j] / sum, log_target[j], (s[j] - maximum) - log_sum);
  return (float)total;
}

static void widen_fp16(size_t count, const uint16_t *x, float *y) {
  for (size_t i = 0; i < count; i++) {
    int exponent = x[i] >> 10 & 31;
    float mantissa = (float)(x[i] & 1023), size;
    if (exponent == 31) {
      size = mantissa == 0 ? INFINITY : NAN;
    } else {
      size = exponent == 0 ? ldexpf(mantissa, -24) : ldexpf(1024 + mantissa, exponent - 25);
    }
    y[i] = x[i] & 0x8000 ? -size : size;
  }
}

/* ---- pairs of int16 ---- */

/* The first, or the second, of the pair at p. */
static int32_t int16_of(const float *p, size_t which) {
  int16_t pair[2];
  memcpy(pair, p, sizeof pair);
  return pair[which];
}

static void set_int16(float *p, size_t which, int32_t value) {
  int16_t stored = (int16_t)value;
  memcpy((char *)p + which * sizeof stored, &stored, sizeof stored);
}

static void int16_panel(size_t rows, size_t width, size_t depth, const float *a, size_t a_stride,
                        const float *b, float *c, size_t c_stride, bool add, const float *next) {
  (void)next;
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < width; j++) {
      int32_t sum = 0;
      for (size_t k = 0; k < 2 * depth; k++)
        sum += int16_of(&a[i * a_stride + k / 2], k % 2) *
               int16_of(&b[(1 + k / 2) * width + j], k % 2);
      float value = (float)sum * b[j], *to = &c[i * c_stride + j];
      *to = add ? *to + value : value;
    }
  }
}

static float quantise_int16_rows(size_t rows, size_t count, const float *x, size_t x_stride,
                                 float *y, size_t y_stride) {
  float largest = 0, inverse;
  bool finite = true;
  for (size_t i = 0; i < rows * count; i++) {
    float size = fabsf(x[i / count * x_stride + i % count]);
    finite = finite && isfinite(size);
    largest = fmaxf(largest, size);
  }
  float scale = msk_int16_scale(largest, finite, &inverse);
  for (size_t i = 0; i < rows; i++) {
    if (count % 2 == 1) set_int16(&y[i * y_stride + count / 2], 1, 0);
    for (size_t j = 0; j < count; j++) {
      float value = inverse == 0 ? 0 : x[i * x_stride + j] * inverse;
      set_int16(&y[i * y_stride + j / 2], j % 2, (int32_t)rintf(value));
    }
  }
  return scale;
}

static void quantise_int16_panel(size_t depth, size_t width, const float *x, float *panel) {
  for (size_t j = 0; j < width; j++) {
    float largest = 0, sum = 0, inverse;
    for (size_t k = 0; k < depth; k++) {
      largest = fmaxf(largest, fabsf(x[k * width + j]));
      sum += fabsf(x[k * width + j]);
    }
    panel[j] = msk_int16_factor(largest, sum, &inverse);
    for (size_t k = 0; k < depth + depth % 2; k++) {
      float value = k < depth && inverse != 0 ? x[k * width + j] * inverse : 0;
      set_int16(&panel[(1 + k / 2) * width + j], k % 2, (int32_t)rintf(value));
    }
  }
}

#include "compute/cpu/isa/ref_backward.inc"

void msk_kernels_ref(msk_kernels *kernels) {
  *kernels = (msk_kernels){
      .isa = "ref",
      .lanes = PANEL,
      .panel = PANEL,
      .tile_rows = REF_TILE_ROWS,
      .block = 256,
      .weight_limit = 127,
      .pairs_rate = 1,
      .int16_rate = 1,
      .int8_rate = 4, /* of no consequence: it takes what the fastest take */
#define MSK_KERNEL(result, name, arguments) .name = name,
#include "compute/cpu/kernels.inc"

#include "compute/cpu/backward_kernels.inc"
#undef MSK_KERNEL
  };
}
