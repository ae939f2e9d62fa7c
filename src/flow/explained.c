/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/flow/explained.h>

#include <string.h>

/* All of a record that flow_explain() looks at. Bytes, compared as such: the padding is zero. */
static void key_of(const struct flow_record *rec, const struct flow_context *ctx,
		   struct flow_explained_key *k)
{
	memset(k, 0, sizeof(*k));
	k->netns_name = ctx->netns_name;
	k->ruleset = ctx->ruleset;
	k->second = rec->last_seen / 1000000;
	k->source = rec->source.addr;
	k->destination = rec->destination.addr;
	k->direction = rec->direction;
	k->verdict = rec->verdict;
	k->rule_kind = rec->rule_kind;
	k->proto = rec->proto;
	k->sport = rec->rule_kind == RECORD_REVOKED ? rec->source.port : 0;
	k->dport = rec->destination.port;
	k->icmp_type = rec->icmp_type;
	k->has_port = rec->destination.has_port;
	k->has_icmp = rec->has_icmp;
	k->has_frame = rec->has_frame;
	k->aggregated = rec->aggregated;
	k->logged = rec->logged;
	memcpy(k->interface, rec->interface, sizeof(k->interface));
}

/* The fields from the one at FROM to the one at TO, which is left out. */
static void copy_fields(struct flow_record *to, const struct flow_record *from, size_t first,
			size_t end)
{
	memcpy((char *)to + first, (const char *)from + first, end - first);
}

#define AT(field) offsetof(struct flow_record, field)

/* What flow_explain() writes: the order of the fields is that of the struct. */
static void copy_explanation(struct flow_record *to, const struct flow_record *from)
{
	_Static_assert(AT(endpoint_id) < AT(scope) && AT(scope) < AT(has_uid), "who it is");
	_Static_assert(AT(rule_name) < AT(generation) && AT(generation) < AT(packet), "and why");
	to->verdict = from->verdict;
	to->rule_kind = from->rule_kind;
	copy_fields(to, from, AT(source.endpoint), AT(destination));
	copy_fields(to, from, AT(destination.endpoint), AT(has_icmp));
	copy_fields(to, from, AT(endpoint_id), AT(has_uid));
	copy_fields(to, from, AT(rule_name), AT(packet));
}

void flow_explain_again(struct flow_explained *last, struct flow_record *rec,
			const struct flow_context *ctx)
{
	struct flow_explained_key key;

	key_of(rec, ctx, &key);
	if (last->known && memcmp(&key, &last->key, sizeof(key)) == 0) {
		copy_explanation(rec, &last->record);
		return;
	}
	flow_explain(rec, ctx);
	last->known = true;
	memcpy(&last->key, &key, sizeof(key));
	copy_explanation(&last->record, rec);
}

void flow_explained_forget(struct flow_explained *last)
{
	last->known = false;
}
