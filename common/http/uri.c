/* http/uri: pieces of request targets. A name that two readers could take for
 * different hosts, or a path for different files, is called by its name here;
 * what to do about it is the caller's policy. */
#include "common/http/uri.h"

#include <string.h>

#include "common/base/ip.h"
#include "common/http/chars.h"

#define HOST_MAX 253 /* RFC 1035 2.3.4, as text */
#define PORT_DIGITS_MAX 5

struct scheme_row {
	span name;
	uint16_t port;
};

static const struct scheme_row schemes[] = {
    {{"http", 4}, 80},
    {{"https", 5}, 443},
    {{"ws", 2}, 80},
    {{"wss", 3}, 443},
};

uint16_t
uri_default_port(span scheme)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (span_ieq(schemes[i].name, scheme))
			return schemes[i].port;
	return 0;
}

/* "" or ":" or ":" port */
static bool
parse_port(span s, uint16_t *port)
{
	uint64_t v;

	*port = 0;
	if (s.len == 0)
		return true;
	if (s.p[0] != ':')
		return false;
	if (s.len == 1)
		return true;
	if (s.len > 1 + PORT_DIGITS_MAX ||
	    !span_u64(span_from(s, 1), UINT16_MAX, &v))
		return false;
	*port = (uint16_t)v;
	return true;
}

bool
uri_parse_authority(span authority, span *host, uint16_t *port)
{
	ptrdiff_t end;
	struct ip ip;

	if (authority.len > 0 && authority.p[0] == '[') {
		end = span_chr(authority, ']');
		if (end < 0)
			return false;
		*host = span_of(authority.p + 1, (size_t)end - 1);
		return span_chr(*host, ':') >= 0 && ip_parse(*host, &ip) &&
		       parse_port(span_from(authority, (size_t)end + 1), port);
	}
	end = span_chr(authority, ':');
	*host = end < 0 ? authority : span_first(authority, (size_t)end);
	return host->len <= HOST_MAX && chars_all(*host, CHAR_HOST) &&
	       parse_port(span_from(authority, host->len), port);
}

/* scheme "://", taken off *rest. */
static bool
cut_scheme(span *rest, span *scheme)
{
	ptrdiff_t end = span_chr(*rest, ':');

	if (end < 1)
		return false;
	*scheme = span_first(*rest, (size_t)end);
	if (!chars_all(*scheme, CHAR_SCHEME) || ascii_lower(rest->p[0]) < 'a')
		return false;
	*rest = span_from(*rest, (size_t)end);
	if (!span_starts(*rest, SPAN_LIT("://")))
		return false;
	*rest = span_from(*rest, 3);
	return true;
}

static size_t
authority_len(span s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#')
		n++;
	return n;
}

bool
uri_parse(span s, struct uri *out)
{
	ptrdiff_t at;

	*out = (struct uri){.port = 0};
	if (!cut_scheme(&s, &out->scheme))
		return false;
	out->authority = span_first(s, authority_len(s));
	if (!uri_parse_authority(out->authority, &out->host, &out->port))
		return false;
	s = span_from(s, out->authority.len);
	at = span_chr(s, '#');
	if (at >= 0) {
		span fragment = span_from(s, (size_t)at + 1);

		if (fragment.len > 0 && !chars_all(fragment, CHAR_TARGET))
			return false;
		s = span_first(s, (size_t)at);
	}
	if (s.len > 0 && !chars_all(s, CHAR_TARGET))
		return false;
	at = span_chr(s, '?');
	out->path = at < 0 ? s : span_first(s, (size_t)at);
	if (at >= 0) {
		out->query = span_from(s, (size_t)at + 1);
		out->has_query = true;
	}
	if (out->path.len == 0)
		out->path = SPAN_LIT("/");
	return true;
}

/* "://", brackets, "?". */
#define NAME_MARKS 6u

size_t
uri_name_cap(const struct uri *u)
{
	return u->scheme.len + u->host.len + u->path.len + u->query.len +
	       NAME_MARKS;
}

static char *
name_add(char *out, span s)
{
	if (s.len > 0)
		memcpy(out, s.p, s.len);
	return out + s.len;
}

static char *
name_add_lower(char *out, span s)
{
	ascii_lower_copy(out, s);
	return out + s.len;
}

size_t
uri_write_name(const struct uri *u, char *out)
{
	bool has_brackets = span_chr(u->host, ':') >= 0;
	char *end = name_add_lower(out, u->scheme);

	end = name_add(end, SPAN_LIT("://"));
	if (has_brackets)
		*end++ = '[';
	end = name_add_lower(end, u->host);
	if (has_brackets)
		*end++ = ']';
	end = name_add(end, u->path);
	if (u->query.len > 0)
		*end++ = '?';
	end = name_add(end, u->query);
	return (size_t)(end - out);
}
