/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/flowspec.h>

static void test_names(void **state)
{
	char out[PROTO_STR];

	assert_string_equal(direction_name(DIRECTION_EGRESS), "egress");
	assert_string_equal(direction_name(DIRECTION_INGRESS), "ingress");
	assert_string_equal(mode_name(MODE_ENFORCE), "enforce");
	assert_string_equal(mode_name(MODE_AUDIT), "audit");
	assert_string_equal(mode_name(MODE_OFF), "off");
	assert_string_equal(proto_name(out, IPPROTO_TCP), "tcp");
	assert_string_equal(proto_name(out, IPPROTO_UDP), "udp");
	assert_string_equal(proto_name(out, IPPROTO_SCTP), "sctp");
	assert_string_equal(proto_name(out, IPPROTO_ICMP), "icmp");
	assert_string_equal(proto_name(out, IPPROTO_ICMPV6), "icmpv6");
	assert_string_equal(proto_name(out, PROTO_ANY), "any");
	assert_string_equal(proto_name(out, 47), "47");
	assert_string_equal(proto_name(out, 0), "0");
	assert_string_equal(proto_name(out, UINT16_MAX), "65535");
}

/* --- what a `ports:` entry says ------------------------------------------------------------- */

struct spec_case {
	const char *text;
	struct port_spec spec;
	const char *canonical;
};

static const struct spec_case good[] = {
	{ "443/tcp", { IPPROTO_TCP, 443, 443 }, "443/tcp" },
	{ "443", { IPPROTO_TCP, 443, 443 }, "443/tcp" },
	{ "8000-8080/tcp", { IPPROTO_TCP, 8000, 8080 }, "8000-8080/tcp" },
	{ "8000-8080", { IPPROTO_TCP, 8000, 8080 }, "8000-8080/tcp" },
	{ "80-80", { IPPROTO_TCP, 80, 80 }, "80/tcp" },
	{ "1", { IPPROTO_TCP, 1, 1 }, "1/tcp" },
	{ "65535", { IPPROTO_TCP, 65535, 65535 }, "65535/tcp" },
	{ "1-65535", { IPPROTO_TCP, 1, 65535 }, "1-65535/tcp" },
	{ "53/udp", { IPPROTO_UDP, 53, 53 }, "53/udp" },
	{ "9/sctp", { IPPROTO_SCTP, 9, 9 }, "9/sctp" },
	{ "1000-2000/sctp", { IPPROTO_SCTP, 1000, 2000 }, "1000-2000/sctp" },
	{ "tcp", { IPPROTO_TCP, 0, 65535 }, "tcp" },
	{ "udp", { IPPROTO_UDP, 0, 65535 }, "udp" },
	{ "sctp", { IPPROTO_SCTP, 0, 65535 }, "sctp" },
	{ "any", { PROTO_ANY, 0, 65535 }, "any" },
	{ "icmp", { IPPROTO_ICMP, 0, 255 }, "icmp" },
	{ "icmpv6", { IPPROTO_ICMPV6, 0, 255 }, "icmpv6" },
	{ "icmp/echo-request", { IPPROTO_ICMP, 8, 8 }, "icmp/echo-request" },
	{ "icmp/8", { IPPROTO_ICMP, 8, 8 }, "icmp/echo-request" },
	{ "icmp/0", { IPPROTO_ICMP, 0, 0 }, "icmp/echo-reply" },
	{ "icmp/255", { IPPROTO_ICMP, 255, 255 }, "icmp/255" },
	{ "icmp/128", { IPPROTO_ICMP, 128, 128 }, "icmp/128" },
	{ "icmpv6/echo-request", { IPPROTO_ICMPV6, 128, 128 }, "icmpv6/echo-request" },
	{ "icmpv6/8", { IPPROTO_ICMPV6, 8, 8 }, "icmpv6/8" },
	{ "icmpv6/nd-neighbor-solicit",
	  { IPPROTO_ICMPV6, 135, 135 },
	  "icmpv6/nd-neighbor-solicit" },
	{ "icmpv6/mld-listener-reduction",
	  { IPPROTO_ICMPV6, 132, 132 },
	  "icmpv6/mld-listener-done" },
};

static void test_parse(void **state)
{
	char out[PORT_SPEC_STR];

	for (size_t i = 0; i < BH_ARRAY_SIZE(good); i++) {
		struct port_spec p = { 0 }, again = { 0 };
		const char *why;

		if (port_spec_parse(good[i].text, &p, &why) < 0)
			fail_msg("%s: %s", good[i].text, why);
		assert_memory_equal(&p, &good[i].spec, sizeof(p));
		assert_ptr_equal(port_spec_format(out, &p), out);
		assert_string_equal(out, good[i].canonical);
		assert_int_equal(port_spec_parse(out, &again, &why), 0);
		assert_memory_equal(&again, &p, sizeof(p));
	}
}

