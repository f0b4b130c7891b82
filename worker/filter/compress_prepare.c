/* filter/compress_prepare: the `compress` keys of a scope, compiled. */
#include "common/base/check.h"
#include "common/http/chars.h"
#include "common/http/dictionary.h"
#include "worker/filter/codec.h"
#include "worker/filter/compress.h"

#define MIB ((size_t)1 << 20)

/* What of configure's options brings a coding. */
static const char *const prepare_libraries[CODING_N] = {
    [CODING_IDENTITY] = "",
    [CODING_GZIP] = "zlib",
    [CODING_BR] = "brotli",
    [CODING_ZSTD] = "zstd",
    [CODING_DCZ] = "zstd",
    [CODING_DCB] = "prepared dictionaries of brotli (1.1)",
};

static bool
prepare_has_coding(const struct plan_compress *set, enum coding c)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (set->order[i] == c)
			return true;
	return false;
}

/* Clients that name a dictionary like all codings alike: the first one is theirs. */
static void
prepare_check_order(
    const struct plan_compress *set, const struct conf_word *w, struct diag *d)
{
	enum coding c = coding_find(w->text);

	if (coding_has_dictionary(c) && set->n > 0 &&
	    !coding_has_dictionary(set->order[0]))
		diag_warning(d, w->at,
		    "compress: %.*s stands behind %.*s, which clients that "
		    "like both alike get instead",
		    SPAN_FMT(coding_name(c)),
		    SPAN_FMT(coding_name(set->order[0])));
}

/* Unlike lists that add, an order holds as a whole: that of the nearest
 * section. Words were judged by the reader. */
static void
prepare_order(
    const struct conf_scope *s, struct plan_compress *out, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_SCOPE_COMPRESS);

	if (v != NULL)
		out->at = v->at;
	for (; v != NULL; v = v->next) {
		for (uint32_t i = 0; i < v->n_words && !v->is_none; i++) {
			enum coding c = coding_find(v->words[i].text);

			REQUIRE(c != CODING_N && c != CODING_IDENTITY);
			if (!codec_is_built(c))
				diag_error(d, v->words[i].at,
				    "compress: this gatehouse was built "
				    "without %s, so it cannot make %.*s "
				    "(`gatehouse -V` tells what is there)",
				    prepare_libraries[c],
				    SPAN_FMT(coding_name(c)));
			else if (!prepare_has_coding(out, c)) {
				prepare_check_order(out, &v->words[i], d);
				out->order[out->n++] = (uint8_t)c;
			}
		}
	}
}

static int8_t
prepare_clamp(enum coding c, uint64_t n)
{
	struct codec_levels of = codec_levels(c);

	if (n < (uint64_t)of.least)
		return of.least;
	return n > (uint64_t)of.most ? of.most : (int8_t)n;
}

static void
prepare_set_level(struct plan_compress *out, enum coding c, int8_t level)
{
	out->level[c] = level;
	out->levels_told |= 1u << c;
}

/* `5` for all, as far as each goes, or `gzip=5`. */
static bool
prepare_level(struct plan_compress *out, span word)
{
	ptrdiff_t eq = span_chr(word, '=');
	enum coding c;
	uint64_t n;

	if (eq < 0) {
		if (!span_u64(word, codec_levels(CODING_ZSTD).most, &n))
			return false;
		for (c = CODING_GZIP; c < CODING_N; c++)
			prepare_set_level(out, c, prepare_clamp(c, n));
		return true;
	}
	c = coding_find(span_first(word, (size_t)eq));
	if (c == CODING_N || c == CODING_IDENTITY ||
	    !span_u64(span_from(word, (size_t)eq + 1), INT8_MAX, &n) ||
	    prepare_clamp(c, n) != (int8_t)n)
		return false;
	prepare_set_level(out, c, (int8_t)n);
	return true;
}

static void
prepare_levels(
    const struct conf_scope *s, struct plan_compress *out, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;

	for (int c = CODING_GZIP; c < CODING_N; c++)
		out->level[c] = codec_levels((enum coding)c).usual;
	while ((v = conf_next(s, KEY_SCOPE_COMPRESS_LEVEL, &it)) != NULL) {
		for (uint32_t i = 0; i < v->n_words; i++)
			if (!prepare_level(out, v->words[i].text))
				diag_error(d, v->words[i].at,
				    "compress_level: expected a number, or "
				    "gzip=1..9, br=0..9, zstd=1..19, "
				    "dcz=1..6, dcb=5..9");
	}
}

/* A coding for whose contexts there never is room is in vain. */
static void
prepare_check_memory(const struct conf_scope *s,
    const struct plan_compress *set, uint64_t memory, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_SCOPE_COMPRESS);

	for (; v != NULL; v = v->next) {
		for (uint32_t i = 0; i < v->n_words && !v->is_none; i++) {
			enum coding c = coding_find(v->words[i].text);
			size_t one;

			/* by the length of its dictionary */
			if (c == CODING_DCZ)
				continue;
			one = codec_memory(c, set->level[c]);
			if (one > memory)
				diag_warning(d, v->words[i].at,
				    "compress: %.*s of level %d takes %zum for "
				    "each answer, more than compress_memory: "
				    "what is to come in it comes as it is",
				    SPAN_FMT(coding_name(c)), set->level[c],
				    one / MIB);
		}
	}
}

