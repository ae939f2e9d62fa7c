/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_SYSTEM_NFT_H
#define TESTS_SYSTEM_NFT_H

/* Namespaces of our own with nft(8) beside us in them. */

#include "../unit/nft/fixture.h"

#include <errno.h>
#include <time.h>

#include <linux/netlink.h>

#include <bulkhead/sys/netns.h>

/* --- a namespace ----------------------------------------------------------------------------- */

struct place {
	int fd;
	struct nlsock s;
};

static inline void place_open(struct place *p)
{
	struct bh_err err = BH_ERR_INIT;

	*p = (struct place) { .fd = -1, .s = NLSOCK_INIT };
	if (netns_scratch(&p->fd, &err) < 0 ||
	    nlsock_open(&p->s, p->fd, NETLINK_NETFILTER, &err) < 0)
		fail_msg("%s", err.msg);
}

static inline void place_close(struct place *p)
{
	nlsock_done(&p->s);
	close(p->fd);
}

struct place_call {
	const char *command;
	char *out;
	size_t len;
	int status;
};

static inline int place_popen(void *arg, struct bh_err *err)
{
	struct place_call *c = arg;
	FILE *to, *from = popen(c->command, "re");
	char buf[4096];
	size_t n;

	assert_non_null(from);
	to = open_memstream(&c->out, &c->len);
	assert_non_null(to);
	while ((n = fread(buf, 1, sizeof(buf), from)) > 0)
		fwrite(buf, 1, n, to);
	fclose(to);
	c->status = pclose(from);
	return 0;
}

/* A shell command in the namespace; what it says, which the caller frees. */
static inline char *place_run(struct place *p, int *ret_status, const char *fmt, ...)
{
	struct bh_err err = BH_ERR_INIT;
	struct place_call c = { 0 };
	char *command;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&command, fmt, ap);
	va_end(ap);
	assert_true(r >= 0);
	c.command = command;
	if (netns_run(p->fd, place_popen, &c, &err) < 0)
		fail_msg("%s", err.msg);
	if (ret_status)
		*ret_status = c.status;
	else if (c.status != 0)
		fail_msg("%s: status %d: %s", command, c.status, c.out);
	free(command);
	return c.out;
}

#define place_do(p, ...) free(place_run(p, NULL, __VA_ARGS__))

/* --- what stands ----------------------------------------------------------------------------- */

static inline void place_read(struct place *p, struct nft_state *ret)
{
	struct bh_err err = BH_ERR_INIT;

	if (nft_readback(&p->s, ret, &err) < 0)
		fail_msg("readback: %s", err.msg);
}

/* Are the tables exactly what WANT says? OUT (256 bytes) says why not. */
static inline bool place_holds_want(struct place *p, const struct nft_want *want, char *out)
{
	struct nft_state st;
	bool same = false;

	place_read(p, &st);
	if (!st.present)
		snprintf(out, 256, "there is no table");
	else if (!st.intact)
		snprintf(out, 256, "%s", st.drift);
	else
		same = ruleset_equal(want->ruleset, st.ruleset, out, 256) &&
		       nft_frames_equal(want->frames, st.frames, out, 256);
	nft_state_done(&st);
	return same;
}

static inline bool place_holds(struct place *p, const struct ruleset *r, char *out)
{
	return place_holds_want(p, fx_want(r), out);
}

#define assert_holds(p, r)                                                                         \
	do {                                                                                       \
		char why_[256];                                                                    \
                                                                                                   \
		if (!place_holds(p, r, why_))                                                      \
			fail_msg("%s", why_);                                                      \
	} while (0)

static inline int place_try_want(struct place *p, const struct nft_want *want, struct bh_err *err)
{
	struct nft_state have;
	int result;

	place_read(p, &have);
	result = nft_apply(&p->s, want, &have, NULL, err);
	nft_state_done(&have);
	return result;
}

static inline int place_try(struct place *p, const struct ruleset *r, struct bh_err *err)
{
	return place_try_want(p, fx_want(r), err);
}

/* Read, write, and verify. */
#define place_apply_want(p, want)                                                                  \
	do {                                                                                       \
		struct bh_err err_ = BH_ERR_INIT;                                                  \
		char why_[256];                                                                    \
                                                                                                   \
		if (place_try_want(p, want, &err_) < 0)                                            \
			fail_msg("apply: %s", err_.msg);                                           \
		if (!place_holds_want(p, want, why_))                                              \
			fail_msg("%s", why_);                                                      \
	} while (0)

#define place_apply(p, r)                                                                          \
	do {                                                                                       \
		struct bh_err err_ = BH_ERR_INIT;                                                  \
                                                                                                   \
		if (place_try(p, r, &err_) < 0)                                                    \
			fail_msg("apply: %s", err_.msg);                                           \
		assert_holds(p, r);                                                                \
	} while (0)

#endif
