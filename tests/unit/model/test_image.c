/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/model/image.h>

#define A  "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B  "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID "sha256:1111111111111111111111111111111111111111111111111111111111111111"

static void test_mistakes(void **state)
{
	static const struct {
		const char *pattern, *mistake; /* NULL: it may be written */
	} cases[] = {
		{ "app:1.2", NULL },
		{ "*", NULL },
		{ "localhost:5000/app@" A, NULL },
		{ "*@" A, NULL },
		{ "registry.example/pay?@sha256:*", NULL },
		{ "app:1.2@" A, "has a tag and a digest" },
		{ "r.example:5000/app:1@sha256:*", "has a tag and a digest" },
		{ "app:*@" A, "has a tag and a digest" },
		{ "@" A, "has no name before its digest" },
		{ "registry.example/@" A, "has no name before its digest" },
		{ "app@", "names no digest of sha256 behind its @" },
		{ "app@sha512:" A, "names no digest of sha256 behind its @" },
		{ "app@*", "names no digest of sha256 behind its @" },
		{ "app@SHA256:*", "names no digest of sha256 behind its @" },
		{ "app@sha256:", "has a digest that is not 64 hexadecimal digits" },
		{ "app@" A "a", "has a digest that is not 64 hexadecimal digits" },
		{ "app@sha256:abc", "has a digest that is not 64 hexadecimal digits" },
		{ "app@sha256:g" A, "has a digest that is not 64 hexadecimal digits" },
		{ "app@x@" A, "names no digest of sha256 behind its @" },
		{ "app@" A "@" A, "has a digest that is not 64 hexadecimal digits" },
		{ "app@sha256:ab*", "has a wildcard among the digits of its digest" },
		{ "app@sha256:**", "has a wildcard among the digits of its digest" },
		{ "app@sha256:"
		  "????????????????????????????????????????????????????????????????",
		  "has a wildcard among the digits of its digest" },
		{ "app@sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		  "has a digest in capitals" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *hint, *is = image_pattern_mistake(cases[i].pattern, &hint);

		if (!cases[i].mistake && is)
			fail_msg("%s: %s", cases[i].pattern, is);
		if (cases[i].mistake && (!is || strcmp(is, cases[i].mistake) != 0))
			fail_msg("%s: %s", cases[i].pattern, is ? is : "no mistake");
		if (is)
			assert_non_null(hint);
	}
}

static void test_long_name(void **state)
{
	char pattern[BH_IMAGE_NAME_MAX + 100];
	const char *hint;

	memset(pattern, 'a', sizeof(pattern));
	strcpy(pattern + BH_IMAGE_NAME_MAX, "@" A);
	assert_null(image_pattern_mistake(pattern, &hint));
	assert_true(image_repo_digest_is_valid(pattern));
	memset(pattern, 'a', sizeof(pattern));
	strcpy(pattern + BH_IMAGE_NAME_MAX + 1, "@" A);
	assert_string_equal(image_pattern_mistake(pattern, &hint), "has a name that is too long");
	assert_false(image_repo_digest_is_valid(pattern));
}

/* What it was created with, its id, its digests; one that nothing is known of, one that nobody knows. */
static const char *const of_registry[] = { "registry.example/payments@" A,
					   "localhost:5000/pay@" B };
static const char *const of_hub[] = { "nginx@" A };
static const char *const of_hub_podman[] = { "docker.io/library/nginx@" A };
static const struct endpoint pulled = {
	.image = "app:1.2", .image_id = ID, .image_digests = of_registry, .n_image_digests = 2
};
static const struct endpoint built = { .image = "localhost:5000/app:1.2", .image_id = ID };
static const struct endpoint claims = { .image = "registry.example/payments@" A };
static const struct endpoint nothing = { .name = "x" };
static const struct endpoint hub = { .image = "nginx:1",
				     .image_digests = of_hub,
				     .n_image_digests = 1 };
static const struct endpoint hub_podman = { .image = "docker.io/library/nginx:1",
					    .image_digests = of_hub_podman,
					    .n_image_digests = 1 };

static void test_which(void **state)
{
	static const struct {
		const char *pattern;
		const struct endpoint *e;
		bool is;
	} cases[] = {
		/* a reference: text */
		{ "app:1.2", &pulled, true },
		{ "app:*", &pulled, true },
		{ "registry.example/payments*", &claims, true },
		{ "app", &pulled, false },
		{ "*", &nothing, false },
		/* a digest of a registry, whatever it was created with */
		{ "registry.example/payments@" A, &pulled, true },
		{ "localhost:5000/pay@" B, &pulled, true },
		{ "*@" A, &pulled, true },
		{ "registry.example/*@" A, &pulled, true },
		{ "registry.example/payments@" B, &pulled, false }, /* not that name's */
		{ "registry.example/payment@" A, &pulled, false },
		{ "registry.example/payments@sha256:*", &pulled, true },
		{ "registry.example/other@sha256:*", &pulled, false },
		/* its id, by the name that it was created by */
		{ "app@" ID, &pulled, true },
		{ "localhost:5000/app@" ID, &built, true },
		{ "*@" ID, &built, true },
		{ "app@" ID, &built, false },
		{ "*@" A, &built, false },
		{ "*@sha256:*", &built, false }, /* no registry knows it */
		/* what it says of itself is not what is run */
		{ "registry.example/payments@" A, &claims, false },
		{ "registry.example/payments@sha256:*", &claims, false },
		{ "*@sha256:*", &nothing, false },
		{ "*@" A, &nothing, false },
		/* Docker Hub */
		{ "nginx@" A, &hub, true },
		{ "docker.io/library/nginx@" A, &hub, true },
		{ "nginx@" A, &hub_podman, true },
		{ "docker.io/library/nginx@" A, &hub_podman, true },
		{ "docker.io/library/nginx@sha256:*", &hub, true },
		{ "registry.example/library/nginx@" A, &hub, false },
		{ "library/nginx@" A, &hub, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *hint;

		assert_null(image_pattern_mistake(cases[i].pattern, &hint));
		if (image_is(cases[i].pattern, cases[i].e) != cases[i].is)
			fail_msg("%zu: %s of %s", i, cases[i].pattern,
				 cases[i].e->image ? cases[i].e->image : "-");
	}
}

static void test_engine_digests(void **state)
{
	assert_true(image_repo_digest_is_valid("localhost:5000/app@" A));
	assert_false(image_repo_digest_is_valid("<none>@" A));
	assert_false(image_repo_digest_is_valid("<none>@<none>"));
	assert_false(image_repo_digest_is_valid("app:1@" A));
	assert_false(image_repo_digest_is_valid("@" A));
	assert_false(image_repo_digest_is_valid(A));
	assert_false(image_repo_digest_is_valid("app@x@" A));
	assert_true(image_digest_is_valid(A));
	assert_false(image_digest_is_valid(A "a"));
	assert_false(image_digest_is_valid("sha256:"));
	assert_false(image_digest_is_valid(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_engine_digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
