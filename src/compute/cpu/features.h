/* SPDX-License-Identifier: Apache-2.0
 *
 * features.h - what the processor and the operating system allow: one answer an instruction set
 * of device.c. The questions are asked through a table, so that tests can answer for machines
 * that are not there. */
#ifndef MSK_COMPUTE_CPU_FEATURES_H
#define MSK_COMPUTE_CPU_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct msk_cpuid {
  uint32_t a, b, c, d;
} msk_cpuid;

typedef struct msk_machine {
#if defined(__x86_64__)
  /* all zero for a leaf that the processor does not have */
  msk_cpuid (*cpuid)(uint32_t leaf, uint32_t subleaf);
  /* XCR0: the registers that the system saves, a bit each; asked only where cpuid has OSXSAVE */
  uint64_t (*saved_registers)(void);
  /* Asks the system for leave to use the registers of this bit; it holds for the whole process. */
  bool (*request_registers)(int bit);
#else
  unsigned long (*hardware)(void); /* AT_HWCAP */
#endif
} msk_machine;

/* This one. */
extern const msk_machine msk_this_machine;

typedef bool msk_feature(const msk_machine *machine);
#if defined(__x86_64__)
msk_feature msk_has_avx2, msk_has_avxvnni, msk_has_avx512, msk_has_avx512vnni, msk_has_avx512bf16;
/* Tiles of 16 rows of 64 bytes, products of 8 bits in them, and AVX-512 VNNI and BF16. The system
 * is asked only where all else is there. */
msk_feature msk_has_amx;
#elif defined(__aarch64__)
msk_feature msk_has_neondot;
#endif

/* Bytes of the second-level cache of a core of this machine, as the C library tells; 0: it does
 * not. */
size_t msk_second_cache(void);

#endif
