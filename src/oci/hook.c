/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/sys/netns.h>

#include "bundle.h"

/* Names that tools give in annotations. */
static const char *const name_keys[] = { "io.kubernetes.cri.container-name",
					 "io.podman.annotations.name", "nerdctl/name", NULL };
static const char *const image_keys[] = { "org.opencontainers.image.ref.name",
					  "io.kubernetes.cri.image-name",
					  "io.podman.annotations.image", NULL };

static const char *first_of(const json_t *annotations, const char *const *keys)
{
	const char *s = NULL;

	for (; *keys && !s; keys++)
		s = json_string_value(json_object_get(annotations, *keys));
	return s && s[0] && strlen(s) <= BH_RUNTIME_LABEL_BYTES_MAX ? s : NULL;
}

/* The namespace that the process is in; the bundle must agree that it is one of its own. */
static int find_netns(const struct oci_state *s, const struct oci_config *c, char *path, size_t cap,
		      uint64_t *ret_ino, struct bh_err *err)
{
	struct stat st;

	snprintf(path, cap, "/proc/%d/ns/net", s->pid);
	if (stat(path, &st) < 0)
		return bh_err_set(err, -ESRCH, "\"pid\": there is no process %d", s->pid);
	*ret_ino = st.st_ino;
	if (st.st_ino == netns_own_ino())
		return bh_err_set(err, -EINVAL,
				  "\"pid\": process %d is in the host's network namespace, and the "
				  "bundle says that the container is not",
				  s->pid);
	if (c->netns && (stat(c->netns, &st) < 0 || st.st_ino != *ret_ino))
		return bh_err_set(err, -EINVAL,
				  "\"pid\": process %d is in another network namespace than the "
				  "bundle says",
				  s->pid);
	return 0;
}

/* In the host's network nothing is enforced: may it start there? */
static void share_host(struct launch_request *rq, char *note)
{
	rq->netns = NULL;
	rq->obstacle = ENDPOINT_HOST_NETWORK;
	snprintf(note, BH_ERR_MAX, "%s", endpoint_obstacle_text(rq->obstacle));
}

static int hold(const struct oci_state *s, const struct oci_config *c,
		enum endpoint_runtime runtime, const struct launch_options *o, char *note,
		struct bh_err *err)
{
	static struct label labels[BH_LABELS_MAX];
	const json_t *said = s->annotations ? s->annotations : c->annotations;
	struct launch_request rq = {
		.runtime = runtime,
		.id = s->id,
		.name = first_of(said, name_keys),
		.image = first_of(said, image_keys),
		.pid = s->pid,
		.own_netns = c->own_network && !c->netns,
		.labels = labels,
		.obstacle = c->obstacle,
	};
	enum launch_outcome outcome;
	char path[64];
	int r = 0;

	if (endpoint_is_announced(runtime))
		r = oci_labels(said, labels, &rq.n_labels, err);
	rq.netns = path;
	if (!c->own_network)
		share_host(&rq, note);
	else if (r >= 0)
		r = find_netns(s, c, path, sizeof(path), &rq.netns_ino, err);
	if (r < 0 || (!c->own_network && !endpoint_is_announced(runtime)))
		return r;
	r = launch_hold(&rq, o, &outcome, NULL, err);
	if (r >= 0 && outcome == LAUNCH_QUARANTINED)
		snprintf(note, BH_ERR_MAX, "it starts with everything denied: %.400s",
			 err->msg[0] ? err->msg : "bulkheadd did not answer");
	return r;
}

static bool is_host(const char *netns)
{
	struct stat st;

	return stat(netns, &st) == 0 && st.st_ino == netns_own_ino();
}

/* Docker's `--network host` is a path, to what is the host's own; and so it is for the process. */
static bool joins_host(const struct oci_state *s, const struct oci_config *c)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", s->pid);
	return c->netns && is_host(c->netns) && is_host(path);
}

int oci_hook_start(const struct oci_state *s, enum endpoint_runtime runtime,
		   const struct launch_options *o, char *note, struct bh_err *err)
{
	struct oci_config c;
	int r;

	note[0] = '\0';
	if (s->pid <= 0)
		return bh_err_set(err, -EINVAL, "\"pid\" is missing");
	r = oci_config_read(s->bundle, &c, err);
	if (r < 0)
		return r;
	if (joins_host(s, &c))
		c.own_network = false;
	r = hold(s, &c, runtime, o, note, err);
	oci_config_done(&c);
	return r;
}

int oci_hook_stop(const struct oci_state *s, enum endpoint_runtime runtime,
		  const struct launch_options *o, struct bh_err *err)
{
	const struct launch_request rq = { .runtime = runtime, .id = s->id, .pid = s->pid };

	return launch_release(&rq, o, err);
}
