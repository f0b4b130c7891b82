/* log/access_log: compiles [log] sections, and gives each finished exchange its
 * line in every log that wants it. */
#include "worker/log/access_log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/sink.h"
#include "worker/log/log_line.h"
#include "worker/log/log_sample.h"
#include "worker/log/log_sink.h"
#include "worker/log/log_syslog.h"

/* Lines wait at most this long. */
#define LOG_FLUSH_MS 1000u
/* Who reads a pipe or a socket that is full is given so long to take some: a
 * unix socket may hold ten datagrams (unix(7), max_dgram_qlen). */
#define LOG_AGAIN_MS 10u
/* And so long when the worker ends, for which nobody waits then. */
#define LOG_END_MS 1000u

struct access_log {
	uint32_t index;
	span name;
	const struct conf_section *section;
	size_t buffer;
	struct log_sample sample;
	struct log_format format;
	bool is_remote; /* to a server, by `syslog` */
	struct syslog_to syslog;
};

struct log_preset {
	const char *name;
	const char *text;
};

/* What Apache and nginx call combined and common, an object a line, and what
 * readers of proxies' logs know. */
#define LINE_COMMON \
	"{client_ip} - {user} [{time_clf}] \"{method} {target} {protocol}\" " \
	"{status} {body_bytes_out}"
#define LINE_COMBINED \
	LINE_COMMON " \"{header:Referer}\" \"{header:User-Agent}\""
/* Squid's own (its documentation, "logformat"), with its user. */
#define LINE_SQUID \
	"{time_unix_ms} {duration_ms} {client_ip} " \
	"{squid_result}/{status} {bytes_out} {method} {url} {user} " \
	"{squid_peer} {content_type}"
/* What those do not have: behind them, where their readers look no more. */
#define LINE_POLICY \
	" {bytes_in} {bytes_out} {duration_ms} {acl_result} {category} " \
	"\"{acl_rule}\""
static const struct log_preset presets[] = {
    {"combined", LINE_COMBINED},
    {"common", LINE_COMMON},
    {"combined_policy", LINE_COMBINED LINE_POLICY},
    {"json", "{\"time\":\"{time}\",\"request_id\":\"{request_id}\","
	     "\"client_ip\":\"{client_ip}\",\"client_port\":{client_port},"
	     "\"user\":\"{user}\","
	     "\"scheme\":\"{scheme}\",\"method\":\"{method}\","
	     "\"host\":\"{authority}\",\"uri\":\"{target}\","
	     "\"protocol\":\"{protocol}\",\"status\":{status},"
	     "\"bytes_in\":{bytes_in},\"bytes_out\":{bytes_out},"
	     "\"body_bytes_out\":{body_bytes_out},\"duration\":{duration},"
	     "\"listen\":\"{listen}\",\"site\":\"{site}\","
	     "\"route\":\"{route}\",\"upstream\":\"{upstream}\","
	     "\"server\":\"{server}\",\"tries\":{tries},"
	     "\"origin_status\":{origin_status},\"connect_ms\":{connect_ms},"
	     "\"answer_ms\":{answer_ms},\"fault\":\"{fault}\","
	     "\"blocked\":\"{blocked}\",\"limit\":\"{limit}\","
	     "\"cache\":\"{cache}\","
	     "\"acl\":\"{acl}\",\"acl_rule\":\"{acl_rule}\","
	     "\"acl_result\":\"{acl_result}\",\"category\":\"{category}\","
	     "\"referer\":\"{header:Referer}\","
	     "\"user_agent\":\"{header:User-Agent}\"}"},
    {"squid", LINE_SQUID},
    {"squid_policy", LINE_SQUID LINE_POLICY},
};

/* Where a log's lines wait, and what was told of it. */
struct log_out {
	struct log_sink sink;
	struct log_syslog *syslog; /* instead of the sink; or NULL */
	bool is_failing;
	bool has_lost; /* since the last turn of the timer */
	uint64_t n_lost; /* since it fails */
};

struct log_worker {
	struct worker *w;
	struct timer timer; /* set while something waits */
	struct timer again; /* set while what is to take it is full */
	struct log_times times;
	uint32_t n;
	struct log_out outs[];
};

/* A template that begins like an object is one. */
static bool
log_is_json(span text)
{
	return span_starts(text, SPAN_LIT("{")) &&
	       span_starts(span_trim(span_from(text, 1)), SPAN_LIT("\""));
}

