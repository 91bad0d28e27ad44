/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.c - tokenize, detokenize, attention: the networks one by one, for research. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "app/input.h"
#include "app/model_path.h"
#include "app/output.h"
#include "parts.h"

static msk_status open_bench(bench *b, const cli_options *options, msk_error *error) {
  msk_request request;
  msk_session_options session_options;
  const model_choice choice = cli_model_choice(options);
  msk_status status = model_path_open(&b->model, &choice, error);
  if (status != MSK_OK) return status;
  msk_model_get_info(b->model, &b->info);
  msk_session_options_init(&session_options);
  if (options->threads > 0) session_options.threads = options->threads;
  status = msk_request_init(&request, b->model, MSK_JOB_GENERATE, "balanced", error);
  return status == MSK_OK
             ? msk_session_open(&b->session, b->model, &request, &session_options, error)
             : status;
}

static void close_bench(bench *b) {
  msk_session_close(b->session);
  msk_model_close(b->model);
}

static msk_status need_output(const cli_options *options, const char *what, msk_error *error) {
  if (options->output == NULL)
    return app_fail(error, MSK_ERROR_ARGUMENT, "no output was given, expected -o with %s", what);
  return cli_check_output(options->output, options, error);
}

static bool has_suffix(const char *path, const char *suffix) {
  size_t length = strlen(path), n = strlen(suffix);
  return length > n && strcmp(path + length - n, suffix) == 0;
}

static msk_status load_array(msk_array *array, const char *path, msk_error *error) {
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_status status = input_read(path, MSK_MAX_FILE_BYTES, &bytes, &byte_count, error);
  if (status == MSK_OK) status = msk_npy_decode(array, bytes, byte_count, path, NULL, error);
  msk_free(NULL, bytes);
  return status;
}

/* ---- tokenize ---- */

/* A picture as it is, or brought to the model's square where --fit asks for it. */
msk_status parts_load(msk_image *image, const char *path, const cli_options *options,
                      const bench *b, bool square, msk_error *error) {
  msk_image read = {0};
  msk_prepare_options preparation;
  msk_status status = input_picture(&read, path, MSK_ALPHA_WHITE, error);
  if (status != MSK_OK || !square) {
    *image = read;
    return status;
  }
  msk_prepare_init(&preparation);
  preparation.invert = MSK_INVERT_NO;
  if (options->fit >= 0) preparation.fit = (msk_fit)options->fit;
  status = msk_image_prepare(image, &read, b->info.image_size, b->info.image_size, &preparation,
                             NULL, error);
  msk_image_free(&read);
  return status;
}

/* Float pixels from an .npy, H x W x 3 in [0,1]. */
static msk_status tokenize_array(const cli_options *options, bench *b, int32_t **tokens,
                                 float **latents, int *rows, int *columns, msk_error *error) {
  msk_array array = {0};
  if (options->fit >= 0)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--fit has no effect on an .npy, whose pixels are taken as they are: leave it out");
  msk_status status = load_array(&array, options->inputs[0], error);
  if (status != MSK_OK) return status;
  bool good = array.dtype == MSK_DTYPE_F32 && array.rank == 3 && array.shape[2] == 3 &&
              array.shape[0] > 0 && array.shape[1] > 0 && array.shape[0] <= MSK_MAX_PIXELS &&
              array.shape[1] <= MSK_MAX_PIXELS;
  if (good) {
    status = msk_tokenize_float(b->session, array.data, (int)array.shape[1], (int)array.shape[0],
                                tokens, latents, rows, columns, error);
  } else {
    status =
        app_fail(error, MSK_ERROR_FILE,
                 "%s holds no picture, expected float32 of height x width x 3", options->inputs[0]);
  }
  msk_free(NULL, array.data);
  return status;
}

msk_status action_tokenize(const cli_options *options, msk_error *error) {
  bench b = {0};
  msk_image image = {0};
  int32_t *tokens = NULL;
  float *latents = NULL;
  int rows = 0, columns = 0;
  float **wanted = options->latents != NULL ? &latents : NULL;
  msk_status status = need_output(options, "a name that ends in .npy", error);
  if (status == MSK_OK && wanted != NULL)
    status = cli_check_output(options->latents, options, error);
  if (status == MSK_OK) status = open_bench(&b, options, error);
  if (status == MSK_OK && has_suffix(options->inputs[0], ".npy")) {
    status = tokenize_array(options, &b, &tokens, wanted, &rows, &columns, error);
  } else if (status == MSK_OK) {
    status = parts_load(&image, options->inputs[0], options, &b, options->fit >= 0, error);
    if (status == MSK_OK)
      status = msk_tokenize(b.session, &image, &tokens, wanted, &rows, &columns, error);
  }
  if (status == MSK_OK) {
    msk_array array = {.dtype = MSK_DTYPE_I32,
                       .rank = 2,
                       .shape = {(size_t)rows, (size_t)columns},
                       .data = tokens};
    status = output_array(options->output, &array, error);
  }
  if (status == MSK_OK && latents != NULL) {
    msk_array array = {.dtype = MSK_DTYPE_F32,
                       .rank = 3,
                       .shape = {(size_t)rows, (size_t)columns, (size_t)b.info.codebook_dim},
                       .data = latents};
    status = output_array(options->latents, &array, error);
  }
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s: %d x %d tokens\n", options->output, rows, columns);
  msk_free(NULL, tokens);
  msk_free(NULL, latents);
  msk_image_free(&image);
  close_bench(&b);
  return status;
}

