/* SPDX-License-Identifier: Apache-2.0
 *
 * test_serve_openai.c - OpenAI's shape as its clients use it: prompts as people write them, every
 * optional field, sizes, addresses, streams, and a drawing sent as an image. */
#include <signal.h>
#include <unistd.h>

#include "client.h"

static served server;

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

static reply generate(const char *format, const char *text) {
  char json[2048];
  snprintf(json, sizeof json, format, text);
  return POST(&server, "/v1/images/generations", json);
}

/* The picture in base64 of an answer with one. */
static char *picture_of(reply r) {
  if (r.status != 200) fail_msg("status %d: %.300s", r.status, r.body == NULL ? "" : r.body);
  json_t *answer = reply_json(&r);
  char *text = strdup(text_of(json_array_get(json_object_get(answer, "data"), 0), "b64_json"));
  json_decref(answer);
  return text;
}

/* ---- Prompts ---- */

/* goldfish, teapot, mug, house, tree, car, apple, bird, fish, house finch */
static void test_prompts(void **state) {
  (void)state;
  static const struct {
    const char *prompt, *name; /* NULL: refused with 400 */
  } prompts[] = {
      {"a photo of a teapot", "teapot"},
      {"\\u201cteapot\\u201d", "teapot"},
      {"'teapot'", "teapot"},
      {"a teapot\\u2026", "teapot"},
      {"a\\u00a0teapot\\u00a0please", "teapot"},
      {"\\ud83d\\ude00teapot\\ud83c\\udf75", "teapot"},
      {"my grandmother\\u2019s teapot", "teapot"},
      {"the teapot's lid", "teapot"},
      {"Teapots on a shelf", "teapot"},
      {"TEAPOT", "teapot"},
      {"a tea pot", "teapot"},
      {"a tea-pot", "teapot"},
      {"an apple", "apple"},
      {"apples", "apple"},
      {"some apples, red ones", "apple"},
      {"the fishes of the sea", "fish"},
      {"a gold fish", "goldfish"},
      {"a mug", "mug"},
      {"t\\u00e9apot", "teapot"},
      {"a house finch", "house finch"},
      {"two house finches", "house finch"},
      {"carassius auratus at night", "goldfish"},
      {"teap", "teapot"},
      {"an apple and a teapot", NULL},
      {"a house finch on a house", NULL},
      {"a mug; a car", NULL},
      {"a unicorn", NULL},
      {"carpet", NULL}, /* no car */
      {"treehouses", NULL},
      {"3", NULL},
      {"\\ud83d\\ude00", NULL},
      {"...", NULL},
  };
  for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++) {
    reply r = generate("{\"prompt\":\"%s\",\"seed\":3}", prompts[i].prompt);
    if (prompts[i].name == NULL) {
      if (r.status != 400) fail_msg("%s: status %d", prompts[i].prompt, r.status);
      reply_free(&r);
      continue;
    }
    if (r.status != 200) fail_msg("%s: status %d: %.300s", prompts[i].prompt, r.status, r.body);
    reply wanted = generate("{\"prompt\":\"%s\",\"seed\":3}", prompts[i].name);
    char *one = picture_of(r), *other = picture_of(wanted);
    if (strcmp(one, other) != 0) fail_msg("%s is no %s", prompts[i].prompt, prompts[i].name);
    free(one);
    free(other);
  }
  EXPECT_PROBLEM(generate("{\"prompt\":\"%s\"}", "an apple and a teapot"), 400,
                 "several classes (teapot, apple)");
  EXPECT_PROBLEM(generate("{\"prompt\":\"%s\"}", "a unicorn"), 400,
                 "knows these 10: goldfish, teapot, mug");
}

/* ---- Fields ---- */

