/* conf/conf_health: `eject` and `health_check`, judged word by word. A word is
 * a term: a name, its sign and a value. */
#include "common/conf/conf_health.h"

#include "common/base/check.h"
#include "common/base/regex.h"
#include "common/conf/conf_int.h"

/* Answers in a row that are slow: `slow>=` says how slow, not how many. */
#define SLOW_RUN 5

#define TERMS_MAX 8

/* A word that a line may hold, once. */
struct term {
	const char *name;
	const char *sign;
	enum conf_kind kind;
	const char *min;
	const char *max;
};

/* What the terms of a line say; by the table's index. */
struct terms {
	const struct term *table;
	size_t n;
	const char *key; /* for messages */
	const char *expected; /* all of them, for people */
	struct diag *d; /* or NULL */
	int64_t num[TERMS_MAX];
	const struct conf_word *word[TERMS_MAX]; /* that says it, or NULL */
	span text[TERMS_MAX]; /* what stands behind the sign */
};

#define terms_error(t, at, ...) \
	do { \
		if ((t)->d != NULL) \
			diag_error((t)->d, at, __VA_ARGS__); \
	} while (0)

/* The name at the front of a word: what stands before its sign. */
static span
term_name(span word)
{
	size_t n = 0;

	while (n < word.len && strchr("=<>~!:", word.p[n]) == NULL)
		n++;
	return span_first(word, n);
}

static int
term_find(const struct terms *t, span name)
{
	for (size_t i = 0; i < t->n; i++)
		if (span_eq(name, span_str(t->table[i].name)))
			return (int)i;
	return -1;
}

static void
term_refuse_name(const struct terms *t, const struct conf_word *w, span name)
{
	const char *known[TERMS_MAX];
	const char *near;

	for (size_t i = 0; i < t->n; i++)
		known[i] = t->table[i].name;
	near = diag_suggest(name, known, t->n);
	terms_error(t, w->at, "%s: unknown word '%.*s'; %s%s%s%s", t->key,
	    SPAN_FMT(conf_brief(w->text)), near ? "did you mean '" : "",
	    near ? near : "expected ", near ? "'?" : "",
	    near ? "" : t->expected);
}

/* The bound that a row states. */
static int64_t
term_bound(const struct term *row, const char *text)
{
	const char *why;
	int64_t n = 0;

	REQUIRE(conf_parse_number(row->kind, span_str(text), &n, &why));
	return n;
}

static void
term_number(struct terms *t, int i, const struct conf_word *w, span text)
{
	const struct term *row = &t->table[i];
	const char *why = NULL;
	int64_t n = 0;

	if (!conf_parse_number(row->kind, text, &n, &why))
		terms_error(t, w->at, "%s: %.*s: %s", t->key,
		    SPAN_FMT(conf_brief(w->text)), why);
	else if (n < term_bound(row, row->min))
		terms_error(t, w->at, "%s: %.*s: at least %s", t->key,
		    SPAN_FMT(conf_brief(w->text)), row->min);
	else if (n > term_bound(row, row->max))
		terms_error(t, w->at, "%s: %.*s: at most %s", t->key,
		    SPAN_FMT(conf_brief(w->text)), row->max);
	else
		t->num[i] = n;
}

static void
term_read(struct terms *t, const struct conf_word *w)
{
	span name = term_name(w->text);
	int i = term_find(t, name);
	span rest = span_from(w->text, name.len);
	const struct term *row;

	if (i < 0) {
		term_refuse_name(t, w, name);
		return;
	}
	row = &t->table[i];
	if (t->word[i] != NULL) {
		terms_error(
		    t, w->at, "%s: '%s' stands twice", t->key, row->name);
		return;
	}
	t->word[i] = w;
	if (!span_starts(rest, span_str(row->sign)) ||
	    rest.len == strlen(row->sign)) {
		terms_error(t, w->at, "%s: write %s%sVALUE", t->key, row->name,
		    row->sign);
		return;
	}
	t->text[i] = span_from(rest, strlen(row->sign));
	if (row->kind != KIND_TEXT)
		term_number(t, i, w, t->text[i]);
}

/* --- eject ---------------------------------------------------------------- */

enum { TERM_5XX, TERM_RESET, TERM_SLOW, TERM_WINDOW, TERM_FOR, TERM_MAX };

