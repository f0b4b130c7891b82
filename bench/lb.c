/* bench/lb: what each policy makes of servers of mixed speed. The policies are
 * the daemon's own, with its shared numbers; the servers, the requests and time
 * are simulated, from a seed, so that every run prints the same. A request is
 * served in the order of coming by one of the places of its server, for a time
 * that chance draws around the server's mean. Prints a table: the time until the
 * answer, and the share of each server. It fails when least_time serves the slow
 * end (p99) no better than round_robin does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/hist.h"
#include "common/base/check.h"
#include "common/base/siphash.h"
#include "common/net/loop.h"
#include "common/shm/segment.h"
#include "common/store/latency.h"
#include "common/store/upstate.h"
#include "worker/exch/exch.h"
#include "worker/up/up_group.h"

#define MIB (UINT64_C(1) << 20)
#define SEGMENT_MIB 64u
#define SERVERS 10u
#define PLACES 4u
#define WORKERS 4u
#define REQUESTS 200000u
#define LOAD 0.5 /* of what all servers together could do */
#define WAITING_MAX 65536u
#define CLIENTS 5000u

/* Mean service times, in us. */
static const double means[SERVERS] = {
    10e3, 10e3, 10e3, 10e3, 10e3, 10e3, 10e3, 10e3, 20e3, 20e3};

/* A simulated server: a ring of those that wait, and its places. */
struct sim_server {
	uint32_t n_served;
	uint32_t first, n_waiting;
	uint64_t waiting[WAITING_MAX]; /* when they came */
	uint64_t serving[PLACES]; /* when they came */
	uint64_t until[PLACES]; /* 0: the place is free */
};

struct sim {
	struct clock clock;
	uint64_t random;
	struct segment *segment;
	struct upstate *upstate;
	struct boot boot;
	struct worker worker;
	struct upstream conf;
	struct up_server_conf servers[SERVERS];
	struct up_group groups[WORKERS];
	struct sim_server at[SERVERS];
	struct exch x;
	struct hist hist;
};

/* The policies ask the loop for the time, and chance for a seed; the linker
 * gives them these. */
static const struct clock *sim_clock;
const struct clock *__wrap_loop_clock(const struct loop *l);
void __wrap_sipkey_random(struct sipkey *key);

const struct clock *
__wrap_loop_clock(const struct loop *l)
{
	(void)l;
	return sim_clock;
}

void
__wrap_sipkey_random(struct sipkey *key)
{
	*key = (struct sipkey){0x67617465, 0x686f757365};
}

/* --- chance --------------------------------------------------------------- */

/* splitmix64 (Steele et al., 2014), below 1 and above 0. */
static double
sim_chance(struct sim *s)
{
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return ((double)(z >> 11) + 0.5) / (double)(UINT64_C(1) << 53);
}

/* Exponential, at least 1 us. */
static uint64_t
sim_draw(struct sim *s, double mean_us)
{
	return (uint64_t)(-log(sim_chance(s)) * mean_us) + 1;
}

/* --- servers -------------------------------------------------------------- */

static void
server_begin(struct sim *s, uint32_t i, uint32_t place, uint64_t came_us)
{
	s->at[i].serving[place] = came_us;
	s->at[i].until[place] = s->clock.mono_us + sim_draw(s, means[i]);
}

static void
server_add(struct sim *s, uint32_t i)
{
	struct sim_server *v = &s->at[i];

	for (uint32_t p = 0; p < PLACES; p++)
		if (v->until[p] == 0) {
			server_begin(s, i, p, s->clock.mono_us);
			return;
		}
	REQUIRE(v->n_waiting < WAITING_MAX);
	v->waiting[(v->first + v->n_waiting++) % WAITING_MAX] =
	    s->clock.mono_us;
}

static void
server_end(struct sim *s, uint32_t i, uint32_t place)
{
	struct sim_server *v = &s->at[i];
	uint64_t took_us = s->clock.mono_us - v->serving[place];

	upstate_end(s->upstate, 0, i);
	latency_note(s->upstate, i, took_us, clock_mono_ms(&s->clock));
	hist_add(&s->hist, took_us);
	v->n_served++;
	v->until[place] = 0;
	if (v->n_waiting == 0)
		return;
	server_begin(s, i, place, v->waiting[v->first]);
	v->first = (v->first + 1) % WAITING_MAX;
	v->n_waiting--;
}

/* End what ends first, if it does by then. */
static bool
sim_step(struct sim *s, uint64_t by_us)
{
	uint64_t first = by_us;
	uint32_t server = 0, place = PLACES;

	for (uint32_t i = 0; i < SERVERS; i++)
		for (uint32_t p = 0; p < PLACES; p++)
			if (s->at[i].until[p] != 0 &&
			    s->at[i].until[p] <= first) {
				first = s->at[i].until[p];
				server = i;
				place = p;
			}
	if (place == PLACES)
		return false;
	s->clock.mono_us = first;
	server_end(s, server, place);
	return true;
}

