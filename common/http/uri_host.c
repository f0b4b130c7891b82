/* http/uri_host: a host in its one spelling. What a resolver of names would
 * take for an address (inet_aton(3): "127.1", "0x7f000001", "2130706433") and
 * is not written as one is refused, not guessed: what was judged would not be
 * what is connected to. */
#include "common/http/uri.h"

#include <string.h>

#include "common/http/chars.h"

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */

/* Letters, digits and hyphens (RFC 1123 2.1), and the underscore that some
 * hosts have all the same. */
static bool
host_is_label(span label)
{
	if (label.len == 0 || label.len > LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++) {
		char c = ascii_lower(label.p[i]);

		if (!char_is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' &&
		    c != '_')
			return false;
	}
	return true;
}

/* Whether a label is a number to inet_aton(3): then its host is an address or
 * nothing (WHATWG URL, "ends in a number"). */
static bool
host_is_number(span label)
{
	bool is_hex = span_starts(label, SPAN_LIT("0x")) ||
		      span_starts(label, SPAN_LIT("0X"));

	for (size_t i = is_hex ? 2 : 0; i < label.len; i++)
		if (!(is_hex ? char_is(label.p[i], CHAR_HEX)
			     : char_is_digit(label.p[i])))
			return false;
	return true;
}

static enum uri_host
host_write_ip(const struct ip *ip, char *out, size_t *len)
{
	*len = ip_format(ip, out);
	return URI_HOST_ADDRESS;
}

enum uri_host
uri_normalize_host(span host, char *out, size_t *len, struct ip *ip)
{
	span rest, label = host;

	*len = 0;
	if (span_chr(host, ':') >= 0)
		return ip_parse(host, ip) ? host_write_ip(ip, out, len)
					  : URI_HOST_AMBIGUOUS;
	if (host.len > 0 && host.p[host.len - 1] == '.')
		host.len--;
	if (host.len == 0 || host.len >= URI_HOST_CAP)
		return URI_HOST_AMBIGUOUS;
	for (rest = host; span_cut(&rest, '.', &label);)
		if (!host_is_label(label))
			return URI_HOST_AMBIGUOUS;
	if (host_is_number(label))
		return ip_parse(host, ip) ? host_write_ip(ip, out, len)
					  : URI_HOST_AMBIGUOUS;
	for (size_t i = 0; i < host.len; i++)
		out[i] = ascii_lower(host.p[i]);
	*len = host.len;
	return URI_HOST_NAME;
}
