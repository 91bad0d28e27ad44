/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe.c - see recipe.h: the fields and their values as text, the rows, how a model's defaults
 * overlay them, the checks, and the public functions on recipes. Numbers are read and written with
 * a decimal point also where the host program has set a locale with a comma, and doubles with as
 * many digits as read back exactly. */
#include "sampling/recipe.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "masksketch_tools.h"

enum { JOBS = MSK_JOB_EDIT + 1 };

/* ---- the fields ---- */

typedef enum field_kind {
  FIELD_COUNT,
  FIELD_NUMBER,
  FIELD_POSITIVE, /* as a number, the minimum left out */
  FIELD_NAME,
  FIELD_SCHEDULE,
  FIELD_LAYERS
} field_kind;

/* One setting: parsing, printing, ranges, help and effect follow from its row. */
typedef struct field {
  const char *key;
  field_kind kind;
  size_t offset;
  unsigned mended, official; /* jobs in which it acts, by rules */
  const char *help;
  double minimum, maximum;
  const char *(*name)(int); /* FIELD_NAME */
} field;

#define DRAW (1u << MSK_JOB_DRAW)
#define GENERATE (1u << MSK_JOB_GENERATE)
#define EDIT (1u << MSK_JOB_EDIT)
#define ALL (DRAW | GENERATE | EDIT)
#define AT(member) offsetof(msk_recipe, member)
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define TO_MAX_STEPS ".." TEXT(MSK_MAX_STEPS)

