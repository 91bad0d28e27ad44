/* SPDX-License-Identifier: Apache-2.0
 *
 * device.c - the CPU device: which instruction sets this build has and this machine can run, and
 * the choice among them. An instruction set counts only when the processor has it (cpuid), the
 * operating system saves its registers (xgetbv), and its kernels agree with the reference
 * (selfcheck.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/int8.h"
#include "base/error.h"
#include "compute/cpu/cpu.h"
#include "compute/isa_sets.h" /* made by meson: which instruction sets are built */

#if defined(MSK_HAVE_AVX2) || defined(MSK_HAVE_AVX512)
#include <cpuid.h>

static unsigned long long saved_registers(void) {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (unsigned long long)high << 32 | low;
}

/* The bits of leaf 7's EBX, if leaf 1 has `leaf1` in ECX beside OSXSAVE and the system saves
 * `registers`; else 0. */
static unsigned features(unsigned leaf1, unsigned long long registers) {
  unsigned a, b, c, d;
  leaf1 |= bit_OSXSAVE;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & leaf1) != leaf1) return 0;
  if ((saved_registers() & registers) != registers) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) ? b : 0;
}

enum { XMM_YMM = 0x6, XMM_YMM_ZMM = 0xe6 };

static bool has_avx2(void) {
  return (features(bit_AVX | bit_FMA | bit_F16C, XMM_YMM) & bit_AVX2) != 0;
}

#ifdef MSK_HAVE_AVXVNNI
static bool has_avxvnni(void) {
  unsigned a, b, c, d;
  return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVXVNNI) != 0;
}
#endif

static bool has_avx512(void) {
  const unsigned wanted = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL | bit_AVX2;
  return (features(bit_AVX | bit_FMA | bit_F16C, XMM_YMM_ZMM) & wanted) == wanted;
}

#ifdef MSK_HAVE_AVX512VNNI
static bool has_avx512vnni(void) {
  unsigned a, b, c, d;
  return has_avx512() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit_AVX512VNNI) != 0;
}
#endif
#endif

#ifdef MSK_HAVE_NEONDOT
#include <asm/hwcap.h>
#include <sys/auxv.h>

static bool has_dot_product(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#endif

static bool always(void) { return true; }

/* Best last. A new instruction set is a line here, a file in isa/, and its library in
 * meson.build. */
static const struct instruction_set {
  const char *name;
  bool (*is_available)(void);
  void (*fill)(msk_kernels *kernels);
} instruction_sets[] = {
    {"ref", always, msk_kernels_ref},
#ifdef MSK_HAVE_NEON
    {"neon", always, msk_kernels_neon},
#endif
#ifdef MSK_HAVE_NEONDOT
    {"neondot", has_dot_product, msk_kernels_neondot},
#endif
#ifdef MSK_HAVE_AVX2
    {"avx2", has_avx2, msk_kernels_avx2},
#endif
#ifdef MSK_HAVE_AVXVNNI
    {"avxvnni", has_avxvnni, msk_kernels_avxvnni},
#endif
#ifdef MSK_HAVE_AVX512
    {"avx512", has_avx512, msk_kernels_avx512},
#endif
#ifdef MSK_HAVE_AVX512VNNI
    {"avx512vnni", has_avx512vnni, msk_kernels_avx512vnni},
#endif
};
enum { SET_COUNT = sizeof instruction_sets / sizeof *instruction_sets };

const char *msk_isa_name(int index) {
  for (size_t i = 0; i < SET_COUNT; i++) {
    if (instruction_sets[i].is_available() && index-- == 0) return instruction_sets[i].name;
  }
  return NULL;
}

/* The best set at or before `last` that can run here, or that is named so. */
static const struct instruction_set *find_set(const char *isa, const struct instruction_set *last) {
  for (const struct instruction_set *set = last; set >= instruction_sets; set--) {
    if (set->is_available() && (isa == NULL || strcmp(isa, set->name) == 0)) return set;
  }
  return NULL;
}

static msk_status fail_set(const char *isa, msk_error *error) {
  char names[64] = "";
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    if (i > 0) strncat(names, " ", sizeof names - strlen(names) - 1);
    strncat(names, msk_isa_name(i), sizeof names - strlen(names) - 1);
  }
  return msk_fail(error, MSK_ERROR_ARGUMENT,
                  "instruction set '%s' is not available here; this machine has: %s", isa, names);
}

