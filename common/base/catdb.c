/* base/catdb: see catdb.h. */
#include "common/base/catdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/catdb_int.h"
#include "common/base/check.h"
#include "common/base/namehash.h"
#include "common/base/siphash.h"

/* Labels of the longest name (RFC 1035 2.3.4). */
#define LABELS_MAX 127u

/* Against accidents, not against people: the key is no secret. */
static const struct sipkey checksum_key = {
    UINT64_C(0x6361746567206f66), UINT64_C(0x676174652d686f73)};

uint64_t
catdb_checksum(span file)
{
	size_t from = offsetof(struct catdb_head, checksum) + sizeof(uint64_t);

	return siphash(&checksum_key, span_from(file, from));
}

uint32_t
catdb_n_names(const struct catdb *db)
{
	return db->head->n_names;
}

/* --- categories ----------------------------------------------------------- */

uint32_t
catdb_n_categories(const struct catdb *db)
{
	return db->head->n_categories;
}

span
catdb_category(const struct catdb *db, uint32_t i)
{
	REQUIRE(i < db->head->n_categories);
	return span_of(db->categories[i].text, db->categories[i].len);
}

int
catdb_category_find(const struct catdb *db, span name)
{
	for (uint32_t i = 0; i < db->head->n_categories; i++)
		if (span_eq(catdb_category(db, i), name))
			return (int)i;
	return -1;
}

int
catset_common(const struct catset *a, const struct catset *b)
{
	for (uint32_t i = 0; i < CATSET_WORDS; i++) {
		uint64_t both = a->bits[i] & b->bits[i];

		if (both != 0)
			return (int)(i * 64) + __builtin_ctzll(both);
	}
	return -1;
}

bool
catdb_is_category(span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' &&
		    c != '_')
			return false;
	}
	return name.len > 0 && name.len <= CATDB_CATEGORY_LEN_MAX;
}

/* --- looking up ----------------------------------------------------------- */

static span
pool_name(const struct catdb *db, uint32_t at)
{
	return span_of(
	    db->pool + at + CATDB_POOL_HEAD, (unsigned char)db->pool[at]);
}

static uint32_t
pool_set(const struct catdb *db, uint32_t at)
{
	uint16_t set;

	memcpy(&set, db->pool + at + 1, sizeof(set));
	return set;
}

/* The slot of a name, or NULL. */
static const struct catdb_slot *
slot_find(const struct catdb *db, span name, uint32_t hash)
{
	uint32_t mask = db->head->n_slots - 1;
	uint32_t i = hash & mask;

	for (uint32_t n = 0; n < CATDB_PROBES_MAX; n++) {
		const struct catdb_slot *s = &db->slots[i];

		if (s->at == 0)
			return NULL;
		if (s->hash == hash && span_eq(pool_name(db, s->at), name))
			return s;
		i = (i + 1) & mask;
	}
	return NULL;
}

const struct catset *
catdb_find(const struct catdb *db, span host)
{
	const struct catdb_slot *found = NULL;
	uint64_t h = db->head->seed;
	uint32_t labels = 0;

	for (size_t i = host.len; i-- > 0;) {
		const struct catdb_slot *s;

		h = namehash_step(h, host.p[i]);
		if (i > 0 && host.p[i - 1] != '.')
			continue;
		/* no name has so many */
		if (++labels > db->head->labels_max)
			break;
		s = slot_find(db, span_from(host, i), namehash_end(h));
		if (s != NULL)
			found = s;
	}
	return found == NULL ? NULL : &db->sets[pool_set(db, found->at)];
}

/* --- what a file must be -------------------------------------------------- */

static bool
is_damaged(char why[CATDB_WHY_CAP], const char *what)
{
	(void)snprintf(why, CATDB_WHY_CAP, "it is damaged: %s", what);
	return false;
}

/* Bytes that the head tells of; its numbers are within bounds. */
static uint64_t
view_len(const struct catdb_head *h)
{
	return sizeof(*h) +
	       (uint64_t)h->n_categories * sizeof(struct catdb_category) +
	       (uint64_t)h->n_sets * sizeof(struct catset) +
	       (uint64_t)h->n_slots * sizeof(struct catdb_slot) + h->pool_len;
}

static bool
view_head(const struct catdb_head *h, span file, char why[CATDB_WHY_CAP])
{
	if (h->version != CATDB_VERSION) {
		(void)snprintf(why, CATDB_WHY_CAP,
		    "it has version %u, and this gatehouse reads version %u: "
		    "build it again",
		    h->version, CATDB_VERSION);
		return false;
	}
	if (h->n_categories > CATDB_CATEGORIES_MAX ||
	    h->n_sets > CATDB_SETS_MAX || h->n_slots < CATDB_SLOTS_MIN ||
	    h->n_slots > CATDB_SLOTS_MAX ||
	    (h->n_slots & (h->n_slots - 1)) != 0 ||
	    h->n_names > h->n_slots / 3 * 2 || h->pool_len == 0 ||
	    h->pool_len > CATDB_POOL_MAX || h->labels_max > LABELS_MAX ||
	    h->zero != 0)
		return is_damaged(why, "a number of its head cannot be");
	if (view_len(h) != file.len)
		return is_damaged(why, "it has another length than it tells");
	if (h->checksum != catdb_checksum(file))
		return is_damaged(why, "its checksum is another");
	return true;
}

