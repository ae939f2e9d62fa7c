/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/store/runs.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/replace.h>

#define BYTES_MAX 4096
#define USEC      INT64_C(1000000)

/* --- the mark ---------------------------------------------------------------------------------- */

static int path_of(const char *store, char out[PATH_MAX], struct bh_err *err)
{
	int n = snprintf(out, PATH_MAX, "%s/" RUNS_FILE, store ? store : BH_STORE_DIR);

	return n < PATH_MAX ? 0 : bh_err_set(err, -ENAMETOOLONG, "the path of the store");
}

int run_mark_write(const char *store, const struct run_mark *m, struct bh_err *err)
{
	bh_autofree char *text = NULL;
	char path[PATH_MAX];
	json_t *o;
	int r = path_of(store, path, err);

	if (r < 0)
		return r;
	o = json_pack("{s:s, s:I, s:I, s:I, s:b}", "boot", m->boot, "booted", (json_int_t)m->booted,
		      "since", (json_int_t)m->since, "seen", (json_int_t)m->seen, "ended",
		      m->ended);
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text ? replace_file(path, 0600, text, strlen(text), err) : bh_err_oom(err);
}

static int take(const json_t *o, struct run_mark *ret)
{
	json_int_t booted, since, seen;
	const char *boot;
	int ended;

	if (json_unpack((json_t *)o, "{s:s, s:I, s:I, s:I, s:b}", "boot", &boot, "booted", &booted,
			"since", &since, "seen", &seen, "ended", &ended) < 0 ||
	    boot[strspn(boot, "0123456789abcdef-")] || strlen(boot) >= sizeof(ret->boot) ||
	    seen <= 0)
		return -EBADMSG;
	*ret = (struct run_mark) { .booted = booted, .since = since, .seen = seen, .ended = ended };
	snprintf(ret->boot, sizeof(ret->boot), "%s", boot);
	return 0;
}

int run_mark_read(const char *store, struct run_mark *ret, struct bh_err *err)
{
	bh_autofree char *text = NULL;
	char path[PATH_MAX];
	size_t len;
	json_t *o;
	int r = path_of(store, path, err);

	if (r >= 0 && (r = bh_read_file(path, BYTES_MAX, &text, &len)) < 0)
		bh_err_errno(err, r, "%s", path);
	if (r < 0)
		return r;
	o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	r = take(o, ret);
	json_decref(o);
	return r < 0 ? bh_err_set(err, r, "%s is damaged", path) : 0;
}

/* --- times ------------------------------------------------------------------------------------- */

/* What is behind the seconds may have any number of digits. */
static int64_t fraction(const char *s)
{
	int64_t part = 0, unit = USEC / 10;

	for (s = strchr(s, '.'); s && s[1] >= '0' && s[1] <= '9' && unit; s++, unit /= 10)
		part += (s[1] - '0') * unit;
	return part;
}

int run_time_parse(const char *s, int64_t *ret)
{
	int64_t t;

	if (bh_parse_time(s, &t) < 0)
		return -EINVAL;
	*ret = t * USEC + fraction(s);
	return 0;
}

/* --- sentences --------------------------------------------------------------------------------- */

#define BEGINS "bulkheadd runs, on boot "

static const char *const befores[] = {
	[RUN_NOT_KNOWN] = "of a run before nothing is known",
	[RUN_ENDED] = "the run before was told to end at ",
	[RUN_LOST] = "the run before ended without a word, and was seen last at ",
};

const char *run_start_format(char out[RUN_STR], const struct run_start *s)
{
	char booted[BH_TIME_STR], seen[BH_TIME_STR] = "";

	if (s->before != RUN_NOT_KNOWN)
		bh_format_time(seen, s->seen);
	snprintf(out, RUN_STR, BEGINS "%s of %s: %s%s", s->boot[0] ? s->boot : "-",
		 bh_format_time(booted, s->booted), befores[s->before], seen);
	return out;
}

/* The time at S, up to what ends a word in a sentence. */
static int take_time(const char *s, int64_t *ret)
{
	char text[BH_TIME_STR];

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(s, " ;"), s);
	text[strcspn(text, " ;")] = '\0';
	if (text[0] && text[strlen(text) - 1] == ':')
		text[strlen(text) - 1] = '\0';
	return run_time_parse(text, ret);
}

static int take_before(const char *s, struct run_start *ret)
{
	for (int i = 0; i < (int)BH_ARRAY_SIZE(befores); i++) {
		size_t len = strlen(befores[i]);

		if (strncmp(s, befores[i], len) != 0)
			continue;
		ret->before = (enum run_before)i;
		return i == RUN_NOT_KNOWN ? 0 : take_time(s + len, &ret->seen);
	}
	return -EINVAL;
}

int run_start_parse(const char *detail, struct run_start *ret)
{
	struct run_start s = { 0 };
	const char *of, *colon;

	if (strncmp(detail, BEGINS, strlen(BEGINS)) != 0)
		return -EINVAL;
	detail += strlen(BEGINS);
	of = strstr(detail, " of ");
	colon = of ? strstr(of, ": ") : NULL;
	if (!colon || of - detail >= (ptrdiff_t)sizeof(s.boot) ||
	    take_time(of + 4, &s.booted) < 0 || take_before(colon + 2, &s) < 0)
		return -EINVAL;
	snprintf(s.boot, sizeof(s.boot), "%.*s", (int)(of - detail), detail);
	if (strcmp(s.boot, "-") == 0)
		s.boot[0] = '\0';
	*ret = s;
	return 0;
}

#define AGAIN "denied packets are recorded again since "
#define DEAF  "denied packets are not all recorded since "

const char *run_logger_format(char out[RUN_STR], int64_t since, const char *why)
{
	char text[BH_TIME_STR];

	snprintf(out, RUN_STR, "%s%s%s%.160s", why ? DEAF : AGAIN, bh_format_time(text, since),
		 why ? ": " : "", why ? why : "");
	return out;
}

int run_logger_parse(const char *detail, int64_t *ret_since, bool *ret_again, const char **ret_why)
{
	bool again = strncmp(detail, AGAIN, strlen(AGAIN)) == 0;

	if (!again && strncmp(detail, DEAF, strlen(DEAF)) != 0)
		return -EINVAL;
	*ret_again = again;
	detail += strlen(again ? AGAIN : DEAF);
	*ret_why = strstr(detail, ": ");
	*ret_why = *ret_why ? *ret_why + 2 : "";
	return take_time(detail, ret_since);
}

#define STOOD "bulkheadd stood still from "
#define UNTIL " to "

const char *run_stall_format(char out[RUN_STR], int64_t from, int64_t to)
{
	char since[BH_TIME_STR], until[BH_TIME_STR];

	snprintf(out, RUN_STR, STOOD "%s" UNTIL "%s; it was held up, or its machine was",
		 bh_format_time(since, from), bh_format_time(until, to));
	return out;
}

int run_stall_parse(const char *detail, int64_t *ret_from, int64_t *ret_to)
{
	const char *to = strstr(detail, UNTIL);

	if (strncmp(detail, STOOD, strlen(STOOD)) != 0 || !to ||
	    take_time(detail + strlen(STOOD), ret_from) < 0)
		return -EINVAL;
	return take_time(to + strlen(UNTIL), ret_to);
}
