/* SPDX-License-Identifier: Apache-2.0
 * teaching_run.c - see teaching_run.h: what both files of a teaching ask of it. */
#include "api/teaching_run.h"

#include "base/error.h"

msk_status teaching_out_of_memory(const teaching_run *t) {
  return msk_fail(t->error, MSK_ERROR_MEMORY, "no memory for the lessons");
}

int32_t *teaching_tokens(const teaching_run *t, size_t number, size_t half) {
  return t->tokens + (2 * number + half) * t->cells;
}