static const struct term eject_terms[] = {
    [TERM_5XX] = {"5xx", ">=", KIND_NUM, "1", "1000"},
    [TERM_RESET] = {"reset", ">=", KIND_NUM, "1", "1000"},
    [TERM_SLOW] = {"slow", ">=", KIND_DURATION, "1ms", "1h"},
    [TERM_WINDOW] = {"window", "=", KIND_DURATION, "100ms", "1h"},
    [TERM_FOR] = {"for", "=", KIND_DURATION, "100ms", "1d"},
    [TERM_MAX] = {"max", "=", KIND_PERCENT, "0%", "100%"},
};

void
conf_eject_read(
    const struct conf_scope *s, struct conf_eject *out, struct diag *d)
{
	const struct conf_value *v = conf_get(s, KEY_UPSTREAM_EJECT);
	struct conf_iter it = {NULL, 0, false};
	struct terms t = {
	    .table = eject_terms,
	    .n = NELEMS(eject_terms),
	    .key = "eject",
	    .expected = "5xx>=N, reset>=N, slow>=TIME, window=TIME, for=TIME "
			"or max=SHARE",
	    .d = d,
	    .num =
		{[TERM_WINDOW] = 10000, [TERM_FOR] = 30000, [TERM_MAX] = 500},
	};

	*out = (struct conf_eject){.is_on = false};
	if (v == NULL)
		return;
	for (const struct conf_value *l = conf_next(s, v->key, &it); l != NULL;
	     l = conf_next(s, v->key, &it))
		for (uint32_t i = 0; i < l->n_words; i++)
			term_read(&t, &l->words[i]);
	out->is_on = t.word[TERM_5XX] != NULL || t.word[TERM_RESET] != NULL ||
		     t.word[TERM_SLOW] != NULL;
	if (!out->is_on)
		terms_error(&t, v->at,
		    "eject says not what for: 5xx>=N, reset>=N or slow>=TIME");
	out->most[EJECT_5XX] = (uint32_t)t.num[TERM_5XX];
	out->most[EJECT_RESET] = (uint32_t)t.num[TERM_RESET];
	out->most[EJECT_SLOW] = t.num[TERM_SLOW] > 0 ? SLOW_RUN : 0;
	out->slow_ms = (uint64_t)t.num[TERM_SLOW];
	out->window_ms = (uint64_t)t.num[TERM_WINDOW];
	out->for_ms = (uint64_t)t.num[TERM_FOR];
	out->max_tenths = (uint32_t)t.num[TERM_MAX];
}

/* --- health_check --------------------------------------------------------- */

#define LATER " is not built yet (it comes with a later version)"
#define KINDS "expected tcp, tls, grpc, GET /PATH, HEAD /PATH or command /PATH"

/* Longest name of a service that is asked for. */
#define SERVICE_MAX 255u

enum {
	TERM_EXPECT,
	TERM_BODY,
	TERM_SERVICE,
	TERM_INTERVAL,
	TERM_RISE,
	TERM_FALL,
	TERM_TIMEOUT
};

static const struct term check_terms[] = {
    [TERM_EXPECT] = {"expect", "=", KIND_TEXT, "", ""},
    [TERM_BODY] = {"body", "~", KIND_TEXT, "", ""},
    [TERM_SERVICE] = {"service", "=", KIND_TEXT, "", ""},
    [TERM_INTERVAL] = {"interval", "=", KIND_DURATION, "100ms", "1d"},
    [TERM_RISE] = {"rise", "=", KIND_NUM, "1", "100"},
    [TERM_FALL] = {"fall", "=", KIND_NUM, "1", "100"},
    [TERM_TIMEOUT] = {"timeout", "=", KIND_DURATION, "1ms", "1h"},
};

/* "/path?query": what may stand in a request line (RFC 9112 3.2.1). */
static bool
is_target(span s)
{
	if (s.len == 0 || s.p[0] != '/')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '#')
			return false;
	return true;
}

/* Whether a word says how often or how long, so that it is none of a command.
 */
static bool
check_is_time(const struct terms *t, const struct conf_word *w)
{
	span name = term_name(w->text);
	int i = term_find(t, name);

	return i >= TERM_INTERVAL && span_starts(span_from(w->text, name.len),
					 span_str(t->table[i].sign));
}

