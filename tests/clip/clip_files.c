/* SPDX-License-Identifier: Apache-2.0
 * clip_files.c - see clip_files.h. */
#include "clip_files.h"

/* Moves on to the next tab or line end and terminates the field. */
static char *next_field(char **at) {
  char *field = *at, *end = field + strcspn(field, "\t\n");
  *at = *end == 0 ? end : end + 1;
  *end = 0;
  return field;
}

static void read_prompt(prompt *p, char *line) {
  next_field(&line);
  snprintf(p->name, sizeof p->name, "%s", next_field(&line));
  next_field(&line);
  p->length = (size_t)atoi(next_field(&line));
  const char *hex = next_field(&line);
  size_t bytes = strlen(hex) / 2;
  assert_true(bytes < sizeof p->text);
  size_t used = 0;
  for (size_t i = 0; i < bytes; i++) {
    unsigned value;
    assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
    p->text[used] = (char)value;
    used += value != 0; /* a C string holds no U+0000; ftfy drops it anyway (prompt "ctrl") */
  }
  p->text[used] = 0;
  char *ids = next_field(&line);
  for (size_t i = 0; i < p->length; i++) {
    p->ids[i] = (int32_t)strtol(ids, &ids, 10);
    ids += *ids == ',';
  }
}

size_t prompts_load(prompt *prompts) {
  char line[8192];
  size_t count = 0;
  FILE *file = fopen(golden_path("clip/text/prompts.tsv"), "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file) != NULL) {
    if (line[0] == '#') continue;
    assert_true(count < MAX_PROMPTS);
    read_prompt(&prompts[count++], line);
  }
  fclose(file);
  return count;
}

msk_clip_file file_load(const char *path) {
  msk_clip_file file = {.path = path};
  file.bytes = test_read_file(path, &file.byte_count);
  return file;
}

msk_clip_bpe *bpe_open(void) {
  msk_error error = {0};
  msk_clip_bpe *bpe = NULL;
  msk_clip_file vocab = file_load("data/clip/vocab.json"), merges = file_load("data/clip/merges.txt");
  if (msk_clip_bpe_create(&bpe, &vocab, &merges, 49408, NULL, &error) != MSK_OK) fail_msg("%s", error.message);
  free((void *)(uintptr_t)vocab.bytes), free((void *)(uintptr_t)merges.bytes);
  return bpe;
}
