/* SPDX-License-Identifier: Apache-2.0
 *
 * command_pull.c - pull: published checkpoints from a manifest's addresses, checked, and converted
 * to a model that --model finds by its name. */
#include <string.h>
#include <unistd.h>

#include "app/model_path.h"
#include "commands.h"
#include "masksketch_tools.h"
#include "pull_download.h"

typedef struct pull_options {
  const char *manifest;
  int dtype;
  bool int8, keep, quiet;
  download_options download;
} pull_options;

#if MASKSKETCH_PULL

static void list_models(const pull_manifest *manifest, const char *folder) {
  pull_model model;
  for (size_t i = 0; manifest_model(manifest, i, &model); i++) {
    char path[MAX_PATH_BYTES + 128];
    snprintf(path, sizeof path, "%s%s.safetensors", folder, model.name);
    printf("%-14s %s%s\n", model.name, model.about == NULL ? "" : model.about,
           access(path, R_OK) == 0 ? " (pulled)" : "");
  }
}

/* FOLDER NAME.ROLE/, where a checkpoint lies under its own name: the model remembers that. */
static msk_status place_of(char path[MAX_PATH_BYTES], const char *folder, const char *name,
                           const char *role, const char *url, msk_error *error) {
  const int length =
      snprintf(path, MAX_PATH_BYTES, "%s%s.%s/%s", folder, name, role, strrchr(url, '/') + 1);
  if (length < MAX_PATH_BYTES - 8) return output_make_folders(path, error);
  return app_fail(error, MSK_ERROR_ARGUMENT, "the name of the user's data folder is too long");
}

static void forget(const char *path) {
  char folder[MAX_PATH_BYTES];
  snprintf(folder, sizeof folder, "%s", path);
  *strrchr(folder, '/') = 0;
  unlink(path);
  rmdir(folder);
}

/* A file whose manifest names no hash is held against what it was when it was first seen, here. */
static msk_status fetch(const char *path, pull_file file, const char *folder,
                        const pull_options *options, msk_error *error) {
  char pinned[HASH_BYTES], hash[HASH_BYTES];
  const bool known = file.hash != NULL, seen = !known && pin_find(pinned, folder, file.url);
  if (seen) file.hash = pinned;
  const bool here = access(path, R_OK) == 0;
  if (here && (known || seen)) return MSK_OK;
  if (!here && !options->quiet) fprintf(stderr, "%s\n", file.url);
  /* here, but not pinned: a kill came between its name and its pin */
  msk_status status = here ? msk_file_hash(hash, path, error)
                           : download(hash, path, &file, &options->download, error);
  if (status != MSK_OK || known || seen) return status;
  if (!options->quiet)
    fprintf(stderr,
            "its SHA-256 is published nowhere: %s is pinned at first sight, in %spins.txt; a later "
            "pull takes nothing else\n",
            hash, folder);
  return pin_add(folder, file.url, hash, error);
}

static msk_status convert_model(const char *output, const char *tokenizer, const char *transformer,
                                const pull_model *model, const pull_options *options,
                                msk_error *error) {
  static const msk_dtype dtypes[] = {MSK_DTYPE_F32, MSK_DTYPE_F16, MSK_DTYPE_BF16};
  msk_convert_options convert;
  msk_convert_options_init(&convert);
  convert.tokenizer_path = tokenizer;
  convert.transformer_path = transformer;
  convert.name = model->name;
  convert.output_path = output;
  convert.dtype = dtypes[options->dtype];
  convert.int8 = options->int8;
  return msk_convert(&convert, error);
}

static msk_status pull(const char *folder, const pull_model *model, const cli_line *line,
                       const pull_options *options, msk_error *error) {
  char output[MAX_PATH_BYTES + 128], tokenizer[MAX_PATH_BYTES], transformer[MAX_PATH_BYTES];
  const pull_file *first = &model->tokenizer, *second = &model->transformer;
  snprintf(output, sizeof output, "%s%s.safetensors", folder, model->name);
  if (!cli_given(line, "force") && access(output, F_OK) == 0)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "the model %s is there already: --force pulls it again", output);
  msk_status status = place_of(tokenizer, folder, model->name, "tokenizer", first->url, error);
  if (status == MSK_OK)
    status = place_of(transformer, folder, model->name, "transformer", second->url, error);
  if (status == MSK_OK) status = fetch(tokenizer, *first, folder, options, error);
  if (status == MSK_OK) status = fetch(transformer, *second, folder, options, error);
  if (status == MSK_OK)
    status = convert_model(output, tokenizer, transformer, model, options, error);
  if (status == MSK_OK && !options->keep) forget(tokenizer), forget(transformer);
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s is written; --model %s finds it\n", output, model->name);
  return status;
}

static msk_status action(const cli_line *line, msk_error *error) {
  const pull_options *own = line->options;
  pull_options options = *own;
  pull_manifest manifest = {NULL};
  pull_model model;
  char folder[MAX_PATH_BYTES];
  options.download.quiet = options.quiet;
  if (!model_path_user_folder(folder))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "there is no folder to put models in, expected $XDG_DATA_HOME or $HOME");
  msk_status status = manifest_open(&manifest, options.manifest, error);
  if (status == MSK_OK && line->input_count == 0) list_models(&manifest, folder);
  if (status == MSK_OK && line->input_count > 0) {
    status = manifest_find(&manifest, line->inputs[0], &model, error);
    if (status == MSK_OK) status = pull(folder, &model, line, &options, error);
  }
  manifest_close(&manifest);
  return status;
}

#else

static msk_status action(const cli_line *line, msk_error *error) {
  (void)line;
  return app_fail(error, MSK_ERROR_UNSUPPORTED,
                  "this masksketch was built without libcurl: download the checkpoints by other "
                  "means, and masksketch convert makes a model of them");
}

#endif

static const cli_option rows[] = {
    {"manifest", 0, "FILE.json", CLI_AN_INPUT(pull_options, manifest),
     .help = "list of models with their addresses, sizes and hashes (docs/formats.md)",
     .otherwise = "the one that comes along"},
    {"dtype", 0, "TYPE", CLI_A_CHOICE(pull_options, dtype, "f32 f16 bf16"), .initial = "f32",
     .help = "type of the stored matrices"},
    {"int8", .help = "store the transformer's layers in 8 bits, for --precision int8",
     CLI_A_FLAG(pull_options, int8)},
    {"keep", .help = "keep the checkpoints when the model is made", CLI_A_FLAG(pull_options, keep)},
    {"patience", 0, "SECONDS", CLI_AN_INT(pull_options, download.patience, 1, 3600),
     .initial = "60", .help = "how long a server may send nothing before it is asked again"},
    {"tries", 0, "N", CLI_AN_INT(pull_options, download.tries, 1, 1000), .initial = "5",
     .help = "times in a row that nothing came before it is given up"},
    CLI_FORCE,
    CLI_QUIET(pull_options),
    {.type = CLI_END},
};

const cli_usage pull_usage = {"[NAME]", 0, 1, rows, sizeof(pull_options), .action = action};
