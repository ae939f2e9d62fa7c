/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include "cli.h"

const struct cli_verb cli_verbs[] = {
	{ "check", "[PATH...]", "validate policies, all mistakes at once; needs no root",
	  "piecdmn123j", cmd_check },
	{ "init", "FILE", "policies to begin with, from a Docker Compose file; needs no root", "NQ",
	  cmd_init, .takes_word = true },
	{ "fmt", "[PATH...]", "policies in their canonical form; comments stay; - for stdin", "pWY",
	  cmd_fmt },
	{ "schema", "", "a JSON Schema of policies, for editors", "h", cmd_schema },
	{ "explain", "", "would this flow pass, and which line says so; needs no root",
	  "picdmnjFTPB4", cmd_explain },
	{ "test", "[PATH...]", "run the policy tests that lie beside the policies; needs no root",
	  "picXUj", cmd_test },
	{ "diff", "DIR1 DIR2", "which flows open and which close from one policy set to another",
	  "icj", cmd_diff, .takes_files = true },
	{ "suggest", "[FILE...]", "the smallest edit of the policies that lets denied flows pass",
	  "picdmnjFTP", cmd_suggest, .takes_files = true },
	{ "apply", "", "make every namespace's kernel match the policies", "picdmnkDwSjC",
	  cmd_apply },
	{ "plan", "", "what apply would change; changes nothing, 1 if there is something",
	  "picdmnkj", cmd_plan },
	{ "status", "", "every endpoint: protected or not, and why", "picdmnkjs", cmd_status },
	{ "probe", "", "real packets from every namespace to every other, against the policies",
	  "picdmnkDFTP!%Uj", cmd_probe },
	{ "verify", "", "read every kernel back: declared is enforced, and nothing goes round it",
	  "picdmnk@^j", cmd_verify },
	{ "denied", "", "what was denied, when, by which line; as it happens with --follow",
	  "picdmnHaAvtrqIJKuyzRlLMjfgox", cmd_denied },
	{ "rules", "[PATH...]", "every policy rule: hits, the last one, who answers for it",
	  "pcH@=+j", cmd_rules },
	{ "endpoints", "", "the containers and namespaces that policies can select", "picdmnj",
	  cmd_endpoints },
	{ "export", "", "the rules as text for nft -f, or who may reach whom as a graph",
	  "picdmnOE", cmd_export },
	{ "report", "", "evidence for a scope, requirement by requirement: a page, JSON, Markdown",
	  "picdmnkD56789&#0bZ", cmd_report },
	{ "history", "[GENERATION]", "what was changed, by whom, when; one change with its diff",
	  "DGVj", cmd_history, true },
	{ "rollback", "[GENERATION]", "back to an earlier policy set: files and kernel",
	  "picdmnkDSj", cmd_rollback, true },
	{ "confirm", "", "keep what was applied with apply --confirm", "kj", cmd_confirm },
	{ "install", "", "have Docker or Podman start nothing without its policy", "<>{~}|c;",
	  cmd_install },
	{ "uninstall", "", "take that back: their files become what they were", "<>{~;",
	  cmd_uninstall },
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
