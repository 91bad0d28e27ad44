/* SPDX-License-Identifier: Apache-2.0
 *
 * shapes_pet.c: cat and dog, standing, sitting and lying. Both share a body and differ in head,
 * ears and tail. The head has a frame of its own: it looks ahead or towards the camera, as people
 * draw it.
 *
 * Parts: cat 1 body, 2 head, 3 ear, 4 eye, 5 nose, 6 muzzle, 7 tail, 8 leg, 9 whisker, 10 collar;
 * dog 1 body, 2 head, 3 ear, 4 eye, 5 nose, 6 muzzle, 7 tail, 8 leg, 9 tongue, 10 collar.
 */
#include "shapes.h"

enum { FUR, FUR2, SKIN, IRIS, BLACK, STRAP, WHISKER };
enum { STANDING, SITTING, LYING };
enum { LINE_PUPIL = 40, LINE_LIMB, LINE_HEAD, LINE_JAW };

struct pet {
  int pose, from_front;
  float side;          /* of the camera: along +z or -z; the animal looks along +x */
  float len, fat, leg; /* of the trunk; leg: height of the belly */
  float tall, limb;    /* height of the shoulders when sitting; radius of the legs */
  v3 neck, up;         /* where the collar lies, and its axis (in the plane of x and y) */
  float neck_radius;
  v3 at; /* of the head */
  float head, tilt, nod, turn;
  float facing; /* how far the face looks into the camera, 0..1 */
};

static v3 turned(v3 v, int axis, float angle) {
  float c = f_cos(angle), s = f_sin(angle);
  if (axis == 0) return v3_make(v.x, c * v.y - s * v.z, s * v.y + c * v.z);
  if (axis == 1) return v3_make(c * v.x + s * v.z, v.y, c * v.z - s * v.x);
  return v3_make(c * v.x - s * v.y, s * v.x + c * v.y, v.z);
}

/* From the head's frame (face along x, lengths in head radii) into the world. */
static void on_head(const struct pet *p, struct solid *b) {
  const float angle[3] = {p->tilt, p->turn, p->nod};
  static const int order[3] = {0, 2, 1};
  v3 at = v3_scale(b->pos, p->head);
  for (int i = 0; i < 3; i++) {
    at = turned(at, order[i], angle[order[i]]);
    solid_turn(b, order[i], angle[order[i]]);
  }
  b->pos = v3_add(p->at, at);
}

static struct solid *head_ball(struct scene *s, const struct pet *p, int part, int material, v3 at,
                               v3 radii) {
  return add_ball(s, part, material, at, v3_scale(radii, p->head));
}

/* A straight limb with round ends: a cone, which costs less than a bent tube. */
static struct solid *add_limb(struct scene *s, int part, int material, v3 from, v3 to, float r0,
                              float r1) {
  struct solid *b = scene_add(s, SOLID_CONE, part, material);
  v3 along = v3_sub(to, from);
  b->pos = v3_mix(from, to, 0.5f);
  b->a[0] = 0.5f * v3_len(along) + 0.5f * (r0 + r1);
  b->a[1] = r0;
  b->a[2] = r1;
  b->a[3] = 0.96f * f_min(r0, r1);
  b->ay = v3_unit(along);
  b->ax = v3_unit(v3_cross(b->ay, v3_make(0.31f, 0.12f, 0.94f)));
  b->az = v3_cross(b->ax, b->ay);
  return b;
}

/* ---- colours ---- */

static v3 fur_colour(struct rng *r) {
  switch (rng_int(r, 8)) {
    case 0: return rng_colour(r, 0.055f, 0.08f, 0.75f, 0.88f, 0.85f, 0.95f); /* ginger */
    case 1: return rng_colour(r, 0.0f, 1.0f, 0.0f, 0.12f, 0.1f, 0.17f);      /* black */
    case 2: return rng_colour(r, 0.58f, 0.64f, 0.02f, 0.1f, 0.46f, 0.56f);   /* grey */
    case 3: return rng_colour(r, 0.08f, 0.14f, 0.02f, 0.06f, 0.9f, 0.95f);   /* white */
    case 4: return rng_colour(r, 0.075f, 0.095f, 0.48f, 0.58f, 0.7f, 0.78f); /* fawn */
    case 5: return rng_colour(r, 0.055f, 0.08f, 0.62f, 0.72f, 0.4f, 0.48f);  /* brown */
    case 6: return rng_colour(r, 0.1f, 0.12f, 0.26f, 0.34f, 0.9f, 0.95f);    /* cream */
    default: return rng_colour(r, 0.56f, 0.62f, 0.0f, 0.04f, 0.73f, 0.8f);   /* silver */
  }
}

