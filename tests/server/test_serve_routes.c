/* SPDX-License-Identifier: Apache-2.0
 *
 * test_serve_routes.c - `masksketch serve` from outside: every route does what docs/http.md
 * says, and a picture is the command line's, byte for byte. Guards are in test_serve_guards.c. */
#include <math.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/base64.h"
#include "client.h"

static served server;

static const char *sketch(void) { return golden_path("tiny/input/sketch0.png"); }
static const char *photo(void) { return golden_path("tiny/input/photo.png"); }

static int set_up(void **state) {
  if (serve_set_up(state) != 0) return -1;
  server = SERVE("--quiet");
  return 0;
}

static int tear_down(void **state) {
  int code = serve_stop(&server, SIGTERM);
  tear_down_folder(state);
  return code;
}

static json_t *job_of(const char *path, const char *format, const char *file) {
  char *json = file == NULL ? strdup(format) : with_file(format, file);
  json_t *job = run_job(&server, path, json);
  free(json);
  assert_string_equal(text_of(job, "state"), "done");
  return job;
}

/* Picture `index` of the job has the same bytes as the file. */
static void expect_picture(const json_t *job, size_t index, const char *file) {
  const json_t *image = json_array_get(json_object_get(job, "images"), index);
  reply r = GET(&server, text_of(image, "url"));
  size_t bytes;
  uint8_t *wanted = test_read_file(file, &bytes);
  assert_int_equal(r.status, 200);
  assert_string_equal(reply_header(&r, "Content-Type"), "image/png");
  assert_int_equal(r.bytes, bytes);
  assert_memory_equal(r.body, wanted, bytes);
  assert_int_equal(json_integer_value(json_object_get(image, "bytes")), bytes);
  free(wanted);
  reply_free(&r);
}

/* ---- Pictures ---- */

static void test_draw_is_the_command_lines(void **state) {
  (void)state;
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "4", "--lambda", "0.5",
         "--count", "2", "--fit", "crop", "-o", in_folder("d.png"), "--quiet");
  json_t *job = job_of("/v1/draw",
                       "{\"class\":3,\"seed\":5,\"steps\":4,\"lambda\":0.5,\"count\":2,\"fit\":"
                       "\"crop\",\"sketch\":\"%s\"}",
                       sketch());
  assert_int_equal(json_array_size(json_object_get(job, "images")), 2);
  expect_picture(job, 0, in_folder("d-1.png"));
  expect_picture(job, 1, in_folder("d-2.png"));
  assert_string_equal(text_of(job, "seed"), "5");
  assert_string_equal(text_of(json_object_get(job, "settings"), "steps"), "4");
  const json_t *scores =
      json_object_get(json_array_get(json_object_get(job, "images"), 0), "scores");
  assert_true(json_is_real(json_object_get(scores, "structure")));
  json_decref(job);
}

static void test_generate_and_official(void **state) {
  (void)state;
  EXPECT(0, "generate", "--class", "4", "--seed", "18446744073709551615", "--steps", "3", "-o",
         in_folder("g.png"), "--quiet");
  json_t *job = job_of("/v1/generate",
                       "{\"class\":\"4\",\"seed\":\"18446744073709551615\",\"steps\":3}", NULL);
  expect_picture(job, 0, in_folder("g.png"));
  json_decref(job);
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "9", "--recipe", "official", "--steps", "3",
         "--count", "2", "-o", in_folder("o.png"), "--quiet");
  job = job_of("/v1/draw",
               "{\"class\":3,\"seed\":9,\"recipe\":\"official\",\"steps\":3,\"count\":2,\"sketch\":"
               "\"data:image/png;base64,%s\"}",
               sketch());
  expect_picture(job, 0, in_folder("o-1.png"));
  expect_picture(job, 1, in_folder("o-2.png"));
  json_decref(job);
}

