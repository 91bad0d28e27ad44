/* SPDX-License-Identifier: Apache-2.0
 * serve.h - the server's one entry: from its configuration to the last answer. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "app/model_path.h"

/* Texts must outlive server_run(). */
typedef struct server_config {
  model_choice model;      /* its threads are shared by the workers */
  const char *also_device; /* comma-separated, or NULL: more of them, for jobs that ask for one */
  const char *listen, *www, *gallery, *clip;
  const char *api_key, *api_key_file;    /* at most one; both NULL: $MASKSKETCH_API_KEY, or none */
  const char *allow_host, *allow_origin; /* comma-separated, or NULL */
  int port;                              /* 0: 8188 or the next free one */
  bool lan; /* listens on the address in this network, with a key made up where none is given */
  bool insecure, open_page, quiet;
  bool a1111; /* AUTOMATIC1111's interface too */
  int workers, queue, connections;
  int keep_seconds;    /* how long a finished job is kept */
  int drain_seconds;   /* how long jobs may go on after SIGTERM */
  int request_seconds; /* how long a request may take to arrive, and an answer to leave */
  int body_megabytes;  /* a request's size at most */
} server_config;

/* Serves until SIGTERM or SIGINT. The page's address goes to standard output. */
msk_status server_run(const server_config *config, msk_error *error);
#endif
