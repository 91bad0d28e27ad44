/* SPDX-License-Identifier: Apache-2.0
 * devices.h - the list of devices that --device takes. */
#ifndef CLI_DEVICES_H
#define CLI_DEVICES_H

#include "masksketch.h"

/* On standard output. Where there is no OpenCL, cpu is the list, and why stands below it. */
msk_status devices_print(msk_error *error);
#endif
