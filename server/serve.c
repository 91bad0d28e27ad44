/* SPDX-License-Identifier: Apache-2.0
 *
 * serve.c - see serve.h. The order of things: the socket first (so that a taken port is told at
 * once), then model, sessions and HTTP; on SIGTERM or SIGINT it drains, where it was told to;
 * then jobs stop within a step, who waits gets an answer, and the connections end. */
#include "serve.h"

#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/progress.h"
#include "gallery.h"
#include "http.h"
#include "jobs.h"
#include "lan.h"
#include "listen.h"
#include "masksketch_tools.h"
#include "score.h"
#include "served_models.h"
#include "worker.h"

enum {
  DRAIN_SECONDS = 8,
  KEY_BYTES = 512,
  LEAST_KEY = 16,
  FETCH_SECONDS = 5, /* in which the last picture is fetched */
  LARGE_BLOCK = 1 << 20,
  MOST_ARENAS = 4
};

/* What has to be undone at the end. */
typedef struct running {
  server server;
  listener listener;
  http *http;
  int gallery;
  char key[KEY_BYTES], address[LAN_ADDRESS_BYTES];
  char page[LAN_PAGE_BYTES]; /* what is shown and opened: with --lan the key is in it */
} running;

/* ---- The key ---- */

/* The key from a file, without the line's end: on the command line everyone could read it. */
static msk_status read_key(running *r, const char *path, msk_error *error) {
  void *bytes = NULL;
  size_t count = 0;
  msk_status status = msk_file_read(path, KEY_BYTES - 1, &bytes, &count, NULL, error);
  if (status != MSK_OK) return status;
  memcpy(r->key, bytes, count);
  r->key[count] = 0;
  r->key[strcspn(r->key, "\r\n")] = 0;
  msk_free(NULL, bytes);
  return MSK_OK;
}

static msk_status choose_key(running *r, msk_error *error) {
  server_config *config = &r->server.config;
  const char *given = config->api_key != NULL ? config->api_key : getenv("MASKSKETCH_API_KEY");
  if (config->api_key != NULL && config->api_key_file != NULL)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "both --api-key and --api-key-file were given, expected one of them");
  if (config->api_key_file != NULL) {
    msk_status status = read_key(r, config->api_key_file, error);
    if (status != MSK_OK) return status;
    given = r->key;
  }
  /* an empty variable is none, an empty file a mistake */
  if (given == NULL || (*given == 0 && config->api_key_file == NULL)) return MSK_OK;
  size_t length = strlen(given);
  for (size_t i = 0; i < length; i++) {
    if (given[i] <= ' ' || given[i] > '~')
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "the key has a character that is no printable ASCII, or a space");
  }
  if (length < LEAST_KEY || length >= KEY_BYTES)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "the key has %zu characters, expected %d to %d: openssl rand -hex 24 makes a good one",
        length, LEAST_KEY, KEY_BYTES - 1);
  config->api_key = given;
  return MSK_OK;
}

/* --lan: the address in this network, and a key unless one was given. */
static msk_status prepare_lan(running *r, msk_error *error) {
  server_config *config = &r->server.config;
  if (!config->lan) return MSK_OK;
  if (strcmp(config->listen, "127.0.0.1") != 0)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "both --lan and --listen were given, expected one of them");
  if (config->insecure)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "both --lan and --insecure were given, but --lan comes with a key");
  msk_status status = lan_find_address(r->address, error);
  if (status == MSK_OK && config->api_key == NULL) {
    status = lan_make_key(r->key, error);
    config->api_key = r->key;
  }
  config->listen = r->address;
  return status;
}

/* ---- Starting ---- */

static msk_status check_reach(const running *r, msk_error *error) {
  const server_config *config = &r->server.config;
  if (r->listener.loopback || config->api_key != NULL || config->insecure) return MSK_OK;
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "%s can be reached from other machines, expected a key: --api-key-file FILE, or "
                  "--insecure if everyone there may use it",
                  r->listener.url);
}