static float brightness(v3 c) { return 0.3f * c.x + 0.6f * c.y + 0.1f * c.z; }

/* What paws, muzzle and patches have: the same fur, white, or dark on light. */
static v3 second_fur(struct rng *r, v3 fur) {
  static const v3 white = {0.86f, 0.84f, 0.79f}, black = {0.017f, 0.016f, 0.018f};
  float kind = pick(r, 0.0f, 1.0f);
  if (kind < 0.3f) return fur;
  if (kind < 0.75f && brightness(fur) < 0.75f) return white;
  if (brightness(fur) < 0.12f) return white;
  return kind < 0.9f ? black : rng_colour(r, 0.055f, 0.08f, 0.62f, 0.72f, 0.4f, 0.48f);
}

static void pet_materials(struct scene *s, float spotted, int cat) {
  struct rng *r = &s->rng;
  v3 fur = fur_colour(r), other = second_fur(r, fur);
  scene_material(s, fur, 0.0f, 0.9f);
  scene_material(s, other, 0.0f, 0.9f);
  if (rng_chance(r, spotted)) {
    struct material *m = &s->material[FUR];
    m->pattern = PATTERN_SPOTS;
    m->alt = second_fur(r, fur);
    m->scale = pick(r, 1.6f, 2.8f);
    m->amount = pick(r, 0.42f, 0.6f);
    m->phase = pick(r, 0.0f, 1.0f);
  }
  scene_material(s, rng_colour(r, 0.97f, 0.99f, 0.3f, 0.36f, 0.86f, 0.92f), 0.02f, 0.5f);
  v3 iris = rng_colour(r, 0.2f, 0.27f, 0.55f, 0.7f, 0.65f, 0.8f);
  float kind = pick(r, 0.0f, 1.0f);
  if (kind < 0.35f) iris = rng_colour(r, 0.12f, 0.14f, 0.75f, 0.85f, 0.9f, 0.97f);
  v3 white = v3_make(0.86f, 0.84f, 0.79f);
  if (!cat || (kind > 0.7f && brightness(fur) < 0.5f)) iris = white;
  scene_material(s, iris, 0.05f, 0.1f);
  scene_material(s, v3_make(0.008f, 0.008f, 0.01f), 0.08f, 0.05f);
  scene_material(s, rng_paint(r, 0.6f, 0.85f, 0.5f, 0.85f), 0.03f, 0.4f);
  scene_material(s, brightness(fur) > 0.2f ? v3_make(0.01f, 0.01f, 0.012f) : white, 0.0f, 0.8f);
}

/* ---- trunk, legs, tail ---- */

static void pet_leg(struct scene *s, const struct pet *p, v3 top, v3 foot, int line) {
  float thin = p->limb;
  struct solid *b =
      add_bar(s, 8, FUR, top, v3_make(foot.x, 1.1f * thin, foot.z), 1.15f * thin, 0.95f * thin);
  b->line = line;
  b = scene_blend(s, SOLID_ELLIPSOID, 8, FUR2, 0.3f * thin);
  b->pos = v3_make(foot.x + 0.35f * thin, 0.75f * thin, foot.z);
  b->a[0] = 1.55f * thin;
  b->a[1] = 0.75f * thin;
  b->a[2] = 1.15f * thin;
  b->line = s->material[FUR].base.x == s->material[FUR2].base.x ? line : LINE_LIMB + 8;
}

static void pet_trunk(struct scene *s, const v3 *spine, int n, float r0, float r1) {
  struct solid *b = scene_add(s, SOLID_TUBE, 1, FUR);
  b->npt = n;
  for (int i = 0; i < n; i++) b->pt[i] = spine[i];
  b->a[0] = r0;
  b->a[1] = r1;
}

