/* sec_sieve: what PCRE2 finds the sieve lets through, for each construct that it
 * reads and many texts; it lets through no more than it must; and a memory that
 * is too small makes it useless, never wrong. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdint.h>
#include <string.h>

#include "common/base/check.h"
#include "t/unit/unit.h"
#include "worker/sec/sec_pm.h"
#include "worker/sec/sec_sieve.h"

#define MEMO_BYTES ((size_t)256 * 1024)
#define TEXT_CAP 64
#define N_RANDOM 3000
#define WORDS_CAP 8

static const char *const patterns[] = {
    /* classes */
    "[abc]x1",
    "[^abc]x1",
    "[]a]x1",
    "[^]a]x1",
    "[a-]x1",
    "[a-cx]+y1",
    "[\\d\\s]a1x",
    "[\\w-]a1x",
    "[\\x61-c]1x",
    "[\\61x]ab1",
    "[\\b]ab1",
    "(?i)[^A]x1",
    "(?i)[a-c]x1",
    "[.]ab1",
    "[\\]a]b1x",
    "[a\\-c]1bx",
    /* POSIX */
    "[[:alpha:]]1x",
    "[[:^alpha:]]xa1",
    "[^[:digit:]]1x",
    "[[:space:]]ab1",
    "(?i)[[:upper:]]1x",
    "(?i)[[:^upper:]]1xa",
    "(?i)[^[:^upper:]]x1",
    "(?i)[^[:^lower:]]x1",
    "[[:punct:]]ab",
    "[[:cntrl:]]ab",
    "[[:word:]]-ab",
    "[[:xdigit:]]x-",
    "[[:print:]]\\n1x",
    "[[:graph:]] 1x",
    "[[:blank:]]ab1",
    /* escapes */
    "\\x61\\x{62}1",
    "\\n\\r?ab",
    "\\tab|\\fab|\\eab|\\aab",
    "\\0ab",
    "\\061ab",
    "\\d\\D\\w\\W",
    "ab\\s1",
    "ab\\S1",
    "a\\hb",
    "a\\vb",
    "a\\Nb1",
    "a\\.b",
    "a\\Zb?|bx1\\Z",
    "ab\\Kx1",
    "\\Aabx",
    "abx\\z",
    /* groups and flags */
    "(a)(b)1",
    "(?:ab)1",
    "(?<n>ab)1",
    "(?'n'ab)1",
    "(?P<n>ab)1",
    "(?>a+)b1",
    "(?|ab|ba)1",
    "(?#said)ab1",
    "(?i)abx",
    "(?i:a)bx1",
    "a(?i)b|c1x",
    "a(?-i)b1",
    "(?i)a(?-i)b1x",
    "(?s-i:a.b1)",
    "(?-s)a.b1",
    "(?-s:a.)b1",
    "(?:(?i)a)b1x",
    "()ab1",
    "(?:)ab1",
    "(((ab)))1",
    /* anchors */
    "^ab",
    "ab$",
    "^ab$",
    "^a|b1x",
    "a1$|b1x",
    "(?:^|x)ab",
    "ab(?:$|x)",
    "^^ab",
    "ab$$",
    "ab$\\z",
    "\\A^ab",
    "(?:^a)?^b1",
    "^(?:^ab|b1)",
    "(^)ab",
    "^(a|^)b1",
    "(?m)^ab",
    "(?m)ab$",
    "(?m:^)ab1",
    "x*^ab",
    "ab1$x*",
    "(?:ab$)+",
    "(?:^ab)+1",
    "(?:^ab)*1x",
    "a?$^b?|ab1x",
    "^\\Aab1",
    "(?:^a?)^b1",
    "(?:a?^){2}b1",
    "(?:^|a)(?:^|b)x1",
    "b1(?:a?$)$",
    "^(?=.*a)^ab1",
    "^(?:.*x){0}^ab1",
    "ab$(?!.*x)$",
    "^(?:a|.*^ab1)",
    /* words */
    "\\bab",
    "ab\\b",
    "\\bab\\b",
    "\\Bab1",
    "(?:\\bab)+1",
    "(?:\\bab|x)1",
    "(?:\\bab-?){2}",
    "x?\\bab",
    "(?:\\bab)?1x-",
    "\\b(?:ab|x1)",
    "\\b^ab",
    "\\b-ab",
    "\\b[a-]b1",
    "\\ba*b1",
    "\\b\\bab",
    ".*\\bab",
    "(?i)\\bab1",
    "\\b(?:\\bab|1x)",
    "(?:\\b|-)ab1",
    "(?:\\ba){1,2}b1",
    "\\b(?i)ab1",
    "(?:a|\\b)b1x",
    "\\b(?:|-)ab1",
    "(?:x|)\\bab1",
    "(?=-)-ab",
    /* alternations */
    "ab|x1",
    "(?:ab|x)1-",
    "(?:|ab)x1",
    "a(?:b|)1x",
    "(?:a|b|x)1-",
    "(?:ab|a)b1",
    "(?:a(?:b|1)|x)x1",
    /* repetitions */
    "a*b1x",
    "a+b1",
    "a?b1x",
    "a*?b1x",
    "a+?b1",
    "a??b1x",
    "a*+b1x",
    "a++b1",
    "a?+b1x",
    "a{2}b1",
    "a{2,}b1",
    "a{1,2}b1",
    "a{0}b1x",
    "a{0,2}b1x",
    "a{8}b",
    "a{7,9}b",
    "a{0,9}b1x",
    "a{3,9}b",
    "(?:ab){2}",
    "(?:ab){1,2}1",
    "(?:a|b1)+x",
    "(?:a*b)*1x-",
    "(?:a?){3}b1x",
    "a{x}|ab1",
    "a{,2}b|ab1",
    "(?:ab?)+?1x",
    "(?:ab)*+1x-",
    "(a+)+b1",
    "[ab]{2}1",
    "(?:a{2}b){2}",
    /* cuts */
    ".*ab1",
    "ab.*1x-",
    "ab.+1",
    "a.*b1x",
    "ab.*",
    "ab[^x]*1b",
    "^.*ab1",
    "ab.*1$",
    "(?:ab.*)1x",
    "(?:ab.*|x1)b",
    "(?:.*ab)+1",
    "(?:a.*b1)?xb1",
    "(?:a.*b1)+x",
    ".{0,3}ab1",
    ".{7}ab1",
    "ab.{2,}1",
    "(?:.*a|b)1x",
    "ab1(?:x.*)?",
    "ab(?:.*1)*x1",
    "(?:ab|.*)1b-",
    "\\W*ab1",
    "(?:.*|ab)x1",
    /* alternatives that are cut beside others */
    "(?:a|b.*)1x",
    "(?:b.*|a)1x",
    "(?:a|b.*)*1x",
    "(?:a|b.*x)+1",
    "(?:a|b1.*){2}x",
    "(?:a|b1.*)?1x",
    "(?:a.*|b)(?:1.*|x)b",
    "(?:a|(?:b|1.*)x)-b",
    "(?:a.*1|b)x-",
    "(?:a1.*|b.*|x)1b",
    "(?:a|b.*$)1?x?",
    "(?:^|a.*)b1x",
    "\\b(?:a|b.*)1x",
    "(?:a|b1.*(?:x|1.*))-",
    /* assertions and references */
    "(?=ab)a",
    "a(?=b)b1",
    "(?!ab)a1x",
    "(?<=a)b1",
    "(?<!a)b1x",
    "a(?!x)b1",
    "(a)\\1b1",
    "(ab|1)x\\1",
    "(a|b)\\g1?1x|ab1",
    "(?<n>a)\\k<n>b1|ab-",
    "(a*)\\1b1x",
    "ab(?=1$)1",
    "(?=(a|b))\\1x1",
    "(?=a.*1)ab",
    "^(?=.*ab)(?=.*1x)",
    /* of the field */
    "(?i)<[^>]*on\\w+\\s*=",
    "(?:a[\\s\\x0b]*?b|1)\\s*x-",
    "(?i)\\b(?:ab(?:a|b)|x1)\\b",
    "^(?:a|b)+(?:-[^x]{0,3})?1$",
    "[\\s\\x0b'\"`()]*?ab1",
    "(?:^|[^x])ab\\b",
    "\\b(?:a(?:b.*x1|1.*b1))",
    "\\b(?:x1.*ab|ab.*x1)b",
};

