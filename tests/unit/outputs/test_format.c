/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

/*
 * Each format against a file in tests/golden: what changes there changes in other people's databases.
 * BULKHEAD_WRITE_GOLDEN=1 writes them anew; read the diff. Run from the top of the tree.
 */

/* --- golden files ------------------------------------------------------------------------------ */

static json_t *parse(const char *line)
{
	json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(o);
	return o;
}

/* JSON in several lines, so that a diff can be read; the order is that of the line. */
static char *spread(const char *line)
{
	json_t *o = parse(line);
	char *text = json_dumps(o, JSON_INDENT(2)), *ret;

	json_decref(o);
	assert_true(asprintf(&ret, "%s\n", text) > 0);
	free(text);
	return ret;
}

static void assert_golden(const char *name, const char *text)
{
	bh_autofree char *expect = NULL;
	char path[128];

	snprintf(path, sizeof(path), "tests/golden/%s", name);
	if (getenv("BULKHEAD_WRITE_GOLDEN")) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fputs(text, f);
		fclose(f);
	}
	expect = read_all(path);
	assert_non_null(expect);
	assert_string_equal(text, expect);
}

static char *record_line(enum output_format f, const struct flow_record *r)
{
	struct bh_buf b;

	bh_buf_init(&b, BH_OUTPUT_LINE_MAX);
	assert_int_equal(output_format_record(f, r, &b), 0);
	assert_ptr_equal(strchr(b.data, '\n'), b.data + b.len - 1);
	return bh_buf_steal(&b);
}

static char *signal_line(enum output_format f, const struct flow_signal *s)
{
	struct bh_buf b;

	bh_buf_init(&b, BH_OUTPUT_LINE_MAX);
	assert_int_equal(output_format_signal(f, s, &b), 0);
	assert_ptr_equal(strchr(b.data, '\n'), b.data + b.len - 1);
	return bh_buf_steal(&b);
}

static void test_golden(void **state)
{
	static const enum output_format formats[] = { OUTPUT_OCSF, OUTPUT_ECS };
	struct flow_signal sig = signal_sample();

	for (size_t i = 0; i < BH_ARRAY_SIZE(formats); i++) {
		bh_autofree char *record = record_line(formats[i], &sample);
		bh_autofree char *alert = signal_line(formats[i], &sig);
		bh_autofree char *record_text = spread(record), *alert_text = spread(alert);
		char name[64];

		snprintf(name, sizeof(name), "record.%s.json", output_format_name(formats[i]));
		assert_golden(name, record_text);
		snprintf(name, sizeof(name), "signal.%s.json", output_format_name(formats[i]));
		assert_golden(name, alert_text);
	}
}

/* These are the model's own; here they only have to come out. */
static void test_own_formats(void **state)
{
	struct flow_signal sig = signal_sample();
	bh_autofree char *json = record_line(OUTPUT_JSON, &sample);
	bh_autofree char *text = record_line(OUTPUT_TEXT, &sample);
	bh_autofree char *alert = signal_line(OUTPUT_JSON, &sig);
	bh_autofree char *alert_text = signal_line(OUTPUT_TEXT, &sig);
	json_t *o = parse(json), *s = parse(alert);

	assert_string_equal(json_string_value(json_object_get(o, "schema")), "bulkhead.flow/1");
	assert_string_equal(json_string_value(json_object_get(s, "schema")), "bulkhead.signal/1");
	json_decref(o);
	json_decref(s);
	assert_non_null(strstr(text, "DENY  egress  payments (shop/payments) 10.77.1.4"));
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(alert_text, "port-scan"));
	assert_null(strchr(alert_text, '\033'));
}

/* --- the names of other people's schemas ---------------------------------------------------------- */

struct names {
	char *text;      /* one a line */
	const char *own; /* what begins so is ours to name */
};

static bool is_known(const struct names *n, const char *path)
{
	size_t len = strlen(path);

	if (strncmp(path, n->own, strlen(n->own)) == 0)
		return true;
	for (const char *s = strstr(n->text, path); s; s = strstr(s + 1, path))
		if ((s == n->text || s[-1] == '\n') && s[len] == '\n')
			return true;
	return false;
}

