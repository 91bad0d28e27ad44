/* SPDX-License-Identifier: Apache-2.0
 *
 * photo.c: the camera, the light and the photograph.
 *
 * A studio: a seamless backdrop of one hue, a large soft key light, a fill from the other side,
 * light bounced from the floor. A coarse probe of rays finds where the object lands, and the
 * picture is a crop chosen so that it fills most of the frame. One ray a pixel; pixels at edges
 * and sudden changes get four more.
 */
#include "scene.h"

#include <stdlib.h>

struct studio {
  v3 key, key_colour, key_x, key_y; /* direction to the key light and its frame */
  v3 rim, fill;
  v3 wall, wall2, bounce;
  float ambient, softness, box_w, box_h, glow_x, glow_y, falloff, exposure, grain, pool;
};

static v3 camera_ray(const struct camera *c, float u, float v) {
  return v3_unit(v3_add(c->forward, v3_add(v3_scale(c->right, u), v3_scale(c->up, v))));
}

/* First place along a ray, from `from` on, that is nearer to the scene than near + widen *
 * distance; or -1. */
static float march(const struct scene *s, v3 eye, v3 dir, float from, float near, float widen) {
  v3 oc = v3_sub(eye, s->centre);
  float b = v3_dot(oc, dir), r = s->radius + near - b * widen, h = b * b - v3_dot(oc, oc) + r * r;
  if (h <= 0.0f) return -1.0f;
  h = sqrtf(h);
  float t = f_max(f_max(-b - h, 0.0f), from), end = -b + h;
  for (int i = 0; i < 110 && t < end; i++) {
    float d = scene_distance_far(s, v3_mad(eye, dir, t));
    if (d < near + widen * t) return t;
    t += widen > 0.0f ? d - 0.79f * widen * t : d * 0.96f;
  }
  return t < end && (widen > 0.0f || scene_distance_far(s, v3_mad(eye, dir, t)) < 0.01f) ? t
                                                                                         : -1.0f;
}

static v3 normal_at(const struct scene *s, int who, v3 p) {
  const float e = 0.0025f;
  float a = scene_distance_near(s, who, v3_make(p.x + e, p.y - e, p.z - e));
  float b = scene_distance_near(s, who, v3_make(p.x - e, p.y - e, p.z + e));
  float c = scene_distance_near(s, who, v3_make(p.x - e, p.y + e, p.z - e));
  float d = scene_distance_near(s, who, v3_make(p.x + e, p.y + e, p.z + e));
  return v3_unit(v3_make(a - b - c + d, c + d - a - b, b + d - a - c));
}

static float shadow(const struct scene *s, v3 p, v3 dir, float soft) {
  v3 oc = v3_sub(p, s->centre);
  float r = s->radius * 1.15f, b = v3_dot(oc, dir), h = b * b - v3_dot(oc, oc) + r * r;
  if (h <= 0.0f || (b > 0.0f && v3_dot(oc, oc) > r * r)) return 1.0f;
  float end = -b + sqrtf(h), t = f_max(0.02f, -b - sqrtf(h)), lit = 1.0f;
  for (int i = 0; i < 40 && t < end; i++) {
    float d = scene_distance_within(s, v3_mad(p, dir, t), f_max(t / soft, 0.35f));
    lit = f_min(lit, 0.5f + 0.5f * d * soft / t);
    if (lit < 0.02f) return 0.0f;
    t += f_clamp(d, 0.02f, 0.35f);
  }
  lit = f_clamp(lit, 0.0f, 1.0f);
  return lit * lit * (3.0f - 2.0f * lit);
}

static float occlusion(const struct scene *s, v3 p, v3 n) {
  static const float at[3] = {0.05f, 0.16f, 0.4f}, weight[3] = {0.42f, 0.36f, 0.3f};
  float o = 0.0f;
  for (int i = 0; i < 3; i++) {
    v3 q = v3_mad(p, n, at[i]);
    float d = f_min(scene_distance_within(s, q, at[i]), q.y);
    o += weight[i] * f_clamp(1.0f - d / at[i], 0.0f, 1.0f);
  }
  return f_clamp(1.0f - o, 0.05f, 1.0f);
}

