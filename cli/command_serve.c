/* SPDX-License-Identifier: Apache-2.0
 * command_serve.c - serve: the sketch pad in the browser, and an HTTP interface. */
#include "commands.h"
#include "server/serve.h"
#include "shared_options.h"

static msk_status action(const cli_line *line, msk_error *error) {
#if MASKSKETCH_SERVE
  return server_run(line->options, error);
#else
  (void)line;
  return app_fail(error, MSK_ERROR_UNSUPPORTED,
                  "this program was built without libmicrohttpd, which serve needs: build it with "
                  "-Dserve=enabled");
#endif
}

static const cli_option rows[] = {
    {"listen", 0, "ADDRESS", CLI_A_TEXT(server_config, listen), .initial = "127.0.0.1",
     .help = "numeric address to listen on, which by itself is this machine alone"},
    {"port", 0, "N", CLI_AN_INT(server_config, port, 1, 65535), .help = "port",
     .otherwise = "8188, or the next free one up to 8199"},
    {"lan", .help = "listen in this network, with a key, and show the address as a QR code",
     CLI_A_FLAG(server_config, lan)},
    {"open", .help = "open the page in the browser", CLI_A_FLAG(server_config, open_page)},
    {"api-key", 0, "KEY", CLI_A_TEXT(server_config, api_key), .help = "ask for this key",
     .otherwise = "$MASKSKETCH_API_KEY, else none"},
    {"api-key-file", 0, "FILE", CLI_AN_INPUT(server_config, api_key_file),
     .help = "ask for the key in this file"},
    {"insecure", .help = "listen beyond this machine without a key",
     CLI_A_FLAG(server_config, insecure)},
    {"allow-host", 0, "NAME,NAME", CLI_A_TEXT(server_config, allow_host),
     .help = "names by which the server is reached, beside localhost and numbers"},
    {"allow-origin", 0, "URL,URL", CLI_A_TEXT(server_config, allow_origin),
     .help = "other sites whose pages may ask (CORS), as in https://example.org"},
    {"a1111", .help = "also answer as AUTOMATIC1111's interface does (/sdapi/v1/)",
     CLI_A_FLAG(server_config, a1111)},
    {"workers", 0, "N", CLI_AN_INT(server_config, workers, 1, 64), .initial = "1",
     .help = "jobs that run at once; they share the threads"},
    {"queue", 0, "N", CLI_AN_INT(server_config, queue, 1, 10000), .initial = "64",
     .help = "jobs that may wait"},
    {"connections", 0, "N", CLI_AN_INT(server_config, connections, 4, 10000), .initial = "256",
     .help = "open connections at most"},
    {"keep", 0, "SECONDS", CLI_AN_INT(server_config, keep_seconds, 1, 1000000), .initial = "600",
     .help = "how long finished jobs are kept"},
    {"drain", 0, "SECONDS", CLI_AN_INT(server_config, drain_seconds, 0, 86400), .initial = "0",
     .help = "on SIGTERM: take no new jobs, and finish those there are for so long at most"},
    {"request-time", 0, "SECONDS", CLI_AN_INT(server_config, request_seconds, 1, 3600),
     .initial = "30", .help = "how long a request may take to arrive, and an answer to be fetched"},
    {"body-limit", 0, "MB", CLI_AN_INT(server_config, body_megabytes, 1, 256), .initial = "24",
     .help = "size of a request at most"},
    {"gallery", 0, "DIR", CLI_A_FOLDER(server_config, gallery),
     .help = "also write every finished picture there; made if it is missing"},
    {"www", 0, "DIR", CLI_A_FOLDER(server_config, www),
     .help = "take the page's files from a folder, for working on them"},
    {"also-device", 0, "NAME,NAME", CLI_A_TEXT(server_config, also_device),
     .help = "have the model there as well, beside --device, for jobs that ask for it "
             "(docs/gpu.md)"},
    CLI_CLIP_ROW(server_config, clip),
    CLI_ADAPTER_ROW(server_config, model.adapters),
    CLI_QUIET(server_config),
    CLI_TABLE(server_config, model, model_table),
    {.type = CLI_END},
};

const cli_usage serve_usage = {
    "[--listen ADDRESS] [--port N] [--open]", 0, 0, rows, sizeof(server_config), .action = action};
