/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_turned.c: things turned on a wheel: apple, mug, teapot.
 *
 * Parts: apple 1 body, 2 stem, 3 leaf, 4 flesh; mug 1 cup, 2 handle, 3 drink; teapot 1 body, 2
 * handle, 3 spout, 4 lid, 5 knob.
 */
#include "shapes.h"

/* ---- apple ---- */

static void apple_colours(struct scene *s) {
  struct rng *r = &s->rng;
  int kind = rng_int(r, 5);
  v3 green = rng_colour(r, 0.19f, 0.26f, 0.55f, 0.8f, 0.6f, 0.82f);
  v3 yellow = rng_colour(r, 0.12f, 0.15f, 0.6f, 0.85f, 0.8f, 0.95f);
  v3 red = rng_colour(r, 0.965f, 1.02f, 0.8f, 0.96f, 0.5f, 0.82f);
  int m = scene_material(s,
                         kind < 2    ? red
                         : kind == 2 ? green
                                     : yellow,
                         0.045f, pick(r, 0.1f, 0.4f));
  s->material[m].alt = kind < 2    ? v3_scale(red, 0.55f)
                       : kind == 3 ? red
                                   : v3_mix(green, yellow, 0.5f);
  s->material[m].amount = kind == 3 ? pick(r, 0.4f, 1.0f) : pick(r, 0.0f, 0.6f);
  s->material[m].pattern = PATTERN_APPLE;
  s->material[m].phase = pick(r, 0.0f, 1.0f);
  s->material[m].third = kind == 2 ? v3_make(0.35f, 0.3f, 0.08f) : green;
  scene_material(s, rng_colour(r, 0.05f, 0.09f, 0.4f, 0.6f, 0.2f, 0.4f), 0.02f, 0.7f);
  m = scene_material(s, rng_colour(r, 0.25f, 0.34f, 0.55f, 0.75f, 0.3f, 0.55f), 0.05f, 0.4f);
  s->material[m].grain = 0.3f;
  m = scene_material(s, rng_colour(r, 0.11f, 0.14f, 0.2f, 0.35f, 0.92f, 0.98f), 0.03f, 0.5f);
  s->material[m].grain = 0.25f;
}

static void apple_leaf(struct scene *s, v3 at, float length) {
  struct rng *r = &s->rng;
  float w = length * pick(r, 0.22f, 0.42f), turn = pick(r, -0.5f, 0.9f), yaw = pick(r, -0.6f, 0.6f);
  float side = rng_sign(r);
  struct curve c = {0};
  curve_corner(&c, 0.0f, 0.0f);
  curve_smooth(&c, 0.3f * length, 0.8f * w);
  curve_smooth(&c, 0.65f * length, 0.8f * w);
  curve_corner(&c, length, 0.0f);
  curve_smooth(&c, 0.65f * length, -0.8f * w);
  curve_smooth(&c, 0.3f * length, -0.8f * w);
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 3, 2);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.014f;
  b->a[1] = 0.008f;
  b->a[4] = pick(r, -0.5f, 0.5f);
  solid_turn(b, 0, pick(r, 0.5f, 1.1f));
  solid_turn(b, 2, turn);
  solid_turn(b, 1, side > 0.0f ? yaw : PI_F + yaw);
  b->pos = at;
}

void shape_apple(struct scene *s) {
  struct rng *r = &s->rng;
  apple_colours(s);
  float w = pick(r, 0.75f, 1.1f), h = pick(r, 1.15f, 2.0f), taper = pick(r, -0.1f, 0.5f),
        square = pick(r, 0.72f, 1.05f);
  float dimple = pick(r, 0.1f, 0.28f);
  struct curve c = {0};
  for (int i = 0; i <= 16; i++) { /* a ball, tapered, squared, pressed in at both ends */
    float t = PI_F * (float)i / 16.0f, x = f_sin(t), y = -f_cos(t),
          wide = 1.0f - taper * (y < 0.0f ? y * y : -0.35f * y * y);
    float press = (i > 8 ? dimple : 0.3f * dimple) * f_exp2(-f_sq(x / 0.34f));
    x = i == 0 || i == 16 ? 0.0f : f_pow(x, square) * wide;
    curve_smooth(&c, w * x, 0.5f * h * (1.0f + y) - (i > 8 ? press : -press));
  }
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_TURNED, 1, 0);
  b->profile = profile_bake(s, &c);
  b->a[0] = rng_chance(r, 0.4f) ? pick(r, 0.01f, 0.05f) : 0.0f;
  b->a[1] = 0.7f * h;
  float tilt = pick(r, -0.16f, 0.16f);
  solid_turn(b, 1, pick(r, 0.0f, 6.28f));
  solid_turn(b, 2, tilt);
  if (rng_chance(r, 0.1f)) { /* a bite */
    struct solid *bite = scene_cut(s, SOLID_ELLIPSOID, 4, 3);
    float side = rng_sign(r), up = pick(r, 0.4f, 0.75f);
    bite->a[0] = bite->a[1] = bite->a[2] = pick(r, 0.3f, 0.5f);
    bite->pos = v3_make(side * w * 1.05f, up * h, pick(r, 0.0f, 0.35f));
  }
  float lean = pick(r, -0.3f, 0.3f), tall = pick(r, 0.15f, 0.5f);
  b = scene_add(s, SOLID_TUBE, 2, 1);
  b->npt = 3;
  b->pt[0] = v3_make(0.0f, h - dimple - 0.06f, 0.0f);
  b->pt[1] = v3_make(0.1f * lean, h - dimple + 0.5f * tall, 0.0f);
  b->pt[2] = v3_make(lean, h - dimple + tall, 0.0f);
  b->a[0] = 0.035f;
  b->a[1] = pick(r, 0.04f, 0.065f);
  solid_turn(b, 2, tilt);
  if (rng_chance(r, 0.55f))
    apple_leaf(s, v3_make(0.3f * lean - tilt * h, h - dimple + 0.45f * tall, 0.0f),
               pick(r, 0.4f, 0.8f));
  set_view(s, pick(r, -0.7f, 0.7f), 0.05f, 0.55f);
}

