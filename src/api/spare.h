/* SPDX-License-Identifier: Apache-2.0
 *
 * spare.h - the CPU in a GPU's place: a model that was opened with the device "auto" goes on with
 * the CPU once its GPU fails. Any session may find that out, in any thread; all that begin after it
 * are the CPU's. The CPU's networks are loaded then, not before. */
#ifndef MSK_API_SPARE_H
#define MSK_API_SPARE_H

#include <stdatomic.h>
#include <pthread.h>

#include "api/model.h"

struct msk_spare {
  bool allowed; /* else a failure of the GPU is the caller's to deal with */
  msk_precision decoding;
  atomic_bool lost;
  pthread_mutex_t lock; /* of taking over */
  msk_vqgan *tokenizer; /* or NULL, as the next */
  msk_maskgit *transformer;
  char line[600]; /* what is told of it, once it is lost */
};

msk_status msk_spare_create(msk_spare **spare, bool allowed, msk_precision decoding,
                            const msk_allocator *allocator, msk_error *error);
void msk_spare_destroy(msk_spare *spare, const msk_allocator *allocator);
/* The device on which a new session has its networks: the CPU where there is no GPU, or no more. */
const msk_device *msk_model_device(const msk_model *model);
/* The weights for a device that msk_model_device() has given. */
const msk_vqgan *msk_model_tokenizer(const msk_model *model, const msk_device *device);
const msk_maskgit *msk_model_transformer(const msk_model *model, const msk_device *device);
/* To be asked where an operation on the model's GPU gave `status`, with its message in error:
 * MSK_OK if the CPU is there now to go on; else why not, which is `status` itself for other
 * failures and for models that want the GPU alone. */
msk_status msk_spare_take_over(const msk_model *model, msk_status status, msk_pool *pool,
                               msk_error *error);

#endif
