/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/ctl/notes.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/files.h>

/* Not in the socket's own directory: a service manager may take that away with the daemon. */
int ctl_notes_path(const char *socket, char out[PATH_MAX], struct bh_err *err)
{
	const char *slash = strrchr(socket, '/');
	int n = slash ? (int)(slash - socket) : 0;

	out[0] = '\0';
	if (n < 1 || snprintf(out, PATH_MAX, "%.*s.starts", n, socket) >= PATH_MAX)
		return bh_err_set(err, -EINVAL, "the socket has no directory of its own");
	return 0;
}

static int open_notes(const char *socket, mode_t mode, int *ret_fd, struct bh_err *err)
{
	char path[PATH_MAX];
	int r = ctl_notes_path(socket, path, err);

	return r < 0 ? r : files_open_dir(path, mode, ret_fd, err);
}

int ctl_notes_open(const char *socket, int *ret_fd, struct bh_err *err)
{
	return open_notes(socket, 0, ret_fd, err);
}

int ctl_note_leave(const char *socket, const char *name, const json_t *request, struct bh_err *err)
{
	bh_autofree char *text = json_dumps(request, JSON_COMPACT);
	bh_autoclose int dir = -1;
	int r = text ? 0 : bh_err_oom(err);

	if (text &&
	    strlen(text) >
		    BH_CTL_FRAME_MAX) /* as large as what would be sent; take() reads no more */
		return bh_err_set(err, -EMSGSIZE, "the request has more than %u bytes",
				  BH_CTL_FRAME_MAX);
	if (r >= 0)
		r = open_notes(socket, 0700, &dir, err);
	if (r < 0)
		return r;
	r = files_write(dir, name, text, strlen(text), 0600);
	return r < 0 ? bh_err_errno(err, r, "no word can be left for the daemon") : 0;
}

/* One that cannot be read goes, too: nobody will make it better. */
static void take(int dir, const char *name, void (*fn)(json_t *request, void *arg), void *arg)
{
	bh_autofree char *text = NULL;
	json_t *request = NULL;
	size_t len;

	if (files_read(dir, name, BH_CTL_FRAME_MAX, &text, &len) >= 0)
		request = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(request))
		fn(request, arg);
	json_decref(request);
	unlinkat(dir, name, 0);
}

static bool is_note(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* Those that are left lie there for the next daemon. */
static int take_all(DIR *all, void (*fn)(json_t *request, void *arg), void *arg, struct bh_err *err)
{
	const struct dirent *e;
	size_t n = 0;

	while ((e = readdir(all))) {
		if (!is_note(e))
			continue;
		if (n++ == BH_CTL_NOTES_MAX)
			return bh_err_set(
				err, -E2BIG,
				"more than %d starts were in quarantine while no daemon ran: "
				"the last ones are not known; start those containers again",
				BH_CTL_NOTES_MAX);
		take(dirfd(all), e->d_name, fn, arg);
	}
	return 0;
}

int ctl_notes_take(const char *socket, void (*fn)(json_t *request, void *arg), void *arg,
		   struct bh_err *err)
{
	int fd = -1;
	DIR *all;
	int r = open_notes(socket, 0, &fd, NULL);

	if (r == -ENOENT || r == -EINVAL)
		return 0;
	if (r < 0)
		return open_notes(socket, 0, &fd, err);
	all = fdopendir(fd);
	if (!all) {
		close(fd);
		return bh_err_oom(err);
	}
	r = take_all(all, fn, arg, err);
	closedir(all);
	return r;
}
