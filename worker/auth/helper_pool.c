/* auth/helper_pool: see helper_pool.h. */
#include "worker/auth/helper_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/ipc/ctl.h"
#include "common/net/loop.h"
#include "worker/exch/worker.h"

/* Before another is begun; twice as long each time, until one has answered. */
#define PAUSE_FIRST_MS 100u
#define PAUSE_MAX_MS 30000u
/* The master begins one in no time, and the next second if many are wanted. */
#define BEGIN_MS 3000u

enum helper_state {
	HELPER_AWAY, /* the pool is not open */
	HELPER_PAUSING, /* until it is asked for again */
	HELPER_WANTED, /* the master was asked for it */
	HELPER_LIVE
};

struct helper {
	struct helper_pool *pool;
	uint32_t place;
	enum helper_state state;
	struct watch watch;
	/* PAUSING, WANTED: until it is asked for; LIVE: until the oldest
	 * question must be answered */
	struct timer timer;
	uint64_t pause_ms; /* the next one */
	struct list sent; /* struct helper_ask, oldest first */
	uint32_t n_sent;
	bool is_full; /* its socket takes no more before it answers */
	uint32_t last_number;
	size_t len;
	char in[HELPER_ANSWER_MAX];
};

struct helper_pool {
	struct worker *w;
	span name; /* of the section */
	uint32_t auth; /* its number */
	uint32_t n;
	uint32_t concurrency; /* 0: one, without a number */
	uint32_t queue_max;
	uint64_t timeout_ms;
	struct list queue;
	uint32_t n_queued;
	struct task settle; /* after a loss */
	struct helper at[];
};

static uint64_t
pool_now_ms(const struct helper_pool *p)
{
	return clock_mono_ms(worker_clock(p->w));
}

static void
ask_end(struct helper_ask *q, enum helper_rc rc)
{
	list_del(&q->node);
	OPENSSL_cleanse(q->line, sizeof(q->line));
	q->done(q, rc);
}

/* --- states --------------------------------------------------------------- */

#define TO(s) (1u << (s))

static const unsigned helper_edges[] = {
    [HELPER_AWAY] = TO(HELPER_WANTED),
    [HELPER_PAUSING] = TO(HELPER_WANTED) | TO(HELPER_AWAY),
    [HELPER_WANTED] = TO(HELPER_LIVE) | TO(HELPER_PAUSING) | TO(HELPER_AWAY),
    [HELPER_LIVE] = TO(HELPER_PAUSING) | TO(HELPER_AWAY),
};

static void
helper_pause(struct helper *h)
{
	loop_timer_set(h->pool->w->loop, &h->timer, h->pause_ms);
	h->pause_ms = u64_min(2 * h->pause_ms, PAUSE_MAX_MS);
}

static void
helper_want(struct helper *h)
{
	const struct helper_pool *p = h->pool;

	loop_timer_set(p->w->loop, &h->timer, BEGIN_MS);
	/* without a master nobody answers, and it pauses */
	(void)ctl_send_word(
	    p->w->boot->ctl_fd, CTL_HELP, ctl_help_arg(p->auth, h->place), -1);
}

static void
helper_goto(struct helper *h, enum helper_state to)
{
	REQUIRE((helper_edges[h->state] & TO(to)) != 0);
	h->state = to;
	loop_timer_clear(h->pool->w->loop, &h->timer);
	switch (to) {
	case HELPER_WANTED:
		helper_want(h);
		return;
	case HELPER_PAUSING:
		helper_pause(h);
		return;
	case HELPER_AWAY:
	case HELPER_LIVE:
		return;
	}
	UNREACHED();
}

/* The oldest of what it was asked has so long. */
static void
helper_set_deadline(struct helper *h)
{
	struct loop *l = h->pool->w->loop;
	const struct helper_ask *q;
	uint64_t due_ms;
	uint64_t now_ms = pool_now_ms(h->pool);

	loop_timer_clear(l, &h->timer);
	if (list_is_empty(&h->sent))
		return;
	q = LIST_ENTRY(h->sent.next, struct helper_ask, node);
	due_ms = q->sent_ms + h->pool->timeout_ms;
	loop_timer_set(l, &h->timer, due_ms > now_ms ? due_ms - now_ms : 1);
}

/* Let it go: it ends when its input does. What it was asked is asked of another
 * one, once: whatever ends programs ends two at most. */
static void
helper_drop(struct helper *h)
{
	struct helper_pool *p = h->pool;

	watch_close_shared(p->w->loop, &h->watch);
	h->len = 0;
	h->n_sent = 0;
	h->is_full = false;
	while (!list_is_empty(&h->sent)) {
		struct helper_ask *q =
		    LIST_ENTRY(h->sent.prev, struct helper_ask, node);

		if (q->was_lost) {
			ask_end(q, HELPER_FAILS);
			continue;
		}
		q->was_lost = true;
		q->is_queued = true;
		list_del(&q->node);
		list_push_front(&p->queue, &q->node);
		p->n_queued++;
	}
}

