/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_NFT_FAKE_H
#define TESTS_UNIT_NFT_FAKE_H

/*
 * A stand-in for the kernel at the other end of a socket pair: it keeps the messages of a batch and
 * answers dumps with them, without understanding more than their types and the names of sets. What
 * is kept may be altered in between, which is what it is for: readback of hostile tables, without
 * root.
 */

#include "fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>

#include <libmnl/libmnl.h>

#include "../../../src/nft/kernel.h"

#define FAKE_MESSAGES_MAX 4096
#define FAKE_BYTES_MAX    (1 << 20)

struct fake {
	struct nlsock s;
	int peer;
	pthread_t thread;
	struct nlmsghdr *kept[FAKE_MESSAGES_MAX]; /* malloc()ed each by itself */
	size_t n;
	int intr;     /* so many dumps of chains are cut short by a change */
	int busy;     /* so often somebody else commits while we read */
	int resizing; /* so many lists of elements have one twice */
	uint32_t commit;
	unsigned queries; /* so far */
	char *sent;       /* batches that were confirmed, one behind the other */
	int sent_len;
};

static inline uint8_t fake_type(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type & 0xff;
}

static inline uint8_t fake_family(const struct nlmsghdr *nlh)
{
	return ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;
}

static inline void fake_set_family(struct nlmsghdr *nlh, uint8_t family)
{
	((struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family = family;
}

/* A message of nf_tables in BUF, without attributes. */
static inline struct nlmsghdr *fake_begin(void *buf, uint8_t family, uint8_t message)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | message;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	fake_set_family(nlh, family);
	return nlh;
}

static inline void fake_send(struct fake *k, const struct nlmsghdr *nlh)
{
	assert(send(k->peer, nlh, nlh->nlmsg_len, MSG_NOSIGNAL) >= 0);
}

/* NLMSG_ERROR; ERROR 0 is an acknowledgement. */
static inline void fake_ack(struct fake *k, uint32_t seq, int error)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} m = { { sizeof(m), NLMSG_ERROR, 0, seq, 0 }, { .error = error } };

	fake_send(k, &m.h);
}

static inline void fake_done(struct fake *k, uint32_t seq, uint16_t flags)
{
	struct {
		struct nlmsghdr h;
		int32_t error;
	} m = { { sizeof(m), NLMSG_DONE, NLM_F_MULTI | flags, seq, 0 }, 0 };

	fake_send(k, &m.h);
}

static inline const char *fake_attr(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each (a, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == type)
			return mnl_attr_get_payload(a);
	return "";
}

/* A dump reports what is left of a timeout where a request names the timeout. */
static inline void fake_turn_timeouts(struct nlmsghdr *nlh)
{
	struct nlattr *list, *elem, *a;

	mnl_attr_for_each (list, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested (elem, list)
			mnl_attr_for_each_nested (a, elem)
				if (mnl_attr_get_type(a) == NFTA_SET_ELEM_TIMEOUT)
					a->nla_type = NFTA_SET_ELEM_EXPIRATION;
	}
}

/*
 * libnftnl sends the names of objects without their NUL, and the kernel answers with it. Copies the
 * attributes of a rule, nest by nest; TERMINATE tells that A is such a name.
 */
static inline void fake_put(struct nlmsghdr *out, const struct nlattr *a, bool terminate)
{
	char name[256];

	if (terminate) {
		snprintf(name, sizeof(name), "%.*s", (int)mnl_attr_get_payload_len(a),
			 (const char *)mnl_attr_get_payload(a));
		mnl_attr_put_strz(out, a->nla_type, name);
	} else {
		mnl_attr_put(out, a->nla_type, mnl_attr_get_payload_len(a),
			     mnl_attr_get_payload(a));
	}
}

static inline void fake_put_expr(struct nlmsghdr *out, const struct nlattr *expr)
{
	struct nlattr *to = mnl_attr_nest_start(out, expr->nla_type), *data;
	const struct nlattr *a, *b;
	bool objref = false;

	mnl_attr_for_each_nested (a, expr) {
		if (mnl_attr_get_type(a) == NFTA_EXPR_NAME) {
			objref = strcmp(mnl_attr_get_payload(a), "objref") == 0;
			fake_put(out, a, false);
			continue;
		}
		data = mnl_attr_nest_start(out, a->nla_type);
		mnl_attr_for_each_nested (b, a)
			fake_put(out, b,
				 objref && (mnl_attr_get_type(b) == NFTA_OBJREF_IMM_NAME ||
					    mnl_attr_get_type(b) == NFTA_OBJREF_SET_NAME));
		mnl_attr_nest_end(out, data);
	}
	mnl_attr_nest_end(out, to);
}

