/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "genfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "entry.h"

#define SCHEMA      "bulkhead.generation/1"
#define HOST_DIGITS 16

/* --- names ----------------------------------------------------------------------------------- */

bool genfile_is_id(const char *name)
{
	char digest[DIGEST_HEX];

	if (strlen(name) != DIGEST_HEX + HOST_DIGITS || name[DIGEST_HEX - 1] != '-')
		return false;
	memcpy(digest, name, DIGEST_HEX - 1);
	digest[DIGEST_HEX - 1] = '\0';
	return is_digest(digest) && strspn(name + DIGEST_HEX, "0123456789abcdef") == HOST_DIGITS;
}

static void make_id(char out[GENERATION_ID_MAX], const char *digest,
		    const struct policy_source *host)
{
	char sum[DIGEST_HEX] = ZERO_DIGEST;

	if (host)
		digest_bytes(host->data, host->len, sum);
	snprintf(out, GENERATION_ID_MAX, "%s-%.*s", digest, HOST_DIGITS, sum);
}

/* --- writing --------------------------------------------------------------------------------- */

static int put_head(const struct generation_info *info, bool host, struct bh_buf *out)
{
	char when[BH_TIME_STR];
	json_t *o = json_pack("{s:s, s:I, s:s, s:I, s:{s:I, s:s}, s:s, s:I, s:b}", "schema", SCHEMA,
			      "number", (json_int_t)info->number, "when",
			      bh_format_time_usec(when, info->when), "usec", (json_int_t)info->when,
			      "who", "uid", (json_int_t)info->uid, "name", info->name, "digest",
			      info->digest, "files", (json_int_t)info->n_files, "host", host);
	bh_autofree char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return -ENOMEM;
	bh_buf_addstr(out, text);
	return bh_buf_addstr(out, "\n");
}

static void put_file(struct bh_buf *out, const struct policy_source *f)
{
	bh_buf_addf(out, "%zu %zu\n", strlen(f->name), f->len);
	bh_buf_addstr(out, f->name);
	bh_buf_add(out, f->data, f->len);
	bh_buf_addstr(out, "\n");
}

int genfile_write(const struct policy_source *files, size_t n, const struct policy_source *host,
		  struct generation_info *info, struct bh_buf *out)
{
	int r;

	info->n_files = n;
	digest_sources(files, n, info->digest);
	make_id(info->id, info->digest, host);
	r = put_head(info, host != NULL, out);
	for (size_t i = 0; i < n; i++)
		put_file(out, &files[i]);
	if (host)
		put_file(out, host);
	return r < 0 ? r : bh_buf_error(out);
}

/* --- reading --------------------------------------------------------------------------------- */

static int read_head(const char *line, size_t len, struct generation_info *ret, int *ret_host)
{
	json_int_t number, usec, uid, files;
	const char *schema, *when, *name, *digest;
	json_t *o = len > BH_GENERATION_HEAD_MAX
			    ? NULL
			    : json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	bool good = json_unpack(o, "{s:s, s:I, s:s, s:I, s:{s:I, s:s}, s:s, s:I, s:b!}", "schema",
				&schema, "number", &number, "when", &when, "usec", &usec, "who",
				"uid", &uid, "name", &name, "digest", &digest, "files", &files,
				"host", ret_host) == 0;

	if (good)
		good = strcmp(schema, SCHEMA) == 0 && number > 0 && number <= AUDIT_SEQ_MAX &&
		       usec >= 0 && usec <= BH_EXPIRES_MAX * 1000000 && uid >= 0 &&
		       uid <= UINT32_MAX && files >= 0 && files <= BH_POLICY_FILES_MAX &&
		       is_digest(digest);
	if (good) {
		*ret = (struct generation_info) { .number = (uint64_t)number,
						  .when = usec,
						  .uid = (uid_t)uid,
						  .n_files = (size_t)files };
		memcpy(ret->digest, digest, sizeof(ret->digest));
		store_tame(ret->name, sizeof(ret->name), name);
	}
	json_decref(o);
	return good ? 0 : -EBADMSG;
}

int genfile_read_head(const char *line, size_t len, struct generation_info *ret)
{
	int host;

	return read_head(line, len, ret, &host);
}

struct cursor {
	char *at;
	size_t left;
};

/* Decimal digits up to END. */
static bool take_number(struct cursor *c, char end, size_t *ret)
{
	size_t n = 0;
	uint64_t value;

	while (n < c->left && n < 20 && c->at[n] != end)
		n++;
	if (n == c->left || n == 20)
		return false;
	c->at[n] = '\0';
	if (bh_parse_u64(c->at, 0, BH_GENERATION_BYTES_MAX, &value) < 0)
		return false;
	*ret = (size_t)value;
	c->at += n + 1;
	c->left -= n + 1;
	return true;
}

/*
 * The name gets its NUL where its length stood: it moves one to the front, over the newline. Data needs
 * none.
 */
static bool take_file(struct cursor *c, struct policy_source *ret)
{
	size_t name, data;

	if (!take_number(c, ' ', &name) || !take_number(c, '\n', &data) || name == 0 ||
	    name > c->left || data >= c->left - name || memchr(c->at, '\0', name) ||
	    c->at[name + data] != '\n')
		return false;
	memmove(c->at - 1, c->at, name);
	c->at[name - 1] = '\0';
	*ret = (struct policy_source) { c->at - 1, c->at + name, data };
	c->at += name + data + 1;
	c->left -= name + data + 1;
	return true;
}

static bool take_all(struct cursor *c, struct generation *g, bool host)
{
	for (size_t i = 0; i < g->info.n_files; i++, g->n_files++)
		if (!take_file(c, &g->files[i]))
			return false;
	if (host && !take_file(c, &g->host))
		return false;
	return c->left == 0;
}

static int fill(struct generation *g, char *data, size_t len)
{
	char *newline = memchr(data, '\n', len);
	char digest[DIGEST_HEX];
	struct cursor c;
	int host = 0;
	int r = newline ? read_head(data, (size_t)(newline - data), &g->info, &host) : -EBADMSG;

	if (r < 0)
		return r;
	g->info.bytes = len;
	g->files = calloc(g->info.n_files + 1, sizeof(*g->files));
	if (!g->files)
		return -ENOMEM;
	c = (struct cursor) { newline + 1, len - (size_t)(newline + 1 - data) };
	if (!take_all(&c, g, host))
		return -EBADMSG;
	digest_sources(g->files, g->n_files, digest);
	if (strcmp(digest, g->info.digest) != 0)
		return -EBADMSG;
	make_id(g->info.id, digest, host ? &g->host : NULL);
	return 0;
}

int genfile_read(char *data, size_t len, struct generation **ret)
{
	struct generation *g = calloc(1, sizeof(*g));
	int r = g ? fill(g, data, len) : -ENOMEM;

	if (r < 0) {
		generation_free(g);
		return r;
	}
	g->memory = data;
	*ret = g;
	return 0;
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	free(g->files);
	free(g->memory);
	free(g);
}
