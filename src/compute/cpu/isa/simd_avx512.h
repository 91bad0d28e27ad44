/* SPDX-License-Identifier: Apache-2.0
 *
 * simd_avx512.h - the vector type that vector.inc is written in: AVX-512 (F, DQ, BW, VL), 16
 * floats. */
#ifndef MSK_COMPUTE_CPU_ISA_SIMD_AVX512_H
#define MSK_COMPUTE_CPU_ISA_SIMD_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
#define TILE_ROWS 12 /* 12 x 2 sums, 2 panel vectors, 6 spare: the 32 registers */

typedef __m512 vec;

static inline vec vec_load(const float *p) { return _mm512_loadu_ps(p); }
static inline vec vec_load_aligned(const float *p) { return _mm512_load_ps(p); }
static inline void vec_store(float *p, vec v) { _mm512_storeu_ps(p, v); }
/* Binary16 numbers. */
static inline vec vec_load_fp16(const uint16_t *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline vec vec_set(float x) { return _mm512_set1_ps(x); }
static inline vec vec_broadcast(const float *p) { return _mm512_set1_ps(*p); }
static inline vec vec_add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec vec_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
static inline vec vec_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
static inline vec vec_div(vec a, vec b) { return _mm512_div_ps(a, b); }
static inline vec vec_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }   /* a b + c */
static inline vec vec_fnma(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a b */
/* The second operand where either is NaN. */
static inline vec vec_max(vec a, vec b) { return _mm512_max_ps(a, b); }
static inline vec vec_min(vec a, vec b) { return _mm512_min_ps(a, b); }
static inline vec vec_round(vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vec vec_abs(vec a) { return _mm512_abs_ps(a); }

/* The first `count` < LANES floats; the others are zero, and are not read or written. */
static inline __mmask16 first_lanes(size_t count) { return (__mmask16)((1u << count) - 1); }
static inline vec vec_load_part(const float *p, size_t count) {
  return _mm512_maskz_loadu_ps(first_lanes(count), p);
}
static inline void vec_store_part(float *p, vec v, size_t count) {
  _mm512_mask_storeu_ps(p, first_lanes(count), v);
}
/* v, with `fill` behind the first `count` lanes. */
static inline vec vec_fill_behind(vec v, size_t count, vec fill) {
  return _mm512_mask_blend_ps(first_lanes(count), fill, v);
}

/* v, but zero where x < limit (NaN is not). */
static inline vec vec_zero_below(vec v, vec x, float limit) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(limit), _CMP_NLT_UQ), v);
}

/* The end of e^x = a * 2^n, a about 0.7 to 1.42, n a whole number: x is at most EXP_HIGHEST,
 * overflow follows by itself. */
#define EXP_HIGHEST 89.0f
static inline vec vec_scale_power(vec a, vec n) { return _mm512_scalef_ps(a, n); }
static inline vec vec_overflow(vec v, vec x) { return (void)x, v; }

/* Sum of the lanes, in a fixed order; largest lane (NaN if there is one: the caller tests). */
static inline float vec_sum(vec v) {
  __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
static inline float vec_largest(vec v) {
  __m256 half = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

/* v[i] lane j <-> v[j] lane i. */
static inline void vec_transpose(vec v[LANES]) {
  vec w[LANES];
  for (size_t i = 0; i < LANES; i += 4) { /* 4 x 4 blocks within each 128 bits */
    __m512d low = _mm512_castps_pd(_mm512_unpacklo_ps(v[i], v[i + 1])),
            high = _mm512_castps_pd(_mm512_unpackhi_ps(v[i], v[i + 1]));
    __m512d low2 = _mm512_castps_pd(_mm512_unpacklo_ps(v[i + 2], v[i + 3])),
            high2 = _mm512_castps_pd(_mm512_unpackhi_ps(v[i + 2], v[i + 3]));
    w[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, low2)),
    w[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, low2));
    w[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, high2)),
          w[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, high2));
  }
  for (size_t i = 0; i < 4; i++) { /* the 4 x 4 of those blocks */
    vec even = _mm512_shuffle_f32x4(w[i], w[i + 4], 0x88),
        odd = _mm512_shuffle_f32x4(w[i], w[i + 4], 0xdd);
    vec even2 = _mm512_shuffle_f32x4(w[i + 8], w[i + 12], 0x88),
        odd2 = _mm512_shuffle_f32x4(w[i + 8], w[i + 12], 0xdd);
    v[i] = _mm512_shuffle_f32x4(even, even2, 0x88),
    v[i + 8] = _mm512_shuffle_f32x4(even, even2, 0xdd);
    v[i + 4] = _mm512_shuffle_f32x4(odd, odd2, 0x88),
          v[i + 12] = _mm512_shuffle_f32x4(odd, odd2, 0xdd);
  }
}

/* ---- pairs of bf16 ---- */

