/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#include <glob.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/changes.h>
#include <bulkhead/policy/format.h>

/* Text in, text out; what cannot be kept is refused with its place. */

static int format(const char *text, size_t len, struct bh_buf *out, struct diag_list *diags)
{
	struct policy_source src = { "p.yaml", text, len };
	struct bh_err err = BH_ERR_INIT;

	diag_list_init(diags);
	bh_buf_init(out, BH_FORMAT_BYTES_MAX);
	return policy_format(&src, out, diags, &err);
}

static void assert_formatted(const char *text, const char *expect)
{
	struct diag_list diags;
	struct bh_buf out;
	int r = format(text, strlen(text), &out, &diags);
	char *said = diags_text(&diags);

	assert_string_equal(said, "");
	assert_int_equal(r, 0);
	assert_string_equal(bh_buf_str(&out), expect);
	free(said);
	bh_buf_done(&out);
	diag_list_done(&diags);
}

static void assert_refused(const char *text, const char *expect)
{
	struct diag_list diags;
	struct bh_buf out;
	int r = format(text, strlen(text), &out, &diags);
	char *said = diags_text(&diags);

	assert_int_equal(r, -EINVAL);
	assert_string_equal(said, expect);
	free(said);
	bh_buf_done(&out);
	diag_list_done(&diags);
}

static void keys_in_order(void **state)
{
	assert_formatted("service: a\non-deny: reject\ndns: allow\nselect: {name: a}\nowner: x\n",
			 "service: a\nowner: x\nselect: {name: a}\ndns: allow\non-deny: reject\n");
	assert_formatted("group: g\nzeta: 1\nalpha: 2\ncidrs: []\n",
			 "group: g\ncidrs: []\nzeta: 1\nalpha: 2\n");
	/* Nobody knows what it is. */
	assert_formatted("what: 1\nservice: a\n", "what: 1\nservice: a\n");
	/* Labels have no order of ours. */
	assert_formatted("service: a\nselect: {labels: {z: 1, name: 2, a: 3}}\n",
			 "service: a\nselect: {labels: {z: 1, name: 2, a: 3}}\n");
}

static void one_spelling(void **state)
{
	assert_formatted(
		"service: a\nselect: {labels: {ports: 443, cidr: 10.0.0.1/32}}\n"
		"ingress: [{from: [{cidr: '10.0.0.1/32'}], ports: [443,'53/udp', icmp/8]}]\n",
		"service: a\nselect: {labels: {ports: 443, cidr: 10.0.0.1/32}}\n"
		"ingress: [{from: [{cidr: 10.0.0.1}], ports: [443/tcp, 53/udp, "
		"icmp/echo-request]}]\n");
	/* A colon at the end is one too many for YAML; what is wrong stays wrong. */
	assert_formatted("group: g\ncidrs: [\"FE80::0\", 2001:DB8::1/128, 10.0.0.1/8, x]\n",
			 "group: g\ncidrs: [\"fe80::\", 2001:db8::1, 10.0.0.1/8, x]\n");
	assert_formatted(
		"service: a\nowner: 'it''s'\nselect: {name: \"a\\\"b\\\\\", image: "
		"\"\\x1b\xc3\xa4\"}\n",
		"service: a\nowner: \"it's\"\nselect: {name: 'a\"b\\', image: \"\\e\xc3\xa4\"}\n");
}

static void indentation(void **state)
{
	assert_formatted(
		"service:   a\r\nselect:\r\n      labels:\r\n            app: a\r\n\r\n\r\n\r\n"
		"ingress:\r\n- from:\r\n  - {service:  b }\r\n  ports:   [ 1 ]",
		"service: a\nselect:\n  labels:\n    app: a\n\n"
		"ingress:\n  - from:\n      - {service: b}\n    ports: [1/tcp]\n");
	assert_formatted("{service: a, select: {name: a}}\n", "service: a\nselect: {name: a}\n");
	assert_formatted("x:\n- - a\n  - b: 1\n    c: 2\n-\n  - d\n",
			 "x:\n  - - a\n    - b: 1\n      c: 2\n  - - d\n");
	assert_formatted("---\n---\nx: 1\n---\n\n---\ny: 2\n---\n", "x: 1\n---\ny: 2\n");
	assert_formatted("", "");
	assert_formatted("\xef\xbb\xbfx:   1\n", "x: 1\n");
}

