/* SPDX-License-Identifier: Apache-2.0
 *
 * feed.h - the thread that keeps training fed: it asks the source for one object after another,
 * turns its pictures into tokens with the model's own encoder, and appends what the training wants
 * of them to a file: first the set that is held out, then the one that is trained on. Tokens: each
 * object as it is and mirrored, a record each; or pictures, a record an object. Runs at low
 * priority beside the training threads. */
#ifndef MSK_TRAIN_FEED_H
#define MSK_TRAIN_FEED_H

#include "masksketch_tools.h"
#include "model/vqgan.h"
#include "train/picture_store.h"
#include "train/tokens.h"

enum { MSK_FEED_MAX_HANDS = 32 }; /* of a source */

typedef struct msk_feed msk_feed;

typedef struct msk_feed_options {
  const msk_train_source *source;
  const msk_vqgan *encoder;
  const msk_device *device;
  size_t hands_each;         /* drawings of a record */
  size_t objects[2];         /* of the sets: MSK_TRAIN_SET, MSK_HELD_OUT_SET */
  msk_tokens *tokens[2];     /* one of the two, */
  msk_pictures *pictures[2]; /* else NULL */
  uint64_t seed;
} msk_feed_options;

msk_status msk_feed_start(msk_feed **feed, const msk_feed_options *options, msk_error *error);
/* MSK_OK while it works or when it is done; else what went wrong. */
msk_status msk_feed_check(const msk_feed *feed, msk_error *error);
/* Objects of a set that are there. */
size_t msk_feed_count(const msk_feed *feed, int set);
/* Ends the thread after the object at hand. */
void msk_feed_stop(msk_feed *feed);

#endif
