/* sec_sieve_read: a pattern as positions. Reads the syntax of PCRE2 (pcre2pattern
 * (3)) as far as rules use it; a repetition is written out a few times and then
 * taken as endless, assertions but ^ and $ are taken as held.
 *
 * Repetitions of almost anything (".*") would be in almost every state, in every
 * mixture: there a pattern is cut, and of the stretches between the one is taken
 * that fewest texts hold. What matches the pattern holds it. */
#include <stdlib.h>

#include "common/base/check.h"
#include "worker/sec/sec_sieve_int.h"

/* Copies of what is repeated: above, any number. */
#define COPIES_MAX 6u
/* Bytes in a class whose repetition is "almost anything". */
#define BROAD_MIN 128u
/* Bits that a text must have in common with a stretch for it to be of use. */
#define WEIGHT_MIN 4u
/* Atoms read for one pattern, copies counted. */
#define ATOMS_MAX (4u * SEC_SIEVE_PATTERN_MAX)

struct reader {
	struct sec_sieve *s;
	const char *p;
	const char *end;
	int32_t number;
	uint32_t first_position;
	bool folds, is_dot_all, is_multiline;
	bool is_bad; /* cannot be expressed */
	int depth;
	uint32_t n_atoms;
	bool is_at_start; /* nothing of the pattern comes before */
	uint8_t ends; /* of the text, that may have been taken before: bits */
};

/* A part of a pattern. */
struct part {
	struct sieve_numbers first, last;
	bool is_optional; /* matches the empty text */
	/* What was beside it there is cut off: it cannot be joined. */
	bool is_cut_before, is_cut_behind;
	uint32_t weight; /* bits that a text which it takes has, at least */
	uint32_t breadth; /* bytes that it takes, if it is one class; else 0 */
};

static struct part read_either(struct reader *r);

/* --- positions ------------------------------------------------------------ */

void
sieve_push(struct sieve_numbers *l, uint32_t n)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 4 : l->cap * 2;
		l->at = realloc(l->at, l->cap * sizeof(*l->at));
		REQUIRE(l->at != NULL);
	}
	l->at[l->n++] = n;
}

static void
numbers_add(struct sieve_numbers *to, const struct sieve_numbers *from)
{
	for (uint32_t i = 0; i < from->n; i++)
		sieve_push(to, from->at[i]);
}

static void
part_fini(struct part *p)
{
	free(p->first.at);
	free(p->last.at);
	*p = (struct part){0};
}

static void
set_add(struct sieve_set *s, unsigned symbol)
{
	s->w[symbol / 64] |= UINT64_C(1) << (symbol % 64);
}

static bool
set_has(const struct sieve_set *s, unsigned symbol)
{
	return (s->w[symbol / 64] >> (symbol % 64) & 1) != 0;
}

static void
set_range(struct sieve_set *s, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		set_add(s, c);
}

static void
set_invert(struct sieve_set *s)
{
	for (unsigned i = 0; i < 4; i++)
		s->w[i] = ~s->w[i];
}

static void
set_fold(struct sieve_set *s)
{
	for (unsigned c = 'a'; c <= 'z'; c++) {
		if (set_has(s, c))
			set_add(s, c - 'a' + 'A');
		if (set_has(s, c - 'a' + 'A'))
			set_add(s, c);
	}
}

static uint32_t
set_breadth(const struct sieve_set *s)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < 4; i++)
		n += (uint32_t)__builtin_popcountll(s->w[i]);
	return n;
}

/* Bits of a byte of n different ones; nothing for the ends of the text. */
static uint32_t
set_weight(uint32_t n)
{
	uint32_t bits = n == 0 ? 0 : 8;

	while (n > 1) {
		n = (n + 1) / 2;
		bits--;
	}
	return bits;
}

static uint32_t
set_number(struct sec_sieve *s, const struct sieve_set *set)
{
	for (uint32_t i = 0; i < s->n_sets; i++)
		if (memcmp(&s->sets[i], set, sizeof(*set)) == 0)
			return i;
	if (s->n_sets == s->cap_sets) {
		s->cap_sets = s->cap_sets == 0 ? 64 : s->cap_sets * 2;
		s->sets = realloc(s->sets, s->cap_sets * sizeof(*s->sets));
		REQUIRE(s->sets != NULL);
	}
	s->sets[s->n_sets] = *set;
	return s->n_sets++;
}

