/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_hat.c: hat: with a round brim (top hat, bowler, felt and sun hat), a cowboy's, a pointed
 * one, a cap with a visor, a knitted one.
 *
 * Parts: 1 crown, 2 brim or visor, 3 band or cuff, 4 bobble or button, 5 bow, feather or buckle,
 * 6 front.
 */
#include "shapes.h"

enum { CROWN, BRIM, BAND, TRIM, METAL };
enum { LINE_DETAIL = 40 };

/* The side of a crown: radius below and above, belly between, heights. */
struct wall {
  float low, high, belly, y0, y1;
};

static float wall_at(const struct wall *w, float t) {
  return f_mix(w->low, w->high, t) + w->belly * f_sin(PI_F * t);
}

/* ---- colours ---- */

static v3 cloth(struct rng *r) {
  switch (rng_int(r, 9)) {
    case 0: return rng_colour(r, 0.98f, 1.01f, 0.78f, 0.9f, 0.6f, 0.82f);   /* red */
    case 1: return rng_colour(r, 0.58f, 0.64f, 0.6f, 0.8f, 0.5f, 0.78f);    /* blue */
    case 2: return rng_colour(r, 0.28f, 0.36f, 0.5f, 0.7f, 0.35f, 0.55f);   /* green */
    case 3: return rng_colour(r, 0.12f, 0.14f, 0.72f, 0.82f, 0.88f, 0.95f); /* yellow */
    case 4: return rng_colour(r, 0.96f, 0.98f, 0.32f, 0.4f, 0.84f, 0.92f);  /* pink */
    case 5: return rng_colour(r, 0.49f, 0.52f, 0.65f, 0.8f, 0.5f, 0.62f);   /* teal */
    case 6: return rng_colour(r, 0.58f, 0.64f, 0.02f, 0.1f, 0.46f, 0.56f);  /* grey */
    case 7: return rng_colour(r, 0.06f, 0.075f, 0.8f, 0.88f, 0.85f, 0.95f); /* orange */
    default: return rng_colour(r, 0.0f, 1.0f, 0.0f, 0.12f, 0.1f, 0.17f);    /* black */
  }
}

static v3 felt(struct rng *r) {
  switch (rng_int(r, 5)) {
    case 0: return rng_colour(r, 0.055f, 0.08f, 0.62f, 0.72f, 0.4f, 0.48f); /* brown */
    case 1: return rng_colour(r, 0.075f, 0.095f, 0.48f, 0.58f, 0.7f, 0.78f);
    case 2: return rng_colour(r, 0.1f, 0.12f, 0.26f, 0.34f, 0.9f, 0.95f); /* straw */
    case 3: return rng_colour(r, 0.58f, 0.64f, 0.02f, 0.1f, 0.46f, 0.56f);
    default: return rng_colour(r, 0.0f, 1.0f, 0.0f, 0.12f, 0.1f, 0.17f);
  }
}

static void hat_materials(struct scene *s, v3 main, float same_brim) {
  struct rng *r = &s->rng;
  static const v3 white = {0.86f, 0.84f, 0.79f}, black = {0.017f, 0.016f, 0.018f};
  v3 other = cloth(r), band = cloth(r), trim = cloth(r);
  int dark = main.x + main.y + main.z < 0.6f;
  if (rng_chance(r, 0.5f)) band = dark ? white : black;
  if (rng_chance(r, 0.5f)) trim = white;
  scene_material(s, main, 0.0f, 1.0f);
  scene_material(s, rng_chance(r, same_brim) ? main : other, 0.0f, 1.0f);
  scene_material(s, band, 0.02f, 0.6f);
  scene_material(s, trim, 0.0f, 1.0f);
  scene_material(s, rng_colour(r, 0.12f, 0.14f, 0.7f, 0.8f, 0.88f, 0.95f), 0.2f, 0.2f);
}

/* ---- pieces ---- */