/* ---- detokenize ---- */

/* One picture's tokens inside an array, and the grid that they fill. */
typedef struct tokens_view {
  const int32_t *tokens;
  int count, stride, rows, columns;
} tokens_view;

/* rows x columns as `tokenize` writes them; or sequences (count x N, class token first) as
 * --tokens-out writes them; or one sequence. */
static msk_status view_tokens(tokens_view *view, const msk_array *array, const msk_model_info *info,
                              const char *path, msk_error *error) {
  const int32_t *tokens = array->data;
  size_t last = array->rank > 0 ? array->shape[array->rank - 1] : 0, elements = 1;
  for (int i = 0; i < array->rank; i++) elements *= array->shape[i];
  bool good = array->dtype == MSK_DTYPE_I32 && elements > 0 && elements <= 1 << 24;
  bool sequences = good && array->rank <= 2 && last == (size_t)info->tokens;
  for (size_t i = 0; sequences && i < elements; i += last)
    sequences = tokens[i] >= info->codebook_size;
  if (sequences) {
    *view = (tokens_view){tokens + 1, (int)(elements / last), (int)last, info->latent_size,
                          info->latent_size};
  } else if (good && array->rank == 2) {
    *view = (tokens_view){tokens, 1, 0, (int)array->shape[0], (int)array->shape[1]};
  } else if (good && array->rank == 1 && last == (size_t)(info->tokens - 1)) {
    *view = (tokens_view){tokens, 1, 0, info->latent_size, info->latent_size};
  } else {
    return app_fail(error, MSK_ERROR_FILE,
                    "%s holds no tokens, expected int32 of rows x columns, or of count x %d with "
                    "the class token first",
                    path, info->tokens);
  }
  for (int k = 0; k < view->count; k++) {
    for (int i = 0; i < view->rows * view->columns; i++) {
      int32_t token = view->tokens[k * view->stride + i];
      if (token < 0 || token >= info->codebook_size) {
        return app_fail(error, MSK_ERROR_FILE, "%s holds the token %d, expected 0 to %d", path,
                        token, info->codebook_size - 1);
      }
    }
  }
  return MSK_OK;
}

static msk_status write_pixels(const char *path, const float *pixels, int width, int height,
                               int quality, msk_error *error) {
  if (has_suffix(path, ".npy")) {
    msk_array array = {.dtype = MSK_DTYPE_F32,
                       .rank = 3,
                       .shape = {(size_t)height, (size_t)width, 3},
                       .data = (void *)(uintptr_t)pixels};
    return output_array(path, &array, error);
  }
  msk_image image = {0};
  msk_status status = msk_image_from_float(&image, pixels, width, height, NULL, error);
  if (status == MSK_OK) status = output_picture(path, &image, quality, NULL, error);
  msk_image_free(&image);
  return status;
}

static msk_status detokenize_one(bench *b, const cli_options *options, const tokens_view *view,
                                 int index, msk_error *error) {
  char path[MAX_PATH_BYTES];
  float *pixels = NULL;
  int width = 0, height = 0;
  msk_status status = output_numbered(path, options->output, index, view->count, error);
  if (status == MSK_OK) status = cli_check_output(path, options, error);
  if (status == MSK_OK)
    status = msk_detokenize(b->session, view->tokens + (size_t)index * (size_t)view->stride,
                            view->rows, view->columns, &pixels, &width, &height, error);
  if (status == MSK_OK) status = write_pixels(path, pixels, width, height, options->quality, error);
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s: %d x %d pixels\n", path, width, height);
  msk_free(NULL, pixels);
  return status;
}

msk_status action_detokenize(const cli_options *options, msk_error *error) {
  bench b = {0};
  msk_array array = {0};
  tokens_view view = {0};
  msk_format format;
  msk_status status = need_output(options, "a name that ends in .png, .jpg, .webp or .npy", error);
  if (status == MSK_OK && !has_suffix(options->output, ".npy"))
    status = output_format(options->output, options->quality, &format, error);
  if (status == MSK_OK) status = load_array(&array, options->inputs[0], error);
  if (status == MSK_OK) status = open_bench(&b, options, error);
  if (status == MSK_OK) status = view_tokens(&view, &array, &b.info, options->inputs[0], error);
  if (status == MSK_OK && view.count > 1 && output_is_stdout(options->output)) {
    status =
        app_fail(error, MSK_ERROR_ARGUMENT,
                 "%d pictures do not fit into standard output, expected a name: choose one with -o",
                 view.count);
  }
  for (int i = 0; i < view.count && status == MSK_OK; i++)
    status = detokenize_one(&b, options, &view, i, error);
  msk_free(NULL, array.data);
  close_bench(&b);
  return status;
}

