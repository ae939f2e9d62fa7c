/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker.h"

#include <netinet/in.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/*
 * Names of ports. The engine has none; what runs pods on it (cri-dockerd) writes the ports of a container
 * into a label, as Kubernetes has them.
 */

#define PORTS_LABEL "annotation.io.kubernetes.container.ports"

static uint16_t proto_of(const json_t *v)
{
	const char *s = json_string_value(v);

	if (!v || (s && strcmp(s, "TCP") == 0))
		return IPPROTO_TCP;
	if (s && strcmp(s, "UDP") == 0)
		return IPPROTO_UDP;
	return s && strcmp(s, "SCTP") == 0 ? IPPROTO_SCTP : 0;
}

/* Anybody may have written it: what is no port with a name is passed over. */
static bool take_port(const json_t *v, struct bh_arena *arena, struct endpoint_port *ret,
		      bool *ret_oom)
{
	const char *name = json_string_value(json_object_get(v, "name"));
	json_int_t port = json_integer_value(json_object_get(v, "containerPort"));
	uint16_t proto = proto_of(json_object_get(v, "protocol"));

	if (!name || !*name || port < 1 || port > UINT16_MAX || !proto)
		return false;
	*ret = (struct endpoint_port) { bh_arena_strdup(arena, name), (uint16_t)port, proto };
	*ret_oom |= !ret->name;
	return ret->name;
}

int docker_take_ports(struct endpoint *e, struct bh_arena *arena, struct bh_err *err)
{
	const char *text = endpoint_label(e, PORTS_LABEL, false);
	json_t *list = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	size_t n = json_array_size(list);
	struct endpoint_port *out;
	bool oom;

	e->n_ports = 0;
	if (n > BH_ENDPOINT_PORTS_MAX)
		n = BH_ENDPOINT_PORTS_MAX;
	out = bh_arena_array(arena, n + 1, sizeof(*out));
	oom = !out;
	for (size_t i = 0; out && i < n; i++)
		if (take_port(json_array_get(list, i), arena, &out[e->n_ports], &oom))
			e->n_ports++;
	e->ports = out;
	json_decref(list);
	return oom ? bh_err_oom(err) : 0;
}
