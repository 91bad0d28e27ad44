/* SPDX-License-Identifier: Apache-2.0
 *
 * test_serve_devices.c - one server with the model on two devices: a job has the one that it asks
 * for, its picture is the command line's there, byte for byte, and the worker goes from one to the
 * other and back. Skipped where there is no OpenCL. */
#include <signal.h>

#include "client.h"
#include "masksketch_tools.h"

enum { SKIPPED = 77 };

static served server;

static int set_up(void **state) {
  if (serve_set_up(state) != 0) return -1;
  server = SERVE("--quiet", "--also-device", "1");
  return 0;
}

static int tear_down(void **state) {
  int code = serve_stop(&server, SIGTERM);
  tear_down_folder(state);
  return code;
}

static const char *sketch(void) { return golden_path("tiny/input/sketch0.png"); }

/* The name of the other device, in a buffer of its own. */
static const char *other_device(void) {
  static char name[300];
  reply r = GET(&server, "/v1/models");
  json_t *models = reply_json(&r), *model = json_array_get(json_object_get(models, "data"), 0),
         *devices = json_object_get(model, "devices");
  assert_string_equal(text_of(model, "device"), "cpu");
  assert_int_equal(json_array_size(devices), 2);
  assert_string_equal(json_string_value(json_array_get(devices, 0)), "cpu");
  snprintf(name, sizeof name, "%s", json_string_value(json_array_get(devices, 1)));
  assert_true(strstr(name, ": ") != NULL);
  json_decref(models);
  return name;
}

/* One picture, of the device that `wish` asks for; it is the file, byte for byte. */
static void check_job(const char *wish, const char *device, const char *file) {
  char format[300];
  snprintf(format, sizeof format,
           "{\"class\":3,\"seed\":5,\"steps\":2,\"fit\":\"crop\",\"sketch\":\"%%s\"%s}", wish);
  char *json = with_file(format, sketch());
  json_t *job = run_job(&server, "/v1/draw", json);
  free(json);
  assert_string_equal(text_of(job, "state"), "done");
  assert_string_equal(text_of(job, "device"), device);
  reply r = GET(&server, text_of(json_array_get(json_object_get(job, "images"), 0), "url"));
  size_t bytes;
  uint8_t *wanted = test_read_file(file, &bytes);
  assert_int_equal(r.bytes, bytes);
  assert_memory_equal(r.body, wanted, bytes);
  free(wanted);
  reply_free(&r);
  json_decref(job);
}

static void test_jobs_choose(void **state) {
  (void)state;
  const char *other = other_device();
  char exact[340], part[40];
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "2", "--fit", "crop", "-o",
         in_folder("cpu.png"), "--quiet");
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "2", "--fit", "crop", "-o",
         in_folder("other.png"), "--quiet", "--device", "1");
  char cpu_file[300], other_file[300];
  snprintf(cpu_file, sizeof cpu_file, "%s", in_folder("cpu.png"));
  snprintf(other_file, sizeof other_file, "%s", in_folder("other.png"));
  snprintf(exact, sizeof exact, ",\"device\":\"%.300s\"", other);
  snprintf(part, sizeof part, ",\"device\":\"%.8s\"", other);
  check_job("", "cpu", cpu_file);
  check_job(exact, other, other_file);
  check_job(part, other, other_file);
  check_job(",\"device\":\"cpu\"", "cpu", cpu_file);
  check_job(",\"device\":\"gpu\"", other, other_file);
  check_job(",\"device\":null", "cpu", cpu_file);
}

static void test_others_are_refused(void **state) {
  (void)state;
  EXPECT_PROBLEM(POST(&server, "/v1/generate", "{\"class\":3,\"device\":\"no such\"}"), 422,
                 "expected a part of one of these names: cpu; ");
  EXPECT_PROBLEM(POST(&server, "/v1/generate", "{\"class\":3,\"device\":\"\"}"), 422, "device");
  EXPECT_PROBLEM(POST(&server, "/v1/generate", "{\"class\":3,\"device\":1}"), 422, "device");
  reply r = POST(&server, "/v1/edit", "{\"class\":3,\"device\":\"no such\"}");
  json_t *problem = reply_json(&r);
  assert_string_equal(text_of(problem, "field"), "device");
  json_decref(problem);
}

/* What is wrong with the list is told when the server starts. */
static void test_starts(void **state) {
  (void)state;
  static const struct {
    const char *names, *word;
    int code;
  } cases[] = {{"1,1", "served already", 2}, {"cpu", "served already", 2},
               {"1,", "empty name", 2},      {"no such", "no device 'no such'", 4},
               {"1,no such", "no such", 4},  {"", "empty text", 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    run_result result = RUN("serve", "--quiet", "--also-device", cases[i].names);
    if (result.code != cases[i].code || strstr(result.err, cases[i].word) == NULL)
      fail_msg("%s: exit %d: %s", cases[i].names, result.code, result.err);
    run_free(&result);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_jobs_choose),
                                     cmocka_unit_test(test_others_are_refused),
                                     cmocka_unit_test(test_starts)};
  if (!has_gpu()) {
    printf("skipped: no device of OpenCL here\n");
    return SKIPPED;
  }
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