/* OUT has room for all of NLH and some NULs. */
static inline void fake_put_rule(struct nlmsghdr *out, const struct nlmsghdr *nlh)
{
	const struct nlattr *a, *e;
	struct nlattr *list;

	memcpy(out, nlh, NLMSG_LENGTH(sizeof(struct nfgenmsg)));
	out->nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg));
	mnl_attr_for_each (a, nlh, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(a) != NFTA_RULE_EXPRESSIONS) {
			fake_put(out, a, false);
			continue;
		}
		list = mnl_attr_nest_start(out, a->nla_type);
		mnl_attr_for_each_nested (e, a)
			fake_put_expr(out, e);
		mnl_attr_nest_end(out, list);
	}
}

/* Each in a block of its own size, so that reading past it is found by the sanitizer. */
static inline void fake_keep(struct fake *k, const struct nlmsghdr *nlh)
{
	char rule[4096] __attribute__((aligned(16)));

	assert(k->n < FAKE_MESSAGES_MAX && nlh->nlmsg_len < sizeof(rule) + (64 << 10));
	if (fake_type(nlh) == NFT_MSG_NEWRULE) {
		fake_put_rule((void *)rule, nlh);
		nlh = (void *)rule;
	}
	k->kept[k->n] = malloc(nlh->nlmsg_len);
	assert(k->kept[k->n]);
	memcpy(k->kept[k->n], nlh, nlh->nlmsg_len);
	if (fake_type(nlh) == NFT_MSG_NEWSETELEM)
		fake_turn_timeouts(k->kept[k->n]);
	k->n++;
}

static inline void fake_forget(struct fake *k)
{
	while (k->n)
		free(k->kept[--k->n]);
}

static inline bool fake_has_set(const struct fake *k, const char *name)
{
	for (size_t i = 0; i < k->n; i++)
		if (fake_type(k->kept[i]) == NFT_MSG_NEWSET &&
		    strcmp(fake_attr(k->kept[i], NFTA_SET_NAME), name) == 0)
			return true;
	return false;
}

/* The number of the last commit; while BUSY, somebody else makes one after each question. */
static inline void fake_answer_commit(struct fake *k, uint32_t seq)
{
	char buf[64] __attribute__((aligned(16)));
	struct nlmsghdr *nlh = fake_begin(buf, NFPROTO_UNSPEC, NFT_MSG_NEWGEN);

	nlh->nlmsg_seq = seq;
	mnl_attr_put_u32(nlh, NFTA_GEN_ID, htonl(k->commit));
	fake_send(k, nlh);
	fake_ack(k, seq, 0);
	if (k->busy > 0) {
		k->busy--;
		k->commit++;
	}
}

/*
 * Is NLH part of the answer to ASK? As in the kernel, a dump of rules ends behind the first table of
 * the name that was asked for: ONLY is its family.
 */
static inline bool fake_answers(const struct nlmsghdr *ask, const struct nlmsghdr *nlh,
				uint8_t *only)
{
	uint8_t want = fake_type(ask) - 1; /* NFT_MSG_GETx is NFT_MSG_NEWx + 1 */

	if (fake_type(nlh) != want ||
	    (fake_family(ask) != NFPROTO_UNSPEC && fake_family(ask) != fake_family(nlh)))
		return false;
	if (want == NFT_MSG_NEWSETELEM)
		return strcmp(fake_attr(nlh, NFTA_SET_ELEM_LIST_SET),
			      fake_attr(ask, NFTA_SET_ELEM_LIST_SET)) == 0;
	if (want == NFT_MSG_NEWRULE && *only == NFPROTO_UNSPEC)
		*only = fake_family(nlh);
	return want != NFT_MSG_NEWRULE || *only == fake_family(nlh);
}

/* The kernel looks the table of sets and elements up by its name and family: all has none. */
static inline bool fake_needs_family(uint8_t want)
{
	return want == NFT_MSG_NEWSET || want == NFT_MSG_NEWSETELEM;
}

/* Everything kept of the asked kind, each as a message of its own. */
static inline void fake_answer(struct fake *k, const struct nlmsghdr *ask)
{
	uint8_t want = fake_type(ask) - 1, only = NFPROTO_UNSPEC;
	bool elements = want == NFT_MSG_NEWSETELEM, found = false;
	uint16_t flags = want == NFT_MSG_NEWCHAIN && k->intr > 0 ? NLM_F_DUMP_INTR : 0;

	k->queries++;
	if (want == NFT_MSG_NEWGEN) {
		fake_answer_commit(k, ask->nlmsg_seq);
		return;
	}
	k->intr -= flags != 0;
	for (size_t i = 0; i < k->n; i++) {
		struct nlmsghdr *nlh = k->kept[i];

		if (fake_needs_family(want) && fake_family(ask) == NFPROTO_UNSPEC)
			break;
		if (!fake_answers(ask, nlh, &only))
			continue;
		nlh->nlmsg_seq = ask->nlmsg_seq;
		nlh->nlmsg_flags = 0;
		fake_send(k, nlh);
		found = true;
		if (elements && k->resizing > 0) {
			k->resizing--;
			fake_send(k, nlh);
		}
	}
	if (fake_needs_family(want) && fake_family(ask) == NFPROTO_UNSPEC)
		fake_ack(k, ask->nlmsg_seq, -ENOENT);
	else if (elements && !found && !fake_has_set(k, fake_attr(ask, NFTA_SET_ELEM_LIST_SET)))
		fake_ack(k, ask->nlmsg_seq, -ENOENT);
	else if (want == NFT_MSG_NEWTABLE && !(ask->nlmsg_flags & NLM_F_DUMP))
		fake_ack(k, ask->nlmsg_seq, found ? 0 : -ENOENT);
	else
		fake_done(k, ask->nlmsg_seq, flags);
}

