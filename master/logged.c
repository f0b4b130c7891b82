/* master/logged: a line is an object; of its members those count that the preset
 * `json` of a [log] writes, and `headers`, a list of "NAME: VALUE". */
#include "master/logged.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/ip.h"
#include "common/http/chars.h"

#define METHOD_MAX 32u
#define TARGET_MAX 32768u
#define NAME_MAX_LEN 1024u

/* --- texts of a line ------------------------------------------------------ */

/* The text of a member; empty when it is none. jansson refuses NUL in it. */
static span
member(const struct logged *l, const char *name)
{
	const json_t *j = json_object_get(l->json, name);

	return span_of(json_string_value(j), json_string_length(j));
}

/* Nothing that would end a line or a word of a request. */
static bool
is_word(span s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.len > 0 && s.len <= max;
}

/* A field as it stands in a request: a token, a colon, and no line's end. */
static bool
is_field(span s)
{
	ptrdiff_t colon = span_chr(s, ':');

	if (colon <= 0 || chars_token_end(s.p, s.p + colon) != s.p + colon)
		return false;
	s = span_from(s, (size_t)colon + 1);
	return chars_value_end(s.p, s.p + s.len) == s.p + s.len;
}

static bool
refuse(struct logged *l, const char *why)
{
	l->why = why;
	return false;
}

/* --- a request ------------------------------------------------------------ */

static void
add_header(struct logged *l, const char *name, span value)
{
	l->headers[l->command.n_headers++] =
	    arena_printf(&l->arena, "%s: %.*s", name, SPAN_FMT(value)).p;
}

/* What the preset tells by a member of its own; "-" stands for none there. */
static bool
read_known(struct logged *l, const char *name, const char *key)
{
	span value = member(l, key);

	if (value.len == 0 || span_eq(value, SPAN_LIT("-")))
		return true;
	if (chars_value_end(value.p, value.p + value.len) !=
	    value.p + value.len)
		return refuse(l, "a field holds what no field may");
	add_header(l, name, value);
	return true;
}

static bool
read_headers(struct logged *l)
{
	const json_t *list = json_object_get(l->json, "headers");
	const json_t *one;
	size_t i;

	if (json_array_size(list) > LOGGED_HEADERS_MAX)
		return refuse(l, "it has too many fields");
	json_array_foreach(list, i, one)
	{
		span s =
		    span_of(json_string_value(one), json_string_length(one));

		if (s.p == NULL || !is_field(s))
			return refuse(l, "one of `headers` is no field");
		l->headers[l->command.n_headers++] = s.p;
	}
	return read_known(l, "Referer", "referer") &&
	       read_known(l, "User-Agent", "user_agent");
}

/* A path belongs to the host that was asked for; anything else is a target of
 * its own: of a proxy, a tunnel, or OPTIONS *. */
static bool
read_target(struct logged *l)
{
	span uri = member(l, "uri");
	span host = member(l, "host");
	bool is_https = span_eq(member(l, "scheme"), SPAN_LIT("https"));

	if (!is_word(uri, TARGET_MAX))
		return refuse(l, "it has no `uri` that could be one");
	if (host.len > 0 && !span_eq(host, SPAN_LIT("-")) &&
	    !is_word(host, NAME_MAX_LEN))
		return refuse(l, "its `host` could be none");
	if (uri.p[0] != '/') {
		l->command.url = uri.p;
		if (host.len > 0 && !span_eq(host, SPAN_LIT("-")))
			add_header(l, "Host", host);
		return true;
	}
	l->command.is_bare = true;
	/* an authority ends at a slash */
	if (span_chr(host, '/') >= 0 || span_chr(host, '?') >= 0 ||
	    span_chr(host, '#') >= 0)
		return refuse(l, "its `host` could be none");
	if (host.len == 0 || span_eq(host, SPAN_LIT("-")))
		l->command.url = uri.p;
	else
		l->command.url = arena_printf(&l->arena, "%s://%.*s%.*s",
		    is_https ? "https" : "http", SPAN_FMT(host), SPAN_FMT(uri))
				     .p;
	return true;
}