static msk_status start(running *r, msk_error *error) {
  server *s = &r->server;
  msk_status status = listen_open(&r->listener, s->config.listen, s->config.port, error);
  if (status == MSK_OK) status = check_reach(r, error);
  if (status == MSK_OK && s->config.gallery != NULL)
    status = gallery_open(s->config.gallery, &r->gallery, error);
  if (status == MSK_OK) status = served_open(s, error);
  if (status != MSK_OK) return status;
  msk_model_get_info(s->model, &s->info);
  if (s->info.name == NULL || s->info.name[0] == 0) s->info.name = "model";
  status = scorer_create(&s->scorer, s, error);
  if (status != MSK_OK) return status;
  s->jobs = jobs_create(s);
  if (s->jobs == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the jobs");
  s->workers = workers_start(s, error);
  if (s->workers == NULL) return error->code;
  r->http = http_start(s, r->listener.socket, error);
  if (r->http == NULL) return error->code;
  r->listener.socket = -1; /* http_stop() closes it */
  return MSK_OK;
}

/* `xdg-open URL` or `open URL`, whichever there is. */
static void open_page(const char *url) {
  extern char **environ;
  static const char *const programs[] = {"xdg-open", "open"};
  for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
    pid_t child;
    char *arguments[] = {(char *)(uintptr_t)programs[i], (char *)(uintptr_t)url, NULL};
    if (posix_spawnp(&child, programs[i], NULL, NULL, arguments, environ) == 0) return;
  }
  fprintf(stderr, "masksketch: no browser could be opened: open %s yourself\n", url);
}

static void stop(running *r) {
  server *s = &r->server;
  atomic_store(&s->stopping, true);
  if (s->jobs != NULL) jobs_stop(s->jobs);
  if (r->http != NULL) http_stop(r->http, DRAIN_SECONDS);
  workers_join(s->workers);
  jobs_destroy(s->jobs);
  scorer_destroy(s->scorer);
  served_close(s);
  if (r->listener.socket >= 0) close(r->listener.socket);
  if (r->gallery >= 0) close(r->gallery);
  pthread_mutex_destroy(&s->small_pictures);
  pthread_mutex_destroy(&s->large_requests);
}

/* ---- Running ---- */

/* SIGTERM and SIGINT are taken by sigtimedwait() here and by no handler; every thread inherits
 * the mask. */
static void watched_signals(sigset_t *set) {
  sigemptyset(set);
  sigaddset(set, SIGTERM);
  sigaddset(set, SIGINT);
}

/* Waits for one of them, half a second at most, and does meanwhile what is to be done now and
 * then. True if one came. */
static bool tick(running *r, const sigset_t *signals) {
  const struct timespec half = {0, 500000000};
  int number = sigtimedwait(signals, NULL, &half);
  http_tick(r->http);
  jobs_expire(r->server.jobs);
  while (waitpid(-1, NULL, WNOHANG) > 0) { /* the browser's starter */
  }
  return number == SIGTERM || number == SIGINT;
}

/* No new jobs; those it has are finished and fetched, for `--drain` seconds at most, or until it
 * is asked a second time. */
static void drain(running *r, const sigset_t *signals) {
  const double end = progress_clock() + r->server.config.drain_seconds;
  atomic_store(&r->server.draining, true);
  while (progress_clock() < end && jobs_idle(r->server.jobs) < FETCH_SECONDS) {
    if (tick(r, signals)) return;
  }
}

static void run(running *r, const sigset_t *signals) {
  while (!tick(r, signals)) {
  }
  drain(r, signals);
}

/* Bodies and pictures are large, and many threads hold them: what one has freed is the system's
 * again at once. glibc would raise its threshold to the largest block that was ever freed, and keep
 * such blocks in an arena for each thread. */
static void return_large_blocks(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
  mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK);
  mallopt(M_ARENA_MAX, MOST_ARENAS);
#endif
}

msk_status server_run(const server_config *config, msk_error *error) {
  return_large_blocks();
  running r = {.server = {.config = *config,
                          .body_bytes = (size_t)config->body_megabytes << 20,
                          .start_time = (double)time(NULL)},
               .listener = {.socket = -1},
               .gallery = -1};
  sigset_t signals, before;
  if (pthread_mutex_init(&r.server.small_pictures, NULL) != 0 ||
      pthread_mutex_init(&r.server.large_requests, NULL) != 0)
    return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the server");
  /* before any thread begins: all inherit the mask, and run() alone takes the signals */
  watched_signals(&signals);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  msk_status status = choose_key(&r, error);
  if (status == MSK_OK) status = prepare_lan(&r, error);
  if (status == MSK_OK) status = start(&r, error);
  if (status == MSK_OK) {
    if (config->lan) {
      lan_page_address(r.page, r.listener.url, r.server.config.api_key);
    } else {
      snprintf(r.page, sizeof r.page, "%s", r.listener.url);
    }
    printf("%s\n", r.page);
    status = app_flush_stdout(error);
  }
  if (status == MSK_OK) {
    if (http_connections(r.http) < r.server.config.connections)
      fprintf(stderr, "masksketch: %d connections at once: more descriptors are not allowed here\n",
              http_connections(r.http));
    if (config->lan && !config->quiet) lan_show(r.page);
    if (!config->quiet) fprintf(stderr, "masksketch: open %s in a browser; Ctrl-C ends\n", r.page);
    if (config->open_page) open_page(r.page);
    run(&r, &signals);
  }
  stop(&r);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return status;
}
