/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_text.h - the cleaning that Hugging Face's CLIP tokenizer does before it cuts a text into
 * words: NFC, control characters, white space, lower case (docs/clip.md); and the classes of
 * characters by which words are cut. Unicode's data are utf8proc's. */
#ifndef MSK_MODEL_CLIP_TEXT_H
#define MSK_MODEL_CLIP_TEXT_H

#include <stdbool.h>

#include "masksketch.h"

enum { MSK_CLIP_MAX_TEXT = 8192 }; /* bytes of a text that is taken */

/* UTF-8 -> the cleaned characters, *count of them; free with msk_free(). MSK_ERROR_ARGUMENT for
 * a text that is too long or ill-formed. */
msk_status msk_clip_clean(int32_t **characters, size_t *count, const char *text,
                          const msk_allocator *allocator, msk_error *error);

bool msk_is_letter(int32_t character); /* category L */
bool msk_is_number(int32_t character); /* category N */
bool msk_is_space(int32_t character);  /* category Z, tab, line ends */
#endif
