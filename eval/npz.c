/* SPDX-License-Identifier: Apache-2.0
 * npz.c - see npz.h. */
#include "eval/npz.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "app/cancel.h"
#include "app/input.h"
#include "app/output.h"
#include "app/progress.h"
#include "eval/picture_names.h"
#include "masksketch_tools.h"

/* ---- zip ---- */

uint32_t npz_crc(uint32_t crc, const void *bytes, size_t count) {
  return (uint32_t)crc32_z(crc, bytes, count);
}

static const char member[] = "arr_0.npy";
enum { NAME_BYTES = sizeof member - 1, LARGE_EXTRA_BYTES = 20 };

/* Little-endian numbers one behind the other. */
static void put(uint8_t *bytes, size_t *used, uint64_t number, int width) {
  for (int i = 0; i < width; i++, number >>= 8) bytes[(*used)++] = (uint8_t)number;
}

/* 32 bits where they are enough; else all ones, and the 64 bits stand elsewhere. */
static uint64_t small(uint64_t number, bool large) { return large ? UINT32_MAX : number; }

/* What the local header and the directory tell alike of the member: version needed to name. */
static void put_member(uint8_t *bytes, size_t *used, uint64_t count, uint32_t crc, bool large,
                       bool directory) {
  put(bytes, used, large ? 45 : 20, 2);
  put(bytes, used, 0, 2);          /* flags */
  put(bytes, used, 0, 2);          /* stored */
  put(bytes, used, 0, 2);          /* the same bytes at any time of the day, */
  put(bytes, used, 1 << 5 | 1, 2); /* and on any day: the first of 1980 */
  put(bytes, used, crc, 4);
  put(bytes, used, small(count, large), 4);
  put(bytes, used, small(count, large), 4);
  put(bytes, used, NAME_BYTES, 2);
  put(bytes, used, large ? LARGE_EXTRA_BYTES : 0, 2);
  if (directory) put(bytes, used, 0, 14); /* no comment, the first disk, no attributes, offset 0 */
  memcpy(bytes + *used, member, NAME_BYTES);
  *used += NAME_BYTES;
  if (!large) return;
  put(bytes, used, 1, 2);
  put(bytes, used, LARGE_EXTRA_BYTES - 4, 2);
  put(bytes, used, count, 8);
  put(bytes, used, count, 8);
}

void npz_frame_make(npz_frame *frame, uint64_t member_bytes, uint32_t crc) {
  const bool large = member_bytes >= UINT32_MAX - sizeof frame->head;
  uint8_t *tail = frame->tail;
  size_t *used = &frame->tail_bytes;
  *frame = (npz_frame){0};
  put(frame->head, &frame->head_bytes, 0x04034B50, 4);
  put_member(frame->head, &frame->head_bytes, member_bytes, crc, large, false);
  const uint64_t directory = frame->head_bytes + member_bytes;
  put(tail, used, 0x02014B50, 4);
  put(tail, used, large ? 45 : 20, 2); /* made by */
  put_member(tail, used, member_bytes, crc, large, true);
  const uint64_t directory_bytes = *used;
  if (large) {
    put(tail, used, 0x06064B50, 4);
    put(tail, used, 44, 8); /* of this record, what follows */
    put(tail, used, 45, 2);
    put(tail, used, 45, 2);
    put(tail, used, 0, 8); /* disks */
    put(tail, used, 1, 8);
    put(tail, used, 1, 8);
    put(tail, used, directory_bytes, 8);
    put(tail, used, directory, 8);
    put(tail, used, 0x07064B50, 4);
    put(tail, used, 0, 4);
    put(tail, used, directory + directory_bytes, 8);
    put(tail, used, 1, 4);
  }
  put(tail, used, 0x06054B50, 4);
  put(tail, used, 0, 4); /* disks */
  put(tail, used, 1, 2);
  put(tail, used, 1, 2);
  put(tail, used, directory_bytes, 4);
  put(tail, used, small(directory, large), 4);
  put(tail, used, 0, 2);
}

/* ---- pictures ---- */

/* An archive on its way: it has its name when it is whole. */
typedef struct archive {
  const npz_order *order;
  picture_names names;
  char part[MAX_PATH_BYTES];
  FILE *file;
  int width, height;
  uint64_t member_bytes;
  uint32_t crc;
} archive;

static msk_status read_picture(msk_image *image, const archive *a, int index, msk_error *error) {
  char path[MAX_PATH_BYTES];
  msk_image source = {0};
  msk_prepare_options options;
  const int size = a->order->size;
  msk_prepare_plain(&options);
  options.fit = MSK_FIT_CROP;
  if (snprintf(path, sizeof path, "%s/%s", a->order->folder, a->names.entries[index]->d_name) >=
      (int)sizeof path)
    return app_fail(error, MSK_ERROR_FILE, "the name of a picture in %.80s... is too long",
                    a->order->folder);
  msk_status status = input_picture(&source, path, MSK_ALPHA_WHITE, error);
  if (status == MSK_OK && size > 0) {
    status = msk_image_prepare(image, &source, size, size, &options, NULL, error);
    msk_image_free(&source);
  } else if (status == MSK_OK) {
    *image = source;
  }
  return status;
}

