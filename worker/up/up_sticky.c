/* up/up_sticky: a session's server is known by the name that the shared secret
 * gives it, in cookies and in the table of sessions alike; each worker keeps a
 * map from names to its servers. Who may be asked is the business of up_health;
 * who is asked when the session's server may not, that of the policy. */
#include "worker/up/up_sticky.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/store/sessions.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/up/sticky_cookie.h"

#define MS_PER_S 1000u
#define US_PER_S 1000000
/* A session that was used is noted again when this share of its time went by
 * since it was noted last. */
#define TOUCH_SHARE 16u

struct up_sticky {
	struct session_secret secret;
	uint64_t *names; /* by index of the server */
	uint32_t *places; /* open addressing: index + 1; 0: free */
	uint32_t n_places; /* a power of two */
};

/* --- names of servers ----------------------------------------------------- */

/* Names are as good as chance: their low bits are the hash. */
static uint32_t
sticky_place(const struct up_sticky *s, uint64_t name)
{
	uint32_t i = (uint32_t)name & (s->n_places - 1);

	while (s->places[i] != 0 && s->names[s->places[i] - 1] != name)
		i = (i + 1) & (s->n_places - 1);
	return i;
}

static int
sticky_index(const struct up_sticky *s, uint64_t name)
{
	return name == 0 ? -1 : (int)s->places[sticky_place(s, name)] - 1;
}

/* One of a name is known by its address, wherever that stands: in whatever
 * spot, and as a server of its own. */
static void
sticky_name_all(struct up_sticky *s, const struct up_group *g)
{
	const struct upstream *u = g->conf;

	for (uint32_t i = 0; i < u->n_servers; i++) {
		char where[SOCK_ADDR_TEXT_CAP];
		size_t len = up_group_has(g, i)
				 ? up_server_where(&g->servers[i], where)
				 : 0;
		span text = len > 0 ? span_of(where, len) : u->servers[i].text;

		s->names[i] = 0;
		if (!up_group_has(g, i))
			continue;
		s->names[i] = session_server(&s->secret, u->name, text);
		s->places[sticky_place(s, s->names[i])] = i + 1;
	}
}

struct up_sticky *
up_sticky_new(const struct up_group *g)
{
	const struct upstream *u = g->conf;
	struct up_sticky *s;

	if (u->sticky.kind == STICKY_NONE || g->w->boot->sessions == NULL)
		return NULL;
	s = calloc(1, sizeof(*s));
	REQUIRE(s != NULL);
	sessions_secret(g->w->boot->sessions, &s->secret);
	for (s->n_places = 2; s->n_places < 2 * u->n_servers;)
		s->n_places *= 2;
	s->names = calloc(u->n_servers + 1u, sizeof(*s->names));
	s->places = calloc(s->n_places, sizeof(*s->places));
	REQUIRE(s->names != NULL && s->places != NULL);
	sticky_name_all(s, g);
	return s;
}

void
up_sticky_rename(const struct up_group *g)
{
	struct up_sticky *s = g->sticky;

	if (s == NULL)
		return;
	memset(s->places, 0, s->n_places * sizeof(*s->places));
	sticky_name_all(s, g);
}

void
up_sticky_free(struct up_sticky *s)
{
	if (s == NULL)
		return;
	explicit_bzero(&s->secret, sizeof(s->secret));
	free(s->names);
	free(s->places);
	free(s);
}

/* --- cookies -------------------------------------------------------------- */

static uint64_t
exch_now_s(const struct exch *x)
{
	return (uint64_t)(worker_clock(x->w)->wall_us / US_PER_S);
}

static uint64_t
exch_now_ms(const struct exch *x)
{
	return clock_mono_ms(worker_clock(x->w));
}

/* Whether `pair` is a cookie of that name (RFC 6265 4.2.1); *value is its
 * value. */
static bool
cookie_is(span pair, span name, span *value)
{
	ptrdiff_t eq = span_chr(pair, '=');

	if (eq < 0 || !span_eq(span_trim(span_first(pair, (size_t)eq)), name))
		return false;
	*value = span_trim(span_from(pair, (size_t)eq + 1));
	return true;
}

