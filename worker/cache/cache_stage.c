/* cache/cache_stage: stage `cache`: whether a request may be answered from what
 * is kept, and by which way it gets what is not. And the handler that answers.
 */
#include "common/base/check.h"
#include "worker/cache/cache_int.h"
#include "worker/exch/handler.h"
#include "worker/exch/match.h"
#include "worker/exch/sink.h"

void
cache_note_result(struct exch *x)
{
	const struct cached *c = x->cached;

	if (c == NULL)
		return;
	x->cache_result = span_str(cache_result_word(c->result));
	x->cache_result_no = (uint8_t)c->result;
	x->cache_tally = c->cache->tally;
}

static const enum counter_id result_counters[] = {
    [RESULT_HIT] = COUNTER_CACHE_HITS,
    [RESULT_STALE] = COUNTER_CACHE_STALE,
    [RESULT_REVALIDATED] = COUNTER_CACHE_REVALIDATED,
    [RESULT_MISS] = COUNTER_CACHE_MISSES,
    [RESULT_COLLAPSED] = COUNTER_CACHE_COLLAPSED,
    [RESULT_PASS] = COUNTER_CACHE_PASSED,
    [RESULT_BYPASS] = COUNTER_CACHE_PASSED,
    [RESULT_TIMEOUT] = COUNTER_CACHE_MISSES,
};

void
cache_count(struct exch *x)
{
	const struct cached *c = x->cached;

	cache_note_result(x);
	if (c != NULL && c->result != RESULT_NONE && c->result != RESULT_PURGED)
		counter_add(x->w->counters, result_counters[c->result], 1);
}

/* What the scope and the cache say together. */
static void
stage_policy(const struct exch *x, struct cached *c)
{
	const struct plan_cache *set = &x->set->cache;
	const struct cache *conf = c->cache;

	c->policy = (struct cache_policy){
	    .ttl_s = set->ttl_s,
	    .negative_ttl_s = conf->negative_ttl_s,
	    .heuristic_max_s = CC_SECONDS_MAX,
	    .stale_while_revalidate_s = conf->stale_while_revalidate_s,
	    .stale_if_error_s = conf->stale_if_error_s,
	    .stores_partial = true,
	    .is_authenticated = x->user != NULL,
	    .cookies = set->has_cookies || !set->is_letter ? set->cookies
							   : COOKIES_STORE,
	};
	/* a browser that reloads, or a bot, does not decide what servers are
	 * asked; that something must not be kept, anybody may say */
	if (!set->is_letter)
		c->policy.ignored = CC_BIT(CC_NO_CACHE) | CC_BIT(CC_MAX_AGE) |
				    CC_BIT(CC_MIN_FRESH) |
				    CC_BIT(CC_MAX_STALE) | CC_PRAGMA;
}

/* What is decided about the cache that the configuration names. */
static void
stage_note(const struct exch *x, const char *what, span more)
{
	const struct plan_cache *set = &x->set->cache;

	sink_note(x, "cache", set->at, "%.*s, %s%.*s",
	    SPAN_FMT(set->cache->name), what, SPAN_FMT(more));
}

static struct cached *
stage_begin(struct exch *x)
{
	struct cached *c = arena_zalloc(&x->arena, sizeof(*c));

	c->cache = x->set->cache.cache;
	c->cw = x->w->cache;
	c->view = c->cw->views[c->cache->index];
	c->moment = c->view != NULL ? objects_moment(c->view) : 0;
	c->wait.index = c->cache->index;
	c->wait.x = x;
	list_init(&c->wait.node);
	stage_policy(x, c);
	cc_parse_request(&x->req.fields, &c->cc);
	x->cached = c;
	return c;
}

/* Whether the configuration keeps this request away from the cache. A condition
 * that cannot be judged counts: in doubt a server is asked. */
