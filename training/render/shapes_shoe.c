/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_shoe.c: shoe: laced, with straps, to slip on, a boot, or a pump on a heel. The toe points
 * along x.
 *
 * Uppers are cushions of the outline seen from the side: round at toe and heel by themselves. They
 * reach below the sole and above the collar, where they are cut off flat and hollowed out.
 *
 * Parts: 1 upper, 2 sole, 3 heel, 4 laces, strap or bow, 5 lining, 6 cap at toe or heel.
 */
#include "shapes.h"

enum { UPPER, SOLE, LINING, LACE, CAP };
enum { LACED, STRAPPED, SLIPPER, BOOT };

struct shoe {
  int kind;
  float wide;           /* half width at the ball */
  float sole;           /* height of the upper side of the sole */
  float toe, instep;    /* heights over the sole */
  float throat, collar; /* place where the instep begins, height of the collar's middle */
  float shaft;          /* half length of the opening along x */
  float slope;          /* of the collar: positive rises to the front */
};

/* ---- colours ---- */

static v3 leather(struct rng *r) {
  switch (rng_int(r, 9)) {
    case 0: return rng_colour(r, 0.055f, 0.08f, 0.62f, 0.72f, 0.4f, 0.48f); /* brown */
    case 1: return rng_colour(r, 0.075f, 0.095f, 0.48f, 0.58f, 0.7f, 0.78f);
    case 2: return rng_colour(r, 0.0f, 1.0f, 0.0f, 0.12f, 0.1f, 0.17f); /* black */
    case 3: return rng_colour(r, 0.08f, 0.14f, 0.02f, 0.06f, 0.9f, 0.95f);
    case 4: return rng_colour(r, 0.98f, 1.01f, 0.78f, 0.9f, 0.6f, 0.82f); /* red */
    case 5: return rng_colour(r, 0.58f, 0.64f, 0.6f, 0.8f, 0.5f, 0.78f);  /* blue */
    case 6: return rng_colour(r, 0.96f, 0.98f, 0.32f, 0.4f, 0.84f, 0.92f);
    case 7: return rng_paint(r, 0.5f, 0.85f, 0.4f, 0.9f);
    default: return rng_colour(r, 0.58f, 0.64f, 0.02f, 0.1f, 0.46f, 0.56f); /* grey */
  }
}

static void shoe_materials(struct scene *s) {
  struct rng *r = &s->rng;
  static const v3 white = {0.86f, 0.84f, 0.79f}, black = {0.017f, 0.016f, 0.018f};
  v3 upper = leather(r);
  int pale = upper.x + upper.y + upper.z > 1.5f, dark = upper.x + upper.y + upper.z < 0.15f;
  v3 sole = pale ? rng_colour(r, 0.055f, 0.08f, 0.62f, 0.72f, 0.4f, 0.48f) : white;
  float kind = pick(r, 0.0f, 1.0f);
  if (kind < 0.35f) sole = dark ? rng_colour(r, 0.075f, 0.095f, 0.5f, 0.55f, 0.7f, 0.75f) : black;
  if (kind > 0.85f) sole = rng_colour(r, 0.1f, 0.12f, 0.26f, 0.34f, 0.9f, 0.95f);
  scene_material(s, upper, 0.05f, pick(r, 0.2f, 0.6f));
  scene_material(s, sole, 0.02f, 0.6f);
  v3 in = rng_chance(r, 0.5f) ? v3_make(0.06f, 0.035f, 0.02f) : v3_make(0.02f, 0.02f, 0.022f);
  scene_material(s, dark ? v3_make(0.21f, 0.22f, 0.24f) : in, 0.0f, 1.0f);
  v3 lace = pale ? black : white;
  if (rng_chance(r, 0.3f)) lace = rng_paint(r, 0.6f, 0.85f, 0.5f, 0.9f);
  scene_material(s, lace, 0.0f, 0.9f);
  scene_material(s, rng_chance(r, 0.5f) ? sole : leather(r), 0.04f, 0.4f);
}

/* ---- shoes on a flat sole ---- */

/* The top line of the instep, `t` from the throat (0) to the toe's vamp (1). */
static v3 instep_point(const struct shoe *k, float t) {
  float y0 = k->sole + k->instep, y1 = k->sole + f_mix(k->toe, k->instep, 0.18f);
  return v3_make(f_mix(k->throat, 0.52f, t), f_mix(y0, y1, t), 0.0f);
}

