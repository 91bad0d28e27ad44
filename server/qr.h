/* SPDX-License-Identifier: Apache-2.0
 *
 * qr.h - an address as a QR code (ISO/IEC 18004): byte mode, versions 1 to 5, error correction L,
 * each of which has one block of codewords. */
#ifndef SERVER_QR_H
#define SERVER_QR_H

#include <stdbool.h>
#include <stdio.h>

enum { QR_MOST_BYTES = 106, QR_MOST_SIDE = 37 };

typedef struct qr_code {
  int side;                              /* modules a side */
  bool dark[QR_MOST_SIDE][QR_MOST_SIDE]; /* [row][column] */
} qr_code;

/* False: the text has more than QR_MOST_BYTES bytes; *code is then as it was. */
bool qr_encode(qr_code *code, const char *text);
/* For a terminal that knows colours and half blocks, black on white whatever its theme, with the
 * quiet zone of four modules. */
void qr_print(const qr_code *code, FILE *out);
#endif
