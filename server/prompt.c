/* SPDX-License-Identifier: Apache-2.0
 * prompt.c - see prompt.h. */
#include "masksketch_tools.h"
#include "prompt.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum {
  MOST_WORDS = 2000,
  MOST_JOINED = 4,  /* words that may stand for one */
  WORD_BYTES = 128, /* longer ones name nothing */
  MOST_MENTIONS = 64,
  FEW_CLASSES = 24 /* so many are listed in whole */
};

/* ---- Words ---- */

typedef struct words {
  char *text; /* folded; a zero behind each word */
  const char *at[MOST_WORDS];
  int count;
} words;

static bool is_letter(utf8proc_int32_t point) {
  utf8proc_category_t category = utf8proc_category(point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

/* False without memory; text that is no UTF-8 has no words. */
static bool split(words *w, const char *text, size_t bytes) {
  utf8proc_uint8_t *folded = NULL;
  *w = (words){.count = 0};
  utf8proc_ssize_t length =
      utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)bytes, &folded,
                   UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD |
                       UTF8PROC_STRIPMARK | UTF8PROC_IGNORE);
  if (length < 0) return length != UTF8PROC_ERROR_NOMEM;
  w->text = (char *)folded;
  bool inside = false;
  for (utf8proc_ssize_t i = 0; i < length;) {
    utf8proc_int32_t point;
    utf8proc_ssize_t size = utf8proc_iterate(folded + i, length - i, &point);
    bool letter = size > 0 && is_letter(point);
    if (size <= 0) size = 1;
    if (letter && !inside && w->count < MOST_WORDS) w->at[w->count++] = w->text + i;
    if (!letter) folded[i] = 0;
    inside = letter;
    i += size;
  }
  return true;
}

/* Words first .. first+count-1 in one; false if that is too long. */
static bool join(char out[WORD_BYTES], const words *w, int first, int count) {
  size_t used = 0;
  for (int i = first; i < first + count; i++) {
    size_t length = strlen(w->at[i]);
    if (used + length >= WORD_BYTES) return false;
    memcpy(out + used, w->at[i], length);
    used += length;
  }
  out[used] = 0;
  return used > 0;
}

/* ---- Classes in a sentence ---- */

typedef struct mention {
  int class_id, first, count; /* words of the sentence */
} mention;

typedef struct sentence {
  words words;
  mention mentions[MOST_MENTIONS];
  int count;
} sentence;

static void look_for(sentence *s, int class_id, const char *name) {
  for (int first = 0; first < s->words.count; first++) {
    char joined[WORD_BYTES];
    for (int count = 1; count <= MOST_JOINED && first + count <= s->words.count; count++) {
      if (!join(joined, &s->words, first, count)) break;
      if (msk_same_noun(joined, name) && s->count < MOST_MENTIONS)
        s->mentions[s->count++] = (mention){class_id, first, count};
    }
  }
}

/* All names of a class: they stand in one text, commas between them. */
static bool look_for_class(sentence *s, int class_id, const char *names) {
  while (*names != 0) {
    size_t length = strcspn(names, ",");
    words name;
    char joined[WORD_BYTES];
    bool memory = split(&name, names, length);
    if (memory && join(joined, &name, 0, name.count)) look_for(s, class_id, joined);
    free(name.text);
    if (!memory) return false;
    names += length + (names[length] == ',');
  }
  return true;
}

/* A mention inside a longer one is none: "house finch" is no house. */
static bool is_covered(const sentence *s, const mention *m) {
  for (int i = 0; i < s->count; i++) {
    const mention *other = &s->mentions[i];
    if (other->count > m->count && other->first < m->first + m->count &&
        m->first < other->first + other->count)
      return true;
  }
  return false;
}

/* Classes that are mentioned, each once; returns how many there are. */
static int collect(const sentence *s, int ids[MOST_MENTIONS]) {
  int count = 0;
  for (int i = 0; i < s->count; i++) {
    bool known = is_covered(s, &s->mentions[i]);
    for (int k = 0; k < count; k++) known = known || ids[k] == s->mentions[i].class_id;
    if (!known) ids[count++] = s->mentions[i].class_id;
  }
  return count;
}

/* ---- What is told ---- */

static void list_names(const msk_model *model, const int *ids, int count, char *out, size_t bytes) {
  size_t used = 0;
  out[0] = 0;
  for (int i = 0; i < count && used + 80 < bytes; i++) {
    const char *name = msk_model_class_name(model, ids[i]);
    int length = name == NULL ? 0 : (int)strcspn(name, ",");
    used += (size_t)snprintf(out + used, bytes - used, "%s%.*s", i == 0 ? "" : ", ",
                             length < 60 ? length : 60, name == NULL ? "" : name);
  }
}

static bool fail_none(const msk_model *model, const msk_error *error, problem *p) {
  int ids[FEW_CLASSES], count = msk_model_class_search(model, NULL, ids, FEW_CLASSES);
  char list[400];
  if (count > FEW_CLASSES)
    return problem_set(p, 400, "prompt", "the prompt names no class of this model: %.400s",
                       error->message);
  list_names(model, ids, count, list, sizeof list);
  return problem_set(p, 400, "prompt",
                     "the prompt names no class of this model, which knows these %d: %s", count,
                     list);
}

/* "the tea" is the beginning of a name. */
static const char *without_article(const char *prompt) {
  static const char *const articles[] = {"a ", "an ", "the ", "one ", "some ", "my "};
  prompt += strspn(prompt, " \t\r\n");
  for (size_t i = 0; i < sizeof articles / sizeof articles[0]; i++) {
    if (strncasecmp(prompt, articles[i], strlen(articles[i])) == 0)
      return prompt + strlen(articles[i]);
  }
  return prompt;
}

bool prompt_class(const msk_model *model, const char *prompt, int *class_id, problem *p) {
  sentence *s = calloc(1, sizeof *s);
  msk_model_info info;
  int ids[MOST_MENTIONS], count = 0;
  msk_model_get_info(model, &info);
  bool memory = s != NULL && split(&s->words, prompt, strlen(prompt));
  for (int id = 0; memory && id < info.class_count; id++) {
    const char *names = msk_model_class_hidden(model, id) ? NULL : msk_model_class_name(model, id);
    if (names != NULL) memory = look_for_class(s, id, names);
  }
  if (memory) count = collect(s, ids);
  if (s != NULL) free(s->words.text);
  free(s);
  if (!memory) return problem_set(p, 503, NULL, "out of memory for the prompt");
  if (count == 1) {
    *class_id = ids[0];
    return true;
  }
  if (count > 1) {
    char list[300];
    list_names(model, ids, count, list, sizeof list);
    return problem_set(p, 400, "prompt", "the prompt names several classes (%s), expected one",
                       list);
  }
  msk_error error = {0};
  const char *rest = without_article(prompt);
  /* a number, which msk_model_class_find() would take for a class */
  bool numeric = rest[strspn(rest, "0123456789 ")] == 0;
  if (!numeric && msk_model_class_find(model, rest, class_id, &error) == MSK_OK) return true;
  if (numeric) snprintf(error.message, sizeof error.message, "a number is no name");
  return fail_none(model, &error, p);
}
