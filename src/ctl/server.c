/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

/* What a peer can cause at will is told no more often than it may ask. */
static bool may_notice(struct ctl_server *s, const struct ctl_peer *peer)
{
	uint64_t now = 0;

	sd_event_now(s->event, CLOCK_MONOTONIC, &now);
	return ctl_throttle_take(&s->throttle, peer->uid, now);
}

void server_notice(struct ctl_server *s, const struct ctl_peer *peer, const char *text)
{
	char line[BH_ERR_MAX];

	if (!s->notice)
		return;
	snprintf(line, sizeof(line), "control socket: user %u, process %d (%s): %s", peer->uid,
		 (int)peer->pid, peer->comm, text);
	s->notice(line, s->arg);
}

void ctl_server_on_refusal(struct ctl_server *s,
			   void (*fn)(const struct ctl_peer *peer, const char *verb,
				      const char *why, void *arg))
{
	s->refusal = fn;
}

void server_refuse(struct ctl_server *s, const struct ctl_peer *peer, const char *verb,
		   const char *why)
{
	if (s->refusal)
		s->refusal(peer, verb, why, s->arg);
}

/* --- who has gone ---------------------------------------------------------------------------- */

static int on_reap(sd_event_source *source, void *arg)
{
	struct ctl_server *s = arg;

	for (size_t i = 0; i < BH_CTL_CLIENTS_MAX; i++) {
		if (s->conns[i] && s->conns[i]->broken) {
			conn_free(s->conns[i]);
			s->conns[i] = NULL;
		}
	}
	return 0;
}

void server_reap_soon(struct ctl_server *s)
{
	sd_event_source_set_enabled(s->reaper, SD_EVENT_ONESHOT);
}

/* --- who comes ------------------------------------------------------------------------------- */

struct census {
	size_t all, restricted, of_uid;
};

static struct census count(const struct ctl_server *s, uid_t uid)
{
	struct census n = { 0 };

	for (size_t i = 0; i < BH_CTL_CLIENTS_MAX; i++) {
		const struct conn *c = s->conns[i];

		if (!c)
			continue;
		n.all++;
		n.restricted += c->peer.restricted;
		n.of_uid += c->peer.uid == uid;
	}
	return n;
}

/* Why there is no place for one more; NULL when there is. */
static const char *no_place(const struct ctl_server *s, const struct ctl_peer *peer)
{
	struct census n = count(s, peer->uid);
	size_t max = BH_CTL_CLIENTS_MAX - (peer->uid == 0 ? 0 : BH_CTL_ROOT_RESERVE);

	if (n.all >= max || (peer->restricted && n.restricted >= BH_CTL_RESTRICTED_MAX))
		return "too many connections";
	if (peer->uid != 0 && n.of_uid >= BH_CTL_CLIENTS_UID_MAX)
		return "too many connections of this user";
	return NULL;
}

static const char *no_welcome(const struct ctl_server *s, const struct ctl_peer *peer)
{
	if (peer->role == CTL_ROLE_NONE)
		return "this user has no role with this daemon";
	return no_place(s, peer);
}

static void seat(struct ctl_server *s, struct conn *c)
{
	size_t i = 0;

	while (s->conns[i]) /* no_place() has seen that there is one */
		i++;
	s->conns[i] = c;
}

/* Takes FD. */
static void admit(struct ctl_server *s, int fd, bool restricted, const struct ctl_creds *creds)
{
	const char *why;
	struct conn *c;

	if (conn_new(s, fd, restricted, creds, &c) < 0)
		return;
	why = no_welcome(s, &c->peer);
	if (!why && conn_start(c) < 0)
		why = "out of resources";
	if (!why) {
		seat(s, c);
		return;
	}
	conn_farewell(c, CTL_EXIT_FAILED, why);
	if (may_notice(s, &c->peer))
		server_notice(s, &c->peer, why);
	if (c->peer.role == CTL_ROLE_NONE)
		server_refuse(s, &c->peer, NULL, why);
	conn_free(c);
}

/* Out of descriptors or memory: the connection stays in the backlog and would wake us for ever. */
static void pause_listener(struct listener *l)
{
	if (sd_event_source_set_time_relative(l->resume, BH_CTL_ACCEPT_PAUSE_MS * 1000) >= 0 &&
	    sd_event_source_set_enabled(l->resume, SD_EVENT_ONESHOT) >= 0)
		sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
}

static int on_resume(sd_event_source *source, uint64_t usec, void *arg)
{
	struct listener *l = arg;

	return sd_event_source_set_enabled(l->io, SD_EVENT_ON);
}

static int on_connect(sd_event_source *source, int listen_fd, uint32_t revents, void *arg)
{
	struct listener *l = arg;
	bh_autoclose int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ctl_creds creds;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			pause_listener(l);
		return 0;
	}
	if (l->s->creds_read(fd, &creds) < 0)
		return 0;
	admit(l->s, BH_STEAL_FD(fd), l->restricted, &creds);
	ctl_creds_done(&creds);
	return 0;
}

/* --- the server's life ----------------------------------------------------------------------- */

static void listener_done(struct listener *l)
{
	sd_event_source_disable_unref(l->io);
	sd_event_source_disable_unref(l->resume);
	unixsock_done(&l->sock);
}