/* The lights as a mirror sees them, blurred by roughness. */
static v3 reflected_lights(const struct studio *st, v3 r, float rough, float key_seen) {
  float blur = 0.04f + 1.1f * rough, thin = 1.0f / (1.0f + 14.0f * rough * rough);
  v3 c = v3_mix(v3_scale(st->bounce, 0.9f), v3_scale(st->wall, 1.0f), f_step(-0.3f, 0.5f, r.y));
  c = v3_add(c, v3_scale(v3_make(1.0f, 1.0f, 1.0f), 0.35f * f_step(0.3f, 1.0f, r.y)));
  float k = v3_dot(r, st->key);
  if (k > 0.05f) {
    float x = fabsf(v3_dot(r, st->key_x)) / k, y = fabsf(v3_dot(r, st->key_y)) / k;
    float in = f_step(st->box_w + blur, st->box_w - blur * 0.6f, x) *
               f_step(st->box_h + blur, st->box_h - blur * 0.6f, y);
    c = v3_mad(c, st->key_colour, 6.0f * in * thin * key_seen);
  }
  float m = v3_dot(r, st->rim);
  return v3_mad(c, v3_make(1.0f, 1.0f, 1.0f), 2.2f * thin * f_step(0.9f - 0.5f * rough, 0.97f, m));
}

static v3 shade_hit(const struct picture *pic, const struct studio *st, struct sample *o, v3 dir,
                    const struct surface *f) {
  const struct scene *s = pic->scene;
  v3 n = f->normal, p = v3_mad(o->p, o->normal, 0.006f);
  float lit = v3_dot(n, st->key) > 0.0f ? shadow(s, p, st->key, st->softness) : 0.0f;
  float ao = occlusion(s, o->p, o->normal);
  float diffuse = f_max(0.0f, v3_dot(n, st->key)) * lit;
  float fill = f_clamp(0.35f + 0.65f * v3_dot(n, st->fill), 0.0f, 1.0f) * ao;
  float sky = (0.5f + 0.5f * n.y) * ao,
        ground = (0.5f - 0.5f * n.y) * ao * f_step(1.6f, 0.0f, o->p.y);
  v3 light = v3_scale(st->key_colour, 1.55f * diffuse);
  light = v3_mad(light, v3_make(0.95f, 0.98f, 1.05f), 0.38f * fill + st->ambient * sky);
  light = v3_mad(light, st->bounce, 0.75f * ground);
  v3 c = v3_mul(f->albedo, light);
  float facing = f_clamp(-v3_dot(dir, n), 0.0f, 1.0f), g = 1.0f - facing, g2 = g * g;
  float mirror = f->gloss > 0.0f
                     ? f->gloss + (1.0f - f->gloss) * g2 * g2 * g * (1.0f - f->rough) * 0.8f
                     : 0.0f;
  if (mirror > 0.0f) {
    v3 r = v3_mad(dir, n, -2.0f * v3_dot(dir, n));
    v3 tint = f->gloss > 0.25f && f->rough > 0.1f
                  ? v3_mix(f->albedo, v3_make(1.0f, 1.0f, 1.0f), 0.4f)
                  : v3_make(1.0f, 1.0f, 1.0f);
    v3 e = reflected_lights(st, r, f->rough, 0.25f + 0.75f * lit);
    c = v3_mad(v3_scale(c, 1.0f - mirror), v3_mul(e, tint), mirror * (0.3f + 0.7f * ao));
  }
  o->light = f_clamp(0.62f * diffuse + 0.25f * fill + 0.3f * sky, 0.0f, 1.0f);
  return v3_mad(c, f->albedo, f->glow);
}

/* Light on the floor where a ray meets it, 1 in the open. */
static float floor_light(const struct picture *pic, const struct studio *st, v3 dir) {
  const struct camera *cam = &pic->camera;
  const struct scene *s = pic->scene;
  if (dir.y > -0.01f) return 1.0f;
  v3 p = v3_mad(cam->eye, dir, -cam->eye.y / dir.y);
  float ox = p.x - s->centre.x, oz = p.z - s->centre.z, away = sqrtf(ox * ox + oz * oz);
  if (away > s->radius * 4.5f) return 1.0f;
  float fade = f_step(s->radius * 4.5f, s->radius * 2.2f, away);
  float lit = shadow(s, p, st->key, st->softness * 0.8f), ao = 1.0f;
  if (away < s->radius * 1.6f) ao = occlusion(s, p, v3_make(0.0f, 1.0f, 0.0f));
  float key = 1.55f * st->key.y, rest = 0.3f + st->ambient;
  return f_mix(1.0f, (key * lit + rest * ao) / (key + rest), fade);
}

