/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_K8S_PRIVATE_H
#define BULKHEAD_POLICY_K8S_PRIVATE_H

#include "set.h"

/* Kubernetes NetworkPolicies (networking.k8s.io/v1), read to what a service: document comes to. */

/* A document that begins with apiVersion:, kind:, metadata:, spec: or items:. 0 or -ENOMEM. */
int k8s_read(struct set_builder *b, const struct node *root);
/* Does the document look like one of Kubernetes'? */
bool k8s_is_document(const struct node *root);

/* spec: of one into SVC, which has its name. NAMESPACE is the policy's, and stays. */
int k8s_read_spec(struct reader *rd, const struct node *spec, struct service *svc,
		  const char *namespace);

/* Lists of rules into SVC. NAMESPACE is the policy's. */
int k8s_read_rules(struct reader *rd, const struct node *list, enum direction d,
		   const char *namespace, struct service *svc);

/* A LabelSelector. 0 or -ENOMEM. */
int k8s_read_selector(struct reader *rd, const struct node *n, const char *what,
		      struct label_query *ret);
/* Those of its lines that name one value, for struct pods. */
int k8s_find_exact(struct reader *rd, struct pods *p);

/* What is wrong with it, in a few words (static), or NULL. */
const char *k8s_label_key_wrong(const char *s);
const char *k8s_label_value_wrong(const char *s);
const char *k8s_namespace_wrong(const char *s);
const char *k8s_policy_name_wrong(const char *s);
const char *k8s_port_name_wrong(const char *s);

/* A text that Kubernetes takes for one; a number or a truth value without quotes is reported. */
bool k8s_is_text(struct reader *rd, const struct node *n, const char *what);

/* Labels of a namespace or of whatever a metadata: belongs to. ADD (may be NULL) is called of each. */
int k8s_read_labels(struct reader *rd, const struct node *n,
		    int (*add)(struct reader *rd, const struct node *n, void *arg), void *arg);

#endif
