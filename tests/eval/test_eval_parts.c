/* SPDX-License-Identifier: Apache-2.0
 *
 * test_eval_parts.c - pieces of eval by themselves: the shape of a drawing (a disc, lines with
 * gaps), diagrams (places of points, foreign names), growing texts, the grid's numbering, and
 * thousands of damaged SPECs. */
#include <math.h>

#include "eval/eval.h"
#include "eval/markup.h"
#include "support.h"
#include "world.h"

enum { SIDE = 256 };

/* ---- shapes ---- */

static void set_grey(msk_image *image, int x, int y, int grey) {
  memset(image->pixels + 3 * (y * SIDE + x), grey, 3);
}

/* A circle of a line 3 pixels thick around (100, 130), radius 70, without the part where the
 * angle is below `gap` radians. */
static msk_image draw_circle(double gap, int paper, int ink) {
  msk_image image = {0};
  assert_int_equal(msk_image_create(&image, SIDE, SIDE, NULL, NULL), MSK_OK);
  memset(image.pixels, paper, 3 * SIDE * SIDE);
  for (int y = 0; y < SIDE; y++) {
    for (int x = 0; x < SIDE; x++) {
      double apart = fabs(hypot(x - 100, y - 130) - 70), angle = atan2(y - 130, x - 100);
      if (apart <= 1.5 && !(angle >= 0 && angle < gap)) set_grey(&image, x, y, ink);
    }
  }
  return image;
}

/* IoU with the disc that the line's middle bounds, through shape_overlap(): the disc as a judge
 * would see it. */
static double overlap_with_disc(const uint8_t *shape, int side) {
  float *inside = calloc((size_t)side * (size_t)side, sizeof *inside);
  assert_non_null(inside);
  for (int y = 0; y < side; y++) {
    for (int x = 0; x < side; x++) {
      double scale = (double)SIDE / side;
      inside[y * side + x] =
          hypot((x + 0.5) * scale - 100.5, (y + 0.5) * scale - 130.5) <= 70 ? 0.9f : 0.1f;
    }
  }
  double overlap = shape_overlap(shape, SIDE, SIDE, inside, side);
  free(inside);
  return overlap;
}

static double circle_overlap(double gap, int paper, int ink) {
  msk_image image = draw_circle(gap, paper, ink);
  uint8_t *shape = NULL;
  assert_int_equal(shape_of_drawing(&shape, &image, NULL), MSK_OK);
  double overlap = overlap_with_disc(shape, 128);
  free(shape);
  msk_image_free(&image);
  return overlap;
}

static void shapes(void **state) {
  (void)state;
  assert_true(circle_overlap(0, 255, 0) > 0.96);
  assert_true(circle_overlap(0, 240, 120) > 0.96);  /* pencil on grey paper */
  assert_true(circle_overlap(0.09, 255, 0) > 0.95); /* 6 pixels missing */
  assert_true(circle_overlap(0.2, 255, 0) > 0.94);  /* 14: closed by the wider reach */
  assert_true(circle_overlap(1.5, 255, 0) < 0.3);   /* an open line encloses nothing but itself */
  msk_image blank = draw_circle(10, 255, 255);
  uint8_t *shape = NULL;
  assert_int_equal(shape_of_drawing(&shape, &blank, NULL), MSK_OK);
  for (int i = 0; i < SIDE * SIDE; i++) assert_int_equal(shape[i], 0);
  float nothing[16] = {0}, corner[16] = {0.5f};
  assert_true(shape_overlap(shape, SIDE, SIDE, nothing, 4) == 1);
  assert_true(shape_overlap(shape, SIDE, SIDE, corner, 4) == 0);
  free(shape);
  msk_image_free(&blank);
}

/* A quarter of a mask against its own half: 1/2. Masks are white inside. */
static void overlaps(void **state) {
  (void)state;
  uint8_t pixels[3 * 16];
  msk_image mask = {.width = 4, .height = 4, .pixels = pixels};
  for (int i = 0; i < 16; i++) memset(pixels + 3 * i, i % 4 < 2 ? 255 : 0, 3);
  uint8_t *shape = NULL;
  assert_int_equal(shape_of_mask(&shape, &mask, NULL), MSK_OK);
  float inside[64]; /* 8 x 8: the upper left quarter */
  for (int i = 0; i < 64; i++) inside[i] = i % 8 < 4 && i / 8 < 4 ? 1.0f : 0.49f;
  assert_true(fabs(shape_overlap(shape, 4, 4, inside, 8) - 0.5) < 1e-12);
  for (int i = 0; i < 64; i++) inside[i] = i % 8 >= 4 ? 1.0f : 0.0f;
  assert_true(shape_overlap(shape, 4, 4, inside, 8) == 0);
  free(shape);
}

