/* SPDX-License-Identifier: Apache-2.0
 *
 * png_encode.c - 8-bit RGB PNG through libpng, with texts: tEXt where Latin-1 suffices, else
 * iTXt; compressed where that is worth it. Compression level and filters are fixed and no time
 * is written, so the same picture gives the same bytes (with the same zlib). Errors jump as in
 * png_decode.c: what is alive across the jump is a member of png_job. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/codec.h"
#include "image/png_chunk.h"
#include "image/png_guard.h"

#define COMPRESSION_LEVEL 6
#define TEXT_COMPRESSED_FROM 1024 /* bytes */

typedef struct png_job {
  msk_bytes *bytes;
  const msk_image *image;
  const msk_text *texts;
  size_t text_count;
  char *latin1; /* the text that is being handed to libpng, which copies it */
  png_structp png;
  png_infop info;
  png_guard guard;
} png_job;

static void png_store(png_structp png, png_bytep data, size_t count) {
  png_job *job = png_get_io_ptr(png);
  if (msk_bytes_append(job->bytes, data, count)) return;
  job->guard.no_memory = true;
  png_error(png, "no memory");
}

static void png_flush_nothing(png_structp png) { (void)png; }

static msk_status check_texts(const msk_text *texts, size_t text_count, msk_error *error) {
  for (size_t i = 0; i < text_count; i++) {
    char key[MSK_PNG_KEY_LIMIT + 1];
    bool latin1;
    msk_status status = msk_png_key(key, texts[i].key, error);
    if (status != MSK_OK) return status;
    size_t length = texts[i].value != NULL ? strlen(texts[i].value) : SIZE_MAX;
    if (length > MSK_PNG_TEXT_LIMIT)
      return msk_fail(error, MSK_ERROR_ARGUMENT,
                      "the PNG text '%s' is missing or longer than 1 MiB", texts[i].key);
    if (!msk_utf8_check(texts[i].value, length, &latin1))
      return msk_fail(error, MSK_ERROR_ARGUMENT, "the PNG text '%s' is not UTF-8", texts[i].key);
  }
  return MSK_OK;
}

static bool add_text(png_job *job, const msk_text *text) {
  char key[MSK_PNG_KEY_LIMIT + 1];
  bool latin1;
  size_t length = strlen(text->value);
  char no_name[1] = "";
  if (msk_png_key(key, text->key, NULL) != MSK_OK || !msk_utf8_check(text->value, length, &latin1))
    return false;
  bool compressed = length >= TEXT_COMPRESSED_FROM;
  job->latin1 = msk_allocate(job->bytes->allocator, length + 1, 1);
  if (job->latin1 == NULL) job->guard.no_memory = true;
  if (job->guard.no_memory) return false;
  /* tEXt and zTXt are Latin-1 by the standard; anything else is written as iTXt */
  if (latin1)
    length = msk_utf8_to_latin1(job->latin1, text->value, length);
  else
    memcpy(job->latin1, text->value, length);
  job->latin1[length] = 0;
  png_text entry = {.key = key, .text = job->latin1, .lang = no_name, .lang_key = no_name};
  if (latin1) {
    entry.compression = compressed ? PNG_TEXT_COMPRESSION_zTXt : PNG_TEXT_COMPRESSION_NONE;
    entry.text_length = length;
  } else {
    entry.compression = compressed ? PNG_ITXT_COMPRESSION_zTXt : PNG_ITXT_COMPRESSION_NONE;
    entry.itxt_length = length;
  }
  png_set_text(job->png, job->info, &entry, 1);
  msk_free(job->bytes->allocator, job->latin1);
  job->latin1 = NULL;
  return true;
}

static bool encode_guarded(png_job *job) {
  if (setjmp(job->guard.jump) != 0) return false;
  job->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &job->guard, png_failed, png_warned,
                                       &job->guard, png_take, png_give_back);
  if (job->png == NULL) return false;
  job->info = png_create_info_struct(job->png);
  if (job->info == NULL) return false;
  png_set_write_fn(job->png, job, png_store, png_flush_nothing);
  png_set_user_limits(job->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_compression_level(job->png, COMPRESSION_LEVEL);
  png_set_filter(job->png, PNG_FILTER_TYPE_BASE, PNG_ALL_FILTERS);
  png_set_text_compression_level(job->png, COMPRESSION_LEVEL);
  png_set_IHDR(job->png, job->info, (png_uint_32)job->image->width, (png_uint_32)job->image->height,
               8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  for (size_t i = 0; i < job->text_count; i++) {
    if (!add_text(job, &job->texts[i])) return false;
  }
  png_write_info(job->png, job->info);
  for (int y = 0; y < job->image->height; y++)
    png_write_row(job->png, job->image->pixels + (size_t)y * (size_t)job->image->width * 3);
  png_write_end(job->png, job->info);
  return !job->guard.no_memory;
}

msk_status msk_png_encode(msk_bytes *bytes, const msk_image *image, const msk_text *texts,
                          size_t text_count, msk_error *error) {
  msk_status status = check_texts(texts, text_count, error);
  if (status != MSK_OK) return status;
  png_job job = {.bytes = bytes,
                 .image = image,
                 .texts = texts,
                 .text_count = text_count,
                 .guard = {.allocator = bytes->allocator}};
  bool done = encode_guarded(&job);
  png_destroy_write_struct(&job.png, &job.info);
  msk_free(bytes->allocator, job.latin1);
  if (done) return MSK_OK;
  if (job.guard.no_memory || job.guard.message[0] == 0)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for writing a PNG of %d x %d pixels",
                    image->width, image->height);
  return msk_fail(error, MSK_ERROR_ARGUMENT, "a PNG of %d x %d pixels cannot be written: %s",
                  image->width, image->height, job.guard.message);
}
