/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/store/inforce.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/files.h>

#include "entry.h"
#include "genfile.h"

#define NAME      "in-force"
#define SCHEMA    "bulkhead.in-force/1"
#define BYTES_MAX 8192

/* --- time ------------------------------------------------------------------------------------ */

void in_force_boot(char out[BOOT_ID_MAX])
{
	bh_autofree char *text = NULL;
	size_t len;

	out[0] = '\0';
	if (bh_read_file("/proc/sys/kernel/random/boot_id", BOOT_ID_MAX - 1, &text, &len) >= 0)
		snprintf(out, BOOT_ID_MAX, "%.*s", (int)strspn(text, "0123456789abcdef-"), text);
}

uint64_t in_force_left(const struct in_force *f)
{
	char boot[BOOT_ID_MAX];
	struct timespec t;
	uint64_t now;

	in_force_boot(boot);
	if (!boot[0] || strcmp(boot, f->boot) != 0)
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &t);
	now = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	if (f->deadline <= now)
		return 0;
	/* Nobody may wait for longer: that would be a deadline that was not written here. */
	return f->deadline - now > BH_CONFIRM_MAX_S * UINT64_C(1000000) ? 0 : f->deadline - now;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool take_id(const char *id, char out[GENERATION_ID_MAX])
{
	if (id[0] && !genfile_is_id(id))
		return false;
	snprintf(out, GENERATION_ID_MAX, "%s", id);
	return true;
}

static bool take_confirm(json_t *o, struct in_force *f)
{
	const char *boot, *name;
	json_int_t deadline, since, uid;

	if (json_unpack(o, "{s:I, s:s, s:I, s:I, s:s!}", "deadline", &deadline, "boot", &boot,
			"since", &since, "uid", &uid, "name", &name) < 0)
		return false;
	if (deadline < 0 || since < 0 || since > BH_EXPIRES_MAX * 1000000 || uid < 0 ||
	    uid > UINT32_MAX || strlen(boot) >= BOOT_ID_MAX || !f->before[0])
		return false;
	f->waits = true;
	f->deadline = (uint64_t)deadline;
	f->since = since;
	f->uid = (uid_t)uid;
	snprintf(f->boot, sizeof(f->boot), "%s", boot);
	store_tame(f->name, sizeof(f->name), name);
	return true;
}

static bool parse(const char *data, size_t len, struct in_force *f)
{
	json_t *o = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL), *confirm = NULL;
	const char *schema, *id, *before;
	bool good = json_unpack(o, "{s:s, s:s, s:s, s?o!}", "schema", &schema, "generation", &id,
				"before", &before, "confirm", &confirm) == 0;

	good = good && strcmp(schema, SCHEMA) == 0 && take_id(id, f->id) &&
	       take_id(before, f->before) && (!confirm || take_confirm(confirm, f));
	json_decref(o);
	return good;
}

int in_force_load(const char *dir, struct in_force *ret, struct bh_err *err)
{
	bh_autofree char *data = NULL;
	bh_autoclose int fd = -1;
	struct in_force f = { 0 };
	size_t len = 0;
	int r;

	*ret = f;
	r = files_open_dir(dir ? dir : BH_STORE_DIR, 0, &fd, err);
	if (r >= 0)
		r = files_read(fd, NAME, BYTES_MAX, &data, &len);
	if (r == -ENOENT) {
		if (err)
			*err = (struct bh_err)BH_ERR_INIT;
		return 0;
	}
	if (r >= 0 && !parse(data, len, &f))
		r = bh_err_set(err, -EBADMSG, "the file in-force of the store was altered");
	if (r < 0)
		return err && err->msg[0] ? r : bh_err_errno(err, r, "cannot read " NAME);
	*ret = f;
	return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static int put_confirm(json_t *o, const struct in_force *f)
{
	char name[sizeof(f->name)];

	store_tame(name, sizeof(name), f->name);
	return json_object_set_new(o, "confirm",
				   json_pack("{s:I, s:s, s:I, s:I, s:s}", "deadline",
					     (json_int_t)f->deadline, "boot", f->boot, "since",
					     (json_int_t)f->since, "uid", (json_int_t)f->uid,
					     "name", name));
}

int in_force_save(const char *dir, const struct in_force *f, struct bh_err *err)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "schema", SCHEMA, "generation", f->id, "before",
			      f->before);
	bh_autofree char *text = NULL;
	bh_autoclose int fd = -1;
	int r = o && f->waits ? put_confirm(o, f) : 0;

	text = o && r >= 0 ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (!text)
		return bh_err_oom(err);
	r = files_open_dir(dir ? dir : BH_STORE_DIR, 0700, &fd, err);
	if (r < 0)
		return r;
	r = files_write(fd, NAME, text, strlen(text), 0600);
	return r < 0 ? bh_err_errno(err, r, "cannot write what is in force") : 0;
}
