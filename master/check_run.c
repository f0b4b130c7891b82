/* master/check_run: one server after the other rests and is asked. Never two checks of a server at once: the next one is due
 * an interval after this one began, and begins when this one has ended. */
#include "common/base/check.h"
#include "common/ipc/boot.h"
#include "common/shm/registry.h"
#include "master/checks.h"

/* A check that was just begun anew comes within this time; the intervals of all
 * servers are spread over it, too. */
#define FIRST_MS 1000u
/* The least pause between two checks of a server. */
#define PAUSE_MS 20u
/* While the result is about to change, checks come so much more often. */
#define FAST_PART 4u
/* An interval is longer or shorter by up to this part of it. */
#define JITTER_PART 10u
/* Addresses of one name that are tried. */
#define ADDRS_MAX 4u
/* Content that is looked at. */
#define BODY_MAX (64u * 1024)

static const struct h1_limits head_limits = {8192, 65536, 256};

static uint64_t
now_ms(const struct check_server *s)
{
	return clock_mono_ms(loop_clock(s->group->all->loop));
}

/* 0 .. below - 1; no two servers and no two stewards go in step. */
static uint64_t
random_below(struct checks *c, uint64_t below)
{
	uint64_t n = c->n_jitters++;

	return siphash(&c->jitter, span_of((const char *)&n, sizeof(n))) %
	       (below > 0 ? below : 1);
}

/* When the next check is due, from the beginning of this one. */
static uint64_t
interval_ms(const struct check_server *s)
{
	uint64_t ms = s->group->what.interval_ms;
	uint64_t spread;

	if (s->streak > 0)
		ms /= FAST_PART;
	spread = ms / JITTER_PART;
	return ms - spread + random_below(s->group->all, 2 * spread + 1);
}

void
check_rest(struct check_server *s)
{
	uint64_t due = s->began_ms + interval_ms(s);
	uint64_t least = now_ms(s) + PAUSE_MS;

	s->state = CHECK_RESTS;
	loop_timer_set(s->group->all->loop, &s->timer,
	    (due > least ? due : least) - now_ms(s));
}

/* A command knows the name alone: what it says is said of all its servers. */
static uint32_t
done_servers(const struct check_server *s)
{
	return s->spots != REGISTRY_NONE && s->group->what.kind == CHECK_COMMAND
		   ? SPOTS_PER_NAME
		   : 1;
}

void
check_done(struct check_server *s, enum health_why why, uint32_t detail)
{
	uint32_t n = done_servers(s);

	for (uint32_t k = 0; k < n; k++)
		check_noted(&s[k], why, detail);
	check_rest(s);
}

/* --- asking --------------------------------------------------------------- */

/* What is wrong with ourselves says nothing of the server. */
static bool
is_our_own(const struct fetch_result *r)
{
	return r->rc == FETCH_CONNECT && sock_is_starved(r->err);
}

static void
check_on_answer(void *self, const struct fetch_result *r)
{
	struct check_server *s = self;
	enum health_why why;
	uint32_t detail;

	s->fetch = NULL;
	/* nor what another one of its name says */
	if (is_our_own(r) || !check_name_stays(s)) {
		check_rest(s);
		return;
	}
	/* another address of the same name may answer */
	if (r->rc == FETCH_CONNECT && s->n_addrs < s->answer.n &&
	    s->n_addrs < ADDRS_MAX) {
		check_ask(s);
		return;
	}
	why = check_judge(s->group, r, &detail);
	check_done(s, why, detail);
}

static uint32_t
time_left_ms(const struct check_server *s)
{
	uint64_t end = s->began_ms + s->group->what.timeout_ms;

	return end > now_ms(s) ? (uint32_t)(end - now_ms(s)) : 1;
}

void
check_ask(struct check_server *s)
{
	const struct check_group *g = s->group;
	/* the others are of gRPC (gRPC over HTTP2, Requests) */
	struct fetch_field fields[] = {
	    {SPAN_LIT("User-Agent"), SPAN_LIT("gatehouse (health)")},
	    {SPAN_LIT("TE"), SPAN_LIT("trailers")},
	    {SPAN_LIT("Content-Type"), SPAN_LIT("application/grpc")},
	};
	bool is_grpc = g->what.kind == CHECK_GRPC;
	struct fetch_spec spec = {
	    .to = s->at.addr,
	    .remote = s->remote,
	    .io = g->all->io,
	    .first = span_of(g->first, g->first_len),
	    .is_probe = g->what.kind != CHECK_HTTP && !is_grpc,
	    .is_h2 = g->is_h2 && (is_grpc || g->what.kind == CHECK_HTTP),
	    .method = is_grpc           ? METHOD_POST
		      : g->what.is_head ? METHOD_HEAD
					: METHOD_GET,
	    .host = s->at.authority,
	    .target = is_grpc ? SPAN_LIT(GRPC_HEALTH_TARGET) : g->what.target,
	    .fields = fields,
	    .n_fields = is_grpc ? NELEMS(fields) : 1,
	    .content = is_grpc ? span_of(g->request, g->request_len)
			       : span_of(NULL, 0),
	    .time_ms = time_left_ms(s),
	    .head = head_limits,
	    .body_max = BODY_MAX,
	};

	if (s->at.host.len > 0)
		dns_answer_addr(&s->answer, s->n_addrs++, s->at.port, &spec.to);
	else if (span_starts(s->at.authority, SPAN_LIT("unix:")))
		spec.host = SPAN_LIT("localhost");
	s->state = CHECK_ASKS;
	s->fetch = fetch_start(g->all->loop, &spec, check_on_answer, s);
}

/* --- when it is time ------------------------------------------------------ */

static void
check_on_timer(void *self)
{
	struct check_server *s = self;

	if (s->state == CHECK_RUNS) {
		check_command_lost(s);
		return;
	}
	s->began_ms = now_ms(s);
	s->n_addrs = 0;
	if (s->group->what.kind == CHECK_COMMAND)
		check_command_ask(s);
	else if (s->spots != REGISTRY_NONE)
		check_name(s);
	else
		check_ask(s);
}

/* --- life ----------------------------------------------------------------- */

void
check_server_start(struct check_server *s)
{
	struct checks *c = s->group->all;
	uint64_t within = s->group->what.interval_ms;

	timer_init(&s->timer, check_on_timer, s);
	health_check_adopt(c->boot->upstate, s->id, s->check);
	if (s->group->what.kind == CHECK_NONE ||
	    (s->group->what.kind == CHECK_COMMAND && s->spot > 0))
		return;
	/* what cannot be asked is not asked */
	if ((s->group->what.kind == CHECK_TLS || s->at.is_tls) &&
	    s->group->what.kind != CHECK_TCP &&
	    s->group->what.kind != CHECK_COMMAND && s->remote == NULL)
		return;
	loop_timer_set(c->loop, &s->timer,
	    random_below(c, within < FIRST_MS ? within : FIRST_MS));
}

void
check_server_stop(struct check_server *s)
{
	check_command_cancel(s);
	loop_timer_clear(s->group->all->loop, &s->timer);
	if (s->fetch != NULL)
		fetch_cancel(s->fetch);
	s->fetch = NULL;
	s->state = CHECK_RESTS;
	s->streak = 0;
}
