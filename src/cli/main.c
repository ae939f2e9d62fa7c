/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include "cli.h"

/* Of all that look at a site. */
#define SITE "policies inventory config netns-dir docker-socket podman-socket"

const struct cli_verb cli_verbs[] = {
	{ "check", "[PATH...]", "validate policies, all mistakes at once; needs no root",
	  "policies inventory endpoints config docker-socket podman-socket netns-dir format.check "
	  "lints strict.check json",
	  cmd_check },
	{ "init", "FILE", "policies to begin with, from a Docker Compose file; needs no root",
	  "output.init project", cmd_init, .takes_word = true },
	{ "fmt", "[PATH...]", "policies in their canonical form; comments stay; - for stdin",
	  "policies write check.fmt", cmd_fmt },
	{ "schema", "", "a JSON Schema of policies, for editors", "host", cmd_schema },
	{ "explain", "", "would this flow pass, and which line says so; needs no root",
	  SITE " json from to port.explain batch compare", cmd_explain },
	{ "test", "[PATH...]", "run the policy tests that lie beside the policies; needs no root",
	  "policies inventory config verbose junit json", cmd_test },
	{ "diff", "DIR1 DIR2", "which flows open and which close from one policy set to another",
	  "inventory config json", cmd_diff, .takes_files = true },
	{ "suggest", "[FILE...]", "the smallest edit of the policies that lets denied flows pass",
	  SITE " json from to port.explain", cmd_suggest, .takes_files = true },
	{ "apply", "", "make every namespace's kernel match the policies",
	  SITE " socket store.apply confirm strict.apply json clean", cmd_apply },
	{ "plan", "", "what apply would change; changes nothing, 1 if there is something",
	  SITE " socket json", cmd_plan },
	{ "status", "", "every endpoint: protected or not, and why",
	  SITE " socket json strict.status", cmd_status },
	{ "probe", "", "real packets from every namespace to every other, against the policies",
	  SITE " socket store.apply from to port.explain listen-only rate junit json", cmd_probe },
	{ "verify", "", "read every kernel back: declared is enforced, and nothing goes round it",
	  SITE " socket scope.verify findings json", cmd_verify },
	{ "denied", "", "what was denied, when, by which line; as it happens with --follow",
	  SITE " store.denied since.denied until service.denied container peer port.denied "
	       "direction rule verdict uid by sort reverse limit page summary json follow signals "
	       "format.denied pcap",
	  cmd_denied },
	{ "rules", "[PATH...]", "every policy rule: hits, the last one, who answers for it",
	  "policies config store.denied scope.verify service.rules unused json", cmd_rules },
	{ "endpoints", "", "the containers and namespaces that policies can select", SITE " json",
	  cmd_endpoints },
	{ "export", "", "the rules as text for nft -f, or who may reach whom as a graph",
	  SITE " format.export endpoint", cmd_export },
	{ "report", "", "evidence for a scope, requirement by requirement: a page, JSON, Markdown",
	  SITE " socket store.apply scope.report format.report output.report since.report probe "
	       "rules verify.report days key check.report",
	  cmd_report },
	{ "history", "[GENERATION]", "what was changed, by whom, when; one change with its diff",
	  "store.apply generations verify.history json", cmd_history, true },
	{ "rollback", "[GENERATION]", "back to an earlier policy set: files and kernel",
	  SITE " socket store.apply strict.apply json", cmd_rollback, true },
	{ "confirm", "", "keep what was applied with apply --confirm", "socket json", cmd_confirm },
	{ "install", "", "have Docker or Podman start nothing without its policy",
	  "docker podman daemon-json hooks-dir default runtime config dry-run", cmd_install },
	{ "uninstall", "", "take that back: their files become what they were",
	  "docker podman daemon-json hooks-dir dry-run", cmd_uninstall },
};
const size_t cli_n_verbs = BH_ARRAY_SIZE(cli_verbs);

static const struct cli_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < cli_n_verbs; i++)
		if (strcmp(cli_verbs[i].name, name) == 0)
			return &cli_verbs[i];
	return NULL;
}

static int unknown_verb(const char *word)
{
	const char *names[BH_ARRAY_SIZE(cli_verbs)], *near;
	char shown[128];

	for (size_t i = 0; i < cli_n_verbs; i++)
		names[i] = cli_verbs[i].name;
	near = bh_nearest(word, names, cli_n_verbs);
	bh_escape_str(shown, sizeof(shown), word);
	if (near)
		return cli_fail(CLI_USAGE, "there is no verb '%s'; did you mean '%s'?", shown,
				near);
	return cli_fail(CLI_USAGE, "there is no verb '%s'; bulkhead --help lists them", shown);
}

int main(int argc, char **argv)
{
	struct cli_options options;
	const struct cli_verb *verb;
	int r;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		cli_print_help(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		cli_print_help(stdout);
		return CLI_YES;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("bulkhead " BULKHEAD_VERSION);
		return CLI_YES;
	}
	verb = find_verb(argv[1]);
	if (!verb)
		return unknown_verb(argv[1]);
	r = cli_parse(verb, argc - 1, argv + 1, &options);
	if (r != 0)
		return r < 0 ? CLI_YES : r;
	r = verb->run(&options);
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_output_failed();
	return r;
}