static void test_optional_fields(void **state) {
  (void)state;
  static const char *const good[] = {
      "{\"prompt\":\"mug\",\"n\":null,\"size\":null,\"seed\":null,\"response_format\":null,"
      "\"output_format\":null,\"output_compression\":null,\"model\":null,\"user\":null,"
      "\"quality\":null,\"style\":null,\"background\":null,\"moderation\":null,\"stream\":null,"
      "\"partial_images\":null}",
      "{\"prompt\":\"mug\",\"stream\":false,\"partial_images\":0,\"moderation\":\"low\"}",
      "{\"prompt\":\"mug\",\"output_format\":\"jpeg\",\"output_compression\":0}",
      "{\"prompt\":\"mug\",\"output_format\":\"webp\",\"output_compression\":100}"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    free(picture_of(POST(&server, "/v1/images/generations", good[i])));
  EXPECT_PROBLEM(POST(&server, "/v1/images/generations",
                      "{\"prompt\":\"mug\",\"stream\":true,\"partial_images\":4}"),
                 422, "from 0 to 3");
}

static void test_sizes(void **state) {
  (void)state;
  static const struct {
    const char *asked, *made;
    bool noted;
  } sizes[] = {{"auto", "128x128", false},       {"128x128", "128x128", false},
               {"256x256", "256x256", false},    {"1024x1024", "1024x1024", false},
               {"1536x1024", "1536x1024", true}, {"1024x1792", "1024x1792", true},
               {"4096x4096", "1968x1968", true}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    reply r =
        generate("{\"prompt\":\"mug\",\"output_format\":\"jpeg\",\"size\":\"%s\"}", sizes[i].asked);
    assert_int_equal(r.status, 200);
    json_t *answer = reply_json(&r);
    if (strncmp(sizes[i].asked, "4096", 4) != 0)
      assert_string_equal(text_of(answer, "size"), sizes[i].made);
    assert_string_equal(text_of(answer, "output_format"), "jpeg");
    assert_int_equal(json_object_get(answer, "warnings") != NULL, sizes[i].noted);
    json_decref(answer);
  }
  static const char *const bad[] = {"7x7", "1024", "1024x", "x", "big", "-5x5", "99999x9"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    EXPECT_PROBLEM(generate("{\"prompt\":\"mug\",\"size\":\"%s\"}", bad[i]), 422, "size was given");
}

static void test_addresses(void **state) {
  (void)state;
  static const char *const fields[] = {"", ",\"size\":\"512x256\",\"output_format\":\"jpeg\""},
                           *const types[] = {"image/png", "image/jpeg"};
  for (int i = 0; i < 2; i++) {
    reply r = generate("{\"prompt\":\"mug\",\"response_format\":\"url\"%s}", fields[i]);
    assert_int_equal(r.status, 200);
    json_t *answer = reply_json(&r);
    const char *url = text_of(json_array_get(json_object_get(answer, "data"), 0), "url");
    assert_int_equal(strncmp(url, "http://localhost/v1/jobs/", 25), 0);
    r = GET(&server, url + strlen("http://localhost"));
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "Content-Type"), types[i]);
    msk_image image;
    msk_error error;
    assert_int_equal(msk_image_decode(&image, r.body, r.bytes, MSK_ALPHA_WHITE, "it", NULL, &error),
                     MSK_OK);
    assert_int_equal(image.width, i == 0 ? 128 : 512);
    assert_int_equal(image.height, i == 0 ? 128 : 256);
    msk_image_free(&image);
    reply_free(&r);
    json_decref(answer);
  }
}

static void test_models(void **state) {
  (void)state;
  reply r = GET(&server, "/v1/models");
  json_t *list = reply_json(&r), *model = json_array_get(json_object_get(list, "data"), 0);
  char path[300];
  snprintf(path, sizeof path, "/v1/models/%s", text_of(model, "id"));
  r = GET(&server, path);
  assert_int_equal(r.status, 200);
  json_t *one = reply_json(&r);
  assert_true(json_equal(one, model));
  json_decref(one);
  json_decref(list);
  EXPECT_PROBLEM(GET(&server, "/v1/models/dall-e-3"), 404, "dall-e-3");
}

/* ---- Streams ---- */

static int count_of(const char *text, const char *word) {
  int count = 0;
  for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) count++;
  return count;
}

