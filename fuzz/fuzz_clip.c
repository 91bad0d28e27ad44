/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_clip.c - libFuzzer: any bytes as CLIP's files. The first byte says which: the
 * configuration, or vocabulary and merges (a zero byte between them) with a text to encode
 * behind another. */
#include "fuzz.h"
#include "model/clip.h"
#include "model/clip_bpe.h"

enum { VOCABULARY = 60000, LIMIT = 77 };

static void read_words(const uint8_t *bytes, size_t count) {
  const uint8_t *end = bytes + count, *merges = memchr(bytes, 0, count);
  const uint8_t *text = merges == NULL ? NULL : memchr(merges + 1, 0, (size_t)(end - merges - 1));
  msk_clip_bpe *bpe = NULL;
  msk_error error;
  if (text == NULL) return;
  const msk_clip_file vocab = {bytes, (size_t)(merges - bytes), "vocab.json"},
                      rules = {merges + 1, (size_t)(text - merges - 1), "merges.txt"};
  if (msk_clip_bpe_create(&bpe, &vocab, &rules, VOCABULARY, NULL, &error) != MSK_OK) return;
  char *copy = calloc(1, (size_t)(end - text));
  int32_t ids[LIMIT];
  size_t used, whole;
  memcpy(copy, text + 1, (size_t)(end - text - 1));
  if (msk_clip_bpe_encode(bpe, copy, LIMIT, ids, &used, &whole, &error) == MSK_OK) {
    if (used < 2 || used > LIMIT) abort();
    for (size_t i = 0; i < used; i++) {
      if (ids[i] < 0 || ids[i] >= VOCABULARY) abort();
    }
  }
  free(copy);
  msk_clip_bpe_destroy(bpe);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  msk_clip_config config;
  msk_error error;
  if (count < 1) return 0;
  if (bytes[0] % 2 == 0) {
    (void)msk_clip_config_parse(&config, bytes + 1, count - 1, "config.json", &error);
  } else {
    read_words(bytes + 1, count - 1);
  }
  return 0;
}
