/* SPDX-License-Identifier: Apache-2.0
 *
 * ruling.c - msk_ruling_remove(): what is printed on paper and is no drawing.
 *   1. Ridges: pixels darker than what lies a few pixels to either side across the line.
 *   2. Lines through them by a Hough transform (R. Duda & P. Hart, 1972) over slope and offset,
 *      once for lines that lie and once for lines that stand. A line of a drawing ends; a printed
 *      one runs through the sheet, and has many like it. So lines are believed from five on that
 *      are nearly parallel and evenly spaced.
 *   3. Along such a line, what is no darker than the line itself is paper: it becomes what lies on
 *      both sides. Strokes that cross it are darker, or lie on both sides, and stay.
 *   4. Dots: dots.c.
 * The lines that stand are found as lying ones of the picture turned over its diagonal. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/paper.h"

enum {
  MOST_LINES = 512,
  LEAST_LINES = 5,
  LEAST_SIDE = 48, /* smaller pictures have no room for a ruling */
  LEAST_CONTRAST = 3,
  SHORTEST = 8, /* lines that only cut a corner are looked for down to this part of the width */
  SAMPLED = 4,  /* every so many-th column votes; all of them then support or deny the line */
  DOUBT = 10    /* percent by which the sample may be wrong */
};

/* The line y = offset + slope * (x - width / 2). */
typedef struct ruled_line {
  double slope, offset;
  int votes, chord; /* columns with a ridge on it; columns inside the picture */
} ruled_line;

/* A picture seen so that the lines sought lie: `across` is the distance in samples to the next
 * pixel along the line, `down` that across it. */
typedef struct view {
  msk_image *image;
  int width, height;
  size_t along, down;
  int reach;        /* pixels from a line's middle to what is surely beside it */
  uint8_t *darkest; /* the least of the three channels, y * width + x */
  uint32_t *ridges; /* y * width + x of each in a column that votes */
  size_t ridge_count;
  uint16_t *votes; /* by offset, for one slope */
  int32_t *shifts; /* by column: from a ridge's row to the offset of the line through it */
  uint8_t *marks;  /* whether a pixel is a ridge, y * width + x */
  ruled_line lines[MOST_LINES];
  int line_count;
} view;

static int darkest(const view *v, int x, int y) {
  return v->darkest[(size_t)y * (size_t)v->width + (size_t)x];
}

/* How much darker the pixel is than the lighter paper on both sides. */
static int contrast(const view *v, int x, int y) {
  int above = darkest(v, x, y - v->reach), below = darkest(v, x, y + v->reach);
  return (above < below ? above : below) - darkest(v, x, y);
}

/* Row y's marks, without a branch, so that pixels go many at a time. */
static void mark_ridges(const view *v, int y, int least) {
  size_t width = (size_t)v->width, beside = (size_t)v->reach * width, at = (size_t)y * width;
  const uint8_t *row = v->darkest + at;
  uint8_t *marks = v->marks + at;
  for (size_t x = 0; x < width; x++) {
    const uint8_t *value = row + x;
    uint8_t above = *(value - beside), below = value[beside], paper = above < below ? above : below;
    marks[x] = (paper - *value >= least) & (*value <= *(value - width)) & (*value <= value[width]);
  }
}

static void find_ridges(view *v, int least) {
  v->ridge_count = 0;
  memset(v->marks, 0, (size_t)v->width * (size_t)v->height);
  for (int y = v->reach; y < v->height - v->reach; y++) {
    mark_ridges(v, y, least);
    for (int x = 0; x < v->width; x += SAMPLED) {
      size_t at = (size_t)y * (size_t)v->width + (size_t)x;
      if (v->marks[at]) v->ridges[v->ridge_count++] = (uint32_t)at;
    }
  }
}

