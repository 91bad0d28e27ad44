/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_built.c: house and car.
 *
 * Parts: house 1 wall, 2 roof, 3 chimney, 4 window, 5 door; car 1 body, 2 roof and pillars, 3
 * glass, 4 tyre, 5 rim, 6 lamp.
 */
#include "shapes.h"

/* ---- house ---- */

static void house_materials(struct scene *s) {
  struct rng *r = &s->rng;
  static const float finish[4] = {0.0f, 0.5f, 1.0f, 0.0f};
  int kind = rng_int(r, 4), roof = rng_int(r, 4);
  v3 brick = rng_colour(r, 0.01f, 0.05f, 0.4f, 0.6f, 0.45f, 0.7f),
     plaster = rng_colour(r, 0.05f, 0.17f, 0.03f, 0.3f, 0.75f, 0.95f);
  v3 paint = rng_paint(r, 0.12f, 0.45f, 0.55f, 0.9f);
  const v3 wall[4] = {plaster, plaster, brick, paint};
  int m = scene_material(s, wall[kind], 0.0f, 1.0f);
  struct material *w = &s->material[m];
  w->pattern = PATTERN_WALL;
  w->extra = finish[kind];
  w->scale = (float)(2 + rng_int(r, 3));
  w->amount = (float)(1 + rng_int(r, 2));
  w->phase = pick(r, -0.9f, 0.9f);
  w->third = rng_paint(r, 0.3f, 0.7f, 0.25f, 0.6f);
  w->grain = 0.12f;
  v3 tile = rng_colour(r, 0.0f, 0.05f, 0.5f, 0.75f, 0.4f, 0.65f),
     slate = rng_colour(r, 0.55f, 0.65f, 0.05f, 0.3f, 0.2f, 0.42f);
  v3 any = rng_paint(r, 0.2f, 0.5f, 0.3f, 0.55f);
  const v3 cover[4] = {tile, tile, slate, any}; /* most roofs are tiled */
  m = scene_material(s, cover[roof], 0.02f, 0.8f);
  s->material[m].pattern = PATTERN_ROOF;
  s->material[m].scale = pick(r, 8.0f, 13.0f);
  m = scene_material(s, brick, 0.0f, 1.0f);
  s->material[m].grain = 0.35f;
  m = scene_material(s, v3_make(0.72f, 0.7f, 0.66f), 0.0f, 1.0f);
}

/* Roof over a box of half sizes w (x) and d (z): gable, or hipped when narrow > 0. */
static void house_roof(struct scene *s, v3 at, float w, float d, float rise, float narrow,
                       float over) {
  struct curve c = {0};
  float drop = over * rise / w;
  curve_corner(&c, -w - over, -drop);
  curve_corner(&c, w + over, -drop);
  curve_corner(&c, w + over, -drop + 0.07f);
  curve_corner(&c, 0.0f, rise + 0.07f);
  curve_corner(&c, -w - over, -drop + 0.07f);
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 2, 1);
  b->profile = profile_bake(s, &c);
  b->a[0] = d + 0.8f * over;
  b->a[3] = narrow;
  b->pos = at;
}

