/* SPDX-License-Identifier: Apache-2.0
 *
 * routes_parts.c - the attention explorer's maps, and a PNG's settings. Both need a session for
 * a moment: a worker lends its own between two steps (an errand). */
#include <stdlib.h>
#include <string.h>

#include "app/base64.h"
#include "app/json.h"
#include "app/metadata.h"
#include "form.h"
#include "job_form.h"
#include "masksketch_tools.h"
#include "routes.h"

/* "data:image/png;base64,..." or JSON null where there is no picture; NULL without memory. */
static json_t *picture_url(const msk_image *image) {
  void *bytes = NULL;
  size_t count = 0;
  msk_error ignored;
  json_t *value = NULL;
  if (image == NULL || image->pixels == NULL) return json_null();
  if (msk_image_encode(image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &count, NULL, &ignored) ==
      MSK_OK) {
    char *text = base64_encode(bytes, count);
    if (text != NULL) value = json_sprintf("data:image/png;base64,%s", text);
    free(text);
  }
  if (value == NULL) json_lose();
  msk_free(NULL, bytes);
  return value;
}

enum { SIDES = 2 }; /* sketch, photo */

/* ---- Attention ---- */

typedef struct attention {
  errand errand;
  const msk_model_info *info;
  int class_id, layers[MSK_MAX_LAYERS], layer_count;
  msk_image pictures[SIDES]; /* prepared; empty where there is none, or where there are tokens */
  int32_t *tokens[SIDES];    /* image tokens, malloc'ed, or NULL */
  float *maps[SIDES];        /* layers x K x K, K = tokens - 1: mean over the heads */
  msk_status status;
  msk_error error;
} attention;

/* heads x N x N with the class token -> K x K without it, the mean. */
static void mean_heads(float *out, const float *maps, int heads, size_t n) {
  size_t k = n - 1;
  for (size_t i = 0; i < k * k; i++) out[i] = 0;
  for (int h = 0; h < heads; h++) {
    for (size_t q = 0; q < k; q++) {
      const float *row = maps + ((size_t)h * n + q + 1) * n + 1;
      for (size_t i = 0; i < k; i++) out[q * k + i] += row[i] / (float)heads;
    }
  }
}

static msk_status attend(attention *a, int side, msk_session *session) {
  size_t n = (size_t)a->info->tokens, k = n - 1;
  int32_t *tokens = a->tokens[side], *made = NULL;
  int rows, columns;
  if (tokens == NULL && a->pictures[side].pixels == NULL) return MSK_OK;
  msk_status status = tokens != NULL ? MSK_OK
                                     : msk_tokenize(session, &a->pictures[side], &made, NULL, &rows,
                                                    &columns, &a->error);
  if (status != MSK_OK) return status;
  int32_t *sequence = malloc(n * sizeof *sequence);
  float *maps = NULL;
  a->maps[side] = calloc((size_t)a->layer_count * k * k, sizeof(float));
  if (sequence == NULL || a->maps[side] == NULL) {
    status = app_fail(&a->error, MSK_ERROR_MEMORY, "out of memory for attention maps");
  } else {
    sequence[0] = a->info->codebook_size + a->class_id;
    memcpy(sequence + 1, tokens != NULL ? tokens : made, k * sizeof *sequence);
    status = msk_attention(session, sequence, a->layers, a->layer_count, &maps, &a->error);
  }
  for (int layer = 0; status == MSK_OK && layer < a->layer_count; layer++)
    mean_heads(a->maps[side] + (size_t)layer * k * k,
               maps + (size_t)layer * (size_t)a->info->heads * n * n, a->info->heads, n);
  msk_free(NULL, maps);
  msk_free(NULL, made);
  free(sequence);
  return status;
}

static void run_attention(errand *e, msk_session *session) {
  attention *a = (attention *)(void *)e;
  a->status = attend(a, 0, session);
  if (a->status == MSK_OK) a->status = attend(a, 1, session);
}

/* One layer: red from the sketch, green from the photo; each row scaled to its largest value. */
static json_t *layer_picture(const attention *a, int layer) {
  size_t k = (size_t)(a->info->tokens - 1);
  msk_image image = {0};
  msk_error ignored;
  if (msk_image_create(&image, (int)k, (int)k, NULL, &ignored) != MSK_OK) {
    json_lose();
    return NULL;
  }
  memset(image.pixels, 0, k * k * 3);
  for (int side = 0; side < SIDES; side++) {
    const float *map = a->maps[side] == NULL ? NULL : a->maps[side] + (size_t)layer * k * k;
    for (size_t q = 0; map != NULL && q < k; q++) {
      float largest = 0;
      for (size_t i = 0; i < k; i++) largest = map[q * k + i] > largest ? map[q * k + i] : largest;
      for (size_t i = 0; largest > 0 && i < k; i++)
        image.pixels[3 * (q * k + i) + (size_t)side] =
            (uint8_t)(map[q * k + i] / largest * 255.0f + 0.5f);
    }
  }
  json_t *value = picture_url(&image);
  msk_image_free(&image);
  return value;
}

