/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_garden.c: flower: petals about a disc, or a tulip, on a stem that stands in a pot, in a
 * mound of earth or on its own; cactus: a column with arms, a few columns, a ribbed ball or a
 * prickly pear, in a pot or in a mound.
 *
 * Parts: flower 1 petal, 2 centre, 3 stem, 4 leaf, 5 pot, 6 earth; cactus 1 body, 3 pot, 4 earth,
 * 5 flower or fruit, 6 spine.
 */
#include "shapes.h"

enum { GREEN = 1 };

/* A pot about y that tapers downwards, with a rim and earth in it. Its height is h, its radius at
 * the rim w. */
static void add_pot(struct scene *s, int part, int material, int earth, float h, float w,
                    float foot) {
  float rim = 0.24f * h, over = 0.09f * w, wall = 0.13f * w;
  struct solid *b = scene_add(s, SOLID_CONE, part, material);
  b->a[0] = 0.5f * (h - rim);
  b->a[1] = foot;
  b->a[2] = w - over;
  b->a[3] = 0.015f;
  b->pos.y = b->a[0];
  struct curve c = {0};
  curve_corner(&c, w, h - rim);
  curve_corner(&c, w, h);
  curve_corner(&c, w - wall, h);
  curve_corner(&c, w - wall, h - rim);
  b = scene_add(s, SOLID_TURNED, part, material);
  b->profile = profile_bake(s, &c);
  b->line = 20;
  b = scene_add(s, SOLID_CONE, part + 1, earth);
  b->a[0] = 0.5f * rim - 0.02f;
  b->a[1] = b->a[2] = w - 0.8f * wall;
  b->pos.y = h - rim + b->a[0];
}

/* A low heap of earth, cut off at the floor. */
static void add_mound(struct scene *s, int part, int material, float w, float h) {
  add_ball(s, part, material, v3_make(0.0f, 0.0f, 0.0f), v3_make(w, h, 0.8f * w));
  struct solid *cut = scene_cut(s, SOLID_BOX, part, material);
  cut->a[0] = cut->a[1] = cut->a[2] = 2.0f;
  cut->pos.y = -2.0f;
}

/* ---- flower ---- */

struct flower_plan {
  v3 root, knee, head; /* of the stem; the head is where petals meet */
  float thick;         /* of the stem */
  float yaw, tilt;     /* where the head looks */
};

static v3 petal_colour(struct rng *r) {
  switch (rng_int(r, 7)) {
    case 0:
    case 1: return rng_colour(r, 0.985f, 1.02f, 0.8f, 0.95f, 0.68f, 0.85f); /* red */
    case 2: return rng_colour(r, 0.95f, 0.985f, 0.3f, 0.45f, 0.86f, 0.96f); /* pink */
    case 3: return rng_colour(r, 0.1f, 0.14f, 0.0f, 0.05f, 0.93f, 0.98f);   /* white */
    case 4: return rng_colour(r, 0.12f, 0.145f, 0.75f, 0.9f, 0.9f, 0.98f);  /* yellow */
    case 5: return rng_colour(r, 0.06f, 0.085f, 0.8f, 0.92f, 0.86f, 0.96f); /* orange */
    default: return rng_colour(r, 0.57f, 0.61f, 0.65f, 0.8f, 0.65f, 0.8f);  /* blue */
  }
}

static void flower_materials(struct scene *s) {
  struct rng *r = &s->rng;
  v3 petal = petal_colour(r);
  scene_material(s, petal, 0.02f, 0.6f);
  scene_material(s, rng_colour(r, 0.27f, 0.34f, 0.5f, 0.7f, 0.38f, 0.62f), 0.02f, 0.6f);
  int golden = petal.x > 0.6f && petal.y > 0.12f && petal.z < 0.2f; /* yellow and orange petals */
  int brown = golden || rng_chance(r, 0.25f);
  v3 eye = brown ? rng_colour(r, 0.05f, 0.08f, 0.6f, 0.72f, 0.4f, 0.5f)
                 : rng_colour(r, 0.115f, 0.14f, 0.75f, 0.9f, 0.88f, 0.96f);
  scene_material(s, eye, 0.0f, 1.0f);
  v3 clay = rng_colour(r, 0.04f, 0.07f, 0.55f, 0.75f, 0.6f, 0.8f);
  scene_material(s, rng_chance(r, 0.6f) ? clay : natural_glaze(r), 0.04f, 0.4f);
  scene_material(s, rng_colour(r, 0.05f, 0.08f, 0.55f, 0.7f, 0.4f, 0.5f), 0.0f, 1.0f);
}

