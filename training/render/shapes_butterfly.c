/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_butterfly.c: butterfly in the air, its wings spread and seen from above, or raised and
 * seen from the side.
 *
 * It is built with the body along y, the head up, the wings in the plane of x and y and folded
 * towards +z, and turned as a whole when it is done.
 *
 * Parts: 1 body, 2 fore wing, 3 hind wing, 4 field inside a wing, 5 feeler, 6 head, 7 eye, 8 spot.
 */
#include "shapes.h"

enum { WING, EDGE, HIND, SPOT, TRUNK, EYE };
enum { LINE_DETAIL = 40 };

struct wings {
  float fore, hind;           /* lengths */
  float fore_up, hind_down;   /* angles from x */
  float fore_wide, hind_wide; /* factors */
  float fold;                 /* angle towards +z */
  float thick;                /* half */
  int pointed, tail;
};

/* ---- colours ---- */

static v3 wing_colour(struct rng *r) {
  switch (rng_int(r, 9)) {
    case 0:
    case 1: return rng_colour(r, 0.06f, 0.075f, 0.8f, 0.88f, 0.85f, 0.95f); /* orange */
    case 2: return rng_colour(r, 0.12f, 0.14f, 0.72f, 0.82f, 0.88f, 0.95f); /* yellow */
    case 3: return rng_colour(r, 0.58f, 0.62f, 0.65f, 0.78f, 0.65f, 0.8f);  /* blue */
    case 4: return rng_colour(r, 0.98f, 1.01f, 0.78f, 0.9f, 0.7f, 0.82f);   /* red */
    case 5: return rng_colour(r, 0.96f, 0.98f, 0.32f, 0.4f, 0.84f, 0.92f);  /* pink */
    case 6: return rng_colour(r, 0.49f, 0.52f, 0.65f, 0.8f, 0.5f, 0.62f);   /* teal */
    case 7: return rng_colour(r, 0.21f, 0.24f, 0.6f, 0.7f, 0.68f, 0.78f);   /* green */
    default: return rng_colour(r, 0.08f, 0.14f, 0.02f, 0.06f, 0.9f, 0.95f); /* white */
  }
}

static void butterfly_materials(struct scene *s) {
  struct rng *r = &s->rng;
  static const v3 white = {0.86f, 0.84f, 0.79f}, black = {0.017f, 0.016f, 0.018f};
  v3 wing = wing_colour(r), edge = black, hind = wing, other = wing_colour(r);
  v3 brown = rng_colour(r, 0.055f, 0.08f, 0.62f, 0.72f, 0.4f, 0.48f);
  float kind = pick(r, 0.0f, 1.0f);
  if (kind < 0.25f) edge = brown;
  if (kind > 0.8f) edge = other;
  if (rng_chance(r, 0.3f)) hind = wing_colour(r);
  int pale = wing.x + wing.y + wing.z > 1.5f;
  v3 spot = rng_chance(r, 0.45f) || pale ? black : white;
  v3 other_spot = wing_colour(r), gap = v3_sub(other_spot, wing);
  if (rng_chance(r, 0.35f) && v3_dot(gap, gap) > 0.1f) spot = other_spot;
  scene_material(s, wing, 0.0f, 1.0f);
  scene_material(s, edge, 0.0f, 1.0f);
  scene_material(s, hind, 0.0f, 1.0f);
  scene_material(s, spot, 0.0f, 1.0f);
  int dark = rng_chance(r, 0.65f);
  scene_material(s, dark ? black : brown, 0.03f, 0.6f);
  scene_material(s, white, 0.05f, 0.2f);
}

/* ---- wings ---- */

static void wing_point(struct curve *c, float angle, float u, float v, int corner) {
  float x = u * f_cos(angle) - v * f_sin(angle), y = u * f_sin(angle) + v * f_cos(angle);
  if (corner)
    curve_corner(c, x, y);
  else
    curve_smooth(c, x, y);
}

/* Outlines of right wings with their roots at 0; shrink: 1 whole, less for the field inside. */
static const struct profile *fore_wing(struct scene *s, const struct wings *w, float shrink) {
  float l = w->fore * shrink, a = w->fore_up, k = w->fore_wide,
        o = 0.5f * w->fore * (1.0f - shrink);
  struct curve c = {0};
  wing_point(&c, a, o, 0.05f * shrink, 1);
  wing_point(&c, a, o + 0.4f * l, 0.17f * l * k, 0);
  wing_point(&c, a, o + 0.78f * l, 0.27f * l * k, 0);
  wing_point(&c, a, o + (w->pointed ? 1.04f : 0.97f) * l, (w->pointed ? 0.26f : 0.14f) * l * k,
             w->pointed);
  wing_point(&c, a, o + 0.95f * l, -0.16f * l * k, 0);
  wing_point(&c, a, o + 0.74f * l, -0.42f * l * k, 0);
  wing_point(&c, a, o + 0.36f * l, -0.34f * l * k, 0);
  wing_point(&c, a, o, -0.08f * shrink, 1);
  return profile_bake(s, &c);
}

