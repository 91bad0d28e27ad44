/* SPDX-License-Identifier: Apache-2.0
 *
 * test_image_paper.c - what people draw on: tinted paper, boards, photographed sheets, ruled,
 * squared and dotted paper, transparency; small drawings; pictures that are no drawings. The
 * house of drawn.h is drawn on all of them, so that its lines are known. */
#include "drawn.h"
#include "image/paper.h"
#include "image/sketch.h"
#include "masksketch_tools.h"

#include <math.h>

static const msk_photo AUTO = MSK_PHOTO_AUTO;

static msk_prepare_options usual(msk_photo photo) {
  return options(MSK_FIT_STRETCH, MSK_INVERT_AUTO, photo);
}

/* A house of `pen` on `paper`, both in colour. */
static msk_image coloured(int side, double thickness, const int paper[3], const int pen[3]) {
  msk_image image = blank(side, side, 255);
  for (int y = 0; y < side; y++) {
    for (int x = 0; x < side; x++) {
      double covered = ink((x + 0.5) / side, (y + 0.5) / side, thickness, side);
      for (int c = 0; c < 3; c++)
        pixel(&image, x, y)[c] = (uint8_t)(paper[c] + (pen[c] - paper[c]) * covered + 0.5);
    }
  }
  return image;
}

/* The lines are there, the paper is white. 5 pixels found half a pixel too wide are 0.8. */
static void expect_house(const msk_image *in, double thickness, msk_photo photo, double least,
                         const char *what) {
  msk_image out = prepared(in, SIDE, SIDE, usual(photo));
  int background;
  double iou = overlap(&out, thickness, 2.5, &background);
  print_message("  %s (%s): lines %.3f, background %d\n", what, msk_photo_name((int)photo), iou,
                background);
  if (iou < least) fail_msg("%s: lines overlap by %.3f only", what, iou);
  if (background < 230) fail_msg("%s: background as dark as %d", what, background);
  msk_image_free(&out);
}

/* Nothing is done to the paper. */
static void expect_untouched(const msk_image *in) {
  msk_image automatic = prepared(in, SIDE, SIDE, usual(AUTO)),
            plain = prepared(in, SIDE, SIDE, usual(MSK_PHOTO_NO));
  assert_true(same(&automatic, &plain));
  msk_image_free(&automatic);
  msk_image_free(&plain);
}

/* ---- Paper that is not white ---- */

static void tinted_paper_becomes_white(void **state) {
  (void)state;
  static const int papers[][3] = {{246, 238, 220}, {181, 142, 98},  {168, 168, 170},
                                  {190, 210, 235}, {245, 200, 205}, {235, 235, 235},
                                  {255, 235, 0},   {250, 240, 20},  {230, 60, 50}};
  static const int pen[3] = {30, 28, 30};
  for (size_t i = 0; i < sizeof papers / sizeof *papers; i++) {
    msk_image in = coloured(512, 0.02, papers[i], pen);
    expect_house(&in, 0.02, AUTO, 0.8, "tinted paper");
    msk_image out = prepared(&in, SIDE, SIDE, usual(AUTO)),
              plain = prepared(&in, SIDE, SIDE, usual(MSK_PHOTO_NO));
    for (int c = 0; c < 3; c++) {
      assert_int_equal(pixel(&out, 3, 3)[c], 255);
      assert_int_equal(pixel(&plain, 3, 3)[c],
                       papers[i][c]); /* as it is, where that is asked for */
    }
    msk_image_free(&in);
    msk_image_free(&out);
    msk_image_free(&plain);
  }
}

static void light_lines_are_turned_over_on_any_ground(void **state) {
  (void)state;
  static const int grounds[][3] = {{40, 90, 60},   {30, 30, 30},    {150, 150, 150},
                                   {181, 142, 98}, {120, 180, 130}, {200, 120, 120},
                                   {0, 0, 255},    {30, 60, 140},   {0, 160, 0},
                                   {200, 30, 30},  {120, 20, 160}};
  static const int chalk[3] = {250, 250, 245};
  for (size_t i = 0; i < sizeof grounds / sizeof *grounds; i++) {
    msk_image in = coloured(512, 0.02, grounds[i], chalk);
    expect_house(&in, 0.02, AUTO, 0.8, "light lines");
    msk_image out = prepared(&in, SIDE, SIDE, usual(AUTO));
    for (int c = 0; c < 3; c++) assert_true(pixel(&out, 3, 3)[c] >= 250);
    msk_image_free(&out);
    msk_image_free(&in);
  }
}

