/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/site.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/policy/policy.h>
#include <bulkhead/runtime/runtime.h>

#include "living.h"

void site_init(struct site *s)
{
	*s = (struct site) { .now = time(NULL) };
	host_config_init(&s->host);
}

/* What policies and endpoints mean together. */
static void free_endpoints(struct site *s)
{
	ruleset_list_free(s->rulesets);
	selection_free(s->selection);
	endpoint_set_free(s->endpoints);
}

void site_done(struct site *s)
{
	compile_state_free(s->state);
	free_endpoints(s);
	policy_set_free(s->policies);
	policy_files_free(s->files);
	host_config_done(&s->host);
	*s = (struct site) { 0 };
}

int site_load_config(struct site *s, const struct site_options *o, struct diag_list *diags,
		     struct bh_err *err)
{
	struct host_config host;
	int r = host_config_load(o->config, &host, diags, err);

	if (r < 0)
		return r;
	host_config_done(&s->host);
	s->host = host;
	return 0;
}

int site_load_policies(struct site *s, const struct site_options *o, struct diag_list *diags,
		       struct bh_err *err)
{
	int r_config, r;

	/* Both are read even when the first is wrong: all mistakes in one run. */
	r_config = site_load_config(s, o, diags, err);
	if (r_config < 0 && r_config != -EINVAL)
		return r_config;
	r = policy_read(o->policies, o->n_policies, &s->files, diags, err);
	if (r >= 0)
		r = policy_files_parse(s->files, &s->policies, diags, err);
	if (r < 0)
		return r;
	policy_lint(s->policies, s->now, diags);
	return r_config;
}

/* Ask one container runtime; silent only when nobody named it and no socket is there. */
static int list_runtime(const char *named, const char *fallback, enum endpoint_runtime runtime,
			struct endpoint_builder *b, struct diag_list *diags, struct bh_err *err)
{
	const char *path = named ? named : fallback;

	if (!named && !runtime_socket_exists(path))
		return 0;
	return runtime_docker_list(path, runtime, b, diags, err);
}

/*
 * Docker takes its socket away when it ends, and with live-restore its containers run on. A listing
 * without them would give their addresses to the world.
 */
static int list_docker(const char *named, const char *fallback, struct endpoint_builder *b,
		       struct diag_list *diags, struct bh_err *err)
{
	static const char namespaces[] = "/var/run/docker/netns";
	bool left = !named && !runtime_socket_exists(fallback) &&
		    runtime_docker_has_namespaces(namespaces);
	int r = list_runtime(left ? fallback : named, fallback, ENDPOINT_DOCKER, b, diags, err);

	return r < 0 && left ? bh_err_prefix(err, r, "containers are running (%s)", namespaces) : r;
}

static int list_host(struct site *s, const struct site_options *o, struct endpoint_builder *b,
		     struct diag_list *diags, struct bh_err *err)
{
	int r = runtime_host_addrs(b, err);

	if (r >= 0 && (s->host.docker || o->docker_socket))
		r = list_docker(o->docker_socket, s->host.docker_socket, b, diags, err);
	if (r >= 0 && (s->host.podman || o->podman_socket))
		r = list_runtime(o->podman_socket, s->host.podman_socket, ENDPOINT_PODMAN, b, diags,
				 err);
	if (r >= 0 && (s->host.netns || o->netns_dir))
		r = runtime_netns_list(o->netns_dir, b, diags, err);
	return r;
}

/* What the host file says of namespaces comes before what an inventory does. */
static int add_namespace_labels(const struct site *s, struct endpoint_builder *b,
				struct bh_err *err)
{
	return endpoint_builder_add_namespace_labels(b, s->host.namespace_labels,
						     s->host.n_namespace_labels, err);
}

int site_load_endpoints(struct site *s, const struct site_options *o, struct diag_list *diags,
			bool *ret_is_input, struct bh_err *err)
{
	struct endpoint_builder *b = endpoint_builder_new();
	int r;

	*ret_is_input = o->inventory != NULL;
	if (!b)
		return bh_err_oom(err);
	r = add_namespace_labels(s, b, err);
	if (r >= 0 && o->inventory)
		r = runtime_inventory_load(o->inventory, b, diags, err);
	else if (r >= 0)
		r = list_host(s, o, b, diags, err);
	if (r >= 0 && !o->inventory && o->add_more)
		r = o->add_more(b, s->policies, diags, o->arg, err);
	if (r >= 0)
		r = endpoint_builder_finish(b, &s->endpoints, err);
	endpoint_builder_free(b);
	return r;
}

