/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compose.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/limits.h>

/* A policy as policy_format() would write it. */

#define WIDTH 98 /* of comments, the # included */

/* Whole sentences, broken between words. */
__attribute__((format(printf, 3, 4))) static void say(struct bh_buf *out, unsigned indent,
						      const char *fmt, ...)
{
	char text[4096], *word, *rest = text;
	size_t column = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	while ((word = strsep(&rest, " ")) != NULL) {
		if (!*word)
			continue;
		if (column && column + 1 + strlen(word) > WIDTH) {
			bh_buf_addstr(out, "\n");
			column = 0;
		}
		if (!column) {
			bh_buf_addf(out, "%*s#", (int)indent, "");
			column = indent + 1;
		}
		bh_buf_addf(out, " %s", word);
		column += 1 + strlen(word);
	}
	bh_buf_addstr(out, "\n");
}

/* --- ports -------------------------------------------------------------------------------------- */

/* What images of that name usually listen on. */
static const struct {
	const char *image, *port;
} usual[] = {
	{ "postgres", "5432/tcp" },      { "postgresql", "5432/tcp" }, { "mysql", "3306/tcp" },
	{ "mariadb", "3306/tcp" },       { "redis", "6379/tcp" },      { "valkey", "6379/tcp" },
	{ "mongo", "27017/tcp" },        { "rabbitmq", "5672/tcp" },   { "memcached", "11211/tcp" },
	{ "nginx", "80/tcp" },           { "httpd", "80/tcp" },        { "caddy", "80/tcp" },
	{ "elasticsearch", "9200/tcp" }, { "nats", "4222/tcp" },       { "minio", "9000/tcp" },
};

static const char *usual_port(const char *image)
{
	const char *slash = image ? strrchr(image, '/') : NULL;
	const char *name = slash ? slash + 1 : image;
	size_t len = name ? strcspn(name, ":@") : 0;

	for (size_t i = 0; name && i < BH_ARRAY_SIZE(usual); i++)
		if (strlen(usual[i].image) == len && memcmp(usual[i].image, name, len) == 0)
			return usual[i].port;
	return NULL;
}

/* Those that WANTED takes; false: there are none. One line each where they are too many for one. */
static bool put_ports(struct bh_buf *out, const struct compose_service *s,
		      bool (*wanted)(const struct compose_port *p))
{
	char text[PORT_SPEC_STR];
	size_t width = strlen("    ports: []"), n = 0;

	for (size_t i = 0; i < s->n_ports; i++)
		if (wanted(&s->ports[i])) {
			width += strlen(port_spec_format(text, &s->ports[i].spec)) + (n ? 2 : 0);
			n++;
		}
	if (!n)
		return false;
	bh_buf_addstr(out, width <= 100 ? "    ports: [" : "    ports:\n");
	for (size_t i = 0, k = 0; i < s->n_ports; i++) {
		if (!wanted(&s->ports[i]))
			continue;
		port_spec_format(text, &s->ports[i].spec);
		if (width <= 100)
			bh_buf_addf(out, "%s%s", k ? ", " : "", text);
		else
			bh_buf_addf(out, "      - %s\n", text);
		k++;
	}
	bh_buf_addstr(out, width <= 100 ? "]\n" : "");
	return true;
}

static bool is_known(const struct compose_port *p)
{
	return !p->unread;
}

static bool is_for_all(const struct compose_port *p)
{
	return !p->unread && p->published && !p->host_only;
}

static bool is_somewhere(const struct compose_port *p)
{
	return !p->unread && p->unread_address;
}

static bool is_for_host(const struct compose_port *p)
{
	return !p->unread && p->published && p->host_only;
}

static bool has(const struct compose_service *s, bool (*wanted)(const struct compose_port *p))
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (wanted(&s->ports[i]))
			return true;
	return false;
}

/* Why a rule to S has the ports that it has. */
static void say_ports(const struct compose_file *f, const struct compose_service *s,
		      struct bh_buf *out)
{
	const char *port = usual_port(s->image);