/* Drawings on white are the resized picture, byte for byte, whatever else is on them. */
static void white_paper_is_left_alone(void **state) {
  (void)state;
  static const double thicknesses[] = {0.004, 0.02, 0.06};
  for (size_t i = 0; i < 3; i++) {
    msk_image in = drawing(600, 500, thicknesses[i], 255, 60);
    for (int y = 250; y < 300; y++) {
      for (int x = 250; x < 350; x++) memcpy(pixel(&in, x, y), (uint8_t[]){200, 60, 40}, 3);
    }
    expect_untouched(&in);
    msk_image_free(&in);
  }
}

static void photographs_are_found(void **state) {
  (void)state;
  static const camera cameras[] = {
      {0.5, 0, 1, 4}, {0.3, 0.55, 0.3, 4}, {0.2, 0.5, 0.15, 3}, {0.4, 0.3, 0.3, 2}};
  for (size_t i = 0; i < sizeof cameras / sizeof *cameras; i++) {
    msk_image in = drawing(1000, 1000, 0.02, 230, 50);
    photograph(&in, cameras[i], i);
    msk_image automatic = prepared(&in, SIDE, SIDE, usual(AUTO)),
              asked = prepared(&in, SIDE, SIDE, usual(MSK_PHOTO_YES));
    assert_true(same(&automatic, &asked));
    msk_image_free(&automatic);
    msk_image_free(&asked);
    expect_house(&in, 0.02, AUTO, 0.8, "photo");
    msk_image_free(&in);
  }
}

/* ---- Frames ---- */

/* Along the border, `inset` pixels off it; its inner edge may lie between two pixels. */
static void frame(msk_image *image, double inset, double width, const int colour[3]) {
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++) {
      double across = fmin(fmin(x, image->width - 1 - x), fmin(y, image->height - 1 - y)) - inset;
      double covered = across < 0 ? 0 : fmax(0, fmin(1, width - across));
      for (int c = 0; c < 3; c++) {
        uint8_t *value = &pixel(image, x, y)[c];
        *value = (uint8_t)(*value + (colour[c] - *value) * covered + 0.5);
      }
    }
  }
}

static msk_sketch_kind kind_of(const msk_image *in);

/* The picture is what it would be without the frame. */
static void a_frame_is_no_ink(void **state) {
  (void)state;
  static const struct {
    int paper[3], pen[3], frame[3];
  } sheets[] = {{{255, 255, 255}, {20, 20, 20}, {0, 0, 0}},
                {{255, 255, 255}, {20, 20, 20}, {128, 128, 128}},
                {{240, 225, 190}, {60, 40, 20}, {20, 40, 160}},
                {{255, 235, 0}, {0, 0, 0}, {0, 0, 0}},
                {{20, 20, 20}, {240, 240, 240}, {240, 240, 240}},
                {{40, 90, 60}, {250, 250, 245}, {170, 120, 70}}};
  static const double widths[] = {1, 2.5, 8, 20, 40};
  for (size_t i = 0; i < sizeof sheets / sizeof *sheets; i++) {
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++) {
      msk_image in = coloured(512, 0.02, sheets[i].paper, sheets[i].pen);
      frame(&in, 0, widths[k], sheets[i].frame);
      expect_house(&in, 0.02, AUTO, 0.8, "framed");
      assert_int_equal(kind_of(&in), MSK_SKETCH_DRAWING);
      msk_image_free(&in);
    }
  }
}

/* A box that is drawn and a line along one border stay. */
static void drawn_boxes_are_no_frames(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    msk_image in = drawing(512, 512, 0.02, 255, 20);
    if (i == 0) frame(&in, 15, 6, (const int[3]){0, 0, 0});
    if (i == 1) memset(in.pixels, 0, (size_t)512 * 3 * 12);
    expect_untouched(&in);
    msk_image_free(&in);
  }
}

/* ---- Along one border ---- */

/* How far off a border (top, bottom, left, right), and how far along it. */
static void from_border(const msk_image *image, int side, int x, int y, double *off,
                        double *along) {
  const int offs[] = {y, image->height - 1 - y, x, image->width - 1 - x};
  *off = offs[side];
  *along = side < 2 ? x : y;
}

/* A scan's or a fold's edge: darkest at the border, softly lighter. */
static void shade(msk_image *image, int side, double depth, double width) {
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++) {
      double off, along, light;
      from_border(image, side, x, y, &off, &along);
      light = 1 - depth * exp(-off / width);
      for (int c = 0; c < 3; c++)
        pixel(image, x, y)[c] = (uint8_t)(pixel(image, x, y)[c] * light + 0.5);
    }
  }
}

/* Round holes in a row, `off` pixels off the border; `least` to `most` of them along it. */
static void punch(msk_image *image, int side, double off, double spacing, double radius,
                  double least, double most) {
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++) {
      double away, along, centre;
      from_border(image, side, x, y, &away, &along);
      centre = (floor(along / spacing) + 0.5) * spacing;
      if (along >= least * 512 && along < most * 512 && hypot(away - off, along - centre) < radius)
        memset(pixel(image, x, y), 60, 3);
    }
  }
}

