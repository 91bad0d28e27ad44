/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_vehicle.c: aeroplane: an airliner with swept wings or a small one with a propeller and one
 * or two straight wings, in the air or on its wheels; bicycle, of thick tubes as a toy.
 *
 * Parts: aeroplane 1 body, 2 wing, 3 tail, 4 window, 5 cockpit, 6 engine, 7 propeller, 8 wheel;
 * bicycle 1 frame, 2 tyre, 3 hub and spokes, 4 saddle, 5 handlebar, 6 pedals, 7 basket or carrier.
 */
#include "shapes.h"

/* ---- aeroplane ---- */

enum { BODY, WING, ACCENT, GLAZING, TYRE, METAL };

struct plane_plan {
  float len, thick; /* half length and radius of the body */
  float span;       /* half of it */
};

static v3 toy_colour(struct rng *r) {
  switch (rng_int(r, 8)) {
    case 0: return rng_colour(r, 0.985f, 1.02f, 0.8f, 0.92f, 0.7f, 0.85f);  /* red */
    case 1: return rng_colour(r, 0.12f, 0.14f, 0.72f, 0.85f, 0.9f, 0.97f);  /* yellow */
    case 2: return rng_colour(r, 0.57f, 0.61f, 0.65f, 0.8f, 0.65f, 0.8f);   /* blue */
    case 3: return rng_colour(r, 0.06f, 0.085f, 0.8f, 0.9f, 0.88f, 0.96f);  /* orange */
    case 4: return rng_colour(r, 0.48f, 0.52f, 0.65f, 0.8f, 0.52f, 0.64f);  /* teal */
    case 5: return rng_colour(r, 0.29f, 0.34f, 0.5f, 0.65f, 0.45f, 0.58f);  /* green */
    case 6: return rng_colour(r, 0.55f, 0.62f, 0.0f, 0.04f, 0.72f, 0.82f);  /* grey */
    default: return rng_colour(r, 0.08f, 0.13f, 0.0f, 0.05f, 0.93f, 0.98f); /* white */
  }
}

static void plane_materials(struct scene *s, int jet) {
  struct rng *r = &s->rng;
  v3 white = rng_colour(r, 0.08f, 0.13f, 0.0f, 0.05f, 0.93f, 0.98f), paint = toy_colour(r),
     other = toy_colour(r);
  v3 body = jet && rng_chance(r, 0.5f) ? white : paint;
  int wings = rng_int(r, 3);
  scene_material(s, body, 0.05f, 0.25f);
  scene_material(s, wings ? body : other, 0.05f, 0.25f);
  scene_material(s, rng_chance(r, 0.75f) ? other : body, 0.05f, 0.25f);
  int blue = body.z < 0.4f || body.x > 0.5f; /* not on a blue one */
  scene_material(
      s, blue && rng_chance(r, 0.5f) ? v3_make(0.03f, 0.14f, 0.5f) : v3_make(0.015f, 0.016f, 0.02f),
      0.08f, 0.08f);
  scene_material(s, v3_make(0.014f, 0.014f, 0.017f), 0.02f, 0.7f);
  scene_material(s,
                 rng_chance(r, 0.5f) ? v3_make(0.22f, 0.22f, 0.24f) : v3_make(0.2f, 0.06f, 0.02f),
                 0.05f, 0.3f);
}

static void plane_body(struct scene *s, const struct plane_plan *p, int jet, float tail) {
  float l = p->len, t = p->thick;
  struct curve c = {0};
  curve_smooth(&c, 0.0f, -l);
  curve_smooth(&c, 0.6f * tail * t, -0.95f * l);
  curve_smooth(&c, (0.3f + tail) * t, -0.68f * l);
  curve_smooth(&c, 0.97f * t, -0.25f * l);
  curve_smooth(&c, t, 0.15f * l);
  curve_smooth(&c, t, 0.5f * l);
  curve_smooth(&c, jet ? 0.84f * t : 0.9f * t, 0.78f * l);
  curve_smooth(&c, jet ? 0.5f * t : 0.68f * t, 0.94f * l);
  if (!jet) curve_corner(&c, 0.5f * t, 0.97f * l);
  curve_smooth(&c, 0.0f, jet ? l : 0.97f * l);
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_TURNED, 1, BODY);
  b->profile = profile_bake(s, &c);
  solid_turn(b, 2, -0.5f * PI_F); /* local y becomes x */
}

