/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_lamp.c: lamp: table lamps with a turned base or three legs, and desk lamps.
 *
 * Parts: 1 shade, 2 base, 3 pole and arms, 4 bulb.
 */
#include "shapes.h"

static void lamp_shade(struct scene *s, float y, float h, float lo, float hi, float curve) {
  const float t = 0.025f;
  struct curve c = {0};
  curve_corner(&c, lo, y);
  curve_smooth(&c, f_mix(lo, hi, 0.33f) + curve * 0.9f, y + 0.33f * h);
  curve_smooth(&c, f_mix(lo, hi, 0.66f) + curve, y + 0.66f * h);
  curve_corner(&c, hi, y + h);
  curve_corner(&c, hi - t, y + h);
  curve_smooth(&c, f_mix(lo, hi, 0.66f) + curve - t, y + 0.66f * h);
  curve_smooth(&c, f_mix(lo, hi, 0.33f) + curve * 0.9f - t, y + 0.33f * h);
  curve_corner(&c, lo - t, y);
  struct solid *b = scene_add(s, SOLID_TURNED, 1, 0);
  b->profile = profile_bake(s, &c);
  struct solid *bulb = scene_add(s, SOLID_ELLIPSOID, 4, 3);
  bulb->a[0] = bulb->a[2] = f_min(0.14f, 0.5f * hi);
  bulb->a[1] = bulb->a[0] * 1.25f;
  bulb->pos.y = y + 0.45f * h;
}

/* A turned base: disc, vase, balls or column. */
static void lamp_base(struct scene *s, float top, float w) {
  struct rng *r = &s->rng;
  int kind = rng_int(r, 4);
  struct curve c = {0};
  float stem = 0.05f, n = 0.0f;
  curve_smooth(&c, 0.0f, 0.0f);
  curve_corner(&c, w, 0.0f);
  if (kind == 0) { /* flat foot and thin pole */
    curve_corner(&c, w, 0.06f);
    curve_smooth(&c, 0.5f * w, 0.1f);
    curve_smooth(&c, stem, 0.16f);
  } else if (kind == 1) { /* vase */
    float belly = pick(r, 0.25f, 0.5f), at = pick(r, 0.3f, 0.65f);
    curve_smooth(&c, 0.85f * w, 0.06f);
    curve_smooth(&c, f_max(belly * 0.75f, 0.6f * w), top * at * 0.5f);
    curve_smooth(&c, belly, top * at);
    curve_smooth(&c, belly * 0.6f, top * (0.5f * at + 0.42f));
    curve_smooth(&c, 0.09f, top * 0.9f);
  } else if (kind == 2) { /* stacked balls */
    int balls = 2 + rng_int(r, 3);
    n = (float)balls;
    curve_corner(&c, w, 0.05f);
    curve_smooth(&c, 0.12f, 0.09f);
    for (int i = 0; i < balls; i++) {
      float y0 = 0.09f + (top - 0.15f) * (float)i / n, dy = (top - 0.15f) / n,
            wide = f_min(0.55f * dy, 0.3f);
      curve_smooth(&c, wide, y0 + 0.5f * dy);
      curve_smooth(&c, 0.07f, y0 + dy);
    }
  } else { /* column */
    float col = pick(r, 0.07f, 0.16f);
    curve_corner(&c, w, 0.07f);
    curve_corner(&c, 0.8f * w, 0.12f);
    curve_smooth(&c, col * 1.2f, 0.2f);
    curve_smooth(&c, col, 0.4f * top);
    curve_smooth(&c, col * 0.8f, 0.9f * top);
  }
  curve_corner(&c, stem, top);
  curve_smooth(&c, 0.0f, top);
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_TURNED, 2, 1);
  b->profile = profile_bake(s, &c);
}

/* Desk lamp: foot, two arms, a bell that looks down. */
static void lamp_desk(struct scene *s) {
  struct rng *r = &s->rng;
  float w = pick(r, 0.32f, 0.5f), a1 = pick(r, 0.2f, 0.75f), a2 = pick(r, 0.5f, 1.2f),
        l1 = pick(r, 0.8f, 1.2f), l2 = pick(r, 0.6f, 1.0f);
  v3 foot = v3_make(0.0f, 0.08f, 0.0f), elbow = v3_make(-l1 * f_sin(a1), l1 * f_cos(a1), 0.0f);
  v3 head = v3_make(elbow.x + l2 * f_sin(a2), elbow.y + l2 * f_cos(a2), 0.0f);
  struct solid *b = scene_add(s, SOLID_CONE, 2, 1);
  b->a[0] = 0.05f;
  b->a[1] = w;
  b->a[2] = w * 0.9f;
  b->a[3] = 0.02f;
  b->pos = v3_make(0.0f, 0.05f, 0.0f);
  b = scene_add(s, SOLID_TUBE, 3, 2);
  b->npt = 3;
  b->pt[0] = foot;
  b->pt[1] = v3_mix(foot, elbow, 0.5f);
  b->pt[2] = elbow;
  b->a[0] = b->a[1] = 0.038f;
  b = scene_add(s, SOLID_TUBE, 3, 2);
  b->npt = 3;
  b->pt[0] = elbow;
  b->pt[1] = v3_mix(elbow, head, 0.5f);
  b->pt[2] = head;
  b->a[0] = b->a[1] = 0.038f;
  b = scene_add(s, SOLID_ELLIPSOID, 3, 2);
  b->a[0] = b->a[1] = b->a[2] = 0.075f;
  b->pos = elbow;
  float wide = pick(r, 0.28f, 0.48f), deep = pick(r, 0.35f, 0.6f), tilt = pick(r, -0.1f, 0.7f);
  int first = s->nsolid;
  lamp_shade(s, -deep, deep, wide, 0.12f, pick(r, 0.0f, 0.12f));
  for (int i = first; i < s->nsolid; i++) { /* hang the bell from the head, tilted */
    struct solid *q = &s->solid[i];
    v3 p = q->pos;
    solid_turn(q, 2, tilt);
    q->pos = v3_add(head, v3_make(-p.y * f_sin(tilt), p.y * f_cos(tilt) + 0.05f, 0.0f));
  }
  b = scene_add(s, SOLID_ELLIPSOID, 3, 2);
  b->a[0] = b->a[1] = b->a[2] = 0.135f;
  b->pos = v3_add(head, v3_make(0.0f, 0.04f, 0.0f));
}