/* The best come first, and each is what the command line makes of its item alone. */
static void test_candidates(void **state) {
  (void)state;
  json_t *job =
      job_of("/v1/draw",
             "{\"class\":3,\"seed\":5,\"steps\":4,\"candidates\":6,\"count\":2,\"sketch\":\"%s\"}",
             sketch());
  double before = INFINITY;
  assert_int_equal(json_array_size(json_object_get(job, "images")), 2);
  for (size_t i = 0; i < 2; i++) {
    const json_t *image = json_array_get(json_object_get(job, "images"), i);
    double structure =
        json_real_value(json_object_get(json_object_get(image, "scores"), "structure"));
    char item[16];
    snprintf(item, sizeof item, "%d", (int)json_integer_value(json_object_get(image, "item")));
    assert_true(structure <= before);
    before = structure;
    EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "5", "--steps", "4", "--first-item", item,
           "-o", in_folder("c.png"), "--quiet");
    expect_picture(job, i, in_folder("c.png"));
  }
  json_decref(job);
  EXPECT_PROBLEM(POST(&server, "/v1/generate", "{\"class\":3,\"candidates\":4}"), 422,
                 "candidates");
  EXPECT_PROBLEM(POST(&server, "/v1/draw", "{\"class\":3,\"count\":5,\"candidates\":4}"), 422,
                 "at least");
}

/* Recipe keys as JSON has them: numbers, flags, lists. */
static void test_kinds_of_settings(void **state) {
  (void)state;
  json_t *job =
      job_of("/v1/draw",
             "{\"class\":3,\"set\":{\"steps\":2,\"guidance\":0.5,\"visible_sketch\":false,"
             "\"layers\":[0,1]},\"sketch\":\"%s\"}",
             sketch());
  const json_t *settings = json_object_get(job, "settings");
  assert_string_equal(text_of(settings, "steps"), "2");
  assert_string_equal(text_of(settings, "guidance"), "0.5");
  assert_string_equal(text_of(settings, "visible_sketch"), "0");
  assert_string_equal(text_of(settings, "layers"), "0,1");
  json_decref(job);
  EXPECT_PROBLEM(POST(&server, "/v1/generate", "{\"class\":3,\"set\":{\"steps\":{}}}"), 422,
                 "steps");
  EXPECT_PROBLEM(POST(&server, "/v1/generate", "{\"class\":3,\"set\":{\"steps\":[-1]}}"), 422,
                 "list of whole numbers");
}

static void test_edit_by_box_and_mask(void **state) {
  (void)state;
  EXPECT(0, "edit", photo(), "--class", "3", "--box", "16,24,64,48", "--steps", "3", "-o",
         in_folder("b.png"), "--quiet");
  json_t *job =
      job_of("/v1/edit",
             "{\"class\":3,\"box\":[16,24,64,48],\"set\":{\"steps\":3},\"photo\":\"%s\"}", photo());
  expect_picture(job, 0, in_folder("b.png"));
  json_decref(job);
  EXPECT(0, "edit", photo(), "--class", "3", "--mask", sketch(), "--steps", "3", "-o",
         in_folder("m.png"), "--quiet");
  char *inner = with_file("{\"class\":3,\"steps\":3,\"mask\":\"%s\",\"photo\":\"@\"}", sketch());
  *strchr(inner, '@') = '%';
  char *format = malloc(strlen(inner) + 2);
  assert_non_null(format);
  char *mark = strchr(inner, '%');
  sprintf(format, "%.*s%%s%s", (int)(mark - inner), inner, mark + 1);
  job = job_of("/v1/edit", format, photo());
  expect_picture(job, 0, in_folder("m.png"));
  json_decref(job);
  free(format);
  free(inner);
}

static void append(char *body, size_t *used, const void *bytes, size_t count) {
  memcpy(body + *used, bytes, count);
  *used += count;
}

static void append_part(char *body, size_t *used, const char *name, const char *file_name,
                        const void *bytes, size_t count) {
  char head[256];
  int length = snprintf(head, sizeof head,
                        "--xyz\r\nContent-Disposition: form-data; name=\"%s\"%s%s%s\r\n\r\n", name,
                        file_name == NULL ? "" : "; filename=\"",
                        file_name == NULL ? "" : file_name, file_name == NULL ? "" : "\"");
  append(body, used, head, (size_t)length);
  append(body, used, bytes, count);
  append(body, used, "\r\n", 2);
}