static struct part
part_of_set(struct reader *r, const struct sieve_set *set)
{
	struct sec_sieve *s = r->s;
	struct part p = {0};

	if (s->n_positions - r->first_position >= SEC_SIEVE_PATTERN_MAX) {
		r->is_bad = true;
		return p;
	}
	if (s->n_positions == s->cap_positions) {
		s->cap_positions =
		    s->cap_positions == 0 ? 1024 : s->cap_positions * 2;
		s->positions = realloc(
		    s->positions, s->cap_positions * sizeof(*s->positions));
		REQUIRE(s->positions != NULL);
	}
	s->positions[s->n_positions] = (struct sieve_position){
	    .set = set_number(s, set), .pattern = r->number};
	sieve_push(&p.first, s->n_positions);
	sieve_push(&p.last, s->n_positions);
	s->n_positions++;
	p.breadth = set_breadth(set);
	p.weight = set_weight(p.breadth);
	return p;
}

static struct part
part_of_symbol(struct reader *r, unsigned symbol)
{
	struct sieve_set set = {{0}};

	set_add(&set, symbol);
	if (r->folds && symbol < 256)
		set_fold(&set);
	return part_of_set(r, &set);
}

static struct part
part_empty(void)
{
	return (struct part){.is_optional = true};
}

#define TOOK_BEGIN 1u
#define TOOK_END 2u

/* ^ or $. Its symbol comes once: where it may have been taken, another one is
 * taken as held. */
static struct part
part_of_anchor(struct reader *r, unsigned symbol)
{
	uint8_t bit = symbol == SIEVE_BEGIN ? TOOK_BEGIN : TOOK_END;

	if ((r->ends & bit) != 0)
		return part_empty();
	r->ends |= bit;
	return part_of_symbol(r, symbol);
}

/* Behind each of `last` may come what the list says. */
static void
link_parts(struct reader *r, const struct sieve_numbers *last,
    const struct sieve_numbers *first)
{
	struct sec_sieve *s = r->s;

	if (last->n == 0 || first->n == 0)
		return;
	if (s->n_lists == s->cap_lists) {
		s->cap_lists = s->cap_lists == 0 ? 256 : s->cap_lists * 2;
		s->lists = realloc(s->lists, s->cap_lists * sizeof(*s->lists));
		REQUIRE(s->lists != NULL);
	}
	s->lists[s->n_lists] = (struct sieve_numbers){0};
	numbers_add(&s->lists[s->n_lists], first);
	for (uint32_t i = 0; i < last->n; i++)
		sieve_push(&s->positions[last->at[i]].next, s->n_lists);
	s->n_lists++;
}

/* a then b; both are used up. */
static struct part
part_then(struct reader *r, struct part a, struct part b)
{
	struct part p = {.is_optional = a.is_optional && b.is_optional,
	    .is_cut_before = a.is_cut_before,
	    .is_cut_behind = b.is_cut_behind,
	    .weight = a.weight + b.weight};

	link_parts(r, &a.last, &b.first);
	numbers_add(&p.first, &a.first);
	if (a.is_optional)
		numbers_add(&p.first, &b.first);
	numbers_add(&p.last, &b.last);
	if (b.is_optional)
		numbers_add(&p.last, &a.last);
	part_fini(&a);
	part_fini(&b);
	return p;
}

static struct part
part_or(struct part a, struct part b)
{
	numbers_add(&a.first, &b.first);
	numbers_add(&a.last, &b.last);
	a.is_optional = a.is_optional || b.is_optional;
	a.is_cut_before = a.is_cut_before || b.is_cut_before;
	a.is_cut_behind = a.is_cut_behind || b.is_cut_behind;
	if (b.weight < a.weight)
		a.weight = b.weight;
	a.breadth = 0;
	part_fini(&b);
	return a;
}

/* Any text: a cut. */
static struct part
part_anything(void)
{
	return (struct part){
	    .is_optional = true, .is_cut_before = true, .is_cut_behind = true};
}

/* --- classes -------------------------------------------------------------- */

static void
set_add_word(struct sieve_set *s)
{
	set_range(s, 'a', 'z');
	set_range(s, 'A', 'Z');
	set_range(s, '0', '9');
	set_add(s, '_');
}

