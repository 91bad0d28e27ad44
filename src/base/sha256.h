/* SPDX-License-Identifier: Apache-2.0
 * sha256.h - SHA-256 (FIPS 180-4), for naming files and weights by their contents. Owns nothing. */
#ifndef MSK_BASE_SHA256_H
#define MSK_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct msk_sha256 {
  uint32_t state[8];
  uint64_t bytes; /* taken in so far */
  uint8_t block[64];
} msk_sha256;

void msk_sha256_begin(msk_sha256 *hash);
void msk_sha256_add(msk_sha256 *hash, const void *bytes, size_t count);
/* 64 lower-case hex digits and a NUL. The hash is used up. */
void msk_sha256_end(msk_sha256 *hash, char text[65]);
#endif
