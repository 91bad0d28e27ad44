/* SPDX-License-Identifier: Apache-2.0
 *
 * items.h - what is drawn from: unseen renders and the drawings by hand, each with the
 * shape that a picture of it should have. */
#ifndef MSK_QUALITY_ITEMS_H
#define MSK_QUALITY_ITEMS_H

#include "pen.h"
#include "world.h"

enum { QUALITY_MAX_ITEMS = 4096 };

/* Those of the world's objects that are drawn, as indices of the world. */
typedef struct kind_list {
  int count, kinds[WORLD_SHAPES];
} kind_list;

struct item {
  char name[64];
  int kind;         /* that a picture is asked for */
  int group;        /* kind of the drawing: its shape is compared with others of the group */
  msk_image sketch; /* as the program gets it, model's size */
  msk_image photo;  /* renders: the true photo; else empty */
  uint8_t *shape;   /* side x side, 0 or 1; NULL: the drawing has none */
};

typedef struct item_list {
  struct item *items;
  int count;
  /* holes count as filled, in drawn shapes and in pictures: a drawing does not tell a hole from
   * a surface */
  bool solid;
} item_list;

enum half { HALF_TUNING = 1, HALF_REPORTING = 2, HALF_BOTH = 3 };

typedef struct item_options {
  int size, side; /* pixels of the model's pictures; of the judge's silhouettes */
  enum world_style style;
  const kind_list *kinds;
  int drawings;        /* renders of a kind */
  enum half half;      /* of the hand-drawn */
  int per_kind;        /* robustness: sketches of a kind; 0: all */
  msk_fit fit;         /* how the hand-drawn are brought to the model's square */
  const char *strokes; /* folder of stroke files */
  const char *cache;   /* folder of rendered pictures */
} item_options;

/* Renders with seeds that neither the generator nor the judge saw; hand of drawing k of a kind:
 * k mod 5. Kept in the cache. `reference`: another set of seeds, whose photos Frechet distances
 * are taken to. */
msk_status items_render(item_list *list, const item_options *options, bool reference,
                        msk_error *error);
/* The sketches by hand, plain pen. */
msk_status items_sketches(item_list *list, const item_options *options, msk_error *error);
/* The index-th variation of sketches (*name, *meaning); false past the end. */
bool items_variation(int index, const char **name, const char **meaning);
msk_status items_vary(item_list *list, const item_options *options, int index, msk_error *error);
void items_free(item_list *list);

/* Fills what the outside cannot reach (4-connected from the border). */
void shape_fill(uint8_t *shape, int side);
double shape_iou(const uint8_t *a, const uint8_t *b, int side);

#endif
