/* SPDX-License-Identifier: Apache-2.0
 * clock.h - the clock by which the library measures. */
#ifndef MSK_BASE_CLOCK_H
#define MSK_BASE_CLOCK_H

double msk_clock(void); /* seconds, monotonic, from no particular time on */

#endif
