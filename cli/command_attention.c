/* SPDX-License-Identifier: Apache-2.0
 *
 * command_attention.c - attention: the transformer's attention maps of a picture, as numbers or
 * as a picture; with --at, what chosen tokens attend to (explore.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/output.h"
#include "commands.h"
#include "explore.h"
#include "masksketch_tools.h"
#include "parts.h"
#include "shared_options.h"

typedef struct point_list {
  const char *at[MAX_POINTS];
  int count;
} point_list;

typedef struct attention_options {
  const char *class_text, *output, *layers;
  int fit;
  point_list points;
  bool quiet;
  model_choice model;
} attention_options;

static msk_status take_point(void *field, const cli_option *row, const char *value,
                             msk_error *error) {
  point_list *list = field;
  if (list->count == MAX_POINTS)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s was given more than %d times: make several pictures", row->name,
                    MAX_POINTS);
  list->at[list->count++] = value;
  return MSK_OK;
}

/* ---- what is asked ---- */

static msk_status check(const cli_line *line, msk_error *error) {
  const attention_options *options = line->options;
  const bool array = parts_is_array(options->output);
  msk_format format;
  msk_status status = cli_output_check(line, "output", options->output, 1, error);
  if (status == MSK_OK && !array) status = output_format(options->output, 0, &format, error);
  if (status != MSK_OK) return status;
  if (options->points.count > 0 && array)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--at makes a picture, but %s ends in .npy: leave --at out for all maps",
                    options->output);
  if (line->input_count == 2 && options->points.count == 0)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "two pictures were given, expected --at X,Y with the tokens that are compared");
  return MSK_OK;
}

/* --layers, or those of the recipe. */
static msk_status choose_layers(attention_maps *maps, const attention_options *options,
                                const parts *p, msk_error *error) {
  if (options->layers != NULL)
    return cli_parse_list(options->layers, "--layers", 0, p->info.layers - 1, maps->layers,
                          MSK_MAX_LAYERS, &maps->layer_count, error);
  msk_recipe recipe;
  msk_status status = msk_recipe_find(&recipe, p->model, MSK_JOB_DRAW, "balanced", error);
  if (status != MSK_OK) return status;
  memcpy(maps->layers, recipe.layers, sizeof recipe.layers);
  maps->layer_count = recipe.layer_count;
  return MSK_OK;
}

/* "X,Y" in pixels of the model's square -> its token. */
static msk_status read_points(cell *cells, const point_list *points, const msk_model_info *info,
                              msk_error *error) {
  const int side = info->image_size;
  for (int i = 0; i < points->count; i++) {
    int n[2], count = 0;
    msk_status status = cli_parse_list(points->at[i], "--at", 0, side - 1, n, 2, &count, error);
    if (status != MSK_OK) return status;
    if (count != 2)
      return app_fail(error, MSK_ERROR_ARGUMENT, "--at was given %s, expected two numbers: X,Y",
                      points->at[i]);
    cells[i] = (cell){n[0] * info->latent_size / side, n[1] * info->latent_size / side};
  }
  return MSK_OK;
}

/* ---- maps ---- */

/* The sequence of a picture of the model's size: class token, then its tokens. */
static msk_status make_sequence(int32_t *sequence, const parts *p, const char *class_text,
                                const msk_image *image, msk_error *error) {
  int32_t *tokens = NULL;
  int rows = 0, columns = 0, class_id = 0;
  msk_status status = msk_model_class_find(p->model, class_text, &class_id, error);
  if (status == MSK_OK)
    status = msk_tokenize(p->session, image, &tokens, NULL, &rows, &columns, error);
  if (status == MSK_OK) {
    sequence[0] = p->info.codebook_size + class_id;
    memcpy(sequence + 1, tokens, (size_t)(p->info.tokens - 1) * sizeof *tokens);
  }
  msk_free(NULL, tokens);
  return status;
}

static msk_status read_pictures(attention_maps *maps, const cli_line *line, const parts *p,
                                msk_error *error) {
  const attention_options *options = line->options;
  int32_t *sequence = malloc((size_t)p->info.tokens * sizeof *sequence);
  msk_status status =
      sequence == NULL ? app_fail(error, MSK_ERROR_MEMORY, "out of memory for a sequence of tokens")
                       : MSK_OK;
  maps->pictures = line->input_count;
  for (int i = 0; i < line->input_count && status == MSK_OK; i++) {
    status = parts_load(&maps->image[i], line->inputs[i], p, options->fit, error);
    if (status == MSK_OK)
      status = make_sequence(sequence, p, options->class_text, &maps->image[i], error);
    if (status == MSK_OK)
      status = msk_attention(p->session, sequence, maps->layers, maps->layer_count, &maps->maps[i],
                             error);
  }
  free(sequence);
  return status;
}

/* ---- results ---- */

/* Maps side by side: a row a layer, a column a head; each map scaled to its largest value,
 * square root for the faint ones. */
