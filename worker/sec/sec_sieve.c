/* sec_sieve: the automaton over all patterns' positions. A state is the set of
 * positions that the text so far may have reached; which state follows is found
 * out when it is needed first, and remembered. */
#include "worker/sec/sec_sieve.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/sec/sec_sieve_int.h"

/* To find out a state takes as long as all patterns of a core rule set take for some
 * hundred bytes: of prose, in which hardly any state comes twice, the automaton
 * would cost fifty times what it spares. So many may be found out at once, and one
 * more for each text and for so many bytes; beyond, a text is given up. */
#define STEPS_MAX 8192u
#define STEP_BYTES 512u
/* What is not known yet, and the flag of states in which patterns end. Where a
 * state's row begins in the table is what it goes by. */
#define UNKNOWN UINT32_MAX
#define ENDS_FLAG (UINT32_C(1) << 31)
#define STATE_MASK (ENDS_FLAG - 1)

/* What stands in a row behind the states that follow: the text in which the ends
 * of this one were noted last, and its number. */
enum { NOTED, NUMBER, N_NOTES };

/* A state; behind it its positions, then numbers of patterns. */
struct state {
	uint32_t n_positions;
	uint32_t n_ends; /* patterns that match with what was taken last */
	uint32_t hash;
	uint32_t numbers[];
};

struct sec_sieve_memo {
	const struct sec_sieve *s;
	char *memory; /* states, from the start */
	size_t cap, used;
	struct state **states;
	uint32_t *next; /* rows: [where it begins + class] */
	uint32_t width; /* of a row */
	uint32_t n_states, cap_states;
	uint32_t *table; /* by hash: state + 1 */
	uint32_t table_mask;
	uint32_t begin; /* row of the state behind SIEVE_BEGIN, with its flag */
	uint64_t n_fills;
	uint32_t n_steps; /* that may be found out by now */
	uint32_t run; /* number of the text, from 1 */
	/* for making a state */
	uint32_t *marks; /* by position: of the last time it was put in */
	uint32_t *end_marks; /* by pattern */
	uint32_t mark;
	struct sieve_numbers found, ends;
};

/* --- patterns ------------------------------------------------------------- */

struct sec_sieve *
sec_sieve_new(void)
{
	struct sec_sieve *s = calloc(1, sizeof(*s));

	REQUIRE(s != NULL);
	return s;
}

void
sec_sieve_free(struct sec_sieve *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->n_positions; i++)
		free(s->positions[i].next.at);
	for (uint32_t i = 0; i < s->n_lists; i++)
		free(s->lists[i].at);
	for (uint32_t i = 0; s->starts != NULL && i < s->n_classes; i++)
		free(s->starts[i].at);
	free(s->positions);
	free(s->sets);
	free(s->lists);
	free(s->first.at);
	free(s->takes);
	free(s->starts);
	free(s);
}

int32_t
sec_sieve_add(struct sec_sieve *s, span pattern)
{
	if (!sieve_read(s, pattern, (int32_t)s->n_patterns))
		return -1;
	return (int32_t)s->n_patterns++;
}

int32_t
sec_sieve_add_phrases(struct sec_sieve *s, const struct sec_pm *pm)
{
	if (!sieve_read_phrases(s, pm, (int32_t)s->n_patterns))
		return -1;
	return (int32_t)s->n_patterns++;
}

uint32_t
sec_sieve_count(const struct sec_sieve *s)
{
	return s->n_patterns;
}

uint32_t
sec_sieve_size(const struct sec_sieve *s)
{
	return s->n_positions;
}

static bool
set_takes(const struct sieve_set *set, unsigned symbol)
{
	return (set->w[symbol / 64] >> (symbol % 64) & 1) != 0;
}

static bool
symbols_are_alike(const struct sec_sieve *s, unsigned a, unsigned b)
{
	for (uint32_t i = 0; i < s->n_sets; i++)
		if (set_takes(&s->sets[i], a) != set_takes(&s->sets[i], b))
			return false;
	return true;
}

/* Symbols that no set tells apart get one class; `heads` is told a symbol of
 * each. */
