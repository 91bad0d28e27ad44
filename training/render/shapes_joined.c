/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_joined.c: sailboat and chair.
 *
 * Parts: sailboat 1 hull, 2 deck, 3 mast and boom, 4 main sail, 5 jib, 6 cabin, 7 pennant; chair
 * 1 seat, 2 legs, 3 back, 4 arms, 5 cushion.
 */
#include "shapes.h"

/* ---- sailboat ---- */

static void boat_hull(struct scene *s, float len, float wide, float deep) {
  struct rng *r = &s->rng;
  float stern = pick(r, 0.35f, 0.85f), fore = pick(r, 0.25f, 0.6f);
  struct curve c = {0};
  curve_corner(&c, len, 0.0f);
  curve_smooth(&c, fore * len, 0.86f * wide);
  curve_smooth(&c, -0.25f * len, wide);
  curve_corner(&c, -len, stern * wide);
  curve_corner(&c, -len, -stern * wide);
  curve_smooth(&c, -0.25f * len, -wide);
  curve_smooth(&c, fore * len, -0.86f * wide);
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 1, 0);
  b->profile = profile_bake(s, &c);
  b->a[0] = deep;
  b->a[1] = 0.02f;
  b->a[2] = pick(r, 0.18f, 0.42f) * wide / deep;
  b->a[4] = pick(r, 0.0f, 0.1f);
  b->pos.y = deep;
  solid_turn(b, 0, -0.5f * PI_F); /* local z becomes up */
}

static void boat_sail(struct scene *s, int part, int material, v3 foot, float length, float height,
                      float belly, float lean) {
  struct curve c = {0};
  curve_corner(&c, 0.0f, 0.0f);
  curve_corner(&c, length, 0.0f);
  curve_smooth(&c, f_mix(length, lean, 0.35f) + belly * (length > 0.0f ? 1.0f : -1.0f),
               0.35f * height);
  curve_smooth(&c, f_mix(length, lean, 0.72f) + 0.6f * belly * (length > 0.0f ? 1.0f : -1.0f),
               0.72f * height);
  curve_corner(&c, lean, height);
  struct solid *b = scene_add(s, SOLID_EXTRUDED, part, material);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.012f;
  b->a[1] = 0.005f;
  b->a[4] = 0.22f;
  b->pos = foot;
  solid_turn(b, 1, 0.12f);
}

static void boat_materials(struct scene *s, float deep) {
  struct rng *r = &s->rng;
  float kind = pick(r, 0.0f, 1.0f);
  v3 wood = rng_colour(r, 0.05f, 0.09f, 0.45f, 0.7f, 0.4f, 0.75f);
  v3 paint = rng_paint(r, 0.4f, 0.8f, 0.3f, 0.8f), white = v3_make(0.8f, 0.79f, 0.75f);
  v3 hull = paint; /* half of the boats */
  if (kind < 0.5f) hull = kind < 0.25f ? wood : white;
  int m = scene_material(s, hull, 0.05f, 0.2f);
  struct material *h = &s->material[m];
  h->pattern = PATTERN_HULL;
  h->alt = rng_paint(r, 0.4f, 0.8f, 0.2f, 0.6f);
  h->third = kind < 0.5f ? paint : white;
  h->phase = rng_chance(r, 0.6f) ? pick(r, -0.5f, 0.2f) * deep : -9.0f;
  h->amount = rng_chance(r, 0.6f) ? pick(r, 0.5f, 0.75f) * deep : 9.0f;
  h->scale = 0.02f;
  int plain = rng_chance(r, 0.65f);
  v3 cloth = plain ? rng_colour(r, 0.08f, 0.14f, 0.02f, 0.15f, 0.88f, 0.97f)
                   : rng_paint(r, 0.3f, 0.7f, 0.5f, 0.85f);
  m = scene_material(s, cloth, 0.0f, 1.0f);
  h = &s->material[m];
  h->pattern = PATTERN_SAIL;
  h->alt = rng_paint(r, 0.5f, 0.8f, 0.4f, 0.85f);
  h->extra = (float)(rng_int(r, 6));
  h->scale = pick(r, 1.2f, 2.5f);
  h->amount = pick(r, 0.3f, 0.55f);
  h->phase = pick(r, 0.0f, 1.0f);
  m = scene_material(s, h->base, 0.0f, 1.0f);
  s->material[m].pattern = PATTERN_SAIL;
  if (rng_chance(r, 0.3f)) s->material[m].base = s->material[1].alt;
  s->material[m].scale = 1.0f;
  scene_material(s, rng_chance(r, 0.5f) ? wood : v3_make(0.55f, 0.55f, 0.56f), 0.06f, 0.35f);
  scene_material(s, white, 0.05f, 0.3f);
  scene_material(s, rng_paint(r, 0.7f, 0.9f, 0.5f, 0.85f), 0.0f, 1.0f);
}

