/* SPDX-License-Identifier: Apache-2.0
 * choose_device.h - which device networks get, as msk_model_options.device has it. */
#ifndef MSK_API_CHOOSE_DEVICE_H
#define MSK_API_CHOOSE_DEVICE_H

#include "compute/backend.h"

/* What is asked for: of the options that whoever opens a network gives. */
typedef struct msk_device_wish {
  const char *device, *device_cache, *isa;
  int threads;
  const msk_allocator *allocator;
} msk_device_wish;

/* True unless the device is the CPU, whatever is found. */
bool msk_device_is_asked_for(const char *device);
bool msk_device_is_auto(const char *device);
/* *gpu: the device that is asked for, of this precision, or NULL: the CPU. "auto", of float32: the
 * first one, if a product of `rows` rows with an in x out matrix, one of the networks' own, takes it
 * less time than the CPU; where not, `line` says why. */
typedef struct msk_product_size {
  size_t rows, in, out;
} msk_product_size;
msk_status msk_choose_device(msk_device **gpu, const msk_device_wish *wish, msk_precision precision,
                             const msk_product_size *size, char line[600], msk_error *error);

#endif
