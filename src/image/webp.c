/* SPDX-License-Identifier: Apache-2.0
 *
 * webp.c - WebP through libwebp, in and out. The RIFF container (RFC 9649, section 2) is walked
 * by hand for the first frame of an animation, EXIF and XMP; libwebp decodes the pictures
 * themselves. libwebp takes its working memory from the C heap; pixels and encoded bytes come
 * from the allocator. */
#include <string.h>
#include <webp/decode.h>
#include <webp/encode.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/codec.h"

#define ANIMATION_FRAME_HEADER 16

#define FORMAT_LOSSY 1 /* of WebPBitstreamFeatures */

typedef struct riff_chunk {
  const uint8_t *type, *data;
  size_t length;
  size_t next; /* 0: at the first */
} riff_chunk;

static uint32_t little_endian(const uint8_t *bytes, int width) {
  uint32_t value = 0;
  for (int i = 0; i < width; i++) value |= (uint32_t)bytes[i] << 8 * i;
  return value;
}

/* Steps to the next whole chunk after the file header; false at the end, or where the file is
 * cut off. */
static bool next_chunk(const msk_source *source, riff_chunk *chunk) {
  size_t start = chunk->next == 0 ? 12 : chunk->next;
  if (start > source->count || source->count - start < 8) return false;
  size_t length = little_endian(source->bytes + start + 4, 4);
  if (length > source->count - start - 8) return false;
  *chunk = (riff_chunk){.type = source->bytes + start,
                        .data = source->bytes + start + 8,
                        .length = length,
                        .next = start + 8 + length + (length & 1)};
  return true;
}

static bool find_chunk(const msk_source *source, const char *type, riff_chunk *chunk) {
  *chunk = (riff_chunk){0};
  while (next_chunk(source, chunk)) {
    if (memcmp(chunk->type, type, 4) == 0) return true;
  }
  return false;
}

static int find_orientation(const msk_source *source) {
  msk_camera camera = {0};
  riff_chunk chunk;
  if (find_chunk(source, "EXIF", &chunk)) {
    camera.exif = chunk.data;
    camera.exif_count = chunk.length;
  }
  if (find_chunk(source, "XMP ", &chunk)) {
    camera.xmp = chunk.data;
    camera.xmp_count = chunk.length;
  }
  return msk_camera_orientation(&camera);
}

/* The picture in the canvas: the whole file for a still picture, the first frame of an
 * animation. */
typedef struct webp_frame {
  const uint8_t *bytes;
  size_t count;
  int canvas_width, canvas_height, left, top, width, height;
  bool alpha;
} webp_frame;

static msk_status status_of(VP8StatusCode code, const msk_source *source) {
  static const char *const reasons[] = {"",
                                        "",
                                        "wrong parameter",
                                        "the bitstream is broken",
                                        "unsupported feature",
                                        "suspended",
                                        "aborted",
                                        "the file ends too early"};
  if (code == VP8_STATUS_OK) return MSK_OK;
  if (code == VP8_STATUS_OUT_OF_MEMORY) return msk_source_no_memory(source, "WebP");
  return msk_source_damaged(
      source, "WebP",
      (size_t)code < sizeof reasons / sizeof *reasons ? reasons[code] : "unknown damage");
}

/* A lossy picture spends more than a bit on every macroblock of 16 x 16 pixels, for the fixed
 * probabilities of its modes (RFC 6386, section 11.2). A lossless one may be arbitrarily short. */
static msk_status check_length(const WebPBitstreamFeatures *features, size_t count,
                               const msk_source *source) {
  uint64_t macroblocks =
      (uint64_t)((features->width + 15) / 16) * (uint64_t)((features->height + 15) / 16);
  if (features->format != FORMAT_LOSSY || macroblocks / 8 <= count) return MSK_OK;
  return msk_source_damaged(source, "WebP", "the file is too short for so many pixels");
}

static msk_status find_first_frame(webp_frame *frame, const msk_source *source) {
  riff_chunk chunk;
  if (!find_chunk(source, "ANMF", &chunk) || chunk.length <= ANIMATION_FRAME_HEADER)
    return msk_source_damaged(source, "WebP", "an animation without a whole frame");
  WebPBitstreamFeatures features;
  frame->bytes = chunk.data + ANIMATION_FRAME_HEADER;
  frame->count = chunk.length - ANIMATION_FRAME_HEADER;
  msk_status status = status_of(WebPGetFeatures(frame->bytes, frame->count, &features), source);
  if (status != MSK_OK) return status;
  uint32_t left = 2 * little_endian(chunk.data, 3), top = 2 * little_endian(chunk.data + 3, 3);
  uint32_t width = little_endian(chunk.data + 6, 3) + 1,
           height = little_endian(chunk.data + 9, 3) + 1;
  bool inside = left + width <= (uint32_t)frame->canvas_width &&
                top + height <= (uint32_t)frame->canvas_height;
  if (!inside || features.has_animation || features.width != (int)width ||
      features.height != (int)height) {
    return msk_source_damaged(source, "WebP", "the frame does not fit its canvas");
  }
  status = check_length(&features, frame->count, source);
  if (status != MSK_OK) return status;
  frame->left = (int)left;
  frame->top = (int)top;
  frame->width = (int)width;
  frame->height = (int)height;
  frame->alpha = true; /* the canvas around and below the frame is transparent */
  return MSK_OK;
}

