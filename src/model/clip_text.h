/* SPDX-License-Identifier: Apache-2.0
 *
 * clip_text.h - the cleaning that OpenAI's CLIP does before it tokenizes: ftfy's repairs of
 * single characters, HTML references, white space, lower case. ftfy's guesses at wrongly decoded
 * text (mojibake) and its normalisation to NFC are not built: such text stays as it is. */
#ifndef MSK_MODEL_CLIP_TEXT_H
#define MSK_MODEL_CLIP_TEXT_H

#include <stddef.h>

#include "masksketch.h"

enum { MSK_CLIP_MAX_TEXT = 8192 }; /* bytes of a text that is taken */

/* UTF-8 -> the cleaned characters, *count of them; free with msk_free(). MSK_ERROR_ARGUMENT for
 * a text that is too long or ill-formed. */
msk_status msk_clip_clean(uint32_t **characters, size_t *count, const char *text,
                          const msk_allocator *allocator, msk_error *error);
#endif
