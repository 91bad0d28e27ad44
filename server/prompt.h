/* SPDX-License-Identifier: Apache-2.0
 *
 * prompt.h - which class a sentence names. Words are compared without case and accents, singular
 * like plural, written in one word or in two; what is no letter parts them. */
#ifndef SERVER_PROMPT_H
#define SERVER_PROMPT_H

#include "problem.h"

enum { LONGEST_PROMPT = 8000 };

/* False with the problem set (its field is "prompt"): no class, or several. */
bool prompt_class(const msk_model *model, const char *prompt, int *class_id, problem *p);
#endif
