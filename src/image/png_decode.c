/* SPDX-License-Identifier: Apache-2.0
 *
 * png_decode.c - PNG through libpng's row interface. The header is read by hand first, so that a
 * size is refused before libpng takes memory for it. Of the ancillary chunks only tRNS is
 * interpreted: gamma, colour profiles and texts are skipped unread, so that a picture whose pixels
 * are whole is read, with a warning, where one of these is damaged or the file's end is missing.
 *
 * libpng reports an error by a callback that must not return: ours jumps back into
 * decode_guarded(). Everything that is alive across the jump is a member of png_job, never a
 * local of that function, so no value is lost. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/codec.h"
#include "image/png_chunk.h"
#include "image/png_guard.h"
#include "masksketch_tools.h"

/* What DEFLATE can make of one byte at most: 258 bytes from two one-bit codes (RFC 1951). */
#define DEFLATE_MAX_RATIO 1032
/* Bytes of IDAT chunks that may follow the last pixel: a sum, a row too many. libpng inflates what
 * is there, and 17 MB of it would be half a minute's work for nothing. */
#define MOST_BEHIND 65536
#define MOST_PIXEL_BYTES 9 /* of a row, as DEFLATE stores what it cannot compress */
#define IDAT 0x49444154u

typedef struct png_job {
  const msk_source *source;
  size_t position; /* bytes that libpng has read */
  bool last;       /* it reads the last row, and what follows */
  size_t spare;    /* bytes of IDAT chunks that it may still read then */
  png_structp png;
  png_infop info;
  msk_image image;
  uint8_t
      /* RGBA or 16-bit grey: one row, or all of them where the picture is interlaced; NULL where
       * rows go straight into the image */
      *rows;
  msk_status status; /* of a failure that is not libpng's */
  bool whole;        /* all pixels have been read, and their checksums hold */
  bool warned;       /* a chunk that is not read is damaged */
  png_guard guard;
} png_job;

static void png_feed(png_structp png, png_bytep to, size_t count) {
  png_job *job = png_get_io_ptr(png);
  if (count > job->source->count - job->position) png_error(png, "the file ends too early");
  if (job->last && png_get_io_chunk_type(png) == IDAT) {
    if (count > job->spare) png_error(png, "much follows the last pixel");
    job->spare -= count;
  }
  memcpy(to, job->source->bytes + job->position, count);
  job->position += count;
}

static uint32_t big_endian(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static msk_status check_header(const msk_source *source) {
  static const int channels_of_type[7] = {1, 0, 3, 1, 2, 0, 4};
  const uint8_t *header = source->bytes + 8;
  if (source->count < 8 + 8 + 13 + 4 || big_endian(header) != 13 ||
      memcmp(header + 4, "IHDR", 4) != 0) {
    return msk_source_damaged(source, "PNG", "it does not begin with a whole header");
  }
  uint32_t width = big_endian(header + 8), height = big_endian(header + 12);
  unsigned depth = header[16], type = header[17];
  msk_status status = msk_source_check_size(source, "PNG", width, height);
  if (status != MSK_OK) return status;
  if (depth > 16 || type > 6)
    return msk_source_damaged(source, "PNG", "unknown bit depth or colour type");
  uint64_t row_bytes = ((uint64_t)width * depth * (unsigned)channels_of_type[type] + 7) / 8 + 1;
  /* a header of a few bytes must not make us take memory for 64 megapixels */
  if (row_bytes * height / DEFLATE_MAX_RATIO > source->count)
    return msk_source_damaged(source, "PNG", "the file is too short for so many pixels");
  return MSK_OK;
}

/* What is skipped unread. */
static const char unread_chunks[] =
    "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0"
    "tIME\0zTXt";

static void ignore_chunks(png_structp png) {
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, (const uint8_t *)unread_chunks,
                              (int)(sizeof unread_chunks / 5));
}

static bool is_unread(const char *message) {
  for (size_t i = 0; i < sizeof unread_chunks; i += 5) {
    if (strncmp(message, unread_chunks + i, 4) == 0) return true;
  }
  return false;
}

/* libpng's warnings are about ancillary data and about bytes after the picture. Damage is none
 * of them where the pixels' sum is wrong, or where the chunk may have been one that matters:
 * tRNS, or one whose very name is damaged. */
