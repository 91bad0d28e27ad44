/* SPDX-License-Identifier: Apache-2.0
 *
 * test_serve_a1111.c - AUTOMATIC1111's interface: the pictures are those of /v1/, byte for byte,
 * whatever else its programs send; what is told of them; one job at a time to watch and stop. */
#include <signal.h>
#include <unistd.h>

#include "client.h"

static served server;

static int set_up(void **state) {
  if (serve_set_up(state) != 0) return -1;
  server = SERVE("--quiet", "--a1111", "--threads", "1");
  return 0;
}

static int tear_down(void **state) {
  int code = serve_stop(&server, SIGTERM);
  tear_down_folder(state);
  return code;
}

/* ---- Pictures ---- */

static json_t *ask_pictures(const char *path, const char *json) {
  reply r = POST(&server, path, json);
  if (r.status != 200) fail_msg("status %d: %.300s", r.status, r.body == NULL ? "" : r.body);
  return reply_json(&r);
}

static const char *image_of(const json_t *answer, size_t index) {
  const char *text = json_string_value(json_array_get(json_object_get(answer, "images"), index));
  return text == NULL ? "" : text;
}

static json_t *info_of(const json_t *answer) {
  json_t *info = json_loads(text_of(answer, "info"), 0, NULL);
  assert_non_null(info);
  return info;
}

/* The picture of a job of /v1/, in base64; to free(). */
static char *own_picture(const char *path, const char *json) {
  json_t *job = run_job(&server, path, json);
  reply r = GET(&server, text_of(json_array_get(json_object_get(job, "images"), 0), "url"));
  assert_int_equal(r.status, 200);
  assert_int_equal(msk_file_write(in_folder("own.png"), r.body, r.bytes, NULL), MSK_OK);
  reply_free(&r);
  json_decref(job);
  return with_file("%s", in_folder("own.png"));
}

static void expect_same(const char *path, const char *json, const char *own_path,
                        const char *own_json) {
  json_t *answer = ask_pictures(path, json);
  char *own = own_picture(own_path, own_json);
  if (strcmp(image_of(answer, 0), own) != 0)
    fail_msg("%s and %s differ: %.200s", path, own_path, own_json);
  assert_int_equal(json_array_size(json_object_get(answer, "images")), 1);
  free(own);
  json_decref(answer);
}

/* As expect_same(), of requests with a picture where %s stands; frees them. */
static void expect_same_files(const char *path, char *json, const char *own_path, char *own_json) {
  expect_same(path, json, own_path, own_json);
  free(json);
  free(own_json);
}

static void test_generated(void **state) {
  (void)state;
  expect_same("/sdapi/v1/txt2img", "{\"prompt\":\"a photo of a teapot\",\"seed\":7}",
              "/v1/generate", "{\"class\":\"teapot\",\"seed\":7}");
  expect_same("/sdapi/v1/txt2img",
              "{\"prompt\":\"teapot\",\"seed\":7,\"steps\":5,\"sampler_name\":\"fast\"}",
              "/v1/generate", "{\"class\":\"teapot\",\"seed\":7,\"steps\":5,\"recipe\":\"fast\"}");
  /* what webuiapi sends, and what it does not know */
  expect_same("/sdapi/v1/txt2img",
              "{\"enable_hr\":false,\"hr_scale\":2,\"denoising_strength\":0.7,\"prompt\":\"mug\","
              "\"styles\":[],\"seed\":3,\"subseed\":-1,\"cfg_scale\":7.0,\"width\":512,"
              "\"height\":512,\"negative_prompt\":\"a teapot\",\"eta\":1.0,"
              "\"override_settings\":{\"sd_vae\":\"None\"},\"sampler_name\":\"Euler a\","
              "\"sampler_index\":null,\"script_args\":[],\"send_images\":true,\"n_iter\":1,"
              "\"alwayson_scripts\":{\"ControlNet\":{\"args\":[]}},\"unheard_of\":{\"a\":[1]}}",
              "/v1/generate", "{\"class\":\"mug\",\"seed\":3}");
}

