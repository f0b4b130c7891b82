/* A cache into a file and out of it again: what was written is there, and
 * whatever else a file holds does no harm. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/store/snapshot_int.h"
#include "t/unit/objects_fixture.h"
#include "t/unit/unit.h"

#define MIB (UINT64_C(1) << 20)
#define FILE_CAP (64u * 1024)

static struct store store;
static struct objects_view *v;

static void
set_up(void)
{
	store_open(&store, 64 * MIB, MIB);
	v = store_view(&store);
}

static void
tear_down(void)
{
	store_sweep(v);
	store_check(v);
	objects_view_free(v);
	store_close(&store);
	segment_free(store.segment);
}

static void
begin_anew(void)
{
	tear_down();
	set_up();
}

/* The same file again, for one who closes it. */
static int
again(int fd)
{
	int other = dup(fd);

	ck_assert_int_ge(other, 0);
	return other;
}

static int
file_of(const void *p, size_t len)
{
	int fd = memfd_create("snapshot", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, len), (ssize_t)len);
	return fd;
}

static size_t
bytes_of(int fd, char *to)
{
	ssize_t n = pread(fd, to, FILE_CAP, 0);

	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, FILE_CAP);
	return (size_t)n;
}

static struct snapshot_counts
save(int fd, bool is_last)
{
	struct snapshot_writer *w = snapshot_writer_new(again(fd), is_last);
	struct snapshot_counts c;
	enum snapshot_rc rc;

	while ((rc = snapshot_write(w, v)) == SNAPSHOT_MORE)
		continue;
	ck_assert_int_eq(rc, SNAPSHOT_WHOLE);
	c = snapshot_written(w);
	snapshot_writer_free(w);
	return c;
}

static int
save_new(bool is_last)
{
	int fd = file_of("", 0);

	(void)save(fd, is_last);
	return fd;
}

static enum snapshot_rc
load_as(int fd, bool is_soft, struct snapshot_counts *c)
{
	struct snapshot_reader *r = snapshot_reader_new(again(fd), is_soft);
	enum snapshot_rc rc;

	while ((rc = snapshot_read(r, v)) == SNAPSHOT_MORE)
		continue;
	*c = snapshot_loaded(r);
	snapshot_reader_free(r);
	return rc;
}

/* Into a new cache, as a start does it. false: the file is not taken. */
static bool
load_anew(int fd, enum snapshot_rc *rc, struct snapshot_counts *c)
{
	bool is_last;

	tear_down();
	store_open(&store, 64 * MIB, MIB);
	if (!snapshot_adopt(fd, store.cache, &is_last)) {
		v = store_view(&store);
		return false;
	}
	ck_assert(snapshot_outdate(fd));
	v = store_view(&store);
	*rc = load_as(fd, !is_last, c);
	return true;
}

static void
make(uint32_t name, uint32_t version, uint32_t len)
{
	struct made m = {name, version, len, name % 2 == 0};

	ck_assert(made_store(v, &m));
}

/* Whether there is one of that name, which must then be whole. */
static bool
look(uint32_t name, struct made *m, bool *is_soft)
{
	struct obj_key k = store_key(v, name);
	struct obj_facts facts;
	bool is_updating;
	struct obj_ref r;

	if (objects_find(v, &k, &r, &is_updating) == OBJ_NONE)
		return false;
	ck_assert(made_is_whole(v, r, name, m));
	objects_facts(v, r, &facts);
	*is_soft = facts.is_soft;
	objects_unpin(v, r);
	return true;
}

static uint32_t
count_there(uint32_t n)
{
	uint32_t there = 0;
	struct made m;
	bool is_soft;

	for (uint32_t i = 0; i < n; i++)
		there += look(i, &m, &is_soft);
	return there;
}

/* --- what was written is there -------------------------------------------- */

START_TEST(what_was_written_is_there)
{
	static const uint32_t lens[] = {
	    0, 1, 511, 512, 513, 4096, 40000, 262144, 300001};
	struct snapshot_counts c;
	enum snapshot_rc rc;
	struct made m;
	bool is_soft;
	int fd;

	for (uint32_t i = 0; i < NELEMS(lens); i++)
		make(i, i + 3, lens[i]);
	fd = save_new(true);
	ck_assert(load_anew(fd, &rc, &c));
	ck_assert_int_eq(rc, SNAPSHOT_WHOLE);
	ck_assert_uint_eq(c.objects, NELEMS(lens));
	ck_assert_uint_eq(c.dropped, 0);
	for (uint32_t i = 0; i < NELEMS(lens); i++) {
		ck_assert(look(i, &m, &is_soft));
		ck_assert_uint_eq(m.version, i + 3);
		ck_assert_uint_eq(m.len, lens[i]);
		ck_assert(!is_soft);
	}
	(void)close(fd);
}
END_TEST

