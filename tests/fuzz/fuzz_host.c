/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/policy/policy.h>

/*
 * The host file. Beyond not crashing: what is accepted never grants without a name or to owners that
 * are not there, never listens beyond loopback, and keeps within its bounds.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static void check_grants(const struct host_config *c)
{
	must(c->n_grants <= BH_CTL_GRANTS_MAX);
	for (size_t i = 0; i < c->n_grants; i++) {
		const struct host_grant *g = &c->grants[i];

		must(g->who && *g->who && g->loc.file && g->loc.line);
		must(g->everything ? !g->n_owners : g->n_owners > 0);
		must(g->n_owners <= BH_CTL_OWNERS_MAX);
		for (size_t k = 0; k < g->n_owners; k++)
			must(*g->owners[k] != '\0');
	}
}

static void check_outputs(const struct host_config *c)
{
	must(c->n_outputs <= BH_OUTPUTS_MAX);
	for (size_t i = 0; i < c->n_outputs; i++) {
		const struct host_output *o = &c->outputs[i];

		must(o->loc.file && o->loc.line);
		must(o->kind == OUTPUT_JOURNAL ? !o->path : o->path && o->path[0] == '/');
		must(o->facility <= 23 && o->rotate_keep <= BH_OUTPUT_KEEP_MAX);
		must(!o->rotate_megabytes == !o->rotate_keep);
	}
	must(c->limits.flows >= BH_FLOWS_MIN && c->limits.flows <= BH_FLOWS_CEILING);
	must(c->limits.records_per_second >= 1 &&
	     c->limits.records_per_second <= BH_RECORDS_PER_S_MAX);
}

static void check(const struct host_config *c)
{
	check_grants(c);
	check_outputs(c);
	must(c->docker_socket[0] == '/' && strlen(c->docker_socket) < 108);
	must(c->podman_socket[0] == '/' && strlen(c->podman_socket) < 108);
	must(c->control.socket[0] == '/' && strlen(c->control.socket) < 108);
	must(!c->control.read_only_socket ||
	     strcmp(c->control.socket, c->control.read_only_socket) != 0);
	must(!c->metrics.listen || (bh_addr_is_loopback(&c->metrics.addr) && c->metrics.port));
	must(!c->metrics.textfile || c->metrics.textfile[0] == '/');
	must(c->retention.generations >= 1 && c->retention.generations <= BH_GENERATIONS_MAX);
	must(c->retention.denied_days >= 1 && c->retention.denied_days <= BH_DENIED_DAYS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_source source = { "h.yaml", (const char *)data, size };
	struct bh_err err = BH_ERR_INIT;
	struct host_config c;
	struct diag_list diags;
	int r;

	diag_list_init(&diags);
	r = host_config_parse(&source, &c, &diags, &err);
	must(r == 0 || r == -EINVAL);
	must((r == 0) == (diags.errors == 0));
	if (r == 0) {
		check(&c);
		host_config_done(&c);
	}
	diag_list_done(&diags);
	return 0;
}
