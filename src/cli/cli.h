/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>

#include <bulkhead/base/err.h>
#include <bulkhead/enforce/site.h>
#include <bulkhead/model/diag.h>

/* Exit codes of every verb. */
enum { CLI_YES = 0, CLI_NO = 1, CLI_USAGE = 2, CLI_FAILED = 3 };

#define CLI_PATHS_MAX 64
#define CLI_WORDS_MAX 256

/* An option that may be repeated, its values also joined with commas; borrowed from argv. */
struct cli_words {
	const char *words[CLI_WORDS_MAX];
	size_t n;
};

/* What the command line said. Strings are borrowed from argv. */
struct cli_options {
	const char *policies[CLI_PATHS_MAX]; /* --policies, or the operands of check */
	size_t n_policies;
	bool policies_given;
	const char *inventory, *config, *netns_dir, *docker_socket, *podman_socket, *socket;
	const char *from, *to, *port, *batch, *format, *endpoint, *pcap, *junit, *compare;
	const char *store, *rate;
	const char *output, *project;
	struct cli_words scopes;
	/* of report; CHECKED: --check, COUNTED: --rules, VERIFIED: --verify, all FILE */
	const char *scope, *probe, *days, *key, *checked, *counted, *verified;
	const char *daemon_json, *hooks_dir, *runtime; /* install */
	struct cli_words services, containers, peers, ports, directions, rules, verdicts, uids, by;
	const char *since, *until, *sort, *limit, *page;
	const char *unused;
	const char *confirm;
	unsigned confirm_seconds;         /* what it says; 0: nothing */
	const char *word;                 /* the operand of a verb that takes one */
	const char *files[CLI_PATHS_MAX]; /* the operands of a verb that takes files */
	size_t n_files;
	bool json, strict, clean, follow, endpoints, verify, generations, signals, reverse, summary,
		host, write, check, lints, verbose, listen_only, findings, docker, podman,
		as_default, dry_run;
};

/* One verb: src/cli/<verb>.c. OPTIONS are words: ids of options.c's table. */
struct cli_verb {
	const char *name, *operands, *summary, *options;
	int (*run)(struct cli_options *o);
	bool takes_word;  /* the operand is one word, not policy paths */
	bool takes_files; /* the operands are files of another kind */
};

extern const struct cli_verb cli_verbs[];
extern const size_t cli_n_verbs;

int cmd_check(struct cli_options *o);
int cmd_init(struct cli_options *o);
int cmd_fmt(struct cli_options *o);
int cmd_schema(struct cli_options *o);
int cmd_endpoints(struct cli_options *o);
int cmd_explain(struct cli_options *o);
int cmd_test(struct cli_options *o);
int cmd_diff(struct cli_options *o);
int cmd_suggest(struct cli_options *o);
int cmd_apply(struct cli_options *o);
int cmd_plan(struct cli_options *o);
int cmd_probe(struct cli_options *o);
int cmd_status(struct cli_options *o);
int cmd_denied(struct cli_options *o);
int cmd_export(struct cli_options *o);
int cmd_report(struct cli_options *o);
int cmd_history(struct cli_options *o);
int cmd_rollback(struct cli_options *o);
int cmd_confirm(struct cli_options *o);
int cmd_rules(struct cli_options *o);
int cmd_verify(struct cli_options *o);
int cmd_install(struct cli_options *o);
int cmd_uninstall(struct cli_options *o);

/* Parse argv[1..] of a verb. 0; CLI_USAGE after having said why; -1 when --help was printed. */
int cli_parse(const struct cli_verb *v, int argc, char **argv, struct cli_options *ret);
void cli_print_help(FILE *out);
void cli_print_verb_help(const struct cli_verb *v, FILE *out);

/* "bulkhead: ..." on stderr; returns CODE. */
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool cli_colour(FILE *out); /* a terminal, and NO_COLOR unset */