START_TEST(labels_and_names_go_on_to_mean_what_they_did)
{
	struct obj_purge all = {.what = OBJ_PURGE_PREFIX};
	struct snapshot_counts c;
	enum snapshot_rc rc;
	struct obj_head head;
	uint64_t buf[STORE_HEAD_CAP / sizeof(uint64_t)];
	struct made m = {4, 1, 100, false};
	int fd;

	make(4, 1, 100);
	make(5, 1, 100);
	fd = save_new(true);
	ck_assert(load_anew(fd, &rc, &c));
	made_head(&m, 0, buf, &head);
	all.text = head.name;
	ck_assert(objects_purge(v, &all));
	ck_assert_uint_eq(count_there(6), 1);
	(void)close(fd);
}
END_TEST

START_TEST(only_the_first_reader_takes_it_for_the_last)
{
	struct snapshot_counts c;
	enum snapshot_rc rc;
	struct made m;
	bool is_soft;
	int fd;

	make(1, 1, 100);
	fd = save_new(true);
	for (int i = 0; i < 3; i++) {
		ck_assert(load_anew(fd, &rc, &c));
		ck_assert_int_eq(rc, SNAPSHOT_WHOLE);
		ck_assert(look(1, &m, &is_soft));
		ck_assert_int_eq(is_soft, i > 0);
	}
	(void)close(fd);
	begin_anew();
	make(1, 1, 100);
	fd = save_new(false);
	ck_assert(load_anew(fd, &rc, &c));
	ck_assert(look(1, &m, &is_soft) && is_soft);
	(void)close(fd);
}
END_TEST

START_TEST(what_was_purged_does_not_come_back)
{
	struct obj_purge all = {.what = OBJ_PURGE_ALL};
	struct obj_purge softly = {.what = OBJ_PURGE_ALL, .is_soft = true};
	struct snapshot_counts c;
	enum snapshot_rc rc;
	struct made m;
	bool is_soft;
	int fd;

	/* no walk has taken them out yet */
	make(1, 1, 100);
	ck_assert(objects_purge(v, &all));
	make(2, 1, 100);
	ck_assert(objects_purge(v, &softly));
	make(3, 1, 100);
	fd = save_new(true);
	ck_assert(load_anew(fd, &rc, &c));
	ck_assert_uint_eq(c.objects, 2);
	ck_assert(!look(1, &m, &is_soft));
	ck_assert(look(2, &m, &is_soft) && is_soft);
	ck_assert(look(3, &m, &is_soft) && !is_soft);
	(void)close(fd);
}
END_TEST

START_TEST(what_the_cache_has_stays)
{
	struct snapshot_counts c;
	struct obj_ref filled;
	struct obj_key k;
	struct made m;
	bool is_soft;
	int fd;

	make(1, 1, 100);
	make(2, 1, 100);
	make(3, 1, 100);
	fd = save_new(true);
	/* another one under the same key, and one that somebody fills */
	make(1, 7, 200);
	k = store_key(v, 2);
	ck_assert_int_eq(objects_begin(v, &k, &filled), OBJ_BEGUN);
	ck_assert_int_eq(load_as(fd, true, &c), SNAPSHOT_WHOLE);
	ck_assert_uint_eq(c.objects, 0);
	ck_assert(look(1, &m, &is_soft) && !is_soft);
	ck_assert_uint_eq(m.version, 7);
	objects_abandon(v, filled);
	objects_unpin(v, filled);
	(void)close(fd);
}
END_TEST

START_TEST(one_that_is_filled_is_not_written)
{
	struct obj_key k = store_key(v, 1);
	struct snapshot_counts c;
	struct obj_ref r;
	int fd = file_of("", 0);

	ck_assert_int_eq(objects_begin(v, &k, &r), OBJ_BEGUN);
	c = save(fd, false);
	ck_assert_uint_eq(c.objects, 0);
	objects_abandon(v, r);
	objects_unpin(v, r);
	(void)close(fd);
}
END_TEST

START_TEST(a_full_cache_takes_no_more)
{
	struct snapshot_counts c;
	struct obj_stats s;
	int fd;

	tear_down();
	store_open(&store, 64 * MIB, 8 * MIB);
	v = store_view(&store);
	for (uint32_t i = 0; i < 60; i++)
		make(i, 1, 100000);
	fd = save_new(true);
	ck_assert_int_eq(objects_set_memory(store.cache, MIB), 0);
	store_sweep(v);
	for (uint32_t i = 0; i < 60; i++) {
		struct obj_key k = store_key(v, i);
		struct obj_ref r;
		bool is_updating;

		if (objects_find(v, &k, &r, &is_updating) == OBJ_NONE)
			continue;
		objects_drop(v, r);
		objects_unpin(v, r);
	}
	objects_stats(store.cache, &s);
	ck_assert_uint_eq(s.objects, 0);
	ck_assert_int_eq(load_as(fd, false, &c), SNAPSHOT_WHOLE);
	ck_assert_uint_gt(c.objects, 4);
	ck_assert_uint_lt(c.objects, 12);
	(void)close(fd);
}
END_TEST

