/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "station.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/sys/netns.h>

/* Who listens in a namespace: NETLINK_SOCK_DIAG, one dump for each protocol and family. */

struct search {
	uint16_t proto;
	uint16_t own; /* the port that is reserved for the probe's own packets */
	struct bh_vec found;
};

static int on_socket(const struct nlmsghdr *nlh, void *arg)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t zeros[16];
	const struct inet_diag_msg *m = NLMSG_DATA(nlh);
	struct search *s = arg;
	struct listener *l;
	const uint8_t *a;

	if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY || nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) ||
	    ntohs(m->id.idiag_sport) == s->own)
		return 0;
	l = bh_vec_push(&s->found);
	if (!l)
		return -ENOMEM;
	*l = (struct listener) { .proto = s->proto, .port = ntohs(m->id.idiag_sport) };
	a = (const uint8_t *)m->id.idiag_src;
	if (m->idiag_family == AF_INET6 && memcmp(a, mapped, sizeof(mapped)) == 0)
		bh_addr_from_bytes(&l->addr, a + 12, 4);
	else if (memcmp(a, zeros, m->idiag_family == AF_INET6 ? 16 : 4) != 0)
		bh_addr_from_bytes(&l->addr, a, m->idiag_family == AF_INET6 ? 16 : 4);
	return 0;
}

static int dump(struct nlsock *nl, uint8_t family, struct search *s, struct bh_err *err)
{
	struct {
		struct nlmsghdr nlh;
		struct inet_diag_req_v2 diag;
	} request = {
		.nlh = { sizeof(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP },
		.diag = {
			.sdiag_family = family,
			.sdiag_protocol = (uint8_t)s->proto,
			.idiag_states = s->proto == IPPROTO_TCP ? 1u << TCP_LISTEN : ~0u,
		},
	};

	return nlsock_query(nl, &request.nlh, on_socket, s, err);
}

static int dump_all(struct nlsock *nl, struct search *s, struct bh_err *err)
{
	static const uint16_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	int r = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(protocols) && r >= 0; i++) {
		s->proto = protocols[i];
		r = dump(nl, AF_INET, s, err);
		if (r >= 0)
			r = dump(nl, AF_INET6, s, err);
	}
	return r;
}

int station_listen(struct station *s, const struct endpoint *e, uint16_t own, struct bh_err *err)
{
	struct nlsock nl = NLSOCK_INIT;
	struct search found = { .own = own };
	bh_autoclose int netns = -1;
	uint64_t ino;
	int r = netns_open(e->netns, &netns, &ino, err);

	if (r >= 0 && ino != s->ino)
		r = bh_err_set(err, -ESTALE, "its namespace was replaced by another");
	if (r >= 0)
		r = nlsock_open(&nl, netns, NETLINK_SOCK_DIAG, err);
	if (r < 0)
		return r;
	bh_vec_init(&found.found, sizeof(struct listener), BH_PROBE_CELLS_MAX);
	r = dump_all(&nl, &found, err);
	nlsock_done(&nl);
	s->listeners = found.found.data;
	s->n_listeners = found.found.n;
	return r < 0 ? bh_err_prefix(err, r, "who listens there") : 0;
}

bool station_listens(const struct station *s, const struct bh_addr *addr, uint16_t proto,
		     uint16_t port)
{
	for (size_t i = 0; i < s->n_listeners; i++) {
		const struct listener *l = &s->listeners[i];

		if (l->proto == proto && l->port == port &&
		    (!l->addr.family || bh_addr_cmp(&l->addr, addr) == 0))
			return true;
	}
	return false;
}
