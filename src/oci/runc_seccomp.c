/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runc.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/jsontext.h>

/*
 * A profile of seccomp in which socket(2) of AF_PACKET and AF_XDP fails with EPERM.
 *
 * libseccomp lets the wider of two rules about a system call win, so a rule that lets socket(2) pass
 * cannot be narrowed by another: it is exchanged for rules that let pass the families that it did, without
 * these two. The first argument is an int, and the kernel looks at its lower 32 bits alone: so do the
 * rules, or 2^32 + AF_PACKET would be a family that nobody denied.
 */

#define PATH(...) ((const char *const[]) { __VA_ARGS__, NULL })

#define FAMILIES  64 /* of the kernel's (AF_MAX is 46 in 6.x); there are none behind these */
#define INT_MASK  UINT32_MAX
#define EPERM_RET 1

/* Where there is no profile: what else runs on the same kernel must go on to. */
#if defined(__x86_64__)
#define ARCHITECTURES "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\""
#elif defined(__aarch64__)
#define ARCHITECTURES "\"SCMP_ARCH_AARCH64\",\"SCMP_ARCH_ARM\""
#elif defined(__s390x__)
#define ARCHITECTURES "\"SCMP_ARCH_S390X\",\"SCMP_ARCH_S390\""
#else
#define ARCHITECTURES ""
#endif
#define OPEN_PROFILE                                                                               \
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[" ARCHITECTURES                  \
	"],\"syscalls\":[]}"

/* Everything else lets a call pass, or lets somebody else decide. */
static bool blocks(const char *action)
{
	static const char *const words[] = { "SCMP_ACT_ERRNO", "SCMP_ACT_KILL",
					     "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
					     "SCMP_ACT_TRAP" };

	for (size_t i = 0; action && i < BH_ARRAY_SIZE(words); i++)
		if (strcmp(action, words[i]) == 0)
			return true;
	return false;
}

/* --- which families a rule is about --------------------------------------------------------------- */

static uint64_t number(const json_t *arg, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(arg, key));
}

/* Does the condition ARG, about the first argument, hold for FAMILY? -1: who knows. */
static int holds(const json_t *arg, uint64_t family)
{
	const char *op = json_string_value(json_object_get(arg, "op"));
	uint64_t value = number(arg, "value");

	if (!op)
		return -1;
	if (strcmp(op, "SCMP_CMP_EQ") == 0)
		return family == value;
	if (strcmp(op, "SCMP_CMP_NE") == 0)
		return family != value;
	if (strcmp(op, "SCMP_CMP_LT") == 0)
		return family < value;
	if (strcmp(op, "SCMP_CMP_LE") == 0)
		return family <= value;
	if (strcmp(op, "SCMP_CMP_GT") == 0)
		return family > value;
	if (strcmp(op, "SCMP_CMP_GE") == 0)
		return family >= value;
	if (strcmp(op, "SCMP_CMP_MASKED_EQ") == 0)
		return (family & value) == number(arg, "valueTwo");
	return -1;
}

static bool is_raw(unsigned family)
{
	return family == AF_PACKET || family == AF_XDP;
}

/* A bit for each family that RULE, with the conditions ARGS, lets pass and that is not raw. */
static int families_of(const json_t *args, uint64_t *ret)
{
	uint64_t set = 0;

	for (unsigned f = 0; f < FAMILIES; f++) {
		bool all = !is_raw(f);
		const json_t *arg;
		size_t i;

		json_array_foreach (args, i, arg) {
			int h = number(arg, "index") == 0 ? holds(arg, f) : 1;

			if (h < 0)
				return -EINVAL;
			all &= h;
		}
		if (all)
			set |= UINT64_C(1) << f;
	}
	*ret = set;
	return 0;
}

/* --- rules ---------------------------------------------------------------------------------------- */

static json_t *family_is(uint64_t mask, uint64_t family)
{
	return json_pack("{s:i, s:I, s:I, s:s}", "index", 0, "value", (json_int_t)mask, "valueTwo",
			 (json_int_t)family, "op", "SCMP_CMP_MASKED_EQ");
}

