/* master/tracer: see tracer.h. */
#include "master/tracer.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/serve/fetch_url.h"
#include "common/shm/counters.h"
#include "common/store/spans.h"
#include "master/otlp.h"

/* Spans are looked for so often. */
#define TRACER_TURN_MS 100u
/* Of one batch. */
#define BATCH_MAX 512u
#define FETCH_MS 10000u
#define ANSWER_MAX 65536u
/* Attempts at one batch, the second one after so long, doubled with each. */
#define ATTEMPTS_MAX 4u
#define RETRY_MS 1000u
/* What is left at the end is sent in this time, looked at so often. */
#define FINISH_MS 1000u
#define FINISH_STEP_MS 50

struct tracer {
	struct loop *loop;
	const struct boot *boot;
	struct dns *dns; /* NULL: names are not resolved */
	char *servers; /* that it asks */
	struct fetch_url url; /* text == NULL: spans go nowhere */
	struct timer timer;
	bool has_lease;
	struct spans_reader reader;
	char *batch; /* on its way, or to be sent again; or NULL */
	uint32_t n_spans; /* in it */
	uint32_t n_attempts; /* at it */
	uint64_t due_ms; /* CLOCK_MONOTONIC: the next one */
	struct url_fetch *fetch; /* under way, or NULL */
	bool is_failing; /* that was told */
};

static uint64_t
now_ms(const struct tracer *t)
{
	return clock_mono_ms(loop_clock(t->loop));
}

static void
tracer_count(const struct tracer *t, enum counter_id id, uint64_t n)
{
	counter_add(&t->boot->counters->slot[t->boot->slot], id, n);
}

static void
tracer_forget_batch(struct tracer *t)
{
	free(t->batch);
	t->batch = NULL;
	t->n_spans = t->n_attempts = 0;
}

/* --- an answer ------------------------------------------------------------ */

static void
tracer_sent(struct tracer *t, span answer)
{
	uint64_t rejected = u64_min(otlp_rejected(answer), t->n_spans);

	tracer_count(t, COUNTER_SPANS_SENT, t->n_spans - rejected);
	tracer_count(t, COUNTER_SPANS_DROPPED, rejected);
	tracer_forget_batch(t);
	if (t->is_failing)
		log_msg(LOG_NOTICE, "spans are taken again collector=\"%s\"",
		    t->url.text);
	t->is_failing = false;
}

/* OTLP/HTTP, "Failures": these statuses pass, others do not. */
static bool
may_pass(const struct fetch_result *r)
{
	unsigned status;

	if (r == NULL || r->rc != FETCH_OK)
		return true;
	status = r->answer->status;
	return status == 429 || (status >= 502 && status <= 504);
}

static void
tracer_failed(struct tracer *t, const struct fetch_result *r, const char *why)
{
	if (!t->is_failing)
		log_msg(LOG_WARN,
		    "spans are not taken collector=\"%s\" why=\"%s\" "
		    "status=%u",
		    t->url.text, why,
		    r != NULL && r->rc == FETCH_OK ? r->answer->status : 0);
	t->is_failing = true;
	if (may_pass(r) && t->n_attempts < ATTEMPTS_MAX) {
		t->due_ms = now_ms(t) + (RETRY_MS << (t->n_attempts - 1));
		return;
	}
	tracer_count(t, COUNTER_SPANS_DROPPED, t->n_spans);
	tracer_forget_batch(t);
	/* who refused one takes the next one no sooner */
	t->due_ms = now_ms(t) + RETRY_MS;
}

static void tracer_work(struct tracer *t);

static void
tracer_on_answer(void *self, const struct fetch_result *r, const char *why)
{
	struct tracer *t = self;
	bool is_taken = why == NULL || (r != NULL && r->rc == FETCH_OK &&
					   r->answer->status / 100 == 2);

	t->fetch = NULL;
	if (is_taken)
		tracer_sent(t, r->content);
	else
		tracer_failed(t, r, why);
	tracer_work(t);
}

/* --- a batch -------------------------------------------------------------- */

static void
tracer_collect(struct tracer *t)
{
	json_t *spans = NULL;
	struct span_note n;

	while (t->n_spans < BATCH_MAX &&
	       spans_take(t->boot->spans, &t->reader, &n)) {
		if (spans == NULL)
			spans = json_array();
		(void)json_array_append_new(spans, otlp_span(&n));
		t->n_spans++;
	}
	tracer_count(t, COUNTER_SPANS_DROPPED, t->reader.n_lost);
	t->reader.n_lost = 0;
	if (spans != NULL)
		t->batch = otlp_request(spans);
}

