/* SPDX-License-Identifier: Apache-2.0
 *
 * prepare.c - msk_image_prepare(): any picture -> the model's square, as a sketch that is dark
 * on light. The order:
 *   cut (crop) -> see to the paper, at working size -> cut to the ink -> scale -> turn over if
 *   light on dark -> pad with paper colour.
 * Where nothing is turned over, and the paper is left as it is (photo_of_paper no, or a drawing on
 * white), this is Pillow's bicubic resize and nothing else. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/ink.h"
#include "image/paper.h"
#include "image/resize.h"
#include "image/sketch.h"

/* Paper is seen to at this size, or at twice the model's if that is more; never scaled up for
 * it. */
#define WORKING_SIDE 1024
#define INK_MARGIN 15 /* percent of the ink's longer side */

typedef struct rectangle {
  int left, top, width, height;
} rectangle;

void msk_prepare_init(msk_prepare_options *options) {
  *options = (msk_prepare_options){.size = sizeof *options,
                                   .fit = MSK_FIT_STRETCH,
                                   .invert = MSK_INVERT_AUTO,
                                   .photo_of_paper = MSK_PHOTO_AUTO};
}

void msk_prepare_plain(msk_prepare_options *options) {
  msk_prepare_init(options);
  options->invert = MSK_INVERT_NO;
  options->photo_of_paper = MSK_PHOTO_NO;
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
  if (width == in->width && height == in->height)
    return copy_part(out, in, (rectangle){.width = width, .height = height}, allocator, error);
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

static void turn_over(msk_image *image) {
  size_t samples = (size_t)image->width * (size_t)image->height * 3;
  for (size_t i = 0; i < samples; i++) image->pixels[i] = (uint8_t)~image->pixels[i];
}

/* Light lines are found on a ground that is darker than mid-grey, and on any that is not white
 * where the paper is to be seen to. Between the lines of squared paper in shadow lie light
 * structures, which are none. */
static msk_status is_light_on_dark(bool *answer, const msk_image *image,
                                   const msk_prepare_options *options,
                                   const msk_allocator *allocator, msk_error *error) {
  *answer = options->invert == MSK_INVERT_YES;
  if (options->invert != MSK_INVERT_AUTO) return MSK_OK;
  msk_status status = msk_sketch_is_light_on_dark(answer, image, allocator, error);
  if (status != MSK_OK || options->photo_of_paper != MSK_PHOTO_AUTO) return status;
  if (*answer) *answer = !msk_paper_is_in_shadow(image);
  if (!*answer) *answer = msk_paper_is_written_light(image);
  return status;
}

/* Brings the paper of a negative to white: chalk on a grey board becomes a drawing on white. A
 * dark paper is none where the picture was light, and turned over because that was asked for. */
static void whiten(msk_image *image, const msk_prepare_options *options) {
  uint8_t paper[3];
  bool found = options->invert == MSK_INVERT_AUTO && options->photo_of_paper == MSK_PHOTO_AUTO;
  msk_sketch_paper(paper, image);
  for (int c = 0; c < 3; c++) paper[c] = paper[c] < 128 && !found ? 255 : paper[c];
  msk_paper_level(image, paper);
}

static msk_status turn_over_if_asked(msk_image *image, const msk_prepare_options *options,
                                     const msk_allocator *allocator, msk_error *error) {
  bool light_on_dark;
  msk_status status = is_light_on_dark(&light_on_dark, image, options, allocator, error);
  if (status != MSK_OK || !light_on_dark) return status;
  turn_over(image);
  whiten(image, options);
  return MSK_OK;
}

/* Does to the paper of a sketch at working size what the options say; *done tells whether there
 * was anything to do. The sketch is dark on light then. */
static msk_status see_to_paper(msk_image *sheet, bool *done, const msk_prepare_options *options,
                               const msk_allocator *allocator, msk_error *error) {
  bool light_on_dark = false, ruled = false, edged = false, lay_on_table,
       framed = msk_frame_remove(sheet);
  uint8_t colour[3];
  msk_status status = msk_table_remove(&lay_on_table, sheet, allocator, error);
  if (status == MSK_OK) status = is_light_on_dark(&light_on_dark, sheet, options, allocator, error);
  if (status == MSK_OK && light_on_dark) turn_over(sheet);
  if (status == MSK_OK) status = msk_edges_clear(&edged, sheet, allocator, error);
  if (status == MSK_OK) status = msk_ruling_remove(&ruled, sheet, allocator, error);
  if (status != MSK_OK) return status;
  bool photographed = lay_on_table || options->photo_of_paper == MSK_PHOTO_YES;
  msk_paper paper = photographed ? MSK_PAPER_PHOTOGRAPHED : msk_paper_judge(colour, sheet);
  /* a negative is whitened when it is turned over at its final size */
  *done = ruled || framed || edged || paper == MSK_PAPER_PHOTOGRAPHED ||
          (paper == MSK_PAPER_TINTED && !light_on_dark);
  if (paper == MSK_PAPER_PHOTOGRAPHED) return msk_sketch_clean_photo(sheet, allocator, error);
  if (paper == MSK_PAPER_TINTED) msk_paper_level(sheet, colour);
  if (*done && light_on_dark) whiten(sheet, options);
  return MSK_OK;
}

/* The part of `in` at working size, its paper seen to; left empty where nothing had to be done. */
static msk_status make_sheet(msk_image *sheet, const msk_image *in, rectangle part, int target,
                             const msk_prepare_options *options, const msk_allocator *allocator,
                             msk_error *error) {
  int longer = part.width > part.height ? part.width : part.height,
      side = 2 * target > WORKING_SIDE ? 2 * target : WORKING_SIDE;
  bool shrink = longer > side, done = false;
  msk_image working;
  if (options->photo_of_paper == MSK_PHOTO_NO) return MSK_OK;
  msk_status status =
      resize_part(&working, in, part, shrink ? scaled_side(part.width, side, longer) : part.width,
                  shrink ? scaled_side(part.height, side, longer) : part.height, allocator, error);
  if (status != MSK_OK) return status;
  status = see_to_paper(&working, &done, options, allocator, error);
  if (status == MSK_OK && done)
    *sheet = working;
  else
    msk_image_free(&working);
  return status;
}

/* The square around the ink of `part`, as far as it lies in the picture, and its place in the
 * frame of width x height. The longer side of the part is the largest square there is: a drawing
 * that fills its sheet is not made smaller. */
static void frame_ink(rectangle *part, rectangle *place, msk_ink_box ink, const msk_image *look) {
  double scale_x = (double)part->width / look->width, scale_y = (double)part->height / look->height;
  double width = ink.width * scale_x, height = ink.height * scale_y;
  double box = width > height ? width : height,
         most = part->width > part->height ? part->width : part->height;
  double side = box * (100 + 2 * INK_MARGIN) / 100;
  side = side > most ? most : side;
  double left = (ink.left + ink.width / 2.0) * scale_x - side / 2,
         top = (ink.top + ink.height / 2.0) * scale_y - side / 2;
  double from_x = left > 0 ? left : 0, from_y = top > 0 ? top : 0,
         to_x = left + side < part->width ? left + side : part->width,
         to_y = top + side < part->height ? top + side : part->height;
  rectangle frame = *place;
  place->left = (int)((from_x - left) * frame.width / side + 0.5);
  place->top = (int)((from_y - top) * frame.height / side + 0.5);
  place->width = (int)((to_x - left) * frame.width / side + 0.5) - place->left;
  place->height = (int)((to_y - top) * frame.height / side + 0.5) - place->top;
  part->left += (int)(from_x + 0.5);
  part->top += (int)(from_y + 0.5);
  part->width = (int)(to_x + 0.5) - (int)(from_x + 0.5);
  part->height = (int)(to_y + 0.5) - (int)(from_y + 0.5);
  place->width = place->width < 1 ? 1 : place->width;
  place->height = place->height < 1 ? 1 : place->height;
  part->width = part->width < 1 ? 1 : part->width;
  part->height = part->height < 1 ? 1 : part->height;
}

/* Looks for the ink of `part` at working size. */
static msk_status fit_ink(rectangle *part, rectangle *place, const msk_image *from, bool is_sheet,
                          const msk_prepare_options *options, const msk_allocator *allocator,
                          msk_error *error) {
  int longer = part->width > part->height ? part->width : part->height;
  bool shrink = longer > WORKING_SIDE;
  msk_image look;
  msk_ink_box ink = {0};
  msk_status status = resize_part(
      &look, from, *part, shrink ? scaled_side(part->width, WORKING_SIDE, longer) : part->width,
      shrink ? scaled_side(part->height, WORKING_SIDE, longer) : part->height, allocator, error);
  if (status != MSK_OK) return status;
  if (!is_sheet) status = turn_over_if_asked(&look, options, allocator, error);
  if (status == MSK_OK) status = msk_ink_find(&ink, &look, allocator, error);
  if (status == MSK_OK && ink.width > 0) frame_ink(part, place, ink, &look);
  msk_image_free(&look);
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
  bool known = options->fit >= MSK_FIT_STRETCH && options->fit <= MSK_FIT_INK &&
               options->invert >= MSK_INVERT_AUTO && options->invert <= MSK_INVERT_NO;
  if (!known || options->photo_of_paper < MSK_PHOTO_AUTO ||
      options->photo_of_paper > MSK_PHOTO_NO) {
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "preparation with fit %d, invert %d, photo_of_paper %d, one of which is unknown",
        (int)options->fit, (int)options->invert, (int)options->photo_of_paper);
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
  msk_image sheet = {0}, content;
  int target = width > height ? width : height;
  status = make_sheet(&sheet, in, part, target, options, allocator, error);
  bool is_sheet = sheet.pixels != NULL;
  if (is_sheet) {
    in = &sheet;
    part = (rectangle){.width = sheet.width, .height = sheet.height};
  }
  if (status == MSK_OK && options->fit == MSK_FIT_INK)
    status = fit_ink(&part, &place, in, is_sheet, options, allocator, error);
  if (status == MSK_OK)
    status = resize_part(&content, in, part, place.width, place.height, allocator, error);
  msk_image_free(&sheet);
  if (status != MSK_OK) return status;
  if (!is_sheet) status = turn_over_if_asked(&content, options, allocator, error);
  if (status == MSK_OK && place.width == width && place.height == height) {
    *out = content;
    return MSK_OK;
  }
  if (status == MSK_OK) status = pad(out, &content, place, width, height, allocator, error);
  msk_image_free(&content);
  return status;
}