/* Drawings of the training world, whose true silhouettes are known: a line drawing of each
 * class, small gaps and all. */
static void shapes_of_the_world(void **state) {
  (void)state;
  double sum = 0, least = 1;
  uint8_t *silhouette = malloc(SIDE * SIDE), *drawn = malloc(SIDE * SIDE);
  float *inside = malloc(SIDE * SIDE * sizeof *inside);
  msk_image image = {0};
  assert_true(silhouette != NULL && drawn != NULL && inside != NULL);
  assert_int_equal(msk_image_create(&image, SIDE, SIDE, NULL, NULL), MSK_OK);
  for (int class_id = 0; class_id < WORLD_SHAPES; class_id++) {
    struct world_views views = {.silhouette = silhouette, .hands = {drawn}};
    assert_int_equal(world_render(class_id, 900001, SIDE, WORLD_PLAIN, &views), 0);
    for (int i = 0; i < SIDE * SIDE; i++) {
      memset(image.pixels + 3 * i, drawn[i], 3);
      inside[i] = (float)silhouette[i] / 255;
    }
    uint8_t *shape = NULL;
    assert_int_equal(shape_of_drawing(&shape, &image, NULL), MSK_OK);
    double overlap = shape_overlap(shape, SIDE, SIDE, inside, SIDE);
    sum += overlap;
    least = overlap < least ? overlap : least;
    free(shape);
  }
  print_message("IoU with the true silhouettes: mean %.3f, least %.3f\n", sum / WORLD_SHAPES,
                least);
  assert_true(sum / WORLD_SHAPES > 0.9);
  free(silhouette);
  free(drawn);
  free(inside);
  msk_image_free(&image);
}

/* ---- diagrams ---- */

static int count_of(const char *text, const char *part) {
  int count = 0;
  for (; (text = strstr(text, part)) != NULL; text++) count++;
  return count;
}

static void circle_at(const char *svg, int index, double *x, double *y) {
  for (; index >= 0; index--) {
    svg = strstr(svg, "<circle cx=");
    assert_non_null(svg);
    svg++;
  }
  assert_int_equal(sscanf(svg, "circle cx=\"%lf\" cy=\"%lf\"", x, y), 2);
}

static void diagrams(void **state) {
  (void)state;
  plot_point points[] = {{0, 1, NAN, 0.5, NULL},
                         {1, 2, NAN, NAN, "<&\">"},
                         {2, NAN, NAN, NAN, NULL},
                         {4, 5, 0.25, 0, NULL}};
  plot_series series[] = {{"one", points, 4}};
  plot p = {"a </title><script>", "x's \"label\"", "y & z", NULL, 0, series, 1};
  eval_text text = {0};
  plot_draw(&text, &p);
  assert_false(text.failed);
  /* the point that is not known is left out */
  assert_int_equal(count_of(text.bytes, "r=\"3.2\""), 3);
  assert_int_equal(count_of(text.bytes, "<script"), 0);
  assert_int_equal(count_of(text.bytes, "&lt;script&gt;"), 2);
  assert_non_null(strstr(text.bytes, "&lt;&amp;&quot;&gt;"));
  assert_non_null(strstr(text.bytes, "x&#39;s"));
  assert_int_equal(count_of(text.bytes, "nan"), 0);
  assert_int_equal(count_of(text.bytes, "inf"), 0);
  double x[3], y[3]; /* the scale is straight, and y grows upwards */
  for (int i = 0; i < 3; i++) circle_at(text.bytes, i, &x[i], &y[i]);
  assert_true(fabs((x[2] - x[0]) / (x[1] - x[0]) - 4) < 0.02);
  assert_true(fabs((y[2] - y[0]) / (y[1] - y[0]) - 4) < 0.02);
  assert_true(y[2] < y[0] && x[2] > x[0]);
  free(text.bytes);
  static const char *const names[] = {"a", "b"};
  plot named = {"t", "x", "y", names, 2, series, 0};
  eval_text empty = {0};
  plot_draw(&empty, &named); /* no series at all */
  assert_non_null(strstr(empty.bytes, "</svg>"));
  free(empty.bytes);
}

