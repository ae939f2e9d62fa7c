/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/endpoint.h>

#include <string.h>

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_labels(const struct label *a, size_t n_a, const struct label *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (strcmp(a[i].key, b[i].key) != 0 || strcmp(a[i].value, b[i].value) != 0)
			return false;
	return true;
}

static bool same_addrs(const struct bh_addr *a, size_t n_a, const struct bh_addr *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (bh_addr_cmp(&a[i], &b[i]) != 0)
			return false;
	return true;
}

static bool same_ports(const struct endpoint *a, const struct endpoint *b)
{
	if (a->n_ports != b->n_ports)
		return false;
	for (size_t i = 0; i < a->n_ports; i++)
		if (a->ports[i].port != b->ports[i].port ||
		    a->ports[i].proto != b->ports[i].proto ||
		    !same_text(a->ports[i].name, b->ports[i].name))
			return false;
	return true;
}

static bool same_image(const struct endpoint *a, const struct endpoint *b)
{
	if (!same_text(a->image, b->image) || !same_text(a->image_id, b->image_id) ||
	    a->n_image_digests != b->n_image_digests)
		return false;
	for (size_t i = 0; i < a->n_image_digests; i++)
		if (strcmp(a->image_digests[i], b->image_digests[i]) != 0)
			return false;
	return true;
}

bool endpoint_looks_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->runtime == b->runtime && a->obstacle == b->obstacle &&
	       a->netns_ino == b->netns_ino && same_text(a->netns, b->netns) &&
	       same_text(a->name, b->name) && same_image(a, b) &&
	       same_text(a->namespace, b->namespace) && same_ports(a, b) &&
	       same_text(a->compose_project, b->compose_project) &&
	       same_text(a->compose_service, b->compose_service) &&
	       same_addrs(a->addrs, a->n_addrs, b->addrs, b->n_addrs) &&
	       same_addrs(a->resolvers, a->n_resolvers, b->resolvers, b->n_resolvers) &&
	       same_labels(a->labels, a->n_labels, b->labels, b->n_labels) &&
	       same_labels(a->image_labels, a->n_image_labels, b->image_labels, b->n_image_labels);
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return strcmp(a->id, b->id) == 0 && a->pid == b->pid && endpoint_looks_same(a, b);
}

bool endpoint_set_equal(const struct endpoint_set *a, const struct endpoint_set *b)
{
	if (a->n != b->n ||
	    !same_addrs(a->host_addrs, a->n_host_addrs, b->host_addrs, b->n_host_addrs) ||
	    !same_addrs(a->shared_addrs, a->n_shared_addrs, b->shared_addrs, b->n_shared_addrs) ||
	    !endpoint_set_same_namespace_labels(a, b))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same_endpoint(&a->endpoints[i], &b->endpoints[i]))
			return false;
	return true;
}
