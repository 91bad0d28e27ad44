/* SPDX-License-Identifier: Apache-2.0
 * command_detokenize.c - detokenize: tokens to the picture that they stand for. */
#include <stdint.h>

#include "app/output.h"
#include "commands.h"
#include "masksketch_tools.h"
#include "parts.h"
#include "shared_options.h"

typedef struct detokenize_options {
  const char *output;
  int quality;
  bool quiet;
  model_choice model;
} detokenize_options;

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
  if (parts_is_array(path)) {
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

static msk_status detokenize_one(parts *p, const cli_line *line, const tokens_view *view, int index,
                                 msk_error *error) {
  const detokenize_options *options = line->options;
  char path[MAX_PATH_BYTES];
  float *pixels = NULL;
  int width = 0, height = 0;
  msk_status status = output_numbered(path, options->output, index, view->count, error);
  if (status == MSK_OK)
    status = msk_detokenize(p->session, view->tokens + (size_t)index * (size_t)view->stride,
                            view->rows, view->columns, &pixels, &width, &height, error);
  if (status == MSK_OK) status = write_pixels(path, pixels, width, height, options->quality, error);
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s: %d x %d pixels\n", path, width, height);
  msk_free(NULL, pixels);
  return status;
}

static msk_status action(const cli_line *line, msk_error *error) {
  const detokenize_options *options = line->options;
  parts p = {0};
  msk_array array = {0};
  tokens_view view = {0};
  msk_format format;
  msk_status status = MSK_OK;
  if (!parts_is_array(options->output))
    status = output_format(options->output, options->quality, &format, error);
  if (status == MSK_OK) status = parts_load_array(&array, line->inputs[0], error);
  if (status == MSK_OK) status = parts_open(&p, &options->model, error);
  if (status == MSK_OK) status = view_tokens(&view, &array, &p.info, line->inputs[0], error);
  if (status == MSK_OK)
    status = cli_output_check(line, "output", options->output, view.count, error);
  for (int i = 0; i < view.count && status == MSK_OK; i++)
    status = detokenize_one(&p, line, &view, i, error);
  msk_free(NULL, array.data);
  parts_close(&p);
  return status;
}

static const cli_option rows[] = {
    {"output", 'o', "FILE", CLI_AN_OUTPUT(detokenize_options, output),
     .needed = "a name that ends in .png, .jpg, .webp or .npy",
     .help = "the picture; - is standard output"},
    CLI_QUALITY(detokenize_options),
    CLI_FORCE,
    CLI_QUIET(detokenize_options),
    CLI_TABLE(detokenize_options, model, model_table),
    {.type = CLI_END},
};

const cli_usage detokenize_usage = {
    "TOKENS.npy -o IMAGE.png|.npy", 1, 1, rows, sizeof(detokenize_options), .action = action};
