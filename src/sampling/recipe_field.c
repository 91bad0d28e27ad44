/* SPDX-License-Identifier: Apache-2.0
 *
 * recipe_field.c - see recipe_field.h. Numbers are read and written with a decimal point also
 * where the host program has set a locale with a comma, and doubles with as many digits as read
 * back exactly. */
#include "sampling/recipe_field.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

typedef enum field_kind {
  FIELD_COUNT,
  FIELD_NUMBER,
  FIELD_POSITIVE,
  FIELD_NAME,
  FIELD_SCHEDULE,
  FIELD_LAYERS
} field_kind;

struct msk_recipe_field {
  const char *key;
  field_kind kind;
  size_t offset;
  double minimum, maximum;   /* FIELD_POSITIVE: the minimum is left out */
  const char *const *names;  /* FIELD_NAME: what values 0, 1, ... are called; NULL-terminated */
  unsigned mended, official; /* jobs in which the field acts, by rules */
  const char *help;
};

#define DRAW (1u << MSK_JOB_DRAW)
#define GENERATE (1u << MSK_JOB_GENERATE)
#define EDIT (1u << MSK_JOB_EDIT)
#define ALL (DRAW | GENERATE | EDIT)
#define AT(member) offsetof(msk_recipe, member)

static const char *const distance_names[] = {"cross-entropy", "symmetric-kl", "jensen-shannon",
                                             NULL};
static const char *const placeholder_names[] = {"mask", "sketch", NULL};
static const char *const unconditional_names[] = {"random", "null", NULL};
static const char *const guidance_names[] = {"constant", "linear", "power-cosine", "late", NULL};
static const char *const order_names[] = {"confidence", "halton", "random", NULL};
static const char *const remask_names[] = {"any", "drawn", "recorded", NULL};
static const char *const schedule_names[] = {"uniform", "cosine", "pow", "log", "exp", NULL};

static const msk_recipe_field fields[] = {
    {"steps", FIELD_COUNT, AT(steps), 1, 10000, NULL, ALL, ALL, "decoding steps, 1..10000"},
    {"schedule", FIELD_SCHEDULE, AT(schedule), 0, 0, NULL, ALL, ALL,
     "mask schedule: uniform, cosine, powX (pow2.5), log or exp"},
    {"lambda_structure", FIELD_NUMBER, AT(lambda_structure), 0, 1, NULL, DRAW, DRAW,
     "share of the re-masked tokens chosen by structure, 0..1"},
    {"min_mask_rate", FIELD_NUMBER, AT(min_mask_rate), 0, 1, NULL, DRAW, DRAW,
     "mask rate after the last step, 0..1"},
    {"max_mask_rate", FIELD_NUMBER, AT(max_mask_rate), 0, 1, NULL, DRAW, DRAW,
     "mask rate at the start, 0..1"},
    {"temperature_structure", FIELD_NUMBER, AT(temperature_structure), 0, 100, NULL, DRAW, DRAW,
     "Gumbel noise on the structure score, 0..100"},
    {"temperature_confidence", FIELD_NUMBER, AT(temperature_confidence), 0, 100, NULL, DRAW, DRAW,
     "Gumbel noise on the confidence, 0..100"},
    {"token_temperature", FIELD_POSITIVE, AT(token_temperature), 0, 10, NULL, ALL, 0,
     "temperature of the token draw, above 0 to 10"},
    {"start_temperature", FIELD_NUMBER, AT(start_temperature), 0, 10, NULL, ALL, 0,
     "temperature of the first step's token draw, 0..10; 0: token_temperature from the start"},
    {"start_temperature_steps", FIELD_COUNT, AT(start_temperature_steps), 0, 10000, NULL, ALL, 0,
     "first steps over which start_temperature falls to token_temperature, 0..10000"},
    {"choice_temperature", FIELD_NUMBER, AT(choice_temperature), 0, 100, NULL, ALL, GENERATE | EDIT,
     "Gumbel noise on MaskGIT's choice of tokens to keep, falling to 0, 0..100"},
    {"guidance", FIELD_NUMBER, AT(guidance), 0, 100, NULL, ALL, DRAW,
     "guidance scale; 0 saves the unconditional pass, 0..100"},
    {"guidance_schedule", FIELD_NAME, AT(guidance_schedule), 0, 3, guidance_names, ALL, 0,
     "how guidance grows over the steps: constant, linear, power-cosine or late"},
    {"guidance_skip", FIELD_NUMBER, AT(guidance_skip), 0, 1, NULL, ALL, 0,
     "no unconditional pass in steps where less than this share of the guidance acts, 0..1"},
    {"unconditional_every", FIELD_COUNT, AT(unconditional_every), 1, 1000, NULL, ALL, 0,
     "unconditional pass in every k-th step, reused in the others, 1..1000"},
    {"unconditional", FIELD_NAME, AT(unconditional), 0, 1, unconditional_names, ALL, 0,
     "guidance moves away from: random (another class) or null"},
    {"structure_every", FIELD_COUNT, AT(structure_every), 1, 1000, NULL, DRAW, 0,
     "structure pass in every k-th step, reused in the others, 1..1000"},
    {"order", FIELD_NAME, AT(order), 0, 2, order_names, ALL, 0,
     "what chooses beside structure: confidence, halton (position) or random"},
    {"remask", FIELD_NAME, AT(remask), 0, 2, remask_names, DRAW, 0,
     "what may be masked again: any token, drawn (in this step), or any by recorded confidence"},
    {"distance", FIELD_NAME, AT(distance), 0, 2, distance_names, DRAW, 0,
     "structure distance: cross-entropy, symmetric-kl or jensen-shannon"},
    {"layers", FIELD_LAYERS, AT(layers), 0, 0, NULL, DRAW, DRAW,
     "layers whose attention is the structure, 0-based: 1,3,16"},
    {"visible_sketch", FIELD_COUNT, AT(visible_sketch), 0, 1, NULL, DRAW, 0,
     "1: start with some sketch tokens visible; 0: fully masked"},
    {"sketch_share", FIELD_NUMBER, AT(sketch_share), 0, 1, NULL, DRAW, 0,
     "share of the sketch's tokens visible at the start, 0..1; 0: visible_sketch decides"},
    {"sketch_steps", FIELD_COUNT, AT(sketch_steps), 0, 10000, NULL, DRAW, 0,
     "first steps over which the sketch's visible tokens are let go, 0..10000; 0: like any other "
     "token"},
    {"placeholder", FIELD_NAME, AT(placeholder), 0, 1, placeholder_names, DRAW, 0,
     "what masked places show: mask (the mask token) or sketch (the sketch's token, for models "
     "trained so)"},
    {"tail", FIELD_COUNT, AT(tail), 0, 10000, NULL, DRAW, 0,
     "MaskGIT steps from the last mask rate to 0, 0..10000"},
    {"start_step", FIELD_COUNT, AT(start_step), 0, 9999, NULL, GENERATE | EDIT, GENERATE | EDIT,
     "first step taken, 0..steps-1"},
};

