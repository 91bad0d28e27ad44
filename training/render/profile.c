/* SPDX-License-Identifier: Apache-2.0
 *
 * profile.c: closed plane curves and their signed-distance grids.
 *
 * A curve of control points becomes a polygon (Catmull-Rom between smooth points, straight into
 * corners), the polygon a grid of exact distances, and the grid is read with quadratic
 * B-splines: normals are smooth, and corners get the small bevel that catches light on real
 * things. Reading costs the same however involved the outline is.
 */
#include "scene.h"

enum { CURVE_STEPS = 6, MAX_POLYGON = 64 * CURVE_STEPS };

void curve_smooth(struct curve *c, float x, float y) {
  c->x[c->n] = x;
  c->y[c->n] = y;
  c->corner[c->n++] = 0;
}

void curve_corner(struct curve *c, float x, float y) {
  curve_smooth(c, x, y);
  c->corner[c->n - 1] = 1;
}

void curve_mirror(struct curve *c) {
  for (int i = c->n - 1; i >= 0; i--) {
    if (c->x[i] > 1e-4f) {
      curve_smooth(c, -c->x[i], c->y[i]);
      c->corner[c->n - 1] = c->corner[i];
    }
  }
}

/* Points of the span from control point i to the next, excluding its end. */
static int span_points(const struct curve *c, int i, float *x, float *y) {
  int h = (i + c->n - 1) % c->n, j = (i + 1) % c->n, k = (j + 1) % c->n;
  if (c->corner[i] && c->corner[j]) {
    x[0] = c->x[i];
    y[0] = c->y[i];
    return 1;
  }
  float dx = c->x[j] - c->x[i], dy = c->y[j] - c->y[i];
  float ax = c->corner[i] ? dx : 0.5f * (c->x[j] - c->x[h]),
        ay = c->corner[i] ? dy : 0.5f * (c->y[j] - c->y[h]);
  float bx = c->corner[j] ? dx : 0.5f * (c->x[k] - c->x[i]),
        by = c->corner[j] ? dy : 0.5f * (c->y[k] - c->y[i]);
  for (int n = 0; n < CURVE_STEPS; n++) {
    float t = (float)n / CURVE_STEPS, t2 = t * t, t3 = t2 * t;
    float h1 = 3.0f * t2 - 2.0f * t3, h0 = 1.0f - h1, g0 = t3 - 2.0f * t2 + t, g1 = t3 - t2;
    x[n] = h0 * c->x[i] + h1 * c->x[j] + g0 * ax + g1 * bx;
    y[n] = h0 * c->y[i] + h1 * c->y[j] + g0 * ay + g1 * by;
  }
  return CURVE_STEPS;
}

/* One grid row: distance to every polygon side, sign by crossings. */
static void bake_row(struct profile *p, int row, const float *x, const float *y, int n) {
  float best[PROFILE_GRID], sign[PROFILE_GRID];
  float py = p->y0 + p->step * (float)row;
  for (int i = 0; i < p->nx; i++) {
    best[i] = 1e9f;
    sign[i] = 1.0f;
  }
  for (int k = 0; k < n; k++) {
    int m = k + 1 == n ? 0 : k + 1;
    float ax = x[k], ay = y[k], bx = x[m] - ax, by = y[m] - ay, wy = py - ay;
    float inv = 1.0f / (bx * bx + by * by + 1e-12f);
    int crosses = (ay > py) != (y[m] > py);
    float at = crosses ? ax + bx * wy / by : -1e9f;
    for (int i = 0; i < p->nx; i++) {
      float px = p->x0 + p->step * (float)i, wx = px - ax;
      float t = (wx * bx + wy * by) * inv;
      t = t < 0.0f ? 0.0f : t;
      t = t > 1.0f ? 1.0f : t;
      float ex = wx - bx * t, ey = wy - by * t, q = ex * ex + ey * ey;
      best[i] = q < best[i] ? q : best[i];
      sign[i] = px < at ? -sign[i] : sign[i];
    }
  }
  for (int i = 0; i < p->nx; i++) p->d[row * PROFILE_GRID + i] = sqrtf(best[i]) * sign[i];
}

