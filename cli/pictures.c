/* SPDX-License-Identifier: Apache-2.0
 *
 * pictures.c - see pictures.h. What can be judged without the model is judged first. */
#include "pictures.h"

#include <stdlib.h>
#include <string.h>

#include "app/area.h"
#include "app/input.h"
#include "candidates.h"
#include "drawing.h"

/* ---- options ---- */

static const cli_option result_rows[] = {
    {"output", 'o', "FILE", CLI_AN_OUTPUT(result_options, output),
     .help = "where the result goes: .png, .jpg, .jpeg or .webp; - is standard output",
     .otherwise = "a name made of the input's, in the working directory"},
    CLI_FORCE,
    CLI_QUALITY(result_options),
    {"no-metadata", .help = "leave the request out of the PNG",
     CLI_A_FLAG(result_options, no_metadata)},
    {"tokens-out", 0, "FILE.npy", CLI_AN_OUTPUT(result_options, tokens_out),
     .help = "also write the tokens, class token first: int32 of count x N, or of generate under "
             "official count x steps x N"},
    {"trace", 0, "FOLDER", CLI_A_FOLDER(result_options, trace),
     .help = "also write every step's quantities as .npy"},
    {"preview", 'p', .help = "show the picture in the terminal as it comes",
     CLI_A_FLAG(result_options, preview)},
    CLI_JSON(result_options, "one JSON object a picture"),
    CLI_QUIET(result_options),
    {.type = CLI_END},
};
const cli_table result_table = {"Results", result_rows};

static const cli_option picture_rows[] = {
    {"class", 'c', "CLASS", CLI_A_TEXT(picture_options, class_text),
     .needed = "what the picture shows: masksketch classes lists them",
     .help = "what the picture shows: a number, a name, or the beginning of one (see masksketch "
             "classes)"},
    {"seed", 0, "N", CLI_A_SEED(picture_options, seed), .initial = "0",
     .help = "which of the possible pictures"},
    {"count", 'n', "N", CLI_AN_INT(picture_options, count, 1, MAX_COUNT), .initial = "1",
     .help = "how many pictures, which are named OUT-1, OUT-2 and so on"},
    {"first-item", 0, "N", CLI_AN_INT(picture_options, first_item, 0, 1000000), .initial = "0",
     .help = "number of the first picture of the seed; not with the recipe official"},
    {"sheet", 0, "FILE", CLI_AN_OUTPUT(picture_options, sheet),
     .help = "also write a contact sheet: what was given, then the pictures"},
    {"rng", 0, "LAYOUT", CLI_A_CHOICE(picture_options, rng, "original partitionable"),
     .initial = "original", .help = "bit layout of the random numbers, as in JAX"},
    {"memory", .help = "tell how much memory weights and work will take, before it is taken",
     CLI_A_FLAG(picture_options, model.tell_memory)},
    CLI_TABLE(picture_options, recipe, recipe_table),
    CLI_TABLE(picture_options, results, result_table),
    CLI_TABLE(picture_options, model, model_table),
    {.type = CLI_END},
};
const cli_table picture_table = {"Pictures", picture_rows};

cli_options pictures_results(const cli_line *line, const result_options *results,
                             const model_choice *model) {
  cli_options options = {.line = line,
                         .inputs = line->inputs,
                         .input_count = line->input_count,
                         .output = results->output,
                         .tokens_out = results->tokens_out,
                         .trace = results->trace,
                         .quality = results->quality,
                         .no_metadata = results->no_metadata,
                         .preview = results->preview,
                         .json = results->json,
                         .quiet = results->quiet,
                         .fit = -1,
                         .invert = -1,
                         .count = -1,
                         .first_item = -1,
                         .candidates = -1,
                         .keep = -1,
                         .finish = -1,
                         .drop_from = -1,
                         .weight_structure = -1,
                         .weight_confidence = -1,
                         .weight_text = -1,
                         .weight_sketch = -1};
  cli_take_model(&options, model);
  return options;
}

cli_options pictures_begin(const cli_line *line, const picture_options *own) {
  cli_options options = pictures_results(line, &own->results, &own->model);
  options.class_text = own->class_text;
  options.sheet = own->sheet;
  options.seed = own->seed;
  if (cli_given(line, "count")) options.count = own->count;
  if (cli_given(line, "first-item")) options.first_item = own->first_item;
  options.rng = own->rng;
  options.recipe = own->recipe.name;
  memcpy(options.settings, own->recipe.settings.at, sizeof options.settings);
  options.setting_count = own->recipe.settings.count;
  return options;
}

/* An empty order with the recipe as the command line wants it. `model` NULL: judges the settings
 * alone, before the model is opened. */
static msk_status begin_order(order *o, const cli_options *options, const msk_model *model,
                              msk_job job, msk_error *error) {
  recipe_options wanted = {.name = options->recipe};
  for (int i = 0; i < options->setting_count; i++) {
    if (!candidates_take_setting(options, &options->settings[i]))
      wanted.settings.at[wanted.settings.count++] = options->settings[i];
  }
  msk_status status = order_begin(o, model, job, wanted.name, error);
  return status == MSK_OK ? recipe_set(&o->request.recipe, &wanted, job, error) : status;
}

