/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CTL_CTL_H
#define BULKHEAD_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>
#include <systemd/sd-event.h>

#include <bulkhead/base/err.h>

/*
 * The control socket: how people and programs talk to the daemon. AF_UNIX SOCK_SEQPACKET, one JSON
 * object a message, at most BH_CTL_FRAME_MAX bytes (docs/control.md):
 *
 *   request  {"v":1,"do":"apply", ...arguments}
 *   answer   {"item":{...}}, as many as there are, then one {"end":{"exit":N,"error":"..."}}
 *
 * Everything that comes in is hostile. Nothing in the server blocks, and a client that does not
 * read or write harms nobody but itself. Single-threaded: all calls from the event loop's thread.
 */

/* Exit codes of an answer are those of the command line. */
enum ctl_exit {
	CTL_EXIT_YES = 0,   /* yes, or done */
	CTL_EXIT_NO = 1,    /* a negative answer, or findings */
	CTL_EXIT_USAGE = 2, /* bad usage or invalid input */
	CTL_EXIT_FAILED = 3 /* could not do it: permission, kernel, daemon, too many requests */
};

/* --- who may do what ------------------------------------------------------------------------- */

/* In this order: each may do all that the one before it may. */
enum ctl_role {
	CTL_ROLE_NONE,     /* refused at connect */
	CTL_ROLE_VIEWER,   /* reads */
	CTL_ROLE_OPERATOR, /* applies and reloads */
	CTL_ROLE_ADMIN,    /* everything */
};

/* "viewer", ... */
const char *ctl_role_name(enum ctl_role role);

/*
 * A role for a user or for the members of a group (their own or a supplementary one), either for
 * everything or for what belongs to some owners: a team. A peer has all the grants that match it.
 */
struct ctl_grant {
	bool is_group; /* ID is a gid, else a uid */
	uint32_t id;
	enum ctl_role role;
	bool everything;           /* else only what belongs to OWNERS; none of them: nothing */
	const char *const *owners; /* owner names as in the policies; at most BH_CTL_OWNERS_MAX */
	size_t n_owners;
};

/* Who is at the other end, as the kernel said when it connected. */
struct ctl_peer {
	pid_t pid; /* to be shown only: it may have ended, and the number may be another's */
	uid_t uid;
	gid_t gid;
	char comm[72];      /* its process name, escaped; "?" when unknown */
	bool restricted;    /* it came in on the read-only socket: a viewer, whoever it is */
	enum ctl_role role; /* the highest, be it for one owner only */
	enum ctl_role role_everything; /* the highest that is for everything */
	/* Its grants, of which role and owners are of interest here. Valid while the callback runs. */
	const struct ctl_grant *const *grants;
	size_t n_grants;
};

/*
 * May it do what needs the role LEAST to what belongs to OWNER? OWNER NULL means what has no owner,
 * or all owners at once: only a grant for everything will do.
 */
bool ctl_peer_may(const struct ctl_peer *peer, enum ctl_role least, const char *owner);

/* --- verbs ------------------------------------------------------------------------------------ */

enum ctl_type {
	CTL_TYPE_STRING, /* UTF-8 without NUL; else as hostile as any */
	CTL_TYPE_INTEGER,
	CTL_TYPE_BOOLEAN,
	CTL_TYPE_STRINGS, /* a list of strings */
};

struct ctl_arg {
	const char *name;
	enum ctl_type type;
	bool required;
};

/*
 * One request in the making. The handle is the verb's from run() on until the verb calls
 * ctl_call_end() or gone() is called, whichever comes first; exactly one of them happens.
 */
struct ctl_call;

struct ctl_verb {
	const char *name;
	enum ctl_role least;
	bool read_only; /* exists on the restricted socket, too; LEAST must be CTL_ROLE_VIEWER */
	/*
	 * The verb itself keeps to the owners of its peer, by ctl_peer_may(). Without this the
	 * peer must have the role LEAST for everything: a verb that forgot about teams is safe.
	 */
	bool by_owner;
	const struct ctl_arg *args; /* ends with a NULL name; NULL: none. Others are refused */
	/*
	 * Answer at once, or keep CALL and answer later. ARGS holds what was sent, of the right
	 * types; it lives as long as CALL. ARG is the server's.
	 */
	void (*run)(struct ctl_call *call, const json_t *args, void *arg);
	/* See ctl_call_want_more(). May be NULL. */
	void (*more)(struct ctl_call *call, void *arg);
	/*
	 * The client went away or was cut off, or the server is being freed: CALL is freed on
	 * return, without a ctl_call_end(). Never called from within a function of the call. May be
	 * NULL for a verb that always ends within run().
	 */
	void (*gone)(struct ctl_call *call, void *arg);
};

const struct ctl_peer *ctl_call_peer(const struct ctl_call *call);
/* A pointer of the verb's own; NULL at first. */
void ctl_call_set_data(struct ctl_call *call, void *data);
void *ctl_call_data(const struct ctl_call *call);

