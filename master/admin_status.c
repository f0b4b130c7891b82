/* master/admin_status: everything about the running gatehouse in one answer:
 * what the master told, and what the segment shows. Numbers in the segment are
 * their writers'; nothing but numbers is taken from it. */
#include <string.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/num.h"
#include "common/http/peer_addr.h"
#include "common/shm/counters.h"
#include "common/shm/slot.h"
#include "common/store/adaptive.h"
#include "common/store/history.h"
#include "common/store/limits.h"
#include "common/store/objects.h"
#include "common/store/spots.h"
#include "common/store/upqueue.h"
#include "common/store/upstate.h"
#include "master/admin.h"

/* Changes of servers in one answer; a history that does not fit is left out. */
#define STATUS_CHANGES_MAX 4096u

static const char *
slot_state_name(uint32_t state)
{
	static const char *const names[] = {
	    [SLOT_FREE] = "free",
	    [SLOT_STARTING] = "starting",
	    [SLOT_SERVING] = "serving",
	    [SLOT_RETIRING] = "retiring",
	    [SLOT_DEAD] = "dead",
	};

	return state < NELEMS(names) ? names[state] : "?";
}

static uint64_t
now_ms(const struct admin *a)
{
	return clock_mono_ms(loop_clock(a->loop));
}

static json_t *
age_ms(uint64_t since_ms, uint64_t ms)
{
	if (since_ms == 0)
		return json_null();
	return json_integer(ms > since_ms ? (json_int_t)(ms - since_ms) : 0);
}

/* Seconds since the time that `from` holds. */
static void
set_age(json_t *j, const char *key, const json_t *from, uint64_t ms)
{
	uint64_t began =
	    (uint64_t)json_integer_value(json_object_get(from, "began_ms"));

	tell_number(j, key, ms > began ? (ms - began) / 1000 : 0);
}

static json_t *
status_slot(const struct slot *s, uint32_t no, uint64_t ms)
{
	json_t *j = json_object();

	tell_number(j, "slot", no);
	tell_number(j, "incarnation", atomic_load(&s->incarnation));
	tell_number(j, "pid", atomic_load(&s->pid));
	(void)json_object_set_new(
	    j, "state", json_string(slot_state_name(atomic_load(&s->state))));
	(void)json_object_set_new(
	    j, "heartbeat_age_ms", age_ms(atomic_load(&s->heartbeat_ms), ms));
	return j;
}

static json_t *
status_workers(const struct admin *a)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		const struct slot *s = &a->boot->slots->at[i];
		json_t *j;

		/* one that has ended is none, though its slot is not free yet */
		if (atomic_load(&s->state) == SLOT_FREE ||
		    atomic_load(&s->state) == SLOT_DEAD ||
		    atomic_load(&s->role) != SLOT_WORKER)
			continue;
		j = status_slot(s, i, now_ms(a));
		tell_number(j, "generation", atomic_load(&s->generation));
		tell_number(j, "connections", atomic_load(&s->connections));
		tell_number(j, "tunnels", atomic_load(&s->tunnels));
		tell_number(j, "lag_us", atomic_load(&s->lag_us));
		(void)json_array_append_new(all, j);
	}
	return all;
}

static json_t *
status_counters(const struct admin *a)
{
	json_t *j = json_object();

	for (uint32_t i = 0; i < COUNTER_N; i++)
		tell_number(
		    j, counter_name(i), counters_sum(a->boot->counters, i));
	return j;
}

static json_t *
status_generations(const struct admin *a)
{
	json_t *all = json_deep_copy(json_object_get(a->state, "generations"));
	json_t *j;
	size_t i;

	json_array_foreach(all, i, j)
	{
		set_age(j, "age_s", j, now_ms(a));
		(void)json_object_del(j, "began_ms");
	}
	return all;
}

