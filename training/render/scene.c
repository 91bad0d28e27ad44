/* SPDX-License-Identifier: Apache-2.0
 *
 * scene.c: building a scene from solids, and its distance field.
 */
#include "scene.h"

static struct solid *new_solid(struct scene *s, enum solid_kind kind, int part, int material) {
  struct solid *b = &s->solid[s->nsolid < MAX_SOLIDS ? s->nsolid++ : MAX_SOLIDS - 1];
  memset(b, 0, sizeof *b);
  b->kind = kind;
  b->part = b->line = part;
  b->material = material;
  b->ax = v3_make(1.0f, 0.0f, 0.0f);
  b->ay = v3_make(0.0f, 1.0f, 0.0f);
  b->az = v3_make(0.0f, 0.0f, 1.0f);
  if (kind == SOLID_TUBE) b->a[2] = 1.0f;
  return b;
}

struct solid *scene_add(struct scene *s, enum solid_kind kind, int part, int material) {
  struct group *g = &s->group[s->ngroup];
  g->first = s->nsolid;
  g->count = 1;
  struct solid *b = new_solid(s, kind, part, material);
  b->group = s->ngroup++;
  return b;
}

struct solid *scene_blend(struct scene *s, enum solid_kind kind, int part, int material,
                          float blend) {
  struct solid *b = new_solid(s, kind, part, material);
  s->group[s->ngroup - 1].count++;
  b->group = s->ngroup - 1;
  b->op = OP_BLEND;
  b->blend = blend;
  return b;
}

struct solid *scene_cut(struct scene *s, enum solid_kind kind, int part, int material) {
  struct solid *b = scene_blend(s, kind, part, material, 0.0f);
  b->op = OP_CUT;
  return b;
}

int scene_material(struct scene *s, v3 base, float gloss, float rough) {
  struct material *m = &s->material[s->nmaterial];
  memset(m, 0, sizeof *m);
  m->base = m->alt = m->third = base;
  m->gloss = gloss;
  m->rough = rough;
  m->scale = 1.0f;
  return s->nmaterial++;
}

/* Grow sphere (c, r) to hold sphere (d, q). */
static void sphere_join(v3 *c, float *r, v3 d, float q) {
  float l = v3_len(v3_sub(d, *c));
  if (l + q <= *r) return;
  if (l + *r <= q) {
    *c = d;
    *r = q;
    return;
  }
  float n = 0.5f * (l + q + *r);
  *c = v3_mad(*c, v3_sub(d, *c), (n - *r) / (l + 1e-9f));
  *r = n;
}

void scene_finish(struct scene *s) {
  for (int g = 0; g < s->ngroup; g++) {
    struct group *u = &s->group[g];
    for (int i = 0; i < u->count; i++) {
      struct solid *b = &s->solid[u->first + i];
      b->pos.y += s->lift;
      solid_bound(b);
      if (i == 0) {
        u->centre = b->centre;
        u->radius = b->radius;
      } else if (b->op != OP_CUT) {
        sphere_join(&u->centre, &u->radius, b->centre, b->radius + 0.25f * b->blend);
      }
    }
    if (g == 0) {
      s->centre = u->centre;
      s->radius = u->radius;
    } else {
      sphere_join(&s->centre, &s->radius, u->centre, u->radius);
    }
  }
}

static float group_distance(const struct scene *s, const struct group *u, v3 p, int *who) {
  float d = 1e9f;
  for (int i = u->first; i < u->first + u->count; i++) {
    const struct solid *b = &s->solid[i];
    if (b->op != OP_CUT) {
      v3 q = v3_sub(p, b->centre);
      float reach = d + b->blend + b->radius;
      if (reach < 0.0f || v3_dot(q, q) > reach * reach) continue;
    }
    float e = solid_distance(b, p);
    if (b->op == OP_CUT) {
      if (-e > d) {
        d = -e;
        *who = i;
      }
      continue;
    }
    int nearer = e < d;
    if (b->op == OP_BLEND && d < 1e8f && b->blend > 0.0f) {
      float h = f_max(b->blend - fabsf(e - d), 0.0f) / b->blend;
      d = f_min(d, e) - h * h * b->blend * 0.25f;
    } else {
      d = f_min(d, e);
    }
    if (nearer) *who = i;
  }
  return d;
}

float scene_distance(const struct scene *s, v3 p, int *who) {
  float d = 1e9f;
  for (int g = 0; g < s->ngroup; g++) {
    const struct group *u = &s->group[g];
    v3 q = v3_sub(p, u->centre);
    float reach = d + u->radius;
    if (reach < 0.0f || v3_dot(q, q) > reach * reach) continue;
    int w = u->first;
    float e = group_distance(s, u, p, &w);
    if (e < d) {
      d = e;
      *who = w;
    }
  }
  return d;
}

float scene_distance_within(const struct scene *s, v3 p, float limit) {
  float d = limit;
  for (int g = 0; g < s->ngroup; g++) {
    const struct group *u = &s->group[g];
    v3 q = v3_sub(p, u->centre);
    float reach = d + u->radius;
    if (reach < 0.0f || v3_dot(q, q) > reach * reach) continue;
    int w;
    d = f_min(d, group_distance(s, u, p, &w));
  }
  return d;
}

float scene_distance_near(const struct scene *s, int who, v3 p) {
  int w;
  return group_distance(s, &s->group[s->solid[who].group], p, &w);
}

float scene_distance_far(const struct scene *s, v3 p) {
  float d = 1e9f;
  for (int g = 0; g < s->ngroup; g++) {
    const struct group *u = &s->group[g];
    v3 q = v3_sub(p, u->centre);
    float l2 = v3_dot(q, q), reach = d + u->radius, near = u->radius + 0.3f;
    if (reach < 0.0f || l2 > reach * reach) continue;
    int w;
    float e = l2 > near * near ? sqrtf(l2) - u->radius : group_distance(s, u, p, &w);
    d = f_min(d, e);
  }
  return d;
}
