/* SPDX-License-Identifier: Apache-2.0
 * openai.c - see openai.h. */
#include "openai.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/base64.h"
#include "app/json.h"
#include "event_stream.h"

enum { LEAST_SIDE = 16, MOST_SIDE = 8192, MOST_PIXELS = 1 << 22, ADDRESS_BYTES = 600 };

const char *const openai_formats[] = {"png", "jpeg", "webp", NULL};
static const msk_format formats[] = {MSK_FORMAT_PNG, MSK_FORMAT_JPEG, MSK_FORMAT_WEBP};
msk_format openai_format(int index) { return formats[index]; }

const char *openai_format_word(msk_format format) {
  int index = 0;
  while (formats[index] != format) index++;
  return openai_formats[index];
}

/* ---- Sizes ---- */

bool openai_read_size(openai_wishes *w, const char *text, int side) {
  char *end = NULL;
  w->width = w->height = side;
  if (strcmp(text, "auto") == 0) return true;
  if (*text < '1' || *text > '9') return false;
  long width = strtol(text, &end, 10), height = 0;
  if (*end == 'x' && end[1] >= '1' && end[1] <= '9') height = strtol(end + 1, &end, 10);
  if (*end != 0 || width < LEAST_SIDE || width > MOST_SIDE || height < LEAST_SIDE ||
      height > MOST_SIDE)
    return false;
  w->width = (int)width;
  w->height = (int)height;
  /* what is too large is not refused, since clients offer such sizes: it shrinks, and is told so */
  while ((long)w->width * w->height > MOST_PIXELS) {
    w->width = (w->width * 15 + 8) / 16;
    w->height = (w->height * 15 + 8) / 16;
  }
  if (w->width != width || w->width != w->height)
    snprintf(w->note, sizeof w->note,
             "size was given %ldx%ld: the pictures are squares of %d pixels, brought to %d x %d%s",
             width, height, side, w->width, w->height, w->width == w->height ? "" : " and cropped");
  return true;
}

/* ---- Pictures ---- */

msk_status openai_convert(const openai_wishes *w, const job_image *image, int side, void **bytes,
                          size_t *count, msk_error *error) {
  msk_image own = {0}, sized = {0};
  msk_prepare_options options;
  bool resized = w->width != side || w->height != side;
  msk_prepare_plain(&options);
  options.fit = MSK_FIT_CROP;
  msk_status status = msk_image_decode(&own, image->bytes, image->byte_count, MSK_ALPHA_WHITE,
                                       "picture", NULL, error);
  if (status == MSK_OK && resized)
    status = msk_image_prepare(&sized, &own, w->width, w->height, &options, NULL, error);
  if (status == MSK_OK)
    status = msk_image_encode(resized ? &sized : &own, w->format, w->quality, NULL, 0, bytes, count,
                              NULL, error);
  msk_image_free(&own);
  msk_image_free(&sized);
  return status;
}

/* As it is, with its settings, where nothing else was asked for. */
static bool is_own(const openai_wishes *w, int side) {
  return w->format == MSK_FORMAT_PNG && w->width == side && w->height == side;
}

static json_t *base64_text(const openai_wishes *w, const job_image *image, int side) {
  void *bytes = NULL;
  size_t count = 0;
  msk_error ignored;
  char *text = NULL;
  /* as it was made, with the text that says how */
  if (is_own(w, side)) {
    text = base64_encode(image->bytes, image->byte_count);
  } else if (openai_convert(w, image, side, &bytes, &count, &ignored) == MSK_OK) {
    text = base64_encode(bytes, count);
  }
  json_t *value = text == NULL ? NULL : json_string_nocheck(text);
  free(text);
  msk_free(NULL, bytes);
  return value;
}

/* Where the picture can be fetched as long as the job is kept, seen from the client: through
 * proxies as they tell it. */
static json_t *address(const exchange *e, const openai_wishes *w, const job *j, int index) {
  const char *scheme =
      MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "X-Forwarded-Proto");
  const char *prefix =
      MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, "X-Forwarded-Prefix");
  char text[ADDRESS_BYTES];
  size_t used = (size_t)snprintf(text, sizeof text, "%s://%.255s%.99s/v1/jobs/%s/images/%d",
                                 scheme != NULL && strcmp(scheme, "https") == 0 ? "https" : "http",
                                 e->host == NULL ? "localhost" : e->host,
                                 prefix != NULL && *prefix == '/' && prefix[1] != 0 ? prefix : "",
                                 j->id, index);
  if (!is_own(w, e->server->info.image_size))
    snprintf(text + used, sizeof text - used, "?size=%dx%d&format=%s&quality=%d", w->width,
             w->height, openai_format_word(w->format), w->quality);
  return json_text(text);
}

/* ---- At once ---- */

