/* bench/cache: the cache in the shared memory by itself, without HTTP: traces
 * are replayed through it and through an LRU that may hold as many bytes.
 * Prints one line of JSON for each: the ratio of hits of both, and what a
 * search (with its pin and unpin), a beginning and an end cost in nanoseconds
 * (median and 99th percentile). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/hist.h"
#include "bench/trace.h"
#include "common/base/num.h"
#include "common/shm/wake.h"
#include "common/store/objects.h"

#define NAMES 100000u
#define ALPHA 0.9
#define MIB (UINT64_C(1) << 20)
#define MEMORY_MIB 64u
#define REQUESTS 2000000u
/* Of so many requests each second half is a run over names that come once. */
#define SCAN_TURN 20000u
/* Requests after which an object is stale, in the trace of that. */
#define TTL 200000u
/* Bytes of bodies: a power of two from the least on, and up to one more. */
#define BODY_MIN 256u
#define BODY_POWERS 7u
#define HEAD_LEN 300u
#define BLOCK 512u

struct bench {
	struct segment *segment;
	struct slots *slots;
	struct wake_fds wakes;
	struct objects *cache;
	struct objects_view *view;
	struct zipf zipf;
	struct hist find, begin, finish;
	uint64_t random;
	uint32_t n_scanned;
	uint32_t *stored; /* when, by name; 0: never */
};

/* What is asked for next. */
typedef uint32_t next_f(struct bench *b, uint32_t i);

