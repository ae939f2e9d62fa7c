/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "cli.h"

/* Every option of every verb: parsed, checked and documented from this one table. */
static const struct option_spec {
	const char *name, *argument, *help;
	size_t offset;  /* of a const char * (with argument) or a bool in struct cli_options */
	bool many;      /* of a struct cli_words */
	char letter;    /* also -LETTER; 0: none */
	const char *id; /* as in cli_verb.options, where several have this name; NULL: NAME */
} specs[] = {
	{ "policies", "PATH", "policy file or directory; may be repeated", 0 },
	{ "inventory", "FILE", "take the endpoints from this file and from nowhere else",
	  offsetof(struct cli_options, inventory) },
	{ "config", "FILE", "host file (default /etc/bulkhead/bulkhead.yaml)",
	  offsetof(struct cli_options, config) },
	{ "netns-dir", "DIR", "named namespaces (default /run/netns)",
	  offsetof(struct cli_options, netns_dir) },
	{ "docker-socket", "PATH", "Docker's API socket",
	  offsetof(struct cli_options, docker_socket) },
	{ "podman-socket", "PATH", "Podman's API socket",
	  offsetof(struct cli_options, podman_socket) },
	{ "socket", "PATH", "ask the bulkheadd that listens there (default " BH_CTL_SOCKET ")",
	  offsetof(struct cli_options, socket) },
	{ "from", "WHO", "source: endpoint id or name, or an address",
	  offsetof(struct cli_options, from) },
	{ "to", "WHO", "destination: endpoint id or name, or an address",
	  offsetof(struct cli_options, to) },
	{ "port", "PORT", "443/tcp, 53/udp, icmp/echo-request, ...",
	  offsetof(struct cli_options, port), .id = "port.explain" },
	{ "batch", "FILE", "questions, one 'FROM TO PORT' a line (- for stdin)",
	  offsetof(struct cli_options, batch) },
	{ "compare", "DIR", "also under the policies of this directory; 1 if answers differ",
	  offsetof(struct cli_options, compare) },
	{ "format", "FORMAT", "nft; or of the policies alone: mermaid, dot, svg, json",
	  offsetof(struct cli_options, format), .id = "format.export" },
	{ "format", "FORMAT", "text (without), json, ocsf or ecs: docs/outputs.md",
	  offsetof(struct cli_options, format), .id = "format.denied" },
	{ "pcap", "FILE", "also write the packets that were kept (- for stdout, and no text)",
	  offsetof(struct cli_options, pcap) },
	{ "scope", "NAME", "the scope that the report is of", offsetof(struct cli_options, scope),
	  .id = "scope.report" },
	{ "format", "FORMAT", "html (without), json or markdown",
	  offsetof(struct cli_options, format), .id = "format.report" },
	{ "output", "FILE", "write it there, all at once (- and without: stdout)",
	  offsetof(struct cli_options, output), .letter = 'o', .id = "output.report" },
	{ "since", "FILE", "compare with this earlier report, in JSON",
	  offsetof(struct cli_options, since), .id = "since.report" },
	{ "probe", "FILE", "the segmentation test: what bulkhead probe --json wrote",
	  offsetof(struct cli_options, probe) },
	{ "rules", "FILE", "rules and their hits: what bulkhead rules --json wrote",
	  offsetof(struct cli_options, counted) },
	{ "verify", "FILE", "who else is there: what bulkhead verify --json wrote",
	  offsetof(struct cli_options, verified), .id = "verify.report" },
	{ "days", "N", "of denied flows, and of rules without a hit (default 90)",
	  offsetof(struct cli_options, days) },
	{ "key", "FILE", "Ed25519 key in PEM: sign with it; with --check, whose it should be",
	  offsetof(struct cli_options, key) },
	{ "check", "FILE", "is this report as it was written? 1 if not",
	  offsetof(struct cli_options, checked), .id = "check.report" },
	{ "endpoint", "ID", "only this endpoint", offsetof(struct cli_options, endpoint) },
	{ "endpoints", NULL, "also show which services each endpoint is",
	  offsetof(struct cli_options, endpoints) },
	{ "clean", NULL, "take every trace of Bulkhead out of the namespaces",
	  offsetof(struct cli_options, clean) },
	{ "store", "DIR", "where audit trail and generations are (default " BH_STORE_DIR ")",
	  offsetof(struct cli_options, store), .id = "store.apply" },
	{ "store", "DIR", "whose history is read (default " BH_STORE_DIR ")",
	  offsetof(struct cli_options, store), .id = "store.denied" },
	{ "confirm", "TIME", "take it back unless bulkhead confirm comes in time: 1s to 1h",
	  offsetof(struct cli_options, confirm) },
	{ "generations", NULL, "what rollback can go back to; * is in force, ? unconfirmed",
	  offsetof(struct cli_options, generations) },
	{ "verify", NULL, "look for changed, missing, moved and cut-off entries",
	  offsetof(struct cli_options, verify), .id = "verify.history" },
	{ "follow", NULL, "print denied flows as they happen, until interrupted",
	  offsetof(struct cli_options, follow) },
	{ "since", "TIME", "seen at that time or later: 10m, 2h, 3d ago, or RFC 3339",
	  offsetof(struct cli_options, since), .id = "since.denied" },
	{ "until", "TIME", "seen before that time", offsetof(struct cli_options, until) },
	{ "service", "NAME", "denied by this service's policy; values may be joined with commas",
	  offsetof(struct cli_options, services), true, .id = "service.denied" },
	{ "container", "WHO", "denied in this container: its name, or its id from the beginning",
	  offsetof(struct cli_options, containers), true },
	{ "peer", "WHO", "other end: service, container, address or 10.0.0.0/8",
	  offsetof(struct cli_options, peers), true },
	{ "port", "PORT", "destination port: 443/tcp, 8000-8080/tcp, icmp/echo-request, ...",
	  offsetof(struct cli_options, ports), true, .id = "port.denied" },
	{ "direction", "WAY", "egress or ingress", offsetof(struct cli_options, directions), true },
	{ "rule", "RULE", "decided by a rule of this name or kind (default-deny, ...)",
	  offsetof(struct cli_options, rules), true },
	{ "verdict", "VERDICT", "deny, audit or allow", offsetof(struct cli_options, verdicts),
	  true },
	{ "uid", "UID", "sent by a process of this user", offsetof(struct cli_options, uids),
	  true },
	{ "by", "FIELDS", "group: service, container, peer, address, port, rule, uid, ...",
	  offsetof(struct cli_options, by), true },
	{ "sort", "WHAT", "time, packets or records (groups: packets without it)",
	  offsetof(struct cli_options, sort) },
	{ "reverse", NULL, "the other way round: the newest first, or the least",
	  offsetof(struct cli_options, reverse) },
	{ "limit", "N", "so many, and then how to get the next page",
	  offsetof(struct cli_options, limit) },
	{ "page", "PAGE", "go on where a page has ended, as it said",
	  offsetof(struct cli_options, page) },
	{ "summary", NULL, "sums of each endpoint, a line over time, who was denied most",
	  offsetof(struct cli_options, summary) },
	{ "signals", NULL, "also what is worth waking for: first denials, scans, ...",
	  offsetof(struct cli_options, signals) },
	{ "junit", "FILE", "also write the results as JUnit XML (- for stdout, and no text)",
	  offsetof(struct cli_options, junit) },
	{ "verbose", NULL, "each expectation, with the line that decides it",
	  offsetof(struct cli_options, verbose), .letter = 'v' },
	{ "strict", NULL, "audit, off, unmanaged and shared endpoints count as findings too",
	  offsetof(struct cli_options, strict), .id = "strict.status" },
	{ "strict", NULL, "refuse if anything that is selected cannot be held",
	  offsetof(struct cli_options, strict), .id = "strict.apply" },
	{ "write", NULL, "put it into the files, each at once and whole",
	  offsetof(struct cli_options, write), .letter = 'w' },
	{ "check", NULL, "name the files that are not in that form; 1 if there are any",
	  offsetof(struct cli_options, check), .id = "check.fmt" },
	{ "output", "DIR", "put each policy into a file of this directory; none is overwritten",
	  offsetof(struct cli_options, output), .id = "output.init" },
	{ "project", "NAME", "of Compose (default: its name:, or the directory's)",
	  offsetof(struct cli_options, project) },
	{ "host", NULL, "of the host file instead", offsetof(struct cli_options, host) },
	{ "strict", NULL,
	  "1 if there is a warning; with endpoints, also if anything selected cannot be held",
	  offsetof(struct cli_options, strict), .id = "strict.check" },
	{ "format", "FORMAT", "text (without), json, or sarif: docs/lint.md",
	  offsetof(struct cli_options, format), .id = "format.check" },
	{ "lints", NULL, "list what check can warn of, and why",
	  offsetof(struct cli_options, lints) },
	{ "listen-only", NULL, "touch no port that somebody listens on",
	  offsetof(struct cli_options, listen_only) },
	{ "rate", "N", "so many packets a second at most (default 20000)",
	  offsetof(struct cli_options, rate) },
	{ "scope", "NAME", "only what belongs to this scope", offsetof(struct cli_options, scopes),
	  true, .id = "scope.verify" },
	{ "service", "NAME", "only what belongs to this service",
	  offsetof(struct cli_options, services), true, .id = "service.rules" },
	{ "unused", "SINCE", "those without a hit since then: 90d ago, or RFC 3339; 1 if any",
	  offsetof(struct cli_options, unused) },
	{ "findings", NULL, "list what can be found, and what to do about it",
	  offsetof(struct cli_options, findings) },
	{ "docker", NULL, "edit Docker's daemon.json: bulkhead-runc as a runtime",
	  offsetof(struct cli_options, docker) },
	{ "podman", NULL, "put our hooks into a directory of Podman's",
	  offsetof(struct cli_options, podman) },
	{ "daemon-json", "PATH", "Docker's configuration (default /etc/docker/daemon.json)",
	  offsetof(struct cli_options, daemon_json) },
	{ "hooks-dir", "DIR", "Podman's (default /etc/containers/oci/hooks.d)",
	  offsetof(struct cli_options, hooks_dir) },
	{ "default", NULL, "make it the runtime of all containers that name none",
	  offsetof(struct cli_options, as_default) },
	{ "runtime", "PATH", "what bulkhead-runc becomes (without: the host file's, or runc)",
	  offsetof(struct cli_options, runtime) },
	{ "dry-run", NULL, "show what would change, as a diff; 1 if something would",
	  offsetof(struct cli_options, dry_run) },
	{ "json", NULL, "one JSON object a line", offsetof(struct cli_options, json) },
};
#define N_SPECS BH_ARRAY_SIZE(specs)

