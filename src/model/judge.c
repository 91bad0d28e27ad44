/* SPDX-License-Identifier: Apache-2.0
 * judge.c - see judge.h. */
#include "model/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

struct level {
  msk_conv *down, *same;
};
struct rise {
  msk_conv *below, *beside;
};

struct msk_judge_network {
  msk_judge_config config;
  const msk_device *device;
  struct level levels[MSK_JUDGE_MAX_LEVELS];
  struct rise rises[MSK_JUDGE_MAX_LEVELS];
  msk_conv *silhouette, *damage;
  msk_linear *label;
};

/* ---- the tensors ---- */

enum { IN, OUT, THREE, ONE, SUBPIXELS, CLASSES, BELOW, DAMAGE };

/* Where a group's tensors go: a level's down and same, a rise's below and beside, the heads'
 * silhouette, label and damage. */
typedef struct fields {
  float *first, *first_bias, *second, *second_bias, *third, *third_bias;
} fields;
#define FIELD(member) offsetof(fields, member)

static const msk_weight_row level_rows[] = {
    {"down.kernel", MSK_WEIGHT_SCRATCH, 4, {THREE, THREE, IN, OUT}, FIELD(first)},
    {"down.bias", MSK_WEIGHT_SCRATCH, 1, {OUT}, FIELD(first_bias)},
    {"same.kernel", MSK_WEIGHT_SCRATCH, 4, {THREE, THREE, OUT, OUT}, FIELD(second)},
    {"same.bias", MSK_WEIGHT_SCRATCH, 1, {OUT}, FIELD(second_bias)},
};
static const msk_weight_row rise_rows[] = {
    {"below.kernel", MSK_WEIGHT_SCRATCH, 4, {THREE, THREE, BELOW, OUT}, FIELD(first)},
    {"beside.kernel", MSK_WEIGHT_SCRATCH, 4, {THREE, THREE, OUT, OUT}, FIELD(second)},
    {"bias", MSK_WEIGHT_SCRATCH, 1, {OUT}, FIELD(second_bias)},
};
static const msk_weight_row head_rows[] = {
    {"silhouette.kernel", MSK_WEIGHT_SCRATCH, 4, {THREE, THREE, OUT, SUBPIXELS}, FIELD(first)},
    {"silhouette.bias", MSK_WEIGHT_SCRATCH, 1, {SUBPIXELS}, FIELD(first_bias)},
    {"label.kernel", MSK_WEIGHT_SCRATCH, 2, {BELOW, CLASSES}, FIELD(second)},
    {"label.bias", MSK_WEIGHT_SCRATCH, 1, {CLASSES}, FIELD(second_bias)},
    {"damage.kernel", MSK_WEIGHT_SCRATCH, 4, {ONE, ONE, DAMAGE, ONE}, FIELD(third)},
    {"damage.bias", MSK_WEIGHT_SCRATCH, 1, {ONE}, FIELD(third_bias)},
};

/* Groups: the levels, the rises, the heads. */
static bool judge_groups(const void *user, size_t index, msk_weight_group *group) {
  const msk_judge_config *config = user;
  size_t levels = config->levels, l = 0;
  if (index < levels) l = index;
  if (index >= levels && index < 2 * levels - 1) l = index - levels;
  if (index >= 2 * levels) return false;
  /* BELOW: for the label the deepest level, for a rise the level it comes from (set there) */
  *group = (msk_weight_group){.sizes = {l == 0 ? 3 : config->channels[l - 1], config->channels[l],
                                        3, 1, 4, config->classes, config->channels[levels - 1],
                                        config->channels[MSK_JUDGE_DAMAGE_RISE]}};
  if (index < levels) {
    snprintf(group->prefix, sizeof group->prefix, "level_%zu.", l);
    MSK_WEIGHT_ROWS(group, level_rows);
  } else if (index < 2 * levels - 1) {
    snprintf(group->prefix, sizeof group->prefix, "rise_%zu.", l);
    group->sizes[BELOW] = config->channels[l + 1];
    MSK_WEIGHT_ROWS(group, rise_rows);
  } else {
    MSK_WEIGHT_ROWS(group, head_rows);
  }
  return true;
}

/* ---- the configuration ---- */

static msk_status read_size(const msk_weight_loader *loader, msk_judge_config *config) {
  const char *path = msk_weight_file_path(loader->file),
             *text = msk_weight_file_metadata(loader->file, "size");
  char *end = NULL;
  unsigned long size = text == NULL || *text < '0' || *text > '9' ? 0 : strtoul(text, &end, 10);
  size_t deepest = size >> config->levels;
  /* halved at each level and doubled on the way back: a power of two alone comes out even */
  if (size == 0 || *end != 0 || size > MSK_JUDGE_MAX_SIZE || deepest << config->levels != size ||
      (deepest & (deepest - 1)) != 0) {
    return msk_fail(loader->error, MSK_ERROR_FILE,
                    "%s: the metadata entry \"size\" is \"%.20s\", expected a power of two from "
                    "%zu to %d: is this a judge?",
                    path, text == NULL ? "" : text, (size_t)1 << config->levels,
                    MSK_JUDGE_MAX_SIZE);
  }
  config->size = size;
  return MSK_OK;
}

