/* SPDX-License-Identifier: Apache-2.0
 * job_form.c - see job_form.h. */
#include "job_form.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "app/json.h"
#include "app/metadata.h"
#include "app/placement.h"
#include "masksketch_tools.h"
#include "prompt.h"
#include "served_models.h"

enum { VALUE_BYTES = 1024 };

static const char *const *names_of(msk_job kind) {
  static const char *const draw[] = {"class",      "sketch",  "sketch_tokens", "lambda_map",
                                     "recipe",     "lambda",  "guidance",      "steps",
                                     "set",        "seed",    "count",         "candidates",
                                     "first_item", "fit",     "invert",        "photo_of_paper",
                                     "rng",        "preview", "live",          "client",
                                     "device",     NULL};
  static const char *const generate[] = {"class", "recipe", "guidance",   "steps", "set",
                                         "seed",  "count",  "first_item", "rng",   "preview",
                                         "live",  "client", "device",     NULL};
  static const char *const edit[] = {"class", "photo",   "mask", "box",    "recipe",     "guidance",
                                     "steps", "set",     "seed", "count",  "first_item", "fit",
                                     "rng",   "preview", "live", "client", "device",     NULL};
  if (kind == MSK_JOB_DRAW) return draw;
  return kind == MSK_JOB_GENERATE ? generate : edit;
}

/* ---- Recipe ---- */

static bool set_key(form *f, msk_recipe *recipe, msk_job kind, const char *field, const char *key,
                    const char *value) {
  msk_error error = {0};
  return msk_recipe_set(recipe, kind, key, value, &error) == MSK_OK ||
         problem_set(f->problem, 422, field, "%s: %s", field, error.message);
}

static bool read_shorthand(form *f, msk_recipe *recipe, msk_job kind, const char *field,
                           const char *key) {
  char value[VALUE_BYTES];
  double number = 0;
  if (!form_has(f, field)) return true;
  if (!form_number(f, field, 0, 1e6, &number)) return false;
  snprintf(value, sizeof value, "%.17g", number);
  return set_key(f, recipe, kind, field, key, value);
}

static bool read_settings(form *f, msk_recipe *recipe, msk_job kind) {
  json_t *settings = NULL;
  if (!form_json(f, "set", JSON_OBJECT, &settings)) return false;
  bool good = true;
  const char *key;
  json_t *value;
  json_object_foreach(settings, key, value) {
    char text[VALUE_BYTES] = "";
    good = msk_json_setting(value, text, sizeof text)
               ? set_key(f, recipe, kind, "set", key, text)
               : problem_set(f->problem, 422, "set",
                             "set: %.60s has a value that is no number, short text, flag or list "
                             "of whole numbers from 0",
                             key);
    if (!good) break;
  }
  json_decref(settings);
  return good;
}

/* After all that is set, for a recipe of its own accord may have more. */
static bool check_steps(const msk_recipe *recipe, problem *p) {
  const int steps = recipe_steps(recipe);
  return steps <= SERVER_MAX_STEPS ||
         problem_set(p, 422, "steps", "%d steps were asked for, expected at most %d here", steps,
                     SERVER_MAX_STEPS);
}

static bool begin_order(form *f, order *o, msk_job kind) {
  const char *name = NULL, *device = NULL;
  msk_error error = {0};
  if (!form_text(f, "recipe", &name) || !form_text(f, "device", &device)) return false;
  const msk_model *model = served_find(f->server, device, f->problem);
  if (model == NULL) return false;
  if (order_begin(o, model, kind, name, &error) != MSK_OK)
    return problem_from_error(f->problem, "recipe", &error);
  msk_recipe *recipe = &o->request.recipe;
  return (kind != MSK_JOB_DRAW || read_shorthand(f, recipe, kind, "lambda", "lambda_structure")) &&
         read_shorthand(f, recipe, kind, "guidance", "guidance") &&
         read_shorthand(f, recipe, kind, "steps", "steps") && read_settings(f, recipe, kind) &&
         check_steps(recipe, f->problem);
}

