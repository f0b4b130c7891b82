/* fuzz/secrun: a whole request before a few rules: its first line is the target,
 * then fields as far as an empty line, then the body, which is read by its
 * Content-Type (JSON and XML too). What is said of it keeps to its bounds. */
#include "t/fuzz/fuzz.h"
#include "worker/sec/sec_sieve.h"
#include "worker/sec/sec_tx.h"

#define FIELDS_CAP 16
#define MEMO_BYTES ((size_t)65536)

static const char rules[] =
    "SecRequestBodyJsonDepthLimit 20\n"
    "SecRule REQUEST_HEADERS:Content-Type \"json\" "
    "\"id:1,phase:1,nolog,ctl:requestBodyProcessor=JSON\"\n"
    "SecRule REQUEST_HEADERS:Content-Type \"xml\" "
    "\"id:2,phase:1,nolog,ctl:requestBodyProcessor=XML\"\n"
    "SecRule ARGS|ARGS_NAMES|FILES|FILES_NAMES|MULTIPART_PART_HEADERS|XML:/*|"
    "XML://@*|REQUEST_COOKIES|REQUEST_URI|REQUEST_FILENAME|REQUEST_BASENAME|"
    "REQUEST_LINE|REQBODY_ERROR_MSG|FILES_SIZES \"@rx (.)(.?)\" "
    "\"id:3,phase:2,capture,t:urlDecodeUni,t:lowercase,setvar:tx.n=+1,"
    "setvar:tx.%{MATCHED_VAR_NAME}=%{MATCHED_VAR},"
    "logdata:'%{MATCHED_VAR_NAME} %{tx.1} %{ARGS.a}'\"\n"
    "SecRule ARGS|!ARGS:/^q/ \"@detectSQLi\" "
    "\"id:4,phase:2,multiMatch,t:htmlEntityDecode,t:jsDecode,chain\"\n"
    "SecRule MATCHED_VARS|TX:/a/ \"!@rx ^$\" \"t:base64Decode\"\n"
    "SecRule ARGS:a \"@streq %{ARGS.b}\" \"id:5,phase:2,deny,status:429\"\n"
    "SecRule MULTIPART_STRICT_ERROR \"@eq 1\" \"id:6,phase:2\"\n"
    "SecRule &ARGS \"@gt 5\" \"id:7,phase:2,ctl:ruleRemoveTargetById=8;ARGS\"\n"
    "SecRule ARGS|REQUEST_HEADERS \"^(?:a|b)+x$\" \"id:8,phase:2\"\n";

static struct sec_set *set;
static struct sec_plan *plan;
static struct sec_sieve_memo *memo;

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

static uint32_t
read_fields(span *rest, struct sec_field fields[FIELDS_CAP])
{
	uint32_t n = 0;
	span line;

	while (n < FIELDS_CAP && span_cut(rest, '\n', &line) && line.len > 0) {
		ptrdiff_t colon = span_chr(line, ':');

		if (colon <= 0)
			continue;
		fields[n].name = span_first(line, (size_t)colon);
		fields[n++].value =
		    span_trim(span_from(line, (size_t)colon + 1));
	}
	return n;
}

static void
run(const struct sec_request *request, span body, struct arena *a)
{
	struct sec_tx *tx = sec_tx_new(plan, memo, a, request);
	enum sec_outcome o = sec_tx_phase(tx, 1);

	REQUIRE(o == SEC_OUTCOME_PASS);
	sec_tx_body(tx, body);
	o = sec_tx_phase(tx, 2);
	REQUIRE((o == SEC_OUTCOME_PASS) == (sec_tx_refuser(tx) == NULL));
	REQUIRE(o == SEC_OUTCOME_PASS || sec_tx_status(tx) == 429);
	for (const struct sec_message *m = sec_tx_messages(tx); m != NULL;
	     m = m->next)
		REQUIRE(m->phase == 2 && m->rule->id >= 3);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct sec_field fields[FIELDS_CAP];
	span rest = in, body;
	struct sec_request request = {.method = SPAN_LIT("POST"),
	    .protocol = SPAN_LIT("HTTP/1.1"),
	    .fields = fields};
	struct arena_pool pool;
	struct arena a;

	if (plan == NULL)
		make_ready();
	(void)span_cut(&rest, '\n', &request.target);
	request.n_fields = read_fields(&rest, fields);
	/* a read behind its end is seen */
	body = fuzz_dup(rest);
	arena_pool_init(&pool, 0);
	arena_init(&a, &pool);
	run(&request, body, &a);
	arena_fini(&a);
	arena_pool_fini(&pool);
	fuzz_free(body);
	fuzz_free(in);
	return 0;
}
