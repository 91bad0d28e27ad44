/* SPDX-License-Identifier: Apache-2.0
 * score.c - see score.h. CLIP belongs to one thread at a time: requests wait for each other. */
#include "score.h"

#include <stdlib.h>
#include <string.h>

#include "app/model_path.h"
#include "form.h"
#include "routes.h"

struct scorer {
  const server *server;
  char folder[MAX_PATH_BYTES];
  pthread_mutex_t lock;
  msk_clip *clip;
};

msk_status scorer_create(scorer **made, const server *s, msk_error *error) {
  scorer *clips = calloc(1, sizeof *clips);
  if (clips == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the scorer");
  clips->server = s;
  if (model_path_find_clip(clips->folder, s->config.clip, error) != MSK_OK ||
      pthread_mutex_init(&clips->lock, NULL) != 0) {
    free(clips);
    return s->config.clip == NULL ? MSK_OK : error->code;
  }
  *made = clips;
  return MSK_OK;
}

void scorer_destroy(scorer *clips) {
  if (clips == NULL) return;
  msk_clip_close(clips->clip);
  pthread_mutex_destroy(&clips->lock);
  free(clips);
}

static msk_status open_clip(scorer *clips, msk_error *error) {
  msk_clip_options options;
  if (clips->clip != NULL) return MSK_OK;
  msk_clip_options_init(&options);
  options.isa = clips->server->config.isa;
  if (clips->server->config.threads > 0) options.threads = clips->server->config.threads;
  return msk_clip_open(&clips->clip, clips->folder, &options, error);
}

/* Cosines of the job's finished pictures; `vectors` holds three embeddings. */
static msk_status score_images(scorer *clips, const job *j, int count, const char *text,
                               float *vectors, json_t *scores, msk_error *error) {
  msk_clip_info info;
  msk_clip_get_info(clips->clip, &info);
  float *of_text = vectors, *of_sketch = vectors + info.dimensions,
        *of_picture = of_sketch + info.dimensions;
  bool drawn = j->order.request.job == MSK_JOB_DRAW && j->order.picture.pixels != NULL;
  msk_status status = msk_clip_embed_texts(clips->clip, &text, 1, of_text, NULL, error);
  if (status == MSK_OK && drawn)
    status = msk_clip_embed_images(clips->clip, &j->order.picture, 1, of_sketch, error);
  for (int i = 0; i < count && status == MSK_OK; i++) {
    msk_image image = {0};
    status = msk_image_decode(&image, j->images[i].bytes, j->images[i].byte_count, MSK_ALPHA_WHITE,
                              "picture", NULL, error);
    if (status == MSK_OK) status = msk_clip_embed_images(clips->clip, &image, 1, of_picture, error);
    msk_image_free(&image);
    if (status != MSK_OK) break;
    double sketch = drawn ? msk_clip_cosine(of_picture, of_sketch, info.dimensions) : 0;
    json_array_append_new(scores, json_pack("{s:i, s:f, s:o}", "index", i, "text",
                                            msk_clip_cosine(of_picture, of_text, info.dimensions),
                                            "sketch", drawn ? json_real(sketch) : json_null()));
  }
  return status;
}

static msk_status score_job(scorer *clips, const job *j, int count, const char *text,
                            json_t *scores, msk_error *error) {
  pthread_mutex_lock(&clips->lock);
  msk_status status = open_clip(clips, error);
  if (status == MSK_OK) {
    msk_clip_info info;
    msk_clip_get_info(clips->clip, &info);
    float *vectors = calloc((size_t)info.dimensions * 3, sizeof *vectors);
    status = vectors == NULL ? app_fail(error, MSK_ERROR_MEMORY, "out of memory for embeddings")
                             : score_images(clips, j, count, text, vectors, scores, error);
    free(vectors);
  }
  pthread_mutex_unlock(&clips->lock);
  return status;
}

/* What stands for the class before its first comma, in a sentence. */
static void default_text(char *text, size_t bytes, const job *j) {
  const char *name = msk_model_class_name(j->order.model, j->order.request.class_id);
  if (name == NULL) name = "thing";
  snprintf(text, bytes, "a photo of a %.*s", (int)strcspn(name, ","), name);
}

enum MHD_Result route_score(exchange *e) {
  static const char *const names[] = {"text", NULL};
  form f;
  char fallback[200];
  const char *text = fallback;
  job *j = jobs_find(e->server->jobs, e->id);
  json_t *scores = json_array(), *answer = NULL;
  msk_error error = {0};
  bool good = form_read(&f, e, true) && form_check_names(&f, names, "/v1/jobs/ID/score") &&
              form_text(&f, "text", &text);
  if (j != NULL) default_text(fallback, sizeof fallback, j);
  if (good && strlen(text) > 8192)
    good =
        problem_set(&e->problem, 422, "text", "text is longer than the 8192 bytes that are taken");
  if (good && j == NULL)
    good = problem_set(&e->problem, 404, NULL,
                       "there is no job %s: it was never here, was deleted, or is forgotten by now",
                       e->id);
  if (good && e->server->scorer == NULL)
    good = problem_set(&e->problem, 501, NULL,
                       "there is no CLIP here, expected a server started with --clip DIR, or "
                       "models/clip beside the model");
  int count = j == NULL ? 0 : jobs_image_count(e->server->jobs, j);
  if (good && count == 0)
    good = problem_set(&e->problem, 409, NULL, "the job has no finished picture yet");
  if (good && score_job(e->server->scorer, j, count, text, scores, &error) != MSK_OK)
    good = problem_from_error(&e->problem, "text", &error);
  if (good) answer = json_pack("{s:s, s:O}", "text", text, "scores", scores);
  json_decref(scores);
  form_free(&f);
  jobs_release(e->server->jobs, j);
  return good ? answer_json(e, 200, answer) : answer_problem(e);
}
