/* http/h2_session: the life of a session and of its streams. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/http/h2_int.h"

/* The window that needs no telling (RFC 9113 6.9.2). */
#define WINDOW_FIRST 65535u
/* Acknowledgements that may wait to be sent. */
#define ACKS_MAX 256
/* Heads that we may send: twice what an origin of HTTP/1 may. */
#define SEND_HEAD_MAX (128u * 1024)

static const char *const code_names[H2_CODE_N] = {
#define H2_CODE(name, number) [number] = #name,
#include "common/http/h2_code.def"
#undef H2_CODE
};

struct bad_row {
	unsigned status;
	const char *text;
};

static const struct bad_row bad_rows[H2_BAD_N] = {
    [H2_BAD_NONE] = {0, ""},
#define H2_BAD(name, status, text) [H2_BAD_##name] = {status, text},
#include "common/http/h2_bad.def"
#undef H2_BAD
};

const char *
h2_code_name(uint32_t code)
{
	return code < H2_CODE_N ? code_names[code] : "UNKNOWN";
}

unsigned
h2_bad_status(enum h2_bad bad)
{
	REQUIRE(bad > H2_BAD_NONE && bad < H2_BAD_N);
	return bad_rows[bad].status;
}

const char *
h2_bad_text(enum h2_bad bad)
{
	REQUIRE(bad < H2_BAD_N);
	return bad_rows[bad].text;
}

/* --- the end -------------------------------------------------------------- */

void
h2_session_end(struct h2_session *s, enum h2_code code, const char *why)
{
	if (s->life != H2_LIFE_RUNS)
		return;
	s->life = H2_LIFE_ENDING;
	s->code = code;
	s->why = why;
}

void
h2_session_flooded(struct h2_session *s, enum h2_calm what)
{
	if (s->life != H2_LIFE_RUNS)
		return;
	s->calm = what;
	h2_session_end(s, H2_ENHANCE_YOUR_CALM, h2_calm_text(what));
}

bool
h2_session_spend(struct h2_session *s, enum h2_calm what)
{
	if (s->life != H2_LIFE_RUNS)
		return false;
	if (h2_budget_spend(&s->budget, what))
		return true;
	h2_session_flooded(s, what);
	return false;
}

void
h2_session_failed(struct h2_session *s, int rc)
{
	switch (rc) {
	case NGHTTP2_ERR_CALLBACK_FAILURE:
		/* who failed has said why */
		h2_session_end(s, H2_INTERNAL_ERROR, "a callback failed");
		return;
	case NGHTTP2_ERR_NOMEM:
		h2_session_flooded(s, H2_CALM_MEMORY);
		return;
	case NGHTTP2_ERR_FLOODED:
		h2_session_flooded(s, H2_CALM_PINGS);
		return;
	case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
		h2_session_end(s, H2_PROTOCOL_ERROR, "no preface of HTTP/2");
		return;
	default:
		/* the library counts CONTINUATION frames by a code that its
		 * older headers do not name */
		h2_session_flooded(s, H2_CALM_CONTINUATIONS);
		return;
	}
}

/* --- streams -------------------------------------------------------------- */

void
h2_stream_tell_reset(
    struct h2_stream *st, uint32_t code, enum h2_bad bad, bool is_unserved)
{
	struct h2_session *s = st->session;

	if (st->was_told)
		return;
	st->was_told = true;
	s->ev->on_reset(s->self, st, code, bad, is_unserved);
}

void
h2_stream_broken(struct h2_stream *st, uint32_t code, enum h2_bad bad)
{
	struct h2_session *s = st->session;

	if (st->was_told)
		return;
	if (nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, st->id, code) !=
	    0)
		h2_session_flooded(s, H2_CALM_MEMORY);
	h2_stream_tell_reset(st, code, bad, false);
}

