/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_RUNTIME_EARLY_H
#define BULKHEAD_RUNTIME_EARLY_H

#include <stdbool.h>
#include <stddef.h>

#include <systemd/sd-event.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/device.h>
#include <bulkhead/model/diag.h>
#include <bulkhead/model/endpoint.h>
#include <bulkhead/runtime/events.h>
#include <bulkhead/runtime/runtime.h>

/*
 * Who will live in a network namespace that has just been made: known before the first instruction
 * of its container, while the engine itself does not answer yet whose it is. What a container is
 * (labels, image, name) is asked when it is made; what address of Ethernet and what IP addresses it
 * gets, of its network when it is connected to it. A namespace with that device is its own.
 *
 *	on the loop, from runtime_events:
 *		on_event      -> runtime_early_event(early, event)
 *		on_connected  -> runtime_early_resync(early)
 *	when a namespace appears (inotify), when a device or an address appears in one that nobody is
 *	known of (rtnetlink), and when on_known() says that there is somebody new:
 *		r = runtime_early_join(early, netns_fd, path, number, builder, id, diags, err);
 *		r == 1: its endpoint was added; 0: not known (yet). It stays denied.
 *	After RUNTIME_EVENT_START, runtime_docker_container() says it with all that the kernel knows.
 *
 * All questions are asked without waiting: an engine that hangs costs the identity, never time of
 * the loop. What cannot be known early is no error; the container is found when it has started.
 * That is so for who joins another one's namespace, for --network host and none, and for an engine
 * that does not tell of connects (Podman): its createRuntime hook comes early enough.
 *
 * Not trusted: the device's addresses in a namespace are its root's to change. So only a namespace
 * that has just been made is to be joined, and none that has had an identity; only a container that
 * is known not to run is found, only if MAC and address agree, only if exactly one does, and only if
 * the engine says so when it is asked after the namespace was seen with them: what was heard before
 * may be of one that is gone, whose address the engine has given to the next.
 */

struct runtime_early;

/*
 * Called from the loop: CONTAINER is not running, and labels, MAC and addresses are known. May be
 * called again when it gets a further network. Must not free the handle.
 */
typedef void runtime_early_known_fn(const char *container, void *arg);

/*
 * SOCKET_PATH is copied; IMAGES (not NULL) must outlive the handle. At most BH_EARLY_MAX containers
 * are remembered, those that ran longest are forgotten first. -ENOMEM.
 */
int runtime_early_new(sd_event *event, const char *socket_path, enum endpoint_runtime runtime,
		      struct runtime_images *images, runtime_early_known_fn *on_known, void *arg,
		      struct runtime_early **ret, struct bh_err *err);
void runtime_early_free(struct runtime_early *early); /* takes NULL */

/*
 * Every event of the engine. One that starts is no longer found, one that is destroyed is
 * forgotten, one that dies can be found again: it may be started again.
 */
void runtime_early_event(struct runtime_early *early, const struct runtime_event *event);

/* Events may have been missed: forget all, and ask about every container there is. */
void runtime_early_resync(struct runtime_early *early);

/*
 * The endpoint of the namespace, PATH being its file. 1: added to B, runtime_docker_list() would say
 * the same but for the process id and capabilities that only a process shows; the resolvers are
 * those that it will be given. 0: none is known that it could be, or the engine has been asked whether
 * it is: on_known() tells. NUMBER is the caller's own for this namespace, not 0 and never given to
 * another: the kernel gives inodes again. More than one: 0, and a warning.
 * *RET_ID (may be NULL) gets the container's id. Failures are those of runtime_devices().
 */
int runtime_early_join(struct runtime_early *early, int netns_fd, const char *path, uint64_t number,
		       struct endpoint_builder *b, char ret_id[RUNTIME_ID_SIZE],
		       struct diag_list *diags, struct bh_err *err);

/*
 * The same without the kernel: devices and addresses are told. For tests, and for who has read them
 * already.
 */
int runtime_early_match(struct runtime_early *early, const struct net_devices *devices,
			const struct bh_addr *addrs, size_t n_addrs, const char *path,
			uint64_t netns_ino, uint64_t number, struct endpoint_builder *b,
			char ret_id[RUNTIME_ID_SIZE], struct diag_list *diags, struct bh_err *err);

/*
 * The same for who knows which container it is, and holds its start meanwhile: a hook. The addresses
 * are those inside; nothing else of the namespace counts. 1: added to B. 0: not known yet; it has been
 * asked, and on_known() tells, or nobody will: so the caller has a deadline of its own. It stays known
 * until an event says that it started, or is gone, and over runtime_early_resync().
 *
 * It is never told half: a container whose labels cannot be told from its image's is not known.
 * Docker answers its list while it starts a container. Podman answers nothing about it, but tells of
 * its making, with the labels and what its image was called; that is believed for BH_EARLY_TOLD_S,
 * after which the name may be another image's, and needs `events_logger` not to be "none". What was
 * asked before its start (when it was made, or at runtime_early_resync()) is complete.
 * -EINVAL: CONTAINER is no id. NETNS_FD -1, PATH NULL: it has no namespace yet, and so no address.
 */
int runtime_early_named(struct runtime_early *early, const char *container, int netns_fd,
			const char *path, struct endpoint_builder *b, struct diag_list *diags,
			struct bh_err *err);

/* Is all known of it that it would say, name servers and capabilities among it? */
bool runtime_early_is_complete(struct runtime_early *early, const char *container);

/*
 * The same from the files that dockerd keeps, without asking it: when it is started it starts containers
 * before its API answers, and waits for them. Below "data-root" of /etc/docker/daemon.json, else
 * /var/lib/docker; not where daemons of several users have directories of their own (userns-remap), nor
 * where images are containerd's. NETNS_FD -1, PATH NULL: as above. 1: added to B; 0: nothing is known of it. -ENOMEM, -E2BIG.
 */
int runtime_docker_kept(const char *id, int netns_fd, const char *path, struct endpoint_builder *b,
			struct bh_err *err);

/* How many containers are remembered, and how many of them could be joined now. */
size_t runtime_early_count(const struct runtime_early *early, size_t *ret_waiting);

#endif
