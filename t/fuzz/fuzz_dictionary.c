/* fuzz/dictionary: any bytes as fields of RFC 9842. Lines: what an answer says of
 * the requests it is a dictionary for, the path that it stands under, the target
 * of a request, and the dictionary that this one names. */
#include "common/http/chars.h"
#include "common/http/dictionary.h"
#include "t/fuzz/fuzz.h"

/* The same, said otherwise: does it fit at some place that a star can end? */
static bool
fits_somehow(span pattern, span s)
{
	/* which ends of the pattern reach each byte of the text */
	bool *now = calloc(s.len + 1, sizeof(*now));
	bool fits;

	now[0] = true;
	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.p[i] == '*') {
			for (size_t k = 1; k <= s.len; k++)
				now[k] |= now[k - 1];
			continue;
		}
		for (size_t k = s.len; k > 0; k--)
			now[k] = now[k - 1] && s.p[k - 1] == pattern.p[i];
		now[0] = false;
	}
	fits = now[s.len];
	free(now);
	return fits;
}

static void
check_pattern(span pattern, span path)
{
	REQUIRE(pattern.len > 0 && pattern.len <= DICTIONARY_PATTERN_MAX);
	REQUIRE(pattern.p[0] == '/');
	for (size_t i = 0; i < pattern.len; i++)
		REQUIRE(pattern.p[i] != '(' || span_chr(path, '(') >= 0);
}

static void
check_fit(span pattern, span target)
{
	ptrdiff_t at = span_chr(target, '?');
	span path = at < 0 ? target : span_first(target, (size_t)at);
	span query =
	    at < 0 ? span_of(NULL, 0) : span_from(target, (size_t)at + 1);
	ptrdiff_t mark = span_chr(pattern, '?');
	bool fits =
	    mark < 0
		? fits_somehow(pattern, path)
		: fits_somehow(span_first(pattern, (size_t)mark), path) &&
		      fits_somehow(span_from(pattern, (size_t)mark + 1), query);

	REQUIRE(dictionary_fits(pattern, path, query) == fits);
}

static void
check_lines(span in, struct arena *a)
{
	struct dictionary_place at = {.origin = SPAN_LIT("https://x.test")};
	unsigned char hash[DICTIONARY_HASH_LEN];
	struct http_fields f;
	span line[4] = {{NULL, 0}};
	span pattern;

	for (size_t i = 0; i < NELEMS(line); i++)
		if (!span_cut(&in, '\n', &line[i]))
			break;
	fields_init(&f, a, 2);
	fields_add_id(&f, a, FIELD_USE_AS_DICTIONARY, line[0]);
	fields_add_id(&f, a, FIELD_AVAILABLE_DICTIONARY, line[3]);
	at.path = line[1];
	if (dictionary_pattern(&f, &at, a, &pattern)) {
		check_pattern(pattern, line[1]);
		check_fit(pattern, line[2]);
	}
	/* what is kept is not believed either */
	check_fit(line[0], line[2]);
	if (dictionary_named(&f, hash))
		REQUIRE(line[3].len >= sizeof("::") - 1 + sizeof(hash));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena_pool pool;
	struct arena a;
	span in = fuzz_dup(span_of((const char *)data, size));

	arena_pool_init(&pool, 4);
	arena_init(&a, &pool);
	check_lines(in, &a);
	arena_fini(&a);
	arena_pool_fini(&pool);
	fuzz_free(in);
	return 0;
}
