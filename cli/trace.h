/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.h - `--trace FOLDER`: each quantity that the library names is stacked over the steps in
 * FOLDER/NAME.npy. Data is streamed to a temporary file, because the logits of a long run do not
 * fit into memory; the file gets its name when the run is over. */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include "masksketch.h"

typedef struct trace trace;

/* Makes the folder if it is missing. */
msk_status trace_open(trace **out, const char *folder, msk_error *error);
/* Takes one array: for msk_callbacks.on_trace. Returns 0, or -1 after a failure, which
 * trace_close() reports. */
int trace_take(trace *t, const char *name, const msk_array *array);
/* Gives all files their names. */
msk_status trace_finish(trace *t, msk_error *error);
/* Why trace_take() failed; MSK_OK if it did not. */
msk_status trace_failure(const trace *t, msk_error *error);
/* Frees it; files that were not finished are removed. NULL is ignored. */
void trace_free(trace *t);
#endif
