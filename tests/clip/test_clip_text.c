/* SPDX-License-Identifier: Apache-2.0
 *
 * test_clip_text.c - CLIP's tokenizer against OpenAI's tokens of the golden prompts; hostile
 * vocabularies, merges and texts. */
#include "clip_files.h"

static msk_clip_bpe *bpe;

static int setup(void **state) {
  (void)state;
  bpe = bpe_open();
  return 0;
}

static int teardown(void **state) {
  (void)state;
  msk_clip_bpe_destroy(bpe);
  return 0;
}

/* The spelling of a special token inside a text is ordinary text here. */
static int is_special(const char *name) { return strcmp(name, "special_openai") == 0; }

static int same_ids(const int32_t *a, size_t a_count, const int32_t *b, size_t b_count) {
  return a_count == b_count && memcmp(a, b, a_count * sizeof *a) == 0;
}

/* OpenAI's ids, or where its ftfy and html.unescape had a hand in them, those that one of Hugging
 * Face's tokenizers gives (they differ for control characters alone). */
static int is_right(const prompt *p, const int32_t *ids, size_t length, const other_ids *others,
                    size_t other_count) {
  for (size_t i = 0; i < other_count; i++) {
    if (strcmp(others[i].name, p->name) != 0) continue;
    return same_ids(ids, length, others[i].fast, others[i].fast_length) ||
           same_ids(ids, length, others[i].slow, others[i].slow_length);
  }
  return same_ids(ids, length, p->ids, p->length) == !is_special(p->name);
}

static void test_prompts(void **state) {
  (void)state;
  static prompt prompts[MAX_PROMPTS];
  static other_ids others[MAX_PROMPTS];
  size_t count = prompts_load(prompts), other_count = other_ids_load(others), wrong = 0, exact = 0;
  assert_int_equal(count, 72);
  assert_int_equal(other_count, 14);
  for (size_t i = 0; i < count; i++) {
    int32_t ids[CONTEXT];
    size_t length = 0, whole = 0;
    msk_error error = {0};
    if (msk_clip_bpe_encode(bpe, prompts[i].text, CONTEXT, ids, &length, &whole, &error) != MSK_OK)
      fail_msg("%s", error.message);
    exact += (size_t)same_ids(ids, length, prompts[i].ids, prompts[i].length);
    if (!is_right(&prompts[i], ids, length, others, other_count)) {
      print_error("prompt %s differs\n", prompts[i].name);
      wrong++;
    }
    int cut = strcmp(prompts[i].name, "over76") == 0 || strcmp(prompts[i].name, "very_long") == 0 ||
              strcmp(prompts[i].name, "one_long_token") == 0;
    assert_int_equal(whole > CONTEXT, cut);
  }
  assert_int_equal(wrong, 0);
  assert_int_equal(exact, 57);
}

/* ---- hostile files ---- */

static void check_vocab(const char *text, const char *said) {
  msk_error error = {0};
  msk_clip_bpe *made = NULL;
  msk_clip_file vocab = {(const uint8_t *)text, strlen(text), "V"},
                merges = {(const uint8_t *)"a b\n", 4, "M"};
  assert_int_equal(msk_clip_bpe_create(&made, &vocab, &merges, 100, NULL, &error), MSK_ERROR_FILE);
  assert_null(made);
  if (strstr(error.message, said) == NULL)
    fail_msg("%s: %s, expected: %s", text, error.message, said);
}

static void test_hostile_vocabulary(void **state) {
  (void)state;
  check_vocab("", "byte 0");
  check_vocab("[1]", "{");
  check_vocab("{}", "a word");
  check_vocab("{\"a\":1", "a comma or }");
  check_vocab("{\"a\":1}x", "the end");
  check_vocab("{\"a\":1,\"b\":1}", "twice");
  check_vocab("{\"a\":1,\"a\":2}", "twice");
  check_vocab("{\"a\":-1}", "an id");
  check_vocab("{\"a\":100}", "an id");
  check_vocab("{\"a\":99999999999999999999}", "an id");
  check_vocab("{\"a\":{\"b\":1}}", "an id");
  check_vocab("{\"a\":1.5}", "a comma");
  check_vocab("{\"\\x\":1}", "a word");
  check_vocab("{\"\\u12\":1}", "a word");
  check_vocab("{\"\\ud800\":1}", "a word");
  check_vocab("{\"\\ud800\\u0041\":1}", "a word");
  check_vocab("{\"\\udc00\":1}", "a word");
  check_vocab("{\"abc", "a word");
  check_vocab("{\"abc\\", "a word");
  check_vocab("{\"\x80\":1}", "UTF-8");
  check_vocab("{\"a\":1}", "<|startoftext|>");
  check_vocab("{\"<|startoftext|>\":1,\"<|endoftext|>\":2}", "is missing");
  /* A vocabulary that is cut off anywhere is refused, whatever remains. */
  msk_clip_file whole = file_load("data/clip/vocab.json"),
                merges = file_load("data/clip/merges.txt");
  for (size_t bytes = 0; bytes < whole.byte_count; bytes += 40009) {
    msk_error error = {0};
    msk_clip_bpe *made = NULL;
    msk_clip_file part = {whole.bytes, bytes, "V"};
    assert_int_equal(msk_clip_bpe_create(&made, &part, &merges, 49408, NULL, &error),
                     MSK_ERROR_FILE);
  }
  msk_error error = {0};
  msk_clip_bpe *made = NULL;
  /* too large for the model */
  assert_int_equal(msk_clip_bpe_create(&made, &whole, &merges, 49407, NULL, &error),
                   MSK_ERROR_FILE);
  free((void *)(uintptr_t)whole.bytes), free((void *)(uintptr_t)merges.bytes);
}

