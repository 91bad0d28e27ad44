/* SPDX-License-Identifier: Apache-2.0
 * command_edit.c - edit: repaint a part of a photo, or paint outside its frame. */
#include "app/placement.h"
#include "masksketch_tools.h"
#include "picture_options.h"

typedef struct edit_options {
  const char *box, *mask, *extend;
  int fit;
  picture_options pictures;
} edit_options;

static msk_status place_box(msk_box *box, const char *text, const msk_image *photo, int side,
                            msk_fit fit, msk_error *error) {
  int n[4], count = 0;
  msk_status status = cli_parse_list(text, "--box", 0, 1 << 20, n, 4, &count, error);
  if (status != MSK_OK) return status;
  if (count != 4)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--box was given %s, expected four numbers: top,left,height,width", text);
  return area_place_box(box, n, "--box", photo, side, fit, error);
}

/* Puts a wider frame around the photo, and makes the mask that is white in it. */
static msk_status extend_photo(order *o, const char *text, msk_image *photo, msk_fit fit,
                               msk_error *error) {
  int n[4], count = 0;
  msk_status status = cli_parse_list(text, "--extend", 0, 1 << 14, n, 4, &count, error);
  if (status != MSK_OK) return status;
  if (count != 4)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--extend was given %s, expected four numbers: top,left,bottom,right", text);
  msk_image wide = {0};
  const msk_margins margins = {n[0], n[1], n[2], n[3]};
  status = msk_image_extend(&wide, &o->mask, photo, &margins, o->info.image_size, fit, NULL, error);
  if (status == MSK_ERROR_ARGUMENT) {
    const msk_error found = *error;
    return app_fail(error, found.code, "--extend: %.480s", found.message);
  }
  if (status != MSK_OK) return status;
  msk_image_free(photo);
  *photo = wide;
  return MSK_OK;
}

static msk_status check(const cli_line *line, const void *own, msk_error *error) {
  const edit_options *options = own;
  (void)line;
  int areas = (options->box != NULL) + (options->mask != NULL) + (options->extend != NULL);
  if (areas != 1) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "%s, expected exactly one of --box, --mask and --extend to say what is painted",
                    areas == 0 ? "no area was given" : "several areas were given");
  }
  if (options->fit == MSK_FIT_PAD || options->fit == MSK_FIT_INK)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--fit was given %s, expected stretch or crop: --extend paints outside the frame",
        msk_fit_name(options->fit));
  return MSK_OK;
}

/* The photo's area: a box, a mask from a file, or the new frame. */
static msk_status choose_area(order *o, const edit_options *options, msk_image *source,
                              msk_error *error) {
  const msk_fit fit = (msk_fit)options->fit;
  const int side = o->info.image_size;
  if (options->mask != NULL) return pictures_load_map(&o->mask, options->mask, o, fit, error);
  if (options->box != NULL)
    return place_box(&o->request.edit_box, options->box, source, side, fit, error);
  return extend_photo(o, options->extend, source, fit, error);
}

static msk_status fill(order *o, const void *own, msk_image *source, msk_error *error) {
  const edit_options *options = own;
  msk_prepare_options preparation = order_preparation(o);
  preparation.fit = (msk_fit)options->fit;
  msk_status status = choose_area(o, options, source, error);
  return status == MSK_OK ? order_set_picture(o, source, &preparation, error) : status;
}

static msk_status action(const cli_line *line, msk_error *error) {
  const picture_job job = {MSK_JOB_EDIT, check, fill};
  const edit_options *options = line->options;
  drawing d = {.line = line};
  return pictures_make(&d, &options->pictures, &job, options, error);
}

static const cli_option rows[] = {
    {"box", 0, "T,L,H,W", CLI_A_TEXT(edit_options, box),
     .help = "the box to repaint, in pixels of the photo: top, left, height, width"},
    {"mask", 0, "MASK", CLI_AN_INPUT(edit_options, mask),
     .help = "picture that is white where the photo is repainted"},
    {"extend", 0, "T,L,B,R", CLI_A_TEXT(edit_options, extend),
     .help = "paint outside the frame: pixels to add at the top, left, bottom and right"},
    CLI_FIT_ROW(edit_options),
    CLI_TABLE(edit_options, pictures, picture_table),
    {.type = CLI_END},
};

const cli_usage edit_usage = {
    "PHOTO (--box T,L,H,W | --mask MASK | --extend T,L,B,R) --class CLASS [-o OUT]",
    1,
    1,
    rows,
    sizeof(edit_options),
    .action = action,
    .with_recipes = true,
    .job = MSK_JOB_EDIT};
