/* SPDX-License-Identifier: Apache-2.0
 * choice.c - see choice.h. */
#include "compute/opencl/choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { MAX_PLATFORMS = 16 };

/* A fact of fixed size; false where the driver does not tell it. */
static bool ask(const msk_cl *cl, msk_cl_device device, uint32_t what, void *value, size_t bytes) {
  size_t told = 0;
  return cl->GetDeviceInfo(device, what, bytes, value, &told) == MSK_CL_SUCCESS && told == bytes;
}

/* A text, cut to its room. */
static void ask_text(const msk_cl *cl, msk_cl_device device, uint32_t what, char *text,
                     size_t room) {
  char whole[1024];
  size_t told = 0;
  text[0] = 0;
  if (cl->GetDeviceInfo(device, what, sizeof whole, whole, &told) != MSK_CL_SUCCESS || told == 0 ||
      told > sizeof whole)
    return;
  size_t length = strnlen(whole, told - 1);
  if (length > room - 1) length = room - 1;
  memcpy(text, whole, length);
  text[length] = 0;
}

/* Whether the device's list, words between spaces, has it. */
static bool has_extension(const msk_cl *cl, msk_cl_device device, const char *name) {
  char list[8192] = " ";
  size_t told = 0, length = strlen(name);
  if (cl->GetDeviceInfo(device, MSK_CL_DEVICE_EXTENSIONS, sizeof list - 2, list + 1, &told) !=
      MSK_CL_SUCCESS)
    return false;
  list[sizeof list - 1] = 0;
  for (const char *at = list; (at = strstr(at, name)) != NULL; at += length) {
    if (at[-1] == ' ' && (at[length] == ' ' || at[length] == 0)) return true;
  }
  return false;
}

static void ask_platform(const msk_cl *cl, msk_cl_platform platform, uint32_t what, char *text,
                         size_t room) {
  text[0] = 0;
  if (cl->GetPlatformInfo(platform, what, room, text, NULL) != MSK_CL_SUCCESS) text[0] = 0;
  text[room - 1] = 0;
}

/* What the kernels need: a compiler, this machine's byte order. */
static bool is_usable(const msk_cl *cl, msk_cl_device device) {
  uint32_t available = 0, compiler = 0, little = 0;
  const uint16_t one = 1;
  return ask(cl, device, MSK_CL_DEVICE_AVAILABLE, &available, sizeof available) &&
         ask(cl, device, MSK_CL_DEVICE_COMPILER_AVAILABLE, &compiler, sizeof compiler) &&
         ask(cl, device, MSK_CL_DEVICE_ENDIAN_LITTLE, &little, sizeof little) && available &&
         compiler && (little != 0) == (*(const uint8_t *)&one == 1);
}

/* False where the driver does not tell what has to be known. */
static bool learn(const msk_cl *cl, msk_cl_platform platform, msk_cl_device device,
                  msk_gpu_facts *facts) {
  char driver[40], platform_version[40], device_version[40];
  uint64_t type = 0, arithmetic = 0;
  *facts = (msk_gpu_facts){.platform_id = platform, .id = device};
  ask_text(cl, device, MSK_CL_DEVICE_NAME, facts->name, sizeof facts->name);
  ask_platform(cl, platform, MSK_CL_PLATFORM_NAME, facts->platform, sizeof facts->platform);
  ask_text(cl, device, MSK_CL_DRIVER_VERSION, driver, sizeof driver);
  ask_text(cl, device, MSK_CL_DEVICE_VERSION, device_version, sizeof device_version);
  ask_platform(cl, platform, MSK_CL_PLATFORM_VERSION, platform_version, sizeof platform_version);
  snprintf(facts->driver, sizeof facts->driver, "%s; %s; %s", driver, device_version,
           platform_version);
  bool told =
      ask(cl, device, MSK_CL_DEVICE_TYPE, &type, sizeof type) &&
      ask(cl, device, MSK_CL_DEVICE_MAX_COMPUTE_UNITS, &facts->units, sizeof facts->units) &&
      ask(cl, device, MSK_CL_DEVICE_GLOBAL_MEM_SIZE, &facts->memory, sizeof facts->memory) &&
      ask(cl, device, MSK_CL_DEVICE_MAX_MEM_ALLOC_SIZE, &facts->largest_buffer,
          sizeof facts->largest_buffer) &&
      ask(cl, device, MSK_CL_DEVICE_LOCAL_MEM_SIZE, &facts->local_memory,
          sizeof facts->local_memory) &&
      ask(cl, device, MSK_CL_DEVICE_MAX_WORK_GROUP_SIZE, &facts->largest_group,
          sizeof facts->largest_group);
  /* where a driver does not tell, it does not */
  facts->fused = ask(cl, device, MSK_CL_DEVICE_SINGLE_FP_CONFIG, &arithmetic, sizeof arithmetic) &&
                 (arithmetic & MSK_CL_FP_FMA) != 0;
  facts->dot = has_extension(cl, device, "cl_khr_integer_dot_product");
  facts->gpu = (type & (MSK_CL_DEVICE_TYPE_GPU | MSK_CL_DEVICE_TYPE_ACCELERATOR)) != 0;
  return told && facts->name[0] != 0;
}

