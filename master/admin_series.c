/* master/admin_series: GET /v1/traffic: what went through in each of the last
 * seconds, for those who draw it or print it. Once a second the steward looks at
 * what all workers have counted by then; a second is what was added since the
 * look before. Percentiles are read off the histograms of the tallies, evenly
 * within a step. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/date.h"
#include "common/base/num.h"
#include "common/shm/counters.h"
#include "common/store/tally.h"
#include "master/admin.h"

#define SERIES_MS 1000u
/* Seconds that are kept. */
#define SERIES_KEPT 300u
/* What "now" is taken over: a single second says little of a percentile. */
#define SERIES_NOW 10u
#define MS_PER_S 1000.0

enum { STATUS_CLASSES = 6 };

/* All that is counted; of one moment, or between two of them. */
struct traffic {
	uint64_t status[STATUS_CLASSES];
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t hits;
	uint64_t lookups;
	uint64_t steps[TALLY_STEPS + 1];
};

static_assert(sizeof(struct traffic) % sizeof(uint64_t) == 0,
    "it is nothing but numbers");
#define TRAFFIC_NUMBERS (sizeof(struct traffic) / sizeof(uint64_t))

struct second {
	struct traffic added;
	int64_t wall_us; /* its end */
	uint64_t took_us;
};

struct series {
	const struct admin *admin;
	struct timer timer;
	struct traffic last; /* as of the look before */
	uint64_t last_us;
	uint64_t n; /* seconds so far; the last is at[(n - 1) % KEPT] */
	struct second at[SERIES_KEPT];
};

/* --- looking -------------------------------------------------------------- */

/* Every request has a listener; times are kept by its route, or by its
 * [forward]. */
static void
traffic_add_kind(
    const struct admin *a, enum tally_kind kind, struct traffic *sum)
{
	const json_t *thing;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(a->conf, "tallies"),
			       tally_kind_word(kind)),
	    i, thing)
	{
		struct tally t;

		tallies_get(a->boot->tallies,
		    (uint32_t)json_integer_value(
			json_object_get(thing, "tally")),
		    &t);
		if (kind != TALLY_LISTEN) {
			for (size_t k = 0; k < NELEMS(sum->steps); k++)
				sum->steps[k] += t.times[TALLY_TOTAL].n[k];
			continue;
		}
		for (size_t k = 0; k < STATUS_CLASSES; k++)
			sum->status[k] += t.status[k];
		sum->bytes_in += t.bytes_in;
		sum->bytes_out += t.bytes_out;
	}
}

static uint64_t
traffic_count(const struct admin *a, const enum counter_id *which, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += counters_sum(a->boot->counters, which[i]);
	return sum;
}

static void
traffic_look(const struct admin *a, struct traffic *out)
{
	static const enum counter_id hits[] = {COUNTER_CACHE_HITS,
	    COUNTER_CACHE_STALE, COUNTER_CACHE_REVALIDATED,
	    COUNTER_CACHE_COLLAPSED};
	static const enum counter_id others[] = {
	    COUNTER_CACHE_MISSES, COUNTER_CACHE_PASSED};

	memset(out, 0, sizeof(*out));
	traffic_add_kind(a, TALLY_LISTEN, out);
	traffic_add_kind(a, TALLY_ROUTE, out);
	traffic_add_kind(a, TALLY_FORWARD, out);
	out->hits = traffic_count(a, hits, NELEMS(hits));
	out->lookups = out->hits + traffic_count(a, others, NELEMS(others));
}

/* What was added; a name that a reload took away takes its numbers along, which
 * is no negative traffic. */
static void
traffic_since(struct traffic *out, const struct traffic *before)
{
	uint64_t now[TRAFFIC_NUMBERS];
	uint64_t then[TRAFFIC_NUMBERS];

	memcpy(now, out, sizeof(now));
	memcpy(then, before, sizeof(then));
	for (size_t i = 0; i < TRAFFIC_NUMBERS; i++)
		now[i] = now[i] > then[i] ? now[i] - then[i] : 0;
	memcpy(out, now, sizeof(now));
}

static void
traffic_add(struct traffic *sum, const struct traffic *more)
{
	uint64_t all[TRAFFIC_NUMBERS];
	uint64_t one[TRAFFIC_NUMBERS];

	memcpy(all, sum, sizeof(all));
	memcpy(one, more, sizeof(one));
	for (size_t i = 0; i < TRAFFIC_NUMBERS; i++)
		all[i] += one[i];
	memcpy(sum, all, sizeof(all));
}

static void
series_look(struct series *s)
{
	const struct clock *now = loop_clock(s->admin->loop);
	struct second *one = &s->at[s->n % SERIES_KEPT];
	struct traffic seen;

	traffic_look(s->admin, &seen);
	/* the first look has nothing before it */
	if (s->last_us != 0) {
		one->added = seen;
		one->wall_us = now->wall_us;
		one->took_us = now->mono_us - s->last_us;
		traffic_since(&one->added, &s->last);
		s->n++;
	}
	s->last = seen;
	s->last_us = now->mono_us;
}

static void
series_on_timer(void *self)
{
	struct series *s = self;

	series_look(s);
	loop_timer_set(s->admin->loop, &s->timer, SERIES_MS);
}

