/* SPDX-License-Identifier: Apache-2.0
 *
 * spec.c - see spec.h. The table comes first: reading, refusals and the manual all follow it. */
#include "eval/spec.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/input.h"
#include "app/json.h"
#include "app/likeness.h"
#include "app/nearest.h"
#include "masksketch_tools.h"

#define TEXT_LIMITS " of 1 to 400 bytes without control characters"
_Static_assert(MAX_SPEC_TEXT == 400, "TEXT_LIMITS says so");

/* ---- the table of keys ---- */

const spec_key spec_keys[] = {
    {"", "job", SPEC_WORD, .words = "draw, generate", .value = "draw",
     .help = "`generate`: pictures of the classes, without drawings"},
    {"", "title", SPEC_TEXT, .value = "Evaluation", .help = "of the report"},
    {"", "text", SPEC_TEXT, .value = LIKENESS_TEXT,
     .help = "what CLIP holds the pictures against; `{class}` is replaced"},
    {"", "reference", SPEC_TEXT, .if_missing = "no distances",
     .help = "folder of pictures for the distances"},
    {"", "plots", SPEC_OBJECTS, 0, MAX_SPEC_VIEWS, .if_missing = "what suggests itself",
     .help = "diagrams of the report"},
    {"", "sheets", SPEC_OBJECTS, 0, MAX_SPEC_VIEWS, .if_missing = "what suggests itself",
     .help = "contact sheets of the report"},
    {"", "models", SPEC_VALUES, 1, 16, .if_missing = "`--model`, else the default model",
     .help = "paths or names of models; with a slash in it, relative to the SPEC"},
    {"", "recipes", SPEC_VALUES, 1, 16, .value = "balanced", .help = "names of recipes"},
    {"", "scores", SPEC_VALUES, 1, 3, .words = "structure, judge, clip",
     .if_missing = "what is at hand", .help = "what is measured"},
    {"", "settings", SPEC_SETTINGS, 0, MAX_SPEC_KEYS, .value = "{}",
     .help = "keys of a recipe (`masksketch draw --help`); for `layers`, `[[1], [2, 3]]` are two "
             "values, `[1, 2]` as well"},
    {"", "sketches", SPEC_DRAWINGS, 1, MAX_SPEC_SKETCHES, .if_missing = "needed to draw",
     .help = "the drawings"},
    {"", "classes", SPEC_VALUES, 1, MAX_SPEC_CLASSES, .if_missing = "needed to generate",
     .help = "names or numbers of the classes to generate"},
    {"", "seeds", SPEC_SEEDS, 1, 1000, .value = "0", .help = "a picture for each"},
    {"", "tile", SPEC_NUMBER, 32, 512, .value = "128",
     .help = "side of a picture in the report, in pixels"},

    {"sketches", "file", SPEC_TEXT, .needed = true, .help = "the drawing, relative to the SPEC"},
    {"sketches", "class", SPEC_TEXT, .needed = true, .help = "what it shows"},
    {"sketches", "name", SPEC_TEXT, .if_missing = "the file's, without suffix",
     .help = "must be its own"},
    {"sketches", "subject", SPEC_TEXT, .if_missing = "its name",
     .help = "the one thing that several drawings show"},
    {"sketches", "level", SPEC_VALUE, .if_missing = "none",
     .help = "of abstraction at which it is shown"},
    {"sketches", "mask", SPEC_TEXT, .if_missing = "what the lines enclose",
     .help = "picture of the true shape, white inside, relative to the SPEC"},
    {"sketches", "fit", SPEC_WORD, .words = "stretch, pad, crop, ink", .value = "stretch",
     .help = "as of `draw`"},
    {"sketches", "invert", SPEC_WORD, .words = "auto, yes, no", .value = "auto",
     .help = "as of `draw`"},
    {"sketches", "photo_of_paper", SPEC_WHEN, .words = "auto, yes, no", .value = "auto",
     .help = "as of `draw`"},

    {"plots", "title", SPEC_TEXT, .if_missing = "made of the names", .help = "of the diagram"},
    {"plots", "x", SPEC_TEXT, .needed = true,
     .help = "an axis, with a point for each of its values, or a measure"},
    {"plots", "y", SPEC_TEXT, .needed = true, .help = "a measure"},
    {"plots", "along", SPEC_TEXT, .if_missing = "needed where `x` is a measure",
     .help = "then the axis whose values are the points, each with its label"},
    {"plots", "by", SPEC_TEXT, .if_missing = "one line",
     .help = "a line for each value of another axis"},

    {"sheets", "title", SPEC_TEXT, .if_missing = "made of the names", .help = "of the sheet"},
    {"sheets", "rows", SPEC_TEXT, .needed = true, .help = "axis: a row for each of its values"},
    {"sheets", "columns", SPEC_TEXT, .needed = true,
     .help = "axis: a column for each of its values"},
    {"sheets", "each", SPEC_TEXT, .if_missing = "one sheet",
     .help = "a sheet for each value of a third axis"},
    {NULL}};

