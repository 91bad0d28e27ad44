/* SPDX-License-Identifier: Apache-2.0
 *
 * example.c - a whole program with the library: a sketch and a class in, a photo out.
 *
 *     cc example.c $(pkg-config --cflags --libs masksketch) -o example
 *     ./example models/default.safetensors sketch.png teapot photo.png
 */
#include <masksketch.h>
#include <stdio.h>
#include <string.h>

static int show_step(void *user, const msk_step_info *info) {
  (void)user;
  fprintf(stderr, "\rstep %d of %d", info->step + 1, info->step_count);
  return 0; /* anything else stops */
}

/* One owner of everything; what was not made is zero, and freeing zero does nothing. */
struct job {
  msk_model *model;
  msk_session *session;
  msk_image file, sketch, photo;
  void *png;
};

static msk_status draw(struct job *job, char **argument, msk_error *error) {
  msk_request request;
  msk_result result;
  msk_model_info info;
  msk_prepare_options preparation;
  size_t bytes;
  msk_status status = msk_model_open(&job->model, argument[1], NULL, error);
  if (status == MSK_OK)
    status = msk_request_init(&request, job->model, MSK_JOB_DRAW, "balanced", error);
  if (status == MSK_OK)
    status = msk_model_class_find(job->model, argument[3], &request.class_id, error);
  if (status == MSK_OK)
    status = msk_image_load(&job->file, argument[2], MSK_ALPHA_WHITE, NULL, error);
  if (status != MSK_OK) return status;
  msk_model_get_info(job->model, &info);
  msk_prepare_init(&preparation);
  preparation.fit = info.fit; /* as suits the model */
  status = msk_image_prepare(&job->sketch, &job->file, info.image_size, info.image_size,
                             &preparation, NULL, error);
  request.picture = &job->sketch;
  request.seed = 7;
  request.callbacks.on_step = show_step;
  if (status == MSK_OK) status = msk_session_open(&job->session, job->model, &request, NULL, error);
  if (status == MSK_OK) status = msk_run(job->session, &request, &result, error);
  if (status == MSK_OK)
    status = msk_image_from_float(&job->photo, result.pixels, info.image_size, info.image_size,
                                  NULL, error);
  if (status == MSK_OK)
    status =
        msk_image_encode(&job->photo, MSK_FORMAT_PNG, 0, NULL, 0, &job->png, &bytes, NULL, error);
  if (status == MSK_OK) status = msk_file_write(argument[4], job->png, bytes, error);
  if (status == MSK_OK)
    fprintf(stderr, "\n%s, in %.1f s\n", msk_model_class_name(job->model, request.class_id),
            result.times.total);
  return status;
}

int main(int count, char **argument) {
  struct job job;
  msk_error error;
  memset(&job, 0, sizeof job);
  if (count != 5) return fprintf(stderr, "usage: example MODEL SKETCH CLASS OUT.png\n"), 2;
  msk_status status = draw(&job, argument, &error);
  if (status != MSK_OK) fprintf(stderr, "example: %s\n", error.message);
  msk_free(NULL, job.png);
  msk_image_free(&job.photo), msk_image_free(&job.sketch), msk_image_free(&job.file);
  msk_session_close(job.session);
  msk_model_close(job.model);
  return status == MSK_OK ? 0 : 1;
}
