/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OCI_BUNDLE_H
#define OCI_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/endpoint.h>

/* What a bundle's config.json (runtime-spec, "Configuration") says that is of account here. */
struct oci_config {
	json_t *root;
	const json_t *annotations; /* NULL: none */
	bool own_network;          /* it gets a network namespace, or joins one: NETNS */
	const char *netns;         /* the path of the one that it joins; NULL: a new one */
	enum endpoint_obstacle obstacle;
};

/* LEN bytes of DATA, at most BH_OCI_CONFIG_BYTES_MAX. -EINVAL with a sentence that names the member. */
int oci_config_parse(const char *data, size_t len, struct oci_config *ret, struct bh_err *err);
/* Of the directory BUNDLE. Errors name the path. */
int oci_config_read(const char *bundle, struct oci_config *ret, struct bh_err *err);
void oci_config_done(struct oci_config *c);

/*
 * Annotations as labels, without those whose key has a "=": at most BH_LABELS_MAX (-E2BIG), none longer
 * than BH_RUNTIME_LABEL_BYTES_MAX (-EINVAL, which names it). RET has room for BH_LABELS_MAX and borrows.
 */
int oci_labels(const json_t *annotations, struct label *ret, size_t *ret_n, struct bh_err *err);

#endif