/* ---- Numbers and words ---- */

static bool read_class(form *f, int *class_id) {
  char text[200] = "";
  msk_error error = {0};
  if (!form_has(f, "class"))
    return form_missing(f, "class", "what the picture shows: a number or a name, see /v1/classes");
  if (!form_loose_text(f, "class", text, sizeof text)) return false;
  return msk_model_class_find(f->server->model, text, class_id, &error) == MSK_OK ||
         problem_from_error(f->problem, "class", &error);
}

static bool read_numbers(form *f, msk_request *request) {
  static const char *const layouts[] = {"original", "partitionable", NULL};
  long long count = 1, first = 0;
  int layout = 0;
  if (!form_seed(f, "seed", &request->seed) ||
      !form_integer(f, "count", 1, SERVER_MAX_COUNT, &count) ||
      !form_integer(f, "first_item", 0, 1000000, &first) ||
      !form_choice(f, "rng", layouts, &layout))
    return false;
  request->count = (int)count;
  request->first_item = (int)first;
  request->rng_layout = layout == 1 ? MSK_RNG_PARTITIONABLE : MSK_RNG_ORIGINAL;
  return true;
}

/* More are begun than are asked for, and the weaker ones are dropped by and by; the best by
 * structure are finished (docs/selection.md). */
static bool read_candidates(form *f, order *o) {
  long long candidates = 0;
  msk_request *request = &o->request;
  if (!form_integer(f, "candidates", 1, MSK_MAX_CANDIDATES, &candidates)) return false;
  if (candidates == 0) return true;
  if (candidates < request->count)
    return problem_set(f->problem, 422, "candidates",
                       "candidates was given %lld, expected at least the %d pictures of count",
                       candidates, request->count);
  o->keep = request->finish = request->count;
  request->count = (int)candidates;
  o->scales[0] = request->recipe.guidance;
  request->guidance_count = 1;
  return true;
}

static bool read_preview(form *f, job *j) {
  json_t *wishes = NULL;
  bool on = true;
  j->preview_seconds = SERVER_PREVIEW_MS / 1000.0;
  j->preview_size = j->order.info.image_size;
  if (!form_has(f, "preview")) return true;
  if (!form_json(f, "preview", JSON_OBJECT, &wishes)) {
    /* that it is no object is no complaint yet */
    *f->problem = (problem){0};
    if (!form_boolean(f, "preview", &on))
      return problem_set(f->problem, 422, "preview",
                         "preview is no object and no boolean, expected false, or {\"every_ms\": "
                         "150, \"size\": 256}");
    if (!on) j->preview_seconds = -1;
    return true;
  }
  form inner = {.server = f->server, .values = wishes, .problem = f->problem};
  static const char *const names[] = {"every_ms", "size", NULL};
  long long every = SERVER_PREVIEW_MS, size = j->preview_size;
  bool good = form_check_names(&inner, names, "preview") &&
              form_integer(&inner, "every_ms", 0, 60000, &every) &&
              form_integer(&inner, "size", 16, j->order.info.image_size, &size);
  j->preview_seconds = (double)every / 1000;
  j->preview_size = (int)size;
  form_free(&inner);
  return good;
}

