/* SPDX-License-Identifier: Apache-2.0
 * batches.c - see batches.h. */
#include "train/batches.h"

#include <math.h>

/* Share of a drawing's sequences without its hand's label; of hinted photos where every masked
 * place is hinted; most of a photo's tokens that are wrong. */
#define UNLABELLED_DRAWINGS 0.3
#define WHOLLY_HINTED 0.75
#define MOST_WRONG 0.2
/* Differences of patches from 0 to 1: beyond the first a token is wrong, below the second right. */
#define WRONG_FROM 0.2f
#define RIGHT_TO 0.05f
enum { FARTHEST_SHIFT = 3 };

static bool chance(msk_random *random, double share) { return msk_random_unit(random) < share; }

/* ---- masked batches ---- */

struct sequence {
  const msk_batch_rules *rules;
  const msk_tokens *tokens;
  size_t usable;
  msk_random *random;
  msk_token_record record;
  bool is_drawing;
  int32_t *shown, *target;
  bool *mask;
};

static void take_target(struct sequence *s) {
  const msk_batch_rules *rules = s->rules;
  size_t label = (size_t)s->record.label;
  const uint16_t *from = s->record.photo;
  if (chance(s->random, rules->null_share)) label = rules->objects;
  bool wanted = chance(s->random, rules->style_share);
  size_t hand = wanted ? msk_random_below(s->random, rules->hands) : 0;
  /* Where the lot falls on a drawing that is blank, the photo stays. */
  s->is_drawing = wanted && s->record.hand[hand] != MSK_NO_HAND;
  if (s->is_drawing) {
    /* Its hand's label or none, never its object's class: or a class would also mean drawings, and
     * the structure score would simply prefer their tokens. */
    from = s->record.drawn + hand * rules->cells;
    label = rules->objects;
    if (!chance(s->random, UNLABELLED_DRAWINGS)) label += 1 + s->record.hand[hand];
  }
  s->target[0] = (int32_t)(rules->codes + label);
  for (size_t i = 0; i < rules->cells; i++) s->target[1 + i] = from[i];
}

/* MaskGIT's cosine: the share of masked places is cos(pi u / 2); one at least. */
static void take_mask(struct sequence *s) {
  double rate = cos(msk_random_unit(s->random) * M_PI / 2);
  for (size_t i = 0; i <= s->rules->cells; i++) s->mask[i] = i > 0 && chance(s->random, rate);
  s->mask[1 + msk_random_below(s->random, s->rules->cells)] = true;
  for (size_t i = 0; i <= s->rules->cells; i++)
    s->shown[i] = s->mask[i] ? MSK_MASK_TOKEN : s->target[i];
}

static void hint(struct sequence *s) {
  if (!chance(s->random, s->rules->hint_share) || s->is_drawing) return;
  size_t hand = msk_random_below(s->random, s->rules->hands);
  const uint16_t *drawn = s->record.drawn + hand * s->rules->cells;
  if (s->record.hand[hand] == MSK_NO_HAND) return;
  double share = chance(s->random, WHOLLY_HINTED) ? 1 : msk_random_unit(s->random);
  for (size_t i = 0; i < s->rules->cells; i++) {
    if (s->mask[1 + i] && chance(s->random, share)) s->shown[1 + i] = drawn[i];
  }
}

static void mistake(struct sequence *s) {
  if (!chance(s->random, s->rules->wrong_share)) return;
  msk_token_record other = msk_tokens_at(s->tokens, msk_random_below(s->random, s->usable));
  double share = MOST_WRONG * msk_random_unit(s->random);
  for (size_t i = 0; i < s->rules->cells; i++) {
    if (!s->mask[1 + i] && chance(s->random, share)) s->shown[1 + i] = other.photo[i];
  }
}

void msk_batch_masked(const msk_batch_rules *rules, const msk_tokens *tokens, size_t usable,
                      msk_random *random, size_t count, int32_t *shown, int32_t *target,
                      bool *mask) {
  size_t n = rules->cells + 1;
  for (size_t i = 0; i < count; i++) {
    struct sequence s = {.rules = rules,
                         .tokens = tokens,
                         .usable = usable,
                         .random = random,
                         .shown = shown + i * n,
                         .target = target + i * n,
                         .mask = mask + i * n};
    s.record = msk_tokens_at(tokens, msk_random_below(random, usable));
    take_target(&s);
    take_mask(&s);
    hint(&s);
    mistake(&s);
  }
}

/* ---- pair batches ---- */

/* Mean over the quarters of half the sum of differences of `count` shares, the first at `view`. */
static float apart(const uint8_t *a, const uint8_t *b, size_t view, size_t count) {
  int sum = 0;
  for (size_t q = 0; q < MSK_TOKEN_QUARTERS; q++) {
    for (size_t v = view; v < view + count; v++) {
      int difference = a[q * MSK_TOKEN_VIEWS + v] - b[q * MSK_TOKEN_VIEWS + v];
      sum += difference < 0 ? -difference : difference;
    }
  }
  return 0.5f * (float)sum / (255.0f * MSK_TOKEN_QUARTERS);
}

