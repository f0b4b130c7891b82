/* http/peer_addr: schemes, names and addresses of servers. */
#include "common/http/peer_addr.h"

#include <string.h>

#include "common/http/uri.h"

/* An address, else a name that is resolved when it is needed. */
static bool
peer_addr_find(struct peer_addr *a)
{
	struct ip ip;
	span host;

	if (span_starts(a->authority, SPAN_LIT("unix:")))
		return sock_addr_parse(a->authority, &a->addr);
	if (!uri_parse_authority(a->authority, &host, &a->port))
		return false;
	if (a->port == 0)
		a->port = uri_default_port(
		    a->is_tls ? SPAN_LIT("https") : SPAN_LIT("http"));
	if (ip_parse(host, &ip))
		sock_addr_from_ip(&ip, a->port, &a->addr);
	else
		a->host = host;
	return true;
}

bool
peer_addr_parse(span text, struct peer_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->is_tls = span_starts(text, SPAN_LIT("https://"));
	out->authority = text;
	if (out->is_tls)
		out->authority = span_from(text, sizeof("https://") - 1);
	else if (span_starts(text, SPAN_LIT("http://")))
		out->authority = span_from(text, sizeof("http://") - 1);
	/* logs tell whether TLS is spoken */
	out->text = out->is_tls ? text : out->authority;
	return peer_addr_find(out);
}