/* Columns in which the line lies within the picture. */
static int chord_of(const view *v, double slope, double offset) {
  double half = v->width / 2.0, from = 0, to = v->width - 1;
  if (fabs(slope) > 1e-9) {
    double a = (v->reach - offset) / slope + half,
           b = (v->height - v->reach - offset) / slope + half;
    from = fmax(from, fmin(a, b));
    to = fmin(to, fmax(a, b));
  }
  if (offset + slope * (from - half) < 0 || offset + slope * (from - half) > v->height) return 0;
  return to > from ? (int)(to - from) : 0;
}

/* Columns of the line with a ridge no further than a pixel away. */
static int count_support(const view *v, const ruled_line *line) {
  int support = 0;
  for (int x = 0; x < v->width; x++) {
    int y = (int)lround(line->offset + line->slope * (x - v->width / 2.0));
    bool hit = false;
    for (int k = y - 1; k <= y + 1; k++)
      hit = hit || (k >= 0 && k < v->height && v->marks[(size_t)k * (size_t)v->width + (size_t)x]);
    support += hit;
  }
  return support;
}

/* Whether the line is there in the outer tenth at either end, where drawings end. */
static bool reaches_edges(const view *v, const ruled_line *line) {
  int tenth = v->width / 10, hits[2] = {0}, columns[2] = {0};
  for (int x = 0; x < v->width; x = x == tenth - 1 ? v->width - tenth : x + 1) {
    int y = (int)lround(line->offset + line->slope * (x - v->width / 2.0)), end = x >= tenth;
    if (y < 1 || y + 1 >= v->height) continue;
    columns[end]++;
    size_t at = (size_t)y * (size_t)v->width + (size_t)x;
    hits[end] += v->marks[at] || v->marks[at - (size_t)v->width] || v->marks[at + (size_t)v->width];
  }
  return 3 * hits[0] >= columns[0] && 3 * hits[1] >= columns[1];
}

/* Long and without gaps comes first: at the picture's edge a short slant one crosses a line that is
 * there, with as few gaps. */
static int compare_lines(const void *left, const void *right) {
  const ruled_line *a = left, *b = right;
  double x = (double)a->votes * a->votes / a->chord, y = (double)b->votes * b->votes / b->chord;
  return (x < y) - (x > y);
}

/* Takes a candidate unless it is one of those there are, a little turned or shifted; the better
 * one stays. */
static void add_line(view *v, ruled_line line) {
  double reach = v->width / 2.0;
  for (int i = 0; i < v->line_count; i++) {
    ruled_line *other = &v->lines[i];
    double shift = other->offset - line.offset, turn = (other->slope - line.slope) * reach;
    if (fabs(shift + turn) > 2.0 * v->reach || fabs(shift - turn) > 2.0 * v->reach) continue;
    if (line.votes > other->votes) *other = line;
    return;
  }
  if (v->line_count < MOST_LINES) v->lines[v->line_count++] = line;
}

/* Each ridge's vote for the line of this slope through it. Most of the time goes here: ridges come
 * row by row, so that nothing is divided. */
static void count_votes(view *v, double slope, int span) {
  uint32_t row = 0, end = (uint32_t)v->width;
  int32_t *shifts = v->shifts;
  int y = 0, width = v->width;
  for (int x = 0; x < width; x++) shifts[x] = (int)(span + 0.5 - slope * (x - width / 2.0));
  for (size_t i = 0; i < v->ridge_count; i++) {
    for (; v->ridges[i] >= end; y++) row = end, end += (uint32_t)v->width;
    v->votes[y + shifts[v->ridges[i] - row]]++;
  }
}

