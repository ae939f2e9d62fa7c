/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/*
 * test: documents. What from: and to: name is looked up when the tests are run: a test may name
 * endpoints, which a policy set does not know.
 */

static int read_party(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct expectation *e = out;
	struct bh_prefix p;
	int r = bh_prefix_parse(n->text, &p);

	*(f->key[0] == 'f' ? &e->from_loc : &e->to_loc) = n->loc;
	if (r == -ERANGE || r == -EDOM || (r >= 0 && strchr(n->text, '/'))) {
		mistake(rd, n, "bad-party", "write one address of it, like 203.0.113.7",
			"\"%s\" takes a service, an endpoint or an address, not the prefix \"%s\"",
			f->key, SHOWN(n->text));
		return 0;
	}
	return schema_read_string(rd, f, n, out);
}

/* What a packet has: one port, or one type of ICMP. */
static bool is_one(const struct port_spec *p)
{
	if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6)
		return p->lo == p->hi || p->hi - p->lo == 255;
	return p->proto != PROTO_ANY && p->lo == p->hi;
}

static int read_port(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	static const char hint[] = "write one port, like 443/tcp, 53/udp or icmp/echo-request";
	struct expectation *e = out;
	const char *why;

	if (port_spec_parse(n->text, &e->port, &why) < 0)
		mistake(rd, n, "bad-port", hint, "bad port \"%s\": %s", SHOWN(n->text), why);
	else if (!is_one(&e->port))
		mistake(rd, n, "bad-port", hint, "\"%s\" is more than one port: \"%s\"", f->key,
			SHOWN(n->text));
	return 0;
}

static const char *const verdict_words[] = { "deny", "allow", NULL };

static int read_verdict(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct expectation *e = out;
	int word = 0;
	int r = schema_read_word(rd, f, n, &word);

	e->allow = word;
	return r;
}

/* For the JSON Schema: no prefix, and no more than one port. */
#define SHAPE_PARTY                                                                                \
	SHAPE_TEXT ",\"not\":{\"pattern\":\"^([0-9.]+|[0-9a-fA-F]*:[0-9a-fA-F:.]*)/[0-9]+$\"}"
#define SHAPE_ONE_PORT                                                                             \
	SHAPE_PORT ",\"not\":{\"anyOf\":[{\"enum\":[\"tcp\",\"udp\",\"sctp\",\"any\"]},"           \
		   "{\"pattern\":\"^[0-9]+-[0-9]\"}]}"

static const struct field expect_fields[] = {
	{ .key = "from",
	  .about = "Who sends: a service, an endpoint of --inventory, or an address",
	  .shape = SHAPE_PARTY,
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = read_party,
	  .offset = offsetof(struct expectation, from),
	  .example = "from: web" },
	{ .key = "to",
	  .about = "Who is sent to, in the same way",
	  .shape = SHAPE_PARTY,
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = read_party,
	  .offset = offsetof(struct expectation, to),
	  .example = "to: payments" },
	{ .key = "port",
	  .about = "One port, or one type of ICMP",
	  .shape = SHAPE_ONE_PORT,
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = read_port,
	  .example = "port: 8443/tcp" },
	{ .key = "verdict",
	  .about = "Of both ends and all guardrails together",
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = read_verdict,
	  .words = verdict_words,
	  .example = "verdict: allow" },
};

static const struct schema expect_schema =
	SCHEMA("an expectation", expect_fields,
	       "{from: web, to: payments, port: 8443/tcp, verdict: allow}");

static int read_expect(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct policy_test *t = out;
	struct expectation *e;
	int r = 0;

	if (!n->n)
		mistake(rd, n, "empty-test", "write {from:, to:, port:, verdict:}, or remove it",
			"a test that expects nothing passes always");
	if (!node_fits(rd, n, BH_TEST_EXPECTS_MAX, "expectations"))
		return 0;
	e = bh_arena_array(rd->arena, n->n + 1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	t->expect = e;
	for (const struct node *c = n->first; r >= 0 && c; c = c->next) {
		e[t->n_expect].loc = c->loc;
		r = schema_read(rd, &expect_schema, c, &e[t->n_expect++]);
	}
	return r;
}

static int read_name(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	if (strlen(n->text) <= BH_TEST_NAME_MAX)
		return schema_read_string(rd, f, n, out);
	mistake(rd, n, "bad-name", NULL, "the name of a test is longer than %d bytes",
		BH_TEST_NAME_MAX);
	return 0;
}

static const struct field fields[] = {
	{ .key = "test",
	  .about = "Name of the test, any text, unique in all files; the first key",
	  .shape = SHAPE_TEXT,
	  .takes = TAKES_TEXT,
	  .read = read_name,
	  .offset = offsetof(struct policy_test, name),
	  .example = "test: checkout path" },
	{ .key = "expect",
	  .about = "Flows, and whether they are to pass",
	  .of = &expect_schema,
	  .min = 1,
	  .max = BH_TEST_EXPECTS_MAX,
	  .takes = TAKES_LIST,
	  .required = true,
	  .read = read_expect,
	  .example = "expect: [{from: web, to: payments, port: 8443/tcp, verdict: allow}]" },
};

const struct schema test_schema = SCHEMA("a test", fields, NULL);

int test_read(struct set_builder *b, const struct node *root)
{
	int r;
	struct policy_test *t = set_define(b, NAME_TEST, root, &r);

	if (!t)
		return r;
	t->loc = root->first->loc;
	return schema_read(&b->rd, &test_schema, root, t);
}
