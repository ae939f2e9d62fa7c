/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_STORE_GENERATIONS_H
#define BULKHEAD_STORE_GENERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/policy.h>

/*
 * Every policy set that was in force, kept whole: one file a generation in DIR (NULL: generations/ in
 * BH_STORE_DIR), named by the set's digest and the beginning of the host file's. One process writes.
 * The files are hostile input: what was altered is not loaded.
 */

#define GENERATION_ID_MAX 96 /* DIGEST-XXXXXXXXXXXXXXXX, with the NUL */

/* What a generation is, without its files. Strings are escaped. */
struct generation_info {
	char id[GENERATION_ID_MAX];
	char digest[DIGEST_HEX]; /* of the policy set: what status and the kernel's tables show */
	uint64_t number;         /* the order in which they were kept, whatever the clock did */
	int64_t when;            /* microseconds since the epoch */
	uid_t uid;
	char name[256]; /* of who applied it */
	size_t n_files, bytes;
};

/* One generation, whole. */
struct generation {
	struct generation_info info;
	struct policy_source *files; /* as policy_files_sources() gave them */
	size_t n_files;
	struct policy_source host; /* its name is NULL when there was no host file */
	char *memory;              /* what all of them point into */
};

void generation_free(struct generation *g); /* takes NULL */

/* Who keeps it, and when; and what stays beside it. */
struct generation_keeper {
	int64_t when; /* microseconds since the epoch; 0: now */
	uid_t uid;
	const char *name;  /* may be hostile; NULL is "" */
	unsigned keep;     /* so many, this one included; 0: BH_GENERATIONS_DEFAULT */
	const char *spare; /* the id of one that stays whatever their number; may be NULL */
	bool once;         /* if it is the newest already: leave it as it is */
};

/*
 * Keep FILES (in the order of the set's digest) and the host file (NULL: there is none) as the newest
 * generation; one that is there already becomes the newest. On the disk when this returns 0, and
 * RET_ID (may be NULL) has its id. More than KEEPER wants, or than BH_GENERATIONS_BYTES_MAX together:
 * the oldest go, and NOTICE (may be NULL) hears of each. -EFBIG, -ENOSPC, ...
 */
int generations_keep(const char *dir, const struct policy_source *files, size_t n,
		     const struct policy_source *host, const struct generation_keeper *keeper,
		     void (*notice)(const char *text, void *arg), void *arg,
		     char ret_id[GENERATION_ID_MAX], struct bh_err *err);

/*
 * All of them, the oldest first; the caller frees *ret. A file that is no generation is left out, and
 * NOTICE (may be NULL) hears of it. Only their first lines are read: generations_load() tells whether
 * they are whole. No directory: none.
 */
int generations_list(const char *dir, struct generation_info **ret, size_t *ret_n,
		     void (*notice)(const char *text, void *arg), void *arg, struct bh_err *err);

#define GENERATION_PREFIX_MIN 8
/*
 * The one whose id begins with NAME (at least 8 characters); of several with the same digest (they
 * differ in the host file) the newest. -EINVAL no such name, -ENOENT none, -ENOTUNIQ several.
 */
int generations_find(const char *dir, const char *name, struct generation_info *ret,
		     struct bh_err *err);

/* By its id. -EBADMSG when its bytes are not those of its id. The caller frees *ret. */
int generations_load(const char *dir, const char *id, struct generation **ret, struct bh_err *err);

/*
 * Unified diff of all files, the host file last, appended to OUT; "" when they are the same. OLD may be
 * NULL: nothing was there. Lines of the files are as they are: hostile. -EFBIG when OUT is too small.
 */
int generation_diff(const struct generation *old, const struct generation *new, struct bh_buf *out);
int generation_diff_sources(const struct policy_source *old, size_t n_old,
			    const struct policy_source *new, size_t n_new, struct bh_buf *out);

/* --- going back ------------------------------------------------------------------------------- */

struct restore_options {
	const char *store_dir;  /* as above */
	const char *policy_dir; /* what is replaced, named as when G was kept */
	/*
	 * Are these policies valid? Called on what would be written, before anything is. 0 or a negative
	 * errno with ERR; a caller of the room policy hands them to policy_parse().
	 */
	int (*validate)(const struct policy_source *files, size_t n, void *arg, struct bh_err *err);
	void (*notice)(const char *text, void *arg); /* may be NULL */
	void *arg;                                   /* of both */
	const struct policy_source *host; /* as it is now: kept with what was there. May be NULL */
	struct generation_keeper keeper;  /* of what was there */
};

struct restored {
	size_t written, removed, unchanged; /* files */
	char before[DIGEST_HEX];            /* of what was there; "" when nothing was */
	char before_id[GENERATION_ID_MAX];  /* under which it was kept */
};

/*
 * Make the policy files of the directory those of G: written beside, then renamed; policy files that G
 * does not have are removed. Everything else in the directory, and the host file, stays as it is. What
 * was there is kept as a generation first. When anything fails, what was there is put back: -EINVAL
 * when G has files that are not of this directory, whatever VALIDATE returned, or a negative errno.
 * Between the first rename and the last a reader sees a mixture: whoever watches the directory reads
 * it when this has returned.
 */
int generation_restore(const struct generation *g, const struct restore_options *o,
		       struct restored *ret, struct bh_err *err);

#endif
