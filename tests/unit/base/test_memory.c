/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>

/* Out of memory is an answer here, also under the sanitizer. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* --- buffers ------------------------------------------------------------------------------ */

static void test_buf(void **state)
{
	struct bh_buf b;

	bh_buf_init(&b, 100);
	assert_string_equal(bh_buf_str(&b), "");
	assert_int_equal(bh_buf_addstr(&b, "one"), 0);
	assert_int_equal(bh_buf_add(&b, " two\0!", 6), 0);
	assert_int_equal(bh_buf_addf(&b, " %d %s", 3, "three"), 0);
	assert_int_equal(b.len, 17);
	assert_memory_equal(b.data, "one two\0! 3 three", 18); /* the NUL behind it too */
	assert_int_equal(bh_buf_error(&b), 0);
	bh_buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(bh_buf_str(&b), "");
	assert_int_equal(bh_buf_addstr(&b, "again"), 0);
	assert_string_equal(bh_buf_str(&b), "again");
	bh_buf_done(&b);
	bh_buf_done(&b);
}

static void test_buf_grows(void **state)
{
	char expect[16];
	struct bh_buf b;

	bh_buf_init(&b, 1u << 20);
	for (unsigned i = 0; i < 20000; i++)
		assert_int_equal(bh_buf_addf(&b, "%05u", i), 0);
	assert_int_equal(b.len, 100000);
	assert_int_equal(strlen(bh_buf_str(&b)), 100000);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(expect, sizeof(expect), "%05u", i);
		assert_memory_equal(b.data + 5 * (size_t)i, expect, 5);
	}
	bh_buf_done(&b);
}

/* To the byte: max fits, one more does not, and nothing of it is added. */
static void test_buf_cap(void **state)
{
	static const size_t caps[] = { 0, 1, 7, 255, 256, 257, 4096 };
	struct bh_buf b;

	for (size_t i = 0; i < BH_ARRAY_SIZE(caps); i++) {
		bh_buf_init(&b, caps[i]);
		for (size_t j = 0; j < caps[i]; j++)
			assert_int_equal(bh_buf_add(&b, "x", 1), 0);
		assert_int_equal(b.len, caps[i]);
		assert_int_equal(bh_buf_add(&b, "", 0), 0);
		assert_int_equal(bh_buf_error(&b), 0);
		assert_int_equal(bh_buf_add(&b, "y", 1), -EFBIG);
		assert_int_equal(b.len, caps[i]);
		assert_null(strchr(bh_buf_str(&b), 'y'));
		bh_buf_done(&b);
	}
	bh_buf_init(&b, 4);
	assert_int_equal(bh_buf_addf(&b, "%s", "12345"), -EFBIG);
	assert_int_equal(b.len, 0);
	bh_buf_done(&b);
	bh_buf_init(&b, 100);
	assert_int_equal(bh_buf_add(&b, "", SIZE_MAX), -EFBIG);
	bh_buf_done(&b);
}

static void test_buf_error_sticks(void **state)
{
	struct bh_buf b;

	bh_buf_init(&b, 4);
	assert_int_equal(bh_buf_addstr(&b, "123"), 0);
	assert_int_equal(bh_buf_addstr(&b, "45"), -EFBIG);
	assert_int_equal(bh_buf_addstr(&b, "4"), -EFBIG); /* though it would fit */
	assert_int_equal(bh_buf_addf(&b, "%d", 4), -EFBIG);
	assert_int_equal(bh_buf_add(&b, "", 0), -EFBIG);
	assert_int_equal(bh_buf_error(&b), -EFBIG);
	assert_string_equal(bh_buf_str(&b), "123");
	assert_null(bh_buf_steal(&b));
	bh_buf_reset(&b);
	assert_int_equal(bh_buf_error(&b), 0);
	assert_int_equal(bh_buf_addstr(&b, "1234"), 0);
	bh_buf_done(&b);
}

static void test_buf_out_of_memory(void **state)
{
	volatile size_t huge = SIZE_MAX / 4; /* no machine has it */
	struct bh_buf b;

	bh_buf_init(&b, SIZE_MAX / 2);
	assert_int_equal(bh_buf_addstr(&b, "kept"), 0);
	assert_int_equal(bh_buf_add(&b, "", huge), -ENOMEM);
	assert_int_equal(bh_buf_addstr(&b, "no more"), -ENOMEM);
	assert_string_equal(bh_buf_str(&b), "kept");
	assert_null(bh_buf_steal(&b));
	bh_buf_done(&b);
}