/* Turn a solid made about the origin of the head, which looks along z there, to its place. */
static void head_place(const struct flower_plan *p, struct solid *b) {
  v3 at = b->pos;
  float c = f_cos(p->tilt), k = f_sin(p->tilt), y = c * at.y + k * at.z, z = c * at.z - k * at.y;
  float cy = f_cos(p->yaw), ky = f_sin(p->yaw);
  solid_turn(b, 0, -p->tilt);
  solid_turn(b, 1, p->yaw);
  b->pos = v3_add(p->head, v3_make(cy * at.x + ky * z, y, cy * z - ky * at.x));
}

/* A petal along y from the origin: round, long, pointed or notched. */
static const struct profile *petal_outline(struct scene *s, int kind, float len, float w) {
  static const struct {
    float low, high, tip, end; /* widths at 0.35, 0.65 and 0.92 of the length; height of the end */
  } SHAPES[4] = {{0.62f, 1.0f, 0.62f, 1.0f},
                 {0.88f, 1.0f, 0.6f, 1.0f},
                 {0.95f, 0.9f, 0.32f, 1.06f},
                 {0.6f, 1.0f, 0.78f, 0.88f}};
  struct curve c = {0};
  curve_corner(&c, 0.0f, -0.04f);
  curve_smooth(&c, 0.3f * w, 0.0f);
  curve_smooth(&c, SHAPES[kind].low * w, 0.35f * len);
  curve_smooth(&c, SHAPES[kind].high * w, 0.65f * len);
  curve_smooth(&c, SHAPES[kind].tip * w, 0.92f * len);
  if (kind == 3) curve_smooth(&c, 0.3f * w, len);
  if (kind >= 2)
    curve_corner(&c, 0.0f, SHAPES[kind].end * len);
  else
    curve_smooth(&c, 0.0f, len);
  curve_mirror(&c);
  return profile_bake(s, &c);
}

/* One ring of n petals; depth: how far behind the head it lies. */
static void flower_ring(struct scene *s, const struct flower_plan *p, const struct profile *petal,
                        int n, float first, float base, float cup, float depth, int line) {
  for (int i = 0; i < n; i++) {
    float a = first + 2.0f * PI_F * (float)i / (float)n;
    struct solid *b = scene_add(s, SOLID_PUFFED, 1, 0);
    b->profile = petal;
    b->a[0] = 0.055f;
    b->line = line + i; /* each petal has its own outline */
    solid_turn(b, 0, cup);
    solid_turn(b, 2, a);
    b->pos = v3_make(-base * f_sin(a), base * f_cos(a), -depth + 0.012f * (float)(i & 1));
    head_place(p, b);
  }
}