/* ---- attention ---- */

/* Maps side by side: a row a layer, a column a head; each map scaled to its largest value,
 * square root for the faint ones. */
static msk_status write_maps(const char *path, const float *maps, int layers, int heads, int n,
                             int quality, msk_error *error) {
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
  status = output_picture(path, &image, quality, NULL, error);
  msk_image_free(&image);
  return status;
}

msk_status parts_layers(int layers[MSK_MAX_LAYERS], int *count, const cli_options *options,
                        const bench *b, msk_error *error) {
  if (options->layers != NULL)
    return cli_parse_list(options->layers, "--layers", 0, b->info.layers - 1, layers,
                          MSK_MAX_LAYERS, count, error);
  msk_recipe recipe;
  msk_status status = msk_recipe_find(&recipe, b->model, MSK_JOB_DRAW, "balanced", error);
  if (status != MSK_OK) return status;
  memcpy(layers, recipe.layers, sizeof recipe.layers);
  *count = recipe.layer_count;
  return MSK_OK;
}

msk_status parts_sequence(bench *b, const cli_options *options, const msk_image *image,
                          int32_t *sequence, msk_error *error) {
  int32_t *tokens = NULL;
  int rows = 0, columns = 0, class_id = 0;
  msk_status status = msk_model_class_find(b->model, options->class_text, &class_id, error);
  if (status == MSK_OK)
    status = msk_tokenize(b->session, image, &tokens, NULL, &rows, &columns, error);
  if (status == MSK_OK) {
    sequence[0] = b->info.codebook_size + class_id;
    memcpy(sequence + 1, tokens, (size_t)(b->info.tokens - 1) * sizeof *tokens);
  }
  msk_free(NULL, tokens);
  return status;
}

/* The maps of one picture, as numbers or as a picture of all of them. */
static msk_status write_attention(bench *b, const cli_options *options, const int *layers,
                                  int layer_count, msk_error *error) {
  float *maps = NULL;
  msk_image image = {0};
  const size_t n = (size_t)b->info.tokens;
  int32_t *sequence = malloc(n * sizeof *sequence);
  msk_status status =
      sequence == NULL ? app_fail(error, MSK_ERROR_MEMORY, "out of memory for a sequence of tokens")
                       : parts_load(&image, options->inputs[0], options, b, true, error);
  if (status == MSK_OK) status = parts_sequence(b, options, &image, sequence, error);
  if (status == MSK_OK)
    status = msk_attention(b->session, sequence, layers, layer_count, &maps, error);
  if (status == MSK_OK && has_suffix(options->output, ".npy")) {
    msk_array array = {.dtype = MSK_DTYPE_F32,
                       .rank = 4,
                       .shape = {(size_t)layer_count, (size_t)b->info.heads, n, n},
                       .data = maps};
    status = output_array(options->output, &array, error);
  } else if (status == MSK_OK) {
    status = write_maps(options->output, maps, layer_count, b->info.heads, b->info.tokens,
                        options->quality, error);
  }
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s: %d layers x %d heads x %zu x %zu\n", options->output, layer_count,
            b->info.heads, n, n);
  msk_image_free(&image);
  free(sequence);
  msk_free(NULL, maps);
  return status;
}

static msk_status check_attention(const cli_options *options, msk_error *error) {
  msk_format format;
  const bool array = options->output != NULL && has_suffix(options->output, ".npy");
  msk_status status = need_output(options, "a name that ends in .npy or .png", error);
  if (status == MSK_OK && !array) status = output_format(options->output, 0, &format, error);
  if (status != MSK_OK) return status;
  if (options->class_text == NULL)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "no class was given, expected --class with what the picture shows: masksketch "
                    "classes lists them");
  if (options->at_count > 0 && array)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--at makes a picture, but %s ends in .npy: leave --at out for all maps",
                    options->output);
  if (options->input_count == 2 && options->at_count == 0)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "two pictures were given, expected --at X,Y with the tokens that are compared");
  return MSK_OK;
}

msk_status action_attention(const cli_options *options, msk_error *error) {
  bench b = {0};
  int layers[MSK_MAX_LAYERS], layer_count = 0;
  msk_status status = check_attention(options, error);
  if (status == MSK_OK) status = open_bench(&b, options, error);
  if (status == MSK_OK) status = parts_layers(layers, &layer_count, options, &b, error);
  if (status == MSK_OK)
    status = options->at_count > 0 ? explore_attention(&b, options, layers, layer_count, error)
                                   : write_attention(&b, options, layers, layer_count, error);
  close_bench(&b);
  return status;
}
