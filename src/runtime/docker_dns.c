/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <jansson.h>
#include <nettle/sha2.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include "resolve.h"

#define DAEMON_JSON  "/etc/docker/daemon.json"
#define RESOLV_CONF  "/etc/resolv.conf"
#define RESOLVED     "/run/systemd/resolve/resolv.conf"
#define EXT_SERVERS  "# ExtServers: ["
#define NO_SERVERS   "# NO EXTERNAL NAMESERVERS DEFINED"
#define SHA256_HEX   64
#define DIGEST_WORDS "sha256:"

struct resolver_list {
	struct bh_addr *out;
	size_t cap, n;
};

static bool has(const struct bh_addr *v, size_t n, const struct bh_addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (bh_addr_cmp(&v[i], a) == 0)
			return true;
	return false;
}

static bool is_loopback(const struct bh_addr *a)
{
	static const uint8_t v6[16] = { [15] = 1 };

	return a->family == AF_INET ? a->b[0] == 127 : memcmp(a->b, v6, sizeof(v6)) == 0;
}

static void add(struct resolver_list *l, const struct bh_addr *a)
{
	if (!is_loopback(a) && !has(l->out, l->n, a) && l->n < l->cap)
		l->out[l->n++] = *a;
}

/*
 * Docker 26 and later write down where its own server asks: "# ExtServers: [10.0.0.1
 * host(127.0.0.53)]". What is in host() leaves from the host, not from the container. False when
 * the file does not say.
 */
static bool add_ext_servers(struct resolver_list *l, const char *text)
{
	const char *at = strstr(text, EXT_SERVERS), *end = at ? strchr(at, ']') : NULL;
	struct bh_addr a;
	char word[64];

	if (strstr(text, "\n" NO_SERVERS))
		return true;
	if (!end || (at != text && at[-1] != '\n'))
		return false;
	at += strlen(EXT_SERVERS);
	while (at < end) {
		size_t len = strcspn(at, " ]");

		if (len < sizeof(word)) {
			memcpy(word, at, len);
			word[len] = '\0';
			if (bh_addr_parse(word, &a) == 0)
				add(l, &a);
		}
		at += len + 1;
	}
	return true;
}

size_t docker_resolvers_from(const struct docker_container *c, const char *text, bool vouched,
			     const struct bh_addr *host, size_t n_host, struct bh_addr *out,
			     size_t cap, size_t *ret_left_out)
{
	struct resolver_list l = { .out = out, .cap = cap };
	struct bh_addr seen[BH_ENDPOINT_RESOLVERS_MAX];
	size_t n_seen, left_out = 0;
	bool embedded;

	runtime_resolvers_parse(text, seen, BH_ARRAY_SIZE(seen), &n_seen, &embedded);
	for (size_t i = 0; i < n_seen; i++) {
		if (vouched || has(c->dns, c->n_dns, &seen[i]) || has(host, n_host, &seen[i]) ||
		    has(c->gateways, c->n_gateways, &seen[i]))
			add(&l, &seen[i]);
		else
			left_out++;
	}
	if (embedded && !(vouched && add_ext_servers(&l, text))) {
		const struct bh_addr *v = c->n_dns ? c->dns : host;

		for (size_t i = 0; i < (c->n_dns ? c->n_dns : n_host); i++)
			add(&l, &v[i]);
	}
	*ret_left_out = left_out;
	return l.n;
}

/* --- reading --------------------------------------------------------------------------------- */

/*
 * Docker keeps the digest of the file beside it, out of the container's reach: with that, the file
 * is still as Docker wrote it.
 */
static bool is_vouched(const char *path, const char *text, size_t len)
{
	char hash_path[BH_RUNTIME_LABEL_BYTES_MAX + 8], want[sizeof(DIGEST_WORDS) + SHA256_HEX];
	uint8_t sum[SHA256_DIGEST_SIZE];
	bh_autofree char *have = NULL;
	struct sha256_ctx ctx;
	size_t have_len;
	char *at = want;

	snprintf(hash_path, sizeof(hash_path), "%s.hash", path);
	if (bh_read_file(hash_path, BH_RESOLV_CONF_BYTES_MAX, &have, &have_len) < 0)
		return false;
	sha256_init(&ctx);
	sha256_update(&ctx, len, (const uint8_t *)text);
	sha256_digest(&ctx, sizeof(sum), sum);
	at += sprintf(at, DIGEST_WORDS);
	for (size_t i = 0; i < sizeof(sum); i++)
		at += sprintf(at, "%02x", sum[i]);
	return strncmp(have, want, strlen(want)) == 0;
}

/* "dns" of the daemon's configuration file. */
static size_t daemon_dns(struct bh_addr *out, size_t cap)
{
	bh_autofree char *data = NULL;
	json_t *root, *item;
	size_t len, i, n = 0;

	if (bh_read_file(DAEMON_JSON, BH_RESOLV_CONF_BYTES_MAX, &data, &len) < 0)
		return 0;
	root = json_loadb(data, len, 0, NULL);
	json_array_foreach (json_object_get(root, "dns"), i, item)
		if (n < cap && json_is_string(item) &&
		    bh_addr_parse(json_string_value(item), &out[n]) == 0)
			n++;
	json_decref(root);
	return n;
}

/* What a container gets that was given no --dns; Docker looks behind systemd's stub, too. */
static size_t host_resolvers(enum endpoint_runtime runtime, struct bh_addr *out, size_t cap)
{
	size_t n = runtime == ENDPOINT_DOCKER ? daemon_dns(out, cap) : 0;
	bool embedded;

	if (!n)
		runtime_resolvers(RESOLV_CONF, out, cap, &n, &embedded);
	if (!n)
		runtime_resolvers(RESOLVED, out, cap, &n, &embedded);
	return n;
}

size_t docker_resolvers(const struct docker_container *c, struct bh_addr *out, size_t cap,
			size_t *ret_left_out)
{
	struct bh_addr host[BH_ENDPOINT_RESOLVERS_MAX];
	bh_autofree char *text = NULL;
	size_t len, n_host;

	*ret_left_out = 0;
	if (!c->resolv_conf ||
	    bh_read_file(c->resolv_conf, BH_RESOLV_CONF_BYTES_MAX, &text, &len) < 0)
		return 0;
	n_host = host_resolvers(c->e.runtime, host, BH_ARRAY_SIZE(host));
	return docker_resolvers_from(c, text, is_vouched(c->resolv_conf, text, len), host, n_host,
				     out, cap, ret_left_out);
}

size_t docker_resolvers_expected(const struct docker_container *c, struct bh_addr *out, size_t cap)
{
	struct resolver_list l = { .out = out, .cap = cap };
	struct bh_addr host[BH_ENDPOINT_RESOLVERS_MAX];
	size_t n = host_resolvers(c->e.runtime, host, BH_ARRAY_SIZE(host));

	for (size_t i = 0; i < (c->n_dns ? c->n_dns : n); i++)
		add(&l, c->n_dns ? &c->dns[i] : &host[i]);
	return l.n;
}
