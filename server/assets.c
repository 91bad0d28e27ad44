/* SPDX-License-Identifier: Apache-2.0
 * assets.c - see assets.h. */
#include "assets.h"
#include "masksketch_tools.h"

#include <stdlib.h>
#include <string.h>

/* The type of a name that may be asked for, or NULL. */
static const char *assets_type(const char *name) {
  static const struct {
    const char *suffix, *type;
  } types[] = {{".html", "text/html; charset=utf-8"},
               {".css", "text/css; charset=utf-8"},
               {".js", "text/javascript; charset=utf-8"},
               {".svg", "image/svg+xml"},
               {".png", "image/png"},
               {".ico", "image/x-icon"},
               {".webmanifest", "application/manifest+json"}};
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  size_t stem = strspn(name, letters);
  if (stem == 0 || stem > 60) return NULL;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (strcmp(name + stem, types[i].suffix) == 0) return types[i].type;
  }
  return NULL;
}

const embedded_file *assets_find(const char *name) {
  for (int i = 0; i < page_files_count; i++) {
    if (strcmp(page_files[i].name, name) == 0) return &page_files[i];
  }
  return NULL;
}

/* FNV-1a. */
static uint64_t hash_of(const unsigned char *bytes, size_t count) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
  return hash;
}

static enum MHD_Result answer_missing(exchange *e, const char *name) {
  problem_set(&e->problem, 404, NULL,
              "there is no %.80s here: docs/http.md and /v1/openapi.json list the routes", name);
  return answer_problem(e);
}

static enum MHD_Result answer_from_folder(exchange *e, const char *name, const char *type) {
  char path[4096];
  void *bytes = NULL;
  size_t count = 0;
  msk_error error;
  int length = snprintf(path, sizeof path, "%s/%s", e->server->config.www, name);
  if (length >= (int)sizeof path ||
      msk_file_read(path, 1 << 24, &bytes, &count, NULL, &error) != MSK_OK)
    return answer_missing(e, name);
  answer_header(e, "Cache-Control", "no-cache");
  return answer_bytes(e, 200, type, bytes, count); /* msk_file_read() took it from the C heap */
}

enum MHD_Result assets_answer(exchange *e) {
  const char *name = strcmp(e->url, "/") == 0 ? "index.html" : e->url + 1,
             *type = assets_type(name);
  if (type == NULL) return answer_missing(e, e->url);
  if (e->server->config.www != NULL) return answer_from_folder(e, name, type);
  const embedded_file *file = assets_find(name);
  if (file == NULL) return answer_missing(e, e->url);
  char tag[24];
  snprintf(tag, sizeof tag, "\"%016llx\"", (unsigned long long)hash_of(file->bytes, file->count));
  answer_header(e, "ETag", "%s", tag);
  /* asked for again each time, and mostly answered by 304: the page is always this program's */
  answer_header(e, "Cache-Control", "no-cache");
  const char *known = MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "If-None-Match");
  if (known != NULL && strcmp(known, tag) == 0) return answer_static(e, 304, NULL, "", 0);
  return answer_static(e, 200, type, file->bytes, file->count);
}
