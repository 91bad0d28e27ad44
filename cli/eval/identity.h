/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.h - what an evaluation makes, as one JSON object: the SPEC without what only the
 * report needs, and fingerprints of all files that the pictures and scores depend on. Two runs
 * with the same identity make the same pictures. */
#ifndef CLI_EVAL_IDENTITY_H
#define CLI_EVAL_IDENTITY_H

#include "eval/features.h"
#include "eval/spec.h"

/* A new object. `models`: list of the models' hashes and kernel sets. Reads the drawings and the
 * networks' files. */
msk_status eval_identity_make(json_t **identity, const eval_spec *spec, const eval_eyes *eyes,
                              json_t *models, msk_error *error);
#endif
