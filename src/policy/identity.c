/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/policy/policy.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

bool policy_identity_equal(const struct policy_identity *a, const struct policy_identity *b)
{
	return strcmp(a->policies, b->policies) == 0 && strcmp(a->host, b->host) == 0 &&
	       strcmp(a->unread, b->unread) == 0;
}

/* A file that was left out, being too big, is reported and no error. */
static int identify_policies(const char *const *paths, size_t n, char digest[DIGEST_HEX],
			     struct bh_err *why)
{
	const struct policy_source *sources;
	struct policy_files *files;
	struct diag_list diags;
	size_t n_sources;
	int r;

	diag_list_init(&diags);
	r = policy_read(paths, n, &files, &diags, why);
	if (r >= 0) {
		sources = policy_files_sources(files, &n_sources);
		digest_sources(sources, n_sources, digest);
		policy_files_free(files);
	}
	if (r >= 0 && diags.errors)
		r = bh_err_set(why, -EFBIG, "%zu policy files are too big, the others are %s",
			       diags.errors, digest);
	diag_list_done(&diags);
	return r;
}

static int identify_host(const char *config, char digest[DIGEST_HEX], struct bh_err *why)
{
	const char *path = config ? config : HOST_CONFIG_FILE;
	char shown[BH_ERR_MAX / 2];
	bh_autofree char *data = NULL;
	size_t len = 0;
	int r = bh_read_file(path, BH_POLICY_FILE_BYTES_MAX, &data, &len);

	if (r == -ENOENT && !config)
		return 0;
	if (r < 0)
		return bh_err_errno(why, r, "cannot read %s",
				    bh_escape_str(shown, sizeof(shown), path));
	digest_bytes(data, len, digest);
	return 0;
}

int policy_identify(const char *const *paths, size_t n, const char *config,
		    struct policy_identity *ret, struct bh_err *err)
{
	struct policy_identity id = { 0 };
	struct bh_err why = BH_ERR_INIT;
	int r = identify_policies(paths, n, id.policies, &why);

	if (r >= 0)
		r = identify_host(config, id.host, &why);
	if (r == -ENOMEM)
		return bh_err_oom(err);
	if (r < 0) {
		id = (struct policy_identity) { 0 };
		snprintf(id.unread, sizeof(id.unread), "%s", why.msg);
	}
	*ret = id;
	return 0;
}
