/* store/objects: one cache in the segment: objects of a head and a body, found
 * by a 128-bit key, filled by one process while others already read, evicted
 * when memory is short. Knows nothing of HTTP: a head is bytes, a label is a
 * number, a name is text. Every worker works on it at once, and any of them may
 * die at any instruction. Bytes and protocol: doc/shm.md 6.6.
 *
 * An object is FILLING (one process writes, its body may grow), READY (whole),
 * or gone: no longer found, kept while somebody has it pinned. A body is never
 * changed once written; a head may be replaced, so a reader gets a copy. */
#ifndef GH_OBJECTS_H
#define GH_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/base/siphash.h"
#include "common/base/span.h"
#include "common/shm/segment.h"
#include "common/shm/slot.h"
#include "common/shm/wake.h"

/* Bytes of a head, name and labels included. */
#define OBJECTS_HEAD_MAX (64u * 1024)
/* Labels of one object. */
#define OBJECTS_LABELS_MAX 64u
/* Bytes of a cache's name. */
#define OBJECTS_NAME_MAX (SEGMENT_NAME_CAP - sizeof("cache "))
/* The least memory a cache can have. */
#define OBJECTS_MEMORY_MIN (UINT64_C(1) << 20)
/* Length of a body that is not known before its end. */
#define OBJECTS_OPEN UINT64_MAX

/* The cache itself, as all processes share it. */
struct objects;

/* --- master --------------------------------------------------------------- */

/* Find the cache of that name in the segment, or make it; `memory` bytes hold
 * objects, index and all, from now on, also when it is less or more than
 * before: what it holds stays as far as there is room. One generation more uses
 * it. NULL with errno (ENOMEM: the budget; ENOSPC: no room). */
struct objects *objects_claim(struct segment *s, span name, uint64_t memory);
void objects_unclaim(struct segment *s, struct objects *o);
/* `memory` from now on, as objects_claim() does it; -1 with errno. */
int objects_set_memory(struct objects *o, uint64_t memory);
uint64_t objects_memory(const struct objects *o);
/* Whether this claim made it: no process has worked on it yet. */
bool objects_is_new(const struct objects *o);
/* One that is new makes the keys that a cache with these made. */
void objects_use_keys(struct objects *o, const struct sipkey key[2]);

/* --- anybody -------------------------------------------------------------- */

/* Walk the caches of a segment as it is now: *at begins with 0. The next one,
 * or NULL at the end; it is not given back before objects_walk_end(). For one
 * who is of no generation and has a slot. *is_partial becomes true when another
 * one that walks at the same time has one, which is left out here. */
struct objects *objects_walk(struct segment *s, const struct slots *slots,
    struct slot_name me, uint32_t *at, bool *is_partial);
void objects_walk_end(struct objects *o, struct slot_name me);

/* As it was claimed; valid while `o` is. Two have the same name while an older
 * generation has one that was too small for the next. */
span objects_name(const struct objects *o);

/* --- a process that works on it ------------------------------------------- */

/* What this process keeps of a cache: its pins, its place in queues. */
struct objects_view;

/* Never NULL. `slots` and `wakes` must live as long. */
struct objects_view *objects_view_new(struct objects *o, struct slots *slots,
    const struct wake_fds *wakes, struct slot_name me);
/* All pins must have been given back. */
void objects_view_free(struct objects_view *v);

struct obj_key {
	uint64_t h[2];
};

/* The key of a text, with keys drawn when the cache was made, so that nobody
 * can aim at a bucket. */
struct obj_key objects_key(const struct objects_view *v, span text);
/* The label of a text: a number that nobody can aim at either. */
uint64_t objects_label(const struct objects_view *v, span text);
/* The key of the same text for one of several variants. */
struct obj_key objects_key_of(
    const struct objects_view *v, struct obj_key base, span variant);

/* A pinned object. `at` 0: none. */
struct obj_ref {
	uint32_t at;
	uint32_t gen;
};

enum obj_state {
	OBJ_NONE, /* there is none */
	OBJ_FILLING, /* somebody fills it; head and body may not be there yet */
	OBJ_READY, /* whole */
	OBJ_BROKEN /* its filler died or gave up: it is a beginning */
};

