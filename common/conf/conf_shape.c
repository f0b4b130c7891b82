/* conf/conf_shape: the little languages inside of values: addresses, hosts,
 * servers, paths, answers. Judges form only; what a value means at run time is
 * its reader's. The names in angles are those of conf_keys.def. */
#include "common/conf/conf_int.h"

#include "common/base/check.h"
#include "common/base/ip.h"
#include "common/base/service_name.h"

/* Longest path of a unix socket: sun_path with its NUL (unix(7)). */
#define UNIX_PATH_MAX 107
#define HOST_LEN_MAX 253 /* RFC 1035 3.1 */
#define LABEL_LEN_MAX 63

#define LATER " is not built yet (it comes with a later version)"

static bool
parse_port(span s, uint64_t *port)
{
	return s.len <= 5 && span_u64(s, 65535, port);
}

/* "unix:" and a path. */
static bool
check_unix(span s, const char **why)
{
	span path = span_from(s, 5);

	*why = "unix: needs an absolute path of at most 107 bytes";
	return path.len > 1 && path.len <= UNIX_PATH_MAX && path.p[0] == '/';
}

/* "addr:port" with a literal address, or ":port" when may_be_bare. */
static bool
split_address(span s, bool may_be_bare, struct ip *ip, uint64_t *port)
{
	ptrdiff_t colon = span_rchr(s, ':');
	span host;

	if (colon < 0 || !parse_port(span_from(s, (size_t)colon + 1), port))
		return false;
	host = span_first(s, (size_t)colon);
	if (host.len == 0)
		return may_be_bare;
	if (host.p[0] != '[')
		return ip_parse(host, ip) && ip_is_v4(ip);
	return host.p[host.len - 1] == ']' &&
	       ip_parse(span_of(host.p + 1, host.len - 2), ip);
}

/* Whether the last label is a number, which only an address has. */
static bool
ends_in_number(span s)
{
	uint64_t n;

	return span_u64(
	    span_from(s, (size_t)(span_rchr(s, '.') + 1)), UINT32_MAX, &n);
}

/* An IPv4 address, or labels of letters, digits, '-' and '_'. */
static bool
is_host_name(span s)
{
	struct ip ip;
	span label;

	if (s.len == 0 || s.len > HOST_LEN_MAX)
		return false;
	if (ends_in_number(s))
		return ip_parse(s, &ip) && ip_is_v4(&ip);
	while (span_cut(&s, '.', &label)) {
		if (label.len == 0 || label.len > LABEL_LEN_MAX ||
		    label.p[0] == '-' || label.p[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++) {
			char c = ascii_lower(label.p[i]);

			if (!(c >= 'a' && c <= 'z') &&
			    !(c >= '0' && c <= '9') && c != '-' && c != '_')
				return false;
		}
	}
	return true;
}

static bool
shape_listen(span s, unsigned part, const char **why)
{
	struct ip ip;
	uint64_t port;
	ptrdiff_t colon = span_rchr(s, ':');

	(void)part;
	if (span_starts(s, SPAN_LIT("unix:")))
		return check_unix(s, why);
	if (span_starts(s, SPAN_LIT("fd:"))) {
		*why = "fd: needs the number of an inherited descriptor";
		return span_u64(span_from(s, 3), 65535, &port);
	}
	if (split_address(s, true, &ip, &port))
		return true;
	*why = "expected :80, 127.0.0.1:80, [::1]:80, unix:/path or fd:3";
	if (span_starts(s, SPAN_LIT("*:")))
		*why = "all addresses are written :80, without '*'";
	else if (span_u64(s, 65535, &port))
		*why = "a port is written with ':', for example :80";
	else if (colon > 0 && is_host_name(span_first(s, (size_t)colon)) &&
		 !ends_in_number(span_first(s, (size_t)colon)))
		*why = "a name is no address to listen on; write for example "
		       "127.0.0.1:80";
	else if (ip_parse(s, &ip))
		*why = "the port is missing, for example 127.0.0.1:80 or "
		       "[::1]:80";
	return false;
}

/* No inherited descriptor: it is not known whose connections it takes. */
static bool
shape_admin(span s, unsigned part, const char **why)
{
	if (!shape_listen(s, part, why))
		return false;
	*why = "expected unix:/path, or an address and a port such as "
	       "127.0.0.1:9180";
	return !span_starts(s, SPAN_LIT("fd:"));
}

static bool
shape_host(span s, unsigned part, const char **why)
{
	struct ip ip;

	(void)part;
	if (span_eq(s, SPAN_LIT("*")))
		return true;
	if (s.len > 1 && s.p[0] == '[' && s.p[s.len - 1] == ']') {
		*why = "expected an IPv6 address in the brackets";
		return ip_parse(span_of(s.p + 1, s.len - 2), &ip);
	}
	if (span_starts(s, SPAN_LIT("*.")))
		s = span_from(s, 2);
	else if (span_starts(s, SPAN_LIT(".")))
		s = span_from(s, 1);
	if (is_host_name(s))
		return true;
	*why = "expected a host: example.com, *.example.com, .example.com or *";
	if (span_find(s, SPAN_LIT("://")) >= 0 || span_chr(s, '/') >= 0)
		*why = "a host has no scheme and no path";
	else if (span_chr(s, ':') >= 0)
		*why = "a host has no port here; ports are the [listen]'s";
	else if (span_ends(s, SPAN_LIT(".")))
		*why = "a host is written without its last dot";
	else if (span_chr(s, '*') >= 0)
		*why =
		    "'*' stands alone or for the first labels: *.example.com";
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			*why = "a host is written in its ASCII form (xn--...)";
	}
	return false;
}

