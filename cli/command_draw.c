/* SPDX-License-Identifier: Apache-2.0
 * command_draw.c - draw: a sketch and a class in, a photo out. */
#include "pictures.h"

/* Several candidates, of which the best are written (candidates.h). */
typedef struct candidate_options {
  const char *text, *clip;
  int candidates, keep, finish;
  double drop_from, weight_structure, weight_text, weight_sketch, weight_confidence;
} candidate_options;

typedef struct draw_options {
  const char *lambda_map, *film;
  int fit, invert;
  bool photo_of_paper;
  candidate_options candidates;
  picture_options pictures;
} draw_options;

static double given_or(const cli_line *line, const char *name, double value) {
  return cli_given(line, name) ? value : -1;
}

static msk_status action(const cli_line *line, msk_error *error) {
  const draw_options *own = line->options;
  const candidate_options *candidates = &own->candidates;
  cli_options options = pictures_begin(line, &own->pictures);
  options.lambda_map = own->lambda_map;
  options.film = own->film;
  options.fit = own->fit;
  options.invert = own->invert;
  options.photo_of_paper = own->photo_of_paper;
  options.text = candidates->text;
  options.clip = candidates->clip;
  if (candidates->candidates > 0) options.candidates = candidates->candidates;
  if (cli_given(line, "keep")) options.keep = candidates->keep;
  if (candidates->finish > 0) options.finish = candidates->finish;
  options.drop_from = given_or(line, "drop-from", candidates->drop_from);
  options.weight_structure = given_or(line, "weight-structure", candidates->weight_structure);
  options.weight_text = given_or(line, "weight-text", candidates->weight_text);
  options.weight_sketch = given_or(line, "weight-sketch", candidates->weight_sketch);
  options.weight_confidence = given_or(line, "weight-confidence", candidates->weight_confidence);
  return pictures_make(&options, MSK_JOB_DRAW, error);
}

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
static const cli_table candidate_table = {"Candidates", candidate_rows};

static const cli_option rows[] = {
    {"lambda", 0, "F", CLI_A_CALL(draw_options, pictures.recipe.settings, cli_take_setting),
     .detail = "lambda_structure", .help = "how strictly the sketch is followed, 0 to 1"},
    {"lambda-map", 0, "MAP", CLI_AN_INPUT(draw_options, lambda_map),
     .help = "picture that scales lambda over the sketch: white follows it, black is free"},
    CLI_FIT_ROW(draw_options),
    {"invert", 0, "WHEN", CLI_A_CHOICE(draw_options, invert, "auto yes no"),
     .help = "turn light lines on dark ground over", .otherwise = "auto"},
    {"photo-of-paper",
     .help = "the sketch is a photograph of a drawing: even out the light, keep the lines",
     CLI_A_FLAG(draw_options, photo_of_paper)},
    CLI_FILM_ROW(draw_options),
    CLI_TABLE(draw_options, pictures, picture_table),
    CLI_TABLE(draw_options, candidates, candidate_table),
    {.type = CLI_END},
};
static const cli_table table = {NULL, rows};

const cli_usage draw_usage = {.arguments = "SKETCH --class CLASS [-o OUT]",
                              .least_inputs = 1,
                              .most_inputs = 1,
                              .options = &table,
                              .bytes = sizeof(draw_options),
                              .action = action,
                              .with_recipes = true,
                              .job = MSK_JOB_DRAW};
