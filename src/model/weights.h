/* SPDX-License-Identifier: Apache-2.0
 *
 * weights.h - binding tensor names to fields. A network describes itself as groups (one residual
 * block, one transformer layer, ...), each a table of rows: name, shape in terms of the group's
 * sizes, field. The same rows drive the check of every shape, the loading, the listing of a
 * network's tensors, and so converting, training and random networks; a name or a shape stands in
 * one place. Tensors are bound to rows once, in one pass that checks them; sizes come from the
 * file and are foreign, and no memory is taken before. A loader is used by one thread. */
#ifndef MSK_MODEL_WEIGHTS_H
#define MSK_MODEL_WEIGHTS_H

#include <stdbool.h>

#include "compute/backend.h"
#include "tensor/weight_file.h"

enum { MSK_WEIGHT_NAME = 160, MSK_WEIGHT_RANK = 4 };
#define MSK_WEIGHT_MAX_SIDE ((size_t)1 << 20) /* largest side of a tensor that is believed */

typedef enum msk_weight_form {
  MSK_WEIGHT_SCRATCH, /* float32 in scratch memory until the next group is loaded */
  MSK_WEIGHT_KEPT,    /* float32 that stays (norms, embeddings) */
  /* as it lies in the file, if it can be packed from there, else float32 in scratch memory;
   * until the group is done with */
  MSK_WEIGHT_STORED,
  /* as STORED, and may be stored in int8 with a scale for each column, an element of its last
   * side */
  MSK_WEIGHT_INT8_1,
  MSK_WEIGHT_INT8_2 /* of its last two sides */
} msk_weight_form;

/* A tensor in one of the last three forms: F32 or F16, or I8 where the loader wants int8: element
 * i is that times scales[i % columns]. */
typedef struct msk_weight_stored {
  const void *at;
  msk_dtype dtype;
  const float *scales;
} msk_weight_stored;

typedef struct msk_weight_row {
  const char *name; /* below the group's prefix */
  msk_weight_form form;
  int rank;
  unsigned char sides[MSK_WEIGHT_RANK]; /* indices into the group's sizes */
  /* offset of a `float *` in the group's fields; from STORED on: of a msk_weight_stored */
  size_t field;
} msk_weight_row;

static inline bool msk_weight_is_stored(const msk_weight_row *row) {
  return row->form >= MSK_WEIGHT_STORED;
}
/* Sides that make the columns of a tensor that may be stored in int8; 0: it may not. */
static inline int msk_weight_outputs(const msk_weight_row *row) {
  return row->form > MSK_WEIGHT_STORED ? (int)(row->form - MSK_WEIGHT_STORED) : 0;
}

/* behind an int8 tensor's name: the F32 tensor with its scales */
#define MSK_WEIGHT_SCALES "_scales"

typedef struct msk_weight_group {
  /* below the network's prefix, with its dot: "encoder.ResBlock_3." */
  char prefix[MSK_WEIGHT_NAME];
  const msk_weight_row *rows;
  size_t row_count;
  size_t sizes[8];
} msk_weight_group;

#define MSK_WEIGHT_ROWS(group, table) \
  ((group)->rows = (table), (group)->row_count = sizeof(table) / sizeof *(table))

/* Fills in the index-th group of a network with this configuration; false past the end. */
typedef bool msk_weight_groups(const void *config, size_t index, msk_weight_group *group);

/* A row and what the file has for it. */
typedef struct msk_weight_bound {
  const msk_weight_row *row;
  size_t group;
  const msk_tensor *tensor, *scales; /* scales: of a tensor in int8, else NULL */
} msk_weight_bound;

typedef struct msk_weight_loader {
  const msk_weight_file *file;
  /* prefix of the network's tensors; a question that ends shape errors ("is this the 256-pixel
   * tokenizer?") */
  const char *prefix, *hint;
  const msk_device *device; /* NULL: the file is checked, and nothing is loaded */
  bool int8;      /* tensors in int8 are wanted as they are; otherwise they are multiplied out */
  msk_pool *pool; /* reads and converts; NULL: the caller's thread alone */
  msk_error *error;
  /* what binding found, in the table's order; loading has come to `next` */
  msk_weight_bound *bound;
  size_t count, next;
  /* largest group's scratch; all that is kept, which is handed to the network, who gives it back */
  float *scratch, *kept;
  size_t scratch_floats, kept_floats, kept_used;
} msk_weight_loader;

/* The tensor prefix + name + number + rest (number -1: name alone), or NULL. */
const msk_tensor *msk_weight_find(const msk_weight_loader *loader, const char *name, int number,
                                  const char *rest);
/* 1 + the highest number below `limit` for which name, number, rest or name, number, other is
 * there; 0: none. Two witnesses, so that a file that lacks one of them still counts right and
 * the check names what is missing. */
size_t msk_weight_count(const msk_weight_loader *loader, const char *name, const char *rest,
                        const char *other, size_t limit);
/* The error for a tensor (whole name) that is not there. */
msk_status msk_weight_fail_missing(const msk_weight_loader *loader, const char *name);
/* The tensor with that rank, sides within 1..MSK_WEIGHT_MAX_SIDE; otherwise an error that names
 * it. */
msk_status msk_weight_need(const msk_weight_loader *loader, const char *name, int number,
                           const char *rest, int rank, const msk_tensor **tensor);

/* Finds every tensor of the network and refuses one that is missing or has another type or shape
 * than its row, and what the file holds beside them under the prefix. */
msk_status msk_weights_bind(msk_weight_loader *loader, msk_weight_groups *groups,
                            const void *config);
/* Reads the next group of a bound table into *fields. NaN and infinity, int8 weights and scales
 * out of range are refused, naming the tensor. What the group before had in scratch memory and in
 * the file's pages is gone. On a device that measures nothing is read. */
msk_status msk_weights_next(msk_weight_loader *loader, void *fields);
/* After binding, whatever became of it: all but what is kept goes. */
void msk_weights_end(msk_weight_loader *loader);

/* A tensor by itself, all of it in float32: of one in int8, its scales are found beside it. Values
 * and scales out of range are refused, naming the tensor, and so are scales that do not fit. */
msk_status msk_weight_values(const msk_weight_file *file, const msk_tensor *tensor, float *values,
                             msk_error *error);

/* Lists a network's tensors: names below the prefix, F32, no data. Stops at the first status
 * that is not MSK_OK and returns it. */
typedef msk_status msk_weight_visit(void *user, const msk_tensor *tensor);
msk_status msk_weights_each(msk_weight_groups *groups, const void *config, msk_weight_visit *visit,
                            void *user);
/* Sides that make the columns of the network's tensor of that name (below the prefix) if it may
 * be stored in int8, else 0. */
int msk_weights_outputs(msk_weight_groups *groups, const void *config, const char *name);
bool msk_weight_is_scales(const char *name);

/* Bounded formatting for messages: "3x3x128x256". */
void msk_shape_text(char *text, size_t bytes, int rank, const size_t *shape);
#endif
