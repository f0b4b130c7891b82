/* log/log_sample: reads and judges [log] sample. Knows nothing of lines. */
#include "worker/log/log_sample.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/siphash.h"
#include "worker/exch/exch.h"
#include "worker/exch/match.h"
#include "worker/exch/reqid.h"

/* A share is counted in these: ten thousandths of a percent. */
#define SHARE_ALL 1000000u
#define SHARE_PERCENT 10000u
#define SHARE_DIGITS 4

/* No secret: the same everywhere, which is what it is for. */
static const struct sipkey sample_key = {0, 0};

/* `N%` or `N.N%`, at most four digits behind the point, 0 to 100. */
static bool
share_read(span s, uint64_t *out)
{
	uint64_t unit = SHARE_PERCENT;
	ptrdiff_t point;
	span part = {NULL, 0};
	uint64_t n;

	if (!span_ends(s, SPAN_LIT("%")))
		return false;
	s.len--;
	point = span_chr(s, '.');
	if (point >= 0) {
		part = span_from(s, (size_t)point + 1);
		s.len = (size_t)point;
	}
	if (!span_u64(s, 100, &n) || part.len > SHARE_DIGITS ||
	    (point >= 0 && part.len == 0))
		return false;
	*out = n * SHARE_PERCENT;
	for (size_t i = 0; i < part.len; i++) {
		if (part.p[i] < '0' || part.p[i] > '9')
			return false;
		unit /= 10;
		*out += (uint64_t)(part.p[i] - '0') * unit;
	}
	return *out <= SHARE_ALL;
}

/* The next word and the blanks before it; its length, 0 at the end. What is
 * between quotes is part of it. */
static size_t
word_read(span text, size_t *at)
{
	bool is_quoted = false;
	size_t begin;

	while (*at < text.len && text.p[*at] == ' ')
		++*at;
	for (begin = *at; *at < text.len; ++*at) {
		if (text.p[*at] == '"')
			is_quoted = !is_quoted;
		else if (text.p[*at] == ' ' && !is_quoted)
			break;
	}
	return *at - begin;
}

static bool
word_is(span text, size_t end, size_t len, const char *want)
{
	return span_eq(span_of(text.p + end - len, len), span_str(want));
}

/* One condition. `time` is how long the exchange took: when it was is in every
 * line anyhow. */
static struct match *
condition_read(
    struct arena *a, const struct var_src *src, span text, struct diag *d)
{
	static const struct {
		span name;
		span var;
	} time = {SPAN_LIT("time"), SPAN_LIT("duration")};
	struct var_src own = {text,
	    var_src_place(src, (size_t)(text.p - src->text.p), text.len),
	    VAR_WHEN_END};
	span parts[2] = {time.var, span_from(text, time.name.len)};

	if (span_starts(text, time.name) && parts[1].len > 0 &&
	    span_chr(SPAN_LIT(" =!<>"), parts[1].p[0]) >= 0) {
		own.text = arena_concat(a, parts, NELEMS(parts));
		/* what is wrong behind it is where it was */
		own.at.col -= (uint16_t)(time.var.len - time.name.len);
	}
	return match_new(a, &own, d);
}

static bool
conditions_read(struct log_sample *s, struct arena *a,
    const struct var_src *src, size_t at, struct diag *d)
{
	size_t begin = at;
	size_t len;

	/* no more of them than words */
	s->always = arena_zalloc(a, src->text.len * sizeof(*s->always));
	do {
		len = word_read(src->text, &at);
		if (len > 0 && !word_is(src->text, at, len, "or"))
			continue;
		s->always[s->n] = condition_read(a, src,
		    span_trim(span_of(src->text.p + begin, at - len - begin)),
		    d);
		if (s->always[s->n] == NULL)
			return false;
		s->n++;
		begin = at;
	} while (len > 0);
	return true;
}

bool
log_sample_prepare(struct log_sample *s, struct arena *a,
    const struct var_src *src, struct diag *d)
{
	uint64_t share = SHARE_ALL;
	size_t at = 0;
	size_t len = word_read(src->text, &at);

	memset(s, 0, sizeof(*s));
	if (len > 0 &&
	    !share_read(span_of(src->text.p + at - len, len), &share)) {
		diag_error(d, var_src_place(src, at - len, len),
		    "expected a share from 0%% to 100%%, for example 1%% or "
		    "0.5%%");
		return false;
	}
	s->is_all = share == SHARE_ALL;
	s->below = share * (UINT64_MAX / SHARE_ALL);
	len = word_read(src->text, &at);
	if (len == 0)
		return true;
	if (!word_is(src->text, at, len, "unless")) {
		diag_error(d, var_src_place(src, at - len, len),
		    "expected 'unless' and what is kept always");
		return false;
	}
	return conditions_read(s, a, src, at, d);
}

void
log_sample_fini(struct log_sample *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		match_free(s->always[i]);
	s->n = 0;
}

bool
log_sample_keeps(const struct log_sample *s, struct exch *x)
{
	if (s->is_all)
		return true;
	reqid_make(x);
	if (siphash(&sample_key, x->request_id) < s->below)
		return true;
	for (uint32_t i = 0; i < s->n; i++)
		if (match_eval(s->always[i], x) != MATCH_NO)
			return true;
	return false;
}
