/* SPDX-License-Identifier: Apache-2.0
 *
 * jpeg.c - JPEG through libjpeg-turbo, in and out. Its warnings about corrupt data are errors
 * here: it would fill what is missing with grey. libjpeg takes its working memory from the C
 * heap; pixels and encoded bytes come from the allocator.
 *
 * libjpeg reports an error by a callback that must not return: ours jumps back into the
 * *_guarded() functions. Everything that is alive across the jump is a member of a job
 * structure, never a local of those functions, so no value is lost. */
#include <stdio.h> /* jpeglib.h needs it first */

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/codec.h"

/* of a progressive picture; real ones have about ten, a bomb thousands */
#define MAX_SCANS 100
/* before the end marker: cameras pad there; more is damage */
#define MAX_STRAY_BYTES 16
/* libjpeg's own memory: 64 megapixels of four components, progressive, take 512 million */
#define MAX_WORK_BYTES (768L * 1000 * 1000)

typedef struct error_manager {
  struct jpeg_error_mgr base; /* first, so that libjpeg's pointer is ours */
  char message[JMSG_LENGTH_MAX];
  bool no_memory;
  jmp_buf jump;
} error_manager;

static void jpeg_failed(j_common_ptr info) {
  error_manager *errors = (error_manager *)info->err;
  info->err->format_message(info, errors->message);
  errors->no_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
  longjmp(errors->jump, 1);
}

static bool harmless(const struct jpeg_error_mgr *error) {
  if (error->msg_code == JWRN_ADOBE_XFORM || error->msg_code == JWRN_JFIF_MAJOR ||
      error->msg_code == JWRN_BOGUS_ICC)
    return true;
  return error->msg_code == JWRN_EXTRANEOUS_DATA && error->msg_parm.i[0] <= MAX_STRAY_BYTES &&
         error->msg_parm.i[1] == JPEG_EOI;
}

/* level -1 is a warning, 0 and above are for tracing */
static void jpeg_warned(j_common_ptr info, int level) {
  if (level < 0 && !harmless(info->err)) jpeg_failed(info);
}

static void error_manager_init(error_manager *errors) {
  jpeg_std_error(&errors->base);
  errors->base.error_exit = jpeg_failed;
  errors->base.emit_message = jpeg_warned;
}

/* ---- Reading ---- */

typedef struct decode_job {
  struct jpeg_decompress_struct info;
  error_manager errors;
  struct jpeg_progress_mgr progress;
  const msk_source *source;
  msk_image image;
  uint8_t *row;      /* CMYK */
  msk_status status; /* of a failure that is not libjpeg's */
} decode_job;

static void limit_scans(j_common_ptr info) {
  error_manager *errors = (error_manager *)info->err;
  if (((j_decompress_ptr)info)->input_scan_number <= MAX_SCANS) return;
  snprintf(errors->message, sizeof errors->message, "more than %d scans", MAX_SCANS);
  longjmp(errors->jump, 1);
}

/* Every block of a Huffman-coded picture takes at least one bit, whatever is in it. */
static msk_status check_length(decode_job *job) {
  uint64_t blocks = 0;
  for (int c = 0; c < job->info.num_components; c++) {
    blocks +=
        (uint64_t)job->info.comp_info[c].width_in_blocks * job->info.comp_info[c].height_in_blocks;
  }
  if (!job->info.arith_code && blocks / 8 > job->source->count)
    return msk_source_damaged(job->source, "JPEG", "the file is too short for so many pixels");
  return MSK_OK;
}

/* Adobe's inverted CMYK -> RGB as Pillow does it: no profile, R = (255 - K) - C (255 - K) / 255. */
static void cmyk_row(uint8_t *rgb, const uint8_t *cmyk, int pixels) {
  for (int x = 0; x < pixels; x++, cmyk += 4, rgb += 3) {
    for (int c = 0; c < 3; c++) {
      unsigned product = (255u - cmyk[c]) * cmyk[3] + 128;
      rgb[c] = (uint8_t)(cmyk[3] - (((product >> 8) + product) >> 8));
    }
  }
}

static void read_rows(decode_job *job) {
  while (job->info.output_scanline < job->info.output_height) {
    uint8_t *to =
        job->image.pixels + (size_t)job->info.output_scanline * (size_t)job->image.width * 3;
    JSAMPROW row = job->row != NULL ? job->row : to;
    jpeg_read_scanlines(&job->info, &row, 1);
    if (job->row != NULL) cmyk_row(to, job->row, job->image.width);
  }
}

static bool decode_guarded(decode_job *job) {
  if (setjmp(job->errors.jump) != 0) return false;
  jpeg_create_decompress(&job->info);
  job->info.mem->max_memory_to_use = MAX_WORK_BYTES;
  job->progress.progress_monitor = limit_scans;
  job->info.progress = &job->progress;
  jpeg_mem_src(&job->info, job->source->bytes, job->source->count);
  jpeg_read_header(&job->info, TRUE);
  job->status =
      msk_source_check_size(job->source, "JPEG", job->info.image_width, job->info.image_height);
  if (job->status == MSK_OK) job->status = check_length(job);
  if (job->status != MSK_OK) return false;
  /* libjpeg makes no RGB of the four inks of print */
  bool cmyk = job->info.jpeg_color_space == JCS_CMYK || job->info.jpeg_color_space == JCS_YCCK;
  job->info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  job->status =
      msk_image_allocate(&job->image, (int)job->info.image_width, (int)job->info.image_height,
                         job->source->allocator, job->source->error);
  if (job->status != MSK_OK) return false;
  if (cmyk) {
    job->row = msk_allocate(job->source->allocator, job->info.image_width, 4);
    if (job->row == NULL) job->status = msk_source_no_memory(job->source, "JPEG");
    if (job->status != MSK_OK) return false;
  }
  jpeg_start_decompress(&job->info);
  read_rows(job);
  jpeg_finish_decompress(&job->info);
  return true;
}