/* The upper grown by `grow`: what is laid over it is the same a little larger. */
static struct solid *shoe_upper(struct scene *s, const struct shoe *k, int part, int material,
                                float grow) {
  float top = k->collar + 0.8f, front = k->throat + grow, y = k->sole;
  v3 a = instep_point(k, 0.0f), b = instep_point(k, 0.55f), c = instep_point(k, 1.0f);
  float back = -0.97f - grow;
  struct curve u = {0};
  curve_corner(&u, back + 0.08f, y - 0.4f);
  curve_smooth(&u, back, y + 0.15f);
  curve_smooth(&u, back + 0.1f, y + 0.45f);
  if (k->kind == BOOT) curve_smooth(&u, back + 0.09f, f_mix(y + 0.45f, k->collar, 0.6f));
  curve_corner(&u, back + 0.05f, top);
  curve_corner(&u, front - 0.02f, top);
  curve_smooth(&u, a.x - 0.02f + grow, f_max(a.y + 0.25f, f_mix(a.y, k->collar, 0.5f)));
  curve_smooth(&u, a.x + 0.04f + grow, a.y + grow);
  curve_smooth(&u, b.x, b.y + grow);
  curve_smooth(&u, c.x, c.y + grow);
  curve_smooth(&u, 0.85f, y + 0.82f * k->toe + grow);
  curve_smooth(&u, 0.99f + grow, y + 0.3f * k->toe);
  curve_corner(&u, 0.95f + grow, y - 0.4f);
  struct solid *o = scene_add(s, SOLID_PUFFED, part, material);
  o->profile = profile_bake(s, &u);
  o->a[0] = 0.94f * k->wide + grow;
  o->a[1] = 0.09f;
  return o;
}

/* Cut off what is on one side of a plane through `at`: the box lies along angle. */
static void cut_side(struct scene *s, int part, int material, v3 at, float angle) {
  struct solid *b = scene_cut(s, SOLID_BOX, part, material);
  const float half = 2.5f;
  b->a[0] = b->a[1] = b->a[2] = half;
  b->pos = v3_make(at.x + half * f_cos(angle), at.y + half * f_sin(angle), 0.0f);
  solid_turn(b, 2, angle);
}

static void shoe_trim(struct scene *s, const struct shoe *k, int part, int material) {
  cut_side(s, 2, SOLE, v3_make(0.0f, k->sole - 0.02f, 0.0f), -0.5f * PI_F);
  cut_side(s, part, material, v3_make(-0.5f, k->collar, 0.0f), 0.5f * PI_F + k->slope);
  /* not an ellipsoid: inside a long one its distance is too large, and rays jump the wall */
  struct solid *b = scene_cut(s, SOLID_TUBE, 5, LINING);
  float round = k->shaft - 0.09f, deep = f_min(0.75f * (k->collar - k->sole), 0.6f);
  b->pos = v3_make(0.5f * (k->throat - 0.93f), k->collar, 0.0f);
  b->npt = 3;
  b->pt[0] = v3_make(0.0f, 0.3f, 0.0f);
  b->pt[2] = v3_make(0.0f, -f_max(deep - round, 0.02f), 0.0f);
  b->pt[1] = v3_mix(b->pt[0], b->pt[2], 0.5f);
  b->a[0] = b->a[1] = round;
  b->a[2] = 0.66f * k->wide / round;
  solid_turn(b, 2, k->slope);
}

/* A piece laid over the upper between two planes, whose normal has an angle to x. */
static void shoe_patch(struct scene *s, const struct shoe *k, int part, int material, v3 from,
                       v3 to, float angle) {
  struct solid *b = shoe_upper(s, k, part, material, 0.028f);
  b->line = part == 4 ? 40 + s->ngroup : part;
  cut_side(s, part, material, from, PI_F + angle);
  cut_side(s, part, material, to, angle);
  shoe_trim(s, k, part, material);
}

static void shoe_sole(struct scene *s, const struct shoe *k, int heel) {
  struct rng *r = &s->rng;
  float w = k->wide + 0.02f, point = pick(r, 0.45f, 0.72f), back = 0.84f * w;
  struct curve c = {0};
  curve_smooth(&c, 1.05f, 0.0f);
  curve_smooth(&c, 0.92f, point * w);
  curve_smooth(&c, 0.5f, w);
  curve_smooth(&c, -0.1f, 0.86f * w);
  curve_smooth(&c, -0.65f, back);
  curve_smooth(&c, -0.95f, 0.6f * back);
  curve_smooth(&c, -1.03f, 0.0f);
  for (int i = 5; i > 0; i--) curve_smooth(&c, c.x[i], -c.y[i]);
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 2, SOLE);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.5f * k->sole;
  b->a[1] = f_min(0.03f, 0.3f * k->sole);
  b->pos.y = 0.5f * k->sole;
  solid_turn(b, 0, -0.5f * PI_F);
  if (heel) { /* the arch before the heel */
    b = scene_cut(s, SOLID_BOX, 2, SOLE);
    b->pos = v3_make(-0.12f, 0.0f, 0.0f);
    b->a[0] = 0.24f;
    b->a[1] = 0.5f * k->sole;
    b->a[2] = 1.0f;
    b->a[3] = 0.3f * k->sole;
  }
}