/* Values that are all the same, huge, or tiny still get a scale. */
static void scales(void **state) {
  (void)state;
  static const double values[][2] = {{3, 3},           {0, 0},           {-1e300, 1e300},
                                     {1e-300, 2e-300}, {1e15, 1e15 + 1}, {-5, -5}};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    plot_point points[] = {{values[i][0], values[i][0], NAN, NAN, NULL},
                           {values[i][1], values[i][1], NAN, NAN, NULL}};
    plot_series series[] = {{NULL, points, 2}};
    plot p = {"t", "x", "y", NULL, 0, series, 1};
    eval_text text = {0};
    plot_draw(&text, &p);
    assert_true(text.used < 20000);
    assert_int_equal(count_of(text.bytes, "nan"), 0);
    double x, y;
    for (int k = 0; k < 2; k++) {
      circle_at(text.bytes, k, &x, &y);
      assert_true(x >= 0 && x <= 520 && y >= 0 && y <= 340);
    }
    free(text.bytes);
  }
}

static void texts(void **state) {
  (void)state;
  eval_text text = {0};
  eval_text_csv(&text, "plain");
  eval_text_add(&text, ",");
  eval_text_csv(&text, "1,2");
  eval_text_add(&text, ",");
  eval_text_csv(&text, "say \"no\"\n");
  assert_string_equal(text.bytes, "plain,\"1,2\",\"say \"\"no\"\"\n\"");
  for (int i = 0; i < 100000; i++) eval_text_add(&text, "%d", i % 10);
  assert_int_equal(text.used, strlen("plain,\"1,2\",\"say \"\"no\"\"\n\"") + 100000);
  assert_false(text.failed);
  free(text.bytes);
}

/* ---- SPECs ---- */

static const char sample[] =
    "{\"title\": \"t\", \"text\": \"a {class}\", \"models\": [\"a\", \"b/c\"], \"recipes\": "
    "[\"balanced\", \"fast\"], \"scores\": "
    "[\"structure\"],\n"
    " \"settings\": {\"lambda_structure\": [0, 0.5, 1e0], \"layers\": [[0, 1], [2], \"3\"], "
    "\"steps\": 4, \"distance\": "
    "\"symmetric-kl\"},\n"
    " \"sketches\": [{\"file\": \"x/a.png\", \"class\": \"c\", \"subject\": \"s\", \"level\": 1}, "
    "{\"file\": \"b.png\", \"class\": \"d\", "
    "\"name\": \"n\", "
    "\"fit\": \"pad\", \"invert\": \"no\", \"photo_of_paper\": true, \"mask\": \"m.png\"}],\n"
    " \"seeds\": [0, 5], \"tile\": 64, \"reference\": \"r\", \"plots\": [{\"x\": \"structure\", "
    "\"y\": \"seconds\", \"along\": \"steps\", "
    "\"by\": \"class\"}],\n"
    " \"sheets\": [{\"rows\": \"sketch\", \"columns\": \"layers\", \"each\": \"seed\"}]}";

static void write_file(const char *path, const char *bytes, size_t count) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, count, file), count);
  assert_int_equal(fclose(file), 0);
}

/* Reads it, and if it is good counts its grid and looks at its views. */
static msk_status take_spec(const char *path, int *points, msk_error *error) {
  eval_spec spec;
  eval_grid grid = {0};
  msk_status status = eval_spec_load(&spec, path, error);
  if (status == MSK_OK) status = eval_grid_create(&grid, &spec, error);
  if (status == MSK_OK) status = eval_check_views(&grid, error);
  if (status == MSK_OK) *points = grid.points;
  eval_grid_free(&grid);
  eval_spec_free(&spec);
  return status;
}