static void
view_parts(struct catdb *db, span file)
{
	const struct catdb_head *h = (const void *)file.p;

	*db = (struct catdb){.head = h};
	db->categories = (const void *)(h + 1);
	db->sets = (const void *)(db->categories + h->n_categories);
	db->slots = (const void *)(db->sets + h->n_sets);
	db->pool = (const void *)(db->slots + h->n_slots);
}

static bool
view_categories(const struct catdb *db, char why[CATDB_WHY_CAP])
{
	for (uint32_t i = 0; i < db->head->n_categories; i++) {
		if (db->categories[i].len > CATDB_CATEGORY_LEN_MAX ||
		    !catdb_is_category(catdb_category(db, i)))
			return is_damaged(why, "a category has no name");
		if (catdb_category_find(db, catdb_category(db, i)) != (int)i)
			return is_damaged(why, "a category stands twice in it");
	}
	for (uint32_t i = 0; i < db->head->n_sets; i++) {
		for (uint32_t k = db->head->n_categories;
		     k < CATDB_CATEGORIES_MAX; k++)
			if (catset_has(&db->sets[i], k))
				return is_damaged(
				    why, "a name has an unknown category");
	}
	return true;
}

/* A name and its head lie in the pool, its set is there, and it is found. */
static bool
slot_is_good(const struct catdb *db, const struct catdb_slot *s)
{
	const struct catdb_head *h = db->head;
	uint32_t labels = 1;
	span name;

	if (s->at > h->pool_len || h->pool_len - s->at < CATDB_POOL_HEAD)
		return false;
	name = pool_name(db, s->at);
	if (name.len == 0 || name.len > h->pool_len - s->at - CATDB_POOL_HEAD ||
	    pool_set(db, s->at) >= h->n_sets ||
	    s->hash != namehash(h->seed, name))
		return false;
	for (size_t i = 0; i < name.len; i++)
		labels += name.p[i] == '.';
	return labels <= h->labels_max;
}

static bool
view_slots(const struct catdb *db, char why[CATDB_WHY_CAP])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < db->head->n_slots; i++) {
		const struct catdb_slot *s = &db->slots[i];

		if (s->at == 0)
			continue;
		if (!slot_is_good(db, s))
			return is_damaged(why, "a name of it cannot be");
		n++;
	}
	/* only now may others be looked at on the way */
	for (uint32_t i = 0; i < db->head->n_slots; i++) {
		const struct catdb_slot *s = &db->slots[i];

		if (s->at != 0 &&
		    slot_find(db, pool_name(db, s->at), s->hash) != s)
			return is_damaged(why, "a name of it is not found");
	}
	return n == db->head->n_names ||
	       is_damaged(why, "it holds another number of names");
}

bool
catdb_view(struct catdb *db, span file, char why[CATDB_WHY_CAP])
{
	if (file.len < sizeof(struct catdb_head) ||
	    memcmp(file.p, CATDB_MAGIC, CATDB_MAGIC_LEN) != 0) {
		(void)snprintf(why, CATDB_WHY_CAP,
		    "it is no database of categories, as `gatehouse categories "
		    "build` makes them");
		return false;
	}
	if (!view_head((const void *)file.p, file, why))
		return false;
	view_parts(db, file);
	return view_categories(db, why) && view_slots(db, why);
}

/* --- reading one ---------------------------------------------------------- */

static bool
read_all(int fd, char *to, size_t len, char why[CATDB_WHY_CAP])
{
	size_t at = 0;
	ssize_t n = 1;

	while (at < len && (n = read(fd, to + at, len - at)) > 0)
		at += (size_t)n;
	if (n < 0)
		(void)snprintf(why, CATDB_WHY_CAP, "%s", strerror(errno));
	else if (n == 0)
		(void)is_damaged(why, "it became shorter while it was read");
	return at == len;
}

/* Not the file's own pages: who writes to it would change what was looked at,
 * and who cuts it would end all workers. Large pages, because most of what a
 * look costs are misses of the TLB otherwise. */
static struct catdb *
read_block(int fd, size_t len, char why[CATDB_WHY_CAP])
{
	struct catdb db;
	struct catdb *out;
	void *block = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED) {
		(void)snprintf(why, CATDB_WHY_CAP, "%s", strerror(errno));
		return NULL;
	}
	(void)madvise(block, len, MADV_HUGEPAGE);
	if (!read_all(fd, block, len, why) ||
	    !catdb_view(&db, span_of(block, len), why)) {
		(void)munmap(block, len);
		return NULL;
	}
	REQUIRE(mprotect(block, len, PROT_READ) == 0);
	out = malloc(sizeof(*out));
	REQUIRE(out != NULL);
	*out = db;
	out->block = block;
	out->len = len;
	return out;
}

struct catdb *
catdb_read(const char *path, char why[CATDB_WHY_CAP])
{
	/* a pipe without a writer must not hold up the start */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct catdb *db = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		(void)snprintf(why, CATDB_WHY_CAP, "%s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		(void)snprintf(why, CATDB_WHY_CAP, "it is no file");
	else if ((uint64_t)st.st_size > CATDB_FILE_MAX)
		(void)snprintf(why, CATDB_WHY_CAP, "it is larger than 1g");
	else if ((size_t)st.st_size < sizeof(struct catdb_head))
		(void)snprintf(why, CATDB_WHY_CAP,
		    "it is too short for a database of categories");
	else
		db = read_block(fd, (size_t)st.st_size, why);
	if (fd >= 0)
		(void)close(fd);
	return db;
}

void
catdb_free(struct catdb *db)
{
	if (db == NULL)
		return;
	(void)munmap(db->block, db->len);
	free(db);
}