static msk_status find_frame(webp_frame *frame, const msk_source *source) {
  WebPBitstreamFeatures features;
  msk_status status = status_of(WebPGetFeatures(source->bytes, source->count, &features), source);
  if (status == MSK_OK)
    status =
        msk_source_check_size(source, "WebP", (uint64_t)features.width, (uint64_t)features.height);
  /* of an animation only the first frame is read, whose length its own header says */
  if (status == MSK_OK && !features.has_animation)
    status = check_length(&features, source->count, source);
  if (status != MSK_OK) return status;
  frame->bytes = source->bytes;
  frame->count = source->count;
  frame->left = frame->top = 0;
  frame->width = frame->canvas_width = features.width;
  frame->height = frame->canvas_height = features.height;
  frame->alpha = features.has_alpha != 0;
  return features.has_animation ? find_first_frame(frame, source) : MSK_OK;
}

/* Decodes into the frame's place in a canvas of RGB or RGBA. */
static msk_status decode_frame(const webp_frame *frame, uint8_t *canvas, const msk_source *source) {
  size_t channels = frame->alpha ? 4 : 3, stride = (size_t)frame->canvas_width * channels;
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config))
    return msk_fail(source->error, MSK_ERROR_UNSUPPORTED,
                    "%s: the WebP library is of another version", source->name);
  config.output.colorspace = frame->alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = canvas + (size_t)frame->top * stride + (size_t)frame->left * channels;
  config.output.u.RGBA.stride = (int)stride;
  config.output.u.RGBA.size =
      stride * (size_t)(frame->height - 1) + (size_t)frame->width * channels;
  VP8StatusCode code = WebPDecode(frame->bytes, frame->count, &config);
  WebPFreeDecBuffer(&config.output);
  return status_of(code, source);
}

msk_status msk_webp_decode(msk_image *image, int *orientation, const msk_source *source) {
  webp_frame frame;
  msk_image decoded;
  uint8_t *canvas = NULL;
  msk_status status = find_frame(&frame, source);
  if (status != MSK_OK) return status;
  status = msk_image_allocate(&decoded, frame.canvas_width, frame.canvas_height, source->allocator,
                              source->error);
  if (status != MSK_OK) return status;
  size_t pixels = (size_t)decoded.width * (size_t)decoded.height;
  if (!frame.alpha) {
    status = decode_frame(&frame, decoded.pixels, source);
    if (status == MSK_OK) msk_opaque_picture(&decoded, source->alpha);
  } else {
    /* what no pixel of the frame covers is transparent */
    bool covered = frame.width == frame.canvas_width && frame.height == frame.canvas_height;
    canvas = covered ? msk_allocate(source->allocator, pixels, 4)
                     : msk_allocate_zeroed(source->allocator, pixels, 4);
    status = canvas == NULL ? msk_source_no_memory(source, "WebP")
                            : decode_frame(&frame, canvas, source);
    if (status == MSK_OK) msk_rgba_row(decoded.pixels, canvas, pixels, source);
    msk_free(source->allocator, canvas);
  }
  if (status != MSK_OK) {
    msk_image_free(&decoded);
    return status;
  }
  *image = decoded;
  *orientation = find_orientation(source);
  return MSK_OK;
}

static int store(const uint8_t *data, size_t count, const WebPPicture *picture) {
  return msk_bytes_append(picture->custom_ptr, data, count);
}

static bool configure(WebPConfig *config, int quality) {
  if (!WebPConfigInit(config)) return false;
  if (quality == 0) return WebPConfigLosslessPreset(config, 6) != 0;
  config->quality = (float)quality;
  config->use_sharp_yuv = 1; /* thin coloured lines survive the halved chroma */
  return WebPValidateConfig(config) != 0;
}

/* libwebp (1.2.4 at least) tells success where its lossless writer was refused memory, and the
 * stream ends early: it is as long as what its statistics count, codes and data, and codes there
 * always are. Reading it back would not do, for the reader follows a null pointer when it is
 * refused memory itself. */
static bool is_whole(const WebPAuxStats *stats, size_t bytes) {
  enum { HEADERS = 12 + 8 + 5 }; /* RIFF, chunk, the stream's own */
  return stats->lossless_hdr_size > 0 &&
         bytes >= HEADERS + (size_t)stats->lossless_hdr_size + (size_t)stats->lossless_data_size;
}

msk_status msk_webp_encode(msk_bytes *bytes, const msk_image *image, int quality,
                           msk_error *error) {
  WebPConfig config;
  WebPPicture picture;
  WebPAuxStats stats = {0};
  size_t before = bytes->count;
  if (image->width > WEBP_MAX_DIMENSION || image->height > WEBP_MAX_DIMENSION) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "a picture of %d x %d pixels does not fit into a WebP, whose sides are at most %d; use PNG",
        image->width, image->height, WEBP_MAX_DIMENSION);
  }
  if (!configure(&config, quality) || !WebPPictureInit(&picture))
    return msk_fail(error, MSK_ERROR_UNSUPPORTED, "the WebP library is of another version");
  /* YUV, the other form, would lose colours even where the WebP is lossless */
  picture.use_argb = 1;
  picture.width = image->width;
  picture.height = image->height;
  picture.writer = store;
  picture.custom_ptr = bytes;
  picture.stats = &stats;
  bool done = WebPPictureImportRGB(&picture, image->pixels, image->width * 3) != 0 &&
              WebPEncode(&config, &picture) != 0;
  WebPEncodingError code = picture.error_code;
  WebPPictureFree(&picture);
  bool cut = done && quality == 0 && !is_whole(&stats, bytes->count - before);
  if (done && !cut) return MSK_OK;
  if (cut || bytes->failed || code == VP8_ENC_ERROR_OUT_OF_MEMORY ||
      code == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY) {
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for writing a WebP of %d x %d pixels",
                    image->width, image->height);
  }
  return msk_fail(error, MSK_ERROR_ARGUMENT,
                  "a WebP of %d x %d pixels cannot be written (libwebp error %d)", image->width,
                  image->height, (int)code);
}
