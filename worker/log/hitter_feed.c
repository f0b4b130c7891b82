/* log/hitter_feed: how many exchanges are passed over is drawn anew each time,
 * from 0 to twice the mean, so that no rhythm of the clients' meets that of the
 * sample. */
#include "worker/log/hitter_feed.h"

#include "common/base/siphash.h"
#include "common/conf/conf.h"
#include "common/store/hitters.h"

/* Numbers that look like chance: Marsaglia, "Xorshift RNGs", the triple 13, 7,
 * 17. */
static uint64_t
turn_draw(struct hitter_turn *t)
{
	t->seed ^= t->seed << 13;
	t->seed ^= t->seed >> 7;
	t->seed ^= t->seed << 17;
	return t->seed;
}

/* 1 .. 2 * HITTER_SAMPLE - 1: HITTER_SAMPLE in the mean. */
static void
turn_next(struct hitter_turn *t)
{
	t->left = (uint32_t)(turn_draw(t) % (2 * HITTER_SAMPLE - 1)) + 1;
}

void
hitter_feed_open(struct worker *w)
{
	const struct boot *b = w->boot;
	struct conf_scope s =
	    conf_scope_of(b->conf, conf_first(b->conf, CONF_GLOBAL));
	struct sipkey chance;

	if (!conf_bool(&s, KEY_GLOBAL_HEAVY_HITTERS)) {
		hitters_forget(b->hitters, b->slots,
		    (struct slot_name){b->slot, b->incarnation});
		return;
	}
	sipkey_random(&chance);
	/* from 0 nothing else would come */
	w->hitter_turn.seed = chance.k0 | 1;
	turn_next(&w->hitter_turn);
	w->hitter_turn.bytes = turn_draw(&w->hitter_turn) % HITTER_BYTES;
}

static void
feed_weight(const struct exch *x, enum hitter_kind kind, span head, span tail,
    uint64_t weight)
{
	const struct boot *b = x->w->boot;
	struct slot_name me = {b->slot, b->incarnation};
	struct hitter_name name = {head, tail};

	hitters_note(b->hitters, me, kind, &name, weight,
	    clock_mono_ms(worker_clock(x->w)));
}

static void
feed_name(const struct exch *x, enum hitter_kind kind, span head, span tail)
{
	feed_weight(x, kind, head, tail, HITTER_SAMPLE);
}

/* Whose it was, and where it went, of a forward proxy. */
static void
feed_proxied(const struct exch *x, enum hitter_kind user,
    enum hitter_kind domain, uint64_t weight)
{
	span none = span_of(NULL, 0);

	if (x->user != NULL)
		feed_weight(x, user, x->user->name, none, weight);
	feed_weight(x, domain, x->destination->host, none, weight);
}

void
hitter_feed_bytes(struct exch *x)
{
	struct hitter_turn *t = &x->w->hitter_turn;
	uint64_t weight;

	t->bytes += x->bytes_in + x->bytes_out;
	weight = t->bytes - t->bytes % HITTER_BYTES;
	t->bytes -= weight;
	if (weight > 0)
		feed_proxied(x, HITTER_USER_BYTES, HITTER_DOMAIN_BYTES, weight);
}

static void
feed_client(const struct exch *x)
{
	struct ip net = ip_client(&x->client.ip);

	if (!exch_client_has_ip(&x->client))
		return;
	feed_name(x, HITTER_CLIENT, span_of((const char *)net.b, sizeof(net.b)),
	    span_of(NULL, 0));
}

void
hitter_feed_note(struct exch *x)
{
	span path = x->path.len > 0 ? x->path : x->req.path;

	turn_next(&x->w->hitter_turn);
	feed_client(x);
	/* one that could not be read has neither */
	if (x->req.host.len + path.len > 0)
		feed_name(x, HITTER_PATH, x->req.host, path);
	if (x->destination != NULL)
		feed_proxied(x, HITTER_USER, HITTER_DOMAIN, HITTER_SAMPLE);
	feed_name(x, HITTER_AGENT, exch_req_field(x, FIELD_USER_AGENT),
	    span_of(NULL, 0));
}