/* A level wing from tip to tip. root and tip: depths there; sweep: how far the tip lies behind. */
static const struct profile *wing_outline(struct scene *s, float span, float root, float tip,
                                          float sweep, int round) {
  struct curve c = {0};
  curve_smooth(&c, 0.0f, 0.5f * root);
  curve_smooth(&c, 0.12f, 0.5f * root);
  if (round) {
    curve_smooth(&c, 0.7f * span, 0.5f * f_mix(root, tip, 0.6f) - 0.7f * sweep);
    curve_smooth(&c, 0.96f * span, 0.34f * tip - sweep);
    curve_smooth(&c, span, -sweep);
    curve_smooth(&c, 0.96f * span, -0.36f * tip - sweep);
    curve_smooth(&c, 0.7f * span, -0.5f * f_mix(root, tip, 0.6f) - 0.7f * sweep);
  } else {
    curve_corner(&c, span, 0.5f * tip - sweep);
    curve_corner(&c, span, -0.5f * tip - sweep);
  }
  curve_smooth(&c, 0.12f, -0.5f * root);
  curve_smooth(&c, 0.0f, -0.5f * root);
  curve_mirror(&c);
  return profile_bake(s, &c);
}

static void add_wing(struct scene *s, int part, int material, const struct profile *f, v3 at,
                     float thick) {
  struct solid *b = scene_add(s, SOLID_PUFFED, part, material);
  b->profile = f;
  b->a[0] = thick;
  b->ax = v3_make(0.0f, 0.0f, 1.0f); /* the outline's x runs along the span, its y to the nose */
  b->ay = v3_make(1.0f, 0.0f, 0.0f);
  b->az = v3_make(0.0f, 1.0f, 0.0f);
  b->pos = at;
}

static void plane_tail(struct scene *s, const struct plane_plan *p, int jet) {
  struct rng *r = &s->rng;
  float l = p->len, high = p->thick * pick(r, 1.5f, 2.2f), deep = l * pick(r, 0.24f, 0.34f),
        sweep = l * (jet ? pick(r, 0.16f, 0.26f) : pick(r, 0.02f, 0.12f));
  int round = !jet && rng_chance(r, 0.65f);
  struct curve c = {0};
  curve_corner(&c, 0.0f, 0.0f);
  if (round) {
    curve_smooth(&c, -0.3f * deep - 0.4f * sweep, 0.72f * high);
    curve_smooth(&c, -0.62f * deep - sweep, high);
    curve_smooth(&c, -1.0f * deep - sweep, 0.8f * high);
  } else {
    curve_corner(&c, -0.42f * deep - sweep, high);
    curve_corner(&c, -0.92f * deep - sweep, high);
  }
  curve_corner(&c, -0.98f * deep, 0.0f);
  struct solid *b = scene_add(s, SOLID_PUFFED, 3, ACCENT);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.055f;
  b->pos = v3_make(-0.97f * l + deep, 0.22f * p->thick, 0.0f);
  b->line = 30;
  float span = p->span * pick(r, 0.34f, 0.46f), root = 0.85f * deep;
  const struct profile *f = wing_outline(s, span, root, root * pick(r, 0.5f, 0.8f),
                                         jet ? 0.5f * sweep + 0.05f : 0.02f, !jet);
  add_wing(s, 3, rng_chance(r, 0.5f) ? ACCENT : WING, f,
           v3_make(-0.95f * l + 0.55f * root, 0.1f * p->thick, 0.0f), 0.045f);
}

