/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/image.h>

#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#define ALGORITHM "sha256:"
#define HEX       64

static bool is_digest(const char *s, const char *hex)
{
	size_t n = strlen(ALGORITHM);

	return strncmp(s, ALGORITHM, n) == 0 && strspn(s + n, hex) == HEX && !s[n + HEX];
}

bool image_digest_is_valid(const char *s)
{
	return is_digest(s, "0123456789abcdef");
}

/* Of its last part: in "localhost:5000/app" there is a port, and no tag. */
static const char *tag_of(const char *name, const char *end)
{
	const char *last = memrchr(name, '/', (size_t)(end - name));

	last = last ? last + 1 : name;
	return memchr(last, ':', (size_t)(end - last));
}

static bool is_any(const char *digest)
{
	return strcmp(digest, ALGORITHM "*") == 0;
}

bool image_repo_digest_is_valid(const char *s)
{
	const char *at = strchr(s, '@');

	/* Docker writes "<none>" for what has none */
	return at && at > s && at - s <= BH_IMAGE_NAME_MAX && s[0] != '<' && !tag_of(s, at) &&
	       image_digest_is_valid(at + 1);
}

/* --- what a policy may say -------------------------------------------------------------------- */

static const char *digest_mistake(const char *digest, const char **ret_hint)
{
	*ret_hint = "write all 64 digits, or sha256:* for any digest that is known";
	if (is_any(digest) || image_digest_is_valid(digest))
		return NULL;
	if (strncmp(digest, ALGORITHM, strlen(ALGORITHM)) != 0)
		return "names no digest of sha256 behind its @";
	if (is_digest(digest, "0123456789abcdefABCDEF")) {
		*ret_hint = "write a to f in lower case";
		return "has a digest in capitals";
	}
	return strpbrk(digest, "*?") ? "has a wildcard among the digits of its digest"
				     : "has a digest that is not 64 hexadecimal digits";
}

const char *image_pattern_mistake(const char *pattern, const char **ret_hint)
{
	const char *at = strchr(pattern, '@');

	*ret_hint = NULL;
	if (!at)
		return NULL;
	*ret_hint = "write the image's name before the @, or * for any";
	if (at == pattern || at[-1] == '/')
		return "has no name before its digest";
	if (at - pattern > BH_IMAGE_NAME_MAX)
		return "has a name that is too long";
	if (tag_of(pattern, at)) {
		*ret_hint = "leave the tag out: the digest says which image it is";
		return "has a tag and a digest";
	}
	return digest_mistake(at + 1, ret_hint);
}

/* --- whose image is it ------------------------------------------------------------------------ */

static bool begins(const char **s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(*s, prefix, n) != 0)
		return false;
	*s += n;
	return true;
}

/* Docker leaves out what Podman writes. */
static const char *familiar(const char *name)
{
	if (begins(&name, "docker.io/"))
		begins(&name, "library/");
	return name;
}

/* S up to END, into OUT. */
static bool cut(const char *s, const char *end, char out[BH_IMAGE_NAME_MAX + 1])
{
	size_t n = (size_t)(end - s);

	if (n > BH_IMAGE_NAME_MAX)
		return false;
	memcpy(out, s, n);
	out[n] = '\0';
	return true;
}

/* PATTERN and NAME up to their ends. */
static bool fits(const char *pattern, const char *pattern_end, const char *name,
		 const char *name_end)
{
	char p[BH_IMAGE_NAME_MAX + 1], n[BH_IMAGE_NAME_MAX + 1];

	return cut(pattern, pattern_end, p) && cut(name, name_end, n) &&
	       bh_glob_match(familiar(p), familiar(n));
}

static bool has_digest(const char *pattern, const char *at, const struct endpoint *e)
{
	for (size_t i = 0; i < e->n_image_digests; i++) {
		const char *d = e->image_digests[i], *end = strchr(d, '@');

		if (end && (is_any(at + 1) || strcmp(at + 1, end + 1) == 0) &&
		    fits(pattern, at, d, end))
			return true;
	}
	return false;
}

/* One that was built here has no digest of a registry; what it was created by has its name. */
static bool has_id(const char *pattern, const char *at, const struct endpoint *e)
{
	const char *end, *tag;

	if (!e->image_id || !e->image || strcmp(at + 1, e->image_id) != 0)
		return false;
	end = strchrnul(e->image, '@');
	tag = tag_of(e->image, end);
	return fits(pattern, at, e->image, tag ? tag : end);
}

bool image_is(const char *pattern, const struct endpoint *e)
{
	const char *at = strchr(pattern, '@');

	if (!at)
		return e->image && bh_glob_match(pattern, e->image);
	return has_digest(pattern, at, e) || has_id(pattern, at, e);
}
