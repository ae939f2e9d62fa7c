/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit.h"

#include <string.h>
#include <sys/socket.h>

/* The two ways in which a rule is written, from the same parts. */

void edit_put_port(struct bh_buf *out, const struct port_spec *p)
{
	char text[PORT_SPEC_STR];

	bh_buf_addstr(out, port_spec_format(text, p));
}

static void put_ports(struct bh_buf *out, const struct policy_edit *e)
{
	bh_buf_addstr(out, "ports: [");
	for (size_t i = 0; i < e->n_ports; i++) {
		bh_buf_addstr(out, i ? ", " : "");
		edit_put_port(out, &e->ports[i]);
	}
	bh_buf_addstr(out, "]");
}

/* A colon in a flow mapping needs quotes, and so does the one name that YAML reads as nothing. */
static void put_peer(struct bh_buf *out, const struct peer *p)
{
	char text[BH_PREFIX_STR];
	const char *quote;

	if (p->service) {
		quote = strcmp(p->service, "null") == 0 ? "\"" : "";
		bh_buf_addf(out, "{service: %s%s%s}", quote, p->service, quote);
		return;
	}
	quote = p->cidr.addr.family == AF_INET6 ? "\"" : "";
	bh_buf_addf(out, "{cidr: %s%s%s}", quote, bh_prefix_format(text, &p->cidr), quote);
}

static void put_peers(struct bh_buf *out, const struct policy_edit *e)
{
	bh_buf_addstr(out, e->direction == DIRECTION_EGRESS ? "to: [" : "from: [");
	for (size_t i = 0; i < e->n_peers; i++) {
		bh_buf_addstr(out, i ? ", " : "");
		put_peer(out, &e->peers[i]);
	}
	bh_buf_addstr(out, "]");
}

/* What FIELD of a rule is, until a person has written it. */
static const char *stand_in(enum scope_field f, const char *fill)
{
	if (!fill)
		return POLICY_PLACEHOLDER;
	return f == SCOPE_REVIEWED ? fill : "tried";
}

/* In front of every part but the first. */
struct parts {
	const char *between;
	unsigned indent;
};

static void put_between(struct bh_buf *out, const struct parts *p)
{
	bh_buf_addf(out, "%s%*s", p->between, (int)p->indent, "");
}

static void put_body(struct bh_buf *out, const struct policy_edit *e, const char *fill,
		     const struct parts *p)
{
	put_peers(out, e);
	put_between(out, p);
	put_ports(out, e);
	for (int f = 0; f < SCOPE_FIELDS; f++) {
		if (!e->todo[f] || f == SCOPE_OWNER)
			continue;
		put_between(out, p);
		bh_buf_addf(out, "%s: %s", scope_field_name((enum scope_field)f),
			    stand_in((enum scope_field)f, fill));
	}
}

void edit_put_rule(struct bh_buf *out, const struct policy_edit *e, const struct edit_style *s)
{
	const struct parts lines = { s->eol, s->indent + s->dash };

	bh_buf_addf(out, "%*s-%*s", (int)s->indent, "", (int)s->dash - 1, "");
	put_body(out, e, s->fill, &lines);
	bh_buf_addstr(out, s->eol);
}

void edit_put_flow_rule(struct bh_buf *out, const struct policy_edit *e, const char *fill)
{
	const struct parts commas = { ", ", 0 };

	bh_buf_addstr(out, "{");
	put_body(out, e, fill, &commas);
	bh_buf_addstr(out, "}");
}

void policy_edit_text(const struct policy_edit *e, struct bh_buf *out)
{
	const struct edit_style style = { .indent = 2, .dash = 2, .eol = "\n" };

	switch (e->kind) {
	case POLICY_EDIT_PORTS:
		put_ports(out, e);
		bh_buf_addstr(out, "\n");
		break;
	case POLICY_EDIT_RULE:
		bh_buf_addf(out, "%s:\n", direction_name(e->direction));
		edit_put_rule(out, e, &style);
		break;
	case POLICY_EDIT_DNS:
		bh_buf_addstr(out, "dns: allow\n");
		break;
	case POLICY_EDIT_OWNER:
		bh_buf_addstr(out, "owner: " POLICY_PLACEHOLDER "\n");
		break;
	}
}