/* ---- mug ---- */

static void vessel_pattern(struct scene *s, int m, float h) {
  struct rng *r = &s->rng;
  struct material *a = &s->material[m];
  int kind = rng_int(r, 7);
  float at = pick(r, 0.25f, 0.65f), size = pick(r, 0.25f, 0.55f);
  a->alt = natural_glaze(r);
  if (kind >= 5) return;
  a->phase = pick(r, 0.0f, 1.0f);
  a->amount = size;
  if (kind == 0) {
    a->pattern = PATTERN_BANDS;
    a->scale = pick(r, 2.0f, 5.0f) / h;
  } else if (kind == 1) {
    a->pattern = PATTERN_DOTS;
    a->extra = (float)(6 + rng_int(r, 8));
    a->scale = a->extra * 0.2f;
    a->amount = pick(r, 0.18f, 0.32f);
  } else if (kind == 2) {
    a->pattern = PATTERN_STRIPES;
    a->scale = (float)(7 + rng_int(r, 14));
  } else {
    a->pattern = PATTERN_DIPPED;
    a->phase = at * h;
    a->amount = rng_int(r, 2) ? pick(r, 0.01f, 0.06f) * h : 0.0f;
    a->scale = (float)(3 + rng_int(r, 5));
    a->extra = (float)rng_int(r, 2);
  }
}

static float wall_radius(float lo, float hi, float belly, float t) {
  return f_mix(lo, hi, t) + belly * f_sin(PI_F * t);
}

static void mug_handle(struct scene *s, float h, float lo, float hi, float belly) {
  struct rng *r = &s->rng;
  float t0 = pick(r, 0.12f, 0.32f), t1 = pick(r, 0.68f, 0.9f), reach = pick(r, 0.28f, 0.62f),
        sag = pick(r, -0.15f, 0.1f);
  float r0 = wall_radius(lo, hi, belly, t0) - 0.05f, r1 = wall_radius(lo, hi, belly, t1) - 0.05f;
  float square = pick(r, 0.0f, 0.22f);
  struct solid *b = scene_add(s, SOLID_TUBE, 2, 1);
  b->npt = 5;
  b->pt[0] = v3_make(r1, t1 * h, 0.0f);
  b->pt[1] = v3_make(r1 + (0.75f + square) * reach, (t1 + 0.06f + 0.3f * square) * h, 0.0f);
  b->pt[2] = v3_make(f_max(r0, r1) + 1.25f * reach, (0.5f * (t0 + t1) + sag) * h, 0.0f);
  b->pt[3] = v3_make(r0 + (0.6f + square) * reach, (t0 - 0.05f - 0.2f * square) * h, 0.0f);
  b->pt[4] = v3_make(r0, (t0 + 0.02f) * h, 0.0f);
  b->a[0] = pick(r, 0.055f, 0.1f);
  b->a[1] = b->a[0] * pick(r, 0.75f, 1.0f);
  b->a[2] = pick(r, 0.9f, 1.8f);
}

static const struct profile *mug_hollow(struct scene *s, float h, float lo, float hi, float belly,
                                        float thick) {
  struct curve c = {0};
  curve_corner(&c, 0.0f, 0.05f);
  curve_corner(&c, wall_radius(lo, hi, belly, 0.05f) - 0.6f * thick, 0.05f * h);
  for (int i = 1; i <= 6; i++)
    curve_smooth(&c, wall_radius(lo, hi, belly, (float)i / 6.0f) - 0.6f * thick,
                 h * (float)i / 6.0f);
  curve_corner(&c, hi - 0.6f * thick, h * 1.5f);
  curve_corner(&c, 0.0f, h * 1.5f);
  curve_mirror(&c);
  return profile_bake(s, &c);
}

