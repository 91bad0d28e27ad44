/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.c - the table of routes, and those that tell about the server. server/openapi.json
 * describes every one of them but AUTOMATIC1111's, which are there when they are asked for. */
#include "routes.h"

#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "app/metadata.h"
#include "app/model_path.h"
#include "assets.h"
#include "masksketch_tools.h"
#include "score.h"
#include "served_models.h"

const route routes[] = {
    {METHOD_POST, "/v1/draw", route_draw, TAKES_JSON | TAKES_MULTIPART, SHAPE_OWN, NULL},
    {METHOD_POST, "/v1/generate", route_generate, TAKES_JSON | TAKES_MULTIPART, SHAPE_OWN, NULL},
    {METHOD_POST, "/v1/edit", route_edit, TAKES_JSON | TAKES_MULTIPART, SHAPE_OWN, NULL},
    {METHOD_GET, "/v1/jobs/{id}", route_job, 0, SHAPE_OWN, NULL},
    {METHOD_DELETE, "/v1/jobs/{id}", route_delete, 0, SHAPE_OWN, NULL},
    {METHOD_GET, "/v1/jobs/{id}/events", route_events, 0, SHAPE_OWN, NULL},
    {METHOD_GET, "/v1/jobs/{id}/images/{n}", route_image, 0, SHAPE_OWN, NULL},
    {METHOD_POST, "/v1/jobs/{id}/score", route_score, TAKES_JSON | MAY_BE_EMPTY, SHAPE_OWN, NULL},
    {METHOD_POST, "/v1/attention", route_attention, TAKES_JSON, SHAPE_OWN, NULL},
    {METHOD_POST, "/v1/prepare", route_prepare, TAKES_JSON | TAKES_MULTIPART, SHAPE_OWN, NULL},
    {METHOD_POST, "/v1/guess", route_guess, TAKES_JSON | TAKES_MULTIPART, SHAPE_OWN, NULL},
    {METHOD_POST, "/v1/restore", route_restore, TAKES_PNG, SHAPE_OWN, NULL},
    {METHOD_POST, "/v1/images/generations", route_openai_generate, TAKES_JSON, SHAPE_OPENAI, NULL},
    {METHOD_POST, "/v1/images/edits", route_openai_edit, TAKES_JSON | TAKES_MULTIPART, SHAPE_OPENAI,
     NULL},
    {METHOD_GET, "/v1/models", route_models, 0, SHAPE_OWN, NULL},
    {METHOD_GET, "/v1/models/{file}", route_model, 0, SHAPE_OPENAI, NULL},
    {METHOD_GET, "/v1/classes", route_classes, 0, SHAPE_OWN, NULL},
    {METHOD_GET, "/v1/recipes", route_recipes, 0, SHAPE_OWN, NULL},
    {METHOD_GET, "/v1/examples", route_examples, 0, SHAPE_OWN, NULL},
    {METHOD_GET, "/v1/examples/{file}", route_example, 0, SHAPE_OWN, NULL},
    {METHOD_GET, "/v1/openapi.json", route_openapi, 0, SHAPE_OWN, NULL},
    {METHOD_POST, "/sdapi/v1/txt2img", route_txt2img, TAKES_JSON, SHAPE_A1111, NULL},
    {METHOD_POST, "/sdapi/v1/img2img", route_img2img, TAKES_JSON, SHAPE_A1111, NULL},
    {METHOD_GET, "/sdapi/v1/progress", route_progress, 0, SHAPE_A1111, NULL},
    {METHOD_POST, "/sdapi/v1/interrupt", route_interrupt, 0, SHAPE_A1111, NULL},
    {METHOD_POST, "/sdapi/v1/png-info", route_png_info, TAKES_JSON, SHAPE_A1111, NULL},
    {METHOD_GET, "/sdapi/v1/options", route_options, 0, SHAPE_A1111, NULL},
    {METHOD_POST, "/sdapi/v1/options", route_set_options, TAKES_JSON, SHAPE_A1111, NULL},
    {METHOD_GET, "/sdapi/v1/sd-models", route_sd_models, 0, SHAPE_A1111, NULL},
    {METHOD_GET, "/sdapi/v1/samplers", route_samplers, 0, SHAPE_A1111, NULL},
    {METHOD_GET, "/sdapi/v1/memory", route_memory, 0, SHAPE_A1111, NULL},
    {METHOD_GET, "/sdapi/v1/schedulers", route_fixed, 0, SHAPE_A1111,
     "[{\"name\":\"automatic\",\"label\":\"Automatic\",\"aliases\":null,\"default_rho\":-1.0,"
     "\"need_inner_model\":false}]"},
    {METHOD_GET, "/sdapi/v1/cmd-flags", route_fixed, 0, SHAPE_A1111, "{\"api\":true}"},
    {METHOD_GET, "/sdapi/v1/scripts", route_fixed, 0, SHAPE_A1111,
     "{\"txt2img\":[\"controlnet\"],\"img2img\":[\"controlnet\"]}"},
    {METHOD_GET, "/sdapi/v1/embeddings", route_fixed, 0, SHAPE_A1111,
     "{\"loaded\":{},\"skipped\":{}}"},
    {METHOD_GET, "/sdapi/v1/upscalers", route_fixed, 0, SHAPE_A1111, "[]"},
    {METHOD_GET, "/sdapi/v1/latent-upscale-modes", route_fixed, 0, SHAPE_A1111, "[]"},
    {METHOD_GET, "/sdapi/v1/sd-vae", route_fixed, 0, SHAPE_A1111, "[]"},
    {METHOD_GET, "/sdapi/v1/loras", route_fixed, 0, SHAPE_A1111, "[]"},
    {METHOD_GET, "/sdapi/v1/hypernetworks", route_fixed, 0, SHAPE_A1111, "[]"},
    {METHOD_GET, "/sdapi/v1/face-restorers", route_fixed, 0, SHAPE_A1111, "[]"},
    {METHOD_GET, "/sdapi/v1/realesrgan-models", route_fixed, 0, SHAPE_A1111, "[]"},
    {METHOD_GET, "/sdapi/v1/prompt-styles", route_fixed, 0, SHAPE_A1111, "[]"},
    {METHOD_GET, "/sdapi/v1/script-info", route_fixed, 0, SHAPE_A1111, "[]"},
    {METHOD_GET, "/sdapi/v1/extensions", route_fixed, 0, SHAPE_A1111, "[]"},
    {METHOD_POST, "/sdapi/v1/refresh-checkpoints", route_fixed, 0, SHAPE_A1111, "null"},
    {METHOD_GET, "/controlnet/version", route_fixed, 0, SHAPE_A1111, "{\"version\":3}"},
    {METHOD_GET, "/controlnet/model_list", route_fixed, 0, SHAPE_A1111,
     "{\"model_list\":[\"sketch\"]}"},
    {METHOD_GET, "/controlnet/module_list", route_fixed, 0, SHAPE_A1111,
     "{\"module_list\":[\"none\"],\"module_detail\":{}}"},
    {METHOD_GET, "/controlnet/control_types", route_fixed, 0, SHAPE_A1111,
     "{\"control_types\":{\"All\":{\"module_list\":[\"none\"],\"model_list\":[\"sketch\"],"
     "\"default_option\":\"none\",\"default_model\":\"sketch\"}}}"},
    {METHOD_GET, "/controlnet/settings", route_fixed, 0, SHAPE_A1111,
     "{\"control_net_unit_count\":1}"},
    {METHOD_GET, "/healthz", route_health, 0, SHAPE_OWN, NULL},
    {METHOD_GET, "/metrics", route_metrics, 0, SHAPE_OWN, NULL},
    {METHOD_GET, "/", assets_answer, 0, SHAPE_OWN, NULL},
    {METHOD_GET, "/{file}", assets_answer, 0, SHAPE_OWN, NULL},
};
const int route_count = sizeof routes / sizeof routes[0];

