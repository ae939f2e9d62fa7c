/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_LOGGER_FAULTS_H
#define TESTS_UNIT_LOGGER_FAULTS_H

/*
 * One call of a kind fails, once, while faults.armed: memory, and what of the C library ends in a system
 * call. These stand before the C library's for all that is in the process, libraries too. Time is a
 * number that the test turns on. To be included by one file of a program, first of all.
 */

#undef _FORTIFY_SOURCE /* its inline functions would stand where ours are */

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum fault {
	FAULT_MEMORY,
	FAULT_OPEN,
	FAULT_READ,
	FAULT_PREAD,
	FAULT_WRITE,
	FAULT_WRITE_SHORT,
	FAULT_PWRITE,
	FAULT_SYNC,
	FAULT_TRUNCATE,
	FAULT_FCNTL,
	FAULT_STAT,
	FAULT_UNLINK,
	FAULT_RENAME,
	FAULT_MMAP,
	FAULT_RECVMSG,
	FAULT_RECVFROM,
	FAULT_SENDMSG,
	FAULT_SENDTO,
	FAULT_IOCTL,
	FAULT_SOCKET,
	FAULT_EPOLL_CREATE,
	FAULT_EPOLL_CTL,
	FAULT_EPOLL_WAIT,
	FAULT_TIMERFD_CREATE,
	FAULT_TIMERFD_SETTIME,
	FAULTS
};

static const struct {
	const char *name;
	int error;
} fault_kinds[FAULTS] = {
	[FAULT_MEMORY] = { "memory", ENOMEM },
	[FAULT_OPEN] = { "open", EMFILE },
	[FAULT_READ] = { "read", EIO },
	[FAULT_PREAD] = { "pread", ENOMEM } /* EIO: the disk is bad, and what is on it damaged */,
	[FAULT_WRITE] = { "write", ENOSPC },
	[FAULT_WRITE_SHORT] = { "write, of half", 0 },
	[FAULT_PWRITE] = { "pwrite", ENOSPC },
	[FAULT_SYNC] = { "fsync", EIO },
	[FAULT_TRUNCATE] = { "ftruncate", EIO },
	[FAULT_FCNTL] = { "fcntl", EIO },
	[FAULT_STAT] = { "stat", EIO },
	[FAULT_UNLINK] = { "unlink", EIO },
	[FAULT_RENAME] = { "rename", EIO },
	[FAULT_MMAP] = { "mmap", ENOMEM },
	[FAULT_RECVMSG] = { "recvmsg", ENOMEM },
	[FAULT_RECVFROM] = { "recvfrom", ENOBUFS },
	[FAULT_SENDMSG] = { "sendmsg", ENOBUFS },
	[FAULT_SENDTO] = { "sendto", ENOBUFS },
	[FAULT_IOCTL] = { "ioctl", ENODEV },
	[FAULT_SOCKET] = { "socket", EMFILE },
	[FAULT_EPOLL_CREATE] = { "epoll_create1", EMFILE },
	[FAULT_EPOLL_CTL] = { "epoll_ctl", ENOMEM },
	[FAULT_EPOLL_WAIT] = { "epoll_wait", EINTR },
	[FAULT_TIMERFD_CREATE] = { "timerfd_create", EMFILE },
	[FAULT_TIMERFD_SETTIME] = { "timerfd_settime", ENOMEM },
};

static struct {
	bool armed;
	enum fault kind;
	unsigned fail_at; /* 0: none */
	unsigned calls[FAULTS];
	bool failed;
	long blocks;   /* that are allocated */
	int64_t clock; /* microseconds, monotonic and since the epoch */
	int kernel[2]; /* what comes from there is the kernel's */
} faults;

/* What is called from the same place, by the same way, and when. */
struct fault_place {
	uint64_t way;
	enum fault kind;
	unsigned first, last;
};

#define FAULT_PLACES 4096
#define FAULT_FRAMES 8
static struct fault_place fault_places[FAULT_PLACES];
static size_t fault_n_places;
static bool fault_tracing;

static inline uint64_t fault_way(void)
{
	uint64_t h = 14695981039346656037ull;
	void *frames[FAULT_FRAMES];
	int n = backtrace(frames, FAULT_FRAMES);

	for (int i = 0; i < n; i++)
		h = (h ^ (uintptr_t)frames[i]) * 1099511628211ull;
	return h;
}

