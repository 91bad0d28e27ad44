/* SPDX-License-Identifier: Apache-2.0
 * pictures.c - see pictures.h. */
#include "pictures.h"

#include <stdlib.h>
#include <string.h>

enum { PURSE_HEAD = 64, BYTES_A_PIXEL = 8, SMALL_PURSE = 8 << 20 };

/* ---- The purse ---- */

static void *purse_allocate(void *user, size_t bytes) {
  purse *p = user;
  if (bytes > p->left || bytes > SIZE_MAX - 2 * PURSE_HEAD) {
    p->spent = true;
    return NULL;
  }
  size_t whole = (bytes + PURSE_HEAD + PURSE_HEAD - 1) / PURSE_HEAD * PURSE_HEAD;
  unsigned char *memory = aligned_alloc(PURSE_HEAD, whole);
  if (memory == NULL) return NULL;
  memcpy(memory, &bytes, sizeof bytes);
  p->left -= bytes;
  return memory + PURSE_HEAD;
}

static void purse_release(void *user, void *memory) {
  purse *p = user;
  size_t bytes;
  unsigned char *block = (unsigned char *)memory - PURSE_HEAD;
  memcpy(&bytes, block, sizeof bytes);
  p->left += bytes;
  free(block);
}

void purse_open(purse *p, size_t bytes) {
  *p = (purse){.allocator = {purse_allocate, purse_release, p}, .left = bytes};
}

size_t purse_for_own(const server *s) {
  size_t side = (size_t)s->info.image_size;
  return SMALL_PURSE + 3 * side * side * BYTES_A_PIXEL;
}

/* ---- Decoding ---- */

bool pictures_begin_large(server *s, problem *p) {
  pthread_mutex_lock(&s->large_requests);
  if (!atomic_load(&s->stopping)) return true;
  pthread_mutex_unlock(&s->large_requests);
  return problem_set(p, 503, NULL, "the server is stopping");
}

void pictures_end_large(server *s) { pthread_mutex_unlock(&s->large_requests); }

/* A copy that does not lead back to this frame. *spent: the purse was too small. */
static msk_status decode(const char *name, const void *bytes, size_t count, msk_alpha alpha,
                         size_t money, msk_image *out, bool *spent, msk_error *error) {
  purse p;
  msk_image image = {0};
  purse_open(&p, money);
  msk_status status = msk_image_decode(&image, bytes, count, alpha, name, &p.allocator, error);
  *spent = p.spent;
  if (status == MSK_OK) status = msk_image_create(out, image.width, image.height, NULL, error);
  if (status == MSK_OK) {
    memcpy(out->pixels, image.pixels, (size_t)image.width * (size_t)image.height * 3);
    out->warning = image.warning;
  }
  msk_image_free(&image);
  return status;
}

bool pictures_decode(server *s, bool *large, const char *name, const void *bytes, size_t count,
                     msk_alpha alpha, msk_image *out, problem *p) {
  msk_error error = {0};
  msk_image made = {0};
  bool spent = false;
  pthread_mutex_lock(&s->small_pictures);
  msk_status status = decode(name, bytes, count, alpha, SMALL_PURSE, &made, &spent, &error);
  pthread_mutex_unlock(&s->small_pictures);
  if (spent) {
    if (!*large && !pictures_begin_large(s, p)) return false;
    *large = true;
    status = decode(name, bytes, count, alpha, (size_t)SERVER_PICTURE_PIXELS * BYTES_A_PIXEL, &made,
                    &spent, &error);
  }
  if (spent)
    return problem_set(p, 413, name,
                       "%s takes more memory than %d pixels do, the most that are "
                       "taken",
                       name, SERVER_PICTURE_PIXELS);
  if (status != MSK_OK) return problem_from_error(p, name, &error);
  if ((size_t)made.width * (size_t)made.height <= SERVER_PICTURE_PIXELS) {
    *out = made;
    return true;
  }
  problem_set(p, 413, name, "%s has %d x %d pixels, expected at most %d in all", name, made.width,
              made.height, SERVER_PICTURE_PIXELS);
  msk_image_free(&made);
  return false;
}