/* Petals about a disc that looks at us. */
static void flower_open(struct scene *s, const struct flower_plan *p, float size) {
  struct rng *r = &s->rng;
  int n = 5 + rng_int(r, 5), kind = rng_int(r, 4), twice = rng_chance(r, 0.2f);
  float disc = size * pick(r, 0.26f, 0.4f), len = size - 0.75f * disc, base = 0.75f * disc,
        cup = pick(r, 0.0f, 0.3f);
  if (rng_chance(r, 0.18f)) { /* as of a sunflower */
    n = 10 + rng_int(r, 4);
    disc = 0.5f * size;
    base = 0.8f * disc;
    len = size - base;
    kind = 2;
    twice = 0;
  }
  float angle = PI_F / (float)n, reach = base + 0.62f * len;
  float w = f_min(reach * f_sin(angle) / f_cos(angle) * pick(r, 0.82f, 1.08f), 0.62f * len);
  const struct profile *petal = petal_outline(s, kind, len, w);
  float first = pick(r, -0.3f, 0.3f) * angle;
  if (rng_chance(r, 0.3f)) first += angle;
  flower_ring(s, p, petal, n, first, base, cup, 0.0f, 40);
  if (twice) flower_ring(s, p, petal, n, first + angle, base + 0.06f, 0.5f * cup, 0.07f, 60);
  float round = pick(r, 0.4f, 0.75f);
  head_place(p, add_ball(s, 2, 2, v3_make(0.0f, 0.0f, 0.02f), v3_make(disc, disc, round * disc)));
}

/* One petal of a tulip, leaning to a side. */
static void tulip_petal(struct scene *s, const struct flower_plan *p, const struct profile *f,
                        v3 at, float thick, float lean, int line) {
  struct solid *b = scene_add(s, SOLID_PUFFED, 1, 0);
  b->profile = f;
  b->a[0] = thick;
  b->line = line;
  b->pos = at;
  solid_turn(b, 2, -lean);
  head_place(p, b);
}

/* A cup as people draw it: two petals at the sides and one before and behind them. */
static void flower_tulip(struct scene *s, struct flower_plan *p, float size) {
  struct rng *r = &s->rng;
  float tall = size * pick(r, 1.25f, 1.6f), w = size * pick(r, 0.36f, 0.46f),
        sharp = pick(r, 0.3f, 0.55f), low = pick(r, 0.85f, 1.0f);
  struct curve c = {0};
  curve_smooth(&c, 0.0f, -0.03f);
  curve_smooth(&c, 0.7f * w, 0.08f * tall);
  curve_smooth(&c, w, 0.36f * tall);
  curve_smooth(&c, 0.85f * w, 0.65f * tall);
  curve_smooth(&c, sharp * w, 0.87f * tall);
  curve_corner(&c, 0.0f, tall);
  curve_mirror(&c);
  const struct profile *f = profile_bake(s, &c);
  p->yaw = pick(r, -0.3f, 0.3f);
  p->tilt = 0.0f;
  float lean = pick(r, 0.1f, 0.32f), out = pick(r, 0.35f, 0.55f) * w, thick = 0.62f * w;
  for (int k = -1; k <= 1; k += 2) {
    tulip_petal(s, p, f, v3_make((float)k * out, 0.0f, 0.0f), thick, (float)k * lean, 41 + k);
    v3 mid = v3_make(0.0f, (low - 1.0f) * tall + 0.02f, (float)k * 0.62f * thick);
    tulip_petal(s, p, f, mid, thick, 0.0f, 44 + k);
  }
}

/* The stem, and where it is at t = 0 (root) .. 1. */
static void flower_stem(struct scene *s, const struct flower_plan *p, v3 end) {
  struct solid *b = scene_add(s, SOLID_TUBE, 3, GREEN);
  b->npt = 3;
  b->pt[0] = p->root;
  b->pt[1] = p->knee;
  b->pt[2] = end;
  b->a[0] = b->a[1] = p->thick;
}

static v3 stem_point(const struct flower_plan *p, float t) {
  return v3_mix(v3_mix(p->root, p->knee, t), v3_mix(p->knee, p->head, t), t);
}

