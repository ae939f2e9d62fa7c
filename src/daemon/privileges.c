/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "privileges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/enforce/enforce.h>

#include "announcement.h"
#include "engines.h"

const struct ctl_arg privileges_args[] = {
	{ "runtime", CTL_TYPE_STRING, true },
	{ "id", CTL_TYPE_STRING, true },
	{ "wait", CTL_TYPE_INTEGER, false },
	{ 0 },
};

/* Who waits for an answer. */
struct asker {
	struct privileges *p;
	struct ctl_call *call;
	enum endpoint_runtime runtime;
	sd_event_source *deadline;
	struct asker *next;
	char id[];
};

struct privileges {
	struct controller *c;
	struct asker *all;
};

static void drop(struct asker *a)
{
	struct asker **at = &a->p->all;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	sd_event_source_disable_unref(a->deadline);
	free(a);
}

void privileges_gone(struct ctl_call *call, void *arg)
{
	struct asker *a = ctl_call_data(call);

	if (a)
		drop(a);
}

/* --- what is asked for ---------------------------------------------------------------------------- */

static bool anybody_denies(const struct controller *c)
{
	for (size_t i = 0; i < c->site.policies->n_services; i++)
		if (c->site.policies->services[i].denies_raw)
			return true;
	return false;
}

/* B has the one endpoint, and is empty afterwards. */
static int is_denied(const struct controller *c, struct endpoint_builder *b, bool *ret,
		     struct bh_err *err)
{
	struct selection *selection = NULL;
	struct endpoint_set *set = NULL;
	int r = endpoint_builder_finish(b, &set, err);

	if (r >= 0)
		r = selection_new(c->site.policies, set, c->site.host.image_labels, &selection,
				  err);
	if (r >= 0)
		*ret = set->n && privileges_deny_raw(c->site.policies, selection, 0);
	selection_free(selection);
	endpoint_set_free(set);
	return r;
}

/* 1: it is known; 0: not yet. */
static int find(const struct controller *c, enum endpoint_runtime runtime, const char *id,
		bool *ret, struct bh_err *err)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct diag_list diags;
	int r;

	if (!b)
		return bh_err_oom(err);
	diag_list_init(&diags);
	r = engines_named(c->engines, runtime, id, -1, NULL, b, &diags, err);
	controller_tell_diags(&diags, controller_log, NULL);
	diag_list_done(&diags);
	if (r > 0) {
		r = is_denied(c, b, ret, err);
		r = r < 0 ? r : 1;
	}
	endpoint_builder_free(b);
	return r;
}

/* --- the answer ----------------------------------------------------------------------------------- */

static void answer(struct ctl_call *call, const char *id, bool denied)
{
	char shown[BH_HINT_ID_MAX];

	ctl_call_item(call, json_pack("{s:s, s:s}", "id", bh_escape_str(shown, sizeof(shown), id),
				      "state", denied ? "denied" : "kept"));
	ctl_call_end(call, CTL_EXIT_YES, NULL);
}

static void refuse(struct ctl_call *call, int r, const struct bh_err *err)
{
	ctl_call_end(call, r == -EINVAL ? CTL_EXIT_USAGE : CTL_EXIT_FAILED,
		     err->msg[0] ? err->msg : strerror(-r));
}

/* False: it waits on. */
static bool settle(struct asker *a)
{
	struct bh_err err = BH_ERR_INIT;
	struct ctl_call *call = a->call;
	bool denied = false;
	int r = find(a->p->c, a->runtime, a->id, &denied, &err);

	if (r == 0)
		return false;
	if (r > 0)
		answer(call, a->id, denied);
	else
		refuse(call, r, &err);
	drop(a);
	return true;
}

void privileges_known(struct privileges *p, const char *container)
{
	struct asker *a, *next;

	for (a = p ? p->all : NULL; a; a = next) {
		next = a->next;
		if (strcmp(a->id, container) == 0)
			settle(a);
	}
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *arg)
{
	struct asker *a = arg;
	struct ctl_call *call = a->call;

	if (settle(a))
		return 0;
	drop(a);
	ctl_call_end(call, CTL_EXIT_FAILED, "its engine does not say what it is in time");
	return 0;
}

static int wait_for(struct privileges *p, struct ctl_call *call, const json_t *args, const char *id,
		    enum endpoint_runtime runtime)
{
	json_int_t ms = json_integer_value(json_object_get(args, "wait"));
	size_t size = strlen(id) + 1;
	struct asker *a = calloc(1, sizeof(*a) + size);
	int r;

	if (!a)
		return -ENOMEM;
	ms = ms <= 0 || ms > BH_PROTECT_WAIT_MAX_MS ? BH_PROTECT_WAIT_MAX_MS : ms;
	r = sd_event_add_time_relative(p->c->event, &a->deadline, CLOCK_MONOTONIC,
				       (uint64_t)ms * 1000, 1, on_deadline, a);
	if (r < 0) {
		free(a);
		return r;
	}
	a->p = p;
	a->call = call;
	a->runtime = runtime;
	memcpy(a->id, id, size);
	a->next = p->all;
	p->all = a;
	ctl_call_set_data(call, a);
	return 0;
}

void privileges_run(struct ctl_call *call, const json_t *args, void *arg)
{
	struct controller *c = arg;
	struct bh_err err = BH_ERR_INIT;
	const char *id = json_string_value(json_object_get(args, "id"));
	enum endpoint_runtime runtime =
		announcement_runtime(json_string_value(json_object_get(args, "runtime")));
	bool denied = false;
	int r;

	if (runtime != ENDPOINT_DOCKER && runtime != ENDPOINT_PODMAN)
		r = bh_err_set(&err, -EINVAL, "\"runtime\" takes docker or podman");
	else
		r = anybody_denies(c) ? find(c, runtime, id, &denied, &err) : 1;
	if (r == 0)
		r = wait_for(c->privileges, call, args, id, runtime);
	else if (r > 0)
		answer(call, id, denied);
	if (r < 0)
		refuse(call, r, &err);
}

/* --- life ----------------------------------------------------------------------------------------- */

int privileges_new(struct controller *c, struct privileges **ret, struct bh_err *err)
{
	struct privileges *p = calloc(1, sizeof(*p));

	if (!p)
		return bh_err_oom(err);
	p->c = c;
	*ret = p;
	return 0;
}

void privileges_free(struct privileges *p)
{
	free(p);
}
