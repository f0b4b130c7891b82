/* sec_sieve_read: a pattern as positions. Reads the syntax of PCRE2 (pcre2pattern
 * (3)) as far as rules use it; a repetition is written out a few times and then
 * taken as endless, assertions but ^ and $ are taken as held.
 *
 * Repetitions of almost anything (".*") would be in almost every state, in every
 * mixture: there a pattern is cut, and of the stretches between the one is taken
 * that fewest texts hold. What matches the pattern holds it. */
#include <stdlib.h>

#include "worker/sec/sec_sieve_read.h"

/* Copies of what is repeated: above, any number. */
#define COPIES_MAX 6u
/* Bytes in a class whose repetition is "almost anything". */
#define BROAD_MIN 128u
/* Bits that a text must have in common with a stretch for it to be of use. */
#define WEIGHT_MIN 4u
/* Atoms read for one pattern, copies counted. */
#define ATOMS_MAX (4u * SEC_SIEVE_PATTERN_MAX)

static struct sieve_part read_either(struct sieve_reader *r);

/* --- atoms ---------------------------------------------------------------- */

static struct sieve_part
read_escape(struct sieve_reader *r)
{
	struct sieve_set set;
	char c;
	int b;

	if (r->p == r->end) {
		r->is_bad = true;
		return sieve_part_empty();
	}
	c = *r->p++;
	if (c == 'b' || c == 'B' || c == 'K' || c == 'Z')
		return sieve_part_empty();
	if (c == 'A')
		return sieve_part_of_anchor(r, SIEVE_BEGIN);
	if (c == 'z')
		return sieve_part_of_anchor(r, SIEVE_END);
	if (c == '0')
		return sieve_part_of_symbol(r, (unsigned)sieve_read_octal(r));
	if (c >= '1' && c <= '9') {
		while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
			r->p++;
		return sieve_part_anything();
	}
	if (sieve_set_of_letter(c, &set))
		return sieve_part_of_set(r, &set);
	b = sieve_escape_byte(r, c);
	if (b >= 0)
		return sieve_part_of_symbol(r, (unsigned)b);
	r->is_bad = true;
	return sieve_part_empty();
}

static struct sieve_part
read_dot(struct sieve_reader *r)
{
	struct sieve_set set = {{0}};

	sieve_set_range(&set, 0, 255);
	if (!r->is_dot_all)
		set.w[0] &= ~(UINT64_C(1) << '\n');
	return sieve_part_of_set(r, &set);
}

/* The letters of "(?i-s:" or "(?i)"; false when something else stands there. */
static bool
read_flags(struct sieve_reader *r)
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
skip_past(struct sieve_reader *r, char c)
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
read_opening(struct sieve_reader *r)
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

static struct sieve_part
read_group_rest(struct sieve_reader *r, enum opening kind)
{
	struct sieve_part p = read_either(r);

	if (r->p == r->end || *r->p != ')')
		r->is_bad = true;
	else
		r->p++;
	if (kind != OPEN_ASSERTION)
		return p;
	sieve_part_fini(&p);
	return sieve_part_empty();
}

