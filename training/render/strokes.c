/* SPDX-License-Identifier: Apache-2.0
 *
 * strokes.c: the lines a draughtsman would draw, as polylines.
 *
 * Lines run between pixels: on the borders between object and backdrop (outline), between things
 * or depths (part), between the faces of one thing (crease) and around painted things (decal).
 * The borders are followed from junction to junction, kind by kind, and the pixel steps are
 * smoothed away, so that hands.c can draw them with any pen.
 */
#include "scene.h"

#include <stdlib.h>

struct lattice {
  int n; /* pixels a side; vertices are 0..n */
  /* (n+1)^2: kind of the border from vertex (x, y) to (x+1, y), and to (x, y+1) */
  uint8_t *edge[2];
};

static uint8_t border_kind(const struct sample *a, const struct sample *b, float gap) {
  if (!a->part && !b->part) return 0;
  if (!a->part || !b->part) return STROKE_OUTLINE;
  if (a->line != b->line) return STROKE_PART;
  v3 d = v3_sub(b->p, a->p);
  if (f_min(fabsf(v3_dot(a->normal, d)), fabsf(v3_dot(b->normal, d))) > gap) return STROKE_PART;
  if (a->decal != b->decal) return STROKE_DECAL;
  return a->face != b->face ? STROKE_CREASE : 0;
}

static void lattice_fill(struct lattice *l, const struct picture *pic) {
  int n = l->n, w = n + 1;
  for (int y = 0; y < n; y++)
    for (int x = 0; x < n; x++) {
      const struct sample *a = &pic->sample[(size_t)y * (size_t)n + (size_t)x];
      if (x > 0) l->edge[1][y * w + x] = border_kind(a - 1, a, pic->scene->gap);
      if (y > 0) l->edge[0][y * w + x] = border_kind(a - n, a, pic->scene->gap);
    }
}

/* The border in direction dir (0 right, 1 down, 2 left, 3 up) from a vertex, or NULL. */
static uint8_t *lattice_edge(const struct lattice *l, int x, int y, int dir) {
  x -= dir == 2;
  y -= dir == 3;
  if (x < 0 || y < 0) return NULL;
  return &l->edge[dir & 1][y * (l->n + 1) + x];
}

static int lattice_degree(const struct lattice *l, int x, int y, uint8_t kind, int *first) {
  int count = 0;
  for (int dir = 3; dir >= 0; dir--) {
    const uint8_t *e = lattice_edge(l, x, y, dir);
    if (e && *e == kind) {
      count++;
      *first = dir;
    }
  }
  return count;
}

static int strokes_point(struct strokes *s, float x, float y) {
  if (s->npt == s->ptcap) {
    int cap = s->ptcap ? 2 * s->ptcap : 4096;
    float *nx = realloc(s->x, sizeof *nx * (size_t)cap);
    if (nx) s->x = nx;
    float *ny = realloc(s->y, sizeof *ny * (size_t)cap);
    if (ny) s->y = ny;
    if (!nx || !ny) return -1;
    s->ptcap = cap;
  }
  s->x[s->npt] = x;
  s->y[s->npt++] = y;
  return 0;
}

static int strokes_new(struct strokes *s, uint8_t kind) {
  if (s->n == s->cap) {
    int cap = s->cap ? 2 * s->cap : 256;
    struct stroke *p = realloc(s->stroke, sizeof *p * (size_t)cap);
    if (!p) return -1;
    s->stroke = p;
    s->cap = cap;
  }
  struct stroke *k = &s->stroke[s->n++];
  k->first = s->npt;
  k->count = 0;
  k->kind = kind;
  k->closed = 0;
  return 0;
}

/* Pull a line taut inside the band where the true border can lie, half a pixel to each side:
 * steps of the raster become straight lines and round arcs, corners stay. home: the unsmoothed
 * points. Ends of open lines stay. */
static void smooth(float *v, const float *home, int n, int closed) {
  for (int pass = 0; pass < 48; pass++) {
    float first = v[0], before = closed ? v[n - 1] : v[0];
    for (int i = 0; i < n; i++) {
      float here = v[i], end = closed ? first : here, next = i + 1 < n ? v[i + 1] : end;
      if (closed || (i > 0 && i + 1 < n))
        v[i] = f_clamp(0.25f * before + 0.5f * here + 0.25f * next, home[i] - 0.6f, home[i] + 0.6f);
      before = here;
    }
  }
}

