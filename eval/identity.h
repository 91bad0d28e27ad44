/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.h - what an evaluation makes, as one JSON object: the SPEC without what only the report
 * needs, and fingerprints of all files that the pictures and scores depend on. Two runs with the
 * same identity make the same pictures, wherever they run. Fingerprints (FNV-1a, 64 bits) tell a
 * changed file from an unchanged one; they are no protection against somebody who means to
 * deceive, who could as well write the records. */
#ifndef EVAL_IDENTITY_H
#define EVAL_IDENTITY_H

#include "eval/scorer.h"

/* Writes FOLDER/identity.json, or holds what is there against this evaluation: another is refused,
 * and the first difference named. `holds_files`: something else lies in the folder. *models: list
 * of the models' hashes and kernel sets; NULL: is set to the one in the file, for those who draw
 * nothing, and opened no model. */
msk_status eval_identity_hold(const char *folder, bool holds_files, const eval_spec *spec,
                              const eval_eyes *eyes, json_t **models, msk_error *error);
#endif