const msk_recipe_field *msk_recipe_field_at(int index) {
  return index >= 0 && index < (int)(sizeof fields / sizeof *fields) ? &fields[index] : NULL;
}

const msk_recipe_field *msk_recipe_field_find(const char *key) {
  for (int i = 0; msk_recipe_field_at(i) != NULL; i++) {
    if (strcmp(fields[i].key, key) == 0) return &fields[i];
  }
  return NULL;
}

const char *msk_recipe_field_key(const msk_recipe_field *field) { return field->key; }
const char *msk_recipe_field_help(const msk_recipe_field *field) { return field->help; }

bool msk_recipe_field_acts(const msk_recipe_field *field, msk_job job, bool official) {
  return ((official ? field->official : field->mended) >> (unsigned)job & 1u) != 0;
}

static int *int_of(const msk_recipe_field *field, msk_recipe *recipe) {
  return (int *)(void *)((char *)recipe + field->offset);
}
static double *double_of(const msk_recipe_field *field, msk_recipe *recipe) {
  return (double *)(void *)((char *)recipe + field->offset);
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

static msk_status refuse(const msk_recipe_field *field, const char *value, msk_error *error) {
  return msk_fail(error, MSK_ERROR_ARGUMENT, "%s is '%.60s', expected %s", field->key, value,
                  field->help);
}

static bool in_range(const msk_recipe_field *field, double value) {
  return value <= field->maximum &&
         (field->kind == FIELD_POSITIVE ? value > field->minimum : value >= field->minimum);
}

static msk_status set_name(const msk_recipe_field *field, msk_recipe *recipe, const char *value,
                           msk_error *error) {
  for (int i = 0; field->names[i] != NULL; i++) {
    if (strcmp(field->names[i], value) != 0) continue;
    *int_of(field, recipe) = i;
    return MSK_OK;
  }
  return refuse(field, value, error);
}

static msk_status set_schedule(const msk_recipe_field *field, msk_recipe *recipe, const char *value,
                               msk_error *error) {
  for (int i = 0; schedule_names[i] != NULL; i++) {
    double power;
    if (i == MSK_SCHEDULE_POW) {
      if (strncmp(value, "pow", 3) != 0 || !parse_double(value + 3, &power) ||
          !(power > 0 && power <= 1000))
        continue;
      recipe->schedule_power = power;
    } else if (strcmp(schedule_names[i], value) != 0) {
      continue;
    }
    recipe->schedule = (msk_schedule)i;
    return MSK_OK;
  }
  return refuse(field, value, error);
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

static msk_status set_layers(const msk_recipe_field *field, msk_recipe *recipe, const char *value,
                             msk_error *error) {
  int layers[MSK_MAX_LAYERS] = {0}, count = 0;
  const char *cursor = value;
  do {
    char number[8];
    size_t length = strcspn(cursor, ",");
    int layer;
    if (length >= sizeof number) return refuse(field, value, error);
    memcpy(number, cursor, length);
    number[length] = '\0';
    if (!parse_int(number, &layer) || layer < 0) return refuse(field, value, error);
    if (!insert_layer(layers, &count, layer)) {
      return msk_fail(error, MSK_ERROR_ARGUMENT,
                      "layers is '%.60s', expected each layer once and at most %d of them", value,
                      MSK_MAX_LAYERS);
    }
    cursor += length;
  } while (*cursor++ == ',');
  memcpy(recipe->layers, layers, sizeof layers);
  recipe->layer_count = count;
  return MSK_OK;
}

msk_status msk_recipe_field_set(const msk_recipe_field *field, msk_recipe *recipe,
                                const char *value, msk_error *error) {
  int count;
  double number;
  switch (field->kind) {
    case FIELD_COUNT:
      if (!parse_int(value, &count) || !in_range(field, count)) return refuse(field, value, error);
      *int_of(field, recipe) = count;
      return MSK_OK;
    case FIELD_NUMBER:
    case FIELD_POSITIVE:
      if (!parse_double(value, &number) || !in_range(field, number))
        return refuse(field, value, error);
      *double_of(field, recipe) = number;
      return MSK_OK;
    case FIELD_NAME: return set_name(field, recipe, value, error);
    case FIELD_SCHEDULE: return set_schedule(field, recipe, value, error);
    case FIELD_LAYERS: break;
  }
  return set_layers(field, recipe, value, error);
}

/* Layers: at most MSK_MAX_LAYERS x ("2147483647" and a comma). */
#define TEXT_MAX (MSK_MAX_LAYERS * 11 + 1)

static void print_value(const msk_recipe_field *field, const msk_recipe *recipe,
                        char text[TEXT_MAX]) {
  msk_recipe copy = *recipe;
  char number[40];
  size_t used = 0;
  text[0] = '\0';
  switch (field->kind) {
    case FIELD_COUNT: snprintf(text, TEXT_MAX, "%d", *int_of(field, &copy)); return;
    case FIELD_NUMBER:
    case FIELD_POSITIVE:
      print_double(*double_of(field, &copy), number);
      snprintf(text, TEXT_MAX, "%s", number);
      return;
    case FIELD_NAME: snprintf(text, TEXT_MAX, "%s", field->names[*int_of(field, &copy)]); return;
    case FIELD_SCHEDULE:
      number[0] = '\0';
      if (copy.schedule == MSK_SCHEDULE_POW) print_double(copy.schedule_power, number);
      snprintf(text, TEXT_MAX, "%s%s", schedule_names[copy.schedule], number);
      return;
    case FIELD_LAYERS: break;
  }
  for (int i = 0; i < copy.layer_count; i++) {
    used +=
        (size_t)snprintf(text + used, TEXT_MAX - used, "%s%d", i == 0 ? "" : ",", copy.layers[i]);
  }
}

msk_status msk_recipe_field_check(const msk_recipe_field *field, const msk_recipe *recipe,
                                  msk_error *error) {
  msk_recipe copy = *recipe;
  bool good = true;
  switch (field->kind) {
    case FIELD_COUNT:
    case FIELD_NAME: good = in_range(field, *int_of(field, &copy)); break;
    case FIELD_NUMBER:
    case FIELD_POSITIVE: good = in_range(field, *double_of(field, &copy)); break;
    case FIELD_SCHEDULE:
      good = (int)copy.schedule >= MSK_SCHEDULE_UNIFORM && copy.schedule <= MSK_SCHEDULE_EXP &&
             (copy.schedule != MSK_SCHEDULE_POW ||
              (copy.schedule_power > 0 && copy.schedule_power <= 1000));
      break;
    case FIELD_LAYERS:
      good = copy.layer_count >= 0 && copy.layer_count <= MSK_MAX_LAYERS;
      for (int i = 0; good && i < copy.layer_count; i++)
        good = copy.layers[i] > (i == 0 ? -1 : copy.layers[i - 1]);
      break;
  }
  if (good) return MSK_OK;
  return msk_fail(error, MSK_ERROR_ARGUMENT, "%s is out of range, expected %s", field->key,
                  field->help);
}

msk_status msk_recipe_field_get(const msk_recipe_field *field, const msk_recipe *recipe, char *text,
                                size_t text_bytes, msk_error *error) {
  char value[TEXT_MAX];
  msk_status status = msk_recipe_field_check(field, recipe, error);
  if (status != MSK_OK) return status;
  print_value(field, recipe, value);
  size_t bytes = strlen(value) + 1;
  if (bytes > text_bytes) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "the buffer for %s holds %zu bytes, expected at least %zu", field->key,
                    text_bytes, bytes);
  }
  memcpy(text, value, bytes);
  return MSK_OK;
}