static int put_rule(struct bh_buf *out, json_t *rule)
{
	bh_autofree char *text = rule ? json_dumps(rule, JSON_COMPACT) : NULL;

	if (!text)
		return -ENOMEM;
	if (out->len > 1)
		bh_buf_addstr(out, ",");
	return bh_buf_addstr(out, text);
}

/* RULE for SIZE families from FIRST on, a power of two; its other conditions stay. */
static int put_block(struct bh_buf *out, const json_t *rule, const json_t *args, unsigned first,
		     unsigned size)
{
	json_t *one = json_copy((json_t *)rule), *conditions = json_array(), *arg;
	size_t i;
	int r;

	json_array_append_new(conditions, family_is(INT_MASK & ~(uint64_t)(size - 1), first));
	json_array_foreach (args, i, arg)
		if (number(arg, "index") != 0)
			json_array_append(conditions, arg);
	json_object_set_new(one, "names", json_pack("[s]", "socket"));
	json_object_set_new(one, "args", conditions);
	r = put_rule(out, one);
	json_decref(one);
	return r;
}

/* The set in as few blocks as there are, aligned to their size. */
static int put_blocks(struct bh_buf *out, const json_t *rule, const json_t *args, uint64_t set,
		      unsigned first, unsigned size)
{
	uint64_t block = (size == 64 ? UINT64_MAX : (UINT64_C(1) << size) - 1) << first;
	int r;

	if (!(set & block))
		return 0;
	if ((set & block) == block)
		return put_block(out, rule, args, first, size);
	r = put_blocks(out, rule, args, set, first, size / 2);
	return r < 0 ? r : put_blocks(out, rule, args, set, first + size / 2, size / 2);
}

static int put_narrowed(struct bh_buf *out, const json_t *rule, const json_t *args)
{
	uint64_t set = 0;
	int r = families_of(args, &set);

	return r < 0 ? r : put_blocks(out, rule, args, set, 0, FAMILIES);
}

/* Two conditions on one argument are two rules to runc and crun: either is enough. */
static bool repeats_an_argument(const json_t *args)
{
	uint64_t seen = 0;
	const json_t *arg;
	size_t i;

	json_array_foreach (args, i, arg) {
		uint64_t bit = UINT64_C(1) << (number(arg, "index") & 63);

		if (seen & bit)
			return true;
		seen |= bit;
	}
	return false;
}

static int put_each(struct bh_buf *out, const json_t *rule, const json_t *args)
{
	const json_t *arg;
	size_t i;
	int r = 0;

	json_array_foreach (args, i, arg) {
		json_t *alone = json_pack("[O]", arg);

		r = alone ? put_narrowed(out, rule, alone) : -ENOMEM;
		json_decref(alone);
		if (r < 0)
			return r;
	}
	return r;
}

/* RULE, which lets socket(2) pass: what else it names as it was, then its families. */
static int put_exchanged(struct bh_buf *out, json_t *rule, size_t socket_at)
{
	json_t *names = json_object_get(rule, "names"), *args = json_object_get(rule, "args");
	int r = 0;

	json_array_remove(names, socket_at);
	if (json_array_size(names))
		r = put_rule(out, rule);
	if (r < 0)
		return r;
	return repeats_an_argument(args) ? put_each(out, rule, args)
					 : put_narrowed(out, rule, args);
}

static bool names_socket(const json_t *rule, size_t *ret_at)
{
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(rule, "names"), i, name)
		if (json_is_string(name) && strcmp(json_string_value(name), "socket") == 0) {
			*ret_at = i;
			return true;
		}
	return false;
}

static int put_as_it_is(struct bh_buf *out, const char *text, struct json_span e)
{
	if (out->len > 1)
		bh_buf_addstr(out, ",");
	return bh_buf_add(out, text + e.at, e.len);
}