static void pet_neck(struct scene *s, struct pet *p, v3 from) {
  struct solid *b = scene_blend(s, SOLID_TUBE, 1, FUR, 0.12f);
  v3 along = v3_unit(v3_sub(p->at, from));
  p->up = along;
  p->neck_radius = 0.66f * p->head;
  p->neck = v3_mad(p->at, along, -0.8f * p->head);
  b->npt = 3;
  b->pt[0] = from;
  b->pt[1] = v3_mix(from, p->at, 0.5f);
  b->pt[2] = p->at;
  b->a[0] = f_max(0.85f * p->fat, p->neck_radius);
  b->a[1] = p->neck_radius;
}

static void pet_stand(struct scene *s, struct pet *p) {
  struct rng *r = &s->rng;
  float y = p->leg + p->fat, sag = pick(r, -0.08f, 0.12f), step = pick(r, -0.14f, 0.14f),
        lift = pick(r, 0.1f, 0.45f);
  v3 mid = v3_make(0.0f, y + sag, 0.0f), end = v3_make(p->len, y + 0.04f, 0.0f);
  const v3 spine[3] = {v3_make(-p->len, y, 0.0f), mid, end};
  pet_trunk(s, spine, 3, p->fat, 0.95f * p->fat);
  p->at = v3_make(p->len + 0.25f + 0.4f * p->head, y + 0.45f * p->head + lift, 0.0f);
  pet_neck(s, p, v3_make(p->len, y + 0.05f, 0.0f));
  for (int i = 0; i < 4; i++) {
    float x = (i & 1 ? 1.0f : -1.0f) * (p->len - 0.02f), z = i & 2 ? 1.0f : -1.0f;
    float go = (i == 0 || i == 3 ? step : -step) + (i & 1 ? 0.06f : -0.06f);
    pet_leg(s, p, v3_make(x, y - 0.2f * p->fat, z * (p->fat - 0.8f * p->limb)),
            v3_make(x + go, 0.0f, z * (p->fat - 0.7f * p->limb)), 1);
  }
}

static void pet_sit(struct scene *s, struct pet *p) {
  struct rng *r = &s->rng;
  float rump = f_max(1.15f * p->fat, 0.36f), chest = 0.8f * p->fat, back = pick(r, 0.24f, 0.42f),
        reach = pick(r, 0.14f, 0.26f);
  const v3 spine[4] = {v3_make(-back, rump, 0.0f), v3_make(-back, 0.62f * p->tall, 0.0f),
                       v3_make(0.02f, 0.85f * p->tall, 0.0f), v3_make(0.1f, p->tall, 0.0f)};
  pet_trunk(s, spine, 4, rump, chest);
  p->at = v3_make(0.2f, p->tall + 0.95f * p->head, 0.0f);
  pet_neck(s, p, v3_make(0.1f, p->tall, 0.0f));
  for (int k = -1; k <= 1; k += 2) {
    float z = (float)k * (0.72f * chest);
    pet_leg(s, p, v3_make(0.1f, 0.75f * p->tall, z), v3_make(0.1f + reach, 0.0f, z), LINE_LIMB);
    z = (float)k * (0.8f * rump);
    struct solid *b = add_ball(s, 8, FUR, v3_make(-0.05f * back, 0.82f * rump, z),
                               v3_make(0.9f * rump, 0.82f * rump, 0.42f * rump));
    b->line = LINE_LIMB + 10;
    b = add_ball(s, 8, FUR2, v3_make(0.62f * rump, 0.8f * p->limb, 1.15f * z),
                 v3_make(2.0f * p->limb, 0.8f * p->limb, 1.2f * p->limb));
    b->line = LINE_LIMB + 11;
  }
}

