/* store/spans: places with a word each, as those of store/decisions: 0 free,
 * CLAIMED and a slot while that process writes, else the serial number of what
 * stands there; number n stands in place n modulo SPANS_KEPT. What the reader has
 * taken is one more number. */
#include "common/store/spans.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "common/shm/crash.h"

#define WORD_CLAIMED (UINT64_C(1) << 63)
#define WORD_SLOT UINT64_C(0xff)

struct span_place {
	_Atomic uint64_t word;
	struct span_note note;
} __attribute__((aligned(64)));

struct spans {
	_Atomic uint32_t is_ready;
	/* a line of its own: all workers write it */
	_Atomic uint64_t last __attribute__((aligned(64))); /* serial number */
	/* likewise: the reader does */
	_Atomic uint64_t taken __attribute__((aligned(64)));
	struct span_place at[SPANS_KEPT] __attribute__((aligned(SEGMENT_PAGE)));
};

static const struct segment_want spans_want = {
    .kind = SEGMENT_KIND_SPANS,
    .version = 1,
    .size = sizeof(struct spans),
    .commit = SEGMENT_PAGE,
    .name = "spans",
};

struct spans *
spans_map(struct segment *s, bool may_make)
{
	return may_make ? segment_claim(s, &spans_want)
			: segment_find(s, &spans_want);
}

bool
spans_ready(struct spans *t, struct segment *s)
{
	return segment_ready(s, t, sizeof(*t), &t->is_ready);
}

static bool
spans_is_ready(const struct spans *t)
{
	return atomic_load_explicit(&t->is_ready, memory_order_acquire);
}

/* --- one of them ---------------------------------------------------------- */

void
span_note_add(struct span_note *n, span text)
{
	unsigned part = 0;
	size_t len = size_min(
	    text.len, size_min(SPAN_PART_MAX, SPAN_TEXT - n->text_len));

	/* the first one that is not there yet: their lengths are told one up */
	while (part < SPAN_PARTS && n->part_len[part] != 0)
		part++;
	REQUIRE(part < SPAN_PARTS);
	if (len > 0)
		memcpy(n->text + n->text_len, text.p, len);
	n->text_len = (uint16_t)(n->text_len + len);
	n->part_len[part] = (uint8_t)(len + 1);
}

span
span_note_part(const struct span_note *n, enum span_part part)
{
	size_t at = 0;

	for (unsigned i = 0; i < part; i++)
		at += n->part_len[i] - 1u;
	return span_of(n->text + at, n->part_len[part] - 1u);
}

/* Other processes wrote it. */
static bool
note_is_whole(const struct span_note *n)
{
	size_t len = 0;

	for (unsigned i = 0; i < SPAN_PARTS; i++) {
		if (n->part_len[i] == 0)
			return false;
		len += n->part_len[i] - 1u;
	}
	return len <= SPAN_TEXT && len == n->text_len && n->kind <= SPAN_LEFT;
}

/* --- the ring ------------------------------------------------------------- */

bool
spans_note(struct spans *t, struct slot_name me, const struct span_note *n)
{
	struct span_place *p;
	uint64_t serial;
	uint64_t word;

	if (!spans_is_ready(t))
		return false;
	serial = atomic_fetch_add(&t->last, 1) + 1;
	CRASH_POINT();
	p = &t->at[serial % SPANS_KEPT];
	word = atomic_load(&p->word);
	/* the reader counts it: its number does not come */
	if ((word & WORD_CLAIMED) != 0 ||
	    !atomic_compare_exchange_strong(
		&p->word, &word, WORD_CLAIMED | me.slot))
		return false;
	CRASH_POINT();
	atomic_thread_fence(memory_order_release);
	memcpy(&p->note, n, offsetof(struct span_note, text) + n->text_len);
	CRASH_POINT();
	atomic_store_explicit(&p->word, serial, memory_order_release);
	CRASH_POINT();
	return true;
}

enum place_rc {
	PLACE_OK,
	PLACE_LATE, /* not written yet, or never will be */
	PLACE_GONE
};

static enum place_rc
place_read(const struct span_place *p, uint64_t serial, struct span_note *out)
{
	uint64_t word = atomic_load_explicit(&p->word, memory_order_acquire);

	if (word != serial)
		return (word & WORD_CLAIMED) == 0 && word > serial ? PLACE_GONE
								   : PLACE_LATE;
	memcpy(out, &p->note, sizeof(*out));
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&p->word, memory_order_relaxed) != serial)
		return PLACE_GONE;
	return note_is_whole(out) ? PLACE_OK : PLACE_GONE;
}

/* Leave out what was written over meanwhile. */
static uint64_t
spans_next(struct spans *t, struct spans_reader *r, uint64_t last)
{
	uint64_t taken = atomic_load(&t->taken);

	/* no number that was drawn: somebody wrote what they liked */
	if (taken > last)
		taken = last;
	if (last - taken > SPANS_KEPT) {
		r->n_lost += last - taken - SPANS_KEPT;
		taken = last - SPANS_KEPT;
	}
	return taken + 1;
}

bool
spans_take(struct spans *t, struct spans_reader *r, struct span_note *out)
{
	uint64_t last;

	if (!spans_is_ready(t))
		return false;
	last = atomic_load(&t->last);
	for (uint64_t serial = spans_next(t, r, last); serial <= last;
	     serial++) {
		enum place_rc rc =
		    place_read(&t->at[serial % SPANS_KEPT], serial, out);

		/* once it is waited for, since it may just be written */
		if (rc == PLACE_LATE && r->stuck != serial) {
			r->stuck = serial;
			return false;
		}
		atomic_store(&t->taken, serial);
		CRASH_POINT();
		if (rc == PLACE_OK)
			return true;
		r->n_lost++;
	}
	return false;
}

/* --- repair --------------------------------------------------------------- */

void
spans_repair(struct spans *t, uint32_t dead)
{
	if (!spans_is_ready(t))
		return;
	for (uint32_t i = 0; i < SPANS_KEPT; i++) {
		uint64_t word = atomic_load(&t->at[i].word);

		if ((word & WORD_CLAIMED) == 0 || (word & WORD_SLOT) != dead)
			continue;
		(void)atomic_compare_exchange_strong(&t->at[i].word, &word, 0);
		CRASH_POINT();
	}
}

bool
spans_check(const struct spans *t)
{
	if (!spans_is_ready(t))
		return true;
	for (uint32_t i = 0; i < SPANS_KEPT; i++) {
		uint64_t word = atomic_load(&t->at[i].word);

		if ((word & WORD_CLAIMED) != 0 ||
		    (word != 0 && (word % SPANS_KEPT != i ||
				      !note_is_whole(&t->at[i].note))))
			return false;
	}
	return atomic_load(&t->taken) <= atomic_load(&t->last);
}