static void png_noticed(png_structp png, const char *message) {
  png_job *job = png_get_io_ptr(png);
  if (job == NULL) return; /* memory was refused before anything was read */
  bool damaged = strstr(message, "CRC error") != NULL;
  if ((damaged && !is_unread(message)) || strstr(message, "incorrect data check") != NULL)
    png_error(png, message);
  job->warned = job->warned || damaged;
}

/* Reads row y of every pass into rows + y * stride (stride 0: each into the same place). */
static void read_rows(png_job *job, uint8_t *rows, size_t stride,
                      void (*use)(png_job *job, int y, const uint8_t *row)) {
  job->spare = MOST_BEHIND + MOST_PIXEL_BYTES * (size_t)job->image.width;
  int passes = png_get_interlace_type(job->png, job->info) == PNG_INTERLACE_NONE
                   ? 1
                   : PNG_INTERLACE_ADAM7_PASSES;
  for (int pass = 0; pass < passes; pass++) {
    for (int y = 0; y < job->image.height; y++) {
      uint8_t *row = rows + (size_t)y * stride;
      job->last = pass + 1 == passes && y + 1 == job->image.height;
      png_read_row(job->png, row, NULL);
      if (use != NULL && pass == passes - 1) use(job, y, row);
    }
  }
}

static uint8_t *image_row(png_job *job, int y) {
  return job->image.pixels + (size_t)y * (size_t)job->image.width * 3;
}

static void use_rgba(png_job *job, int y, const uint8_t *row) {
  msk_rgba_row(image_row(job, y), row, (size_t)job->image.width, job->source);
}

/* Pillow turns 16-bit grey into 8 bits by clipping. */
static void use_clipped_grey(png_job *job, int y, const uint8_t *row) {
  uint8_t *to = image_row(job, y);
  for (int x = 0; x < job->image.width; x++, row += 2, to += 3)
    memset(to, row[0] != 0 ? 255 : row[1], 3);
}

static void choose_transformations(png_job *job, bool clipped_grey) {
  if (!clipped_grey) {
    png_set_expand(job->png);
    png_set_strip_16(job->png);
    png_set_gray_to_rgb(job->png);
  }
  png_set_interlace_handling(job->png);
  png_read_update_info(job->png, job->info);
}

/* Runs libpng from the signature to the end; false when it or an allocation failed. */
static bool decode_guarded(png_job *job) {
  if (setjmp(job->guard.jump) != 0) return false;
  job->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &job->guard, png_failed, png_noticed,
                                      &job->guard, png_take, png_give_back);
  if (job->png == NULL) return false;
  job->info = png_create_info_struct(job->png);
  if (job->info == NULL) return false;
  png_set_read_fn(job->png, job, png_feed);
  png_set_user_limits(job->png, MSK_MAX_PIXELS, MSK_MAX_PIXELS);
  png_set_crc_action(job->png, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
  ignore_chunks(job->png);
  png_read_info(job->png, job->info);

  /* Pillow cuts 16-bit grey at 255 where others scale it: the authors' pictures were read so */
  bool clipped_grey = job->source->alpha == MSK_ALPHA_DROP &&
                      png_get_color_type(job->png, job->info) == PNG_COLOR_TYPE_GRAY &&
                      png_get_bit_depth(job->png, job->info) == 16;
  choose_transformations(job, clipped_grey);
  job->status = msk_image_allocate(&job->image, (int)png_get_image_width(job->png, job->info),
                                   (int)png_get_image_height(job->png, job->info),
                                   job->source->allocator, job->source->error);
  if (job->status != MSK_OK) return false;
  size_t row_bytes = png_get_rowbytes(job->png, job->info);
  bool interlaced = png_get_interlace_type(job->png, job->info) != PNG_INTERLACE_NONE;
  if (!clipped_grey && png_get_channels(job->png, job->info) == 3) {
    read_rows(job, job->image.pixels, row_bytes, NULL);
    msk_opaque_picture(&job->image, job->source->alpha);
  } else {
    job->rows =
        msk_allocate(job->source->allocator, interlaced ? (size_t)job->image.height : 1, row_bytes);
    if (job->rows == NULL) job->guard.no_memory = true;
    if (job->guard.no_memory) return false;
    read_rows(job, job->rows, interlaced ? row_bytes : 0,
              clipped_grey ? use_clipped_grey : use_rgba);
  }
  /* from here on all pixels are there: damage behind them is a warning */
  job->whole = !job->guard.no_memory;
  png_read_end(job->png, NULL);
  return job->whole;
}