/* Find and pin. READY before FILLING when both exist under the key;
 * *is_updating: a second one is being filled (only with READY). The caller
 * unpins. May miss what another process is changing at this moment. */
enum obj_state objects_find(struct objects_view *v, const struct obj_key *k,
    struct obj_ref *out, bool *is_updating);
/* One more pin of what is pinned already. */
void objects_pin(struct objects_view *v, struct obj_ref r);
void objects_unpin(struct objects_view *v, struct obj_ref r);
/* It was used: eviction should think better of it. */
void objects_touch(struct objects_view *v, struct obj_ref r);

/* What stands before a body. Bounds are the caller's to keep. */
struct obj_head {
	span name; /* for purging by name, and for people */
	const uint64_t *labels; /* for purging by label */
	uint32_t n_labels;
	span bytes; /* the caller's own */
};

/* A copy of the head in `buf`, into which *out points. 0: copied; > 0: that
 * many bytes are needed, nothing was copied; -1: there is no head yet, or it
 * was being replaced all the time. */
ssize_t objects_head(struct objects_view *v, struct obj_ref r, void *buf,
    size_t cap, struct obj_head *out);

struct obj_facts {
	enum obj_state state; /* NONE: it was pinned and is no longer found,
	                         but what was there can be read to its end */
	bool has_head;
	bool is_gone; /* no longer found under its key */
	bool is_soft; /* purged softly: to be validated before use */
	bool is_outgrown; /* BROKEN by objects_outgrow() */
	bool is_awaited; /* some process asked to be woken, objects_wait() */
	uint64_t filled; /* bytes of body that can be read now */
	uint64_t length; /* of the whole body, OBJECTS_OPEN while unknown */
	uint32_t uses; /* since it was made, about */
	uint64_t born_ms; /* CLOCK_MONOTONIC of objects_begin() */
};
void objects_facts(
    struct objects_view *v, struct obj_ref r, struct obj_facts *out);

/* Up to n pieces of the body from `off` on, `max` bytes together, straight in
 * the segment: valid while it is pinned. Returns how many; *bytes their sum. */
int objects_body(struct objects_view *v, struct obj_ref r, uint64_t off,
    uint64_t max, struct iovec *iov, int n, uint64_t *bytes);

/* --- filling -------------------------------------------------------------- */

enum obj_begin {
	OBJ_BEGUN, /* *out is yours to fill, pinned, and found as FILLING */
	OBJ_OTHER, /* another one is filling it: *out is that one, pinned */
	OBJ_NO_ROOM /* no memory, or too busy: do without */
};

/* Begin one under a key. A READY one under it goes on being found until this
 * one is finished. */
enum obj_begin objects_begin(
    struct objects_view *v, const struct obj_key *k, struct obj_ref *out);
/* The same for what is made of the same answer as `of`, which is pinned and was
 * begun when that was asked for: purges that mean `of` mean this one, though they
 * be over. */
enum obj_begin objects_begin_as(struct objects_view *v, const struct obj_key *k,
    struct obj_ref of, struct obj_ref *out);
/* Purges up to a moment do not mean what is begun behind it: now, or when a
 * pinned one was begun or renewed. */
uint64_t objects_moment(const struct objects_view *v);
uint64_t objects_moment_of(const struct objects_view *v, struct obj_ref r);
/* Give it a head, its first or, READY or FILLING, another one; `length` of the
 * body or OBJECTS_OPEN counts with the first. false: no memory, or too busy;
 * the one before stays. */
bool objects_set_head(struct objects_view *v, struct obj_ref r,
    const struct obj_head *head, uint64_t length);
/* One that is pinned and READY was validated by who asked at that moment: what
 * purges said of it softly before is done with. */
void objects_renew(struct objects_view *v, struct obj_ref r, uint64_t moment);
/* Append to the body of one that is yours to fill; readers see it at once.
 * false: no memory (evicting did not help), or more than its length: give up.
 */
bool objects_append(
    struct objects_view *v, struct obj_ref r, const void *p, size_t len);
