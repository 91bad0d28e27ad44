/* SPDX-License-Identifier: Apache-2.0
 *
 * simd_neon.h - the vector type that vector.inc is written in: Advanced SIMD of 64-bit Arm, 4
 * floats; with its dot product where the compiler is told so. */
#ifndef MSK_COMPUTE_CPU_ISA_SIMD_NEON_H
#define MSK_COMPUTE_CPU_ISA_SIMD_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 4
#define TILE_ROWS 12 /* 12 x 2 sums, 2 panel vectors, 6 spare: the 32 registers */

typedef float32x4_t vec;

static inline vec vec_load(const float *p) { return vld1q_f32(p); }
static inline vec vec_load_aligned(const float *p) { return vld1q_f32(p); }
static inline void vec_store(float *p, vec v) { vst1q_f32(p, v); }
/* Binary16 numbers. */
static inline vec vec_load_fp16(const uint16_t *p) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
static inline vec vec_set(float x) { return vdupq_n_f32(x); }
static inline vec vec_broadcast(const float *p) { return vld1q_dup_f32(p); }
static inline vec vec_add(vec a, vec b) { return vaddq_f32(a, b); }
static inline vec vec_sub(vec a, vec b) { return vsubq_f32(a, b); }
static inline vec vec_mul(vec a, vec b) { return vmulq_f32(a, b); }
static inline vec vec_div(vec a, vec b) { return vdivq_f32(a, b); }
static inline vec vec_fma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }  /* a b + c */
static inline vec vec_fnma(vec a, vec b, vec c) { return vfmsq_f32(c, a, b); } /* c - a b */
/* The second operand where either is NaN. */
static inline vec vec_max(vec a, vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline vec vec_min(vec a, vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
static inline vec vec_round(vec a) { return vrndnq_f32(a); }
static inline vec vec_abs(vec a) { return vabsq_f32(a); }

/* The first `count` < LANES floats; the others are zero, and are not read or written. */
static inline vec vec_load_part(const float *p, size_t count) {
  float lanes[LANES] = {0};
  for (size_t i = 0; i < count; i++) lanes[i] = p[i];
  return vld1q_f32(lanes);
}
static inline void vec_store_part(float *p, vec v, size_t count) {
  float lanes[LANES];
  vst1q_f32(lanes, v);
  for (size_t i = 0; i < count; i++) p[i] = lanes[i];
}
/* v, with `fill` behind the first `count` lanes. */
static inline vec vec_fill_behind(vec v, size_t count, vec fill) {
  static const uint32_t places[LANES] = {0, 1, 2, 3};
  return vbslq_f32(vcltq_u32(vld1q_u32(places), vdupq_n_u32((uint32_t)count)), v, fill);
}

/* v, but zero where x < limit (NaN is not). */
static inline vec vec_zero_below(vec v, vec x, float limit) {
  return vreinterpretq_f32_u32(
      vbicq_u32(vreinterpretq_u32_f32(v), vcltq_f32(x, vdupq_n_f32(limit))));
}

/* The end of e^x = a * 2^n, as in simd_avx2.h: n is added to the exponent's bits. */
#define EXP_HIGHEST 88.72283f
static inline vec vec_scale_power(vec a, vec n) {
  return vreinterpretq_f32_s32(
      vaddq_s32(vreinterpretq_s32_f32(a), vshlq_n_s32(vcvtnq_s32_f32(n), 23)));
}
static inline vec vec_overflow(vec v, vec x) {
  return vbslq_f32(vcgtq_f32(x, vdupq_n_f32(EXP_HIGHEST)), vdupq_n_f32(__builtin_inff()), v);
}

/* Sum of the lanes, in a fixed order; largest lane (NaN if there is one: the caller tests). */
static inline float vec_sum(vec v) { return vaddvq_f32(v); }
static inline float vec_largest(vec v) { return vmaxvq_f32(v); }

/* v[i] lane j <-> v[j] lane i. */
static inline void vec_transpose(vec v[LANES]) {
  float64x2_t even = vreinterpretq_f64_f32(vtrn1q_f32(v[0], v[1])),
              odd = vreinterpretq_f64_f32(vtrn2q_f32(v[0], v[1]));
  float64x2_t even2 = vreinterpretq_f64_f32(vtrn1q_f32(v[2], v[3])),
              odd2 = vreinterpretq_f64_f32(vtrn2q_f32(v[2], v[3]));
  v[0] = vreinterpretq_f32_f64(vtrn1q_f64(even, even2)),
  v[2] = vreinterpretq_f32_f64(vtrn2q_f64(even, even2));
  v[1] = vreinterpretq_f32_f64(vtrn1q_f64(odd, odd2)),
  v[3] = vreinterpretq_f32_f64(vtrn2q_f64(odd, odd2));
}

/* ---- pairs of bf16 ---- */

#define PAIRS_RATE 1
static inline vec vec_dot_pairs(vec a, vec b, vec sum) {
  const uint32x4_t upper = vdupq_n_u32(0xffff0000);
  uint32x4_t p = vreinterpretq_u32_f32(a), q = vreinterpretq_u32_f32(b);
  sum = vfmaq_f32(sum, vreinterpretq_f32_u32(vandq_u32(p, upper)),
                  vreinterpretq_f32_u32(vandq_u32(q, upper)));
  return vfmaq_f32(sum, vreinterpretq_f32_u32(vshlq_n_u32(p, 16)),
                   vreinterpretq_f32_u32(vshlq_n_u32(q, 16)));
}
/* The nearest bf16 number, the even one of two, in the upper halves; a NaN made quiet. */
static inline uint32x4_t round_to_bf16(vec v) {
  uint32x4_t bits = vreinterpretq_u32_f32(v),
             odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1)),
             rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  return vbslq_u32(vceqq_f32(v, v), rounded, vorrq_u32(bits, vdupq_n_u32(0x400000)));
}
static inline vec vec_join_pairs(vec low, vec high) {
  uint32x4_t upper = vandq_u32(round_to_bf16(high), vdupq_n_u32(0xffff0000));
  return vreinterpretq_f32_u32(vorrq_u32(upper, vshrq_n_u32(round_to_bf16(low), 16)));
}
/* Of x[0], x[1], ... of two vectors in a row. */
static inline vec vec_narrow_pairs(vec first, vec second) {
  return vec_join_pairs(vuzp1q_f32(first, second), vuzp2q_f32(first, second));
}

