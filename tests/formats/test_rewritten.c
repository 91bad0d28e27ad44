/* SPDX-License-Identifier: Apache-2.0
 *
 * test_rewritten.c - a weight file is mapped, so another process may rewrite it between the two
 * runs of its reader. Here an allocator does so at each of its calls: whatever the file becomes,
 * nothing is written past the room that was measured, and what is opened is whole. */
#include "maker.h"
#include "support.h"
#include "tensor/weight_file.h"

enum { ENTRIES = 40, CALLS = 16 };

typedef struct rewriter {
  msk_allocator allocator;
  uint8_t *bytes;
  const maker *after;
  long calls, at;
} rewriter;

static void *rewrite_allocate(void *user, size_t bytes) {
  rewriter *r = user;
  if (++r->calls == r->at) memcpy(r->bytes, r->after->bytes, r->after->used);
  return malloc(bytes);
}

static void rewrite_release(void *user, void *memory) {
  (void)user;
  free(memory);
}

static void look_at(const msk_weight_file *file) {
  for (size_t i = 0; i < msk_weight_file_count(file); i++)
    assert_ptr_equal(msk_weight_file_find(file, msk_weight_file_at(file, i)->name),
                     msk_weight_file_at(file, i));
  const char *key, *value;
  for (size_t i = 0; (key = msk_weight_file_metadata_at(file, i, &value)) != NULL; i++)
    assert_ptr_equal(msk_weight_file_metadata(file, key), value);
}

/* Both ways, at every allocation; where both files stay as they are, both open. */
static void rewrite(const maker *before, const maker *after) {
  assert_int_equal(before->used, after->used);
  for (int turn = 0; turn < 2; turn++) {
    const maker *first = turn == 0 ? before : after, *second = turn == 0 ? after : before;
    int refused = 0;
    for (long at = 0; at < CALLS; at++) {
      uint8_t *bytes = malloc(first->used);
      memcpy(bytes, first->bytes, first->used);
      rewriter r = {.bytes = bytes, .after = second, .at = at};
      r.allocator = (msk_allocator){rewrite_allocate, rewrite_release, &r};
      msk_weight_file *file = NULL;
      msk_error error;
      msk_status status =
          msk_weight_file_parse(&file, bytes, first->used, "f", &r.allocator, &error);
      if (at == 0) assert_int_equal(status, MSK_OK);
      if (status == MSK_OK) look_at(file);
      if (status != MSK_OK) {
        assert_int_equal(status, MSK_ERROR_FILE);
        refused++;
      }
      msk_weight_file_close(file);
      free(bytes);
    }
    assert_true(refused >= 4); /* at each of the four blocks that are taken between the runs */
  }
}

/* A header of a given length: entries, closed by spaces. */
static void put_header(maker *m, const char *format, int entries, size_t length) {
  char header[8192] = "{";
  for (int i = 0; i < entries; i++) {
    size_t used = strlen(header);
    header[used] = i > 0 ? ',' : ' ';
    snprintf(header + used + 1, sizeof header - used - 1, format, i);
  }
  strcat(header, "}");
  size_t used = strlen(header);
  assert_true(used <= length && length < sizeof header);
  memset(header + used, ' ', length - used);
  header[length] = 0;
  make_safetensors(m, header, 0);
}

static void more_tensors(void **state) {
  (void)state;
  maker before = {0}, after = {0};
  put_header(&before, "", 0, 4000);
  put_header(&after, "\"t%d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", ENTRIES,
             4000);
  rewrite(&before, &after);
  make_free(&before);
  make_free(&after);
}

static void longer_names(void **state) {
  (void)state;
  maker before = {0}, after = {0};
  put_header(&before, "\"t%d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", 1, 400);
  put_header(&after, "\"%0300d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", 1, 400);
  rewrite(&before, &after);
  make_free(&before);
  make_free(&after);
}

static void more_metadata(void **state) {
  (void)state;
  char header[2048] = "\"__metadata__\":{\"k\":\"v\"";
  maker before = {0}, after = {0};
  for (int i = 0; i < ENTRIES; i++)
    snprintf(header + strlen(header), 32, ",\"key%d\":\"value\"", i);
  strcat(header, "}%.0d");
  put_header(&before, "\"__metadata__\":{\"k\":\"v\"}%.0d", 1, 1500);
  put_header(&after, header, 1, 1500);
  rewrite(&before, &after);
  make_free(&before);
  make_free(&after);
}

/* {"params": {...entries, "pad": bytes}} of one length. */
static void put_flax(maker *m, int plain, size_t chunk, size_t length) {
  const float values[64] = {1, 2, 3};
  make_map(m, 1);
  make_string(m, "params");
  make_map(m, (size_t)plain + (chunk > 0 ? 2 : 1));
  for (int i = 0; i < plain; i++) {
    char name[16];
    snprintf(name, sizeof name, "w%d", i);
    make_string(m, name);
    make_floats(m, 1, values);
  }
  if (chunk > 0) {
    make_string(m, "chunked");
    make_map(m, 3);
    make_string(m, "__msgpack_chunked_array__");
    make_bytes(m, "\xC3", 1);
    make_string(m, "shape");
    make_tuple(m, 1);
    make_number(m, 2 * chunk);
    make_string(m, "chunks");
    make_tuple(m, 2);
    make_floats(m, chunk, values);
    make_floats(m, chunk, values);
  }
  make_string(m, "pad");
  assert_true(m->used + 300 < length);
  make_bytes(m, "\xC5", 1); /* binary with a length of two bytes */
  size_t pad = length - m->used - 2;
  make_big(m, pad, 2);
  const uint8_t zeros[8192] = {0};
  make_bytes(m, zeros, pad);
}

static void other_checkpoints(void **state) {
  (void)state;
  static const struct {
    int plain;
    size_t chunk;
  } kinds[] = {{0, 0}, {1, 0}, {ENTRIES, 0}, {0, 2}, {0, 60}, {3, 30}};
  enum { KINDS = sizeof kinds / sizeof *kinds };
  for (int a = 0; a < KINDS; a++) {
    for (int b = 0; b < a; b++) {
      maker before = {0}, after = {0};
      put_flax(&before, kinds[a].plain, kinds[a].chunk, 4000);
      put_flax(&after, kinds[b].plain, kinds[b].chunk, 4000);
      rewrite(&before, &after);
      make_free(&before);
      make_free(&after);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(more_tensors),
      cmocka_unit_test(longer_names),
      cmocka_unit_test(more_metadata),
      cmocka_unit_test(other_checkpoints),
  };
  return cmocka_run_group_tests_name("rewritten", tests, NULL, NULL);
}