/* All lines of one slope on which ridges stand in `percent` of the columns. */
static void vote(view *v, double slope, int percent) {
  int span = (int)(fabs(slope) * v->width / 2.0) + 2, offsets = v->height + 2 * span;
  int least = v->width / SHORTEST * (percent - DOUBT); /* hundredths of a vote */
  memset(v->votes, 0, (size_t)offsets * sizeof *v->votes);
  count_votes(v, slope, span);
  for (int o = 1; o + 1 < offsets; o++) {
    /* at the most its neighbour has as many: this alone tells for nearly all */
    if (2 * SAMPLED * 100 * v->votes[o] < least) continue;
    /* a line between two offsets has its ridges in both */
    int votes = SAMPLED * (v->votes[o] +
                           (v->votes[o - 1] > v->votes[o + 1] ? v->votes[o - 1] : v->votes[o + 1]));
    ruled_line line = {.slope = slope, .offset = o - span, .votes = votes};
    if (votes * 100 < least || v->votes[o] < v->votes[o - 1] || v->votes[o] < v->votes[o + 1])
      continue;
    line.chord = chord_of(v, line.slope, line.offset);
    if (SHORTEST * line.chord < v->width || votes * 100 < line.chord * (percent - DOUBT)) continue;
    line.votes = count_support(v, &line);
    if (line.votes * 100 >= line.chord * percent) add_line(v, line);
  }
}

static void find_lines(view *v, int percent) {
  int slopes = v->width;
  v->line_count = 0;
  for (int s = -slopes / 2; s <= slopes / 2; s++) vote(v, 2.0 * s / slopes, percent);
  qsort(v->lines, (size_t)v->line_count, sizeof *v->lines, compare_lines);
}

/* How dark a line is in all. */
static int64_t weigh(const view *v, const ruled_line *line) {
  int64_t sum = 0;
  for (int x = 0; x < v->width; x++) {
    int y = (int)lround(line->offset + line->slope * (x - v->width / 2.0));
    if (y >= v->reach && y < v->height - v->reach) sum += contrast(v, x, y);
  }
  return sum;
}

/* Moves both ends by up to two pixels to where the line is darkest. */
static void refine(const view *v, ruled_line *line) {
  ruled_line best = *line;
  int64_t darkest_sum = weigh(v, line);
  for (int left = -2; left <= 2; left++) {
    for (int right = -2; right <= 2; right++) {
      ruled_line moved = *line;
      moved.offset += (left + right) / 2.0;
      moved.slope += (double)(right - left) / v->width;
      int64_t sum = weigh(v, &moved);
      if (sum <= darkest_sum) continue;
      darkest_sum = sum;
      best = moved;
    }
  }
  *line = best;
}

/* Printed lines do not meet: of two that do, or nearly, the better one is kept. Best first. */
static void keep_apart(view *v) {
  double half = v->width / 2.0;
  int kept = 0;
  for (int i = 0; i < v->line_count; i++) {
    const ruled_line *line = &v->lines[i];
    bool meets = false;
    for (int k = 0; k < kept; k++) {
      double shift = line->offset - v->lines[k].offset,
             turn = (line->slope - v->lines[k].slope) * half, left = shift - turn,
             right = shift + turn;
      meets = meets || left * right <= 0 || fmin(fabs(left), fabs(right)) <= 2.0 * v->reach;
    }
    if (!meets) v->lines[kept++] = v->lines[i];
  }
  v->line_count = kept;
}

/* Keeps the lines that are nearly parallel to most. */
static void keep_parallel(view *v) {
  double slopes[MOST_LINES];
  int kept = 0;
  for (int i = 0; i < v->line_count; i++) slopes[i] = v->lines[i].slope;
  qsort(slopes, (size_t)v->line_count, sizeof *slopes, msk_compare_doubles);
  for (int i = 0; i < v->line_count; i++) {
    if (fabs(v->lines[i].slope - slopes[v->line_count / 2]) < 0.1) v->lines[kept++] = v->lines[i];
  }
  v->line_count = kept;
}

