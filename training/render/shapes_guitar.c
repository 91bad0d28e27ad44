/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_guitar.c: guitar, seen from the front: with a sound hole (down to a ukulele), or electric
 * with horns, one cutaway or two wings. Upright or turned about the middle of its lower half.
 *
 * Parts: 1 body, 2 front or plate, 3 sound hole, 4 bridge or pickup, 5 neck, 6 head, 7 peg or
 * knob, 8 string, 9 fret or dot.
 */
#include "shapes.h"

enum { BODY, FRONT, NECK, DARK, METAL, PALE };
enum { LINE_DETAIL = 40 };

struct guitar {
  float low, waist, high; /* half widths of the body */
  float body, neck, head; /* lengths */
  float deep;             /* half the body's depth */
  float grip;             /* half width of the neck */
  float face;             /* where the front lies in z */
  float bridge;           /* height */
};

/* ---- colours ---- */

static v3 wood(struct rng *r) {
  switch (rng_int(r, 5)) {
    case 0: return rng_colour(r, 0.055f, 0.08f, 0.62f, 0.72f, 0.4f, 0.48f); /* brown */
    case 1: return rng_colour(r, 0.1f, 0.12f, 0.26f, 0.34f, 0.9f, 0.95f);   /* spruce */
    case 2: return rng_colour(r, 0.06f, 0.075f, 0.75f, 0.85f, 0.85f, 0.93f);
    default: return rng_colour(r, 0.075f, 0.095f, 0.48f, 0.58f, 0.7f, 0.78f);
  }
}

static v3 lacquer(struct rng *r) {
  switch (rng_int(r, 7)) {
    case 0: return rng_colour(r, 0.0f, 1.0f, 0.0f, 0.12f, 0.1f, 0.17f);   /* black */
    case 1: return rng_colour(r, 0.98f, 1.01f, 0.78f, 0.9f, 0.6f, 0.82f); /* red */
    case 2: return rng_colour(r, 0.58f, 0.64f, 0.6f, 0.8f, 0.5f, 0.78f);  /* blue */
    case 3: return rng_colour(r, 0.08f, 0.14f, 0.02f, 0.06f, 0.9f, 0.95f);
    case 4: return rng_colour(r, 0.49f, 0.52f, 0.65f, 0.8f, 0.5f, 0.62f);   /* teal */
    case 5: return rng_colour(r, 0.12f, 0.14f, 0.72f, 0.82f, 0.88f, 0.95f); /* yellow */
    default: return rng_colour(r, 0.96f, 0.98f, 0.32f, 0.4f, 0.84f, 0.92f);
  }
}

static void guitar_materials(struct scene *s, v3 body, v3 front) {
  struct rng *r = &s->rng;
  static const v3 black = {0.017f, 0.016f, 0.018f}, white = {0.86f, 0.84f, 0.79f};
  v3 brown = rng_colour(r, 0.055f, 0.08f, 0.62f, 0.72f, 0.4f, 0.48f), neck = brown;
  float kind = pick(r, 0.0f, 1.0f);
  if (kind < 0.3f) neck = black;
  if (kind > 0.75f) neck = rng_colour(r, 0.075f, 0.095f, 0.48f, 0.58f, 0.7f, 0.78f);
  float gloss = pick(r, 0.15f, 0.4f);
  scene_material(s, body, 0.05f, gloss);
  scene_material(s, front, 0.05f, gloss);
  scene_material(s, neck, 0.04f, 0.4f);
  scene_material(s, rng_chance(r, 0.75f) ? black : brown, 0.02f, 0.5f);
  scene_material(s, v3_make(0.55f, 0.55f, 0.56f), 0.4f, 0.2f);
  scene_material(s, white, 0.03f, 0.4f);
}

/* ---- bodies ---- */

/* The outline of a body with a waist; shrink: 1 whole, less for the plate on its front. */
static const struct profile *waisted(struct scene *s, const struct guitar *g, float shrink,
                                     float cutaway) {
  float l = g->body, mid = 0.5f * l;
  struct curve c = {0};
  curve_smooth(&c, 0.0f, 0.0f);
  curve_smooth(&c, 0.62f * g->low, 0.04f * l);
  curve_smooth(&c, g->low, 0.27f * l);
  curve_smooth(&c, g->waist, 0.6f * l);
  curve_smooth(&c, g->high, 0.81f * l);
  curve_smooth(&c, 0.62f * g->high, 0.97f * l);
  curve_smooth(&c, 0.0f, l);
  curve_mirror(&c);
  if (cutaway > 0.0f) { /* one shoulder is hollowed beside the neck */
    c.x[4] = 1.05f * g->high;
    c.y[4] = 0.79f * l;
    c.x[5] = g->grip + 0.05f;
    c.y[5] = (0.8f - 0.1f * cutaway) * l;
  }
  for (int i = 0; i < c.n; i++) {
    c.x[i] *= shrink;
    c.y[i] = mid + (c.y[i] - mid) * shrink;
  }
  return profile_bake(s, &c);
}

