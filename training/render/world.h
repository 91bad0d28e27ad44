/* SPDX-License-Identifier: Apache-2.0
 *
 * world.h: the studio world, a renderer of small studio photographs and of drawings of the same
 * object.
 *
 * From (class, seed, size) one call makes a ray-marched photograph and, of the very same object
 * from the very same camera, a silhouette, a part map, view-space normals, drawings in several
 * hands, a cartoon, a grey shading and a coloured-pencil picture. Shape, place, colours, light
 * and camera all come from the seed. Nothing is read from or kept outside the call, so calls may
 * run in any number of threads. Bytes are equal for equal arguments on every machine: only plain
 * IEEE arithmetic is used (build with -ffp-contract=off, never with -ffast-math).
 */
#ifndef MSK_TRAINING_WORLD_H
#define MSK_TRAINING_WORLD_H

#include <stdint.h>

/* On the umbrella nothing is trained but what is taught it; the default model knows the others. */
enum {
  WORLD_UMBRELLA = 12,
  WORLD_SHAPES = 25,
  WORLD_HANDS = 5,
  WORLD_SIZE_MIN = 16,
  WORLD_SIZE_MAX = 2048
};

/* Pictures to fill, row by row from the top left; caller-owned, each may be NULL; s = size. */
struct world_views {
  uint8_t *photo;      /* s*s*3, sRGB */
  uint8_t *silhouette; /* s*s, coverage 0..255 */
  uint8_t *parts;      /* s*s, 0 = background, else part id (README.md names them) */
  /* s*s*3, view space: 128 + 127 * (right, up, towards the camera); background 128 */
  uint8_t *normals;
  uint8_t *hands[WORLD_HANDS]; /* s*s grey: clean, wobbly pen, marker, pencil, outline only */
  uint8_t *cartoon;            /* s*s*3, flat colours and ink lines */
  uint8_t *shade;              /* s*s, grey shading on white */
  uint8_t *coloured_pencil;    /* s*s*3 */
};

/* How rich the world is. All styles of one seed show the same object; they differ in colours,
 * textures, light, tilt and framing. */
enum world_style {
  WORLD_RICH,  /* any hue, patterns, textures, a studio of its own for every picture */
  WORLD_PLAIN, /* fifteen colours, smooth surfaces, six backdrops, one studio: learned sooner */
  /* plain, and half of the objects stand as people draw them: small, off-centre, turned */
  WORLD_WIDE
};

/* Render object `seed` of class `class_id` (0..WORLD_SHAPES-1) at size x size pixels. Returns
 * 0, or -1 on a bad argument (class, style, size outside WORLD_SIZE_MIN..MAX, views NULL) or
 * lack of memory; then no picture is touched. Thread-safe. */
int world_render(int class_id, uint64_t seed, int size, enum world_style style,
                 const struct world_views *views);

/* Name of a class ("apple", ...), or NULL when class_id is out of range. Static storage. */
const char *world_class_name(int class_id);
/* What else people call it, a comma before each (", cup, teacup"; "" for nothing), to be put behind
 * the name in a model's list of classes; NULL when class_id is out of range. Static storage. */
const char *world_class_synonyms(int class_id);
/* The class of that very name, or -1; name may be NULL. */
int world_class_find(const char *name);

#endif