#define DEFAULT_POLICIES "/etc/bulkhead/policies"

static int take_words(const struct option_spec *s, char *value, struct cli_words *w)
{
	char *word;

	while ((word = strsep(&value, ",")) != NULL) {
		if (w->n == CLI_WORDS_MAX)
			return cli_fail(CLI_USAGE, "more than %d values of --%s", CLI_WORDS_MAX,
					s->name);
		if (!word[0])
			return cli_fail(CLI_USAGE, "--%s has an empty value", s->name);
		w->words[w->n++] = word;
	}
	return 0;
}

static int take(const struct option_spec *s, char *value, struct cli_options *o)
{
	if (s == &specs[0]) { /* --policies */
		if (o->n_policies == CLI_PATHS_MAX)
			return cli_fail(CLI_USAGE, "more than %d policy paths", CLI_PATHS_MAX);
		o->policies[o->n_policies++] = value;
		return 0;
	}
	if (s->many)
		return take_words(s, value, (struct cli_words *)((char *)o + s->offset));
	if (s->argument)
		*(const char **)((char *)o + s->offset) = value;
	else
		*(bool *)((char *)o + s->offset) = true;
	return 0;
}

/* Is it one of the words in the verb's options? */
static bool has(const struct cli_verb *v, const struct option_spec *s)
{
	const char *id = s->id ? s->id : s->name, *at = v->options;
	size_t len = strlen(id);

	while ((at = strstr(at, id)) != NULL) {
		if ((at == v->options || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
		at += len;
	}
	return false;
}

/* The verb's own long options, and --help as the last. */
static size_t build_longopts(const struct cli_verb *v, struct option *out)
{
	size_t n = 0;

	for (size_t i = 0; i < N_SPECS; i++)
		if (has(v, &specs[i]))
			out[n++] = (struct option) { specs[i].name,
						     specs[i].argument ? required_argument
								       : no_argument,
						     NULL, (int)i + 256 };
	out[n++] = (struct option) { "help", no_argument, NULL, 'h' };
	out[n] = (struct option) { 0 };
	return n;
}

/* ":h" and the letters of the verb's own options, with ":" behind those that take a value. */
static void build_letters(const struct cli_verb *v, char out[2 * N_SPECS + 3])
{
	*out++ = ':';
	*out++ = 'h';
	for (size_t i = 0; i < N_SPECS; i++)
		if (specs[i].letter && has(v, &specs[i])) {
			*out++ = specs[i].letter;
			if (specs[i].argument)
				*out++ = ':';
		}
	*out = '\0';
}

/* What getopt_long() gave, as an index; N_SPECS: no option of the verb's. */
static size_t spec_of(const struct cli_verb *v, int c)
{
	size_t i = 0;

	if (c >= 256)
		return (size_t)c - 256;
	while (i < N_SPECS && (specs[i].letter != c || !has(v, &specs[i])))
		i++;
	return i;
}

static int bad_option(const struct cli_verb *v, int c, char **argv)
{
	char shown[128];
	const char *word = argv[optind - 1];

	bh_escape_str(shown, sizeof(shown), word);
	if (c == ':')
		return cli_fail(CLI_USAGE, "%s: option '%s' needs a value", v->name, shown);
	return cli_fail(CLI_USAGE, "%s: unknown option '%s'; bulkhead %s --help lists them",
			v->name, shown, v->name);
}

/* Operands are policy paths where the verb takes any, but for verbs that take one word, or files. */
static int take_operands(const struct cli_verb *v, int argc, char **argv, struct cli_options *o)
{
	char shown[128];

	for (int i = optind; i < argc; i++) {
		if (v->takes_files && o->n_files < CLI_PATHS_MAX) {
			o->files[o->n_files++] = argv[i];
			continue;
		}
		if (v->takes_word && !o->word) {
			o->word = argv[i];
			continue;
		}
		if (!v->operands[0] || v->takes_word || v->takes_files)
			return cli_fail(CLI_USAGE, "%s: unexpected '%s'", v->name,
					bh_escape_str(shown, sizeof(shown), argv[i]));
		if (take(&specs[0], argv[i], o))
			return CLI_USAGE;
	}
	o->policies_given = o->n_policies > 0;
	if (!o->policies_given)
		o->policies[o->n_policies++] = DEFAULT_POLICIES;
	return 0;
}

int cli_parse(const struct cli_verb *v, int argc, char **argv, struct cli_options *ret)
{
	struct option longopts[N_SPECS + 2];
	char letters[2 * N_SPECS + 3];
	int c;

	*ret = (struct cli_options) { 0 };
	build_longopts(v, longopts);
	build_letters(v, letters);
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, letters, longopts, NULL)) != -1) {
		if (c == 'h') {
			cli_print_verb_help(v, stdout);
			return -1;
		}
		if (c == '?' || c == ':' || spec_of(v, c) == N_SPECS)
			return bad_option(v, c, argv);
		if (take(&specs[spec_of(v, c)], optarg, ret))
			return CLI_USAGE;
	}
	return take_operands(v, argc, argv, ret);
}

