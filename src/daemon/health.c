/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health.h"

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/text.h>

static const struct diag *first_error(const struct diag_list *diags)
{
	for (size_t i = 0; i < diags->n; i++)
		if (diags->d[i].severity == DIAG_ERROR)
			return &diags->d[i];
	return NULL;
}

static void format_place(char *out, size_t cap, const struct diag *d)
{
	char file[BH_ERR_MAX / 2];

	bh_escape_str(file, sizeof(file), d->file);
	if (d->line)
		snprintf(out, cap, "%s:%u:%u", file, d->line, d->column);
	else
		snprintf(out, cap, "%s", file);
}

void health_read(struct health *s, const struct diag_list *diags)
{
	const struct diag *d = first_error(diags);

	s->mistakes = (struct mistakes) { .n = diags->errors };
	if (!d)
		return;
	if (d->file)
		format_place(s->mistakes.place, sizeof(s->mistakes.place), d);
	snprintf(s->mistakes.first, sizeof(s->mistakes.first), "%s", d->text);
}

void health_accept(struct health *s, const char *policies, const char *host, int64_t now)
{
	struct policy_identity next = { 0 };

	snprintf(next.policies, sizeof(next.policies), "%s", policies);
	snprintf(next.host, sizeof(next.host), "%s", host);
	if (!s->since || !policy_identity_equal(&s->in_force, &next))
		s->since = now;
	s->in_force = next;
	health_forget_refusal(s);
}

void health_refuse(struct health *s, const struct policy_identity *of, const struct bh_err *why,
		   int64_t now)
{
	struct refusal *r = &s->refused;

	if (!r->there)
		r->since = now;
	r->there = true;
	r->of = *of;
	r->mistakes = s->mistakes;
	if (r->mistakes.n)
		return;
	r->mistakes.n = 1;
	snprintf(r->mistakes.first, sizeof(r->mistakes.first), "%s",
		 why->msg[0] ? why->msg : "they are not valid");
}

void health_forget_refusal(struct health *s)
{
	s->refused = (struct refusal) { 0 };
}

enum health_news health_compare(const struct health *s, const struct policy_identity *now)
{
	if (policy_identity_equal(&s->in_force, now))
		return HEALTH_IN_FORCE;
	if (s->refused.there && policy_identity_equal(&s->refused.of, now))
		return HEALTH_REFUSED;
	return HEALTH_NEW;
}

const char *mistakes_format(char *out, size_t cap, const struct mistakes *m, bool openly)
{
	const char *what = openly ? m->first : m->place[0] ? "" : "they cannot be taken";
	size_t len = (size_t)snprintf(out, cap, "%s%s%s", m->place,
				      m->place[0] && what[0] ? ": " : "", what);

	if (m->n > 1 && len < cap)
		snprintf(out + len, cap - len, ", and %zu more", m->n - 1);
	return out;
}
