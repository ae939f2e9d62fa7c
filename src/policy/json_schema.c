/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/policy/schema.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/policy/edit.h>
#include <bulkhead/policy/lint.h>

#include "host.h"
#include "set.h"

#define TABLES_MAX 64 /* structs of schema that one JSON Schema is made of */

struct writer {
	struct bh_buf *out;
	const struct schema *tables[TABLES_MAX]; /* in the order in which they were first named */
	size_t n;
};

/* --- JSON ------------------------------------------------------------------------------------- */

/* Our own text: ASCII without control characters. */
static void put_escaped(struct bh_buf *b, const char *s)
{
	for (; *s; s++)
		bh_buf_addf(b, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
}

static void put_member(struct bh_buf *b, const char *key, const char *value)
{
	bh_buf_addf(b, "\"%s\":\"", key);
	put_escaped(b, value);
	bh_buf_addstr(b, "\"");
}

/* --- $defs that are shapes ---------------------------------------------------------------------- */

/* YAML takes what is not quoted for a number or true where it looks like one; we do not mind. */
#define WORDS    "\"type\":[\"string\",\"number\",\"boolean\"]"
#define NAMELIKE "\"type\":[\"string\",\"integer\",\"boolean\"]"
#define OCTET    "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define H        "[0-9a-fA-F]{1,4}"
#define IPV6                                                                                       \
	"(" H ":){7}" H "|(" H ":){1,7}:|(" H ":){1,6}(:" H "){1}|(" H ":){1,5}(:" H "){1,2}|(" H  \
	":){1,4}(:" H "){1,3}|(" H ":){1,3}(:" H "){1,4}|(" H ":){1,2}(:" H "){1,5}|" H ":(:" H    \
	"){1,6}|:((:" H "){1,7}|:)|[0-9a-fA-F:]*:(" OCTET "[.]){3}" OCTET
#define DATE "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
#define PORT                                                                                       \
	"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
#define PATH "/.*[^/]"
/* Of Kubernetes. */
#define LABEL     "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
#define SUBDOMAIN "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"

static const struct {
	const char *name, *json;
} shapes[] = {
	{ "name", NAMELIKE ",\"minimum\":0,"
			   "\"pattern\":\"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$\"" },
	{ "text", WORDS ",\"minLength\":1" },
	{ "remark", WORDS ",\"minLength\":1,\"not\":{\"const\":\"" POLICY_PLACEHOLDER "\"}" },
	{ "labels", "\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":{" WORDS
		    "},\"propertyNames\":{\"pattern\":\"^[^\\\\u0000-\\\\u0020=\\\\u007f]+$\"}" },
	{ "date", "\"type\":\"string\",\"pattern\":\"^" DATE "$\"" },
	{ "time", "\"type\":\"string\",\"pattern\":\"^" DATE
		  "[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$\"" },
	{ "prefix", "\"type\":\"string\",\"anyOf\":[{\"pattern\":\"^(" OCTET "[.]){3}" OCTET
		    "(/0*(3[0-2]|[12]?[0-9]))?$\"},{\"pattern\":\"^(?!::[fF]{4}:)(" IPV6
		    ")(/0*(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?$\"}]" },
	{ "image", "\"type\":\"string\",\"pattern\":\"^([^@]+|([^@]*/)?[^@/"
		   ":]+@sha256:([*]|[0-9a-f]{64}))$\"" },
	{ "compose", "\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$\"" },
	{ "days",
	  "\"type\":\"string\",\"pattern\":\"^0*([1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|"
	  "36[0-4][0-9]|3650)d$\"" },
	{ "duration", "\"type\":\"string\",\"pattern\":\"^[0-9]{1,15}[smh]$\"" },
	{ "path", "\"type\":\"string\",\"pattern\":\"^" PATH "$\"" },
	{ "path-or-false", "\"anyOf\":[{\"const\":false},{" SHAPE_PATH "}]" },
	{ "switch-or-path", "\"anyOf\":[{\"type\":\"boolean\"},{" SHAPE_PATH "}]" },
	{ "account", "\"type\":[\"string\",\"number\",\"boolean\"],\"minimum\":0,"
		     "\"pattern\":\"^[^-:/\\\\u0000-\\\\u0020\\\\u007f]"
		     "[^:/\\\\u0000-\\\\u0020\\\\u007f]*$\"" },
	{ "namespaces", "\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^" LABEL
			"$\"},\"additionalProperties\":{\"type\":\"object\",\"propertyNames\":"
			"{\"pattern\":\"^(" SUBDOMAIN "/)?" LABEL "$\"},\"additionalProperties\":"
			"{\"type\":\"string\",\"pattern\":\"^(" LABEL ")?$\"}}" },
	{ "listen", "\"anyOf\":[{\"const\":false},{\"type\":\"string\",\"pattern\":"
		    "\"^(127(\\\\.[0-9]{1,3}){3}|\\\\[[0:]*:0*1\\\\]):0*" PORT "$\"}]" },
};

static void put_icmp_types(struct bh_buf *b, uint16_t proto)
{
	const char *name;

	bh_buf_addf(b, "|%s/(", proto == IPPROTO_ICMP ? "icmp" : "icmpv6");
	for (unsigned t = 0; t < 256; t++) {
		name = icmp_type_name(proto, (uint8_t)t);
		if (name)
			bh_buf_addf(b, "%s|", name);
	}
	if (proto == IPPROTO_ICMPV6)
		bh_buf_addstr(b, "mld-listener-reduction|"); /* the other name of 132 */
	bh_buf_addstr(b, "0*" OCTET ")");
}

/* Of one number or two; that a range is not reversed no pattern says. */
static void put_port(struct bh_buf *b)
{
	bh_buf_addstr(b, ",\"port\":{\"type\":[\"string\",\"integer\"],\"minimum\":1,"
			 "\"maximum\":65535,\"pattern\":\"^(any|tcp|udp|sctp|icmp|icmpv6|0*" PORT
			 "(-0*" PORT ")?(/(tcp|udp|sctp))?");
	put_icmp_types(b, IPPROTO_ICMP);
	put_icmp_types(b, IPPROTO_ICMPV6);
	bh_buf_addstr(b, ")$\"}");
}

static void put_required(struct bh_buf *b)
{
	bh_buf_addstr(b, ",\"required\":{\"enum\":[");
	for (int i = 0; i < SCOPE_FIELDS; i++)
		bh_buf_addf(b, "%s\"%s\"", i ? "," : "", scope_field_name((enum scope_field)i));
	bh_buf_addstr(b, "]}");
}

/* Those that can be accepted. */
static void put_lint(struct bh_buf *b)
{
	bool first = true;

	bh_buf_addstr(b, ",\"lint\":{\"enum\":[");
	for (size_t i = 0; i < lints_n; i++) {
		if (lints[i].always)
			continue;
		bh_buf_addf(b, "%s\"%s\"", first ? "" : ",", lints[i].id);
		first = false;
	}
	bh_buf_addstr(b, "]}");
}

static void put_shapes(struct bh_buf *b)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(shapes); i++)
		bh_buf_addf(b, "%s\"%s\":{%s}", i ? "," : "", shapes[i].name, shapes[i].json);
	put_port(b);
	put_required(b);
	put_lint(b);
}

