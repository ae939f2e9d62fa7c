/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/runtime.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/netns.h>

#include "resolve.h"

#define NETNS_DIR "/run/netns"

/* A name of a directory entry is any bytes but '/' and NUL: hostile. */
int runtime_netns_one(const char *in, const char *name, struct endpoint_builder *b,
		      struct diag_list *diags, struct bh_err *err)
{
	const char *dir = in ? in : NETNS_DIR;
	struct bh_addr addrs[BH_ENDPOINT_ADDRS_MAX], resolvers[BH_ENDPOINT_RESOLVERS_MAX];
	struct label label = { "netns", name };
	char path[4096], conf[300];
	struct endpoint e = {
		.id = name,
		.name = name,
		.runtime = ENDPOINT_NETNS,
		.labels = &label,
		.n_labels = 1,
		.netns = path,
		.addrs = addrs,
		.resolvers = resolvers,
	};
	bh_autoclose int fd = -1;
	bool embedded;
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	r = netns_open(path, &fd, &e.netns_ino, err);
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM)
		return r; /* it may well be there */
	if (r < 0) {
		diag_add(diags, DIAG_WARNING, NULL, "no-namespace", NULL, "%s; it is left out",
			 err->msg);
		return 0;
	}
	r = runtime_netns_addrs(fd, addrs, BH_ARRAY_SIZE(addrs), &e.n_addrs, err);
	/* Root inside may add addresses; this must not stop the work for all others. */
	if (r == -E2BIG)
		diag_add(diags, DIAG_WARNING, NULL, "too-many-addresses", NULL,
			 "network namespace %s has more than %d addresses: none of them count",
			 bh_escape_str(conf, sizeof(conf), name), BH_ENDPOINT_ADDRS_MAX);
	else if (r < 0)
		return bh_err_prefix(err, r, "network namespace %s",
				     bh_escape_str(conf, sizeof(conf), name));
	snprintf(conf, sizeof(conf), "/etc/netns/%s/resolv.conf", name);
	runtime_resolvers(conf, resolvers, BH_ARRAY_SIZE(resolvers), &e.n_resolvers, &embedded);
	return endpoint_builder_add(b, &e, err);
}

int runtime_netns_list(const char *dir, struct endpoint_builder *b, struct diag_list *diags,
		       struct bh_err *err)
{
	const char *path = dir ? dir : NETNS_DIR;
	DIR *d = opendir(path);
	struct bh_err local = BH_ERR_INIT;
	struct dirent *ent;
	size_t n = 0;
	int r = 0;

	if (!d && errno == ENOENT && !dir)
		return 0;
	if (!d)
		return bh_err_errno(err, -errno, "%s", path);
	while (r >= 0 && (ent = readdir(d)) != NULL) {
		if (ent->d_name[0] == '.')
			continue;
		if (++n > BH_NAMESPACES_MAX)
			r = bh_err_set(&local, -E2BIG, "%s: more than %d namespaces", path,
				       BH_NAMESPACES_MAX);
		else
			r = runtime_netns_one(path, ent->d_name, b, diags, &local);
	}
	closedir(d);
	if (r < 0)
		bh_err_set(err, r, "%s", local.msg);
	return r;
}
