/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Prints what it hears of an engine, one JSON object a line, until it is ended:
 *
 *	events SOCKET docker|podman [NETNS-DIR [MARKS-DIR]]
 *
 * "connected", "lost", "event"; at a start, "container": what runtime_docker_container() says; with
 * NETNS-DIR also "netns" when a namespace appears there, "known" and "joined" for early identities;
 * "mark" for each file made in MARKS-DIR. "at" is microseconds since the epoch.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <systemd/sd-event.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/runtime/early.h>
#include <bulkhead/runtime/events.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

#define OPEN_RETRY_USEC 100
#define OPEN_TRIES      500

struct hearing {
	sd_event *event;
	const char *socket, *netns_dir, *marks_dir;
	enum endpoint_runtime runtime;
	struct runtime_events *events;
	struct runtime_early *early;
	struct runtime_images *images;
	struct fresh *fresh;
};

/* A namespace whose identity is not known yet. */
struct fresh {
	struct hearing *h;
	char path[512];
	uint64_t number; /* its own */
	int fd, tries;
	sd_event_source *opening, *devices;
	struct fresh *next;
};

static int64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void print(json_t *o)
{
	json_object_set_new(o, "at", json_integer(now_usec()));
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(o);
}

static void die(const char *what, int r, const char *why)
{
	fprintf(stderr, "events: %s: %s %s\n", what, strerror(-r), why);
	exit(1);
}

/* --- endpoints -------------------------------------------------------------------------------- */

static json_t *endpoint_json(const char *is, const struct endpoint *e)
{
	json_t *labels = json_object(), *addrs = json_array(), *resolvers = json_array();
	char text[64];

	for (size_t i = 0; i < e->n_labels; i++)
		json_object_set_new(labels, e->labels[i].key, json_string(e->labels[i].value));
	for (size_t i = 0; i < e->n_addrs; i++)
		json_array_append_new(addrs, json_string(bh_addr_format(text, &e->addrs[i])));
	for (size_t i = 0; i < e->n_resolvers; i++)
		json_array_append_new(resolvers,
				      json_string(bh_addr_format(text, &e->resolvers[i])));
	return json_pack("{s:s,s:s,s:s,s:s?,s:s?,s:s,s:I,s:o,s:o,s:o}", "is", is, "container",
			 e->id, "name", e->name, "image", e->image, "netns", e->netns, "obstacle",
			 endpoint_obstacle_word(e->obstacle), "netns_ino", (json_int_t)e->netns_ino,
			 "labels", labels, "addresses", addrs, "resolvers", resolvers);
}

static void print_endpoints(struct endpoint_builder *b, const char *is, int64_t took)
{
	struct endpoint_set *set;

	if (endpoint_builder_finish(b, &set, NULL) < 0)
		die("endpoint", -EINVAL, "");
	for (size_t i = 0; i < set->n; i++) {
		json_t *o = endpoint_json(is, &set->endpoints[i]);

		json_object_set_new(o, "took", json_integer(took));
		print(o);
	}
	endpoint_set_free(set);
}

static void show_container(struct hearing *h, const char *id)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	int64_t begin = now_usec();
	int r;

	diag_list_init(&diags);
	r = runtime_docker_container(h->socket, id, h->runtime, h->images, b, &diags, &err);
	if (r < 0)
		print(json_pack("{s:s,s:s,s:s}", "is", "failed", "container", id, "why", err.msg));
	print_endpoints(b, "container", now_usec() - begin);
	endpoint_builder_free(b);
	diag_list_done(&diags);
}

/* --- new namespaces --------------------------------------------------------------------------- */

static void fresh_free(struct fresh *f)
{
	struct fresh **at = &f->h->fresh;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	sd_event_source_disable_unref(f->opening);
	sd_event_source_disable_unref(f->devices);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

/* True when it is known now, and F is gone. */
static bool join(struct fresh *f)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	int64_t begin = now_usec();
	int r;

	diag_list_init(&diags);
	r = f->fd < 0 ? 0
		      : runtime_early_join(f->h->early, f->fd, f->path, f->number, b, NULL, &diags,
					   &err);
	if (r < 0)
		die("join", r, err.msg);
	print_endpoints(b, "joined", now_usec() - begin);
	endpoint_builder_free(b);
	diag_list_done(&diags);
	if (r == 1)
		fresh_free(f);
	return r == 1;
}

static void on_known(const char *container, void *arg)
{
	struct hearing *h = arg;

	print(json_pack("{s:s,s:s}", "is", "known", "container", container));
	for (struct fresh *f = h->fresh, *next; f; f = next) {
		next = f->next;
		join(f);
	}
}

static int on_devices(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	char buf[8192];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	join(arg);
	return 0;
}

