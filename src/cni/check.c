/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plugin.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/nft/nft.h>
#include <bulkhead/sys/netns.h>

/* As `bulkhead status` calls them: what is wanted does not stand there. */
static const char *const altered[] = {
	"drift",
	"unprotected",
	"unreachable",
	"host-network",
};

int plugin_judge(const json_t *item, struct cni_error *err)
{
	const char *state = json_string_value(json_object_get(item, "state"));
	const char *why = json_string_value(json_object_get(item, "why"));
	char safe[32];

	if (!state)
		return cni_fail(
			err, CNI_ALTERED,
			"bulkheadd does not know this container: everything is denied to it");
	for (size_t i = 0; i < BH_ARRAY_SIZE(altered); i++)
		if (strcmp(state, altered[i]) == 0)
			return cni_fail(err, CNI_ALTERED, "%s: %.400s",
					bh_escape_str(safe, sizeof(safe), state), why ? why : "");
	return 0;
}

/* --- without the daemon ------------------------------------------------------------------------- */

static int read_tables(const char *netns, struct nft_state *ret, struct bh_err *err)
{
	struct nlsock s = NLSOCK_INIT;
	bh_autoclose int fd = -1;
	int r = netns_open(netns, &fd, NULL, err);

	if (r >= 0)
		r = nlsock_open(&s, fd, NETLINK_NETFILTER, err);
	if (r >= 0)
		r = nft_readback(&s, ret, err);
	nlsock_done(&s);
	return r;
}

/* What is wanted is not known; that the tables are gone, or not as they were written, is seen. */
static int look_at_tables(const char *netns, const char *no_answer, struct cni_error *err)
{
	struct bh_err why = BH_ERR_INIT;
	struct nft_state have = { 0 };
	int r = read_tables(netns, &have, &why);

	if (r < 0)
		r = cni_fail(err, CNI_ALTERED, "its tables cannot be read: %.400s", why.msg);
	else if (!have.present)
		r = cni_fail(err, CNI_ALTERED,
			     "it has no table, and bulkheadd does not answer: %.300s", no_answer);
	else if (!have.intact)
		r = cni_fail(err, CNI_ALTERED,
			     "its tables were altered: %.200s; and bulkheadd does "
			     "not answer: %.200s",
			     have.drift, no_answer);
	else
		r = cni_fail(err, CNI_TRY_AGAIN,
			     "its tables are whole, but bulkheadd does not answer: %.350s",
			     no_answer);
	nft_state_done(&have);
	return r;
}

int plugin_check(const struct plugin *p, const struct launch_options *o, uint64_t ino,
		 struct cni_error *err)
{
	json_t *item = NULL, *args = json_pack("{s:s, s:s, s:I}", "runtime",
					       endpoint_runtime_name(p->config.runtime), "id",
					       p->env.container, "netns_ino", (json_int_t)ino);
	struct bh_err why = BH_ERR_INIT;
	int r = plugin_ask(o, "examine", args, &item, &why);

	if (r >= 0)
		r = plugin_judge(item, err);
	else if (r == -EPERM)
		r = cni_fail(err, CNI_ALTERED, "%.450s", why.msg);
	else
		r = look_at_tables(p->env.netns, why.msg, err);
	json_decref(item);
	return r;
}
