/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_animal.c: fish and bird.
 *
 * Parts: fish 1 body, 2 tail, 3 fin, 4 eye; bird 1 body and head, 2 wing, 3 tail, 4 beak, 5 eye,
 * 6 leg.
 */
#include "shapes.h"

/* A pair of eyes at (x, y), z is the half distance. */
static void add_eyes(struct scene *s, int part, int white, int black, v3 at, float size) {
  for (int k = -1; k <= 1; k += 2) {
    float z = (float)k * at.z;
    if (white >= 0)
      add_ball(s, part, white, v3_make(at.x, at.y, z), v3_make(size, size, 0.45f * size));
    v3 pupil = v3_make(at.x + 0.1f * size, at.y, z + (float)k * 0.25f * size);
    struct solid *b =
        add_ball(s, part, black, pupil, v3_make(0.6f * size, 0.6f * size, 0.35f * size));
    b->line = 40; /* the pupil has its own outline */
  }
}

/* ---- fish ---- */

static void fish_materials(struct scene *s) {
  struct rng *r = &s->rng;
  float kind = pick(r, 0.0f, 1.0f);
  v3 c = kind < 0.35f  ? rng_colour(r, 0.02f, 0.12f, 0.6f, 0.9f, 0.75f, 0.95f)
         : kind < 0.6f ? rng_colour(r, 0.5f, 0.64f, 0.2f, 0.7f, 0.4f, 0.8f)
         : kind < 0.8f ? rng_colour(r, 0.0f, 1.0f, 0.02f, 0.2f, 0.45f, 0.85f)
                       : rng_paint(r, 0.4f, 0.8f, 0.5f, 0.9f);
  int m = scene_material(s, c, 0.06f, pick(r, 0.15f, 0.35f));
  struct material *f = &s->material[m];
  f->pattern = PATTERN_FISH;
  f->extra = (float)rng_int(r, 6);
  f->alt =
      rng_chance(r, 0.4f) ? v3_make(0.78f, 0.76f, 0.7f) : rng_paint(r, 0.2f, 0.8f, 0.15f, 0.8f);
  f->third = v3_make(0.75f, 0.72f, 0.62f);
  f->scale = f->extra == 2.0f ? pick(r, 4.0f, 7.0f) : pick(r, 1.6f, 4.5f);
  f->amount = pick(r, 0.25f, 0.5f);
  f->phase = pick(r, 0.0f, 1.0f);
  m = scene_material(s, rng_chance(r, 0.5f) ? v3_scale(c, 0.75f) : f->alt, 0.04f, 0.4f);
  s->material[m].pattern = PATTERN_FIN;
  s->material[m].scale = 60.0f;
  s->material[m].phase = 1.2f;
  scene_material(s, v3_make(0.85f, 0.83f, 0.75f), 0.05f, 0.1f);
  scene_material(s, v3_make(0.008f, 0.008f, 0.01f), 0.08f, 0.05f);
}

static void fish_tail(struct scene *s, float x, float root) {
  struct rng *r = &s->rng;
  float len = pick(r, 0.32f, 0.65f), up = pick(r, 0.28f, 0.65f), down = up * pick(r, 0.7f, 1.1f),
        fork = pick(r, -0.12f, 0.62f);
  float round = pick(r, 0.0f, 1.0f);
  struct curve c = {0};
  curve_corner(&c, x + 0.12f, root);
  curve_smooth(&c, x - 0.5f * len, f_mix(root, up, 0.6f));
  if (round < 0.6f)
    curve_corner(&c, x - len, up);
  else
    curve_smooth(&c, x - 0.9f * len, 0.95f * up);
  curve_smooth(&c, x - len * (1.0f - fork), 0.0f);
  if (round < 0.6f)
    curve_corner(&c, x - len, -down);
  else
    curve_smooth(&c, x - 0.9f * len, -0.95f * down);
  curve_smooth(&c, x - 0.5f * len, -f_mix(root, down, 0.6f));
  curve_corner(&c, x + 0.12f, -root);
  struct solid *b = scene_blend(s, SOLID_EXTRUDED, 2, 1, 0.05f);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.035f;
  b->a[1] = 0.025f;
  b->a[4] = pick(r, -0.12f, 0.12f);
}

