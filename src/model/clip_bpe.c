/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_bpe.c - see clip_bpe.h. Words and merges are numbers once a tokenizer is made: a merge is
 * (left id, right id) -> (rank, merged id), so a text needs no spelling. Reference: OpenAI's
 * simple_tokenizer.py, re-made from its description in tests/golden/clip/MANIFEST.md. */
#include "model/clip_bpe.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/clip_text.h"
#include "model/clip_vocabulary.h"
#include "tensor/weight_store.h"

#define WORD_END "</w>"
enum { NO_MERGE = INT32_MAX };

typedef struct merge {
  int32_t left, right, rank, merged;
} merge;

struct msk_clip_bpe {
  const msk_allocator *allocator;
  int32_t bytes[256], last_bytes[256]; /* a byte inside a word, and at its end */
  int32_t start, end;
  merge *merges; /* ascending by left, right */
  size_t merge_count;
};

/* ---- Making one ---- */

/* The printable character that spells a byte: itself where it is printable Latin-1, else the
 * next one from U+0100. */
static size_t spell_byte(unsigned byte, uint8_t text[2]) {
  int32_t next = 0x100;
  for (unsigned b = 0; b < 256; b++) {
    bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    if (b == byte) return (size_t)utf8proc_encode_char(printable ? (int32_t)b : next, text);
    next += !printable;
  }
  return 0;
}

static msk_status need_word(const msk_clip_vocabulary *vocabulary, const char *path,
                            const void *text, size_t bytes, const char *end, int32_t *id,
                            msk_error *error) {
  *id = msk_clip_vocabulary_find(vocabulary, text, bytes, end, strlen(end));
  if (*id >= 0) return MSK_OK;
  return msk_fail(error, MSK_ERROR_FILE,
                  "%s: the word %.*s%s is missing: is this CLIP's vocab.json?", path, (int)bytes,
                  (const char *)text, end);
}

static msk_status find_specials(msk_clip_bpe *bpe, const msk_clip_vocabulary *vocabulary,
                                const char *path, msk_error *error) {
  msk_status status = need_word(vocabulary, path, "<|startoftext|>", 15, "", &bpe->start, error);
  if (status == MSK_OK)
    status = need_word(vocabulary, path, "<|endoftext|>", 13, "", &bpe->end, error);
  for (unsigned b = 0; status == MSK_OK && b < 256; b++) {
    uint8_t text[2];
    size_t bytes = spell_byte(b, text);
    status = need_word(vocabulary, path, text, bytes, "", &bpe->bytes[b], error);
    if (status == MSK_OK)
      status = need_word(vocabulary, path, text, bytes, WORD_END, &bpe->last_bytes[b], error);
  }
  return status;
}

static int compare_merges(const void *left, const void *right) {
  const merge *a = left, *b = right;
  if (a->left != b->left) return a->left < b->left ? -1 : 1;
  return a->right < b->right ? -1 : a->right > b->right;
}

/* One line "LEFT RIGHT". */
static msk_status parse_merge(const msk_clip_vocabulary *vocabulary, const msk_clip_file *file,
                              size_t number, const uint8_t *line, size_t bytes, merge *out,
                              msk_error *error) {
  const uint8_t *space = bytes == 0 ? NULL : memchr(line, ' ', bytes);
  size_t left = space == NULL ? 0 : (size_t)(space - line),
         right = space == NULL ? 0 : bytes - left - 1;
  if (left == 0 || right == 0 || memchr(space + 1, ' ', right) != NULL) {
    return msk_fail(
        error, MSK_ERROR_FILE,
        "%s: line %zu holds no two words with a space between them: is this CLIP's merges.txt?",
        file->path, number);
  }
  out->left = msk_clip_vocabulary_find(vocabulary, line, left, NULL, 0);
  out->right = msk_clip_vocabulary_find(vocabulary, space + 1, right, NULL, 0);
  out->merged = msk_clip_vocabulary_find(vocabulary, line, left, space + 1, right);
  if (out->left < 0 || out->right < 0 || out->merged < 0) {
    return msk_fail(
        error, MSK_ERROR_FILE,
        "%s: line %zu merges what vocab.json does not hold: do the two files belong together?",
        file->path, number);
  }
  return MSK_OK;
}

static size_t count_lines(const msk_clip_file *file) {
  size_t lines = 1;
  for (size_t i = 0; i < file->byte_count; i++) lines += file->bytes[i] == '\n';
  return lines;
}

