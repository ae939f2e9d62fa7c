/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bulkhead/base/text.h>

static char dir[64];

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/bulkhead-policy-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", dir);
	return system(command);
}

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *out = path[turn++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int load(const char *path, struct policy_set **ret, struct diag_list *diags,
		struct bh_err *err)
{
	const char *const paths[] = { path };

	return policy_load(paths, 1, ret, diags, err);
}

static void assert_load_fails(const char *path, int r, const char *message)
{
	struct policy_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;

	diag_list_init(&diags);
	assert_int_equal(load(path, &set, &diags, &err), r);
	assert_null(set);
	assert_int_equal(diags.errors, 0);
	assert_non_null(strstr(err.msg, message));
	diag_list_done(&diags);
}

static void test_directory(void **state)
{
	struct policy_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;

	put("b.yaml", "service: b\nselect: {name: b}\n");
	put("a.yml", "service: a\nselect: {name: a}\n");
	put(".hidden.yaml", "junk\n");
	put("c.yaml~", "junk\n");
	put("notes.txt", "junk\n");
	put("yaml", "junk\n");
	assert_int_equal(mkdir(in_dir("sub.yaml"), 0700), 0);
	put("sub.yaml/d.yaml", "junk\n");

	diag_list_init(&diags);
	assert_int_equal(load(dir, &set, &diags, &err), 0);
	assert_int_equal(set->n_files, 2);
	assert_string_equal(set->services[0].name, "a");
	assert_string_equal(set->services[1].name, "b");
	assert_string_equal(set->services[0].loc.file, in_dir("a.yml"));
	policy_set_free(set);
	diag_list_done(&diags);
}

/* A trailing slash does not double, and the order of arguments does not matter. */
static void test_several_paths(void **state)
{
	const char *files[] = { in_dir("b.yaml"), in_dir("a.yml") };
	struct policy_set *one = NULL, *two = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;

	diag_list_init(&diags);
	assert_int_equal(policy_load(files, 2, &one, &diags, &err), 0);
	assert_int_equal(load(in_dir(""), &two, &diags, &err), 0);
	assert_string_equal(one->services[0].loc.file, two->services[0].loc.file);
	assert_string_equal(one->digest, two->digest);
	policy_set_free(one);
	policy_set_free(two);
	diag_list_done(&diags);
}

/* In two steps: the bytes are those that the digest is of. */
static void test_read(void **state)
{
	const char *const paths[] = { in_dir("") };
	struct policy_set *one = NULL, *two = NULL;
	const struct policy_source *sources;
	struct bh_err err = BH_ERR_INIT;
	struct policy_files *files = NULL;
	struct diag_list diags;
	char digest[DIGEST_HEX];
	size_t n;

	diag_list_init(&diags);
	assert_int_equal(policy_read(paths, 1, &files, &diags, &err), 0);
	sources = policy_files_sources(files, &n);
	digest_sources(sources, n, digest);
	assert_int_equal(policy_files_parse(files, &one, &diags, &err), 0);
	assert_int_equal(load(in_dir(""), &two, &diags, &err), 0);
	assert_int_equal(n, two->n_files);
	assert_string_equal(one->digest, digest);
	assert_string_equal(two->digest, digest);
	policy_files_free(files);
	policy_set_free(one);
	policy_set_free(two);
	diag_list_done(&diags);
}

struct paths {
	char text[1024];
	int r; /* for the second */
};

static int add_path(const char *path, void *arg)
{
	struct paths *p = arg;
	bool second = p->text[0];

	strcat(strcat(p->text, path), " ");
	return second ? p->r : 0;
}

static void test_each_path(void **state)
{
	const char *const paths[] = { dir, in_dir("c.yaml~") };
	const char *const absent[] = { dir, in_dir("absent") };
	struct bh_err err = BH_ERR_INIT;
	struct paths p = { 0 };
	char expect[1024];

	snprintf(expect, sizeof(expect), "%s/a.yml %s/b.yaml %s/c.yaml~ ", dir, dir, dir);
	assert_int_equal(policy_each_path(paths, 2, add_path, &p, &err), 0);
	assert_string_equal(p.text, expect);
	p = (struct paths) { .r = -EPIPE };
	assert_int_equal(policy_each_path(paths, 2, add_path, &p, &err), -EPIPE);
	snprintf(expect, sizeof(expect), "%s/a.yml %s/b.yaml ", dir, dir);
	assert_string_equal(p.text, expect);
	p = (struct paths) { 0 };
	assert_int_equal(policy_each_path(absent, 2, add_path, &p, &err), -ENOENT);
	assert_string_equal(p.text, "");
	assert_non_null(strstr(err.msg, "/absent: No such file"));
}

static struct policy_identity identity(const char *path, const char *config)
{
	const char *const paths[] = { path };
	struct policy_identity id;

	memset(&id, 0x5a, sizeof(id));
	assert_int_equal(policy_identify(paths, 1, config, &id, NULL), 0);
	return id;
}

/* What is read without being parsed is told apart as what was parsed is. */
static void test_identity(void **state)
{
	struct policy_identity id, other;
	struct policy_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct host_config host;
	struct diag_list diags;

	put("host", "strict: true\n");
	diag_list_init(&diags);
	assert_int_equal(load(dir, &set, &diags, &err), 0);
	assert_int_equal(host_config_load(in_dir("host"), &host, &diags, &err), 0);
	id = identity(dir, in_dir("host"));
	assert_string_equal(id.policies, set->digest);
	assert_string_equal(id.host, host.digest);
	assert_string_equal(id.unread, "");
	policy_set_free(set);
	host_config_done(&host);
	diag_list_done(&diags);

	put("host", "strict: ["); /* not valid, and something */
	other = identity(dir, in_dir("host"));
	assert_false(policy_identity_equal(&id, &other));
	assert_string_equal(id.policies, other.policies);
	other = identity(dir, in_dir("absent"));
	assert_non_null(strstr(other.unread, "/absent: No such file"));
	assert_string_equal(other.policies, "");
	id = identity(in_dir("absent"), in_dir("host"));
	assert_non_null(strstr(id.unread, "/absent: No such file"));
	assert_true(policy_identity_equal(&id, &id));
}

/* A file that is too big is left out: what is read must not pass for the whole. */
static void test_identity_of_a_part(void **state)
{
	struct policy_identity whole = identity(in_dir("b.yaml"), in_dir("host")), part;
	const char *const paths[] = { in_dir("b.yaml"), in_dir("huge") };

	put("huge", "");
	assert_int_equal(truncate(paths[1], 100000000), 0);
	assert_int_equal(policy_identify(paths, 2, in_dir("host"), &part, NULL), 0);
	assert_string_equal(whole.unread, "");
	assert_string_not_equal(part.unread, "");
	assert_false(policy_identity_equal(&whole, &part));
	unlink(paths[1]);
}

static void test_failures(void **state)
{
	assert_load_fails(in_dir("absent"), -ENOENT, "/absent: No such file");
	assert_int_equal(mkdir(in_dir("empty"), 0700), 0);
	assert_load_fails(in_dir("empty"), -ENODATA, "there is no *.yaml or *.yml file in ");
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_load_fails(in_dir("fifo"), -EINVAL, "fifo is not a regular file");
	assert_int_equal(symlink("loop.yaml", in_dir("empty/loop.yaml")), 0);
	assert_load_fails(in_dir("empty"), -ELOOP, "empty/loop.yaml");
}

/* A file that is too big is a mistake of its own; the others are read all the same. */
static void test_big_file(void **state)
{
	const char *files[] = { in_dir("big"), in_dir("typo") };
	struct policy_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	char *text, expect[512];

	put("big", "");
	assert_int_equal(truncate(files[0], 100000000), 0);
	put("typo", "service: a\nselect: {name: a}\nowne: x\n");
	diag_list_init(&diags);
	assert_int_equal(policy_load(files, 2, &set, &diags, &err), -EINVAL);
	assert_null(set);
	text = diags_text(&diags);
	snprintf(expect, sizeof(expect),
		 "%s: error: larger than 16 MiB; this file was not read (split it into several "
		 "files) [file-too-big]\n"
		 "%s:3:1: error: unknown key \"owne\" in a service (did you mean \"owner\"?) "
		 "[unknown-key]\n",
		 files[0], files[1]);
	assert_string_equal(text, expect);
	free(text);
	diag_list_done(&diags);
}

/* What we ship is valid and gives a linter nothing to say, today and on a fixed day. */
static void test_shipped(void **state)
{
	const int64_t days[] = { 1790000000, time(NULL) };
	struct policy_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	char *text;

	diag_list_init(&diags);
	assert_int_equal(load("policies", &set, &diags, &err), 0);
	for (size_t i = 0; i < 2; i++)
		policy_lint(set, days[i], &diags);
	text = diags_text(&diags);
	assert_string_equal(text, "");
	assert_true(set->n_services >= 8);
	assert_int_equal(set->n_groups, 1);
	free(text);
	policy_set_free(set);
	diag_list_done(&diags);
}

/* Every card-data flow of the cardholder segment says why, by which change, and when reviewed. */
static void test_shipped_reasons(void **state)
{
	static const char *const segment[] = { "payments", "vault", "ledger" };
	struct policy_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;

	diag_list_init(&diags);
	assert_int_equal(load("policies", &set, &diags, &err), 0);
	for (size_t i = 0; i < 3; i++) {
		const struct service *s = policy_set_service(set, segment[i]);

		assert_non_null(s);
		for (unsigned d = 0; d < DIRECTIONS; d++)
			for (size_t k = 0; k < s->n_rules[d]; k++) {
				assert_non_null(s->rules[d][k].reason);
				assert_non_null(s->rules[d][k].ticket);
				assert_non_null(s->rules[d][k].reviewed);
			}
	}
	policy_set_free(set);
	diag_list_done(&diags);
}

/* --- the host file ------------------------------------------------------------------------ */

static int load_host(const char *text, struct host_config *ret, char **ret_text)
{
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	int r;

	put("host", text);
	diag_list_init(&diags);
	r = host_config_load(in_dir("host"), ret, &diags, &err);
	*ret_text = diags_text(&diags);
	diag_list_done(&diags);
	return r;
}

static void test_host_file(void **state)
{
	struct host_config c, defaults;
	char *text;

	host_config_init(&defaults);
	assert_int_equal(load_host("", &c, &text), 0);
	assert_int_equal(c.docker, defaults.docker);
	assert_string_equal(c.docker_socket, defaults.docker_socket);
	assert_false(c.strict);
	host_config_done(&c);
	free(text);

	assert_int_equal(load_host("unmanaged: quarantine\nimage-labels: select\nstrict: true\n"
				   "runtimes: {docker: /tmp/d.sock, podman: false, netns: false}\n",
				   &c, &text),
			 0);
	assert_string_equal(text, "");
	assert_int_equal(c.unmanaged, UNMANAGED_QUARANTINE);
	assert_true(c.image_labels);
	assert_true(c.strict);
	assert_true(c.docker);
	assert_string_equal(c.docker_socket, "/tmp/d.sock");
	assert_false(c.podman);
	assert_string_equal(c.podman_socket, defaults.podman_socket);
	assert_false(c.netns);
	host_config_done(&c);
	free(text);
}

static void test_host_mistakes(void **state)
{
	struct host_config c = { .image_labels = true };
	char *text, expect[2048];
	const char *path = in_dir("host");

	assert_int_equal(load_host("unmanged: ignore\nunmanaged: block\nimage-labels: true\n"
				   "runtimes: {docker: run/docker.sock, podman: \"true\", "
				   "netns: maybe, cni: true}\n---\nunmanaged: ignore\n",
				   &c, &text),
			 -EINVAL);
	assert_true(c.image_labels); /* untouched */
	snprintf(expect, sizeof(expect),
		 "%s:1:1: error: unknown key \"unmanged\" in the host file (did you mean "
		 "\"unmanaged\"?) [unknown-key]\n"
		 "%s:2:12: error: \"unmanaged\" takes ignore or quarantine, not \"block\" "
		 "[bad-value]\n"
		 "%s:3:15: error: \"image-labels\" takes ignore or select, not \"true\" "
		 "[bad-value]\n"
		 "%s:4:20: error: \"docker\" takes true, false or the path of a socket, not "
		 "\"run/docker.sock\" (a path begins with /) [bad-value]\n"
		 "%s:4:45: error: \"podman\" takes true, false or the path of a socket, not the "
		 "text \"true\" (remove the quotes) [bad-value]\n"
		 "%s:4:60: error: \"netns\" takes true or false, not \"maybe\" [bad-value]\n"
		 "%s:4:67: error: unknown key \"cni\" in runtimes (the keys are docker, podman, "
		 "netns) [unknown-key]\n"
		 "%s:6:1: error: the host file holds one document only (join the two) "
		 "[second-document]\n",
		 path, path, path, path, path, path, path, path);
	assert_string_equal(text, expect);
	free(text);
}

static void test_host_absent(void **state)
{
	struct host_config c;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;

	diag_list_init(&diags);
	assert_int_equal(host_config_load(in_dir("absent"), &c, &diags, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/absent: No such file"));
	diag_list_done(&diags);
}

/* --- what docs/policy-format.md shows is valid -------------------------------------------- */

/* The Nth ```yaml block. free() it. */
static char *example(unsigned n)
{
	static const char begin[] = "```yaml\n";
	char *text = NULL, *at, *end, *out;
	size_t len;

	assert_int_equal(bh_read_file("docs/policy-format.md", 1 << 20, &text, &len), 0);
	at = strstr(text, begin);
	while (at && n--)
		at = strstr(at + 1, begin);
	assert_non_null(at);
	at += sizeof(begin) - 1;
	end = strstr(at, "```");
	assert_non_null(end);
	out = strndup(at, (size_t)(end - at));
	free(text);
	return out;
}

static void test_documented_policies(void **state)
{
	static const char others[] =
		"---\nservice: web\nselect: {labels: {app: web}}\negress: follow\n"
		"---\nservice: ledger\nselect: {labels: {app: ledger}}\n"
		"ingress: [{from: [{service: payments}], ports: [5432/tcp]}]\n"
		"---\nservice: vault\nscope: cde\nowner: us\nselect: {labels: {app: vault}}\n"
		"egress: [{to: [{group: acquirers}], reason: r, reviewed: 2026-09-01}]\n";
	char *service = example(0), *mdns = example(1), *dhcp = example(2), *all;
	char *group = example(3), *scope = example(4), *guardrail = example(5);

	assert_true(asprintf(&all, "%s---\n%s---\n%s---\n%s---\n%s---\n%s%s", service, mdns, dhcp,
			     group, scope, guardrail, others) > 0);
	assert_lint(all, 1790000000, "");
	free(all);
	free(guardrail);
	free(scope);
	free(group);
	free(dhcp);
	free(mdns);
	free(service);
}

static void test_documented_host_file(void **state)
{
	struct host_config c, defaults;
	char *host = example(6), *text;

	memset(&c, 0, sizeof(c));
	memset(&defaults, 0, sizeof(defaults));
	host_config_init(&defaults);
	assert_int_equal(load_host(host, &c, &text), 0);
	assert_string_equal(text, "");
	assert_int_equal(c.unmanaged, defaults.unmanaged); /* it shows the defaults */
	assert_int_equal(c.image_labels, defaults.image_labels);
	assert_true(c.docker == defaults.docker && c.podman == defaults.podman &&
		    c.netns == defaults.netns);
	assert_int_equal(c.new_namespaces, defaults.new_namespaces);
	assert_int_equal(c.watch, defaults.watch);
	assert_string_equal(c.control.socket, defaults.control.socket);
	assert_null(c.control.read_only_socket);
	assert_false(c.metrics.listen);
	assert_null(c.metrics.textfile);
	assert_memory_equal(&c.retention, &defaults.retention, sizeof(c.retention));
	host_config_done(&c);
	free(text);
	free(host);
	host = example(7); /* what else there is */
	assert_int_equal(load_host(host, &c, &text), 0);
	assert_string_equal(text, "");
	assert_true(c.n_grants > 1 && c.metrics.listen && c.metrics.textfile && c.control.group);
	host_config_done(&c);
	free(text);
	free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_several_paths),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_each_path),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_identity_of_a_part),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_big_file),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_shipped_reasons),
		cmocka_unit_test(test_documented_policies),
		cmocka_unit_test(test_documented_host_file),
		cmocka_unit_test(test_host_file),
		cmocka_unit_test(test_host_mistakes),
		cmocka_unit_test(test_host_absent),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
