/* SPDX-License-Identifier: Apache-2.0
 *
 * tokens.c - see tokens.h. A record: label, hands (bytes), padding to 2, photo and drawings (u16),
 * description (bytes), padding to 8, FNV-1a of all before. Little-endian machines only, as all of
 * this project's. The file is mapped once at its full size; only what is written is looked at. */
#include "train/tokens.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

#define MAGIC "masksketch tokens 1\n"
enum { HEADER = 256 };

struct msk_tokens {
  msk_tokens_shape shape;
  int descriptor;
  size_t record, bytes; /* of a record, of the mapping */
  const uint8_t *map;
  _Atomic size_t count;
  uint8_t *buffer; /* of a record to be written */
};

/* Offsets inside a record. */
struct layout {
  size_t hand, photo, drawn, described, sum, bytes;
};

static struct layout lay(const msk_tokens_shape *shape) {
  struct layout at = {.hand = 1};
  at.photo = (at.hand + shape->hands + 1) / 2 * 2;
  at.drawn = at.photo + 2 * shape->cells;
  at.described = at.drawn + 2 * shape->cells * shape->hands;
  size_t end = at.described + shape->cells * MSK_TOKEN_QUARTERS * MSK_TOKEN_VIEWS;
  at.sum = (end + 7) / 8 * 8;
  at.bytes = at.sum + 8;
  return at;
}

static uint64_t checksum(const uint8_t *bytes, size_t count) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
  return hash;
}

static void make_header(const msk_tokens_shape *shape, char header[HEADER]) {
  memset(header, 0, HEADER);
  snprintf(header, HEADER, MAGIC "cells %zu hands %zu\n%s\n", shape->cells, shape->hands,
           shape->fingerprint);
}

/* The header is there and right, or the file is new and gets one. */
static msk_status check_header(const msk_tokens *tokens, const char *path, size_t file_bytes,
                               msk_error *error) {
  char wanted[HEADER], found[HEADER];
  make_header(&tokens->shape, wanted);
  if (file_bytes < HEADER) {
    if (ftruncate(tokens->descriptor, 0) != 0 ||
        pwrite(tokens->descriptor, wanted, HEADER, 0) != HEADER)
      return msk_fail(error, MSK_ERROR_OUTPUT, "%s cannot be written", path);
    return MSK_OK;
  }
  if (pread(tokens->descriptor, found, HEADER, 0) != HEADER || memcmp(found, wanted, HEADER) != 0)
    return msk_fail(error, MSK_ERROR_FILE,
                    "%s holds tokens of another tokenizer or world: take another work folder, or "
                    "remove the file",
                    path);
  return MSK_OK;
}

/* Whole records with a right checksum, from the first on. Behind a whole record of the run before
 * only the last can be wrong, so looking starts at the end. */
static size_t count_records(const msk_tokens *tokens, size_t file_bytes) {
  const struct layout at = lay(&tokens->shape);
  size_t count = file_bytes < HEADER ? 0 : (file_bytes - HEADER) / at.bytes;
  if (count > tokens->shape.records) count = tokens->shape.records;
  for (; count > 0; count--) {
    const uint8_t *record = tokens->map + HEADER + (count - 1) * at.bytes;
    uint64_t sum;
    memcpy(&sum, record + at.sum, sizeof sum);
    if (checksum(record, at.sum) == sum) break;
  }
  return count;
}

