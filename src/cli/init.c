/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/import/compose.h>
#include <bulkhead/sys/files.h>

#include "cli.h"

/* A policy's name is a name: nothing in it leads elsewhere. */
struct file_name {
	char s[80];
};

static struct file_name file_of(const struct compose_policy *p)
{
	struct file_name name;

	snprintf(name.s, sizeof(name.s), "%s.yaml", p->name);
	return name;
}

/* All that are in the way are named, and then nothing is written. */
static int look_first(const struct compose_import *c, int dir, const char *shown)
{
	int code = CLI_YES;

	for (size_t i = 0; i < c->n; i++) {
		struct stat st;

		if (fstatat(dir, file_of(&c->policies[i]).s, &st, AT_SYMLINK_NOFOLLOW) == 0)
			code = cli_fail(CLI_NO, "init: %s/%s is there already", shown,
					file_of(&c->policies[i]).s);
	}
	if (code != CLI_YES)
		cli_fail(code,
			 "init: nothing was written; take another --output DIR, or move these");
	return code;
}

static int write_one(const struct compose_policy *p, int dir)
{
	/* O_EXCL: what has come since we looked is not overwritten either. */
	bh_autoclose int fd = openat(dir, file_of(p).s,
				     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : files_append(fd, p->text, p->len);

	if (fd >= 0 && r < 0)
		unlinkat(dir, file_of(p).s, 0);
	return r;
}

static int write_all(const struct compose_import *c, int dir, const char *shown)
{
	int r = 0;
	size_t n = 0;

	while (n < c->n && (r = write_one(&c->policies[n], dir)) >= 0)
		n++;
	if (r >= 0) {
		for (size_t i = 0; i < c->n; i++)
			printf("%s/%s\n", shown, file_of(&c->policies[i]).s);
		return CLI_YES;
	}
	cli_fail(CLI_FAILED, "init: cannot write %s/%s: %s", shown, file_of(&c->policies[n]).s,
		 strerrordesc_np(-r));
	while (n--) /* ours, all of them */
		unlinkat(dir, file_of(&c->policies[n]).s, 0);
	return CLI_FAILED;
}

static int write_files(const struct compose_import *c, const char *path)
{
	char shown[256];
	bh_autoclose int dir = -1;
	int code;

	bh_escape_str(shown, sizeof(shown), path);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return cli_fail(CLI_FAILED, "init: cannot make %s: %s", shown,
				strerrordesc_np(errno));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return cli_fail(CLI_FAILED, "init: cannot open %s: %s", shown,
				strerrordesc_np(errno));
	code = look_first(c, dir, shown);
	return code == CLI_YES ? write_all(c, dir, shown) : code;
}

static int print_all(const struct compose_import *c)
{
	for (size_t i = 0; i < c->n; i++)
		printf("%s%s", i ? "---\n" : "", c->policies[i].text);
	return CLI_YES;
}

/* The last part of the directory that PATH is in, "" for the root. */
static char *directory_of(const char *path)
{
	bh_autofree char *real = realpath(path, NULL);
	char *slash = real ? strrchr(real, '/') : NULL;

	if (!slash)
		return strdup("");
	*slash = '\0';
	slash = strrchr(real, '/');
	return strdup(slash ? slash + 1 : "");
}

static int import(const struct cli_options *o, const struct policy_source *src,
		  struct diag_list *diags)
{
	bh_autofree char *directory = directory_of(src->name);
	struct bh_err err = BH_ERR_INIT;
	struct compose_import *c;
	int r = -ENOMEM, code;

	if (directory)
		r = compose_import(src, o->project, directory, &c, diags, &err);
	if (r < 0)
		return r == -EINVAL ? CLI_USAGE : cli_fail(CLI_FAILED, "init: out of memory");
	code = o->output ? write_files(c, o->output) : print_all(c);
	compose_import_free(c);
	return code;
}

int cmd_init(struct cli_options *o)
{
	struct policy_source src = { .name = o->word };
	bh_autofree char *data = NULL;
	struct diag_list diags;
	char shown[256];
	int r, code;

	if (!o->word)
		return cli_fail(CLI_USAGE, "init: name the Compose file, as in bulkhead init "
					   "compose.yaml");
	bh_escape_str(shown, sizeof(shown), o->word);
	r = bh_read_file(o->word, BH_COMPOSE_BYTES_MAX, &data, &src.len);
	if (r < 0)
		return cli_fail(CLI_USAGE, "init: cannot read %s: %s", shown,
				r == -EINVAL ? "it is no regular file" : strerrordesc_np(-r));
	src.data = data;
	diag_list_init(&diags);
	code = import(o, &src, &diags);
	diag_list_sort(&diags);
	diag_list_print(&diags, stderr, cli_colour(stderr));
	diag_list_done(&diags);
	return code;
}
