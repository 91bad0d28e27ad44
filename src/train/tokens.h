/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens.h - the tokens of all pictures that a transformer trains on, as records (records.h): made
 * for one tokenizer and one world. */
#ifndef MSK_TRAIN_TOKENS_H
#define MSK_TRAIN_TOKENS_H

#include "train/records.h"

enum { MSK_NO_HAND = 255 }; /* a drawing that is none */
enum { MSK_TOKEN_PARTS = 8, MSK_TOKEN_VIEWS = 9, MSK_TOKEN_QUARTERS = 4 };
/* What a record has room for: codes in 16 bits, labels and hands in 8. */
enum { MSK_TOKEN_MOST_CODES = 1 << 16, MSK_TOKEN_MOST_LABELS = 1 << 8 };

typedef struct msk_tokens msk_tokens;

typedef struct msk_tokens_shape {
  size_t cells; /* tokens of a picture */
  size_t hands; /* drawings of each */
  /* what codes, labels and numbers of hands are below; of the hands' at most
   * MSK_TOKEN_MOST_LABELS */
  size_t codes, labels, all_hands;
  size_t records;       /* that there will be, at most */
  char fingerprint[65]; /* of what they were made of and with */
} msk_tokens_shape;

/* One picture with its drawings. In memory of the caller (to append) or of the file. */
typedef struct msk_token_record {
  int label;             /* class of the object */
  const uint8_t *hand;   /* [hands] which hand drew which drawing, or MSK_NO_HAND */
  const uint16_t *photo; /* [cells] */
  const uint16_t *drawn; /* [hands][cells] */
  /* [cells][MSK_TOKEN_QUARTERS][MSK_TOKEN_VIEWS]: of a quarter of the cell, the shares of each
   * part, and ink; 255 is all */
  const uint8_t *described;
} msk_token_record;

/* Opens or makes the file, for this run alone; path NULL: in memory. MSK_ERROR_FILE if it is of
 * other things, holds a code, label or hand that there is not, or is in use by another. */
msk_status msk_tokens_open(msk_tokens **tokens, const char *path, const msk_tokens_shape *shape,
                           msk_error *error);
void msk_tokens_close(msk_tokens *tokens);
/* Records that can be read; grows while another thread appends. */
size_t msk_tokens_count(const msk_tokens *tokens);
msk_token_record msk_tokens_at(const msk_tokens *tokens, size_t index);
msk_status msk_tokens_append(msk_tokens *tokens, const msk_token_record *record, msk_error *error);
void msk_tokens_share(msk_tokens *tokens, const msk_train_ranks *ranks, size_t count);

#endif
