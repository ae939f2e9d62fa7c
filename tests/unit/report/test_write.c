/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "util.h"

/* The formats, and that nothing that others wrote comes through as more than text. */

#define EVIL                                                                                       \
	"</style></svg><script>alert(1)</script><img src=x "                                       \
	"onerror=y>\\\"'&amp;|`*[a](javascript:b)-->"

static json_t *judged(json_t *r)
{
	report_tame(r);
	assert_int_equal(report_judge(r, NULL), 0);
	return r;
}

/* Every text that others can choose. */
static json_t *hostile(void)
{
	static const char *const paths[] = {
		"flows.0.from",
		"flows.0.to",
		"flows.0.ports",
		"flows.0.reason",
		"flows.0.owner",
		"flows.0.ticket",
		"flows.0.reviewed",
		"flows.0.where",
		"flows.1.note",
		"flows.0.remarks.0",
		"services.0.name",
		"services.0.owner",
		"endpoints.0.name",
		"endpoints.0.state",
		"endpoints.0.why",
		"map.nodes.0.name",
		"map.nodes.0.mode",
		"map.boxes.0.title",
		"map.edges.0.ports",
		"map.edges.3.ports",
		"map.why",
		"denied.groups.0.peer",
		"denied.groups.0.service",
		"denied.groups.0.port",
		"denied.from",
		"denied.to",
		"scope.name",
		"scope.title",
		"scope.framework",
		"host",
		"generated",
		"trail.changes.0.who",
		"trail.changes.0.detail",
		"trail.findings.0",
		"probe.findings.0",
		"probe.when",
		"policies.digest",
		"daemon.why",
		"insecure.0.note",
		"policies.guardrails.0.reasons.0",
		"version",
	};
	json_t *r = facts();

	put(r, "flows.0.remarks", "[\"x\"]");
	put(r, "trail.findings", "[\"x\"]");
	put(r, "probe.findings", "[\"x\"]");
	for (size_t i = 0; i < BH_ARRAY_SIZE(paths); i++)
		put(r, paths[i], "\"" EVIL "\\u001b[31m\\u202e\"");
	return judged(r);
}

static void test_html_hostile(void **state)
{
	json_t *r = hostile();
	struct bh_buf b;
	const char *s;

	written(r, REPORT_HTML, NULL, &b);
	s = bh_buf_str(&b);
	assert_null(strcasestr(s, "<script"));
	assert_null(strcasestr(s, "<img"));
	assert_null(strstr(s, "\x1b"));
	assert_null(strstr(s, "\xe2\x80\xae"));
	/* one style sheet, one end of it, one comment: ours */
	assert_non_null(strstr(s, "</style>"));
	assert_null(strstr(strstr(s, "</style>") + 1, "</style>"));
	assert_null(strstr(strstr(s, "<!--") + 1, "<!--"));
	assert_null(strstr(strstr(s, "-->") + 1, "-->"));
	assert_non_null(strstr(s, "&#60;script&#62;alert(1)"));
	/* an attribute that begins an event */
	for (const char *at = s; (at = strstr(at, "onerror=")); at++)
		assert_memory_equal(at - 6, "src=x ", 6);
	bh_buf_done(&b);
	json_decref(r);
}

static void test_html_loads_nothing(void **state)
{
	static const char *const words[] = { "http:", "https:",  "src=",    "url(",    "@import",
					     "<link", "<iframe", "<object", "style=\"" };
	json_t *r = judged(facts());
	struct bh_buf b;
	const char *s;

	written(r, REPORT_HTML, NULL, &b);
	s = bh_buf_str(&b);
	for (size_t i = 0; i < BH_ARRAY_SIZE(words); i++)
		for (const char *at = s; (at = strstr(at, words[i])); at++)
			if (strncmp(at, "http://www.w3.org/2000/svg\"", 27) != 0)
				fail_msg("%s: %.60s", words[i], at);
	assert_non_null(strstr(s, "default-src 'none'; style-src 'sha256-"));
	assert_non_null(strstr(s, "prefers-color-scheme:dark"));
	assert_non_null(strstr(s, "@page{size:A4"));
	assert_non_null(strstr(s, "role=\"img\" aria-labelledby=\"map-title map-desc\""));
	assert_non_null(strstr(s, "<desc id=\"matrix-desc\">"));
	assert_non_null(strstr(s, "<desc id=\"time-desc\">"));
	bh_buf_done(&b);
	json_decref(r);
}

