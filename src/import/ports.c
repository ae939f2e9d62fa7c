/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compose.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/limits.h>

/* "$NAME" and "${...}"; "$$" is a dollar. */
bool compose_has_variable(const char *s)
{
	for (; *s; s++) {
		if (*s != '$')
			continue;
		if (s[1] != '$')
			return true;
		s++;
	}
	return false;
}

/* The last of C in S that is outside of ${...} and [...]; NULL: there is none. */
static char *last_outside(char *s, char c)
{
	char *found = NULL;
	int depth = 0;

	for (; *s; s++) {
		if (*s == '{' || *s == '[')
			depth++;
		else if ((*s == '}' || *s == ']') && depth)
			depth--;
		else if (*s == c && !depth)
			found = s;
	}
	return found;
}

static bool is_loopback(const char *ip)
{
	return strncmp(ip, "127.", 4) == 0 || strcmp(ip, "::1") == 0 || strcmp(ip, "[::1]") == 0 ||
	       strcmp(ip, "localhost") == 0;
}

static bool same_port(const struct compose_port *a, const struct compose_port *b)
{
	if (a->unread || b->unread)
		return a->unread && b->unread && strcmp(a->unread, b->unread) == 0 &&
		       a->published == b->published;
	return a->spec.proto == b->spec.proto && a->spec.lo == b->spec.lo &&
	       a->spec.hi == b->spec.hi;
}

/* Of the same port said twice the wider one holds. */
static int add_port(struct compose_file *f, struct compose_service *s, const struct compose_port *p,
		    const yaml_node_t *n)
{
	for (size_t i = 0; i < s->n_ports; i++) {
		struct compose_port *known = &s->ports[i];

		if (!same_port(known, p))
			continue;
		known->host_only =
			(!known->published || known->host_only) && (!p->published || p->host_only);
		known->published |= p->published;
		known->unread_address |= p->unread_address;
		return 0;
	}
	if (s->n_ports == BH_COMPOSE_PORTS_MAX) {
		tree_report(&f->tree, DIAG_ERROR, n, "compose-size", NULL,
			    "more than %u ports of one service", BH_COMPOSE_PORTS_MAX);
		return -EINVAL;
	}
	s->ports[s->n_ports++] = *p;
	return 0;
}

static int bad_port(struct compose_file *f, const yaml_node_t *n, const char *text, const char *why)
{
	tree_report(&f->tree, DIAG_ERROR, n, "compose-port",
		    "write [ADDRESS:][PORT:]PORT[/PROTOCOL], like 8080:80", "bad port \"%s\": %s",
		    SHOWN(text), why);
	return -EINVAL;
}

/* "80", "3000-3005" and its protocol, of a container. ALL: what is shown of it. */
static int parse_target(struct compose_file *f, const yaml_node_t *n, const char *all,
			const char *target, const char *proto, struct compose_port *p)
{
	const char *why = "not understood";
	char text[64];

	if (compose_has_variable(target) || compose_has_variable(proto)) {
		p->unread = bh_arena_strdup(f->tree.arena, all);
		if (!p->unread)
			return -ENOMEM;
		tree_report(&f->tree, DIAG_WARNING, n, "compose-variable", COMPOSE_CONFIG,
			    "the port \"%s\" depends on a variable and could not be read",
			    SHOWN(all));
		return 0;
	}
	if (snprintf(text, sizeof(text), "%s/%s", target, proto) >= (int)sizeof(text) ||
	    strspn(target, "0123456789-") != strlen(target))
		return bad_port(f, n, all, "a port is a number from 1 to 65535");
	if (port_spec_parse(text, &p->spec, &why) < 0)
		return bad_port(f, n, all, why);
	return 0;
}

/* Of the host, on which it is published. */
static void read_address(struct compose_file *f, const yaml_node_t *n, const char *address,
			 struct compose_port *p)
{
	p->host_only = is_loopback(address);
	p->unread_address = compose_has_variable(address);
	if (p->unread_address)
		tree_report(&f->tree, DIAG_WARNING, n, "compose-variable", COMPOSE_CONFIG,
			    "the address \"%s\" depends on a variable; taken for every address",
			    SHOWN(address));
}

/* [ADDRESS:][PORT:]PORT[/PROTOCOL] */
static int read_short(struct compose_file *f, struct compose_service *s, const yaml_node_t *n,
		      bool published)
{
	struct compose_port p = { .line = tree_line(n), .published = published };
	const char *all = tree_text(&f->tree, n, published ? "a port" : "an entry of \"expose\"");
	char *text = all ? bh_arena_strdup(f->tree.arena, all) : NULL;
	char *proto, *target, *colon;
	int r;

	if (!all)
		return -EINVAL;
	if (!text)
		return -ENOMEM;
	proto = last_outside(text, '/');
	if (proto)
		*proto++ = '\0';
	target = last_outside(text, ':');
	if (target && !published)
		return bad_port(f, n, all, "only a port of the container stands here");
	if (target) {
		*target++ = '\0';
		colon = last_outside(text, ':');
		if (colon)
			*colon = '\0';
		if (colon)
			read_address(f, n, text, &p);
	}
	r = parse_target(f, n, all, target ? target : text, proto ? proto : "tcp", &p);
	return r < 0 ? r : add_port(f, s, &p, n);
}

static const char *text_or(struct compose_file *f, const struct entries *e, const char *key,
			   const char *otherwise)
{
	const yaml_node_t *n = entries_find(e, key);

	return n && !tree_is_null(n) ? tree_text(&f->tree, n, key) : otherwise;
}

/* {target: 80, published: 8080, protocol: tcp, host_ip: 127.0.0.1} */
static int read_long(struct compose_file *f, struct compose_service *s, const yaml_node_t *n)
{
	struct compose_port p = { .line = tree_line(n), .published = true };
	const char *target, *proto, *ip;
	struct entries e;
	int r = tree_map(&f->tree, n, "a port", &e);

	if (r < 0)
		return r;
	target = text_or(f, &e, "target", "");
	proto = text_or(f, &e, "protocol", "tcp");
	ip = text_or(f, &e, "host_ip", "");
	if (!target || !proto || !ip)
		return -EINVAL;
	read_address(f, n, ip, &p);
	if (!*target)
		return bad_port(f, n, "", "it has no target:");
	r = parse_target(f, n, target, target, proto, &p);
	return r < 0 ? r : add_port(f, s, &p, n);
}

int compose_read_ports(struct compose_file *f, struct compose_service *s, const yaml_node_t *n,
		       bool published)
{
	struct entries list;
	int r = tree_list(&f->tree, n, published ? "\"ports\"" : "\"expose\"", &list);

	if (!s->ports)
		s->ports = bh_arena_array(f->tree.arena, BH_COMPOSE_PORTS_MAX, sizeof(*s->ports));
	if (!s->ports)
		return -ENOMEM;
	for (size_t i = 0; r >= 0 && i < list.n; i++) {
		const yaml_node_t *port = list.e[i].value;

		r = published && port->type == YAML_MAPPING_NODE
			    ? read_long(f, s, port)
			    : read_short(f, s, port, published);
	}
	return r;
}
