/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"

#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/enforce/enforce.h>
#include <bulkhead/enforce/holds.h>
#include <bulkhead/policy/policy.h>

#include "../../src/enforce/standing.h"
#include "../../src/nft/batch.h"

/*
 * What a daemon finds by itself in the namespaces that it holds: by their numbers of commits, and by
 * reading them back in turn. Namespaces of this test's own; root.
 */

#define SERVICE "service: all\nselect: {name: \"e*\"}\negress:\n  - to: [{cidr: 192.0.2.1/32}]\n"

static struct site site;
static char dir[40], policy_path[64], config_path[64];
static size_t n_changed;
static size_t changed[1024]; /* the endpoints that were, in the last call */

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void load_policy(const char *port)
{
	const char *paths[] = { policy_path };
	struct site_options o = { .config = config_path, .policies = paths, .n_policies = 1 };
	struct diag_list diags;
	struct bh_err err = BH_ERR_INIT;
	char text[256];

	snprintf(text, sizeof(text), SERVICE "    ports: [%s]\n", port);
	write_file(policy_path, text);
	diag_list_init(&diags);
	if (site_load_policies(&site, &o, &diags, &err) < 0)
		fail_msg("%s", diags.n ? diags.d[0].text : err.msg);
	diag_list_done(&diags);
}

static void add_endpoint(struct endpoint_builder *b, unsigned i, const struct place *p)
{
	char name[16], path[64];
	struct stat st;
	struct bh_addr addr;
	struct endpoint e = {
		.id = name, .name = name, .netns = path, .addrs = &addr, .n_addrs = 1
	};

	assert_int_equal(fstat(p->fd, &st), 0);
	snprintf(name, sizeof(name), "e%u", i);
	snprintf(path, sizeof(path), "10.9.%u.%u", i / 256, i % 256);
	assert_int_equal(bh_addr_parse(path, &addr), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p->fd);
	e.netns_ino = st.st_ino;
	assert_int_equal(endpoint_builder_add(b, &e, NULL), 0);
}

static int take(const struct apply_result *res, void *arg)
{
	assert_int_not_equal(res->outcome, APPLY_FAILED);
	changed[n_changed++] = res->endpoint;
	return 0;
}

