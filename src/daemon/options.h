/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define DAEMON_PATHS_MAX 64

/* What the command line said; strings are borrowed from argv. */
struct daemon_options {
	const char *policies[DAEMON_PATHS_MAX];
	size_t n_policies;
	const char *inventory, *config, *netns_dir, *docker_socket, *podman_socket;
	const char *store;    /* where the audit trail is; NULL: the default */
	const char *socket;   /* the control socket; NULL: as the host file has it */
	const char *readonly; /* the restricted one; NULL: as the host file has it */
};

/* 0; an exit code after having said why; -1 when --help or --version was printed. */
int daemon_options_parse(int argc, char **argv, struct daemon_options *ret);

#endif
