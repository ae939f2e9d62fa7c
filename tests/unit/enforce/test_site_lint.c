/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/site.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/policy/policy.h>

/* What lint says when it is known who is there. */

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char policies[] =
	"service: by-image\nselect: {labels: {app: a, tier: front}}\n---\n"
	"service: both\nselect: {labels: {app: b}}\n---\n"
	"service: accepted\nselect: {labels: {app: c}}\n"
	"accept:\n  - {lint: image-label, reason: the old image}\n"
	"  - {lint: selects-nobody, reason: it comes at night}\n---\n"
	"service: nobody\nselect: {labels: {app: d}}\n---\n"
	"service: idle\nmode: \"off\"\nselect: {labels: {app: d}}\n---\n"
	"service: pinned\nselect: {labels: {app: b}, image: \"app@" DIGEST "\"}\n---\n"
	"service: met\nselect: {labels: {app: a}, image: \"app@" DIGEST "\"}\n";

/* One label at creation, another in the image; all at creation; all in the image. */
static struct endpoint_set *endpoints(void)
{
	const struct label a = { "app", "a" }, b = { "app", "b" }, c = { "app", "c" };
	const struct label front = { "tier", "front" };
	static const char *const digests[] = { "app@" DIGEST };
	const struct endpoint e[] = {
		{ .id = "x1",
		  .name = "one\x1b",
		  .runtime = ENDPOINT_DOCKER,
		  .image_digests = digests,
		  .n_image_digests = 1,
		  .labels = &a,
		  .n_labels = 1,
		  .image_labels = &front,
		  .n_image_labels = 1 },
		{ .id = "x2",
		  .name = "two",
		  .runtime = ENDPOINT_DOCKER,
		  .image = "app:1",
		  .labels = &b,
		  .n_labels = 1 },
		{ .id = "x3",
		  .name = "three",
		  .runtime = ENDPOINT_DOCKER,
		  .image_labels = &c,
		  .n_image_labels = 1 },
	};
	struct endpoint_builder *builder = endpoint_builder_new();
	struct endpoint_set *s;

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(endpoint_builder_add(builder, &e[i], NULL), 0);
	assert_int_equal(endpoint_builder_finish(builder, &s, NULL), 0);
	endpoint_builder_free(builder);
	return s;
}

/* What is said, with the reasons of what is accepted; free() it. */
static char *said(bool image_labels)
{
	const struct policy_source src = { "p.yaml", policies, sizeof(policies) - 1 };
	struct diag_list diags, accepted;
	char *text = NULL;
	struct site s;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	diag_list_init(&diags);
	diag_list_init(&accepted);
	diags.accepted = &accepted;
	site_init(&s);
	s.host.image_labels = image_labels;
	s.endpoints = endpoints();
	assert_int_equal(policy_parse(&src, 1, &s.policies, &diags, NULL), 0);
	assert_int_equal(site_compile(&s, true, &diags, NULL), 0);
	assert_int_equal(site_lint_images(&s, &diags, NULL), 0);
	diag_list_sort(&diags);
	diag_list_print(&diags, f, false);
	diag_list_sort(&accepted);
	for (size_t i = 0; i < accepted.n; i++)
		fprintf(f, "accepted: %s [%s]\n", accepted.d[i].accepted, accepted.d[i].id);
	fclose(f);
	site_done(&s);
	diag_list_done(&diags);
	diag_list_done(&accepted);
	return text;
}

static void test_labels_of_images(void **state)
{
	char *text = said(false);

	assert_string_equal(
		text,
		"p.yaml:1:10: warning: one\\x1b (x1) has what service by-image selects only in "
		"labels of its image, which do not count (give it the label when it is created, or "
		"write image-labels: select in the host file) [image-label]\n"
		"p.yaml:1:10: warning: service by-image selects none of the 3 endpoints (compare "
		"select: with what bulkhead endpoints lists) [selects-nobody]\n"
		"p.yaml:13:10: warning: service nobody selects none of the 3 endpoints (compare "
		"select: with what bulkhead endpoints lists) [selects-nobody]\n"
		"p.yaml:20:10: warning: two (x2) has what service pinned selects, but its image "
		"app:1 is not known (start it from that image, or correct the digest; bulkhead "
		"endpoints --json tells what is known) [image-digest]\n"
		"p.yaml:20:10: warning: service pinned selects none of the 3 endpoints (compare "
		"select: with what bulkhead endpoints lists) [selects-nobody]\n"
		"accepted: the old image [image-label]\n"
		"accepted: it comes at night [selects-nobody]\n");
	free(text);
}

/* Where they count, there is nothing to say of them. */
static void test_labels_of_images_count(void **state)
{
	char *text = said(true);

	assert_string_equal(
		text,
		"p.yaml:13:10: warning: service nobody selects none of the 3 endpoints "
		"(compare select: with what bulkhead endpoints lists) [selects-nobody]\n"
		"p.yaml:20:10: warning: two (x2) has what service pinned selects, but its image "
		"app:1 is not known (start it from that image, or correct the digest; bulkhead "
		"endpoints --json tells what is known) [image-digest]\n"
		"p.yaml:20:10: warning: service pinned selects none of the 3 endpoints (compare "
		"select: with what bulkhead endpoints lists) [selects-nobody]\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels_of_images),
		cmocka_unit_test(test_labels_of_images_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
