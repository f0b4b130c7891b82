/* sec_value: texts of a request, each once, with what transformations make of
 * them: rules share that work. */
#include "worker/sec/sec_tx_int.h"

#include "common/base/num.h"

/* Texts of this length and below are copied out of the scratch room, which the
 * next one uses again; a longer one keeps it. */
#define COPIED_MAX 4096u
/* Values looked at in a bucket: who makes them collide gains nothing. */
#define BUCKET_MAX 16

#define HASH_SEED UINT64_C(0x9e3779b97f4a7c15)
#define HASH_STEP UINT64_C(0xff51afd7ed558ccd)

/* Words that are hashed beside each other, so that none waits for the one before. */
#define LANES 4u
#define WORD sizeof(uint64_t)

static uint64_t
word_hash(uint64_t h, uint64_t w)
{
	h = (h ^ w) * HASH_STEP;
	return h ^ h >> 32;
}

static uint64_t
text_hash(span s)
{
	uint64_t lanes[LANES] = {1, 2, 3, 4};
	uint64_t h = HASH_SEED ^ s.len;
	size_t i = 0;

	for (; i + LANES * WORD <= s.len; i += LANES * WORD)
		for (size_t k = 0; k < LANES; k++)
			lanes[k] =
			    word_hash(lanes[k], u64_load(s.p + i + k * WORD));
	for (size_t k = 0; i > 0 && k < LANES; k++)
		h = word_hash(h, lanes[k]);
	for (; i + WORD <= s.len; i += WORD)
		h = word_hash(h, u64_load(s.p + i));
	for (; i < s.len; i++)
		h = (h ^ (uint8_t)s.p[i]) * HASH_STEP;
	return h ^ h >> 29;
}

static struct sec_value *
value_find(const struct sec_value *first, span text, uint64_t hash)
{
	int n = 0;

	for (const struct sec_value *v = first; v != NULL && n < BUCKET_MAX;
	     v = v->next, n++)
		if (v->hash == hash && span_eq(v->text, text))
			return (struct sec_value *)(uintptr_t)v;
	return NULL;
}

static struct sec_value *
value_shared(struct sec_tx *tx, span text, bool must_copy)
{
	uint64_t hash = text_hash(text);
	struct sec_value **bucket = &tx->buckets[hash % SEC_BUCKETS];
	struct sec_value *v = value_find(*bucket, text, hash);

	if (v != NULL)
		return v;
	v = arena_zalloc(tx->a, sizeof(*v));
	v->text = must_copy ? arena_span(tx->a, text) : text;
	v->hash = hash;
	v->next = *bucket;
	*bucket = v;
	return v;
}

struct sec_value *
sec_value_of(struct sec_tx *tx, span text)
{
	return value_shared(tx, text, false);
}

struct sec_value *
sec_value_number(struct sec_tx *tx, uint64_t n)
{
	char digits[20];

	return value_shared(tx, span_of(digits, u64_format(n, digits)), true);
}

/* Room for a result. NULL when the request has used up its memory. */
static char *
value_scratch(struct sec_tx *tx, size_t room)
{
	if (room <= tx->scratch_cap)
		return tx->scratch;
	if (!sec_bound_room(tx, 2 * room))
		return NULL;
	tx->scratch = arena_alloc(tx->a, room);
	tx->scratch_cap = room;
	return tx->scratch;
}

/* The result stands in scratch: it stays there if it is large and new, and the
 * next one gets other room. */
static struct sec_value *
value_keep(struct sec_tx *tx, span result)
{
	struct sec_value *v =
	    value_shared(tx, result, result.len <= COPIED_MAX);

	if (v->text.p == tx->scratch) {
		tx->scratch = NULL;
		tx->scratch_cap = 0;
	}
	return v;
}

struct sec_value *
sec_value_step(struct sec_tx *tx, struct sec_value *v, enum sec_trans t)
{
	char *out;
	span result;

	if (v->after[t] != NULL)
		return v->after[t];
	out = value_scratch(tx, sec_trans_room(t, v->text.len));
	if (out == NULL)
		return v;
	result = sec_trans_run(t, v->text, tx->set->options.unicode, out);
	v->after[t] = result.p == v->text.p && result.len == v->text.len
			  ? v
			  : value_keep(tx, result);
	return v->after[t];
}

struct sec_value *
sec_value_chain(struct sec_tx *tx, struct sec_value *v, uint32_t chain)
{
	const struct sec_chain *c = &tx->set->chains[chain];

	for (uint32_t i = 0; i < c->n_steps; i++)
		v = sec_value_step(tx, v, c->steps[i]);
	return v;
}

static uint64_t *
value_bits(struct sec_tx *tx, struct sec_value *v)
{
	if (v->may == NULL) {
		v->may =
		    arena_zalloc(tx->a, tx->plan->n_words * sizeof(*v->may));
		sec_sieve_run(tx->memo, v->text, v->may);
		tx->n_asked += v->text.len;
	}
	return v->may;
}

bool
sec_value_may(struct sec_tx *tx, struct sec_value *v, int32_t pattern)
{
	return (value_bits(tx, v)[pattern / 64] >> (pattern % 64) & 1) != 0;
}

static uint64_t *
group_bits(struct sec_tx *tx, uint32_t group)
{
	uint32_t n_words = tx->plan->n_words;
	const struct sec_items *items =
	    sec_vars_of_list(tx, tx->plan->groups[group].list);
	uint64_t *bits = arena_zalloc(tx->a, n_words * sizeof(*bits));

	for (uint32_t i = 0; i < items->n; i++) {
		const uint64_t *may =
		    value_bits(tx, sec_value_chain(tx, items->at[i].value,
				       tx->plan->groups[group].chain));

		for (uint32_t k = 0; k < n_words; k++)
			bits[k] |= may[k];
	}
	tx->groups[group] = bits;
	return bits;
}

bool
sec_group_may(struct sec_tx *tx, const struct sec_rule *r)
{
	size_t i = (size_t)(r - tx->set->rules);
	int32_t pattern = tx->plan->pattern_of[i];
	uint32_t group = tx->plan->group_of[i];
	const uint64_t *bits;

	if (pattern < 0 || (r->flags & SEC_RULE_IS_NEGATED) != 0 ||
	    (r->flags & SEC_RULE_MULTI_MATCH) != 0 ||
	    !tx->plan->lists[tx->plan->list_of[i]].is_steady)
		return true;
	/* what ctl took away makes it fewer values, never more */
	bits = tx->groups[group];
	if (bits == NULL)
		bits = group_bits(tx, group);
	return (bits[pattern / 64] >> (pattern % 64) & 1) != 0;
}

int64_t
sec_number(span text)
{
	bool is_negative = false;
	uint64_t n = 0;
	size_t i = 0;

	while (i < text.len &&
	       (text.p[i] == ' ' || (text.p[i] >= '\t' && text.p[i] <= '\r')))
		i++;
	if (i < text.len && (text.p[i] == '-' || text.p[i] == '+'))
		is_negative = text.p[i++] == '-';
	for (; i < text.len && text.p[i] >= '0' && text.p[i] <= '9'; i++)
		n = u64_min(n * 10 + (uint64_t)(text.p[i] - '0'), INT32_MAX);
	return is_negative ? -(int64_t)n : (int64_t)n;
}