static void watch_devices(struct fresh *f)
{
	struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd;

	if (netns_socket(f->fd, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE, &fd, NULL) <
		    0 ||
	    bind(fd, (struct sockaddr *)&groups, sizeof(groups)) < 0 ||
	    sd_event_add_io(f->h->event, &f->devices, fd, EPOLLIN, on_devices, f) < 0)
		die("devices", -errno, f->path);
	sd_event_source_set_io_fd_own(f->devices, true);
}

/* The file is there before the namespace is mounted on it. */
static int on_opening(sd_event_source *source, uint64_t usec, void *arg)
{
	struct fresh *f = arg;

	if (netns_open(f->path, &f->fd, NULL, NULL) >= 0) {
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		watch_devices(f);
		join(f);
	} else if (++f->tries == OPEN_TRIES) {
		fresh_free(f);
	} else {
		sd_event_source_set_time_relative(source, OPEN_RETRY_USEC);
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	return 0;
}

static void appeared(struct hearing *h, const char *name)
{
	static uint64_t last_number;
	struct fresh *f = calloc(1, sizeof(*f));

	if (!f)
		die("netns", -ENOMEM, "");
	f->h = h;
	f->number = ++last_number;
	f->fd = -1;
	snprintf(f->path, sizeof(f->path), "%s/%s", h->netns_dir, name);
	f->next = h->fresh;
	h->fresh = f;
	print(json_pack("{s:s,s:s}", "is", "netns", "path", f->path));
	if (sd_event_add_time_relative(h->event, &f->opening, CLOCK_MONOTONIC, 0, 1, on_opening,
				       f) < 0)
		die("timer", -ENOMEM, "");
}

/* --- folders ---------------------------------------------------------------------------------- */

static int on_folder(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct hearing *h = arg;
	ssize_t n = read(fd, buf, sizeof(buf));

	for (char *at = buf; at < buf + n;) {
		struct inotify_event *e = (struct inotify_event *)(void *)at;

		at += sizeof(*e) + e->len;
		if (e->wd == 1)
			appeared(h, e->name);
		else
			print(json_pack("{s:s,s:s}", "is", "mark", "name", e->name));
	}
	return 0;
}

static void watch_folders(struct hearing *h)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || inotify_add_watch(fd, h->netns_dir, IN_CREATE | IN_ONLYDIR) != 1)
		die(h->netns_dir, -errno, "");
	if (h->marks_dir && inotify_add_watch(fd, h->marks_dir, IN_CREATE | IN_ONLYDIR) < 0)
		die(h->marks_dir, -errno, "");
	if (sd_event_add_io(h->event, NULL, fd, EPOLLIN, on_folder, h) < 0)
		die("inotify", -ENOMEM, "");
}

/* --- events ----------------------------------------------------------------------------------- */

static void on_event(const struct runtime_event *e, void *arg)
{
	struct hearing *h = arg;

	print(json_pack("{s:s,s:s,s:s,s:s,s:I}", "is", "event", "kind", runtime_event_name(e->kind),
			"container", e->container, "network", e->network, "when",
			(json_int_t)e->when_usec));
	runtime_early_event(h->early, e);
	if (e->kind == RUNTIME_EVENT_START)
		show_container(h, e->container);
}

static void on_connected(void *arg)
{
	struct hearing *h = arg;

	print(json_pack("{s:s}", "is", "connected"));
	runtime_early_resync(h->early);
}

static void on_lost(int r, const char *reason, void *arg)
{
	print(json_pack("{s:s,s:i,s:s}", "is", "lost", "r", r, "reason", reason));
}

int main(int argc, char **argv)
{
	static const struct runtime_events_callbacks callbacks = { on_event, on_connected,
								   on_lost };
	struct bh_err err = BH_ERR_INIT;
	struct hearing h = { 0 };

	if (argc < 3 || argc > 5) {
		fprintf(stderr, "usage: events SOCKET docker|podman [NETNS-DIR [MARKS-DIR]]\n");
		return 2;
	}
	h.socket = argv[1];
	h.runtime = strcmp(argv[2], "podman") == 0 ? ENDPOINT_PODMAN : ENDPOINT_DOCKER;
	h.netns_dir = argc > 3 ? argv[3] : NULL;
	h.marks_dir = argc > 4 ? argv[4] : NULL;
	if (sd_event_new(&h.event) < 0 || runtime_images_new(&h.images, &err) < 0 ||
	    runtime_early_new(h.event, h.socket, h.runtime, h.images, on_known, &h, &h.early,
			      &err) < 0 ||
	    runtime_events_new(h.event, h.socket, h.runtime, &callbacks, &h, &h.events, &err) < 0)
		die("set up", -EIO, err.msg);
	if (h.netns_dir)
		watch_folders(&h);
	return sd_event_loop(h.event) < 0;
}
