/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OCI_JSON_H
#define OCI_JSON_H

#include <stddef.h>

#include <jansson.h>

#include <bulkhead/base/err.h>

/* Strict reading of what runtimes write: -EINVAL with a sentence that names the member; -ENOMEM. */

/* One object of at most MAX bytes, not nested too deep, and nothing behind it. */
int oci_json(const char *data, size_t len, size_t max, json_t **ret, struct bh_err *err);

/* Of the members of MAP below, NULL when one is absent. MAP may be NULL. */
int oci_string(const json_t *map, const char *key, size_t max, const char **ret,
	       struct bh_err *err);
int oci_object(const json_t *map, const char *key, const json_t **ret, struct bh_err *err);
int oci_array(const json_t *map, const char *key, const json_t **ret, struct bh_err *err);
/* An object all of whose members are strings. */
int oci_strings(const json_t *map, const char *key, const json_t **ret, struct bh_err *err);

#endif