static void
set_add_space(struct sieve_set *s)
{
	set_range(s, '\t', '\r');
	set_add(s, ' ');
}

/* \d \w \s \h \v and their opposites; false when it is none of them. */
static bool
set_of_letter(char letter, struct sieve_set *out)
{
	*out = (struct sieve_set){{0}};
	switch (ascii_lower(letter)) {
	case 'd':
		set_range(out, '0', '9');
		break;
	case 'w':
		set_add_word(out);
		break;
	case 's':
		set_add_space(out);
		break;
	case 'h':
		set_add(out, '\t');
		set_add(out, ' ');
		set_add(out, 0xa0);
		break;
	case 'v':
		set_range(out, '\n', '\r');
		set_add(out, 0x85);
		break;
	case 'n':
		if (letter == 'n')
			return false;
		set_add(out, '\n');
		break;
	default:
		return false;
	}
	if (letter >= 'A' && letter <= 'Z')
		set_invert(out);
	return true;
}

static void
set_unite(struct sieve_set *to, const struct sieve_set *from)
{
	for (unsigned i = 0; i < SIEVE_SET_WORDS; i++)
		to->w[i] |= from->w[i];
}

static int
hex_value(char c)
{
	c = ascii_lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind "\x": two digits at most, or braces. */
static unsigned
read_hex(struct reader *r)
{
	bool has_brace = r->p < r->end && *r->p == '{';
	unsigned v = 0;
	int n = 0;

	if (has_brace)
		r->p++;
	while (r->p < r->end && hex_value(*r->p) >= 0 && (has_brace || n < 2)) {
		v = v * 16 + (unsigned)hex_value(*r->p++);
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
static int
escape_byte(struct reader *r, char c)
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
static int
read_octal(struct reader *r)
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
read_posix(struct reader *r, struct sieve_set *to)
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
			set_range(&set, (uint8_t)p[0], (uint8_t)p[1]);
		/* NUL, which no string of ranges can hold */
		if (span_eq(name, SPAN_LIT("cntrl")))
			set_add(&set, 0);
		/* what it leaves out it leaves out in both cases */
		if (is_inverted && r->folds)
			set_fold(&set);
		if (is_inverted)
			set_invert(&set);
		set_unite(to, &set);
		r->p += close + 2;
		return true;
	}
	r->is_bad = true;
	return true;
}

/* One byte of a class, or a whole set of it (then -1). */
static int
read_class_byte(struct reader *r, struct sieve_set *to)
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
	if (set_of_letter(c, &set)) {
		set_unite(to, &set);
		return -1;
	}
	b = escape_byte(r, c);
	if (b < 0)
		r->is_bad = true;
	return b;
}

static void
read_class_item(struct reader *r, struct sieve_set *to)
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
			set_add(to, (unsigned)from);
			set_add(to, '-');
			return;
		}
	}
	if (until < from) {
		r->is_bad = true;
		return;
	}
	set_range(to, (unsigned)from, (unsigned)until);
}

static struct part
read_class(struct reader *r)
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
		set_fold(&set);
	if (is_inverted)
		set_invert(&set);
	return part_of_set(r, &set);
}

/* --- atoms ---------------------------------------------------------------- */

static struct part
read_escape(struct reader *r)
{
	struct sieve_set set;
	char c;
	int b;

	if (r->p == r->end) {
		r->is_bad = true;
		return part_empty();
	}
	c = *r->p++;
	if (c == 'b' || c == 'B' || c == 'K' || c == 'Z')
		return part_empty();
	if (c == 'A')
		return part_of_anchor(r, SIEVE_BEGIN);
	if (c == 'z')
		return part_of_anchor(r, SIEVE_END);
	if (c == '0')
		return part_of_symbol(r, (unsigned)read_octal(r));
	if (c >= '1' && c <= '9') {
		while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
			r->p++;
		return part_anything();
	}
	if (set_of_letter(c, &set))
		return part_of_set(r, &set);
	b = escape_byte(r, c);
	if (b >= 0)
		return part_of_symbol(r, (unsigned)b);
	r->is_bad = true;
	return part_empty();
}

static struct part
read_dot(struct reader *r)
{
	struct sieve_set set = {{0}};

	set_range(&set, 0, 255);
	if (!r->is_dot_all)
		set.w[0] &= ~(UINT64_C(1) << '\n');
	return part_of_set(r, &set);
}