/* ---- the order ---- */

static msk_status check_words(const cli_options *options, const msk_recipe *recipe, msk_job job,
                              msk_error *error) {
  if (recipe->official && options->first_item >= 0) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--first-item has no effect with the recipe official, whose batch is one draw: "
                    "use --count and the seed");
  }
  if (recipe->official && options->seed > UINT32_MAX) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--seed was given %llu, expected a whole number from 0 to 4294967295 with the "
                    "recipe official",
                    (unsigned long long)options->seed);
  }
  if (job == MSK_JOB_DRAW) {
    msk_status status = candidates_check(options, recipe, error);
    if (status != MSK_OK) return status;
  }
  if (options->class_text[0] == '-') {
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--class was given %s, expected a number from 0, or a name: masksketch classes lists them",
        options->class_text);
  }
  if (job != MSK_JOB_EDIT) return MSK_OK;
  int areas = (options->box != NULL) + (options->mask != NULL) + (options->extend != NULL);
  if (areas != 1) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "%s, expected exactly one of --box, --mask and --extend to say what is painted",
                    areas == 0 ? "no area was given" : "several areas were given");
  }
  if (options->fit == MSK_FIT_PAD)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--fit was given pad, expected stretch or crop: --extend paints outside the frame");
  return MSK_OK;
}

static msk_prepare_options choose_preparation(const order *o, const cli_options *options) {
  msk_prepare_options preparation = order_preparation(o);
  if (options->fit >= 0) preparation.fit = (msk_fit)options->fit;
  if (options->invert >= 0) preparation.invert = (msk_invert)options->invert;
  preparation.photo_of_paper = options->photo_of_paper;
  return preparation;
}

static msk_status load_map(msk_image *out, const char *path, const order *o, msk_fit fit,
                           msk_error *error) {
  msk_image map = {0};
  msk_status status = input_picture(&map, path, MSK_ALPHA_WHITE, error);
  return status == MSK_OK ? area_fit_map(out, &map, o->info.image_size, fit, error) : status;
}

/* ---- What is repainted ---- */

static msk_status place_box(msk_box *box, const char *text, const msk_image *photo, int side,
                            msk_fit fit, msk_error *error) {
  int n[4], count = 0;
  msk_status status = cli_parse_list(text, "--box", 0, 1 << 20, n, 4, &count, error);
  if (status != MSK_OK) return status;
  if (count != 4)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--box was given %s, expected four numbers: top,left,height,width", text);
  return area_place_box(box, n, "--box", photo, side, fit, error);
}

static int clamp(int value, int most) { return value < 0 ? 0 : value > most ? most : value; }

/* Puts a wider frame around the photo, filled with the pixels at its edge, and makes the mask
 * that is white in the frame. */
static msk_status extend_photo(msk_image *photo, msk_image *mask, const char *text,
                               msk_error *error) {
  int n[4], count = 0;
  msk_status status = cli_parse_list(text, "--extend", 0, 1 << 14, n, 4, &count, error);
  if (status != MSK_OK) return status;
  if (count != 4 || n[0] + n[1] + n[2] + n[3] == 0) {
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--extend was given %s, expected four numbers, not all 0: top,left,bottom,right", text);
  }
  msk_image wide = {0}, frame = {0};
  int width = photo->width + n[1] + n[3], height = photo->height + n[0] + n[2];
  if ((size_t)width * (size_t)height > MSK_MAX_PIXELS) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--extend was given %s, which makes a picture of %d x %d pixels, expected at "
                    "most %zu in all",
                    text, width, height, MSK_MAX_PIXELS);
  }
  status = msk_image_create(&wide, width, height, NULL, error);
  if (status == MSK_OK) status = msk_image_create(&frame, width, height, NULL, error);
  if (status != MSK_OK) {
    msk_image_free(&wide);
    return status;
  }
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) {
      int from_y = clamp(y - n[0], photo->height - 1), from_x = clamp(x - n[1], photo->width - 1);
      size_t to = 3 * ((size_t)y * (size_t)width + (size_t)x);
      bool outside = from_y != y - n[0] || from_x != x - n[1];
      memcpy(wide.pixels + to,
             photo->pixels + 3 * ((size_t)from_y * (size_t)photo->width + (size_t)from_x), 3);
      memset(frame.pixels + to, outside ? 255 : 0, 3);
    }
  }
  msk_image_free(photo);
  *photo = wide;
  *mask = frame;
  return MSK_OK;
}

