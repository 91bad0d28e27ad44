/* SPDX-License-Identifier: Apache-2.0
 *
 * halton.h - an order of positions in which a square of tokens is settled, after the Halton
 * sequence (bases 2 and 3): positions that follow each other lie far apart, and every beginning
 * of the order covers the square evenly (Besnier et al. 2025, arXiv 2503.17076). Pure functions
 * on caller's memory. */
#ifndef MSK_SAMPLING_HALTON_H
#define MSK_SAMPLING_HALTON_H

#include <stdint.h>

/* rank[y * side + x]: the place of that position in the order, 0..side*side-1. */
void msk_order_halton(int32_t *rank, int side);
/* The side of a square of `count` positions, 0 where they form none. */
int msk_order_side(int count);

#endif
