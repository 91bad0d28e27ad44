/* SPDX-License-Identifier: Apache-2.0
 *
 * test_serve_guards.c - what `masksketch serve` refuses, and how: each guard of docs/serving.md,
 * errors as problem documents, bounds, ends. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

static served server; /* with the defaults, a queue of two, and short times */

static int set_up(void **state) {
  if (serve_set_up(state) != 0) return -1;
  server =
      SERVE("--quiet", "--queue", "2", "--request-time", "1", "--body-limit", "1", "--keep", "1");
  return 0;
}

static int tear_down(void **state) {
  int code = serve_stop(&server, SIGTERM);
  tear_down_folder(state);
  return code;
}

/* ---- Who asks ---- */

static void test_host(void **state) {
  (void)state;
  static const char *const good[] = {"localhost", "localhost:1234", "LOCALHOST",
                                     "127.0.0.1", "[::1]:99",       "192.168.1.10:8188"};
  static const char *const bad[] = {
      "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "local host", "[::1",
      "localhost:8x"};
  char header[128];
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    snprintf(header, sizeof header, "Host: %s\r\n", good[i]);
    reply r = ask(&server, "GET", "/healthz", header, NULL);
    if (r.status != 200) fail_msg("Host: %s is refused", good[i]);
    reply_free(&r);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    snprintf(header, sizeof header, "Host: %s\r\n", bad[i]);
    EXPECT_PROBLEM(ask(&server, "GET", "/", header, NULL), 403, "Host");
  }
}

static void test_origin(void **state) {
  (void)state;
  static const char *const bad[] = {"http://evil.example", "null", "https://localhost.evil.example",
                                    "file://", "http://localhost:1"};
  char header[160];
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    snprintf(header, sizeof header, "Origin: %s\r\n", bad[i]);
    EXPECT_PROBLEM(ask(&server, "POST", "/v1/generate", header, "{\"class\":3}"), 403, "Origin");
  }
  reply r = ask(&server, "GET", "/v1/models", "Origin: http://localhost\r\n", NULL);
  assert_int_equal(r.status, 200);
  assert_string_equal(reply_header(&r, "Access-Control-Allow-Origin"), "");
  reply_free(&r);
}

