/* SPDX-License-Identifier: Apache-2.0
 * model_path.c - see model_path.h. */
#include "app/model_path.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "masksketch_tools.h"

/* Folder of the running program, with its slash; empty where the system does not tell. */
static void program_folder(char folder[MAX_PATH_BYTES]) {
  ssize_t length = readlink("/proc/self/exe", folder, MAX_PATH_BYTES - 1);
  folder[length < 0 ? 0 : length] = 0;
  char *slash = strrchr(folder, '/');
  if (slash == NULL) {
    folder[0] = 0;
  } else {
    slash[1] = 0;
  }
}

/* PREFIX FILE, if that is there. */
static bool is_there(char path[MAX_PATH_BYTES], const char *prefix, const char *file) {
  int length = snprintf(path, MAX_PATH_BYTES, "%s%s", prefix, file);
  return length < MAX_PATH_BYTES && access(path, F_OK) == 0;
}

/* `below` in the folder that the variable names, else in `usual` below the user's own. */
static bool user_folder(char folder[MAX_PATH_BYTES], const char *variable, const char *usual,
                        const char *below) {
  const char *named = getenv(variable), *home = getenv("HOME");
  int length = -1;
  /* a relative one is to be ignored, says the specification */
  if (named != NULL && *named == '/')
    length = snprintf(folder, MAX_PATH_BYTES, "%s/%s", named, below);
  else if (home != NULL && *home == '/')
    length = snprintf(folder, MAX_PATH_BYTES, "%s/%s/%s", home, usual, below);
  return length > 0 && length < MAX_PATH_BYTES;
}

bool model_path_user_data(char folder[MAX_PATH_BYTES], const char *below) {
  return user_folder(folder, "XDG_DATA_HOME", ".local/share", below);
}

bool model_path_user_folder(char folder[MAX_PATH_BYTES]) {
  return model_path_user_data(folder, "masksketch/models/");
}

/* Folder `index` of those where models are, with its slash: installed (bin beside share), beside
 * the program, in the source tree (build/cli below it), where packagers said, here, the user's own.
 * False past the last. */
static bool model_folder(char folder[MAX_PATH_BYTES + 32], int index) {
  static const char *const beside_program[] = {"../share/masksketch/models/", "models/",
                                               "../../models/"};
  static const char *const others[] = {MASKSKETCH_MODEL_FOLDER "/", "models/"};
  char program[MAX_PATH_BYTES];
  if (index == 5) return model_path_user_folder(folder);
  if (index > 5) return false;
  program_folder(program);
  snprintf(folder, MAX_PATH_BYTES + 32, "%s%s", index < 3 ? program : "",
           index < 3 ? beside_program[index] : others[index - 3]);
  return true;
}

static bool find_in_folders(char path[MAX_PATH_BYTES], const char *file) {
  char folder[MAX_PATH_BYTES + 32];
  for (int i = 0; model_folder(folder, i); i++) {
    if (is_there(path, folder, file)) return true;
  }
  return false;
}

/* Whether the model file calls itself so. */
static bool has_name(const char *path, const char *name) {
  msk_weight_listing *listing = NULL;
  msk_error ignored;
  const char *key, *value = NULL;
  bool found = false;
  if (msk_weights_open(&listing, path, NULL, &ignored) != MSK_OK) return false;
  for (int i = 0; (key = msk_weights_metadata(listing, i, &value)) != NULL && !found; i++)
    found = strcmp(key, "name") == 0 && strcasecmp(value, name) == 0;
  msk_weights_close(listing);
  return found;
}

/* The model of a folder that has a name of its own, as info and the page show it. */
static bool find_named(char path[MAX_PATH_BYTES], const char *folder, const char *name) {
  static const char suffix[] = ".safetensors";
  DIR *directory = opendir(folder);
  bool found = false;
  for (struct dirent *entry; directory != NULL && !found && (entry = readdir(directory)) != NULL;) {
    const size_t length = strlen(entry->d_name);
    found = length > strlen(suffix) &&
            strcmp(entry->d_name + length - strlen(suffix), suffix) == 0 &&
            is_there(path, folder, entry->d_name) && has_name(path, name);
  }
  if (directory != NULL) closedir(directory);
  return found;
}

static bool find_model(char path[MAX_PATH_BYTES], const char *name) {
  char file[MAX_PATH_BYTES], folder[MAX_PATH_BYTES + 32];
  if (snprintf(file, sizeof file, "%s.safetensors", name) < MAX_PATH_BYTES &&
      find_in_folders(path, file))
    return true;
  for (int i = 0; model_folder(folder, i); i++) {
    if (find_named(path, folder, name)) return true;
  }
  return false;
}

