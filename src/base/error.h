/* SPDX-License-Identifier: Apache-2.0
 * error.h - filling in a caller's msk_error. Owns nothing. */
#ifndef MSK_BASE_ERROR_H
#define MSK_BASE_ERROR_H

#include "masksketch.h"

/* Writes code and message into *error (NULL allowed) and returns the code, so that `return
 * msk_fail(...)` reads well. Messages say what was found, what was expected, and a hint; one
 * line; long ones are cut. */
msk_status msk_fail(msk_error *error, msk_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a wrong value, MSK_ERROR_ARGUMENT: `field`, of static storage, is its name. */
msk_status msk_refuse(msk_error *error, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
