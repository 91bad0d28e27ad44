/* SPDX-License-Identifier: Apache-2.0
 *
 * pictures.h - foreign pictures, in requests and inside other pictures' texts: decoded under a
 * bound of memory, and one at a time. Small ones go their own way, so that nobody's large one
 * keeps them waiting; whoever has a large one, or a large body, is alone with it until its form
 * is read, so what is held is bounded as well. */
#ifndef SERVER_PICTURES_H
#define SERVER_PICTURES_H

#include "problem.h"
#include "server.h"

/* Memory for what is decoded: refused beyond `left`. Each block carries its size in front. */
typedef struct purse {
  msk_allocator allocator;
  size_t left;
  bool spent; /* something was refused */
} purse;
/* The purse must stay where it is as long as anything from it is held. */
void purse_open(purse *p, size_t bytes);
/* enough for what is no larger than the model's pictures */
size_t purse_for_own(const server *s);

/* Waits for the turn of a large request; false, with nothing held, where the server stops. */
bool pictures_begin_large(server *s, problem *p);
void pictures_end_large(server *s);
/* Decodes into `out`, which is the caller's. *large: pictures_begin_large() has been called, by
 * the caller or here; then pictures_end_large() is the caller's to call once `out` is used. */
bool pictures_decode(server *s, bool *large, const char *name, const void *bytes, size_t count,
                     msk_alpha alpha, msk_image *out, problem *p);
#endif
