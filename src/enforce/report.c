/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/report.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* NULL objects stay NULL: out of memory is told once, by the result. */
static void put_text(json_t *o, const char *key, const char *s)
{
	if (s[0])
		json_object_set_new(o, key, json_string(s));
}

static void put_number(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *id_of(const struct site *s, size_t endpoint)
{
	char id[256];

	return json_string(bh_escape_str(id, sizeof(id), s->endpoints->endpoints[endpoint].id));
}

static json_t *new_object(const struct site *s, size_t endpoint)
{
	char name[256], services[512];

	endpoint_format(name, sizeof(name), &s->endpoints->endpoints[endpoint]);
	return json_pack("{s:o, s:s, s:s}", "endpoint", id_of(s, endpoint), "name", name,
			 "services", site_services_of(s, endpoint, services, sizeof(services)));
}

/* --- status ---------------------------------------------------------------------------------- */

static void put_members(json_t *o, const struct site *s, const struct endpoint_status *st)
{
	json_t *others = json_array();

	for (size_t k = 0; k < st->n_members; k++)
		if (st->members[k] != st->endpoint &&
		    json_array_size(others) < BH_STATUS_MEMBERS_LISTED_MAX)
			json_array_append_new(others, id_of(s, st->members[k]));
	json_object_set_new(o, "shares_with", others);
	put_number(o, "sharers", st->n_members - 1);
}

/* What a program may want to tell apart without reading the sentence. */
static void put_reasons(json_t *o, const struct site *s, const struct endpoint_status *st)
{
	if (st->obstacle)
		put_text(o, "obstacle", endpoint_obstacle_word(st->obstacle));
	if (st->obstacle && st->obstacle_of != st->endpoint)
		json_object_set_new(o, "obstacle_of", id_of(s, st->obstacle_of));
	if (st->n_members > 1)
		put_members(o, s, st);
}

static void put_totals(json_t *o, const struct nft_totals *t)
{
	put_number(o, "denied_packets",
		   t->denied[DIRECTION_EGRESS] + t->denied[DIRECTION_INGRESS] + t->raw);
	put_number(o, "raw_packets", t->raw);
	put_number(o, "forwarded_packets", t->forwarded);
}

/* Of several digests one tells a person enough. */
static void put_image(json_t *o, const struct endpoint *e)
{
	char shown[1024];

	if (e->image)
		put_text(o, "image", bh_escape_str(shown, sizeof(shown), e->image));
	if (e->image_id)
		put_text(o, "image_id", bh_escape_str(shown, sizeof(shown), e->image_id));
	if (e->n_image_digests)
		put_text(o, "image_digest",
			 bh_escape_str(shown, sizeof(shown), e->image_digests[0]));
}

static void put_netns(json_t *o, const struct endpoint *e)
{
	char shown[4096];

	if (!e->netns || !e->netns_ino)
		return;
	put_text(o, "netns", bh_escape_str(shown, sizeof(shown), e->netns));
	put_number(o, "netns_ino", e->netns_ino);
}

json_t *report_endpoint(const struct site *s, const struct endpoint_status *st)
{
	const struct ruleset_item *item = site_item_of(s, st->endpoint);
	json_t *o = new_object(s, st->endpoint);
	char scopes[512];

	put_text(o, "state", endpoint_state_name(st->state));
	json_object_set_new(o, "finding", json_boolean(endpoint_state_is_finding(st->state)));
	put_text(o, "scope", site_scopes_of(s, st->endpoint, scopes, sizeof(scopes)));
	put_image(o, &s->endpoints->endpoints[st->endpoint]);
	put_netns(o, &s->endpoints->endpoints[st->endpoint]);
	put_text(o, "why", st->why);
	put_reasons(o, s, st);
	put_text(o, "raw_sockets", raw_sockets_name(st->raw_sockets));
	if (item) {
		put_text(o, "mode", mode_name(item->ruleset->mode));
		put_text(o, "generation", item->ruleset->generation);
	}
	put_text(o, "table_generation", st->generation);
	if (st->counted)
		put_totals(o, &st->totals);
	if (st->counted && item && item->ruleset->log_allowed)
		put_number(o, "allowed_connections",
			   st->totals.allowed[DIRECTION_EGRESS] +
				   st->totals.allowed[DIRECTION_INGRESS]);
	return o;
}

json_t *report_kernel(const struct kernel_status *k)
{
	const char *word = k->finding ? REPORT_UNSUPPORTED : k->lacks[0] ? "limited" : "supported";
	json_t *o = json_pack("{s:s, s:s, s:b}", "kernel", REPORT_KERNEL, "state", word, "finding",
			      k->finding);

	put_text(o, "why", k->why);
	put_text(o, "lacks", k->lacks);
	return o;
}

/* --- apply ----------------------------------------------------------------------------------- */

json_t *report_applied(const struct site *s, const struct apply_result *res)
{
	json_t *o = new_object(s, res->endpoint);

	put_text(o, "outcome", apply_outcome_name(res->outcome));
	put_text(o, "why", res->why);
	return o;
}

/* --- plan ------------------------------------------------------------------------------------ */

static void add_change(const struct ruleset_change *c, void *arg)
{
	char line[RULESET_CHANGE_STR];
	json_t *lines = arg;

	if (json_array_size(lines) < BH_PLAN_LINES_MAX)
		json_array_append_new(lines, json_string(ruleset_change_format(line, c)));
}

json_t *report_planned(const struct site *s, const struct plan_item *item)
{
	json_t *o = new_object(s, item->endpoint), *lines = json_array();

	put_text(o, "outcome", apply_outcome_name(item->outcome));
	put_text(o, "why", item->why);
	put_number(o, "n_changes", ruleset_diff(item->have, item->want, add_change, lines));
	json_object_set_new(o, "changes", lines);
	return o;
}
