/* SPDX-License-Identifier: Apache-2.0
 *
 * kernels.h - the kernel table of the CPU backend: small loops over rows and panels, one set an
 * instruction set. The table is filled with the plain C reference (isa/ref.c), then overridden
 * by what the machine has. `ref` is the definition of the arithmetic; tests compare all others
 * with it and with float64.
 *
 * Rules for every kernel: it reads and writes only the elements named; float pointers have no
 * alignment beyond 4 bytes unless said; an element's value does not depend on its place in a
 * tile or panel nor on its neighbours; NaN and infinity follow IEEE; no global state.
 *
 * Panels. A matrix of depth x columns is stored as panels of `panel` columns (the last may be
 * `lanes` wide), each depth x width, row-major, 64-byte aligned, missing columns zero. See
 * gemm.c.
 *
 * Pairs. Two bf16 numbers, the upper halves of floats, in the room of a float, neighbours along the
 * contracted index: the lower half is the first of them. They are bits, to be copied and no more. A
 * matrix of such is one of half the depth; where that is odd the last pair's upper half is zero.
 * Pairs of int16 lie likewise.
 *
 * gemm_panel        c[i][j] (+)= sum over k of a[i][k] * b[k][j], i < rows, j < width (lanes or
 *                   panel), k ascending in one chain; with `add` the chain starts at zero and is
 *                   added to c at its end. b: 64-byte aligned panel rows of `width` floats.
 *                   depth >= 1. next: the depth x width floats that will be wanted as b next,
 *                   fetched into cache meanwhile; any address: nothing is read.
 * finish_row        y = activation(c + bias) + residual; bias, residual may be NULL; y may equal
 *                   c or residual.
 * int8_panel        c[i][j] (+)= sum over k of a[i][k] * b[k][j], exact in int32; depth a
 *                   multiple of 4, b in groups of four contracted elements: b[k / 4 * width * 4
 *                   + j * 4 + k % 4], 64-byte aligned, |b| <= weight_limit; a in the set's own
 *                   form (quantise_row); next as above.
 * quantise_row      q = round(x * 255 / range) + zero, cut to 0..255; range that of the row and
 *                   0; stored as q - activation_offset in one byte. row: the scale range / 255,
 *                   and zero - activation_offset. A row that is not finite gets scale NaN, one
 *                   narrower than 1e-30 scale 0.
 * quantise_panel    the first `count` columns of x, depth rows, as a panel of int8_panel's, zero
 *                   behind them and behind the depth: round(x * limit / largest), largest that
 *                   of a column's |x|; its scale largest / limit, the sum of its
 *                   numbers: `width` of both, which is lanes or panel. A column that is not
 *                   finite is zeros and gets scale NaN, one of nothing above 1e-30 scale 0.
 * finish_int8_row   y = activation((c - row.zero * column_sums) * (row.scale * column_scales) +
 *                   bias) + residual; bias may be NULL; residual may be NULL, or y.
 * finish_int8_taps  y = (sum over taps t of (c[t * plane] - rows[t].zero * column_sums[t *
 *                   sums_plane]) * rows[t].scale) * column_scales + bias + residual, element
 *                   by element; residual may be NULL, or y. taps >= 1.
 * int16_panel       gemm_panel of pairs of int16, depth of them, MSK_INT16_DEEPEST / 2 at most;
 *                   b begins with a row of `width` floats, its columns' factors: sums of products
 *                   are exact in int32, then brought to float32 and multiplied by these.
 * quantise_int16_rows  q = round(x * MSK_INT16_LIMIT / largest), largest that of all rows' |x|, as
 *                   pairs; returns the scale largest / MSK_INT16_LIMIT; NaN, and zeros, where
 *                   one is not finite; 0 where nothing is above 1e-30.
 * quantise_int16_panel  x, depth rows of `width` floats, MSK_INT16_DEEPEST at most, as a panel of
 *                   int16_panel's with its factors (msk_int16_factor).
 * transpose_rows    y[k][i] = x[i][k] * factor for k < count, i < rows; 0 for rows <= i < width,
 *                   which is lanes or panel and the stride of y.
 * scale_row         y = x * factor.
 * layer_norm_row    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, two passes; y may
 *                   equal x.
 * channel_sums      sums[c] = sum over pixels of x; channel_squares: of (x - mean[c])^2. At most
 *                   some hundred pixels: float chains.
 * normalise_pixels  y = (x - mean[c]) * scale[c] + shift[c], then y * sigmoid(y) if swish; y may
 *                   equal x.
 * softmax_row       *maximum = largest of s (NaN if there is one); e = exp(s - maximum); returns
 *                   the sum of e. e may equal s. count >= 1.
 * softmax_int8_row  the same, and q = round(255 e), stored as q - activation_offset in one byte; of
 *                   NaN anything. e may be NULL: not wanted; not s.
 * winograd_filters  u[p * plane + o] = (G g G')[p] of `count` filters, a multiple of `lanes`:
 *                   tap t of filter o at g[t * tap_stride + o].
 * winograd_input    v[p * plane + c] = (B' d B)[p] of the 6 x 6 pixels d, `channels` floats
 *                   each; position p row by row.
 * winograd_output   y[i][c] = (A' m A)[i] * scale + bias[c] + residual[i][c] for the 4 x 4 pixels,
 *                   m[p * plane + c]; bias, residual may be NULL; y may be residual.
 * winograd_slopes   m[p * plane + c] = (A d A')[p] of the 4 x 4 pixels d, `channels` floats each;
 *                   written up to a multiple of `lanes`, zeros behind them.
 * winograd_taps     g[t * tap_stride + o] += (G' u G)[t] of `count` floats u[p * plane + o], which
 *                   are read up to a multiple of `lanes`.
 * narrow_pixels     sums[i][o] = sum over taps t, channels c of pixels[i * taps + t][c] *
 *                   weight[o][t][c], for two pixels i.
 * widen_fp16      y = x, binary16 to float, exact; y need not be aligned.
 * score_row         likeness of P = e / sum to target (backend.h); log P = s - maximum -
 *                   log(sum). */