static void pet_lie(struct scene *s, struct pet *p) {
  struct rng *r = &s->rng;
  float len = p->len + 0.25f, high = f_max(1.1f * p->fat, 0.36f), wide = 1.25f * high;
  const float rise = 0.04f; /* the blend bulges by a quarter of its width: not into the floor */
  struct solid *b = add_ball(s, 1, FUR, v3_make(0.0f, high + rise, 0.0f), v3_make(len, high, wide));
  b = scene_blend(s, SOLID_ELLIPSOID, 1, FUR, 0.15f);
  b->pos = v3_make(-0.35f * len, high + rise, 0.0f);
  b->a[0] = 0.62f * len;
  b->a[1] = high;
  b->a[2] = wide;
  float lift = pick(r, 0.15f, 0.5f);
  p->at = v3_make(len + 0.1f * p->head, high + lift + 0.25f * p->head, 0.25f * p->side * p->head);
  pet_neck(s, p, v3_make(0.6f * len, 0.95f * high, 0.0f));
  for (int k = -1; k <= 1; k += 2) {
    float z = (float)k * 0.5f * wide;
    b = add_limb(s, 8, FUR, v3_make(0.5f * len, 1.3f * p->limb, z),
                 v3_make(len + 0.3f, 1.05f * p->limb, z), 1.2f * p->limb, p->limb);
    b->line = LINE_LIMB;
  }
  b = add_ball(s, 8, FUR, v3_make(-0.5f * len, 0.75f * high, 0.72f * p->side * wide),
               v3_make(0.42f * len, 0.72f * high, 0.36f * wide));
  b->line = LINE_LIMB + 10;
  b = add_ball(s, 8, FUR2, v3_make(-0.15f * len, 0.8f * p->limb, 0.98f * p->side * wide),
               v3_make(2.2f * p->limb, 0.8f * p->limb, 1.2f * p->limb));
  b->line = LINE_LIMB + 11;
}

/* thin: radius; a tail for each pose, raised, hanging or round the body */
static void pet_tail(struct scene *s, const struct pet *p, float thin, float long_) {
  struct rng *r = &s->rng;
  int kind = rng_int(r, 2);
  float bend = pick(r, -0.3f, 0.3f), low = 1.15f * thin, z = p->side, l = long_;
  struct solid *b = scene_add(s, SOLID_TUBE, 7, FUR);
  b->npt = 4;
  v3 *q = b->pt;
  if (p->pose == STANDING) {
    float x = -p->len - 0.6f * p->fat, y = p->leg + 1.35f * p->fat, up = kind ? 1.0f : 0.35f;
    q[0] = v3_make(x + 0.25f, y - 0.1f, 0.0f);
    q[1] = v3_make(x - 0.35f * l, y + 0.05f, 0.0f);
    q[2] = v3_make(x - (0.45f + 0.3f * bend) * l, y + 0.7f * up * l, 0.0f);
    q[3] = v3_make(x - (0.4f + bend) * l, y + (up > 0.5f ? 1.1f : 0.5f) * l, 0.0f);
  } else if (p->pose == LYING || (kind && !p->from_front)) { /* along the body on the floor */
    float x = p->pose == LYING ? -p->len - 0.05f : -0.35f, w = p->pose == LYING ? 0.3f : 0.1f;
    q[0] = v3_make(x, low + 0.06f, 0.1f * z);
    q[1] = v3_make(x - 0.45f, low, (0.4f + w) * z);
    q[2] = v3_make(x + 0.3f * l, low, (0.62f + w + p->fat) * z);
    q[3] = v3_make(x + 0.85f * l, low, (0.3f + w + p->fat) * z);
  } else if (p->from_front) { /* beside the body, its end up */
    float out = kind ? 1.0f : -1.0f, w = f_max(1.15f * p->fat, 0.36f);
    q[0] = v3_make(-0.4f, low + 0.05f, 0.1f * out);
    q[1] = v3_make(-0.35f, low, (w + 0.5f * l) * out);
    q[2] = v3_make(-0.3f, low + 0.2f * l, (w + 0.85f * l) * out);
    q[3] = v3_make(-0.3f, low + 0.9f * l, (w + (0.4f + bend) * l) * out);
  } else { /* behind, its end up */
    float x = -0.3f - f_max(1.15f * p->fat, 0.36f);
    q[0] = v3_make(x + 0.3f, low + 0.08f, 0.0f);
    q[1] = v3_make(x - 0.5f * l, low, 0.0f);
    q[2] = v3_make(x - 0.75f * l, low + 0.15f * l, 0.0f);
    q[3] = v3_make(x - (0.5f + bend) * l, low + 0.85f * l, 0.0f);
  }
  b->a[0] = 1.05f * thin;
  b->a[1] = thin * pick(r, 0.75f, 1.0f);
}