static void
make_classes(struct sec_sieve *s, unsigned heads[SIEVE_SYMBOLS])
{
	for (unsigned c = 0; c < SIEVE_SYMBOLS; c++) {
		uint16_t k = 0;

		while (k < s->n_classes && !symbols_are_alike(s, heads[k], c))
			k++;
		if (k == s->n_classes)
			heads[s->n_classes++] = c;
		s->class_of[c] = k;
	}
}

static void *
zeroed(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	REQUIRE(p != NULL);
	return p;
}

void
sec_sieve_done(struct sec_sieve *s)
{
	unsigned heads[SIEVE_SYMBOLS];

	make_classes(s, heads);
	s->takes = zeroed((size_t)s->n_sets * s->n_classes, 1);
	for (uint32_t i = 0; i < s->n_sets; i++)
		for (uint32_t k = 0; k < s->n_classes; k++)
			s->takes[i * s->n_classes + k] =
			    set_takes(&s->sets[i], heads[k]);
	s->starts = zeroed(s->n_classes, sizeof(*s->starts));
	for (uint32_t i = 0; i < s->first.n; i++) {
		uint32_t p = s->first.at[i];
		const uint8_t *takes =
		    s->takes + s->positions[p].set * s->n_classes;

		for (uint32_t k = 0; k < s->n_classes; k++)
			if (takes[k])
				sieve_push(&s->starts[k], p);
	}
}

/* --- memory --------------------------------------------------------------- */

/* Of a state on the average, with its row and places; measured over the core
 * rule set. */
#define STATE_BYTES 640u
#define TABLE_PER_STATE 2u

static uint32_t
power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static void
memo_clear(struct sec_sieve_memo *m)
{
	m->used = 0;
	m->n_states = 0;
	memset(m->table, 0, ((size_t)m->table_mask + 1) * sizeof(*m->table));
	m->begin = UNKNOWN;
}

struct sec_sieve_memo *
sec_sieve_memo_new(const struct sec_sieve *s, size_t bytes)
{
	struct sec_sieve_memo *m = zeroed(1, sizeof(*m));
	size_t rest;

	m->s = s;
	m->width = s->n_classes + N_NOTES;
	m->cap_states =
	    (uint32_t)size_min(bytes / STATE_BYTES + 2, STATE_MASK / m->width);
	m->next = zeroed((size_t)m->cap_states * m->width, sizeof(*m->next));
	m->states = zeroed(m->cap_states, sizeof(struct state *));
	m->table_mask = power_of_two(m->cap_states * TABLE_PER_STATE) - 1;
	m->table = zeroed((size_t)m->table_mask + 1, sizeof(*m->table));
	rest = (size_t)m->cap_states * m->width * sizeof(*m->next);
	m->cap = bytes > rest ? bytes - rest : 0;
	m->memory = zeroed(m->cap, 1);
	m->marks = zeroed(s->n_positions, sizeof(*m->marks));
	m->end_marks = zeroed(s->n_patterns, sizeof(*m->end_marks));
	memo_clear(m);
	m->n_steps = STEPS_MAX;
	return m;
}

void
sec_sieve_memo_free(struct sec_sieve_memo *m)
{
	if (m == NULL)
		return;
	free(m->next);
	free(m->states);
	free(m->table);
	free(m->memory);
	free(m->marks);
	free(m->end_marks);
	free(m->found.at);
	free(m->ends.at);
	free(m);
}

uint64_t
sec_sieve_memo_fills(const struct sec_sieve_memo *m)
{
	return m->n_fills;
}

/* --- states --------------------------------------------------------------- */

static void
reach(struct sec_sieve_memo *m, uint32_t position)
{
	const struct sieve_position *p = &m->s->positions[position];

	if (m->marks[position] == m->mark)
		return;
	m->marks[position] = m->mark;
	if (p->next.n > 0)
		sieve_push(&m->found, position);
	if (p->is_last && m->end_marks[p->pattern] != m->mark) {
		m->end_marks[p->pattern] = m->mark;
		sieve_push(&m->ends, (uint32_t)p->pattern);
	}
}

static void
reach_list(
    struct sec_sieve_memo *m, const struct sieve_numbers *list, uint16_t class)
{
	const struct sec_sieve *s = m->s;