/* Structural difference of two patches, 0 to 1. Part ids mean the same thing only inside a class;
 * elsewhere only object against background counts. */
static float difference(const uint8_t *a, const uint8_t *b, bool same_class) {
  float parts = same_class ? apart(a, b, 0, MSK_TOKEN_PARTS) : 2 * apart(a, b, 0, 1);
  return fmaxf(parts, apart(a, b, MSK_TOKEN_PARTS, 1));
}

/* The picture that a photo is mixed with: another of its class (half), any, or itself displaced,
 * which is hardest, for only the place is wrong. */
struct other {
  msk_token_record record;
  size_t down, right; /* cells by which it is rolled */
};

static struct other choose_other(const msk_tokens *tokens, size_t usable, msk_random *random,
                                 size_t index, size_t side) {
  double kind = msk_random_unit(random);
  struct other other = {.record = msk_tokens_at(tokens, index)};
  int label = other.record.label;
  if (kind < 0.75) {
    do {
      other.record = msk_tokens_at(tokens, msk_random_below(random, usable));
    } while (kind < 0.5 && other.record.label != label);
    return other;
  }
  while (other.down == 0 && other.right == 0) {
    size_t down = msk_random_below(random, 2 * FARTHEST_SHIFT + 1),
           right = msk_random_below(random, 2 * FARTHEST_SHIFT + 1), whole = FARTHEST_SHIFT * side;
    other.down = (whole + down - FARTHEST_SHIFT) % side;
    other.right = (whole + right - FARTHEST_SHIFT) % side;
  }
  return other;
}

/* One of a record's drawings: the hand asked for, or the next one that there is; `hands`: none. */
static size_t drawn_hand(const msk_token_record *record, size_t hands, size_t from) {
  for (size_t i = 0; i < hands; i++) {
    if (record->hand[(from + i) % hands] != MSK_NO_HAND) return (from + i) % hands;
  }
  return hands;
}

/* A record with a drawing, from one on; that one, if there is none. */
static size_t find_drawn(const msk_tokens *tokens, size_t hands, size_t usable, size_t from) {
  for (size_t i = 0; i < usable; i++) {
    msk_token_record record = msk_tokens_at(tokens, (from + i) % usable);
    if (drawn_hand(&record, hands, 0) < hands) return (from + i) % usable;
  }
  return from;
}

static size_t rolled(const struct other *other, size_t cell, size_t side) {
  size_t y = (cell / side + side - other->down) % side,
         x = (cell % side + side - other->right) % side;
  return y * side + x;
}

static int8_t judge(const uint8_t *here, const uint8_t *there, bool same_class) {
  float d = difference(here, there, same_class);
  if (d > WRONG_FROM) return MSK_VERDICT_WRONG;
  return d < RIGHT_TO && same_class ? MSK_VERDICT_RIGHT : MSK_VERDICT_UNKNOWN;
}

void msk_batch_pairs(const msk_batch_rules *rules, const msk_tokens *tokens, size_t usable,
                     msk_random *random, size_t count, int32_t *sequences, int8_t *verdict) {
  enum { CELL = MSK_TOKEN_QUARTERS * MSK_TOKEN_VIEWS };
  size_t n = rules->cells + 1, side = (size_t)lround(sqrt((double)rules->cells));
  for (size_t k = 0; k < count; k++) {
    size_t index = find_drawn(tokens, rules->hands, usable, msk_random_below(random, usable));
    msk_token_record record = msk_tokens_at(tokens, index);
    struct other other = choose_other(tokens, usable, random, index, side);
    bool same = record.label == other.record.label;
    int32_t *drawing = sequences + k * n, *mixture = sequences + (count + k) * n;
    size_t any = msk_random_below(random, rules->hands),
           hand = drawn_hand(&record, rules->hands, any);
    const uint16_t *drawn = record.drawn + (hand < rules->hands ? hand : any) * rules->cells;
    double share = 0.1 + 0.8 * msk_random_unit(random);
    drawing[0] = mixture[0] = (int32_t)rules->codes + record.label;
    for (size_t i = 0; i < rules->cells; i++) {
      size_t there = rolled(&other, i, side);
      bool swapped = chance(random, share);
      drawing[1 + i] = drawn[i];
      mixture[1 + i] = swapped ? other.record.photo[there] : record.photo[i];
      verdict[k * rules->cells + i] =
          swapped ? judge(record.described + i * CELL, other.record.described + there * CELL, same)
                  : MSK_VERDICT_RIGHT;
    }
  }
}
