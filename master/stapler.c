/* master/stapler: one job for each certificate: idle until it is due, then the
 * responder's name is resolved, its addresses are asked one by one, and what
 * comes is judged. Nothing that a responder says but a good answer changes what
 * is stapled, and nothing but a revocation ends it early. */
#include "master/stapler.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/num.h"
#include "common/serve/fetch_url.h"
#include "common/shm/counters.h"
#include "common/store/staples.h"
#include "common/tls/tls_ocsp.h"

/* At once; the next ones wait for their end. */
#define FETCHES_MAX 4u
#define FETCH_MS 10000u
/* After a failure, doubled with each one behind it. */
#define RETRY_MIN_S 4
#define RETRY_MAX_S 600
/* An answer is replaced at half of its time, or of what is left of it when that
 * is over, and looked at every day, so that a revocation is seen. */
#define REFRESH_MIN_S 4
#define REFRESH_MAX_S 86400

struct staple_job {
	struct list node; /* in stapler.jobs */
	struct stapler *stapler;
	struct tls_leaf *leaf;
	char *file; /* for people */
	char fingerprint[2 * TLS_PRINT_LEN + 1];
	unsigned char print[TLS_PRINT_LEN];
	struct fetch_url url;
	char *ask; /* the request in DER */
	size_t ask_len;
	uint64_t due_ms; /* CLOCK_MONOTONIC */
	struct url_fetch *fetch; /* under way, or NULL */
	uint32_t n_failures; /* in a row */
	const char *problem; /* of the last attempt; NULL: none */
	bool has_answer; /* a good one was seen */
	bool is_revoked;
	bool is_wanted; /* stapler_use() only */
};

struct stapler {
	struct loop *loop;
	const struct boot *boot;
	struct dns *dns; /* NULL: names are not resolved */
	char *servers; /* that it asks; empty: the system's */
	struct list jobs;
	uint32_t n_running;
};

static int64_t
now_s(const struct stapler *s)
{
	return clock_wall_s(loop_clock(s->loop));
}

static struct slot_name
own_name(const struct stapler *s)
{
	return (struct slot_name){s->boot->slot, s->boot->incarnation};
}

static void
job_wait(struct staple_job *j, int64_t wait_s)
{
	j->due_ms = clock_mono_ms(loop_clock(j->stapler->loop)) +
		    (uint64_t)wait_s * 1000;
}

/* When a good answer is to be replaced. */
static void
job_wait_half(struct staple_job *j, int64_t since_s, int64_t until_s)
{
	int64_t now = now_s(j->stapler);
	int64_t half_s = since_s + (until_s - since_s) / 2 - now;

	if (half_s <= 0)
		half_s = (until_s - now) / 2;
	if (half_s < REFRESH_MIN_S)
		half_s = REFRESH_MIN_S;
	job_wait(j, half_s < REFRESH_MAX_S ? half_s : REFRESH_MAX_S);
}

/* --- the end of an attempt ------------------------------------------------ */

static void
job_count(const struct staple_job *j, enum counter_id id)
{
	const struct boot *b = j->stapler->boot;

	counter_add(&b->counters->slot[b->slot], id, 1);
}

static void
job_done(struct staple_job *j, const struct tls_answer *a)
{
	j->n_failures = 0;
	j->problem = NULL;
	job_count(j, COUNTER_OCSP_FETCHES);
	job_wait_half(j, a->since_s, a->until_s);
}

static void
job_fail(struct staple_job *j, const char *why)
{
	int64_t wait_s = RETRY_MIN_S;

	for (uint32_t i = 0; i < j->n_failures && wait_s < RETRY_MAX_S; i++)
		wait_s *= 2;
	if (wait_s > RETRY_MAX_S)
		wait_s = RETRY_MAX_S;
	j->n_failures++;
	j->problem = why;
	job_count(j, COUNTER_OCSP_FETCH_FAILURES);
	job_wait(j, wait_s);
	log_msg(LOG_WARN,
	    "ocsp response not fetched certificate=\"%s\" responder=\"%s\" "
	    "why=\"%s\" again_s=%lld",
	    j->file, j->url.text, why, (long long)wait_s);
}

