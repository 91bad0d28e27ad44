/* SPDX-License-Identifier: Apache-2.0
 *
 * embedded.h - files that are built into the program: tables of them are made by embed.sh while
 * it is built. */
#ifndef APP_EMBEDDED_H
#define APP_EMBEDDED_H

#include <stddef.h>

typedef struct embedded_file {
  const char *name; /* without its folders */
  const unsigned char *bytes;
  size_t count;
} embedded_file;
#endif
