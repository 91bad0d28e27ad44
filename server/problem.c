/* SPDX-License-Identifier: Apache-2.0
 * problem.c - see problem.h. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "app/json.h"

bool problem_set(problem *p, int status, const char *field, const char *format, ...) {
  p->status = status;
  snprintf(p->field, sizeof p->field, "%s", field == NULL ? "" : field);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(p->detail, sizeof p->detail, format, arguments);
  va_end(arguments);
  return false;
}

static int status_of(msk_status code) {
  switch (code) {
    case MSK_ERROR_ARGUMENT:
    case MSK_ERROR_FILE: return 422;
    case MSK_ERROR_UNSUPPORTED: return 501;
    case MSK_ERROR_CANCELLED:
    case MSK_ERROR_DEVICE:
    case MSK_ERROR_MEMORY: return 503;
    case MSK_OK:
    case MSK_ERROR_OUTPUT: break;
  }
  return 500;
}

bool problem_from_error(problem *p, const char *field, const msk_error *error) {
  return problem_set(p, status_of(error->code), field, "%s", error->message);
}

static const char *problem_title(int status) {
  static const struct {
    int status;
    const char *title;
  } titles[] = {{400, "Bad Request"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {408, "Request Timeout"},
                {409, "Conflict"},
                {413, "Content Too Large"},
                {415, "Unsupported Media Type"},
                {422, "Unprocessable Content"},
                {429, "Too Many Requests"},
                {500, "Internal Server Error"},
                {501, "Not Implemented"},
                {503, "Service Unavailable"}};
  for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
    if (titles[i].status == status) return titles[i].title;
  }
  return "Error";
}

json_t *problem_object(const problem *p) {
  json_t *object =
      json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title", problem_title(p->status),
                "status", p->status, "detail", json_text(p->detail));
  if (object != NULL && p->field[0] != 0) json_object_set_new(object, "field", json_text(p->field));
  return object;
}
