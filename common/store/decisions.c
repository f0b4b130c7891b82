/* store/decisions: rings of places. A place has a word: 0 free, CLAIMED and a
 * slot while that process writes it, else the serial number of what stands in
 * it. Readers take the word before and behind a copy. Serial numbers are given
 * by one atomic add, and number n stands in place n modulo DECISIONS_KEPT. */
#include "common/store/decisions.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/shm/crash.h"

#define WORD_CLAIMED (UINT64_C(1) << 63)
#define WORD_SLOT UINT64_C(0xff)
/* Looks at a place that is being written meanwhile. */
#define TRIES 8

struct decision_place {
	_Atomic uint64_t word;
	struct decision d;
} __attribute__((aligned(64)));

struct decision_ring {
	/* a line of its own: all workers write it */
	_Atomic uint64_t last __attribute__((aligned(64))); /* serial number */
	struct decision_place at[DECISIONS_KEPT];
};

/* A name is written once, and then stays. */
struct decision_file {
	_Atomic uint64_t
	    word; /* 0: free; CLAIMED and a slot; else its length */
	char name[DECISION_FILE_CAP];
};

struct decisions {
	_Atomic uint32_t is_ready;
	_Atomic uint64_t n_dropped;
	struct decision_file files[DECISION_FILES]
	    __attribute__((aligned(SEGMENT_PAGE)));
	struct decision_ring ring[DECISION_KINDS];
};

/* The numbers of words are part of the layout. */
static const struct segment_want decisions_want = {
    .kind = SEGMENT_KIND_DECISIONS,
    .version = 0x10000u + DECISION_WORDS,
    .size = sizeof(struct decisions),
    .commit = SEGMENT_PAGE,
    .name = "decisions",
};

static const char *const words[] = {
#define DECISION_WORD(id, word) [DECISION_##id] = word,
#include "common/store/decision_word.def"
#undef DECISION_WORD
};

struct decisions *
decisions_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &decisions_want)
			: segment_find(s, &decisions_want);
}

bool
decisions_ready(struct decisions *t, struct segment *s)
{
	return segment_ready(s, t, sizeof(*t), &t->is_ready);
}

static bool
decisions_is_ready(const struct decisions *t)
{
	return atomic_load_explicit(&t->is_ready, memory_order_acquire);
}

static bool
word_is_of(uint64_t word, uint32_t slot)
{
	return (word & WORD_CLAIMED) != 0 && (word & WORD_SLOT) == slot;
}

/* --- files ---------------------------------------------------------------- */

/* The end of it tells more than the beginning. */
static span
file_name(span path)
{
	return path.len <= DECISION_FILE_CAP
		   ? path
		   : span_from(path, path.len - DECISION_FILE_CAP);
}

span
decisions_file_name(const struct decisions *t, uint16_t file)
{
	uint64_t len;

	if (file >= DECISION_FILES || !decisions_is_ready(t))
		return span_of(NULL, 0);
	len = atomic_load_explicit(&t->files[file].word, memory_order_acquire);
	return len > DECISION_FILE_CAP ? span_of(NULL, 0)
				       : span_of(t->files[file].name, len);
}

/* false: another process was faster. */
static bool
file_write(struct decision_file *f, struct slot_name me, span name)
{
	uint64_t empty = 0;

	if (!atomic_compare_exchange_strong(
		&f->word, &empty, WORD_CLAIMED | me.slot))
		return false;
	CRASH_POINT();
	memcpy(f->name, name.p, name.len);
	CRASH_POINT();
	atomic_store_explicit(&f->word, name.len, memory_order_release);
	CRASH_POINT();
	return true;
}

