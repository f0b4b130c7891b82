/* sec_body: contents that are made to cost much: of each, what rules keep has a
 * bound, and what is over it is told. */
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "t/unit/sec_text.h"
#include "t/unit/unit.h"
#include "worker/sec/sec_sieve.h"
#include "worker/sec/sec_tx.h"

#define MEMO_BYTES 65536
#define BODY_CAP ((size_t)4 << 20)
#define PARTS "multipart/form-data; boundary=xx"
#define BAD "SecRule REQBODY_ERROR \"@eq 1\" \"id:3,phase:2\"\n"

static char *text;
static size_t len;

static void
put(const char *s)
{
	size_t n = strlen(s);

	ck_assert(len + n < BODY_CAP);
	memcpy(text + len, s, n);
	len += n;
}

static void
put_times(const char *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put(s);
}

/* With its number in it. */
static void
put_numbered(const char *before, unsigned n, const char *behind)
{
	char digits[16];

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(digits, sizeof(digits), "%u", i);
		put(before);
		put(digits);
		put(behind);
	}
}

static void
set_up(void)
{
	text = malloc(BODY_CAP);
	REQUIRE(text != NULL);
	len = 0;
}

static void
tear_down(void)
{
	free(text);
}

struct judged {
	bool is_bad; /* REQBODY_ERROR */
	bool is_over;
	enum sec_bound bound;
	size_t used;
};

/* What becomes of the text. */
static struct judged
judge(const char *type, const char *processor)
{
	const struct sec_field field = {
	    SPAN_LIT("Content-Type"), span_str(type)};
	const struct sec_request request = {.method = SPAN_LIT("POST"),
	    .target = SPAN_LIT("/"),
	    .protocol = SPAN_LIT("HTTP/1.1"),
	    .fields = &field,
	    .n_fields = 1};
	const struct sec_rule *rule;
	struct sec_sieve_memo *memo;
	struct arena_pool pool;
	struct judged out;
	struct sec_plan *plan;
	struct sec_set *set;
	struct arena arena;
	struct sec_tx *tx;
	char rules[256];

	(void)snprintf(rules, sizeof(rules), "%s%s%s%s", BAD,
	    processor[0] == '\0' ? ""
				 : "SecAction \"id:1,phase:1,nolog,"
				   "ctl:requestBodyProcessor=",
	    processor, processor[0] == '\0' ? "" : "\"\n");
	set = sec_must_load(rules);
	plan = sec_plan_new(set, NULL, 0);
	memo = sec_plan_memo(plan, MEMO_BYTES);
	arena_pool_init(&pool, 0);
	arena_init(&arena, &pool);
	tx = sec_tx_new(plan, memo, &arena, &request);
	(void)sec_tx_phase(tx, 1);
	sec_tx_body(tx, span_of(text, len));
	(void)sec_tx_phase(tx, 2);
	out.is_bad = sec_tx_messages(tx) != NULL;
	out.is_over = sec_tx_is_over(tx);
	out.bound = sec_tx_bound(tx, &rule);
	out.used = arena.used;
	sec_sieve_memo_free(memo);
	sec_plan_free(plan);
	sec_set_free(set);
	arena_fini(&arena);
	arena_pool_fini(&pool);
	return out;
}

START_TEST(a_long_key_is_not_copied_for_each_object_in_it)
{
	struct judged j;

	put("{\"");
	put_times("k", 30000);
	put("\":[{}");
	put_times(",{}", 30000);
	put("]}");
	j = judge("application/json", "JSON");
	ck_assert(j.is_bad);
	ck_assert_uint_lt(j.used, SEC_TX_BYTES_MAX);
}
END_TEST

START_TEST(nor_for_each_value)
{
	struct judged j;

	put("{\"");
	put_times("k", 60000);
	put("\":{\"a\":0");
	put_numbered(",\"", 900, "\":1");
	put("}}");
	j = judge("application/json", "JSON");
	ck_assert(j.is_bad);
	ck_assert_uint_lt(j.used, SEC_TX_BYTES_MAX);
}
END_TEST

START_TEST(many_short_objects_with_honest_names_are_read)
{
	struct judged j;

	put("{\"items\":[{\"id\":0}");
	put_numbered(",{\"id\":", 900, "}");
	put_times(",{}", 90000);
	put("]}");
	j = judge("application/json", "JSON");
	ck_assert(!j.is_bad && !j.is_over);
}
END_TEST