static void test_stream(void **state) {
  (void)state;
  char *whole = picture_of(generate("{\"prompt\":\"%s\",\"seed\":5}", "mug"));
  for (int partials = 0; partials <= 3; partials++) {
    char json[200];
    snprintf(json, sizeof json,
             "{\"prompt\":\"mug\",\"seed\":5,\"stream\":true,\"partial_images\":%d}", partials);
    reply r = POST(&server, "/v1/images/generations", json);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "Content-Type"), "text/event-stream");
    assert_int_equal(count_of(r.body, "event: image_generation.partial_image\n"), partials);
    assert_int_equal(count_of(r.body, "\"type\":\"image_generation.partial_image\""), partials);
    assert_int_equal(count_of(r.body, "event: image_generation.completed\n"), 1);
    assert_int_equal(count_of(r.body, "event: "), partials + 1);
    assert_non_null(strstr(r.body, whole)); /* what comes at once */
    reply_free(&r);
  }
  free(whole);
}

/* ---- Edits ---- */

typedef struct body {
  char *bytes;
  size_t count;
} body;

static void add(body *b, const void *bytes, size_t count) {
  b->bytes = realloc(b->bytes, b->count + count);
  memcpy(b->bytes + b->count, bytes, count);
  b->count += count;
}

static void add_part(body *b, const char *name, const void *bytes, size_t count) {
  char head[200];
  add(b, head,
      (size_t)snprintf(head, sizeof head,
                       "--X\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n", name));
  add(b, bytes, count);
  add(b, "\r\n", 2);
}

static reply send_edit(body *b) {
  add(b, "--X--\r\n", 7);
  reply r = ask_bytes(&server, "POST", "/v1/images/edits", NULL, "multipart/form-data; boundary=X",
                      b->bytes, b->count);
  free(b->bytes);
  *b = (body){0};
  return r;
}

/* An opaque image without a mask is a drawing; so it is with everything that clients put beside
 * it. */
static void test_drawing_is_sent(void **state) {
  (void)state;
  size_t count;
  const char *path = golden_path("image/png/rgb8.png");
  uint8_t *sketch = test_read_file(path, &count);
  char *json = with_file("{\"class\":2,\"seed\":9,\"sketch\":\"%s\"}", path);
  json_t *job = run_job(&server, "/v1/draw", json);
  reply r = GET(&server, text_of(json_array_get(json_object_get(job, "images"), 0), "url"));
  assert_int_equal(msk_file_write(in_folder("drawn.png"), r.body, r.bytes, NULL), MSK_OK);
  reply_free(&r);
  char *wanted = with_file("%s", in_folder("drawn.png"));
  for (int variant = 0; variant < 2; variant++) {
    body b = {0};
    add_part(&b, variant == 0 ? "image" : "image[]", sketch, count);
    add_part(&b, "prompt", "a mug", 5);
    add_part(&b, "seed", "9", 1);
    if (variant == 1) {
      add_part(&b, "mask", "", 0);
      add_part(&b, "moderation", "auto", 4);
      add_part(&b, "stream", "false", 5);
      add_part(&b, "output_compression", "0", 1);
    }
    char *made = picture_of(send_edit(&b));
    assert_string_equal(made, wanted);
    free(made);
  }
  json_decref(job);
  free(json);
  free(wanted);
  free(sketch);
}

/* The same in JSON, in each of the shapes that clients send a picture in. */
static void test_drawing_in_json(void **state) {
  (void)state;
  static const char *const shapes[] = {"\"image\":\"%s\"", "\"image\":\"data:image/png;base64,%s\"",
                                       "\"image\":[\"%s\"],\"mask\":null",
                                       "\"images\":[{\"image_url\":\"data:image/png;base64,%s\"}]"};
  const char *path = golden_path("image/png/rgb8.png");
  size_t count;
  uint8_t *sketch = test_read_file(path, &count);
  body b = {0};
  add_part(&b, "image", sketch, count);
  add_part(&b, "prompt", "a mug", 5);
  add_part(&b, "seed", "9", 1);
  char *wanted = picture_of(send_edit(&b));
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    char frame[200];
    snprintf(frame, sizeof frame, "{\"prompt\":\"a mug\",\"seed\":9,%s}", shapes[i]);
    char *json = with_file(frame, path);
    char *made = picture_of(POST(&server, "/v1/images/edits", json));
    assert_string_equal(made, wanted);
    free(made);
    free(json);
  }
  free(wanted);
  free(sketch);
}

