/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include <errno.h>
#include <stdlib.h>

#include <bulkhead/nft/nft.h>

/* --- rules ----------------------------------------------------------------------------------- */

/* How one field of a key is read from the packet: "ip daddr", "th sport". */
static const char *selector(enum nft_field f, unsigned side, unsigned n_addr)
{
	/* Keys of denied flows have both addresses: source, then destination, behind the device. */
	bool src = n_addr == 0 ? (side & SIDE_SRC) : n_addr == 2;

	switch (f) {
	case FIELD_OIF:
		return "oif";
	case FIELD_ADDR4:
		return src ? "ip saddr" : "ip daddr";
	case FIELD_ADDR6:
		return src ? "ip6 saddr" : "ip6 daddr";
	case FIELD_PROTO:
		return "meta l4proto";
	case FIELD_PORT:
		return side & SIDE_SPORT ? "th sport" : "th dport";
	case FIELD_ICMP_TYPE:
		return "icmp type";
	case FIELD_ICMPV6_TYPE:
		return "icmpv6 type";
	case FIELD_NONE:
		break;
	}
	return "";
}

static void key_text(unsigned set, unsigned side, struct bh_buf *out)
{
	const struct nft_set_info *s = nft_set_info(set);

	for (unsigned i = 0; i < s->n_fields; i++)
		bh_buf_addf(out, "%s%s", i ? " . " : "",
			    selector(s->fields[i], side, s->is_denied ? 1 + i : 0));
}

static void lookup_text(const struct nft_op *op, const char *relation, struct bh_buf *out)
{
	key_text(op->a, op->b, out);
	bh_buf_addf(out, "%s @%s", relation, nft_set_info(op->a)->name);
}

static void limit_text(unsigned per_second, unsigned burst, struct bh_buf *out)
{
	bh_buf_addf(out, "limit rate %u/second burst %u packets", per_second, burst);
}

static void log_text(const struct nft_op *op, struct bh_buf *out)
{
	bh_buf_addf(out, "log prefix \"%s\" group %d snaplen %d", nft_log_prefix(op->a),
		    NFT_NFLOG_GROUP, BH_NFLOG_COPY_RANGE);
}

static const char *const protocols[] = {
	[PROTOCOL_IP] = "ip",
	[PROTOCOL_IP6] = "ip6",
	[PROTOCOL_ARP] = "arp",
};

/* HI is OP_MAC_HI, OP_MAC_LO stands behind it. */
static void mac_text(const struct nft_op *hi, struct bh_buf *out)
{
	bh_buf_addf(out, "0x%02x%02x%02x%02x%02x%02x", hi[0].a, hi[0].b, hi[0].c, hi[1].a, hi[1].b,
		    hi[1].c);
}

