/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OCI_HOOK_H
#define OCI_HOOK_H

#include <bulkhead/launch/launch.h>

#include "state.h"

/* What the hook does of a state that was read. */

/*
 * createRuntime: hold the container. *RET as launch_hold() says; NOTE (BH_ERR_MAX bytes) gets a sentence that is
 * to be told though it went well, or "". O's quarantine and wait count.
 */
int oci_hook_start(const struct oci_state *s, enum endpoint_runtime runtime,
		   const struct launch_options *o, char *note, struct bh_err *err);
/* poststop */
int oci_hook_stop(const struct oci_state *s, enum endpoint_runtime runtime,
		  const struct launch_options *o, struct bh_err *err);

#endif
