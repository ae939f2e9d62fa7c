/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/launch/launch.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/ctl/notes.h>
#include <bulkhead/model/digest.h>

#include "ask.h"

/* A container that has ended waits for nothing. */
#define RELEASE_MS 500

/* --- the request ------------------------------------------------------------------------------ */

static void put_text(json_t *o, const char *key, const char *s)
{
	if (s && s[0])
		json_object_set_new(o, key, json_string(s));
}

static void put_number(json_t *o, const char *key, uint64_t v)
{
	if (v)
		json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *label_text(const struct label *l)
{
	size_t key = strlen(l->key), value = strlen(l->value);
	bh_autofree char *text = malloc(key + value + 2);

	if (!text)
		return NULL;
	memcpy(text, l->key, key);
	text[key] = '=';
	memcpy(text + key + 1, l->value, value + 1);
	return json_string(text);
}

static json_t *request_args(const struct launch_request *rq, const struct launch_options *o)
{
	json_t *args = json_object(), *labels = json_array();

	put_text(args, "runtime", endpoint_runtime_name(rq->runtime));
	put_text(args, "id", rq->id);
	put_text(args, "name", rq->name);
	put_text(args, "image", rq->image);
	put_text(args, "netns", rq->netns);
	put_text(args, "obstacle", endpoint_obstacle_word(rq->obstacle));
	if (rq->own_netns)
		json_object_set_new(args, "own", json_true());
	put_number(args, "netns_ino", rq->netns_ino);
	put_number(args, "pid", rq->pid > 0 ? (uint64_t)rq->pid : 0);
	put_number(args, "wait", o->wait_ms);
	for (size_t i = 0; i < rq->n_labels; i++)
		json_array_append_new(labels, label_text(&rq->labels[i]));
	if (json_array_size(labels) != rq->n_labels) { /* out of memory, or no UTF-8 */
		json_decref(args);
		args = NULL;
	}
	if (args)
		json_object_set(args, "labels", labels);
	json_decref(labels);
	return args;
}

#define WORD_NAME_MAX (DIGEST_HEX + 24)

/* Several may be in one namespace, and each has a word of its own; who is started again replaces his. */
static int name_word(const struct launch_request *rq, char out[WORD_NAME_MAX], struct bh_err *err)
{
	bh_autofree char *whose = NULL;
	char digest[DIGEST_HEX];
	int n = asprintf(&whose, "%s:%s", endpoint_runtime_name(rq->runtime), rq->id);

	if (n < 0) {
		whose = NULL;
		return bh_err_oom(err);
	}
	digest_bytes(whose, (size_t)n, digest);
	snprintf(out, WORD_NAME_MAX, "%llu-%s", (unsigned long long)rq->netns_ino, digest);
	return 0;
}

/*
 * Who is quarantined without the daemon's knowing of him: it is told when it is started. Of an engine's it hears
 * by itself, of others by nobody else, and then they would be strangers to it, of whom it lets go.
 */
static int leave_word(const struct launch_request *rq, const struct launch_options *o,
		      struct bh_err *err)
{
	char name[WORD_NAME_MAX];
	json_t *args;
	int r;

	if (!endpoint_is_announced(rq->runtime))
		return 0;
	args = request_args(rq, o);
	if (!args || !rq->netns_ino) {
		json_decref(args);
		return bh_err_set(err, -EINVAL, "its namespace is not known");
	}
	r = name_word(rq, name, err);
	if (r >= 0)
		r = ctl_note_leave(o->socket, name, args, err);
	json_decref(args);
	return r;
}

/* --- what is done with the answer ------------------------------------------------------------- */

/* The daemon has said no, and why: to go on in quarantine would be to pass over it. */
static bool was_refused(int r)
{
	return r == -EPERM || r == -EINVAL || r == -EMSGSIZE;
}

static int go_without(const struct launch_request *rq, const struct launch_options *o, int r,
		      enum launch_outcome *ret, struct bh_err *err)
{
	struct bh_err why = BH_ERR_INIT, untold = BH_ERR_INIT;
	int denied, told;

	if (!rq->netns || was_refused(r)) /* the host's own is never touched, nor a stranger's */
		return r;
	/* first the word, for a daemon that wakes up in between: it must not take the tables for nobody's */
	told = o->quarantine ? leave_word(rq, o, &untold) : 0;
	denied = launch_deny(rq->netns, rq->netns_ino, &why);
	if (denied < 0)
		return bh_err_prefix(err, r, "its namespace could not be closed (%.200s), and",
				     why.msg);
	if (!o->quarantine)
		return r;
	if (told < 0)
		return bh_err_prefix(err, r, "nobody would tell the daemon of it (%.200s), and",
				     untold.msg);
	if (denied > 0 && !rq->own_netns)
		return bh_err_prefix(err, r,
				     "by the policy that stands in the namespace it joins, some of "
				     "its packets would pass, and");
	*ret = LAUNCH_QUARANTINED;
	return 0;
}

int launch_hold(const struct launch_request *rq, const struct launch_options *o,
		enum launch_outcome *ret, char *ret_state, struct bh_err *err)
{
	struct bh_err why = BH_ERR_INIT;
	int r = launch_ask(o->socket, o->wait_ms, "protect", request_args(rq, o), ret_state, &why);

	*ret = LAUNCH_IN_FORCE;
	if (r < 0) {
		if (err)
			*err = why;
		r = go_without(rq, o, r, ret, err);
	}
	return r;
}

int launch_release(const struct launch_request *rq, const struct launch_options *o,
		   struct bh_err *err)
{
	json_t *args = json_pack("{s:s, s:s}", "runtime", endpoint_runtime_name(rq->runtime), "id",
				 rq->id);
	unsigned wait = o->wait_ms < RELEASE_MS ? o->wait_ms : RELEASE_MS;

	put_text(args, "netns", rq->netns);
	put_number(args, "netns_ino", rq->netns_ino);
	put_number(args, "pid", rq->pid > 0 ? (uint64_t)rq->pid : 0);
	return launch_ask(o->socket, wait, "released", args, NULL, err);
}