/* The letters of "(?i-s:" or "(?i)"; false when something else stands there. */
static bool
read_flags(struct reader *r)
{
	bool to = true;

	for (; r->p < r->end; r->p++) {
		switch (*r->p) {
		case '-':
			to = false;
			break;
		case 'i':
			r->folds = to;
			break;
		case 's':
			r->is_dot_all = to;
			break;
		case 'm':
			r->is_multiline = to;
			break;
		case ':':
		case ')':
			return true;
		default:
			return false;
		}
	}
	return false;
}

static void
skip_past(struct reader *r, char c)
{
	while (r->p < r->end && *r->p != c)
		r->p++;
	if (r->p == r->end)
		r->is_bad = true;
	else
		r->p++;
}

enum opening { OPEN_GROUP, OPEN_ASSERTION, OPEN_FLAGS, OPEN_COMMENT, OPEN_BAD };

/* Behind "(?": what kind of group it is; r->p is put behind its opening. */
static enum opening
read_opening(struct reader *r)
{
	char c = r->p < r->end ? *r->p : '\0';
	char d = r->end - r->p > 1 ? r->p[1] : '\0';

	switch (c) {
	case ':':
	case '>':
	case '|':
		r->p++;
		return OPEN_GROUP;
	case '=':
	case '!':
		r->p++;
		return OPEN_ASSERTION;
	case '#':
		skip_past(r, ')');
		return OPEN_COMMENT;
	case '<':
		if (d == '=' || d == '!') {
			r->p += 2;
			return OPEN_ASSERTION;
		}
		skip_past(r, '>');
		return OPEN_GROUP;
	case 'P':
		if (d != '<')
			return OPEN_BAD;
		skip_past(r, '>');
		return OPEN_GROUP;
	case '\'':
		r->p++;
		skip_past(r, '\'');
		return OPEN_GROUP;
	default:
		if (!read_flags(r))
			return OPEN_BAD;
		return *r->p++ == ')' ? OPEN_FLAGS : OPEN_GROUP;
	}
}

static struct part
read_group_rest(struct reader *r, enum opening kind)
{
	struct part p = read_either(r);

	if (r->p == r->end || *r->p != ')')
		r->is_bad = true;
	else
		r->p++;
	if (kind != OPEN_ASSERTION)
		return p;
	part_fini(&p);
	return part_empty();
}

static struct part
read_group(struct reader *r)
{
	bool folds = r->folds, all = r->is_dot_all, multi = r->is_multiline;
	uint8_t ends = r->ends;
	enum opening kind = OPEN_GROUP;
	struct part p = part_empty();

	if (r->p < r->end && *r->p == '*')
		kind = OPEN_BAD;
	if (r->p < r->end && *r->p == '?') {
		r->p++;
		kind = read_opening(r);
	}
	/* these hold for the rest of the group around them */
	if (kind == OPEN_FLAGS || kind == OPEN_COMMENT)
		return p;
	if (kind == OPEN_BAD || ++r->depth > SEC_SIEVE_DEPTH_MAX) {
		r->is_bad = true;
		return p;
	}
	p = read_group_rest(r, kind);
	r->depth--;
	r->folds = folds;
	r->is_dot_all = all;
	r->is_multiline = multi;
	/* a cut in it forgot them, and may be left out itself */
	r->ends |= ends;
	return p;
}

static struct part
read_atom(struct reader *r)
{
	char c = *r->p++;

	if (++r->n_atoms > ATOMS_MAX)
		r->is_bad = true;
	switch (c) {
	case '(':
		return read_group(r);
	case '[':
		return read_class(r);
	case '\\':
		return read_escape(r);
	case '.':
		return read_dot(r);
	case '^':
		return r->is_multiline ? part_empty()
				       : part_of_anchor(r, SIEVE_BEGIN);
	case '$':
		return r->is_multiline ? part_empty()
				       : part_of_anchor(r, SIEVE_END);
	case '*':
	case '+':
	case '?':
		r->is_bad = true;
		return part_empty();
	default:
		return part_of_symbol(r, (uint8_t)c);
	}
}

/* --- repetitions ---------------------------------------------------------- */

#define ENDLESS UINT32_MAX

