/* SPDX-License-Identifier: Apache-2.0
 * spare.c - see spare.h. */
#include "api/spare.h"

#include <stdio.h>

#include "base/error.h"

msk_status msk_spare_create(msk_spare **spare, bool allowed, msk_precision decoding,
                            const msk_allocator *allocator, msk_error *error) {
  msk_spare *made = msk_allocate_zeroed(allocator, 1, sizeof *made);
  if (made == NULL || pthread_mutex_init(&made->lock, NULL) != 0) {
    msk_free(allocator, made);
    return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for a model");
  }
  made->allowed = allowed;
  made->decoding = decoding;
  *spare = made;
  return MSK_OK;
}

void msk_spare_destroy(msk_spare *spare, const msk_allocator *allocator) {
  if (spare == NULL) return;
  msk_vqgan_destroy(spare->tokenizer);
  msk_maskgit_destroy(spare->transformer);
  pthread_mutex_destroy(&spare->lock);
  msk_free(allocator, spare);
}

const msk_device *msk_model_device(const msk_model *model) {
  return model->gpu == NULL || atomic_load(&model->spare->lost) ? model->device : model->gpu;
}

static bool has_own(const msk_model *model, const msk_device *device) {
  return model->gpu == NULL || device == model->gpu;
}

const msk_vqgan *msk_model_tokenizer(const msk_model *model, const msk_device *device) {
  return has_own(model, device) ? model->tokenizer : model->spare->tokenizer;
}

const msk_maskgit *msk_model_transformer(const msk_model *model, const msk_device *device) {
  return has_own(model, device) ? model->transformer : model->spare->transformer;
}

/* Whatever of the two is not there yet. */
static msk_status load(msk_spare *spare, const msk_model *model, msk_pool *pool, msk_error *error) {
  msk_status status = MSK_OK;
  if (spare->tokenizer == NULL)
    status = msk_vqgan_load(&spare->tokenizer, model->device, model->file, MSK_MODEL_TOKENIZER,
                            model->defaults.groups, spare->decoding, pool, error);
  if (status == MSK_OK && spare->transformer == NULL)
    status = msk_maskgit_load(&spare->transformer, model->device, model->file,
                              MSK_MODEL_TRANSFORMER, pool, error);
  return status;
}

msk_status msk_spare_take_over(const msk_model *model, msk_status status, msk_pool *pool,
                               msk_error *error) {
  msk_spare *spare = model->spare;
  if (status != MSK_ERROR_DEVICE || spare == NULL || !spare->allowed) return status;
  pthread_mutex_lock(&spare->lock);
  if (spare->line[0] == 0)
    snprintf(spare->line, sizeof spare->line, "%s; the CPU goes on",
             error == NULL ? "the GPU failed" : error->message);
  status = load(spare, model, pool, error);
  if (status == MSK_OK) atomic_store(&spare->lost, true);
  pthread_mutex_unlock(&spare->lock);
  return status;
}
