/* base/domains: an open-addressed table over the names, which stand one behind
 * the other in a pool. A host is looked up from its last label to its first:
 * the hash of each longer suffix goes on from that of the shorter one, so that
 * one walk over the bytes makes them all. */
#include "common/base/domains.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/check.h"
#include "common/base/ip.h"
#include "common/base/namehash.h"
#include "common/base/siphash.h"

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */
#define SLOTS_MIN 16u
#define SLOTS_MAX (UINT64_C(1) << 31)
#define SMALL_ALIGN 64u
#define LARGE_PAGE (2u << 20)
#define POOL_MIN 1024u

/* What a name stands for. */
enum { DOMAIN_ITSELF = 1, DOMAIN_BELOW = 2 };

/* In the pool before each name: its length and what it stands for. */
#define POOL_HEAD 2u

struct domain_slot {
	uint32_t hash;
	uint32_t at; /* in the pool; 0: empty */
};

struct domains {
	struct domain_slot *slots;
	uint32_t n_slots; /* a power of two, or 0 */
	uint32_t n;
	char *pool; /* its first byte is nobody's */
	uint32_t pool_len;
	uint32_t pool_cap;
	uint32_t labels_max; /* of any name */
	uint64_t seed; /* nobody can choose names that meet */
};

struct domains *
domains_new(void)
{
	struct domains *d = calloc(1, sizeof(*d));
	struct sipkey key;

	REQUIRE(d != NULL);
	sipkey_random(&key);
	d->seed = key.k0;
	d->pool_cap = POOL_MIN;
	d->pool_len = 1;
	d->pool = malloc(d->pool_cap);
	REQUIRE(d->pool != NULL);
	return d;
}

void
domains_free(struct domains *d)
{
	if (d == NULL)
		return;
	free(d->slots);
	free(d->pool);
	free(d);
}

size_t
domains_count(const struct domains *d)
{
	return d->n;
}

/* --- names ---------------------------------------------------------------- */

