/* SPDX-License-Identifier: Apache-2.0
 *
 * surface.c: colour and finish of a surface point: materials and their patterns.
 *
 * Each pattern gives the flat colour (what a cartoon would use), the textured one, a decal
 * number whose borders the drawings follow, and where it paints a thing of its own (a window, a
 * tyre) that thing's part id.
 */
#include "scene.h"

struct spot {
  const struct material *m;
  const struct solid *b;
  v3 q, n; /* local place and normal */
  struct surface *o;
};

static void paint(struct surface *o, v3 colour, int decal) {
  o->flat = colour;
  o->decal = decal;
}

static void paint_part(struct surface *o, v3 colour, int decal, int part, float gloss,
                       float rough) {
  paint(o, colour, decal);
  o->part = part;
  o->gloss = gloss;
  o->rough = rough;
}

static void pattern_bands(struct spot *s) {
  if (f_fract(s->q.y * s->m->scale + s->m->phase) < s->m->amount) paint(s->o, s->m->alt, 1);
}

static void pattern_dots(struct spot *s) {
  float v = s->q.y * s->m->scale, row = (float)f_floor(v);
  float u = f_turns(s->q.x, s->q.z) * s->m->extra + 0.5f * row;
  float du = f_fract(u) - 0.5f, dv = v - row - 0.5f;
  if (du * du + dv * dv < f_sq(s->m->amount)) paint(s->o, s->m->alt, 1);
}

static void pattern_stripes(struct spot *s) {
  if (f_fract(f_turns(s->q.x, s->q.z) * s->m->scale + s->m->phase) < s->m->amount)
    paint(s->o, s->m->alt, 1);
}

static void pattern_dipped(struct spot *s) {
  float edge =
      s->m->phase + s->m->amount * f_sin(6.28318531f * s->m->scale * f_turns(s->q.x, s->q.z));
  if ((s->q.y < edge) == (s->m->extra < 0.5f)) paint(s->o, s->m->alt, 1);
}

static void pattern_apple(struct spot *s) {
  const struct material *m = s->m;
  float u = f_turns(s->q.x, s->q.z), w = fabsf(u) * 44.0f;
  float cheek = 0.5f + 0.5f * f_sin(6.28318531f * (u + m->phase));
  float streak = noise3(w, s->q.y * 1.6f, m->phase * 40.0f);
  float mix = f_clamp(m->amount * (0.25f + 0.9f * cheek), 0.0f, 1.0f);
  s->o->flat = v3_mix(m->base, m->alt, f_clamp(m->amount, 0.0f, 1.0f) * 0.5f);
  v3 c = v3_mix(m->base, m->alt, f_step(0.25f, 0.75f, mix + 0.5f * (streak - 0.5f)));
  float near_stem =
      f_step(0.3f, 0.02f, sqrtf(s->q.x * s->q.x + s->q.z * s->q.z)) * f_step(0.3f, 0.6f, s->q.y);
  c = v3_mix(c, m->third, 0.6f * near_stem);
  float freckle = noise3(s->q.x * 30.0f, s->q.y * 30.0f, s->q.z * 30.0f);
  s->o->albedo = v3_mix(c, v3_make(0.75f, 0.6f, 0.3f), 0.3f * f_step(0.86f, 0.93f, freckle));
}

/* Bricks (extra 1) or boards (extra 0.5). */
static void wall_texture(struct spot *s, float w, float y) {
  float r = y * 15.0f, u = w * 6.0f + 0.5f * (float)(f_floor(r) & 1);
  if (s->m->extra == 1.0f && (f_fract(r) < 0.14f || f_fract(u) < 0.06f))
    s->o->albedo = v3_scale(s->o->flat, 0.62f);
  else if (s->m->extra == 1.0f)
    s->o->albedo = v3_scale(s->o->flat, 0.82f + 0.36f * noise_hash(f_floor(r), f_floor(u), 7));
  else if (s->m->extra == 0.5f && f_fract(y * 9.0f) < 0.1f)
    s->o->albedo = v3_scale(s->o->flat, 0.6f);
}

/* A row of windows, the door, and bricks or boards; scale: columns, amount: rows, phase: door
 * place. */