static void a_dark_edge_is_no_ink(void **state) {
  (void)state;
  static const int paper[3] = {246, 244, 240}, white[3] = {255, 255, 255}, pen[3] = {20, 20, 20};
  for (int i = 0; i < 8; i++) {
    msk_image in = coloured(512, 0.02, i % 2 == 0 ? paper : white, pen);
    shade(&in, i / 2, 0.3 + 0.08 * i, i < 4 ? 4 : 11);
    expect_house(&in, 0.02, AUTO, 0.8, "dark edge");
    if (i > 4) shade(&in, 2, 0.6, 8);
    expect_house(&in, 0.02, AUTO, 0.8, "dark edges");
    msk_image_free(&in);
  }
}

static void holes_are_no_ink(void **state) {
  (void)state;
  static const int papers[][3] = {{255, 255, 255}, {244, 240, 228}}, pen[3] = {20, 20, 20};
  static const double spacings[] = {16, 25, 47};
  for (int i = 0; i < 12; i++) {
    double spacing = spacings[i % 3];
    msk_image in = coloured(512, 0.02, papers[i % 2], pen);
    punch(&in, i / 3, 14, spacing, spacing * 0.25, 0, 1);
    if (i % 2 == 0) photograph(&in, (camera){.fall_off = 0.2, .grain = 2}, 5);
    expect_house(&in, 0.02, AUTO, 0.75, "holes");
    msk_image_free(&in);
  }
}

/* A punch's holes about the middle, `apart` of the border from the first to the last. */
static void punch_few(msk_image *image, int side, int count, double middle, double apart,
                      double radius) {
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++) {
      double away, along;
      from_border(image, side, x, y, &away, &along);
      for (int i = 0; i < count; i++) {
        double centre = 512 * (middle + apart * ((double)i / (count - 1) - 0.5));
        if (hypot(away - 24, along - centre) < radius) memset(pixel(image, x, y), 60, 3);
      }
    }
  }
}

static void a_punchs_holes_are_no_ink(void **state) {
  (void)state;
  static const int papers[][3] = {{255, 255, 255}, {244, 240, 228}}, pen[3] = {20, 20, 20};
  static const double apart[] = {0.27, 0.78, 0.81}; /* of two, three and four holes */
  static const int sides[] = {0, 2, 3};
  for (int i = 0; i < 9; i++) {
    msk_image in = coloured(512, 0.02, papers[i % 2], pen);
    punch_few(&in, sides[i / 3], 2 + i % 3, 0.5, apart[i % 3], 5 + i * 0.7);
    if (i % 2 == 0) photograph(&in, (camera){.fall_off = 0.2, .grain = 2}, 5);
    expect_house(&in, 0.02, AUTO, 0.75, "punched");
    msk_image_free(&in);
  }
}

/* Wheels below, dots that are close, that are off the middle, and that are large. */
static void drawn_discs_are_no_holes(void **state) {
  (void)state;
  static const struct {
    int side;
    double middle, apart, radius;
  } cases[] = {{1, 0.5, 0.3, 7}, {2, 0.5, 0.15, 7}, {2, 0.4, 0.3, 7}, {2, 0.5, 0.3, 15}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    msk_image in = drawing(512, 512, 0.02, 255, 20);
    punch_few(&in, cases[i].side, 2, cases[i].middle, cases[i].apart, cases[i].radius);
    expect_untouched(&in);
    msk_image_free(&in);
  }
}

/* Few dots, dots along a part of the border, and a row of dots further in are drawn. */
static void drawn_dots_are_no_holes(void **state) {
  (void)state;
  static const double rows[][4] = {{14, 100, 0, 1}, {14, 25, 0.1, 0.5}, {90, 25, 0, 1}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    msk_image in = drawing(512, 512, 0.02, 255, 20);
    punch(&in, 2, rows[i][0], rows[i][1], 7, rows[i][2], rows[i][3]);
    expect_untouched(&in);
    msk_image_free(&in);
  }
}

/* White paper that a hand shades in part: darker from a slanted line on, with a soft edge. */
static void half_a_shadow_is_no_ink(void **state) {
  (void)state;
  static const int paper[3] = {253, 253, 252}, pen[3] = {20, 20, 20};
  for (int i = 0; i < 4; i++) {
    msk_image in = coloured(512, 0.02, paper, pen);
    for (int y = 0; y < 512; y++) {
      for (int x = 0; x < 512; x++) {
        double in_shadow = 1 / (1 + exp(-(x - 0.4 * y - 300 + 40 * i) / (4 + 3 * i))),
               light = 1 - in_shadow * (0.25 + 0.06 * i + 0.05 * y / 512);
        for (int c = 0; c < 3; c++)
          pixel(&in, x, y)[c] = (uint8_t)(pixel(&in, x, y)[c] * light + 0.5);
      }
    }
    expect_house(&in, 0.02, AUTO, 0.7, "half in shadow");
    msk_image_free(&in);
  }
}

