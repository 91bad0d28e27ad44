/* SPDX-License-Identifier: Apache-2.0
 *
 * a1111.h - what AUTOMATIC1111's interface says of pictures: the lines of text that its programs
 * keep beside a picture, the values in them, and the answer with pictures. All of it is told from
 * the text in the PNG, so that png-info says the same of a picture as the answer that it came
 * in. */
#ifndef SERVER_A1111_H
#define SERVER_A1111_H

#include "exchange.h"
#include "jobs.h"

/* A model as they name it: its name with the hash's beginning behind it. */
json_t *a1111_model_title(const server *s);
/* The values that a PNG's text (metadata.h) tells, each as a text: "Prompt", which is the class,
 * "Negative prompt", which is empty, "Steps" and so on; NULL where the text is none of ours. */
json_t *a1111_parameters(const char *text, int width, int height);
/* The same as lines: prompt, negative prompt unless it is empty, the rest. */
json_t *a1111_lines(const json_t *parameters);

/* The answer to a request: the pictures that there are, and what is told of them. `request`: its
 * fields, without pictures. */
json_t *a1111_answer(const exchange *e, const job *j, int count, json_t *request);
#endif
