/* SPDX-License-Identifier: Apache-2.0
 * model.c - the model functions of the public header, on bundle.h. */
#include <string.h>

#include "api/bundle.h"
#include "base/error.h"
#include "base/threads.h"
#include "masksketch_tools.h"

void msk_model_options_init(msk_model_options *options) {
  *options = (msk_model_options){.size = sizeof *options, .precision = MSK_PRECISION_OF_FILE};
}

/* *chosen: the options given, or the defaults; checked. */
static msk_status choose_options(msk_model_options *chosen, const msk_model_options *options,
                                 msk_error *error) {
  msk_model_options_init(chosen);
  if (options != NULL && options->size != sizeof *options) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "model options of %zu bytes, expected %zu: call msk_model_options_init() first",
                    options->size, sizeof *options);
  }
  if (options != NULL) *chosen = *options;
  msk_status status = msk_threads_check(chosen->threads, error);
  if (status != MSK_OK) return status;
  if (chosen->precision != MSK_PRECISION_OF_FILE &&
      msk_precision_name((int)chosen->precision) == NULL)
    return msk_refuse(error, "precision", "precision %d, expected one of msk_precision",
                      (int)chosen->precision);
  if (msk_precision_name((int)chosen->decode_precision) == NULL)
    return msk_refuse(error, "decode_precision",
                      "decode_precision %d, expected MSK_PRECISION_FP32 or MSK_PRECISION_INT8",
                      (int)chosen->decode_precision);
  return MSK_OK;
}

msk_status msk_model_plan(msk_memory_plan *plan, const char *path, const msk_model_options *options,
                          msk_error *error) {
  msk_model_options chosen;
  if (plan == NULL || path == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no plan or no path given to msk_model_plan");
  msk_status status = choose_options(&chosen, options, error);
  return status == MSK_OK ? msk_bundle_plan(plan, path, &chosen, error) : status;
}

msk_status msk_model_open(msk_model **model, const char *path, const msk_model_options *options,
                          msk_error *error) {
  msk_model_options chosen;
  if (model == NULL || path == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "no model or no path given to msk_model_open");
  msk_status status = choose_options(&chosen, options, error);
  return status == MSK_OK ? msk_bundle_open(model, path, &chosen, error) : status;
}

void msk_model_close(msk_model *model) { msk_bundle_close(model); }

void msk_model_get_info(const msk_model *model, msk_model_info *info) {
  const msk_vqgan_config *tokenizer = msk_vqgan_get_config(model->tokenizer);
  const msk_maskgit_config *transformer = msk_maskgit_get_config(model->transformer);
  *info = (msk_model_info){
      .image_size = model->image_size,
      .latent_size = model->latent_size,
      .tokens = model->positions,
      .codebook_size = model->codes,
      .class_count = model->class_count,
      .null_class = model->defaults.recipe.null_class,
      .layers = (int)transformer->layers,
      .hidden = (int)transformer->hidden,
      .heads = (int)transformer->heads,
      .intermediate = (int)transformer->intermediate,
      .codebook_dim = (int)tokenizer->dim,
      .filters = (int)tokenizer->filters,
      .stem = (int)tokenizer->stem,
      .parameters = model->parameters,
      .isa = msk_device_isa(model->device),
      .precision = msk_device_precision(model->device),
      .decode_precision = msk_vqgan_decode_precision(model->tokenizer),
      .name = model->name,
      .hash = model->hash,
  };
}

const char *msk_model_warning(const msk_model *model) { return msk_device_warning(model->device); }

const char *msk_model_metadata(const msk_model *model, const char *key) {
  return msk_weight_file_metadata(model->file, key);
}
