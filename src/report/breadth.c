/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/report/breadth.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/flowspec.h>

/* --- addresses -------------------------------------------------------------------------------- */

static const char *const private_prefixes[] = { "10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16",
						"100.64.0.0/10", "127.0.0.0/8",   "169.254.0.0/16",
						"fc00::/7",      "fe80::/10" };
/* Nobody's, of what is not private. */
static const char *const nobodys[] = { "0.0.0.0/8", "224.0.0.0/3" };
static const char *const unicast[] = { "0.0.0.0/0", "2000::/3" };

bool report_is_private(const struct bh_prefix *p)
{
	struct bh_prefix q;

	for (size_t i = 0; i < BH_ARRAY_SIZE(private_prefixes); i++)
		if (bh_prefix_parse(private_prefixes[i], &q) >= 0 && q.len <= p->len &&
		    bh_prefix_contains(&q, &p->addr))
			return true;
	return false;
}

static size_t parse(const char *const *texts, size_t n, struct bh_prefix *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += bh_prefix_parse(texts[i], &ret[count]) >= 0;
	return count;
}

static int keep_public(struct bh_rangeset *s)
{
	struct bh_prefix keep[BH_ARRAY_SIZE(unicast)];
	struct bh_prefix except[BH_ARRAY_SIZE(private_prefixes) + BH_ARRAY_SIZE(nobodys)];
	size_t n_keep = parse(unicast, BH_ARRAY_SIZE(unicast), keep);
	size_t n = parse(private_prefixes, BH_ARRAY_SIZE(private_prefixes), except);

	n += parse(nobodys, BH_ARRAY_SIZE(nobodys), except + n);
	return bh_rangeset_keep_prefixes(s, keep, n_keep, except, n);
}

/* The first 32 bits: what is smaller than that counts as one. */
static uint32_t head(const struct bh_addr *a)
{
	return (uint32_t)a->b[0] << 24 | (uint32_t)a->b[1] << 16 | (uint32_t)a->b[2] << 8 | a->b[3];
}

static uint64_t size_of(const struct bh_rangeset *s, uint8_t family)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->r[i].lo.family == family)
			n += (uint64_t)head(&s->r[i].hi) - head(&s->r[i].lo) + 1;
	return n;
}

static bool has_most(const struct bh_rangeset *s, const struct bh_rangeset *all)
{
	return 2 * size_of(s, AF_INET) > size_of(all, AF_INET) ||
	       2 * size_of(s, AF_INET6) > size_of(all, AF_INET6);
}

bool report_is_world(const struct bh_rangeset *s)
{
	struct bh_rangeset mine, all;
	bool world = true;

	bh_rangeset_init(&mine);
	bh_rangeset_init(&all);
	if (bh_rangeset_add_all(&mine, s) >= 0 && keep_public(&mine) >= 0 &&
	    bh_rangeset_universe(&all) >= 0 && keep_public(&all) >= 0)
		world = has_most(&mine, &all);
	bh_rangeset_done(&mine);
	bh_rangeset_done(&all);
	return world;
}

/* --- ports ------------------------------------------------------------------------------------ */

/* "any but 53/udp" is no spec, and broad all the same. */
static bool is_spec(const char *text, struct port_spec *ret)
{
	const char *why;

	return port_spec_parse(text + strspn(text, " "), ret, &why) >= 0 && ret->proto != PROTO_ANY;
}

bool report_is_broad(const char *ports)
{
	bh_autofree char *copy = strdup(ports);
	bh_autofree unsigned *n = calloc(UINT8_MAX + 1, sizeof(*n)); /* [protocol] */
	char *rest = copy, *one;
	struct port_spec p;

	if (!copy || !n)
		return true;
	while ((one = strsep(&rest, ",")) != NULL) {
		if (!is_spec(one, &p) || p.proto > UINT8_MAX)
			return true;
		n[p.proto] += p.hi - p.lo + 1u;
		if (n[p.proto] > BH_REPORT_PORTS_MAX)
			return true;
	}
	return false;
}

static bool has_one_of(const char *ports, const struct port_spec *p)
{
	bh_autofree char *copy = strdup(ports);
	char *rest = copy, *one;
	struct port_spec q;

	while (copy && (one = strsep(&rest, ",")) != NULL)
		if (!is_spec(one, &q) || (q.proto == p->proto && q.lo <= p->hi && p->lo <= q.hi))
			return true;
	return !copy;
}

bool report_ports_meet(const char *a, const char *b)
{
	bh_autofree char *copy = strdup(a);
	char *rest = copy, *one;
	struct port_spec p;

	while (copy && (one = strsep(&rest, ",")) != NULL)
		if (!is_spec(one, &p) || has_one_of(b, &p))
			return true;
	return !copy;
}
