/* http/uri_path: the one form of a path that rules compare. Origins read paths
 * in many ways; what some of them read otherwise is called ambiguous. */
#include "common/http/uri.h"

#include "common/http/chars.h"

#define ESCAPE_LEN 3 /* "%2f" */

struct path_writer {
	char *out;
	size_t len;
	size_t segment; /* where the current segment begins */
	bool is_changed;
	bool is_ambiguous;
};

/* Value of the escape at the start of s, -1 when none is well-formed. */
static int
read_escape(span s)
{
	int high, low;

	if (s.len < ESCAPE_LEN || s.p[0] != '%')
		return -1;
	high = char_hex(s.p[1]);
	low = char_hex(s.p[2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* The first two bytes of an overlong UTF-8 sequence (RFC 3629 3), the classic
 * disguise of dots and slashes. */
static bool
is_overlong(int lead, int next)
{
	if (lead == 0xc0 || lead == 0xc1)
		return next >= 0x80 && next < 0xc0;
	if (lead == 0xe0)
		return next >= 0x80 && next < 0xa0;
	return lead == 0xf0 && next >= 0x80 && next < 0x90;
}

/* Whether a byte says the same with and without escape. */
static bool
is_plain(int byte)
{
	return byte != '%' && byte != '?' && byte != '/' && byte != '\\' &&
	       char_is((char)byte, CHAR_TARGET);
}

static void
put_escape(struct path_writer *w, span in, int byte)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = w->out + w->len;
	char high = digits[byte >> 4];
	char low = digits[byte & 0xf];

	if (byte == '\0' || byte == '/' || byte == '\\' ||
	    is_overlong(byte, read_escape(span_from(in, ESCAPE_LEN))))
		w->is_ambiguous = true;
	if (in.p[1] != high || in.p[2] != low)
		w->is_changed = true;
	out[0] = '%';
	out[1] = high;
	out[2] = low;
	w->len += ESCAPE_LEN;
}

/* Write bytes up to the next escape or slash, at least one; returns how many. */
static size_t
put_bytes(struct path_writer *w, span in)
{
	size_t n = 0;

	do {
		if (in.p[n] == '\\' || !char_is(in.p[n], CHAR_TARGET))
			w->is_ambiguous = true;
		w->out[w->len++] = in.p[n++];
	} while (n < in.len && in.p[n] != '%' && in.p[n] != '/');
	return n;
}

/* Write what stands at the start of `in`; returns the bytes it took. */
static size_t
put_some(struct path_writer *w, span in)
{
	int byte;

	if (in.p[0] != '%')
		return put_bytes(w, in);
	byte = read_escape(in);
	if (byte < 0) {
		w->is_ambiguous = true;
		w->out[w->len++] = '%';
		return 1;
	}
	if (is_plain(byte)) {
		w->is_changed = true;
		w->out[w->len++] = (char)byte;
	} else {
		put_escape(w, in, byte);
	}
	return ESCAPE_LEN;
}

/* Go back before the segment before the current one; w->segment is behind its
 * slash. */
static void
drop_parent(struct path_writer *w)
{
	if (w->segment < 2) {
		w->is_ambiguous = true;
		w->len = w->segment;
		return;
	}
	w->len = w->segment - 1;
	while (w->len > 0 && w->out[w->len - 1] != '/')
		w->len--;
}

/* The current segment is complete: resolve it when it is made of dots. false
 * when it is gone, and a slash behind it with it. */
static bool
end_segment(struct path_writer *w)
{
	span seg = span_of(w->out + w->segment, w->len - w->segment);

	if (span_starts(seg, SPAN_LIT(".;")) ||
	    span_starts(seg, SPAN_LIT("..;")))
		w->is_ambiguous = true;
	if (span_eq(seg, SPAN_LIT("."))) {
		w->len = w->segment;
	} else if (span_eq(seg, SPAN_LIT(".."))) {
		drop_parent(w);
	} else {
		return seg.len > 0;
	}
	w->is_changed = true;
	w->segment = w->len;
	return false;
}

static void
put_slash(struct path_writer *w)
{
	if (w->len > 0 && !end_segment(w)) {
		w->is_changed = true;
		return;
	}
	w->out[w->len++] = '/';
	w->segment = w->len;
}

enum uri_path
uri_normalize_path(span in, char *out, size_t *out_len)
{
	struct path_writer w = {.out = out};

	if (in.len == 0 || (in.p[0] != '/' && !span_eq(in, SPAN_LIT("*"))))
		w.is_ambiguous = true;
	while (in.len > 0) {
		if (in.p[0] == '/') {
			put_slash(&w);
			in = span_from(in, 1);
		} else {
			in = span_from(in, put_some(&w, in));
		}
	}
	if (w.len > 0)
		(void)end_segment(&w);
	*out_len = w.len;
	if (w.is_ambiguous)
		return URI_PATH_AMBIGUOUS;
	return w.is_changed ? URI_PATH_CHANGED : URI_PATH_PLAIN;
}