void shape_mug(struct scene *s) {
  struct rng *r = &s->rng;
  float h = pick(r, 0.75f, 1.9f), lo = pick(r, 0.4f, 0.8f), hi = pick(r, 0.5f, 0.85f),
        thick = pick(r, 0.05f, 0.1f);
  float belly = rng_chance(r, 0.5f) ? pick(r, -0.1f, 0.22f) : 0.0f,
        foot = rng_chance(r, 0.3f) ? 0.08f : 0.0f;
  v3 glaze = natural_glaze(r);
  int m = scene_material(s, glaze, 0.05f, pick(r, 0.05f, 0.45f));
  s->material[m].grain = 0.05f;
  vessel_pattern(s, m, h);
  m = scene_material(s, rng_chance(r, 0.75f) ? s->material[0].base : s->material[0].alt, 0.05f,
                     s->material[0].rough);
  scene_material(s, s->material[0].base, 0.05f, 0.3f);
  /* coffee, with milk, tea */
  static const v3 drinks[3] = {
      {0.035f, 0.014f, 0.006f}, {0.3f, 0.16f, 0.07f}, {0.28f, 0.1f, 0.015f}};
  scene_material(s, drinks[rng_int(r, 3)], 0.06f, 0.04f);
  struct curve c = {0};
  curve_smooth(&c, 0.0f, 0.0f);
  curve_corner(&c, lo - foot, 0.0f);
  for (int i = foot > 0.0f ? 1 : 0; i <= 6; i++)
    curve_smooth(&c, wall_radius(lo, hi, belly, (float)i / 6.0f),
                 h * (i == 0 ? 0.03f : (float)i / 6.0f));
  curve_smooth(&c, hi - 0.5f * thick, h + 0.4f * thick);
  for (int i = 6; i >= 1; i--)
    curve_smooth(&c, wall_radius(lo, hi, belly, (float)i / 6.0f) - thick, h * (float)i / 6.0f);
  curve_smooth(&c, lo * 0.7f, 0.1f);
  curve_smooth(&c, 0.0f, 0.09f);
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_TURNED, 1, 0);
  b->profile = profile_bake(s, &c);
  solid_turn(b, 1, pick(r, 0.0f, 6.28f));
  float level = pick(r, 0.7f, 0.9f);
  b = scene_add(s, SOLID_CONE, 3, 3);
  b->a[0] = 0.02f;
  b->a[1] = b->a[2] = wall_radius(lo, hi, belly, level) - 0.6f * thick;
  b->pos.y = level * h;
  mug_handle(s, h, lo, hi, belly);
  struct solid *hollow = scene_cut(s, SOLID_TURNED, 2, 1); /* no handle inside the cup */
  hollow->profile = mug_hollow(s, h, lo, hi, belly, thick);
  set_view(s, side_yaw(r, 0.8f), 0.12f, 0.65f);
}

/* ---- teapot ---- */

static void teapot_spout(struct scene *s, float h, float w) {
  struct rng *r = &s->rng;
  float up = pick(r, 0.75f, 1.15f), out = pick(r, 0.45f, 0.8f), thick = pick(r, 0.14f, 0.22f),
        low = pick(r, 0.22f, 0.45f);
  struct solid *b = scene_add(s, SOLID_TUBE, 3, 0);
  b->npt = 4;
  b->pt[0] = v3_make(-w * 0.75f, low * h, 0.0f);
  b->pt[1] = v3_make(-w - 0.55f * out, (low + 0.02f) * h, 0.0f);
  b->pt[2] = v3_make(-w - 0.6f * out, 0.5f * (low + up) * h + 0.1f, 0.0f);
  b->pt[3] = v3_make(-w - out, up * h, 0.0f);
  b->a[0] = thick;
  b->a[1] = thick * pick(r, 0.4f, 0.6f);
  struct solid *hole = scene_cut(s, SOLID_CONE, 3, 1);
  hole->a[0] = 0.16f;
  hole->a[1] = 0.01f;
  hole->a[2] = b->a[1] * 1.15f;
  solid_turn(hole, 2, 0.5f);
  hole->pos = v3_make(-w - out - 0.03f, up * h + 0.07f, 0.0f);
}