static inline void fault_note(enum fault kind, unsigned nth)
{
	uint64_t way;
	size_t i = 0;

	faults.armed = false;
	way = fault_way();
	faults.armed = true;
	while (i < fault_n_places && (fault_places[i].way != way || fault_places[i].kind != kind))
		i++;
	if (i == FAULT_PLACES)
		abort();
	if (i == fault_n_places)
		fault_places[fault_n_places++] = (struct fault_place) { way, kind, nth, 0 };
	else
		fault_places[i].last = nth;
}

/* These run before the sanitizers do. */
#define EARLY __attribute__((no_sanitize("address", "undefined")))

EARLY static bool fault_now(enum fault kind)
{
	if (!faults.armed)
		return false;
	if (fault_tracing)
		fault_note(kind, faults.calls[kind] + 1);
	if (++faults.calls[kind] != faults.fail_at || kind != faults.kind)
		return false;
	faults.failed = true;
	errno = fault_kinds[kind].error;
	return true;
}

/* --- memory ------------------------------------------------------------------------------------ */

#if defined(__SANITIZE_ADDRESS__)
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif
void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t n, size_t size);
void *REAL(realloc)(void *p, size_t size);
void REAL(free)(void *p);

EARLY void *malloc(size_t size)
{
	void *p = fault_now(FAULT_MEMORY) ? NULL : REAL(malloc)(size);

	faults.blocks += p != NULL;
	return p;
}

EARLY void *calloc(size_t n, size_t size)
{
	void *p = fault_now(FAULT_MEMORY) ? NULL : REAL(calloc)(n, size);

	faults.blocks += p != NULL;
	return p;
}

EARLY void *realloc(void *old, size_t size)
{
	void *p;

	if (size && fault_now(FAULT_MEMORY))
		return NULL;
	p = REAL(realloc)(old, size);
	faults.blocks += (p != NULL && !old) - (old && !size && !p);
	return p;
}

EARLY void *reallocarray(void *old, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

EARLY void free(void *p)
{
	faults.blocks -= p != NULL;
	REAL(free)(p);
}

#if defined(__SANITIZE_ADDRESS__) /* its own do not come by malloc() */
char *strndup(const char *s, size_t max)
{
	size_t len = strnlen(s, max);
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *strdup(const char *s)
{
	return strndup(s, strlen(s));
}
#endif

/* --- time -------------------------------------------------------------------------------------- */

EARLY int clock_gettime(clockid_t id, struct timespec *t)
{
	if (!faults.clock ||
	    (id != CLOCK_MONOTONIC && id != CLOCK_REALTIME && id != CLOCK_BOOTTIME))
		return (int)syscall(SYS_clock_gettime, id, t);
	*t = (struct timespec) { faults.clock / 1000000, faults.clock % 1000000 * 1000 };
	return 0;
}

/* SQLite waits for a lock. */
int usleep(useconds_t usec)
{
	faults.clock += usec;
	return 0;
}

unsigned sleep(unsigned seconds)
{
	faults.clock += INT64_C(1000000) * seconds;
	return 0;
}

/* --- system calls ------------------------------------------------------------------------------ */

#define FAIL(kind)                                                                                 \
	do {                                                                                       \
		if (fault_now(kind))                                                               \
			return -1;                                                                 \
	} while (0)

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	FAIL(FAULT_OPEN);
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define OPEN(name, params, dir)                                                                    \
	int name params                                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
		int fd;                                                                            \
                                                                                                   \
		va_start(ap, flags);                                                               \
		fd = open_at(dir, path, flags, mode_of(flags, ap));                                \
		va_end(ap);                                                                        \
		return fd;                                                                         \
	}
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int dir, const char *path, int flags, ...), dir)
OPEN(openat64, (int dir, const char *path, int flags, ...), dir)

ssize_t read(int fd, void *buf, size_t n)
{
	FAIL(FAULT_READ);
	return syscall(SYS_read, fd, buf, n);
}

/* As it is called where the compiler knows how large BUF is. */
ssize_t __read_chk(int fd, void *buf, size_t n, size_t cap);
ssize_t __read_chk(int fd, void *buf, size_t n, size_t cap)
{
	return read(fd, buf, n);
}

ssize_t write(int fd, const void *buf, size_t n)
{
	FAIL(FAULT_WRITE);
	return syscall(SYS_write, fd, buf, fault_now(FAULT_WRITE_SHORT) ? n / 2 : n);
}

ssize_t pread64(int fd, void *buf, size_t n, off_t at)
{
	FAIL(FAULT_PREAD);
	return syscall(SYS_pread64, fd, buf, n, at);
}

ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
	return pread64(fd, buf, n, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off_t at)
{
	FAIL(FAULT_PWRITE);
	return syscall(SYS_pwrite64, fd, buf, n, at);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	return pwrite64(fd, buf, n, at);
}