static struct sieve_part
read_group(struct sieve_reader *r)
{
	bool folds = r->folds, all = r->is_dot_all, multi = r->is_multiline;
	uint8_t ends = r->ends;
	enum opening kind = OPEN_GROUP;
	struct sieve_part p = sieve_part_empty();

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

static struct sieve_part
read_atom(struct sieve_reader *r)
{
	char c = *r->p++;

	if (++r->n_atoms > ATOMS_MAX)
		r->is_bad = true;
	switch (c) {
	case '(':
		return read_group(r);
	case '[':
		return sieve_read_class(r);
	case '\\':
		return read_escape(r);
	case '.':
		return read_dot(r);
	case '^':
		return r->is_multiline ? sieve_part_empty()
				       : sieve_part_of_anchor(r, SIEVE_BEGIN);
	case '$':
		return r->is_multiline ? sieve_part_empty()
				       : sieve_part_of_anchor(r, SIEVE_END);
	case '*':
	case '+':
	case '?':
		r->is_bad = true;
		return sieve_part_empty();
	default:
		return sieve_part_of_symbol(r, (uint8_t)c);
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
read_braces(struct sieve_reader *r, uint32_t *min, uint32_t *max)
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
read_repeat(struct sieve_reader *r, uint32_t *min, uint32_t *max)
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
static struct sieve_part
atom_again(
    struct sieve_reader *r, const char *from, const struct sieve_reader *as)
{
	const char *behind = r->p;
	struct sieve_part p;

	r->p = from;
	r->folds = as->folds;
	r->is_dot_all = as->is_dot_all;
	r->is_multiline = as->is_multiline;
	p = read_atom(r);
	r->p = behind;
	return p;
}

/* Repeated without end from the last copy on, or each copy optional. */
static struct sieve_part
repeat(struct sieve_reader *r, const char *from, const struct sieve_reader *as,
    struct sieve_part one, const uint32_t bounds[2])
{
	uint32_t min = bounds[0], max = bounds[1], n = max;
	bool is_endless = max > COPIES_MAX;
	struct sieve_part p = sieve_part_empty();

	if (is_endless)
		n = min < 1 ? 1 : (min < COPIES_MAX ? min : COPIES_MAX);
	for (uint32_t i = 0; i < n && (i == 0 || !r->is_bad); i++) {
		struct sieve_part next = i == 0 ? one : atom_again(r, from, as);

		if (is_endless && i + 1 == n)
			sieve_link(r->s, &next.last, &next.first);
		if (i >= min) {
			next.is_optional = true;
			next.weight = 0;
		}
		p = sieve_part_then(r, p, next);
	}
	return p;
}

static struct sieve_part
read_piece(struct sieve_reader *r)
{
	const struct sieve_reader as = *r;
	const char *from = r->p;
	struct sieve_part one = read_atom(r);
	uint32_t bounds[2];

	if (!read_repeat(r, &bounds[0], &bounds[1]))
		return one;
	if (bounds[1] > 1 && as.is_at_start) {
		/* what is repeated is not at the start again */
		r->is_at_start = false;
		r->ends = as.ends;
		sieve_part_fini(&one);
		one = atom_again(r, from, &as);
	}
	if (bounds[1] == 0) {
		sieve_part_fini(&one);
		return sieve_part_empty();
	}
	if (one.breadth >= BROAD_MIN && bounds[1] > COPIES_MAX) {
		sieve_part_fini(&one);
		return sieve_part_anything();
	}
	if (one.is_cut_before || one.is_cut_behind) {
		/* one of it is there, or perhaps none */
		one.is_cut_before = one.is_cut_behind = true;
		if (bounds[0] > 0)
			return one;
		sieve_part_fini(&one);
		return sieve_part_anything();
	}
	return repeat(r, from, &as, one, bounds);
}

/* --- stretches ------------------------------------------------------------ */

/* Wherever it ends. */
static uint32_t
part_weight(const struct sieve_part *p)
{
	return p->loose.n > 0 && p->loose_weight < p->weight ? p->loose_weight
							     : p->weight;
}

/* The better one of two; the other is used up. */
static struct sieve_part
part_better(struct sieve_part a, struct sieve_part b)
{
	if (part_weight(&b) > part_weight(&a)) {
		sieve_part_fini(&a);
		return b;
	}
	sieve_part_fini(&b);
	return a;
}

static bool
takes_words_only(const struct sieve_reader *r, const struct sieve_part *p)
{
	struct sieve_set word = {{0}};

	sieve_set_add_word(&word);
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
static struct sieve_part
part_at_word(struct sieve_reader *r, struct sieve_part p)
{
	struct sieve_set set = {{0}};
	struct sieve_part before;

	sieve_set_add_word(&set);
	sieve_set_invert(&set);
	sieve_set_add(&set, SIEVE_BEGIN);
	before = sieve_part_of_set(r, &set);
	if (r->is_bad) {
		sieve_part_fini(&before);
		return p;
	}
	before.weight = 0;
	return sieve_part_then(r, before, p);
}

static bool
read_word_start(struct sieve_reader *r)
{
	if (!r->is_at_start || r->end - r->p < 2 || r->p[0] != '\\' ||
	    r->p[1] != 'b')
		return false;
	r->p += 2;
	return true;
}

static bool
is_at_end(const struct sieve_reader *r)
{
	return r->p == r->end || *r->p == '|' || *r->p == ')';
}

/* Pieces one after the other, to where they are cut. */
static struct sieve_part
read_stretch(struct sieve_reader *r, struct sieve_part p)
{
	bool at_word = read_word_start(r);

	while (!is_at_end(r) && !r->is_bad && !p.is_cut_behind) {
		const char *from = r->p;
		struct sieve_part next = read_piece(r);

		if (next.is_cut_before && (p.first.n > 0 || p.weight > 0)) {
			/* it is read again, as the first of its own */
			sieve_part_fini(&next);
			r->p = from;
			p.is_cut_behind = true;
			break;
		}
		if (next.first.n > 0)
			r->is_at_start = false;
		p = sieve_part_then(r, p, next);
	}
	return at_word && takes_words_only(r, &p) ? part_at_word(r, p) : p;
}

static struct sieve_part
read_sequence(struct sieve_reader *r)
{
	struct sieve_part p = read_stretch(r, sieve_part_empty());
	bool is_cut = p.is_cut_behind;

	if (is_cut)
		sieve_part_cut_behind(&p);
	while (is_cut && !is_at_end(r) && !r->is_bad) {
		struct sieve_part next;

		r->is_at_start = false;
		r->ends = 0;
		next = read_stretch(r, sieve_part_empty());
		/* something was before it */
		next.is_cut_before = true;
		is_cut = next.is_cut_behind;
		if (is_cut)
			sieve_part_cut_behind(&next);
		p.is_cut_behind = true;
		p = part_better(p, next);
	}
	if (p.is_cut_before || p.is_cut_behind)
		p.is_optional = p.is_optional || part_weight(&p) < WEIGHT_MIN;
	return p;
}

static struct sieve_part
read_either(struct sieve_reader *r)
{
	bool is_at_start = r->is_at_start;
	uint8_t ends = r->ends;
	struct sieve_part p = read_sequence(r);
	uint8_t after = r->ends;

	while (r->p < r->end && *r->p == '|' && !r->is_bad) {
		r->p++;
		r->is_at_start = is_at_start;
		r->ends = ends;
		p = sieve_part_or(p, read_sequence(r));
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
	struct sieve_reader r = {.s = s,
	    .p = pattern.p,
	    .end = pattern.p + pattern.len,
	    .number = number,
	    .first_position = s->n_positions,
	    .is_dot_all = true,
	    .is_at_start = true};
	struct sieve_part p = read_either(&r);
	bool is_good = !r.is_bad && r.p == r.end && !p.is_optional &&
		       part_weight(&p) >= WEIGHT_MIN;

	/* nothing comes next */
	sieve_part_cut_behind(&p);
	if (is_good) {
		sieve_numbers_add(&s->first, &p.first);
		for (uint32_t i = 0; i < p.last.n; i++)
			s->positions[p.last.at[i]].is_last = true;
	} else {
		drop_positions(s, n_positions, n_lists);
	}
	sieve_part_fini(&p);
	return is_good;
}
