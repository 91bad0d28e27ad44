/* SPDX-License-Identifier: Apache-2.0
 *
 * results.h - the folder of an evaluation while it grows: `identity.json` says what is made in
 * it, `pictures/NNNNNN.png` are the pictures, `records.jsonl` has one line a finished picture,
 * `features-*.npy` what sets are compared by. A picture is written whole, then its features,
 * then its line, and the line is on the disk before the next picture begins: whenever the
 * program dies, at most the picture in hand is lost.
 *
 * Several processes share a folder. Each writes to records of its own (`records-2-of-7.jsonl`,
 * features likewise), which it holds locked, and takes what stands in anybody's as done. Who
 * reports has to be alone: nothing may change under it. */
#ifndef EVAL_RESULTS_H
#define EVAL_RESULTS_H

#include "app/shard.h"
#include "eval/scorer.h"

typedef struct eval_record {
  bool done;
  int file;                              /* the records that it stands in */
  double measures[MEASURES_OF_PICTURES]; /* NaN: unknown */
} eval_record;

typedef struct eval_results {
  char folder[MAX_PATH_BYTES - 64];
  int points, done; /* pictures wanted, and finished */
  eval_record *records;
  shard *files; /* whose records there are; the first are this process's own */
  int file_count;
  int log, features[FEATURE_KINDS]; /* descriptors, or -1 */
  long long log_bytes;
  int dimensions[FEATURE_KINDS];
} eval_results;

/* How a folder is opened: for which share of the work, and whether only to report what all shards
 * have made. */
typedef struct eval_opening {
  shard own;
  bool merge, quiet;
} eval_opening;

/* Opens or makes the folder. One that was begun with other settings, drawings or networks is
 * refused, and the first difference named. *models: list of the models' hashes and kernel sets;
 * NULL: is set to the folder's (merge). A half line at the end of the records is cut off, with a
 * word on standard error unless `quiet`. Refused: a picture that stands in two records; the whole,
 * or shards of another number, while a shard is at work; a merge with pictures missing. */
msk_status eval_results_open(eval_results *results, const char *folder, const eval_grid *grid,
                             const eval_eyes *eyes, json_t **models, const eval_opening *opening,
                             msk_error *error);
void eval_results_close(eval_results *results);

/* Name of a file in the folder; of a point's picture. */
msk_status eval_results_path(char path[MAX_PATH_BYTES], const eval_results *results,
                             const char *name, msk_error *error);
msk_status eval_results_picture(char path[MAX_PATH_BYTES], const eval_results *results, int point,
                                msk_error *error);
/* A point whose picture has been written: keeps features (NULL where there are none) and
 * measures, on the disk when this returns. */
msk_status eval_results_append(eval_results *results, int point,
                               const double measures[MEASURES_OF_PICTURES],
                               float *const features[FEATURE_KINDS], msk_error *error);
/* Brings the features of all shards into this process's own file: of the whole, when all is done.
 * Others stay as they are. */
msk_status eval_results_gather(eval_results *results, msk_error *error);
/* Features of a finished point of one's own, or gathered. */
msk_status eval_results_features(const eval_results *results, int kind, int point, float *values,
                                 msk_error *error);
#endif