static void teapot_handle(struct scene *s, float h, float w) {
  struct rng *r = &s->rng;
  struct solid *b = scene_add(s, SOLID_TUBE, 2, 2);
  b->npt = 5;
  float reach = pick(r, 0.45f, 0.75f), high = pick(r, 0.0f, 0.3f);
  if (rng_chance(r, 0.22f)) { /* bail over the lid */
    float top = h * pick(r, 1.5f, 1.9f);
    b->pt[0] = v3_make(w * 0.7f, 0.85f * h, 0.0f);
    b->pt[1] = v3_make(w * 1.05f, top * 0.85f, 0.0f);
    b->pt[2] = v3_make(0.0f, top * 1.25f, 0.0f);
    b->pt[3] = v3_make(-w * 1.05f, top * 0.85f, 0.0f);
    b->pt[4] = v3_make(-w * 0.7f, 0.85f * h, 0.0f);
  } else {
    b->pt[0] = v3_make(w * 0.75f, 0.8f * h, 0.0f);
    b->pt[1] = v3_make(w + 0.8f * reach, (0.95f + high) * h, 0.0f);
    b->pt[2] = v3_make(w + 1.2f * reach, 0.6f * h, 0.0f);
    b->pt[3] = v3_make(w + 0.7f * reach, 0.2f * h, 0.0f);
    b->pt[4] = v3_make(w * 0.8f, 0.28f * h, 0.0f);
  }
  b->a[0] = b->a[1] = pick(r, 0.06f, 0.095f);
  b->a[2] = pick(r, 0.9f, 1.5f);
}

static void teapot_materials(struct scene *s, v3 glaze, float h) {
  struct rng *r = &s->rng;
  int m = scene_material(s, glaze, 0.05f, pick(r, 0.04f, 0.4f));
  int metal = rng_chance(r, 0.12f);
  if (metal) {
    s->material[m].base = v3_make(0.6f, 0.58f, 0.55f);
    s->material[m].gloss = 0.7f;
    s->material[m].rough = 0.14f;
  } else {
    vessel_pattern(s, m, h);
    if (s->material[m].pattern == PATTERN_STRIPES || s->material[m].pattern == PATTERN_DOTS)
      s->material[m].scale *= 0.8f;
  }
  scene_material(s, v3_make(0.01f, 0.01f, 0.01f), 0.0f, 1.0f);
  scene_material(s, rng_chance(r, 0.6f) ? s->material[0].base : v3_make(0.12f, 0.05f, 0.02f), 0.05f,
                 0.3f);
  scene_material(s, rng_chance(r, 0.6f) ? s->material[0].base : s->material[0].alt,
                 s->material[0].gloss, s->material[0].rough);
}

void shape_teapot(struct scene *s) {
  struct rng *r = &s->rng;
  float h = pick(r, 0.85f, 1.6f), w = pick(r, 0.75f, 1.1f), mouth = pick(r, 0.35f, 0.62f) * w,
        foot = pick(r, 0.45f, 0.85f) * w;
  float mid = pick(r, 0.32f, 0.62f), lid_h = pick(r, 0.1f, 0.35f);
  v3 glaze = natural_glaze(r);
  teapot_materials(s, glaze, h);
  struct curve c = {0};
  curve_smooth(&c, 0.0f, 0.0f);
  curve_corner(&c, foot, 0.0f);
  curve_smooth(&c, f_mix(foot, w, 0.72f), mid * h * 0.4f);
  curve_smooth(&c, w, mid * h);
  curve_smooth(&c, f_mix(mouth, w, 0.74f), h * (0.4f + 0.6f * mid));
  curve_smooth(&c, mouth * 1.08f, h * 0.97f);
  curve_corner(&c, mouth, h);
  curve_smooth(&c, 0.0f, h);
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_TURNED, 1, 0);
  b->profile = profile_bake(s, &c);
  solid_turn(b, 1, pick(r, 0.0f, 6.28f));
  struct curve l = {0};
  curve_smooth(&l, 0.0f, h - 0.02f);
  curve_corner(&l, mouth * 1.02f, h - 0.01f);
  curve_corner(&l, mouth * 1.05f, h + 0.035f);
  curve_smooth(&l, mouth * 0.75f, h + 0.03f + 0.6f * lid_h);
  curve_smooth(&l, mouth * 0.3f, h + 0.03f + 0.95f * lid_h);
  curve_smooth(&l, 0.0f, h + 0.03f + lid_h);
  curve_mirror(&l);
  b = scene_add(s, SOLID_TURNED, 4, 3);
  b->profile = profile_bake(s, &l);
  float knob = pick(r, 0.07f, 0.14f), tall = pick(r, 0.7f, 1.5f);
  b = scene_add(s, SOLID_ELLIPSOID, 5, rng_int(r, 2) ? 2 : 3);
  b->a[0] = b->a[2] = knob;
  b->a[1] = knob * tall;
  b->pos.y = h + lid_h + 0.75f * knob * tall + 0.02f;
  teapot_spout(s, h, w);
  teapot_handle(s, h, w);
  set_view(s, side_yaw(r, 0.6f), 0.08f, 0.45f);
}