static const struct profile *horned(struct scene *s, const struct guitar *g, int single) {
  struct rng *r = &s->rng;
  float w = g->low, l = g->body, horn = pick(r, 0.92f, 1.06f), other = pick(r, 0.82f, 0.94f);
  struct curve c = {0};
  curve_smooth(&c, 0.05f, 0.02f);
  curve_smooth(&c, 0.7f * w, 0.03f * l);
  curve_smooth(&c, w, 0.22f * l);
  curve_smooth(&c, g->waist, 0.56f * l);
  curve_smooth(&c, 0.95f * g->high, 0.74f * l);
  curve_smooth(&c, 0.92f * g->high, other * l);
  curve_smooth(&c, 0.7f * g->high, (other - 0.02f) * l);
  curve_smooth(&c, 0.48f * g->high, 0.74f * l);
  curve_corner(&c, g->grip, 0.72f * l);
  if (single) {
    curve_smooth(&c, -g->grip, 0.95f * l);
    curve_smooth(&c, -0.62f * g->high, 0.96f * l);
  } else {
    curve_corner(&c, -g->grip, 0.76f * l);
    curve_smooth(&c, -0.5f * g->high, 0.8f * l);
    curve_smooth(&c, -0.74f * g->high, horn * l);
    curve_smooth(&c, -0.98f * g->high, horn * l);
  }
  curve_smooth(&c, -1.02f * g->high, 0.78f * l);
  curve_smooth(&c, -g->waist, 0.56f * l);
  curve_smooth(&c, -w, 0.26f * l);
  curve_smooth(&c, -0.72f * w, 0.05f * l);
  return profile_bake(s, &c);
}

static const struct profile *winged(struct scene *s, const struct guitar *g) {
  float w = 1.12f * g->low, l = g->body;
  struct curve c = {0};
  curve_corner(&c, 0.15f, 0.9f * l);
  curve_corner(&c, w, 0.08f * l);
  curve_smooth(&c, 0.84f * w, 0.0f);
  curve_corner(&c, 0.6f * w, 0.02f * l);
  curve_smooth(&c, 0.0f, 0.34f * l);
  curve_corner(&c, -0.6f * w, 0.02f * l);
  curve_smooth(&c, -0.84f * w, 0.0f);
  curve_corner(&c, -w, 0.08f * l);
  curve_corner(&c, -0.15f, 0.9f * l);
  return profile_bake(s, &c);
}

static void slab(struct scene *s, const struct profile *f, int part, int material, float z,
                 float half, float round) {
  struct solid *b = scene_add(s, SOLID_EXTRUDED, part, material);
  b->profile = f;
  b->a[0] = half;
  b->a[1] = round;
  b->pos.z = z;
}

/* A disc on the front. */
static struct solid *disc(struct scene *s, int part, int material, v3 at, float radius,
                          float half) {
  struct solid *b = scene_add(s, SOLID_CONE, part, material);
  b->a[0] = half;
  b->a[1] = b->a[2] = radius;
  b->a[3] = 0.4f * half;
  b->pos = at;
  solid_turn(b, 0, 0.5f * PI_F);
  return b;
}

/* ---- neck and head ---- */

static void guitar_head(struct scene *s, const struct guitar *g, float y, int one_side) {
  struct rng *r = &s->rng;
  float flare = pick(r, 1.25f, 1.75f), l = g->head, w = g->grip, top = pick(r, -0.12f, 0.16f);
  struct curve c = {0};
  curve_corner(&c, w, -0.02f);
  if (one_side) {
    curve_smooth(&c, 1.15f * w, 0.3f * l);
    curve_smooth(&c, 1.1f * w, 0.85f * l);
    curve_smooth(&c, 0.3f * w, 1.05f * l);
    curve_smooth(&c, -1.2f * w, 0.98f * l);
    curve_corner(&c, -1.5f * w, 0.16f * l);
    curve_corner(&c, -w, -0.02f);
  } else {
    curve_corner(&c, flare * w, 0.12f * l);
    curve_corner(&c, f_mix(w, flare * w, 0.8f), l);
    curve_smooth(&c, 0.0f, (1.0f + top) * l);
    curve_mirror(&c);
  }
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 6, rng_chance(r, 0.6f) ? NECK : BODY);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.055f;
  b->a[1] = 0.02f;
  b->pos = v3_make(0.0f, y, g->face);
  int n = one_side ? 4 : 2 + rng_int(r, 2);
  for (int i = 0; i < n * (one_side ? 1 : 2); i++) {
    float k = !one_side && (i & 1) ? 1.0f : -1.0f, at = (float)(one_side ? i : i / 2) + 0.5f;
    float py = y + l * (0.2f + 0.72f * at / (float)n), px = k * (one_side ? 1.35f : flare) * w;
    b = add_ball(s, 7, METAL, v3_make(px + 0.07f * k, py, g->face), v3_make(0.11f, 0.05f, 0.05f));
    b->line = LINE_DETAIL + i;
  }
}

