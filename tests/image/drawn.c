/* SPDX-License-Identifier: Apache-2.0
 * drawn.c - see drawn.h. */
#include "drawn.h"

#include <math.h>

msk_prepare_options options(msk_fit fit, msk_invert invert, msk_photo photo) {
  msk_prepare_options o;
  msk_prepare_init(&o);
  o.fit = fit;
  o.invert = invert;
  o.photo_of_paper = photo;
  return o;
}

msk_image blank(int width, int height, uint8_t value) {
  msk_image image;
  assert_int_equal(msk_image_create(&image, width, height, NULL, NULL), MSK_OK);
  memset(image.pixels, value, (size_t)width * (size_t)height * 3);
  return image;
}

msk_image prepared(const msk_image *in, int width, int height, msk_prepare_options o) {
  msk_image out;
  msk_error error = {0};
  if (msk_image_prepare(&out, in, width, height, &o, NULL, &error) != MSK_OK)
    fail_msg("%s", error.message);
  assert_int_equal(out.width, width);
  assert_int_equal(out.height, height);
  return out;
}

uint8_t *pixel(const msk_image *image, int x, int y) {
  return image->pixels + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
}

bool same(const msk_image *a, const msk_image *b) {
  return a->width == b->width && a->height == b->height &&
         memcmp(a->pixels, b->pixels, (size_t)a->width * (size_t)a->height * 3) == 0;
}

/* ---- Drawings ---- */

/* Distance from (x, y) to the segment. */
static double distance(double x, double y, const double s[4]) {
  double dx = s[2] - s[0], dy = s[3] - s[1],
         t = ((x - s[0]) * dx + (y - s[1]) * dy) / (dx * dx + dy * dy);
  t = t < 0 ? 0 : t > 1 ? 1 : t;
  double across = x - s[0] - t * dx, down = y - s[1] - t * dy;
  return sqrt(across * across + down * down); /* in the unit square: hypot() would only be slow */
}

double ink(double x, double y, double thickness, double side) {
  static const double lines[][4] = {{.2, .45, .2, .85},  {.2, .85, .8, .85},  {.8, .85, .8, .45},
                                    {.15, .47, .5, .15}, {.5, .15, .85, .47}, {.45, .85, .45, .6},
                                    {.45, .6, .6, .6},   {.6, .6, .6, .85},   {.28, .5, .38, .62},
                                    {.28, .62, .38, .5}, {.65, .28, .65, .18}};
  double nearest = 1e9, reach = thickness / 2 + 1 / side;
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    const double *s = lines[i];
    if ((x < s[0] - reach && x < s[2] - reach) || (x > s[0] + reach && x > s[2] + reach) ||
        (y < s[1] - reach && y < s[3] - reach) || (y > s[1] + reach && y > s[3] + reach))
      continue; /* too far to cover anything */
    double here = distance(x, y, s);
    nearest = here < nearest ? here : nearest;
  }
  double coverage = (thickness / 2 - nearest) * side + 0.5;
  return coverage < 0 ? 0 : coverage > 1 ? 1 : coverage;
}

msk_image drawing(int width, int height, double thickness, double paper, double pen) {
  msk_image image = blank(width, height, 255);
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      double covered = ink((x + 0.5) / width, (y + 0.5) / height, thickness, width);
      memset(pixel(&image, x, y), (int)(paper + (pen - paper) * covered + 0.5), 3);
    }
  }
  return image;
}

/* Normal noise comes from a table, four values from one random number. */
enum { NOISE = 1 << 16 };
static float noise[NOISE];

static void fill_noise(void) {
  uint64_t random = 1;
  if (noise[0] != 0) return;
  for (int i = 0; i < NOISE; i++) {
    float sum = -6;
    for (int k = 0; k < 12; k++) sum += test_uniform(&random, 0, 1);
    noise[i] = sum;
  }
}

void photograph(msk_image *image, camera c, uint64_t seed) {
  static const double tint[3] = {1.0, 0.95, 0.83};
  fill_noise();
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++) {
      double u = (double)x / image->width, v = (double)y / image->height;
      double light = 0.95 - c.fall_off * (u + v) / 2, side = (0.9 * u + 0.4 * v - 0.7) / c.edge;
      light *= 1 - c.shadow / (1 + exp(-4 * side));
      uint64_t random = test_random(&seed);
      double grain = c.grain * (double)noise[random % NOISE];
      for (int k = 0; k < 3; k++) {
        random /= NOISE;
        double value = pixel(image, x, y)[k] * light * tint[k] + grain +
                       0.3 * c.grain * (double)noise[random % NOISE];
        pixel(image, x, y)[k] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5);
      }
    }
  }
}

double overlap(const msk_image *out, double thickness, double margin, int *background) {
  int both = 0, either = 0;
  *background = 255;
  for (int y = 0; y < out->height; y++) {
    for (int x = 0; x < out->width; x++) {
      double u = (x + 0.5) / out->width, v = (y + 0.5) / out->height;
      bool truth = ink(u, v, thickness, out->width) >= 0.5, found = pixel(out, x, y)[1] < 128;
      both += truth && found;
      either += truth || found;
      if (ink(u, v, thickness + 2 * margin / out->width, out->width) == 0 &&
          pixel(out, x, y)[1] < *background)
        *background = pixel(out, x, y)[1];
    }
  }
  return (double)both / either;
}