/* The middle one of the gaps between neighbours; *even: whether most are about as wide. */
static double find_gap(const view *v, bool *even) {
  double offsets[MOST_LINES], gaps[MOST_LINES];
  int count = v->line_count - 1, alike = 0;
  *even = false;
  if (v->line_count < LEAST_LINES) return 0;
  for (int i = 0; i < v->line_count; i++) offsets[i] = v->lines[i].offset;
  qsort(offsets, (size_t)v->line_count, sizeof *offsets, msk_compare_doubles);
  for (int i = 0; i < count; i++) gaps[i] = offsets[i + 1] - offsets[i];
  qsort(gaps, (size_t)count, sizeof *gaps, msk_compare_doubles);
  for (int i = 0; i < count; i++) alike += fabs(gaps[i] / gaps[count / 2] - 1) < 0.3;
  *even = alike * 100 >= count * 60;
  return gaps[count / 2];
}

/* Lines that only cut a corner have too little in common with the picture to be found: they follow
 * from their neighbours. */
static void add_corners(view *v, double gap) {
  int count = v->line_count, low = 0, high = 0;
  double rise = 0;
  for (int i = 0; i < count; i++) {
    low = v->lines[i].offset < v->lines[low].offset ? i : low;
    high = v->lines[i].offset > v->lines[high].offset ? i : high;
  }
  for (int side = -1; side <= 1; side += 2) {
    ruled_line line = v->lines[side < 0 ? low : high];
    rise = fabs(line.slope) * v->width / 2.0;
    for (line.offset += side * gap; line.offset > -rise && line.offset < v->height + rise;
         line.offset += side * gap) {
      ruled_line corner = line;
      refine(v, &corner);
      if (v->line_count < MOST_LINES) v->lines[v->line_count++] = corner;
    }
  }
}

