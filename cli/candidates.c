/* SPDX-License-Identifier: Apache-2.0
 * candidates.c - see candidates.h. */
#include "candidates.h"

#include <stdlib.h>
#include <string.h>

#include "app/json.h"

/* ---- what is asked ---- */

static const cli_option candidate_rows[] = {
    {"candidates", 0, "N", CLI_AN_INT(candidate_options, candidates, 1, MSK_MAX_CANDIDATES),
     .help = "draw N candidates (for each of --guidance F,F,...), and write the best by structure "
             "and CLIP"},
    {"keep", 0, "N", CLI_AN_INT(candidate_options, keep, 1, MSK_MAX_CANDIDATES), .initial = "1",
     .help = "how many of the candidates are written, the best first"},
    {"finish", 0, "N", CLI_AN_INT(candidate_options, finish, 1, MSK_MAX_CANDIDATES),
     .help = "drop the weaker half of the candidates by and by, so that N are drawn to the end",
     .otherwise = "all"},
    {"drop-from", 0, "SHARE", CLI_A_REAL(candidate_options, drop_from, 0, 1), .initial = "0.75",
     .help = "share of the steps that all candidates take before any is dropped"},
    {"weight-structure", 0, "F", CLI_A_REAL(candidate_options, weight_structure, 0, 100),
     .initial = "1", .help = "weight of the structure among candidates"},
    {"weight-text", 0, "F", CLI_A_REAL(candidate_options, weight_text, 0, 100), .initial = "1",
     .help = "weight of the text among candidates"},
    {"weight-sketch", 0, "F", CLI_A_REAL(candidate_options, weight_sketch, 0, 100), .initial = "1",
     .help = "weight of the sketch among candidates"},
    {"weight-confidence", 0, "F", CLI_A_REAL(candidate_options, weight_confidence, 0, 100),
     .initial = "0", .help = "weight of confidence beside structure where --finish drops"},
    {"text", 0, "TEXT", CLI_A_TEXT(candidate_options, text), .otherwise = "a photo of a {class}",
     .help = "what the candidates should show; {class} stands for --class"},
    CLI_CLIP_ROW(candidate_options, clip),
    {.type = CLI_END},
};
const cli_table candidate_table = {"Candidates", candidate_rows};

const char *candidates_take_scales(setting_list *settings) {
  const char *scales = NULL;
  int kept = 0;
  for (int i = 0; i < settings->count; i++) {
    const recipe_setting *setting = &settings->at[i];
    const bool is_list =
        strcmp(setting->option, "guidance") == 0 && strchr(setting->value, ',') != NULL;
    if (is_list) scales = setting->value;
    if (!is_list) settings->at[kept++] = *setting;
  }
  settings->count = kept;
  return scales;
}

static msk_status read_scales(const char *list, double *scales, int *count, msk_error *error) {
  *count = 0;
  for (const char *p = list; p != NULL; p = *p == ',' ? p + 1 : NULL) {
    char *end = NULL;
    /* strtod alone would take spaces, signs, "inf" and hexadecimal numbers */
    double scale = (*p >= '0' && *p <= '9') || *p == '.' ? strtod(p, &end) : -1;
    if (end == NULL || (*end != ',' && *end != 0) || scale < 0 || *count == MSK_MAX_CANDIDATES) {
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--guidance was given %s, expected numbers with commas, at most %d", list,
                      MSK_MAX_CANDIDATES);
    }
    scales[(*count)++] = scale;
    p = end;
  }
  return MSK_OK;
}

static msk_status check_alone(const cli_line *line, msk_error *error) {
  for (const cli_option *row = candidate_rows; row->type != CLI_END; row++) {
    if (cli_given(line, row->name))
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--%s has no effect in draw without --candidates: leave it out", row->name);
  }
  return MSK_OK;
}

