/* SPDX-License-Identifier: Apache-2.0
 *
 * test_serve_hostile.c - 24 hostile senders and idle connections beside one honest client, with
 * the default model: its pictures come and are the same, each hostile body is answered, memory
 * stays below 600 MB, and SIGTERM is heard. How much longer the honest client waits is printed,
 * rounds with and without the others in turn; no time is asserted. MSK_TEST_ROUNDS says how many
 * (1 if not said). */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

enum {
  SENDERS = 24,
  IDLE = 100,
  PICTURES = 3, /* a round */
  MOST_ROUNDS = 99,
  BODY = 24000000, /* just below the limit */
  SIDE = 4000,
  AT_ONCE = 16,            /* large pictures */
  LARGEST_OF_ONE_MB = 230, /* one such picture in hand, decoded and copied */
  LARGEST_MB = 600
};

typedef struct sender {
  pthread_t thread;
  int number;
  long answered, lost; /* bodies; lost: the connection ended without an answer */
} sender;

static served server;
static atomic_bool hostile, over;
static char *bodies[3]; /* of `{}`, of base64 that is no picture, of a large picture */
static char *large;     /* the picture alone */
static char *honest;    /* the honest client's drawing */

/* ---- Bodies ---- */

static char *make_objects(void) {
  char *text = malloc(BODY + 64);
  assert_non_null(text);
  size_t used = (size_t)sprintf(text, "{\"class\":\"1\",\"set\":[{}");
  while (used + 5 < BODY) {
    memcpy(text + used, ",{}", 3);
    used += 3;
  }
  memcpy(text + used, "]}", 3);
  return text;
}

static char *make_base64(void) {
  static const char head[] = "{\"class\":\"1\",\"sketch\":\"";
  char *text = malloc(BODY + 64);
  assert_non_null(text);
  size_t used = sizeof head - 1;
  memcpy(text, head, used);
  memset(text + used, 'A', BODY - used - 8);
  memcpy(text + BODY - 8, "\"}", 3);
  return text;
}

static char *make_picture(void) {
  msk_image image = {0};
  msk_error error;
  void *bytes = NULL;
  size_t count = 0;
  assert_int_equal(msk_image_create(&image, SIDE, SIDE, NULL, &error), MSK_OK);
  memset(image.pixels, 255, (size_t)SIDE * SIDE * 3);
  assert_int_equal(
      msk_image_encode(&image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &count, NULL, &error), MSK_OK);
  assert_int_equal(msk_file_write(in_folder("large.png"), bytes, count, &error), MSK_OK);
  msk_free(NULL, bytes);
  msk_image_free(&image);
  large = with_file("{\"sketch\":\"%s\"}", in_folder("large.png"));
  /* the field that is wrong is found after the picture was decoded */
  return with_file("{\"class\":\"1\",\"sketch\":\"%s\",\"lambda_map\":\"AAAA\"}",
                   in_folder("large.png"));
}

/* ---- Senders ---- */

static bool send_all(int fd, const char *bytes, size_t count, bool slowly) {
  const size_t piece = slowly ? 1000 : count;
  for (size_t at = 0; at < count && !(slowly && !atomic_load(&hostile)); at += piece) {
    if (!client_send(fd, bytes + at, count - at < piece ? count - at : piece)) return false;
    if (slowly) usleep(20000);
  }
  return true;
}

