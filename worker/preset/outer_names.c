/* preset/outer_names: knows the addresses of servers and turns URLs of theirs
 * into ours. */
#include "worker/preset/outer_names.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/map.h"
#include "common/conf/conf.h"
#include "common/http/chars.h"
#include "common/http/peer_addr.h"
#include "worker/preset/preset.h"

#define OUTER_HTTP_PORT 80
#define OUTER_HTTPS_PORT 443
/* Longest host and port that can be a server's (RFC 1035 2.3.4). */
#define OUTER_AUTHORITY_MAX 264

struct outer_names {
	struct map authorities; /* "host:port" */
	struct map hosts;
};

/* A URL that names a host, in its parts. */
struct outer_url_parts {
	span authority;
	span host;
	uint64_t port;
	span rest; /* from the path on */
};

static bool
outer_split_authority(span authority, uint64_t deflt, struct outer_url_parts *p)
{
	ptrdiff_t colon = span_rchr(authority, ':');
	ptrdiff_t bracket = span_rchr(authority, ']');

	p->authority = authority;
	p->host = authority;
	p->port = deflt;
	if (colon > bracket) {
		span digits = span_from(authority, (size_t)colon + 1);

		p->host = span_first(authority, (size_t)colon);
		if (digits.len > 0 && !span_u64(digits, UINT16_MAX, &p->port))
			return false;
	}
	return p->host.len > 0;
}

/* "http://host:port/..." or "//host/...". Names of users never stand in what we
 * make, and hide which host is meant. */
static bool
outer_split(span url, span scheme, struct outer_url_parts *p)
{
	bool is_https = span_ieq(scheme, SPAN_LIT("https"));
	span rest;
	size_t n = 0;

	if (span_ieq(span_first(url, 7), SPAN_LIT("http://"))) {
		is_https = false;
		rest = span_from(url, 7);
	} else if (span_ieq(span_first(url, 8), SPAN_LIT("https://"))) {
		is_https = true;
		rest = span_from(url, 8);
	} else if (span_starts(url, SPAN_LIT("//"))) {
		rest = span_from(url, 2);
	} else {
		return false;
	}
	while (n < rest.len && strchr("/?#", rest.p[n]) == NULL)
		n++;
	p->rest = span_from(rest, n);
	rest = span_first(rest, n);
	return span_chr(rest, '@') < 0 &&
	       outer_split_authority(
		   rest, is_https ? OUTER_HTTPS_PORT : OUTER_HTTP_PORT, p);
}

/* "host:port" in lower case into `out`; empty when it is too long. */
static span
outer_key(const struct outer_url_parts *p, char out[OUTER_AUTHORITY_MAX])
{
	int n = snprintf(out, OUTER_AUTHORITY_MAX, "%.*s:%u", SPAN_FMT(p->host),
	    (unsigned)p->port);

	return n > 0 && n < OUTER_AUTHORITY_MAX ? span_of(out, (size_t)n)
						: span_of(NULL, 0);
}

/* The address in a `server =`; false for sockets of unix and services, whose
 * ports nobody wrote. */
static bool
outer_split_server(span text, struct outer_url_parts *p)
{
	struct peer_addr addr;

	if (!peer_addr_parse(text, &addr) ||
	    span_starts(addr.authority, SPAN_LIT("unix:")) ||
	    span_starts(addr.authority, SPAN_LIT("_")))
		return false;
	return outer_split_authority(addr.authority,
	    addr.is_tls ? OUTER_HTTPS_PORT : OUTER_HTTP_PORT, p);
}

struct outer_names *
outer_names_prepare(const struct conf_section *upstream, struct arena *a)
{
	struct outer_names *n = arena_zalloc(a, sizeof(*n));
	struct outer_url_parts p;
	char key[OUTER_AUTHORITY_MAX];

	map_init(&n->authorities, true);
	map_init(&n->hosts, true);
	for (const struct conf_value *v = upstream->first[KEY_UPSTREAM_SERVER];
	     v != NULL; v = v->next) {
		if (v->n_words == 0 ||
		    !outer_split_server(v->words[0].text, &p))
			continue;
		(void)map_put(
		    &n->authorities, arena_span(a, outer_key(&p, key)), n);
		(void)map_put(&n->hosts, p.host, n);
	}
	return n;
}

