/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/import/compose.h>
#include <bulkhead/policy/format.h>
#include <bulkhead/policy/policy.h>

/*
 * Compose files. Beyond not crashing: what is made of one is a set of policies that is valid without a
 * warning and canonical, all of it in audit mode, and nothing in it was said by the file but names and
 * ports.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static void check_form(const struct policy_source *src)
{
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	struct bh_buf out;

	diag_list_init(&diags);
	bh_buf_init(&out, BH_FORMAT_BYTES_MAX);
	must(policy_format(src, &out, &diags, &err) == 0);
	must(out.len == src->len && memcmp(out.data, src->data, src->len) == 0);
	bh_buf_done(&out);
	diag_list_done(&diags);
}

static void check_service(const struct service *s)
{
	must(s->mode == MODE_AUDIT && s->select.compose && !s->egress_follow && !s->scope);
	must(!s->select.name && !s->select.image && !s->select.n_labels);
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (size_t i = 0; i < s->n_rules[d]; i++)
			for (size_t k = 0; k < s->rules[d][i].n_peers; k++) {
				const struct peer *p = &s->rules[d][i].peers[k];

				must(!p->has_cidr && !p->group && !p->n_labels);
				must(p->service || d == DIRECTION_INGRESS);
			}
}

static void check_set(const struct policy_source *sources, size_t n)
{
	struct policy_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;

	diag_list_init(&diags);
	must(policy_parse(sources, n, &set, &diags, &err) == 0 && set->n_services == n);
	policy_lint(set, 1790000000, &diags);
	must(diags.errors == 0 && diags.warnings == 0);
	for (size_t i = 0; i < n; i++)
		check_service(&set->services[i]);
	policy_set_free(set);
	diag_list_done(&diags);
}

static void check(const struct compose_import *c)
{
	struct policy_source *sources = calloc(c->n, sizeof(*sources));

	must(c->n > 0 && c->n <= BH_COMPOSE_SERVICES_MAX && sources);
	for (size_t i = 0; i < c->n; i++) {
		must(bh_name_is_valid(c->policies[i].name));
		sources[i] = (struct policy_source) { c->policies[i].name, c->policies[i].text,
						      c->policies[i].len };
		check_form(&sources[i]);
	}
	check_set(sources, c->n);
	free(sources);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct policy_source src = { "dir/compose.yaml", (const char *)data, size };
	struct compose_import *c = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	int r;

	diag_list_init(&diags);
	r = compose_import(&src, NULL, "Some.Dir", &c, &diags, &err);
	must(r == 0 || r == -EINVAL);
	must((r == 0) == (diags.errors == 0) && (r == 0) == (c != NULL));
	if (c)
		check(c);
	compose_import_free(c);
	diag_list_done(&diags);
	return 0;
}