static void test_headers_of_every_answer(void **state) {
  (void)state;
  static const char *const paths[] = {"/", "/v1/models", "/nothing", "/healthz"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    reply r = GET(&server, paths[i]);
    const char *policy = reply_header(&r, "Content-Security-Policy");
    assert_non_null(strstr(policy, "default-src 'none'"));
    assert_null(strstr(policy, "unsafe"));
    assert_null(strstr(policy, "http"));
    assert_string_equal(reply_header(&r, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(reply_header(&r, "Cross-Origin-Resource-Policy"), "same-origin");
    assert_string_equal(reply_header(&r, "Access-Control-Allow-Origin"), "");
    reply_free(&r);
  }
}

static void test_key_and_cors(void **state) {
  (void)state;
  served s = SERVE("--quiet", "--api-key", "correct-horse-battery", "--allow-origin",
                   "https://a.example,https://b.example", "--allow-host", "sketch.example");
  static const char *const bad[] = {NULL,
                                    "Authorization: Bearer correct-horse-batterz\r\n",
                                    "Authorization: Bearer correct-horse-batter\r\n",
                                    "Authorization: Bearer correct-horse-battery2\r\n",
                                    "Authorization: correct-horse-battery\r\n",
                                    "Authorization: Bearer \r\n"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    reply r = ask(&s, "GET", "/v1/models", bad[i], NULL);
    assert_string_equal(reply_header(&r, "WWW-Authenticate"), "Bearer realm=\"masksketch\"");
    EXPECT_PROBLEM(r, 401, "key");
    EXPECT_PROBLEM(ask(&s, "GET", "/metrics", bad[i], NULL), 401, "key");
  }
  reply r = ask(&s, "GET", "/v1/models",
                "Authorization: Bearer correct-horse-battery\r\nOrigin: https://b.example\r\nHost: "
                "sketch.example\r\n",
                NULL);
  assert_int_equal(r.status, 200);
  assert_string_equal(reply_header(&r, "Access-Control-Allow-Origin"), "https://b.example");
  reply_free(&r);
  r = ask(&s, "OPTIONS", "/v1/draw",
          "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n", NULL);
  assert_int_equal(r.status, 204);
  assert_non_null(strstr(reply_header(&r, "Access-Control-Allow-Headers"), "Authorization"));
  reply_free(&r);
  EXPECT_PROBLEM(ask(&s, "OPTIONS", "/v1/draw", "Origin: https://c.example\r\n", NULL), 403,
                 "Origin");
  r = ask(&s, "GET", "/", NULL, NULL); /* the page holds no secrets */
  assert_int_equal(r.status, 200);
  reply_free(&r);
  r = ask(&s, "GET", "/healthz", NULL, NULL);
  assert_int_equal(r.status, 200);
  reply_free(&r);
  assert_int_equal(serve_stop(&s, SIGINT), 0);
}

static void test_listening_beyond_wants_a_key(void **state) {
  (void)state;
  run_result r = RUN("serve", "--listen", "0.0.0.0");
  assert_int_equal(r.code, 2);
  assert_non_null(strstr(r.err, "--api-key-file"));
  run_free(&r);
  EXPECT(2, "serve", "--api-key", "short");
  EXPECT(2, "serve", "--listen", "example.org");
  EXPECT(3, "serve", "--api-key-file", "/nonexistent");
  EXPECT(2, "serve", "--gallery", "/nonexistent/gallery");
  EXPECT(2, "serve", "--port", "0");
}

/* ---- What is asked ---- */

static void test_mistakes_are_told(void **state) {
  (void)state;
  static const struct {
    const char *path, *json;
    int status;
    const char *field, *word;
  } mistakes[] = {
      {"/v1/generate", "{", 400, "", "JSON"},
      {"/v1/generate", "{\"class\":3,\"class\":4}", 400, "", "JSON"},
      {"/v1/generate", "[1]", 422, "", "object"},
      {"/v1/generate", "{}", 422, "class", "missing"},
      {"/v1/generate", "{\"class\":\"nosuchthing\"}", 422, "class", "nosuchthing"},
      {"/v1/generate", "{\"class\":10}", 422, "class", "10"},
      {"/v1/generate", "{\"class\":null}", 422, "class", "missing"},
      {"/v1/generate", "{\"class\":3,\"colour\":1}", 422, "colour", "no field"},
      {"/v1/generate", "{\"class\":3,\"lambda\":1}", 422, "lambda", "no field"},
      {"/v1/generate", "{\"class\":3,\"count\":17}", 422, "count", "16"},
      {"/v1/generate", "{\"class\":3,\"count\":\"2\"}", 422, "count", "\"2\""},
      {"/v1/generate", "{\"class\":3,\"count\":1.5}", 422, "count", "whole"},
      {"/v1/generate", "{\"class\":3,\"steps\":0}", 422, "steps", "steps"},
      {"/v1/generate", "{\"class\":3,\"steps\":1001}", 422, "steps", "1000"},
      {"/v1/generate", "{\"class\":3,\"set\":{\"lambda_structure\":1}}", 422, "set",
       "lambda_structure"},
      {"/v1/generate", "{\"class\":3,\"set\":{\"steps\":[]}}", 422, "set", "steps"},
      {"/v1/generate", "{\"class\":3,\"seed\":-1}", 422, "seed", "-1"},
      {"/v1/generate", "{\"class\":3,\"seed\":18446744073709551616}", 422, "seed",
       "18446744073709551615"},
      {"/v1/generate", "{\"class\":3,\"seed\":\"18446744073709551616\"}", 422, "seed",
       "18446744073709551615"},
      {"/v1/generate", "{\"class\":3,\"recipe\":\"official\",\"first_item\":1}", 422, "first_item",
       "official"},
      {"/v1/generate", "{\"class\":3,\"recipe\":\"best\"}", 422, "recipe", "best"},
      {"/v1/generate", "{\"class\":3,\"preview\":{\"every\":1}}", 422, "every", "no field"},
      {"/v1/generate", "{\"class\":3,\"preview\":7}", 422, "preview", "boolean"},
      {"/v1/generate", "{\"class\":3,\"live\":true}", 422, "client", "missing"},
      {"/v1/generate", "{\"class\":3,\"client\":\"a b\"}", 422, "client", "letters"},
      {"/v1/draw", "{\"class\":3}", 422, "sketch", "missing"},
      {"/v1/draw", "{\"class\":3,\"sketch\":\"data:image/png;base64,AAAA\"}", 422, "sketch",
       "sketch"},
      {"/v1/draw", "{\"class\":3,\"sketch\":\"?\"}", 422, "sketch", "base64"},
      {"/v1/draw", "{\"class\":3,\"sketch_tokens\":[1]}", 422, "sketch_tokens", "64"},
      {"/v1/edit", "{\"class\":3,\"photo\":\"AAAA\"}", 422, "photo", "photo"},
  };
  for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
    reply r = POST(&server, mistakes[i].path, mistakes[i].json);
    if (r.status != mistakes[i].status)
      fail_msg("%s: status %d: %s", mistakes[i].json, r.status, r.body == NULL ? "" : r.body);
    json_t *problem = json_loads(r.body, 0, NULL);
    assert_string_equal(text_of(problem, "field"), mistakes[i].field);
    json_decref(problem);
    EXPECT_PROBLEM(r, mistakes[i].status, mistakes[i].word);
  }
  EXPECT_PROBLEM(ask_bytes(&server, "POST", "/v1/generate", NULL, "text/plain", "{}", 2), 415,
                 "text/plain");
  EXPECT_PROBLEM(ask_bytes(&server, "POST", "/v1/generate", "Content-Encoding: gzip\r\n",
                           "application/json", "{}", 2),
                 415, "Content-Encoding is gzip");
  EXPECT_PROBLEM(ask_bytes(&server, "POST", "/v1/restore", NULL, "application/json", "{}", 2), 415,
                 "image/png");
  EXPECT_PROBLEM(GET(&server, "/v1/draw"), 405, "GET");
  EXPECT_PROBLEM(POST(&server, "/healthz", "{}"), 405, "POST");
}

/* No request names a file. */
static void test_no_paths(void **state) {
  (void)state;
  static const char *const paths[] = {
      "/../run",       "/%2e%2e%2frun",      "/..%5crun",
      "/.index.html",  "/index.html/",       "/server/www/index.html",
      "/index",        "//etc/passwd",       "/etc%2fpasswd",
      "/openapi.json", "/index.html%00.png", "/v1/"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    reply r = GET(&server, paths[i]);
    if (r.status != 404) fail_msg("%s: status %d", paths[i], r.status);
    reply_free(&r);
  }
  served s = SERVE("--quiet", "--www", "server/www");
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    reply r = GET(&s, paths[i]);
    if (r.status != 404) fail_msg("--www, %s: status %d", paths[i], r.status);
    reply_free(&r);
  }
  reply r = GET(&s, "/index.html");
  assert_int_equal(r.status, 200);
  reply_free(&r);
  assert_int_equal(serve_stop(&s, SIGTERM), 0);
}

