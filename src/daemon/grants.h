/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_GRANTS_H
#define DAEMON_GRANTS_H

#include <bulkhead/base/err.h>
#include <bulkhead/ctl/ctl.h>
#include <bulkhead/model/host.h>

/*
 * The roles of the host file for the control socket: the parser keeps names, here they become IDs.
 * Looking a name up may ask a server (NSS) and take its time: at start-up and reload only.
 */

/*
 * *RET is an array of *RET_N for ctl_server_set_grants(), to be free()d; the owners in it are those
 * of C, which must outlive it. -ENOENT for a name that nobody has, with its place in ERR; other
 * errors when the lookup fails. Both outputs are untouched on failure.
 */
int grants_build(const struct host_config *c, struct ctl_grant **ret, size_t *ret_n,
		 struct bh_err *err);

/* The GID of a group by name or number, for control.group. Errors as above. */
int grants_group_id(const char *group, gid_t *ret, struct bh_err *err);

#endif
