/* SPDX-License-Identifier: Apache-2.0
 *
 * maskgit.h - the bidirectional transformer (BERT-style, post-LN, tanh GELU, tied head; section
 * 2 of docs/model.md). One forward function: batch, head columns, attention read-out and
 * structure score are parameters. Immutable after loading. */
#ifndef MSK_MODEL_MASKGIT_H
#define MSK_MODEL_MASKGIT_H

#include "compute/backend.h"
#include "model/vqgan.h"

typedef struct msk_maskgit_config {
  size_t layers, hidden, heads, intermediate, positions, vocabulary;
} msk_maskgit_config;

typedef struct msk_maskgit msk_maskgit;

/* On a device that measures, a network without arrays, to be destroyed: its tally says what one
 * would take. */
msk_status msk_maskgit_load(msk_maskgit **maskgit, const msk_device *device,
                            const msk_weight_file *file, const char *prefix, msk_pool *pool,
                            msk_error *error);
/* The configuration alone, with every tensor's type and shape checked; nothing is packed. */
msk_status msk_maskgit_read_config(msk_maskgit_config *config, const msk_weight_file *file,
                                   const char *prefix, msk_error *error);
/* Lists the tensors of a transformer of this configuration (weights.h). */
msk_status msk_maskgit_each_tensor(const msk_maskgit_config *config, msk_weight_visit *visit,
                                   void *user);
/* How many of the last sides of the tensor of that name (below the prefix) have a scale for each
 * element, if it may be stored in int8; else 0. */
int msk_maskgit_int8_outputs(const msk_maskgit_config *config, const char *name);
void msk_maskgit_destroy(msk_maskgit *maskgit);
const msk_maskgit_config *msk_maskgit_get_config(const msk_maskgit *maskgit);

/* What is computed of a sequence in a pass over rows of it (ReCAP, arXiv 2505.19089): those at
 * `places` alone, each with the keys and values of all. The others' are what the last pass that
 * computed them has left in the cache; the pass leaves its own there. The places of a pass's parts
 * lie one behind the other. */
typedef struct msk_maskgit_part {
  const int32_t *places; /* [count]: 0..N-1, ascending, host memory */
  size_t count;
  /* [layers, N, 2, hidden]: keys and values; layers: all that the pass comes to. NULL: all rows are
   * computed, and nothing is left */
  float *cache;
} msk_maskgit_part;

/* One forward pass; outputs that are NULL are not computed, and the pass stops after the last
 * layer (or the last q, k) that is needed. In a pass over rows, [batch, N] is [rows], the parts'
 * counts together; it has no maps, no score_layers and no observer. */
typedef struct msk_maskgit_pass {
  const int32_t *tokens; /* [batch, positions], host memory; 0..vocabulary-1 or MSK_MASK_TOKEN */
  size_t batch;
  const msk_maskgit_part *parts; /* [batch], or NULL: all rows, without a cache */
  float *logits;                 /* [batch, positions, columns] */
  size_t columns;                /* first columns of the vocabulary (the codebook), or 0: all */
  const int *layers;             /* layers whose attention is read out, ascending */
  size_t layer_count;
  float *maps, *log_maps;           /* [layer_count, batch, heads, N, N] */
  const float *target, *log_target; /* [layer_count, heads, N, N] */
  msk_distance distance;
  /* [batch, N]: mean over layers and heads of the likeness (backend.h) */
  float *score;
  float *score_layers; /* [layer_count, batch, N]: mean over heads; research and tests */
  /* "embedding", "layerL_attention_ln", "layerL": [batch, N, hidden] as rows=batch, columns=N */
  const msk_observer *observer;
} msk_maskgit_pass;
/* How many rows it computes. */
size_t msk_maskgit_pass_rows(const msk_maskgit *maskgit, const msk_maskgit_pass *pass);
void msk_maskgit_forward(const msk_maskgit *maskgit, msk_stream *stream, msk_arena *arena,
                         const msk_maskgit_pass *pass);
#endif