uint16_t
decisions_file(struct decisions *t, struct slot_name me, span path)
{
	span name = file_name(path);

	if (!decisions_is_ready(t) || name.len == 0)
		return DECISION_NO_FILE;
	for (uint16_t i = 0; i < DECISION_FILES; i++) {
		struct decision_file *f = &t->files[i];

		if (atomic_load(&f->word) == 0 && file_write(f, me, name))
			return i;
		/* two that write the same one at once have two numbers for it */
		if (span_eq(decisions_file_name(t, i), name))
			return i;
	}
	return DECISION_NO_FILE;
}

/* --- one of them, in memory of one's own ---------------------------------- */

void
decision_init(struct decision *d)
{
	memset(d, 0, offsetof(struct decision, lines));
}

/* As much of it as there is room for. */
static uint8_t
decision_put(struct decision *d, span text)
{
	size_t len = size_min(
	    text.len, size_min(UINT8_MAX, DECISION_TEXT - d->text_len));

	if (len > 0)
		memcpy(d->text + d->text_len, text.p, len);
	d->text_len = (uint16_t)(d->text_len + len);
	d->is_cut |= len < text.len;
	return (uint8_t)len;
}

void
decision_add_part(struct decision *d, span text)
{
	d->part_len[d->n_parts++] = decision_put(d, text);
}

void
decision_add_line(struct decision *d, enum decision_word word, uint16_t file,
    uint32_t line, span text)
{
	struct decision_line *l = &d->lines[d->n_lines];

	if (d->n_lines == DECISION_LINES) {
		d->is_cut = true;
		return;
	}
	d->n_lines++;
	l->word = (uint8_t)word;
	l->file = file;
	l->line = line;
	l->len = decision_put(d, text);
}

span
decision_part_text(const struct decision *d, enum decision_part part)
{
	size_t at = 0;

	for (unsigned i = 0; i < part; i++)
		at += d->part_len[i];
	return span_of(d->text + at, d->part_len[part]);
}

span
decision_line_text(const struct decision *d, uint32_t i)
{
	size_t at = 0;

	for (unsigned k = 0; k < DECISION_PARTS; k++)
		at += d->part_len[k];
	for (uint32_t k = 0; k < i; k++)
		at += d->lines[k].len;
	return span_of(d->text + at, d->lines[i].len);
}

const char *
decision_word_text(uint8_t word)
{
	return word < DECISION_WORDS ? words[word] : "?";
}

/* Other processes wrote it. */
static bool
decision_is_whole(const struct decision *d)
{
	size_t len = 0;

	if (d->n_lines > DECISION_LINES)
		return false;
	for (unsigned i = 0; i < DECISION_PARTS; i++)
		len += d->part_len[i];
	for (unsigned i = 0; i < d->n_lines; i++)
		len += d->lines[i].len;
	return len <= DECISION_TEXT;
}

/* --- the rings ------------------------------------------------------------ */

/* The rest of its text is of something older, and nobody looks at it. */
static void
place_write(struct decision_place *p, const struct decision *d)
{
	memcpy(&p->d, d, offsetof(struct decision, lines));
	CRASH_POINT();
	memcpy(p->d.lines, d->lines, d->n_lines * sizeof(d->lines[0]));
	CRASH_POINT();
	memcpy(p->d.text, d->text, d->text_len);
	CRASH_POINT();
}

bool
decisions_note(struct decisions *t, struct slot_name me,
    enum decision_kind kind, const struct decision *d)
{
	struct decision_ring *r = &t->ring[kind];
	struct decision_place *p;
	uint64_t serial;
	uint64_t word;

	if (!decisions_is_ready(t))
		return false;
	serial = atomic_fetch_add(&r->last, 1) + 1;
	CRASH_POINT();
	p = &r->at[serial % DECISIONS_KEPT];
	word = atomic_load(&p->word);
	if ((word & WORD_CLAIMED) != 0 ||
	    !atomic_compare_exchange_strong(
		&p->word, &word, WORD_CLAIMED | me.slot)) {
		(void)atomic_fetch_add(&t->n_dropped, 1);
		return false;
	}
	CRASH_POINT();
	atomic_thread_fence(memory_order_release);
	place_write(p, d);
	atomic_store_explicit(&p->word, serial, memory_order_release);
	CRASH_POINT();
	return true;
}

