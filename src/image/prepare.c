/* SPDX-License-Identifier: Apache-2.0
 *
 * prepare.c - msk_image_prepare(): any picture -> the model's square, as a sketch that is dark
 * on light. The order:
 *   cut (crop) -> scale (a photo of paper: to working size first) -> turn over if light on dark
 *   -> clean a photo, scale -> pad with paper colour.
 * With the default options, and where nothing is turned over, this is Pillow's bicubic resize
 * and nothing else. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/resize.h"
#include "image/sketch.h"

/* Photos of paper are cleaned at this size, or at twice the model's if that is more; never scaled
 * up for it. */
#define PHOTO_WORKING_SIDE 1024

typedef struct rectangle {
  int left, top, width, height;
} rectangle;

void msk_prepare_init(msk_prepare_options *options) {
  *options = (msk_prepare_options){.size = sizeof *options,
                                   .fit = MSK_FIT_STRETCH,
                                   .invert = MSK_INVERT_AUTO,
                                   .photo_of_paper = 0};
}

/* a * b / c rounded to nearest, at least 1; callers see to it that it is no larger than a side
 * of a picture */
static int scaled_side(int a, int b, int c) {
  int64_t side = ((int64_t)a * b * 2 + c) / (2 * (int64_t)c);
  return side < 1 ? 1 : (int)side;
}

/* The largest rectangle of width : height inside `within`, in its centre. */
static rectangle centred(int within_width, int within_height, int width, int height) {
  rectangle r = {.width = within_width, .height = within_height};
  if ((int64_t)within_width * height > (int64_t)within_height * width)
    r.width = scaled_side(within_height, width, height);
  else
    r.height = scaled_side(within_width, height, width);
  r.left = (within_width - r.width) / 2;
  r.top = (within_height - r.height) / 2;
  return r;
}

static msk_status copy_part(msk_image *out, const msk_image *in, rectangle part,
                            const msk_allocator *allocator, msk_error *error) {
  msk_status status = msk_image_create(out, part.width, part.height, allocator, error);
  if (status != MSK_OK) return status;
  size_t row = (size_t)part.width * 3;
  for (int y = 0; y < part.height; y++) {
    memcpy(out->pixels + (size_t)y * row,
           in->pixels + 3 * ((size_t)(part.top + y) * (size_t)in->width + (size_t)part.left), row);
  }
  return MSK_OK;
}

static msk_status resize(msk_image *out, const msk_image *in, int width, int height,
                         const msk_allocator *allocator, msk_error *error) {
  size_t scratch_bytes =
      msk_resize_scratch(MSK_FILTER_BICUBIC, 3, in->width, in->height, width, height);
  msk_image resized;
  msk_status status = msk_image_create(&resized, width, height, allocator, error);
  if (status != MSK_OK) return status;
  void *scratch = scratch_bytes == SIZE_MAX ? NULL : msk_allocate(allocator, scratch_bytes, 1);
  if (scratch == NULL) {
    msk_image_free(&resized);
    return msk_fail(error, MSK_ERROR_MEMORY,
                    "no memory for scaling a picture of %d x %d pixels to %d x %d", in->width,
                    in->height, width, height);
  }
  msk_resize(MSK_FILTER_BICUBIC, 3, &(msk_pixels){in->pixels, in->width, in->height},
             &(msk_pixels){resized.pixels, width, height}, scratch);
  msk_free(allocator, scratch);
  *out = resized;
  return MSK_OK;
}

/* The part of `in` -> width x height. */
static msk_status resize_part(msk_image *out, const msk_image *in, rectangle part, int width,
                              int height, const msk_allocator *allocator, msk_error *error) {
  if (part.width == in->width && part.height == in->height)
    return resize(out, in, width, height, allocator, error);
  msk_image cut;
  msk_status status = copy_part(&cut, in, part, allocator, error);
  if (status != MSK_OK) return status;
  status = resize(out, &cut, width, height, allocator, error);
  msk_image_free(&cut);
  return status;
}

/* The negative. `whiten` brings its paper to white: chalk on a grey board becomes a drawing on
 * white paper. */
static void turn_over(msk_image *image, bool whiten) {
  size_t samples = (size_t)image->width * (size_t)image->height * 3;
  uint8_t paper[3];
  for (size_t i = 0; i < samples; i++) image->pixels[i] = (uint8_t)~image->pixels[i];
  if (!whiten) return;
  msk_sketch_paper(paper, image);
  for (size_t i = 0; i < samples; i++) {
    /* a dark paper is none: forced on a light picture */
    unsigned white = paper[i % 3] < 128 ? 255 : paper[i % 3];
    unsigned value = (image->pixels[i] * 255u + white / 2) / white;
    image->pixels[i] = (uint8_t)(value > 255 ? 255 : value);
  }
}

