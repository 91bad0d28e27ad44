/* SPDX-License-Identifier: Apache-2.0
 *
 * photo_source.c - photos as a source of training: all are read once before anything begins, so
 * that a bad one is named then and not hours later; after that each is read again for every square
 * that is cut from it, since they need not fit in memory. */
#include <stdio.h>
#include <string.h>

#include "api/crop.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "masksketch_tools.h"
#include "model/adapter.h"

#define LEAST_CROP 0.7 /* of a photo's shorter side */
#define INK 128        /* darker is a line */

enum { CROP_STREAM = 61, ORDER_STREAM, HELD_OUT = 10 };

struct msk_photo_source {
  msk_photo_source_options options;
  int *order[2], count[2]; /* of the sets: numbers of photos */
  bool has_drawings;
  int *stack;
  char description[2][96];
};

void msk_photo_source_options_init(msk_photo_source_options *options) {
  *options = (msk_photo_source_options){.size = sizeof *options, .crops = 8};
}

static const char *drawing_of(const msk_photo_source_options *o, int photo) {
  return o->drawings == NULL ? NULL : o->drawings[photo];
}

/* ---- what is asked ---- */

static msk_status check_name(const char *name, msk_error *error) {
  if (!msk_class_name_is_fine(name))
    return msk_refuse(error, "class_names",
                      "'%.100s' is no name of a class: a text of 1 to %d bytes", name,
                      MSK_MAX_CLASS_NAME);
  return MSK_OK;
}

static msk_status check_options(const msk_photo_source_options *o, msk_error *error) {
  if (o == NULL || o->size != sizeof *o || o->photos == NULL || o->classes == NULL ||
      o->class_names == NULL || o->image_size < 1 || o->crops < 1)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "a source of photos needs photos, classes and a size, and options set up with "
                    "msk_photo_source_options_init()");
  if (o->class_count < 2 || o->class_count > MSK_MAX_PHOTO_CLASSES)
    return msk_refuse(
        error, "class_count",
        "the photos are of %d class%s, expected 2 to %d: one class more is taught to a "
        "model that exists",
        o->class_count, o->class_count == 1 ? "" : "es", MSK_MAX_PHOTO_CLASSES);
  msk_status status = MSK_OK;
  for (int i = 0; status == MSK_OK && i < o->class_count; i++)
    status = check_name(o->class_names[i], error);
  return status;
}

/* ---- reading ---- */

/* MSK_OK: it can be used; its bytes have gone into the hash. */
static msk_status look_at(const char *path, msk_alpha alpha, msk_sha256 *hash, msk_error *error) {
  void *bytes = NULL;
  size_t count = 0;
  msk_image image = {0};
  msk_status status = msk_file_read(path, MSK_MAX_FILE_BYTES, &bytes, &count, NULL, error);
  if (status == MSK_OK) status = msk_image_decode(&image, bytes, count, alpha, path, NULL, error);
  if (status == MSK_OK) msk_sha256_add(hash, bytes, count);
  msk_image_free(&image);
  msk_free(NULL, bytes);
  return status;
}

/* usable[photo]; the hash is of all that the source's pictures are made of. */
static msk_status look_at_all(const msk_photo_source *source, bool *usable, msk_sha256 *hash,
                              msk_error *error) {
  const msk_photo_source_options *o = &source->options;
  for (int i = 0; i < o->photo_count; i++) {
    msk_error reason = {0};
    const char *drawing = drawing_of(o, i), *name = o->class_names[o->classes[i]];
    if (o->on_progress != NULL && o->on_progress(o->user, i, o->photo_count) != 0)
      return msk_fail(error, MSK_ERROR_CANCELLED, "stopped while the pictures were read");
    msk_status status = look_at(o->photos[i], MSK_ALPHA_WHITE, hash, &reason);
    if (status == MSK_OK && drawing != NULL)
      status = look_at(drawing, MSK_ALPHA_SKETCH, hash, &reason);
    if (status == MSK_ERROR_MEMORY) return msk_fail(error, status, "%s", reason.message);
    usable[i] = status == MSK_OK;
    if (usable[i]) msk_sha256_add(hash, name, strlen(name) + 1);
    if (!usable[i] && o->on_left_out != NULL) o->on_left_out(o->user, o->photos[i], reason.message);
  }
  return MSK_OK;
}

/* ---- sets ---- */