static const field fields[] = {
    {"steps", FIELD_COUNT, AT(steps), ALL, ALL, "decoding steps, 1" TO_MAX_STEPS, .minimum = 1,
     .maximum = MSK_MAX_STEPS},
    {"schedule", FIELD_SCHEDULE, AT(schedule), ALL, ALL,
     "mask schedule: uniform, cosine, powX (pow2.5), log or exp", .name = NULL},
    {"lambda_structure", FIELD_NUMBER, AT(lambda_structure), DRAW, DRAW,
     "share of the re-masked tokens chosen by structure, 0..1", .maximum = 1},
    {"min_mask_rate", FIELD_NUMBER, AT(min_mask_rate), DRAW, DRAW,
     "mask rate after the last step, 0..1", .maximum = 1},
    {"max_mask_rate", FIELD_NUMBER, AT(max_mask_rate), DRAW, DRAW, "mask rate at the start, 0..1",
     .maximum = 1},
    {"temperature_structure", FIELD_NUMBER, AT(temperature_structure), DRAW, DRAW,
     "Gumbel noise on the structure score, 0..100", .maximum = 100},
    {"temperature_confidence", FIELD_NUMBER, AT(temperature_confidence), DRAW, DRAW,
     "Gumbel noise on the confidence, 0..100", .maximum = 100},
    {"token_temperature", FIELD_POSITIVE, AT(token_temperature), ALL, 0,
     "temperature of the token draw, above 0 to 10", .maximum = 10},
    {"token_noise", FIELD_NAME, AT(token_noise), ALL, 0,
     "noise of a step's token draws: independent, or common to all places",
     .name = msk_token_noise_name},
    {"start_temperature", FIELD_NUMBER, AT(start_temperature), ALL, 0,
     "temperature of the first step's token draw, 0..10; 0: token_temperature from the start",
     .maximum = 10},
    {"start_temperature_steps", FIELD_COUNT, AT(start_temperature_steps), ALL, 0,
     "first steps over which start_temperature falls to token_temperature, 0" TO_MAX_STEPS,
     .maximum = MSK_MAX_STEPS},
    {"choice_temperature", FIELD_NUMBER, AT(choice_temperature), ALL, GENERATE | EDIT,
     "Gumbel noise on MaskGIT's choice of tokens to keep, falling to 0, 0..100", .maximum = 100},
    {"guidance", FIELD_NUMBER, AT(guidance), ALL, DRAW,
     "guidance scale; 0 saves the unconditional pass, 0.." TEXT(MSK_MAX_GUIDANCE),
     .maximum = MSK_MAX_GUIDANCE},
    {"guidance_schedule", FIELD_NAME, AT(guidance_schedule), ALL, 0,
     "how guidance grows over the steps: constant, linear, power-cosine or late",
     .name = msk_guidance_schedule_name},
    {"guidance_skip", FIELD_NUMBER, AT(guidance_skip), ALL, 0,
     "no unconditional pass in steps where less than this share of the guidance acts, 0..1",
     .maximum = 1},
    {"unconditional_every", FIELD_COUNT, AT(unconditional_every), ALL, 0,
     "unconditional pass in every k-th step, reused in the others, 1..1000", .minimum = 1,
     .maximum = 1000},
    {"unconditional", FIELD_NAME, AT(unconditional), ALL, 0,
     "guidance moves away from: random (another class), null, or nothing (nor the drawing)",
     .name = msk_unconditional_name},
    {"structure_every", FIELD_COUNT, AT(structure_every), DRAW, 0,
     "structure pass in every k-th step, reused in the others, 1..1000", .minimum = 1,
     .maximum = 1000},
    {"refresh", FIELD_COUNT, AT(refresh), ALL, 0,
     "whole passes in every k-th step, light ones (changed and masked tokens alone) between, "
     "1..1000",
     .minimum = 1, .maximum = 1000},
    {"light_margin", FIELD_NUMBER, AT(light_margin), ALL, 0,
     "light passes take so many times as many masked tokens as will be kept, 0..1000; 0: all",
     .maximum = 1000},
    {"order", FIELD_NAME, AT(order), ALL, 0,
     "what chooses beside structure: confidence, halton (position) or random",
     .name = msk_order_name},
    {"anchor_steps", FIELD_COUNT, AT(anchor_steps), ALL, 0,
     "first steps that keep two tokens each, the least certain and order's next, 0" TO_MAX_STEPS,
     .maximum = MSK_MAX_STEPS},
    {"remask", FIELD_NAME, AT(remask), DRAW, 0,
     "what may be masked again: any token, drawn (in this step), or any by recorded confidence",
     .name = msk_remask_name},
    {"distance", FIELD_NAME, AT(distance), DRAW, 0,
     "structure distance: cross-entropy, symmetric-kl or jensen-shannon",
     .name = msk_distance_name},
    {"layers", FIELD_LAYERS, AT(layers), DRAW, DRAW,
     "layers whose attention is the structure, 0-based: 1,3,16", .name = NULL},
    {"visible_sketch", FIELD_COUNT, AT(visible_sketch), DRAW, 0,
     "1: start with some sketch tokens visible; 0: fully masked", .maximum = 1},
    {"sketch_share", FIELD_NUMBER, AT(sketch_share), DRAW, 0,
     "share of the sketch's tokens visible at the start, 0..1; 0: visible_sketch decides",
     .maximum = 1},
    {"sketch_steps", FIELD_COUNT, AT(sketch_steps), DRAW, 0,
     "first steps over which the sketch's visible tokens are let go, 0" TO_MAX_STEPS
     "; 0: like any other "
     "token",
     .maximum = MSK_MAX_STEPS},
    {"placeholder", FIELD_NAME, AT(placeholder), DRAW, 0,
     "what masked places show: mask (the mask token) or sketch (the sketch's token, for models "
     "trained so)",
     .name = msk_placeholder_name},
    {"tail", FIELD_COUNT, AT(tail), DRAW, 0,
     "MaskGIT steps from the last mask rate to 0, 0" TO_MAX_STEPS, .maximum = MSK_MAX_STEPS},
    {"revise_steps", FIELD_COUNT, AT(revise_steps), ALL, 0,
     "steps behind all others that draw again what does not fit the rest, 0..100", .maximum = 100},
    {"revise_below", FIELD_NUMBER, AT(revise_below), ALL, 0,
     "in these, tokens less likely than this share of the likeliest at their place, 0..1",
     .maximum = 1},
    {"start_step", FIELD_COUNT, AT(start_step), GENERATE | EDIT, GENERATE | EDIT,
     "first step taken, 0..steps-1", .maximum = MSK_MAX_STEPS - 1},
};
enum { FIELDS = sizeof fields / sizeof *fields };

/* NULL where no field has that key. */
static const field *find_field(const char *key) {
  for (int i = 0; i < FIELDS; i++) {
    if (strcmp(fields[i].key, key) == 0) return &fields[i];
  }
  return NULL;
}

/* Whether the field changes anything in a job, under `official` or under the mended rules. */
static bool acts(const field *f, msk_job job, bool official) {
  return ((official ? f->official : f->mended) >> (unsigned)job & 1u) != 0;
}

static int *int_of(const field *f, msk_recipe *recipe) {
  return (int *)(void *)((char *)recipe + f->offset);
}
static double *double_of(const field *f, msk_recipe *recipe) {
  return (double *)(void *)((char *)recipe + f->offset);
}

/* ---- text to number and back ---- */

static char decimal_point(void) {
  char text[8];
  snprintf(text, sizeof text, "%.1f", 0.5);
  return text[1];
}