/* ---- How much ---- */

static void test_large_bodies(void **state) {
  (void)state;
  static char large[(1 << 20) + 100];
  memset(large, ' ', sizeof large);
  /* announced: refused before a byte of it is sent */
  static const char head[] =
      "POST /v1/draw HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: 999999999999\r\n\r\n";
  int fd = client_connect(&server);
  assert_true(client_send(fd, head, sizeof head - 1));
  EXPECT_PROBLEM(client_receive(fd), 413, "at most 1048576");
  close(fd);
  /* not announced */
  static const char chunked[] =
      "POST /v1/draw HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nTransfer-Encoding: chunked\r\nConnection: "
      "close\r\n\r\n";
  fd = client_connect(&server);
  assert_true(client_send(fd, chunked, sizeof chunked - 1));
  bool taken = client_send(fd, "100064\r\n", 8) && client_send(fd, large, sizeof large) &&
               client_send(fd, "\r\n0\r\n\r\n", 7);
  if (taken) EXPECT_PROBLEM(client_receive(fd), 413, "1048576");
  close(fd);
  /* as large as may be: read, and found to be no JSON */
  EXPECT_PROBLEM(ask_bytes(&server, "POST", "/v1/draw", NULL, "application/json", large, 1 << 20),
                 400, "JSON");
  reply r = GET(&server, "/metrics");
  assert_non_null(strstr(r.body, "\nmasksketch_body_bytes 0\n"));
  reply_free(&r);
}

