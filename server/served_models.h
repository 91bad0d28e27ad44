/* SPDX-License-Identifier: Apache-2.0
 *
 * served_models.h - the devices that jobs may ask for: the model is opened on each of them when the
 * server starts, and stays there, so that no request makes a driver load or takes memory for
 * weights, and what is wrong with a device is told to whoever starts the server. */
#ifndef SERVER_SERVED_MODELS_H
#define SERVER_SERVED_MODELS_H

#include "problem.h"
#include "server.h"

/* Opens the model as --device says, then on each of --also-device. What was opened before a
 * failure is served_close()'s as well. */
msk_status served_open(server *s, msk_error *error);
void served_close(server *s);
/* The model on a device: NULL, the server's own; "cpu"; "gpu", the first other; or a part of one
 * name. NULL with the problem set where none is meant, or more than one. */
const msk_model *served_find(const server *s, const char *name, problem *p);
/* Their names as they are now, the server's own first: one that was lost is the CPU. */
json_t *served_devices(const server *s);

#endif
