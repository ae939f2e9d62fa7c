/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_PRINTER_H
#define CLI_PRINTER_H

#include <bulkhead/base/buf.h>
#include <bulkhead/outputs/format.h>
#include <bulkhead/outputs/pcap.h>

#include "cli.h"

/* Records and signals on stdout as --json, --format and --pcap say, wherever they come from. */
struct printer {
	struct bh_buf line;
	struct bh_buf gathered; /* whole lines, not written yet */
	bool gathers;
	enum output_format format;
	bool colour, silent; /* SILENT: stdout is for packets */
	struct pcap_writer *pcap;
	const char *pcap_file;
};

/* CLI_YES, or the exit code after the reason was printed. The caller calls printer_end() in either case. */
int printer_begin(struct printer *p, const struct cli_options *o);
/*
 * From now on lines wait for each other, up to PRINTER_GATHER bytes, until printer_flush(): one write for
 * many. A terminal gets each at once all the same.
 */
#define PRINTER_GATHER 65536
void printer_gather(struct printer *p);
/* At once, but for that. 0; -EPIPE when it could not be written, after the reason was printed. */
int printer_record(struct printer *p, const struct flow_record *r);
int printer_signal(struct printer *p, const struct flow_signal *s);
/* What waits is written. 0; -EPIPE, as above. */
int printer_flush(struct printer *p);
/* Says on stderr what the file of packets has and has not. CODE, or CLI_FAILED. */
int printer_end(struct printer *p, int code);

#endif