/* A fin on the back (up = 1) or belly (up = -1) from x0 to x1. */
static void fish_fin(struct scene *s, float x0, float x1, float base, float tall, float sweep,
                     float up) {
  struct curve c = {0};
  curve_corner(&c, x1, up * base * 0.6f);
  curve_smooth(&c, f_mix(x0, x1, 0.72f) - 0.3f * sweep, up * (base + 0.75f * tall));
  curve_smooth(&c, f_mix(x0, x1, 0.35f) - sweep, up * (base + tall));
  curve_smooth(&c, x0 - 0.7f * sweep, up * (base + 0.4f * tall));
  curve_corner(&c, x0, up * base * 0.6f);
  struct solid *b = scene_blend(s, SOLID_EXTRUDED, 3, 1, 0.02f);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.028f;
  b->a[1] = 0.02f;
}

static void fish_side_fin(struct scene *s, float x, float y, float z, float len) {
  struct rng *r = &s->rng;
  struct curve c = {0};
  float w = len * pick(r, 0.3f, 0.55f), turn = pick(r, -0.2f, 0.8f);
  curve_corner(&c, 0.0f, 0.25f * w);
  curve_smooth(&c, -0.6f * len, w);
  curve_smooth(&c, -len, 0.3f * w);
  curve_smooth(&c, -0.75f * len, -0.4f * w);
  curve_corner(&c, 0.0f, -0.25f * w);
  const struct profile *f = profile_bake(s, &c);
  for (int k = -1; k <= 1; k += 2) {
    struct solid *b = scene_add(s, SOLID_EXTRUDED, 3, 1);
    b->profile = f;
    b->a[0] = 0.018f;
    b->a[1] = 0.012f;
    solid_turn(b, 2, turn);
    solid_turn(b, 1, (float)k * 0.4f);
    b->pos = v3_make(x, y, (float)k * z);
  }
}

void shape_fish(struct scene *s) {
  struct rng *r = &s->rng;
  fish_materials(s);
  float len = pick(r, 0.75f, 1.2f), up = pick(r, 0.26f, 0.68f), down = up * pick(r, 0.7f, 1.1f),
        thick = pick(r, 0.2f, 0.3f);
  float root = pick(r, 0.07f, 0.14f), at = pick(r, 0.05f, 0.45f), snout = pick(r, -0.08f, 0.06f);
  struct curve c = {0};
  curve_smooth(&c, len, snout);
  curve_smooth(&c, len * 0.8f, 0.5f * up + 0.5f * snout);
  curve_smooth(&c, len * at, up);
  curve_smooth(&c, -len * 0.45f, 0.52f * up + 0.3f * root);
  curve_corner(&c, -len, root);
  curve_corner(&c, -len, -root);
  curve_smooth(&c, -len * 0.45f, -0.52f * down - 0.3f * root);
  curve_smooth(&c, len * at, -down);
  curve_smooth(&c, len * 0.8f, -0.5f * down + 0.5f * snout);
  struct solid *b = scene_add(s, SOLID_PUFFED, 1, 0);
  b->profile = profile_bake(s, &c);
  b->a[0] = thick;
  b->a[1] = 0.25f;
  fish_tail(s, -len, root);
  float dorsal = pick(r, 0.08f, 0.4f), d0 = pick(r, -0.6f, -0.1f), d1 = pick(r, 0.2f, 0.6f);
  fish_fin(s, d0 * len, d1 * len, up * 0.82f, dorsal, pick(r, 0.0f, 0.25f), 1.0f);
  if (rng_chance(r, 0.7f)) {
    float x = pick(r, -0.5f, 0.0f);
    float tall = pick(r, 0.08f, 0.3f), sweep = pick(r, 0.05f, 0.25f);
    fish_fin(s, (x - 0.22f) * len, (x + 0.12f) * len, down * 0.75f, tall, sweep, -1.0f);
  }
  float eye = pick(r, 0.06f, 0.105f), ex = len * pick(r, 0.58f, 0.68f),
        ey = up * 0.24f + 0.3f * snout;
  float z = thick * (1.0f + 0.25f * ex);
  add_eyes(s, 4, 2, 3, v3_make(ex, ey, 0.74f * z), eye);
  float fin = len * pick(r, 0.2f, 0.36f);
  fish_side_fin(s, fin, -0.15f * down, 0.98f * z, pick(r, 0.22f, 0.42f));
  s->lift = f_max(down, 0.6f) + pick(r, 0.1f, 0.5f);
  set_view(s, side_yaw(r, 0.55f), -0.02f, 0.3f);
  s->view.roll = pick(r, -0.3f, 0.3f);
}

/* ---- bird ---- */

