/* sec_trans_text: the transformations that know what a text is: a command, a
 * path, something with comments. */
#include "worker/sec/sec_scan.h"
#include "worker/sec/sec_trans_int.h"

/* --- commands ------------------------------------------------------------- */

enum cmd { CMD_PLAIN, CMD_GONE, CMD_BLANK, CMD_SIGN, CMD_END };

static const uint8_t cmd_class[256] = {
    ['"'] = CMD_GONE,
    ['\''] = CMD_GONE,
    ['\\'] = CMD_GONE,
    ['^'] = CMD_GONE,
    [' '] = CMD_BLANK,
    [','] = CMD_BLANK,
    [';'] = CMD_BLANK,
    ['\t'] = CMD_BLANK,
    ['\r'] = CMD_BLANK,
    ['\n'] = CMD_BLANK,
    ['/'] = CMD_SIGN,
    ['('] = CMD_SIGN,
    ['\0'] = CMD_END,
};

/* All that is not plain, but for the blank. */
SEC_INLINE sec_bytes
look_cmd(sec_bytes v)
{
	return sec_is_in(v, 'A', 'Z') | sec_is_in(v, '\'', '(') |
	       sec_is(v, '"') | sec_is(v, '\\') | sec_is(v, '^') |
	       sec_is(v, ',') | sec_is(v, ';') | sec_is(v, '/') |
	       sec_is(v, '\t') | sec_is(v, '\r') | sec_is(v, '\n') |
	       sec_is(v, '\0') | sec_is(v, ' ');
}

/* How much of the text is already as it will be. */
static size_t
cmd_start(span in)
{
	size_t i = 0;

	while ((i = sec_scan(in, i, look_cmd)) < in.len) {
		bool is_after_blank = i > 0 && in.p[i - 1] == ' ';
		bool is_sign = in.p[i] == '/' || in.p[i] == '(';

		if (is_after_blank || (in.p[i] != ' ' && !is_sign))
			return i;
		i++;
	}
	return i;
}

/* Quotes and escapes go, blanks become one and none before a path or an opening
 * bracket, letters become small; it ends at a NUL. */
span
sec_trans_cmd_line(span in, char *out)
{
	size_t i = cmd_start(in);
	size_t n = i;
	bool has_blank = i > 0 && in.p[i - 1] == ' ';

	if (i == in.len)
		return in;
	memcpy(out, in.p, i);
	for (; i < in.len; i++) {
		enum cmd class = cmd_class[(uint8_t)in.p[i]];

		if (class == CMD_PLAIN) {
			has_blank = false;
			out[n++] = ascii_lower(in.p[i]);
			continue;
		}
		if (class == CMD_END)
			break;
		if (class == CMD_GONE)
			continue;
		if (class == CMD_BLANK) {
			out[n] = ' ';
			n += !has_blank;
			has_blank = true;
			continue;
		}
		if (class == CMD_SIGN && has_blank)
			n--;
		has_blank = false;
		out[n++] = ascii_lower(in.p[i]);
	}
	return span_of(out, n);
}

/* --- comments ------------------------------------------------------------- */

static bool
begins(span in, size_t at, span what)
{
	return in.len - at >= what.len &&
	       memcmp(in.p + at, what.p, what.len) == 0;
}

/* Where the next slash and star are, at or behind `at`; in.len: nowhere. */
static size_t
comment_begin(span in, size_t at)
{
	while ((at = sec_chr(in, at, '/')) < in.len) {
		if (begins(in, at, SPAN_LIT("/*")))
			return at;
		at++;
	}
	return at;
}

static size_t
comment_end(span in, size_t at)
{
	while ((at = sec_chr(in, at, '*')) < in.len) {
		if (begins(in, at, SPAN_LIT("*/")))
			return at + 2;
		at++;
	}
	return at;
}

span
sec_trans_replace_comments(span in, char *out)
{
	struct sec_edit e = {.in = in, .out = out};
	size_t i = 0;

	while ((i = comment_begin(in, i)) < in.len) {
		size_t end = comment_end(in, i + 2);

		sec_edit_put(&e, i, end - i, ' ');
		i = end;
	}
	return sec_edit_done(&e);
}

SEC_INLINE sec_bytes
look_comment(sec_bytes v)
{
	return sec_is(v, '/') | sec_is(v, '*') | sec_is(v, '<') |
	       sec_is(v, '-') | sec_is(v, '#');
}

span
sec_trans_remove_comments_char(span in, char *out)
{
	/* the longer before the shorter */
	static const span marks[] = {
	    {"<!--", 4}, {"-->", 3}, {"--", 2}, {"/*", 2}, {"*/", 2}, {"#", 1}};
	struct sec_edit e = {.in = in, .out = out};
	size_t i = 0;

	while ((i = sec_scan(in, i, look_comment)) < in.len) {
		size_t used = 0;

		for (size_t m = 0; m < sizeof(marks) / sizeof(marks[0]); m++) {
			if (begins(in, i, marks[m])) {
				used = marks[m].len;
				break;
			}
		}
		if (used > 0)
			sec_edit_cut(&e, i, used);
		i += used > 0 ? used : 1;
	}
	return sec_edit_done(&e);
}

/* The end of either kind of comment, whichever began; in.len: none. */
static size_t
any_comment_end(span in, size_t at)
{
	for (; at < in.len; at++) {
		if (begins(in, at, SPAN_LIT("*/")))
			return at + 2;
		if (begins(in, at, SPAN_LIT("-->")))
			return at + 3;
	}
	return in.len + 1;
}

/* The reference takes the byte behind a comment unread, a NUL when there is
 * none; a comment without an end becomes a blank. */