static void test_multipart(void **state) {
  (void)state;
  size_t count, used = 0;
  uint8_t *bytes = test_read_file(sketch(), &count);
  char *body = malloc(count * 2 + 4096);
  assert_non_null(body);
  append_part(body, &used, "sketch", "../../etc/passwd", bytes, count);
  append_part(body, &used, "lambda_map", "m.png", bytes, count);
  append_part(body, &used, "class", NULL, "3", 1);
  append_part(body, &used, "seed", NULL, "8", 1);
  append_part(body, &used, "photo_of_paper", NULL, "true", 4);
  append_part(body, &used, "set", NULL, "{\"steps\":\"3\"}", 13);
  append(body, &used, "--xyz--\r\n", 9);
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "8", "--steps", "3", "--photo-of-paper",
         "--lambda-map", sketch(), "-o", in_folder("p.png"), "--quiet");
  reply r =
      ask_bytes(&server, "POST", "/v1/draw", NULL, "multipart/form-data; boundary=xyz", body, used);
  assert_int_equal(r.status, 202);
  char events[160];
  snprintf(events, sizeof events, "%s/events", reply_header(&r, "Location"));
  json_t *accepted = reply_json(&r);
  reply stream = GET(&server, events);
  reply_free(&stream);
  char url[128];
  snprintf(url, sizeof url, "/v1/jobs/%s", text_of(accepted, "id"));
  r = GET(&server, url);
  json_t *job = reply_json(&r);
  expect_picture(job, 0, in_folder("p.png"));
  json_decref(job);
  json_decref(accepted);
  EXPECT_PROBLEM(ask_bytes(&server, "POST", "/v1/draw", NULL, "multipart/form-data; boundary=xyz",
                           body, used / 2),
                 400, "multipart");
  free(body);
  free(bytes);
}

/* ---- Watching ---- */

static void test_events_tell_the_job(void **state) {
  (void)state;
  reply r = POST(&server, "/v1/generate",
                 "{\"class\":3,\"steps\":6,\"count\":2,\"preview\":{\"every_ms\":0,\"size\":32}}");
  char events[160];
  snprintf(events, sizeof events, "%s/events", reply_header(&r, "Location"));
  assert_int_equal(r.status, 202);
  reply_free(&r);
  r = GET(&server, events);
  assert_string_equal(reply_header(&r, "Content-Type"), "text/event-stream");
  int images = 0, previews = 0;
  char *last = NULL;
  for (char *at = r.body; (at = strstr(at, "event: ")) != NULL; at += 7) {
    images += strncmp(at, "event: image\n", 13) == 0;
    last = at;
  }
  for (char *at = r.body; (at = strstr(at, "data:image/jpeg;base64,")) != NULL; at++) previews++;
  assert_int_equal(images, 2);
  assert_true(previews >= 1);
  assert_non_null(strstr(r.body, "\"width\":32,\"height\":32"));
  assert_true(last != NULL && strncmp(last, "event: done\n", 12) == 0);
  reply_free(&r);
  /* whoever comes late is told the pictures and the end */
  r = GET(&server, events);
  assert_null(strstr(r.body, "event: step"));
  assert_non_null(strstr(r.body, "event: image\ndata: {\"index\":1,"));
  assert_non_null(strstr(r.body, "event: done"));
  reply_free(&r);
}

static void test_cancel_forget_and_missing(void **state) {
  (void)state;
  reply r =
      POST(&server, "/v1/generate", "{\"class\":3,\"steps\":900,\"count\":16,\"preview\":false}");
  assert_int_equal(r.status, 202);
  char url[128], path[200];
  snprintf(url, sizeof url, "%s", reply_header(&r, "Location"));
  reply_free(&r);
  snprintf(path, sizeof path, "%s/images/0", url);
  EXPECT_PROBLEM(GET(&server, path), 409, "not finished");
  r = ask(&server, "DELETE", url, NULL, NULL);
  assert_int_equal(r.status, 200);
  reply_free(&r);
  snprintf(path, sizeof path, "%s/events", url);
  r = GET(&server, path);
  assert_non_null(strstr(r.body, "event: cancelled"));
  assert_non_null(strstr(r.body, "\"reason\":\"asked\""));
  reply_free(&r);
  r = ask(&server, "DELETE", url, NULL, NULL); /* ended: forgotten */
  reply_free(&r);
  EXPECT_PROBLEM(GET(&server, url), 404, "no job");
  EXPECT_PROBLEM(GET(&server, "/v1/jobs/0123456789abcdef0123456789abcdef"), 404, "no job");
  EXPECT_PROBLEM(GET(&server, "/v1/jobs/12"), 404, "no /v1/jobs/12");
}