static int take_rule(struct bh_buf *out, const char *text, struct json_span e)
{
	json_t *rule = json_loadb(text + e.at, e.len, JSON_DECODE_INT_AS_REAL, NULL);
	size_t at = 0;
	bool meant = names_socket(rule, &at) &&
		     !blocks(json_string_value(json_object_get(rule, "action")));
	int r;

	json_decref(rule);
	if (!meant)
		return put_as_it_is(out, text, e);
	rule = json_loadb(text + e.at, e.len, 0, NULL); /* now with integers, if they can be held */
	r = names_socket(rule, &at) ? put_exchanged(out, rule, at) : -EINVAL;
	json_decref(rule);
	return r;
}

static int put_refusal(struct bh_buf *out, unsigned family)
{
	json_t *rule =
		json_pack("{s:[s], s:s, s:i, s:[o]}", "names", "socket", "action", "SCMP_ACT_ERRNO",
			  "errnoRet", EPERM_RET, "args", family_is(INT_MASK, family));
	bh_autofree char *text = rule ? json_dumps(rule, JSON_COMPACT) : NULL;
	bool there = text && strstr(bh_buf_str(out), text);
	int r = there ? 0 : put_rule(out, rule);

	json_decref(rule);
	return r;
}

/* Where nothing is refused that is not named, or with another error. */
static int put_refusals(struct bh_buf *out)
{
	int r = put_refusal(out, AF_PACKET);

	return r < 0 ? r : put_refusal(out, AF_XDP);
}

/* --- the profile ---------------------------------------------------------------------------------- */

/* Is it EPERM by these rules alone? A profile that kills for what it does not name goes on to. */
static bool needs_refusals(const struct bh_buf *config)
{
	const char *const path[] = { "linux", "seccomp", "defaultAction", NULL };
	struct json_span at;
	const char *word;
	json_t *action;
	bool needs;

	if (jsontext_find(config->data, config->len, path, &at) <= 0)
		return true;
	action = json_loadb(config->data + at.at, at.len, JSON_DECODE_ANY, NULL);
	word = json_string_value(action);
	needs = !blocks(word) || strcmp(word, "SCMP_ACT_ERRNO") == 0;
	json_decref(action);
	return needs;
}

static int rewrite(struct bh_buf *config, struct json_span in, struct bh_buf *out)
{
	struct json_span e = { 0, 0 };
	int r = bh_buf_addstr(out, "[");

	while (r >= 0 && in.len && jsontext_next(config->data, in, &e))
		r = take_rule(out, config->data, e);
	if (r >= 0 && needs_refusals(config))
		r = put_refusals(out);
	return r < 0 ? r : bh_buf_addstr(out, "]");
}

/* No profile, or null, is one in which everything passes. */
static int ensure_profile(struct bh_buf *config)
{
	struct json_span at;
	int r = jsontext_find(config->data, config->len, PATH("linux", "seccomp"), &at);

	if (r < 0 || (r > 0 && config->data[at.at] == '{'))
		return r;
	if (r > 0 && config->data[at.at] != 'n')
		return -EINVAL;
	return jsontext_set(config, PATH("linux"), "seccomp", OPEN_PROFILE);
}

int runc_seccomp_deny_raw(struct bh_buf *config, struct bh_err *err)
{
	struct json_span rules = { 0, 0 };
	struct bh_buf out;
	int r = ensure_profile(config);

	bh_buf_init(&out, config->max);
	if (r >= 0)
		r = jsontext_find(config->data, config->len, PATH("linux", "seccomp", "syscalls"),
				  &rules);
	if (r > 0 && config->data[rules.at] != '[')
		r = config->data[rules.at] == 'n' ? 0 : -EINVAL;
	if (r >= 0)
		r = rewrite(config, r > 0 ? rules : (struct json_span) { 0, 0 }, &out);
	if (r >= 0)
		r = jsontext_set(config, PATH("linux", "seccomp"), "syscalls", bh_buf_str(&out));
	bh_buf_done(&out);
	return r < 0 ? runc_config_failed(r, "seccomp", err) : 0;
}
