/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a change of policy takes in the kernel, in milliseconds: building the batch of the
 * difference, and the one sendmsg that commits it.
 * usage: change ROUNDS DIRECTORY DIRECTORY
 *
 * Each DIRECTORY holds policies/ and inventory.json of the same one endpoint. Its namespace goes
 * from the first to the second and back, ROUNDS times; a line a change. Not timed, but done: reading
 * what stands before, and checking that what was written stands afterwards.
 */
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/enforce/site.h>
#include <bulkhead/nft/nft.h>
#include <bulkhead/sys/netns.h>

/* Paths are part of what stands in the kernel: both policies are read as "policies". */
static int load(const char *directory, struct site *s, struct bh_err *err)
{
	static const char *const policies[] = { "policies" };
	const struct site_options o = { NULL, policies, 1, "inventory.json", NULL, NULL, NULL };
	struct diag_list diags;
	bool is_input;
	int r;

	if (chdir(directory) < 0)
		return bh_err_errno(err, -errno, "%s", directory);
	diag_list_init(&diags);
	site_init(s);
	r = site_load_policies(s, &o, &diags, err);
	if (r >= 0)
		r = site_load_endpoints(s, &o, &diags, &is_input, err);
	if (r >= 0)
		r = site_compile(s, false, &diags, err);
	if (r >= 0 && s->rulesets->n != 1)
		r = bh_err_set(err, -EINVAL, "%s: not one ruleset", directory);
	if (r < 0)
		diag_list_print(&diags, stderr, false);
	diag_list_done(&diags);
	return r;
}

static int check(struct nlsock *sock, const struct ruleset *want, struct bh_err *err)
{
	struct nft_state have = { 0 };
	char why[256] = "it is not intact";
	int r = nft_readback(sock, &have, err);

	if (r >= 0 && (!have.intact || !ruleset_equal(want, have.ruleset, why, sizeof(why))))
		r = bh_err_set(err, -EIO, "the kernel does not hold what was written: %s", why);
	nft_state_done(&have);
	return r;
}

static int change(struct nlsock *sock, const struct ruleset *want, double *ret_ms,
		  struct bh_err *err)
{
	struct nft_state have = { 0 };
	struct nft_want w = { .ruleset = want };
	double start;
	int r = nft_readback(sock, &have, err);

	if (r >= 0) {
		w.frames = have.frames; /* these stay as they are */
		start = now_ns();
		r = nft_apply(sock, &w, &have, NULL, err);
		*ret_ms = (now_ns() - start) / 1e6;
	}
	nft_state_done(&have);
	return r < 0 ? r : check(sock, want, err);
}

/* The first change only brings the first of the two about. */
static int run(unsigned rounds, struct site sites[2], struct bh_err *err)
{
	const struct ruleset *rulesets[2] = { sites[0].rulesets->items[0].ruleset,
					      sites[1].rulesets->items[0].ruleset };
	struct nlsock sock = NLSOCK_INIT;
	bh_autoclose int netns = -1;
	double ms = 0;
	int r;

	r = netns_open(sites[0].endpoints->endpoints[0].netns, &netns, NULL, err);
	if (r >= 0)
		r = nlsock_open(&sock, netns, NETLINK_NETFILTER, err);
	if (r >= 0)
		r = change(&sock, rulesets[0], &ms, err);
	for (unsigned i = 1; i <= 2 * rounds && r >= 0; i++) {
		r = change(&sock, rulesets[i % 2], &ms, err);
		if (r >= 0)
			printf("%.4f\n", ms);
	}
	nlsock_done(&sock);
	return r;
}

int main(int argc, char **argv)
{
	struct site sites[2] = { 0 };
	struct bh_err err = BH_ERR_INIT;
	int home, r = 0;

	if (argc != 4) {
		fputs("usage: change ROUNDS DIRECTORY DIRECTORY\n", stderr);
		return 2;
	}
	home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 2 && r >= 0; i++) {
		r = load(argv[2 + i], &sites[i], &err);
		if (r >= 0 && fchdir(home) < 0)
			r = bh_err_errno(&err, -errno, "the way back");
	}
	if (r >= 0)
		r = run((unsigned)atoi(argv[1]), sites, &err);
	if (r < 0)
		fprintf(stderr, "change: %s\n", err.msg);
	for (int i = 0; i < 2; i++)
		site_done(&sites[i]);
	close(home);
	return r < 0 ? 1 : 0;
}
