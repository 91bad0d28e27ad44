/* SPDX-License-Identifier: Apache-2.0
 * classes.c - the functions of the public headers that find classes by name: letter case, accents
 * and underscores aside. Allocates nothing. */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/model.h"
#include "base/error.h"

enum { FOLDED_NAME = 256 };

/* Base letters of U+00C0..U+00FF and U+0100..U+017F; '?' keeps the character as it is. */
static const char base_letters[] =
    "aaaaaaaceeeeiiiidnooooo?ouuuuypsaaaaaaaceeeeiiiidnooooo?ouuuuypy"
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllll"
    "nnnnnnnnnoooooooorrrrrrsssssssst"
    "tttttuuuuuuuuuuuuwwyyyzzzzzzs";

/* Lower case, accents of Latin letters taken off, underscores to spaces, outer spaces off; cut
 * at 255 bytes. `bytes` of text are read. */
static void fold_name(const char *text, size_t bytes, char folded[FOLDED_NAME]) {
  size_t used = 0;
  for (size_t i = 0; i < bytes && used + 1 < FOLDED_NAME; i++) {
    unsigned char c = (unsigned char)text[i];
    unsigned char next = i + 1 < bytes ? (unsigned char)text[i + 1] : 0;
    /* U+00C0 to U+017F in UTF-8: the Latin letters with accents. */
    if (c >= 0xC3 && c <= 0xC5 && (next & 0xC0) == 0x80) {
      char letter = base_letters[((c & 0x1Fu) << 6 | (next & 0x3Fu)) - 0xC0];
      if (letter != '?') c = (unsigned char)letter, i++;
    }
    if (c >= 'A' && c <= 'Z') c = (unsigned char)(c + 'a' - 'A');
    if (c == '_' || c == '\t') c = ' ';
    if (c == ' ' && used == 0) continue;
    folded[used++] = (char)c;
  }
  while (used > 0 && folded[used - 1] == ' ') used--;
  folded[used] = 0;
}

/* The next synonym, folded; false past the end. *cursor moves on. */
static bool next_synonym(const char **cursor, char folded[FOLDED_NAME]) {
  if (**cursor == 0) return false;
  size_t bytes = strcspn(*cursor, ",");
  fold_name(*cursor, bytes, folded);
  *cursor += bytes;
  if (**cursor == ',') (*cursor)++;
  return true;
}

/* How well a folded word fits. */
typedef enum rank { EQUAL, SAME_NOUN, BEGINS_NAME, BEGINS_WORD, INSIDE, RANKS, NOT = RANKS } rank;

static rank synonym_rank(const char *synonym, const char *word) {
  size_t length = strlen(word);
  bool begins = strncmp(synonym, word, length) == 0;
  if (begins && synonym[length] == 0) return EQUAL;
  if (msk_same_noun(synonym, word)) return SAME_NOUN;
  if (begins) return BEGINS_NAME;
  rank best = NOT;
  for (const char *found = strstr(synonym, word); found != NULL; found = strstr(found + 1, word)) {
    if (found[-1] == ' ' || found[-1] == '-') return BEGINS_WORD;
    best = INSIDE;
  }
  return best;
}

/* The best of a class name's comma-separated synonyms; as a whole it is a name, too. */
static rank class_rank(const char *names, const char *word) {
  rank best = NOT;
  char synonym[FOLDED_NAME];
  fold_name(names, strlen(names), synonym);
  if (strcmp(synonym, word) == 0) return EQUAL;
  while (next_synonym(&names, synonym)) {
    rank found = synonym_rank(synonym, word);
    if (found < best) best = found;
  }
  return best;
}

static int edit_distance(const char *a, const char *b) {
  int row[FOLDED_NAME];
  size_t columns = strlen(b);
  for (size_t j = 0; j <= columns; j++) row[j] = (int)j;
  /* Wagner and Fischer's table (1974), of which one row is kept */
  for (size_t i = 0; a[i] != 0; i++) {
    int diagonal = row[0];
    row[0] = (int)i + 1;
    for (size_t j = 0; j < columns; j++) {
      int change = diagonal + (a[i] != b[j]),
          other = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
      diagonal = row[j + 1];
      row[j + 1] = change < other ? change : other;
    }
  }
  return row[columns];
}

/* Smallest edit distance between a folded word and a synonym. */
static int class_distance(const char *names, const char *word) {
  int best = INT_MAX;
  char synonym[FOLDED_NAME];
  while (next_synonym(&names, synonym)) {
    int distance = edit_distance(synonym, word);
    if (distance < best) best = distance;
  }
  return best;
}

const char *msk_model_class_name(const msk_model *model, int class_id) {
  return class_id >= 0 && class_id < model->class_count ? model->class_names[class_id] : NULL;
}

