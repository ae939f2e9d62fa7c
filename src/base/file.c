/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/text.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>

/* Fill at most CAP bytes; how many were there. */
static ssize_t fill(int fd, char *data, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, data + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* Up to the end of the file, even if it grows or does not know its size, as those of /proc. */
static ssize_t read_all(int fd, size_t guess, size_t max, char **data)
{
	size_t cap = guess < max ? guess + 1 : max + 1, len = 0;

	for (;;) {
		char *larger = realloc(*data, cap + 1);
		ssize_t n;

		if (!larger)
			return -ENOMEM;
		*data = larger;
		n = fill(fd, larger + len, cap - len);
		if (n < 0)
			return n;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
		if (len < cap)
			return (ssize_t)len;
		cap = cap < max / 2 ? cap * 2 : max + 1;
	}
}

static int read_from(int fd, size_t guess, size_t max, char **ret, size_t *ret_len)
{
	bh_autofree char *data = NULL;
	ssize_t n = read_all(fd, guess, max, &data);

	if (n < 0)
		return (int)n;
	data[n] = '\0';
	*ret_len = (size_t)n;
	*ret = BH_STEAL_PTR(data);
	return 0;
}

int bh_read_fd(int fd, size_t max, char **ret, size_t *ret_len)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	return read_from(fd, st.st_size ? (size_t)st.st_size : 4096, max, ret, ret_len);
}

int bh_read_stream(int fd, size_t max, char **ret, size_t *ret_len)
{
	return read_from(fd, 4096, max, ret, ret_len);
}

int bh_read_file(const char *path, size_t max, char **ret, size_t *ret_len)
{
	bh_autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : bh_read_fd(fd, max, ret, ret_len);
}
