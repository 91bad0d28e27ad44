/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_sun.c: sun: a toy one, a ball, a lens or a coin with rays about it, often with a face; it
 * stands on its rays, in a block or on a pole, hovers, or stands behind a cloud.
 *
 * Parts: 1 disc, 2 ray, 3 eye or sunglasses, 4 mouth, 5 cheek, 6 stand, 7 cloud.
 */
#include "shapes.h"

enum { DISC, RAY, DARK, CHEEK, STAND, CLOUD };

enum ray_kind { TRIANGLES, BARS, DROPS, FLAMES, PLATE };

struct sun_plan {
  float wide, deep; /* radii of the disc: in the plane and along z */
  int flat;         /* a coin: its face is level */
  int rays, kind, uneven;
  float reach, small; /* radii at the tips of the rays, and of every second one if uneven */
  float half, tip;    /* half widths of a ray at its root and of a bar's end */
  v3 at;
};

static void sun_materials(struct scene *s) {
  struct rng *r = &s->rng;
  v3 yellow = rng_colour(r, 0.12f, 0.14f, 0.75f, 0.85f, 0.92f, 0.98f),
     orange = rng_colour(r, 0.06f, 0.085f, 0.8f, 0.9f, 0.88f, 0.96f),
     red = rng_colour(r, 0.985f, 1.02f, 0.8f, 0.92f, 0.7f, 0.82f);
  float kind = pick(r, 0.0f, 1.0f), other = pick(r, 0.0f, 1.0f);
  v3 disc = kind < 0.7f ? yellow : orange, ray = disc;
  if (other > 0.35f) ray = kind < 0.7f ? orange : yellow;
  if (other > 0.92f && kind < 0.7f) ray = red;
  scene_material(s, disc, 0.04f, 0.4f);
  scene_material(s, ray, 0.04f, 0.4f);
  scene_material(
      s, rng_chance(r, 0.75f) ? v3_make(0.014f, 0.014f, 0.017f) : v3_make(0.17f, 0.05f, 0.02f),
      0.06f, 0.2f);
  scene_material(s,
                 kind < 0.7f ? rng_colour(r, 0.03f, 0.06f, 0.7f, 0.8f, 0.9f, 0.96f)
                             : rng_colour(r, 0.985f, 1.01f, 0.75f, 0.85f, 0.75f, 0.85f),
                 0.0f, 1.0f);
  v3 wood = rng_colour(r, 0.07f, 0.09f, 0.5f, 0.58f, 0.68f, 0.76f);
  scene_material(s, rng_chance(r, 0.5f) ? wood : natural_glaze(r), 0.04f, 0.4f);
  scene_material(s, rng_chance(r, 0.7f) ? v3_make(0.85f, 0.85f, 0.86f) : v3_make(0.25f, 0.4f, 0.7f),
                 0.0f, 1.0f);
}

static float ray_angle(const struct sun_plan *p, int i, float first) {
  return first + 2.0f * PI_F * (float)i / (float)p->rays;
}

static float ray_reach(const struct sun_plan *p, int i) {
  return p->uneven && (i & 1) ? p->small : p->reach;
}

/* A ray along y from the origin (the middle of the disc). */
static const struct profile *ray_outline(struct scene *s, const struct sun_plan *p, float reach) {
  float root = 0.88f * p->wide, w = p->half, len = reach - root;
  struct curve c = {0};
  curve_corner(&c, 0.0f, root);
  if (p->kind == TRIANGLES) {
    curve_corner(&c, w, root);
    curve_corner(&c, 0.0f, reach);
  } else if (p->kind == BARS) {
    curve_corner(&c, p->tip, root);
    curve_smooth(&c, p->tip, reach - 0.8f * p->tip);
    curve_smooth(&c, 0.7f * p->tip, reach - 0.2f * p->tip);
    curve_smooth(&c, 0.0f, reach);
  } else { /* a drop */
    curve_corner(&c, 0.55f * w, root);
    curve_smooth(&c, 0.95f * w, root + 0.4f * len);
    curve_smooth(&c, 0.6f * w, root + 0.78f * len);
    curve_smooth(&c, 0.0f, reach);
  }
  if (p->kind == FLAMES) { /* bent to one side, so not mirrored */
    c.n = 0;
    float bend = 0.5f * w;
    curve_corner(&c, -w, root);
    curve_corner(&c, w, root);
    curve_smooth(&c, 0.75f * w + bend, root + 0.38f * len);
    curve_smooth(&c, 0.5f * w, root + 0.75f * len);
    curve_corner(&c, 0.0f, reach);
    curve_smooth(&c, -0.5f * w + 0.4f * bend, root + 0.62f * len);
    curve_smooth(&c, -0.8f * w + 0.9f * bend, root + 0.35f * len);
  } else {
    curve_mirror(&c);
  }
  return profile_bake(s, &c);
}