/* Grey that is filled in up to the border is drawn. */
static void a_grey_fill_is_no_shadow(void **state) {
  (void)state;
  msk_image in = drawing(512, 512, 0.02, 255, 20);
  for (size_t i = (size_t)512 * 430 * 3; i < (size_t)512 * 512 * 3; i++)
    in.pixels[i] = (uint8_t)(in.pixels[i] * 150 / 255);
  expect_untouched(&in);
  msk_image_free(&in);
}

/* ---- Ruling ---- */

typedef struct ruling {
  double spacing, thickness, degrees; /* in pixels */
  bool squares, dots;
  int colour[3];
} ruling;

/* Distance to the nearest multiple of the spacing. */
static double to_line(double at, double spacing) {
  double part = fmod(at, spacing);
  part = part < 0 ? part + spacing : part;
  return fmin(part, spacing - part);
}

/* Printed on the paper, so that ink lies over it. */
static void rule(msk_image *image, ruling r) {
  double turn = r.degrees * 3.14159265358979 / 180;
  for (int y = 0; y < image->height; y++) {
    for (int x = 0; x < image->width; x++) {
      double u = x * cos(turn) + y * sin(turn) + 7.3, v = y * cos(turn) - x * sin(turn) + 5.6;
      double across = to_line(v, r.spacing), along = to_line(u, r.spacing);
      double distance = r.dots ? hypot(across, along) : across;
      if (r.squares) distance = fmin(across, along);
      double covered = r.thickness / 2 - distance + 0.5;
      covered = covered < 0 ? 0 : covered > 1 ? 1 : covered;
      for (int c = 0; c < 3; c++) {
        uint8_t *p = pixel(image, x, y) + c;
        *p = (uint8_t)(*p * (1 - covered * (255 - r.colour[c]) / 255) + 0.5);
      }
    }
  }
}

static const ruling rulings[] = {
    {26, 1, 0, false, false, {205, 215, 240}},   {32, 2, 0, false, false, {140, 170, 220}},
    {40, 2, 2.3, false, false, {150, 180, 225}}, {36, 2, 12, false, false, {110, 110, 120}},
    {22, 1, 0, true, false, {228, 232, 240}},    {30, 2, 0, true, false, {140, 190, 220}},
    {30, 2, 5, true, false, {160, 200, 170}},    {40, 2, -17, true, false, {190, 200, 220}},
    {28, 5, 0, false, true, {170, 170, 175}},    {34, 5, 3, false, true, {140, 140, 150}}};

static void ruling_is_no_ink(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rulings / sizeof *rulings; i++) {
    msk_image in = drawing(800, 800, 0.02, i % 2 ? 255 : 242, 30);
    rule(&in, rulings[i]);
    for (int photo = 0; photo < 2; photo++)
      expect_house(&in, 0.02, (msk_photo)photo, 0.75, "ruled paper");
    if (i % 3 == 1) {
      photograph(&in, (camera){0.25, 0.35, 0.25, 2.5}, i);
      for (int photo = 0; photo < 2; photo++)
        expect_house(&in, 0.02, (msk_photo)photo, 0.75, "ruled paper, photographed");
    }
    msk_image_free(&in);
  }
}

/* French school paper, most of which lies in two shadows: `p` is as light as it gets there. */
static void shade_and_rule(uint8_t p[3], int x, int y) {
  static const int colour[3] = {170, 160, 220};
  double light = 0.9 * (1 - 0.45 / (1 + exp(-25 * (x / 900.0 - 0.35)))) *
                 (1 - 0.4 / (1 + exp(-20 * (y / 900.0 - 0.6))));
  double bold = fmin(to_line(x, 36), to_line(y, 36)), fine = to_line(y, 9);
  double covered = 0.5 + (bold < 1.2 ? 0.8 - bold : 0.4 - fine);
  covered = fmin(fmax(covered, 0), 1);
  for (int c = 0; c < 3; c++)
    p[c] = (uint8_t)(p[c] * (1 - covered * (255 - colour[c]) / 255) * light + 0.5);
}

