/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/policy/edit.h>
#include <bulkhead/policy/policy.h>

/*
 * Policies that are valid, edited. Beyond not crashing: the new text is valid, says what was put in and
 * nothing else that is new, and has every comment of the old one; or the place that is in the way is told.
 */

#define SERVICES_MAX 4
#define EDITS_MAX    (SERVICES_MAX * 6)

static const struct port_spec port = { IPPROTO_TCP, 7, 7 };
static const struct peer outside = {
	.has_cidr = true,
	.cidr = { { AF_INET6, { 0x20, 1, 0xd, 0xb8 } }, 128 },
};

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

struct plan {
	struct policy_edit e[EDITS_MAX];
	struct policy_edit *edits[EDITS_MAX];
	size_t n;
};

static struct policy_edit *add(struct plan *p, enum policy_edit_kind kind, const struct service *s,
			       enum direction d)
{
	struct policy_edit *e = &p->e[p->n];

	*e = (struct policy_edit) {
		.kind = kind,
		.service = s,
		.direction = d,
		.peers = &outside,
		.n_peers = 1,
		.ports = &port,
		.n_ports = 1,
	};
	p->edits[p->n++] = e;
	return e;
}

static bool has_ports(const struct rule *r)
{
	return r->ports[0].proto != PROTO_ANY && r->n_ports < BH_PORTS_PER_RULE_MAX;
}

/* In the order in which policy_edit() is given them: what is inside first. */
static void plan_service(struct plan *p, const struct service *s)
{
	for (int d = 0; d < DIRECTIONS; d++)
		if (s->n_rules[d] && has_ports(&s->rules[d][0]))
			add(p, POLICY_EDIT_PORTS, s, (enum direction)d)->rule = &s->rules[d][0];
	for (int d = 0; d < DIRECTIONS; d++)
		if (s->n_rules[d] < BH_RULES_PER_SERVICE_MAX &&
		    !(d == DIRECTION_EGRESS && s->egress_follow))
			add(p, POLICY_EDIT_RULE, s, (enum direction)d);
	if (!s->dns)
		add(p, POLICY_EDIT_DNS, s, DIRECTION_EGRESS);
	if (!s->owner)
		add(p, POLICY_EDIT_OWNER, s, DIRECTION_EGRESS);
}

static size_t count(const char *s, size_t len, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += s[i] == c;
	return n;
}

static void check_rules(const struct service *old, const struct service *new, int d,
			const struct plan *p)
{
	size_t more = 0, ports = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->e[i].service != old || p->e[i].direction != (enum direction)d)
			continue;
		more += p->e[i].kind == POLICY_EDIT_RULE;
		ports += p->e[i].kind == POLICY_EDIT_PORTS;
	}
	must(new->n_rules[d] == old->n_rules[d] + more);
	for (size_t i = 0; i < old->n_rules[d]; i++) {
		const struct rule *a = &old->rules[d][i], *b = &new->rules[d][i];

		must(b->n_peers == a->n_peers && b->n_ports == a->n_ports + (i ? 0 : ports));
		must(!a->name == !b->name && (!a->name || strcmp(a->name, b->name) == 0));
		must(memcmp(a->ports, b->ports, a->n_ports * sizeof(*a->ports)) == 0);
	}
	if (more)
		must(new->rules[d][old->n_rules[d]].peers[0].has_cidr);
}

static void check_after(const struct policy_set *old, const struct policy_set *new,
			const struct plan *p)
{
	must(new->n_services == old->n_services &&new->n_groups == old->n_groups);
	must(new->n_guardrails == old->n_guardrails &&new->n_scopes == old->n_scopes);
	for (size_t i = 0; i < old->n_services; i++) {
		const struct service *a = &old->services[i], *b = &new->services[i];

		if (i >= SERVICES_MAX) {
			must(strcmp(a->meaning.digest, b->meaning.digest) == 0);
			continue;
		}
		must(strcmp(a->name, b->name) == 0 && b->dns && b->owner);
		for (int d = 0; d < DIRECTIONS; d++)
			check_rules(a, b, d, p);
	}
}

static void check_edit(const struct policy_set *set, const struct policy_source *src)
{
	bh_autofree struct plan *p = calloc(1, sizeof(*p));
	struct policy_source edited = { src->name, NULL, 0 };
	struct policy_set *after = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	struct bh_buf out;
	int r;

	for (size_t i = 0; p && i < set->n_services && i < SERVICES_MAX; i++)
		plan_service(p, &set->services[i]);
	if (!p || !p->n)
		return;
	bh_buf_init(&out, 64u << 20);
	diag_list_init(&diags);
	r = policy_edit(src, p->edits, p->n, "2026-11-23", &out, &err);
	must(r == 0 || r == -ENOTSUP);
	for (size_t i = 0; i < p->n; i++)
		must(r == 0 ? p->e[i].line > 0 : !p->e[i].trouble || p->e[i].trouble_line > 0);
	if (r == 0) {
		edited.data = out.data;
		edited.len = out.len;
		must(policy_parse(&edited, 1, &after, &diags, &err) == 0);
		must(count(out.data, out.len, '#') == count(src->data, src->len, '#'));
		check_after(set, after, p);
	}
	policy_set_free(after);
	diag_list_done(&diags);
	bh_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct policy_source src = { "p.yaml", (const char *)data, size };
	struct policy_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;

	diag_list_init(&diags);
	if (policy_parse(&src, 1, &set, &diags, &err) == 0)
		check_edit(set, &src);
	policy_set_free(set);
	diag_list_done(&diags);
	return 0;
}
