/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/ruleset.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const struct entry_list none;

struct walk {
	const struct ruleset *old, *new;
	void (*fn)(const struct ruleset_change *, void *);
	void *arg;
	size_t n;
};

static void tell(struct walk *w, bool added, enum direction d, bool guard, const struct entry *e)
{
	const struct ruleset *of = added ? w->new : w->old;
	const struct ruleset_change c = {
		.added = added,
		.guard = guard,
		.direction = d,
		.entry = e,
		.rule = &of->rules[e->rule],
	};

	w->n++;
	if (w->fn)
		w->fn(&c, w->arg);
}

/* Both are in the order of entry_cmp(). Which rule it is does not matter, whether it ends does. */
static void walk_lists(struct walk *w, enum direction d, bool guard, const struct entry_list *old,
		       const struct entry_list *new)
{
	size_t i = 0, j = 0;

	while (i < old->n || j < new->n) {
		int order = i == old->n ? 1 : j == new->n ? -1 : entry_cmp(&old->e[i], &new->e[j]);

		if (order == 0 && entry_same_end(old->e[i].expires, new->e[j].expires)) {
			i++;
			j++;
			continue;
		}
		if (order <= 0)
			tell(w, false, d, guard, &old->e[i++]);
		if (order >= 0)
			tell(w, true, d, guard, &new->e[j++]);
	}
}

size_t ruleset_diff(const struct ruleset *old, const struct ruleset *new,
		    void (*fn)(const struct ruleset_change *, void *), void *arg)
{
	struct walk w = { old, new, fn, arg, 0 };

	for (unsigned d = 0; d < DIRECTIONS; d++) {
		for (unsigned k = 0; k < ENTRY_KINDS; k++)
			walk_lists(&w, (enum direction)d, false, old ? &old->entries[d][k] : &none,
				   new ? &new->entries[d][k] : &none);
		for (unsigned k = 0; k < GUARD_KINDS; k++)
			walk_lists(&w, (enum direction)d, true, old ? &old->guards[d][k] : &none,
				   new ? &new->guards[d][k] : &none);
	}
	return w.n;
}

static void format_ports(char out[PORT_SPEC_STR], const struct entry *e)
{
	struct port_spec spec = { .proto = e->proto_lo, .lo = e->port_lo, .hi = e->port_hi };
	char name[PROTO_STR];

	if (e->proto_lo != e->proto_hi)
		snprintf(out, PORT_SPEC_STR, "any");
	else if (e->proto_lo == IPPROTO_TCP || e->proto_lo == IPPROTO_UDP ||
		 e->proto_lo == IPPROTO_SCTP || e->proto_lo == IPPROTO_ICMP ||
		 e->proto_lo == IPPROTO_ICMPV6)
		port_spec_format(out, &spec);
	else
		snprintf(out, PORT_SPEC_STR, "protocol %s", proto_name(name, e->proto_lo));
}

const char *ruleset_change_format(char out[RULESET_CHANGE_STR], const struct ruleset_change *c)
{
	char range[BH_RANGE_STR], ports[PORT_SPEC_STR];

	format_ports(ports, c->entry);
	snprintf(out, RULESET_CHANGE_STR, "%c %s %s %s %s (%s, %s)", c->added ? '+' : '-',
		 c->guard ? "deny" : "allow", direction_name(c->direction),
		 bh_range_format(range, &c->entry->addr), ports, c->rule->name, c->rule->where);
	return out;
}
