/* sec_disposition: `form-data; name="a"; filename="b"`, and nothing else. */
#include "worker/sec/sec_disposition.h"

#include "common/base/arena.h"
#include "common/base/text.h"
#include "common/http/chars.h"

static const span FORM_DATA = SPAN_LIT("form-data");

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static span
skip_blanks(span s)
{
	while (s.len > 0 && is_blank(s.p[0]))
		s = span_from(s, 1);
	return s;
}

/* A string in quotes, of either kind, at *s. */
static bool
read_quoted(struct arena *a, span *s, span *out)
{
	char quote = s->p[0];
	struct text t;
	size_t i = 1;

	text_init(&t, arena_alloc(a, s->len), s->len);
	for (; i < s->len && s->p[i] != quote; i++) {
		if (s->p[i] == '\\') {
			if (i + 1 == s->len)
				return false;
			if (s->p[i + 1] == quote || s->p[i + 1] == '\\')
				i++;
		}
		text_add_char(&t, s->p[i]);
	}
	if (i >= s->len)
		return false;
	*s = span_from(*s, i + 1);
	*out = text_span(&t);
	return true;
}

/* A token, which may be empty, or a string. */
static bool
read_value(struct sec_disposition *d, struct arena *a, span *s, span *out)
{
	size_t n = 0;

	if (s->p[0] == '\'')
		d->is_badly_quoted = true;
	if (s->p[0] == '"' || s->p[0] == '\'')
		return read_quoted(a, s, out);
	while (n < s->len && char_is(s->p[n], CHAR_TOKEN))
		n++;
	*out = span_first(*s, n);
	*s = span_from(*s, n);
	return true;
}

/* utf-8'LANGUAGE'TEXT of RFC 8187 3.2.1. */
static bool
read_ext_value(struct arena *a, span value, span *out)
{
	span charset, language, text = value;
	struct text t;

	if (!span_cut(&text, '\'', &charset) ||
	    !span_ieq(charset, SPAN_LIT("utf-8")) ||
	    !span_cut(&text, '\'', &language) || text.p == NULL)
		return false;
	text_init(&t, arena_alloc(a, text.len + 1), text.len + 1);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '%' && text.len - i > 2 &&
		    char_is(text.p[i + 1], CHAR_HEX) &&
		    char_is(text.p[i + 2], CHAR_HEX)) {
			c = (char)(char_hex(text.p[i + 1]) << 4 |
				   char_hex(text.p[i + 2]));
			i += 2;
		} else if (c == '%') {
			return false;
		}
		text_add_char(&t, c);
	}
	*out = text_span(&t);
	return true;
}

/* Each of the three may be there once. */
static bool
take_parameter(
    struct sec_disposition *d, struct arena *a, span name, span value)
{
	bool was_there;

	if (span_eq(name, SPAN_LIT("name"))) {
		was_there = d->has_name;
		d->has_name = true;
		d->name = value;
	} else if (span_eq(name, SPAN_LIT("filename"))) {
		was_there = d->has_filename;
		d->has_filename = true;
		d->filename = value;
	} else if (span_eq(name, SPAN_LIT("filename*"))) {
		was_there = d->has_filename_ext;
		d->has_filename_ext = true;
		if (!read_ext_value(a, value, &d->filename_ext))
			return false;
	} else {
		return false;
	}
	return !was_there;
}

/* name = value at *s, and the semicolon behind it. */
static bool
read_parameter(struct sec_disposition *d, struct arena *a, span *s)
{
	span name, value;
	size_t n = 0;

	while (n < s->len && s->p[n] != '=' && !is_blank(s->p[n]))
		n++;
	name = span_first(*s, n);
	*s = span_from(*s, n);
	d->has_blanks |= s->len > 0 && is_blank(s->p[0]);
	*s = skip_blanks(*s);
	if (s->len == 0 || s->p[0] != '=')
		return false;
	*s = span_from(*s, 1);
	d->has_blanks |= s->len > 0 && is_blank(s->p[0]);
	*s = skip_blanks(*s);
	if (s->len == 0 || !read_value(d, a, s, &value) ||
	    !take_parameter(d, a, name, value))
		return false;
	*s = skip_blanks(*s);
	if (s->len == 0)
		return true;
	if (s->p[0] != ';') {
		if (s->p[-1] == '"' || s->p[-1] == '\'')
			d->is_badly_quoted = true;
		return false;
	}
	*s = span_from(*s, 1);
	return true;
}

bool
sec_disposition_read(span value, struct arena *a, struct sec_disposition *out)
{
	span s = skip_blanks(value);

	*out = (struct sec_disposition){.has_name = false};
	if (!span_starts(s, FORM_DATA))
		return false;
	s = skip_blanks(span_from(s, FORM_DATA.len));
	if (s.len > 0 && s.p[0] != ';')
		return false;
	if (s.len > 0)
		s = span_from(s, 1);
	while (s.len > 0) {
		s = skip_blanks(s);
		if (s.len == 0 || !read_parameter(out, a, &s))
			return false;
	}
	return true;
}