/* A row of windows on both sides and glass over the nose. */
static void jet_windows(struct scene *s, const struct plane_plan *p) {
  struct rng *r = &s->rng;
  int n = 3 + rng_int(r, 4);
  float size = pick(r, 0.045f, 0.06f), up = p->thick * pick(r, 0.12f, 0.3f);
  float z = sqrtf(p->thick * p->thick - up * up) - 0.015f;
  for (int i = 0; i < 2 * n; i++) {
    float t = (float)(i / 2) / (float)(n - 1);
    add_ball(s, 4, GLAZING, v3_make(p->len * f_mix(-0.2f, 0.5f, t), up, i & 1 ? z : -z),
             v3_make(size, 1.1f * size, 0.04f));
  }
  add_ball(s, 5, GLAZING, v3_make(0.82f * p->len, 0.46f * p->thick, 0.0f),
           v3_make(0.1f * p->len, 0.38f * p->thick, 0.74f * p->thick));
}

static void add_engine(struct scene *s, v3 at, float len, float thick) {
  struct solid *b = scene_add(s, SOLID_CONE, 6, ACCENT);
  b->a[0] = len;
  b->a[1] = 0.75f * thick;
  b->a[2] = thick;
  b->a[3] = 0.03f;
  solid_turn(b, 2, -0.5f * PI_F);
  b->pos = at;
  struct solid *inlet = scene_cut(s, SOLID_CONE, 6, TYRE);
  inlet->a[0] = 0.04f;
  inlet->a[1] = inlet->a[2] = 0.68f * thick;
  solid_turn(inlet, 2, -0.5f * PI_F);
  inlet->pos = v3_make(at.x + len, at.y, at.z);
}

static void plane_jet(struct scene *s, struct plane_plan *p) {
  struct rng *r = &s->rng;
  p->len = pick(r, 0.95f, 1.15f);
  p->thick = pick(r, 0.2f, 0.29f);
  p->span = pick(r, 0.85f, 1.15f);
  plane_body(s, p, 1, pick(r, 0.2f, 0.4f));
  float root = pick(r, 0.42f, 0.56f), tip = root * pick(r, 0.35f, 0.6f),
        sweep = pick(r, 0.3f, 0.6f), y = p->thick * pick(r, -0.5f, -0.2f);
  v3 at = v3_make(p->len * pick(r, 0.12f, 0.22f), y, 0.0f);
  add_wing(s, 2, WING, wing_outline(s, p->span, root, tip, sweep, 0), at, 0.055f);
  plane_tail(s, p, 1);
  jet_windows(s, p);
  if (rng_chance(r, 0.65f)) {
    float out = p->span * pick(r, 0.4f, 0.5f), thick = pick(r, 0.09f, 0.125f),
          len = pick(r, 0.15f, 0.22f);
    float x = at.x + 0.3f * root - sweep * out / p->span;
    for (int k = -1; k <= 1; k += 2)
      add_engine(s, v3_make(x, y - 0.75f * thick - 0.02f, (float)k * out), len, thick);
  }
}

static void plane_propeller(struct scene *s, const struct plane_plan *p) {
  struct rng *r = &s->rng;
  int n = 2 + rng_int(r, 3);
  float reach = p->thick * pick(r, 1.1f, 1.5f), turn = pick(r, 0.0f, 3.0f), x = p->len;
  for (int i = 0; i < n; i++) {
    float a = turn + 2.0f * PI_F * (float)i / (float)n;
    struct solid *b =
        add_ball(s, 7, METAL, v3_make(x, 0.5f * reach * f_cos(a), 0.5f * reach * f_sin(a)),
                 v3_make(0.04f, 0.55f * reach, 0.1f));
    solid_turn(b, 0, a);
    b->line = 60;
  }
  float nose = pick(r, 0.45f, 0.6f) * p->thick;
  add_ball(s, 7, ACCENT, v3_make(x, 0.0f, 0.0f), v3_make(nose * pick(r, 0.9f, 1.4f), nose, nose))
      ->line = 61;
}