void shape_house(struct scene *s) {
  struct rng *r = &s->rng;
  house_materials(s);
  float w = pick(r, 0.5f, 1.0f), h = pick(r, 0.55f, 1.0f), d = pick(r, 0.45f, 0.85f),
        rise = pick(r, 0.3f, 0.95f);
  int rows = (int)s->material[0].amount;
  h *= rows == 2 ? 1.25f : 0.85f;
  int across = rng_int(r, 2); /* ridge along x instead of z */
  float over = pick(r, 0.05f, 0.16f), hip = rng_chance(r, 0.3f) ? pick(r, 0.4f, 0.9f) : 0.0f;
  add_box(s, 1, 0, v3_make(0.0f, 0.5f * h, 0.0f), v3_make(w, 0.5f * h, d), 0.006f);
  float span = across ? d : w, length = across ? w : d;
  hip = f_min(hip, 0.85f * length / rise);
  house_roof(s, v3_make(0.0f, h, 0.0f), span, length, rise, hip, over);
  if (across) solid_turn(&s->solid[s->nsolid - 1], 1, 0.5f * PI_F);
  if (rng_chance(r, 0.6f)) {
    float x = pick(r, 0.2f, 0.65f), flip = rng_sign(r), z = pick(r, -0.5f, 0.4f),
          up = pick(r, 0.1f, 0.35f), thick = pick(r, 0.08f, 0.13f);
    x *= flip;
    float cx = across ? z * w : x * w, cz = across ? x * d : z * d,
          y = h + rise * (1.0f - fabsf(x));
    add_box(s, 3, 2, v3_make(cx, y + 0.5f * up - 0.1f, cz),
            v3_make(thick, 0.5f * up + 0.25f, thick), 0.006f);
    add_box(s, 3, 2, v3_make(cx, y + up + 0.15f, cz), v3_make(thick * 1.25f, 0.03f, thick * 1.25f),
            0.006f);
  }
  if (rng_chance(r, 0.4f)) { /* wing */
    float side = rng_sign(r), ww = pick(r, 0.25f, 0.5f),
          wh = h * pick(r, 0.5f, 0.85f) / (float)rows, wd = d * pick(r, 0.55f, 0.85f);
    add_box(s, 1, 0, v3_make(side * (w + ww - 0.02f), 0.5f * wh, 0.0f), v3_make(ww, 0.5f * wh, wd),
            0.006f);
    house_roof(s, v3_make(side * (w + ww - 0.02f), wh, 0.0f), wd, ww, rise * 0.5f, 0.0f, 0.06f);
    solid_turn(&s->solid[s->nsolid - 1], 1, 0.5f * PI_F);
  } else if (rng_chance(r, 0.4f)) { /* gabled porch in front */
    float pw = pick(r, 0.22f, 0.35f), ph = f_min(0.55f, 0.6f * h),
          x = s->material[0].phase * (w - 0.25f);
    house_roof(s, v3_make(x, ph, d + 0.1f), pw, 0.2f, 0.2f, 0.0f, 0.03f);
    add_bar(s, 1, 3, v3_make(x - pw, 0.02f, d + 0.25f), v3_make(x - pw, ph, d + 0.25f), 0.03f,
            0.03f);
    add_bar(s, 1, 3, v3_make(x + pw, 0.02f, d + 0.25f), v3_make(x + pw, ph, d + 0.25f), 0.03f,
            0.03f);
  }
  if (rng_chance(r, 0.5f))
    add_box(s, 3, 3, v3_make(0.0f, 0.02f, 0.0f), v3_make(w + 0.06f, 0.025f, d + 0.06f), 0.01f);
  set_view(s, pick(r, -0.95f, 0.95f), 0.03f, 0.42f);
}

/* ---- car ---- */

struct car_plan {
  /* half length, heights, half width, wheel radius, axles */
  float len, floor, belt, roof, wide, wheel, front, rear;
  float hood, trunk; /* heights of hood and trunk ends */
  /* cabin: foot and head of wind screen, head and foot behind */
  float a, b, c, d;
};

/* Lower body with the wheel arches cut out of the outline. */
static void car_outline(const struct car_plan *p, struct curve *c) {
  float L = p->len, ar = p->wheel * 1.18f;
  curve_smooth(c, -L + 0.03f, p->floor + 0.04f);
  for (int k = 0; k < 2; k++) {
    float x = k ? p->front : -p->rear;
    curve_corner(c, x - ar, p->floor);
    for (int i = 1; i < 6; i++)
      curve_smooth(c, x - ar * f_cos(PI_F * (float)i / 6.0f),
                   p->wheel + ar * 0.98f * f_sin(PI_F * (float)i / 6.0f));
    curve_corner(c, x + ar, p->floor);
  }
  curve_smooth(c, L - 0.03f, p->floor + 0.04f);
  curve_smooth(c, L, 0.5f * (p->floor + p->hood));
  curve_smooth(c, L - 0.06f, p->hood);
  curve_smooth(c, p->a, p->belt);
  curve_smooth(c, p->d, p->belt);
  curve_smooth(c, -L + 0.05f, p->trunk);
  curve_smooth(c, -L, 0.5f * (p->floor + p->trunk));
}

static void car_plan(struct car_plan *p, struct rng *r) {
  int kind = rng_int(r, 5); /* saloon, hatch, van, sports, pickup */
  p->len = pick(r, 0.95f, 1.35f);
  p->wheel = pick(r, 0.2f, 0.3f);
  p->floor = p->wheel * pick(r, 0.6f, 0.95f);
  p->belt = p->floor + pick(r, 0.36f, 0.5f);
  p->roof = p->belt + pick(r, 0.28f, 0.42f);
  p->wide = pick(r, 0.42f, 0.52f);
  p->front = p->len * pick(r, 0.54f, 0.64f);
  p->rear = p->len * pick(r, 0.52f, 0.64f);
  float slope = pick(r, 0.12f, 0.36f), back = pick(r, 0.1f, 0.4f), shift = pick(r, -0.08f, 0.08f);
  p->a = p->len * (0.42f + shift);
  static const float boot[5] = {0.6f, 0.9f, 0.9f, 0.55f, 0.9f};
  p->d = -p->len * boot[kind];
  if (kind == 2) {
    p->a = p->len * 0.8f;
    p->d = -p->len * 0.94f;
    p->roof += 0.25f;
    back = 0.05f;
  }
  if (kind == 3) {
    p->roof -= 0.08f;
    slope += 0.2f;
    back += 0.2f;
  }
  if (kind == 4) {
    p->a = p->len * 0.4f;
    p->d = -p->len * 0.12f;
    back = 0.04f;
  }
  p->b = p->a - slope - 0.06f;
  p->c = p->d + back;
  if (p->c > p->b - 0.3f) p->c = p->b - 0.3f;
  p->hood = p->belt - pick(r, 0.02f, 0.14f);
  p->trunk = p->belt - pick(r, 0.0f, 0.08f);
}

