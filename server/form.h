/* SPDX-License-Identifier: Apache-2.0
 *
 * form.h - the fields of a request's body, JSON or multipart, read with one set of functions.
 * Every byte is foreign: what is wrong is told in a problem that names the field. In JSON the
 * types count, and null is as good as missing; in multipart everything is text, and read as what
 * the field is. */
#ifndef SERVER_FORM_H
#define SERVER_FORM_H

#include <jansson.h>

#include "exchange.h"
#include "multipart.h"
#include "pictures.h"
#include "problem.h"

/* FORM_MAX_VALUES: of JSON; sketch_tokens is the longest list that any field takes */
enum {
  FORM_MAX_PARTS = 40,
  FORM_NAME_BYTES = MULTIPART_NAME_BYTES,
  FORM_MAX_VALUES = 10000,
  FORM_SHOWN = 81,
  FORM_LARGE = 1 << 20
};

typedef struct form {
  server *server;
  json_t *values;                       /* JSON: an object; NULL for multipart */
  multipart_part parts[FORM_MAX_PARTS]; /* in the exchange's body */
  int part_count;
  problem *problem; /* of the exchange */
  bool large;       /* it has the turn of large requests, until it is freed */
} form;

/* Reads the exchange's body. An empty body is an empty object where `may_be_empty`. Free it with
 * form_free() in any case. */
bool form_read(form *f, exchange *e, bool may_be_empty);
void form_free(form *f);

bool form_has(const form *f, const char *name);
/* Refuses fields that are not in the list, which ends with NULL; `where` says what the list
 * belongs to. */
bool form_check_names(form *f, const char *const *names, const char *where);

/* Each leaves *out alone where the field is missing, and is false where it is wrong. */
bool form_text(form *f, const char *name, const char **out);
bool form_integer(form *f, const char *name, long long minimum, long long maximum, long long *out);
bool form_number(form *f, const char *name, double minimum, double maximum, double *out);
bool form_boolean(form *f, const char *name, bool *out);
bool form_seed(form *f, const char *name, uint64_t *out);
/* Index of the word in `words`, which ends with NULL. */
bool form_choice(form *f, const char *name, const char *const *words, int *out);
/* An object or array, with a reference for the caller. */
bool form_json(form *f, const char *name, json_type type, json_t **out);
/* Whether the list has `count` whole numbers from 0 to `most`, and these. */
bool form_take_numbers(const json_t *list, json_int_t most, int *numbers, size_t count);
/* A value that may be a number or a text, as text. */
bool form_loose_text(form *f, const char *name, char *out, size_t bytes);
/* The bytes of a file: a part, or base64 in JSON (a data: URI or bare); to free(). */
bool form_file(form *f, const char *name, void **bytes, size_t *count);
/* A picture: bounded in memory; to be used before the form is freed. */
bool form_picture(form *f, const char *name, msk_alpha alpha, msk_image *out);
/* One that is base64 somewhere inside the field. */
bool form_picture_text(form *f, const char *name, const char *text, msk_alpha alpha,
                       msk_image *out);

bool form_missing(form *f, const char *name, const char *expected);
#endif
