/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_plant.c: tree and mushroom.
 *
 * Parts: tree 1 trunk, 2 crown; mushroom 1 cap, 2 stem, 3 gills, 4 ring.
 */
#include "shapes.h"

/* ---- tree ---- */

static void tree_crown(struct scene *s, float trunk, float *top) {
  struct rng *r = &s->rng;
  float wave = pick(r, 0.05f, 0.11f), scale = pick(r, 5.0f, 8.0f);
  int kind = rng_int(r, 3), first = s->nsolid;
  if (kind == 0) { /* several round masses */
    int n = 3 + rng_int(r, 5);
    float wide = pick(r, 0.3f, 0.75f), tall = pick(r, 0.3f, 0.9f);
    for (int i = 0; i < n; i++) {
      float a = pick(r, 0.0f, 6.28f), d = i ? pick(r, 0.3f, 1.0f) : 0.0f, y = pick(r, 0.0f, 1.0f),
            size = pick(r, 0.28f, 0.5f);
      v3 at = v3_make(wide * d * f_cos(a), trunk + 0.25f + tall * y, 0.7f * wide * d * f_sin(a));
      struct solid *b =
          i ? scene_blend(s, SOLID_ELLIPSOID, 2, 0, 0.08f) : scene_add(s, SOLID_ELLIPSOID, 2, 0);
      b->a[0] = b->a[2] = size;
      b->a[1] = size * pick(r, 0.75f, 1.1f);
      b->pos = at;
      *top = f_max(*top, at.y + size);
    }
  } else if (kind == 1) { /* conifer: tiers of cones */
    int n = 1 + rng_int(r, 5);
    float h = pick(r, 1.1f, 2.0f), w = pick(r, 0.45f, 0.85f), y0 = trunk * pick(r, 0.5f, 0.9f);
    for (int i = 0; i < n; i++) {
      float t = (float)i / (float)n, size = n > 1 ? 1.0f - 0.65f * t : 1.0f,
            tall = n > 1 ? h * (0.75f / (float)n + 0.2f) : h;
      struct solid *b = scene_add(s, SOLID_CONE, 2, 0);
      b->a[0] = 0.5f * tall;
      b->a[1] = w * size;
      b->a[2] = n > 1 && i < n - 1 ? 0.25f * w * size : 0.02f;
      b->a[3] = 0.015f;
      b->pos.y = y0 + h * t * 0.9f + 0.5f * tall;
      *top = b->pos.y;
    }
    wave *= 0.7f;
  } else { /* one egg, ball or column */
    float w = pick(r, 0.32f, 0.85f), h = pick(r, 0.45f, 1.1f);
    struct solid *b =
        add_ball(s, 2, 0, v3_make(pick(r, -0.1f, 0.1f), trunk + 0.85f * h, 0.0f), v3_make(w, h, w));
    *top = b->pos.y;
  }
  for (int i = first; i < s->nsolid; i++) {
    s->solid[i].wave = wave;
    s->solid[i].wave_scale = scale;
  }
}

/* Boughs from the trunk into the crown. */
static void tree_boughs(struct scene *s, float trunk, float thick, float lean) {
  struct rng *r = &s->rng;
  for (int i = 0, n = rng_int(r, 3); i < n; i++) {
    float side = rng_sign(r), y = pick(r, 0.5f, 0.9f) * trunk, reach = pick(r, 0.15f, 0.35f);
    struct solid *b = scene_add(s, SOLID_TUBE, 1, 1);
    b->npt = 3;
    b->pt[0] = v3_make(-0.2f * lean, y, 0.0f);
    b->pt[1] = v3_make(side * 0.7f * reach, y + 0.1f, 0.05f);
    b->pt[2] = v3_make(side * reach, trunk + 0.3f, 0.1f);
    b->a[0] = thick * 0.6f;
    b->a[1] = thick * 0.35f;
  }
}

