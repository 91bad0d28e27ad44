/* SPDX-License-Identifier: Apache-2.0
 *
 * picture_trainer.h - the training of a tokenizer, or of its decoder alone with the codes fixed,
 * step by step. A tokenizer begins as an autoencoder on crops of a quarter of the picture; then its
 * quantiser, a moving-average codebook that begins by k-means, joins, and later whole pictures.
 * Codes lie on a sphere, and the encoder's output is brought there while it trains: with all codes
 * at one length the nearest code of the raw output is the same. Belongs to one thread. */
#ifndef MSK_TRAIN_PICTURE_TRAINER_H
#define MSK_TRAIN_PICTURE_TRAINER_H

#include "train/course.h"
#include "train/picture_loss.h"
#include "train/picture_store.h"
#include "train/quantiser.h"

enum { MSK_SHEET_COLUMNS = 8 }; /* pictures of a sample sheet */

typedef struct msk_picture_plan {
  msk_vqgan_config config;
  msk_pace pace; /* counts pictures; four crops are one */
  bool decoder_alone;
  size_t side;                           /* pixels of a whole picture */
  double rate, muon_rate;                /* AdamW's; Muon's, of inner kernels, or 0: AdamW's too */
  double photo_share;                    /* the others are drawings */
  double autoencoder_share, crops_share; /* of the pictures: without quantiser; crops */
} msk_picture_plan;

/* Of a step: commitment is 0 where there is none; codes that began anew. */
typedef struct msk_picture_step {
  double loss, commitment, norm;
  size_t revived;
} msk_picture_step;

typedef struct msk_picture_trainer {
  msk_picture_plan plan;
  msk_course course;
  msk_autoencoder *net;
  msk_pool *pool;
  msk_codebook_shape codebook;
  float *code_counts, *code_sums; /* moving averages of who chose a code */
  long quantising;                /* 1: the codebook has begun */
  float *pictures, *dpictures, *loss_room, *latents, *through, *slopes, *lengths;
  int32_t *codes;
  float *all_latents; /* of all ranks */
  int32_t *all_codes;
} msk_picture_trainer;

msk_status msk_picture_trainer_create(msk_picture_trainer **trainer, const msk_picture_plan *plan,
                                      const msk_device *device, msk_pool *pool, msk_error *error);
void msk_picture_trainer_destroy(msk_picture_trainer *trainer);
/* Bytes that it takes, but for a batch's pictures and codes; 0: no memory to find out. */
size_t msk_picture_trainer_bytes(const msk_picture_plan *plan, const msk_device *device,
                                 msk_pool *pool);
/* Random first weights, for a tokenizer from nothing. */
void msk_picture_trainer_start(msk_picture_trainer *trainer);

/* Fails only for lack of memory, when the codebook begins. */
msk_status msk_picture_trainer_step(msk_picture_trainer *trainer, const msk_pictures *pictures,
                                    msk_picture_step *step, msk_error *error);

/* What the average makes of held-out photos, clamped: decibels over all their pixels, its share of
 * the photos' differences between neighbours (below 1: softer), and the mean error of colour
 * differences, 0 to 255. Leaves the run as it was. */
typedef struct msk_picture_figures {
  double decibels, sharpness, colour;
} msk_picture_figures;
/* sheet: the first MSK_SHEET_COLUMNS photos above what became of them, RGB; 2 side rows of
 * MSK_SHEET_COLUMNS side pixels. */
msk_picture_figures msk_picture_trainer_evaluate(msk_picture_trainer *trainer,
                                                 const msk_pictures *pictures, uint8_t *sheet);

/* The average's codes for photos [first, first + count) of a store, or for their first drawings,
 * count at most a rank's share of a batch: in trainer->codes, for trainer->pictures. Only where the
 * codebook has begun. Leaves the run as it was. */
void msk_picture_trainer_encode(msk_picture_trainer *trainer, const msk_pictures *pictures,
                                size_t first, size_t count, bool drawn);

/* Multiplications and additions of a rank in a step on whole pictures. */
double msk_picture_trainer_flop(const msk_picture_trainer *trainer);

#endif
