/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_bottle.c: bottle: for wine, beer, milk or water, square ones and round flasks, of coloured
 * glass or of clear glass with a drink in it; with a cork, a cap or open.
 *
 * Parts: 1 bottle, 2 cap or cork, 3 label, 4 lip, 5 drink, 6 emblem.
 */
#include "shapes.h"

enum { GLASS, DRINK, CAP, LABEL, EMBLEM };

struct bottle_plan {
  float wide, body;      /* radius, and height where the shoulder starts */
  float shoulder, round; /* its height; 1: round as a quarter of a ball, 0: an S */
  float neck, mouth, top;
  float waist, ribs; /* depth */
};

static void bottle_materials(struct scene *s, int clear) {
  struct rng *r = &s->rng;
  v3 drink = rng_colour(r, 0.985f, 1.02f, 0.8f, 0.95f, 0.65f, 0.82f); /* red */
  switch (rng_int(r, 7)) {
    case 0: drink = rng_colour(r, 0.06f, 0.085f, 0.8f, 0.92f, 0.86f, 0.96f); break; /* orange */
    case 1: drink = rng_colour(r, 0.57f, 0.61f, 0.65f, 0.8f, 0.65f, 0.8f); break;   /* blue */
    case 2: drink = rng_colour(r, 0.22f, 0.25f, 0.6f, 0.7f, 0.7f, 0.78f); break;    /* lime */
    case 3: drink = rng_colour(r, 0.05f, 0.07f, 0.6f, 0.72f, 0.4f, 0.5f); break;    /* cola */
    case 4: drink = rng_colour(r, 0.12f, 0.14f, 0.72f, 0.85f, 0.9f, 0.97f); break;  /* lemon */
    case 5: drink = rng_colour(r, 0.96f, 0.99f, 0.3f, 0.4f, 0.86f, 0.94f); break;   /* pink */
    default: break;
  }
  v3 glass = rng_colour(r, 0.3f, 0.36f, 0.5f, 0.7f, 0.42f, 0.55f); /* green */
  switch (rng_int(r, 6)) {
    case 0: glass = rng_colour(r, 0.05f, 0.07f, 0.6f, 0.72f, 0.4f, 0.5f); break;  /* brown */
    case 1: glass = rng_colour(r, 0.57f, 0.61f, 0.65f, 0.8f, 0.65f, 0.8f); break; /* blue */
    case 2: glass = rng_colour(r, 0.48f, 0.52f, 0.65f, 0.8f, 0.5f, 0.65f); break; /* teal */
    case 3: glass = rng_paint(r, 0.7f, 0.9f, 0.6f, 0.9f); break;
    default: break;
  }
  if (clear) glass = rng_colour(r, 0.55f, 0.62f, 0.0f, 0.08f, 0.74f, 0.97f);
  scene_material(s, glass, 0.06f, 0.1f);
  scene_material(s, drink, 0.06f, 0.1f);
  int paint = rng_int(r, 3);
  v3 cap = rng_paint(r, 0.7f, 0.9f, 0.6f, 0.9f);
  if (paint == 0) cap = v3_make(0.03f, 0.03f, 0.035f);
  scene_material(s, cap, 0.04f, 0.3f);
  int pale = rng_chance(r, 0.65f);
  v3 paper = pale ? rng_colour(r, 0.09f, 0.13f, 0.02f, 0.3f, 0.9f, 0.97f)
                  : rng_paint(r, 0.7f, 0.9f, 0.65f, 0.9f);
  scene_material(s, paper, 0.0f, 1.0f);
  scene_material(s, pale ? rng_paint(r, 0.7f, 0.9f, 0.5f, 0.85f) : v3_make(0.85f, 0.84f, 0.8f),
                 0.0f, 1.0f);
}

/* Half width of the straight part: with a waist, or with rings as plastic bottles have. */
static float body_width(const struct bottle_plan *p, float t) {
  float in = f_sin(PI_F * t);
  float ring = 0.5f - 0.5f * f_cos(8.0f * PI_F * f_clamp((t - 0.25f) * 2.0f, 0.0f, 1.0f));
  return p->wide * (1.0f - p->waist * in * in - p->ribs * ring);
}

