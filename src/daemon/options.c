/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#define DEFAULT_POLICIES "/etc/bulkhead/policies"
#define USAGE_EXIT       2

static const struct option_spec {
	const char *name, *argument, *help;
	size_t offset; /* of a const char * in struct daemon_options; 0: the policies */
} specs[] = {
	{ "policies", "PATH",
	  "policy file or directory; may be repeated (default " DEFAULT_POLICIES ")", 0 },
	{ "inventory", "FILE", "take the endpoints from this file and from nowhere else",
	  offsetof(struct daemon_options, inventory) },
	{ "config", "FILE", "host file (default /etc/bulkhead/bulkhead.yaml)",
	  offsetof(struct daemon_options, config) },
	{ "netns-dir", "DIR", "named namespaces (default /run/netns)",
	  offsetof(struct daemon_options, netns_dir) },
	{ "docker-socket", "PATH", "Docker's API socket",
	  offsetof(struct daemon_options, docker_socket) },
	{ "podman-socket", "PATH", "Podman's API socket",
	  offsetof(struct daemon_options, podman_socket) },
	{ "store", "DIR", "where the audit trail is kept (default " BH_STORE_DIR ")",
	  offsetof(struct daemon_options, store) },
	{ "socket", "PATH", "the control socket (default " BH_CTL_SOCKET ", or the host file's)",
	  offsetof(struct daemon_options, socket) },
	{ "readonly-socket", "PATH", "a socket where anybody may ask for the status (default none)",
	  offsetof(struct daemon_options, readonly) },
};
#define N_SPECS BH_ARRAY_SIZE(specs)

static void print_help(void)
{
	char left[64];

	puts("usage: bulkheadd [OPTION...]\n\n"
	     "Keep the kernel equal to the policies, in the foreground, until SIGTERM; what is\n"
	     "enforced stays. SIGHUP reads the policies anew.\n");
	for (size_t i = 0; i < N_SPECS; i++) {
		snprintf(left, sizeof(left), "--%s %s", specs[i].name, specs[i].argument);
		printf("  %-24s %s\n", left, specs[i].help);
	}
}

static int fail(const char *what, const char *word)
{
	char shown[128];

	bh_escape_str(shown, sizeof(shown), word);
	fprintf(stderr, "bulkheadd: %s '%s'; bulkheadd --help lists the options\n", what, shown);
	return USAGE_EXIT;
}

static int take(const struct option_spec *s, const char *value, struct daemon_options *o)
{
	if (s->offset) {
		*(const char **)((char *)o + s->offset) = value;
		return 0;
	}
	if (o->n_policies == DAEMON_PATHS_MAX)
		return fail("too many policy paths, beginning with", value);
	o->policies[o->n_policies++] = value;
	return 0;
}

static int take_all(int argc, char **argv, const struct option *longopts, struct daemon_options *o)
{
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":hV", longopts, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			return -1;
		}
		if (c == 'V') {
			puts("bulkheadd " BULKHEAD_VERSION);
			return -1;
		}
		if (c < 256)
			return fail(c == ':' ? "a value is missing behind" : "unknown option",
				    argv[optind - 1]);
		if (take(&specs[c - 256], optarg, o))
			return USAGE_EXIT;
	}
	return optind < argc ? fail("unexpected", argv[optind]) : 0;
}

int daemon_options_parse(int argc, char **argv, struct daemon_options *ret)
{
	struct option longopts[N_SPECS + 3];
	int r;

	*ret = (struct daemon_options) { 0 };
	for (size_t i = 0; i < N_SPECS; i++)
		longopts[i] =
			(struct option) { specs[i].name, required_argument, NULL, (int)i + 256 };
	longopts[N_SPECS] = (struct option) { "help", no_argument, NULL, 'h' };
	longopts[N_SPECS + 1] = (struct option) { "version", no_argument, NULL, 'V' };
	longopts[N_SPECS + 2] = (struct option) { 0 };
	r = take_all(argc, argv, longopts, ret);
	if (!ret->n_policies)
		ret->policies[ret->n_policies++] = DEFAULT_POLICIES;
	return r;
}
