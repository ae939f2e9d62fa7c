/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_STORE_INFORCE_H
#define BULKHEAD_STORE_INFORCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <bulkhead/base/err.h>
#include <bulkhead/store/generations.h>

/*
 * Which generation is in force, which was before it, and whether it waits to be confirmed: the file
 * in-force in the store's directory, replaced whole, on the disk. So a restart knows what is
 * unconfirmed.
 */

#define BOOT_ID_MAX 64

struct in_force {
	char id[GENERATION_ID_MAX];     /* "": not known, or it could not be kept */
	char before[GENERATION_ID_MAX]; /* the last with other policies than ID's; "": none */
	/* Taken back to BEFORE unless it is confirmed. */
	bool waits;
	uint64_t deadline; /* CLOCK_BOOTTIME, microseconds, in the boot BOOT */
	char boot[BOOT_ID_MAX];
	int64_t since; /* microseconds since the epoch, to be shown */
	uid_t uid;     /* who applied it */
	char name[256];
};

/*
 * DIR NULL: BH_STORE_DIR. 0, also when there is no such file: all of *RET is empty then. -EBADMSG when
 * it is not what in_force_save() writes; a negative errno. *RET is empty on failure.
 */
int in_force_load(const char *dir, struct in_force *ret, struct bh_err *err);
/* 0: it is on the disk. NAME may be hostile. The directory is made (0700) when missing. */
int in_force_save(const char *dir, const struct in_force *f, struct bh_err *err);

/* Of this boot; "" when it cannot be read. */
void in_force_boot(char out[BOOT_ID_MAX]);
/*
 * Microseconds until the deadline, 0 when it is over. After a boot it is over: how long the machine was
 * away is known from its clock alone, which may be wrong.
 */
uint64_t in_force_left(const struct in_force *f);

#endif