/* A first line that begins with #version is no merge; the rank is the order of lines. */
static msk_status parse_merges(msk_clip_bpe *bpe, const msk_clip_vocabulary *vocabulary,
                               const msk_clip_file *file, msk_error *error) {
  msk_reader reader = {file->bytes, file->byte_count};
  for (size_t number = 1; reader.left > 0; number++) {
    const uint8_t *line = reader.at, *end = memchr(line, '\n', reader.left);
    size_t bytes = end == NULL ? reader.left : (size_t)(end - line);
    msk_read_span(&reader, bytes + (end != NULL), &line);
    if (bytes > 0 && line[bytes - 1] == '\r') bytes--;
    /* anywhere else "#version" is a merge like others */
    if (number == 1 && bytes >= 8 && memcmp(line, "#version", 8) == 0) continue;
    if (bytes == 0) continue;
    merge *out = &bpe->merges[bpe->merge_count];
    msk_status status = parse_merge(vocabulary, file, number, line, bytes, out, error);
    if (status != MSK_OK) return status;
    out->rank = (int32_t)bpe->merge_count++;
  }
  if (bpe->merge_count == 0)
    return msk_fail(error, MSK_ERROR_FILE, "%s: holds no merges: is this CLIP's merges.txt?",
                    file->path);
  /* looked up by pair; the rank keeps the order of the lines */
  msk_sort(bpe->merges, bpe->merge_count, sizeof *bpe->merges, compare_merges);
  for (size_t i = 1; i < bpe->merge_count; i++) {
    if (compare_merges(&bpe->merges[i - 1], &bpe->merges[i]) == 0)
      return msk_fail(error, MSK_ERROR_FILE, "%s: the merges %d and %d are the same", file->path,
                      (int)bpe->merges[i - 1].rank + 1, (int)bpe->merges[i].rank + 1);
  }
  return MSK_OK;
}

msk_status msk_clip_bpe_create(msk_clip_bpe **bpe, const msk_clip_file *vocab,
                               const msk_clip_file *merges, size_t vocabulary,
                               const msk_allocator *allocator, msk_error *error) {
  msk_clip_vocabulary words;
  msk_status status = msk_clip_vocabulary_parse(&words, vocab, vocabulary, allocator, error);
  if (status != MSK_OK) return status;
  msk_clip_bpe *made = msk_allocate_zeroed(allocator, 1, sizeof *made);
  if (made != NULL) {
    made->allocator = allocator;
    /* A merge takes four bytes of the file at least. */
    size_t lines = count_lines(merges), most = merges->byte_count / 4 + 1;
    made->merges = msk_allocate(allocator, lines < most ? lines : most, sizeof *made->merges);
  }
  status = made == NULL || made->merges == NULL
               ? msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the tokenizer")
               : find_specials(made, &words, vocab->path, error);
  if (status == MSK_OK) status = parse_merges(made, &words, merges, error);
  msk_clip_vocabulary_free(&words, allocator);
  if (status == MSK_OK) {
    *bpe = made;
  } else {
    msk_clip_bpe_destroy(made);
  }
  return status;
}

void msk_clip_bpe_destroy(msk_clip_bpe *bpe) {
  if (bpe == NULL) return;
  const msk_allocator *allocator = bpe->allocator;
  msk_free(allocator, bpe->merges);
  msk_free(allocator, bpe);
}

int32_t msk_clip_bpe_end_token(const msk_clip_bpe *bpe) { return bpe->end; }

/* ---- Words of a text ---- */

/* Length of a contraction's ending at text[0] ('s 't 're 've 'm 'll 'd), or 0. The long s
 * matches s where letter case is ignored. */
static size_t contraction_length(const int32_t *text, size_t count) {
  if (count < 2 || text[0] != '\'') return 0;
  int32_t a = text[1], b = count > 2 ? text[2] : 0;
  if (a == 's' || a == 0x17F || a == 't' || a == 'm' || a == 'd') return 2;
  if ((a == 'r' || a == 'v') && b == 'e') return 3;
  return a == 'l' && b == 'l' ? 3 : 0;
}

/* Length of the word at text[0], which is no space: a contraction's ending, letters, one number,
 * or anything else up to a space, letter or number. */
static size_t word_length(const int32_t *text, size_t count) {
  size_t length = contraction_length(text, count);
  if (length > 0) return length;
  if (msk_is_number(text[0])) return 1;
  bool letters = msk_is_letter(text[0]);
  for (length = 1; length < count; length++) {
    int32_t c = text[length];
    if (letters ? !msk_is_letter(c) : msk_is_space(c) || msk_is_letter(c) || msk_is_number(c))
      break;
  }
  return length;
}

