/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_REPORT_REPORT_H
#define BULKHEAD_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/digest.h>

/*
 * The evidence for a scope: one object, "bulkhead.report/1" (docs/report.md). Whoever gathers puts
 * facts into it, report_judge() adds what they show, and every format is written of the same object.
 * Pure: data in, text out; no clock, no files. Source: PCI DSS 4.0.1, whose numbers the requirements
 * have.
 */
#define REPORT_SCHEMA "bulkhead.report/1"

/*
 * Every text in V made harmless to a terminal, in place; what others wrote goes through this before it
 * becomes a part of a report. Keys, too: one that is not plain is left out.
 */
void report_tame(json_t *v);

/*
 * Add "requirements" and "sum" to REPORT: for each requirement its verdict ("met", "finding",
 * "not-assessed"), what was found, what is not known and why, and the evidence. What is not known is
 * never met. 0 or -ENOMEM.
 */
int report_judge(json_t *report, struct bh_err *err);

/*
 * Add "compared" to REPORT: what is another than in EARLIER. -EINVAL when that is no report, or of
 * another scope.
 */
int report_compare(json_t *report, const json_t *earlier, struct bh_err *err);

/* --- the seal -------------------------------------------------------------------------------- */

#define REPORT_KEY_BYTES 32
#define REPORT_SIGNATURE 64

/* An Ed25519 key (RFC 8032). */
struct report_key {
	bool is_private; /* SEED is there */
	uint8_t seed[REPORT_KEY_BYTES], public[REPORT_KEY_BYTES];
};

/*
 * Of PEM text as `openssl genpkey -algorithm ed25519` writes it (RFC 8410), private or public. -EINVAL.
 */
int report_key_parse(const char *pem, size_t len, struct report_key *ret, struct bh_err *err);
/* Nothing of it stays in memory. */
void report_key_forget(struct report_key *k);

enum report_format { REPORT_HTML, REPORT_JSON, REPORT_MARKDOWN };
#define REPORT_FORMATS 3
const char *report_format_name(enum report_format f);            /* "html", "json", "markdown" */
int report_format_parse(const char *s, enum report_format *ret); /* -EINVAL */

/*
 * Write REPORT, judged, and its seal: the SHA-256 of what is sealed, and with KEY (private; may be NULL)
 * a signature of that. In JSON the object "report" in its canonical form is sealed, else all bytes before
 * the line of the seal, in which the digest of the object stands. 0, -ENOMEM, -EFBIG.
 */
int report_write(const json_t *report, enum report_format format, const struct report_key *key,
		 struct bh_buf *out, struct bh_err *err);

struct report_checked {
	enum report_format format;
	char digest[DIGEST_HEX]; /* of what is there */
	bool intact;             /* it is the one of the seal */
	bool is_signed;          /* there is a signature, by SIGNER */
	bool signature_right;    /* and it is that key's, of this digest */
	bool is_by_key;          /* SIGNER is the key that was given */
	char signer[2 * REPORT_KEY_BYTES + 1];
};

/*
 * Look at LEN hostile bytes that shall be a report. KEY (its public half counts) may be NULL: then nobody
 * knows whose the signature is. -EINVAL: it is no report, or has no seal.
 */
int report_check(const char *data, size_t len, const struct report_key *key,
		 struct report_checked *ret, struct bh_err *err);
/* The object in a JSON report, a new reference; -EINVAL. It is hostile until report_tame(). */
int report_read(const char *data, size_t len, json_t **ret, struct bh_err *err);

/* --- pictures -------------------------------------------------------------------------------- */

/*
 * A picture of "map", as docs/report.md has it: a file of its own, with its style. 0 or -ENOMEM, -EFBIG.
 */
int report_map_svg(const json_t *map, struct bh_buf *out, struct bh_err *err);

#endif