static void sun_rays(struct scene *s, const struct sun_plan *p, float first, float thick) {
  const struct profile *f = ray_outline(s, p, p->reach),
                       *g = p->uneven ? ray_outline(s, p, p->small) : f;
  for (int i = 0; i < p->rays; i++) {
    struct solid *b = scene_add(s, SOLID_PUFFED, 2, RAY);
    b->profile = p->uneven && (i & 1) ? g : f;
    b->a[0] = thick;
    b->pos = p->at;
    b->line = 30 + i;
    solid_turn(b, 2, ray_angle(p, i, first));
  }
}

/* One plate with a jagged rim. */
static void sun_plate(struct scene *s, const struct sun_plan *p, float first, float thick) {
  struct curve c = {0};
  float between = p->wide + 0.22f * (p->reach - p->wide);
  for (int i = 0; i < p->rays; i++) {
    float a = ray_angle(p, i, first), b = a + PI_F / (float)p->rays, out = ray_reach(p, i);
    curve_corner(&c, -out * f_sin(a), out * f_cos(a));
    curve_corner(&c, -between * f_sin(b), between * f_cos(b));
  }
  struct solid *b = scene_add(s, SOLID_PUFFED, 2, RAY);
  b->profile = profile_bake(s, &c);
  b->a[0] = thick;
  b->pos = p->at;
}

static void sun_disc(struct scene *s, const struct sun_plan *p) {
  if (!p->flat) {
    add_ball(s, 1, DISC, p->at, v3_make(p->wide, p->wide, p->deep));
    return;
  }
  float edge = 0.6f * p->deep, w = p->wide, d = p->deep;
  struct curve c = {0};
  curve_corner(&c, 0.0f, -d);
  curve_corner(&c, w - edge, -d);
  curve_smooth(&c, w - 0.3f * edge, -0.8f * d);
  curve_smooth(&c, w, 0.0f);
  curve_smooth(&c, w - 0.3f * edge, 0.8f * d);
  curve_corner(&c, w - edge, d);
  curve_corner(&c, 0.0f, d);
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_TURNED, 1, DISC);
  b->profile = profile_bake(s, &c);
  b->pos = p->at;
  solid_turn(b, 0, 0.5f * PI_F);
}

/* The place on the front of the disc at (x, y), both as shares of its radius. */
static v3 face_point(const struct sun_plan *p, float x, float y) {
  float z = p->flat ? p->deep : p->deep * sqrtf(1.0f - x * x - y * y);
  return v3_add(p->at, v3_make(x * p->wide, y * p->wide, z));
}

/* An arc on the face through three places. */
static void face_arc(struct scene *s, const struct sun_plan *p, int part, float x, float y,
                     float wide, float drop, float thick) {
  struct solid *b = scene_add(s, SOLID_TUBE, part, DARK);
  v3 from = face_point(p, x - wide, y), to = face_point(p, x + wide, y),
     mid = face_point(p, x, y - drop);
  b->npt = 3;
  b->pt[0] = from;
  b->pt[1] = v3_mad(mid, v3_sub(mid, v3_mix(from, to, 0.5f)), 1.0f);
  b->pt[2] = to;
  b->a[0] = b->a[1] = thick;
}

static void sun_face(struct scene *s, const struct sun_plan *p) {
  struct rng *r = &s->rng;
  float apart = pick(r, 0.28f, 0.4f), up = pick(r, 0.08f, 0.25f), size = pick(r, 0.1f, 0.15f),
        tall = pick(r, 1.0f, 1.6f), w = p->wide, thick = pick(r, 0.032f, 0.042f);
  int eyes = rng_int(r, 8);
  for (int k = -1; k <= 1; k += 2) {
    v3 at = face_point(p, (float)k * apart, up);
    if (eyes == 0) /* closed */
      face_arc(s, p, 3, (float)k * apart, up, 1.3f * size, -0.9f * size, thick);
    else if (eyes == 1) /* sunglasses */
      add_ball(s, 3, DARK, face_point(p, (float)k * 0.34f, up),
               v3_make(0.29f * w, 0.2f * w, 0.07f));
    else
      add_ball(s, 3, DARK, at, v3_make(size * w, tall * size * w, 0.045f));
  }
  if (eyes == 1) face_arc(s, p, 3, 0.0f, up + 0.06f, 0.2f, -0.02f, thick);
  float smile = pick(r, 0.26f, 0.45f), drop = pick(r, 0.12f, 0.24f), low = pick(r, 0.2f, 0.32f);
  if (rng_chance(r, 0.2f)) /* an open mouth */
    add_ball(s, 4, DARK, face_point(p, 0.0f, -low - 0.08f),
             v3_make(0.5f * smile * w, 0.13f * w, 0.045f));
  else
    face_arc(s, p, 4, 0.0f, -low, smile, drop, thick);
  if (!rng_chance(r, 0.35f)) return;
  for (int k = -1; k <= 1; k += 2)
    add_ball(s, 5, CHEEK, face_point(p, 0.58f * (float)k, -0.14f),
             v3_make(0.12f * w, 0.1f * w, 0.035f));
}