static void
job_take(struct staple_job *j, span der, const struct tls_answer *a)
{
	struct stapler *s = j->stapler;
	struct staple staple = {der, a->since_s, a->until_s};

	j->is_revoked = false;
	if (!staples_put(s->boot->staples, s->boot->slots, own_name(s),
		j->print, &staple, now_s(s))) {
		job_fail(j, "no place is free for it");
		return;
	}
	j->has_answer = true;
	job_done(j, a);
	log_msg(LOG_INFO,
	    "ocsp response fetched certificate=\"%s\" responder=\"%s\" "
	    "good_s=%lld",
	    j->file, j->url.text, (long long)(a->until_s - now_s(s)));
}

/* Not stapled: clients believe the authority, and who runs this must hear of
 * it. */
static void
job_revoked(struct staple_job *j, const struct tls_answer *a)
{
	struct stapler *s = j->stapler;

	if (!j->is_revoked)
		log_msg(LOG_ERROR,
		    "certificate is revoked certificate=\"%s\" "
		    "responder=\"%s\" stapled=no: get another one",
		    j->file, j->url.text);
	j->is_revoked = true;
	if (!staples_drop(
		s->boot->staples, s->boot->slots, own_name(s), j->print)) {
		job_fail(j, "the old answer cannot be dropped now");
		return;
	}
	job_done(j, a);
}

static void
job_judge(struct staple_job *j, span der)
{
	struct tls_answer a;
	enum tls_ocsp judged =
	    tls_ocsp_judge(j->leaf, der, now_s(j->stapler), &a);

	if (judged == TLS_OCSP_GOOD)
		job_take(j, der, &a);
	else if (judged == TLS_OCSP_REVOKED)
		job_revoked(j, &a);
	else
		job_fail(j, tls_ocsp_text(judged));
}

/* --- asking --------------------------------------------------------------- */

/* A redirection is not followed: where answers are is in the certificate. */
static void
job_on_fetched(void *self, const struct fetch_result *r, const char *why)
{
	struct staple_job *j = self;

	j->fetch = NULL;
	j->stapler->n_running--;
	if (why != NULL)
		job_fail(j, why);
	else
		job_judge(j, r->content);
}

static void
job_begin(struct staple_job *j)
{
	static const struct fetch_field type = {
	    SPAN_LIT("Content-Type"), SPAN_LIT("application/ocsp-request")};
	struct stapler *s = j->stapler;
	struct fetch_spec ask = {
	    .method = METHOD_POST,
	    .fields = &type,
	    .n_fields = 1,
	    .content = span_of(j->ask, j->ask_len),
	    .time_ms = FETCH_MS,
	    .head = {4096, 16384, 64},
	    .body_max = TLS_OCSP_MAX,
	};

	j->fetch =
	    fetch_url_start(s->loop, s->dns, &j->url, &ask, job_on_fetched, j);
	if (j->fetch != NULL)
		s->n_running++;
	else
		job_fail(j, "names cannot be resolved now");
}

void
stapler_care(struct stapler *s)
{
	uint64_t now_ms = clock_mono_ms(loop_clock(s->loop));

	list_foreach (n, &s->jobs) {
		struct staple_job *j = LIST_ENTRY(n, struct staple_job, node);

		if (s->n_running >= FETCHES_MAX)
			return;
		if (j->fetch == NULL && j->due_ms <= now_ms)
			job_begin(j);
	}
}

/* --- jobs ----------------------------------------------------------------- */

static void
job_stop(struct staple_job *j)
{
	if (j->fetch == NULL)
		return;
	j->stapler->n_running--;
	fetch_url_cancel(j->fetch);
	j->fetch = NULL;
}

static void
job_free(struct staple_job *j)
{
	job_stop(j);
	list_del(&j->node);
	tls_leaf_free(j->leaf);
	free(j->file);
	fetch_url_fini(&j->url);
	free(j->ask);
	free(j);
}

/* Where it says that answers are. false: nowhere that can be asked. */
static bool
job_read_url(struct staple_job *j)
{
	char *text = tls_leaf_responder(j->leaf);
	bool is_good = text != NULL &&
		       fetch_url_read(&j->url, span_str(text)) &&
		       !fetch_url_is_tls(&j->url);

	free(text);
	return is_good;
}

/* false: there is nothing to ask, or nobody. */
static bool
job_read(struct staple_job *j, const char *pem)
{
	j->leaf = tls_leaf_read(span_str(pem));
	if (j->leaf == NULL)
		return false;
	tls_leaf_print(j->leaf, j->print);
	tls_leaf_print_hex(j->leaf, j->fingerprint);
	if (!job_read_url(j))
		return false;
	j->ask = tls_ocsp_ask(j->leaf, &j->ask_len);
	return true;
}