enum { MAX_KEYS = sizeof spec_keys / sizeof spec_keys[0] };

void spec_key_takes(char *text, size_t size, const spec_key *key) {
  switch (key->kind) {
    case SPEC_TEXT: snprintf(text, size, "a text"); break;
    case SPEC_WORD: snprintf(text, size, "one of %s", key->words); break;
    case SPEC_NUMBER:
      snprintf(text, size, "a whole number from %d to %d", key->least, key->most);
      break;
    case SPEC_WHEN: snprintf(text, size, "one of %s, true, false", key->words); break;
    case SPEC_VALUE: snprintf(text, size, "a number, text or list of whole numbers"); break;
    case SPEC_VALUES:
      snprintf(text, size, "a value or a list of up to %d%s%s", key->most,
               key->words == NULL ? "" : " of ", key->words == NULL ? "" : key->words);
      break;
    case SPEC_SEEDS:
      snprintf(text, size, "a whole number from 0, or a list of up to %d", key->most);
      break;
    case SPEC_SETTINGS:
      snprintf(text, size, "an object of up to %d keys, each with a value or a list of up to %d",
               key->most, MAX_SPEC_VALUES);
      break;
    case SPEC_OBJECTS: snprintf(text, size, "a list of up to %d objects", key->most); break;
    case SPEC_DRAWINGS:
      snprintf(text, size,
               "a list of 1 to %d objects, or the name of a CSV or of a folder of classes",
               key->most);
      break;
  }
}

static const spec_key *find_key(const char *group, const char *name) {
  const spec_key *key = spec_keys;
  while (strcmp(key->group, group) != 0 || strcmp(key->name, name) != 0) key++;
  return key;
}

/* The names of a group's keys in their order, NULL behind the last; returns how many. */
static int group_keys(const char *names[MAX_KEYS], const char *group) {
  int count = 0;
  for (const spec_key *key = spec_keys; key->name != NULL; key++) {
    if (strcmp(key->group, group) == 0) names[count++] = key->name;
  }
  names[count] = NULL;
  return count;
}

/* Place of a word among words parted by ", ", or -1. */
static int find_word(const char *words, const char *word) {
  size_t length = strlen(word);
  for (int i = 0; *words != 0; i++) {
    size_t here = strcspn(words, ",");
    if (here == length && memcmp(words, word, length) == 0) return i;
    words += here;
    words += strspn(words, ", ");
  }
  return -1;
}

/* ---- refusals ---- */

/* A SPEC as it is read; its path stands before every refusal. */
typedef struct reader {
  const char *path;
  eval_spec *spec;
  msk_error *error;
} reader;

