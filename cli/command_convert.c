/* SPDX-License-Identifier: Apache-2.0
 * command_convert.c - convert: checkpoints to one model file, and back. */
#include <stdio.h>

#include "app/output.h"
#include "commands.h"
#include "masksketch_tools.h"
#include "shared_options.h"

typedef struct convert_options {
  const char *tokenizer, *transformer, *merge, *flax, *classes, *defaults, *name, *output;
  adapter_list adapters;
  int dtype;
  bool int8, quiet;
} convert_options;

/* ---- back to checkpoints ---- */

enum { EXPORTED = 4 };

/* What nobody asks of the authors' files: they have one form, and no names. */
static msk_status check_flax(const cli_line *line, msk_error *error) {
  static const char *const others[] = {"tokenizer", "transformer", "merge", "adapter", "classes",
                                       "defaults",  "name",        "dtype", "int8"};
  msk_status status = MSK_OK;
  for (size_t i = 0; i < sizeof others / sizeof *others && status == MSK_OK; i++)
    status = cli_exclude(line, "flax", others[i], error);
  return status;
}

static msk_status export_flax(const cli_line *line, msk_error *error) {
  static const char *const files[EXPORTED] = {"tokenizer_checkpoint", "transformer_checkpoint",
                                              "classes.txt", "defaults.json"};
  const convert_options *o = line->options;
  char paths[EXPORTED][MAX_PATH_BYTES];
  msk_status status = check_flax(line, error);
  for (int i = 0; i < EXPORTED && status == MSK_OK; i++) {
    if (snprintf(paths[i], sizeof paths[i], "%s/%s", o->output, files[i]) >= MAX_PATH_BYTES)
      return app_fail(error, MSK_ERROR_OUTPUT, "%.80s... is too long a path", o->output);
    if (i == 0) status = output_make_folders(paths[i], error);
    if (status == MSK_OK) status = cli_output_check(line, "output", paths[i], 1, error);
  }
  if (status == MSK_OK)
    status = msk_export_flax(o->flax, paths[0], paths[1], paths[2], paths[3], NULL, error);
  if (status == MSK_OK && !o->quiet)
    fprintf(stderr, "%s and %s are written in %s\n", files[0], files[1], o->output);
  return status;
}

/* ---- to a model file ---- */

/* Either two checkpoints, or a model and what is melted into it. */
static msk_status check_sources(const cli_line *line, msk_error *error) {
  const convert_options *o = line->options;
  bool merges = o->merge != NULL, has_adapters = o->adapters.count > 0;
  msk_status status = cli_exclude(line, "merge", "tokenizer", error);
  if (status == MSK_OK) status = cli_exclude(line, "merge", "transformer", error);
  if (status == MSK_OK && merges != has_adapters)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--merge MODEL and --adapter FILE go together: the adapters are melted into "
                    "the model");
  if (status == MSK_OK && !merges && (o->tokenizer == NULL || o->transformer == NULL))
    return app_fail(error, MSK_ERROR_ARGUMENT, "--%s was not given, expected the %s's checkpoint",
                    o->tokenizer == NULL ? "tokenizer" : "transformer",
                    o->tokenizer == NULL ? "tokenizer" : "transformer");
  return status;
}

static msk_status action(const cli_line *line, msk_error *error) {
  static const msk_dtype dtypes[] = {MSK_DTYPE_F32, MSK_DTYPE_F16, MSK_DTYPE_BF16};
  const convert_options *options = line->options;
  msk_convert_options convert;
  adapter_paths adapters;
  if (options->flax != NULL) return export_flax(line, error);
  msk_status status = check_sources(line, error);
  if (status == MSK_OK) status = adapters_parse(&adapters, &options->adapters, error);
  if (status != MSK_OK) return status;
  if (output_is_stdout(options->output))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "a model is not written to standard output, expected -o MODEL.safetensors");
  status = cli_output_check(line, "output", options->output, 1, error);
  if (status != MSK_OK) return status;
  msk_convert_options_init(&convert);
  /* a model is both checkpoints in one file */
  convert.tokenizer_path = options->merge != NULL ? options->merge : options->tokenizer;
  convert.transformer_path = options->merge != NULL ? options->merge : options->transformer;
  convert.adapters = adapters.choices;
  convert.adapter_count = options->adapters.count;
  convert.classes_path = options->classes;
  convert.defaults_path = options->defaults;
  convert.name = options->name;
  convert.output_path = options->output;
  convert.dtype = dtypes[options->dtype];
  convert.int8 = options->int8;
  status = msk_convert(&convert, error);
  if (status == MSK_OK && !options->quiet)
    fprintf(stderr, "%s is written; masksketch info %s shows what is in it\n", options->output,
            options->output);
  return status;
}

static const cli_option rows[] = {
    {"tokenizer", 0, "FILE", CLI_AN_INPUT(convert_options, tokenizer),
     .help = "tokenizer checkpoint: Flax msgpack or safetensors"},
    {"transformer", 0, "FILE", CLI_AN_INPUT(convert_options, transformer),
     .help = "transformer checkpoint: Flax msgpack or safetensors"},
    {"output", 'o', "FILE", CLI_AN_OUTPUT(convert_options, output),
     .needed = "the name of a model file", .help = "the model file; with --flax, a folder"},
    {"merge", 0, "MODEL", CLI_AN_INPUT(convert_options, merge),
     .help = "instead of two checkpoints: a model file that adapters are melted into"},
    {"flax", 0, "MODEL", CLI_AN_INPUT(convert_options, flax),
     .help = "the way back: a model file's networks as the authors publish theirs, "
             "tokenizer_checkpoint and transformer_checkpoint in the folder --output, with "
             "classes.txt and defaults.json"},
    CLI_ADAPTER_ROW(convert_options, adapters),
    {"classes", 0, "NAMES.txt", CLI_AN_INPUT(convert_options, classes),
     .help = "class names, one a line",
     .otherwise = "the ImageNet names if there are 1000 classes"},
    {"defaults", 0, "FILE.json", CLI_AN_INPUT(convert_options, defaults),
     .help = "the model's own defaults"},
    {"name", 0, "NAME", CLI_A_TEXT(convert_options, name), .help = "name of the model",
     .otherwise = "the output's"},
    {"dtype", 0, "TYPE", CLI_A_CHOICE(convert_options, dtype, "f32 f16 bf16"), .initial = "f32",
     .help = "type of the stored matrices"},
    {"int8", .help = "store the transformer's layers in 8 bits, for --precision int8",
     CLI_A_FLAG(convert_options, int8)},
    CLI_FORCE,
    CLI_QUIET(convert_options),
    {.type = CLI_END},
};

const cli_usage convert_usage = {
    "--tokenizer FILE --transformer FILE [--classes NAMES.txt] [--dtype TYPE] "
    "[--int8] -o MODEL.safetensors | --merge MODEL --adapter FILE... -o MODEL.safetensors | "
    "--flax MODEL -o FOLDER",
    0,
    0,
    rows,
    sizeof(convert_options),
    .action = action};