/* Leaves by turns to the left and to the right; up: how steep they stand. */
static void flower_leaves(struct scene *s, const struct flower_plan *p, int n, float len, float up,
                          float low, float high) {
  struct rng *r = &s->rng;
  float wide = len * pick(r, 0.15f, 0.27f), fat = pick(r, 0.35f, 0.6f), side = rng_sign(r);
  struct curve c = {0};
  curve_smooth(&c, 0.0f, -0.03f);
  curve_smooth(&c, 0.45f * wide, 0.12f * len);
  curve_smooth(&c, wide, fat * len);
  curve_smooth(&c, 0.42f * wide, 0.5f * (1.0f + fat) * len);
  curve_corner(&c, 0.0f, len);
  curve_mirror(&c);
  const struct profile *f = profile_bake(s, &c);
  for (int i = 0; i < n; i++) {
    float t = n > 1 ? f_mix(low, high, (float)i / (float)(n - 1)) : f_mix(low, high, 0.5f);
    struct solid *b = scene_add(s, SOLID_PUFFED, 4, GREEN);
    b->profile = f;
    b->a[0] = 0.045f;
    b->line = 30 + i;
    solid_turn(b, 0, pick(r, 0.0f, 0.3f)); /* the tip comes forward */
    solid_turn(b, 2, -side * (0.5f * PI_F - up * pick(r, 0.8f, 1.2f)));
    b->pos = stem_point(p, t);
    side = -side;
  }
}

/* What the flower stands in; returns the height of its root. */
static float flower_ground(struct scene *s, float *thick) {
  struct rng *r = &s->rng;
  float kind = pick(r, 0.0f, 1.0f);
  if (kind < 0.4f) {
    float h = pick(r, 0.45f, 0.65f), w = pick(r, 0.34f, 0.48f), foot = w * pick(r, 0.6f, 0.78f);
    add_pot(s, 5, 3, 4, h, w, foot);
    return h - 0.12f;
  }
  if (kind < 0.6f) {
    float w = pick(r, 0.35f, 0.55f), h = pick(r, 0.1f, 0.18f);
    add_mound(s, 6, 4, w, h);
    return 0.5f * h;
  }
  *thick *= 1.15f;
  return 1.0f * *thick;
}

void shape_flower(struct scene *s) {
  struct rng *r = &s->rng;
  flower_materials(s);
  struct flower_plan p;
  int tulip = rng_chance(r, 0.25f);
  p.thick = pick(r, 0.045f, 0.065f);
  float root = flower_ground(s, &p.thick), size = pick(r, 0.52f, 0.72f);
  int potted = root > 0.3f;
  float bend = pick(r, -0.2f, 0.2f), tall = potted ? pick(r, 0.75f, 1.05f) : pick(r, 1.05f, 1.5f);
  if (tulip) {
    size *= 0.8f;
    tall *= 0.72f;
    bend *= 0.5f;
  }
  p.root = v3_make(0.0f, root, 0.0f);
  p.head = v3_make(bend, root + tall, 0.0f);
  p.knee = v3_make(pick(r, -0.6f, 0.4f) * bend, root + 0.5f * tall, 0.0f);
  p.yaw = pick(r, -0.35f, 0.35f);
  p.tilt = pick(r, 0.05f, 0.4f);
  v3 end = v3_add(p.head, v3_make(0.0f, 0.06f, 0.0f));
  if (!tulip) /* behind the petals */
    end = v3_add(p.head, v3_make(-0.06f * f_sin(p.yaw), 0.0f, -p.thick - 0.02f));
  flower_stem(s, &p, end);
  int n = potted ? rng_int(r, 3) : 1 + rng_int(r, 3);
  float top = tulip ? 1.0f : 1.0f - 1.15f * size / tall; /* below the petals */
  float len = tulip ? tall * pick(r, 0.75f, 0.95f) : pick(r, 0.38f, 0.6f);
  float up = tulip ? pick(r, 1.05f, 1.3f) : pick(r, 0.25f, 0.85f);
  if (tulip)
    flower_leaves(s, &p, n, len, up, 0.08f, 0.14f);
  else if (top > 0.15f)
    flower_leaves(s, &p, n, f_min(len, 0.75f * tall), up, 0.15f, f_max(0.2f, top));
  if (tulip)
    flower_tulip(s, &p, size);
  else
    flower_open(s, &p, size);
  set_view(s, pick(r, -0.45f, 0.45f), 0.0f, 0.35f);
}

/* ---- cactus ---- */