static msk_status read_config(msk_weight_loader *loader, msk_judge_config *config) {
  const msk_tensor *tensor;
  *config = (msk_judge_config){.levels = msk_weight_count(loader, "level_", ".down.kernel",
                                                          ".same.kernel", MSK_JUDGE_MAX_LEVELS)};
  /* the rise that tells damage comes from the level below it */
  if (config->levels < MSK_JUDGE_DAMAGE_RISE + 2) {
    char name[32];
    snprintf(name, sizeof name, "level_%zu.down.kernel", config->levels);
    return msk_weight_fail_missing(loader, name);
  }
  for (size_t l = 0; l < config->levels; l++) {
    msk_status status = msk_weight_need(loader, "level_", (int)l, ".down.kernel", 4, &tensor);
    if (status != MSK_OK) return status;
    /* the shapes say all but the side, which convolutions do not show */
    config->channels[l] = tensor->shape[3];
  }
  msk_status status = msk_weight_need(loader, "label.kernel", -1, "", 2, &tensor);
  if (status != MSK_OK) return status;
  config->classes = tensor->shape[1];
  status = msk_weights_bind(loader, judge_groups, config);
  return status == MSK_OK ? read_size(loader, config) : status;
}

static msk_weight_loader make_loader(const msk_weight_file *file, msk_error *error) {
  return (msk_weight_loader){
      .file = file, .prefix = "", .hint = "is this a judge?", .error = error};
}

msk_status msk_judge_read_config(msk_judge_config *config, const msk_weight_file *file,
                                 msk_error *error) {
  msk_weight_loader loader = make_loader(file, error);
  msk_status status = read_config(&loader, config);
  msk_weights_end(&loader);
  return status;
}

/* ---- loading ---- */

static msk_status pack_conv(const msk_weight_loader *loader, msk_conv **conv, const float *kernel,
                            const float *bias, size_t side, size_t stride, size_t in, size_t out) {
  return msk_conv_create(conv, loader->device, kernel, MSK_DTYPE_F32, bias, side, stride, in, out,
                         loader->pool, loader->error);
}

static msk_status load_level(msk_judge_network *network, size_t l, msk_weight_loader *loader) {
  const size_t *channels = network->config.channels;
  size_t in = l == 0 ? 3 : channels[l - 1], out = channels[l];
  struct level *level = &network->levels[l];
  fields f = {0};
  msk_status status = msk_weights_next(loader, &f);
  if (status == MSK_OK)
    status = pack_conv(loader, &level->down, f.first, f.first_bias, 3, 2, in, out);
  if (status == MSK_OK)
    status = pack_conv(loader, &level->same, f.second, f.second_bias, 3, 1, out, out);
  return status;
}

static msk_status load_rise(msk_judge_network *network, size_t l, msk_weight_loader *loader) {
  const size_t *channels = network->config.channels;
  struct rise *rise = &network->rises[l];
  fields f = {0};
  msk_status status = msk_weights_next(loader, &f);
  if (status == MSK_OK)
    status = pack_conv(loader, &rise->below, f.first, NULL, 3, 1, channels[l + 1], channels[l]);
  if (status == MSK_OK)
    status =
        pack_conv(loader, &rise->beside, f.second, f.second_bias, 3, 1, channels[l], channels[l]);
  return status;
}

static msk_status load_heads(msk_judge_network *network, msk_weight_loader *loader) {
  const msk_judge_config *config = &network->config;
  fields f = {0};
  msk_status status = msk_weights_next(loader, &f);
  if (status != MSK_OK) return status;
  msk_linear_part part = {.weight = f.second, .bias = f.second_bias, .out = config->classes};
  status =
      pack_conv(loader, &network->silhouette, f.first, f.first_bias, 3, 1, config->channels[0], 4);
  if (status == MSK_OK)
    status = pack_conv(loader, &network->damage, f.third, f.third_bias, 1, 1,
                       config->channels[MSK_JUDGE_DAMAGE_RISE], 1);
  if (status != MSK_OK) return status;
  return msk_linear_create(&network->label, loader->device, MSK_PRECISION_FP32,
                           config->channels[config->levels - 1], &part, 1, loader->pool,
                           loader->error);
}

static msk_status load_all(msk_judge_network *network, msk_weight_loader *loader) {
  size_t levels = network->config.levels;
  msk_status status = MSK_OK;
  for (size_t l = 0; status == MSK_OK && l < levels; l++) status = load_level(network, l, loader);
  for (size_t l = 0; status == MSK_OK && l + 1 < levels; l++)
    status = load_rise(network, l, loader);
  return status == MSK_OK ? load_heads(network, loader) : status;
}

