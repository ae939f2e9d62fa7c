/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* --- what is kept ---------------------------------------------------------------------------- */

/* Upper bounds, inclusive: an apply in one namespace takes some milliseconds. */
static const struct bound {
	uint64_t usec;
	const char *text; /* seconds */
} bounds[] = {
	{ 1000, "0.001" },  { 2500, "0.0025" }, { 5000, "0.005" },  { 10000, "0.01" },
	{ 25000, "0.025" }, { 50000, "0.05" },  { 100000, "0.1" },  { 250000, "0.25" },
	{ 500000, "0.5" },  { 1000000, "1" },   { 2500000, "2.5" }, { 5000000, "5" },
	{ 10000000, "10" }, { 30000000, "30" },
};

struct histogram {
	uint64_t buckets[BH_ARRAY_SIZE(bounds)]; /* each on its own; added up when written */
	uint64_t count, sum_usec;
};

struct denied {
	UT_hash_handle hh;
	uint64_t n[DIRECTIONS];
	char service[]; /* as it came */
};

struct metrics {
	uint64_t endpoints[ENDPOINT_STATES];
	char generation[81]; /* "": none */
	uint64_t namespaces_held;
	bool refused;
	struct histogram apply, reconcile;
	uint64_t repairs, failed_applies;
	struct metrics_logger logger;
	uint64_t reloads[METRICS_RELOADS];
	struct denied *denied;     /* a hash, in the order in which they came */
	uint64_t none[DIRECTIONS]; /* of no service */
	uint64_t other[DIRECTIONS];
};

struct metrics *metrics_new(void)
{
	return calloc(1, sizeof(struct metrics));
}

void metrics_free(struct metrics *m)
{
	struct denied *d, *next;

	if (!m)
		return;
	HASH_ITER (hh, m->denied, d, next) {
		HASH_DEL(m->denied, d);
		free(d);
	}
	free(m);
}

void metrics_set_endpoints(struct metrics *m, enum endpoint_state state, uint64_t n)
{
	m->endpoints[state] = n;
}

void metrics_set_generation(struct metrics *m, const char *generation)
{
	snprintf(m->generation, sizeof(m->generation), "%s", generation ? generation : "");
}

void metrics_set_refused(struct metrics *m, bool refused)
{
	m->refused = refused;
}

void metrics_set_namespaces_held(struct metrics *m, uint64_t n)
{
	m->namespaces_held = n;
}

static void observe(struct histogram *h, uint64_t usec)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(bounds); i++) {
		if (usec > bounds[i].usec)
			continue;
		h->buckets[i]++;
		break;
	}
	h->count++;
	h->sum_usec += usec;
}

void metrics_observe_apply(struct metrics *m, uint64_t usec)
{
	observe(&m->apply, usec);
}

void metrics_observe_reconcile(struct metrics *m, uint64_t usec)
{
	observe(&m->reconcile, usec);
}

void metrics_add_repairs(struct metrics *m, uint64_t n)
{
	m->repairs += n;
}

void metrics_add_failed_applies(struct metrics *m, uint64_t n)
{
	m->failed_applies += n;
}

void metrics_set_logger(struct metrics *m, const struct metrics_logger *l)
{
	m->logger = *l;
}

void metrics_add_reload(struct metrics *m, enum metrics_reload outcome)
{
	m->reloads[outcome]++;
}

/* NULL when there is no room for one more. */
static struct denied *find_denied(struct metrics *m, const char *service)
{
	size_t len = strlen(service);
	struct denied *d;

	HASH_FIND(hh, m->denied, service, len, d);
	if (d || HASH_COUNT(m->denied) >= BH_METRICS_SERVICES_MAX)
		return d;
	d = calloc(1, sizeof(*d) + len + 1);
	if (!d)
		return NULL;
	memcpy(d->service, service, len);
	HASH_ADD_KEYPTR(hh, m->denied, d->service, len, d);
	return d;
}

void metrics_add_denied(struct metrics *m, const char *service, enum direction d, uint64_t n)
{
	struct denied *of;

	if (!service || !*service) {
		m->none[d] += n;
		return;
	}
	of = find_denied(m, service);
	if (of)
		of->n[d] += n;
	else
		m->other[d] += n;
}

/* --- text ------------------------------------------------------------------------------------ */

static void head(struct bh_buf *out, const char *name, const char *type, const char *help)
{
	bh_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct bh_buf *out, const char *name, const char *type, const char *help,
		uint64_t value)
{
	head(out, name, type, help);
	bh_buf_addf(out, "%s %" PRIu64 "\n", name, value);
}

static void write_logger(const struct metrics_logger *l, struct bh_buf *out)
{
	one(out, "bulkhead_logger_up", "gauge", "1: the logger runs; 0: it does not.", l->up);
	one(out, "bulkhead_logger_restarts_total", "counter",
	    "The logger had ended, or hung, and was started again.", l->restarts);
	one(out, "bulkhead_records_total", "counter", "Records of denied flows that were made.",
	    l->records);
	one(out, "bulkhead_records_lost_total", "counter",
	    "Records that could not be written; their packets are counted all the same.",
	    l->records_lost);
	one(out, "bulkhead_log_messages_lost_total", "counter",
	    "Messages of the kernel's log that were lost; their packets are counted all the same.",
	    l->messages_lost);
	one(out, "bulkhead_signals_total", "counter", "Signals: what is worth waking somebody for.",
	    l->signals);
}