static const struct profile *bottle_outline(struct scene *s, const struct bottle_plan *p) {
  struct curve c = {0};
  curve_corner(&c, 0.0f, 0.0f);
  curve_corner(&c, 0.93f * p->wide, 0.0f);
  int n = p->ribs > 0.0f ? 16 : 5;
  for (int i = 0; i <= n; i++) {
    float t = (float)i / (float)n;
    curve_smooth(&c, body_width(p, t), f_mix(0.08f, p->body, t));
  }
  for (int i = 1; i < 5; i++) {
    float t = (float)i / 5.0f, s_curve = 1.0f - f_step(0.0f, 1.0f, t), ball = sqrtf(1.0f - t * t);
    curve_smooth(&c, f_mix(p->neck, p->wide, f_mix(s_curve, ball, p->round)),
                 f_mix(p->body, p->shoulder, t));
  }
  curve_corner(&c, p->neck, p->shoulder);
  curve_corner(&c, p->mouth, p->top);
  curve_corner(&c, 0.0f, p->top);
  curve_mirror(&c);
  return profile_bake(s, &c);
}

/* A flask: a ball that is flat below. */
static const struct profile *flask_outline(struct scene *s, const struct bottle_plan *p) {
  struct curve c = {0};
  float high = 0.5f * p->shoulder;
  curve_corner(&c, 0.0f, 0.0f);
  curve_smooth(&c, 0.55f * p->wide, 0.0f);
  curve_smooth(&c, 0.87f * p->wide, 0.42f * high);
  curve_smooth(&c, p->wide, high);
  curve_smooth(&c, 0.9f * p->wide, 1.42f * high);
  curve_smooth(&c, 0.62f * p->wide, 1.75f * high);
  curve_corner(&c, p->neck, p->shoulder);
  curve_corner(&c, p->mouth, p->top);
  curve_corner(&c, 0.0f, p->top);
  curve_mirror(&c);
  return profile_bake(s, &c);
}

static void cut_box(struct scene *s, int part, int material, float y) {
  struct solid *cut = scene_cut(s, SOLID_BOX, part, material);
  cut->a[0] = cut->a[1] = cut->a[2] = 3.0f;
  cut->pos.y = y;
}

/* The turned bottle; filled up to `level`, or not when that is 0. */
static void bottle_glass(struct scene *s, const struct profile *f, float level) {
  struct solid *b = scene_add(s, SOLID_TURNED, 1, GLASS);
  b->profile = f;
  if (level <= 0.0f) return;
  cut_box(s, 1, GLASS, level - 3.0f);
  b = scene_add(s, SOLID_TURNED, 5, DRINK);
  b->profile = f;
  cut_box(s, 5, DRINK, level + 3.0f);
}

static void add_disc(struct scene *s, int part, int material, float y0, float y1, float r0,
                     float r1) {
  struct solid *b = scene_add(s, SOLID_CONE, part, material);
  b->a[0] = 0.5f * (y1 - y0);
  b->a[1] = r0;
  b->a[2] = r1;
  b->a[3] = f_min(0.015f, 0.3f * b->a[0]);
  b->pos.y = 0.5f * (y0 + y1);
}

