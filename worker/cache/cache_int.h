/* cache/cache_int: between the files of worker/cache. */
#ifndef GH_CACHE_INT_H
#define GH_CACHE_INT_H

#include "common/base/iptrie.h"
#include "common/base/list.h"
#include "common/http/cachestatus.h"
#include "common/http/conditional.h"
#include "common/http/freshness.h"
#include "common/http/ranges.h"
#include "common/http/storable.h"
#include "common/store/kept.h"
#include "common/store/objects.h"
#include "common/store/tally.h"
#include "worker/cache/cache.h"
#include "worker/exch/exch.h"
#include "worker/exch/plan.h"
#include "worker/exch/tmpl.h"

/* --- the plan side -------------------------------------------------------- */

struct cache {
	span name;
	struct place at;
	uint32_t index; /* in plan.caches */
	uint32_t tally; /* id of its numbers (store/tally) */
	struct objects *objects; /* NULL: nothing is shared (-t, explain) */
	struct tmpl key;
	const span *ignored; /* names of query arguments; `*` at the end */
	uint32_t n_ignored;
	bool sorts_query;
	bool coalesces;
	bool tells_status;
	uint64_t max_object;
	uint64_t slice; /* length of slices of what is longer; 0: none */
	uint32_t stale_while_revalidate_s;
	uint32_t stale_if_error_s;
	uint32_t negative_ttl_s;
	span tag_header; /* empty: answers have no tags */
	struct plan_access purgers; /* whose PURGE is obeyed, if anybody's */
};

/* --- keys ----------------------------------------------------------------- */

/* What makes two requests the same, as text that no two different ones share,
 * in the exchange's arena. `at`: another path and query than the request's, or
 * NULL. */
span cache_key_text(
    struct exch *x, const struct cache *c, const struct forget *at);
/* The name of the URL (uri_write_name()) for people and for purges, with what
 * counts of its query, in the exchange's arena. */
span cache_url(struct exch *x, const struct cache *c);
/* scheme://host that the request is for, with a port that is not the usual one,
 * in the exchange's arena. */
span cache_origin(struct exch *x);
/* The key of a dictionary of that origin. */
struct obj_key cache_dictionary_key(struct exch *x, struct objects_view *v,
    const unsigned char hash[DICTIONARY_HASH_LEN]);

/* --- waiting for objects -------------------------------------------------- */

/* An exchange that waits for news of an object. */
struct cache_waiter {
	struct list node;
	uint32_t index; /* of the cache */
	uint32_t at; /* the object's place */
	struct exch *x;
};

#define CACHE_WAIT_LISTS 256

struct cache_worker {
	struct worker *w;
	struct objects_view **views; /* by index of the cache */
	uint32_t n;
	struct list waiting[CACHE_WAIT_LISTS]; /* of struct cache_waiter */
	struct list fills; /* of struct cache_fill */
	uint32_t n_fills;
};

/* Wake x when the object changes next; look at the facts after it. */
void cache_wait(
    struct cache_worker *cw, struct cache_waiter *wait, struct obj_ref ref);
void cache_wait_end(struct cache_waiter *wait);
/* Kick those of this process who wait for an object that it changes itself. */
void cache_wake_own(struct cache_worker *cw, uint32_t index, uint32_t at);

/* --- one exchange's part -------------------------------------------------- */

enum cached_mode {
	CACHED_ASIDE, /* a server answers as if there was no cache */
	CACHED_WAITING, /* for a fill's head */
	CACHED_SERVING, /* from an object */
	CACHED_PASSING /* a fill's answer goes through, it is not kept */
};

/* A piece of the content to send. */
struct cached_piece {
	bool is_text;
	span text;
	struct range range; /* of the object's body */
};

/* Pieces of one answer: a head and bytes for each part, and an end. */
#define CACHED_PIECES (2 * RANGES_MAX + 1)