void shape_sailboat(struct scene *s) {
  struct rng *r = &s->rng;
  float len = pick(r, 0.7f, 1.15f), wide = pick(r, 0.24f, 0.4f), deep = pick(r, 0.12f, 0.24f);
  boat_materials(s, deep);
  boat_hull(s, len, wide, deep);
  float mast_x = pick(r, -0.05f, 0.3f) * len, mast = pick(r, 1.2f, 2.2f), deck = 2.0f * deep;
  add_bar(s, 3, 3, v3_make(mast_x, deck - 0.1f, 0.0f), v3_make(mast_x, deck + mast, 0.0f), 0.028f,
          0.018f);
  float boom = (mast_x + len) * pick(r, 0.75f, 1.0f), up = pick(r, 0.14f, 0.26f);
  add_bar(s, 3, 3, v3_make(mast_x, deck + up, 0.0f),
          v3_make(mast_x - boom, deck + up, 0.12f * boom), 0.02f, 0.018f);
  float high = mast * pick(r, 0.75f, 0.95f) - up, full = pick(r, -0.02f, 0.14f);
  boat_sail(s, 4, 1, v3_make(mast_x - 0.03f, deck + up + 0.03f, 0.0f), -boom * 0.97f, high, full,
            -0.03f);
  if (rng_chance(r, 0.75f)) {
    float reach = (len - mast_x) * pick(r, 0.7f, 0.95f), tall = mast * pick(r, 0.5f, 0.88f);
    boat_sail(s, 5, 2, v3_make(mast_x + 0.05f, deck + pick(r, 0.06f, 0.16f), 0.0f), reach, tall,
              -0.05f, 0.02f);
  }
  if (rng_chance(r, 0.4f)) {
    float size = pick(r, 0.16f, 0.3f);
    add_box(s, 6, 4, v3_make(mast_x - 0.3f * len, deck + 0.02f, 0.0f),
            v3_make(size, 0.07f, 0.5f * wide), 0.03f);
  }
  if (rng_chance(r, 0.4f))
    boat_sail(s, 7, 5, v3_make(mast_x, deck + mast - 0.13f, 0.0f), -pick(r, 0.18f, 0.3f), 0.12f,
              0.0f, 0.0f);
  set_view(s, side_yaw(r, 0.6f), 0.0f, 0.35f);
  s->view.roll = pick(r, -0.09f, 0.09f);
}

/* ---- chair ---- */

struct chair_plan {
  float seat, w, d, thick, back, lean, leg, splay;
};

