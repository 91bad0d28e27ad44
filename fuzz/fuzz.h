/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz.h - what the harnesses share: bytes as a file that has a path, and the small model that
 * some of them need (MSK_FUZZ_MODEL, which corpus.sh makes). */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "masksketch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* A file in memory; its path is in `path`. To close(). */
static inline int fuzz_file(char path[64], const void *bytes, size_t count) {
  int file = memfd_create("input", MFD_CLOEXEC);
  if (file < 0 || write(file, bytes, count) != (ssize_t)count) abort();
  snprintf(path, 64, "/proc/self/fd/%d", file);
  return file;
}

/* A name for mkdtemp() or mkstemps() in TMPDIR, that ends with `suffix`. */
static inline void fuzz_template(char path[4096], const char *suffix) {
  const char *folder = getenv("TMPDIR");
  if (snprintf(path, 4096, "%s/masksketch-fuzz-XXXXXX%s", folder == NULL ? "/tmp" : folder,
               suffix) >= 4096)
    abort();
}

static inline const char *fuzz_model_path(void) {
  const char *path = getenv("MSK_FUZZ_MODEL");
  if (path == NULL) {
    fprintf(stderr, "MSK_FUZZ_MODEL is missing, expected a model: fuzz/corpus.sh makes one\n");
    exit(1);
  }
  return path;
}

/* One picture of one step; what fails, fails with an error. */
static inline void fuzz_run(const msk_model *model, msk_request *request) {
  msk_session_options options;
  msk_session *session = NULL;
  msk_result result;
  msk_error error;
  msk_session_options_init(&options);
  options.threads = 1;
  if (msk_session_open(&session, model, request, &options, &error) != MSK_OK) return;
  if (msk_run(session, request, &result, &error) == MSK_OK && result.count < 1) abort();
  msk_session_close(session);
}
#endif
