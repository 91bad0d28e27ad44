/* SPDX-License-Identifier: Apache-2.0
 *
 * routes_a1111.c - pictures by AUTOMATIC1111's interface: the prompt names a class, a picture of a
 * ControlNet unit or one without a mask is a sketch, one with a mask is edited. What their
 * programs always send and what means nothing here is not looked at. The answer waits for the
 * pictures; a client that leaves cancels its job. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "a1111.h"
#include "app/json.h"
#include "await.h"
#include "job_form.h"
#include "masksketch_tools.h"
#include "routes.h"

enum { RANDOM_SEED_BITS = 32 }; /* as theirs, which programs keep in 32 */

/* ---- What is asked ---- */

/* A recipe's name chooses it; "Euler a" and its kin mean nothing here. */
static const char *recipe_of(const char *sampler) {
  msk_recipe recipe;
  msk_error ignored;
  const bool known =
      sampler != NULL && msk_recipe_find(&recipe, NULL, MSK_JOB_DRAW, sampler, &ignored) == MSK_OK;
  return known && !recipe.official ? sampler : NULL;
}

static bool read_seed(form *f, uint64_t *seed) {
  long long given = -1;
  if (!form_integer(f, "seed", -1, (1LL << 53) - 1, &given)) return false;
  *seed = (uint64_t)given;
  if (given >= 0) return true;
  if (!job_random_seed(seed, f->problem)) return false;
  *seed &= (1ULL << RANDOM_SEED_BITS) - 1;
  return true;
}

static bool read_count(form *f, int *count) {
  long long batch = 1, batches = 1;
  if (!form_integer(f, "batch_size", 1, SERVER_MAX_COUNT, &batch) ||
      !form_integer(f, "n_iter", 1, SERVER_MAX_COUNT, &batches))
    return false;
  *count = (int)(batch * batches);
  return *count <= SERVER_MAX_COUNT ||
         problem_set(f->problem, 422, "n_iter",
                     "batch_size times n_iter is %d pictures, expected at most %d", *count,
                     SERVER_MAX_COUNT);
}

static bool read_wishes(form *f, job_wishes *w) {
  const char *sampler = NULL;
  long long steps = 0;
  *w = (job_wishes){
      .lambda = -1, .counts_seeds = true, .preview_seconds = (double)SERVER_PREVIEW_MS / 1000};
  if (!job_prompt(f, &w->class_id) || !read_seed(f, &w->seed) || !read_count(f, &w->count) ||
      !form_integer(f, "steps", 1, SERVER_MAX_STEPS, &steps) ||
      !form_text(f, "sampler_name", &sampler))
    return false;
  w->steps = (int)steps;
  w->recipe = recipe_of(sampler);
  return true;
}

/* ---- Pictures ---- */

static json_t *controlnet_of(json_t *scripts) {
  const char *name;
  json_t *script;
  json_object_foreach(scripts, name, script) {
    if (strcasecmp(name, "controlnet") == 0) return script;
  }
  return NULL;
}

/* The picture of a unit that is on, in base64; NULL: it is off, or has none. */
static const char *unit_picture(const json_t *unit) {
  static const char *const names[] = {"image", "input_image"};
  if (json_is_false(json_object_get(unit, "enabled"))) return NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    const json_t *value = json_object_get(unit, names[i]);
    /* some programs put a mask beside it */
    if (json_is_object(value)) value = json_object_get(value, "image");
    const char *text = json_string_value(value);
    if (text != NULL && *text != 0) return text;
  }
  return NULL;
}

/* The sketch of a ControlNet unit; stays empty where there is none. */
static bool read_unit(form *f, msk_image *sketch) {
  json_t *scripts = NULL, *unit;
  const char *found = NULL;
  size_t at;
  int count = 0;
  if (!form_json(f, "alwayson_scripts", JSON_OBJECT, &scripts)) return false;
  json_array_foreach(json_object_get(controlnet_of(scripts), "args"), at, unit) {
    const char *text = unit_picture(unit);
    if (text == NULL) continue;
    found = text;
    count++;
  }
  bool good = count <= 1 || problem_set(f->problem, 422, "alwayson_scripts",
                                        "%d units of ControlNet have a picture, expected one, "
                                        "which is the sketch",
                                        count);
  if (good && found != NULL)
    good = form_picture_text(f, "alwayson_scripts", found, MSK_ALPHA_SKETCH, sketch);
  json_decref(scripts);
  return good;
}