/* A whole decimal number with a point; no blanks, no hexadecimal, no inf or nan. */
static bool parse_double(const char *text, double *value) {
  char copy[64];
  size_t length = strlen(text);
  if (length == 0 || length >= sizeof copy || strspn(text, "0123456789+-.eE") != length)
    return false;
  memcpy(copy, text, length + 1);
  char *point = strchr(copy, '.'), *end;
  if (point != NULL) *point = decimal_point();
  double parsed = strtod(copy, &end);
  if (*end != '\0' || end == copy || !isfinite(parsed)) return false;
  *value = parsed;
  return true;
}

static bool parse_int(const char *text, int *value) {
  size_t length = strlen(text);
  if (length == 0 || strspn(text + (*text == '-'), "0123456789") != length - (*text == '-'))
    return false;
  char *end;
  errno = 0;
  long parsed = strtol(text, &end, 10);
  if (*end != '\0' || end == text || errno != 0 || parsed < INT_MIN || parsed > INT_MAX)
    return false;
  *value = (int)parsed;
  return true;
}

/* The shortest of 15, 16 or 17 digits that reads back as the same double. */
static void print_double(double value, char text[40]) {
  for (int digits = 15; digits <= 17; digits++) {
    double back;
    snprintf(text, 40, "%.*g", digits, value);
    char *point = strchr(text, decimal_point());
    if (point != NULL) *point = '.';
    if (parse_double(text, &back) && back == value) return;
  }
}

/* ---- kinds ---- */

static msk_status refuse(const field *f, const char *value, msk_error *error) {
  return msk_refuse(error, f->key, "%s is '%.60s', expected %s", f->key, value, f->help);
}

static bool in_range(const field *f, double value) {
  return value <= f->maximum &&
         (f->kind == FIELD_POSITIVE ? value > f->minimum : value >= f->minimum);
}

static msk_status set_name(const field *f, msk_recipe *recipe, const char *value,
                           msk_error *error) {
  for (int i = 0; f->name(i) != NULL; i++) {
    if (strcmp(f->name(i), value) != 0) continue;
    *int_of(f, recipe) = i;
    return MSK_OK;
  }
  return refuse(f, value, error);
}

static msk_status set_schedule(const field *f, msk_recipe *recipe, const char *value,
                               msk_error *error) {
  for (int i = 0; msk_schedule_name(i) != NULL; i++) {
    double power;
    /* the one name that carries a number: "pow3", "pow0.5" */
    if (i == MSK_SCHEDULE_POW) {
      if (strncmp(value, "pow", 3) != 0 || !parse_double(value + 3, &power) ||
          !(power > 0 && power <= 1000))
        continue;
      recipe->schedule_power = power;
    } else if (strcmp(msk_schedule_name(i), value) != 0) {
      continue;
    }
    recipe->schedule = (msk_schedule)i;
    return MSK_OK;
  }
  return refuse(f, value, error);
}

/* Inserts into an ascending list; false when it is full or holds the layer already. */
static bool insert_layer(int *layers, int *count, int layer) {
  int at = *count;
  if (*count == MSK_MAX_LAYERS) return false;
  while (at > 0 && layers[at - 1] > layer) at--;
  if (at > 0 && layers[at - 1] == layer) return false;
  memmove(layers + at + 1, layers + at, (size_t)(*count - at) * sizeof *layers);
  layers[at] = layer;
  (*count)++;
  return true;
}

static msk_status set_layers(const field *f, msk_recipe *recipe, const char *value,
                             msk_error *error) {
  int layers[MSK_MAX_LAYERS] = {0}, count = 0;
  const char *cursor = value;
  do {
    char number[8];
    size_t length = strcspn(cursor, ",");
    int layer;
    if (length >= sizeof number) return refuse(f, value, error);
    memcpy(number, cursor, length);
    number[length] = '\0';
    if (!parse_int(number, &layer) || layer < 0) return refuse(f, value, error);
    /* twice would count its distance twice, and nobody means that */
    if (!insert_layer(layers, &count, layer)) {
      return msk_refuse(error, f->key,
                        "layers is '%.60s', expected each layer once and at most %d of them", value,
                        MSK_MAX_LAYERS);
    }
    cursor += length;
  } while (*cursor++ == ',');
  memcpy(recipe->layers, layers, sizeof layers);
  recipe->layer_count = count;
  return MSK_OK;
}

