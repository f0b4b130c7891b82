/* exch/reply: answers that are made here instead of by an origin. */
#include "worker/exch/reply.h"

#include "common/base/check.h"
#include "worker/exch/bfilter.h"
#include "worker/exch/exch.h"
#include "worker/exch/grpc.h"
#include "worker/exch/pacer.h"
#include "worker/exch/pct.h"

/* Who meets a limit may come again so soon. */
#define RETRY_AFTER_S "1"

static bool
reply_is_for_limit(const struct exch *x)
{
	return x->fault == F_UPSTREAM_FULL || x->fault == F_QUEUE_FULL ||
	       x->fault == F_QUEUE_TIMEOUT || x->fault == F_AUTH_BUSY;
}

/* Forget a half-received answer of an origin. */
static void
reply_begin(struct exch *x, unsigned status)
{
	uint32_t high = x->resp_body.high;

	if (x->pacer != NULL)
		pacer_drop(x);
	if (x->filters != NULL)
		bfilters_drop(x);
	body_fini(&x->resp_body);
	body_init(&x->resp_body, high);
	memset(&x->resp, 0, sizeof(x->resp));
	fields_init(&x->resp.fields, &x->arena, 8);
	x->resp.version = HTTP_1_1;
	x->resp.status = (uint16_t)status;
	x->resp.reason = status_reason(status);
	if (reply_is_for_limit(x))
		fields_add_id(&x->resp.fields, &x->arena, FIELD_RETRY_AFTER,
		    SPAN_LIT(RETRY_AFTER_S));
	x->is_own_answer = true;
	x->is_page = false;
}

/* All of the answer's content, of which nothing was made so far. */
static void
reply_content(struct exch *x, span type, span content)
{
	REQUIRE(content.len <= UINT32_MAX);
	if (type.len > 0)
		fields_add_id(
		    &x->resp.fields, &x->arena, FIELD_CONTENT_TYPE, type);
	x->resp.body = LENGTH_KNOWN;
	x->resp.length = content.len;
	if (content.len > 0) {
		struct slice s = {NULL, content.p, (uint32_t)content.len};

		body_push(&x->resp_body, &s);
	}
	body_end(&x->resp_body);
}

void
exch_reply(struct exch *x, unsigned status, span type, span content)
{
	reply_begin(x, status);
	reply_content(x, type, content);
	exch_answer(x);
}

void
reply_replace(struct exch *x, span type, span content)
{
	/* RFC 9110 10.2.1, 10.2.3, 11.6.1: what a client does about it */
	static const enum field_id kept[] = {
	    FIELD_ALLOW, FIELD_RETRY_AFTER, FIELD_WWW_AUTHENTICATE};
	struct http_fields was = x->resp.fields;
	bool is_own = x->is_own_answer;

	reply_begin(x, x->resp.status);
	for (size_t i = 0; !is_own && i < NELEMS(kept); i++)
		for (const struct http_field *f = fields_find(&was, kept[i]);
		     f != NULL; f = fields_next(&was, f))
			fields_add_id(
			    &x->resp.fields, &x->arena, kept[i], f->value);
	if (is_own) {
		x->resp.fields = was;
		(void)fields_del(&x->resp.fields, FIELD_CONTENT_TYPE);
	}
	reply_content(x, type, content);
}

#define REPLY_PAGE_TYPE SPAN_LIT("text/html; charset=utf-8")

/* A page that names the status, what happened and the request, and nothing of
 * the machines behind. */
static span
reply_page_text(struct exch *x, unsigned status)
{
	span reason = status_reason(status);
	span why = x->fault == F_NONE ? SPAN_LIT("")
				      : arena_printf(&x->arena, "<p>%s</p>\n",
					    fault_row(x->fault)->text);

	return arena_printf(&x->arena,
	    "<!doctype html>\n<html lang=\"en\"><head><title>%u %.*s</title>"
	    "</head>\n<body><h1>%u %.*s</h1>\n%.*s<p>%.*s</p>\n"
	    "</body></html>\n",
	    status, SPAN_FMT(reason), status, SPAN_FMT(reason), SPAN_FMT(why),
	    SPAN_FMT(x->request_id));
}

void
exch_replace_page(struct exch *x)
{
	exch_replace(x, REPLY_PAGE_TYPE, reply_page_text(x, x->resp.status));
	x->is_page = true;
}

void
exch_reply_status(struct exch *x, unsigned status)
{
	if (status >= 400 && grpc_is_call(x)) {
		grpc_reply(x, status);
		return;
	}
	exch_reply(x, status, REPLY_PAGE_TYPE, reply_page_text(x, status));
	x->is_page = true;
}

void
exch_reply_elsewhere(struct exch *x, unsigned status, span to)
{
	exch_reply_status(x, status);
	fields_add_id(&x->resp.fields, &x->arena, FIELD_LOCATION,
	    pct_encode(&x->arena, to));
}

/* Take a front off. false: it stands there not, in any case of letters. */
static bool
place_drop(span *s, span front)
{
	if (!span_ieq(span_first(*s, front.len), front))
		return false;
	*s = span_from(*s, front.len);
	return true;
}

bool
exch_is_place(const struct exch *x, span to)
{
	span path = to;
	span query = span_of(NULL, 0);
	ptrdiff_t mark;

	if (!span_starts(to, SPAN_LIT("/")) &&
	    (!place_drop(&path, x->client.scheme) ||
		!place_drop(&path, SPAN_LIT("://")) ||
		!place_drop(&path, x->req.authority)))
		return false;
	mark = span_chr(path, '?');
	if (mark >= 0) {
		query = span_from(path, (size_t)mark + 1);
		path = span_first(path, (size_t)mark);
	}
	/* a URL may end with its host */
	if (path.len == 0)
		path = SPAN_LIT("/");
	return (mark >= 0) == x->req.has_query &&
	       span_eq(query, x->req.query) &&
	       (span_eq(path, x->path) || span_eq(path, x->req.path));
}