static void test_drawn(void **state) {
  (void)state;
  static const char own[] = "{\"class\":2,\"seed\":9,\"steps\":2,\"sketch\":\"%s\"}";
  static const char *const units[] = {
      "{\"controlnet\":{\"args\":[{\"image\":\"%s\"}]}}",
      "{\"ControlNet\":{\"args\":[{\"input_image\":\"data:image/png;base64,%s\"}]}}",
      "{\"ControlNet\":{\"args\":[{\"enabled\":true,\"image\":{\"image\":\"%s\",\"mask\":null}}]}}",
      "{\"ADetailer\":{\"args\":[false]},\"ControlNet\":{\"args\":["
      "{\"enabled\":false,\"image\":\"AAAA\"},{\"image\":\"\"},{\"image\":\"%s\"}]}}"};
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    /* a sketch that shows through: its holes are paper */
    const char *path = golden_path(i % 2 == 0 ? "image/png/rgb8.png" : "image/png/rgba8.png");
    char json[400];
    snprintf(json, sizeof json,
             "{\"prompt\":\"a "
             "mug\",\"seed\":9,\"steps\":2,\"denoising_strength\":0.7,\"alwayson_scripts\":%s}",
             units[i]);
    expect_same_files("/sdapi/v1/txt2img", with_file(json, path), "/v1/draw", with_file(own, path));
  }
  const char *path = golden_path("image/png/rgb8.png");
  expect_same_files(
      "/sdapi/v1/img2img",
      with_file(
          "{\"prompt\":\"a mug\",\"seed\":9,\"steps\":2,\"denoising_strength\":0.7,\"mask\":\"\","
          "\"init_images\":[\"data:image/png;base64,%s\"]}",
          path),
      "/v1/draw",
      with_file("{\"class\":2,\"seed\":9,\"steps\":2,\"lambda\":0.3,\"sketch\":\"%s\"}", path));
  /* without a strength the recipe's own, and a unit's sketch before the picture */
  expect_same_files(
      "/sdapi/v1/img2img",
      with_file("{\"prompt\":\"a mug\",\"seed\":9,\"steps\":2,\"init_images\":[\"%s\"]}", path),
      "/v1/draw", with_file(own, path));
  expect_same_files(
      "/sdapi/v1/img2img",
      with_file("{\"prompt\":\"a mug\",\"seed\":9,\"steps\":2,\"init_images\":[\"AAAA\"],"
                "\"alwayson_scripts\":{\"controlnet\":{\"args\":[{\"image\":\"%s\"}]}}}",
                path),
      "/v1/draw", with_file(own, path));
}

/* ---- Edits ---- */

/* A square of 32 pixels, its left half painted: white on black, or black on white. */
static const char *mask_file(int inverted) {
  uint8_t pixels[32 * 32 * 3];
  msk_image image = {.pixels = pixels, .width = 32, .height = 32};
  for (int i = 0; i < 32 * 32 * 3; i++)
    pixels[i] = (uint8_t)((i / 3 % 32 < 16) == (inverted == 0) ? 255 : 0);
  const char *path = in_folder("mask-%d.png", inverted);
  void *bytes = NULL;
  size_t count = 0;
  msk_error error;
  assert_int_equal(
      msk_image_encode(&image, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &count, NULL, &error), MSK_OK);
  assert_int_equal(msk_file_write(path, bytes, count, &error), MSK_OK);
  msk_free(NULL, bytes);
  return path;
}

static void test_edited(void **state) {
  (void)state;
  const char *photo = golden_path("image/png/rgb8.png");
  char *masks[2] = {with_file("%s", mask_file(0)), with_file("%s", mask_file(1))};
  char *photo_text = with_file("%s", photo);
  size_t room = strlen(photo_text) + strlen(masks[0]) + strlen(masks[1]) + 400;
  char *theirs = malloc(room), *ours = malloc(room);
  for (int inverted = 0; inverted < 2; inverted++) {
    snprintf(theirs, room,
             "{\"prompt\":\"house\",\"seed\":4,\"steps\":3,\"denoising_strength\":0.75,\"init_"
             "images\":[\"%s\"],"
             "\"mask\":\"data:image/png;base64,%s\",\"inpainting_mask_invert\":%d}",
             photo_text, masks[inverted], inverted);
    snprintf(ours, room,
             "{\"class\":\"house\",\"seed\":4,\"steps\":3,\"photo\":\"%s\",\"mask\":\"%s\"}",
             photo_text, masks[0]);
    expect_same("/sdapi/v1/img2img", theirs, "/v1/edit", ours);
  }
  free(masks[0]);
  free(masks[1]);
  free(photo_text);
  free(theirs);
  free(ours);
}