static void lamp_legs(struct scene *s, float top, float spread) {
  for (int i = 0; i < 3; i++) {
    float a = 2.0943951f * (float)i + 0.5f;
    struct solid *b = scene_add(s, SOLID_TUBE, 2, 1);
    b->npt = 3;
    b->pt[0] = v3_make(spread * f_cos(a), 0.03f, spread * f_sin(a));
    b->pt[2] = v3_make(0.06f * f_cos(a), top, 0.06f * f_sin(a));
    b->pt[1] = v3_mix(b->pt[0], b->pt[2], 0.5f);
    b->a[0] = 0.03f;
    b->a[1] = 0.05f;
  }
  struct solid *b = scene_add(s, SOLID_CONE, 3, 2);
  b->a[0] = 0.09f;
  b->a[1] = b->a[2] = 0.1f;
  b->a[3] = 0.02f;
  b->pos.y = top - 0.04f;
}

void shape_lamp(struct scene *s) {
  struct rng *r = &s->rng;
  int desk = rng_chance(r, 0.3f), lit = rng_chance(r, 0.6f);
  v3 cream = rng_colour(r, 0.08f, 0.14f, 0.08f, 0.4f, 0.8f, 0.95f);
  int m = scene_material(s, desk || rng_chance(r, 0.35f) ? natural_glaze(r) : cream,
                         desk ? 0.05f : 0.0f, desk ? 0.2f : 1.0f);
  s->material[m].pattern = PATTERN_GLOW;
  s->material[m].glow = lit && !desk ? pick(r, 0.35f, 0.8f) : 0.0f;
  s->material[m].alt = natural_glaze(r);
  s->material[m].extra = !desk && rng_chance(r, 0.45f) ? pick(r, 0.06f, 0.14f) : 0.0f;
  s->material[m].scale = !desk && rng_chance(r, 0.3f) ? (float)(16 + rng_int(r, 24)) : 0.0f;
  int base = rng_int(r, 3);
  v3 wood = rng_colour(r, 0.05f, 0.09f, 0.45f, 0.7f, 0.35f, 0.7f);
  v3 foot = base == 0 ? wood : v3_make(0.55f, 0.38f, 0.16f);
  if (base == 2) foot = natural_glaze(r); /* pottery; else wood or brass */
  m = scene_material(s, foot, base == 1 ? 0.55f : 0.05f, base == 1 ? 0.2f : 0.25f);
  s->material[m].alt = v3_scale(wood, 0.5f);
  s->material[m].pattern = base == 0 ? PATTERN_WOOD : PATTERN_PLAIN;
  s->material[m].amount = 0.8f;
  scene_material(s, base == 1 ? s->material[1].base : v3_make(0.3f, 0.3f, 0.31f), 0.5f, 0.22f);
  m = scene_material(s, v3_make(0.95f, 0.85f, 0.6f), 0.05f, 0.2f);
  s->material[m].glow = lit ? 1.2f : 0.0f;
  if (desk) {
    lamp_desk(s);
    set_view(s, side_yaw(r, 0.7f), 0.05f, 0.35f);
    return;
  }
  float top = pick(r, 0.5f, 1.5f), h = pick(r, 0.4f, 0.9f), lo = pick(r, 0.4f, 0.85f),
        hi = lo * pick(r, 0.35f, 1.0f);
  float shape = pick(r, -0.14f, 0.12f) * (hi < 0.8f * lo ? 1.0f : 0.3f), w = pick(r, 0.25f, 0.45f);
  if (rng_chance(r, 0.2f))
    lamp_legs(s, top + 0.1f, pick(r, 0.4f, 0.7f));
  else
    lamp_base(s, top + 0.1f, w);
  lamp_shade(s, top, h, lo, hi, shape);
  set_view(s, pick(r, 0.0f, 6.28f), 0.0f, 0.35f);
}
