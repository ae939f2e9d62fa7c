/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adviser.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* --- ends ------------------------------------------------------------------------------------ */

bool endpoint_has(const struct endpoint_set *set, uint32_t endpoint, const struct bh_addr *addr)
{
	const struct endpoint *e = &set->endpoints[endpoint];

	for (size_t i = 0; i < e->n_addrs; i++)
		if (bh_addr_cmp(&e->addrs[i], addr) == 0)
			return true;
	return false;
}

int owners_index(struct adviser *a, struct bh_err *err)
{
	const struct endpoint_set *set = a->in->endpoints;
	int r = 0;

	for (size_t i = 0; i < set->n; i++)
		for (size_t k = 0; r >= 0 && k < set->endpoints[i].n_addrs; k++)
			r = addr_index_add(&a->owners, &set->endpoints[i].addrs[k], i,
					   set->endpoints[i].netns_ino);
	addr_index_finish(&a->owners);
	return r < 0 ? bh_err_oom(err) : 0;
}

uint32_t owner_of(const struct adviser *a, const struct bh_addr *addr)
{
	const struct addr_owner *o = addr_index_find(&a->owners, addr);

	return o ? (uint32_t)o->owner : NONE;
}

const char *endpoint_called(const struct endpoint_set *set, uint32_t endpoint, char out[NAME_STR])
{
	const struct endpoint *e;

	out[0] = '\0';
	if (endpoint == NONE)
		return out;
	e = &set->endpoints[endpoint];
	return bh_escape_str(out, NAME_STR, e->name && e->name[0] ? e->name : e->id);
}

static const char *end_called(const struct adviser *a, const struct end *e, char out[NAME_STR])
{
	if (e->endpoint == NONE)
		return bh_addr_format(out, &e->party.addr);
	return endpoint_called(a->in->endpoints, e->endpoint, out);
}

const char *flow_text(struct adviser *a, const struct end *from, const struct end *to,
		      const struct port_spec *port)
{
	char one[NAME_STR], two[NAME_STR], text[PORT_SPEC_STR];

	return bh_arena_printf(a->arena, "%s -> %s %s", end_called(a, from, one),
			       end_called(a, to, two), port_spec_format(text, port));
}

/* --- what is said ---------------------------------------------------------------------------- */

static int keep_refusal(struct adviser *a, const struct advice_refusal *why, const char *record,
			const char *flow, struct bh_err *err)
{
	struct advice_refusal *r;

	if (a->refused.n == a->refused.max) {
		a->refused_more++;
		return 0;
	}
	r = bh_vec_push(&a->refused);
	if (!r)
		return bh_err_oom(err);
	*r = *why;
	r->record = bh_arena_strdup(a->arena, record);
	r->flow = bh_arena_strdup(a->arena, flow);
	r->why = bh_arena_strdup(a->arena, why->why);
	if (r->record && r->flow && r->why)
		return 0;
	a->refused.n--;
	return bh_err_oom(err);
}

int refuse(struct adviser *a, struct chosen *f, const struct advice_refusal *why,
	   struct bh_err *err)
{
	if (!why->why)
		return bh_err_oom(err);
	if (f->state == FLOW_REFUSED)
		return 0;
	f->state = FLOW_REFUSED;
	return keep_refusal(a, why, f->record, f->text, err);
}

int refuse_record(struct adviser *a, const char *record, const char *flow, const char *why,
		  struct bh_err *err)
{
	const struct advice_refusal *known = a->refused.data;
	const struct advice_refusal r = { .why = why };

	for (size_t i = 0; i < a->refused.n; i++)
		if (strcmp(known[i].flow, flow) == 0 && strcmp(known[i].why, why) == 0)
			return 0;
	return keep_refusal(a, &r, record, flow, err);
}

int refuse_for(struct adviser *a, struct chosen *f, struct bh_err *err, const char *fmt, ...)
{
	struct advice_refusal why = { 0 };
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	why.why = text;
	return refuse(a, f, &why, err);
}

int note(struct adviser *a, struct bh_err *err, const char *fmt, ...)
{
	const char **known = a->notes.data, **slot;
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < a->notes.n; i++)
		if (strcmp(known[i], text) == 0)
			return 0;
	slot = bh_vec_push(&a->notes);
	if (!slot)
		return a->notes.n == a->notes.max ? 0 : bh_err_oom(err);
	*slot = bh_arena_strdup(a->arena, text);
	if (*slot)
		return 0;
	a->notes.n--;
	return bh_err_oom(err);
}
