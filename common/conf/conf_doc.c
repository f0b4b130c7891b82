/* conf/conf_doc: doc/config.md and etc/gatehouse.ini. Both are written from the
 * tables, so that they cannot say anything else than the program does. */
#include "common/conf/conf_int.h"

#include "common/base/check.h"

/* Columns of a comment in the sample. */
#define SAMPLE_WIDTH 76

static const char doc_head[] =
    "# The configuration of gatehouse\n"
    "\n"
    "Written by `make docs` from the tables in `common/conf`; change those.\n"
    "\n"
    "One INI file, by default `gatehouse.ini` in the system's configuration\n"
    "folder. `gatehouse -t` checks it and names every problem with its file,\n"
    "line and column; `gatehouse -T` prints what is in effect, defaults\n"
    "included. The smallest one that does something:\n"
    "\n"
    "```ini\n"
    "[site example.com]\n"
    "upstream = 127.0.0.1:3000\n"
    "```\n"
    "\n"
    "## Form\n"
    "\n"
    "* A section begins with `[type]` or `[type name]`; its header ends at "
    "the\n"
    "  last `]` of the line. In it stands `key = value`, one a line. A line\n"
    "  that begins with `#` or `;` is a comment; elsewhere both are text. "
    "There\n"
    "  are no continuation lines: an indented line is an error. The file is\n"
    "  UTF-8; a byte order mark at its beginning is skipped.\n"
    "* A key that has one value may stand once in a section, and a section "
    "may\n"
    "  stand once: a second is an error that names both lines. `[upstream x]`\n"
    "  (and later `[acl x]`) may be spread over several if all but one say\n"
    "  `extend = on`.\n"
    "* Lists are separated by blanks; double quotes keep blanks. Several "
    "lines\n"
    "  of a list add to each other.\n"
    "* A site inherits from `[defaults]`, a route from its site, and rules\n"
    "  apply on top. Of single values the nearest holds; lists and headers "
    "are\n"
    "  added. `key = none` empties what came before. Nothing crosses from one\n"
    "  site to another.\n"
    "  Listens and upstreams inherit their timeouts from `[defaults]` too.\n"
    "* `none`, `all`, `on` and `off` are reserved: nothing is named so.\n"
    "* Names are looked up when everything is read; their order is free.\n"
    "* `${NAME}` is replaced by the variable of the environment, and\n"
    "  `${NAME:-text}` by the text when it is not set or empty; `$${` stands\n"
    "  for a bare `${`. A variable that is not set is an error.\n"
    "* `include = PATTERN` in `[global]` reads other files in its place. They\n"
    "  begin with a section, and a `[global]` of theirs may only include.\n"
    "* Relative paths are relative to the file they stand in.\n"
    "* A secret may be given as `file:PATH`; one line end is cut off. `-T` "
    "and\n"
    "  the administration show none, nor what `request_header` gives a server "
    "as\n"
    "  Authorization, Cookie or X-Api-Key.\n"
    "\n"
    "| value | written |\n"
    "|---|---|\n"
    "| on or off | `on` `off`, also `yes` `no` `true` `false` |\n"
    "| number | `16`, `16k`, `1m` (powers of 1024) |\n"
    "| duration | `500ms` `10s` `5m` `2h` `1d` `1w` `1y`, together `1h30m` |\n"
    "| size | `512b` `64k` `10m` `1g` (powers of 1024) |\n"
    "| rate | `20/s` `600/m` `5/h` `1/d` |\n"
    "| bandwidth | `2m/s` |\n"
    "| share | `20%` |\n"
    "\n"
    "Units are not optional: `10` alone could be anything. Where 0 is "
    "allowed,\n"
    "`none` may be written for it.\n";

