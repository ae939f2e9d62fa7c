/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "printer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

static int take_format(struct printer *p, const struct cli_options *o)
{
	char shown[128];

	p->format = o->json ? OUTPUT_JSON : OUTPUT_TEXT;
	if (!o->format)
		return CLI_YES;
	if (output_format_parse(o->format, &p->format) < 0)
		return cli_fail(CLI_USAGE, "--format takes json, ocsf, ecs or text, not '%s'",
				bh_escape_str(shown, sizeof(shown), o->format));
	if (o->json && p->format != OUTPUT_JSON)
		return cli_fail(CLI_USAGE, "--json and --format %s: choose one", o->format);
	return CLI_YES;
}

static int open_pcap(struct printer *p, const struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;

	p->pcap_file = o->pcap;
	if (!o->pcap)
		return CLI_YES;
	p->silent = strcmp(o->pcap, "-") == 0;
	if (p->silent && isatty(STDOUT_FILENO))
		return cli_fail(CLI_USAGE,
				"--pcap -: stdout is a terminal; name a file, or pipe it "
				"to a program that reads packets");
	if (pcap_writer_open(o->pcap, &p->pcap, &err) < 0)
		return cli_fail(CLI_FAILED, "--pcap: %s", err.msg);
	return CLI_YES;
}

int printer_begin(struct printer *p, const struct cli_options *o)
{
	int code;

	*p = (struct printer) { .colour = cli_colour(stdout) };
	bh_buf_init(&p->line, BH_OUTPUT_LINE_MAX);
	bh_buf_init(&p->gathered, PRINTER_GATHER + BH_OUTPUT_LINE_MAX);
	code = take_format(p, o);
	return code == CLI_YES ? open_pcap(p, o) : code;
}

void printer_gather(struct printer *p)
{
	p->gathers = !isatty(STDOUT_FILENO);
}

int printer_flush(struct printer *p)
{
	if (!p->gathered.len && !bh_buf_error(&p->gathered))
		return 0;
	return cli_flush(&p->gathered) == CLI_YES ? 0 : -EPIPE;
}

/* R: of what was just formatted. */
static int print_line(struct printer *p, int r)
{
	if (r < 0)
		return r;
	bh_buf_add(&p->gathered, p->line.data, p->line.len);
	bh_buf_reset(&p->line);
	return p->gathers && p->gathered.len < PRINTER_GATHER ? 0 : printer_flush(p);
}

static int format_record(struct printer *p, const struct flow_record *r)
{
	return p->format == OUTPUT_TEXT ? flow_record_text(r, &p->line, p->colour)
					: output_format_record(p->format, r, &p->line);
}

static int format_signal(struct printer *p, const struct flow_signal *s)
{
	return p->format == OUTPUT_TEXT ? flow_signal_text(s, &p->line, p->colour)
					: output_format_signal(p->format, s, &p->line);
}

int printer_record(struct printer *p, const struct flow_record *r)
{
	if (p->pcap && pcap_writer_record(p->pcap, r) < 0)
		return -EPIPE; /* printer_end() says why */
	return p->silent ? 0 : print_line(p, format_record(p, r));
}

int printer_signal(struct printer *p, const struct flow_signal *s)
{
	return p->silent ? 0 : print_line(p, format_signal(p, s));
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void say_packets(const struct printer *p)
{
	struct pcap_writer_sums sums;
	char shown[256];

	pcap_writer_sums(p->pcap, &sums);
	bh_escape_str(shown, sizeof(shown), p->silent ? "stdout" : p->pcap_file);
	fprintf(stderr, "bulkhead: %" PRIu64 " packet%s written to %s\n", sums.written,
		plural(sums.written), shown);
	if (sums.no_bytes)
		fprintf(stderr,
			"bulkhead: %" PRIu64 " record%s made from counts, without a packet: not in "
			"it\n",
			sums.no_bytes, plural(sums.no_bytes));
	if (sums.no_packet)
		fprintf(stderr, "bulkhead: %" PRIu64 " frame%s without an IP packet: not in it\n",
			sums.no_packet, plural(sums.no_packet));
}

int printer_end(struct printer *p, int code)
{
	struct bh_err err = BH_ERR_INIT;

	if (printer_flush(p) < 0)
		code = CLI_FAILED;
	bh_buf_done(&p->gathered);
	bh_buf_done(&p->line);
	if (!p->pcap)
		return code;
	say_packets(p);
	if (pcap_writer_close(p->pcap, &err) < 0)
		return cli_fail(CLI_FAILED, "--pcap: %s", err.msg);
	return code;
}
