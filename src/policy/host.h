/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_HOST_PRIVATE_H
#define BULKHEAD_POLICY_HOST_PRIVATE_H

#include <bulkhead/model/host.h>

#include "schema.h"

/* The parts of the host file. All readers are for tables; OUT is the struct host_config. */

int host_read_runtimes(struct reader *rd, const struct field *f, const struct node *n, void *out);
int host_read_roles(struct reader *rd, const struct field *f, const struct node *n, void *out);
int host_read_policies(struct reader *rd, const struct field *f, const struct node *n, void *out);
int host_read_control(struct reader *rd, const struct field *f, const struct node *n, void *out);
int host_read_metrics(struct reader *rd, const struct field *f, const struct node *n, void *out);
int host_read_retention(struct reader *rd, const struct field *f, const struct node *n, void *out);
int host_read_outputs(struct reader *rd, const struct field *f, const struct node *n, void *out);
int host_read_namespaces(struct reader *rd, const struct field *f, const struct node *n, void *out);
int host_read_limits(struct reader *rd, const struct field *f, const struct node *n, void *out);
int host_read_starts(struct reader *rd, const struct field *f, const struct node *n, void *out);

extern const struct schema host_schema, host_runtimes_schema, host_policies_schema,
	host_role_schema;
extern const struct schema host_control_schema, host_metrics_schema, host_retention_schema;
extern const struct schema host_output_schema, host_limits_schema, host_starts_schema;

/* The bytes of a path: of a socket (with its NUL it fits an address), of any file. */
#define HOST_SOCKET_MAX 107
#define HOST_PATH_MAX   4095

/* An absolute path into *RET, or reported: "KEY takes TAKES, not ..." and *RET untouched. */
int host_read_path(struct reader *rd, const struct field *f, const struct node *n,
		   const char *takes, size_t max, const char **ret);

/* A user's or group's name or ID into *RET, or reported and *RET untouched. */
int host_read_account(struct reader *rd, const struct field *f, const struct node *n,
		      const char **ret);

bool host_is_true(const struct node *n);
bool host_is_false(const struct node *n);

#endif