/* --- tables ------------------------------------------------------------------------------------- */

/* "a peer of a guardrail" -> "peer-of-a-guardrail": WHAT without its article, and quotes and colons. */
static void put_table_name(struct bh_buf *b, const struct schema *s)
{
	const char *p = strchr(s->what, ' ');

	for (p = p ? p + 1 : s->what; *p; p++)
		if (!strchr("'\":", *p))
			bh_buf_addf(b, "%c", *p == ' ' ? '-' : *p);
}

static void put_table_ref(struct writer *w, const struct schema *s)
{
	size_t i = 0;

	while (i < w->n && w->tables[i] != s)
		i++;
	if (i == w->n && i < TABLES_MAX)
		w->tables[w->n++] = s;
	else if (i == TABLES_MAX)
		w->out->error = -EFBIG;
	bh_buf_addstr(w->out, "\"$ref\":\"#/$defs/");
	put_table_name(w->out, s);
	bh_buf_addstr(w->out, "\"");
}

static void put_words(struct bh_buf *b, const char *const *words)
{
	bh_buf_addstr(b, "\"enum\":[");
	for (size_t i = 0; words[i]; i++)
		bh_buf_addf(b, "%s\"%s\"", i ? "," : "", words[i]);
	bh_buf_addstr(b, "]");
}

