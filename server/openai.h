/* SPDX-License-Identifier: Apache-2.0
 *
 * openai.h - answers in the shape of OpenAI's images API: pictures in the size and format that
 * were asked for, at once, by address, or as a stream of events. */
#ifndef SERVER_OPENAI_H
#define SERVER_OPENAI_H

#include "exchange.h"
#include "jobs.h"

enum { OPENAI_PARTIALS = 3 };

/* How the pictures of a job are wanted. */
typedef struct openai_wishes {
  int width, height;
  msk_format format; /* PNG, JPEG, WebP */
  int quality;       /* 0: as the library has it */
  bool url, stream, edit;
  int partials;   /* pictures on the way, in a stream */
  char note[200]; /* what differs from what was asked for; may be empty */
} openai_wishes;

/* Index of a word: png, jpeg, webp, NULL; and the formats in that order. */
extern const char *const openai_formats[];
msk_format openai_format(int index);
const char *openai_format_word(msk_format format);

/* "auto" or "WIDTHxHEIGHT" for pictures of `side` pixels; false if it is neither. What is larger
 * than is made becomes the nearest that is, and is noted. */
bool openai_read_size(openai_wishes *w, const char *text, int side);

/* The finished job's pictures, `count` of them; NULL without memory. */
json_t *openai_answer(const exchange *e, const openai_wishes *w, const job *j, int count);
/* A picture in another size or format, to msk_free(). */
msk_status openai_convert(const openai_wishes *w, const job_image *image, int side, void **bytes,
                          size_t *count, msk_error *error);
/* Streams a submitted job; takes over the reference. Who leaves cancels it. */
enum MHD_Result openai_stream(exchange *e, const openai_wishes *w, job *j);
#endif
