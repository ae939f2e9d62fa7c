/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program.h"

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/nft/nft.h>

#include "kernel.h"

const struct nft_field_info nft_fields[] = {
	[FIELD_NONE] = { "", 0, 0 },
	[FIELD_OIF] = { "iface_index", 20, 4 },
	[FIELD_ADDR4] = { "ipv4_addr", 7, 4 },
	[FIELD_ADDR6] = { "ipv6_addr", 8, 16 },
	[FIELD_PROTO] = { "inet_proto", 12, 1 },
	[FIELD_PORT] = { "inet_service", 13, 2 },
	[FIELD_ICMP_TYPE] = { "icmp_type", 14, 1 },
	[FIELD_ICMPV6_TYPE] = { "icmpv6_type", 29, 1 },
};

#define ADDR FIELD_ADDR4     /* becomes FIELD_ADDR6 for IPv6 */
#define ICMP FIELD_ICMP_TYPE /* becomes FIELD_ICMPV6_TYPE */

static const struct {
	const char *suffix;
	uint8_t fields[KEY_FIELDS_MAX];
	bool interval;
} kinds[ENTRY_KINDS] = {
	[ENTRY_EXACT] = { "", { ADDR, FIELD_PROTO, FIELD_PORT }, false },
	[ENTRY_HOST] = { "_host", { ADDR }, false },
	[ENTRY_ICMP] = { "_icmp", { ADDR, ICMP }, false },
	[ENTRY_RANGE] = { "_range", { ADDR, FIELD_PROTO, FIELD_PORT }, true },
	[ENTRY_ICMP_RANGE] = { "_icmp_range", { ADDR, ICMP }, true },
	[ENTRY_WORLD] = { "_world", { FIELD_PROTO, FIELD_PORT }, true },
	[ENTRY_WORLD_ICMP] = { "_world_icmp", { FIELD_PROTO, ICMP }, true },
};

static const struct {
	const char *suffix;
	uint8_t fields[KEY_FIELDS_MAX];
} guard_kinds[GUARD_KINDS] = {
	[GUARD_NET] = { "", { ADDR, FIELD_PROTO } },
	[GUARD_PORT] = { "_port", { ADDR, FIELD_PROTO, FIELD_PORT } },
	[GUARD_ICMP] = { "_icmp", { ADDR, ICMP } },
};

static const char *const chain_names[NFT_CHAINS] = {
	[CHAIN_ABOUT] = "about",
	[CHAIN_OUTPUT] = "output",
	[CHAIN_INPUT] = "input",
	[CHAIN_FORWARD] = "forward",
	[CHAIN_ERRORS] = "errors",
	[CHAIN_RECORD] = "record",
	[CHAIN_RECORD_ICMP] = "record_icmp",
	[CHAIN_REVOKED] = "revoked",
	[CHAIN_GUARD + DIRECTION_EGRESS] = "guard_egress",
	[CHAIN_GUARD + DIRECTION_INGRESS] = "guard_ingress",
	[CHAIN_GUARD_RECORD] = "guard_record",
	[CHAIN_GUARD_RECORD_ICMP] = "guard_record_icmp",
	[CHAIN_ALLOW] = "allow",
	[CHAIN_EGRESS] = "egress",
	[CHAIN_FRAMES] = "frames",
	[CHAIN_DHCP] = "dhcp",
	[CHAIN_RAW] = "raw",
};

static const struct nft_hook hooks[] = {
	{ CHAIN_OUTPUT, NF_INET_LOCAL_OUT, 0, "output" },
	{ CHAIN_INPUT, NF_INET_LOCAL_IN, 0, "input" },
	{ CHAIN_FORWARD, NF_INET_FORWARD, 0, "forward" },
	/* Last of all: a chain of somebody else at the same place would come before it. */
	{ CHAIN_EGRESS, BH_NF_NETDEV_EGRESS, INT32_MAX, "egress" },
};