static void check_names(const struct names *n, const json_t *v, const char *path)
{
	const char *key;
	json_t *child;
	char at[256];
	size_t i;

	json_array_foreach (v, i, child)
		check_names(n, child, path);
	json_object_foreach ((json_t *)v, key, child) {
		snprintf(at, sizeof(at), "%s%s%s", path, *path ? "." : "", key);
		check_names(n, child, at);
	}
	if (!json_is_object(v) && !json_is_array(v) && !is_known(n, path))
		fail_msg("the schema has no %s", path);
}

static void assert_names(const char *file, const char *own, char *line)
{
	struct names n = { read_all(file), own };
	json_t *o = parse(line);

	assert_non_null(n.text);
	check_names(&n, o, "");
	json_decref(o);
	free(n.text);
	free(line);
}

/* A record with all that a record can have. */
static struct flow_record full_record(void)
{
	struct flow_record r = sample;

	r.has_frame = true;
	memcpy(r.frame_source, "\x02\x42\xac\x11\x00\x02", 6);
	memset(r.frame_destination, 0xff, 6);
	r.frame_type = 0x0800;
	r.has_icmp = true;
	r.icmp_type = 8;
	return r;
}

static void test_names(void **state)
{
	struct flow_record out = full_record(), in = out;
	struct flow_signal sig = signal_sample();

	in.direction = DIRECTION_INGRESS;
	in.aggregated = true;
	in.process = (struct record_process) { .unknown = "it had ended" };
	sig.record = out;
	assert_names("tests/golden/ocsf-4001.names", "unmapped.", record_line(OUTPUT_OCSF, &out));
	assert_names("tests/golden/ocsf-4001.names", "unmapped.", record_line(OUTPUT_OCSF, &in));
	assert_names("tests/golden/ocsf-2004.names", "unmapped.", signal_line(OUTPUT_OCSF, &sig));
	assert_names("tests/golden/ecs.names", "bulkhead.", record_line(OUTPUT_ECS, &out));
	assert_names("tests/golden/ecs.names", "bulkhead.", record_line(OUTPUT_ECS, &in));
	assert_names("tests/golden/ecs.names", "bulkhead.", signal_line(OUTPUT_ECS, &sig));
}

/* --- what depends on the record -------------------------------------------------------------------- */

/* The value at a path of keys, or NULL. */
static const json_t *at(const json_t *o, const char *path)
{
	char key[64];

	for (const char *dot; o && (dot = strchr(path, '.')); path = dot + 1) {
		snprintf(key, sizeof(key), "%.*s", (int)(dot - path), path);
		o = json_object_get(o, key);
	}
	return json_object_get(o, path);
}

static void assert_text(const json_t *o, const char *path, const char *expect)
{
	const char *is = json_string_value(at(o, path));

	if (!is)
		fail_msg("there is no %s", path);
	assert_string_equal(is, expect);
}

static void assert_number(const json_t *o, const char *path, json_int_t expect)
{
	assert_true(json_is_integer(at(o, path)));
	assert_int_equal(json_integer_value(at(o, path)), expect);
}

static json_t *formatted(enum output_format f, const struct flow_record *r)
{
	bh_autofree char *line = record_line(f, r);

	return parse(line);
}