static void plane_light(struct scene *s, struct plane_plan *p) {
  struct rng *r = &s->rng;
  p->len = pick(r, 0.72f, 0.95f);
  p->thick = pick(r, 0.22f, 0.31f);
  p->span = pick(r, 0.8f, 1.05f);
  plane_body(s, p, 0, pick(r, 0.1f, 0.35f));
  float root = pick(r, 0.36f, 0.5f), tip = root * pick(r, 0.7f, 1.0f), sweep = pick(r, 0.0f, 0.08f);
  const struct profile *f = wing_outline(s, p->span, root, tip, sweep, rng_chance(r, 0.75f));
  int kind = rng_int(r, 3); /* low wing, high wing, two wings */
  float x = p->len * pick(r, 0.15f, 0.35f), low = -0.45f * p->thick,
        high = p->thick + (kind == 2 ? pick(r, 0.2f, 0.3f) : 0.0f);
  if (kind != 1) add_wing(s, 2, WING, f, v3_make(x, low, 0.0f), 0.06f);
  if (kind != 0) add_wing(s, 2, WING, f, v3_make(x, high, 0.0f), 0.06f);
  for (int k = 0; kind == 2 && k < 4; k++) {
    float z = p->span * (k & 1 ? 0.62f : -0.62f), dx = root * (k & 2 ? 0.2f : -0.2f) - 0.6f * sweep;
    add_bar(s, 2, METAL, v3_make(x + dx, low, z), v3_make(x + dx, high, z), 0.03f, 0.03f)->line =
        31;
  }
  for (int k = 0; kind == 2 && k < 2; k++) /* the upper one stands on the body */
    add_bar(s, 2, METAL, v3_make(x, 0.5f * p->thick, k ? 0.1f : -0.1f),
            v3_make(x, high, k ? 0.14f : -0.14f), 0.03f, 0.03f)
        ->line = 31;
  plane_tail(s, p, 0);
  plane_propeller(s, p);
  float cx = kind == 0 ? p->len * pick(r, 0.05f, 0.2f) : x - 0.5f * root - 0.06f;
  if (kind == 1) /* a cabin under the wing */
    add_ball(s, 5, GLAZING, v3_make(x + 0.1f, 0.46f * p->thick, 0.0f),
             v3_make(0.27f, 0.36f * p->thick, 0.99f * p->thick));
  else
    add_ball(s, 5, GLAZING, v3_make(cx, 0.8f * p->thick, 0.0f),
             v3_make(pick(r, 0.17f, 0.24f), 0.75f * p->thick, 0.62f * p->thick));
}

static void add_wheel(struct scene *s, v3 top, v3 hub, float size) {
  add_bar(s, 8, METAL, top, hub, 0.035f, 0.035f)->line = 70;
  struct solid *b = scene_add(s, SOLID_CONE, 8, TYRE);
  b->a[0] = 0.055f;
  b->a[1] = b->a[2] = size;
  b->a[3] = 0.035f;
  solid_turn(b, 0, 0.5f * PI_F);
  b->pos = hub;
}

/* Three wheels; returns how far below the middle of the body they stand. */
static float plane_wheels(struct scene *s, const struct plane_plan *p, int jet) {
  struct rng *r = &s->rng;
  float size = pick(r, 0.1f, 0.14f), down = p->thick + size + pick(r, 0.05f, 0.14f), z = 0.26f;
  float x = jet ? -0.02f * p->len : p->len * pick(r, 0.35f, 0.5f);
  for (int k = -1; k <= 1; k += 2)
    add_wheel(s, v3_make(x, -0.5f * p->thick, 0.5f * (float)k * p->thick),
              v3_make(x, size - down, (float)k * z), size);
  float other = jet ? 0.72f * p->len : -0.7f * p->len, small = 0.75f * size;
  add_wheel(s, v3_make(other, 0.0f, 0.0f), v3_make(other, small - down, 0.0f), small);
  return down;
}

