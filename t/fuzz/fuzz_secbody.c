/* fuzz/secbody: a body of several parts, or of XML: the first line is its type.
 * What is broken has no arguments, limits hold, and what became of a text lies
 * in memory that is there. */
#include "t/fuzz/fuzz.h"
#include "worker/sec/sec_sieve.h"
#include "worker/sec/sec_tx_int.h"

#define MEMO_BYTES ((size_t)65536)
#define FILES 3u
#define ARGUMENTS 5u
/* Of any body as long as a fuzzer's. */
#define BYTES_MAX ((size_t)4 << 20)

static const char rules[] =
    "SecUploadFileLimit 3\n"
    "SecArgumentsLimit 5\n"
    "SecRule REQUEST_HEADERS:Content-Type \"xml\" "
    "\"id:2,phase:1,nolog,ctl:requestBodyProcessor=XML\"\n";

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

static size_t
sum_of(const struct sec_items *l)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		span s = l->at[i].value->text;

		for (size_t k = 0; k < s.len; k++)
			sum += (uint8_t)s.p[k];
	}
	return sum;
}

static void
check_limits(const struct sec_tx *tx)
{
	const struct sec_items *arguments = &tx->many[SEC_VAR_ARGS_POST];
	const struct sec_value *error = tx->one[SEC_VAR_REQBODY_ERROR];

	REQUIRE(arguments->n <= ARGUMENTS);
	REQUIRE(error == NULL || arguments->n == 0);
	REQUIRE(tx->many[SEC_VAR_FILES].n <= FILES);
	REQUIRE(tx->processor != SEC_BODY_MULTIPART || error == NULL ||
		tx->one[SEC_VAR_MULTIPART_STRICT_ERROR] != NULL);
	REQUIRE(tx->many[SEC_VAR_XML].n == 0 || tx->processor == SEC_BODY_XML);
	(void)sum_of(arguments);
	(void)sum_of(&tx->many[SEC_VAR_FILES]);
	(void)sum_of(&tx->many[SEC_VAR_XML]);
	(void)sum_of(&tx->many[SEC_VAR_MULTIPART_PART_HEADERS]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	struct sec_field type = {.name = SPAN_LIT("Content-Type")};
	const struct sec_request request = {.method = SPAN_LIT("POST"),
	    .target = SPAN_LIT("/"),
	    .protocol = SPAN_LIT("HTTP/1.1"),
	    .fields = &type,
	    .n_fields = 1};
	span rest = in, body;
	struct arena_pool pool;
	struct arena a;
	struct sec_tx *tx;

	if (plan == NULL)
		make_ready();
	(void)span_cut(&rest, '\n', &type.value);
	/* a read behind its end is seen */
	body = fuzz_dup(rest);
	arena_pool_init(&pool, 0);
	arena_init(&a, &pool);
	tx = sec_tx_new(plan, memo, &a, &request);
	(void)sec_tx_phase(tx, 1);
	sec_tx_body(tx, body);
	REQUIRE(size > 65536 || a.used <= BYTES_MAX);
	check_limits(tx);
	arena_fini(&a);
	arena_pool_fini(&pool);
	fuzz_free(body);
	fuzz_free(in);
	return 0;
}
