/* SPDX-License-Identifier: Apache-2.0
 * adapters.h - an adapter file with random numbers, for a model file; test code only. */
#ifndef MSK_TEST_ADAPTERS_H
#define MSK_TEST_ADAPTERS_H

#include "api.h"

/* What is wrong with it; SOUND: nothing. */
typedef enum adapter_flaw {
  ADAPTER_SOUND,
  ADAPTER_OF_ANOTHER, /* model, by its hash */
  ADAPTER_WITHOUT_CLASS,
  ADAPTER_LONELY, /* a matrix without its other half */
  ADAPTER_NARROW, /* a matrix of another shape */
  ADAPTER_RAGGED, /* two ranks */
  ADAPTER_INFINITE,
  ADAPTER_STRANGE, /* a tensor without a place */
  ADAPTER_NAMELESS,
  ADAPTER_FLAWS
} adapter_flaw;

void adapter_write(const char *path, const char *model_path, const char *class_name, size_t rank,
                   float spread, adapter_flaw flaw);

#endif
