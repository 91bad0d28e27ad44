/* SPDX-License-Identifier: Apache-2.0
 * command_serve.c - serve: the sketch pad in the browser, and an HTTP interface. */
#include "commands.h"
#include "all_options.h"
#include "shared_options.h"

typedef struct serve_options {
  const char *listen, *api_key, *api_key_file, *allow_host, *allow_origin, *www, *gallery, *clip;
  int port, workers, queue, connections, keep, request_time, body_limit;
  bool open_page, insecure, quiet;
  model_choice model;
} serve_options;

static msk_status action(const cli_line *line, msk_error *error) {
#if MASKSKETCH_SERVE
  const serve_options *own = line->options;
  cli_options options = {.listen = own->listen,
                         .api_key = own->api_key,
                         .api_key_file = own->api_key_file,
                         .allow_host = own->allow_host,
                         .allow_origin = own->allow_origin,
                         .www = own->www,
                         .gallery = own->gallery,
                         .clip = own->clip,
                         .port = own->port,
                         .workers = own->workers,
                         .queue = own->queue,
                         .connections = own->connections,
                         .keep = own->keep,
                         .request_time = own->request_time,
                         .body_limit = own->body_limit,
                         .open_page = own->open_page,
                         .insecure = own->insecure,
                         .quiet = own->quiet};
  cli_take_model(&options, &own->model);
  return action_serve(&options, error);
#else
  (void)line;
  return app_fail(error, MSK_ERROR_UNSUPPORTED,
                  "this program was built without libmicrohttpd, which serve needs: build it with "
                  "-Dserve=enabled");
#endif
}

static const cli_option rows[] = {
    {"listen", 0, "ADDRESS", CLI_A_TEXT(serve_options, listen), .initial = "127.0.0.1",
     .help = "numeric address to listen on, which by itself is this machine alone"},
    {"port", 0, "N", CLI_AN_INT(serve_options, port, 1, 65535), .help = "port",
     .otherwise = "8188, or the next free one up to 8199"},
    {"open", .help = "open the page in the browser", CLI_A_FLAG(serve_options, open_page)},
    {"api-key", 0, "KEY", CLI_A_TEXT(serve_options, api_key), .help = "ask for this key",
     .otherwise = "$MASKSKETCH_API_KEY, else none"},
    {"api-key-file", 0, "FILE", CLI_AN_INPUT(serve_options, api_key_file),
     .help = "ask for the key in this file"},
    {"insecure", .help = "listen beyond this machine without a key",
     CLI_A_FLAG(serve_options, insecure)},
    {"allow-host", 0, "NAME,NAME", CLI_A_TEXT(serve_options, allow_host),
     .help = "names by which the server is reached, beside localhost and numbers"},
    {"allow-origin", 0, "URL,URL", CLI_A_TEXT(serve_options, allow_origin),
     .help = "other sites whose pages may ask (CORS), as in https://example.org"},
    {"workers", 0, "N", CLI_AN_INT(serve_options, workers, 1, 64), .initial = "1",
     .help = "jobs that run at once; they share the threads"},
    {"queue", 0, "N", CLI_AN_INT(serve_options, queue, 1, 10000), .initial = "64",
     .help = "jobs that may wait"},
    {"connections", 0, "N", CLI_AN_INT(serve_options, connections, 4, 10000), .initial = "256",
     .help = "open connections at most"},
    {"keep", 0, "SECONDS", CLI_AN_INT(serve_options, keep, 1, 1000000), .initial = "600",
     .help = "how long finished jobs are kept"},
    {"request-time", 0, "SECONDS", CLI_AN_INT(serve_options, request_time, 1, 3600),
     .initial = "30", .help = "how long a request may take to arrive, and an answer to be fetched"},
    {"body-limit", 0, "MB", CLI_AN_INT(serve_options, body_limit, 1, 256), .initial = "24",
     .help = "size of a request at most"},
    {"gallery", 0, "DIR", CLI_A_FOLDER(serve_options, gallery),
     .help = "also write every finished picture there"},
    {"www", 0, "DIR", CLI_A_FOLDER(serve_options, www),
     .help = "take the page's files from a folder, for working on them"},
    CLI_CLIP_ROW(serve_options, clip),
    CLI_QUIET(serve_options),
    CLI_TABLE(serve_options, model, model_table),
    {.type = CLI_END},
};
static const cli_table table = {NULL, rows};

const cli_usage serve_usage = {.arguments = "[--listen ADDRESS] [--port N] [--open]",
                               .options = &table,
                               .bytes = sizeof(serve_options),
                               .action = action};
