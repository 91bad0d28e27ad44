/* SPDX-License-Identifier: Apache-2.0
 * lan.c - see lan.h. */
#include "lan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/report.h"
#include "qr.h"

/* Where a packet to a foreign address (192.0.2.1 is kept for examples) would leave from; connecting
 * a datagram socket asks for the route and sends nothing. */
msk_status lan_find_address(char address[LAN_ADDRESS_BYTES], msk_error *error) {
  struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(9)}, own = {0};
  socklen_t length = sizeof own;
  inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool found = s >= 0 && connect(s, (struct sockaddr *)&far, sizeof far) == 0 &&
               getsockname(s, (struct sockaddr *)&own, &length) == 0 &&
               inet_ntop(AF_INET, &own.sin_addr, address, LAN_ADDRESS_BYTES) != NULL;
  int reason = errno;
  if (s >= 0) close(s);
  if (found) return MSK_OK;
  return app_fail(error, MSK_ERROR_OUTPUT,
                  "--lan finds no network here (%s), expected one: name this machine's address "
                  "with --listen instead",
                  strerror(reason));
}

msk_status lan_make_key(char key[LAN_KEY_BYTES], msk_error *error) {
  unsigned char random[(LAN_KEY_BYTES - 1) / 2];
  if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
    return app_fail(error, MSK_ERROR_OUTPUT, "the system gives no random numbers for a key");
  for (size_t i = 0; i < sizeof random; i++) snprintf(key + 2 * i, 3, "%02x", random[i]);
  return MSK_OK;
}

void lan_page_address(char page[LAN_PAGE_BYTES], const char *url, const char *key) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
  int at = snprintf(page, LAN_PAGE_BYTES, "%s#key=", url);
  for (; *key != 0 && at < LAN_PAGE_BYTES - 4; key++)
    at += strchr(plain, *key) != NULL ? snprintf(page + at, 4, "%c", *key)
                                      : snprintf(page + at, 4, "%%%02X", (unsigned char)*key);
}

void lan_show(const char *page) {
  qr_code code;
  if (isatty(STDERR_FILENO) && qr_encode(&code, page)) qr_print(&code, stderr);
}