static bool read_init_image(form *f, msk_alpha alpha, msk_image *out) {
  json_t *list = NULL;
  if (!form_json(f, "init_images", JSON_ARRAY, &list)) return false;
  const size_t count = json_array_size(list);
  bool good = count == 1 || problem_set(f->problem, 422, "init_images",
                                        "init_images has %zu pictures, expected one", count);
  good = good && form_picture_text(f, "init_images", json_string_value(json_array_get(list, 0)),
                                   alpha, out);
  json_decref(list);
  return good;
}

static bool all_opaque(const msk_image *opacity) {
  const size_t bytes = (size_t)opacity->width * (size_t)opacity->height * 3;
  for (size_t i = 0; i < bytes; i++) {
    if (opacity->pixels[i] != 255) return false;
  }
  return true;
}

static void turn_over(msk_image *image) {
  const size_t bytes = (size_t)image->width * (size_t)image->height * 3;
  for (size_t i = 0; i < bytes; i++) image->pixels[i] = (uint8_t)(255 - image->pixels[i]);
}

/* White is repainted; in a mask with transparent places, what is opaque. */
static bool read_mask(form *f, msk_image *mask) {
  long long inverted = 0;
  if (!form_integer(f, "inpainting_mask_invert", 0, 1, &inverted) ||
      !form_picture(f, "mask", MSK_ALPHA_ONLY, mask))
    return false;
  if (all_opaque(mask)) {
    msk_image_free(mask);
    if (!form_picture(f, "mask", MSK_ALPHA_WHITE, mask)) return false;
  }
  if (inverted == 1) turn_over(mask);
  return true;
}

typedef struct pictures {
  msk_image photo, mask; /* photo: the sketch when drawing */
} pictures;

/* img2img: a unit's sketch goes before the picture, which without a mask is one too. */
static bool read_pictures(form *f, pictures *p, job_wishes *w, msk_job *kind) {
  double denoising = 0;
  const char *mask = NULL;
  if (!form_text(f, "mask", &mask)) return false;
  const bool masked = mask != NULL && *mask != 0;
  *kind = masked ? MSK_JOB_EDIT : MSK_JOB_DRAW;
  if (masked && p->photo.pixels != NULL)
    return problem_set(f->problem, 422, "mask",
                       "both mask and a unit of ControlNet were given, expected one of them: what "
                       "is repainted follows no sketch");
  if (!form_has(f, "init_images"))
    return form_missing(f, "init_images", "a list with a picture: PNG, JPEG or WebP");
  if (!form_number(f, "denoising_strength", 0, 1, &denoising)) return false;
  if (form_has(f, "denoising_strength")) w->lambda = 1 - denoising;
  if (masked) return read_init_image(f, MSK_ALPHA_WHITE, &p->photo) && read_mask(f, &p->mask);
  return p->photo.pixels != NULL || read_init_image(f, MSK_ALPHA_SKETCH, &p->photo);
}

/* The fields for the answer, without the pictures in them, which are large. */
static json_t *fields_of(const form *f) {
  static const char *const large[] = {"init_images", "mask", "alwayson_scripts"};
  json_t *fields = json_copy(f->values);
  for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
    if (json_object_get(fields, large[i]) != NULL)
      json_object_set_new(fields, large[i], json_null());
  }
  return fields;
}

/* ---- The answer ---- */

/* By /interrupt: the pictures that are there are the answer, as theirs is. */
static bool is_interrupted(const job *j) {
  return j->state == JOB_CANCELLED && j->reason == REASON_ASKED;
}

static enum MHD_Result run(exchange *e, job *j, json_t *fields) {
  jobs *table = e->server->jobs;
  json_t *answer = NULL;
  bool good = jobs_submit(table, j, &e->problem);
  if (good) {
    good = await_job(e, j) || is_interrupted(j);
    if (good) answer = a1111_answer(e, j, jobs_image_count(table, j), fields);
    jobs_delete(table, j); /* nobody knows its id */
  }
  jobs_release(table, j);
  json_decref(fields);
  return good ? answer_json(e, 200, answer) : answer_problem(e);
}

static enum MHD_Result make(exchange *e, bool from_picture) {
  form f;
  job_wishes wishes;
  pictures p = {.photo = {0}};
  msk_job kind = MSK_JOB_GENERATE;
  json_t *fields = NULL;
  bool good = form_read(&f, e, false) && read_wishes(&f, &wishes) && read_unit(&f, &p.photo);
  /* a ControlNet unit's picture is the sketch, whatever else the request is */
  if (good && p.photo.pixels != NULL) kind = MSK_JOB_DRAW;
  if (good && from_picture) good = read_pictures(&f, &p, &wishes, &kind);
  msk_image *photo = p.photo.pixels == NULL ? NULL : &p.photo,
            *mask = p.mask.pixels == NULL ? NULL : &p.mask;
  job *j = good ? job_plain(e->server, kind, &wishes, photo, mask, &e->problem) : NULL;
  if (j != NULL) fields = fields_of(&f);
  msk_image_free(&p.photo);
  msk_image_free(&p.mask);
  form_free(&f);
  if (j == NULL) return answer_problem(e);
  j->a1111 = true;
  return run(e, j, fields);
}

