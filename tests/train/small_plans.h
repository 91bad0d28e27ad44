/* SPDX-License-Identifier: Apache-2.0
 *
 * small_plans.h - the small runs that tests of training share: a transformer on made-up tokens, and
 * a tokenizer on made-up pictures. Initialisers; test code. */
#ifndef MSK_TEST_TRAIN_SMALL_PLANS_H
#define MSK_TEST_TRAIN_SMALL_PLANS_H

/* CELLS, CODES, OBJECTS, HANDS, RECORDS: of the test's tokens. */
#define SMALL_TRANSFORMER(batch_size, pairs_every)                                                 \
  {                                                                                                \
    .config = {.layers = 3,                                                                        \
               .hidden = 24,                                                                       \
               .heads = 3,                                                                         \
               .intermediate = 40,                                                                 \
               .positions = CELLS + 1,                                                             \
               .vocabulary = CODES + OBJECTS + 1 + 5 + 1},                                         \
    .rules = {.codes = CODES,                                                                      \
              .objects = OBJECTS,                                                                  \
              .cells = CELLS,                                                                      \
              .hands = HANDS,                                                                      \
              .null_share = 0.1,                                                                   \
              .style_share = 0.2,                                                                  \
              .hint_share = 0.5,                                                                   \
              .wrong_share = 0.3},                                                                 \
    .pace = {.seed = 3,                                                                            \
             .batch = batch_size,                                                                  \
             .examples = 2400,                                                                     \
             .warmup = 30,                                                                         \
             .decay = 480,                                                                         \
             .objects = RECORDS / 2,                                                               \
             .first_objects = 4,                                                                   \
             .examples_per_object = 3},                                                            \
    .pairs = 4, .pair_every = pairs_every, .adam_rate = 3e-3, .muon_rate = 8e-3, .pair_weight = 1, \
    .layers = {1, 2}, .layer_count = 2                                                             \
  }

/* With the widths of the test's latents and the objects of its pictures; codes begin after
 * `unquantised` of the pictures, whole ones after `crops`. */
#define SMALL_TOKENIZER(width, pictures, batch_size, adam_rate, unquantised, crops)      \
  {                                                                                      \
    .config = {.stem = 2,                                                                \
               .filters = 16,                                                            \
               .levels = 3,                                                              \
               .channels = {16, 16, 32},                                                 \
               .blocks = 1,                                                              \
               .decoder_blocks = 1,                                                      \
               .groups = 4,                                                              \
               .codes = 24,                                                              \
               .dim = width,                                                             \
               .patch = 8},                                                              \
    .pace = {.seed = 4,                                                                  \
             .batch = batch_size,                                                        \
             .examples = 240,                                                            \
             .warmup = 10,                                                               \
             .decay = 60,                                                                \
             .objects = pictures,                                                        \
             .first_objects = 2,                                                         \
             .examples_per_object = 3},                                                  \
    .side = 32, .rate = adam_rate, .photo_share = 0.7, .autoencoder_share = unquantised, \
    .crops_share = crops                                                                 \
  }

#endif
