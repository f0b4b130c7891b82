/* forward/forward_pac: the file by which browsers find the proxy (Netscape's
 * "Proxy Auto-Config"), as which everybody reads it who asks the proxy itself. It
 * sends around the proxy what that would refuse as an address of an own network. */
#include "common/base/check.h"
#include "common/http/uri.h"
#include "worker/forward/forward_int.h"

#define PAC_TYPE "application/x-ns-proxy-autoconfig"
/* Browsers ask when they start, and where somebody changes the file that is
 * seldom worth more. */
#define PAC_AGE "max-age=3600"

/* The networks that `private_networks = deny` refuses (base/ip_special), as the
 * script has them: [first, second, third, fourth, bits]. */
#define V4(a, b, c, d, bits, what, source) \
	"[" #a "," #b "," #c "," #d "," #bits "],"
#define V6(a, b, c, d, bits, what, source)
static const char pac_nets[] =
#include "common/base/ip_special.def"
    ;
#undef V4
#undef V6

/* What the own machine and network are called, and no name server of the internet
 * knows: names of one label, of multicast DNS (RFC 6762), of the machine (RFC
 * 6761) and of homes (RFC 8375); and addresses of IPv4 in those networks, of IPv6
 * outside of 2000::/3 (RFC 4291 2.4). No name is asked for: that would take browsers
 * time, and tell a name server what only the proxy should hear. */
#define PAC_OWN \
	"function isOwn(host) {\n" \
	"	var nets = [%s];\n" \
	"	var at = /^(\\d+)\\.(\\d+)\\.(\\d+)\\.(\\d+)$/.exec(host);\n" \
	"	if (host.indexOf(\":\") >= 0)\n" \
	"		return !/^\\[?[23][0-9a-f]{3}:/i.test(host);\n" \
	"	for (var i = 0; at && i < nets.length; i++) {\n" \
	"		var size = Math.pow(2, 32 - nets[i][4]), sum = 0;\n" \
	"		for (var k = 0; k < 4; k++)\n" \
	"			sum = sum * 256 + (at[k + 1] - nets[i][k]);\n" \
	"		if (sum >= 0 && sum < size)\n" \
	"			return true;\n" \
	"	}\n" \
	"	return isPlainHostName(host) || " \
	"/\\.(local|localhost|home\\.arpa)\\.?$/i.test(host);\n" \
	"}\n"

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
	span own = span_of(NULL, 0);
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
	if (!f->allows_private)
		own = arena_printf(&x->arena, PAC_OWN, pac_nets);
	text = arena_printf(&x->arena,
	    "%.*sfunction FindProxyForURL(url, host) {\n%s"
	    "	return \"%s %s%.*s%s:%u\";\n}\n",
	    SPAN_FMT(own),
	    own.len > 0
		? "	if (isOwn(host))\n		return \"DIRECT\";\n"
		: "",
	    x->client.tls != NULL ? "HTTPS" : "PROXY", is_v6 ? "[" : "",
	    (int)len, host, is_v6 ? "]" : "", x->client.local_port);
	exch_reply(x, 200, SPAN_LIT(PAC_TYPE), text);
	fields_add_id(
	    &x->resp.fields, &x->arena, FIELD_CACHE_CONTROL, SPAN_LIT(PAC_AGE));
	return VERDICT_REPLY;
}