/* A platform's GPUs, or its other devices, behind those that were found. */
static void add_devices(const msk_cl *cl, msk_cl_platform platform, bool gpus,
                        msk_gpu_facts facts[MSK_MAX_GPUS], size_t *count) {
  msk_cl_device devices[MSK_MAX_GPUS];
  uint32_t found = 0;
  /* a platform without devices says so by an error */
  if (cl->GetDeviceIDs(platform, MSK_CL_DEVICE_TYPE_ALL, MSK_MAX_GPUS, devices, &found) !=
      MSK_CL_SUCCESS)
    return;
  for (uint32_t i = 0; i < found && i < MSK_MAX_GPUS && *count < MSK_MAX_GPUS; i++) {
    if (is_usable(cl, devices[i]) && learn(cl, platform, devices[i], &facts[*count]) &&
        facts[*count].gpu == gpus)
      ++*count;
  }
}

msk_status msk_gpu_list(const msk_cl *cl, msk_gpu_facts facts[MSK_MAX_GPUS], size_t *count,
                        msk_error *error) {
  msk_cl_platform platforms[MAX_PLATFORMS];
  uint32_t found = 0;
  int32_t code = cl->GetPlatformIDs(MAX_PLATFORMS, platforms, &found);
  *count = 0;
  if (code == MSK_CL_PLATFORM_NOT_FOUND_KHR) return MSK_OK;
  if (code != MSK_CL_SUCCESS)
    return msk_fail(error, MSK_ERROR_DEVICE,
                    "the OpenCL library does not list its drivers (%s, %d), expected it to: are "
                    "they installed whole?",
                    msk_cl_error_name(code), (int)code);
  for (int gpus = 1; gpus >= 0; gpus--) {
    for (uint32_t i = 0; i < found && i < MAX_PLATFORMS; i++)
      add_devices(cl, platforms[i], gpus != 0, facts, count);
  }
  return MSK_OK;
}

/* ---- by name ---- */

/* number: its place in the list, from 1; so are twins told apart. */
static bool is_meant(const msk_gpu_facts *facts, size_t number, const char *name) {
  char whole[sizeof facts->platform + sizeof facts->name + 2];
  if (strcmp(name, "auto") == 0) return true;
  if (strcmp(name, "gpu") == 0) return facts->gpu;
  if (name[0] != 0 && name[strspn(name, "0123456789")] == 0)
    return strtoul(name, NULL, 10) == number;
  snprintf(whole, sizeof whole, "%s: %s", facts->platform, facts->name);
  return strcasestr(whole, name) != NULL;
}

static msk_status fail_choice(const msk_gpu_facts *facts, size_t count, const char *name,
                              size_t meant, msk_error *error) {
  char names[360] = "";
  for (size_t i = 0; i < count; i++) {
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s: %s", i == 0 ? "" : "; ", facts[i].platform,
             facts[i].name);
  }
  if (meant > 1)
    return msk_fail(
        error, MSK_ERROR_ARGUMENT,
        "device '%s' is %zu devices, expected more of one's name or its number; there are: %s",
        name, meant, names);
  return msk_fail(error, MSK_ERROR_DEVICE, "OpenCL has no device '%s' here, expected one of: %s",
                  name, count == 0 ? "none, no driver offers a device" : names);
}

msk_status msk_gpu_find(const msk_cl *cl, const char *name, msk_gpu_facts *facts,
                        msk_error *error) {
  msk_gpu_facts found[MSK_MAX_GPUS];
  size_t count = 0, meant = 0, last = 0;
  msk_status status = msk_gpu_list(cl, found, &count, error);
  if (status != MSK_OK) return status;
  for (size_t i = count; i-- > 0;) {
    if (!is_meant(&found[i], i + 1, name)) continue;
    last = i;
    meant++;
  }
  /* all are equal to who only asks for one */
  const bool any = strcmp(name, "gpu") == 0 || strcmp(name, "auto") == 0;
  if (meant == 0 || (meant > 1 && !any)) return fail_choice(found, count, name, meant, error);
  *facts = found[last];
  return MSK_OK;
}
