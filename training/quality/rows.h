/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.h - a row of the table: one set of drawings, one way of making pictures of them. Pictures
 * are made one by one and kept as PNG files, so a run that was stopped goes on; figures are
 * taken from the files. */
#ifndef MSK_QUALITY_ROWS_H
#define MSK_QUALITY_ROWS_H

#include "items.h"
#include "masksketch_tools.h"

enum way {
  WAY_DRAW,   /* the recipe */
  WAY_LAMBDA, /* the recipe with another lambda_structure */
  WAY_PLAIN,  /* plain MaskGIT: the class alone, no drawing */
  WAY_TOKENS, /* the true photo through its tokens */
  WAY_PHOTO   /* the true photo itself */
};

struct row {
  const char *set, *name; /* files lie at SET/ITEM-NAME.png */
  char title[96];
  enum way way;
  double lambda;
  const item_list *list;
};

/* How many pictures of a row are not there yet. */
int row_missing(const struct row *row, const char *folder);

struct painter;
typedef struct painter_options {
  const char *recipe;
  const char *const *settings; /* KEY=VALUE */
  int setting_count;
  const kind_list *kinds;
  uint64_t seed;
  int threads;
  const char *folder;
} painter_options;
/* Holds the model's sessions. `model` and what the options point to must outlive it. */
msk_status painter_open(struct painter **made, const msk_model *model,
                        const painter_options *options, msk_error *error);
void painter_close(struct painter *painter);
/* A short name for model, recipe, seed and precision: pictures made with one are not taken for
 * another's. */
const char *painter_key(const struct painter *painter);
/* Makes what is missing of a row; done() is told after each picture. */
typedef void row_done(void *user);
msk_status row_paint(struct painter *painter, const struct row *row, row_done *done, void *user,
                     msk_error *error);

/* ---- figures ---- */

/* So many pictures of one kind were taken for another; names are the world's and the judge's. */
struct mistake {
  const char *wanted, *found;
  int count;
};
enum { MAX_MISTAKES = 64 };

struct figures {
  int count;
  struct mistake mistakes[MAX_MISTAKES]; /* in the order of the list; what is beyond is left out */
  int mistake_count;
  /* NaN: has none; seconds: median */
  double class_share, iou, specificity, whole, frechet, kernel, seconds;
};

/* Looks at a row's pictures. reference: features of real renders (count 0: none). */
msk_status row_figures(struct figures *figures, const struct row *row, const char *folder,
                       msk_judge *judge, const msk_features *reference, msk_error *error);
/* Features of the list's photos; *values is allocated with malloc(). */
msk_status photo_features(msk_features *features, float **values, const item_list *list,
                          msk_judge *judge, msk_error *error);
/* A row's picture of an item. */
msk_status row_picture(msk_image *image, const struct row *row, const char *folder, int index,
                       msk_error *error);

#endif
