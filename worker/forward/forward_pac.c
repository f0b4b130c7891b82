/* forward/forward_pac: the file by which browsers find the proxy (Netscape's
 * "Proxy Auto-Config"), as which everybody reads it who asks the proxy itself. It
 * sends around the proxy what that would refuse as an address of an own network. */
#include "common/base/check.h"
#include "common/http/uri.h"
#include "worker/forward/forward_int.h"

#define PAC_TYPE "application/x-ns-proxy-autoconfig"
/* What the own machine and network are called without asking for a name: names
 * of one label, of multicast DNS (RFC 6762) and the addresses of RFC 1918, 1122
 * and 3927. */
#define PAC_OWN \
	"	if (isPlainHostName(host) || dnsDomainIs(host, \".local\") " \
	"||\n" \
	"	    host.indexOf(\":\") >= 0)\n" \
	"		return \"DIRECT\";\n" \
	"	if (/^\\d+\\.\\d+\\.\\d+\\.\\d+$/.test(host) &&\n" \
	"	    (isInNet(host, \"10.0.0.0\", \"255.0.0.0\") ||\n" \
	"	     isInNet(host, \"172.16.0.0\", \"255.240.0.0\") ||\n" \
	"	     isInNet(host, \"192.168.0.0\", \"255.255.0.0\") ||\n" \
	"	     isInNet(host, \"169.254.0.0\", \"255.255.0.0\") ||\n" \
	"	     isInNet(host, \"127.0.0.0\", \"255.0.0.0\")))\n" \
	"		return \"DIRECT\";\n"

bool
pac_is_asked(const struct exch *x)
{
	static const span paths[] = {
	    {"/proxy.pac", 10},
	    {"/wpad.dat", 9},
	};

	if (!x->listen->forward->has_pac || x->listen->is_transparent ||
	    x->req.form != TARGET_ORIGIN ||
	    (x->req.method != METHOD_GET && x->req.method != METHOD_HEAD))
		return false;
	for (size_t i = 0; i < NELEMS(paths); i++)
		if (span_eq(x->req.path, paths[i]))
			return true;
	return false;
}

enum verdict
pac_reply(struct exch *x)
{
	const struct forward *f = x->listen->forward;
	char host[URI_HOST_CAP];
	bool is_v6;
	struct ip ip;
	size_t len;
	span text;

	/* it names us as the client does, if it does so in one way */
	if (uri_normalize_host(x->req.host, host, &len, &ip) ==
	    URI_HOST_AMBIGUOUS) {
		exch_fault(x, F_TARGET_HOST, 0);
		return VERDICT_FAULT;
	}
	is_v6 = memchr(host, ':', len) != NULL;
	text = arena_printf(&x->arena,
	    "function FindProxyForURL(url, host) {\n%s"
	    "	return \"%s %s%.*s%s:%u\";\n}\n",
	    f->allows_private ? "" : PAC_OWN,
	    x->client.tls != NULL ? "HTTPS" : "PROXY", is_v6 ? "[" : "",
	    (int)len, host, is_v6 ? "]" : "", x->client.local_port);
	exch_reply(x, 200, SPAN_LIT(PAC_TYPE), text);
	return VERDICT_REPLY;
}
