/* SPDX-License-Identifier: Apache-2.0
 *
 * Preparing sketches: the default against Pillow's pixels; fitting, turning over and cleaning on
 * drawings made here, whose lines are known. */
#include "drawn.h"

#include <limits.h>

#include "masksketch_tools.h"

/* ---- The default ---- */

static void the_default_is_pillows_resize(void **state) {
  (void)state;
  static const char *const names[] = {"r00_down_512x384", "r01_wide_300x200", "r02_tall_200x300",
                                      "r03_noise_57x91",  "r04_one_1x1",      "r07_odd_101x77",
                                      "r08_same_256x256", "r11_big_1023x511", "r12_verytall_97x640",
                                      "r14_noise_300x290"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    msk_image in, expected;
    assert_int_equal(msk_image_load(&in, golden_path("image/resize/%s.png", names[i]),
                                    MSK_ALPHA_DROP, NULL, NULL),
                     MSK_OK);
    assert_int_equal(
        msk_image_load(&expected, golden_path("image/resize/%s.bicubic.out.png", names[i]),
                       MSK_ALPHA_DROP, NULL, NULL),
        MSK_OK);
    msk_image out =
        prepared(&in, SIDE, SIDE, options(MSK_FIT_STRETCH, MSK_INVERT_NO, MSK_PHOTO_NO));
    assert_true(same(&out, &expected));
    msk_image_free(&out);
    msk_image_free(&expected);
    msk_image_free(&in);
  }
  msk_image sketch = drawing(300, 200, 0.02, 255, 0),
            plain = prepared(&sketch, SIDE, SIDE,
                             options(MSK_FIT_STRETCH, MSK_INVERT_NO, MSK_PHOTO_NO)),
            out;
  assert_int_equal(msk_image_prepare(&out, &sketch, SIDE, SIDE, NULL, NULL, NULL), MSK_OK);
  assert_true(same(&out, &plain));
  msk_image_free(&out);
  msk_image_free(&plain);
  msk_image_free(&sketch);
}

/* ---- Fitting ---- */

static void padding_keeps_the_shape_on_paper(void **state) {
  (void)state;
  static const uint8_t paper[3] = {240, 230, 210};
  static const struct {
    int width, height, left, top, inner_width, inner_height;
  } cases[] = {{300, 200, 0, 42, 256, 171},
               {200, 300, 42, 0, 171, 256},
               {1000, 1, 0, 127, 256, 1},
               {1, 1000, 127, 0, 1, 256},
               {64, 64, 0, 0, 256, 256}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    msk_image in = blank(cases[i].width, cases[i].height, 0);
    for (int y = 0; y < in.height; y++) {
      for (int x = 0; x < in.width; x++) memcpy(pixel(&in, x, y), paper, 3);
    }
    if (in.width > 2 && in.height > 2) memset(pixel(&in, in.width / 2, in.height / 2), 0, 3);
    msk_image inner = prepared(&in, cases[i].inner_width, cases[i].inner_height,
                               options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, MSK_PHOTO_NO));
    msk_image out = prepared(&in, SIDE, SIDE, options(MSK_FIT_PAD, MSK_INVERT_AUTO, MSK_PHOTO_NO));
    for (int y = 0; y < SIDE; y++) {
      for (int x = 0; x < SIDE; x++) {
        int ix = x - cases[i].left, iy = y - cases[i].top;
        bool inside = ix >= 0 && iy >= 0 && ix < inner.width && iy < inner.height;
        assert_memory_equal(pixel(&out, x, y), inside ? pixel(&inner, ix, iy) : paper, 3);
      }
    }
    msk_image_free(&in);
    msk_image_free(&inner);
    msk_image_free(&out);
  }
}