/* Half dark, and full of light squares; but a board would be dark all over. */
static void squared_paper_in_shadow_is_no_board(void **state) {
  (void)state;
  msk_image in = drawing(900, 900, 0.02, 252, 30);
  bool light_on_dark = false;
  for (int y = 0; y < 900; y++) {
    for (int x = 0; x < 900; x++) shade_and_rule(pixel(&in, x, y), x, y);
  }
  assert_int_equal(msk_sketch_is_light_on_dark(&light_on_dark, &in, NULL, NULL), MSK_OK);
  assert_true(light_on_dark); /* by its lines alone */
  expect_house(&in, 0.02, AUTO, 0.75, "squared paper in shadow");
  msk_image_free(&in);
}

/* Along the floor and the roof of the house a line is no ridge, and is known from its
 * neighbours. */
static void ruling_along_a_stroke_is_no_ink(void **state) {
  (void)state;
  static const struct {
    int side, spacing, thickness, first, grey;
  } cases[] = {{600, 32, 2, 5, 90},   {600, 32, 3, 21, 110}, {700, 40, 2, 25, 100},
               {900, 32, 2, 5, 170},  {700, 32, 2, 13, 120}, {530, 27, 2, 4, 80},
               {800, 35, 3, 20, 140}, {640, 24, 1, 19, 130}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    msk_image in = drawing(cases[i].side, cases[i].side, 0.02, 255, 30);
    for (int y = cases[i].first; y < in.height; y++) {
      if ((y - cases[i].first) % cases[i].spacing >= cases[i].thickness) continue;
      for (int k = 0; k < 3 * in.width; k++) {
        uint8_t *p = pixel(&in, 0, y) + k;
        *p = (uint8_t)(*p * cases[i].grey / 255);
      }
    }
    expect_house(&in, 0.02, AUTO, 0.75, "a line along a stroke");
    msk_image_free(&in);
  }
}

/* ---- What a sheet lies on ---- */

typedef struct lying {
  int width, height;
  double part, left, top, degrees; /* the sheet's side and middle in parts of the width */
  int table[3];
  double shadow, edge; /* of what lies across sheet and table */
} lying;

/* Where a pixel lies on the sheet, in parts of its side. */
static void place_on_sheet(const lying *l, double x, double y, double at[2]) {
  double turn = l->degrees * 3.14159265358979 / 180, dx = x / l->width - l->left,
         dy = y / l->width - l->top;
  at[0] = (dx * cos(turn) + dy * sin(turn)) / l->part + 0.5;
  at[1] = (dy * cos(turn) - dx * sin(turn)) / l->part + 0.5;
}

static bool on_sheet(const double at[2]) {
  return at[0] >= 0 && at[0] <= 1 && at[1] >= 0 && at[1] <= 1;
}

static msk_image lay(const lying *l) {
  msk_image image = blank(l->width, l->height, 235);
  uint64_t random = 6;
  for (int y = 0; y < l->height; y++) {
    for (int x = 0; x < l->width; x++) {
      double at[2], grain = (double)test_uniform(&random, 0.8f, 1.2f);
      place_on_sheet(l, x + 0.5, y + 0.5, at);
      double covered = on_sheet(at) ? ink(at[0], at[1], 0.02, l->part * l->width) : 0;
      for (int c = 0; c < 3; c++)
        pixel(&image, x, y)[c] =
            (uint8_t)(on_sheet(at) ? 235 - 200 * covered : grain * l->table[c]);
    }
  }
  photograph(&image, (camera){0.2, l->shadow, l->edge, 3}, 3);
  return image;
}

static void a_table_is_no_ink(void **state) {
  (void)state;
  static const lying cases[] = {{900, 900, 0.8, 0.5, 0.5, 0, {70, 45, 30}, 0, 1},
                                {900, 800, 0.7, 0.5, 0.45, 6, {40, 40, 45}, 0, 1},
                                {1100, 900, 0.72, 0.6, 0.42, -11, {60, 70, 50}, 0, 1},
                                {700, 700, 0.9, 0.55, 0.55, 2, {30, 25, 25}, 0, 1},
                                {900, 900, 0.8, 0.5, 0.5, 0, {70, 45, 30}, 0.45, 0.4},
                                {900, 800, 0.7, 0.5, 0.45, 6, {40, 40, 45}, 0.55, 0.3},
                                {1100, 900, 0.72, 0.6, 0.42, -11, {60, 70, 50}, 0.5, 0.6},
                                {700, 700, 0.9, 0.55, 0.55, 2, {30, 25, 25}, 0.6, 0.4}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    msk_image in = lay(&cases[i]);
    for (int photo = 0; photo < 2; photo++) {
      msk_image out = prepared(&in, SIDE, SIDE, usual((msk_photo)photo));
      int drawn = 0, both = 0, stray = 0;
      for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
          double at[2];
          place_on_sheet(&cases[i], (x + 0.5) * in.width / SIDE, (y + 0.5) * in.height / SIDE, at);
          bool dark = pixel(&out, x, y)[0]<128, line = ink(at[0], at[1], 0.02, 256)> 0.5;
          drawn += line, both += line && dark;
          stray += dark && ink(at[0], at[1], 0.06, 256) < 0.01;
        }
      }
      print_message("  table %zu (%s): %d of %d, %d stray\n", i, msk_photo_name(photo), both, drawn,
                    stray);
      assert_true(both * 100 >= drawn * 80);
      assert_true(stray <= 8);
      msk_image_free(&out);
    }
    msk_image_free(&in);
  }
}