/* Made harmless for a person first, then for the format: it has escapes of its own. */
static void add_label(struct bh_buf *out, const char *value)
{
	char shown[256];

	bh_escape_str(shown, sizeof(shown), value);
	for (const char *s = shown; *s; s++) {
		if (*s == '\\' || *s == '"')
			bh_buf_add(out, "\\", 1);
		bh_buf_add(out, s, 1);
	}
}

static void write_endpoints(const struct metrics *m, struct bh_buf *out)
{
	head(out, "bulkhead_endpoints", "gauge", "Endpoints by state, as bulkhead status says it.");
	for (unsigned s = 0; s < ENDPOINT_STATES; s++)
		bh_buf_addf(out, "bulkhead_endpoints{state=\"%s\"} %" PRIu64 "\n",
			    endpoint_state_name((enum endpoint_state)s), m->endpoints[s]);
}

static void write_infos(const struct metrics *m, struct bh_buf *out)
{
	head(out, "bulkhead_build_info", "gauge", "The version of the daemon, always 1.");
	bh_buf_addstr(out, "bulkhead_build_info{version=\"" BULKHEAD_VERSION "\"} 1\n");
	if (!m->generation[0])
		return;
	head(out, "bulkhead_generation_info", "gauge", "The policies in force, always 1.");
	bh_buf_addstr(out, "bulkhead_generation_info{generation=\"");
	add_label(out, m->generation);
	bh_buf_addstr(out, "\"} 1\n");
}

static void write_histogram(struct bh_buf *out, const char *name, const char *help,
			    const struct histogram *h)
{
	uint64_t sum = 0;

	head(out, name, "histogram", help);
	for (size_t i = 0; i < BH_ARRAY_SIZE(bounds); i++) {
		sum += h->buckets[i];
		bh_buf_addf(out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, bounds[i].text, sum);
	}
	bh_buf_addf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, h->count);
	/* No floating point: exact, and the same in every locale. */
	bh_buf_addf(out, "%s_sum %" PRIu64 ".%06" PRIu64 "\n%s_count %" PRIu64 "\n", name,
		    h->sum_usec / 1000000, h->sum_usec % 1000000, name, h->count);
}

static void write_denied_of(struct bh_buf *out, const char *service, const uint64_t *n)
{
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		bh_buf_addstr(out, "bulkhead_denied_packets_total{service=\"");
		add_label(out, service);
		bh_buf_addf(out, "\",direction=\"%s\"} %" PRIu64 "\n",
			    direction_name((enum direction)d), n[d]);
	}
}

/* Both directions of each, also those at zero: rate() needs to have seen a zero first. */
static void write_denied(const struct metrics *m, struct bh_buf *out)
{
	const struct denied *d, *next;

	head(out, "bulkhead_denied_packets_total", "counter",
	     "Packets that were denied, by the service that they were from (egress) or for "
	     "(ingress).");
	HASH_ITER (hh, m->denied, d, next) {
		write_denied_of(out, d->service, d->n);
	}
	write_denied_of(out, "_none", m->none);
	write_denied_of(out, "_other", m->other);
}

static void write_reloads(const struct metrics *m, struct bh_buf *out)
{
	static const char *const words[METRICS_RELOADS] = {
		[METRICS_RELOAD_APPLIED] = "applied",
		[METRICS_RELOAD_REFUSED] = "refused",
		[METRICS_RELOAD_FAILED] = "failed",
	};

	head(out, "bulkhead_reloads_total", "counter", "Policies that were read anew.");
	for (unsigned i = 0; i < METRICS_RELOADS; i++)
		bh_buf_addf(out, "bulkhead_reloads_total{outcome=\"%s\"} %" PRIu64 "\n", words[i],
			    m->reloads[i]);
}

int metrics_write(const struct metrics *m, struct bh_buf *out)
{
	write_infos(m, out);
	write_endpoints(m, out);
	one(out, "bulkhead_policies_refused", "gauge",
	    "1: what stands in the policy files was refused, and older policies are in force.",
	    m->refused);
	one(out, "bulkhead_namespaces_held", "gauge", "Network namespaces the daemon keeps open.",
	    m->namespaces_held);
	write_histogram(out, "bulkhead_apply_seconds",
			"Time to bring the kernel's tables up to date.", &m->apply);
	write_histogram(out, "bulkhead_reconcile_seconds",
			"Time to compare all that is wanted with all that there is.",
			&m->reconcile);
	one(out, "bulkhead_repairs_total", "counter",
	    "Tables that somebody else had changed and that were put back.", m->repairs);
	one(out, "bulkhead_failed_applies_total", "counter",
	    "Namespaces that could not be brought up to date, counted at each attempt.",
	    m->failed_applies);
	write_denied(m, out);
	write_logger(&m->logger, out);
	write_reloads(m, out);
	return bh_buf_error(out);
}