/* --- a run ---------------------------------------------------------------- */

static void
sim_open(struct sim *s, const struct lb_ops *lb)
{
	static const struct conf_value nothing;
	static const char names[] = "0123456789";

	memset(s, 0, sizeof(*s));
	s->clock.mono_us = 1000000;
	sim_clock = &s->clock;
	s->random = 1;
	s->segment = segment_new(SEGMENT_MIB * MIB);
	REQUIRE(s->segment != NULL);
	s->upstate = upstate_open(s->segment, true);
	REQUIRE(s->upstate != NULL);
	for (uint32_t i = 0; i < SERVERS; i++) {
		REQUIRE(upstate_ready(s->upstate, i));
		s->servers[i].text = span_of(&names[i], 1);
		s->servers[i].weight = 1;
		s->servers[i].id = i;
	}
	s->boot.upstate = s->upstate;
	s->worker.boot = &s->boot;
	s->conf.servers = s->servers;
	s->conf.n_servers = SERVERS;
	s->conf.lb = lb;
	if (lb->prepare != NULL)
		s->conf.lb_shared = lb->prepare(&s->conf, &nothing, NULL, NULL);
	for (uint32_t i = 0; i < WORKERS; i++) {
		s->groups[i].conf = &s->conf;
		s->groups[i].w = &s->worker;
		up_weights_open(&s->groups[i]);
		s->groups[i].lb_state = lb->open(&s->groups[i]);
	}
}

static void
sim_close(struct sim *s)
{
	for (uint32_t i = 0; i < WORKERS; i++) {
		s->conf.lb->close(s->groups[i].lb_state);
		up_weights_close(&s->groups[i]);
	}
	if (s->conf.lb_shared != NULL)
		s->conf.lb->unprepare(s->conf.lb_shared);
	upstate_free(s->upstate);
	segment_free(s->segment);
}

static void
sim_request(struct sim *s)
{
	static const uint64_t skip[(SERVERS + 63) / 64];
	uint32_t w = (uint32_t)(sim_chance(s) * WORKERS);
	uint32_t client = (uint32_t)(sim_chance(s) * CLIENTS);
	int i;

	memcpy(s->x.client.ip.b, &client, sizeof(client));
	i = s->conf.lb->pick(
	    s->groups[w].lb_state, &s->groups[w], &s->x, skip, false);
	REQUIRE(i >= 0);
	upstate_begin(s->upstate, 0, (uint32_t)i);
	server_add(s, (uint32_t)i);
}

static void
sim_run(struct sim *s)
{
	double rate = 0; /* each us */
	uint64_t next_us = s->clock.mono_us;

	for (uint32_t i = 0; i < SERVERS; i++)
		rate += PLACES / means[i];
	for (uint32_t n = 0; n < REQUESTS; n++) {
		next_us += sim_draw(s, 1 / (rate * LOAD));
		while (sim_step(s, next_us))
			;
		s->clock.mono_us = next_us;
		sim_request(s);
	}
	while (sim_step(s, UINT64_MAX))
		;
}

static double
sim_ms(const struct sim *s, double share)
{
	return (double)hist_quantile(&s->hist, share) / 1000;
}

static void
sim_print(const struct sim *s)
{
	printf("%-12s %8.1f %8.1f %8.1f ", s->conf.lb->name, sim_ms(s, 0.5),
	    sim_ms(s, 0.99), sim_ms(s, 0.999));
	for (uint32_t i = 0; i < SERVERS; i++)
		printf(" %4.1f", 100.0 * s->at[i].n_served / REQUESTS);
	printf("\n");
}

int
main(void)
{
	static const struct lb_ops *const all[] = {
	    &lb_round_robin,
	    &lb_least_conn,
	    &lb_least_time,
	    &lb_random_two,
	    &lb_ip_hash,
	};
	struct sim *s = malloc(sizeof(*s));
	double turn_ms = 0, time_ms = 0;

	REQUIRE(s != NULL);
	printf("%u requests, load %.0f%%, %u servers of %u places; mean ms:",
	    REQUESTS, LOAD * 100, SERVERS, PLACES);
	for (uint32_t i = 0; i < SERVERS; i++)
		printf(" %.0f", means[i] / 1000);
	printf("\n%-12s %8s %8s %8s  share of each server in %%\n", "policy",
	    "p50 ms", "p99 ms", "p999 ms");
	for (size_t i = 0; i < NELEMS(all); i++) {
		sim_open(s, all[i]);
		sim_run(s);
		sim_print(s);
		if (all[i] == &lb_round_robin)
			turn_ms = sim_ms(s, 0.99);
		if (all[i] == &lb_least_time)
			time_ms = sim_ms(s, 0.99);
		sim_close(s);
	}
	free(s);
	return time_ms < turn_ms ? EXIT_SUCCESS : EXIT_FAILURE;
}
