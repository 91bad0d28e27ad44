/* SPDX-License-Identifier: Apache-2.0
 *
 * emulated.h - a kernel set that no machine has: AMX's products (isa/tiles.inc) on tile
 * registers in plain C (tiles_emulated.h), with the reference's kernels around them and AVX-512's
 * panels; and the sets of this machine with it behind them. */
#ifndef MSK_TEST_EMULATED_H
#define MSK_TEST_EMULATED_H

#include "compute/cpu/cpu.h"

#define EMULATED_AMX "amx emulated"

/* Names of sets to test: msk_isa_name's, then EMULATED_AMX, then NULL. */
const char *tested_set(int index);
/* A device with that set, its kernels not checked; the caller destroys it. */
msk_device *tested_device(const char *name, msk_precision precision);

/* Configurations of tiles since the program began; threads whose tiles are not released. */
long emulated_configurations_made(void);
long emulated_threads_in_use(void);

#endif