/*
 * Send one item, an object, whose reference is taken in any case (NULL: -ENOMEM). What the client's
 * socket does not hold waits in its queue. -EMSGSIZE when it does not fit a message and -EINVAL when
 * it is no object (the call goes on); -EPIPE when the client went away or is cut off because it does not read: stop, gone() comes
 * unless ctl_call_end() comes first.
 */
int ctl_call_item(struct ctl_call *call, json_t *item);

/*
 * For an answer that is longer than the queue: send items while ctl_call_has_room(), then ask for
 * more() to be called once, from the event loop, as soon as the client has read what is queued.
 */
bool ctl_call_has_room(const struct ctl_call *call);
void ctl_call_want_more(struct ctl_call *call);

/* The end: EXIT and a sentence, or NULL. CALL is freed, also when the client cannot be reached. */
void ctl_call_end(struct ctl_call *call, enum ctl_exit exit, const char *error);

/* --- server ----------------------------------------------------------------------------------- */

struct ctl_server;

/*
 * VERBS (N of them) and what they point to must outlive the server; ARG is handed to the callbacks.
 * NOTICE (may be NULL) hears one escaped sentence when a peer is refused or cut off, for the log.
 * Without grants only root may do anything. -EINVAL for a table that contradicts itself.
 */
int ctl_server_new(sd_event *event, const struct ctl_verb *verbs, size_t n, void *arg,
		   void (*notice)(const char *text, void *arg), struct ctl_server **ret,
		   struct bh_err *err);

/*
 * FN hears of everyone who asked for what is not his: VERB by its name in the table, or NULL when the
 * peer has no role at all and was refused at connect; WHY is one escaped sentence. As often as peers like:
 * whoever writes it down keeps it within bounds. ARG is the server's. FN must not free the server.
 */
void ctl_server_on_refusal(struct ctl_server *s,
			   void (*fn)(const struct ctl_peer *peer, const char *verb,
				      const char *why, void *arg));

/* Ends every connection (gone() of the running calls) and removes the sockets it made. Takes NULL. */
void ctl_server_free(struct ctl_server *s);

/*
 * Make the full socket at PATH, mode 0660, group GROUP ((gid_t)-1: the process's own), and listen.
 * A missing parent directory is made (0755), a socket that nobody answers on is replaced.
 * -EADDRINUSE when another daemon answers there, -EEXIST when what stands there is no socket.
 */
int ctl_server_listen(struct ctl_server *s, const char *path, gid_t group, struct bh_err *err);

/* The full socket, to be polled only: readable when somebody waits to be let in. -1: there is none. */
int ctl_server_fd(const struct ctl_server *s);

/* The same with mode 0666: whoever connects is a viewer and finds the read-only verbs. */
int ctl_server_listen_restricted(struct ctl_server *s, const char *path, struct bh_err *err);

/*
 * Replace all grants (at most BH_CTL_GRANTS_MAX; copied) and judge those who are connected anew: who
 * has no role left is cut off. A verb may call this (reload): its peer's grants are new afterwards.
 * Root is always an administrator. On failure the old ones stand.
 */
int ctl_server_set_grants(struct ctl_server *s, const struct ctl_grant *grants, size_t n,
			  struct bh_err *err);

/* --- client: blocking, with a deadline -------------------------------------------------------- */

struct ctl_client;

/* How an answer ended. */
struct ctl_end {
	int exit;               /* enum ctl_exit, or what a newer daemon says, 0 to 255 */
	char error[BH_ERR_MAX]; /* escaped, "" = none; cut when longer */
};

/*
 * Connect within TIMEOUT_MS. -ENOENT or -ECONNREFUSED when no daemon answers there (the one-shot
 * verbs go on without), -EACCES when the socket is not for this user, -ETIMEDOUT.
 */
int ctl_client_connect(const char *path, int timeout_ms, struct ctl_client **ret,
		       struct bh_err *err);
void ctl_client_free(struct ctl_client *c); /* takes NULL */

/*
 * Send one request. ARGS is an object without "v" and "do" whose reference is taken in any case;
 * NULL: no arguments. The whole answer must be there TIMEOUT_MS from now; -1: no deadline. One
 * request at a time: the answer to the one before must have ended. -EMSGSIZE when it does not fit.
 */
int ctl_client_request(struct ctl_client *c, const char *verb, json_t *args, int timeout_ms,
		       struct bh_err *err);

/*
 * The next message of the answer. 1: an item, whose reference is the caller's. 0: the end. -ETIMEDOUT,
 * -ECONNRESET when the daemon went away or cut us off, -EBADMSG when it does not speak the protocol;
 * after any failure the connection is of no more use.
 */
int ctl_client_next(struct ctl_client *c, json_t **ret_item, struct ctl_end *ret_end,
		    struct bh_err *err);

#endif