static void test_pictures_that_are_none(void **state) {
  (void)state;
  static const struct {
    const char *body, *field, *told;
  } cases[] = {
      {"{\"prompt\":\"mug\"}", "image", "missing"},
      {"{\"prompt\":\"mug\",\"image\":7}", "image", "no picture in base64"},
      {"{\"prompt\":\"mug\",\"images\":[]}", "images", "has 0 pictures, expected one"},
      {"{\"prompt\":\"mug\",\"images\":[{},{}]}", "images", "has 2 pictures, expected one"},
      {"{\"prompt\":\"mug\",\"images\":[{\"file_id\":\"f\"}]}", "images", "no picture in base64"},
      {"{\"prompt\":\"mug\",\"image\":\"https://example.org/a.png\"}", "image", "is not fetched"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    reply r = POST(&server, "/v1/images/edits", cases[i].body);
    json_t *problem = json_loads(r.body, 0, NULL);
    assert_int_equal(r.status, 422);
    assert_string_equal(text_of(problem, "field"), cases[i].field);
    assert_non_null(strstr(text_of(problem, "detail"), cases[i].told));
    json_decref(problem);
    reply_free(&r);
  }
}

/* Transparent places are repainted, with every token that they touch, and in a stream too. */
static void test_transparent_image(void **state) {
  (void)state;
  size_t count;
  uint8_t *photo = test_read_file(golden_path("image/png/rgba8.png"), &count);
  body b = {0};
  add_part(&b, "image", photo, count);
  add_part(&b, "prompt", "a house", 7);
  add_part(&b, "stream", "true", 4);
  reply r = send_edit(&b);
  assert_int_equal(r.status, 200);
  assert_int_equal(count_of(r.body, "event: image_edit.completed\n"), 1);
  reply_free(&r);
  free(photo);
}

/* A model whose weights lead to infinite numbers: told of the job, and of OpenAI's pictures. */
static void test_overflow(void **state) {
  (void)state;
  test_write_filled(getenv("MASKSKETCH_MODEL"), in_folder("large.safetensors"),
                    "transformer.MlmLayer_0.mlm_dense.kernel", 3e38f);
  served large = SERVE("--quiet", "--model", in_folder("large.safetensors"));
  json_t *object = run_job(&large, "/v1/generate", "{\"class\": 1, \"steps\": 2}");
  json_t *warnings = json_object_get(object, "warnings");
  assert_int_equal(json_array_size(warnings), 1);
  assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)), "infinite"));
  json_decref(object);
  object = run_job(&server, "/v1/generate", "{\"class\": 1, \"steps\": 2}");
  assert_int_equal(json_array_size(json_object_get(object, "warnings")), 0);
  json_decref(object);
  reply r = POST(&large, "/v1/images/generations", "{\"prompt\": \"teapot\"}");
  assert_int_equal(r.status, 200);
  object = reply_json(&r);
  assert_int_equal(json_array_size(json_object_get(object, "warnings")), 1);
  json_decref(object);
  r = POST(&large, "/v1/images/generations", "{\"prompt\": \"teapot\", \"stream\": true}");
  assert_non_null(strstr(r.body, "\"warnings\":[\"the model gave"));
  reply_free(&r);
  assert_int_equal(serve_stop(&large, SIGTERM), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_prompts),
      cmocka_unit_test(test_optional_fields),
      cmocka_unit_test(test_sizes),
      cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_models),
      cmocka_unit_test(test_stream),
      cmocka_unit_test(test_drawing_is_sent),
      cmocka_unit_test(test_drawing_in_json),
      cmocka_unit_test(test_pictures_that_are_none),
      cmocka_unit_test(test_transparent_image),
      cmocka_unit_test(test_overflow),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
