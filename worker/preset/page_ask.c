/* preset/page_ask: an error page that a server of an upstream makes. It is asked
 * by an exchange of its own, with nothing of the client's request but what the
 * page may be about; of its answer the content, its type and language count.
 * What does not come whole, in time and in bounds is left: our page is there. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/base/vec.h"
#include "common/http/chars.h"
#include "worker/exch/exch.h"
#include "worker/exch/handler.h"
#include "worker/exch/internal.h"
#include "worker/exch/plan.h"
#include "worker/exch/reqid.h"
#include "worker/preset/page.h"
#include "worker/preset/preset.h"

#define MAGIC_PAGE_CALL MAGIC('P', 'C', 'A', 'L')

/* Whoever waits for an error's page waits no longer than this for it. */
#define PAGE_MS_MAX 2000u
/* At once in a worker: a server that hangs holds so many exchanges, and pages
 * under way take so many times PAGE_MAX. */
#define PAGES_ASKED_MAX 64u
#define PAGE_IOV 16
#define PAGE_ROOM_MIN 4096u
#define STATUS_OK 200u

/* Of which error it is told. A request that has it is one for such a page: no
 * server is asked for the page of its errors, so that two that ask each other,
 * or themselves, come to an end. */
#define PAGE_FIELD SPAN_LIT("X-Error-Status")

/* The exchange that asks, as its front. */
struct page_call {
	uint32_t magic;
	struct exch *x; /* who waits; NULL: nobody does any more */
	struct exch *y;
	bool has_local;
	struct sock_addr local;
};

/* What an exchange asked, and was answered; in its arena. */
struct page_asked {
	struct page_call *call; /* NULL: it is over */
	uint16_t status; /* of the error */
	bool is_good; /* what follows is a page */
	bool is_taken;
	span type;
	span language;
	char *text;
	uint32_t len;
	uint32_t room;
};

/* --- of the configuration ------------------------------------------------- */

static void
server_undefined(span name, struct place at, const struct page_names *names,
    struct arena *a, struct diag *d)
{
	struct vec known;
	const char *near;

	vec_init(&known);
	map_foreach (slot, names->upstreams) {
		vec_push(&known, (void *)(uintptr_t)arena_span(a, slot->key).p);
	}
	near =
	    diag_suggest(name, (const char *const *)(void *)known.at, known.n);
	diag_error(d, at, "error_page: upstream '%.*s' is not defined%s%s",
	    SPAN_FMT(name), near != NULL ? "; did you mean " : "",
	    near != NULL ? near : "");
	vec_fini(&known);
}

/* A path of which nobody but us can make a part: what a client sent never
 * becomes one. */
static bool
server_is_path(const struct tmpl *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		const struct tmpl_part *p = &t->parts[i];

		if (p->is_var ? p->var.id != VAR_STATUS
			      : !chars_all(p->text, CHAR_TARGET) ||
				    span_chr(p->text, '?') >= 0)
			return false;
	}
	return true;
}

const struct page_server *
page_server_prepare(span text, struct place at, const struct page_names *names,
    struct arena *a, struct diag *d)
{
	ptrdiff_t slash = span_chr(text, '/');
	span name = slash < 0 ? text : span_first(text, (size_t)slash);
	struct var_src path = {.at = at, .when = VAR_WHEN_RESPONSE};
	struct page_server *s = arena_zalloc(a, sizeof(*s));

	path.text = slash < 0 ? SPAN_LIT("/") : span_from(text, (size_t)slash);
	s->handler = names->upstream;
	s->handler_conf = map_get(names->upstreams, name);
	if (s->handler_conf == NULL) {
		server_undefined(name, at, names, a, d);
		return NULL;
	}
	if (!tmpl_prepare(&s->path, a, &path, d))
		return NULL;
	if (!server_is_path(&s->path)) {
		diag_error(d, at,
		    "error_page: '%.*s' is no path: it has no query, and "
		    "{status} is the only variable in it",
		    SPAN_FMT(path.text));
		return NULL;
	}
	return s;
}

/* --- as a front ----------------------------------------------------------- */

/* Whether an answer is a page: as good as one can be, or of the very error that
 * it is about; and such that its bytes are its text. */
