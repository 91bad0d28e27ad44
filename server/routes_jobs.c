/* SPDX-License-Identifier: Apache-2.0
 * routes_jobs.c - jobs: asking for pictures, watching, fetching, cancelling. */
#include <stdlib.h>
#include <string.h>

#include "job_form.h"
#include "openai.h"
#include "routes.h"
#include "event_stream.h"

static enum MHD_Result take_order(exchange *e, msk_job kind) {
  form f;
  job *j = form_read(&f, e, false) ? job_from_form(&f, kind) : NULL;
  form_free(&f);
  if (j == NULL) return answer_problem(e);
  if (!jobs_submit(e->server->jobs, j, &e->problem)) {
    jobs_release(e->server->jobs, j);
    return answer_problem(e);
  }
  json_t *object = jobs_object(e->server->jobs, j);
  answer_header(e, "Location", "/v1/jobs/%s", j->id);
  jobs_release(e->server->jobs, j);
  return answer_json(e, 202, object);
}

enum MHD_Result route_draw(exchange *e) { return take_order(e, MSK_JOB_DRAW); }
enum MHD_Result route_generate(exchange *e) { return take_order(e, MSK_JOB_GENERATE); }
enum MHD_Result route_edit(exchange *e) { return take_order(e, MSK_JOB_EDIT); }

static job *find(exchange *e) { return jobs_find(e->server->jobs, e->id, NULL, &e->problem); }

enum MHD_Result route_job(exchange *e) {
  job *j = find(e);
  if (j == NULL) return answer_problem(e);
  json_t *object = jobs_object(e->server->jobs, j);
  jobs_release(e->server->jobs, j);
  return answer_json(e, 200, object);
}

/* The answer tells the job as it is now; one that runs ends within a step. */
enum MHD_Result route_delete(exchange *e) {
  job *j = find(e);
  if (j == NULL) return answer_problem(e);
  jobs_delete(e->server->jobs, j);
  json_t *object = jobs_object(e->server->jobs, j);
  jobs_release(e->server->jobs, j);
  return answer_json(e, 200, object);
}

enum MHD_Result route_events(exchange *e) {
  job *j = find(e);
  return j == NULL ? answer_problem(e) : stream_job(e, j);
}

/* ?size=WIDTHxHEIGHT, &format=png|jpeg|webp, &quality=1..100, as OpenAI's shape has it. */
static bool read_conversion(exchange *e, openai_wishes *w) {
  const char *size = exchange_query(e, "size"), *format = exchange_query(e, "format"),
             *quality = exchange_query(e, "quality");
  int index = 0;
  while (format != NULL && openai_formats[index] != NULL &&
         strcmp(openai_formats[index], format) != 0)
    index++;
  if (!openai_read_size(w, size, e->server->info.image_size) || openai_formats[index] == NULL)
    return problem_set(&e->problem, 422, "size",
                       "size or format is none, expected as in ?size=512x512&format=jpeg");
  w->format = openai_format(index);
  w->quality = quality != NULL && strspn(quality, "0123456789") < 4 ? atoi(quality) : 0;
  if (w->quality > 100 || w->format == MSK_FORMAT_PNG) w->quality = 0;
  return true;
}

/* Releases the job. */
static enum MHD_Result answer_converted(exchange *e, job *j, const job_image *image) {
  openai_wishes w = {.width = 0};
  void *bytes = NULL;
  size_t count = 0;
  msk_error error = {0};
  bool good = read_conversion(e, &w);
  if (good &&
      openai_convert(&w, image, e->server->info.image_size, &bytes, &count, &error) != MSK_OK)
    good = problem_from_error(&e->problem, NULL, &error);
  jobs_release(e->server->jobs, j);
  if (!good) return answer_problem(e);
  char type[24];
  snprintf(type, sizeof type, "image/%s", openai_format_word(w.format));
  return answer_bytes(e, 200, type, bytes, count); /* from the C heap, as no allocator was given */
}

enum MHD_Result route_image(exchange *e) {
  job *j = find(e);
  job_state state;
  if (j == NULL) return answer_problem(e);
  bool ended = jobs_ended(e->server->jobs, j, &state);
  int count = jobs_image_count(e->server->jobs, j);
  const int wanted = order_pictures(&j->order);
  if (e->index >= count) {
    if (ended || e->index >= wanted) {
      problem_set(&e->problem, 404, NULL, "the job has no picture %d, expected 0 to %d", e->index,
                  (ended ? count : wanted) - 1);
    } else {
      problem_set(&e->problem, 409, NULL, "picture %d is not finished yet, %d of %d are", e->index,
                  count, wanted);
    }
    jobs_release(e->server->jobs, j);
    return answer_problem(e);
  }
  const job_image *image = &j->images[e->index]; /* it does not change any more */
  if (exchange_query(e, "size") != NULL) return answer_converted(e, j, image);
  void *copy = malloc(image->byte_count);
  size_t bytes = image->byte_count;
  if (copy != NULL) memcpy(copy, image->bytes, bytes);
  jobs_release(e->server->jobs, j);
  if (copy == NULL) {
    problem_set(&e->problem, 503, NULL, "out of memory for a picture");
    return answer_problem(e);
  }
  answer_header(e, "Cache-Control", "private, max-age=3600, immutable");
  return answer_bytes(e, 200, "image/png", copy, bytes);
}