static const char *const counter_names[NFT_COUNTERS] = {
	[COUNTER_DENIED + DIRECTION_EGRESS] = "denied.egress",
	[COUNTER_DENIED + DIRECTION_INGRESS] = "denied.ingress",
	[COUNTER_REVOKED + DIRECTION_EGRESS] = "revoked.egress",
	[COUNTER_REVOKED + DIRECTION_INGRESS] = "revoked.ingress",
	[COUNTER_FORWARDED] = "forwarded",
	[COUNTER_ALLOWED + DIRECTION_EGRESS] = "allowed.egress",
	[COUNTER_ALLOWED + DIRECTION_INGRESS] = "allowed.ingress",
	[COUNTER_RAW] = "raw",
};

static const char *const log_names[] = {
	[NFT_LOG_DENY] = "deny",   [NFT_LOG_AUDIT] = "audit", [NFT_LOG_REVOKED] = "revoked",
	[NFT_LOG_GUARD] = "guard", [NFT_LOG_RAW] = "raw",     [NFT_LOG_RAW_AUDIT] = "raw-audit",
	[NFT_LOG_ALLOW] = "allow",
};

/* Keys of several fields pad each to 4 bytes; the type is the fields' types, 6 bits each. */
static void set_key(struct nft_set_info *s, const uint8_t *fields, unsigned family)
{
	for (int i = 0; i < KEY_FIELDS_MAX && fields[i]; i++) {
		uint8_t f = fields[i];

		if (family == FAMILY6 && f == FIELD_ADDR4)
			f = FIELD_ADDR6;
		if (family == FAMILY6 && f == FIELD_ICMP_TYPE)
			f = FIELD_ICMPV6_TYPE;
		s->fields[s->n_fields++] = f;
		s->key_type = s->key_type << 6 | nft_fields[f].type_id;
		s->key_len += (nft_fields[f].len + 3u) / 4 * 4;
	}
	if (s->n_fields == 1)
		s->key_len = nft_fields[s->fields[0]].len;
}

static void fill_map(struct nft_set_info *s, unsigned set)
{
	s->kind = (uint8_t)(set % ENTRY_KINDS);
	s->family = set / ENTRY_KINDS % FAMILIES;
	s->direction = (uint8_t)(set / ENTRY_KINDS / FAMILIES);
	snprintf(s->name, sizeof(s->name), "%s%c%s", direction_name(s->direction),
		 s->family == FAMILY4 ? '4' : '6', kinds[s->kind].suffix);
	set_key(s, kinds[s->kind].fields, s->family);
	s->is_map = true;
	s->is_interval = kinds[s->kind].interval;
	s->flags = NFT_SET_OBJECT | NFT_SET_TIMEOUT;
	if (s->is_interval)
		s->flags |= NFT_SET_INTERVAL | NFT_SET_CONCAT;
}

/* No timeouts: a guardrail does not end by itself. */
static void fill_guard(struct nft_set_info *s, unsigned n)
{
	s->is_guard = true;
	s->kind = (uint8_t)(n % GUARD_KINDS);
	s->family = n / GUARD_KINDS % FAMILIES;
	s->direction = (uint8_t)(n / GUARD_KINDS / FAMILIES);
	snprintf(s->name, sizeof(s->name), "guard_%s%c%s", direction_name(s->direction),
		 s->family == FAMILY4 ? '4' : '6', guard_kinds[s->kind].suffix);
	set_key(s, guard_kinds[s->kind].fields, s->family);
	s->is_map = s->is_interval = true;
	s->flags = NFT_SET_OBJECT | NFT_SET_INTERVAL | NFT_SET_CONCAT;
}

static void fill_known(struct nft_set_info *s, unsigned family)
{
	static const uint8_t fields[KEY_FIELDS_MAX] = { ADDR };

	snprintf(s->name, sizeof(s->name), "known%c", family == FAMILY4 ? '4' : '6');
	set_key(s, fields, family);
	s->is_interval = true;
	s->flags = NFT_SET_INTERVAL;
}