static void shuffle(int *order, int count, msk_random *random) {
  for (int i = count - 1; i > 0; i--) {
    int j = (int)msk_random_below(random, (size_t)i + 1), swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
}

/* A drawn one comes first, if there is any: what wants a drawing finds one from the first step. */
static void bring_drawn(const msk_photo_source *source, int set) {
  int *order = source->order[set];
  for (int i = 0; i < source->count[set]; i++) {
    if (drawing_of(&source->options, order[i]) == NULL) continue;
    int swap = order[0];
    order[0] = order[i];
    order[i] = swap;
    return;
  }
}

static msk_status split(msk_photo_source *source, const bool *usable, msk_error *error) {
  const msk_photo_source_options *o = &source->options;
  for (int c = 0; c < o->class_count; c++) {
    int seen = 0;
    for (int i = 0; i < o->photo_count; i++) {
      if (o->classes[i] != c || !usable[i]) continue;
      /* From the first on, so that the smallest class has one too. */
      int set = seen++ % HELD_OUT == 0 ? MSK_HELD_OUT_SET : MSK_TRAIN_SET;
      source->order[set][source->count[set]++] = i;
      source->has_drawings |= drawing_of(o, i) != NULL;
    }
    if (seen < MSK_LEAST_PHOTOS)
      return msk_refuse(error, "photos",
                        "class %s has %d picture%s that can be read, expected at least %d",
                        o->class_names[c], seen, seen == 1 ? "" : "s", MSK_LEAST_PHOTOS);
  }
  for (int set = 0; set < 2; set++) {
    msk_random random = msk_random_stream(o->seed, ORDER_STREAM, (uint64_t)set);
    shuffle(source->order[set], source->count[set], &random);
    bring_drawn(source, set);
  }
  return MSK_OK;
}

/* ---- an object ---- */

static msk_status make_square(const msk_photo_source *source, const char *path, msk_alpha alpha,
                              const msk_prepare_options *preparation, const msk_crop *crop,
                              msk_image *prepared) {
  int size = source->options.image_size;
  msk_image whole = {0}, square = {0};
  msk_status status = msk_image_load(&whole, path, alpha, NULL, NULL);
  if (status == MSK_OK) status = msk_crop_cut(&whole, crop, &square, NULL);
  if (status == MSK_OK)
    status = msk_image_prepare(prepared, &square, size, size, preparation, NULL, NULL);
  msk_image_free(&square);
  msk_image_free(&whole);
  return status;
}

/* What no line keeps apart from the edge is background, all else is the thing: the best that a
 * drawing says of parts. */
static void fill_parts(const msk_photo_source *source, const uint8_t *drawing, uint8_t *parts) {
  int side = source->options.image_size, pixels = side * side, used = 0, *stack = source->stack;
  memset(parts, 1, (size_t)pixels);
  for (int at = 0; at < pixels; at++) {
    int x = at % side, y = at / side;
    bool edge = x == 0 || y == 0 || x + 1 == side || y + 1 == side;
    if (!edge || drawing[at] < INK) continue;
    parts[at] = 0;
    stack[used++] = at;
  }
  while (used > 0) {
    int at = stack[--used], x = at % side;
    const int next[] = {at - side, at + side, x > 0 ? at - 1 : -1, x + 1 < side ? at + 1 : -1};
    for (size_t i = 0; i < 4; i++) {
      if (next[i] < 0 || next[i] >= pixels || parts[next[i]] == 0 || drawing[next[i]] < INK)
        continue;
      parts[next[i]] = 0;
      stack[used++] = next[i];
    }
  }
}

static msk_status make_drawing(const msk_photo_source *source, int photo, const msk_crop *crop,
                               uint8_t *drawing) {
  const char *path = drawing_of(&source->options, photo);
  size_t pixels = (size_t)source->options.image_size * (size_t)source->options.image_size;
  msk_image prepared = {0};
  msk_prepare_options sketch;
  memset(drawing, 255, pixels);
  if (path == NULL) return MSK_OK;
  msk_prepare_init(&sketch);
  msk_status status = make_square(source, path, MSK_ALPHA_SKETCH, &sketch, crop, &prepared);
  for (size_t i = 0; status == MSK_OK && i < pixels; i++) drawing[i] = prepared.pixels[3 * i + 1];
  msk_image_free(&prepared);
  return status;
}

static int render(void *user, int set, size_t index, uint8_t *photo, uint8_t *drawings,
                  uint8_t *parts) {
  const msk_photo_source *source = user;
  const msk_photo_source_options *o = &source->options;
  size_t count = (size_t)source->count[set],
         bytes = 3 * (size_t)o->image_size * (size_t)o->image_size;
  int number = source->order[set][index % count];
  msk_random random = msk_random_stream(o->seed, CROP_STREAM + 2 * (uint64_t)set, index);
  msk_crop crop = index < count ? msk_crop_middle() : msk_crop_choose(&random, LEAST_CROP);
  msk_prepare_options plain;
  msk_image prepared = {0};
  msk_prepare_plain(&plain);
  msk_status status =
      make_square(source, o->photos[number], MSK_ALPHA_WHITE, &plain, &crop, &prepared);
  if (status == MSK_OK) memcpy(photo, prepared.pixels, bytes);
  memset(parts, 0, bytes / 3);
  if (status == MSK_OK && source->has_drawings) {
    status = make_drawing(source, number, &crop, drawings);
    fill_parts(source, drawings, parts);
  }
  msk_image_free(&prepared);
  return status == MSK_OK ? o->classes[number] : -1;
}

/* ---- opening ---- */

static msk_status take_memory(msk_photo_source *source, bool **usable, msk_error *error) {
  size_t photos = (size_t)source->options.photo_count,
         pixels = (size_t)source->options.image_size * (size_t)source->options.image_size;
  *usable = msk_allocate_zeroed(NULL, photos, sizeof **usable);
  source->stack = msk_allocate(NULL, pixels, sizeof *source->stack);
  for (int set = 0; set < 2; set++)
    source->order[set] = msk_allocate(NULL, photos, sizeof *source->order[set]);
  if (*usable == NULL || source->stack == NULL || source->order[0] == NULL ||
      source->order[1] == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for the list of photos");
  return MSK_OK;
}

static void describe(msk_photo_source *source, const char hash[65]) {
  const msk_photo_source_options *o = &source->options;
  static const char *const sets[] = {"trained on", "held out"};
  for (int set = 0; set < 2; set++)
    snprintf(source->description[set], sizeof source->description[set],
             "photos %.16s size %d crops %d seed %llu, %s", hash, o->image_size, o->crops,
             (unsigned long long)o->seed, sets[set]);
}

msk_status msk_photo_source_open(msk_photo_source **source, const msk_photo_source_options *options,
                                 msk_error *error) {
  msk_status status = check_options(options, error);
  if (status != MSK_OK) return status;
  msk_photo_source *made = msk_allocate_zeroed(NULL, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a source of photos");
  made->options = *options;
  msk_sha256 hash;
  char text[65];
  bool *usable = NULL;
  msk_sha256_begin(&hash);
  status = take_memory(made, &usable, error);
  if (status == MSK_OK) status = look_at_all(made, usable, &hash, error);
  if (status == MSK_OK) status = split(made, usable, error);
  msk_sha256_end(&hash, text);
  msk_free(NULL, usable);
  if (status != MSK_OK) {
    msk_photo_source_close(made);
    return status;
  }
  describe(made, text);
  *source = made;
  return MSK_OK;
}

void msk_photo_source_close(msk_photo_source *source) {
  if (source == NULL) return;
  for (int set = 0; set < 2; set++) msk_free(NULL, source->order[set]);
  msk_free(NULL, source->stack);
  msk_free(NULL, source);
}

void msk_photo_source_attach(msk_photo_source *source, msk_train_options *options) {
  const msk_photo_source_options *o = &source->options;
  options->source = (msk_train_source){
      .user = source,
      .image_size = o->image_size,
      .classes = o->class_count,
      .hands = source->has_drawings,
      .class_names = o->class_names,
      .description = {source->description[MSK_TRAIN_SET], source->description[MSK_HELD_OUT_SET]},
      .render = render};
  options->objects = (size_t)source->count[MSK_TRAIN_SET] * (size_t)o->crops;
  options->held_out_objects = (size_t)source->count[MSK_HELD_OUT_SET];
  options->hands_each = source->has_drawings;
  if (source->has_drawings) return;
  /* What learns from drawings has nothing to learn from. */
  options->pair_every = 0;
  options->style_share = options->hint_share = 0;
}
