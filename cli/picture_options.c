/* SPDX-License-Identifier: Apache-2.0
 *
 * picture_options.c - see picture_options.h. What can be judged without the model is judged
 * first. */
#include "picture_options.h"

#include <string.h>

#include "app/placement.h"
#include "app/input.h"

/* ---- Options ---- */

static const cli_option picture_rows[] = {
    {"class", 'c', "CLASS", CLI_A_TEXT(picture_options, class_text),
     .help = "what the picture shows: a number, a name or its plural, or the beginning of one (see "
             "masksketch classes)"},
    {"seed", 0, "N", CLI_A_SEED(picture_options, seed), .initial = "0",
     .help = "which of the possible pictures"},
    {"count", 'n', "N", CLI_AN_INT(picture_options, count, 1, MAX_COUNT), .initial = "1",
     .help = "how many pictures, which are named OUT-1, OUT-2 and so on"},
    {"first-item", 0, "N", CLI_AN_INT(picture_options, first_item, 0, 1000000), .initial = "0",
     .help = "number of the first picture of the seed; not with the recipe official"},
    {"sheet", 0, "FILE", CLI_AN_OUTPUT(picture_options, sheet),
     .help = "also write a contact sheet: what was given, then the pictures"},
    {"rng", 0, "LAYOUT", CLI_A_NAME(picture_options, rng, msk_rng_layout_name),
     .initial = "original", .help = "bit layout of the random numbers, as in JAX"},
    {"memory", .help = "tell how much memory weights and work will take, before it is taken",
     CLI_A_FLAG(picture_options, model.tell_memory)},
    CLI_TABLE(picture_options, recipe, recipe_table),
    CLI_TABLE(picture_options, results, result_table),
    CLI_ADAPTER_ROW(picture_options, model.adapters),
    CLI_TABLE(picture_options, model, model_table),
    {.type = CLI_END},
};
const cli_table picture_table = {"Pictures", picture_rows};

/* ---- The order ---- */

msk_status pictures_load_map(msk_image *out, const char *path, const order *o, msk_fit fit,
                             msk_error *error) {
  msk_image map = {0};
  msk_status status = input_picture(&map, path, MSK_ALPHA_WHITE, error);
  return status == MSK_OK ? area_fit_map(out, &map, o->info.image_size, fit, error) : status;
}

/* An empty order with the recipe as the command line wants it. `model` NULL: judges the settings
 * alone, before the model is opened. */
static msk_status begin_order(order *o, const picture_options *options, const msk_model *model,
                              msk_job job, msk_error *error) {
  msk_status status = order_begin(o, model, job, options->recipe.name, error);
  return status == MSK_OK ? recipe_set(&o->request.recipe, &options->recipe, job, error) : status;
}

/* ---- Making them ---- */

msk_status pictures_judge(drawing *d, const picture_options *options, const picture_job *job,
                          const void *own, msk_error *error) {
  const cli_line *line = d->line;
  order o;
  d->results = &options->results;
  d->machine = &options->model;
  d->sheet = options->sheet;
  msk_status status = cli_exclude(line, "quiet", "preview", error);
  if (status == MSK_OK) status = cli_exclude(line, "quiet", "memory", error);
  if (status == MSK_OK) status = begin_order(&o, options, NULL, job->job, error);
  if (status == MSK_OK && options->class_text != NULL && options->class_text[0] == '-')
    status = app_fail(error, MSK_ERROR_ARGUMENT,
                      "--class was given %s, expected a number from 0, or a name: masksketch "
                      "classes lists them",
                      options->class_text);
  return status == MSK_OK && job->check != NULL ? job->check(line, own, error) : status;
}

msk_status pictures_read(msk_image *source, const picture_options *options, const picture_job *job,
                         const char *path, msk_error *error) {
  order o;
  msk_status status = begin_order(&o, options, NULL, job->job, error);
  return status == MSK_OK ? input_picture(source, path, order_alpha(&o), error) : status;
}

msk_status pictures_fill(drawing *d, const picture_options *options, const picture_job *job,
                         const void *own, int class_id, msk_image *source, msk_error *error) {
  msk_request *request = &d->order.request;
  msk_status status = begin_order(&d->order, options, d->model, job->job, error);
  if (status == MSK_OK) {
    request->class_id = class_id;
    request->seed = options->seed;
    request->count = options->count;
    request->first_item = options->first_item;
    request->rng_layout = (msk_rng_layout)options->rng;
  }
  if (status == MSK_OK && job->fill != NULL) status = job->fill(&d->order, own, source, error);
  msk_image_free(source);
  return status;
}

/* What the library refuses, under the name of the option that it came by. */
static void name_option(msk_error *error) {
  const msk_error found = *error;
  const bool finish = found.field != NULL && strcmp(found.field, "finish") == 0;
  const char *member = finish ? "finish" : order_member(found.field);
  char option[32];
  if (member == NULL) return;
  snprintf(option, sizeof option, "%s", member);
  for (char *c = option; *c != 0; c++) *c = *c == '_' ? '-' : *c;
  app_fail(error, found.code, "--%s: %.480s", option, found.message);
}

msk_status pictures_end(drawing *d, msk_status status, msk_error *error) {
  if (status == MSK_ERROR_ARGUMENT) name_option(error);
  drawing_free(d);
  return status;
}

/* ---- One order ---- */

static msk_status choose_output(drawing *d, const picture_options *options, msk_error *error) {
  char name[MAX_PATH_BYTES];
  const char *source = d->line->input_count > 0 ? d->line->inputs[0] : NULL;
  msk_status status = output_default_name(name, source, options->class_text, options->seed, error);
  return status == MSK_OK ? drawing_choose_output(d, name, error) : status;
}

static msk_status check_words(const picture_options *options, msk_error *error) {
  msk_format format;
  if (options->class_text == NULL)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--class was not given, expected what the picture shows: masksketch classes "
                    "lists them");
  return options->results.output == NULL
             ? MSK_OK
             : output_format(options->results.output, options->results.quality, &format, error);
}

msk_status pictures_make(drawing *d, const picture_options *options, const picture_job *job,
                         const void *own, msk_error *error) {
  msk_image source = {0};
  int class_id = 0;
  msk_status status = pictures_judge(d, options, job, own, error);
  if (status == MSK_OK) status = check_words(options, error);
  if (status == MSK_OK && d->line->input_count > 0)
    status = pictures_read(&source, options, job, d->line->inputs[0], error);
  if (status == MSK_OK) status = model_path_open(&d->model, &options->model, error);
  if (status == MSK_OK)
    status = msk_model_class_find(d->model, options->class_text, &class_id, error);
  if (status == MSK_OK) status = pictures_fill(d, options, job, own, class_id, &source, error);
  msk_image_free(&source);
  if (status == MSK_OK) status = choose_output(d, options, error);
  if (status == MSK_OK) status = drawing_run(d, error);
  return pictures_end(d, status, error);
}
