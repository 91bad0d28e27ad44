// SPDX-License-Identifier: Apache-2.0
// Softmax of attention rows in bfloat16, and the pair loss's distances between attention maps, both with their gradients.
//
// Owns: the element-wise work of a transformer step, which costs more than its matrix products where those run on AMX.
// Does not own: any Python; attention.py loads this file and says the same in PyTorch for GPUs and machines without a compiler.
// Shapes: rows of n values, row-major. Invariant: n <= MAX_N; each row by itself, so thread counts do not change results.
#include <math.h>
#include <stdint.h>
#include <string.h>

#define MAX_N 2048

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

void softmax_forward(const bf16 *s, bf16 *p, long rows, int n, float scale) {
#pragma omp parallel for
  for (long r = 0; r < rows; r++) {
    const bf16 *x = s + r * n;
    float e[MAX_N], top = -3e38f, sum = 0;
    for (int j = 0; j < n; j++) e[j] = widen(x[j]) * scale;
    for (int j = 0; j < n; j++) top = e[j] > top ? e[j] : top;
    for (int j = 0; j < n; j++) {
      e[j] = expf(e[j] - top);
      sum += e[j];
    }
    const float k = 1 / sum;
    for (int j = 0; j < n; j++) p[r * n + j] = narrow(e[j] * k);
  }
}

void softmax_backward(const bf16 *p, const bf16 *gp, bf16 *gs, long rows, int n, float scale) {
#pragma omp parallel for
  for (long r = 0; r < rows; r++) {
    const bf16 *y = p + r * n, *g = gp + r * n;
    float dot = 0;
    for (int j = 0; j < n; j++) dot += widen(y[j]) * widen(g[j]);
    for (int j = 0; j < n; j++) gs[r * n + j] = narrow(widen(y[j]) * (widen(g[j]) - dot) * scale);
  }
}

// log-softmax of x into l, softmax into p.
static void row_logs(const float *x, float *l, float *p, int n) {
  float top = -3e38f, sum = 0;
  for (int j = 0; j < n; j++) top = x[j] > top ? x[j] : top;
  for (int j = 0; j < n; j++) {
    p[j] = expf(x[j] - top);
    sum += p[j];
  }
  const float log_sum = top + logf(sum), k = 1 / sum;
  for (int j = 0; j < n; j++) {
    p[j] *= k;
    l[j] = x[j] - log_sum;
  }
}

// x, y: logits of two maps, [items][heads][n][n]; out [items][n] += symmetric KL of the rows, averaged over heads.
void distance_forward(const float *x, const float *y, float *out, int items, int heads, int n) {
#pragma omp parallel for
  for (long t = 0; t < (long)items * n; t++) {
    const long item = t / n, row = t % n;
    float total = 0, lx[MAX_N], px[MAX_N], ly[MAX_N], py[MAX_N];
    for (int h = 0; h < heads; h++) {
      const long at = ((item * heads + h) * n + row) * n;
      row_logs(x + at, lx, px, n);
      row_logs(y + at, ly, py, n);
      float s = 0;
      for (int j = 0; j < n; j++) s += (px[j] - py[j]) * (lx[j] - ly[j]);
      total += s;
    }
    out[t] += total / heads;
  }
}

// g [items][n]: gradient of the distances; gx, gy += gradients of the logits.
void distance_backward(const float *x, const float *y, const float *g, float *gx, float *gy,
                       int items, int heads, int n) {
#pragma omp parallel for
  for (long t = 0; t < (long)items * n; t++) {
    const long item = t / n, row = t % n;
    const float k = g[t] / heads;
    float lx[MAX_N], px[MAX_N], ly[MAX_N], py[MAX_N];
    for (int h = 0; h < heads && k != 0; h++) {
      const long at = ((item * heads + h) * n + row) * n;
      row_logs(x + at, lx, px, n);
      row_logs(y + at, ly, py, n);
      float sx = 0, sy = 0;
      for (int j = 0; j < n; j++) {
        const float d = lx[j] - ly[j], e = px[j] - py[j];
        lx[j] = px[j] * d + e;
        ly[j] = -py[j] * d - e;
        sx += lx[j];
        sy += ly[j];
      }
      for (int j = 0; j < n; j++) {
        gx[at + j] += k * (lx[j] - px[j] * sx);
        gy[at + j] += k * (ly[j] - py[j] * sy);
      }
    }
  }
}