/* The readers of schema.h. */
static const struct {
	int (*read)(struct reader *rd, const struct field *f, const struct node *n, void *out);
	const char *shape;
} readers[] = {
	{ schema_read_string, SHAPE_TEXT },
	{ schema_read_remark, SHAPE_REMARK },
	{ schema_read_name, SHAPE_NAME },
	{ schema_read_date, SHAPE_DATE },
	{ schema_read_bool, "\"type\":\"boolean\"" },
	{ schema_read_time, SHAPE_TIME },
};

static const char *shape_of(const struct field *f)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(readers) && !f->shape; i++)
		if (readers[i].read == f->read)
			return readers[i].shape;
	return f->shape ? f->shape : WORDS;
}

static void put_text_value(struct writer *w, const struct field *f)
{
	if (f->words)
		put_words(w->out, f->words);
	else if (f->read == schema_read_u32)
		bh_buf_addf(w->out, "\"type\":\"integer\",\"minimum\":%u,\"maximum\":%u", f->min,
			    f->max);
	else
		bh_buf_addstr(w->out, shape_of(f));
}

static void put_list_value(struct writer *w, const struct field *f)
{
	bh_buf_addstr(w->out, "\"type\":\"array\"");
	if (f->min)
		bh_buf_addf(w->out, ",\"minItems\":%u", f->min);
	if (f->max)
		bh_buf_addf(w->out, ",\"maxItems\":%u", f->max);
	bh_buf_addstr(w->out, ",\"items\":{");
	if (f->of)
		put_table_ref(w, f->of);
	else
		bh_buf_addstr(w->out, f->shape ? f->shape : "");
	bh_buf_addstr(w->out, "}");
}

static void put_map_value(struct writer *w, const struct field *f)
{
	if (f->of)
		put_table_ref(w, f->of);
	else
		bh_buf_addstr(w->out, f->shape ? f->shape : "\"type\":\"object\"");
}

static void put_value(struct writer *w, const struct field *f)
{
	static const struct {
		unsigned takes;
		void (*put)(struct writer *w, const struct field *f);
	} kinds[] = { { TAKES_TEXT, put_text_value },
		      { TAKES_LIST, put_list_value },
		      { TAKES_MAP, put_map_value } };
	bool several = (f->takes & (f->takes - 1)) != 0, first = true;

	bh_buf_addstr(w->out, several ? "\"anyOf\":[" : "");
	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds); i++) {
		if (!(f->takes & kinds[i].takes))
			continue;
		bh_buf_addstr(w->out, several ? first ? "{" : ",{" : "");
		kinds[i].put(w, f);
		bh_buf_addstr(w->out, several ? "}" : "");
		first = false;
	}
	bh_buf_addstr(w->out, several ? "]" : "");
}

/* Beside a $ref these are read, too. */
static void put_about(struct bh_buf *b, const struct field *f)
{
	bh_buf_addstr(b, "\"description\":\"");
	put_escaped(b, f->about ? f->about : f->key);
	bh_buf_addstr(b, ". As in: ");
	put_escaped(b, f->example ? f->example : f->key);
	bh_buf_addstr(b, "\",");
}

static void put_fields(struct writer *w, const struct schema *s)
{
	bool first = true;

	for (size_t i = 0; i < s->n; i++) {
		const struct field *f = &s->fields[i];

		if (f->refused)
			continue;
		bh_buf_addf(w->out, "%s\"%s\":{", first ? "" : ",", f->key);
		put_about(w->out, f);
		put_value(w, f);
		bh_buf_addstr(w->out, "}");
		first = false;
	}
}