/* Smooth the last stroke. */
static int smooth_last(struct strokes *s) {
  struct stroke *k = &s->stroke[s->n - 1];
  float *home = malloc(sizeof *home * 2 * (size_t)k->count);
  if (!home) return -1;
  memcpy(home, s->x + k->first, sizeof *home * (size_t)k->count);
  memcpy(home + k->count, s->y + k->first, sizeof *home * (size_t)k->count);
  smooth(s->x + k->first, home, k->count, k->closed);
  smooth(s->y + k->first, home + k->count, k->count, k->closed);
  free(home);
  return 0;
}

/* Follow one line of a kind from a vertex until a junction, its end, or its start again; borders
 * are used up. */
static int follow(struct lattice *l, struct strokes *s, int x, int y, uint8_t kind, int loop) {
  static const int dx[4] = {1, 0, -1, 0}, dy[4] = {0, 1, 0, -1};
  int sx = x, sy = y, dir = 0;
  if (strokes_new(s, kind)) return -1;
  struct stroke *k = &s->stroke[s->n - 1];
  if (!loop && strokes_point(s, (float)x, (float)y)) return -1;
  int left = lattice_degree(l, x, y, kind, &dir);
  while (left > 0) {
    *lattice_edge(l, x, y, dir) = 0;
    float mx = (float)x + 0.5f * (float)dx[dir], my = (float)y + 0.5f * (float)dy[dir];
    x += dx[dir];
    y += dy[dir];
    if (strokes_point(s, mx, my)) return -1;
    if (loop && x == sx && y == sy) {
      k->closed = 1;
      break;
    }
    left = lattice_degree(l, x, y, kind, &dir);
    if (left != 1) break;
  }
  if (!k->closed && strokes_point(s, (float)x, (float)y)) return -1;
  k->count = s->npt - k->first;
  return smooth_last(s);
}

/* Keep every second point; drop lines too short to be meant. */
static void thin_last(struct strokes *s, int size) {
  struct stroke *k = &s->stroke[s->n - 1];
  int least = k->kind == STROKE_OUTLINE ? size / 50 : size / 34, kept = 0;
  if (k->count < (least > 5 ? least : 5)) {
    s->npt = k->first;
    s->n--;
    return;
  }
  for (int i = 0; i < k->count; i++)
    if (i % 2 == 0 || i == k->count - 1) {
      s->x[k->first + kept] = s->x[k->first + i];
      s->y[k->first + kept++] = s->y[k->first + i];
    }
  k->count = kept;
  s->npt = k->first + kept;
}

static int trace_kind(struct lattice *l, struct strokes *s, uint8_t kind) {
  /* lines between ends and junctions first, then closed ones */
  for (int loop = 0; loop < 2; loop++)
    for (int y = 0; y <= l->n; y++)
      for (int x = 0; x <= l->n; x++) {
        int dir, degree = lattice_degree(l, x, y, kind, &dir);
        if (degree == 0 || (degree == 2 && !loop)) continue;
        for (int i = 0; i < degree; i++) {
          if (lattice_degree(l, x, y, kind, &dir) == 0) break;
          if (follow(l, s, x, y, kind, loop)) return -1;
          thin_last(s, l->n);
        }
      }
  return 0;
}

int strokes_trace(const struct picture *pic, struct strokes *out) {
  size_t cells = (size_t)(pic->size + 1) * (size_t)(pic->size + 1);
  struct lattice l = {pic->size, {NULL, NULL}};
  uint8_t *block = calloc(2, cells);
  if (!block) return -1;
  l.edge[0] = block;
  l.edge[1] = block + cells;
  lattice_fill(&l, pic);
  int rc = 0;
  for (int kind = STROKE_OUTLINE; kind <= STROKE_DECAL && rc == 0; kind++)
    rc = trace_kind(&l, out, (uint8_t)kind);
  free(block);
  return rc;
}

void strokes_free(struct strokes *s) {
  free(s->stroke);
  free(s->x);
  free(s->y);
  memset(s, 0, sizeof *s);
}