static int digit(char c) {
  static const char digits[] = "0123456789abcdef";
  const char *at = c != 0 ? strchr(digits, c | 0x20) : NULL;
  return at != NULL ? (int)(at - digits) : -1;
}

/* EXIF as ImageMagick wrote it before eXIf was there: hexadecimal digits behind three line feeds.
 * Unpacks them where they stand; returns how many bytes. */
static size_t unpack_profile(char *text) {
  const char *from = text;
  for (int line = 0; line < 3 && from != NULL; line++) {
    from = strchr(from, '\n');
    if (from != NULL) from++;
  }
  size_t digits = 0;
  for (; from != NULL && *from != 0; from++) {
    int value = digit(*from);
    /* the digits stand in lines */
    if (value < 0) continue;
    text[digits / 2] = (char)(digits % 2 == 0 ? value << 4 : text[digits / 2] | value);
    digits++;
  }
  return digits / 2;
}

/* A text as bytes to free; NULL where there is none, or it is damaged. */
static msk_status find_text(char **text, const msk_source *source, const char *key) {
  msk_error ignored;
  msk_status status =
      msk_png_text(source->bytes, source->count, key, text, source->allocator, &ignored);
  return status == MSK_ERROR_MEMORY ? msk_source_no_memory(source, "PNG") : MSK_OK;
}

static msk_status find_orientation(int *orientation, const msk_source *source) {
  msk_camera camera = {0};
  msk_png_chunk chunk = {0};
  char *profile = NULL, *xmp = NULL;
  while (camera.exif == NULL && msk_png_next_chunk(source->bytes, source->count, &chunk)) {
    if (memcmp(chunk.type, "eXIf", 4) != 0 || !msk_png_chunk_holds(&chunk)) continue;
    camera.exif = chunk.data;
    camera.exif_count = chunk.length;
  }
  msk_status status = MSK_OK;
  /* the chunk counts where both are there */
  if (camera.exif == NULL) status = find_text(&profile, source, "Raw profile type exif");
  if (status == MSK_OK) status = find_text(&xmp, source, "XML:com.adobe.xmp");
  if (profile != NULL) {
    camera.exif_count = unpack_profile(profile);
    camera.exif = (const uint8_t *)profile;
  }
  if (xmp != NULL) {
    camera.xmp = (const uint8_t *)xmp;
    camera.xmp_count = strlen(xmp);
  }
  if (status == MSK_OK) *orientation = msk_camera_orientation(&camera);
  msk_free(source->allocator, profile);
  msk_free(source->allocator, xmp);
  return status;
}

static msk_status refuse(const png_job *job) {
  if (job->status != MSK_OK) return job->status;
  if (job->guard.no_memory || job->guard.message[0] == 0)
    return msk_source_no_memory(job->source, "PNG");
  return msk_source_damaged(job->source, "PNG", job->guard.message);
}

msk_status msk_png_decode(msk_image *image, int *orientation, const msk_source *source) {
  msk_status status = check_header(source);
  if (status != MSK_OK) return status;
  png_job job = {.source = source, .guard = {.allocator = source->allocator}};
  bool done = decode_guarded(&job);
  png_destroy_read_struct(&job.png, &job.info, NULL);
  msk_free(source->allocator, job.rows);
  /* where libpng failed behind the last row, the picture is there: that is worth a warning */
  if (!done && (!job.whole || job.guard.no_memory))
    status = refuse(&job);
  else
    status = find_orientation(orientation, source);
  if (status != MSK_OK) {
    msk_image_free(&job.image);
    return status;
  }
  *image = job.image;
  if (!done || job.warned)
    image->warning =
        "the PNG's pixels are whole, but other parts of the file are damaged or "
        "missing; was it cut off on its way?";
  return MSK_OK;
}
