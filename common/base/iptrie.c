/* base/iptrie: prefixes become ranges without overlap, written as the sorted
 * list of their bounds: where one begins, where the next addresses are none of
 * it, and so on. An address is in the set when an odd number of bounds is not
 * above it. There are three such lists: of IPv4, looked up through an index of
 * the first bits; of the first halves of IPv6 addresses, for prefixes of up to
 * 64 bits, through an index of two steps; and for longer ones of the second
 * halves, one for each first half. */
#include "common/base/iptrie.h"

#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/check.h"

#define LINE 64 /* bytes of a cache line */
#define LARGE_PAGE (2u << 20)
#define FANOUT 8u /* 64-bit keys of one */
/* 8 to the power of 11 is more than 2 to the power of 32. */
#define LEVELS_MAX 11
#define IP_BITS 128u
#define HALF_BITS 64u
#define V4_BITS 32u
#define V4_PREFIX 96u /* bits before those of IPv4 */
#define V4_MARK 0xffffu /* bits 80 to 95 of an IPv4 address */
/* About eight bounds of IPv4 for each entry of the index. */
#define INDEX_SHARE_BITS 3u

/* Sets of fewer keys lie in the CPU's caches anyway. */
#define FAN_KEYS_MIN 512u
/* Parts that all keys are divided into: few enough to stay in the CPU's caches
 * (98 KiB). */
#define FAN_BITS 12u
/* Keys that a slot has in the mean: a cache line of them. */
#define SLOT_SHARE_BITS 3u
/* Of slots with more keys than this the tree is faster. */
#define SLOT_KEYS_MAX 64u

/* A part of the keys, divided anew by what it has of them. */
struct part {
	uint64_t low; /* its first key */
	uint32_t from; /* keys before it */
	uint32_t slot; /* its first one */
	uint8_t shift; /* a slot is so many bits wide */
};

/* Sorted keys as a tree without pointers: level 0 holds them all, each level
 * above the first key of each block of eight, which is one cache line.
 * Before it stands an index, of two steps because the addresses that are given
 * out lie in a few places: parts of equal width, and in each slots of equal
 * width, narrow where there are many keys. */
struct keys {
	const uint64_t *level[LEVELS_MAX];
	uint32_t n; /* of level 0 */
	uint32_t n_levels;
	uint64_t first;
	uint64_t last;
	const struct part *parts; /* NULL: no index */
	const uint32_t *slots; /* keys before each */
	unsigned shift; /* a part is so many bits wide */
};

struct iptrie {
	struct ip_prefix *prefixes; /* NULL once it is done */
	uint32_t n;
	uint32_t cap;
	bool is_done;
	void *block; /* all below */
	const uint32_t
	    *v4_index; /* bounds before each value of the first bits */
	const uint32_t *v4;
	unsigned v4_shift; /* bits behind those of the index */
	struct keys high; /* bounds of first halves */
	struct keys long_high; /* first halves of longer prefixes */
	const uint32_t
	    *long_first; /* index of the first bound of each, and end */
	const uint64_t *long_low; /* bounds of second halves */
};

struct iptrie *
iptrie_new(void)
{
	struct iptrie *t = calloc(1, sizeof(*t));

	REQUIRE(t != NULL);
	return t;
}

void
iptrie_free(struct iptrie *t)
{
	if (t == NULL)
		return;
	free(t->prefixes);
	free(t->block);
	free(t);
}

void
iptrie_add(struct iptrie *t, const struct ip_prefix *p)
{
	REQUIRE(!t->is_done);
	if (t->n == t->cap) {
		REQUIRE(t->cap <= UINT32_MAX / 4);
		t->cap = t->cap == 0 ? FANOUT : 2 * t->cap;
		t->prefixes =
		    reallocarray(t->prefixes, t->cap, sizeof(t->prefixes[0]));
		REQUIRE(t->prefixes != NULL);
	}
	t->prefixes[t->n++] = *p;
}

/* --- building ------------------------------------------------------------- */

static int
prefix_cmp(const void *a, const void *b)
{
	const struct ip_prefix *x = a;
	const struct ip_prefix *y = b;
	int c = memcmp(x->ip.b, y->ip.b, sizeof(x->ip.b));

	return c != 0 ? c : (int)x->bits - (int)y->bits;
}

static void
trie_sort(struct iptrie *t)
{
	uint32_t n = 0;

	if (t->n > 0)
		qsort(t->prefixes, t->n, sizeof(t->prefixes[0]), prefix_cmp);
	for (uint32_t i = 0; i < t->n; i++)
		if (i == 0 ||
		    prefix_cmp(&t->prefixes[i], &t->prefixes[n - 1]) != 0)
			t->prefixes[n++] = t->prefixes[i];
	t->n = n;
}