static json_t *attention_answer(const server *s, const attention *a) {
  json_t *maps = json_array(), *layers = json_array(), *structure = json_array();
  msk_recipe recipe;
  msk_error ignored;
  for (int i = 0; i < a->layer_count; i++) {
    json_array_append_new(layers, json_integer(a->layers[i]));
    json_array_append_new(maps, layer_picture(a, i));
  }
  if (msk_recipe_find(&recipe, s->model, MSK_JOB_DRAW, "balanced", &ignored) == MSK_OK) {
    for (int i = 0; i < recipe.layer_count; i++)
      json_array_append_new(structure, json_integer(recipe.layers[i]));
  }
  return json_pack("{s:i, s:o, s:o, s:o}", "side", a->info->latent_size, "layers", layers,
                   "structure_layers", structure, "maps", maps);
}

static bool read_layers(form *f, attention *a) {
  json_t *list = NULL;
  int depth = a->info->layers < MSK_MAX_LAYERS ? a->info->layers : MSK_MAX_LAYERS;
  if (!form_json(f, "layers", JSON_ARRAY, &list)) return false;
  if (list == NULL) {
    for (int i = 0; i < depth; i++) a->layers[i] = i;
    a->layer_count = depth;
    return true;
  }
  size_t count = json_array_size(list);
  bool good = count >= 1 && count <= (size_t)depth &&
              form_take_numbers(list, a->info->layers - 1, a->layers, count);
  for (size_t i = 1; good && i < count; i++) good = a->layers[i] > a->layers[i - 1];
  if (good) a->layer_count = (int)count;
  json_decref(list);
  return good ||
         problem_set(f->problem, 422, "layers",
                     "layers is wrong, expected a list of layers from 0 to %d in ascending order",
                     a->info->layers - 1);
}

static bool copy_tokens(int32_t **out, const int32_t *tokens, size_t count, problem *p) {
  if ((*out = malloc(count * sizeof **out)) == NULL)
    return problem_set(p, 503, NULL, "out of memory for tokens");
  memcpy(*out, tokens, count * sizeof **out);
  return true;
}

/* Sketch and photo of a finished picture. */
static bool read_job(form *f, attention *a) {
  const char *id = NULL;
  long long index = 0;
  if (!form_text(f, "job", &id) || !form_integer(f, "index", 0, SERVER_MAX_COUNT - 1, &index))
    return false;
  job *j = jobs_find(f->server->jobs, id, "job", f->problem);
  size_t k = (size_t)(a->info->tokens - 1);
  if (j == NULL) return false;
  bool good = jobs_image_count(f->server->jobs, j) > index;
  if (!good)
    problem_set(f->problem, 409, "index", "picture %lld of the job is not finished", index);
  a->class_id = j->order.request.class_id;
  if (good) good = copy_tokens(&a->tokens[1], j->images[index].tokens + 1, k, f->problem);
  if (good && j->order.sketch_tokens != NULL)
    good = copy_tokens(&a->tokens[0], j->order.sketch_tokens, k, f->problem);
  jobs_release(f->server->jobs, j);
  return good;
}

/* As draw would take it. */
static bool read_sketch(form *f, attention *a, order *o, const msk_prepare_options *options) {
  msk_image source = {0};
  msk_error error = {0};
  if (!form_picture(f, "sketch", order_alpha(o), &source)) return false;
  if (source.pixels == NULL) return true;
  msk_status status = order_set_picture(o, &source, options, &error);
  msk_image_free(&source);
  if (status != MSK_OK) return problem_from_error(f->problem, "sketch", &error);
  a->pictures[0] = o->picture;
  o->picture = (msk_image){0};
  return true;
}

static bool read_photo(form *f, attention *a, msk_fit fit) {
  msk_image source = {0};
  msk_error error = {0};
  msk_prepare_options options;
  int size = a->info->image_size;
  msk_prepare_plain(&options);
  /* a photo made of a sketch that was cut to its ink is square already */
  options.fit = fit == MSK_FIT_INK ? MSK_FIT_STRETCH : fit;
  if (!form_picture(f, "photo", MSK_ALPHA_WHITE, &source)) return false;
  if (source.pixels == NULL) return true;
  msk_status status =
      msk_image_prepare(&a->pictures[1], &source, size, size, &options, NULL, &error);
  msk_image_free(&source);
  return status == MSK_OK || problem_from_error(f->problem, "photo", &error);
}