void shape_tree(struct scene *s) {
  struct rng *r = &s->rng;
  float kind = pick(r, 0.0f, 1.0f), top = 0.0f;
  s->gap = 0.16f; /* leaves are not drawn one by one */
  v3 c = kind < 0.7f   ? rng_colour(r, 0.2f, 0.36f, 0.45f, 0.75f, 0.3f, 0.6f)
         : kind < 0.9f ? rng_colour(r, 0.03f, 0.13f, 0.65f, 0.9f, 0.55f, 0.85f)
                       : rng_colour(r, 0.93f, 0.98f, 0.25f, 0.5f, 0.75f, 0.92f);
  int m = scene_material(s, c, 0.0f, 1.0f);
  s->material[m].pattern = PATTERN_FOLIAGE;
  s->material[m].scale = pick(r, 9.0f, 14.0f);
  s->material[m].bump = 1.3f;
  s->material[m].alt = v3_scale(c, 1.7f);
  s->material[m].amount = pick(r, 0.0f, 0.6f);
  m = scene_material(s, rng_colour(r, 0.05f, 0.09f, 0.3f, 0.55f, 0.22f, 0.45f), 0.0f, 1.0f);
  s->material[m].pattern = PATTERN_WOOD;
  s->material[m].scale = 3.0f;
  s->material[m].amount = 0.9f;
  s->material[m].alt = v3_scale(s->material[m].base, 0.45f);
  s->material[m].bump = 0.5f;
  float trunk = pick(r, 0.3f, 1.0f), thick = pick(r, 0.06f, 0.15f), lean = pick(r, -0.15f, 0.15f);
  tree_crown(s, trunk, &top);
  struct solid *b = scene_add(s, SOLID_TUBE, 1, 1);
  b->npt = 3;
  b->pt[0] = v3_make(lean, 0.0f, 0.0f);
  b->pt[1] = v3_make(-0.5f * lean, 0.5f * trunk, 0.0f);
  b->pt[2] = v3_make(0.0f, trunk + 0.3f, 0.0f);
  b->a[0] = thick * 1.35f;
  b->a[1] = thick * 0.7f;
  struct solid *cut = scene_cut(s, SOLID_BOX, 1, 1);
  cut->a[0] = cut->a[1] = cut->a[2] = 1.0f;
  cut->pos.y = -1.0f;
  tree_boughs(s, trunk, thick, lean);
  set_view(s, pick(r, 0.0f, 6.28f), 0.0f, 0.35f);
}

/* ---- mushroom ---- */

/* A stem that bends to and fro and stands flat on the floor. */
static void mushroom_stem(struct scene *s, v3 at, float foot, float top, float height, float bend) {
  struct solid *b = scene_add(s, SOLID_TUBE, 2, 1);
  b->npt = 3;
  b->pt[0] = v3_make(0.0f, foot * 0.6f, 0.0f);
  b->pt[1] = v3_make(-0.4f * bend, 0.47f * height, 0.0f);
  b->pt[2] = v3_make(0.0f, height, 0.0f);
  b->a[0] = foot;
  b->a[1] = top;
  b->pos = at;
  struct solid *cut = scene_cut(s, SOLID_BOX, 2, 1);
  cut->a[0] = cut->a[1] = cut->a[2] = 1.0f;
  cut->pos = v3_make(at.x, -1.0f, at.z);
}