/* A tree takes eighty times the bytes of its text. */
static void test_swarms_of_values(void **state) {
  (void)state;
  static char swarm[1 << 20];
  strcpy(swarm, "{\"class\":\"1\",\"set\":[{}");
  char *end = swarm + strlen(swarm);
  while (end < swarm + sizeof swarm - 8) end += sprintf(end, ",{}");
  strcpy(end, "]}");
  long before = serve_kilobytes(&server);
  EXPECT_PROBLEM(POST(&server, "/v1/generate", swarm), 400, "more values");
  assert_true(serve_kilobytes(&server) - before < 20 << 10);
}

/* 64 bits, one more than most readers of JSON have. */
static void test_largest_seed(void **state) {
  (void)state;
  json_t *job =
      run_job(&server, "/v1/generate", "{\"class\":3,\"steps\":1,\"seed\":18446744073709551615}");
  assert_string_equal(text_of(job, "seed"), "18446744073709551615");
  json_decref(job);
}

static void test_pictures_that_lie(void **state) {
  (void)state;
  static const char *const names[] = {
      "image/bad/huge_100000x100000.png", "image/bad/bomb_1bit_20000x20000.png",
      "image/bad/truncated.jpg", "image/bad/truncated.webp", "image/bad/zero_width.png"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char *json = with_file("{\"class\":3,\"sketch\":\"%s\"}", golden_path("%s", names[i]));
    reply r = POST(&server, "/v1/draw", json);
    if (r.status != 422 && r.status != 413) fail_msg("%s: status %d", names[i], r.status);
    EXPECT_PROBLEM(r, r.status, "sketch");
    free(json);
  }
}

static void test_full_queue(void **state) {
  (void)state;
  char urls[8][128];
  int accepted = 0;
  reply r = {0};
  for (int i = 0; i < 8; i++) {
    r = POST(&server, "/v1/generate", "{\"class\":3,\"steps\":900,\"count\":16,\"preview\":false}");
    if (r.status != 202) break;
    snprintf(urls[accepted++], sizeof urls[0], "%s", reply_header(&r, "Location"));
    reply_free(&r);
  }
  /* two wait, one runs, one may have been taken in between */
  assert_true(accepted >= 2 && accepted <= 4);
  assert_true(atoi(reply_header(&r, "Retry-After")) >= 1);
  EXPECT_PROBLEM(r, 429, "wait already");
  for (int i = 0; i < accepted; i++) {
    r = ask(&server, "DELETE", urls[i], NULL, NULL);
    assert_int_equal(r.status, 200);
    reply_free(&r);
  }
}

/* ---- How slow ---- */

/* A byte now and then would hold a connection for ever; a silent one as well. */
static void test_slow_senders(void **state) {
  (void)state;
  static const char *const heads[] = {
      "POST /v1/draw HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: 1000\r\n\r\n",
      "POST /v1/generate HTTP/1.1\r\nHost: localhost\r\n"};
  /* the second one never gets to its body; it has the time of an idle connection on top, so only
   * the first is waited for */
  int dripping = client_connect(&server);
  assert_true(client_send(dripping, heads[0], strlen(heads[0])));
  int dripped = 0;
  while (dripped < 600 && client_send(dripping, " ", 1)) {
    usleep(100000);
    dripped++;
  }
  reply r = client_receive(dripping);
  assert_true(dripped < 600);
  assert_int_equal(r.status, 0);
  close(dripping);
  r = GET(&server, "/metrics");
  assert_null(strstr(r.body, "\nmasksketch_connections_cut_total 0\n"));
  reply_free(&r);
}