static void pattern_wall(struct spot *s) {
  const struct material *m = s->m;
  const float *a = s->b->a;
  int side = fabsf(s->n.x) > fabsf(s->n.z);
  float w = side ? s->q.z : s->q.x, half = side ? a[2] : a[0], y = s->q.y + a[1];
  s->o->face = side ? 1 + (s->n.x > 0.0f) : 3 + (s->n.z > 0.0f);
  if (fabsf(s->n.y) > 0.6f) return;
  float columns = side ? f_max(1.0f, m->scale - 1.0f) : m->scale, rows = m->amount;
  float ph = 2.0f * a[1] / rows, cw = 2.0f * half / columns;
  float wx = 0.5f * f_min(0.62f * cw, 0.3f), wy = 0.5f * f_min(0.55f * ph, 0.46f);
  float cx = f_fract((w + half) / cw) - 0.5f, cy = f_fract(y / ph) - 0.56f;
  float dx = fabsf(cx * cw), dy = fabsf(cy * ph);
  float door_w = f_min(0.15f, 0.3f * half), door_h = f_min(0.42f, 0.7f * ph);
  float dd = fabsf(w - m->phase * (half - door_w - 0.08f));
  int front = !side && s->n.z > 0.0f;
  if (front && dd < door_w + 0.035f && y < door_h + 0.035f) {
    if (dd < door_w && y < door_h)
      paint_part(s->o, m->third, 3, 5, 0.03f, 0.5f);
    else
      paint(s->o, v3_make(0.8f, 0.78f, 0.74f), 2);
    if (f_sq(w - m->phase * (half - door_w - 0.08f) - 0.6f * door_w) + f_sq(y - 0.5f * door_h) <
        0.0005f)
      paint_part(s->o, v3_make(0.7f, 0.5f, 0.15f), 3, 5, 0.4f, 0.2f);
    return;
  }
  int under = front && dd < door_w + wx + 0.08f && y < ph;
  if (dx < wx + 0.03f && dy < wy + 0.03f && !under) {
    if (dx > wx || dy > wy || dx < 0.012f || dy < 0.012f)
      paint(s->o, v3_make(0.82f, 0.8f, 0.76f), 2);
    else
      paint_part(s->o, v3_make(0.02f, 0.035f, 0.06f), 1, 4, 0.12f, 0.03f);
    return;
  }
  wall_texture(s, w, y);
}

static void pattern_roof(struct spot *s) {
  const struct material *m = s->m;
  int side = fabsf(s->n.x) > fabsf(s->n.z);
  s->o->face = side ? 1 + (s->n.x > 0.0f) : 3 + (s->n.z > 0.0f);
  float w = side ? s->q.z : s->q.x, r = s->q.y * m->scale;
  int row = f_floor(r);
  float u = w * m->scale * 0.8f + 0.5f * (float)(row & 1), fall = f_fract(r);
  float tile = 0.78f + 0.4f * noise_hash(row, f_floor(u), side);
  float edge = (fall > 0.82f ? 0.55f : 1.0f) * (f_fract(u) < 0.09f ? 0.7f : 1.0f);
  s->o->albedo = v3_scale(s->o->flat, tile * (s->n.y > 0.1f ? edge : 1.0f));
}

static void pattern_wood(struct spot *s) {
  float f = s->m->scale;
  float ring = noise3(s->q.x * f * 5.0f, s->q.y * f * 0.7f, s->q.z * f * 5.0f + s->m->phase);
  float line = f_fract(ring * 5.0f);
  line = f_min(line, 1.0f - line) * 2.0f;
  s->o->albedo = v3_mix(s->o->flat, s->m->alt, 0.65f * line * s->m->amount);
}

static void pattern_foliage(struct spot *s) {
  float f = s->m->scale;
  float a = noise3(s->q.x * f, s->q.y * f, s->q.z * f),
        b = noise3(s->q.x * f * 3.1f, s->q.y * f * 3.1f, s->q.z * f * 3.1f);
  float t = 0.55f * a + 0.45f * b;
  v3 c = v3_scale(s->o->flat, 0.35f + 1.25f * t);
  s->o->albedo = v3_mix(c, s->m->alt, s->m->amount * f_step(0.55f, 0.75f, b));
}