/* The same from a grid of nodes, which are computed when first asked for: shadows are soft. */
static float floor_node(const struct picture *pic, const struct studio *st, int i, int j) {
  float *f = &pic->floor_light[(size_t)j * (size_t)pic->nodes + (size_t)i];
  if (*f < 0.0f) {
    const struct camera *c = &pic->camera;
    float step = c->window * (float)PICTURE_NODE / (float)pic->size;
    *f = floor_light(pic, st, camera_ray(c, c->u0 + step * (float)i, c->v0 - step * (float)j));
  }
  return *f;
}

/* Backdrop: a gradient over the picture, darkened where the floor lies in shadow. */
static v3 shade_backdrop(const struct picture *pic, const struct studio *st, float x, float y) {
  float dx = x - st->glow_x, dy = y - st->glow_y, to_node = (float)pic->size / (float)PICTURE_NODE;
  v3 c = v3_mix(st->wall, st->wall2, f_step(0.15f, 0.95f, y));
  int i = (int)(x * to_node), j = (int)(y * to_node);
  float u = x * to_node - (float)i, v = y * to_node - (float)j;
  float a = f_mix(floor_node(pic, st, i, j), floor_node(pic, st, i + 1, j), u);
  float b = f_mix(floor_node(pic, st, i, j + 1), floor_node(pic, st, i + 1, j + 1), u);
  return v3_scale(c, (1.0f + st->pool * (1.0f - 1.6f * (dx * dx + dy * dy))) * f_mix(a, b, v));
}

static void take_sample(const struct picture *pic, const struct studio *st, float x, float y,
                        struct sample *o) {
  const struct camera *cam = &pic->camera;
  const struct scene *s = pic->scene;
  memset(o, 0, sizeof *o);
  v3 dir = camera_ray(cam, cam->u0 + cam->window * x, cam->v0 - cam->window * y);
  float to_cell = (float)pic->size / (float)PICTURE_CELL;
  float from = pic->start[(size_t)((int)(y * to_cell) * pic->cells + (int)(x * to_cell))];
  float t = from < 0.0f ? -1.0f : march(s, cam->eye, dir, from, 0.0012f, 0.0f);
  o->t = t;
  if (t < 0.0f) {
    o->colour = shade_backdrop(pic, st, x, y);
    o->light = 1.0f;
    return;
  }
  struct surface f;
  int who = 0;
  o->p = v3_mad(cam->eye, dir, t);
  scene_distance(s, o->p, &who);
  o->normal = normal_at(s, who, o->p);
  surface_at(s, who, o->p, o->normal, &f);
  o->part = (uint8_t)f.part;
  o->line = (uint8_t)s->solid[who].line;
  o->face = (uint8_t)f.face;
  o->decal = (uint8_t)f.decal;
  o->flat = f.flat;
  o->colour = shade_hit(pic, st, o, dir, &f);
}

/* ---- camera ---- */

static void aim(struct camera *c, const struct scene *s, float yaw, float pitch, float roll,
                float lens) {
  float cp = f_cos(pitch), sp = f_sin(pitch), cy = f_cos(yaw), sy = f_sin(yaw);
  c->forward = v3_make(-sy * cp, -sp, -cy * cp);
  v3 right = v3_make(cy, 0.0f, -sy), up = v3_cross(right, c->forward);
  float cr = f_cos(roll), sr = f_sin(roll);
  c->right = v3_add(v3_scale(right, cr), v3_scale(up, sr));
  c->up = v3_sub(v3_scale(up, cr), v3_scale(right, sr));
  c->eye = v3_mad(s->centre, c->forward, -lens * s->radius);
}