static const char *const handmade[] = {"", "a", "ab", "ab1", "abx", "abx1",
    "x1", "aab1", "aaaaaab", "aaaaaaab", "aaaaaaaaab", "aaaaaaaaaaaaab", "aab",
    "ab ab", "ab-ab1", "-ab", "x-ab1", "xab", "aabaab", "bab1", "\nab", "ab\n",
    "ab\n1", "a\nb1", "a.b", "]x1", "-x1", "Ax1", "ABX", "ABX1", "aB1x", "\tab",
    " ab1", "a\tb", "a\vb", "ab 1", "ab\x85", "1ab", "b1x", "b1", "-b1",
    "ab1x-", "abab1", "abab", "abxxxx1b", "xxxxxxxab1", "a{x}", "a{,2}b",
    "aa{3}b", "<b onx =", "ab1\n", "x\nab\n1", "ab-", "ababx1b", "abxab", "1x1",
    "\x1b"
    "ab",
    "axxb1xxx", "a1x", "A1X", "bx1", "a1bx", "1x", "abbbx1", "-a1ab1",
    "abxx1b"};

static uint64_t seed = 88172645463325252u;

static unsigned
dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 32) % n;
}

static span
random_text(char text[TEXT_CAP])
{
	static const char bytes[] = "aaabbb11xx--AB \n.]\0'";
	size_t len = dice(14);

	for (size_t i = 0; i < len; i++)
		text[i] = bytes[dice(sizeof(bytes) - 1)];
	return span_of(text, len);
}

