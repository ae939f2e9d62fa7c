/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/enforce.h>

#include <errno.h>
#include <stdio.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/enforce/holds.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/enforce/report.h>

#include "handle.h"
#include "judge.h"
#include "kernel.h"

struct preflight {
	struct members members;
	struct handles handles;
	bool enter;
	int (*fn)(const struct preflight_finding *, void *);
	void *arg;
	struct preflight_unseen *unseen;
};

static int check_kernel(const struct preflight *p, struct bh_err *err)
{
	struct preflight_finding f = { .about = PREFLIGHT_KERNEL };
	struct kernel_status k;
	int r = enforce_kernel_status(&k, err);

	if (k.finding) {
		snprintf(f.why, sizeof(f.why), "%s", k.why);
		return p->fn(&f, p->arg);
	}
	p->unseen->kernel = r < 0;
	return r < 0 && p->enter ? r : 0;
}

static int check_services(const struct preflight *p)
{
	const struct site *s = p->members.site;
	int r = 0;

	for (size_t k = 0; k < s->policies->n_services && r >= 0; k++) {
		struct preflight_finding f = { .about = PREFLIGHT_SERVICE, .index = k };

		if (s->policies->services[k].mode == MODE_OFF || s->selection->endpoints_of[k].n)
			continue;
		snprintf(f.why, sizeof(f.why), "it selects none of the %zu endpoint%s",
			 s->endpoints->n, bh_s(s->endpoints->n));
		r = p->fn(&f, p->arg);
	}
	return r;
}

/* A daemon takes the queues of devices here: whether it can decides how safe all will be. */
static int try_hold(struct holds *holds, const struct endpoint *e, struct bh_err *err)
{
	struct net_devices devices;
	struct hold *hold;
	int r = holds_open(holds, e, &hold, err);

	if (r >= 0)
		r = runtime_devices(hold_netns(hold), &devices, err);
	if (r >= 0)
		hold_take_queues(hold, &devices);
	return r;
}

/* Can its namespace be opened, and worked in where that is what comes next? */
static int try_namespace(struct preflight *p, size_t i, struct bh_err *err)
{
	const struct endpoint *e = &p->members.site->endpoints->endpoints[i];
	bh_autoclose int fd = -1;
	struct nft_frames frames;
	struct nlsock *sock;

	if (p->enter && p->members.site->holds)
		return try_hold(p->members.site->holds, e, err);
	return p->enter ? handles_open(&p->handles, e, &sock, &frames, err)
			: endpoint_netns_open(e, &fd, NULL, err);
}

static void check_namespace(struct preflight *p, struct endpoint_status *st)
{
	struct bh_err err = BH_ERR_INIT;
	int r = try_namespace(p, st->endpoint, &err);

	if (!p->enter && (r == -EACCES || r == -EPERM)) {
		p->unseen->endpoints++;
		r = 0;
	}
	if (r < 0)
		judge_unreachable(&p->members, err.msg, st);
	else if (!judge_hold(&p->members, kernel_has(NFT_HAS_FRAMES), st))
		st->state = STATE_PROTECTED; /* so it will be */
}

static int check_endpoint(struct preflight *p, size_t i)
{
	struct preflight_finding f = { .about = PREFLIGHT_ENDPOINT, .index = i };
	struct endpoint_status st = { .endpoint = i };

	if (!judge_endpoint(&p->members, &st))
		check_namespace(p, &st);
	if (!endpoint_state_is_finding(st.state))
		return 0;
	f.state = st.state;
	f.obstacle = st.obstacle;
	snprintf(f.why, sizeof(f.why), "%s", st.why);
	return p->fn(&f, p->arg);
}

int enforce_preflight(struct site *s, bool enter,
		      int (*fn)(const struct preflight_finding *, void *), void *arg,
		      struct preflight_unseen *ret_unseen, struct bh_err *err)
{
	struct preflight p = { .enter = enter, .fn = fn, .arg = arg, .unseen = ret_unseen };
	int r = members_init(&p.members, s, err);

	if (r < 0)
		return r;
	*ret_unseen = (struct preflight_unseen) { 0 };
	handles_init(&p.handles);
	r = check_kernel(&p, err);
	if (r >= 0)
		r = check_services(&p);
	for (size_t i = 0; i < s->endpoints->n && r >= 0; i++)
		r = check_endpoint(&p, i);
	handles_done(&p.handles);
	members_done(&p.members);
	return r;
}

const char *preflight_format(char *out, size_t cap, const struct site *s,
			     const struct preflight_finding *f)
{
	char who[256];

	if (f->about == PREFLIGHT_ENDPOINT)
		snprintf(out, cap, "%s: %s: %s",
			 endpoint_format(who, sizeof(who), &s->endpoints->endpoints[f->index]),
			 endpoint_state_name(f->state), f->why);
	else if (f->about == PREFLIGHT_SERVICE)
		snprintf(out, cap, "service %s: %s",
			 bh_escape_str(who, sizeof(who), s->policies->services[f->index].name),
			 f->why);
	else
		snprintf(out, cap, "this kernel: " REPORT_UNSUPPORTED ": %s", f->why);
	return out;
}
