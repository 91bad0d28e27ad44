/* SPDX-License-Identifier: Apache-2.0
 *
 * hands.c: the same strokes drawn by different hands.
 *
 * A hand has a pen (width, pressure), a tremor (fine wobble), a bad eye (slow drift), and
 * habits: lines it leaves out, gaps, second strokes, lines that run past their end. All are
 * random within the hand's range.
 */
#include "scene.h"

#include <stdlib.h>

struct hand_style {
  float radius, radius_vary;         /* of the pen, in picture widths */
  float drift, tremor, tremor_waves; /* amplitudes in picture widths; waves across the picture */
  float skip[STROKE_DECAL + 1];      /* chance to leave a stroke of a kind out */
  /* share of the line not drawn; chance of a second stroke; picture widths */
  float gap, second, overshoot;
  float ink, ink_vary, paper, grain; /* darkness 0..1, paper white, paper grain in the line */
};

static void style_pick(struct hand_style *h, int hand, struct rng *r) {
  static const struct hand_style base[WORLD_HANDS] = {
      {0.0042f,
       0.1f,
       0.0f,
       0.0f,
       8.0f,
       {0, 0, 0, 0, 0.1f},
       0.0f,
       0.0f,
       0.0f,
       1.0f,
       0.0f,
       1.0f,
       0.0f},
      {0.0045f,
       0.4f,
       0.014f,
       0.0035f,
       12.0f,
       {0, 0, 0.08f, 0.15f, 0.35f},
       0.02f,
       0.12f,
       0.006f,
       0.95f,
       0.15f,
       1.0f,
       0.0f},
      {0.0125f,
       0.25f,
       0.013f,
       0.002f,
       6.0f,
       {0, 0, 0.12f, 0.35f, 0.75f},
       0.0f,
       0.0f,
       0.004f,
       1.0f,
       0.05f,
       1.0f,
       0.0f},
      {0.0032f,
       0.5f,
       0.009f,
       0.0025f,
       9.0f,
       {0, 0, 0.05f, 0.1f, 0.25f},
       0.14f,
       0.6f,
       0.015f,
       0.72f,
       0.4f,
       0.98f,
       0.55f},
      {0.0060f,
       0.3f,
       0.008f,
       0.0015f,
       8.0f,
       {0, 0, 1, 1, 1},
       0.01f,
       0.05f,
       0.0f,
       0.97f,
       0.1f,
       1.0f,
       0.0f},
  };
  *h = base[hand];
  h->radius *= rng_range(r, 0.7f, 1.45f);
  h->drift *= rng_range(r, 0.3f, 1.3f);
  h->tremor *= rng_range(r, 0.3f, 1.3f);
  h->tremor_waves *= rng_range(r, 0.7f, 1.4f);
  h->gap *= rng_range(r, 0.3f, 1.5f);
  h->ink *= rng_range(r, 0.85f, 1.0f);
  h->paper *= rng_chance(r, 0.6f) ? 1.0f : rng_range(r, 0.93f, 1.0f);
}

/* One stretch of the pen; the darker value stays. */
static void pen(float *ink, int size, float ax, float ay, float bx, float by, float radius,
                float dark) {
  float reach = radius + 1.0f;
  int x0 = f_floor(f_min(ax, bx) - reach), x1 = f_floor(f_max(ax, bx) + reach) + 1;
  int y0 = f_floor(f_min(ay, by) - reach), y1 = f_floor(f_max(ay, by) + reach) + 1;
  x0 = x0 < 0 ? 0 : x0;
  y0 = y0 < 0 ? 0 : y0;
  x1 = x1 > size ? size : x1;
  y1 = y1 > size ? size : y1;
  float dx = bx - ax, dy = by - ay, inv = 1.0f / (dx * dx + dy * dy + 1e-6f);
  for (int y = y0; y < y1; y++)
    for (int x = x0; x < x1; x++) {
      float px = (float)x + 0.5f - ax, py = (float)y + 0.5f - ay;
      float t = f_clamp((px * dx + py * dy) * inv, 0.0f, 1.0f);
      float ex = px - dx * t, ey = py - dy * t;
      float c = f_clamp(radius + 0.5f - sqrtf(ex * ex + ey * ey), 0.0f, 1.0f) * dark;
      float *p = &ink[(size_t)y * (size_t)size + (size_t)x];
      *p = c > *p ? c : *p;
    }
}