enum MHD_Result route_fixed(exchange *e) {
  const char *text = e->route->fixed;
  return answer_static(e, 200, "application/json", text, strlen(text));
}

/* ---- What there is ---- */

static json_t *model_object(const server *s) {
  msk_model_info now; /* a GPU may have been lost */
  const msk_model_info *info = &now;
  msk_model_get_info(s->model, &now);
  int shown = msk_model_class_search(s->model, NULL, NULL, 0);
  return json_pack("{s:o, s:s, s:i, s:s, s:s?, s:i, s:i, s:i, s:i, s:I, s:s?, s:s, s:o, s:s, s:s}",
                   "id", json_text(s->info.name), "object", "model", "created", 0, "owned_by",
                   "masksketch", "hash", info->hash, "image_size", info->image_size, "side",
                   info->latent_size, "layers", info->layers, "classes", shown, "parameters",
                   (json_int_t)info->parameters, "isa", info->isa, "device", info->device,
                   "devices", served_devices(s), "precision",
                   msk_precision_name((int)info->precision), "decode_precision",
                   msk_precision_name((int)info->decode_precision));
}

enum MHD_Result route_model(exchange *e) {
  const char *name = e->url + strlen("/v1/models/");
  if (strcmp(name, e->server->info.name) == 0) return answer_json(e, 200, model_object(e->server));
  problem_set(&e->problem, 404, NULL, "there is no model %.80s here, expected %.80s", name,
              e->server->info.name);
  return answer_problem(e);
}