/* Bytes changed, left out, doubled, cut off: taken or refused in one line, and no more. */
static void damaged_specs(void **state) {
  (void)state;
  char *folder = test_make_folder(), path[4096], bytes[2 * sizeof sample];
  static const char marks[] = "{}[]\",:0-e\\9\xFF\x01tfn";
  snprintf(path, sizeof path, "%s/spec.json", folder);
  uint64_t random = 99;
  int points = 0, taken = 0;
  msk_error error = {0};
  write_file(path, sample, sizeof sample - 1);
  if (take_spec(path, &points, &error) != MSK_OK) fail_msg("%s", error.message);
  assert_int_equal(points, 2 * 2 * (3 * 3) * 2 * 2);
  for (int round = 0; round < 4000; round++) {
    size_t count = sizeof sample - 1;
    memcpy(bytes, sample, count);
    for (int edits = 1 + (int)(test_random(&random) % 3); edits > 0; edits--) {
      size_t at = test_random(&random) % count, length = 1 + test_random(&random) % 20;
      if (at + length > count) length = count - at;
      switch (test_random(&random) % 4) {
        case 0: bytes[at] = marks[test_random(&random) % (sizeof marks - 1)]; break;
        case 1:
          memmove(bytes + at, bytes + at + length, count - at - length);
          count -= length;
          break;
        case 2:
          memmove(bytes + at + length, bytes + at, count - at);
          count += length;
          break;
        default: count = test_random(&random) % 8 == 0 ? at : count;
      }
      if (count == 0) break;
    }
    write_file(path, bytes, count);
    error.message[0] = 0;
    msk_status status = take_spec(path, &points, &error);
    taken += status == MSK_OK;
    assert_true(status == MSK_OK || status == MSK_ERROR_FILE);
    assert_true(status == MSK_OK || (error.message[0] != 0 && strchr(error.message, '\n') == NULL));
  }
  assert_true(taken > 50); /* so that what comes after the parser is reached */
  test_remove_folder(folder);
}

/* docs/eval.md has a row for each key of the table, in these words. */
static void keys_in_the_manual(void **state) {
  (void)state;
  size_t bytes = 0;
  char *manual = (char *)test_read_file("docs/eval.md", &bytes);
  int rows = 0;
  for (const spec_key *key = spec_keys; key->name != NULL; key++, rows++) {
    char takes[200], row[600];
    const char *quote = key->value == NULL ? "" : "`",
               *missing = key->needed ? "needed" : key->if_missing;
    spec_key_takes(takes, sizeof takes, key);
    assert_true(key->needed + (key->value != NULL) + (key->if_missing != NULL) == 1);
    snprintf(row, sizeof row, "\n| `%s` | %s | %s%s%s | %s |\n", key->name, takes, quote,
             key->value != NULL ? key->value : missing, quote, key->help);
    if (memmem(manual, bytes, row, strlen(row)) == NULL)
      fail_msg("docs/eval.md lacks the row: %s", row);
  }
  assert_true(rows > 20);
  free(manual);
}

/* Each axis of every point, by the order that grid.h promises. */
static void grid_order(void **state) {
  (void)state;
  char *folder = test_make_folder(), path[4096];
  snprintf(path, sizeof path, "%s/spec.json", folder);
  write_file(path, sample, sizeof sample - 1);
  eval_spec spec;
  eval_grid grid;
  assert_int_equal(eval_spec_load(&spec, path, NULL), MSK_OK);
  assert_int_equal(eval_grid_create(&grid, &spec, NULL), MSK_OK);
  int point = 0;
  for (int model = 0; model < 2; model++) {
    for (int recipe = 0; recipe < 2; recipe++) {
      for (int setting = 0; setting < 9; setting++) {
        for (int picture = 0; picture < 4; picture++, point++) {
          static const char *const layers[] = {"0,1", "2", "3"}, *const lambdas[] = {"0", "0.5",
                                                                                     "1"};
          const int wanted[] = {model,       recipe,      setting / 3, setting % 3,
                                picture / 2, picture / 2, picture % 2};
          static const char *const names[] = {
              "model", "recipe", "lambda_structure", "layers", "sketch", "class", "seed"};
          for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            assert_int_equal(eval_grid_value(&grid, eval_grid_axis(&grid, names[i]), point),
                             wanted[i]);
          assert_true(eval_grid_seed(&grid, point) == (picture % 2 == 0 ? 0 : 5));
          msk_recipe row;
          char text[200];
          assert_int_equal(
              eval_grid_recipe(&row, &grid, NULL, eval_grid_setting(&grid, point), NULL), MSK_OK);
          assert_string_equal(row.name, recipe == 0 ? "balanced" : "fast");
          assert_int_equal(msk_recipe_get(&row, "layers", text, sizeof text, NULL), MSK_OK);
          assert_string_equal(text, layers[setting % 3]);
          assert_int_equal(msk_recipe_get(&row, "lambda_structure", text, sizeof text, NULL),
                           MSK_OK);
          assert_string_equal(text, lambdas[setting / 3]);
        }
      }
    }
  }
  assert_int_equal(point, grid.points);
  const eval_axis *level = eval_grid_axis(&grid, "level");
  assert_string_equal(level->values[eval_grid_value(&grid, level, 0)], "1");
  assert_string_equal(level->values[eval_grid_value(&grid, level, 2)], "none");
  assert_null(level->numbers);
  assert_true(eval_grid_axis(&grid, "lambda_structure")->numbers[1] == 0.5);
  eval_grid_free(&grid);
  eval_spec_free(&spec);
  test_remove_folder(folder);
}