/* A newer live job of a client takes the place of the older one, and leaves other clients'
 * alone. */
static void test_live_jobs_replace_each_other(void **state) {
  (void)state;
  char urls[3][128];
  static const char *const bodies[] = {
      "{\"class\":3,\"steps\":900,\"live\":true,\"client\":\"anna\"}",
      "{\"class\":3,\"steps\":2,\"live\":true,\"client\":\"bert\"}",
      "{\"class\":3,\"steps\":2,\"live\":true,\"client\":\"anna\"}",
  };
  static const char *const states[] = {"cancelled", "done", "done"};
  for (int i = 0; i < 3; i++) {
    reply r = POST(&server, "/v1/generate", bodies[i]);
    assert_int_equal(r.status, 202);
    snprintf(urls[i], sizeof urls[i], "%s", reply_header(&r, "Location"));
    reply_free(&r);
  }
  for (int i = 0; i < 3; i++) {
    char path[160];
    snprintf(path, sizeof path, "%s/events", urls[i]);
    reply r = GET(&server, path);
    reply_free(&r);
    r = GET(&server, urls[i]);
    json_t *job = reply_json(&r);
    assert_string_equal(text_of(job, "state"), states[i]);
    if (i == 0) assert_string_equal(text_of(job, "reason"), "replaced");
    json_decref(job);
  }
}

/* ---- Parts ---- */

/* The first map of an answer. */
static void read_map(msk_image *image, const json_t *answer) {
  static char bytes[1 << 20];
  const char *map = json_string_value(json_array_get(json_object_get(answer, "maps"), 0));
  assert_true(map != NULL && strncmp(map, "data:image/png;base64,", 22) == 0);
  size_t used = 0;
  unsigned group = 0, bits = 0;
  for (const char *c = map + 22; *c != 0 && *c != '='; c++) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    group = group << 6 | (unsigned)(strchr(letters, *c) - letters);
    bits += 6;
    if (bits >= 8) bytes[used++] = (char)(group >> (bits -= 8));
  }
  msk_error error;
  assert_int_equal(msk_image_decode(image, bytes, used, MSK_ALPHA_WHITE, "map", NULL, &error),
                   MSK_OK);
}

/* Of a job, and of its sketch alone under the same settings: the same red, and no green. Returns
 * the job's map. */
static msk_image compare_maps(const char *settings) {
  char text[512];
  snprintf(text, sizeof text, "{\"class\":3,%s\"steps\":2,\"sketch\":\"%%s\"}", settings);
  char *drawn = with_file(text, sketch());
  json_t *job = run_job(&server, "/v1/draw", drawn);
  free(drawn);
  snprintf(text, sizeof text, "{\"job\":\"%s\",\"index\":0,\"layers\":[0]}", text_of(job, "id"));
  reply r = POST(&server, "/v1/attention", text);
  assert_int_equal(r.status, 200);
  json_t *by_job = reply_json(&r);
  int side = (int)json_integer_value(json_object_get(by_job, "side"));
  assert_true(side > 1);
  assert_int_equal(json_array_size(json_object_get(by_job, "maps")), 1);
  snprintf(text, sizeof text, "{\"class\":3,%s\"layers\":[0],\"sketch\":\"%%s\"}", settings);
  char *of_sketch = with_file(text, sketch());
  r = POST(&server, "/v1/attention", of_sketch);
  assert_int_equal(r.status, 200);
  json_t *by_sketch = reply_json(&r);
  msk_image images[2] = {{0}, {0}};
  read_map(&images[0], by_job);
  read_map(&images[1], by_sketch);
  bool green = false;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(images[i].width, side * side);
    assert_int_equal(images[i].height, side * side);
  }
  for (int q = 0; q < side * side; q++) {
    int largest = 0;
    for (int k = 0; k < side * side; k++) {
      const uint8_t *both = images[0].pixels + 3 * (q * side * side + k),
                    *alone = images[1].pixels + 3 * (q * side * side + k);
      assert_int_equal(both[0], alone[0]);
      assert_int_equal(alone[1], 0);
      assert_int_equal(both[2], 0);
      largest = both[0] > largest ? both[0] : largest;
      green = green || both[1] > 0;
    }
    assert_int_equal(largest, 255);
  }
  assert_true(green);
  msk_image_free(&images[1]);
  free(of_sketch);
  json_decref(by_sketch);
  json_decref(by_job);
  json_decref(job);
  return images[0];
}

