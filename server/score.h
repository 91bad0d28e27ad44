/* SPDX-License-Identifier: Apache-2.0
 * score.h - what CLIP says of finished pictures and of drawings; it is opened at the first request
 * for it. */
#ifndef SERVER_SCORE_H
#define SERVER_SCORE_H

#include "server.h"

typedef struct scorer scorer;
/* *scorer stays NULL where none is installed and none was asked for. */
msk_status scorer_create(scorer **made, const server *s, msk_error *error);
void scorer_destroy(scorer *clips);
/* Whether POST /v1/guess is answered: by a CLIP, for a model whose classes are not too many. */
bool scorer_guesses(const server *s);
#endif