/* "name", "name:port", "1.2.3.4:port", "[v6]:port". */
static bool
check_server_authority(span s, const char **why)
{
	struct ip ip;
	uint64_t port = 1;
	ptrdiff_t colon = span_rchr(s, ':');

	*why = "expected address:port, name:port or unix:/path";
	if (s.len > 0 && s.p[0] == '[') {
		ptrdiff_t end = span_chr(s, ']');
		span tail = span_from(s, (size_t)(end + 1));

		if (end < 0 ||
		    !ip_parse(span_of(s.p + 1, (size_t)end - 1), &ip))
			return false;
		if (tail.len == 0)
			return true;
		*why = "expected a port from 1 to 65535 behind ':'";
		return tail.p[0] == ':' &&
		       parse_port(span_from(tail, 1), &port) && port > 0;
	}
	if (colon >= 0) {
		span text = span_from(s, (size_t)colon + 1);

		s = span_first(s, (size_t)colon);
		if (span_chr(s, ':') >= 0) {
			*why = "an IPv6 address stands in brackets: [::1]:80";
			return false;
		}
		if (!parse_port(text, &port) || port == 0) {
			*why = "expected a port from 1 to 65535 behind ':'";
			return false;
		}
		if (service_name_is(s)) {
			*why = "a service (_name._tcp.domain) tells its ports "
			       "itself";
			return false;
		}
	}
	return is_host_name(s);
}

static bool
shape_server(span s, unsigned part, const char **why)
{
	bool is_https = span_starts(s, SPAN_LIT("https://"));

	(void)part;
	if (span_starts(s, SPAN_LIT("unix:")))
		return check_unix(s, why);
	if (is_https || span_starts(s, SPAN_LIT("http://")))
		s = span_from(s, is_https ? 8 : 7);
	if (span_find(s, SPAN_LIT("://")) >= 0) {
		*why =
		    "before :// stands http or https; what is spoken there is "
		    "said by `protocol`";
		return false;
	}
	if (span_chr(s, '/') >= 0) {
		*why = "a server has no path; use strip_prefix / add_prefix";
		return false;
	}
	return check_server_authority(s, why);
}

