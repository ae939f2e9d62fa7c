/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/text.h>

#include "want.h"
#include "xdp.h"

static const struct {
	const char *name;
	bool finding;
} states[] = {
	[STATE_PROTECTED] = { "protected", false },
	[STATE_AUDIT] = { "audit", false },
	[STATE_GUARDED] = { "guarded", false },
	[STATE_DRIFT] = { "drift", true },
	[STATE_MISSING] = { "unprotected", true },
	[STATE_WEAK] = { "weak", true },
	[STATE_SHARED] = { "shared", true },
	[STATE_UNREACHABLE] = { "unreachable", true },
	[STATE_HOST_NETWORK] = { "host-network", true },
	[STATE_OFF] = { "off", false },
	[STATE_UNMANAGED] = { "unmanaged", false },
	[STATE_PEER] = { "peer", false },
};

const char *endpoint_state_name(enum endpoint_state s)
{
	return states[s].name;
}

bool endpoint_state_is_finding(enum endpoint_state s)
{
	return states[s].finding;
}

__attribute__((format(printf, 2, 3))) static void add_why(struct endpoint_status *st,
							  const char *fmt, ...)
{
	size_t len = strlen(st->why);
	va_list ap;

	if (len && len + 2 < sizeof(st->why)) {
		memcpy(st->why + len, "; ", 3);
		len += 2;
	}
	va_start(ap, fmt);
	vsnprintf(st->why + len, sizeof(st->why) - len, fmt, ap);
	va_end(ap);
}

/* Where one table holds several, each of them says so. */
static void tell_sharing(const struct members *m, struct endpoint_status *st)
{
	char sentence[BH_ERR_MAX];

	if (members_sentence(m, st->endpoint, sentence, sizeof(sentence))[0])
		add_why(st, "%s", sentence);
}

static void say(const struct members *m, struct endpoint_status *st, enum endpoint_state state,
		const char *why)
{
	st->state = state;
	if (why[0])
		add_why(st, "%s", why);
	tell_sharing(m, st);
}

/* Is there no namespace that a table could go to? */
static bool is_out_of_reach(enum endpoint_obstacle o)
{
	return o == ENDPOINT_NO_NETNS || o == ENDPOINT_UNREADABLE;
}

static void look_at_namespace(const struct members *m, struct endpoint_status *st)
{
	struct member_list all = members_of(m, st->endpoint);

	st->obstacle = members_obstacle(m, st->endpoint, &st->obstacle_of);
	st->members = all.i;
	st->n_members = all.n;
}

bool judge_endpoint(const struct members *m, struct endpoint_status *st)
{
	const struct site *s = m->site;
	size_t i = st->endpoint;
	enum endpoint_obstacle own = members_own_obstacle(m, i);

	look_at_namespace(m, st);
	if (!site_is_wanted(s, i)) {
		if (s->selection->services_of[i].n)
			say(m, st, STATE_OFF, "its service has mode: off: nothing is enforced");
		else
			say(m, st, STATE_UNMANAGED,
			    "no service or guardrail selects it: nothing is enforced");
	} else if (own == ENDPOINT_HOST_NETWORK) {
		st->state = STATE_HOST_NETWORK;
		add_why(st, "%s", endpoint_obstacle_text(own));
	} else if (is_out_of_reach(own)) {
		judge_unreachable(m, endpoint_obstacle_text(own), st);
	} else if (!s->endpoints->endpoints[i].netns) {
		st->state = STATE_PEER;
		add_why(st, "it has no network namespace on this host");
	} else if (!site_item_of(s, i)) {
		say(m, st, STATE_MISSING, "no ruleset was made for its namespace");
	} else {
		return false;
	}
	return true;
}

void judge_unreachable(const struct members *m, const char *why, struct endpoint_status *st)
{
	say(m, st, STATE_UNREACHABLE, why);
}

/* A daemon that tried to keep AF_XDP out knows why it could not. */
static const char *reason_of(const struct members *m, const struct endpoint_status *st, char *out,
			     size_t cap)
{
	const char *why = NULL;

	if (st->obstacle == ENDPOINT_XDP_SOCKETS)
		why = xdp_why_open(m->site, st->obstacle_of);
	if (!why)
		return endpoint_obstacle_text(st->obstacle);
	snprintf(out, cap,
		 "it may open sockets of AF_XDP (CAP_NET_RAW), whose frames pass every table, and "
		 "bulkheadd could not keep them out: %s",
		 why);
	return out;
}

/* Somebody else's obstacle; whom it is shared with is said by that where there are only two. */
static void say_weakened(const struct members *m, const char *why, struct endpoint_status *st)
{
	char who[128];

	st->state = STATE_WEAK;
	add_why(st, "%s is in its network namespace and cannot be held (%s)",
		endpoint_format(who, sizeof(who), &m->site->endpoints->endpoints[st->obstacle_of]),
		why);
	if (st->n_members > 2 || members_differ(m, st->endpoint))
		tell_sharing(m, st);
}