static bool read_pictures(form *f, attention *a) {
  char text[200] = "";
  msk_error error = {0};
  msk_prepare_options options;
  order o = {.kept = -1};
  if (!form_has(f, "class"))
    return form_missing(f, "class", "a number or a name, see /v1/classes; or job");
  if (!form_loose_text(f, "class", text, sizeof text)) return false;
  if (msk_model_class_find(f->server->model, text, &a->class_id, &error) != MSK_OK)
    return problem_from_error(f->problem, "class", &error);
  if (!form_has(f, "sketch") && !form_has(f, "photo"))
    return form_missing(f, "sketch", "sketch, photo, or both; or job");
  bool good = order_begin(&o, f->server->model, MSK_JOB_DRAW, NULL, &error) == MSK_OK ||
              problem_from_error(f->problem, NULL, &error);
  good = good && job_preparation(f, &options, &o) && read_sketch(f, a, &o, &options) &&
         read_photo(f, a, options.fit);
  order_free(&o);
  return good;
}

enum MHD_Result route_attention(exchange *e) {
  static const char *const of_job[] = {"job", "index", "layers", NULL};
  static const char *const of_pictures[] = {"class",  "sketch",         "photo",  "fit",
                                            "invert", "photo_of_paper", "layers", NULL};
  attention a = {.errand = {.run = run_attention}, .info = &e->server->info};
  form f;
  bool good = form_read(&f, e, false), by_job = good && form_has(&f, "job");
  if (good)
    good =
        form_check_names(&f, by_job ? of_job : of_pictures, "/v1/attention") && read_layers(&f, &a);
  if (good) good = by_job ? read_job(&f, &a) : read_pictures(&f, &a);
  form_free(&f); /* others need not wait until a worker has time */
  if (good) good = jobs_errand(e->server->jobs, &a.errand, &e->problem);
  if (good && a.status != MSK_OK) good = problem_from_error(&e->problem, NULL, &a.error);
  json_t *answer = good ? attention_answer(e->server, &a) : NULL;
  for (int side = 0; side < SIDES; side++) {
    msk_image_free(&a.pictures[side]);
    free(a.tokens[side]);
    free(a.maps[side]);
  }
  return good ? answer_json(e, 200, answer) : answer_problem(e);
}

/* ---- Preparing ---- */

enum { MOST_SIDE = 1024 };

static json_t *prepared(const msk_image *sketch, const char *const *warnings) {
  json_t *list = json_array();
  for (; *warnings != NULL; warnings++) json_array_append_new(list, json_string(*warnings));
  return json_pack("{s:o, s:i, s:o}", "sketch", picture_url(sketch), "side", sketch->width,
                   "warnings", list);
}

bool route_read_drawing(exchange *e, const char *path, int side, order *o) {
  static const char *const names[] = {"sketch", "fit", "invert", "photo_of_paper", NULL};
  form f;
  msk_image source = {0};
  msk_prepare_options preparation;
  msk_error error = {0};
  bool good = form_read(&f, e, false) && form_check_names(&f, names, path);
  if (good && !form_has(&f, "sketch"))
    good = form_missing(&f, "sketch", "a picture: PNG, JPEG or WebP");
  if (good && order_begin(o, e->server->model, MSK_JOB_DRAW, NULL, &error) != MSK_OK)
    good = problem_from_error(&e->problem, NULL, &error);
  good = good && job_preparation(&f, &preparation, o) &&
         form_picture(&f, "sketch", order_alpha(o), &source);
  if (good) o->info.image_size = side;
  if (good && order_set_picture(o, &source, &preparation, &error) != MSK_OK)
    good = problem_from_error(&e->problem, "sketch", &error);
  msk_image_free(&source);
  form_free(&f); /* a large picture is its sender's turn until it has gone */
  return good;
}

/* A drawing as draw takes it, to be looked at before; larger than the model needs it, so that it
 * can be shown and drawn on. */
enum MHD_Result route_prepare(exchange *e) {
  order o = {.kept = -1};
  int side = 4 * e->server->info.image_size;
  bool good = route_read_drawing(e, "/v1/prepare", side < MOST_SIDE ? side : MOST_SIDE, &o);
  json_t *answer = good ? prepared(&o.picture, o.warnings) : NULL;
  order_free(&o);
  return good ? answer_json(e, 200, answer) : answer_problem(e);
}

/* ---- Restoring ---- */