/* A disc of radius `wide`, its rim raised by curl (or lowered: then the middle is raised). */
static float hat_brim(struct scene *s, float inner, float wide, float curl) {
  const float t = 0.07f;
  float y = f_max(-curl, 0.0f), mid = f_mix(inner, wide, 0.55f);
  struct curve c = {0};
  curve_corner(&c, 0.0f, y);
  curve_smooth(&c, inner, y);
  curve_smooth(&c, mid, y + 0.2f * curl);
  curve_smooth(&c, wide - 0.03f, y + curl);
  curve_smooth(&c, wide, y + curl + 0.5f * t);
  curve_smooth(&c, wide - 0.03f, y + curl + t);
  curve_smooth(&c, mid, y + 0.2f * curl + t);
  curve_smooth(&c, inner, y + t);
  curve_corner(&c, 0.0f, y + t);
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_TURNED, 2, BRIM);
  b->profile = profile_bake(s, &c);
  return y + t;
}

/* round: 0 a flat top with an edge, 1 a dome */
static void hat_crown(struct scene *s, const struct wall *w, float round) {
  struct curve c = {0};
  float top = w->y1, edge = f_mix(w->y1, w->y0, 0.5f * round);
  curve_corner(&c, 0.0f, w->y0 - 0.05f);
  curve_corner(&c, w->low, w->y0 - 0.05f);
  for (int i = 1; i <= 4; i++) {
    float t = (float)i / 4.0f;
    if (i == 4 && round < 0.15f)
      curve_corner(&c, wall_at(w, t), edge);
    else
      curve_smooth(&c, wall_at(w, t), f_mix(w->y0, edge, t));
  }
  if (round >= 0.15f) curve_smooth(&c, 0.72f * w->high, f_mix(edge, top, 0.72f));
  curve_smooth(&c, 0.38f * w->high, f_mix(edge, top, 0.94f));
  curve_smooth(&c, 0.0f, top);
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_TURNED, 1, CROWN);
  b->profile = profile_bake(s, &c);
}

/* A ring on the wall between two shares of its height, thicker by `more`. */
static void hat_band(struct scene *s, const struct wall *w, float t0, float t1, float more,
                     int material, int line) {
  struct solid *b = scene_add(s, SOLID_CONE, 3, material);
  float y0 = f_mix(w->y0, w->y1, t0), y1 = f_mix(w->y0, w->y1, t1);
  b->a[0] = 0.5f * (y1 - y0);
  b->a[1] = wall_at(w, t0) + more;
  b->a[2] = wall_at(w, t1) + more;
  b->a[3] = f_min(0.9f * more, 0.3f * (y1 - y0));
  b->pos.y = 0.5f * (y0 + y1);
  b->line = line;
}

static void hat_groove(struct scene *s, float y, float r, float deep) {
  struct solid *b = scene_cut(s, SOLID_TUBE, 1, CROWN);
  b->npt = 3;
  b->pt[0] = v3_make(0.0f, y + r - 0.5f * deep, -1.0f);
  b->pt[1] = v3_make(0.0f, y + r - 1.3f * deep, 0.0f);
  b->pt[2] = v3_make(0.0f, y + r - 0.5f * deep, 1.0f);
  b->a[0] = b->a[1] = r;
}

static void hat_bobble(struct scene *s, v3 at, float size, int fluffy) {
  struct solid *b = add_ball(s, 4, TRIM, at, v3_make(size, size, size));
  b->wave = fluffy ? 0.12f * size : 0.0f;
  b->wave_scale = 2.0f / size;
}

static void hat_bow(struct scene *s, float y, float radius, float size) {
  for (int k = -1; k <= 1; k += 2) {
    struct solid *b = add_ball(s, 5, TRIM, v3_make(0.85f * size * (float)k, y, radius + 0.04f),
                               v3_make(0.85f * size, 0.62f * size, 0.45f * size));
    solid_turn(b, 2, 0.3f * (float)k);
  }
  struct solid *b = add_ball(s, 5, TRIM, v3_make(0.0f, y, radius + 0.09f),
                             v3_make(0.36f * size, 0.36f * size, 0.36f * size));
  b->line = LINE_DETAIL;
}

static void hat_feather(struct scene *s, float y, float radius, float long_, float lean) {
  struct curve c = {0};
  curve_corner(&c, 0.0f, 0.0f);
  curve_smooth(&c, 0.16f * long_, 0.3f * long_);
  curve_smooth(&c, 0.17f * long_, 0.7f * long_);
  curve_corner(&c, 0.02f * long_, long_);
  curve_smooth(&c, -0.12f * long_, 0.7f * long_);
  curve_smooth(&c, -0.12f * long_, 0.3f * long_);
  struct solid *b = scene_add(s, SOLID_PUFFED, 5, TRIM);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.06f;
  solid_turn(b, 2, lean);
  b->pos = v3_make(0.45f * radius, y, 0.88f * radius + 0.06f);
}

