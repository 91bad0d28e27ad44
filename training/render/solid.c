/* SPDX-License-Identifier: Apache-2.0
 *
 * solid.c: signed distances of single solids, their placement and their bounds.
 *
 * Distances are exact or too small, never too large by more than a few percent (after Quilez's
 * collection).
 */
#include "scene.h"

v3 solid_local(const struct solid *b, v3 p) {
  v3 q = v3_sub(p, b->pos);
  return v3_make(v3_dot(b->ax, q), v3_dot(b->ay, q), v3_dot(b->az, q));
}

v3 solid_local_direction(const struct solid *b, v3 d) {
  return v3_make(v3_dot(b->ax, d), v3_dot(b->ay, d), v3_dot(b->az, d));
}

static float ellipsoid(v3 p, const float *r) {
  v3 q = v3_make(p.x / r[0], p.y / r[1], p.z / r[2]);
  v3 w = v3_make(q.x / r[0], q.y / r[1], q.z / r[2]);
  float k0 = v3_len(q), k1 = v3_len(w);
  return k0 * (k0 - 1.0f) / (k1 + 1e-6f);
}

static float box(v3 p, const float *a) {
  v3 q = v3_make(fabsf(p.x) - a[0] + a[3], fabsf(p.y) - a[1] + a[3], fabsf(p.z) - a[2] + a[3]);
  v3 m = v3_make(f_max(q.x, 0.0f), f_max(q.y, 0.0f), f_max(q.z, 0.0f));
  return v3_len(m) + f_min(f_max(q.x, f_max(q.y, q.z)), 0.0f) - a[3];
}

static float cone(v3 p, const float *a) {
  float h = a[0] - a[3], r1 = a[1] - a[3], r2 = a[2] - a[3], qx = sqrtf(p.x * p.x + p.z * p.z),
        qy = p.y;
  float kx = r2 - r1, ky = 2.0f * h;
  float cax = qx - f_min(qx, qy < 0.0f ? r1 : r2), cay = fabsf(qy) - h;
  float t = f_clamp(((r2 - qx) * kx + (h - qy) * ky) / (kx * kx + ky * ky), 0.0f, 1.0f);
  float cbx = qx - r2 + kx * t, cby = qy - h + ky * t;
  float s = cbx < 0.0f && cay < 0.0f ? -1.0f : 1.0f;
  return s * sqrtf(f_min(cax * cax + cay * cay, cbx * cbx + cby * cby)) - a[3];
}

/* Distance to one quadratic Bezier span and the parameter there: projection on the chord, then
 * Newton. */
static float bezier(v3 p, v3 a, v3 b, v3 c, float *at) {
  v3 d = v3_sub(a, p), e = v3_sub(b, a), f = v3_add(v3_sub(a, b), v3_sub(c, b)),
     chord = v3_sub(c, a);
  float t = f_clamp(-v3_dot(d, chord) / (v3_dot(chord, chord) + 1e-9f), 0.0f, 1.0f);
  v3 at_t = d;
  for (int i = 0; i < 4; i++) {
    v3 half = v3_mad(e, f, t);
    at_t = v3_mad(v3_mad(d, e, 2.0f * t), f, t * t);
    float slope = 2.0f * v3_dot(half, half) + v3_dot(at_t, f);
    t = f_clamp(t - v3_dot(at_t, half) / f_max(slope, 1e-4f), 0.0f, 1.0f);
  }
  at_t = v3_mad(v3_mad(d, e, 2.0f * t), f, t * t);
  *at = t;
  return v3_len(at_t);
}

static float tube(const struct solid *b, v3 p) {
  float best = 1e9f, flat = b->a[2];
  int spans = b->npt - 2;
  p.z /= flat;
  for (int i = 0; i < spans; i++) {
    v3 m0 = i == 0 ? b->pt[0] : v3_mix(b->pt[i], b->pt[i + 1], 0.5f);
    v3 m1 = i == spans - 1 ? b->pt[i + 2] : v3_mix(b->pt[i + 1], b->pt[i + 2], 0.5f);
    float t, d = bezier(p, m0, b->pt[i + 1], m1, &t);
    best = f_min(best, d - f_mix(b->a[0], b->a[1], ((float)i + t) / (float)spans));
  }
  return best * f_min(flat, 1.0f);
}

static float turned(const struct solid *b, v3 p) {
  float r = sqrtf(p.x * p.x + p.z * p.z);
  /* five lobes, as under an apple: cos(5 angle) is a polynomial in cos(angle) */
  if (b->a[0] != 0.0f) {
    float c = p.x / (r + 1e-5f), q = c * c;
    float five = c * (5.0f + q * (16.0f * q - 20.0f));
    r *= 1.0f - b->a[0] * five * f_step(b->a[1], b->a[1] - 0.8f, p.y);
    return 0.9f * profile_sample(b->profile, r, p.y);
  }
  return profile_sample(b->profile, r, p.y);
}

static float extruded(const struct solid *b, v3 p) {
  const float *a = b->a;
  float z = p.z - a[4] * p.x * p.x - a[5] * p.y * p.y;
  float d = profile_sample(b->profile, p.x, p.y) + a[2] * (a[0] - z) + a[1];
  float w = fabsf(z) - a[0] + a[3] * (p.y - b->profile->lo_y) + a[1];
  float mx = f_max(d, 0.0f), my = f_max(w, 0.0f);
  float slope = fabsf(a[2]) + fabsf(a[3]) + fabsf(a[4]) + fabsf(a[5]);
  return (f_min(f_max(d, w), 0.0f) + sqrtf(mx * mx + my * my) - a[1]) / (1.0f + 0.5f * slope);
}