msk_status model_path_find_manifest(char path[MAX_PATH_BYTES], msk_error *error) {
  if (find_in_folders(path, "manifest.json")) return MSK_OK;
  return app_fail(error, MSK_ERROR_FILE,
                  "there is no models/manifest.json beside the default model: name a list of "
                  "models with --manifest");
}

msk_status model_path_find_clip(char path[MAX_PATH_BYTES], const char *given, msk_error *error) {
  static const char file[] = "clip/model.safetensors";
  if (given == NULL && find_in_folders(path, file)) {
    /* what is handed on is the folder: CLIP's four files belong together */
    path[strlen(path) - strlen("/model.safetensors")] = 0;
    return MSK_OK;
  }
  if (given == NULL) {
    return app_fail(error, MSK_ERROR_FILE,
                    "there is no CLIP in models/clip beside the default model: download "
                    "model.safetensors, config.json, vocab.json and merges.txt "
                    "of openai/clip-vit-base-patch32 from huggingface.co into a folder, and name "
                    "it with --clip");
  }
  if (strlen(given) >= MAX_PATH_BYTES)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the folder's name is too long: %.80s...", given);
  strcpy(path, given);
  return MSK_OK;
}

bool model_path_find_examples(char path[MAX_PATH_BYTES]) {
  return find_in_folders(path, "../demo/sketches");
}

msk_status model_path_find_judge(char path[MAX_PATH_BYTES], const char *given, msk_error *error) {
  if (given == NULL && (find_in_folders(path, "judge.safetensors") ||
                        find_in_folders(path, "../training/judge/judge.safetensors")))
    return MSK_OK;
  if (given == NULL) {
    return app_fail(error, MSK_ERROR_FILE,
                    "there is no judge beside the default model, expected "
                    "models/judge.safetensors: name its file with --judge");
  }
  if (strlen(given) >= MAX_PATH_BYTES)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the judge's name is too long: %.80s...", given);
  strcpy(path, given);
  return MSK_OK;
}

msk_status model_path_find(char path[MAX_PATH_BYTES], const char *given, msk_error *error) {
  const char *wanted = given != NULL ? given : getenv("MASKSKETCH_MODEL");
  if (wanted != NULL && *wanted == 0) wanted = NULL;
  if (wanted == NULL) {
    if (find_model(path, "default")) return MSK_OK;
    return app_fail(error, MSK_ERROR_FILE,
                    "there is no default model beside the program, expected "
                    "models/default.safetensors: name a model file with --model, or make one "
                    "from checkpoints with masksketch convert");
  }
  if (strlen(wanted) >= MAX_PATH_BYTES)
    return app_fail(error, MSK_ERROR_ARGUMENT, "the model's name is too long: %.80s...", wanted);
  /* a file of that name goes before an installed model */
  if (strchr(wanted, '/') == NULL && access(wanted, F_OK) != 0 && find_model(path, wanted))
    return MSK_OK;
  if (access(wanted, F_OK) != 0) {
    return app_fail(
        error, MSK_ERROR_FILE,
        "there is no model %s (%s), expected a file made by masksketch convert, or the name of an "
        "installed model",
        wanted, given != NULL ? "from --model" : "from the environment variable MASKSKETCH_MODEL");
  }
  strcpy(path, wanted);
  return MSK_OK;
}

/* ---- Adapters ---- */

static msk_status parse_adapter(char path[MAX_PATH_BYTES], msk_adapter_choice *choice,
                                const char *text, msk_error *error) {
  const char *colon = strrchr(text, ':');
  size_t length = strlen(text);
  char *end = NULL;
  *choice = (msk_adapter_choice){path, 1};
  if (colon != NULL && colon[1] != 0 && strspn(colon + 1, "+-.0123456789") == strlen(colon + 1)) {
    choice->weight = strtod(colon + 1, &end);
    length = (size_t)(colon - text);
  }
  if (length == 0 || length >= MAX_PATH_BYTES || (end != NULL && *end != 0))
    return app_fail(error, MSK_ERROR_ARGUMENT, "adapter %.300s, expected FILE or FILE:WEIGHT",
                    text);
  memcpy(path, text, length);
  path[length] = 0;
  return MSK_OK;
}

msk_status adapters_parse(adapter_paths *parsed, const adapter_list *list, msk_error *error) {
  msk_status status = MSK_OK;
  for (int i = 0; i < list->count && status == MSK_OK; i++)
    status = parse_adapter(parsed->paths[i], &parsed->choices[i], list->at[i], error);
  return status;
}

