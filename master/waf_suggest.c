/* master/waf_suggest: see the header. Hits of a rule at one thing below the
 * same first folder are one exclusion, for the longest path that they share. */
#include "master/waf_suggest.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/map.h"
#include "common/base/num.h"
#include "common/base/span.h"
#include "master/logged.h"

/* Bytes of a path or of a thing in an exclusion; longer ones are cut, or are
 * not named. */
#define TEXT_MAX 256u
#define SAMPLE_MAX 100u
/* Room for "cookie:" and a name. */
#define WHAT_CAP (TEXT_MAX + 16)

struct suggestion {
	span waf;
	span what; /* "arg:q"; empty: the whole rule */
	uint64_t id;
	span path;
	span msg, sample;
	uint64_t n;
};

struct suggest {
	struct arena arena;
	struct map by_key;
	struct suggestion *all;
	uint32_t n;
	bool is_all;
	uint64_t n_lines, n_bad, n_refused, n_hits, n_left_out;
};

/* --- what an exclusion can say -------------------------------------------- */

/* Whether a word of a line of the configuration can hold it as it is. */
static bool
is_word(span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"\\%${}", c) != NULL)
			return false;
	}
	return s.len > 0 && s.len <= TEXT_MAX;
}

/* "arg:q" for "ARGS_GET:q". Empty: no exclusion names it, only its rule. */
static span
what_of(span var, char out[WHAT_CAP])
{
	static const struct {
		const char *store, *word;
	} kinds[] = {{"ARGS", "arg:"}, {"ARGS_GET", "arg:"},
	    {"ARGS_POST", "arg:"}, {"REQUEST_HEADERS", "header:"},
	    {"REQUEST_COOKIES", "cookie:"}};
	ptrdiff_t colon = span_chr(var, ':');
	span store, key;

	if (colon <= 0)
		return (span){0};
	store = span_first(var, (size_t)colon);
	key = span_from(var, (size_t)colon + 1);
	for (size_t i = 0; i < NELEMS(kinds); i++)
		if (span_eq(store, span_str(kinds[i].store)) && is_word(key))
			return span_of(
			    out, (size_t)snprintf(out, WHAT_CAP, "%s%.*s",
				     kinds[i].word, SPAN_FMT(key)));
	return (span){0};
}

/* Where the path of a request can be named: up to the first folder that is not
 * plain text. */
static span
path_of(span uri)
{
	size_t end = 0;
	size_t i = 0;

	if (uri.len == 0 || uri.p[0] != '/')
		return SPAN_LIT("/");
	while (i < uri.len && i < TEXT_MAX && uri.p[i] != '?' &&
	       uri.p[i] != ';' && uri.p[i] != '#' &&
	       is_word(span_of(uri.p + i, 1))) {
		if (uri.p[i] == '/')
			end = i;
		i++;
	}
	if (i == uri.len || uri.p[i] == '?')
		end = i;
	return end == 0 ? SPAN_LIT("/") : span_first(uri, end);
}

/* "/shop" of "/shop/a/b". */
static span
first_folder(span path)
{
	ptrdiff_t slash = span_chr(span_from(path, 1), '/');

	return slash < 0 ? path : span_first(path, (size_t)slash + 1);
}

/* The longest path above both. */
static span
path_above(span a, span b)
{
	size_t end = 0;
	size_t i = 0;

	while (i < a.len && i < b.len && a.p[i] == b.p[i]) {
		if (a.p[i] == '/')
			end = i;
		i++;
	}
	if ((i == a.len && (i == b.len || b.p[i] == '/')) ||
	    (i == b.len && a.p[i] == '/'))
		end = i;
	return end == 0 ? SPAN_LIT("/") : span_first(a, end);
}

/* --- hits ----------------------------------------------------------------- */

static span
text_of(const json_t *j, const char *name)
{
	const json_t *v = json_object_get(j, name);

	return json_is_string(v)
		   ? span_of(json_string_value(v), json_string_length(v))
		   : (span){0};
}

static span
keep(struct suggest *s, span text, size_t max)
{
	return arena_span(&s->arena, span_first(text, size_min(text.len, max)));
}

/* What a rule said about sums of others is no false positive of its own. */
static bool
is_sum(span var)
{
	return span_starts(var, SPAN_LIT("TX:"));
}

static struct suggestion *
suggestion_new(struct suggest *s, span key)
{
	if (s->n == WAF_SUGGEST_MAX)
		return NULL;
	(void)map_put(&s->by_key, arena_span(&s->arena, key), &s->all[s->n]);
	return &s->all[s->n++];
}

/* A rule, and what it looked at, somewhere. */
struct hit {
	uint64_t id;
	span waf, what, path;
	span msg, data;
};

