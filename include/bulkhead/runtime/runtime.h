/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_RUNTIME_RUNTIME_H
#define BULKHEAD_RUNTIME_RUNTIME_H

#include <bulkhead/base/addr.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/device.h>
#include <bulkhead/model/diag.h>
#include <bulkhead/model/endpoint.h>

/*
 * Where endpoints come from. Each source adds to a builder. All answers and files are hostile:
 * bounded, type-checked, never trusted to be consistent.
 */

/*
 * The inventory file (docs/endpoints.md). Mistakes are located in DIAGS and -EINVAL is
 * returned.
 */
int runtime_inventory_load(const char *path, struct endpoint_builder *b, struct diag_list *diags,
			   struct bh_err *err);
/* The same from memory, for tests and fuzzing; NAME is used in messages. */
int runtime_inventory_parse(const char *name, const char *data, size_t len,
			    struct endpoint_builder *b, struct diag_list *diags,
			    struct bh_err *err);

/*
 * Named namespaces (`ip netns`): every nsfs file in DIR (NULL = /run/netns) becomes an endpoint with
 * its name, the label "netns"=NAME, its addresses read inside it (all but loopback and link-local
 * scope), and resolvers from /etc/netns/NAME/resolv.conf when that exists. Without /run/netns there
 * are none; a DIR that was asked for must be there.
 * Files that are no namespace are left out with a warning.
 */
int runtime_netns_list(const char *dir, struct endpoint_builder *b, struct diag_list *diags,
		       struct bh_err *err);

/* The one with this name. One that is no namespace, or not there any more, is left out as there. */
int runtime_netns_one(const char *dir, const char *name, struct endpoint_builder *b,
		      struct diag_list *diags, struct bh_err *err);

/* Can this process, or what it starts, ever have CAP_NET_RAW (by its bounding set)? -ESRCH: who knows. */
int runtime_may_open_raw(int pid, bool *ret);

/*
 * The addresses in a namespace, loopback and link-local ones left out. At most CAP; *ret_n of them.
 * -E2BIG when there are more.
 */
int runtime_netns_addrs(int netns_fd, struct bh_addr *out, size_t cap, size_t *ret_n,
			struct bh_err *err);

/*
 * Docker, or Podman by its Docker-compatible API, over a Unix socket: every running container
 * (docs/endpoints.md). All or nothing: one that cannot be read fails the whole, for the others'
 * policies speak of it. -ECONNREFUSED, -ENOENT, -EACCES: nobody answers there; -ETIMEDOUT; -EFBIG;
 * -EBADMSG.
 */
int runtime_docker_list(const char *socket_path, enum endpoint_runtime runtime,
			struct endpoint_builder *b, struct diag_list *diags, struct bh_err *err);

/*
 * What cannot be put off while an engine is waited for, up to BH_RUNTIME_REPLY_MS: whenever FD is
 * readable meanwhile, FN(ARG) is called. It must read, and must not ask an engine. One for the whole
 * process; FN NULL: none.
 */
void runtime_while_waiting(int fd, void (*fn)(void *arg), void *arg);

/*
 * Who waits at FD (readable) does not wait for an engine longer than BH_RUNTIME_PATIENCE_MS for a list, or
 * BH_RUNTIME_BRIEF_MS for one container: its answer is given up, -EBUSY. An engine may be waiting for that one, as Podman is for the hook of a container that it
 * starts. One for the whole process; -1: nobody.
 */
void runtime_patience(int fd);
/* It is known that somebody waits: a list is given up as if he came while it was waited for. */
void runtime_hurry(bool hurry);

/*
 * The labels of images, remembered by image id over several calls: at most BH_IMAGES_CACHED_MAX, and
 * BH_IMAGES_CACHED_BYTES_MAX. Shared by all engines of a host.
 */
struct runtime_images;
int runtime_images_new(struct runtime_images **ret, struct bh_err *err);
void runtime_images_free(struct runtime_images *images); /* takes NULL */

/*
 * The same as runtime_docker_list() for the one container with this ID (64 hexadecimal digits): what
 * it adds is what the list would. 1: added; 0: it does not run or is not there. IMAGES may be NULL.
 * The answers are waited for, for BH_RUNTIME_ONE_MS together at most, then -ETIMEDOUT; what is
 * looked up in the kernel comes on top. Docker does not answer while it starts the container: ask
 * when it is said to have started. Failures as runtime_docker_list().
 */
