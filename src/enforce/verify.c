/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/xsk.h>

#include "judge.h"
#include "want.h"

int verify_tell(struct verify *v, const char *id, size_t endpoint, uint64_t netns, const char *fmt,
		...)
{
	struct verify_finding f = { .info = verify_find(id), .endpoint = endpoint, .netns = netns };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	v->sums->findings[f.info->severity]++;
	return v->o->found(&f, v->o->arg);
}

const char *verify_name(const struct verify *v, size_t endpoint, char out[128])
{
	return endpoint_format(out, 128, &v->site->endpoints->endpoints[endpoint]);
}

/* --- states as findings -------------------------------------------------------------------------- */

/* What is wrong with a state; NULL: nothing, or it is told by the obstacle. */
static const char *const of_state[ENDPOINT_STATES] = {
	[STATE_AUDIT] = "audit-mode",
	[STATE_GUARDED] = "guardrails-only",
	[STATE_DRIFT] = "drift",
	[STATE_MISSING] = "not-enforced",
	[STATE_SHARED] = "shared",
	[STATE_UNREACHABLE] = "unreachable",
	[STATE_HOST_NETWORK] = "host-network",
	[STATE_OFF] = "mode-off",
	[STATE_UNMANAGED] = "unmanaged",
};

static const char *of_obstacle(enum endpoint_obstacle o)
{
	static const char *const ids[] = {
		[ENDPOINT_HOLDABLE] = NULL, /* too many devices, which verify_devices() tells */
		[ENDPOINT_PRIVILEGED] = "privileged",
		[ENDPOINT_NET_ADMIN] = "net-admin",
		[ENDPOINT_RAW_SOCKETS] = "raw-sockets",
		[ENDPOINT_XDP_SOCKETS] = "raw-sockets",
		[ENDPOINT_OWN_STACK] = "own-stack",
		[ENDPOINT_NO_NETNS] = "unreachable",
		[ENDPOINT_UNREADABLE] = "unreachable",
		[ENDPOINT_HOST_NETWORK] = "host-network",
	};

	return ids[o];
}

static int report(struct verify *v, const struct endpoint_status *st)
{
	const struct endpoint *e = &v->site->endpoints->endpoints[st->endpoint];
	const char *id = st->state == STATE_WEAK ? of_obstacle(st->obstacle) : of_state[st->state];
	char who[128];
	int r = 0;

	v->seen[st->endpoint].state = st->state;
	v->seen[st->endpoint].judged = true;
	v->sums->protected += st->state == STATE_PROTECTED;
	if (v->o->status)
		r = v->o->status(st, v->o->arg);
	if (r < 0 || !id)
		return r;
	return verify_tell(
		v, id, st->endpoint, e->netns_ino, "%s: %s", verify_name(v, st->endpoint, who),
		st->why[0]                 ? st->why
		: st->state == STATE_AUDIT ? "what its policy denies is recorded, and passes"
					   : verify_find(id)->title);
}

/* --- queues ------------------------------------------------------------------------------------- */

/* As judge_table() would have gone on, had it known that nobody can open such a socket. */
static void weigh_anew(struct verify *v, const struct nft_want *want, struct endpoint_status *st)
{
	st->obstacle = ENDPOINT_HOLDABLE;
	st->why[0] = '\0';
	if (members_differ(&v->members, st->endpoint)) {
		st->state = STATE_SHARED;
		members_sentence(&v->members, st->endpoint, st->why, sizeof(st->why));
	} else if (want->ruleset->open) {
		st->state = STATE_GUARDED;
	} else {
		st->state = want->ruleset->mode == MODE_AUDIT ? STATE_AUDIT : STATE_PROTECTED;
	}
}

bool verify_is_ours(const struct verify *v, size_t endpoint)
{
	return v->o->ours && v->o->ours(v->site->endpoints->endpoints[endpoint].id, v->o->arg);
}

