/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_CONTROLLER_H
#define DAEMON_CONTROLLER_H

#include <systemd/sd-event.h>

#include <jansson.h>

#include <bulkhead/base/err.h>
#include <bulkhead/ctl/ctl.h>
#include <bulkhead/enforce/holds.h>
#include <bulkhead/enforce/site.h>
#include <bulkhead/store/audit.h>

#include "options.h"
#include "health.h"

#define SUPERVISOR_STATUS_MAX 1024

struct alive;
struct announced;
struct engines;
struct fresh;
struct hints;
struct warnings;
struct keeping;
struct logger_link;
struct privileges;
struct protect;
struct meters;
struct refusals;
struct policywatch;
struct park;
struct watches;

/*
 * The controller keeps the kernel equal to the policies. Everything that may have changed something
 * only marks it (reconcile_touch()); one timer then compares all that is wanted with all that there
 * is: soon, once more a little later, and every half a minute. So nothing depends on an event not being
 * missed.
 */
struct controller {
	const struct daemon_options *o;
	struct site_options site_options;
	sd_event *event;
	sd_event_source *timer; /* of the next comparison, whichever it is */
	/* CLOCK_MONOTONIC, microseconds: */
	uint64_t look_at;       /* when everything is looked at next */
	uint64_t pause;         /* between such looks, at the moment */
	uint64_t put_off_since; /* a look is due, and a container starts; 0: none is */
	uint64_t
		unreleased; /* since when what was held of who has gone is to be let go of; 0: nothing is */
	unsigned given_up;    /* questions about some containers, one after the other */
	uint64_t rests_until; /* no comparison before this */
	bool changed;         /* something that is known already has to be brought about */
	bool failed;          /* some of it was not, the last time */
	struct hints *hints;  /* what has to be asked about */
	struct fresh *fresh;
	struct announced *announced;
	struct privileges *privileges; /* who asks what a container is started without */
	struct protect *protect;       /* who waits for a start */
	struct warnings *warnings;     /* of looks at the endpoints */
	struct ctl_server *server;
	struct audit *trail;
	struct alive *alive;
	struct keeping *keeping;
	struct refusals *refusals;
	struct engines *engines;
	struct meters *meters; /* NULL: nobody wants metrics */
	struct watches *watches;
	struct policywatch *policywatch;
	struct park *park;
	struct logger_link *logger;
	struct holds *holds;
	uint64_t listings;   /* of the endpoints, that were made */
	struct site site;    /* the policies in force, and the endpoints of the last look */
	uint64_t apply_usec; /* of the last changes */
	bool loaded;         /* `site` is there */

	struct health health;
	char trouble[BH_ERR_MAX];                /* why the last look failed; "" = it did not */
	char told_status[SUPERVISOR_STATUS_MAX]; /* to the service manager */
};

int controller_new(const struct daemon_options *o, sd_event *event, struct controller **ret,
		   struct bh_err *err);
void controller_free(struct controller *c); /* takes NULL; what is enforced stays */

/* Microseconds since the epoch. */
int64_t controller_now(void);
/* Are the endpoints of this runtime asked for, by the host file or an option? */
bool controller_lists(const struct controller *c, enum endpoint_runtime runtime);
/* One line for the log. */
void controller_log(const char *line, void *arg);
/* Each line of DIAGS. */
void controller_tell_diags(struct diag_list *diags, void (*tell)(const char *line, void *arg),
			   void *arg);

#endif