static void test_attention_maps(void **state) {
  (void)state;
  msk_image plain = compare_maps(""),
            cut = compare_maps("\"fit\":\"ink\",\"photo_of_paper\":true,");
  size_t bytes = (size_t)plain.width * (size_t)plain.height * 3;
  assert_memory_not_equal(plain.pixels, cut.pixels, bytes); /* the settings act */
  msk_image_free(&plain);
  msk_image_free(&cut);
  EXPECT_PROBLEM(POST(&server, "/v1/attention", "{\"class\":3}"), 422, "sketch");
  EXPECT_PROBLEM(POST(&server, "/v1/attention", "{\"job\":\"0\",\"class\":3}"), 422, "class");
}

/* What a PNG restores, sent back, makes the same PNG. */
static void restore_and_repeat(const char *file, const char *path, const char *const *taken) {
  size_t bytes;
  uint8_t *png = test_read_file(file, &bytes);
  reply r = ask_bytes(&server, "POST", "/v1/restore", NULL, "image/png", png, bytes);
  assert_int_equal(r.status, 200);
  json_t *settings = reply_json(&r), *body = json_object();
  for (int i = 0; taken[i] != NULL; i++)
    json_object_set(body, taken[i], json_object_get(settings, taken[i]));
  json_object_set(body, "class", json_object_get(json_object_get(settings, "class"), "id"));
  json_object_set(body, "first_item", json_object_get(settings, "item"));
  char *text = json_dumps(body, 0);
  json_t *job = run_job(&server, path, text);
  expect_picture(job, 0, file);
  json_decref(job);
  json_decref(body);
  json_decref(settings);
  free(text);
  free(png);
}

static void test_restore(void **state) {
  (void)state;
  static const char *const of_draw[] = {"seed", "recipe", "rng", "set", "sketch_tokens", NULL};
  static const char *const of_edit[] = {"seed", "recipe", "rng", "set", "photo", "box", NULL};
  EXPECT(0, "draw", sketch(), "--class", "3", "--seed", "77", "--steps", "3", "--first-item", "2",
         "--rng", "partitionable", "-o", in_folder("r.png"), "--quiet");
  restore_and_repeat(in_folder("r.png"), "/v1/draw", of_draw);
  EXPECT(0, "edit", photo(), "--class", "3", "--box", "16,24,64,48", "--steps", "3", "-o",
         in_folder("e.png"), "--quiet");
  restore_and_repeat(in_folder("e.png"), "/v1/edit", of_edit);
  EXPECT(0, "draw", golden_path("odd/input/sketch0.png"), "--model", model_of("odd"), "--class",
         "1", "--steps", "2", "-o", in_folder("x.png"), "--quiet");
  size_t bytes;
  uint8_t *png = test_read_file(in_folder("x.png"), &bytes);
  EXPECT_PROBLEM(ask_bytes(&server, "POST", "/v1/restore", NULL, "image/png", png, bytes), 409,
                 "another model" + 7);
  free(png);
  png = test_read_file(sketch(), &bytes);
  EXPECT_PROBLEM(ask_bytes(&server, "POST", "/v1/restore", NULL, "image/png", png, bytes), 422,
                 "does not say");
  free(png);
  EXPECT_PROBLEM(ask_bytes(&server, "POST", "/v1/restore", NULL, "image/png", "no png", 6), 422,
                 "PNG");
}

/* ---- Telling ---- */