/* The drawing as its tokens remember it. */
typedef struct likeness {
  errand errand;
  const order *order;
  msk_image image;
  msk_status status;
  msk_error error;
} likeness;

static void run_likeness(errand *e, msk_session *session) {
  likeness *l = (likeness *)(void *)e;
  float *pixels = NULL;
  int width, height, side = l->order->info.latent_size;
  l->status = msk_detokenize(session, l->order->sketch_tokens, side, side, &pixels, &width, &height,
                             &l->error);
  if (l->status == MSK_OK)
    l->status = msk_image_from_float(&l->image, pixels, width, height, NULL, &l->error);
  msk_free(NULL, pixels);
}

static bool find_text(exchange *e, const char *key, char **text) {
  msk_error error = {0};
  return msk_png_text(e->body, e->body_count, key, text, NULL, &error) == MSK_OK ||
         problem_from_error(&e->problem, NULL, &error);
}

static json_t *restored(const order *o, const msk_image *sketch, const char *page) {
  const msk_request *request = &o->request;
  char seed[24];
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)request->seed);
  json_t *object = json_pack(
      "{s:s, s:{s:i, s:s?}, s:s, s:i, s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "job",
      msk_job_name((int)request->job), "class", "id", request->class_id, "name",
      msk_model_class_name(o->model, request->class_id), "seed", seed, "item",
      request->recipe.official ? o->kept : request->first_item, "count", request->count, "recipe",
      request->recipe.name, "rng", msk_rng_layout_name((int)request->rng_layout), "set",
      metadata_settings(&request->recipe, request->job), "sketch", picture_url(sketch), "photo",
      picture_url(request->job == MSK_JOB_EDIT ? &o->picture : NULL), "mask", picture_url(&o->mask),
      "lambda_map", picture_url(&o->lambda_map));
  if (object == NULL) return NULL;
  json_t *tokens = o->sketch_tokens == NULL ? json_null() : json_array();
  for (int i = 0; o->sketch_tokens != NULL && i < o->info.tokens - 1; i++)
    json_array_append_new(tokens, json_integer(o->sketch_tokens[i]));
  json_object_set_new(object, "sketch_tokens", tokens);
  const msk_box *b = &request->edit_box;
  bool boxed = request->job == MSK_JOB_EDIT && o->mask.pixels == NULL;
  json_object_set_new(
      object, "box",
      boxed ? json_pack("[i, i, i, i]", b->top, b->left, b->height, b->width) : json_null());
  json_object_set_new(object, "page", page == NULL ? json_null() : json_text(page));
  return object;
}

/* The settings of the body, checked field by field by the reader that `replay` uses. */
static bool read_png(exchange *e, order *o, char **text, char **page, const purse *money) {
  msk_error error = {0};
  if (!find_text(e, "masksketch", text) || !find_text(e, "masksketch-page", page)) return false;
  if (*text == NULL)
    return problem_set(&e->problem, 422, NULL,
                       "the PNG does not say how it was made, expected one that masksketch wrote "
                       "with its settings");
  pthread_mutex_lock(&e->server->small_pictures); /* there may be pictures in it */
  msk_status status =
      metadata_read(o, e->server->model, *text, "the PNG", &money->allocator, &error);
  pthread_mutex_unlock(&e->server->small_pictures);
  if (money->spent)
    return problem_set(&e->problem, 422, NULL,
                       "the PNG's text holds a picture that is too large, expected one of at most "
                       "the model's size");
  /* class numbers and tokens of another model would mean something else here */
  if (status != MSK_OK && error.field != NULL && strcmp(error.field, "model") == 0)
    return problem_set(&e->problem, 409, NULL, "%s", error.message);
  return status == MSK_OK || problem_from_error(&e->problem, NULL, &error);
}

enum MHD_Result route_restore(exchange *e) {
  order o = {.kept = -1};
  likeness l = {.errand = {.run = run_likeness}, .order = &o};
  char *text = NULL, *page = NULL;
  purse money;
  purse_open(&money, purse_for_own(e->server));
  bool good = read_png(e, &o, &text, &page, &money);
  /* making pixels of tokens takes a session, and those are the workers' */
  if (good && o.sketch_tokens != NULL) good = jobs_errand(e->server->jobs, &l.errand, &e->problem);
  if (good && l.status != MSK_OK) good = problem_from_error(&e->problem, NULL, &l.error);
  json_t *answer = good ? restored(&o, &l.image, page) : NULL;
  msk_free(NULL, text);
  msk_free(NULL, page);
  msk_image_free(&l.image);
  order_free(&o);
  return good ? answer_json(e, 200, answer) : answer_problem(e);
}
