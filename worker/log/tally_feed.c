/* log/tally_feed: a row for every id, of which only those pages exist that were
 * counted in; a list of them tells what is to be added. */
#include "worker/log/tally_feed.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/shm/registry.h"
#include "common/store/tally.h"
#include "worker/exch/plan.h"

struct tally_own {
	struct tally tally;
	bool is_waiting; /* to be added */
};

struct tally_worker {
	struct worker *w;
	struct timer timer; /* set while something waits */
	uint32_t n_waiting;
	uint32_t waiting[TALLIES_MAX]; /* ids */
	struct tally_own own[TALLIES_MAX];
};

static void
feed_flush(struct tally_worker *t)
{
	for (uint32_t i = 0; i < t->n_waiting; i++) {
		struct tally_own *own = &t->own[t->waiting[i]];

		tallies_add(t->w->boot->tallies, t->waiting[i], &own->tally);
		memset(own, 0, sizeof(*own));
	}
	t->n_waiting = 0;
}

static void
feed_on_timer(void *self)
{
	feed_flush(self);
}

struct tally_worker *
tally_worker_new(struct worker *w)
{
	struct tally_worker *t = calloc(1, sizeof(*t));

	REQUIRE(t != NULL);
	t->w = w;
	timer_init(&t->timer, feed_on_timer, t);
	return t;
}

void
tally_worker_free(struct tally_worker *t)
{
	if (t == NULL)
		return;
	feed_flush(t);
	loop_timer_clear(t->w->loop, &t->timer);
	free(t);
}

static struct tally *
feed_open(struct tally_worker *t, uint32_t id)
{
	struct tally_own *own = &t->own[id];

	if (own->is_waiting)
		return &own->tally;
	own->is_waiting = true;
	if (t->n_waiting == 0)
		loop_timer_set(t->w->loop, &t->timer, TALLY_FEED_MS);
	t->waiting[t->n_waiting++] = id;
	return &own->tally;
}

/* From one time to another one, if both came. */
static void
feed_span(
    struct tally *t, enum tally_curve which, uint64_t from_us, uint64_t to_us)
{
	if (from_us != 0 && to_us >= from_us)
		tally_note(t, which, to_us - from_us);
}

static void
feed_times(struct tally *t, const struct exch *x)
{
	feed_span(t, TALLY_TOTAL, x->t.begin_us, x->t.end_us);
	feed_span(t, TALLY_QUEUE, x->t.asked_us, x->t.chosen_us);
	feed_span(t, TALLY_CONNECT, x->t.chosen_us, x->t.connect_us);
	if (x->t.connect_us != 0 && x->origin.status != 0)
		feed_span(t, TALLY_FIRST_BYTE, x->t.connect_us, x->t.answer_us);
}

static struct tally *
feed_count(struct tally_worker *t, uint32_t id, const struct exch *x)
{
	struct tally *own = feed_open(t, id);
	unsigned kind = x->is_begun ? x->resp.status / 100u : 0;

	own->status[kind < NELEMS(own->status) ? kind : 0]++;
	own->bytes_in += x->bytes_in;
	own->bytes_out += x->bytes_out;
	return own;
}

void
tally_feed(struct exch *x)
{
	struct tally_worker *t = x->w->tally;

	/* a dry run counts nothing */
	if (t == NULL)
		return;
	(void)feed_count(t, x->listen->tally, x);
	if (x->site != NULL)
		(void)feed_count(t, x->site->tally, x);
	if (x->route != NULL)
		feed_times(feed_count(t, x->route->tally, x), x);
	if (x->cache_result_no != RESULT_NONE)
		feed_count(t, x->cache_tally, x)->results[x->cache_result_no]++;
	if (x->origin.upstream.len > 0)
		feed_times(feed_count(t, x->origin.tally, x), x);
}