static bool
read_number(const char **p, const char *end, uint32_t *out)
{
	const char *at = *p;
	uint32_t v = 0;

	while (at < end && *at >= '0' && *at <= '9' && v < 100000)
		v = v * 10 + (uint32_t)(*at++ - '0');
	if (at == *p)
		return false;
	*p = at;
	*out = v;
	return true;
}

/* "{2}", "{2,}", "{2,5}" at r->p; what has another form is text. */
static bool
read_braces(struct reader *r, uint32_t *min, uint32_t *max)
{
	const char *p = r->p + 1;

	if (!read_number(&p, r->end, min))
		return false;
	*max = *min;
	if (p < r->end && *p == ',') {
		p++;
		if (!read_number(&p, r->end, max))
			*max = ENDLESS;
	}
	if (p == r->end || *p != '}')
		return false;
	r->p = p + 1;
	return true;
}

static bool
read_repeat(struct reader *r, uint32_t *min, uint32_t *max)
{
	char c = r->p < r->end ? *r->p : '\0';

	*min = *max = 1;
	if (c == '*' || c == '+' || c == '?') {
		r->p++;
		*min = c == '+' ? 1 : 0;
		*max = c == '?' ? 1 : ENDLESS;
	} else if (c != '{' || !read_braces(r, min, max)) {
		return false;
	}
	/* lazy or possessive: the same texts */
	if (r->p < r->end && (*r->p == '?' || *r->p == '+'))
		r->p++;
	return true;
}

/* Another copy of the atom that stands at `from`. */
static struct part
atom_again(struct reader *r, const char *from, const struct reader *as)
{
	const char *behind = r->p;
	struct part p;

	r->p = from;
	r->folds = as->folds;
	r->is_dot_all = as->is_dot_all;
	r->is_multiline = as->is_multiline;
	p = read_atom(r);
	r->p = behind;
	return p;
}

/* Repeated without end from the last copy on, or each copy optional. */
static struct part
repeat(struct reader *r, const char *from, const struct reader *as,
    struct part one, const uint32_t bounds[2])
{
	uint32_t min = bounds[0], max = bounds[1], n = max;
	bool is_endless = max > COPIES_MAX;
	struct part p = part_empty();

	if (is_endless)
		n = min < 1 ? 1 : (min < COPIES_MAX ? min : COPIES_MAX);
	for (uint32_t i = 0; i < n && (i == 0 || !r->is_bad); i++) {
		struct part next = i == 0 ? one : atom_again(r, from, as);

		if (is_endless && i + 1 == n)
			link_parts(r, &next.last, &next.first);
		if (i >= min) {
			next.is_optional = true;
			next.weight = 0;
		}
		p = part_then(r, p, next);
	}
	return p;
}

static struct part
read_piece(struct reader *r)
{
	const struct reader as = *r;
	const char *from = r->p;
	struct part one = read_atom(r);
	uint32_t bounds[2];

	if (!read_repeat(r, &bounds[0], &bounds[1]))
		return one;
	if (bounds[1] > 1 && as.is_at_start) {
		/* what is repeated is not at the start again */
		r->is_at_start = false;
		r->ends = as.ends;
		part_fini(&one);
		one = atom_again(r, from, &as);
	}
	if (bounds[1] == 0) {
		part_fini(&one);
		return part_empty();
	}
	if (one.breadth >= BROAD_MIN && bounds[1] > COPIES_MAX) {
		part_fini(&one);
		return part_anything();
	}
	if (one.is_cut_before || one.is_cut_behind) {
		/* one of it is there, or perhaps none */
		one.is_cut_before = one.is_cut_behind = true;
		if (bounds[0] > 0)
			return one;
		part_fini(&one);
		return part_anything();
	}
	return repeat(r, from, &as, one, bounds);
}

/* --- stretches ------------------------------------------------------------ */

/* The better one of two; the other is used up. */
static struct part
part_better(struct part a, struct part b)
{
	if (b.weight > a.weight) {
		part_fini(&a);
		return b;
	}
	part_fini(&b);
	return a;
}