/* Where the hand puts a point: slow drift and fine tremor, the same for all strokes that meet
 * there. */
static void misplace(const struct hand_style *h, float seed, float size, float *x, float *y) {
  float u = *x / size, v = *y / size, w = h->tremor_waves;
  float sx = noise3(u * 3.0f, v * 3.0f, seed) - 0.5f,
        sy = noise3(u * 3.0f, v * 3.0f, seed + 9.0f) - 0.5f;
  float tx = noise3(u * w, v * w, seed + 3.0f) - 0.5f,
        ty = noise3(u * w, v * w, seed + 5.0f) - 0.5f;
  *x += 2.0f * size * (h->drift * sx + h->tremor * tx);
  *y += 2.0f * size * (h->drift * sy + h->tremor * ty);
}

static void draw_stroke(const struct hand_style *h, const struct strokes *s, const struct stroke *k,
                        int size, float place, float seed, float *ink) {
  float n = (float)size, lx = 0.0f, ly = 0.0f, along = 0.0f;
  int count = k->count + (k->closed ? 1 : 0), inner = k->kind > STROKE_PART;
  for (int i = 0; i < count; i++) {
    int j = k->first + i % k->count;
    float x = s->x[j], y = s->y[j];
    if (!k->closed && h->overshoot > 0.0f && k->count > 4 && (i == 0 || i == count - 1)) {
      int o = i == 0 ? j + 2 : j - 2;
      float ex = x - s->x[o], ey = y - s->y[o], l = sqrtf(ex * ex + ey * ey) + 1e-3f;
      x += ex / l * h->overshoot * n;
      y += ey / l * h->overshoot * n;
    }
    misplace(h, place, n, &x, &y);
    float press = noise3(along * 6.0f / n, seed, 2.5f);
    float r = n * h->radius * (1.0f + h->radius_vary * (press - 0.5f)) * (inner ? 0.8f : 1.0f);
    float lift = noise3(along * 9.0f / n, seed + 17.0f, 7.5f);
    float dark = h->ink * (1.0f - h->ink_vary * (1.0f - press));
    if (i > 0 && lift > 0.78f * h->gap) pen(ink, size, lx, ly, x, y, f_max(r, 0.45f), dark);
    along += sqrtf(f_sq(x - lx) + f_sq(y - ly)) * (i > 0 ? 1.0f : 0.0f);
    lx = x;
    ly = y;
  }
}

static void draw_with(const struct hand_style *h, const struct strokes *s, int size, struct rng *r,
                      float *ink) {
  float place = rng_range(r, 0.0f, 90.0f);
  for (int i = 0; i < s->n; i++) {
    const struct stroke *k = &s->stroke[i];
    float seed = rng_range(r, 0.0f, 900.0f);
    int skip = rng_chance(r, h->skip[k->kind]), twice = rng_chance(r, h->second);
    if (skip) continue;
    draw_stroke(h, s, k, size, place, seed, ink);
    if (twice) draw_stroke(h, s, k, size, place + 0.35f, seed + 400.0f, ink);
  }
}

float hands_draw(const struct strokes *s, int size, int hand, struct rng *rng, float *ink) {
  struct hand_style h;
  style_pick(&h, hand, rng);
  memset(ink, 0, sizeof *ink * (size_t)size * (size_t)size);
  draw_with(&h, s, size, rng, ink);
  float f = 300.0f / (float)size;
  for (int y = 0; y < size && h.grain > 0.0f; y++)
    for (int x = 0; x < size; x++)
      ink[(size_t)y * (size_t)size + (size_t)x] *=
          1.0f - h.grain * noise3((float)x * f, (float)y * f, 3.3f);
  return h.paper;
}

int hands_render(const struct picture *pic, const struct strokes *s, const struct world_views *v,
                 uint64_t seed) {
  size_t count = (size_t)pic->size * (size_t)pic->size;
  float *ink = malloc(sizeof *ink * count);
  if (!ink) return -1;
  for (int i = 0; i < WORLD_HANDS; i++) {
    struct rng r = {seed ^ ((uint64_t)0x5851F42D4C957F2D * (uint64_t)(i + 1))};
    if (!v->hands[i]) continue;
    float paper = hands_draw(s, pic->size, i, &r, ink);
    for (size_t k = 0; k < count; k++)
      v->hands[i][k] = (uint8_t)(255.0f * paper * (1.0f - ink[k]) + 0.5f);
  }
  free(ink);
  return 0;
}
