/* SPDX-License-Identifier: Apache-2.0
 * a1111.c - see a1111.h. */
#include "a1111.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/base64.h"
#include "app/json.h"
#include "masksketch_tools.h"

enum { SHORT_HASH = 10 };

json_t *a1111_model_title(const server *s) {
  if (s->info.hash == NULL) return json_text(s->info.name);
  json_t *name = json_text(s->info.name);
  json_t *title = json_sprintf("%s [%.*s]", json_string_value(name), SHORT_HASH, s->info.hash);
  json_decref(name);
  return title;
}

/* ---- What a PNG says ---- */

static const char *text_in(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text == NULL ? "" : text;
}

static double number_in(const json_t *object, const char *key) {
  return strtod(text_in(object, key), NULL);
}

static void set_text(json_t *parameters, const char *key, const char *text) {
  json_object_set_new(parameters, key, json_string(text));
}

/* lambda and this are shares of a whole: 0.9 of it leaves 0.1, as one writes it. */
static double denoising_of(double lambda) { return round((1 - lambda) * 1e12) / 1e12; }

static void set_number(json_t *parameters, const char *key, double number) {
  json_object_set_new(parameters, key, json_sprintf("%.10g", number));
}

/* What is called a scale of guidance there is one more than ours: u + s (c - u) = c + (s - 1)
 * (c - u). */
static json_t *parameters_of(const json_t *told, int width, int height) {
  const json_t *recipe = json_object_get(told, "recipe"), *model = json_object_get(told, "model");
  const char *hash = text_in(model, "hash");
  json_t *parameters = json_object();
  set_text(parameters, "Prompt", text_in(json_object_get(told, "class"), "name"));
  set_text(parameters, "Negative prompt", "");
  set_text(parameters, "Steps", text_in(recipe, "steps"));
  set_text(parameters, "Sampler", text_in(recipe, "name"));
  set_text(parameters, "Schedule type", "Automatic");
  set_number(parameters, "CFG scale", number_in(recipe, "guidance") + 1);
  set_text(parameters, "Seed", text_in(told, "seed"));
  json_object_set_new(parameters, "Size", json_sprintf("%dx%d", width, height));
  json_object_set_new(parameters, "Model hash", json_sprintf("%.*s", SHORT_HASH, hash));
  set_text(parameters, "Model", text_in(model, "name"));
  if (json_object_get(recipe, "lambda_structure") != NULL)
    set_number(parameters, "Denoising strength",
               denoising_of(number_in(recipe, "lambda_structure")));
  json_object_set_new(parameters, "Version",
                      json_sprintf("masksketch %s", text_in(told, "version")));
  return parameters;
}

json_t *a1111_parameters(const char *text, int width, int height) {
  json_t *told = NULL;
  msk_error ignored;
  if (msk_json_load(&told, "the text", text, strlen(text), MSK_JSON_FEW, &ignored) != MSK_OK)
    return NULL;
  json_t *parameters = json_is_object(told) ? parameters_of(told, width, height) : NULL;
  json_decref(told);
  return parameters;
}

json_t *a1111_lines(const json_t *parameters) {
  char values[2048] = "";
  const char *key, *prompt = text_in(parameters, "Prompt"),
                   *negative = text_in(parameters, "Negative prompt");
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)parameters, key, value) {
    const size_t used = strlen(values);
    if (strstr(key, "rompt") != NULL) continue;
    snprintf(values + used, sizeof values - used, "%s%s: %.100s", used == 0 ? "" : ", ", key,
             json_string_value(value));
  }
  /* foreign texts may have been cut inside a letter */
  json_t *clean = json_text(values);
  json_t *lines =
      json_sprintf("%s\n%s%s%s%s", prompt, *negative == 0 ? "" : "Negative prompt: ", negative,
                   *negative == 0 ? "" : "\n", json_string_value(clean));
  json_decref(clean);
  return lines;
}

/* ---- The answer ---- */

/* The PNG's values, with the prompts as they were given. */
static json_t *parameters_of_image(const job *j, int index, const json_t *request) {
  const job_image *image = &j->images[index];
  const int side = j->order.info.image_size;
  char *text = NULL;
  msk_error ignored;
  if (msk_png_text(image->bytes, image->byte_count, "masksketch", &text, NULL, &ignored) != MSK_OK)
    json_lose();
  json_t *parameters = text == NULL ? NULL : a1111_parameters(text, side, side);
  msk_free(NULL, text);
  set_text(parameters, "Prompt", text_in(request, "prompt"));
  set_text(parameters, "Negative prompt", text_in(request, "negative_prompt"));
  return parameters;
}

