/* Unit tests of http/coding: what Accept-Encoding asks for. */
#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/http/coding.h"
#include "t/unit/unit.h"

static const uint8_t order[] = {CODING_BR, CODING_ZSTD, CODING_GZIP};

/* The choice for these lines (NULL: no more). */
static enum coding
chosen(const char *one, const char *two)
{
	struct arena_pool pool;
	struct arena a;
	struct http_fields f;
	struct coding_wishes w;

	arena_pool_init(&pool, 1);
	arena_init(&a, &pool);
	fields_init(&f, &a, 2);
	if (one != NULL)
		fields_add_id(&f, &a, FIELD_ACCEPT_ENCODING, span_str(one));
	if (two != NULL)
		fields_add_id(&f, &a, FIELD_ACCEPT_ENCODING, span_str(two));
	coding_wishes_read(&f, &w);
	arena_fini(&a);
	arena_pool_fini(&pool);
	return coding_choose(&w, order, NELEMS(order));
}

START_TEST(the_choice)
{
	static const struct {
		const char *field;
		enum coding c;
	} rows[] = {
	    {NULL, CODING_IDENTITY},
	    {"", CODING_IDENTITY},
	    {"gzip", CODING_GZIP},
	    {"GZIP", CODING_GZIP},
	    {"x-gzip", CODING_GZIP},
	    {"gzip, deflate, br, zstd", CODING_BR},
	    {"gzip,zstd", CODING_ZSTD},
	    {"deflate", CODING_IDENTITY},
	    /* weights before order */
	    {"br;q=0.5, gzip", CODING_GZIP},
	    {"br;q=0.5, gzip;q=0.4", CODING_BR},
	    {"br ; q=0.5 , gzip ;Q=0.501", CODING_GZIP},
	    {"br;q=0, zstd;q=0.0, gzip;q=0.000", CODING_IDENTITY},
	    {"br;q=0.001", CODING_BR},
	    /* identity is a wish like others when it is told */
	    {"identity;q=1, gzip;q=0.5", CODING_IDENTITY},
	    {"identity;q=0.5, gzip;q=0.5", CODING_GZIP},
	    {"identity", CODING_IDENTITY},
	    {"identity;q=0", CODING_IDENTITY},
	    {"identity;q=0, gzip;q=0.1", CODING_GZIP},
	    /* all that is not told */
	    {"*", CODING_BR},
	    {"*;q=0", CODING_IDENTITY},
	    {"gzip, *;q=0", CODING_GZIP},
	    {"br;q=0, *", CODING_ZSTD},
	    {"gzip;q=0.2, *;q=0.1", CODING_GZIP},
	    /* nobody has a dictionary without saying so */
	    {"dcz, *;q=0", CODING_IDENTITY},
	    {"dcb, *;q=0", CODING_IDENTITY},
	    /* the last of two counts */
	    {"br, br;q=0, gzip", CODING_GZIP},
	    /* what is none is not liked */
	    {"br;q=2, gzip", CODING_GZIP},
	    {"br;q=1.001, gzip", CODING_GZIP},
	    {"br;q=0.1234, gzip;q=0.1", CODING_GZIP},
	    {"br;q=-1, gzip;q=0.1", CODING_GZIP},
	    {"br;q=, gzip;q=0.1", CODING_GZIP},
	    {"br;q, gzip;q=0.1", CODING_GZIP},
	    {"br;level=3, gzip;q=0.1", CODING_GZIP},
	    {"br q=1, gzip;q=0.1", CODING_GZIP},
	    {"br;q=1;q=1, gzip;q=0.1", CODING_GZIP},
	    {"brx, gzi", CODING_IDENTITY},
	    {", ,, gzip ,,", CODING_GZIP},
	    {";;;=,=;q,\"gzip\"", CODING_IDENTITY},
	};

	for (size_t i = 0; i < NELEMS(rows); i++)
		ck_assert_msg(chosen(rows[i].field, NULL) == rows[i].c,
		    "%s: %d", rows[i].field, chosen(rows[i].field, NULL));
}
END_TEST

START_TEST(several_lines_are_one_list)
{
	ck_assert_int_eq(chosen("gzip;q=0.5", "zstd;q=0.6"), CODING_ZSTD);
	ck_assert_int_eq(chosen("gzip", "*;q=0"), CODING_GZIP);
}
END_TEST

START_TEST(the_coding_of_an_answer)
{
	static const struct {
		const char *field;
		enum coding c;
	} rows[] = {
	    {"gzip", CODING_GZIP},
	    {"X-GZip", CODING_GZIP},
	    {"br", CODING_BR},
	    {"zstd", CODING_ZSTD},
	    {"identity", CODING_IDENTITY},
	    {"deflate", CODING_N},
	    {"gzip, br", CODING_N},
	    {"", CODING_N},
	};
	struct arena_pool pool;
	struct arena a;
	struct http_fields f;

	arena_pool_init(&pool, 1);
	arena_init(&a, &pool);
	fields_init(&f, &a, 2);
	ck_assert_int_eq(coding_of(&f), CODING_IDENTITY);
	for (size_t i = 0; i < NELEMS(rows); i++) {
		fields_set(
		    &f, &a, FIELD_CONTENT_ENCODING, span_str(rows[i].field));
		ck_assert_int_eq(coding_of(&f), rows[i].c);
	}
	fields_add_id(&f, &a, FIELD_CONTENT_ENCODING, SPAN_LIT("gzip"));
	ck_assert_int_eq(coding_of(&f), CODING_N);
	arena_fini(&a);
	arena_pool_fini(&pool);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    the_choice,
	    several_lines_are_one_list,
	    the_coding_of_an_answer,
	};

	return unit_run("http/coding", tests, NELEMS(tests));
}