/* --- beside PCRE2 --------------------------------------------------------- */

struct beside {
	struct sec_sieve *sieve;
	int32_t numbers[NELEMS(patterns)];
	pcre2_code *codes[NELEMS(patterns)];
	pcre2_match_data *match;
};

static pcre2_code *
compiled(const char *pattern)
{
	size_t off;
	int err;

	return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
	    PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY, &err, &off, NULL);
}

static bool
pcre_finds(pcre2_code *code, pcre2_match_data *match, span text)
{
	return pcre2_match(code, (PCRE2_SPTR)(text.len == 0 ? "" : text.p),
		   text.len, 0, 0, match, NULL) > 0;
}

static void
beside_init(struct beside *b)
{
	b->sieve = sec_sieve_new();
	b->match = pcre2_match_data_create(10, NULL);
	for (size_t i = 0; i < NELEMS(patterns); i++) {
		b->codes[i] = compiled(patterns[i]);
		ck_assert_msg(b->codes[i] != NULL, "%s", patterns[i]);
		b->numbers[i] = sec_sieve_add(b->sieve, span_str(patterns[i]));
	}
	sec_sieve_done(b->sieve);
	ck_assert_uint_le(sec_sieve_count(b->sieve), WORDS_CAP * 64);
}

static void
beside_fini(struct beside *b)
{
	for (size_t i = 0; i < NELEMS(patterns); i++)
		pcre2_code_free(b->codes[i]);
	pcre2_match_data_free(b->match);
	sec_sieve_free(b->sieve);
}

static bool
bit_is_set(const uint64_t *bits, int32_t n)
{
	return (bits[n / 64] >> (n % 64) & 1) != 0;
}