int site_compile(struct site *s, bool all_subjects, struct diag_list *diags, struct bh_err *err)
{
	struct compile_input in = {
		.policies = s->policies,
		.endpoints = s->endpoints,
		.host = &s->host,
		.now = s->now,
	};
	static uint64_t serial;
	struct compile_changes changes; /* the rulesets themselves tell: the others are the same */
	int r;

	s->serial = ++serial;
	r = selection_new(s->policies, s->endpoints, s->host.image_labels, &s->selection, err);
	if (r >= 0)
		site_lint_nobody(s, diags); /* the likeliest mistake of all is one in select: */
	if (r >= 0 && s->state && !all_subjects)
		r = compile_update(s->state, &in, &s->rulesets, &changes, diags, err);
	else if (r >= 0)
		r = compile_rulesets(&in, all_subjects, &s->rulesets, diags, err);
	return r;
}

/* What a look makes anew. */
static struct site begin_anew(const struct site *s)
{
	struct site next = *s;

	next.now = time(NULL);
	next.endpoints = NULL;
	next.selection = NULL;
	next.rulesets = NULL;
	next.outdated = false;
	return next;
}

/* R: of listing the endpoints of NEXT. */
static int end_anew(struct site *s, struct site *next, int r, struct diag_list *diags,
		    struct bh_err *err)
{
	if (r >= 0)
		r = site_compile(next, false, diags, err);
	free_endpoints(r < 0 ? next : s);
	if (r >= 0)
		*s = *next;
	return r;
}

int site_refresh(struct site *s, const struct site_options *o, struct diag_list *diags,
		 bool *ret_is_input, struct bh_err *err)
{
	struct site next = begin_anew(s);
	int r = site_load_endpoints(&next, o, diags, ret_is_input, err);

	if (r >= 0 && !o->inventory)
		r = living_keep(s->endpoints ? s->endpoints : o->known, &next.endpoints, err);
	return end_anew(s, &next, r, diags, err);
}

int site_assume(struct site *s, const struct endpoint_set *known, struct diag_list *diags,
		struct bh_err *err)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct site next = begin_anew(s);
	int r = b ? endpoint_builder_add_set(b, known, NULL, NULL, err) : bh_err_oom(err);

	if (r >= 0)
		r = add_namespace_labels(&next, b, err);
	if (r >= 0)
		r = endpoint_builder_finish(b, &next.endpoints, err);
	endpoint_builder_free(b);
	next.outdated = true;
	return end_anew(s, &next, r, diags, err);
}

/* --- only some of them ------------------------------------------------------------------------ */

struct some {
	struct site_hint *hints;
	size_t n;
};

/* As if it were listed: unless it is asked about, or only add_more() can tell. */
static bool stays(const struct endpoint *e, const void *arg)
{
	const struct some *some = arg;

	if (e->runtime == ENDPOINT_UNKNOWN || endpoint_is_announced(e->runtime) ||
	    (endpoint_is_of_engine(e->runtime) && !e->pid))
		return false;
	for (size_t i = 0; i < some->n; i++)
		if (some->hints[i].runtime == e->runtime && strcmp(some->hints[i].id, e->id) == 0)
			return false;
	return true;
}

static int ask_about(const struct site *s, const struct site_options *o, struct site_hint *h,
		     struct endpoint_builder *b, struct diag_list *diags, struct bh_err *err)
{
	const char *docker = o->docker_socket ? o->docker_socket : s->host.docker_socket;
	const char *podman = o->podman_socket ? o->podman_socket : s->host.podman_socket;

	int r;

	if (!endpoint_is_of_engine(h->runtime) && h->runtime != ENDPOINT_NETNS)
		return 0; /* add_more() tells */
	if (h->runtime == ENDPOINT_NETNS)
		return runtime_netns_one(o->netns_dir, h->id, b, diags, err);
	r = runtime_docker_container(h->runtime == ENDPOINT_PODMAN ? podman : docker, h->id,
				     h->runtime, o->images, b, diags, err);
	h->ended = r == 0;
	if (r > 0 && h->ended_pid)
		endpoint_builder_drop(b, h->id, h->ended_pid);
	return r;
}

