/* up/up_health: what tries meet, told to all workers, and which servers may be
 * asked, as all of them know it. What is known of servers (store/health)
 * changes seldom and is needed for each request: a worker keeps a bit for each
 * server and looks again when something changed or a time is over. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/store/health.h"
#include "common/store/latency.h"
#include "common/store/spots.h"
#include "worker/up/up_group.h"

/* Who changes something says so afterwards, and may die in between. */
#define LOOK_AGAIN_MS 1000u
#define WHOLE_TENTHS 1000u
/* Where a slow start begins: nobody grows from nothing. */
#define START_TENTHS 50u
#define STATUS_5XX 500u
/* What the healthy servers of the own zone bear of what the whole of it would:
 * they are that much larger than the usual load needs. */
#define ZONE_BEARS_TENTHS 1400u

/* A server that came back. */
struct up_starter {
	uint32_t server; /* index */
	uint64_t back_ms;
};

struct up_fitness {
	bool is_known;
	struct up_starter *starters;
	uint32_t n_starters;
	uint32_t *credit; /* of each server: parts of a request that it may
			     have, in tenths of per cent */
	uint32_t changes; /* upstate_changes() when it was looked at */
	uint64_t good_until_ms;
	uint32_t n_words; /* of both sets of bits */
	uint64_t *both; /* the answer of up_group_unfit() and of _off() */
	uint64_t *slow; /* the answer of up_group_slow() */
	uint64_t *far; /* in other zones; it stays */
	uint64_t *near; /* the answer of up_group_near() */
	bool is_any_far;
	uint32_t near_tenths; /* share of the requests that stays near */
	uint32_t near_credit; /* parts of a request that it may have */
	bool goes_far; /* this choice */
	bool is_shared; /* all zones share */
	uint64_t *off; /* taken out by the operator */
	uint64_t *kept; /* of these: drained, and well but for that */
	uint64_t unfit[]; /* these, too */
};

