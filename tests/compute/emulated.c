/* SPDX-License-Identifier: Apache-2.0 */
#include "emulated.h"

#include "support.h"
#include "tiles_emulated.h"

#include "compute/cpu/isa/tiles.inc"

/* The reference's, for panels of any width. */
static void gemm_panel(size_t rows, size_t width, size_t depth, const float *a, size_t a_stride,
                       const float *b, float *c, size_t c_stride, bool add, const float *next) {
  (void)next;
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < width; j++) {
      float sum = 0, *to = &c[i * c_stride + j];
      for (size_t k = 0; k < depth; k++) sum += a[i * a_stride + k] * b[k * width + j];
      *to = add ? *to + sum : sum;
    }
  }
}

enum { TILE_ROWS = 12 };

/* The reference's, for this set's tiles. */
static void pack_tiles(size_t depth, size_t columns, const float *x, size_t x_stride, float *y) {
  for (size_t k = 0; k < depth; k++) {
    for (size_t i = 0; i < columns; i++)
      y[(i / TILE_ROWS * depth + k) * TILE_ROWS + i % TILE_ROWS] = x[k * x_stride + i];
  }
}

static void emulate(void *user, msk_kernels *kernels) {
  (void)user;
  kernels->isa = EMULATED_AMX;
  kernels->panel = 2 * TILE;
  kernels->tile_rows = TILE_ROWS;
  kernels->gemm_panel = gemm_panel;
  kernels->pack_tiles = pack_tiles;
  kernels->int8_panel = int8_panel;
  kernels->end_products = end_products;
}

const char *tested_set(int index) {
  const char *name = msk_isa_name(index);
  if (name != NULL) return name;
  return index > 0 && msk_isa_name(index - 1) != NULL ? EMULATED_AMX : NULL;
}

msk_device *tested_device(const char *name, msk_precision precision) {
  bool emulated_set = strcmp(name, EMULATED_AMX) == 0;
  const msk_device_hook hook = {emulate, NULL};
  msk_device *device;
  assert_int_equal(msk_device_create_with(&device, emulated_set ? "ref" : name, precision, NULL,
                                          emulated_set ? &hook : NULL, NULL),
                   MSK_OK);
  assert_string_equal(msk_device_isa(device), name);
  return device;
}

long emulated_configurations_made(void) { return emulated_configurations; }

long emulated_threads_in_use(void) { return emulated_in_use; }