static uint64_t
half(const struct ip *ip, size_t at)
{
	uint64_t v;

	memcpy(&v, ip->b + at, sizeof(v));
	return be64toh(v);
}

struct bounds {
	uint64_t *at;
	uint32_t n;
	uint32_t first; /* of the list that grows */
};

/* Put a range of 2^free_bits from `from` on behind those before it, or into
 * them: they come in order. `width` bits are all there are. */
static void
bounds_add(struct bounds *b, uint64_t from, unsigned free_bits, unsigned width)
{
	uint64_t all = width == HALF_BITS ? 0 : UINT64_C(1) << width;
	/* `all` where nothing is behind it */
	uint64_t to =
	    free_bits == width ? all : from + (UINT64_C(1) << free_bits);
	uint32_t n = b->n - b->first;

	if (n % 2 == 1)
		return; /* the last goes on to the end */
	if (n > 0 && from <= b->at[b->n - 1]) {
		if (to != all && to <= b->at[b->n - 1])
			return;
		b->n--;
	} else {
		b->at[b->n++] = from;
	}
	if (to != all)
		b->at[b->n++] = to;
}

/* All lists while they are made. */
struct lists {
	struct bounds v4;
	struct bounds high;
	struct bounds low;
	uint64_t *long_high;
	uint32_t *long_first;
	uint32_t n_long;
};

static bool
prefix_holds_v4(const struct ip_prefix *p)
{
	static const struct ip first = {.b = {[10] = 0xff, [11] = 0xff}};

	return p->bits <= V4_PREFIX && ip_prefix_has(p, &first);
}

static void
lists_add_long(struct lists *l, uint64_t high, uint64_t low, unsigned free_bits)
{
	if (l->n_long == 0 || l->long_high[l->n_long - 1] != high) {
		l->long_high[l->n_long] = high;
		l->long_first[l->n_long++] = l->low.n;
		l->low.first = l->low.n;
	}
	bounds_add(&l->low, low, free_bits, HALF_BITS);
}

static void
lists_add(struct lists *l, const struct ip_prefix *p)
{
	uint64_t high = half(&p->ip, 0);
	uint64_t low = half(&p->ip, sizeof(high));

	if (prefix_holds_v4(p))
		bounds_add(&l->v4, 0, V4_BITS, V4_BITS);
	if (p->bits <= HALF_BITS)
		bounds_add(&l->high, high, HALF_BITS - p->bits, HALF_BITS);
	else if (p->bits >= V4_PREFIX && high == 0 && low >> V4_BITS == V4_MARK)
		bounds_add(
		    &l->v4, low & UINT32_MAX, IP_BITS - p->bits, V4_BITS);
	else
		lists_add_long(l, high, low, IP_BITS - p->bits);
}

static void *
lists_calloc(uint32_t n, size_t size)
{
	void *p = calloc((size_t)n + 1, size);

	REQUIRE(p != NULL);
	return p;
}

static void
lists_make(struct lists *l, const struct iptrie *t)
{
	/* each range has two bounds at most */
	l->v4.at = lists_calloc(2 * t->n, sizeof(uint64_t));
	l->high.at = lists_calloc(2 * t->n, sizeof(uint64_t));
	l->low.at = lists_calloc(2 * t->n, sizeof(uint64_t));
	l->long_high = lists_calloc(t->n, sizeof(uint64_t));
	l->long_first = lists_calloc(t->n, sizeof(uint32_t));
	for (uint32_t i = 0; i < t->n; i++)
		lists_add(l, &t->prefixes[i]);
	l->long_first[l->n_long] = l->low.n;
}

static void
lists_free(struct lists *l)
{
	free(l->v4.at);
	free(l->high.at);
	free(l->low.at);
	free(l->long_high);
	free(l->long_first);
}

/* Pieces of one block, each at the start of a cache line. Without a base only
 * the room is counted. */
struct carver {
	char *base;
	size_t used;
};

static void *
carve(struct carver *c, size_t n, size_t size)
{
	void *p = c->base == NULL ? NULL : c->base + c->used;

	c->used += (n * size + LINE - 1) / LINE * LINE;
	return p;
}

/* The next level of a tree. Room behind its last key counts as the largest key
 * there is. */
static void
keys_add_level(struct carver *c, struct keys *k, uint32_t n, uint32_t step,
    const uint64_t *from)
{
	uint64_t *at = carve(c, n, sizeof(*at));

	REQUIRE(k->n_levels < LEVELS_MAX);
	k->level[k->n_levels++] = at;
	if (at == NULL)
		return;
	for (uint32_t i = 0; i < n; i++)
		at[i] = from[(size_t)i * step];
	for (uint32_t i = n; i % FANOUT != 0; i++)
		at[i] = UINT64_MAX;
}

