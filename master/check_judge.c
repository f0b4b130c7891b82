/* master/check_judge: what the answer to a check means for its server, and how
 * many of a kind change what holds. */
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/ipc/boot.h"
#include "common/store/reach.h"
#include "master/checks.h"

/* Codes of calls that are known (grpc/doc/statuscodes.md). */
#define GRPC_STATUS_MAX 16

static bool
status_is_expected(const struct conf_check *what, unsigned status)
{
	for (uint32_t i = 0; i < what->n_expect; i++)
		if (status >= what->expect[i].low &&
		    status <= what->expect[i].high)
			return true;
	return false;
}

/* A status that is good, and content as it should be. What is too long to be
 * looked at matters only if it is to be looked at. */
static enum health_why
judge_answer(
    const struct check_group *g, const struct fetch_result *r, uint32_t *detail)
{
	if (r->answer == NULL)
		return HEALTH_WHY_NONE;
	if (!status_is_expected(&g->what, r->answer->status)) {
		*detail = r->answer->status;
		return HEALTH_WHY_STATUS;
	}
	if (g->body == NULL)
		return HEALTH_WHY_NONE;
	if (r->rc == FETCH_LARGE)
		return HEALTH_WHY_LARGE;
	return regex_find(g->body, r->content) == REGEX_YES ? HEALTH_WHY_NONE
							    : HEALTH_WHY_BODY;
}

/* The status of a call (gRPC over HTTP2, Responses): behind the content, or in
 * the head when there is none. Another text is none. */
static bool
grpc_status(const struct fetch_result *r, uint32_t *out)
{
	const struct http_field *f = NULL;
	uint64_t n;

	if (r->trailers != NULL)
		f = fields_find_name(r->trailers, SPAN_LIT("grpc-status"));
	if (f == NULL)
		f = fields_find_name(
		    &r->answer->fields, SPAN_LIT("grpc-status"));
	if (f == NULL || !span_u64(f->value, GRPC_STATUS_MAX, &n))
		return false;
	*out = (uint32_t)n;
	return true;
}

static bool
grpc_is_answer(const struct http_msg *m)
{
	const struct http_field *f =
	    fields_find(&m->fields, FIELD_CONTENT_TYPE);

	return f != NULL && span_starts(f->value, SPAN_LIT("application/grpc"));
}

static enum health_why
judge_grpc(const struct fetch_result *r, uint32_t *detail)
{
	if (r->answer->status != 200) {
		*detail = r->answer->status;
		return HEALTH_WHY_STATUS;
	}
	if (!grpc_is_answer(r->answer) || !grpc_status(r, detail))
		return HEALTH_WHY_BAD;
	if (*detail != 0)
		return HEALTH_WHY_GRPC_STATUS;
	switch (grpc_health_read(r->content)) {
	case GRPC_HEALTH_SERVING:
		return HEALTH_WHY_NONE;
	case GRPC_HEALTH_UNKNOWN:
	case GRPC_HEALTH_NOT_SERVING:
		return HEALTH_WHY_NOT_SERVING;
	case GRPC_HEALTH_BAD:
		return HEALTH_WHY_BAD;
	}
	UNREACHED();
}

enum health_why
check_judge(
    const struct check_group *g, const struct fetch_result *r, uint32_t *detail)
{
	*detail = 0;
	switch (r->rc) {
	case FETCH_OK:
	case FETCH_LARGE:
		if (g->what.kind == CHECK_GRPC)
			return judge_grpc(r, detail);
		return judge_answer(g, r, detail);
	case FETCH_CONNECT:
		return HEALTH_WHY_CONNECT;
	case FETCH_TLS:
		return r->is_mistrusted ? HEALTH_WHY_CERT : HEALTH_WHY_TLS;
	case FETCH_BROKEN:
		return HEALTH_WHY_BROKEN;
	case FETCH_BAD:
		return HEALTH_WHY_BAD;
	case FETCH_TIME:
		return HEALTH_WHY_TIME;
	}
	UNREACHED();
}

static void
log_change(const struct check_server *s, enum health_why why, uint32_t detail)
{
	const struct check_group *g = s->group;
	bool is_good = why == HEALTH_WHY_NONE;
	char text[CHECK_TEXT_CAP];

	(void)check_name_text(s, text);
	if (is_good)
		log_msg(LOG_NOTICE, "server up upstream=%.*s server=%s",
		    SPAN_FMT(g->name), text);
	else if (detail != 0)
		log_msg(LOG_WARN,
		    "server down upstream=%.*s server=%s why=\"%s %u\"",
		    SPAN_FMT(g->name), text, health_why_name(why), detail);
	else
		log_msg(LOG_WARN,
		    "server down upstream=%.*s server=%s why=\"%s\"",
		    SPAN_FMT(g->name), text, health_why_name(why));
}

/* How many results of this kind in a row it takes. Of a server that nothing is
 * known of the first one counts. */
static uint32_t
streak_needed(const struct check_group *g, enum health_checked holds)
{
	switch (holds) {
	case HEALTH_UNKNOWN:
		return 1;
	case HEALTH_GOOD:
		return g->what.fall;
	case HEALTH_BAD:
		return g->what.rise;
	}
	UNREACHED();
}

void
check_noted(struct check_server *s, enum health_why why, uint32_t detail)
{
	const struct boot *b = s->group->all->boot;
	struct upstate *u = b->upstate;
	enum health_checked holds = health_checked(u, s->id);
	bool is_good = why == HEALTH_WHY_NONE;
	uint64_t now_ms = clock_mono_ms(loop_clock(s->group->all->loop));

	if (holds == (is_good ? HEALTH_GOOD : HEALTH_BAD)) {
		s->streak = 0;
		return;
	}
	if (++s->streak < streak_needed(s->group, holds))
		return;
	s->streak = 0;
	health_check_set(u, s->id, why, detail, now_ms);
	history_note(u, s->id, now_ms);
	/* who waits for any of them need not wait for its own next try */
	if (is_good)
		reach_tell(u, s->group->servers[0].id, b->slots, b->wakes,
		    b->slot, now_ms);
	/* that the first one was good is no change */
	if (holds != HEALTH_UNKNOWN || !is_good)
		log_change(s, why, detail);
}
