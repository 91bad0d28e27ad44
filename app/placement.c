/* SPDX-License-Identifier: Apache-2.0
 * placement.c - see placement.h. */
#include "app/placement.h"

#include "app/report.h"

msk_status area_fit_map(msk_image *out, msk_image *map, int side, msk_fit fit, msk_error *error) {
  if (fit == MSK_FIT_STRETCH && map->width <= side && map->height <= side) {
    *out = *map;
    *map = (msk_image){0};
    return MSK_OK;
  }
  msk_prepare_options options;
  msk_prepare_plain(&options);
  options.fit = fit;
  msk_status status = msk_image_prepare(out, map, side, side, &options, NULL, error);
  msk_image_free(map);
  return status;
}

/* Where pixel `at` of a photo's side of `length` pixels lies in the model's square; crop cuts
 * the longer side at its centre. */
static double to_square(double at, int length, int shorter, int side, msk_fit fit) {
  if (fit != MSK_FIT_CROP) return at * side / length;
  double position = (at - (length - shorter) / 2) * side / shorter;
  if (position < 0) return 0;
  return position > side ? side : position;
}

msk_status area_place_box(msk_box *box, const int n[4], const char *what, const msk_image *photo,
                          int side, msk_fit fit, msk_error *error) {
  if (n[0] < 0 || n[1] < 0 || n[2] < 1 || n[3] < 1 || n[2] > photo->height || n[3] > photo->width ||
      n[0] > photo->height - n[2] || n[1] > photo->width - n[3]) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "%s was given %d,%d,%d,%d, expected a box inside the photo, which is %d high "
                    "and %d wide: top,left,height,width",
                    what, n[0], n[1], n[2], n[3], photo->height, photo->width);
  }
  int shorter = photo->width < photo->height ? photo->width : photo->height;
  int top = (int)to_square(n[0], photo->height, shorter, side, fit),
      left = (int)to_square(n[1], photo->width, shorter, side, fit);
  double bottom = to_square(n[0] + n[2], photo->height, shorter, side, fit),
         right = to_square(n[1] + n[3], photo->width, shorter, side, fit);
  box->top = top;
  box->left = left;
  /* outwards on all sides: what the box touches is repainted */
  box->height = (int)bottom - top + (bottom > (int)bottom);
  box->width = (int)right - left + (right > (int)right);
  if (box->height > 0 && box->width > 0) return MSK_OK;
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "%s was given %d,%d,%d,%d, which the fit crop cuts away: choose a box in the "
                  "photo's centre square",
                  what, n[0], n[1], n[2], n[3]);
}