/* A proxy that requests are passed to. */
static bool
shape_parent(span s, unsigned part, const char **why)
{
	bool is_https = span_starts(s, SPAN_LIT("https://"));

	(void)part;
	if (span_eq(s, SPAN_LIT("direct")))
		return true;
	*why = "expected http://host:port, https://host:port, or direct";
	if (!is_https && !span_starts(s, SPAN_LIT("http://")))
		return false;
	s = span_from(s, is_https ? 8 : 7);
	if (span_chr(s, '@') >= 0) {
		*why = "who it is asked by stands in a file: auth=FILE";
		return false;
	}
	if (span_chr(s, '/') >= 0) {
		*why = "a proxy has no path: http://host:port";
		return false;
	}
	return !span_starts(s, SPAN_LIT("unix:")) &&
	       check_server_authority(s, why);
}

/* Whom a certificate is for. */
static bool
shape_sni(span s, unsigned part, const char **why)
{
	struct ip ip;

	(void)part;
	*why = "expected a host name or an IP address, without port";
	return is_host_name(s) || ip_parse(s, &ip);
}

static bool
shape_prefix(span s, unsigned part, const char **why)
{
	struct ip_prefix prefix;

	(void)part;
	*why =
	    "expected an address or a network such as 10.0.0.0/8, whose bits "
	    "behind the prefix are 0";
	return span_eq(s, SPAN_LIT("unix:")) || ip_prefix_parse(s, &prefix);
}

static bool
shape_dns(span s, unsigned part, const char **why)
{
	struct ip ip;
	uint64_t port = 0;

	(void)part;
	*why = "expected the address of a name server, for example 192.0.2.1 "
	       "or [2001:db8::1]:53";
	return ip_parse(s, &ip) ||
	       (split_address(s, false, &ip, &port) && port > 0);
}

static bool
shape_syslog(span s, unsigned part, const char **why)
{
	struct ip ip;
	uint64_t port = 0;

	(void)part;
	if (span_starts(s, SPAN_LIT("unix:")))
		return check_unix(s, why);
	*why = "expected udp://ADDRESS:PORT, tcp://ADDRESS:PORT or unix:/PATH, "
	       "for example udp://192.0.2.1:514; names are not looked up";
	if (!span_starts(s, SPAN_LIT("udp://")) &&
	    !span_starts(s, SPAN_LIT("tcp://")))
		return false;
	return split_address(
		   span_from(s, sizeof("udp://") - 1), false, &ip, &port) &&
	       port > 0;
}

bool
conf_parse_ports(span s, uint16_t *from, uint16_t *to)
{
	ptrdiff_t dash = span_chr(s, '-');
	span low = dash < 0 ? s : span_first(s, (size_t)dash);
	span high = dash < 0 ? s : span_from(s, (size_t)dash + 1);
	uint64_t a = 0;
	uint64_t b = 0;

	if (!parse_port(low, &a) || !parse_port(high, &b) || a == 0 || b < a)
		return false;
	*from = (uint16_t)a;
	*to = (uint16_t)b;
	return true;
}

static bool
shape_ports(span s, unsigned part, const char **why)
{
	uint16_t from, to;

	(void)part;
	*why = "expected a port or some, for example 443 or 8000-8999";
	return conf_parse_ports(s, &from, &to);
}

static bool
shape_path(span s, unsigned part, const char **why)
{
	(void)part;
	*why = "expected a path that begins with '/'";
	if (s.len == 0 || s.p[0] != '/')
		return false;
	*why = "a prefix holds no blanks, no '?' and no '#'";
	for (size_t i = 0; i < s.len; i++) {
		if (strchr(" \t?#", s.p[i]) != NULL)
			return false;
	}
	return true;
}

static bool
shape_file(span s, unsigned part, const char **why)
{
	(void)part;
	*why = "expected the path of a file";
	return s.len > 0 && span_chr(s, '\0') < 0;
}

static bool
shape_hedge(span s, unsigned part, const char **why)
{
	static const char said[] =
	    "expected a time from 1ms to 1h, or p50 to p99";
	int64_t ms = 0;
	uint32_t percent;

	(void)part;
	if (s.len > 0 && s.p[0] == 'p') {
		*why = said;
		return conf_parse_tail(s, &percent);
	}
	if (!conf_parse_duration(s, &ms, why))
		return false;
	*why = said;
	return ms >= 1 && ms <= INT64_C(3600) * 1000;
}