static bool read_client(form *f, job *j) {
  const char *client = NULL;
  if (!form_boolean(f, "live", &j->live) || !form_text(f, "client", &client)) return false;
  if (client == NULL)
    return !j->live ||
           form_missing(f, "client",
                        "with live: a word of your own, so that a newer job replaces the older");
  size_t length = strlen(client);
  if (length < 1 || length > JOB_CLIENT_BYTES ||
      strspn(client, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != length)
    return problem_set(f->problem, 422, "client",
                       "client is no word of 1 to %d letters, digits, - and _", JOB_CLIENT_BYTES);
  memcpy(j->client, client, length + 1);
  return true;
}

/* ---- Pictures ---- */

bool job_preparation(form *f, msk_prepare_options *preparation, const order *o) {
  static const char *const fits[] = {"stretch", "pad", "crop", "ink", NULL},
                           *const answers[] = {"auto", "yes", "no", "true", "false", NULL},
                           *const inverts[] = {"auto", "yes", "no", NULL};
  *preparation = order_preparation(o);
  preparation->fit = MSK_FIT_STRETCH; /* clients lay the picture over the drawing */
  int fit = (int)preparation->fit, invert = (int)preparation->invert,
      photo = (int)preparation->photo_of_paper;
  if (!form_choice(f, "fit", fits, &fit) || !form_choice(f, "invert", inverts, &invert) ||
      !form_choice(f, "photo_of_paper", answers, &photo))
    return false;
  if (fit == MSK_FIT_INK && form_has(f, "lambda_map"))
    return problem_set(f->problem, 422, "fit",
                       "fit was given ink beside lambda_map, expected stretch, pad or crop");
  if (o->request.job == MSK_JOB_EDIT && (fit == MSK_FIT_PAD || fit == MSK_FIT_INK))
    return problem_set(f->problem, 422, "fit",
                       "fit was given %s, expected stretch or crop when editing", fits[fit]);
  preparation->fit = (msk_fit)fit;
  preparation->invert = (msk_invert)invert;
  /* true and false are yes and no */
  preparation->photo_of_paper = (msk_photo)(photo > (int)MSK_PHOTO_NO ? photo - 2 : photo);
  return true;
}

static bool read_map(form *f, order *o, const char *name, msk_image *out, msk_fit fit) {
  msk_image map = {0};
  msk_error error = {0};
  if (!form_picture(f, name, MSK_ALPHA_WHITE, &map)) return false;
  if (map.pixels == NULL) return true;
  order_warn(o, map.warning);
  return area_fit_map(out, &map, f->server->info.image_size, fit, &error) == MSK_OK ||
         problem_from_error(f->problem, name, &error);
}

static bool read_tokens(form *f, order *o) {
  json_t *list = NULL;
  size_t count = (size_t)(o->info.tokens - 1);
  if (!form_has(f, "sketch_tokens")) return true;
  if (!form_json(f, "sketch_tokens", JSON_ARRAY, &list)) return false;
  bool good = json_array_size(list) == count;
  if (good && (o->sketch_tokens = malloc(count * sizeof *o->sketch_tokens)) == NULL) {
    json_decref(list);
    return problem_set(f->problem, 503, NULL, "out of memory for the sketch's tokens");
  }
  good = good && form_take_numbers(list, o->info.codebook_size - 1, o->sketch_tokens, count);
  json_decref(list);
  return good || problem_set(f->problem, 422, "sketch_tokens",
                             "sketch_tokens is wrong, expected a list of %zu numbers from 0 to %d",
                             count, o->info.codebook_size - 1);
}

static bool read_box(form *f, order *o, const msk_image *photo, msk_fit fit) {
  json_t *list = NULL;
  int numbers[4];
  if (!form_json(f, "box", JSON_ARRAY, &list)) return false;
  bool good = form_take_numbers(list, 1 << 20, numbers, 4);
  json_decref(list);
  if (!good)
    return problem_set(f->problem, 422, "box",
                       "box is wrong, expected four whole numbers: [top, left, height, width]");
  msk_error error = {0};
  return area_place_box(&o->request.edit_box, numbers, "box", photo, o->info.image_size, fit,
                        &error) == MSK_OK ||
         problem_from_error(f->problem, "box", &error);
}

static bool read_area(form *f, order *o, const msk_image *photo, msk_fit fit) {
  if (form_has(f, "mask") == form_has(f, "box"))
    return problem_set(f->problem, 422, "mask",
                       "%s, expected exactly one of mask and box to say what is painted",
                       form_has(f, "mask") ? "both mask and box were given" : "no area was given");
  return form_has(f, "box") ? read_box(f, o, photo, fit) : read_map(f, o, "mask", &o->mask, fit);
}

static bool read_pictures(form *f, order *o, msk_job kind) {
  const char *name = kind == MSK_JOB_DRAW ? "sketch" : "photo";
  msk_prepare_options preparation;
  msk_image source = {0};
  msk_error error = {0};
  if (kind == MSK_JOB_GENERATE) return true;
  if (!job_preparation(f, &preparation, o) || !read_tokens(f, o)) return false;
  if (form_has(f, name) && o->sketch_tokens != NULL)
    return problem_set(f->problem, 422, name,
                       "both sketch and sketch_tokens were given, expected one of them");
  if (!form_has(f, name) && o->sketch_tokens == NULL)
    return form_missing(f, name, "a picture: PNG, JPEG or WebP");
  bool good = form_picture(f, name, order_alpha(o), &source);
  /* before the photo is prepared: box and mask are in its own pixels */
  if (good && kind == MSK_JOB_EDIT) good = read_area(f, o, &source, preparation.fit);
  if (good && source.pixels != NULL &&
      order_set_picture(o, &source, &preparation, &error) != MSK_OK)
    good = problem_from_error(f->problem, name, &error);
  msk_image_free(&source);
  return good &&
         (kind != MSK_JOB_DRAW || read_map(f, o, "lambda_map", &o->lambda_map, preparation.fit));
}

/* ---- The job ---- */

/* The member of the request that what the library refuses came by; NULL: none alone. The
 * candidates of a form are a number, from which the library's list of scales is made. */
static const char *member_of(const char *field) {
  const bool scales = field != NULL && strcmp(field, "guidance_scales") == 0;
  return scales ? "candidates" : order_member(field);
}

/* Has the library judge the order before it is accepted. */
static bool finish(job *j, problem *p) {
  const msk_request request = order_request(&j->order);
  msk_session_options options;
  msk_error error = {0};
  size_t bytes = 0, device_bytes = 0;
  j->settings = metadata_settings(&request.recipe, request.job);
  msk_session_options_init(&options);
  options.threads = 1;
  const msk_model *model = j->order.model;
  if (msk_session_bytes(&bytes, model, &request, &options, &error) != MSK_OK ||
      msk_session_device_bytes(&device_bytes, model, &request, &options, &error) != MSK_OK)
    return problem_from_error(p, member_of(error.field), &error);
  bytes += device_bytes;
  if (bytes <= SERVER_SESSION_BYTES) return true;
  return problem_set(
      p, 422, NULL,
      "this needs %zu MB of memory, expected at most %zu here: ask for fewer pictures or steps",
      bytes >> 20, SERVER_SESSION_BYTES >> 20);
}

static bool fill(form *f, job *j, msk_job kind) {
  order *o = &j->order;
  const char *const where[] = {"/v1/draw", "/v1/generate", "/v1/edit"};
  return form_check_names(f, names_of(kind), where[kind]) && begin_order(f, o, kind) &&
         read_class(f, &o->request.class_id) && read_numbers(f, &o->request) &&
         read_candidates(f, o) && read_preview(f, j) && read_client(f, j) &&
         read_pictures(f, o, kind) && finish(j, f->problem);
}

job *job_from_form(form *f, msk_job kind) {
  job *j = job_create();
  if (j == NULL) {
    problem_set(f->problem, 503, NULL, "out of memory for a job");
    return NULL;
  }
  if (fill(f, j, kind)) return j;
  jobs_release(f->server->jobs, j);
  return NULL;
}

static bool any_white(const msk_image *mask, int top, int left, int side) {
  for (int y = top; y < top + side; y++) {
    for (int x = left; x < left + side; x++) {
      if (mask->pixels[3 * ((size_t)y * (size_t)mask->width + (size_t)x)] != 0) return true;
    }
  }
  return false;
}

/* Squares of `side` pixels with anything in them become white throughout. */
static void cover_tokens(msk_image *mask, int side) {
  for (int top = 0; top + side <= mask->height; top += side) {
    for (int left = 0; left + side <= mask->width; left += side) {
      if (!any_white(mask, top, left, side)) continue;
      for (int y = top; y < top + side; y++)
        memset(mask->pixels + 3 * ((size_t)y * (size_t)mask->width + (size_t)left), 255,
               3 * (size_t)side);
    }
  }
}

/* ---- Other people's interfaces ---- */

bool job_prompt(form *f, int *class_id) {
  const char *prompt = NULL;
  if (!form_text(f, "prompt", &prompt)) return false;
  if (prompt == NULL || *prompt == 0)
    return form_missing(f, "prompt", "a class's name, or a sentence with one in it");
  if (strlen(prompt) > LONGEST_PROMPT)
    return problem_set(f->problem, 422, "prompt", "the prompt is longer than %d bytes",
                       LONGEST_PROMPT);
  return prompt_class(f->server->model, prompt, class_id, f->problem);
}

bool job_random_seed(uint64_t *seed, problem *p) {
  uint64_t drawn = 0;
  if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn)
    return problem_set(p, 500, NULL, "the system gives no random number");
  *seed = drawn >> 11;
  return true;
}