	for (uint32_t i = 0; i < list->n; i++) {
		uint32_t p = list->at[i];

		if (s->takes[s->positions[p].set * s->n_classes + class])
			reach(m, p);
	}
}

/* Where a class leads from a state (NULL: from before the text) into m->found
 * and m->ends, in any order. */
static void
follow(struct sec_sieve_memo *m, const struct state *from, uint16_t class)
{
	const struct sec_sieve *s = m->s;

	if (++m->mark == 0) {
		memset(m->marks, 0, s->n_positions * sizeof(*m->marks));
		memset(m->end_marks, 0, s->n_patterns * sizeof(*m->end_marks));
		m->mark = 1;
	}
	m->found.n = 0;
	m->ends.n = 0;
	for (uint32_t i = 0; i < s->starts[class].n; i++)
		reach(m, s->starts[class].at[i]);
	for (uint32_t i = 0; from != NULL && i < from->n_positions; i++) {
		const struct sieve_numbers *next =
		    &s->positions[from->numbers[i]].next;

		for (uint32_t k = 0; k < next->n; k++)
			reach_list(m, &s->lists[next->at[k]], class);
	}
}

#define HASH_STEP 0x9e3779b1u

/* The same for any order of them. */
static uint32_t
numbers_hash(const struct sieve_numbers *l)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		uint32_t h = (l->at[i] + 1) * HASH_STEP;

		sum += (h ^ h >> 15) * HASH_STEP;
	}
	return sum ^ sum >> 15;
}

/* Whether all numbers were put in this time. */
static bool
all_are_marked(
    const uint32_t *numbers, uint32_t n, const uint32_t *marks, uint32_t mark)
{
	for (uint32_t i = 0; i < n; i++)
		if (marks[numbers[i]] != mark)
			return false;
	return true;
}

/* As many of each, and all of them. Ends mark their positions as found do, but what
 * nothing follows is not among those. */
static bool
state_is_found(const struct sec_sieve_memo *m, const struct state *st)
{
	return st->n_positions == m->found.n && st->n_ends == m->ends.n &&
	       all_are_marked(
		   st->numbers, st->n_positions, m->marks, m->mark) &&
	       all_are_marked(st->numbers + st->n_positions, st->n_ends,
		   m->end_marks, m->mark);
}

/* A new state of m->found and m->ends; NULL when the memory is full. */
static struct state *
state_make(struct sec_sieve_memo *m, uint32_t hash)
{
	size_t len = sizeof(struct state) +
		     ((size_t)m->found.n + m->ends.n) * sizeof(uint32_t);
	struct state *st;

	len = (len + 7) & ~(size_t)7;
	if (m->n_states == m->cap_states || m->cap - m->used < len)
		return NULL;
	st = (void *)(m->memory + m->used);
	m->used += len;
	*st = (struct state){
	    .n_positions = m->found.n, .n_ends = m->ends.n, .hash = hash};
	if (m->found.n > 0)
		memcpy(st->numbers, m->found.at, m->found.n * sizeof(uint32_t));
	if (m->ends.n > 0)
		memcpy(st->numbers + m->found.n, m->ends.at,
		    m->ends.n * sizeof(uint32_t));
	return st;
}

/* The row of the newest state: nothing is known of what follows it. */
static uint32_t
row_make(struct sec_sieve_memo *m)
{
	uint32_t row = m->n_states * m->width;
	uint32_t n_classes = m->s->n_classes;

	memset(m->next + row, 0xff, n_classes * sizeof(*m->next));
	m->next[row + n_classes + NOTED] = 0;
	m->next[row + n_classes + NUMBER] = m->n_states++;
	return row;
}

/* Row of the state of m->found and m->ends, with its flag; UNKNOWN when the memory
 * is full. */
