/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes.h: helpers that the shapes of several classes share.
 */
#ifndef MSK_TRAINING_SHAPES_H
#define MSK_TRAINING_SHAPES_H

#include "scene.h"

static inline float pick(struct rng *r, float lo, float hi) { return rng_range(r, lo, hi); }

/* Camera: yaw as given, pitch in a range, a little roll, any lens. */
static inline void set_view(struct scene *s, float yaw, float pitch0, float pitch1) {
  s->view.yaw = yaw;
  s->view.pitch = pick(&s->rng, pitch0, pitch1);
  s->view.roll = pick(&s->rng, -0.05f, 0.05f);
  s->view.lens = pick(&s->rng, 3.2f, 5.5f);
}

/* Yaw near a side view, from either side. */
static inline float side_yaw(struct rng *r, float spread) {
  float y = pick(r, -spread, spread);
  return rng_int(r, 2) ? y : y + PI_F;
}

/* Colours of pottery and lacquer. */
static inline v3 natural_glaze(struct rng *r) {
  float kind = pick(r, 0.0f, 1.0f);
  /* cream, white */
  if (kind < 0.25f) return rng_colour(r, 0.05f, 0.15f, 0.02f, 0.18f, 0.75f, 0.95f);
  /* black, slate */
  if (kind < 0.4f) return rng_colour(r, 0.0f, 1.0f, 0.0f, 0.15f, 0.1f, 0.35f);
  /* terracotta, ochre */
  if (kind < 0.6f) return rng_colour(r, 0.02f, 0.12f, 0.4f, 0.75f, 0.4f, 0.85f);
  if (kind < 0.8f) return rng_colour(r, 0.45f, 0.66f, 0.3f, 0.75f, 0.3f, 0.8f); /* teal, blue */
  return rng_paint(r, 0.3f, 0.7f, 0.4f, 0.9f);
}

static inline struct solid *add_box(struct scene *s, int part, int material, v3 at, v3 half,
                                    float round) {
  struct solid *b = scene_add(s, SOLID_BOX, part, material);
  b->pos = at;
  b->a[0] = half.x;
  b->a[1] = half.y;
  b->a[2] = half.z;
  b->a[3] = round;
  return b;
}

/* A straight bar. */
static inline struct solid *add_bar(struct scene *s, int part, int material, v3 from, v3 to,
                                    float r0, float r1) {
  struct solid *b = scene_add(s, SOLID_TUBE, part, material);
  b->npt = 3;
  b->pt[0] = from;
  b->pt[1] = v3_mix(from, to, 0.5f);
  b->pt[2] = to;
  b->a[0] = r0;
  b->a[1] = r1;
  return b;
}

static inline struct solid *add_ball(struct scene *s, int part, int material, v3 at, v3 radii) {
  struct solid *b = scene_add(s, SOLID_ELLIPSOID, part, material);
  b->pos = at;
  b->a[0] = radii.x;
  b->a[1] = radii.y;
  b->a[2] = radii.z;
  return b;
}

#endif
