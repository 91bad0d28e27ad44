/* SPDX-License-Identifier: Apache-2.0
 * command_tokenize.c - tokenize: a picture to the tokens that stand for it. */
#include "app/output.h"
#include "commands.h"
#include "masksketch_tools.h"
#include "parts.h"
#include "shared_options.h"

typedef struct tokenize_options {
  const char *output, *latents;
  int fit;
  bool quiet;
  model_choice model;
} tokenize_options;

/* Float pixels from an .npy, H x W x 3 in [0,1]. */
static msk_status tokenize_array(const tokenize_options *options, const char *path, parts *p,
                                 int32_t **tokens, float **latents, int *rows, int *columns,
                                 msk_error *error) {
  msk_array array = {0};
  if (options->fit >= 0)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "--fit has no effect on an .npy, whose pixels are taken as they are: leave it out");
  msk_status status = parts_load_array(&array, path, error);
  if (status != MSK_OK) return status;
  bool good = array.dtype == MSK_DTYPE_F32 && array.rank == 3 && array.shape[2] == 3 &&
              array.shape[0] > 0 && array.shape[1] > 0 && array.shape[0] <= MSK_MAX_PIXELS &&
              array.shape[1] <= MSK_MAX_PIXELS;
  if (good) {
    status = msk_tokenize_float(p->session, array.data, (int)array.shape[1], (int)array.shape[0],
                                tokens, latents, rows, columns, error);
  } else {
    status = app_fail(error, MSK_ERROR_FILE,
                      "%s holds no picture, expected float32 of height x width x 3", path);
  }
  msk_free(NULL, array.data);
  return status;
}

static msk_status action(const cli_line *line, msk_error *error) {
  const tokenize_options *options = line->options;
  const char *path = line->inputs[0];
  parts p = {0};
  msk_image image = {0};
  int32_t *tokens = NULL;
  float *latents = NULL;
  int rows = 0, columns = 0;
  float **wanted = options->latents != NULL ? &latents : NULL;
  msk_status status = cli_output_check(line, "output", options->output, 1, error);
  if (status == MSK_OK) status = cli_output_check(line, "latents", options->latents, 1, error);
  if (status == MSK_OK) status = parts_open(&p, &options->model, error);
  if (status == MSK_OK && parts_is_array(path)) {
    status = tokenize_array(options, path, &p, &tokens, wanted, &rows, &columns, error);
  } else if (status == MSK_OK) {
    status = parts_load(&image, path, &p, options->fit, error);
    if (status == MSK_OK)
      status = msk_tokenize(p.session, &image, &tokens, wanted, &rows, &columns, error);
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
                       .shape = {(size_t)rows, (size_t)columns, (size_t)p.info.codebook_dim},
                       .data = latents};
    status = output_array(options->latents, &array, error);
  }
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s: %d x %d tokens\n", options->output, rows, columns);
  msk_free(NULL, tokens);
  msk_free(NULL, latents);
  msk_image_free(&image);
  parts_close(&p);
  return status;
}

static const cli_option rows[] = {
    {"output", 'o', "TOKENS.npy", CLI_AN_OUTPUT(tokenize_options, output),
     .needed = "the name of an .npy file",
     .help = "the tokens, int32 of rows x columns; - is standard output"},
    {"latents", 0, "FILE.npy", CLI_AN_OUTPUT(tokenize_options, latents),
     .help = "also write the encoder's output before quantising"},
    {"fit", 0, "HOW", CLI_A_NAME(tokenize_options, fit, msk_fit_name),
     .help = "bring the picture, which else is taken as it is, to the model's square"},
    CLI_FORCE,
    CLI_QUIET(tokenize_options),
    CLI_TABLE(tokenize_options, model, model_table),
    {.type = CLI_END},
};

const cli_usage tokenize_usage = {"IMAGE -o TOKENS.npy", 1, 1, rows, sizeof(tokenize_options),
                                  .action = action};