static void bake_frame(struct profile *p, const float *x, const float *y, int n) {
  p->lo_x = p->lo_y = 1e9f;
  p->hi_x = p->hi_y = -1e9f;
  for (int k = 0; k < n; k++) {
    p->lo_x = f_min(p->lo_x, x[k]);
    p->hi_x = f_max(p->hi_x, x[k]);
    p->lo_y = f_min(p->lo_y, y[k]);
    p->hi_y = f_max(p->hi_y, y[k]);
  }
  float w = p->hi_x - p->lo_x, h = p->hi_y - p->lo_y;
  p->step = f_max(w, h) / (float)(PROFILE_GRID - 9);
  p->inv = 1.0f / p->step;
  p->x0 = p->lo_x - 4.0f * p->step;
  p->y0 = p->lo_y - 4.0f * p->step;
  p->nx = (int)f_clamp(w * p->inv + 9.5f, 9.0f, (float)PROFILE_GRID);
  p->ny = (int)f_clamp(h * p->inv + 9.5f, 9.0f, (float)PROFILE_GRID);
}

const struct profile *profile_bake(struct scene *s, const struct curve *c) {
  float x[MAX_POLYGON], y[MAX_POLYGON];
  int n = 0;
  for (int i = 0; i < c->n; i++) n += span_points(c, i, x + n, y + n);
  struct profile *p = &s->profile[s->nprofile++];
  bake_frame(p, x, y, n);
  p->depth = 0.0f;
  for (int j = 0; j < p->ny; j++) {
    bake_row(p, j, x, y, n);
    for (int i = 0; i < p->nx; i++) p->depth = f_max(p->depth, -p->d[j * PROFILE_GRID + i]);
  }
  return p;
}

/* Value and gradient inside the grid. */
static float sample_inside(const struct profile *p, float fx, float fy, float *gx, float *gy) {
  int i = (int)(fx + 0.5f), j = (int)(fy + 0.5f);
  float t = fx - (float)i, u = fy - (float)j;
  float wx[3] = {0.5f * f_sq(0.5f - t), 0.75f - t * t, 0.5f * f_sq(0.5f + t)};
  float wy[3] = {0.5f * f_sq(0.5f - u), 0.75f - u * u, 0.5f * f_sq(0.5f + u)};
  const float *d = p->d + (j - 1) * PROFILE_GRID + i - 1;
  float r[3], g[3];
  for (int k = 0; k < 3; k++, d += PROFILE_GRID) {
    r[k] = wx[0] * d[0] + wx[1] * d[1] + wx[2] * d[2];
    g[k] = (t - 0.5f) * d[0] - 2.0f * t * d[1] + (t + 0.5f) * d[2];
  }
  *gx = (wy[0] * g[0] + wy[1] * g[1] + wy[2] * g[2]) * p->inv;
  *gy = ((u - 0.5f) * r[0] - 2.0f * u * r[1] + (u + 0.5f) * r[2]) * p->inv;
  return wy[0] * r[0] + wy[1] * r[1] + wy[2] * r[2];
}

float profile_sample(const struct profile *p, float x, float y) {
  float fx = (x - p->x0) * p->inv, fy = (y - p->y0) * p->inv, gx, gy;
  float cx = f_clamp(fx, 1.0f, (float)(p->nx - 2)), cy = f_clamp(fy, 1.0f, (float)(p->ny - 2));
  float d = sample_inside(p, cx, cy, &gx, &gy);
  if (cx == fx && cy == fy) return d;
  /* outside: distance to the surface point nearest to the clamped point, a little less to stay
   * on the safe side */
  float ex = (fx - cx) * p->step + d * gx, ey = (fy - cy) * p->step + d * gy;
  return 0.96f * sqrtf(ex * ex + ey * ey);
}