static void pet_collar(struct scene *s, const struct pet *p) {
  struct solid *b = scene_add(s, SOLID_TORUS, 10, STRAP);
  b->pos = p->neck;
  b->a[0] = p->neck_radius;
  b->a[1] = 0.055f;
  /* the torus lies about y: its axis is brought to the neck's in the plane of x and y */
  b->ay = p->up;
  b->ax = v3_make(p->up.y, -p->up.x, 0.0f);
}

/* ---- head ---- */

/* Eyes look ahead in a face that looks at the camera, and sideways in profile. */
static void pet_eyes(struct scene *s, const struct pet *p, v3 skull, float size, float slit,
                     int white) {
  float out = f_mix(1.0f, 0.5f, p->facing), y = 0.16f;
  for (int k = -1; k <= 1; k += 2) {
    float a = (float)k * out;
    v3 n = v3_make(f_cos(a), 0.0f, f_sin(a));
    v3 at = v3_make(0.95f * skull.x * n.x, y * skull.y, 0.95f * skull.z * n.z);
    struct solid *b;
    if (white) {
      b = head_ball(s, p, 4, IRIS, at, v3_make(0.5f * size, 1.15f * size, size));
      solid_turn(b, 1, -a);
      on_head(p, b);
    }
    b = head_ball(s, p, 4, BLACK, v3_mad(at, n, white ? 0.3f * size : 0.0f),
                  white ? v3_make(0.35f * size, 0.8f * size, slit * size)
                        : v3_make(0.5f * size, 0.85f * size, 0.75f * size));
    b->line = LINE_PUPIL;
    solid_turn(b, 1, -a);
    on_head(p, b);
  }
}

/* Pointed ears, with skin inside. */
static void pet_ears_up(struct scene *s, const struct pet *p, float tall, float wide, float lean) {
  for (int k = -1; k <= 1; k += 2)
    for (int in = 0; in < 2; in++) {
      struct solid *b = scene_add(s, SOLID_TUBE, 3, in ? SKIN : FUR);
      float r0 = wide * p->head, r1 = 0.22f * r0, l = (in ? 0.66f : 1.0f) * tall * p->head;
      b->npt = 3;
      b->a[0] = in ? 0.62f * r0 : r0;
      b->a[1] = in ? 0.12f * r0 : r1;
      b->a[2] = 0.55f;
      b->pt[0] = v3_make(0.0f, in ? 0.06f * l : 0.0f, in ? 0.5f * r0 : 0.0f);
      b->pt[2] = v3_make(0.0f, l, in ? 0.42f * r0 : 0.0f);
      b->pt[1] = v3_mix(b->pt[0], b->pt[2], 0.5f);
      b->line = in ? LINE_PUPIL + 20 : 3;
      solid_turn(b, 1, 0.5f * PI_F - 0.25f * (float)k);
      solid_turn(b, 0, lean * (float)k);
      b->pos = v3_make(-0.02f, 0.62f, 0.52f * (float)k);
      on_head(p, b);
    }
}

static void pet_look(struct scene *s, struct pet *p, float at_camera) {
  struct rng *r = &s->rng;
  float off = pick(r, -0.2f, 0.55f), swing = pick(r, -0.4f, 0.4f);
  float yaw = p->side > 0.0f ? off : PI_F - off;
  if (p->from_front) yaw = 0.5f * PI_F + swing;
  p->turn = -p->side * pick(r, -0.05f, 0.4f);
  if (p->from_front)
    p->turn = -swing * pick(r, -0.6f, 0.6f);
  else if (rng_chance(r, at_camera))
    p->turn = -p->side * pick(r, 1.05f, 1.5f);
  p->tilt = pick(r, -0.12f, 0.12f);
  p->nod = pick(r, -0.12f, 0.1f);
  p->facing = f_clamp(f_sin(yaw - p->turn), 0.0f, 1.0f);
  set_view(s, yaw, 0.02f, 0.26f);
}