/* Elements are closed in the order in which they were opened. */
static void test_html_is_well_formed(void **state)
{
	static const char *const empty[] = { "meta", "!DOCTYPE", "!--" };
	json_t *r = hostile();
	char open[64][16], name[16];
	size_t depth = 0;
	struct bh_buf b;

	written(r, REPORT_HTML, NULL, &b);
	for (const char *at = bh_buf_str(&b); (at = strchr(at, '<')); at++) {
		const char *end = strchr(at, '>');
		bool is_empty = end[-1] == '/', closes = at[1] == '/';

		assert_int_equal(sscanf(at + 1 + closes, "%15[a-zA-Z0-9!-]", name), 1);
		for (size_t i = 0; i < BH_ARRAY_SIZE(empty); i++)
			is_empty = is_empty || strcmp(name, empty[i]) == 0;
		if (is_empty)
			continue;
		if (!closes) {
			assert_true(depth < 64);
			strcpy(open[depth++], name);
			continue;
		}
		assert_true(depth > 0);
		assert_string_equal(open[--depth], name);
	}
	assert_int_equal(depth, 0);
	bh_buf_done(&b);
	json_decref(r);
}

static void test_markdown_hostile(void **state)
{
	json_t *r = hostile();
	struct bh_buf b;
	const char *s;

	written(r, REPORT_MARKDOWN, NULL, &b);
	s = bh_buf_str(&b);
	/* the only "<" is that of the seal; no link, no code, no cell that ends another */
	assert_ptr_equal(strchr(s, '<'), strstr(s, "<!-- bulkhead.report/1"));
	assert_null(strstr(s, "](javascript"));
	assert_null(strstr(s, "\x1b"));
	for (const char *line = strstr(s, "### Allowed services"); *line; line++)
		if (*line == '|' && line[-1] != '\\' && line[-1] != '\n' && line[1] != ' ' &&
		    line[1] != '-' && line[1] != '\n')
			fail_msg("a cell is broken: %.40s", line - 20);
	bh_buf_done(&b);
	json_decref(r);
}

/* All formats say the same: each finding, each row. */
static void test_formats_agree(void **state)
{
	static const char *const heads[][2] = {
		{ "made", "2026-11-26T18:00:00.000Z, till" },
		{ "policies", "aa11" },
		{ "in force since", "2026-11-01T00:00:00.000Z, root" },
		{ "segmentation test", "2026-11-20T00:00:00.000Z" },
		{ "made by", "bulkhead, 0.1.0" },
	};
	json_t *r = facts(), *q, *f;
	struct bh_buf html, md;
	size_t i, k;

	put(r, "daemon.logger", "\"down\"");
	put(r, "probe.findings", "[\"a reached b\"]");
	judged(r);
	written(r, REPORT_HTML, NULL, &html);
	written(r, REPORT_MARKDOWN, NULL, &md);
	json_array_foreach (json_object_get(r, "requirements"), i, q)
		json_array_foreach (json_object_get(q, "evidence"), k, f) {
			char head[24];

			/* as far as nothing in it is escaped */
			snprintf(head, sizeof(head), "%.*s",
				 (int)strcspn(json_string_value(f), "'(-:"), json_string_value(f));
			assert_non_null(strstr(bh_buf_str(&html), head));
			assert_non_null(strstr(bh_buf_str(&md), head));
		}
	for (i = 0; i < BH_ARRAY_SIZE(heads); i++) {
		char text[128];

		snprintf(text, sizeof(text), "<dt>%s</dt><dd>%s", heads[i][0], heads[i][1]);
		assert_non_null(strstr(bh_buf_str(&html), text));
		snprintf(text, sizeof(text), "- %s: %s", heads[i][0], heads[i][1]);
		if (!strstr(bh_buf_str(&md), text))
			fail_msg("%s", text);
	}
	assert_non_null(strstr(bh_buf_str(&html), "a reached b"));
	assert_non_null(strstr(bh_buf_str(&md), "a reached b"));
	bh_buf_done(&html);
	bh_buf_done(&md);
	json_decref(r);
}

