/* SPDX-License-Identifier: Apache-2.0
 *
 * test_world.c - the studio world: the same bytes everywhere, every class in the frame, drawings
 * on the edges they draw. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

#include "world.h"

enum { SMALL = 48, LARGE = 128, PLANES = 4 * 3 + 3 + WORLD_HANDS };

/* Every picture of one object, in one block. */
struct album {
  int size;
  uint8_t *block;
  struct world_views views;
};

static size_t album_bytes(int size) { return (size_t)size * (size_t)size * PLANES; }

static void album_open(struct album *a, int size) {
  size_t plane = (size_t)size * (size_t)size;
  a->size = size;
  a->block = malloc(album_bytes(size));
  assert_non_null(a->block);
  memset(a->block, 0xA5, album_bytes(size));
  uint8_t *p = a->block;
  a->views.photo = p;
  a->views.normals = p + 3 * plane;
  a->views.cartoon = p + 6 * plane;
  a->views.coloured_pencil = p + 9 * plane;
  a->views.silhouette = p + 12 * plane;
  a->views.parts = p + 13 * plane;
  a->views.shade = p + 14 * plane;
  for (int i = 0; i < WORLD_HANDS; i++) a->views.hands[i] = p + (15 + (size_t)i) * plane;
}

static void album_close(struct album *a) { free(a->block); }

static uint64_t hash_bytes(const uint8_t *data, size_t bytes) { /* FNV-1a */
  uint64_t h = 0xCBF29CE484222325u;
  for (size_t i = 0; i < bytes; i++) h = (h ^ data[i]) * 0x100000001B3u;
  return h;
}

/* Version 1 of the world. If these change, every training set and every trained weight is of
 * another world: raise the version in training/render/README.md. The failing test prints the new
 * values. */
static const uint64_t EXPECTED[WORLD_SHAPES] = {
    0xE2248AD5681E3366u, /* apple */
    0x6F39A565483A1A87u, /* mug */
    0x935A733CED310687u, /* house */
    0xA8464BAA49DCD799u, /* fish */
    0x8389A8E251E60D79u, /* tree */
    0xCD3059645F136344u, /* car */
    0xD561F3CF47331203u, /* teapot */
    0x825B8752D8ED4D28u, /* sailboat */
    0x76F37BC40D2E92CCu, /* mushroom */
    0xB1CAC2D31BAB34E0u, /* bird */
    0xEB6E173CB5EF47A5u, /* chair */
    0xB7FBC5DEC5062F23u, /* lamp */
    0xB928641CBBB69530u, /* umbrella */
    0x1E25BC41475BC467u, /* cat */
    0x8843090658BBCA34u, /* dog */
    0xB4D33C8DCDFDD9E1u, /* butterfly */
    0x7C340E848DCFE856u, /* shoe */
    0xD1B42459A20E1FB4u, /* hat */
    0xF874223CF67AAC7Cu, /* guitar */
    0xEA060A282D66E688u, /* flower */
    0xA4A2B85DFF8DED31u, /* sun */
    0x386E08DE066F963Cu, /* bicycle */
    0x169C48B9D80EDDDDu, /* aeroplane */
    0x8D96AACA70BD79C6u, /* cactus */
    0x2A76EB874F7D68DAu, /* bottle */
};

static void bytes_are_fixed(void **state) {
  (void)state;
  int wrong = 0;
  for (int c = 0; c < WORLD_SHAPES; c++) {
    struct album a;
    album_open(&a, SMALL);
    assert_int_equal(world_render(c, 1000003u + (uint64_t)c, SMALL, WORLD_RICH, &a.views), 0);
    uint64_t h = hash_bytes(a.block, album_bytes(SMALL));
    album_close(&a);
    if (h == EXPECTED[c]) continue;
    print_error("%s renders to 0x%016llXu, expected 0x%016llXu\n", world_class_name(c),
                (unsigned long long)h, (unsigned long long)EXPECTED[c]);
    wrong++;
  }
  assert_int_equal(wrong, 0);
}

