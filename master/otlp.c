/* master/otlp: see otlp.h. Texts came from clients: what is no UTF-8 is escaped
 * as in the error log. */
#include "master/otlp.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/base/text.h"
#include "common/http/msg.h"

/* opentelemetry.proto.trace.v1.Span.SpanKind and Status.StatusCode. */
#define KIND_SERVER 2
#define KIND_CLIENT 3
#define STATUS_ERROR 2

#define HOST_CAP 256
#define NS_PER_US 1000u
/* Room for two texts of a span and what stands between them. */
#define JOINED_CAP (3u * SPAN_PART_MAX)
#define U64_TEXT_CAP 20u

static json_t *
text_json(span s)
{
	char safe[4 * SPAN_PART_MAX];
	json_t *j = json_stringn(s.p != NULL ? s.p : "", s.len);

	if (j != NULL)
		return j;
	return json_stringn(
	    safe, log_escape(span_first(s, size_min(s.len, SPAN_PART_MAX)),
		      safe, sizeof(safe)));
}

static json_t *
u64_json(uint64_t v)
{
	char digits[U64_TEXT_CAP];

	return json_stringn(digits, u64_format(v, digits));
}

static void
add_value(json_t *attributes, const char *key, const char *type, json_t *value)
{
	json_t *typed = json_object();
	json_t *j = json_object();

	(void)json_object_set_new(typed, type, value);
	(void)json_object_set_new(j, "key", json_string(key));
	(void)json_object_set_new(j, "value", typed);
	(void)json_array_append_new(attributes, j);
}

/* Nothing for an empty text. */
static void
add_text(json_t *attributes, const char *key, span s)
{
	if (s.len > 0)
		add_value(attributes, key, "stringValue", text_json(s));
}

static void
add_number(json_t *attributes, const char *key, uint64_t v)
{
	if (v > 0)
		add_value(attributes, key, "intValue", u64_json(v));
}

static void
add_id(json_t *j, const char *key, const uint8_t *id, size_t n)
{
	char hex[2 * TRACE_ID_LEN];

	traceparent_hex(id, n, hex);
	(void)json_object_set_new(j, key, json_stringn(hex, 2 * n));
}

/* "HTTP" in names and _OTHER in attributes for what is no method of HTTP. */
static bool
method_is_known(const struct span_note *n)
{
	span text = span_note_part(n, SPAN_METHOD);

	return text.len > 0 && method_lookup(text) != METHOD_OTHER;
}

static void
add_name(json_t *j, const struct span_note *n)
{
	span method = method_is_known(n) ? span_note_part(n, SPAN_METHOD)
					 : SPAN_LIT("HTTP");
	span route =
	    n->kind == SPAN_SERVER ? span_note_part(n, SPAN_ROUTE) : (span){0};
	char name[JOINED_CAP];
	struct text t;

	text_init(&t, name, sizeof(name));
	text_add(&t, method);
	text_add_str(&t, route.len > 0 ? " " : "");
	text_add(&t, route);
	(void)json_object_set_new(j, "name", text_json(text_span(&t)));
}

static void
add_method(json_t *attributes, const struct span_note *n)
{
	span method = span_note_part(n, SPAN_METHOD);

	if (method_is_known(n)) {
		add_text(attributes, "http.request.method", method);
		return;
	}
	add_text(attributes, "http.request.method", SPAN_LIT("_OTHER"));
	add_text(attributes, "http.request.method_original", method);
}

/* "10.0.0.1:80", "[::1]:80", "https://name:443", "unix:/path". */
static void
add_server(json_t *attributes, span server)
{
	ptrdiff_t at = span_find(server, SPAN_LIT("://"));
	span address = at < 0 ? server : span_from(server, (size_t)at + 3);
	ptrdiff_t colon = span_rchr(address, ':');
	uint64_t port = 0;

	if (colon > 0 && span_u64(span_from(address, (size_t)colon + 1),
			     UINT16_MAX, &port)) {
		address = span_first(address, (size_t)colon);
		if (address.len > 2 && address.p[0] == '[')
			address = span_of(address.p + 1, address.len - 2);
	}
	add_text(attributes, "server.address", address);
	add_number(attributes, "server.port", port);
}

static void
add_full_url(json_t *attributes, const struct span_note *n)
{
	span server = span_note_part(n, SPAN_PEER);
	char url[JOINED_CAP];
	struct text t;

	if (span_starts(server, SPAN_LIT("unix:")))
		return;
	text_init(&t, url, sizeof(url));
	if (span_find(server, SPAN_LIT("://")) < 0)
		text_add_str(&t, "http://");
	text_add(&t, server);
	text_add(&t, span_note_part(n, SPAN_PATH));
	add_text(attributes, "url.full", text_span(&t));
}