static void
never_too_few(struct beside *b, struct sec_sieve_memo *memo, span text)
{
	uint64_t bits[WORDS_CAP] = {0};

	sec_sieve_run(memo, text, bits);
	for (size_t i = 0; i < NELEMS(patterns); i++)
		if (b->numbers[i] >= 0 && !bit_is_set(bits, b->numbers[i]))
			ck_assert_msg(!pcre_finds(b->codes[i], b->match, text),
			    "\"%s\" is found in \"%.*s\"", patterns[i],
			    SPAN_FMT(text));
}

static void
all_texts(struct beside *b, struct sec_sieve_memo *memo)
{
	char text[TEXT_CAP];

	for (size_t i = 0; i < NELEMS(handmade); i++)
		never_too_few(b, memo, span_str(handmade[i]));
	for (int i = 0; i < N_RANDOM; i++)
		never_too_few(b, memo, random_text(text));
}

START_TEST(what_pcre2_finds_is_let_through)
{
	struct sec_sieve_memo *memo;
	struct beside b;

	beside_init(&b);
	memo = sec_sieve_memo_new(b.sieve, MEMO_BYTES);
	all_texts(&b, memo);
	sec_sieve_memo_free(memo);
	beside_fini(&b);
}
END_TEST

/* --- phrases -------------------------------------------------------------- */

/* Found by both or by none. */
START_TEST(phrases_are_let_through_where_they_are)
{
	static const char *const phrases[] = {
	    "ab1", "AAAB", "x-", "b1x", "ab1x-", "1-b", "\n1"};
	struct sec_pm *pm = sec_pm_new();
	struct sec_sieve *s = sec_sieve_new();
	struct sec_sieve_memo *memo;
	char text[TEXT_CAP];
	unsigned n_found = 0;

	for (size_t i = 0; i < NELEMS(phrases); i++)
		ck_assert(sec_pm_add(pm, span_str(phrases[i])));
	sec_pm_done(pm);
	ck_assert_int_eq(sec_sieve_add(s, SPAN_LIT("^ab|x1$")), 0);
	ck_assert_int_eq(sec_sieve_add_phrases(s, pm), 1);
	sec_sieve_done(s);
	memo = sec_sieve_memo_new(s, MEMO_BYTES);
	for (int i = 0; i < N_RANDOM; i++) {
		span t = random_text(text);
		uint64_t bits = 0;

		sec_sieve_run(memo, t, &bits);
		ck_assert_msg((bits >> 1 & 1) == sec_pm_find(pm, t, NULL),
		    "\"%.*s\"", SPAN_FMT(t));
		n_found += bits >> 1 & 1;
	}
	ck_assert_uint_gt(n_found, N_RANDOM / 20);
	ck_assert_uint_lt(n_found, N_RANDOM - N_RANDOM / 20);
	sec_sieve_memo_free(memo);
	sec_sieve_free(s);
	sec_pm_free(pm);
}
END_TEST

/* --- no more than it must ------------------------------------------------- */

static bool
lets_through(const char *pattern, span text)
{
	struct sec_sieve *s = sec_sieve_new();
	int32_t number = sec_sieve_add(s, span_str(pattern));
	struct sec_sieve_memo *memo;
	uint64_t bits = 0;

	ck_assert_msg(number == 0, "%s", pattern);
	sec_sieve_done(s);
	memo = sec_sieve_memo_new(s, MEMO_BYTES);
	sec_sieve_run(memo, text, &bits);
	sec_sieve_memo_free(memo);
	sec_sieve_free(s);
	return bits != 0;
}