/* The opacity of a picture as a picture of its own, in base64; to free(). */
static char *opacity_of(const char *path) {
  size_t count = 0;
  msk_image opacity;
  msk_error error;
  void *bytes = NULL;
  uint8_t *file = test_read_file(path, &count);
  assert_int_equal(msk_image_decode(&opacity, file, count, MSK_ALPHA_ONLY, "it", NULL, &error), 0);
  assert_int_equal(
      msk_image_encode(&opacity, MSK_FORMAT_PNG, 0, NULL, 0, &bytes, &count, NULL, &error), MSK_OK);
  assert_int_equal(msk_file_write(in_folder("opacity.png"), bytes, count, &error), MSK_OK);
  msk_image_free(&opacity);
  msk_free(NULL, bytes);
  free(file);
  return with_file("%s", in_folder("opacity.png"));
}

/* In a mask that shows through, what is opaque is repainted. */
static void test_mask_with_holes(void **state) {
  (void)state;
  char *photo = with_file("%s", golden_path("image/png/rgb8.png")),
       *mask = with_file("%s", golden_path("image/png/rgba8.png")),
       *opacity = opacity_of(golden_path("image/png/rgba8.png"));
  size_t room = strlen(photo) + strlen(mask) + strlen(opacity) + 200;
  char *theirs = malloc(room), *ours = malloc(room);
  snprintf(theirs, room,
           "{\"prompt\":\"house\",\"seed\":4,\"steps\":3,\"init_images\":[\"%s\"],\"mask\":\"%s\"}",
           photo, mask);
  snprintf(ours, room,
           "{\"class\":\"house\",\"seed\":4,\"steps\":3,\"photo\":\"%s\",\"mask\":\"%s\"}", photo,
           opacity);
  expect_same_files("/sdapi/v1/img2img", theirs, "/v1/edit", ours);
  free(photo);
  free(mask);
  free(opacity);
}

/* ---- What is told ---- */

static void test_seeds_count(void **state) {
  (void)state;
  json_t *answer = ask_pictures(
      "/sdapi/v1/txt2img",
      "{\"prompt\":\"an "
      "apple\",\"negative_prompt\":\"blurry\",\"seed\":41,\"steps\":3,\"batch_size\":2,"
      "\"n_iter\":2,\"init_images\":[\"kept out\"]}");
  json_t *info = info_of(answer), *seeds = json_object_get(info, "all_seeds"),
         *lines = json_object_get(info, "infotexts");
  assert_int_equal(json_array_size(seeds), 4);
  assert_int_equal(json_array_size(lines), 4);
  assert_int_equal(json_integer_value(json_object_get(info, "seed")), 41);
  for (int i = 0; i < 4; i++) {
    char json[80], word[40];
    snprintf(json, sizeof json, "{\"class\":\"apple\",\"seed\":%d,\"steps\":3}", 41 + i);
    snprintf(word, sizeof word, ", Seed: %d, Size: 128x128, ", 41 + i);
    char *own = own_picture("/v1/generate", json);
    assert_string_equal(image_of(answer, (size_t)i), own);
    assert_int_equal(json_integer_value(json_array_get(seeds, (size_t)i)), 41 + i);
    const char *line = json_string_value(json_array_get(lines, (size_t)i));
    assert_non_null(strstr(line, word));
    assert_int_equal(strncmp(line, "an apple\nNegative prompt: blurry\nSteps: ", 40), 0);
    free(own);
  }
  const json_t *request = json_object_get(answer, "parameters");
  assert_int_equal(json_integer_value(json_object_get(request, "batch_size")), 2);
  assert_true(json_is_null(json_object_get(request, "init_images")));
  /* there are programs that do not read the text, but look for a member in it */
  assert_non_null(strstr(text_of(answer, "info"), "\"seed\": 41, "));
  json_decref(info);
  json_decref(answer);
}

