/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/addr.h>

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/text.h>

size_t bh_addr_len(uint8_t family)
{
	return family == AF_INET ? 4 : 16;
}

int bh_addr_parse(const char *s, struct bh_addr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct bh_addr a = { 0 };

	if (inet_pton(AF_INET, s, a.b) == 1) {
		a.family = AF_INET;
	} else if (inet_pton(AF_INET6, s, a.b) == 1) {
		a.family = AF_INET6;
		if (memcmp(a.b, mapped, sizeof(mapped)) == 0)
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	*ret = a;
	return 0;
}

/* V in decimal. Returns what is behind. */
static char *put_octet(char *p, uint8_t v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

/* inet_ntop() goes through printf() for it, which was a tenth of the cost of a record. */
static const char *format_ipv4(char *out, const uint8_t b[4])
{
	char *p = out;

	for (int i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = put_octet(p, b[i]);
	}
	*p = '\0';
	return out;
}

const char *bh_addr_format(char out[BH_ADDR_STR], const struct bh_addr *a)
{
	if (a->family == AF_INET)
		return format_ipv4(out, a->b);
	if (!inet_ntop(a->family, a->b, out, BH_ADDR_STR))
		snprintf(out, BH_ADDR_STR, "?");
	return out;
}

/* Eight bytes in network order: everything is looked up by this. */
static int word_cmp(const uint8_t *a, const uint8_t *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	x = be64toh(x);
	y = be64toh(y);
	return (x > y) - (x < y);
}

_Static_assert(AF_UNSPEC < AF_INET && AF_INET < AF_INET6,
	       "the order of families is that of addresses");

int bh_addr_cmp(const struct bh_addr *a, const struct bh_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return word_cmp(a->b, b->b) ?: word_cmp(a->b + 8, b->b + 8);
}

bool bh_addr_is_loopback(const struct bh_addr *a)
{
	static const uint8_t v6_loopback[16] = { [15] = 1 };

	if (a->family == AF_INET)
		return a->b[0] == 127;
	return memcmp(a->b, v6_loopback, sizeof(v6_loopback)) == 0;
}

bool bh_addr_next(struct bh_addr *a)
{
	struct bh_addr next = *a;

	for (size_t i = bh_addr_len(a->family); i-- > 0;)
		if (++next.b[i] != 0) {
			*a = next;
			return true;
		}
	return false;
}

bool bh_addr_prev(struct bh_addr *a)
{
	struct bh_addr prev = *a;

	for (size_t i = bh_addr_len(a->family); i-- > 0;)
		if (prev.b[i]-- != 0) {
			*a = prev;
			return true;
		}
	return false;
}

bool bh_addr_from_bytes(struct bh_addr *ret, const void *bytes, size_t len)
{
	if (len != 4 && len != 16)
		return false;
	*ret = (struct bh_addr) { .family = len == 4 ? AF_INET : AF_INET6 };
	memcpy(ret->b, bytes, len);
	return true;
}

/* The address with every bit behind LEN set to BIT. */
static struct bh_addr fill_host_bits(const struct bh_addr *a, uint8_t len, bool bit)
{
	struct bh_addr out = *a;

	for (size_t i = 0; i < bh_addr_len(a->family); i++) {
		unsigned kept = len > i * 8 ? len - (unsigned)i * 8 : 0;
		uint8_t mask = kept >= 8 ? 0xff : (uint8_t)(0xff00 >> kept);

		out.b[i] = (uint8_t)((a->b[i] & mask) | (bit ? (uint8_t)~mask : 0));
	}
	return out;
}

int bh_interface_parse(const char *s, struct bh_addr *ret, uint8_t *ret_len)
{
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : strlen(s);
	char text[BH_ADDR_STR];
	struct bh_addr a;
	uint64_t len;
	int r;

	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	if (bh_addr_parse(text, &a) < 0)
		return -EINVAL;
	len = bh_addr_len(a.family) * 8;
	if (slash) {
		r = bh_parse_u64(slash + 1, 0, len, &len);
		if (r < 0)
			return r;
	}
	*ret = a;
	*ret_len = (uint8_t)len;
	return 0;
}

int bh_prefix_parse(const char *s, struct bh_prefix *ret)
{
	struct bh_addr a;
	uint8_t len;
	int r = bh_interface_parse(s, &a, &len);

	if (r < 0)
		return r;
	*ret = (struct bh_prefix) { fill_host_bits(&a, len, false), len };
	return bh_addr_cmp(&ret->addr, &a) == 0 ? 0 : -EDOM;
}

const char *bh_prefix_format(char out[BH_PREFIX_STR], const struct bh_prefix *p)
{
	char addr[BH_ADDR_STR];

	snprintf(out, BH_PREFIX_STR, "%s/%u", bh_addr_format(addr, &p->addr), p->len);
	return out;
}

bool bh_prefix_contains(const struct bh_prefix *p, const struct bh_addr *a)
{
	struct bh_addr masked;

	if (a->family != p->addr.family)
		return false;
	masked = fill_host_bits(a, p->len, false);
	return memcmp(masked.b, p->addr.b, sizeof(masked.b)) == 0;
}

struct bh_range bh_prefix_range(const struct bh_prefix *p)
{
	return (struct bh_range) { p->addr, fill_host_bits(&p->addr, p->len, true) };
}

size_t bh_subnet_shared(const struct bh_addr *a, uint8_t len, struct bh_addr ret[2])
{
	if (len + 2 > 8 * (int)bh_addr_len(a->family))
		return 0;
	ret[0] = fill_host_bits(a, len, false);
	ret[1] = fill_host_bits(a, len, true);
	return a->family == AF_INET ? 2 : 1;
}

bool bh_range_contains(const struct bh_range *r, const struct bh_addr *a)
{
	return a->family == r->lo.family && bh_addr_cmp(&r->lo, a) <= 0 &&
	       bh_addr_cmp(a, &r->hi) <= 0;
}

bool bh_range_is_prefix(const struct bh_range *r, struct bh_prefix *ret)
{
	unsigned bits = (unsigned)bh_addr_len(r->lo.family) * 8, len = 0;
	struct bh_addr lo, hi;

	while (len < bits && ((r->lo.b[len / 8] ^ r->hi.b[len / 8]) & (0x80 >> len % 8)) == 0)
		len++;
	lo = fill_host_bits(&r->lo, (uint8_t)len, false);
	hi = fill_host_bits(&r->lo, (uint8_t)len, true);
	if (bh_addr_cmp(&lo, &r->lo) != 0 || bh_addr_cmp(&hi, &r->hi) != 0)
		return false;
	*ret = (struct bh_prefix) { r->lo, (uint8_t)len };
	return true;
}

const char *bh_range_format(char out[BH_RANGE_STR], const struct bh_range *r)
{
	char lo[BH_ADDR_STR], hi[BH_ADDR_STR];
	struct bh_prefix p;

	bh_addr_format(lo, &r->lo);
	if (bh_addr_cmp(&r->lo, &r->hi) == 0)
		snprintf(out, BH_RANGE_STR, "%s", lo);
	else if (bh_range_is_prefix(r, &p))
		snprintf(out, BH_RANGE_STR, "%s/%u", lo, p.len);
	else
		snprintf(out, BH_RANGE_STR, "%s-%s", lo, bh_addr_format(hi, &r->hi));
	return out;
}
