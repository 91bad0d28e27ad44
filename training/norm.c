// SPDX-License-Identifier: Apache-2.0
// Fused GroupNorm + affine + SiLU on bfloat16 NHWC activations, forward and backward.
//
// Owns: the one layer that dominates tokenizer training on a CPU (PyTorch's bf16 GroupNorm backward took two thirds of a step).
// Does not own: any Python; norm.py loads this file and falls back to plain PyTorch where no compiler is found or the device is a GPU.
// Shapes: x, y, gy, gx are [N][P][C] (P = H*W); w, b, gw, gb are [C]; stat is [N][G][2] = mean, 1/std.
// Invariant: C <= MAX_C and C a multiple of 16; sums are kept per picture, so results do not depend on the number of threads.
#include <math.h>
#include <stdint.h>
#include <string.h>

#define MAX_C 512

typedef uint16_t bf16;

static inline float widen(bf16 x) {
  uint32_t u = (uint32_t)x << 16;
  float r;
  memcpy(&r, &u, 4);
  return r;
}

static inline bf16 narrow(float x) {
  uint32_t u;
  memcpy(&u, &x, 4);
  return (bf16)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

void norm_forward(const bf16 *x, const float *w, const float *b, bf16 *y, float *stat, int n,
                  long p, int c, int g, float eps) {
  const int per = c / g;
#pragma omp parallel for
  for (int i = 0; i < n; i++) {
    const bf16 *xi = x + (size_t)i * p * c;
    bf16 *yi = y + (size_t)i * p * c;
    float sum[MAX_C] = {0}, sq[MAX_C] = {0}, scale[MAX_C], shift[MAX_C];
    for (long q = 0; q < p; q++)
      for (int k = 0; k < c; k++) {
        const float v = widen(xi[q * c + k]);
        sum[k] += v;
        sq[k] += v * v;
      }
    for (int j = 0; j < g; j++) {
      double s = 0, t = 0;
      for (int k = j * per; k < (j + 1) * per; k++) {
        s += sum[k];
        t += sq[k];
      }
      const double m = s / ((double)p * per), v = t / ((double)p * per) - m * m;
      const float r = (float)(1.0 / sqrt((v > 0 ? v : 0) + eps));
      stat[(i * g + j) * 2] = (float)m;
      stat[(i * g + j) * 2 + 1] = r;
      for (int k = j * per; k < (j + 1) * per; k++) {
        scale[k] = w[k] * r;
        shift[k] = b[k] - (float)m * w[k] * r;
      }
    }
    for (long q = 0; q < p; q++)
      for (int k = 0; k < c; k++) {
        const float v = widen(xi[q * c + k]) * scale[k] + shift[k];
        yi[q * c + k] = narrow(v / (1 + expf(-v)));
      }
  }
}

// part is scratch [N][C][2]; gx first holds the gradient behind the SiLU, then is turned into the gradient of x in place.
void norm_backward(const bf16 *x, const float *w, const float *b, const bf16 *gy, const float *stat,
                   bf16 *gx, float *gw, float *gb, float *part, int n, long p, int c, int g) {
  const int per = c / g;
#pragma omp parallel for
  for (int i = 0; i < n; i++) {
    const bf16 *xi = x + (size_t)i * p * c, *gi = gy + (size_t)i * p * c;
    bf16 *oi = gx + (size_t)i * p * c;
    float scale[MAX_C], shift[MAX_C], s[MAX_C] = {0}, t[MAX_C] = {0};
    for (int k = 0; k < c; k++) {
      const float m = stat[(i * g + k / per) * 2], r = stat[(i * g + k / per) * 2 + 1];
      scale[k] = w[k] * r;
      shift[k] = b[k] - m * w[k] * r;
    }
    for (long q = 0; q < p; q++)
      for (int k = 0; k < c; k++) {
        const float xv = widen(xi[q * c + k]), v = xv * scale[k] + shift[k];
        const float e = 1 / (1 + expf(-v)), d = widen(gi[q * c + k]) * e * (1 + v * (1 - e));
        oi[q * c + k] = narrow(d);
        s[k] += d;
        t[k] += d * xv;
      }
    float k0[MAX_C], k1[MAX_C], k2[MAX_C];
    for (int j = 0; j < g; j++) {
      const float m = stat[(i * g + j) * 2], r = stat[(i * g + j) * 2 + 1];
      double a = 0, h = 0;
      for (int k = j * per; k < (j + 1) * per; k++) {
        const double hat = (t[k] - (double)m * s[k]) * r;
        part[((size_t)i * c + k) * 2] = (float)hat;
        part[((size_t)i * c + k) * 2 + 1] = s[k];
        a += w[k] * (double)s[k];
        h += w[k] * hat;
      }
      a /= (double)p * per;
      h /= (double)p * per;
      for (int k = j * per; k < (j + 1) * per; k++) {
        k0[k] = w[k] * r;
        k1[k] = (float)(-r * r * h);
        k2[k] = (float)(-r * a + r * r * h * m);
      }
    }
    for (long q = 0; q < p; q++)
      for (int k = 0; k < c; k++)
        oi[q * c + k] = narrow(widen(oi[q * c + k]) * k0[k] + widen(xi[q * c + k]) * k1[k] + k2[k]);
  }
  for (int k = 0; k < c; k++) {
    gw[k] = gb[k] = 0;
    for (int i = 0; i < n; i++) {
      gw[k] += part[((size_t)i * c + k) * 2];
      gb[k] += part[((size_t)i * c + k) * 2 + 1];
    }
  }
}
