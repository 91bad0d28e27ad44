/* SPDX-License-Identifier: Apache-2.0
 * likeness.c - see likeness.h. */
#include "app/likeness.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "app/report.h"

msk_status likeness_open(clip_likeness *l, const char *folder, const model_choice *choice,
                         const msk_model *model, msk_error *error) {
  clip_likeness made = {.clip = NULL};
  msk_status status = model_path_open_clip(&made.clip, folder, choice, model, error);
  if (status != MSK_OK) return status;
  msk_clip_get_info(made.clip, &made.info);
  const size_t dimensions = (size_t)made.info.dimensions;
  made.text = calloc(3 * dimensions, sizeof *made.text);
  if (made.text == NULL) {
    msk_clip_close(made.clip);
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for embeddings");
  }
  made.sketch = made.text + dimensions;
  made.picture = made.sketch + dimensions;
  app_warn_once(&made.told, msk_clip_warning(made.clip));
  *l = made;
  return MSK_OK;
}

void likeness_close(clip_likeness *l) {
  msk_clip_close(l->clip);
  free(l->text);
  *l = (clip_likeness){.clip = NULL};
}

static msk_status embed_picture(clip_likeness *l, const msk_image *picture, float *embedding,
                                msk_error *error) {
  msk_status status = msk_clip_embed_images(l->clip, picture, 1, embedding, error);
  app_warn_once(&l->told, msk_clip_warning(l->clip));
  return status;
}

msk_status likeness_embed_text(clip_likeness *l, const char *text, float *embedding, int *tokens,
                               msk_error *error) {
  msk_status status = msk_clip_embed_texts(l->clip, &text, 1, embedding, tokens, error);
  app_warn_once(&l->told, msk_clip_warning(l->clip));
  return status;
}

msk_status likeness_set_text(clip_likeness *l, const char *text, int *tokens, msk_error *error) {
  return likeness_embed_text(l, text, l->text, tokens, error);
}

msk_status likeness_set_sketch(clip_likeness *l, const msk_image *sketch, msk_error *error) {
  return embed_picture(l, sketch, l->sketch, error);
}

msk_status likeness_embed(clip_likeness *l, const msk_image *picture, msk_error *error) {
  return embed_picture(l, picture, l->picture, error);
}

/* An embedding that was not set is zeros, and so is its cosine. */
msk_status likeness_look(clip_likeness *l, const msk_image *picture, double *text, double *sketch,
                         msk_error *error) {
  msk_status status = likeness_embed(l, picture, error);
  if (status != MSK_OK) return status;
  *text = msk_clip_cosine(l->picture, l->text, l->info.dimensions);
  *sketch = msk_clip_cosine(l->picture, l->sketch, l->info.dimensions);
  return MSK_OK;
}

/* ---- texts ---- */

static msk_status fill(char *out, const char *text, const char *name, size_t name_bytes,
                       msk_error *error) {
  static const char mark[] = "{class}";
  size_t used = 0;
  if (text == NULL) text = LIKENESS_TEXT;
  while (*text != 0) {
    bool marked = strncmp(text, mark, strlen(mark)) == 0;
    size_t length = marked ? name_bytes : 1;
    if (used + length > MAX_TEXT_BYTES)
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "the text is longer than the %d bytes that are taken", MAX_TEXT_BYTES);
    memcpy(out + used, marked ? name : text, length);
    used += length;
    text += marked ? strlen(mark) : 1;
  }
  out[used] = 0;
  return MSK_OK;
}

msk_status likeness_fill_text(char out[MAX_TEXT_BYTES + 1], const char *text, const char *name,
                              msk_error *error) {
  return fill(out, text, name, name == NULL ? 0 : strlen(name), error);
}

msk_status likeness_class_text(char out[MAX_TEXT_BYTES + 1], const char *text, const char *name,
                               msk_error *error) {
  if (name == NULL) name = "thing";
  return fill(out, text, name, strcspn(name, ","), error);
}
