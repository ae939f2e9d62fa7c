/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/limits.h>

#include "reply.h"

#define NETWORK_ID_MAX 64

/* Mostly 64 hexadecimal digits; a swarm's are other ones. Nothing that means something in a URL. */
bool docker_network_id_is_valid(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-.";
	size_t len = strlen(id);

	return len && len <= NETWORK_ID_MAX && id[0] != '.' && strspn(id, allowed) == len;
}

/* "02:42:ac:12:00:02"; the empty one is none. */
static void take_mac(struct reply *d, const json_t *item, struct runtime_attachment *a)
{
	const char *s = reply_borrow(d, item, "MacAddress");
	int end = 0;

	if (!s)
		return;
	a->has_mac = sscanf(s, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &a->mac[0], &a->mac[1],
			    &a->mac[2], &a->mac[3], &a->mac[4], &a->mac[5], &end) == 6 &&
		     end == 17 && !s[end];
	if (!a->has_mac)
		reply_wrong(d, "MacAddress", "is no address of Ethernet");
}

/* "172.18.0.2/16" */
static void take_addr(struct reply *d, const json_t *item, const char *key, int family,
		      struct runtime_attachment *a)
{
	const char *s = reply_borrow(d, item, key);
	char addr[64];

	if (!s)
		return;
	snprintf(addr, sizeof(addr), "%.*s", (int)strcspn(s, "/"), s);
	reply_add_addr(d, addr, key, a->addrs, 2, &a->n_addrs);
	if (d->r >= 0 && a->addrs[a->n_addrs - 1].family != family)
		reply_wrong(d, key, "is of the other family");
}

static void take_attachment(struct reply *d, const char *id, const json_t *item,
			    struct runtime_attachment *a)
{
	memcpy(a->container, id, sizeof(a->container));
	take_mac(d, item, a);
	take_addr(d, item, "IPv4Address", AF_INET, a);
	take_addr(d, item, "IPv6Address", AF_INET6, a);
}

/* What is in it that is no container ("lb-shop", "ep-...": a swarm's) is left out. */
static size_t take_attachments(struct reply *d, json_t *containers, struct runtime_attachment *v)
{
	const char *id;
	json_t *item;
	size_t n = 0;

	json_object_foreach (containers, id, item) {
		if (!docker_id_is_valid(id))
			continue;
		if (!json_is_object(item))
			reply_wrong(d, "Containers", "has a value that is no object");
		if (d->r < 0)
			break;
		take_attachment(d, id, item, &v[n++]);
	}
	return n;
}

static int parse(struct reply *d, struct runtime_attachment **ret, size_t *ret_n)
{
	json_t *containers = reply_member(d, d->root, "Containers", JSON_OBJECT);
	size_t n = json_object_size(containers);
	struct runtime_attachment *v;

	if (d->r < 0)
		return d->r;
	if (n > BH_ENDPOINTS_MAX)
		return bh_err_set(d->err, -E2BIG, "more than %d containers in a network",
				  BH_ENDPOINTS_MAX);
	*ret = NULL;
	*ret_n = 0;
	if (!n)
		return 0;
	v = calloc(n, sizeof(*v));
	if (!v)
		return bh_err_oom(d->err);
	n = take_attachments(d, containers, v);
	if (d->r < 0) {
		free(v);
		return d->r;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

int docker_parse_network(const char *json, size_t len, struct runtime_attachment **ret,
			 size_t *ret_n, struct bh_err *err)
{
	struct reply d = { .err = err };
	int r = reply_open(&d, json, len, JSON_OBJECT, "the network's document");

	if (r < 0)
		return r;
	r = parse(&d, ret, ret_n);
	json_decref(d.root);
	return r;
}