void
h2_stream_consume(struct h2_stream *st, uint32_t n)
{
	struct h2_session *s = st->session;
	int rc;

	if (s == NULL || n == 0)
		return;
	REQUIRE(n <= st->unconsumed);
	st->unconsumed -= n;
	if (s->life != H2_LIFE_RUNS)
		return;
	/* a client gave the connection's share back when it came */
	if (s->config.role == H2_CLIENT)
		rc = st->is_closed
			 ? 0
			 : nghttp2_session_consume_stream(s->ng, st->id, n);
	else
		rc = st->is_closed
			 ? nghttp2_session_consume_connection(s->ng, n)
			 : nghttp2_session_consume(s->ng, st->id, n);
	if (nghttp2_is_fatal(rc))
		h2_session_failed(s, rc);
}

/* Take it off; what it had not consumed no longer counts. */
static void
stream_detach(struct h2_stream *st)
{
	struct h2_session *s = st->session;

	if (!st->is_closed)
		(void)nghttp2_session_set_stream_user_data(s->ng, st->id, NULL);
	h2_stream_consume(st, st->unconsumed);
	s->n_left--;
	st->session = NULL;
}

void
h2_stream_leave(struct h2_stream *st, enum h2_code code)
{
	struct h2_session *s = st->session;
	bool is_open = s != NULL && s->life == H2_LIFE_RUNS && !st->is_closed;

	if (s == NULL)
		return;
	if (is_open && !(st->is_recv_over && st->is_send_over) &&
	    !st->was_told) {
		if (st->is_send_over && s->config.role == H2_SERVER)
			code = H2_NO_ERROR;
		if (nghttp2_submit_rst_stream(
			s->ng, NGHTTP2_FLAG_NONE, st->id, code) != 0)
			h2_session_flooded(s, H2_CALM_MEMORY);
	}
	stream_detach(st);
}

/* --- life ----------------------------------------------------------------- */

static void
session_options(nghttp2_option *o, enum h2_role role)
{
	nghttp2_option_set_no_auto_window_update(o, 1);
	/* ours are stricter, and refuse what the library would leave out */
	nghttp2_option_set_no_http_messaging(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
	nghttp2_option_set_max_send_header_block_length(o, SEND_HEAD_MAX);
	if (role == H2_SERVER)
		nghttp2_option_set_builtin_recv_extension_type(
		    o, NGHTTP2_PRIORITY_UPDATE);
}

static int
session_open(struct h2_session *s)
{
	nghttp2_mem mem = h2_mem_hooks(&s->mem);
	nghttp2_session_callbacks *c;
	nghttp2_option *o;
	int rc;

	rc = nghttp2_session_callbacks_new(&c);
	REQUIRE(rc == 0);
	rc = nghttp2_option_new(&o);
	REQUIRE(rc == 0);
	h2_hear_callbacks(c);
	session_options(o, s->config.role);
	if (s->config.role == H2_SERVER)
		rc = nghttp2_session_server_new3(&s->ng, c, s, o, &mem);
	else
		rc = nghttp2_session_client_new3(&s->ng, c, s, o, &mem);
	nghttp2_option_del(o);
	nghttp2_session_callbacks_del(c);
	return rc;
}

static int
session_settle(struct h2_session *s)
{
	const struct h2_config *c = &s->config;
	bool is_server = c->role == H2_SERVER;
	nghttp2_settings_entry iv[] = {
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, c->window},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, c->limits->head_max},
	    {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	    {is_server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS
		       : NGHTTP2_SETTINGS_ENABLE_PUSH,
		is_server ? c->streams_max : 0},
	    {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
	};
	size_t n = NELEMS(iv);

	if (!is_server || !c->has_connect_protocol)
		n--;
	if (nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, iv, n) != 0)
		return -1;
	return nghttp2_session_set_local_window_size(
	    s->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)c->connection_window);
}

struct h2_session *
h2_session_new(
    const struct h2_config *c, const struct h2_events *ev, void *self)
{
	struct h2_session *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	REQUIRE(c->window >= WINDOW_FIRST && c->window <= INT32_MAX);
	REQUIRE(c->connection_window >= WINDOW_FIRST &&
		c->connection_window <= INT32_MAX);
	s->ev = ev;
	s->self = self;
	s->config = *c;
	s->mem.max = H2_MEM_MAX;
	s->why = "";
	s->calm = H2_CALM_N;
	h2_budget_init(&s->budget);
	h2_frames_init(&s->frames, c->role);
	if (session_open(s) == 0 && session_settle(s) == 0)
		return s;
	h2_session_free(s);
	return NULL;
}