static void fill_denied(struct nft_set_info *s, unsigned family)
{
	static const uint8_t fields[KEY_FIELDS_MAX] = { FIELD_OIF, ADDR, ADDR, FIELD_PROTO,
							FIELD_PORT };

	snprintf(s->name, sizeof(s->name), "denied%c", family == FAMILY4 ? '4' : '6');
	set_key(s, fields, family);
	s->is_denied = true;
	s->flags = NFT_SET_EVAL | NFT_SET_TIMEOUT | NFT_SET_EXPR;
}

/* The second name of an interval map. */
static void fill_other(struct nft_set_info *s, const struct nft_set_info *map)
{
	if (!map->is_interval)
		return;
	*s = *map;
	snprintf(s->name, sizeof(s->name), "%.28s_b", map->name);
}

const struct nft_set_info *nft_set_info(unsigned set)
{
	static struct nft_set_info infos[NFT_ALL_SETS];
	static bool filled;

	for (unsigned i = 0; !filled && i < NFT_ALL_SETS; i++) {
		if (i < SET_GUARDS)
			fill_map(&infos[i], i);
		else if (i < NFT_MAPS)
			fill_guard(&infos[i], i - SET_GUARDS);
		else if (i < SET_DENIED)
			fill_known(&infos[i], i - SET_KNOWN);
		else if (i < NFT_SETS)
			fill_denied(&infos[i], i - SET_DENIED);
		else
			fill_other(&infos[i], &infos[i - NFT_SETS]);
	}
	filled = true;
	return &infos[set];
}

uint8_t nft_table_family(unsigned table)
{
	return table == TABLE_INET ? NFPROTO_INET : NFPROTO_NETDEV;
}

bool nft_table_by_family(uint8_t family, unsigned *ret_table)
{
	*ret_table = family == NFPROTO_NETDEV ? TABLE_NETDEV : TABLE_INET;
	return family == NFPROTO_NETDEV || family == NFPROTO_INET;
}

const char *nft_chain_name(unsigned chain)
{
	return chain_names[chain];
}

unsigned nft_chain_table(unsigned chain)
{
	return chain >= CHAIN_EGRESS ? TABLE_NETDEV : TABLE_INET;
}

const struct nft_hook *nft_chain_hook(unsigned chain)
{
	for (unsigned i = 0; i < BH_ARRAY_SIZE(hooks); i++)
		if (hooks[i].chain == chain)
			return &hooks[i];
	return NULL;
}

unsigned nft_counter_table(unsigned counter)
{
	return counter == COUNTER_RAW ? TABLE_NETDEV : TABLE_INET;
}

const char *nft_counter_name(unsigned counter)
{
	return counter_names[counter];
}

int nft_map_of(unsigned set)
{
	if (set >= NFT_SETS)
		return (int)(set - NFT_SETS);
	return set < NFT_MAPS ? (int)set : -1;
}

int nft_set_by_name(const char *name)
{
	for (unsigned i = 0; name[0] && i < NFT_ALL_SETS; i++)
		if (strcmp(nft_set_info(i)->name, name) == 0)
			return (int)i;
	return -1;
}

static int find_name(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

int nft_chain_by_name(const char *name)
{
	return find_name(chain_names, NFT_CHAINS, name);
}

int nft_counter_by_name(const char *name)
{
	return find_name(counter_names, NFT_COUNTERS, name);
}

const char *nft_log_prefix(unsigned kind)
{
	static char prefixes[BH_ARRAY_SIZE(log_names)][32];

	if (!prefixes[kind][0])
		snprintf(prefixes[kind], sizeof(prefixes[kind]), "bulkhead:%s", log_names[kind]);
	return prefixes[kind];
}

bool nft_prefix_parse(const char *prefix, enum nft_log_kind *ret_kind)
{
	for (unsigned k = 0; k < BH_ARRAY_SIZE(log_names); k++)
		if (strcmp(prefix, nft_log_prefix(k)) == 0) {
			*ret_kind = (enum nft_log_kind)k;
			return true;
		}
	return false;
}