static bool
read_client(struct logged *l)
{
	span from = member(l, "client_ip");
	span listen = member(l, "listen");
	struct ip ip;

	l->command.from = "unix:";
	if (from.len > 0 && !span_eq(from, SPAN_LIT("-")) &&
	    !span_eq(from, SPAN_LIT("unix:"))) {
		if (!ip_parse(from, &ip))
			return refuse(l, "its `client_ip` is no address");
		l->command.from = from.p;
	}
	l->command.listen = listen.len > 0 ? listen.p : NULL;
	return true;
}

/* What the server said then is what it is taken to say. */
static void
read_answer(struct logged *l)
{
	json_int_t status =
	    json_integer_value(json_object_get(l->json, "origin_status"));

	l->command.answer_status =
	    status >= 200 && status <= 599 ? (unsigned)status : 200;
}

static void
logged_reset(struct logged *l)
{
	json_decref(l->json);
	l->json = NULL;
	arena_fini(&l->arena);
	arena_init(&l->arena, &l->pool);
	l->command = (struct command){
	    .word = COMMAND_EXPLAIN,
	    .out = stdout,
	    .headers = l->headers,
	};
	l->why = NULL;
}

bool
logged_read(struct logged *l, span line)
{
	span method;
	json_error_t err;

	logged_reset(l);
	l->json = json_loadb(line.p, line.len, JSON_REJECT_DUPLICATES, &err);
	if (!json_is_object(l->json))
		return refuse(l, "it is no object of JSON");
	method = member(l, "method");
	if (method.len == 0 || method.len > METHOD_MAX ||
	    chars_token_end(method.p, method.p + method.len) !=
		method.p + method.len)
		return refuse(l, "it has no `method` that could be one");
	l->command.method = method.p;
	l->id = member(l, "request_id");
	read_answer(l);
	return read_target(l) && read_client(l) && read_headers(l);
}

/* --- the lines ------------------------------------------------------------ */

void
logged_init(struct logged *l)
{
	*l = (struct logged){.n = 0};
	arena_pool_init(&l->pool, 1);
	arena_init(&l->arena, &l->pool);
}

void
logged_fini(struct logged *l)
{
	json_decref(l->json);
	arena_fini(&l->arena);
	arena_pool_fini(&l->pool);
}

int
logged_open(struct logged *l, const char *path)
{
	logged_init(l);
	l->f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	if (l->f == NULL)
		return -1;
	l->line = malloc(LOGGED_LINE_MAX);
	REQUIRE(l->line != NULL);
	return 0;
}

bool
logged_line(FILE *log, char *room, size_t max, span *out)
{
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(log)) != EOF && c != '\n')
		if (n < max)
			room[n++] = (char)c;
		else
			n = max;
	*out = n < max ? span_of(room, n) : span_of(room, 0);
	return c != EOF || n > 0;
}

bool
logged_next(struct logged *l)
{
	span line;

	while (logged_line(l->f, l->line, LOGGED_LINE_MAX, &line)) {
		l->n_lines++;
		if (logged_read(l, line)) {
			l->n++;
			return true;
		}
		if (l->n_bad++ == 0) {
			l->first_bad = l->n_lines;
			l->first_why = l->why;
		}
	}
	return false;
}

bool
logged_tell(const struct logged *l)
{
	if (l->n_bad > 0)
		(void)fprintf(stderr,
		    "gatehouse: %llu lines are no requests; the first is line "
		    "%llu: %s\n",
		    (unsigned long long)l->n_bad,
		    (unsigned long long)l->first_bad, l->first_why);
	if (l->n > 0 || l->n_bad == 0)
		return true;
	(void)fprintf(stderr,
	    "gatehouse: this is no access log in JSON (format = json)\n");
	return false;
}

int
logged_close(struct logged *l)
{
	int rc = l->f != NULL && ferror(l->f) ? -1 : 0;

	if (l->f != NULL && l->f != stdin)
		(void)fclose(l->f);
	free(l->line);
	logged_fini(l);
	return rc;
}