static void mushroom_one(struct scene *s, float size, v3 at, float shape) {
  struct rng *r = &s->rng;
  float w = size * pick(r, 0.65f, 1.1f),
        h = size * f_mix(0.3f, 1.15f, shape) * pick(r, 0.85f, 1.1f),
        stem = size * pick(r, 0.6f, 1.4f);
  float thick = size * pick(r, 0.13f, 0.3f), bulb = pick(r, 1.0f, 1.7f),
        round = pick(r, 0.62f, 0.98f), lean = pick(r, -0.2f, 0.2f);
  float curl = pick(r, -0.12f, 0.12f) * size;
  struct curve c = {0};
  curve_smooth(&c, 0.0f, stem + h);
  curve_smooth(&c, 0.45f * w, stem + h * (0.62f + 0.3f * round));
  curve_smooth(&c, w * (0.72f + 0.18f * round), stem + 0.42f * h);
  curve_corner(&c, w, stem + f_min(0.02f, curl));
  curve_corner(&c, w * 0.97f, stem - 0.04f * size + f_min(0.0f, curl));
  curve_smooth(&c, w * 0.5f, stem + 0.05f * h);
  curve_smooth(&c, 0.0f, stem + 0.08f * h);
  curve_mirror(&c);
  struct solid *b = scene_add(s, SOLID_TURNED, 1, 0);
  b->profile = profile_bake(s, &c);
  solid_turn(b, 1, pick(r, 0.0f, 6.28f));
  solid_turn(b, 2, lean);
  b->pos = v3_add(at, v3_make(stem * lean, 0.0f, 0.0f)); /* cap sits where the leaning stem ends */
  mushroom_stem(s, at, thick * bulb, thick * 0.8f, stem + 0.1f * h, stem * lean);
  b = scene_add(s, SOLID_CONE, 3, 2); /* gills: a disc just below the cap's hollow */
  b->line = 1;
  b->a[0] = 0.02f * size;
  b->a[1] = w * 0.9f;
  b->a[2] = w * 0.93f;
  solid_turn(b, 2, lean);
  b->pos = v3_add(at, v3_make(0.0f, stem - 0.005f * size, 0.0f));
  if (rng_chance(r, 0.35f)) {
    b = scene_add(s, SOLID_CONE, 4, 3);
    b->a[0] = 0.05f * size;
    b->a[1] = thick * 1.5f;
    b->a[2] = thick * 0.95f;
    b->a[3] = 0.015f;
    b->pos = v3_add(at, v3_make(-0.1f * stem * lean, 0.72f * stem, 0.0f));
  }
}

void shape_mushroom(struct scene *s) {
  struct rng *r = &s->rng;
  int kind = rng_int(r, 4);
  v3 red = rng_colour(r, 0.985f, 1.03f, 0.8f, 0.95f, 0.6f, 0.85f),
     brown = rng_colour(r, 0.05f, 0.09f, 0.4f, 0.7f, 0.35f, 0.7f);
  v3 pale = rng_colour(r, 0.07f, 0.13f, 0.1f, 0.3f, 0.75f, 0.93f),
     ochre = rng_colour(r, 0.07f, 0.13f, 0.6f, 0.85f, 0.7f, 0.9f);
  int m = scene_material(s,
                         kind == 0   ? red
                         : kind == 1 ? brown
                         : kind == 2 ? pale
                                     : ochre,
                         0.045f, pick(r, 0.2f, 0.6f));
  s->material[m].alt = v3_make(0.85f, 0.8f, 0.68f);
  s->material[m].third = v3_scale(s->material[m].base, 0.55f);
  s->material[m].grain = 0.22f;
  if (kind == 0 || rng_chance(r, 0.2f)) {
    s->material[m].pattern = PATTERN_SPOTS;
    s->material[m].scale = pick(r, 3.2f, 5.5f);
    s->material[m].amount = pick(r, 0.24f, 0.4f);
    s->material[m].phase = pick(r, 0.0f, 1.0f);
  }
  m = scene_material(s, rng_colour(r, 0.07f, 0.14f, 0.06f, 0.25f, 0.78f, 0.95f), 0.02f, 0.7f);
  s->material[m].grain = 0.3f;
  m = scene_material(s, rng_colour(r, 0.05f, 0.12f, 0.15f, 0.45f, 0.5f, 0.85f), 0.0f, 1.0f);
  s->material[m].pattern = PATTERN_GILLS;
  s->material[m].scale = (float)(40 + rng_int(r, 30));
  scene_material(s, v3_scale(s->material[1].base, 0.95f), 0.02f, 0.7f);
  float shape = pick(r, 0.0f, 1.0f);
  mushroom_one(s, 1.0f, v3_make(0.0f, 0.0f, 0.0f), shape);
  if (rng_chance(r, 0.35f)) {
    float side = rng_sign(r), x = pick(r, 0.55f, 0.95f), z = pick(r, -0.1f, 0.5f),
          size = pick(r, 0.35f, 0.6f);
    mushroom_one(s, size, v3_make(side * x, 0.0f, z), shape);
  }
  set_view(s, pick(r, -0.4f, 0.4f), 0.02f, 0.42f);
}
