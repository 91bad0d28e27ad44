/* SPDX-License-Identifier: Apache-2.0
 *
 * device.c - the CPU device: which instruction sets this build has and this machine can run, and
 * the choice among them. An instruction set counts only when the processor and the operating
 * system have it (features.c), and its kernels agree with the reference (selfcheck.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/int8.h"
#include "base/error.h"
#include "compute/backward.h"
#include "compute/cpu/cpu.h"
#include "compute/cpu/features.h"
#include "compute/isa_sets.h" /* made by meson: which instruction sets are built */

static bool always(const msk_machine *machine) { return (void)machine, true; }

/* Best last. A new instruction set is a line here, a file in isa/, and its library in
 * meson.build. */
static const struct instruction_set {
  const char *name;
  msk_feature *is_available;
  void (*fill)(msk_kernels *kernels);
} instruction_sets[] = {
    {"ref", always, msk_kernels_ref},
#ifdef MSK_HAVE_NEON
    {"neon", always, msk_kernels_neon},
#endif
#ifdef MSK_HAVE_NEONDOT
    {"neondot", msk_has_neondot, msk_kernels_neondot},
#endif
#ifdef MSK_HAVE_AVX2
    {"avx2", msk_has_avx2, msk_kernels_avx2},
#endif
#ifdef MSK_HAVE_AVXVNNI
    {"avxvnni", msk_has_avxvnni, msk_kernels_avxvnni},
#endif
#ifdef MSK_HAVE_AVX512
    {"avx512", msk_has_avx512, msk_kernels_avx512},
#endif
#ifdef MSK_HAVE_AVX512VNNI
    {"avx512vnni", msk_has_avx512vnni, msk_kernels_avx512vnni},
#endif
#ifdef MSK_HAVE_AVX512BF16
    {"avx512bf16", msk_has_avx512bf16, msk_kernels_avx512bf16},
#endif
#ifdef MSK_HAVE_AMX
    {"amx", msk_has_amx, msk_kernels_amx},
#endif
};
enum { SET_COUNT = sizeof instruction_sets / sizeof *instruction_sets };

const char *msk_isa_name(int index) {
  for (size_t i = 0; i < SET_COUNT; i++) {
    if (instruction_sets[i].is_available(&msk_this_machine) && index-- == 0)
      return instruction_sets[i].name;
  }
  return NULL;
}

/* The best set at or before `last` that can run here, or that is named so. */
static const struct instruction_set *find_set(const char *isa, const struct instruction_set *last) {
  for (const struct instruction_set *set = last; set >= instruction_sets; set--) {
    if (set->is_available(&msk_this_machine) && (isa == NULL || strcmp(isa, set->name) == 0))
      return set;
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
    .conv_create = msk_cpu_conv_create,
    .conv_destroy = msk_cpu_conv_destroy,
    .conv_int8_pays = msk_cpu_conv_int8_pays,
    .conv_int16_pays = msk_cpu_conv_int16_pays,
    .codebook_create = msk_cpu_codebook_create,
    .codebook_destroy = msk_cpu_codebook_destroy,
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
  created->second_cache = msk_second_cache();
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

bool msk_device_bf16_pays(const msk_device *device) { return device->kernels.pairs_rate > 1; }

void msk_device_use_bf16(msk_device *device) { device->bf16 = true; }

bool msk_device_uses_bf16(const msk_device *device) { return device->bf16; }

bool msk_device_takes_int8(const msk_device *device) {
  return device->precision == MSK_PRECISION_INT8 &&
         (device->head.gpu != NULL || device->kernels.weight_limit == MSK_INT8_LIMIT);
}

const msk_allocator *msk_device_allocator(const msk_device *device) { return device->allocator; }