static msk_status refuse(const reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static msk_status refuse(const reader *r, const char *format, ...) {
  char reason[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(reason, sizeof reason, format, arguments);
  va_end(arguments);
  return app_fail(r->error, MSK_ERROR_FILE, "%.100s: %s", r->path, reason);
}

/* `where` is "" or like "sketches[2]."; `what` is wrong with the value. */
static msk_status refuse_value(const reader *r, const char *where, const spec_key *key,
                               const char *what) {
  char takes[160];
  spec_key_takes(takes, sizeof takes, key);
  return refuse(r, "\"%s%.60s\" %s, expected %s%s%s%s", where, key->name, what, takes,
                key->kind == SPEC_TEXT ? TEXT_LIMITS : "", key->help == NULL ? "" : ": ",
                key->help == NULL ? "" : key->help);
}

/* Adds a new reference, which may be NULL for lack of memory. */
static msk_status put(const reader *r, json_t *object, const char *key, json_t *value) {
  return json_object_set_new(object, key, value) == 0
             ? MSK_OK
             : app_fail(r->error, MSK_ERROR_MEMORY, "out of memory for the SPEC");
}

static msk_status append(const reader *r, json_t *list, json_t *value) {
  return json_array_append_new(list, value) == 0
             ? MSK_OK
             : app_fail(r->error, MSK_ERROR_MEMORY, "out of memory for the SPEC");
}

const char *eval_nearest(const char *const *names, const char *word) {
  const char *best = names[0];
  int least = 1000;
  for (int i = 0; names[i] != NULL; i++) {
    int edits = nearest_edits(word, strlen(word), names[i]);
    if (edits < least) {
      least = edits;
      best = names[i];
    }
  }
  return best;
}

static msk_status check_names(const reader *r, json_t *object, const char *where,
                              const char *const *names) {
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value) {
    bool known = false;
    for (int i = 0; names[i] != NULL && !known; i++) known = strcmp(names[i], key) == 0;
    if (!known)
      return refuse(r, "there is no key \"%s%.60s\", the nearest is \"%s\"", where, key,
                    eval_nearest(names, key));
  }
  return MSK_OK;
}

/* ---- values ---- */

static bool is_text(const json_t *value) {
  const char *text = json_string_value(value);
  if (text == NULL || *text == 0 || strlen(text) > MAX_SPEC_TEXT) return false;
  for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++) {
    if (*c < 0x20 || *c == 0x7F) return false;
  }
  return true;
}

/* As the text that a recipe takes. */
static bool value_text(char text[MAX_SPEC_TEXT + 1], const json_t *value) {
  return msk_json_setting(value, text, MAX_SPEC_TEXT + 1) && *text != 0 &&
         (!json_is_string(value) || is_text(value));
}

static msk_status append_value(const reader *r, json_t *list, json_t *value, const char *where,
                               const spec_key *key) {
  char text[MAX_SPEC_TEXT + 1];
  bool seed = key->kind == SPEC_SEEDS;
  if (!value_text(text, value) ||
      (seed && (!json_is_integer(value) || json_integer_value(value) < 0)) ||
      (key->words != NULL && find_word(key->words, text) < 0))
    return refuse_value(r, where, key, "holds something else");
  /* seeds stay numbers, as a seed is one */
  json_t *taken = seed ? json_incref(value) : json_string(text);
  for (size_t i = 0; i < json_array_size(list); i++) {
    if (!json_equal(json_array_get(list, i), taken)) continue;
    json_decref(taken);
    return refuse(r, "\"%s%.60s\" holds %.60s twice, expected each value once", where, key->name,
                  text);
  }
  return append(r, list, taken);
}

/* One value alone is a list of one. */
static msk_status take_list(const reader *r, json_t *out, json_t *given, const char *where,
                            const spec_key *key) {
  size_t count = json_is_array(given) ? json_array_size(given) : 1;
  if (count < 1 || count > (size_t)key->most)
    return refuse(r, "\"%s%.60s\" has %zu values, expected 1 to %d", where, key->name, count,
                  key->most);
  json_t *list = json_array();
  msk_status status = put(r, out, key->name, list);
  for (size_t i = 0; i < count && status == MSK_OK; i++)
    status =
        append_value(r, list, json_is_array(given) ? json_array_get(given, i) : given, where, key);
  return status;
}

/* It stands first in the table, and in the form before all that depends on it. */
static msk_job job_of(const eval_spec *spec) {
  const char *job = json_string_value(json_object_get(spec->root, "job"));
  return strcmp(job, "generate") == 0 ? MSK_JOB_GENERATE : MSK_JOB_DRAW;
}