/* The plain style, version 1: as above. */
static const uint64_t EXPECTED_PLAIN[WORLD_SHAPES] = {
    0x2054C25617EC7FA5u, /* apple */
    0xDA9CCD3B2CD726DBu, /* mug */
    0x7AB7363BBB58CD02u, /* house */
    0x52728981730BA512u, /* fish */
    0xF6E2283E0664CC17u, /* tree */
    0x97AE2BE935FAEC94u, /* car */
    0x57D09677D6B055B8u, /* teapot */
    0xCB063778E7E7DC21u, /* sailboat */
    0xC4E5BA95938EBC61u, /* mushroom */
    0xC014E6DB1EEC2962u, /* bird */
    0xEF58A46D52150490u, /* chair */
    0xADE9614C382E81B7u, /* lamp */
    0x9A545BCBB41B50CEu, /* umbrella */
    0xA1A22A1ABD2CDDBEu, /* cat */
    0x5E050E3F365CF269u, /* dog */
    0xBD9169AA0CC77636u, /* butterfly */
    0xBE8CB7521434155Bu, /* shoe */
    0x49EF476BD49A0D7Bu, /* hat */
    0x083008A02F76E0A6u, /* guitar */
    0x1003AC37AD584F0Bu, /* flower */
    0x71A93BE41CFE7180u, /* sun */
    0x2225EE2D5523CB06u, /* bicycle */
    0xE76E4FF038E94D4Eu, /* aeroplane */
    0x20A5767B8ACA97F3u, /* cactus */
    0x22D794EA0B81172Bu, /* bottle */
};

static void plain_bytes_are_fixed(void **state) {
  (void)state;
  int wrong = 0;
  for (int c = 0; c < WORLD_SHAPES; c++) {
    struct album a;
    album_open(&a, SMALL);
    assert_int_equal(world_render(c, 1000003u + (uint64_t)c, SMALL, WORLD_PLAIN, &a.views), 0);
    uint64_t h = hash_bytes(a.block, album_bytes(SMALL));
    album_close(&a);
    if (h == EXPECTED_PLAIN[c]) continue;
    print_error("plain %s renders to 0x%016llXu, expected 0x%016llXu\n", world_class_name(c),
                (unsigned long long)h, (unsigned long long)EXPECTED_PLAIN[c]);
    wrong++;
  }
  assert_int_equal(wrong, 0);
}

static void seeds_differ(void **state) {
  (void)state;
  struct album a, b;
  album_open(&a, SMALL);
  album_open(&b, SMALL);
  for (int c = 0; c < WORLD_SHAPES; c++) {
    assert_int_equal(world_render(c, 7, SMALL, WORLD_RICH, &a.views), 0);
    assert_int_equal(world_render(c, 8, SMALL, WORLD_RICH, &b.views), 0);
    assert_memory_not_equal(a.views.silhouette, b.views.silhouette, (size_t)SMALL * SMALL);
    assert_memory_not_equal(a.views.photo, b.views.photo, (size_t)SMALL * SMALL * 3);
  }
  album_close(&a);
  album_close(&b);
}

static void views_are_optional(void **state) {
  (void)state;
  struct album all, one;
  album_open(&all, SMALL);
  album_open(&one, SMALL);
  size_t plane = (size_t)SMALL * SMALL;
  struct world_views none = {0};
  assert_int_equal(world_render(3, 5, SMALL, WORLD_RICH, &none), 0);
  assert_int_equal(world_render(3, 5, SMALL, WORLD_RICH, &all.views), 0);
  /* each alone gives what it gives among all, and writes nothing else */
  for (size_t k = 0; k < 7 + WORLD_HANDS; k++) {
    size_t at = k < 4 ? 3 * k : 12 + k - 4, planes = k < 4 ? 3 : 1;
    uint8_t *p = one.block + at * plane;
    struct world_views v = {0};
    uint8_t **slots[7] = {&v.photo,      &v.normals, &v.cartoon, &v.coloured_pencil,
                          &v.silhouette, &v.parts,   &v.shade};
    if (k < 7)
      *slots[k] = p;
    else
      v.hands[k - 7] = p;
    memset(one.block, 0xA5, album_bytes(SMALL));
    assert_int_equal(world_render(3, 5, SMALL, WORLD_RICH, &v), 0);
    assert_memory_equal(p, all.block + at * plane, planes * plane);
    for (size_t i = 0; i < album_bytes(SMALL); i++)
      if (i < at * plane || i >= (at + planes) * plane) assert_int_equal(one.block[i], 0xA5);
  }
  album_close(&all);
  album_close(&one);
}

/* Each in the form ", one, another", and none stands for two classes. */
static void check_synonyms(const char *const names[WORLD_SHAPES]) {
  char all[4096] = ",";
  for (int c = 0; c < WORLD_SHAPES; c++) {
    size_t used = strlen(all);
    snprintf(all + used, sizeof all - used, " %s%s,", names[c], world_class_synonyms(c));
  }
  for (const char *at = all + 1; *at != 0; at = strchr(at, ',') + 1) {
    char wanted[64];
    size_t bytes = strcspn(at, ",");
    assert_true(bytes > 1 && bytes + 3 < sizeof wanted && at[0] == ' ');
    snprintf(wanted, sizeof wanted, ",%.*s,", (int)bytes, at);
    if (strstr(at + bytes, wanted) != NULL) fail_msg("'%s' stands for two classes", wanted);
  }
}

