/* SPDX-License-Identifier: Apache-2.0
 * clip_files.c - see clip_files.h. */
#include "clip_files.h"

#include "tensor/weight_file.h"

/* Moves on to the next tab or line end and terminates the field. */
static char *next_field(char **at) {
  char *field = *at, *end = field + strcspn(field, "\t\n");
  *at = *end == 0 ? end : end + 1;
  *end = 0;
  return field;
}

/* "49406,320,49407"; returns how many. */
static size_t read_ids(int32_t ids[CONTEXT], char *text) {
  size_t count = 0;
  for (; *text != 0; count++) {
    assert_true(count < CONTEXT);
    ids[count] = (int32_t)strtol(text, &text, 10);
    text += *text == ',';
  }
  return count;
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
  assert_int_equal(read_ids(p->ids, next_field(&line)), p->length);
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

size_t other_ids_load(other_ids *others) {
  char line[4096];
  size_t count = 0;
  FILE *file = fopen(golden_path("clip/text/huggingface.tsv"), "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file) != NULL) {
    if (line[0] == '#') continue;
    assert_true(count < MAX_PROMPTS);
    other_ids *other = &others[count++];
    char *at = line;
    snprintf(other->name, sizeof other->name, "%.31s", next_field(&at));
    other->fast_length = read_ids(other->fast, next_field(&at));
    other->slow_length = read_ids(other->slow, next_field(&at));
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
  msk_clip_file vocab = file_load("data/clip/vocab.json"),
                merges = file_load("data/clip/merges.txt");
  if (msk_clip_bpe_create(&bpe, &vocab, &merges, 49408, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  free((void *)(uintptr_t)vocab.bytes), free((void *)(uintptr_t)merges.bytes);
  return bpe;
}

const char *clip_path(const char *folder, const char *name) {
  static char path[600];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void write_bytes(const char *folder, const char *name, const void *bytes, size_t count) {
  assert_int_equal(msk_file_write(clip_path(folder, name), bytes, count, NULL), MSK_OK);
}

void clip_write_text(const char *folder, const char *name, const char *text) {
  write_bytes(folder, name, text, strlen(text));
}

static void copy_file(const char *folder, const char *name, const char *from) {
  size_t count;
  uint8_t *bytes = test_read_file(from, &count);
  write_bytes(folder, name, bytes, count);
  free(bytes);
}

/* The golden file holds the rows of the token embedding that are needed; the others become zero. */
struct whole_model {
  msk_tensor tensors[100];
  const msk_tensor *rows;
  size_t words;
};
static const char words_name[] = "text_model.embeddings.token_embedding.weight";

static msk_status fill_tensor(void *user, size_t index, void *out, msk_error *error) {
  const struct whole_model *model = user;
  const msk_tensor *tensor = &model->tensors[index];
  (void)error;
  if (strcmp(tensor->name, words_name) != 0) {
    memcpy(out, tensor->data, tensor->bytes);
    return MSK_OK;
  }
  size_t row_bytes = tensor->bytes / tensor->shape[0];
  memset(out, 0, tensor->bytes);
  for (size_t i = 0; i < model->rows->elements; i++) {
    int32_t row;
    memcpy(&row, model->rows->data + i * sizeof row, sizeof row);
    if ((size_t)row >= model->words) continue;
    memcpy((uint8_t *)out + (size_t)row * row_bytes, tensor->data + i * row_bytes, row_bytes);
  }
  return MSK_OK;
}

static void write_model(const char *folder, size_t words) {
  static struct whole_model model;
  msk_error error = {0};
  msk_weight_file *file = NULL;
  size_t count = 0;
  model.words = words;
  if (msk_weight_file_open(&file, golden_path("clip/model/model_rows.safetensors"), NULL, &error) !=
      MSK_OK)
    fail_msg("%s", error.message);
  model.rows = msk_weight_file_find(file, "rows");
  for (size_t i = 0; i < msk_weight_file_count(file); i++) {
    msk_tensor tensor = *msk_weight_file_at(file, i);
    if (strcmp(tensor.name, words_name) == 0) {
      tensor.shape[0] = words;
      tensor.elements = tensor.shape[0] * tensor.shape[1];
      tensor.bytes = tensor.elements * 2;
    }
    if (strcmp(tensor.name, "rows") != 0) model.tensors[count++] = tensor;
  }
  if (msk_safetensors_write(clip_path(folder, "model.safetensors"), model.tensors, count, NULL, 0,
                            fill_tensor, &model, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  msk_weight_file_close(file);
}

void clip_write(const char *folder, const char *config) {
  write_model(folder, 49408);
  copy_file(folder, "config.json", golden_path("clip/model/%s", config));
  copy_file(folder, "vocab.json", "data/clip/vocab.json");
  copy_file(folder, "merges.txt", "data/clip/merges.txt");
}

/* The beginning of a file, up to `end`, and `tail`. */
static void write_part(const char *folder, const char *name, const char *from, const char *end,
                       const char *tail) {
  size_t count;
  char *text = (char *)test_read_file(from, &count), *cut = memmem(text, count, end, strlen(end));
  assert_non_null(cut);
  size_t kept = (size_t)(cut - text);
  text = realloc(text, kept + strlen(tail) + 1);
  assert_non_null(text);
  strcpy(text + kept, tail);
  clip_write_text(folder, name, text);
  free(text);
}

void clip_write_small(const char *folder) {
  enum { WORDS = 515 }; /* bytes, bytes at a word's end, "in", the two marks */
  write_model(folder, WORDS);
  write_part(folder, "vocab.json", "data/clip/vocab.json", ",\"th\":513",
             ",\"<|startoftext|>\":513,\"<|endoftext|>\":514}");
  write_part(folder, "merges.txt", "data/clip/merges.txt", "t h\n", "");
  size_t count;
  const char size[] = "49408";
  char *config = (char *)test_read_file(golden_path("clip/model/config.json"), &count);
  char *at = memmem(config, count, size, strlen(size));
  assert_non_null(at);
  memcpy(at, "  515", strlen(size));
  write_bytes(folder, "config.json", config, count);
  free(config);
}
