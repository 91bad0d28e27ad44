/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.c - see trace.h. The header of a .npy has a fixed room here, and is written last, when
 * the number of steps is known. */
#include "trace.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/output.h"
#include "masksketch_tools.h"

enum { MAX_SERIES = 48 };

typedef struct series {
  char name[64];
  FILE *file;
  char temporary[MAX_PATH_BYTES];
  msk_array slice; /* its type and shape; no data */
  size_t slice_bytes, slices;
} series;

struct trace {
  char folder[MAX_PATH_BYTES - 128];
  series list[MAX_SERIES];
  int count;
  msk_error failure;
};

msk_status trace_open(trace **out, const char *folder, msk_error *error) {
  if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
    return app_fail(error, MSK_ERROR_OUTPUT, "cannot make the folder %s for the trace: %s", folder,
                    strerror(errno));
  }
  trace *t = calloc(1, sizeof *t);
  if (t == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the trace");
  if (snprintf(t->folder, sizeof t->folder, "%s", folder) >= (int)sizeof t->folder) {
    free(t);
    return app_fail(error, MSK_ERROR_ARGUMENT, "the trace folder's name is too long: %.80s...",
                    folder);
  }
  *out = t;
  return MSK_OK;
}

static int fail(trace *t, const char *what, const char *path) {
  if (t->failure.code == MSK_OK)
    app_fail(&t->failure, MSK_ERROR_OUTPUT, "cannot %s %s: %s", what, path, strerror(errno));
  return -1;
}

static series *new_series(trace *t, const char *name, const msk_array *array) {
  if (t->count == MAX_SERIES) return NULL;
  series *s = &t->list[t->count];
  uint8_t header[MSK_NPY_HEADER] = {0};
  *s = (series){.slice = *array};
  s->slice.data = NULL;
  if (array->rank == MSK_MAX_RANK ||
      msk_npy_header(header, &s->slice_bytes, array, NULL) != MSK_OK ||
      snprintf(s->name, sizeof s->name, "%s", name) >= (int)sizeof s->name)
    return NULL;
  char temporary[MAX_PATH_BYTES];
  snprintf(temporary, sizeof temporary, "%s/.%s.XXXXXX", t->folder, name);
  int descriptor = mkstemp(temporary);
  if (descriptor < 0) return NULL;
  t->count++;
  memcpy(s->temporary, temporary, sizeof temporary);
  /* mkstemp() lets nobody else read */
  fchmod(descriptor, 0644);
  s->file = fdopen(descriptor, "wb");
  /* this one holds its place until the number of slices is known */
  if (s->file == NULL || fwrite(header, 1, sizeof header, s->file) != sizeof header) return NULL;
  return s;
}

int trace_take(trace *t, const char *name, const msk_array *array) {
  if (t->failure.code != MSK_OK) return -1;
  series *s = NULL;
  for (int i = 0; i < t->count && s == NULL; i++) {
    if (strcmp(t->list[i].name, name) == 0) s = &t->list[i];
  }
  if (s == NULL) s = new_series(t, name, array);
  if (s == NULL) return fail(t, "write the trace in", t->folder);
  const msk_array *first = &s->slice;
  bool same = first->dtype == array->dtype && first->rank == array->rank &&
              memcmp(first->shape, array->shape, (size_t)first->rank * sizeof *first->shape) == 0;
  if (!same) {
    app_fail(&t->failure, MSK_ERROR_OUTPUT,
             "the shape of %s changes between steps, so that it cannot be stacked", name);
    return -1;
  }
  if (s->slice_bytes > 0 && fwrite(array->data, 1, s->slice_bytes, s->file) != s->slice_bytes)
    return fail(t, "write", s->temporary);
  s->slices++;
  return 0;
}

/* The authors draw the unconditional classes once a call, not once a step: what came once is
 * stored as it came. */
static bool is_stacked(const series *s) {
  return s->slices != 1 || strcmp(s->name, "unconditional_class_tokens") != 0;
}

static msk_status make_header(uint8_t header[MSK_NPY_HEADER], const series *s, msk_error *error) {
  msk_array whole = s->slice;
  size_t bytes;
  if (is_stacked(s)) {
    memmove(whole.shape + 1, whole.shape, (size_t)whole.rank * sizeof *whole.shape);
    whole.shape[0] = s->slices;
    whole.rank++;
  }
  return msk_npy_header(header, &bytes, &whole, error);
}

msk_status trace_finish(trace *t, msk_error *error) {
  for (int i = 0; i < t->count && t->failure.code == MSK_OK; i++) {
    series *s = &t->list[i];
    uint8_t header[MSK_NPY_HEADER];
    char path[MAX_PATH_BYTES];
    if (make_header(header, s, &t->failure) != MSK_OK) break;
    snprintf(path, sizeof path, "%s/%s.npy", t->folder, s->name);
    bool written = fseek(s->file, 0, SEEK_SET) == 0 &&
                   fwrite(header, 1, sizeof header, s->file) == sizeof header &&
                   fflush(s->file) == 0 && fsync(fileno(s->file)) == 0 &&
                   rename(s->temporary, path) == 0;
    if (!written) {
      fail(t, "write", path);
    } else {
      s->temporary[0] = 0;
    }
  }
  return trace_failure(t, error);
}

msk_status trace_failure(const trace *t, msk_error *error) {
  if (t->failure.code != MSK_OK) *error = t->failure;
  return t->failure.code;
}

void trace_free(trace *t) {
  if (t == NULL) return;
  for (int i = 0; i < t->count; i++) {
    if (t->list[i].file != NULL) fclose(t->list[i].file);
    if (t->list[i].temporary[0] != 0) unlink(t->list[i].temporary);
  }
  free(t);
}