static void fill_set(msk_device *device, const struct instruction_set *set,
                     const msk_device_hook *hook) {
  msk_kernels_ref(&device->kernels);
  set->fill(&device->kernels);
  device->kernels.isa = set->name;
  if (hook != NULL) hook->alter(hook->user, &device->kernels);
}

/* Takes `set`, or, where its kernels are wrong, the next best; one that was asked for by name is
 * not replaced. */
static msk_status choose_set(msk_device *device, const struct instruction_set *set, bool named,
                             const msk_device_hook *hook, msk_error *error) {
  for (;;) {
    const char *wrong = NULL;
    fill_set(device, set, hook);
    if (set == instruction_sets) return MSK_OK; /* the reference has nothing to be held against */
    msk_status status = msk_selfcheck(device, &wrong, error);
    if (status != MSK_OK || wrong == NULL) return status;
    if (named) {
      return msk_fail(
          error, MSK_ERROR_UNSUPPORTED,
          "instruction set '%s' computes wrong results on this machine (%s): choose another",
          set->name, wrong);
    }
    size_t used = strlen(device->warning);
    snprintf(device->warning + used, sizeof device->warning - used,
             "%sinstruction set '%s' computes wrong results on this machine (%s) and is left out",
             used == 0 ? "" : "; ", set->name, wrong);
    set = find_set(NULL, set - 1);
  }
}

static const msk_operations cpu_operations = {
#define MSK_OPERATION(name, parameters, arguments) .name = msk_cpu_##name,
#include "compute/operations.inc"
#undef MSK_OPERATION
    .linear_create = msk_cpu_linear_create,
    .linear_destroy = msk_cpu_linear_destroy,
};

msk_status msk_device_create_with(msk_device **device, const char *isa, msk_precision precision,
                                  const msk_allocator *allocator, const msk_device_hook *hook,
                                  msk_error *error) {
  if (isa == NULL) isa = getenv("MASKSKETCH_ISA");
  /* an empty variable is how a shell script says "not set" */
  if (isa != NULL && *isa == 0) isa = NULL;
  const struct instruction_set *set = find_set(isa, &instruction_sets[SET_COUNT - 1]);
  if (set == NULL) return fail_set(isa, error);
  msk_device *created = msk_allocate_zeroed(allocator, 1, sizeof *created);
  if (created == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the device");
  if (allocator != NULL) {
    created->allocator_storage = *allocator;
    created->allocator = &created->allocator_storage;
  }
  created->head.operations = &cpu_operations;
  created->precision = precision;
  msk_status status = choose_set(created, set, isa != NULL, hook, error);
  if (status == MSK_OK) {
    *device = created;
  } else {
    msk_device_destroy(created);
  }
  return status;
}

msk_status msk_device_create(msk_device **device, const char *isa, msk_precision precision,
                             const msk_allocator *allocator, msk_error *error) {
  return msk_device_create_with(device, isa, precision, allocator, NULL, error);
}

void msk_device_destroy(msk_device *device) {
  if (device == NULL) return;
  if (device->head.operations->close != NULL) device->head.operations->close(device->head.gpu);
  msk_allocator copy = device->allocator_storage;
  msk_free(device->allocator == NULL ? NULL : &copy, device);
}

const char *msk_device_isa(const msk_device *device) { return device->kernels.isa; }

const char *msk_device_warning(const msk_device *device) {
  return device->warning[0] == 0 ? NULL : device->warning;
}

msk_precision msk_device_precision(const msk_device *device) { return device->precision; }

bool msk_device_takes_int8(const msk_device *device) {
  return device->precision == MSK_PRECISION_INT8 && device->kernels.weight_limit == MSK_INT8_LIMIT;
}

const msk_allocator *msk_device_allocator(const msk_device *device) { return device->allocator; }