/* --- disks and caches that are not what they were -------------------------- */

START_TEST(a_full_disk_is_told)
{
	int fd = memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct snapshot_writer *w;

	make(1, 1, 100000);
	/* as large as it will ever be */
	ck_assert_int_eq(ftruncate(fd, 50000), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	w = snapshot_writer_new(fd, false);
	ck_assert_int_eq(snapshot_write(w, v), SNAPSHOT_FAILED);
	ck_assert_int_ne(errno, 0);
	snapshot_writer_free(w);
}
END_TEST

START_TEST(another_cache_is_not_mixed_in)
{
	int fd = save_new(true);
	struct snapshot_counts c;
	struct snapshot_writer *w = snapshot_writer_new(file_of("", 0), true);

	for (uint32_t i = 0; i < 10; i++)
		make(i, 1, 1000000 / 10);
	while (snapshot_written(w).bytes == 0)
		(void)snapshot_write(w, v);
	begin_anew();
	/* its keys are others */
	ck_assert_int_eq(load_as(fd, false, &c), SNAPSHOT_FAILED);
	ck_assert_int_eq(errno, ESTALE);
	ck_assert_int_eq(snapshot_write(w, v), SNAPSHOT_FAILED);
	ck_assert_int_eq(errno, ESTALE);
	snapshot_writer_free(w);
	(void)close(fd);
}
END_TEST

/* --- files that are not what they were ------------------------------------ */

/* A small snapshot of 4 objects. */
static size_t
small_file(char *bytes)
{
	size_t len;
	int fd;

	for (uint32_t i = 0; i < 4; i++)
		make(i, 1, i * 150);
	fd = save_new(true);
	len = bytes_of(fd, bytes);
	(void)close(fd);
	return len;
}

/* Nothing but what was written is there afterwards; returns how many. */
static uint32_t
load_bytes(const char *bytes, size_t len, enum snapshot_rc *rc)
{
	struct snapshot_counts c;
	int fd = file_of(bytes, len);
	uint32_t n = 0;

	*rc = SNAPSHOT_FAILED;
	if (load_anew(fd, rc, &c)) {
		n = count_there(4);
		ck_assert_uint_eq(c.objects, n);
	}
	(void)close(fd);
	return n;
}

START_TEST(a_flipped_bit_costs_what_it_is_in)
{
	char *bytes = malloc(FILE_CAP);
	size_t len = small_file(bytes);
	size_t places[5] = {0};
	enum snapshot_rc rc;

	for (size_t i = 0; i < len; i++) {
		uint32_t n;

		bytes[i] = (char)(bytes[i] ^ 1 << i % 8);
		n = load_bytes(bytes, len, &rc);
		bytes[i] = (char)(bytes[i] ^ 1 << i % 8);
		places[n]++;
		if (i < offsetof(struct snapshot_top, is_last))
			ck_assert_uint_eq(n, 0);
		else if (i < sizeof(struct snapshot_top))
			ck_assert_uint_eq(n, 4);
	}
	/* in the end of the file; in the bytes of one; in each one's record */
	for (uint32_t n = 0; n <= 4; n++)
		ck_assert_uint_ge(places[n], sizeof(struct snapshot_record));
	ck_assert_uint_gt(places[3], 900);
	free(bytes);
}
END_TEST

START_TEST(a_cut_file_gives_what_is_before)
{
	char *bytes = malloc(FILE_CAP);
	size_t len = small_file(bytes);
	enum snapshot_rc rc;
	uint32_t before = 0;

	for (size_t i = 0; i < len; i++) {
		uint32_t n = load_bytes(bytes, i, &rc);

		ck_assert_uint_ge(n, before);
		ck_assert_int_eq(rc, SNAPSHOT_FAILED);
		before = n;
	}
	ck_assert_uint_eq(before, 4);
	ck_assert_uint_eq(load_bytes(bytes, len, &rc), 4);
	ck_assert_int_eq(rc, SNAPSHOT_WHOLE);
	free(bytes);
}
END_TEST

/* Sums are right: whoever made the file knew how. */
static void
sign(char *bytes, struct snapshot_record *rec, size_t at)
{
	struct snapshot_top top;

	memcpy(&top, bytes, sizeof(top));
	rec->sum = snapshot_record_sum(&top, rec);
	memcpy(bytes + at, rec, sizeof(*rec));
}

START_TEST(hostile_lengths_are_refused)
{
	char *bytes = malloc(FILE_CAP);
	size_t len = small_file(bytes);
	const size_t at = sizeof(struct snapshot_top);
	struct snapshot_record good;
	struct snapshot_record bad[] = {
	    {.body_len = SNAPSHOT_BODY_MAX + 1},
	    {.body_len = UINT64_MAX},
	    {.body_len = UINT64_MAX - 71},
	    {.n_labels = OBJECTS_LABELS_MAX + 1},
	    {.n_labels = UINT32_MAX},
	    {.name_len = OBJECTS_HEAD_MAX + 1},
	    {.name_len = UINT32_MAX},
	    {.bytes_len = UINT32_MAX},
	    {.kind = 3},
	    {.number = 1},
	    {.number = UINT64_MAX},
	    /* not too long, but not there */
	    {.body_len = SNAPSHOT_BODY_MAX - 4096},
	};
	enum snapshot_rc rc;

	memcpy(&good, bytes + at, sizeof(good));
	for (size_t i = 0; i < NELEMS(bad); i++) {
		struct snapshot_record r = good;

		r.body_len += bad[i].body_len;
		r.n_labels = bad[i].n_labels > 0 ? bad[i].n_labels : r.n_labels;
		r.name_len = bad[i].name_len > 0 ? bad[i].name_len : r.name_len;
		r.bytes_len =
		    bad[i].bytes_len > 0 ? bad[i].bytes_len : r.bytes_len;
		r.kind = bad[i].kind > 0 ? bad[i].kind : r.kind;
		r.number = bad[i].number > 0 ? bad[i].number : r.number;
		sign(bytes, &r, at);
		ck_assert_uint_eq(load_bytes(bytes, len, &rc), 0);
		ck_assert_int_eq(rc, SNAPSHOT_FAILED);
	}
	sign(bytes, &good, at);
	ck_assert_uint_eq(load_bytes(bytes, len, &rc), 4);
	free(bytes);
}
END_TEST

START_TEST(records_of_another_file_do_not_fit)
{
	char *bytes = malloc(FILE_CAP);
	char *others = malloc(FILE_CAP);
	size_t len = small_file(bytes);
	const size_t at = sizeof(struct snapshot_top);
	enum snapshot_rc rc;
	int fd = save_new(true);

	/* the same objects in the same order, but another seal */
	ck_assert_uint_eq(bytes_of(fd, others), len);
	memcpy(others + at, bytes + at, len - at);
	ck_assert_uint_eq(load_bytes(others, len, &rc), 0);
	ck_assert_int_eq(rc, SNAPSHOT_FAILED);
	(void)close(fd);
	free(others);
	free(bytes);
}
END_TEST

START_TEST(another_version_is_not_read)
{
	char *bytes = malloc(FILE_CAP);
	size_t len = small_file(bytes);
	struct snapshot_top good;
	struct snapshot_top top;
	enum snapshot_rc rc;

	memcpy(&good, bytes, sizeof(good));
	top = good;
	top.version[SNAPSHOT_VERSION_CAP - 1] = 'x';
	top.sum = snapshot_top_sum(&top);
	memcpy(bytes, &top, sizeof(top));
	ck_assert_uint_eq(load_bytes(bytes, len, &rc), 0);
	top = good;
	top.magic = __builtin_bswap64(top.magic);
	top.sum = snapshot_top_sum(&top);
	memcpy(bytes, &top, sizeof(top));
	ck_assert_uint_eq(load_bytes(bytes, len, &rc), 0);
	memcpy(bytes, &good, sizeof(good));
	ck_assert_uint_eq(load_bytes(bytes, len, &rc), 4);
	free(bytes);
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = {
	    what_was_written_is_there,
	    labels_and_names_go_on_to_mean_what_they_did,
	    only_the_first_reader_takes_it_for_the_last,
	    what_was_purged_does_not_come_back,
	    what_the_cache_has_stays,
	    one_that_is_filled_is_not_written,
	    a_full_cache_takes_no_more,
	    a_full_disk_is_told,
	    another_cache_is_not_mixed_in,
	    a_flipped_bit_costs_what_it_is_in,
	    a_cut_file_gives_what_is_before,
	    hostile_lengths_are_refused,
	    records_of_another_file_do_not_fit,
	    another_version_is_not_read,
	};

	return unit_run_in("snapshot", tests, NELEMS(tests), set_up, tear_down);
}
