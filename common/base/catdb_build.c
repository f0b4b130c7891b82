/* base/catdb_build: see catdb_build.h. The table is held as the file has it. */
#include "common/base/catdb_build.h"

#include <stdlib.h>

#include "common/base/catdb_int.h"
#include "common/base/check.h"
#include "common/base/domains.h"
#include "common/base/hostsline.h"
#include "common/base/map.h"
#include "common/base/namehash.h"
#include "common/base/vec.h"

#define POOL_MIN 1024u

struct catdb_build {
	struct catdb_head head;
	struct catdb_category categories[CATDB_CATEGORIES_MAX];
	struct vec sets; /* of struct catset, by number */
	struct map by_set; /* 1 + their numbers */
	struct catdb_slot *slots;
	char *pool;
	uint32_t pool_cap;
};

struct catdb_build *
catdb_build_new(void)
{
	struct catdb_build *b = calloc(1, sizeof(*b));
	struct sipkey key;

	REQUIRE(b != NULL);
	sipkey_random(&key);
	memcpy(b->head.magic, CATDB_MAGIC, CATDB_MAGIC_LEN);
	b->head.version = CATDB_VERSION;
	b->head.seed = key.k0;
	b->head.n_slots = CATDB_SLOTS_MIN;
	b->slots = calloc(b->head.n_slots, sizeof(*b->slots));
	b->head.pool_len = 1;
	b->pool_cap = POOL_MIN;
	b->pool = calloc(1, b->pool_cap);
	REQUIRE(b->slots != NULL && b->pool != NULL);
	vec_init(&b->sets);
	map_init(&b->by_set, false);
	return b;
}

void
catdb_build_free(struct catdb_build *b)
{
	for (uint32_t i = 0; i < b->sets.n; i++)
		free(b->sets.at[i]);
	vec_fini(&b->sets);
	map_fini(&b->by_set);
	free(b->slots);
	free(b->pool);
	free(b);
}

uint32_t
catdb_build_n_names(const struct catdb_build *b)
{
	return b->head.n_names;
}

/* --- categories and sets -------------------------------------------------- */

/* The number of a category, made if it is new; -1: there is no room. */
static int
category_of(struct catdb_build *b, span name)
{
	struct catdb_category *c;

	for (uint32_t i = 0; i < b->head.n_categories; i++) {
		c = &b->categories[i];
		if (span_eq(span_of(c->text, c->len), name))
			return (int)i;
	}
	if (b->head.n_categories == CATDB_CATEGORIES_MAX)
		return -1;
	c = &b->categories[b->head.n_categories];
	memcpy(c->text, name.p, name.len);
	c->len = (uint8_t)name.len;
	return (int)b->head.n_categories++;
}

/* The number of a set, made if it is new; -1: there is no room. */
static int
set_of(struct catdb_build *b, const struct catset *s)
{
	uintptr_t no = (uintptr_t)map_get(
	    &b->by_set, span_of((const char *)s, sizeof(*s)));
	struct catset *own;

	if (no != 0)
		return (int)(no - 1);
	if (b->sets.n == CATDB_SETS_MAX)
		return -1;
	own = malloc(sizeof(*own));
	REQUIRE(own != NULL);
	*own = *s;
	vec_push(&b->sets, own);
	(void)map_put(&b->by_set, span_of((const char *)own, sizeof(*own)),
	    (void *)(uintptr_t)b->sets.n);
	return (int)b->sets.n - 1;
}

/* --- names ---------------------------------------------------------------- */

/* The slot of a name, or the empty one for it. */
static struct catdb_slot *
slot_for(struct catdb_build *b, span name, uint32_t hash)
{
	uint32_t mask = b->head.n_slots - 1;
	uint32_t i = hash & mask;

	for (; b->slots[i].at != 0; i = (i + 1) & mask) {
		const char *p = b->pool + b->slots[i].at;

		if (b->slots[i].hash == hash &&
		    span_eq(span_of(p + CATDB_POOL_HEAD, (unsigned char)p[0]),
			name))
			break;
	}
	return &b->slots[i];
}

static void
slots_grow(struct catdb_build *b)
{
	struct catdb_slot *old = b->slots;
	uint32_t n_old = b->head.n_slots;
	uint32_t mask = n_old * 2 - 1;

	b->head.n_slots = n_old * 2;
	b->slots = calloc(b->head.n_slots, sizeof(*b->slots));
	REQUIRE(b->slots != NULL);
	for (uint32_t k = 0; k < n_old; k++) {
		uint32_t i = old[k].hash & mask;

		if (old[k].at == 0)
			continue;
		while (b->slots[i].at != 0)
			i = (i + 1) & mask;
		b->slots[i] = old[k];
	}
	free(old);
}

static uint32_t
pool_add(struct catdb_build *b, span name)
{
	uint32_t at = b->head.pool_len;
	uint32_t len = CATDB_POOL_HEAD + (uint32_t)name.len;

	if (b->pool_cap - at < len) {
		b->pool_cap *= 2;
		b->pool = realloc(b->pool, b->pool_cap);
		REQUIRE(b->pool != NULL);
	}
	b->pool[at] = (char)name.len;
	memset(b->pool + at + 1, 0, CATDB_POOL_HEAD - 1);
	memcpy(b->pool + at + CATDB_POOL_HEAD, name.p, name.len);
	b->head.pool_len += len;
	return at;
}

static void
name_count_labels(struct catdb_build *b, span name)
{
	uint32_t labels = 1;

	for (size_t i = 0; i < name.len; i++)
		labels += name.p[i] == '.';
	if (labels > b->head.labels_max)
		b->head.labels_max = labels;
}

