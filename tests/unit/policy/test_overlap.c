/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#include "../../../src/policy/overlap.h"

/* Services of every kind of selector, drawn by a fixed generator. What is found by index is what is found by looking at all. */

#define SERVICES 300

static uint32_t state = 12345;

static uint32_t draw(uint32_t n)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

static void add_selector(FILE *f)
{
	static const char *const names[] = { "a",   "ab",  "a*",  "ab*", "*",    "*b",
					     "abc", "b?c", "b-*", "b",   "ab-1", "?b" };
	static const char *const composes[] = { "shop/a", "shop/b", "shop/c" };
	static const char *const runtimes[] = { "docker", "podman" };
	unsigned said = 0;

	fputs("{", f);
	if (draw(2)) {
		fprintf(f, "labels: {%c: v%u", "xyz"[draw(3)], draw(4));
		if (draw(3) == 0)
			fprintf(f, ", w: v%u", draw(4));
		fputs("}", f);
		said++;
	}
	if (draw(3) == 0)
		fprintf(f, "%scompose: %s", said++ ? ", " : "", composes[draw(3)]);
	if (draw(3) == 0)
		fprintf(f, "%sruntime: %s", said++ ? ", " : "", runtimes[draw(2)]);
	if (!said || draw(3) == 0)
		fprintf(f, "%sname: \"%s\"", said ? ", " : "", names[draw(12)]);
	fputs("}", f);
}

static struct policy_set *draw_set(void)
{
	struct policy_set *set;
	char *yaml = NULL;
	size_t len;
	FILE *f = open_memstream(&yaml, &len);

	for (unsigned i = 0; i < SERVICES; i++) {
		fprintf(f, "service: s%u\nselect: ", i);
		add_selector(f);
		fputs("\n---\n", f);
	}
	fclose(f);
	set = parse_valid(yaml);
	free(yaml);
	return set;
}

static void test_index_finds_all(void **state_)
{
	size_t pairs = 0;

	for (unsigned round = 0; round < 20; round++) {
		struct policy_set *set = draw_set();
		struct overlaps o;

		assert_int_equal(overlaps_init(&o, set), 0);
		for (size_t i = 0; i < SERVICES; i++) {
			const struct overlap *found;
			size_t n = 0;

			assert_int_equal(overlaps_get(&o, i, &found), 0);
			for (size_t k = 0; k < SERVICES; k++) {
				if (k != i && selectors_disjoint(&set->services[i].select,
								 &set->services[k].select))
					continue;
				assert_true(n < found->n);
				assert_int_equal(found->i[n++], k);
			}
			assert_int_equal(found->n, n);
			pairs += n;
		}
		overlaps_done(&o);
		policy_set_free(set);
	}
	assert_true(pairs > 20 * SERVICES * 2);
	assert_true(pairs < 20 * SERVICES * SERVICES * 9 / 10);
}

/* Two that may be one are so whichever way round it is asked, and each is itself. */
static void test_symmetric(void **state_)
{
	struct policy_set *set = draw_set();

	for (size_t i = 0; i < SERVICES; i++)
		for (size_t k = 0; k < SERVICES; k++)
			assert_int_equal(selectors_disjoint(&set->services[i].select,
							    &set->services[k].select),
					 selectors_disjoint(&set->services[k].select,
							    &set->services[i].select));
	policy_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_finds_all),
		cmocka_unit_test(test_symmetric),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
