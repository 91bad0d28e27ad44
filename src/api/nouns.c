/* SPDX-License-Identifier: Apache-2.0
 * nouns.c - one and many, in English, as people type a class's name. */
#include <stdbool.h>
#include <string.h>

#include "masksketch_tools.h"

enum { MOST_SINGULARS = 4 };

/* The first `stem` bytes of a word, and what is put behind them. */
typedef struct form {
  const char *word;
  size_t stem;
  const char *put;
} form;

static bool ends(const char *word, const char *end) {
  size_t length = strlen(word), wanted = strlen(end);
  return length >= wanted && strcmp(word + length - wanted, end) == 0;
}

/* The word, and all of which it may be the plural; returns how many. */
static int find_singulars(const char *word, form forms[MOST_SINGULARS]) {
  static const char *const odd[][2] = {
      {"men", "man"},    {"feet", "foot"},      {"geese", "goose"},   {"teeth", "tooth"},
      {"mice", "mouse"}, {"children", "child"}, {"people", "person"}, {"oxen", "ox"},
      {"lice", "louse"}, {"cacti", "cactus"}};
  static const struct ending {
    const char *end, *put;
  } endings[] = {{"ies", "y"}, {"ves", "f"}, {"ves", "fe"}, {"es", ""}, {"s", ""}};
  size_t length = strlen(word);
  int count = 0;
  forms[count++] = (form){word, length, ""};
  for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
    /* compounds end like them, as firemen does */
    if (!ends(word, odd[i][0])) continue;
    forms[count++] = (form){word, length - strlen(odd[i][0]), odd[i][1]};
    return count;
  }
  if (length < 3 || ends(word, "ss")) return count; /* glass is one already */
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    const char *end = endings[i].end;
    bool one_of_these = ends(word, "ies") || ends(word, "ves");
    if (!ends(word, end) || (strcmp(end, "es") == 0 && one_of_these)) continue;
    forms[count++] = (form){word, length - strlen(end), endings[i].put};
  }
  return count;
}

static bool is_same(const form *a, const form *b) {
  size_t put_a = strlen(a->put), put_b = strlen(b->put), length = a->stem + put_a;
  if (length != b->stem + put_b) return false;
  for (size_t i = 0; i < length; i++) {
    char of_a = i < a->stem ? a->word[i] : a->put[i - a->stem],
         of_b = i < b->stem ? b->word[i] : b->put[i - b->stem];
    if (of_a != of_b) return false;
  }
  return true;
}

int msk_same_noun(const char *a, const char *b) {
  form of_a[MOST_SINGULARS], of_b[MOST_SINGULARS];
  int count_a = find_singulars(a, of_a), count_b = find_singulars(b, of_b);
  for (int i = 0; i < count_a; i++) {
    for (int k = 0; k < count_b; k++) {
      if (is_same(&of_a[i], &of_b[k])) return 1;
    }
  }
  return 0;
}