static void hat_buckle(struct scene *s, float y, float radius, float half, float lean) {
  struct solid *b =
      add_box(s, 5, METAL, v3_make(0.0f, y, radius), v3_make(1.1f * half, half, 0.06f), 0.025f);
  solid_turn(b, 0, lean);
  b = add_box(s, 5, BAND, v3_make(0.0f, y, radius + 0.035f),
              v3_make(0.6f * half, 0.5f * half, 0.05f), 0.02f);
  b->line = LINE_DETAIL;
  solid_turn(b, 0, lean);
}

/* ---- hats ---- */

static void hat_round(struct scene *s) {
  struct rng *r = &s->rng;
  int kind = rng_int(r, 4); /* top hat, bowler, felt, sun hat */
  v3 black = rng_colour(r, 0.0f, 1.0f, 0.0f, 0.12f, 0.1f, 0.17f), main = felt(r);
  if (kind == 0 && rng_chance(r, 0.6f)) main = black;
  if (rng_chance(r, 0.3f)) main = cloth(r);
  hat_materials(s, main, kind == 3 ? 0.85f : 0.95f);
  float curl = kind == 3 ? pick(r, -0.16f, 0.06f) : pick(r, 0.02f, 0.16f);
  float low = pick(r, 0.44f, 0.56f), wide = low + pick(r, 0.24f, 0.45f);
  if (kind == 3) wide = low + pick(r, 0.45f, 0.75f);
  struct wall w = {low, low, 0.0f, 0.0f, 0.0f};
  w.y0 = hat_brim(s, low, wide, curl);
  float tall = pick(r, 0.45f, 0.68f), taper = pick(r, 0.72f, 0.95f);
  w.y1 = w.y0 + (kind == 0 ? pick(r, 0.75f, 1.3f) : tall);
  w.high = low * (kind == 0 ? pick(r, 0.88f, 1.14f) : taper);
  w.belly = pick(r, -0.03f, 0.04f);
  hat_crown(s, &w, kind == 1 || kind == 3 ? pick(r, 0.6f, 1.0f) : pick(r, 0.0f, 0.3f));
  if (kind == 2) {
    float wide_groove = pick(r, 0.14f, 0.24f);
    hat_groove(s, w.y1, wide_groove, pick(r, 0.08f, 0.16f));
  }
  float band = pick(r, 0.14f, 0.22f) / (w.y1 - w.y0);
  if (rng_chance(r, 0.85f)) hat_band(s, &w, 0.0f, band, 0.035f, BAND, 3);
  float y = w.y0 + 0.1f, extra = pick(r, 0.0f, 1.0f);
  if (extra < 0.22f) hat_bow(s, y, low, pick(r, 0.15f, 0.22f));
  if (extra > 0.8f) {
    float long_ = pick(r, 0.5f, 0.75f);
    hat_feather(s, y, low, long_, pick(r, -0.6f, 0.1f));
  }
}

static void hat_cowboy(struct scene *s) {
  struct rng *r = &s->rng;
  v3 main = felt(r);
  if (rng_chance(r, 0.2f)) main = cloth(r);
  hat_materials(s, main, 0.95f);
  float x = pick(r, 0.95f, 1.2f), z = pick(r, 0.62f, 0.78f), up = pick(r, 0.22f, 0.4f),
        down = pick(r, 0.05f, 0.15f), low = pick(r, 0.44f, 0.52f);
  struct curve c = {0};
  for (int i = 0; i < 16; i++) {
    float a = 2.0f * PI_F * (float)i / 16.0f;
    curve_smooth(&c, x * f_cos(a), z * f_sin(a));
  }
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 2, BRIM);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.04f;
  b->a[1] = 0.03f;
  b->a[4] = up;
  b->a[5] = -down;
  b->pos.y = 0.045f + down * z * z;
  solid_turn(b, 0, -0.5f * PI_F);
  float y0 = b->pos.y + 0.02f, tall = pick(r, 0.55f, 0.75f);
  struct wall w = {low, low * pick(r, 0.75f, 0.9f), 0.03f, y0, y0 + tall};
  hat_crown(s, &w, pick(r, 0.1f, 0.4f));
  float groove = pick(r, 0.16f, 0.24f);
  hat_groove(s, w.y1, groove, pick(r, 0.14f, 0.22f));
  hat_band(s, &w, 0.03f, pick(r, 0.2f, 0.3f), 0.035f, BAND, 3);
  if (rng_chance(r, 0.3f)) hat_buckle(s, y0 + 0.1f, low + 0.03f, 0.09f, 0.0f);
}

