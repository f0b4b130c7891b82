/* filter/substitute: the filter, and what it reads of the configuration. Texts of
 * up to 256 bytes are compared where their first byte is: what content makes of
 * that costs at most one comparison of memory for each line and byte. */
#include "worker/filter/substitute.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/conf/conf.h"

/* --- lines ---------------------------------------------------------------- */

/* A mark that no text begins with by chance. */
static bool
substitute_is_mark(char c)
{
	return c > ' ' && c < 0x7f &&
	       !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		   (c >= '0' && c <= '9'));
}

/* What is wrong with a line, or NULL. */
static const char *
substitute_split(span text, struct substitute *out)
{
	span rest = span_from(text, 1);
	ptrdiff_t end;

	if (text.len == 0 || !substitute_is_mark(text.p[0]))
		return "expected |FROM|TO|, or another mark in place of the "
		       "bars";
	end = span_chr(rest, text.p[0]);
	if (end < 0)
		return "the mark behind FROM is missing: |FROM|TO|";
	out->from = span_first(rest, (size_t)end);
	rest = span_from(rest, (size_t)end + 1);
	end = span_chr(rest, text.p[0]);
	if (end < 0)
		return "the mark behind TO is missing: |FROM|TO|";
	if ((size_t)end + 1 != rest.len)
		return "something stands behind the third mark; choose a mark "
		       "that neither text holds";
	out->to = span_first(rest, (size_t)end);
	if (out->from.len == 0 || out->from.len > SUBSTITUTE_FROM_MAX)
		return "FROM has 1 to 256 bytes";
	if (out->to.len > SUBSTITUTE_TO_MAX)
		return "TO has at most 1024 bytes";
	return NULL;
}

const struct substitute *
substitute_prepare(const struct conf_value *v, struct arena *a, struct diag *d)
{
	struct substitute *s = arena_zalloc(a, sizeof(*s));
	const char *why = substitute_split(v->text, s);

	s->at = v->at;
	if (why == NULL)
		return s;
	diag_error(d, v->at, "substitute: %s", why);
	return NULL;
}

/* --- the filter ----------------------------------------------------------- */

struct substituter {
	const struct substitute *const *lines;
	uint32_t n;
	bool begins[UINT8_MAX + 1]; /* some FROM does, with this byte */
	span due; /* what is left of a TO */
	size_t held_len;
	char held[SUBSTITUTE_FROM_MAX]; /* the beginning of a FROM, it may be */
};

void *
substitute_open(
    struct arena *a, const struct substitute *const *lines, uint32_t n)
{
	struct substituter *s = arena_zalloc(a, sizeof(*s));

	REQUIRE(n > 0);
	s->lines = lines;
	s->n = n;
	for (uint32_t i = 0; i < n; i++)
		s->begins[(unsigned char)lines[i]->from.p[0]] = true;
	return s;
}

static void
substitute_give(struct bfilter_io *io, const char *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(io->out, p, n);
	io->out += n;
	io->out_len -= n;
}

static void
substitute_take(struct bfilter_io *io, size_t n)
{
	io->in += n;
	io->in_len -= n;
}

/* Drop bytes from the front of what is held and then of the input. */
static void
substitute_drop(struct substituter *s, struct bfilter_io *io, size_t n)
{
	size_t held = size_min(n, s->held_len);

	s->held_len -= held;
	memmove(s->held, s->held + held, s->held_len);
	substitute_take(io, n - held);
}

/* How many of the first bytes, held or not, are those of `from`. */
static bool
substitute_begins(const struct substituter *s, const struct bfilter_io *io,
    span from, size_t n)
{
	size_t held = size_min(n, s->held_len);

	return memcmp(s->held, from.p, held) == 0 &&
	       (n == held || memcmp(io->in, from.p + held, n - held) == 0);
}

enum substitute_fit { FIT_NO, FIT_PART, FIT_YES };

/* Whether a FROM stands at the front; *line is it. PART: that will tell what
 * follows. */
static enum substitute_fit
substitute_fit(const struct substituter *s, const struct bfilter_io *io,
    bool is_last, const struct substitute **line)
{
	size_t len = s->held_len + io->in_len;

	for (uint32_t i = 0; i < s->n; i++) {
		span from = s->lines[i]->from;

		if (from.len > len && is_last)
			continue;
		if (!substitute_begins(s, io, from, size_min(from.len, len)))
			continue;
		*line = s->lines[i];
		return from.len > len ? FIT_PART : FIT_YES;
	}
	return FIT_NO;
}

/* Hold all that there is: less than a FROM. */
static void
substitute_hold(struct substituter *s, struct bfilter_io *io)
{
	REQUIRE(s->held_len + io->in_len < sizeof(s->held));
	if (io->in_len == 0)
		return;
	memcpy(s->held + s->held_len, io->in, io->in_len);
	s->held_len += io->in_len;
	substitute_take(io, io->in_len);
}

/* What is left of a TO goes out, then what begins nothing. */
static void
substitute_pass(struct substituter *s, struct bfilter_io *io)
{
	size_t n = size_min(s->due.len, io->out_len);

	substitute_give(io, s->due.p, n);
	s->due = span_from(s->due, n);
	if (s->due.len > 0 || s->held_len > 0)
		return;
	n = 0;
	while (n < io->in_len && n < io->out_len &&
	       !s->begins[(unsigned char)io->in[n]])
		n++;
	substitute_give(io, io->in, n);
	substitute_take(io, n);
}

/* Judge the front. false: it waits for what follows. */
static bool
substitute_front(struct substituter *s, struct bfilter_io *io, bool is_last)
{
	const struct substitute *line;

	switch (substitute_fit(s, io, is_last, &line)) {
	case FIT_NO:
		substitute_give(io, s->held_len > 0 ? s->held : io->in, 1);
		substitute_drop(s, io, 1);
		return true;
	case FIT_PART:
		substitute_hold(s, io);
		return false;
	case FIT_YES:
		s->due = line->to;
		substitute_drop(s, io, line->from.len);
		return true;
	}
	UNREACHED();
}

static enum bfilter_rc
substitute_step(void *self, struct bfilter_io *io, enum bfilter_how how)
{
	struct substituter *s = self;

	for (;;) {
		substitute_pass(s, io);
		if (s->due.len == 0 && s->held_len + io->in_len == 0)
			return how == BFILTER_LAST ? BFILTER_DONE : BFILTER_OK;
		if (io->out_len == 0)
			return BFILTER_FULL;
		if (s->due.len == 0 &&
		    !substitute_front(s, io, how == BFILTER_LAST))
			return BFILTER_OK;
	}
}

/* It lives in the exchange's arena. */
static void
substitute_close(void *self)
{
	(void)self;
}

const struct bfilter_ops substitute_ops = {
    "substitute", substitute_step, substitute_close};