/* Cork, screw cap, crown cap, capsule down the neck, or the dark mouth. */
static void bottle_cap(struct scene *s, const struct bottle_plan *p, int kind) {
  struct rng *r = &s->rng;
  float m = p->mouth, top = p->top, tall = pick(r, 0.12f, 0.24f);
  if (kind != 3) /* the capsule covers the lip */
    add_disc(s, 4, GLASS, top - 0.09f, top, 1.22f * m, 1.22f * m);
  if (kind == 0) {
    s->material[CAP].base = rng_colour(r, 0.07f, 0.09f, 0.5f, 0.58f, 0.68f, 0.76f);
    add_disc(s, 2, CAP, top - 0.02f, top + tall, 0.9f * m, pick(r, 0.95f, 1.2f) * m);
  } else if (kind == 1) {
    add_disc(s, 2, CAP, top - 0.02f, top + tall, 1.2f * m, 1.15f * m);
  } else if (kind == 2) {
    add_disc(s, 2, CAP, top - 0.03f, top + 0.06f, 1.5f * m, 1.2f * m);
  } else if (kind == 3) {
    float down = (top - p->shoulder) * pick(r, 0.4f, 0.75f);
    add_disc(s, 2, CAP, top - down, top + 0.05f, 1.18f * f_mix(m, p->neck, 0.5f), 1.15f * m);
  } else {
    struct solid *hole = scene_cut(s, SOLID_CONE, 4, CAP);
    hole->a[0] = 0.1f;
    hole->a[1] = hole->a[2] = 0.85f * m;
    hole->pos.y = top + 0.04f;
    s->material[CAP].base = v3_make(0.012f, 0.012f, 0.014f);
  }
}

/* A band of paper about the straight part, perhaps with an emblem in front. */
static void bottle_label(struct scene *s, const struct bottle_plan *p, float low, float high) {
  struct rng *r = &s->rng;
  float w = p->wide + 0.015f;
  add_disc(s, 3, LABEL, low, high, w, w);
  int kind = rng_int(r, 3);
  if (kind == 1) {
    float half = 0.36f * f_min(high - low, 1.1f * p->wide);
    add_ball(s, 6, EMBLEM, v3_make(0.0f, 0.5f * (low + high), 0.93f * w),
             v3_make(half, half, 0.11f * w + 0.02f));
  } else if (kind == 2) {
    float y = f_mix(low, high, pick(r, 0.3f, 0.7f)), half = 0.14f * (high - low);
    add_disc(s, 6, EMBLEM, y - half, y + half, w + 0.012f, w + 0.012f);
  }
}

/* Proportions by kind: wine, beer, milk, water. */
static void bottle_proportions(struct rng *r, struct bottle_plan *p, int kind) {
  static const struct {
    float wide[2], body[2], shoulder[2], neck[2], top[2], round[2];
  } KINDS[4] = {
      {{0.3f, 0.4f}, {0.95f, 1.3f}, {0.18f, 0.4f}, {0.1f, 0.135f}, {0.4f, 0.6f}, {0.2f, 1.0f}},
      {{0.3f, 0.38f}, {0.75f, 1.0f}, {0.3f, 0.6f}, {0.11f, 0.14f}, {0.3f, 0.5f}, {0.0f, 0.5f}},
      {{0.36f, 0.5f}, {0.7f, 1.0f}, {0.3f, 0.45f}, {0.18f, 0.25f}, {0.2f, 0.35f}, {0.0f, 0.6f}},
      {{0.34f, 0.46f}, {0.95f, 1.3f}, {0.28f, 0.45f}, {0.15f, 0.2f}, {0.12f, 0.2f}, {0.3f, 1.0f}}};
  p->wide = pick(r, KINDS[kind].wide[0], KINDS[kind].wide[1]);
  p->body = pick(r, KINDS[kind].body[0], KINDS[kind].body[1]);
  p->shoulder = p->body + pick(r, KINDS[kind].shoulder[0], KINDS[kind].shoulder[1]);
  p->neck = pick(r, KINDS[kind].neck[0], KINDS[kind].neck[1]);
  p->mouth = p->neck * pick(r, 0.88f, 1.0f);
  p->top = p->shoulder + pick(r, KINDS[kind].top[0], KINDS[kind].top[1]);
  p->round = pick(r, KINDS[kind].round[0], KINDS[kind].round[1]);
  p->waist = p->ribs = 0.0f;
  if (kind == 3 && rng_chance(r, 0.55f))
    p->ribs = pick(r, 0.06f, 0.1f);
  else if (kind != 2 && rng_chance(r, 0.2f))
    p->waist = pick(r, 0.1f, 0.2f);
}