/*
 * Packet sockets are held by the table netdev, sockets of AF_XDP by nothing in the namespace but an
 * owner that took their queues first.
 */
static void weigh_raw_sockets(const struct members *m, bool frames_held, struct endpoint_status *st)
{
	if (st->obstacle != ENDPOINT_RAW_SOCKETS || !frames_held)
		return;
	st->obstacle =
		xdp_is_closed(m->site, st->obstacle_of) ? ENDPOINT_HOLDABLE : ENDPOINT_XDP_SOCKETS;
}

bool judge_hold(const struct members *m, bool frames_held, struct endpoint_status *st)
{
	char buf[BH_ERR_MAX];
	const char *why;

	weigh_raw_sockets(m, frames_held, st);
	why = reason_of(m, st, buf, sizeof(buf));
	if (st->obstacle != ENDPOINT_HOLDABLE && st->obstacle_of == st->endpoint)
		say(m, st, STATE_WEAK, why);
	else if (st->obstacle != ENDPOINT_HOLDABLE)
		say_weakened(m, why, st);
	else if (members_differ(m, st->endpoint))
		say(m, st, STATE_SHARED, "");
	else
		return false;
	return true;
}

static bool is_unknown(const struct members *m, const struct endpoint_status *st)
{
	return m->site->endpoints->endpoints[st->endpoint].runtime == ENDPOINT_UNKNOWN;
}

void judge_table(const struct members *m, const struct nft_want *want, const struct nft_state *have,
		 struct endpoint_status *st)
{
	char what[256];

	if (!have->present) {
		say(m, st, STATE_MISSING,
		    "no table of Bulkhead is in its namespace; run bulkhead apply");
		return;
	}
	st->counted = true;
	st->totals = have->totals;
	if (have->ruleset)
		bh_escape_str(st->generation, sizeof(st->generation), have->ruleset->generation);
	if (!have->intact)
		add_why(st, "the table was altered: %s", have->drift);
	else if (differs(want, have, what, sizeof(what)))
		add_why(st, "the table is not what the policies say: %s", what);
	if (st->why[0])
		say(m, st, STATE_DRIFT, "");
	else if (want->frames && want->frames->more)
		say(m, st, STATE_WEAK,
		    "it has more network devices than can be held: frames made by hand pass the "
		    "last ones");
	else if (judge_hold(m, want->frames != NULL, st))
		return;
	else if (want->ruleset->open)
		say(m, st, STATE_GUARDED,
		    "only guardrails hold it: what they do not deny passes, both ways");
	else
		say(m, st, want->ruleset->mode == MODE_AUDIT ? STATE_AUDIT : STATE_PROTECTED,
		    is_unknown(m, st) ? "it is not known yet whose it is: everything is denied"
				      : "");
}

void judge_privileges(struct endpoint_status *st)
{
	if (st->raw_sockets != RAW_SOCKETS_KEPT)
		return;
	if (!endpoint_state_is_finding(st->state))
		st->state = STATE_WEAK;
	add_why(st, "its service denies raw sockets, and it has CAP_NET_RAW: it was not started "
		    "through bulkhead-runc, or without an answer of bulkheadd; start it again");
}

/* "lacks NAME: WHAT THAT COSTS", one after the other. */
static void tell_lacks(const struct nft_kernel *kernel, struct kernel_status *ret)
{
	size_t len = 0;

	for (unsigned i = 0; i < NFT_FEATURES && len < sizeof(ret->lacks); i++)
		if (!kernel->has[i] && nft_feature_info(i)->without)
			len += (size_t)snprintf(ret->lacks + len, sizeof(ret->lacks) - len,
						"%sno %s: %s", len ? "; " : "",
						nft_feature_info(i)->name,
						nft_feature_info(i)->without);
}

void judge_kernel(int r, const struct nft_kernel *kernel, const struct bh_err *err,
		  struct kernel_status *ret)
{
	char missing[BH_ERR_MAX / 2];

	*ret = (struct kernel_status) { 0 };
	if (r == -EPERM || r == -EACCES)
		return;
	if (r < 0) {
		ret->finding = true;
		snprintf(ret->why, sizeof(ret->why), "what it can do was not found out: %.400s",
			 err->msg[0] ? err->msg : strerror(-r));
		return;
	}
	tell_lacks(kernel, ret);
	ret->finding = !nft_kernel_suffices(kernel, missing, sizeof(missing));
	if (ret->finding)
		snprintf(ret->why, sizeof(ret->why), "its nf_tables lacks: %s", missing);
}
