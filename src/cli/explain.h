/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "cli.h"

/* One question, or many, answered under the policies and, with --compare, under others, too. */

struct asker {
	const struct site *site;
	const struct explainer *now;
	const struct explainer *other; /* NULL: there is nothing to compare with */
};

/* The other policies, for the same endpoints. */
struct comparison {
	struct site site;        /* its policies alone */
	struct compile_input in; /* which the explainer borrows */
	struct ruleset_list *rulesets;
	struct explainer *explainer;
};

/* CLI_YES, or the exit code after it was said why. comparison_done() in either case. */
int comparison_load(struct comparison *c, const struct site *s, const struct cli_options *o);
void comparison_done(struct comparison *c);

/* The lines of a file, a question each; the first that is none ends it. An exit code. */
int explain_batch(const struct asker *a, const struct cli_options *o);

/* {verdict, source, destination, sentence}; NULL when out of memory. */
json_t *explain_json(const struct explanation *x);

/*
 * Words of questions that were understood, by their text: the same few come again and again. What
 * there is no room for is understood anew each time.
 */
struct word_cache;
struct word_cache *word_cache_new(const struct endpoint_set *endpoints); /* NULL: out of memory */
void word_cache_free(struct word_cache *c);                              /* takes NULL */
/* As explain_party_parse() and cli_port_parse(). */
int word_cache_party(struct word_cache *c, const char *word, struct explain_party *ret,
		     struct bh_err *err);
int word_cache_port(struct word_cache *c, const char *word, struct port_spec *ret,
		    struct bh_err *err);

#endif