/* A shadow is as dark, and soft; a light figure on a dark ground has no four corners. */
static void shadows_and_figures_are_no_table(void **state) {
  (void)state;
  for (int kind = 0; kind < 2; kind++) {
    msk_image in = drawing(800, 800, 0.02, 240, 30), before = blank(800, 800, 0);
    for (int y = 0; y < 800; y++) {
      for (int x = 0; x < 800; x++) {
        double light = fmin(1, fmax(0.35, (x - 150) / 200.0));
        for (int c = 0; c < 3; c++) {
          uint8_t *p = pixel(&in, x, y) + c;
          if (kind == 0) *p = (uint8_t)(*p * light);
          if (kind == 1) *p = hypot(x - 400, y - 400) < 330 ? *p : 40;
        }
      }
    }
    memcpy(before.pixels, in.pixels, (size_t)3 * 800 * 800);
    bool found = true;
    assert_int_equal(msk_table_remove(&found, &in, NULL, NULL), MSK_OK);
    assert_false(found);
    assert_true(same(&in, &before));
    msk_image_free(&in);
    msk_image_free(&before);
  }
}

/* A fence is drawn, however regular: its lines end. */
static void drawn_lines_are_no_ruling(void **state) {
  (void)state;
  msk_image in = blank(512, 512, 255);
  for (int row = 80; row < 440; row += 32) {
    for (int y = row; y < row + 3; y++) memset(pixel(&in, 60, y), 0, 3 * 390);
  }
  expect_untouched(&in);
  msk_image_free(&in);
}

/* ---- Fitting to the ink ---- */

/* The house fills .15 to .85 of its square; at `part` of the sheet, around (left, top). */
static msk_image small_house(int side, double part, double left, double top, double paper) {
  msk_image image = blank(side, side, (uint8_t)paper);
  for (int y = 0; y < side; y++) {
    for (int x = 0; x < side; x++) {
      double u = ((x + 0.5) / side - left) / part, v = ((y + 0.5) / side - top) / part;
      if (u < 0 || v < 0 || u > 1 || v > 1) continue;
      double covered = ink(u, v, 0.03, side * part);
      memset(pixel(&image, x, y), (int)(paper - (paper - 20) * covered + 0.5), 3);
    }
  }
  return image;
}

static void ink_fills_the_sheet(void **state) {
  (void)state;
  static const struct {
    double part, left, top, paper;
  } cases[] = {{0.5, 0.25, 0.25, 255},
               {0.5, 0, 0, 255},
               {0.3, 0.65, 0.1, 255},
               {0.5, 0.4, 0.5, 220},
               {0.25, 0.75, 0.75, 255}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    msk_image in = small_house(800, cases[i].part, cases[i].left, cases[i].top, cases[i].paper);
    memset(pixel(&in, 10, 790), 0, 3 * 5); /* a speck */
    msk_image out =
        prepared(&in, SIDE, SIDE, options(MSK_FIT_INK, MSK_INVERT_AUTO, MSK_PHOTO_AUTO));
    int left = SIDE, right = -1, top = SIDE, bottom = -1;
    for (int y = 0; y < SIDE; y++) {
      for (int x = 0; x < SIDE; x++) {
        if (pixel(&out, x, y)[0] >= 128) continue;
        left = x < left ? x : left, right = x > right ? x : right;
        top = y < top ? y : top, bottom = y > bottom ? y : bottom;
      }
    }
    /* the box's longer side is 1 / 1.3 of the square, in its middle */
    int width = right - left + 1, height = bottom - top + 1,
        longer = width > height ? width : height;
    assert_in_range(longer, 194, 200);
    assert_in_range(left + right, SIDE - 6, SIDE + 4);
    assert_in_range(top + bottom, SIDE - 6, SIDE + 4);
    msk_image_free(&in);
    msk_image_free(&out);
  }
}

