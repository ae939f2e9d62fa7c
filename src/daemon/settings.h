/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <bulkhead/base/err.h>
#include <bulkhead/model/host.h>

/*
 * The host file has settings that a later version of the daemon keeps to, and such that count from its
 * start on. -EINVAL, and ERR names the first of NOW that cannot be kept to: never ignored. STARTED: as
 * they are in force.
 */
int settings_check(const struct host_config *started, const struct host_config *now,
		   struct bh_err *err);

#endif
