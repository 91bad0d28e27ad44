/* SPDX-License-Identifier: Apache-2.0
 * command_convert.c - convert: checkpoints to one model file. */
#include "app/output.h"
#include "commands.h"
#include "masksketch_tools.h"

typedef struct convert_options {
  const char *tokenizer, *transformer, *classes, *defaults, *name, *output;
  int dtype;
  bool int8, quiet;
} convert_options;

static msk_status action(const cli_line *line, msk_error *error) {
  static const msk_dtype dtypes[] = {MSK_DTYPE_F32, MSK_DTYPE_F16, MSK_DTYPE_BF16};
  const convert_options *options = line->options;
  msk_convert_options convert;
  if (output_is_stdout(options->output))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "a model is not written to standard output, expected -o MODEL.safetensors");
  msk_status status = cli_output_check(line, "output", options->output, 1, error);
  if (status != MSK_OK) return status;
  msk_convert_options_init(&convert);
  convert.tokenizer_path = options->tokenizer;
  convert.transformer_path = options->transformer;
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
     .needed = "the tokenizer's checkpoint",
     .help = "tokenizer checkpoint: Flax msgpack or safetensors"},
    {"transformer", 0, "FILE", CLI_AN_INPUT(convert_options, transformer),
     .needed = "the transformer's checkpoint",
     .help = "transformer checkpoint: Flax msgpack or safetensors"},
    {"output", 'o', "FILE", CLI_AN_OUTPUT(convert_options, output),
     .needed = "the name of a model file", .help = "the model file"},
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
    "[--int8] -o MODEL.safetensors",
    0,
    0,
    rows,
    sizeof(convert_options),
    .action = action};
