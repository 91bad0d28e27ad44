/* SPDX-License-Identifier: Apache-2.0
 * served_models.c - see served_models.h. */
#include "served_models.h"

#include <stdlib.h>
#include <string.h>

#include "app/json.h"

static const char *name_of(const msk_model *model) {
  msk_model_info info;
  msk_model_get_info(model, &info);
  return info.device;
}

/* ---- Opening ---- */

static msk_status add_device(server *s, const char *name, msk_error *error) {
  model_choice choice = s->config.model;
  if (name != NULL) choice.device = name;
  if (s->model_count == SERVER_MAX_DEVICES)
    return app_fail(error, MSK_ERROR_ARGUMENT, "--also-device names more than %d devices",
                    SERVER_MAX_DEVICES - 1);
  msk_model **model = &s->models[s->model_count];
  msk_status status = model_path_open(model, &choice, error);
  if (status != MSK_OK) return status;
  s->model_count++;
  for (int i = 0; i < s->model_count - 1; i++) {
    if (strcmp(name_of(s->models[i]), name_of(*model)) == 0)
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "--also-device: %.80s is the device %.200s, which is served already", name,
                      name_of(*model));
  }
  return MSK_OK;
}

/* Each name of the list; one that is empty is a mistake. */
static msk_status add_others(server *s, char *names, msk_error *error) {
  msk_status status = MSK_OK;
  for (char *name = names, *next; name != NULL && status == MSK_OK; name = next) {
    next = strchr(name, ',');
    if (next != NULL) *next++ = 0;
    status = *name != 0 ? add_device(s, name, error)
                        : app_fail(error, MSK_ERROR_ARGUMENT,
                                   "--also-device has an empty name, expected NAME or NAME,NAME");
  }
  return status;
}

msk_status served_open(server *s, msk_error *error) {
  msk_status status = add_device(s, NULL, error);
  if (status != MSK_OK) return status;
  s->model = s->models[0];
  if (s->config.also_device == NULL) return MSK_OK;
  char *names = strdup(s->config.also_device);
  status = names != NULL ? add_others(s, names, error)
                         : app_fail(error, MSK_ERROR_MEMORY, "out of memory for the devices");
  free(names);
  return status;
}

void served_close(server *s) {
  for (int i = s->model_count - 1; i >= 0; i--) msk_model_close(s->models[i]);
}

/* ---- Asking ---- */

static bool is_meant(const char *device, const char *name) {
  if (strcmp(name, "cpu") == 0 || strcmp(device, "cpu") == 0) return strcmp(device, name) == 0;
  return strcmp(name, "gpu") == 0 || (*name != 0 && strcasestr(device, name) != NULL);
}

static void fail_choice(const server *s, const char *name, problem *p) {
  char names[400] = "";
  for (int i = 0; i < s->model_count; i++) {
    const size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : "; ", name_of(s->models[i]));
  }
  problem_set(p, 422, "device", "device was given %.80s, expected a part of one of these names: %s",
              name, names);
}

const msk_model *served_find(const server *s, const char *name, problem *p) {
  const msk_model *found = NULL;
  int meant = 0;
  if (name == NULL) return s->model;
  for (int i = s->model_count - 1; i >= 0; i--) {
    if (!is_meant(name_of(s->models[i]), name)) continue;
    found = s->models[i];
    /* all are equal to who only asks for one */
    meant += strcmp(name, "gpu") != 0 || meant == 0;
  }
  if (meant == 1) return found;
  fail_choice(s, name, p);
  return NULL;
}

json_t *served_devices(const server *s) {
  json_t *names = json_array();
  for (int i = 0; i < s->model_count; i++)
    json_array_append_new(names, json_text(name_of(s->models[i])));
  return names;
}
