/* SPDX-License-Identifier: Apache-2.0
 *
 * features.c - cpuid, xgetbv and the system's word on which instruction sets can run here, and
 * the C library's on the caches. An instruction of a set counts only with the registers that it
 * needs: a system that does not save them would mix those of two programs. */
#include "compute/cpu/features.h"

#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

/* ---- this machine ---- */

static msk_cpuid ask_cpuid(uint32_t leaf, uint32_t subleaf) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(leaf, subleaf, &a, &b, &c, &d)) return (msk_cpuid){0};
  return (msk_cpuid){a, b, c, d};
}

static uint64_t ask_saved_registers(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

/* Linux lets a process have the tiles' 8 KB, a thread, only when it asks. */
static bool ask_for_registers(int bit) {
#ifdef __linux__
  enum { REQUEST_STATE = 0x1023 }; /* ARCH_REQ_XCOMP_PERM: older headers do not have it */
  return syscall(SYS_arch_prctl, REQUEST_STATE, (unsigned long)bit) == 0;
#else
  (void)bit;
  return false;
#endif
}

const msk_machine msk_this_machine = {ask_cpuid, ask_saved_registers, ask_for_registers};

/* ---- instruction sets ---- */

enum { TILE_CONFIGURATION = 17, TILE_DATA = 18 }; /* bits of XCR0 */
enum { XMM_YMM = 0x6, XMM_YMM_ZMM = 0xe6, TILES = 1 << TILE_CONFIGURATION | 1 << TILE_DATA };
/* of leaf 7; older compilers do not have the names */
enum { AMX_TILE = 1 << 24, AMX_INT8 = 1 << 25 };

static bool has(uint32_t found, uint32_t wanted) { return (found & wanted) == wanted; }

static bool saves(const msk_machine *machine, uint64_t registers) {
  return (machine->saved_registers() & registers) == registers;
}

/* AVX with FMA and binary16, and the system saves `registers`. */
static bool has_base(const msk_machine *machine, uint64_t registers) {
  return has(machine->cpuid(1, 0).c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C) &&
         saves(machine, registers);
}

bool msk_has_avx2(const msk_machine *machine) {
  return has_base(machine, XMM_YMM) && has(machine->cpuid(7, 0).b, bit_AVX2);
}

bool msk_has_avxvnni(const msk_machine *machine) {
  enum { AVX_VNNI = 1 << 4 };
  return msk_has_avx2(machine) && has(machine->cpuid(7, 1).a, AVX_VNNI);
}

bool msk_has_avx512(const msk_machine *machine) {
  return has_base(machine, XMM_YMM_ZMM) &&
         has(machine->cpuid(7, 0).b,
             bit_AVX2 | bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL);
}

bool msk_has_avx512vnni(const msk_machine *machine) {
  return msk_has_avx512(machine) && has(machine->cpuid(7, 0).c, bit_AVX512VNNI);
}

bool msk_has_avx512bf16(const msk_machine *machine) {
  enum { AVX512_BF16 = 1 << 5 };
  return msk_has_avx512vnni(machine) && has(machine->cpuid(7, 1).a, AVX512_BF16);
}

/* Palette 1 is what the kernels are written for: eight tiles of 16 rows of 64 bytes. */
static bool has_palette(const msk_machine *machine) {
  msk_cpuid palette = machine->cpuid(0x1d, 1);
  return (palette.b & 0xffff) >= 64 && palette.b >> 16 >= 8 && (palette.c & 0xffff) >= 16;
}

bool msk_has_amx(const msk_machine *machine) {
  return msk_has_avx512bf16(machine) && has(machine->cpuid(7, 0).d, AMX_TILE | AMX_INT8) &&
         saves(machine, TILES) && has_palette(machine) && machine->request_registers(TILE_DATA);
}

#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

static unsigned long ask_hardware(void) { return getauxval(AT_HWCAP); }

const msk_machine msk_this_machine = {ask_hardware};

bool msk_has_neondot(const msk_machine *machine) {
  return (machine->hardware() & HWCAP_ASIMDDP) != 0;
}
#else
const msk_machine msk_this_machine = {0};
#endif

/* ---- caches ---- */

size_t msk_second_cache(void) {
#ifdef _SC_LEVEL2_CACHE_SIZE
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return bytes > 0 ? (size_t)bytes : 0;
#else
  return 0;
#endif
}