/* ---- Opening ---- */

static void tell_warnings(const msk_model *model, const msk_model_options *asked) {
  msk_model_info info;
  msk_model_get_info(model, &info);
  if (msk_model_warning(model) != NULL)
    fprintf(stderr, "masksketch: warning: %s\n", msk_model_warning(model));
  if (info.decode_precision != asked->decode_precision) {
    const bool cpu = strcmp(info.device, "cpu") == 0;
    fprintf(stderr,
            "masksketch: warning: --decode-precision int8 would not be faster with this model on "
            "the %s %s: fp32 is used\n",
            cpu ? "kernels" : "device", cpu ? info.isa : info.device);
  }
}

static void tell_plan(const msk_memory_plan *plan, const char *what) {
  fprintf(stderr, "memory: %.1f MB for %s, and %.1f MB more while they are loaded\n",
          1e-6 * (double)plan->weights, what, 1e-6 * (double)plan->loading);
  if (plan->device_weights > 0)
    fprintf(stderr, "memory: %.1f MB of the GPU's for %s\n", 1e-6 * (double)plan->device_weights,
            what);
}

static const char *device_of(const model_choice *choice) {
  return choice->device != NULL ? choice->device : getenv("MASKSKETCH_DEVICE");
}

/* Where compiled kernels are kept; NULL: nowhere. */
static const char *find_kernels(char folder[MAX_PATH_BYTES]) {
  return user_folder(folder, "XDG_CACHE_HOME", ".cache", "masksketch/kernels") ? folder : NULL;
}

msk_status model_path_open(msk_model **model, const model_choice *choice, msk_error *error) {
  char path[MAX_PATH_BYTES], kernels[MAX_PATH_BYTES];
  msk_status status = model_path_find(path, choice->name, error);
  if (status != MSK_OK) return status;
  adapter_paths adapters;
  status = adapters_parse(&adapters, &choice->adapters, error);
  if (status != MSK_OK) return status;
  msk_model_options options;
  msk_model_options_init(&options);
  options.adapters = adapters.choices;
  options.adapter_count = choice->adapters.count;
  options.isa = choice->isa;
  options.device = device_of(choice);
  options.device_cache = find_kernels(kernels);
  if (choice->precision >= 0) options.precision = (msk_precision)choice->precision;
  if (choice->decode_precision >= 0)
    options.decode_precision = (msk_precision)choice->decode_precision;
  options.threads = choice->threads;
  /* told before anything is loaded: whoever has too little learns why it fails */
  if (choice->tell_memory) {
    msk_memory_plan plan;
    status = msk_model_plan(&plan, path, &options, error);
    if (status != MSK_OK) return status;
    tell_plan(&plan, "the weights");
  }
  status = msk_model_open(model, path, &options, error);
  if (status == MSK_OK) tell_warnings(*model, &options);
  return status;
}

/* ---- networks beside the model ---- */

static const char *device_beside(const model_choice *choice, const msk_model *model) {
  const char *device = device_of(choice);
  msk_model_info info;
  if (model == NULL || device == NULL || strcmp(device, "auto") != 0) return device;
  msk_model_get_info(model, &info);
  return strcmp(info.device, "cpu") == 0 ? "cpu" : device;
}

msk_status model_path_open_clip(msk_clip **clip, const char *folder, const model_choice *choice,
                                const msk_model *model, msk_error *error) {
  char kernels[MAX_PATH_BYTES];
  msk_clip_options options;
  msk_clip_options_init(&options);
  options.isa = choice->isa;
  options.device = device_beside(choice, model);
  options.device_cache = find_kernels(kernels);
  options.threads = choice->threads;
  if (choice->tell_memory) {
    msk_memory_plan plan;
    msk_status status = msk_clip_plan(&plan, folder, &options, error);
    if (status != MSK_OK) return status;
    tell_plan(&plan, "CLIP's weights and passes");
  }
  return msk_clip_open(clip, folder, &options, error);
}

msk_status model_path_open_judge(msk_judge **judge, const char *file, const model_choice *choice,
                                 msk_error *error) {
  char kernels[MAX_PATH_BYTES];
  msk_judge_options options;
  msk_judge_options_init(&options);
  options.isa = choice->isa;
  options.device = device_of(choice);
  options.device_cache = find_kernels(kernels);
  options.threads = choice->threads;
  return msk_judge_open(judge, file, &options, error);
}
