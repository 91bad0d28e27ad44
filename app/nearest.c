/* SPDX-License-Identifier: Apache-2.0
 * nearest.c - see nearest.h. */
#include "app/nearest.h"

#include <string.h>

int nearest_edits(const char *written, size_t length, const char *word) {
  enum { LONGEST = 31 };
  int row[LONGEST + 1];
  /* a beginning is what people type most: it counts as no edit at all */
  if (length >= 3 && strlen(word) > length && memcmp(word, written, length) == 0) return 0;
  size_t n = strlen(word) < LONGEST ? strlen(word) : LONGEST,
         m = length < LONGEST ? length : LONGEST;
  for (size_t j = 0; j <= n; j++) row[j] = (int)j;
  for (size_t i = 1; i <= m; i++) {
    int diagonal = row[0];
    row[0] = (int)i;
    for (size_t j = 1; j <= n; j++) {
      int replaced = diagonal + (written[i - 1] != word[j - 1]);
      int shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      diagonal = row[j];
      row[j] = replaced < shorter ? replaced : shorter;
    }
  }
  return row[n];
}
