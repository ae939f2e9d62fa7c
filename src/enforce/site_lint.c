/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/site.h>

#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

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
		     "%s %s selects none of the %zu endpoint%s", kind_of(v), name_of(v),
		     s->endpoints->n, bh_s(s->endpoints->n));
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

/* For each service that WIDE selects more by, the first of those. */
static void warn_wider(const struct site *s, const struct selection *wide,
		       void (*say)(const struct service *v, const struct endpoint *e,
				   struct diag_list *diags),
		       struct diag_list *diags)
{
	for (size_t k = 0; k < s->policies->n_services; k++) {
		const struct selection_list *more = &wide->endpoints_of[k];
		const struct selection_list *is = &s->selection->endpoints_of[k];

		if (more->n > is->n)
			say(&s->policies->services[k],
			    &s->endpoints->endpoints[first_beyond(more, is)], diags);
	}
}

static void say_image_label(const struct service *v, const struct endpoint *e,
			    struct diag_list *diags)
{
	char name[256];

	warn(diags, v, "image-label",
	     "give it the label when it is created, or write image-labels: select in the "
	     "host file",
	     "%s has what %s %s selects only in labels of its image, which do not count",
	     endpoint_format(name, sizeof(name), e), kind_of(v), name_of(v));
}

static int lint_image_labels(const struct site *s, struct diag_list *diags, struct bh_err *err)
{
	struct selection *wide;
	int r;

	if (s->host.image_labels || !have_image_labels(s->endpoints))
		return 0;
	r = selection_new(s->policies, s->endpoints, true, &wide, err);
	if (r < 0)
		return r;
	warn_wider(s, wide, say_image_label, diags);
	selection_free(wide);
	return 0;
}

static bool is_pinned(const struct service *v)
{
	return v->select.image && strchr(v->select.image, '@');
}

static void say_image_digest(const struct service *v, const struct endpoint *e,
			     struct diag_list *diags)
{
	char name[256], image[128], digest[160];
	const char *is = e->n_image_digests ? e->image_digests[0] : e->image_id;

	warn(diags, v, "image-digest",
	     "start it from that image, or correct the digest; bulkhead endpoints --json tells "
	     "what is known",
	     "%s has what %s %s selects, but its image %s is %s",
	     endpoint_format(name, sizeof(name), e), kind_of(v), name_of(v),
	     bh_escape_str(image, sizeof(image), e->image ? e->image : "-"),
	     is ? bh_escape_str(digest, sizeof(digest), is) : "not known");
}

/* As if a digest was no condition. */
static int lint_image_digests(const struct site *s, struct diag_list *diags, struct bh_err *err)
{
	size_t n = s->policies->n_services, pinned = 0;
	bh_autofree struct service *services = calloc(n + 1, sizeof(*services));
	struct policy_set loose = *s->policies;
	struct selection *wide;
	int r;

	if (!services)
		return bh_err_oom(err);
	for (size_t k = 0; k < n; k++) {
		services[k] = s->policies->services[k];
		if (is_pinned(&services[k])) {
			services[k].select.image = NULL;
			pinned++;
		}
	}
	if (!pinned)
		return 0;
	loose.services = services;
	r = selection_new(&loose, s->endpoints, s->host.image_labels, &wide, err);
	if (r < 0)
		return r;
	warn_wider(s, wide, say_image_digest, diags);
	selection_free(wide);
	return 0;
}

int site_lint_images(const struct site *s, struct diag_list *diags, struct bh_err *err)
{
	int r = lint_image_labels(s, diags, err);

	return r < 0 ? r : lint_image_digests(s, diags, err);
}