static bool
page_is_usable(const struct page_asked *asked, const struct exch *y)
{
	const struct http_msg *m = &y->resp;

	return !y->is_own_answer &&
	       (m->status == STATUS_OK || m->status == asked->status) &&
	       fields_find(&m->fields, FIELD_CONTENT_ENCODING) == NULL &&
	       (m->body != LENGTH_KNOWN || m->length <= PAGE_MAX);
}

/* The text grows by doubling; false: it would be too long. */
static bool
page_add(struct page_asked *asked, struct arena *a, const struct iovec *iov)
{
	uint32_t room = asked->room;

	if (iov->iov_len > PAGE_MAX - asked->len)
		return false;
	while (room - asked->len < iov->iov_len)
		room = room == 0 ? PAGE_ROOM_MIN : room * 2;
	if (room != asked->room) {
		char *text = arena_alloc(a, room);

		if (asked->len > 0)
			memcpy(text, asked->text, asked->len);
		asked->text = text;
		asked->room = room;
	}
	memcpy(asked->text + asked->len, iov->iov_base, iov->iov_len);
	asked->len += (uint32_t)iov->iov_len;
	return true;
}

static span
page_field(struct exch *x, const struct exch *y, enum field_id id)
{
	const struct http_field *f = fields_find(&y->resp.fields, id);

	return f == NULL ? span_of(NULL, 0) : arena_span(&x->arena, f->value);
}

/* What is there of the content. false: it is none to be had. */
static bool
page_read(struct page_asked *asked, struct exch *x, struct exch *y)
{
	struct iovec iov[PAGE_IOV];
	uint64_t bytes;
	uint32_t n;

	while ((n = body_peek(
		    &y->resp_body, iov, PAGE_IOV, UINT64_MAX, &bytes)) > 0) {
		for (uint32_t i = 0; i < n; i++)
			if (!page_add(asked, &x->arena, &iov[i]))
				return false;
		body_consume(&y->resp_body, bytes);
	}
	return y->resp_body.state != BODY_ABORTED;
}

static bool
page_call_send(void *self, struct exch *y)
{
	struct page_call *call = self;
	struct exch *x = call->x;
	struct page_asked *asked;
	uint64_t before;

	OBJ_CHECK(call, MAGIC_PAGE_CALL);
	/* who waits ends it before they go */
	REQUIRE(x != NULL);
	asked = x->page_asked;
	before = asked->len;
	if (!page_is_usable(asked, y) || !page_read(asked, x, y)) {
		exch_fault(y, F_CLIENT_GONE, 0);
		return true;
	}
	if (body_is_done(&y->resp_body)) {
		asked->type = page_field(x, y, FIELD_CONTENT_TYPE);
		asked->language = page_field(x, y, FIELD_CONTENT_LANGUAGE);
		asked->is_good = true;
		y->is_sent = true;
	}
	return asked->len > before || y->is_sent;
}

static void
page_call_done(void *self, struct exch *y)
{
	struct page_call *call = self;
	struct exch *x = call->x;

	OBJ_CHECK(call, MAGIC_PAGE_CALL);
	y->w->n_pages_asked--;
	if (x != NULL) {
		x->page_asked->call = NULL;
		if (!x->page_asked->is_good)
			counter_add(y->w->counters, COUNTER_PAGES_FAILED, 1);
		exch_kick(x);
	}
	call->magic = 0;
	free(call);
}

static bool
page_call_local_addr(void *self, struct sock_addr *out)
{
	const struct page_call *call = self;

	*out = call->local;
	return call->has_local;
}

static const struct front_ops page_call_front = {
    .name = "internal",
    .pull = internal_pull,
    .send = page_call_send,
    .send_info = internal_send_info,
    .abort = internal_abort,
    .done = page_call_done,
    .local_addr = page_call_local_addr,
};

/* --- the question --------------------------------------------------------- */

static void
page_call_set(struct exch *y, const struct page_line *l)
{
	struct plan_settings *set = arena_zalloc(&y->arena, sizeof(*set));

	set->handler = l->server->handler;
	set->handler_conf = l->server->handler_conf;
	set->handler_at = l->at;
	set->timeout_ms = PAGE_MS_MAX;
	set->logs = y->set->logs;
	y->set = set;
	/* they are the site's servers' */
	y->sticky = (struct exch_sticky){.of = NULL};
	y->is_spare = true;
}

