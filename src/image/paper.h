/* SPDX-License-Identifier: Apache-2.0
 *
 * paper.h - what a drawing stands on: its ground, cell by cell; whether that is white, tinted or
 * photographed; and the ruling that is printed on it. */
#ifndef MSK_IMAGE_PAPER_H
#define MSK_IMAGE_PAPER_H

#include <stdbool.h>

#include "masksketch.h"

enum { MSK_GROUND_CELLS = 16 }; /* a side */

/* The median colour of each cell of a grid over the picture. Lines cover less than half of a
 * cell, so that this is the paper wherever something is drawn and not filled. */
typedef struct msk_ground {
  uint8_t colours[MSK_GROUND_CELLS * MSK_GROUND_CELLS][3];
  uint8_t grey[MSK_GROUND_CELLS * MSK_GROUND_CELLS]; /* their brightness */
} msk_ground;

void msk_ground_find(msk_ground *ground, const msk_image *sketch);
/* The cell in which pixel (x, y) lies. */
int msk_ground_cell(const msk_image *sketch, int x, int y);
/* The value that half of the `total` counted ones do not exceed. */
uint8_t msk_histogram_median(const uint32_t histogram[256], uint64_t total);
/* 0..255, by the weights of ITU-R BT.601. */
uint8_t msk_brightness(const uint8_t rgb[3]);

typedef enum msk_paper {
  MSK_PAPER_AS_IS,       /* white already, or no paper at all */
  MSK_PAPER_TINTED,      /* one colour, which is not white */
  MSK_PAPER_PHOTOGRAPHED /* light and shadow, grain */
} msk_paper;

/* Judges a sketch that is dark on light; colour: the paper's where it is tinted. */
msk_paper msk_paper_judge(uint8_t colour[3], const msk_image *sketch);
/* Whether a picture that is dark in the middle is light paper, most of which lies in soft shadow:
 * a tenth of it is lit, and nowhere does the ground end in an edge. */
bool msk_paper_is_in_shadow(const msk_image *sketch);
/* Whether the sketch is light lines on a ground that is neither dark nor white: what stands out
 * from its ground does so by being lighter. */
bool msk_paper_is_written_light(const msk_image *sketch);
/* Brings paper of this colour to white, in place; by brightness alone where the paper has next to
 * nothing of a colour: everything on it is grey then. */
void msk_paper_level(msk_image *sketch, const uint8_t colour[3]);

/* Covers a frame, a line or a narrow band of one colour along all four borders, with what lies
 * within, in place; false, and the picture is untouched, where there is none. */
bool msk_frame_remove(msk_image *sketch);
/* Takes off a sketch that is dark on light what lies along a single border and is not drawn, in
 * place: the dark edge of a scan or of a book's fold, which is soft, becomes as light as the paper;
 * the holes of a binding, a row of even dark marks, become paper. *found tells whether there was
 * anything. Errors: MSK_ERROR_MEMORY. */
msk_status msk_edges_clear(bool *found, msk_image *sketch, const msk_allocator *allocator,
                           msk_error *error);
/* Covers a dark table round a photographed sheet with the sheet's colour, in place; *found tells
 * whether there was one. Errors: MSK_ERROR_MEMORY. */
msk_status msk_table_remove(bool *found, msk_image *sketch, const msk_allocator *allocator,
                            msk_error *error);
/* Takes ruled lines, squares and dots off a sketch that is dark on light, in place; *found tells
 * whether there were any (the picture is untouched otherwise). Lines count as ruling where at
 * least five of them run straight through the whole picture, parallel and evenly spaced, at any
 * angle; and single ones that cross these. Errors: MSK_ERROR_MEMORY. */
msk_status msk_ruling_remove(bool *found, msk_image *sketch, const msk_allocator *allocator,
                             msk_error *error);

/* The same for dots, on what ruling.c has at hand: the least of each pixel's channels; room for a
 * mark and a number a pixel; how far it is to what is surely beside a dot; the least contrast, in
 * 1/255 of the paper. False, and the picture is untouched, where there are none. */
bool msk_dots_remove(msk_image *image, const uint8_t *darkest, uint8_t *marks, uint32_t *stack,
                     int reach, int least);

/* A difference as a part of the paper's brightness, in 1/255: in a shadow everything is nearer. */
static inline int msk_paper_relative(int difference, int paper) {
  return 255 * difference / (paper > 0 ? paper : 1);
}
/* For qsort(). */
int msk_compare_doubles(const void *left, const void *right);
int msk_compare_ints(const void *left, const void *right);

#endif
