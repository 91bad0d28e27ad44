/* SPDX-License-Identifier: Apache-2.0
 *
 * test_serve_forms.c - bodies as clients send them: boundaries, base64, JSON and nulls in all
 * their variants; and pictures that hide in other formats, which go through the same bounds. */
#include <signal.h>
#include <unistd.h>

#include "client.h"
#include "masksketch_tools.h"

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

/* ---- multipart ---- */

static void test_boundaries(void **state) {
  (void)state;
  static const struct {
    const char *type, *body;
    int status;
  } cases[] = {
      {"multipart/form-data; boundary=X", "--X%s--X--\r\n", 202},
      {"multipart/form-data; boundary=X; charset=UTF-8", "--X%s--X--\r\n", 202},
      {"multipart/form-data; charset=UTF-8; boundary=X", "--X%s--X--\r\n", 202},
      {"multipart/form-data; boundary=X;", "--X%s--X--\r\n", 202},
      {"multipart/form-data; Boundary=X", "--X%s--X--\r\n", 202},
      {"multipart/form-data;boundary=\"X\"", "--X%s--X--\r\n", 202},
      {"Multipart/Form-Data; BOUNDARY=\"X\" ; a=b", "--X%s--X--\r\n", 202},
      {"multipart/form-data; boundary=----WebKitFormBoundary7MA4", /* browsers */
       "------WebKitFormBoundary7MA4%s------WebKitFormBoundary7MA4--\r\n", 202},
      {"multipart/form-data; boundary=X", "a preamble\r\n--X%s--X--\r\nan epilogue", 202},
      {"multipart/form-data; boundary=X", "--X  %s--X--", 202},
      {"multipart/form-data", "--X%s--X--\r\n", 400},
      {"multipart/form-data; boundary=", "--X%s--X--\r\n", 400},
      {"multipart/form-data; boundary=Y", "--X%s--X--\r\n", 400},
      {"multipart/form-data; xboundary=X", "--X%s--X--\r\n", 400},
      {"multipart/form-data; boundary=X", "--X%s", 400},
      {"multipart/form-data; boundary=X", "--X%s--X", 400},
      {"multipart/form-data; boundary=X", "--Y%s--Y--\r\n", 400},
      {"multipart/form-data; boundary=X", "", 400},
  };
  static const char part[] = "\r\nContent-Disposition: form-data; name=\"class\"\r\n\r\nteapot\r\n";
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char body[512];
    snprintf(body, sizeof body, cases[i].body, part);
    reply r = ask_bytes(&server, "POST", "/v1/generate", NULL, cases[i].type, body, strlen(body));
    if (r.status != cases[i].status)
      fail_msg("%s, %s: status %d: %.200s", cases[i].type, cases[i].body, r.status, r.body);
    reply_free(&r);
  }
}

static void test_parts(void **state) {
  (void)state;
  static const struct {
    const char *parts;
    int status;
  } cases[] = {
      {"Content-Disposition: form-data; name=class\r\n\r\nteapot", 202},
      {"content-disposition: Form-Data; NAME=\"class\"\r\nContent-Type: text/plain\r\n\r\nteapot",
       202},
      {"Content-Disposition: form-data; filename=\"a;name=x\"; name=\"class\"\r\n\r\nteapot", 202},
      {"Content-Disposition: form-data; name=\"class\"\r\nContent-Transfer-Encoding: "
       "binary\r\n\r\nteapot",
       202},
      {"Content-Disposition: form-data; "
       "name=\"class\"\r\n\r\nteapot\r\n--X\r\nContent-Disposition: "
       "form-data; name=\"seed\"\r\n\r\n",
       202}, /* a field that nobody has filled in */
      {"Content-Disposition: form-data; name=\"class\"\r\nContent-Transfer-Encoding: "
       "base64\r\n\r\ndGVhcG90",
       422},
      {"Content-Disposition: form-data\r\n\r\nteapot", 422},
      {"Content-Type: text/plain\r\n\r\nteapot", 422},
      {"Content-Disposition: form-data; name=\"class\"\r\n\r\nmug\r\n--X\r\nContent-Disposition: "
       "form-data; name=\"class\"\r\n\r\nteapot",
       422},
      {"Content-Disposition: form-data; name=\"class\"\r\n", 422}, /* nothing in it */
      {"Content-Disposition: form-data; name=\"class\"", 400},
      {"", 422},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char body[1024];
    snprintf(body, sizeof body, "--X\r\n%s\r\n--X--\r\n", cases[i].parts);
    reply r = ask_bytes(&server, "POST", "/v1/generate", NULL, "multipart/form-data; boundary=X",
                        body, strlen(body));
    if (r.status != cases[i].status)
      fail_msg("%s: status %d: %.200s", cases[i].parts, r.status, r.body);
    reply_free(&r);
  }
}