static void guitar_neck(struct scene *s, const struct guitar *g, float from, int one_side) {
  struct rng *r = &s->rng;
  float top = g->body + g->neck;
  add_box(s, 5, NECK, v3_make(0.0f, 0.5f * (from + top), g->face),
          v3_make(g->grip, 0.5f * (top - from), 0.06f), 0.02f);
  int kind = rng_int(r, 3); /* frets, dots, nothing */
  float z = g->face + 0.05f, span = g->neck - 0.1f;
  int n = 2 + (int)(span / pick(r, 0.16f, 0.24f));
  float step = span / (float)n;
  for (int i = 0; i < n && kind < 2; i++) {
    float y = g->body + step * ((float)i + 0.5f);
    if (kind == 0)
      add_box(s, 9, PALE, v3_make(0.0f, y, z), v3_make(g->grip + 0.005f, 0.022f, 0.022f), 0.008f);
    else
      disc(s, 9, PALE, v3_make(0.0f, y, z + 0.008f), 0.042f, 0.016f);
  }
  guitar_head(s, g, top, one_side);
  if (kind == 1 || rng_chance(r, 0.5f)) return;
  int strings = 2 + rng_int(r, 2);
  for (int i = 0; i < strings; i++) {
    float x = 1.3f * g->grip * ((float)i / (float)(strings - 1) - 0.5f);
    struct solid *b = add_box(s, 8, METAL, v3_make(x, 0.5f * (g->bridge + top), z + 0.03f),
                              v3_make(0.02f, 0.5f * (top - g->bridge), 0.014f), 0.01f);
    b->line = LINE_DETAIL + 20 + i;
  }
}

/* ---- the two families ---- */

static void guitar_plan(struct scene *s, struct guitar *g) {
  struct rng *r = &s->rng;
  g->body = pick(r, 1.15f, 1.4f);
  g->low = pick(r, 0.55f, 0.72f);
  g->waist = g->low * pick(r, 0.62f, 0.76f);
  g->high = g->low * pick(r, 0.74f, 0.86f);
  g->neck = pick(r, 0.55f, 0.95f);
  g->head = pick(r, 0.32f, 0.44f);
  g->grip = pick(r, 0.1f, 0.13f);
  g->bridge = g->body * pick(r, 0.2f, 0.27f);
}

static void guitar_acoustic(struct scene *s) {
  struct rng *r = &s->rng;
  struct guitar g;
  v3 front = wood(r), body = rng_chance(r, 0.45f) ? front : wood(r);
  if (rng_chance(r, 0.15f)) front = body = lacquer(r);
  guitar_materials(s, body, front);
  guitar_plan(s, &g);
  if (rng_chance(r, 0.2f)) g.neck *= 0.75f; /* a ukulele */
  g.deep = pick(r, 0.1f, 0.16f);
  g.face = g.deep + 0.03f;
  float cutaway = rng_chance(r, 0.2f) ? pick(r, 0.2f, 1.0f) : 0.0f;
  slab(s, waisted(s, &g, 1.0f, cutaway), 1, BODY, 0.0f, g.deep, 0.03f);
  if (rng_chance(r, 0.45f))
    slab(s, waisted(s, &g, pick(r, 0.88f, 0.92f), cutaway), 2, FRONT, g.deep - 0.015f, 0.03f,
         0.012f);
  float hole = pick(r, 0.15f, 0.2f), y = 0.64f * g.body;
  int ring = rng_chance(r, 0.4f); /* always where the hole would be black in black */
  if (ring || front.x + front.y + front.z < 0.15f)
    disc(s, 2, PALE, v3_make(0.0f, y, g.deep + 0.005f), hole + 0.055f, 0.02f)->line = LINE_DETAIL;
  disc(s, 3, DARK, v3_make(0.0f, y, g.deep + 0.012f), hole, 0.022f);
  float wide = pick(r, 0.16f, 0.26f);
  add_box(s, 4, DARK, v3_make(0.0f, g.bridge, g.deep + 0.02f), v3_make(wide, 0.05f, 0.045f), 0.02f);
  guitar_neck(s, &g, y + 0.92f * hole, 0);
}