/* ---- integers ---- */

typedef int32x4_t ivec; /* 4 x int32 */

/* Codes of activations are stored as q - 128: these products are of two signed bytes. */
#define ACTIVATION_OFFSET 128
#define WEIGHT_LIMIT 127
#define INT16_RATE 1
static inline ivec ivec_dot_int16(ivec sum, ivec a, ivec b) {
  int16x8_t p = vreinterpretq_s16_s32(a), q = vreinterpretq_s16_s32(b);
  int32x4_t low = vmull_s16(vget_low_s16(p), vget_low_s16(q)), high = vmull_high_s16(p, q);
  return vaddq_s32(sum, vpaddq_s32(low, high));
}
#if defined(__ARM_FEATURE_DOTPROD)
#define INT8_RATE 4
static inline ivec ivec_dot(ivec sum, ivec u, ivec s) {
  return vdotq_s32(sum, vreinterpretq_s8_s32(u), vreinterpretq_s8_s32(s));
}
#else
#define INT8_RATE 1
static inline ivec ivec_dot(ivec sum, ivec u, ivec s) {
  int8x16_t a = vreinterpretq_s8_s32(u), b = vreinterpretq_s8_s32(s);
  int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b))),
            high = vpaddlq_s16(vmull_high_s8(a, b));
  return vaddq_s32(sum, vpaddq_s32(low, high));
}
#endif

static inline ivec ivec_set(int32_t x) { return vdupq_n_s32(x); }
static inline ivec ivec_load(const int32_t *p) { return vld1q_s32(p); }
static inline ivec ivec_load_part(const int32_t *p, size_t count) {
  int32_t lanes[LANES] = {0};
  for (size_t i = 0; i < count; i++) lanes[i] = p[i];
  return vld1q_s32(lanes);
}
static inline ivec ivec_load_aligned(const int8_t *p) { return vreinterpretq_s32_s8(vld1q_s8(p)); }
static inline void ivec_store(int32_t *p, ivec v) { vst1q_s32(p, v); }
static inline ivec ivec_broadcast(const uint8_t *p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  return vdupq_n_s32(four);
}
static inline ivec ivec_add(ivec a, ivec b) { return vaddq_s32(a, b); }
static inline ivec ivec_sub(ivec a, ivec b) { return vsubq_s32(a, b); }
static inline ivec ivec_mul(ivec a, ivec b) { return vmulq_s32(a, b); }
static inline ivec ivec_round(vec v) { return vcvtnq_s32_f32(v); }
/* The lowest bytes of four, side by side, the first in front. */
static inline ivec ivec_join_bytes(const ivec v[4]) {
  const ivec byte = vdupq_n_s32(255);
  ivec low = vsliq_n_s32(vandq_s32(v[0], byte), v[1], 8),
       high = vsliq_n_s32(vandq_s32(v[2], byte), v[3], 8);
  return vsliq_n_s32(vandq_s32(low, vdupq_n_s32(65535)), high, 16);
}
/* The lower halves of two, side by side, the first in front. */
static inline ivec ivec_join_int16(ivec low, ivec high) {
  return vsliq_n_s32(vandq_s32(low, vdupq_n_s32(65535)), high, 16);
}
/* The 4 values, cut to int16. */
static inline void ivec_store_int16(int16_t *p, ivec v) { vst1_s16(p, vqmovn_s32(v)); }
static inline vec vec_from(ivec v) { return vcvtq_f32_s32(v); }
/* The 4 values, cut to 0..255, as signed bytes. */
static inline void ivec_store_bytes(uint8_t *p, ivec v) {
  uint16x4_t words = vqmovun_s32(v);
  uint8x8_t bytes = veor_u8(vqmovn_u16(vcombine_u16(words, words)), vdup_n_u8(ACTIVATION_OFFSET));
  uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
  memcpy(p, &four, sizeof four);
}
#endif