static int listener_start(struct listener *l)
{
	sd_event *event = l->s->event;
	int r = sd_event_add_io(event, &l->io, l->sock.fd, EPOLLIN, on_connect, l);

	if (r >= 0)
		r = sd_event_add_time_relative(event, &l->resume, CLOCK_MONOTONIC, 0, 0, on_resume,
					       l);
	return r < 0 ? r : sd_event_source_set_enabled(l->resume, SD_EVENT_OFF);
}

static int add_listener(struct ctl_server *s, const char *path, bool restricted, gid_t group,
			struct bh_err *err)
{
	struct listener *l = &s->listeners[s->n_listeners];
	char shown[256];
	int r;

	if (s->n_listeners == LISTENERS_MAX)
		return bh_err_set(err, -E2BIG, "more than %d control sockets", LISTENERS_MAX);
	bh_escape_str(shown, sizeof(shown), path);
	*l = (struct listener) { .s = s, .restricted = restricted };
	r = unixsock_listen(&l->sock, path, SOCK_SEQPACKET, restricted ? 0666 : 0660, group,
			    BH_CTL_BACKLOG, err);
	if (r == -EADDRINUSE)
		return bh_err_set(err, r, "another bulkheadd answers on %s", shown);
	if (r < 0)
		return r;
	r = listener_start(l);
	if (r < 0) {
		listener_done(l);
		return bh_err_errno(err, r, "socket %s", shown);
	}
	s->n_listeners++;
	return 0;
}

int ctl_server_listen(struct ctl_server *s, const char *path, gid_t group, struct bh_err *err)
{
	return add_listener(s, path, false, group, err);
}

int ctl_server_fd(const struct ctl_server *s)
{
	for (size_t i = 0; i < s->n_listeners; i++)
		if (!s->listeners[i].restricted)
			return s->listeners[i].sock.fd;
	return -1;
}

int ctl_server_listen_restricted(struct ctl_server *s, const char *path, struct bh_err *err)
{
	return add_listener(s, path, true, (gid_t)-1, err);
}

/* Whom the grants no longer name is cut off, and who cannot be judged, too. */
static void judge_again(struct ctl_server *s, struct conn *c, const struct ctl_grants *grants)
{
	struct ctl_creds creds = { 0 };
	int r = s->creds_read(c->fd, &creds);

	if (r < 0)
		creds.uid = (uid_t)-1; /* nobody: no grant and not root */
	if (conn_judge(c, &creds, grants) < 0 || r < 0 || c->peer.role == CTL_ROLE_NONE)
		conn_break(c, "cut off: it has no role any more");
	ctl_creds_done(&creds);
}

int ctl_server_set_grants(struct ctl_server *s, const struct ctl_grant *grants, size_t n,
			  struct bh_err *err)
{
	struct ctl_grants *new;
	int r = ctl_grants_new(grants, n, &new, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < BH_CTL_CLIENTS_MAX; i++)
		if (s->conns[i])
			judge_again(s, s->conns[i], new);
	ctl_grants_free(s->grants);
	s->grants = new;
	return 0;
}

static int check_verbs(const struct ctl_verb *verbs, size_t n, struct bh_err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct ctl_verb *v = &verbs[i];

		if (!v->run || v->least == CTL_ROLE_NONE ||
		    (v->read_only && v->least != CTL_ROLE_VIEWER))
			return bh_err_set(err, -EINVAL, "the verb %s contradicts itself", v->name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(verbs[j].name, v->name) == 0)
				return bh_err_set(err, -EINVAL, "the verb %s is there twice",
						  v->name);
	}
	return 0;
}

static int start(struct ctl_server *s)
{
	int r = ctl_grants_new(NULL, 0, &s->grants, NULL);

	if (r >= 0)
		r = sd_event_add_defer(s->event, &s->reaper, on_reap, s);
	if (r >= 0)
		r = sd_event_source_set_enabled(s->reaper, SD_EVENT_OFF);
	/* Places are free again before anyone new asks for one. */
	return r < 0 ? r : sd_event_source_set_priority(s->reaper, SD_EVENT_PRIORITY_IMPORTANT);
}

int ctl_server_new(sd_event *event, const struct ctl_verb *verbs, size_t n, void *arg,
		   void (*notice)(const char *text, void *arg), struct ctl_server **ret,
		   struct bh_err *err)
{
	int r = check_verbs(verbs, n, err);
	struct ctl_server *s;

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return bh_err_oom(err);
	s->event = sd_event_ref(event);
	s->verbs = verbs;
	s->n_verbs = n;
	s->arg = arg;
	s->notice = notice;
	s->stall_usec = BH_CTL_STALL_MS * UINT64_C(1000);
	s->request_usec = BH_CTL_REQUEST_MS * UINT64_C(1000);
	s->creds_read = ctl_creds_read;
	r = start(s);
	if (r < 0) {
		ctl_server_free(s);
		return bh_err_errno(err, r, "the control server");
	}
	*ret = s;
	return 0;
}

void ctl_server_free(struct ctl_server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_listeners; i++)
		listener_done(&s->listeners[i]);
	for (size_t i = 0; i < BH_CTL_CLIENTS_MAX; i++)
		if (s->conns[i])
			conn_break(s->conns[i], NULL);
	on_reap(NULL, s);
	sd_event_source_disable_unref(s->reaper);
	ctl_grants_free(s->grants);
	sd_event_unref(s->event);
	free(s);
}