static void bad_arguments(void **state) {
  (void)state;
  struct album a;
  album_open(&a, SMALL);
  static const struct {
    int class_id, size;
  } bad[] = {{-1, SMALL}, {WORLD_SHAPES, SMALL},   {0, 0},
             {0, -5},     {0, WORLD_SIZE_MIN - 1}, {0, WORLD_SIZE_MAX + 1}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(world_render(bad[i].class_id, 1, bad[i].size, WORLD_RICH, &a.views), -1);
  assert_int_equal(world_render(0, 1, SMALL, WORLD_RICH, NULL), -1);
  for (size_t i = 0; i < album_bytes(SMALL); i++) assert_int_equal(a.block[i], 0xA5);
  album_close(&a);
  assert_null(world_class_name(-1));
  assert_null(world_class_name(WORLD_SHAPES));
  assert_string_equal(world_class_name(WORLD_UMBRELLA), "umbrella");
  static const char *const names[WORLD_SHAPES] = {
      "apple",    "mug",       "house",  "fish",  "tree",   "car",      "teapot",
      "sailboat", "mushroom",  "bird",   "chair", "lamp",   "umbrella", "cat",
      "dog",      "butterfly", "shoe",   "hat",   "guitar", "flower",   "sun",
      "bicycle",  "aeroplane", "cactus", "bottle"};
  for (int c = 0; c < WORLD_SHAPES; c++) {
    assert_string_equal(world_class_name(c), names[c]);
    assert_int_equal(world_class_find(names[c]), c);
  }
  assert_null(world_class_synonyms(-1));
  assert_null(world_class_synonyms(WORLD_SHAPES));
  assert_string_equal(world_class_synonyms(0), "");
  check_synonyms(names);
  assert_int_equal(world_class_find("appl"), -1);
  assert_int_equal(world_class_find(NULL), -1);
}

static void objects_fill_the_frame(void **state) {
  (void)state;
  struct album a;
  album_open(&a, SMALL);
  for (int c = 0; c < WORLD_SHAPES; c++)
    for (uint64_t seed = 0; seed < 6; seed++) {
      assert_int_equal(world_render(c, seed, SMALL, WORLD_RICH, &a.views), 0);
      int lo[2] = {SMALL, SMALL}, hi[2] = {-1, -1}, parts = 0;
      for (int y = 0; y < SMALL; y++)
        for (int x = 0; x < SMALL; x++) {
          int part = a.views.parts[y * SMALL + x], cover = a.views.silhouette[y * SMALL + x];
          parts |= 1 << part;
          if (part)
            assert_in_range(cover, 51, 255);
          else
            assert_in_range(cover, 0, 204);
          if (!cover) continue;
          if (x < lo[0]) lo[0] = x;
          if (y < lo[1]) lo[1] = y;
          if (x > hi[0]) hi[0] = x;
          if (y > hi[1]) hi[1] = y;
        }
      int w = hi[0] - lo[0] + 1, h = hi[1] - lo[1] + 1, extent = w > h ? w : h;
      if (lo[0] < 1 || lo[1] < 1 || hi[0] > SMALL - 2 || hi[1] > SMALL - 2 ||
          extent < SMALL * 55 / 100)
        fail_msg("%s %d: object spans %d..%d x %d..%d of %d", world_class_name(c), (int)seed, lo[0],
                 hi[0], lo[1], hi[1], SMALL);
      assert_true(parts < 1 << 11);
    }
  album_close(&a);
}

static void hands_differ(void **state) {
  (void)state;
  struct album a;
  album_open(&a, LARGE);
  size_t plane = (size_t)LARGE * LARGE;
  for (int c = 0; c < WORLD_SHAPES; c += 3) {
    assert_int_equal(world_render(c, 21, LARGE, WORLD_RICH, &a.views), 0);
    double dark[WORLD_HANDS];
    for (int i = 0; i < WORLD_HANDS; i++) {
      dark[i] = 0;
      for (size_t k = 0; k < plane; k++) dark[i] += a.views.hands[i][k] < 200;
      dark[i] /= (double)plane;
      assert_true(dark[i] > 0.004 && dark[i] < 0.4);
      for (int j = 0; j < i; j++)
        assert_memory_not_equal(a.views.hands[i], a.views.hands[j], plane);
    }
    assert_true(dark[2] > dark[4]); /* marker against outline */
  }
  album_close(&a);
}

/* Is there a pixel within `reach` of (x, y) at which two neighbours of the map differ? */
static int near_border(const uint8_t *map, int size, int x, int y, int reach) {
  for (int j = y - reach < 0 ? 0 : y - reach; j <= y + reach && j + 1 < size; j++)
    for (int i = x - reach < 0 ? 0 : x - reach; i <= x + reach && i + 1 < size; i++) {
      const uint8_t *p = map + j * size + i;
      if (p[0] != p[1] || p[0] != p[size]) return 1;
    }
  return 0;
}

static int near_ink(const uint8_t *drawing, int size, int x, int y, int reach) {
  for (int j = y - reach; j <= y + reach; j++)
    for (int i = x - reach; i <= x + reach; i++)
      if (i >= 0 && j >= 0 && i < size && j < size && drawing[j * size + i] < 190) return 1;
  return 0;
}

static void strokes_lie_on_edges(void **state) {
  (void)state;
  struct album a;
  album_open(&a, LARGE);
  uint8_t *mask = malloc((size_t)LARGE * LARGE);
  assert_non_null(mask);
  for (int c = 0; c < WORLD_SHAPES; c++) {
    assert_int_equal(world_render(c, 33, LARGE, WORLD_RICH, &a.views), 0);
    for (int k = 0; k < LARGE * LARGE; k++) mask[k] = a.views.parts[k] != 0;
    int border = 0, drawn = 0, ink = 0, stray = 0;
    for (int y = 1; y + 1 < LARGE; y++)
      for (int x = 1; x + 1 < LARGE; x++) {
        if (near_border(mask, LARGE, x, y, 0)) {
          border++;
          drawn += near_ink(a.views.hands[0], LARGE, x, y, 2);
        }
        if (a.views.hands[4][y * LARGE + x] < 128) {
          ink++;
          /* pen width and drift of the outline hand at most */
          stray += !near_border(mask, LARGE, x, y, 6);
        }
      }
    if (drawn * 100 < border * 93)
      fail_msg("%s: only %d of %d outline pixels are drawn", world_class_name(c), drawn, border);
    if (ink == 0 || stray * 200 > ink)
      fail_msg("%s: %d of %d outline ink pixels lie off the outline", world_class_name(c), stray,
               ink);
  }
  free(mask);
  album_close(&a);
}

/* Borders between parts that a draughtsman sees are drawn by the clean hand. */
static void part_borders_are_drawn(void **state) {
  (void)state;
  static const int classes[] = {1, 5, 6, 9, 11}; /* mug, car, teapot, bird, lamp */
  struct album a;
  album_open(&a, LARGE);
  for (size_t n = 0; n < sizeof classes / sizeof *classes; n++) {
    assert_int_equal(world_render(classes[n], 33, LARGE, WORLD_RICH, &a.views), 0);
    int border = 0, drawn = 0;
    for (int y = 1; y + 1 < LARGE; y++)
      for (int x = 1; x + 1 < LARGE; x++) {
        const uint8_t *p = a.views.parts + y * LARGE + x;
        if (!p[0] || !p[1] || !p[LARGE] || (p[0] == p[1] && p[0] == p[LARGE])) continue;
        border++;
        drawn += near_ink(a.views.hands[0], LARGE, x, y, 2);
      }
    if (drawn * 100 < border * 80)
      fail_msg("%s: %d of %d part borders drawn", world_class_name(classes[n]), drawn, border);
  }
  album_close(&a);
}

static void *render_thread(void *album) {
  struct album *a = album;
  return world_render(6, 77, a->size, WORLD_RICH, &a->views) == 0 ? album : NULL;
}

static void threads_agree(void **state) {
  (void)state;
  enum { THREADS = 4 };
  struct album a[THREADS];
  pthread_t t[THREADS];
  for (int i = 0; i < THREADS; i++) {
    album_open(&a[i], SMALL);
    assert_int_equal(pthread_create(&t[i], NULL, render_thread, &a[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    void *result = NULL;
    assert_int_equal(pthread_join(t[i], &result), 0);
    assert_non_null(result);
  }
  for (int i = 1; i < THREADS; i++) assert_memory_equal(a[i].block, a[0].block, album_bytes(SMALL));
  for (int i = 0; i < THREADS; i++) album_close(&a[i]);
}

static void odd_sizes(void **state) {
  (void)state;
  static const int sizes[] = {WORLD_SIZE_MIN, 17, 31, 61};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int c = 0; c < WORLD_SHAPES; c += 4) {
      struct album a;
      album_open(&a, sizes[i]);
      assert_int_equal(world_render(c, UINT64_MAX - i, sizes[i], WORLD_RICH, &a.views), 0);
      album_close(&a);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_are_fixed),
      cmocka_unit_test(plain_bytes_are_fixed),
      cmocka_unit_test(seeds_differ),
      cmocka_unit_test(views_are_optional),
      cmocka_unit_test(bad_arguments),
      cmocka_unit_test(objects_fill_the_frame),
      cmocka_unit_test(hands_differ),
      cmocka_unit_test(strokes_lie_on_edges),
      cmocka_unit_test(part_borders_are_drawn),
      cmocka_unit_test(threads_agree),
      cmocka_unit_test(odd_sizes),
  };
  return cmocka_run_group_tests_name("world", tests, NULL, NULL);
}
