/* SPDX-License-Identifier: Apache-2.0
 *
 * render_world.c: the studio world as a program: pictures as PPM and PGM files, or a contact sheet.
 */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VIEWS = 6 + WORLD_HANDS, MOST_OBJECTS = 1000000 /* of a class, in one call */ };

static const char *const HAND_NAMES[WORLD_HANDS] = {"clean", "pen", "marker", "pencil", "outline"};

struct options {
  int class_first, class_last, count, size;
  uint64_t seed;
  const char *out, *sheet;
  enum world_style style;
};

struct view {
  const char *name;
  int channels;
  uint8_t *data;
};

static const char USAGE[] =
    "usage: render_world --class NAME|all [--seed N] [--count K] [--size S] [--style "
    "plain|rich|wide] --out DIR | --sheet FILE.ppm\n"
    "  --out DIR       every picture of every object, as DIR/CLASS_SEED_VIEW.ppm (or .pgm)\n"
    "  --sheet FILE    one row an object: photo, drawings, cartoon, shading, pencil, parts, "
    "normals\n";

static int write_pnm(const char *path, const uint8_t *data, int w, int h, int channels) {
  FILE *f = fopen(path, "wb");
  if (!f) return -1;
  size_t bytes = (size_t)w * (size_t)h * (size_t)channels;
  int bad = fprintf(f, "P%d\n%d %d\n255\n", channels == 3 ? 6 : 5, w, h) < 0 ||
            fwrite(data, 1, bytes, f) != bytes;
  return fclose(f) || bad ? -1 : 0;
}

static void bind_views(struct view *v, struct world_views *w, uint8_t *block, int size) {
  size_t plane = (size_t)size * (size_t)size;
  static const char *const names[6] = {"photo",   "cartoon",    "coloured_pencil",
                                       "normals", "silhouette", "shade"};
  for (int i = 0; i < VIEWS; i++) {
    v[i].name = i < 6 ? names[i] : HAND_NAMES[i - 6];
    v[i].channels = i < 4 ? 3 : 1;
    v[i].data = block;
    block += plane * (size_t)v[i].channels;
  }
  w->photo = v[0].data;
  w->cartoon = v[1].data;
  w->coloured_pencil = v[2].data;
  w->normals = v[3].data;
  w->silhouette = v[4].data;
  w->shade = v[5].data;
  for (int i = 0; i < WORLD_HANDS; i++) w->hands[i] = v[6 + i].data;
  w->parts = block;
}

/* Copy a view into the sheet as colour. */
static void paste(uint8_t *sheet, int columns, int column, int row, const struct view *v,
                  int size) {
  size_t stride = (size_t)columns * (size_t)size * 3;
  for (int y = 0; y < size; y++) {
    uint8_t *to = sheet + ((size_t)row * (size_t)size + (size_t)y) * stride +
                  (size_t)column * (size_t)size * 3;
    const uint8_t *from = v->data + (size_t)y * (size_t)size * (size_t)v->channels;
    for (int i = 0; i < 3 * size; i++) to[i] = v->channels == 3 ? from[i] : from[i / 3];
  }
}

static int save_views(const struct options *o, const struct view *v, const uint8_t *parts,
                      int class_id, uint64_t seed) {
  char path[1024];
  for (int i = 0; i <= VIEWS; i++) {
    int channels = i < VIEWS ? v[i].channels : 1;
    snprintf(path, sizeof path, "%s/%s_%llu_%s.%s", o->out, world_class_name(class_id),
             (unsigned long long)seed, i < VIEWS ? v[i].name : "parts",
             channels == 3 ? "ppm" : "pgm");
    if (write_pnm(path, i < VIEWS ? v[i].data : parts, o->size, o->size, channels)) {
      fprintf(stderr, "render_world: cannot write %s\n", path);
      return -1;
    }
  }
  return 0;
}

