/* SPDX-License-Identifier: Apache-2.0
 *
 * network_weights.c - the packed weights of a network in training (network.h): all of them when
 * they are set, or a layer's with what is added to it, just before a pass needs it. */
#include <string.h>

#include "train/network_parts.h"

enum { FORWARD = 1, BACKWARD = 2 };

static void pack(msk_network *net, const msk_rows *blocks, size_t count, int ways,
                 const struct panels *panels) {
  if (ways & FORWARD) msk_op_pack(&net->stream, blocks, count, false, panels->forward);
  if (ways & BACKWARD) msk_op_pack(&net->stream, blocks, count, true, panels->backward);
}

static void pack_one(msk_network *net, msk_rows matrix, int ways, const struct panels *panels) {
  pack(net, &matrix, 1, ways, panels);
}

/* W, or W + a b in `room`. */
static msk_rows with_added(msk_network *net, size_t index, msk_low_kind kind, msk_rows weight,
                           float *room) {
  const struct low_parts *low = &net->low;
  if (low->layout == NULL || !msk_low_rank_has(low->layout, index)) return weight;
  msk_low_pair pair = msk_low_rank_pair(low->layout, index, kind);
  size_t rank = low->layout->rank;
  msk_rows b = msk_rows_at(low->added + pair.b, rank, pair.out),
           sum = msk_rows_at(room, pair.in, pair.out);
  msk_op_pack(&net->stream, &b, 1, false, low->panels);
  msk_op_dense(&net->stream, "a b", low->panels, NULL,
               msk_rows_at(low->added + pair.a, pair.in, rank), MSK_ACT_NONE, weight, sum);
  return sum;
}

static void pack_weights(msk_network *net, size_t index, int ways) {
  msk_layer_params layer = msk_params_layer(net->params, net->block, index);
  const struct kept *kept = &net->kept[index];
  size_t d = net->hidden, wide = net->intermediate;
  float *room = net->low.merged;
  const float *const parts[] = {layer.query, layer.key, layer.value};
  msk_rows qkv[3];
  /* These three are packed as one matrix, so their sums lie side by side; each of the others has
   * been packed when the next takes its room. */
  for (size_t i = 0; i < 3; i++)
    qkv[i] = with_added(net, index, (msk_low_kind)i, msk_rows_at(parts[i], d, d),
                        room == NULL ? NULL : room + i * d * d);
  pack(net, qkv, 3, ways, &kept->qkv_panels);
  pack_one(net, with_added(net, index, MSK_LOW_OUT, msk_rows_at(layer.out, d, d), room), ways,
           &kept->out);
  pack_one(net, with_added(net, index, MSK_LOW_UP, msk_rows_at(layer.up, d, wide), room), ways,
           &kept->up);
  pack_one(net, with_added(net, index, MSK_LOW_DOWN, msk_rows_at(layer.down, wide, d), room), ways,
           &kept->down);
}

void pack_layer(msk_network *net, size_t index, bool backward) {
  if (net->low.layout != NULL) pack_weights(net, index, backward ? BACKWARD : FORWARD);
}

void msk_network_set(msk_network *net, float *block) {
  size_t d = net->hidden;
  net->block = block;
  for (size_t i = 0; net->low.layout == NULL && i < net->layers; i++)
    pack_weights(net, i, FORWARD | BACKWARD);
  msk_outer_params outer = msk_params_outer(net->params, block);
  pack_one(net, msk_rows_at(outer.dense, d, d), FORWARD | BACKWARD, &net->dense);
  /* The head multiplies by the words' transpose: forward and backward change places. */
  const msk_rows words = msk_rows_at(outer.words, net->codes, d);
  msk_op_pack(&net->stream, &words, 1, true, net->words.forward);
  msk_op_pack(&net->stream, &words, 1, false, net->words.backward);
}

void msk_network_set_low(msk_network *net, float *block, const float *added) {
  msk_outer_params outer = msk_params_outer(net->params, block);
  net->low.added = added;
  memcpy(outer.words + net->low.layout->class_row * net->hidden, added,
         net->hidden * sizeof *added);
  msk_network_set(net, block);
}
