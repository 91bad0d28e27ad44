/* SPDX-License-Identifier: Apache-2.0
 *
 * tiles_amx.h - what tiles.inc is written in: the tile registers of AMX, eight of 16 rows of 64
 * bytes. Assembly, because the compilers' own functions leave out what the instructions read and
 * write (gcc 12), or choose the registers themselves (clang). A tile is named by a literal, 0 to
 * 7; strides are in bytes. */
#ifndef MSK_COMPUTE_CPU_ISA_TILES_AMX_H
#define MSK_COMPUTE_CPU_ISA_TILES_AMX_H

#include <stddef.h>

/* Sets the shape of all tiles: 64 bytes, as tiles.inc lays them out. */
static inline void tile_configure(const void *configuration) {
  __asm__ volatile("ldtilecfg %0" ::"m"(*(const char(*)[64])configuration));
}
/* All tiles are free again, and no longer part of what a switch of threads saves. */
static inline void tile_release(void) { __asm__ volatile("tilerelease"); }

#define tile_zero(t) __asm__ volatile("tilezero %%tmm" #t ::)
#define tile_load(t, from, stride) \
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"(from), "r"((size_t)(stride)) : "memory")
#define tile_store(t, to, stride)                                                       \
  __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"(to), "r"((size_t)(stride)) \
                   : "memor"                                                            \
                     "y")
/* sums += rows x columns: unsigned bytes x signed ones, four a sum. */
#define tile_dot_int8(sums, rows, columns) \
  __asm__ volatile("tdpbusd %%tmm" #columns ", %%tmm" #rows ", %%tmm" #sums ::)

#endif
