/* SPDX-License-Identifier: Apache-2.0
 * choose_device.h - which device a model's networks get, as msk_model_options.device has it. */
#ifndef MSK_API_CHOOSE_DEVICE_H
#define MSK_API_CHOOSE_DEVICE_H

#include "compute/backend.h"
#include "model/maskgit.h"

/* True unless the device is the CPU, whatever is found. */
bool msk_device_is_asked_for(const msk_model_options *options);
bool msk_device_is_auto(const msk_model_options *options);
/* *gpu: the device that the options name, of this precision, or NULL: the CPU. "auto", of float32:
 * the first one, if a product of the transformer's size takes it less time than the CPU; where not,
 * the options say "cpu" after this, and `line` says why. */
msk_status msk_choose_device(msk_device **gpu, msk_model_options *options, msk_precision precision,
                             const msk_weight_file *file, char line[600], msk_error *error);

#endif