static msk_status take_settings(const reader *r, json_t *out, json_t *given, const spec_key *key) {
  enum { MAX_NAMES = 64 };
  const msk_job job = job_of(r->spec);
  const char *names[MAX_NAMES + 1] = {NULL}, *name;
  json_t *settings = json_object(), *value;
  if (!json_is_object(given) || json_object_size(given) > (size_t)key->most) {
    json_decref(settings);
    return refuse_value(r, "", key, "is something else");
  }
  for (int i = 0; i < MAX_NAMES && msk_recipe_key(i, job, NULL) != NULL; i++)
    names[i] = msk_recipe_key(i, job, NULL);
  msk_status status = put(r, out, key->name, settings);
  if (status == MSK_OK) status = check_names(r, given, "settings.", names);
  json_object_foreach(given, name, value) {
    const spec_key row = {"settings", name, SPEC_VALUES, .most = MAX_SPEC_VALUES};
    if (status == MSK_OK) status = take_list(r, settings, value, "settings.", &row);
  }
  return status;
}

/* ---- objects ---- */

static msk_status take_object(const reader *r, json_t *out, json_t *given, const char *where,
                              const char *group);

static msk_status take_objects(const reader *r, json_t *out, json_t *given, const spec_key *key) {
  size_t count = json_array_size(given);
  json_t *list = json_array();
  msk_status status = put(r, out, key->name, list);
  if (status == MSK_OK &&
      (!json_is_array(given) || count < (size_t)key->least || count > (size_t)key->most)) {
    char what[40];
    snprintf(what, sizeof what, "has %zu entries", count);
    return refuse_value(r, "", key, what);
  }
  for (size_t i = 0; i < count && status == MSK_OK; i++) {
    json_t *object = json_object(), *entry = json_array_get(given, i);
    char where[40];
    snprintf(where, sizeof where, "%s[%zu].", key->name, i);
    status = append(r, list, object);
    if (status == MSK_OK && !json_is_object(entry))
      status = refuse(r, "\"%s[%zu]\" is something else, expected an object", key->name, i);
    if (status == MSK_OK) status = take_object(r, object, entry, where, key->name);
  }
  return status;
}

static bool is_good(const json_t *value, const spec_key *key) {
  char text[MAX_SPEC_TEXT + 1];
  switch (key->kind) {
    case SPEC_TEXT:
    case SPEC_DRAWINGS: return is_text(value);
    case SPEC_WHEN:
      if (json_is_boolean(value)) return true;
      /* fall through */
    case SPEC_WORD: return is_text(value) && find_word(key->words, json_string_value(value)) >= 0;
    case SPEC_NUMBER:
      return json_is_integer(value) && json_integer_value(value) >= key->least &&
             json_integer_value(value) <= key->most;
    default: return value_text(text, value);
  }
}

static msk_status take_value(const reader *r, json_t *out, json_t *given, const char *where,
                             const spec_key *key) {
  char text[MAX_SPEC_TEXT + 1];
  switch (key->kind) {
    case SPEC_VALUES:
    case SPEC_SEEDS: return take_list(r, out, given, where, key);
    case SPEC_SETTINGS: return take_settings(r, out, given, key);
    case SPEC_OBJECTS: return take_objects(r, out, given, key);
    case SPEC_DRAWINGS:
      if (!json_is_string(given)) return take_objects(r, out, given, key);
      /* fall through */
    default: break;
  }
  if (!is_good(given, key)) return refuse_value(r, where, key, "is something else");
  if (key->kind == SPEC_NUMBER) return MSK_OK;
  if (key->kind == SPEC_WHEN && json_is_boolean(given))
    return put(r, out, key->name, json_string(json_is_true(given) ? "yes" : "no"));
  if (key->kind != SPEC_VALUE) return put(r, out, key->name, json_incref(given));
  value_text(text, given);
  return put(r, out, key->name, json_string(text));
}