static void long_lines(void **state)
{
	char text[256], expect[256];
	static const char a40[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

	/* 100 columns fit, 101 do not. */
	snprintf(text, sizeof(text), "x: [%s, %s, 12345678901]\n", a40, a40);
	assert_int_equal(strlen(text), 101);
	assert_formatted(text, text);
	snprintf(text, sizeof(text), "x: [%s, %s, 123456789012]\n", a40, a40);
	snprintf(expect, sizeof(expect), "x:\n  - %s\n  - %s\n  - 123456789012\n", a40, a40);
	assert_formatted(text, expect);
}

static void comments_stay(void **state)
{
	assert_formatted("# top\n\n# a\nservice: a # b\n# of select\nselect: {name: a} # c\n"
			 "# of owner\nowner: x\n# end\n",
			 "# top\n\n# a\nservice: a  # b\n# of owner\nowner: x\n# of select\n"
			 "select: {name: a}  # c\n# end\n");
	/* Further right than what comes next: the end of what came before. */
	assert_formatted(
		"service: a\ningress:\n  - from: []\n    # rule\n  # list\nselect: {}\n# root\n",
		"service: a\nselect: {}\ningress:\n  - from: []\n    # rule\n  # list\n"
		"# root\n");
	/* With dashes below the key it cannot be told: what is next. */
	assert_formatted("service: a\ningress:\n- from: []\n# dns\ndns: deny\n",
			 "service: a\ningress:\n  - from: []\n# dns\ndns: deny\n");
	assert_formatted("group: g\ncidrs:\n- 10.0.0.0/8\n# end\n",
			 "group: g\ncidrs:\n  - 10.0.0.0/8\n# end\n");
	assert_formatted("x: [a, # one\n  b] # both\n", "x:   # both\n  - a  # one\n  - b\n");
	assert_formatted("x: [ # open\n  # of a\n  a\n  # last\n  ]\n",
			 "x:   # open\n  # of a\n  - a\n  # last\n");
	assert_formatted("x:\n  - # dash\n    a: 1 # a\n    # b\n    b: 2\n",
			 "x:\n  # dash\n  - a: 1  # a\n    # b\n    b: 2\n");
	assert_formatted("# only\n\n# this\n", "# only\n\n# this\n");
	assert_formatted("# top\n---\nx: 1\n# of x\n--- # of y\ny: 2\n",
			 "# top\nx: 1\n# of x\n---\n# of y\ny: 2\n");
	/* Columns stay where there is room. */
	assert_formatted("x:\n  - {a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, b: "
			 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb}  # of both\n",
			 "x:\n  # of both\n  - a: "
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n    b: "
			 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n");
	assert_formatted("x: 1      # a\nyyyy: 22  # b\nzzzzzzzzz: 1 # c\n",
			 "x: 1      # a\nyyyy: 22  # b\nzzzzzzzzz: 1  # c\n");
	/* None of these is one. */
	assert_formatted("x: \"a # b\"\ny: a#b\nz: |\n  # c\n",
			 "x: \"a # b\"\ny: a#b\nz: |\n  # c\n");
}

/* What comes first in a rule moves above the dash, and stays there. */
static void comments_move_with_keys(void **state)
{
	assert_formatted(
		"service: a\ningress:\n  # rule\n  - from: []  # from\n\n    # name\n"
		"    name: x\n",
		"service: a\ningress:\n  # rule\n\n  # name\n  - name: x\n    from: []  # from\n");
}

static void texts_in_lines(void **state)
{
	/* The last line has no end, and its text none either. */
	assert_formatted("service: a\nowner: |\n    x\n     y",
			 "service: a\nowner: |-\n  x\n   y\n");
	assert_formatted("service: a\nowner: >\n    x", "service: a\nowner: >-\n  x\n");
	assert_formatted("x: |\n      a\n        b\n\n      c\n\n\ny: >-\n   d\n   e\n",
			 "x: |\n  a\n    b\n\n  c\n\ny: >-\n  d\n  e\n");
	assert_formatted("x: a\n  b\ny: \"c\n\n  d\"\n", "x: a b\ny: \"c\\nd\"\n");
}

static void what_is_refused(void **state)
{
	assert_refused("service: a\nowner: |-\n    x\n      \nmode: off\n",
		       "p.yaml:4:1: error: a line of spaces at the end of a text is text, too, and "
		       "cannot be kept (take the spaces away) [not-formatted]\n");
	assert_refused(
		"x: &a 1\ny: *a\n",
		"p.yaml:1:4: error: YAML anchor \"&a\" is not allowed in a policy (remove it; "
		"quote text that begins with &) [yaml-anchor]\n"
		"p.yaml:2:4: error: YAML alias \"*a\" is not allowed in a policy (write the "
		"value out; quote a pattern that begins with *) [yaml-alias]\n");
	assert_refused("x: 1\n...\n",
		       "p.yaml:2:1: error: the marker ... is not kept (remove it; --- "
		       "parts documents) [not-formatted]\n");
	assert_refused(
		"%YAML 1.1\n---\nx: 1\n",
		"p.yaml:1:1: error: the marker %YA is not kept (remove it; --- parts documents) "
		"[not-formatted]\n");
	assert_refused(
		"x: |+\n  a\n\ny: 1\n",
		"p.yaml:1:4: error: a text behind | or > with a number, a + or a comment cannot "
		"be kept as it is (write | or >, with - behind it or nothing) [not-formatted]\n");
	assert_refused(
		"x: | # c\n  a\n",
		"p.yaml:1:4: error: a text behind | or > with a number, a + or a comment cannot "
		"be kept as it is (write | or >, with - behind it or nothing) [not-formatted]\n");
	assert_formatted("x: [ # c\n ]\n", "x: []  # c\n");
	assert_refused(
		"x: [\n  # c\n ]\n",
		"p.yaml:2:3: error: a comment in an empty list cannot be kept where it is (put it "
		"above the line) [not-formatted]\n");
	assert_refused(
		"x: a\n\n  b\n",
		"p.yaml:1:4: error: a text with an empty line in it cannot be kept as it is (put "
		"it in quotes, or behind |) [not-formatted]\n");
	assert_refused(
		"\xef\xbb\xbf\xef\xbb\xbfx: 1\n",
		"p.yaml:1:1: error: a byte order mark inside the text (0xfeff); this file was "
		"not read (a policy file is UTF-8 text with ordinary line ends) [not-text]\n");
	assert_refused("- x\n",
		       "p.yaml:1:1: error: this document is no mapping (begin with service: "
		       "NAME) [not-formatted]\n");
	assert_refused("? \n: 1\n",
		       "p.yaml:1:2: error: a key like this cannot be kept as it is (write "
		       "a short text on one line) [not-formatted]\n");
}

/* --- identity: shipped policies, and what is refused for what it means ---------------------------- */

static void assert_same_policies(const struct policy_source *a, const struct policy_source *b)
{
	struct policy_set *x = NULL, *y = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct policy_change *changes;
	struct diag_list dx, dy;
	size_t n;
	int r;

	diag_list_init(&dx);
	diag_list_init(&dy);
	r = policy_parse(a, 1, &x, &dx, &err);
	assert_int_equal(r, policy_parse(b, 1, &y, &dy, &err));
	assert_int_equal(dx.errors, dy.errors);
	assert_int_equal(dx.warnings, dy.warnings);
	if (r == 0) {
		assert_int_equal(policy_changes(x, y, &changes, &n, &err), 0);
		assert_int_equal(n, 0);
		free(changes);
	}
	policy_set_free(x);
	policy_set_free(y);
	diag_list_done(&dx);
	diag_list_done(&dy);
}

/* How many files of PATTERN could be formatted. */
static size_t each(const char *pattern, bool canonical)
{
	size_t formatted = 0;
	glob_t g;

	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct policy_source old = { "p.yaml", NULL, 0 }, new = { "p.yaml", NULL, 0 };
		struct diag_list diags;
		struct bh_buf out;
		char *data;

		assert_int_equal(bh_read_file(g.gl_pathv[i], 1 << 24, &data, &old.len), 0);
		old.data = data;
		if (format(data, old.len, &out, &diags) == 0) {
			new.data = bh_buf_str(&out);
			new.len = out.len;
			if (canonical)
				assert_string_equal(new.data, old.data);
			assert_same_policies(&old, &new);
			formatted++;
		}
		diag_list_done(&diags);
		bh_buf_done(&out);
		free(data);
	}
	assert_true(!canonical || formatted == g.gl_pathc);
	globfree(&g);
	return formatted;
}