/* A time of the segment as people write it. */
static void
set_time(const struct admin *a, json_t *j, const char *key, uint64_t mono_ms)
{
	const struct clock *now = loop_clock(a->loop);
	int64_t ago_us = (int64_t)now->mono_us - (int64_t)mono_ms * 1000;
	char when[DATE_ISO_LEN];

	if (mono_ms == 0) {
		(void)json_object_set_new(j, key, json_null());
		return;
	}
	date_format_iso(now->wall_us - ago_us, when);
	(void)json_object_set_new(j, key, json_stringn(when, sizeof(when)));
}

/* Why it is not up; NULL for null. */
static json_t *
health_reason(const struct health *h)
{
	switch (h->state) {
	case HEALTH_UP:
		return json_null();
	case HEALTH_EJECTED:
		return json_string(health_run_name(h->run));
	case HEALTH_DOWN:
		if (h->detail != 0)
			return json_sprintf(
			    "%s %u", health_why_name(h->why), h->detail);
		return json_string(health_why_name(h->why));
	case HEALTH_DRAINING:
	case HEALTH_OFF:
		return json_string("operator");
	}
	UNREACHED();
}

/* Whether the server is asked, why not, and since when. */
static void
set_health(const struct admin *a, json_t *server, const struct health *h)
{
	(void)json_object_set_new(
	    server, "health", json_string(health_state_name(h->state)));
	(void)json_object_set_new(server, "why", health_reason(h));
	set_time(a, server, "since", h->since_ms);
	set_time(a, server, "until", h->until_ms);
	(void)json_object_set_new(
	    server, "order", json_string(health_order_name(h->order)));
}

/* The newest change first. */
static json_t *
status_history(const struct admin *a, uint32_t id)
{
	struct history_change changes[HISTORY_MAX];
	uint32_t n = history_read(a->boot->upstate, id, changes);
	json_t *all = json_array();

	for (uint32_t i = 0; i < n; i++) {
		json_t *j = json_object();

		set_time(a, j, "time", changes[i].to.since_ms);
		(void)json_object_set_new(
		    j, "from", json_string(health_state_name(changes[i].from)));
		(void)json_object_set_new(j, "to",
		    json_string(health_state_name(changes[i].to.state)));
		(void)json_object_set_new(
		    j, "why", health_reason(&changes[i].to));
		(void)json_array_append_new(all, j);
	}
	return all;
}

/* The numbers that all workers keep of one server in the place of its id. */
static void
status_server(const struct admin *a, json_t *server, struct health_class *usual,
    struct health_class *backup, size_t *n_changes)
{
	struct upstate *u = a->boot->upstate;
	struct health h;
	uint64_t id =
	    (uint64_t)json_integer_value(json_object_get(server, "id"));
	bool is_known = id < UPSTATE_SERVERS_MAX;
	uint32_t at = is_known ? (uint32_t)id : 0;

	(void)json_object_del(server, "id");
	(void)json_object_del(server, "number");
	(void)json_object_del(server, "resolve_ms");
	(void)json_object_set_new(server, "weight_order", json_null());
	(void)json_object_set_new(server, "history", json_null());
	tell_number(server, "active", is_known ? upstate_active(u, at) : 0);
	tell_number(server, "requests",
	    is_known ? upstate_get(u, at, UPSTATE_REQUESTS) : 0);
	tell_number(server, "failures",
	    is_known ? upstate_get(u, at, UPSTATE_FAILURES) : 0);
	if (!is_known)
		return;
	health_look(u, at, now_ms(a), &h);
	health_class_add(
	    json_is_true(json_object_get(server, "backup")) ? backup : usual,
	    &h);
	set_health(a, server, &h);
	if (health_weight(u, at) != 0)
		tell_number(server, "weight_order", health_weight(u, at));
	if (*n_changes + HISTORY_MAX > STATUS_CHANGES_MAX)
		return;
	(void)json_object_set_new(server, "history", status_history(a, at));
	*n_changes += json_array_size(json_object_get(server, "history"));
}