/* ---- JSON ---- */

static void test_json_variants(void **state) {
  (void)state;
  static const char *const good[] = {
      "\xEF\xBB\xBF{\"class\":3}",
      "{\"class\":3,\"seed\":null,\"count\":null,\"set\":null,\"preview\":null,\"client\":null,"
      "\"live\":null,\"recipe\":null}",
      /* as /v1/restore answers */
      "{\"class\":3,\"photo\":null,\"mask\":null,\"box\":null,\"lambda_map\":null,\"page\":null}"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    reply r = POST(&server, "/v1/generate", good[i]);
    if (r.status != 202) fail_msg("%s: status %d: %.200s", good[i], r.status, r.body);
    reply_free(&r);
  }
}

/* The same picture in base64 as people send it. */
static void test_base64_variants(void **state) {
  (void)state;
  char *plain = with_file("%s", golden_path("image/png/rgb8.png"));
  size_t length = strlen(plain);
  char *variants[6];
  for (int v = 0; v < 6; v++) {
    char *out = variants[v] = calloc(1, 2 * length + 100), *at = out;
    if (v == 4) at += sprintf(at, "data:image/png;base64,");
    for (size_t i = 0; i < length; i++) {
      char c = plain[i];
      if (v == 1 && c == '=') continue;                               /* not padded */
      if (v == 2 && (c == '+' || c == '/')) c = c == '+' ? '-' : '_'; /* for addresses */
      *at++ = c;
      if (v == 3 && i % 76 == 75) at += sprintf(at, "\\r\\n"); /* wrapped as in mail */
    }
    if (v == 5) sprintf(at, "\\n");
  }
  for (int v = 0; v < 6; v++) {
    char *json = malloc(strlen(variants[v]) + 100);
    sprintf(json, "{\"class\":3,\"steps\":1,\"sketch\":\"%s\"}", variants[v]);
    reply r = POST(&server, "/v1/draw", json);
    if (r.status != 202) fail_msg("variant %d: status %d: %.200s", v, r.status, r.body);
    reply_free(&r);
    free(json);
    free(variants[v]);
  }
  static const char *const bad[] = {"A", "AAAA=", "AAA==", "AA=A", "A*AA", "AAB=", "AB=="};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char json[100];
    snprintf(json, sizeof json, "{\"class\":3,\"sketch\":\"%s\"}", bad[i]);
    EXPECT_PROBLEM(POST(&server, "/v1/draw", json), 422, "base64");
  }
  free(plain);
}

/* ---- Pictures inside pictures ---- */

/* One colour, lossless: some kilobytes for many megapixels. */
static char *large_picture(int width, int height) {
  msk_image image;
  msk_error error;
  void *bytes;
  size_t count;
  char path[4096];
  assert_int_equal(msk_image_create(&image, width, height, NULL, &error), MSK_OK);
  memset(image.pixels, 200, (size_t)width * (size_t)height * 3);
  assert_int_equal(
      msk_image_encode(&image, MSK_FORMAT_WEBP, 0, NULL, 0, &bytes, &count, NULL, &error), MSK_OK);
  snprintf(path, sizeof path, "%s", in_folder("large.webp"));
  assert_int_equal(msk_file_write(path, bytes, count, &error), MSK_OK);
  msk_free(NULL, bytes);
  msk_image_free(&image);
  return with_file("%s", path);
}