uint64_t
decisions_dropped(const struct decisions *t)
{
	return decisions_is_ready(t) ? atomic_load(&t->n_dropped) : 0;
}

/* false: it does not stand there any more, or not yet. */
static bool
place_read(const struct decision_place *p, uint64_t serial, struct decision *d)
{
	for (int i = 0; i < TRIES; i++) {
		if (atomic_load_explicit(&p->word, memory_order_acquire) !=
		    serial)
			return false;
		memcpy(d, &p->d, sizeof(*d));
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&p->word, memory_order_relaxed) ==
		    serial)
			return decision_is_whole(d);
	}
	return false;
}

void
decisions_look_init(
    struct decisions_look *l, const struct decisions *t, bool only_refused)
{
	memset(l, 0, offsetof(struct decisions_look, held));
	l->t = t;
	if (!decisions_is_ready(t))
		return;
	for (unsigned k = 0; k < DECISION_KINDS; k++) {
		if (k != DECISION_REFUSED && only_refused)
			continue;
		l->next[k] = atomic_load(&t->ring[k].last);
		l->end[k] = l->next[k] - u64_min(l->next[k], DECISIONS_KEPT);
	}
}

/* Have the next of a ring at hand, if there is one. */
static void
look_hold(struct decisions_look *l, unsigned kind)
{
	const struct decision_ring *r = &l->t->ring[kind];

	while (!l->is_held[kind] && l->next[kind] > l->end[kind]) {
		uint64_t serial = l->next[kind]--;

		l->is_held[kind] = place_read(
		    &r->at[serial % DECISIONS_KEPT], serial, &l->held[kind]);
	}
}

bool
decisions_look_next(struct decisions_look *l, struct decision *out)
{
	unsigned best = DECISION_KINDS;

	for (unsigned k = 0; k < DECISION_KINDS; k++) {
		look_hold(l, k);
		if (l->is_held[k] &&
		    (best == DECISION_KINDS ||
			l->held[k].wall_us > l->held[best].wall_us))
			best = k;
	}
	if (best == DECISION_KINDS)
		return false;
	l->is_held[best] = false;
	*out = l->held[best];
	return true;
}

/* --- repair --------------------------------------------------------------- */

/* What it was writing is nothing. */
static void
word_free(_Atomic uint64_t *at, uint32_t dead)
{
	uint64_t word = atomic_load(at);

	if (!word_is_of(word, dead))
		return;
	(void)atomic_compare_exchange_strong(at, &word, 0);
	CRASH_POINT();
}

void
decisions_repair(struct decisions *t, uint32_t dead)
{
	if (!decisions_is_ready(t))
		return;
	for (uint32_t i = 0; i < DECISION_FILES; i++)
		word_free(&t->files[i].word, dead);
	for (unsigned k = 0; k < DECISION_KINDS; k++)
		for (uint32_t i = 0; i < DECISIONS_KEPT; i++)
			word_free(&t->ring[k].at[i].word, dead);
}

bool
decisions_check(const struct decisions *t)
{
	if (!decisions_is_ready(t))
		return true;
	for (uint32_t i = 0; i < DECISION_FILES; i++)
		if (atomic_load(&t->files[i].word) > DECISION_FILE_CAP)
			return false;
	for (unsigned k = 0; k < DECISION_KINDS; k++)
		for (uint32_t i = 0; i < DECISIONS_KEPT; i++) {
			const struct decision_place *p = &t->ring[k].at[i];
			uint64_t word = atomic_load(&p->word);

			if ((word & WORD_CLAIMED) != 0 ||
			    (word != 0 && (word % DECISIONS_KEPT != i ||
					      !decision_is_whole(&p->d))))
				return false;
		}
	return true;
}