/* Take an id from an object; the largest number when it is none below `cap`. */
static uint32_t
take_id(json_t *j, const char *key, uint32_t cap)
{
	uint64_t id = (uint64_t)json_integer_value(json_object_get(j, key));

	(void)json_object_del(j, key);
	return id < cap ? (uint32_t)id : UINT32_MAX;
}

/* Its addresses: two where a host has both families. */
static void
status_set_at(json_t *server, const struct spot *spot)
{
	struct peer_addr peer;
	struct dns_answer answer;
	json_t *all = json_array();

	(void)peer_addr_parse(
	    span_str(json_string_value(json_object_get(server, "address"))),
	    &peer);
	spot_answer(spot, &answer);
	for (uint32_t i = 0; i < answer.n; i++) {
		char text[SOCK_ADDR_TEXT_CAP];
		struct sock_addr addr;

		dns_answer_addr(&answer, i, peer.port, &addr);
		(void)sock_addr_format(&addr, text);
		(void)json_array_append_new(all, json_string(text));
	}
	(void)json_object_set_new(server, "at", all);
}

/* Put what stands in its spot in the place of its id: null for what is no name,
 * or is nowhere. false: it is none of the servers that there are. */
static bool
status_spot(const struct admin *a, json_t *server)
{
	uint32_t spot = take_id(server, "spot", SPOTS_PER_NAME);
	uint32_t id = take_id(server, "spots", SPOTS_MAX);
	struct spots_set set;

	(void)json_object_set_new(server, "at", json_null());
	if (id == UINT32_MAX || !spots_read(a->boot->spots, id, &set))
		return id == UINT32_MAX || spot == 0;
	if (set.at[spot].n == 0) {
		for (uint32_t k = 0; k < SPOTS_PER_NAME; k++)
			spot |= set.at[k].n;
		return spot == 0;
	}
	status_set_at(server, &set.at[spot]);
	return true;
}

json_t *
admin_status_server(const struct admin *a, const json_t *server)
{
	struct health_class none = {0, 0};
	json_t *j = json_deep_copy(server);
	size_t n_changes = 0;

	if (!status_spot(a, j)) {
		json_decref(j);
		return NULL;
	}
	status_server(a, j, &none, &none, &n_changes);
	return j;
}

/* What an upstream may have at once, has, and refused. */
static void
status_limits(const struct admin *a, json_t *j)
{
	const struct boot *b = a->boot;
	uint32_t requests = take_id(j, "requests_id", UPSTATE_SERVERS_MAX);
	uint32_t waiting = take_id(j, "waiting_id", UPSTATE_SERVERS_MAX);
	uint32_t queue = take_id(j, "queue_id", UPQUEUE_MAX);
	uint64_t limit =
	    (uint64_t)json_integer_value(json_object_get(j, "max_connections"));

	if (requests == UINT32_MAX || waiting == UINT32_MAX ||
	    queue == UINT32_MAX)
		return;
	if (json_is_true(json_object_get(j, "adaptive"))) {
		uint32_t found = adaptive_limit(
		    (const struct adaptive *)upqueue_words(b->upqueue, queue));

		limit = limit > 0 ? u64_min(limit, found) : found;
	}
	/* 0: none for all servers together */
	tell_number(j, "limit", limit);
	tell_number(j, "active", upstate_active(b->upstate, requests));
	tell_number(j, "waiting", upstate_active(b->upstate, waiting));
	tell_number(
	    j, "waited", upqueue_get(b->upqueue, queue, UPQUEUE_WAITED));
	tell_number(
	    j, "refused", upqueue_get(b->upqueue, queue, UPQUEUE_REFUSED));
	tell_number(
	    j, "timeouts", upqueue_get(b->upqueue, queue, UPQUEUE_TIMEOUTS));
}