enum MHD_Result route_txt2img(exchange *e) { return make(e, false); }
enum MHD_Result route_img2img(exchange *e) { return make(e, true); }

/* ---- The job that runs ---- */

enum MHD_Result route_progress(exchange *e) {
  const char *skipped = exchange_query(e, "skip_current_image");
  job *j = jobs_first_a1111(e->server->jobs);
  job_progress progress = {0};
  if (j != NULL) jobs_progress(e->server->jobs, j, &progress);
  const bool interrupted = j != NULL && atomic_load(&j->cancelled);
  json_t *state =
      json_pack("{s:b, s:b, s:s, s:i, s:s, s:i, s:i, s:i}", "skipped", 0, "interrupted",
                interrupted, "job", j == NULL ? "" : msk_job_name((int)j->order.request.job),
                "job_count", progress.pictures, "job_timestamp", "0", "job_no", progress.index,
                "sampling_step", progress.step, "sampling_steps", progress.steps);
  if (skipped != NULL && strcasecmp(skipped, "true") == 0) {
    json_decref(progress.preview);
    progress.preview = NULL;
  }
  jobs_release(e->server->jobs, j);
  return answer_json(e, 200,
                     json_pack("{s:f, s:f, s:o, s:o?, s:n}", "progress", progress.done,
                               "eta_relative", progress.seconds_left, "state", state,
                               "current_image", progress.preview, "textinfo"));
}

enum MHD_Result route_interrupt(exchange *e) {
  job *j = jobs_first_a1111(e->server->jobs);
  if (j != NULL) jobs_cancel(e->server->jobs, j, REASON_ASKED);
  jobs_release(e->server->jobs, j);
  return answer_static(e, 200, "application/json", "{}", 2);
}

/* ---- What a picture says ---- */

/* A side of a PNG stands at a fixed place; 0: the PNG has nothing in it. */
static int png_side(const void *bytes, size_t count, size_t place) {
  const uint8_t *at = (const uint8_t *)bytes + place;
  if (count < place + 4) return 0;
  return (int)((unsigned)at[0] << 24 | (unsigned)at[1] << 16 | (unsigned)at[2] << 8 | at[3]);
}

/* Of ours what its text says, of others the lines that AUTOMATIC1111 has put into them. */
static json_t *told(const char *own, const char *theirs, int width, int height) {
  json_t *items = json_object(), *lines = json_text(theirs == NULL ? "" : theirs);
  json_t *parameters = own == NULL ? NULL : a1111_parameters(own, width, height);
  if (theirs != NULL) json_object_set(items, "parameters", lines);
  if (own != NULL) json_object_set_new(items, "masksketch", json_text(own));
  if (parameters == NULL) {
    parameters = json_object();
  } else {
    json_decref(lines);
    lines = a1111_lines(parameters);
    json_object_set_new(parameters, "Size-1", json_sprintf("%d", width));
    json_object_set_new(parameters, "Size-2", json_sprintf("%d", height));
  }
  return json_pack("{s:o, s:o, s:o}", "info", lines, "items", items, "parameters", parameters);
}

enum MHD_Result route_png_info(exchange *e) {
  form f;
  void *bytes = NULL;
  size_t count = 0;
  char *own = NULL, *theirs = NULL;
  msk_error error = {0};
  bool good = form_read(&f, e, false);
  if (good && !form_has(&f, "image")) good = form_missing(&f, "image", "a PNG in base64");
  good = good && form_file(&f, "image", &bytes, &count);
  form_free(&f);
  if (good && (msk_png_text(bytes, count, "masksketch", &own, NULL, &error) != MSK_OK ||
               msk_png_text(bytes, count, "parameters", &theirs, NULL, &error) != MSK_OK))
    good = problem_from_error(&e->problem, "image", &error);
  json_t *answer =
      good ? told(own, theirs, png_side(bytes, count, 16), png_side(bytes, count, 20)) : NULL;
  msk_free(NULL, own);
  msk_free(NULL, theirs);
  free(bytes);
  return good ? answer_json(e, 200, answer) : answer_problem(e);
}
