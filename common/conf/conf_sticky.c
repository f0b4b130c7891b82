/* conf/conf_sticky: `sticky`, judged word by word: how, a name, options. */
#include "common/conf/conf_sticky.h"

#include "common/base/check.h"
#include "common/conf/conf_int.h"

#define NAME_MAX_LEN 64u
#define PATH_MAX_LEN 256u
#define MS_PER_S 1000
#define TIMEOUT_MS (INT64_C(30) * 60 * 1000)
/* Browsers keep no cookie longer (RFC 6265bis 5.5: 400 days). */
#define TTL_MAX_MS (INT64_C(400) * 24 * 3600 * 1000)
#define TIMEOUT_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)
#define EXPECTED \
	"expected `cookie NAME`, `header NAME`, `learn cookie=NAME` or " \
	"`learn header=NAME`"

/* A line that is being read. */
struct line {
	const struct conf_word *words;
	uint32_t n;
	struct conf_sticky *out;
	struct diag *d; /* or NULL */
	bool is_bad;
	uint32_t seen; /* bit of each option that came */
};

#define line_error(l, at, ...) \
	do { \
		(l)->is_bad = true; \
		if ((l)->d != NULL) \
			diag_error((l)->d, at, __VA_ARGS__); \
	} while (0)

/* --- options -------------------------------------------------------------- */

static void
option_time(struct line *l, const struct conf_word *w, span text, int64_t max,
    const char *max_text, uint64_t *out)
{
	const char *why;
	int64_t ms;

	if (!conf_parse_duration(text, &ms, &why))
		line_error(l, w->at, "sticky: %.*s: %s",
		    SPAN_FMT(conf_brief(w->text)), why);
	else if (ms < MS_PER_S || ms > max || ms % MS_PER_S != 0)
		line_error(l, w->at,
		    "sticky: %.*s: whole seconds from 1s to %s are good",
		    SPAN_FMT(conf_brief(w->text)), max_text);
	else
		*out = (uint64_t)ms;
}

static void
option_ttl(struct line *l, const struct conf_word *w, span text)
{
	option_time(l, w, text, TTL_MAX_MS, "400d", &l->out->ttl_ms);
}

static void
option_timeout(struct line *l, const struct conf_word *w, span text)
{
	option_time(l, w, text, TIMEOUT_MAX_MS, "30d", &l->out->timeout_ms);
}

static void
option_path(struct line *l, const struct conf_word *w, span text)
{
	bool is_good =
	    text.len > 0 && text.len <= PATH_MAX_LEN && text.p[0] == '/';

	for (size_t i = 0; i < text.len; i++)
		is_good &=
		    text.p[i] > ' ' && text.p[i] < 0x7f && text.p[i] != ';';
	if (!is_good)
		line_error(l, w->at,
		    "sticky: path: expected one that begins with '/', without "
		    "';' and blanks");
	l->out->path = text;
}

static void
option_domain(struct line *l, const struct conf_word *w, span text)
{
	const char *why = "expected a domain: example.com";

	if (text.len == 0 || strchr("*.[", text.p[0]) != NULL ||
	    !conf_shape_check("<host>", CONF_PART, text, &why))
		line_error(l, w->at,
		    "sticky: domain: expected a name like example.com");
	l->out->domain = text;
}

static void
option_same_site(struct line *l, const struct conf_word *w, span text)
{
	/* in the order of the enum */
	static const char *const words[] = {"lax", "strict", "none"};

	for (size_t i = 0; i < NELEMS(words); i++) {
		if (!span_eq(text, span_str(words[i])))
			continue;
		l->out->same_site = (enum conf_same_site)i;
		return;
	}
	line_error(l, w->at, "sticky: samesite: expected lax, strict or none");
}

static void
option_secure(struct line *l, const struct conf_word *w, span text)
{
	(void)w;
	(void)text;
	l->out->is_secure = true;
}

static const struct option {
	const char *name;
	bool is_bare;
	bool is_of_cookie; /* else of all others */
	void (*read)(struct line *l, const struct conf_word *w, span text);
} options[] = {
    {"ttl", false, true, option_ttl},
    {"path", false, true, option_path},
    {"domain", false, true, option_domain},
    {"samesite", false, true, option_same_site},
    {"secure", true, true, option_secure},
    {"timeout", false, false, option_timeout},
};

static const struct option *
option_find(const struct line *l, span name)
{
	bool is_cookie = l->out->kind == STICKY_COOKIE;

	for (size_t i = 0; i < NELEMS(options); i++)
		if (options[i].is_of_cookie == is_cookie &&
		    span_eq(name, span_str(options[i].name)))
			return &options[i];
	return NULL;
}