/* Leave out the spots of names where nothing is. */
static void
status_drop_spots(const struct admin *a, json_t *servers)
{
	for (size_t k = 0; k < json_array_size(servers);)
		if (status_spot(a, json_array_get(servers, k)))
			k++;
		else
			(void)json_array_remove(servers, k);
}

static json_t *
status_upstreams(const struct admin *a)
{
	json_t *all = json_deep_copy(json_object_get(a->conf, "upstreams"));
	json_t *upstream;
	json_t *server;
	size_t n_changes = 0;
	size_t i;
	size_t k;

	json_array_foreach(all, i, upstream)
	{
		uint32_t panic = (uint32_t)json_integer_value(
		    json_object_get(upstream, "panic"));
		struct health_class usual = {0, 0};
		struct health_class backup = {0, 0};

		status_drop_spots(a, json_object_get(upstream, "servers"));
		json_array_foreach(
		    json_object_get(upstream, "servers"), k, server)
		{
			status_server(a, server, &usual, &backup, &n_changes);
		}
		(void)json_object_set_new(upstream, "panic",
		    json_boolean(health_panics(&usual, &backup, panic)));
		(void)json_object_del(upstream, "check");
		if (json_object_get(upstream, "limits") != NULL)
			status_limits(a, json_object_get(upstream, "limits"));
	}
	return all;
}

/* What became of the requests that met it, by words. */
static json_t *
status_results(const struct admin *a, span cache)
{
	const json_t *all = json_object_get(
	    json_object_get(a->conf, "tallies"), tally_kind_word(TALLY_CACHE));
	json_t *j = json_object();
	struct tally t = {0};
	const json_t *thing;
	size_t i;

	json_array_foreach(all, i, thing)
	{
		if (span_eq(span_str(json_string_value(
				json_object_get(thing, "name"))),
			cache))
			tallies_get(a->boot->tallies,
			    (uint32_t)json_integer_value(
				json_object_get(thing, "tally")),
			    &t);
	}
	for (int r = RESULT_NONE + 1; r < RESULT_N; r++)
		tell_number(
		    j, cache_result_word((enum cache_result)r), t.results[r]);
	return j;
}

static json_t *
status_cache(const struct admin *a, const struct objects *o)
{
	json_t *j = json_object();
	struct obj_stats s;

	objects_stats(o, &s);
	(void)json_object_set_new(j, "name", tell_text(objects_name(o)));
	tell_number(j, "memory", s.memory);
	tell_number(j, "used", s.used);
	tell_number(j, "objects", s.objects);
	tell_number(j, "filling", s.filling);
	tell_number(j, "evicted", s.evicted);
	tell_number(j, "broken", s.broken);
	tell_number(j, "repaired", s.repaired);
	tell_number(j, "purges", s.purges);
	(void)json_object_set_new(
	    j, "results", status_results(a, objects_name(o)));
	return j;
}

static json_t *
status_caches(const struct admin *a)
{
	const struct boot *b = a->boot;
	struct slot_name me = {b->slot, b->incarnation};
	json_t *all = json_array();
	struct objects *o;
	/* while an upgrade goes on, one may be missing for a moment */
	bool is_partial = false;
	uint32_t at = 0;

	while ((o = objects_walk(b->segment, b->slots, me, &at, &is_partial)) !=
	       NULL) {
		(void)json_array_append_new(all, status_cache(a, o));
		objects_walk_end(o, me);
	}
	return all;
}

/* What each [limit] did. A table that a reload replaced is listed, too, as long
 * as its generation lives. */