#ifndef MSK_COMPUTE_CPU_KERNELS_H
#define MSK_COMPUTE_CPU_KERNELS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compute/backend.h"

/* How a row of activations was quantised: x is about scale * (q - zero). */
typedef struct msk_quantised {
  float scale;
  int32_t zero;
} msk_quantised;

typedef struct msk_kernels {
  const char *isa;
  size_t lanes;     /* floats of a vector, power of two */
  size_t panel;     /* floats of a full panel row: lanes or 2 * lanes */
  size_t tile_rows; /* rows that gemm_panel computes at once: row blocks are multiples of it */
  size_t block;     /* contracted elements for which a panel stays in the nearest cache */
  int weight_limit; /* largest 8-bit weight whose products this set sums exactly: 127, or 63 */
  int activation_offset;
  int int8_rate;  /* 8-bit products in the time of a float32 one, about */
  int pairs_rate; /* products of bf16 in that time, */
  int int16_rate; /* of int16 */
#define MSK_KERNEL(result, name, arguments) result(*name) arguments;
#include "compute/cpu/kernels.inc"

#include "compute/cpu/backward_kernels.inc"
#undef MSK_KERNEL
  /* Winograd's F(4x4, 3x3); NULL: this set convolves directly. */
  void (*winograd_filters)(size_t count, const float *g, size_t tap_stride, float *u, size_t plane);
  void (*winograd_input)(size_t channels, const float *const pixels[36], float *v, size_t plane);
  void (*winograd_output)(size_t channels, const float *m, size_t plane, const float *bias,
                          const float *const residual[16], float scale, float *const y[16]);
  void (*winograd_slopes)(size_t channels, const float *const pixels[16], float *m, size_t plane);
  void (*winograd_taps)(size_t count, const float *u, size_t plane, float *g, size_t tap_stride);
  /* After a task's last int8_panel: gives back what the set's calls keep for each other on their
   * thread; NULL: nothing. */
  void (*end_products)(void);
  /* Convolution to at most 4 channels; NULL: as a product. */
  void (*narrow_pixels)(size_t out, size_t taps, size_t channels, const float *const *pixels,
                        const float *weight, float *sums);
} msk_kernels;

/* Each overrides the entries that it has. ref fills all. */
void msk_kernels_ref(msk_kernels *kernels);
void msk_kernels_avx2(msk_kernels *kernels);
void msk_kernels_avxvnni(msk_kernels *kernels);
void msk_kernels_avx512(msk_kernels *kernels);
void msk_kernels_avx512vnni(msk_kernels *kernels);
void msk_kernels_avx512bf16(msk_kernels *kernels);
void msk_kernels_amx(msk_kernels *kernels);
void msk_kernels_neon(msk_kernels *kernels);
void msk_kernels_neondot(msk_kernels *kernels);

/* The quantisation of a row with these extremes, 0 among them; *inverse 0: the row has no values
 * worth a byte. Shared by all sets. */
static inline msk_quantised msk_quantised_range(float lowest, float highest, bool finite,
                                                float *inverse) {
  float range = highest - lowest;
  *inverse = 0;
  if (!finite || isinf(range)) return (msk_quantised){NAN, 0};
  if (range < 1e-30f) return (msk_quantised){0, 0};
  *inverse = 255.0f / range;
  return (msk_quantised){range / 255.0f, (int32_t)rintf(-lowest * *inverse)};
}

/* Numbers in 16 bits. So many products of a number of at most MSK_INT16_LIMIT and one of a column
 * whose sizes add up to at most 2^31 / MSK_INT16_LIMIT keep to int32. */
enum { MSK_INT16_LIMIT = 16383, MSK_INT16_DEEPEST = 128 };

/* The scale of numbers whose largest size is `largest`; *inverse 0: none is worth anything. */
static inline float msk_int16_scale(float largest, bool finite, float *inverse) {
  bool none = !finite || largest < 1e-30f;
  *inverse = none ? 0 : MSK_INT16_LIMIT / largest;
  if (!finite) return NAN;
  return none ? 0 : largest / MSK_INT16_LIMIT;
}

/* The scale of a column of a panel whose sizes are at most `largest` and add up to `sum`: as small
 * as sums of products and int16 allow, half a unit of rounding for each of MSK_INT16_DEEPEST
 * numbers and float32's error in `sum` left free. */
static inline float msk_int16_factor(float largest, float sum, float *inverse) {
  float by_sum = sum / 130900.0f, by_size = largest / 32767.0f,
        factor = by_sum > by_size ? by_sum : by_size;
  *inverse = 0;
  if (!isfinite(sum)) return NAN;
  if (sum < 1e-25f) return 0;
  *inverse = 1 / factor;
  return factor;
}

#endif