/* What fills its sheet already becomes no smaller. */
static void ink_never_shrinks_a_drawing(void **state) {
  (void)state;
  msk_image in = blank(300, 300, 255);
  for (int i = 2; i < 298; i++) {
    for (int k = 0; k < 4; k++) {
      memset(pixel(&in, i, 2 + k), 0, 3), memset(pixel(&in, i, 294 + k), 0, 3);
      memset(pixel(&in, 2 + k, i), 0, 3), memset(pixel(&in, 294 + k, i), 0, 3);
    }
  }
  msk_image out = prepared(&in, 300, 300, options(MSK_FIT_INK, MSK_INVERT_AUTO, MSK_PHOTO_AUTO));
  assert_true(same(&in, &out));
  msk_image_free(&in);
  msk_image_free(&out);
}

/* ---- White ink on nothing ---- */

static void light_ink_on_nothing_is_seen(void **state) {
  (void)state;
  size_t count;
  uint8_t *bytes = test_read_file(golden_path("image/paper/white_on_transparent.png"), &count);
  msk_image in, white;
  msk_sketch_kind kind;
  assert_int_equal(msk_image_decode(&in, bytes, count, MSK_ALPHA_SKETCH, NULL, NULL, NULL), MSK_OK);
  assert_int_equal(msk_image_decode(&white, bytes, count, MSK_ALPHA_WHITE, NULL, NULL, NULL),
                   MSK_OK);
  assert_int_equal(pixel(&in, 3, 3)[0], 0);
  msk_image out = prepared(&in, SIDE, SIDE, usual(AUTO));
  assert_int_equal(msk_sketch_judge(&kind, &out, NULL, NULL), MSK_OK);
  assert_int_equal(kind, MSK_SKETCH_DRAWING);
  assert_int_equal(pixel(&out, 3, 3)[0], 255);
  msk_image_free(&out);
  out = prepared(&white, SIDE, SIDE, usual(AUTO));
  assert_int_equal(msk_sketch_judge(&kind, &out, NULL, NULL), MSK_OK);
  assert_int_equal(kind, MSK_SKETCH_EMPTY);
  msk_image_free(&out);
  msk_image_free(&in);
  msk_image_free(&white);
  free(bytes);
}

/* ---- What is no drawing ---- */

static msk_sketch_kind kind_of(const msk_image *in) {
  msk_sketch_kind kind;
  msk_image out = prepared(in, SIDE, SIDE, usual(AUTO));
  assert_int_equal(msk_sketch_judge(&kind, &out, NULL, NULL), MSK_OK);
  msk_image_free(&out);
  assert_true((msk_sketch_kind_warning(kind) == NULL) == (kind == MSK_SKETCH_DRAWING));
  return kind;
}

/* Rows of words: boxes of ink as high as small letters. */
static msk_image writing(int width, int height, uint8_t paper, uint8_t pen) {
  msk_image image = blank(width, height, paper);
  uint64_t random = 4;
  for (int top = 20; top + 10 < height - 20; top += 22) {
    for (int x = 20; x < width - 60;) {
      int letter = 3 + (int)test_uniform(&random, 0, 3);
      for (int y = top; y < top + 10; y++) memset(pixel(&image, x, y), pen, 3 * (size_t)letter);
      x += letter + (test_uniform(&random, 0, 1) < 0.2 ? 14 : 4);
    }
  }
  return image;
}

/* Patches of all colours, each shaded. */
static msk_image scene(void) {
  msk_image image = blank(500, 400, 255);
  uint64_t random = 9;
  for (int patch = 0; patch < 60; patch++) {
    int left = (int)test_uniform(&random, -50, 450), top = (int)test_uniform(&random, -50, 350);
    double colour[3];
    for (int c = 0; c < 3; c++) colour[c] = (double)test_uniform(&random, 20, 230);
    for (int y = top < 0 ? 0 : top; y < top + 130 && y < 400; y++) {
      for (int x = left < 0 ? 0 : left; x < left + 150 && x < 500; x++) {
        for (int c = 0; c < 3; c++)
          pixel(&image, x, y)[c] = (uint8_t)(colour[c] * (0.6 + 0.4 * (x - left) / 150));
      }
    }
  }
  return image;
}

