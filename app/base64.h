/* SPDX-License-Identifier: Apache-2.0
 * base64.h - RFC 4648: written as section 4 has it, read in all variants that people send. */
#ifndef APP_BASE64_H
#define APP_BASE64_H

#include <stddef.h>

/* A terminated text to free(); NULL if memory is refused. */
char *base64_encode(const void *bytes, size_t byte_count);
/* The bytes to free(); NULL if the text is not base64 or memory is refused. Either alphabet,
 * padded or not, broken into lines or not; no foreign character, spare bits zero. */
void *base64_decode(const char *text, size_t *byte_count);
#endif
