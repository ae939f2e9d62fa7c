/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_CNI_FIXTURE_H
#define TESTS_UNIT_CNI_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/cni/cni.h>

/* A configuration that is right but for what a test puts into it. */
#define HEAD       "\"cniVersion\":\"1.1.0\",\"name\":\"net\",\"type\":\"bulkhead-cni\""
#define PREV       "\"prevResult\":{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.0.0.2/24\"}]}"
#define WITH(more) "{" HEAD "," PREV "," more "}"

static struct cni_error error;

static inline int parse_as(enum cni_command command, const char *text, struct cni_config *c)
{
	error = (struct cni_error)CNI_ERROR_INIT;
	return cni_config_parse(text, strlen(text), command, c, NULL, &error);
}

#endif
