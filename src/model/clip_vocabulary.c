/* SPDX-License-Identifier: Apache-2.0
 * clip_vocabulary.c - see clip_vocabulary.h. */
#include "model/clip_vocabulary.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/unicode.h"
#include "tensor/weight_store.h"

struct parser {
  const msk_clip_file *file;
  size_t at, limit;
  msk_clip_vocabulary *out;
  size_t text_used;
  uint8_t *seen; /* per id */
  msk_error *error;
};

static msk_status broken(const struct parser *p, const char *expected) {
  return msk_fail(p->error, MSK_ERROR_FILE,
                  "%s: at byte %zu stands something else than %s: is this CLIP's vocab.json?",
                  p->file->path, p->at, expected);
}

static void skip_space(struct parser *p) {
  const uint8_t *bytes = p->file->bytes;
  while (p->at < p->file->byte_count &&
         (bytes[p->at] == ' ' || (bytes[p->at] >= '\t' && bytes[p->at] <= '\r')))
    p->at++;
}

static bool take(struct parser *p, char wanted) {
  skip_space(p);
  if (p->at >= p->file->byte_count || p->file->bytes[p->at] != (uint8_t)wanted) return false;
  p->at++;
  return true;
}

static bool take_unit(struct parser *p, uint32_t *unit) {
  *unit = 0;
  if (p->file->byte_count - p->at < 4) return false;
  for (int i = 0; i < 4; i++) {
    uint8_t c = p->file->bytes[p->at++], lower = c | 0x20;
    bool digit = c >= '0' && c <= '9';
    if (!digit && !(lower >= 'a' && lower <= 'f')) return false;
    *unit = *unit * 16 + (digit ? c - (uint32_t)'0' : lower - (uint32_t)'a' + 10);
  }
  return true;
}

/* What follows a backslash; a surrogate pair makes one character. */
static bool take_escape(struct parser *p, uint32_t *character) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  if (p->at >= p->file->byte_count) return false;
  uint8_t c = p->file->bytes[p->at++];
  const char *letter = c == 0 ? NULL : strchr(letters, c);
  if (letter != NULL) {
    *character = (uint8_t)meanings[letter - letters];
    return true;
  }
  uint32_t low;
  if (c != 'u' || !take_unit(p, character)) return false;
  if (*character < 0xD800 || *character > 0xDFFF) return true;
  if (*character > 0xDBFF || p->file->byte_count - p->at < 2 ||
      memcmp(p->file->bytes + p->at, "\\u", 2) != 0)
    return false;
  p->at += 2;
  if (!take_unit(p, &low) || low < 0xDC00 || low > 0xDFFF) return false;
  *character = 0x10000 + ((*character - 0xD800) << 10) + (low - 0xDC00);
  return true;
}

/* A string; its UTF-8 goes behind what the text block holds already and never takes more bytes
 * than the spelling in the file. */
static bool take_string(struct parser *p, msk_clip_word *word) {
  const msk_clip_file *file = p->file;
  if (!take(p, '"')) return false;
  uint8_t *text = p->out->text;
  word->text = text;
  word->first = (uint32_t)p->text_used;
  while (p->at < file->byte_count && file->bytes[p->at] != '"') {
    uint8_t c = file->bytes[p->at++];
    uint32_t character;
    if (c < 0x20) return false;
    if (c != '\\') {
      text[p->text_used++] = c;
    } else if (take_escape(p, &character)) {
      p->text_used += msk_utf8_write(character, text + p->text_used);
    } else {
      return false;
    }
  }
  word->length = (uint32_t)p->text_used - word->first;
  return take(p, '"');
}

static bool take_id(struct parser *p, int32_t *id) {
  size_t digits = 0, value = 0;
  skip_space(p);
  for (; p->at < p->file->byte_count && p->file->bytes[p->at] >= '0' &&
         p->file->bytes[p->at] <= '9' && digits < 9;
       digits++) {
    value = value * 10 + (p->file->bytes[p->at++] - '0');
  }
  *id = (int32_t)value;
  return digits > 0 && value < p->limit;
}

static msk_status parse_words(struct parser *p) {
  msk_clip_vocabulary *out = p->out;
  if (!take(p, '{')) return broken(p, "{");
  do {
    msk_clip_word word;
    if (out->count == p->limit) {
      return msk_fail(p->error, MSK_ERROR_FILE,
                      "%s: more than the %zu words that the model knows: do vocab.json and "
                      "config.json belong together?",
                      p->file->path, p->limit);
    }
    if (!take_string(p, &word)) return broken(p, "a word in quotes");
    if (!take(p, ':')) return broken(p, "a colon");
    if (!take_id(p, &word.id)) return broken(p, "an id below the vocabulary's size");
    if (p->seen[word.id])
      return msk_fail(p->error, MSK_ERROR_FILE, "%s: the id %d is given twice", p->file->path,
                      (int)word.id);
    p->seen[word.id] = 1;
    out->words[out->count++] = word;
  } while (take(p, ','));
  if (!take(p, '}')) return broken(p, "a comma or }");
  skip_space(p);
  return p->at == p->file->byte_count ? MSK_OK : broken(p, "the end");
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
  struct parser parser = {.file = file, .limit = limit, .out = &made, .error = error};
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
