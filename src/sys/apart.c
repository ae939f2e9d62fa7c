/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/workers.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>

#define CHUNK 65536

/* Ends without flushing what the parent had in its buffers. */
static void run_child(int (*fn)(int fd, void *arg), int fd, void *arg, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	_exit(fn(fd, arg) < 0 ? 1 : 0);
}

static int read_all(int fd, struct bh_buf *b)
{
	for (;;) {
		char *room = bh_buf_room(b, CHUNK);
		ssize_t n;

		if (!room)
			return bh_buf_error(b);
		n = read(fd, room, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		bh_buf_took(b, (size_t)n);
	}
}

static int reap(pid_t pid, struct bh_err *err)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return bh_err_errno(err, -errno, "its process");
	if (WIFSIGNALED(status))
		return bh_err_set(err, -EIO, "the process that read it died of signal %d",
				  WTERMSIG(status));
	return WEXITSTATUS(status) ? bh_err_set(err, -EIO, "the process that read it failed") : 0;
}

int workers_apart(int (*fn)(int fd, void *arg), void *arg, size_t max, char **ret, size_t *ret_len,
		  struct bh_err *err)
{
	pid_t parent = getpid(), pid;
	struct bh_buf b;
	int ends[2], r, ended;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return bh_err_errno(err, -errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		run_child(fn, ends[1], arg, parent);
	}
	r = pid < 0 ? -errno : 0;
	close(ends[1]);
	bh_buf_init(&b, max + CHUNK);
	if (r >= 0)
		r = read_all(ends[0], &b);
	close(ends[0]); /* who writes on dies of it */
	ended = pid < 0 ? 0 : reap(pid, err);
	if (r >= 0 && b.len > max)
		r = -EFBIG;
	if (r < 0)
		bh_err_errno(err, r, "its answer");
	else
		r = ended;
	if (r >= 0) {
		*ret_len = b.len;
		*ret = b.len ? bh_buf_steal(&b) : calloc(1, 1);
		r = *ret ? 0 : bh_err_oom(err);
	}
	bh_buf_done(&b);
	return r;
}