static int list_some(struct site *next, const struct endpoint_set *before,
		     const struct site_options *o, const struct some *some, struct diag_list *diags,
		     struct bh_err *err)
{
	struct endpoint_builder *b = endpoint_builder_new();
	int r = b ? endpoint_builder_add_set(b, before, stays, some, err) : bh_err_oom(err);

	if (r >= 0)
		r = add_namespace_labels(next, b, err);
	for (size_t i = 0; i < some->n && r >= 0; i++)
		r = ask_about(next, o, &some->hints[i], b, diags, err);
	if (r >= 0 && o->add_more)
		r = o->add_more(b, next->policies, diags, o->arg, err);
	if (r >= 0)
		r = endpoint_builder_finish(b, &next->endpoints, err);
	endpoint_builder_free(b);
	return r;
}

static bool has_not_ended(const struct endpoint *e, const void *arg)
{
	const struct some *some = arg;

	for (size_t i = 0; i < some->n; i++)
		if (some->hints[i].ended_pid && some->hints[i].ended_pid == e->pid &&
		    some->hints[i].runtime == e->runtime && strcmp(some->hints[i].id, e->id) == 0)
			return false;
	return true;
}

/* Who would have to be asked does not answer; what has ended is known without. */
static void forget_ended(struct site *s, const struct some *some, struct diag_list *diags)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct site next = begin_anew(s);
	int r = b ? endpoint_builder_add_set(b, s->endpoints, has_not_ended, some, NULL) : -ENOMEM;

	if (r >= 0)
		r = add_namespace_labels(&next, b, NULL);
	if (r >= 0)
		r = endpoint_builder_finish(b, &next.endpoints, NULL);
	endpoint_builder_free(b);
	next.outdated = s->outdated;
	if (r >= 0 && next.endpoints->n == s->endpoints->n)
		r = -EALREADY;
	end_anew(s, &next, r, diags, NULL); /* R < 0: S is as it was */
}

int site_refresh_some(struct site *s, const struct site_options *o, struct site_hint *hints,
		      size_t n, struct diag_list *diags, struct bh_err *err)
{
	const struct some some = { hints, n };
	struct site next = begin_anew(s);
	int r;

	if (o->inventory)
		return -EOPNOTSUPP;
	r = list_some(&next, s->endpoints, o, &some, diags, err);
	if (r >= 0)
		r = living_keep(s->endpoints, &next.endpoints, err);
	if (r >= 0 && s->rulesets && endpoint_set_equal(s->endpoints, next.endpoints)) {
		endpoint_set_free(next.endpoints);
		return 0;
	}
	r = end_anew(s, &next, r, diags, err);
	if (r < 0)
		forget_ended(s, &some, diags);
	return r < 0 ? r : 1;
}

const struct ruleset_item *site_item_of(const struct site *s, size_t i)
{
	return s->rulesets ? ruleset_list_find(s->rulesets, i) : NULL;
}

bool site_is_wanted(const struct site *s, size_t i)
{
	const struct selection_list *l = &s->selection->services_of[i];

	if (site_item_of(s, i) || (s->rulesets && s->rulesets->guarded[i]))
		return true;
	for (size_t k = 0; k < l->n; k++)
		if (s->policies->services[l->i[k]].mode != MODE_OFF)
			return true;
	return !l->n && s->host.unmanaged == UNMANAGED_QUARANTINE;
}

const char *site_services_of(const struct site *s, size_t i, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	if (!s->selection)
		return out;
	for (size_t k = 0; k < s->selection->services_of[i].n && len < cap; k++)
		len += (size_t)snprintf(
			out + len, cap - len, "%s%s", k ? ", " : "",
			s->policies->services[s->selection->services_of[i].i[k]].name);
	return out;
}

static const char *scope_of(const struct site *s, size_t i, size_t k)
{
	return s->policies->services[s->selection->services_of[i].i[k]].scope;
}

static bool scope_was_named(const struct site *s, size_t i, size_t before)
{
	for (size_t k = 0; k < before; k++)
		if (scope_of(s, i, k) && strcmp(scope_of(s, i, k), scope_of(s, i, before)) == 0)
			return true;
	return false;
}

const char *site_scopes_of(const struct site *s, size_t i, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t k = 0; s->selection && k < s->selection->services_of[i].n && len < cap; k++)
		if (scope_of(s, i, k) && !scope_was_named(s, i, k))
			len += (size_t)snprintf(out + len, cap - len, "%s%s", len ? ", " : "",
						scope_of(s, i, k));
	return out;
}
