/* SPDX-License-Identifier: Apache-2.0
 *
 * routes_openai.c - the shape of OpenAI's images API, so that programs written for it work: the
 * prompt names a class. The answer waits for the pictures; a client that leaves cancels its job. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "app/base64.h"
#include "order.h"
#include "routes.h"

enum { LONGEST_PROMPT = 4000, LONGEST_NAME = 100, WAIT_MS = 250 };

typedef struct wishes {
  order_wishes order;
  int size; /* pixels a side */
  msk_format format;
  int quality; /* 0: as the library has it */
} wishes;

/* ---- The prompt ---- */

static bool is_letter(char c) { return isalnum((unsigned char)c) || (unsigned char)c >= 0x80; }

/* Does `text` have `word` as whole words? Both lower case. A plural's s or es is let pass. */
static bool has_word(const char *text, const char *word) {
  size_t length = strlen(word);
  for (const char *at = text; length > 0 && (at = strstr(at, word)) != NULL; at++) {
    const char *end = at + length;
    if (end[0] == 'e' && end[1] == 's') end++;
    if (*end == 's') end++;
    if ((at == text || !is_letter(at[-1])) && !is_letter(*end)) return true;
  }
  return false;
}

/* The class whose name stands in the sentence; the longest name counts. -1: none; -2: several of
 * the same length. */
static int class_in_sentence(const msk_model *model, int class_count, const char *sentence) {
  char text[LONGEST_PROMPT + 1];
  size_t best = 0, length = 0;
  int found = -1;
  for (; length < LONGEST_PROMPT && sentence[length] != 0; length++)
    text[length] = (char)tolower((unsigned char)sentence[length]);
  text[length] = 0;
  for (int id = 0; id < class_count; id++) {
    const char *name = msk_model_class_hidden(model, id) ? NULL : msk_model_class_name(model, id);
    while (name != NULL && *name != 0) {
      char word[LONGEST_NAME + 1];
      size_t n = strcspn(name, ","), used = 0;
      for (size_t i = 0; i < n && used < LONGEST_NAME; i++)
        word[used++] = (char)tolower((unsigned char)name[i]);
      word[used] = 0;
      if (used >= best && has_word(text, word)) {
        if (used == best && found != id) found = -2;
        if (used > best) found = id;
        best = used;
      }
      name += n;
      name += strspn(name, ", ");
    }
  }
  return found;
}

static bool find_class(form *f, int *class_id) {
  const char *prompt = NULL;
  msk_error error = {0};
  if (!form_text(f, "prompt", &prompt)) return false;
  if (prompt == NULL || *prompt == 0)
    return form_missing(f, "prompt", "a class's name, or a sentence with one in it");
  if (strlen(prompt) > LONGEST_PROMPT)
    return problem_set(f->problem, 422, "prompt", "the prompt is longer than %d bytes",
                       LONGEST_PROMPT);
  bool numeric = prompt[strspn(prompt, "0123456789")] == 0;
  if (!numeric && msk_model_class_find(f->server->model, prompt, class_id, &error) == MSK_OK)
    return true;
  int found = class_in_sentence(f->server->model, f->server->info.class_count, prompt);
  if (found >= 0) {
    *class_id = found;
    return true;
  }
  if (found == -2)
    return problem_set(f->problem, 400, "prompt",
                       "the prompt names several classes, expected one: %.200s", prompt);
  return problem_set(f->problem, 400, "prompt", "the prompt names no class of this model: %.300s",
                     numeric ? "a number is no name" : error.message);
}

/* ---- The rest ---- */

static bool read_size(form *f, int *size) {
  const char *text = NULL;
  char ours[24];
  int side = f->server->info.image_size;
  *size = side;
  if (!form_text(f, "size", &text)) return false;
  snprintf(ours, sizeof ours, "%dx%d", side, side);
  if (text == NULL || strcmp(text, "auto") == 0 || strcmp(text, ours) == 0) return true;
  static const struct {
    const char *text;
    int side;
  } known[] = {{"256x256", 256}, {"512x512", 512}, {"1024x1024", 1024}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(text, known[i].text) != 0) continue;
    *size = known[i].side;
    return true;
  }
  return problem_set(f->problem, 422, "size",
                     "size was given %.40s, expected auto, %s, 256x256, 512x512 or 1024x1024", text,
                     ours);
}

static bool read_wishes(form *f, wishes *w) {
  static const char *const formats[] = {"png", "jpeg", "webp", NULL}, *const responses[] = {
                                                                          "b64_json", NULL};
  static const msk_format values[] = {MSK_FORMAT_PNG, MSK_FORMAT_JPEG, MSK_FORMAT_WEBP};
  long long count = 1, quality = 0;
  int format = 0, response = 0;
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
    return problem_set(f->problem, 500, NULL, "the system gives no random number");
  seed >>= 11; /* a number that JSON keeps */
  if (!find_class(f, &w->order.class_id) || !form_integer(f, "n", 1, SERVER_OPENAI_COUNT, &count) ||
      !form_seed(f, "seed", &seed) || !read_size(f, &w->size) ||
      !form_choice(f, "output_format", formats, &format) ||
      !form_choice(f, "response_format", responses, &response) ||
      !form_integer(f, "output_compression", 1, 100, &quality))
    return false;
  w->order.count = (int)count;
  w->order.seed = seed;
  w->format = values[format];
  w->quality = w->format == MSK_FORMAT_PNG ? 0 : (int)quality;
  return true;
}

/* ---- The answer ---- */

