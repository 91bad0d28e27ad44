/* SPDX-License-Identifier: Apache-2.0
 *
 * assets.h - the page's files: built into the binary from server/www, or read from a folder
 * while one works on them (`--www DIR`). A name is letters, digits, - and _, one dot, a known
 * suffix: no request can name a path. */
#ifndef SERVER_ASSETS_H
#define SERVER_ASSETS_H

#include "exchange.h"

/* Made by embed.awk at build time. */
typedef struct asset_file {
  const char *name;
  const unsigned char *bytes;
  size_t count;
} asset_file;
extern const asset_file asset_files[];
extern const int asset_file_count;

/* GET / and GET /NAME. */
enum MHD_Result assets_answer(exchange *e);
const asset_file *assets_find(const char *name);
#endif