static int compare_offsets(const void *left, const void *right) {
  const ruled_line *a = left, *b = right;
  return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Lines that run along a stroke are no ridges there, and may have too few votes: between two that
 * are twice, three times, ... the gap apart there are others. */
static void add_between(view *v, double gap) {
  int count = v->line_count;
  qsort(v->lines, (size_t)count, sizeof *v->lines, compare_offsets);
  for (int i = 0; i + 1 < count; i++) {
    const ruled_line *a = &v->lines[i], *b = &v->lines[i + 1];
    double wide = b->offset - a->offset;
    int parts = (int)lround(wide / gap);
    if (fabs(wide / gap - parts) > 0.15 * parts) continue;
    for (int k = 1; k < parts && v->line_count < MOST_LINES; k++) {
      ruled_line line = *a;
      line.offset += wide * k / parts;
      line.slope += (b->slope - a->slope) * k / parts;
      refine(v, &line);
      v->lines[v->line_count++] = line;
    }
  }
}

static uint8_t *sample(const view *v, int x, int y) {
  return v->image->pixels + (size_t)x * v->along + (size_t)y * v->down;
}

static int middle_of(const view *v, const ruled_line *line, int x) {
  return (int)lround(line->offset + line->slope * (x - v->width / 2.0));
}

/* How dark the line is in a channel: the contrast that `percent` of its columns do not exceed. */
static int line_contrast(const view *v, const ruled_line *line, int channel, unsigned percent) {
  uint32_t histogram[256] = {0}, total = 0, below = 0;
  for (int x = 0; x < v->width; x++) {
    int y = middle_of(v, line, x), most = 0;
    if (y - 1 < v->reach || y + 1 >= v->height - v->reach) continue;
    for (int k = y - 1; k <= y + 1; k++) {
      int up = sample(v, x, k - v->reach)[channel], down = sample(v, x, k + v->reach)[channel],
          /* of both sides the darker: beside a stroke, paper must not make the line seem dark */
          paper = up < down ? up : down,
          part = msk_paper_relative(paper - sample(v, x, k)[channel], paper);
      most = part > most ? part : most;
    }
    histogram[most]++;
    total++;
  }
  int value = 0;
  while (value < 255 && (below += histogram[value]) * 100 <= total * percent) value++;
  return value;
}

/* A printed line is equally dark all along; a line of writing has gaps. */
static bool is_solid(const view *v, const ruled_line *line) {
  int light = 0, dark = 0;
  for (int c = 0; c < 3; c++) {
    light += line_contrast(v, line, c, 25);
    dark += line_contrast(v, line, c, 75);
  }
  return 5 * light >= 2 * dark;
}

/* The middle one of the lines' contrasts in each channel. */
static void find_usual(const view *v, int usual[3]) {
  for (int c = 0; c < 3; c++) {
    int contrasts[MOST_LINES];
    for (int i = 0; i < v->line_count; i++) contrasts[i] = line_contrast(v, &v->lines[i], c, 50);
    qsort(contrasts, (size_t)v->line_count, sizeof *contrasts, msk_compare_ints);
    usual[c] = contrasts[v->line_count / 2];
  }
}

/* Whether most lines are as a printer makes them. */
static bool are_printed(const view *v) {
  int count = 0;
  for (int i = 0; i < v->line_count; i++)
    count += reaches_edges(v, &v->lines[i]) && is_solid(v, &v->lines[i]);
  return count * 2 > v->line_count;
}

/* ---- Taking lines away ---- */

static void erase_column(view *v, int x, int middle, const int deepest[3]) {
  int first = middle - v->reach, last = middle + v->reach;
  first = first < 0 ? 0 : first;
  last = last >= v->height ? v->height - 1 : last;
  for (int y = first + 1; y < last; y++) {
    uint8_t *to = sample(v, x, y);
    const uint8_t *above = sample(v, x, first), *below = sample(v, x, last);
    for (int c = 0; c < 3; c++) {
      int paper = (above[c] * (last - y) + below[c] * (y - first)) / (last - first);
      if (paper > to[c] && msk_paper_relative(paper - to[c], paper) <= deepest[c])
        to[c] = (uint8_t)paper;
    }
  }
}

/* usual: what lines have, for one that runs along a stroke seems lighter than it is. */
static void erase_line(view *v, const ruled_line *line, const int usual[3]) {
  int deepest[3];
  for (int c = 0; c < 3; c++) {
    int own = line_contrast(v, line, c, 50);
    deepest[c] = (own > usual[c] ? own : usual[c]) * 3 / 2 + 4 * LEAST_CONTRAST;
  }
  for (int x = 0; x < v->width; x++) {
    int middle = middle_of(v, line, x);
    if (middle > -v->reach && middle < v->height + v->reach) erase_column(v, x, middle, deepest);
  }
}

/* The outermost pixels have nothing beside them: what is printed there becomes what is further
 * in. */
static void erase_edges(view *v) {
  for (int x = 0; x < v->width; x++) {
    for (int k = 0; k <= v->reach; k++) {
      const uint8_t *first = sample(v, x, v->reach + 1),
                    *last = sample(v, x, v->height - v->reach - 2);
      uint8_t *top = sample(v, x, k), *bottom = sample(v, x, v->height - 1 - k);
      for (int c = 0; c < 3; c++) {
        top[c] = first[c] > top[c] ? first[c] : top[c];
        bottom[c] = last[c] > bottom[c] ? last[c] : bottom[c];
      }
    }
  }
}

static void look_at(view *v, bool standing) {
  size_t row = (size_t)v->image->width * 3;
  v->width = standing ? v->image->height : v->image->width;
  v->height = standing ? v->image->width : v->image->height;
  v->along = standing ? row : 3;
  v->down = standing ? 3 : row;
}

static void find_darkest(view *v) {
  uint8_t *to = v->darkest;
  for (int y = 0; y < v->height; y++) {
    const uint8_t *pixel = v->image->pixels + (size_t)y * v->down;
    for (int x = 0; x < v->width; x++, pixel += v->along) {
      uint8_t least = pixel[0] < pixel[1] ? pixel[0] : pixel[1];
      *to++ = least < pixel[2] ? least : pixel[2];
    }
  }
}

/* What grain makes of contrast: three times the median of its magnitude over all pixels. */
static int least_contrast(const view *v) {
  uint32_t histogram[256] = {0}, total = 0;
  size_t width = (size_t)v->width;
  for (int y = v->reach; y < v->height - v->reach; y++) {
    const uint8_t *row = v->darkest + (size_t)y * width, *above = row - (size_t)v->reach * width;
    total += (uint32_t)width;
    if (memcmp(row, above, width) == 0) { /* nothing but paper */
      histogram[0] += (uint32_t)width;
      continue;
    }
    for (size_t x = 0; x < width; x++) histogram[abs(above[x] - row[x])]++;
  }
  int value = msk_histogram_median(histogram, total);
  return 2 * value > LEAST_CONTRAST ? 2 * value : LEAST_CONTRAST;
}

/* Erases the lines that lie, or stand. `crossing`: there are others already, so that a single one
 * (the margin of a school book) will do if it runs through the whole sheet. */
static bool remove_family(view *v, bool standing, bool crossing) {
  look_at(v, standing);
  find_darkest(v);
  find_ridges(v, least_contrast(v));
  find_lines(v, 50);
  keep_apart(v);
  keep_parallel(v);
  bool even;
  double gap = find_gap(v, &even);
  for (int i = 0; i < v->line_count; i++) refine(v, &v->lines[i]);
  bool found = even && are_printed(v);
  int usual[3] = {0};
  if (found) {
    find_usual(v, usual);
    add_between(v, gap);
    add_corners(v, gap);
  }
  for (int i = 0; i < v->line_count; i++) {
    bool through = crossing && v->lines[i].votes * 100 >= v->lines[i].chord * 85;
    if (!found && !through) continue;
    erase_line(v, &v->lines[i], usual);
  }
  if (found) erase_edges(v);
  return found;
}

msk_status msk_ruling_remove(bool *found, msk_image *sketch, const msk_allocator *allocator,
                             msk_error *error) {
  int longer = sketch->width > sketch->height ? sketch->width : sketch->height,
      shorter = sketch->width < sketch->height ? sketch->width : sketch->height;
  size_t pixels = (size_t)sketch->width * (size_t)sketch->height;
  *found = false;
  if (shorter < LEAST_SIDE) return MSK_OK;
  view *v = msk_allocate_zeroed(allocator, 1, sizeof *v);
  if (v != NULL) {
    v->image = sketch;
    v->reach = longer / 200 > 2 ? longer / 200 : 2;
    v->darkest = msk_allocate(allocator, pixels, 1);
    v->marks = msk_allocate(allocator, pixels, 1);
    v->ridges = msk_allocate(allocator, pixels, sizeof *v->ridges);
    v->votes = msk_allocate(allocator, 3 * (size_t)longer + 16, sizeof *v->votes);
    v->shifts = msk_allocate(allocator, (size_t)longer, sizeof *v->shifts);
  }
  msk_status status = MSK_OK;
  if (v == NULL || v->darkest == NULL || v->marks == NULL || v->ridges == NULL ||
      v->votes == NULL || v->shifts == NULL) {
    status =
        msk_fail(error, MSK_ERROR_MEMORY, "no memory for looking at a sketch of %d x %d pixels",
                 sketch->width, sketch->height);
  } else {
    bool lying = remove_family(v, false, false), standing = remove_family(v, true, lying);
    if (standing && !lying) remove_family(v, false, true);
    look_at(v, false);
    find_darkest(v);
    *found = lying || standing ||
             msk_dots_remove(sketch, v->darkest, v->marks, v->ridges, v->reach,
                             least_contrast(v) + 2 * LEAST_CONTRAST);
  }
  if (v != NULL) {
    msk_free(allocator, v->darkest);
    msk_free(allocator, v->marks);
    msk_free(allocator, v->ridges);
    msk_free(allocator, v->votes);
    msk_free(allocator, v->shifts);
    msk_free(allocator, v);
  }
  return status;
}
