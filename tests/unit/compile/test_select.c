/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

/* The endpoints a selector takes, as a word: "ac" = the first and the third. */
static const char *chosen(struct fx *f, const struct selector *s, bool image_labels)
{
	static char out[32];
	struct service *v = (struct service *)f->policies.services;
	struct selection *sel;
	size_t n = 0;

	v->name = "s";
	v->select = *s;
	f->policies.n_services = 1;
	assert_int_equal(selection_new(&f->policies, &f->endpoints, image_labels, &sel, &f->err),
			 0);
	for (; n < sel->endpoints_of[0].n; n++)
		out[n] = (char)('a' + sel->endpoints_of[0].i[n]);
	out[n] = '\0';
	for (size_t i = 0; i < f->endpoints.n; i++)
		assert_int_equal(sel->services_of[i].n, strchr(out, 'a' + (int)i) ? 1 : 0);
	selection_free(sel);
	return out;
}

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *const digests[] = { "registry.example/web@" DIGEST };

static void build(struct fx *f)
{
	struct endpoint *a, *b, *c;

	fx_init(f);
	a = fx_endpoint(f, "a", "app=web,tier=front", "10.0.0.1");
	b = fx_endpoint(f, "b", "app=web,tier=back", "10.0.0.2");
	c = fx_endpoint(f, "c", "app=db", "10.0.0.3");
	a->name = "web-1";
	b->name = "web-2";
	c->name = "db";
	a->runtime = ENDPOINT_DOCKER;
	b->runtime = ENDPOINT_PODMAN;
	a->image = "registry.example/web:1";
	a->image_digests = digests;
	a->n_image_digests = 1;
	b->image = "registry.example/web@" DIGEST; /* says so itself */
	a->compose_project = "shop";
	a->compose_service = "web";
	c->compose_project = "shop";
	c->compose_service = "db";
	c->image_labels = fx_labels(f, "tier=front,app=web", &c->n_image_labels);
}

static void test_lines(void **state)
{
	struct fx f;
	size_t n;

	build(&f);
	assert_string_equal(chosen(&f, &(struct selector) { .name = "web-2" }, false), "b");
	assert_string_equal(chosen(&f, &(struct selector) { .name = "web-*" }, false), "ab");
	assert_string_equal(chosen(&f, &(struct selector) { .name = "web" }, false), "");
	assert_string_equal(chosen(&f, &(struct selector) { .image = "*/web@sha256:*" }, false),
			    "a");
	assert_string_equal(chosen(&f, &(struct selector) { .image = "*/web@" DIGEST }, false),
			    "a");
	assert_string_equal(chosen(&f, &(struct selector) { .image = "*/web*" }, false), "ab");
	assert_string_equal(chosen(&f, &(struct selector) { .compose = "shop/web" }, false), "a");
	assert_string_equal(chosen(&f, &(struct selector) { .compose = "shop/*" }, false), "ac");
	assert_string_equal(chosen(&f, &(struct selector) { .compose = "blog/web" }, false), "");
	assert_string_equal(chosen(&f, &(struct selector) { .runtime = "docker" }, false), "a");
	assert_string_equal(
		chosen(&f,
		       &(struct selector) { .labels = fx_labels(&f, "app=web", &n), .n_labels = 1 },
		       false),
		"ab");
	fx_done(&f);
}

static void test_lines_are_and(void **state)
{
	struct fx f;
	struct selector s = { .n_labels = 2 };
	size_t n;

	build(&f);
	s.labels = fx_labels(&f, "app=web,tier=back", &n);
	assert_string_equal(chosen(&f, &s, false), "b");
	s.name = "web-1";
	assert_string_equal(chosen(&f, &s, false), "");
	s.name = "web-?";
	s.runtime = "podman";
	assert_string_equal(chosen(&f, &s, false), "b");
	fx_done(&f);
}

static void test_image_labels_only_when_asked(void **state)
{
	struct fx f;
	struct selector s = { .n_labels = 1 };
	size_t n;

	build(&f);
	s.labels = fx_labels(&f, "tier=front", &n);
	assert_string_equal(chosen(&f, &s, false), "a");
	assert_string_equal(chosen(&f, &s, true), "ac");
	/* what was given at creation goes before what the image says */
	s.labels = fx_labels(&f, "app=web", &n);
	assert_string_equal(chosen(&f, &s, true), "ab");
	fx_done(&f);
}

static void test_nothing_selects_nothing(void **state)
{
	struct fx f;

	build(&f);
	assert_string_equal(chosen(&f, &(struct selector) { 0 }, true), "");
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_lines_are_and),
		cmocka_unit_test(test_image_labels_only_when_asked),
		cmocka_unit_test(test_nothing_selects_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