static bool wish_number(msk_recipe *recipe, msk_job kind, const char *key, double number,
                        problem *p) {
  char value[32];
  msk_error error = {0};
  /* 15 digits: 1 - 0.7 is 0.3, as one writes it */
  snprintf(value, sizeof value, "%.15g", number);
  return msk_recipe_set(recipe, kind, key, value, &error) == MSK_OK ||
         problem_from_error(p, NULL, &error);
}

static bool begin_plain(order *o, const server *s, msk_job kind, const job_wishes *wishes,
                        problem *p) {
  msk_error error = {0};
  if (order_begin(o, s->model, kind, wishes->recipe, &error) != MSK_OK)
    return problem_from_error(p, NULL, &error);
  msk_recipe *recipe = &o->request.recipe;
  o->request.class_id = wishes->class_id;
  o->request.count = wishes->count;
  o->request.seed = wishes->seed;
  o->counts_seeds = wishes->counts_seeds;
  return (wishes->steps == 0 || wish_number(recipe, kind, "steps", wishes->steps, p)) &&
         (kind != MSK_JOB_DRAW || wishes->lambda < 0 ||
          wish_number(recipe, kind, "lambda_structure", wishes->lambda, p)) &&
         check_steps(recipe, p);
}

static bool take_pictures(order *o, const job_wishes *wishes, const msk_image *photo,
                          msk_image *mask, problem *p) {
  msk_prepare_options preparation = order_preparation(o);
  msk_error error = {0};
  preparation.fit = MSK_FIT_STRETCH;
  msk_status status = MSK_OK;
  if (photo != NULL) status = order_set_picture(o, photo, &preparation, &error);
  if (status == MSK_OK && mask != NULL)
    status = area_fit_map(&o->mask, mask, o->info.image_size, preparation.fit, &error);
  if (status == MSK_OK && mask != NULL && wishes->whole_tokens)
    cover_tokens(&o->mask, o->info.image_size / o->info.latent_size);
  return status == MSK_OK || problem_from_error(p, NULL, &error);
}

job *job_plain(server *s, msk_job kind, const job_wishes *wishes, msk_image *photo, msk_image *mask,
               problem *p) {
  job *j = job_create();
  if (j == NULL) {
    problem_set(p, 503, NULL, "out of memory for a job");
    return NULL;
  }
  j->preview_seconds = wishes->preview_seconds;
  j->preview_size = s->info.image_size;
  if (begin_plain(&j->order, s, kind, wishes, p) &&
      take_pictures(&j->order, wishes, photo, mask, p) && finish(j, p))
    return j;
  jobs_release(s->jobs, j);
  return NULL;
}