static void test_buf_steal(void **state)
{
	struct bh_buf b;
	char *s;

	bh_buf_init(&b, 16);
	assert_null(bh_buf_steal(&b));
	assert_int_equal(bh_buf_addstr(&b, ""), 0);
	assert_null(bh_buf_steal(&b)); /* empty, though it has memory */
	assert_int_equal(bh_buf_addstr(&b, "mine"), 0);
	s = bh_buf_steal(&b);
	assert_string_equal(s, "mine");
	free(s);
	assert_string_equal(bh_buf_str(&b), "");
	assert_int_equal(bh_buf_addstr(&b, "0123456789abcdef"), 0); /* the cap is still there */
	assert_int_equal(bh_buf_addstr(&b, "x"), -EFBIG);
	bh_buf_reset(&b);
	assert_null(bh_buf_steal(&b));
	bh_buf_done(&b);
}

/* --- vectors ------------------------------------------------------------------------------ */

static void test_vec(void **state)
{
	struct bh_vec v;
	uint64_t *p;

	bh_vec_init(&v, sizeof(*p), 1000);
	for (size_t i = 0; i < 1000; i++) {
		p = bh_vec_push(&v);
		assert_non_null(p);
		assert_int_equal(*p, 0);
		*p = ~(uint64_t)i;
	}
	assert_int_equal(v.n, 1000);
	assert_null(bh_vec_push(&v));
	assert_int_equal(v.n, v.max); /* that is how one knows why */
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(((uint64_t *)v.data)[i], ~(uint64_t)i);
	v.n--; /* what was there before is not seen in a new one */
	p = bh_vec_push(&v);
	assert_non_null(p);
	assert_int_equal(*p, 0);
	bh_vec_done(&v);
	assert_int_equal(v.n, 0);
	assert_non_null(bh_vec_push(&v)); /* as good as new */
	bh_vec_done(&v);
	bh_vec_init(&v, 1, 0);
	assert_null(bh_vec_push(&v));
	bh_vec_done(&v);
}

/* --- arenas ------------------------------------------------------------------------------- */

static bool all_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* Pieces of all sizes: aligned, zeroed, apart from each other, and still there at the end. */
static void test_arena_pieces(void **state)
{
	static struct {
		unsigned char *p;
		size_t size;
	} pieces[3000];
	struct bh_arena *a = bh_arena_new();
	size_t total = 0;

	srandom(11);
	for (size_t i = 0; i < BH_ARRAY_SIZE(pieces); i++) {
		size_t size = (size_t)random() % (i % 100 ? 300 : 200000);

		pieces[i].p = bh_arena_alloc(a, size);
		pieces[i].size = size;
		assert_non_null(pieces[i].p);
		assert_int_equal((uintptr_t)pieces[i].p % alignof(max_align_t), 0);
		assert_true(all_zero((char *)pieces[i].p, size));
		memset(pieces[i].p, (int)(i % 251) + 1, size);
		total += size;
		assert_true(bh_arena_size(a) >= total);
	}
	assert_true(bh_arena_size(a) <= total + BH_ARRAY_SIZE(pieces) * alignof(max_align_t));
	for (size_t i = 0; i < BH_ARRAY_SIZE(pieces); i++)
		for (size_t j = 0; j < pieces[i].size; j++)
			assert_int_equal(pieces[i].p[j], i % 251 + 1);
	bh_arena_free(a);
	bh_arena_free(NULL);
}

/* Small ones behind a large one, from an arena that begins with a large one. */
static void test_arena_large_first(void **state)
{
	struct bh_arena *a = bh_arena_new();
	char *large, *small, *larger;

	assert_int_equal(bh_arena_size(a), 0);
	large = bh_arena_alloc(a, 5u << 20);
	small = bh_arena_alloc(a, 1);
	larger = bh_arena_alloc(a, 9u << 20);
	assert_true(large && small && larger);
	memset(large, 1, 5u << 20);
	memset(larger, 2, 9u << 20);
	assert_int_equal(*small, 0);
	*small = 3;
	assert_int_equal(large[0], 1);
	assert_int_equal(large[(5u << 20) - 1], 1);
	assert_int_equal(larger[0], 2);
	bh_arena_free(a);
}

