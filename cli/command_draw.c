/* SPDX-License-Identifier: Apache-2.0
 * command_draw.c - draw: a sketch and a class in, a photo out; or a folder of sketches. */
#include "draw_folder.h"

typedef struct draw_options {
  const char *lambda_map, *film, *shard;
  int fit, invert, photo_of_paper;
  candidate_options candidates;
  picture_options pictures;
} draw_options;

static msk_status check(const cli_line *line, const void *own, msk_error *error) {
  const draw_options *options = own;
  if (options->lambda_map != NULL && options->fit == MSK_FIT_INK)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--lambda-map has no place with --fit ink, expected stretch, pad or crop: what "
                    "the sketch is cut to is not known before");
  return candidates_check(line, &options->candidates, error);
}

static msk_status fill(order *o, const void *own, msk_image *source, msk_error *error) {
  const draw_options *options = own;
  msk_prepare_options preparation = order_preparation(o);
  if (options->lambda_map != NULL) preparation.fit = MSK_FIT_STRETCH; /* it lies on the drawing */
  if (options->fit >= 0) preparation.fit = (msk_fit)options->fit;
  if (options->invert >= 0) preparation.invert = (msk_invert)options->invert;
  if (options->photo_of_paper >= 0) preparation.photo_of_paper = (msk_photo)options->photo_of_paper;
  msk_status status = order_set_picture(o, source, &preparation, error);
  /* a sketch that is none is drawn all the same, but not without a word */
  for (int i = 0; status == MSK_OK && o->warnings[i] != NULL; i++) {
    if (!options->pictures.results.quiet) app_warn(o->warnings[i]);
  }
  if (status == MSK_OK && options->lambda_map != NULL)
    status = pictures_load_map(&o->lambda_map, options->lambda_map, o, preparation.fit, error);
  return status == MSK_OK ? candidates_fill(o, &options->candidates, error) : status;
}

static msk_status action(const cli_line *line, msk_error *error) {
  const picture_job job = {MSK_JOB_DRAW, check, fill};
  draw_options options = *(const draw_options *)line->options;
  drawing d = {.line = line, .film = options.film, .candidates = &options.candidates};
  if (options.candidates.candidates > 0)
    options.candidates.scales = candidates_take_scales(&options.pictures.recipe.settings);
  if (draw_is_folder(line)) {
    const int each =
        options.candidates.candidates > 0 ? options.candidates.keep : options.pictures.count;
    return draw_folder(&d, &options.pictures, &job, &options, each, options.shard, error);
  }
  if (options.shard != NULL)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--shard divides a folder of drawings, but %s is none: leave it out",
                    line->inputs[0]);
  return pictures_make(&d, &options.pictures, &job, &options, error);
}

static const cli_option rows[] = {
    {"lambda", 0, "F", CLI_A_CALL(draw_options, pictures.recipe.settings, cli_take_setting),
     .detail = "lambda_structure", .help = "how strictly the sketch is followed, 0 to 1"},
    {"lambda-map", 0, "MAP", CLI_AN_INPUT(draw_options, lambda_map),
     .help = "picture that scales lambda over the sketch: white follows it, black is free"},
    {"fit", 0, "HOW", CLI_A_NAME(draw_options, fit, msk_fit_name),
     .help = "how the drawing comes to the model's square; ink cuts it to what is drawn",
     .otherwise = "the model's; stretch with --lambda-map"},
    {"invert", 0, "WHEN", CLI_A_NAME(draw_options, invert, msk_invert_name),
     .help = "turn light lines on dark ground over", .otherwise = "auto"},
    {"photo-of-paper", 0, "[WHEN]", CLI_A_NAME(draw_options, photo_of_paper, msk_photo_name),
     .bare = "yes",
     .help = "whether the sketch is a photograph of a drawing (yes without a value): even out the "
             "light, keep the lines; no takes the paper as it is",
     .otherwise = "auto"},
    CLI_FILM_ROW(draw_options),
    {"shard", 0, "I/N", CLI_A_TEXT(draw_options, shard),
     .help = "of a folder of drawings, draw the I-th of N shares, I from 1",
     .otherwise = "what the variables of Slurm and Open MPI say, else everything"},
    CLI_TABLE(draw_options, pictures, picture_table),
    CLI_TABLE(draw_options, candidates, candidate_table),
    {.type = CLI_END},
};

const cli_usage draw_usage = {"SKETCH|FOLDER --class CLASS [-o OUT]",
                              1,
                              1,
                              rows,
                              sizeof(draw_options),
                              .action = action,
                              .with_recipes = true,
                              .job = MSK_JOB_DRAW};
