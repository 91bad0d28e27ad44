/* SPDX-License-Identifier: Apache-2.0
 *
 * teaching_files.c - the files of msk_teach(): a checkpoint while it trains, and at the end an
 * adapter, or a model with one class more. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/teaching_run.h"
#include "base/sha256.h"
#include "compute/backward.h"
#include "model/adapter.h"
#include "train/state.h"

#define FORMAT "masksketch teaching 1" /* of a checkpoint */

/* ---- what it depends on ---- */

static msk_status add_file(const teaching_run *t, msk_sha256 *hash, const char *path) {
  void *bytes = NULL;
  size_t count = 0;
  msk_status status = msk_file_read(path, MSK_MAX_FILE_BYTES, &bytes, &count, NULL, t->error);
  if (status == MSK_OK) msk_sha256_add(hash, bytes, count);
  msk_free(NULL, bytes);
  return status;
}

msk_status teaching_look(teaching_run *t) {
  const msk_teach_options *o = t->options;
  char text[MSK_MAX_CLASS_NAME + 512];
  msk_sha256 hash;
  msk_status status = MSK_OK;
  if (o->checkpoint_path == NULL) return MSK_OK;
  snprintf(text, sizeof text, "%s %s %d %d %d %d %d %d %d %.17g %.17g %.17g %llu", t->hash,
           o->class_name, o->full, o->rank, o->layers, o->steps, o->batch, o->crops, o->replay,
           o->rate, o->replay_share, o->hint_share, (unsigned long long)o->seed);
  msk_sha256_begin(&hash);
  msk_sha256_add(&hash, text, strlen(text));
  if (o->precision != MSK_TRAIN_AUTO) {
    const char *precision = msk_train_precision_name((int)o->precision);
    msk_sha256_add(&hash, precision, strlen(precision));
  }
  for (int i = 0; status == MSK_OK && i < o->photo_count; i++) {
    status = add_file(t, &hash, o->photos[i]);
    if (status == MSK_OK && o->drawings != NULL && o->drawings[i] != NULL)
      status = add_file(t, &hash, o->drawings[i]);
    msk_sha256_add(&hash, "", 1);
  }
  msk_sha256_end(&hash, t->origin);
  t->goes_on = access(o->checkpoint_path, F_OK) == 0;
  return status;
}

/* ---- the checkpoint ---- */

/* Label, picture and drawing of each lesson, in floats. */
static size_t lesson_floats(const teaching_run *t) { return 1 + 2 * t->cells; }

static void keep_lessons(const teaching_run *t, size_t all, float *kept) {
  for (size_t i = 0; i < all; i++, kept += lesson_floats(t)) {
    const int32_t *tokens = teaching_tokens(t, i, 0);
    kept[0] = (float)t->lessons[i].label;
    for (size_t k = 0; k < 2 * t->cells; k++) kept[1 + k] = (float)tokens[k];
  }
}

static void take_lessons(teaching_run *t, size_t all, const float *kept) {
  const msk_teach_options *o = t->options;
  size_t photos = (size_t)o->photo_count * (size_t)o->crops;
  for (size_t i = 0; i < all; i++, kept += lesson_floats(t)) {
    int32_t *tokens = teaching_tokens(t, i, 0);
    bool drawn = i < photos && o->drawings != NULL && o->drawings[i / (size_t)o->crops] != NULL;
    for (size_t k = 0; k < 2 * t->cells; k++) tokens[k] = (int32_t)kept[1 + k];
    t->lessons[i] = (msk_lesson){(int32_t)kept[0], tokens, drawn ? teaching_tokens(t, i, 1) : NULL};
  }
  t->lesson_count = photos;
}

enum { ARRAYS = 4 };

static void list_state(teaching_run *t, float *kept, size_t kept_floats,
                       msk_state_array arrays[ARRAYS], msk_state *state) {
  msk_teacher *teacher = t->teacher;
  const msk_state_array list[ARRAYS] = {
      {.name = "trained", .at = teacher->trained, .elements = teacher->floats},
      {.name = "first", .at = teacher->first, .elements = teacher->floats},
      {.name = "second", .at = teacher->second, .elements = teacher->floats},
      {.name = "lessons", .at = kept, .elements = kept_floats}};
  for (size_t i = 0; i < ARRAYS; i++) {
    arrays[i] = list[i];
    arrays[i].rank = 1;
    arrays[i].shape[0] = arrays[i].elements;
  }
  *state = (msk_state){.format = FORMAT,
                       .bf16 = msk_device_uses_bf16(t->device),
                       .origin = t->origin,
                       .arrays = arrays,
                       .count = ARRAYS,
                       .counts = {{"step", &teacher->step}, {"replayed", &t->replayed_count}},
                       .counts_count = 2};
}

msk_status teaching_precision(const teaching_run *t, msk_train_precision *precision) {
  return msk_state_precision(t->options->checkpoint_path, FORMAT, precision, t->error);
}

static msk_status pass_state(teaching_run *t, bool saving) {
  const msk_teach_options *o = t->options;
  size_t all = (size_t)o->photo_count * (size_t)o->crops + (size_t)o->replay,
         floats = all * lesson_floats(t);
  float *kept = msk_allocate_zeroed(NULL, floats, sizeof *kept);
  msk_state_array arrays[ARRAYS];
  msk_state state;
  if (kept == NULL) return teaching_out_of_memory(t);
  list_state(t, kept, floats, arrays, &state);
  if (saving) keep_lessons(t, all, kept);
  msk_status status = saving ? msk_state_save(&state, o->checkpoint_path, t->error)
                             : msk_state_load(&state, o->checkpoint_path, t->error);
  if (status == MSK_OK && !saving) take_lessons(t, all, kept);
  msk_free(NULL, kept);
  return status;
}