static void
page_call_tell(struct exch *y, span name, span value)
{
	if (value.len > 0)
		fields_add_known(
		    &y->req.fields, &y->arena, field_lookup(name), name, value);
}

/* What a page may be about. Nothing of the client's credentials is. */
static void
page_call_fields(struct exch *y, struct exch *x)
{
	struct arena *a = &y->arena;
	unsigned status = x->resp.status;
	span host = y->req.authority;

	fields_init(&y->req.fields, a, 8);
	if (host.len > 0)
		fields_add_id(&y->req.fields, a, FIELD_HOST, host);
	page_call_tell(y, SPAN_LIT("Accept"),
	    arena_span(a, exch_req_field(x, FIELD_ACCEPT)));
	page_call_tell(y, SPAN_LIT("Accept-Language"),
	    arena_span(a, exch_req_field(x, FIELD_ACCEPT_LANGUAGE)));
	page_call_tell(y, PAGE_FIELD, arena_printf(a, "%u", status));
	page_call_tell(y, SPAN_LIT("X-Request-Id"), y->request_id);
	page_call_tell(y, SPAN_LIT("X-Forwarded-Host"), host);
	page_call_tell(y, SPAN_LIT("X-Forwarded-Proto"), y->client.scheme);
	if (x->path.len > 0)
		page_call_tell(y, SPAN_LIT("X-Forwarded-Uri"),
		    arena_span(a, msg_uri(&x->req, a)));
	fields_add_id(
	    &y->req.fields, a, FIELD_VIA, plan_via(x->listen, x->req.version));
}

static void
page_begin(struct exch *x, const struct page_line *l)
{
	struct page_asked *asked = arena_zalloc(&x->arena, sizeof(*asked));
	struct page_call *call = calloc(1, sizeof(*call));
	span path = tmpl_render(&l->server->path, x, TMPL_URI);
	struct exch *y;

	REQUIRE(call != NULL);
	reqid_make(x);
	call->magic = MAGIC_PAGE_CALL;
	call->x = x;
	call->has_local = x->front->local_addr(x->front_self, &call->local);
	call->y = y = exch_spawn(x, &page_call_front, call);
	asked->call = call;
	asked->status = x->resp.status;
	x->page_asked = asked;
	x->w->n_pages_asked++;
	page_call_set(y, l);
	internal_get(y);
	internal_path(y, arena_span(&y->arena, path));
	page_call_fields(y, x);
	/* the call has an end of its own, and our page is there when it fails */
	loop_timer_clear(x->w->loop, &x->timer);
	exch_kick(y);
}

bool
page_ask(struct exch *x, const struct page_line *l)
{
	if (x->sink != NULL || x->page_asked != NULL ||
	    fields_find_name(&x->req.fields, PAGE_FIELD) != NULL)
		return false;
	counter_add(x->w->counters, COUNTER_PAGES_ASKED, 1);
	if (x->w->n_pages_asked >= PAGES_ASKED_MAX) {
		counter_add(x->w->counters, COUNTER_PAGES_FAILED, 1);
		return false;
	}
	page_begin(x, l);
	return true;
}

bool
page_is_awaited(const struct exch *x)
{
	return x->page_asked != NULL && x->page_asked->call != NULL;
}

/* --- the answer ----------------------------------------------------------- */

void
page_take(struct exch *x)
{
	struct page_asked *asked = x->page_asked;

	/* the answer may have become another one meanwhile */
	if (!asked->is_good || asked->is_taken ||
	    x->resp.status != asked->status)
		return;
	asked->is_taken = true;
	exch_replace(x, asked->type, span_of(asked->text, asked->len));
	if (asked->language.len > 0)
		fields_add_id(&x->resp.fields, &x->arena,
		    FIELD_CONTENT_LANGUAGE, asked->language);
}

void
page_close(struct exch *x)
{
	struct page_call *call =
	    x->page_asked == NULL ? NULL : x->page_asked->call;

	if (call == NULL)
		return;
	x->page_asked->call = NULL;
	call->x = NULL;
	exch_kill(call->y, F_CLIENT_GONE);
}