static msk_status open_file(msk_tokens *tokens, const char *path, msk_error *error) {
  struct stat status;
  tokens->descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (tokens->descriptor < 0 || fstat(tokens->descriptor, &status) != 0)
    return msk_fail(error, MSK_ERROR_FILE, "%s cannot be opened or made", path);
  /* Two runs would append to each other's records, and overwrite each other's checkpoint. */
  if (flock(tokens->descriptor, LOCK_EX | LOCK_NB) != 0)
    return msk_fail(error, MSK_ERROR_FILE, "%s is in use: another run works in this folder", path);
  size_t file_bytes = (size_t)status.st_size;
  msk_status result = check_header(tokens, path, file_bytes, error);
  if (result != MSK_OK) return result;
  tokens->bytes = HEADER + tokens->shape.records * tokens->record;
  void *map = mmap(NULL, tokens->bytes, PROT_READ, MAP_SHARED, tokens->descriptor, 0);
  if (map == MAP_FAILED)
    return msk_fail(error, MSK_ERROR_MEMORY, "%s cannot be mapped (%zu MB)", path,
                    tokens->bytes >> 20);
  tokens->map = map;
  size_t count = count_records(tokens, file_bytes);
  atomic_init(&tokens->count, count);
  if (file_bytes > HEADER + count * tokens->record && count < tokens->shape.records &&
      ftruncate(tokens->descriptor, (off_t)(HEADER + count * tokens->record)) != 0)
    return msk_fail(error, MSK_ERROR_OUTPUT, "%s cannot be cut to its whole records", path);
  return MSK_OK;
}

msk_status msk_tokens_open(msk_tokens **tokens, const char *path, const msk_tokens_shape *shape,
                           msk_error *error) {
  msk_tokens *made = msk_allocate_zeroed(NULL, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the tokens' file");
  made->shape = *shape;
  made->descriptor = -1;
  made->record = lay(shape).bytes;
  made->buffer = msk_allocate_zeroed(NULL, made->record, 1);
  msk_status status = made->buffer == NULL
                          ? msk_fail(error, MSK_ERROR_MEMORY, "no memory for a record of tokens")
                          : open_file(made, path, error);
  if (status != MSK_OK) {
    msk_tokens_close(made);
    return status;
  }
  *tokens = made;
  return MSK_OK;
}

void msk_tokens_close(msk_tokens *tokens) {
  if (tokens == NULL) return;
  if (tokens->map != NULL) munmap((void *)(uintptr_t)tokens->map, tokens->bytes);
  if (tokens->descriptor >= 0) close(tokens->descriptor);
  msk_free(NULL, tokens->buffer);
  msk_free(NULL, tokens);
}

size_t msk_tokens_count(const msk_tokens *tokens) {
  return atomic_load_explicit(&tokens->count, memory_order_acquire);
}

msk_token_record msk_tokens_at(const msk_tokens *tokens, size_t index) {
  const struct layout at = lay(&tokens->shape);
  const uint8_t *record = tokens->map + HEADER + index * at.bytes;
  return (msk_token_record){.label = record[0],
                            .hand = record + at.hand,
                            .photo = (const uint16_t *)(const void *)(record + at.photo),
                            .drawn = (const uint16_t *)(const void *)(record + at.drawn),
                            .described = record + at.described};
}

msk_status msk_tokens_append(msk_tokens *tokens, const msk_token_record *record, msk_error *error) {
  const struct layout at = lay(&tokens->shape);
  size_t cells = tokens->shape.cells, hands = tokens->shape.hands, count = msk_tokens_count(tokens);
  uint8_t *to = tokens->buffer;
  to[0] = (uint8_t)record->label;
  memcpy(to + at.hand, record->hand, hands);
  memcpy(to + at.photo, record->photo, 2 * cells);
  memcpy(to + at.drawn, record->drawn, 2 * cells * hands);
  memcpy(to + at.described, record->described, cells * MSK_TOKEN_QUARTERS * MSK_TOKEN_VIEWS);
  uint64_t sum = checksum(to, at.sum);
  memcpy(to + at.sum, &sum, sizeof sum);
  ssize_t written = pwrite(tokens->descriptor, to, at.bytes, (off_t)(HEADER + count * at.bytes));
  if (written != (ssize_t)at.bytes)
    return msk_fail(error, MSK_ERROR_OUTPUT, "tokens cannot be written: is the disk full?");
  atomic_store_explicit(&tokens->count, count + 1, memory_order_release);
  return MSK_OK;
}