static uint32_t
state_row(struct sec_sieve_memo *m)
{
	uint32_t hash =
	    numbers_hash(&m->found) * HASH_STEP + numbers_hash(&m->ends);
	uint32_t flag = m->ends.n > 0 ? ENDS_FLAG : 0;
	uint32_t at = hash & m->table_mask;
	struct state *st;

	for (; m->table[at] != 0; at = (at + 1) & m->table_mask) {
		st = m->states[m->table[at] - 1];
		if (st->hash == hash && state_is_found(m, st))
			return (m->table[at] - 1) * m->width | flag;
	}
	st = state_make(m, hash);
	if (st == NULL)
		return UNKNOWN;
	m->states[m->n_states] = st;
	m->table[at] = m->n_states + 1;
	return row_make(m) | flag;
}

static const struct state *
state_of(const struct sec_sieve_memo *m, uint32_t row)
{
	return m->states[m->next[row + m->s->n_classes + NUMBER]];
}

/* The state behind `from` (UNKNOWN: before the text), found out now. When the
 * memory is full all but the state that is reached is forgotten. */
static uint32_t
step_slow(struct sec_sieve_memo *m, uint32_t from, uint16_t class)
{
	uint32_t to;

	follow(m, from == UNKNOWN ? NULL : state_of(m, from), class);
	to = state_row(m);
	if (to == UNKNOWN) {
		m->n_fills++;
		memo_clear(m);
		return state_row(m);
	}
	if (from == UNKNOWN)
		m->begin = to;
	else
		m->next[from + class] = to;
	return to;
}

/* --- a text --------------------------------------------------------------- */

static void
set_all(const struct sec_sieve_memo *m, uint64_t *bits)
{
	for (uint32_t i = 0; i < m->s->n_patterns; i++)
		bits[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Note the patterns that end in a state, unless this text had it before. Returns
 * its row, without the flag. */
static uint32_t
note_ends(struct sec_sieve_memo *m, uint32_t to, uint64_t *bits)
{
	uint32_t row = to & STATE_MASK;
	uint32_t *noted;
	const struct state *st;

	if ((to & ENDS_FLAG) == 0 || to == UNKNOWN)
		return to;
	noted = &m->next[row + m->s->n_classes + NOTED];
	if (*noted == m->run)
		return row;
	*noted = m->run;
	st = state_of(m, row);
	for (uint32_t i = 0; i < st->n_ends; i++) {
		uint32_t end = st->numbers[st->n_positions + i];

		bits[end / 64] |= UINT64_C(1) << (end % 64);
	}
	return row;
}

/* The way on where the table does not say it at once: what follows is not known
 * yet, or patterns end there. UNKNOWN when the text is given up. */
static uint32_t
step_aside(
    struct sec_sieve_memo *m, uint32_t from, uint16_t class, uint64_t *bits)
{
	uint32_t to = m->next[from + class];

	if (to == UNKNOWN && m->n_steps > 0) {
		m->n_steps--;
		to = step_slow(m, from, class);
	}
	return note_ends(m, to, bits);
}

/* A number that no state knows yet. */
static void
begin_text(struct sec_sieve_memo *m, size_t len)
{
	m->n_steps =
	    (uint32_t)size_min(m->n_steps + len / STEP_BYTES + 1, STEPS_MAX);
	if (++m->run == 0) {
		memo_clear(m);
		m->run = 1;
	}
}

void
sec_sieve_run(struct sec_sieve_memo *m, span text, uint64_t *bits)
{
	const struct sec_sieve *s = m->s;
	const uint32_t *next = m->next;
	uint32_t state;

	if (s->n_patterns == 0)
		return;
	begin_text(m, text.len);
	state = m->begin;
	if (state == UNKNOWN)
		state = step_slow(m, UNKNOWN, s->class_of[SIEVE_BEGIN]);
	state = note_ends(m, state, bits);
	for (size_t i = 0; i < text.len && state != UNKNOWN; i++) {
		uint16_t class = s->class_of[(uint8_t)text.p[i]];
		uint32_t to = next[state + class];

		if ((to & ENDS_FLAG) == 0)
			state = to;
		else if (to != UNKNOWN &&
			 next[(to & STATE_MASK) + s->n_classes + NOTED] ==
			     m->run)
			state = to & STATE_MASK;
		else
			state = step_aside(m, state, class, bits);
	}
	if (state != UNKNOWN)
		state = step_aside(m, state, s->class_of[SIEVE_END], bits);
	if (state == UNKNOWN)
		set_all(m, bits);
}