/* What there is one of for each picture. */
typedef struct lists {
  json_t *images, *seeds, *subseeds, *prompts, *negatives, *lines;
} lists;

static lists list_pictures(const job *j, int count, const json_t *request) {
  const char *prompt = text_in(request, "prompt"), *negative = text_in(request, "negative_prompt");
  lists all = {json_array(), json_array(), json_array(), json_array(), json_array(), json_array()};
  for (int i = 0; i < count; i++) {
    const job_image *image = &j->images[i];
    char *base64 = base64_encode(image->bytes, image->byte_count);
    json_t *parameters = parameters_of_image(j, i, request);
    if (base64 == NULL) json_lose();
    json_array_append_new(all.images, json_string(base64 == NULL ? "" : base64));
    json_array_append_new(all.seeds, json_integer((json_int_t)image->seed));
    json_array_append_new(all.subseeds, json_integer(0));
    json_array_append_new(all.prompts, json_string(prompt));
    json_array_append_new(all.negatives, json_string(negative));
    json_array_append_new(all.lines, a1111_lines(parameters));
    json_decref(parameters);
    free(base64);
  }
  return all;
}

/* The member `info`, which is JSON as a text. Values that mean nothing here are those which there
 * mean that nothing was done. */
static json_t *info_of(const exchange *e, const job *j, const lists *all, const json_t *request) {
  const msk_request *made = &j->order.request;
  const int side = e->server->info.image_size;
  const bool drawn = made->job == MSK_JOB_DRAW;
  char stamp[32];
  time_t now = time(NULL);
  struct tm parts;
  strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S", localtime_r(&now, &parts));
  json_t *info = json_pack(
      "{s:s, s:O, s:s, s:O, s:I, s:O, s:i, s:O, s:i, s:i, s:i, s:s, s:f, s:i}", "prompt",
      text_in(request, "prompt"), "all_prompts", all->prompts, "negative_prompt",
      text_in(request, "negative_prompt"), "all_negative_prompts", all->negatives, "seed",
      (json_int_t)made->seed, "all_seeds", all->seeds, "subseed", 0, "all_subseeds", all->subseeds,
      "subseed_strength", 0, "width", side, "height", side, "sampler_name", made->recipe.name,
      "cfg_scale", made->recipe.guidance + 1, "steps", made->recipe.steps);
  json_t *rest = json_pack(
      "{s:i, s:b, s:n, s:s, s:s?, s:n, s:n, s:i, s:i, s:o, s:{}, s:i, s:O, s:[], s:s, s:i, s:b, "
      "s:o}",
      "batch_size", made->count, "restore_faces", 0, "face_restoration_model", "sd_model_name",
      e->server->info.name, "sd_model_hash", e->server->info.hash, "sd_vae_name", "sd_vae_hash",
      "seed_resize_from_w", -1, "seed_resize_from_h", -1, "denoising_strength",
      drawn ? json_real(denoising_of(made->recipe.lambda_structure)) : json_null(),
      "extra_generation_params", "index_of_first_image", 0, "infotexts", all->lines, "styles",
      "job_timestamp", stamp, "clip_skip", 1, "is_using_inpainting_conditioning", 0, "version",
      json_sprintf("masksketch %s", msk_version()));
  json_object_update(info, rest);
  json_decref(rest);
  /* with spaces, as Python writes it: there are programs that cut the text up */
  char *text = json_dump(info, 0);
  json_decref(info);
  json_t *value = text == NULL ? NULL : json_string(text);
  if (value == NULL) json_lose();
  free(text);
  return value;
}

json_t *a1111_answer(const exchange *e, const job *j, int count, json_t *request) {
  lists all = list_pictures(j, count, request);
  json_t *info = info_of(e, j, &all, request);
  json_t *warnings = job_warnings(j), *answer = json_pack("{s:O, s:O, s:o}", "images", all.images,
                                                          "parameters", request, "info", info);
  if (json_array_size(warnings) > 0) json_object_set(answer, "warnings", warnings);
  json_decref(warnings);
  json_t *const each[] = {all.images,  all.seeds,     all.subseeds,
                          all.prompts, all.negatives, all.lines};
  for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) json_decref(each[i]);
  return answer;
}