/* A hundred thousand drawings of a thousand classes; of those looked at, no more than their places
 * stay. */
static void long_lists(void **state) {
  (void)state;
  enum { COUNT = 100000, CLASSES = 1000 };
  char *folder = test_make_folder(), path[4096];
  snprintf(path, sizeof path, "%s/list.csv", folder);
  FILE *csv = fopen(path, "wb");
  assert_non_null(csv);
  fputs("file,class,name\n", csv);
  for (int i = 0; i < COUNT; i++)
    fprintf(csv, "%d.png,class %d,n%d\n", i / KEPT_SKETCHES % 2, i % CLASSES, i);
  assert_int_equal(fclose(csv), 0);
  for (int i = 0; i < 2; i++) {
    msk_image image = draw_circle(i == 0 ? 0 : 10, 255, 0);
    void *bytes = NULL;
    size_t count = 0;
    assert_int_equal(
        msk_image_encode(&image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &count, NULL, NULL), MSK_OK);
    snprintf(path, sizeof path, "%s/%d.png", folder, i);
    write_file(path, bytes, count);
    msk_free(NULL, bytes);
    msk_image_free(&image);
  }
  snprintf(path, sizeof path, "%s/spec.json", folder);
  const char *text = "{\"sketches\": \"list.csv\", \"seeds\": [0, 1, 2, 3, 4]}";
  write_file(path, text, strlen(text));
  eval_spec spec;
  eval_grid grid;
  static eval_sketches sketches;
  assert_int_equal(eval_spec_load(&spec, path, NULL), MSK_OK);
  assert_int_equal(eval_grid_create(&grid, &spec, NULL), MSK_OK);
  assert_int_equal(grid.points, 5 * COUNT);
  const eval_axis *class_axis = eval_grid_axis(&grid, "class"),
                  *name_axis = eval_grid_axis(&grid, "sketch");
  assert_int_equal(class_axis->count, CLASSES);
  assert_int_equal(name_axis->count, COUNT);
  assert_string_equal(class_axis->values[eval_grid_value(&grid, class_axis, 5 * 54321)],
                      "class 321");
  assert_string_equal(name_axis->values[eval_grid_value(&grid, name_axis, 5 * 54321 + 4)],
                      "n54321");
  assert_int_equal(eval_sketches_open(&sketches, &spec, NULL), MSK_OK);
  /* the disc, then in the same place the empty paper, then the disc again */
  const int looked[] = {0, KEPT_SKETCHES, 2 * KEPT_SKETCHES, 0, COUNT - 1};
  for (size_t i = 0; i < sizeof looked / sizeof *looked; i++) {
    const eval_sketch *sketch;
    int inside = 0;
    assert_int_equal(eval_sketches_look(&sketch, &sketches, looked[i], NULL), MSK_OK);
    assert_int_equal(sketch->index, looked[i]);
    for (int k = 0; k < SIDE * SIDE; k++) inside += sketch->shape[k];
    assert_true(looked[i] / KEPT_SKETCHES % 2 == 0 ? inside > 10000 : inside == 0);
  }
  eval_sketches_free(&sketches);
  eval_grid_free(&grid);
  eval_spec_free(&spec);
  test_remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(long_lists),
                                     cmocka_unit_test(shapes),
                                     cmocka_unit_test(shapes_of_the_world),
                                     cmocka_unit_test(overlaps),
                                     cmocka_unit_test(diagrams),
                                     cmocka_unit_test(scales),
                                     cmocka_unit_test(texts),
                                     cmocka_unit_test(grid_order),
                                     cmocka_unit_test(damaged_specs),
                                     cmocka_unit_test(keys_in_the_manual)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
