/* SPDX-License-Identifier: Apache-2.0
 * feed.c - see feed.h. */
#include "train/feed.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/memory.h"
#include "train/random.h"
#include "train/reader.h"

enum { HAND_STREAM = 21, LOW_PRIORITY = 10 };
#define INK_GAIN 3.0f /* a thin line in a quarter of a cell counts as much as a thick one */

struct msk_feed {
  msk_feed_options options;
  size_t size, cells, side; /* pixels and cells of a picture's side */
  pthread_t thread;
  _Atomic bool stopping, failed;
  msk_error error; /* written before `failed` */
  msk_token_reader reader;
  void *buffers;
  uint8_t *photo, *drawings, *parts, *described;
  float *pixels;
  uint16_t *photo_tokens, *drawn_tokens, *photo_codes;
  uint8_t *chosen;
};

/* ---- memory ---- */

static void lay_buffers(msk_feed *feed, msk_arena *arena) {
  size_t pixels = feed->size * feed->size, hands = (size_t)feed->options.source->hands;
  size_t cells = feed->cells;
  feed->pixels = msk_arena_take(arena, pixels * 3, sizeof(float));
  feed->photo_tokens = msk_arena_take(arena, cells, sizeof(uint16_t));
  feed->drawn_tokens = msk_arena_take(arena, cells * feed->options.hands_each, sizeof(uint16_t));
  feed->described = msk_arena_take(arena, cells, MSK_TOKEN_QUARTERS * MSK_TOKEN_VIEWS);
  feed->photo = msk_arena_take(arena, pixels, 3);
  feed->drawings = msk_arena_take(arena, pixels, hands);
  feed->parts = msk_arena_take(arena, pixels, 1);
  feed->photo_codes = msk_arena_take(arena, cells, 2 * sizeof(uint16_t));
  feed->chosen = msk_arena_take(arena, pixels, feed->options.hands_each);
}

