/* SPDX-License-Identifier: Apache-2.0
 * candidates.c - see candidates.h. */
#include "candidates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "app/model_path.h"
#include "score.h"

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

msk_status candidates_fill(drawing *d, msk_error *error) {
  const cli_options *options = d->options;
  if (options->candidates < 0) return MSK_OK;
  int count = 0;
  msk_status status = read_scales(scale_list(options), d->scales, &count, error);
  if (status != MSK_OK) return status;
  if (count == 0) d->scales[count++] = d->request.recipe.guidance;
  d->request.count = options->candidates;
  d->request.guidance_scales = d->scales;
  d->request.guidance_count = count;
  d->request.finish = options->finish > 0 ? options->finish : 0;
  d->request.confidence_weight = options->weight_confidence >= 0 ? options->weight_confidence : 0;
  if (options->drop_from >= 0) d->request.drop_from = options->drop_from;
  return MSK_OK;
}

int candidates_finished(const drawing *d) {
  return d->request.finish > 0 ? d->request.finish : d->request.count * d->request.guidance_count;
}

/* ---- CLIP ---- */

msk_status candidates_open_clip(msk_clip **clip, const drawing *d, msk_error *error) {
  const cli_options *options = d->options;
  char folder[MAX_PATH_BYTES];
  msk_clip_options clip_options;
  msk_clip_options_init(&clip_options);
  clip_options.isa = options->isa;
  if (options->threads > 0) clip_options.threads = options->threads;
  msk_status status = model_path_find_clip(folder, options->clip, error);
  if (status == MSK_OK) return msk_clip_open(clip, folder, &clip_options, error);
  if (options->weight_text >= 0 || options->weight_sketch >= 0 || options->text != NULL)
    return status;
  if (!options->quiet)
    fputs(
        "masksketch: there is no CLIP at hand: candidates are compared by their structure alone\n",
        stderr);
  return MSK_OK;
}

static msk_status embed_texts(msk_clip *clip, const drawing *d, float *vector, msk_error *error) {
  const char *name = msk_model_class_name(d->model, d->request.class_id), *wish = d->options->text;
  char first[256], text[MAX_TEXT_BYTES + 1];
  if (name == NULL) name = "thing";
  snprintf(first, sizeof first, "%.*s", (int)strcspn(name, ","), name);
  msk_status status =
      score_fill_text(text, wish != NULL ? wish : "a photo of a {class}", first, error);
  const char *list = text;
  return status == MSK_OK ? msk_clip_embed_texts(clip, &list, 1, vector, NULL, error) : status;
}

static msk_status embed_result(msk_clip *clip, const drawing *d, const float *pixels, float *vector,
                               msk_error *error) {
  msk_image image = {0};
  msk_status status =
      msk_image_from_float(&image, pixels, d->info.image_size, d->info.image_size, NULL, error);
  if (status == MSK_OK) status = msk_clip_embed_images(clip, &image, 1, vector, error);
  msk_image_free(&image);
  return status;
}

static msk_status ask_clip(msk_clip *clip, const drawing *d, const msk_result *result,
                           contender *rows, msk_error *error) {
  msk_clip_info info;
  msk_clip_get_info(clip, &info);
  const size_t picture = (size_t)d->info.image_size * (size_t)d->info.image_size * 3;
  float *text = calloc((size_t)info.dimensions * 3, sizeof *text);
  if (text == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for embeddings");
  float *sketch = text + info.dimensions, *vector = sketch + info.dimensions;
  msk_status status = embed_texts(clip, d, text, error);
  if (status == MSK_OK) status = msk_clip_embed_images(clip, &d->picture, 1, sketch, error);
  for (int i = 0; i < result->count && status == MSK_OK; i++) {
    status =
        embed_result(clip, d, result->pixels + (size_t)rows[i].result * picture, vector, error);
    if (status != MSK_OK) break;
    rows[i].with_clip = true;
    rows[i].text = msk_clip_cosine(vector, text, info.dimensions);
    rows[i].sketch = msk_clip_cosine(vector, sketch, info.dimensions);
  }
  free(text);
  return status;
}

/* ---- judging ---- */

/* Adds weight * (term - mean) / deviation to every score; a term that is the same for all adds
 * nothing. */
static void add_term(contender *rows, int count, size_t offset, double weight) {
  double sum = 0, squares = 0;
#define TERM(i) (*(const double *)(const void *)((const char *)&rows[i] + offset))
  for (int i = 0; i < count; i++) sum += TERM(i);
  const double mean = sum / count;
  for (int i = 0; i < count; i++) squares += (TERM(i) - mean) * (TERM(i) - mean);
  const double deviation = sqrt(squares / count);
  for (int i = 0; i < count && deviation > 1e-9 * fabs(mean); i++)
    rows[i].score += weight * (TERM(i) - mean) / deviation;
#undef TERM
}

static int compare(const void *left, const void *right) {
  const contender *a = left, *b = right;
  if (a->score != b->score) return a->score > b->score ? -1 : 1;
  return a->result - b->result;
}

static double weight_or_one(double weight) { return weight >= 0 ? weight : 1; }

msk_status candidates_judge(const drawing *d, msk_clip *clip, const msk_result *result,
                            contender **contenders, msk_error *error) {
  const cli_options *options = d->options;
  contender *rows = calloc((size_t)result->count, sizeof *rows);
  if (rows == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the candidates");
  for (int i = 0; i < result->candidate_count; i++) {
    const msk_candidate_info *info = &result->candidates[i];
    if (info->result < 0) continue;
    rows[info->result] = (contender){.result = info->result,
                                     .item = info->item,
                                     .steps = info->steps,
                                     .guidance = info->guidance,
                                     .structure = (double)result->structure[info->result],
                                     .confidence = (double)info->confidence};
  }
  msk_status status = clip == NULL ? MSK_OK : ask_clip(clip, d, result, rows, error);
  if (status != MSK_OK) {
    free(rows);
    return status;
  }
  add_term(rows, result->count, offsetof(contender, structure),
           weight_or_one(options->weight_structure));
  if (clip != NULL) {
    add_term(rows, result->count, offsetof(contender, text), weight_or_one(options->weight_text));
    add_term(rows, result->count, offsetof(contender, sketch),
             weight_or_one(options->weight_sketch));
  }
  qsort(rows, (size_t)result->count, sizeof *rows, compare);
  *contenders = rows;
  return MSK_OK;
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

static msk_status print_unwritten(const drawing *d, int item, double guidance, int steps,
                                  json_t *scores, msk_error *error) {
  return json_print(json_pack("{s:n, s:s, s:i, s:o, s:i, s:f, s:i, s:o}", "file", "job", "draw",
                              "class", d->request.class_id, "seed", json_seed(d->request.seed),
                              "item", item, "guidance", guidance, "steps", steps, "scores", scores),
                    error);
}

msk_status candidates_print_rest(const drawing *d, const msk_result *result,
                                 const contender *contenders, int kept, msk_error *error) {
  msk_status status = MSK_OK;
  for (int i = kept; i < result->count && status == MSK_OK; i++) {
    const contender *c = &contenders[i];
    status = print_unwritten(d, c->item, c->guidance, c->steps, candidates_scores(c), error);
  }
  for (int i = 0; i < result->candidate_count && status == MSK_OK; i++) {
    const msk_candidate_info *info = &result->candidates[i];
    if (info->result >= 0) continue;
    json_t *scores = json_pack("{s:f, s:f}", "structure", (double)info->structure, "confidence",
                               (double)info->confidence);
    status = print_unwritten(d, info->item, info->guidance, info->steps, scores, error);
  }
  return status;
}