/* Defaults stand in the table as in the manual: texts without quotes. */
static msk_status take_missing(const reader *r, json_t *out, const char *where,
                               const spec_key *key) {
  if (key->needed) return refuse_value(r, where, key, "is missing");
  /* what is not part of the form is looked up where it is used */
  if (key->value == NULL || key->kind == SPEC_TEXT || key->kind == SPEC_NUMBER) return MSK_OK;
  char text[200];
  json_t *list = NULL;
  msk_error found;
  snprintf(text, sizeof text, "[%s]", key->value);
  if (msk_json_load(&list, key->name, text, strlen(text), MSK_JSON_FEW, &found) == MSK_ERROR_MEMORY)
    return app_fail(r->error, MSK_ERROR_MEMORY, "%s", found.message);
  json_t *value = list != NULL ? json_incref(json_array_get(list, 0)) : json_string(key->value);
  json_decref(list);
  msk_status status = take_value(r, out, value, where, key);
  json_decref(value);
  return status;
}

static msk_status take_object(const reader *r, json_t *out, json_t *given, const char *where,
                              const char *group) {
  const char *names[MAX_KEYS];
  int count = group_keys(names, group);
  msk_status status = check_names(r, given, where, names);
  for (int i = 0; i < count && status == MSK_OK; i++) {
    const spec_key *key = find_key(group, names[i]);
    json_t *value = json_object_get(given, names[i]);
    status =
        value == NULL ? take_missing(r, out, where, key) : take_value(r, out, value, where, key);
  }
  return status;
}

/* ---- what concerns several keys ---- */

/* Every recipe must exist, and take every value of each setting; what only the model can judge is
 * judged later. */
static msk_status check_recipes(const reader *r) {
  for (size_t i = 0; i < json_array_size(r->spec->recipes); i++) {
    const char *name = eval_spec_text(r->spec->recipes, i), *key;
    json_t *values;
    msk_recipe recipe;
    msk_error reason = {0};
    if (msk_recipe_find(&recipe, NULL, r->spec->job, name, &reason) != MSK_OK)
      return refuse(r, "\"recipes\": %.300s", reason.message);
    json_object_foreach(r->spec->settings, key, values) {
      for (size_t k = 0; k < json_array_size(values); k++) {
        msk_recipe changed = recipe;
        if (msk_recipe_set(&changed, r->spec->job, key, eval_spec_text(values, k), &reason) !=
            MSK_OK)
          return refuse(r, "\"settings\" for the recipe %.40s: %.280s", name, reason.message);
      }
    }
  }
  return MSK_OK;
}

/* ---- the drawings ---- */

/* A checked object as the next row of the list. */
static msk_status add_sketch(const reader *r, const json_t *object) {
  const char *names[MAX_KEYS];
  group_keys(names, "sketches");
  return sketch_list_add(&r->spec->sketches, object, names, r->error);
}

/* "sketches/fish-thin.png" -> "fish-thin", or of a long list, in which many folders have a
 * fish-thin, "sketches/fish-thin". */
static msk_status name_sketch(const reader *r, json_t *sketch, bool with_folder) {
  const char *file = json_string_value(json_object_get(sketch, "file")),
             *slash = strrchr(file, '/'), *last = slash == NULL ? file : slash + 1;
  const char *name = with_folder ? file : last, *dot = strrchr(last, '.');
  size_t length = dot == NULL || dot == last ? strlen(name) : (size_t)(dot - name);
  if (json_object_get(sketch, "name") != NULL) return MSK_OK;
  if (length == 0)
    return refuse(r, "a sketch's \"file\" is %.80s, expected the name of a picture", file);
  return put(r, sketch, "name", json_stringn(name, length));
}

/* One row of a list beside the SPEC: checked as an object inside it would be. */
static msk_status take_listed(void *user, json_t *given, int line, msk_error *error) {
  const reader *r = user;
  char where[40] = "";
  json_t *object = json_object();
  if (object == NULL) return app_fail(error, MSK_ERROR_MEMORY, "out of memory for the SPEC");
  if (line > 0) snprintf(where, sizeof where, "line %d: ", line);
  msk_status status = take_object(r, object, given, where, "sketches");
  if (status == MSK_OK) status = name_sketch(r, object, true);
  if (status == MSK_OK) status = add_sketch(r, object);
  json_decref(object);
  return status;
}

