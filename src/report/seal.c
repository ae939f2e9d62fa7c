/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/report/report.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/eddsa.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "writers.h"

/*
 * A report and its seal. What is signed is the digest, as 64 hex digits, so that anybody can look at it
 * with sha256sum(1) and openssl(1): docs/report.md.
 */

#define CANONICAL (JSON_COMPACT | JSON_SORT_KEYS)
#define HEX_BYTES (DIGEST_HEX - 1)

/* The last line of a page. Its words never occur in what others wrote: that has no "<". */
#define SEAL_LINE "<!-- bulkhead.report/1 sha256:"

static const char *const formats[] = { "html", "json", "markdown" };

const char *report_format_name(enum report_format f)
{
	return formats[f];
}

int report_format_parse(const char *s, enum report_format *ret)
{
	for (size_t i = 0; i < REPORT_FORMATS; i++)
		if (strcmp(formats[i], s) == 0) {
			*ret = (enum report_format)i;
			return 0;
		}
	return -EINVAL;
}

/* --- hex -------------------------------------------------------------------------------------- */

static void to_hex(const uint8_t *bytes, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
}

static int of_hex(const char *s, size_t n, uint8_t *out)
{
	static const char digits[] = "0123456789abcdef";

	if (strspn(s, digits) < 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((strchr(digits, s[2 * i]) - digits) << 4 |
				   (strchr(digits, s[2 * i + 1]) - digits));
	return 0;
}

/* --- signing ---------------------------------------------------------------------------------- */

struct seal {
	char digest[DIGEST_HEX];
	char signer[2 * REPORT_KEY_BYTES + 1], signature[2 * REPORT_SIGNATURE + 1];
};

static void sign(const char *digest, const struct report_key *key, struct seal *ret)
{
	uint8_t signature[REPORT_SIGNATURE];

	*ret = (struct seal) { { 0 } };
	memcpy(ret->digest, digest, DIGEST_HEX);
	if (!key)
		return;
	ed25519_sha512_sign(key->public, key->seed, HEX_BYTES, (const uint8_t *)digest, signature);
	to_hex(key->public, REPORT_KEY_BYTES, ret->signer);
	to_hex(signature, REPORT_SIGNATURE, ret->signature);
}

/* What S says against what is there. */
static int judge_seal(const struct seal *s, const char *digest, const struct report_key *key,
		      struct report_checked *ret)
{
	uint8_t public[REPORT_KEY_BYTES], signature[REPORT_SIGNATURE];

	memcpy(ret->digest, digest, DIGEST_HEX);
	ret->intact = strcmp(s->digest, digest) == 0;
	ret->is_signed = s->signature[0];
	if (!ret->is_signed)
		return 0;
	if (of_hex(s->signer, sizeof(public), public) < 0 ||
	    of_hex(s->signature, sizeof(signature), signature) < 0)
		return -EINVAL;
	memcpy(ret->signer, s->signer, sizeof(ret->signer));
	ret->signature_right =
		ed25519_sha512_verify(public, HEX_BYTES, (const uint8_t *)digest, signature);
	ret->is_by_key = key && memcmp(key->public, public, sizeof(public)) == 0;
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int digest_object(const json_t *report, char out[DIGEST_HEX])
{
	bh_autofree char *text = json_dumps(report, CANONICAL);

	if (!text)
		return -ENOMEM;
	digest_bytes(text, strlen(text), out);
	return 0;
}

/* All of a report in JSON: the object and its seal. */
static json_t *sealed(const json_t *report, const struct seal *s)
{
	json_t *o = json_pack("{s:O, s:{s:s, s:s}}", "report", report, "digest", "algorithm",
			      "sha256", "value", s->digest);

	if (o && s->signature[0])
		json_object_set_new(o, "signature",
				    json_pack("{s:s, s:s, s:s}", "algorithm", "ed25519", "key",
					      s->signer, "value", s->signature));
	return o;
}

static void write_json(const json_t *report, const struct seal *s, struct bh_buf *out)
{
	json_t *o = sealed(report, s);
	bh_autofree char *text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;

	json_decref(o);
	if (!text)
		out->error = -ENOMEM;
	else
		bh_buf_addf(out, "%s\n", text);
}

static void write_page(const json_t *report, enum report_format format, const char *digest,
		       const struct report_key *key, struct bh_buf *out)
{
	size_t begin = out->len;
	struct seal s;
	char of_page[DIGEST_HEX];

	if (format == REPORT_HTML)
		html_write(report, digest, out);
	else
		markdown_write(report, digest, out);
	if (bh_buf_error(out))
		return;
	digest_bytes(out->data + begin, out->len - begin, of_page);
	sign(of_page, key, &s);
	bh_buf_addf(out, SEAL_LINE "%s", s.digest);
	if (s.signature[0])
		bh_buf_addf(out, " ed25519:%s:%s", s.signer, s.signature);
	bh_buf_addstr(out, " -->\n");
}

int report_write(const json_t *report, enum report_format format, const struct report_key *key,
		 struct bh_buf *out, struct bh_err *err)
{
	char digest[DIGEST_HEX];
	struct seal s;
	int r = digest_object(report, digest);

	if (r >= 0 && format == REPORT_JSON) {
		sign(digest, key, &s);
		write_json(report, &s, out);
	} else if (r >= 0) {
		write_page(report, format, digest, key, out);
	}
	if (r >= 0)
		r = bh_buf_error(out);
	if (r == -EFBIG)
		return bh_err_set(err, r, "the report is bigger than %u MiB",
				  BH_REPORT_BYTES_MAX >> 20);
	return r < 0 ? bh_err_oom(err) : 0;
}

/* --- checking --------------------------------------------------------------------------------- */

static int take_text(const json_t *o, const char *path, size_t len, char *out)
{
	const char *s = fact_text(o, path);

	if (strlen(s) != len)
		return -EINVAL;
	memcpy(out, s, len + 1);
	return 0;
}

/* Nothing stands beside what is sealed. */
static bool is_all(const json_t *o, const struct seal *s)
{
	json_t *all = sealed(fact(o, "report"), s);
	bool same = json_equal(o, all);

	json_decref(all);
	return same;
}

static int check_json(const json_t *o, const struct report_key *key, struct report_checked *ret)
{
	struct seal s = { { 0 } };
	char digest[DIGEST_HEX];
	int r = digest_object(fact(o, "report"), digest);

	if (r >= 0)
		r = take_text(o, "digest.value", HEX_BYTES, s.digest);
	if (r >= 0 && fact(o, "signature"))
		r = take_text(o, "signature.key", 2 * (size_t)REPORT_KEY_BYTES, s.signer);
	if (r >= 0 && fact(o, "signature"))
		r = take_text(o, "signature.value", 2 * (size_t)REPORT_SIGNATURE, s.signature);
	ret->format = REPORT_JSON;
	if (r >= 0)
		r = judge_seal(&s, digest, key, ret);
	if (r >= 0)
		ret->intact = ret->intact && is_all(o, &s);
	return r;
}

/* The seal's line is the last one, and whole. */
static int check_page(const char *data, size_t len, const struct report_key *key,
		      struct report_checked *ret)
{
	struct seal s = { { 0 } };
	char digest[DIGEST_HEX];
	const char *at, *last;
	int end = 0;

	if (memchr(data, '\0', len) || !len || data[len - 1] != '\n')
		return -EINVAL;
	for (at = data + len - 1; at > data && at[-1] != '\n';)
		at--;
	last = at;
	if (strncmp(last, SEAL_LINE, strlen(SEAL_LINE)) != 0)
		return -EINVAL;
	last += strlen(SEAL_LINE);
	if (sscanf(last, "%64[0-9a-f] ed25519:%64[0-9a-f]:%128[0-9a-f] -->%n", s.digest, s.signer,
		   s.signature, &end) != 3 &&
	    sscanf(last, "%64[0-9a-f] -->%n", s.digest, &end) != 1)
		return -EINVAL;
	if (!end || strcmp(last + end, "\n") != 0 || strlen(s.digest) != HEX_BYTES ||
	    (s.signer[0] && strlen(s.signature) != 2 * (size_t)REPORT_SIGNATURE))
		return -EINVAL;
	digest_bytes(data, (size_t)(at - data), digest);
	ret->format = data[0] == '<' ? REPORT_HTML : REPORT_MARKDOWN;
	return judge_seal(&s, digest, key, ret);
}

static json_t *load(const char *data, size_t len)
{
	json_t *o = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(o) && fact_equals(o, "report.schema", REPORT_SCHEMA))
		return o;
	json_decref(o);
	return NULL;
}

int report_check(const char *data, size_t len, const struct report_key *key,
		 struct report_checked *ret, struct bh_err *err)
{
	json_t *o = len && data[0] == '{' ? load(data, len) : NULL;
	int r;

	*ret = (struct report_checked) { 0 };
	r = o ? check_json(o, key, ret) : check_page(data, len, key, ret);
	json_decref(o);
	if (r == -EINVAL)
		return bh_err_set(err, r, "this is no report with a seal, or its end is missing");
	return r < 0 ? bh_err_oom(err) : 0;
}

int report_read(const char *data, size_t len, json_t **ret, struct bh_err *err)
{
	json_t *o = load(data, len);

	if (!o)
		return bh_err_set(err, -EINVAL, "this is no report in JSON (%s)", REPORT_SCHEMA);
	*ret = json_incref(json_object_get(o, "report"));
	json_decref(o);
	return 0;
}
