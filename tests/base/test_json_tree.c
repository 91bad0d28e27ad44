/* SPDX-License-Identifier: Apache-2.0
 *
 * test_json_tree.c - foreign JSON: what is taken and what is not, bounds before the tree grows,
 * trees of every kind read back, and memory refused at each allocation. */
#include "base/json_tree.h"

#include <locale.h>

#include "support.h"

static msk_status load(json_t **root, const char *text, size_t most, msk_error *error) {
  *error = (msk_error){0};
  *root = NULL;
  size_t bytes = strlen(text);
  char *exact = malloc(bytes + 1); /* without the zero: nothing may look behind the end */
  memcpy(exact, text, bytes);
  msk_status status = msk_json_load(root, "it", exact, bytes, most, error);
  free(exact);
  assert_true((status == MSK_OK) == (*root != NULL));
  return status;
}

static void what_is_taken(void **state) {
  (void)state;
  static const struct {
    const char *text, *dumped;
  } good[] = {
      {"{}", "{}"},
      {" [ ] \n", "[]"},
      {"\xEF\xBB\xBF{\"a\":1}", "{\"a\":1}"},
      {"[1,-0,0,-17,9223372036854775807,-9223372036854775808]",
       "[1,0,0,-17,9223372036854775807,-9223372036854775808]"},
      {"[18446744073709551615,-9223372036854775809,123456789012345678901234567890]",
       "[\"18446744073709551615\",\"-9223372036854775809\",\"123456789012345678901234567890\"]"},
      {"[1.5,-2e3,1E+2,0.0,25e-2]", "[1.5,-2000.0,100.0,0.0,0.25]"},
      {"[true,false,null]", "[true,false,null]"},
      {"{\"a\":{\"b\":[{}]},\"c\":\"\\u00e9\\n\\\"\\ud83d\\ude00\"}",
       "{\"a\":{\"b\":[{}]},\"c\":\"\xC3\xA9\\n\\\"\xF0\x9F\x98\x80\"}"},
      {"{\"\\u0061\":\"x\"}", "{\"a\":\"x\"}"},
  };
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    json_t *root;
    msk_error error;
    if (load(&root, good[i].text, 100, &error) != MSK_OK)
      fail_msg("%s: %s", good[i].text, error.message);
    char *text = json_dumps(root, JSON_COMPACT);
    assert_string_equal(text, good[i].dumped);
    free(text);
    json_decref(root);
  }
}

static void what_is_not(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    " ",
                                    "{",
                                    "[",
                                    "}",
                                    "1",
                                    "\"a\"",
                                    "null",
                                    "[1,]",
                                    "[,1]",
                                    "{\"a\"}",
                                    "{\"a\":}",
                                    "{a:1}",
                                    "{\"a\":1,}",
                                    "[1 2]",
                                    "[01]",
                                    "[1.]",
                                    "[.5]",
                                    "[1e]",
                                    "[1e999]",
                                    "[+1]",
                                    "[-]",
                                    "[nul]",
                                    "[\"a]",
                                    "[\"\\x\"]",
                                    "[\"\\u12\"]",
                                    "[\"\n\"]",
                                    "{}{}",
                                    "[]x",
                                    "[NaN]",
                                    "[1-2]",
                                    "[\"\\ud800\"]",
                                    "[\"\\u0000\"]",
                                    "[\"\xFF\"]",
                                    "{\"a\":1,\"a\":2}",
                                    "{\"a\":1,\"\\u0061\":2}",
                                    "[\"\\udc00\\ud800\"]"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    json_t *root;
    msk_error error;
    if (load(&root, bad[i], 100, &error) != MSK_ERROR_FILE) fail_msg("%s is taken", bad[i]);
    assert_non_null(strstr(error.message, "it is no JSON that can be read: line "));
  }
}

static char *repeated(const char *begin, const char *piece, size_t count, const char *end) {
  char *text = malloc(strlen(begin) + count * strlen(piece) + strlen(end) + 1), *at = text;
  at += sprintf(at, "%s", begin);
  for (size_t i = 0; i < count; i++) at += sprintf(at, "%s", piece);
  sprintf(at, "%s", end);
  return text;
}

static long taken, refused_at, live;

static void *count_allocate(size_t bytes) {
  if (++taken == refused_at) return NULL;
  live++;
  return malloc(bytes);
}

static void count_free(void *memory) {
  if (memory != NULL) live--;
  free(memory);
}

static void bounds(void **state) {
  (void)state;
  json_t *root;
  msk_error error;
  char *swarm = repeated("[", "{},", 1000000, "{}]");
  json_set_alloc_funcs(count_allocate, count_free);
  taken = live = refused_at = 0;
  assert_int_equal(load(&root, swarm, 1000, &error), MSK_ERROR_FILE);
  assert_non_null(strstr(error.message, "more values"));
  assert_true(taken < 4000); /* no more than the values that were allowed */
  assert_int_equal(live, 0);
  json_set_alloc_funcs(malloc, free);
  free(swarm);
  /* exactly as many as may be, and as deep */
  assert_int_equal(load(&root, "[1,2,3]", 4, &error), MSK_OK);
  json_decref(root);
  assert_int_equal(load(&root, "[1,2,3]", 3, &error), MSK_ERROR_FILE);
  for (int more = 0; more < 2; more++) {
    char *open = repeated("", "[", (size_t)(MSK_JSON_DEPTH + 1 + more), ""),
         *text = repeated(open, "]", (size_t)(MSK_JSON_DEPTH + 1 + more), "");
    assert_int_equal(load(&root, text, 1000, &error), more == 0 ? MSK_OK : MSK_ERROR_FILE);
    json_decref(root);
    free(open);
    free(text);
  }
  char *deep = repeated("", "{\"a\":", 1000000, "");
  assert_int_equal(load(&root, deep, 10000000, &error), MSK_ERROR_FILE);
  free(deep);
  char *key = repeated("{\"", "k", MSK_JSON_KEY_BYTES, "\":1}");
  assert_int_equal(load(&root, key, 10, &error), MSK_ERROR_FILE);
  assert_true(strlen(error.message) < 200);
  free(key);
}