msk_status teaching_save(teaching_run *t) {
  return t->options->checkpoint_path == NULL ? MSK_OK : pass_state(t, true);
}

msk_status teaching_load(teaching_run *t) { return pass_state(t, false); }

/* ---- the result ---- */

struct writing {
  const msk_teacher *teacher;
  msk_tensor *tensors;
  char (*names)[MSK_WEIGHT_NAME + 2];
  size_t *offsets, count;
};

static void add_tensor(struct writing *w, const char *name, const char *half, msk_dtype dtype,
                       size_t rows, size_t columns, size_t offset) {
  msk_tensor *tensor = &w->tensors[w->count];
  snprintf(w->names[w->count], sizeof w->names[0], "%s%s", name, half);
  *tensor = (msk_tensor){.name = w->names[w->count],
                         .dtype = dtype,
                         .rank = columns == 0 ? 1 : 2,
                         .shape = {rows, columns},
                         .elements = rows * (columns == 0 ? 1 : columns)};
  tensor->bytes = tensor->elements * msk_dtype_bytes(dtype);
  w->offsets[w->count++] = offset;
}

static void list_tensors(struct writing *w) {
  const msk_low_rank *low = &w->teacher->low;
  const msk_maskgit_config *config = &low->params->config;
  add_tensor(w, MSK_ADAPTER_CLASS, "", MSK_DTYPE_F32, config->hidden, 0, 0);
  for (size_t layer = low->first_layer; layer < config->layers; layer++) {
    for (int kind = 0; kind < MSK_LOW_KINDS; kind++) {
      char name[MSK_WEIGHT_NAME];
      msk_low_pair pair = msk_low_rank_pair(low, layer, (msk_low_kind)kind);
      msk_low_rank_name(layer, (msk_low_kind)kind, name);
      add_tensor(w, name, ".a", MSK_DTYPE_F16, pair.in, low->rank, pair.a);
      add_tensor(w, name, ".b", MSK_DTYPE_F16, low->rank, pair.out, pair.b);
    }
  }
}

static msk_status fill_tensor(void *user, size_t index, void *out, msk_error *error) {
  const struct writing *w = user;
  (void)error;
  msk_f32_to_dtype(w->teacher->trained + w->offsets[index], w->tensors[index].elements,
                   w->tensors[index].dtype, out);
  return MSK_OK;
}

/* How it was taught. */
static void describe(const teaching_run *t, char text[256]) {
  const msk_teach_options *o = t->options;
  char how[32] = "all weights";
  if (!o->full) snprintf(how, sizeof how, "rank %d", o->rank);
  snprintf(text, 256, "masksketch teach, %d pictures, %d steps of %d, %s, rate %g, seed %llu",
           o->photo_count, o->steps, o->batch, how, t->teacher->plan.rate,
           (unsigned long long)o->seed);
}

static msk_status write_adapter(teaching_run *t) {
  const msk_teach_options *o = t->options;
  struct writing w = {.teacher = t->teacher};
  size_t most = 1 + 2 * MSK_LOW_KINDS * t->teacher->plan.config.layers;
  char rank[16], provenance[256];
  snprintf(rank, sizeof rank, "%d", o->rank);
  describe(t, provenance);
  const msk_metadata_entry metadata[] = {
      {"format", MSK_ADAPTER_FORMAT}, {"class", o->class_name}, {"model", t->name},
      {"model_sha256", t->hash},      {"rank", rank},           {"provenance", provenance}};
  w.tensors = msk_allocate_zeroed(NULL, most, sizeof *w.tensors);
  w.names = msk_allocate_zeroed(NULL, most, sizeof *w.names);
  w.offsets = msk_allocate_zeroed(NULL, most, sizeof *w.offsets);
  msk_status status = w.tensors == NULL || w.names == NULL || w.offsets == NULL
                          ? teaching_out_of_memory(t)
                          : MSK_OK;
  if (status == MSK_OK) {
    list_tensors(&w);
    status =
        msk_safetensors_write(o->output_path, w.tensors, w.count, metadata,
                              sizeof metadata / sizeof *metadata, fill_tensor, &w, NULL, t->error);
  }
  msk_free(NULL, w.tensors);
  msk_free(NULL, w.names);
  msk_free(NULL, w.offsets);
  return status;
}

/* In the type of numbers that the model has. */
static msk_status write_model(teaching_run *t) {
  const msk_teach_options *o = t->options;
  msk_adapted taught = {0};
  msk_convert_options options;
  char note[256];
  msk_convert_options_init(&options);
  options.tokenizer_path = options.transformer_path = o->model_path;
  options.output_path = o->output_path;
  options.dtype = t->dtype;
  describe(t, note);
  msk_status status = msk_adapted_replace(&taught, o->model_path, t->teacher->params,
                                          t->teacher->block, o->class_name, t->error);
  return status == MSK_OK ? msk_convert_adapted(&options, &taught, note, t->error) : status;
}

msk_status teaching_write(teaching_run *t) {
  const msk_teach_options *o = t->options;
  msk_status status = o->full ? write_model(t) : write_adapter(t);
  if (status == MSK_OK && o->checkpoint_path != NULL) remove(o->checkpoint_path);
  return status;
}