static msk_status cannot_write(const archive *a, msk_error *error) {
  return app_fail(error, MSK_ERROR_OUTPUT, "cannot write %s: %s", a->part, strerror(errno));
}

static msk_status add_bytes(archive *a, const void *bytes, size_t count, msk_error *error) {
  a->crc = npz_crc(a->crc, bytes, count);
  return fwrite(bytes, 1, count, a->file) == count ? MSK_OK : cannot_write(a, error);
}

/* Of the first picture come the sizes, and with them all that stands before the pixels. */
static msk_status begin(archive *a, const msk_image *first, msk_error *error) {
  uint8_t header[MSK_NPY_HEADER];
  size_t data_bytes = 0;
  npz_frame frame;
  const msk_array array = {
      .dtype = MSK_DTYPE_U8,
      .rank = 4,
      .shape = {(size_t)a->names.count, (size_t)first->height, (size_t)first->width, 3}};
  a->width = first->width;
  a->height = first->height;
  msk_status status = msk_npy_header(header, &data_bytes, &array, error);
  if (status != MSK_OK) return status;
  a->member_bytes = sizeof header + data_bytes;
  npz_frame_make(&frame, a->member_bytes, 0);
  if (fwrite(frame.head, 1, frame.head_bytes, a->file) != frame.head_bytes)
    return cannot_write(a, error);
  return add_bytes(a, header, sizeof header, error);
}

static msk_status add_picture(archive *a, int index, msk_error *error) {
  msk_image image = {0};
  if (cancel_requested()) return app_fail(error, MSK_ERROR_CANCELLED, "cancelled");
  msk_status status = read_picture(&image, a, index, error);
  if (status == MSK_OK && index == 0) status = begin(a, &image, error);
  if (status == MSK_OK && (image.width != a->width || image.height != a->height))
    status = app_fail(error, MSK_ERROR_FILE,
                      "%s in %s has %d x %d pixels, expected %d x %d as the first: bring them to "
                      "one size with --size",
                      a->names.entries[index]->d_name, a->order->folder, image.width, image.height,
                      a->width, a->height);
  if (status == MSK_OK)
    status = add_bytes(a, image.pixels, (size_t)image.width * (size_t)image.height * 3, error);
  msk_image_free(&image);
  return status;
}

/* The directory behind the pixels, then the sum into the header before them. */
static msk_status end(archive *a, msk_error *error) {
  npz_frame frame;
  npz_frame_make(&frame, a->member_bytes, a->crc);
  if (fwrite(frame.tail, 1, frame.tail_bytes, a->file) != frame.tail_bytes ||
      fseeko(a->file, 0, SEEK_SET) != 0 ||
      fwrite(frame.head, 1, frame.head_bytes, a->file) != frame.head_bytes ||
      fflush(a->file) != 0 || fsync(fileno(a->file)) != 0 || rename(a->part, a->order->output) != 0)
    return cannot_write(a, error);
  return MSK_OK;
}

static msk_status open_archive(archive *a, msk_error *error) {
  msk_status status = picture_names_read(&a->names, a->order->folder, true, error);
  if (status == MSK_OK && a->names.count == 0)
    status = app_fail(error, MSK_ERROR_FILE,
                      "%s holds no pictures, expected some (.png, .jpg, .webp)", a->order->folder);
  if (status != MSK_OK) return status;
  if (snprintf(a->part, sizeof a->part, "%s.part", a->order->output) >= (int)sizeof a->part)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the output's name is too long: %.80s...", a->part);
  a->file = fopen(a->part, "wbe");
  return a->file == NULL ? cannot_write(a, error) : MSK_OK;
}

msk_status npz_write(const npz_order *order, msk_error *error) {
  archive a = {.order = order};
  const bool shown = !order->quiet && progress_is_terminal();
  msk_status status = open_archive(&a, error);
  for (int i = 0; i < a.names.count && status == MSK_OK; i++) {
    if (shown) fprintf(stderr, "\r\x1b[Kpicture %d of %d", i + 1, a.names.count);
    status = add_picture(&a, i, error);
  }
  if (shown) fputs("\r\x1b[K", stderr);
  if (status == MSK_OK) status = end(&a, error);
  if (a.file != NULL) fclose(a.file);
  if (a.file != NULL && status != MSK_OK) unlink(a.part);
  if (status == MSK_OK && !order->quiet)
    fprintf(stderr, "%d pictures of %d x %d pixels\n", a.names.count, a.width, a.height);
  picture_names_free(&a.names);
  return status;
}
