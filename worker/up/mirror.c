/* up/mirror: the copy of a request, and the front that it is to its handler: it
 * reads the answer and throws it away. What one copy may cost is bounded in
 * content, time and answer, and how many there are for each upstream. */
#include "worker/up/mirror.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/exch/exch.h"
#include "worker/exch/internal.h"
#include "worker/exch/plan.h"
#include "worker/exch/share.h"
#include "worker/exch/sink.h"
#include "worker/up/up_group.h"

#define MAGIC_MIRROR MAGIC('M', 'I', 'R', 'R')

/* Content that is copied; what an exchange holds of its own. */
#define MIRROR_BODY_MAX (64u * 1024)
/* Of an answer, before the rest is not worth the reading. */
#define MIRROR_ANSWER_MAX (1024u * 1024)
#define MIRROR_MS_MAX 30000u
/* At once, for each upstream of a worker: a server that hangs holds so many. */
#define MIRRORS_MAX 256u
/* Room for a length in decimal. */
#define MIRROR_LENGTH_CAP 24

#define MIRROR_IOV 16

struct mirror {
	uint32_t magic;
	struct list node; /* of up_worker.mirrors */
	struct up_group *group;
	struct exch *y;
	struct exch *x; /* whose content is still to come, or NULL */
	struct buf *tail; /* the block that content is put into, or NULL */
	uint64_t n_read; /* of the answer */
	bool has_local;
	struct sock_addr local;
};

static void
mirror_count(const struct mirror *m, enum counter_id id)
{
	counter_add(m->group->w->counters, id, 1);
}

/* --- as a front ----------------------------------------------------------- */

/* Read it all, so that the connection can serve the next copy. */
static bool
mirror_front_send(void *self, struct exch *y)
{
	struct mirror *m = self;
	struct iovec iov[MIRROR_IOV];
	uint64_t bytes;
	bool moved = false;

	OBJ_CHECK(m, MAGIC_MIRROR);
	if (y->resp_body.state == BODY_ABORTED) {
		exch_fault(y, y->resp_body.fault, 0);
		return true;
	}
	while (
	    body_peek(&y->resp_body, iov, MIRROR_IOV, UINT64_MAX, &bytes) > 0) {
		body_consume(&y->resp_body, bytes);
		m->n_read += bytes;
		moved = true;
	}
	if (body_is_done(&y->resp_body))
		y->is_sent = true;
	else if (m->n_read > MIRROR_ANSWER_MAX)
		exch_fault(y, F_CLIENT_GONE, 0);
	return moved || y->is_sent || y->is_failing;
}

static void
mirror_front_done(void *self, struct exch *y)
{
	struct mirror *m = self;

	OBJ_CHECK(m, MAGIC_MIRROR);
	if (m->x != NULL)
		m->x->mirror = NULL;
	else if (y->fault != F_NONE)
		mirror_count(m, COUNTER_MIRRORS_FAILED);
	buf_unref(m->tail);
	m->group->n_mirrors--;
	list_del(&m->node);
	m->magic = 0;
	free(m);
}

static bool
mirror_front_local_addr(void *self, struct sock_addr *out)
{
	const struct mirror *m = self;

	*out = m->local;
	return m->has_local;
}

static const struct front_ops mirror_front = {
    .name = "internal",
    .pull = internal_pull,
    .send = mirror_front_send,
    .send_info = internal_send_info,
    .abort = internal_abort,
    .done = mirror_front_done,
    .local_addr = mirror_front_local_addr,
};

/* --- content -------------------------------------------------------------- */

/* Nothing was sent of it yet. */
static void
mirror_drop(struct mirror *m, enum counter_id why)
{
	mirror_count(m, why);
	exch_kill(m->y, F_CLIENT_GONE);
}

/* All content is there. */
static void
mirror_launch(struct mirror *m)
{
	struct exch *y = m->y;

	if (m->x != NULL)
		m->x->mirror = NULL;
	m->x = NULL;
	/* the time of the client's upload is not the copy's */
	y->t.begin_us = worker_clock(y->w)->mono_us;
	mirror_count(m, COUNTER_MIRRORS);
	exch_kick(y);
}

static void
mirror_end(struct mirror *m)
{
	struct exch *y = m->y;
	char *p = arena_alloc(&y->arena, MIRROR_LENGTH_CAP);

	y->req.body = LENGTH_KNOWN;
	y->req.length = y->req_body.total;
	fields_set(&y->req.fields, &y->arena, FIELD_CONTENT_LENGTH,
	    span_of(p, u64_format(y->req.length, p)));
	body_end(&y->req_body);
	mirror_launch(m);
}