static void
line_refuse(struct line *l, const struct conf_word *w, span name)
{
	const char *known[NELEMS(options)];
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < NELEMS(options); i++)
		if (options[i].is_of_cookie == (l->out->kind == STICKY_COOKIE))
			known[n++] = options[i].name;
	near = diag_suggest(name, known, n);
	line_error(l, w->at, "sticky: unknown option '%.*s'; %s%s%s",
	    SPAN_FMT(conf_brief(name)),
	    near != NULL                    ? "did you mean '"
	    : l->out->kind == STICKY_COOKIE ? "expected ttl=TIME, path=PATH, "
					      "domain=NAME, samesite=WORD or "
					      "secure"
					    : "expected timeout=TIME",
	    near != NULL ? near : "", near != NULL ? "'?" : "");
}

static void
line_option(struct line *l, const struct conf_word *w)
{
	span name = span_before(w->text, '=');
	const struct option *o = option_find(l, name);
	uint32_t bit;

	if (o == NULL) {
		line_refuse(l, w, name);
		return;
	}
	bit = 1u << (o - options);
	if (l->seen & bit)
		line_error(l, w->at, "sticky: '%s' stands twice", o->name);
	else if (o->is_bare ? w->text.len > name.len
			    : w->text.len < name.len + 2)
		line_error(l, w->at, "sticky: write %s%s", o->name,
		    o->is_bare ? "" : "=VALUE");
	else
		o->read(
		    l, w, span_from(w->text, name.len + (o->is_bare ? 0 : 1)));
	l->seen |= bit;
}

/* --- how, and by what ----------------------------------------------------- */

/* `cookie NAME` and `header NAME`: the name is the next word; `learn
 * cookie=NAME`: behind the sign. Returns how many words that were; 0: none are
 * good, and that was told. */
static uint32_t
line_kind(struct line *l)
{
	span how = l->words[0].text;
	span by =
	    l->n > 1 ? span_before(l->words[1].text, '=') : span_of(NULL, 0);
	bool is_learn = span_eq(how, SPAN_LIT("learn"));
	span what = is_learn ? by : how;

	if (l->n > 1 && span_eq(what, SPAN_LIT("cookie")))
		l->out->kind = is_learn ? STICKY_LEARN_COOKIE : STICKY_COOKIE;
	else if (l->n > 1 && span_eq(what, SPAN_LIT("header")))
		l->out->kind = is_learn ? STICKY_LEARN_HEADER : STICKY_HEADER;
	if (l->out->kind == STICKY_NONE) {
		line_error(l, l->words[0].at, "sticky = %.*s: " EXPECTED,
		    SPAN_FMT(conf_brief(how)));
		return 0;
	}
	l->out->name = l->words[1].text;
	if (is_learn)
		l->out->name = by.len < l->out->name.len
				   ? span_from(l->out->name, by.len + 1)
				   : span_of(NULL, 0);
	return 2;
}

/* Names of cookies and of fields are tokens alike (RFC 6265 4.1.1). */
static void
line_judge_name(struct line *l)
{
	span name = l->out->name;
	const char *why;

	if (name.len > NAME_MAX_LEN ||
	    !conf_shape_check("<field>", CONF_PART, name, &why))
		line_error(l, l->words[1].at,
		    "sticky: a name holds 1 to %u letters, digits and "
		    "!#$%%&'*+-.^_`|~ only",
		    NAME_MAX_LEN);
}

/* What browsers would not take. */
static void
line_judge_cookie(struct line *l)
{
	const struct conf_sticky *s = l->out;
	bool is_host = span_starts(s->name, SPAN_LIT("__Host-"));

	bool needs_secure =
	    is_host || span_starts(s->name, SPAN_LIT("__Secure-"));

	if (s->same_site == SAME_SITE_NONE && !s->is_secure)
		line_error(
		    l, s->at, "sticky: samesite=none needs `secure` beside it");
	if (needs_secure && !s->is_secure)
		line_error(l, s->at, "sticky: a cookie %.*s needs `secure`",
		    SPAN_FMT(s->name));
	if (is_host && (s->domain.len > 0 || s->path.len != 1))
		line_error(l, s->at,
		    "sticky: a cookie %.*s has no domain and path=/",
		    SPAN_FMT(s->name));
}

static void
line_read(struct line *l)
{
	uint32_t i = line_kind(l);

	if (i == 0)
		return;
	line_judge_name(l);
	for (; i < l->n; i++)
		line_option(l, &l->words[i]);
	if (l->out->kind == STICKY_COOKIE)
		line_judge_cookie(l);
}

void
conf_sticky_read(
    const struct conf_scope *s, struct conf_sticky *out, struct diag *d)
{
	struct conf_iter it = {NULL, 0, false};
	const struct conf_value *v = conf_next(s, KEY_UPSTREAM_STICKY, &it);
	struct line l = {.out = out, .d = d};

	*out = (struct conf_sticky){
	    .path = SPAN_LIT("/"),
	    .timeout_ms = TIMEOUT_MS,
	};
	if (v == NULL || v->is_none || v->n_words == 0)
		return;
	out->at = v->at;
	l.words = v->words;
	l.n = v->n_words;
	line_read(&l);
	if (v->next != NULL)
		line_error(&l, v->next->key_at,
		    "an upstream has one sticky; the first is in line %u",
		    v->key_at.line);
	if (l.is_bad)
		out->kind = STICKY_NONE;
}