static void hat_pointed(struct scene *s) {
  struct rng *r = &s->rng;
  int brim = rng_chance(r, 0.5f), cuff = !brim && rng_chance(r, 0.45f);
  v3 main = cloth(r);
  if (brim && rng_chance(r, 0.5f)) main = rng_colour(r, 0.0f, 1.0f, 0.0f, 0.12f, 0.1f, 0.17f);
  if (cuff && rng_chance(r, 0.6f)) main = rng_colour(r, 0.98f, 1.01f, 0.8f, 0.9f, 0.7f, 0.82f);
  hat_materials(s, main, 0.95f);
  float low = pick(r, 0.42f, 0.56f), tall = pick(r, 1.1f, 1.6f), wide = pick(r, 0.4f, 0.6f),
        bend = brim || cuff ? pick(r, -0.5f, 0.5f) : 0.0f;
  float y0 = brim ? hat_brim(s, low, low + wide, pick(r, -0.08f, 0.12f)) - 0.03f : 0.0f;
  struct solid *b = scene_add(s, SOLID_TUBE, 1, CROWN);
  b->npt = 3;
  b->pt[0] = v3_make(0.0f, y0, 0.0f);
  b->pt[1] = v3_make(-0.12f * bend, y0 + 0.62f * tall, 0.0f);
  b->pt[2] = v3_make(bend, y0 + tall * (1.0f - 0.25f * fabsf(bend)), 0.0f);
  b->a[0] = low;
  b->a[1] = 0.035f;
  v3 tip = b->pt[2];
  b = scene_cut(s, SOLID_BOX, 1, CROWN);
  b->pos.y = y0 - 1.0f;
  b->a[0] = b->a[1] = b->a[2] = 1.0f;
  struct wall w = {low, 0.62f * low, 0.0f, y0, y0 + 0.45f * tall};
  if (cuff) {
    float thick = pick(r, 0.08f, 0.13f);
    w.y0 += thick;
    for (int i = 0; i < 2; i++) {
      b = scene_add(s, SOLID_TORUS, 3, TRIM);
      b->pos.y = y0 + thick * (1.0f + 0.7f * (float)i);
      b->a[0] = low - 0.02f;
      b->a[1] = thick;
    }
  } else if (brim) {
    w.y0 += 0.03f;
    float t = pick(r, 0.26f, 0.4f);
    hat_band(s, &w, 0.0f, t, 0.03f, BAND, 3);
    if (rng_chance(r, 0.6f))
      hat_buckle(s, f_mix(w.y0, w.y1, 0.5f * t), wall_at(&w, 0.5f * t), 0.13f, -0.2f);
  } else {
    int n = rng_int(r, 3);
    for (int i = 0; i <= n; i++)
      hat_band(s, &w, 0.04f + 0.6f * (float)i, 0.3f + 0.6f * (float)i, 0.025f, BAND,
               LINE_DETAIL + i);
  }
  float size = pick(r, 0.13f, 0.2f);
  if (!brim) hat_bobble(s, tip, size, rng_chance(r, 0.5f));
}

static void cap_visor(struct scene *s, float round) {
  struct rng *r = &s->rng;
  float reach = pick(r, 0.5f, 0.75f), wide = round * pick(r, 0.78f, 0.92f), tip = reach + round;
  struct curve c = {0};
  curve_corner(&c, 0.3f * round, 0.8f * wide);
  curve_smooth(&c, 0.62f * round, wide);
  curve_smooth(&c, f_mix(round, tip, 0.6f), 0.86f * wide);
  curve_smooth(&c, tip, 0.4f * wide);
  curve_smooth(&c, tip + 0.04f, 0.0f);
  for (int i = 3; i >= 0; i--) {
    curve_smooth(&c, c.x[i], -c.y[i]);
    c.corner[c.n - 1] = c.corner[i];
  }
  struct solid *b = scene_add(s, SOLID_EXTRUDED, 2, BRIM);
  b->profile = profile_bake(s, &c);
  b->a[0] = 0.045f;
  b->a[1] = 0.03f;
  b->a[5] = -pick(r, 0.05f, 0.3f);
  b->pos.y = 0.06f - b->a[5] * wide * wide;
  solid_turn(b, 0, -0.5f * PI_F);
}