/* Crop so that the object fills `fill` of the frame and lies anywhere inside it. */
static void frame(struct camera *c, const struct scene *s, float lens, struct rng *rng) {
  enum { PROBE = 72 };
  float reach = 1.0f / sqrtf(lens * lens - 1.0f) * 1.02f, step = 2.0f * reach / PROBE;
  int lo_x = PROBE, hi_x = -1, lo_y = PROBE, hi_y = -1;
  for (int j = 0; j < PROBE; j++)
    for (int i = 0; i < PROBE; i++) {
      float u = -reach + step * ((float)i + 0.5f), v = reach - step * ((float)j + 0.5f);
      if (march(s, c->eye, camera_ray(c, u, v), 0.0f, 0.0f, 0.55f * step) < 0.0f) continue;
      lo_x = i < lo_x ? i : lo_x;
      hi_x = i > hi_x ? i : hi_x;
      lo_y = j < lo_y ? j : lo_y;
      hi_y = j > hi_y ? j : hi_y;
    }
  float w = step * (float)(hi_x - lo_x + 2), h = step * (float)(hi_y - lo_y + 2);
  float fill = rng_range(rng, 0.72f, 0.96f), px = rng_range(rng, 0.0f, 1.0f),
        py = rng_range(rng, 0.0f, 1.0f);
  if (s->view.fill > 0.0f) {
    fill = s->view.fill;
    px = s->view.at_x;
    py = s->view.at_y;
  }
  c->window = f_max(w, h) / fill;
  float margin = 0.02f * c->window, room_x = c->window - w - 2.0f * margin,
        room_y = c->window - h - 2.0f * margin;
  if (!(s->view.fill > 0.0f)) {
    px = 0.5f + (px - 0.5f) * 0.8f;
    py = 0.5f + (py - 0.5f) * 0.8f;
  }
  c->u0 = -reach + step * ((float)lo_x - 0.5f) - margin - px * f_max(room_x, 0.0f);
  c->v0 = reach - step * ((float)lo_y - 0.5f) + margin + py * f_max(room_y, 0.0f);
}

/* For each cell of pixels the distance to which all its rays are free, by a ray as thick as the
 * cell. */
static void find_starts(struct picture *pic) {
  const struct camera *c = &pic->camera;
  float step = c->window * (float)PICTURE_CELL / (float)pic->size;
  for (int j = 0; j < pic->cells; j++)
    for (int i = 0; i < pic->cells; i++) {
      v3 dir = camera_ray(c, c->u0 + step * ((float)i + 0.5f), c->v0 - step * ((float)j + 0.5f));
      float t = march(pic->scene, c->eye, dir, 0.0f, 0.002f, 0.9f * step);
      pic->start[j * pic->cells + i] = t < 0.0f ? -1.0f : t * 0.995f;
    }
}

static v3 backdrop_colour(struct rng *rng) {
  float kind = rng_range(rng, 0.0f, 1.0f);
  if (kind < 0.25f) /* greys and off-whites */
    return rng_colour(rng, 0.0f, 1.0f, 0.0f, 0.06f, 0.3f, 0.9f);
  if (kind < 0.65f) /* pastel */
    return rng_paint(rng, 0.08f, 0.27f, 0.6f, 0.9f);
  return rng_paint(rng, 0.2f, 0.48f, 0.35f, 0.75f);
}

static float colour_apart(v3 a, v3 b) {
  v3 d = v3_make(sqrtf(a.x) - sqrtf(b.x), sqrtf(a.y) - sqrtf(b.y), sqrtf(a.z) - sqrtf(b.z));
  return v3_dot(d, d);
}

/* Backdrop unlike the object's first materials. */
static void choose_backdrop(struct studio *st, const struct scene *s, struct rng *rng) {
  float best = -1.0f;
  for (int k = 0; k < 4; k++) {
    v3 c = backdrop_colour(rng);
    float apart = colour_apart(c, s->material[0].base);
    if (s->nmaterial > 1) apart = f_min(apart, colour_apart(c, s->material[1].base) + 0.03f);
    if (apart > best && best < 0.12f) {
      best = apart;
      st->wall = c;
    }
  }
  float turn = rng_range(rng, 0.72f, 1.25f);
  st->wall2 = v3_scale(st->wall, turn);
}