static void
tracer_send(struct tracer *t)
{
	static const struct fetch_field type = {
	    SPAN_LIT("Content-Type"), SPAN_LIT("application/json")};
	struct fetch_spec ask = {
	    .method = METHOD_POST,
	    .fields = &type,
	    .n_fields = 1,
	    .content = span_str(t->batch),
	    .time_ms = FETCH_MS,
	    .head = {4096, 16384, 64},
	    .body_max = ANSWER_MAX,
	};

	t->n_attempts++;
	t->fetch = fetch_url_start(
	    t->loop, t->dns, &t->url, &ask, tracer_on_answer, t);
	if (t->fetch == NULL)
		tracer_failed(t, NULL, "names cannot be resolved now");
}

static void
tracer_work(struct tracer *t)
{
	if (!t->has_lease || t->url.text == NULL || t->fetch != NULL ||
	    now_ms(t) < t->due_ms)
		return;
	if (t->batch == NULL)
		tracer_collect(t);
	if (t->batch != NULL)
		tracer_send(t);
}

static void
tracer_on_timer(void *self)
{
	struct tracer *t = self;

	tracer_work(t);
	if (t->url.text != NULL)
		loop_timer_set(t->loop, &t->timer, TRACER_TURN_MS);
}

void
tracer_care(struct tracer *t, bool has_lease)
{
	t->has_lease = has_lease;
	if (t->url.text != NULL && !timer_is_set(&t->timer))
		loop_timer_set(t->loop, &t->timer, TRACER_TURN_MS);
}

/* An answer begins the next batch; one that does not come well ends it. */
void
tracer_finish(struct tracer *t)
{
	uint64_t end_ms = now_ms(t) + FINISH_MS;

	tracer_work(t);
	while (t->fetch != NULL && now_ms(t) < end_ms)
		loop_step(t->loop, FINISH_STEP_MS);
}

/* --- configuration -------------------------------------------------------- */

/* What it waits for is asked anew. */
static void
tracer_stop(struct tracer *t)
{
	if (t->fetch != NULL)
		fetch_url_cancel(t->fetch);
	t->fetch = NULL;
}

static void
tracer_use_servers(struct tracer *t, const char *servers)
{
	if (t->servers != NULL && strcmp(t->servers, servers) == 0)
		return;
	tracer_stop(t);
	free(t->servers);
	t->servers = strdup(servers);
	REQUIRE(t->servers != NULL);
	/* that it cannot be used was told by who fetches for certificates */
	if (t->dns != NULL && !dns_use_servers(t->dns, span_str(servers))) {
		dns_free(t->dns);
		t->dns = NULL;
	}
}

void
tracer_use(struct tracer *t, const json_t *conf)
{
	const char *servers =
	    json_string_value(json_object_get(conf, "dns_servers"));
	const char *to =
	    json_string_value(json_object_get(conf, "trace_export"));

	if (servers != NULL)
		tracer_use_servers(t, servers);
	if (to == NULL ||
	    (t->url.text != NULL ? strcmp(t->url.text, to) == 0 : *to == '\0'))
		return;
	tracer_stop(t);
	fetch_url_fini(&t->url);
	t->is_failing = false;
	t->due_ms = 0;
	if (*to != '\0')
		(void)fetch_url_read(&t->url, span_str(to));
}

/* --- life ----------------------------------------------------------------- */

struct tracer *
tracer_new(struct loop *l, const struct boot *b, const struct dns_conf *dns)
{
	struct tracer *t = calloc(1, sizeof(*t));

	REQUIRE(t != NULL);
	t->loop = l;
	t->boot = b;
	t->dns = dns != NULL ? dns_new(l, dns) : NULL;
	timer_init(&t->timer, tracer_on_timer, t);
	return t;
}

void
tracer_free(struct tracer *t)
{
	tracer_stop(t);
	loop_timer_clear(t->loop, &t->timer);
	tracer_count(t, COUNTER_SPANS_DROPPED, t->n_spans);
	tracer_forget_batch(t);
	fetch_url_fini(&t->url);
	dns_free(t->dns);
	free(t->servers);
	free(t);
}