static const struct profile *hind_wing(struct scene *s, const struct wings *w, float shrink) {
  float l = w->hind * shrink, a = -w->hind_down, k = w->hind_wide,
        o = 0.5f * w->hind * (1.0f - shrink);
  struct curve c = {0};
  wing_point(&c, a, o, 0.08f * shrink, 1);
  wing_point(&c, a, o + 0.4f * l, 0.32f * l * k, 0);
  wing_point(&c, a, o + 0.8f * l, 0.34f * l * k, 0);
  wing_point(&c, a, o + l, 0.04f * l, 0);
  if (w->tail && shrink == 1.0f) {
    wing_point(&c, a, o + 1.0f * l, -0.12f * l, 0);
    wing_point(&c, a, o + 1.26f * l, -0.34f * l, 0);
    wing_point(&c, a, o + 1.16f * l, -0.44f * l, 0);
    wing_point(&c, a, o + 0.84f * l, -0.3f * l, 0);
  } else {
    wing_point(&c, a, o + 0.88f * l, -0.28f * l * k, 0);
  }
  wing_point(&c, a, o + 0.55f * l, -0.36f * l * k, 0);
  wing_point(&c, a, o + 0.2f * l, -0.22f * l * k, 0);
  wing_point(&c, a, o, -0.08f * shrink, 1);
  return profile_bake(s, &c);
}

/* Bring a solid from the plane of the right wings to side k's wings; y: height of the root. */
static void on_wing(const struct wings *w, struct solid *b, float k, float y) {
  float x = b->pos.x, z = b->pos.z, c = f_cos(w->fold), n = f_sin(w->fold);
  b->pos = v3_make(k * (0.05f + c * x - n * z), b->pos.y + y, n * x + c * z);
  solid_turn(b, 1, k > 0.0f ? -w->fold : PI_F + w->fold);
}

static void add_wing(struct scene *s, const struct wings *w, const struct profile *f, int part,
                     int material, float y, float z, float half) {
  for (int k = -1; k <= 1; k += 2) {
    struct solid *b = scene_add(s, SOLID_EXTRUDED, part, material);
    b->profile = f;
    b->a[0] = half;
    b->a[1] = 0.02f;
    b->pos.z = z;
    if (part == 4) b->line = LINE_DETAIL + (y > 0.0f);
    on_wing(w, b, (float)k, y);
  }
}

/* A spot through the wing, seen from both sides. */
static void add_spot(struct scene *s, const struct wings *w, float angle, float u, float v, float y,
                     float z, float size) {
  for (int k = -1; k <= 1; k += 2) {
    v3 at = v3_make(u * f_cos(angle) - v * f_sin(angle), u * f_sin(angle) + v * f_cos(angle), z);
    struct solid *b = add_ball(s, 8, SPOT, at, v3_make(size, size, w->thick + 0.035f));
    on_wing(w, b, (float)k, y);
  }
}

static void butterfly_spots(struct scene *s, const struct wings *w, float fore_y, float hind_y,
                            float hind_z) {
  struct rng *r = &s->rng;
  int small = rng_chance(r, 0.3f); /* two small ones more, towards the edge */
  float size = small ? 0.085f : pick(r, 0.08f, 0.14f), at = small ? 0.5f : pick(r, 0.6f, 0.74f);
  if (small || rng_chance(r, 0.6f))
    add_spot(s, w, w->fore_up, at * w->fore, 0.0f, fore_y, 0.0f, size);
  for (int i = 0; i < 2 && small; i++) {
    float v = (i ? -0.16f : 0.1f) * w->fore * w->fore_wide;
    add_spot(s, w, w->fore_up, (i ? 0.7f : 0.76f) * w->fore, v, fore_y, 0.0f, 0.065f);
  }
  size = pick(r, 0.075f, 0.12f);
  at = pick(r, 0.58f, 0.72f);
  if (rng_chance(r, 0.6f)) add_spot(s, w, -w->hind_down, at * w->hind, 0.0f, hind_y, hind_z, size);
}

static void butterfly_wings(struct scene *s, struct wings *w) {
  struct rng *r = &s->rng;
  float fore_y = 0.14f, hind_y = -0.12f, hind_z = -0.035f;
  w->fore = pick(r, 0.88f, 1.2f);
  w->hind = w->fore * pick(r, 0.62f, 0.86f);
  w->fore_up = pick(r, 0.36f, 0.68f);
  w->hind_down = pick(r, 0.48f, 0.8f);
  if (w->fold > 0.9f) { /* raised: the wings lie before one another */
    w->fore_up *= 0.55f;
    w->hind_down *= 0.65f;
  }
  w->fore_wide = pick(r, 0.92f, 1.35f);
  w->hind_wide = pick(r, 0.92f, 1.3f);
  w->thick = pick(r, 0.032f, 0.045f);
  w->pointed = rng_chance(r, 0.35f);
  w->tail = rng_chance(r, 0.2f);
  int fields = rng_chance(r, 0.55f);
  add_wing(s, w, hind_wing(s, w, 1.0f), 3, fields ? EDGE : HIND, hind_y, hind_z, w->thick);
  add_wing(s, w, fore_wing(s, w, 1.0f), 2, fields ? EDGE : WING, fore_y, 0.0f, w->thick);
  if (fields) {
    float shrink = pick(r, 0.74f, 0.84f);
    add_wing(s, w, hind_wing(s, w, shrink), 4, HIND, hind_y, hind_z, w->thick + 0.018f);
    add_wing(s, w, fore_wing(s, w, shrink), 4, WING, fore_y, 0.0f, w->thick + 0.018f);
  }
  butterfly_spots(s, w, fore_y, hind_y, hind_z);
}

