/* SPDX-License-Identifier: Apache-2.0
 *
 * lan.h - what --lan does: this machine's address in its network, a key, and the page's address
 * with the key in it for a tablet. */
#ifndef SERVER_LAN_H
#define SERVER_LAN_H

#include "masksketch.h"

enum { LAN_ADDRESS_BYTES = 46, LAN_KEY_BYTES = 33, LAN_PAGE_BYTES = 2048 };

/* The numeric address by which this machine reaches the world, and so its network it. */
msk_status lan_find_address(char address[LAN_ADDRESS_BYTES], msk_error *error);
/* 128 random bits in hexadecimal. */
msk_status lan_make_key(char key[LAN_KEY_BYTES], msk_error *error);
/* URL#key=KEY: a fragment is never sent over the network. */
void lan_page_address(char page[LAN_PAGE_BYTES], const char *url, const char *key);
/* Shows the address as a QR code on standard error, where that is a terminal and it fits. */
void lan_show(const char *page);
#endif