/* The plain style's studio: only the side of the light and the backdrop differ. */
static void plain_light(struct studio *st, const struct scene *s, struct rng *rng, v3 back,
                        v3 right, float side) {
  const float az = 0.7f, el = 0.85f;
  v3 flat = v3_add(v3_scale(back, f_cos(az)), v3_scale(right, side * f_sin(az)));
  st->key = v3_make(flat.x * f_cos(el), f_sin(el), flat.z * f_cos(el));
  st->key_x = v3_unit(v3_cross(v3_make(0.0f, 1.0f, 0.0f), st->key));
  st->key_y = v3_cross(st->key, st->key_x);
  st->key_colour = v3_make(1.02f, 1.0f, 0.96f);
  st->ambient = 0.4f;
  st->softness = 7.0f;
  st->box_w = 0.22f;
  st->box_h = 0.26f;
  st->glow_x = 0.5f;
  st->glow_y = 0.35f;
  st->pool = 0.06f;
  st->exposure = 1.0f;
  st->grain = 0.0f;
  st->wall = plain_backdrop(s, rng);
  st->wall2 = v3_scale(st->wall, 0.9f);
}

static void light_studio(struct studio *st, const struct camera *c, const struct scene *s,
                         struct rng *rng) {
  float side = rng_sign(rng), az = rng_range(rng, 0.35f, 1.25f), el = rng_range(rng, 0.55f, 1.1f);
  v3 back = v3_unit(v3_make(-c->forward.x, 0.0f, -c->forward.z)),
     right = v3_make(back.z, 0.0f, -back.x);
  v3 flat = v3_add(v3_scale(back, f_cos(az)), v3_scale(right, side * f_sin(az)));
  st->key = v3_make(flat.x * f_cos(el), f_sin(el), flat.z * f_cos(el));
  st->key_x = v3_unit(v3_cross(v3_make(0.0f, 1.0f, 0.0f), st->key));
  st->key_y = v3_cross(st->key, st->key_x);
  float warm = rng_range(rng, 0.0f, 0.12f);
  st->key_colour = v3_make(1.0f + 0.5f * warm, 1.0f, 1.0f - warm);
  st->fill = v3_unit(v3_add(v3_scale(right, -side * 0.8f),
                            v3_add(v3_scale(back, 0.6f), v3_make(0.0f, 0.3f, 0.0f))));
  st->rim = v3_unit(v3_add(v3_scale(right, -side * 0.9f), v3_make(0.0f, 0.55f, 0.0f)));
  st->ambient = rng_range(rng, 0.28f, 0.5f);
  st->softness = rng_range(rng, 5.0f, 12.0f);
  st->box_w = rng_range(rng, 0.16f, 0.34f);
  st->box_h = rng_range(rng, 0.16f, 0.4f);
  st->glow_x = rng_range(rng, 0.25f, 0.75f);
  st->glow_y = rng_range(rng, 0.2f, 0.6f);
  st->pool = rng_range(rng, 0.05f, 0.22f);
  st->exposure = rng_range(rng, 0.92f, 1.12f);
  st->grain = rng_range(rng, 0.0f, 0.006f);
  choose_backdrop(st, s, rng);
  if (s->plain) plain_light(st, s, rng, back, right, side);
  st->bounce = v3_add(v3_scale(st->wall, 0.75f), v3_make(0.06f, 0.06f, 0.06f));
}

/* ---- development ---- */

/* Film: straight in the shadows and middle, a shoulder above. */
static uint8_t develop(float x, float exposure, float grain) {
  x *= exposure;
  x = x < 0.6f ? x : 0.6f + 0.4f * (1.0f - 1.0f / (1.0f + (x - 0.6f) * 2.5f));
  return (uint8_t)(f_clamp(f_pow(f_max(x, 0.0f), 0.4545f) + grain, 0.0f, 1.0f) * 255.0f + 0.5f);
}

static int differs(const struct sample *a, const struct sample *b) {
  if (a->part != b->part || a->line != b->line || a->decal != b->decal || a->face != b->face)
    return 1;
  float da = sqrtf(a->colour.y) - sqrtf(b->colour.y), dr = sqrtf(a->colour.x) - sqrtf(b->colour.x);
  if (fabsf(da) + fabsf(dr) > 0.09f) return 1;
  return a->part && fabsf(v3_dot(a->normal, v3_sub(b->p, a->p))) > 0.03f;
}

