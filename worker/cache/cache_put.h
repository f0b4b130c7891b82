/* cache/cache_put: putting answers into objects; between cache_put, cache_mark
 * and cache_answer. */
#ifndef GH_CACHE_PUT_H
#define GH_CACHE_PUT_H

#include "worker/cache/cache_int.h"

/* Whose answer is put where. */
struct put {
	struct exch *x; /* whose resp it is, and whose arena is used */
	const struct cache *cache;
	struct objects_view *view;
	span url;
};

/* A number that no other answer has, nor other life of variants. */
uint64_t put_epoch(struct exch *x);
/* When the exchange with the server took place. */
struct cache_facts put_facts(const struct exch *x);
/* Length of the content, as objects want it told. */
uint64_t put_length(const struct http_msg *m);
/* Fields that are kept of the answer, with the date it came at when it has none
 * (RFC 9110 6.6.1), and without its length. */
void put_fields(struct exch *x, unsigned flags, struct http_fields *out);
/* Give an object this head. false: too long, or no room. */
bool put_head(const struct put *p, struct obj_ref ref, const struct kept *k,
    uint64_t length);
/* What is kept in c->ref (head read) becomes *out by this answer: its fields
 * are replaced, its lifetime begins anew. Says whether that is for everybody:
 * STORABLE_YES, and put_head() may follow. */
enum storable put_merge(struct exch *x, const struct cached *c,
    const struct cache_policy *policy, struct kept *out);
struct put put_of(const struct cache_fill *f);
/* How long nobody waits in line for answers that cannot be shared. */
#define PUT_PASS_MS 5000

/* Nobody else can use the answer: who waits is told to go its own way, and so is
 * for a while whoever comes. */
void put_pass(struct cache_fill *f, const struct exch *y);
/* What the fill was to fill becomes a mark of that kind; nobody waits for it any
 * more. */
void put_mark(struct cache_fill *f, enum kept_kind kind, int64_t for_ms);
/* Why not: because what is kept is for nobody else any more. */
bool put_is_recalled(enum storable why);

/* --- cache_mark ----------------------------------------------------------- */

/* The answer may be one of several: go on under its own key. false: it cannot be
 * kept. */
bool put_variant(struct cache_fill *f, struct exch *y);
/* Remember the tag of the variant that is filled. */
void put_note_tag(struct cache_fill *f, struct exch *y, const struct kept *k);

/* --- cache_slice_put ------------------------------------------------------ */

/* Whether the answer to a PROBE is a part. One that is the whole becomes what it
 * would be without Range. */
bool put_is_slice(struct exch *y);
/* Keep the mark of all slices, and go on with this one: STORING. Else UNSLICED,
 * which is remembered, or USELESS. */
enum fill_outcome put_slices(struct cache_fill *f, struct exch *y);
/* The answer to a SLICE or REST. */
void put_known(struct cache_fill *f, struct exch *y);

/* --- cache_code ----------------------------------------------------------- */

/* Give what a CODED fills its head. false: there is no room. */
bool put_coded(struct cache_fill *f, struct exch *y);

#endif
