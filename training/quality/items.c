/* SPDX-License-Identifier: Apache-2.0
 * items.c - see items.h. */
#include "items.h"

#include "app/outside.h"
#include "masksketch_tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* drawings; training and judge have other hundreds of millions (training/config.py) */
#define FIRST_SEED 700000001u
#define REFERENCE_SEED 800000001u /* photos that Frechet distances are taken to */

static msk_status fail(msk_error *error, msk_status code, const char *what, const char *name) {
  error->code = code;
  snprintf(error->message, sizeof error->message, "%s: %s", name, what);
  return code;
}

/* ---- shapes ---- */

void shape_fill(uint8_t *shape, int side) {
  size_t cells = (size_t)side * (size_t)side;
  int *stack = malloc(cells * sizeof *stack);
  uint8_t *outside = malloc(cells);
  /* a tool's silhouettes of 64 kB */
  if (stack == NULL || outside == NULL) abort();
  find_outside(shape, side, side, outside, stack);
  for (size_t i = 0; i < cells; i++) shape[i] = !outside[i];
  free(outside);
  free(stack);
}

double shape_iou(const uint8_t *a, const uint8_t *b, int side) {
  int both = 0, either = 0;
  for (int i = 0; i < side * side; i++) {
    both += a[i] && b[i];
    either += a[i] || b[i];
  }
  return either == 0 ? 1 : (double)both / either;
}

/* A mask of any size (0..255 in the first channel of its pixels) -> side x side, 1 where the
 * area mean is above a half. */
static uint8_t *shape_from(const uint8_t *mask, int step, int size, int side) {
  uint8_t *shape = malloc((size_t)side * (size_t)side);
  if (shape == NULL) abort();
  for (int y = 0; y < side; y++) {
    for (int x = 0; x < side; x++) {
      long sum = 0, count = 0;
      for (int j = y * size / side; j < (y + 1) * size / side; j++) {
        for (int i = x * size / side; i < (x + 1) * size / side; i++, count++)
          sum += mask[(j * size + i) * step];
      }
      shape[y * side + x] = 2 * sum > 255 * count;
    }
  }
  return shape;
}

/* ---- files ---- */

static msk_status save(const msk_image *image, const char *path, msk_error *error) {
  void *bytes;
  size_t count;
  msk_status status =
      msk_image_encode(image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &count, NULL, error);
  if (status != MSK_OK) return status;
  status = msk_file_write(path, bytes, count, error);
  msk_free(NULL, bytes);
  return status;
}

static msk_status add(item_list *list, struct item **added, msk_error *error) {
  if (list->items == NULL) list->items = calloc(QUALITY_MAX_ITEMS, sizeof *list->items);
  if (list->items == NULL || list->count == QUALITY_MAX_ITEMS)
    return fail(error, MSK_ERROR_MEMORY, "too many drawings", "quality");
  *added = &list->items[list->count++];
  return MSK_OK;
}

void items_free(item_list *list) {
  for (int i = 0; i < list->count; i++) {
    msk_image_free(&list->items[i].sketch);
    msk_image_free(&list->items[i].photo);
    free(list->items[i].shape);
  }
  free(list->items);
  *list = (item_list){0};
}

/* ---- renders ---- */

enum { VIEW_PHOTO, VIEW_DRAWING, VIEW_SHAPE, VIEWS };
static const char *const view_names[VIEWS] = {"photo", "drawing", "shape"};

static void view_path(char path[512], const item_options *options, const struct item *item,
                      int view) {
  snprintf(path, 512, "%s/%s-%s.png", options->cache, item->name, view_names[view]);
}

static msk_status render(const item_options *options, const struct item *item, uint64_t seed,
                         int hand, msk_error *error) {
  size_t area = (size_t)options->size * (size_t)options->size;
  msk_image views[VIEWS] = {{0}};
  uint8_t *grey = malloc(2 * area);
  char path[512];
  msk_status status =
      grey == NULL ? fail(error, MSK_ERROR_MEMORY, "not enough memory", item->name) : MSK_OK;
  for (int v = 0; status == MSK_OK && v < VIEWS; v++)
    status = msk_image_create(&views[v], options->size, options->size, NULL, error);
  if (status == MSK_OK) {
    struct world_views world = {.photo = views[VIEW_PHOTO].pixels, .silhouette = grey};
    world.hands[hand] = grey + area;
    if (world_render(item->kind, seed, options->size, options->style, &world) != 0)
      status = fail(error, MSK_ERROR_ARGUMENT, "cannot be rendered", item->name);
  }
  for (size_t i = 0; status == MSK_OK && i < 3 * area; i++) {
    views[VIEW_SHAPE].pixels[i] = grey[i / 3];
    views[VIEW_DRAWING].pixels[i] = grey[area + i / 3];
  }
  for (int v = VIEWS - 1; v >= 0; v--) { /* the photo last: where it lies, the others do */
    view_path(path, options, item, v);
    if (status == MSK_OK) status = save(&views[v], path, error);
    msk_image_free(&views[v]);
  }
  free(grey);
  return status;
}