START_TEST(fields_of_parts_have_a_bound)
{
	struct judged j;

	for (unsigned i = 0; i < 1500; i++) {
		put("--xx\nContent-Disposition:form-data;name=a;filename=b\n");
		for (unsigned k = 0; k < 60; k++) {
			char line[32];

			(void)snprintf(
			    line, sizeof(line), "h%u:%u\n", k, i * 64 + k);
			put(line);
		}
		put("\n\n");
	}
	put("--xx--\n");
	j = judge(PARTS, "");
	ck_assert(j.is_over);
	ck_assert_int_eq(j.bound, SEC_BOUND_MEMORY);
	ck_assert_uint_lt(j.used, 2 * (size_t)SEC_TX_BYTES_MAX);
}
END_TEST

#ifdef HAVE_LIBXML2
/* A tag with so many attributes, in the encoding. */
static bool
is_read(const char *before, unsigned n, const char *behind)
{
	len = 0;
	put("<a");
	put_numbered(before, n, behind);
	put("/>");
	return !judge("text/xml", "XML").is_bad;
}

START_TEST(a_tag_has_a_thousand_attributes_at_most)
{
	ck_assert(is_read(" b", 1000, "='<'") == false);
	ck_assert(is_read(" b", 1000, "='1'"));
	ck_assert(is_read(" b", 1000, " = \"=\""));
	ck_assert(!is_read(" b", 1001, "='1'"));
	ck_assert(!is_read(" b", 1001, "= \n\"1\""));
	ck_assert(is_read(" xmlns:b", 100, "='u'"));
	ck_assert(!is_read(" xmlns:b", 101, "='u'"));
}
END_TEST

/* Without a library that compares each of them with all others. */
START_TEST(more_are_found_before_they_are_read)
{
	ck_assert(!is_read(" b", 100000, "='1'"));
	ck_assert(!is_read(" xmlns:b", 100000, "='u'"));
}
END_TEST

START_TEST(text_that_looks_like_attributes_is_text)
{
	put("<a><![CDATA[");
	put_times("b='1' <", 3000);
	put("]]></a>");
	ck_assert(!judge("text/xml", "XML").is_bad);
}
END_TEST

/* UTF-16: a character with the byte of `<` ends no tag. */
START_TEST(attributes_of_wide_characters_are_counted)
{
	static const char lt_inside[] = {'=', 0, '\'', 0, '<', '<', '\'', 0};
	size_t n = 0;

	put("\xff\xfe");
	for (; n < 1001; n++) {
		char name[] = {' ', 0, 'b', 0, (char)('a' + n / 26 / 26), 0,
		    (char)('a' + n / 26 % 26), 0, (char)('a' + n % 26), 0};

		if (n == 0)
			memcpy(text + len, "<\0a", 4), len += 4;
		memcpy(text + len, name, sizeof(name));
		len += sizeof(name);
		memcpy(text + len, lt_inside, sizeof(lt_inside));
		len += sizeof(lt_inside);
	}
	memcpy(text + len, "/\0>", 4);
	len += 4;
	ck_assert(judge("text/xml", "XML").is_bad);
}
END_TEST

START_TEST(characters_may_become_longer)
{
	struct judged j;

	put("<?xml version='1.0' encoding='ISO-8859-1'?><a>");
	put_times("\xe9", 100000);
	put("</a>");
	j = judge("text/xml", "XML");
	ck_assert(!j.is_bad && !j.is_over);
}
END_TEST
#endif

int
main(void)
{
	const TTest *const tests[] = {
	    a_long_key_is_not_copied_for_each_object_in_it,
	    nor_for_each_value,
	    many_short_objects_with_honest_names_are_read,
	    fields_of_parts_have_a_bound,
#ifdef HAVE_LIBXML2
	    a_tag_has_a_thousand_attributes_at_most,
	    more_are_found_before_they_are_read,
	    text_that_looks_like_attributes_is_text,
	    attributes_of_wide_characters_are_counted,
	    characters_may_become_longer,
#endif
	};

	return unit_run_in("sec_body", tests, NELEMS(tests), set_up, tear_down);
}
