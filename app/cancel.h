/* SPDX-License-Identifier: Apache-2.0
 *
 * cancel.h - Ctrl-C and SIGTERM: the first one asks the run to stop after its step, a second one
 * ends the program at once (no half file either way: files get their names last). A write to a
 * closed pipe and a file-size limit come back as errors of the call, not as signals.
 */
#ifndef APP_CANCEL_H
#define APP_CANCEL_H

#include <stdbool.h>

void cancel_install(void);
bool cancel_requested(void);
#endif
