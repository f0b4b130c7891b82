/* fuzz/snapshot: a file that a cache is filled from. A fuzzer finds no sums, so
 * they are made right: the first byte says how many of the records are signed,
 * the rest is the file behind its first bytes. */
#include "t/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "common/store/snapshot_int.h"

#define MEMORY (UINT64_C(1) << 20)

struct fuzz_cache {
	struct segment *segment;
	struct slots *slots;
	struct wake_fds wakes;
	struct objects *cache;
	struct objects_view *v;
};

static void
cache_open(struct fuzz_cache *c)
{
	int slot;

	c->segment = segment_new(64 * MEMORY);
	REQUIRE(c->segment != NULL);
	c->slots = slots_map(c->segment, true);
	REQUIRE(c->slots != NULL && wake_open(&c->wakes) == 0);
	c->cache = objects_claim(c->segment, span_str("pages"), MEMORY);
	REQUIRE(c->cache != NULL);
	slot = slots_take(c->slots, SLOT_STEWARD, 0, 1);
	REQUIRE(slot >= 0);
	c->v = objects_view_new(c->cache, c->slots, &c->wakes,
	    (struct slot_name){
		(uint32_t)slot, atomic_load(&c->slots->at[slot].incarnation)});
}

static void
cache_close(struct fuzz_cache *c)
{
	const char *why = "";

	for (int i = 0; i < 100 && (objects_sweep(c->v) || i < 3); i++)
		continue;
	REQUIRE(objects_check(c->v, &why));
	objects_view_free(c->v);
	objects_unclaim(c->segment, c->cache);
	wake_close(&c->wakes);
	segment_free(c->segment);
}

/* Make the sums right of n records that follow each other. */
static void
sign(const struct snapshot_top *top, char *p, size_t len, unsigned n)
{
	struct snapshot_record r;
	size_t at = 0;

	for (; n > 0 && len - at >= sizeof(r); n--) {
		uint64_t data;

		memcpy(&r, p + at, sizeof(r));
		data = snapshot_head_len(&r) + r.body_len;
		if (data <= len - at - sizeof(r))
			r.data_sum = siphash(&top->seal,
			    span_of(p + at + sizeof(r), (size_t)data));
		r.sum = snapshot_record_sum(top, &r);
		memcpy(p + at, &r, sizeof(r));
		if (data > len - at - sizeof(r))
			return;
		at += sizeof(r) + (size_t)data;
	}
}

static int
file_of(const struct fuzz_cache *c, const uint8_t *data, size_t size)
{
	span in = fuzz_dup(span_of((const char *)data, size));
	char *p = (char *)(uintptr_t)in.p;
	struct snapshot_top top;
	int fd = memfd_create("snapshot", MFD_CLOEXEC);

	snapshot_top_init(&top);
	memcpy(top.key, c->v->key, sizeof(top.key));
	top.sum = snapshot_top_sum(&top);
	sign(&top, p + 1, size - 1, data[0]);
	REQUIRE(fd >= 0);
	REQUIRE(write(fd, &top, sizeof(top)) == sizeof(top));
	REQUIRE(write(fd, p + 1, size - 1) == (ssize_t)size - 1);
	fuzz_free(in);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_cache c;
	struct snapshot_reader *r;
	struct snapshot_counts n;
	struct obj_stats s;
	enum snapshot_rc rc;

	if (size == 0)
		return 0;
	cache_open(&c);
	r = snapshot_reader_new(file_of(&c, data, size), (data[0] & 1) != 0);
	while ((rc = snapshot_read(r, c.v)) == SNAPSHOT_MORE)
		continue;
	n = snapshot_loaded(r);
	objects_stats(c.cache, &s);
	REQUIRE(s.filling == 0 && s.objects <= n.objects);
	REQUIRE(n.bytes <= size + sizeof(struct snapshot_top));
	snapshot_reader_free(r);
	cache_close(&c);
	return 0;
}
