/* SPDX-License-Identifier: Apache-2.0
 * convert.c - checkpoints -> one model file. */
#include "actions.h"
#include "model_path.h"
#include "output.h"

msk_status action_convert(const cli_options *options, msk_error *error) {
  msk_convert_options convert;
  msk_convert_options_init(&convert);
  if (options->tokenizer == NULL || options->transformer == NULL || options->output == NULL) {
    return cli_fail(error, MSK_ERROR_ARGUMENT, "--%s was not given: masksketch convert %s",
                    options->tokenizer == NULL ? "tokenizer" : options->transformer == NULL ? "transformer" : "output", options->command->arguments);
  }
  if (output_is_stdout(options->output)) return cli_fail(error, MSK_ERROR_ARGUMENT, "a model is not written to standard output, expected -o MODEL.safetensors");
  msk_status status = output_check(options->output, options, error);
  if (status != MSK_OK) return status;
  convert.tokenizer_path = options->tokenizer;
  convert.transformer_path = options->transformer;
  convert.classes_path = options->classes;
  convert.defaults_path = options->defaults;
  convert.name = options->name;
  convert.output_path = options->output;
  if (options->dtype >= 0) convert.dtype = (msk_dtype[]){MSK_DTYPE_F32, MSK_DTYPE_F16, MSK_DTYPE_BF16}[options->dtype];
  status = msk_convert(&convert, error);
  if (status == MSK_OK && !options->quiet) fprintf(stderr, "%s is written; masksketch info %s shows what is in it\n", options->output, options->output);
  return status;
}