enum { CACTUS, POT, SOIL, SPINE, BLOOM, EYE };

static void cactus_materials(struct scene *s) {
  struct rng *r = &s->rng;
  v3 green = rng_colour(r, 0.28f, 0.34f, 0.5f, 0.68f, 0.42f, 0.58f);
  float kind = pick(r, 0.0f, 1.0f);
  if (kind < 0.25f) green = rng_colour(r, 0.21f, 0.25f, 0.55f, 0.7f, 0.66f, 0.78f);
  if (kind > 0.9f) green = rng_colour(r, 0.47f, 0.51f, 0.65f, 0.75f, 0.5f, 0.62f);
  scene_material(s, green, 0.02f, 0.7f);
  v3 clay = rng_colour(r, 0.04f, 0.07f, 0.6f, 0.8f, 0.7f, 0.92f);
  scene_material(s, rng_chance(r, 0.55f) ? clay : natural_glaze(r), 0.04f, 0.4f);
  v3 earth = rng_colour(r, 0.05f, 0.08f, 0.55f, 0.7f, 0.4f, 0.5f),
     sand = rng_colour(r, 0.08f, 0.1f, 0.5f, 0.56f, 0.7f, 0.76f);
  scene_material(s, rng_chance(r, 0.6f) ? earth : sand, 0.0f, 1.0f);
  scene_material(s, v3_make(0.85f, 0.83f, 0.78f), 0.0f, 1.0f);
  int pink = rng_chance(r, 0.5f);
  scene_material(s,
                 pink ? rng_colour(r, 0.95f, 0.98f, 0.32f, 0.45f, 0.86f, 0.95f) : petal_colour(r),
                 0.0f, 1.0f);
  scene_material(s, rng_colour(r, 0.12f, 0.14f, 0.75f, 0.9f, 0.9f, 0.97f), 0.0f, 1.0f);
}

/* A peg at `at` that points along the unit vector `out`; those after the first join its group. */
static void cactus_spine(struct scene *s, int first, v3 at, v3 out) {
  struct solid *b =
      first ? scene_add(s, SOLID_CONE, 6, SPINE) : scene_blend(s, SOLID_CONE, 6, SPINE, 0.0f);
  b->a[0] = 0.06f;
  b->a[1] = 0.032f;
  b->a[2] = 0.018f;
  b->a[3] = 0.014f;
  b->pos = v3_mad(at, out, 0.02f);
  b->ay = out;
  b->ax = v3_unit(v3_cross(out, v3_make(0.3f, 1.0f, 0.2f)));
  b->az = v3_cross(b->ax, b->ay);
}

/* A flower of five petals that looks up. */
static void cactus_bloom(struct scene *s, v3 at, float size) {
  for (int i = 0; i < 5; i++) {
    float a = 2.0f * PI_F / 5.0f * (float)i + 0.3f;
    struct solid *b =
        add_ball(s, 5, BLOOM,
                 v3_add(at, v3_make(0.75f * size * f_sin(a), 0.3f * size, 0.75f * size * f_cos(a))),
                 v3_make(0.5f * size, 0.3f * size, 0.72f * size));
    solid_turn(b, 0, -0.6f); /* its tip rises */
    solid_turn(b, 1, a);
    b->line = 50 + i;
  }
  add_ball(s, 5, EYE, v3_add(at, v3_make(0.0f, 0.32f * size, 0.0f)),
           v3_make(0.4f * size, 0.35f * size, 0.4f * size))
      ->line = 56;
}

/* A bar about y with round ends: its outline from the floor of the column. */
static const struct profile *round_bar(struct scene *s, float low, float high, float w) {
  struct curve c = {0};
  curve_smooth(&c, 0.0f, low);
  curve_smooth(&c, 0.75f * w, low + 0.3f * w);
  curve_smooth(&c, w, low + w);
  curve_smooth(&c, w, 0.5f * (low + high));
  curve_smooth(&c, w, high - w);
  curve_smooth(&c, 0.75f * w, high - 0.3f * w);
  curve_smooth(&c, 0.0f, high);
  curve_mirror(&c);
  return profile_bake(s, &c);
}

