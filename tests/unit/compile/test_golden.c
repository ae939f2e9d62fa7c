/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/buf.h>
#include <bulkhead/base/text.h>

#include "fixture.h"

/*
 * A small shop, compiled and written out whole, against tests/golden/shop.rules: what changes
 * there changes in kernels. BULKHEAD_WRITE_GOLDEN=1 writes the file anew; read the diff. Run from
 * the top of the tree.
 */

#define GOLDEN "tests/golden/shop.rules"

static void build(struct fx *f)
{
	struct service *edge, *pay, *mon;
	struct endpoint *e;
	struct rule *r;

	fx_init(f);
	e = fx_endpoint(f, "shop/edge", "app=edge", "10.77.1.1,fd77::1");
	e->resolvers = fx_addrs(f, "10.77.0.53", &e->n_resolvers);
	fx_endpoint(f, "shop/mon", "app=mon", "10.77.1.9");
	fx_endpoint(f, "shop/pay-1", "app=pay", "10.77.1.2,fd77::2");
	fx_endpoint(f, "shop/pay-2", "app=pay", "10.77.1.3");
	fx_host_addrs(f, "10.77.1.254");
	fx_group(f, "acquirers", "203.0.113.0/24,2001:db8:acc::/48,192.0.2.7/32");
	edge = fx_service(f, "edge");
	pay = fx_service(f, "pay");
	mon = fx_service(f, "mon");
	edge->dns = true;
	edge->on_deny = ON_DENY_REJECT;
	fx_peer_entity(fx_rule(f, edge, DIRECTION_INGRESS, "customers", "443/tcp"), ENTITY_WORLD);
	fx_peer_entity(fx_rule(f, edge, DIRECTION_INGRESS, "ping",
			       "icmp/echo-request,icmpv6/echo-request"),
		       ENTITY_WORLD);
	fx_peer_service(fx_rule(f, edge, DIRECTION_EGRESS, NULL, "8443/tcp"), "pay");
	fx_peer_service(fx_rule(f, pay, DIRECTION_INGRESS, "checkout", "8443/tcp"), "edge");
	r = fx_rule(f, pay, DIRECTION_INGRESS, "scrape", "9090/tcp,icmp");
	fx_peer_service(r, "mon");
	fx_peer(fx_rule(f, pay, DIRECTION_EGRESS, "settle", "8443/tcp"))->group = "acquirers";
	r = fx_rule(f, pay, DIRECTION_EGRESS, "migration", "8000-9000/tcp,53/udp");
	fx_peer_cidr(f, r, "203.0.113.128/25", "203.0.113.192/26");
	r->expires = 1800000000;
	fx_peer_entity(fx_rule(f, pay, DIRECTION_EGRESS, "agent", "any"), ENTITY_HOST);
	mon->mode = MODE_AUDIT;
	mon->egress_follow = true;
	mon->log_denied = false;
}

static void dump_entry(struct bh_buf *b, const struct ruleset *r, const struct entry *e)
{
	char range[BH_RANGE_STR];

	bh_buf_addf(b, "    %s proto %u-%u port %u-%u -> %s", bh_range_format(range, &e->addr),
		    e->proto_lo, e->proto_hi, e->port_lo, e->port_hi, r->rules[e->rule].name);
	if (e->expires)
		bh_buf_addf(b, " until %lld", (long long)e->expires);
	bh_buf_addstr(b, "\n");
}

static void dump(struct bh_buf *b, const struct ruleset *r)
{
	static const char *const kinds[] = { "exact",      "host",  "icmp",      "range",
					     "icmp-range", "world", "world-icmp" };
	char range[BH_RANGE_STR];

	bh_buf_addf(b, "endpoint %s services %s generation %s %s %s%s\n", r->endpoint, r->services,
		    r->generation, mode_name(r->mode),
		    r->on_deny == ON_DENY_REJECT ? "reject" : "drop", r->log_denied ? " log" : "");
	for (int d = 0; d < DIRECTIONS; d++)
		bh_buf_addf(b, "  default-deny %s %s\n", direction_name((enum direction)d),
			    r->deny_where[d]);
	for (size_t i = 0; i < r->n_rules; i++)
		bh_buf_addf(b, "  rule %s %s\n", r->rules[i].name, r->rules[i].where);
	for (int d = 0; d < DIRECTIONS; d++) {
		for (int k = 0; k < ENTRY_KINDS; k++) {
			if (r->entries[d][k].n)
				bh_buf_addf(b, "  %s %s\n", direction_name((enum direction)d),
					    kinds[k]);
			for (size_t i = 0; i < r->entries[d][k].n; i++)
				dump_entry(b, r, &r->entries[d][k].e[i]);
		}
	}
	for (size_t i = 0; i < r->n_known; i++)
		bh_buf_addf(b, "  known %s\n", bh_range_format(range, &r->known[i]));
}

static void write_golden(const struct bh_buf *b)
{
	FILE *out = fopen(GOLDEN, "we");

	assert_non_null(out);
	assert_int_equal(fwrite(b->data, 1, b->len, out), b->len);
	assert_int_equal(fclose(out), 0);
}

static void test_shop(void **state)
{
	struct bh_buf b;
	struct fx f;
	char *golden;
	size_t len;

	build(&f);
	fx_compile(&f);
	bh_buf_init(&b, 1 << 20);
	for (size_t i = 0; i < f.list->n; i++)
		dump(&b, f.list->items[i].ruleset);
	assert_int_equal(bh_buf_error(&b), 0);
	if (getenv("BULKHEAD_WRITE_GOLDEN"))
		write_golden(&b);
	if (bh_read_file(GOLDEN, 1 << 20, &golden, &len) < 0)
		fail_msg("cannot read " GOLDEN " (run from the top of the tree)");
	assert_string_equal(bh_buf_str(&b), golden);
	free(golden);
	bh_buf_done(&b);
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