static msk_status turn_over_if_asked(msk_image *image, const msk_prepare_options *options,
                                     const msk_allocator *allocator, msk_error *error) {
  bool light_on_dark = options->invert == MSK_INVERT_YES;
  msk_status status = MSK_OK;
  if (options->invert == MSK_INVERT_AUTO)
    status = msk_sketch_is_light_on_dark(&light_on_dark, image, allocator, error);
  if (status == MSK_OK && light_on_dark) turn_over(image, !options->photo_of_paper);
  return status;
}

/* What stands in the model's square: `part` of the picture at width x height, dark on light. */
static msk_status prepare_content(msk_image *out, const msk_image *in, rectangle part, int width,
                                  int height, const msk_prepare_options *options,
                                  const msk_allocator *allocator, msk_error *error) {
  int longer = part.width > part.height ? part.width : part.height,
      side = 2 * (width > height ? width : height);
  if (side < PHOTO_WORKING_SIDE) side = PHOTO_WORKING_SIDE;
  bool shrink = longer > side;
  int working_width = !options->photo_of_paper ? width
                      : shrink                 ? scaled_side(part.width, side, longer)
                                               : part.width;
  int working_height = !options->photo_of_paper ? height
                       : shrink                 ? scaled_side(part.height, side, longer)
                                                : part.height;
  msk_image working;
  msk_status status =
      resize_part(&working, in, part, working_width, working_height, allocator, error);
  if (status != MSK_OK) return status;
  status = turn_over_if_asked(&working, options, allocator, error);
  if (status == MSK_OK && options->photo_of_paper) {
    msk_image content;
    status = msk_sketch_clean_photo(&working, allocator, error);
    if (status == MSK_OK) status = resize(&content, &working, width, height, allocator, error);
    if (status == MSK_OK) {
      msk_image_free(&working);
      working = content;
    }
  }
  if (status != MSK_OK)
    msk_image_free(&working);
  else
    *out = working;
  return status;
}

static msk_status pad(msk_image *out, const msk_image *content, rectangle place, int width,
                      int height, const msk_allocator *allocator, msk_error *error) {
  uint8_t paper[3];
  msk_image padded;
  msk_status status = msk_image_create(&padded, width, height, allocator, error);
  if (status != MSK_OK) return status;
  msk_sketch_paper(paper, content);
  for (size_t i = 0; i < (size_t)width * (size_t)height; i++)
    memcpy(padded.pixels + 3 * i, paper, 3);
  for (int y = 0; y < content->height; y++) {
    memcpy(padded.pixels + 3 * ((size_t)(place.top + y) * (size_t)width + (size_t)place.left),
           content->pixels + 3 * (size_t)y * (size_t)content->width, 3 * (size_t)content->width);
  }
  *out = padded;
  return MSK_OK;
}

static msk_status check_request(const msk_image *out, const msk_image *in, int width, int height,
                                const msk_prepare_options *options, msk_error *error) {
  if (out == NULL || in == NULL || in->pixels == NULL || in->width < 1 || in->height < 1)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "there is no picture to prepare");
  if (options != NULL && options->size != sizeof *options) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "preparation options of %zu bytes, expected %zu: call msk_prepare_init() first",
                    options->size, sizeof *options);
  }
  if (width < 1 || height < 1 || (size_t)width > MSK_MAX_PIXELS / (size_t)height) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "a prepared size of %d x %d pixels, expected sides of at least 1 and at most "
                    "%zu megapixels",
                    width, height, MSK_MAX_PIXELS / 1000000);
  }
  if (options == NULL) return MSK_OK;
  bool known = options->fit >= MSK_FIT_STRETCH && options->fit <= MSK_FIT_CROP &&
               options->invert >= MSK_INVERT_AUTO && options->invert <= MSK_INVERT_NO;
  if (!known || options->photo_of_paper < 0 || options->photo_of_paper > 1) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "preparation with fit %d, invert %d, photo_of_paper %d, one of which is unknown",
        (int)options->fit, (int)options->invert, options->photo_of_paper);
  }
  return MSK_OK;
}

msk_status msk_image_prepare(msk_image *out, const msk_image *in, int width, int height,
                             const msk_prepare_options *options, const msk_allocator *allocator,
                             msk_error *error) {
  msk_prepare_options defaults;
  msk_status status = check_request(out, in, width, height, options, error);
  if (status != MSK_OK) return status;
  msk_prepare_init(&defaults);
  if (options == NULL) options = &defaults;
  rectangle part = {.width = in->width, .height = in->height},
            place = {.width = width, .height = height};
  if (options->fit == MSK_FIT_CROP) part = centred(in->width, in->height, width, height);
  if (options->fit == MSK_FIT_PAD) place = centred(width, height, in->width, in->height);
  msk_image content;
  status =
      prepare_content(&content, in, part, place.width, place.height, options, allocator, error);
  if (status != MSK_OK) return status;
  if (place.width == width && place.height == height) {
    *out = content;
    return MSK_OK;
  }
  status = pad(out, &content, place, width, height, allocator, error);
  msk_image_free(&content);
  return status;
}
