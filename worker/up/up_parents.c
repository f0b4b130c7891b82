/* up/up_parents: `parent` of a [forward] compiled for serving. The shape of
 * every value was checked when the configuration was read. */
#include <stdlib.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/http/peer_addr.h"
#include "common/store/tenants.h"
#include "worker/exch/textfile.h"
#include "worker/up/up.h"
#include "worker/up/up_parent.h"

/* A file of `auth`: a line of credentials; textfile_read() counts in 1k. */
#define PROOF_FILE_MAX 1024
/* Proxies of one line's hosts: all of them are tried for a request. */
#define UP_PARENTS_MAX 8

span
up_parent_for(const struct conf_value *v)
{
	span domains;

	return conf_option(v, "for", &domains) ? domains : span_of(NULL, 0);
}

bool
up_parent_is_direct(const struct conf_value *v)
{
	return span_eq(v->words[0].text, SPAN_LIT("direct"));
}

/* The line in the file; false when it is none. */
static bool
proof_read(const struct conf_value *v, span path, struct arena *a,
    struct diag *d, span *out)
{
	span line;

	if (!textfile_read(path, v->at, PROOF_FILE_MAX, a, d, out))
		return false;
	if (!span_cut(out, '\n', &line))
		line = span_of(NULL, 0);
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (span_chr(line, ':') > 0 && out->len == 0) {
		*out = line;
		return true;
	}
	diag_error(d, v->at, "'%.*s' is to hold one line, user:password",
	    SPAN_FMT(path));
	return false;
}

/* RFC 7617 2. */
static span
proof_make(span pair, struct arena *a)
{
	char *text = arena_alloc(a, BASE64_CHARS(pair.len));

	return arena_printf(a, "Proxy-Authorization: Basic %.*s\r\n",
	    (int)base64_write(pair, text), text);
}

static void
parent_read(struct up_server_conf *s, const struct conf_value *v,
    struct arena *a, struct diag *d)
{
	struct peer_addr addr;
	span path, pair;

	if (!peer_addr_parse(v->words[0].text, &addr))
		diag_error(d, v->at,
		    "'%.*s' is neither address:port nor name:port",
		    SPAN_FMT(v->words[0].text));
	s->text = addr.text;
	s->host = addr.host;
	s->port = addr.port;
	s->is_tls = addr.is_tls;
	s->addr = addr.addr;
	s->at = v->at;
	s->weight = 1;
	if (conf_option(v, "auth", &path) && proof_read(v, path, a, d, &pair))
		s->proof = proof_make(pair, a);
}

static void
parents_read(struct upstream *u, const struct conf_value *v, struct arena *a,
    struct diag *d)
{
	span hosts = up_parent_for(v);
	uint32_t id = u->servers[0].id;
	uint32_t n = 0;

	for (; v != NULL; v = v->next) {
		if (v->is_none || !span_eq(up_parent_for(v), hosts))
			continue;
		if (up_parent_is_direct(v)) {
			diag_error(d, v->at,
			    "direct is no parent to fall back to: a line "
			    "above is for the same hosts");
			continue;
		}
		if (n == UP_PARENTS_MAX) {
			diag_error(d, v->at, "more than %d parents for one",
			    UP_PARENTS_MAX);
			break;
		}
		u->servers[n].id = id;
		parent_read(&u->servers[n++], v, a, d);
	}
	u->n_servers = n;
}

struct upstream *
up_prepare_parent(const struct boot *b, const struct conf_section *sec,
    const struct conf_value *v, uint32_t index, struct arena *a, struct diag *d)
{
	struct upstream *u = up_prepare_any(b, sec);
	struct up_server_conf *servers =
	    calloc(UP_PARENTS_MAX, sizeof(*servers));

	REQUIRE(servers != NULL);
	servers[0].id = u->servers[0].id;
	free(u->servers);
	u->servers = servers;
	u->index = index;
	u->at = v->at;
	u->wire = &parent_ops;
	u->lb = &lb_in_order;
	/* whom nothing was sent to may be passed over */
	u->retry = UP_RETRY_CONNECT;
	parents_read(u, v, a, d);
	return u;
}