static const merge *find_merge(const msk_clip_bpe *bpe, int32_t left, int32_t right) {
  merge wanted = {.left = left, .right = right};
  return bsearch(&wanted, bpe->merges, bpe->merge_count, sizeof *bpe->merges, compare_merges);
}

/* A word while it is merged: symbols, and the rank of each with its right neighbour. */
struct word {
  int32_t *symbols, *ranks;
  size_t count;
};

static int32_t pair_rank(const msk_clip_bpe *bpe, const struct word *word, size_t i) {
  if (i + 1 >= word->count) return NO_MERGE;
  const merge *found = find_merge(bpe, word->symbols[i], word->symbols[i + 1]);
  return found == NULL ? NO_MERGE : found->rank;
}

/* Again and again the pair of lowest rank, everywhere in the word, from left to right. */
static void merge_word(const msk_clip_bpe *bpe, struct word *word) {
  for (size_t i = 0; i < word->count; i++) word->ranks[i] = pair_rank(bpe, word, i);
  for (;;) {
    int32_t best = NO_MERGE;
    size_t used = 0;
    for (size_t i = 0; i < word->count; i++) best = word->ranks[i] < best ? word->ranks[i] : best;
    if (best == NO_MERGE) return;
    for (size_t i = 0; i < word->count; used++) {
      bool merges = word->ranks[i] == best;
      word->symbols[used] = merges ? find_merge(bpe, word->symbols[i], word->symbols[i + 1])->merged
                                   : word->symbols[i];
      word->ranks[used] = merges ? -1 : word->ranks[i]; /* -1: new, as is the pair before it */
      i += merges ? 2 : 1;
    }
    word->count = used;
    for (size_t i = 0; i < used; i++) {
      if (word->ranks[i] == -1 || (i + 1 < used && word->ranks[i + 1] == -1))
        word->ranks[i] = pair_rank(bpe, word, i);
    }
  }
}

/* The word's bytes as symbols. */
static void spell_word(const msk_clip_bpe *bpe, const int32_t *text, size_t count,
                       struct word *word) {
  uint8_t bytes[4] = {0};
  size_t length = 0;
  word->count = 0;
  for (size_t i = 0; i < count; i++) {
    length = (size_t)utf8proc_encode_char(text[i], bytes);
    for (size_t b = 0; b < length; b++) word->symbols[word->count++] = bpe->bytes[bytes[b]];
  }
  word->symbols[word->count - 1] = bpe->last_bytes[bytes[length - 1]];
}

static void encode_words(const msk_clip_bpe *bpe, const int32_t *text, size_t count,
                         struct word *word, size_t limit, int32_t *ids, size_t *whole) {
  size_t used = 1;
  for (size_t at = 0; at < count;) {
    if (msk_is_space(text[at])) {
      at++;
      continue;
    }
    size_t length = word_length(text + at, count - at);
    spell_word(bpe, text + at, length, word);
    merge_word(bpe, word);
    for (size_t i = 0; i < word->count; i++, used++) {
      /* counted beyond the limit too: the caller tells how much was cut off */
      if (used < limit - 1) ids[used] = word->symbols[i];
    }
    at += length;
  }
  *whole = used + 1;
}

msk_status msk_clip_bpe_encode(const msk_clip_bpe *bpe, const char *text, size_t limit,
                               int32_t *ids, size_t *count, size_t *whole, msk_error *error) {
  int32_t *clean = NULL;
  size_t length = 0;
  msk_status status = msk_clip_clean(&clean, &length, text, bpe->allocator, error);
  if (status != MSK_OK) return status;
  struct word word = {.symbols =
                          msk_allocate(bpe->allocator, 2 * (4 * length + 1), sizeof *word.symbols)};
  if (word.symbols == NULL) {
    status = msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a text");
  } else {
    word.ranks = word.symbols + 4 * length + 1;
    encode_words(bpe, clean, length, &word, limit, ids, whole);
    *count = *whole < limit ? *whole : limit;
    ids[0] = bpe->start;
    /* a text that was cut off ends with the end token too, as CLIP's own tokenizer makes it */
    ids[*count - 1] = bpe->end;
  }
  msk_free(bpe->allocator, word.symbols);
  msk_free(bpe->allocator, clean);
  return status;
}
