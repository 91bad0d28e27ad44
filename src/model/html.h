/* SPDX-License-Identifier: Apache-2.0
 *
 * html.h - character references of HTML ("&amp;", "&#8364;") to characters, by the rules of HTML
 * 5 that Python's html.unescape() follows. */
#ifndef MSK_MODEL_HTML_H
#define MSK_MODEL_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct msk_html_entity {
  const char *name;
  uint32_t characters[2]; /* the second may be 0: none */
  bool bare;              /* counts without its semicolon too */
} msk_html_entity;
extern const msk_html_entity msk_html_entities[];
extern const size_t msk_html_entity_count;

/* Replaces the references in `text` (count characters) in place, in one pass; returns the new
 * count, which is never larger. `strict`: only whole references that end in a semicolon (what
 * ftfy does first). */
size_t msk_html_unescape(uint32_t *text, size_t count, bool strict);
#endif