static void cropping_takes_the_centre(void **state) {
  (void)state;
  static const struct {
    int width, height, out_width, out_height, left, top, cut_width, cut_height;
  } cases[] = {{300, 200, 256, 256, 50, 0, 200, 200},
               {200, 301, 256, 256, 0, 50, 200, 200},
               {90, 90, 256, 256, 0, 0, 90, 90},
               {400, 100, 200, 100, 100, 0, 200, 100},
               {1000, 1, 256, 256, 499, 0, 1, 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    msk_image in = drawing(cases[i].width, cases[i].height, 0.03, 255, 10),
              cut = blank(cases[i].cut_width, cases[i].cut_height, 0);
    for (int y = 0; y < cut.height; y++) {
      for (int x = 0; x < cut.width; x++)
        memcpy(pixel(&cut, x, y), pixel(&in, cases[i].left + x, cases[i].top + y), 3);
    }
    msk_image expected = prepared(&cut, cases[i].out_width, cases[i].out_height,
                                  options(MSK_FIT_STRETCH, MSK_INVERT_NO, MSK_PHOTO_NO));
    msk_image out = prepared(&in, cases[i].out_width, cases[i].out_height,
                             options(MSK_FIT_CROP, MSK_INVERT_NO, MSK_PHOTO_NO));
    assert_true(same(&out, &expected));
    msk_image_free(&in);
    msk_image_free(&cut);
    msk_image_free(&expected);
    msk_image_free(&out);
  }
}

/* ---- Turning over ---- */

/* Whether the automatic choice turns the picture over: it then differs from the untouched one. */
static bool turned(const msk_image *in) {
  msk_image automatic =
      prepared(in, SIDE, SIDE, options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, MSK_PHOTO_NO));
  msk_image never = prepared(in, SIDE, SIDE, options(MSK_FIT_STRETCH, MSK_INVERT_NO, MSK_PHOTO_NO));
  msk_image always =
      prepared(in, SIDE, SIDE, options(MSK_FIT_STRETCH, MSK_INVERT_YES, MSK_PHOTO_NO));
  bool is_always = same(&automatic, &always), is_never = same(&automatic, &never);
  assert_true(is_always != is_never);
  msk_image_free(&automatic);
  msk_image_free(&never);
  msk_image_free(&always);
  return is_always;
}

static void light_on_dark_is_found(void **state) {
  (void)state;
  static const double thicknesses[] = {0.004, 0.01, 0.03, 0.06};
  for (size_t t = 0; t < 4; t++) {
    static const struct {
      double paper, pen;
      bool turn;
      /* underexposed paper */
    } cases[] = {{255, 0, false},  {255, 200, false}, {200, 60, false},
                 {140, 20, false}, {100, 10, false},  {0, 255, true},
                 {30, 230, true},  {60, 140, true},   {100, 250, true}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
      msk_image in = drawing(400, 400, thicknesses[t], cases[c].paper, cases[c].pen);
      if (turned(&in) != cases[c].turn)
        fail_msg("%g on %g, thickness %g: %s turned over", cases[c].pen, cases[c].paper,
                 thicknesses[t], cases[c].turn ? "not" : "wrongly");
      msk_image_free(&in);
    }
  }
}

static void shadows_on_paper_are_not_turned_over(void **state) {
  (void)state;
  uint64_t seed = 11;
  for (int i = 0; i < 12; i++) {
    msk_image in = drawing(300, 400, i % 2 ? 0.01 : 0.025, 235, 60);
    photograph(&in, (camera){0.1 * (i % 5), 0.15 * (i % 6), i % 3 ? 0.3 : 0.05, 2 + i % 4}, seed++);
    assert_false(turned(&in));
    msk_image_free(&in);
    in = drawing(300, 400, 0.025, 40, 220); /* a blackboard in the same light */
    photograph(&in, (camera){0.1 * (i % 5), 0.1 * (i % 6), 0.3, 2}, seed++);
    assert_true(turned(&in));
    msk_image_free(&in);
  }
}