static msk_status take_memory(msk_feed *feed, msk_error *error) {
  msk_arena arena = {0};
  lay_buffers(feed, &arena);
  feed->buffers = msk_allocate(NULL, arena.peak, 1);
  if (feed->buffers == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for making tokens");
  arena = (msk_arena){.base = feed->buffers, .capacity = arena.peak};
  lay_buffers(feed, &arena);
  /* no pool: this thread alone */
  return msk_token_reader_open(&feed->reader, feed->options.encoder, feed->options.device, NULL,
                               feed->size, error);
}

/* ---- one picture ---- */

/* channels 3, or 1: the same in all three. */
static void encode_picture(msk_feed *feed, const uint8_t *picture, size_t channels,
                           uint16_t *tokens) {
  for (size_t i = 0; i < feed->size * feed->size * 3; i++)
    feed->pixels[i] = (float)picture[channels == 3 ? i : i / 3] / 255.0f;
  msk_token_reader_read(&feed->reader, feed->pixels);
  for (size_t i = 0; i < feed->cells; i++) tokens[i] = (uint16_t)feed->reader.codes[i];
}

static void mirror(uint8_t *picture, size_t size, size_t channels) {
  for (size_t y = 0; y < size; y++) {
    uint8_t *row = picture + y * size * channels;
    for (size_t x = 0; x < size / 2; x++) {
      uint8_t *left = row + x * channels, *right = row + (size - 1 - x) * channels;
      for (size_t c = 0; c < channels; c++) {
        uint8_t swap = left[c];
        left[c] = right[c];
        right[c] = swap;
      }
    }
  }
}

/* ---- what lies in each quarter of a cell ---- */

/* Every second pixel of the parts says enough. */
static void describe_quarter(const msk_feed *feed, size_t top, size_t left, size_t pixels,
                             uint8_t views[MSK_TOKEN_VIEWS]) {
  int counts[MSK_TOKEN_PARTS] = {0}, darkness = 0, seen = 0;
  for (size_t y = top; y < top + pixels; y++) {
    for (size_t x = left; x < left + pixels; x++) {
      darkness += 255 - feed->drawings[y * feed->size + x];
      if (y % 2 != 0 || x % 2 != 0) continue;
      int part = feed->parts[y * feed->size + x];
      counts[part < MSK_TOKEN_PARTS ? part : MSK_TOKEN_PARTS - 1]++;
      seen++;
    }
  }
  for (size_t p = 0; p < MSK_TOKEN_PARTS; p++) views[p] = (uint8_t)(255 * counts[p] / seen);
  float ink = INK_GAIN * (float)darkness / (255.0f * (float)(pixels * pixels));
  views[MSK_TOKEN_PARTS] = (uint8_t)(255.0f * fminf(1.0f, ink));
}

/* Without drawings nobody asks. */
static void describe(msk_feed *feed) {
  if (feed->options.source->hands == 0) return;
  size_t pixels = feed->size / (2 * feed->side);
  for (size_t cell = 0; cell < feed->cells; cell++) {
    for (size_t q = 0; q < MSK_TOKEN_QUARTERS; q++) {
      size_t top = (cell / feed->side * 2 + q / 2) * pixels,
             left = (cell % feed->side * 2 + q % 2) * pixels;
      describe_quarter(feed, top, left, pixels,
                       feed->described + (cell * MSK_TOKEN_QUARTERS + q) * MSK_TOKEN_VIEWS);
    }
  }
}

/* ---- records ---- */

/* hands_each of the source's hands, in random order. */
static void choose_hands(const msk_feed *feed, int set, size_t record,
                         uint8_t hand[MSK_FEED_MAX_HANDS]) {
  size_t all = (size_t)feed->options.source->hands;
  msk_random random = msk_random_stream(feed->options.seed, HAND_STREAM + (uint64_t)set, record);
  for (size_t i = 0; i < all; i++) hand[i] = (uint8_t)i;
  for (size_t i = 0; i < feed->options.hands_each; i++) {
    size_t j = i + msk_random_below(&random, all - i);
    uint8_t swap = hand[i];
    hand[i] = hand[j];
    hand[j] = swap;
  }
}

static msk_status append_record(msk_feed *feed, int set, size_t record, int label) {
  uint8_t hand[MSK_FEED_MAX_HANDS];
  size_t pixels = feed->size * feed->size;
  choose_hands(feed, set, record, hand);
  encode_picture(feed, feed->photo, 3, feed->photo_tokens);
  for (size_t i = 0; i < feed->options.hands_each; i++) {
    const uint8_t *drawing = feed->drawings + hand[i] * pixels;
    encode_picture(feed, drawing, 1, feed->drawn_tokens + i * feed->cells);
    /* Records are of one size, so a blank drawing has tokens like any other; nobody uses them. */
    if (msk_picture_is_blank(drawing, pixels)) hand[i] = MSK_NO_HAND;
  }
  describe(feed);
  const msk_token_record made = {.label = label,
                                 .hand = hand,
                                 .photo = feed->photo_tokens,
                                 .drawn = feed->drawn_tokens,
                                 .described = feed->described};
  return msk_tokens_append(feed->options.tokens[set], &made, &feed->error);
}

static void mirror_all(msk_feed *feed) {
  mirror(feed->photo, feed->size, 3);
  mirror(feed->parts, feed->size, 1);
  for (int i = 0; i < feed->options.source->hands; i++)
    mirror(feed->drawings + (size_t)i * feed->size * feed->size, feed->size, 1);
}

static msk_status append_tokens(msk_feed *feed, int set, size_t index, int label) {
  /* After a kill between its two records only the second is wanted. */
  for (size_t half = msk_tokens_count(feed->options.tokens[set]) % 2; half < 2; half++) {
    if (half == 1) mirror_all(feed);
    msk_status status = append_record(feed, set, 2 * index + half, label);
    if (status != MSK_OK) return status;
  }
  return MSK_OK;
}

/* The photo's codes and its mirror image's; drawings by the hands that lot chose, moved to the
 * front. */
static msk_status append_picture(msk_feed *feed, int set, size_t index) {
  msk_pictures *pictures = feed->options.pictures[set];
  const msk_pictures_shape *shape = msk_pictures_get_shape(pictures);
  size_t pixels = feed->size * feed->size;
  uint8_t hand[MSK_FEED_MAX_HANDS];
  for (int mirrored = 0; shape->cells > 0 && mirrored < 2; mirrored++) {
    encode_picture(feed, feed->photo, 3, feed->photo_codes + (size_t)mirrored * feed->cells);
    mirror(feed->photo, feed->size, 3);
  }
  choose_hands(feed, set, index, hand);
  for (size_t i = 0; i < shape->drawings; i++)
    memcpy(feed->chosen + i * pixels, feed->drawings + hand[i] * pixels, pixels);
  const msk_picture_record made = {
      .photo = feed->photo, .drawings = feed->chosen, .codes = feed->photo_codes};
  return msk_pictures_append(pictures, &made, &feed->error);
}

static msk_status append_object(msk_feed *feed, int set, size_t index) {
  const msk_train_source *source = feed->options.source;
  int label = source->render(source->user, set, index, feed->photo, feed->drawings, feed->parts);
  if (label < 0 || label >= source->classes)
    return msk_fail(&feed->error, MSK_ERROR_ARGUMENT, "object %zu could not be rendered", index);
  return feed->options.tokens[set] != NULL ? append_tokens(feed, set, index, label)
                                           : append_picture(feed, set, index);
}

size_t msk_feed_count(const msk_feed *feed, int set) {
  const msk_feed_options *options = &feed->options;
  return options->tokens[set] != NULL ? msk_tokens_count(options->tokens[set]) / 2
                                      : msk_pictures_count(options->pictures[set]);
}

static void *feed_thread(void *user) {
  msk_feed *feed = user;
  setpriority(PRIO_PROCESS, 0, LOW_PRIORITY); /* of this thread alone */
  for (int set = MSK_HELD_OUT_SET; set >= MSK_TRAIN_SET; set--) {
    size_t index = msk_feed_count(feed, set);
    for (; index < feed->options.objects[set] && !atomic_load(&feed->stopping); index++) {
      if (append_object(feed, set, index) == MSK_OK) continue;
      atomic_store(&feed->failed, true);
      return NULL;
    }
  }
  return NULL;
}

/* ---- the thread ---- */

static void destroy(msk_feed *feed) {
  msk_token_reader_close(&feed->reader);
  msk_free(NULL, feed->buffers);
  msk_free(NULL, feed);
}

msk_status msk_feed_start(msk_feed **feed, const msk_feed_options *options, msk_error *error) {
  msk_feed *made = msk_allocate_zeroed(NULL, 1, sizeof *made);
  if (made == NULL) return msk_fail(error, MSK_ERROR_MEMORY, "no memory for making tokens");
  size_t rows = 0;
  made->options = *options;
  made->size = (size_t)options->source->image_size;
  msk_vqgan_latent_size(options->encoder, made->size, made->size, &rows, &made->side);
  made->cells = rows * made->side;
  msk_status status = take_memory(made, error);
  if (status == MSK_OK && pthread_create(&made->thread, NULL, feed_thread, made) != 0)
    status = msk_fail(error, MSK_ERROR_MEMORY, "a thread for making tokens could not be started");
  if (status != MSK_OK) {
    destroy(made);
    return status;
  }
  *feed = made;
  return MSK_OK;
}

msk_status msk_feed_check(const msk_feed *feed, msk_error *error) {
  if (!atomic_load(&feed->failed)) return MSK_OK;
  return msk_fail(error, feed->error.code, "%s", feed->error.message);
}

void msk_feed_stop(msk_feed *feed) {
  if (feed == NULL) return;
  atomic_store(&feed->stopping, true);
  pthread_join(feed->thread, NULL);
  destroy(feed);
}