static void check_merges(const msk_clip_file *vocab, const char *text, const char *said) {
  msk_error error = {0};
  msk_clip_bpe *made = NULL;
  msk_clip_file merges = {(const uint8_t *)text, strlen(text), "M"};
  assert_int_equal(msk_clip_bpe_create(&made, vocab, &merges, 49408, NULL, &error), MSK_ERROR_FILE);
  if (strstr(error.message, said) == NULL)
    fail_msg("%s: %s, expected: %s", text, error.message, said);
}

static void test_hostile_merges(void **state) {
  (void)state;
  msk_clip_file vocab = file_load("data/clip/vocab.json");
  check_merges(&vocab, "", "no merges");
  check_merges(&vocab, "#version: 0.2\n\n", "no merges");
  check_merges(&vocab, "i n\nab\n", "line 2");
  check_merges(&vocab, "i n t\n", "line 1");
  check_merges(&vocab, " n\n", "line 1");
  check_merges(&vocab, "i \n", "line 1");
  check_merges(&vocab, "i n\nzzzzq qqqqq\n", "line 2 merges what");
  check_merges(&vocab, "i n\nt h\ni n", "the same");
  free((void *)(uintptr_t)vocab.bytes);
}

/* ---- texts ---- */

static size_t encode(const char *text, int32_t *ids) {
  size_t count = 0, whole = 0;
  msk_error error = {0};
  if (msk_clip_bpe_encode(bpe, text, CONTEXT, ids, &count, &whole, &error) != MSK_OK)
    fail_msg("%s", error.message);
  return count;
}

static void assert_same_tokens(const char *a, const char *b) {
  int32_t first[CONTEXT], second[CONTEXT];
  size_t count = encode(a, first);
  if (count != encode(b, second) || memcmp(first, second, count * sizeof *first) != 0)
    fail_msg("%s and %s differ", a, b);
}

static void test_texts(void **state) {
  (void)state;
  int32_t ids[CONTEXT];
  size_t count, whole;
  msk_error error = {0};
  static const char *const ill[] = {"\x80", "a\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                    "caf\xC3"};
  for (size_t i = 0; i < sizeof ill / sizeof *ill; i++) {
    assert_int_equal(msk_clip_bpe_encode(bpe, ill[i], CONTEXT, ids, &count, &whole, &error),
                     MSK_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "UTF-8"));
  }
  static char longest[8194];
  for (size_t i = 0; i < 8192; i++) longest[i] = "ab,;\"zq'"[i * i % 8];
  assert_int_equal(encode(longest, ids), CONTEXT);
  assert_int_equal(ids[CONTEXT - 1], 49407);
  memset(longest, '&', 8192);
  assert_int_equal(encode(longest, ids) <= CONTEXT, 1);
  /* the letter that decomposes into most: three, each of two bytes */
  for (size_t i = 0; i + 2 <= 8192; i += 2) memcpy(longest + i, "\xCE\x90", 2);
  encode(longest, ids);
  /* and the one that lower case makes longer */
  for (size_t i = 0; i + 2 <= 8192; i += 2) memcpy(longest + i, "\xC4\xB0", 2);
  encode(longest, ids);
  longest[8190] = longest[8191] = longest[8192] = 'a';
  assert_int_equal(msk_clip_bpe_encode(bpe, longest, CONTEXT, ids, &count, &whole, &error),
                   MSK_ERROR_ARGUMENT);
  /* Rules that no golden prompt isolates. */
  assert_same_tokens("e\xCC\x81", "\xC3\xA9"); /* NFC */
  assert_same_tokens("\xE2\x84\xAB", "\xC3\xA5");
  assert_same_tokens("A\xE2\x80\xA8\xC2\xA0\t\r\nB", "a b");
  assert_same_tokens(
      "\xEF\xBB\xBF"
      "a\x01\x7F\xC2\x85"
      "b",
      "ab");
  assert_same_tokens("\xCE\x9F\xCE\xA3", "\xCE\xBF\xCF\x82"); /* final sigma */
}

/* ---- memory ---- */

static void test_memory(void **state) {
  (void)state;
  counting_allocator counting;
  counting_allocator_init(&counting);
  msk_clip_file vocab = file_load("data/clip/vocab.json"),
                merges = file_load("data/clip/merges.txt");
  for (long k = 1;; k++) {
    msk_error error = {0};
    msk_clip_bpe *made = NULL;
    int32_t ids[CONTEXT];
    size_t count, whole;
    counting.calls = 0, counting.fail_at = k;
    msk_status status =
        msk_clip_bpe_create(&made, &vocab, &merges, 49408, &counting.allocator, &error);
    if (status == MSK_OK)
      status = msk_clip_bpe_encode(made, "a photo of a dog", CONTEXT, ids, &count, &whole, &error);
    msk_clip_bpe_destroy(made);
    assert_int_equal(counting.live, 0);
    if (status == MSK_OK) {
      assert_true(k > 5);
      break;
    }
    assert_int_equal(status, MSK_ERROR_MEMORY);
  }
  free((void *)(uintptr_t)vocab.bytes), free((void *)(uintptr_t)merges.bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_prompts),
                                     cmocka_unit_test(test_hostile_vocabulary),
                                     cmocka_unit_test(test_hostile_merges),
                                     cmocka_unit_test(test_texts), cmocka_unit_test(test_memory)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
