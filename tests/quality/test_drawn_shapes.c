/* SPDX-License-Identifier: Apache-2.0
 *
 * test_drawn_shapes.c - what ./run quality measures against: stroke files, hands, the shape that
 * a drawing encloses, overlap of shapes. */
#include <math.h>

#include "items.h"
#include "support.h"

static pen_strokes strokes; /* large */
static uint8_t shape[PEN_SHAPE];

static int area(void) {
  int sum = 0;
  for (int i = 0; i < PEN_SHAPE; i++) sum += shape[i];
  return sum;
}

static void test_parse(void **state) {
  (void)state;
  assert_true(pen_parse(&strokes,
                        "<svg><path d=\"M10 20 L30 40 50 60 Q70 60 70 80 C70 90 60 95 50 95 "
                        "Z\"/><path d=\"M1 2 L3 4\"/></svg>"));
  assert_int_equal(strokes.line_count, 2);
  assert_int_equal(strokes.starts[1], 3 + 32 + 32 + 1);
  assert_int_equal(strokes.starts[2], strokes.starts[1] + 2);
  assert_true(strokes.x[2] == 50 && strokes.y[2] == 60);
  assert_true(strokes.x[34] == 70 && strokes.y[34] == 80);
  assert_true(strokes.x[67] == 10 && strokes.y[67] == 20);
  /* the middle of the quadratic curve: a quarter of the ends, half of the control point */
  assert_true(fabsf(strokes.x[18] - 65) < 1e-4f && fabsf(strokes.y[18] - 65) < 1e-4f);
}

static void test_parse_refuses(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    "<svg></svg>",
                                    "<path d=\"L10 10\"/>",
                                    "<path d=\"M10\"/>",
                                    "<path d=\"M10 10 L20",
                                    "<path d=\"M10 10 A1 2 3\"/>",
                                    "<path d=\"10 10\"/>",
                                    "<path d=\"M1e9 10\"/>",
                                    "<path d=\"M10 10 Z 20 20\"/>",
                                    "<path d=\"Mnan 10\"/>"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (pen_parse(&strokes, bad[i])) fail_msg("taken: %s", bad[i]);
  }
  char *many = malloc(200000), *end = many; /* more lines, more points than there is room for */
  for (int i = 0; i < 1000; i++) end += sprintf(end, "<path d=\"M1 1 L2 2\"/>");
  assert_false(pen_parse(&strokes, many));
  end = many + sprintf(many, "<path d=\"M1 1 L");
  for (int i = 0; i < 9000; i++) end += sprintf(end, "%d 7 ", i % 200);
  sprintf(end, "\"/>");
  assert_false(pen_parse(&strokes, many));
  free(many);
}

/* A closed square of side 100, drawn 4 wide: 104 x 104 less the rounded corners; a gap of 5
 * changes nothing, one of 20 leaves the line alone. */
static void test_shape(void **state) {
  (void)state;
  assert_true(pen_parse(&strokes, "<path d=\"M80 80 L180 80 L180 180 L80 180 Z\"/>"));
  pen_shape(&strokes, shape);
  int closed = area();
  assert_true(abs(closed - 104 * 104) < 60);
  assert_true(shape[130 * PEN_SHEET + 130] && !shape[70 * PEN_SHEET + 130] && !shape[0]);
  assert_true(pen_parse(&strokes, "<path d=\"M89 80 L180 80 L180 180 L80 180 L80 80\"/>"));
  pen_shape(&strokes, shape);
  assert_true(abs(area() - closed) < 60);
  assert_true(pen_parse(&strokes, "<path d=\"M104 80 L180 80 L180 180 L80 180 L80 80\"/>"));
  pen_shape(&strokes, shape);
  assert_true(area() < 400 * 5 && !shape[130 * PEN_SHEET + 130]);
  assert_true(pen_parse(&strokes, "<path d=\"M-20 -20 L300 -20 L300 300 L-20 300 Z\"/>"));
  pen_shape(&strokes, shape); /* a frame outside the sheet is not seen */
  assert_int_equal(area(), 0);
}

static void test_move(void **state) {
  (void)state;
  assert_true(pen_parse(&strokes, "<path d=\"M228 128 L128 28\"/>"));
  pen_move(&strokes, 90, 0.5, 10, 0);
  assert_true(fabsf(strokes.x[0] - 138) < 1e-3f && fabsf(strokes.y[0] - 178) < 1e-3f);
  assert_true(fabsf(strokes.x[1] - 188) < 1e-3f && fabsf(strokes.y[1] - 128) < 1e-3f);
}