static void
bit_set(uint64_t *bits, uint32_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

struct up_fitness *
up_fitness_new(const struct up_group *g)
{
	uint32_t n_words = (g->conf->n_servers + 63u) / 64;
	struct up_fitness *f =
	    calloc(1, sizeof(*f) + 7 * n_words * sizeof(f->unfit[0]));

	REQUIRE(f != NULL);
	f->n_words = n_words;
	f->both = f->unfit + n_words;
	f->off = f->both + n_words;
	f->slow = f->off + n_words;
	f->kept = f->slow + n_words;
	f->far = f->kept + n_words;
	f->near = f->far + n_words;
	for (uint32_t i = 0; i < g->conf->n_servers; i++)
		if (g->conf->servers[i].is_far) {
			bit_set(f->far, i);
			f->is_any_far = true;
		}
	/* all that a dry run knows */
	for (uint32_t i = 0; i < g->conf->n_servers; i++)
		if (!up_group_has(g, i))
			bit_set(f->off, i);
	/* a dry run knows nothing of health */
	f->near_tenths = WHOLE_TENTHS;
	f->starters = calloc(g->conf->n_servers + 1u, sizeof(*f->starters));
	f->credit = calloc(g->conf->n_servers + 1u, sizeof(*f->credit));
	REQUIRE(f->starters != NULL && f->credit != NULL);
	return f;
}

void
up_fitness_free(struct up_fitness *f)
{
	free(f->starters);
	free(f->credit);
	free(f);
}

static uint64_t
group_now_ms(const struct up_group *g)
{
	return clock_mono_ms(worker_clock(g->w));
}

/* --- which may be asked --------------------------------------------------- */

/* One that came back grows slowly, if it is to. By the clock of this turn it may
 * come back in a moment: others noted it by theirs. */
static void
fitness_note_back(struct up_group *g, uint32_t i, const struct health *h)
{
	struct up_fitness *f = g->fitness;
	uint64_t slow_ms = g->conf->servers[i].slow_start_ms;

	if (slow_ms == 0 || h->back_ms == 0 ||
	    group_now_ms(g) >= h->back_ms + slow_ms)
		return;
	f->starters[f->n_starters++] = (struct up_starter){
	    .server = i,
	    .back_ms = h->back_ms,
	};
}

/* What a zone has to serve with, in weights. Who was taken out is missed all the
 * same. */
struct zone_room {
	uint64_t all;
	uint64_t fit;
};

static void
zone_add(struct zone_room *z, const struct up_group *g, uint32_t i, bool is_fit)
{
	const struct up_server_conf *s = &g->conf->servers[i];

	if (s->is_far || s->is_backup)
		return;
	z->all += up_server_weight(g, i);
	z->fit += is_fit ? up_server_weight(g, i) : 0;
}

/* A key stays in its zone as long as the others are no better off. */
static void
fitness_share_zones(struct up_group *g, const struct zone_room *z, bool panics)
{
	struct up_fitness *f = g->fitness;
	const struct upstream *u = g->conf;
	/* of none all are fit, and it has no share */
	uint64_t all = z->all > 0 ? z->all : 1;

	if (!u->lb->is_keyed)
		f->near_tenths = (uint32_t)u64_min(
		    z->fit * ZONE_BEARS_TENTHS / all, WHOLE_TENTHS);
	else
		f->near_tenths = z->fit * WHOLE_TENTHS / all < u->panic_tenths
				     ? 0
				     : WHOLE_TENTHS;
	f->is_shared =
	    panics || z->fit == 0 || (u->lb->is_keyed && f->near_tenths == 0);
}

static void
fitness_look_at(struct up_group *g, uint32_t i, struct health_class *class,
    struct zone_room *near)
{
	struct up_fitness *f = g->fitness;
	struct health h;

	if (!up_group_has(g, i)) {
		bit_set(f->unfit, i);
		bit_set(f->off, i);
		return;
	}
	health_look(
	    g->w->boot->upstate, g->conf->servers[i].id, group_now_ms(g), &h);
	health_class_add(class, &h);
	zone_add(near, g, i, h.state == HEALTH_UP);
	if (h.state == HEALTH_UP) {
		fitness_note_back(g, i, &h);
		return;
	}
	bit_set(f->unfit, i);
	if (h.state == HEALTH_DRAINING || h.state == HEALTH_OFF)
		bit_set(f->off, i);
	if (h.state == HEALTH_DRAINING &&
	    health_is_well(
		g->w->boot->upstate, g->conf->servers[i].id, group_now_ms(g)))
		bit_set(f->kept, i);
	if (h.until_ms != 0 && h.until_ms < f->good_until_ms)
		f->good_until_ms = h.until_ms;
}

/* All of this kind are used, but those that the operator took out. */
static void
fitness_use_all(struct up_group *g, bool is_backup)
{
	struct up_fitness *f = g->fitness;

	for (uint32_t i = 0; i < g->conf->n_servers; i++)
		if (g->conf->servers[i].is_backup == is_backup &&
		    !lb_is_skipped(f->off, i))
			f->unfit[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

/* --- names ---------------------------------------------------------------- */

/* See where they are by now. */
static void
group_look_at_names(struct up_group *g)
{
	const struct upstream *u = g->conf;

	for (uint32_t i = 0; u->n_names > 0 && i < u->n_servers; i++)
		if (u->servers[i].spots != NULL && u->servers[i].spot == 0)
			up_name_look(&g->servers[i]);
}

/* Whether it may be asked when those that did not answer are left out. */
static bool
spot_is_fit(const struct up_group *g, uint32_t i, bool may_be_avoided)
{
	return !lb_is_skipped(g->fitness->unfit, i) &&
	       (may_be_avoided || !up_server_is_avoided(&g->servers[i]));
}

/* The lowest rank of a name that has such; UINT32_MAX: none. */
static uint32_t
name_rank(const struct up_group *g, uint32_t first, bool may_be_avoided)
{
	uint32_t rank = UINT32_MAX;

	for (uint32_t i = first; i < first + SPOTS_PER_NAME; i++)
		if (spot_is_fit(g, i, may_be_avoided) &&
		    up_server_rank(&g->servers[i]) < rank)
			rank = up_server_rank(&g->servers[i]);
	return rank;
}

/* Of a name those of the lowest rank are asked (RFC 2782), and while there are
 * others, none that did not answer lately. What is left out is asked when all
 * others have failed a request. */
static void
name_hold(struct up_group *g, uint32_t first)
{
	uint32_t rank = name_rank(g, first, false);
	bool may_be_avoided = rank == UINT32_MAX;

	if (may_be_avoided)
		rank = name_rank(g, first, true);
	for (uint32_t i = first; i < first + SPOTS_PER_NAME; i++)
		if (!spot_is_fit(g, i, may_be_avoided) ||
		    up_server_rank(&g->servers[i]) > rank)
			bit_set(g->fitness->unfit, i);
}

static void
group_hold_names(struct up_group *g)
{
	const struct upstream *u = g->conf;

	for (uint32_t i = 0; u->n_names > 0 && i < u->n_servers; i++)
		if (u->servers[i].spots != NULL && u->servers[i].spot == 0)
			name_hold(g, i);
}

/* Nobody waits for the first answer about a name where another server of its
 * kind can be asked. */
static void
group_hold_awaited(struct up_group *g)
{
	struct up_fitness *f = g->fitness;
	bool has_other[2] = {false, false};
	uint32_t n = g->conf->n_names > 0 ? g->conf->n_servers : 0;

	for (uint32_t i = 0; i < n; i++)
		if (!lb_is_skipped(f->unfit, i) &&
		    !up_server_is_awaited(&g->servers[i]))
			has_other[g->conf->servers[i].is_backup] = true;
	for (uint32_t i = 0; i < n; i++)
		if (has_other[g->conf->servers[i].is_backup] &&
		    up_server_is_awaited(&g->servers[i]))
			bit_set(f->unfit, i);
}

/* --- all ------------------------------------------------------------------ */

void
up_group_forget_unfit(struct up_group *g)
{
	g->fitness->is_known = false;
}

static void
fitness_look(struct up_group *g)
{
	struct up_fitness *f = g->fitness;
	const struct upstream *u = g->conf;
	struct health_class usual = {0, 0};
	struct health_class backup = {0, 0};
	struct zone_room near = {0, 0};
	bool panics;

	f->is_known = true;
	f->n_starters = 0;
	f->changes = upstate_changes(g->w->boot->upstate);
	f->good_until_ms = group_now_ms(g) + LOOK_AGAIN_MS;
	memset(f->unfit, 0, f->n_words * sizeof(f->unfit[0]));
	memset(f->off, 0, f->n_words * sizeof(f->off[0]));
	memset(f->kept, 0, f->n_words * sizeof(f->kept[0]));
	group_look_at_names(g);
	up_weights_look(g);
	for (uint32_t i = 0; i < u->n_servers; i++)
		fitness_look_at(
		    g, i, u->servers[i].is_backup ? &backup : &usual, &near);
	panics = health_panics(&usual, &backup, u->panic_tenths);
	fitness_share_zones(g, &near, panics);
	if (health_class_is_below(&backup, u->panic_tenths))
		fitness_use_all(g, true);
	if (panics)
		fitness_use_all(g, false);
	group_hold_names(g);
	group_hold_awaited(g);
}

static void
fitness_refresh(struct up_group *g)
{
	struct up_fitness *f = g->fitness;

	if (!f->is_known ||
	    f->changes != upstate_changes(g->w->boot->upstate) ||
	    group_now_ms(g) >= f->good_until_ms)
		fitness_look(g);
}

static const uint64_t *
fitness_both(struct up_fitness *f, const uint64_t *bits, const uint64_t *skip)
{
	for (uint32_t i = 0; i < f->n_words; i++)
		f->both[i] = bits[i] | skip[i];
	return f->both;
}

const uint64_t *
up_group_unfit(struct up_group *g, const uint64_t *skip)
{
	/* a dry run has no shared numbers */
	if (g->w->boot->upstate == NULL)
		return fitness_both(g->fitness, g->fitness->off, skip);
	fitness_refresh(g);
	return fitness_both(g->fitness, g->fitness->unfit, skip);
}

const uint64_t *
up_group_off(struct up_group *g, const uint64_t *skip)
{
	fitness_refresh(g);
	return fitness_both(g->fitness, g->fitness->off, skip);
}

bool
up_group_may_keep(const struct up_group *g, uint32_t i)
{
	const struct up_fitness *f = g->fitness;

	return !lb_is_skipped(f->unfit, i) || lb_is_skipped(f->kept, i);
}

void
up_group_aim(struct up_group *g)
{
	struct up_fitness *f = g->fitness;

	if (!f->is_any_far)
		return;
	f->near_credit += f->near_tenths;
	f->goes_far = f->near_credit < WHOLE_TENTHS;
	if (!f->goes_far)
		f->near_credit -= WHOLE_TENTHS;
}

const uint64_t *
up_group_near(struct up_group *g, const uint64_t *unfit)
{
	struct up_fitness *f = g->fitness;

	if (!f->is_any_far || f->is_shared)
		return NULL;
	for (uint32_t i = 0; i < f->n_words; i++)
		f->near[i] = (f->goes_far ? ~f->far[i] : f->far[i]) | unfit[i];
	return f->near;
}

/* The share that it has of what it will have. */
static uint32_t
starter_share(const struct up_group *g, const struct up_starter *st)
{
	uint64_t slow_ms = g->conf->servers[st->server].slow_start_ms;
	uint64_t now = group_now_ms(g);
	uint64_t ms = now > st->back_ms ? now - st->back_ms : 0;
	uint64_t share = ms * WHOLE_TENTHS / slow_ms;

	if (share > WHOLE_TENTHS)
		return WHOLE_TENTHS;
	return share < START_TENTHS ? START_TENTHS : (uint32_t)share;
}

const uint64_t *
up_group_slow(struct up_group *g)
{
	struct up_fitness *f = g->fitness;
	bool is_any = false;

	for (uint32_t i = 0; i < f->n_starters; i++) {
		const struct up_starter *st = &f->starters[i];
		uint32_t *credit = &f->credit[st->server];

		*credit += starter_share(g, st);
		if (*credit >= WHOLE_TENTHS) {
			*credit -= WHOLE_TENTHS;
			continue;
		}
		if (!is_any)
			memcpy(
			    f->slow, f->both, f->n_words * sizeof(f->slow[0]));
		is_any = true;
		bit_set(f->slow, st->server);
	}
	return is_any ? f->slow : NULL;
}

/* --- what tries meet ------------------------------------------------------ */

/* Servers of the group that are out, or will be in a moment. */
static uint32_t
group_ejected(const struct up_group *g, uint64_t now_ms)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->conf->n_servers; i++)
		n += health_is_ejected(
		    g->w->boot->upstate, g->conf->servers[i].id, now_ms);
	return n;
}

/* Servers that there are. */
static uint32_t
group_there(const struct up_group *g)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->conf->n_servers; i++)
		n += up_group_has(g, i);
	return n;
}