enum MHD_Result route_models(exchange *e) {
  char folder[MAX_PATH_BYTES];
  const server *s = e->server;
  json_t *answer =
      json_pack("{s:s, s:[o], s:{s:i, s:i, s:i, s:I, s:i}, s:{s:b, s:b, s:b, s:b, s:b}}", "object",
                "list", "data", model_object(s), "limits", "count", SERVER_MAX_COUNT, "steps",
                SERVER_MAX_STEPS, "queue", s->config.queue, "body_bytes", (json_int_t)s->body_bytes,
                "picture_pixels", SERVER_PICTURE_PIXELS, "features", "score", s->scorer != NULL,
                "guess", scorer_guesses(s), "attention", 1, "examples",
                model_path_find_examples(folder), "key", s->config.api_key != NULL);
  return answer_json(e, 200, answer);
}

enum MHD_Result route_classes(exchange *e) {
  enum { MOST = 1000 };
  const char *word = exchange_query(e, "q"), *text = exchange_query(e, "limit");
  int ids[MOST], limit = MOST;
  if (word != NULL && *word == 0) word = NULL;
  if (text != NULL) {
    size_t length = strlen(text);
    limit = length > 0 && length <= 4 && strspn(text, "0123456789") == length ? atoi(text) : 0;
    if (limit < 1 || limit > MOST) {
      problem_set(&e->problem, 422, "limit",
                  "limit was given %.20s, expected a whole number from 1 to %d", text, MOST);
      return answer_problem(e);
    }
  }
  int total = msk_model_class_search(e->server->model, word, ids, limit);
  json_t *classes = json_array();
  for (int i = 0; i < total && i < limit; i++) {
    const char *name = msk_model_class_name(e->server->model, ids[i]);
    json_array_append_new(classes, json_pack("{s:i, s:o}", "id", ids[i], "name",
                                             json_text(name == NULL ? "" : name)));
  }
  return answer_json(e, 200, json_pack("{s:o, s:i}", "classes", classes, "total", total));
}

static json_t *recipe_object(const server *s, int index) {
  json_t *settings = json_object();
  for (int job_kind = 0; msk_job_name(job_kind) != NULL; job_kind++) {
    msk_recipe recipe;
    msk_error ignored;
    if (msk_recipe_find(&recipe, s->model, (msk_job)job_kind, msk_recipe_name(index), &ignored) ==
        MSK_OK)
      json_object_set_new(settings, msk_job_name(job_kind),
                          metadata_settings(&recipe, (msk_job)job_kind));
  }
  return json_pack("{s:s, s:s?, s:o}", "name", msk_recipe_name(index), "description",
                   msk_recipe_description(index), "settings", settings);
}

/* Every key once, with the jobs in which it acts. */
static json_t *key_list(void) {
  json_t *keys = json_array();
  for (int job_kind = 0; msk_job_name(job_kind) != NULL; job_kind++) {
    const char *help = NULL;
    for (int i = 0; msk_recipe_key(i, (msk_job)job_kind, &help) != NULL; i++) {
      const char *key = msk_recipe_key(i, (msk_job)job_kind, &help);
      json_t *found = NULL, *entry;
      size_t at;
      json_array_foreach(keys, at, entry) {
        if (strcmp(json_string_value(json_object_get(entry, "key")), key) == 0) found = entry;
      }
      if (found == NULL) {
        found = json_pack("{s:s, s:s?, s:[]}", "key", key, "help", help, "jobs");
        json_array_append_new(keys, found);
      }
      json_array_append_new(json_object_get(found, "jobs"), json_string(msk_job_name(job_kind)));
    }
  }
  return keys;
}

enum MHD_Result route_recipes(exchange *e) {
  json_t *recipes = json_array();
  for (int i = 0; msk_recipe_name(i) != NULL; i++)
    json_array_append_new(recipes, recipe_object(e->server, i));
  return answer_json(e, 200, json_pack("{s:o, s:o}", "recipes", recipes, "keys", key_list()));
}

/* ---- For machines ---- */

enum MHD_Result route_health(exchange *e) {
  static const char good[] = "{\"status\":\"ok\"}", leaving[] = "{\"status\":\"draining\"}";
  /* a balancer then sends new work elsewhere, while what is here comes to its end */
  if (atomic_load(&e->server->draining))
    return answer_static(e, 503, "application/json", leaving, sizeof leaving - 1);
  return answer_static(e, 200, "application/json", good, sizeof good - 1);
}

enum MHD_Result route_metrics(exchange *e) {
  metrics_gauges gauges;
  size_t bytes = 0;
  jobs_gauges(e->server->jobs, &gauges);
  char *text = metrics_text(&e->server->metrics, &gauges, &bytes);
  if (text != NULL)
    return answer_bytes(e, 200, "text/plain; version=0.0.4; charset=utf-8", text, bytes);
  problem_set(&e->problem, 503, NULL, "out of memory for the metrics");
  return answer_problem(e);
}

enum MHD_Result route_openapi(exchange *e) {
  const embedded_file *file = assets_find("openapi.json");
  return answer_static(e, 200, "application/json", file->bytes, file->count);
}
