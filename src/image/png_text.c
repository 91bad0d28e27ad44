/* SPDX-License-Identifier: Apache-2.0
 *
 * png_text.c - reading a text of a PNG (tEXt, zTXt, iTXt; PNG specification, third edition,
 * section 11.3.3) without decoding the picture, and the rules of keys. Nothing is trusted:
 * lengths are checked against the file, checksums hold, a compressed text is measured before
 * memory is taken. */
#include <string.h>
#include <utf8proc.h>
#include <zlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "image/png_chunk.h"
#include "masksketch_tools.h"

static uint32_t big_endian(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool msk_png_next_chunk(const uint8_t *bytes, size_t count, msk_png_chunk *chunk) {
  size_t start = chunk->next == 0 ? 8 : chunk->next;
  if (start > count || count - start < 12) return false;
  size_t length = big_endian(bytes + start);
  if (length > count - start - 12) return false;
  *chunk = (msk_png_chunk){.type = bytes + start + 4,
                           .data = bytes + start + 8,
                           .length = length,
                           .next = start + 12 + length};
  return true;
}

bool msk_png_chunk_holds(const msk_png_chunk *chunk) {
  return crc32(0, chunk->type, (uInt)(chunk->length + 4)) ==
         big_endian(chunk->data + chunk->length);
}

static bool latin1_printable(int32_t point) {
  return (point >= 32 && point <= 126) || (point >= 161 && point <= 255);
}

bool msk_utf8_check(const char *text, size_t length, bool *latin1) {
  *latin1 = true;
  for (size_t i = 0; i < length;) {
    int32_t point;
    utf8proc_ssize_t bytes =
        utf8proc_iterate((const uint8_t *)text + i, (utf8proc_ssize_t)(length - i), &point);
    if (bytes <= 0) return false;
    if (!latin1_printable(point) && point != '\n') *latin1 = false;
    i += (size_t)bytes;
  }
  return true;
}

size_t msk_utf8_to_latin1(char *latin1, const char *text, size_t length) {
  size_t written = 0;
  for (size_t i = 0; i < length;) {
    int32_t point;
    i +=
        (size_t)utf8proc_iterate((const uint8_t *)text + i, (utf8proc_ssize_t)(length - i), &point);
    latin1[written++] = (char)(unsigned char)point;
  }
  return written;
}

msk_status msk_png_key(char latin1[MSK_PNG_KEY_LIMIT + 1], const char *key, msk_error *error) {
  size_t length = key != NULL ? strlen(key) : 0, count = 0;
  bool valid = length >= 1 && length <= 2 * MSK_PNG_KEY_LIMIT, printable = false;
  char buffer[2 * MSK_PNG_KEY_LIMIT + 1];
  valid =
      valid && msk_utf8_check(key, length, &printable) && printable && strchr(key, '\n') == NULL;
  /* a Latin-1 character has two bytes of UTF-8 at most, so that twice the limit is room enough */
  if (valid) {
    count = msk_utf8_to_latin1(buffer, key, length);
    buffer[count] = 0;
    valid = count <= MSK_PNG_KEY_LIMIT && buffer[0] != ' ' && buffer[count - 1] != ' ' &&
            strstr(buffer, "  ") == NULL;
  }
  if (!valid) {
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "'%s' is no key of a PNG text, expected 1 to %d Latin-1 characters without "
                    "leading, trailing or double spaces",
                    key != NULL ? key : "", MSK_PNG_KEY_LIMIT);
  }
  memcpy(latin1, buffer, count + 1);
  return MSK_OK;
}

static msk_status damaged(msk_error *error, const char *reason) {
  return msk_fail(error, MSK_ERROR_FILE, "damaged PNG text: %s", reason);
}

typedef struct inflate_user {
  const msk_allocator *allocator;
  bool no_memory;
} inflate_user;

static void *inflate_take(void *user, unsigned count, unsigned bytes) {
  inflate_user *inflater = user;
  void *memory = msk_allocate(inflater->allocator, count, bytes);
  if (memory == NULL) inflater->no_memory = true;
  return memory;
}

static void inflate_give_back(void *user, void *memory) {
  msk_free(((inflate_user *)user)->allocator, memory);
}

/* Unpacks all of `packed` into `to` (room for `capacity`), or, with `to` NULL, only counts. More
 * than the limit, or damage: MSK_ERROR_FILE. */
static msk_status unpack(const uint8_t *packed, size_t packed_count, uint8_t *to, size_t *count,
                         const msk_allocator *allocator, msk_error *error) {
  inflate_user user = {.allocator = allocator};
  uint8_t discarded[4096];
  z_stream stream = {.zalloc = inflate_take,
                     .zfree = inflate_give_back,
                     .opaque = &user,
                     .next_in = (Bytef *)(uintptr_t)packed,
                     .avail_in = (uInt)packed_count};
  int result = inflateInit(&stream);
  size_t total = 0;
  while (result == Z_OK && total <= MSK_PNG_TEXT_LIMIT) {
    size_t room = to != NULL ? *count - total : sizeof discarded;
    /* cppcheck-suppress legacyUninitvar ; it is written, never read */
    stream.next_out = to != NULL ? to + total : discarded;
    stream.avail_out = (uInt)room;
    result = inflate(&stream, Z_NO_FLUSH);
    total += room - stream.avail_out;
  }
  inflateEnd(&stream);
  if (user.no_memory)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for unpacking a PNG text");
  if (total > MSK_PNG_TEXT_LIMIT) return damaged(error, "it is longer than 1 MiB");
  if (result != Z_STREAM_END) return damaged(error, "its compressed data are broken");
  *count = total;
  return MSK_OK;
}

