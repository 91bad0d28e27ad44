/* SPDX-License-Identifier: Apache-2.0
 * devices.c - see devices.h. */
#include "devices.h"

#include <stdio.h>

#include "app/report.h"
#include "masksketch_tools.h"

static void print_device(int number, const msk_device_info *device) {
  char name[sizeof device->platform + sizeof device->name + 2];
  snprintf(name, sizeof name, "%s: %s", device->platform, device->name);
  printf("%-5d", number);
  app_print_safe(stdout, name);
  printf(" (%s, %.1f GB; ", device->is_gpu ? "GPU" : "processor", 1e-9 * (double)device->memory);
  app_print_safe(stdout, device->driver);
  puts(")");
}

msk_status devices_print(msk_error *error) {
  msk_device_info *devices = NULL;
  int count = 0;
  msk_status status = msk_device_list(&devices, &count, NULL, error);
  if (status != MSK_OK && status != MSK_ERROR_DEVICE) return status;
  puts("cpu  the kernels of this program, and what is taken where nothing else is asked for");
  for (int i = 0; i < count; i++) print_device(i + 1, &devices[i]);
  if (status == MSK_ERROR_DEVICE) printf("%s\n", error->message);
  if (status == MSK_OK && count == 0) puts("OpenCL is here, and no driver of it has a device");
  msk_free(NULL, devices);
  return MSK_OK;
}