/* A word of a command that is nearly one that says how often. */
static void
check_warn_near(const struct terms *t, const struct conf_word *w)
{
	static const char *const known[] = {
	    "interval", "rise", "fall", "timeout"};
	span name = term_name(w->text);
	const char *near = diag_suggest(name, known, NELEMS(known));

	if (t->d != NULL && name.len < w->text.len &&
	    w->text.p[name.len] == '=' && near != NULL)
		diag_warning(t->d, w->at,
		    "%s: '%.*s' is an argument of the command; '%s=' is not",
		    t->key, SPAN_FMT(conf_brief(w->text)), near);
}

/* "command /path arg ...": as many words as are behind the first one and before
 * the first that says how often. The same results as check_read_kind(). */
static uint32_t
check_read_command(struct terms *t, const struct conf_word *words, uint32_t n,
    struct conf_check *out)
{
	uint32_t at = 1;

	for (; at < n && !check_is_time(t, &words[at]); at++)
		if (at > 1)
			check_warn_near(t, &words[at]);
	out->n_args = at - 1;
	if (at == 1 || words[1].text.len == 0 || words[1].text.p[0] != '/')
		terms_error(t, words[at == 1 ? 0 : 1].at,
		    "%s: command needs a path that begins with '/'", t->key);
	else if (out->n_args > CHECK_ARGS_MAX)
		terms_error(t, words[1 + CHECK_ARGS_MAX].at,
		    "%s: a command has at most %u words", t->key,
		    CHECK_ARGS_MAX);
	else
		return at;
	out->kind = CHECK_NONE;
	return 0;
}

/* The first words: what is done. Returns how many they are; 0: they are not
 * good, and that was told. */
static uint32_t
check_read_kind(struct terms *t, const struct conf_word *words, uint32_t n,
    struct conf_check *out)
{
	span kind = words[0].text;

	out->is_head = span_eq(kind, SPAN_LIT("HEAD"));
	if (span_eq(kind, SPAN_LIT("tcp")))
		out->kind = CHECK_TCP;
	else if (span_eq(kind, SPAN_LIT("tls")))
		out->kind = CHECK_TLS;
	else if (span_eq(kind, SPAN_LIT("grpc")))
		out->kind = CHECK_GRPC;
	else if (out->is_head || span_eq(kind, SPAN_LIT("GET")))
		out->kind = CHECK_HTTP;
	else if (span_eq(kind, SPAN_LIT("command")))
		out->kind = CHECK_COMMAND;
	if (out->kind == CHECK_NONE) {
		terms_error(t, words[0].at, "%s = %.*s: " KINDS, t->key,
		    SPAN_FMT(conf_brief(kind)));
		return 0;
	}
	if (out->kind == CHECK_COMMAND)
		return check_read_command(t, words, n, out);
	if (out->kind != CHECK_HTTP)
		return 1;
	if (n < 2 || !is_target(words[1].text)) {
		terms_error(t, words[n < 2 ? 0 : 1].at,
		    "%s: %.*s needs a path that begins with '/'", t->key,
		    SPAN_FMT(kind));
		return 0;
	}
	out->target = words[1].text;
	return 2;
}

/* "200" or "200-399". */
static bool
check_range(span s, uint16_t *low, uint16_t *high)
{
	ptrdiff_t dash = span_chr(s, '-');
	span first = dash < 0 ? s : span_first(s, (size_t)dash);
	span last = dash < 0 ? s : span_from(s, (size_t)dash + 1);
	uint64_t a;
	uint64_t b;

	/* interim answers are not waited for */
	if (first.len != 3 || last.len != 3 || !span_u64(first, 599, &a) ||
	    !span_u64(last, 599, &b) || a < 200 || b < a)
		return false;
	*low = (uint16_t)a;
	*high = (uint16_t)b;
	return true;
}

static void
check_read_expect(struct terms *t, struct conf_check *out)
{
	const struct conf_word *w = t->word[TERM_EXPECT];
	span rest = t->text[TERM_EXPECT];
	span one;

	out->expect[0].low = 200;
	out->expect[0].high = 399;
	out->n_expect = 1;
	if (w == NULL || rest.len == 0)
		return;
	out->n_expect = 0;
	while (rest.len > 0 && span_cut(&rest, ',', &one)) {
		if (out->n_expect < CHECK_RANGES_MAX &&
		    check_range(one, &out->expect[out->n_expect].low,
			&out->expect[out->n_expect].high)) {
			out->n_expect++;
			continue;
		}
		terms_error(t, w->at,
		    "%s: %.*s: expected statuses from 200 to 599, for example "
		    "200 or 200-299,304, at most %u of them",
		    t->key, SPAN_FMT(conf_brief(w->text)), CHECK_RANGES_MAX);
		return;
	}
}

