/* SPDX-License-Identifier: Apache-2.0
 *
 * libjpeg and libwebp take their working memory from the C heap. This program stands in for
 * malloc() and calloc(), so that from every one of their allocations on (libjpeg tries again
 * with less) they fail; what is expected is MSK_ERROR_MEMORY and nothing lost, as from our own
 * allocator. But libwebp calls some refusals a broken bitstream while it reads, and does without
 * some memory while it writes. Reading lossless WebP (and alpha, which is coded so) is left out:
 * libwebp 1.2.4 itself follows a null pointer when the heap refuses its Huffman tables. */
#include "support.h"

#include <stdbool.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HEAP_CAN_FAIL 1

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
__attribute__((visibility("default"))) void *malloc(size_t bytes);
__attribute__((visibility("default"))) void *calloc(size_t count, size_t bytes);

static long heap_calls, heap_fail_at; /* fail_at 0: never */

/* From that call on, or that call alone. */
static bool heap_fails_once;
static int refused(void) {
  if (heap_fail_at == 0) return 0;
  heap_calls++;
  return heap_fails_once ? heap_calls == heap_fail_at : heap_calls >= heap_fail_at;
}

void *malloc(size_t bytes) { return refused() ? NULL : __libc_malloc(bytes); }

void *calloc(size_t count, size_t bytes) { return refused() ? NULL : __libc_calloc(count, bytes); }
#else
#define HEAP_CAN_FAIL 0
static long heap_calls, heap_fail_at;
static bool heap_fails_once;
#endif

typedef struct work {
  const uint8_t *file; /* decode this, or */
  size_t bytes;
  const msk_image *image; /* encode that */
  msk_format format;
  int quality;
} work;

/* What libwebp made without some memory must be the picture still. */
static void check_written(const work *w, const void *file, size_t bytes) {
  long fail_at = heap_fail_at;
  msk_image image;
  heap_fail_at = 0;
  assert_int_equal(msk_image_decode(&image, file, bytes, MSK_ALPHA_WHITE, "heap", NULL, NULL),
                   MSK_OK);
  assert_int_equal(image.width, w->image->width);
  assert_int_equal(image.height, w->image->height);
  if (w->format == MSK_FORMAT_WEBP && w->quality == 0)
    assert_memory_equal(image.pixels, w->image->pixels,
                        3 * (size_t)image.width * (size_t)image.height);
  msk_image_free(&image);
  heap_fail_at = fail_at;
}

/* The library's own memory comes from a counting allocator (aligned_alloc), so that leaks show
 * and only the C heap fails. */
static msk_status run(const work *w, const msk_allocator *allocator) {
  if (w->image != NULL) {
    void *file;
    size_t bytes;
    msk_status status =
        msk_image_encode(w->image, w->format, w->quality, NULL, 0, &file, &bytes, allocator, NULL);
    if (status == MSK_OK) check_written(w, file, bytes);
    if (status == MSK_OK) msk_free(allocator, file);
    return status;
  }
  msk_image image;
  msk_status status =
      msk_image_decode(&image, w->file, w->bytes, MSK_ALPHA_WHITE, "heap", allocator, NULL);
  if (status == MSK_OK) msk_image_free(&image);
  return status;
}

static void fail_every_heap_allocation(const work *w, const char *name) {
  for (long k = 1;; k++) {
    counting_allocator counting;
    counting_allocator_init(&counting);
    heap_calls = 0;
    heap_fail_at = k;
    msk_status status = run(w, &counting.allocator);
    heap_fail_at = 0;
    assert_int_equal(counting.live, 0);
    if (heap_calls < k) {
      assert_int_equal(status, MSK_OK);
      assert_true(k > 2);
      return;
    }
    bool webp_says_broken =
        w->image == NULL && strstr(name, ".webp") != NULL && status == MSK_ERROR_FILE;
    bool webp_does_without = w->format == MSK_FORMAT_WEBP && status == MSK_OK;
    if (status != MSK_ERROR_MEMORY && !webp_says_broken && !webp_does_without)
      fail_msg("%s: status %d when heap allocation %ld fails", name, (int)status, k);
  }
}

static void reading_without_heap(void **state) {
  (void)state;
  if (!HEAP_CAN_FAIL) skip();
  static const char *const names[] = {"base_420.jpg", "prog_420.jpg", "cmyk_k.jpg", "lossy.webp"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    work w = {0};
    uint8_t *file = test_read_file(golden_path("image/jpeg_webp/%s", names[i]), &w.bytes);
    w.file = file;
    fail_every_heap_allocation(&w, names[i]);
    free(file);
  }
}

static void writing_without_heap(void **state) {
  (void)state;
  if (!HEAP_CAN_FAIL) skip();
  msk_image image;
  assert_int_equal(
      msk_image_load(&image, golden_path("image/png/rgb8.png"), MSK_ALPHA_WHITE, NULL, NULL),
      MSK_OK);
  fail_every_heap_allocation(&(work){.image = &image, .format = MSK_FORMAT_JPEG}, "JPEG");
  for (int once = 0; once < 2; once++) {
    heap_fails_once = once == 1;
    fail_every_heap_allocation(&(work){.image = &image, .format = MSK_FORMAT_WEBP},
                               "lossless WebP");
  }
  heap_fails_once = false;
  fail_every_heap_allocation(&(work){.image = &image, .format = MSK_FORMAT_WEBP, .quality = 80},
                             "lossy WebP");
  msk_image_free(&image);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reading_without_heap),
                                     cmocka_unit_test(writing_without_heap)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