static void test_random_seeds(void **state) {
  (void)state;
  static const char *const asked[] = {"{\"prompt\":\"mug\",\"seed\":-1,\"steps\":3}",
                                      "{\"prompt\":\"mug\",\"seed\":null,\"steps\":3}"};
  json_int_t seeds[2];
  for (int i = 0; i < 2; i++) {
    json_t *answer = ask_pictures("/sdapi/v1/txt2img", asked[i]), *info = info_of(answer);
    seeds[i] = json_integer_value(json_object_get(info, "seed"));
    assert_true(seeds[i] >= 0 && seeds[i] <= UINT32_MAX);
    char json[80];
    snprintf(json, sizeof json, "{\"class\":\"mug\",\"seed\":%lld,\"steps\":3}",
             (long long)seeds[i]);
    char *own = own_picture("/v1/generate", json);
    assert_string_equal(image_of(answer, 0), own);
    free(own);
    json_decref(info);
    json_decref(answer);
  }
  assert_true(seeds[0] != seeds[1]);
}

/* A picture says the same of itself as the answer that it came in, the prompt aside. */
static void test_png_info(void **state) {
  (void)state;
  json_t *answer = ask_pictures("/sdapi/v1/txt2img", "{\"prompt\":\"one apple\",\"seed\":2}");
  size_t room = strlen(image_of(answer, 0)) + 100;
  char *json = malloc(room);
  snprintf(json, room, "{\"image\":\"data:image/png;base64,%s\"}", image_of(answer, 0));
  reply r = POST(&server, "/sdapi/v1/png-info", json);
  assert_int_equal(r.status, 200);
  json_t *told = reply_json(&r), *info = info_of(answer),
         *parameters = json_object_get(told, "parameters");
  const char *line = json_string_value(json_array_get(json_object_get(info, "infotexts"), 0));
  assert_string_equal(text_of(told, "info"), line + strlen("one "));
  assert_string_equal(text_of(parameters, "Prompt"), "apple");
  assert_string_equal(text_of(parameters, "Seed"), "2");
  assert_string_equal(text_of(parameters, "Size-1"), "128");
  assert_non_null(strstr(text_of(json_object_get(told, "items"), "masksketch"), "\"seed\":\"2\""));
  json_decref(told);
  json_decref(info);
  json_decref(answer);
  free(json);
  /* another program's; one with nothing in it; what is none */
  char *plain = with_file("{\"image\":\"%s\"}", golden_path("image/png/rgb8.png"));
  r = POST(&server, "/sdapi/v1/png-info", plain);
  free(plain);
  assert_int_equal(r.status, 200);
  told = reply_json(&r);
  assert_string_equal(text_of(told, "info"), "");
  assert_int_equal(json_object_size(json_object_get(told, "items")), 0);
  json_decref(told);
  r = POST(&server, "/sdapi/v1/png-info", "{\"image\":\"iVBORw0KGgoAAAAASUVORK5CYII=\"}");
  assert_int_equal(r.status, 200);
  reply_free(&r);
  r = POST(&server, "/sdapi/v1/png-info", "{\"image\":\"AAAA\"}");
  assert_int_equal(r.status, 422);
  reply_free(&r);
}

/* ---- Mistakes ---- */

/* As FastAPI tells of a field. */
static void expect_field(const char *path, const char *json, const char *field) {
  reply r = POST(&server, path, json);
  if (r.status != 422) fail_msg("%s: status %d: %.200s", json, r.status, r.body);
  assert_string_equal(reply_header(&r, "Content-Type"), "application/json");
  json_t *answer = reply_json(&r), *first = json_array_get(json_object_get(answer, "detail"), 0);
  assert_string_equal(json_string_value(json_array_get(json_object_get(first, "loc"), 1)), field);
  assert_true(strlen(text_of(first, "msg")) > 10);
  json_decref(answer);
}

static void expect_error(reply r, int status, const char *word) {
  if (r.status != status) fail_msg("status %d: %.200s", r.status, r.body == NULL ? "" : r.body);
  json_t *answer = reply_json(&r);
  assert_string_equal(text_of(answer, "error"), "HTTPException");
  if (strstr(text_of(answer, "detail"), word) == NULL) fail_msg("%s", text_of(answer, "detail"));
  assert_true(json_is_string(json_object_get(answer, "body")));
  assert_true(json_is_string(json_object_get(answer, "errors")));
  json_decref(answer);
}

