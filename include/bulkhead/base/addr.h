/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_BASE_ADDR_H
#define BULKHEAD_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Addresses, prefixes and sets of addresses, both families always together. An address is 16
 * bytes in network order; an IPv4 address uses the first 4, the others are zero, so memcmp()
 * orders addresses of one family.
 */
struct bh_addr {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t b[16];
};

struct bh_prefix {
	struct bh_addr addr; /* host bits are zero */
	uint8_t len;         /* 0..32 or 0..128 */
};

struct bh_range {
	struct bh_addr lo, hi; /* same family, lo <= hi, both inclusive */
};

#define BH_ADDR_STR   46 /* INET6_ADDRSTRLEN */
#define BH_PREFIX_STR 50
#define BH_RANGE_STR  96

/* 4 or 16: bytes of an address of this family. */
size_t bh_addr_len(uint8_t family);
/* Numeric only, no scope, no leading zeros in IPv4 octets. IPv4-mapped IPv6 is refused. -EINVAL. */
int bh_addr_parse(const char *s, struct bh_addr *ret);
/* RFC 5952 text. Returns OUT. */
const char *bh_addr_format(char out[BH_ADDR_STR], const struct bh_addr *a);
/* <0, 0, >0: a total order; IPv4 before IPv6, what is no address before both. */
int bh_addr_cmp(const struct bh_addr *a, const struct bh_addr *b);
bool bh_addr_is_loopback(const struct bh_addr *a); /* 127.0.0.0/8 and ::1 */
bool bh_addr_next(struct bh_addr *a);              /* +1; false and unchanged at the last address */
bool bh_addr_prev(struct bh_addr *a); /* -1; false and unchanged at the first address */
/* 1..65535 hostile bytes to an address: false unless len is 4 or 16. */
bool bh_addr_from_bytes(struct bh_addr *ret, const void *bytes, size_t len);

/*
 * "10.0.0.0/8". -EINVAL not a prefix (a bare address is a /32 or /128); -ERANGE prefix length too
 * long; -EDOM host bits set, and then *ret holds the prefix with them cleared (for the hint).
 */
int bh_prefix_parse(const char *s, struct bh_prefix *ret);
/*
 * An interface's address: "10.0.0.1/8"; without a length it is 32 or 128. -EINVAL, -ERANGE as
 * above.
 */
int bh_interface_parse(const char *s, struct bh_addr *ret, uint8_t *ret_len);
const char *bh_prefix_format(char out[BH_PREFIX_STR], const struct bh_prefix *p);
bool bh_prefix_contains(const struct bh_prefix *p, const struct bh_addr *a);
struct bh_range bh_prefix_range(const struct bh_prefix *p);
/*
 * The addresses of a subnet that are nobody's own, in which A is with a prefix length of LEN: what
 * is sent to them reaches whoever is there. IPv4: network and broadcast address, if LEN <= 30.
 * IPv6: the subnet-router anycast address, if LEN <= 126. Returns how many: 0, 1 or 2.
 */
size_t bh_subnet_shared(const struct bh_addr *a, uint8_t len, struct bh_addr ret[2]);

bool bh_range_contains(const struct bh_range *r, const struct bh_addr *a);
/* "10.0.0.1", "10.0.0.0/8" when it is one prefix, else "10.0.0.1-10.0.0.9". */
const char *bh_range_format(char out[BH_RANGE_STR], const struct bh_range *r);
/* True, and the prefix, when the range is exactly one. */
bool bh_range_is_prefix(const struct bh_range *r, struct bh_prefix *ret);

/*
 * A set of addresses: sorted, disjoint, non-adjacent ranges, IPv4 before IPv6. Growth is capped
 * at BH_RANGES_MAX (base/limits.h): -E2BIG beyond it. All results are exact.
 */
struct bh_rangeset {
	struct bh_range *r;
	size_t n, cap;
};

void bh_rangeset_init(struct bh_rangeset *s);
void bh_rangeset_done(struct bh_rangeset *s);
int bh_rangeset_add(struct bh_rangeset *s, const struct bh_range *r); /* union with one range */
int bh_rangeset_add_all(struct bh_rangeset *s, const struct bh_rangeset *other);
int bh_rangeset_universe(struct bh_rangeset *s); /* becomes all of IPv4 and IPv6 */
int bh_rangeset_intersect(struct bh_rangeset *s, const struct bh_rangeset *other);
/* Keep of S what lies in a prefix and in none of EXCEPT. Errors as those above; S is whole all the same. */
int bh_rangeset_keep_prefixes(struct bh_rangeset *s, const struct bh_prefix *p, size_t n,
			      const struct bh_prefix *except, size_t n_except);
int bh_rangeset_subtract(struct bh_rangeset *s, const struct bh_rangeset *other);
bool bh_rangeset_contains(const struct bh_rangeset *s, const struct bh_addr *a); /* O(log n) */

#endif