static inline void *fake_run(void *arg)
{
	struct fake *k = arg;
	char buf[1024];

	while (recv(k->peer, buf, sizeof(buf), 0) >= (ssize_t)sizeof(struct nlmsghdr))
		fake_answer(k, (const void *)buf);
	return NULL;
}

static inline void fake_open(struct fake *k)
{
	const struct timeval second = { .tv_sec = 5 };
	int pair[2], room = 4 << 20;

	*k = (struct fake) { .commit = 40 };
	assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	k->s = (struct nlsock) { .fd = pair[0] };
	k->peer = pair[1];
}

static inline void fake_close(struct fake *k)
{
	fake_forget(k);
	nlsock_done(&k->s);
	close(k->peer);
}

/* Answer queries from now on, until fake_rest(). */
static inline void fake_serve(struct fake *k)
{
	assert(pthread_create(&k->thread, NULL, fake_run, k) == 0);
}

static inline void fake_rest(struct fake *k)
{
	assert(send(k->s.fd, "", 1, 0) == 1);
	assert(pthread_join(k->thread, NULL) == 0);
}

/* What a call sent: messages between BATCH_BEGIN and BATCH_END; *RET_LEN bytes, caller frees. */
static inline char *fake_sent(struct fake *k, int *ret_len)
{
	char *data = malloc(FAKE_BYTES_MAX);

	assert(data);
	*ret_len = (int)recv(k->peer, data, FAKE_BYTES_MAX, MSG_DONTWAIT);
	return data;
}

/* Confirm every batch from now on, until fake_confirmed(). */
static inline void *fake_confirm_run(void *arg)
{
	struct fake *k = arg;
	int len, rest;

	for (;;) {
		const struct nlmsghdr *nlh = (void *)(k->sent + k->sent_len);

		len = (int)recv(k->peer, k->sent + k->sent_len,
				(size_t)(FAKE_BYTES_MAX - k->sent_len), 0);
		if (len <= 1)
			return NULL;
		for (rest = len; NLMSG_OK(nlh, rest); nlh = NLMSG_NEXT(nlh, rest))
			if (nlh->nlmsg_flags & NLM_F_ACK)
				fake_ack(k, nlh->nlmsg_seq, 0);
		k->sent_len += len;
	}
}

static inline void fake_confirm(struct fake *k)
{
	k->sent = malloc(FAKE_BYTES_MAX);
	k->sent_len = 0;
	assert(k->sent);
	assert(pthread_create(&k->thread, NULL, fake_confirm_run, k) == 0);
}

/* All of them, which the caller frees; -1: none. */
static inline char *fake_confirmed(struct fake *k, int *ret_len)
{
	fake_rest(k);
	*ret_len = k->sent_len ? k->sent_len : -1;
	return k->sent;
}

#define fake_each(nlh, data, len)                                                                  \
	for (const struct nlmsghdr *nlh = (const void *)(data); NLMSG_OK(nlh, len);                \
	     nlh = NLMSG_NEXT(nlh, len))

/* Keep what a batch would have made. */
static inline void fake_take_batch(struct fake *k, const char *data, int len)
{
	fake_each(nlh, data, len) if (nlh->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES)
		fake_keep(k, nlh);
}

/* New tables; answers of the kernel are not waited for. */
static inline void fake_create_want(struct fake *k, const struct nft_want *want)
{
	const struct nft_state nothing = { 0 };
	bh_autofree char *data = NULL;
	int len;

	fake_forget(k);
	assert(nft_apply(&k->s, want, &nothing, NULL, NULL) == -EIO); /* nobody confirms it */
	data = fake_sent(k, &len);
	assert(len > 0);
	fake_take_batch(k, data, len);
}

static inline void fake_create(struct fake *k, const struct ruleset *r)
{
	fake_create_want(k, fx_want(r));
}

static inline int fake_readback(struct fake *k, struct nft_state *ret, struct bh_err *err)
{
	int r;

	fake_serve(k);
	r = nft_readback(&k->s, ret, err);
	fake_rest(k);
	return r;
}

#endif
