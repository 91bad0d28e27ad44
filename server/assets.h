/* SPDX-License-Identifier: Apache-2.0
 *
 * assets.h - the page's files: built into the binary from server/www, or read from a folder
 * while one works on them (`--www DIR`). A name is letters, digits, - and _, one dot, a known
 * suffix: no request can name a path. */
#ifndef SERVER_ASSETS_H
#define SERVER_ASSETS_H

#include "app/embedded.h"
#include "exchange.h"

/* Made at build time. */
extern const embedded_file page_files[];
extern const int page_files_count;

/* GET / and GET /NAME. */
enum MHD_Result assets_answer(exchange *e);
const embedded_file *assets_find(const char *name);
#endif
