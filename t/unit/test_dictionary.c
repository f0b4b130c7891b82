/* Fields of Compression Dictionary Transport (RFC 9842 2). */
#include <check.h>

#include "common/base/check.h"
#include "common/http/dictionary.h"
#include "t/unit/unit.h"

static struct arena_pool pool;
static struct arena arena;

/* The pattern that an answer at /a/b.js gives; NULL: none. */
static const char *
pattern_of(const char *value)
{
	static const struct dictionary_place at = {
	    {"https://x.test", 14}, {"/a/b.js", 7}};
	struct http_fields f;
	span out;

	fields_init(&f, &arena, 1);
	fields_add_id(&f, &arena, FIELD_USE_AS_DICTIONARY, span_str(value));
	return dictionary_pattern(&f, &at, &arena, &out) ? out.p : NULL;
}

START_TEST(patterns_are_made_absolute)
{
	static const struct {
		const char *value;
		const char *want;
	} rows[] = {
	    {"match=\"/x*\"", "/x*"},
	    {"match=\"c*.js\"", "/a/c*.js"},
	    {"match=\"?v=*\"", "/a/b.js?v=*"},
	    {"match=\"*\"", "/a/*"},
	    {"match=\"/a/**/b\"", "/a/**/b"},
	    {"match=\"https://x.test/y\"", "/y"},
	    {"match=\"/1\", match=\"/2\"", "/2"},
	    {"match=\"/x\", type=raw, id=\"\", match-dest=(), z", "/x"},
	    {"match=\"/...\"", "/..."},
	    {"match=\"https://x.test\"", NULL},
	    {"match=\"https://x.testy/\"", NULL},
	    {"match=\"https://x.test:1/\"", NULL},
	    {"match=\"https://y.test/\"", NULL},
	    {"match=\"http://x.test/\"", NULL},
	    {"match=\"//x.test/\"", NULL},
	    {"match=\"\"", NULL},
	    {"match=\"./c\"", NULL},
	    {"match=\"/a/..\"", NULL},
	    {"match=\"/:id\"", NULL},
	    {"match=\"/(\\\\d+)\"", NULL},
	    {"match=\"/{a}\"", NULL},
	    {"match=\"/a+\"", NULL},
	    {"match=\"/*?\"", NULL},
	    {"match=\"/a?b?c\"", NULL},
	    {"match=\"/a#b\"", NULL},
	    {"match=\"/a b\"", NULL},
	    {"match=\"/a\\\"b\"", NULL},
	    {"match=/x", NULL},
	    {"match", NULL},
	    {"match=\"/x\", type=zip", NULL},
	    {"match=\"/x\", type=\"raw\"", NULL},
	    {"match=\"/x\", id=x", NULL},
	    {"match=\"/x\", match-dest=x", NULL},
	    {"match=\"/x\",", NULL},
	    {"Match=\"/x\"", NULL},
	    {"", NULL},
	};

	for (size_t i = 0; i < NELEMS(rows); i++) {
		const char *got = pattern_of(rows[i].value);

		ck_assert_msg(
		    (got == NULL) == (rows[i].want == NULL) &&
			(got == NULL || strcmp(got, rows[i].want) == 0),
		    "%s: %s", rows[i].value, got == NULL ? "none" : got);
	}
}
END_TEST

START_TEST(long_patterns_are_none)
{
	char text[DICTIONARY_PATTERN_MAX + 64] = "match=\"";
	size_t at = strlen(text);

	memset(text + at, 'x', DICTIONARY_PATTERN_MAX + 1);
	text[at] = '/';
	text[at + DICTIONARY_PATTERN_MAX] = '"';
	text[at + DICTIONARY_PATTERN_MAX + 1] = '\0';
	ck_assert_ptr_nonnull(pattern_of(text));
	text[at + DICTIONARY_PATTERN_MAX] = 'x';
	text[at + DICTIONARY_PATTERN_MAX + 1] = '"';
	text[at + DICTIONARY_PATTERN_MAX + 2] = '\0';
	ck_assert_ptr_null(pattern_of(text));
}
END_TEST

START_TEST(stars_stand_for_anything)
{
	static const struct {
		const char *pattern;
		const char *path;
		const char *query;
		bool fits;
	} rows[] = {
	    {"/a", "/a", "", true},
	    {"/a", "/a", "q", true},
	    {"/a", "/ab", "", false},
	    {"/a*", "/a", "", true},
	    {"/a*b", "/ab", "", true},
	    {"/a*b", "/axb/b", "", true},
	    {"/a*b", "/a", "", false},
	    {"/ab*b", "/ab", "", false},
	    {"/*b*b", "/b", "", false},
	    {"/*b*b", "/bb", "", true},
	    {"/**", "/", "", true},
	    {"*/x", "/y/x", "", true},
	    {"/a?v=*", "/a", "v=1", true},
	    {"/a?v=*", "/a", "w=1", false},
	    {"/a?v=*", "/a", "", false},
	    {"/a?", "/a", "", true},
	    {"/a?", "/a", "v", false},
	    {"/*a*b", "/aaaaaaaaaaaaac", "", false},
	};

	for (size_t i = 0; i < NELEMS(rows); i++)
		ck_assert_msg(dictionary_fits(span_str(rows[i].pattern),
				  span_str(rows[i].path),
				  span_str(rows[i].query)) == rows[i].fits,
		    "%s on %s?%s", rows[i].pattern, rows[i].path,
		    rows[i].query);
}
END_TEST

/* Whether a request with these lines names a dictionary. */
static bool
is_named(const char *one, const char *other)
{
	unsigned char hash[DICTIONARY_HASH_LEN];
	struct http_fields f;

	fields_init(&f, &arena, 2);
	fields_add_id(&f, &arena, FIELD_AVAILABLE_DICTIONARY, span_str(one));
	if (other != NULL)
		fields_add_id(
		    &f, &arena, FIELD_AVAILABLE_DICTIONARY, span_str(other));
	return dictionary_named(&f, hash) && hash[0] == 0xa5 &&
	       hash[DICTIONARY_HASH_LEN - 1] == 0x4e;
}

#define HASH "pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFE4="

START_TEST(a_hash_has_one_spelling)
{
	ck_assert(is_named(":" HASH ":", NULL));
	ck_assert(is_named(" :" HASH ": ", NULL));
	ck_assert(is_named(":" HASH ":;a;b=1", NULL));
	ck_assert(!is_named(":" HASH ":", ":" HASH ":"));
	ck_assert(!is_named(":" HASH ":, :" HASH ":", NULL));
	ck_assert(!is_named(":" HASH ": x", NULL));
	ck_assert(!is_named(":" HASH, NULL));
	ck_assert(!is_named(HASH, NULL));
	ck_assert(!is_named("\"" HASH "\"", NULL));
	ck_assert(!is_named("::", NULL));
	ck_assert(!is_named("", NULL));
	ck_assert(!is_named(":" HASH HASH ":", NULL));
	/* bits that belong to no byte */
	ck_assert(
	    !is_named(":pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFE5=:", NULL));
	ck_assert(
	    !is_named(":pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFE4:", NULL));
	ck_assert(
	    !is_named(":pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFE==:", NULL));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    patterns_are_made_absolute,
	    long_patterns_are_none,
	    stars_stand_for_anything,
	    a_hash_has_one_spelling,
	};
	int rc;

	arena_pool_init(&pool, 4);
	arena_init(&arena, &pool);
	rc = unit_run("http/dictionary", tests, NELEMS(tests));
	arena_fini(&arena);
	arena_pool_fini(&pool);
	return rc;
}