void cli_print_help(FILE *out)
{
	fprintf(out,
		"bulkhead %s: a watertight wall around every container\n\n"
		"usage: bulkhead VERB [OPTION...]\n\n",
		BULKHEAD_VERSION);
	for (size_t i = 0; i < cli_n_verbs; i++)
		fprintf(out, "  %-10s %s\n", cli_verbs[i].name, cli_verbs[i].summary);
	fprintf(out, "\n'bulkhead VERB --help' shows a verb's options.\n"
		     "exit codes: 0 yes, done; 1 no, or findings; 2 bad usage or invalid input;\n"
		     "            3 could not do it (permission, kernel, runtime)\n");
}

void cli_print_verb_help(const struct cli_verb *v, FILE *out)
{
	char left[64];

	fprintf(out, "usage: bulkhead %s [OPTION...]%s%s\n\n%s\n\n", v->name,
		v->operands[0] ? " " : "", v->operands, v->summary);
	for (size_t i = 0; i < N_SPECS; i++) {
		const struct option_spec *s = &specs[i];

		if (!has(v, s))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s%s%c", s->name, s->argument ? " " : "",
			 s->argument ? s->argument : "", s->letter ? ", -" : "", s->letter);
		fprintf(out, "  %-22s %s\n", left, s->help);
	}
}
