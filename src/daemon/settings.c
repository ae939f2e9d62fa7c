/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "settings.h"

#include <errno.h>
#include <string.h>

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

static bool same_output(const struct host_output *a, const struct host_output *b)
{
	return a->kind == b->kind && same_text(a->path, b->path) && a->format == b->format &&
	       a->what == b->what && a->facility == b->facility &&
	       a->rotate_megabytes == b->rotate_megabytes && a->rotate_keep == b->rotate_keep;
}

static bool same_outputs(const struct host_config *a, const struct host_config *b)
{
	if (a->n_outputs != b->n_outputs)
		return false;
	for (size_t i = 0; i < a->n_outputs; i++)
		if (!same_output(&a->outputs[i], &b->outputs[i]))
			return false;
	return true;
}

static int refuse(struct bh_err *err, const char *what, const char *why)
{
	return bh_err_set(err, -EINVAL, "the host file: %s %s", what, why);
}

int settings_check(const struct host_config *started, const struct host_config *now,
		   struct bh_err *err)
{
	static const char at_start[] = "cannot change while bulkheadd runs; start it anew";

	if (started->new_namespaces != now->new_namespaces)
		return refuse(err, "new-namespaces", at_start);
	if (started->retention.denied_days != now->retention.denied_days ||
	    started->retention.denied_megabytes != now->retention.denied_megabytes)
		return refuse(err, "retention: denied-days or denied-megabytes", at_start);
	if (!same_outputs(started, now))
		return refuse(err, "outputs", at_start);
	if (started->limits.flows != now->limits.flows ||
	    started->limits.records_per_second != now->limits.records_per_second)
		return refuse(err, "limits", at_start);
	if (!same_control(&started->control, &now->control))
		return refuse(err, "control", at_start);
	if (!same_metrics(&started->metrics, &now->metrics))
		return refuse(err, "metrics", at_start);
	if (started->retention.audit_files != now->retention.audit_files)
		return refuse(err, "retention: audit-files", at_start);
	return 0;
}
