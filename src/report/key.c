/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/report/report.h>

#include <errno.h>
#include <string.h>

#include <nettle/base64.h>
#include <nettle/eddsa.h>

#include <bulkhead/base/cleanup.h>

/*
 * Ed25519 keys as PEM. RFC 8410: the DER of such a key is these bytes, then the key's own 32; nothing in
 * it is optional when openssl(1) writes it.
 */
static const uint8_t private_head[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
					0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
static const uint8_t public_head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
				       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

#define DER_MAX  (sizeof(private_head) + REPORT_KEY_BYTES)
#define DER_ROOM (DER_MAX + 3) /* what the decoder may write for the line ends, too */

struct armour {
	const char *begin, *end;
	const uint8_t *head;
	size_t head_len;
};
static const struct armour armours[] = {
	{ "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", private_head,
	  sizeof(private_head) },
	{ "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----", public_head,
	  sizeof(public_head) },
};

/* What stands between the lines of A; 0 when it is not there. */
static size_t decode(const struct armour *a, const char *pem, uint8_t out[DER_ROOM])
{
	const char *begin = strstr(pem, a->begin), *end = strstr(pem, a->end);
	struct base64_decode_ctx ctx;
	size_t n = DER_ROOM;

	if (!begin || !end || end < begin)
		return 0;
	begin += strlen(a->begin);
	if (end < begin || BASE64_DECODE_LENGTH((size_t)(end - begin)) > DER_ROOM)
		return 0;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, out, (size_t)(end - begin), begin) ||
	    !base64_decode_final(&ctx))
		return 0;
	return n;
}

int report_key_parse(const char *pem, size_t len, struct report_key *ret, struct bh_err *err)
{
	uint8_t der[DER_ROOM];

	if (memchr(pem, '\0', len))
		return bh_err_set(err, -EINVAL, "this is no key");
	for (size_t i = 0; i < BH_ARRAY_SIZE(armours); i++) {
		const struct armour *a = &armours[i];

		if (decode(a, pem, der) != a->head_len + REPORT_KEY_BYTES ||
		    memcmp(der, a->head, a->head_len) != 0)
			continue;
		*ret = (struct report_key) { .is_private = a->head == private_head };
		memcpy(ret->is_private ? ret->seed : ret->public, der + a->head_len,
		       REPORT_KEY_BYTES);
		if (ret->is_private)
			ed25519_sha512_public_key(ret->public, ret->seed);
		explicit_bzero(der, sizeof(der));
		return 0;
	}
	return bh_err_set(err, -EINVAL,
			  "this is no Ed25519 key in PEM (openssl genpkey -algorithm ed25519)");
}

void report_key_forget(struct report_key *k)
{
	explicit_bzero(k, sizeof(*k));
}