/* How many were changed. */
static size_t keep(enum keep_care care)
{
	struct bh_err err = BH_ERR_INIT;

	n_changed = 0;
	if (enforce_keep(&site, care, take, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return n_changed;
}

static void compile(void)
{
	struct diag_list diags;
	struct bh_err err = BH_ERR_INIT;

	diag_list_init(&diags);
	if (site_compile(&site, false, &diags, &err) < 0)
		fail_msg("%s", err.msg);
	diag_list_done(&diags);
}

/* How many were changed by another policy; what was before stays until all have followed. */
static size_t keep_policy(const char *port)
{
	struct site before = site;
	size_t n;

	site_init(&site);
	site.holds = before.holds;
	site.state = compile_state_new();
	site.endpoints = before.endpoints;
	load_policy(port);
	compile();
	n = keep(KEEP_CHANGED);
	before.endpoints = NULL;
	site_done(&before);
	return n;
}

static struct place *begin(unsigned n)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct place *places = calloc(n, sizeof(*places));

	site_init(&site);
	site.holds = holds_new(); /* first: as many descriptors as there may be */
	site.state = compile_state_new();
	strcpy(dir, "/tmp/bulkhead-keep-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(policy_path, sizeof(policy_path), "%s/all.yaml", dir);
	snprintf(config_path, sizeof(config_path), "%s/bulkhead.yaml", dir);
	write_file(config_path, "runtimes: {docker: false}\n");
	load_policy("443/tcp");
	for (unsigned i = 0; i < n; i++) {
		place_open(&places[i]);
		add_endpoint(b, i, &places[i]);
	}
	assert_int_equal(endpoint_builder_finish(b, &site.endpoints, NULL), 0);
	endpoint_builder_free(b);
	compile();
	assert_int_equal(keep(KEEP_CHANGED), n);
	assert_int_equal(keep(KEEP_CHANGED), 0);
	return places;
}

static void end(struct place *places, unsigned n)
{
	struct holds *holds = site.holds;

	site_done(&site);
	holds_free(holds);
	for (unsigned i = 0; i < n; i++)
		place_close(&places[i]);
	free(places);
	unlink(policy_path);
	unlink(config_path);
	rmdir(dir);
}

static struct hold *hold_of(size_t endpoint)
{
	struct hold *h = holds_find(site.holds, site.endpoints->endpoints[endpoint].netns_ino);

	assert_non_null(h);
	assert_true(hold_standing(h)->known);
	return h;
}

/* What guards against packets that are sent is gone, as only the owner could bring it about. */
static void break_table(size_t endpoint)
{
	struct batch b;

	batch_begin(&b);
	batch_flush_chain(&b, CHAIN_OUTPUT);
	assert_int_equal(batch_commit(&b, hold_socket(hold_of(endpoint)), NULL, NULL, NULL), 0);
	batch_done(&b);
}

/* Neither does the number of commits tell. */
static void break_unseen(size_t endpoint)
{
	struct hold *h = hold_of(endpoint);

	break_table(endpoint);
	assert_int_equal(nft_commit_id(hold_socket(h), &hold_standing(h)->commit_id, NULL), 0);
}

/* Another table, by somebody who is not the owner. */
static void commit_foreign(struct place *p)
{
	place_do(p, "nft 'table inet other { }; delete table inet other' 2>&1");
}

static size_t count_broken(struct place *places, unsigned n)
{
	size_t broken = 0;

	for (unsigned i = 0; i < n; i++) {
		struct nft_state st;

		place_read(&places[i], &st);
		broken += !st.present || !st.intact || !st.owned;
		nft_state_done(&st);
	}
	return broken;
}

/* All are read back in turn, 64 at a look or an eighth of all, whatever is known of them. */
static void check_turns(unsigned n, unsigned part)
{
	struct place *places = begin(n);
	size_t broken = n;

	for (unsigned i = 0; i < n; i++)
		break_unseen(i);
	assert_int_equal(keep(KEEP_CHANGED), 0);
	assert_int_equal(count_broken(places, n), n);
	while (broken) {
		size_t mended = broken < part ? broken : part;

		assert_int_equal(keep(KEEP_LOOK), mended);
		broken -= mended;
		assert_int_equal(count_broken(places, n), broken);
	}
	assert_int_equal(keep(KEEP_LOOK), 0);
	end(places, n);
}

static void test_turns(void **state)
{
	check_turns(150, 64);
}

static void test_turns_of_many(void **state)
{
	check_turns(600, 75);
}

static void test_few_at_once(void **state)
{
	check_turns(3, 3);
}

/* At a look every one is asked for its number; else those alone of which it is not known. */
static void test_numbers(void **state)
{
	struct place *places = begin(80);

	assert_int_equal(keep(KEEP_LOOK), 0); /* 0 to 63 had their turn, which is not theirs next */
	break_table(10);
	assert_int_equal(keep(KEEP_CHANGED), 0);
	assert_int_equal(keep(KEEP_LOOK), 1);
	assert_int_equal(changed[0], 10);
	break_table(20);
	commit_foreign(&places[30]);
	assert_int_equal(keep(KEEP_CHANGED), 0);
	holds_ask_numbers(site.holds);
	assert_int_equal(keep(KEEP_CHANGED), 1);
	assert_int_equal(changed[0], 20);
	assert_int_equal(count_broken(places, 80), 0);
	break_unseen(40);
	assert_int_equal(keep(KEEP_CHANGED), 0); /* they were asked for once */
	end(places, 80);
}

/* Where one was made since, ours is refused: it is read, and nothing of it is left. */
static void test_commit_between_two_of_ours(void **state)
{
	struct place *places = begin(4);

	commit_foreign(&places[0]);
	break_table(1);
	assert_int_equal(keep_policy("443/tcp, 444/tcp"), 4);
	assert_int_equal(count_broken(places, 4), 0);
	commit_foreign(&places[2]);
	break_unseen(3); /* not seen, and not what is written: it stays until it is read */
	assert_int_equal(keep_policy("444/tcp"), 4);
	assert_int_equal(count_broken(places, 4), 1);
	assert_int_equal(keep(KEEP_LOOK), 1);
	assert_int_equal(count_broken(places, 4), 0);
	assert_int_equal(keep(KEEP_READ_ALL), 4);
	end(places, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_at_once),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_turns_of_many),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_commit_between_two_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
