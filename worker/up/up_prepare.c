/* up/up_prepare: an [upstream] section compiled for serving. The shape of every
 * value was checked when the configuration was read. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/conf/conf_balance.h"
#include "common/http/peer_addr.h"
#include "common/store/spots.h"
#include "common/store/tenants.h"
#include "common/tls/tls_client.h"
#include "worker/up/h1o.h"
#include "worker/up/h2o.h"
#include "worker/up/lb.h"
#include "worker/up/up.h"

/* What `hedge` takes of the requests when it does not say `max`. */
#define HEDGE_TENTHS 100
/* How soon it asks at the earliest, with a percentage that does not say `min`. */
#define HEDGE_MIN_MS 10

static void
server_read(struct up_server_conf *s, const struct conf_value *v, span zone,
    struct diag *d)
{
	struct peer_addr a;
	const char *why;
	span option;
	uint64_t n;
	int64_t ms;

	if (!peer_addr_parse(v->words[0].text, &a))
		diag_error(d, v->at,
		    "'%.*s' is neither address:port nor "
		    "name:port",
		    SPAN_FMT(v->words[0].text));
	s->is_tls = a.is_tls;
	s->text = a.text;
	s->host = a.host;
	s->port = a.port;
	s->addr = a.addr;
	s->at = v->at;
	s->weight = 1;
	if (conf_option(v, "weight", &option) &&
	    span_u64(option, UP_WEIGHT_MAX, &n))
		s->weight = (uint32_t)n;
	if (conf_option(v, "slow_start", &option) &&
	    conf_parse_duration(option, &ms, &why))
		s->slow_start_ms = (uint64_t)ms;
	s->max_connections = conf_places_server(v);
	s->is_backup = conf_option(v, "backup", NULL);
	if (!conf_option(v, "zone", &option))
		option = span_of(NULL, 0);
	s->is_far = zone.len > 0 && !span_eq(option, zone);
}

/* A name is a server for each of its spots. */
static void
server_spread(struct upstream *u, struct up_server_conf *first,
    const struct claims *claims, span text)
{
	struct spots_name *name = &u->names[u->n_names++];

	/* what is only checked has none */
	(void)claims_spots(claims, u->name, text, name);
	first->spots = name;
	for (uint32_t k = 1; k < SPOTS_PER_NAME; k++) {
		first[k] = *first;
		first[k].spot = k;
		first[k].id = name->servers[k];
	}
	u->n_servers += SPOTS_PER_NAME - 1;
}

static void
upstream_read_servers(struct upstream *u, const struct conf_scope *s,
    const struct claims *claims, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	uint32_t n_names = 0;
	uint32_t n = 0;

	while ((v = conf_next(s, KEY_UPSTREAM_SERVER, &it)) != NULL) {
		struct peer_addr a;

		(void)peer_addr_parse(v->words[0].text, &a);
		n_names += a.host.len > 0;
		n += a.host.len > 0 ? SPOTS_PER_NAME : 1;
	}
	if (n > UP_SERVERS_MAX) {
		diag_error(d, u->at,
		    "[upstream %.*s] has more than %u servers, of which a "
		    "name counts as %u",
		    SPAN_FMT(u->name), UP_SERVERS_MAX, SPOTS_PER_NAME);
		n = n_names = 0;
	}
	u->servers = calloc(n + 1u, sizeof(*u->servers));
	u->names = calloc(n_names + 1u, sizeof(*u->names));
	REQUIRE(u->servers != NULL && u->names != NULL);
	it = (struct conf_iter){NULL, 0, false};
	while (u->n_servers < n &&
	       (v = conf_next(s, KEY_UPSTREAM_SERVER, &it)) != NULL) {
		struct up_server_conf *server = &u->servers[u->n_servers++];

		server_read(server, v, conf_text(s, KEY_UPSTREAM_ZONE), d);
		server->id = claims_server(claims, u->name, v->words[0].text);
		if (server->host.len > 0)
			server_spread(u, server, claims, v->words[0].text);
	}
}

static unsigned
upstream_retry(const struct conf_scope *s)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
	    {"connect", UP_RETRY_CONNECT},
	    {"reset", UP_RETRY_RESET},
	    {"timeout", UP_RETRY_TIMEOUT},
	    {"invalid", UP_RETRY_INVALID},
	    {"500", UP_RETRY_500},
	    {"502", UP_RETRY_502},
	    {"503", UP_RETRY_503},
	    {"504", UP_RETRY_504},
	};
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	unsigned bits = 0;

	while ((v = conf_next(s, KEY_UPSTREAM_RETRY, &it)) != NULL)
		for (uint32_t i = 0; i < v->n_words; i++)
			for (size_t k = 0; k < NELEMS(words); k++)
				if (span_eq(v->words[i].text,
					span_str(words[k].word)))
					bits |= words[k].bit;
	return bits;
}

/* How servers are chosen; needs to know all of them. */
static void
upstream_read_balance(struct upstream *u, const struct conf_scope *s,
    struct arena *a, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_UPSTREAM_BALANCE);
	span name = conf_balance_name(s);

	u->lb = lb_find(name);
	/* the reader knows the same words */
	REQUIRE(u->lb != NULL);
	if (u->lb->prepare != NULL)
		u->lb_shared = u->lb->prepare(u, v, a, d);
	else if (v != NULL && v->n_words > 1)
		diag_error(
		    d, v->words[1].at, "'%.*s' takes nothing", SPAN_FMT(name));
}