static void pet_pose(struct scene *s, struct pet *p, float sitting, float lying, float at_camera) {
  struct rng *r = &s->rng;
  float kind = pick(r, 0.0f, 1.0f);
  p->pose = STANDING;
  if (kind < sitting + lying) p->pose = LYING;
  if (kind < sitting) p->pose = SITTING;
  p->from_front = p->pose == SITTING && rng_chance(r, 0.5f);
  p->side = rng_sign(r);
  pet_look(s, p, at_camera);
  if (p->pose == STANDING) pet_stand(s, p);
  if (p->pose == SITTING) pet_sit(s, p);
  if (p->pose == LYING) pet_lie(s, p);
}

static void pet_skull(struct scene *s, const struct pet *p, v3 radii) {
  struct solid *b = head_ball(s, p, 2, FUR, v3_make(0.0f, 0.0f, 0.0f), radii);
  b->line = LINE_HEAD;
  on_head(p, b);
}

/* ---- cat ---- */

static void cat_face(struct scene *s, const struct pet *p, v3 skull) {
  struct rng *r = &s->rng;
  float x = 0.86f * skull.x, cheek = pick(r, 0.2f, 0.27f);
  int whiskers = rng_chance(r, 0.55f);
  struct solid *b;
  for (int k = -1; k <= 1; k += 2) {
    b = head_ball(s, p, 6, FUR2, v3_make(x, -0.34f, 0.78f * cheek * (float)k),
                  v3_make(cheek, 0.85f * cheek, cheek));
    b->line = LINE_JAW + 1 + (k > 0);
    on_head(p, b);
  }
  b = head_ball(s, p, 6, FUR2, v3_make(x - 0.06f, -0.55f, 0.0f),
                v3_make(0.8f * cheek, 0.7f * cheek, 0.7f * cheek));
  b->line = LINE_JAW;
  on_head(p, b);
  b = head_ball(s, p, 5, SKIN, v3_make(x + 0.85f * cheek, -0.2f, 0.0f),
                v3_make(0.09f, 0.09f, 0.13f));
  on_head(p, b);
  for (int i = 0; i < 4 && whiskers; i++) {
    float k = i & 1 ? 1.0f : -1.0f, up = i & 2 ? 0.14f : -0.2f, h = p->head;
    v3 root = v3_make((x + 0.1f) * h, (-0.36f + 0.2f * up) * h, 0.2f * k * h);
    b = add_limb(s, 9, WHISKER, root, v3_add(root, v3_make(-0.1f * h, up * h, 1.15f * k * h)),
                 0.032f, 0.026f);
    b->pos = v3_scale(b->pos, 1.0f / h);
    on_head(p, b);
  }
}

void shape_cat(struct scene *s) {
  struct rng *r = &s->rng;
  struct pet p = {0};
  pet_materials(s, 0.15f, 1);
  p.len = pick(r, 0.45f, 0.72f);
  p.fat = pick(r, 0.26f, 0.38f);
  p.leg = pick(r, 0.32f, 0.62f);
  p.tall = pick(r, 0.8f, 1.15f);
  p.limb = pick(r, 0.085f, 0.12f);
  p.head = pick(r, 0.36f, 0.5f);
  pet_pose(s, &p, 0.5f, 0.17f, 0.65f);
  float thin = pick(r, 0.07f, 0.11f);
  pet_tail(s, &p, thin, pick(r, 0.6f, 0.9f));
  float high = pick(r, 0.78f, 0.92f);
  v3 skull = v3_make(0.9f, high, pick(r, 0.96f, 1.14f));
  pet_skull(s, &p, skull);
  float tall = pick(r, 0.55f, 0.85f), wide = pick(r, 0.3f, 0.4f);
  pet_ears_up(s, &p, tall, wide, pick(r, 0.15f, 0.5f));
  float eye = pick(r, 0.17f, 0.25f);
  pet_eyes(s, &p, skull, eye, pick(r, 0.3f, 0.6f), 1);
  cat_face(s, &p, skull);
  if (rng_chance(r, 0.35f)) pet_collar(s, &p);
}

/* ---- dog ---- */