void
outer_names_fini(struct outer_names *n)
{
	map_fini(&n->authorities);
	map_fini(&n->hosts);
}

/* Whether it names one of the servers: host and port. */
static bool
outer_is_server(const struct outer_view *v, const struct outer_url_parts *p)
{
	char key[OUTER_AUTHORITY_MAX];
	char other[OUTER_AUTHORITY_MAX];
	struct outer_url_parts server;
	span k = outer_key(p, key);

	if (k.len == 0 || span_ieq(p->authority, v->authority))
		return false;
	if (v->names != NULL && map_get(&v->names->authorities, k) != NULL)
		return true;
	return v->server.len > 0 && outer_split_server(v->server, &server) &&
	       span_ieq(k, outer_key(&server, other));
}

static bool
outer_is_below(span path, span prefix)
{
	return span_starts(path, prefix) &&
	       (path.len == prefix.len ||
		   strchr("/?#", path.p[prefix.len]) != NULL);
}

span
outer_path(struct arena *a, const struct outer_view *v, span path)
{
	span parts[3] = {v->strip_prefix, SPAN_LIT(""), path};

	if (v->add_prefix.len > 0 && outer_is_below(path, v->add_prefix))
		parts[2] = span_from(path, v->add_prefix.len);
	if (parts[2].len == 0 || parts[2].p[0] != '/')
		parts[1] = SPAN_LIT("/");
	if (parts[0].len == 0 && parts[1].len == 0 && parts[2].len == path.len)
		return path;
	return arena_concat(a, parts, NELEMS(parts));
}

span
outer_url(struct arena *a, const struct outer_view *v, span url)
{
	struct outer_url_parts p;
	span parts[4] = {v->scheme, SPAN_LIT("://"), v->authority};

	if (url.len > 0 && url.p[0] == '/' && !span_starts(url, SPAN_LIT("//")))
		return v->has_paths ? outer_path(a, v, url) : url;
	if (!outer_split(url, v->scheme, &p) || !outer_is_server(v, &p))
		return url;
	parts[3] = outer_path(a, v, p.rest);
	/* without a name of ours the path alone: it must not begin with two
	 * slashes, which would name a host (RFC 3986 4.2) */
	if (v->authority.len == 0) {
		while (span_starts(parts[3], SPAN_LIT("//")))
			parts[3] = span_from(parts[3], 1);
		return parts[3];
	}
	return arena_concat(a, parts, NELEMS(parts));
}

span
outer_refresh(struct arena *a, const struct outer_view *v, span value)
{
	ptrdiff_t semicolon = span_chr(value, ';');
	span parts[3];
	span url;

	if (semicolon < 0)
		return value;
	url = span_trim(span_from(value, (size_t)semicolon + 1));
	if (!span_ieq(span_first(url, 3), SPAN_LIT("url")))
		return value;
	url = span_trim(span_from(url, 3));
	if (url.len == 0 || url.p[0] != '=')
		return value;
	url = span_trim(span_from(url, 1));
	if (url.len > 0 && (url.p[0] == '"' || url.p[0] == '\''))
		url = span_of(url.p + 1, url.len - 1);
	parts[0] = span_of(value.p, (size_t)(url.p - value.p));
	parts[2] = span_of(NULL, 0);
	if (url.len > 0 && strchr("\"'", url.p[url.len - 1]) != NULL) {
		url.len--;
		parts[2] = span_of(url.p + url.len, 1);
	}
	parts[1] = outer_url(a, v, url);
	return parts[1].p == url.p ? value
				   : arena_concat(a, parts, NELEMS(parts));
}

bool
outer_is_server_host(const struct outer_view *v, span domain)
{
	struct outer_url_parts ours = {.port = 0};
	struct outer_url_parts server;

	if (domain.len > 0 && domain.p[0] == '.')
		domain = span_from(domain, 1);
	if (domain.len == 0)
		return false;
	if (outer_split_authority(v->authority, 0, &ours) &&
	    span_ieq(ours.host, domain))
		return false;
	if (v->names != NULL && map_get(&v->names->hosts, domain) != NULL)
		return true;
	return v->server.len > 0 && outer_split_server(v->server, &server) &&
	       span_ieq(server.host, domain);
}