static void
add_of_server(json_t *attributes, const struct span_note *n)
{
	add_text(attributes, "url.scheme", span_note_part(n, SPAN_SCHEME));
	add_text(attributes, "url.path", span_note_part(n, SPAN_PATH));
	add_text(attributes, "server.address", span_note_part(n, SPAN_HOST));
	add_text(attributes, "http.route", span_note_part(n, SPAN_ROUTE));
	add_text(attributes, "client.address", span_note_part(n, SPAN_PEER));
	add_text(
	    attributes, "user_agent.original", span_note_part(n, SPAN_AGENT));
	add_text(attributes, "network.protocol.version",
	    n->version == 20   ? SPAN_LIT("2")
	    : n->version == 11 ? SPAN_LIT("1.1")
	    : n->version == 10 ? SPAN_LIT("1.0")
			       : (span){0});
	add_text(attributes, "gatehouse.site", span_note_part(n, SPAN_SITE));
	add_text(attributes, "gatehouse.request_id",
	    span_note_part(n, SPAN_REQUEST));
}

static void
add_of_client(json_t *attributes, const struct span_note *n)
{
	add_server(attributes, span_note_part(n, SPAN_PEER));
	add_full_url(attributes, n);
	add_number(attributes, "http.request.resend_count", n->n_resent);
	if (n->kind == SPAN_LEFT)
		add_text(attributes, "gatehouse.hedge", SPAN_LIT("lost"));
}

/* For a server what the client did wrong is no error (semantic conventions,
 * "Status"). */
static bool
span_has_failed(const struct span_note *n)
{
	if (n->kind == SPAN_LEFT)
		return false;
	if (n->status == 0)
		return true;
	return n->status >= (n->kind == SPAN_SERVER ? 500 : 400) ||
	       (n->kind == SPAN_CLIENT &&
		   span_note_part(n, SPAN_FAULT).len > 0);
}

static void
add_outcome(json_t *j, json_t *attributes, const struct span_note *n)
{
	span fault = span_note_part(n, SPAN_FAULT);
	char digits[U64_TEXT_CAP];

	add_number(attributes, "http.response.status_code", n->status);
	if (fault.len > 0)
		add_text(attributes, "error.type", fault);
	else if (span_has_failed(n) && n->status > 0)
		add_text(attributes, "error.type",
		    span_of(digits, u64_format(n->status, digits)));
	if (span_has_failed(n))
		(void)json_object_set_new(
		    j, "status", json_pack("{s:i}", "code", STATUS_ERROR));
}

json_t *
otlp_span(const struct span_note *n)
{
	static const uint8_t none[TRACE_SPAN_LEN];
	json_t *attributes = json_array();
	json_t *j = json_object();

	add_id(j, "traceId", n->trace_id, TRACE_ID_LEN);
	add_id(j, "spanId", n->span_id, TRACE_SPAN_LEN);
	if (memcmp(n->parent_id, none, sizeof(none)) != 0)
		add_id(j, "parentSpanId", n->parent_id, TRACE_SPAN_LEN);
	(void)json_object_set_new(j, "flags", json_integer(n->flags));
	add_name(j, n);
	(void)json_object_set_new(j, "kind",
	    json_integer(n->kind == SPAN_SERVER ? KIND_SERVER : KIND_CLIENT));
	(void)json_object_set_new(j, "startTimeUnixNano",
	    u64_json((uint64_t)n->begin_us * NS_PER_US));
	(void)json_object_set_new(
	    j, "endTimeUnixNano", u64_json((uint64_t)n->end_us * NS_PER_US));
	add_method(attributes, n);
	if (n->kind == SPAN_SERVER)
		add_of_server(attributes, n);
	else
		add_of_client(attributes, n);
	add_outcome(j, attributes, n);
	(void)json_object_set_new(j, "attributes", attributes);
	return j;
}

static json_t *
otlp_resource(void)
{
	json_t *attributes = json_array();
	char host[HOST_CAP] = "";

	(void)gethostname(host, sizeof(host) - 1);
	add_text(attributes, "service.name", SPAN_LIT(PACKAGE_NAME));
	add_text(attributes, "service.version", SPAN_LIT(PACKAGE_VERSION));
	add_text(attributes, "host.name", span_str(host));
	return json_pack("{s:o}", "attributes", attributes);
}

char *
otlp_request(json_t *spans)
{
	json_t *j = json_pack("{s:[{s:o, s:[{s:{s:s, s:s}, s:o}]}]}",
	    "resourceSpans", "resource", otlp_resource(), "scopeSpans", "scope",
	    "name", PACKAGE_NAME, "version", PACKAGE_VERSION, "spans", spans);
	char *text;

	REQUIRE(j != NULL);
	text = json_dumps(j, JSON_COMPACT);
	REQUIRE(text != NULL);
	json_decref(j);
	return text;
}

uint64_t
otlp_rejected(span answer)
{
	json_t *j = json_loadb(answer.p != NULL ? answer.p : "", answer.len,
	    JSON_REJECT_DUPLICATES, NULL);
	const json_t *n = json_object_get(
	    json_object_get(j, "partialSuccess"), "rejectedSpans");
	uint64_t found = 0;

	/* numbers of 64 bits are texts in this JSON; not everybody does so */
	if (json_is_integer(n) && json_integer_value(n) > 0)
		found = (uint64_t)json_integer_value(n);
	else if (json_is_string(n) &&
		 !span_u64(span_str(json_string_value(n)), UINT32_MAX, &found))
		found = 0;
	json_decref(j);
	return found;
}
