/* SPDX-License-Identifier: Apache-2.0
 *
 * opencl_faults.h - OpenCL of which one call fails: faults_cl has the calls of faults_real,
 * counted, and the faults_at-th fails. Header only, for one source a program; test code. */
#ifndef MSK_TEST_OPENCL_FAULTS_H
#define MSK_TEST_OPENCL_FAULTS_H

#include <stdbool.h>
#include <string.h>

#include "compute/opencl/opencl.h"

static msk_cl faults_real;
static long faults_calls, faults_at; /* 0: none fails */
static long faults_living;           /* objects that were made and not released */
static bool faults_fails(void) { return ++faults_calls == faults_at; }

#define MSK_CL_CALL(name, parameters, arguments)                                          \
  static int32_t faults_##name parameters {                                               \
    bool fail = faults_fails(), release = strncmp(#name, "Release", 7) == 0;              \
    if (release) faults_living--;                                                         \
    int32_t result =                                                                      \
        fail && !release ? (int32_t)MSK_CL_OUT_OF_RESOURCES : faults_real.name arguments; \
    return fail ? (int32_t)MSK_CL_OUT_OF_RESOURCES : result;                              \
  }
#define MSK_CL_MAKE(result, name, parameters, arguments) \
  static result faults_##name parameters {               \
    if (faults_fails()) {                                \
      *code = MSK_CL_MEM_OBJECT_ALLOCATION_FAILURE;      \
      return NULL;                                       \
    }                                                    \
    faults_living++;                                     \
    return faults_real.name arguments;                   \
  }
#include "compute/opencl/functions.inc"
#undef MSK_CL_CALL
#undef MSK_CL_MAKE

static const msk_cl faults_cl = {
#define MSK_CL_CALL(name, parameters, arguments) .name = faults_##name,
#define MSK_CL_MAKE(result, name, parameters, arguments) .name = faults_##name,
#include "compute/opencl/functions.inc"
#undef MSK_CL_CALL
#undef MSK_CL_MAKE
};

#endif
