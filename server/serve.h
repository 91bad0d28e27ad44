/* SPDX-License-Identifier: Apache-2.0
 * serve.h - `masksketch serve`, from options to the last answer. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "../cli/all_options.h"

#endif
