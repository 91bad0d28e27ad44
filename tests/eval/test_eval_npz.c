/* SPDX-License-Identifier: Apache-2.0
 *
 * test_eval_npz.c - masksketch npz: the bytes of the archive by the format's own description, read
 * here from its end as readers do; the CRC by its check value; sizes beyond 4 GiB. */
#include <sys/stat.h>

#include "eval/npz.h"
#include "eval_files.h"
#include "masksketch_tools.h"

static uint64_t number_at(const uint8_t *bytes, size_t at, int width) {
  uint64_t number = 0;
  for (int i = width - 1; i >= 0; i--) number = number << 8 | bytes[at + (size_t)i];
  return number;
}

static void test_crc(void **state) {
  (void)state;
  assert_int_equal(npz_crc(0, "123456789", 9), 0xCBF43926u); /* the check value of the CRC */
  assert_int_equal(npz_crc(npz_crc(0, "1234", 4), "56789", 5), 0xCBF43926u);
  assert_int_equal(npz_crc(0, "", 0), 0);
}

/* From the end to the directory, to the header, to the bytes. */
static const uint8_t *find_member(const uint8_t *zip, size_t bytes, size_t *count) {
  assert_int_equal(number_at(zip, bytes - 22, 4), 0x06054B50);
  assert_int_equal(number_at(zip, bytes - 22 + 10, 2), 1);
  const size_t directory = number_at(zip, bytes - 22 + 16, 4);
  assert_int_equal(directory + number_at(zip, bytes - 22 + 12, 4), bytes - 22);
  assert_int_equal(number_at(zip, directory, 4), 0x02014B50);
  assert_int_equal(number_at(zip, directory + 10, 2), 0); /* stored */
  *count = number_at(zip, directory + 24, 4);
  assert_int_equal(number_at(zip, directory + 20, 4), *count);
  assert_int_equal(number_at(zip, directory + 28, 2), 9);
  assert_memory_equal(zip + directory + 46, "arr_0.npy", 9);
  const size_t local = number_at(zip, directory + 42, 4);
  assert_int_equal(number_at(zip, local, 4), 0x04034B50);
  /* needed, flags, method, time, date, CRC, sizes and lengths stand in both */
  assert_memory_equal(zip + local + 4, zip + directory + 6, 26);
  const uint8_t *member =
      zip + local + 30 + number_at(zip, local + 26, 2) + number_at(zip, local + 28, 2);
  assert_int_equal(npz_crc(0, member, *count), number_at(zip, directory + 16, 4));
  assert_ptr_equal(member + *count, zip + directory);
  return member;
}

static void read_back(const char *file, size_t count, int side, const char *const *pictures) {
  size_t bytes = 0, member_bytes = 0;
  msk_array array = {0};
  uint8_t *zip = test_read_file(file, &bytes);
  const uint8_t *member = find_member(zip, bytes, &member_bytes);
  assert_int_equal(msk_npy_decode(&array, member, member_bytes, "member", NULL, NULL), MSK_OK);
  assert_int_equal(array.dtype, MSK_DTYPE_U8);
  assert_int_equal(array.rank, 4);
  const size_t shape[] = {count, (size_t)side, (size_t)side, 3};
  assert_memory_equal(array.shape, shape, sizeof shape);
  for (size_t i = 0; pictures != NULL && i < count; i++) {
    msk_image image = {0};
    size_t pixels = (size_t)side * (size_t)side * 3;
    assert_int_equal(msk_image_load(&image, pictures[i], MSK_ALPHA_WHITE, NULL, NULL), MSK_OK);
    assert_memory_equal((uint8_t *)array.data + i * pixels, image.pixels, pixels);
    msk_image_free(&image);
  }
  msk_free(NULL, array.data);
  free(zip);
}

static void copy_to(const char *name, const char *place) {
  char from[4096];
  size_t bytes = 0;
  strcpy(from, in_folder("%s", name));
  uint8_t *data = test_read_file(from, &bytes);
  assert_int_equal(msk_file_write(in_folder("%s", place), data, bytes, NULL), MSK_OK);
  free(data);
}

