/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_umbrella.c: umbrella: an open canopy on a straight pole with a hook, upright or leaning.
 * It is none of the world's classes: no generator is trained on it, so that it can be taught.
 *
 * Parts: 1 canopy, 2 pole, 3 hook, 4 tip.
 */
#include "shapes.h"

/* A thin dome about y, its rim at `y`. */
static void umbrella_canopy(struct scene *s, float y, float wide, float high) {
  const float t = 0.035f;
  struct curve c = {0};
  curve_corner(&c, wide, y);
  curve_smooth(&c, 0.86f * wide, y + 0.5f * high);
  curve_smooth(&c, 0.5f * wide, y + 0.87f * high);
  curve_smooth(&c, 0.0f, y + high);
  curve_smooth(&c, 0.0f, y + high - t);
  curve_smooth(&c, 0.5f * wide - t, y + 0.87f * high - t);
  curve_smooth(&c, 0.86f * wide - t, y + 0.5f * high - t);
  curve_corner(&c, wide - 1.5f * t, y);
  struct solid *b = scene_add(s, SOLID_TURNED, 1, 0);
  b->profile = profile_bake(s, &c);
}

static void umbrella_hook(struct scene *s, float low, float size) {
  struct solid *b = scene_add(s, SOLID_TUBE, 3, 1);
  b->npt = 5;
  b->pt[0] = v3_make(0.0f, low + size, 0.0f);
  b->pt[1] = v3_make(0.0f, low - 0.3f * size, 0.0f);
  b->pt[2] = v3_make(0.6f * size, low - 0.6f * size, 0.0f);
  b->pt[3] = v3_make(1.3f * size, low - 0.3f * size, 0.0f);
  b->pt[4] = v3_make(1.2f * size, low + 0.4f * size, 0.0f);
  b->a[0] = b->a[1] = 0.055f;
}

void shape_umbrella(struct scene *s) {
  struct rng *r = &s->rng;
  int m = scene_material(s, rng_paint(r, 0.45f, 0.85f, 0.35f, 0.9f), 0.04f, 0.5f);
  s->material[m].alt = natural_glaze(r);
  scene_material(s, rng_colour(r, 0.05f, 0.09f, 0.4f, 0.7f, 0.25f, 0.6f), 0.05f, 0.25f);
  float wide = pick(r, 0.75f, 1.05f), high = pick(r, 0.4f, 0.65f), rim = pick(r, 0.9f, 1.15f),
        hook = pick(r, 0.14f, 0.22f), lean = rng_chance(r, 0.4f) ? pick(r, -0.5f, 0.5f) : 0.0f;
  umbrella_canopy(s, rim, wide, high);
  add_bar(s, 2, 1, v3_make(0.0f, 0.3f, 0.0f), v3_make(0.0f, rim + high - 0.03f, 0.0f), 0.035f,
          0.035f);
  umbrella_hook(s, 0.2f, hook);
  add_bar(s, 4, 1, v3_make(0.0f, rim + high - 0.05f, 0.0f), v3_make(0.0f, rim + high + 0.14f, 0.0f),
          0.04f, 0.02f);
  set_view(s, side_yaw(r, 0.5f), 0.0f, 0.3f);
  s->view.roll += lean;
}