static const char rule_text[] =
    "\n"
    "Its other keys are those of routes. Exactly one route is chosen; then "
    "every\n"
    "rule of the site that matches applies, in file order, on top of it: of "
    "single\n"
    "values the last one holds, lists and headers are added, `key = none` "
    "empties.\n"
    "\n"
    "A condition is `[!]SUBJECT [OP VALUE...]`. The subject is a variable of\n"
    "[reference.md](reference.md) without its braces:\n"
    "\n"
    "```ini\n"
    "[rule www downloads]\n"
    "match           = path ~ \\.(zip|iso)$\n"
    "match           = !client_ip in 10.0.0.0/8 2001:db8::/32\n"
    "response_header = Content-Disposition: attachment\n"
    "\n"
    "[rule www failed]\n"
    "match           = status >= 500\n"
    "response_header = Cache-Control: no-store\n"
    "```\n"
    "\n"
    "| operator | matches when |\n"
    "|---|---|\n"
    "| none | it is there and not empty |\n"
    "| `=` `!=` | it is one of the values, or none of them |\n"
    "| `^=` `$=` `*=` | it begins with, ends with or holds one of them |\n"
    "| `~` `!~` | the regular expression (PCRE2), which is the rest of the "
    "line, is found in it, or is not |\n"
    "| `<` `<=` `>` `>=` | the number is less, and so on; sizes and durations "
    "have units |\n"
    "| `in` | an address is in one of the networks, a number in one of the "
    "ranges (`500-599`) |\n"
    "\n"
    "All lines of a rule must match; `!` in front turns a line around. Text "
    "is\n"
    "compared byte by byte, hosts without regard to case. A header that is "
    "there\n"
    "more than once matches when one of its lines does. What is not there is\n"
    "compared as empty text, and as a number it matches nothing. A regular\n"
    "expression that takes too long for a request is answered 500.\n"
    "\n"
    "A rule that asks for something of the answer (`status`, "
    "`response_header:X`)\n"
    "applies when the answer is there, behind all others, and holds nothing "
    "but\n"
    "what can still change then: `response_header`, `hide_header`, "
    "`access_log`,\n"
    "`error_page`, `security_headers`, `hide_origin`, `rewrite_location`, "
    "`rewrite_cookie`.\n";

static const char sample_head[] =
    "# gatehouse.ini: the sections to begin with, and their keys with "
    "defaults.\n"
    "# Written by `make docs`; doc/config.md has all others and the rules. A\n"
    "# setting is taken into use by removing the '#' in front of it. Check "
    "with:\n"
    "# gatehouse -t\n"
    "#\n"
    "# This is enough to begin with:\n"
    "#\n"
    "#[site example.com]\n"
    "#upstream = 127.0.0.1:3000\n";

/* An example of each section's header, in the order of the sample. */
static const struct {
	enum conf_type type;
	const char *header;
} samples[] = {
    {CONF_GLOBAL, "[global]"},
    {CONF_LOG, "[log access]"},
    {CONF_ADMIN, "[admin]"},
    {CONF_LISTEN, "[listen http]"},
    {CONF_DEFAULTS, "[defaults]"},
    {CONF_SITE, "[site www]"},
    {CONF_ROUTE, "[route www /api/]"},
    {CONF_RULE, "[rule www downloads]"},
    {CONF_UPSTREAM, "[upstream app]"},
};

/* What stands in the sample for keys without a default. */
static const struct {
	enum conf_key key;
	const char *value;
} examples[] = {
    {KEY_GLOBAL_PID_FILE, "/run/gatehouse.pid"},
    {KEY_GLOBAL_GROUP, "nogroup"},
    {KEY_GLOBAL_DNS_SERVERS, "192.0.2.53 [2001:db8::53]:53"},
    {KEY_GLOBAL_CRAWLERS, ".googlebot.com .search.msn.com"},
    {KEY_GLOBAL_MMDB, "/var/lib/GeoIP/GeoLite2-Country.mmdb"},
    {KEY_GLOBAL_INCLUDE, "conf.d/*.ini"},
    {KEY_LOG_PATH, "/var/log/gatehouse/access.log"},
    {KEY_LISTEN_ADDRESS, ":80"},
    {KEY_LISTEN_TRUSTED_PROXIES, "192.0.2.0/24 2001:db8:1::/48"},
    {KEY_LISTEN_DEFAULT_SITE, "www"},
    {KEY_SITE_HOSTS, "www.example.com .example.org"},
    {KEY_SITE_LISTEN, "http"},
    {KEY_ADMIN_LISTEN, "unix:/run/gatehouse/admin.sock"},
    {KEY_ADMIN_GROUP, "adm"},
    {KEY_SCOPE_UPSTREAM, "app"},
    {KEY_SCOPE_RESPOND, "200 hello"},
    {KEY_SCOPE_REDIRECT, "301 https://{host}{path}"},
    {KEY_SCOPE_REWRITE, "^/old/(.*)$ /new/$1"},
    {KEY_SCOPE_REDIRECT_MATCH, "^/old/(.*)$ /new/$1 302"},
    {KEY_SCOPE_STRIP_PREFIX, "/api"},
    {KEY_SCOPE_ADD_PREFIX, "/v1"},
    {KEY_SCOPE_SUBSTITUTE, "|http://app.internal/|https://www.example.com/|"},
    {KEY_SCOPE_REQUEST_HEADER, "X-Client: {client_ip}"},
    {KEY_SCOPE_RESPONSE_HEADER, "X-Content-Type-Options: nosniff"},
    {KEY_SCOPE_HIDE_HEADER, "Server X-Powered-By"},
    {KEY_RULE_MATCH, "path ~ \\.(zip|iso)$"},
    {KEY_UPSTREAM_SERVER, "127.0.0.1:3000 weight=2"},
};