static void car_materials(struct scene *s, const struct car_plan *p) {
  struct rng *r = &s->rng;
  float kind = pick(r, 0.0f, 1.0f);
  v3 c = kind < 0.2f    ? rng_colour(r, 0.0f, 1.0f, 0.0f, 0.05f, 0.7f, 0.95f)
         : kind < 0.35f ? rng_colour(r, 0.0f, 1.0f, 0.0f, 0.1f, 0.12f, 0.4f)
         : kind < 0.55f ? rng_colour(r, 0.98f, 1.03f, 0.8f, 0.95f, 0.55f, 0.85f)
         : kind < 0.75f ? rng_colour(r, 0.55f, 0.66f, 0.5f, 0.85f, 0.35f, 0.75f)
                        : rng_paint(r, 0.35f, 0.75f, 0.45f, 0.85f);
  int m = scene_material(s, c, 0.07f, 0.06f);
  s->material[m].pattern = PATTERN_CAR;
  s->material[m].phase = p->len;
  s->material[m].scale = 0.5f * (p->hood + p->floor) + 0.06f;
  s->material[m].extra = 0.5f * (p->b + p->c) + 0.06f;
  s->material[m].amount = f_min(0.42f * (p->a - p->d), 0.62f);
  m = scene_material(s, rng_chance(r, 0.2f) ? v3_make(0.6f, 0.58f, 0.55f) : c, 0.07f, 0.06f);
  s->material[m].pattern = PATTERN_CABIN;
  s->material[m].phase = s->material[0].extra;
  s->material[m].amount = 0.045f;
  s->material[m].scale = p->roof - 0.05f;
  s->material[m].extra = p->belt + 0.015f;
  m = scene_material(s, v3_make(0.012f, 0.012f, 0.013f), 0.03f, 0.5f);
  s->material[m].pattern = PATTERN_WHEEL;
  s->material[m].amount = pick(r, 0.58f, 0.72f);
  s->material[m].scale = (float)(4 + rng_int(r, 7));
  s->material[m].alt =
      rng_chance(r, 0.25f) ? v3_make(0.06f, 0.06f, 0.065f) : v3_make(0.5f, 0.5f, 0.52f);
  scene_material(s, v3_make(0.02f, 0.02f, 0.022f), 0.04f, 0.4f);
}

void shape_car(struct scene *s) {
  struct rng *r = &s->rng;
  struct car_plan p;
  car_plan(&p, r);
  car_materials(s, &p);
  struct curve c = {0};
  car_outline(&p, &c);
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 1, 0);
  b->profile = profile_bake(s, &c);
  b->a[0] = p.wide;
  b->a[1] = 0.06f;
  struct curve k = {0};
  curve_corner(&k, p.d, p.belt - 0.13f);
  curve_corner(&k, p.a, p.belt - 0.13f);
  curve_corner(&k, p.a, p.belt);
  curve_smooth(&k, p.b, p.roof - 0.02f);
  curve_smooth(&k, 0.5f * (p.b + p.c), p.roof + 0.02f);
  curve_smooth(&k, p.c, p.roof - 0.02f);
  curve_corner(&k, p.d, p.belt);
  b = scene_add(s, SOLID_EXTRUDED, 2, 1);
  b->profile = profile_bake(s, &k);
  b->a[0] = p.wide - 0.01f;
  b->a[1] = 0.04f;
  b->a[3] = 0.2f;
  for (int i = 0; i < 4; i++) {
    b = scene_add(s, SOLID_CONE, 4, 2);
    b->a[0] = 0.085f;
    b->a[1] = b->a[2] = p.wheel;
    b->a[3] = 0.03f;
    solid_turn(b, 0, i & 1 ? 0.5f * PI_F : -0.5f * PI_F);
    b->pos =
        v3_make(i & 2 ? p.front : -p.rear, p.wheel, (i & 1 ? 1.0f : -1.0f) * (p.wide - 0.075f));
  }
  add_box(s, 1, 3, v3_make(0.0f, p.floor + 0.14f, 0.0f),
          v3_make(p.len - 0.12f, 0.12f, p.wide - 0.2f), 0.02f);
  set_view(s, side_yaw(r, 0.75f), 0.03f, 0.42f);
}