static const struct {
	const char *pattern, *no, *yes;
} narrow[] = {
    {"abc", "abxc", "xabc"},
    {"^abc", "xabc", "abcx"},
    {"abc$", "abc\n", "xabc"},
    {"^abc|^x12", "xabc x12", "x12"},
    {"(?:^|;)abc", "xabc", ";abc"},
    {"\\babc", "xabc", "-abc"},
    {"(?:\\babc|x12)1", "xabc1", "abc1"},
    {"(?i)a[b-d]e", "aee", "ADE"},
    {"[^[:digit:]]abc", "1abc", "xabc"},
    {"a{3}b", "aab", "aaab"},
    {"a{2,3}-", "a-", "aa-"},
    {"(?-s)a.b", "a\nb", "a\tb"},
    {"x.*union", "x unio", "x union"},
    {"(?:;|abc.*)x12", "-x12", ";x12"},
    {"(?:;|abc.*)x12", "abx12", "abc x12"},
    {"(?:^|;)(?:ab|b=[^x]*)*cd2", "xcd2", ";abcd2"},
    {"(?:ab|cd)ef", "abf", "cdef"},
    {"ab(?=x)c", "abx", "abc"},
    {"a(?i)b|cd1", "AB", "aB"},
};

START_TEST(what_is_not_there_is_held_back)
{
	for (size_t i = 0; i < NELEMS(narrow); i++) {
		const char *pattern = narrow[i].pattern;

		ck_assert_msg(!lets_through(pattern, span_str(narrow[i].no)),
		    "%s in %s", pattern, narrow[i].no);
		ck_assert_msg(lets_through(pattern, span_str(narrow[i].yes)),
		    "%s in %s", pattern, narrow[i].yes);
	}
}
END_TEST

START_TEST(what_cannot_be_told_is_left_out)
{
	static const char *const wide[] = {"", ".*", "a?", "^", "$", "^$",
	    "\\b", "[^x]+", "(?=abc)", "(a)|.*", "(?R)?a", "\\Qabc\\E", "abc(?",
	    "(?x)a b c", "a**", "(*UCP)abc", "\\p{L}abc", "(?(1)abc)"};
	struct sec_sieve *s = sec_sieve_new();

	for (size_t i = 0; i < NELEMS(wide); i++)
		ck_assert_msg(
		    sec_sieve_add(s, span_str(wide[i])) == -1, "%s", wide[i]);
	ck_assert_uint_eq(sec_sieve_count(s), 0);
	ck_assert_uint_eq(sec_sieve_size(s), 0);
	/* nothing of them is in the way of others */
	ck_assert_int_eq(sec_sieve_add(s, SPAN_LIT("abc")), 0);
	ck_assert_uint_eq(sec_sieve_size(s), 3);
	sec_sieve_free(s);
}
END_TEST

static void
left_out(const char *open, const char *inner, const char *close, unsigned n)
{
	struct sec_sieve *s = sec_sieve_new();
	size_t a = strlen(open), b = strlen(inner), c = strlen(close);
	char *p = malloc(n * (a + c) + b + 1);

	ck_assert_ptr_nonnull(p);
	for (unsigned i = 0; i < n; i++) {
		memcpy(p + i * a, open, a);
		memcpy(p + n * a + b + i * c, close, c);
	}
	memcpy(p + n * a, inner, b);
	ck_assert_int_eq(sec_sieve_add(s, span_of(p, n * (a + c) + b)), -1);
	free(p);
	sec_sieve_free(s);
}

START_TEST(what_is_too_deep_or_too_large_is_left_out)
{
	left_out("(", "abc", ")", SEC_SIEVE_DEPTH_MAX + 1);
	left_out("(", "abc", ")", 100000);
	left_out("(?:", "abc", "){6}", 30);
	left_out("ab", "", "", SEC_SIEVE_PATTERN_MAX / 2 + 1);
}
END_TEST

/* --- memory --------------------------------------------------------------- */

START_TEST(a_memory_of_any_size_is_right)
{
	static const size_t sizes[] = {0, 1, 700, 4096, 20000, 60000};

	for (size_t i = 0; i < NELEMS(sizes); i++) {
		struct sec_sieve_memo *memo;
		struct beside b;

		beside_init(&b);
		memo = sec_sieve_memo_new(b.sieve, sizes[i]);
		for (size_t k = 0; k < NELEMS(handmade); k++)
			never_too_few(&b, memo, span_str(handmade[k]));
		ck_assert_uint_gt(sec_sieve_memo_fills(memo), 0);
		sec_sieve_memo_free(memo);
		beside_fini(&b);
	}
}
END_TEST

