/* log/decision_feed: puts together what an exchange has met. What its pointers
 * tell by themselves (listen, site, route, server) is noted by nobody before
 * its end. */
#include "worker/log/decision_feed.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/conf/conf.h"
#include "common/store/decisions.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"

/* Longest host and path, so that there is room for the lines. */
#define HOST_MAX 64u
#define TARGET_MAX 96u
#define METHOD_MAX 16u
/* A place names its file by 16 bits. */
#define FILES (UINT16_MAX + 1u)

struct decision_worker {
	struct worker *w;
	/* by the configuration's number of a file: what the rings know it by;
	 * 0: it was not asked for yet, else one more than that */
	uint32_t known[FILES];
};

struct decision_worker *
decision_worker_new(struct worker *w)
{
	struct conf_scope s = conf_scope_of(
	    w->boot->conf, conf_first(w->boot->conf, CONF_GLOBAL));
	struct decision_worker *dw;

	if (!conf_bool(&s, KEY_GLOBAL_RECENT_DECISIONS))
		return NULL;
	dw = calloc(1, sizeof(*dw));
	REQUIRE(dw != NULL);
	dw->w = w;
	return dw;
}

void
decision_worker_free(struct decision_worker *dw)
{
	free(dw);
}

static struct slot_name
feed_me(const struct worker *w)
{
	return (struct slot_name){w->boot->slot, w->boot->incarnation};
}

/* What its readers know a file by; a dry run's know the configuration. */
static uint16_t
feed_file(const struct exch *x, const struct place *at)
{
	const struct worker *w = x->w;
	uint32_t *known;

	if (at->line == 0)
		return DECISION_NO_FILE;
	if (x->sink != NULL)
		return at->file;
	known = &w->decisions->known[at->file];
	if (*known == 0)
		*known =
		    decisions_file(w->boot->decisions, feed_me(w),
			span_str(diag_file_path(w->boot->sources, at->file))) +
		    1u;
	return (uint16_t)(*known - 1);
}

static void
feed_line(struct decision *d, const struct exch *x, enum decision_word word,
    const struct place *at, span text)
{
	decision_add_line(d, word, feed_file(x, at), at->line, text);
}

static void
feed_request(struct decision *d, const struct exch *x)
{
	span path = x->path.len > 0 ? x->path : x->req.path;

	d->wall_us = worker_clock(x->w)->wall_us;
	d->took_us = x->t.end_us - u64_min(x->t.begin_us, x->t.end_us);
	d->client = x->client.ip;
	d->has_client = exch_client_has_ip(&x->client);
	d->generation = x->w->boot->generation;
	d->status = x->is_begun ? x->resp.status : 0;
	decision_add_part(d, x->request_id);
	decision_add_part(d, span_first(x->req.method_text, METHOD_MAX));
	decision_add_part(d, span_first(x->req.host, HOST_MAX));
	decision_add_part(d, span_first(path, TARGET_MAX));
}

static void
feed_cache(struct decision *d, const struct exch *x, bool *has)
{
	if (x->cache_result.len > 0 && !*has)
		feed_line(
		    d, x, DECISION_CACHE, &x->set->cache.at, x->cache_result);
	*has = true;
}

/* In the order of the stages. */
static void
feed_lines(struct decision *d, const struct exch *x)
{
	bool has_cache = false;

	feed_line(d, x, DECISION_LISTEN, &x->listen->at, x->listen->name);
	if (x->site != NULL)
		feed_line(d, x, DECISION_SITE, &x->site->at, x->site->name);
	if (x->route != NULL)
		feed_line(d, x, DECISION_ROUTE, &x->route->at,
		    x->route->text.len > 0 ? x->route->text
					   : SPAN_LIT("the site's own"));
	for (uint32_t i = 0; i < x->n_trail; i++) {
		const struct trail_line *l = &x->trail[i];

		/* asked before who else makes the answer */
		if (l->word == DECISION_HANDLER)
			feed_cache(d, x, &has_cache);
		feed_line(d, x, l->word, &l->at, l->text);
	}
	feed_cache(d, x, &has_cache);
	if (x->origin.server.len > 0)
		feed_line(d, x, DECISION_SERVER, &x->origin.server_at,
		    x->origin.server);
}

/* In the words of the access log, and in those for people. */
static void
feed_fault(struct decision *d, struct exch *x)
{
	static const struct place nowhere;
	const struct fault_row *row = fault_row(x->fault);

	if (x->fault == F_NONE)
		return;
	feed_line(d, x, DECISION_FAULT, &nowhere,
	    arena_printf(&x->arena, "%s: %s", row->word,
		x->fault_detail != NULL ? x->fault_detail : row->text));
}

static enum decision_kind
feed_kind(const struct exch *x)
{
	return x->fault != F_NONE || x->resp.status >= 400 ? DECISION_REFUSED
							   : DECISION_LET_ON;
}

void
decision_feed(struct exch *x)
{
	const struct worker *w = x->w;
	struct decision d;

	if (w->decisions == NULL && x->sink == NULL)
		return;
	decision_init(&d);
	feed_request(&d, x);
	feed_lines(&d, x);
	feed_fault(&d, x);
	if (x->sink == NULL) {
		(void)decisions_note(
		    w->boot->decisions, feed_me(w), feed_kind(x), &d);
		return;
	}
	x->sink->decision = arena_alloc(x->sink->arena, sizeof(d));
	*x->sink->decision = d;
}
