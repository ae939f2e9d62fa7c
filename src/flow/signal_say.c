/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signal_say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "proto.h"

#define NAME_STR  104
#define WHAT_STR  48
#define COUNT_STR 32

/* The longest sentence is well below the room for it. */
static void add(struct flow_signal *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct flow_signal *s, const char *fmt, ...)
{
	size_t len = strlen(s->reason);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->reason + len, sizeof(s->reason) - len, fmt, ap);
	va_end(ap);
}

/* --- words ---------------------------------------------------------------------------------- */

static const char *or_else(const char *a, const char *b)
{
	return a[0] ? a : b;
}

static const char *name_of(char out[NAME_STR], const struct record_end *e, const char *otherwise)
{
	const char *name = or_else(e->service, or_else(e->name, e->endpoint));
	char addr[BH_ADDR_STR];

	if (!name[0] && e->addr.family)
		name = bh_addr_format(addr, &e->addr);
	return bh_escape_str(out, NAME_STR, or_else(name, otherwise));
}

/* Both ends may be of one service. */
static void name_ends(const struct flow_record *rec, char from[NAME_STR], char to[NAME_STR])
{
	const struct record_end *a = &rec->source, *b = &rec->destination;

	name_of(from, a, "an unknown address");
	name_of(to, b, "an unknown address");
	if (strcmp(from, to) != 0 || !a->name[0] || !b->name[0])
		return;
	bh_escape_str(from, NAME_STR, a->name);
	bh_escape_str(to, NAME_STR, b->name);
}

static const char *self_of(char out[NAME_STR], const struct flow_record *rec)
{
	const char *name = or_else(
		rec->service, or_else(rec->endpoint_name, or_else(rec->endpoint_id, rec->netns)));

	return bh_escape_str(out, NAME_STR, or_else(name, "a container"));
}

/* "6379/tcp", "icmp/echo-request", "tcp without ports", "protocol 47" */
static const char *what_of(char out[WHAT_STR], const struct flow_record *rec)
{
	const struct record_end *to = &rec->destination;
	char text[PORT_SPEC_STR];
	struct port_spec spec = { .proto = rec->proto };

	spec.lo = spec.hi = rec->has_icmp ? rec->icmp_type : to->port;
	if (rec->has_icmp || to->has_port)
		snprintf(out, WHAT_STR, "%s", port_spec_format(text, &spec));
	else if (proto_has_ports(rec->proto) || proto_is_icmp(rec->proto))
		snprintf(out, WHAT_STR, "%s without ports", proto_name(text, rec->proto));
	else
		snprintf(out, WHAT_STR, "protocol %u", rec->proto);
	return out;
}

static const char *count_of(char out[COUNT_STR], uint32_t n, const char *one, const char *many)
{
	snprintf(out, COUNT_STR, "%s%u %s", n >= BH_SIGNAL_DISTINCT_MAX ? "at least " : "", n,
		 n == 1 ? one : many);
	return out;
}

static void add_packets(struct flow_signal *s)
{
	if (s->packets > s->record.packets)
		add(s, "; %" PRIu64 " packets since this was told last", s->packets);
}

/* --- sentences ------------------------------------------------------------------------------ */

static void say_first(struct flow_signal *s, const struct signal_words *w)
{
	char from[NAME_STR], to[NAME_STR], what[WHAT_STR];

	name_ends(&s->record, from, to);
	add(s, "%s was denied %s on %s for the first time%s", from, to, what_of(what, &s->record),
	    w->kept ? "" : " since this began");
}

static void say_scan(struct flow_signal *s, const struct signal_words *w)
{
	char from[NAME_STR], to[NAME_STR], ports[COUNT_STR], peers[COUNT_STR];

	name_ends(&s->record, from, to);
	count_of(ports, s->ports, "port", "ports");
	count_of(peers, s->peers, "address", "addresses");
	add(s, "%s tried ", from);
	if (s->ports)
		add(s, "%s of ", ports);
	add(s, "%s within %u s, and was denied all of it; %s", s->peers == 1 ? to : peers,
	    s->window_s, s->peers == 1 ? "this looks like a port scan" : "this looks like a scan");
}

static void say_raw(struct flow_signal *s, const struct signal_words *w)
{
	char self[NAME_STR];

	add(s,
	    "%s sent %" PRIu64 " %s by hand (a packet socket), or from an address that is not "
	    "its own, past its policy",
	    self_of(self, &s->record), s->packets,
	    s->packets == 1 ? "frame that was made" : "frames that were made");
}

static void say_into(struct flow_signal *s, const struct signal_words *w)
{
	char from[NAME_STR], to[NAME_STR], what[WHAT_STR], scope[NAME_STR];

	name_ends(&s->record, from, to);
	add(s, "%s, which is outside of scope %s, was denied %s in it on %s", from,
	    bh_escape_str(scope, sizeof(scope), s->scope), to, what_of(what, &s->record));
	add_packets(s);
}

void signal_say(struct flow_signal *s, const struct signal_words *w)
{
	static void (*const say[SIGNAL_KINDS])(struct flow_signal *,
					       const struct signal_words *) = {
		[SIGNAL_FIRST_DENIED] = say_first,
		[SIGNAL_PORT_SCAN] = say_scan,
		[SIGNAL_RAW_SOCKET] = say_raw,
		[SIGNAL_INTO_SCOPE] = say_into,
	};

	s->reason[0] = '\0';
	say[s->kind](s, w);
	if (s->record.verdict == RECORD_AUDIT)
		add(s, " (audit mode: it passed)");
	if (w->kept_back)
		add(s, "; %" PRIu64 " more of this kind were kept back", w->kept_back);
}