/* A finished picture in the size and format that were asked for; PNG of our own size as it is,
 * with its settings. */
static json_t *encode(const exchange *e, const wishes *w, const job_image *image) {
  void *bytes = NULL;
  size_t count = 0;
  msk_image own = {0}, sized = {0};
  msk_error ignored;
  msk_prepare_options options;
  char *text = NULL;
  bool resized = w->size != e->server->info.image_size;
  if (w->format == MSK_FORMAT_PNG && !resized) {
    text = base64_encode(image->bytes, image->byte_count);
  } else {
    msk_prepare_init(&options);
    options.invert = MSK_INVERT_NO;
    msk_status status = msk_image_decode(&own, image->bytes, image->byte_count, MSK_ALPHA_WHITE,
                                         "picture", NULL, &ignored);
    if (status == MSK_OK && resized)
      status = msk_image_prepare(&sized, &own, w->size, w->size, &options, NULL, &ignored);
    if (status == MSK_OK)
      status = msk_image_encode(resized ? &sized : &own, w->format, w->quality, NULL, 0, &bytes,
                                &count, NULL, &ignored);
    if (status == MSK_OK) text = base64_encode(bytes, count);
  }
  json_t *value = text == NULL ? NULL : json_string_nocheck(text);
  free(text);
  msk_free(NULL, bytes);
  msk_image_free(&own);
  msk_image_free(&sized);
  return value;
}

static json_t *make_answer(const exchange *e, const wishes *w, const job *j, int count) {
  json_t *data = json_array();
  for (int i = 0; i < count; i++) {
    json_t *text = encode(e, w, &j->images[i]);
    json_t *entry = text == NULL ? NULL : json_pack("{s:o}", "b64_json", text);
    if (entry == NULL) {
      json_decref(data);
      return NULL;
    }
    json_array_append_new(data, entry);
  }
  return json_pack("{s:I, s:o}", "created", (json_int_t)time(NULL), "data", data);
}

/* Waits for the end of the job, as long as somebody listens. */
static job_state await_job(exchange *e, job *j) {
  job_state state;
  unsigned version = 0;
  while (!jobs_ended(e->server->jobs, j, &state)) {
    if (exchange_left(e)) jobs_cancel(e->server->jobs, j, REASON_ASKED);
    version = jobs_wait(e->server->jobs, j, version, WAIT_MS);
  }
  return state;
}

static enum MHD_Result run(exchange *e, const wishes *w, job *j) {
  jobs *table = e->server->jobs;
  json_t *answer = NULL;
  bool good = jobs_submit(table, j, &e->problem);
  if (good) {
    job_state state = await_job(e, j);
    good = state == JOB_DONE;
    if (good) answer = make_answer(e, w, j, jobs_image_count(table, j));
    if (state == JOB_CANCELLED)
      problem_set(&e->problem, 503, NULL, "the job was cancelled%s",
                  j->reason == REASON_SHUTDOWN ? ": the server is stopping" : "");
    if (state == JOB_FAILED) e->problem = j->failure;
    jobs_delete(table, j); /* nobody knows its id */
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
                                      "output_compression",
                                      "model",
                                      "user",
                                      "quality",
                                      "style",
                                      "background",
                                      "moderation",
                                      NULL};
  form f;
  wishes w = {0};
  bool good = form_read(&f, e, false) && form_check_names(&f, names, "/v1/images/generations") &&
              read_wishes(&f, &w);
  form_free(&f);
  job *j =
      good ? order_plain(e->server, MSK_JOB_GENERATE, &w.order, NULL, NULL, &e->problem) : NULL;
  return j == NULL ? answer_problem(e) : run(e, &w, j);
}

/* Their mask is transparent where the picture is repainted, ours white; without one the
 * picture's own transparency is meant. */
static bool read_area(form *f, msk_image *mask) {
  const char *name = form_has(f, "mask") ? "mask" : "image";
  bool any = false;
  if (!form_picture(f, name, MSK_ALPHA_ONLY, mask)) return false;
  size_t bytes = (size_t)mask->width * (size_t)mask->height * 3;
  for (size_t i = 0; i < bytes; i++) {
    mask->pixels[i] = (uint8_t)(255 - mask->pixels[i]);
    any = any || mask->pixels[i] >= 128;
  }
  return any ||
         problem_set(
             f->problem, 422, name,
             "%s has no transparent place, expected some where the picture is to be repainted",
             name);
}

enum MHD_Result route_openai_edit(exchange *e) {
  static const char *const names[] = {"image",
                                      "mask",
                                      "prompt",
                                      "n",
                                      "size",
                                      "seed",
                                      "response_format",
                                      "output_format",
                                      "output_compression",
                                      "model",
                                      "user",
                                      "quality",
                                      "background",
                                      "input_fidelity",
                                      NULL};
  form f;
  wishes w = {0};
  msk_image photo = {0}, mask = {0};
  bool good = form_read(&f, e, false) && form_check_names(&f, names, "/v1/images/edits") &&
              read_wishes(&f, &w);
  if (good && !form_has(&f, "image"))
    good = form_missing(&f, "image", "a picture: PNG, JPEG or WebP");
  if (good) good = form_picture(&f, "image", MSK_ALPHA_WHITE, &photo) && read_area(&f, &mask);
  job *j = good ? order_plain(e->server, MSK_JOB_EDIT, &w.order, &photo, &mask, &e->problem) : NULL;
  msk_image_free(&photo);
  msk_image_free(&mask);
  form_free(&f);
  return j == NULL ? answer_problem(e) : run(e, &w, j);
}
