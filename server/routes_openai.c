/* SPDX-License-Identifier: Apache-2.0
 *
 * routes_openai.c - the shape of OpenAI's images API, so that programs written for it work: the
 * prompt names a class. What their servers know and this one does not is taken and not looked
 * at. The answer waits for the pictures; a client that leaves cancels its job. */
#include "await.h"
#include "job_form.h"
#include "openai.h"
#include "routes.h"

/* ---- What is asked ---- */

static bool read_size(form *f, openai_wishes *w) {
  const char *text = NULL;
  int side = f->server->info.image_size;
  if (!form_text(f, "size", &text)) return false;
  return openai_read_size(w, text == NULL ? "auto" : text, side) ||
         problem_set(f->problem, 422, "size",
                     "size was given %.40s, expected auto, %dx%d, 1024x1024, 1536x1024 or another "
                     "WIDTHxHEIGHT",
                     text, side, side);
}

static bool read_stream(form *f, openai_wishes *w) {
  long long partials = 0;
  if (!form_boolean(f, "stream", &w->stream) ||
      !form_integer(f, "partial_images", 0, OPENAI_PARTIALS, &partials))
    return false;
  if (partials > 0 && !w->stream)
    return problem_set(f->problem, 422, "partial_images",
                       "partial_images has no effect without stream: true");
  w->partials = (int)partials;
  return true;
}

static bool read_wishes(form *f, openai_wishes *w, job_wishes *wanted) {
  static const char *const responses[] = {"b64_json", "url", NULL};
  long long count = 1, quality = 0;
  int format = 0, response = 0;
  uint64_t seed = 0;
  if (!job_random_seed(&seed, f->problem) || !job_prompt(f, &wanted->class_id) ||
      !form_integer(f, "n", 1, SERVER_OPENAI_COUNT, &count) || !form_seed(f, "seed", &seed) ||
      !read_size(f, w) || !form_choice(f, "output_format", openai_formats, &format) ||
      !form_choice(f, "response_format", responses, &response) ||
      !form_integer(f, "output_compression", 0, 100, &quality) || !read_stream(f, w))
    return false;
  wanted->count = (int)count;
  wanted->seed = seed;
  wanted->preview_seconds = w->partials > 0 ? 0 : -1;
  w->format = openai_format(format);
  /* PNG has no quality; of the others 0 would mean the default, where the client meant the least */
  w->quality = format == 0 ? 0 : (int)quality;
  if (format != 0 && form_has(f, "output_compression") && quality == 0) w->quality = 1;
  w->url = response == 1;
  return true;
}

/* ---- The answer ---- */

static enum MHD_Result run(exchange *e, const openai_wishes *w, job *j) {
  jobs *table = e->server->jobs;
  json_t *answer = NULL;
  bool good = jobs_submit(table, j, &e->problem);
  if (good && w->stream) return openai_stream(e, w, j);
  if (good) {
    good = await_job(e, j);
    if (good) answer = openai_answer(e, w, j, jobs_image_count(table, j));
    if (!good || !w->url) jobs_delete(table, j); /* nobody knows its id */
  }
  jobs_release(table, j);
  return good ? answer_json(e, 200, answer) : answer_problem(e);
}

enum MHD_Result route_openai_generate(exchange *e) {
  static const char *const names[] = {"prompt",
                                      "n",
                                      "size",
                                      "seed",
                                      "response_format",
                                      "output_format",
                                      "stream",
                                      "output_compression",
                                      "partial_images",
                                      "model",
                                      "user",
                                      "quality",
                                      "style",
                                      "background",
                                      "moderation",
                                      NULL};
  form f;
  openai_wishes w = {.edit = false};
  job_wishes wanted = {.count = 1, .lambda = -1};
  bool good = form_read(&f, e, false) && form_check_names(&f, names, "/v1/images/generations") &&
              read_wishes(&f, &w, &wanted);
  form_free(&f);
  job *j = good ? job_plain(e->server, MSK_JOB_GENERATE, &wanted, NULL, NULL, &e->problem) : NULL;
  return j == NULL ? answer_problem(e) : run(e, &w, j);
}

/* ---- Edits ---- */

/* What shows through is filled with the mean of the rest: white would leave a frame around what
 * is repainted. */