/* A filled shape has no thin structures; its ground decides. */
static void filled_shapes_go_by_their_ground(void **state) {
  (void)state;
  for (int light = 0; light < 2; light++) {
    msk_image in = blank(256, 256, light ? 0 : 255);
    for (int y = 60; y < 200; y++) memset(pixel(&in, 50, y), light ? 255 : 0, 3 * 140);
    assert_int_equal(turned(&in), light);
    msk_image_free(&in);
  }
}

static void a_negative_gives_the_same_sketch(void **state) {
  (void)state;
  msk_image in = drawing(SIDE, SIDE, 0.02, 255, 30), negative = blank(SIDE, SIDE, 0);
  for (size_t i = 0; i < 3 * SIDE * SIDE; i++) negative.pixels[i] = (uint8_t)(255 - in.pixels[i]);
  msk_image a = prepared(&in, SIDE, SIDE, options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, MSK_PHOTO_NO));
  msk_image b =
      prepared(&negative, SIDE, SIDE, options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, MSK_PHOTO_NO));
  assert_true(same(&a, &b));
  assert_true(same(&a, &in));
  msk_image board = drawing(SIDE, SIDE, 0.02, 30, 230),
            c = prepared(&board, SIDE, SIDE, options(MSK_FIT_PAD, MSK_INVERT_AUTO, MSK_PHOTO_NO));
  /* grey ground becomes white paper */
  for (int c3 = 0; c3 < 3; c3++) assert_int_equal(pixel(&c, 3, 3)[c3], 255);
  msk_image_free(&a);
  msk_image_free(&b);
  msk_image_free(&c);
  msk_image_free(&in);
  msk_image_free(&negative);
  msk_image_free(&board);
}

static void an_empty_sketch_stays_white(void **state) {
  (void)state;
  msk_image in = blank(100, 70, 255);
  for (int fit = 0; fit < 4; fit++) {
    for (int photo = 0; photo < 3; photo++) {
      msk_image out =
          prepared(&in, SIDE, SIDE, options((msk_fit)fit, MSK_INVERT_AUTO, (msk_photo)photo));
      for (size_t i = 0; i < 3 * SIDE * SIDE; i++) assert_int_equal(out.pixels[i], 255);
      msk_image_free(&out);
    }
  }
  msk_image_free(&in);
  in = blank(700, 500, 225); /* a sheet with nothing on it, photographed */
  photograph(&in, (camera){0.4, 0.4, 0.3, 4}, 5);
  msk_image out =
      prepared(&in, SIDE, SIDE, options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, MSK_PHOTO_YES));
  for (size_t i = 0; i < 3 * SIDE * SIDE; i++) assert_int_equal(out.pixels[i], 255);
  msk_image_free(&out);
  msk_image_free(&in);
}

/* ---- Photos of paper ---- */

/* A line of 5 pixels that is found half a pixel too wide or too narrow on either side has 4/5 =
 * 0.8; chance is below 0.1. */
static void photographed_lines_are_kept(void **state) {
  (void)state;
  static const struct {
    int width, height;
    double thickness, pen;
    camera camera;
  } cases[] = {
      {512, 512, 0.02, 40, {0, 0, 1, 2}},          {1200, 1200, 0.02, 40, {0.5, 0, 1, 4}},
      {1200, 900, 0.02, 60, {0.3, 0.55, 0.3, 4}},  {2000, 2000, 0.02, 90, {0.4, 0.5, 0.1, 6}},
      {1500, 2000, 0.02, 120, {0.2, 0.5, 0.3, 3}}, {300, 300, 0.02, 50, {0.4, 0.3, 0.3, 3}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    msk_image in = drawing(cases[i].width, cases[i].height, cases[i].thickness, 230, cases[i].pen);
    photograph(&in, cases[i].camera, i);
    msk_image out = prepared(&in, SIDE, SIDE,
                             options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, MSK_PHOTO_YES)),
              plain = prepared(&in, SIDE, SIDE,
                               options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, MSK_PHOTO_NO));
    int background, plain_background;
    double iou = overlap(&out, cases[i].thickness, 2.5, &background),
           plain_iou = overlap(&plain, cases[i].thickness, 2.5, &plain_background);
    print_message("  photo %zu: lines %.3f (without cleaning %.3f), background %d (%d)\n", i, iou,
                  plain_iou, background, plain_background);
    if (iou < 0.8) fail_msg("photo %zu: lines overlap by %.3f only", i, iou);
    if (background < 240) fail_msg("photo %zu: background as dark as %d", i, background);
    msk_image_free(&in);
    msk_image_free(&out);
    msk_image_free(&plain);
  }
}