static void op_text(const struct nft_op *op, struct bh_buf *out)
{
	switch ((enum nft_op_kind)op->kind) {
	case OP_END:
		break;
	case OP_LOOPBACK:
		bh_buf_addf(out, "%s \"lo\"", op->a == DIRECTION_EGRESS ? "oif" : "iif");
		break;
	case OP_DIRECTION:
		bh_buf_addf(out, "%s != 0", op->a == DIRECTION_EGRESS ? "oif" : "iif");
		break;
	case OP_NFPROTO:
		bh_buf_addf(out, "meta nfproto %s", op->a == FAMILY4 ? "ipv4" : "ipv6");
		break;
	case OP_L4PROTO:
		bh_buf_addf(out, "meta l4proto %u", op->a);
		break;
	case OP_CT_DIRECTION:
		bh_buf_addf(out, "ct direction %s", op->a ? "reply" : "original");
		break;
	case OP_CT_RELATED:
		bh_buf_addstr(out, "ct state related");
		break;
	case OP_CT_UNKNOWN:
		bh_buf_addstr(out, "ct state invalid,untracked");
		break;
	case OP_CT_CONFIRMED:
		bh_buf_addstr(out, "ct status confirmed");
		break;
	case OP_OBJMAP:
		bh_buf_addstr(out, "counter name ");
		lookup_text(op, " map", out);
		break;
	case OP_LOOKUP:
		lookup_text(op, "", out);
		break;
	case OP_LOOKUP_NOT:
		lookup_text(op, " !=", out);
		break;
	case OP_ADD:
		bh_buf_addf(out, "add @%s { ", nft_set_info(op->a)->name);
		key_text(op->a, op->b, out);
		bh_buf_addstr(out, " }");
		break;
	case OP_COUNTER:
		bh_buf_addf(out, "counter name \"%s\"", nft_counter_name(op->a));
		break;
	case OP_LIMIT:
		limit_text(op->a, op->a, out);
		break;
	case OP_ALLOW_LIMIT:
		limit_text(BH_ALLOW_LOG_PER_S, BH_ALLOW_LOG_PER_S, out);
		break;
	case OP_LOG:
		log_text(op, out);
		break;
	case OP_ICMP_TYPES:
		bh_buf_addf(out, op->a == op->b ? "icmp type %u" : "icmp type %u-%u", op->a, op->b);
		break;
	case OP_ICMPV6_TYPES:
		bh_buf_addf(out, op->a == op->b ? "icmpv6 type %u" : "icmpv6 type %u-%u", op->a,
			    op->b);
		break;
	case OP_HOPLIMIT:
		bh_buf_addf(out, op->b == FAMILY4 ? "ip ttl %u" : "ip6 hoplimit %u", op->a);
		break;
	case OP_ACCEPT:
		bh_buf_addstr(out, "accept");
		break;
	case OP_DROP:
		bh_buf_addstr(out, "drop");
		break;
	case OP_CONTINUE:
		bh_buf_addstr(out, "continue");
		break;
	case OP_GOTO:
		bh_buf_addf(out, "goto %s", nft_chain_name(op->a));
		break;
	case OP_JUMP:
		bh_buf_addf(out, "jump %s", nft_chain_name(op->a));
		break;
	case OP_REJECT_TCP:
		bh_buf_addstr(out, "reject with tcp reset");
		break;
	case OP_REJECT:
		bh_buf_addstr(out, "reject with icmpx admin-prohibited");
		break;
	case OP_PROTOCOL:
		bh_buf_addf(out, "meta protocol %s", protocols[op->a]);
		break;
	case OP_NOT_LOOPBACK:
		bh_buf_addstr(out,
			      op->a == FAMILY4 ? "ip saddr != 127.0.0.0/8" : "ip6 saddr != ::1");
		break;
	case OP_UNSPECIFIED:
		bh_buf_addstr(out, op->a == FAMILY4 ? "ip saddr 0.0.0.0" : "ip6 saddr ::");
		break;
	case OP_OWN_SOURCE:
		bh_buf_addstr(out, "fib saddr type local");
		break;
	case OP_STACK:
		bh_buf_addstr(out, "meta rtclassid >= 0");
		break;
	case OP_SOCKET:
		bh_buf_addstr(out, "meta skuid >= 0");
		break;
	case OP_NOT_ETHERTYPE:
		bh_buf_addf(out, "@ll,96,16 != 0x%02x%02x", op->a, op->b);
		break;
	case OP_BROADCAST:
		bh_buf_addstr(out, "@ll,0,48 0xffffffffffff @ll,96,16 0x0800 @nh,0,8 0x45");
		break;
	case OP_DHCP:
		bh_buf_addstr(out, "ip daddr 255.255.255.255 udp sport 68 udp dport 67");
		break;
	case OP_MAC_HI: /* with OP_MAC_LO behind it */
		bh_buf_addstr(out, "@ll,48,48 ");
		mac_text(op, out);
		break;
	case OP_MAC_LO:
		break;
	case OP_CHADDR:
		bh_buf_addstr(out, "@th,288,48 ");
		mac_text(op - 2, out);
		break;
	case OP_DHCP_LIMIT:
		limit_text(BH_DHCP_PER_S, BH_DHCP_BURST, out);
		break;
	}
}

void nft_rule_text(const struct nft_rule *r, struct bh_buf *out)
{
	for (int i = 0; r->ops[i].kind; i++) {
		if (i && r->ops[i].kind != OP_MAC_LO)
			bh_buf_addstr(out, " ");
		op_text(&r->ops[i], out);
	}
	if (r->comment[0])
		bh_buf_addf(out, " comment \"%s\"", r->comment);
}

/* --- sets ------------------------------------------------------------------------------------ */

static void flags_text(const struct nft_set_info *s, struct bh_buf *out)
{
	if (s->is_denied)
		bh_buf_addf(out,
			    "\t\tsize %d\n\t\tflags dynamic,timeout\n"
			    "\t\tcounter limit rate 1/day burst 1 packets\n\t\ttimeout %us\n",
			    BH_DENIED_SET_SIZE, BH_DENIED_TIMEOUT_MS / 1000);
	else if (s->is_map && !s->is_guard)
		bh_buf_addf(out, "\t\tflags %stimeout\n", s->is_interval ? "interval," : "");
	else
		bh_buf_addstr(out, "\t\tflags interval\n");
}

static void set_head(const struct nft_set_info *s, struct bh_buf *out)
{
	bh_buf_addf(out, "\t%s %s {\n\t\ttype ", s->is_map ? "map" : "set", s->name);
	for (unsigned i = 0; i < s->n_fields; i++)
		bh_buf_addf(out, "%s%s", i ? " . " : "", nft_fields[s->fields[i]].type);
	bh_buf_addstr(out, s->is_map ? " : counter\n" : "\n");
	flags_text(s, out);
}

static void number_range(unsigned lo, unsigned hi, struct bh_buf *out)
{
	bh_buf_addf(out, lo == hi ? "%u" : "%u-%u", lo, hi);
}

static void field_value(enum nft_field f, const struct entry *e, struct bh_buf *out)
{
	char addr[BH_RANGE_STR];

	if (f == FIELD_ADDR4 || f == FIELD_ADDR6)
		bh_buf_addstr(out, bh_range_format(addr, &e->addr));
	else if (f == FIELD_PROTO)
		number_range(e->proto_lo, e->proto_hi, out);
	else
		number_range(e->port_lo, e->port_hi, out);
}

