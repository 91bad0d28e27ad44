/* SPDX-License-Identifier: Apache-2.0
 *
 * names.h - names of the values of a recipe's enumerations, as recipes are written: NULL past the
 * end. Names that programs need besides are in the public headers; names.c has all tables. */
#ifndef MSK_BASE_NAMES_H
#define MSK_BASE_NAMES_H

const char *msk_schedule_name(int schedule);
const char *msk_placeholder_name(int placeholder);
const char *msk_distance_name(int distance);
const char *msk_unconditional_name(int unconditional);
const char *msk_guidance_schedule_name(int schedule);
const char *msk_order_name(int order);
const char *msk_remask_name(int remask);
const char *msk_token_noise_name(int noise);

#endif