static void bottle_turned(struct scene *s, int kind, int clear) {
  struct rng *r = &s->rng;
  static const int caps[4][4] = {{0, 0, 3, 4}, {2, 2, 2, 4}, {1, 2, 1, 4}, {1, 1, 1, 1}};
  struct bottle_plan p;
  bottle_proportions(r, &p, kind);
  const struct profile *f = bottle_outline(s, &p);
  float level = p.body * pick(r, 0.55f, 1.1f), middle = p.body * pick(r, 0.42f, 0.56f),
        half = p.body * pick(r, 0.16f, 0.3f);
  int label = p.ribs == 0.0f && p.waist == 0.0f && rng_chance(r, clear ? 0.45f : 0.75f);
  if (label && fabsf(level - middle) < half + 0.06f) level = middle + half + 0.06f;
  bottle_glass(s, f, clear ? level : 0.0f);
  if (label) bottle_label(s, &p, middle - half, middle + half);
  bottle_cap(s, &p, caps[kind][rng_int(r, 4)]);
}

static void bottle_flask(struct scene *s, int clear) {
  struct rng *r = &s->rng;
  struct bottle_plan p = {0};
  p.wide = pick(r, 0.5f, 0.66f);
  p.shoulder = 2.0f * p.wide * pick(r, 0.78f, 1.0f);
  p.neck = pick(r, 0.14f, 0.2f);
  p.mouth = p.neck * pick(r, 0.9f, 1.1f);
  p.top = p.shoulder + pick(r, 0.2f, 0.5f);
  float level = p.shoulder * pick(r, 0.4f, 0.68f);
  bottle_glass(s, flask_outline(s, &p), clear ? level : 0.0f);
  bottle_cap(s, &p, rng_chance(r, 0.8f) ? 0 : 4);
}

/* A flat one with a square outline. */
static void bottle_square(struct scene *s, int clear) {
  struct rng *r = &s->rng;
  struct bottle_plan p = {0};
  p.wide = pick(r, 0.34f, 0.48f);
  p.body = pick(r, 0.9f, 1.25f);
  p.neck = p.mouth = pick(r, 0.12f, 0.16f);
  p.shoulder = p.body;
  p.top = p.body + pick(r, 0.22f, 0.4f);
  float deep = p.wide * pick(r, 0.5f, 0.9f), round = pick(r, 0.06f, 0.14f);
  v3 at = v3_make(0.0f, 0.5f * p.body, 0.0f), size = v3_make(p.wide, 0.5f * p.body, deep);
  float level = p.body * pick(r, 0.45f, 0.75f);
  add_box(s, 1, GLASS, at, size, round);
  struct solid *neck = scene_blend(s, SOLID_CONE, 1, GLASS, 0.12f);
  neck->a[0] = 0.5f * (p.top - p.body) + 0.1f;
  neck->a[1] = neck->a[2] = p.neck;
  neck->pos.y = p.top - neck->a[0];
  if (clear) {
    cut_box(s, 1, GLASS, level - 3.0f);
    add_box(s, 5, DRINK, at, size, round);
    cut_box(s, 5, DRINK, level + 3.0f);
  } else if (rng_chance(r, 0.7f)) {
    float y = p.body * pick(r, 0.42f, 0.55f), half = p.body * pick(r, 0.17f, 0.28f);
    add_box(s, 3, LABEL, v3_make(0.0f, y, 0.0f),
            v3_make(p.wide - round - 0.01f, half, deep + 0.02f), 0.015f);
  }
  static const int caps[4] = {0, 1, 1, 4};
  bottle_cap(s, &p, caps[rng_int(r, 4)]);
}

void shape_bottle(struct scene *s) {
  struct rng *r = &s->rng;
  int kind = rng_int(r, 7), clear = rng_chance(r, 0.45f) || (kind == 5 && rng_chance(r, 0.5f));
  bottle_materials(s, clear);
  if (kind == 5)
    bottle_flask(s, clear);
  else if (kind == 6)
    bottle_square(s, clear);
  else
    bottle_turned(s, kind == 4 ? 0 : kind, clear);
  set_view(s, pick(r, -0.4f, 0.4f), 0.0f, 0.35f);
  float lean = pick(r, 0.3f, 0.75f), side = rng_sign(r);
  if (rng_chance(r, 0.2f)) s->view.roll += side * lean;
}
