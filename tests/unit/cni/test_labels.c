/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

/* Who a container is, by what its runtime says. */

static struct cni_config config;
static struct cni_labels labels;

static int take(const char *args, const char *text)
{
	struct cni_environment e = { .args = args };
	int r;

	assert_int_equal(parse_as(CNI_ADD, text, &config), 0);
	r = cni_labels_take(&e, &config, &labels, &error);
	return r;
}

static int done(void **state)
{
	cni_labels_done(&labels);
	cni_config_done(&config);
	return 0;
}

/* KEY=VALUE of all, but for the network's. */
static const char *all(void)
{
	static char out[2048];

	out[0] = '\0';
	assert_string_equal(labels.labels[0].key, CNI_NETWORK_LABEL);
	assert_string_equal(labels.labels[0].value, "net");
	for (size_t i = 1; i < labels.n; i++)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s=%s", i > 1 ? " " : "",
			 labels.labels[i].key, labels.labels[i].value);
	return out;
}

static void none(void **state)
{
	assert_int_equal(take(NULL, "{" HEAD "," PREV "}"), 0);
	assert_string_equal(all(), "");
	assert_null(labels.name);
}

static void of_kubernetes(void **state)
{
	assert_int_equal(take("IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;"
			      "K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=7-8",
			      "{" HEAD "," PREV "}"),
			 0);
	assert_string_equal(all(), "io.kubernetes.pod.namespace=shop "
				   "io.kubernetes.pod.name=web-0 io.kubernetes.pod.uid=7-8");
	assert_string_equal(labels.name, "web-0");
}

static void of_nomad_and_others(void **state)
{
	assert_int_equal(
		take("NOMAD_JOB_ID=j;NOMAD_GROUP_NAME=g;NOMAD_ALLOC_ID=a;NOMAD_NAMESPACE=n;"
		     "IP=10.0.0.9;MAC=1;GATEWAY=2;app=web=1;K8S_POD_NAMESPACE=",
		     "{" HEAD "," PREV "}"),
		0);
	assert_string_equal(all(), "com.hashicorp.nomad.job_id=j "
				   "com.hashicorp.nomad.task_group_name=g "
				   "com.hashicorp.nomad.alloc_id=a com.hashicorp.nomad.namespace=n "
				   "app=web=1");
}

static void of_args(void **state)
{
	assert_int_equal(
		take("app=api",
		     WITH("\"args\":{\"cni\":{\"labels\":[{\"key\":\"app\",\"value\":\"web\"},"
			  "{\"key\":\"tier\",\"value\":\"\"},{\"key\":\"tier\",\"value\":\"\"},"
			  "{\"key\":\"cni.network\",\"value\":\"other\"}]}}")),
		0);
	assert_string_equal(all(), "app=api tier=");
}

#define ANNOTATIONS(list) "\"runtimeConfig\":{\"io.kubernetes.cri.pod-annotations\":{" list "}}"

static void of_annotations(void **state)
{
	assert_int_equal(
		take("K8S_POD_NAMESPACE=shop;app=api",
		     WITH("\"annotationLabels\":[\"app\",\"ex.com/"
			  "*\",\"io.kubernetes.*\"]," ANNOTATIONS(
				  "\"app\":\"web\",\"ex.com/team\":\"x\",\"note\":\"a\\nb\","
				  "\"io.kubernetes.pod.namespace\":\"kube-system\","
				  "\"com.docker.compose.project\":\"p\""))),
		0);
	assert_string_equal(all(), "io.kubernetes.pod.namespace=shop app=api ex.com/team=x "
				   "annotation.note=a\nb "
				   "annotation.io.kubernetes.pod.namespace=kube-system "
				   "annotation.com.docker.compose.project=p");
}

/* Nobody becomes of another namespace, or another's container, by what a pod says of itself. */
static void none_speaks_for_the_runtime(void **state)
{
	assert_int_equal(take(NULL, WITH("\"annotationLabels\":[\"*\"]," ANNOTATIONS(
					    "\"io.kubernetes.pod.namespace\":\"a\","
					    "\"com.hashicorp.nomad.job_id\":\"b\","
					    "\"cni.network\":\"other\",\"x\":\"y\""))),
			 0);
	assert_string_equal(all(), "annotation.io.kubernetes.pod.namespace=a "
				   "annotation.com.hashicorp.nomad.job_id=b x=y");
}