	if (has(s, is_known)) {
		say(out, 2,
		    "The ports are those of ports: and expose: of %s. Review them: the file "
		    "need not name a port that only other containers use.",
		    s->name);
		return;
	}
	if (port)
		say(out, 2,
		    "%s does not say on which port %s listens, so any port is allowed. Its image "
		    "usually listens on one: write ports: [%s] here and at the other end if it "
		    "does.",
		    f->base, s->name, port);
	else
		say(out, 2,
		    "%s does not say on which port %s listens, so any port is allowed. Name it "
		    "here "
		    "and at the other end, as in ports: [8080/tcp].",
		    f->base, s->name);
}

static void say_unread(const struct compose_file *f, const struct compose_service *s,
		       struct bh_buf *out)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i].unread)
			say(out, 0,
			    "The port \"%s\" (%s:%u) depends on a variable and could not be "
			    "read: nothing below is about it. Add it.",
			    SHOWN(s->ports[i].unread), f->base, s->ports[i].line);
}

/* --- in ----------------------------------------------------------------------------------------- */

static const struct compose_need *need_of(const struct compose_file *f, size_t who, size_t whom)
{
	const struct compose_service *s = &f->services[who];

	for (size_t i = 0; i < s->n_needs; i++)
		if (s->needs[i].service == whom)
			return &s->needs[i];
	return NULL;
}

static void put_published(const struct compose_service *s, struct bh_buf *out)
{
	if (has(s, is_for_all)) {
		say(out, 2,
		    "ports: publishes these on every address of the host: the world comes in, "
		    "and what the host itself and Docker's proxy send. Narrow it with cidr: if "
		    "you know who calls.");
		if (has(s, is_somewhere))
			say(out, 2,
			    "The address of one of them depends on a variable and could not be "
			    "read; "
			    "if it is a loopback address, remove {entity: world}.");
		bh_buf_addstr(out, "  - name: published\n"
				   "    from: [{entity: world}, {entity: host}]\n");
		put_ports(out, s, is_for_all);
	}
	if (has(s, is_for_host)) {
		say(out, 2,
		    "ports: publishes these on a loopback address: only the host comes in.");
		bh_buf_addstr(out, "  - name: published-on-host\n    from: [{entity: host}]\n");
		put_ports(out, s, is_for_host);
	}
}

static size_t count_callers(const struct compose_file *f, size_t at)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct compose_need *need = need_of(f, i, at);

		n += need && need->reachable;
	}
	return n;
}

static void put_callers(const struct compose_file *f, size_t at, struct bh_buf *out)
{
	if (!count_callers(f, at))
		return;
	say(out, 2, "These say that they need it, and share a network with it.");
	say_ports(f, &f->services[at], out);
	bh_buf_addstr(out, "  - name: needed-by\n    from:\n");
	for (size_t i = 0; i < f->n; i++) {
		const struct compose_need *need = need_of(f, i, at);

		if (need && need->reachable)
			bh_buf_addf(out, "      - service: %s  # %s, %s:%u\n",
				    f->services[i].policy, need->how, f->base, need->line);
	}
	put_ports(out, &f->services[at], is_known);
}

/* Who could have called it before, and nothing says that it does. Not a word on larger crowds. */
static void say_neighbours(const struct compose_file *f, size_t at, struct bh_buf *out)
{
	struct bh_buf names;
	size_t n = 0;

	bh_buf_init(&names, BH_COMPOSE_POLICY_MAX);
	for (size_t i = 0; i < f->n; i++) {
		if (i == at || need_of(f, i, at) ||
		    !compose_shared_network(&f->services[i], &f->services[at]))
			continue;
		if (n++ < 8)
			bh_buf_addf(&names, "%s%s", n > 1 ? ", " : "", f->services[i].name);
	}
	if (n > 8)
		bh_buf_addf(&names, " and %zu more", n - 8);
	if (n)
		say(out, 0,
		    "Without a policy %s could connect to it as well, on a network that they "
		    "share; nothing in %s says that they do, so they are not let in.",
		    bh_buf_str(&names), f->base);
	bh_buf_done(&names);
}

