/* SPDX-License-Identifier: Apache-2.0
 *
 * draw_folder.h - draw over a folder: every drawing in it, or this process's share of them
 * (app/shard.h), one order after the other. Each picture is where it would be without shards, and
 * has the same bytes; what is there already is passed over, so that a killed run goes on. */
#ifndef CLI_DRAW_FOLDER_H
#define CLI_DRAW_FOLDER_H

#include "picture_options.h"

/* Whether draw was given a folder. */
bool draw_is_folder(const cli_line *line);
/* With --class the drawings lie in the folder itself, without in folders named as their classes.
 * `each`: pictures of a drawing; `given`: what --shard was given, or NULL. The rest is as for
 * pictures_make(). */
msk_status draw_folder(drawing *d, const picture_options *options, const picture_job *job,
                       const void *own, int each, const char *given, msk_error *error);
#endif