/* Turn everything about the origin: bank about x, then climb about z. */
static void plane_turn(struct scene *s, float bank, float climb) {
  float cb = f_cos(bank), kb = f_sin(bank), cc = f_cos(climb), kc = f_sin(climb);
  for (int i = 0; i < s->nsolid; i++) {
    struct solid *b = &s->solid[i];
    v3 p = b->pos, q = v3_make(p.x, cb * p.y - kb * p.z, kb * p.y + cb * p.z);
    solid_turn(b, 0, bank);
    solid_turn(b, 2, climb);
    b->pos = v3_make(cc * q.x - kc * q.y, kc * q.x + cc * q.y, q.z);
  }
}

void shape_aeroplane(struct scene *s) {
  struct rng *r = &s->rng;
  struct plane_plan p;
  int jet = rng_chance(r, 0.5f), flies = rng_chance(r, jet ? 0.75f : 0.5f);
  plane_materials(s, jet);
  if (jet)
    plane_jet(s, &p);
  else
    plane_light(s, &p);
  float yaw = side_yaw(r, 0.55f), near = f_cos(yaw) > 0.0f ? 1.0f : -1.0f;
  float down = p.thick + 0.15f;
  if (!flies || (!jet && rng_chance(r, 0.6f))) down = plane_wheels(s, &p, jet);
  set_view(s, yaw, 0.05f, 0.4f);
  s->lift = down;
  if (!flies) return;
  float bank = pick(r, 0.05f, 0.55f), climb = pick(r, -0.1f, 0.35f);
  if (rng_chance(r, 0.2f)) bank = pick(r, 0.8f, 1.25f); /* seen from above */
  plane_turn(s, bank * near, climb);
  s->lift = down + p.span * f_sin(bank) + p.len * fabsf(f_sin(climb)) + pick(r, 0.05f, 0.4f);
}

/* ---- bicycle ---- */

enum { FRAME, RUBBER, STEEL, LEATHER, WICKER };

/* Places in the middle plane, the front wheel at +x. */
struct bike_plan {
  float wheel, tyre, tube, apart; /* radii; apart: of the two stays and fork blades, half */
  v3 rear, front, crank, seat;    /* seat: top of the seat tube */
  v3 steer;                       /* unit vector up the fork */
  float head, stem;               /* from the front hub along it: top of the frame, handlebar */
};

static void bike_materials(struct scene *s) {
  struct rng *r = &s->rng;
  scene_material(s, rng_chance(r, 0.08f) ? v3_make(0.015f, 0.015f, 0.018f) : toy_colour(r), 0.05f,
                 0.25f);
  float kind = pick(r, 0.0f, 1.0f);
  v3 tyre = v3_make(0.014f, 0.014f, 0.017f);
  if (kind > 0.75f) tyre = v3_make(0.2f, 0.06f, 0.02f);
  if (kind > 0.88f) tyre = v3_make(0.2f, 0.2f, 0.22f);
  scene_material(s, tyre, 0.02f, 0.7f);
  scene_material(s, rng_chance(r, 0.7f) ? v3_make(0.5f, 0.5f, 0.52f) : v3_make(0.2f, 0.2f, 0.22f),
                 0.06f, 0.2f);
  scene_material(
      s, rng_chance(r, 0.5f) ? v3_make(0.014f, 0.014f, 0.017f) : v3_make(0.2f, 0.06f, 0.02f), 0.02f,
      0.5f);
  scene_material(s, rng_chance(r, 0.7f) ? v3_make(0.48f, 0.25f, 0.09f) : toy_colour(r), 0.0f, 1.0f);
}

