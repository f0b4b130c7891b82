/* A set of rules as text, one request, and what they said of it: the ids that
 * logged, in order, then what became of it. */
#ifndef GH_SEC_TX_FIXTURE_H
#define GH_SEC_TX_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "t/unit/sec_text.h"
#include "t/unit/unit.h"
#include "worker/sec/sec_sieve.h"
#include "worker/sec/sec_tx.h"

#define FIELDS_CAP 16
#define SAID_CAP 1024
#define MEMO_BYTES 65536

#define RULE(targets, op, actions) \
	"SecRule " targets " \"" op "\" \"" actions "\"\n"
#define ACTION(actions) "SecAction \"" actions "\"\n"
#define FORM "Content-Type: application/x-www-form-urlencoded"
#define PARTS "Content-Type: multipart/form-data; boundary=xx"
#define AS_JSON \
	"SecAction \"id:900,phase:1,nolog,ctl:requestBodyProcessor=JSON\"\n"
#define AS_XML \
	"SecAction \"id:900,phase:1,nolog,ctl:requestBodyProcessor=XML\"\n"

struct ask {
	const char *rules;
	const char *target; /* NULL: "/" */
	const char *fields; /* lines; may be NULL */
	const char *body; /* may be NULL */
	const char *said;
};

/* --- one request ---------------------------------------------------------- */

static struct arena_pool pool;
static struct arena arena;
static struct sec_set *set;
static struct sec_plan *plan;
static struct sec_sieve_memo *memo;
static struct sec_field fields[FIELDS_CAP];
static struct sec_request request;
static struct sec_tx *tx;

static uint32_t
read_fields(const char *lines)
{
	span rest = span_str(lines == NULL ? "" : lines), line;
	uint32_t n = 0;

	while (rest.len > 0 && span_cut(&rest, '\n', &line)) {
		ptrdiff_t colon = span_chr(line, ':');

		ck_assert(colon > 0 && n < FIELDS_CAP);
		fields[n].name = span_first(line, (size_t)colon);
		fields[n++].value = span_from(line, (size_t)colon + 2);
	}
	return n;
}

static span
server_addr(void *self)
{
	(void)self;
	return SPAN_LIT("192.0.2.1");
}

static void
tx_begin_with(
    const struct ask *ask, const struct sec_fixed *fixed, uint32_t n_fixed)
{
	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool);
	set = sec_must_load(ask->rules);
	plan = sec_plan_new(set, fixed, n_fixed);
	memo = sec_plan_memo(plan, MEMO_BYTES);
	request = (struct sec_request){.method = SPAN_LIT("POST"),
	    .target = span_str(ask->target == NULL ? "/" : ask->target),
	    .protocol = SPAN_LIT("HTTP/1.1"),
	    .fields = fields,
	    .n_fields = read_fields(ask->fields),
	    .remote_addr = SPAN_LIT("192.0.2.7"),
	    .server_addr = server_addr,
	    .server_name = SPAN_LIT("example.org"),
	    .remote_port = 4711,
	    .server_port = 8080,
	    .user = SPAN_LIT("mary"),
	    .id = SPAN_LIT("id-1"),
	    .now = {.tv_sec = 1700000000}};
	tx = sec_tx_new(plan, memo, &arena, &request);
}

static void
tx_begin(const struct ask *ask)
{
	tx_begin_with(ask, NULL, 0);
}

static void
tx_end(void)
{
	sec_sieve_memo_free(memo);
	sec_plan_free(plan);
	sec_set_free(set);
	arena_fini(&arena);
	arena_pool_fini(&pool);
}

static enum sec_outcome
tx_run(const char *body)
{
	static const struct sec_field answer_fields[] = {
	    {SPAN_LIT("Content-Type"), SPAN_LIT("text/html")},
	    {SPAN_LIT("Content-Length"), SPAN_LIT("6")}};
	static const struct sec_answer answer = {.status = 404,
	    .reason = SPAN_LIT("Not Found"),
	    .protocol = SPAN_LIT("HTTP/1.1"),
	    .fields = answer_fields,
	    .n_fields = NELEMS(answer_fields)};
	enum sec_outcome o = sec_tx_phase(tx, 1);

	if (o == SEC_OUTCOME_PASS) {
		if (body != NULL && sec_tx_wants_body(tx))
			sec_tx_body(tx, span_str(body));
		o = sec_tx_phase(tx, 2);
	}
	sec_tx_answer(tx, &answer);
	if (o == SEC_OUTCOME_PASS)
		o = sec_tx_phase(tx, 3);
	if (o == SEC_OUTCOME_PASS) {
		sec_tx_answer_body(tx, SPAN_LIT("<html>"));
		o = sec_tx_phase(tx, 4);
	}
	(void)sec_tx_phase(tx, 5);
	return o;
}

static void
said_add(char said[SAID_CAP], const char *text)
{
	size_t len = strlen(said);

	(void)snprintf(
	    said + len, SAID_CAP - len, "%s%s", len > 0 ? " " : "", text);
}

static const char *
tx_said(enum sec_outcome o)
{
	static const char *const names[] = {"pass", "deny", "drop", "redirect"};
	static char said[SAID_CAP];
	char word[64];

	said[0] = '\0';
	for (const struct sec_message *m = sec_tx_messages(tx); m != NULL;
	     m = m->next) {
		(void)snprintf(word, sizeof(word), "%llu",
		    (unsigned long long)m->rule->id);
		said_add(said, word);
	}
	if (o != SEC_OUTCOME_PASS) {
		(void)snprintf(
		    word, sizeof(word), "%s%u", names[o], sec_tx_status(tx));
		said_add(said, word);
	}
	return said;
}

static void
check_asks(const struct ask *asks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *said;

		tx_begin(&asks[i]);
		said = tx_said(tx_run(asks[i].body));
		ck_assert_msg(strcmp(said, asks[i].said) == 0,
		    "said \"%s\", not \"%s\"\n%s%s\n%s", said, asks[i].said,
		    asks[i].rules,
		    asks[i].target == NULL ? "/" : asks[i].target,
		    asks[i].body == NULL ? "" : asks[i].body);
		tx_end();
	}
}

#endif
