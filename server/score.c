/* SPDX-License-Identifier: Apache-2.0
 * score.c - see score.h. CLIP belongs to one thread at a time: requests wait for each other. */
#include "score.h"

#include <stdlib.h>
#include <string.h>

#include "app/guess.h"
#include "app/json.h"
#include "form.h"
#include "masksketch_tools.h"
#include "routes.h"

struct scorer {
  const server *server;
  char folder[MAX_PATH_BYTES];
  pthread_mutex_t lock;
  clip_likeness clip;
  class_guesser guesser; /* count 0: not opened */
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
  guesser_close(&clips->guesser);
  likeness_close(&clips->clip);
  pthread_mutex_destroy(&clips->lock);
  free(clips);
}

static msk_status open_clip(scorer *clips, msk_error *error) {
  const server *s = clips->server;
  if (clips->clip.clip != NULL) return MSK_OK;
  return likeness_open(&clips->clip, clips->folder, &s->config.model, s->model, error);
}

static msk_status score_image(clip_likeness *clip, const job_image *made, double *text,
                              double *sketch, msk_error *error) {
  msk_image image = {0};
  msk_status status = msk_image_decode(&image, made->bytes, made->byte_count, MSK_ALPHA_WHITE,
                                       "picture", NULL, error);
  if (status == MSK_OK) status = likeness_look(clip, &image, text, sketch, error);
  msk_image_free(&image);
  return status;
}

/* Cosines of the job's finished pictures. */
static msk_status score_images(clip_likeness *clip, const job *j, int count, const char *text,
                               json_t *scores, msk_error *error) {
  bool drawn = j->order.request.job == MSK_JOB_DRAW && j->order.picture.pixels != NULL;
  msk_status status = likeness_set_text(clip, text, NULL, error);
  if (status == MSK_OK && drawn) status = likeness_set_sketch(clip, &j->order.picture, error);
  for (int i = 0; i < count && status == MSK_OK; i++) {
    double of_text = 0, of_sketch = 0;
    status = score_image(clip, &j->images[i], &of_text, &of_sketch, error);
    if (status == MSK_OK)
      json_array_append_new(scores,
                            json_pack("{s:i, s:f, s:o}", "index", i, "text", of_text, "sketch",
                                      drawn ? json_real(of_sketch) : json_null()));
  }
  return status;
}

static msk_status score_job(scorer *clips, const job *j, int count, const char *text,
                            json_t *scores, msk_error *error) {
  pthread_mutex_lock(&clips->lock);
  msk_status status = open_clip(clips, error);
  if (status == MSK_OK) status = score_images(&clips->clip, j, count, text, scores, error);
  pthread_mutex_unlock(&clips->lock);
  return status;
}

enum MHD_Result route_score(exchange *e) {
  static const char *const names[] = {"text", NULL};
  form f;
  char fallback[MAX_TEXT_BYTES + 1] = "";
  const char *text = fallback;
  json_t *scores = json_array(), *answer = NULL;
  msk_error error = {0};
  bool good = form_read(&f, e, true) && form_check_names(&f, names, "/v1/jobs/ID/score") &&
              form_text(&f, "text", &text);
  if (good && strlen(text) > MAX_TEXT_BYTES)
    good = problem_set(&e->problem, 422, "text", "text is longer than the %d bytes that are taken",
                       MAX_TEXT_BYTES);
  job *j = good ? jobs_find(e->server->jobs, e->id, NULL, &e->problem) : NULL;
  good = j != NULL;
  if (good && likeness_class_text(fallback, NULL,
                                  msk_model_class_name(e->server->model, j->order.request.class_id),
                                  &error) != MSK_OK)
    good = problem_from_error(&e->problem, "text", &error);
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

/* ---- the classes that a drawing shows ---- */

/* Names that are embedded at the first request for a guess; of more it would wait too long. */
enum { MOST_GUESSED = 200 };

bool scorer_guesses(const server *s) {
  const int classes = msk_model_class_search(s->model, NULL, NULL, 0);
  return s->scorer != NULL && classes > 0 && classes <= MOST_GUESSED;
}

static msk_status guess_drawing(scorer *clips, const msk_image *drawing, guess *guesses,
                                msk_error *error) {
  pthread_mutex_lock(&clips->lock);
  class_guesser *g = &clips->guesser;
  msk_status status = open_clip(clips, error);
  if (status == MSK_OK && g->count == 0) {
    status = guesser_open(g, &clips->clip, clips->server->model, error);
    if (status != MSK_OK) guesser_close(g);
  }
  if (status == MSK_OK) status = guesser_look(g, drawing, guesses, error);
  pthread_mutex_unlock(&clips->lock);
  return status;
}

enum MHD_Result route_guess(exchange *e) {
  order o = {.kept = -1};
  guess guesses[MOST_GUESSED];
  msk_error error = {0};
  bool good = scorer_guesses(e->server);
  if (!good)
    problem_set(&e->problem, 501, NULL,
                "guessing wants a CLIP (--clip DIR, or models/clip beside the model) and a model "
                "of at most %d classes",
                MOST_GUESSED);
  good = good && route_read_drawing(e, "/v1/guess", e->server->info.image_size, &o);
  if (good && guess_drawing(e->server->scorer, &o.picture, guesses, &error) != MSK_OK)
    good = problem_from_error(&e->problem, NULL, &error);
  order_free(&o);
  if (!good) return answer_problem(e);
  const server *s = e->server;
  json_t *classes = guesses_list(&s->scorer->guesser, s->model, guesses);
  return answer_json(e, 200, json_pack("{s:o}", "classes", classes));
}
