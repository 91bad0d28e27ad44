/* SPDX-License-Identifier: Apache-2.0
 *
 * pull_manifest.h - models that can be downloaded: models/manifest.json, or one of the user's. And
 * the pins: hashes of files whose manifest names none, as they were when first seen. */
#ifndef CLI_PULL_MANIFEST_H
#define CLI_PULL_MANIFEST_H

#include <jansson.h>

#include "app/output.h"

enum { HASH_BYTES = 65 };

/* Texts point into the manifest. */
typedef struct pull_file {
  const char *url;
  uint64_t bytes;   /* 0: not said */
  const char *hash; /* SHA-256, 64 lower-case digits; NULL: not known */
} pull_file;

typedef struct pull_model {
  const char *name, *about;
  pull_file tokenizer, transformer;
} pull_model;

typedef struct pull_manifest {
  json_t *root;
} pull_manifest;

/* `path` NULL: the one that comes along. */
msk_status manifest_open(pull_manifest *manifest, const char *path, msk_error *error);
void manifest_close(pull_manifest *manifest);
/* False past the last. Every field was judged at opening. */
bool manifest_model(const pull_manifest *manifest, size_t index, pull_model *model);
/* MSK_ERROR_ARGUMENT with the names that there are. */
msk_status manifest_find(const pull_manifest *manifest, const char *name, pull_model *model,
                         msk_error *error);

/* The hash that a file of this address had when it was first seen; false: never seen. */
bool pin_find(char hash[HASH_BYTES], const char *folder, const char *url);
/* Keeps it for the next time. `folder` is there. */
msk_status pin_add(const char *folder, const char *url, const char *hash, msk_error *error);
#endif