static void test_lists(void **state) {
  (void)state;
  reply r = GET(&server, "/v1/models");
  json_t *models = reply_json(&r), *model = json_array_get(json_object_get(models, "data"), 0);
  assert_int_equal(json_integer_value(json_object_get(model, "image_size")), 128);
  assert_string_equal(text_of(model, "object"), "model");
  assert_string_equal(text_of(model, "precision"), "fp32");
  assert_string_equal(text_of(model, "decode_precision"), "fp32");
  assert_string_equal(text_of(model, "device"), "cpu");
  assert_int_equal(json_array_size(json_object_get(model, "devices")), 1);
  json_decref(models);
  r = GET(&server, "/v1/classes?limit=2");
  json_t *classes = reply_json(&r);
  assert_int_equal(json_array_size(json_object_get(classes, "classes")), 2);
  assert_true(json_integer_value(json_object_get(classes, "total")) > 2);
  json_decref(classes);
  EXPECT_PROBLEM(GET(&server, "/v1/classes?limit=0"), 422, "limit");
  r = GET(&server, "/v1/examples");
  json_t *examples = reply_json(&r),
         *example = json_array_get(json_object_get(examples, "examples"), 0);
  assert_int_equal(json_array_size(json_object_get(examples, "examples")), 24);
  assert_string_equal(text_of(example, "name"), "aeroplane-pencil.png");
  r = GET(&server, text_of(example, "url"));
  assert_string_equal(reply_header(&r, "Content-Type"), "image/png");
  assert_true(r.status == 200 && r.bytes > 1000 && memcmp(r.body, "\x89PNG", 4) == 0);
  reply_free(&r);
  json_decref(examples);
  EXPECT_PROBLEM(GET(&server, "/v1/examples/pear-pen.png"), 404, "pear-pen");
  EXPECT_PROBLEM(GET(&server, "/v1/examples/..%2f..%2fLICENSE"), 404, "");
  r = GET(&server, "/v1/recipes");
  json_t *recipes = reply_json(&r);
  assert_true(json_array_size(json_object_get(recipes, "recipes")) >= 4);
  const json_t *first = json_array_get(json_object_get(recipes, "recipes"), 0);
  assert_true(text_of(json_object_get(json_object_get(first, "settings"), "draw"), "steps")[0] !=
              0);
  json_decref(recipes);
  r = GET(&server, "/healthz");
  assert_string_equal(r.body, "{\"status\":\"ok\"}");
  reply_free(&r);
  r = GET(&server, "/metrics");
  assert_non_null(strstr(r.body, "\nmasksketch_jobs_total{outcome=\"done\"} "));
  assert_non_null(strstr(r.body, "\n# TYPE masksketch_job_seconds histogram\n"));
  assert_non_null(strstr(r.body, "\n# TYPE masksketch_job_wait_seconds histogram\n"));
  assert_non_null(strstr(r.body, "\nmasksketch_build_info{version=\""));
  assert_non_null(strstr(r.body, "\nprocess_start_time_seconds 1"));
  reply_free(&r);
}

/* Every route of the OpenAPI document is there, and answers a wrong method with 405. */
/* The picture in a data: URI. */
static msk_image picture_in(const char *url) {
  size_t count = 0;
  msk_image image = {0};
  msk_error error = {0};
  assert_int_equal(strncmp(url, "data:image/png;base64,", 22), 0);
  void *bytes = base64_decode(url + 22, &count);
  assert_non_null(bytes);
  assert_int_equal(msk_image_decode(&image, bytes, count, MSK_ALPHA_WHITE, "it", NULL, &error),
                   MSK_OK);
  free(bytes);
  return image;
}

