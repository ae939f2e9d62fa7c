/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "socket_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/sys/nlsock.h>

#define ALL_STATES UINT32_MAX

/* --- an answer ------------------------------------------------------------------------------ */

/* 16 bytes, of which an IPv4 address uses the first 4. */
static void read_addr(uint8_t family, const void *bytes, struct bh_addr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }, none[16];
	const uint8_t *b = bytes;
	bool v4 = family == AF_INET;

	*ret = (struct bh_addr) { 0 };
	if (!v4 && memcmp(b, mapped, sizeof(mapped)) == 0) {
		v4 = true;
		b += sizeof(mapped);
	}
	if (memcmp(b, none, v4 ? 4 : 16) != 0)
		bh_addr_from_bytes(ret, b, v4 ? 4 : 16);
}

int socket_parse(const void *data, size_t len, struct socket_found *ret)
{
	struct inet_diag_msg m;

	if (len < sizeof(m))
		return -EBADMSG;
	memcpy(&m, data, sizeof(m));
	if (m.idiag_family != AF_INET && m.idiag_family != AF_INET6)
		return -EBADMSG;
	*ret = (struct socket_found) {
		.lport = ntohs(m.id.idiag_sport),
		.rport = ntohs(m.id.idiag_dport),
		.inode = m.idiag_inode,
		.uid = m.idiag_uid,
	};
	read_addr(m.idiag_family, m.id.idiag_src, &ret->local);
	read_addr(m.idiag_family, m.id.idiag_dst, &ret->remote);
	return 0;
}

static bool is(const struct bh_addr *a, const struct bh_addr *b)
{
	return bh_addr_cmp(a, b) == 0;
}

bool socket_fits(const struct socket_found *s, const struct process_question *q)
{
	if (s->lport != q->sport || (q->has_uid && s->uid != q->uid))
		return false;
	if (q->proto == IPPROTO_TCP) /* a listener has the port, too, and no far end */
		return s->rport == q->dport && is(&s->remote, &q->destination) &&
		       is(&s->local, &q->source);
	/* A connected one may send elsewhere; one that is bound to no address, from any. */
	return !s->local.family || is(&s->local, &q->source);
}

/* --- a question ----------------------------------------------------------------------------- */

struct request {
	struct nlmsghdr nlh;
	struct inet_diag_req_v2 diag;
};

static struct request request(const struct process_question *q, uint8_t family, uint16_t flags)
{
	struct request r = {
		.nlh = { sizeof(r), SOCK_DIAG_BY_FAMILY, (uint16_t)(NLM_F_REQUEST | flags) },
		.diag = {
			.sdiag_family = family,
			.sdiag_protocol = q->proto,
			.idiag_states = ALL_STATES,
			.id.idiag_sport = htons(q->sport),
			.id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
		},
	};

	return r;
}

struct search {
	const struct process_question *q;
	struct socket_found *ret;
	unsigned n;
};

static int on_socket(const struct nlmsghdr *nlh, void *arg)
{
	struct search *s = arg;
	struct socket_found found;

	if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY || nlh->nlmsg_len < NLMSG_HDRLEN ||
	    socket_parse((const uint8_t *)nlh + NLMSG_HDRLEN, nlh->nlmsg_len - NLMSG_HDRLEN,
			 &found) < 0 ||
	    !socket_fits(&found, s->q))
		return 0;
	*s->ret = found;
	return ++s->n > 1 ? -ENOTUNIQ : 0;
}

/* The kernel says -ENOENT, too, when it cannot be asked at all: then not even no socket is listed. */
static int check_support(struct nlsock *nl, const struct process_question *q, struct bh_err *err)
{
	struct request none = request(q, q->source.family, NLM_F_DUMP);
	struct socket_found ignored;
	struct search s = { q, &ignored, 0 };
	int r;

	none.diag.idiag_states = 0;
	r = nlsock_query(nl, &none.nlh, on_socket, &s, err);
	return r == -ENOENT ? -EOPNOTSUPP : r;
}

/* inet_diag_find_one_icsk(): source is the socket's own end; a listener is found when it is not there. */
static int find_tcp(struct nlsock *nl, struct search *s, struct bh_err *err)
{
	const struct process_question *q = s->q;
	struct request one = request(q, q->source.family, NLM_F_ACK);
	int r;

	one.diag.id.idiag_dport = htons(q->dport);
	one.diag.id.idiag_if = q->ifindex;
	memcpy(one.diag.id.idiag_src, q->source.b, sizeof(q->source.b));
	memcpy(one.diag.id.idiag_dst, q->destination.b, sizeof(q->destination.b));
	r = nlsock_query(nl, &one.nlh, on_socket, s, err);
	if (r != -ENOENT)
		return r;
	return check_support(nl, q, err);
}

/*
 * All sockets with that port: udp_dump() compares it. A look for the one that would get an answer
 * would miss one that is connected elsewhere, and hide that several share the port.
 */
static int find_udp(struct nlsock *nl, struct search *s, struct bh_err *err)
{
	const uint8_t families[] = { AF_INET6, AF_INET }; /* of IPv6 may send IPv4, too */
	unsigned n = s->q->source.family == AF_INET ? 2 : 1;
	int r = 0;

	for (unsigned i = 0; i < n && r >= 0; i++) {
		struct request all = request(s->q, families[i], NLM_F_DUMP);

		r = nlsock_query(nl, &all.nlh, on_socket, s, err);
	}
	return r == -ENOENT ? -EOPNOTSUPP : r;
}

int socket_find(const struct process_question *q, struct socket_found *ret, struct bh_err *err)
{
	struct search s = { q, ret, 0 };
	struct nlsock nl = NLSOCK_INIT;
	int r = nlsock_open(&nl, q->netns_fd, NETLINK_SOCK_DIAG, err);

	if (r < 0)
		return r;
	r = q->proto == IPPROTO_TCP ? find_tcp(&nl, &s, err) : find_udp(&nl, &s, err);
	nlsock_done(&nl);
	return r >= 0 && !s.n ? -ENOENT : r;
}
