/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "settings.h"

#include <errno.h>
#include <string.h>

#include <bulkhead/base/limits.h>

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_control(const struct host_control *a, const struct host_control *b)
{
	return same_text(a->socket, b->socket) && same_text(a->group, b->group) &&
	       same_text(a->read_only_socket, b->read_only_socket);
}

static bool same_metrics(const struct host_metrics *a, const struct host_metrics *b)
{
	if (a->listen != b->listen || !same_text(a->textfile, b->textfile))
		return false;
	return !a->listen || (bh_addr_cmp(&a->addr, &b->addr) == 0 && a->port == b->port);
}

static int refuse(struct bh_err *err, const char *what, const char *why)
{
	return bh_err_set(err, -EINVAL, "the host file: %s %s", what, why);
}

int settings_check(const struct host_config *started, const struct host_config *now,
		   struct bh_err *err)
{
	static const char later[] = "is for a later version of bulkheadd; leave it out";
	static const char at_start[] = "cannot change while bulkheadd runs; start it anew";

	if (started->new_namespaces != now->new_namespaces)
		return refuse(err, "new-namespaces", at_start);
	if (now->retention.denied_days != BH_DENIED_DAYS_DEFAULT ||
	    now->retention.denied_megabytes != BH_DENIED_MEGABYTES_DEFAULT)
		return refuse(err, "retention: denied-days or denied-megabytes", later);
	if (now->n_outputs) /* remove when the logger writes to them */
		return refuse(err, "outputs", later);
	if (now->limits.flows != BH_FLOWS_MAX ||
	    now->limits.records_per_second != BH_RECORDS_PER_S_DEFAULT)
		return refuse(err, "limits", later);
	if (!same_control(&started->control, &now->control))
		return refuse(err, "control", at_start);
	if (!same_metrics(&started->metrics, &now->metrics))
		return refuse(err, "metrics", at_start);
	if (started->retention.audit_files != now->retention.audit_files)
		return refuse(err, "retention: audit-files", at_start);
	return 0;
}