/* A reader who does not take a stream costs neither memory nor anybody's time. */
static void test_slow_reader(void **state) {
  (void)state;
  reply r =
      POST(&server, "/v1/generate", "{\"class\":3,\"steps\":60,\"preview\":{\"every_ms\":0}}");
  assert_int_equal(r.status, 202);
  char head[256];
  int length = snprintf(head, sizeof head, "GET %s/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        reply_header(&r, "Location"));
  reply_free(&r);
  int fd = client_connect(&server), small = 2048;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  assert_true(client_send(fd, head, (size_t)length));
  /* goes on meanwhile */
  json_t *job = run_job(&server, "/v1/generate", "{\"class\":3,\"steps\":2}");
  json_decref(job);
  close(fd);
}

static void test_jobs_are_forgotten(void **state) {
  (void)state;
  json_t *job = run_job(&server, "/v1/generate", "{\"class\":3,\"steps\":1}");
  char url[128];
  int status = 200;
  snprintf(url, sizeof url, "/v1/jobs/%s", text_of(job, "id"));
  assert_true(json_real_value(json_object_get(job, "expires_in")) <= 1);
  for (int i = 0; i < 600 && status == 200; i++) {
    usleep(100000);
    reply r = GET(&server, url);
    status = r.status;
    reply_free(&r);
  }
  assert_int_equal(status, 404);
  json_decref(job);
}

/* ---- Ends ---- */

/* SIGTERM: the running job stops within a step, and whoever waits is told. */
static void test_ends_cleanly(void **state) {
  (void)state;
  served s = SERVE("--quiet");
  reply r = POST(&s, "/v1/generate", "{\"class\":3,\"steps\":900,\"count\":16}");
  char head[256], waiting[512];
  static const char body[] = "{\"prompt\":\"teapot\"}";
  int length = snprintf(head, sizeof head,
                        "GET %s/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                        reply_header(&r, "Location"));
  reply_free(&r);
  int stream = client_connect(&s), openai = client_connect(&s);
  assert_true(client_send(stream, head, (size_t)length));
  length = snprintf(waiting, sizeof waiting,
                    "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                    "application/json\r\nContent-Length: %zu\r\n"
                    "Connection: close\r\n\r\n%s",
                    sizeof body - 1, body);
  assert_true(client_send(openai, waiting, (size_t)length));
  char first[16];
  assert_true(recv(stream, first, sizeof first, MSG_PEEK) > 0); /* it runs */
  for (int i = 0; i < 600; i++) {                               /* and the other waits */
    r = GET(&s, "/metrics");
    bool waits = strstr(r.body, "\nmasksketch_jobs_queued 1\n") != NULL;
    reply_free(&r);
    if (waits) break;
    usleep(50000);
  }
  assert_int_equal(serve_stop(&s, SIGTERM), 0);
  r = client_receive(stream);
  assert_int_equal(r.status, 200);
  assert_non_null(strstr(r.body, "event: cancelled"));
  assert_non_null(strstr(r.body, "\"reason\":\"shutdown\""));
  reply_free(&r);
  EXPECT_PROBLEM(client_receive(openai), 503, "stopping");
  close(stream);
  close(openai);
}

/* --drain: the running job goes on to its end and is fetched, new ones are refused, and a balancer
 * is told; then the server ends long before its time is up. */
static void test_drains(void **state) {
  (void)state;
  served s = SERVE("--quiet", "--drain", "3000");
  reply r = POST(&s, "/v1/generate", "{\"class\":3,\"steps\":300,\"seed\":5}");
  assert_int_equal(r.status, 202);
  char events[256], picture[256];
  snprintf(events, sizeof events, "%s/events", reply_header(&r, "Location"));
  snprintf(picture, sizeof picture, "%s/images/0", reply_header(&r, "Location"));
  reply_free(&r);
  assert_int_equal(kill(s.pid, SIGTERM), 0);
  for (int status = 200; status == 200; usleep(20000)) {
    r = GET(&s, "/healthz");
    status = r.status;
    if (status != 200) assert_int_equal(status, 503);
    reply_free(&r);
  }
  EXPECT_PROBLEM(POST(&s, "/v1/generate", "{\"class\":3}"), 503, "stopping");
  r = GET(&s, "/metrics");
  assert_non_null(strstr(r.body, "\nmasksketch_draining 1\n"));
  reply_free(&r);
  r = GET(&s, events);
  assert_non_null(strstr(r.body, "event: done"));
  reply_free(&r);
  r = GET(&s, picture);
  assert_int_equal(r.status, 200);
  reply_free(&r);
  int code = -1;
  assert_int_equal(waitpid(s.pid, &code, 0), s.pid);
  assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 0);
}

/* systemd's way: descriptor 3 is the listening socket. */
static void test_socket_is_handed_over(void **state) {
  (void)state;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
              listen(listener, 8) == 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
  served s = {.port = ntohs(address.sin_port)};
  s.pid = fork();
  assert_true(s.pid >= 0);
  if (s.pid == 0) {
    char pid[24];
    const char *program = getenv("MASKSKETCH_PROGRAM");
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
        (listener != 3 && dup2(listener, 3) < 0))
      _exit(126);
    execl(program, program, "serve", "--quiet", "--port", "1", (char *)NULL);
    _exit(127);
  }
  close(listener);
  reply r = GET(&s, "/healthz"); /* waits in the backlog until the server is there */
  assert_int_equal(r.status, 200);
  reply_free(&r);
  assert_int_equal(serve_stop(&s, SIGTERM), 0);
}

