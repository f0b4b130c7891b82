/* sec_sieve_part: sets of symbols, and parts of a pattern put together: one behind
 * another, one or another. */
#include <stdlib.h>

#include "common/base/check.h"
#include "worker/sec/sec_sieve_read.h"

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

void
sieve_numbers_add(struct sieve_numbers *to, const struct sieve_numbers *from)
{
	for (uint32_t i = 0; i < from->n; i++)
		sieve_push(to, from->at[i]);
}

void
sieve_part_fini(struct sieve_part *p)
{
	free(p->first.at);
	free(p->last.at);
	free(p->loose.at);
	*p = (struct sieve_part){0};
}

void
sieve_set_add(struct sieve_set *s, unsigned symbol)
{
	s->w[symbol / 64] |= UINT64_C(1) << (symbol % 64);
}

static bool
set_has(const struct sieve_set *s, unsigned symbol)
{
	return (s->w[symbol / 64] >> (symbol % 64) & 1) != 0;
}

void
sieve_set_range(struct sieve_set *s, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		sieve_set_add(s, c);
}

void
sieve_set_invert(struct sieve_set *s)
{
	for (unsigned i = 0; i < 4; i++)
		s->w[i] = ~s->w[i];
}

void
sieve_set_fold(struct sieve_set *s)
{
	for (unsigned c = 'a'; c <= 'z'; c++) {
		if (set_has(s, c))
			sieve_set_add(s, c - 'a' + 'A');
		if (set_has(s, c - 'a' + 'A'))
			sieve_set_add(s, c);
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

uint32_t
sieve_position_add(
    struct sec_sieve *s, const struct sieve_set *set, int32_t number)
{
	if (s->n_positions == s->cap_positions) {
		s->cap_positions =
		    s->cap_positions == 0 ? 1024 : s->cap_positions * 2;
		s->positions = realloc(
		    s->positions, s->cap_positions * sizeof(*s->positions));
		REQUIRE(s->positions != NULL);
	}
	s->positions[s->n_positions] = (struct sieve_position){
	    .set = set_number(s, set), .pattern = number};
	return s->n_positions++;
}

struct sieve_part
sieve_part_of_set(struct sieve_reader *r, const struct sieve_set *set)
{
	struct sieve_part p = {0};
	uint32_t at;

	if (r->s->n_positions - r->first_position >= SEC_SIEVE_PATTERN_MAX) {
		r->is_bad = true;
		return p;
	}
	at = sieve_position_add(r->s, set, r->number);
	sieve_push(&p.first, at);
	sieve_push(&p.last, at);
	p.breadth = set_breadth(set);
	p.weight = set_weight(p.breadth);
	return p;
}

struct sieve_part
sieve_part_of_symbol(struct sieve_reader *r, unsigned symbol)
{
	struct sieve_set set = {{0}};

	sieve_set_add(&set, symbol);
	if (r->folds && symbol < 256)
		sieve_set_fold(&set);
	return sieve_part_of_set(r, &set);
}

struct sieve_part
sieve_part_empty(void)
{
	return (struct sieve_part){.is_optional = true};
}

#define TOOK_BEGIN 1u
#define TOOK_END 2u

/* ^ or $. Its symbol comes once: where it may have been taken, another one is
 * taken as held. */
struct sieve_part
sieve_part_of_anchor(struct sieve_reader *r, unsigned symbol)
{
	uint8_t bit = symbol == SIEVE_BEGIN ? TOOK_BEGIN : TOOK_END;

	if ((r->ends & bit) != 0)
		return sieve_part_empty();
	r->ends |= bit;
	return sieve_part_of_symbol(r, symbol);
}

void
sieve_link(struct sec_sieve *s, const struct sieve_numbers *last,
    const struct sieve_numbers *first)
{
	if (last->n == 0 || first->n == 0)
		return;
	if (s->n_lists == s->cap_lists) {
		s->cap_lists = s->cap_lists == 0 ? 256 : s->cap_lists * 2;
		s->lists = realloc(s->lists, s->cap_lists * sizeof(*s->lists));
		REQUIRE(s->lists != NULL);
	}
	s->lists[s->n_lists] = (struct sieve_numbers){0};
	sieve_numbers_add(&s->lists[s->n_lists], first);
	for (uint32_t i = 0; i < last->n; i++)
		sieve_push(&s->positions[last->at[i]].next, s->n_lists);
	s->n_lists++;
}

static void
take_loose(
    struct sieve_part *p, const struct sieve_numbers *loose, uint32_t weight)
{
	if (loose->n == 0)
		return;
	if (p->loose.n == 0 || weight < p->loose_weight)
		p->loose_weight = weight;
	sieve_numbers_add(&p->loose, loose);
}

/* a then b; both are used up. */
struct sieve_part
sieve_part_then(
    struct sieve_reader *r, struct sieve_part a, struct sieve_part b)
{
	/* what stands before b may stand before both, if a is not there */
	struct sieve_part p = {.is_optional = a.is_optional && b.is_optional,
	    .is_cut_before =
		a.is_cut_before || (a.is_optional && b.is_cut_before),
	    .is_cut_behind = b.is_cut_behind,
	    .weight = a.weight + b.weight};

	sieve_link(r->s, &a.last, &b.first);
	sieve_numbers_add(&p.first, &a.first);
	if (a.is_optional)
		sieve_numbers_add(&p.first, &b.first);
	sieve_numbers_add(&p.last, &b.last);
	if (b.is_optional)
		sieve_numbers_add(&p.last, &a.last);
	take_loose(&p, &a.loose, a.loose_weight);
	take_loose(&p, &b.loose, a.weight + b.loose_weight);
	sieve_part_fini(&a);
	sieve_part_fini(&b);
	return p;
}

/* What ends there is told from its loose ends. */
static void
cut_loose(struct sieve_part *p)
{
	take_loose(p, &p->last, p->weight);
	p->last.n = 0;
	p->is_cut_behind = false;
	p->weight = UINT32_MAX;
}

void
sieve_part_cut_behind(struct sieve_part *p)
{
	p->is_cut_behind = true;
	if (p->loose.n == 0)
		return;
	sieve_numbers_add(&p->last, &p->loose);
	p->loose.n = 0;
	if (p->loose_weight < p->weight)
		p->weight = p->loose_weight;
}

/* One that is cut behind and may match nothing leaves nothing to go on from, and
 * so cuts off both. */
struct sieve_part
sieve_part_or(struct sieve_part a, struct sieve_part b)
{
	if (a.is_cut_behind != b.is_cut_behind) {
		struct sieve_part *cut = a.is_cut_behind ? &a : &b;
		struct sieve_part *open = a.is_cut_behind ? &b : &a;

		if (cut->is_optional)
			sieve_part_cut_behind(open);
		else
			cut_loose(cut);
	}
	sieve_numbers_add(&a.first, &b.first);
	sieve_numbers_add(&a.last, &b.last);
	take_loose(&a, &b.loose, b.loose_weight);
	a.is_optional = a.is_optional || b.is_optional;
	a.is_cut_before = a.is_cut_before || b.is_cut_before;
	a.is_cut_behind = a.is_cut_behind || b.is_cut_behind;
	if (b.weight < a.weight)
		a.weight = b.weight;
	a.breadth = 0;
	sieve_part_fini(&b);
	return a;
}

/* Any text: a cut. */
struct sieve_part
sieve_part_anything(void)
{
	return (struct sieve_part){
	    .is_optional = true, .is_cut_before = true, .is_cut_behind = true};
}