static const char *
kind_word(enum conf_kind kind)
{
	switch (kind) {
	case KIND_BOOL:
		return "on or off";
	case KIND_NUM:
		return "number";
	case KIND_DURATION:
		return "duration";
	case KIND_SIZE:
		return "size";
	case KIND_RATE:
		return "rate";
	case KIND_BANDWIDTH:
		return "bandwidth";
	case KIND_PERCENT:
		return "share";
	case KIND_TEXT:
		return "text";
	case KIND_SECRET:
		return "secret";
	case KIND_PATH:
		return "path";
	case KIND_NAME:
		return "name";
	case KIND_ENUM:
		return "word";
	case KIND_LIST:
		return "list";
	case KIND_LINES:
	case KIND_RAW:
		return "lines";
	case KIND_CONDITION:
		return "conditions";
	case KIND_HEADER:
		return "headers";
	case KIND_ORDERED:
		return "ordered list";
	}
	UNREACHED();
}

/* Text in a cell: a bar would end it. */
static void
put_cell(FILE *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '|')
			(void)fputc('\\', out);
		(void)fputc(*s, out);
	}
}

/* "a, b, c": the known words of a row that are built. */
static void
put_words(FILE *out, const struct conf_row *row)
{
	span rest = span_str(row->min);
	span word;
	unsigned part;
	const char *sep = ": ";

	if (row->kind == KIND_PATH || strchr("[<", row->min[0]) != NULL)
		return;
	while (conf_word_next(&rest, &word, &part)) {
		if (part > CONF_PART)
			continue;
		(void)fprintf(out, "%s`%.*s`", sep, SPAN_FMT(word));
		sep = " ";
	}
}

static bool
has_bounds(const struct conf_row *row)
{
	return row->max[0] != '\0' && row->kind != KIND_NAME;
}

static void
put_row(FILE *out, const struct conf_row *row)
{
	(void)fprintf(out, "| `%s` | %s", row->name, kind_word(row->kind));
	if (has_bounds(row))
		(void)fprintf(out, " %s to %s", row->min, row->max);
	else
		put_words(out, row);
	(void)fputs(" | ", out);
	if (row->deflt[0] != '\0')
		(void)fprintf(out, "`%s`", row->deflt);
	(void)fputs(" | ", out);
	put_cell(out, row->doc);
	(void)fputs(" |\n", out);
}

static void
put_options(FILE *out, enum conf_key key)
{
	bool is_first = true;

	for (size_t i = 0; i < conf_n_options; i++) {
		const struct conf_option_row *o = &conf_options[i];

		if (o->key != key || o->row.part > CONF_PART)
			continue;
		if (is_first)
			(void)fprintf(out,
			    "\nOptions behind a `%s`:\n\n"
			    "| option | value | default | meaning |\n"
			    "|---|---|---|---|\n",
			    conf_rows[key].name);
		is_first = false;
		put_row(out, &o->row);
	}
}

/* The heading of "site" and its likes: keys that several share stand once. */
static bool
is_told_elsewhere(enum conf_key k, enum conf_type type)
{
	return (type == CONF_ROUTE || type == CONF_RULE ||
		   type == CONF_DEFAULTS) &&
	       (conf_is_in(k, CONF_SITE) || conf_is_in(k, CONF_LISTEN) ||
		   conf_is_in(k, CONF_UPSTREAM));
}