/* Cap: what reaches below the floor is cut off. */
static void cap_floor(struct scene *s, int part, int material) {
  struct solid *b = scene_cut(s, SOLID_BOX, part, material);
  b->pos.y = -1.0f;
  b->a[0] = b->a[1] = b->a[2] = 1.0f;
}

static void hat_cap(struct scene *s) {
  struct rng *r = &s->rng;
  hat_materials(s, cloth(r), 0.5f);
  float round = pick(r, 0.62f, 0.72f), y = pick(r, 0.0f, 0.16f);
  add_ball(s, 1, CROWN, v3_make(0.0f, y, 0.0f), v3_make(round, round, round));
  cap_floor(s, 1, CROWN);
  if (rng_chance(r, 0.4f)) { /* its front in another colour */
    float grow = round + 0.015f, lean = pick(r, 0.1f, 0.5f);
    add_ball(s, 6, BAND, v3_make(0.0f, y, 0.0f), v3_make(grow, grow, grow));
    cap_floor(s, 6, BAND);
    struct solid *b = scene_cut(s, SOLID_BOX, 6, BAND);
    b->a[0] = b->a[1] = b->a[2] = 1.5f;
    b->pos = v3_make(0.2f - 1.5f * f_cos(lean), y - 1.5f * f_sin(lean), 0.0f);
    solid_turn(b, 2, lean);
  }
  int seams = rng_chance(r, 0.6f) ? 3 : 0;
  for (int i = 0; i < seams; i++) {
    struct solid *b = scene_add(s, SOLID_TORUS, 1, CROWN);
    b->line = LINE_DETAIL + i;
    b->pos.y = y;
    b->a[0] = round + 0.006f;
    b->a[1] = 0.026f;
    solid_turn(b, 0, 0.5f * PI_F);
    solid_turn(b, 1, PI_F * ((float)i + 0.5f) / 3.0f);
    cap_floor(s, 1, CROWN);
  }
  cap_visor(s, round);
  float button = pick(r, 0.07f, 0.1f);
  add_ball(s, 4, rng_chance(r, 0.5f) ? BRIM : BAND, v3_make(0.0f, y + round + 0.01f, 0.0f),
           v3_make(button, 0.7f * button, button));
}

static void hat_knitted(struct scene *s) {
  struct rng *r = &s->rng;
  hat_materials(s, cloth(r), 0.5f);
  float low = pick(r, 0.55f, 0.68f), tall = pick(r, 0.75f, 1.15f);
  struct wall w = {low, low * pick(r, 0.8f, 0.98f), 0.05f, 0.05f, tall};
  hat_crown(s, &w, pick(r, 0.75f, 1.0f));
  float cuff = pick(r, 0.26f, 0.38f);
  struct wall f = {low, low + 0.01f, 0.0f, 0.0f, cuff};
  float thick = pick(r, 0.06f, 0.1f);
  hat_band(s, &f, 0.0f, 1.0f, thick, rng_chance(r, 0.5f) ? BRIM : BAND, 3);
  if (rng_chance(r, 0.8f)) {
    float size = pick(r, 0.15f, 0.26f);
    hat_bobble(s, v3_make(0.0f, tall + 0.75f * size, 0.0f), size, rng_chance(r, 0.6f));
  }
}

void shape_hat(struct scene *s) {
  struct rng *r = &s->rng;
  float kind = pick(r, 0.0f, 1.0f), yaw = pick(r, -0.5f, 0.5f);
  if (kind < 0.38f) {
    hat_round(s);
  } else if (kind < 0.5f) {
    hat_cowboy(s);
  } else if (kind < 0.68f) {
    hat_pointed(s);
  } else if (kind < 0.85f) {
    hat_cap(s);
    yaw = side_yaw(r, 0.7f);
  } else {
    hat_knitted(s);
  }
  set_view(s, yaw, 0.1f, 0.45f);
}