static json_t *random_tree(uint64_t *seed, int depth) {
  static const char *const texts[] = {"", "a", "\"\\/\b\f\n\r\t\x1F", "\xC3\xA9\xE2\x82\xAC",
                                      "\xF0\x9F\x98\x80 long enough to be a text of its own"};
  uint64_t kind = test_random(seed) % (depth > 4 ? 6 : 8), count = test_random(seed) % 6;
  if (kind < 2) return json_integer((json_int_t)test_random(seed));
  if (kind == 2) return json_real((double)(int64_t)test_random(seed) * 1e-9);
  if (kind == 3) return json_string(texts[test_random(seed) % 5]);
  if (kind == 4) return json_boolean(test_random(seed) & 1);
  if (kind == 5) return json_null();
  json_t *nest = kind == 6 ? json_array() : json_object();
  for (uint64_t i = 0; i < count; i++) {
    char key[24];
    snprintf(key, sizeof key, "k%llu\n", (unsigned long long)i);
    if (kind == 6) json_array_append_new(nest, random_tree(seed, depth + 1));
    if (kind == 7) json_object_set_new(nest, key, random_tree(seed, depth + 1));
  }
  return nest;
}

static void trees_read_back(void **state) {
  (void)state;
  uint64_t seed = 7;
  for (int i = 0; i < 2000; i++) {
    json_t *tree = json_pack("[o]", random_tree(&seed, 0)), *back;
    msk_error error;
    char *text = json_dumps(tree, i % 2 == 0 ? JSON_INDENT(2) : JSON_ENSURE_ASCII);
    if (load(&back, text, 100000, &error) != MSK_OK) fail_msg("%s: %s", text, error.message);
    if (!json_equal(tree, back)) fail_msg("%s is read as another tree", text);
    free(text);
    json_decref(tree);
    json_decref(back);
  }
}

/* Refused at each place in turn: told as such, and nothing is left or freed twice. */
static void memory_is_refused(void **state) {
  (void)state;
  static const char text[] =
      "{\"a\":[1,2.5,\"x\\ny\",{\"b\":null,\"c\":[[],{}]}],\"k1\":1,\"k2\":2,\"k3\":3,\"k4\":4,"
      "\"k5\":5,\"k6\":6,\"k7\":[1,2,3,4,5,6,7,8,9,10,11,12],\"k8\":18446744073709551615}";
  json_t *root;
  msk_error error;
  json_set_alloc_funcs(count_allocate, count_free);
  taken = live = refused_at = 0;
  assert_int_equal(load(&root, text, 100, &error), MSK_OK);
  json_decref(root);
  assert_int_equal(live, 0);
  long all = taken;
  assert_true(all > 40);
  for (refused_at = 1; refused_at <= all; refused_at++) {
    taken = live = 0;
    assert_int_equal(load(&root, text, 100, &error), MSK_ERROR_MEMORY);
    assert_int_equal(live, 0);
  }
  json_set_alloc_funcs(malloc, free);
}

/* A recipe's values come in every kind that JSON has for them; a host program may have set a locale
 * with a decimal comma (where there is one here). */
static void settings_as_text(void **state) {
  (void)state;
  static const struct {
    const char *json, *text;
  } rows[] = {{"[\"cosine\"]", "cosine"},
              {"[-12]", "-12"},
              {"[0.1]", "0.1"},
              {"[100.0]", "100"},
              {"[0.30000000000000004]", "0.30000000000000004"},
              {"[true]", "1"},
              {"[false]", "0"},
              {"[[1,3,16]]", "1,3,16"},
              {"[[]]", ""},
              {"[[1,-3]]", NULL},
              {"[[1.5]]", NULL},
              {"[{}]", NULL},
              {"[null]", NULL},
              {"[\"a text of twenty-four.\"]", NULL},
              {"[[1000000,1000000,1000000]]", NULL}};
  for (int pass = 0; pass < 2; pass++) {
    if (pass == 1 && setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL) break;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
      json_t *root;
      msk_error error;
      char text[22];
      assert_int_equal(load(&root, rows[i].json, 20, &error), MSK_OK);
      bool fits = msk_json_setting(json_array_get(root, 0), text, sizeof text);
      assert_int_equal(fits, rows[i].text != NULL);
      if (fits) assert_string_equal(text, rows[i].text);
      json_decref(root);
    }
  }
  setlocale(LC_NUMERIC, "C");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_taken),    cmocka_unit_test(what_is_not),
      cmocka_unit_test(bounds),           cmocka_unit_test(trees_read_back),
      cmocka_unit_test(settings_as_text), cmocka_unit_test(memory_is_refused),
  };
  return cmocka_run_group_tests_name("json_tree", tests, NULL, NULL);
}
