/* SPDX-License-Identifier: Apache-2.0
 *
 * plain.c: the plain style: the same shapes with few colours, smooth surfaces and one studio.
 *
 * Why: what a small network must spend on textures, hues and lights it cannot spend on shapes.
 * The rich style has more pictures than hours on a processor can teach; the plain one keeps
 * every shape, and its photographs come out crisp. Works on a finished scene, so both styles of
 * one seed show the very same object.
 */
#include "scene.h"

#include <stddef.h>

/* Display values. Every material takes the nearest. */
static const v3 PALETTE[] = {
    {0.94f, 0.93f, 0.90f}, /* white */
    {0.93f, 0.84f, 0.66f}, /* cream */
    {0.76f, 0.76f, 0.77f}, /* light grey */
    {0.50f, 0.51f, 0.53f}, /* grey */
    {0.13f, 0.13f, 0.15f}, /* black */
    {0.78f, 0.14f, 0.12f}, /* red */
    {0.92f, 0.50f, 0.14f}, /* orange */
    {0.95f, 0.79f, 0.20f}, /* yellow */
    {0.24f, 0.50f, 0.20f}, /* green */
    {0.56f, 0.74f, 0.26f}, /* apple green */
    {0.16f, 0.58f, 0.60f}, /* teal */
    {0.20f, 0.41f, 0.74f}, /* blue */
    {0.45f, 0.27f, 0.15f}, /* brown */
    {0.72f, 0.53f, 0.33f}, /* tan */
    {0.90f, 0.60f, 0.64f}, /* pink */
};

static const v3 BACKDROPS[] = {
    {0.84f, 0.84f, 0.85f}, /* light grey */
    {0.90f, 0.86f, 0.79f}, /* warm white */
    {0.70f, 0.79f, 0.88f}, /* pale blue */
    {0.76f, 0.85f, 0.77f}, /* pale green */
    {0.90f, 0.78f, 0.75f}, /* pale rose */
    {0.40f, 0.43f, 0.50f}, /* slate */
};

enum { COLOURS = sizeof PALETTE / sizeof *PALETTE, WALLS = sizeof BACKDROPS / sizeof *BACKDROPS };

static v3 display(v3 c) {
  return v3_make(f_pow(f_clamp(c.x, 0.0f, 1.0f), 0.4545f), f_pow(f_clamp(c.y, 0.0f, 1.0f), 0.4545f),
                 f_pow(f_clamp(c.z, 0.0f, 1.0f), 0.4545f));
}

static float apart(v3 a, v3 b) {
  v3 d = v3_sub(a, b);
  return 2.0f * d.x * d.x + 3.0f * d.y * d.y + d.z * d.z;
}

static v3 snap(v3 linear) {
  v3 c = display(linear);
  size_t best = 0;
  for (size_t i = 1; i < COLOURS; i++)
    if (apart(c, PALETTE[i]) < apart(c, PALETTE[best])) best = i;
  return colour_linear(PALETTE[best]);
}

static void plain_material(struct material *m) {
  m->base = snap(m->base);
  m->alt = snap(m->alt);
  m->third = snap(m->third);
  m->grain = 0.0f;
  m->bump = m->pattern == PATTERN_FOLIAGE ? 0.7f : 0.0f;
  m->gloss = m->gloss > 0.02f ? 0.05f : 0.0f;
  m->rough = m->gloss > 0.0f ? 0.25f : 1.0f;
  switch (m->pattern) {
    case PATTERN_BANDS:
    case PATTERN_DOTS:
    case PATTERN_STRIPES:
    case PATTERN_DIPPED:
    case PATTERN_BIRD: m->pattern = PATTERN_PLAIN; break;
    case PATTERN_APPLE: m->alt = m->third = m->base; break;
    case PATTERN_FISH: m->extra = 9.0f; break;
    case PATTERN_SAIL: m->extra = 0.0f; break;
    case PATTERN_HULL: m->phase = -9.0f, m->amount = 9.0f; break;
    default: break;
  }
}

void plain_scene(struct scene *s) {
  s->plain = 1;
  for (int i = 0; i < s->nmaterial; i++) plain_material(&s->material[i]);
  for (int i = 0; i < s->nsolid; i++) s->solid[i].wave *= 0.6f;
  s->view.pitch *= 0.6f;
  s->view.roll *= 0.6f;
  s->view.lens = 4.5f;
}

void wide_scene(struct scene *s, uint64_t seed) {
  struct rng rng = {seed ^ 0x9FB21C651E98DF25ull};
  if (rng_chance(&rng, 0.5f)) return;
  float u = rng_range(&rng, 0.0f, 1.0f);
  s->view.fill = 0.36f + 0.6f * sqrtf(u);
  s->view.at_x = rng_range(&rng, 0.0f, 1.0f);
  s->view.at_y = rng_range(&rng, 0.0f, 1.0f);
  if (rng_chance(&rng, 0.5f)) s->view.roll += rng_range(&rng, -0.45f, 0.45f);
}

v3 plain_backdrop(const struct scene *s, struct rng *rng) {
  size_t first = (size_t)rng_int(rng, WALLS), best = first;
  float best_apart = -1.0f;
  /* the first of three that is unlike the object's first materials */
  for (size_t k = 0; k < 3; k++) {
    size_t at = (first + 2 * k) % WALLS;
    float d = apart(BACKDROPS[at], display(s->material[0].base));
    if (s->nmaterial > 1) d = f_min(d, apart(BACKDROPS[at], display(s->material[1].base)) + 0.05f);
    if (best_apart < 0.2f && d > best_apart) best = at, best_apart = d;
  }
  return colour_linear(BACKDROPS[best]);
}
