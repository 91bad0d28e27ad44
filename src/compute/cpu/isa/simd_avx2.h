/* SPDX-License-Identifier: Apache-2.0
 *
 * simd_avx2.h - the vector type that vector.inc is written in: AVX2 and FMA, 8 floats. Another
 * instruction set is another such header. */
#ifndef MSK_COMPUTE_CPU_ISA_SIMD_AVX2_H
#define MSK_COMPUTE_CPU_ISA_SIMD_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 8
#define TILE_ROWS 6 /* 6 x 2 sums, 2 panel vectors, 2 spare: the 16 registers */

typedef __m256 vec;

static inline vec vec_load(const float *p) { return _mm256_loadu_ps(p); }
static inline vec vec_load_aligned(const float *p) { return _mm256_load_ps(p); }
static inline void vec_store(float *p, vec v) { _mm256_storeu_ps(p, v); }
/* Binary16 numbers. */
static inline vec vec_load_fp16(const uint16_t *p) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline vec vec_set(float x) { return _mm256_set1_ps(x); }
static inline vec vec_broadcast(const float *p) { return _mm256_broadcast_ss(p); }
static inline vec vec_add(vec a, vec b) { return _mm256_add_ps(a, b); }
static inline vec vec_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
static inline vec vec_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
static inline vec vec_div(vec a, vec b) { return _mm256_div_ps(a, b); }
static inline vec vec_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }   /* a b + c */
static inline vec vec_fnma(vec a, vec b, vec c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a b */
/* The second operand where either is NaN. */
static inline vec vec_max(vec a, vec b) { return _mm256_max_ps(a, b); }
static inline vec vec_min(vec a, vec b) { return _mm256_min_ps(a, b); }
static inline vec vec_round(vec a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vec vec_abs(vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }

/* The first `count` < LANES floats; the others are zero, and are not read or written. */
static inline __m256i first_lanes(size_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vec vec_load_part(const float *p, size_t count) {
  return _mm256_maskload_ps(p, first_lanes(count));
}
static inline void vec_store_part(float *p, vec v, size_t count) {
  _mm256_maskstore_ps(p, first_lanes(count), v);
}
/* v, with `fill` behind the first `count` lanes. */
static inline vec vec_fill_behind(vec v, size_t count, vec fill) {
  return _mm256_blendv_ps(fill, v, _mm256_castsi256_ps(first_lanes(count)));
}

/* v, but zero where x < limit (NaN is not). */
static inline vec vec_zero_below(vec v, vec x, float limit) {
  return _mm256_and_ps(v, _mm256_cmp_ps(x, _mm256_set1_ps(limit), _CMP_NLT_UQ));
}

/* The end of e^x = a * 2^n, a about 0.7 to 1.42, n a whole number: n is added to the exponent's
 * bits. x is at most EXP_HIGHEST, the logarithm of the largest float, so that the result is a
 * normal number; what was above it is infinite. */
#define EXP_HIGHEST 88.72283f
static inline vec vec_scale_power(vec a, vec n) {
  return _mm256_castsi256_ps(
      _mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}
static inline vec vec_overflow(vec v, vec x) {
  return _mm256_blendv_ps(v, _mm256_set1_ps(__builtin_inff()),
                          _mm256_cmp_ps(x, _mm256_set1_ps(EXP_HIGHEST), _CMP_GT_OQ));
}

/* Sum of the lanes, in a fixed order; largest lane (NaN if there is one: the caller tests). */
static inline float vec_sum(vec v) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
static inline float vec_largest(vec v) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

/* v[i] lane j <-> v[j] lane i. */
static inline void vec_transpose(vec v[LANES]) {
  vec w[LANES];
  for (size_t i = 0; i < LANES; i += 4) { /* 4 x 4 blocks within each 128 bits */
    __m256d low = _mm256_castps_pd(_mm256_unpacklo_ps(v[i], v[i + 1])),
            high = _mm256_castps_pd(_mm256_unpackhi_ps(v[i], v[i + 1]));
    __m256d low2 = _mm256_castps_pd(_mm256_unpacklo_ps(v[i + 2], v[i + 3])),
            high2 = _mm256_castps_pd(_mm256_unpackhi_ps(v[i + 2], v[i + 3]));
    w[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, low2)),
    w[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, low2));
    w[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high, high2)),
          w[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high, high2));
  }
  for (size_t i = 0; i < 4; i++) {
    v[i] = _mm256_permute2f128_ps(w[i], w[i + 4], 0x20),
    v[i + 4] = _mm256_permute2f128_ps(w[i], w[i + 4], 0x31);
  }
}

/* ---- pairs of bf16 ---- */

