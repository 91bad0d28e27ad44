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

enum { MAX_SERIES = 48, HEADER_BYTES = 256 };

typedef struct series {
  char name[64];
  FILE *file;
  char temporary[MAX_PATH_BYTES];
  msk_dtype dtype;
  int rank;
  size_t shape[MSK_MAX_RANK], slice_bytes, slices;
} series;

struct trace {
  char folder[MAX_PATH_BYTES - 128];
  series list[MAX_SERIES];
  int count;
  msk_error failure;
};

static const char *npy_type(msk_dtype dtype, size_t *bytes) {
  switch (dtype) {
    case MSK_DTYPE_F32: *bytes = 4; return "<f4";
    case MSK_DTYPE_F64: *bytes = 8; return "<f8";
    case MSK_DTYPE_I32: *bytes = 4; return "<i4";
    case MSK_DTYPE_I64: *bytes = 8; return "<i8";
    case MSK_DTYPE_U32: *bytes = 4; return "<u4";
    case MSK_DTYPE_U8:
    case MSK_DTYPE_BOOL: *bytes = 1; return "|u1";
    case MSK_DTYPE_I8: *bytes = 1; return "|i1";
    case MSK_DTYPE_F16:
    case MSK_DTYPE_BF16: break;
  }
  return NULL;
}

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
  *s = (series){.dtype = array->dtype, .rank = array->rank};
  memcpy(s->shape, array->shape, sizeof s->shape);
  if (npy_type(array->dtype, &s->slice_bytes) == NULL ||
      snprintf(s->name, sizeof s->name, "%s", name) >= (int)sizeof s->name)
    return NULL;
  for (int i = 0; i < array->rank; i++) s->slice_bytes *= array->shape[i];
  char temporary[MAX_PATH_BYTES];
  snprintf(temporary, sizeof temporary, "%s/.%s.XXXXXX", t->folder, name);
  int descriptor = mkstemp(temporary);
  if (descriptor < 0) return NULL;
  t->count++;
  memcpy(s->temporary, temporary, sizeof temporary);
  fchmod(descriptor, 0644);
  s->file = fdopen(descriptor, "wb");
  char nothing[HEADER_BYTES] = {0};
  if (s->file == NULL || fwrite(nothing, 1, sizeof nothing, s->file) != sizeof nothing) return NULL;
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
  bool same = s->dtype == array->dtype && s->rank == array->rank &&
              memcmp(s->shape, array->shape, (size_t)s->rank * sizeof s->shape[0]) == 0;
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

/* Magic, version 1.0, length of the text, the text padded with blanks and a line feed. */
static void make_header(char header[HEADER_BYTES], const series *s) {
  size_t bytes = 0;
  memset(header, ' ', HEADER_BYTES);
  memcpy(header, "\x93NUMPY\x01\x00", 8);
  header[8] = (char)(HEADER_BYTES - 10);
  header[9] = 0;
  int used = 10 + snprintf(header + 10, HEADER_BYTES - 10,
                           "{'descr': '%s', 'fortran_order': False, 'shape': (",
                           npy_type(s->dtype, &bytes));
  if (is_stacked(s))
    used += snprintf(header + used, (size_t)(HEADER_BYTES - used), "%zu, ", s->slices);
  for (int i = 0; i < s->rank; i++)
    used += snprintf(header + used, (size_t)(HEADER_BYTES - used), "%zu, ", s->shape[i]);
  used += snprintf(header + used, (size_t)(HEADER_BYTES - used), "), }");
  header[used] = ' ';
  header[HEADER_BYTES - 1] = '\n';
}

msk_status trace_finish(trace *t, msk_error *error) {
  for (int i = 0; i < t->count && t->failure.code == MSK_OK; i++) {
    series *s = &t->list[i];
    char header[HEADER_BYTES], path[MAX_PATH_BYTES];
    make_header(header, s);
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