/* The first cookie of that name in a Cookie field, or p == NULL. */
static span
cookie_find(span field, span name)
{
	span pair, value;

	while (span_cut(&field, ';', &pair))
		if (cookie_is(pair, name, &value))
			return value;
	return span_of(NULL, 0);
}

/* Our own cookie; of several the first one that is good counts. */
static void
sticky_take(struct exch *x, const struct up_sticky *s, span text)
{
	uint64_t ttl_s = x->sticky.of->sticky.ttl_ms / MS_PER_S;
	uint64_t now_s = exch_now_s(x);
	struct sticky_cookie c;

	if (x->sticky.server != 0)
		return;
	if (!sticky_cookie_read(&s->secret, text, &c)) {
		counter_add(x->w->counters, COUNTER_STICKY_REFUSED, 1);
		return;
	}
	if (c.until_s != 0 && c.until_s <= now_s)
		return;
	x->sticky.server = c.server;
	/* half of its time went by, or `ttl` is another one now */
	x->sticky.is_due = ttl_s == 0 ? c.until_s != 0
				      : c.until_s <= now_s + ttl_s / 2 ||
					    c.until_s > now_s + ttl_s;
}

/* What is left of a Cookie field without ours. */
static span
sticky_strip(struct exch *x, const struct up_sticky *s, span field)
{
	span name = x->sticky.of->sticky.name;
	char *out = arena_alloc(&x->arena, field.len);
	size_t len = 0;
	span pair, value;

	/* the others as they came: that is never longer */
	while (span_cut(&field, ';', &pair)) {
		if (cookie_is(pair, name, &value)) {
			sticky_take(x, s, value);
			continue;
		}
		if (len > 0)
			out[len++] = ';';
		memcpy(out + len, pair.p, pair.len);
		len += pair.len;
	}
	return span_trim(span_of(out, len));
}

/* Servers never see it, and no cache tells requests apart by it. */
static void
sticky_take_cookie(struct exch *x, const struct up_sticky *s)
{
	fields_foreach(f, &x->req.fields)
	{
		if (f->id != FIELD_COOKIE ||
		    cookie_find(f->value, x->sticky.of->sticky.name).p == NULL)
			continue;
		f->value = sticky_strip(x, s, f->value);
		f->is_gone = f->value.len == 0;
	}
}

/* --- sessions ------------------------------------------------------------- */

/* The session that the request names; empty: none. */
static span
sticky_session(const struct exch *x)
{
	const struct conf_sticky *c = &x->sticky.of->sticky;
	const struct http_field *f;

	if (c->kind != STICKY_LEARN_COOKIE) {
		f = fields_find_name(&x->req.fields, c->name);
		return f == NULL ? span_of(NULL, 0) : f->value;
	}
	fields_foreach(fld, &x->req.fields)
	{
		span value = fld->id == FIELD_COOKIE
				 ? cookie_find(fld->value, c->name)
				 : span_of(NULL, 0);

		if (value.len > 0)
			return value;
	}
	return span_of(NULL, 0);
}

static void
sticky_take_session(struct exch *x)
{
	const struct sessions *t = x->w->boot->sessions;
	uint64_t timeout_ms = x->sticky.of->sticky.timeout_ms;
	uint64_t now_ms = exch_now_ms(x);
	span text = sticky_session(x);
	struct session found;

	if (text.len == 0)
		return;
	x->sticky.key = session_key(t, x->sticky.of->name, text);
	x->sticky.has_key = true;
	if (!sessions_find(t, &x->sticky.key, now_ms, &found))
		return;
	x->sticky.server = found.server;
	x->sticky.is_due =
	    found.until_ms < now_ms + timeout_ms - timeout_ms / TOUCH_SHARE;
}

/* It belongs to that server from now on, unless another one was given to it
 * meanwhile, which is the result then. */
static uint64_t
sticky_bind(const struct exch *x, const struct session_key *key, uint64_t from,
    uint64_t server)
{
	const struct boot *b = x->w->boot;
	struct slot_name me = {b->slot, b->incarnation};
	uint64_t now_ms = exch_now_ms(x);
	struct session next = {
	    server, now_ms + x->sticky.of->sticky.timeout_ms};

	return sessions_bind(
	    b->sessions, b->slots, me, key, from, &next, now_ms);
}

/* --- the choice ----------------------------------------------------------- */