/* What waits is looked at later: a question may be the one that finds out, and
 * whoever asks it is not told of its end while they still ask. */
static void
helper_lose(struct helper *h, const char *why)
{
	struct helper_pool *p = h->pool;

	log_msg(LOG_WARN, "helper lost auth=%.*s why=\"%s\" pause_ms=%llu",
	    SPAN_FMT(p->name), why, (unsigned long long)h->pause_ms);
	counter_add(p->w->counters, COUNTER_AUTH_HELPERS_LOST, 1);
	helper_drop(h);
	helper_goto(h, HELPER_PAUSING);
	loop_defer(p->w->loop, &p->settle);
}

/* --- asking --------------------------------------------------------------- */

static bool
helper_has_room(const struct helper *h)
{
	return h->state == HELPER_LIVE && !h->is_full &&
	       h->n_sent <
		   (h->pool->concurrency > 0 ? h->pool->concurrency : 1);
}

/* The one that has least to do. */
static struct helper *
pool_choose(struct helper_pool *p)
{
	struct helper *best = NULL;

	for (uint32_t i = 0; i < p->n; i++)
		if (helper_has_room(&p->at[i]) &&
		    (best == NULL || p->at[i].n_sent < best->n_sent))
			best = &p->at[i];
	return best;
}

/* A socket takes all of a line or none of it. */
static bool
helper_send(struct helper *h, const struct helper_ask *q)
{
	char room[HELPER_ASK_MAX];
	struct text t;
	ssize_t n;

	text_init(&t, room, sizeof(room));
	if (h->pool->concurrency > 0)
		text_printf(&t, "%u ", (unsigned)q->number);
	text_add(&t, span_of(q->line, q->len));
	REQUIRE(!t.is_cut);
	n = send(h->watch.fd, t.p, t.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	OPENSSL_cleanse(room, sizeof(room));
	return n == (ssize_t)t.len;
}

/* false: it is lost, and what waits will be looked at. */
static bool
helper_ask(struct helper *h, struct helper_ask *q)
{
	struct helper_pool *p = h->pool;

	q->number = ++h->last_number;
	if (!helper_send(h, q)) {
		/* what it has not read yet fills the socket, if anything does
		 */
		h->is_full = errno == EAGAIN && h->n_sent > 0;
		if (!h->is_full)
			helper_lose(h, "it does not read");
		return h->is_full;
	}
	q->sent_ms = pool_now_ms(p);
	q->is_queued = false;
	list_del(&q->node);
	p->n_queued--;
	list_push_back(&h->sent, &q->node);
	h->n_sent++;
	if (h->n_sent == 1)
		helper_set_deadline(h);
	return true;
}

/* Whether one may come that can be asked. */
static bool
pool_has_hope(const struct helper_pool *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->at[i].state == HELPER_LIVE ||
		    p->at[i].state == HELPER_WANTED)
			return true;
	return false;
}

/* Ask what waits, or give it up. */
static void
pool_settle(void *self)
{
	struct helper_pool *p = self;
	bool has_hope = pool_has_hope(p);
	struct helper *h;

	while (!list_is_empty(&p->queue)) {
		struct helper_ask *q =
		    LIST_ENTRY(p->queue.next, struct helper_ask, node);

		if (!has_hope) {
			p->n_queued--;
			ask_end(q, HELPER_FAILS);
			continue;
		}
		h = pool_choose(p);
		/* a loss settles the rest */
		if (h == NULL || !helper_ask(h, q))
			return;
	}
}

bool
helper_pool_ask(
    struct helper_pool *p, struct helper_ask *q, span name, span password)
{
	struct text t;

	if (!pool_has_hope(p) ||
	    (p->n_queued >= p->queue_max && pool_choose(p) == NULL))
		return false;
	text_init(&t, q->line, sizeof(q->line) - HELPER_NUMBER_MAX - 1);
	helper_write(&t, name, password);
	REQUIRE(!t.is_cut);
	q->len = t.len;
	q->was_lost = false;
	q->is_queued = true;
	list_init(&q->node);
	list_push_back(&p->queue, &q->node);
	p->n_queued++;
	pool_settle(p);
	return true;
}

bool
helper_pool_take_back(struct helper_pool *p, struct helper_ask *q)
{
	if (!q->is_queued)
		return false;
	list_del(&q->node);
	p->n_queued--;
	OPENSSL_cleanse(q->line, sizeof(q->line));
	return true;
}

/* --- hearing -------------------------------------------------------------- */

static struct helper_ask *
helper_find(const struct helper *h, const struct helper_answer *a)
{
	list_foreach (n, &h->sent) {
		struct helper_ask *q = LIST_ENTRY(n, struct helper_ask, node);

		/* without numbers answers come in order */
		if (h->pool->concurrency == 0 || q->number == a->number)
			return q;
	}
	return NULL;
}

