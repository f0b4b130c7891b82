/* shm/segment: the one block of memory that all processes share: a sparse,
 * sealed memfd mapped before the first fork. A super block and a directory of
 * ranges come first; each tenant (slots, counters, later caches and limits) is
 * a range found by kind, name, version and size. Nothing in it is a pointer.
 * Bytes and protocol: doc/shm.md. */
#ifndef GH_SEGMENT_H
#define GH_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_MAGIC 0x67617465686f7573u /* "gatehous" */
#define SEGMENT_VERSION 3u
#define SEGMENT_NAME_CAP 48
#define SEGMENT_RANGES_MAX 1024
/* Masters that may live at once, while upgrades are under way. */
#define SEGMENT_MASTERS 8
/* Virtual room; halved until the address space has it. */
#define SEGMENT_ROOM (UINT64_C(1) << 40)
#define SEGMENT_PAGE 4096u

enum segment_kind {
	SEGMENT_KIND_NONE = 0,
	SEGMENT_KIND_SLOTS,
	SEGMENT_KIND_COUNTERS,
	SEGMENT_KIND_REGISTRY,
	SEGMENT_KIND_UPSTATE,
	SEGMENT_KIND_NAMES,
	SEGMENT_KIND_TICKET_KEYS,
	SEGMENT_KIND_STRIKES,
	SEGMENT_KIND_STAPLES,
	SEGMENT_KIND_CACHE,
	SEGMENT_KIND_LIMITS,
	SEGMENT_KIND_SESSIONS,
	SEGMENT_KIND_UPQUEUE,
	SEGMENT_KIND_BANS,
	SEGMENT_KIND_HEADCOUNT,
	SEGMENT_KIND_CLOSURES,
	SEGMENT_KIND_HITTERS,
	SEGMENT_KIND_QUOTAS,
	SEGMENT_KIND_SPOTS,
	SEGMENT_KIND_TALLY,
	SEGMENT_KIND_COLLECTIONS,
	SEGMENT_KIND_VISITS,
	SEGMENT_KIND_DECISIONS,
	SEGMENT_KIND_CRAWLERS,
	SEGMENT_KIND_SPANS,
	SEGMENT_KIND_RULEHITS,
	SEGMENT_KIND_LOGLEVEL
};

/* What a tenant asks for. */
struct segment_want {
	enum segment_kind kind;
	uint32_t version; /* layout of what lives there */
	uint64_t size; /* bytes of room */
	uint64_t commit; /* of these, from the start, usable at once */
	const char *name; /* shorter than SEGMENT_NAME_CAP */
};

/* Who repairs, see doc/shm.md 6. */
struct segment_lease {
	_Atomic uint64_t owner; /* struct slot_name as a word; 0: nobody */
	_Atomic uint64_t renewed_ms; /* CLOCK_MONOTONIC */
};

struct segment;

/* Make and map a segment that may use `budget` bytes of memory. The caller is
 * master number 1. NULL with errno; ENOMEM when the budget cannot even hold the
 * super block. */
struct segment *segment_new(uint64_t budget);
/* Map one that was inherited as a descriptor, as the next master. NULL with
 * errno: EPROTO when its magic, version or layout is not ours, EBUSY when too
 * many masters before this one still live. */
struct segment *segment_open(int fd);
void segment_free(struct segment *s);
int segment_fd(const struct segment *s);
/* The budget becomes another one; what is committed stays. Master only. */
void segment_set_budget(struct segment *s, uint64_t budget);
uint64_t segment_budget(const struct segment *s);
uint64_t segment_committed(const struct segment *s);

/* The number of this master, from 1; children inherit it. */
uint64_t segment_epoch(const struct segment *s);
/* Where this master counts in refs[SEGMENT_MASTERS]. */
uint32_t segment_party(uint64_t epoch);
/* A number that no generation had before. Master only. */
uint32_t segment_next_generation(struct segment *s);
/* A master of this segment that has ended, other than this one. false: there is
 * none. Master only. */
bool segment_find_gone(struct segment *s, uint64_t *epoch);
/* Its claims of ranges fall, and its place is free: the last thing that is done
 * about it. Master only. */
void segment_forget(struct segment *s, uint64_t epoch);
/* Give back what nobody uses any more and somebody held when it was given up.
 * To be called now and then; only the newest master does it. Master only. */
void segment_sweep(struct segment *s);
struct segment_lease *segment_lease(struct segment *s);

/* Find the range or make it, and count one user more. Pages are zero when the
 * range is new. NULL with errno: ENOSPC (directory or room), else as segment_fits().
 * Master only. */
void *segment_claim(struct segment *s, const struct segment_want *w);
/* One user less; with the last one of all masters the range is given back.
 * `at` is what segment_claim() gave. Master only. */
void segment_unclaim(struct segment *s, const void *at);
/* Find it, for anybody: NULL when it is not there. `commit` is not looked at.
 */
void *segment_find(struct segment *s, const struct segment_want *w);

/* A range as the directory has it. */
struct segment_found {
	void *at;
	uint64_t size;
	uint32_t number; /* of its entry: names it while it is there */
	uint64_t holder; /* see segment_hold(); 0: nobody */
	char name[SEGMENT_NAME_CAP]; /* NUL-terminated */
};

/* Walk the ranges of a kind and version: *at begins with 0. The next one, or
 * false at the end. For anybody. */
bool segment_next(struct segment *s, enum segment_kind kind, uint32_t version,
    uint32_t *at, struct segment_found *out);

/* Keep a range from being given back while one who is of no generation works in
 * it: `who` (not 0) in the place of f->holder, which the caller knows to be
 * nobody or dead. false: another one came first, or the range is gone. A master
 * gives back what was held when it claims or gives up the next. */
bool segment_hold(
    struct segment *s, const struct segment_found *f, uint64_t who);
void segment_let_go(
    struct segment *s, const struct segment_found *f, uint64_t who);

/* Whether so many bytes more could be committed. false with errno: ENOMEM (the
 * budget), EFBIG (the machine has less free). */
bool segment_fits(const struct segment *s, uint64_t len);

/* Make more of a range usable: the pages that hold `len` bytes from `at`. What
 * is committed already costs nothing. -1 with errno (ENOMEM). Master only. */
int segment_commit(struct segment *s, const void *at, uint64_t len);
/* The same for a whole structure that has a word of its own for it, once: it says
 * whether there is memory. false: there is none (ENOMEM). Master only. */
bool segment_ready(struct segment *s, const void *at, uint64_t len,
    _Atomic uint32_t *is_ready);

#endif
