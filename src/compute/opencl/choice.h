/* SPDX-License-Identifier: Apache-2.0
 *
 * choice.h - the devices that the OpenCL library offers, and the one that is meant by a name. */
#ifndef MSK_COMPUTE_OPENCL_CHOICE_H
#define MSK_COMPUTE_OPENCL_CHOICE_H

#include <stdbool.h>

#include "compute/opencl/opencl.h"

enum { MSK_MAX_GPUS = 32 };

typedef struct msk_gpu_facts {
  char name[128];     /* "NVIDIA H100", say */
  char platform[128]; /* who drives it */
  char driver[128];   /* versions: the driver's, the platform's and the device's */
  bool gpu;           /* or an accelerator; false: a processor that OpenCL runs on */
  bool fused;         /* multiplies and adds with one rounding */
  bool dot;           /* multiplies and adds four numbers of 8 bits at once */
  uint32_t units;
  uint64_t memory, largest_buffer, local_memory; /* bytes */
  size_t largest_group;                          /* work items */
  msk_cl_platform platform_id;
  msk_cl_device id;
} msk_gpu_facts;

/* The devices that can run this program, those that are GPUs first; none is no error. */
msk_status msk_gpu_list(const msk_cl *cl, msk_gpu_facts facts[MSK_MAX_GPUS], size_t *count,
                        msk_error *error);
/* "auto": the first of the list, which is a GPU if one is there; "gpu": the first GPU; a number:
 * that of the list, from 1; else the one device whose "platform: name" has `name` in it, letter
 * case aside. MSK_ERROR_DEVICE where there is none, MSK_ERROR_ARGUMENT where there are several; the
 * message names what is there. */
msk_status msk_gpu_find(const msk_cl *cl, const char *name, msk_gpu_facts *facts, msk_error *error);

#endif