struct cached {
	const struct cache *cache;
	struct cache_worker *cw;
	struct objects_view *view;
	struct exch_access *purger; /* may it purge? NULL: nobody asked yet */
	enum cached_mode mode;
	enum cache_result result;
	struct cache_policy policy;
	struct cc cc; /* the request's directives */
	struct obj_key base; /* of the URL */
	struct obj_key
	    key; /* of what is looked for: the URL's or a variant's */
	span vary; /* names that select the variant; empty: the URL has one */
	uint64_t moment; /* objects_moment() when the request began */
	struct obj_ref ref; /* pinned: what is served, or waited for */
	struct kept *kept; /* head of what is served, or may be */
	struct kept
	    *own; /* to be served in its place to this client; or NULL */
	uint64_t length; /* of its body, OBJECTS_OPEN while unknown */
	struct validators validators; /* of it; see cache_validators() */
	bool has_validators;
	bool is_part; /* it is a part of the whole: `part` */
	struct content_range part;
	const struct kept *mark; /* of the URL's variants, or NULL */
	struct reuse_verdict verdict;
	struct cache_fill *fill; /* that this exchange caused, or NULL */
	struct cache_waiter wait;
	uint32_t tries; /* times it looked */
	enum cache_fwd fwd;
	bool is_updating; /* a newer one of what is kept is being filled */
	bool is_collapsed;
	bool is_fetched; /* the origin made it for this request */
	bool wants_whole; /* nothing is fetched in slices */
	struct cached_slices *slices; /* what is read from, or NULL */
	struct cached_piece *pieces;
	uint32_t n_pieces;
	uint32_t piece; /* the one being sent */
	uint64_t sent; /* bytes of it that were pushed */
};

/* Times that a request waits for another one's fill before it goes alone. */
#define CACHED_TRIES 4

extern const struct handler cache_handler;

enum look {
	LOOK_NOTHING,
	LOOK_OTHERS, /* there are variants, but none for this request */
	LOOK_ANSWER, /* c->ref is pinned, c->kept read */
	LOOK_FILLING, /* c->ref is pinned; its head is not there yet */
	LOOK_PASS
};

/* What c->kept is told apart by, read when it is first asked for. */
const struct validators *cache_validators(struct cached *c);
/* Whether what is kept, if it is a part, holds all that is asked for. */
bool cache_part_covers(const struct exch *x, struct cached *c);
/* What is kept for the request. What was pinned before is given back. */
enum look cache_look(struct exch *x, struct cached *c);
/* Read the head of c->ref into c->kept. false: there is none. */
bool cache_read_head(struct exch *x, struct cached *c);
void cache_unpin(struct cached *c);
/* What was begun under the key before now is not found any more; softly: not
 * without being validated. */
void cache_forget(
    struct objects_view *v, const struct obj_key *key, bool is_soft);
int64_t cache_now_s(const struct exch *x);
/* The key of the variant that the request of x selects by these names, in the
 * life of the mark. false: it selects none. */
bool cache_variant_key(const struct cached *c, const struct kept *mark,
    span names, struct exch *x, struct obj_key *out);
/* A PURGE by somebody who may: do it and answer. */
enum verdict cache_purge(struct exch *x, struct cached *c);

/* Answer with c->ref, whole, in part or by 304. */
void cache_serve(struct exch *x, struct cached *c);
/* Whether content answers the request; *out is what holds all of it, *at the
 * byte that it begins with. */
bool cache_serves_from(
    const struct exch *x, struct cached *c, struct range *out, uint64_t *at);
/* only-if-cached, and it is not. */
enum verdict cache_timeout(struct exch *x, struct cached *c);
/* Move content of c->ref into the answer. Whether anything moved. */
bool cache_serve_step(struct exch *x, struct cached *c);

/* --- codings -------------------------------------------------------------- */

/* struct handler, code(). */
bool cache_code(struct exch *x, enum coding coding, uint64_t *length);
/* Gives the content of what is coded. */
extern const struct handler coded_handler;

/* Count what became of the request. */
void cache_count(struct exch *x);
/* x->cache_result, as far as it is known. */
void cache_note_result(struct exch *x);
/* Our member of Cache-Status and Age, as the answer needs them. */
void cache_tell(struct exch *x, struct cached *c);