static void pattern_fish(struct spot *s) {
  const struct material *m = s->m;
  v3 q = s->q;
  int kind = (int)m->extra;
  if (kind == 0 && f_fract(q.x * m->scale + m->phase + 0.12f * f_sin(q.y * 9.0f)) < m->amount)
    paint(s->o, m->alt, 1);
  if (kind == 1 && q.y > 0.06f + 0.05f * f_sin(q.x * 4.0f + m->phase * 6.0f))
    paint(s->o, m->alt, 1);
  if (kind == 2 && noise3(q.x * m->scale, q.y * m->scale, m->phase * 20.0f) > 0.62f)
    paint(s->o, m->alt, 1);
  if (kind == 3 && fabsf(q.y - 0.03f) < 0.05f + 0.1f * m->amount) paint(s->o, m->alt, 1);
  v3 c = v3_mix(s->o->flat, m->third, 0.7f * f_step(0.0f, -0.45f, q.y));
  float u = q.x * 15.0f, v = q.y * 15.0f + 0.5f * (float)(f_floor(u) & 1);
  float du = f_fract(u) - 0.2f, dv = f_fract(v) - 0.5f;
  float scale = f_step(0.32f, 0.5f, f_sq(du) + f_sq(dv) * 1.2f);
  s->o->albedo = v3_scale(c, 1.06f - 0.3f * scale * (fabsf(s->n.z) > 0.2f));
}

static void pattern_fin(struct spot *s) {
  float t = f_fract(f_turns(s->q.y, s->q.x + s->m->phase) * s->m->scale);
  s->o->albedo = v3_scale(s->o->flat, t < 0.35f ? 0.72f : 1.08f);
}

/* Lower body: lamps at the ends, door gaps, sill; phase: half length, scale: height of lamps,
 * extra: door place. */
static void pattern_car(struct spot *s) {
  const struct material *m = s->m;
  v3 q = s->q;
  float dy = fabsf(q.y - m->scale);
  int end = fabsf(s->n.x) > 0.45f || fabsf(q.x) > m->phase - 0.1f;
  if (end && dy < 0.065f && fabsf(q.z) > s->b->a[0] - 0.22f && fabsf(q.x) > m->phase - 0.17f) {
    if (q.x > 0.0f)
      paint_part(s->o, v3_make(0.85f, 0.83f, 0.72f), 1, 6, 0.3f, 0.08f);
    else
      paint_part(s->o, v3_make(0.55f, 0.02f, 0.02f), 1, 6, 0.2f, 0.08f);
    return;
  }
  if (end && fabsf(s->n.x) > 0.6f && q.x > 0.0f && dy < 0.05f && fabsf(q.z) < s->b->a[0] - 0.26f) {
    paint_part(s->o, v3_make(0.03f, 0.03f, 0.035f), 2, 1, 0.2f, 0.2f);
    return;
  }
  if (fabsf(s->n.z) > 0.7f) {
    float gap = f_min(fabsf(q.x - m->extra), fabsf(fabsf(q.x - m->extra) - m->amount));
    if (gap < 0.009f && q.y > m->scale - 0.16f) s->o->albedo = v3_scale(s->o->flat, 0.25f);
    float hx = q.x - m->extra + 0.12f * m->amount, hy = q.y - m->scale - 0.05f;
    if (fabsf(f_fract(hx / m->amount) - 0.5f) * m->amount < 0.05f && fabsf(hx) < m->amount &&
        fabsf(hy) < 0.012f)
      s->o->albedo = v3_make(0.6f, 0.6f, 0.62f);
  }
}

/* Cabin: glass all round inside a frame; phase: pillar place, amount: width of the frame, scale:
 * roof edge. */
static void pattern_cabin(struct spot *s) {
  const struct material *m = s->m;
  v3 q = s->q;
  float inset = -profile_sample(s->b->profile, q.x, q.y);
  int side = fabsf(s->n.z) > 0.6f, glass;
  if (side)
    glass = inset > m->amount && fabsf(q.x - m->phase) > 0.03f;
  else
    glass = s->n.y < 0.8f && q.y < m->scale && q.y > s->b->profile->lo_y + 0.17f &&
            fabsf(q.z) < s->b->a[0] - 0.09f;
  if (glass && q.y > m->extra) paint_part(s->o, v3_make(0.012f, 0.02f, 0.028f), 1, 3, 0.16f, 0.03f);
}

static void pattern_wheel(struct spot *s) {
  float r = sqrtf(s->q.x * s->q.x + s->q.z * s->q.z), size = s->b->a[1];
  if (r > size * s->m->amount) return;
  paint_part(s->o, s->m->alt, 1, 5, 0.5f, 0.18f);
  float spoke = f_fract(f_turns(s->q.x, s->q.z) * s->m->scale);
  if (r > size * 0.16f && r < size * s->m->amount * 0.86f && spoke < 0.45f)
    s->o->albedo = v3_scale(s->m->alt, 0.12f);
}