static bool
name_has(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

/* An address, in brackets if it likes. 0: it is none. */
static size_t
normalize_ip(span name, char out[DOMAINS_NAME_MAX])
{
	struct ip ip;

	if (name.len > 2 && name.p[0] == '[' && name.p[name.len - 1] == ']')
		name = span_of(name.p + 1, name.len - 2);
	return ip_parse(name, &ip) ? ip_format(&ip, out) : 0;
}

/* Whether it could be an address: they end in a digit, or hold a colon. */
static bool
looks_like_ip(span name)
{
	char last = name.p[name.len - 1];

	return (last >= '0' && last <= '9') || span_chr(name, ':') >= 0;
}

size_t
domains_normalize(span name, char out[DOMAINS_NAME_MAX])
{
	size_t label = 0;

	if (name.len > 1 && name.p[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len > DOMAINS_NAME_MAX)
		return 0;
	if (looks_like_ip(name)) {
		size_t len = normalize_ip(name, out);

		if (len > 0)
			return len;
	}
	for (size_t i = 0; i < name.len; i++) {
		out[i] = ascii_lower(name.p[i]);
		if (out[i] == '.' && label > 0) {
			label = 0;
			continue;
		}
		if (!name_has(out[i]) || ++label > LABEL_MAX)
			return 0;
	}
	return label > 0 ? name.len : 0;
}

/* --- the table ------------------------------------------------------------ */

static const struct domain_slot *
slot_find(const struct domains *d, span name, uint32_t hash)
{
	uint32_t i = hash & (d->n_slots - 1);

	for (; d->slots[i].at != 0; i = (i + 1) & (d->n_slots - 1)) {
		const char *p = d->pool + d->slots[i].at;

		if (d->slots[i].hash == hash &&
		    (unsigned char)p[0] == name.len &&
		    memcmp(p + POOL_HEAD, name.p, name.len) == 0)
			break;
	}
	return &d->slots[i];
}

/* A large table in large pages: most of what a look costs are misses of the TLB
 * otherwise (measured in t/unit/test_domains). */
static struct domain_slot *
slots_new(uint32_t n)
{
	size_t len = (size_t)n * sizeof(struct domain_slot);
	size_t align = len < LARGE_PAGE ? SMALL_ALIGN : LARGE_PAGE;
	void *p = aligned_alloc(align, len);

	REQUIRE(p != NULL);
	if (align == LARGE_PAGE)
		(void)madvise(p, len, MADV_HUGEPAGE);
	memset(p, 0, len);
	return p;
}

static void
slots_grow(struct domains *d, uint32_t n_slots)
{
	struct domain_slot *old = d->slots;
	uint32_t n_old = d->n_slots;

	d->n_slots = n_slots;
	d->slots = slots_new(n_slots);
	for (uint32_t k = 0; k < n_old; k++) {
		uint32_t i = old[k].hash & (d->n_slots - 1);

		if (old[k].at == 0)
			continue;
		while (d->slots[i].at != 0)
			i = (i + 1) & (d->n_slots - 1);
		d->slots[i] = old[k];
	}
	free(old);
}

void
domains_reserve(struct domains *d, uint32_t n)
{
	uint64_t need = (uint64_t)d->n + n;
	uint64_t n_slots = d->n_slots == 0 ? SLOTS_MIN : d->n_slots;

	/* two thirds full at most */
	while (need > n_slots / 3 * 2)
		n_slots *= 2;
	REQUIRE(n_slots <= SLOTS_MAX);
	if (n_slots > d->n_slots)
		slots_grow(d, (uint32_t)n_slots);
}

static uint32_t
pool_add(struct domains *d, span name, unsigned how)
{
	uint32_t at = d->pool_len;
	size_t len = name.len + POOL_HEAD;

	while (d->pool_cap - d->pool_len < len) {
		REQUIRE(d->pool_cap <= UINT32_MAX / 2);
		d->pool_cap *= 2;
		d->pool = realloc(d->pool, d->pool_cap);
		REQUIRE(d->pool != NULL);
	}
	d->pool[at] = (char)name.len;
	d->pool[at + 1] = (char)how;
	memcpy(d->pool + at + POOL_HEAD, name.p, name.len);
	d->pool_len += (uint32_t)len;
	return at;
}

static void
domains_put(struct domains *d, span name, unsigned how)
{
	uint32_t hash = namehash(d->seed, name);
	struct domain_slot *s;
	uint32_t labels = 1;

	domains_reserve(d, 1);
	s = (struct domain_slot *)(uintptr_t)slot_find(d, name, hash);
	if (s->at != 0) {
		d->pool[s->at + 1] |= (char)how;
		return;
	}
	*s = (struct domain_slot){hash, pool_add(d, name, how)};
	d->n++;
	for (size_t i = 0; i < name.len; i++)
		labels += name.p[i] == '.';
	if (labels > d->labels_max)
		d->labels_max = labels;
}

bool
domains_add(struct domains *d, span text)
{
	unsigned how = DOMAIN_ITSELF;
	char name[DOMAINS_NAME_MAX];
	size_t len;

	if (span_starts(text, SPAN_LIT("*."))) {
		how = DOMAIN_BELOW;
		text = span_from(text, 2);
	} else if (span_starts(text, SPAN_LIT("."))) {
		how = DOMAIN_ITSELF | DOMAIN_BELOW;
		text = span_from(text, 1);
	}
	len = domains_normalize(text, name);
	if (len == 0)
		return false;
	domains_put(d, span_of(name, len), how);
	return true;
}

bool
domains_find(const struct domains *d, span host)
{
	uint32_t labels = 0;
	uint64_t h;

	if (d == NULL || d->n == 0)
		return false;
	h = d->seed;
	for (size_t i = host.len; i-- > 0;) {
		const struct domain_slot *s;

		h = namehash_step(h, host.p[i]);
		if (i > 0 && host.p[i - 1] != '.')
			continue;
		/* no name has so many */
		if (++labels > d->labels_max)
			return false;
		s = slot_find(d, span_from(host, i), namehash_end(h));
		if (s->at != 0 &&
		    (d->pool[s->at + 1] &
			(i == 0 ? DOMAIN_ITSELF : DOMAIN_BELOW)) != 0)
			return true;
	}
	return false;
}