/* Parses and stores a value; the recipe is untouched on failure. */
static msk_status set_field(const field *f, msk_recipe *recipe, const char *value,
                            msk_error *error) {
  int count;
  double number;
  switch (f->kind) {
    case FIELD_COUNT:
      if (!parse_int(value, &count) || !in_range(f, count)) return refuse(f, value, error);
      *int_of(f, recipe) = count;
      return MSK_OK;
    case FIELD_NUMBER:
    case FIELD_POSITIVE:
      if (!parse_double(value, &number) || !in_range(f, number)) return refuse(f, value, error);
      *double_of(f, recipe) = number;
      return MSK_OK;
    case FIELD_NAME: return set_name(f, recipe, value, error);
    case FIELD_SCHEDULE: return set_schedule(f, recipe, value, error);
    case FIELD_LAYERS: break;
  }
  return set_layers(f, recipe, value, error);
}

/* Layers: at most MSK_MAX_LAYERS x ("2147483647" and a comma). */
#define TEXT_MAX (MSK_MAX_LAYERS * 11 + 1)

static void print_value(const field *f, const msk_recipe *recipe, char text[TEXT_MAX]) {
  msk_recipe copy = *recipe;
  char number[40];
  size_t used = 0;
  text[0] = '\0';
  switch (f->kind) {
    case FIELD_COUNT: snprintf(text, TEXT_MAX, "%d", *int_of(f, &copy)); return;
    case FIELD_NUMBER:
    case FIELD_POSITIVE:
      print_double(*double_of(f, &copy), number);
      snprintf(text, TEXT_MAX, "%s", number);
      return;
    case FIELD_NAME: snprintf(text, TEXT_MAX, "%s", f->name(*int_of(f, &copy))); return;
    case FIELD_SCHEDULE:
      number[0] = '\0';
      if (copy.schedule == MSK_SCHEDULE_POW) print_double(copy.schedule_power, number);
      snprintf(text, TEXT_MAX, "%s%s", msk_schedule_name((int)copy.schedule), number);
      return;
    case FIELD_LAYERS: break;
  }
  for (int i = 0; i < copy.layer_count; i++) {
    used +=
        (size_t)snprintf(text + used, TEXT_MAX - used, "%s%d", i == 0 ? "" : ",", copy.layers[i]);
  }
}

/* Whether the value in the recipe is within its range. */
static msk_status check_field(const field *f, const msk_recipe *recipe, msk_error *error) {
  msk_recipe copy = *recipe;
  bool good = true;
  switch (f->kind) {
    case FIELD_COUNT: good = in_range(f, *int_of(f, &copy)); break;
    case FIELD_NAME: good = f->name(*int_of(f, &copy)) != NULL; break;
    case FIELD_NUMBER:
    case FIELD_POSITIVE: good = in_range(f, *double_of(f, &copy)); break;
    case FIELD_SCHEDULE:
      good = msk_schedule_name((int)copy.schedule) != NULL &&
             (copy.schedule != MSK_SCHEDULE_POW ||
              (copy.schedule_power > 0 && copy.schedule_power <= 1000));
      break;
    case FIELD_LAYERS:
      good = copy.layer_count >= 0 && copy.layer_count <= MSK_MAX_LAYERS;
      for (int i = 0; good && i < copy.layer_count; i++)
        /* ascending, so that no layer counts twice in the mean of the scores */
        good = copy.layers[i] > (i == 0 ? -1 : copy.layers[i - 1]);
      break;
  }
  if (good) return MSK_OK;
  return msk_refuse(error, f->key, "%s is out of range, expected %s", f->key, f->help);
}

static msk_status get_field(const field *f, const msk_recipe *recipe, char *text, size_t text_bytes,
                            msk_error *error) {
  char value[TEXT_MAX];
  msk_status status = check_field(f, recipe, error);
  if (status != MSK_OK) return status;
  print_value(f, recipe, value);
  size_t bytes = strlen(value) + 1;
  if (bytes > text_bytes) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "the buffer for %s holds %zu bytes, expected at least %zu", f->key, text_bytes,
                    bytes);
  }
  memcpy(text, value, bytes);
  return MSK_OK;
}

/* ---- the rows ---- */

typedef struct setting {
  const char *key, *value;
} setting;

#define MAX_SETTINGS 12

/* A row: what it settles for each job, over `base`. A list ends at the first NULL key. */
typedef struct row {
  const char *name, *description;
  setting jobs[JOBS][MAX_SETTINGS];
} row;

/* What every mended row starts from. The tail's choice temperature is MaskGIT's 4.5 (1 - r) at
 * the tail's first mask rate, 0.35. */