static void chair_legs(struct scene *s, const struct chair_plan *p, int square, int rungs) {
  for (int i = 0; i < 4; i++) {
    float sx = i & 1 ? 1.0f : -1.0f, sz = i & 2 ? 1.0f : -1.0f;
    v3 top = v3_make(sx * (p->w - p->leg - 0.02f), p->seat - 0.02f, sz * (p->d - p->leg - 0.02f));
    v3 foot = v3_make(top.x + sx * p->splay, p->leg * 0.8f, top.z + sz * p->splay);
    if (square) {
      add_box(s, 2, 0, v3_make(top.x, 0.5f * p->seat, top.z),
              v3_make(p->leg, 0.5f * p->seat, p->leg), 0.008f);
    } else {
      add_bar(s, 2, 0, foot, top, p->leg * 0.75f, p->leg);
    }
    if (rungs) {
      v3 a = v3_mix(foot, top, 0.4f), b = a;
      if (i & 1)
        b.x = -b.x;
      else
        b.z = i & 2 ? -b.z : b.z;
      if ((i & 1) || (i == 2)) add_bar(s, 2, 0, a, b, p->leg * 0.5f, p->leg * 0.5f);
    }
  }
}

/* A point of the back at height y above the seat. */
static v3 back_point(const struct chair_plan *p, float x, float y) {
  return v3_make(x, p->seat + y, -p->d + 0.05f - p->lean * y);
}

/* One panel with a rounded outline. */
static void chair_panel(struct scene *s, const struct chair_plan *p, float w, float h,
                        float flare) {
  struct rng *r = &s->rng;
  float round = pick(r, 0.0f, 1.0f);
  struct curve c = {0};
  curve_corner(&c, w, -0.02f);
  curve_smooth(&c, w + flare, 0.55f * h);
  if (round < 0.4f)
    curve_corner(&c, w + flare, h);
  else
    curve_smooth(&c, 0.8f * w, 0.92f * h);
  curve_smooth(&c, 0.0f, h * (1.0f + 0.12f * round));
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 3, 1);
  b->profile = profile_bake(s, &c);
  b->a[0] = pick(r, 0.03f, 0.07f);
  b->a[1] = 0.025f;
  b->a[4] = pick(r, 0.0f, 0.2f);
  b->pos = v3_make(0.0f, p->seat, -p->d + 0.05f);
  solid_turn(b, 0, -p->lean);
}

static void chair_back(struct scene *s, const struct chair_plan *p, int kind) {
  struct rng *r = &s->rng;
  float w = p->w - 0.05f, h = p->back, bar = f_max(0.03f, 0.8f * p->leg),
        flare = pick(r, -0.12f, 0.1f);
  struct solid *b;
  if (kind == 0) {
    chair_panel(s, p, w, h, flare);
    return;
  }
  for (int k = -1; k <= 1; k += 2)
    add_bar(s, 3, 0, back_point(p, (float)k * w, -0.04f), back_point(p, (float)k * (w + flare), h),
            bar, bar * 0.9f);
  if (kind == 1) { /* ladder */
    int n = 2 + rng_int(r, 3);
    float tall = 0.28f * h / (float)n;
    for (int i = 0; i < n; i++) {
      float t = ((float)i + 1.0f) / (float)n;
      b = add_box(s, 3, 0, back_point(p, 0.0f, h * t - tall), v3_make(w + flare * t, tall, 0.022f),
                  0.012f);
      solid_turn(b, 0, -p->lean);
    }
    return;
  }
  int n = 3 + rng_int(r, 4); /* spindles under a rail */
  float rail = pick(r, 0.04f, 0.1f);
  b = add_box(s, 3, 0, back_point(p, 0.0f, h), v3_make(w + flare + bar, rail, 0.035f), 0.02f);
  solid_turn(b, 0, -p->lean);
  for (int i = 1; i <= n; i++) {
    float t = 2.0f * (float)i / (float)(n + 1) - 1.0f;
    add_bar(s, 3, 0, back_point(p, t * w, 0.0f), back_point(p, t * (w + flare), h), bar * 0.45f,
            bar * 0.45f);
  }
}

