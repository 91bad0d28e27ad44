/* SPDX-License-Identifier: Apache-2.0
 *
 * flat.c: pictures between drawing and photograph: cartoon, grey shading, coloured pencil.
 */
#include "scene.h"

#include <stdlib.h>

static v3 display(v3 c) {
  return v3_make(f_pow(f_min(c.x, 1.0f), 0.4545f), f_pow(f_min(c.y, 1.0f), 0.4545f),
                 f_pow(f_min(c.z, 1.0f), 0.4545f));
}

static void put(uint8_t *out, size_t k, v3 c) {
  out[3 * k] = (uint8_t)(f_clamp(c.x, 0.0f, 1.0f) * 255.0f + 0.5f);
  out[3 * k + 1] = (uint8_t)(f_clamp(c.y, 0.0f, 1.0f) * 255.0f + 0.5f);
  out[3 * k + 2] = (uint8_t)(f_clamp(c.z, 0.0f, 1.0f) * 255.0f + 0.5f);
}

/* Flat colour in three tones under ink lines. */
static void cartoon(const struct picture *pic, const float *ink, struct rng *r, uint8_t *out) {
  size_t count = (size_t)pic->size * (size_t)pic->size;
  int white = rng_chance(r, 0.5f);
  v3 paper = rng_colour(r, 0.0f, 1.0f, 0.05f, 0.4f, 0.8f, 1.0f);
  if (white) paper = v3_make(1.0f, 1.0f, 1.0f);
  paper = display(paper);
  for (size_t k = 0; k < count; k++) {
    const struct sample *a = &pic->sample[k];
    float tone =
        0.6f + 0.22f * f_step(0.2f, 0.27f, a->light) + 0.2f * f_step(0.5f, 0.57f, a->light);
    v3 c = a->part ? v3_scale(display(a->flat), tone) : paper;
    put(out, k, v3_mix(c, v3_make(0.06f, 0.05f, 0.05f), ink[k]));
  }
}

static void shade(const struct picture *pic, const float *ink, uint8_t *out) {
  size_t count = (size_t)pic->size * (size_t)pic->size;
  for (size_t k = 0; k < count; k++) {
    const struct sample *a = &pic->sample[k];
    float v = a->part ? 0.15f + 0.8f * f_pow(a->light, 0.7f) : 1.0f;
    out[k] = (uint8_t)(255.0f * f_clamp(v * (1.0f - 0.55f * ink[k]), 0.0f, 1.0f) + 0.5f);
  }
}

/* Hatching in the object's colours, denser in the dark, and soft lines. */
static void coloured_pencil(const struct picture *pic, const float *ink, struct rng *r,
                            uint8_t *out) {
  int n = pic->size;
  float angle = rng_range(r, 0.0f, PI_F), cx = f_cos(angle), cy = f_sin(angle),
        f = 256.0f / (float)n;
  float seed = rng_range(r, 0.0f, 90.0f), press = rng_range(r, 0.7f, 0.95f);
  for (int y = 0; y < n; y++)
    for (int x = 0; x < n; x++) {
      size_t k = (size_t)y * (size_t)n + (size_t)x;
      const struct sample *a = &pic->sample[k];
      float u = ((float)x * cx + (float)y * cy) * f, v = ((float)y * cx - (float)x * cy) * f;
      float hatch = 0.7f * noise3(u * 0.07f, v * 0.55f, seed) +
                    0.3f * noise3(u * 0.9f, v * 0.9f, seed + 4.0f);
      float tone = a->part ? 0.95f - 0.6f * a->light : 0.0f;
      float cover = a->part ? f_clamp((tone - hatch) * 2.2f + 0.62f, 0.12f, 1.0f) * press : 0.0f;
      v3 c = v3_mix(v3_make(0.985f, 0.98f, 0.97f), v3_scale(display(a->flat), 0.95f), cover);
      float line = ink[k] * (0.55f + 0.3f * noise3((float)x * f, (float)y * f, seed));
      put(out, k, v3_mix(c, v3_make(0.2f, 0.17f, 0.17f), line));
    }
}

int flat_render(const struct picture *pic, const struct strokes *s, const struct world_views *v,
                uint64_t seed) {
  if (!v->cartoon && !v->shade && !v->coloured_pencil) return 0;
  float *ink = malloc(sizeof *ink * (size_t)pic->size * (size_t)pic->size);
  if (!ink) return -1;
  struct rng r = {seed ^ 0x2545F4914F6CDD1Dull};
  hands_draw(s, pic->size, rng_chance(&r, 0.5f) ? 0 : 1, &r, ink);
  struct rng rc = {seed + 1}, rp = {seed + 2};
  if (v->cartoon) cartoon(pic, ink, &rc, v->cartoon);
  if (v->shade) shade(pic, ink, v->shade);
  if (v->coloured_pencil) {
    struct rng rh = {seed + 3};
    hands_draw(s, pic->size, 3, &rh, ink);
    coloured_pencil(pic, ink, &rp, v->coloured_pencil);
  }
  free(ink);
  return 0;
}