static msk_status write_maps(const char *path, const float *maps, int layers, int heads, int n,
                             msk_error *error) {
  enum { GAP = 2 };
  msk_image image = {0};
  size_t width = (size_t)heads * (size_t)(n + GAP) - GAP,
         height = (size_t)layers * (size_t)(n + GAP) - GAP;
  if (width > MSK_MAX_PIXELS / height) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "the maps would make a picture of %zu x %zu pixels, expected at most %zu in "
                    "all: ask for fewer --layers",
                    width, height, MSK_MAX_PIXELS);
  }
  msk_status status = msk_image_create(&image, (int)width, (int)height, NULL, error);
  if (status != MSK_OK) return status;
  memset(image.pixels, 255, 3 * width * height);
  for (int map = 0; map < layers * heads; map++) {
    const float *values = maps + (size_t)map * (size_t)n * (size_t)n;
    float largest = 0;
    for (int i = 0; i < n * n; i++) largest = fmaxf(largest, values[i]);
    size_t left = (size_t)(map % heads) * (size_t)(n + GAP),
           top = (size_t)(map / heads) * (size_t)(n + GAP);
    for (int i = 0; i < n * n; i++) {
      float grey = largest > 0 ? sqrtf(values[i] / largest) : 0;
      memset(image.pixels + 3 * ((top + (size_t)(i / n)) * width + left + (size_t)(i % n)),
             (int)(255 * grey + 0.5f), 3);
    }
  }
  status = output_picture(path, &image, 0, NULL, error);
  msk_image_free(&image);
  return status;
}

/* The maps of one picture, as numbers or as a picture of all of them. */
static msk_status write_all(const attention_maps *maps, const attention_options *options,
                            msk_error *error) {
  const int heads = maps->info.heads, n = maps->info.tokens;
  msk_array array = {.dtype = MSK_DTYPE_F32,
                     .rank = 4,
                     .shape = {(size_t)maps->layer_count, (size_t)heads, (size_t)n, (size_t)n},
                     .data = maps->maps[0]};
  msk_status status =
      parts_is_array(options->output)
          ? output_array(options->output, &array, error)
          : write_maps(options->output, maps->maps[0], maps->layer_count, heads, n, error);
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s: %d layers x %d heads x %d x %d\n", options->output, maps->layer_count,
            heads, n, n);
  return status;
}

static msk_status write_chosen(const attention_maps *maps, const attention_options *options,
                               const cell *cells, msk_error *error) {
  msk_image canvas = {0};
  msk_status status = explore_paint(&canvas, maps, cells, options->points.count, error);
  if (status == MSK_OK) status = output_picture(options->output, &canvas, 0, NULL, error);
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s: %d tokens in %d layers\n", options->output, options->points.count,
            maps->layer_count);
  msk_image_free(&canvas);
  return status;
}

static msk_status action(const cli_line *line, msk_error *error) {
  const attention_options *options = line->options;
  parts p = {0};
  attention_maps maps = {.pictures = 0};
  cell cells[MAX_POINTS];
  msk_status status = check(line, error);
  if (status == MSK_OK) status = parts_open(&p, &options->model, error);
  maps.info = p.info;
  if (status == MSK_OK) status = choose_layers(&maps, options, &p, error);
  if (status == MSK_OK) status = read_points(cells, &options->points, &p.info, error);
  if (status == MSK_OK) status = read_pictures(&maps, line, &p, error);
  if (status == MSK_OK)
    status = options->points.count > 0 ? write_chosen(&maps, options, cells, error)
                                       : write_all(&maps, options, error);
  for (int i = 0; i < 2; i++) {
    msk_image_free(&maps.image[i]);
    msk_free(NULL, maps.maps[i]);
  }
  parts_close(&p);
  return status;
}

static const cli_option rows[] = {
    {"class", 'c', "CLASS", CLI_A_TEXT(attention_options, class_text),
     .needed = "what the picture shows: masksketch classes lists them",
     .help = "what the picture shows: a number, a name or its plural, or the beginning of one"},
    {"output", 'o', "FILE", CLI_AN_OUTPUT(attention_options, output),
     .needed = "a name that ends in .npy or .png",
     .help = "float32 of layers x heads x N x N, or a picture: a row a layer, a column a head"},
    {"layers", 0, "L,L", CLI_A_TEXT(attention_options, layers),
     .help = "transformer layers, from 0", .otherwise = "those of the recipe"},
    {"at", 0, "X,Y", CLI_A_CALL(attention_options, points, take_point),
     .help = "show what the token at this pixel of the model's square attends to, and the same "
             "token of a second picture; repeatable"},
    {"fit", 0, "HOW", CLI_A_NAME(attention_options, fit, msk_fit_name), .initial = "stretch",
     .help = "how the picture comes to the model's square"},
    CLI_FORCE,
    CLI_QUIET(attention_options),
    CLI_ADAPTER_ROW(attention_options, model.adapters),
    CLI_TABLE(attention_options, model, model_table),
    {.type = CLI_END},
};

const cli_usage attention_usage = {
    "IMAGE [PHOTO --at X,Y] --class CLASS [--layers L,L] -o MAPS.npy|.png",
    1,
    2,
    rows,
    sizeof(attention_options),
    .action = action};