static void test_mistakes(void **state) {
  (void)state;
  static const char *const fields[][3] = {
      {"/sdapi/v1/txt2img", "{}", "prompt"},
      {"/sdapi/v1/txt2img", "{\"prompt\":\"\"}", "prompt"},
      {"/sdapi/v1/txt2img", "{\"prompt\":\"mug\",\"steps\":0}", "steps"},
      {"/sdapi/v1/txt2img", "{\"prompt\":\"mug\",\"steps\":\"many\"}", "steps"},
      {"/sdapi/v1/txt2img", "{\"prompt\":\"mug\",\"seed\":-2}", "seed"},
      {"/sdapi/v1/txt2img", "{\"prompt\":\"mug\",\"seed\":1.5}", "seed"},
      {"/sdapi/v1/txt2img", "{\"prompt\":\"mug\",\"batch_size\":17}", "batch_size"},
      {"/sdapi/v1/txt2img", "{\"prompt\":\"mug\",\"batch_size\":5,\"n_iter\":4}", "n_iter"},
      {"/sdapi/v1/txt2img", "{\"prompt\":\"mug\",\"alwayson_scripts\":[]}", "alwayson_scripts"},
      {"/sdapi/v1/txt2img",
       "{\"prompt\":\"mug\",\"alwayson_scripts\":{\"controlnet\":{\"args\":[{\"image\":\"AAAA\"},"
       "{\"image\":\"AAAA\"}]}}}",
       "alwayson_scripts"},
      {"/sdapi/v1/img2img", "{\"prompt\":\"mug\"}", "init_images"},
      {"/sdapi/v1/img2img", "{\"prompt\":\"mug\",\"init_images\":[]}", "init_images"},
      {"/sdapi/v1/img2img", "{\"prompt\":\"mug\",\"init_images\":[5]}", "init_images"},
      {"/sdapi/v1/img2img", "{\"prompt\":\"mug\",\"init_images\":[\"AAAA\",\"AAAA\"]}",
       "init_images"},
      {"/sdapi/v1/img2img",
       "{\"prompt\":\"mug\",\"init_images\":[\"AAAA\"],\"denoising_strength\":2}",
       "denoising_strength"},
      {"/sdapi/v1/png-info", "{}", "image"},
  };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    expect_field(fields[i][0], fields[i][1], fields[i][2]);
  char *json = with_file(
      "{\"prompt\":\"mug\",\"init_images\":[\"AAAA\"],\"mask\":\"AAAA\","
      "\"alwayson_scripts\":{\"controlnet\":{\"args\":[{\"image\":\"%s\"}]}}}",
      golden_path("image/png/rgb8.png"));
  expect_field("/sdapi/v1/img2img", json, "mask");
  free(json);
  expect_error(POST(&server, "/sdapi/v1/txt2img", "{\"prompt\":\"a unicorn\"}"), 400,
               "knows these 10");
  expect_error(POST(&server, "/sdapi/v1/txt2img", "{\"prompt\":"), 400, "the body");
  expect_error(GET(&server, "/sdapi/v1/txt2img"), 405, "GET");
  expect_error(GET(&server, "/sdapi/v1/nothing"), 404, "/sdapi/v1/nothing");
}

/* ---- Lists ---- */

static void test_lists(void **state) {
  (void)state;
  static const char *const lists[] = {"sd-models",
                                      "samplers",
                                      "schedulers",
                                      "upscalers",
                                      "latent-upscale-modes",
                                      "sd-vae",
                                      "loras",
                                      "hypernetworks",
                                      "extensions",
                                      "face-restorers",
                                      "prompt-styles",
                                      "realesrgan-models",
                                      "script-info"};
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    char path[80];
    snprintf(path, sizeof path, "/sdapi/v1/%s", lists[i]);
    reply r = GET(&server, path);
    assert_int_equal(r.status, 200);
    json_t *list = reply_json(&r);
    assert_true(json_is_array(list));
    assert_int_equal(json_array_size(list) > 0, i < 3);
    json_decref(list);
  }
  static const char *const objects[] = {
      "/sdapi/v1/cmd-flags",     "/sdapi/v1/scripts",         "/sdapi/v1/embeddings",
      "/sdapi/v1/memory",        "/controlnet/version",       "/controlnet/model_list",
      "/controlnet/module_list", "/controlnet/control_types", "/controlnet/settings"};
  for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
    reply r = GET(&server, objects[i]);
    assert_int_equal(r.status, 200);
    json_t *object = reply_json(&r);
    assert_true(json_object_size(object) > 0);
    json_decref(object);
  }
}

