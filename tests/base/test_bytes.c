/* SPDX-License-Identifier: Apache-2.0
 * test_bytes.c - the bounded reader, UTF-8, and SHA-256 against published vectors. */
#include "base/bytes.h"
#include "base/sha256.h"
#include "support.h"

static void integers(void **state) {
  (void)state;
  static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  uint64_t value = 0;
  msk_reader r = {bytes, 9};
  assert_true(msk_read_big(&r, 8, &value));
  assert_true(value == 0x0102030405060708);
  assert_false(msk_read_big(&r, 2, &value));
  assert_int_equal(r.left, 1);
  r = (msk_reader){bytes, 9};
  assert_true(msk_read_little(&r, 4, &value));
  assert_true(value == 0x04030201);
  assert_true(msk_little_u64(bytes + 1) == 0x0908070605040302);
  const uint8_t *span = NULL;
  assert_false(msk_read_span(&r, SIZE_MAX, &span));
  assert_null(span);
  assert_true(msk_read_span(&r, 5, &span));
  assert_ptr_equal(span, bytes + 4);
  assert_int_equal(r.left, 0);
}

static void utf8(void **state) {
  (void)state;
  static const char *const good[] = {"",
                                     "abc",
                                     "\xC3\xA9",
                                     "\xE2\x82\xAC",
                                     "\xF0\x9F\x98\x80",
                                     "\xED\x9F\xBF",
                                     "\xEE\x80\x80",
                                     "\xF4\x8F\xBF\xBF"};
  static const char *const bad[] = {"\x80",
                                    "\xC0\x80",
                                    "\xC1\xBF",
                                    "\xE0\x80\x80",
                                    "\xE0\x9F\xBF",
                                    "\xED\xA0\x80",
                                    "\xF0\x80\x80\x80",
                                    "\xF4\x90\x80\x80",
                                    "\xF5\x80\x80\x80",
                                    "\xC3",
                                    "\xE2\x82",
                                    "\xF0\x9F\x98",
                                    "a\xFF",
                                    "\xC3\xC3"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_true(msk_utf8_valid((const uint8_t *)good[i], strlen(good[i])));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(msk_utf8_valid((const uint8_t *)bad[i], strlen(bad[i])));
}

static void sha256(void **state) {
  (void)state;
  static const struct {
    const char *text, *hash;
  } vectors[] = {/* FIPS 180-4 examples */
                 {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                 {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                 {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
  char text[65];
  msk_sha256 hash;
  for (size_t i = 0; i < 3; i++) {
    msk_sha256_begin(&hash);
    msk_sha256_add(&hash, vectors[i].text, strlen(vectors[i].text));
    msk_sha256_end(&hash, text);
    assert_string_equal(text, vectors[i].hash);
  }
  char *million = malloc(1000000);
  memset(million, 'a', 1000000);
  /* however it is cut into pieces */
  for (size_t piece = 1; piece <= 100000; piece = piece * 7 + 3) {
    msk_sha256_begin(&hash);
    for (size_t at = 0; at < 1000000; at += piece)
      msk_sha256_add(&hash, million + at, piece < 1000000 - at ? piece : 1000000 - at);
    msk_sha256_end(&hash, text);
    assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
  free(million);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(integers), cmocka_unit_test(utf8),
                                     cmocka_unit_test(sha256)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