/* The kernel says whether they are held, the daemon by whom: a container may hold its own. */
static void weigh_queues(struct verify *v, const struct nft_want *want, struct endpoint_status *st)
{
	const struct endpoint *e = &v->site->endpoints->endpoints[st->endpoint];
	bh_autoclose int fd = -1;
	char why[BH_ERR_MAX] = "its namespace cannot be opened";

	if (st->state != STATE_WEAK || st->obstacle != ENDPOINT_XDP_SOCKETS)
		return;
	if (endpoint_netns_open(e, &fd, NULL, NULL) < 0 || !verify_queues_taken(fd, why))
		snprintf(st->why, sizeof(st->why),
			 "it may open sockets of AF_XDP (CAP_NET_RAW), whose frames pass every "
			 "table: "
			 "%.400s",
			 why);
	else if (verify_is_ours(v, st->endpoint))
		weigh_anew(v, want, st);
	else
		snprintf(st->why, sizeof(st->why),
			 "it may open sockets of AF_XDP (CAP_NET_RAW), and all queues of its "
			 "devices are "
			 "taken, but no daemon says that it holds them");
}

/* --- one namespace ------------------------------------------------------------------------------- */

bool verify_has_gone(int r)
{
	return r == -ENOENT || r == -ESTALE || r == -ESRCH || r == -ENXIO;
}

static int cannot_read(struct verify *v, int r, const struct bh_err *why,
		       struct endpoint_status *st)
{
	const struct endpoint *e = &v->site->endpoints->endpoints[st->endpoint];
	char who[128];

	judge_unreachable(&v->members, why->msg, st);
	if (!verify_has_gone(r))
		return report(v, st);
	v->seen[st->endpoint].state = st->state;
	v->seen[st->endpoint].judged = true;
	if (v->o->status && (r = v->o->status(st, v->o->arg)) < 0)
		return r;
	return verify_tell(v, "vanished", st->endpoint, e->netns_ino, "%s: %.400s",
			   verify_name(v, st->endpoint, who), why->msg);
}

static int tell_ownership(struct verify *v, size_t endpoint, const struct nft_state *have)
{
	char who[128];

	if (!v->o->daemon || !have->present || have->owned)
		return 0;
	return verify_tell(
		v, "unowned", endpoint, v->site->endpoints->endpoints[endpoint].netns_ino,
		"%s: nobody owns the tables in its namespace", verify_name(v, endpoint, who));
}

static int look_closer(struct verify *v, struct nlsock *sock, const struct nft_want *want,
		       const struct nft_state *have, const struct endpoint_status *st)
{
	int r = have->present ? verify_devices(v, st->endpoint, want, have) : 0;

	if (r >= 0)
		r = tell_ownership(v, st->endpoint, have);
	return r < 0 ? r : verify_foreign(v, st->endpoint, sock);
}

static int read_back(struct verify *v, struct endpoint_status *st)
{
	const struct endpoint *e = &v->site->endpoints->endpoints[st->endpoint];
	const struct ruleset *ruleset = site_item_of(v->site, st->endpoint)->ruleset;
	struct bh_err err = BH_ERR_INIT;
	struct nft_state have = { 0 };
	struct nft_frames frames;
	struct nft_want want;
	struct nlsock *sock;
	int r = handles_open(&v->handles, e, &sock, &frames, &err);

	if (r >= 0)
		r = nft_readback(sock, &have, &err);
	if (r < 0)
		return cannot_read(v, r, &err, st);
	want_of(ruleset, &frames, false, &want);
	judge_table(&v->members, &want, &have, st);
	weigh_queues(v, &want, st);
	v->sums->namespaces++;
	r = report(v, st);
	if (r >= 0)
		r = look_closer(v, sock, &want, &have, st);
	nft_state_done(&have);
	return r;
}

static int look_at(struct verify *v, size_t endpoint)
{
	struct endpoint_status st = { .endpoint = endpoint };

	v->sums->endpoints++;
	if (judge_endpoint(&v->members, &st))
		return report(v, &st);
	return read_back(v, &st);
}

/* --- who is looked at ---------------------------------------------------------------------------- */

static bool is_of_scope(const struct verify *v, size_t service)
{
	const char *scope = v->site->policies->services[service].scope;

	return !v->o->scope || (scope && strcmp(scope, v->o->scope) == 0);
}

