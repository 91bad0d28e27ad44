/* SPDX-License-Identifier: Apache-2.0
 *
 * test_serve_connections.c - connections and the heads of requests: who holds many keeps nobody
 * out, what two readers could read in two ways is refused, and what clients, proxies and health
 * checks really send is answered. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

enum { MANY = 60 }; /* of 16 */

static served server;

static int set_up(void **state) {
  if (serve_set_up(state) != 0) return -1;
  server = SERVE("--quiet", "--connections", "16", "--body-limit", "1", "--allow-origin",
                 "https://a.example", "--allow-host", "sketch.example");
  return 0;
}

static int tear_down(void **state) {
  int code = serve_stop(&server, SIGTERM);
  tear_down_folder(state);
  return code;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* From another address of this machine. */
static int connect_from(const served *s, const char *address) {
  struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET,
                                                           .sin_port = htons((uint16_t)s->port),
                                                           .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
  assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  return fd;
}

static bool send_text(int fd, const char *text) { return client_send(fd, text, strlen(text)); }

static reply raw(const char *request) {
  int fd = client_connect(&server);
  assert_true(fd >= 0 && send_text(fd, request));
  reply r = client_receive(fd);
  close(fd);
  return r;
}

static void expect_served(const served *s) {
  double begun = now();
  for (int i = 0; i < 3; i++) {
    reply r = GET(s, "/v1/models");
    assert_int_equal(r.status, 200);
    reply_free(&r);
  }
  assert_true(now() - begun < 10); /* connections without a word may stay three times as long */
}

/* ---- Many connections ---- */

static void hold(const char *first_words) {
  int held[MANY];
  for (int i = 0; i < MANY; i++) {
    held[i] = client_connect(&server);
    assert_true(held[i] >= 0);
    if (first_words != NULL) send_text(held[i], first_words);
  }
  expect_served(&server);
  for (int i = 0; i < MANY; i++) close(held[i]);
}

static void test_idle_ones_make_room(void **state) {
  (void)state;
  hold(NULL);
  hold("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
}

/* All of one address are at work: the last eighth is for others. */
static void keep_one_address_busy(const served *s) {
  static const char head[] =
      "POST /v1/draw HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: 1000\r\n\r\n{";
  int held[MANY];
  for (int i = 0; i < MANY; i++) {
    held[i] = connect_from(s, "127.0.0.2");
    send_text(held[i], head);
    usleep(2000);
  }
  expect_served(s);
  for (int i = 0; i < MANY; i++) close(held[i]);
}

static void test_one_address(void **state) {
  (void)state;
  keep_one_address_busy(&server);
}

/* A server that listens by IPv6 tells addresses of IPv4 apart as well. */
static void test_one_address_of_two_kinds(void **state) {
  (void)state;
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) skip();
  close(fd);
  served s = SERVE("--quiet", "--connections", "16", "--listen", "::", "--insecure");
  keep_one_address_busy(&s);
  assert_int_equal(serve_stop(&s, SIGTERM), 0);
}

static double processor_seconds(const served *s) {
  char path[64], line[1024];
  unsigned long user = 0, system = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)s->pid);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_non_null(fgets(line, sizeof line, file));
  fclose(file);
  const char *fields = strrchr(line, ')');
  assert_int_equal(
      sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system),
      2);
  return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void test_few_descriptors(void **state) {
  (void)state;
  serve_descriptor_limit = 64;
  served s = SERVE("--quiet");
  serve_descriptor_limit = 0;
  int held[120];
  for (int i = 0; i < 120; i++) held[i] = client_connect(&s);
  usleep(200000);
  double begun = processor_seconds(&s);
  usleep(1500000);
  assert_true(processor_seconds(&s) - begun < 0.1); /* a core that burns takes ten times that */
  reply r = GET(&s, "/healthz");
  assert_int_equal(r.status, 200);
  reply_free(&r);
  for (int i = 0; i < 120; i++) close(held[i]);
  assert_int_equal(serve_stop(&s, SIGTERM), 0);
}

/* ---- Heads ---- */