static void bird_materials(struct scene *s) {
  struct rng *r = &s->rng;
  float kind = pick(r, 0.0f, 1.0f);
  v3 c = kind < 0.3f    ? rng_colour(r, 0.05f, 0.1f, 0.3f, 0.65f, 0.35f, 0.7f)
         : kind < 0.5f  ? rng_colour(r, 0.54f, 0.62f, 0.4f, 0.75f, 0.4f, 0.75f)
         : kind < 0.65f ? rng_colour(r, 0.0f, 1.0f, 0.0f, 0.12f, 0.15f, 0.9f)
         : kind < 0.8f  ? rng_colour(r, 0.12f, 0.16f, 0.6f, 0.85f, 0.75f, 0.95f)
                        : rng_paint(r, 0.4f, 0.8f, 0.4f, 0.85f);
  int m = scene_material(s, c, 0.02f, 0.7f);
  struct material *f = &s->material[m];
  f->pattern = PATTERN_BIRD;
  int pale = rng_chance(r, 0.5f);
  f->alt = pale ? rng_colour(r, 0.06f, 0.14f, 0.05f, 0.4f, 0.8f, 0.95f)
                : rng_colour(r, 0.0f, 0.12f, 0.5f, 0.85f, 0.6f, 0.9f);
  f->scale = pick(r, -0.1f, 0.7f);
  f->phase = rng_chance(r, 0.25f) ? -9.0f : pick(r, -0.12f, 0.08f);
  f->bump = 0.25f;
  m = scene_material(s, rng_chance(r, 0.5f) ? v3_scale(c, 0.6f) : v3_scale(c, 0.85f), 0.02f, 0.7f);
  f = &s->material[m];
  f->pattern = PATTERN_BIRD;
  f->extra = 1.0f;
  f->alt = v3_scale(c, 0.3f);
  f->phase = pick(r, -0.75f, -0.35f);
  scene_material(s, rng_colour(r, 0.06f, 0.13f, 0.6f, 0.9f, 0.4f, 0.95f), 0.05f, 0.3f);
  scene_material(s, v3_make(0.008f, 0.008f, 0.01f), 0.08f, 0.05f);
  scene_material(s, rng_colour(r, 0.05f, 0.1f, 0.4f, 0.8f, 0.3f, 0.7f), 0.02f, 0.6f);
}

static void bird_wing(struct scene *s, v3 at, float len, float tall, float thick) {
  struct rng *r = &s->rng;
  float droop = pick(r, -0.1f, 0.35f), tip = pick(r, 0.3f, 0.8f);
  struct curve c = {0};
  curve_smooth(&c, 0.28f * len, 0.1f * tall);
  curve_smooth(&c, 0.1f * len, 0.55f * tall);
  curve_smooth(&c, -0.4f * len, 0.4f * tall);
  curve_corner(&c, -0.95f * len, -tip * tall * 0.4f);
  curve_smooth(&c, -0.4f * len, -0.55f * tall);
  curve_smooth(&c, 0.1f * len, -0.5f * tall);
  const struct profile *f = profile_bake(s, &c);
  for (int k = -1; k <= 1; k += 2) {
    struct solid *b = scene_add(s, SOLID_PUFFED, 2, 1);
    b->profile = f;
    b->a[0] = thick;
    solid_turn(b, 2, droop);
    solid_turn(b, 1, (float)k * -0.16f);
    b->pos = v3_make(at.x, at.y, (float)k * at.z);
  }
}

static void bird_tail(struct scene *s, v3 root, float len, float wide, float angle) {
  struct curve c = {0};
  float notch = pick(&s->rng, -0.15f, 0.3f);
  curve_corner(&c, 0.15f, 0.5f * wide);
  curve_corner(&c, -len, wide);
  curve_smooth(&c, -len * (1.0f - notch), 0.0f);
  curve_corner(&c, -len, -wide);
  curve_corner(&c, 0.15f, -0.5f * wide);
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 3, 1);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.035f;
  b->a[1] = 0.025f;
  b->a[5] = -0.6f;
  solid_turn(b, 0, -0.5f * PI_F);
  solid_turn(b, 2, angle);
  b->pos = root;
}

static void bird_beak(struct scene *s, v3 at, float len, float thick, float bend) {
  struct solid *b = scene_add(s, SOLID_TUBE, 4, 2);
  b->npt = 3;
  b->pt[0] = v3_make(at.x - 0.08f, at.y, 0.0f);
  b->pt[1] = v3_make(at.x + 0.55f * len, at.y + 0.02f, 0.0f);
  b->pt[2] = v3_make(at.x + len, at.y - bend * len, 0.0f);
  b->a[0] = thick;
  b->a[1] = 0.012f;
  b->a[2] = 0.85f;
}