/* The settings of a real picture, with another lambda map. */
static void *with_map(const char *base64, size_t *count) {
  msk_error error;
  char *text = NULL;
  void *bytes;
  char *sketch =
      with_file("{\"class\":3,\"steps\":1,\"sketch\":\"%s\"}", golden_path("image/png/rgb8.png"));
  json_t *job = run_job(&server, "/v1/draw", sketch);
  reply r = GET(&server, text_of(json_array_get(json_object_get(job, "images"), 0), "url"));
  assert_int_equal(msk_png_text(r.body, r.bytes, "masksketch", &text, NULL, &error), MSK_OK);
  json_t *settings = json_loads(text, 0, NULL);
  json_object_set_new(settings, "lambda_map", json_string(base64));
  msk_free(NULL, text);
  text = json_dumps(settings, JSON_COMPACT);
  msk_image small;
  assert_int_equal(msk_image_create(&small, 8, 8, NULL, &error), MSK_OK);
  memset(small.pixels, 0, 8 * 8 * 3);
  const msk_text entry = {"masksketch", text};
  assert_int_equal(
      msk_image_encode(&small, MSK_FORMAT_PNG, 0, &entry, 1, &bytes, count, NULL, &error), MSK_OK);
  msk_image_free(&small);
  free(text);
  free(sketch);
  json_decref(settings);
  json_decref(job);
  reply_free(&r);
  return bytes;
}

static void test_pictures_in_texts(void **state) {
  (void)state;
  static const int sides[][2] = {{5000, 4000}, {200, 100}, {128, 64}};
  for (size_t i = 0; i < 3; i++) {
    size_t count;
    char *base64 = large_picture(sides[i][0], sides[i][1]);
    void *png = with_map(base64, &count);
    long before = serve_kilobytes(&server);
    reply r = ask_bytes(&server, "POST", "/v1/restore", NULL, "image/png", png, count);
    if (r.status != (i == 2 ? 200 : 422))
      fail_msg("map %zu: status %d: %.200s", i, r.status, r.body);
    if (i < 2) assert_non_null(strstr(r.body, "at most the model's size"));
    assert_true(serve_kilobytes(&server) - before < 30 << 10);
    reply_free(&r);
    msk_free(NULL, png);
    free(base64);
  }
}

/* A PNG whose end is missing is taken, and the job tells of it. */
static void test_cut_off(void **state) {
  (void)state;
  size_t count;
  msk_error error;
  uint8_t *png = test_read_file(golden_path("tiny/input/sketch0.png"), &count);
  assert_int_equal(msk_file_write(in_folder("cut.png"), png, count - 12, &error), MSK_OK);
  char *json = with_file("{\"class\":3,\"steps\":1,\"sketch\":\"%s\"}", in_folder("cut.png"));
  json_t *job = run_job(&server, "/v1/draw", json), *warnings = json_object_get(job, "warnings");
  assert_string_equal(text_of(job, "state"), "done");
  assert_int_equal(json_array_size(warnings), 1);
  assert_non_null(strstr(json_string_value(json_array_get(warnings, 0)), "missing"));
  json_decref(job);
  free(json);
  free(png);
}

/* What is too large is told with what was found. */
static void test_too_many_pixels(void **state) {
  (void)state;
  char *base64 = large_picture(5000, 4000), *json = malloc(strlen(base64) + 100);
  sprintf(json, "{\"class\":3,\"sketch\":\"%s\"}", base64);
  EXPECT_PROBLEM(POST(&server, "/v1/draw", json), 413, "5000 x 4000 pixels");
  free(json);
  free(base64);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_boundaries),        cmocka_unit_test(test_parts),
      cmocka_unit_test(test_json_variants),     cmocka_unit_test(test_base64_variants),
      cmocka_unit_test(test_pictures_in_texts), cmocka_unit_test(test_too_many_pixels),
      cmocka_unit_test(test_cut_off),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