/* Latin-1 -> UTF-8 at the end of `bytes`, or a check that UTF-8 is UTF-8. Takes over `raw`
 * (count bytes and room for a NUL). */
static msk_status finish_text(char **value, char *raw, size_t count, bool utf8,
                              const msk_allocator *allocator, msk_error *error) {
  bool latin1;
  if (memchr(raw, 0, count) != NULL || (utf8 && !msk_utf8_check(raw, count, &latin1))) {
    msk_free(allocator, raw);
    return damaged(error, "it is not text");
  }
  raw[count] = 0;
  *value = raw;
  if (utf8) return MSK_OK;
  size_t high = 0, written = 0;
  for (size_t i = 0; i < count; i++) high += (unsigned char)raw[i] >> 7;
  if (high == 0) return MSK_OK;
  char *text = msk_allocate(allocator, count + high + 1, 1);
  if (text == NULL) {
    *value = NULL;
    msk_free(allocator, raw);
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a PNG text of %zu bytes", count + high);
  }
  for (size_t i = 0; i < count; i++) {
    unsigned char c = (unsigned char)raw[i];
    if (c >= 0x80) text[written++] = (char)(0xc0 | c >> 6);
    text[written++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
  }
  text[written] = 0;
  msk_free(allocator, raw);
  *value = text;
  return MSK_OK;
}

/* Where the text of a chunk stands, after its key and flags. */
typedef struct text_body {
  const uint8_t *data;
  size_t length;
  bool packed, utf8;
} text_body;

static msk_status find_body(text_body *body, const msk_png_chunk *chunk, size_t key_length,
                            msk_error *error) {
  const uint8_t *cursor = chunk->data + key_length + 1, *end = chunk->data + chunk->length;
  bool zipped = chunk->type[0] == 'z', international = chunk->type[0] == 'i', packed = zipped;
  if (zipped) {
    if (end - cursor < 1 || cursor[0] != 0) return damaged(error, "unknown compression");
    cursor += 1;
  } else if (international) {
    if (end - cursor < 2 || cursor[0] > 1 || (cursor[0] == 1 && cursor[1] != 0))
      return damaged(error, "unknown compression");
    packed = cursor[0] == 1;
    cursor += 2;
    for (int skipped = 0; skipped < 2; skipped++) { /* language, translated key */
      const uint8_t *zero = memchr(cursor, 0, (size_t)(end - cursor));
      if (zero == NULL) return damaged(error, "it has no end of its key");
      cursor = zero + 1;
    }
  }
  *body = (text_body){
      .data = cursor, .length = (size_t)(end - cursor), .packed = packed, .utf8 = international};
  return MSK_OK;
}

static msk_status read_body(char **value, const text_body *body, const msk_allocator *allocator,
                            msk_error *error) {
  size_t count = body->length;
  msk_status status = MSK_OK;
  if (body->packed) status = unpack(body->data, body->length, NULL, &count, allocator, error);
  if (status != MSK_OK) return status;
  if (count > MSK_PNG_TEXT_LIMIT) return damaged(error, "it is longer than 1 MiB");
  char *raw = msk_allocate(allocator, count + 1, 1);
  if (raw == NULL)
    return msk_fail(error, MSK_ERROR_MEMORY, "no memory for a PNG text of %zu bytes", count);
  if (!body->packed) {
    memcpy(raw, body->data, count);
  } else {
    count += 1; /* room beyond the text, so that the unpacker sees the end of its stream */
    status = unpack(body->data, body->length, (uint8_t *)raw, &count, allocator, error);
    if (status != MSK_OK) {
      msk_free(allocator, raw);
      return status;
    }
  }
  return finish_text(value, raw, count, body->utf8, allocator, error);
}

msk_status msk_png_text(const void *bytes, size_t byte_count, const char *key, char **value,
                        const msk_allocator *allocator, msk_error *error) {
  char latin1_key[MSK_PNG_KEY_LIMIT + 1];
  if (bytes == NULL || value == NULL)
    return msk_fail(error, MSK_ERROR_ARGUMENT,
                    "reading a PNG text needs the file's bytes and a place for the text");
  msk_status status = msk_png_key(latin1_key, key, error);
  if (status != MSK_OK) return status;
  if (byte_count > MSK_MAX_FILE_BYTES)
    return msk_fail(error, MSK_ERROR_FILE, "the PNG has %zu bytes, at most %zu are read",
                    byte_count, MSK_MAX_FILE_BYTES);
  if (byte_count < 8 || memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) != 0)
    return msk_fail(error, MSK_ERROR_FILE, "not a PNG, and only a PNG holds texts");
  size_t key_length = strlen(latin1_key);
  msk_png_chunk chunk = {0};
  while (msk_png_next_chunk(bytes, byte_count, &chunk)) {
    if (memcmp(chunk.type, "IEND", 4) == 0) {
      *value = NULL;
      return MSK_OK;
    }
    if (memcmp(chunk.type, "tEXt", 4) != 0 && memcmp(chunk.type, "zTXt", 4) != 0 &&
        memcmp(chunk.type, "iTXt", 4) != 0)
      continue;
    if (!msk_png_chunk_holds(&chunk)) return damaged(error, "its checksum is wrong");
    if (chunk.length <= key_length || memcmp(chunk.data, latin1_key, key_length + 1) != 0) continue;
    text_body body = {0};
    char *text = NULL;
    status = find_body(&body, &chunk, key_length, error);
    if (status == MSK_OK) status = read_body(&text, &body, allocator, error);
    if (status == MSK_OK) *value = text;
    return status;
  }
  return msk_fail(error, MSK_ERROR_FILE, "damaged PNG: the file ends before its last chunk");
}