static json_t *
status_rate_limits(const struct admin *a)
{
	static const char *const names[LIMITS_COUNTS] = {
	    [LIMITS_COUNT_REFUSED] = "refused",
	    [LIMITS_COUNT_HELD] = "held",
	    [LIMITS_COUNT_EVICTED] = "forgotten",
	    [LIMITS_COUNT_UNKNOWN] = "not_counted",
	    [LIMITS_COUNT_PASSED] = "passed",
	};
	const struct boot *b = a->boot;
	struct slot_name me = {b->slot, b->incarnation};
	json_t *all = json_array();
	struct limits_stats s;
	uint32_t at = 0;

	while (limits_next(b->segment, b->slots, me, &at, &s)) {
		json_t *j = json_object();

		(void)json_object_set_new(
		    j, "name", tell_text(span_str(s.name)));
		for (size_t i = 0; i < LIMITS_COUNTS; i++)
			tell_number(j, names[i], s.counts[i]);
		(void)json_array_append_new(all, j);
	}
	return all;
}

static json_t *
status_config(const struct admin *a)
{
	return json_incref(json_object_get(a->conf, "config"));
}

static json_t *
status_collections(const struct admin *a)
{
	const struct collections *c = a->boot->collections;
	json_t *j = json_object();

	(void)json_object_set_new(
	    j, "forgotten", json_integer((json_int_t)collections_evicted(c)));
	(void)json_object_set_new(
	    j, "not_kept", json_integer((json_int_t)collections_missed(c)));
	(void)json_object_set_new(
	    j, "full", json_integer((json_int_t)collections_full(c)));
	return j;
}

/* --- all of it ------------------------------------------------------------ */

static json_t *
status_version(const struct admin *a)
{
	(void)a;
	return json_string(PACKAGE_VERSION);
}

static json_t *
status_uptime(const struct admin *a)
{
	uint64_t began =
	    (uint64_t)json_integer_value(json_object_get(a->state, "began_ms"));
	uint64_t ms = now_ms(a);

	return json_integer(ms > began ? (json_int_t)(ms - began) / 1000 : 0);
}

static json_t *
status_steward(const struct admin *a)
{
	uint32_t slot = a->boot->slot;

	return status_slot(&a->boot->slots->at[slot], slot, now_ms(a));
}

/* Each key, and what makes it; without that it stands in what the master told
 * of its state. */
static const struct status_part {
	const char *key;
	json_t *(*make)(const struct admin *a);
} parts[] = {
    {"version", status_version},
    {"pid", NULL},
    {"uptime_s", status_uptime},
    {"state", NULL},
    {"config", status_config},
    {"reload", NULL},
    {"reloads", NULL},
    {"cache_file", NULL},
    {"log_level", admin_status_level},
    {"certificate", admin_status_first_end},
    {"certificates", admin_status_certificates},
    {"generations", status_generations},
    {"workers", status_workers},
    {"steward", status_steward},
    {"counters", status_counters},
    {"upstreams", status_upstreams},
    {"caches", status_caches},
    {"limits", status_rate_limits},
    {"quotas", admin_status_quotas},
    {"collections", status_collections},
    {"bans", admin_status_bans},
    {"top", admin_status_top},
    {"blocked", admin_status_blocked},
    {"waf_rules", admin_status_rules},
    {"maintenance", admin_status_sites},
};

static void
status_add(const struct admin *a, json_t *j, const struct status_part *p)
{
	if (p->make != NULL)
		(void)json_object_set_new(j, p->key, p->make(a));
	else
		(void)json_object_set(
		    j, p->key, json_object_get(a->state, p->key));
}

static const struct status_part *
status_find(span key)
{
	for (size_t i = 0; i < NELEMS(parts); i++)
		if (span_eq(key, span_str(parts[i].key)))
			return &parts[i];
	return NULL;
}

json_t *
admin_status(const struct admin *a, span only)
{
	json_t *j = json_object();
	span key;

	for (size_t i = 0; only.p == NULL && i < NELEMS(parts); i++)
		status_add(a, j, &parts[i]);
	while (span_cut(&only, ',', &key)) {
		const struct status_part *p = status_find(key);

		if (p == NULL) {
			json_decref(j);
			return NULL;
		}
		status_add(a, j, p);
	}
	return j;
}