static msk_status load_render(struct item *item, const item_options *options, uint64_t seed,
                              int hand, msk_error *error) {
  char path[512];
  struct stat found;
  msk_image mask = {0};
  msk_status status = MSK_OK;
  view_path(path, options, item, VIEW_PHOTO);
  if (stat(path, &found) != 0) status = render(options, item, seed, hand, error);
  if (status == MSK_OK) status = msk_image_load(&item->photo, path, MSK_ALPHA_WHITE, NULL, error);
  view_path(path, options, item, VIEW_DRAWING);
  if (status == MSK_OK) status = msk_image_load(&item->sketch, path, MSK_ALPHA_WHITE, NULL, error);
  view_path(path, options, item, VIEW_SHAPE);
  if (status == MSK_OK) status = msk_image_load(&mask, path, MSK_ALPHA_WHITE, NULL, error);
  if (status == MSK_OK) item->shape = shape_from(mask.pixels, 3, mask.width, options->side);
  msk_image_free(&mask);
  return status;
}

msk_status items_render(item_list *list, const item_options *options, bool reference,
                        msk_error *error) {
  const kind_list *kinds = options->kinds;
  int count = options->drawings * kinds->count;
  *list = (item_list){0};
  for (int i = 0; i < count; i++) {
    struct item *added;
    int kind = kinds->kinds[i % kinds->count], number = i / kinds->count;
    msk_status status = add(list, &added, error);
    if (status != MSK_OK) return status;
    uint64_t seed = (reference ? REFERENCE_SEED : FIRST_SEED) + (uint64_t)i;
    snprintf(added->name, sizeof added->name, "%s-%llu", world_class_name(kind),
             (unsigned long long)seed);
    added->kind = added->group = kind;
    status = load_render(added, options, seed, number % WORLD_HANDS, error);
    if (status != MSK_OK) return status;
    fprintf(stderr, "\r%s %d of %d ", reference ? "reference photos" : "renders", i + 1, count);
  }
  fprintf(stderr, "\n");
  return MSK_OK;
}

/* ---- sketches ---- */

/* training/sketches/README.md */
static bool in_half(int kind, int number, enum half half) {
  static const char *const tuning_fives[] = {"apple",     "bird",   "bicycle", "bottle",
                                             "butterfly", "car",    "cat",     "chair",
                                             "fish",      "flower", "hat",     "house"};
  bool tuning = number == 1 || number == 3;
  for (size_t i = 0; i < sizeof tuning_fives / sizeof *tuning_fives; i++)
    tuning = tuning || (number == 5 && strcmp(world_class_name(kind), tuning_fives[i]) == 0);
  return ((tuning ? HALF_TUNING : HALF_REPORTING) & half) != 0;
}

enum change {
  CHANGE_NONE,
  CHANGE_AWAY,
  CHANGE_SMALL,
  CHANGE_TURNED,
  CHANGE_CLASS,
  CHANGE_EMPTY,
  CHANGE_SCRIBBLE
};

static const struct variation {
  const char *name, *meaning;
  pen_hand hand;
  enum change change;
} plain_pen = {"pen", "plain pen", PEN_PLAIN, CHANGE_NONE},
  variations[] = {
      {"pen", "as drawn (pen of 4 of 256)", PEN_PLAIN, CHANGE_NONE},
      {"thin", "thin pen (2 of 256)", PEN_THIN, CHANGE_NONE},
      {"thick", "thick marker (9 of 256)", PEN_THICK, CHANGE_NONE},
      {"broken", "pencil, a third of each line missing", PEN_BROKEN, CHANGE_NONE},
      {"filled", "filled with grey", PEN_FILLED, CHANGE_NONE},
      {"photographed", "photographed on paper", PEN_PHOTO, CHANGE_NONE},
      {"off-centre", "three quarters as large, moved by 30 of 256", PEN_PLAIN, CHANGE_AWAY},
      {"small", "half as large", PEN_PLAIN, CHANGE_SMALL},
      {"turned", "turned by 15 degrees", PEN_PLAIN, CHANGE_TURNED},
      {"wrong-class", "asked for as another class", PEN_PLAIN, CHANGE_CLASS},
      {"empty", "empty sheet", PEN_PLAIN, CHANGE_EMPTY},
      {"scribble", "scribble", PEN_PLAIN, CHANGE_SCRIBBLE},
};

bool items_variation(int index, const char **name, const char **meaning) {
  if (index < 0 || (size_t)index >= sizeof variations / sizeof *variations) return false;
  *name = variations[index].name;
  *meaning = variations[index].meaning;
  return true;
}