/* How far a verb's site is loaded. */
enum cli_need {
	NEED_POLICIES = 1,
	NEED_ENDPOINTS = 2,
	NEED_RULESETS = 4,
	NEED_ALL_SUBJECTS = 8,
	NEED_LINT = 16, /* of endpoints; with RULESETS */
};

/*
 * Load a site as the options say; diagnostics go to stderr. CLI_YES, or the exit code after the
 * reason was printed. The caller calls site_done() in either case.
 */
int cli_load(struct site *s, const struct cli_options *o, unsigned need);
/*
 * The same for those who print diagnostics themselves: they are in DIAGS, sorted, and a sentence that
 * says more is in ERR, or none.
 */
int cli_load_quietly(struct site *s, const struct cli_options *o, unsigned need,
		     struct diag_list *diags, struct bh_err *err);

/* check --format sarif: the run as one object; CLI_YES or CLI_FAILED. check --lints. */
int cli_print_sarif(const struct diag_list *diags);
void cli_print_lints(bool json);

/*
 * Ask a running bulkheadd, unless the options name policies or endpoints of their own: FN gets each
 * item of the answer, which it owns. Returns the exit code of the answer, or CLI_NO_DAEMON when none
 * answers and none was named.
 */
#define CLI_NO_DAEMON (-1)
int cli_ask_daemon(const struct cli_options *o, const char *verb, int (*fn)(json_t *, void *),
		   void *arg);

/* Does it say what to look at? Then it means this run, not what a daemon was told. */
bool cli_names_its_own(const struct cli_options *o);
/* For those who load step by step. */
void cli_site_options(const struct cli_options *o, struct site_options *ret);

/* --from, --to and --port, as a person or a batch file gives them. -errno with the reason in ERR. */
struct cli_question {
	struct explain_party from, to;
	struct port_spec port;
};
int cli_question_parse(const struct site *s, const char *from, const char *to, const char *port,
		       struct cli_question *ret, struct bh_err *err);

/* A time in the past, in microseconds: an age ("10m", "2h", "3d"), a date or RFC 3339. -EINVAL. */
#define CLI_WHEN_HINT "10m, 2h or 3d ago, 2027-01-31 or 2027-01-31T08:00:00Z"
int cli_when_parse(const char *s, int64_t now, int64_t *ret);

/* One port or ICMP type. -errno with the reason in ERR. */
int cli_port_parse(const char *port, struct port_spec *ret, struct bh_err *err);

/* history --generations */
int cli_list_generations(const struct cli_options *o);

/* A string of an object, "" when it has none of that name. */
const char *cli_text(const json_t *o, const char *key);
/* One line of JSON on stdout. */
void cli_print_object(const json_t *o);
/* When and on which host a run was: "when" and "host" of its sums. */
void cli_put_run(json_t *o);

/*
 * --strict: print everything that would stay unheld (enforce_preflight(), ENTER as there). CLI_YES
 * when there is nothing, CLI_NO, CLI_FAILED.
 */
int cli_preflight(struct site *s, const struct cli_options *o, const char *verb, bool enter);

/*
 * FILE, which holds OLD (at most MAX bytes), gets TEXT: whole, with the mode and owner that it has. What a
 * link points to is written, not the link; -ESTALE when somebody has changed it in the meantime.
 */
int cli_rewrite(const char *file, const char *old, size_t old_len, size_t max, const char *text,
		size_t len);
/* FILE, in a directory that is there, becomes TEXT with this MODE; one that is there is replaced. */
int cli_write(const char *file, mode_t mode, const char *text, size_t len);
/* The same, but one that is there stays: -EEXIST. */
int cli_write_new(const char *file, mode_t mode, const char *text, size_t len);

struct bh_buf;
/* Says so once, and nothing when who read it has had enough. Returns CLI_FAILED. */
int cli_output_failed(void);
/* Write and empty a buffer; CLI_FAILED when stdout is gone or memory ran out. */
int cli_flush(struct bh_buf *b);

#endif