/* The least shift by which a width fits into so many bits. */
static unsigned
shift_to(uint64_t width, unsigned bits)
{
	unsigned shift = 0;

	while (width >> shift >> bits > 0)
		shift++;
	return shift;
}

/* Slots of the keys [from, to), the last one empty: what it says is where the
 * part ends. Returns how many; they are written if there is room. */
static uint32_t
part_fill(struct part *p, uint32_t *slots, const uint64_t *keys, uint32_t to)
{
	uint32_t from = p->from;
	unsigned bits = 0;
	uint32_t n_slots;

	p->low = from < to ? keys[from] : 0;
	while ((to - from) >> SLOT_SHARE_BITS >> bits > 0)
		bits++;
	p->shift =
	    from < to ? (uint8_t)shift_to(keys[to - 1] - p->low, bits) : 0;
	n_slots =
	    from < to ? (uint32_t)((keys[to - 1] - p->low) >> p->shift) + 1 : 0;
	for (uint32_t i = 0; slots != NULL && i <= n_slots; i++) {
		while (from < to && (keys[from] - p->low) >> p->shift < i)
			from++;
		slots[i] = from;
	}
	return n_slots + 1;
}

static uint32_t
parts_fill(struct keys *k, struct part *parts, uint32_t *slots,
    const uint64_t *keys, uint32_t n_parts)
{
	uint32_t n_slots = 0;
	uint32_t from = 0;

	for (uint32_t i = 0; i < n_parts; i++) {
		struct part p = {.from = from, .slot = n_slots};

		while (from < k->n && (keys[from] - k->first) >> k->shift == i)
			from++;
		n_slots += part_fill(
		    &p, slots == NULL ? NULL : slots + n_slots, keys, from);
		if (parts != NULL)
			parts[i] = p;
	}
	return n_slots;
}

static void
keys_add_index(struct carver *c, struct keys *k, const uint64_t *keys)
{
	uint32_t n_parts;
	struct part *parts;
	uint32_t *slots;

	k->first = keys[0];
	k->last = keys[k->n - 1];
	if (k->n < FAN_KEYS_MIN)
		return;
	k->shift = shift_to(k->last - k->first, FAN_BITS);
	/* and an empty one behind the last, which tells where that ends */
	n_parts = (uint32_t)((k->last - k->first) >> k->shift) + 2;
	parts = carve(c, n_parts, sizeof(*parts));
	slots =
	    carve(c, parts_fill(k, NULL, NULL, keys, n_parts), sizeof(*slots));
	if (slots != NULL)
		(void)parts_fill(k, parts, slots, keys, n_parts);
	k->parts = parts;
	k->slots = slots;
}

static void
keys_make(struct carver *c, struct keys *k, const uint64_t *from, uint32_t n)
{
	*k = (struct keys){.n = n};
	if (n == 0)
		return;
	keys_add_index(c, k, from);
	keys_add_level(c, k, n, 1, from);
	while (n > FANOUT) {
		n = (n + FANOUT - 1) / FANOUT;
		keys_add_level(c, k, n, FANOUT, k->level[k->n_levels - 1]);
	}
}

static void *
carve_copy(struct carver *c, const void *from, size_t n, size_t size)
{
	void *to = carve(c, n, size);

	if (to != NULL && n > 0)
		memcpy(to, from, n * size);
	return to;
}

static void
index_make(struct iptrie *t, struct carver *c, const struct bounds *b)
{
	unsigned bits = 0;
	uint32_t *index;
	uint32_t *at;
	uint32_t n = 0;

	while (bits < V4_BITS - 1 && b->n >> (bits + INDEX_SHARE_BITS) > 1)
		bits++;
	t->v4_shift = V4_BITS - bits;
	index = carve(c, (UINT64_C(1) << bits) + 1, sizeof(*index));
	at = carve(c, b->n, sizeof(*at));
	t->v4_index = index;
	t->v4 = at;
	if (index == NULL)
		return;
	for (uint64_t i = 0; i <= UINT64_C(1) << bits; i++) {
		while (n < b->n && b->at[n] >> t->v4_shift < i) {
			at[n] = (uint32_t)b->at[n];
			n++;
		}
		index[i] = n;
	}
}