/* A name of the pool gets a category more; a new one has none. */
static const char *
name_put(struct catdb_build *b, uint32_t at, bool is_new, int category)
{
	struct catset set = {{0}};
	uint16_t no;
	int now;

	memcpy(&no, b->pool + at + 1, sizeof(no));
	if (!is_new)
		set = *(const struct catset *)b->sets.at[no];
	catset_add(&set, (uint32_t)category);
	now = set_of(b, &set);
	if (now < 0)
		return "there are more than 65536 different sets of categories";
	no = (uint16_t)now;
	memcpy(b->pool + at + 1, &no, sizeof(no));
	return NULL;
}

static const char *
name_add(struct catdb_build *b, span name, int category)
{
	uint32_t hash = namehash(b->head.seed, name);
	struct catdb_slot *s = slot_for(b, name, hash);
	const char *why;
	uint32_t at;

	if (s->at != 0)
		return name_put(b, s->at, false, category);
	if (b->head.n_names == CATDB_NAMES_MAX ||
	    CATDB_POOL_MAX - b->head.pool_len <
		CATDB_POOL_HEAD + DOMAINS_NAME_MAX)
		return "there are too many names for one database";
	at = pool_add(b, name);
	why = name_put(b, at, true, category);
	if (why != NULL) {
		b->head.pool_len = at;
		return why;
	}
	if (b->head.n_names + 1 > b->head.n_slots / 3 * 2) {
		slots_grow(b);
		s = slot_for(b, name, hash);
	}
	*s = (struct catdb_slot){hash, at};
	b->head.n_names++;
	name_count_labels(b, name);
	return NULL;
}

/* A last label of digits alone is no name's (RFC 1123 2.1): addresses would be
 * below it. */
static bool
ends_in_number(span name)
{
	ptrdiff_t dot = span_rchr(name, '.');
	uint64_t n;

	return !hostsline_is_address(name) &&
	       span_u64(span_from(name, (size_t)(dot + 1)), UINT64_MAX, &n);
}

const char *
catdb_build_add(struct catdb_build *b, span name, span category)
{
	char own[DOMAINS_NAME_MAX];
	size_t len;
	int no;

	if (span_starts(name, SPAN_LIT(".")))
		name = span_from(name, 1);
	len = domains_normalize(name, own);
	if (len == 0 || ends_in_number(span_of(own, len)))
		return "it is no name of a host, in ASCII (xn--...), such as "
		       "example.com";
	if (!catdb_is_category(category))
		return "the category is no word of at most 31 small letters, "
		       "digits, '-' and '_'";
	no = category_of(b, category);
	if (no < 0)
		return "there are more than 256 categories";
	return name_add(b, span_of(own, len), no);
}

/* --- lists ---------------------------------------------------------------- */

static void
list_add(struct catdb_build *b, struct linefile *f, span name, span category)
{
	const char *why = catdb_build_add(b, name, category);

	if (why != NULL)
		linefile_error(f, name, "'%.*s': %s",
		    SPAN_FMT(span_first(name, DOMAINS_NAME_MAX)), why);
}

static void
list_add_own(struct catdb_build *b, struct linefile *f, span name, span of_list)
{
	if (of_list.len > 0)
		list_add(b, f, name, of_list);
	else
		linefile_error(f, name,
		    "the list has no category: name it before its path, as in "
		    "ads:hosts.txt");
}

static void
list_add_hosts(
    struct catdb_build *b, struct linefile *f, span line, span of_list)
{
	span rest = line;
	bool is_nowhere;
	span word;

	(void)span_word(&rest, &word);
	is_nowhere = hostsline_is_nowhere(word);
	while (span_word(&rest, &word)) {
		if (hostsline_is_own(word))
			continue;
		if (!is_nowhere) {
			linefile_error(f, line,
			    "the address leads somewhere: a line of hosts(5) "
			    "begins with 0.0.0.0 or 127.0.0.1, and a host that "
			    "is an address stands alone in its line");
			return;
		}
		list_add_own(b, f, word, of_list);
	}
}

void
catdb_build_list(struct catdb_build *b, struct linefile *f, span category)
{
	span line;

	while (linefile_next(f, &line)) {
		span rest = line;
		span name;
		span word;

		(void)span_word(&rest, &name);
		if (span_trim(rest).len == 0)
			list_add_own(b, f, name, category);
		else if (hostsline_is_address(name))
			list_add_hosts(b, f, line, category);
		else
			while (span_word(&rest, &word))
				list_add(b, f, name, word);
	}
}

/* --- the file ------------------------------------------------------------- */

static char *
file_put(char *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

span
catdb_build_file(const struct catdb_build *b)
{
	struct catdb_head head = b->head;
	size_t categories = head.n_categories * sizeof(b->categories[0]);
	size_t slots = head.n_slots * sizeof(b->slots[0]);
	size_t len = sizeof(head) + categories +
		     b->sets.n * sizeof(struct catset) + slots + head.pool_len;
	char *file = malloc(len);
	char *at = file;

	REQUIRE(file != NULL);
	head.n_sets = b->sets.n;
	at = file_put(at, &head, sizeof(head));
	at = file_put(at, b->categories, categories);
	for (uint32_t i = 0; i < b->sets.n; i++)
		at = file_put(at, b->sets.at[i], sizeof(struct catset));
	at = file_put(at, b->slots, slots);
	(void)file_put(at, b->pool, head.pool_len);
	head.checksum = catdb_checksum(span_of(file, len));
	(void)file_put(file, &head, sizeof(head));
	return span_of(file, len);
}
