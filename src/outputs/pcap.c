/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/outputs/pcap.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include <bulkhead/base/text.h>

#define SHOWN_MAX 256

struct pcap_writer {
	pcap_t *format;
	pcap_dumper_t *dumper;
	struct pcap_writer_sums sums;
	int error;
};

static void writer_free(struct pcap_writer *w)
{
	if (w->dumper)
		pcap_dump_close(w->dumper);
	if (w->format)
		pcap_close(w->format);
	free(w);
}

int pcap_writer_open(const char *file, struct pcap_writer **ret, struct bh_err *err)
{
	struct pcap_writer *w = calloc(1, sizeof(*w));
	char shown[SHOWN_MAX];
	int r = -ENOMEM;

	if (!w)
		return bh_err_oom(err);
	w->format = pcap_open_dead(DLT_RAW, BH_NFLOG_COPY_RANGE);
	if (w->format) {
		errno = 0;
		w->dumper = pcap_dump_open(w->format, file);
		r = w->dumper ? 0 : errno ? -errno : -EIO;
	}
	if (r >= 0 && pcap_dump_flush(w->dumper) < 0)
		r = errno ? -errno : -EIO;
	if (r < 0) {
		writer_free(w);
		return bh_err_errno(err, r, "cannot write %s",
				    bh_escape_str(shown, sizeof(shown), file));
	}
	*ret = w;
	return 0;
}

/* False, and counted: there is nothing of it that could be written. */
static bool has_packet(struct pcap_writer *w, const struct record_packet *p)
{
	if (!p->len)
		w->sums.no_bytes++;
	else if (p->ip_at >= p->len)
		w->sums.no_packet++;
	return p->len && p->ip_at < p->len;
}

int pcap_writer_record(struct pcap_writer *w, const struct flow_record *r)
{
	const struct record_packet *p = &r->packet;
	const struct pcap_pkthdr head = {
		.ts = { r->first_seen / 1000000, r->first_seen % 1000000 },
		.caplen = p->len - p->ip_at,
		.len = p->length - p->ip_at,
	};

	if (w->error < 0 || !has_packet(w, p))
		return w->error;
	errno = 0;
	pcap_dump((u_char *)w->dumper, &head, p->bytes + p->ip_at);
	if (pcap_dump_flush(w->dumper) < 0)
		w->error = errno ? -errno : -EIO;
	else
		w->sums.written++;
	return w->error;
}

void pcap_writer_sums(const struct pcap_writer *w, struct pcap_writer_sums *ret)
{
	*ret = w->sums;
}

int pcap_writer_close(struct pcap_writer *w, struct bh_err *err)
{
	int r = w ? w->error : 0;

	if (!w)
		return 0;
	writer_free(w);
	return r < 0 ? bh_err_errno(err, r, "writing packets") : 0;
}
