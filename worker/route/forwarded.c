/* route/forwarded: reads lists that strangers may have begun and trusted
 * proxies ended. Decides nothing about trust: route/client does. */
#include "worker/route/forwarded.h"

void
forwarded_begin(
    struct forwarded_iter *it, const struct http_fields *f, enum field_id id)
{
	*it = (struct forwarded_iter){.fields = f, .id = id, .line = f->n};
}

/* Go to the line before; false when there is none. */
static bool
forwarded_line(struct forwarded_iter *it)
{
	while (it->line > 0) {
		const struct http_field *f = &it->fields->at[--it->line];

		if (f->id == it->id && !f->is_gone) {
			it->rest = f->value;
			return true;
		}
	}
	return false;
}

/* Whether the quote at index i is text inside of quotes (RFC 9110 5.6.4). */
static bool
forwarded_is_escaped(span s, size_t i)
{
	size_t n = 0;

	while (n < i && s.p[i - n - 1] == '\\')
		n++;
	return n % 2 == 1;
}

/* Index of the last `sep` that is outside of quotes, or -1. Quotes pair up from
 * the right, where the nearest proxy wrote: one that a stranger left open on
 * the left cannot hide what stands behind it. */
static ptrdiff_t
forwarded_last(span s, char sep)
{
	bool is_quoted = false;

	for (size_t i = s.len; i-- > 0;) {
		if (s.p[i] == '"' && !forwarded_is_escaped(s, i))
			is_quoted = !is_quoted;
		else if (s.p[i] == sep && !is_quoted)
			return (ptrdiff_t)i;
	}
	return -1;
}

/* Take what stands behind the last `sep` off the end of *rest. */
static span
forwarded_cut_last(span *rest, char sep)
{
	ptrdiff_t at = forwarded_last(*rest, sep);
	span last = span_trim(span_from(*rest, (size_t)(at + 1)));

	*rest = span_first(*rest, at < 0 ? 0 : (size_t)at);
	return last;
}

bool
forwarded_prev(struct forwarded_iter *it, span *member)
{
	for (;;) {
		if (it->rest.len == 0 && !forwarded_line(it))
			return false;
		*member = forwarded_cut_last(&it->rest, ',');
		if (member->len > 0)
			return true;
	}
}

static bool
forwarded_read_port(span s, uint16_t *port)
{
	uint64_t v;

	if (!span_u64(s, UINT16_MAX, &v))
		return false;
	*port = (uint16_t)v;
	return true;
}

/* "[v6]" or "[v6]:port". */
static bool
forwarded_read_bracketed(span s, struct forwarded_hop *out)
{
	ptrdiff_t end = span_chr(s, ']');
	span rest;

	if (end < 0 || !ip_parse(span_of(s.p + 1, (size_t)end - 1), &out->ip))
		return false;
	rest = span_from(s, (size_t)end + 1);
	if (rest.len == 0)
		return true;
	return rest.p[0] == ':' &&
	       forwarded_read_port(span_from(rest, 1), &out->port);
}

bool
forwarded_read_xff(span member, struct forwarded_hop *out)
{
	ptrdiff_t colon;

	*out = (struct forwarded_hop){.port = 0};
	if (member.len > 0 && member.p[0] == '[')
		return forwarded_read_bracketed(member, out);
	if (ip_parse(member, &out->ip))
		return true;
	/* an IPv4 address with a port */
	colon = span_chr(member, ':');
	return colon > 0 &&
	       ip_parse(span_first(member, (size_t)colon), &out->ip) &&
	       forwarded_read_port(
		   span_from(member, (size_t)colon + 1), &out->port);
}

/* Without the quotes around it. What is inside of ours is never escaped. */
static span
forwarded_unquote(span s)
{
	if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
		return span_of(s.p + 1, s.len - 2);
	return s;
}

bool
forwarded_read_rfc7239(span member, struct forwarded_hop *out)
{
	span rest = member;
	span proto = span_of(NULL, 0);
	bool has_for = false;

	*out = (struct forwarded_hop){.port = 0};
	while (rest.len > 0) {
		span pair = forwarded_cut_last(&rest, ';');
		ptrdiff_t eq = span_chr(pair, '=');
		span name;
		span value;

		if (eq < 0)
			continue;
		name = span_trim(span_first(pair, (size_t)eq));
		value = forwarded_unquote(
		    span_trim(span_from(pair, (size_t)eq + 1)));
		if (span_ieq(name, SPAN_LIT("proto")))
			proto = value;
		if (!span_ieq(name, SPAN_LIT("for")))
			continue;
		if (has_for || !forwarded_read_xff(value, out))
			return false;
		has_for = true;
	}
	out->proto = proto;
	return has_for;
}