/* Every hand leaves ink along the line and the same bytes twice. */
static void test_hands(void **state) {
  (void)state;
  uint8_t *first = malloc(PEN_SHAPE * 3), *second = malloc(PEN_SHAPE * 3);
  msk_image a = {.width = PEN_SHEET, .height = PEN_SHEET, .pixels = first},
            b = {.width = PEN_SHEET, .height = PEN_SHEET, .pixels = second};
  assert_true(pen_parse(&strokes, "<path d=\"M60 60 L196 60 L196 196 L60 196 Z\"/>"));
  double ink[PEN_PHOTO + 1];
  for (int hand = PEN_PLAIN; hand <= PEN_PHOTO; hand++) {
    pen_draw(&strokes, (pen_hand)hand, 3, &a);
    pen_draw(&strokes, (pen_hand)hand, 3, &b);
    assert_memory_equal(first, second, PEN_SHAPE * 3);
    ink[hand] = 0;
    for (int i = 0; i < PEN_SHAPE * 3; i++) ink[hand] += (255 - first[i]) / 765.0;
  }
  assert_true(ink[PEN_THIN] < 0.7 * ink[PEN_PLAIN] && ink[PEN_THICK] > 1.7 * ink[PEN_PLAIN]);
  assert_true(ink[PEN_BROKEN] < 0.6 * ink[PEN_PLAIN] && ink[PEN_BROKEN] > 100);
  assert_true(ink[PEN_FILLED] > ink[PEN_PLAIN] + 0.3 * 130 * 130);
  assert_true(ink[PEN_PHOTO] > 10000);
  pen_scribble(&strokes, 5);
  assert_true(strokes.line_count > 0);
  free(first);
  free(second);
}

static void test_overlap(void **state) {
  (void)state;
  uint8_t ring[36] = {0}, full[36] = {0};
  for (int y = 1; y < 5; y++) {
    for (int x = 1; x < 5; x++) {
      full[y * 6 + x] = 1;
      ring[y * 6 + x] = y == 1 || y == 4 || x == 1 || x == 4;
    }
  }
  assert_true(fabs(shape_iou(ring, full, 6) - 12.0 / 16) < 1e-12);
  shape_fill(ring, 6);
  assert_memory_equal(ring, full, sizeof full);
  memset(full, 0, sizeof full);
  assert_true(shape_iou(ring, full, 6) == 0 && shape_iou(full, full, 6) == 1);
  memset(ring, 1, sizeof ring);
  shape_fill(ring, 6);
  assert_true(shape_iou(ring, full, 6) == 0);
}

/* The halves are those of training/sketches/README.md: sixty and sixty, none in both; every
 * drawing has a shape of some size. */
static void test_halves(void **state) {
  (void)state;
  kind_list kinds = {0};
  for (int i = 0; i < WORLD_SHAPES; i++) {
    if (i != WORLD_UMBRELLA) kinds.kinds[kinds.count++] = i;
  }
  item_options options = {
      .size = 64, .side = 32, .kinds = &kinds, .strokes = "training/sketches/strokes"};
  item_list halves[2];
  msk_error error = {0};
  for (int h = 0; h < 2; h++) {
    options.half = h == 0 ? HALF_TUNING : HALF_REPORTING;
    if (items_sketches(&halves[h], &options, &error) != MSK_OK) fail_msg("%s", error.message);
    assert_int_equal(halves[h].count, 60);
    for (int i = 0; i < 60; i++) {
      int cells = 0;
      for (int k = 0; k < 32 * 32; k++) cells += halves[h].items[i].shape[k];
      if (cells < 24 || cells > 800)
        fail_msg("%s encloses %d cells of 1024", halves[h].items[i].name, cells);
    }
  }
  for (int i = 0; i < 60; i++) {
    for (int k = 0; k < 60; k++)
      assert_string_not_equal(halves[0].items[i].name, halves[1].items[k].name);
  }
  assert_string_equal(halves[0].items[2].name, "apple-5");
  assert_string_equal(halves[1].items[2].name, "mug-2");
  items_free(&halves[0]);
  items_free(&halves[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parse),  cmocka_unit_test(test_parse_refuses),
      cmocka_unit_test(test_shape),  cmocka_unit_test(test_move),
      cmocka_unit_test(test_hands),  cmocka_unit_test(test_overlap),
      cmocka_unit_test(test_halves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