/* The template that `format` stands for; NULL: none, it is one itself. */
static const char *
log_preset_text(span format)
{
	for (size_t i = 0; i < NELEMS(presets); i++)
		if (span_eq(format, span_str(presets[i].name)))
			return presets[i].text;
	return NULL;
}

static bool
log_prepare_sample(struct access_log *l, const struct conf_scope *scope,
    struct arena *a, struct diag *d)
{
	const struct conf_value *v = conf_get(scope, KEY_LOG_SAMPLE);
	struct var_src src = {
	    .text = conf_text(scope, KEY_LOG_SAMPLE),
	    .at = v == NULL ? l->section->at : v->at,
	    .when = VAR_WHEN_END,
	};

	return log_sample_prepare(&l->sample, a, &src, d);
}

static void
log_prepare_syslog(struct access_log *l, const struct conf_scope *scope)
{
	span text = conf_text(scope, KEY_LOG_SYSLOG);

	if (text.len == 0)
		return;
	l->is_remote = syslog_to_read(
	    &l->syslog, text, conf_text(scope, KEY_LOG_FACILITY));
	/* it had that shape when it was read */
	REQUIRE(l->is_remote);
	l->syslog.msgid = l->name;
}

struct access_log *
access_log_prepare(const struct conf_tree *t, const struct conf_section *s,
    uint32_t index, struct arena *a, struct diag *d)
{
	struct conf_scope scope = conf_scope_of(t, s);
	const struct conf_value *v = conf_get(&scope, KEY_LOG_FORMAT);
	struct access_log *l = arena_zalloc(a, sizeof(*l));
	const char *preset = log_preset_text(conf_text(&scope, KEY_LOG_FORMAT));
	struct var_src src = {
	    .text = preset != NULL ? span_str(preset)
				   : conf_text(&scope, KEY_LOG_FORMAT),
	    .at = v == NULL ? s->at : v->at,
	    .when = VAR_WHEN_END,
	};

	l->index = index;
	l->name = s->name;
	l->section = s;
	l->buffer = (size_t)conf_num(&scope, KEY_LOG_BUFFER);
	log_prepare_syslog(l, &scope);
	if (!tmpl_prepare(&l->format.tmpl, a, &src, d) ||
	    !log_prepare_sample(l, &scope, a, d))
		goto fail;
	if (l->format.tmpl.text_len + LOG_ROOM +
		l->format.tmpl.n_vars * (size_t)LOG_VALUE_MIN >=
	    LOG_LINE_MIN) {
		diag_error(
		    d, src.at, "the format is longer than a line may be");
		goto fail;
	}
	if (log_is_json(src.text))
		l->format.escape = LOG_ESCAPE_JSON;
	else
		l->format.has_columns = preset != NULL;
	log_format_compile(&l->format, a);
	return l;
fail:
	access_log_fini(l);
	return NULL;
}

struct access_log *
access_log_raw(const struct conf_section *s, uint32_t index, struct arena *a)
{
	struct access_log *l = arena_zalloc(a, sizeof(*l));

	l->section = s;
	l->index = index;
	/* no [log] can be called so */
	l->name = arena_printf(a, "waf %.*s", SPAN_FMT(s->name));
	return l;
}

void
access_log_fini(struct access_log *l)
{
	log_sample_fini(&l->sample);
}

span
access_log_name(const struct access_log *l)
{
	return l->name;
}

/* The descriptor that the master opened for a log, or -1. */
static int
log_boot_fd(const struct boot *b, const struct access_log *l)
{
	for (uint32_t i = 0; i < b->n_logs; i++)
		if (b->logs[i].section == l->section)
			return b->logs[i].fd;
	return -1;
}

/* --- what is the same for files and servers ------------------------------- */

static uint64_t
out_now_ms(const struct log_worker *lw)
{
	return clock_mono_ms(worker_clock(lw->w));
}

static size_t
out_waiting(const struct log_out *o)
{
	return o->syslog != NULL ? o->syslog->len : o->sink.len;
}

static uint64_t *
out_n_lost(struct log_out *o)
{
	return o->syslog != NULL ? &o->syslog->n_lost : &o->sink.n_lost;
}

/* A server that is away may be back before anything is lost. */
static int
out_err(const struct log_out *o)
{
	return o->syslog != NULL ? o->syslog->err : o->sink.err;
}

static bool
out_is_full(const struct log_out *o)
{
	return o->syslog != NULL ? o->syslog->is_full : o->sink.is_full;
}