static void
put_type(FILE *out, enum conf_type type)
{
	static const char *const forms[] = {
	    [NAMES_NONE] = "",
	    [NAMES_MAYBE] = " NAME",
	    [NAMES_ONE] = " NAME",
	    [NAMES_ROUTE] = " SITE PATH",
	    [NAMES_RULE] = " SITE NAME",
	};
	const struct conf_type_row *row = &conf_types[type];
	bool is_first = true;

	(void)fprintf(
	    out, "\n## [%s%s]\n\n%s\n", row->name, forms[row->names], row->doc);
	if (type == CONF_DEFAULTS)
		(void)fputs("\nIts keys are those of sites that routes have "
			    "too, and the timeouts of listens and upstreams.\n",
		    out);
	if (type == CONF_ROUTE)
		(void)fputs("\nIts keys are those of sites, but `hosts` and "
			    "`listen`.\n",
		    out);
	if (type == CONF_RULE)
		(void)fputs(rule_text, out);
	for (int i = 0; i < CONF_KEYS; i++) {
		enum conf_key k = (enum conf_key)i;

		if (!conf_is_in(k, type) || conf_rows[k].part > CONF_PART ||
		    is_told_elsewhere(k, type))
			continue;
		if (is_first)
			(void)fputs("\n| key | value | default | meaning |\n"
				    "|---|---|---|---|\n",
			    out);
		is_first = false;
		put_row(out, &conf_rows[k]);
	}
	for (int i = 0; i < CONF_KEYS; i++) {
		if (conf_is_in((enum conf_key)i, type))
			put_options(out, (enum conf_key)i);
	}
}

/* What is known by name and refused. */
static void
put_later(FILE *out)
{
	(void)fputs("\n## What is not built yet\n\n"
		    "These are refused with a message that says so; they come "
		    "with later versions.\n\n",
	    out);
	for (int i = 0; i < CONF_TYPES; i++) {
		const char *sep = ": ";

		if (conf_types[i].part > CONF_PART) {
			(void)fprintf(out, "* `[%s]`: %s\n", conf_types[i].name,
			    conf_types[i].doc);
			continue;
		}
		(void)fprintf(out, "* in `[%s]`", conf_types[i].name);
		for (int k = 0; k < CONF_KEYS; k++) {
			if (!conf_is_in((enum conf_key)k, (enum conf_type)i) ||
			    conf_rows[k].part <= CONF_PART)
				continue;
			(void)fprintf(out, "%s`%s`", sep, conf_rows[k].name);
			sep = " ";
		}
		(void)fputs(sep[0] == ':' ? ": nothing\n" : "\n", out);
	}
	(void)fputs("* options of `server`:", out);
	for (size_t i = 0; i < conf_n_options; i++) {
		if (conf_options[i].row.part > CONF_PART)
			(void)fprintf(out, " `%s`", conf_options[i].row.name);
	}
	(void)fputs("\n* words:", out);
	for (int k = 0; k < CONF_KEYS; k++) {
		span rest = span_str(conf_rows[k].min);
		span word;
		unsigned part;

		while (conf_rows[k].part <= CONF_PART &&
		       conf_word_next(&rest, &word, &part)) {
			if (part > CONF_PART)
				(void)fprintf(out, " `%s = %.*s`",
				    conf_rows[k].name, SPAN_FMT(word));
		}
	}
	(void)fputc('\n', out);
}

void
conf_write_doc(FILE *out)
{
	(void)fputs(doc_head, out);
	for (int i = 0; i < CONF_TYPES; i++) {
		if (conf_types[i].part <= CONF_PART)
			put_type(out, (enum conf_type)i);
	}
	put_later(out);
}

/* A comment, broken into lines. */
static void
put_comment(FILE *out, const char *text)
{
	span rest = span_str(text);
	span word;
	size_t column = 0;

	while (span_word(&rest, &word)) {
		if (column > 0 && column + 1 + word.len > SAMPLE_WIDTH) {
			(void)fputc('\n', out);
			column = 0;
		}
		column += (size_t)fprintf(
		    out, "%s%.*s", column == 0 ? "# " : " ", SPAN_FMT(word));
	}
	(void)fputc('\n', out);
}

static const char *
sample_value(enum conf_key k)
{
	for (size_t i = 0; i < NELEMS(examples); i++) {
		if (examples[i].key == k)
			return examples[i].value;
	}
	return conf_rows[k].deflt;
}

static void
put_sample_type(FILE *out, enum conf_type type, const char *header)
{
	(void)fputc('\n', out);
	put_comment(out, conf_types[type].doc);
	(void)fprintf(out, "#%s\n", header);
	for (int i = 0; i < CONF_KEYS; i++) {
		enum conf_key k = (enum conf_key)i;
		const char *value = sample_value(k);

		if (!conf_is_in(k, type) || conf_rows[k].part > CONF_PART ||
		    is_told_elsewhere(k, type) || value[0] == '\0')
			continue;
		(void)fputc('\n', out);
		put_comment(out, conf_rows[k].doc);
		(void)fprintf(out, "#%s = %s\n", conf_rows[k].name, value);
	}
}

void
conf_write_sample(FILE *out)
{
	(void)fputs(sample_head, out);
	for (size_t i = 0; i < NELEMS(samples); i++)
		put_sample_type(out, samples[i].type, samples[i].header);
}