static void thin_and_faint_lines_are_kept(void **state) {
  (void)state;
  msk_image in = drawing(1600, 1600, 0.005, 230, 150);
  photograph(&in, (camera){0.3, 0.4, 0.3, 2.5}, 77);
  msk_image out =
      prepared(&in, SIDE, SIDE, options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, MSK_PHOTO_YES));
  int drawn = 0, kept = 0;
  for (int y = 0; y < SIDE; y++) {
    for (int x = 0; x < SIDE; x++) {
      if (ink((x + 0.5) / SIDE, (y + 0.5) / SIDE, 0.005, SIDE) < 0.9) continue;
      drawn++;
      kept += pixel(&out, x, y)[0] < 128;
    }
  }
  assert_true(drawn > 300);
  print_message("  faint: %d of %d\n", kept, drawn);
  assert_true(kept > drawn * 95 / 100);
  msk_image_free(&in);
  msk_image_free(&out);
}

/* Coloured pencils count as lines, filled ink stays filled. */
static void colours_and_fillings_are_kept(void **state) {
  (void)state;
  static const uint8_t pencils[3][3] = {{220, 60, 60}, {60, 90, 210}, {240, 210, 60}};
  msk_image in = blank(1000, 1000, 235);
  for (int p = 0; p < 3; p++) {
    for (int y = 100; y < 900; y++) {
      for (int x = 0; x < 12; x++) memcpy(pixel(&in, 100 + 150 * p + x, y), pencils[p], 3);
    }
  }
  for (int y = 300; y < 700; y++) memset(pixel(&in, 600, y), 20, 3 * 250);
  photograph(&in, (camera){0.3, 0.4, 0.3, 2.5}, 3);
  msk_image out = prepared(&in, 500, 500, options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, MSK_PHOTO_YES));
  for (int p = 0; p < 3; p++) assert_true(pixel(&out, 53 + 75 * p, 250)[0] < 128);
  for (int y = 160; y < 340; y += 10) {
    for (int x = 310; x < 415; x += 10) assert_true(pixel(&out, x, y)[0] < 128);
  }
  for (int y = 10; y < 490; y += 10) assert_true(pixel(&out, 280, y)[0] > 240);
  msk_image_free(&in);
  msk_image_free(&out);
}

static void a_blackboard_is_cleaned_too(void **state) {
  (void)state;
  msk_image in = drawing(900, 900, 0.02, 45, 215);
  photograph(&in, (camera){0.2, 0.2, 0.3, 2}, 4);
  msk_image out =
      prepared(&in, SIDE, SIDE, options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, MSK_PHOTO_YES));
  int background;
  double iou = overlap(&out, 0.02, 2.5, &background);
  print_message("  blackboard: lines %.3f, background %d\n", iou, background);
  assert_true(iou >= 0.8 && background >= 240);
  msk_image_free(&in);
  msk_image_free(&out);
}

static void extreme_shapes_are_prepared(void **state) {
  (void)state;
  static const struct {
    int width, height;
  } sizes[] = {{1, 1}, {1, 2}, {5, 3}, {7, 7}, {1, 3000}, {3000, 2}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    for (int i = 0; i < 36; i++) {
      msk_image in = drawing(sizes[s].width, sizes[s].height, 0.2, 20, 230);
      msk_image out = prepared(
          &in, 33, 17, options((msk_fit)(i % 4), (msk_invert)(i / 4 % 3), (msk_photo)(i / 12)));
      msk_image_free(&in);
      msk_image_free(&out);
    }
  }
}

