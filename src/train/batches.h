/* SPDX-License-Identifier: Apache-2.0
 *
 * batches.h - what a training step looks at, drawn from the tokens' file by a random stream.
 *
 * Masked batches: photos under their class label (some under "null") and drawings under the label
 * of their hand. In a share of the photos a masked place shows the token that a drawing of the same
 * object has there instead of the mask: the network learns to read the drawing where it still has
 * to paint. In some sequences visible tokens are wrong, as they are while decoding.
 *
 * Pair batches: a drawing beside a mixture of its photo and another picture, and for each token
 * whether it is structurally right: what the renderer knows of parts and ink says so. */
#ifndef MSK_TRAIN_BATCHES_H
#define MSK_TRAIN_BATCHES_H

#include <stdbool.h>

#include "train/random.h"
#include "train/tokens.h"

/* Label ids: codes + object class, then null, then the hands. */
typedef struct msk_batch_rules {
  size_t codes, objects, cells, hands; /* objects: their classes; hands: drawings of a record */
  double null_share, style_share, hint_share, wrong_share;
} msk_batch_rules;

/* `usable` records may be drawn. Arrays: [count, 1 + cells]. */
void msk_batch_masked(const msk_batch_rules *rules, const msk_tokens *tokens, size_t usable,
                      msk_random *random, size_t count, int32_t *shown, int32_t *target,
                      bool *mask);

enum { MSK_VERDICT_UNKNOWN = -1, MSK_VERDICT_RIGHT, MSK_VERDICT_WRONG };
/* tokens: the drawings' [count, 1 + cells], then the mixtures'; verdict: [count, cells]. */
void msk_batch_pairs(const msk_batch_rules *rules, const msk_tokens *tokens, size_t usable,
                     msk_random *random, size_t count, int32_t *sequences, int8_t *verdict);

#endif