msk_status msk_judge_network_load(msk_judge_network **network, const msk_device *device,
                                  const msk_weight_file *file, msk_pool *pool, msk_error *error) {
  msk_weight_loader loader = make_loader(file, error);
  loader.device = device;
  loader.pool = pool;
  msk_judge_network *made = msk_device_make(device, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "not enough memory for the judge");
  made->device = device;
  msk_status status = read_config(&loader, &made->config);
  if (status == MSK_OK) status = load_all(made, &loader);
  /* everything was packed: the judge keeps no tensor as it lies in the file */
  msk_device_give(device, loader.kept, loader.kept_floats, sizeof *loader.kept);
  msk_weights_end(&loader);
  if (status == MSK_OK) {
    *network = made;
  } else {
    msk_judge_network_destroy(made);
  }
  return status;
}

void msk_judge_network_destroy(msk_judge_network *network) {
  if (network == NULL) return;
  for (size_t l = 0; l < MSK_JUDGE_MAX_LEVELS; l++) {
    msk_conv_destroy(network->levels[l].down);
    msk_conv_destroy(network->levels[l].same);
    msk_conv_destroy(network->rises[l].below);
    msk_conv_destroy(network->rises[l].beside);
  }
  msk_conv_destroy(network->silhouette);
  msk_conv_destroy(network->damage);
  msk_linear_destroy(network->label);
  msk_device_unmake(network->device, network, 1, sizeof *network);
}

const msk_judge_config *msk_judge_network_config(const msk_judge_network *network) {
  return &network->config;
}

/* ---- the forward pass ---- */

struct pass {
  const msk_judge_network *network;
  msk_stream *stream;
  msk_arena *arena;
  msk_map levels[MSK_JUDGE_MAX_LEVELS]; /* what each level put out */
};

static msk_map take_map(const struct pass *pass, size_t side, size_t channels) {
  return msk_map_at(msk_arena_take(pass->arena, side * side * channels, sizeof(float)), 1, side,
                    side, channels);
}

static void run_levels(struct pass *pass, msk_map x) {
  const msk_judge_config *config = &pass->network->config;
  msk_stream *s = pass->stream;
  for (size_t l = 0; l < config->levels; l++) {
    const struct level *level = &pass->network->levels[l];
    msk_map half = take_map(pass, x.height / 2, config->channels[l]),
            y = take_map(pass, x.height / 2, config->channels[l]);
    msk_op_conv(s, level->down, x, 1, NULL, MSK_NO_MAP, half);
    msk_op_relu(s, msk_map_rows(half), msk_map_rows(half));
    msk_op_conv(s, level->same, half, 1, NULL, MSK_NO_MAP, y);
    msk_op_relu(s, msk_map_rows(y), msk_map_rows(y));
    x = pass->levels[l] = y;
  }
}

/* The mean over all pixels, by halving: the side is a power of two. */
static void run_features(const struct pass *pass, msk_map features) {
  msk_map x = pass->levels[pass->network->config.levels - 1];
  if (x.height == 1) msk_op_copy(pass->stream, msk_map_rows(x), msk_map_rows(features));
  while (x.height > 1) {
    msk_map y = x.height == 2 ? features : take_map(pass, x.height / 2, x.channels);
    msk_op_average_pool(pass->stream, x, y);
    x = y;
  }
}

/* The way up. */
static void run_rises(const struct pass *pass, msk_map silhouette, msk_map damage) {
  const msk_judge_network *network = pass->network;
  msk_stream *s = pass->stream;
  size_t last = network->config.levels - 1;
  msk_map x = pass->levels[last];
  for (size_t l = last; l-- > 0;) {
    const struct rise *rise = &network->rises[l];
    msk_map beside = pass->levels[l], y = take_map(pass, beside.height, beside.channels);
    msk_op_conv(s, rise->beside, beside, 1, NULL, MSK_NO_MAP, y);
    msk_op_conv(s, rise->below, x, 2, NULL, y, y);
    msk_op_relu(s, msk_map_rows(y), msk_map_rows(y));
    if (l == MSK_JUDGE_DAMAGE_RISE) msk_op_conv(s, network->damage, y, 1, NULL, MSK_NO_MAP, damage);
    x = y;
  }
  msk_map cells = take_map(pass, x.height, 4);
  msk_op_conv(s, network->silhouette, x, 1, NULL, MSK_NO_MAP, cells);
  msk_op_depth_to_space(s, cells, silhouette);
}

void msk_judge_network_run(const msk_judge_network *network, msk_stream *stream, msk_arena *arena,
                           const float *pixels, float *logits, float *silhouette, float *damage,
                           float *features) {
  const msk_judge_config *config = &network->config;
  struct pass pass = {.network = network, .stream = stream, .arena = arena};
  size_t mark = msk_arena_mark(arena), size = config->size, cells = size / MSK_JUDGE_CELL;
  msk_map mean = msk_map_at(features, 1, 1, 1, config->channels[config->levels - 1]);
  run_levels(&pass, msk_map_at(pixels, 1, size, size, 3));
  run_features(&pass, mean);
  run_rises(&pass, msk_map_at(silhouette, 1, size, size, 1),
            msk_map_at(damage, 1, cells, cells, 1));
  msk_op_linear(stream, "label", network->label, msk_map_rows(mean), MSK_ACT_NONE, MSK_NO_ROWS,
                msk_rows_at(logits, 1, config->classes));
  msk_arena_release(arena, mark);
}