static void put_ingress(const struct compose_file *f, size_t at, struct bh_buf *out)
{
	const struct compose_service *s = &f->services[at];

	bh_buf_addstr(out, "\n");
	say_unread(f, s, out);
	say_neighbours(f, at, out);
	if (!has(s, is_for_all) && !has(s, is_for_host) && !count_callers(f, at)) {
		say(out, 0,
		    "Nothing says that anybody connects to it: it publishes no port%s, and no "
		    "other service names it in depends_on: or links:.",
		    s->n_ports ? " that could be read" : "");
		bh_buf_addstr(out, "ingress: []\n");
		return;
	}
	bh_buf_addstr(out, "ingress:\n");
	put_published(s, out);
	put_callers(f, at, out);
}

/* --- out ---------------------------------------------------------------------------------------- */

static bool put_egress(const struct compose_file *f, const struct compose_service *s,
		       struct bh_buf *out)
{
	size_t n = 0;

	bh_buf_addstr(out, "\n");
	for (size_t i = 0; i < s->n_needs; i++) {
		n += s->needs[i].reachable;
		if (!s->needs[i].reachable)
			say(out, 0,
			    "%s (%s:%u) names %s, but the two share no network: no way is "
			    "opened.",
			    s->needs[i].how, f->base, s->needs[i].line,
			    f->services[s->needs[i].service].name);
	}
	if (s->external_links)
		say(out, 0,
		    "external_links: names containers of other projects. Allow them, as in "
		    "- to: [{service: NAME}].");
	say(out, 0,
	    "%s does not say what it sends outside of this project, so that is not allowed. If it "
	    "needs updates or other people's servers, add them, as in - to: [{entity: world}] "
	    "with ports: [443/tcp].",
	    f->base);
	bh_buf_addstr(out, n ? "egress:\n" : "egress: []\n");
	for (size_t i = 0; i < s->n_needs; i++) {
		const struct compose_service *other = &f->services[s->needs[i].service];

		if (!s->needs[i].reachable)
			continue;
		say(out, 2, "%s, %s:%u.", s->needs[i].how, f->base, s->needs[i].line);
		say_ports(f, other, out);
		bh_buf_addf(out, "  - to: [{service: %s}]\n", other->policy);
		put_ports(out, other, is_known);
	}
	return n > 0;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void say_mode(const struct compose_service *s, struct bh_buf *out)
{
	const char *mode = s->network_mode;

	if (!mode || strcmp(mode, "bridge") == 0)
		return;
	bh_buf_addstr(out, "#\n");
	if (strcmp(mode, "host") == 0)
		say(out, 0,
		    "It has network_mode: host, so it is in the network namespace of the host: "
		    "no policy can hold it. bulkhead status says so.");
	else if (strcmp(mode, "none") == 0)
		say(out, 0, "It has network_mode: none: there is nobody that it could talk to.");
	else
		say(out, 0,
		    "It has network_mode: %s, so it shares a network namespace with another "
		    "container, and what either may do holds for both.",
		    SHOWN(mode));
}

void compose_write(const struct compose_file *f, const struct compose_service *s,
		   struct bh_buf *out)
{
	size_t at = (size_t)(s - f->services);

	say(out, 0,
	    "To begin with, made by bulkhead init from the service %s (%s:%u) of the project %s. "
	    "In audit mode nothing is dropped; what would be is recorded: bulkhead denied "
	    "--service %s. Review what follows, and when the records are quiet, write mode: "
	    "enforce.",
	    s->name, f->base, s->line, f->project, s->policy);
	say_mode(s, out);
	bh_buf_addf(out, "service: %s\nselect:\n  compose: %s/%s\nmode: audit\n", s->policy,
		    f->project, s->name);
	put_ingress(f, at, out);
	if (put_egress(f, s, out)) {
		bh_buf_addstr(out, "\n");
		say(out, 0, "It finds the others by their names.");
		bh_buf_addstr(out, "dns: allow\n");
	}
}
