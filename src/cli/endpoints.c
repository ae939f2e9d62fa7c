/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/text.h>

#include "cli.h"

/* A JSON string of hostile bytes: what is not well-formed UTF-8 is escaped. */
static json_t *text(const char *s)
{
	json_t *j;
	char safe[4096];

	if (!s)
		return json_null();
	j = json_string(s);
	return j ? j : json_string(bh_escape_str(safe, sizeof(safe), s));
}

static json_t *labels(const struct label *l, size_t n)
{
	json_t *obj = json_object();
	char key[1024];

	for (size_t i = 0; i < n; i++)
		json_object_set_new(obj, bh_escape_str(key, sizeof(key), l[i].key),
				    text(l[i].value));
	return obj;
}

static json_t *texts(const char *const *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, text(v[i]));
	return list;
}

static json_t *addresses(const struct bh_addr *a, size_t n)
{
	json_t *list = json_array();
	char s[BH_ADDR_STR];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(bh_addr_format(s, &a[i])));
	return list;
}

static void print_json(const struct endpoint *e)
{
	json_t *obj = json_object();

	json_object_set_new(obj, "id", text(e->id));
	json_object_set_new(obj, "name", text(e->name));
	json_object_set_new(obj, "namespace", text(e->namespace));
	json_object_set_new(obj, "runtime", json_string(endpoint_runtime_name(e->runtime)));
	json_object_set_new(obj, "image", text(e->image));
	json_object_set_new(obj, "image_id", text(e->image_id));
	json_object_set_new(obj, "image_digests", texts(e->image_digests, e->n_image_digests));
	json_object_set_new(obj, "labels", labels(e->labels, e->n_labels));
	json_object_set_new(obj, "image_labels", labels(e->image_labels, e->n_image_labels));
	json_object_set_new(obj, "addresses", addresses(e->addrs, e->n_addrs));
	json_object_set_new(obj, "resolvers", addresses(e->resolvers, e->n_resolvers));
	json_object_set_new(obj, "netns", text(e->netns));
	json_object_set_new(obj, "netns_ino", json_integer((json_int_t)e->netns_ino));
	json_object_set_new(obj, "pid", json_integer(e->pid));
	json_object_set_new(obj, "obstacle",
			    e->obstacle ? json_string(endpoint_obstacle_word(e->obstacle))
					: json_null());
	if (e->obstacle)
		json_object_set_new(obj, "why", json_string(endpoint_obstacle_text(e->obstacle)));
	json_dumpf(obj, stdout, 0);
	putchar('\n');
	json_decref(obj);
}

static void print_text(const struct endpoint *e)
{
	char id[128], addr[BH_ADDR_STR];
	struct bh_buf b;

	bh_buf_init(&b, 1 << 16);
	for (size_t i = 0; i < e->n_addrs; i++)
		bh_buf_addf(&b, "%s%s", i ? " " : "", bh_addr_format(addr, &e->addrs[i]));
	for (size_t i = 0; i < e->n_labels; i++) {
		bh_buf_addstr(&b, i ? "," : "  ");
		bh_escape(&b, e->labels[i].key, strlen(e->labels[i].key));
		bh_buf_addstr(&b, "=");
		bh_escape(&b, e->labels[i].value, strlen(e->labels[i].value));
	}
	printf("%-24s %-9s %s\n", bh_escape_str(id, sizeof(id), e->name),
	       endpoint_runtime_name(e->runtime), bh_buf_str(&b));
	bh_buf_done(&b);
}

int cmd_endpoints(struct cli_options *o)
{
	struct site s;
	int code = cli_load(&s, o, NEED_ENDPOINTS);

	for (size_t i = 0; code == CLI_YES && i < s.endpoints->n; i++)
		(o->json ? print_json : print_text)(&s.endpoints->endpoints[i]);
	site_done(&s);
	return code;
}
