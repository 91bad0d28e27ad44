/* SPDX-License-Identifier: Apache-2.0
 * candidates.c - see candidates.h. */
#include "candidates.h"

#include <stdlib.h>
#include <string.h>

#include "app/json.h"

/* ---- what is asked ---- */

bool candidates_take_setting(const cli_options *options, const cli_setting *setting) {
  return options->candidates > 0 && strcmp(setting->option, "guidance") == 0 &&
         strchr(setting->value, ',') != NULL;
}

static const char *scale_list(const cli_options *options) {
  const char *list = NULL;
  for (int i = 0; i < options->setting_count; i++) {
    if (candidates_take_setting(options, &options->settings[i])) list = options->settings[i].value;
  }
  return list;
}

static msk_status read_scales(const char *list, double *scales, int *count, msk_error *error) {
  *count = 0;
  for (const char *p = list; p != NULL; p = *p == ',' ? p + 1 : NULL) {
    char *end = NULL;
    double scale = (*p >= '0' && *p <= '9') || *p == '.' ? strtod(p, &end) : -1;
    if (end == NULL || (*end != ',' && *end != 0) || !(scale >= 0 && scale <= 100) ||
        *count == MSK_MAX_CANDIDATES) {
      return app_fail(
          error, MSK_ERROR_ARGUMENT,
          "--guidance was given %s, expected numbers from 0 to 100 with commas, at most %d", list,
          MSK_MAX_CANDIDATES);
    }
    scales[(*count)++] = scale;
    p = end;
  }
  return MSK_OK;
}

/* An option that only candidates have. */
static const char *lonely_option(const cli_options *options) {
  if (options->keep >= 0) return "keep";
  if (options->finish >= 0) return "finish";
  if (options->drop_from >= 0) return "drop-from";
  if (options->weight_structure >= 0) return "weight-structure";
  if (options->weight_confidence >= 0) return "weight-confidence";
  if (options->weight_text >= 0) return "weight-text";
  if (options->weight_sketch >= 0) return "weight-sketch";
  if (options->clip != NULL) return "clip";
  return options->text != NULL ? "text" : NULL;
}

static const char *contradiction(const cli_options *options, const msk_recipe *recipe) {
  if (recipe->official) return "the recipe official, whose batch is one draw";
  if (options->count >= 0) return "--count: --keep says how many pictures are written";
  if (options->trace != NULL)
    return "--trace: trace the one that was chosen, with its item and guidance";
  if (options->film != NULL) return "--film: film the one that was chosen, with replay";
  if (options->preview) return "--preview: none of them is the picture yet";
  return NULL;
}

msk_status candidates_check(const cli_options *options, const msk_recipe *recipe,
                            msk_error *error) {
  if (options->candidates < 0) {
    const char *name = lonely_option(options);
    if (name == NULL) return MSK_OK;
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s has no effect in draw without --candidates: leave it out", name);
  }
  const char *other = contradiction(options, recipe);
  if (other != NULL)
    return app_fail(error, MSK_ERROR_ARGUMENT, "--candidates does not go together with %s", other);
  double scales[MSK_MAX_CANDIDATES];
  int count = 0;
  msk_status status = read_scales(scale_list(options), scales, &count, error);
  if (status != MSK_OK) return status;
  const int all = options->candidates * (count > 0 ? count : 1),
            finish = options->finish > 0 ? options->finish : all;
  if (all > MSK_MAX_CANDIDATES) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--candidates %d with %d guidance scales makes %d, expected at most %d",
                    options->candidates, count, all, MSK_MAX_CANDIDATES);
  }
  if (finish > all)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--finish was given %d, expected at most the %d candidates", finish, all);
  if (options->keep > finish)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--keep was given %d, expected at most the %d that are finished", options->keep,
                    finish);
  const char *idle = options->weight_confidence >= 0 ? "weight-confidence"
                     : options->drop_from >= 0       ? "drop-from"
                                                     : NULL;
  if (idle != NULL && options->finish < 0)
    return app_fail(error, MSK_ERROR_ARGUMENT, "--%s has no effect without --finish: leave it out",
                    idle);
  return MSK_OK;
}

