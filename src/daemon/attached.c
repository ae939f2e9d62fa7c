/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attached.h"

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/enforce/enforce.h>
#include <bulkhead/enforce/report.h>

#include "announced.h"
#include "controller.h"
#include "protect.h"

/* --- ready ----------------------------------------------------------------------------------------- */

void attached_run_ready(struct ctl_call *call, const json_t *args, void *arg)
{
	const struct controller *c = arg;
	const char *lacks = NULL;

	if (announced_count(c->announced) >= BH_ANNOUNCED_MAX)
		lacks = "it knows as many containers as it can";
	else if (c->trouble[0])
		lacks = c->trouble;
	else
		lacks = announced_unwritten(c->announced);
	ctl_call_end(call, lacks ? CTL_EXIT_NO : CTL_EXIT_YES, lacks);
}

/* --- examine --------------------------------------------------------------------------------------- */

const struct ctl_arg attached_examine_args[] = {
	{ "runtime", CTL_TYPE_STRING, true },
	{ "id", CTL_TYPE_STRING, true },
	{ "netns_ino", CTL_TYPE_INTEGER, true }, /* that the asker sees */
	{ 0 },
};

struct looking {
	const struct site *site;
	json_t *item;
};

static int on_status(const struct endpoint_status *st, void *arg)
{
	struct looking *l = arg;

	l->item = report_endpoint(l->site, st);
	return 0;
}

/* Without an item: it is not known. */
void attached_run_examine(struct ctl_call *call, const json_t *args, void *arg)
{
	const char *word = json_string_value(json_object_get(args, "runtime"));
	const char *id = json_string_value(json_object_get(args, "id"));
	json_int_t ino = json_integer_value(json_object_get(args, "netns_ino"));
	struct bh_err err = BH_ERR_INIT;
	struct controller *c = arg;
	struct looking l = { &c->site, NULL };
	size_t i;
	int r = 0;

	if (protect_find(c, announcement_runtime(word), id, (uint64_t)ino, &i))
		r = enforce_status_of(&c->site, i, on_status, &l, &err);
	if (l.item)
		ctl_call_item(call, l.item);
	ctl_call_end(call, r < 0 ? CTL_EXIT_FAILED : CTL_EXIT_YES, r < 0 ? err.msg : NULL);
}

/* --- retain ---------------------------------------------------------------------------------------- */

const struct ctl_arg attached_retain_args[] = {
	{ "runtime", CTL_TYPE_STRING, true },
	{ "label", CTL_TYPE_STRING, true }, /* KEY=VALUE */
	{ "keep", CTL_TYPE_STRINGS, true }, /* ids */
	/* Ids up to and with the first, and those behind the second, are for other messages. */
	{ "after", CTL_TYPE_STRING, false },
	{ "until", CTL_TYPE_STRING, false },
	{ 0 },
};

static bool has_label(const struct announcement *a, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : 0;

	for (size_t i = 0; equals && i < a->n_labels; i++)
		if (strlen(a->labels[i].key) == len && strncmp(a->labels[i].key, text, len) == 0)
			return strcmp(a->labels[i].value, equals + 1) == 0;
	return false;
}

static bool is_asked_about(const json_t *args, const char *id)
{
	const char *after = json_string_value(json_object_get(args, "after"));
	const char *until = json_string_value(json_object_get(args, "until"));

	return (!after || strcmp(id, after) > 0) && (!until || strcmp(id, until) <= 0);
}

static bool is_kept(const struct announcement *a, const void *arg)
{
	const json_t *args = arg, *item;
	const char *word = json_string_value(json_object_get(args, "runtime"));
	size_t i;

	if (a->runtime != announcement_runtime(word) || !is_asked_about(args, a->id) ||
	    !has_label(a, json_string_value(json_object_get(args, "label"))))
		return true;
	json_array_foreach (json_object_get(args, "keep"), i, item)
		if (strcmp(json_string_value(item), a->id) == 0)
			return true;
	return false;
}

void attached_run_retain(struct ctl_call *call, const json_t *args, void *arg)
{
	struct controller *c = arg;
	char line[64];
	size_t gone = announced_retain(c->announced, is_kept, args);

	if (gone) {
		snprintf(line, sizeof(line), "%zu containers are said to be gone", gone);
		controller_log(line, NULL);
	}
	ctl_call_end(call, CTL_EXIT_YES, NULL);
}