/* A straight rod: an upright cylinder turned, as bent tubes cost four times as much. */
static struct solid *add_rod(struct scene *s, int part, int material, v3 from, v3 to, float thick) {
  struct solid *b = scene_add(s, SOLID_CONE, part, material);
  v3 along = v3_sub(to, from);
  b->a[0] = 0.5f * v3_len(along) + 0.5f * thick;
  b->a[1] = b->a[2] = thick;
  b->a[3] = 0.5f * thick;
  b->pos = v3_mix(from, to, 0.5f);
  b->ay = v3_unit(along);
  b->ax = v3_unit(v3_cross(b->ay, v3_make(0.31f, 0.17f, 0.93f)));
  b->az = v3_cross(b->ax, b->ay);
  return b;
}

static v3 bike_steer(const struct bike_plan *p, float up) { return v3_mad(p->front, p->steer, up); }

static v3 beside(v3 p, float z) { return v3_make(p.x, p.y, z); }

static void bike_plan(struct rng *r, struct bike_plan *p) {
  p->wheel = pick(r, 0.36f, 0.47f);
  p->tyre = pick(r, 0.05f, 0.075f);
  p->tube = pick(r, 0.042f, 0.056f);
  p->apart = p->tyre + p->tube;
  float reach = p->wheel + p->tyre + p->tube, y = p->wheel + p->tyre, gap = pick(r, 0.36f, 0.52f),
        angle = pick(r, 0.24f, 0.4f), back = pick(r, 0.2f, 0.32f);
  float half = 0.5f * (2.0f * reach + gap);
  p->rear = v3_make(-half, y, 0.0f);
  p->front = v3_make(half, y, 0.0f);
  p->crank = v3_make(-half + reach + 0.08f, y - pick(r, 0.0f, 0.06f), 0.0f);
  float tall = p->wheel * pick(r, 1.35f, 1.65f);
  p->seat = v3_make(p->crank.x - back * tall, p->crank.y + tall, 0.0f);
  p->steer = v3_make(-f_sin(angle), f_cos(angle), 0.0f);
  p->head = f_max((p->seat.y - y) / p->steer.y + pick(r, -0.05f, 0.12f), reach + 0.26f);
  p->stem = p->head + pick(r, 0.08f, 0.24f);
}

/* A tyre with a hub, and spokes, a disc or nothing between. */
static void bike_wheel(struct scene *s, const struct bike_plan *p, v3 hub, int spokes, int disc,
                       float turn, int line) {
  struct solid *b = scene_add(s, SOLID_TORUS, 2, RUBBER);
  b->a[0] = p->wheel;
  b->a[1] = p->tyre;
  b->pos = hub;
  b->line = line;
  solid_turn(b, 0, 0.5f * PI_F);
  add_rod(s, 3, STEEL, beside(hub, -p->apart), beside(hub, p->apart), 0.07f);
  for (int i = 0; i < spokes; i++) {
    float a = turn + PI_F * (float)i / (float)spokes, x = p->wheel * f_cos(a),
          y = p->wheel * f_sin(a);
    add_rod(s, 3, STEEL, v3_make(hub.x - x, hub.y - y, 0.0f), v3_make(hub.x + x, hub.y + y, 0.0f),
            0.024f)
        ->line = line + 10;
  }
  if (!disc) return;
  b = scene_add(s, SOLID_CONE, 3, STEEL);
  b->a[0] = 0.025f;
  b->a[1] = b->a[2] = p->wheel;
  b->pos = hub;
  b->line = line + 10;
  solid_turn(b, 0, 0.5f * PI_F);
}