static bool
sticky_may(const struct up_group *g, const uint64_t *skip, int i)
{
	return i >= 0 && !lb_is_skipped(skip, (uint32_t)i) &&
	       up_group_may_keep(g, (uint32_t)i);
}

static bool
sticky_is_of(const struct up_group *g, const struct exch *x)
{
	return g->sticky != NULL && x->sticky.of == g->conf;
}

int
up_sticky_find(
    const struct up_group *g, const struct exch *x, const uint64_t *skip)
{
	int i;

	if (!sticky_is_of(g, x))
		return -1;
	i = sticky_index(g->sticky, x->sticky.server);
	return sticky_may(g, skip, i) ? i : -1;
}

/* Note the choice for a session that is remembered; those of servers only once
 * they have made one. */
static int
sticky_note_choice(
    struct up_group *g, struct exch *x, const uint64_t *skip, int i)
{
	uint64_t server = g->sticky->names[i];
	uint64_t stands;
	int other;

	if (!x->sticky.has_key || x->sink != NULL ||
	    (x->sticky.server == 0 && g->conf->sticky.kind != STICKY_HEADER) ||
	    (x->sticky.server == server && !x->sticky.is_due))
		return i;
	stands = sticky_bind(x, &x->sticky.key, x->sticky.server, server);
	x->sticky.is_due = false;
	other = sticky_index(g->sticky, stands);
	if (stands != server && sticky_may(g, skip, other)) {
		x->sticky.server = stands;
		return other;
	}
	if (stands != server)
		(void)sticky_bind(x, &x->sticky.key, stands, server);
	x->sticky.server = server;
	return i;
}

int
up_sticky_chose(struct up_group *g, struct exch *x, const uint64_t *skip, int i)
{
	bool is_known;

	if (!sticky_is_of(g, x))
		return i;
	is_known = x->sticky.server != 0;
	if (!is_known)
		x->origin.sticky = SPAN_LIT("new");
	else if (x->sticky.server == g->sticky->names[i])
		x->origin.sticky = SPAN_LIT("kept");
	else
		x->origin.sticky = SPAN_LIT("moved");
	if (x->sink == NULL && is_known)
		counter_add(x->w->counters,
		    x->sticky.server == g->sticky->names[i]
			? COUNTER_STICKY_KEPT
			: COUNTER_STICKY_MOVED,
		    1);
	return sticky_note_choice(g, x, skip, i);
}

/* --- the answer ----------------------------------------------------------- */

/* The session that an answer names: the value of the last field that does. */
static span
sticky_told(const struct conf_sticky *c, const struct http_msg *m)
{
	span told = span_of(NULL, 0);

	fields_foreach(f, &m->fields)
	{
		span rest = f->value;
		span pair, value;

		if (c->kind == STICKY_LEARN_HEADER &&
		    span_ieq(f->name, c->name))
			told = f->value;
		else if (c->kind == STICKY_LEARN_COOKIE &&
			 f->id == FIELD_SET_COOKIE &&
			 span_cut(&rest, ';', &pair) &&
			 cookie_is(pair, c->name, &value))
			told = value;
	}
	return told;
}

static void
sticky_learn(const struct exch *x, uint64_t server, const struct http_msg *m)
{
	const struct sessions *t = x->w->boot->sessions;
	span text = sticky_told(&x->sticky.of->sticky, m);
	struct session_key key;
	struct session found = {0, 0};

	if (text.len == 0)
		return;
	key = session_key(t, x->sticky.of->name, text);
	/* who tells it has it, whoever had it before */
	(void)sessions_find(t, &key, exch_now_ms(x), &found);
	(void)sticky_bind(x, &key, found.server, server);
}

void
up_sticky_answered(const struct up_group *g, struct exch *x, uint32_t i,
    const struct http_msg *m)
{
	if (!sticky_is_of(g, x))
		return;
	x->sticky.answered = g->sticky->names[i];
	if (x->sink == NULL && (g->conf->sticky.kind == STICKY_LEARN_COOKIE ||
				   g->conf->sticky.kind == STICKY_LEARN_HEADER))
		sticky_learn(x, x->sticky.answered, m);
}