static void bird_legs(struct scene *s, float x, float top, float z, float thick) {
  for (int k = -1; k <= 1; k += 2) {
    float zz = (float)k * z;
    struct solid *b = scene_add(s, SOLID_TUBE, 6, 4);
    b->npt = 3;
    b->pt[0] = v3_make(x, top, zz);
    b->pt[1] = v3_make(x - 0.05f, 0.5f * top, zz);
    b->pt[2] = v3_make(x + 0.02f, 0.02f, zz);
    b->a[0] = b->a[1] = thick;
    for (int t = -1; t <= 1; t++) {
      b = scene_blend(s, SOLID_TUBE, 6, 4, 0.02f);
      b->npt = 3;
      b->pt[0] = v3_make(x + 0.02f, 0.03f, zz);
      b->pt[1] = v3_make(x + 0.1f, 0.04f, zz + 0.045f * (float)t);
      b->pt[2] = v3_make(x + 0.19f, 0.018f, zz + 0.09f * (float)t);
      b->a[0] = thick;
      b->a[1] = 0.6f * thick;
    }
  }
}

void shape_bird(struct scene *s) {
  struct rng *r = &s->rng;
  bird_materials(s);
  float leg = pick(r, 0.12f, 0.5f), len = pick(r, 0.5f, 0.8f), fat = pick(r, 0.36f, 0.6f),
        tilt = pick(r, 0.0f, 0.7f);
  float neck = rng_chance(r, 0.3f) ? pick(r, 0.25f, 0.8f) : pick(r, 0.0f, 0.15f),
        head = pick(r, 0.2f, 0.34f);
  float y = leg + fat * 0.85f;
  struct solid *b = add_ball(s, 1, 0, v3_make(0.0f, y, 0.0f), v3_make(len, fat, fat * 0.9f));
  solid_turn(b, 2, tilt);
  v3 chest = v3_make(len * 0.6f * f_cos(tilt), y + len * 0.6f * f_sin(tilt) + 0.05f, 0.0f);
  v3 top = v3_make(chest.x + 0.12f + 0.3f * neck, chest.y + 0.22f + neck, 0.0f);
  b = scene_blend(s, SOLID_TUBE, 1, 0, 0.15f);
  b->npt = 3;
  b->pt[0] = chest;
  b->pt[1] = v3_make(chest.x + 0.16f, chest.y + 0.35f * (top.y - chest.y), 0.0f);
  b->pt[2] = top;
  b->a[0] = f_max(0.75f * head, 0.55f * fat);
  b->a[1] = 0.72f * head;
  b = scene_blend(s, SOLID_ELLIPSOID, 1, 0, 0.1f);
  b->pos = v3_make(top.x, top.y + 0.05f, 0.0f);
  b->a[0] = head * 1.08f;
  b->a[1] = b->a[2] = head;
  v3 back = v3_make(-len * 0.82f * f_cos(tilt), y - len * 0.82f * f_sin(tilt), 0.0f);
  b = scene_blend(s, SOLID_ELLIPSOID, 1, 0, 0.16f); /* rump towards the tail */
  b->pos = v3_mix(back, v3_make(0.0f, y, 0.0f), 0.2f);
  b->a[0] = 0.3f * len;
  b->a[1] = 0.3f * fat;
  b->a[2] = 0.35f * fat;
  solid_turn(b, 2, tilt);
  float tail = pick(r, 0.25f, 0.85f), wide = pick(r, 0.1f, 0.24f), raise = pick(r, -0.35f, 0.3f);
  bird_tail(s, back, tail, wide, tilt + raise);
  float wing = len * pick(r, 0.9f, 1.2f), tall = fat * pick(r, 0.7f, 1.0f);
  bird_wing(s, v3_make(-0.05f * len, y + 0.06f, 0.82f * fat), wing, tall, 0.1f);
  for (int i = s->nsolid - 2; i < s->nsolid; i++) solid_turn(&s->solid[i], 2, 0.8f * tilt);
  float beak = pick(r, 0.14f, 0.5f), thick = pick(r, 0.05f, 0.1f), bend = pick(r, -0.1f, 0.5f);
  bird_beak(s, v3_make(top.x + head * 0.95f, top.y + 0.02f, 0.0f), beak, thick, bend);
  add_eyes(s, 5, -1, 3, v3_make(top.x + 0.42f * head, top.y + 0.12f * head + 0.05f, 0.84f * head),
           head * pick(r, 0.2f, 0.3f));
  float legs_at = pick(r, -0.05f, 0.12f);
  bird_legs(s, legs_at, leg + 0.25f * fat, 0.4f * fat, pick(r, 0.024f, 0.04f));
  set_view(s, side_yaw(r, 0.65f), 0.02f, 0.35f);
}
