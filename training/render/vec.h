/* SPDX-License-Identifier: Apache-2.0
 *
 * vec.h: vectors, elementary functions, random numbers and noise for the studio world.
 *
 * Every function is plain IEEE single arithmetic (sqrtf is exact), so that a picture has the
 * same bytes with every libc and compiler. For the same reason: never two random draws in one
 * expression, C does not fix their order.
 */
#ifndef MSK_TRAINING_VEC_H
#define MSK_TRAINING_VEC_H

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct {
  float x, y, z;
} v3;

#define PI_F 3.14159265f

static inline v3 v3_make(float x, float y, float z) {
  v3 r = {x, y, z};
  return r;
}

static inline v3 v3_add(v3 a, v3 b) { return v3_make(a.x + b.x, a.y + b.y, a.z + b.z); }
static inline v3 v3_sub(v3 a, v3 b) { return v3_make(a.x - b.x, a.y - b.y, a.z - b.z); }
static inline v3 v3_scale(v3 a, float s) { return v3_make(a.x * s, a.y * s, a.z * s); }
static inline v3 v3_mul(v3 a, v3 b) { return v3_make(a.x * b.x, a.y * b.y, a.z * b.z); }
static inline v3 v3_mad(v3 a, v3 b, float s) {
  return v3_make(a.x + b.x * s, a.y + b.y * s, a.z + b.z * s);
}
static inline float v3_dot(v3 a, v3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static inline float v3_len(v3 a) { return sqrtf(v3_dot(a, a)); }
static inline v3 v3_unit(v3 a) { return v3_scale(a, 1.0f / (v3_len(a) + 1e-12f)); }
static inline v3 v3_mix(v3 a, v3 b, float t) { return v3_mad(a, v3_sub(b, a), t); }

static inline v3 v3_cross(v3 a, v3 b) {
  return v3_make(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x);
}

static inline float f_min(float a, float b) { return a < b ? a : b; }
static inline float f_max(float a, float b) { return a > b ? a : b; }
static inline float f_clamp(float x, float lo, float hi) { return x < lo ? lo : x > hi ? hi : x; }
static inline float f_mix(float a, float b, float t) { return a + (b - a) * t; }
static inline float f_sq(float x) { return x * x; }

static inline int f_floor(float x) {
  int i = (int)x;
  return i - (x < (float)i);
}

static inline float f_fract(float x) { return x - (float)f_floor(x); }

/* 0 below a, 1 above b, smooth between; a > b turns it round. */
static inline float f_step(float a, float b, float x) {
  float t = f_clamp((x - a) / (b - a), 0.0f, 1.0f);
  return t * t * (3.0f - 2.0f * t);
}

static inline float f_sin(float x) {
  float r = x * 0.159154943f;
  r -= (float)f_floor(r + 0.5f);
  r = r > 0.25f ? 0.5f - r : r < -0.25f ? -0.5f - r : r;
  r *= 6.28318531f;
  float q = r * r;
  return r * (1.0f -
              q * (0.166666667f - q * (8.33333333e-3f - q * (1.98412698e-4f - q * 2.75573e-6f))));
}

static inline float f_cos(float x) { return f_sin(x + 1.57079633f); }

static inline float f_exp2(float x) {
  x = f_clamp(x, -100.0f, 100.0f);
  int i = f_floor(x);
  float f = x - (float)i;
  float m = 1.0f + f * (0.693147182f +
                        f * (0.240226507f + f * (0.0555041f + f * (0.0096181f + f * 0.0013333f))));
  uint32_t bits = (uint32_t)(i + 127) << 23;
  float p;
  memcpy(&p, &bits, sizeof p);
  return m * p;
}

static inline float f_log2(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  int e = (int)(bits >> 23) - 127;
  bits = (bits & 0x7fffffu) | 0x3f800000u;
  float m;
  memcpy(&m, &bits, sizeof m);
  float t = (m - 1.0f) / (m + 1.0f), q = t * t;
  return (float)e +
         2.88539008f * t * (1.0f + q * (0.333333333f + q * (0.2f + q * (0.142857f + q * 0.1111f))));
}

/* x^y for x >= 0. */
static inline float f_pow(float x, float y) { return x <= 1e-20f ? 0.0f : f_exp2(y * f_log2(x)); }

/* Angle of (x, y) in turns, -0.5..0.5; error below 1e-4. */
static inline float f_turns(float y, float x) {
  float ax = fabsf(x), ay = fabsf(y), hi = f_max(ax, ay), lo = f_min(ax, ay);
  float t = lo / (hi + 1e-20f), q = t * t;
  float a = t * (0.15915494f -
                 q * (0.0530516f - q * (0.0318f - q * (0.0216f - q * (0.0117f - q * 0.00318f)))));
  a = ay > ax ? 0.25f - a : a;
  a = x < 0.0f ? 0.5f - a : a;
  return y < 0.0f ? -a : a;
}

/* ---- random numbers: SplitMix64 ---- */

struct rng {
  uint64_t state;
};

static inline uint32_t rng_next(struct rng *r) {
  uint64_t z = (r->state += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return (uint32_t)((z ^ (z >> 31)) >> 32);
}

static inline float rng_range(struct rng *r, float lo, float hi) {
  return lo + (hi - lo) * ((float)(rng_next(r) >> 8) * (1.0f / 16777216.0f));
}

static inline int rng_int(struct rng *r, int n) {
  return (int)(((uint64_t)rng_next(r) * (uint64_t)n) >> 32);
}
static inline int rng_chance(struct rng *r, float p) { return rng_range(r, 0.0f, 1.0f) < p; }
static inline float rng_sign(struct rng *r) { return (rng_next(r) & 0x80000000u) ? 1.0f : -1.0f; }

/* ---- noise ---- */

static inline float noise_hash(int x, int y, int z) {
  uint32_t h = (uint32_t)x * 374761393u + (uint32_t)y * 668265263u + (uint32_t)z * 2147483647u;
  h = (h ^ (h >> 13)) * 1274126177u;
  h ^= h >> 16;
  return (float)(h & 0xffffu) * (1.0f / 65535.0f);
}

/* Smooth value noise in 0..1, one cell a unit. */
static inline float noise3(float px, float py, float pz) {
  int x = f_floor(px), y = f_floor(py), z = f_floor(pz);
  float fx = px - (float)x, fy = py - (float)y, fz = pz - (float)z;
  fx = fx * fx * (3.0f - 2.0f * fx);
  fy = fy * fy * (3.0f - 2.0f * fy);
  fz = fz * fz * (3.0f - 2.0f * fz);
  float a = f_mix(noise_hash(x, y, z), noise_hash(x + 1, y, z), fx);
  float b = f_mix(noise_hash(x, y + 1, z), noise_hash(x + 1, y + 1, z), fx);
  float c = f_mix(noise_hash(x, y, z + 1), noise_hash(x + 1, y, z + 1), fx);
  float d = f_mix(noise_hash(x, y + 1, z + 1), noise_hash(x + 1, y + 1, z + 1), fx);
  return f_mix(f_mix(a, b, fy), f_mix(c, d, fy), fz);
}

/* ---- colour: display values 0..1 in, linear light out ---- */

static inline v3 colour_linear(v3 c) {
  return v3_make(f_pow(c.x, 2.2f), f_pow(c.y, 2.2f), f_pow(c.z, 2.2f));
}

static inline float colour_hue_wave(float h, float offset) {
  float t = f_fract(h + offset) * 6.0f;
  return f_clamp(fabsf(t - 3.0f) - 1.0f, 0.0f, 1.0f);
}

static inline v3 colour_hsv(float h, float s, float v) {
  float r = colour_hue_wave(h, 0.0f), g = colour_hue_wave(h, 2.0f / 3.0f),
        b = colour_hue_wave(h, 1.0f / 3.0f);
  return v3_make(v * (1.0f - s + s * r), v * (1.0f - s + s * g), v * (1.0f - s + s * b));
}

/* A random colour in ranges of hue, saturation and value, as linear light. */
static inline v3 rng_colour(struct rng *r, float h0, float h1, float s0, float s1, float b0,
                            float b1) {
  float h = rng_range(r, h0, h1), s = rng_range(r, s0, s1);
  float v = rng_range(r, b0, b1);
  return colour_linear(colour_hsv(h, s, v));
}

/* A colour that paint and cloth really have: seldom magenta or poison green, and then subdued. */
static inline v3 rng_paint(struct rng *r, float s0, float s1, float b0, float b1) {
  float kind = rng_range(r, 0.0f, 1.0f), h = rng_range(r, 0.0f, 1.0f), s = rng_range(r, s0, s1);
  float v = rng_range(r, b0, b1);
  if (kind < 0.42f)
    h = 0.97f + 0.18f * h; /* red, orange, yellow */
  else if (kind < 0.75f)
    h = 0.48f + 0.18f * h; /* teal, blue */
  else
    s *= h > 0.17f && h < 0.44f ? 0.8f : h > 0.7f && h < 0.95f ? 0.6f : 1.0f;
  return colour_linear(colour_hsv(h, s, v));
}

#endif
