/* SPDX-License-Identifier: Apache-2.0
 *
 * sketch.h - what is found out about a sketch, and the cleaning of a photographed one; the steps
 * of msk_image_prepare(). */
#ifndef MSK_IMAGE_SKETCH_H
#define MSK_IMAGE_SKETCH_H

#include <stdbool.h>

#include "masksketch.h"

/* Whether the sketch is light lines on dark ground. The rule: half of the border and half of the
 * whole picture are darker than mid-grey, and of the thin structures the light ones are the
 * lines and the dark ones the gaps between them (underexposed paper has it the other way round).
 * A sketch without any thin structure goes by its ground alone. Errors: MSK_ERROR_MEMORY. */
msk_status msk_sketch_is_light_on_dark(bool *light_on_dark, const msk_image *sketch,
                                       const msk_allocator *allocator, msk_error *error);

/* The paper's colour: the median of each channel along the border. */
void msk_sketch_paper(uint8_t paper[3], const msk_image *sketch);

/* Turns a photographed drawing, dark on light, into grey lines on white, in place. Light and
 * shadow are divided out, paper grain and specks removed, faint lines made dark. A blank sheet
 * becomes white. Shadows' edges count as lines where they are sharp. Errors: MSK_ERROR_MEMORY. */
msk_status msk_sketch_clean_photo(msk_image *sketch, const msk_allocator *allocator,
                                  msk_error *error);

#endif
