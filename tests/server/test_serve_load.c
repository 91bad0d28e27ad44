/* SPDX-License-Identifier: Apache-2.0
 *
 * test_serve_load.c - many clients at once, good and bad ones, over the loopback: each good one
 * gets its own picture (the bytes of the command line), memory stays bounded, no descriptor is
 * left. And a hundred kills while the gallery is written. */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

enum { CLIENTS = 200, PIECE = 7, KILLS = 100, MEMORY_MB = 400 };

typedef enum manner { PLAIN, SLOW, LEAVING, RUBBISH } manner;

typedef struct client {
  pthread_t thread;
  const served *server;
  int number;
  manner manner;
  int tries, refused; /* 429 */
  int failure;        /* line of what went wrong, 0: nothing */
  uint8_t *wanted;
  size_t wanted_bytes;
} client;

/* Threads may not assert: they note the line. */
#define WANT(condition)                                \
  do {                                                 \
    if (!(condition)) return c->failure = __LINE__, 0; \
  } while (0)

static bool send_slowly(int fd, const char *bytes, size_t count) {
  for (size_t at = 0; at < count; at += PIECE) {
    if (!client_send(fd, bytes + at, count - at < PIECE ? count - at : PIECE)) return false;
    usleep(5000);
  }
  return true;
}

static reply request(const client *c, const char *method, const char *path, const char *json) {
  char text[1024];
  int length = snprintf(text, sizeof text,
                        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method, path);
  if (json != NULL)
    length += snprintf(text + length, sizeof text - (size_t)length,
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(json));
  length +=
      snprintf(text + length, sizeof text - (size_t)length, "\r\n%s", json == NULL ? "" : json);
  int fd = client_connect(c->server);
  if (fd < 0) return (reply){0};
  bool sent = c->manner == SLOW ? send_slowly(fd, text, (size_t)length)
                                : client_send(fd, text, (size_t)length);
  if (c->manner == SLOW) usleep(200000);
  reply r = sent ? client_receive(fd) : (reply){0};
  close(fd);
  return r;
}

/* Asks until there is room; *url is the job's. */
static int submit(client *c, char *url, size_t bytes) {
  char body[160];
  snprintf(body, sizeof body,
           "{\"class\":3,\"steps\":2,\"seed\":1,\"first_item\":%d,\"preview\":{\"every_ms\":0}}",
           c->number);
  for (c->tries = 1;; c->tries++) {
    reply r = request(c, "POST", "/v1/generate", body);
    int status = r.status;
    if (status == 202) snprintf(url, bytes, "%s", reply_header(&r, "Location"));
    int seconds = atoi(reply_header(&r, "Retry-After"));
    bool patient = status == 429 && seconds >= 1;
    reply_free(&r);
    if (status == 202) return 1;
    WANT(patient && c->tries < 2000);
    c->refused++;
    usleep((useconds_t)seconds * 1000000);
  }
}

/* A picture from asking to fetching. */
static int whole_way(client *c) {
  char url[128] = "", path[200];
  if (!submit(c, url, sizeof url)) return 0;
  snprintf(path, sizeof path, "%s/events", url);
  reply r = request(c, "GET", path, NULL);
  bool done = r.status == 200 && strstr(r.body, "event: done") != NULL;
  reply_free(&r);
  WANT(done);
  snprintf(path, sizeof path, "%s/images/0", url);
  r = request(c, "GET", path, NULL);
  bool same =
      r.status == 200 && r.bytes == c->wanted_bytes && memcmp(r.body, c->wanted, r.bytes) == 0;
  reply_free(&r);
  WANT(same);
  return 1;
}

/* Goes away in the middle of sending, of the events, or of waiting for OpenAI's answer. */
static int leave(client *c) {
  static const char *const texts[] = {
      "POST /v1/draw HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: 100000\r\n\r\n{\"class\":3,",
      "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: "
      "19\r\n\r\n{\"prompt\":\"teapot\"}"};
  char url[128] = "", text[256];
  if (c->number % 3 == 2) {
    if (!submit(c, url, sizeof url)) return 0;
    snprintf(text, sizeof text, "GET %s/events HTTP/1.1\r\nHost: localhost\r\n\r\n", url);
  } else {
    snprintf(text, sizeof text, "%s", texts[c->number % 3]);
  }
  int fd = client_connect(c->server);
  WANT(fd >= 0);
  client_send(fd, text, strlen(text));
  if (c->number % 3 == 2) recv(fd, text, sizeof text, 0);
  usleep(20000);
  /* a reset */
  if (c->number % 2 == 0)
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
  close(fd);
  return 1;
}