/* Programs send back the options as they were; another model is refused. */
static void test_options(void **state) {
  (void)state;
  reply r = GET(&server, "/sdapi/v1/options");
  json_t *options = reply_json(&r);
  r = GET(&server, "/sdapi/v1/sd-models");
  json_t *models = reply_json(&r), *model = json_array_get(models, 0);
  assert_string_equal(text_of(options, "sd_model_checkpoint"), text_of(model, "title"));
  assert_int_equal(strncmp(text_of(model, "sha256"), text_of(model, "hash"), 10), 0);
  char *json = json_dumps(options, 0), name[200];
  r = POST(&server, "/sdapi/v1/options", json);
  assert_int_equal(r.status, 200);
  assert_string_equal(r.body, "null");
  reply_free(&r);
  snprintf(name, sizeof name, "{\"sd_model_checkpoint\":\"%s\",\"sd_vae\":\"x\"}",
           text_of(model, "model_name"));
  r = POST(&server, "/sdapi/v1/options", name);
  assert_int_equal(r.status, 200);
  reply_free(&r);
  expect_error(POST(&server, "/sdapi/v1/options", "{\"sd_model_checkpoint\":\"v1-5-pruned\"}"), 404,
               "v1-5-pruned");
  free(json);
  json_decref(options);
  json_decref(models);
}

/* ---- The job that runs ---- */

static json_t *progress(const char *query) {
  char path[80];
  snprintf(path, sizeof path, "/sdapi/v1/progress%s", query);
  reply r = GET(&server, path);
  assert_int_equal(r.status, 200);
  return reply_json(&r);
}

/* Waits until a step with a preview has been done. */
static json_t *progress_with_preview(void) {
  for (int i = 0; i < 3000; i++) {
    json_t *now = progress("");
    if (json_is_string(json_object_get(now, "current_image"))) return now;
    json_decref(now);
    usleep(10000);
  }
  fail_msg("no preview came");
  return NULL;
}

static int start_long_request(void) {
  static const char body[] = "{\"prompt\":\"mug\",\"steps\":1000,\"n_iter\":4}";
  char head[200];
  int length =
      snprintf(head, sizeof head,
               "POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               strlen(body), body);
  int fd = client_connect(&server);
  assert_true(fd >= 0 && client_send(fd, head, (size_t)length));
  return fd;
}

static void test_progress_and_interrupt(void **state) {
  (void)state;
  int fd = start_long_request();
  json_t *now = progress_with_preview(), *told = json_object_get(now, "state");
  double done = json_number_value(json_object_get(now, "progress"));
  assert_true(done > 0 && done < 0.5);
  assert_true(json_number_value(json_object_get(now, "eta_relative")) > 0);
  assert_int_equal(json_integer_value(json_object_get(told, "job_count")), 4);
  assert_int_equal(json_integer_value(json_object_get(told, "sampling_steps")), 1000);
  assert_true(json_integer_value(json_object_get(told, "sampling_step")) > 0);
  assert_int_equal(strncmp(text_of(now, "current_image"), "/9j/", 4), 0); /* a JPEG */
  json_decref(now);
  now = progress("?skip_current_image=true");
  assert_true(json_is_null(json_object_get(now, "current_image")));
  json_decref(now);
  reply r = ask(&server, "POST", "/sdapi/v1/interrupt", NULL, NULL);
  assert_int_equal(r.status, 200);
  reply_free(&r);
  r = client_receive(fd);
  close(fd);
  assert_int_equal(r.status, 200); /* with what was there, and that is nothing */
  json_t *answer = reply_json(&r), *info = info_of(answer);
  assert_int_equal(json_array_size(json_object_get(answer, "images")), 0);
  assert_int_equal(json_array_size(json_object_get(info, "all_seeds")), 0);
  json_decref(info);
  json_decref(answer);
  now = progress("");
  assert_true(json_number_value(json_object_get(now, "progress")) == 0);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(now, "state"), "job_count")),
                   0);
  json_decref(now);
}