static void
server_eject(struct up_server *s, enum conf_eject_run run)
{
	const struct up_group *g = s->group;
	const struct upstream *u = g->conf;
	struct upstate *shared = g->w->boot->upstate;
	uint64_t now_ms = group_now_ms(g);
	uint64_t most =
	    (uint64_t)group_there(g) * u->eject.max_tenths / WHOLE_TENTHS;
	char where[SOCK_ADDR_TEXT_CAP];
	size_t len = up_server_where(s, where);
	struct health_claim claim;

	if (!health_eject_claim(shared, g->w->boot->slot, s->conf->id,
		&u->eject, now_ms, &claim))
		return;
	if (group_ejected(g, now_ms) > most) {
		health_eject_drop(shared, s->conf->id, &claim);
		return;
	}
	health_eject_confirm(shared, s->conf->id, &claim, run, now_ms);
	log_msg(LOG_WARN,
	    "server ejected upstream=%.*s server=%.*s%s%.*s why=%s count=%u "
	    "for_ms=%llu times=%u",
	    SPAN_FMT(u->name), SPAN_FMT(s->conf->text), len > 0 ? " at=" : "",
	    (int)len, where, health_run_name(run), u->eject.most[run],
	    (unsigned long long)claim.for_ms, claim.times);
}

/* Something bad happened, or did not. */
static void
server_count(struct up_server *s, enum conf_eject_run run, bool is_bad)
{
	const struct up_group *g = s->group;
	struct upstate *shared = g->w->boot->upstate;
	const struct conf_eject *e = &g->conf->eject;

	if (e->most[run] == 0)
		return;
	if (!is_bad)
		health_count_ends(shared, s->conf->id, run);
	else if (health_count(shared, s->conf->id, run, e, group_now_ms(g)))
		server_eject(s, run);
}