static void test_verdicts(void **state)
{
	static const struct {
		enum record_verdict verdict;
		int activity, action, disposition;
		const char *type;
	} verdicts[] = {
		{ RECORD_DENY, 5, 2, 2, "denied" },
		{ RECORD_AUDIT, 6, 3, 17, "allowed" },
		{ RECORD_ALLOW, 1, 1, 1, "allowed" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(verdicts); i++) {
		struct flow_record r = sample;
		json_t *o, *e;

		r.verdict = verdicts[i].verdict;
		o = formatted(OUTPUT_OCSF, &r);
		e = formatted(OUTPUT_ECS, &r);
		assert_number(o, "activity_id", verdicts[i].activity);
		assert_number(o, "type_uid", 400100 + verdicts[i].activity);
		assert_number(o, "action_id", verdicts[i].action);
		assert_number(o, "disposition_id", verdicts[i].disposition);
		assert_string_equal(json_string_value(json_array_get(at(e, "event.type"), 1)),
				    verdicts[i].type);
		json_decref(o);
		json_decref(e);
	}
}

static void test_ipv6(void **state)
{
	struct flow_record r = sample;
	json_t *o, *e;

	r.proto = IPPROTO_ICMPV6;
	r.source.addr = (struct bh_addr) { AF_INET6, { 0xfd, [15] = 1 } };
	r.destination.addr = (struct bh_addr) { AF_INET6, { 0xfd, [15] = 2 } };
	r.source.has_port = r.destination.has_port = r.has_tcp_flags = false;
	o = formatted(OUTPUT_OCSF, &r);
	e = formatted(OUTPUT_ECS, &r);
	assert_number(o, "connection_info.protocol_ver_id", 6);
	assert_number(o, "connection_info.protocol_num", 58);
	assert_text(o, "connection_info.protocol_name", "ipv6-icmp");
	assert_text(o, "dst_endpoint.ip", "fd00::2");
	assert_null(at(o, "dst_endpoint.port"));
	assert_text(e, "network.type", "ipv6");
	assert_text(e, "network.transport", "ipv6-icmp");
	assert_text(e, "network.iana_number", "58");
	json_decref(o);
	json_decref(e);
}

/* Of several flows: no ends but the endpoint itself, which both schemas ask for. */
static void test_aggregated(void **state)
{
	struct flow_record r = sample;
	json_t *o, *e;

	r.direction = DIRECTION_INGRESS;
	r.aggregated = true;
	r.bytes = 0; /* made from a difference: they are not known */
	r.proto = 0;
	r.source = r.destination = (struct record_end) { 0 };
	r.flows = 20;
	r.n_samples = 1;
	r.samples[0] = (struct record_sample) { { AF_INET, { 192, 0, 2, 1 } }, IPPROTO_TCP, 22 };
	o = formatted(OUTPUT_OCSF, &r);
	e = formatted(OUTPUT_ECS, &r);
	assert_text(o, "dst_endpoint.uid", "shop/payments");
	assert_text(o, "dst_endpoint.svc_name", "payments");
	assert_text(o, "dst_endpoint.container.image.name", "registry.example/payments:7");
	assert_null(at(o, "src_endpoint"));
	assert_null(at(o, "connection_info.protocol_num"));
	assert_number(o, "connection_info.direction_id", 1);
	assert_null(at(o, "traffic.bytes"));
	assert_number(o, "traffic.packets", 3);
	assert_true(json_is_true(at(o, "unmapped.aggregated")));
	assert_number(o, "unmapped.flows", 20);
	assert_int_equal(json_array_size(at(o, "unmapped.sample")), 1);
	assert_text(json_array_get(at(e, "bulkhead.sample"), 0), "peer", "192.0.2.1");
	assert_text(e, "container.id", "shop/payments");
	assert_null(at(e, "related"));
	assert_text(e, "observer.ingress.interface.name", "eth0");
	json_decref(o);
	json_decref(e);
	r.bytes = 1200; /* of a flood, which was put together from records */
	o = formatted(OUTPUT_OCSF, &r);
	assert_number(o, "traffic.bytes", 1200);
	json_decref(o);
}

/* Of one packet into two scopes come two findings. */
static void test_scopes(void **state)
{
	static const char *const uids[] = { "finding_info.uid", "event.id" };
	static const char *const scopes[] = { "unmapped.into_scope", "bulkhead.into_scope" };
	struct flow_signal a = signal_sample(), b;

	a.kind = SIGNAL_INTO_SCOPE;
	b = a;
	snprintf(a.scope, sizeof(a.scope), "cde");
	snprintf(b.scope, sizeof(b.scope), "pii");
	for (int i = 0; i < 2; i++) {
		enum output_format f = i ? OUTPUT_ECS : OUTPUT_OCSF;
		bh_autofree char *first = signal_line(f, &a), *second = signal_line(f, &b);
		json_t *x = parse(first), *y = parse(second);

		assert_text(x, scopes[i], "cde");
		assert_text(y, scopes[i], "pii");
		assert_string_not_equal(json_string_value(at(x, uids[i])),
					json_string_value(at(y, uids[i])));
		json_decref(x);
		json_decref(y);
	}
}

static void test_bare_frame(void **state)
{
	struct flow_record r = full_record();
	json_t *o, *e;

	r.source.addr.family = r.destination.addr.family = 0;
	r.source.has_port = r.destination.has_port = r.has_tcp_flags = r.has_icmp = false;
	r.frame_type = 0x0806;
	r.rule_kind = RECORD_RAW_SOCKET;
	o = formatted(OUTPUT_OCSF, &r);
	e = formatted(OUTPUT_ECS, &r);
	assert_text(o, "src_endpoint.mac", "02-42-AC-11-00-02");
	assert_text(e, "destination.mac", "FF-FF-FF-FF-FF-FF");
	assert_text(o, "unmapped.frame_type", "0x0806");
	assert_number(o, "severity_id", 3);
	assert_null(at(e, "network.transport"));
	json_decref(o);
	json_decref(e);
}

static void test_hostile(void **state)
{
	struct flow_record r = sample;

	snprintf(r.endpoint_name, sizeof(r.endpoint_name), "a\n\xff\"\\\033[31m");
	snprintf(r.process.comm, sizeof(r.process.comm), "x\ny");
	for (int f = OUTPUT_JSON; f <= OUTPUT_TEXT; f++) {
		bh_autofree char *line = record_line((enum output_format)f, &r);

		assert_null(strchr(line, '\033'));
		assert_null(strchr(line, '\xff'));
		if (f != OUTPUT_TEXT)
			json_decref(parse(line));
	}
}

/* The longest that there can be fits a line, all of it escaped. */
static void test_longest(void **state)
{
	struct flow_signal sig = signal_sample();
	struct flow_record *r = &sig.record;
	char *const texts[] = { r->endpoint_id,
				r->endpoint_name,
				r->image,
				r->netns,
				r->service,
				r->owner,
				r->scope,
				r->source.endpoint,
				r->source.service,
				r->source.name,
				r->source.scope,
				r->destination.endpoint,
				r->rule_name,
				r->destination.service,
				r->destination.name,
				r->rule_file,
				r->destination.scope,
				r->near_miss,
				r->other_side,
				r->process.exe };

	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++) {
		memset(texts[i], 0xff, RECORD_STR - 1);
		texts[i][RECORD_STR - 1] = '\0';
	}
	memset(r->reason, 0xff, sizeof(r->reason) - 1);
	memset(sig.reason, 0xff, sizeof(sig.reason) - 1);
	for (int f = OUTPUT_JSON; f <= OUTPUT_TEXT; f++) {
		free(record_line((enum output_format)f, r));
		free(signal_line((enum output_format)f, &sig));
	}
}

static void test_format_names(void **state)
{
	enum output_format f = OUTPUT_TEXT;

	for (int i = OUTPUT_JSON; i <= OUTPUT_TEXT; i++) {
		assert_int_equal(output_format_parse(output_format_name((enum output_format)i), &f),
				 0);
		assert_int_equal(f, i);
	}
	assert_int_equal(output_format_parse("xml", &f), -EINVAL);
	assert_int_equal(output_format_parse("", &f), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),       cmocka_unit_test(test_own_formats),
		cmocka_unit_test(test_names),        cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_ipv6),         cmocka_unit_test(test_aggregated),
		cmocka_unit_test(test_scopes),       cmocka_unit_test(test_bare_frame),
		cmocka_unit_test(test_hostile),      cmocka_unit_test(test_longest),
		cmocka_unit_test(test_format_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
