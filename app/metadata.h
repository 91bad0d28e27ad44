/* SPDX-License-Identifier: Apache-2.0
 *
 * metadata.h - the request inside a PNG: JSON in the text chunk "masksketch" (docs/commands.md
 * lists its fields). All that the picture depends on is in it, the sketch as its tokens (a few
 * kilobytes), photo, mask and lambda map as lossless WebP, so that `replay` needs the PNG and
 * the model alone. What is read back is foreign, and checked field by field. */
#ifndef APP_METADATA_H
#define APP_METADATA_H

#include <jansson.h>

#include "app/model_path.h"
#include "app/run.h"

/* Every key that acts in the job, with its value as text. */
json_t *metadata_settings(const msk_recipe *recipe, msk_job job);
/* As `adapters`, those of the model; nothing where it has none. */
void metadata_add_adapters(json_t *object, const msk_model *model);
/* Text for a picture of the order, to msk_free(NULL, ...). */
msk_status metadata_write(char **text, const order *o, const order_picture *p, msk_error *error);
/* The text of a PNG file, to msk_free(NULL, ...). MSK_ERROR_FILE if there is none. */
msk_status metadata_load(char **text, const char *path, msk_error *error);
/* How the picture was computed, where `choice` leaves it open: the kernel set of then, if this
 * machine has it, and the precisions; fp32 where the text does not tell. */
msk_status metadata_choose(model_choice *choice, const char *text, msk_error *error);
/* Warns where the picture of the text was made by other kernels than the model runs on: its
 * pixels may differ then. */
msk_status metadata_compare(const msk_model *model, const char *text, msk_error *error);
/* The adapters that the text of a picture names, with their weights: in the picture's folder, or
 * in the working directory. MSK_ERROR_FILE if one is in neither. */
typedef struct adapter_texts {
  char at[MSK_MAX_ADAPTERS][MAX_PATH_BYTES + 32];
} adapter_texts;
msk_status metadata_find_adapters(adapter_list *list, adapter_texts *texts, const char *text,
                                  const char *picture, msk_error *error);
/* The order that a text remembers. `model` is held against the text: where that was written by
 * other weights, error->field is "model". `path` stands in messages.
 * Pictures of at most the model's size are taken; their memory is the allocator's (NULL: the C
 * heap). order_free() it in any case. */
msk_status metadata_read(order *o, const msk_model *model, const char *text, const char *path,
                         const msk_allocator *allocator, msk_error *error);
#endif
