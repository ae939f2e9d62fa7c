/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OCI_STATE_H
#define OCI_STATE_H

#include <stddef.h>

#include <jansson.h>

#include <bulkhead/base/err.h>

/*
 * The state of a container, as a runtime hands it to a hook on standard input (runtime-spec, "State").
 * Hostile: what the container's creator wrote is in it.
 */
struct oci_state {
	json_t *root;
	const char *id;     /* a file name: no "/", not "." or ".."; at most BH_HINT_ID_MAX bytes */
	const char *status; /* "creating", "created", "running", "stopped" */
	const char *bundle; /* absolute */
	int pid;            /* 0: there is none (any more) */
	const json_t *annotations; /* NULL: none */
};

/* LEN bytes of DATA, at most BH_OCI_STATE_BYTES_MAX. -EINVAL with a sentence that names the member. */
int oci_state_parse(const char *data, size_t len, struct oci_state *ret, struct bh_err *err);
void oci_state_done(struct oci_state *s);

#endif