static void test_arena_empty_pieces(void **state)
{
	struct bh_arena *a = bh_arena_new();
	char *p = bh_arena_alloc(a, 0), *q = bh_arena_array(a, 0, 100);

	assert_non_null(p);
	assert_non_null(q);
	assert_ptr_not_equal(p, q);
	assert_non_null(bh_arena_memdup(a, NULL, 0));
	assert_string_equal(bh_arena_strdup(a, ""), "");
	bh_arena_free(a);
}

static void test_arena_overflow(void **state)
{
	struct bh_arena *a = bh_arena_new();

	assert_null(bh_arena_array(a, SIZE_MAX, 2));
	assert_null(bh_arena_array(a, SIZE_MAX / 16 + 1, 16));
	assert_null(bh_arena_array(a, (size_t)1 << 33, (size_t)1 << 33));
	for (size_t i = 0; i < 64; i++)
		assert_null(bh_arena_alloc(a, SIZE_MAX - i));
	assert_int_equal(bh_arena_size(a), 0);
	assert_non_null(bh_arena_alloc(a, 10)); /* and it goes on */
	bh_arena_free(a);
}

static void test_arena_copies(void **state)
{
	struct bh_arena *a = bh_arena_new();
	char text[] = "original", bytes[] = { 1, 0, 2, 0 };
	char *s = bh_arena_strdup(a, text), *n = bh_arena_strndup(a, text, 4);
	char *longer = bh_arena_strndup(a, text, 1000), *none = bh_arena_strndup(a, text, 0);
	char *copy = bh_arena_memdup(a, bytes, sizeof(bytes));
	char *f = bh_arena_printf(a, "%s:%d", text, 42), *empty = bh_arena_printf(a, "%s", "");

	memset(text, 'x', sizeof(text) - 1);
	memset(bytes, 9, sizeof(bytes));
	assert_string_equal(s, "original");
	assert_string_equal(n, "orig");
	assert_string_equal(longer, "original");
	assert_string_equal(none, "");
	assert_memory_equal(copy, ((char[]) { 1, 0, 2, 0 }), 4);
	assert_string_equal(f, "original:42");
	assert_string_equal(empty, "");
	bh_arena_free(a);
}

/* strndup() reads no byte behind its length: the sanitizer would tell. */
static void test_arena_strndup_bounds(void **state)
{
	struct bh_arena *a = bh_arena_new();
	char *unterminated = malloc(5);

	memcpy(unterminated, "abcde", 5);
	assert_string_equal(bh_arena_strndup(a, unterminated, 5), "abcde");
	free(unterminated);
	bh_arena_free(a);
}

/* --- cleanup ------------------------------------------------------------------------------ */

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int scope(bool steal, int *ret_fd)
{
	bh_autoclose int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bh_autoclose int none = -1;
	bh_autofree char *leaked_if_wrong = strdup("the leak sanitizer looks after this");

	(void)none;
	(void)leaked_if_wrong;
	*ret_fd = fd;
	if (!steal)
		return -1;
	return BH_STEAL_FD(fd);
}

static void test_cleanup(void **state)
{
	char *p = strdup("x"), *q = BH_STEAL_PTR(p);
	int fd, stolen;

	assert_null(p);
	assert_string_equal(q, "x");
	free(q);
	stolen = scope(false, &fd);
	assert_int_equal(stolen, -1);
	assert_false(is_open(fd));
	stolen = scope(true, &fd);
	assert_int_equal(stolen, fd);
	assert_true(is_open(fd));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_buf_grows),
		cmocka_unit_test(test_buf_cap),
		cmocka_unit_test(test_buf_error_sticks),
		cmocka_unit_test(test_buf_out_of_memory),
		cmocka_unit_test(test_buf_steal),
		cmocka_unit_test(test_vec),
		cmocka_unit_test(test_arena_pieces),
		cmocka_unit_test(test_arena_large_first),
		cmocka_unit_test(test_arena_empty_pieces),
		cmocka_unit_test(test_arena_overflow),
		cmocka_unit_test(test_arena_copies),
		cmocka_unit_test(test_arena_strndup_bounds),
		cmocka_unit_test(test_cleanup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