/* It is whole: READY, and what stood under its key is no longer found. It must
 * have a head and all of its length; false: it was abandoned instead. When it
 * is whole but was purged meanwhile, or the index was too busy: false, too, but
 * those who have it pinned find all of it, and not BROKEN. */
bool objects_finish(struct objects_view *v, struct obj_ref r);
/* It will not become whole: BROKEN for those who read it, no longer found. */
void objects_abandon(struct objects_view *v, struct obj_ref r);
/* The same, because there is more of it than is kept: what broke is not where it
 * came from. */
void objects_outgrow(struct objects_view *v, struct obj_ref r);

/* Wake this process, with objects_token(), when the object's head, body or
 * state has changed since the caller looked last: call it, then look at the
 * facts once more, then wait. Once: call it again after each wake-up. A wake-up
 * may come for nothing, and only a later one when the filler dies. */
void objects_wait(struct objects_view *v, struct obj_ref r);
/* Tokens name a cache and an object; those below OBJECTS_TOKEN_MIN are not
 * ours. */
#define OBJECTS_TOKEN_MIN (UINT64_C(1) << 32)
uint64_t objects_token(const struct objects_view *v, struct obj_ref r);
/* Number of the cache that a token names, and the object's place. */
uint32_t objects_token_cache(uint64_t token);
uint32_t objects_token_at(uint64_t token);
/* A small number that names this cache among all of the segment. */
uint32_t objects_number(const struct objects *o);

/* --- taking out ----------------------------------------------------------- */

/* No longer found. What is pinned stays readable. */
void objects_drop(struct objects_view *v, struct obj_ref r);
/* To be validated before its next use. */
void objects_drop_softly(struct objects_view *v, struct obj_ref r);

/* What is to go. */
enum obj_purge_what {
	OBJ_PURGE_ALL,
	OBJ_PURGE_PREFIX, /* whose name begins with the text */
	OBJ_PURGE_LABEL, /* that have the label */
	OBJ_PURGE_NAME /* whose name is the text */
};

struct obj_purge {
	enum obj_purge_what what;
	bool is_soft;
	span text; /* shorter than OBJECTS_PURGE_CAP */
	uint64_t label;
};
#define OBJECTS_PURGE_CAP 2048

/* Everything that matches and was begun before this call is not found any more
 * when it returns, by no process. false: too many purges at once, try again
 * soon. Memory comes back when the steward has swept. */
bool objects_purge(struct objects_view *v, const struct obj_purge *p);

/* How often the key was asked for lately, counting this one, about (never less
 * than truth, halved now and then). For storing only what is asked for again.
 */
uint32_t objects_count_use(struct objects_view *v, const struct obj_key *k);

/* --- steward -------------------------------------------------------------- */

/* Mend what a dead process left: what it filled is BROKEN and its readers are
 * woken, its pins fall, what it was taking out is taken out. false: the living
 * were too busy, it must be called again. */
bool objects_repair(struct objects_view *v, uint32_t dead);
/* A bounded piece of what is to be done now and then: take out what purges
 * named, end purges that were swept, hold a lowered quota. Returns whether more
 * waits. */
bool objects_sweep(struct objects_view *v);
/* Whether all is whole, while nobody works: no leak, no overlap, no lock. Says
 * what is wrong in `why` (NULL allowed). */
bool objects_check(struct objects_view *v, const char **why);

/* Walk READY objects: *at begins with 0. The next one, pinned, or false at the
 * end. For snapshots and sweeps. */
bool objects_next(struct objects_view *v, uint32_t *at, struct obj_ref *out);

struct obj_stats {
	uint64_t memory; /* quota in bytes */
	uint64_t used; /* bytes of blocks in use */
	uint64_t objects; /* READY */
	uint64_t filling;
	uint64_t evicted; /* ever */
	uint64_t broken; /* fills that died or were given up, ever */
	uint64_t repaired; /* objects lost to a death, ever */
	uint64_t purges; /* that are not swept yet */
};
void objects_stats(const struct objects *o, struct obj_stats *out);

#endif