span
sec_trans_remove_comments(span in, char *out)
{
	struct sec_edit e = {.in = in, .out = out};
	size_t i = 0;

	while ((i = sec_scan(in, i, look_comment)) < in.len) {
		size_t begin = i;

		if (in.p[i] == '#' || begins(in, i, SPAN_LIT("--"))) {
			sec_edit_cut(&e, i, in.len - i);
			break;
		}
		if (begins(in, i, SPAN_LIT("/*"))) {
			i += 2;
		} else if (begins(in, i, SPAN_LIT("<!--"))) {
			i += 4;
		} else {
			i++;
			continue;
		}
		i = any_comment_end(in, i);
		if (i > in.len)
			sec_edit_put(&e, begin, in.len - begin, ' ');
		else if (i == in.len)
			sec_edit_put(&e, begin, in.len - begin, '\0');
		else
			sec_edit_cut(&e, begin, i - begin);
		i = i < in.len ? i + 1 : in.len;
	}
	return sec_edit_done(&e);
}

/* --- paths ---------------------------------------------------------------- */

/* A path on its way through. Backslashes of Windows become slashes as far as
 * one byte ahead of where a step begins. */
struct path {
	span in;
	char *out;
	size_t from;
	size_t n; /* bytes written */
	bool is_win;
	bool is_relative;
	bool is_below_root; /* a ".." that stays was seen, or one too many */
};

static bool
is_slash(const struct path *p, char c)
{
	return c == '/' || (p->is_win && c == '\\');
}

/* Take the ".." that ends what was written, and the part before it. `from` is
 * on its last dot. false: it stays. */
static bool
path_up(struct path *p, bool is_last)
{
	size_t n = p->n;

	if (p->is_relative && (p->is_below_root || n <= 2)) {
		p->is_below_root = true;
		return false;
	}
	n = n > 3 ? n - 3 : 0;
	while (n > 0 && p->out[n] != '/')
		n--;
	if (n == 0) {
		p->is_below_root = true;
		n = !p->is_relative && is_last;
	}
	p->n = n;
	return true;
}

/* A dot ends a part of the path, where `from` is. Whether it goes with what it
 * stands for. */
static bool
path_dot(struct path *p, bool is_last)
{
	char before = p->n > 0 ? p->out[p->n - 1] : '\0';

	if (before == '.')
		return path_up(p, is_last);
	if (p->n == 0)
		return true;
	if (before != '/')
		return false;
	if (!is_last)
		p->n--;
	return true;
}

/* Copy the byte at `from`, of several slashes the last one. `seen`: the bytes
 * before it are slashes where they were backslashes. */
static void
path_copy(struct path *p, size_t seen)
{
	char c = p->in.p[p->from];

	if (p->from < seen && is_slash(p, c)) {
		c = '/';
		while (p->from + 1 < p->in.len &&
		       is_slash(p, p->in.p[p->from + 1])) {
			p->from++;
			c = p->from < seen ? '/' : p->in.p[p->from];
		}
		/* a relative path does not begin with a slash */
		if (p->is_relative && p->n == 0) {
			p->from++;
			return;
		}
	}
	p->from++;
	p->out[p->n++] = c;
}

static void
path_step(struct path *p)
{
	size_t seen = p->from + 2;
	bool is_last = p->from + 1 == p->in.len;
	char c = p->in.p[p->from];

	if (is_last || is_slash(p, p->in.p[p->from + 1])) {
		if (c == '.' && path_dot(p, is_last)) {
			p->from++;
			if (is_last)
				return;
		} else if (c != '.' && (is_last || !is_slash(p, c)) &&
			   p->n > 0) {
			p->is_below_root = false;
		}
	}
	path_copy(p, seen);
}

SEC_INLINE sec_bytes
look_slash(sec_bytes v)
{
	return sec_is(v, '/') | sec_is(v, '\\');
}

/* Copy what neither is a slash nor stands before one, nor is the last byte:
 * nothing happens to it. */
static void
path_run(struct path *p)
{
	size_t begin = p->from;
	size_t end = sec_scan(p->in, begin, look_slash);

	if (end - begin < 2)
		return;
	end--;
	memcpy(p->out + p->n, p->in.p + begin, end - begin);
	p->n += end - begin;
	p->from = end;
}

/* Whether nothing in it can change: each part is a name of its own. */
static bool
is_normal_path(span in)
{
	size_t i = 0;

	if (in.p[0] == '.')
		return false;
	while ((i = sec_chr(in, i, '/')) < in.len) {
		i++;
		if (i < in.len && (in.p[i] == '/' || in.p[i] == '.'))
			return false;
		if (i > 2 && in.p[i - 2] == '.' && in.p[i - 3] == '.')
			return false;
	}
	return in.len < 2 || in.p[in.len - 1] != '.' || in.p[in.len - 2] != '.';
}

static span
normalize(span in, bool is_win, char *out)
{
	struct path p = {.in = in, .out = out, .is_win = is_win};
	bool has_slash;

	if (is_normal_path(in) &&
	    !(is_win && memchr(in.p, '\\', in.len) != NULL))
		return in;
	p.is_relative = !is_slash(&p, in.p[0]);
	has_slash = is_slash(&p, in.p[in.len - 1]);
	while (p.from < in.len) {
		path_run(&p);
		path_step(&p);
	}
	if (!has_slash && p.n > 0 && out[p.n - 1] == '/')
		p.n--;
	if (span_eq(span_of(out, p.n), in))
		return in;
	return span_of(out, p.n);
}

span
sec_trans_normalize_path(span in, char *out)
{
	return normalize(in, false, out);
}

span
sec_trans_normalize_path_win(span in, char *out)
{
	return normalize(in, true, out);
}
