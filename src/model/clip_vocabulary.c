/* SPDX-License-Identifier: Apache-2.0
 * clip_vocabulary.c - see clip_vocabulary.h. */
#include "model/clip_vocabulary.h"

#include <string.h>

#include "base/error.h"
#include "base/json_reader.h"
#include "base/memory.h"
#include "tensor/weight_store.h"

struct parser {
  const msk_clip_file *file;
  msk_reader reader;
  size_t limit;
  msk_clip_vocabulary *out;
  size_t text_used;
  uint8_t *seen; /* per id */
  msk_error *error;
};

static msk_status broken(const struct parser *p, const char *expected) {
  return msk_fail(p->error, MSK_ERROR_FILE,
                  "%s: at byte %zu stands something else than %s: is this CLIP's vocab.json?",
                  p->file->path, p->file->byte_count - p->reader.left, expected);
}

/* The word's text goes behind what the block holds already. */
static bool take_word(struct parser *p, msk_clip_word *word) {
  msk_span inside;
  if (!msk_json_take_string(&p->reader, &inside)) return false;
  uint8_t *text = p->out->text;
  word->text = text;
  word->first = (uint32_t)p->text_used;
  word->length = (uint32_t)msk_span_text(inside, (char *)text + p->text_used);
  p->text_used += word->length;
  return true;
}

static bool take_id(struct parser *p, int32_t *id) {
  size_t value;
  if (!msk_json_take_number(&p->reader, &value) || value >= p->limit) return false;
  *id = (int32_t)value;
  return true;
}

static msk_status parse_words(struct parser *p) {
  msk_clip_vocabulary *out = p->out;
  if (!msk_json_take(&p->reader, '{')) return broken(p, "{");
  do {
    msk_clip_word word;
    /* the limit is also what the table has room for */
    if (out->count == p->limit) {
      return msk_fail(p->error, MSK_ERROR_FILE,
                      "%s: more than the %zu words that the model knows: do vocab.json and "
                      "config.json belong together?",
                      p->file->path, p->limit);
    }
    if (!take_word(p, &word)) return broken(p, "a word in quotes");
    if (!msk_json_take(&p->reader, ':')) return broken(p, "a colon");
    if (!take_id(p, &word.id)) return broken(p, "an id below the vocabulary's size");
    if (p->seen[word.id])
      return msk_fail(p->error, MSK_ERROR_FILE, "%s: the id %d is given twice", p->file->path,
                      (int)word.id);
    p->seen[word.id] = 1;
    out->words[out->count++] = word;
  } while (msk_json_take(&p->reader, ','));
  if (!msk_json_take(&p->reader, '}')) return broken(p, "a comma or }");
  msk_json_skip_space(&p->reader);
  return p->reader.left == 0 ? MSK_OK : broken(p, "the end");
}

/* Bytes of a, then of b, against those of one word. */
static int compare_to(const msk_clip_word *word, const uint8_t *a, size_t a_bytes, const uint8_t *b,
                      size_t b_bytes) {
  const uint8_t *text = word->text + word->first;
  size_t length = word->length, head = a_bytes < length ? a_bytes : length;
  int order = head == 0 ? 0 : memcmp(a, text, head);
  if (order != 0) return order;
  if (a_bytes > length) return 1;
  size_t left = length - a_bytes, tail = b_bytes < left ? b_bytes : left;
  order = tail == 0 ? 0 : memcmp(b, text + a_bytes, tail);
  if (order != 0) return order;
  return b_bytes < left ? -1 : b_bytes > left;
}

static int compare_words(const void *left, const void *right) {
  const msk_clip_word *a = left;
  return compare_to(right, a->text + a->first, a->length, NULL, 0);
}

static msk_status check_repeats(const msk_clip_vocabulary *v, const char *path, msk_error *error) {
  for (size_t i = 1; i < v->count; i++) {
    if (compare_words(&v->words[i - 1], &v->words[i]) == 0) {
      return msk_fail(error, MSK_ERROR_FILE, "%s: a word is given twice, as %d and %d", path,
                      (int)v->words[i - 1].id, (int)v->words[i].id);
    }
  }
  return MSK_OK;
}

msk_status msk_clip_vocabulary_parse(msk_clip_vocabulary *vocabulary, const msk_clip_file *file,
                                     size_t limit, const msk_allocator *allocator,
                                     msk_error *error) {
  msk_clip_vocabulary made = {0};
  /* A word takes five bytes of the file at least ("":0,): so many can there be. */
  size_t most = file->byte_count / 5 + 1 < limit ? file->byte_count / 5 + 1 : limit;
  struct parser parser = {.file = file,
                          .reader = {file->bytes, file->byte_count},
                          .limit = limit,
                          .out = &made,
                          .error = error};
  if (!msk_utf8_valid(file->bytes, file->byte_count))
    return msk_fail(error, MSK_ERROR_FILE, "%s: is no well-formed UTF-8", file->path);
  made.text = msk_allocate(allocator, file->byte_count + 1, 1);
  made.words = msk_allocate(allocator, most, sizeof *made.words);
  parser.seen = msk_allocate_zeroed(allocator, limit, 1);
  msk_status status =
      made.text == NULL || made.words == NULL || parser.seen == NULL
          ? msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the vocabulary")
          : parse_words(&parser);
  msk_free(allocator, parser.seen);
  if (status == MSK_OK) {
    msk_sort(made.words, made.count, sizeof *made.words, compare_words);
    status = check_repeats(&made, file->path, error);
  }
  if (status == MSK_OK) {
    *vocabulary = made;
  } else {
    msk_clip_vocabulary_free(&made, allocator);
  }
  return status;
}

void msk_clip_vocabulary_free(msk_clip_vocabulary *vocabulary, const msk_allocator *allocator) {
  msk_free(allocator, vocabulary->text);
  msk_free(allocator, vocabulary->words);
  *vocabulary = (msk_clip_vocabulary){0};
}

int32_t msk_clip_vocabulary_find(const msk_clip_vocabulary *vocabulary, const void *left,
                                 size_t left_bytes, const void *right, size_t right_bytes) {
  size_t low = 0, high = vocabulary->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = compare_to(&vocabulary->words[middle], left, left_bytes, right, right_bytes);
    if (order == 0) return vocabulary->words[middle].id;
    if (order < 0) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return -1;
}