static bool
stage_is_bypassed(struct exch *x)
{
	const struct plan_cache *set = &x->set->cache;
	bool is_bypassed = false;

	/* one is enough, but for who wants to know */
	for (uint32_t i = 0;
	     i < set->n_bypass && (!is_bypassed || x->sink != NULL); i++) {
		const struct plan_term *term = set->bypass[i];
		enum match_rc rc = match_eval(term->match, x);

		if (rc == MATCH_NO)
			continue;
		is_bypassed = true;
		sink_note(x, "cache", term->at, "bypassed: %.*s%s",
		    SPAN_FMT(term->text),
		    rc == MATCH_YES ? "" : ", which cannot be judged");
	}
	return is_bypassed;
}

/* What the request is that no stored answer is for; NULL: nothing like it. */
static const char *
stage_obstacle(const struct exch *x)
{
	/* content makes a request one that the key does not tell apart */
	if (x->req.body == LENGTH_OPEN ||
	    (x->req.body == LENGTH_KNOWN && x->req.length > 0))
		return "the request has content";
	if (x->wants_tunnel)
		return "the request asks for an upgrade";
	if (x->path_is_ambiguous)
		return "its path can be read in more than one way";
	if (condition_judge(&x->req, 0, NULL, 0) == CONDITION_FORWARD)
		return "its condition is the server's to judge";
	return NULL;
}

/* Whether the request can be answered from the cache at all. */
static bool
stage_is_eligible(struct exch *x, struct cached *c)
{
	const char *obstacle;

	if (x->req.method != METHOD_GET && x->req.method != METHOD_HEAD) {
		c->fwd = CACHE_FWD_METHOD;
		stage_note(x, "not asked: ",
		    SPAN_LIT("the method is neither GET nor HEAD"));
		return false;
	}
	obstacle = stage_obstacle(x);
	if (obstacle != NULL)
		stage_note(x, "not asked: ", span_str(obstacle));
	if (obstacle == NULL && !stage_is_bypassed(x))
		return true;
	c->fwd = CACHE_FWD_BYPASS;
	c->result = RESULT_BYPASS;
	return false;
}

/* What a server is asked for when nothing is known. */
static void
stage_note_slice(struct exch *x, const struct cached *c)
{
	uint64_t size = c->cache->slice;
	struct range r;

	if (size == 0 || x->req.method != METHOD_GET)
		return;
	r = slice_probe(x, size);
	stage_note(x, "what is longer in slices, the first: ",
	    arena_printf(&x->arena, "bytes=%llu-%llu",
		(unsigned long long)r.first, (unsigned long long)r.last));
}

/* Where it is looked for, and why nothing that comes for it will be kept when
 * that does not depend on what comes. */
static void
stage_note_key(struct exch *x, const struct cached *c, span key)
{
	char *shown;

	if (x->sink == NULL)
		return;
	/* its pieces end with ends of lines */
	shown = arena_alloc(&x->arena, key.len);
	for (size_t i = 0; i < key.len; i++)
		shown[i] = key.p[i] == '\n' ? '|' : key.p[i];
	stage_note(x, "as ", span_of(shown, key.len - 1));
	stage_note_slice(x, c);
	if (cc_has(&c->cc, CC_NO_STORE))
		stage_note(x,
		    "nothing is kept: ", SPAN_LIT("the request says no-store"));
	else if (x->req.method == METHOD_HEAD)
		stage_note(
		    x, "nothing is kept: ", SPAN_LIT("the method is HEAD"));
}

static enum verdict
stage_reply(struct exch *x, struct cached *c)
{
	x->handler = &cache_handler;
	cache_serve(x, c);
	return x->is_answered ? VERDICT_REPLY : VERDICT_WAIT;
}

/* Wait for the head of what is being filled. */
static enum verdict
stage_wait(struct exch *x, struct cached *c)
{
	c->mode = CACHED_WAITING;
	x->handler = &cache_handler;
	exch_kick(x);
	return VERDICT_WAIT;
}