static void shoe_laces(struct scene *s, const struct shoe *k) {
  struct rng *r = &s->rng;
  int n = 3 + rng_int(r, 2);
  float slant = pick(r, -0.02f, 0.08f);
  for (int i = 0; i < n; i++) {
    v3 p = instep_point(k, 0.08f + 0.74f * (float)i / (float)(n - 1));
    float z = 0.62f * k->wide;
    struct solid *b = scene_add(s, SOLID_TUBE, 4, LACE);
    b->npt = 3;
    b->pt[0] = v3_make(p.x - slant, p.y - 0.15f, -z);
    b->pt[1] = v3_make(p.x + 0.05f, p.y + 0.19f, 0.0f);
    b->pt[2] = v3_make(p.x - slant, p.y - 0.15f, z);
    b->a[0] = b->a[1] = 0.042f;
    b->line = 50 + i;
  }
}

/* On a boot the laces go up the front of the shaft. */
static void boot_laces(struct scene *s, const struct shoe *k) {
  int n = 4;
  float y0 = k->sole + k->instep, x = k->throat;
  for (int i = 0; i < n; i++) {
    float y = f_mix(y0 + 0.02f, k->collar - 0.14f, (float)i / (float)(n - 1)), z = 0.5f * k->wide;
    struct solid *b = scene_add(s, SOLID_TUBE, 4, LACE);
    b->npt = 3;
    b->pt[0] = v3_make(x - 0.19f, y - 0.03f, -z);
    b->pt[1] = v3_make(x + 0.16f, y + 0.05f, 0.0f);
    b->pt[2] = v3_make(x - 0.19f, y - 0.03f, z);
    b->a[0] = b->a[1] = 0.042f;
    b->line = 50 + i;
  }
}

static void shoe_plan(struct scene *s, struct shoe *k) {
  struct rng *r = &s->rng;
  k->wide = pick(r, 0.34f, 0.44f);
  k->sole = pick(r, 0.1f, 0.22f);
  k->toe = pick(r, 0.24f, 0.36f);
  k->instep = pick(r, 0.52f, 0.68f);
  k->throat = pick(r, -0.2f, 0.02f);
  k->collar = k->sole + k->instep + pick(r, 0.02f, 0.12f);
  k->slope = pick(r, -0.2f, 0.1f);
  if (k->kind == SLIPPER) {
    k->instep *= 0.85f;
    k->collar = k->sole + k->instep + 0.02f;
    k->slope = pick(r, -0.25f, -0.05f);
  }
  if (k->kind == BOOT) {
    k->collar = k->sole + pick(r, 0.95f, 1.7f);
    k->slope = pick(r, -0.06f, 0.12f);
  }
  k->shaft = 0.5f * (k->throat + 0.93f);
}

static void shoe_flat(struct scene *s, int kind) {
  struct rng *r = &s->rng;
  struct shoe k = {.kind = kind};
  shoe_plan(s, &k);
  shoe_upper(s, &k, 1, UPPER, 0.0f);
  shoe_trim(s, &k, 1, UPPER);
  shoe_sole(s, &k, rng_chance(r, kind == BOOT ? 0.7f : 0.3f));
  v3 far = v3_make(3.0f, 0.0f, 0.0f), behind = v3_make(-3.0f, 0.0f, 0.0f);
  if (rng_chance(r, 0.4f)) {
    float x = pick(r, 0.5f, 0.66f);
    shoe_patch(s, &k, 6, CAP, v3_make(x, k.sole + 0.2f, 0.0f), far, pick(r, -0.25f, 0.1f));
  }
  if (kind != BOOT && rng_chance(r, 0.3f)) {
    float x = pick(r, -0.7f, -0.55f);
    shoe_patch(s, &k, 6, CAP, behind, v3_make(x, k.sole + 0.2f, 0.0f), pick(r, 0.0f, 0.3f));
  }
  if (kind == BOOT && rng_chance(r, 0.45f)) { /* cuff */
    float y = k.collar - pick(r, 0.12f, 0.3f);
    shoe_patch(s, &k, 6, CAP, v3_make(0.0f, y, 0.0f), v3_make(0.0f, 5.0f, 0.0f), 0.5f * PI_F);
  }
  if (kind == LACED) shoe_laces(s, &k);
  if (kind == BOOT && rng_chance(r, 0.6f)) boot_laces(s, &k);
  if (kind == STRAPPED) {
    int n = 1 + rng_int(r, 2);
    for (int i = 0; i < n; i++) {
      v3 p = instep_point(&k, n == 1 ? 0.25f : 0.08f + 0.5f * (float)i);
      v3 from = v3_make(p.x - 0.11f, p.y, 0.0f), to = v3_make(p.x + 0.09f, p.y, 0.0f);
      shoe_patch(s, &k, 4, LACE, from, to, -0.28f);
    }
  }
}