/* --- slices --------------------------------------------------------------- */

/* Bytes of an entity-tag that ties slices together. */
#define SLICE_ETAG_MAX 256
/* How long it counts that the server had another version. */
#define SLICE_CHANGED_MS 5000

/* The content whose slices they are: no slice of another one has the same
 * key. */
struct slice_of {
	struct obj_key base; /* of the URL or of its variant */
	uint64_t size;
	uint64_t complete_len;
	span etag; /* strong; at most SLICE_ETAG_MAX */
};

/* An answer that is read out of slices, one pinned at a time. */
struct cached_slices {
	struct slice_of of;
	span url; /* the name of each */
	uint64_t first_at; /* the byte that the answer begins with */
	struct obj_ref ref; /* pinned; or at 0 */
	uint64_t number; /* of it */
	uint64_t ahead; /* number of the last one that was looked after early */
	uint32_t tries; /* times that this slice broke */
};

/* The bytes that slice `number` holds. */
struct range slice_range(const struct slice_of *of, uint64_t number);
struct obj_key slice_key(
    const struct objects_view *v, const struct slice_of *of, uint64_t number);
/* The slice that a request whose content is not known yet is for, or the one
 * that begins it. */
struct range slice_probe(const struct exch *x, uint64_t size);

/* Get the slice that the answer of c->kept begins with. false: not yet, or it
 * cannot be had; slices_pump() goes on. */
bool slices_begin(struct exch *x, struct cached *c);
/* While that is awaited. Whether anything moved. */
bool slices_pump(struct exch *x, struct cached *c);
/* Content of the range, which began c->sent bytes ago, moves into the answer.
 * Whether anything moved; false: wait. */
bool slices_step(struct exch *x, struct cached *c, struct range r);
void slices_end(struct cached *c);

/* The rest of the range that is being sent comes from a server, past what is
 * kept; `etag` is what the client has begun to get. */
void rest_begin(struct exch *x, struct cached *c, struct range r, span etag);
/* Who read along what outgrew the cache reads on like that, if the server can
 * tell that it is the same. false: it breaks. */
bool rest_follow(struct exch *x, struct cached *c, struct range r);
/* Move content of it. Whether anything moved. */
bool rest_pass(struct exch *x, struct cached *c);

/* --- fills ---------------------------------------------------------------- */

enum fill_kind {
	FILL_WHOLE, /* the request's own answer */
	FILL_PROBE, /* a slice of it: how long it is, nobody knows */
	FILL_SLICE, /* of a content that is known */
	FILL_REST, /* what one client lacks of it, for that client alone */
	FILL_CODED /* content of `stale` in a coding */
};

enum fill_outcome {
	FILL_OPEN, /* no head yet */
	FILL_STORING, /* its object has a head and grows */
	FILL_PASSING, /* not to be shared: the client takes it as it comes */
	FILL_FRESHENED, /* what was stored is good again */
	FILL_UNSLICED, /* it has to be asked for as a whole */
	FILL_USELESS, /* for nobody: the client has to ask alone */
	FILL_FAILED /* no answer, or an error that a stale one replaces */
};