/* A drawing prepared is what the library's preparation makes of it, at four times the side. */
static void test_preparing(void **state) {
  (void)state;
  static const char *const fits[] = {"pad", "ink"};
  for (int i = 0; i < 2; i++) {
    char format[100];
    snprintf(format, sizeof format, "{\"sketch\":\"%%s\",\"fit\":\"%s\"}", fits[i]);
    char *body = with_file(format, golden_path("image/png/rgb8.png"));
    reply r = POST(&server, "/v1/prepare", body);
    assert_int_equal(r.status, 200);
    json_t *answer = reply_json(&r);
    assert_int_equal(json_integer_value(json_object_get(answer, "side")), 512);
    assert_true(json_is_array(json_object_get(answer, "warnings")));
    msk_image got = picture_in(text_of(answer, "sketch")), source, expected;
    msk_error error = {0};
    msk_prepare_options options;
    msk_prepare_init(&options);
    options.fit = i == 0 ? MSK_FIT_PAD : MSK_FIT_INK;
    assert_int_equal(
        msk_image_load(&source, golden_path("image/png/rgb8.png"), MSK_ALPHA_SKETCH, NULL, &error),
        MSK_OK);
    assert_int_equal(msk_image_prepare(&expected, &source, 512, 512, &options, NULL, &error),
                     MSK_OK);
    assert_int_equal(got.width, 512);
    assert_memory_equal(got.pixels, expected.pixels, 512 * 512 * 3);
    msk_image_free(&got);
    msk_image_free(&source);
    msk_image_free(&expected);
    json_decref(answer);
    free(body);
  }
  EXPECT_PROBLEM(POST(&server, "/v1/prepare", "{}"), 422, "sketch");
  EXPECT_PROBLEM(POST(&server, "/v1/prepare", "{\"sketch\":\"AAAAAAAA\"}"), 422, "not a picture");
}

/* What the page may suggest is what the command line says of the same drawing. */
static void test_guessing(void **state) {
  (void)state;
  char *body = with_file("{\"sketch\":\"%s\"}", sketch());
  reply r = POST(&server, "/v1/guess", body);
  assert_int_equal(r.status, 200);
  run_result command = RUN("score", "--classes", sketch(), "--json");
  assert_int_equal(command.code, 0);
  json_t *answer = reply_json(&r), *rows = json_loads(command.out, 0, NULL), *guess;
  const json_t *classes = json_object_get(json_array_get(rows, 0), "classes");
  size_t place;
  assert_true(json_array_size(classes) > 1);
  assert_int_equal(json_array_size(json_object_get(answer, "classes")), json_array_size(classes));
  json_array_foreach(json_object_get(answer, "classes"), place, guess) {
    const json_t *other = json_array_get(classes, place);
    assert_string_equal(text_of(guess, "name"), text_of(other, "name"));
    assert_true(json_equal(json_object_get(guess, "id"), json_object_get(other, "id")));
    assert_true(json_equal(json_object_get(guess, "score"), json_object_get(other, "score")));
    assert_true(json_equal(json_object_get(guess, "share"), json_object_get(other, "share")));
  }
  json_decref(answer);
  json_decref(rows);
  run_free(&command);
  free(body);
  EXPECT_PROBLEM(POST(&server, "/v1/guess", "{}"), 422, "sketch");
  EXPECT_PROBLEM(POST(&server, "/v1/guess", "{\"sketch\":\"\",\"class\":1}"), 422, "class");
}

static void test_openapi_names_the_routes(void **state) {
  (void)state;
  reply r = GET(&server, "/v1/openapi.json");
  json_t *document = reply_json(&r), *methods;
  const char *path;
  int count = 0;
  json_object_foreach(json_object_get(document, "paths"), path, methods) {
    char url[200] = "";
    for (const char *c = path; *c != 0; c++) {
      const char *filler = strncmp(c, "{id}", 4) == 0  ? "0123456789abcdef0123456789abcdef"
                           : strncmp(c, "{n}", 3) == 0 ? "0"
                                                       : NULL;
      snprintf(url + strlen(url), sizeof url - strlen(url), "%.1s%s", filler == NULL ? c : "",
               filler == NULL ? "" : filler);
      if (filler != NULL) c = strchr(c, '}');
    }
    r = ask(&server, "PUT", url, NULL, NULL);
    assert_int_equal(r.status, 405);
    const char *allow = reply_header(&r, "Allow");
    assert_int_equal(strstr(allow, "GET") != NULL, json_object_get(methods, "get") != NULL);
    assert_int_equal(strstr(allow, "POST") != NULL, json_object_get(methods, "post") != NULL);
    assert_int_equal(strstr(allow, "DELETE") != NULL, json_object_get(methods, "delete") != NULL);
    reply_free(&r);
    count++;
  }
  assert_int_equal(count, 22);
  json_decref(document);
}