static const setting base[JOBS][MAX_SETTINGS] = {
    [MSK_JOB_DRAW] = {{"steps", "24"},
                      {"schedule", "uniform"},
                      {"lambda_structure", "0.9"},
                      {"min_mask_rate", "0.35"},
                      {"max_mask_rate", "0.95"},
                      {"token_temperature", "0.9"},
                      {"choice_temperature", "1"},
                      {"guidance", "0.6"},
                      {"distance", "symmetric-kl"},
                      {"refresh", "6"},
                      {"light_margin", "2"},
                      {"tail", "6"}},
    [MSK_JOB_GENERATE] = {{"steps", "16"}, {"schedule", "cosine"}, {"choice_temperature", "4.5"}},
    [MSK_JOB_EDIT] = {{"steps", "12"}, {"schedule", "cosine"}, {"choice_temperature", "4.5"}},
};

#define OFFICIAL 0
#define BALANCED 1

static const row rows[] = {
    [OFFICIAL] = {"official",
                  "the authors' code to the token, its defects included",
                  {[MSK_JOB_DRAW] = {{"steps", "16"},
                                     {"schedule", "uniform"},
                                     {"lambda_structure", "0.9"},
                                     {"min_mask_rate", "0.35"},
                                     {"max_mask_rate", "0.95"},
                                     {"guidance", "0.6"},
                                     {"distance", "cross-entropy"}},
                   [MSK_JOB_GENERATE] = {{"steps", "16"},
                                         {"schedule", "cosine"},
                                         {"choice_temperature", "4.5"}},
                   [MSK_JOB_EDIT] = {{"steps", "12"},
                                     {"schedule", "cosine"},
                                     {"choice_temperature", "4.5"},
                                     {"start_step", "2"}}}},
    [BALANCED] = {"balanced", "the default: a good picture in moderate time", {{{NULL, NULL}}}},
    {"fast",
     "balanced in 8 steps and 3 to finish (edit: 6): at most 0.7 of its passes",
     {[MSK_JOB_DRAW] = {{"steps", "8"},
                        {"tail", "3"},
                        {"refresh", "11"},
                        {"light_margin", "1"},
                        {"unconditional_every", "11"}},
      [MSK_JOB_GENERATE] = {{"steps", "8"}},
      [MSK_JOB_EDIT] = {{"steps", "6"}}}},
    {"thorough",
     "balanced in 64 steps and 12 to finish (generate: 32, edit: 24)",
     {[MSK_JOB_DRAW] = {{"steps", "64"}, {"tail", "12"}, {"refresh", "1"}},
      [MSK_JOB_GENERATE] = {{"steps", "32"}},
      [MSK_JOB_EDIT] = {{"steps", "24"}}}},
    /* No token of the drawing is ever seen, so that structure has proposals to choose from only
     * where they differ: hence the full temperature, and the steps to settle them. */
    {"attention",
     "draw: the shape comes from attention alone, the drawing's tokens stay hidden; slower",
     {[MSK_JOB_DRAW] = {{"steps", "36"},
                        {"refresh", "1"},
                        {"token_temperature", "1"},
                        {"guidance", "4"},
                        {"visible_sketch", "0"},
                        {"sketch_share", "0"},
                        {"sketch_steps", "0"},
                        {"placeholder", "mask"}}}},
    /* What the first steps fix decides on colours: they are drawn warm, with hardly any guidance,
     * which amplifies small habits, and keep few tokens at a time. */
    {"varied",
     "draw: balanced with seeds that differ more in colour and backdrop",
     {[MSK_JOB_DRAW] = {{"schedule", "pow2"},
                        {"max_mask_rate", "1"},
                        {"refresh", "1"},
                        {"token_temperature", "0.4"},
                        {"start_temperature", "1"},
                        {"start_temperature_steps", "6"},
                        {"guidance_schedule", "power-cosine"}}}},
};
#define ROWS ((int)(sizeof rows / sizeof *rows))

/* the authors' choice for their 24 layers */
static const int published_layers[] = {1, 3, 16, 20, 21, 22};
#define PUBLISHED_DEPTH 24

static const row *find_row(const char *name, size_t length) {
  for (int i = 0; i < ROWS; i++) {
    if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0) return &rows[i];
  }
  return NULL;
}

static msk_status apply(msk_recipe *recipe, const setting *list, msk_error *error) {
  for (int i = 0; i < MAX_SETTINGS && list[i].key != NULL; i++) {
    msk_status status = set_field(find_field(list[i].key), recipe, list[i].value, error);
    if (status != MSK_OK) return status;
  }
  return MSK_OK;
}

/* ---- a model's defaults ---- */