static void change_strokes(pen_strokes *strokes, enum change change, uint64_t seed) {
  static const double angles[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
  const double *way = angles[seed % 4];
  if (change == CHANGE_AWAY) pen_move(strokes, 0, 0.75, 30 * way[0], 30 * way[1]);
  if (change == CHANGE_SMALL) pen_move(strokes, 0, 0.5, 0, 0);
  if (change == CHANGE_TURNED) pen_move(strokes, seed % 2 == 0 ? 15 : -15, 0.9, 0, 0);
  if (change == CHANGE_EMPTY) strokes->line_count = 0, strokes->starts[0] = 0;
  if (change == CHANGE_SCRIBBLE) pen_scribble(strokes, seed);
}

/* The shape that the strokes enclose, where the program's preparation puts the drawing: a filled
 * shape has its lines' box. */
static msk_status shape_item(struct item *item, const item_options *options,
                             const pen_strokes *strokes, msk_error *error) {
  msk_image sheet, placed = {0};
  msk_prepare_options prepare;
  uint8_t *drawn = malloc(PEN_SHAPE);
  if (drawn == NULL) abort();
  pen_shape(strokes, drawn);
  msk_prepare_init(&prepare);
  prepare.fit = options->fit;
  prepare.invert = MSK_INVERT_NO;
  prepare.photo_of_paper = MSK_PHOTO_NO;
  msk_status status = msk_image_create(&sheet, PEN_SHEET, PEN_SHEET, NULL, error);
  if (status == MSK_OK) {
    for (int i = 0; i < 3 * PEN_SHAPE; i++) sheet.pixels[i] = drawn[i / 3] ? 0 : 255;
    status = msk_image_prepare(&placed, &sheet, PEN_SHEET, PEN_SHEET, &prepare, NULL, error);
    msk_image_free(&sheet);
  }
  if (status == MSK_OK) {
    for (int i = 0; i < 3 * PEN_SHAPE; i++) placed.pixels[i] = (uint8_t)(255 - placed.pixels[i]);
    item->shape = shape_from(placed.pixels, 3, PEN_SHEET, options->side);
  }
  msk_image_free(&placed);
  free(drawn);
  return status;
}

static int another_kind(const kind_list *kinds, int kind) {
  int at = 0;
  while (kinds->kinds[at] != kind) at++;
  return kinds->kinds[(at + 5) % kinds->count];
}

/* The drawing as the program gets it, and its shape, where it has one. */
static msk_status draw_item(struct item *item, const item_options *options, pen_strokes *strokes,
                            const struct variation *variation, uint64_t seed, msk_error *error) {
  msk_image sheet = {0};
  msk_prepare_options prepare;
  msk_prepare_init(&prepare);
  prepare.fit = options->fit;
  prepare.photo_of_paper = variation->hand == PEN_PHOTO ? MSK_PHOTO_YES : MSK_PHOTO_AUTO;
  change_strokes(strokes, variation->change, seed);
  msk_status status = msk_image_create(&sheet, 2 * PEN_SHEET, 2 * PEN_SHEET, NULL, error);
  if (status == MSK_OK) {
    pen_draw(strokes, variation->hand, seed, &sheet);
    status = msk_image_prepare(&item->sketch, &sheet, options->size, options->size, &prepare, NULL,
                               error);
  }
  if (variation->change == CHANGE_CLASS) item->kind = another_kind(options->kinds, item->kind);
  if (status == MSK_OK && variation->change != CHANGE_EMPTY && variation->change != CHANGE_SCRIBBLE)
    status = shape_item(item, options, strokes, error);
  msk_image_free(&sheet);
  return status;
}

static msk_status read_strokes(pen_strokes *strokes, const char *path, msk_error *error) {
  void *bytes;
  size_t count;
  char text[32768];
  msk_status status = msk_file_read(path, sizeof text - 1, &bytes, &count, NULL, error);
  if (status != MSK_OK) return status;
  memcpy(text, bytes, count);
  text[count] = 0;
  msk_free(NULL, bytes);
  return pen_parse(strokes, text)
             ? MSK_OK
             : fail(error, MSK_ERROR_FILE, "holds no strokes that can be read", path);
}

static msk_status add_sketches(item_list *list, const item_options *options, int per_kind,
                               const struct variation *variation, msk_error *error) {
  msk_status status = MSK_OK;
  pen_strokes *strokes = malloc(sizeof *strokes);
  if (strokes == NULL) abort();
  *list = (item_list){.solid = true};
  for (int i = 0; i < options->kinds->count; i++) {
    int kind = options->kinds->kinds[i];
    for (int number = 1, taken = 0;
         status == MSK_OK && number <= 5 && (per_kind == 0 || taken < per_kind); number++) {
      struct item *added;
      char path[512];
      if (!in_half(kind, number, options->half)) continue;
      taken++;
      status = add(list, &added, error);
      if (status != MSK_OK) break;
      snprintf(added->name, sizeof added->name, "%s-%d", world_class_name(kind), number);
      snprintf(path, sizeof path, "%s/%s.svg", options->strokes, added->name);
      added->kind = added->group = kind;
      status = read_strokes(strokes, path, error);
      if (status == MSK_OK)
        status =
            draw_item(added, options, strokes, variation, (uint64_t)(kind * 5 + number), error);
    }
  }
  free(strokes);
  return status;
}

msk_status items_sketches(item_list *list, const item_options *options, msk_error *error) {
  return add_sketches(list, options, 0, &plain_pen, error);
}

msk_status items_vary(item_list *list, const item_options *options, int index, msk_error *error) {
  return add_sketches(list, options, options->per_kind, &variations[index], error);
}
