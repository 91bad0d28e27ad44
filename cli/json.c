/* SPDX-License-Identifier: Apache-2.0
 * json.c - see json.h. */
#include "json.h"

#include "candidates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

json_t *json_seed(uint64_t seed) {
  if (seed < (uint64_t)1 << 53) return json_integer((json_int_t)seed);
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
  return json_string(text);
}

json_t *json_text(const char *text) {
  json_t *string = json_string(text);
  if (string != NULL || text == NULL) return string;
  char *copy = strdup(text);
  for (char *c = copy; c != NULL && *c != 0; c++) {
    if ((unsigned char)*c >= 0x80) *c = '?';
  }
  string = json_string(copy);
  free(copy);
  return string;
}

msk_status json_print(json_t *object, msk_error *error) {
  char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
  json_decref(object);
  if (text == NULL) return cli_fail(error, MSK_ERROR_MEMORY, "out of memory for the JSON object");
  puts(text);
  free(text);
  return cli_flush_stdout(error);
}

static json_t *times_object(const msk_times *times) {
  return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "encode", times->encode, "targets",
                   times->targets, "conditional", times->conditional, "structure", times->structure,
                   "sampling", times->sampling, "decode", times->decode, "total", times->total);
}

/* Bytes of physical memory that the process has held at most. */
static json_int_t peak_memory(void) {
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0 ? (json_int_t)usage.ru_maxrss * 1024 : 0;
}

msk_status json_print_picture(const drawing *d, const char *file, int item,
                              const msk_result *result, int index, const struct contender *chosen,
                              msk_error *error) {
  static const char *const jobs[] = {"draw", "generate", "edit"};
  const char *class_name = msk_model_class_name(d->model, d->request.class_id);
  json_t *scores = chosen != NULL ? candidates_scores(chosen) : json_object();
  if (chosen == NULL && result->structure != NULL && isfinite(result->structure[index]))
    json_object_set_new(scores, "structure", json_real((double)result->structure[index]));
  json_t *object = json_pack(
      "{s:o, s:s, s:i, s:s?, s:o, s:i, s:i, s:s, s:i, s:I, s:o, s:o, s:{s:I, s:I}, s:s?}", "file",
      json_text(file), "job", jobs[d->request.job], "class", d->request.class_id, "class_name",
      class_name, "seed", json_seed(d->request.seed), "item", item, "batch", result->count,
      "recipe", d->request.recipe.name, "steps", result->step_count, "passes",
      (json_int_t)result->passes, "times", times_object(&result->times), "scores", scores, "memory",
      "session", (json_int_t)result->memory, "peak", peak_memory(), "model", d->info.name);
  if (chosen != NULL) json_object_set_new(object, "guidance", json_real(chosen->guidance));
  return json_print(object, error);
}