typedef struct scope {
  const row *recipe; /* NULL: every one */
  int job;           /* -1: every one */
  const field *field;
} scope;

static msk_status bad_default(const msk_default_pair *pair, const char *why, msk_error *error) {
  return msk_fail(error, MSK_ERROR_FILE, "the model's default '%.60s' = '%.60s' is wrong: %s",
                  pair->key, pair->value, why);
}

/* [RECIPE.][JOB.]KEY */
static msk_status read_scope(scope *out, const msk_default_pair *pair, msk_error *error) {
  scope found = {NULL, -1, NULL};
  const char *cursor = pair->key;
  for (const char *dot; (dot = strchr(cursor, '.')) != NULL; cursor = dot + 1) {
    size_t length = (size_t)(dot - cursor);
    const row *recipe = find_row(cursor, length);
    int job = 0;
    while (job < JOBS &&
           !(strlen(msk_job_name(job)) == length && memcmp(msk_job_name(job), cursor, length) == 0))
      job++;
    if (recipe != NULL && found.recipe == NULL && found.job < 0) {
      found.recipe = recipe;
    } else if (job < JOBS && found.job < 0) {
      found.job = job;
    } else {
      return bad_default(pair, "expected [RECIPE.][JOB.]KEY", error);
    }
  }
  found.field = find_field(cursor);
  if (found.field == NULL) return bad_default(pair, "no recipe has this key", error);
  /* a model that brought other values along would not be the authors' code any more */
  if (found.recipe == &rows[OFFICIAL])
    return bad_default(pair, "the values of official are the authors'", error);
  if (found.job >= 0 && !acts(found.field, (msk_job)found.job, false))
    return bad_default(pair, "no effect in this job", error);
  *out = found;
  return MSK_OK;
}

/* Applies the pairs for this row and job: those that name the recipe, or those that do not. */
static msk_status apply_pairs(msk_recipe *recipe, const msk_model_defaults *defaults,
                              const row *chosen, msk_job job, bool named, msk_error *error) {
  for (size_t i = 0; i < defaults->pair_count; i++) {
    const msk_default_pair *pair = &defaults->pairs[i];
    scope where = {NULL, -1, NULL};
    msk_error reason = {0};
    msk_status status = read_scope(&where, pair, error);
    if (status != MSK_OK) return status;
    bool here = (where.recipe == NULL || where.recipe == chosen) &&
                (where.recipe != NULL) == named && (where.job < 0 || where.job == (int)job);
    /* a default for all jobs may name a key that only some of them have */
    if (!here || !acts(where.field, job, false)) continue;
    if (set_field(where.field, recipe, pair->value, &reason) != MSK_OK)
      return bad_default(pair, reason.message, error);
  }
  return MSK_OK;
}

static msk_status choose_layers(msk_recipe *recipe, const msk_model_defaults *defaults,
                                int model_layers, msk_error *error) {
  int depth = model_layers > 0 ? model_layers : PUBLISHED_DEPTH;
  if (defaults != NULL && defaults->structure_layer_count > 0) {
    if (defaults->structure_layer_count > MSK_MAX_LAYERS) {
      return msk_fail(error, MSK_ERROR_FILE,
                      "the model declares %d structure layers, expected at most %d",
                      defaults->structure_layer_count, MSK_MAX_LAYERS);
    }
    recipe->layer_count = defaults->structure_layer_count;
    memcpy(recipe->layers, defaults->structure_layers, sizeof recipe->layers);
  } else if (depth == PUBLISHED_DEPTH) {
    /* the authors' choice means something in a network of their depth; any other is read whole */
    recipe->layer_count = (int)(sizeof published_layers / sizeof *published_layers);
    memcpy(recipe->layers, published_layers, sizeof published_layers);
  } else {
    recipe->layer_count = depth < MSK_MAX_LAYERS ? depth : MSK_MAX_LAYERS;
    for (int i = 0; i < recipe->layer_count; i++) recipe->layers[i] = i;
  }
  return MSK_OK;
}

static msk_status fill_mended(msk_recipe *recipe, const msk_model_defaults *defaults,
                              const row *chosen, msk_job job, msk_error *error) {
  msk_status status = apply(recipe, base[job], error);
  if (status == MSK_OK && defaults != NULL) {
    if (defaults->null_class >= 0) recipe->unconditional = MSK_UNCONDITIONAL_NULL;
    if (defaults->start_from_sketch >= 0) recipe->visible_sketch = defaults->start_from_sketch != 0;
    status = apply_pairs(recipe, defaults, chosen, job, false, error);
  }
  if (status == MSK_OK) status = apply(recipe, chosen->jobs[job], error);
  if (status == MSK_OK && defaults != NULL)
    status = apply_pairs(recipe, defaults, chosen, job, true, error);
  return status;
}

