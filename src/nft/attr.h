/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_ATTR_H
#define NFT_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlattr;
struct nlmsghdr;

/*
 * Bounds-checked reading of netlink attributes. TB has MAX + 1 places; types over MAX are left
 * out, of several of one type the last stays.
 */
void attr_parse(const struct nlmsghdr *nlh, const struct nlattr **tb, uint16_t max);
void attr_parse_nested(const struct nlattr *nest, const struct nlattr **tb, uint16_t max);

/* Each is false, and *RET untouched, when the attribute is absent or has another size. */
bool attr_u32(const struct nlattr *a, uint32_t *ret); /* network order */
bool attr_u64(const struct nlattr *a, uint64_t *ret); /* network order */
/* NUL-terminated and shorter than CAP. */
bool attr_string(const struct nlattr *a, char *out, size_t cap);
/* Is it this string? */
bool attr_is(const struct nlattr *a, const char *s);
/* The comment in nftables' user data; "" when there is none. */
void attr_comment(const struct nlattr *a, char *out, size_t cap);

#endif
