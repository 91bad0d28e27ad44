/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h - a server of the built program, and an HTTP client of its own for it: sockets and
 * nothing else, so that it can also do what no library would. Test code only. */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "../cli/cli_run.h"

typedef struct served {
  pid_t pid;
  int port;
  char log[256]; /* file with its standard error */
} served;

/* Group fixture: set_up_models(), and MASKSKETCH_MODEL is the tiny network with class names. */
int serve_set_up(void **state);

/* Starts `masksketch serve` with the tiny golden model on a free port and these options, and
 * waits for its address. */
served serve_start(const char *const *options);
/* Descriptors that the next servers may have; 0: as many as this program. */
extern int serve_descriptor_limit;
#define SERVE(...) serve_start((const char *const[]){__VA_ARGS__, NULL})
/* Sends the signal (0: none) and waits; returns the exit code, or -signal. */
int serve_stop(served *s, int signal_number);
/* Descriptors and resident kilobytes of the process. */
int serve_descriptors(const served *s);
long serve_kilobytes(const served *s);

typedef struct reply {
  int status; /* 0: the connection ended without an answer */
  char *head; /* status line and headers */
  char *body; /* terminated; chunks joined */
  size_t bytes;
} reply;

int client_connect(const served *s);
/* Writes all; false if the other side does not take it. */
bool client_send(int socket, const void *bytes, size_t count);
/* Reads to the end of the connection. */
reply client_receive(int socket);
/* One exchange. `headers`: whole lines, each with CRLF, or NULL; `type` NULL: no body. */
reply ask_bytes(const served *s, const char *method, const char *path, const char *headers,
                const char *type, const void *body, size_t count);
reply ask(const served *s, const char *method, const char *path, const char *headers,
          const char *json);
#define GET(s, path) ask((s), "GET", (path), NULL, NULL)
#define POST(s, path, json) ask((s), "POST", (path), NULL, (json))
void reply_free(reply *r);
/* Value of a header in a buffer that the next 8 calls leave alone; "" if missing. */
const char *reply_header(const reply *r, const char *name);
json_t *reply_json(reply *r); /* frees the reply */

/* The answer is this status and a problem document whose detail has these words; frees it. */
void expect_problem(reply r, int status, const char *word, const char *file, int line);
#define EXPECT_PROBLEM(reply, status, word) \
  expect_problem((reply), (status), (word), __FILE__, __LINE__)
/* Sends a job, and waits for the end of it; the job object. */
json_t *run_job(const served *s, const char *path, const char *json);
/* A JSON text with %s for the base64 of a file; to free(). */
char *with_file(const char *format, const char *path);
const char *text_of(const json_t *object, const char *key);
#endif