static void test_parse_refuses(void **state)
{
	static const struct {
		const char *text;
		int r;
	} bad[] = {
		{ "", -EINVAL },
		{ "/", -EINVAL },
		{ "/tcp", -EINVAL },
		{ "443/", -EINVAL },
		{ "-", -EINVAL },
		{ "80-", -EINVAL },
		{ "-80", -EINVAL },
		{ "80-90-100", -EINVAL },
		{ "80--90", -EINVAL },
		{ "+80", -EINVAL },
		{ "80 ", -EINVAL },
		{ " 80", -EINVAL },
		{ "80 /tcp", -EINVAL },
		{ "80/ tcp", -EINVAL },
		{ "80:90", -EINVAL },
		{ "80,90", -EINVAL },
		{ "0x50", -EINVAL },
		{ "http", -EINVAL },
		{ "80/TCP", -EINVAL },
		{ "TCP", -EINVAL },
		{ "80/dccp", -EINVAL },
		{ "80/6", -EINVAL },
		{ "80/icmp", -EINVAL },
		{ "80/any", -EINVAL },
		{ "any/80", -EINVAL },
		{ "tcp/443", -EINVAL },
		{ "80/tcp/udp", -EINVAL },
		{ "icmp/", -EINVAL },
		{ "icmp/ping", -EINVAL },
		{ "icmp/packet-too-big", -EINVAL }, /* of ICMPv6 */
		{ "icmpv6/redirect", -EINVAL },     /* of ICMP */
		{ "icmp/8-9", -EINVAL },
		{ "icmp/-1", -EINVAL },
		{ "*", -EINVAL },
		{ "\x1b[0m", -EINVAL },
		{ "99999999999999999999999999999999999999999999999999999999999999/tcp", -EINVAL },
		{ "9999999999999999999999999999999999999999999999999999999999999999", -EINVAL },
		{ "0", -ERANGE },
		{ "0/tcp", -ERANGE },
		{ "0-80/tcp", -ERANGE },
		{ "70000", -ERANGE },
		{ "65536/udp", -ERANGE },
		{ "1-65536/tcp", -ERANGE },
		{ "99999999999999999999/tcp", -ERANGE },
		{ "icmp/256", -ERANGE },
		{ "icmpv6/99999999999999999999", -ERANGE },
		{ "8080-8000", -EDOM },
		{ "65535-1/sctp", -EDOM },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++) {
		const char *why = NULL;
		struct port_spec p;

		if (port_spec_parse(bad[i].text, &p, &why) != bad[i].r)
			fail_msg("not refused as it should be: '%s'", bad[i].text);
		assert_non_null(why);
		assert_true(strlen(why) > 5 && strlen(why) < 80);
	}
}