static int
out_fd(const struct log_out *o)
{
	return o->syslog != NULL ? o->syslog->fd : o->sink.fd;
}

static void
out_flush(struct log_worker *lw, struct log_out *o)
{
	if (o->syslog != NULL)
		log_syslog_flush(o->syslog, out_now_ms(lw));
	else
		log_sink_flush(&o->sink);
}

/* Count what was lost; say so when it begins. */
static void
log_note_loss(struct log_worker *lw, uint32_t i)
{
	struct log_out *o = &lw->outs[i];
	uint64_t *n_lost = out_n_lost(o);
	int err = out_err(o);

	counter_add(lw->w->counters, COUNTER_LOG_LINES_DROPPED, *n_lost);
	o->n_lost += *n_lost;
	o->has_lost = true;
	*n_lost = 0;
	if (!o->is_failing)
		/* no error: a reader that is too slow */
		log_msg(LOG_ERROR, "access log fails log=%.*s error=\"%s\"",
		    SPAN_FMT(lw->w->plan->logs[i]->name),
		    strerror(err != 0 ? err : EAGAIN));
	o->is_failing = true;
}

static bool
log_is_losing(struct log_out *o)
{
	return *out_n_lost(o) > 0 || out_err(o) != 0;
}

/* A turn of the timer went by without a loss. */
static void
log_note_recovery(struct log_worker *lw, uint32_t i)
{
	struct log_out *o = &lw->outs[i];

	log_msg(LOG_NOTICE, "access log goes on log=%.*s lines_lost=%llu",
	    SPAN_FMT(lw->w->plan->logs[i]->name),
	    (unsigned long long)o->n_lost);
	o->is_failing = false;
	o->n_lost = 0;
}

static void
log_flush_all(struct log_worker *lw)
{
	for (uint32_t i = 0; i < lw->n; i++) {
		struct log_out *o = &lw->outs[i];

		out_flush(lw, o);
		if (log_is_losing(o))
			log_note_loss(lw, i);
		else if (o->is_failing && !o->has_lost)
			log_note_recovery(lw, i);
		o->has_lost = false;
	}
}

static bool
log_has_waiting(const struct log_worker *lw)
{
	for (uint32_t i = 0; i < lw->n; i++)
		if (out_waiting(&lw->outs[i]) > 0 || lw->outs[i].is_failing)
			return true;
	return false;
}

/* Come back for what waits: soon where only a reader has to come by. */
static void
log_set_timers(struct log_worker *lw, bool has_waiting, bool has_full)
{
	if (has_waiting && !timer_is_set(&lw->timer))
		loop_timer_set(lw->w->loop, &lw->timer, LOG_FLUSH_MS);
	if (has_full && !timer_is_set(&lw->again))
		loop_timer_set(lw->w->loop, &lw->again, LOG_AGAIN_MS);
}

static bool
log_has_full(const struct log_worker *lw)
{
	for (uint32_t i = 0; i < lw->n; i++)
		if (out_is_full(&lw->outs[i]))
			return true;
	return false;
}

static void
log_on_timer(void *self)
{
	struct log_worker *lw = self;

	log_flush_all(lw);
	log_set_timers(lw, log_has_waiting(lw), log_has_full(lw));
}

static void
log_on_again(void *self)
{
	struct log_worker *lw = self;

	for (uint32_t i = 0; i < lw->n; i++) {
		struct log_out *o = &lw->outs[i];

		if (!out_is_full(o))
			continue;
		out_flush(lw, o);
		if (log_is_losing(o))
			log_note_loss(lw, i);
	}
	log_set_timers(lw, false, log_has_full(lw));
}

/* Who reads takes the rest; who does not is not waited for. */
static void
out_finish(struct log_worker *lw, struct log_out *o, uint64_t end_us)
{
	struct pollfd p = {.fd = out_fd(o), .events = POLLOUT};

	out_flush(lw, o);
	while (out_is_full(o) && clock_mono_us() < end_us) {
		(void)poll(&p, 1, LOG_AGAIN_MS);
		out_flush(lw, o);
	}
}

static void
out_init(struct log_out *o, const struct boot *b, const struct access_log *l)
{
	if (!l->is_remote) {
		log_sink_init(&o->sink, log_boot_fd(b, l), l->buffer);
		return;
	}
	o->sink.fd = -1;
	o->syslog = calloc(1, sizeof(*o->syslog));
	REQUIRE(o->syslog != NULL);
	log_syslog_init(o->syslog, &l->syslog, l->buffer);
}