static const struct {
	const char *args, *text;
	enum cni_code code;
	const char *says;
} bads[] = {
	{ "a", "{" HEAD "," PREV "}", CNI_INVALID_ENVIRONMENT, "KEY=VALUE" },
	{ "a=b;", "{" HEAD "," PREV "}", CNI_INVALID_ENVIRONMENT, "KEY=VALUE" },
	{ "=b", "{" HEAD "," PREV "}", CNI_INVALID_ENVIRONMENT, "KEY=VALUE" },
	{ "a=\xff", "{" HEAD "," PREV "}", CNI_INVALID_ENVIRONMENT, "UTF-8" },
	{ "a=b;a=c", "{" HEAD "," PREV "}", CNI_INVALID_ENVIRONMENT, "said twice" },
	{ "K8S_POD_UID=b;io.kubernetes.pod.uid=c", "{" HEAD "," PREV "}", CNI_INVALID_ENVIRONMENT,
	  "said twice" },
	{ NULL, WITH("\"args\":{\"cni\":{\"labels\":{\"a\":\"b\"}}}"), CNI_INVALID_CONFIG,
	  "a list" },
	{ NULL, WITH("\"args\":{\"cni\":{\"labels\":[\"a=b\"]}}"), CNI_INVALID_CONFIG, "\"key\"" },
	{ NULL, WITH("\"args\":{\"cni\":{\"labels\":[{\"key\":\"a\",\"value\":1}]}}"),
	  CNI_INVALID_CONFIG, "\"value\"" },
	{ NULL, WITH("\"args\":{\"cni\":{\"labels\":[{\"key\":\"a=b\",\"value\":\"c\"}]}}"),
	  CNI_INVALID_CONFIG, "no '='" },
	{ NULL, WITH("\"args\":{\"cni\":{\"labels\":[{\"key\":\"\",\"value\":\"c\"}]}}"),
	  CNI_INVALID_CONFIG, "not empty" },
	{ NULL,
	  WITH("\"args\":{\"cni\":{\"labels\":[{\"key\":\"a\",\"value\":\"c\"},"
	       "{\"key\":\"a\",\"value\":\"d\"}]}}"),
	  CNI_INVALID_CONFIG, "said twice" },
	{ NULL, WITH(ANNOTATIONS("\"a\":7")), CNI_INVALID_CONFIG, "must be a text" },
	{ NULL, WITH(ANNOTATIONS("\"a=b\":\"c\"")), CNI_INVALID_CONFIG, "no '='" },
};

static void refuses(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(bads); i++) {
		int r = take(bads[i].args, bads[i].text);

		if (r == 0 || error.code != bads[i].code || !strstr(error.err.msg, bads[i].says))
			fail_msg("case %zu: %d, code %d: %s", i, r, error.code, error.err.msg);
		assert_null(labels.arena);
		cni_config_done(&config);
	}
}

/* N annotations with values of LEN bytes. */
static char *many(size_t n, size_t len)
{
	struct bh_buf b;
	char *out;

	bh_buf_init(&b, BH_CNI_CONFIG_MAX);
	bh_buf_addstr(&b, "{" HEAD "," PREV
			  ",\"runtimeConfig\":{\"io.kubernetes.cri.pod-annotations\":{");
	for (size_t i = 0; i < n; i++)
		bh_buf_addf(&b, "%s\"k%zu\":\"%0*d\"", i ? "," : "", i, (int)len, 0);
	bh_buf_addstr(&b, "}}}");
	out = bh_buf_steal(&b);
	assert_non_null(out);
	return out;
}

static void has_limits(void **state)
{
	static const struct {
		size_t n, len;
		const char *says;
	} cases[] = {
		{ BH_LABELS_MAX - 1, 10, NULL },
		{ BH_LABELS_MAX, 10, "at most 256 labels" },
		{ 11, 4096, NULL },
		{ 12, 4096, "48 KiB" },
		{ 200, 4097, NULL }, /* no policy can name one of these */
		{ 1, 1000000, NULL },
		{ 20000, 10, "at most 256 labels" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_autofree char *text = many(cases[i].n, cases[i].len);
		int r = take(NULL, text);

		if (!cases[i].says != (r == 0) || (r < 0 && !strstr(error.err.msg, cases[i].says)))
			fail_msg("case %zu: %d: %s", i, r, error.err.msg);
		if (r == 0)
			assert_int_equal(labels.n, 1 + (cases[i].len > 4096 ? 0 : cases[i].n));
		done(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(none, done),
		cmocka_unit_test_teardown(of_kubernetes, done),
		cmocka_unit_test_teardown(of_nomad_and_others, done),
		cmocka_unit_test_teardown(of_args, done),
		cmocka_unit_test_teardown(of_annotations, done),
		cmocka_unit_test_teardown(none_speaks_for_the_runtime, done),
		cmocka_unit_test(refuses),
		cmocka_unit_test(has_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