/* Of bans; as the key of a [limit] has them. */
static bool
shape_ban(span s, unsigned part, const char **why)
{
	int64_t ms = 0;

	(void)part;
	if (!conf_parse_duration(s, &ms, why))
		return false;
	*why = "expected a time from 1ms to 1y";
	return ms >= 1 && ms <= INT64_C(365) * 86400 * 1000;
}

/* Take "200" and the blanks behind it off the front. */
static bool
take_status(span *s, uint64_t *status)
{
	span word;

	if (!span_word(s, &word) || word.len != 3 ||
	    !span_u64(word, 599, status))
		return false;
	*s = span_trim(*s);
	return true;
}

static bool
shape_respond(span s, unsigned part, const char **why)
{
	uint64_t status = 0;

	(void)part;
	*why = "expected a status from 200 to 599, then a text if wanted";
	return take_status(&s, &status) && status >= 200;
}

static bool
shape_redirect(span s, unsigned part, const char **why)
{
	uint64_t status = 0;

	(void)part;
	*why = "expected 301, 302, 303, 307 or 308 and the target";
	if (!take_status(&s, &status) || s.len == 0)
		return false;
	if (status != 301 && status != 302 && status != 303 && status != 307 &&
	    status != 308)
		return false;
	*why = "a target holds no blanks";
	return span_chr(s, ' ') < 0 && span_chr(s, '\t') < 0;
}

static bool
shape_canonical(span s, unsigned part, const char **why)
{
	ptrdiff_t colon = span_rchr(s, ':');
	uint64_t port = 1;

	(void)part;
	*why = "expected a host, with a port if it is to have one: "
	       "www.example.com";
	if (colon >= 0 &&
	    (!parse_port(span_from(s, (size_t)colon + 1), &port) || port == 0))
		return false;
	return is_host_name(colon < 0 ? s : span_first(s, (size_t)colon));
}

/* A field name's bytes (RFC 9110 5.6.2). */
static bool
shape_field(span s, unsigned part, const char **why)
{
	(void)part;
	*why = "a header's name holds letters, digits and !#$%&'*+-.^_`|~ only";
	for (size_t i = 0; i < s.len; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    strchr("!#$%&'*+-.^_`|~", c) == NULL)
			return false;
	}
	return s.len > 0;
}

static bool
shape_log_format(span s, unsigned part, const char **why)
{
	static const span known[] = {
	    {"combined", 8},
	    {"common", 6},
	    {"json", 4},
	    {"squid", 5},
	    {"combined_policy", 15},
	    {"squid_policy", 12},
	};

	(void)part;
	*why = "expected combined, common, json, squid, combined_policy, "
	       "squid_policy or a template with {variables}";
	for (size_t i = 0; i < NELEMS(known); i++)
		if (span_eq(s, known[i]))
			return true;
	return span_chr(s, '{') >= 0;
}

static const struct {
	const char *name;
	bool (*check)(span s, unsigned part, const char **why);
} shapes[] = {
    {"<listen>", shape_listen},
    {"<admin>", shape_admin},
    {"<host>", shape_host},
    {"<server>", shape_server},
    {"<parent>", shape_parent},
    {"<sni>", shape_sni},
    {"<prefix>", shape_prefix},
    {"<dns>", shape_dns},
    {"<ports>", shape_ports},
    {"<path>", shape_path},
    {"<file>", shape_file},
    {"<hedge>", shape_hedge},
    {"<ban>", shape_ban},
    {"<respond>", shape_respond},
    {"<redirect>", shape_redirect},
    {"<canonical>", shape_canonical},
    {"<field>", shape_field},
    {"<log_format>", shape_log_format},
    {"<syslog>", shape_syslog},
};

bool
conf_shape_check(const char *shape, unsigned part, span s, const char **why)
{
	for (size_t i = 0; i < NELEMS(shapes); i++) {
		if (strcmp(shapes[i].name, shape) == 0)
			return shapes[i].check(s, part, why);
	}
	UNREACHED();
}