static void sun_cloud(struct scene *s, float z) {
  struct rng *r = &s->rng;
  float side = rng_sign(r), x = side * pick(r, 0.0f, 0.35f), size = pick(r, 0.85f, 1.1f);
  static const float puffs[4][3] = {
      {-0.42f, 0.2f, 0.23f}, {-0.08f, 0.32f, 0.31f}, {0.28f, 0.26f, 0.26f}, {0.55f, 0.16f, 0.17f}};
  for (int i = 0; i < 4; i++) {
    float radius = size * puffs[i][2];
    struct solid *b = i ? scene_blend(s, SOLID_ELLIPSOID, 7, CLOUD, 0.03f)
                        : scene_add(s, SOLID_ELLIPSOID, 7, CLOUD);
    b->a[0] = b->a[1] = radius;
    b->a[2] = 0.75f * radius;
    b->pos =
        v3_make(x + side * size * puffs[i][0], f_max(radius, size * puffs[i][1]), z + 0.28f * size);
  }
}

static void sun_pole(struct scene *s, const struct sun_plan *p) {
  struct rng *r = &s->rng;
  float w = pick(r, 0.26f, 0.4f), h = pick(r, 0.035f, 0.07f), thick = pick(r, 0.045f, 0.065f);
  v3 top = v3_make(0.0f, p->at.y - 0.9f * p->wide, 0.0f);
  add_bar(s, 6, STAND, v3_make(0.0f, f_max(h, thick), 0.0f), top, thick, thick);
  struct solid *b = scene_add(s, SOLID_CONE, 6, STAND);
  b->a[0] = h;
  b->a[1] = w;
  b->a[2] = 0.85f * w;
  b->a[3] = 0.02f;
  b->pos.y = h;
}

/* How far the rays reach below the middle. */
static float sun_depth(const struct sun_plan *p, float first) {
  float low = 0.0f;
  for (int i = 0; i < p->rays; i++) {
    float c = -f_cos(ray_angle(p, i, first)), end = ray_reach(p, i);
    low = f_max(low, p->kind == BARS ? c * (end - p->tip) + p->tip : c * end);
  }
  return low;
}

static void sun_plan(struct rng *r, struct sun_plan *p) {
  float body = pick(r, 0.0f, 1.0f);
  p->wide = pick(r, 0.48f, 0.62f);
  p->flat = body < 0.35f;
  p->deep = p->wide * (body < 0.75f ? pick(r, 0.2f, 0.42f) : pick(r, 0.75f, 1.0f));
  p->kind = rng_int(r, 6) % 5; /* most have triangles */
  if (p->kind == PLATE)        /* whose cushion would swallow a thin disc */
    p->deep = f_max(p->deep, p->flat ? 0.18f : 0.42f * p->wide);
  p->rays = 8 + rng_int(r, 5);
  if (p->kind == BARS) p->rays = 8 + rng_int(r, 4);
  if (p->kind == PLATE) p->rays = 9 + rng_int(r, 6);
  p->reach = p->wide * pick(r, 1.5f, 1.85f);
  p->uneven = p->kind != FLAMES && !(p->rays & 1) && rng_chance(r, 0.35f);
  p->small = f_mix(p->wide, p->reach, 0.6f);
  float room = p->wide * PI_F / (float)p->rays; /* half of the rim that each ray has */
  p->half = room * pick(r, 0.62f, 0.92f);
  p->tip = f_min(0.55f * room, pick(r, 0.05f, 0.085f));
}

void shape_sun(struct scene *s) {
  struct rng *r = &s->rng;
  struct sun_plan p;
  sun_materials(s);
  sun_plan(r, &p);
  int stand = rng_int(r, 8); /* 0..2 on its rays, 3 hovers, 4 cloud, 5 block, 6 and 7 pole */
  float half_turn = PI_F / (float)p.rays;
  float first = rng_chance(r, 0.5f) ? 0.0f : pick(r, 0.0f, 2.0f) * half_turn;
  if (stand < 3 || stand > 5) first = PI_F + half_turn; /* two rays below, alike */
  if (stand < 3 && p.uneven) first = PI_F + half_turn * 2.0f;
  if (stand == 4 && p.deep > 0.45f * p.wide) p.deep = 0.4f * p.wide;
  float low = sun_depth(&p, first), thick = p.kind == PLATE ? 0.11f : pick(r, 0.06f, 0.09f);
  p.at = v3_make(0.0f, low + 0.005f, 0.0f);
  if (stand == 3) s->lift = pick(r, 0.15f, 0.5f);
  if (stand > 5) p.at.y = p.reach + pick(r, 0.2f, 0.5f);
  if (p.kind == PLATE)
    sun_plate(s, &p, first, thick);
  else
    sun_rays(s, &p, first, thick);
  sun_disc(s, &p);
  if (rng_chance(r, 0.6f)) sun_face(s, &p);
  if (stand == 4) sun_cloud(s, p.deep);
  float block = pick(r, 0.35f, 0.55f), depth = pick(r, 0.15f, 0.22f);
  if (stand == 5)
    add_box(s, 6, STAND, v3_make(0.0f, 0.08f, 0.0f), v3_make(block, 0.08f, depth), 0.02f);
  if (stand > 5) sun_pole(s, &p);
  set_view(s, pick(r, -0.42f, 0.42f), 0.0f, 0.28f);
}