static void
prepare_check_decoding(
    const struct conf_scope *s, uint64_t memory, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_SCOPE_DECOMPRESS);

	for (enum coding c = CODING_GZIP; c < CODING_N; c++)
		if (codec_decodes(c) && codec_memory_decode(c) > memory)
			diag_warning(d, v->at,
			    "decompress: %.*s takes %zum for each answer, more "
			    "than compress_memory: it is left as it is",
			    SPAN_FMT(coding_name(c)),
			    codec_memory_decode(c) / MIB);
}

/* `a/b`, `+b`, or a star behind `a/` or alone. */
static bool
prepare_is_type(span s)
{
	ptrdiff_t slash = span_chr(s, '/');
	span sub = span_from(s, (size_t)(slash + 1));

	if (span_eq(s, SPAN_LIT("*")))
		return true;
	if (slash < 0)
		return s.len > 1 && s.p[0] == '+' && chars_all(s, CHAR_TOKEN);
	return chars_all(span_first(s, (size_t)slash), CHAR_TOKEN) &&
	       chars_all(sub, CHAR_TOKEN) &&
	       (span_chr(sub, '*') < 0 || span_eq(sub, SPAN_LIT("*")));
}

const span *
compress_prepare_types(const struct conf_scope *s, enum conf_key k,
    struct arena *a, uint32_t *n, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v;
	span *types;

	*n = 0;
	while ((v = conf_next(s, k, &it)) != NULL)
		*n += v->n_words;
	types = arena_alloc(a, *n * sizeof(*types));
	*n = 0;
	it = (struct conf_iter){NULL, 0, false};
	while ((v = conf_next(s, k, &it)) != NULL) {
		for (uint32_t i = 0; i < v->n_words; i++) {
			if (!prepare_is_type(v->words[i].text))
				diag_error(d, v->words[i].at,
				    "%s: expected type/subtype, type/*, "
				    "+suffix or *",
				    conf_key_name(k));
			else
				types[(*n)++] = v->words[i].text;
		}
	}
	return types;
}

static unsigned
prepare_told(const struct conf_scope *s)
{
	static const struct {
		enum conf_key key;
		unsigned bit;
	} rows[] = {
	    {KEY_SCOPE_COMPRESS, COMPRESS_ORDER},
	    {KEY_SCOPE_COMPRESS_MIN_LENGTH, COMPRESS_MIN_LENGTH},
	    {KEY_SCOPE_COMPRESS_TYPES, COMPRESS_TYPES},
	    {KEY_SCOPE_COMPRESS_LEVEL, COMPRESS_LEVEL},
	    {KEY_SCOPE_COMPRESS_CROSS_SITE, COMPRESS_CROSS_SITE},
	    {KEY_SCOPE_DECOMPRESS, COMPRESS_DECODES},
	    {KEY_SCOPE_DECOMPRESS_MAX, COMPRESS_DECODE_MAX},
	    {KEY_SCOPE_COMPRESS_DICTIONARY, COMPRESS_OFFER},
	};
	unsigned told = 0;

	for (size_t i = 0; i < NELEMS(rows); i++)
		if (s->n > 0 && s->at[0]->first[rows[i].key] != NULL)
			told |= rows[i].bit;
	return told;
}

/* What servers would say. */
static span
prepare_offer(const struct conf_scope *s, struct arena *a, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_SCOPE_COMPRESS_DICTIONARY);

	if (v == NULL || v->is_none)
		return span_of(NULL, 0);
	if (!dictionary_is_pattern(v->text)) {
		diag_error(d, v->at,
		    "compress_dictionary: expected a path of text and stars, "
		    "for example /app/*.js");
		return span_of(NULL, 0);
	}
	return arena_printf(a, "match=\"%.*s\"", SPAN_FMT(v->text));
}

void
compress_prepare(const struct conf_scope *s, uint64_t memory, struct arena *a,
    struct plan_compress *out, struct diag *d)
{
	out->told = prepare_told(s);
	prepare_order(s, out, d);
	prepare_levels(s, out, d);
	prepare_check_memory(s, out, memory, d);
	out->types = compress_prepare_types(
	    s, KEY_SCOPE_COMPRESS_TYPES, a, &out->n_types, d);
	out->min_length = (uint64_t)conf_num(s, KEY_SCOPE_COMPRESS_MIN_LENGTH);
	out->is_same_site = !conf_bool(s, KEY_SCOPE_COMPRESS_CROSS_SITE);
	out->offer = prepare_offer(s, a, d);
	out->decodes = conf_bool(s, KEY_SCOPE_DECOMPRESS);
	if (out->decodes)
		prepare_check_decoding(s, memory, d);
	out->decode_max = (uint64_t)conf_num(s, KEY_SCOPE_DECOMPRESS_MAX);
}