static void
hit_add(struct suggest *s, const struct hit *h)
{
	char key[4 * TEXT_MAX];
	int len = snprintf(key, sizeof(key), "%llu %.*s %.*s %.*s",
	    (unsigned long long)h->id, SPAN_FMT(h->waf),
	    SPAN_FMT(first_folder(h->path)), SPAN_FMT(h->what));
	struct suggestion *to = map_get(&s->by_key, span_of(key, (size_t)len));

	s->n_hits++;
	if (to != NULL) {
		to->n++;
		to->path = path_above(to->path, h->path);
		return;
	}
	to = suggestion_new(s, span_of(key, (size_t)len));
	if (to == NULL) {
		s->n_left_out++;
		return;
	}
	*to = (struct suggestion){.id = h->id,
	    .n = 1,
	    .waf = keep(s, h->waf, TEXT_MAX),
	    .what = keep(s, h->what, TEXT_MAX + WHAT_CAP),
	    .path = keep(s, h->path, TEXT_MAX),
	    .msg = keep(s, h->msg, SAMPLE_MAX),
	    .sample = keep(s, h->data, SAMPLE_MAX)};
}

static void
take_message(struct suggest *s, const json_t *line, const json_t *m)
{
	json_int_t id = json_integer_value(json_object_get(m, "id"));
	span var = text_of(m, "var");
	char what[WHAT_CAP];
	struct hit h = {.id = (uint64_t)id,
	    .waf = text_of(line, "waf"),
	    .what = what_of(var, what),
	    .path = path_of(text_of(line, "uri")),
	    .msg = text_of(m, "msg"),
	    .data = text_of(m, "data")};

	if (!is_word(h.waf))
		h.waf = SPAN_LIT("?");
	if (id > 0 && !is_sum(var))
		hit_add(s, &h);
}

static void
take_line(struct suggest *s, span text)
{
	json_t *line = json_loadb(text.p, text.len, 0, NULL);
	json_t *messages = json_object_get(line, "messages");
	size_t i;
	json_t *m;

	s->n_lines++;
	if (!json_is_array(messages) || text_of(line, "uri").len == 0)
		s->n_bad++;
	else if (!s->is_all &&
		 !span_eq(text_of(line, "action"), SPAN_LIT("pass")))
		s->n_refused++;
	else
		json_array_foreach(messages, i, m) take_message(s, line, m);
	json_decref(line);
}

/* --- telling -------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const struct suggestion *x = a;
	const struct suggestion *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return span_cmp(x->path, y->path);
}

/* Text of clients is no text for terminals, and stays in its line. */
static void
write_plain(FILE *out, span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		(void)fputc(c < ' ' || c >= 0x7f ? '?' : c, out);
	}
}

static void
write_one(FILE *out, const struct suggestion *g)
{
	(void)fprintf(out, "; [waf %.*s] %llu %s: ", SPAN_FMT(g->waf),
	    (unsigned long long)g->n, g->n == 1 ? "hit" : "hits");
	write_plain(out, g->msg);
	if (g->sample.len > 0)
		(void)fputs(", as ", out);
	write_plain(out, g->sample);
	(void)fprintf(out, "\nexclude = %llu at %.*s%s%.*s\n",
	    (unsigned long long)g->id, SPAN_FMT(g->path),
	    g->what.len > 0 ? " " : "", SPAN_FMT(g->what));
}

static void
write_all(struct suggest *s, FILE *out)
{
	qsort(s->all, s->n, sizeof(*s->all), compare);
	for (uint32_t i = 0; i < s->n; i++)
		write_one(out, &s->all[i]);
	(void)fprintf(out,
	    "; %llu lines, %llu hits, %u exclusions; not counted: %llu lines "
	    "that are not of an audit log, %llu of requests that were refused, "
	    "%llu hits beyond %u exclusions\n",
	    (unsigned long long)s->n_lines, (unsigned long long)s->n_hits, s->n,
	    (unsigned long long)s->n_bad, (unsigned long long)s->n_refused,
	    (unsigned long long)s->n_left_out, WAF_SUGGEST_MAX);
}

bool
waf_suggest_run(FILE *log, bool is_all, FILE *out)
{
	struct arena_pool pool;
	struct suggest s = {
	    .is_all = is_all, .all = calloc(WAF_SUGGEST_MAX, sizeof(*s.all))};
	char *room = malloc(WAF_SUGGEST_LINE_MAX);
	bool is_good;
	span line;

	REQUIRE(room != NULL && s.all != NULL);
	arena_pool_init(&pool, 0);
	arena_init(&s.arena, &pool);
	map_init(&s.by_key, false);
	while (logged_line(log, room, WAF_SUGGEST_LINE_MAX, &line))
		take_line(&s, line);
	is_good = ferror(log) == 0;
	if (is_good)
		write_all(&s, out);
	map_fini(&s.by_key);
	arena_fini(&s.arena);
	arena_pool_fini(&pool);
	free(s.all);
	free(room);
	return is_good;
}
