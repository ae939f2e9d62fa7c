/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_NETNS_NAME_H
#define CLI_NETNS_NAME_H

#include <stdbool.h>
#include <stdint.h>

#define NETNS_NAME_STR 128

/*
 * What tells a network namespace from all others, also from one that is made later under the same name:
 * "BOOT-ID/INODE/COOKIE", of which the kernel gives an inode's number again and a cookie (0: it has none to give)
 * not before the next boot. Returns OUT.
 */
const char *netns_name(char out[NETNS_NAME_STR], uint64_t ino, uint64_t cookie);
/* The same of the namespace at PATH, if that is still INO; without a cookie where it cannot be asked. */
const char *netns_name_at(char out[NETNS_NAME_STR], const char *path, uint64_t ino);
/* Hostile text. A cookie that one has not is not compared. */
bool netns_name_is_same(const char *a, const char *b);

#endif
