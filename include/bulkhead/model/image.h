/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_IMAGE_H
#define BULKHEAD_MODEL_IMAGE_H

#include <bulkhead/model/endpoint.h>

/*
 * Images as a policy names them: REFERENCE, or NAME@sha256:DIGEST. No I/O.
 *
 * A reference is the text that a container was created with: whoever moves a tag decides what it is. A
 * digest is what is really run, as the engine says it: one of those by which registries know the image
 * ("app@sha256:...", of its manifest), or its own id (of its configuration). What is in a reference
 * counts for nothing there. What is not known is nobody's.
 */

/* "sha256:" and 64 digits, a to f in lower case. */
bool image_digest_is_valid(const char *s);
/* NAME@DIGEST, as engines write it: a name, no tag, a digest. */
bool image_repo_digest_is_valid(const char *s);

/*
 * What is wrong with the pattern of a policy: a sentence that goes on behind it ("\"x@y\" ..."), with
 * what to do in *RET_HINT; NULL: nothing. Both are static.
 */
const char *image_pattern_mistake(const char *pattern, const char **ret_hint);

/*
 * Does PATTERN, without mistake, name the image of E?
 *
 *	app:1.2, registry.example/w*	the reference that E was created with
 *	NAME@sha256:64 DIGITS		an image with that digest and a name that NAME fits; or with that
 *					id, created by a reference whose name NAME fits
 *	NAME@sha256:*			an image that a registry's digest is known of, whose name NAME fits
 *
 * In NAME * and ? are wildcards. "docker.io/library/" and "docker.io/" are as good as nothing.
 */
bool image_is(const char *pattern, const struct endpoint *e);

#endif