static void test_ambiguous_requests(void **state) {
  (void)state;
  static const char *const heads[] = {
      "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n",
      "POST /v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\n{}",
      "POST /v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
      "identity\r\n\r\n0\r\n\r\n",
      "POST /v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "POST /v1/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: +2\r\n\r\n{}"};
  static const char smuggled[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
    char request[1024];
    snprintf(request, sizeof request, "%s%s", heads[i], smuggled);
    reply r = raw(request); /* ends with the connection: what follows is not looked at */
    if (r.status != 400) fail_msg("%s: status %d", heads[i], r.status);
    assert_null(strstr(r.body, "\"ok\""));
    reply_free(&r);
  }
}

static void test_other_request_lines(void **state) {
  (void)state;
  static const struct {
    const char *request;
    int status;
  } cases[] = {
      {"GET //v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200},
      {"GET ///healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200},
      {"GET http://localhost:1/v1/models HTTP/1.1\r\nHost: localhost:1\r\nConnection: "
       "close\r\n\r\n",
       200},
      {"GET http://localhost HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200},
      /* the address counts, not the header */
      {"GET http://evil.example/v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: "
       "close\r\n\r\n",
       403},
      {"GET http://sketch.example/v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: "
       "close\r\n\r\n",
       200},
      {"GET /v1/models HTTP/1.0\r\n\r\n", 200},
      {"GET /v1/models HTTP/1.0\r\nHost: evil.example\r\n\r\n", 403},
      {"GET /healthz HTTP/1.0\r\n\r\n", 200},
      {"GET /healthz HTTP/1.1\r\nHost: container-7:8188\r\nConnection: close\r\n\r\n", 200},
      {"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400}, /* as HTTP demands */
      {"HEAD /healthz HTTP/1.0\r\n\r\n", 200},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    reply r = raw(cases[i].request);
    if (r.status != cases[i].status) fail_msg("%s: status %d", cases[i].request, r.status);
    reply_free(&r);
  }
}

static void test_long_cookies(void **state) {
  (void)state;
  static char headers[17000];
  strcpy(headers, "Cookie: a=");
  memset(headers + strlen(headers), 'x', 16 << 10);
  strcat(headers, "\r\n");
  char *request = malloc(sizeof headers + 200);
  snprintf(request, sizeof headers + 200,
           "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n\r\n", headers);
  reply r = raw(request);
  assert_int_equal(r.status, 200);
  reply_free(&r);
  free(request);
}

static void test_preflight(void **state) {
  (void)state;
  static const char wanted[] =
      "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-os,"
      "x-stainless-package-version,x-stainless-retry-count,x-stainless-runtime,"
      "x-stainless-runtime-version,x-stainless-timeout";
  char headers[1024];
  snprintf(headers, sizeof headers,
           "Origin: https://a.example\r\nAccess-Control-Request-Method: "
           "POST\r\nAccess-Control-Request-Headers: %s\r\n",
           wanted);
  reply r = ask(&server, "OPTIONS", "/v1/images/generations", headers, NULL);
  assert_int_equal(r.status, 204);
  assert_string_equal(reply_header(&r, "Access-Control-Allow-Headers"), wanted);
  reply_free(&r);
}

/* ---- Bodies ---- */

/* A client that sends all of a body that is too large, and only then listens. */
static void test_too_large_is_told(void **state) {
  (void)state;
  size_t count = 5 << 20;
  char *large = malloc(count);
  memset(large, ' ', count);
  EXPECT_PROBLEM(ask_bytes(&server, "POST", "/v1/draw", NULL, "application/json", large, count),
                 413, "5242880 bytes, expected at most 1048576");
  free(large);
}

/* `printf ... | nc -N`: it sends no more, and waits. */
static void test_half_closed(void **state) {
  (void)state;
  static const char body[] = "{\"prompt\":\"a teapot\"}";
  char request[512];
  snprintf(request, sizeof request,
           "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
           "application/json\r\nContent-Length: %zu\r\n\r\n%s",
           sizeof body - 1, body);
  int fd = client_connect(&server);
  assert_true(send_text(fd, request));
  shutdown(fd, SHUT_WR);
  reply r = client_receive(fd);
  assert_int_equal(r.status, 200);
  assert_non_null(strstr(r.body, "b64_json"));
  reply_free(&r);
  close(fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_idle_ones_make_room),
      cmocka_unit_test(test_one_address),
      cmocka_unit_test(test_one_address_of_two_kinds),
      cmocka_unit_test(test_few_descriptors),
      cmocka_unit_test(test_ambiguous_requests),
      cmocka_unit_test(test_other_request_lines),
      cmocka_unit_test(test_long_cookies),
      cmocka_unit_test(test_preflight),
      cmocka_unit_test(test_too_large_is_told),
      cmocka_unit_test(test_half_closed),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
