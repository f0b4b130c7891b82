/* master/resolver: one question for each name at a time; its timer is the next
 * one's, or that of an answer which could not be put. */
#include "master/resolver.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/base/span.h"
#include "common/http/peer_addr.h"
#include "common/net/dns.h"
#include "common/store/names.h"
#include "common/store/reach.h"
#include "common/store/spots.h"

/* How long an answer, and a failure, is believed at least: what has no lifetime
 * is asked for once in so long. */
#define TTL_MIN_MS 1000u
#define RETRY_MS 1000u
/* When too many names are being resolved, or a place is held by another. */
#define AGAIN_MS 50u

/* One server that is a name. */
struct resolver_name {
	struct resolver *all;
	const char *upstream;
	struct peer_addr at;
	struct spots_name spots;
	uint32_t first; /* the upstream's first server: where requests say that
	                   they wait (store/reach) */
	uint64_t resolve_ms; /* asked again after so long at most; 0: any */
	struct dns_query *query; /* one runs */
	struct timer timer;
	struct dns_answer answer; /* the last that tells what there is */
	bool is_answered; /* there is one */
	bool is_owed; /* it is still to be put */
	uint64_t due_ms; /* of the next question */
	bool is_failing; /* the last one had no answer */
};

struct resolver {
	struct loop *loop;
	const struct boot *boot;
	struct dns_conf *dns_conf;
	struct dns *dns;
	json_t *conf; /* what the names' texts are parts of */
	struct resolver_name *names;
	size_t n;
};

static uint64_t
now_ms(const struct resolver *r)
{
	return clock_mono_ms(loop_clock(r->loop));
}

/* --- what workers read ---------------------------------------------------- */

static struct spots_by
resolver_by(const struct resolver *r)
{
	const struct boot *b = r->boot;

	return (struct spots_by){
	    .slots = b->slots,
	    .me = {b->slot, b->incarnation},
	    .upstate = b->upstate,
	};
}

/* Requests that wait for the name look again. */
static void
name_tell(const struct resolver_name *n)
{
	const struct boot *b = n->all->boot;

	reach_tell(
	    b->upstate, n->first, b->slots, b->wakes, b->slot, now_ms(n->all));
}

static void
name_tell_ignored(const struct resolver_name *n, const struct spots_set *set)
{
	const struct boot *b = n->all->boot;

	if (set->n_ignored == 0)
		return;
	counter_add(
	    &b->counters->slot[b->slot], COUNTER_SPOTS_IGNORED, set->n_ignored);
	log_msg(LOG_WARN,
	    "addresses ignored upstream=%s server=%.*s used=%u ignored=%u",
	    n->upstream, SPAN_FMT(n->at.text), SPOTS_PER_NAME, set->n_ignored);
}

static void
name_put(struct resolver_name *n)
{
	struct spots_by by = resolver_by(n->all);
	struct spots_set set;

	n->is_owed = false;
	switch (
	    spots_put(n->all->boot->spots, &by, &n->spots, &n->answer, &set)) {
	case SPOTS_CHANGED:
		name_tell_ignored(n, &set);
		break;
	case SPOTS_SAME:
		break;
	case SPOTS_BUSY:
		n->is_owed = true;
		break;
	}
	name_tell(n);
}

/* The repair after a death may have emptied them. */
static void
name_look(struct resolver_name *n)
{
	struct spots_set set;

	if (n->is_answered &&
	    spots_read(n->all->boot->spots, n->spots.id, &set) && !set.is_known)
		name_put(n);
}

/* --- questions ------------------------------------------------------------ */

static void
name_rest(struct resolver_name *n)
{
	uint64_t ms = now_ms(n->all);
	uint64_t wait_ms = n->due_ms > ms ? n->due_ms - ms : 0;

	if (n->is_owed)
		wait_ms = u64_min(wait_ms, AGAIN_MS);
	loop_timer_set(n->all->loop, &n->timer, wait_ms);
}

/* `resolve =` counts from when it was asked, by whomever. */
static void
name_use(struct resolver_name *n, const struct dns_answer *a, uint64_t ttl_ms,
    uint64_t good_until_ms)
{
	n->answer = *a;
	n->is_answered = true;
	n->due_ms = good_until_ms;
	if (n->resolve_ms != 0 && n->resolve_ms < ttl_ms)
		n->due_ms -= ttl_ms - n->resolve_ms;
	name_put(n);
}

static uint64_t
answer_ttl_ms(const struct dns_answer *a)
{
	return u64_max((uint64_t)a->ttl_s * 1000, TTL_MIN_MS);
}

static void
name_failed(struct resolver_name *n)
{
	struct spots_by by = resolver_by(n->all);

	if (!n->is_failing)
		log_msg(LOG_WARN, "name not resolved upstream=%s server=%.*s",
		    n->upstream, SPAN_FMT(n->at.text));
	n->is_failing = true;
	n->due_ms = now_ms(n->all) + RETRY_MS;
	spots_fail(n->all->boot->spots, &by, n->spots.id);
	name_tell(n);
}

static void
name_answered(struct resolver_name *n, const struct dns_answer *a)
{
	const struct boot *b = n->all->boot;
	uint64_t ttl_ms = answer_ttl_ms(a);
	uint64_t until_ms = now_ms(n->all) + ttl_ms;

	if (n->is_failing)
		log_msg(LOG_NOTICE, "name resolved upstream=%s server=%.*s",
		    n->upstream, SPAN_FMT(n->at.text));
	n->is_failing = false;
	names_put(b->names, b->slots,
	    (struct slot_name){b->slot, b->incarnation}, n->at.host, a,
	    until_ms);
	name_use(n, a, ttl_ms, until_ms);
}