/* The few words are about what is wrong. */
static void test_why(void **state)
{
	static const char *const pairs[][2] = {
		{ "70000", "a port is a number from 1 to 65535" },
		{ "8080-8000", "the range is reversed" },
		{ "icmp/256", "an ICMP type is a number from 0 to 255" },
		{ "tcp/443", "the port comes first, as in 443/tcp" },
		{ "80/dccp", "the protocol behind a port is tcp, udp or sctp" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(pairs); i++) {
		const char *why = NULL;
		struct port_spec p;

		assert_true(port_spec_parse(pairs[i][0], &p, &why) < 0);
		assert_string_equal(why, pairs[i][1]);
	}
}

/* Every port, every ICMP type and many ranges come back from their spelling. */
static void test_format_round_trip(void **state)
{
	static const uint16_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	char out[PORT_SPEC_STR];
	struct port_spec p, again;
	const char *why;

	srandom(17);
	for (unsigned i = 0; i < 65535 + 2 * 256 + 20000; i++) {
		if (i < 65535)
			p = (struct port_spec) { protos[i % 3], (uint16_t)(i + 1),
						 (uint16_t)(i + 1) };
		else if (i < 65535 + 512)
			p = (struct port_spec) { i % 2 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
						 (uint8_t)((i - 65535) / 2),
						 (uint8_t)((i - 65535) / 2) };
		else
			p = (struct port_spec) { protos[i % 3], (uint16_t)(1 + random() % 30000),
						 (uint16_t)(30001 + random() % 35535) };
		assert_int_equal(port_spec_parse(port_spec_format(out, &p), &again, &why), 0);
		assert_memory_equal(&again, &p, sizeof(p));
	}
}

static void test_contains(void **state)
{
	static const struct port_spec any = { PROTO_ANY, 0, 65535 };

	for (size_t i = 0; i < BH_ARRAY_SIZE(good); i++) {
		const struct port_spec *p = &good[i].spec;

		if (p->proto == PROTO_ANY)
			continue;
		assert_true(port_spec_contains(p, p->proto, p->lo));
		assert_true(port_spec_contains(p, p->proto, p->hi));
		assert_int_equal(port_spec_contains(p, p->proto, 0), p->lo == 0);
		if (p->lo > 0)
			assert_false(port_spec_contains(p, p->proto, (uint16_t)(p->lo - 1)));
		if (p->hi < 65535)
			assert_false(port_spec_contains(p, p->proto, (uint16_t)(p->hi + 1)));
		assert_false(port_spec_contains(p, 47, p->lo));
		assert_false(port_spec_contains(
			p, p->proto == IPPROTO_TCP ? IPPROTO_UDP : IPPROTO_TCP, p->lo));
	}
	for (uint16_t proto = 0; proto < 256; proto++)
		assert_true(port_spec_contains(&any, proto, (uint16_t)(proto * 257)));
}

/* --- ICMP ----------------------------------------------------------------------------------- */

/* `nft describe icmp_type` and `nft describe icmpv6_type` */
static const struct {
	uint8_t type;
	const char *name;
} icmp[] = {
	{ 0, "echo-reply" },	      { 3, "destination-unreachable" },
	{ 4, "source-quench" },	      { 5, "redirect" },
	{ 8, "echo-request" },	      { 9, "router-advertisement" },
	{ 10, "router-solicitation" }, { 11, "time-exceeded" },
	{ 12, "parameter-problem" },  { 13, "timestamp-request" },
	{ 14, "timestamp-reply" },    { 15, "info-request" },
	{ 16, "info-reply" },	      { 17, "address-mask-request" },
	{ 18, "address-mask-reply" },
}, icmpv6[] = {
	{ 1, "destination-unreachable" }, { 2, "packet-too-big" },
	{ 3, "time-exceeded" },		  { 4, "parameter-problem" },
	{ 128, "echo-request" },	  { 129, "echo-reply" },
	{ 130, "mld-listener-query" },	  { 131, "mld-listener-report" },
	{ 132, "mld-listener-done" },	  { 133, "nd-router-solicit" },
	{ 134, "nd-router-advert" },	  { 135, "nd-neighbor-solicit" },
	{ 136, "nd-neighbor-advert" },	  { 137, "nd-redirect" },
	{ 138, "router-renumbering" },	  { 141, "ind-neighbor-solicit" },
	{ 142, "ind-neighbor-advert" },	  { 143, "mld2-listener-report" },
};

static void test_icmp_names(void **state)
{
	size_t i = 0, j = 0;

	for (unsigned t = 0; t < 256; t++) {
		const char *v4 = icmp_type_name(IPPROTO_ICMP, (uint8_t)t);
		const char *v6 = icmp_type_name(IPPROTO_ICMPV6, (uint8_t)t);

		if (i < BH_ARRAY_SIZE(icmp) && icmp[i].type == t) {
			assert_non_null(v4);
			assert_string_equal(v4, icmp[i++].name);
		} else {
			assert_null(v4);
		}
		if (j < BH_ARRAY_SIZE(icmpv6) && icmpv6[j].type == t) {
			assert_non_null(v6);
			assert_string_equal(v6, icmpv6[j++].name);
		} else {
			assert_null(v6);
		}
	}
	assert_int_equal(i, BH_ARRAY_SIZE(icmp));
	assert_int_equal(j, BH_ARRAY_SIZE(icmpv6));
}

/* The requests that conntrack tracks, and their replies: nothing else begins a flow. */
static void test_icmp_replies(void **state)
{
	static const struct {
		uint16_t proto;
		uint8_t request, reply;
	} pairs[] = {
		{ IPPROTO_ICMP, 8, 0 },       { IPPROTO_ICMP, 13, 14 },
		{ IPPROTO_ICMP, 15, 16 },     { IPPROTO_ICMP, 17, 18 },
		{ IPPROTO_ICMPV6, 128, 129 }, { IPPROTO_ICMPV6, 139, 140 },
	};
	static const uint16_t protos[] = { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP };

	for (size_t p = 0; p < BH_ARRAY_SIZE(protos); p++)
		for (unsigned t = 0; t < 256; t++) {
			bool request = false, reply = false;
			uint8_t expect = 0, got = 77;

			for (size_t i = 0; i < BH_ARRAY_SIZE(pairs); i++) {
				if (pairs[i].proto != protos[p])
					continue;
				reply |= pairs[i].reply == t;
				if (pairs[i].request == t)
					request = true, expect = pairs[i].reply;
			}
			if (icmp_reply_type(protos[p], (uint8_t)t, &got) != request)
				fail_msg("protocol %u, request %u", protos[p], t);
			if (request)
				assert_int_equal(got, expect);
			if (icmp_is_reply(protos[p], (uint8_t)t) != reply)
				fail_msg("protocol %u, reply %u", protos[p], t);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_why),
		cmocka_unit_test(test_format_round_trip),
		cmocka_unit_test(test_contains),
		cmocka_unit_test(test_icmp_names),
		cmocka_unit_test(test_icmp_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
