/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CNI_WORDS_H
#define BULKHEAD_CNI_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define WORD_ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* What the specification takes for a container's id and a network's name; at most MAX bytes. */
bool word_is_name(const char *s, size_t max);

#endif