/* A folder of folders, or a CSV; files are named from where it lies. */
static msk_status read_list(const reader *r, const char *given) {
  eval_spec *spec = r->spec;
  char path[MAX_PATH_BYTES - 2];
  struct stat info;
  msk_status status = eval_spec_path(spec->drawings, spec, given, r->error);
  if (status != MSK_OK) return status;
  if (snprintf(path, sizeof path, "%s", spec->drawings) >= (int)sizeof path)
    return refuse(r, "\"sketches\" is too long a path: %.80s...", path);
  const reader list = {path, spec, r->error};
  const bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
  char *slash = strrchr(spec->drawings, '/');
  if (folder) {
    strcat(spec->drawings, "/");
    status = sketch_list_read_folder(path, take_listed, (void *)(uintptr_t)&list, r->error);
  } else {
    if (slash == NULL) slash = spec->drawings - 1;
    slash[1] = 0;
    status = sketch_list_read_csv(path, take_listed, (void *)(uintptr_t)&list, r->error);
  }
  if (status != MSK_OK || spec->sketches.count > 0) return status;
  return refuse(&list, "it lists no drawings, expected %s",
                folder ? "folders named by classes with pictures in them"
                       : "a line for each behind the names of the columns");
}

/* The SPEC's own list; its objects stay in the form. */
static msk_status read_objects(const reader *r, const json_t *objects) {
  msk_status status = MSK_OK;
  for (size_t i = 0; i < json_array_size(objects) && status == MSK_OK; i++) {
    json_t *sketch = json_array_get(objects, i);
    status = name_sketch(r, sketch, false);
    if (status == MSK_OK) status = add_sketch(r, sketch);
  }
  return status;
}

/* A class alone stands where a drawing would. */
static msk_status read_classes(const reader *r, const json_t *classes) {
  msk_status status = MSK_OK;
  for (size_t i = 0; i < json_array_size(classes) && status == MSK_OK; i++) {
    const char *name = eval_spec_text(classes, i);
    json_t *object = json_pack("{s:s, s:s}", "class", name, "name", name);
    status = add_sketch(r, object);
    json_decref(object);
  }
  return status;
}

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static msk_status check_sketch_names(const reader *r) {
  const eval_spec *spec = r->spec;
  const size_t count = (size_t)spec->sketches.count;
  const char **names = malloc(count * sizeof *names);
  msk_status status = MSK_OK;
  if (names == NULL) return app_fail(r->error, MSK_ERROR_MEMORY, "out of memory for the SPEC");
  for (size_t i = 0; i < count; i++) names[i] = eval_spec_sketch(spec, i, "name");
  qsort(names, count, sizeof *names, compare_texts);
  for (size_t i = 1; i < count && status == MSK_OK; i++) {
    if (strcmp(names[i - 1], names[i]) == 0)
      status = refuse(r,
                      "two sketches have the name %.60s, expected different ones: give them a "
                      "\"name\"",
                      names[i]);
  }
  free(names);
  return status;
}

static msk_status read_sketches(const reader *r) {
  const bool draws = r->spec->job == MSK_JOB_DRAW;
  const char *wanted = draws ? "sketches" : "classes", *other = draws ? "classes" : "sketches";
  const json_t *given = json_object_get(r->spec->root, wanted);
  msk_status status = MSK_OK;
  if (json_object_get(r->spec->root, other) != NULL)
    return refuse(r, "\"%s\" has no effect where \"job\" is %s: leave it out", other,
                  msk_job_name((int)r->spec->job));
  if (given == NULL) return refuse_value(r, "", find_key("", wanted), "is missing");
  memcpy(r->spec->drawings, r->spec->folder, sizeof r->spec->drawings);
  if (!draws) {
    status = read_classes(r, given);
  } else if (json_is_string(given)) {
    status = read_list(r, json_string_value(given));
  } else {
    status = read_objects(r, given);
  }
  return status == MSK_OK ? check_sketch_names(r) : status;
}

/* ---- reading ---- */