static void identity(void **state)
{
	assert_true(each("policies/*.yaml", true) >= 15);
	assert_true(each("examples/kubernetes/*.yaml", false) >= 1);
	assert_true(each("tests/cli/golden/init-*.yaml", true) >= 6);
	assert_true(each("tests/policy/bad/*.yaml", false) >= 20);
}

static void too_large(void **state)
{
	size_t len = (1 << 20) + 1;
	struct diag_list diags;
	struct bh_buf out;
	char *lines = malloc(len + 1), *said;

	memset(lines, '\n', len);
	lines[len] = '\0';
	assert_int_equal(format(lines, len, &out, &diags), -EINVAL);
	said = diags_text(&diags);
	assert_string_equal(said,
			    "p.yaml: error: this file has more than 1048576 lines (split it into "
			    "several files) [not-formatted]\n");
	free(said);
	free(lines);
	diag_list_done(&diags);
	bh_buf_done(&out);
}

/* Many comments, and many entries in one line: no time that grows with their square. */
static void large(void **state)
{
	struct diag_list diags;
	struct bh_buf in, out;

	bh_buf_init(&in, 64 << 20);
	for (int i = 0; i < 500000; i++)
		bh_buf_addstr(&in, "# comment\n");
	bh_buf_addstr(&in, "group: g\ncidrs: [");
	for (int i = 0; i < 60000; i++)
		bh_buf_addf(&in, "%s10.0.%d.%d", i ? ", " : "", i / 256, i % 256);
	bh_buf_addstr(&in, "]\n");
	assert_int_equal(format(in.data, in.len, &out, &diags), 0);
	assert_true(out.len > in.len);
	bh_buf_done(&in);
	bh_buf_done(&out);
	diag_list_done(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_in_order),  cmocka_unit_test(one_spelling),
		cmocka_unit_test(indentation),    cmocka_unit_test(long_lines),
		cmocka_unit_test(comments_stay),  cmocka_unit_test(comments_move_with_keys),
		cmocka_unit_test(texts_in_lines), cmocka_unit_test(what_is_refused),
		cmocka_unit_test(identity),       cmocka_unit_test(too_large),
		cmocka_unit_test(large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