/* ---- pump ---- */

static void pump_heel(struct scene *s, float h) {
  struct rng *r = &s->rng;
  float top = pick(r, 0.15f, 0.19f), foot = pick(r, 0.065f, 0.16f), x = -0.74f;
  struct solid *b = scene_add(s, SOLID_CONE, 3, SOLE);
  b->a[0] = 0.5f * (h + 0.1f);
  b->a[1] = foot;
  b->a[2] = top;
  b->a[3] = 0.02f;
  b->pos = v3_make(x, b->a[0], 0.0f);
}

static void pump_trimmings(struct scene *s, float back, float throat) {
  struct rng *r = &s->rng;
  float kind = pick(r, 0.0f, 1.0f);
  struct solid *b;
  if (kind < 0.25f) { /* bow */
    float x = throat + 0.1f, y = 0.4f;
    for (int k = -1; k <= 1; k += 2) {
      b = add_ball(s, 4, LACE, v3_make(x, y + 0.02f, 0.17f * (float)k),
                   v3_make(0.08f, 0.13f, 0.18f));
      solid_turn(b, 0, -0.3f * (float)k);
    }
    b = add_ball(s, 4, LACE, v3_make(x + 0.03f, y, 0.0f), v3_make(0.085f, 0.085f, 0.085f));
    b->line = 40;
  } else if (kind < 0.5f) { /* strap across the opening */
    float x = pick(r, -0.3f, -0.1f), t = (throat - x) / (throat + 0.8f), y = f_mix(0.34f, back, t);
    b = scene_add(s, SOLID_TUBE, 4, LACE);
    b->npt = 3;
    b->pt[0] = v3_make(x - 0.03f, y - 0.14f, -0.25f);
    b->pt[1] = v3_make(x + 0.1f, y + 0.3f, 0.0f);
    b->pt[2] = v3_make(x - 0.03f, y - 0.14f, 0.25f);
    b->a[0] = b->a[1] = 0.05f;
  }
}

static void shoe_pump(struct scene *s) {
  struct rng *r = &s->rng;
  float h = pick(r, 0.42f, 0.85f), back = h + pick(r, 0.36f, 0.48f), throat = pick(r, 0.2f, 0.42f),
        wide = pick(r, 0.27f, 0.33f), tip = pick(r, 0.03f, 0.12f), vamp = pick(r, 0.3f, 0.36f);
  struct curve c = {0};
  curve_smooth(&c, 1.02f, tip);
  curve_smooth(&c, 0.78f, 0.55f * vamp + 0.06f);
  curve_smooth(&c, throat + 0.08f, vamp + 0.04f);
  curve_smooth(&c, -0.3f, f_mix(vamp, back, 0.55f) + 0.05f);
  curve_smooth(&c, -0.8f, back + 0.08f);
  curve_smooth(&c, -0.95f, back - 0.02f);
  curve_smooth(&c, -0.96f, h + 0.12f);
  curve_smooth(&c, -0.88f, h - 0.04f);
  curve_smooth(&c, -0.55f, 0.86f * h - 0.04f);
  curve_smooth(&c, -0.08f, 0.36f * h - 0.02f);
  curve_smooth(&c, 0.38f, -0.06f);
  curve_smooth(&c, 0.9f, -0.05f);
  struct solid *b = scene_add(s, SOLID_PUFFED, 1, UPPER);
  b->profile = profile_bake(s, &c);
  b->a[0] = wide;
  b->a[1] = 0.12f;
  cut_side(s, 1, UPPER, v3_make(0.0f, 0.0f, 0.0f), -0.5f * PI_F);
  b = scene_cut(s, SOLID_TUBE, 5, LINING);
  b->npt = 3;
  b->pt[0] = v3_make(-0.71f, back + 0.06f, 0.0f);
  b->pt[1] = v3_make(-0.35f, f_mix(vamp, back, 0.6f) + 0.06f, 0.0f);
  b->pt[2] = v3_make(throat - 0.12f, vamp + 0.12f, 0.0f);
  b->a[0] = b->a[1] = 0.19f;
  b->a[2] = 1.1f;
  pump_heel(s, h);
  pump_trimmings(s, back, throat);
}

void shape_shoe(struct scene *s) {
  struct rng *r = &s->rng;
  shoe_materials(s);
  float kind = pick(r, 0.0f, 1.0f);
  if (kind < 0.34f)
    shoe_flat(s, LACED);
  else if (kind < 0.46f)
    shoe_flat(s, STRAPPED);
  else if (kind < 0.58f)
    shoe_flat(s, SLIPPER);
  else if (kind < 0.8f)
    shoe_flat(s, BOOT);
  else
    shoe_pump(s);
  set_view(s, side_yaw(r, 0.6f), 0.12f, 0.5f);
}