static bool
takes_words_only(const struct reader *r, const struct part *p)
{
	struct sieve_set word = {{0}};

	set_add_word(&word);
	for (uint32_t i = 0; i < p->first.n; i++) {
		const struct sieve_set *s =
		    &r->s->sets[r->s->positions[p->first.at[i]].set];

		for (unsigned k = 0; k < SIEVE_SET_WORDS; k++)
			if ((s->w[k] & ~word.w[k]) != 0)
				return false;
	}
	return p->first.n > 0 && !p->is_optional && !p->is_cut_before;
}

/* "\b" before a word: a byte that is in no word, or the begin, goes before. */
static struct part
part_at_word(struct reader *r, struct part p)
{
	struct sieve_set set = {{0}};
	struct part before;
	uint32_t weight = p.weight;

	set_add_word(&set);
	set_invert(&set);
	set_add(&set, SIEVE_BEGIN);
	before = part_of_set(r, &set);
	if (r->is_bad) {
		part_fini(&before);
		return p;
	}
	p = part_then(r, before, p);
	p.weight = weight;
	return p;
}

static bool
read_word_start(struct reader *r)
{
	if (!r->is_at_start || r->end - r->p < 2 || r->p[0] != '\\' ||
	    r->p[1] != 'b')
		return false;
	r->p += 2;
	return true;
}

static bool
is_at_end(const struct reader *r)
{
	return r->p == r->end || *r->p == '|' || *r->p == ')';
}

/* Pieces one after the other, to where they are cut. */
static struct part
read_stretch(struct reader *r, struct part p)
{
	bool at_word = read_word_start(r);

	while (!is_at_end(r) && !r->is_bad && !p.is_cut_behind) {
		const char *from = r->p;
		struct part next = read_piece(r);

		if (next.is_cut_before && (p.first.n > 0 || p.weight > 0)) {
			/* it is read again, as the first of its own */
			part_fini(&next);
			r->p = from;
			p.is_cut_behind = true;
			break;
		}
		if (next.first.n > 0)
			r->is_at_start = false;
		p = part_then(r, p, next);
	}
	return at_word && takes_words_only(r, &p) ? part_at_word(r, p) : p;
}

static struct part
read_sequence(struct reader *r)
{
	struct part p = read_stretch(r, part_empty());
	bool is_cut = p.is_cut_behind;

	while (is_cut && !is_at_end(r) && !r->is_bad) {
		struct part next;

		r->is_at_start = false;
		r->ends = 0;
		next = read_stretch(r, part_empty());
		/* something was before it */
		next.is_cut_before = true;
		is_cut = next.is_cut_behind;
		p.is_cut_behind = true;
		p = part_better(p, next);
	}
	if (p.is_cut_before || p.is_cut_behind)
		p.is_optional = p.is_optional || p.weight < WEIGHT_MIN;
	return p;
}

static struct part
read_either(struct reader *r)
{
	bool is_at_start = r->is_at_start;
	uint8_t ends = r->ends;
	struct part p = read_sequence(r);
	uint8_t after = r->ends;

	while (r->p < r->end && *r->p == '|' && !r->is_bad) {
		r->p++;
		r->is_at_start = is_at_start;
		r->ends = ends;
		p = part_or(p, read_sequence(r));
		after |= r->ends;
	}
	r->ends = after;
	return p;
}

/* --- a pattern ------------------------------------------------------------ */

static void
drop_positions(struct sec_sieve *s, uint32_t n_positions, uint32_t n_lists)
{
	while (s->n_positions > n_positions)
		free(s->positions[--s->n_positions].next.at);
	while (s->n_lists > n_lists)
		free(s->lists[--s->n_lists].at);
}

bool
sieve_read(struct sec_sieve *s, span pattern, int32_t number)
{
	uint32_t n_positions = s->n_positions, n_lists = s->n_lists;
	struct reader r = {.s = s,
	    .p = pattern.p,
	    .end = pattern.p + pattern.len,
	    .number = number,
	    .first_position = s->n_positions,
	    .is_dot_all = true,
	    .is_at_start = true};
	struct part p = read_either(&r);
	bool is_good = !r.is_bad && r.p == r.end && !p.is_optional &&
		       p.weight >= WEIGHT_MIN;

	if (is_good) {
		numbers_add(&s->first, &p.first);
		for (uint32_t i = 0; i < p.last.n; i++)
			s->positions[p.last.at[i]].is_last = true;
	} else {
		drop_positions(s, n_positions, n_lists);
	}
	part_fini(&p);
	return is_good;
}
