/* SPDX-License-Identifier: Apache-2.0
 *
 * library.c - the system's OpenCL library, opened at run time (opencl.h). */
#include <dlfcn.h>
#include <string.h>

#include "base/error.h"
#include "compute/opencl/opencl.h"

#define LIBRARY "libOpenCL.so.1"

const char *msk_cl_error_name(int32_t code) {
  switch (code) {
    case MSK_CL_DEVICE_NOT_FOUND: return "device not found";
    case MSK_CL_MEM_OBJECT_ALLOCATION_FAILURE: return "out of device memory";
    case MSK_CL_OUT_OF_RESOURCES: return "out of resources, or the device was lost";
    case MSK_CL_OUT_OF_HOST_MEMORY: return "out of memory";
    case MSK_CL_BUILD_PROGRAM_FAILURE: return "the driver's compiler failed";
    case MSK_CL_INVALID_BUFFER_SIZE: return "larger than the device's largest buffer";
    case MSK_CL_PLATFORM_NOT_FOUND_KHR: return "no driver is installed";
    default: return "error";
  }
}

msk_status msk_cl_open(msk_cl *cl, msk_error *error) {
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == NULL)
    return msk_fail(error, MSK_ERROR_DEVICE,
                    "no OpenCL here (%s), expected " LIBRARY
                    " and a driver: install those of your GPU's maker, or use the device cpu",
                    dlerror());
  msk_cl found;
  const char *missing = NULL;
  /* a function's address comes as an object's; POSIX has them be of one size */
#define FIND(name)                                                \
  {                                                               \
    void *address = dlsym(library, "cl" #name);                   \
    memcpy(&found.name, &address, sizeof address);                \
    if (address == NULL && missing == NULL) missing = "cl" #name; \
  }
#define MSK_CL_CALL(name, parameters, arguments) FIND(name)
#define MSK_CL_MAKE(result, name, parameters, arguments) FIND(name)
#include "compute/opencl/functions.inc"
#undef MSK_CL_CALL
#undef MSK_CL_MAKE
  if (missing != NULL)
    return msk_fail(error, MSK_ERROR_DEVICE,
                    LIBRARY " has no %s, expected OpenCL 1.2: is it the loader of an old driver?",
                    missing);
  *cl = found;
  return MSK_OK;
}