static void put_table(struct writer *w, const struct schema *s)
{
	bool first = true;

	bh_buf_addstr(w->out, ",\"");
	put_table_name(w->out, s);
	bh_buf_addstr(w->out,
		      "\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[");
	for (size_t i = 0; i < s->n; i++) {
		if (!s->fields[i].required)
			continue;
		bh_buf_addf(w->out, "%s\"%s\"", first ? "" : ",", s->fields[i].key);
		first = false;
	}
	bh_buf_addf(w->out, "]%s%s,\"properties\":{", s->shape ? "," : "",
		    s->shape ? s->shape : "");
	put_fields(w, s);
	bh_buf_addstr(w->out, "}}");
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void begin(struct bh_buf *b, const char *title)
{
	bh_buf_addstr(b, "{");
	put_member(b, "$schema", "https://json-schema.org/draft/2020-12/schema");
	bh_buf_addstr(b, ",");
	put_member(b, "title", title);
	bh_buf_addstr(b, ",");
	put_member(b, "$comment", "bulkhead " BULKHEAD_VERSION);
	bh_buf_addstr(b, ",");
}

static int end(struct writer *w)
{
	bh_buf_addstr(w->out, ",\"$defs\":{");
	put_shapes(w->out);
	for (size_t i = 0; i < w->n; i++) /* grows while it is walked */
		put_table(w, w->tables[i]);
	bh_buf_addstr(w->out, "}}\n");
	return bh_buf_error(w->out);
}

/* A Kubernetes document has a schema of its own; here it is only known as one. */
static const char kubernetes[] =
	"{\"if\":{\"anyOf\":[{\"required\":[\"apiVersion\"]},"
	"{\"required\":[\"kind\"]}]},\"then\":{\"required\":[\"apiVersion\","
	"\"kind\"],\"properties\":{\"kind\":{\"enum\":[\"NetworkPolicy\","
	"\"NetworkPolicyList\",\"List\"]}}},\"else\":false}";

/* if the key of a kind is there: that kind; else the next. What is none of them is no document. */
static void put_kinds(struct writer *w)
{
	struct document_kind kind;
	size_t open = 0;

	for (size_t i = 0; document_kind(i, &kind); i++) {
		if (!kind.schema)
			continue;
		bh_buf_addf(w->out, "%s\"if\":{\"required\":[\"%s\"]},\"then\":{", open ? "{" : "",
			    kind.key);
		put_table_ref(w, kind.schema);
		bh_buf_addstr(w->out, "},\"else\":");
		open++;
	}
	bh_buf_addstr(w->out, kubernetes);
	for (; open > 1; open--)
		bh_buf_addstr(w->out, "}");
}

/* What a document may begin with, for editors that complete. */
static void put_first_keys(struct bh_buf *b)
{
	struct document_kind kind;
	bool first = true;

	for (size_t i = 0; document_kind(i, &kind); i++) {
		const struct field *f = schema_field(kind.schema, kind.key);

		if (!f)
			continue;
		bh_buf_addf(b, "%s\"%s\":{", first ? "" : ",", kind.key);
		put_about(b, f);
		bh_buf_addstr(b, "\"type\":[\"string\",\"number\",\"boolean\"]}");
		first = false;
	}
}

int policy_json_schema(struct bh_buf *out)
{
	struct writer w = { .out = out };

	begin(out, "A document of a Bulkhead policy file");
	/* Nothing between two --- is nothing wrong. */
	bh_buf_addstr(out,
		      "\"type\":[\"object\",\"null\"],\"if\":{\"type\":\"object\"},\"then\":{");
	put_kinds(&w);
	bh_buf_addstr(out, ",\"properties\":{");
	put_first_keys(out);
	bh_buf_addstr(out, "}}");
	return end(&w);
}

int host_json_schema(struct bh_buf *out)
{
	struct writer w = { .out = out };

	begin(out, "The host file of Bulkhead");
	bh_buf_addstr(out, "\"anyOf\":[{\"type\":\"null\"},{");
	put_table_ref(&w, &host_schema);
	bh_buf_addstr(out, "}]");
	return end(&w);
}