int runtime_docker_container(const char *socket_path, const char *id, enum endpoint_runtime runtime,
			     struct runtime_images *images, struct endpoint_builder *b,
			     struct diag_list *diags, struct bh_err *err);

/* A container's place in a network. */
struct runtime_attachment {
	char container[65]; /* id, 64 hexadecimal digits */
	bool has_mac;
	uint8_t mac[6];
	struct bh_addr addrs[2]; /* at most one of each family */
	size_t n_addrs;
};

/*
 * Who is in the network with this id, running or being started, with the address of the device. At
 * most BH_ENDPOINTS_MAX; the caller frees *RET (NULL when it is empty). Waited for, for
 * BH_RUNTIME_ONE_MS at most. -ESRCH: no such network; other failures as runtime_docker_list().
 */
int runtime_docker_network(const char *socket_path, const char *network,
			   enum endpoint_runtime runtime, struct runtime_attachment **ret,
			   size_t *ret_n, struct bh_err *err);

/*
 * One container's documents -> endpoint; the pure part of the above, for tests and fuzzing.
 * IMAGE_JSON NULL: its image is gone, and then no label is known to be given at creation. A
 * container that does not run adds nothing. -EBADMSG: not what an engine answers.
 */
int runtime_docker_parse(const char *container_json, size_t container_len, const char *image_json,
			 size_t image_len, enum endpoint_runtime runtime,
			 struct endpoint_builder *b, struct bh_err *err);

/*
 * The network devices of a namespace and whether their IPv4 addresses are leased. At most
 * BH_DEVICES_MAX; ret->more when there are more. -EINTR: they change faster than they can be listed.
 * Source: rtnetlink(7), RTM_GETLINK and RTM_GETADDR. *RET is large: not on a deep stack.
 */
int runtime_devices(int netns_fd, struct net_devices *ret, struct bh_err *err);

/*
 * The networks that a namespace is on: prefixes of its addresses, link-local and loopback ones left out,
 * and those in which nobody else can be. At most CAP; -E2BIG: there are more, and OUT has the first. -EINTR,
 * and the source, as above.
 */
int runtime_networks(int netns_fd, struct bh_prefix *out, size_t cap, size_t *ret_n,
		     struct bh_err *err);

/* A network namespace of the host, as it was found. */
struct runtime_namespace {
	uint64_t ino;
	char path[4096]; /* to open it by; hostile */
	int pid;         /* a process in it; 0: none was found, it is mounted there */
	char comm[16];   /* of that; hostile */
};
/*
 * Each that a thread is in or that is mounted somewhere, once; the caller's own is left out. One that only
 * sockets keep has no path, and is not found. FN's negative return ends it. 1: not all threads were looked at
 * (over BH_TASKS_MAX of one process, no descriptors, ...), and ERR says so; all else was. -E2BIG: over
 * BH_VERIFY_UNLISTED_MAX. Source: /proc/PID/task/TID/ns/net, /proc/self/mountinfo.
 */
int runtime_namespaces(int (*fn)(const struct runtime_namespace *n, void *arg), void *arg,
		       struct bh_err *err);

#define RUNTIME_TASK_PATH_SIZE 64
/*
 * Is a thread of the process in that network namespace? 1: yes, and *RET_PATH leads there; 0: its first thread is
 * elsewhere, and so are all others; -ENOENT, -ESRCH: there is no process, or its first thread has ended, and what
 * others there are is elsewhere; -E2BIG: over BH_TASKS_MAX; -EACCES, -EMFILE, ...: they cannot be looked at.
 */
int runtime_process_in(int pid, uint64_t netns_ino, char ret_path[RUNTIME_TASK_PATH_SIZE]);

/*
 * The addresses of this host's interfaces, for entity: host; loopback and link-local ones left out,
 * others on the loopback interface are not.
 */
int runtime_host_addrs(struct endpoint_builder *b, struct bh_err *err);

/*
 * True when something answers on the socket path; used to ask only the runtimes that are there.
 */
bool runtime_socket_exists(const char *socket_path);

/*
 * True when DIR, where Docker keeps the network namespaces of its containers, holds any but the
 * caller's own: they run, whether or not Docker does. False also for who may not look.
 */
bool runtime_docker_has_namespaces(const char *dir);

#endif