static void what_is_no_drawing_is_told(void **state) {
  (void)state;
  static const int plain[][3] = {{255, 255, 255}, {0, 0, 0},   {128, 128, 128}, {240, 240, 240},
                                 {240, 60, 60},   {0, 0, 255}, {0, 180, 60},    {255, 240, 0}};
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
    msk_image in = coloured(300, 0.02, plain[i], plain[i]);
    assert_int_equal(kind_of(&in), MSK_SKETCH_EMPTY);
    msk_image_free(&in);
  }
  msk_image in = drawing(400, 400, 0.02, 225, 225);
  photograph(&in, (camera){0.4, 0.4, 0.3, 4}, 5);
  assert_int_equal(kind_of(&in), MSK_SKETCH_EMPTY);
  msk_image_free(&in);
  in = writing(1200, 800, 255, 30);
  assert_int_equal(kind_of(&in), MSK_SKETCH_WRITING);
  msk_image_free(&in);
  in = writing(1000, 1000, 20, 220);
  assert_int_equal(kind_of(&in), MSK_SKETCH_WRITING);
  msk_image_free(&in);
  in = scene();
  assert_int_equal(kind_of(&in), MSK_SKETCH_PHOTO);
  msk_image_free(&in);
  static const double thicknesses[] = {0.004, 0.01, 0.03, 0.06};
  for (size_t i = 0; i < 4; i++) {
    in = drawing(500, 500, thicknesses[i], 255, 40);
    assert_int_equal(kind_of(&in), MSK_SKETCH_DRAWING);
    msk_image_free(&in);
  }
  in = blank(300, 300, 255); /* a silhouette */
  for (int y = 80; y < 220; y++) memset(pixel(&in, 60, y), 0, 3 * 180);
  assert_int_equal(kind_of(&in), MSK_SKETCH_DRAWING);
  msk_image_free(&in);
}

/* ---- Memory ---- */

static void every_allocation_may_fail(void **state) {
  (void)state;
  counting_allocator counting;
  counting_allocator_init(&counting);
  msk_image in = drawing(160, 160, 0.03, 200, 30);
  rule(&in, (ruling){12, 1, 0, false, false, {100, 140, 200}});
  msk_prepare_options o = options(MSK_FIT_INK, MSK_INVERT_AUTO, MSK_PHOTO_AUTO);
  for (long k = 1;; k++) {
    msk_image out = {0};
    msk_error error = {0};
    counting.calls = 0, counting.fail_at = k;
    msk_status status = msk_image_prepare(&out, &in, SIDE, SIDE, &o, &counting.allocator, &error);
    msk_image_free(&out);
    assert_int_equal(counting.live, 0);
    if (status == MSK_OK) {
      assert_true(k > 8);
      break;
    }
    assert_int_equal(status, MSK_ERROR_MEMORY);
  }
  msk_image_free(&in);
}

/* In small pictures one window is the larger, in large ones another. */
static void no_size_writes_past_its_memory(void **state) {
  (void)state;
  counting_allocator counting;
  counting_allocator_init(&counting);
  msk_prepare_options o = options(MSK_FIT_INK, MSK_INVERT_AUTO, MSK_PHOTO_AUTO);
  for (int side = 1; side <= 460; side += side < 100 ? 3 : 45) {
    const int shapes[3][2] = {{side, side}, {side, side / 2 + 1}, {side / 2 + 1, side}};
    for (int i = 0; i < 3; i++) {
      msk_image in = drawing(shapes[i][0], shapes[i][1], 0.05, 180, 40), out = {0};
      photograph(&in, (camera){0.3, 0, 1, 4}, (uint64_t)side);
      assert_int_equal(msk_image_prepare(&out, &in, 64, 64, &o, &counting.allocator, NULL), MSK_OK);
      msk_image_free(&out);
      msk_image_free(&in);
    }
  }
  assert_int_equal(counting.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tinted_paper_becomes_white),
                                     cmocka_unit_test(light_lines_are_turned_over_on_any_ground),
                                     cmocka_unit_test(white_paper_is_left_alone),
                                     cmocka_unit_test(photographs_are_found),
                                     cmocka_unit_test(a_frame_is_no_ink),
                                     cmocka_unit_test(drawn_boxes_are_no_frames),
                                     cmocka_unit_test(a_dark_edge_is_no_ink),
                                     cmocka_unit_test(holes_are_no_ink),
                                     cmocka_unit_test(a_punchs_holes_are_no_ink),
                                     cmocka_unit_test(drawn_discs_are_no_holes),
                                     cmocka_unit_test(drawn_dots_are_no_holes),
                                     cmocka_unit_test(half_a_shadow_is_no_ink),
                                     cmocka_unit_test(a_grey_fill_is_no_shadow),
                                     cmocka_unit_test(ruling_is_no_ink),
                                     cmocka_unit_test(squared_paper_in_shadow_is_no_board),
                                     cmocka_unit_test(ruling_along_a_stroke_is_no_ink),
                                     cmocka_unit_test(a_table_is_no_ink),
                                     cmocka_unit_test(shadows_and_figures_are_no_table),
                                     cmocka_unit_test(drawn_lines_are_no_ruling),
                                     cmocka_unit_test(ink_fills_the_sheet),
                                     cmocka_unit_test(ink_never_shrinks_a_drawing),
                                     cmocka_unit_test(light_ink_on_nothing_is_seen),
                                     cmocka_unit_test(what_is_no_drawing_is_told),
                                     cmocka_unit_test(every_allocation_may_fail),
                                     cmocka_unit_test(no_size_writes_past_its_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