/* A map that makes no sense is drawn as far as it does. */
static void test_map_nonsense(void **state)
{
	static const char *const maps[] = {
		"{}",
		"{\"nodes\": [], \"edges\": [{\"from\": 0, \"to\": 1, \"state\": \"allowed\"}]}",
		"{\"nodes\": [{\"name\": \"a\"}], \"edges\": [{\"from\": -1, \"to\": 9, \"state\": "
		"\"denied\"}, {\"from\": 0, \"to\": 0, \"state\": \"allowed\"}]}",
		"{\"nodes\": [{\"name\": \"a\"}, {\"name\": \"b\"}], \"edges\": [{\"from\": 0, "
		"\"to\": 1, \"state\": \"allowed\", \"ports\": \"1/tcp\"}, {\"from\": 1, \"to\": "
		"0, "
		"\"state\": \"allowed\"}, {\"from\": 1, \"to\": 0, \"state\": \"denied\"}]}",
		"{\"boxes\": [{\"name\": \"x\", \"title\": \"x\"}], \"nodes\": [{\"name\": "
		"\"\\u6771\\u4eac\\u6771\\u4eac\\u6771\\u4eac\\u6771\\u4eac\\u6771\\u4eac\\u6771\","
		" "
		"\"box\": \"y\"}]}",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(maps); i++) {
		json_t *map = json_loads(maps[i], 0, NULL);
		struct bh_buf b;

		assert_non_null(map);
		bh_buf_init(&b, 1 << 20);
		assert_int_equal(report_map_svg(map, &b, NULL), 0);
		assert_non_null(strstr(bh_buf_str(&b), "</svg>"));
		bh_buf_done(&b);
		json_decref(map);
	}
}

/* A chain of many, and more than can be drawn. */
static void test_map_big(void **state)
{
	json_t *nodes = json_array(), *edges = json_array();
	json_t *map = json_pack("{s:o, s:o}", "nodes", nodes, "edges", edges);
	struct bh_buf b;
	int width = 0;

	for (int i = 0; i < 60; i++) {
		json_array_append_new(nodes,
				      json_pack("{s:s, s:s}", "name", "n", "kind", "service"));
		if (i)
			json_array_append_new(edges,
					      json_pack("{s:i, s:i, s:s, s:s}", "from", i - 1, "to",
							i, "state", "allowed", "ports", "1/tcp"));
	}
	bh_buf_init(&b, 1 << 22);
	assert_int_equal(report_map_svg(map, &b, NULL), 0);
	assert_int_equal(sscanf(strstr(bh_buf_str(&b), " width=\""), " width=\"%d\"", &width), 1);
	assert_in_range(width, 600, 2600);
	while (json_array_size(nodes) <= BH_REPORT_MAP_MAX)
		json_array_append_new(nodes, json_pack("{s:s}", "name", "n"));
	assert_int_equal(report_map_svg(map, &b, NULL), -E2BIG);
	bh_buf_done(&b);
	json_decref(map);
}