/* Behind an `a` the last twelve bytes are all part of the state. */
#define GREEDY "a[ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab]x"
#define LONG 20000u
/* More texts than have to come until a short one is known. */
#define TEXTS 20

static uint64_t
bits_of(struct sec_sieve_memo *memo, span text)
{
	uint64_t bits = 0;

	sec_sieve_run(memo, text, &bits);
	return bits;
}

/* What is found out for it has a bound, and a text that is known costs nothing of
 * it. */
START_TEST(a_text_of_which_nothing_is_known_may_be_anything)
{
	struct sec_sieve *s = sec_sieve_new();
	struct sec_sieve_memo *memo;
	char *text = malloc(LONG);
	int n = 0;

	ck_assert_ptr_nonnull(text);
	for (unsigned i = 0; i < LONG; i++)
		text[i] = dice(2) == 0 ? 'a' : 'b';
	ck_assert_int_eq(sec_sieve_add(s, SPAN_LIT(GREEDY)), 0);
	ck_assert_int_eq(sec_sieve_add(s, SPAN_LIT("zzz")), 1);
	sec_sieve_done(s);
	memo = sec_sieve_memo_new(s, 65536);
	ck_assert_uint_eq(bits_of(memo, SPAN_LIT("abzzabzz")), 0);
	ck_assert_uint_eq(bits_of(memo, span_of(text, LONG)), 3);
	ck_assert_uint_gt(sec_sieve_memo_fills(memo), 1);
	/* and right, a while afterwards */
	while (bits_of(memo, SPAN_LIT("abzzabzz")) != 0)
		ck_assert_int_lt(n++, TEXTS);
	while (bits_of(memo, SPAN_LIT("abzzz")) != 2)
		ck_assert_int_lt(n++, TEXTS);
	ck_assert_uint_eq(bits_of(memo, span_of(text, LONG)), 3);
	ck_assert_uint_eq(bits_of(memo, SPAN_LIT("abzzabzz")), 0);
	sec_sieve_memo_free(memo);
	sec_sieve_free(s);
	free(text);
}
END_TEST

START_TEST(what_was_learned_changes_no_answer)
{
	struct sec_sieve_memo *old, *fresh;
	char text[TEXT_CAP];
	struct beside b;

	beside_init(&b);
	old = sec_sieve_memo_new(b.sieve, MEMO_BYTES);
	for (int i = 0; i < 200; i++) {
		span s = random_text(text);
		uint64_t first[WORDS_CAP] = {0}, again[WORDS_CAP] = {0};

		sec_sieve_run(old, s, first);
		fresh = sec_sieve_memo_new(b.sieve, MEMO_BYTES);
		sec_sieve_run(fresh, s, again);
		ck_assert_mem_eq(first, again, sizeof(first));
		sec_sieve_memo_free(fresh);
	}
	sec_sieve_memo_free(old);
	beside_fini(&b);
}
END_TEST

START_TEST(no_patterns_are_no_bits)
{
	struct sec_sieve *s = sec_sieve_new();
	struct sec_sieve_memo *memo;
	uint64_t bits = 0;

	sec_sieve_done(s);
	memo = sec_sieve_memo_new(s, 0);
	sec_sieve_run(memo, SPAN_LIT("abc"), &bits);
	ck_assert_uint_eq(bits, 0);
	sec_sieve_memo_free(memo);
	sec_sieve_free(s);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    what_pcre2_finds_is_let_through,
	    phrases_are_let_through_where_they_are,
	    what_is_not_there_is_held_back,
	    what_cannot_be_told_is_left_out,
	    what_is_too_deep_or_too_large_is_left_out,
	    a_memory_of_any_size_is_right,
	    a_text_of_which_nothing_is_known_may_be_anything,
	    what_was_learned_changes_no_answer,
	    no_patterns_are_no_bits,
	};

	return unit_run("sec_sieve", tests, NELEMS(tests));
}
