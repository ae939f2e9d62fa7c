/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include <bulkhead/base/text.h>

#include "../../../src/nft/program.h"
#include "../../../src/nft/text.h"

#include "fixture.h"

/*
 * Rulesets with everything in them, as nft(8) would be given them, against files in tests/golden.
 * BULKHEAD_WRITE_GOLDEN=1 writes the file anew; read the diff. Run from the top of the tree. That
 * nft(8) loads it and that it reads back the same is tests/system/test_nft.c's to show.
 */

static void assert_golden(const char *path, const char *text, size_t len)
{
	bh_autofree char *want = NULL;
	size_t want_len = 0;

	if (getenv("BULKHEAD_WRITE_GOLDEN")) {
		FILE *out = fopen(path, "w");

		assert_non_null(out);
		assert_int_equal(fwrite(text, 1, len, out), len);
		assert_int_equal(fclose(out), 0);
	}
	assert_int_equal(bh_read_file(path, 1 << 20, &want, &want_len), 0);
	assert_string_equal(text, want);
	assert_int_equal(len, want_len);
}

static void test_golden(void **state)
{
	struct bh_buf text;
	struct fx f;

	fx_full(&f);
	f.r.on_deny = ON_DENY_REJECT;
	bh_buf_init(&text, 1 << 20);
	assert_int_equal(nft_text(fx_want(&f.r), FX_NOW, &text), 0);
	assert_golden("tests/golden/payments.nft", bh_buf_str(&text), text.len);
	bh_buf_done(&text);
	fx_done(&f);
}

/* The same where what is allowed is logged: only that differs from the file above. */
static void test_golden_allowed(void **state)
{
	struct bh_buf text;
	struct fx f;

	fx_full(&f);
	f.r.on_deny = ON_DENY_REJECT;
	f.r.log_allowed = true;
	bh_buf_init(&text, 1 << 20);
	assert_int_equal(nft_text(fx_want(&f.r), FX_NOW, &text), 0);
	assert_golden("tests/golden/allowed.nft", bh_buf_str(&text), text.len);
	bh_buf_done(&text);
	fx_done(&f);
}

/* Services and guardrails in one, and guardrails alone. */
static void test_golden_guardrails(void **state)
{
	static const char *const files[] = { "tests/golden/guardrails.nft",
					     "tests/golden/open.nft" };

	for (int i = 0; i < 2; i++) {
		struct bh_buf text;
		struct fx f;

		if (i)
			fx_open(&f);
		else
			fx_full_and(&f, true);
		bh_buf_init(&text, 1 << 20);
		assert_int_equal(nft_text(fx_want(&f.r), FX_NOW, &text), 0);
		assert_golden(files[i], bh_buf_str(&text), text.len);
		bh_buf_done(&text);
		fx_done(&f);
	}
}

/* Frames as nft(8) is told of them: the devices, and no table where there are none to be held. */
static void test_frames(void **state)
{
	const struct nft_frames one = { .devices = { "wlan0" }, .n_devices = 1 };
	struct bh_buf text;
	struct fx f;

	fx_init(&f);
	bh_buf_init(&text, 1 << 20);
	assert_int_equal(nft_text(&(struct nft_want) { fx_finish(&f), &one }, FX_NOW, &text), 0);
	assert_non_null(strstr(bh_buf_str(&text),
			       "\n}\ntable netdev bulkhead {\n\tcounter raw {\n\t}\n\n"
			       "\tchain egress {\n\t\ttype filter hook egress devices = { "
			       "\"wlan0\" } priority 2147483647; policy drop;\n"));
	assert_null(strstr(bh_buf_str(&text), "dhcp"));
	bh_buf_done(&text);
	bh_buf_init(&text, 1 << 20);
	assert_int_equal(nft_text(&(struct nft_want) { &f.r }, FX_NOW, &text), 0);
	assert_null(strstr(bh_buf_str(&text), "netdev"));
	assert_null(strstr(bh_buf_str(&text), "counter raw"));
	bh_buf_done(&text);
	fx_done(&f);
}

/* A rule that has ended already is written with the shortest timeout: 0 would mean never. */
static void test_ended(void **state)
{
	struct bh_buf text;
	struct fx f;

	fx_full(&f);
	bh_buf_init(&text, 1 << 20);
	assert_int_equal(nft_text(fx_want(&f.r), FX_NOW + 90, &text), 0);
	assert_non_null(strstr(bh_buf_str(&text),
			       "fd77::2 . 6 . 5432 timeout 1s : \"payments.out.migration\""));
	assert_non_null(strstr(bh_buf_str(&text), "8000-9000 timeout 3510s"));
	assert_null(strstr(bh_buf_str(&text), "timeout 0s"));
	assert_null(strstr(bh_buf_str(&text), "timeout -"));
	bh_buf_done(&text);
	fx_done(&f);
}

/* The caller's ceiling holds, and what there is of the text is no surprise. */
static void test_ceiling(void **state)
{
	struct bh_buf text;
	struct fx f;

	fx_full(&f);
	bh_buf_init(&text, 1000);
	assert_int_equal(nft_text(fx_want(&f.r), FX_NOW, &text), -EFBIG);
	assert_true(text.len <= 1000);
	bh_buf_done(&text);
	fx_done(&f);
}

/* Every line that a string of the ruleset gets into is closed by its quote, at full length, too. */
static void test_long_names(void **state)
{
	char name[BH_NFT_NAME_MAX + 1], where[BH_NFT_COMMENT_MAX + 1], deny[101];
	struct bh_buf text;
	struct fx f;

	memset(name, 'n', sizeof(name) - 1);
	memcpy(name, "a.in.", 5);
	memset(where, 'w', sizeof(where) - 1);
	memset(deny, 'd', sizeof(deny) - 1);
	name[sizeof(name) - 1] = where[sizeof(where) - 1] = deny[sizeof(deny) - 1] = '\0';
	fx_init(&f);
	fx_rule(&f, name, where);
	f.r.endpoint = f.r.services = f.r.deny_where[0] = f.r.deny_where[1] = deny;
	bh_buf_init(&text, 1 << 20);
	assert_int_equal(nft_text(fx_want(fx_finish(&f)), FX_NOW, &text), 0);
	bh_buf_addstr(&text, "\n");
	for (char *save, *line = strtok_r(text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned quotes = 0;

		for (const char *p = line; *p; p++)
			quotes += *p == '"';
		if (quotes % 2 || strlen(line) > 500)
			fail_msg("an open or endless line: %s", line);
		if (strstr(line, "comment \"endpoint"))
			assert_non_null(strstr(line, deny));
		if (strstr(line, "comment \"default-deny"))
			assert_non_null(strstr(line, deny));
		if (strstr(line, "comment \"ww"))
			assert_non_null(strstr(line, where));
	}
	bh_buf_done(&text);
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_golden_allowed),
		cmocka_unit_test(test_golden_guardrails),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