/* A body turned about y at (x, z); ribbed: with ten ribs, as two bodies of five lobes each, one
 * turned against the other, so that a line runs between any two. */
static void cactus_turned(struct scene *s, const struct profile *f, v3 at, int ribbed, float turn,
                          int line) {
  for (int i = 0; i < 1 + ribbed; i++) {
    struct solid *b =
        i ? scene_blend(s, SOLID_TURNED, 1, CACTUS, 0.0f) : scene_add(s, SOLID_TURNED, 1, CACTUS);
    b->profile = f;
    b->a[0] = ribbed ? 0.13f : 0.0f;
    b->a[1] = 9.0f; /* lobes all the way up */
    b->pos = at;
    b->line = line + i;
    solid_turn(b, 1, 0.2f * PI_F * ((float)i + turn));
  }
}

/* A column about y at `at`. */
static void cactus_column(struct scene *s, v3 at, float tall, float w, int ribbed, int line) {
  float low = f_max(at.y - 0.3f * w, 0.01f), high = at.y + tall;
  const struct profile *f = round_bar(s, low, high, ribbed ? 0.93f * w : w);
  cactus_turned(s, f, v3_make(at.x, 0.0f, at.z), ribbed, 0.5f, line);
}

/* An arm of the last column: one bar out to the side, one up. Bars cost a third of a bent tube. */
static void cactus_arm(struct scene *s, v3 from, float side, float reach, float up, float w,
                       float yaw) {
  int line = s->solid[s->group[s->ngroup - 1].first].line;
  struct solid *out = scene_blend(s, SOLID_TURNED, 1, CACTUS, 0.05f);
  out->profile = round_bar(s, 0.0f, reach + w, w);
  solid_turn(out, 2, -0.5f * PI_F * side);
  solid_turn(out, 1, -yaw * side);
  out->pos = from;
  struct solid *rise = scene_blend(s, SOLID_TURNED, 1, CACTUS, 0.04f);
  rise->profile = round_bar(s, -w, up + w, w);
  rise->pos = v3_add(from, v3_make(side * reach * f_cos(yaw), 0.0f, reach * f_sin(yaw)));
  out->line = rise->line = line;
}

static void column_spines(struct scene *s, v3 at, float tall, float w, int rows) {
  for (int i = 0; i < rows; i++)
    for (int k = 0; k < 4; k++) {
      float a = 0.25f * PI_F * ((float)(2 * k - 3) + (i & 1 ? 1.0f : 0.0f));
      v3 out = v3_make(f_sin(a), 0.0f, f_cos(a));
      float y = at.y + tall * f_mix(0.2f, 0.82f, ((float)i + 0.5f) / (float)rows);
      cactus_spine(s, i + k == 0, v3_mad(v3_make(at.x, y, at.z), out, 0.97f * w), out);
    }
}

/* A column with arms, or a few columns side by side. */
static float cactus_saguaro(struct scene *s, float root) {
  struct rng *r = &s->rng;
  float tall = pick(r, 1.1f, 1.65f), w = pick(r, 0.17f, 0.27f), side = rng_sign(r);
  int ribbed = rng_chance(r, 0.4f);
  v3 at = v3_make(0.0f, root, 0.0f);
  cactus_column(s, at, tall, w, ribbed, 30);
  static const int arms[8] = {2, 2, 2, 2, 2, 3, 1, 0};
  for (int i = 0, n = arms[rng_int(r, 8)]; i < n; i++) {
    float y = tall * (i < 2 ? pick(r, 0.32f, 0.58f) : pick(r, 0.62f, 0.68f)),
          thick = w * pick(r, 0.58f, 0.75f), reach = w + thick + pick(r, 0.08f, 0.22f);
    float up = f_min(pick(r, 0.3f, 0.6f), tall - 0.08f - y) * (i < 2 ? 1.0f : 0.55f);
    cactus_arm(s, v3_make(0.0f, root + y, 0.0f), side, reach, f_max(up, thick + 0.05f), thick,
               pick(r, -0.25f, 0.35f));
    side = -side;
  }
  if (rng_chance(r, 0.4f)) column_spines(s, at, tall, w, 3 + rng_int(r, 2));
  if (rng_chance(r, 0.3f))
    cactus_bloom(s, v3_make(0.0f, root + tall - 0.03f, 0.0f), 0.6f * w + 0.03f);
  return w;
}