static void test_gallery(void **state) {
  (void)state;
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", in_folder("gallery"));
  assert_int_equal(mkdir(folder, 0755), 0);
  msk_error error;
  char leftover[4200];
  snprintf(leftover, sizeof leftover, "%s/.masksketch-00112233445566778899aabbccddeeff.tmp",
           folder);
  assert_int_equal(msk_file_write(leftover, "half", 4, &error), MSK_OK);
  served s = SERVE("--quiet", "--gallery", folder);
  assert_int_equal(count_files(folder, ""), 0); /* tidied */
  EXPECT(2, "serve", "--gallery", folder);      /* locked */
  json_t *job = run_job(&s, "/v1/generate", "{\"class\":3,\"steps\":1,\"count\":2,\"seed\":6}");
  assert_int_equal(count_files(folder, "-house-6-"), 2);
  assert_int_equal(count_files(folder, ""), 2);
  json_decref(job);
  assert_int_equal(serve_stop(&s, SIGTERM), 0);
  /* a new one is made */
  s = SERVE("--quiet", "--gallery", in_folder("new-gallery"));
  assert_true(exists(in_folder("new-gallery")));
  assert_int_equal(serve_stop(&s, SIGTERM), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_host),
      cmocka_unit_test(test_origin),
      cmocka_unit_test(test_headers_of_every_answer),
      cmocka_unit_test(test_key_and_cors),
      cmocka_unit_test(test_listening_beyond_wants_a_key),
      cmocka_unit_test(test_mistakes_are_told),
      cmocka_unit_test(test_no_paths),
      cmocka_unit_test(test_large_bodies),
      cmocka_unit_test(test_swarms_of_values),
      cmocka_unit_test(test_largest_seed),
      cmocka_unit_test(test_pictures_that_lie),
      cmocka_unit_test(test_full_queue),
      cmocka_unit_test(test_slow_senders),
      cmocka_unit_test(test_slow_reader),
      cmocka_unit_test(test_jobs_are_forgotten),
      cmocka_unit_test(test_ends_cleanly),
      cmocka_unit_test(test_drains),
      cmocka_unit_test(test_socket_is_handed_over),
      cmocka_unit_test(test_gallery),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