/* Keeps the bytes behind a segment's signature, of the first segment that has it. */
static void keep_segment(const uint8_t **bytes, size_t *count, const uint8_t *data, size_t length,
                         const char *signature, size_t signature_bytes) {
  if (*bytes != NULL || length < signature_bytes || memcmp(data, signature, signature_bytes) != 0)
    return;
  *bytes = data + signature_bytes;
  *count = length - signature_bytes;
}

/* By the first block of EXIF and of XMP before the first scan. Marker lengths are checked against
 * the file. */
static int find_orientation(const msk_source *source) {
  static const char exif[] = "Exif\0", xmp[] = "http://ns.adobe.com/xap/1.0/";
  msk_camera camera = {0};
  size_t position = 2;
  while (source->count - position >= 4 && source->bytes[position] == 0xff) {
    const uint8_t *marker = source->bytes + position;
    size_t length = (size_t)marker[2] << 8 | marker[3];
    if (marker[1] == 0xff) { /* a fill byte */
      position += 1;
      continue;
    }
    if (marker[1] == 0xda || length < 2 || length > source->count - position - 2) break;
    if (marker[1] == 0xe1) {
      keep_segment(&camera.exif, &camera.exif_count, marker + 4, length - 2, exif, sizeof exif);
      keep_segment(&camera.xmp, &camera.xmp_count, marker + 4, length - 2, xmp, sizeof xmp);
    }
    position += 2 + length;
  }
  return msk_camera_orientation(&camera);
}

msk_status msk_jpeg_decode(msk_image *image, int *orientation, const msk_source *source) {
  decode_job job = {.source = source};
  error_manager_init(&job.errors);
  job.info.err = &job.errors.base;
  bool done = decode_guarded(&job);
  jpeg_destroy_decompress(&job.info);
  msk_free(source->allocator, job.row);
  if (done) {
    *image = job.image;
    msk_opaque_picture(image, source->alpha);
    *orientation = find_orientation(source);
    return MSK_OK;
  }
  msk_image_free(&job.image);
  /* a refusal of our own comes first: libjpeg has said nothing then */
  if (job.status != MSK_OK) return job.status;
  return job.errors.no_memory ? msk_source_no_memory(source, "JPEG")
                              : msk_source_damaged(source, "JPEG", job.errors.message);
}

/* ---- Writing ---- */

typedef struct encode_job {
  struct jpeg_compress_struct info; /* first, so that libjpeg's pointer is the job */
  error_manager errors;
  struct jpeg_destination_mgr to; /* libjpeg writes straight into the room behind bytes->count */
  msk_bytes *bytes;
  const msk_image *image;
} encode_job;

static void offer_room(j_compress_ptr info) {
  encode_job *job = (encode_job *)info;
  if (!msk_bytes_reserve(job->bytes, 4096)) ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
  job->to.next_output_byte = job->bytes->data + job->bytes->count;
  job->to.free_in_buffer = job->bytes->capacity - job->bytes->count;
}

/* Called with the room full, whatever free_in_buffer says. */
static boolean room_is_full(j_compress_ptr info) {
  encode_job *job = (encode_job *)info;
  job->bytes->count = job->bytes->capacity;
  offer_room(info);
  return TRUE;
}

static void finish_room(j_compress_ptr info) {
  encode_job *job = (encode_job *)info;
  job->bytes->count = job->bytes->capacity - job->to.free_in_buffer;
}

static bool encode_guarded(encode_job *job, int quality) {
  if (setjmp(job->errors.jump) != 0) return false;
  jpeg_create_compress(&job->info);
  job->to.init_destination = offer_room;
  job->to.empty_output_buffer = room_is_full;
  job->to.term_destination = finish_room;
  job->info.dest = &job->to;
  job->info.image_width = (JDIMENSION)job->image->width;
  job->info.image_height = (JDIMENSION)job->image->height;
  job->info.input_components = 3;
  job->info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&job->info);
  jpeg_set_quality(&job->info, quality, TRUE);
  job->info.optimize_coding = TRUE;
  /* 4:4:4: lines keep their colour */
  job->info.comp_info[0].h_samp_factor = job->info.comp_info[0].v_samp_factor = 1;
  jpeg_start_compress(&job->info, TRUE);
  while (job->info.next_scanline < job->info.image_height) {
    JSAMPROW row =
        job->image->pixels + (size_t)job->info.next_scanline * (size_t)job->image->width * 3;
    jpeg_write_scanlines(&job->info, &row, 1);
  }
  jpeg_finish_compress(&job->info);
  return true;
}

msk_status msk_jpeg_encode(msk_bytes *bytes, const msk_image *image, int quality,
                           msk_error *error) {
  if (image->width > JPEG_MAX_DIMENSION || image->height > JPEG_MAX_DIMENSION) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "a picture of %d x %d pixels does not fit into a JPEG, whose sides are at most "
                    "%ld; use PNG",
                    image->width, image->height, JPEG_MAX_DIMENSION);
  }
  encode_job job = {.bytes = bytes, .image = image};
  error_manager_init(&job.errors);
  job.info.err = &job.errors.base;
  bool done = encode_guarded(&job, quality);
  jpeg_destroy_compress(&job.info);
  if (done) return MSK_OK;
  if (job.errors.no_memory)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for writing a JPEG of %d x %d pixels",
                    image->width, image->height);
  return msk_fail(error, MSK_ERROR_ARGUMENT, "a JPEG of %d x %d pixels cannot be written: %s",
                  image->width, image->height, job.errors.message);
}