/* What is in the segment from the steward before this one is used on. */
static void
job_find(struct staple_job *j)
{
	const struct stapler *s = j->stapler;
	char room[STAPLE_CAP];
	struct staple found;

	job_wait(j, 0);
	if (!staples_find(s->boot->staples, j->print, now_s(s), room, &found))
		return;
	j->has_answer = true;
	job_wait_half(j, found.since_s, found.until_s);
}

static void
job_add(struct stapler *s, const char *file, const char *pem)
{
	struct staple_job *j = calloc(1, sizeof(*j));

	REQUIRE(j != NULL);
	j->stapler = s;
	j->is_wanted = true;
	list_push_back(&s->jobs, &j->node);
	j->file = strdup(file);
	REQUIRE(j->file != NULL);
	if (job_read(j, pem)) {
		job_find(j);
		return;
	}
	log_msg(LOG_WARN,
	    "certificate names no usable ocsp responder certificate=\"%s\"",
	    file);
	job_free(j);
}

static struct staple_job *
stapler_find(const struct stapler *s, const char *fingerprint)
{
	list_foreach (n, &s->jobs) {
		struct staple_job *j = LIST_ENTRY(n, struct staple_job, node);

		if (strcmp(j->fingerprint, fingerprint) == 0)
			return j;
	}
	return NULL;
}

static const char *
text_of(const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));

	return text != NULL ? text : "";
}

void
stapler_use(struct stapler *s, const json_t *certs)
{
	const json_t *c;
	size_t i;

	json_array_foreach(certs, i, c)
	{
		struct staple_job *j =
		    stapler_find(s, text_of(c, "fingerprint"));

		if (strcmp(text_of(c, "staple"), "fetch") != 0)
			continue;
		if (j != NULL)
			j->is_wanted = true;
		else
			job_add(s, text_of(c, "file"), text_of(c, "pem"));
	}
	list_foreach_safe (n, &s->jobs) {
		struct staple_job *j = LIST_ENTRY(n, struct staple_job, node);

		if (!j->is_wanted)
			job_free(j);
		else
			j->is_wanted = false;
	}
}

bool
stapler_look(
    const struct stapler *s, const char *fingerprint, struct stapler_state *out)
{
	const struct staple_job *j = stapler_find(s, fingerprint);
	char room[STAPLE_CAP];
	struct staple found;

	if (j == NULL)
		return false;
	*out = (struct stapler_state){.problem = j->problem};
	if (staples_find(s->boot->staples, j->print, now_s(s), room, &found)) {
		out->word = "good";
		out->until_s = found.until_s;
	} else if (j->is_revoked) {
		out->word = "revoked";
	} else {
		out->word = j->has_answer ? "expired" : "waiting";
	}
	return true;
}

/* --- name servers --------------------------------------------------------- */

/* Who waits for an answer asks anew. */
void
stapler_use_servers(struct stapler *s, const char *servers)
{
	if (s->servers != NULL && strcmp(s->servers, servers) == 0)
		return;
	free(s->servers);
	s->servers = strdup(servers);
	REQUIRE(s->servers != NULL);
	list_foreach (n, &s->jobs)
		job_stop(LIST_ENTRY(n, struct staple_job, node));
	if (s->dns != NULL && !dns_use_servers(s->dns, span_str(servers))) {
		dns_free(s->dns);
		s->dns = NULL;
	}
	if (s->dns == NULL)
		log_msg(LOG_ERROR, "names cannot be resolved servers=\"%s\"",
		    servers);
}

/* --- life ----------------------------------------------------------------- */

struct stapler *
stapler_new(struct loop *l, const struct boot *b, const struct dns_conf *dns)
{
	struct stapler *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	s->loop = l;
	s->boot = b;
	s->dns = dns != NULL ? dns_new(l, dns) : NULL;
	list_init(&s->jobs);
	stapler_use_servers(s, "");
	return s;
}

void
stapler_free(struct stapler *s)
{
	list_foreach_safe (n, &s->jobs)
		job_free(LIST_ENTRY(n, struct staple_job, node));
	dns_free(s->dns);
	free(s->servers);
	free(s);
}
