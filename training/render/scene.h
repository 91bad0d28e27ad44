/* SPDX-License-Identifier: Apache-2.0
 *
 * scene.h: the inside of the studio world, shared by its source files.
 *
 * A scene is a list of solids (signed distance functions) in groups. Solids of one group are
 * blended or cut out of one another in order; groups are united. Each group has a bounding
 * sphere. The floor is y = 0, the camera looks from +z at yaw 0, and objects are about 1 unit in
 * radius. Outlines drawn in the plane are baked to distance grids (profile), then turned about
 * y, extruded along z, or puffed up like a cushion.
 */
#ifndef MSK_TRAINING_SCENE_H
#define MSK_TRAINING_SCENE_H

#include "vec.h"
#include "world.h"

enum {
  PROFILE_GRID = 96,
  MAX_PROFILES = 10,
  MAX_SOLIDS = 96,
  MAX_GROUPS = 96,
  MAX_MATERIALS = 16,
  MAX_TUBE = 8
};

enum solid_kind {
  SOLID_ELLIPSOID, /* a = radii */
  SOLID_BOX,       /* a = half sizes, rounding */
  SOLID_CONE,      /* along y: a = half height, radius below, radius above, rounding */
  /* pt[npt]: quadratic B-spline; a = radius at start, at end, flattening of z (1 = round) */
  SOLID_TUBE,
  SOLID_TORUS,  /* about y: a = large radius, small radius */
  SOLID_TURNED, /* profile (r, y) about y; a = amplitude of 5 lobes, height where they fade */
  SOLID_EXTRUDED, /* profile (x, y) along z; a = half depth, rounding, inset per unit of (top - z), narrowing per y,
                      bend x^2, bend y^2 */
  SOLID_PUFFED /* profile (x, y), a = half thickness, thickness change per x */
};

enum solid_op { OP_UNITE, OP_BLEND, OP_CUT };

struct profile {
  float x0, y0, step, inv;      /* node (i, j) lies at x0 + i*step, y0 + j*step */
  float lo_x, lo_y, hi_x, hi_y; /* bounds of the outline */
  float depth;                  /* greatest inner depth */
  int nx, ny;
  float d[PROFILE_GRID * PROFILE_GRID]; /* signed distance, negative inside */
};

enum pattern {
  PATTERN_PLAIN,
  PATTERN_BANDS,
  PATTERN_DOTS,
  PATTERN_STRIPES,
  PATTERN_DIPPED,
  PATTERN_APPLE,
  PATTERN_WALL,
  PATTERN_ROOF,
  PATTERN_WOOD,
  PATTERN_FOLIAGE,
  PATTERN_FISH,
  PATTERN_CAR,
  PATTERN_CABIN,
  PATTERN_SPOTS,
  PATTERN_GILLS,
  PATTERN_SAIL,
  PATTERN_BIRD,
  PATTERN_HULL,
  PATTERN_WHEEL,
  PATTERN_GLOW,
  PATTERN_FABRIC,
  PATTERN_FIN
};

struct material {
  v3 base, alt, third; /* linear light */
  enum pattern pattern;
  float scale, phase, amount, extra; /* meaning is the pattern's */
  float gloss;                       /* mirror part at normal incidence, 0..1 */
  float rough;                       /* blur of the mirrored lights, 0.02 (glass) .. 1 */
  float grain;                       /* strength of a fine variation of brightness */
  float bump;                        /* strength of surface unevenness */
  float glow;                        /* own light */
};

struct solid {
  enum solid_kind kind;
  enum solid_op op;
  float blend;
  int group;
  int part, line, material; /* line: borders between different line ids are drawn */
  v3 pos, ax, ay, az;       /* local axes as rows, world to local */
  float a[6];
  v3 pt[MAX_TUBE];
  int npt;
  const struct profile *profile;
  float wave, wave_scale; /* leafy displacement */
  v3 centre;              /* bounding sphere */
  float radius;
};

struct group {
  int first, count;
  v3 centre;
  float radius;
};

struct view_range {             /* what the class allows the camera, radians */
  float yaw, pitch, roll, lens; /* lens: distance in object radii */
  /* share of the frame, place in it (0..1); fill 0: chosen by photo_render */
  float fill, at_x, at_y;
};

struct scene {
  int class_id;
  int plain; /* the plain style: no textures, one studio */
  struct rng rng;
  int nsolid, ngroup, nmaterial, nprofile;
  struct solid solid[MAX_SOLIDS];
  struct group group[MAX_GROUPS];
  struct material material[MAX_MATERIALS];
  struct profile profile[MAX_PROFILES];
  v3 centre; /* bounding sphere of all */
  float radius;
  float lift; /* height of the object above the floor (fish) */
  float gap;  /* jump in depth that counts as an edge */
  struct view_range view;
};

/* What the surface is at one point. */
struct surface {
  v3 albedo, flat; /* with and without texture, linear light */
  float gloss, rough, glow;
  int part, decal, face;
  v3 normal;
};

/* A closed curve under construction: control points, smooth or corners. */
struct curve {
  int n;
  float x[64], y[64];
  uint8_t corner[64];
};