/* Content may come in pieces of any size: they fill blocks. */
static void
mirror_take(struct mirror *m, const char *p, size_t len)
{
	while (len > 0) {
		struct slice s;
		size_t n;

		if (m->tail == NULL || buf_room(m->tail) == 0) {
			buf_unref(m->tail);
			m->tail = buf_new(&m->y->w->bufs);
		}
		n = u64_min(len, buf_room(m->tail));
		memcpy(m->tail->data + m->tail->used, p, n);
		m->tail->used += (uint32_t)n;
		s = slice_of(m->tail, m->tail->used - (uint32_t)n, (uint32_t)n);
		body_push(&m->y->req_body, &s);
		p += n;
		len -= n;
	}
}

/* What the client's exchange gets. */
static void
mirror_on_content(void *self, const char *p, size_t len)
{
	struct exch *x = self;
	struct mirror *m = x->mirror;

	/* dropped on the way */
	if (m == NULL)
		return;
	OBJ_CHECK(m, MAGIC_MIRROR);
	if (p == NULL)
		mirror_end(m);
	else if (m->y->req_body.total + len > MIRROR_BODY_MAX)
		mirror_drop(m, COUNTER_MIRRORS_LARGE);
	else
		mirror_take(m, p, len);
}

void
mirror_close(struct exch *x)
{
	if (x->mirror != NULL)
		mirror_drop(x->mirror, COUNTER_MIRRORS_PARTIAL);
}

/* --- a copy --------------------------------------------------------------- */

/* It asks the mirror, and not for ever. */
static void
mirror_set(struct exch *y, const struct plan_mirror *conf)
{
	struct plan_settings *set = arena_alloc(&y->arena, sizeof(*set));

	*set = *y->set;
	set->handler = &up_handler;
	set->handler_conf = conf->conf;
	set->handler_at = conf->at;
	if (set->timeout_ms == 0 || set->timeout_ms > MIRROR_MS_MAX)
		set->timeout_ms = MIRROR_MS_MAX;
	y->set = set;
}

static void
mirror_begin(struct exch *x, struct up_group *g)
{
	struct mirror *m = calloc(1, sizeof(*m));

	REQUIRE(m != NULL);
	m->magic = MAGIC_MIRROR;
	m->group = g;
	m->has_local = x->front->local_addr(x->front_self, &m->local);
	list_push_back(&x->w->up->mirrors, &m->node);
	g->n_mirrors++;
	m->y = exch_spawn(x, &mirror_front, m);
	m->y->is_spare = true;
	mirror_set(m->y, x->set->mirror);
	(void)fields_del(&m->y->req.fields, FIELD_EXPECT);
	if (x->req.body == LENGTH_NONE) {
		mirror_launch(m);
		return;
	}
	body_reopen(&m->y->req_body);
	(void)fields_del(&m->y->req.fields, FIELD_TRAILER);
	m->x = x;
	x->mirror = m;
	body_tee(&x->req_body, mirror_on_content, x);
}

enum verdict
stage_mirror(struct exch *x)
{
	const struct plan_mirror *conf = x->set->mirror;
	const struct upstream *u;
	struct up_group *g;

	if (conf == NULL || x->wants_tunnel)
		return VERDICT_NEXT;
	u = conf->conf;
	sink_note(x, "mirror", conf->at, "%s to %.*s",
	    conf->tenths < SHARE_WHOLE ? "a share of copies" : "a copy",
	    SPAN_FMT(u->name));
	if (x->sink != NULL ||
	    (conf->tenths < SHARE_WHOLE &&
		share_turn(x->w, SHARE_MIRROR) >= conf->tenths))
		return VERDICT_NEXT;
	g = &x->w->up->groups[u->index];
	if (g->n_mirrors >= MIRRORS_MAX)
		counter_add(x->w->counters, COUNTER_MIRRORS_FULL, 1);
	else if (x->req.body == LENGTH_KNOWN && x->req.length > MIRROR_BODY_MAX)
		counter_add(x->w->counters, COUNTER_MIRRORS_LARGE, 1);
	else
		mirror_begin(x, g);
	return VERDICT_NEXT;
}

void
mirror_expire(struct up_worker *u)
{
	list_foreach_safe (n, &u->mirrors)
		exch_kill(LIST_ENTRY(n, struct mirror, node)->y, F_SHUTDOWN);
}