static void dog_snout(struct scene *s, const struct pet *p, float long_, float thick, int other) {
  struct rng *r = &s->rng;
  float h = p->head, drop = pick(r, 0.18f, 0.32f);
  struct solid *b = add_bar(s, 6, other ? FUR2 : FUR, v3_make(0.2f * h, -0.1f * h, 0.0f),
                            v3_make(long_ * h, -drop * h, 0.0f), 1.3f * thick * h, thick * h);
  b->line = other ? 6 : LINE_HEAD;
  on_head(p, b);
  b = add_bar(s, 6, other ? FUR2 : FUR, v3_make(0.2f * h, -0.4f * h, 0.0f),
              v3_make((long_ - 0.14f) * h, -(drop + 0.85f * thick) * h, 0.0f), 0.9f * thick * h,
              0.62f * thick * h);
  b->line = LINE_JAW;
  on_head(p, b);
  b = head_ball(s, p, 5, BLACK, v3_make(long_ + 0.72f * thick, -drop + 0.5f * thick, 0.0f),
                v3_make(0.15f, 0.14f, 0.19f));
  on_head(p, b);
  if (rng_chance(r, 0.35f)) {
    b = head_ball(s, p, 9, SKIN, v3_make(long_ - 0.02f, -drop - 1.75f * thick, 0.0f),
                  v3_make(0.09f, 0.26f, 0.16f));
    on_head(p, b);
  }
}

/* Ears that hang at the sides of the head. */
static void dog_ears_down(struct scene *s, const struct pet *p, v3 skull, int material) {
  struct rng *r = &s->rng;
  float long_ = pick(r, 0.42f, 0.8f), wide = pick(r, 0.24f, 0.38f), swing = pick(r, -0.25f, 0.2f),
        out = pick(r, 0.05f, 0.4f), high = pick(r, 0.35f, 0.55f);
  for (int k = -1; k <= 1; k += 2) {
    struct solid *b = head_ball(s, p, 3, material,
                                v3_make(-0.12f + long_ * f_sin(swing), high - 0.8f * long_,
                                        (float)k * (0.95f * skull.z + 0.8f * long_ * f_sin(out))),
                                v3_make(wide, long_, 0.16f));
    solid_turn(b, 2, swing);
    solid_turn(b, 0, -out * (float)k);
    on_head(p, b);
  }
}

void shape_dog(struct scene *s) {
  struct rng *r = &s->rng;
  struct pet p = {0};
  pet_materials(s, 0.3f, 0);
  int low = rng_chance(r, 0.15f); /* as a dachshund */
  p.len = low ? pick(r, 0.8f, 1.05f) : pick(r, 0.45f, 0.75f);
  p.fat = pick(r, 0.25f, 0.38f);
  p.leg = low ? pick(r, 0.2f, 0.3f) : pick(r, 0.4f, 0.8f);
  p.tall = pick(r, 0.85f, 1.25f);
  p.limb = pick(r, 0.09f, 0.14f);
  p.head = pick(r, 0.33f, 0.44f);
  pet_pose(s, &p, 0.38f, 0.1f, 0.4f);
  float thin = pick(r, 0.07f, 0.11f);
  pet_tail(s, &p, thin, pick(r, 0.45f, 0.75f));
  float high = pick(r, 0.85f, 0.98f);
  v3 skull = v3_make(0.95f, high, pick(r, 0.85f, 1.0f));
  pet_skull(s, &p, skull);
  float snout = pick(r, 0.95f, 1.6f), thick = pick(r, 0.28f, 0.4f);
  dog_snout(s, &p, snout, thick, rng_chance(r, 0.45f));
  if (rng_chance(r, 0.72f)) {
    dog_ears_down(s, &p, skull, rng_chance(r, 0.6f) ? FUR2 : FUR);
  } else {
    float tall = pick(r, 0.55f, 0.9f), wide = pick(r, 0.26f, 0.36f);
    pet_ears_up(s, &p, tall, wide, pick(r, 0.1f, 0.4f));
  }
  float eye = pick(r, 0.15f, 0.21f);
  int white = rng_chance(r, 0.5f); /* else black buttons, unseen in dark fur */
  pet_eyes(s, &p, skull, eye, 0.6f, white || brightness(s->material[FUR].base) < 0.12f);
  if (rng_chance(r, 0.6f)) pet_collar(s, &p);
}