static void chair_arms(struct scene *s, const struct chair_plan *p) {
  struct rng *r = &s->rng;
  float up = pick(r, 0.22f, 0.36f), front = p->d * pick(r, 0.4f, 0.9f);
  for (int k = -1; k <= 1; k += 2) {
    float x = (float)k * (p->w + 0.0f);
    add_bar(s, 4, 0, v3_make(x, p->seat + up, front),
            v3_make(x, p->seat + up + 0.02f, -p->d + 0.05f - p->lean * up), 0.04f, 0.04f);
    add_bar(s, 4, 0, v3_make(x, p->seat - 0.02f, front), v3_make(x, p->seat + up, front), 0.035f,
            0.035f);
  }
}

static void chair_materials(struct scene *s) {
  struct rng *r = &s->rng;
  float kind = pick(r, 0.0f, 1.0f);
  v3 wood = rng_colour(r, 0.045f, 0.095f, 0.4f, 0.7f, 0.3f, 0.8f),
     paint = rng_paint(r, 0.2f, 0.65f, 0.35f, 0.9f);
  int m = scene_material(s,
                         kind < 0.6f    ? wood
                         : kind < 0.75f ? v3_make(0.03f, 0.03f, 0.032f)
                                        : paint,
                         0.045f, pick(r, 0.2f, 0.5f));
  if (kind < 0.6f) {
    s->material[m].pattern = PATTERN_WOOD;
    s->material[m].alt = v3_scale(wood, 0.55f);
    s->material[m].amount = pick(r, 0.3f, 0.9f);
    s->material[m].phase = pick(r, 0.0f, 9.0f);
  }
  int same = rng_chance(r, 0.55f);
  struct material first = s->material[m];
  m = scene_material(s, paint, 0.045f, 0.4f);
  if (same) s->material[m] = first;
  m = scene_material(s, rng_paint(r, 0.15f, 0.65f, 0.3f, 0.85f), 0.0f, 1.0f);
  s->material[m].pattern = PATTERN_FABRIC;
  s->material[m].scale = 60.0f;
}

void shape_chair(struct scene *s) {
  struct rng *r = &s->rng;
  struct chair_plan p;
  chair_materials(s);
  p.seat = pick(r, 0.6f, 1.0f);
  p.w = pick(r, 0.4f, 0.62f);
  p.d = pick(r, 0.38f, 0.55f);
  p.thick = pick(r, 0.03f, 0.07f);
  p.back = pick(r, 0.5f, 1.2f);
  p.lean = pick(r, 0.02f, 0.3f);
  p.leg = pick(r, 0.03f, 0.065f);
  int square = rng_chance(r, 0.4f), round = !square && rng_chance(r, 0.35f);
  p.splay = square ? 0.0f : pick(r, 0.0f, 0.16f);
  struct solid *b;
  if (round) {
    b = scene_add(s, SOLID_CONE, 1, 1);
    b->a[0] = p.thick;
    b->a[1] = b->a[2] = f_max(p.w, p.d);
    b->a[3] = 0.025f;
    b->pos.y = p.seat;
    p.w *= 0.85f;
    p.d = p.w;
  } else {
    add_box(s, 1, 1, v3_make(0.0f, p.seat, 0.0f), v3_make(p.w, p.thick, p.d), 0.025f);
  }
  chair_legs(s, &p, square, rng_chance(r, 0.4f));
  chair_back(s, &p, rng_int(r, 3));
  if (rng_chance(r, 0.3f)) chair_arms(s, &p);
  if (rng_chance(r, 0.35f))
    add_box(s, 5, 2, v3_make(0.0f, p.seat + p.thick + 0.05f, 0.02f),
            v3_make(p.w * 0.88f, 0.06f, p.d * 0.86f), 0.055f);
  float yaw = pick(r, 0.15f, 0.95f), side = rng_sign(r);
  set_view(s, yaw * side, 0.1f, 0.5f);
  if (rng_chance(r, 0.15f)) s->view.yaw += PI_F;
}