static void pattern_spots(struct spot *s) {
  const struct material *m = s->m;
  float f = m->scale, best = 9.0f;
  v3 q = v3_make(s->q.x * f, s->q.y * f * 1.2f, s->q.z * f);
  int cx = f_floor(q.x), cy = f_floor(q.y), cz = f_floor(q.z), seed = (int)(m->phase * 1000.0f);
  for (int i = 0; i < 27; i++) {
    int x = cx + i % 3 - 1, y = cy + i / 3 % 3 - 1, z = cz + i / 9 - 1;
    if (noise_hash(x, y + seed, z + 31) > 0.6f) continue;
    float dx = (float)x + 0.2f + 0.6f * noise_hash(x + seed, y, z) - q.x;
    float dy = (float)y + 0.2f + 0.6f * noise_hash(x, y, z + seed) - q.y;
    float dz = (float)z + 0.2f + 0.6f * noise_hash(x, y + seed, z) - q.z;
    float size = m->amount * (0.6f + 0.8f * noise_hash(x + 5, y + 9, z + seed));
    best = f_min(best, (dx * dx + dy * dy + dz * dz) / (size * size));
  }
  if (s->n.y > -0.1f && best < 1.0f)
    paint(s->o, m->alt, 1);
  else
    s->o->albedo = v3_mix(s->o->flat, m->third, 0.5f * f_step(0.6f, -0.1f, s->n.y));
}

static void pattern_gills(struct spot *s) {
  float t = f_fract(f_turns(s->q.x, s->q.z) * s->m->scale);
  s->o->albedo = v3_scale(s->o->flat, t < 0.5f ? 0.6f : 1.05f);
}

static void pattern_sail(struct spot *s) {
  const struct material *m = s->m;
  int kind = (int)m->extra;
  float y = s->q.y - s->b->profile->lo_y;
  if (kind == 1 && f_fract(y * m->scale + m->phase) < m->amount) paint(s->o, m->alt, 1);
  if (kind == 2 && y < m->amount) paint(s->o, m->alt, 1);
  if (kind == 3 &&
      s->q.x > s->b->profile->lo_x + 0.45f * (s->b->profile->hi_x - s->b->profile->lo_x))
    paint(s->o, m->alt, 1);
  s->o->albedo = s->o->flat;
  if (f_fract(y * 3.6f + 0.04f * s->q.x) < 0.035f) s->o->albedo = v3_scale(s->o->flat, 0.82f);
}

/* Back and belly; on wings and tails (extra 1) rows of feathers. */
static void pattern_bird(struct spot *s) {
  const struct material *m = s->m;
  v3 q = s->q;
  if (m->extra < 0.5f) {
    float edge = q.y * 0.9f - q.x * m->scale - m->phase;
    if (edge < 0.0f) paint(s->o, m->alt, 1);
    s->o->albedo = v3_mix(m->alt, m->base, f_step(-0.06f, 0.06f, edge));
  } else {
    float row = q.x * 6.5f + 0.6f * q.y;
    float u = q.y * 9.0f + 0.5f * (float)(f_floor(row) & 1);
    float tip = f_sq(f_fract(row)) + f_sq(f_fract(u) - 0.5f);
    if (q.x < m->phase) paint(s->o, m->alt, 1);
    s->o->albedo = v3_scale(s->o->flat, 1.1f - 0.42f * f_step(0.6f, 0.95f, tip));
  }
  float f = noise3(q.x * 22.0f, q.y * 34.0f, q.z * 34.0f);
  s->o->albedo = v3_scale(s->o->albedo, 0.86f + 0.28f * f);
}

static void pattern_hull(struct spot *s) {
  const struct material *m = s->m;
  float h = s->q.z; /* local z is up */
  if (h < m->phase)
    paint(s->o, m->alt, 1);
  else if (fabsf(h - m->amount) < m->scale)
    paint(s->o, m->third, 2);
  if (s->n.z > 0.8f) paint_part(s->o, v3_make(0.42f, 0.25f, 0.11f), 3, 2, 0.05f, 0.4f);
  s->o->albedo = s->o->flat;
  if (s->n.z > 0.8f && f_fract(s->q.y * 11.0f) < 0.12f) s->o->albedo = v3_scale(s->o->flat, 0.5f);
}

static void pattern_glow(struct spot *s) {
  const struct material *m = s->m;
  const struct profile *f = s->b->profile;
  float t = (s->q.y - f->lo_y) / (f->hi_y - f->lo_y);
  if (m->extra > 0.0f && (t < m->extra || t > 1.0f - m->extra)) paint(s->o, m->alt, 1);
  float rib = m->scale > 0.0f ? f_fract(f_turns(s->q.x, s->q.z) * m->scale) : 0.5f;
  s->o->albedo = v3_scale(s->o->flat, 0.88f + 0.3f * f_min(rib, 1.0f - rib));
  s->o->glow = m->glow * (0.55f + 0.9f * (1.0f - fabsf(2.0f * t - 0.9f)) * 0.5f);
}

