/* SPDX-License-Identifier: Apache-2.0
 *
 * codec.h - what stands between image.c and the picture formats: one decoder and one encoder a
 * format, with the same signatures. A decoder checks every size against the limits of
 * masksketch.h before it takes memory, and leaves no trace when it fails. */
#ifndef MSK_IMAGE_CODEC_H
#define MSK_IMAGE_CODEC_H

#include <stdbool.h>

#include "masksketch.h"

/* What the pixels with alpha show, weighed by it. */
typedef struct msk_alpha_look {
  uint64_t transparent, light, dark;
} msk_alpha_look;

/* An encoded picture and how it is to be read. */
typedef struct msk_source {
  const uint8_t *bytes;
  size_t count;
  msk_alpha alpha;
  uint8_t ground;       /* what is composited over */
  msk_alpha_look *look; /* added to by decoders; may be NULL */
  const char *name;     /* stands in messages */
  const msk_allocator *allocator;
  msk_error *error;
} msk_source;

/* Each fills *image (not yet turned) and *orientation (EXIF, 1..8). *image is untouched on
 * failure. */
msk_status msk_png_decode(msk_image *image, int *orientation, const msk_source *source);
msk_status msk_jpeg_decode(msk_image *image, int *orientation, const msk_source *source);
msk_status msk_webp_decode(msk_image *image, int *orientation, const msk_source *source);

/* msk_image_create() without filling: memory that a decoder never comes to write is never
 * touched. */
msk_status msk_image_allocate(msk_image *image, int width, int height,
                              const msk_allocator *allocator, msk_error *error);

/* MSK_ERROR_FILE unless 1 <= width, height <= MSK_MAX_SIDE and width * height <=
 * MSK_MAX_PIXELS. `kind` is "PNG" and the like. */
msk_status msk_source_check_size(const msk_source *source, const char *kind, uint64_t width,
                                 uint64_t height);
/* MSK_ERROR_FILE: "NAME: damaged KIND: REASON". */
msk_status msk_source_damaged(const msk_source *source, const char *kind, const char *reason);
msk_status msk_source_no_memory(const msk_source *source, const char *kind);

/* Where a file says how the camera was held. Both may be empty. */
typedef struct msk_camera {
  const uint8_t *exif; /* a TIFF header first, or "Exif\0\0" before it */
  size_t exif_count;
  const uint8_t *xmp;
  size_t xmp_count;
} msk_camera;
/* The orientation by EXIF, else by XMP, 1 where neither has one or it makes no sense. Any bytes
 * are safe. */
int msk_camera_orientation(const msk_camera *camera);

/* MSK_ERROR_FILE for what is no PNG, JPEG or WebP: names what it looks like, and the way out. */
msk_status msk_foreign_refuse(const msk_source *source);

/* A row of RGBA pixels -> RGB: composited over the ground, alpha dropped, or alpha alone. */
void msk_rgba_row(uint8_t *rgb, const uint8_t *rgba, size_t pixels, const msk_source *source);
/* A decoded picture that had no alpha: white where alpha alone is asked for. */
void msk_opaque_picture(msk_image *image, msk_alpha alpha);

/* Bytes that grow; `failed` once memory was refused (the data are given back then). */
typedef struct msk_bytes {
  uint8_t *data;
  size_t count, capacity;
  bool failed;
  const msk_allocator *allocator;
} msk_bytes;
/* Makes room for `more` bytes after `count`. */
bool msk_bytes_reserve(msk_bytes *bytes, size_t more);
bool msk_bytes_append(msk_bytes *bytes, const void *data, size_t count);
void msk_bytes_free(msk_bytes *bytes);

/* Each appends the whole file to *bytes, which its caller frees on failure. quality 1..100;
 * webp: 0 is lossless. */
msk_status msk_png_encode(msk_bytes *bytes, const msk_image *image, const msk_text *texts,
                          size_t text_count, msk_error *error);
msk_status msk_jpeg_encode(msk_bytes *bytes, const msk_image *image, int quality, msk_error *error);
msk_status msk_webp_encode(msk_bytes *bytes, const msk_image *image, int quality, msk_error *error);

#endif
