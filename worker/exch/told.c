/* exch/told: see told.h. */
#include "worker/exch/told.h"

#include "common/base/num.h"
#include "common/base/text.h"
#include "worker/exch/exch.h"

/* Four members of a name and a number, or a word. */
#define TIMING_CAP 160u
#define US_PER_MS 1000u

static span
status_error(const struct exch *x)
{
	static const span known[F_N] = {
#define PROXY_ERROR(id, type) [F_##id] = {type, sizeof(type) - 1},
#include "worker/exch/proxy_error.def"
#undef PROXY_ERROR
	};
	const struct fault_row *row = fault_row(x->fault);

	if (known[x->fault].len > 0)
		return known[x->fault];
	if (row->side != SIDE_CLIENT)
		return SPAN_LIT("proxy_internal_error");
	return row->status == 403 ? SPAN_LIT("http_request_denied")
				  : SPAN_LIT("http_request_error");
}

void
told_status(struct exch *x, span name)
{
	span error = status_error(x);

	span text = arena_printf(&x->arena, "%.*s; error=%.*s; details=\"%s\"",
	    SPAN_FMT(name), SPAN_FMT(error), fault_row(x->fault)->word);

	/* RFC 9209 2.1.4 */
	if (x->fault == F_PARENT_REFUSED)
		text = arena_printf(&x->arena, "%.*s; received-status=%u",
		    SPAN_FMT(text), x->origin.status);
	fields_add_id(&x->resp.fields, &x->arena, FIELD_PROXY_STATUS, text);
}

static void
timing_begin(struct text *t, const char *name)
{
	text_add_str(t, t->len > 0 ? ", " : "");
	text_add_str(t, name);
}

/* Milliseconds with three decimals. */
static void
timing_add(struct text *t, const char *name, uint64_t from_us, uint64_t to_us)
{
	uint64_t us = to_us - u64_min(from_us, to_us);

	timing_begin(t, name);
	text_printf(t, ";dur=%llu.%03u", (unsigned long long)(us / US_PER_MS),
	    (unsigned)(us % US_PER_MS));
}

void
told_timing(struct exch *x)
{
	const struct exch_times *times = &x->t;
	char *p = arena_alloc(&x->arena, TIMING_CAP);
	struct text t;

	text_init(&t, p, TIMING_CAP);
	if (x->cache_result.len > 0) {
		timing_begin(&t, "cache;desc=");
		text_add(&t, x->cache_result);
	}
	if (times->connect_us != 0)
		timing_add(&t, "connect", times->chosen_us, times->connect_us);
	if (times->connect_us != 0 && times->answer_us != 0)
		timing_add(&t, "origin", times->connect_us, times->answer_us);
	timing_add(&t, "total", times->begin_us, worker_clock(x->w)->mono_us);
	fields_add_id(
	    &x->resp.fields, &x->arena, FIELD_SERVER_TIMING, text_span(&t));
}