/* Frame: a diamond, or with a low bar to step over. */
static void bike_frame(struct scene *s, const struct bike_plan *p, int low) {
  float t = p->tube, reach = p->wheel + p->tyre + t;
  v3 crown = bike_steer(p, reach + 0.03f), neck = bike_steer(p, reach + 0.14f),
     head = bike_steer(p, p->head);
  add_rod(s, 1, FRAME, p->crank, p->seat, t);
  add_rod(s, 1, FRAME, p->crank, neck, t);
  if (low)
    add_rod(s, 1, FRAME, v3_mix(p->crank, p->seat, 0.42f), v3_mix(neck, head, 0.85f), t);
  else
    add_rod(s, 1, FRAME, v3_mix(p->crank, p->seat, 0.92f), v3_mix(neck, head, 0.8f), t);
  add_rod(s, 1, FRAME, crown, head, 1.15f * t);
  for (int k = -1; k <= 1; k += 2) {
    float z = (float)k * p->apart;
    add_rod(s, 1, FRAME, beside(p->rear, z), beside(p->crank, 0.6f * z), 0.75f * t);
    add_rod(s, 1, FRAME, beside(p->rear, z), beside(v3_mix(p->crank, p->seat, 0.9f), 0.5f * z),
            0.75f * t);
    add_rod(s, 1, FRAME, beside(p->front, z), beside(crown, z), 0.8f * t);
  }
  add_rod(s, 1, FRAME, beside(crown, -p->apart), beside(crown, p->apart), 0.9f * t);
}

/* Handlebar: swept back, dropped or straight. */
static void bike_bar(struct scene *s, const struct bike_plan *p, int kind) {
  struct rng *r = &s->rng;
  v3 top = bike_steer(p, p->stem), head = bike_steer(p, p->head);
  float wide = pick(r, 0.26f, 0.36f), thick = 0.9f * p->tube, size = pick(r, 0.85f, 1.15f);
  static const float path[3][4][3] = {
      {{0.0f, 0.0f, 0.0f}, {0.14f, 0.1f, 0.7f}, {-0.06f, 0.08f, 1.0f}, {-0.3f, -0.02f, 1.0f}},
      {{0.0f, 0.0f, 0.0f}, {0.34f, 0.04f, 0.9f}, {0.34f, -0.26f, 1.0f}, {0.04f, -0.24f, 1.0f}},
      {{0.0f, 0.0f, 0.0f}, {0.02f, 0.12f, 0.5f}, {-0.04f, 0.12f, 1.0f}, {-0.08f, 0.12f, 1.2f}}};
  add_rod(s, 5, STEEL, head, top, 0.85f * p->tube);
  for (int k = -1; k <= 1; k += 2) {
    struct solid *b = scene_add(s, SOLID_TUBE, 5, STEEL);
    b->npt = 4;
    for (int i = 0; i < 4; i++)
      b->pt[i] = v3_make(top.x + size * path[kind][i][0], top.y + size * path[kind][i][1],
                         (float)k * wide * path[kind][i][2]);
    b->a[0] = b->a[1] = thick;
    v3 end = b->pt[3], from = v3_mix(b->pt[2], end, 0.62f);
    add_rod(s, 5, LEATHER, from, end, 1.3f * thick)->line = 50;
  }
}

static void bike_saddle(struct scene *s, const struct bike_plan *p) {
  struct rng *r = &s->rng;
  float post = pick(r, 0.08f, 0.2f), wide = pick(r, 0.11f, 0.15f), len = pick(r, 0.38f, 0.5f);
  v3 up = v3_unit(v3_sub(p->seat, p->crank)), top = v3_mad(p->seat, up, post);
  add_rod(s, 4, STEEL, p->seat, top, 0.8f * p->tube)->line = 51;
  struct curve c = {0};
  curve_smooth(&c, 0.0f, 0.6f * len);
  curve_smooth(&c, 0.38f * wide, 0.52f * len);
  curve_smooth(&c, 0.42f * wide, 0.15f * len);
  curve_smooth(&c, wide, -0.2f * len);
  curve_smooth(&c, 0.85f * wide, -0.38f * len);
  curve_smooth(&c, 0.0f, -0.4f * len);
  curve_mirror(&c);
  add_wing(s, 4, LEATHER, profile_bake(s, &c), v3_make(top.x + 0.02f, top.y + 0.03f, 0.0f), 0.065f);
}