#define PAIRS_RATE 1
static inline vec vec_dot_pairs(vec a, vec b, vec sum) {
  const __m256 upper = _mm256_castsi256_ps(_mm256_set1_epi32((int)0xffff0000));
  sum = _mm256_fmadd_ps(_mm256_and_ps(a, upper), _mm256_and_ps(b, upper), sum);
  __m256i p = _mm256_slli_epi32(_mm256_castps_si256(a), 16),
          q = _mm256_slli_epi32(_mm256_castps_si256(b), 16);
  return _mm256_fmadd_ps(_mm256_castsi256_ps(p), _mm256_castsi256_ps(q), sum);
}
/* The nearest bf16 number, the even one of two, in the upper halves; a NaN made quiet. */
static inline __m256i round_to_bf16(vec v) {
  __m256i bits = _mm256_castps_si256(v),
          odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1)),
          rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))),
          quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  return _mm256_castps_si256(_mm256_blendv_ps(
      _mm256_castsi256_ps(rounded), _mm256_castsi256_ps(quiet), _mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
}
static inline vec vec_join_pairs(vec low, vec high) {
  __m256i upper = _mm256_and_si256(round_to_bf16(high), _mm256_set1_epi32((int)0xffff0000));
  return _mm256_castsi256_ps(_mm256_or_si256(upper, _mm256_srli_epi32(round_to_bf16(low), 16)));
}
/* Of x[0], x[1], ... of two vectors in a row. */
static inline vec vec_narrow_pairs(vec first, vec second) {
  __m256d even = _mm256_castps_pd(_mm256_shuffle_ps(first, second, 0x88)),
          odd = _mm256_castps_pd(_mm256_shuffle_ps(first, second, 0xdd));
  return vec_join_pairs(_mm256_castpd_ps(_mm256_permute4x64_pd(even, 0xd8)),
                        _mm256_castpd_ps(_mm256_permute4x64_pd(odd, 0xd8)));
}

/* ---- integers ---- */

typedef __m256i ivec; /* 8 x int32 */

#define ACTIVATION_OFFSET 0
#if defined(__AVXVNNI__)
#define WEIGHT_LIMIT 127
#define INT8_RATE 4
#define INT16_RATE 2
static inline ivec ivec_dot(ivec sum, ivec u, ivec s) { return _mm256_dpbusd_avx_epi32(sum, u, s); }
/* In words of the assembler: gcc 12 copies sums to other registers around the intrinsic, and to
 * memory where these run out. */
static inline ivec ivec_dot_int16(ivec sum, ivec a, ivec b) {
  __asm__("%{vex%} vpdpwssd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
  return sum;
}
#else
#define INT16_RATE 1
#define WEIGHT_LIMIT 63 /* 2 * 255 * 63 fits the 16 bits of vpmaddubsw, which saturates */
#define INT8_RATE 2
static inline ivec ivec_dot(ivec sum, ivec u, ivec s) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1)));
}
static inline ivec ivec_dot_int16(ivec sum, ivec a, ivec b) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
#endif

static inline ivec ivec_set(int32_t x) { return _mm256_set1_epi32(x); }
static inline ivec ivec_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i_u *)p); }
static inline ivec ivec_load_part(const int32_t *p, size_t count) {
  return _mm256_maskload_epi32(p, first_lanes(count));
}
static inline ivec ivec_load_aligned(const int8_t *p) {
  return _mm256_load_si256((const __m256i *)p);
}
static inline void ivec_store(int32_t *p, ivec v) { _mm256_storeu_si256((__m256i_u *)p, v); }
static inline ivec ivec_broadcast(const uint8_t *p) {
  int32_t four;
  memcpy(&four, p, sizeof four);
  return _mm256_set1_epi32(four);
}
static inline ivec ivec_add(ivec a, ivec b) { return _mm256_add_epi32(a, b); }
static inline ivec ivec_sub(ivec a, ivec b) { return _mm256_sub_epi32(a, b); }
static inline ivec ivec_mul(ivec a, ivec b) { return _mm256_mullo_epi32(a, b); }
static inline ivec ivec_round(vec v) { return _mm256_cvtps_epi32(v); }
/* The lowest bytes of four, side by side, the first in front. */
static inline ivec ivec_join_bytes(const ivec v[4]) {
  const ivec byte = _mm256_set1_epi32(255);
  ivec low = _mm256_or_si256(_mm256_and_si256(v[0], byte),
                             _mm256_slli_epi32(_mm256_and_si256(v[1], byte), 8)),
       high = _mm256_or_si256(_mm256_and_si256(v[2], byte), _mm256_slli_epi32(v[3], 8));
  return _mm256_or_si256(low, _mm256_slli_epi32(high, 16));
}
/* The lower halves of two, side by side, the first in front. */
static inline ivec ivec_join_int16(ivec low, ivec high) {
  return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xaa);
}
/* The 8 values, cut to int16. */
static inline void ivec_store_int16(int16_t *p, ivec v) {
  _mm_storeu_si128((__m128i_u *)p,
                   _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
}
static inline vec vec_from(ivec v) { return _mm256_cvtepi32_ps(v); }
/* The 8 values, cut to 0..255. */
static inline void ivec_store_bytes(uint8_t *p, ivec v) {
  __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  _mm_storel_epi64((__m128i_u *)p,
                   _mm_packus_epi16(_mm_min_epu16(words, _mm_set1_epi16(255)), words));
}
#endif