/* false: it says what nobody asked. */
static bool
helper_hear(struct helper *h, span line)
{
	static const enum helper_rc rcs[] = {
	    [HELPER_OK] = HELPER_KNOWS,
	    [HELPER_ERR] = HELPER_DENIES,
	    [HELPER_BH] = HELPER_FAILS,
	};
	struct helper_answer a;
	struct helper_ask *q = NULL;

	if (helper_read(line, h->pool->concurrency > 0, &a))
		q = helper_find(h, &a);
	if (q == NULL)
		return false;
	h->n_sent--;
	h->is_full = false;
	h->pause_ms = PAUSE_FIRST_MS;
	ask_end(q, rcs[a.word]);
	helper_set_deadline(h);
	return true;
}

/* All lines that are whole. NULL: all went well, else why it is lost. */
static const char *
helper_hear_all(struct helper *h)
{
	span rest = span_of(h->in, h->len);
	ptrdiff_t end;

	while ((end = span_chr(rest, '\n')) >= 0) {
		if (!helper_hear(h, span_first(rest, (size_t)end)))
			return "its answer is none";
		rest = span_from(rest, (size_t)end + 1);
	}
	if (rest.len == sizeof(h->in))
		return "its line is too long";
	memmove(h->in, rest.p, rest.len);
	h->len = rest.len;
	return NULL;
}

static void
helper_on_event(void *self, unsigned events)
{
	struct helper *h = self;
	const char *why = NULL;
	ssize_t n;

	(void)events;
	if (h->state != HELPER_LIVE)
		return;
	n = recv(
	    h->watch.fd, h->in + h->len, sizeof(h->in) - h->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		why = "it has ended";
	else
		h->len += (size_t)n;
	if (why == NULL)
		why = helper_hear_all(h);
	if (why != NULL)
		helper_lose(h, why);
	else
		pool_settle(h->pool);
}

/* What it was asked first will not be answered, by nobody. */
static void
helper_on_timer(void *self)
{
	struct helper *h = self;

	switch (h->state) {
	case HELPER_PAUSING:
		helper_goto(h, HELPER_WANTED);
		return;
	case HELPER_WANTED:
		helper_goto(h, HELPER_PAUSING);
		pool_settle(h->pool);
		return;
	case HELPER_LIVE:
		LIST_ENTRY(h->sent.next, struct helper_ask, node)->was_lost =
		    true;
		helper_lose(h, "it does not answer");
		return;
	case HELPER_AWAY:
		return;
	}
	UNREACHED();
}

void
helper_pool_arrived(struct helper_pool *p, uint32_t place, int fd)
{
	struct helper *h = place < p->n ? &p->at[place] : NULL;

	if (h == NULL || h->state != HELPER_WANTED) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	if (fd >= 0 && watch_add(p->w->loop, &h->watch, fd, LOOP_LEVEL_IN,
			   helper_on_event, h) < 0) {
		(void)close(fd);
		fd = -1;
	}
	helper_goto(h, fd >= 0 ? HELPER_LIVE : HELPER_PAUSING);
	pool_settle(p);
}

/* --- their life ----------------------------------------------------------- */

struct helper_pool *
helper_pool_new(struct worker *w, const struct conf_scope *s, uint32_t auth)
{
	uint32_t n = (uint32_t)conf_num(s, KEY_AUTH_HELPER_CHILDREN);
	struct helper_pool *p = calloc(1, sizeof(*p) + n * sizeof(p->at[0]));

	REQUIRE(p != NULL);
	p->w = w;
	p->name = s->at[0]->name;
	p->auth = auth;
	p->n = n;
	p->concurrency = (uint32_t)conf_num(s, KEY_AUTH_HELPER_CONCURRENCY);
	p->queue_max = (uint32_t)conf_num(s, KEY_AUTH_HELPER_QUEUE);
	p->timeout_ms = (uint64_t)conf_num(s, KEY_AUTH_HELPER_TIMEOUT);
	list_init(&p->queue);
	task_init(&p->settle, pool_settle, p);
	for (uint32_t i = 0; i < n; i++) {
		struct helper *h = &p->at[i];

		h->pool = p;
		h->place = i;
		h->watch.fd = -1;
		h->pause_ms = PAUSE_FIRST_MS;
		list_init(&h->sent);
		timer_init(&h->timer, helper_on_timer, h);
		helper_goto(h, HELPER_WANTED);
	}
	return p;
}

void
helper_pool_free(struct helper_pool *p)
{
	if (p == NULL)
		return;
	for (uint32_t i = 0; i < p->n; i++) {
		struct helper *h = &p->at[i];

		if (h->state == HELPER_LIVE)
			helper_drop(h);
		helper_goto(h, HELPER_AWAY);
	}
	task_cancel(&p->settle);
	pool_settle(p);
	free(p);
}
