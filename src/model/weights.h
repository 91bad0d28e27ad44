/* SPDX-License-Identifier: Apache-2.0
 *
 * weights.h - binding tensor names to fields. A network describes itself as groups (one residual block, one transformer layer, ...), each a
 * table of rows: name, shape in terms of the group's sizes, field. The same rows drive the check of every shape, the loading, the listing
 * of a network's tensors and the random networks of the tests; so a name or a shape stands in one place. Sizes come from the file and are
 * foreign: they are checked before memory is taken. A loader is used by one thread while its network is being loaded. */
#ifndef MSK_MODEL_WEIGHTS_H
#define MSK_MODEL_WEIGHTS_H

#include <stdbool.h>

#include "base/pool.h"
#include "tensor/weight_file.h"

enum { MSK_WEIGHT_NAME = 160, MSK_WEIGHT_RANK = 4 };
#define MSK_WEIGHT_MAX_SIDE ((size_t)1 << 20) /* largest side of a tensor that is believed */

typedef struct msk_weight_row {
  const char *name; /* below the group's prefix */
  bool keep;        /* stays as float32 (norms, embeddings); otherwise scratch memory until the next group is loaded */
  int rank;
  unsigned char sides[MSK_WEIGHT_RANK]; /* indices into the group's sizes */
  size_t field;                         /* offset of a `float *` in the group's fields */
} msk_weight_row;

typedef struct msk_weight_group {
  char prefix[MSK_WEIGHT_NAME]; /* below the network's prefix, with its dot: "encoder.ResBlock_3." */
  const msk_weight_row *rows;
  size_t row_count;
  size_t sizes[8];
} msk_weight_group;

/* Fills in the index-th group of a network with this configuration; false past the end. */
typedef bool msk_weight_groups(const void *config, size_t index, msk_weight_group *group);

typedef struct msk_weight_loader {
  const msk_weight_file *file;
  const char *prefix, *hint; /* prefix of the network's tensors; a question that ends shape errors ("is this the 256-pixel tokenizer?") */
  const msk_allocator *allocator;
  float *scratch, *kept; /* largest group's scratch; everything that is kept (handed to the network, which frees it) */
  size_t kept_used;
  msk_pool *pool; /* reads and converts; NULL: the caller's thread alone */
  msk_error *error;
} msk_weight_loader;

/* The tensor prefix + name + number + rest (number -1: name alone), or NULL. */
const msk_tensor *msk_weight_find(const msk_weight_loader *loader, const char *name, int number, const char *rest);
/* 1 + the highest number below `limit` for which name, number, rest or name, number, other is there; 0: none. Two witnesses, so that a file
 * that lacks one of them still counts right and the check names what is missing. */
size_t msk_weight_count(const msk_weight_loader *loader, const char *name, const char *rest, const char *other, size_t limit);
/* The error for a tensor (whole name) that is not there. */
msk_status msk_weight_fail_missing(const msk_weight_loader *loader, const char *name);
/* The tensor with that rank, sides within 1..MSK_WEIGHT_MAX_SIDE; otherwise an error that names it. */
msk_status msk_weight_need(const msk_weight_loader *loader, const char *name, int number, const char *rest, int rank,
                           const msk_tensor **tensor);

/* Checks that every tensor of the network is there, has the type and shape of its row, and that the file holds no others under the prefix.
 */
msk_status msk_weights_check(const msk_weight_loader *loader, msk_weight_groups *groups, const void *config);
/* Bytes of the scratch and the kept memory of a network. */
void msk_weights_measure(msk_weight_groups *groups, const void *config, size_t *scratch_bytes, size_t *kept_bytes);
/* Takes scratch and kept memory for a checked network. */
msk_status msk_weights_reserve(msk_weight_loader *loader, msk_weight_groups *groups, const void *config);
/* Reads a checked group into *fields; NaN and infinity are refused, naming the tensor. */
msk_status msk_weights_load(msk_weight_loader *loader, const msk_weight_group *group, void *fields);

/* Lists a network's tensors: names below the prefix, F32, no data. Stops at the first status that is not MSK_OK and returns it. */
typedef msk_status msk_weight_visit(void *user, const msk_tensor *tensor);
msk_status msk_weights_each(msk_weight_groups *groups, const void *config, msk_weight_visit *visit, void *user);

/* Bounded formatting for messages: "3x3x128x256". */
void msk_shape_text(char *text, size_t bytes, int rank, const size_t *shape);
#endif