static void
check_read_body(struct terms *t, struct conf_check *out)
{
	const struct conf_word *w = t->word[TERM_BODY];
	struct place at;
	struct regex *re;

	out->body = t->text[TERM_BODY];
	if (w == NULL || out->body.len == 0 || t->d == NULL)
		return;
	at = w->at;
	at.col = (uint16_t)(at.col + w->text.len - out->body.len);
	re = regex_new(out->body, false, at, t->d);
	regex_free(re);
	if (out->is_head)
		terms_error(
		    t, w->at, "%s: an answer to HEAD has no body", t->key);
}

/* What only requests have. */
static void
check_refuse_http(struct terms *t)
{
	static const int only[] = {TERM_EXPECT, TERM_BODY};

	for (size_t i = 0; i < NELEMS(only); i++)
		if (t->word[only[i]] != NULL)
			terms_error(t, t->word[only[i]]->at,
			    "%s: only GET and HEAD have '%s'", t->key,
			    t->table[only[i]].name);
}

/* Any name of a Protocol Buffers service is shorter. */
static void
check_read_service(struct terms *t, struct conf_check *out)
{
	const struct conf_word *w = t->word[TERM_SERVICE];
	span name = t->text[TERM_SERVICE];
	bool is_good = name.len > 0 && name.len <= SERVICE_MAX;

	if (w == NULL)
		return;
	for (size_t i = 0; i < name.len; i++)
		is_good &= name.p[i] > ' ' && name.p[i] < 0x7f;
	if (out->kind != CHECK_GRPC)
		terms_error(t, w->at, "%s: only grpc has 'service'", t->key);
	else if (!is_good)
		terms_error(t, w->at,
		    "%s: %.*s: expected the name of a service, of %u bytes at "
		    "most",
		    t->key, SPAN_FMT(conf_brief(w->text)), SERVICE_MAX);
	else
		out->service = name;
}

void
conf_check_words(const struct conf_word *words, uint32_t n,
    struct conf_check *out, struct diag *d)
{
	struct terms t = {
	    .table = check_terms,
	    .n = NELEMS(check_terms),
	    .key = "health_check",
	    .expected = "expect=STATUS, body~REGEX, service=NAME, "
			"interval=TIME, rise=N, fall=N or timeout=TIME",
	    .d = d,
	    .num = {[TERM_INTERVAL] = 2000,
		[TERM_RISE] = 2,
		[TERM_FALL] = 3,
		[TERM_TIMEOUT] = 1000},
	};
	uint32_t at;

	memset(out, 0, sizeof(*out));
	if (n == 0)
		return;
	at = check_read_kind(&t, words, n, out);
	if (at == 0)
		return;
	for (; at < n; at++)
		term_read(&t, &words[at]);
	if (out->kind == CHECK_HTTP) {
		check_read_expect(&t, out);
		check_read_body(&t, out);
	} else {
		check_refuse_http(&t);
	}
	check_read_service(&t, out);
	out->interval_ms = (uint64_t)t.num[TERM_INTERVAL];
	out->rise = (uint32_t)t.num[TERM_RISE];
	out->fall = (uint32_t)t.num[TERM_FALL];
	out->timeout_ms = (uint64_t)t.num[TERM_TIMEOUT];
}

const struct conf_value *
conf_check_line(const struct conf_scope *s)
{
	struct conf_iter it = {NULL, 0, false};

	return conf_next(s, KEY_UPSTREAM_HEALTH_CHECK, &it);
}

void
conf_check_judge(const struct conf_scope *s, struct diag *d)
{
	const struct conf_value *v = conf_check_line(s);
	struct conf_check check;

	if (v == NULL || v->is_none)
		return;
	conf_check_words(v->words, v->n_words, &check, d);
	if (v->next != NULL)
		diag_error(d, v->next->key_at,
		    "an upstream has one health_check; the first is in line "
		    "%u",
		    v->key_at.line);
	if (check.kind == CHECK_NONE || check.kind == CHECK_TCP ||
	    check.kind == CHECK_COMMAND)
		return;
	/* keys are never where checks are made */
	if (conf_get(s, KEY_UPSTREAM_CLIENT_CERTIFICATE) != NULL)
		diag_error(d, v->at,
		    "health_check with client_certificate" LATER
		    "; tcp can be had");
}