static void fill_holes(msk_image *photo, const msk_image *opacity) {
  size_t pixels = (size_t)photo->width * (size_t)photo->height, count = 0;
  double sums[3] = {0, 0, 0};
  for (size_t i = 0; i < pixels; i++) {
    if (opacity->pixels[3 * i] != 255) continue;
    for (size_t c = 0; c < 3; c++) sums[c] += photo->pixels[3 * i + c];
    count++;
  }
  for (size_t i = 0; i < pixels && count > 0; i++) {
    for (size_t c = 0; c < 3 && opacity->pixels[3 * i] != 255; c++)
      photo->pixels[3 * i + c] = (uint8_t)(sums[c] / (double)count + 0.5);
  }
}

/* Their mask is transparent where the picture is repainted, ours white. *any: there is such a
 * place. `partly`: what shows through a little is repainted as well. */
static void make_area(msk_image *mask, bool partly, bool *any) {
  size_t bytes = (size_t)mask->width * (size_t)mask->height * 3;
  *any = false;
  for (size_t i = 0; i < bytes; i++) {
    const uint8_t alpha = mask->pixels[i];
    mask->pixels[i] = (uint8_t)(255 - alpha);
    if (partly) mask->pixels[i] = alpha < 255 ? 255 : 0;
    *any = *any || mask->pixels[i] >= 128;
  }
}

/* A part; in JSON a text, or {"image_url": text}, alone or in a list of one. */
static bool read_picture(form *f, const char *name, msk_alpha alpha, msk_image *out) {
  if (f->values == NULL) return form_picture(f, name, alpha, out);
  const json_t *value = json_object_get(f->values, name);
  if (json_is_array(value) && json_array_size(value) != 1)
    return problem_set(f->problem, 422, name, "%s has %zu pictures, expected one", name,
                       json_array_size(value));
  if (json_is_array(value)) value = json_array_get(value, 0);
  if (json_is_object(value)) value = json_object_get(value, "image_url");
  return form_picture_text(f, name, json_string_value(value), alpha, out);
}

/* With a mask its transparent places are repainted, without one those of the picture; a picture
 * that has none is a drawing. */
static bool read_area(form *f, const char *image, msk_image *photo, msk_image *mask, bool *any) {
  bool masked = form_has(f, "mask");
  const char *name = masked ? "mask" : image;
  if (!read_picture(f, name, MSK_ALPHA_ONLY, mask)) return false;
  if (!masked) fill_holes(photo, mask);
  make_area(mask, !masked, any);
  return *any || !masked ||
         problem_set(
             f->problem, 422, name,
             "%s has no transparent place, expected some where the picture is to be repainted",
             name);
}

enum MHD_Result route_openai_edit(exchange *e) {
  static const char *const names[] = {"image",
                                      "images",
                                      "mask",
                                      "prompt",
                                      "n",
                                      "size",
                                      "seed",
                                      "response_format",
                                      "output_format",
                                      "output_compression",
                                      "stream",
                                      "partial_images",
                                      "model",
                                      "user",
                                      "quality",
                                      "background",
                                      "moderation",
                                      "input_fidelity",
                                      NULL};
  form f;
  openai_wishes w = {.edit = true};
  job_wishes wanted = {.count = 1, .lambda = -1};
  msk_image photo = {0}, mask = {0};
  bool edits = false;
  bool good = form_read(&f, e, false) && form_check_names(&f, names, "/v1/images/edits") &&
              read_wishes(&f, &w, &wanted);
  const char *image = good && form_has(&f, "images") ? "images" : "image";
  if (good && !form_has(&f, image))
    good = form_missing(&f, "image", "a picture: PNG, JPEG or WebP");
  if (good)
    good = read_picture(&f, image, MSK_ALPHA_WHITE, &photo) &&
           read_area(&f, image, &photo, &mask, &edits);
  /* transparency ends at pixels: a token cut by its border would keep a frame of what was there */
  wanted.whole_tokens = good && !form_has(&f, "mask");
  const msk_job kind = edits ? MSK_JOB_EDIT : MSK_JOB_DRAW;
  msk_image *area = edits ? &mask : NULL;
  job *j = good ? job_plain(e->server, kind, &wanted, &photo, area, &e->problem) : NULL;
  msk_image_free(&photo);
  msk_image_free(&mask);
  form_free(&f);
  return j == NULL ? answer_problem(e) : run(e, &w, j);
}