static void pattern_fabric(struct spot *s) {
  v3 q = s->q;
  float f = s->m->scale;
  float w = f_sin(q.x * f) * f_sin(q.y * f + q.z * f);
  s->o->albedo = v3_scale(s->o->flat, 0.92f + 0.12f * w);
}

static void apply_pattern(struct spot *s) {
  switch (s->m->pattern) {
    case PATTERN_PLAIN: break;
    case PATTERN_BANDS: pattern_bands(s); break;
    case PATTERN_DOTS: pattern_dots(s); break;
    case PATTERN_STRIPES: pattern_stripes(s); break;
    case PATTERN_DIPPED: pattern_dipped(s); break;
    case PATTERN_APPLE: pattern_apple(s); break;
    case PATTERN_WALL: pattern_wall(s); break;
    case PATTERN_ROOF: pattern_roof(s); break;
    case PATTERN_WOOD: pattern_wood(s); break;
    case PATTERN_FOLIAGE: pattern_foliage(s); break;
    case PATTERN_FISH: pattern_fish(s); break;
    case PATTERN_CAR: pattern_car(s); break;
    case PATTERN_CABIN: pattern_cabin(s); break;
    case PATTERN_SPOTS: pattern_spots(s); break;
    case PATTERN_GILLS: pattern_gills(s); break;
    case PATTERN_SAIL: pattern_sail(s); break;
    case PATTERN_BIRD: pattern_bird(s); break;
    case PATTERN_HULL: pattern_hull(s); break;
    case PATTERN_WHEEL: pattern_wheel(s); break;
    case PATTERN_GLOW: pattern_glow(s); break;
    case PATTERN_FABRIC: pattern_fabric(s); break;
    case PATTERN_FIN: pattern_fin(s); break;
  }
}

/* Of a box, those of its last two axes. */
static int face_across(v3 n) {
  return fabsf(n.y) > fabsf(n.z) ? 3 + (n.y > 0.0f) : 5 + (n.z > 0.0f);
}

/* Which of a solid's faces: their borders are creases. */
static int face_of(const struct solid *b, v3 n) {
  float x = fabsf(n.x), y = fabsf(n.y), z = fabsf(n.z);
  if (b->wave > 0.0f) return 0;
  if (b->kind == SOLID_BOX) return x > y && x > z ? 1 + (n.x > 0.0f) : face_across(n);
  if (b->kind == SOLID_CONE) return y > 0.75f ? 1 + (n.y > 0.0f) : 0;
  if (b->kind == SOLID_EXTRUDED) return z > 0.72f ? 1 + (n.z > 0.0f) : 0;
  return 0;
}

static v3 bumped(v3 p, v3 n, float strength, float scale) {
  float e = 0.35f;
  v3 q = v3_scale(p, scale);
  float h = noise3(q.x, q.y, q.z);
  v3 g = v3_make(noise3(q.x + e, q.y, q.z) - h, noise3(q.x, q.y + e, q.z) - h,
                 noise3(q.x, q.y, q.z + e) - h);
  return v3_unit(v3_mad(n, g, -strength));
}

void surface_at(const struct scene *s, int who, v3 p, v3 n, struct surface *out) {
  const struct solid *b = &s->solid[who];
  const struct material *m = &s->material[b->material];
  memset(out, 0, sizeof *out);
  out->part = b->part;
  out->gloss = m->gloss;
  out->rough = m->rough;
  out->glow = m->glow;
  out->flat = m->base;
  out->albedo = v3_make(-1.0f, 0.0f, 0.0f);
  struct spot spot = {m, b, solid_local(b, p), solid_local_direction(b, n), out};
  if (b->op == OP_CUT) spot.n = v3_scale(spot.n, -1.0f);
  out->face = face_of(b, spot.n);
  apply_pattern(&spot);
  if (out->albedo.x < 0.0f || s->plain) out->albedo = out->flat;
  if (m->grain > 0.0f) {
    float g = noise3(p.x * 7.0f + 3.0f, p.y * 7.0f, p.z * 7.0f) +
              0.6f * noise3(p.x * 31.0f, p.y * 31.0f, p.z * 31.0f) - 0.8f;
    out->albedo = v3_scale(out->albedo, 1.0f + m->grain * g);
  }
  out->normal = m->bump > 0.0f ? bumped(p, n, m->bump, 26.0f) : n;
}
