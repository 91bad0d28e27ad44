/* SPDX-License-Identifier: Apache-2.0
 *
 * pen.c - see pen.h. A line is drawn as discs set along it, half a unit apart; coverage of
 * overlapping discs is the largest. */
#include "pen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/outside.h"

enum { CURVE_STEPS = 32, CLOSE = 3 /* half the widest gap that pen_shape() closes */ };

/* ---- chance ---- */

static double chance(uint64_t *state) { /* splitmix64, [0, 1) */
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* variance 1/3 */
static double spread(uint64_t *state) {
  return chance(state) + chance(state) + chance(state) + chance(state) - 2;
}

/* Noise that changes over `period` steps: straight between random knots. */
struct drift {
  double from, to, at, period;
};
static struct drift drift_start(uint64_t *state, double period) {
  return (struct drift){spread(state), spread(state), 0, period};
}
static double drift_next(struct drift *d, uint64_t *state) {
  if (++d->at >= d->period) *d = (struct drift){d->to, spread(state), 0, d->period};
  return d->from + (d->to - d->from) * d->at / d->period;
}

/* ---- reading ---- */

static bool add_point(pen_strokes *s, double x, double y) {
  int at = s->starts[s->line_count];
  if (at >= PEN_MAX_POINTS || !(fabs(x) < 10000 && fabs(y) < 10000)) return false;
  s->x[at] = (float)x, s->y[at] = (float)y;
  s->starts[s->line_count]++;
  return true;
}

/* Begins a line: starts[line_count] is the end of the line being made. */
static bool begin_line(pen_strokes *s) {
  if (s->line_count >= PEN_MAX_LINES) return false;
  s->line_count++;
  s->starts[s->line_count] = s->starts[s->line_count - 1];
  return true;
}

static bool read_numbers(const char **at, double *values, int count) {
  for (int i = 0; i < count; i++) {
    char *end;
    values[i] = strtod(*at, &end);
    if (end == *at) return false;
    *at = end + strspn(end, " ,\n");
  }
  return true;
}

static bool add_curve(pen_strokes *s, const double *from, const double *p, bool cubic) {
  for (int k = 1; k <= CURVE_STEPS; k++) {
    double t = (double)k / CURVE_STEPS, u = 1 - t, xy[2];
    for (int i = 0; i < 2; i++) {
      xy[i] = cubic ? u * u * u * from[i] + 3 * t * u * u * p[i] + 3 * t * t * u * p[2 + i] +
                          t * t * t * p[4 + i]
                    : u * u * from[i] + 2 * t * u * p[i] + t * t * p[2 + i];
    }
    if (!add_point(s, xy[0], xy[1])) return false;
  }
  return true;
}

/* Of SVG's commands in capitals, as many as are known here. */
static int numbers_of(char command) {
  switch (command) {
    case 'C': return 6;
    case 'Q': return 4;
    case 'Z': return 0;
    default: return 2;
  }
}

/* One path's data, up to the closing quote. */
static bool parse_path(pen_strokes *s, const char *at) {
  double here[2] = {0, 0}, first[2] = {0, 0}, p[6];
  char command = 0;
  for (at += strspn(at, " \n"); *at != '"'; at += strspn(at, " ,\n")) {
    if (*at == 0) return false;
    if (strchr("MLCQZ", *at) != NULL) command = *at++;
    int numbers = numbers_of(command);
    at += strspn(at, " ,\n");
    if (command == 0 || !read_numbers(&at, p, numbers)) return false;
    if (command == 'M') memcpy(first, p, sizeof first);
    bool fine = false;
    switch (command) {
      case 'M': fine = begin_line(s) && add_point(s, p[0], p[1]); break;
      case 'L': fine = add_point(s, p[0], p[1]); break;
      case 'Z': fine = add_point(s, first[0], first[1]); break;
      default: fine = add_curve(s, here, p, command == 'C'); break;
    }
    if (!fine || s->line_count == 0) return false;
    memcpy(here, command == 'Z' ? first : p + numbers - 2, sizeof here);
    if (command == 'Z') command = 0;
  }
  return true;
}

bool pen_parse(pen_strokes *strokes, const char *text) {
  static const char mark[] = "<path d=\"";
  strokes->line_count = 0;
  strokes->starts[0] = 0;
  for (const char *at = strstr(text, mark); at != NULL; at = strstr(at + 1, mark)) {
    if (!parse_path(strokes, at + sizeof mark - 1)) return false;
  }
  return strokes->line_count > 0;
}

/* ---- changing ---- */

void pen_move(pen_strokes *strokes, double degrees, double scale, double dx, double dy) {
  double angle = degrees * 3.14159265358979323846 / 180, c = scale * cos(angle),
         d = scale * sin(angle), middle = PEN_SHEET / 2.0;
  for (int i = 0; i < strokes->starts[strokes->line_count]; i++) {
    double x = strokes->x[i] - middle, y = strokes->y[i] - middle;
    strokes->x[i] = (float)(middle + c * x - d * y + dx);
    strokes->y[i] = (float)(middle + d * x + c * y + dy);
  }
}

void pen_scribble(pen_strokes *strokes, uint64_t seed) {
  enum { LINES = 3, POINTS = 400 };
  strokes->line_count = 0;
  strokes->starts[0] = 0;
  for (int line = 0; line < LINES; line++) {
    begin_line(strokes);
    double x = 60 + 136 * chance(&seed), y = 60 + 136 * chance(&seed), angle = 6.28 * chance(&seed);
    struct drift turn = drift_start(&seed, 25);
    for (int i = 0; i < POINTS; i++) {
      angle += 0.25 * drift_next(&turn, &seed);
      x += 3 * cos(angle), y += 3 * sin(angle);
      if (x < 15 || x > 241 || y < 15 || y > 241) angle += 0.5;
      x = fmin(fmax(x, 10), 246), y = fmin(fmax(y, 10), 246);
      add_point(strokes, x, y);
    }
  }
}

/* ---- drawing ---- */

struct ink {
  float *cover; /* size x size, 0..1 */
  int size;
};

static void set_disc(const struct ink *ink, double x, double y, double radius, double strength) {
  int x0 = (int)fmax(floor(x - radius - 1), 0), x1 = (int)fmin(ceil(x + radius + 1), ink->size);
  int y0 = (int)fmax(floor(y - radius - 1), 0), y1 = (int)fmin(ceil(y + radius + 1), ink->size);
  for (int j = y0; j < y1; j++) {
    for (int i = x0; i < x1; i++) {
      double cover = radius + 0.5 - hypot(i + 0.5 - x, j + 0.5 - y);
      float *at = &ink->cover[(size_t)j * (size_t)ink->size + (size_t)i];
      *at = fmaxf(*at, (float)(strength * fmin(fmax(cover, 0), 1)));
    }
  }
}

/* How a hand moves: width and wobble in units of the sheet; with gaps, the pencil leaves the
 * paper now and then; drawn `passes` times. */
struct manner {
  double width, wobble;
  bool gaps;
  int passes;
};

static void set_line(const struct ink *ink, const pen_strokes *s, int line,
                     const struct manner *manner, uint64_t *state) {
  double scale = (double)ink->size / PEN_SHEET, left = 0;
  double slip_x = manner->passes > 1 ? spread(state) : 0,
         slip_y = manner->passes > 1 ? spread(state) : 0;
  struct drift dx = drift_start(state, 40), dy = drift_start(state, 40),
               width = drift_start(state, 60), press = drift_start(state, 50);
  for (int i = s->starts[line]; i + 1 < s->starts[line + 1]; i++) {
    double x0 = s->x[i], y0 = s->y[i], x1 = s->x[i + 1], y1 = s->y[i + 1],
           length = hypot(x1 - x0, y1 - y0);
    for (; left <= length; left += 0.5) {
      double t = length > 0 ? left / length : 0;
      double x = x0 + t * (x1 - x0) + slip_x + 1.7 * manner->wobble * drift_next(&dx, state);
      double y = y0 + t * (y1 - y0) + slip_y + 1.7 * manner->wobble * drift_next(&dy, state);
      double radius = manner->width / 2 * (1 + 0.25 * drift_next(&width, state));
      bool off = drift_next(&press, state) > 0.25 && manner->gaps;
      if (!off) set_disc(ink, x * scale, y * scale, radius * scale, 1);
    }
    left -= length;
  }
}

static void set_lines(const struct ink *ink, const pen_strokes *strokes,
                      const struct manner *manner, uint64_t seed) {
  memset(ink->cover, 0, (size_t)ink->size * (size_t)ink->size * sizeof *ink->cover);
  for (int pass = 0; pass < manner->passes; pass++) {
    for (int line = 0; line < strokes->line_count; line++)
      set_line(ink, strokes, line, manner, &seed);
  }
}

static const struct manner manners[] = {
    [PEN_PLAIN] = {4, 0.5, false, 1},  [PEN_THIN] = {2, 0.8, false, 1},
    [PEN_THICK] = {9, 0.8, false, 1},  [PEN_BROKEN] = {2.4, 1, true, 1},
    [PEN_FILLED] = {4, 0.5, false, 1}, [PEN_PHOTO] = {3.6, 0.8, false, 1},
};

/* Light on a photographed sheet at (x, y) of 0..1: falls off to one side, a soft shadow across a
 * corner. */
static double paper_light(double x, double y) {
  double shadow = 1 - 0.22 / (1 + exp(-(x + 0.6 * y - 1.05) * 22));
  return (0.80 - 0.28 * x - 0.14 * y + 0.05 * sin(4 * x + 3 * y)) * shadow;
}

static void paint(const struct ink *ink, pen_hand hand, const uint8_t *shape, uint64_t seed,
                  uint8_t *pixels) {
  for (int y = 0; y < ink->size; y++) {
    for (int x = 0; x < ink->size; x++, pixels += 3) {
      double cover = ink->cover[(size_t)y * (size_t)ink->size + (size_t)x], grey = 1 - cover,
             tint[3] = {1, 1, 1};
      if (hand == PEN_BROKEN) grey = 1 - 0.7 * cover;
      if (hand == PEN_FILLED &&
          shape[y * PEN_SHEET / ink->size * PEN_SHEET + x * PEN_SHEET / ink->size])
        grey = fmin(grey, 0.6);
      if (hand == PEN_PHOTO) {
        grey = paper_light((double)x / ink->size, (double)y / ink->size) * (1 - 0.75 * cover) +
               0.02 * spread(&seed);
        tint[1] = 0.965, tint[2] = 0.89;
      }
      for (int c = 0; c < 3; c++)
        pixels[c] = (uint8_t)lround(255 * fmin(fmax(grey * tint[c], 0), 1));
    }
  }
}

void pen_draw(const pen_strokes *strokes, pen_hand hand, uint64_t seed, const msk_image *image) {
  struct ink ink = {.size = image->width};
  uint8_t *shape = malloc(PEN_SHAPE);
  ink.cover = malloc((size_t)ink.size * (size_t)ink.size * sizeof *ink.cover);
  /* a tool's 300 kB: nothing sensible is left to do */
  if (shape == NULL || ink.cover == NULL) abort();
  if (hand == PEN_FILLED) pen_shape(strokes, shape);
  set_lines(&ink, strokes, &manners[hand], seed);
  paint(&ink, hand, shape, seed, image->pixels);
  free(ink.cover);
  free(shape);
}

/* ---- the drawn shape ---- */

/* paper around the sheet, so that dilated lines never wall off the border */
enum { MARGIN = CLOSE + 1, ROOM = PEN_SHEET + 2 * MARGIN };

static void grow(const uint8_t *from, uint8_t *to, int radius) {
  memset(to, 0, ROOM * ROOM);
  for (int y = 0; y < ROOM; y++) {
    for (int x = 0; x < ROOM; x++) {
      if (!from[y * ROOM + x]) continue;
      for (int j = -radius; j <= radius; j++) {
        for (int i = -radius; i <= radius; i++) {
          bool inside = i * i + j * j <= radius * radius && y + j >= 0 && y + j < ROOM &&
                        x + i >= 0 && x + i < ROOM;
          if (inside) to[(y + j) * ROOM + x + i] = 1;
        }
      }
    }
  }
}

void pen_shape(const pen_strokes *strokes, uint8_t *shape) {
  uint8_t *wall = calloc(3, ROOM * ROOM), *thick = wall + ROOM * ROOM,
          *reached = thick + ROOM * ROOM;
  struct ink ink = {.size = PEN_SHEET};
  ink.cover = malloc(PEN_SHAPE * sizeof *ink.cover);
  int *stack = malloc(ROOM * ROOM * sizeof *stack);
  if (wall == NULL || ink.cover == NULL || stack == NULL) abort();
  static const struct manner plain = {4, 0, false, 1};
  set_lines(&ink, strokes, &plain, 1);
  for (int i = 0; i < PEN_SHAPE; i++)
    wall[(i / PEN_SHEET + MARGIN) * ROOM + i % PEN_SHEET + MARGIN] = ink.cover[i] > 0.5f;
  grow(wall, thick, CLOSE);
  find_outside(thick, ROOM, ROOM, reached, stack);
  grow(reached, thick, CLOSE); /* the outside grows back to the lines */
  for (int i = 0; i < PEN_SHAPE; i++) {
    int at = (i / PEN_SHEET + MARGIN) * ROOM + i % PEN_SHEET + MARGIN;
    shape[i] = wall[at] || !thick[at];
  }
  free(stack);
  free(ink.cover);
  free(wall);
}
