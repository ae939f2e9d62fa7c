/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The history of flows: how much a record costs, and how long questions take. Makes a history of
 * RECORDS records in DIR, over a week, and asks it.  usage: history DIR RECORDS FLOWS
 *
 * FLOWS distinct flows of 200 services; as many as there are records: each is of its own.
 * Lines of "WHAT MICROSECONDS COUNT".
 */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/store/flows.h>

#define SERVICES 200
#define WEEK     (INT64_C(7 * 86400) * 1000000)
#define T0       (INT64_C(1800000000) * 1000000)

static int64_t clock_usec(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "history: %s\n", what);
	exit(1);
}

static void notice(const char *text, void *arg)
{
	fprintf(stderr, "history: %s\n", text);
}

/* --- filling ---------------------------------------------------------------------------------- */

static uint32_t mix(uint64_t n)
{
	n *= UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(n >> 32);
}

/* The NUMBERth flow: services of unequal size, peers by name and by address. */
static void make_flow(struct flow_record *r, uint64_t number)
{
	unsigned service = mix(number) % SERVICES, peer = mix(number + 7) % SERVICES;
	unsigned port = 1024 + (unsigned)(number / SERVICES) % 60000;

	memset(r, 0, sizeof(*r));
	r->proto = 6;
	r->source.addr = (struct bh_addr) { AF_INET, { 10, 1, 0, (uint8_t)service } };
	r->destination.addr =
		(struct bh_addr) { AF_INET, { 10, 2, (uint8_t)(number >> 8), (uint8_t)number } };
	r->destination.has_port = r->source.has_port = true;
	r->destination.port = (uint16_t)port;
	snprintf(r->service, sizeof(r->service), "service-%03u", service);
	snprintf(r->endpoint_id, sizeof(r->endpoint_id), "%064x", service);
	snprintf(r->endpoint_name, sizeof(r->endpoint_name), "shop-service-%03u-1", service);
	memcpy(r->source.service, r->service, sizeof(r->service));
	memcpy(r->source.endpoint, r->endpoint_id, sizeof(r->endpoint_id));
	if (number % 4)
		snprintf(r->destination.service, sizeof(r->destination.service), "service-%03u",
			 peer);
	snprintf(r->owner, sizeof(r->owner), "team-%u", service % 20);
	snprintf(r->runtime, sizeof(r->runtime), "docker");
	snprintf(r->image, sizeof(r->image), "registry.example/shop/service-%03u:1.0", service);
	snprintf(r->interface, sizeof(r->interface), "eth0");
	snprintf(r->rule_name, sizeof(r->rule_name), "default-deny");
	snprintf(r->rule_file, sizeof(r->rule_file), "policies/service-%03u.yaml", service);
	r->rule_line = 14;
	snprintf(r->reason, sizeof(r->reason),
		 "service-%03u may reach service-%03u on 5432/tcp, not %u/tcp: "
		 "policies/service-%03u.yaml:16",
		 service, peer, port, service);
	snprintf(r->near_miss, sizeof(r->near_miss), "service-%03u.out.%u allows 5432/tcp", service,
		 peer);
	snprintf(r->host, sizeof(r->host), "node-1");
	snprintf(r->generation, sizeof(r->generation), "3f0c9a12b4d5e6f7");
	r->has_uid = r->has_gid = true;
	r->uid = r->gid = 1000 + service % 5;
	snprintf(r->process.comm, sizeof(r->process.comm), "worker");
	snprintf(r->process.exe, sizeof(r->process.exe), "/usr/bin/worker");
}

static void make_record(struct flow_record *r, uint64_t i, uint64_t n)
{
	r->first_seen = r->last_seen = T0 + (int64_t)((double)WEEK / (double)n * (double)i);
	r->packets = 1 + i % 3;
	r->bytes = 60 * r->packets;
	r->source.port = (uint16_t)(32768 + i % 28000);
	r->process.pid = (uint32_t)(1000 + i % 50000);
	if (i % 2) { /* half of them are later packets, from counts */
		r->last_seen += 1000000;
		r->packet.len = 0;
		return;
	}
	r->packet.len = r->packet.length = 60;
	memset(r->packet.bytes, (int)(i & 0xff), 60);
}