static int run(const struct options *o) {
  size_t plane = (size_t)o->size * (size_t)o->size;
  int rows = (o->class_last - o->class_first + 1) * o->count, row = 0, rc = 0;
  uint8_t *block = malloc(plane * 32),
          *sheet = o->sheet ? malloc(plane * 3 * VIEWS * (size_t)rows) : NULL;
  struct view v[VIEWS];
  struct world_views w;
  if (!block || (o->sheet && !sheet)) {
    fprintf(stderr, "render_world: not enough memory for %d objects of %d pixels\n", rows, o->size);
    free(block);
    free(sheet);
    return 1;
  }
  bind_views(v, &w, block, o->size);
  for (int c = o->class_first; c <= o->class_last && !rc; c++)
    for (int k = 0; k < o->count && !rc; k++, row++) {
      uint64_t seed = o->seed + (uint64_t)k;
      rc = world_render(c, seed, o->size, o->style, &w);
      if (!rc && o->out) rc = save_views(o, v, w.parts, c, seed);
      for (int i = 0; i < VIEWS && sheet; i++) paste(sheet, VIEWS, i, row, &v[i], o->size);
    }
  if (!rc && sheet && (rc = write_pnm(o->sheet, sheet, VIEWS * o->size, rows * o->size, 3)) != 0)
    fprintf(stderr, "render_world: cannot write %s\n", o->sheet);
  free(block);
  free(sheet);
  return rc ? 1 : 0;
}

static int parse_class(struct options *o, const char *name) {
  o->class_first = 0;
  o->class_last = WORLD_SHAPES - 1;
  if (!strcmp(name, "all")) return 0;
  int found = world_class_find(name);
  if (found >= 0) {
    o->class_first = o->class_last = found;
    return 0;
  }
  fprintf(stderr, "render_world: no class \"%s\"\n", name);
  return -1;
}

/* Digits alone, at most `most`. */
static int parse_number(uint64_t *number, const char *text, uint64_t most) {
  char *end = NULL;
  errno = 0;
  *number = strtoull(text, &end, 10);
  return text[0] < '0' || text[0] > '9' || *end != 0 || errno != 0 || *number > most ? -1 : 0;
}

static int parse_style(struct options *o, const char *name) {
  static const char *const names[] = {
      [WORLD_PLAIN] = "plain", [WORLD_RICH] = "rich", [WORLD_WIDE] = "wide"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(name, names[i]) != 0) continue;
    o->style = (enum world_style)i;
    return 0;
  }
  return -1;
}

int main(int argc, char **argv) {
  struct options o = {0, -1, 1, 256, 1, NULL, NULL, WORLD_PLAIN};
  uint64_t number = 0;
  for (int i = 1; i < argc; i += 2) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    int bad = !value;
    if (bad) {
    } else if (!strcmp(argv[i], "--class")) {
      bad = parse_class(&o, value) != 0;
    } else if (!strcmp(argv[i], "--seed")) {
      bad = parse_number(&o.seed, value, UINT64_MAX) != 0;
    } else if (!strcmp(argv[i], "--count")) {
      bad = parse_number(&number, value, MOST_OBJECTS) != 0;
      o.count = (int)number;
    } else if (!strcmp(argv[i], "--size")) {
      bad = parse_number(&number, value, WORLD_SIZE_MAX) != 0;
      o.size = (int)number;
    } else if (!strcmp(argv[i], "--style")) {
      bad = parse_style(&o, value) != 0;
    } else if (!strcmp(argv[i], "--out")) {
      o.out = value;
    } else if (!strcmp(argv[i], "--sheet")) {
      o.sheet = value;
    } else {
      bad = 1;
    }
    if (bad) {
      fputs(USAGE, stderr);
      return 2;
    }
  }
  if (o.class_last < 0 || (!o.out && !o.sheet) || o.count < 1 || o.size < WORLD_SIZE_MIN ||
      o.size > WORLD_SIZE_MAX) {
    fputs(USAGE, stderr);
    return 2;
  }
  return run(&o);
}
