/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/launch/launch.h>

#include <stdlib.h>
#include <string.h>

#include <bulkhead/model/host.h>
#include <bulkhead/policy/policy.h>

int launch_options_read(const char *config, struct launch_options *ret, struct bh_err *err)
{
	struct diag_list diags;
	struct host_config host;
	int r;

	diag_list_init(&diags);
	r = host_config_load(config, &host, &diags, err);
	diag_list_done(&diags);
	if (r < 0)
		return r;
	*ret = (struct launch_options) {
		.wait_ms = host.starts.wait_s * 1000,
		.quarantine = host.starts.without_daemon == STARTS_QUARANTINE,
		.text = strdup(host.control.socket),
	};
	if (host.starts.runtime)
		ret->text2 = strdup(host.starts.runtime);
	ret->socket = ret->text;
	ret->runtime = ret->text2;
	r = ret->text && (ret->text2 || !host.starts.runtime) ? 0 : bh_err_oom(err);
	host_config_done(&host);
	return r;
}

void launch_options_done(struct launch_options *o)
{
	free(o->text);
	free(o->text2);
	*o = (struct launch_options) { 0 };
}
