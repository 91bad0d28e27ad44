/* SPDX-License-Identifier: Apache-2.0
 * examples.c - the drawings that came with the program, to start from: the folder's PNGs and JPEGs,
 * named by what they show ("apple-pen.png"). Read at each request, so nothing is kept. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "app/model_path.h"
#include "masksketch_tools.h"
#include "routes.h"

enum { MOST_EXAMPLES = 64, MOST_NAME = 60, MOST_BYTES = 1 << 22 };

/* The type of a file that may be given out, or NULL: names of letters, digits and dashes only, so
 * that none leaves the folder. */
static const char *example_type(const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  size_t stem = strspn(name, letters);
  if (stem == 0 || stem > MOST_NAME) return NULL;
  if (strcmp(name + stem, ".png") == 0) return "image/png";
  return strcmp(name + stem, ".jpg") == 0 ? "image/jpeg" : NULL;
}

/* The class that the name begins with, as {"id", "name"}; null where the model has none. */
static json_t *example_class(const server *s, const char *name) {
  char word[MOST_NAME + 1];
  int id = 0;
  msk_error ignored;
  snprintf(word, sizeof word, "%.*s", (int)strcspn(name, "-."), name);
  if (msk_model_class_find(s->model, word, &id, &ignored) != MSK_OK) return json_null();
  return json_pack("{s:i, s:o}", "id", id, "name", json_text(msk_model_class_name(s->model, id)));
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

/* The folder's names in their order; returns how many. */
static int example_names(const char *folder, char names[MOST_EXAMPLES][MOST_NAME + 5]) {
  int count = 0;
  DIR *directory = opendir(folder);
  if (directory == NULL) return 0;
  for (struct dirent *entry; count < MOST_EXAMPLES && (entry = readdir(directory)) != NULL;) {
    if (example_type(entry->d_name) != NULL)
      snprintf(names[count++], MOST_NAME + 5, "%.64s", entry->d_name);
  }
  closedir(directory);
  qsort(names, (size_t)count, sizeof names[0], by_name);
  return count;
}

enum MHD_Result route_examples(exchange *e) {
  char folder[MAX_PATH_BYTES], names[MOST_EXAMPLES][MOST_NAME + 5];
  int count = model_path_find_examples(folder) ? example_names(folder, names) : 0;
  json_t *examples = json_array();
  for (int i = 0; i < count; i++)
    json_array_append_new(examples, json_pack("{s:s, s:o, s:o}", "name", names[i], "url",
                                              json_sprintf("/v1/examples/%s", names[i]), "class",
                                              example_class(e->server, names[i])));
  return answer_json(e, 200, json_pack("{s:o}", "examples", examples));
}

enum MHD_Result route_example(exchange *e) {
  const char *name = e->url + strlen("/v1/examples/"), *type = example_type(name);
  char folder[MAX_PATH_BYTES], path[MAX_PATH_BYTES + MOST_NAME + 8];
  void *bytes = NULL;
  size_t count = 0;
  msk_error ignored;
  if (type != NULL && model_path_find_examples(folder)) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (msk_file_read(path, MOST_BYTES, &bytes, &count, NULL, &ignored) == MSK_OK)
      return answer_bytes(e, 200, type, bytes, count); /* msk_file_read() took it from the C heap */
  }
  problem_set(&e->problem, 404, NULL, "there is no example %.80s: GET /v1/examples lists them",
              name);
  return answer_problem(e);
}