static void test_archive(void **state) {
  (void)state;
  mkdir(in_folder("pictures"), 0777);
  copy_to("b.png", "pictures/0.png");
  copy_to("a.png", "pictures/1.png");
  write_text("pictures/notes.txt", "no picture");
  EXPECT(0, "npz", in_folder("pictures"), "-o", in_folder("two.npz"), "--quiet");
  char first[4096], second[4096];
  strcpy(first, in_folder("pictures/0.png"));
  strcpy(second, in_folder("pictures/1.png"));
  read_back(in_folder("two.npz"), 2, 96, (const char *const[]){first, second});
  /* the same bytes at any time */
  EXPECT(0, "npz", in_folder("pictures"), "-o", in_folder("again.npz"), "--quiet");
  char again[4096];
  strcpy(again, in_folder("again.npz"));
  assert_true(same_bytes(in_folder("two.npz"), again));
  assert_int_equal(count_files(in_folder("."), ".part"), 0);
}

static void test_sizes(void **state) {
  (void)state;
  EXPECT(0, "generate", "--class", "cube", "--steps", "1", "-o", in_folder("pictures/2.png"),
         "--quiet");
  EXPECT(3, "npz", in_folder("pictures"), "-o", in_folder("mixed.npz"));
  assert_false(exists(in_folder("mixed.npz")));
  assert_int_equal(count_files(in_folder("."), ".part"), 0);
  EXPECT(0, "npz", in_folder("pictures"), "-o", in_folder("mixed.npz"), "--size", "32", "--quiet");
  read_back(in_folder("mixed.npz"), 3, 32, NULL);
  EXPECT(2, "npz", in_folder("pictures"), "-o", in_folder("mixed.zip"));
  mkdir(in_folder("empty"), 0777);
  EXPECT(3, "npz", in_folder("empty"), "-o", in_folder("empty.npz"));
  EXPECT(3, "npz", in_folder("nowhere"), "-o", in_folder("empty.npz"));
}

/* From 4 GiB on, 64 bits. */
static void test_large(void **state) {
  (void)state;
  const uint64_t count = (uint64_t)5 << 30, crc = 0x12345678;
  npz_frame frame;
  npz_frame_make(&frame, count, (uint32_t)crc);
  assert_int_equal(frame.head_bytes, 30 + 9 + 20);
  assert_int_equal(number_at(frame.head, 4, 2), 45);
  assert_int_equal(number_at(frame.head, 14, 4), crc);
  assert_int_equal(number_at(frame.head, 18, 4), UINT32_MAX);
  assert_int_equal(number_at(frame.head, 22, 4), UINT32_MAX);
  const size_t extra = 30 + 9;
  assert_int_equal(number_at(frame.head, extra, 2), 1);
  assert_int_equal(number_at(frame.head, extra + 2, 2), 16);
  assert_true(number_at(frame.head, extra + 4, 8) == count);
  assert_true(number_at(frame.head, extra + 12, 8) == count);
  const uint8_t *end = frame.tail + frame.tail_bytes - 22, *locator = end - 20,
                *record = locator - 56;
  assert_int_equal(number_at(end, 16, 4), UINT32_MAX);
  assert_int_equal(number_at(locator, 0, 4), 0x07064B50);
  assert_int_equal(number_at(record, 0, 4), 0x06064B50);
  const uint64_t directory = number_at(record, 48, 8);
  assert_true(directory == frame.head_bytes + count);
  assert_true(number_at(record, 40, 8) == (uint64_t)(record - frame.tail));
  assert_true(number_at(locator, 8, 8) == directory + number_at(record, 40, 8));
  npz_frame_make(&frame, count / 2, 0);
  assert_int_equal(frame.head_bytes, 30 + 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc), cmocka_unit_test(test_archive),
                                     cmocka_unit_test(test_sizes), cmocka_unit_test(test_large)};
  return cmocka_run_group_tests(tests, set_up_eval, tear_down_eval);
}