/* What leads back over columns goes by their gaps as well, and behind no node. */
static void test_map_back(void **state)
{
	json_t *nodes = json_array(), *edges = json_array();
	json_t *map = json_pack("{s:o, s:o}", "nodes", nodes, "edges", edges);
	const char *path, *end;
	unsigned pieces = 0;
	struct bh_buf b;

	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		json_array_append_new(nodes,
				      json_pack("{s:s, s:s}", "name", name, "kind", "service"));
		json_array_append_new(edges,
				      json_pack("{s:i, s:i, s:s, s:s}", "from", i, "to",
						(i + 1) % 5, "state", "allowed", "ports", "1/tcp"));
	}
	bh_buf_init(&b, 1 << 20);
	assert_int_equal(report_map_svg(map, &b, NULL), 0);
	end = strstr(bh_buf_str(&b), "\"><title>n4 to n0");
	assert_non_null(end);
	for (path = end; path[-1] != '"'; path--)
		pieces += *path == 'C';
	assert_int_equal(pieces, 4); /* three columns lie between */
	bh_buf_done(&b);
	json_decref(map);
}

/* The map of a shop with attacks: no label lies on another, nor on the name of the box. */
static void test_map_labels(void **state)
{
	static const struct {
		int from, to;
		const char *state, *ports;
	} edges[] = {
		{ 0, 2, "allowed", "8443/tcp" }, { 1, 3, "allowed", "23/tcp" },
		{ 2, 4, "allowed", "8443/tcp" }, { 4, 5, "allowed", "8443/tcp" },
		{ 4, 6, "allowed", "5432/tcp" }, { 1, 5, "denied", "23/tcp" },
		{ 2, 5, "denied", "8443/tcp" },  { 2, 6, "denied", "5432/tcp" },
		{ 6, 2, "denied", "8443/tcp" },
	};
	json_t *map = json_loads("{\"boxes\": [{\"name\": \"cde\", \"title\": \"cde: Cardholder "
				 "data environment\"}], "
				 "\"nodes\": [{\"kind\": \"world\", \"name\": \"world\"}, "
				 "{\"kind\": \"service\", \"name\": "
				 "\"support\"}, {\"kind\": \"service\", \"name\": \"web\"}]}",
				 0, NULL);
	static const char *const inside[] = { "terminal", "payments", "vault", "ledger" };
	json_t *list = json_array();
	int x[16], y[16];
	struct bh_buf b;
	size_t n = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(inside); i++)
		json_array_append_new(json_object_get(map, "nodes"),
				      json_pack("{s:s, s:s, s:b, s:s}", "kind", "service", "name",
						inside[i], "inside", 1, "box", "cde"));
	for (size_t i = 0; i < BH_ARRAY_SIZE(edges); i++)
		json_array_append_new(list, json_pack("{s:i, s:i, s:s, s:s}", "from", edges[i].from,
						      "to", edges[i].to, "state", edges[i].state,
						      "ports", edges[i].ports));
	json_object_set_new(map, "edges", list);
	bh_buf_init(&b, BH_GRAPH_BYTES_MAX);
	assert_int_equal(report_map_svg(map, &b, NULL), 0);
	for (const char *at = bh_buf_str(&b); (at = strstr(at, "<text class=\"label")) && n < 16;
	     at++, n++)
		assert_int_equal(sscanf(strstr(at, " x="), " x=\"%d\" y=\"%d", &x[n], &y[n]), 2);
	assert_int_equal(n, BH_ARRAY_SIZE(edges));
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (abs(x[i] - x[k]) < 44 && abs(y[i] - y[k]) < 10)
				fail_msg("labels %zu and %zu at %d, %d", k, i, x[i], y[i]);
	bh_buf_done(&b);
	json_decref(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_html_hostile),
		cmocka_unit_test(test_html_loads_nothing),
		cmocka_unit_test(test_html_is_well_formed),
		cmocka_unit_test(test_markdown_hostile),
		cmocka_unit_test(test_formats_agree),
		cmocka_unit_test(test_map_nonsense),
		cmocka_unit_test(test_map_big),
		cmocka_unit_test(test_map_back),
		cmocka_unit_test(test_map_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