static void
trie_carve(struct iptrie *t, struct carver *c, const struct lists *l)
{
	index_make(t, c, &l->v4);
	keys_make(c, &t->high, l->high.at, l->high.n);
	keys_make(c, &t->long_high, l->long_high, l->n_long);
	t->long_first = carve_copy(
	    c, l->long_first, (size_t)l->n_long + 1, sizeof(uint32_t));
	t->long_low = carve_copy(c, l->low.at, l->low.n, sizeof(uint64_t));
}

/* A large block in large pages: half of what a look costs are misses of the
 * TLB otherwise (measured in t/unit/test_ip). */
static void *
block_new(size_t len)
{
	size_t align = len < LARGE_PAGE ? LINE : LARGE_PAGE;
	void *p;

	len = (len + align - 1) / align * align;
	p = aligned_alloc(align, len);
	REQUIRE(p != NULL);
	if (align == LARGE_PAGE)
		(void)madvise(p, len, MADV_HUGEPAGE);
	return p;
}

void
iptrie_done(struct iptrie *t)
{
	struct lists *l = lists_calloc(1, sizeof(*l));
	struct carver c = {NULL, 0};

	REQUIRE(!t->is_done);
	trie_sort(t);
	lists_make(l, t);
	free(t->prefixes);
	t->prefixes = NULL;
	trie_carve(t, &c, l);
	t->block = block_new(c.used);
	c = (struct carver){t->block, 0};
	trie_carve(t, &c, l);
	lists_free(l);
	free(l);
	t->is_done = true;
}

/* --- asking --------------------------------------------------------------- */

/* keys_count() by the tree. */
static uint32_t
keys_count_tree(const struct keys *k, uint64_t key)
{
	uint32_t at = 0;

	for (uint32_t l = k->n_levels; l-- > 0;) {
		const uint64_t *block = k->level[l] + (size_t)at * FANOUT;
		uint32_t n = 0;

		for (size_t i = 0; i < FANOUT; i++)
			n += block[i] <= key;
		/* only at the top: below, the first of a block was chosen */
		if (n == 0)
			return 0;
		at = at * FANOUT + n - 1;
	}
	/* what fills the last blocks is not above the largest key */
	return at < k->n ? at + 1 : k->n;
}

/* Keys in [from, to) that are not above `key`, and those before them. */
static uint32_t
count_keys(const uint64_t *at, uint32_t from, uint32_t to, uint64_t key)
{
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (at[mid] <= key)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

/* Number of keys that are not above `key`. */
static uint32_t
keys_count(const struct keys *k, uint64_t key)
{
	const struct part *p;
	const uint32_t *slots;
	uint64_t i;
	uint32_t n_slots;

	if (k->n == 0 || key < k->first)
		return 0;
	if (key >= k->last)
		return k->n;
	if (k->parts == NULL)
		return keys_count_tree(k, key);
	p = &k->parts[(key - k->first) >> k->shift];
	if (key < p->low)
		return p->from;
	slots = &k->slots[p->slot];
	n_slots = p[1].slot - p->slot - 1;
	i = (key - p->low) >> p->shift;
	if (i >= n_slots)
		return slots[n_slots];
	if (slots[i + 1] - slots[i] > SLOT_KEYS_MAX)
		return keys_count_tree(k, key);
	return count_keys(k->level[0], slots[i], slots[i + 1], key);
}

/* Bounds in [from, to) that are not above `key`. */
static uint32_t
count_v4(const uint32_t *at, uint32_t from, uint32_t to, uint32_t key)
{
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (at[mid] <= key)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool
has_v4(const struct iptrie *t, uint32_t ip)
{
	const uint32_t *index = &t->v4_index[(uint64_t)ip >> t->v4_shift];

	return count_v4(t->v4, index[0], index[1], ip) % 2 == 1;
}

static bool
has_long(const struct iptrie *t, uint64_t high, uint64_t low)
{
	uint32_t i = keys_count(&t->long_high, high);
	uint32_t first;
	uint32_t n;

	if (i == 0 || t->long_high.level[0][i - 1] != high)
		return false;
	first = t->long_first[i - 1];
	n = count_keys(t->long_low, first, t->long_first[i], low) - first;
	return n % 2 == 1;
}

bool
iptrie_find(const struct iptrie *t, const struct ip *ip)
{
	uint64_t high = half(ip, 0);
	uint64_t low = half(ip, sizeof(high));

	if (t == NULL)
		return false;
	REQUIRE(t->is_done);
	if (high == 0 && low >> V4_BITS == V4_MARK)
		return has_v4(t, (uint32_t)low);
	return keys_count(&t->high, high) % 2 == 1 || has_long(t, high, low);
}

size_t
iptrie_count(const struct iptrie *t)
{
	REQUIRE(t->is_done);
	return t->n;
}