/* Bytes that are no HTTP, no JSON, no picture; whatever the answer is, there is one or the
 * connection ends. */
static int rubbish(client *c) {
  static const char *const texts[] = {
      "\x16\x03\x01\x02\x01\x01\x01", "GET / HTTP/9.9\r\n\r\n",
      "POST /v1/draw HTTP/1.1\r\n\r\n\r\n",
      "GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      "POST /v1/draw HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\nConnection: "
      "close\r\n\r\n"};
  uint64_t state = (uint64_t)c->number;
  char bytes[3000];
  int fd = client_connect(c->server);
  WANT(fd >= 0);
  const char *text = texts[c->number % 5];
  client_send(fd, text, strlen(text));
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)test_random(&state);
  client_send(fd, bytes, sizeof bytes);
  shutdown(fd, SHUT_WR);
  reply r = client_receive(fd);
  WANT(r.status == 0 || (r.status >= 400 && r.status < 600));
  reply_free(&r);
  close(fd);
  reply problem = request(c, "POST", "/v1/generate", "{\"class\":3,\"steps\":\xff}");
  WANT(problem.status == 400);
  reply_free(&problem);
  return 1;
}

static void *client_main(void *user) {
  client *c = user;
  if (c->manner == LEAVING) {
    leave(c);
  } else if (c->manner == RUBBISH) {
    rubbish(c);
  } else {
    whole_way(c);
  }
  return NULL;
}

static double metric(const served *s, const char *name) {
  reply r = GET(s, "/metrics");
  const char *at = r.body == NULL ? NULL : strstr(r.body, name);
  double value = at == NULL ? -1 : strtod(at + strlen(name), NULL);
  reply_free(&r);
  return value;
}

/* Waits until every job and connection (this one aside) has ended. */
static void settle(const served *s) {
  for (int i = 0; i < 1200; i++) {
    if (metric(s, "\nmasksketch_connections ") <= 1 &&
        metric(s, "\nmasksketch_jobs_running ") == 0 && metric(s, "\nmasksketch_jobs_queued ") == 0)
      return;
    usleep(100000);
  }
  fail_msg("connections or jobs are left: %g, %g, %g", metric(s, "\nmasksketch_connections "),
           metric(s, "\nmasksketch_jobs_running "), metric(s, "\nmasksketch_jobs_queued "));
}

/* The least within a second: a connection that has ended keeps its descriptor for a moment. */
static int settled_descriptors(const served *s) {
  int least = serve_descriptors(s);
  for (int i = 0; i < 20; i++) {
    usleep(50000);
    int now = serve_descriptors(s);
    if (now < least) least = now;
  }
  return least;
}