/* An elliptic rim of the width of the greatest inner depth: a cushion. */
static float puffed(const struct solid *b, v3 p) {
  float m = b->profile->depth, d = profile_sample(b->profile, p.x, p.y);
  float thick = b->a[0] * f_max(1.0f + b->a[1] * p.x, 0.2f);
  float e = d + m, k = 0.6f * m; /* softened at the deepest place: no ridge along the middle line */
  e = e < k ? 0.5f * (e * e / k + k) : e;
  float qx = e / m, qz = p.z / thick, wx = qx / m, wz = qz / thick;
  float k0 = sqrtf(qx * qx + qz * qz), k1 = sqrtf(wx * wx + wz * wz);
  return 0.8f * k0 * (k0 - 1.0f) / (k1 + 1e-6f);
}

float solid_distance(const struct solid *b, v3 p) {
  v3 q = solid_local(b, p);
  float d = 0.0f;
  switch (b->kind) {
    case SOLID_ELLIPSOID: d = ellipsoid(q, b->a); break;
    case SOLID_BOX: d = box(q, b->a); break;
    case SOLID_CONE: d = cone(q, b->a); break;
    case SOLID_TUBE: d = tube(b, q); break;
    case SOLID_TORUS: {
      float x = sqrtf(q.x * q.x + q.z * q.z) - b->a[0];
      d = sqrtf(x * x + q.y * q.y) - b->a[1];
      break;
    }
    case SOLID_TURNED: d = turned(b, q); break;
    case SOLID_EXTRUDED: d = extruded(b, q); break;
    case SOLID_PUFFED: d = puffed(b, q); break;
  }
  if (b->wave > 0.0f && d < 2.5f * b->wave) {
    float f = b->wave_scale;
    d += b->wave * (noise3(q.x * f, q.y * f, q.z * f) +
                    0.5f * noise3(q.x * f * 2.3f, q.y * f * 2.3f, q.z * f * 2.3f) - 0.75f);
    d *= 0.75f;
  }
  return d;
}

static v3 turn_vector(v3 v, int axis, float c, float s) {
  if (axis == 0) return v3_make(v.x, c * v.y - s * v.z, s * v.y + c * v.z);
  if (axis == 1) return v3_make(c * v.x + s * v.z, v.y, c * v.z - s * v.x);
  return v3_make(c * v.x - s * v.y, s * v.x + c * v.y, v.z);
}

void solid_turn(struct solid *b, int axis, float angle) {
  float c = f_cos(angle), s = f_sin(angle);
  b->ax = turn_vector(b->ax, axis, c, s);
  b->ay = turn_vector(b->ay, axis, c, s);
  b->az = turn_vector(b->az, axis, c, s);
}

static void bound_local(const struct solid *b, v3 *lo, v3 *hi) {
  const struct profile *f = b->profile;
  float r = 0.0f;
  switch (b->kind) {
    case SOLID_CONE:
      r = f_max(b->a[1], b->a[2]);
      *hi = v3_make(r, b->a[0], r);
      break;
    case SOLID_TORUS:
      r = b->a[0] + b->a[1];
      *hi = v3_make(r, b->a[1], r);
      break;
    default: *hi = v3_make(b->a[0], b->a[1], b->a[2]); break;
  }
  *lo = v3_scale(*hi, -1.0f);
  if (b->kind == SOLID_TURNED) {
    r = f_max(f->hi_x, -f->lo_x) * (1.0f + b->a[0]);
    *lo = v3_make(-r, f->lo_y, -r);
    *hi = v3_make(r, f->hi_y, r);
  } else if (b->kind == SOLID_EXTRUDED || b->kind == SOLID_PUFFED) {
    float grow = b->kind == SOLID_EXTRUDED ? f_max(0.0f, -2.0f * b->a[0] * b->a[2]) : 0.0f;
    float x = f_max(f->hi_x, -f->lo_x), y = f_max(f->hi_y, -f->lo_y);
    float bend = b->kind == SOLID_EXTRUDED ? fabsf(b->a[4]) * x * x + fabsf(b->a[5]) * y * y
                                           : fabsf(b->a[1]) * x * b->a[0];
    *lo = v3_make(f->lo_x - grow, f->lo_y - grow, -b->a[0] - bend);
    *hi = v3_make(f->hi_x + grow, f->hi_y + grow, b->a[0] + bend);
  } else if (b->kind == SOLID_TUBE) {
    r = f_max(b->a[0], b->a[1]);
    *lo = v3_make(1e9f, 1e9f, 1e9f);
    *hi = v3_make(-1e9f, -1e9f, -1e9f);
    for (int i = 0; i < b->npt; i++) {
      v3 p = b->pt[i];
      *lo =
          v3_make(f_min(lo->x, p.x - r), f_min(lo->y, p.y - r), f_min(lo->z, (p.z - r) * b->a[2]));
      *hi =
          v3_make(f_max(hi->x, p.x + r), f_max(hi->y, p.y + r), f_max(hi->z, (p.z + r) * b->a[2]));
    }
  }
}

void solid_bound(struct solid *b) {
  v3 lo, hi;
  bound_local(b, &lo, &hi);
  v3 c = v3_scale(v3_add(lo, hi), 0.5f);
  b->radius = v3_len(v3_sub(hi, c)) + b->wave;
  b->centre = v3_add(
      b->pos, v3_add(v3_scale(b->ax, c.x), v3_add(v3_scale(b->ay, c.y), v3_scale(b->az, c.z))));
}
