/* SPDX-License-Identifier: Apache-2.0
 *
 * routes_a1111_lists.c - what programs for AUTOMATIC1111's interface ask before they ask for
 * pictures. What is the same on every server stands in the table of routes.c. */
#include <string.h>
#include <unistd.h>

#include "a1111.h"
#include "app/json.h"
#include "form.h"
#include "masksketch_tools.h"
#include "routes.h"

/* Nothing of it can be set: it tells programs what they need not ask. */
enum MHD_Result route_options(exchange *e) {
  return answer_json(
      e, 200,
      json_pack("{s:o, s:s?, s:s, s:s, s:i, s:b, s:i}", "sd_model_checkpoint",
                a1111_model_title(e->server), "sd_checkpoint_hash", e->server->info.hash, "sd_vae",
                "None", "samples_format", "png", "CLIP_stop_at_last_layers", 1,
                "live_previews_enable", 1, "show_progress_every_n_steps", 1));
}

/* Programs send back the options as they were, with another model in them: there is none. */
static bool is_our_model(const server *s, const char *name) {
  json_t *title = a1111_model_title(s);
  const bool ours = strcmp(name, s->info.name) == 0 ||
                    (s->info.hash != NULL && strcmp(name, s->info.hash) == 0) ||
                    (title != NULL && strcmp(name, json_string_value(title)) == 0);
  json_decref(title);
  return ours;
}

enum MHD_Result route_set_options(exchange *e) {
  form f;
  const char *model = NULL;
  bool good = form_read(&f, e, false) && form_text(&f, "sd_model_checkpoint", &model);
  if (good && model != NULL && !is_our_model(e->server, model))
    good = problem_set(&e->problem, 404, "sd_model_checkpoint",
                       "there is no model %.80s here, expected %.80s", model, e->server->info.name);
  form_free(&f);
  return good ? answer_static(e, 200, "application/json", "null", 4) : answer_problem(e);
}

enum MHD_Result route_sd_models(exchange *e) {
  const msk_model_info *info = &e->server->info;
  json_t *hash = info->hash == NULL ? json_null() : json_sprintf("%.10s", info->hash);
  return answer_json(
      e, 200,
      json_pack("[{s:o, s:o, s:o, s:s?, s:o, s:n}]", "title", a1111_model_title(e->server),
                "model_name", json_text(info->name), "hash", hash, "sha256", info->hash, "filename",
                json_text(info->name), "config"));
}

/* Recipes are what samplers are there; the authors' own batches are left to /v1/. */
enum MHD_Result route_samplers(exchange *e) {
  json_t *samplers = json_array();
  for (int i = 0; msk_recipe_name(i) != NULL; i++) {
    msk_recipe recipe;
    msk_error ignored;
    if (msk_recipe_find(&recipe, e->server->model, MSK_JOB_DRAW, msk_recipe_name(i), &ignored) ==
            MSK_OK &&
        !recipe.official)
      json_array_append_new(
          samplers, json_pack("{s:s, s:[], s:{}}", "name", recipe.name, "aliases", "options"));
  }
  return answer_json(e, 200, samplers);
}

/* Of this machine, in bytes; of graphics cards it says what is said there without one. */
enum MHD_Result route_memory(exchange *e) {
  const json_int_t page = sysconf(_SC_PAGESIZE), total = page * sysconf(_SC_PHYS_PAGES),
                   left = page * sysconf(_SC_AVPHYS_PAGES);
  return answer_json(e, 200,
                     json_pack("{s:{s:I, s:I, s:I}, s:{s:s}}", "ram", "free", left, "used",
                               total - left, "total", total, "cuda", "error", "unavailable"));
}