/* Records are made beforehand, a batch at a time: what they cost here is not counted. */
static void fill(int dir, uint64_t n, uint64_t flows)
{
	const struct flows_options o = { .days = 3650, .megabytes = 4096, .notice = notice };
	struct flow_record *batch = calloc(BH_FLOWS_BATCH, sizeof(*batch));
	int64_t cpu = 0, wall = 0, longest = 0, now = T0 + WEEK;
	struct flows *f;

	if (!batch || flows_open(dir, &o, now, &f, NULL) < 0)
		die("cannot begin");
	for (uint64_t i = 0; i < n;) {
		size_t some = n - i < BH_FLOWS_BATCH ? (size_t)(n - i) : BH_FLOWS_BATCH;
		int64_t c, w;

		for (size_t k = 0; k < some; k++, i++) {
			make_flow(&batch[k], flows < n ? mix(i * 31) % flows : i);
			make_record(&batch[k], i, n);
		}
		c = clock_usec(CLOCK_PROCESS_CPUTIME_ID);
		w = clock_usec(CLOCK_MONOTONIC);
		for (size_t k = 0; k < some; k++)
			flows_add(f, &batch[k]);
		if (flows_commit(f, now) < 0)
			die("cannot write");
		flows_tend(f, now);
		cpu += clock_usec(CLOCK_PROCESS_CPUTIME_ID) - c;
		w = clock_usec(CLOCK_MONOTONIC) - w;
		wall += w;
		longest = w > longest ? w : longest;
	}
	flows_close(f, now);
	free(batch);
	printf("write-cpu %" PRId64 " %" PRIu64 "\nwrite-wall %" PRId64 " %" PRIu64
	       "\nlongest-batch %" PRId64 " 1\n",
	       cpu, n, wall, n, longest);
}

/* --- asking ----------------------------------------------------------------------------------- */

static uint64_t count;

static int on_record(const struct flow_record *r, void *arg)
{
	count++;
	return 0;
}

static int on_group(const struct flows_group *g, void *arg)
{
	count++;
	return 0;
}

struct question {
	const char *name;
	struct flows_filter filter;
	enum flows_field by[BH_FLOWS_BY_MAX];
	size_t n_by;
	struct flows_order order;
	bool timeline;
};

static void ask(int dir, const struct question *q)
{
	struct bh_err err = BH_ERR_INIT;
	uint64_t packets[60] = { 0 };
	struct flows_timeline t = { .n = 60, .packets = packets };
	struct flows_totals totals;
	struct flows_reader *r;
	int64_t begin = clock_usec(CLOCK_MONOTONIC), cpu = clock_usec(CLOCK_PROCESS_CPUTIME_ID);
	int e = flows_reader_open(dir, &r, &err);

	count = 0;
	if (e >= 0 && q->n_by)
		e = flows_group(r, &q->filter, q->by, q->n_by, &q->order, on_group, NULL,
				q->timeline ? &t : NULL, &totals, &err);
	else if (e >= 0)
		e = flows_query(r, &q->filter, &q->order, on_record, NULL, NULL, NULL, &err);
	if (e < 0)
		die(err.msg);
	flows_reader_close(r);
	printf("%s %" PRId64 " %" PRIu64 " cpu %" PRId64 "\n", q->name,
	       clock_usec(CLOCK_MONOTONIC) - begin, count,
	       clock_usec(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

static void ask_all(int dir)
{
	static const char *const service[] = { "service-042" };
	static const struct flows_peer peer[] = { { .word = "service-007" } };
	const struct question questions[] = {
		{ "service-and-time",
		  { .services = service,
		    .n_services = 1,
		    .since = T0 + WEEK / 7 * 5,
		    .until = T0 + WEEK / 7 * 6 } },
		{ "service-newest",
		  { .services = service, .n_services = 1 },
		  .order = { .limit = 100, .reverse = true } },
		{ "peer-most-packets",
		  { .peers = peer, .n_peers = 1 },
		  .order = { .sort = FLOWS_BY_PACKETS, .limit = 100 } },
		{ "group-service-peer-port",
		  { 0 },
		  { FLOWS_SERVICE, FLOWS_PEER, FLOWS_PORT },
		  3,
		  { .sort = FLOWS_BY_PACKETS, .limit = 100 } },
		{ "summary",
		  { 0 },
		  { FLOWS_SERVICE, FLOWS_PEER, FLOWS_PORT },
		  3,
		  { .sort = FLOWS_BY_PACKETS, .limit = 10 },
		  true },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(questions); i++)
		ask(dir, &questions[i]);
}

int main(int argc, char **argv)
{
	struct stat st;
	int dir = argc == 4 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir < 0)
		die("usage: history DIR RECORDS FLOWS");
	if (faccessat(dir, FLOWS_FILE, F_OK, 0) < 0)
		fill(dir, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	ask_all(dir);
	if (fstatat(dir, FLOWS_FILE, &st, 0) == 0)
		printf("size %" PRId64 " %s\n", (int64_t)st.st_size, argv[2]);
	return 0;
}