static msk_status check_contradictions(const cli_line *line, msk_error *error) {
  static const struct {
    const char *option, *why;
  } others[] = {{"count", "--keep says how many pictures are written"},
                {"trace", "trace the one that was chosen, with its item and guidance"},
                {"film", "film the one that was chosen, with replay"},
                {"preview", "none of them is the picture yet"}};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    if (cli_given(line, others[i].option))
      return app_fail(error, MSK_ERROR_ARGUMENT, "--candidates does not go together with --%s: %s",
                      others[i].option, others[i].why);
  }
  for (int i = 0; i < 2; i++) {
    const char *idle = i == 0 ? "weight-confidence" : "drop-from";
    if (cli_given(line, idle) && !cli_given(line, "finish"))
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--%s has no effect without --finish: leave it out", idle);
  }
  return MSK_OK;
}

msk_status candidates_check(const cli_line *line, const candidate_options *options,
                            msk_error *error) {
  if (options->candidates == 0) return check_alone(line, error);
  double scales[MSK_MAX_CANDIDATES];
  int count = 0;
  msk_status status = check_contradictions(line, error);
  if (status == MSK_OK) status = read_scales(options->scales, scales, &count, error);
  if (status != MSK_OK) return status;
  const int all = options->candidates * (count > 0 ? count : 1),
            finish = options->finish > 0 ? options->finish : all;
  if (options->keep > finish)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--keep was given %d, expected at most the %d that are finished", options->keep,
                    finish);
  return MSK_OK;
}

msk_status candidates_fill(order *o, const candidate_options *options, msk_error *error) {
  msk_request *request = &o->request;
  if (options->candidates == 0) return MSK_OK;
  int count = 0;
  msk_status status = read_scales(options->scales, o->scales, &count, error);
  if (status != MSK_OK) return status;
  /* one scale at least: that is how the library knows candidates from pictures */
  if (count == 0) o->scales[count++] = request->recipe.guidance;
  o->keep = options->keep;
  request->count = options->candidates;
  request->guidance_count = count;
  request->finish = options->finish;
  request->confidence_weight = options->weight_confidence;
  request->drop_from = options->drop_from;
  return MSK_OK;
}

int candidates_finished(const order *o) {
  const msk_request *request = &o->request;
  return request->finish > 0 ? request->finish : request->count * request->guidance_count;
}

/* ---- ranking ---- */

static msk_status open_clip(clip_likeness *clip, const cli_line *line,
                            const candidate_options *options, const model_choice *machine,
                            const msk_model *model, msk_error *error) {
  char folder[MAX_PATH_BYTES];
  msk_status status = model_path_find_clip(folder, options->clip, error);
  if (status == MSK_OK) return likeness_open(clip, folder, machine, model, error);
  /* who asked for what only CLIP can do must not get something else in silence */
  if (options->clip != NULL || options->text != NULL || cli_given(line, "weight-text") ||
      cli_given(line, "weight-sketch"))
    return status;
  if (!cli_given(line, "quiet"))
    fputs(
        "masksketch: there is no CLIP at hand: candidates are compared by their structure alone\n",
        stderr);
  return MSK_OK;
}

msk_status candidates_wishes(rank_wishes *wishes, clip_likeness *clip, const cli_line *line,
                             const candidate_options *options, const model_choice *machine,
                             const msk_model *model, msk_error *error) {
  msk_status status = open_clip(clip, line, options, machine, model, error);
  *wishes = (rank_wishes){.clip = clip->clip == NULL ? NULL : clip,
                          .text = options->text,
                          .structure_weight = options->weight_structure,
                          .text_weight = options->weight_text,
                          .sketch_weight = options->weight_sketch};
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
  json_t *scores = json_object();
  json_set_finite(scores, "structure", c->structure);
  json_set_finite(scores, "confidence", c->confidence);
  json_set_finite(scores, "score", c->score);
  if (c->with_clip) {
    json_set_finite(scores, "text", c->text);
    json_set_finite(scores, "sketch", c->sketch);
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
    json_t *scores = json_object();
    json_set_finite(scores, "structure", (double)info->structure);
    json_set_finite(scores, "confidence", (double)info->confidence);
    status = print_unwritten(o, info->item, info->guidance, info->steps, scores, error);
  }
  return status;
}