static void wrong_requests_are_refused(void **state) {
  (void)state;
  msk_image in = blank(4, 4, 255), out = {.width = 3}, none = {0};
  msk_prepare_options good = options(MSK_FIT_PAD, MSK_INVERT_AUTO, MSK_PHOTO_NO), o = good;
  msk_error error;
  assert_int_equal(msk_image_prepare(&out, NULL, 8, 8, &good, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_prepare(&out, &none, 8, 8, &good, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_prepare(NULL, &in, 8, 8, &good, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_prepare(&out, &in, 0, 8, &good, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_prepare(&out, &in, 8, -8, &good, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_prepare(&out, &in, 8001, 8000, &good, NULL, &error),
                   MSK_ERROR_ARGUMENT);
  o.size = 4;
  assert_int_equal(msk_image_prepare(&out, &in, 8, 8, &o, NULL, &error), MSK_ERROR_ARGUMENT);
  o = good, o.fit = (msk_fit)7;
  assert_int_equal(msk_image_prepare(&out, &in, 8, 8, &o, NULL, &error), MSK_ERROR_ARGUMENT);
  o = good, o.invert = (msk_invert)-1;
  assert_int_equal(msk_image_prepare(&out, &in, 8, 8, &o, NULL, &error), MSK_ERROR_ARGUMENT);
  o = good, o.photo_of_paper = (msk_photo)3;
  assert_int_equal(msk_image_prepare(&out, &in, 8, 8, &o, NULL, &error), MSK_ERROR_ARGUMENT);
  assert_int_equal(out.width, 3);
  msk_image_free(&in);
}

/* ---- A wider frame ---- */

static msk_image noise(int width, int height) {
  uint64_t random = 9;
  msk_image image = blank(width, height, 0);
  for (int i = 0; i < 3 * width * height; i++) image.pixels[i] = (uint8_t)test_random(&random);
  return image;
}

static int nearest(int at, int before, int length) {
  if (at < before) return 0;
  return at < before + length ? at - before : length - 1;
}

/* The photo stands where it was, and around it the nearest of its pixels. At a side of as many
 * pixels as the wide picture has, the mask is white on just those that the photo has not. */
static void a_photo_is_extended_by_its_edge(void **state) {
  (void)state;
  static const msk_margins around[] = {
      {3, 5, 9, 7}, {0, 0, 12, 12}, {12, 0, 0, 12}, {0, 12, 12, 0}};
  for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
    const msk_margins *m = &around[i];
    msk_image photo = noise(20, 20), wide, mask;
    assert_int_equal(msk_image_extend(&wide, &mask, &photo, m, 32, MSK_FIT_STRETCH, NULL, NULL),
                     MSK_OK);
    assert_int_equal(wide.width, 32);
    assert_int_equal(wide.height, 32);
    for (int y = 0; y < 32; y++) {
      for (int x = 0; x < 32; x++) {
        const int from_x = nearest(x, m->left, 20), from_y = nearest(y, m->top, 20);
        const bool is_photo = from_x == x - m->left && from_y == y - m->top;
        assert_memory_equal(pixel(&wide, x, y), pixel(&photo, from_x, from_y), 3);
        for (int c = 0; c < 3; c++) assert_int_equal(pixel(&mask, x, y)[c], is_photo ? 0 : 255);
      }
    }
    msk_image_free(&photo);
    msk_image_free(&wide);
    msk_image_free(&mask);
  }
}

/* Of a wide frame crop takes the centre square, whose margins are other ones. */
static void a_mask_goes_where_its_photo_goes(void **state) {
  (void)state;
  msk_image photo = noise(20, 20), wide, mask;
  const msk_margins sides = {0, 10, 0, 20}; /* 50 x 20; the square begins at 15 */
  assert_int_equal(msk_image_extend(&wide, &mask, &photo, &sides, 40, MSK_FIT_CROP, NULL, NULL),
                   MSK_OK);
  for (int x = 0; x < 40; x++) assert_int_equal(pixel(&mask, x, 7)[0], x < 30 ? 0 : 255);
  msk_image_free(&wide);
  msk_image_free(&mask);
  assert_int_equal(msk_image_extend(&wide, &mask, &photo, &sides, 50, MSK_FIT_STRETCH, NULL, NULL),
                   MSK_OK);
  for (int x = 0; x < 50; x++) assert_int_equal(pixel(&mask, x, 7)[0], x < 10 || x >= 30 ? 255 : 0);
  msk_image_free(&wide);
  msk_image_free(&mask);
  msk_image_free(&photo);
}

static void wrong_frames_are_refused(void **state) {
  (void)state;
  static const msk_margins wrong[] = {
      {0, 0, 0, 0}, {-1, 0, 0, 2}, {0, 0, 0, -1}, {INT_MAX, 0, 1, 0}, {8000, 0, 0, 8000}};
  const msk_margins good = {1, 0, 0, 0};
  msk_image photo = noise(4, 4), none = {0}, out = {.width = 3}, mask = {.width = 3};
  msk_error error;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(
        msk_image_extend(&out, &mask, &photo, &wrong[i], 8, MSK_FIT_CROP, NULL, &error),
        MSK_ERROR_ARGUMENT);
    assert_string_equal(error.field, "margins");
  }
  for (int fit = -1; fit < 5; fit++) {
    if (fit == MSK_FIT_STRETCH || fit == MSK_FIT_CROP) continue;
    assert_int_equal(msk_image_extend(&out, &mask, &photo, &good, 8, (msk_fit)fit, NULL, &error),
                     MSK_ERROR_ARGUMENT);
    assert_string_equal(error.field, "fit");
  }
  assert_int_equal(msk_image_extend(&out, &mask, &none, &good, 8, MSK_FIT_CROP, NULL, &error),
                   MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_extend(&out, NULL, &photo, &good, 8, MSK_FIT_CROP, NULL, &error),
                   MSK_ERROR_ARGUMENT);
  assert_int_equal(msk_image_extend(&out, &mask, &photo, &good, 0, MSK_FIT_CROP, NULL, &error),
                   MSK_ERROR_ARGUMENT);
  for (long i = 1; i <= 2; i++) { /* the wide picture, then the mask */
    counting_allocator counting;
    counting_allocator_init(&counting);
    counting.fail_at = i;
    assert_int_equal(
        msk_image_extend(&out, &mask, &photo, &good, 8, MSK_FIT_CROP, &counting.allocator, &error),
        MSK_ERROR_MEMORY);
    assert_int_equal(counting.live, 0);
  }
  assert_int_equal(out.width, 3);
  assert_int_equal(mask.width, 3);
  msk_image_free(&photo);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_default_is_pillows_resize),
      cmocka_unit_test(padding_keeps_the_shape_on_paper),
      cmocka_unit_test(cropping_takes_the_centre),
      cmocka_unit_test(light_on_dark_is_found),
      cmocka_unit_test(shadows_on_paper_are_not_turned_over),
      cmocka_unit_test(filled_shapes_go_by_their_ground),
      cmocka_unit_test(a_negative_gives_the_same_sketch),
      cmocka_unit_test(an_empty_sketch_stays_white),
      cmocka_unit_test(photographed_lines_are_kept),
      cmocka_unit_test(thin_and_faint_lines_are_kept),
      cmocka_unit_test(colours_and_fillings_are_kept),
      cmocka_unit_test(a_blackboard_is_cleaned_too),
      cmocka_unit_test(extreme_shapes_are_prepared),
      cmocka_unit_test(wrong_requests_are_refused),
      cmocka_unit_test(a_photo_is_extended_by_its_edge),
      cmocka_unit_test(a_mask_goes_where_its_photo_goes),
      cmocka_unit_test(wrong_frames_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