static float cactus_cluster(struct scene *s, float root) {
  struct rng *r = &s->rng;
  float w = pick(r, 0.16f, 0.22f), tall = pick(r, 0.8f, 1.3f), side = rng_sign(r);
  int n = 2 + rng_int(r, 2), spines = rng_chance(r, 0.4f), bloom = rng_chance(r, 0.4f);
  float middle = n > 2 ? 0.0f : 0.87f * side * w; /* two stand to the left and right of it */
  for (int i = 0; i < n; i++) {
    float x = (i ? side * 1.75f * w : 0.0f) + middle, h = tall * (i ? pick(r, 0.45f, 0.8f) : 1.0f),
          wide = w * (i ? 0.85f : 1.0f);
    v3 at = v3_make(x, root, i ? 0.35f * w : 0.0f);
    cactus_column(s, at, h, wide, 0, 30 + i);
    if (spines) column_spines(s, at, h, wide, i ? 2 : 3);
    side = -side;
  }
  if (bloom) cactus_bloom(s, v3_make(middle, root + tall - 0.03f, 0.0f), 0.14f);
  return n > 2 ? 2.6f * w : 1.9f * w;
}

/* A ball or an egg of ten ribs. */
static float cactus_barrel(struct scene *s, float root) {
  struct rng *r = &s->rng;
  float w = pick(r, 0.38f, 0.54f), h = w * pick(r, 0.8f, 1.45f), full = pick(r, 0.8f, 0.95f);
  int spines = rng_chance(r, 0.4f);
  float turn = pick(r, 0.0f, 1.0f), mid = f_max(root + 0.82f * h, h + 0.01f);
  struct curve c = {0};
  curve_smooth(&c, 0.0f, -0.99f * h);
  curve_smooth(&c, 0.7f * w, -0.74f * h);
  curve_smooth(&c, w, 0.0f);
  curve_smooth(&c, full * w, 0.52f * h);
  curve_smooth(&c, 0.5f * w, 0.9f * h);
  curve_smooth(&c, 0.0f, h);
  curve_mirror(&c);
  const struct profile *f = profile_bake(s, &c);
  cactus_turned(s, f, v3_make(0.0f, mid, 0.0f), 1, turn, 30);
  for (int i = 0, first = 1; spines && i < 10; i++) {
    float a = 0.5f * PI_F - 0.2f * PI_F * ((float)i - turn); /* where a lobe is widest */
    if (f_cos(a) < -0.45f) continue;                         /* nobody sees those */
    for (int k = i & 1; k < 3; k += 2) {
      float up = 0.5f * (float)k - 0.1f, out = f_cos(up), y = f_sin(up);
      v3 at = v3_make(1.1f * out * w * f_sin(a), mid + h * y, 1.1f * out * w * f_cos(a));
      cactus_spine(s, first, at, v3_unit(v3_make(out * f_sin(a), y * w / h, out * f_cos(a))));
      first = 0;
    }
  }
  if (rng_chance(r, 0.55f))
    cactus_bloom(s, v3_make(0.0f, mid + 0.96f * h, 0.0f), pick(r, 0.14f, 0.2f));
  return 0.92f * w;
}