msk_status candidates_fill(order *o, const cli_options *options, msk_error *error) {
  msk_request *request = &o->request;
  if (options->candidates < 0) return MSK_OK;
  int count = 0;
  msk_status status = read_scales(scale_list(options), o->scales, &count, error);
  if (status != MSK_OK) return status;
  if (count == 0) o->scales[count++] = request->recipe.guidance;
  o->keep = options->keep > 0 ? options->keep : 1;
  request->count = options->candidates;
  request->guidance_count = count;
  request->finish = options->finish > 0 ? options->finish : 0;
  request->confidence_weight = options->weight_confidence >= 0 ? options->weight_confidence : 0;
  if (options->drop_from >= 0) request->drop_from = options->drop_from;
  return MSK_OK;
}

int candidates_finished(const order *o) {
  const msk_request *request = &o->request;
  return request->finish > 0 ? request->finish : request->count * request->guidance_count;
}

/* ---- ranking ---- */

static msk_status open_clip(likeness *clip, const cli_options *options, msk_error *error) {
  char folder[MAX_PATH_BYTES];
  msk_status status = model_path_find_clip(folder, options->clip, error);
  if (status == MSK_OK)
    return likeness_open(clip, folder, options->isa, options->threads > 0 ? options->threads : 0,
                         error);
  if (options->weight_text >= 0 || options->weight_sketch >= 0 || options->text != NULL)
    return status;
  if (!options->quiet)
    fputs(
        "masksketch: there is no CLIP at hand: candidates are compared by their structure alone\n",
        stderr);
  return MSK_OK;
}

static double weight_or_one(double weight) { return weight >= 0 ? weight : 1; }

msk_status candidates_wishes(rank_wishes *wishes, likeness *clip, const cli_options *options,
                             msk_error *error) {
  msk_status status = open_clip(clip, options, error);
  *wishes = (rank_wishes){.clip = clip->clip == NULL ? NULL : clip,
                          .text = options->text,
                          .structure_weight = weight_or_one(options->weight_structure),
                          .text_weight = weight_or_one(options->weight_text),
                          .sketch_weight = weight_or_one(options->weight_sketch)};
  return status;
}

/* ---- telling ---- */

void candidates_describe(char *text, size_t bytes, const contender *c) {
  int used = snprintf(text, bytes, "guidance %g, score %+.3f: structure %.4f", c->guidance,
                      c->score, c->structure);
  if (c->with_clip && used > 0 && (size_t)used < bytes)
    snprintf(text + used, bytes - (size_t)used, ", text %.4f, sketch %.4f", c->text, c->sketch);
}

json_t *candidates_scores(const contender *c) {
  json_t *scores = json_pack("{s:f, s:f, s:f}", "structure", c->structure, "confidence",
                             c->confidence, "score", c->score);
  if (c->with_clip) {
    json_object_set_new(scores, "text", json_real(c->text));
    json_object_set_new(scores, "sketch", json_real(c->sketch));
  }
  return scores;
}

static msk_status print_unwritten(const order *o, int item, double guidance, int steps,
                                  json_t *scores, msk_error *error) {
  return json_print(json_pack("{s:n, s:s, s:i, s:o, s:i, s:f, s:i, s:o}", "file", "job", "draw",
                              "class", o->request.class_id, "seed", json_seed(o->request.seed),
                              "item", item, "guidance", guidance, "steps", steps, "scores", scores),
                    error);
}

msk_status candidates_print(const order *o, const contender *c, msk_error *error) {
  return print_unwritten(o, c->item, c->guidance, c->steps, candidates_scores(c), error);
}

msk_status candidates_print_dropped(const order *o, const msk_result *result, msk_error *error) {
  msk_status status = MSK_OK;
  for (int i = 0; i < result->candidate_count && status == MSK_OK; i++) {
    const msk_candidate_info *info = &result->candidates[i];
    if (info->result >= 0) continue;
    json_t *scores = json_pack("{s:f, s:f}", "structure", (double)info->structure, "confidence",
                               (double)info->confidence);
    status = print_unwritten(o, info->item, info->guidance, info->steps, scores, error);
  }
  return status;
}
