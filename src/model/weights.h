/* SPDX-License-Identifier: Apache-2.0
 *
 * weights.h - binding tensor names to fields. A network describes itself as groups (one residual
 * block, one transformer layer, ...), each a table of rows: name, shape in terms of the group's
 * sizes, field. The same rows drive the check of every shape, the loading, the listing of a
 * network's tensors and the random networks of the tests; so a name or a shape stands in one
 * place. Sizes come from the file and are foreign: they are checked before memory is taken. A
 * loader is used by one thread while its network is being loaded. */
#ifndef MSK_MODEL_WEIGHTS_H
#define MSK_MODEL_WEIGHTS_H

#include <stdbool.h>

#include "base/pool.h"
#include "tensor/weight_file.h"

enum { MSK_WEIGHT_NAME = 160, MSK_WEIGHT_RANK = 4 };
#define MSK_WEIGHT_MAX_SIDE ((size_t)1 << 20) /* largest side of a tensor that is believed */

typedef enum msk_weight_form {
  MSK_WEIGHT_SCRATCH, /* float32 in scratch memory until the next group is loaded */
  MSK_WEIGHT_KEPT,    /* float32 that stays (norms, embeddings) */
  /* as it lies in the file, if it can be packed from there, else float32 in scratch memory;
   * until the group is done with */
  MSK_WEIGHT_STORED,
  /* as STORED, and may be stored in codes (I8) with a scale for each column, an element of its
   * last side */
  MSK_WEIGHT_CODED_1,
  MSK_WEIGHT_CODED_2 /* of its last two sides */
} msk_weight_form;

/* A tensor in one of the last three forms: F32 or F16, or I8 where the loader takes codes:
 * element i is a code times scales[i % columns]. */
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
/* Sides that make the columns of a tensor that may be stored in codes; 0: it may not. */
static inline int msk_weight_outputs(const msk_weight_row *row) {
  return row->form - MSK_WEIGHT_STORED > 0 ? row->form - MSK_WEIGHT_STORED : 0;
}

/* behind a tensor's name: the F32 tensor with the scales of its codes */
#define MSK_WEIGHT_SCALES "_scales"

typedef struct msk_weight_group {
  /* below the network's prefix, with its dot: "encoder.ResBlock_3." */
  char prefix[MSK_WEIGHT_NAME];
  const msk_weight_row *rows;
  size_t row_count;
  size_t sizes[8];
} msk_weight_group;

/* Fills in the index-th group of a network with this configuration; false past the end. */
typedef bool msk_weight_groups(const void *config, size_t index, msk_weight_group *group);

typedef struct msk_weight_loader {
  const msk_weight_file *file;
  /* prefix of the network's tensors; a question that ends shape errors ("is this the 256-pixel
   * tokenizer?") */
  const char *prefix, *hint;
  const msk_allocator *allocator;
  bool codes; /* codes are wanted as they are; otherwise they are multiplied out */
  /* largest group's scratch; everything that is kept (handed to the network, which frees it) */
  float *scratch, *kept;
  size_t kept_used;
  msk_pool *pool; /* reads and converts; NULL: the caller's thread alone */
  msk_error *error;
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

/* Checks that every tensor of the network is there, has the type and shape of its row, and that
 * the file holds no others under the prefix. */
msk_status msk_weights_check(const msk_weight_loader *loader, msk_weight_groups *groups,
                             const void *config);
/* Bytes that loading a checked network takes: scratch, memory that is kept, and the most that
 * one group has in the file. */
typedef struct msk_weights_sizes {
  size_t scratch, kept, mapped;
} msk_weights_sizes;
msk_weights_sizes msk_weights_measure(const msk_weight_loader *loader, msk_weight_groups *groups,
                                      const void *config);
/* Whether all that is STORED in a checked group is binary16, and so kept in it. */
bool msk_weights_halved(const msk_weight_loader *loader, const msk_weight_group *group);
/* Takes scratch and kept memory for a checked network. */
msk_status msk_weights_reserve(msk_weight_loader *loader, msk_weight_groups *groups,
                               const void *config);
/* Reads a checked group into *fields; NaN and infinity, codes and scales out of range are
 * refused, naming the tensor. */
msk_status msk_weights_load(msk_weight_loader *loader, const msk_weight_group *group, void *fields);
/* What was STORED has been packed: the file's pages are given back. */
void msk_weights_done(const msk_weight_loader *loader, const msk_weight_group *group);
/* Sides that make the columns of the network's tensor of that name (below the prefix) if it may
 * be stored in codes, else 0. */
int msk_weights_outputs(msk_weight_groups *groups, const void *config, const char *name);

/* Lists a network's tensors: names below the prefix, F32, no data. Stops at the first status
 * that is not MSK_OK and returns it. */
typedef msk_status msk_weight_visit(void *user, const msk_tensor *tensor);
msk_status msk_weights_each(msk_weight_groups *groups, const void *config, msk_weight_visit *visit,
                            void *user);

/* The tensor of a row, and the scales of one that is stored in codes, as they should be; for the
 * files of the loader itself. */
void msk_weight_expected(const char *prefix, const msk_weight_group *group,
                         const msk_weight_row *row, char name[MSK_WEIGHT_NAME], msk_tensor *tensor);
void msk_weight_expected_scales(const msk_weight_row *row, const msk_tensor *codes,
                                char name[MSK_WEIGHT_NAME], msk_tensor *scales);

bool msk_weight_is_scales(const char *name);

/* Bounded formatting for messages: "3x3x128x256". */
void msk_shape_text(char *text, size_t bytes, int rank, const size_t *shape);
#endif