/* One paddle of a prickly pear with its foot at `at`, leaning by `lean`; spots: pale dots. */
static void cactus_paddle(struct scene *s, const struct profile *f, v3 at, float lean, float size,
                          int spots, int line) {
  static const float dots[5][2] = {
      {-0.13f, 0.35f}, {0.12f, 0.3f}, {0.0f, 0.55f}, {-0.14f, 0.74f}, {0.15f, 0.7f}};
  struct solid *b = scene_add(s, SOLID_PUFFED, 1, CACTUS);
  b->profile = f;
  b->a[0] = 0.13f;
  b->pos = at;
  b->line = line;
  solid_turn(b, 2, -lean);
  float c = f_cos(lean), k = f_sin(lean);
  for (int i = 0; spots && i < 5; i++) { /* on the side that is seen */
    float x = dots[i][0] * size * 1.4f, y = dots[i][1] * size;
    v3 spot = v3_add(at, v3_make(c * x + k * y, c * y - k * x, 0.105f));
    cactus_spine(s, i == 0, spot, v3_make(0.0f, 0.0f, 1.0f));
  }
}

static const struct profile *paddle_outline(struct scene *s, float h, float w) {
  struct curve c = {0};
  curve_smooth(&c, 0.0f, -0.02f);
  curve_smooth(&c, 0.5f * w, 0.08f * h);
  curve_smooth(&c, 0.95f * w, 0.38f * h);
  curve_smooth(&c, w, 0.66f * h);
  curve_smooth(&c, 0.62f * w, 0.93f * h);
  curve_smooth(&c, 0.0f, h);
  curve_mirror(&c);
  return profile_bake(s, &c);
}

static float cactus_pear(struct scene *s, float root) {
  struct rng *r = &s->rng;
  float h = pick(r, 0.75f, 0.95f), w = h * pick(r, 0.32f, 0.42f), size = pick(r, 0.62f, 0.8f),
        lean = pick(r, 0.55f, 0.85f);
  const struct profile *big = paddle_outline(s, h, w),
                       *small = paddle_outline(s, size * h, size * w);
  int spots = rng_chance(r, 0.45f), third = rng_chance(r, 0.5f), fruit = rng_chance(r, 0.5f);
  float first = rng_sign(r);
  cactus_paddle(s, big, v3_make(0.0f, root, 0.0f), 0.0f, h, spots, 30);
  v3 top = v3_make(0.0f, root + 0.9f * h, 0.0f);
  for (int k = 0; k < 2; k++) {
    float side = k ? -first : first, a = lean * pick(r, 0.85f, 1.15f);
    v3 at = v3_make(side * 0.62f * w, root + (k ? 0.72f : 0.8f) * h, 0.0f);
    cactus_paddle(s, small, at, side * a, size * h, spots, 31 + k);
    v3 tip = v3_add(at, v3_make(side * f_sin(a) * size * h, f_cos(a) * size * h, 0.0f));
    if (fruit) add_ball(s, 5, BLOOM, tip, v3_make(0.085f, 0.11f, 0.085f))->line = 50 + k;
  }
  if (third || !(spots || fruit))
    cactus_paddle(s, small, top, pick(r, -0.1f, 0.1f), size * h, spots, 33);
  return 1.1f * w;
}

void shape_cactus(struct scene *s) {
  struct rng *r = &s->rng;
  cactus_materials(s);
  int kind = rng_int(r, 7), mound = rng_chance(r, 0.25f);
  float h = pick(r, 0.42f, 0.62f), wide = pick(r, 1.25f, 1.6f), foot = pick(r, 0.6f, 0.8f), w;
  float root = mound ? 0.06f : h - 0.16f;
  if (kind < 3)
    w = cactus_saguaro(s, root);
  else if (kind < 4)
    w = cactus_cluster(s, root);
  else if (kind < 6)
    w = cactus_barrel(s, root);
  else
    w = cactus_pear(s, root);
  if (mound) {
    add_mound(s, 4, SOIL, f_max(1.7f * w, 0.55f), pick(r, 0.14f, 0.22f));
  } else {
    float rim = f_max(wide * w, 0.34f);
    add_pot(s, 3, POT, SOIL, h, rim, rim * foot);
  }
  set_view(s, pick(r, -0.5f, 0.5f), 0.0f, 0.35f);
}
