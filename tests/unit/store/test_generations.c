/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <bulkhead/store/generations.h>

#define NOON INT64_C(1800000000000000)

static const struct generation_keeper keeper = { NOON, 1000, "alice\x1b" };

static struct policy_source source(const char *name, const char *text)
{
	return (struct policy_source) { name, text, strlen(text) };
}

static const char *dir(void)
{
	return in_top("generations");
}

static void keep(const struct policy_source *files, size_t n, const struct policy_source *host,
		 char id[GENERATION_ID_MAX])
{
	struct bh_err err = BH_ERR_INIT;

	if (generations_keep(dir(), files, n, host, &keeper, on_notice, NULL, id, &err) < 0)
		fail_msg("%s", err.msg);
}

static void keep_one(const char *text, char id[GENERATION_ID_MAX])
{
	struct policy_source f = source("p/a.yaml", text);

	keep(&f, 1, NULL, id);
}

static struct generation *load(const char *id)
{
	struct bh_err err = BH_ERR_INIT;
	struct generation *g = NULL;

	if (generations_load(dir(), id, &g, &err) < 0)
		fail_msg("%s", err.msg);
	return g;
}

static size_t list(struct generation_info **ret)
{
	struct bh_err err = BH_ERR_INIT;
	size_t n = 77;

	notices[0] = '\0';
	assert_int_equal(generations_list(dir(), ret, &n, on_notice, NULL, &err), 0);
	return n;
}

/* --- keeping and loading ---------------------------------------------------------------------- */