/* Jobs of /v1/ are nobody's business here. */
static void test_other_jobs_are_left_alone(void **state) {
  (void)state;
  reply r = POST(&server, "/v1/generate", "{\"class\":1,\"steps\":1000}");
  assert_int_equal(r.status, 202);
  char url[100];
  snprintf(url, sizeof url, "%s", reply_header(&r, "Location"));
  reply_free(&r);
  json_t *now = progress("");
  assert_int_equal(json_integer_value(json_object_get(json_object_get(now, "state"), "job_count")),
                   0);
  json_decref(now);
  r = ask(&server, "POST", "/sdapi/v1/interrupt", NULL, NULL);
  reply_free(&r);
  r = GET(&server, url);
  json_t *job = reply_json(&r);
  const char *is = text_of(job, "state");
  assert_true(strcmp(is, "queued") == 0 || strcmp(is, "running") == 0);
  json_decref(job);
  r = ask(&server, "DELETE", url, NULL, NULL);
  reply_free(&r);
}

/* ---- Who may ask, and whether ---- */

static void test_off_by_default(void **state) {
  (void)state;
  served plain = SERVE("--quiet");
  EXPECT_PROBLEM(GET(&plain, "/sdapi/v1/options"), 404, "/sdapi/v1/options");
  EXPECT_PROBLEM(GET(&plain, "/controlnet/version"), 404, "/controlnet/version");
  EXPECT_PROBLEM(POST(&plain, "/sdapi/v1/txt2img", "{\"prompt\":\"mug\"}"), 404, "txt2img");
  assert_int_equal(serve_stop(&plain, SIGTERM), 0);
}

static void test_key(void **state) {
  (void)state;
  static const char *const good[] = {
      "Authorization: Bearer correct-horse-battery\r\n",
      "Authorization: Basic bWU6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5\r\n", /* me:correct-horse-battery */
      "Authorization: basic OmNvcnJlY3QtaG9yc2UtYmF0dGVyeQ==\r\n"};
  static const char *const bad[] = {
      NULL,
      "Authorization: Basic \r\n",
      "Authorization: Basic ****\r\n",
      "Authorization: Basic bWU6Y29ycmVjdC1ob3JzZS1iYXR0ZXI=\r\n", /* a letter less */
      "Authorization: Basic Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5\r\n",     /* no name, no colon */
      "Authorization: Basic bWU6eDpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=\r\n" /* me:x:... */};
  served locked = SERVE("--quiet", "--a1111", "--api-key", "correct-horse-battery");
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    reply r = ask(&locked, "GET", "/sdapi/v1/options", good[i], NULL);
    assert_int_equal(r.status, 200);
    reply_free(&r);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    expect_error(ask(&locked, "GET", "/sdapi/v1/options", bad[i], NULL), 401, "key");
    expect_error(ask(&locked, "GET", "/controlnet/version", bad[i], NULL), 401, "key");
    expect_error(ask(&locked, "GET", "/sdapi/v1/nothing", bad[i], NULL), 401, "key");
  }
  /* browsers keep such pairs, and send them by themselves: not where nobody needs it */
  EXPECT_PROBLEM(ask(&locked, "GET", "/v1/models", good[1], NULL), 401, "Bearer");
  assert_int_equal(serve_stop(&locked, SIGTERM), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_generated),
      cmocka_unit_test(test_drawn),
      cmocka_unit_test(test_edited),
      cmocka_unit_test(test_mask_with_holes),
      cmocka_unit_test(test_seeds_count),
      cmocka_unit_test(test_random_seeds),
      cmocka_unit_test(test_png_info),
      cmocka_unit_test(test_mistakes),
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_options),
      cmocka_unit_test(test_progress_and_interrupt),
      cmocka_unit_test(test_other_jobs_are_left_alone),
      cmocka_unit_test(test_off_by_default),
      cmocka_unit_test(test_key),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