static void
upstream_read_hedge(
    struct upstream *u, const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_UPSTREAM_HEDGE);
	int64_t n = HEDGE_TENTHS;
	const char *why;
	span option;

	if (v == NULL)
		return;
	if (v->next != NULL)
		diag_error(d, v->next->key_at, "hedge stands twice (line %u)",
		    v->key_at.line);
	if (conf_option(v, "max", &option))
		(void)conf_parse_percent(option, &n, &why);
	u->hedge_tenths = (uint32_t)n;
	if (conf_parse_tail(v->words[0].text, &u->hedge_percent)) {
		u->hedge_ms = HEDGE_MIN_MS;
		if (conf_option(v, "min", &option) &&
		    conf_parse_duration(option, &n, &why))
			u->hedge_ms = (uint64_t)n;
	} else if (conf_option(v, "min", NULL)) {
		diag_error(d, v->at, "hedge has a min only with p50 to p99");
	} else if (conf_parse_duration(v->words[0].text, &n, &why)) {
		u->hedge_ms = (uint64_t)n;
	}
	u->hedge_at = v->at;
}

struct upstream *
up_prepare(const struct boot *b, const struct conf_section *sec, uint32_t index,
    struct arena *a, struct diag *d)
{
	struct conf_scope s = conf_scope_of(b->conf, sec);
	struct upstream *u = calloc(1, sizeof(*u));

	REQUIRE(u != NULL);
	u->index = index;
	u->name = sec->name;
	u->at = sec->at;
	u->wire = span_eq(conf_text(&s, KEY_UPSTREAM_PROTOCOL), SPAN_LIT("h2"))
		      ? &h2o_ops
		      : &h1o_ops;
	upstream_read_servers(u, &s, b->claims, d);
	upstream_read_balance(u, &s, a, d);
	u->keepalive = (uint32_t)conf_num(&s, KEY_UPSTREAM_KEEPALIVE);
	u->connect_timeout_ms =
	    (uint64_t)conf_num(&s, KEY_UPSTREAM_CONNECT_TIMEOUT);
	u->response_timeout_ms =
	    (uint64_t)conf_num(&s, KEY_UPSTREAM_RESPONSE_TIMEOUT);
	u->idle_timeout_ms = (uint64_t)conf_num(&s, KEY_UPSTREAM_IDLE_TIMEOUT);
	u->try_timeout_ms = (uint64_t)conf_num(&s, KEY_UPSTREAM_TRY_TIMEOUT);
	u->total_timeout_ms =
	    (uint64_t)conf_num(&s, KEY_UPSTREAM_TOTAL_TIMEOUT);
	u->retry = upstream_retry(&s);
	u->retry_budget_tenths =
	    (uint32_t)conf_num(&s, KEY_UPSTREAM_RETRY_BUDGET);
	upstream_read_hedge(u, &s, d);
	u->send_proxy = (int)conf_num(&s, KEY_UPSTREAM_SEND_PROXY);
	/* the reader told its problems */
	conf_eject_read(&s, &u->eject, NULL);
	conf_sticky_read(&s, &u->sticky, NULL);
	conf_places_read(&s, &u->limits, NULL);
	u->requests_id = claims_places(b->claims, u->name, CLAIM_REQUESTS);
	u->waiting_id = claims_places(b->claims, u->name, CLAIM_WAITING);
	u->queue_id = claims_places(b->claims, u->name, CLAIM_QUEUE);
	u->tally =
	    claims_tally(b->claims, TALLY_UPSTREAM, u->name, span_of(NULL, 0));
	u->panic_tenths = (uint32_t)conf_num(&s, KEY_UPSTREAM_PANIC);
	return u;
}

struct upstream *
up_prepare_any(const struct boot *b, const struct conf_section *sec)
{
	struct conf_scope s = conf_scope_of(b->conf, sec);
	struct upstream *u = calloc(1, sizeof(*u));

	REQUIRE(u != NULL);
	u->name = sec->name;
	u->at = sec->at;
	u->tally =
	    claims_tally(b->claims, TALLY_FORWARD, u->name, span_of(NULL, 0));
	u->wire = &h1o_ops;
	u->lb = &lb_only;
	u->n_servers = 1;
	u->servers = calloc(1, sizeof(*u->servers));
	REQUIRE(u->servers != NULL);
	u->servers[0] = (struct up_server_conf){
	    .weight = 1,
	    .id = claims_server(
		b->claims, sec->name, SPAN_LIT(CLAIM_FORWARD_SERVER)),
	    .at = sec->at,
	};
	u->keepalive = (uint32_t)conf_num(&s, KEY_UPSTREAM_KEEPALIVE);
	u->connect_timeout_ms =
	    (uint64_t)conf_num(&s, KEY_UPSTREAM_CONNECT_TIMEOUT);
	u->response_timeout_ms =
	    (uint64_t)conf_num(&s, KEY_UPSTREAM_RESPONSE_TIMEOUT);
	u->idle_timeout_ms = (uint64_t)conf_num(&s, KEY_UPSTREAM_IDLE_TIMEOUT);
	/* there is no other server, and none that is waited for: `retry` says
	 * nothing; the addresses of one are tried in any case */
	u->retry = 0;
	return u;
}

void
upstream_free(struct upstream *u)
{
	if (u == NULL)
		return;
	if (u->lb_shared != NULL)
		u->lb->unprepare(u->lb_shared);
	tls_client_free(u->tls);
	free(u->servers);
	free(u->names);
	free(u);
}
