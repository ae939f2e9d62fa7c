/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker_event.h"

#include <errno.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "docker.h"
#include "reply.h"

/* --- where one ends --------------------------------------------------------------------------- */

void docker_splitter_init(struct docker_splitter *s)
{
	*s = (struct docker_splitter) { 0 };
	bh_buf_init(&s->object, BH_EVENT_BYTES_MAX);
}

void docker_splitter_done(struct docker_splitter *s)
{
	bh_buf_done(&s->object);
}

/* True at the bracket that closes the object. Whether it is JSON is the parser's to say. */
static bool ends_object(struct docker_splitter *s, char c)
{
	if (s->in_string) {
		if (s->escaped)
			s->escaped = false;
		else if (c == '\\')
			s->escaped = true;
		else if (c == '"')
			s->in_string = false;
		return false;
	}
	s->in_string = c == '"';
	s->depth += c == '{' || c == '[';
	s->depth -= c == '}' || c == ']';
	return s->depth == 0;
}

/* The bytes of one object, as far as they have come. */
static int keep(struct docker_splitter *s, const char *data, size_t len)
{
	if (!s->passed_over && s->object.len + len <= BH_EVENT_BYTES_MAX)
		return bh_buf_add(&s->object, data, len);
	if (!s->passed_over)
		s->passed_over = s->object.len;
	s->passed_over += len;
	bh_buf_reset(&s->object);
	return s->passed_over > BH_EVENT_SKIP_MAX ? -EFBIG : 0;
}

static int hand_out(struct docker_splitter *s, int (*fn)(const char *, size_t, void *), void *arg)
{
	int r = s->passed_over ? fn(NULL, 0, arg) : fn(s->object.data, s->object.len, arg);

	s->passed_over = 0;
	bh_buf_reset(&s->object);
	return r;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int docker_splitter_feed(struct docker_splitter *s, const char *data, size_t len,
			 int (*fn)(const char *json, size_t len, void *arg), void *arg)
{
	size_t begin = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < len; i++) {
		if (!s->depth && is_space(data[i])) {
			begin = i + 1;
			continue;
		}
		if (!s->depth && data[i] != '{')
			return -EBADMSG;
		if (!ends_object(s, data[i]))
			continue;
		r = keep(s, data + begin, i + 1 - begin);
		if (r >= 0)
			r = hand_out(s, fn, arg);
		begin = i + 1;
	}
	return r >= 0 && begin < len ? keep(s, data + begin, len - begin) : r;
}

/* --- what one says ---------------------------------------------------------------------------- */

static const char *const names[] = {
	[RUNTIME_EVENT_CREATE] = "create",
	[RUNTIME_EVENT_START] = "start",
	[RUNTIME_EVENT_DIE] = "die",
	[RUNTIME_EVENT_STOP] = "stop",
	[RUNTIME_EVENT_DESTROY] = "destroy",
	[RUNTIME_EVENT_PAUSE] = "pause",
	[RUNTIME_EVENT_UNPAUSE] = "unpause",
	[RUNTIME_EVENT_RENAME] = "rename",
	[RUNTIME_EVENT_UPDATE] = "update",
	[RUNTIME_EVENT_CONNECT] = "connect",
	[RUNTIME_EVENT_DISCONNECT] = "disconnect",
	[RUNTIME_EVENT_UNREADABLE] = "unreadable",
};

const char *runtime_event_name(enum runtime_event_kind kind)
{
	return names[kind];
}

/* Podman has words of its own for two. */
static const struct {
	const char *action;
	enum runtime_event_kind kind;
} podmans[] = { { "died", RUNTIME_EVENT_DIE }, { "remove", RUNTIME_EVENT_DESTROY } };

static bool find_kind(const char *action, bool network, enum runtime_event_kind *ret)
{
	enum runtime_event_kind from = network ? RUNTIME_EVENT_CONNECT : RUNTIME_EVENT_CREATE;
	enum runtime_event_kind to = network ? RUNTIME_EVENT_DISCONNECT : RUNTIME_EVENT_UPDATE;

	for (enum runtime_event_kind k = from; k <= to; k++)
		if (strcmp(action, names[k]) == 0) {
			*ret = k;
			return true;
		}
	for (size_t i = 0; !network && i < BH_ARRAY_SIZE(podmans); i++)
		if (strcmp(action, podmans[i].action) == 0) {
			*ret = podmans[i].kind;
			return true;
		}
	return false;
}

static void take_id(struct reply *d, const char *id, bool (*is_valid)(const char *),
		    const char *key, char ret[RUNTIME_ID_SIZE])
{
	if (d->r < 0)
		return;
	if (!id || !is_valid(id))
		reply_wrong(d, key, "is no id");
	else
		memcpy(ret, id, strlen(id) + 1);
}

/* Of a container, its labels are attributes like others: from there nothing is taken. */
static void take_ids(struct reply *d, bool network, struct runtime_event *e)
{
	const json_t *actor = reply_member(d, d->root, "Actor", JSON_OBJECT);
	const char *id = reply_borrow(d, actor, "ID");

	if (!network) {
		take_id(d, id, docker_id_is_valid, "ID", e->container);
		return;
	}
	take_id(d, id, docker_network_id_is_valid, "ID", e->network);
	take_id(d, reply_borrow(d, reply_member(d, actor, "Attributes", JSON_OBJECT), "container"),
		docker_id_is_valid, "container", e->container);
}

static int64_t take_time(struct reply *d)
{
	json_int_t nsec = json_integer_value(reply_member(d, d->root, "timeNano", JSON_INTEGER));

	return nsec > 0 ? nsec / 1000 : 0;
}

static int take_event(struct reply *d, struct runtime_event *ret)
{
	const char *type = reply_borrow(d, d->root, "Type");
	const char *action = reply_borrow(d, d->root, "Action");
	struct runtime_event e = { 0 };
	bool network = type && strcmp(type, "network") == 0;

	if (d->r >= 0 && (!type || !action))
		reply_wrong(d, type ? "Action" : "Type", "is missing");
	if (d->r < 0)
		return d->r;
	if ((!network && strcmp(type, "container") != 0) || !find_kind(action, network, &e.kind))
		return 0;
	take_ids(d, network, &e);
	e.when_usec = take_time(d);
	if (d->r < 0)
		return d->r;
	*ret = e;
	return 1;
}

int docker_parse_event(const char *json, size_t len, struct runtime_event *ret)
{
	struct reply d = { 0 };
	int r = reply_open(&d, json, len, JSON_OBJECT, "the event");

	if (r < 0)
		return r;
	r = take_event(&d, ret);
	json_decref(d.root);
	return r;
}