/* Pickups, knobs and a plate. */
static void guitar_electrics(struct scene *s, const struct guitar *g) {
  struct rng *r = &s->rng;
  float z = g->deep + 0.012f, l = g->body;
  if (rng_chance(r, 0.55f)) {
    float w = g->waist;
    struct curve c = {0};
    curve_smooth(&c, -0.7f * w, 0.62f * l);
    curve_smooth(&c, -0.2f * w, 0.7f * l);
    curve_smooth(&c, 0.62f * w, 0.66f * l);
    curve_smooth(&c, 0.8f * w, 0.48f * l);
    curve_smooth(&c, 0.95f * w, 0.2f * l);
    curve_smooth(&c, 0.5f * w, 0.2f * l);
    curve_smooth(&c, 0.05f * w, 0.34f * l);
    curve_smooth(&c, -0.6f * w, 0.4f * l);
    slab(s, profile_bake(s, &c), 2, FRONT, g->deep - 0.005f, 0.022f, 0.01f);
  }
  int n = 2 + rng_int(r, 2), pale = rng_chance(r, 0.4f) ? METAL : DARK;
  for (int i = 0; i < n; i++) {
    float y = f_mix(0.35f * l, 0.6f * l, (float)i / (float)(n - 1));
    add_box(s, 4, pale, v3_make(0.0f, y, z), v3_make(0.17f, 0.05f, 0.04f), 0.02f)->line =
        LINE_DETAIL + 30 + i;
  }
  add_box(s, 4, METAL, v3_make(0.0f, g->bridge, z), v3_make(0.17f, 0.045f, 0.045f), 0.02f);
  int knobs = rng_int(r, 3);
  for (int i = 0; i < knobs; i++)
    disc(s, 7, PALE, v3_make(0.62f * g->low, (0.17f + 0.13f * (float)i) * l, z + 0.01f), 0.06f,
         0.045f)
        ->line = LINE_DETAIL + 40 + i;
}

static void guitar_electric(struct scene *s) {
  struct rng *r = &s->rng;
  struct guitar g;
  static const v3 black = {0.017f, 0.016f, 0.018f}, white = {0.86f, 0.84f, 0.79f};
  v3 body = rng_chance(r, 0.75f) ? lacquer(r) : wood(r);
  v3 plate = body.x + body.y + body.z > 1.4f ? black : white;
  guitar_materials(s, body, plate);
  guitar_plan(s, &g);
  g.deep = pick(r, 0.08f, 0.11f);
  g.face = g.deep + 0.02f;
  float kind = pick(r, 0.0f, 1.0f);
  int wings = kind > 0.85f;
  const struct profile *f = wings ? winged(s, &g) : horned(s, &g, kind < 0.3f);
  slab(s, f, 1, BODY, 0.0f, g.deep, 0.035f);
  if (wings) {
    g.bridge = 0.42f * g.body;
    add_box(s, 4, METAL, v3_make(0.0f, g.bridge, g.deep), v3_make(0.15f, 0.05f, 0.05f), 0.02f);
    add_box(s, 4, DARK, v3_make(0.0f, 0.58f * g.body, g.deep), v3_make(0.15f, 0.05f, 0.05f), 0.02f);
  } else {
    guitar_electrics(s, &g);
  }
  guitar_neck(s, &g, 0.68f * g.body, rng_chance(r, 0.6f));
}

/* Height of the lowest point of the body, turned by an angle (cosine c, sine n) about (0, mid). */
static float lowest(const struct profile *f, float c, float n, float mid) {
  float low = mid;
  for (int j = 0; j < f->ny; j++)
    for (int i = 0; i < f->nx; i++) {
      float x = f->x0 + f->step * (float)i, y = f->y0 + f->step * (float)j;
      if (f->d[j * PROFILE_GRID + i] < 0.0f) low = f_min(low, mid + n * x + c * (y - mid));
    }
  return low;
}

void shape_guitar(struct scene *s) {
  struct rng *r = &s->rng;
  if (rng_chance(r, 0.62f))
    guitar_acoustic(s);
  else
    guitar_electric(s);
  float kind = pick(r, 0.0f, 1.0f), tilt = pick(r, -0.12f, 0.12f), side = rng_sign(r);
  if (kind > 0.45f) tilt = side * pick(r, 0.3f, 1.0f);
  if (kind > 0.88f) tilt = side * pick(r, 1.3f, 1.57f);
  float c = f_cos(tilt), n = f_sin(tilt), mid = 0.5f;
  for (int i = 0; i < s->nsolid; i++) {
    struct solid *b = &s->solid[i];
    float x = b->pos.x, y = b->pos.y - mid;
    b->pos.x = c * x - n * y;
    b->pos.y = mid + n * x + c * y;
    solid_turn(b, 2, tilt);
  }
  s->lift = 0.01f - lowest(s->solid[0].profile, c, n, mid);
  set_view(s, pick(r, -0.4f, 0.4f), 0.0f, 0.22f);
}