static void test_two_hundred_clients(void **state) {
  (void)state;
  static client clients[CLIENTS];
  char count[16];
  snprintf(count, sizeof count, "%d", CLIENTS);
  EXPECT(0, "generate", "--class", "3", "--seed", "1", "--steps", "2", "--count", count,
         "--threads", "1", "-o", in_folder("load.png"), "--quiet");
  served s = SERVE("--quiet", "--workers", "2");
  settle(&s);
  int descriptors = settled_descriptors(&s);
  for (int i = 0; i < CLIENTS; i++) {
    clients[i] = (client){.server = &s,
                          .number = i,
                          .manner = i % 4 == 1    ? SLOW
                                    : i % 4 == 2  ? LEAVING
                                    : i % 16 == 3 ? RUBBISH
                                                  : PLAIN};
    clients[i].wanted = test_read_file(in_folder("load-%d.png", i + 1), &clients[i].wanted_bytes);
  }
  for (int i = 0; i < CLIENTS; i++)
    assert_int_equal(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]), 0);
  int refused = 0, failed = 0;
  for (int i = 0; i < CLIENTS; i++) {
    pthread_join(clients[i].thread, NULL);
    refused += clients[i].refused;
    if (clients[i].failure != 0)
      print_error("client %d, manner %d: line %d\n", i, (int)clients[i].manner, clients[i].failure);
    failed += clients[i].failure != 0;
    free(clients[i].wanted);
  }
  settle(&s);
  assert_int_equal(failed, 0);
  double accepted = metric(&s, "\nmasksketch_jobs_total{outcome=\"accepted\"} "),
         done = metric(&s, "\nmasksketch_jobs_total{outcome=\"done\"} "),
         cancelled = metric(&s, "\nmasksketch_jobs_total{outcome=\"cancelled\"} ");
  assert_true(accepted > 0 && accepted == done + cancelled);
  assert_true(metric(&s, "\nmasksketch_jobs_total{outcome=\"failed\"} ") == 0);
  assert_true(metric(&s, "\nmasksketch_body_bytes ") == 0);
  print_message("%g jobs, %g done, %g cancelled, %d times sent away; peak %ld MB\n", accepted, done,
                cancelled, refused, serve_kilobytes(&s) / 1024);
  assert_int_equal(settled_descriptors(&s), descriptors);
  const char *sanitizer = getenv("MSK_TEST_SANITIZER"); /* these have memory of their own */
  if (sanitizer == NULL || *sanitizer == 0) assert_true(serve_kilobytes(&s) / 1024 < MEMORY_MB);
  assert_int_equal(serve_stop(&s, SIGTERM), 0);
}

/* ---- Kills ---- */

/* Every file but the hidden ones is a whole picture: the bytes of the command line. */
static int check_gallery(const char *folder, uint8_t **wanted, const size_t *bytes, int count) {
  DIR *directory = opendir(folder);
  assert_non_null(directory);
  int files = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    int item = -1;
    const char *mark = strstr(entry->d_name, "-house-6-");
    assert_non_null(mark);
    assert_int_equal(sscanf(mark, "-house-6-%d-", &item), 1);
    assert_true(item >= 0 && item < count);
    char path[4400];
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    uint8_t *file = test_read_file(path, &size);
    assert_int_equal(size, bytes[item]);
    assert_memory_equal(file, wanted[item], size);
    free(file);
    unlink(path);
    files++;
  }
  closedir(directory);
  return files;
}

static void test_kills_while_the_gallery_is_written(void **state) {
  (void)state;
  enum { ITEMS = 16 };
  uint8_t *wanted[ITEMS];
  size_t bytes[ITEMS];
  char folder[4096];
  uint64_t chance = 1;
  int files = 0;
  EXPECT(0, "generate", "--class", "3", "--seed", "6", "--steps", "1", "--count", "16", "-o",
         in_folder("k.png"), "--quiet");
  for (int i = 0; i < ITEMS; i++)
    wanted[i] = test_read_file(in_folder("k-%d.png", i + 1), &bytes[i]);
  snprintf(folder, sizeof folder, "%s", in_folder("kills"));
  assert_int_equal(mkdir(folder, 0755), 0);
  for (int i = 0; i < KILLS; i++) {
    served s = SERVE("--quiet", "--gallery", folder);
    for (int k = 0; k < 3; k++) {
      reply r = POST(&s, "/v1/generate",
                     "{\"class\":3,\"steps\":1,\"count\":16,\"seed\":6,\"preview\":false}");
      assert_int_equal(r.status, 202);
      reply_free(&r);
    }
    /* it has begun to write */
    for (int k = 0; k < 1000 && count_files(folder, "") == 0; k++) usleep(2000);
    usleep((useconds_t)(test_uniform(&chance, 0, 1) * 50000));
    assert_int_equal(serve_stop(&s, SIGKILL), -SIGKILL);
    files += check_gallery(folder, wanted, bytes, ITEMS);
  }
  served s = SERVE("--quiet", "--gallery", folder);
  assert_int_equal(count_files(folder, ""), 0); /* nothing is left of all that */
  assert_int_equal(serve_stop(&s, SIGTERM), 0);
  print_message("%d kills, %d pictures, all whole\n", KILLS, files);
  assert_true(files > 0);
  for (int i = 0; i < ITEMS; i++) free(wanted[i]);
}

int main(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_two_hundred_clients),
      cmocka_unit_test(test_kills_while_the_gallery_is_written),
  };
  return cmocka_run_group_tests(tests, serve_set_up, tear_down_folder);
}