static void
name_on_answer(void *self, const struct dns_answer *a)
{
	struct resolver_name *n = self;

	n->query = NULL;
	if (a->rc == DNS_OK && a->n > 0) {
		name_answered(n, a);
	} else {
		/* said not to exist: that is an answer, too */
		if (a->rc == DNS_NOT_FOUND)
			name_use(n, a, 0, 0);
		name_failed(n);
	}
	name_rest(n);
}

/* Whether an answer that somebody was given is still good. */
static bool
name_is_known(struct resolver_name *n)
{
	struct dns_answer a;
	uint64_t until_ms;

	if (!names_get(
		n->all->boot->names, n->at.host, now_ms(n->all), &a, &until_ms))
		return false;
	name_use(n, &a, answer_ttl_ms(&a), until_ms);
	return now_ms(n->all) < n->due_ms;
}

static void
name_on_timer(void *self)
{
	struct resolver_name *n = self;

	if (n->is_owed)
		name_put(n);
	if (now_ms(n->all) < n->due_ms || name_is_known(n)) {
		name_rest(n);
		return;
	}
	n->query = dns_resolve(n->all->dns, n->at.host, name_on_answer, n);
	if (n->query == NULL)
		loop_timer_set(n->all->loop, &n->timer, AGAIN_MS);
}

/* --- all of a configuration ----------------------------------------------- */

static void
resolver_stop(struct resolver *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct resolver_name *n = &r->names[i];

		loop_timer_clear(r->loop, &n->timer);
		if (n->query != NULL)
			dns_cancel(n->query);
	}
}

/* Whether a row of an upstream's servers stands for a name: of its spots the
 * first one does. */
static bool
row_is_name(const json_t *server)
{
	return json_is_integer(json_object_get(server, "spots")) &&
	       json_integer_value(json_object_get(server, "spot")) == 0;
}

static uint32_t
row_id(const json_t *servers, size_t i, const char *key)
{
	return (uint32_t)json_integer_value(
	    json_object_get(json_array_get(servers, i), key));
}

static void
resolver_add(struct resolver *r, const json_t *upstream, size_t at)
{
	const json_t *servers = json_object_get(upstream, "servers");
	const json_t *row = json_array_get(servers, at);
	struct resolver_name *n = &r->names[r->n++];

	*n = (struct resolver_name){
	    .all = r,
	    .upstream = json_string_value(json_object_get(upstream, "name")),
	    .spots.id = row_id(servers, at, "spots"),
	    .first = row_id(servers, 0, "id"),
	    .resolve_ms = (uint64_t)json_integer_value(
		json_object_get(row, "resolve_ms")),
	};
	(void)peer_addr_parse(
	    span_str(json_string_value(json_object_get(row, "address"))),
	    &n->at);
	/* the others stand behind it */
	for (uint32_t k = 0; k < SPOTS_PER_NAME; k++)
		n->spots.servers[k] = row_id(servers, at + k, "id");
	timer_init(&n->timer, name_on_timer, n);
}

/* Its names; only counted when nobody adds them. */
static size_t
resolver_walk(struct resolver *r, bool adds)
{
	const json_t *upstream;
	const json_t *server;
	size_t n = 0;
	size_t i;
	size_t k;

	json_array_foreach(json_object_get(r->conf, "upstreams"), i, upstream)
	{
		json_array_foreach(
		    json_object_get(upstream, "servers"), k, server)
		{
			if (!row_is_name(server))
				continue;
			n++;
			if (adds)
				resolver_add(r, upstream, k);
		}
	}
	return n;
}

static void
resolver_drop(struct resolver *r)
{
	resolver_stop(r);
	free(r->names);
	r->names = NULL;
	r->n = 0;
	json_decref(r->conf);
	r->conf = NULL;
}

/* The name servers of the configuration instead of the system's. */
static void
resolver_use_servers(struct resolver *r)
{
	const json_t *j = json_object_get(r->conf, "dns_servers");
	span servers = span_of(json_string_value(j), json_string_length(j));

	if (!dns_use_servers(r->dns, servers))
		log_msg(LOG_ERROR, "name servers of upstreams not set");
}

void
resolver_use(struct resolver *r, json_t *conf)
{
	if (r->conf == conf)
		return;
	resolver_drop(r);
	r->conf = json_incref(conf);
	resolver_use_servers(r);
	r->names = calloc(resolver_walk(r, false) + 1, sizeof(*r->names));
	REQUIRE(r->names != NULL);
	(void)resolver_walk(r, true);
	for (size_t i = 0; i < r->n; i++)
		loop_timer_set(r->loop, &r->names[i].timer, 0);
}

void
resolver_beat(struct resolver *r)
{
	for (size_t i = 0; i < r->n; i++)
		name_look(&r->names[i]);
}

/* --- life ----------------------------------------------------------------- */

struct resolver *
resolver_new(struct loop *l, const struct boot *b)
{
	struct resolver *r = calloc(1, sizeof(*r));

	REQUIRE(r != NULL);
	r->loop = l;
	r->boot = b;
	r->dns_conf = dns_conf_new(span_of(NULL, 0));
	REQUIRE(r->dns_conf != NULL);
	/* the library opens a source of chance here */
	r->dns = dns_new(l, r->dns_conf);
	REQUIRE(r->dns != NULL);
	return r;
}

void
resolver_free(struct resolver *r)
{
	resolver_drop(r);
	dns_free(r->dns);
	dns_conf_free(r->dns_conf);
	free(r);
}