void
series_use(struct series *s, bool is_wanted)
{
	if (!is_wanted) {
		loop_timer_clear(s->admin->loop, &s->timer);
		s->last_us = 0;
	} else if (!timer_is_set(&s->timer)) {
		series_on_timer(s);
	}
}

struct series *
series_new(const struct admin *a)
{
	struct series *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	s->admin = a;
	timer_init(&s->timer, series_on_timer, s);
	return s;
}

void
series_free(struct series *s)
{
	loop_timer_clear(s->admin->loop, &s->timer);
	free(s);
}

/* --- telling -------------------------------------------------------------- */

/* Where a step begins and ends, in ms; the last has no end. */
static double
step_end_ms(uint32_t i)
{
	return ldexp(MS_PER_S, TALLY_STEP_FIRST + (int)i);
}

/* The time that this part of them did not need more than; null: there were
 * none. What is behind the last step is told as its beginning. */
static json_t *
traffic_percentile(const struct traffic *t, double part)
{
	uint64_t all = 0;
	uint64_t before = 0;
	uint32_t i = 0;
	double rank;
	double from_ms;

	for (uint32_t k = 0; k <= TALLY_STEPS; k++)
		all += t->steps[k];
	if (all == 0)
		return json_null();
	rank = part * (double)all;
	while (i < TALLY_STEPS && (double)(before + t->steps[i]) < rank)
		before += t->steps[i++];
	from_ms = i == 0 ? 0 : step_end_ms(i - 1);
	if (i == TALLY_STEPS)
		return json_real(from_ms);
	return json_real(from_ms + (step_end_ms(i) - from_ms) *
				       (rank - (double)before) /
				       (double)t->steps[i]);
}

static json_t *
traffic_json(const struct traffic *t)
{
	static const char *const names[STATUS_CLASSES] = {
	    "none", "1xx", "2xx", "3xx", "4xx", "5xx"};
	json_t *status = json_object();
	json_t *j = json_object();
	uint64_t all = 0;

	for (size_t i = 0; i < STATUS_CLASSES; i++) {
		tell_number(status, names[i], t->status[i]);
		all += t->status[i];
	}
	tell_number(j, "requests", all);
	(void)json_object_set_new(j, "status", status);
	tell_number(j, "received_bytes", t->bytes_in);
	tell_number(j, "sent_bytes", t->bytes_out);
	tell_number(j, "cache_hits", t->hits);
	tell_number(j, "cache_lookups", t->lookups);
	(void)json_object_set_new(j, "p50_ms", traffic_percentile(t, 0.5));
	(void)json_object_set_new(j, "p90_ms", traffic_percentile(t, 0.9));
	(void)json_object_set_new(j, "p99_ms", traffic_percentile(t, 0.99));
	return j;
}

static json_t *
second_json(const struct second *one, uint64_t number)
{
	json_t *j = traffic_json(&one->added);
	char when[DATE_ISO_LEN];

	date_format_iso(one->wall_us, when);
	tell_number(j, "number", number);
	(void)json_object_set_new(j, "time", json_stringn(when, sizeof(when)));
	tell_number(j, "took_ms", one->took_us / 1000);
	return j;
}

static double
per_second(uint64_t n, uint64_t us)
{
	return us > 0 ? (double)n * 1e6 / (double)us : 0;
}

/* The last seconds together, with what they are a second. */
static json_t *
series_now(const struct series *s)
{
	struct traffic sum = {.hits = 0};
	uint64_t us = 0;
	json_t *j;

	for (uint64_t i = 0; i < u64_min(SERIES_NOW, s->n); i++) {
		const struct second *one = &s->at[(s->n - 1 - i) % SERIES_KEPT];

		traffic_add(&sum, &one->added);
		us += one->took_us;
	}
	j = traffic_json(&sum);
	tell_number(j, "took_ms", us / 1000);
	(void)json_object_set_new(j, "requests_per_s",
	    json_real(per_second(
		(uint64_t)json_integer_value(json_object_get(j, "requests")),
		us)));
	(void)json_object_set_new(
	    j, "sent_bytes_per_s", json_real(per_second(sum.bytes_out, us)));
	return j;
}

static json_t *
series_json(const struct series *s, uint64_t last)
{
	uint64_t n = u64_min(last, u64_min(s->n, SERIES_KEPT));
	struct traffic total;
	json_t *seconds = json_array();
	json_t *j = json_object();

	traffic_look(s->admin, &total);
	(void)json_object_set_new(j, "total", traffic_json(&total));
	(void)json_object_set_new(j, "now", series_now(s));
	for (uint64_t i = s->n - n; i < s->n; i++)
		(void)json_array_append_new(
		    seconds, second_json(&s->at[i % SERIES_KEPT], i + 1));
	(void)json_object_set_new(j, "seconds", seconds);
	return j;
}

void
admin_on_traffic(void *self, struct serve_call *c)
{
	const struct admin *a = self;
	span query = serve_request(c)->query;
	uint64_t last = 0;

	if (!admin_begin(a, c))
		return;
	if (query.len > 0 &&
	    (!span_starts(query, SPAN_LIT("last=")) ||
		!span_u64(span_from(query, sizeof("last=") - 1), SERIES_KEPT,
		    &last))) {
		admin_refuse(c, 400, "expected ?last=N (0 to 300), or nothing");
		return;
	}
	admin_answer(c, 200, series_json(a->series, last));
}