static void test_keep(void **state)
{
	const struct policy_source files[] = {
		{ "p/a \x1b.yaml", "x: 1\n\0y", 7 },
		source("p/b.yaml", ""),
	};
	struct policy_source host = source("/etc/h.yaml", "strict: true\n");
	char id[GENERATION_ID_MAX], digest[DIGEST_HEX];
	struct generation *g;
	struct stat st;

	keep(files, 2, &host, id);
	digest_sources(files, 2, digest);
	assert_memory_equal(id, digest, 64);
	assert_int_equal(stat(in_top("generations"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	g = load(id);
	assert_int_equal(g->n_files, 2);
	assert_string_equal(g->files[0].name, files[0].name);
	assert_int_equal(g->files[0].len, 7);
	assert_memory_equal(g->files[0].data, files[0].data, 7);
	assert_string_equal(g->files[1].name, "p/b.yaml");
	assert_int_equal(g->files[1].len, 0);
	assert_string_equal(g->host.name, "/etc/h.yaml");
	assert_memory_equal(g->host.data, host.data, host.len);
	assert_string_equal(g->info.digest, digest);
	assert_string_equal(g->info.name, "alice\\x1b");
	assert_int_equal(g->info.uid, 1000);
	assert_true(g->info.when == NOON);
	generation_free(g);
}

/* The same policies under another host file are another generation, found as the newer one. */
static void test_host_file(void **state)
{
	struct policy_source f = source("p/a.yaml", "a"), h1 = source("h", "1"),
			     h2 = source("h", "2");
	char id[3][GENERATION_ID_MAX], prefix[9];
	struct generation_info info, *all = NULL;
	struct bh_err err = BH_ERR_INIT;

	keep(&f, 1, &h1, id[0]);
	keep(&f, 1, &h2, id[1]);
	keep(&f, 1, NULL, id[2]);
	assert_string_not_equal(id[0], id[1]);
	assert_string_not_equal(id[1], id[2]);
	snprintf(prefix, sizeof(prefix), "%.8s", id[0]);
	assert_int_equal(generations_find(dir(), prefix, &info, &err), 0);
	assert_string_equal(info.id, id[2]);
	keep(&f, 1, &h1, id[0]); /* again: the newest */
	assert_int_equal(generations_find(dir(), prefix, &info, &err), 0);
	assert_string_equal(info.id, id[0]);
	assert_int_equal(list(&all), 3);
	assert_string_equal(all[0].id, id[1]);
	free(all);
}

static void test_find(void **state)
{
	char id[GENERATION_ID_MAX];
	struct generation_info info, *all = NULL;
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(list(&all), 0);
	assert_null(all);
	keep_one("a", id);
	assert_int_equal(generations_find(dir(), id, &info, &err), 0);
	id[7] = '\0';
	assert_int_equal(generations_find(dir(), id, &info, &err), -EINVAL);
	assert_int_equal(generations_find(dir(), "../../etc/passwd", &info, &err), -EINVAL);
	assert_int_equal(generations_find(dir(), "0123456789", &info, &err), -ENOENT);
}

static void test_oldest_go(void **state)
{
	char id[GENERATION_ID_MAX], first[GENERATION_ID_MAX], text[16];
	struct generation_info *all = NULL;

	notices[0] = '\0';
	keep_one("0", first);
	for (int i = 1; i < BH_GENERATIONS_DEFAULT + 2; i++) {
		snprintf(text, sizeof(text), "%d", i);
		keep_one(text, id);
	}
	assert_noticed("is not kept any longer");
	assert_int_equal(list(&all), BH_GENERATIONS_DEFAULT);
	assert_string_equal(all[BH_GENERATIONS_DEFAULT - 1].id, id);
	for (size_t i = 0; i < BH_GENERATIONS_DEFAULT; i++)
		assert_string_not_equal(all[i].id, first);
	free(all);
}

static void keep_as(const char *text, const struct generation_keeper *k, char id[GENERATION_ID_MAX])
{
	struct policy_source f = source("p/a.yaml", text);
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(generations_keep(dir(), &f, 1, NULL, k, on_notice, NULL, id, &err), 0);
}

/* As many as the keeper wants; the one that somebody may have to go back to stays beside them. */
static void test_retention(void **state)
{
	struct generation_keeper k = { .when = NOON, .name = "alice", .keep = 2 };
	char first[GENERATION_ID_MAX], id[GENERATION_ID_MAX];
	struct generation_info *all = NULL;

	keep_as("1", &k, first);
	k.spare = first;
	keep_as("2", &k, id);
	keep_as("3", &k, id);
	keep_as("4", &k, id);
	assert_int_equal(list(&all), 3);
	assert_string_equal(all[0].id, first);
	assert_string_equal(all[2].id, id);
	free(all);
	k = (struct generation_keeper) { .when = NOON, .keep = 1 };
	keep_as("4", &k, id);
	assert_int_equal(list(&all), 1);
	assert_string_equal(all[0].id, id);
	free(all);
}

/* Whoever applied it first is not forgotten for a restart. */
static void test_once(void **state)
{
	struct generation_keeper alice = { .when = NOON, .name = "alice" },
				 bob = { .when = NOON, .name = "bob", .once = true };
	struct generation_info *all = NULL;
	char id[GENERATION_ID_MAX];

	keep_as("1", &alice, id);
	keep_as("1", &bob, id);
	assert_int_equal(list(&all), 1);
	assert_string_equal(all[0].name, "alice");
	free(all);
	keep_as("2", &alice, id);
	keep_as("1", &bob, id); /* again after another one */
	assert_int_equal(list(&all), 2);
	assert_string_equal(all[1].name, "bob");
	free(all);
}

/* --- somebody altered the file ---------------------------------------------------------------- */

static void test_every_byte(void **state)
{
	const struct policy_source files[] = { source("p/a.yaml", "a: 1\n"),
					       source("p/b.yaml", "b") };
	struct policy_source host = source("/h", "host");
	char id[GENERATION_ID_MAX], path[IN_TOP_MAX], *data;
	size_t len, refused = 0, body, digest;

	keep(files, 2, &host, id);
	snprintf(path, sizeof(path), "%s/%s", dir(), id);
	data = slurp(path);
	len = strlen(data);
	body = (size_t)(strchr(data, '\n') - data);
	digest = (size_t)(strstr(data, "\"digest\":\"") - data) + 10;
	for (size_t i = 0; i < len; i++) {
		struct generation *g = NULL;
		struct bh_err err = BH_ERR_INIT;

		data[i] ^= 1;
		spill(path, data, len);
		data[i] ^= 1;
		if (generations_load(dir(), id, &g, &err) == -EBADMSG) {
			refused++;
		} else if (i >= digest && i < digest + 64) {
			fail_msg("byte %zu of the digest was changed and nothing was found", i);
		} else if (i >= body && g && memcmp(g->host.name, "/h", 2) == 0) {
			fail_msg("byte %zu was changed and nothing was found", i);
		}
		generation_free(g);
	}
	assert_true(refused >= len - body - 2); /* all but the name of the host file */
	for (size_t n = 0; n < len; n++) {
		struct generation *g = NULL;
		struct bh_err err = BH_ERR_INIT;

		spill(path, data, n);
		assert_int_equal(generations_load(dir(), id, &g, &err), -EBADMSG);
		assert_non_null(strstr(err.msg, "was altered"));
	}
	free(data);
}

/* A sound file under the name of another is not that one. */
static void test_exchanged(void **state)
{
	char a[GENERATION_ID_MAX], b[GENERATION_ID_MAX], from[IN_TOP_MAX], to[IN_TOP_MAX];
	struct generation_info *all = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct generation *g = NULL;

	keep_one("a", a);
	keep_one("b", b);
	snprintf(from, sizeof(from), "%s/%s", dir(), a);
	snprintf(to, sizeof(to), "%s/%s", dir(), b);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(generations_load(dir(), b, &g, &err), -EBADMSG);
	assert_int_equal(list(&all), 0);
	assert_noticed("cannot be read: it was altered");
	free(all);
	assert_int_equal(unlink(to), 0);
	assert_int_equal(symlink("/etc/passwd", to), 0);
	assert_int_equal(generations_load(dir(), b, &g, &err), -ELOOP);
	assert_null(g);
}

/* --- comparing ------------------------------------------------------------------------------- */

static void test_diff(void **state)
{
	const struct policy_source old[] = { source("p/a.yaml", "1\n"), source("p/b.yaml", "2\n") };
	const struct policy_source new[] = { source("p/b.yaml", "3\n"),
					     source("p/c\x1b.yaml", "4\n") };
	struct policy_source h1 = source("/h", "x\n"), h2 = source("/h", "y\n");
	char id[2][GENERATION_ID_MAX];
	struct generation *a, *b;
	struct bh_buf out;

	keep(old, 2, &h1, id[0]);
	keep(new, 2, &h2, id[1]);
	a = load(id[0]);
	b = load(id[1]);
	bh_buf_init(&out, BH_DIFF_BYTES_MAX);
	assert_int_equal(generation_diff(a, b, &out), 0);
	assert_string_equal(out.data, "--- p/a.yaml\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n"
				      "--- p/b.yaml\n+++ p/b.yaml\n@@ -1 +1 @@\n-2\n+3\n"
				      "--- /dev/null\n+++ p/c\\x1b.yaml\n@@ -0,0 +1 @@\n+4\n"
				      "--- /h\n+++ /h\n@@ -1 +1 @@\n-x\n+y\n");
	bh_buf_reset(&out);
	assert_int_equal(generation_diff(a, a, &out), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(generation_diff(NULL, a, &out), 0);
	assert_non_null(strstr(out.data, "--- /dev/null\n+++ p/a.yaml\n"));
	bh_buf_done(&out);
	generation_free(a);
	generation_free(b);
}

/* --- going back ------------------------------------------------------------------------------ */

static bool valid;

static int validate(const struct policy_source *files, size_t n, void *arg, struct bh_err *err)
{
	return valid ? 0 : bh_err_set(err, -EINVAL, "the policies are not valid");
}

/* A policy directory, and a generation of other files of it. */
static struct generation *make_site(struct restore_options *o)
{
	static char paths[3][IN_TOP_MAX], policies[IN_TOP_MAX], store[IN_TOP_MAX];
	struct policy_source files[3];
	char id[GENERATION_ID_MAX];

	valid = true;
	notices[0] = '\0';
	strcpy(policies, in_top("policies"));
	strcpy(store, dir());
	assert_int_equal(mkdir(policies, 0755), 0);
	put(in_top("policies/a.yaml"), "old a\n");
	put(in_top("policies/b.yaml"), "same\n");
	put(in_top("policies/d.yml"), "goes\n");
	put(in_top("policies/README"), "stays\n");
	put(in_top("policies/.e.yaml"), "hidden\n");
	assert_int_equal(chmod(in_top("policies/a.yaml"), 0640), 0);
	strcpy(paths[0], in_top("policies/a.yaml"));
	strcpy(paths[1], in_top("policies/b.yaml"));
	strcpy(paths[2], in_top("policies/c.yaml"));
	files[0] = source(paths[0], "new a\n");
	files[1] = source(paths[1], "same\n");
	files[2] = source(paths[2], "comes\n");
	keep(files, 3, NULL, id);
	*o = (struct restore_options) { .store_dir = store,
					.policy_dir = policies,
					.validate = validate,
					.notice = on_notice,
					.keeper = keeper };
	return load(id);
}

static void assert_holds(const char *name, const char *text)
{
	char *data = slurp(in_top(name));

	assert_string_equal(data, text);
	free(data);
}

/* As make_site() left it, and nothing of ours beside it. */
static void assert_untouched(void)
{
	unsigned n = 0;
	DIR *d = opendir(in_top("policies"));

	while (readdir(d))
		n++;
	closedir(d);
	assert_int_equal(n, 2 + 5);
	assert_holds("policies/a.yaml", "old a\n");
	assert_holds("policies/b.yaml", "same\n");
	assert_holds("policies/d.yml", "goes\n");
}

static void test_restore(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct restore_options o;
	struct restored r;
	struct generation *g = make_site(&o), *was;
	struct stat st;

	if (generation_restore(g, &o, &r, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(r.written, 2);
	assert_int_equal(r.unchanged, 1);
	assert_int_equal(r.removed, 1);
	assert_holds("policies/a.yaml", "new a\n");
	assert_holds("policies/b.yaml", "same\n");
	assert_holds("policies/c.yaml", "comes\n");
	assert_holds("policies/README", "stays\n");
	assert_holds("policies/.e.yaml", "hidden\n");
	assert_false(exists(in_top("policies/d.yml")));
	assert_false(exists(in_top("policies/.bulkhead.0.new")));
	assert_false(exists(in_top("policies/.bulkhead.0.old")));
	assert_int_equal(stat(in_top("policies/a.yaml"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(stat(in_top("policies/c.yaml"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	generation_free(g);
	/* And back again. */
	was = load(r.before_id);
	assert_string_equal(was->info.digest, r.before);
	assert_int_equal(generation_restore(was, &o, &r, &err), 0);
	generation_free(was);
	assert_untouched();
}

/* What a killed restore staged goes, and nothing else that begins so. */
static void test_restore_clears(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct restore_options o;
	struct restored r;
	struct generation *g = make_site(&o);

	put(in_top("policies/.bulkhead.70.new"), "half");
	put(in_top("policies/.bulkhead.71.old"), "half");
	put(in_top("policies/.bulkhead.x.old"), "mine");
	put(in_top("policies/.bulkhead.72.old.yaml"), "mine");
	assert_int_equal(generation_restore(g, &o, &r, &err), 0);
	assert_false(exists(in_top("policies/.bulkhead.70.new")));
	assert_false(exists(in_top("policies/.bulkhead.71.old")));
	assert_holds("policies/.bulkhead.x.old", "mine");
	assert_holds("policies/.bulkhead.72.old.yaml", "mine");
	generation_free(g);
}

static void test_restore_invalid(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct restore_options o;
	struct restored r;
	struct generation *g = make_site(&o);

	valid = false;
	assert_int_equal(generation_restore(g, &o, &r, &err), -EINVAL);
	assert_string_equal(err.msg, "the policies are not valid");
	assert_untouched();
	generation_free(g);
}

/* Names that would lead out of the directory, and those that nobody would read. */
static void test_restore_elsewhere(void **state)
{
	static const char *const names[] = {
		"/etc/passwd",    "policies/../x.yaml", "policies/sub/x.yaml",
		"policies/x.txt", "policies/.x.yaml",   "policies2/x.yaml",
		"x.yaml",         "policies",
	};
	struct bh_err err = BH_ERR_INIT;
	struct restore_options o;
	struct restored r;
	struct generation *g = make_site(&o);

	for (size_t i = 0; i < BH_ARRAY_SIZE(names); i++) {
		struct policy_source f =
			source(names[i][0] == '/' ? names[i] : in_top(names[i]), "x");
		struct generation bad = { .files = &f, .n_files = 1 };

		assert_int_equal(generation_restore(&bad, &o, &r, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "which is not in "));
	}
	assert_untouched();
	generation_free(g);
}

/* The last step cannot be done: all that was done before is taken back. */
static void test_restore_fails_midway(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct restore_options o;
	struct restored r;
	struct generation *g = make_site(&o);

	assert_int_equal(mkdir(in_top("policies/c.yaml"), 0700), 0);
	assert_true(generation_restore(g, &o, &r, &err) < 0);
	assert_non_null(strstr(err.msg, "what was there was put back"));
	assert_int_equal(rmdir(in_top("policies/c.yaml")), 0);
	assert_untouched();
	generation_free(g);
}

/* A link is replaced, and what it leads to stays. */
static void test_restore_over_link(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct restore_options o;
	struct restored r;
	struct generation *g = make_site(&o);
	struct stat st;

	put(in_top("target"), "elsewhere\n");
	assert_int_equal(unlink(in_top("policies/a.yaml")), 0);
	assert_int_equal(symlink("../target", in_top("policies/a.yaml")), 0);
	assert_int_equal(generation_restore(g, &o, &r, &err), 0);
	assert_holds("target", "elsewhere\n");
	assert_holds("policies/a.yaml", "new a\n");
	assert_int_equal(lstat(in_top("policies/a.yaml"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	generation_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_top(test_keep),
		with_top(test_host_file),
		with_top(test_find),
		with_top(test_oldest_go),
		with_top(test_retention),
		with_top(test_once),
		with_top(test_every_byte),
		with_top(test_exchanged),
		with_top(test_diff),
		with_top(test_restore),
		with_top(test_restore_clears),
		with_top(test_restore_invalid),
		with_top(test_restore_elsewhere),
		with_top(test_restore_fails_midway),
		with_top(test_restore_over_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