/* The answer broke behind its head, which was judged. */
static bool
fault_is_late(enum fault_id why)
{
	return why == F_ORIGIN_CUT || why == F_ORIGIN_STALL;
}

/* No connection, or it broke. */
static bool
fault_is_reset(enum fault_id why)
{
	return why == F_ORIGIN_CONNECT || why == F_ORIGIN_CONNECT_TIMEOUT ||
	       why == F_ORIGIN_TLS || why == F_ORIGIN_CERT ||
	       why == F_ORIGIN_RESET || fault_is_late(why);
}

void
up_server_failed(struct up_server *s, enum fault_id why)
{
	if (why != F_ORIGIN_TOTAL_TIMEOUT)
		latency_note_failure(s->group->w->boot->upstate, s->conf->id,
		    group_now_ms(s->group));
	if (fault_is_reset(why))
		server_count(s, EJECT_RESET, true);
	/* the last server may have been asked just before all time was over */
	if (!fault_is_late(why) && why != F_ORIGIN_TOTAL_TIMEOUT)
		server_count(s, EJECT_5XX, true);
}

void
up_server_answered(struct up_server *s, unsigned status, uint64_t took_us)
{
	struct upstate *shared = s->group->w->boot->upstate;
	uint64_t now_ms = group_now_ms(s->group);

	if (status >= STATUS_5XX)
		latency_note_failure(shared, s->conf->id, now_ms);
	else
		latency_note(shared, s->conf->id, took_us, now_ms);
	server_count(s, EJECT_5XX, status >= STATUS_5XX);
	server_count(
	    s, EJECT_SLOW, took_us / 1000 >= s->group->conf->eject.slow_ms);
}

void
up_server_finished(struct up_server *s)
{
	server_count(s, EJECT_RESET, false);
}