/* The frame of --extend at the model's size: nearest pixel, so that it stays black and white. */
static msk_status shrink_mask(msk_image *out, const msk_image *in, int side, msk_fit fit,
                              msk_error *error) {
  msk_status status = msk_image_create(out, side, side, NULL, error);
  int shorter = in->width < in->height ? in->width : in->height;
  int span_x = fit == MSK_FIT_CROP ? shorter : in->width,
      span_y = fit == MSK_FIT_CROP ? shorter : in->height;
  for (int y = 0; y < side && status == MSK_OK; y++) {
    for (int x = 0; x < side; x++) {
      size_t from_y = (size_t)((in->height - span_y) / 2) +
                      (size_t)(2 * y + 1) * (size_t)span_y / (size_t)(2 * side);
      size_t from_x = (size_t)((in->width - span_x) / 2) +
                      (size_t)(2 * x + 1) * (size_t)span_x / (size_t)(2 * side);
      memcpy(out->pixels + 3 * ((size_t)y * (size_t)side + (size_t)x),
             in->pixels + 3 * (from_y * (size_t)in->width + from_x), 3);
    }
  }
  return status;
}

/* ---- The order ---- */

/* The photo's area: a box, a mask from a file, or the new frame. */
static msk_status choose_area(order *o, const cli_options *options, msk_image *source, msk_fit fit,
                              msk_error *error) {
  const int side = o->info.image_size;
  if (options->mask != NULL) return load_map(&o->mask, options->mask, o, fit, error);
  if (options->box != NULL)
    return place_box(&o->request.edit_box, options->box, source, side, fit, error);
  msk_image frame = {0};
  msk_status status = extend_photo(source, &frame, options->extend, error);
  if (status == MSK_OK) status = shrink_mask(&o->mask, &frame, side, fit, error);
  msk_image_free(&frame);
  return status;
}

/* `source` is what was read, at its own size. */
static msk_status take_pictures(order *o, const cli_options *options, msk_image *source,
                                msk_error *error) {
  const msk_prepare_options preparation = choose_preparation(o, options);
  msk_status status = MSK_OK;
  if (o->request.job == MSK_JOB_EDIT)
    status = choose_area(o, options, source, preparation.fit, error);
  if (status == MSK_OK && source->pixels != NULL)
    status = order_set_picture(o, source, &preparation, error);
  if (status == MSK_OK && options->lambda_map != NULL)
    status = load_map(&o->lambda_map, options->lambda_map, o, preparation.fit, error);
  return status;
}

static msk_status fill_request(order *o, const cli_options *options, msk_error *error) {
  msk_request *request = &o->request;
  request->seed = options->seed;
  request->count = options->count > 0 ? options->count : 1;
  request->first_item = options->first_item > 0 ? options->first_item : 0;
  request->rng_layout = options->rng == 1 ? MSK_RNG_PARTITIONABLE : MSK_RNG_ORIGINAL;
  msk_status status = cli_find_class(&request->class_id, o->model, options->class_text, error);
  return status == MSK_OK ? candidates_fill(o, options, error) : status;
}

static msk_status choose_output(drawing *d, msk_error *error) {
  const cli_options *options = d->options;
  const char *source = options->input_count > 0 ? options->inputs[0] : NULL;
  if (options->output == NULL)
    return output_default_name(d->output, source, options->class_text, options->seed, error);
  return output_numbered(d->output, options->output, 0, 1, error);
}

static msk_status check_streams(const cli_options *options, msk_error *error) {
  int readers = options->input_count > 0 && input_is_stdin(options->inputs[0]);
  readers += (options->mask != NULL && input_is_stdin(options->mask)) +
             (options->lambda_map != NULL && input_is_stdin(options->lambda_map));
  if (readers <= 1) return MSK_OK;
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "several inputs are read from standard input, expected one: name the others");
}

/* What can be judged without the model, and the picture at its own size. */
static msk_status read_words(msk_image *source, const cli_options *options, msk_job job,
                             msk_error *error) {
  order o;
  msk_format format;
  msk_status status = cli_exclude(options->line, "quiet", "preview", error);
  if (status == MSK_OK) status = cli_exclude(options->line, "quiet", "memory", error);
  if (status == MSK_OK) status = begin_order(&o, options, NULL, job, error);
  if (status == MSK_OK) status = check_words(options, &o.request.recipe, job, error);
  if (status == MSK_OK) status = check_streams(options, error);
  if (status == MSK_OK && options->output != NULL)
    status = output_format(options->output, options->quality, &format, error);
  if (status == MSK_OK && options->input_count > 0)
    status = input_picture(source, options->inputs[0], order_alpha(&o), error);
  return status;
}

msk_status pictures_make(const cli_options *options, msk_job job, msk_error *error) {
  drawing d = {.options = options};
  msk_image source = {0};
  const model_choice choice = cli_model_choice(options);
  msk_status status = read_words(&source, options, job, error);
  if (status == MSK_OK) status = model_path_open(&d.model, &choice, error);
  if (status == MSK_OK) status = begin_order(&d.order, options, d.model, job, error);
  if (status == MSK_OK) status = take_pictures(&d.order, options, &source, error);
  msk_image_free(&source);
  if (status == MSK_OK) status = fill_request(&d.order, options, error);
  if (status == MSK_OK) status = choose_output(&d, error);
  if (status == MSK_OK) status = drawing_run(&d, error);
  drawing_free(&d);
  return status;
}