static void bike_pedals(struct scene *s, const struct bike_plan *p, float turn) {
  float ring = 0.25f * p->wheel + 0.02f, len = 0.38f * p->wheel, z = p->apart + 0.01f;
  struct solid *b = scene_add(s, SOLID_CONE, 6, STEEL);
  b->a[0] = 0.025f;
  b->a[1] = b->a[2] = ring;
  solid_turn(b, 0, 0.5f * PI_F);
  b->pos = beside(p->crank, z);
  add_rod(s, 1, FRAME, beside(p->crank, -z), beside(p->crank, z), 1.3f * p->tube);
  for (int k = -1; k <= 1; k += 2) {
    float x = (float)k * len * f_cos(turn), y = (float)k * len * f_sin(turn),
          out = (float)k * (z + 0.055f);
    v3 foot = v3_make(p->crank.x + x, p->crank.y + y, out);
    add_rod(s, 6, STEEL, beside(p->crank, out), foot, 0.032f)->line = 53;
    add_box(s, 6, LEATHER, beside(foot, out + 0.075f * (float)k), v3_make(0.085f, 0.03f, 0.07f),
            0.02f)
        ->line = 52;
  }
}

/* A basket before the handlebar. */
static void bike_basket(struct scene *s, const struct bike_plan *p) {
  struct rng *r = &s->rng;
  float w = pick(r, 0.16f, 0.21f), h = pick(r, 0.11f, 0.15f), top = pick(r, 1.15f, 1.4f);
  struct curve c = {0};
  curve_corner(&c, w, -h);
  curve_corner(&c, top * w, h);
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 7, WICKER);
  b->profile = profile_bake(s, &c);
  b->a[0] = pick(r, 0.17f, 0.22f);
  b->a[1] = 0.02f;
  v3 head = bike_steer(p, p->head);
  float low = p->front.y + p->wheel + p->tyre + h + 0.05f;
  b->pos = v3_make(head.x + p->tube + 1.1f * w, f_max(head.y - 0.4f * h, low), 0.0f);
}

/* A carrier over the rear wheel. */
static void bike_rack(struct scene *s, const struct bike_plan *p) {
  float y = p->rear.y + p->wheel + p->tyre + 0.09f;
  v3 back = v3_make(p->rear.x - 0.25f, y, 0.0f);
  float t = (y - p->crank.y) / (p->seat.y - p->crank.y);
  v3 joint = v3_mix(p->crank, p->seat, t);
  add_box(s, 7, STEEL, v3_make(0.5f * (back.x + joint.x), y, 0.0f),
          v3_make(0.5f * (joint.x - back.x), 0.035f, 0.11f), 0.025f);
  for (int k = -1; k <= 1; k += 2)
    add_rod(s, 7, STEEL, beside(p->rear, 1.1f * (float)k * p->apart),
            v3_make(p->rear.x - 0.15f, y, 0.09f * (float)k), 0.028f);
}

void shape_bicycle(struct scene *s) {
  struct rng *r = &s->rng;
  struct bike_plan p;
  bike_materials(s);
  bike_plan(r, &p);
  float kind = pick(r, 0.0f, 1.0f), turn = pick(r, 0.0f, 3.0f);
  int spokes = kind < 0.35f ? 0 : 2 + rng_int(r, 2), disc = kind > 0.88f;
  if (disc) spokes = 0;
  bike_wheel(s, &p, p.rear, spokes, disc, turn, 30);
  bike_wheel(s, &p, p.front, spokes, disc, turn + 0.4f, 31);
  int low = rng_chance(r, 0.3f), bar = low ? 0 : rng_int(r, 3);
  bike_frame(s, &p, low);
  bike_bar(s, &p, bar);
  bike_saddle(s, &p);
  bike_pedals(s, &p, pick(r, -1.3f, 1.3f));
  if (bar != 1 && rng_chance(r, low ? 0.6f : 0.2f)) bike_basket(s, &p);
  if (bar != 1 && rng_chance(r, 0.25f)) bike_rack(s, &p);
  set_view(s, side_yaw(r, 0.42f), 0.0f, 0.3f);
}
