/* SPDX-License-Identifier: Apache-2.0
 *
 * autoencoder_backward.c - the backward half of autoencoder.c: each function turns one of its
 * functions round. The gradient by maps walks down through the three slopes; gradients of
 * parameters are added to the caller's block. */
#include "train/autoencoder_parts.h"

/* Where the gradient lies on its way; the other two are free. */
struct walk {
  msk_autoencoder *net;
  float *gradients;
  msk_map now;
  float *spare[2];
};

static void add_weights(const struct walk *w, const struct folded *conv, msk_map x, msk_map dy) {
  float *bias = conv->bias == NO_PLACE ? NULL : w->gradients + conv->bias;
  msk_op_filters_weights(&w->net->stream, &conv->filters, x, dy, w->gradients + conv->weight, bias);
}

/* By what the convolution read, upsampled, to `at`. */
static msk_map turn_conv(const struct walk *w, const struct folded *conv, msk_map x, msk_map dy,
                         msk_map residual, float *at) {
  size_t by = conv->filters.upsample;
  msk_map dx = msk_map_at(at, x.batch, x.height * by, x.width * by, x.channels);
  msk_op_filters_backward(&w->net->stream, &conv->filters, conv->backward, dy, residual, dx);
  return dx;
}

/* In place. */
static void turn_norm(const struct walk *w, const struct layer *layer, size_t which, msk_map x,
                      msk_map slope) {
  const msk_norm norm = norm_of(w->net, layer, which);
  msk_op_group_norm_backward(&w->net->stream, x, &norm, true, slope,
                             w->gradients + layer->gamma[which], w->gradients + layer->beta[which],
                             slope);
}

static void backward_conv(struct walk *w, const struct layer *layer, bool further) {
  const struct folded *conv = &layer->conv[0];
  add_weights(w, conv, layer->x, w->now);
  if (!further) return;
  float *old = w->now.at;
  msk_map wide = turn_conv(w, conv, layer->x, w->now, MSK_NO_MAP, w->spare[0]);
  if (conv->filters.upsample == 1) {
    w->now = wide;
    w->spare[0] = old;
  } else {
    w->now = map_like(layer->x, old);
    msk_op_upsample_backward(&w->net->stream, wide, w->now);
  }
}

/* From the gradient by the branch, `slope`, to that by the block's input through it, at `at`. The
 * other spare place is used on the way. */
static msk_map backward_branch(const struct walk *w, const struct layer *layer, msk_map slope,
                               float *between, float *at) {
  add_weights(w, &layer->conv[1], layer->normal[1], slope);
  msk_map middle = turn_conv(w, &layer->conv[1], layer->normal[1], slope, MSK_NO_MAP, between);
  turn_norm(w, layer, 1, layer->middle, middle);
  add_weights(w, &layer->conv[0], layer->normal[0], middle);
  msk_map dx = turn_conv(w, &layer->conv[0], layer->normal[0], middle, MSK_NO_MAP, at);
  turn_norm(w, layer, 0, layer->x, dx);
  return dx;
}

static void backward_block(struct walk *w, const struct layer *layer) {
  const struct folded *shortcut = &layer->conv[2];
  if (!has_conv(shortcut)) {
    msk_map dx = backward_branch(w, layer, w->now, w->spare[0], w->spare[1]);
    msk_op_add(&w->net->stream, msk_map_rows(dx), msk_map_rows(w->now));
    return;
  }
  add_weights(w, shortcut, layer->branch, w->now);
  msk_map slope = turn_conv(w, shortcut, layer->branch, w->now, w->now, w->spare[0]);
  w->now = backward_branch(w, layer, slope, w->spare[1], w->now.at);
}

static void backward_pool(struct walk *w, const struct layer *layer) {
  msk_map dx = map_like(layer->x, w->spare[0]);
  msk_op_average_pool_backward(&w->net->stream, w->now, dx);
  w->spare[0] = w->now.at;
  w->now = dx;
}

msk_map backward_half(msk_autoencoder *net, const struct half *half, msk_map dy, bool further,
                      float *gradients) {
  struct walk w = {
      .net = net, .gradients = gradients, .now = dy, .spare = {net->slopes[1], net->slopes[2]}};
  for (size_t i = half->end; i-- > half->first;) {
    const struct layer *layer = &net->layers[i];
    switch (net->plan.stages[i].kind) {
      case STAGE_CONV: backward_conv(&w, layer, further || i > half->first); break;
      case STAGE_BLOCK: backward_block(&w, layer); break;
      case STAGE_POOL: backward_pool(&w, layer); break;
      case STAGE_NORM: turn_norm(&w, layer, 0, layer->x, w.now); break;
      case STAGE_CODEBOOK: break;
    }
  }
  return w.now;
}
