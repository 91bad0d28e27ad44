/* SPDX-License-Identifier: Apache-2.0
 * shared_options.c - see shared_options.h. */
#include "shared_options.h"

#include <limits.h>
#include <string.h>

#include "app/nearest.h"

/* ---- Model and machine ---- */

msk_status cli_take_isa(void *field, const cli_option *row, const char *value, msk_error *error) {
  char names[160] = "";
  for (int i = 0; msk_isa_name(i) != NULL; i++) {
    if (strcmp(msk_isa_name(i), value) == 0) {
      *(const char **)field = value;
      return MSK_OK;
    }
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, " %s", msk_isa_name(i));
  }
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "--%s was given %s, expected one that this machine has:%s", row->name, value,
                  names);
}

msk_status cli_take_adapter(void *field, const cli_option *row, const char *value,
                            msk_error *error) {
  adapter_list *list = field;
  if (list->count == MSK_MAX_ADAPTERS)
    return app_fail(error, MSK_ERROR_ARGUMENT, "--%s was given more than %d times", row->name,
                    MSK_MAX_ADAPTERS);
  list->at[list->count++] = value;
  return MSK_OK;
}

const char *cli_device_word(int index) {
  static const char *const words[] = {"cpu", "gpu", "auto", "list"};
  return index < 4 ? words[index] : NULL;
}

static const cli_option model_rows[] = {
    CLI_MODEL_ROW(model_choice, name),
    CLI_PRECISION_ROWS(model_choice),
    CLI_MACHINE_ROWS(model_choice, ),
    CLI_DEVICE_ROW(model_choice, device, CLI_DEVICE_OTHERWISE),
    {.type = CLI_END},
};
const cli_table model_table = {"Model and machine", model_rows};

static const cli_option machine_rows[] = {
    CLI_MACHINE_ROWS(machine_options, ),
    {.type = CLI_END},
};
const cli_table machine_table = {"Machine", machine_rows};

/* ---- Recipe ---- */

msk_status cli_take_setting(void *field, const cli_option *row, const char *value,
                            msk_error *error) {
  setting_list *list = field;
  recipe_setting setting = {.option = row->name, .key = row->detail, .value = value};
  if (list->count == MAX_SETTINGS) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "more than %d recipe settings were given: keep the last of each key",
                    MAX_SETTINGS);
  }
  if (setting.key == NULL) {
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value) {
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--%s was given %s, expected KEY=VALUE, as in --set steps=32", row->name,
                      value);
    }
    setting.key = value;
    setting.value = equals + 1;
  }
  setting.key_length = (int)strcspn(setting.key, "=");
  list->at[list->count++] = setting;
  return MSK_OK;
}

static const cli_option recipe_rows[] = {
    {"recipe", 'r', "NAME", CLI_A_TEXT(recipe_options, name), .initial = "balanced",
     .word = msk_recipe_name, .help = "a named row of settings"},
    {"set", 's', "KEY=VALUE", CLI_A_CALL(recipe_options, settings, cli_take_setting),
     .help = "sets one field of the recipe; repeatable"},
    {"guidance", 0, "F", CLI_A_CALL(recipe_options, settings, cli_take_setting),
     .detail = "guidance", .help = "how strongly the class is insisted on, 0 to 100"},
    {"steps", 0, "N", CLI_A_CALL(recipe_options, settings, cli_take_setting), .detail = "steps",
     .help = "decoding steps, 1 to 10000"},
    {.type = CLI_END},
};
const cli_table recipe_table = {"Recipe", recipe_rows};

/* The nearest key that has an effect in the job; NULL where the key is one. */
static const char *nearest_key(const char *key, msk_job job) {
  const char *best = NULL;
  int least = INT_MAX;
  for (int i = 0; msk_recipe_key(i, job, NULL) != NULL; i++) {
    const char *candidate = msk_recipe_key(i, job, NULL);
    int edits = nearest_edits(key, strlen(key), candidate);
    if (strcmp(candidate, key) == 0) return NULL;
    if (edits < least) least = edits, best = candidate;
  }
  return best;
}

msk_status recipe_set(msk_recipe *recipe, const recipe_options *options, msk_job job,
                      msk_error *error) {
  msk_status status = MSK_OK;
  for (int i = 0; i < options->settings.count && status == MSK_OK; i++) {
    const recipe_setting *setting = &options->settings.at[i];
    char key[64];
    msk_error reason = {0};
    snprintf(key, sizeof key, "%.*s", setting->key_length, setting->key);
    status = msk_recipe_set(recipe, job, key, setting->value, &reason);
    if (status == MSK_OK) continue;
    /* before the list of all keys, which fills a message */
    const char *nearest = nearest_key(key, job);
    app_fail(error, status, "--%s: %s%s%s%s", setting->option,
             nearest == NULL ? "" : "the nearest is ", nearest == NULL ? "" : nearest,
             nearest == NULL ? "" : "; ", reason.message);
  }
  return status;
}