/* Renew what is kept behind the client's back. */
static void
stage_refresh(struct exch *x, struct cached *c)
{
	struct obj_ref ref;

	if (c->is_updating || c->cw->n_fills >= x->w->n_conns_max)
		return;
	switch (objects_begin(c->view, &c->key, &ref)) {
	case OBJ_BEGUN:
		fill_begin(x, c, ref, true);
		break;
	case OBJ_OTHER:
		objects_unpin(c->view, ref);
		break;
	case OBJ_NO_ROOM:
		break;
	}
}

/* A server is to be asked: by a fill of ours, or by one that is under way. */
static enum verdict
stage_fetch(struct exch *x, struct cached *c)
{
	bool is_always = c->kept != NULL && !c->is_part &&
			 (c->kept->fresh.flags & FRESH_NO_CACHE) != 0;
	struct obj_ref ref;

	/* a fill asks with GET, and is there to store */
	if (x->req.method == METHOD_HEAD || cc_has(&c->cc, CC_NO_STORE))
		return VERDICT_NEXT;
	/* every request for it has to be validated: nobody waits in line */
	if ((is_always && c->is_updating) ||
	    c->cw->n_fills >= x->w->n_conns_max)
		return VERDICT_NEXT;
	switch (objects_begin(c->view, &c->key, &ref)) {
	case OBJ_BEGUN:
		c->result = RESULT_MISS;
		fill_begin(x, c, ref, false);
		return stage_wait(x, c);
	case OBJ_OTHER:
		if (!c->cache->coalesces || c->tries > CACHED_TRIES ||
		    is_always) {
			objects_unpin(c->view, ref);
			return VERDICT_NEXT;
		}
		cache_unpin(c);
		c->ref = ref;
		c->is_collapsed = true;
		c->result = RESULT_COLLAPSED;
		return stage_wait(x, c);
	case OBJ_NO_ROOM:
		return VERDICT_NEXT;
	}
	UNREACHED();
}

enum verdict
cache_timeout(struct exch *x, struct cached *c)
{
	c->result = RESULT_TIMEOUT;
	cache_unpin(c);
	exch_reply_status(x, 504);
	return VERDICT_REPLY;
}

/* A part is kept, and not the one that is asked for. */
static enum verdict
stage_lacking(struct exch *x, struct cached *c)
{
	freshness_judge(NULL, &c->cc, &c->policy, cache_now_s(x), &c->verdict);
	if (c->verdict.how == REUSE_TIMEOUT)
		return cache_timeout(x, c);
	c->fwd = CACHE_FWD_PARTIAL;
	return stage_fetch(x, c);
}

/* An answer is kept. */
static enum verdict
stage_found(struct exch *x, struct cached *c)
{
	if (!cache_part_covers(x, c))
		return stage_lacking(x, c);
	freshness_judge(
	    &c->kept->fresh, &c->cc, &c->policy, cache_now_s(x), &c->verdict);
	switch (c->verdict.how) {
	case REUSE_HIT:
		c->result = c->verdict.is_stale ? RESULT_STALE : RESULT_HIT;
		return stage_reply(x, c);
	case REUSE_STALE_WHILE_REVALIDATE:
		c->result = RESULT_STALE;
		stage_refresh(x, c);
		return stage_reply(x, c);
	case REUSE_TIMEOUT:
		return cache_timeout(x, c);
	case REUSE_VALIDATE:
	case REUSE_MISS:
		break;
	}
	c->fwd = c->verdict.is_asked ? CACHE_FWD_REQUEST : CACHE_FWD_STALE;
	return stage_fetch(x, c);
}

/* Nothing that could answer is kept. */
static enum verdict
stage_missed(struct exch *x, struct cached *c, enum cache_fwd why)
{
	const struct plan_cache *set = &x->set->cache;

	freshness_judge(NULL, &c->cc, &c->policy, cache_now_s(x), &c->verdict);
	if (c->verdict.how == REUSE_TIMEOUT)
		return cache_timeout(x, c);
	c->fwd = why;
	if (set->min_uses > 1 &&
	    objects_count_use(c->view, &c->base) < set->min_uses)
		return VERDICT_NEXT;
	return stage_fetch(x, c);
}

