/* fuzz/secask: rules that ask lists, in any chain, with names that are answered
 * at once, late, or never: each request says in the end what it would have said
 * had all answers been there. The first byte says how often each is looked for in
 * vain, the second which lists have what; lines behind them are the target and
 * fields. */
#include "t/fuzz/fuzz.h"
#include "worker/sec/sec_sieve.h"
#include "worker/sec/sec_tx.h"

#define FIELDS_CAP 4
#define MEMO_BYTES ((size_t)65536)
#define NAMES_CAP 64
#define TRIES_MAX 8
/* A rule that waits does so for its own names alone, of which there are few. */
#define ROUNDS_MAX (NAMES_CAP * TRIES_MAX)

static const char rules[] =
    "SecRule ARGS:a \"@rbl one.test\" "
    "\"id:1,phase:1,pass,log,setvar:tx.n=+1\"\n"
    "SecRule ARGS \"@contains x\" \"id:2,phase:1,pass,log,chain,"
    "setvar:tx.n=+1\"\n"
    "SecRule REMOTE_ADDR \"@rbl two.test\" \"chain,setvar:tx.n=+2\"\n"
    "SecRule ARGS|!ARGS:b \"!@rbl three.test\" \"t:lowercase,setvar:tx.n=+4\"\n"
    "SecRule TX:n \"@gt 3\" \"id:3,phase:1,pass,log,logdata:'%{tx.n}',"
    "skipAfter:END\"\n"
    "SecRule REQUEST_HEADERS|REMOTE_ADDR \"@rbl %{ARGS.list}\" "
    "\"id:4,phase:2,deny,log,capture\"\n"
    "SecMarker END\n"
    "SecRule &ARGS \"@gt 1\" \"id:5,phase:2,pass,log,"
    "ctl:ruleRemoveTargetById=6;ARGS:a,ctl:ruleRemoveById=7\"\n"
    "SecRule ARGS \"@rbl four.test\" \"id:6,phase:2,deny,status:429,log,"
    "multiMatch,t:urlDecode,t:trim,setvar:tx.n=+8\"\n"
    "SecRule REMOTE_ADDR \"@rbl five.test\" "
    "\"id:7,phase:2,deny,log,msg:'%{tx.n}'\"\n";

static struct sec_set *set;
static struct sec_plan *plan;
static struct sec_sieve_memo *memo;

struct world {
	uint8_t tries; /* in vain, of a name */
	uint8_t salt;
	struct {
		uint64_t hash;
		unsigned tries;
	} at[NAMES_CAP];
	unsigned n;
};

static void
make_ready(void)
{
	struct diag *d = diag_new();

	set = sec_set_new_text("fuzz", span_str(rules), "/nowhere", d);
	REQUIRE(set != NULL);
	diag_free(d);
	plan = sec_plan_new(set, NULL, 0);
	memo = sec_plan_memo(plan, MEMO_BYTES);
}

static uint64_t
hash_of(span s)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (uint8_t)s.p[i]) * 1099511628211u;
	return h;
}

static enum sec_look
look(void *self, span name)
{
	struct world *w = self;
	uint64_t hash = hash_of(name);
	enum sec_look found =
	    (hash >> 40 ^ w->salt) % 2 == 0 ? SEC_LOOK_YES : SEC_LOOK_NO;
	unsigned i = 0;

	REQUIRE(name.len > 0 && name.len <= 253);
	while (i < w->n && w->at[i].hash != hash)
		i++;
	if (i == NAMES_CAP || w->tries == 0)
		return found;
	if (i == w->n) {
		w->at[w->n++].hash = hash;
		w->at[i].tries = 0;
	}
	return w->at[i].tries++ < w->tries ? SEC_LOOK_WAITS : found;
}

static uint32_t
read_fields(span *rest, struct sec_field fields[FIELDS_CAP])
{
	uint32_t n = 0;
	span line;

	while (n < FIELDS_CAP && span_cut(rest, '\n', &line)) {
		fields[n].name = SPAN_LIT("X-A");
		fields[n++].value = line;
	}
	return n;
}

static enum sec_outcome
run(struct sec_tx *tx)
{
	enum sec_outcome o = SEC_OUTCOME_WAIT;

	for (uint8_t phase = 1; phase <= 2; phase++) {
		unsigned rounds = 0;

		while ((o = sec_tx_phase(tx, phase)) == SEC_OUTCOME_WAIT)
			REQUIRE(rounds++ < ROUNDS_MAX);
		if (o != SEC_OUTCOME_PASS)
			break;
	}
	REQUIRE(sec_tx_phase(tx, 5) == o);
	return o;
}

static void
check_same(const struct sec_tx *a, const struct sec_tx *b)
{
	const struct sec_message *m = sec_tx_messages(a);
	const struct sec_message *n = sec_tx_messages(b);

	for (; m != NULL && n != NULL; m = m->next, n = n->next)
		REQUIRE(m->rule == n->rule && m->phase == n->phase &&
			span_eq(m->msg, n->msg) && span_eq(m->data, n->data) &&
			span_eq(m->var, n->var) && span_eq(m->value, n->value));
	REQUIRE(m == NULL && n == NULL);
	REQUIRE(sec_tx_refuser(a) == sec_tx_refuser(b));
	REQUIRE(sec_tx_is_over(a) == sec_tx_is_over(b));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct sec_field fields[FIELDS_CAP];
	span rest = span_from(in, 2);
	struct world late = {0}, ready = {0};
	struct sec_request asks = {.method = SPAN_LIT("GET"),
	    .protocol = SPAN_LIT("HTTP/1.1"),
	    .remote_addr = SPAN_LIT("192.0.2.7"),
	    .fields = fields,
	    .look = look,
	    .self = &late};
	struct sec_request knows;
	struct arena_pool pool;
	struct sec_tx *a, *b;
	struct arena arena;

	if (plan == NULL)
		make_ready();
	if (size >= 2) {
		late.tries = (uint8_t)(data[0] % TRIES_MAX);
		late.salt = ready.salt = data[1];
	}
	(void)span_cut(&rest, '\n', &asks.target);
	asks.n_fields = read_fields(&rest, fields);
	knows = asks;
	knows.self = &ready;
	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool);
	a = sec_tx_new(plan, memo, &arena, &asks);
	b = sec_tx_new(plan, memo, &arena, &knows);
	REQUIRE(run(a) == run(b));
	check_same(a, b);
	arena_fini(&arena);
	arena_pool_fini(&pool);
	fuzz_free(in);
	return 0;
}