/* ---- body ---- */

static void butterfly_body(struct scene *s) {
  struct rng *r = &s->rng;
  float fat = pick(r, 0.09f, 0.13f), long_ = pick(r, 0.36f, 0.5f), head = pick(r, 0.11f, 0.16f);
  add_ball(s, 1, TRUNK, v3_make(0.0f, 0.14f, 0.02f), v3_make(1.15f * fat, 0.28f, 1.15f * fat));
  struct solid *b = scene_blend(s, SOLID_ELLIPSOID, 1, TRUNK, 0.05f);
  b->pos = v3_make(0.0f, -0.3f, 0.02f);
  b->a[0] = b->a[2] = 0.95f * fat;
  b->a[1] = long_;
  float top = 0.38f + 0.6f * head;
  add_ball(s, 6, TRUNK, v3_make(0.0f, top, 0.03f), v3_make(head, head, head));
  float out = pick(r, 0.2f, 0.42f), tall = pick(r, 0.32f, 0.5f), curl = pick(r, -0.12f, 0.16f);
  int balls = rng_chance(r, 0.6f), eyes = rng_chance(r, 0.3f);
  for (int k = -1; k <= 1; k += 2) {
    float x = (float)k;
    v3 tip = v3_make((out + curl) * x, top + tall, 0.12f);
    b = scene_add(s, SOLID_TUBE, 5, TRUNK);
    b->npt = 3;
    b->pt[0] = v3_make(0.4f * head * x, top + 0.6f * head, 0.04f);
    b->pt[1] = v3_make((0.6f * out - 0.4f * curl) * x, top + 0.75f * tall, 0.08f);
    b->pt[2] = tip;
    b->a[0] = 0.034f;
    b->a[1] = 0.028f;
    if (balls) {
      b = scene_blend(s, SOLID_ELLIPSOID, 5, TRUNK, 0.01f);
      b->pos = tip;
      b->a[0] = b->a[1] = b->a[2] = 0.058f;
    }
    if (eyes) {
      float e = 0.42f * head;
      add_ball(s, 7, EYE, v3_make(0.62f * head * x, top + 0.3f * head, 0.03f + 0.68f * head),
               v3_make(e, e, e));
    }
  }
}

/* Turn everything about an axis of the world. */
static void turn_all(struct scene *s, int axis, float angle) {
  float c = f_cos(angle), n = f_sin(angle);
  for (int i = 0; i < s->nsolid; i++) {
    struct solid *b = &s->solid[i];
    v3 p = b->pos;
    solid_turn(b, axis, angle);
    if (axis == 0) b->pos = v3_make(p.x, c * p.y - n * p.z, n * p.y + c * p.z);
    if (axis == 1) b->pos = v3_make(c * p.x + n * p.z, p.y, c * p.z - n * p.x);
    if (axis == 2) b->pos = v3_make(c * p.x - n * p.y, n * p.x + c * p.y, p.z);
  }
}

void shape_butterfly(struct scene *s) {
  struct rng *r = &s->rng;
  struct wings w = {0};
  butterfly_materials(s);
  int raised = rng_chance(r, 0.22f);
  w.fold = raised ? pick(r, 1.15f, 1.42f) : pick(r, -0.1f, 0.65f);
  butterfly_wings(s, &w);
  butterfly_body(s);
  float side = rng_sign(r), kind = pick(r, 0.0f, 1.0f), yaw;
  if (raised) { /* the wings up, the head to one side and a little up */
    turn_all(s, 0, -0.5f * PI_F);
    turn_all(s, 1, 0.5f * PI_F * side);
    turn_all(s, 2, -side * pick(r, -0.1f, 0.7f));
    s->lift = 0.9f + pick(r, 0.0f, 0.4f);
    yaw = pick(r, -0.4f, 0.4f);
    set_view(s, yaw, -0.05f, 0.2f);
    return;
  }
  if (kind < 0.6f)
    turn_all(s, 2, pick(r, -0.12f, 0.12f));
  else
    turn_all(s, 2, side * pick(r, 0.25f, 0.9f));
  s->lift = 1.25f + pick(r, 0.0f, 0.4f);
  yaw = pick(r, -0.5f, 0.5f);
  set_view(s, yaw, -0.1f, 0.35f);
}
