/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/site.h>

#include <string.h>

/* What lint can say when it is known who is there. */

static void warn(struct diag_list *diags, const struct service *v, const char *id, const char *hint,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void warn(struct diag_list *diags, const struct service *v, const char *id, const char *hint,
		 const char *fmt, ...)
{
	const struct accept *a = accepts_find(&v->accepts, id);
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(diags, DIAG_WARNING, a ? a->reason : NULL, v->is_k8s ? &v->select.loc : &v->loc,
		  id, hint, fmt, ap);
	va_end(ap);
}

static const char *kind_of(const struct service *v)
{
	return v->is_k8s ? "NetworkPolicy" : "service";
}

static const char *name_of(const struct service *v)
{
	return v->is_k8s ? v->name + strlen(K8S_NAME_PREFIX) : v->name;
}

void site_lint_nobody(const struct site *s, struct diag_list *diags)
{
	for (size_t k = 0; k < s->policies->n_services; k++) {
		const struct service *v = &s->policies->services[k];

		if (v->mode == MODE_OFF || s->selection->endpoints_of[k].n)
			continue;
		warn(diags, v, "selects-nobody",
		     v->is_k8s ? "compare podSelector: and the namespace with what bulkhead "
				 "endpoints --json lists"
			       : "compare select: with what bulkhead endpoints lists",
		     "%s %s selects none of the %zu endpoints", kind_of(v), name_of(v),
		     s->endpoints->n);
	}
}

static bool have_image_labels(const struct endpoint_set *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->endpoints[i].n_image_labels)
			return true;
	return false;
}

/* The first of MORE, which has all of FEWER, that is not in FEWER; both ascend. */
static uint32_t first_beyond(const struct selection_list *more, const struct selection_list *fewer)
{
	size_t i = 0;

	while (i < fewer->n && more->i[i] == fewer->i[i])
		i++;
	return more->i[i];
}

int site_lint_images(const struct site *s, struct diag_list *diags, struct bh_err *err)
{
	struct selection *wide;
	char name[256];
	int r;

	if (s->host.image_labels || !have_image_labels(s->endpoints))
		return 0;
	r = selection_new(s->policies, s->endpoints, true, &wide, err);
	if (r < 0)
		return r;
	for (size_t k = 0; k < s->policies->n_services; k++) {
		const struct selection_list *more = &wide->endpoints_of[k];
		const struct selection_list *is = &s->selection->endpoints_of[k];
		const struct service *v = &s->policies->services[k];
		const struct endpoint *e;

		if (more->n == is->n)
			continue;
		e = &s->endpoints->endpoints[first_beyond(more, is)];
		warn(diags, v, "image-label",
		     "give it the label when it is created, or write image-labels: select in the "
		     "host file",
		     "%s has what %s %s selects only in labels of its image, which do not "
		     "count",
		     endpoint_format(name, sizeof(name), e), kind_of(v), name_of(v));
	}
	selection_free(wide);
	return 0;
}