/* What is told of every picture; `wrong`: the warning of a finished one, or NULL. */
static json_t *describe(const openai_wishes *w, const job *j, const char *wrong, json_t *object) {
  char size[32];
  json_t *warnings = w->note[0] != 0 ? json_pack("[s]", w->note) : json_array();
  for (const char *const *text = j->order.warnings; *text != NULL; text++)
    json_array_append_new(warnings, json_string(*text));
  snprintf(size, sizeof size, "%dx%d", w->width, w->height);
  json_object_set_new(object, "size", json_string(size));
  json_object_set_new(object, "output_format", json_string(openai_format_word(w->format)));
  json_object_set_new(object, "background", json_string("opaque"));
  json_object_set_new(object, "quality", json_string("auto"));
  if (wrong != NULL) json_array_append_new(warnings, json_string(wrong));
  if (json_array_size(warnings) > 0) json_object_set(object, "warnings", warnings);
  json_decref(warnings);
  return object;
}

json_t *openai_answer(const exchange *e, const openai_wishes *w, const job *j, int count) {
  json_t *data = json_array();
  for (int i = 0; i < count; i++) {
    json_t *entry = w->url ? json_pack("{s:o}", "url", address(e, w, j, i))
                           : json_pack("{s:o}", "b64_json",
                                       base64_text(w, &j->images[i], e->server->info.image_size));
    if (entry == NULL || json_array_append_new(data, entry) != 0) json_lose();
  }
  return describe(w, j, job_picture_warning(j),
                  json_pack("{s:I, s:o}", "created", (json_int_t)time(NULL), "data", data));
}

/* ---- As a stream ---- */

typedef struct telling {
  server *server;
  openai_wishes wishes;
  int partials; /* told so far, of the picture that is being made */
} telling;

static char *event_text(const openai_wishes *w, const char *what, json_t *data) {
  char name[64];
  snprintf(name, sizeof name, "%s.%s", w->edit ? "image_edit" : "image_generation", what);
  json_object_set_new(data, "type", json_string(name));
  json_object_set_new(data, "created_at", json_integer((json_int_t)time(NULL)));
  return stream_text(name, data);
}

/* A preview, as soon as its share of the steps is done. */
static char *tell_step(telling *t, const job *j, const json_t *data) {
  const char *url = json_string_value(json_object_get(json_object_get(data, "preview"), "url"));
  json_int_t step = json_integer_value(json_object_get(data, "step")),
             steps = json_integer_value(json_object_get(data, "steps"));
  const char *comma = url == NULL ? NULL : strchr(url, ',');
  if (comma == NULL || t->partials >= t->wishes.partials ||
      step * (t->wishes.partials + 1) < steps * (t->partials + 1))
    return strdup("");
  json_t *event =
      json_pack("{s:s, s:i}", "b64_json", comma + 1, "partial_image_index", t->partials);
  describe(&t->wishes, j, NULL, event);
  json_object_set_new(event, "output_format", json_string("jpeg")); /* as previews are */
  t->partials++;
  return event_text(&t->wishes, "partial_image", event);
}

static char *tell_image(telling *t, const job *j, const json_t *data) {
  json_int_t index = json_integer_value(json_object_get(data, "index"));
  json_t *event = json_pack("{s:o, s:{s:i, s:i, s:i, s:{s:i, s:i}}}", "b64_json",
                            base64_text(&t->wishes, &j->images[index], t->server->info.image_size),
                            "usage", "total_tokens", 0, "input_tokens", 0, "output_tokens", 0,
                            "input_tokens_details", "text_tokens", 0, "image_tokens", 0);
  t->partials = 0;
  return event_text(&t->wishes, "completed",
                    describe(&t->wishes, j, j->images[index].warning, event));
}

static char *tell_failure(const char *event, json_t *data) {
  const json_t *failure = json_object_get(data, "error");
  const char *detail = json_string_value(json_object_get(failure, "detail"));
  if (detail == NULL)
    detail = strcmp(event, "cancelled") == 0 ? "the job was cancelled" : "the job failed";
  return stream_text("error",
                     json_pack("{s:s, s:{s:s, s:s, s:n, s:n}}", "type", "error", "error", "type",
                               "server_error", "message", detail, "param", "code"));
}

/* Our events become theirs; what they have no word for is left out. */
static char *tell(void *user, const job *j, const char *event, json_t *data) {
  telling *t = user;
  char *text;
  if (strcmp(event, "step") == 0) {
    text = tell_step(t, j, data);
  } else if (strcmp(event, "image") == 0) {
    text = tell_image(t, j, data);
  } else if (strcmp(event, "failed") == 0 || strcmp(event, "cancelled") == 0) {
    text = tell_failure(event, data);
  } else {
    text = strdup("");
  }
  json_decref(data);
  return text;
}

static void end_telling(void *user, job *j) {
  telling *t = user;
  jobs_delete(t->server->jobs, j); /* nobody knows its id: cancelled, then forgotten */
  free(t);
}

enum MHD_Result openai_stream(exchange *e, const openai_wishes *w, job *j) {
  telling *t = calloc(1, sizeof *t);
  if (t != NULL) *t = (telling){e->server, *w, 0};
  return stream_told(e, j, tell, end_telling, t);
}