static msk_status parse(const reader *r, json_t **root) {
  void *bytes = NULL;
  size_t byte_count = 0;
  msk_status status = input_read(r->path, MAX_SPEC_BYTES, &bytes, &byte_count, r->error);
  if (status != MSK_OK) return status;
  status = msk_json_load(root, r->path, bytes, byte_count, MSK_JSON_MANY, r->error);
  msk_free(NULL, bytes);
  if (status != MSK_OK) return status;
  if (json_is_object(*root)) return MSK_OK;
  return refuse(r, "it is no JSON object, expected { \"sketches\": [ ... ], ... }");
}

/* A text of the SPEC, or what stands for a missing one. */
static const char *text_of(const eval_spec *spec, const char *name) {
  const char *given = json_string_value(json_object_get(spec->root, name));
  return given != NULL ? given : find_key("", name)->value;
}

static void fill_in(eval_spec *spec, const json_t *given) {
  const json_t *tile = json_object_get(given, "tile");
  spec->job = job_of(spec);
  spec->title = text_of(spec, "title");
  spec->text = text_of(spec, "text");
  spec->reference = text_of(spec, "reference");
  spec->tile = tile == NULL ? atoi(find_key("", "tile")->value) : (int)json_integer_value(tile);
  spec->models = json_object_get(spec->root, "models");
  spec->recipes = json_object_get(spec->root, "recipes");
  spec->settings = json_object_get(spec->root, "settings");
  spec->seeds = json_object_get(spec->root, "seeds");
  spec->scores = json_object_get(spec->root, "scores");
  spec->plots = json_object_get(spec->root, "plots");
  spec->sheets = json_object_get(spec->root, "sheets");
}

msk_status eval_spec_load(eval_spec *spec, const char *path, msk_error *error) {
  const reader r = {path, spec, error};
  const char *slash = strrchr(path, '/');
  json_t *given = NULL;
  *spec = (eval_spec){.root = json_object()};
  if (strlen(path) >= sizeof spec->folder)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the SPEC's name is too long: %.80s...", path);
  if (slash != NULL) memcpy(spec->folder, path, (size_t)(slash + 1 - path));
  msk_status status = parse(&r, &given);
  if (status == MSK_OK) status = take_object(&r, spec->root, given, "", "");
  if (status == MSK_OK) {
    fill_in(spec, given);
    status = check_recipes(&r);
  }
  if (status == MSK_OK) status = read_sketches(&r);
  json_decref(given);
  return status;
}

void eval_spec_free(eval_spec *spec) {
  sketch_list_free(&spec->sketches);
  json_decref(spec->root);
  spec->root = NULL;
}

/* ---- using ---- */

const char *eval_spec_text(const json_t *list, size_t index) {
  return json_string_value(json_array_get(list, index));
}

const char *eval_spec_sketch(const eval_spec *spec, size_t index, const char *field) {
  const char *names[MAX_KEYS];
  int place = 0;
  group_keys(names, "sketches");
  while (strcmp(names[place], field) != 0) place++;
  return sketch_list_field(&spec->sketches, index, place);
}

int eval_spec_word(const eval_spec *spec, size_t index, const char *field) {
  return find_word(find_key("sketches", field)->words, eval_spec_sketch(spec, index, field));
}

static msk_status join(char path[MAX_PATH_BYTES], const char *folder, const char *given,
                       msk_error *error) {
  if (given[0] == '/') folder = "";
  if (folder[0] == 0 && given[0] == '-') folder = "./"; /* "-" is a name here */
  int length = snprintf(path, MAX_PATH_BYTES, "%s%s", folder, given);
  return length < MAX_PATH_BYTES
             ? MSK_OK
             : app_fail(error, MSK_ERROR_FILE, "a name in the SPEC is too long: %.80s...", given);
}

msk_status eval_spec_path(char path[MAX_PATH_BYTES], const eval_spec *spec, const char *given,
                          msk_error *error) {
  return join(path, spec->folder, given, error);
}

msk_status eval_spec_drawing(char path[MAX_PATH_BYTES], const eval_spec *spec, size_t index,
                             const char *field, msk_error *error) {
  return join(path, spec->drawings, eval_spec_sketch(spec, index, field), error);
}
