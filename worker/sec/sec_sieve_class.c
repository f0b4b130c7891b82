/* sec_sieve_class: classes of bytes and escapes, as PCRE2 writes them. */
#include "common/base/check.h"
#include "common/http/chars.h"
#include "worker/sec/sec_sieve_read.h"

void
sieve_set_add_word(struct sieve_set *s)
{
	sieve_set_range(s, 'a', 'z');
	sieve_set_range(s, 'A', 'Z');
	sieve_set_range(s, '0', '9');
	sieve_set_add(s, '_');
}

static void
set_add_space(struct sieve_set *s)
{
	sieve_set_range(s, '\t', '\r');
	sieve_set_add(s, ' ');
}

/* \d \w \s \h \v and their opposites; false when it is none of them. */
bool
sieve_set_of_letter(char letter, struct sieve_set *out)
{
	*out = (struct sieve_set){{0}};
	switch (ascii_lower(letter)) {
	case 'd':
		sieve_set_range(out, '0', '9');
		break;
	case 'w':
		sieve_set_add_word(out);
		break;
	case 's':
		set_add_space(out);
		break;
	case 'h':
		sieve_set_add(out, '\t');
		sieve_set_add(out, ' ');
		sieve_set_add(out, 0xa0);
		break;
	case 'v':
		sieve_set_range(out, '\n', '\r');
		sieve_set_add(out, 0x85);
		break;
	case 'n':
		if (letter == 'n')
			return false;
		sieve_set_add(out, '\n');
		break;
	default:
		return false;
	}
	if (letter >= 'A' && letter <= 'Z')
		sieve_set_invert(out);
	return true;
}

static void
set_unite(struct sieve_set *to, const struct sieve_set *from)
{
	for (unsigned i = 0; i < SIEVE_SET_WORDS; i++)
		to->w[i] |= from->w[i];
}

/* Behind "\x": two digits at most, or braces. */
static unsigned
read_hex(struct sieve_reader *r)
{
	bool has_brace = r->p < r->end && *r->p == '{';
	unsigned v = 0;
	int n = 0;

	if (has_brace)
		r->p++;
	while (r->p < r->end && char_hex(*r->p) >= 0 && (has_brace || n < 2)) {
		v = v * 16 + (unsigned)char_hex(*r->p++);
		if (++n > 8)
			r->is_bad = true;
	}
	if (has_brace) {
		if (r->p == r->end || *r->p != '}')
			r->is_bad = true;
		else
			r->p++;
	}
	if (v > 255)
		r->is_bad = true;
	return v & 255;
}

/* The byte that an escape with this letter stands for; -1: it is no byte. */
int
sieve_escape_byte(struct sieve_reader *r, char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case 'f':
		return '\f';
	case 'a':
		return '\a';
	case 'e':
		return 27;
	case 'x':
		return (int)read_hex(r);
	default:
		break;
	}
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9'))
		return -1;
	return (uint8_t)c;
}

/* \0 and up to two octal digits, in or outside a class. */
int
sieve_read_octal(struct sieve_reader *r)
{
	int v = 0;

	for (int n = 0; n < 2 && r->p < r->end && *r->p >= '0' && *r->p <= '7';
	     n++)
		v = v * 8 + (*r->p++ - '0');
	return v & 255;
}

struct posix_class {
	const char *name;
	const char *ranges; /* pairs */
};

static const struct posix_class posix_classes[] = {{"alpha", "azAZ"},
    {"digit", "09"}, {"alnum", "azAZ09"}, {"upper", "AZ"}, {"lower", "az"},
    {"space", "\t\r  "}, {"blank", "\t\t  "}, {"punct", "!/:@[`{~"},
    {"xdigit", "09afAF"}, {"word", "azAZ09__"}, {"print", " ~"},
    {"graph", "!~"}, {"cntrl", "\x01\x1f\x7f\x7f"}};

/* "[:name:]" at r->p; false when it is not there. */
static bool
read_posix(struct sieve_reader *r, struct sieve_set *to)
{
	span rest = span_of(r->p, (size_t)(r->end - r->p));
	ptrdiff_t close;
	span name;
	bool is_inverted;

	if (!span_starts(rest, SPAN_LIT("[:")))
		return false;
	close = span_find(rest, SPAN_LIT(":]"));
	if (close < 2)
		return false;
	name = span_from(span_first(rest, (size_t)close), 2);
	is_inverted = name.len > 0 && name.p[0] == '^';
	if (is_inverted)
		name = span_from(name, 1);
	for (size_t i = 0; i < NELEMS(posix_classes); i++) {
		struct sieve_set set = {{0}};

		if (!span_eq(name, span_str(posix_classes[i].name)))
			continue;
		for (const char *p = posix_classes[i].ranges; *p != '\0';
		     p += 2)
			sieve_set_range(&set, (uint8_t)p[0], (uint8_t)p[1]);
		/* NUL, which no string of ranges can hold */
		if (span_eq(name, SPAN_LIT("cntrl")))
			sieve_set_add(&set, 0);
		/* what it leaves out it leaves out in both cases */
		if (is_inverted && r->folds)
			sieve_set_fold(&set);
		if (is_inverted)
			sieve_set_invert(&set);
		set_unite(to, &set);
		r->p += close + 2;
		return true;
	}
	r->is_bad = true;
	return true;
}

/* One byte of a class, or a whole set of it (then -1). */
static int
read_class_byte(struct sieve_reader *r, struct sieve_set *to)
{
	struct sieve_set set;
	char c = *r->p;
	int b;

	if (c == '[' && read_posix(r, to))
		return -1;
	r->p++;
	if (c != '\\')
		return (uint8_t)c;
	if (r->p == r->end) {
		r->is_bad = true;
		return -1;
	}
	c = *r->p++;
	if (c == 'b')
		return '\b';
	if (c >= '0' && c <= '7') {
		r->p--;
		b = 0;
		for (int n = 0;
		     n < 3 && r->p < r->end && *r->p >= '0' && *r->p <= '7';
		     n++)
			b = b * 8 + (*r->p++ - '0');
		return b & 255;
	}
	if (sieve_set_of_letter(c, &set)) {
		set_unite(to, &set);
		return -1;
	}
	b = sieve_escape_byte(r, c);
	if (b < 0)
		r->is_bad = true;
	return b;
}

static void
read_class_item(struct sieve_reader *r, struct sieve_set *to)
{
	int from = read_class_byte(r, to);
	int until = from;

	if (from < 0)
		return;
	if (r->end - r->p >= 2 && r->p[0] == '-' && r->p[1] != ']') {
		r->p++;
		until = read_class_byte(r, to);
		if (until < 0) {
			/* "[a-\d]": all three by themselves */
			sieve_set_add(to, (unsigned)from);
			sieve_set_add(to, '-');
			return;
		}
	}
	if (until < from) {
		r->is_bad = true;
		return;
	}
	sieve_set_range(to, (unsigned)from, (unsigned)until);
}

struct sieve_part
sieve_read_class(struct sieve_reader *r)
{
	struct sieve_set set = {{0}};
	bool is_inverted = r->p < r->end && *r->p == '^';
	bool is_first = true;

	if (is_inverted)
		r->p++;
	while (r->p < r->end && (is_first || *r->p != ']') && !r->is_bad) {
		is_first = false;
		read_class_item(r, &set);
	}
	if (r->p == r->end)
		r->is_bad = true;
	else
		r->p++;
	if (r->folds)
		sieve_set_fold(&set);
	if (is_inverted)
		sieve_set_invert(&set);
	return sieve_part_of_set(r, &set);
}