static enum verdict
stage_look(struct exch *x, struct cached *c)
{
	c->result = RESULT_MISS;
	switch (cache_look(x, c)) {
	case LOOK_ANSWER:
		return stage_found(x, c);
	case LOOK_NOTHING:
		return stage_missed(x, c, CACHE_FWD_URI_MISS);
	case LOOK_OTHERS:
		return stage_missed(x, c, CACHE_FWD_VARY_MISS);
	case LOOK_FILLING:
		c->fwd = CACHE_FWD_URI_MISS;
		if (x->req.method == METHOD_HEAD || !c->cache->coalesces ||
		    c->tries > CACHED_TRIES)
			break;
		c->is_collapsed = true;
		c->result = RESULT_COLLAPSED;
		return stage_wait(x, c);
	case LOOK_PASS:
		c->result = RESULT_PASS;
		c->fwd = CACHE_FWD_BYPASS;
		break;
	}
	cache_unpin(c);
	return VERDICT_NEXT;
}

enum verdict
stage_cache(struct exch *x)
{
	const struct plan_cache *set = &x->set->cache;
	struct cached *c;
	enum verdict v;
	span key;

	if (set->cache == NULL)
		return VERDICT_NEXT;
	if (x->set->handler == NULL || x->set->handler->pump == NULL) {
		stage_note(x, "not asked: ", SPAN_LIT("no server answers"));
		return VERDICT_NEXT;
	}
	if (x->destination != NULL && x->destination->is_claimed) {
		stage_note(x, "not asked: ",
		    SPAN_LIT("another server may be meant than the host's"));
		return VERDICT_NEXT;
	}
	/* somebody may have been asked who may purge */
	c = x->cached != NULL ? x->cached : stage_begin(x);
	if (x->req.method == METHOD_PURGE && c->cache->purgers.judge != NULL)
		return cache_purge(x, c);
	if (!stage_is_eligible(x, c))
		return VERDICT_NEXT;
	key = cache_key_text(x, c->cache, NULL);
	stage_note_key(x, c, key);
	if (x->sink != NULL || c->view == NULL)
		return VERDICT_NEXT;
	c->base = objects_key(c->view, key);
	v = stage_look(x, c);
	if (v == VERDICT_NEXT)
		cache_unpin(c);
	return v;
}

/* --- the handler ---------------------------------------------------------- */

enum verdict
cache_go_aside(struct exch *x, struct cached *c)
{
	enum verdict v;

	if (c->fill != NULL)
		fill_leave(c->fill);
	c->fill = NULL;
	cache_unpin(c);
	c->mode = CACHED_ASIDE;
	x->handler = x->set->handler;
	v = x->handler->open(x);
	REQUIRE(v != VERDICT_NEXT && v != VERDICT_TUNNEL);
	exch_kick(x);
	return v;
}

/* What is kept answers after all, though it is stale. */
static bool
handler_use_stale(struct exch *x, struct cached *c, bool is_lost)
{
	if (c->kept == NULL || !cache_part_covers(x, c) ||
	    (is_lost ? !c->verdict.may_answer_lost
		     : !c->verdict.may_answer_error))
		return false;
	c->result = RESULT_STALE;
	cache_serve(x, c);
	return true;
}

/* What this exchange waited for broke. Look again: the stage's decision, taken
 * from here; but a stale answer that may stand in for an error does, or each of
 * those who waited would ask the server that failed. */
