/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/host.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/limits.h>

void host_config_init(struct host_config *c)
{
	*c = (struct host_config) {
		.new_namespaces = NEW_NAMESPACES_QUARANTINE,
		.docker = true,
		.podman = true,
		.netns = true,
		.docker_socket = "/var/run/docker.sock",
		.podman_socket = "/run/podman/podman.sock",
		.control = { .socket = BH_CTL_SOCKET },
		.retention = {
			.audit_files = BH_AUDIT_FILES_DEFAULT,
			.generations = BH_GENERATIONS_DEFAULT,
			.denied_days = BH_DENIED_DAYS_DEFAULT,
			.denied_megabytes = BH_DENIED_MEGABYTES_DEFAULT,
		},
		.limits = {
			.flows = BH_FLOWS_MAX,
			.records_per_second = BH_RECORDS_PER_S_DEFAULT,
		},
		.starts = { .wait_s = BH_STARTS_WAIT_S },
		.watch = true,
	};
}

void host_config_done(struct host_config *c)
{
	bh_arena_free(c->arena);
	host_config_init(c);
}
