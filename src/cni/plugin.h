/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CNI_PLUGIN_H
#define BULKHEAD_CNI_PLUGIN_H

#include <bulkhead/cni/cni.h>
#include <bulkhead/launch/launch.h>

/* One call of the plugin: what was said, and what is to be written to standard output. */
struct plugin {
	struct cni_environment env;
	enum cni_command command;
	struct cni_config config;
	struct bh_buf out;
};

/* --- commands.c: each an operation of the specification ------------------------------------------ */

int plugin_run(struct plugin *p, struct cni_error *err);

/* The host file's, but for what the configuration says; launch_options_done(). */
int plugin_options(const struct cni_config *c, struct launch_options *ret, struct cni_error *err);

/* --- check.c -------------------------------------------------------------------------------------- */

/* Does what is wanted stand in the kernel? INO is the namespace at CNI_NETNS. */
int plugin_check(const struct plugin *p, const struct launch_options *o, uint64_t ino,
		 struct cni_error *err);

/* What the daemon said of the endpoint (report_endpoint()), NULL: nothing. */
int plugin_judge(const json_t *item, struct cni_error *err);

/* --- ask.c: what the daemon is asked, beside launch.h ------------------------------------------- */

/*
 * ARGS is taken. The last item of the answer is *RET_ITEM's (may be NULL), and the caller's. -EPERM: the
 * daemon says no, and ERR why; -EAGAIN: it could not; others: it does not answer.
 */
int plugin_ask(const struct launch_options *o, const char *verb, json_t *args, json_t **ret_item,
	       struct bh_err *err);

/* Of this network, only the containers of the configuration's list are there still. */
int plugin_retain(const struct launch_options *o, const struct cni_config *c, struct bh_err *err);

#endif
