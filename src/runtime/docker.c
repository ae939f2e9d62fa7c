/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/runtime.h>
#include <errno.h>
int runtime_docker_list(const char *socket_path, enum endpoint_runtime runtime,
			struct endpoint_builder *b, struct diag_list *diags, struct bh_err *err)
{
	return bh_err_set(err, -ENOSYS, "not yet");
}
