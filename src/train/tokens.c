/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens.c - see tokens.h. A record: label, hands (bytes), padding to 2, photo and drawings (u16),
 * description (bytes). */
#include "train/tokens.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

struct msk_tokens {
  msk_tokens_shape shape;
  msk_records *records;
};

/* Offsets inside a record. */
struct layout {
  size_t hand, photo, drawn, described, bytes;
};

static struct layout lay(const msk_tokens_shape *shape) {
  struct layout at = {.hand = 1};
  at.photo = (at.hand + shape->hands + 1) / 2 * 2;
  at.drawn = at.photo + 2 * shape->cells;
  at.described = at.drawn + 2 * shape->cells * shape->hands;
  at.bytes = at.described + shape->cells * MSK_TOKEN_QUARTERS * MSK_TOKEN_VIEWS;
  return at;
}

/* ---- what is read ---- */

static bool all_below(const uint16_t *codes, size_t count, size_t limit) {
  bool good = true;
  for (size_t i = 0; i < count; i++) good = good && codes[i] < limit;
  return good;
}

static bool is_sound(const msk_tokens *tokens, size_t index) {
  const msk_tokens_shape *shape = &tokens->shape;
  msk_token_record record = msk_tokens_at(tokens, index);
  bool good = (size_t)record.label < shape->labels;
  for (size_t i = 0; i < shape->hands; i++)
    good = good && (record.hand[i] < shape->all_hands || record.hand[i] == MSK_NO_HAND);
  return good && all_below(record.photo, shape->cells, shape->codes) &&
         all_below(record.drawn, shape->cells * shape->hands, shape->codes);
}

/* They become indices into embeddings, and a right checksum does not say who wrote them. */
static msk_status check_records(const msk_tokens *tokens, const char *path, msk_error *error) {
  for (size_t i = 0; i < msk_tokens_count(tokens); i++) {
    if (is_sound(tokens, i)) continue;
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s: record %zu has codes that are not below %zu, a label not below %zu or a "
                    "hand not below %zu: remove the file, and it is made again",
                    path, i, tokens->shape.codes, tokens->shape.labels, tokens->shape.all_hands);
  }
  return MSK_OK;
}

msk_status msk_tokens_open(msk_tokens **tokens, const char *path, const msk_tokens_shape *shape,
                           msk_error *error) {
  msk_records_shape records = {
      .what = "tokens", .bytes = lay(shape).bytes, .records = shape->records};
  snprintf(records.header, sizeof records.header, "masksketch tokens 1\ncells %zu hands %zu\n%s\n",
           shape->cells, shape->hands, shape->fingerprint);
  msk_tokens *made = msk_allocate_zeroed(NULL, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the tokens' file");
  made->shape = *shape;
  msk_status status = msk_records_open(&made->records, path, &records, error);
  if (status == MSK_OK) status = check_records(made, path, error);
  if (status != MSK_OK) {
    msk_tokens_close(made);
    return status;
  }
  *tokens = made;
  return MSK_OK;
}

void msk_tokens_close(msk_tokens *tokens) {
  if (tokens == NULL) return;
  msk_records_close(tokens->records);
  msk_free(NULL, tokens);
}

size_t msk_tokens_count(const msk_tokens *tokens) { return msk_records_count(tokens->records); }

msk_token_record msk_tokens_at(const msk_tokens *tokens, size_t index) {
  const struct layout at = lay(&tokens->shape);
  const uint8_t *record = msk_records_at(tokens->records, index);
  return (msk_token_record){.label = record[0],
                            .hand = record + at.hand,
                            .photo = (const uint16_t *)(const void *)(record + at.photo),
                            .drawn = (const uint16_t *)(const void *)(record + at.drawn),
                            .described = record + at.described};
}

msk_status msk_tokens_append(msk_tokens *tokens, const msk_token_record *record, msk_error *error) {
  const struct layout at = lay(&tokens->shape);
  size_t cells = tokens->shape.cells, hands = tokens->shape.hands;
  uint8_t *to = msk_records_room(tokens->records);
  to[0] = (uint8_t)record->label;
  memcpy(to + at.hand, record->hand, hands);
  memcpy(to + at.photo, record->photo, 2 * cells);
  memcpy(to + at.drawn, record->drawn, 2 * cells * hands);
  memcpy(to + at.described, record->described, cells * MSK_TOKEN_QUARTERS * MSK_TOKEN_VIEWS);
  return msk_records_append(tokens->records, error);
}

void msk_tokens_share(msk_tokens *tokens, const msk_train_ranks *ranks, size_t count) {
  msk_records_share(tokens->records, ranks, count);
}
