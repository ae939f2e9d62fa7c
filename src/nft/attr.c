/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attr.h"

#include <string.h>

#include <libmnl/libmnl.h>

#include "kernel.h"

static void keep(const struct nlattr *a, const struct nlattr **tb, uint16_t max)
{
	if (mnl_attr_get_type(a) <= max)
		tb[mnl_attr_get_type(a)] = a;
}

void attr_parse(const struct nlmsghdr *nlh, const struct nlattr **tb, uint16_t max)
{
	const struct nlattr *a;

	memset(tb, 0, (max + 1u) * sizeof(*tb));
	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)))
		return;
	mnl_attr_for_each (a, nlh, sizeof(struct nfgenmsg))
		keep(a, tb, max);
}

void attr_parse_nested(const struct nlattr *nest, const struct nlattr **tb, uint16_t max)
{
	const struct nlattr *a;

	memset(tb, 0, (max + 1u) * sizeof(*tb));
	if (!nest)
		return;
	mnl_attr_for_each_nested (a, nest)
		keep(a, tb, max);
}

bool attr_u32(const struct nlattr *a, uint32_t *ret)
{
	uint32_t v;

	if (!a || mnl_attr_get_payload_len(a) != sizeof(v))
		return false;
	memcpy(&v, mnl_attr_get_payload(a), sizeof(v));
	*ret = be32toh(v);
	return true;
}

bool attr_u64(const struct nlattr *a, uint64_t *ret)
{
	uint64_t v;

	if (!a || mnl_attr_get_payload_len(a) != sizeof(v))
		return false;
	memcpy(&v, mnl_attr_get_payload(a), sizeof(v));
	*ret = be64toh(v);
	return true;
}

bool attr_string(const struct nlattr *a, char *out, size_t cap)
{
	size_t len;

	if (!a)
		return false;
	len = mnl_attr_get_payload_len(a);
	if (len == 0 || len > cap || memchr(mnl_attr_get_payload(a), '\0', len) == NULL)
		return false;
	memcpy(out, mnl_attr_get_payload(a), len);
	return true;
}

bool attr_is(const struct nlattr *a, const char *s)
{
	size_t len = strlen(s) + 1;

	return a && mnl_attr_get_payload_len(a) >= len &&
	       memcmp(mnl_attr_get_payload(a), s, len) == 0;
}

void attr_comment(const struct nlattr *a, char *out, size_t cap)
{
	const uint8_t *p = a ? mnl_attr_get_payload(a) : NULL;
	size_t left = a ? mnl_attr_get_payload_len(a) : 0;

	out[0] = '\0';
	while (left >= 2 && p[1] <= left - 2) {
		size_t len = p[1] < cap - 1 ? p[1] : cap - 1;

		if (p[0] == UDATA_COMMENT) {
			memcpy(out, p + 2, len);
			out[len] = '\0';
			return;
		}
		left -= 2u + p[1];
		p += 2u + p[1];
	}
}
