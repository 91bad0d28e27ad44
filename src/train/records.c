/* SPDX-License-Identifier: Apache-2.0
 *
 * records.c - see records.h. A record: its contents, padding to 8, FNV-1a of all before.
 * Little-endian machines only, as all of this project's. The file is mapped once at its full size;
 * only what is written is looked at. */
#include "train/records.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

struct msk_records {
  msk_records_shape shape;
  int descriptor;
  size_t sum, record, bytes; /* where a record's checksum is; of a record, of the mapping */
  uint8_t *map;              /* written to in memory alone */
  size_t shared;             /* with other ranks */
  _Atomic size_t count;
  uint8_t *buffer; /* of a record to be written */
};

static uint64_t checksum(const uint8_t *bytes, size_t count) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
  return hash;
}

/* The header is there and right, or the file is new and gets one. */
static msk_status check_header(const msk_records *records, const char *path, size_t file_bytes,
                               msk_error *error) {
  const char *wanted = records->shape.header;
  char found[MSK_RECORDS_HEADER];
  if (file_bytes < MSK_RECORDS_HEADER) {
    if (ftruncate(records->descriptor, 0) != 0 ||
        pwrite(records->descriptor, wanted, MSK_RECORDS_HEADER, 0) != MSK_RECORDS_HEADER)
      return msk_fail(error, MSK_ERROR_OUTPUT, "%s cannot be written", path);
    return MSK_OK;
  }
  if (pread(records->descriptor, found, MSK_RECORDS_HEADER, 0) != MSK_RECORDS_HEADER ||
      memcmp(found, wanted, MSK_RECORDS_HEADER) != 0)
    return msk_fail(
        error, MSK_ERROR_FILE,
        "%s holds %s of another tokenizer or world: take another work folder, or remove "
        "the file",
        path, records->shape.what);
  return MSK_OK;
}

static bool is_whole(const msk_records *records, size_t index) {
  const uint8_t *record = msk_records_at(records, index);
  uint64_t sum;
  memcpy(&sum, record + records->sum, sizeof sum);
  return checksum(record, records->sum) == sum;
}

/* Whole records with a right checksum, from the first on. A kill spoils the last alone, a disk or a
 * copy any; what lies behind a damaged one is rendered again, to the same bytes. */
static size_t count_records(const msk_records *records, size_t file_bytes) {
  size_t count = 0, most = records->shape.records, there = 0;
  if (file_bytes > MSK_RECORDS_HEADER) there = (file_bytes - MSK_RECORDS_HEADER) / records->record;
  if (there < most) most = there;
  while (count < most && is_whole(records, count)) count++;
  return count;
}

static msk_status open_file(msk_records *records, const char *path, msk_error *error) {
  struct stat status;
  records->descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (records->descriptor < 0 || fstat(records->descriptor, &status) != 0)
    return msk_fail(error, MSK_ERROR_FILE, "%s cannot be opened or made", path);
  /* Two runs would append to each other's records, and overwrite each other's checkpoint. */
  if (flock(records->descriptor, LOCK_EX | LOCK_NB) != 0)
    return msk_fail(error, MSK_ERROR_FILE, "%s is in use: another run works in this folder", path);
  size_t file_bytes = (size_t)status.st_size;
  msk_status result = check_header(records, path, file_bytes, error);
  if (result != MSK_OK) return result;
  void *map = mmap(NULL, records->bytes, PROT_READ, MAP_SHARED, records->descriptor, 0);
  if (map == MAP_FAILED)
    return msk_fail(error, MSK_ERROR_MEMORY, "%s cannot be mapped (%zu MB)", path,
                    records->bytes >> 20);
  records->map = map;
  size_t count = count_records(records, file_bytes);
  atomic_init(&records->count, count);
  if (file_bytes > MSK_RECORDS_HEADER + count * records->record && count < records->shape.records &&
      ftruncate(records->descriptor, (off_t)(MSK_RECORDS_HEADER + count * records->record)) != 0)
    return msk_fail(error, MSK_ERROR_OUTPUT, "%s cannot be cut to its whole records", path);
  return MSK_OK;
}

/* Pages come when they are written. */
static msk_status open_memory(msk_records *records, msk_error *error) {
  void *map = mmap(NULL, records->bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for %zu MB of %s", records->bytes >> 20,
                    records->shape.what);
  records->map = map;
  return MSK_OK;
}

msk_status msk_records_open(msk_records **records, const char *path, const msk_records_shape *shape,
                            msk_error *error) {
  msk_records *made = msk_allocate_zeroed(NULL, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a file of records");
  made->shape = *shape;
  made->descriptor = -1;
  made->sum = (shape->bytes + 7) / 8 * 8;
  made->record = made->sum + 8;
  msk_status status = MSK_OK;
  if (shape->records > (PTRDIFF_MAX - MSK_RECORDS_HEADER) / made->record)
    status = msk_fail(error, MSK_ERROR_ARGUMENT, "%zu %s of %zu bytes are too many for a file",
                      shape->records, shape->what, made->record);
  made->buffer = msk_allocate_zeroed(NULL, made->record, 1);
  if (status == MSK_OK && made->buffer == NULL)
    status = msk_fail(error, MSK_ERROR_MEMORY, "no memory for a record");
  made->bytes = MSK_RECORDS_HEADER + shape->records * made->record;
  if (status == MSK_OK)
    status = path == NULL ? open_memory(made, error) : open_file(made, path, error);
  if (status != MSK_OK) {
    msk_records_close(made);
    return status;
  }
  *records = made;
  return MSK_OK;
}

void msk_records_close(msk_records *records) {
  if (records == NULL) return;
  if (records->map != NULL) munmap(records->map, records->bytes);
  if (records->descriptor >= 0) close(records->descriptor);
  msk_free(NULL, records->buffer);
  msk_free(NULL, records);
}

size_t msk_records_count(const msk_records *records) {
  return atomic_load_explicit(&records->count, memory_order_acquire);
}

const uint8_t *msk_records_at(const msk_records *records, size_t index) {
  return records->map + MSK_RECORDS_HEADER + index * records->record;
}

uint8_t *msk_records_room(msk_records *records) { return records->buffer; }

msk_status msk_records_append(msk_records *records, msk_error *error) {
  size_t count = msk_records_count(records), record = records->record;
  uint64_t sum = checksum(records->buffer, records->sum);
  memcpy(records->buffer + records->sum, &sum, sizeof sum);
  size_t at = MSK_RECORDS_HEADER + count * record;
  ssize_t written = (ssize_t)record;
  if (records->descriptor < 0) {
    memcpy(records->map + at, records->buffer, record);
  } else {
    written = pwrite(records->descriptor, records->buffer, record, (off_t)at);
  }
  if (written != (ssize_t)record)
    return msk_fail(error, MSK_ERROR_OUTPUT, "%s cannot be written: is the disk full?",
                    records->shape.what);
  /* only now: who reads the count finds the whole record behind it */
  atomic_store_explicit(&records->count, count + 1, memory_order_release);
  return MSK_OK;
}

void msk_records_share(msk_records *records, const msk_train_ranks *ranks, size_t count) {
  uint8_t *from = records->map + MSK_RECORDS_HEADER + records->shared * records->record;
  if (ranks == NULL || count <= records->shared) return;
  msk_ranks_share(ranks, from, (count - records->shared) * records->record);
  records->shared = count;
  if (ranks->rank > 0) atomic_store_explicit(&records->count, count, memory_order_release);
}