struct cache_fill {
	struct list node; /* of cache_worker.fills */
	struct cache_worker *cw;
	const struct cache *cache;
	struct objects_view *view;
	struct exch *y; /* the internal exchange, until it ends */
	struct exch *x; /* the client's that waits for it, or NULL */
	enum fill_kind kind;
	enum fill_outcome outcome;
	struct range asked; /* of all kinds but WHOLE */
	struct slice_of of; /* SLICE, REST; text in y's arena */
	struct obj_ref mark; /* PROBE: of the slices, pinned; or at 0 */
	uint64_t rest; /* REST, CODED: bytes that are still to come */
	bool is_taken; /* REST: x has all of it */
	struct obj_ref ref; /* what it fills, pinned; at 0: nothing any more */
	struct obj_key base;
	bool is_base; /* what it fills stands under the URL itself */
	struct cache_policy policy;
	/* in y's arena */
	span url;
	span vary; /* names that told this variant from others; or empty */
	struct obj_key key; /* of what it fills */
	struct obj_ref stale; /* what it validates, adds to or codes, pinned;
	                         or at 0 */
	bool is_adding; /* `stale` is a part that the answer may join */
	struct range joined; /* of it: what follows the answer's bytes */
	bool has_joined;
	bool is_spliced; /* the object has bytes of `stale`, too */
	uint64_t joined_base; /* where in the whole `stale` begins */
	/* in y's arena: variants that the server may say are good */
	const struct validators *others;
	const struct obj_key *other_keys;
	uint32_t n_others;
	bool may_answer_error; /* the stale one stands in for 5xx */
	enum fault_id fault; /* why it failed */
	int fault_errno;
	/* in y's arena: as kept_write() makes it, for x alone; or empty */
	span own_head;
	bool is_live; /* bytes come past the object now */
	struct cache_offer *offer; /* to be a dictionary; or NULL */
	uint64_t stored; /* bytes of the body that went into the object */
	struct sock_addr local;
	bool has_local;
};

/* Begin one for x, which waits for it, or goes its own way with is_background.
 * `ref` (FILLING, pinned, ours) becomes the fill's; c->ref is what it validates
 * when c->kept is set. */
void fill_begin(
    struct exch *x, struct cached *c, struct obj_ref ref, bool is_background);
/* Fetch a slice of c->slices into `ref` (FILLING, pinned, becomes the fill's);
 * nobody waits for this exchange. */
void fill_begin_slice(
    struct exch *x, struct cached *c, struct obj_ref ref, uint64_t number);
/* Fetch a range for x alone, whose fill it becomes. The complete length of `of`
 * may be RANGE_LEN_UNKNOWN; then the range goes to the end, wherever that is. */
void fill_begin_rest(struct exch *x, struct cached *c,
    const struct slice_of *of, struct range r);
/* Make the content of c->ref in that coding into `ref` (FILLING, pinned, becomes
 * the fill's), which stands under the key; nobody waits for it. */
void fill_begin_coded(struct exch *x, struct cached *c, struct obj_ref ref,
    const struct obj_key *key, enum coding coding);
/* x does not wait any more. */
void fill_leave(struct cache_fill *f);
/* Move content that is not kept from the fill to x. Whether anything moved. */
bool fill_pass(struct cache_fill *f, struct exch *x);
/* The head of such an answer, and what it cost, for x. */
void fill_hand_over(struct cache_fill *f, struct exch *x);
/* Between fill and put: it came to this; nobody waits for what it was to fill;
 * that will never be whole; there is more of it than is kept. */
void fill_settle(struct cache_fill *f, enum fill_outcome outcome);
void fill_release(struct cache_fill *f);
void fill_abandon(struct cache_fill *f);
void fill_outgrow(struct cache_fill *f);
/* Append bytes of another object's body, whose first has the number `base`, to
 * one that is filled. false: no room, or they are not there. */
bool fill_copy(struct objects_view *v, struct obj_ref to, struct obj_ref from,
    uint64_t base, struct range r);
/* What is stored becomes a dictionary when it is whole, if it wants to be one;
 * bytes are stored next; it is whole; nothing more comes of it. */
void dictionary_offer(struct cache_fill *f, struct exch *y, uint64_t length);
void dictionary_add(struct cache_fill *f, const void *p, size_t len);
void dictionary_keep(struct cache_fill *f);
void dictionary_drop(struct cache_fill *f);
/* Stage cache-put for an internal exchange. */
enum verdict fill_put(struct exch *y);
/* It outgrew the cache, or the room that there is: for a while nobody reads
 * along. */
void put_note_outgrown(struct cache_fill *f, bool is_too_long);
/* What the handler of x waited for broke: look again. */
void cache_look_again(struct exch *x, struct cached *c);
/* The handler of x goes on as if there was no cache. */
enum verdict cache_go_aside(struct exch *x, struct cached *c);

#endif
