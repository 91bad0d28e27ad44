/* SPDX-License-Identifier: Apache-2.0
 *
 * state.h - a training's state in a file: arrays of floats under their names, counts as metadata,
 * and the SHA-256 of all data in the order of the names; safetensors, written whole or not at all.
 * Owns nothing: arrays and counts stay where they are. */
#ifndef MSK_TRAIN_STATE_H
#define MSK_TRAIN_STATE_H

#include "model/weights.h"

typedef struct msk_state_array {
  char name[2 * MSK_WEIGHT_NAME];
  float *at;
  size_t shape[MSK_MAX_RANK], elements;
  int rank;
} msk_state_array;

/* Not negative. */
typedef struct msk_state_count {
  const char *name;
  long *at;
} msk_state_count;

enum { MSK_STATE_COUNTS = 8 };
/* Of a state's counts: times the largest batch they still fit their types. */
#define MSK_STATE_MOST_STEPS 1e12

typedef struct msk_state {
  const char *format; /* the metadata entry of that name */
  /* what it belongs to, as text; NULL: nobody asks */
  const char *origin;
  bool bf16;               /* trained so: msk_state_precision() */
  msk_state_array *arrays; /* brought into the order of their names */
  size_t count;
  msk_state_count counts[MSK_STATE_COUNTS];
  size_t counts_count;
} msk_state;

msk_status msk_state_save(msk_state *state, const char *path, msk_error *error);
/* Refuses a file with another origin, without one of the arrays, or whose data are not what its
 * hash says. Counts are untouched on failure. */
msk_status msk_state_load(msk_state *state, const char *path, msk_error *error);
/* In which precision the state at `path` was trained; AUTO: it is none of this format. */
msk_status msk_state_precision(const char *path, const char *format, msk_train_precision *precision,
                               msk_error *error);
/* The arrays alone, with that metadata. */
msk_status msk_state_write_arrays(msk_state *state, const char *path,
                                  const msk_metadata_entry *metadata, size_t metadata_count,
                                  msk_error *error);

#endif