void
cache_look_again(struct exch *x, struct cached *c)
{
	enum verdict v;

	if (c->fill != NULL)
		fill_leave(c->fill);
	c->fill = NULL;
	if (cache_look(x, c) == LOOK_ANSWER && cache_part_covers(x, c)) {
		freshness_judge(&c->kept->fresh, &c->cc, &c->policy,
		    cache_now_s(x), &c->verdict);
		if (c->verdict.how == REUSE_VALIDATE &&
		    handler_use_stale(x, c, false))
			return;
	}
	x->handler = NULL;
	v = stage_look(x, c);
	if (v == VERDICT_NEXT)
		(void)cache_go_aside(x, c);
}

/* The fill of this exchange came to something. */
static bool
handler_filled(struct exch *x, struct cached *c)
{
	struct cache_fill *f = c->fill;

	switch (f->outcome) {
	case FILL_OPEN:
		return false;
	case FILL_STORING:
	case FILL_FRESHENED:
		if (f->outcome == FILL_FRESHENED)
			c->result = RESULT_REVALIDATED;
		c->is_fetched = true;
		if (!cache_read_head(x, c) || !cache_part_covers(x, c)) {
			(void)cache_go_aside(x, c);
			return true;
		}
		if (c->own != NULL)
			c->kept = c->own;
		cache_serve(x, c);
		return true;
	case FILL_PASSING:
		c->result = RESULT_PASS;
		c->mode = CACHED_PASSING;
		fill_hand_over(f, x);
		return true;
	case FILL_UNSLICED:
		c->wants_whole = true;
		cache_look_again(x, c);
		return true;
	case FILL_USELESS:
		(void)cache_go_aside(x, c);
		return true;
	case FILL_FAILED:
		if (handler_use_stale(x, c, f->fault != F_NONE))
			return true;
		if (f->fault != F_NONE)
			exch_fault(x, f->fault, f->fault_errno);
		else
			(void)cache_go_aside(x, c);
		return true;
	}
	UNREACHED();
}

/* The fill of another exchange, here or elsewhere, that this one waits for. */
static bool
handler_followed(struct exch *x, struct cached *c)
{
	struct obj_facts facts;

	cache_wait(c->cw, &c->wait, c->ref);
	objects_facts(c->view, c->ref, &facts);
	if (facts.state == OBJ_FILLING && !facts.has_head)
		return false;
	if (facts.state != OBJ_FILLING && facts.state != OBJ_READY) {
		cache_look_again(x, c);
		return true;
	}
	if (!cache_read_head(x, c) || !kept_is_answer(c->kept) ||
	    !cache_part_covers(x, c)) {
		cache_look_again(x, c);
		return true;
	}
	freshness_judge(
	    &c->kept->fresh, &c->cc, &c->policy, cache_now_s(x), &c->verdict);
	if (c->verdict.how != REUSE_HIT)
		(void)cache_go_aside(x, c);
	else
		cache_serve(x, c);
	return true;
}

static bool
handler_pump(struct exch *x)
{
	struct cached *c = x->cached;

	switch (c->mode) {
	case CACHED_WAITING:
		if (c->slices != NULL)
			return slices_pump(x, c);
		return c->fill != NULL ? handler_filled(x, c)
				       : handler_followed(x, c);
	case CACHED_SERVING:
		return cache_serve_step(x, c);
	case CACHED_PASSING:
		return c->fill->kind == FILL_REST ? rest_pass(x, c)
						  : fill_pass(c->fill, x);
	case CACHED_ASIDE:
		break;
	}
	UNREACHED();
}

static void
handler_close(struct exch *x)
{
	struct cached *c = x->cached;

	if (c->fill != NULL)
		fill_leave(c->fill);
	c->fill = NULL;
	cache_unpin(c);
}

/* It is never named by a configuration: stage `cache` begins it. */
static enum verdict
handler_open(struct exch *x)
{
	(void)x;
	UNREACHED();
}

const struct handler cache_handler = {
    .name = "cache",
    .open = handler_open,
    .pump = handler_pump,
    .code = cache_code,
    .close = handler_close,
};