/* profile.c */
void curve_smooth(struct curve *c, float x, float y);
void curve_corner(struct curve *c, float x, float y);
/* append the mirror image in x, so that the curve closes about the y axis */
void curve_mirror(struct curve *c);
const struct profile *profile_bake(struct scene *s, const struct curve *c);
float profile_sample(const struct profile *p, float x, float y);

/* solid.c */
float solid_distance(const struct solid *b, v3 p);
v3 solid_local(const struct solid *b, v3 p);
v3 solid_local_direction(const struct solid *b, v3 d);
/* turn about a world axis through the solid's origin */
void solid_turn(struct solid *b, int axis, float angle);
void solid_bound(struct solid *b);

/* scene.c: scene_add starts a group; scene_blend and scene_cut work on the last one. */
struct solid *scene_add(struct scene *s, enum solid_kind kind, int part, int material);
struct solid *scene_blend(struct scene *s, enum solid_kind kind, int part, int material,
                          float blend);
struct solid *scene_cut(struct scene *s, enum solid_kind kind, int part, int material);
int scene_material(struct scene *s, v3 base, float gloss, float rough);
void scene_finish(struct scene *s); /* bounds; call once after the last solid */
float scene_distance(const struct scene *s, v3 p, int *who);
/* may be too small far away: for primary rays */
float scene_distance_far(const struct scene *s, v3 p);
/* exact below limit, else limit: cheap */
float scene_distance_within(const struct scene *s, v3 p, float limit);
/* to the group of solid `who` alone */
float scene_distance_near(const struct scene *s, int who, v3 p);

/* surface.c */
void surface_at(const struct scene *s, int who, v3 p, v3 n, struct surface *out);

/* plain.c: bring a finished scene to the plain style; its backdrop (linear light). */
void plain_scene(struct scene *s);
v3 plain_backdrop(const struct scene *s, struct rng *rng);

/* plain.c: half of the seeds get a frame of their own: small, anywhere, turned. */
void wide_scene(struct scene *s, uint64_t seed);

/* shapes_*.c: each fills the solids, materials and view of its class. */
void shape_apple(struct scene *s);
void shape_mug(struct scene *s);
void shape_house(struct scene *s);
void shape_fish(struct scene *s);
void shape_tree(struct scene *s);
void shape_car(struct scene *s);
void shape_teapot(struct scene *s);
void shape_sailboat(struct scene *s);
void shape_mushroom(struct scene *s);
void shape_bird(struct scene *s);
void shape_chair(struct scene *s);
void shape_lamp(struct scene *s);
void shape_umbrella(struct scene *s);
void shape_cat(struct scene *s);
void shape_dog(struct scene *s);
void shape_butterfly(struct scene *s);
void shape_shoe(struct scene *s);
void shape_hat(struct scene *s);
void shape_guitar(struct scene *s);
void shape_flower(struct scene *s);
void shape_sun(struct scene *s);
void shape_bicycle(struct scene *s);
void shape_aeroplane(struct scene *s);
void shape_cactus(struct scene *s);
void shape_bottle(struct scene *s);

/* photo.c: one sample a pixel centre, kept for the drawings. */
struct sample {
  v3 colour, flat, normal, p;      /* colour: linear light; normal, p: world */
  float t, light;                  /* light: brightness of the shading without colour, 0..1 */
  uint8_t part, line, face, decal; /* part 0: background */
};

struct camera {
  v3 eye, right, up, forward;
  float u0, v0, window; /* top left and width of the picture in the plane at distance 1 */
};

enum { PICTURE_CELL = 6, PICTURE_NODE = 2 };

struct picture {
  int size;
  struct scene *scene;
  struct camera camera;
  struct sample *sample; /* size*size */
  /* per cell of PICTURE_CELL pixels: distance where its rays start, or -1: nothing there */
  float *start;
  /* per node of a grid of PICTURE_NODE pixels: light on the floor there, or -1: not known */
  float *floor_light;
  int cells, nodes; /* a side */
  uint8_t *edge;    /* size*size: pixel was supersampled */
};

void photo_render(struct picture *pic, const struct world_views *views, struct rng *rng);

/* strokes.c: edges of the samples as smooth polylines. */
enum stroke_kind { STROKE_OUTLINE = 1, STROKE_PART, STROKE_CREASE, STROKE_DECAL };

struct stroke {
  int first, count; /* points */
  uint8_t kind, closed;
};

struct strokes {
  int n, cap, npt, ptcap;
  struct stroke *stroke;
  float *x, *y; /* pixels */
};

int strokes_trace(const struct picture *pic, struct strokes *out); /* 0, or -1 without memory */
void strokes_free(struct strokes *s);

/* hands.c */
/* One drawing: fills ink (size*size, 0..1), returns the white of the paper. */
float hands_draw(const struct strokes *s, int size, int hand, struct rng *rng, float *ink);
int hands_render(const struct picture *pic, const struct strokes *s, const struct world_views *v,
                 uint64_t seed);

/* flat.c */
int flat_render(const struct picture *pic, const struct strokes *s, const struct world_views *v,
                uint64_t seed);

#endif