/* Name and value, and what browsers are to do with it (RFC 6265 4.1). */
static span
sticky_set_cookie(struct exch *x, const struct up_sticky *s)
{
	static const char *const same_site[] = {
	    [SAME_SITE_LAX] = "Lax",
	    [SAME_SITE_STRICT] = "Strict",
	    [SAME_SITE_NONE] = "None",
	};
	const struct conf_sticky *c = &x->sticky.of->sticky;
	uint64_t ttl_s = c->ttl_ms / MS_PER_S;
	struct sticky_cookie named = {
	    x->sticky.answered, ttl_s == 0 ? 0 : exch_now_s(x) + ttl_s};
	bool is_secure =
	    c->is_secure || span_eq(x->client.scheme, SPAN_LIT("https"));
	char value[STICKY_COOKIE_LEN];
	span age = SPAN_LIT("");

	sticky_cookie_write(&s->secret, &named, value);
	if (ttl_s != 0)
		age = arena_printf(
		    &x->arena, "; Max-Age=%llu", (unsigned long long)ttl_s);
	return arena_printf(&x->arena,
	    "%.*s=%.*s; Path=%.*s%s%.*s%.*s; HttpOnly; SameSite=%s%s",
	    SPAN_FMT(c->name), (int)sizeof(value), value, SPAN_FMT(c->path),
	    c->domain.len > 0 ? "; Domain=" : "", SPAN_FMT(c->domain),
	    SPAN_FMT(age), same_site[c->same_site],
	    is_secure ? "; Secure" : "");
}

/* It is this client's alone: caches behind us, too, keep it for nobody else
 * (RFC 9111 5.2.2.7, RFC 9213). */
static void
sticky_make_private(struct exch *x, struct http_fields *f)
{
	static const enum field_id ids[] = {
	    FIELD_CACHE_CONTROL, FIELD_CDN_CACHE_CONTROL};

	for (size_t i = 0; i < NELEMS(ids); i++) {
		bool is_there = fields_find(f, ids[i]) != NULL;

		if ((!is_there && ids[i] != FIELD_CACHE_CONTROL) ||
		    fields_has_token(f, ids[i], SPAN_LIT("private")) ||
		    fields_has_token(f, ids[i], SPAN_LIT("no-store")))
			continue;
		fields_add_id(f, &x->arena, ids[i], SPAN_LIT("private"));
	}
}

/* --- the stages ----------------------------------------------------------- */

static void
sticky_explain(struct exch *x)
{
	static const char *const kinds[] = {
	    [STICKY_NONE] = "",
	    [STICKY_COOKIE] = "cookie",
	    [STICKY_HEADER] = "header",
	    [STICKY_LEARN_COOKIE] = "learnt cookie",
	    [STICKY_LEARN_HEADER] = "learnt header",
	};
	const struct conf_sticky *c = &x->sticky.of->sticky;

	sink_note(x, "sticky", c->at,
	    "%s %.*s: which server it belongs to, only the running gatehouse "
	    "knows; else by balance",
	    kinds[c->kind], SPAN_FMT(c->name));
}

enum verdict
stage_sticky(struct exch *x)
{
	const struct upstream *u = x->set->handler_conf;
	const struct up_group *g;

	if (x->set->handler != &up_handler || u->sticky.kind == STICKY_NONE)
		return VERDICT_NEXT;
	g = &x->w->up->groups[u->index];
	if (g->sticky == NULL)
		return VERDICT_NEXT;
	x->sticky.of = u;
	if (u->sticky.kind == STICKY_COOKIE)
		sticky_take_cookie(x, g->sticky);
	else
		sticky_take_session(x);
	if (x->sink != NULL)
		sticky_explain(x);
	return VERDICT_NEXT;
}

enum verdict
stage_sticky_answer(struct exch *x)
{
	const struct upstream *u = x->sticky.of;
	struct http_fields *f = &x->resp.fields;

	if (u == NULL || u->sticky.kind != STICKY_COOKIE || x->is_own_answer ||
	    x->sticky.answered == 0 ||
	    (x->sticky.answered == x->sticky.server && !x->sticky.is_due))
		return VERDICT_NEXT;
	fields_add_id(f, &x->arena, FIELD_SET_COOKIE,
	    sticky_set_cookie(x, x->w->up->groups[u->index].sticky));
	sticky_make_private(x, f);
	return VERDICT_NEXT;
}