void
h2_session_free(struct h2_session *s)
{
	if (s == NULL)
		return;
	REQUIRE(s->n_left == 0);
	nghttp2_session_del(s->ng);
	REQUIRE(s->mem.used == 0);
	free(s);
}

bool
h2_session_feed(struct h2_session *s, span in)
{
	const uint8_t *p;
	ssize_t n;

	if (s->life != H2_LIFE_RUNS)
		return false;
	memcpy(&p, &in.p, sizeof(p));
	n = in.len == 0 ? 0 : nghttp2_session_mem_recv(s->ng, p, in.len);
	if (n < 0)
		h2_session_failed(s, (int)n);
	return s->life == H2_LIFE_RUNS;
}

enum h2_rc
h2_session_recv(struct h2_session *s, span in, uint64_t now_ms)
{
	if (s->life != H2_LIFE_RUNS)
		return H2_RC_OVER;
	h2_budget_tick(&s->budget, now_ms);
	h2_frames_recv(s, in);
	return s->life == H2_LIFE_RUNS ? H2_RC_OK : H2_RC_OVER;
}

/* --- what owners ask ------------------------------------------------------ */

bool
h2_session_is_over(const struct h2_session *s)
{
	if (s->rest_len > 0)
		return false;
	if (s->life != H2_LIFE_RUNS)
		return s->life == H2_LIFE_ENDED;
	return !nghttp2_session_want_read(s->ng) &&
	       !nghttp2_session_want_write(s->ng);
}

bool
h2_session_wants_send(const struct h2_session *s)
{
	if (s->life != H2_LIFE_RUNS)
		return s->rest_len > 0 || s->life == H2_LIFE_ENDING;
	return s->rest_len > 0 || nghttp2_session_want_write(s->ng) != 0;
}

uint32_t
h2_session_code(const struct h2_session *s)
{
	return s->code;
}

const char *
h2_session_why(const struct h2_session *s)
{
	return s->why;
}

enum h2_calm
h2_session_calm(const struct h2_session *s)
{
	return s->calm;
}

uint32_t
h2_session_streams(const struct h2_session *s)
{
	return s->n_left;
}

uint32_t
h2_session_streams_max(const struct h2_session *s)
{
	return nghttp2_session_get_remote_settings(
	    s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

uint32_t
h2_session_room(const struct h2_session *s)
{
	uint32_t max = h2_session_streams_max(s);

	if (s->life != H2_LIFE_RUNS || s->has_gone ||
	    !nghttp2_session_check_request_allowed(s->ng))
		return 0;
	return max > s->n_left ? max - s->n_left : 0;
}

size_t
h2_session_memory(const struct h2_session *s)
{
	return s->mem.used;
}

size_t
h2_session_memory_peak(const struct h2_session *s)
{
	return s->mem.peak;
}

bool
h2_session_may_tunnel(const struct h2_session *s)
{
	return nghttp2_session_get_remote_settings(
		   s->ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

bool
h2_session_is_settled(const struct h2_session *s)
{
	return s->is_settled;
}

/* --- what owners say ------------------------------------------------------ */

void
h2_session_ping(struct h2_session *s)
{
	if (s->life == H2_LIFE_RUNS &&
	    nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL) != 0)
		h2_session_flooded(s, H2_CALM_MEMORY);
}

void
h2_session_warn(struct h2_session *s)
{
	if (s->life != H2_LIFE_RUNS || s->was_warned || s->has_gone)
		return;
	s->was_warned = true;
	if (nghttp2_submit_shutdown_notice(s->ng) != 0)
		h2_session_flooded(s, H2_CALM_MEMORY);
	h2_session_ping(s);
}

void
h2_session_goaway(struct h2_session *s, enum h2_code code)
{
	if (s->life != H2_LIFE_RUNS)
		return;
	if (nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(s->ng), code, NULL,
		0) != 0)
		h2_session_flooded(s, H2_CALM_MEMORY);
}