static void test_page_and_head(void **state) {
  (void)state;
  reply r = GET(&server, "/");
  assert_int_equal(r.status, 200);
  assert_non_null(strstr(reply_header(&r, "Content-Type"), "text/html"));
  char tag[200];
  snprintf(tag, sizeof tag, "If-None-Match: %s\r\n", reply_header(&r, "ETag"));
  size_t bytes = r.bytes;
  reply_free(&r);
  size_t wanted;
  uint8_t *file = test_read_file("server/www/index.html", &wanted);
  assert_int_equal(bytes, wanted);
  free(file);
  r = ask(&server, "GET", "/index.html", tag, NULL);
  assert_int_equal(r.status, 304);
  reply_free(&r);
  r = ask(&server, "HEAD", "/", NULL, NULL);
  assert_int_equal(r.status, 200);
  assert_int_equal(r.bytes, 0);
  assert_int_equal(atoi(reply_header(&r, "Content-Length")), bytes);
  reply_free(&r);
}

/* ---- OpenAI's shape ---- */

static void test_openai_shape(void **state) {
  (void)state;
  reply r = POST(&server, "/v1/images/generations",
                 "{\"model\":\"any\",\"prompt\":\"A photo of a goldfish, at "
                 "night\",\"n\":2,\"seed\":4,\"response_format\":\"b64_json\"}");
  if (r.status != 200) fail_msg("%d: %s", r.status, r.body);
  json_t *answer = reply_json(&r);
  assert_int_equal(json_array_size(json_object_get(answer, "data")), 2);
  assert_true(json_integer_value(json_object_get(answer, "created")) > 1700000000);
  EXPECT(0, "generate", "--class", "goldfish", "--seed", "4", "-o", in_folder("openai.png"),
         "--quiet");
  char *wanted = with_file("%s", in_folder("openai.png"));
  assert_string_equal(text_of(json_array_get(json_object_get(answer, "data"), 0), "b64_json"),
                      wanted);
  free(wanted);
  json_decref(answer);
  r = POST(&server, "/v1/images/generations", "{\"prompt\":\"a unicorn\"}");
  assert_int_equal(r.status, 400);
  json_t *problem = reply_json(&r), *inner = json_object_get(problem, "error");
  assert_string_equal(text_of(inner, "type"), "invalid_request_error");
  assert_string_equal(text_of(inner, "param"), "prompt");
  assert_string_equal(text_of(inner, "message"), text_of(problem, "detail"));
  json_decref(problem);
  size_t count, used = 0; /* the mask has no transparent place */
  uint8_t *bytes = test_read_file(photo(), &count);
  char *body = malloc(2 * count + 4096);
  assert_non_null(body);
  append_part(body, &used, "image", "i.png", bytes, count);
  append_part(body, &used, "mask", "m.png", bytes, count);
  append_part(body, &used, "prompt", NULL, "goldfish", 8);
  append(body, &used, "--xyz--\r\n", 9);
  r = ask_bytes(&server, "POST", "/v1/images/edits", NULL, "multipart/form-data; boundary=xyz",
                body, used);
  assert_int_equal(r.status, 422);
  assert_non_null(strstr(r.body, "transparent"));
  reply_free(&r);
  free(body);
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_draw_is_the_command_lines),
      cmocka_unit_test(test_generate_and_official),
      cmocka_unit_test(test_candidates),
      cmocka_unit_test(test_kinds_of_settings),
      cmocka_unit_test(test_edit_by_box_and_mask),
      cmocka_unit_test(test_multipart),
      cmocka_unit_test(test_events_tell_the_job),
      cmocka_unit_test(test_cancel_forget_and_missing),
      cmocka_unit_test(test_live_jobs_replace_each_other),
      cmocka_unit_test(test_attention_maps),
      cmocka_unit_test(test_restore),
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_openapi_names_the_routes),
      cmocka_unit_test(test_preparing),
      cmocka_unit_test(test_guessing),
      cmocka_unit_test(test_page_and_head),
      cmocka_unit_test(test_openai_shape),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