static msk_status unknown_recipe(const char *name, msk_error *error) {
  char names[256] = "";
  size_t used = 0;
  for (int i = 0; i < ROWS && used < sizeof names; i++)
    used +=
        (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", rows[i].name);
  return msk_refuse(error, "recipe", "the recipe is '%.60s', expected one of %s", name, names);
}

/* What a recipe is where no row says anything: the authors' loop. */
static msk_recipe blank_recipe(const row *chosen) {
  msk_recipe blank = {.size = sizeof blank,
                      .official = chosen == &rows[OFFICIAL],
                      .schedule_power = 1,
                      .max_mask_rate = 1,
                      .token_temperature = 1,
                      .unconditional_every = 1,
                      .structure_every = 1,
                      .refresh = 1,
                      .visible_sketch = 1};
  snprintf(blank.name, sizeof blank.name, "%s", chosen->name);
  return blank;
}

static msk_status check_job(msk_job job, msk_error *error) {
  if (msk_job_name((int)job) != NULL) return MSK_OK;
  return msk_refuse(error, "job", "the job is %d, expected MSK_JOB_DRAW, _GENERATE or _EDIT",
                    (int)job);
}

msk_status msk_recipe_from_defaults(msk_recipe *recipe, const msk_model_defaults *defaults,
                                    int model_layers, msk_job job, const char *name,
                                    msk_error *error) {
  if (recipe == NULL || name == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "the recipe or its name is missing");
  msk_status status = check_job(job, error);
  if (status != MSK_OK) return status;
  const row *chosen = find_row(name, strlen(name));
  if (chosen == NULL) return unknown_recipe(name, error);
  msk_recipe filled = blank_recipe(chosen);
  status = choose_layers(&filled, defaults, model_layers, error);
  if (status == MSK_OK) {
    /* a model's own defaults must not reach the authors' recipe */
    status = filled.official ? apply(&filled, chosen->jobs[job], error)
                             : fill_mended(&filled, defaults, chosen, job, error);
  }
  if (status == MSK_OK) status = msk_recipe_check(&filled, job, model_layers, error);
  if (status == MSK_OK) *recipe = filled;
  return status;
}

/* ---- checks ---- */

static msk_status check_size(const msk_recipe *recipe, msk_error *error) {
  if (recipe->size == sizeof *recipe) return MSK_OK;
  return msk_refuse(error, "recipe",
                    "a recipe of %zu bytes, expected %zu: msk_recipe_find() comes first",
                    recipe->size, sizeof *recipe);
}

/* A field that `official` cannot change holds what the authors' code does. Schedule and layers
 * are none of these. */
static msk_status check_official(const msk_recipe *recipe, msk_job job, msk_error *error) {
  msk_recipe authors = blank_recipe(&rows[OFFICIAL]), copy = *recipe;
  msk_status status = apply(&authors, rows[OFFICIAL].jobs[job], error);
  for (int i = 0; status == MSK_OK && i < FIELDS; i++) {
    const field *f = &fields[i];
    /* a field without any effect in this job may hold anything */
    if (acts(f, job, true) || !acts(f, job, false)) continue;
    const bool number = f->kind == FIELD_NUMBER || f->kind == FIELD_POSITIVE;
    if (number ? *double_of(f, &copy) == *double_of(f, &authors)
               : *int_of(f, &copy) == *int_of(f, &authors))
      continue;
    status = msk_refuse(error, f->key,
                        "%s was changed under the recipe official, expected what the authors' code "
                        "does: take another recipe",
                        f->key);
  }
  return status;
}

/* What draw alone has. model_layers 0: not known. */
static msk_status check_draw(const msk_recipe *recipe, int model_layers, msk_error *error) {
  const int letting_go = recipe->steps - (recipe->tail == 0); /* steps that end with masks */
  if (recipe->sketch_steps > letting_go)
    return msk_refuse(
        error, "sketch_steps", "sketch_steps is %d, expected 0..%d: %d steps with %s",
        recipe->sketch_steps, letting_go, recipe->steps,
        recipe->tail == 0 ? "no tail mask tokens again after all but the last" : "a tail");
  if (recipe->layer_count == 0)
    return msk_refuse(error, "layers", "layers is empty, expected at least one layer");
  const int last = recipe->layers[recipe->layer_count - 1];
  if (model_layers > 0 && last >= model_layers)
    return msk_refuse(error, "layers", "layers names layer %d, expected 0..%d: the model has %d",
                      last, model_layers - 1, model_layers);
  return MSK_OK;
}

/* Fields against each other. */
static msk_status check_together(const msk_recipe *recipe, msk_error *error) {
  if (recipe->start_step >= recipe->steps)
    return msk_refuse(error, "start_step", "start_step is %d, expected 0..%d (steps - 1)",
                      recipe->start_step, recipe->steps - 1);
  if ((recipe->start_temperature > 0) != (recipe->start_temperature_steps > 0))
    return msk_refuse(error, "start_temperature",
                      "start_temperature is %g and start_temperature_steps %d, expected both above "
                      "0 (a fall) or neither",
                      recipe->start_temperature, recipe->start_temperature_steps);
  /* the authors' code takes a rising rate */
  if (!recipe->official && recipe->min_mask_rate > recipe->max_mask_rate)
    return msk_refuse(error, "min_mask_rate",
                      "min_mask_rate is %g, expected at most max_mask_rate, %g",
                      recipe->min_mask_rate, recipe->max_mask_rate);
  return MSK_OK;
}

msk_status msk_recipe_check(const msk_recipe *recipe, msk_job job, int model_layers,
                            msk_error *error) {
  msk_status status = check_size(recipe, error);
  for (int i = 0; status == MSK_OK && i < FIELDS; i++)
    status = check_field(&fields[i], recipe, error);
  if (status == MSK_OK) status = check_together(recipe, error);
  if (status == MSK_OK && job == MSK_JOB_DRAW) status = check_draw(recipe, model_layers, error);
  if (status == MSK_OK && recipe->official) status = check_official(recipe, job, error);
  return status;
}

/* ---- the public functions ---- */

const char *msk_recipe_name(int index) {
  return index >= 0 && index < ROWS ? rows[index].name : NULL;
}
const char *msk_recipe_description(int index) {
  return index >= 0 && index < ROWS ? rows[index].description : NULL;
}

const char *msk_recipe_key(int index, msk_job job, const char **help) {
  for (int i = 0; index >= 0 && i < FIELDS; i++) {
    if (!acts(&fields[i], job, false) || index-- > 0) continue;
    if (help != NULL) *help = fields[i].help;
    return fields[i].key;
  }
  return NULL;
}

/* Refuses a key, naming those that have an effect in the job under these rules. */
static msk_status refuse_key(const char *key, const char *why, msk_job job, bool official,
                             msk_error *error) {
  char keys[400] = "";
  size_t used = 0;
  for (int i = 0; i < FIELDS; i++) {
    if (!acts(&fields[i], job, official)) continue;
    const bool fits = used + 1 + strlen(fields[i].key) + sizeof " ..." <= sizeof keys;
    used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", used ? " " : "",
                             fits ? fields[i].key : "...");
    if (!fits) break;
  }
  return msk_refuse(error, "recipe", "the recipe key '%.40s' %s, expected one of: %s", key, why,
                    keys);
}

