/* SPDX-License-Identifier: Apache-2.0
 * job_object.c - see job_object.h. */
#include "job_object.h"

#include <math.h>

#include "app/json.h"

static const char *state_name(job_state state) {
  static const char *const names[] = {"queued", "running", "done", "failed", "cancelled"};
  return names[state];
}

static json_t *integer_or_null(bool there, int value) {
  return there ? json_integer(value) : json_null();
}
static json_t *real_or_null(bool there, double value) {
  return there ? json_real(value) : json_null();
}

/* Of all pictures; 0 before the first step. */
static double share_done(const job *j) {
  const int runs = order_runs_together(&j->order) ? 1 : j->order.request.count;
  return j->steps_done == 0 ? 0 : fmin((double)j->steps_done / (j->step_count * runs), 1);
}

/* From the steps done so far; false before the first. */
static bool seconds_left(const job *j, double now, double *seconds) {
  const double done = share_done(j);
  if (j->state != JOB_RUNNING || done == 0) return false;
  *seconds = (now - j->started) * (1 - done) / done;
  return true;
}

static double seconds_run(const job *j, double now) {
  if (j->state == JOB_QUEUED || j->started <= 0) return 0;
  return (job_has_ended(j) ? j->ended : now) - j->started;
}

static json_t *image_object(const job *j, int index) {
  const job_image *image = &j->images[index];
  char url[96];
  snprintf(url, sizeof url, "/v1/jobs/%s/images/%d", j->id, index);
  json_t *scores = json_object();
  json_set_finite(scores, "structure", (double)image->structure);
  return json_pack("{s:i, s:i, s:s, s:s, s:I, s:i, s:i, s:o, s:f}", "index", index, "item",
                   image->item, "url", url, "type", "image/png", "bytes",
                   (json_int_t)image->byte_count, "width", j->order.info.image_size, "height",
                   j->order.info.image_size, "scores", scores, "seconds", image->seconds);
}

const char *job_picture_warning(const job *j) {
  for (int i = 0; i < j->image_count; i++) {
    if (j->images[i].warning != NULL) return j->images[i].warning;
  }
  return NULL;
}

json_t *job_warnings(const job *j) {
  const char *wrong = job_picture_warning(j);
  json_t *warnings = json_array();
  for (const char *const *text = j->order.warnings; *text != NULL; text++)
    json_array_append_new(warnings, json_string(*text));
  if (wrong != NULL) json_array_append_new(warnings, json_string(wrong));
  return warnings;
}

json_t *job_object(const job *j, const job_moment *moment) {
  static const char *const reasons[] = {NULL, "asked", "replaced", "shutdown"};
  const msk_request *request = &j->order.request;
  char seed[24], self[64], events[80];
  double left = 0;
  bool known = seconds_left(j, moment->now, &left), stepped = j->step >= 0;
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)request->seed);
  snprintf(self, sizeof self, "/v1/jobs/%s", j->id);
  snprintf(events, sizeof events, "/v1/jobs/%s/events", j->id);
  json_t *images = json_array();
  for (int i = 0; i < j->image_count; i++) json_array_append_new(images, image_object(j, i));
  json_t *object = json_pack(
      "{s:s, s:s, s:s, s:s?, s:{s:i, s:s?}, s:s, s:i, s:i, s:s, s:b, s:O, s:i, s:o}", "id", j->id,
      "job", msk_job_name((int)request->job), "state", state_name(j->state), "reason",
      j->state == JOB_CANCELLED ? reasons[j->reason] : NULL, "class", "id", request->class_id,
      "name", msk_model_class_name(j->order.model, request->class_id), "seed", seed, "first_item",
      request->first_item, "count", order_pictures(&j->order), "recipe", request->recipe.name,
      "live", j->live, "settings", j->settings, "candidates",
      request->guidance_count > 0 ? request->count : 0, "device", json_text(j->order.info.device));
  if (object == NULL) {
    json_decref(images);
    return NULL;
  }
  json_object_set_new(object, "position",
                      integer_or_null(j->state == JOB_QUEUED, moment->position));
  json_object_set_new(object, "item", integer_or_null(stepped, j->item));
  json_object_set_new(object, "step", integer_or_null(stepped, j->step));
  json_object_set_new(object, "steps", integer_or_null(stepped, j->step_count));
  json_object_set_new(object, "seconds", json_real(seconds_run(j, moment->now)));
  json_object_set_new(object, "seconds_left", real_or_null(known, left));
  json_object_set_new(object, "images", images);
  json_object_set_new(object, "warnings", job_warnings(j));
  json_object_set_new(object, "error",
                      j->state == JOB_FAILED ? problem_object(&j->failure) : json_null());
  double expires = j->ended + moment->keep_seconds - moment->now;
  json_object_set_new(object, "expires_in",
                      real_or_null(job_has_ended(j), expires > 0 ? expires : 0));
  json_object_set_new(object, "links", json_pack("{s:s, s:s}", "self", self, "events", events));
  return object;
}

void job_tell_progress(const job *j, double now, job_progress *how_far) {
  *how_far = (job_progress){.done = share_done(j),
                            .pictures = order_pictures(&j->order),
                            .index = j->image_count,
                            .steps = j->step_count};
  seconds_left(j, now, &how_far->seconds_left);
  /* the last step told may be that of a picture which is finished */
  if (j->index == j->image_count) how_far->step = j->step;
  if (j->preview != NULL) how_far->preview = json_string(j->preview);
}

static json_t *step_object(const job *j, bool with_preview, double now) {
  double left = 0;
  bool known = seconds_left(j, now, &left);
  json_t *preview = json_null();
  if (with_preview && j->preview != NULL) {
    preview =
        json_pack("{s:o, s:i, s:i}", "url", json_sprintf("data:image/jpeg;base64,%s", j->preview),
                  "width", j->preview_size, "height", j->preview_size);
    if (preview == NULL) preview = json_null();
  }
  return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:f, s:o, s:o}", "id", j->id, "index", j->index,
                   "item", j->item, "step", j->step, "steps", j->step_count, "masked", j->masked,
                   "seconds", seconds_run(j, now), "seconds_left", real_or_null(known, left),
                   "preview", preview);
}

/* In the order in which they happened, as far as they are still true. */
json_t *job_next_event(const job *j, job_told *told, const job_moment *moment, const char **event) {
  if (told->over) return NULL;
  if (j->state == JOB_QUEUED) {
    if (told->any && told->position == moment->position) return NULL;
    told->any = true;
    told->position = moment->position;
    *event = "queued";
    return job_object(j, moment);
  }
  if (told->images < j->image_count) {
    *event = "image";
    return image_object(j, told->images++);
  }
  if (job_has_ended(j)) {
    told->over = true;
    *event = state_name(j->state);
    return job_object(j, moment);
  }
  /* a step of a picture that is there already comes too late to be told */
  if (told->step_version == j->step_version || j->index < j->image_count) return NULL;
  told->step_version = j->step_version;
  bool newer = told->preview_version != j->preview_version;
  told->preview_version = j->preview_version;
  *event = "step";
  return step_object(j, newer, moment->now);
}