static void mark_edges(struct picture *pic) {
  int n = pic->size;
  for (int y = 0; y < n; y++)
    for (int x = 0; x < n; x++) {
      size_t k = (size_t)y * (size_t)n + (size_t)x;
      const struct sample *a = &pic->sample[k];
      if (x + 1 < n && differs(a, a + 1)) pic->edge[k] = pic->edge[k + 1] = 1;
      if (y + 1 < n && differs(a, a + n)) pic->edge[k] = pic->edge[k + (size_t)n] = 1;
    }
}

/* Colour and coverage of a pixel from four samples more. */
static v3 refine(const struct picture *pic, const struct studio *st, int x, int y, float *cover) {
  static const float at[4][2] = {
      {0.375f, 0.125f}, {0.875f, 0.375f}, {0.125f, 0.625f}, {0.625f, 0.875f}};
  float inv = 1.0f / (float)pic->size;
  const struct sample *mid = &pic->sample[(size_t)y * (size_t)pic->size + (size_t)x];
  v3 sum = v3_scale(mid->colour, 0.2f);
  sum = v3_make(f_min(sum.x, 0.3f), f_min(sum.y, 0.3f), f_min(sum.z, 0.3f));
  *cover = mid->part ? 0.2f : 0.0f;
  for (int i = 0; i < 4; i++) {
    struct sample o;
    take_sample(pic, st, ((float)x + at[i][0]) * inv, ((float)y + at[i][1]) * inv, &o);
    sum = v3_mad(sum,
                 v3_make(f_min(o.colour.x, 1.5f), f_min(o.colour.y, 1.5f), f_min(o.colour.z, 1.5f)),
                 0.2f);
    *cover += o.part ? 0.2f : 0.0f;
  }
  return sum;
}

static void put_pixel(const struct picture *pic, const struct studio *st,
                      const struct world_views *v, int x, int y) {
  size_t k = (size_t)y * (size_t)pic->size + (size_t)x;
  const struct sample *a = &pic->sample[k];
  float cover = a->part ? 1.0f : 0.0f;
  v3 c = a->colour;
  if (pic->edge[k] && (v->photo || v->silhouette)) c = refine(pic, st, x, y, &cover);
  if (v->photo) {
    float g = st->grain * (noise_hash(x, y, 3) + noise_hash(x, y, 5) - 1.0f);
    v->photo[3 * k] = develop(c.x, st->exposure, g);
    v->photo[3 * k + 1] = develop(c.y, st->exposure, g);
    v->photo[3 * k + 2] = develop(c.z, st->exposure, g);
  }
  if (v->silhouette) v->silhouette[k] = (uint8_t)(cover * 255.0f + 0.5f);
  if (v->parts) v->parts[k] = a->part;
  if (v->normals) {
    const struct camera *cam = &pic->camera;
    float f = a->part ? 127.0f : 0.0f;
    v->normals[3 * k] = (uint8_t)(128.0f + f * v3_dot(a->normal, cam->right) + 0.5f);
    v->normals[3 * k + 1] = (uint8_t)(128.0f + f * v3_dot(a->normal, cam->up) + 0.5f);
    v->normals[3 * k + 2] = (uint8_t)(128.0f - f * v3_dot(a->normal, cam->forward) + 0.5f);
  }
}

void photo_render(struct picture *pic, const struct world_views *views, struct rng *rng) {
  struct scene *s = pic->scene;
  struct studio st;
  memset(&st, 0, sizeof st);
  aim(&pic->camera, s, s->view.yaw, s->view.pitch, s->view.roll, s->view.lens);
  frame(&pic->camera, s, s->view.lens, rng);
  light_studio(&st, &pic->camera, s, rng);
  find_starts(pic);
  int n = pic->size;
  float inv = 1.0f / (float)n;
  for (int y = 0; y < n; y++)
    for (int x = 0; x < n; x++)
      take_sample(pic, &st, ((float)x + 0.5f) * inv, ((float)y + 0.5f) * inv,
                  &pic->sample[(size_t)y * (size_t)n + (size_t)x]);
  mark_edges(pic);
  for (int y = 0; y < n; y++)
    for (int x = 0; x < n; x++) put_pixel(pic, &st, views, x, y);
}
