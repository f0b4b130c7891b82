/* serve/fetch_url: see fetch_url.h. */
#include "common/serve/fetch_url.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

/* Addresses of one name that are tried in a row. */
#define ADDRESSES_MAX 3u

struct url_fetch {
	struct loop *loop;
	const struct fetch_url *url;
	struct fetch_spec ask;
	fetch_url_f *fn;
	void *self;
	struct dns_query *query; /* under way, or NULL */
	struct fetch *fetch; /* under way, or NULL */
	struct dns_answer addrs;
	uint32_t next_addr;
};

/* --- a URL ---------------------------------------------------------------- */

static bool
url_is_plain(span url)
{
	for (size_t i = 0; i < url.len; i++)
		if (url.p[i] <= ' ' || url.p[i] > '~' || url.p[i] == '"' ||
		    url.p[i] == '\\')
			return false;
	return true;
}

static char *
url_target(const struct uri *u)
{
	char *out = calloc(1, u->path.len + u->query.len + 2);

	REQUIRE(out != NULL);
	memcpy(out, u->path.p, u->path.len);
	if (u->has_query) {
		out[u->path.len] = '?';
		memcpy(out + u->path.len + 1, u->query.p, u->query.len);
	}
	return out;
}

bool
fetch_url_read(struct fetch_url *u, span text)
{
	*u = (struct fetch_url){.text = strndup(text.p, text.len)};
	REQUIRE(u->text != NULL);
	if (url_is_plain(text) && uri_parse(span_str(u->text), &u->uri) &&
	    uri_default_port(u->uri.scheme) != 0) {
		u->target = url_target(&u->uri);
		return true;
	}
	fetch_url_fini(u);
	return false;
}

void
fetch_url_fini(struct fetch_url *u)
{
	free(u->text);
	free(u->target);
	*u = (struct fetch_url){.text = NULL};
}

bool
fetch_url_is_tls(const struct fetch_url *u)
{
	return span_ieq(u->uri.scheme, SPAN_LIT("https"));
}

/* --- asking it ------------------------------------------------------------ */

static void fetch_next_address(struct url_fetch *f);

/* The last thing that is done with it. */
static void
fetch_end(struct url_fetch *f, const struct fetch_result *r, const char *why)
{
	f->fn(f->self, r, why);
	free(f);
}

static void
fetch_on_done(void *self, const struct fetch_result *r)
{
	struct url_fetch *f = self;

	f->fetch = NULL;
	if (r->rc == FETCH_CONNECT && f->next_addr < f->addrs.n &&
	    f->next_addr < ADDRESSES_MAX)
		fetch_next_address(f);
	else if (r->rc != FETCH_OK)
		fetch_end(f, r, fetch_why(r));
	else if (r->answer->status != 200)
		fetch_end(f, r, "the status of its answer is not 200");
	else
		fetch_end(f, r, NULL);
}

static void
fetch_next_address(struct url_fetch *f)
{
	const struct uri *u = &f->url->uri;

	sock_addr_from_ip(&f->addrs.addrs[f->next_addr++],
	    u->port != 0 ? u->port : uri_default_port(u->scheme), &f->ask.to);
	f->fetch = fetch_start(f->loop, &f->ask, fetch_on_done, f);
}

static void
fetch_on_resolved(void *self, const struct dns_answer *answer)
{
	struct url_fetch *f = self;

	f->query = NULL;
	if (answer->rc != DNS_OK) {
		fetch_end(f, NULL, "its name has no address");
		return;
	}
	f->addrs = *answer;
	fetch_next_address(f);
}

struct url_fetch *
fetch_url_start(struct loop *l, struct dns *dns, const struct fetch_url *u,
    const struct fetch_spec *ask, fetch_url_f *fn, void *self)
{
	struct url_fetch *f = calloc(1, sizeof(*f));

	REQUIRE(f != NULL);
	f->loop = l;
	f->url = u;
	f->ask = *ask;
	f->ask.host = u->uri.authority;
	f->ask.target = span_str(u->target);
	f->fn = fn;
	f->self = self;
	if (ip_parse(u->uri.host, &f->addrs.addrs[0])) {
		f->addrs.n = 1;
		fetch_next_address(f);
		return f;
	}
	if (dns != NULL)
		f->query = dns_resolve(dns, u->uri.host, fetch_on_resolved, f);
	if (f->query != NULL)
		return f;
	free(f);
	return NULL;
}

void
fetch_url_cancel(struct url_fetch *f)
{
	if (f->query != NULL)
		dns_cancel(f->query);
	if (f->fetch != NULL)
		fetch_cancel(f->fetch);
	free(f);
}