static bool is_in_scope(const struct verify *v, size_t endpoint)
{
	const struct selection_list *l = &v->site->selection->services_of[endpoint];

	for (size_t i = 0; i < l->n; i++)
		if (is_of_scope(v, l->i[i]))
			return true;
	return !v->o->scope;
}

static int tell_empty_services(struct verify *v)
{
	const struct policy_set *p = v->site->policies;
	char place[512];
	int r = 0;

	for (size_t k = 0; k < p->n_services && r >= 0; k++)
		if (is_of_scope(v, k) && !v->site->selection->endpoints_of[k].n)
			r = verify_tell(
				v, "service-empty", VERIFY_NOBODY, 0,
				"service %s (%s:%u) selects nobody", p->services[k].name,
				bh_escape_str(place, sizeof(place), p->services[k].loc.file),
				p->services[k].loc.line);
	return r;
}

static int look_at_all(struct verify *v)
{
	int r = 0;

	for (size_t i = 0; i < v->site->endpoints->n && r >= 0; i++) {
		v->seen[i].in_scope = is_in_scope(v, i);
		if (v->seen[i].in_scope)
			r = look_at(v, i);
	}
	if (r >= 0 && !v->sums->namespaces)
		r = verify_tell(
			v, "nothing-checked", VERIFY_NOBODY, 0,
			"no namespace was read back%s%s: %zu %s, none of them to be held here",
			v->o->scope ? " of scope " : "", v->o->scope ? v->o->scope : "",
			v->sums->endpoints, v->sums->endpoints == 1 ? "endpoint" : "endpoints");
	return r < 0 ? r : tell_empty_services(v);
}

/* --- the whole ----------------------------------------------------------------------------------- */

static int look_at_kernel(struct verify *v)
{
	struct kernel_status k;

	if (enforce_kernel_status(&k, NULL) < 0 && !k.finding)
		return 0; /* without the right to ask: then no namespace can be read either */
	if (k.finding)
		return verify_tell(v, "kernel-unsupported", VERIFY_NOBODY, 0, "%s", k.why);
	return k.lacks[0] ? verify_tell(v, "kernel-limited", VERIFY_NOBODY, 0, "%s", k.lacks) : 0;
}

static int look_at_daemon(struct verify *v)
{
	const char *digest = v->site->policies->digest, *in_force = v->o->in_force;

	if (!v->o->daemon)
		return verify_tell(
			v, "no-daemon", VERIFY_NOBODY, 0,
			"no bulkheadd answers, or none was asked (--socket): what starts from "
			"now on is not followed");
	if (in_force && strncmp(digest, in_force, strlen(in_force)) != 0)
		return verify_tell(v, "not-in-force", VERIFY_NOBODY, 0,
				   "the daemon enforces %.16s, and the policy files are %.16s",
				   in_force, digest);
	return 0;
}

static int look(struct verify *v)
{
	int r = look_at_kernel(v);

	if (r >= 0)
		r = look_at_daemon(v);
	if (r >= 0)
		r = look_at_all(v);
	if (r >= 0)
		r = verify_neighbours(v);
	return r < 0 || v->o->given ? r : verify_unlisted(v);
}

int enforce_verify(struct site *s, const struct verify_options *o, struct verify_sums *ret,
		   struct bh_err *err)
{
	struct verify v = { .site = s, .o = o, .sums = ret, .err = err };
	int r;

	*ret = (struct verify_sums) { 0 };
	r = members_init(&v.members, s, err);
	if (r < 0)
		return r;
	handles_init(&v.handles);
	v.seen = calloc(s->endpoints->n + 1, sizeof(*v.seen));
	r = v.seen ? look(&v) : bh_err_oom(err);
	for (size_t i = 0; v.seen && i < s->endpoints->n; i++)
		free(v.seen[i].networks);
	free(v.seen);
	handles_done(&v.handles);
	members_done(&v.members);
	return r < 0 ? r : 0;
}

bool verify_passed(const struct verify_sums *s)
{
	return s->namespaces && !s->findings[VERIFY_WARNING] && !s->findings[VERIFY_ERROR];
}
