/* SPDX-License-Identifier: Apache-2.0
 * cancel.c - see cancel.h. */
#include "app/cancel.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t requested = 0;

static void request(int signal_number) {
  (void)signal_number;
  requested = 1;
}

void cancel_install(void) {
  struct sigaction action = {.sa_handler = request, .sa_flags = (int)SA_RESETHAND};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGPIPE, &ignore, NULL);
  sigaction(SIGXFSZ, &ignore, NULL);
}

bool cancel_requested(void) { return requested != 0; }