int msk_model_class_hidden(const msk_model *model, int class_id) {
  return class_id >= 0 && class_id < model->class_count ? model->defaults.hidden[class_id] : 0;
}

/* Classes of one rank (of any if word is NULL) in order of their ids; writes while there is
 * room, returns how many. */
static int collect_rank(const msk_model *model, const char *word, rank wanted, int *class_ids,
                        int found, int limit) {
  for (int id = 0; id < model->class_count; id++) {
    if (model->defaults.hidden[id] ||
        (word != NULL && class_rank(model->class_names[id], word) != wanted))
      continue;
    if (found < limit && class_ids != NULL) class_ids[found] = id;
    found++;
  }
  return found;
}

int msk_model_class_search(const msk_model *model, const char *word, int *class_ids, int limit) {
  char folded[FOLDED_NAME];
  if (word == NULL) return collect_rank(model, NULL, EQUAL, class_ids, 0, limit);
  fold_name(word, strlen(word), folded);
  int found = 0;
  for (rank wanted = EQUAL; wanted < RANKS; wanted++)
    found = collect_rank(model, folded, wanted, class_ids, found, limit);
  return found;
}

enum { CANDIDATES = 5 };

/* The classes with the smallest edit distance, for a word that is in no name. */
static int collect_near(const msk_model *model, const char *word, int class_ids[CANDIDATES]) {
  int distances[CANDIDATES], count = 0;
  for (int id = 0; id < model->class_count; id++) {
    /* what lists leave out is not proposed either */
    if (model->defaults.hidden[id]) continue;
    int distance = class_distance(model->class_names[id], word), place = count;
    while (place > 0 && distances[place - 1] > distance) place--;
    if (place == CANDIDATES) continue;
    if (count < CANDIDATES) count++;
    for (int i = count - 1; i > place; i--)
      distances[i] = distances[i - 1], class_ids[i] = class_ids[i - 1];
    distances[place] = distance;
    class_ids[place] = id;
  }
  return count;
}

static msk_status fail_candidates(const msk_model *model, const char *text, const char *what,
                                  const int *class_ids, int count, msk_error *error) {
  char list[400] = "";
  size_t used = 0;
  for (int i = 0; i < count && used < sizeof list - 64; i++) {
    const char *name = model->class_names[class_ids[i]];
    int written = snprintf(list + used, sizeof list - used, "%s%.*s (%d)", i == 0 ? "" : "; ",
                           (int)strcspn(name, ","), name, class_ids[i]);
    used =
        written < 0 || (size_t)written >= sizeof list - used ? sizeof list : used + (size_t)written;
  }
  return msk_fail(error, MSK_ERROR_ARGUMENT, "class \"%.60s\" %s: %s", text, what, list);
}

static msk_status find_number(const msk_model *model, const char *text, int *class_id,
                              msk_error *error) {
  unsigned long number = strlen(text) > 9 ? ULONG_MAX : strtoul(text, NULL, 10);
  if (number >= (unsigned long)model->class_count) {
    return msk_fail(error, MSK_ERROR_ARGUMENT, "class %.20s does not exist, expected 0 to %d", text,
                    model->class_count - 1);
  }
  if (msk_model_class_hidden(model, (int)number))
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "class %.20s is a label by which the model was taught, no class that it draws; "
                    "expected one of those that are listed",
                    text);
  *class_id = (int)number;
  return MSK_OK;
}

msk_status msk_model_class_find(const msk_model *model, const char *text, int *class_id,
                                msk_error *error) {
  char word[FOLDED_NAME];
  int ids[CANDIDATES];
  if (text == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no class given, expected a number or a name");
  fold_name(text, strlen(text), word);
  if (word[0] == 0)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "the class is empty, expected a number or a name");
  if (word[strspn(word, "0123456789")] == 0) return find_number(model, word, class_id, error);
  int found = 0;
  for (rank wanted = EQUAL; found == 0 && wanted <= BEGINS_NAME; wanted++)
    found = collect_rank(model, word, wanted, ids, 0, CANDIDATES);
  if (found == 1) {
    *class_id = ids[0];
    return MSK_OK;
  }
  if (found > 1) {
    return fail_candidates(model, text,
                           "is not the only one of that name; give more of the name or the number",
                           ids, found < CANDIDATES ? found : CANDIDATES, error);
  }
  found = msk_model_class_search(model, text, ids, CANDIDATES);
  if (found == 0) found = collect_near(model, word, ids);
  return fail_candidates(model, text, "is unknown; the nearest are", ids,
                         found < CANDIDATES ? found : CANDIDATES, error);
}