static void
out_fini(struct log_worker *lw, struct log_out *o)
{
	if (o->syslog != NULL)
		log_syslog_fini(o->syslog);
	else
		log_sink_fini(&o->sink);
	counter_add(lw->w->counters, COUNTER_LOG_LINES_DROPPED, *out_n_lost(o));
	free(o->syslog);
}

struct log_worker *
log_worker_new(struct worker *w)
{
	const struct plan *plan = w->plan;
	struct log_worker *lw =
	    calloc(1, sizeof(*lw) + plan->n_logs * sizeof(lw->outs[0]));

	REQUIRE(lw != NULL);
	lw->w = w;
	lw->n = plan->n_logs;
	lw->times.s = -1;
	timer_init(&lw->timer, log_on_timer, lw);
	timer_init(&lw->again, log_on_again, lw);
	for (uint32_t i = 0; i < lw->n; i++)
		out_init(&lw->outs[i], w->boot, plan->logs[i]);
	return lw;
}

void
log_worker_free(struct log_worker *lw)
{
	uint64_t end_us = clock_mono_us() + LOG_END_MS * (uint64_t)1000;

	if (lw == NULL)
		return;
	for (uint32_t i = 0; i < lw->n; i++)
		out_finish(lw, &lw->outs[i], end_us);
	log_flush_all(lw);
	loop_timer_clear(lw->w->loop, &lw->timer);
	loop_timer_clear(lw->w->loop, &lw->again);
	for (uint32_t i = 0; i < lw->n; i++)
		out_fini(lw, &lw->outs[i]);
	free(lw);
}

/* Close a descriptor that no log writes to any more. */
static void
log_close(const struct log_worker *lw, int fd)
{
	for (uint32_t i = 0; i < lw->n; i++)
		if (lw->outs[i].sink.fd == fd)
			return;
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

void
log_worker_take_fd(struct log_worker *lw, uint32_t index, int fd)
{
	const struct boot *b = lw->w->boot;
	const struct plan *plan = lw->w->plan;

	for (uint32_t i = 0; i < lw->n && index < b->n_logs; i++) {
		int old = lw->outs[i].sink.fd;

		if (plan->logs[i]->section != b->logs[index].section)
			continue;
		log_sink_set_fd(&lw->outs[i].sink, fd);
		log_close(lw, old);
		return;
	}
	(void)close(fd);
}

/* Count what is left out. */
static bool
log_wants(const struct access_log *l, struct exch *x)
{
	if (log_sample_keeps(&l->sample, x))
		return true;
	counter_add(x->w->counters, COUNTER_LOG_LINES_LEFT_OUT, 1);
	return false;
}

char *
log_room(struct log_worker *lw, const struct access_log *l, size_t *cap)
{
	struct log_out *o = &lw->outs[l->index];

	return o->syslog != NULL
		   ? log_syslog_room(o->syslog, cap, out_now_ms(lw))
		   : log_sink_room(&o->sink, cap);
}

void
log_added(struct log_worker *lw, const struct access_log *l, size_t len)
{
	struct log_out *o = &lw->outs[l->index];

	if (len > 0 && o->syslog != NULL)
		log_syslog_added(o->syslog, len, worker_clock(lw->w)->wall_us,
		    out_now_ms(lw));
	else if (len > 0)
		log_sink_added(&o->sink, len);
	if (log_is_losing(o))
		log_note_loss(lw, l->index);
	log_set_timers(lw, out_waiting(o) > 0 || o->is_failing, out_is_full(o));
}

static void
log_exchange_into(
    struct log_worker *lw, const struct access_log *l, struct exch *x)
{
	size_t cap, len = 0;
	char *room = log_room(lw, l, &cap);

	if (room != NULL)
		len = log_line(&l->format, &lw->times, x, room, cap);
	log_added(lw, l, len);
}

void
log_exchange(struct exch *x)
{
	const struct plan_logs *logs =
	    x->set->logs.is_told ? &x->set->logs : &x->listen->set.logs;

	for (uint32_t i = 0; i < logs->n; i++) {
		sink_note(x, "log", logs->at[i]->section->at, "%.*s%s",
		    SPAN_FMT(logs->at[i]->name),
		    logs->at[i]->sample.is_all ? "" : ", if it is sampled");
		if (x->sink == NULL && log_wants(logs->at[i], x))
			log_exchange_into(x->w->log, logs->at[i], x);
	}
}