/* The disk is not what is tried: it takes no time. */
int fsync(int fd)
{
	FAIL(FAULT_SYNC);
	return 0;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

int ftruncate64(int fd, off_t len)
{
	FAIL(FAULT_TRUNCATE);
	return (int)syscall(SYS_ftruncate, fd, len);
}

int ftruncate(int fd, off_t len)
{
	return ftruncate64(fd, len);
}

static int control(int fd, int cmd, va_list ap)
{
	void *arg = va_arg(ap, void *);

	FAIL(FAULT_FCNTL);
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

#define FCNTL(name)                                                                                \
	int name(int fd, int cmd, ...)                                                             \
	{                                                                                          \
		va_list ap;                                                                        \
		int r;                                                                             \
                                                                                                   \
		va_start(ap, cmd);                                                                 \
		r = control(fd, cmd, ap);                                                          \
		va_end(ap);                                                                        \
		return r;                                                                          \
	}
FCNTL(fcntl)
FCNTL(fcntl64)

static int stat_at(int dir, const char *path, void *st, int flags)
{
	FAIL(FAULT_STAT);
	return (int)syscall(SYS_newfstatat, dir, path, st, flags);
}

#define STATS(suffix)                                                                              \
	int stat##suffix(const char *path, struct stat##suffix *st)                                \
	{                                                                                          \
		return stat_at(AT_FDCWD, path, st, 0);                                             \
	}                                                                                          \
	int lstat##suffix(const char *path, struct stat##suffix *st)                               \
	{                                                                                          \
		return stat_at(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);                           \
	}                                                                                          \
	int fstat##suffix(int fd, struct stat##suffix *st)                                         \
	{                                                                                          \
		return stat_at(fd, "", st, AT_EMPTY_PATH);                                         \
	}                                                                                          \
	int fstatat##suffix(int dir, const char *path, struct stat##suffix *st, int flags)         \
	{                                                                                          \
		return stat_at(dir, path, st, flags);                                              \
	}
STATS()
STATS(64)

int unlinkat(int dir, const char *path, int flags)
{
	FAIL(FAULT_UNLINK);
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	FAIL(FAULT_RENAME);
	return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

void *mmap64(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	if (fault_now(FAULT_MMAP))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, off);
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	return mmap64(at, len, prot, flags, fd, off);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	FAIL(FAULT_RECVMSG);
	return syscall(SYS_recvmsg, fd, m, flags);
}

/* Who is at the other end of a pair of sockets has no address; a netlink socket's kernel is port 0. */
ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from, socklen_t *len)
{
	ssize_t got;

	FAIL(FAULT_RECVFROM);
	got = syscall(SYS_recvfrom, fd, buf, n, flags, NULL, NULL);
	if (got >= 0 && from)
		memset(from, 0, *len);
	return got;
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	return recvfrom(fd, buf, n, flags, NULL, NULL);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	FAIL(FAULT_SENDMSG);
	return syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
	       socklen_t len)
{
	FAIL(FAULT_SENDTO);
	return syscall(SYS_sendto, fd, buf, n, flags, to, len);
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	return sendto(fd, buf, n, flags, NULL, 0);
}

/* A device has a name only in a real namespace. */
int ioctl(int fd, unsigned long request, ...)
{
	FAIL(FAULT_IOCTL);
	errno = ENODEV;
	return -1;
}

int socket(int domain, int type, int proto)
{
	FAIL(FAULT_SOCKET);
	return (int)syscall(SYS_socket, domain, type, proto);
}

int epoll_create1(int flags)
{
	FAIL(FAULT_EPOLL_CREATE);
	return (int)syscall(SYS_epoll_create1, flags);
}

int epoll_ctl(int fd, int op, int which, struct epoll_event *ev)
{
	FAIL(FAULT_EPOLL_CTL);
	return (int)syscall(SYS_epoll_ctl, fd, op, which, ev);
}

int epoll_wait(int fd, struct epoll_event *evs, int n, int timeout)
{
	FAIL(FAULT_EPOLL_WAIT);
	return (int)syscall(SYS_epoll_wait, fd, evs, n, timeout);
}

int timerfd_create(int id, int flags)
{
	FAIL(FAULT_TIMERFD_CREATE);
	return (int)syscall(SYS_timerfd_create, id, flags);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *old)
{
	FAIL(FAULT_TIMERFD_SETTIME);
	return (int)syscall(SYS_timerfd_settime, fd, flags, to, old);
}

#endif