static msk_status require_field(const field **found, const msk_recipe *recipe, const char *key,
                                msk_job job, msk_error *error) {
  if (recipe == NULL || key == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT, "the recipe or the key is missing");
  msk_status status = check_size(recipe, error);
  if (status != MSK_OK) return status;
  *found = find_field(key);
  return *found != NULL ? MSK_OK : refuse_key(key, "is unknown", job, recipe->official != 0, error);
}

msk_status msk_recipe_set(msk_recipe *recipe, msk_job job, const char *key, const char *value,
                          msk_error *error) {
  const field *found;
  msk_status status = check_job(job, error);
  if (status == MSK_OK) status = require_field(&found, recipe, key, job, error);
  if (status != MSK_OK) return status;
  if (!acts(found, job, recipe->official != 0)) {
    char why[96];
    snprintf(why, sizeof why, "has no effect in %s%s", msk_job_name((int)job),
             recipe->official ? " under the recipe official" : "");
    return refuse_key(key, why, job, recipe->official != 0, error);
  }
  if (value == NULL) return msk_refuse(error, found->key, "the value of %s is missing", found->key);
  return set_field(found, recipe, value, error);
}

msk_status msk_recipe_get(const msk_recipe *recipe, const char *key, char *text, size_t text_bytes,
                          msk_error *error) {
  const field *found;
  msk_status status = require_field(&found, recipe, key, MSK_JOB_DRAW, error);
  return status == MSK_OK ? get_field(found, recipe, text, text_bytes, error) : status;
}
