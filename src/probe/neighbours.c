/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "station.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include <bulkhead/base/limits.h>

/*
 * Whoever talks to all others needs a neighbour entry for each, at both ends. The kernel has room for
 * 1024 of a family in all namespaces together (net.ipv4.neigh.default.gc_thresh3) and, when that is full,
 * drops what needs another, a container's own packets included. So what the probe's packets brought
 * about is taken away again; what was there before stays. If a program has come to use one meanwhile, it
 * is found again by the next packet, which waits for that.
 */

static int cmp_neighbours(const void *a, const void *b)
{
	const struct neighbour *x = a, *y = b;
	int r = bh_addr_cmp(&x->addr, &y->addr);

	return r ? r : (x->device > y->device) - (x->device < y->device);
}

static int on_neighbour(const struct nlmsghdr *nlh, void *arg)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct neighbour *n;
	const struct nlattr *a;
	struct bh_addr addr;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || nlh->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(*nd) ||
	    (nd->ndm_state & (NUD_PERMANENT | NUD_NOARP)))
		return 0;
	mnl_attr_for_each (a, nlh, sizeof(*nd)) {
		if (mnl_attr_get_type(a) != NDA_DST ||
		    !bh_addr_from_bytes(&addr, mnl_attr_get_payload(a),
					mnl_attr_get_payload_len(a)))
			continue;
		n = bh_vec_push(arg);
		if (!n)
			return -ENOMEM;
		*n = (struct neighbour) { (uint32_t)nd->ndm_ifindex, addr };
	}
	return 0;
}

static int list(struct station *s, struct bh_vec *ret, struct bh_err *err)
{
	char buf[64] __attribute__((aligned(MNL_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	bh_vec_init(ret, sizeof(struct neighbour), 1u << 20);
	nlh->nlmsg_type = RTM_GETNEIGH;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ndmsg));
	return nlsock_query(&s->route, nlh, on_neighbour, ret, err);
}

int station_know_neighbours(struct station *s, struct bh_err *err)
{
	int r = list(s, &s->neighbours, err);

	if (r >= 0 && s->neighbours.n)
		qsort(s->neighbours.data, s->neighbours.n, s->neighbours.size, cmp_neighbours);
	return r == -EINTR ? 0 : r;
}

static void forget(struct station *s, const struct neighbour *n)
{
	char buf[128] __attribute__((aligned(MNL_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *nd;

	nlh->nlmsg_type = RTM_DELNEIGH;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));
	nd->ndm_family = n->addr.family;
	nd->ndm_ifindex = (int)n->device;
	mnl_attr_put(nlh, NDA_DST, bh_addr_len(n->addr.family), n->addr.b);
	nlsock_query(&s->route, nlh, NULL, NULL, NULL); /* it may be gone by itself */
}

void station_forget_neighbours(struct station *s)
{
	struct bh_vec now;
	const struct neighbour *n;

	if (list(s, &now, NULL) < 0) {
		bh_vec_done(&now);
		return;
	}
	n = now.data;
	for (size_t i = 0; i < now.n; i++)
		if (!s->neighbours.n || !bsearch(&n[i], s->neighbours.data, s->neighbours.n,
						 s->neighbours.size, cmp_neighbours))
			forget(s, &n[i]);
	bh_vec_done(&now);
}
