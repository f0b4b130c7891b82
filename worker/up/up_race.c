/* up/up_race: never more than two at once. Where one fails, the next address
 * takes its place at once. */
#include "worker/up/up_race.h"

#include "common/store/upstate.h"
#include "worker/up/up_try.h"

/* Connection Attempt Delay (RFC 8305 8). */
#define RACE_DELAY_MS 250u

struct up_race {
	struct up_try *t;
	struct timer timer; /* until another one begins */
	struct origin *rival; /* NULL: none runs beside t->o */
	uint64_t began_ms; /* the rival */
	struct up_at at; /* where it goes to */
};

static void
race_drop(struct up_race *r)
{
	if (r->rival != NULL)
		r->t->ops->close(r->rival);
	r->rival = NULL;
}

/* The rival failed. */
static void
race_lose(struct up_race *r)
{
	up_server_avoid(r->t->server, &r->at);
	race_drop(r);
}

/* The rival goes on alone: it was faster, or the other one failed. */
static void
race_promote(struct up_race *r)
{
	struct up_try *t = r->t;

	up_server_avoid(t->server, &t->at);
	t->ops->close(t->o);
	t->o = r->rival;
	t->at = r->at;
	r->rival = NULL;
}

static void
race_note_failure(const struct up_try *t)
{
	const struct worker *w = t->x->w;

	counter_add(w->counters, COUNTER_ORIGIN_FAILURES, 1);
	upstate_add(w->boot->upstate, t->server->conf->id, UPSTATE_FAILURES);
}

/* Another address beside the one that is being connected to, if there is any.
 */
static void
race_go_on(struct up_race *r)
{
	struct up_try *t = r->t;

	while (r->rival == NULL && up_server_may_race(t->server, &t->turn)) {
		struct sock_addr to;

		up_server_addr(t->server, &t->turn, &to);
		t->n_tries++;
		t->x->origin.tries++;
		r->rival = t->ops->connect(t, &to);
		r->at = t->turn.at;
		r->began_ms = try_now_ms(t);
		if (r->rival == NULL)
			race_note_failure(t);
	}
}

static void
race_on_timer(void *self)
{
	struct up_race *r = self;

	OBJ_CHECK(r->t, MAGIC_TRY);
	race_go_on(r);
	exch_kick(r->t->x);
}

void
race_begin(struct up_try *t)
{
	struct up_race *r = t->race;

	/* one that waits for room is not slow to connect */
	if (t->o->why_late != F_NONE ||
	    !up_server_may_race(t->server, &t->turn))
		return;
	if (r == NULL) {
		r = t->race = arena_zalloc(&t->x->arena, sizeof(*r));
		r->t = t;
		timer_init(&r->timer, race_on_timer, r);
	}
	loop_timer_set(t->x->w->loop, &r->timer, RACE_DELAY_MS);
}

/* Both were looked at, and the rival is not there: what is left of them. */
static enum origin_rc
race_judge(struct up_race *r, enum origin_rc first, enum origin_rc rival)
{
	if (first == ORIGIN_READY ||
	    (first == rival && first == ORIGIN_FAILED)) {
		if (rival == ORIGIN_FAILED)
			race_lose(r);
		race_drop(r);
		return first;
	}
	if (first == ORIGIN_FAILED)
		race_promote(r);
	else if (rival == ORIGIN_FAILED)
		race_lose(r);
	else
		return ORIGIN_WAIT;
	race_note_failure(r->t);
	race_go_on(r);
	return ORIGIN_WAIT;
}

enum origin_rc
race_poll(struct up_try *t, struct origin_failure *f)
{
	struct origin_failure of_rival = {F_ORIGIN_CONNECT, 0, NULL};
	struct up_race *r = t->race;
	enum origin_rc rc = ORIGIN_WAIT;
	bool is_raced = r != NULL && r->rival != NULL;

	/* first the rival: what it reached, the other may share */
	if (is_raced)
		rc = t->ops->poll(r->rival, &of_rival);
	if (rc == ORIGIN_READY)
		race_promote(r);
	else if (is_raced)
		rc = race_judge(r, t->ops->poll(t->o, f), rc);
	else
		rc = t->ops->poll(t->o, f);
	/* where an address was passed over, the family that works goes first */
	if (rc == ORIGIN_READY && t->turn.n > 1 && t->at.port != 0)
		up_server_prefer(t->server, &t->at);
	return rc;
}

bool
race_outlives(struct up_try *t)
{
	struct up_race *r = t->race;
	uint64_t left_ms = t->group->conf->connect_timeout_ms;
	uint64_t passed_ms;

	if (r == NULL || r->rival == NULL)
		return false;
	passed_ms = try_now_ms(t) - r->began_ms;
	left_ms = passed_ms < left_ms ? left_ms - passed_ms : 0;
	race_promote(r);
	race_note_failure(t);
	loop_timer_set(t->x->w->loop, &t->timer, left_ms);
	race_go_on(r);
	return true;
}

void
race_end(struct up_try *t)
{
	if (t->race == NULL)
		return;
	loop_timer_clear(t->x->w->loop, &t->race->timer);
	race_drop(t->race);
}