static void element_text(const struct nft_set_info *s, const struct ruleset *r,
			 const struct entry *e, int64_t now, struct bh_buf *out)
{
	for (unsigned i = 0; i < s->n_fields; i++) {
		if (i)
			bh_buf_addstr(out, " . ");
		field_value((enum nft_field)s->fields[i], e, out);
	}
	if (e->expires)
		bh_buf_addf(out, " timeout %llds",
			    (long long)(e->expires > now ? e->expires - now : 1));
	bh_buf_addf(out, " : \"%s\"", r->rules[e->rule].name);
}

static void map_elements(const struct nft_program *p, unsigned set, int64_t now, struct bh_buf *out)
{
	const struct entry_list *l = &p->maps[set];

	for (size_t i = 0; i < l->n; i++) {
		bh_buf_addstr(out, i ? ",\n\t\t\t     " : "\t\telements = { ");
		element_text(nft_set_info(set), p->ruleset, &l->e[i], now, out);
	}
	bh_buf_addstr(out, " }\n");
}

static void known_elements(const struct nft_program *p, unsigned family, struct bh_buf *out)
{
	char range[BH_RANGE_STR];

	for (size_t i = 0; i < p->n_known[family]; i++) {
		bh_buf_addstr(out, i ? ",\n\t\t\t     " : "\t\telements = { ");
		bh_buf_addstr(out, bh_range_format(range, &p->known[family][i]));
	}
	if (p->n_known[family])
		bh_buf_addstr(out, " }\n");
}

static void set_text(const struct nft_program *p, unsigned set, int64_t now, struct bh_buf *out)
{
	set_head(nft_set_info(set), out);
	if (set < NFT_MAPS)
		map_elements(p, set, now, out);
	else if (set < SET_DENIED)
		known_elements(p, set - SET_KNOWN, out);
	bh_buf_addstr(out, "\t}\n\n");
}

/* --- the tables ------------------------------------------------------------------------------ */

static void counters_text(const struct nft_program *p, unsigned table, struct bh_buf *out)
{
	const struct ruleset *r = p->ruleset;

	for (unsigned i = 0; i < NFT_COUNTERS; i++)
		if (nft_counter_table(i) == table && nft_program_has_counter(p, i))
			bh_buf_addf(out, "\tcounter %s {\n\t}\n\n", nft_counter_name(i));
	for (size_t i = 0; table == TABLE_INET && i < r->n_rules; i++)
		bh_buf_addf(out, "\tcounter %s {\n\t\tcomment \"%s\"\n\t}\n\n", r->rules[i].name,
			    r->rules[i].where);
}

static void devices_text(const struct nft_frames *f, struct bh_buf *out)
{
	bh_buf_addstr(out, " devices = {");
	for (size_t i = 0; i < f->n_devices; i++)
		bh_buf_addf(out, "%s \"%s\"", i ? "," : "", f->devices[i]);
	bh_buf_addstr(out, " }");
}

static void hook_text(const struct nft_program *p, unsigned chain, struct bh_buf *out)
{
	const struct nft_hook *h = nft_chain_hook(chain);

	if (!h)
		return;
	bh_buf_addf(out, "\t\ttype filter hook %s", h->name);
	if (nft_chain_table(chain) == TABLE_NETDEV)
		devices_text(p->frames, out);
	bh_buf_addf(out, " priority %d; policy drop;\n", h->priority);
}

static void chain_text(const struct nft_program *p, unsigned chain, struct bh_buf *out)
{
	bh_buf_addf(out, "\tchain %s {\n", nft_chain_name(chain));
	hook_text(p, chain, out);
	for (size_t i = 0; i < p->n_rules; i++) {
		if (p->rules[i].chain != chain)
			continue;
		bh_buf_addstr(out, "\t\t");
		nft_rule_text(&p->rules[i], out);
		bh_buf_addstr(out, "\n");
	}
	bh_buf_addstr(out, "\t}\n\n");
}

static void table_text(const struct nft_program *p, unsigned table, int64_t now, struct bh_buf *out)
{
	bh_buf_addf(out, "table %s %s {\n", table == TABLE_INET ? "inet" : "netdev",
		    NFT_TABLE_NAME);
	counters_text(p, table, out);
	for (unsigned i = 0; table == TABLE_INET && i < NFT_SETS; i++)
		if (p->has_set[i])
			set_text(p, i, now, out);
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (p->has_chain[i] && nft_chain_table(i) == table)
			chain_text(p, i, out);
	bh_buf_addstr(out, "}\n");
}

int nft_text(const struct nft_want *w, int64_t now, struct bh_buf *out)
{
	struct nft_program *p = malloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	nft_lower(w, p);
	for (unsigned t = 0; t < NFT_TABLES; t++)
		if (nft_program_has_table(p, t))
			table_text(p, t, now, out);
	free(p);
	return bh_buf_error(out);
}