#if defined(__AVX512BF16__)
#define PAIRS_RATE 2
static inline vec vec_dot_pairs(vec a, vec b, vec sum) {
  return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
}
/* Of x[0], x[1], ... of two vectors in a row. */
static inline vec vec_narrow_pairs(vec first, vec second) {
  return (vec)_mm512_cvtne2ps_pbh(second, first);
}
static inline vec vec_join_pairs(vec low, vec high) {
  const __m512i places =
      _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                       21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return (vec)_mm512_permutexvar_epi16(places, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}
#else
#define PAIRS_RATE 1
static inline vec vec_dot_pairs(vec a, vec b, vec sum) {
  const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
  __m512i p = _mm512_castps_si512(a), q = _mm512_castps_si512(b);
  sum = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(p, upper)),
                        _mm512_castsi512_ps(_mm512_and_si512(q, upper)), sum);
  return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(p, 16)),
                         _mm512_castsi512_ps(_mm512_slli_epi32(q, 16)), sum);
}
/* The nearest bf16 number, the even one of two, in the upper halves; a NaN made quiet. */
static inline __m512i round_to_bf16(vec v) {
  __m512i bits = _mm512_castps_si512(v),
          odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1)),
          rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  return _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), bits,
                              _mm512_set1_epi32(0x400000));
}
static inline vec vec_join_pairs(vec low, vec high) {
  __m512i upper = _mm512_and_si512(round_to_bf16(high), _mm512_set1_epi32((int)0xffff0000));
  return _mm512_castsi512_ps(_mm512_or_si512(upper, _mm512_srli_epi32(round_to_bf16(low), 16)));
}
/* Of x[0], x[1], ... of two vectors in a row. */
static inline vec vec_narrow_pairs(vec first, vec second) {
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0),
                odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  return vec_join_pairs(_mm512_permutex2var_ps(first, even, second),
                        _mm512_permutex2var_ps(first, odd, second));
}
#endif

/* ---- integers ---- */

typedef __m512i ivec; /* 16 x int32 */

#define ACTIVATION_OFFSET 0
#if defined(__AVX512VNNI__)
#define WEIGHT_LIMIT 127
#define INT8_RATE 4
#define INT16_RATE 2
static inline ivec ivec_dot(ivec sum, ivec u, ivec s) { return _mm512_dpbusd_epi32(sum, u, s); }
/* In words of the assembler: gcc 12 copies sums to other registers around the intrinsic, and to
 * memory where these run out. */
static inline ivec ivec_dot_int16(ivec sum, ivec a, ivec b) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}
#else
#define INT16_RATE 1
#define WEIGHT_LIMIT 63 /* 2 * 255 * 63 fits the 16 bits of vpmaddubsw, which saturates */
#define INT8_RATE 1
static inline ivec ivec_dot(ivec sum, ivec u, ivec s) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(u, s), _mm512_set1_epi16(1)));
}
static inline ivec ivec_dot_int16(ivec sum, ivec a, ivec b) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}
#endif

static inline ivec ivec_set(int32_t x) { return _mm512_set1_epi32(x); }
static inline ivec ivec_load(const int32_t *p) { return _mm512_loadu_si512(p); }
static inline ivec ivec_load_part(const int32_t *p, size_t count) {
  return _mm512_maskz_loadu_epi32(first_lanes(count), p);
}
static inline ivec ivec_load_aligned(const int8_t *p) { return _mm512_load_si512(p); }
static inline void ivec_store(int32_t *p, ivec v) { _mm512_storeu_si512(p, v); }
static inline ivec ivec_broadcast(const uint8_t *p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  return _mm512_set1_epi32(four);
}
static inline ivec ivec_add(ivec a, ivec b) { return _mm512_add_epi32(a, b); }
static inline ivec ivec_sub(ivec a, ivec b) { return _mm512_sub_epi32(a, b); }
static inline ivec ivec_mul(ivec a, ivec b) { return _mm512_mullo_epi32(a, b); }
static inline ivec ivec_round(vec v) { return _mm512_cvtps_epi32(v); }
/* The lowest bytes of four, side by side, the first in front. */
static inline ivec ivec_join_bytes(const ivec v[4]) {
  const ivec byte = _mm512_set1_epi32(255);
  ivec low = _mm512_or_si512(_mm512_and_si512(v[0], byte),
                             _mm512_slli_epi32(_mm512_and_si512(v[1], byte), 8)),
       high = _mm512_or_si512(_mm512_and_si512(v[2], byte), _mm512_slli_epi32(v[3], 8));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}
/* The lower halves of two, side by side, the first in front. */
static inline ivec ivec_join_int16(ivec low, ivec high) {
  return _mm512_or_si512(_mm512_and_si512(low, _mm512_set1_epi32(0xffff)),
                         _mm512_slli_epi32(high, 16));
}
/* The 16 values, cut to int16. */
static inline void ivec_store_int16(int16_t *p, ivec v) {
  _mm256_storeu_si256((__m256i_u *)p, _mm512_cvtsepi32_epi16(v));
}
static inline vec vec_from(ivec v) { return _mm512_cvtepi32_ps(v); }
/* The 16 values, cut to 0..255. */
static inline void ivec_store_bytes(uint8_t *p, ivec v) {
  _mm_storeu_si128((__m128i_u *)p,
                   _mm512_cvtusepi32_epi8(_mm512_max_epi32(v, _mm512_setzero_si512())));
}
#endif
