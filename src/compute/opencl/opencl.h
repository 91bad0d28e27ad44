/* SPDX-License-Identifier: Apache-2.0
 *
 * opencl.h - as much of the OpenCL 1.2 API as this program calls, declared here so that no header
 * of it is needed to build, and opened at run time so that no library of it is needed to start
 * (facts from Khronos' specification of OpenCL 1.2). The functions come as a table, which tests
 * may fill otherwise. Nothing outside src/compute/opencl includes it. */
#ifndef MSK_COMPUTE_OPENCL_OPENCL_H
#define MSK_COMPUTE_OPENCL_OPENCL_H

#include <stddef.h>
#include <stdint.h>

#include "masksketch.h"

typedef struct msk_cl_platform *msk_cl_platform;
typedef struct msk_cl_device *msk_cl_device;
typedef struct msk_cl_context *msk_cl_context;
typedef struct msk_cl_queue *msk_cl_queue;
typedef struct msk_cl_memory *msk_cl_memory;
typedef struct msk_cl_program *msk_cl_program;
typedef struct msk_cl_kernel *msk_cl_kernel;
typedef struct msk_cl_event *msk_cl_event;

/* Values of the specification, under its names without CL_. */
enum {
  MSK_CL_SUCCESS = 0,
  MSK_CL_DEVICE_NOT_FOUND = -1,
  MSK_CL_MEM_OBJECT_ALLOCATION_FAILURE = -4,
  MSK_CL_OUT_OF_RESOURCES = -5,
  MSK_CL_OUT_OF_HOST_MEMORY = -6,
  MSK_CL_BUILD_PROGRAM_FAILURE = -11,
  MSK_CL_INVALID_BUFFER_SIZE = -61,
  MSK_CL_PLATFORM_NOT_FOUND_KHR = -1001, /* of the loader: no driver is installed */

  MSK_CL_TRUE = 1,
  MSK_CL_PLATFORM_VERSION = 0x0901,
  MSK_CL_PLATFORM_NAME = 0x0902,
  MSK_CL_DEVICE_TYPE = 0x1000,
  MSK_CL_DEVICE_MAX_COMPUTE_UNITS = 0x1002,
  MSK_CL_DEVICE_MAX_WORK_GROUP_SIZE = 0x1004,
  MSK_CL_DEVICE_MAX_MEM_ALLOC_SIZE = 0x1010,
  MSK_CL_DEVICE_SINGLE_FP_CONFIG = 0x101B,
  MSK_CL_DEVICE_GLOBAL_MEM_SIZE = 0x101F,
  MSK_CL_DEVICE_LOCAL_MEM_SIZE = 0x1023,
  MSK_CL_DEVICE_ENDIAN_LITTLE = 0x1026,
  MSK_CL_DEVICE_AVAILABLE = 0x1027,
  MSK_CL_DEVICE_COMPILER_AVAILABLE = 0x1028,
  MSK_CL_DEVICE_NAME = 0x102B,
  MSK_CL_DRIVER_VERSION = 0x102D,
  MSK_CL_DEVICE_VERSION = 0x102F,
  MSK_CL_DEVICE_EXTENSIONS = 0x1030,
  MSK_CL_CONTEXT_PLATFORM = 0x1084,
  MSK_CL_PROGRAM_BINARY_SIZES = 0x1165,
  MSK_CL_PROGRAM_BINARIES = 0x1166,
  MSK_CL_PROGRAM_BUILD_LOG = 0x1183
};
#define MSK_CL_DEVICE_TYPE_CPU ((uint64_t)1 << 1)
#define MSK_CL_DEVICE_TYPE_GPU ((uint64_t)1 << 2)
#define MSK_CL_DEVICE_TYPE_ACCELERATOR ((uint64_t)1 << 3)
#define MSK_CL_DEVICE_TYPE_ALL ((uint64_t)0xFFFFFFFF)
#define MSK_CL_FP_FMA ((uint64_t)1 << 5)
#define MSK_CL_MEM_READ_WRITE ((uint64_t)1 << 0)
#define MSK_CL_MEM_READ_ONLY ((uint64_t)1 << 2)

/* Member GetPlatformIDs is the library's clGetPlatformIDs, and so on. */
typedef struct msk_cl {
#define MSK_CL_CALL(name, parameters, arguments) int32_t(*name) parameters;
#define MSK_CL_MAKE(result, name, parameters, arguments) result(*name) parameters;
#include "compute/opencl/functions.inc"
#undef MSK_CL_CALL
#undef MSK_CL_MAKE
} msk_cl;

/* Opens the system's OpenCL library, for as long as the process lives: drivers have threads of
 * their own, which do not survive an unloading. MSK_ERROR_DEVICE where there is none. */
msk_status msk_cl_open(msk_cl *cl, msk_error *error);
/* The specification's name of an error code, "error" for those that are not met here. */
const char *msk_cl_error_name(int32_t code);

#endif