static uint64_t
now_ns(void)
{
	struct timespec t;

	REQUIRE(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Of each name always the same. */
static uint32_t
body_len(uint32_t name)
{
	uint64_t x = trace_mix(name + 1u);
	uint32_t least = BODY_MIN << (x % BODY_POWERS);

	return least + (uint32_t)(x >> 32) % least;
}

static uint32_t
blocks_of(uint32_t name)
{
	return (body_len(name) + BLOCK - 1) / BLOCK + 1;
}

static struct obj_key
key_of(const struct bench *b, uint32_t name)
{
	return objects_key(b->view, span_of((const char *)&name, sizeof(name)));
}

static enum obj_state
bench_find(struct bench *b, const struct obj_key *k)
{
	uint64_t from = now_ns();
	bool is_updating;
	struct obj_ref r;
	enum obj_state state = objects_find(b->view, k, &r, &is_updating);

	if (state != OBJ_NONE) {
		objects_touch(b->view, r);
		objects_unpin(b->view, r);
	}
	hist_add(&b->find, now_ns() - from);
	return state;
}

static void
bench_store(struct bench *b, uint32_t name, const struct obj_key *k)
{
	static char body[BODY_MIN << (BODY_POWERS + 1)];
	struct obj_head h = {SPAN_LIT("/name"), NULL, 0, {body, HEAD_LEN}};
	uint32_t len = body_len(name);
	uint64_t from = now_ns();
	struct obj_ref r;

	REQUIRE(objects_begin(b->view, k, &r) == OBJ_BEGUN);
	hist_add(&b->begin, now_ns() - from);
	REQUIRE(objects_set_head(b->view, r, &h, len));
	REQUIRE(objects_append(b->view, r, body, len));
	from = now_ns();
	REQUIRE(objects_finish(b->view, r));
	hist_add(&b->finish, now_ns() - from);
	objects_unpin(b->view, r);
}

/* One request. Whether it was a hit. */
static bool
bench_ask(struct bench *b, uint32_t name, uint32_t i, uint32_t ttl)
{
	struct obj_key k = key_of(b, name);
	bool is_hit = bench_find(b, &k) == OBJ_READY;

	if (is_hit && (ttl == 0 || i - b->stored[name] < ttl))
		return true;
	bench_store(b, name, &k);
	b->stored[name] = i;
	return false;
}

/* --- traces --------------------------------------------------------------- */

static uint32_t
next_zipf(struct bench *b, uint32_t i)
{
	(void)i;
	return zipf_next(&b->zipf, &b->random);
}

static uint32_t
next_scan(struct bench *b, uint32_t i)
{
	if (i % SCAN_TURN < SCAN_TURN / 2)
		return zipf_next(&b->zipf, &b->random);
	return NAMES + b->n_scanned++;
}

/* --- a run ---------------------------------------------------------------- */

static void
bench_open(struct bench *b, uint64_t memory, uint32_t n_names)
{
	int slot;

	memset(b, 0, sizeof(*b));
	b->segment = segment_new(memory + 16 * MIB);
	REQUIRE(b->segment != NULL);
	b->slots = slots_map(b->segment, true);
	REQUIRE(b->slots != NULL && wake_open(&b->wakes) == 0);
	slot = slots_take(b->slots, SLOT_WORKER, 1, 1);
	b->cache = objects_claim(b->segment, SPAN_LIT("bench"), memory);
	REQUIRE(b->cache != NULL && slot >= 0);
	b->view = objects_view_new(b->cache, b->slots, &b->wakes,
	    (struct slot_name){(uint32_t)slot, 1});
	zipf_init(&b->zipf, NAMES, ALPHA);
	b->stored = calloc(n_names, sizeof(*b->stored));
	REQUIRE(b->stored != NULL);
}

static void
bench_close(struct bench *b)
{
	free(b->stored);
	zipf_fini(&b->zipf);
	objects_view_free(b->view);
	objects_unclaim(b->segment, b->cache);
	wake_close(&b->wakes);
	segment_free(b->segment);
}

static void
put_hist(const char *name, const struct hist *h)
{
	(void)printf(", \"%s_ns\": [%llu, %llu]", name,
	    (unsigned long long)hist_quantile(h, 0.5),
	    (unsigned long long)hist_quantile(h, 0.99));
}

/* An LRU of the bytes that the cache came to hold, on the same trace. */
static double
lru_ratio(struct bench *b, uint32_t n, next_f *next, uint32_t ttl)
{
	struct obj_stats s;
	struct lru l;
	uint32_t n_hits = 0;

	objects_stats(b->cache, &s);
	lru_init(&l, s.used / BLOCK, NAMES + n);
	memset(b->stored, 0, ((size_t)NAMES + n) * sizeof(*b->stored));
	b->random = 1;
	b->n_scanned = 0;
	for (uint32_t i = 1; i <= n; i++) {
		uint32_t name = next(b, i);
		bool is_hit = lru_use(&l, name, blocks_of(name));

		if (is_hit && (ttl == 0 || i - b->stored[name] < ttl))
			n_hits++;
		else
			b->stored[name] = i;
	}
	lru_fini(&l);
	return (double)n_hits / n;
}

static void
bench_run(
    const char *trace, uint64_t memory, uint32_t n, next_f *next, uint32_t ttl)
{
	struct bench *b = calloc(1, sizeof(*b));
	uint32_t n_hits = 0;
	double ours;

	REQUIRE(b != NULL);
	bench_open(b, memory, NAMES + n);
	b->random = 1;
	for (uint32_t i = 1; i <= n; i++)
		n_hits += bench_ask(b, next(b, i), i, ttl);
	ours = (double)n_hits / n;
	(void)printf("{\"trace\": \"%s\", \"requests\": %u, \"hits\": %.4f, "
		     "\"lru_hits\": %.4f",
	    trace, n, ours, lru_ratio(b, n, next, ttl));
	put_hist("find", &b->find);
	put_hist("begin", &b->begin);
	put_hist("finish", &b->finish);
	(void)printf("}\n");
	bench_close(b);
	free(b);
}

static _Noreturn void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: cache [-m MIB of memory] [-n REQUESTS of each trace]\n");
	exit(2);
}

static uint32_t
number(const char *text, uint32_t most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end != '\0' || n == 0 || n > most)
		usage();
	return (uint32_t)n;
}

int
main(int argc, char **argv)
{
	uint32_t memory = MEMORY_MIB;
	uint32_t n = REQUESTS;
	int c;

	while ((c = getopt(argc, argv, "m:n:")) != -1) {
		if (c == 'm')
			memory = number(optarg, UINT32_C(1) << 16);
		else if (c == 'n')
			n = number(optarg, UINT32_C(1) << 30);
		else
			usage();
	}
	bench_run("zipf", memory * MIB, n, next_zipf, 0);
	bench_run("scan", memory * MIB, n, next_scan, 0);
	bench_run("ttl", memory * MIB, n, next_zipf, TTL);
	return 0;
}