static void send_one(sender *s, int turn) {
  const bool slowly = s->number % 4 == 3;
  const char *body = bodies[slowly ? turn % 3 : s->number % 4];
  char head[256];
  int length = snprintf(head, sizeof head,
                        "POST /v1/draw HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                        strlen(body));
  int fd = client_connect(&server);
  if (fd < 0) return;
  /* who is refused early may find the connection closed while it sends */
  client_send(fd, head, (size_t)length);
  send_all(fd, body, strlen(body), slowly);
  if (slowly) shutdown(fd, SHUT_WR);
  reply r = client_receive(fd);
  s->answered += r.status >= 400 && r.status < 600;
  s->lost += r.status < 400 && !slowly;
  reply_free(&r);
  close(fd);
}

static void *sender_main(void *user) {
  sender *s = user;
  for (int turn = 0; !atomic_load(&over);) {
    if (atomic_load(&hostile)) {
      send_one(s, turn++);
    } else {
      usleep(20000);
    }
  }
  return NULL;
}

/* ---- The honest client ---- */

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Seconds from asking to having a picture; the bytes are those of the first time. */
static double draw_one(void) {
  static uint8_t *wanted;
  static size_t wanted_bytes;
  double started = seconds_now();
  json_t *job = run_job(&server, "/v1/draw", honest);
  char url[128];
  assert_string_equal(text_of(job, "state"), "done");
  snprintf(url, sizeof url, "%s",
           text_of(json_array_get(json_object_get(job, "images"), 0), "url"));
  json_decref(job);
  reply r = GET(&server, url);
  double seconds = seconds_now() - started;
  assert_int_equal(r.status, 200);
  if (wanted == NULL) {
    wanted = malloc(r.bytes);
    assert_non_null(wanted);
    memcpy(wanted, r.body, r.bytes);
    wanted_bytes = r.bytes;
  }
  assert_int_equal(r.bytes, wanted_bytes);
  assert_memory_equal(r.body, wanted, r.bytes);
  reply_free(&r);
  return seconds;
}

static double draw_some(void) {
  double sum = 0;
  for (int i = 0; i < PICTURES; i++) sum += draw_one();
  return sum / PICTURES;
}

static int compare_numbers(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static int rounds_wanted(void) {
  const char *text = getenv("MSK_TEST_ROUNDS");
  int rounds = text == NULL ? 1 : atoi(text);
  return rounds < 1 || rounds > MOST_ROUNDS ? 1 : rounds;
}

static void run_rounds(void) {
  double ratios[MOST_ROUNDS];
  int rounds = rounds_wanted();
  for (int i = 0; i < rounds; i++) {
    double usual = draw_some();
    atomic_store(&hostile, true);
    usleep(500000); /* the bodies are on their way */
    double beside = draw_some();
    atomic_store(&hostile, false);
    usleep(1500000); /* and have gone */
    ratios[i] = beside / usual;
    print_message("usual %.2f s, beside %d hostile senders %.2f s: %.2f times\n", usual, SENDERS,
                  beside, ratios[i]);
  }
  qsort(ratios, (size_t)rounds, sizeof ratios[0], compare_numbers);
  print_message("median of %d: %.2f times\n", rounds, ratios[rounds / 2]);
}

static void test_hostile_senders(void **state) {
  (void)state;
  sender senders[SENDERS];
  int idle[IDLE];
  long answered = 0, lost = 0;
  draw_one();
  for (int i = 0; i < IDLE; i++) idle[i] = client_connect(&server);
  for (int i = 0; i < SENDERS; i++) {
    senders[i] = (sender){.number = i};
    assert_int_equal(pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]), 0);
  }
  run_rounds();
  atomic_store(&over, true);
  for (int i = 0; i < SENDERS; i++) {
    pthread_join(senders[i].thread, NULL);
    answered += senders[i].answered;
    lost += senders[i].lost;
  }
  for (int i = 0; i < IDLE; i++) {
    if (idle[i] >= 0) close(idle[i]);
  }
  long megabytes = serve_kilobytes(&server) / 1024;
  print_message("%ld hostile bodies answered, %ld not; peak %ld MB\n", answered, lost, megabytes);
  assert_true(answered > 0);
  const char *sanitizer = getenv("MSK_TEST_SANITIZER"); /* these have memory of their own */
  if (sanitizer == NULL || *sanitizer == 0) assert_true(megabytes < LARGEST_MB);
  draw_one(); /* as before */
}

/* ---- Large pictures that are only looked at ---- */

static void *look_main(void *route) {
  reply r = POST(&server, route, large);
  int status = r.status;
  reply_free(&r);
  return status == 200 ? NULL : route;
}

/* However many come at once, one is held. */
static void test_large_pictures_in_turn(void **state) {
  (void)state;
  static char *const routes[] = {"/v1/prepare", "/v1/guess"};
  pthread_t threads[AT_ONCE];
  for (int i = 0; i < AT_ONCE; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, look_main, routes[i % 2]), 0);
  for (int i = 0; i < AT_ONCE; i++) {
    void *failed = NULL;
    pthread_join(threads[i], &failed);
    assert_null(failed);
  }
  long megabytes = serve_kilobytes(&server) / 1024;
  print_message("peak of %d large pictures at once %ld MB\n", AT_ONCE, megabytes);
  const char *sanitizer = getenv("MSK_TEST_SANITIZER");
  if (sanitizer == NULL || *sanitizer == 0) assert_true(megabytes < LARGEST_OF_ONE_MB);
}

static int set_up(void **state) {
  if (serve_set_up(state) != 0) return -1;
  bodies[0] = make_objects();
  bodies[1] = make_base64();
  bodies[2] = make_picture();
  honest = with_file("{\"class\":\"house\",\"seed\":1,\"sketch\":\"%s\"}",
                     golden_path("tiny/input/sketch0.png"));
  server = SERVE("--quiet", "--model", "models/default.safetensors");
  return 0;
}

static int tear_down(void **state) {
  int code = serve_stop(&server, SIGTERM);
  for (int i = 0; i < 3; i++) free(bodies[i]);
  free(honest);
  free(large);
  tear_down_folder(state);
  return code;
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_large_pictures_in_turn),
                                     cmocka_unit_test(test_hostile_senders)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
