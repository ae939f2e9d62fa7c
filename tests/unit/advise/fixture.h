/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_ADVISE_FIXTURE_H
#define TESTS_UNIT_ADVISE_FIXTURE_H

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/advise/advise.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/policy/policy.h>

/*
 * A site of two policy files, and endpoints by name: "web" is 10.0.0.1 with the label app: web and the
 * id shop/web. What is suggested is compared as text.
 */
struct site {
	struct policy_source sources[2];
	size_t n_sources;
	struct policy_set *policies;
	struct endpoint_set *endpoints;
	struct host_config host;
	struct advise_input in;
	struct adviser *adviser;
	struct advice advice;
	struct diag_list diags;
};

struct fixture_endpoint {
	const char *name, *app, *addr, *resolver, *id;
};

static inline struct bh_addr addr_of(const char *s)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(s, &a), 0);
	return a;
}

static inline void add_endpoint(struct endpoint_builder *b, const struct fixture_endpoint *f)
{
	struct label labels[2] = { { "app", f->app }, { "tier", f->app } };
	struct bh_addr addr = addr_of(f->addr), resolver;
	struct endpoint e = { 0 };
	struct bh_err err = BH_ERR_INIT;
	char id[64];

	snprintf(id, sizeof(id), "shop/%s", f->name);
	e.id = f->id ? f->id : id;
	e.name = f->name;
	e.runtime = ENDPOINT_INVENTORY;
	e.labels = labels;
	e.n_labels = 2;
	e.addrs = &addr;
	e.n_addrs = 1;
	if (f->resolver) {
		resolver = addr_of(f->resolver);
		e.resolvers = &resolver;
		e.n_resolvers = 1;
	}
	assert_int_equal(endpoint_builder_add(b, &e, &err), 0);
}

static inline void site_begin(struct site *s, const char *a, const char *b,
			      const struct fixture_endpoint *e, size_t n)
{
	struct endpoint_builder *builder = endpoint_builder_new();
	const struct bh_addr host = addr_of("10.9.9.9");
	struct bh_err err = BH_ERR_INIT;

	*s = (struct site) { .sources = { { "a.yaml", a, strlen(a) }, { "b.yaml", b, strlen(b) } },
			     .n_sources = 2 };
	host_config_init(&s->host);
	diag_list_init(&s->diags);
	policy_parse(s->sources, s->n_sources, &s->policies, &s->diags, &err);
	if (!s->policies)
		fail_msg("%s", s->diags.d[0].text);
	for (size_t i = 0; i < n; i++)
		add_endpoint(builder, &e[i]);
	endpoint_builder_add_host_addr(builder, &host);
	assert_int_equal(endpoint_builder_finish(builder, &s->endpoints, &err), 0);
	endpoint_builder_free(builder);
	s->in = (struct advise_input) { s->policies,  s->sources, s->n_sources,
					s->endpoints, &s->host,   1795424401 };
	if (adviser_new(&s->in, &s->adviser, &err) < 0)
		fail_msg("%s", err.msg);
}

static inline void site_end(struct site *s)
{
	adviser_free(s->adviser);
	endpoint_set_free(s->endpoints);
	policy_set_free(s->policies);
	host_config_done(&s->host);
	diag_list_done(&s->diags);
}

static inline void ask(struct site *s, const char *from, const char *to, const char *port)
{
	struct explain_party f, t;
	struct bh_err err = BH_ERR_INIT;
	struct port_spec p;
	const char *why;

	assert_int_equal(explain_party_parse(s->endpoints, from, &f, &err), 0);
	assert_int_equal(explain_party_parse(s->endpoints, to, &t, &err), 0);
	assert_int_equal(port_spec_parse(port, &p, &why), 0);
	assert_int_equal(adviser_add_flow(s->adviser, &f, &t, &p, "flow", &err), 0);
}

/* Of web's denied flow to db: what tests change is theirs. */
static inline struct flow_record record_of(enum direction d, const char *from, const char *to,
					   uint16_t port)
{
	struct flow_record r = {
		.direction = d,
		.packets = 1,
		.proto = IPPROTO_TCP,
		.destination = { .has_port = true, .port = port },
		.rule_kind = RECORD_DEFAULT_DENY,
		.logged = true,
	};
	struct record_end *near = d == DIRECTION_EGRESS ? &r.source : &r.destination;

	r.source.addr = addr_of(from);
	r.destination.addr = addr_of(to);
	strcpy(r.endpoint_id, "shop/web");
	strcpy(r.endpoint_name, "web");
	strcpy(r.service, "web");
	strcpy(near->endpoint, r.endpoint_id);
	return r;
}

static inline void add_record(struct site *s, const struct flow_record *r)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(adviser_add_record(s->adviser, r, "in:1", &err), 0);
}

static inline void advise(struct site *s)
{
	struct bh_err err = BH_ERR_INIT;

	if (adviser_advise(s->adviser, &s->advice, &err) < 0)
		fail_msg("%s", err.msg);
}

/* The new text of a file; "" when it stays. */
static inline const char *new_text(const struct site *s, const char *file)
{
	for (size_t i = 0; i < s->advice.n_files; i++)
		if (strcmp(s->advice.files[i].name, file) == 0)
			return s->advice.files[i].new;
	return "";
}

/* Exactly one refusal, whose reason has this in it, and no file that changes. */
static inline const struct advice_refusal *assert_refused(struct site *s, const char *why)
{
	advise(s);
	assert_int_equal(s->advice.n_files, 0);
	assert_int_equal(s->advice.n_refused, 1);
	if (!strstr(s->advice.refused[0].why, why))
		fail_msg("%s", s->advice.refused[0].why);
	return &s->advice.refused[0];
}

static inline void assert_noted(const struct site *s, const char *text)
{
	for (size_t i = 0; i < s->advice.n_notes; i++)
		if (strstr(s->advice.notes[i], text))
			return;
	fail_msg("nothing says %s", text);
}

#endif
